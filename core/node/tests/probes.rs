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
