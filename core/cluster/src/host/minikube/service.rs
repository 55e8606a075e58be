//! `minikube service`: by which address a Service is reached from the learner's machine.
//!
//! Upstream: `cmd/minikube/cmd/service.go`, `pkg/minikube/service/service.go`.

use super::super::{out, table};
use super::{exit, not_running};
use crate::Cluster;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use naru_api::Kube;
use naru_shell::Answer;
use naru_tools::flags::Flags;

const HEADER: [&str; 4] = ["NAMESPACE", "NAME", "TARGET PORT", "URL"];

/// `minikube service NAME`: shows its addresses; with `--url` only those.
pub fn open(cluster: &mut Cluster, name: &str, flags: &Flags) -> Answer {
    if let Some(answer) = not_running(cluster) {
        return answer;
    }
    let namespace = flags.value("namespace").unwrap_or("default");
    let Some(object) = cluster.read(&Service::kind(), namespace, name) else {
        return exit(
            "SVC_NOT_FOUND",
            &format!(
                "Service '{name}' was not found in '{namespace}' namespace.\nYou may select \
                 another namespace by using 'minikube service {name} -n <namespace>'. Or list out \
                 all the services using 'minikube service list'"
            ),
            115,
        );
    };
    let Some(service) = object.get::<Service>() else { return out(String::new()) };
    let urls = urls(cluster, service);
    let Some(_) = urls.first() else {
        let stdout = format!("😿  service {namespace}/{name} has no node port\n");
        let stderr = format!(
            "❗  Services [{namespace}/{name}] have type \"{}\" not meant to be exposed, however \
             for local development minikube allows you to access this !\n",
            service.spec.as_ref().and_then(|spec| spec.type_.as_deref()).unwrap_or("ClusterIP")
        );
        return Answer { stdout, stderr, ..Answer::default() };
    };
    let links: String = urls.iter().map(|url| format!("{url}\n")).collect();
    if flags.is_on("url") {
        return out(links);
    }
    let row = [namespace.to_owned(), name.to_owned(), ports(service), urls.join(" ")];
    let opened =
        format!("🎉  Opening service {namespace}/{name} in default browser...\n👉  {links}");
    out(table::boxed(HEADER, &[row], &[2]) + &opened)
}

/// `minikube service list`.
pub fn list(cluster: &mut Cluster) -> Answer {
    if let Some(answer) = not_running(cluster) {
        return answer;
    }
    let objects = cluster.list(&Service::kind(), "", "", "");
    let mut rows = Vec::new();
    for object in &objects {
        let Some(service) = object.get::<Service>() else { continue };
        let urls = urls(cluster, service);
        let shown = if urls.is_empty() { "No node port".to_owned() } else { ports(service) };
        let place = [object.namespace().to_owned(), object.name().to_owned()];
        let [namespace, name] = place;
        rows.push([namespace, name, shown, urls.join(" ")]);
    }
    out(table::boxed(HEADER, &rows, &[2]))
}

fn spec(service: &Service) -> Option<&ServiceSpec> {
    service.spec.as_ref()
}

fn node_ports(service: &Service) -> impl Iterator<Item = &ServicePort> {
    let ports = spec(service).into_iter().flat_map(|spec| spec.ports.iter().flatten());
    ports.filter(|port| port.node_port.unwrap_or(0) != 0)
}

fn urls(cluster: &Cluster, service: &Service) -> Vec<String> {
    let Some(ip) = cluster.nodes.first().map(|node| node.config().internal_ip) else {
        return Vec::new();
    };
    node_ports(service).map(|port| format!("http://{ip}:{}", port.node_port.unwrap_or(0))).collect()
}

/// `http/80`, or the number alone.
fn ports(service: &Service) -> String {
    let text = |port: &ServicePort| {
        let target = match &port.target_port {
            Some(IntOrString::Int(number)) => number.to_string(),
            Some(IntOrString::String(name)) => name.clone(),
            None => port.port.to_string(),
        };
        match &port.name {
            Some(name) if !name.is_empty() => format!("{name}/{target}"),
            _ => port.port.to_string(),
        }
    };
    node_ports(service).map(text).collect::<Vec<_>>().join(" ")
}
