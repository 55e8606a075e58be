//! Subresources: evictions, scales, debugging containers, resizes, bindings.

use super::{Client, labelled_pod, pod};
use naru_api::k8s_openapi::api::apps::v1::ReplicaSet;
use naru_api::k8s_openapi::api::autoscaling::v1::Scale;
use naru_api::k8s_openapi::api::core::v1::{Binding, ConfigMap, Namespace, Pod};
use naru_api::k8s_openapi::api::policy::v1::PodDisruptionBudget;
use naru_api::request::{Body, Patch};
use naru_api::{ApiError, ApiService, Kube, Object, Op, Request};
use serde_json::{Value, json};

fn on(client: &Client, name: &str, subresource: &'static str, op: Op) -> Request {
    Request { subresource, ..client.request(Pod::kind(), name, op) }
}

fn evict(client: &mut Client, name: &str, options: Value) -> Result<(), ApiError> {
    let body = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name},
        "deleteOptions": options});
    let request = on(client, name, "eviction", Op::Create(Body::Json(body)));
    client.done(request)
}

fn set_status<K: Kube>(client: &mut Client, name: &str, status: Value) {
    let patch = Op::Patch(Patch::Merge(json!({ "status": status })));
    let request = client.request(K::kind(), name, patch);
    client.send(Request { subresource: "status", ..request }).unwrap();
}

fn runs(client: &mut Client, name: &str, ready: &str) {
    client.create::<Pod>(labelled_pod(name, "web")).unwrap();
    client.bind(name, "worker").unwrap();
    let status = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]});
    set_status::<Pod>(client, name, status);
}

fn budget(client: &mut Client, name: &str, status: Value) {
    let body = json!({"metadata": {"name": name}, "spec":
        {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}});
    client.create::<PodDisruptionBudget>(body).unwrap();
    set_status::<PodDisruptionBudget>(client, name, status);
}

#[test]
fn a_budget_holds_evictions_back() {
    let mut client = Client::new();
    runs(&mut client, "a", "True");
    runs(&mut client, "b", "True");
    budget(
        &mut client,
        "web",
        json!({"observedGeneration": 1, "disruptionsAllowed": 1, "currentHealthy": 2,
            "desiredHealthy": 1, "expectedPods": 2}),
    );
    evict(&mut client, "a", json!({"gracePeriodSeconds": 5})).unwrap();
    let gone = client.get::<Pod>("a").unwrap();
    assert_eq!(gone.meta().deletion_grace_period_seconds, Some(5));
    let target = naru_api::pods::condition(gone.get().unwrap(), "DisruptionTarget").unwrap();
    assert_eq!(target.reason.as_deref(), Some("EvictionByEvictionAPI"));
    let error = evict(&mut client, "b", json!(null)).unwrap_err();
    assert_eq!((error.code(), error.reason()), (429, "TooManyRequests"));
    assert_eq!(
        error.message(),
        "Cannot evict pod as it would violate the pod's disruption budget."
    );
    let details = error.status().details.clone().unwrap();
    let cause = &details.causes.unwrap()[0];
    assert_eq!(cause.reason.as_deref(), Some("DisruptionBudget"));
    assert_eq!(
        cause.message.as_deref(),
        Some("The disruption budget web needs 1 healthy pods and has 2 currently")
    );
    let budget = client.get::<PodDisruptionBudget>("web").unwrap();
    let status = budget.get::<PodDisruptionBudget>().unwrap().status.clone().unwrap();
    assert_eq!(status.disruptions_allowed, 0);
    assert!(status.disrupted_pods.unwrap().contains_key("a"));
    assert_eq!(status.conditions.unwrap()[0].reason, "InsufficientPods");
}

#[test]
fn a_budget_that_is_not_counted_yet_asks_to_come_again() {
    let mut client = Client::new();
    runs(&mut client, "a", "True");
    budget(
        &mut client,
        "web",
        json!({"disruptionsAllowed": 0, "currentHealthy": 0,
        "desiredHealthy": 0, "expectedPods": 0}),
    );
    let error = evict(&mut client, "a", json!(null)).unwrap_err();
    let details = error.status().details.clone().unwrap();
    assert_eq!(details.retry_after_seconds, Some(10));
    assert_eq!(
        details.causes.unwrap()[0].message.as_deref(),
        Some("The disruption budget web is still being processed by the server.")
    );
}

