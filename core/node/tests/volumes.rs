//! Volumes: what containers see of objects, and of each other.

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

mod common;

use common::Machine;
use k8s_openapi::api::core::v1::ConfigMap;
use naru_api::request::{Op, Patch};
use naru_api::service::{Connect, LogOptions};
use naru_api::{ApiService, Kube};
use serde_json::{Value, json};
use std::time::Duration;

fn exec(machine: &mut Machine, pod: &str, script: &str) -> String {
    let command = ["sh", "-c", script].map(str::to_owned).to_vec();
    let stream = machine.connect(pod, Connect::Exec { command, stdin: false, tty: false });
    machine.advance(Duration::from_millis(100));
    machine.take(stream).0
}

fn config_map(machine: &mut Machine, text: &str) {
    machine.create::<ConfigMap>(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "cfg", "namespace": "default"},
        "data": {"greeting": text},
    }));
}

fn server(mounts: Value, volumes: Value) -> Value {
    json!({
        "containers": [{
            "name": "c", "image": "kim0lil/80700:v-1.0.0", "volumeMounts": mounts,
        }],
        "volumes": volumes,
    })
}

#[test]
fn a_config_map_is_files_that_follow_it() {
    let mut machine = Machine::new();
    config_map(&mut machine, "hello");
    let mounts = json!([
        {"name": "v", "mountPath": "/etc/cfg"},
        {"name": "v", "mountPath": "/one", "subPath": "greeting"},
    ]);
    let volumes = json!([{"name": "v", "configMap": {"name": "cfg"}}]);
    machine.pod("p", server(mounts, volumes));
    machine.seconds(12);
    assert_eq!(exec(&mut machine, "p", "read x < /etc/cfg/greeting; echo $x"), "hello\n");
    let patch = Patch::Merge(json!({"data": {"greeting": "changed"}}));
    machine.request(ConfigMap::kind(), "cfg", Op::Patch(patch)).unwrap();
    machine.seconds(95);
    assert_eq!(exec(&mut machine, "p", "read x < /etc/cfg/greeting; echo $x"), "changed\n");
    assert_eq!(exec(&mut machine, "p", "read x < /one; echo $x"), "hello\n");
    let denied = exec(&mut machine, "p", "echo x > /etc/cfg/greeting");
    assert!(denied.contains("Read-only file system"), "{denied}");
}

#[test]
fn a_pod_waits_for_its_volumes() {
    let mut machine = Machine::new();
    let volumes = json!([{"name": "v", "configMap": {"name": "cfg"}}]);
    machine.pod("p", server(json!([{"name": "v", "mountPath": "/v"}]), volumes));
    machine.seconds(5);
    let status = machine.status("p");
    assert_eq!(status["containerStatuses"][0]["state"]["waiting"]["reason"], "ContainerCreating");
    let why = "MountVolume.SetUp failed for volume \"v\" : configmap \"cfg\" not found";
    let failed = ("FailedMount".to_owned(), why.to_owned());
    assert!(machine.events("p").contains(&failed), "{:#?}", machine.events("p"));
    config_map(&mut machine, "hello");
    machine.seconds(25);
    assert_eq!(machine.status("p")["phase"], "Running");
}

#[test]
fn containers_of_a_pod_share_an_empty_dir() {
    let mut machine = Machine::new();
    let mount = json!([{"name": "v", "mountPath": "/v"}]);
    let spec = json!({
        "restartPolicy": "Never",
        "initContainers": [{
            "name": "writer", "image": "busybox", "volumeMounts": mount,
            "command": ["sh", "-c", "echo from init > /v/a"],
        }],
        "containers": [{
            "name": "reader", "image": "busybox", "volumeMounts": mount,
            "command": ["sh", "-c", "read line < /v/a; echo $line"],
        }],
        "volumes": [{"name": "v", "emptyDir": {}}],
    });
    machine.pod("p", spec);
    machine.seconds(12);
    assert_eq!(machine.logs("p", LogOptions::default()).0, "from init\n");
}

