//! Streams between clients and kubelets.

use super::{Client, pod};
use naru_api::k8s_openapi::api::core::v1::Pod;
use naru_api::service::{Connect, ConnectRequest, KubeletStreams, LogOptions};
use naru_api::{ApiService, UserInfo};
use naru_sim::CauseId;
use serde_json::json;

fn request(pod: &str, container: &str, connect: Connect) -> ConnectRequest {
    ConnectRequest {
        user: UserInfo::new("kubernetes-admin", &[]),
        agent: "kubectl".into(),
        cause: CauseId::ROOT,
        namespace: "default".to_owned(),
        pod: pod.to_owned(),
        container: container.to_owned(),
        connect,
    }
}

fn exec() -> Connect {
    Connect::Exec { command: vec!["date".to_owned()], stdin: false, tty: false }
}

#[test]
fn bytes_go_both_ways() {
    let mut client = Client::new();
    client.create::<Pod>(pod("web")).unwrap();
    client.bind("web", "worker").unwrap();
    let id = client.server.connect(request("web", "", exec())).unwrap();
    assert_eq!(client.server.ready_streams(), ["worker"]);
    assert_eq!(client.server.ready_streams(), [""; 0]);
    assert!(client.server.accept("other").is_empty());
    let accepted = client.server.accept("worker");
    assert_eq!(accepted.len(), 1);
    assert_eq!(accepted[0].0, id);
    assert_eq!(accepted[0].1.container, "main");
    assert!(client.server.accept("worker").is_empty());
    ApiService::stream(&mut client.server, id).unwrap().stdin.extend(b"in");
    let kubelet = KubeletStreams::stream(&mut client.server, id).unwrap();
    assert_eq!(kubelet.stdin.drain(..).collect::<Vec<u8>>(), b"in");
    kubelet.stdout.extend(b"out");
    kubelet.result = Some(Ok(0));
    let mine = ApiService::stream(&mut client.server, id).unwrap();
    assert_eq!(mine.stdout.drain(..).collect::<Vec<u8>>(), b"out");
    assert_eq!(mine.result, Some(Ok(0)));
    client.server.disconnect(id);
    assert!(KubeletStreams::stream(&mut client.server, id).is_none());
}

#[test]
fn refusals_are_upstreams() {
    let mut client = Client::new();
    client.create::<Pod>(pod("one")).unwrap();
    let mut two = pod("two");
    two["spec"]["containers"] = json!([{"name": "a", "image": "x"}, {"name": "b", "image": "x"}]);
    client.create::<Pod>(two.clone()).unwrap();
    two["metadata"]["name"] = json!("three");
    two["spec"]["initContainers"] = json!([{"name": "i", "image": "x"}]);
    client.create::<Pod>(two).unwrap();
    let table = [
        ("none", "", "pods \"none\" not found"),
        ("one", "x", "container x is not valid for pod one"),
        ("one", "", "pod one does not have a host assigned"),
        ("two", "", "a container name must be specified for pod two, choose one of: [a b]"),
        (
            "three",
            "",
            "a container name must be specified for pod three, choose one of: [a b] or one of the \
             init containers: [i]",
        ),
    ];
    for (pod, container, message) in table {
        let error = client.server.connect(request(pod, container, exec())).unwrap_err();
        assert_eq!(error.message(), message);
    }
}

#[test]
fn a_pod_without_a_node_has_an_empty_log() {
    let mut client = Client::new();
    client.create::<Pod>(pod("web")).unwrap();
    let log = Connect::Log(LogOptions::default());
    let id = client.server.connect(request("web", "", log)).unwrap();
    let stream = ApiService::stream(&mut client.server, id).unwrap();
    assert_eq!(stream.result, Some(Ok(0)));
    assert!(client.server.ready_streams().is_empty());
}

#[test]
fn a_machine_that_is_not_there_is_told() {
    let mut client = Client::new();
    client.create::<Pod>(pod("web")).unwrap();
    client.bind("web", "gone").unwrap();
    let id = client.server.connect(request("web", "", exec())).unwrap();
    client.server.unreachable_node("gone");
    let stream = ApiService::stream(&mut client.server, id).unwrap();
    let error = stream.result.clone().unwrap().unwrap_err();
    assert_eq!(error.message(), "error dialing backend: dial tcp: lookup gone: no such host");
    assert!(client.server.accept("gone").is_empty());
}
