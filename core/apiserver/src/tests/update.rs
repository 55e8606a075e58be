//! Updates and patches.

use super::{Client, pod};
use naru_api::k8s_openapi::api::apps::v1::ReplicaSet;
use naru_api::k8s_openapi::api::coordination::v1::Lease;
use naru_api::k8s_openapi::api::core::v1::{ConfigMap, Pod, PodStatus};
use naru_api::k8s_openapi::api::policy::v1::PodDisruptionBudget;
use naru_api::request::{Body, DeleteOptions, Patch};
use naru_api::{ApiService, Kube, Op, Request};
use serde_json::{Value, json};

#[test]
fn a_stale_update_is_refused() {
    let mut client = Client::new();
    let old = client.create::<ConfigMap>(json!({"metadata": {"name": "c"}})).unwrap();
    let mut new = old.clone();
    new.edit::<ConfigMap>().unwrap().data = Some([("a".to_owned(), "b".to_owned())].into());
    client.update(new.clone(), "").unwrap();
    let error = client.update(new, "").unwrap_err();
    assert_eq!(
        error.message(),
        "Operation cannot be fulfilled on configmaps \"c\": the object has been modified; please \
         apply your changes to the latest version and try again"
    );
}

#[test]
fn what_changes_nothing_is_not_written() {
    let mut client = Client::new();
    let map = client.create::<ConfigMap>(json!({"metadata": {"name": "c"}})).unwrap();
    let again = client.update(map.clone(), "").unwrap();
    assert_eq!(again.revision(), map.revision());
}

#[test]
fn the_status_is_written_by_its_subresource_only() {
    let mut client = Client::new();
    let pod = client.create::<Pod>(pod("web")).unwrap();
    let mut changed = pod.clone();
    let running = PodStatus { phase: Some("Running".to_owned()), ..PodStatus::default() };
    let typed = changed.edit::<Pod>().unwrap();
    typed.status = Some(running);
    typed.spec.as_mut().unwrap().node_name = Some("worker".to_owned());
    let mut plain = changed.clone();
    plain.edit::<Pod>().unwrap().spec = pod.get::<Pod>().unwrap().spec.clone();
    let unchanged = client.update(plain, "").unwrap();
    assert_eq!(naru_api::pods::phase(unchanged.get().unwrap()), "Pending");
    let changed = client.update(changed, "status").unwrap();
    let typed = changed.get::<Pod>().unwrap();
    assert_eq!(naru_api::pods::phase(typed), "Running");
    assert_eq!(naru_api::pods::node_name(typed), "");
    assert_eq!(typed.status.as_ref().unwrap().qos_class.as_deref(), Some("BestEffort"));
    assert_eq!(changed.meta().generation, Some(1));
}

#[test]
fn a_new_spec_is_a_new_generation() {
    let mut client = Client::new();
    let body = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "a", "image": "b"}]}}}});
    client.create::<ReplicaSet>(body).unwrap();
    let scale = Patch::Strategic(json!({"spec": {"replicas": 3}}));
    let scaled = client.patch::<ReplicaSet>("web", scale).unwrap();
    assert_eq!(scaled.meta().generation, Some(2));
    let label = Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}));
    let labelled = client.patch::<ReplicaSet>("web", label).unwrap();
    assert_eq!(labelled.meta().generation, Some(2));
    assert_eq!(labelled.label("a"), Some("b"));
    let image = json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image",
        "value": "c"}]);
    let patched = client.patch::<ReplicaSet>("web", Patch::Json(image)).unwrap();
    assert_eq!(patched.meta().generation, Some(3));
}

