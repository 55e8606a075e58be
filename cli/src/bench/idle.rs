//! `naru bench idle`.

use super::figures::{Figures, time};
use clap::Args;
use naru_cluster::Cluster;
use std::error::Error;
use std::time::Duration;

/// What it costs to let time pass on a cluster of three nodes where nothing happens.
///
/// Everything that goes on by itself goes on: heartbeats, probes, leases, resyncs, compaction.
#[derive(Args)]
pub struct Idle {
    /// Virtual hours.
    #[arg(long, default_value_t = 24)]
    hours: u32,
}

impl Idle {
    /// Measures.
    pub fn run(&self, seed: u64) -> Result<Figures, Box<dyn Error>> {
        let mut cluster = Cluster::new("kind", seed)?;
        let end = cluster.now() + Duration::from_secs(u64::from(self.hours) * 3_600);
        let ((), took) = time(|| {
            cluster.advance(end, u64::MAX);
        });
        let mut figures = Figures::default();
        figures.add("virtual_hours", f64::from(self.hours));
        figures.add_time("", took);
        Ok(figures)
    }
}
