//! Deletions.

use super::{Client, labelled_pod, pod};
use naru_api::k8s_openapi::api::batch::v1::Job;
use naru_api::k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use naru_api::request::{DeleteOptions, ListOptions, Propagation};
use naru_api::{ApiService, Kube, Op, Response};
use naru_sim::Time;
use serde_json::json;

#[test]
fn a_pod_is_created_read_bound_and_deleted() {
    let mut client = Client::new();
    let made = client.create::<Pod>(pod("web")).unwrap();
    assert_eq!(made.namespace(), "default");
    assert_eq!(made.uid().len(), 36);
    assert!(made.revision() > 0);
    assert_eq!(client.get::<Pod>("web").unwrap(), made);
    let again = client.create::<Pod>(pod("web")).unwrap_err();
    assert_eq!(again.message(), "pods \"web\" already exists");
    client.bind("web", "worker").unwrap();
    let bound = client.get::<Pod>("web").unwrap();
    assert_eq!(naru_api::pods::node_name(bound.get().unwrap()), "worker");
    let again = client.bind("web", "other").unwrap_err();
    assert_eq!(
        again.message(),
        "Operation cannot be fulfilled on pods/binding \"web\": pod web is already assigned to \
         node \"worker\""
    );
    client.server.set_now(Time::from_secs(10));
    let going = client.delete::<Pod>("web", DeleteOptions::default()).unwrap();
    assert_eq!(going.meta().deletion_grace_period_seconds, Some(30));
    let now = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
    client.delete::<Pod>("web", now).unwrap();
    let gone = client.get::<Pod>("web").unwrap_err();
    assert_eq!(gone.message(), "pods \"web\" not found");
    assert_eq!(gone.code(), 404);
}

#[test]
fn an_unscheduled_pod_goes_at_once() {
    let mut client = Client::new();
    client.create::<Pod>(pod("web")).unwrap();
    client.delete::<Pod>("web", DeleteOptions::default()).unwrap();
    assert!(client.get::<Pod>("web").unwrap_err().is_not_found());
}

#[test]
fn a_grace_period_can_only_be_shortened() {
    let mut client = Client::new();
    client.create::<Pod>(pod("web")).unwrap();
    client.bind("web", "worker").unwrap();
    let within =
        |seconds| DeleteOptions { grace_period_seconds: Some(seconds), ..DeleteOptions::default() };
    let going = client.delete::<Pod>("web", DeleteOptions::default()).unwrap();
    let generation = going.meta().generation;
    let longer = client.delete::<Pod>("web", within(60)).unwrap();
    assert_eq!(longer.revision(), going.revision());
    client.server.set_now(Time::from_secs(5));
    let shorter = client.delete::<Pod>("web", within(10)).unwrap();
    let meta = shorter.meta();
    assert_eq!(meta.deletion_grace_period_seconds, Some(10));
    let ends = meta.deletion_timestamp.as_ref().map(naru_api::time::from_meta);
    assert_eq!(ends, Some(Time::from_secs(10)));
    assert_eq!(meta.generation, generation);
}

#[test]
fn finalizers_keep_an_object() {
    let mut client = Client::new();
    let body = json!({"metadata": {"name": "c", "finalizers": ["example.com/hold"]}});
    client.create::<ConfigMap>(body).unwrap();
    let held = client.delete::<ConfigMap>("c", DeleteOptions::default()).unwrap();
    assert!(held.meta().deletion_timestamp.is_some());
    let mut more = held.clone();
    more.meta_mut().finalizers.get_or_insert_default().push("example.com/more".to_owned());
    let error = client.update(more, "").unwrap_err();
    assert!(error.message().contains("no new finalizers can be added"), "{}", error.message());
    let mut free = held;
    free.meta_mut().finalizers = None;
    client.update(free, "").unwrap();
    assert!(client.get::<ConfigMap>("c").unwrap_err().is_not_found());
}

