//! `naru bench scaling`.

use super::figures::{Figures, time};
use super::{pods, startup};
use clap::Args;
use std::error::Error;

/// What a pod costs in a large cluster, in times of what it costs in a small one.
///
/// The same as `startup`, for the first pods and for all pods of one cluster whose nodes stay as
/// many, so that what grows is only the number of pods.
#[derive(Args)]
pub struct Scaling {
    /// Nodes that take the pods.
    #[arg(long, default_value_t = 500)]
    nodes: u32,
    /// The smaller number of pods.
    #[arg(long, default_value_t = 1_000)]
    few: u32,
    /// The larger number of pods.
    #[arg(long, default_value_t = 50_000)]
    many: u32,
}

impl Scaling {
    /// Measures.
    pub fn run(&self, seed: u64) -> Result<Figures, Box<dyn Error>> {
        let cluster = startup::cluster(seed, self.nodes)?;
        let mut figures = Figures::default();
        figures.add("nodes", f64::from(self.nodes));
        let mut costs = Vec::new();
        for (name, pods) in [("few_", self.few), ("many_", self.many)] {
            let mut cluster = cluster.clone();
            let (done, took) = time(|| pods::start(&mut cluster, 0, pods));
            done?;
            figures.add(format!("{name}pods"), f64::from(pods));
            figures.add_rate(name, pods, took);
            costs.push(took.busiest().as_secs_f64() / f64::from(pods.max(1)));
        }
        if let [few, many] = costs[..] {
            figures.add("cost_ratio", many / few);
        }
        Ok(figures)
    }
}
