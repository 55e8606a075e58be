//! `naru bench startup`.

use super::figures::{Figures, time};
use super::pods;
use clap::Args;
use ipnet::Ipv4Net;
use naru_api::Object;
use naru_api::k8s_openapi::api::core::v1::Node;
use naru_cluster::{Cluster, NodeProfile, Profile};
use naru_sim::Time;
use std::error::Error;
use std::net::Ipv4Addr;

/// Addresses of pods for up to 4,096 nodes.
const POD_RANGE: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(10, 240, 0, 0), 12);
const FIRST_WORKER: Ipv4Addr = Ipv4Addr::new(172, 18, 1, 0);

/// How many pods a second go from their creation to Ready.
///
/// On a whole kind cluster with more workers: a client makes pods of one container that asks for
/// 10m of CPU and 10Mi of memory; API server with RBAC and all admission, scheduler, kubelets with
/// their runtime and network, controllers, events and a watch by which the client sees each pod
/// become ready are all in it. Making the cluster is not.
#[derive(Args)]
pub struct Startup {
    /// Nodes that take the pods.
    #[arg(long, default_value_t = 100)]
    nodes: u32,
    /// Pods.
    #[arg(long, default_value_t = 10_000)]
    pods: u32,
}

impl Startup {
    /// Measures.
    pub fn run(&self, seed: u64) -> Result<Figures, Box<dyn Error>> {
        let mut cluster = cluster(seed, self.nodes)?;
        let before = cluster.now();
        let (done, took) = time(|| pods::start(&mut cluster, 0, self.pods));
        done?;
        let mut figures = Figures::default();
        figures.add("nodes", f64::from(self.nodes));
        figures.add("pods", f64::from(self.pods));
        figures.add_rate("", self.pods, took);
        figures.add("virtual_seconds", cluster.now().since(before).as_secs_f64());
        Ok(figures)
    }
}

/// A kind cluster with so many workers, all ready.
pub fn cluster(seed: u64, workers: u32) -> Result<Cluster, Box<dyn Error>> {
    let mut profile = Profile::by_name("kind").ok_or("no profile kind")?;
    profile.pod_cidr = POD_RANGE;
    profile.nodes.retain(|node| node.control_plane);
    let Some(first) = profile.nodes.first().cloned() else { return Err("no control plane".into()) };
    profile.nodes.extend((0..workers).map(|number| NodeProfile {
        name: format!("worker{number}"),
        ip: Ipv4Addr::from(u32::from(FIRST_WORKER).saturating_add(number)),
        control_plane: false,
        tainted: false,
        ..first.clone()
    }));
    let mut cluster = Cluster::of(profile, seed, Time::ZERO)?;
    let nodes = cluster.objects("v1", "Node", "", "");
    let ready = nodes.iter().filter_map(Object::get::<Node>).filter(|node| is_ready(node)).count();
    match ready == workers as usize + 1 {
        true => Ok(cluster),
        false => Err(format!("{ready} of {workers} workers became ready").into()),
    }
}

fn is_ready(node: &Node) -> bool {
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|found| found.type_ == "Ready" && found.status == "True")
}
