//! Probes over the simulated network.

mod common;

use common::Machine;
use serde_json::json;

fn has(events: &[(String, String)], reason: &str, message: &str) -> bool {
    events.iter().any(|(r, m)| r == reason && m == message)
}

#[test]
fn a_liveness_probe_that_fails_starts_the_container_again() {
    let mut machine = Machine::new();
    machine.pod(
        "sick",
        json!({"containers": [{
            "name": "app", "image": "kim0lil/80700:v-2.0.0",
            "livenessProbe": {
                "httpGet": {"path": "/unhealthy", "port": 8080},
                "periodSeconds": 5, "initialDelaySeconds": 5,
            },
        }]}),
    );
    machine.seconds(35);
    let events = machine.events("sick");
    let failed = "Liveness probe failed: HTTP probe failed with statuscode: 404";
    assert!(has(&events, "Unhealthy", failed), "{events:#?}");
    let killing = "Container app failed liveness probe, will be restarted";
    assert!(has(&events, "Killing", killing), "{events:#?}");
    // The server does not heed SIGTERM: its 30 seconds of grace pass first.
    machine.seconds(30);
    let status = machine.status("sick");
    assert_eq!(status["containerStatuses"][0]["restartCount"], 1, "{status:#}");
    let last = &status["containerStatuses"][0]["lastState"]["terminated"];
    assert_eq!((last["exitCode"].as_i64(), last["reason"].as_str()), (Some(137), Some("Error")));
}

#[test]
fn a_readiness_probe_decides_who_is_ready() {
    let mut machine = Machine::new();
    machine.pod(
        "late",
        json!({"containers": [{
            "name": "app", "image": "kim0lil/80700:v-2.0.0",
            "ports": [{"name": "web", "containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "/healthy", "port": "web"}, "periodSeconds": 2},
        }]}),
    );
    machine.pod(
        "never",
        json!({"containers": [{
            "name": "app", "image": "kim0lil/80700:v-2.0.0",
            "readinessProbe": {"tcpSocket": {"port": 9}, "periodSeconds": 2},
        }]}),
    );
    machine.seconds(25);
    let ready = |machine: &mut Machine, name: &str| {
        machine.status(name)["containerStatuses"][0]["ready"].as_bool()
    };
    assert_eq!(ready(&mut machine, "late"), Some(true));
    assert_eq!(ready(&mut machine, "never"), Some(false));
    let ip = machine.ip("never");
    let refused = format!("Readiness probe failed: dial tcp {ip}:9: connect: connection refused");
    let events = machine.events("never");
    assert!(has(&events, "Unhealthy", &refused), "{events:#?}");
    let status = machine.status("never");
    let conditions = status["conditions"].as_array().unwrap();
    let condition = conditions.iter().find(|c| c["type"] == "ContainersReady").unwrap();
    assert_eq!(condition["message"], "containers with unready status: [app]");
    assert_eq!(condition["reason"], "ContainersNotReady");
}

/// Seconds since the first, in milliseconds, of every connection that was begun to a port, and what
/// the containers of the node have used of the processor.
fn connections(machine: &mut Machine, port: u16) -> Vec<u64> {
    let now = machine.now;
    machine.nodes[0].catch_up(&mut machine.net, now);
    let begun = |trace: &std::sync::Arc<naru_network::Trace>| {
        trace.dst.port() == port && trace.content.to_string().starts_with("Flags [S],")
    };
    let traces = machine.net.traces_after(naru_network::TraceId(0));
    traces.filter(begun).map(|trace| trace.at.as_micros() / 1_000).collect()
}

const QUIET: &str = "registry.k8s.io/e2e-test-images/agnhost:2.53";

fn quiet(machine: &mut Machine) {
    machine.pod(
        "quiet",
        json!({"containers": [{
            "name": "app", "image": QUIET, "args": ["serve-hostname"],
            "readinessProbe": {"httpGet": {"path": "/", "port": 9376}, "periodSeconds": 1},
        }]}),
    );
    machine.seconds(20);
    assert_eq!(machine.status("quiet")["containerStatuses"][0]["ready"], true);
}

#[test]
fn a_probe_that_goes_alike_each_time_is_not_sent_and_leaves_what_it_would_have() {
    let mut machine = Machine::new();
    quiet(&mut machine);
    // Behind the renewals of the node's lease at 20 seconds, and far from the next ones.
    machine.seconds(3);
    let next = machine.nodes[0].next_due().unwrap().since(machine.now);
    assert!(next.as_secs() >= 5, "the node has something to do in {next:?}");
    let cpu = |machine: &mut Machine| {
        let now = machine.now;
        machine.nodes[0].catch_up(&mut machine.net, now);
        machine.nodes[0].runtime().cpu_used()
    };
    let before = cpu(&mut machine);
    machine.seconds(10);
    let ten = cpu(&mut machine) - before;
    assert!(ten.as_micros() >= 10 * 400, "{ten:?}");
    let begun = connections(&mut machine, 9_376);
    assert!(begun.len() > 20, "{begun:?}");
    assert!(begun.windows(2).all(|pair| pair[1] - pair[0] == 1_000), "{begun:?}");
    let ports: std::collections::BTreeSet<u16> = machine
        .net
        .traces_after(naru_network::TraceId(0))
        .filter(|trace| trace.dst.port() == 9_376)
        .map(|trace| trace.src.port())
        .collect();
    assert_eq!(ports.len(), begun.len(), "each connection has a port of its own");
}

#[test]
fn a_probe_is_sent_again_as_soon_as_something_has_changed() {
    let mut machine = Machine::new();
    quiet(&mut machine);
    let host = machine.nodes[0].host_namespace();
    let rules = machine.net.netfilter(host).unwrap();
    rules
        .command(
            naru_network::netfilter::TableName::Filter,
            "-A OUTPUT -p tcp --dport 9376 -j DROP",
        )
        .unwrap();
    machine.seconds(30);
    let events = machine.events("quiet");
    let unhealthy = events.iter().filter(|(reason, _)| reason == "Unhealthy").count();
    assert!(unhealthy > 0, "{events:#?}");
    assert_eq!(machine.status("quiet")["containerStatuses"][0]["ready"], false);
}

#[test]
fn a_probe_of_a_program_that_logs_is_always_sent() {
    let mut machine = Machine::new();
    machine.pod(
        "loud",
        json!({"containers": [{
            "name": "app", "image": QUIET, "args": ["netexec"],
            "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
        }]}),
    );
    machine.seconds(30);
    let (log, _) = machine.logs("loud", naru_api::service::LogOptions::default());
    assert!(log.matches("GET /healthz").count() >= 25, "{log}");
}
