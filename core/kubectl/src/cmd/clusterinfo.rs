//! `kubectl cluster-info`.

use crate::command::Command;
use crate::context::{Context, done};
use crate::failure::Result;
use crate::mapper;
use crate::process::Outcome;
use naru_api::request::ListOptions;
use serde_json::Value;

/// `kubectl cluster-info`
pub static COMMAND: Command = Command {
    usage: "cluster-info [flags]",
    short: "Display cluster information",
    long: "Display addresses of the control plane and services with label \
           kubernetes.io/cluster-service=true. To further debug and diagnose cluster problems, use \
           'kubectl cluster-info dump'.",
    examples: "# The addresses\nkubectl cluster-info",
    subcommands: &[&super::clusterinfo_dump::COMMAND],
    run,
    ..Command::EMPTY
};

fn run(cx: &mut Context<'_>) -> Outcome {
    let told = tell(cx);
    // As upstream, also where nothing could be told.
    cx.line("\nTo further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.");
    told?;
    done()
}

/// Where the control plane and the cluster's services are.
fn tell(cx: &mut Context<'_>) -> Result<()> {
    let namespace = match cx.flags().text("namespace") {
        "" => "kube-system",
        namespace => namespace,
    };
    let services = mapper::kind_for(&cx.kinds()?, "services")?;
    let options = ListOptions {
        label_selector: "kubernetes.io/cluster-service=true".to_owned(),
        ..ListOptions::default()
    };
    let list = cx.list(&services, namespace, &options)?;
    let host = cx.client_config()?.server(cx.flags());
    cx.line(&format!("Kubernetes control plane is running at {host}"));
    for service in &list.items {
        let json = service.content_json().unwrap_or_default();
        let name = service.label("kubernetes.io/name").unwrap_or(service.name());
        cx.line(&format!("{name} is running at {}", link(&host, &json)));
    }
    Ok(())
}

/// The service's address outside, or through the API server's proxy.
fn link(host: &str, service: &Value) -> String {
    let ports = service["spec"]["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ingress = &service["status"]["loadBalancer"]["ingress"][0];
    if let Some(address) = ingress["ip"].as_str().or(ingress["hostname"].as_str()) {
        let links: Vec<String> =
            ports.iter().map(|port| format!("http://{address}:{} ", port["port"])).collect();
        return links.concat();
    }
    let metadata = &service["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut name = text(&metadata["name"]);
    if let Some(port) = ports.first() {
        let port_name = text(&port["name"]);
        if port_name == "https" || port["port"] == 443 {
            name = format!("https:{name}:{port_name}");
        } else if !port_name.is_empty() {
            name = format!("{name}:{port_name}");
        }
    }
    format!("{host}/api/v1/namespaces/{}/services/{name}/proxy", text(&metadata["namespace"]))
}