#[test]
fn propagation_sets_the_garbage_collectors_finalizers() {
    let table = [(Propagation::Foreground, "foregroundDeletion"), (Propagation::Orphan, "orphan")];
    for (propagation, finalizer) in table {
        let mut client = Client::new();
        client.create::<ConfigMap>(json!({"metadata": {"name": "c"}})).unwrap();
        let options = DeleteOptions { propagation: Some(propagation), ..DeleteOptions::default() };
        let held = client.delete::<ConfigMap>("c", options).unwrap();
        assert_eq!(held.meta().finalizers, Some(vec![finalizer.to_owned()]));
        assert_eq!(held.meta().deletion_grace_period_seconds, Some(0));
        // Finalizers that are there hold until somebody says otherwise.
        let held = client.delete::<ConfigMap>("c", DeleteOptions::default()).unwrap();
        assert_eq!(held.meta().finalizers, Some(vec![finalizer.to_owned()]));
        let propagation = Some(Propagation::Background);
        let options = DeleteOptions { propagation, ..DeleteOptions::default() };
        client.remove::<ConfigMap>("c", options).unwrap();
        assert!(client.get::<ConfigMap>("c").unwrap_err().is_not_found());
    }
}

#[test]
fn a_kind_may_leave_its_dependents_alone() {
    let mut client = Client::new();
    let spec = json!({"template": {"spec": {
        "restartPolicy": "Never",
        "containers": [{"name": "c", "image": "busybox"}],
    }}});
    client.create::<Job>(json!({"metadata": {"name": "j"}, "spec": spec})).unwrap();
    let held = client.delete::<Job>("j", DeleteOptions::default()).unwrap();
    let finalizers = held.meta().finalizers.clone().unwrap_or_default();
    assert!(finalizers.iter().any(|it| it == "orphan"), "{finalizers:?}");
}

#[test]
fn a_uid_must_fit() {
    let mut client = Client::new();
    let made = client.create::<ConfigMap>(json!({"metadata": {"name": "c"}})).unwrap();
    let with = |uid: &str| DeleteOptions { uid: Some(uid.to_owned()), ..DeleteOptions::default() };
    let error = client.delete::<ConfigMap>("c", with("x")).unwrap_err();
    assert!(error.message().contains("the UID in the precondition (x) does not match the UID in"));
    client.remove::<ConfigMap>("c", with(made.uid())).unwrap();
}

#[test]
fn a_namespace_goes_when_it_is_finalized() {
    let mut client = Client::new();
    let made = client.create::<Namespace>(json!({"metadata": {"name": "team"}})).unwrap();
    assert_eq!(made.label("kubernetes.io/metadata.name"), Some("team"));
    let going = client.delete::<Namespace>("team", DeleteOptions::default()).unwrap();
    let status = going.get::<Namespace>().unwrap().status.clone().unwrap();
    assert_eq!(status.phase.as_deref(), Some("Terminating"));
    let again = client.delete::<Namespace>("team", DeleteOptions::default()).unwrap();
    assert_eq!(again.revision(), going.revision());
    let body = naru_api::request::Body::Json(pod("web"));
    let mut request = client.request(Pod::kind(), "", Op::Create(body));
    request.namespace = "team".to_owned();
    let error = client.send(request).unwrap_err();
    assert_eq!(
        error.message(),
        "pods \"web\" is forbidden: unable to create new content in namespace team because it is \
         being terminated"
    );
    let mut empty = going;
    empty.edit::<Namespace>().unwrap().spec.as_mut().unwrap().finalizers = None;
    client.update(empty, "finalize").unwrap();
    assert!(client.get::<Namespace>("team").unwrap_err().is_not_found());
}

#[test]
fn some_namespaces_stay() {
    let mut client = Client::new();
    for name in ["default", "kube-system", "kube-public"] {
        let error = client.delete::<Namespace>(name, DeleteOptions::default()).unwrap_err();
        let text = format!("namespaces \"{name}\" is forbidden: this namespace may not be deleted");
        assert_eq!((error.code(), error.message()), (403, text.as_str()));
    }
}

#[test]
fn a_selection_is_deleted() {
    let mut client = Client::new();
    for (name, label) in [("a", "web"), ("b", "db"), ("c", "web")] {
        client.create::<Pod>(labelled_pod(name, label)).unwrap();
    }
    let list = ListOptions { label_selector: "app=web".to_owned(), ..ListOptions::default() };
    let op = Op::DeleteCollection(DeleteOptions::default(), list);
    let request = client.request(Pod::kind(), "", op);
    let Response::List(deleted) = client.server.handle(request).unwrap() else {
        panic!("a list is answered")
    };
    let names: Vec<&str> = deleted.items.iter().map(|pod| pod.name()).collect();
    assert_eq!(names, ["a", "c"]);
    assert!(client.get::<Pod>("b").is_ok());
    assert!(client.get::<Pod>("a").is_err());
}
