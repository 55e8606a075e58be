//! Admission, from outside.

use super::{Client, pod};
use naru_api::k8s_openapi::api::apps::v1::ReplicaSet;
use naru_api::k8s_openapi::api::coordination::v1::Lease;
use naru_api::k8s_openapi::api::core::v1::{
    ConfigMap, LimitRange, Namespace, Node, PersistentVolumeClaim, Pod, ResourceQuota,
    ServiceAccount,
};
use naru_api::k8s_openapi::api::node::v1::RuntimeClass;
use naru_api::k8s_openapi::api::scheduling::v1::PriorityClass;
use naru_api::k8s_openapi::api::storage::v1::StorageClass;
use naru_api::request::{Body, DeleteOptions, Patch};
use naru_api::{ApiError, ApiService, Kube, Object, Op, Request, UserInfo};
use serde_json::{Value, json};

fn spec(object: &Object) -> Value {
    object.to_json().unwrap()["spec"].clone()
}

fn refused<K: Kube>(client: &mut Client, body: Value, why: &str) {
    let error = client.create::<K>(body).unwrap_err();
    assert_eq!((error.code(), error.message()), (403, why));
}

fn label_namespace(client: &mut Client, labels: Value) -> Result<Object, ApiError> {
    client.patch::<Namespace>("default", Patch::Merge(json!({"metadata": {"labels": labels}})))
}