#[test]
fn evictions_without_a_budget_or_in_spite_of_one() {
    let mut client = Client::new();
    client.create::<Pod>(labelled_pod("pending", "web")).unwrap();
    runs(&mut client, "unready", "False");
    runs(&mut client, "ready", "True");
    budget(
        &mut client,
        "web",
        json!({"observedGeneration": 1, "disruptionsAllowed": 0,
        "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 2}),
    );
    // A pod that has not begun serves nobody, and this budget is kept without the unready one.
    evict(&mut client, "pending", json!(null)).unwrap();
    assert!(client.get::<Pod>("pending").unwrap_err().is_not_found());
    evict(&mut client, "unready", json!(null)).unwrap();
    assert!(evict(&mut client, "ready", json!(null)).is_err());
    budget(
        &mut client,
        "second",
        json!({"observedGeneration": 1, "disruptionsAllowed": 1,
        "currentHealthy": 1, "desiredHealthy": 0, "expectedPods": 2}),
    );
    let error = evict(&mut client, "ready", json!(null)).unwrap_err();
    let why = "This pod has more than one PodDisruptionBudget, which the eviction subresource \
               does not support.";
    assert_eq!((error.code(), error.message()), (500, why));
}

#[test]
fn an_eviction_must_fit() {
    let mut client = Client::new();
    client.create::<Pod>(pod("a")).unwrap();
    let error = evict(&mut client, "a", json!({"preconditions": {"uid": "x"}})).unwrap_err();
    let start = "Operation cannot be fulfilled on Pod \"a\": the UID in the precondition (x) does";
    assert!(error.message().starts_with(start), "{}", error.message());
    let body = json!({"metadata": {"name": "b"}});
    let request = on(&client, "a", "eviction", Op::Create(Body::Json(body)));
    let error = client.done(request).unwrap_err();
    assert_eq!(error.message(), "name in URL does not match name in Eviction object");
    assert_eq!(evict(&mut client, "c", json!(null)).unwrap_err().message(), "pods \"c\" not found");
    evict(&mut client, "a", json!({"dryRun": ["All"]})).unwrap();
    assert!(client.get::<Pod>("a").is_ok());
}

fn scale(client: &mut Client, op: Op) -> Result<Object, ApiError> {
    let request = client.request(ReplicaSet::kind(), "web", op);
    client.send(Request { subresource: "scale", ..request })
}

#[test]
fn a_scale_is_read_and_written() {
    let mut client = Client::new();
    let missing = scale(&mut client, Op::Get).unwrap_err();
    assert_eq!(missing.message(), "replicasets/scale.apps \"web\" not found");
    let body = json!({"metadata": {"name": "web"}, "spec": {"replicas": 2,
        "selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "a", "image": "b"}]}}}});
    client.create::<ReplicaSet>(body).unwrap();
    let read = scale(&mut client, Op::Get).unwrap();
    let json = read.to_json().unwrap();
    assert_eq!(json["spec"], json!({"replicas": 2}));
    assert_eq!(json["status"], json!({"replicas": 0, "selector": "app=web"}));
    let patched = scale(&mut client, Op::Patch(Patch::Merge(json!({"spec": {"replicas": 5}}))));
    assert_eq!(patched.unwrap().get::<Scale>().unwrap().spec.as_ref().unwrap().replicas, Some(5));
    let set = client.get::<ReplicaSet>("web").unwrap();
    assert_eq!(set.meta().generation, Some(2));
    let stale = scale(&mut client, Op::Update(Body::Object(read))).unwrap_err();
    assert_eq!(stale.code(), 409);
    let error = scale(&mut client, Op::Patch(Patch::Merge(json!({"spec": {"replicas": -1}}))));
    assert_eq!(
        error.unwrap_err().message(),
        "Scale.autoscaling \"web\" is invalid: spec.replicas: Invalid value: -1: must be greater \
         than or equal to 0"
    );
}

#[test]
fn a_debugging_container_comes_to_a_pod() {
    let mut client = Client::new();
    client.create::<Pod>(pod("a")).unwrap();
    let add = json!({"spec": {"ephemeralContainers": [
        {"name": "debug", "image": "busybox", "targetContainerName": "main"}]}});
    let op = Op::Patch(Patch::Strategic(add));
    let request = on(&client, "a", "ephemeralcontainers", op);
    let changed = client.send(request).unwrap();
    let spec = changed.get::<Pod>().unwrap().spec.clone().unwrap();
    let added = &spec.ephemeral_containers.as_ref().unwrap()[0];
    assert_eq!(added.image_pull_policy.as_deref(), Some("Always"));
    let wrong = json!({"spec": {"ephemeralContainers": [{"name": "main", "image": "busybox",
        "targetContainerName": "x", "ports": [{"containerPort": 1}]}]}});
    let request = on(&client, "a", "ephemeralcontainers", Op::Patch(Patch::Strategic(wrong)));
    assert_eq!(
        client.send(request).unwrap_err().message(),
        "Pod \"a\" is invalid: [spec.ephemeralContainers[0].name: Duplicate value: \"main\", \
         spec.ephemeralContainers[0].targetContainerName: Not found: \"x\", \
         spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container]"
    );
    let mut body = pod("b");
    body["spec"]["ephemeralContainers"] = json!([{"name": "debug", "image": "busybox"}]);
    let error = client.create::<Pod>(body).unwrap_err();
    assert!(
        error.message().ends_with("spec.ephemeralContainers: Forbidden: cannot be set on create")
    );
}

#[test]
fn the_old_resource_binds_too() {
    let mut client = Client::new();
    client.create::<Pod>(pod("a")).unwrap();
    let body = json!({"metadata": {"name": "a"}, "target": {"kind": "Node", "name": "worker"}});
    let request = client.request(Binding::kind(), "", Op::Create(Body::Json(body)));
    client.done(request).unwrap();
    let bound = client.get::<Pod>("a").unwrap();
    assert_eq!(naru_api::pods::node_name(bound.get().unwrap()), "worker");
}

#[test]
fn what_is_not_there_is_told_apart_from_what_is_not_allowed() {
    let mut client = Client::new();
    client.create::<Pod>(pod("a")).unwrap();
    client.create::<ConfigMap>(json!({"metadata": {"name": "c"}})).unwrap();
    let table = [
        (on(&client, "a", "binding", Op::Get), 405),
        (on(&client, "a", "scale", Op::Get), 404),
        (on(&client, "a", "status", Op::Get), 200),
        (on(&client, "a", "log", Op::Update(Body::Json(json!({})))), 405),
        (Request { subresource: "status", ..client.request(ConfigMap::kind(), "c", Op::Get) }, 404),
        (
            Request {
                subresource: "finalize",
                ..client.request(Namespace::kind(), "default", Op::Get)
            },
            405,
        ),
        (client.request(Binding::kind(), "a", Op::Get), 405),
    ];
    for (request, code) in table {
        let what = format!("{:?}/{} {}", request.kind, request.subresource, request.op.verb());
        let answer = client.server.handle(request).map_or_else(|error| error.code(), |_| 200);
        assert_eq!(answer, code, "{what}");
    }
}
