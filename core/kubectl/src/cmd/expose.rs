//! `kubectl expose`.

use super::common;
use crate::builder::{self, Builder};
use crate::command::Command;
use crate::context::{Context, DryRun, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::generate::{atoi, parse_labels};
use crate::mapper;
use crate::podsfor::map_text;
use crate::printers::Teller;
use crate::process::Outcome;
use naru_api::Object;
use naru_api::schema::Node;
use serde_json::{Value, json};

/// `kubectl expose`
pub static COMMAND: Command = Command {
    usage: "expose (-f FILENAME | TYPE NAME) [--port=port] [--protocol=TCP|UDP|SCTP] \
            [--target-port=number-or-name] [--name=name] [--external-ip=external-ip-of-service] \
            [--type=type]",
    short: "Take a replication controller, service, deployment or pod and expose it as a new \
            Kubernetes service",
    long: "Expose a resource as a new Kubernetes service.\n\n The selector of the deployment, \
           service, replica set, replication controller or pod\n becomes the selector of the new \
           service.",
    examples: "# A service for a deployment, on port 80 of pods that serve 8080\n\
               kubectl expose deployment web --port=80 --target-port=8080\n\n\
               # A service for a pod, with a port on each node\n\
               kubectl expose pod web --port=80 --type=NodePort --name=web-np",
    flags: &[
        common::PRINT,
        common::FILENAME,
        common::DRY_RUN,
        common::SAVE_CONFIG,
        common::RECORD,
        FLAGS,
    ],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::text("cluster-ip", "", "The address; None makes a headless service."),
    Flag::text("external-ip", "", "One more address for the service."),
    Flag::text("field-manager", "kubectl-expose", common::FIELD_MANAGER),
    Flag::text("labels", "", "Labels of the service.").short("l"),
    Flag::text("load-balancer-ip", "", "The address of the load balancer."),
    Flag::text("name", "", "The name of the service; the object's own without it."),
    Flag::text("override-type", "merge", "How --overrides is applied: json, merge, or strategic."),
    Flag::text("overrides", "", "A patch, as JSON, for the object that is made."),
    Flag::text("port", "", "The port of the service; the object's own without it."),
    Flag::text("protocol", "", "The protocol of the ports: TCP without it."),
    Flag::text("selector", "", "The selector of the service; the object's own without it."),
    Flag::text("session-affinity", "", "None or ClientIP."),
    Flag::text("target-port", "", "The port of the container, by number or name."),
    Flag::text("type", "", "ClusterIP, NodePort, LoadBalancer, or ExternalName."),
];

fn run(cx: &mut Context<'_>) -> Outcome {
    let dry_run = cx.dry_run()?;
    let mut teller = Teller::new(cx, dry_run.suffix())?;
    // `--selector` is the new service's here: it chooses nothing.
    let selection =
        Builder::new(cx)?.selectors("", "").types_or_names(cx, false, cx.args())?.build(cx)?;
    let services = mapper::kind_for(&cx.kinds()?, "services")?;
    let mut failures = Vec::new();
    for target in selection.targets {
        let objects = target.and_then(|target| builder::fetch(cx, &target));
        let exposed = objects.and_then(|objects| {
            objects.iter().try_for_each(|object| {
                let (namespace, explicit) = cx.namespace()?;
                let service = service(cx, object)?;
                let node = Node::built_in("", "v1", "Service");
                let mut service = crate::generate::overridden(cx.flags(), service, node)?;
                if dry_run == DryRun::Client && explicit {
                    service["metadata"]["namespace"] = json!(namespace);
                }
                if dry_run != DryRun::Client {
                    if cx.flags().is("save-config") {
                        super::apply::save_config(&mut service)?;
                    }
                    let created = cx.create(&services, &namespace, service, dry_run)?;
                    service = created.to_json().unwrap_or_default();
                }
                teller.tell(cx, &services, service, "exposed")
            })
        });
        if let Err(failure) = exposed {
            failures.push(failure);
        }
    }
    Failure::from_many(failures)?;
    done()
}

fn service(cx: &Context<'_>, object: &Object) -> Result<Value> {
    let (flags, kind) = (cx.flags(), object.kind());
    let json = object.content_json().unwrap_or_default();
    let group_kind = kind.group_kind();
    if !matches!(
        group_kind.as_str(),
        "Pod" | "Service" | "ReplicationController" | "Deployment.apps" | "ReplicaSet.apps"
    ) {
        return Err(Failure::Message(format!("cannot expose a {group_kind}")));
    }
    let selector = match flags.text("selector") {
        "" => selector_of(&json, &kind.kind).map_err(|why| {
            let text =
                format!("couldn't retrieve selectors via --selector flag or introspection: {why}");
            Failure::Message(text)
        })?,
        selector => selector.to_owned(),
    };
    let ports = ports(cx, &json, &kind.kind)?;
    let mut spec = json!({"selector": parse_labels(&selector)?});
    if !ports.is_empty() {
        spec["ports"] = Value::from(ports);
    }
    for (field, flag) in [
        ("clusterIP", "cluster-ip"),
        ("loadBalancerIP", "load-balancer-ip"),
        ("sessionAffinity", "session-affinity"),
        ("type", "type"),
    ] {
        if !flags.text(flag).is_empty() {
            spec[field] = json!(flags.text(flag));
        }
    }
    if !flags.text("external-ip").is_empty() {
        spec["externalIPs"] = json!([flags.text("external-ip")]);
    }
    let name = match flags.text("name") {
        "" => object.name().chars().take(63).collect(),
        name => name.to_owned(),
    };
    let mut service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": spec,
    });
    let labels = match flags.text("labels") {
        "" => json["metadata"]["labels"].clone(),
        labels => parse_labels(labels)?,
    };
    if labels.as_object().is_some_and(|labels| !labels.is_empty()) {
        service["metadata"]["labels"] = labels;
    }
    naru_api::omitempty::complete(&mut service);
    Ok(service)
}

