//! Who owns which fields, and server-side apply.

use super::{Client, pod};
use naru_api::k8s_openapi::api::apps::v1::Deployment;
use naru_api::k8s_openapi::api::core::v1::{ConfigMap, Pod, PodStatus};
use naru_api::request::{Body, FieldValidation, Patch};
use naru_api::{ApiError, ApiService, Kube, Object, Op, Request};
use serde_json::{Value, json};

/// `manager operation subresource` and the fields of each entry.
fn managed(object: &Object) -> Vec<(String, Value)> {
    let entries = object.managed_fields().into_iter().map(|entry| {
        let subresource = entry.subresource.map(|s| format!(" {s}")).unwrap_or_default();
        let id = format!("{} {}{subresource}", entry.manager.unwrap(), entry.operation.unwrap());
        (id, entry.fields_v1.unwrap().0)
    });
    entries.collect()
}

fn apply<K: Kube>(
    client: &mut Client,
    manager: &str,
    fields: Value,
    force: bool,
) -> Result<Object, ApiError> {
    let name = fields["metadata"]["name"].as_str().unwrap().to_owned();
    let request = client.request(K::kind(), &name, Op::Patch(Patch::Apply { fields, force }));
    client.send(Request { field_manager: manager.into(), ..request })
}

fn map(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data})
}

#[test]
fn a_new_pod_is_its_makers() {
    let mut client = Client::new();
    let pod = client.create::<Pod>(pod("web")).unwrap();
    let container = json!({".": {}, "f:image": {}, "f:imagePullPolicy": {}, "f:name": {},
        "f:resources": {}, "f:terminationMessagePath": {}, "f:terminationMessagePolicy": {}});
    let spec = json!({"f:containers": {"k:{\"name\":\"main\"}": container}, "f:dnsPolicy": {},
        "f:enableServiceLinks": {}, "f:restartPolicy": {}, "f:schedulerName": {},
        "f:securityContext": {}, "f:terminationGracePeriodSeconds": {}});
    // What admission added (tolerations, the token's volume) is nobody's.
    assert_eq!(managed(&pod), [("kubectl Update".to_owned(), json!({ "f:spec": spec }))]);
    let json = pod.to_json().unwrap();
    let entry = &json["metadata"]["managedFields"][0];
    assert_eq!(entry["fieldsType"], "FieldsV1");
    assert_eq!(entry["apiVersion"], "v1");
    assert_eq!(entry["time"], "2025-06-02T00:00:00Z");
    assert!(pod.content_json().unwrap()["metadata"].get("managedFields").is_none());
}

#[test]
fn the_notes_of_components_are_worked_out() {
    let mut client = Client::new();
    client.create::<Pod>(pod("web")).unwrap();
    client.bind("web", "worker").unwrap();
    for phase in ["Pending", "Running"] {
        let mut pod = client.get::<Pod>("web").unwrap();
        let status = PodStatus { phase: Some(phase.to_owned()), ..PodStatus::default() };
        pod.edit::<Pod>().unwrap().status = Some(status);
        let op = Op::Update(Body::Object(pod));
        let request = client.request(Pod::kind(), "web", op);
        let request = Request { subresource: "status", agent: "kubelet".into(), ..request };
        client.send(request).unwrap();
    }
    let pod = client.get::<Pod>("web").unwrap();
    let found = managed(&pod);
    let owners: Vec<&str> = found.iter().map(|(owner, _)| owner.as_str()).collect();
    // The binding is nobody's write.
    assert_eq!(owners, ["kubectl Update", "kubelet Update status"]);
    assert_eq!(found[1].1, json!({"f:status": {"f:phase": {}}}));
    assert!(found[0].1["f:spec"].get("f:nodeName").is_none());
}

#[test]
fn conflicts_are_told_and_forced() {
    let mut client = Client::new();
    let made = apply::<ConfigMap>(&mut client, "one", map(json!({"a": "1", "b": "1"})), false);
    assert_eq!(managed(&made.unwrap())[0].0, "one Apply");
    let other = map(json!({"a": "2"}));
    let error = apply::<ConfigMap>(&mut client, "two", other.clone(), false).unwrap_err();
    assert_eq!(
        (error.code(), error.reason(), error.message()),
        (409, "Conflict", "Apply failed with 1 conflict: conflict with \"one\": .data.a")
    );
    let causes = error.status().details.as_ref().unwrap().causes.as_ref().unwrap();
    assert_eq!(causes[0].reason.as_deref(), Some("FieldManagerConflict"));
    assert_eq!(causes[0].field.as_deref(), Some(".data.a"));
    let forced = apply::<ConfigMap>(&mut client, "two", other, true).unwrap();
    let data = |fields: Value| json!({ "f:data": fields });
    assert_eq!(
        managed(&forced),
        [
            ("one Apply".to_owned(), data(json!({"f:b": {}}))),
            ("two Apply".to_owned(), data(json!({"f:a": {}})))
        ]
    );
    // Given up, and nobody else's.
    let left = apply::<ConfigMap>(&mut client, "one", map(json!({"c": "1"})), false).unwrap();
    let data = left.get::<ConfigMap>().unwrap().data.clone().unwrap();
    assert_eq!(Vec::from_iter(data.keys()), ["a", "c"]);
    // What changes nothing is not written.
    let again = apply::<ConfigMap>(&mut client, "one", map(json!({"c": "1"})), false).unwrap();
    assert_eq!(again.revision(), left.revision());
    // A new owner of the same fields is.
    let shared = apply::<ConfigMap>(&mut client, "three", map(json!({"c": "1"})), false).unwrap();
    assert!(shared.revision() > left.revision());
}

