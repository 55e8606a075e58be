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
    assert_eq!(
        events[0].1,
        "Container image \"kim0lil/80700:v-1.0.0\" already present on machine"
    );
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
    assert!(message.starts_with("container \"c\" in pod \"bad\" is waiting to start: "), "{message}");
}
