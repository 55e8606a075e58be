//! Lists in parts, lists and gets of the past and of the future, and the trace of requests.

use super::{Client, labelled_pod, pod};
use naru_api::k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use naru_api::request::{DeleteOptions, ListOptions, ObjectList};
use naru_api::{ApiError, ApiService, KindRef, Kube, Op, Request, Response};
use naru_sim::Time;
use serde_json::json;

fn list(client: &mut Client, kind: KindRef, options: ListOptions) -> Result<ObjectList, ApiError> {
    let request = client.request(kind, "", Op::List(options));
    match client.server.handle(request)? {
        Response::List(list) => Ok(list),
        other => panic!("{other:?}"),
    }
}

fn pods(client: &mut Client, options: ListOptions) -> Result<ObjectList, ApiError> {
    list(client, Pod::kind(), options)
}

fn names(list: &ObjectList) -> Vec<&str> {
    list.items.iter().map(|object| object.name()).collect()
}

fn part(limit: u64, token: &str) -> ListOptions {
    ListOptions { limit, continue_token: token.to_owned(), ..ListOptions::default() }
}

fn version(version: u64, matching: &str) -> ListOptions {
    ListOptions {
        resource_version: version.to_string(),
        resource_version_match: matching.to_owned(),
        ..ListOptions::default()
    }
}

fn with_pods(names: &[&str]) -> Client {
    let mut client = Client::new();
    for name in names {
        client.create::<Pod>(pod(name)).unwrap();
    }
    client
}

#[test]
fn the_parts_of_a_list_are_of_one_moment() {
    let mut client = with_pods(&["a", "b", "c", "d", "e"]);
    let first = pods(&mut client, part(2, "")).unwrap();
    assert_eq!((names(&first), first.remaining), (vec!["a", "b"], Some(3)));
    client.delete::<Pod>("c", DeleteOptions::default()).unwrap();
    client.create::<Pod>(pod("bb")).unwrap();
    client.bind("d", "worker").unwrap();
    let second = pods(&mut client, part(2, &first.continue_token)).unwrap();
    assert_eq!((names(&second), second.remaining), (vec!["c", "d"], Some(1)));
    assert_eq!(second.revision, first.revision);
    assert_eq!(second.items[1].get::<Pod>().unwrap().spec.as_ref().unwrap().node_name, None);
    let third = pods(&mut client, part(2, &second.continue_token)).unwrap();
    assert_eq!((names(&third), third.remaining), (vec!["e"], None));
    assert_eq!(third.continue_token, "");
    let all = pods(&mut client, ListOptions::default()).unwrap();
    assert_eq!(names(&all), ["a", "b", "bb", "d", "e"]);
}

#[test]
fn a_part_that_is_just_full_is_the_last_one() {
    let mut client = with_pods(&["a", "b"]);
    let list = pods(&mut client, part(2, "")).unwrap();
    assert_eq!((list.continue_token.as_str(), list.remaining), ("", None));
}

#[test]
fn what_remains_of_a_selection_is_not_known() {
    let mut client = Client::new();
    for (name, label) in [("a", "web"), ("b", "db"), ("c", "web"), ("d", "web")] {
        client.create::<Pod>(labelled_pod(name, label)).unwrap();
    }
    let web = |token: &str| ListOptions { label_selector: "app=web".to_owned(), ..part(2, token) };
    let first = pods(&mut client, web("")).unwrap();
    assert_eq!((names(&first), first.remaining), (vec!["a", "c"], None));
    let second = pods(&mut client, web(&first.continue_token)).unwrap();
    assert_eq!((names(&second), second.continue_token.as_str()), (vec!["d"], ""));
}

#[test]
fn a_list_of_any_age_comes_whole() {
    let mut client = with_pods(&["a", "b", "c"]);
    let list = pods(&mut client, ListOptions { limit: 2, ..version(0, "") }).unwrap();
    assert_eq!(list.items.len(), 3);
}

#[test]
fn a_list_that_is_too_old_to_go_on_goes_on_otherwise() {
    let mut client = with_pods(&["a", "b", "c"]);
    let first = pods(&mut client, part(2, "")).unwrap();
    client.create::<Pod>(pod("d")).unwrap();
    for minutes in [5, 10] {
        client.server.set_now(Time::from_secs(minutes * 60));
        client.server.tick();
    }
    let error = pods(&mut client, part(2, &first.continue_token)).unwrap_err();
    assert_eq!((error.code(), error.reason()), (410, "Expired"));
    assert!(error.message().starts_with("The provided continue parameter is too old to display"));
    let token = error.status().metadata.continue_.clone().unwrap();
    let rest = pods(&mut client, part(0, &token)).unwrap();
    assert_eq!(names(&rest), ["c", "d"]);
    let error = pods(&mut client, version(first.revision, "Exact")).unwrap_err();
    let text = "The resourceVersion for the provided list is too old.";
    assert_eq!((error.code(), error.message()), (410, text));
}

