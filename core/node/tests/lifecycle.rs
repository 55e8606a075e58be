//! Hooks, last words, deadlines and sidecars.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod common;

use common::Machine;
use naru_api::service::LogOptions;
use serde_json::json;

#[test]
fn a_hook_before_the_end_takes_its_time() {
    let mut machine = Machine::new();
    let container = json!({
        "name": "c", "image": "nginx",
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
    });
    machine.pod("p", json!({"containers": [container]}));
    machine.seconds(15);
    assert_eq!(machine.status("p")["phase"], "Running");
    machine.delete("p");
    machine.seconds(4);
    assert!(machine.get("p").is_some());
    machine.seconds(2);
    assert!(machine.get("p").is_none(), "nginx ends as soon as it is told to");
}

#[test]
fn a_hook_after_the_start_that_fails_ends_the_container() {
    let mut machine = Machine::new();
    let hook = json!({"postStart": {"exec": {"command": ["sh", "-c", "exit 1"]}}});
    let container = json!({"name": "c", "image": "nginx", "lifecycle": hook});
    machine.pod("p", json!({"containers": [container], "terminationGracePeriodSeconds": 1}));
    machine.seconds(15);
    let events = machine.events("p");
    let failed = ("FailedPostStartHook".to_owned(), "PostStartHook failed".to_owned());
    assert!(events.contains(&failed), "{events:#?}");
    machine.seconds(40);
    assert!(machine.status("p")["containerStatuses"][0]["restartCount"].as_i64() > Some(0));
}

#[test]
fn last_words_stand_in_the_status() {
    let mut machine = Machine::new();
    let container = json!({
        "name": "c", "image": "busybox",
        "command": ["sh", "-c", "echo out of coffee > /dev/termination-log; exit 1"],
    });
    let logger = json!({
        "name": "d", "image": "busybox", "command": ["sh", "-c", "echo in the log; exit 1"],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    });
    machine.pod("p", json!({"containers": [container, logger], "restartPolicy": "Never"}));
    machine.seconds(8);
    let status = machine.status("p");
    let message = |index: usize| {
        status["containerStatuses"][index]["state"]["terminated"]["message"].as_str()
    };
    assert_eq!(message(0), Some("out of coffee\n"));
    assert_eq!(message(1), Some("in the log\n"));
    assert_eq!(status["phase"], "Failed");
}

#[test]
fn a_pod_past_its_deadline_has_failed() {
    let mut machine = Machine::new();
    let container = json!({"name": "c", "image": "nginx"});
    machine.pod("p", json!({"containers": [container], "activeDeadlineSeconds": 20}));
    machine.seconds(15);
    assert_eq!(machine.status("p")["phase"], "Running");
    machine.seconds(10);
    let status = machine.status("p");
    assert_eq!(
        (status["phase"].as_str(), status["reason"].as_str()),
        (Some("Failed"), Some("DeadlineExceeded"))
    );
}

#[test]
fn a_sidecar_starts_first_and_does_not_hold_up_the_end() {
    let mut machine = Machine::new();
    let spec = json!({
        "restartPolicy": "Never",
        "initContainers": [{"name": "side", "image": "nginx", "restartPolicy": "Always"}],
        "containers": [{"name": "main", "image": "busybox", "command": ["echo", "done"]}],
    });
    machine.pod("p", spec);
    machine.seconds(15);
    assert_eq!(machine.logs("p", LogOptions::default()).0, "done\n");
    let status = machine.status("p");
    assert_eq!(status["phase"], "Succeeded", "{status:#}");
    let started: Vec<String> = machine
        .events("p")
        .into_iter()
        .filter(|(reason, _)| reason == "Started" || reason == "Killing")
        .map(|(_, message)| message)
        .collect();
    assert_eq!(
        started,
        ["Started container side", "Started container main", "Stopping container side"]
    );
}