#[test]
fn configurations_that_cannot_be_applied() {
    let mut client = Client::new();
    let template = |containers: Value| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {
                "metadata": {"labels": {"a": "b"}}, "spec": {"containers": containers}}}})
    };
    let misfit = |what: &str| {
        format!(
            "failed to create typed patch object (default/web; apps/v1, Kind=Deployment): {what}"
        )
    };
    let spec = ".spec.template.spec.containers";
    let table = [
        (
            template(json!([{"name": "a"}, {"name": "a"}])),
            misfit(&format!("{spec}: duplicate entries for key [name=\"a\"]")),
        ),
        (
            template(json!([{"name": "a", "imagee": "b"}])),
            misfit(&format!("{spec}[name=\"a\"].imagee: field not declared in schema")),
        ),
        (
            template(json!([{"name": "a", "image": 1}])),
            misfit(&format!(
                "{spec}[name=\"a\"].image: expected string, got &value.valueUnstructured{{Value:1}}"
            )),
        ),
        (template(json!({"name": "a"})), misfit(&format!("{spec}: expected list, got &{{map[name:a]}}"))),
        (
            json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "web"}}),
            "invalid object type: apps/v1, Kind=DaemonSet".to_owned(),
        ),
        (
            json!({"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "web", "managedFields": []}}),
            "metadata.managedFields must be nil".to_owned(),
        ),
        (
            json!({"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "web", "uid": "u"}}),
            "Operation cannot be fulfilled on deployments.apps \"web\": uid mismatch: the provided \
             object specified uid u, and no existing object was found"
                .to_owned(),
        ),
    ];
    for (fields, message) in table {
        let error = apply::<Deployment>(&mut client, "one", fields, false).unwrap_err();
        assert_eq!(error.message(), message);
    }
}

#[test]
fn a_client_may_write_managed_fields() {
    let mut client = Client::new();
    let json = client.create::<ConfigMap>(map(json!({"a": "1"}))).unwrap().to_json().unwrap();
    let put = |client: &mut Client, json: Value| {
        let op = Op::Update(Body::Json(json));
        let request = client.request(ConfigMap::kind(), "c", op);
        client.send(request).unwrap()
    };
    // Given back as they were, and with a change.
    let mut changed = json.clone();
    changed["data"]["b"] = json!("2");
    let written = put(&mut client, changed);
    let fields = json!({"f:data": {".": {}, "f:a": {}, "f:b": {}}});
    assert_eq!(managed(&written), [("kubectl Update".to_owned(), fields)]);
    // Left out: the server's own are kept.
    let mut without = written.to_json().unwrap();
    without["metadata"].as_object_mut().unwrap().remove("managedFields");
    assert_eq!(managed(&put(&mut client, without)), managed(&written));
    // An empty entry forgets them; what comes after is not tracked until somebody applies.
    let forget = json!([{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]);
    let forgotten = client.patch::<ConfigMap>("c", Patch::Json(forget)).unwrap();
    assert_eq!(managed(&forgotten), []);
    assert!(forgotten.revision() > written.revision());
    let merged = client.patch::<ConfigMap>("c", Patch::Merge(json!({"data": {"c": "3"}}))).unwrap();
    assert_eq!(managed(&merged), []);
    let applied = apply::<ConfigMap>(&mut client, "one", map(json!({"c": "4"})), true).unwrap();
    let owners: Vec<String> = managed(&applied).into_iter().map(|(owner, _)| owner).collect();
    assert_eq!(owners, ["one Apply", "before-first-apply Update"]);
}

#[test]
fn unknown_and_doubled_fields() {
    let mut client = Client::new();
    let body = json!({"metadata": {"name": "c"}, "dat": {"a": "b"}});
    let send = |client: &mut Client, validation, name: &str| {
        let mut body = body.clone();
        body["metadata"]["name"] = json!(name);
        let request = client.request(ConfigMap::kind(), "", Op::Create(Body::Json(body)));
        let duplicates = vec!["duplicate field \"metadata.name\"".to_owned()];
        let result = client.send(Request { field_validation: validation, duplicates, ..request });
        (result, client.server.take_warnings())
    };
    let (result, _) = send(&mut client, FieldValidation::Strict, "a");
    assert_eq!(
        result.unwrap_err().message(),
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: \
         duplicate field \"metadata.name\", unknown field \"dat\""
    );
    let (result, warnings) = send(&mut client, FieldValidation::Warn, "b");
    assert!(result.is_ok());
    assert_eq!(warnings, ["duplicate field \"metadata.name\"", "unknown field \"dat\""]);
    let (result, warnings) = send(&mut client, FieldValidation::Ignore, "c");
    assert!(result.is_ok() && warnings.is_empty());
}