#[test]
fn every_pod_gets_its_token() {
    let mut client = Client::new();
    let made = spec(&client.create::<Pod>(pod("a")).unwrap());
    assert_eq!(made["serviceAccountName"], "default");
    let mount = &made["containers"][0]["volumeMounts"][0];
    assert_eq!(mount["mountPath"], "/var/run/secrets/kubernetes.io/serviceaccount");
    assert_eq!(mount["readOnly"], true);
    let volume = &made["volumes"][0];
    assert_eq!(mount["name"], volume["name"]);
    assert!(volume["name"].as_str().unwrap().starts_with("kube-api-access-"));
    assert_eq!(
        volume["projected"],
        json!({"defaultMode": 420, "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt",
                "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace",
                "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}}]})
    );
    let mut body = pod("b");
    body["spec"]["automountServiceAccountToken"] = json!(false);
    assert_eq!(spec(&client.create::<Pod>(body).unwrap())["volumes"], Value::Null);
}

#[test]
fn an_account_decides_for_its_pods() {
    let mut client = Client::new();
    let mut body = pod("a");
    body["spec"]["serviceAccountName"] = json!("robot");
    let why = "pods \"a\" is forbidden: error looking up service account default/robot: \
               serviceaccount \"robot\" not found";
    refused::<Pod>(&mut client, body.clone(), why);
    let mut generated = body.clone();
    generated["metadata"] = json!({"generateName": "a-"});
    refused::<Pod>(&mut client, generated, &why.replace("\"a\"", "\"a-\""));
    let account = json!({"metadata": {"name": "robot",
        "annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}},
        "automountServiceAccountToken": false, "imagePullSecrets": [{"name": "pull"}]});
    client.create::<ServiceAccount>(account).unwrap();
    let made = spec(&client.create::<Pod>(body.clone()).unwrap());
    assert_eq!(made["imagePullSecrets"], json!([{"name": "pull"}]));
    assert_eq!(made["volumes"], Value::Null);
    body["metadata"]["name"] = json!("b");
    body["spec"]["containers"][0]["env"] =
        json!([{"name": "E", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]);
    let why = "pods \"b\" is forbidden: container main with envVar E referencing \
               secret.secretName=\"s\" is not allowed because service account robot does not \
               reference that secret";
    refused::<Pod>(&mut client, body, why);
}

#[test]
fn a_priority_class_is_a_number() {
    let mut client = Client::new();
    let class = |name: &str, value: i32, default: bool| {
        json!({"metadata": {"name": name}, "value": value, "globalDefault": default,
            "preemptionPolicy": "Never"})
    };
    let system = client.get::<PriorityClass>("system-node-critical").unwrap();
    assert_eq!(system.get::<PriorityClass>().unwrap().value, 2_000_001_000);
    client.create::<PriorityClass>(class("high", 1000, false)).unwrap();
    let mut body = pod("a");
    body["spec"]["priorityClassName"] = json!("high");
    let made = spec(&client.create::<Pod>(body.clone()).unwrap());
    assert_eq!((&made["priority"], &made["preemptionPolicy"]), (&json!(1000), &json!("Never")));
    body["spec"]["priority"] = json!(5);
    let why = "pods \"a\" is forbidden: the integer value of priority (5) must not be provided in \
               pod spec; priority admission controller computed 1000 from the given PriorityClass \
               name";
    refused::<Pod>(&mut client, body, why);
    let mut body = pod("b");
    body["spec"]["priorityClassName"] = json!("none");
    let why = "pods \"b\" is forbidden: no PriorityClass with name none was found";
    refused::<Pod>(&mut client, body, why);
    client.create::<PriorityClass>(class("usual", 7, true)).unwrap();
    let made = spec(&client.create::<Pod>(pod("c")).unwrap());
    assert_eq!((&made["priority"], &made["priorityClassName"]), (&json!(7), &json!("usual")));
    let why = "priorityclasses.scheduling.k8s.io \"second\" is forbidden: PriorityClass usual is \
               already marked as default. Only one default can exist";
    refused::<PriorityClass>(&mut client, class("second", 8, true), why);
}

#[test]
fn a_limit_range_fills_in_and_refuses() {
    let mut client = Client::new();
    let range = json!({"metadata": {"name": "l"}, "spec": {"limits": [
        {"type": "Container", "max": {"memory": "1Gi"}, "default": {"memory": "512Mi"}}]}});
    client.create::<LimitRange>(range).unwrap();
    let made = client.create::<Pod>(pod("a")).unwrap();
    let resources = &spec(&made)["containers"][0]["resources"];
    assert_eq!(resources["limits"], json!({"memory": "512Mi"}));
    assert_eq!(
        made.meta().annotations.as_ref().unwrap()["kubernetes.io/limit-ranger"],
        "LimitRanger plugin set: memory request for container main; memory limit for container main"
    );
    let mut body = pod("b");
    body["spec"]["containers"][0]["resources"] = json!({"limits": {"memory": "2Gi"}});
    let why =
        "pods \"b\" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi";
    refused::<Pod>(&mut client, body.clone(), why);
    body["spec"]["containers"][0]["resources"]["requests"] = json!({"memory": "1536Mi"});
    refused::<Pod>(&mut client, body, why);
}

fn quota(client: &mut Client, hard: Value, used: Value) {
    let body = json!({"metadata": {"name": "q"}, "spec": {"hard": hard}});
    client.create::<ResourceQuota>(body).unwrap();
    let status = Patch::Merge(json!({"status": {"hard": hard, "used": used}}));
    let request = client.request(ResourceQuota::kind(), "q", Op::Patch(status));
    client.send(Request { subresource: "status", ..request }).unwrap();
}

fn used(client: &mut Client) -> Value {
    client.get::<ResourceQuota>("q").unwrap().to_json().unwrap()["status"]["used"].clone()
}

#[test]
fn a_quota_is_charged_and_then_refuses() {
    let mut client = Client::new();
    let hard = json!({"pods": "2", "count/configmaps": "1", "limits.cpu": "1"});
    quota(&mut client, hard, json!({"pods": "0", "count/configmaps": "0", "limits.cpu": "0"}));
    let why = "pods \"a\" is forbidden: failed quota: q: must specify limits.cpu for: main";
    refused::<Pod>(&mut client, pod("a"), why);
    let with = |name: &str, cpu: &str| {
        let mut body = pod(name);
        body["spec"]["containers"][0]["resources"] = json!({"limits": {"cpu": cpu}});
        body
    };
    client.create::<Pod>(with("a", "600m")).unwrap();
    let charged = json!({"pods": "1", "count/configmaps": "0", "limits.cpu": "600m"});
    assert_eq!(used(&mut client), charged);
    let why = "pods \"b\" is forbidden: exceeded quota: q, requested: limits.cpu=500m, used: \
               limits.cpu=600m, limited: limits.cpu=1";
    refused::<Pod>(&mut client, with("b", "500m"), why);
    // Neither a name that is taken nor a dry run uses anything up.
    assert_eq!(client.create::<Pod>(with("a", "100m")).unwrap_err().code(), 409);
    let op = Op::Create(Body::Json(with("c", "100m")));
    let request = client.request(Pod::kind(), "", op);
    client.send(Request { dry_run: true, ..request }).unwrap();
    assert_eq!(used(&mut client), charged);
    client.create::<ConfigMap>(json!({"metadata": {"name": "c"}})).unwrap();
    let why = "configmaps \"d\" is forbidden: exceeded quota: q, requested: count/configmaps=1, \
               used: count/configmaps=1, limited: count/configmaps=1";
    refused::<ConfigMap>(&mut client, json!({"metadata": {"name": "d"}}), why);
}

#[test]
fn a_quota_that_nobody_counted_yet_refuses() {
    let mut client = Client::new();
    quota(&mut client, json!({"pods": "2"}), json!({}));
    let why = "pods \"a\" is forbidden: status unknown for quota: q, resources: pods";
    refused::<Pod>(&mut client, pod("a"), why);
}

#[test]
fn pods_keep_the_rules_of_their_namespace() {
    let mut client = Client::new();
    let mut bad = pod("a");
    bad["spec"]["hostNetwork"] = json!(true);
    client.create::<Pod>(bad.clone()).unwrap();
    label_namespace(&mut client, json!({"pod-security.kubernetes.io/enforce": "baseline"}))
        .unwrap();
    assert_eq!(
        client.server.take_warnings(),
        [
            "existing pods in namespace \"default\" violate the new PodSecurity enforce level \
             \"baseline:latest\"",
            "a: host namespaces",
        ]
    );
    bad["metadata"]["name"] = json!("b");
    let why = "pods \"b\" is forbidden: violates PodSecurity \"baseline:latest\": host namespaces \
               (hostNetwork=true)";
    refused::<Pod>(&mut client, bad, why);
    let set = json!({"metadata": {"name": "web"}, "spec": {
        "selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"hostPID": true, "containers": [{"name": "a", "image": "b"}]}}}});
    client.create::<ReplicaSet>(set).unwrap();
    let warning = "would violate PodSecurity \"baseline:latest\": host namespaces (hostPID=true)";
    assert_eq!(client.server.take_warnings(), [warning]);
    let error = label_namespace(&mut client, json!({"pod-security.kubernetes.io/warn": "all"}));
    assert_eq!(
        error.unwrap_err().message(),
        "Namespace \"default\" is invalid: metadata.labels[pod-security.kubernetes.io/warn]: \
         Invalid value: \"all\": must be one of privileged, baseline, restricted"
    );
}

#[test]
fn classes_are_resolved() {
    let mut client = Client::new();
    let class = json!({"metadata": {"name": "fast",
        "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "example.com/disk"});
    client.create::<StorageClass>(class).unwrap();
    let claim = json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}}}});
    let made = client.create::<PersistentVolumeClaim>(claim).unwrap();
    assert_eq!(spec(&made)["storageClassName"], "fast");
    let finalizers = made.meta().finalizers.clone().unwrap();
    assert_eq!(finalizers, ["kubernetes.io/pvc-protection"]);
    let grow = json!({"spec": {"resources": {"requests": {"storage": "2Gi"}}}});
    let error = client.patch::<PersistentVolumeClaim>("data", Patch::Merge(grow)).unwrap_err();
    assert!(error.message().contains("spec: Forbidden") || error.code() == 403, "{error}");

    let mut body = pod("a");
    body["spec"]["runtimeClassName"] = json!("gvisor");
    let why = "pods \"a\" is forbidden: pod rejected: RuntimeClass \"gvisor\" not found";
    refused::<Pod>(&mut client, body.clone(), why);
    let class = json!({"metadata": {"name": "gvisor"}, "handler": "runsc",
        "overhead": {"podFixed": {"cpu": "250m"}},
        "scheduling": {"nodeSelector": {"runtime": "gvisor"}}});
    client.create::<RuntimeClass>(class).unwrap();
    let made = spec(&client.create::<Pod>(body).unwrap());
    assert_eq!(made["overhead"], json!({"cpu": "250m"}));
    assert_eq!(made["nodeSelector"], json!({"runtime": "gvisor"}));
}

#[test]
fn a_new_node_is_not_ready() {
    let mut client = Client::new();
    let made = client.create::<Node>(json!({"metadata": {"name": "n"}})).unwrap();
    let taint = json!([{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]);
    assert_eq!(spec(&made)["taints"], taint);
}

#[test]
fn a_kubelet_stays_with_its_own() {
    let mut client = Client::new();
    client.create::<Node>(json!({"metadata": {"name": "mine"}})).unwrap();
    client.create::<Pod>(pod("elsewhere")).unwrap();
    client.bind("elsewhere", "theirs").unwrap();
    let user = UserInfo::new("system:node:mine", &["system:nodes"]);
    let label = |key: &str| Op::Patch(Patch::Merge(json!({"metadata": {"labels": {key: "x"}}})));
    let create = |body: Value| Op::Create(Body::Json(body));
    let lease = json!({"metadata": {"name": "mine"}});
    let table = [
        (client.request(Node::kind(), "theirs", label("a")), "nodes \"theirs\" not found"),
        (
            client.request(Node::kind(), "mine", label("node-role.kubernetes.io/worker")),
            "nodes \"mine\" is forbidden: is not allowed to modify labels: \
             node-role.kubernetes.io/worker",
        ),
        (
            client.request(Pod::kind(), "elsewhere", Op::Delete(DeleteOptions::default())),
            "pods \"elsewhere\" is forbidden: node \"mine\" can only delete pods with \
             spec.nodeName set to itself",
        ),
        (
            client.request(Pod::kind(), "", create(pod("new"))),
            "pods \"new\" is forbidden: pod does not have \"kubernetes.io/config.mirror\" \
             annotation, node \"mine\" can only create mirror pods",
        ),
        (
            client.request(Lease::kind(), "", create(lease)),
            "leases.coordination.k8s.io \"mine\" is forbidden: can only access leases in the \
             \"kube-node-lease\" system namespace",
        ),
    ];
    for (request, why) in table {
        let error = client.send(Request { user: user.clone(), ..request }).unwrap_err();
        assert_eq!(error.message(), why);
    }
    let request = client.request(Node::kind(), "mine", label("a"));
    client.send(Request { user, ..request }).unwrap();
}
