//! Commands that change objects, against the real API server; what nodes and controllers would do
//! is played here.
//!
//! Expected texts: the sources of kubectl v1.33.

#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use naru_api::k8s_openapi::api::core::v1::Pod;
use naru_api::request::Body;
use naru_api::{ApiService, Kube, Op, Request, Response, UserInfo};
use serde_json::{Value, json};
use support::Machine;

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: app
        image: nginx:1.26
";

/// Sets the status of a pod as its kubelet would, and the node as the scheduler would.
fn set_pod(machine: &mut Machine, name: &str, node: &str, status: Value) {
    let request = |op, subresource| Request {
        namespace: "default".to_owned(),
        name: name.to_owned(),
        subresource,
        ..Request::new(
            UserInfo::new("system:admin", &["system:masters"]),
            "test".into(),
            Pod::kind(),
            op,
        )
    };
    if !node.is_empty() {
        let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node}});
        let op = Op::Create(Body::Json(binding));
        machine.api().handle(request(op, "binding")).unwrap();
    }
    let Response::Object(pod) = machine.api().handle(request(Op::Get, "")).unwrap() else {
        panic!()
    };
    let mut pod = pod.to_json().unwrap();
    pod["status"] = status;
    machine.api().handle(request(Op::Update(Body::Json(pod)), "status")).unwrap();
}

fn running() -> Value {
    json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})
}

#[test]
fn applies_and_keeps_what_others_set() {
    let mut machine = Machine::new();
    machine.write("/root/web.yml", DEPLOYMENT);
    assert_eq!(machine.ok("kubectl apply -f web.yml"), "deployment.apps/web created\n");
    assert_eq!(machine.ok("kubectl apply -f web.yml"), "deployment.apps/web unchanged\n");
    machine.ok("kubectl annotate deploy web note=mine");
    machine.write("/root/web.yml", &DEPLOYMENT.replace("1.26", "1.27"));
    assert_eq!(machine.ok("kubectl apply -f web.yml"), "deployment.apps/web configured\n");
    let path = "'{.spec.template.spec.containers[*].image} {.metadata.annotations.note}'";
    assert_eq!(
        machine.ok(&format!("kubectl get deploy web -o jsonpath={path}")),
        "nginx:1.27 mine"
    );
    machine.write("/root/web.yml", &DEPLOYMENT.replace("  replicas: 2\n", ""));
    machine.ok("kubectl apply -f web.yml");
    assert_eq!(machine.ok("kubectl get deploy web -o jsonpath={.spec.replicas}"), "1");
    machine.ok("kubectl create deployment plain --image=nginx");
    machine.write("/root/plain.yml", &DEPLOYMENT.replace("web", "plain"));
    let output = machine.run("kubectl apply -f plain.yml");
    assert!(
        output.stderr.starts_with(
            "Warning: resource deployments/plain is missing the \
             kubectl.kubernetes.io/last-applied-configuration annotation which is required by \
             kubectl apply."
        ),
        "{}",
        output.stderr
    );
}

#[test]
fn changes_one_thing() {
    let mut machine = Machine::new();
    machine.write("/root/web.yml", DEPLOYMENT);
    machine.ok("kubectl create -f web.yml");
    for (line, expected) in [
        ("kubectl label deploy web tier=front", "deployment.apps/web labeled\n"),
        ("kubectl label deploy web tier=front", "deployment.apps/web not labeled\n"),
        ("kubectl label deploy web tier-", "deployment.apps/web unlabeled\n"),
        (
            "kubectl label deploy web tier-",
            "label \"tier\" not found.\ndeployment.apps/web not labeled\n",
        ),
        ("kubectl annotate deploy web a=b", "deployment.apps/web annotated\n"),
        ("kubectl scale deploy web --replicas=5", "deployment.apps/web scaled\n"),
        ("kubectl set image deploy/web app=nginx:1.27", "deployment.apps/web image updated\n"),
        ("kubectl set image deploy/web app=nginx:1.27", ""),
        (
            "kubectl patch deploy web -p '{\"spec\":{\"paused\":true}}'",
            "deployment.apps/web patched\n",
        ),
        ("kubectl rollout resume deploy/web", "deployment.apps/web resumed\n"),
        ("kubectl rollout restart deploy/web", "deployment.apps/web restarted\n"),
        ("kubectl expose deploy web --port=80", "service/web exposed\n"),
        ("kubectl create ns team-a", "namespace/team-a created\n"),
        ("kubectl create cm c --from-literal=a=b -n team-a", "configmap/c created\n"),
        ("kubectl get cm c -n team-a -o jsonpath={.data.a}", "b"),
        ("kubectl get deploy web -o jsonpath={.spec.replicas}", "5"),
        (
            "kubectl delete deploy/web svc/web",
            "deployment.apps \"web\" deleted\nservice \"web\" deleted\n",
        ),
    ] {
        assert_eq!(machine.ok(line), expected, "{line}");
    }
    assert_eq!(
        machine.fails("kubectl create ns team-a"),
        "Error from server (AlreadyExists): namespaces \"team-a\" already exists\n"
    );
    assert_eq!(
        machine.fails("kubectl create cm c --from-literal=a=b -n team-a"),
        "error: failed to create configmap: configmaps \"c\" already exists\n"
    );
}

#[test]
fn an_invalid_object_is_explained() {
    let mut machine = Machine::new();
    machine.write(
        "/root/bad.yml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: c}]}\n",
    );
    assert_eq!(
        machine.fails("kubectl create -f bad.yml"),
        "The Pod \"x\" is invalid: spec.containers[0].image: Required value\n"
    );
}