#[test]
fn a_selector_is_immutable() {
    let mut client = Client::new();
    let template = |app: &str| {
        json!({"metadata": {"labels": {"app": app}},
            "spec": {"containers": [{"name": "a", "image": "b"}]}})
    };
    let body = json!({"metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template("web")}});
    client.create::<ReplicaSet>(body).unwrap();
    let change = json!({"spec": {"selector": {"matchLabels": {"app": "db"}},
        "template": template("db")}});
    let error = client.patch::<ReplicaSet>("web", Patch::Merge(change)).unwrap_err();
    assert_eq!(
        error.message(),
        "ReplicaSet.apps \"web\" is invalid: spec.selector: Invalid value: \
         v1.LabelSelector{MatchLabels:map[string]string{\"app\":\"db\"}, \
         MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable"
    );
}

#[test]
fn a_patch_that_does_not_fit() {
    let mut client = Client::new();
    client.create::<Pod>(pod("web")).unwrap();
    let table = [
        (
            Patch::Json(json!([{"op": "remove", "path": "/spec/nothing"}])),
            422,
            "the server rejected our request due to an error in our request",
        ),
        (
            Patch::Strategic(json!({"spec": {"containers": [{"image": "b"}]}})),
            500,
            "map: map[image:b] does not contain declared merge key: name",
        ),
        (
            Patch::Strategic(json!({"spec": {"nodeNam": "a"}})),
            422,
            " \"\" is invalid: patch: Invalid value: \"map[spec:map[nodeNam:a]]\": strict decoding \
             error: unknown field \"spec.nodeNam\"",
        ),
        (
            Patch::Strategic(json!({"spec": {"activeDeadlineSeconds": "1"}})),
            422,
            " \"\" is invalid: patch: Invalid value: \
             \"map[spec:map[activeDeadlineSeconds:1]]\": unrecognized type: int64",
        ),
        (
            Patch::Json(json!({"op": "add"})),
            400,
            "error decoding patch: json: cannot unmarshal object into Go value of type \
             []handlers.jsonPatchOp",
        ),
        (
            Patch::Merge(json!([])),
            400,
            "error decoding patch: json: cannot unmarshal array into Go value of type \
             map[string]interface {}",
        ),
        (
            Patch::Merge(json!({"metadata": {"name": "other"}})),
            400,
            "the name of the object (other) does not match the name on the URL (web)",
        ),
    ];
    for (patch, code, message) in table {
        let error = client.patch::<Pod>("web", patch).unwrap_err();
        assert_eq!((error.code(), error.message()), (code, message));
    }
}

#[test]
fn an_update_of_what_is_not_there() {
    let mut client = Client::new();
    let mut map = client.create::<ConfigMap>(json!({"metadata": {"name": "c"}})).unwrap();
    map.meta_mut().name = Some("d".to_owned());
    let error = client.update(map.clone(), "").unwrap_err();
    assert_eq!(error.message(), "configmaps \"d\" not found");
    map.meta_mut().name = Some("c".to_owned());
    map.meta_mut().uid = Some("another".to_owned());
    let error = client.update(map, "").unwrap_err();
    assert!(error.is_conflict());
    assert!(error.message().contains("Precondition failed: UID in precondition: another"));
}

#[test]
fn a_dry_run_writes_nothing() {
    let mut client = Client::new();
    let map = client.create::<ConfigMap>(json!({"metadata": {"name": "c"}})).unwrap();
    let patch = Patch::Merge(json!({"data": {"a": "b"}}));
    let request = client.request(ConfigMap::kind(), "c", Op::Patch(patch));
    let changed = client.send(Request { dry_run: true, ..request }).unwrap();
    assert!(changed.get::<ConfigMap>().unwrap().data.is_some());
    assert_eq!(client.get::<ConfigMap>("c").unwrap(), map);
}

#[test]
fn a_subresource_that_is_not_there() {
    let mut client = Client::new();
    let request = client.request(ConfigMap::kind(), "c", Op::Get);
    let request = Request { subresource: "scale", ..request };
    let error = client.server.handle(request).unwrap_err();
    assert_eq!(error.message(), "the server could not find the requested resource");
}

#[test]
fn some_kinds_are_made_by_an_update() {
    let mut client = Client::new();
    let lease = json!({"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}});
    let put = |body: Value| Op::Update(Body::Json(body));
    let request = client.request(Lease::kind(), "l", put(lease));
    let made = client.send(request).unwrap();
    assert_eq!(made.uid().len(), 36);
    let request = client.request(ConfigMap::kind(), "c", put(json!({"metadata": {"name": "c"}})));
    assert_eq!(client.send(request).unwrap_err().message(), "configmaps \"c\" not found");
}

#[test]
fn some_kinds_are_updated_at_their_version_only() {
    let mut client = Client::new();
    let budget = json!({"metadata": {"name": "b"}, "spec": {"minAvailable": 1}});
    let made = client.create::<PodDisruptionBudget>(budget).unwrap();
    let mut blind = made.clone();
    blind.meta_mut().resource_version = None;
    assert_eq!(
        client.update(blind, "").unwrap_err().message(),
        "poddisruptionbudgets.policy \"b\" is invalid: metadata.resourceVersion: Invalid value: \
         0x0: must be specified for an update"
    );
    client.update(made, "").unwrap();
}

#[test]
fn a_deletion_may_want_a_version() {
    let mut client = Client::new();
    let made = client.create::<ConfigMap>(json!({"metadata": {"name": "c"}})).unwrap();
    let at = |version: &str| DeleteOptions {
        resource_version: Some(version.to_owned()),
        ..DeleteOptions::default()
    };
    let error = client.delete::<ConfigMap>("c", at("1")).unwrap_err();
    let version = made.meta().resource_version.clone().unwrap();
    assert_eq!(
        error.message(),
        format!(
            "Operation cannot be fulfilled on configmaps \"c\": the ResourceVersion in the \
             precondition (1) does not match the ResourceVersion in record ({version}). The object \
             might have been modified"
        )
    );
    client.remove::<ConfigMap>("c", at(&version)).unwrap();
}

/// A patch of the metadata alone goes a shorter way: it ends as one that also looks at the kind.
#[test]
fn a_patch_of_metadata_ends_as_that_of_a_whole_object() {
    let table = [
        (json!({"metadata": {"labels": {"a": "b", "app": null}}}), "200"),
        (json!({"metadata": {"annotations": {"a": "b"}, "finalizers": ["x.y/z"]}}), "200"),
        (json!({"metadata": {"labels": null}}), "200"),
        (json!({"metadata": {"labels": {"app": "web"}}}), "200"),
        (json!({"metadata": {"name": "other"}}), "400"),
        (json!({"metadata": {"namespace": "other"}}), "400"),
        (json!({"metadata": {"uid": "other"}}), "409"),
        (json!({"metadata": {"resourceVersion": "1"}}), "409"),
        (json!({"metadata": {"labels": {"a": "b c"}}}), "422"),
        (json!({"metadata": {"labels": {"a": 1}}}), "422"),
        (json!({"metadata": {"lables": {"a": "b"}}}), "422"),
        (json!({"metadata": {"annotations": {"a": "b".repeat(300_000)}}}), "422"),
        (json!({"metadata": {"labels": {"$patch": "replace", "x": "y"}}}), "any"),
        (json!({"metadata": {"$patch": "replace", "name": "web"}}), "any"),
        (json!({"metadata": {"managedFields": []}}), "any"),
        (json!({"metadata": null}), "any"),
    ];
    for (changes, code) in table {
        let mut whole = changes.clone();
        whole["kind"] = json!("Pod");
        for strategic in [false, true] {
            let of = |changes: &Value| match strategic {
                true => Patch::Strategic(changes.clone()),
                false => Patch::Merge(changes.clone()),
            };
            let short = patched(of(&changes));
            assert_eq!(short, patched(of(&whole)), "{changes} {strategic}");
            assert!(code == "any" || short.0 == code, "{changes} {strategic}: {short:?}");
        }
    }
    for operations in [
        json!([{"op": "add", "path": "/metadata/labels/x", "value": "y"}]),
        json!([{"op": "remove", "path": "/metadata/labels/app"}]),
        json!([{"op": "remove", "path": "/metadata/labels/nothing"}]),
        json!([{"op": "move", "path": "/metadata/labels/b", "from": "/metadata/labels/app"}]),
        json!([{"op": "test", "path": "/metadata/name", "value": "other"}]),
        json!([{"op": "test", "path": "/metadata/name", "value": "web"}]),
    ] {
        let mut whole = operations.clone();
        let look = json!({"op": "test", "path": "/kind", "value": "Pod"});
        whole.as_array_mut().unwrap().insert(0, look);
        assert_eq!(patched(Patch::Json(operations)), patched(Patch::Json(whole)));
    }
}

/// What comes of a patch of a pod: the code, and the pod or the message without the text of the patch.
fn patched(patch: Patch) -> (String, Value) {
    let mut client = Client::new();
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": "nginx"}]}});
    client.create::<Pod>(pod).unwrap();
    match client.patch::<Pod>("web", patch) {
        Ok(object) => ("200".to_owned(), object.to_json().unwrap()),
        Err(error) => {
            let told = error.message().split("Invalid value: \"map[").next();
            (error.code().to_string(), json!(told))
        }
    }
}