/// Upstream: `mapBasedSelectorForObject`.
fn selector_of(object: &Value, kind: &str) -> std::result::Result<String, String> {
    let (map, none) = match kind {
        "Pod" => (&object["metadata"]["labels"], "the pod has no labels and cannot be exposed"),
        "Service" => (&object["spec"]["selector"], "the service has no pod selector set"),
        "ReplicationController" => (&object["spec"]["selector"], "invalid"),
        _ => {
            let selector = &object["spec"]["selector"];
            if selector["matchExpressions"].as_array().is_some_and(|list| !list.is_empty()) {
                let expressions = &selector["matchExpressions"];
                return Err(format!(
                    "couldn't convert expressions - \"{expressions}\" to map-based selector format"
                ));
            }
            (&selector["matchLabels"], "the selector is empty")
        }
    };
    match map_text(map) {
        text if text.is_empty() => Err(none.to_owned()),
        text => Ok(text),
    }
}

/// The ports of the new service: `--port`, or those of the object.
fn ports(cx: &Context<'_>, object: &Value, kind: &str) -> Result<Vec<Value>> {
    let flags = cx.flags();
    let own = own_ports(object, kind);
    let wanted: Vec<String> = match flags.text("port") {
        "" => own.iter().map(|(port, _)| port.to_string()).collect(),
        port => port.split(',').map(str::to_owned).collect(),
    };
    if wanted.is_empty() && flags.text("cluster-ip") != "None" {
        return Err(Failure::message("couldn't find port via --port flag or introspection"));
    }
    let mut ports = Vec::new();
    for (index, text) in wanted.iter().enumerate() {
        let port = atoi(text)?;
        let protocol = match flags.text("protocol") {
            "" => own.iter().find(|(own, _)| *own == port).map_or("TCP", |(_, protocol)| protocol),
            protocol => protocol,
        };
        let target = match flags.text("target-port") {
            "" => json!(port),
            target => target.parse::<i64>().map_or_else(|_| json!(target), |number| json!(number)),
        };
        let mut entry = json!({"port": port, "protocol": protocol, "targetPort": target});
        if wanted.len() > 1 {
            entry["name"] = json!(format!("port-{}", index + 1));
        }
        ports.push(entry);
    }
    Ok(ports)
}

/// Number and protocol of each port that the object serves.
fn own_ports<'a>(object: &'a Value, kind: &str) -> Vec<(i64, &'a str)> {
    let list = |value: &'a Value| value.as_array().map(Vec::as_slice).unwrap_or_default();
    let port = |port: &'a Value, field: &str| {
        Some((port[field].as_i64()?, port["protocol"].as_str().unwrap_or("TCP")))
    };
    if kind == "Service" {
        return list(&object["spec"]["ports"]).iter().filter_map(|p| port(p, "port")).collect();
    }
    let spec = if kind == "Pod" { &object["spec"] } else { &object["spec"]["template"]["spec"] };
    list(&spec["containers"])
        .iter()
        .flat_map(|container| list(&container["ports"]))
        .filter_map(|p| port(p, "containerPort"))
        .collect()
}