#[test]
fn lists_of_the_past_and_of_the_future() {
    let mut client = with_pods(&["a", "b"]);
    let then = pods(&mut client, ListOptions::default()).unwrap().revision;
    client.create::<Pod>(pod("c")).unwrap();
    let exact = pods(&mut client, version(then, "Exact")).unwrap();
    assert_eq!((names(&exact), exact.revision), (vec!["a", "b"], then));
    let legacy = pods(&mut client, ListOptions { limit: 9, ..version(then, "") }).unwrap();
    assert_eq!(names(&legacy), ["a", "b"]);
    let newer = pods(&mut client, version(then, "NotOlderThan")).unwrap();
    assert_eq!((names(&newer), newer.revision), (vec!["a", "b", "c"], then + 1));
    let named =
        ListOptions { field_selector: "metadata.name=c".to_owned(), ..version(then, "Exact") };
    assert_eq!(pods(&mut client, named).unwrap().items.len(), 0);
    let error = pods(&mut client, version(then + 9, "Exact")).unwrap_err();
    let text = "etcdserver: mvcc: required revision is a future revision";
    assert_eq!((error.code(), error.message()), (500, text));
    let error = pods(&mut client, version(then + 9, "")).unwrap_err();
    let text = format!("Timeout: Too large resource version: {}, current: {}", then + 9, then + 1);
    assert_eq!((error.code(), error.reason(), error.message()), (504, "Timeout", &*text));
    let details = error.status().details.clone().unwrap();
    assert_eq!(details.retry_after_seconds, Some(1));
    let cause = &details.causes.unwrap()[0];
    assert_eq!(cause.reason.as_deref(), Some("ResourceVersionTooLarge"));
}

#[test]
fn a_get_may_ask_for_a_version() {
    let mut client = with_pods(&["a"]);
    let mut get = |version: &str| {
        let request = client.request(Pod::kind(), "a", Op::Get);
        client.send(Request { resource_version: version.to_owned(), ..request })
    };
    assert!(get("0").is_ok());
    assert!(get("1").is_ok());
    assert_eq!(get("999").unwrap_err().reason(), "Timeout");
    let error = get("x").unwrap_err();
    let text = "resourceVersion: Invalid value: \"x\": strconv.ParseUint: parsing \"x\": invalid \
                syntax";
    assert_eq!((error.code(), error.message()), (500, text));
}

#[test]
fn bad_tokens_and_fields() {
    let mut client = Client::new();
    let error = pods(&mut client, part(2, "hello")).unwrap_err();
    let start = "invalid continue token: continue key is not valid: ";
    assert!(error.message().starts_with(start), "{error}");
    let both = ListOptions {
        resource_version: "3".to_owned(),
        ..part(1, "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhIn0")
    };
    let text = "specifying resource version is not allowed when using continue";
    assert_eq!(pods(&mut client, both).unwrap_err().message(), text);
    let field =
        |field: &str| ListOptions { field_selector: field.to_owned(), ..ListOptions::default() };
    let table = [
        (Pod::kind(), "spec.image=a", "field label not supported: spec.image"),
        (
            ConfigMap::kind(),
            "data=a",
            "\"data\" is not a known field selector: only \"metadata.name\", \
             \"metadata.namespace\"",
        ),
    ];
    for (kind, selector, text) in table {
        let error = list(&mut client, kind, field(selector)).unwrap_err();
        assert_eq!((error.code(), error.message()), (400, text));
    }
}

#[test]
fn a_selector_may_name_the_namespace() {
    let mut client = with_pods(&["a"]);
    let options = ListOptions {
        field_selector: "metadata.namespace=default,metadata.name=a".to_owned(),
        ..ListOptions::default()
    };
    let mut request = client.request(Pod::kind(), "", Op::List(options));
    request.namespace = String::new();
    let Response::List(list) = client.server.handle(request).unwrap() else { panic!("a list") };
    assert_eq!(names(&list), ["a"]);
}

#[test]
fn every_request_leaves_its_outcome() {
    let mut client = Client::new();
    let after = client.server.causes().last();
    client.create::<Secret>(json!({"metadata": {"name": "s"}})).unwrap();
    client.create::<Secret>(json!({"metadata": {"name": "s"}})).unwrap_err();
    client.get::<Secret>("s").unwrap();
    client.get::<Secret>("t").unwrap_err();
    let delete = client.request(Secret::kind(), "s", Op::Delete(DeleteOptions::default()));
    client.server.handle(delete).unwrap();
    let mut refused = client.request(Secret::kind(), "s", Op::Get);
    refused.subresource = "status";
    client.send(refused).unwrap_err();
    let told: Vec<String> = client
        .server
        .causes()
        .after(after)
        .map(|cause| {
            let outcome = cause.outcome.as_ref().unwrap();
            format!("{} {} {} {}", outcome.user, cause.verb, cause.subject, outcome.code)
        })
        .collect();
    assert_eq!(
        told,
        [
            "kubernetes-admin create secrets/default/s 201",
            "kubernetes-admin create secrets/default/s 409",
            "kubernetes-admin get secrets/default/s 200",
            "kubernetes-admin get secrets/default/t 404",
            "kubernetes-admin delete secrets/default/s 200",
            "kubernetes-admin get secrets/default/s/status 404",
        ]
    );
}