#[test]
fn waits_for_a_deletion_to_be_done() {
    let mut machine = Machine::new();
    machine.ok("kubectl run web --image=nginx");
    set_pod(&mut machine, "web", "worker", running());
    let mut job = machine.start("kubectl delete pod web", None);
    let first = machine.poll(&mut job);
    assert_eq!((first.stdout.as_str(), first.code), ("pod \"web\" deleted\n", None));
    let forced = machine.run("kubectl delete pod web --force --wait=false");
    assert_eq!(forced.stdout, "pod \"web\" force deleted\n");
    assert!(forced.stderr.starts_with("Warning: Immediate deletion does not wait"), "{forced:?}");
    assert_eq!(machine.poll(&mut job).code, Some(0));
}

#[test]
fn waits_for_a_condition() {
    let mut machine = Machine::new();
    machine.ok("kubectl run web --image=nginx");
    let mut job = machine.start("kubectl wait pod/web --for=condition=Ready", None);
    assert_eq!(machine.poll(&mut job).code, None);
    set_pod(&mut machine, "web", "worker", running());
    let done = machine.poll(&mut job);
    assert_eq!((done.stdout.as_str(), done.code), ("pod/web condition met\n", Some(0)));
    machine.ok("kubectl run slow --image=nginx");
    let mut job = machine.start("kubectl wait pod/slow --for=condition=Ready --timeout=5s", None);
    assert_eq!(machine.poll(&mut job).code, None);
    machine.advance(6);
    let late = machine.poll(&mut job);
    assert_eq!(late.stderr, "error: timed out waiting for the condition on pods/slow\n");
    assert_eq!(late.code, Some(1));
}

#[test]
fn reads_logs_and_executes() {
    let mut machine = Machine::new();
    machine.ok("kubectl run web --image=nginx");
    set_pod(&mut machine, "web", "worker", running());
    let mut job = machine.start("kubectl logs -f --prefix web", None);
    assert_eq!(machine.poll(&mut job).code, None);
    let (id, _) = machine.streams().accept("worker").remove(0);
    machine.streams().stream(id).unwrap().stdout.extend(b"one\ntw");
    assert_eq!(machine.poll(&mut job).stdout, "[pod/web/web] one\n");
    let stream = machine.streams().stream(id).unwrap();
    stream.stdout.extend(b"o\n");
    stream.result = Some(Ok(0));
    let last = machine.poll(&mut job);
    assert_eq!((last.stdout.as_str(), last.code), ("[pod/web/web] two\n", Some(0)));

    let mut job = machine.start("kubectl exec -i web -- cat", Some("hello\n"));
    machine.poll(&mut job);
    let (id, request) = machine.streams().accept("worker").remove(0);
    assert_eq!(request.container, "web");
    let stream = machine.streams().stream(id).unwrap();
    let input: Vec<u8> = stream.stdin.drain(..).collect();
    assert_eq!(input, b"hello\n");
    stream.stdout.extend(input);
    stream.stderr.extend(b"oops\n");
    stream.result = Some(Ok(3));
    let ended = machine.poll(&mut job);
    assert_eq!(ended.stdout, "hello\n");
    assert_eq!(ended.stderr, "oops\ncommand terminated with exit code 3\n");
    assert_eq!(ended.code, Some(3));
}

#[test]
fn runs_in_the_foreground_and_removes() {
    let mut machine = Machine::new();
    let line = "kubectl run tmp --image=curl --restart=Never --rm -i -- curl -s http://web";
    let mut job = machine.start(line, Some(""));
    assert_eq!(machine.poll(&mut job).code, None);
    set_pod(&mut machine, "tmp", "worker", running());
    let attached = machine.poll(&mut job);
    assert_eq!(attached.stderr, "If you don't see a command prompt, try pressing enter.\n");
    let (id, _) = machine.streams().accept("worker").remove(0);
    let stream = machine.streams().stream(id).unwrap();
    stream.stdout.extend(b"hi\n");
    stream.result = Some(Ok(0));
    let printed = machine.poll(&mut job);
    assert_eq!((printed.stdout.as_str(), printed.code), ("hi\n", None));
    set_pod(
        &mut machine,
        "tmp",
        "",
        json!({"phase": "Failed", "containerStatuses": [
        {"name": "tmp", "image": "curl", "imageID": "", "ready": false, "restartCount": 0,
         "state": {"terminated": {"exitCode": 6, "reason": "Error"}}}]}),
    );
    let ended = machine.poll(&mut job);
    assert_eq!(ended.stdout, "pod \"tmp\" deleted\n");
    assert_eq!(ended.stderr, "pod default/tmp terminated (Error)\n");
    assert_eq!(ended.code, Some(6));
}

#[test]
fn works_in_the_namespace_of_the_context() {
    let mut machine = Machine::new();
    machine.fs().mkdir_all("/root/.kube").unwrap();
    machine.write(
        "/root/.kube/config",
        "apiVersion: v1\nkind: Config\ncurrent-context: kind\ncontexts:\n- name: kind\n  context: \
         {cluster: kind, user: admin}\nclusters: [{name: kind, cluster: {server: \"https://kind\"}}]\nusers: [{name: admin, user: {token: admin}}]\n",
    );
    assert_eq!(
        machine.ok("kubectl config set-context --current --namespace=kube-public"),
        "Context \"kind\" modified.\n"
    );
    machine.ok("kubectl run web --image=nginx");
    assert_eq!(machine.ok("kubectl get pods -A -o jsonpath={..metadata.namespace}"), "kube-public");
    assert_eq!(
        machine.ok("kubectl config get-contexts"),
        "CURRENT   NAME   CLUSTER   AUTHINFO   NAMESPACE\n*         kind   kind      admin      \
         kube-public\n"
    );
}