#[test]
fn a_host_path_outlives_its_pod_and_checks_its_type() {
    let mut machine = Machine::new();
    let mounts = json!([{"name": "v", "mountPath": "/v"}]);
    let volume = |kind: &str| json!([{"name": "v", "hostPath": {"path": "/data", "type": kind}}]);
    machine.pod("early", server(mounts.clone(), volume("Directory")));
    machine.pod("a", server(mounts.clone(), volume("DirectoryOrCreate")));
    machine.seconds(12);
    exec(&mut machine, "a", "echo kept > /v/f");
    machine.delete("a");
    machine.seconds(40);
    machine.pod("b", server(mounts, volume("")));
    machine.seconds(5);
    assert_eq!(exec(&mut machine, "b", "read x < /v/f; echo $x"), "kept\n");
    let why = "MountVolume.SetUp failed for volume \"v\" : hostPath type check failed: /data is \
               not a directory";
    assert!(machine.events("early").iter().any(|(_, message)| message == why));
}

#[test]
fn fields_of_the_pod_and_a_token() {
    let mut machine = Machine::new();
    let mounts = json!([{"name": "v", "mountPath": "/v"}]);
    let volumes = json!([{"name": "v", "projected": {"sources": [
        {"downwardAPI": {"items": [
            {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}},
        ]}},
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
    ]}}]);
    machine.pod("p", server(mounts, volumes));
    machine.seconds(12);
    assert_eq!(exec(&mut machine, "p", "read x < /v/name; echo $x"), "p\n");
    let token = exec(&mut machine, "p", "read x < /v/token; echo $x");
    assert_eq!(token.trim().split('.').count(), 3, "{token}");
}

/// What was read of ConfigMaps from now on, while a time passes.
fn reads(machine: &mut Machine, seconds: u64) -> usize {
    let after = machine.api.causes().last();
    machine.seconds(seconds);
    let causes = machine.api.causes();
    let read = |cause: &&naru_sim::Cause| {
        cause.verb == "get"
            && cause.subject.starts_with("configmaps/")
            && &*cause.actor == "kubelet"
    };
    causes.after(after).filter(read).count()
}

#[test]
fn a_pod_at_rest_is_looked_at_without_a_request_until_something_changes() {
    let mut machine = Machine::new();
    config_map(&mut machine, "hello");
    let mounts = json!([{"name": "v", "mountPath": "/etc/cfg"}]);
    let volumes = json!([
        {"name": "v", "configMap": {"name": "cfg"}},
        {"name": "t", "projected": {"sources": [
            {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
            {"configMap": {"name": "kube-root-ca.crt"}},
        ]}},
    ]);
    machine.pod("p", server(mounts, volumes));
    // It is read for the first time, and again for what its own status has made of the pod.
    machine.seconds(300);
    assert_eq!(reads(&mut machine, 1_800), 0);
    let patch = Patch::Merge(json!({"data": {"greeting": "changed"}}));
    machine.request(ConfigMap::kind(), "cfg", Op::Patch(patch)).unwrap();
    assert!(reads(&mut machine, 95) > 0);
    assert_eq!(exec(&mut machine, "p", "read x < /etc/cfg/greeting; echo $x"), "changed\n");
    machine.seconds(200);
    assert_eq!(reads(&mut machine, 200), 0);
    // The token is renewed when four fifths of its time are over.
    assert!(reads(&mut machine, 600) > 0);
    machine.seconds(200);
    let patch = Patch::Merge(json!({"metadata": {"labels": {"new": "label"}}}));
    let pod = k8s_openapi::api::core::v1::Pod::kind();
    machine.request(pod, "p", Op::Patch(patch)).unwrap();
    assert!(reads(&mut machine, 95) > 0, "fields of the pod may be in its files");
}
