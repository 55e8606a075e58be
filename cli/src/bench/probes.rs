//! `naru bench probes`.

use super::figures::{Figures, time};
use super::{pods, startup};
use clap::Args;
use naru_api::Request;
use naru_api::k8s_openapi::api::core::v1::{Container, HTTPGetAction, Probe};
use naru_api::k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::error::Error;
use std::time::Duration;

/// What it costs to let time pass while pods are probed.
///
/// Pods of one container that answers with its host name and logs nothing, or, with `--logged`, that
/// logs every request, each with an HTTP readiness probe every second. Everything else that goes on
/// by itself goes on; making the pods is not in it.
#[derive(Args)]
pub struct Probes {
    /// Nodes that have the pods.
    #[arg(long, default_value_t = 20)]
    nodes: u32,
    /// Pods.
    #[arg(long, default_value_t = 1_000)]
    pods: u32,
    /// Virtual seconds.
    #[arg(long, default_value_t = 3_600)]
    seconds: u32,
    /// The program writes a line for each request.
    #[arg(long)]
    logged: bool,
}

impl Probes {
    /// Measures.
    pub fn run(&self, seed: u64) -> Result<Figures, Box<dyn Error>> {
        let mut cluster = startup::cluster(seed, self.nodes)?;
        pods::start_by(&mut cluster, 0, self.pods, |number| self.create(number))?;
        let end = cluster.now() + Duration::from_secs(u64::from(self.seconds));
        let ((), took) = time(|| {
            cluster.advance(end, u64::MAX);
        });
        let probes = f64::from(self.pods) * f64::from(self.seconds);
        let mut figures = Figures::default();
        figures.add("pods", f64::from(self.pods));
        figures.add("virtual_seconds", f64::from(self.seconds));
        figures.add_time("", took);
        figures.add("nanoseconds_per_probe", took.busiest().as_secs_f64() * 1e9 / probes.max(1.0));
        Ok(figures)
    }

    fn create(&self, number: u32) -> Request {
        let (program, port) = match self.logged {
            true => ("netexec", 8_080),
            false => ("serve-hostname", 9_376),
        };
        let get = HTTPGetAction {
            path: Some("/".to_owned()),
            port: IntOrString::Int(port),
            ..HTTPGetAction::default()
        };
        let probe = Probe { http_get: Some(get), period_seconds: Some(1), ..Probe::default() };
        let container = Container {
            name: "agnhost".to_owned(),
            image: Some("registry.k8s.io/e2e-test-images/agnhost:2.53".to_owned()),
            args: Some(vec![program.to_owned()]),
            readiness_probe: Some(probe.into()),
            ..Container::default()
        };
        pods::create_of(number, pods::SMALL, container)
    }
}
