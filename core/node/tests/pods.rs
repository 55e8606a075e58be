//! A pod's life on a node, with the real API server and the real network.

mod common;

use common::Machine;
use naru_api::service::LogOptions;
use serde_json::{Value, json};

fn web() -> Value {
    json!({"containers": [{"name": "node", "image": "kim0lil/80700:v-1.0.0"}]})
}

fn reasons(events: &[(String, String)]) -> Vec<&str> {
    events.iter().map(|(reason, _)| reason.as_str()).collect()
}

#[test]
fn a_pod_is_created_runs_answers_and_goes() {
    let mut machine = Machine::new();
    machine.seconds(5);
    machine.pod("app-node", web());
    machine.seconds(1);
    let status = machine.status("app-node");
    assert_eq!(status["phase"], "Pending", "{status:#}");
    let waiting = &status["containerStatuses"][0]["state"]["waiting"];
    assert_eq!(waiting["reason"], "ContainerCreating");

    machine.seconds(10);
    let status = machine.status("app-node");
    assert_eq!(status["phase"], "Running", "{status:#}");
    assert_eq!(status["podIP"], "10.244.1.2");
    assert_eq!(status["hostIP"], "172.18.0.3");
    assert_eq!(status["qosClass"], "BestEffort");
    let container = &status["containerStatuses"][0];
    assert_eq!(container["ready"], true);
    assert_eq!(container["image"], "docker.io/kim0lil/80700:v-1.0.0");
    assert!(container["containerID"].as_str().unwrap().starts_with("containerd://"));
    let conditions: Vec<(&str, &str)> = status["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["type"].as_str().unwrap(), c["status"].as_str().unwrap()))
        .collect();
    assert_eq!(
        conditions,
        [
            ("PodReadyToStartContainers", "True"),
            ("Initialized", "True"),
            ("Ready", "True"),
            ("ContainersReady", "True"),
            ("PodScheduled", "True"),
        ]
    );
    let events = machine.events("app-node");
    assert_eq!(reasons(&events), ["Pulling", "Pulled", "Created", "Started"]);
    assert_eq!(events[0].1, "Pulling image \"kim0lil/80700:v-1.0.0\"");
    assert!(events[1].1.starts_with("Successfully pulled image \"kim0lil/80700:v-1.0.0\" in "));
    assert!(events[1].1.ends_with(" bytes."), "{}", events[1].1);
    assert_eq!(events[2].1, "Created container: node");
    assert_eq!(events[3].1, "Started container node");

    let answer = machine.http("10.244.1.2:8080", "/").unwrap();
    assert!(answer.contains("Hello Kubernetes this is Container ID is app-node"), "{answer}");
    let (log, result) = machine.logs("app-node", LogOptions::default());
    assert_eq!(log, "server is running at http://127.0.0.1:8080\n");
    assert_eq!(result, Some(Ok(0)));

    machine.delete("app-node");
    machine.seconds(29);
    let events = machine.events("app-node");
    assert_eq!(events.last().unwrap().1, "Stopping container node");
    assert!(machine.get("app-node").is_some(), "process 1 has no handler: it gets its 30 seconds");
    machine.seconds(3);
    assert!(machine.get("app-node").is_none());
    assert!(machine.http("10.244.1.2:8080", "/").is_err());
}

#[test]
fn the_second_pull_of_an_image_is_none() {
    let mut machine = Machine::new();
    machine.pod("a", web());
    machine.seconds(15);
    machine.pod("b", web());
    machine.seconds(3);
    let events = machine.events("b");
    assert_eq!(events[0].1, "Container image \"kim0lil/80700:v-1.0.0\" already present on machine");
    assert_eq!(machine.ip("b"), "10.244.1.3");
}

#[test]
fn an_unknown_image_backs_off() {
    let mut machine = Machine::new();
    machine.pod("bad", json!({"containers": [{"name": "c", "image": "nosuch"}]}));
    machine.seconds(5);
    let status = machine.status("bad");
    assert_eq!(status["phase"], "Pending");
    let waiting = &status["containerStatuses"][0]["state"]["waiting"];
    assert_eq!(waiting["reason"], "ErrImagePull");
    assert!(waiting["message"].as_str().unwrap().contains("pull access denied"), "{waiting}");

    machine.seconds(120);
    let status = machine.status("bad");
    let waiting = &status["containerStatuses"][0]["state"]["waiting"];
    assert!(["ErrImagePull", "ImagePullBackOff"].contains(&waiting["reason"].as_str().unwrap()));
    let events = machine.events("bad");
    let messages: Vec<&str> = events.iter().map(|(_, message)| message.as_str()).collect();
    for expected in [
        "Pulling image \"nosuch\"",
        "Error: ErrImagePull",
        "Back-off pulling image \"nosuch\"",
        "Error: ImagePullBackOff",
    ] {
        assert!(messages.contains(&expected), "{expected} is not in {messages:#?}");
    }
    let (_, result) = machine.logs("bad", LogOptions::default());
    let message = result.unwrap().unwrap_err().message().to_owned();
    assert!(
        message.starts_with("container \"c\" in pod \"bad\" is waiting to start: "),
        "{message}"
    );
}

#[test]
fn a_program_that_is_not_there() {
    let mut machine = Machine::new();
    let container = json!({"name": "c", "image": "busybox", "command": ["nosuch"]});
    machine.pod("bad", json!({"containers": [container]}));
    machine.seconds(60);
    let status = machine.status("bad");
    let container = &status["containerStatuses"][0];
    assert_eq!(container["state"]["waiting"]["reason"], "CrashLoopBackOff", "{status:#}");
    let last = &container["lastState"]["terminated"];
    assert_eq!(last["reason"], "StartError");
    assert_eq!(last["exitCode"], 128);
    assert_eq!(last["startedAt"], "1970-01-01T00:00:00Z");
    let message = last["message"].as_str().unwrap();
    assert!(message.contains("exec: \"nosuch\": executable file not found in $PATH"), "{message}");
}

#[test]
fn restarts_follow_the_crash_loops_curve() {
    let mut machine = Machine::new();
    let container = json!({
        "name": "c", "image": "busybox", "command": ["sh", "-c", "echo dying; exit 3"],
    });
    machine.pod("crash", json!({"containers": [container]}));
    machine.seconds(6);
    let mut counts = Vec::new();
    for _ in 0..6 {
        machine.seconds(15);
        counts.push(machine.status("crash")["containerStatuses"][0]["restartCount"].as_i64());
    }
    assert_eq!(counts[0], Some(2), "{counts:?}");
    assert!(counts[5] < Some(5), "{counts:?}");
    let status = machine.status("crash");
    let last = &status["containerStatuses"][0]["lastState"]["terminated"];
    assert_eq!(last["exitCode"], 3);
    let events = machine.events("crash");
    let uid = machine.get("crash").unwrap().metadata.uid.unwrap();
    let back_off = format!("Back-off restarting failed container c in pod crash_default({uid})");
    assert!(events.iter().any(|(_, message)| *message == back_off), "{events:#?}");
    let options = LogOptions { previous: true, ..LogOptions::default() };
    assert_eq!(machine.logs("crash", options).0, "dying\n");
}

#[test]
fn a_pod_that_ends_well_has_succeeded() {
    let mut machine = Machine::new();
    let container = json!({"name": "c", "image": "busybox", "command": ["echo", "$(WHO)"],
        "env": [{"name": "WHO", "value": "naru"}]});
    machine.pod("once", json!({"containers": [container], "restartPolicy": "Never"}));
    machine.seconds(10);
    let status = machine.status("once");
    assert_eq!(status["phase"], "Succeeded", "{status:#}");
    let ended = &status["containerStatuses"][0]["state"]["terminated"];
    assert_eq!(
        (ended["exitCode"].as_i64(), ended["reason"].as_str()),
        (Some(0), Some("Completed"))
    );
    assert_eq!(machine.logs("once", LogOptions::default()).0, "naru\n");
    machine.delete("once");
    machine.seconds(1);
    assert!(machine.get("once").is_none());
}

#[test]
fn init_containers_come_first_and_in_order() {
    let mut machine = Machine::new();
    let init = |name: &str| json!({"name": name, "image": "busybox", "command": ["echo", name]});
    let spec = json!({
        "initContainers": [init("one"), init("two")],
        "containers": [{"name": "main", "image": "kim0lil/80700:v-1.0.0"}],
    });
    machine.pod("app", spec);
    machine.seconds(1);
    assert_eq!(
        machine.status("app")["containerStatuses"][0]["state"]["waiting"]["reason"],
        "PodInitializing"
    );
    machine.seconds(20);
    let status = machine.status("app");
    assert_eq!(status["phase"], "Running", "{status:#}");
    let started: Vec<String> = machine
        .events("app")
        .into_iter()
        .filter(|(reason, _)| reason == "Started")
        .map(|(_, message)| message)
        .collect();
    assert_eq!(
        started,
        ["Started container one", "Started container two", "Started container main"]
    );
}

#[test]
fn an_init_container_that_fails_holds_up_the_pod() {
    let mut machine = Machine::new();
    let init = json!({"name": "i", "image": "busybox", "command": ["sh", "-c", "exit 1"]});
    let main = json!({"name": "main", "image": "busybox", "command": ["sleep", "1000"]});
    let spec = json!({"initContainers": [init], "containers": [main]});
    machine.pod("stuck", spec.clone());
    let mut never = spec;
    never["restartPolicy"] = json!("Never");
    machine.pod("dead", never);
    machine.seconds(30);
    assert_eq!(machine.status("stuck")["phase"], "Pending");
    let status = machine.status("stuck");
    assert!(status["initContainerStatuses"][0]["restartCount"].as_i64() > Some(0), "{status:#}");
    assert_eq!(machine.status("dead")["phase"], "Failed");
}
