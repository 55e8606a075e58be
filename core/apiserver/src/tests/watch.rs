//! Watches.

use super::{Client, labelled_pod, pod};
use crate::limits;
use naru_api::k8s_openapi::api::core::v1::{ConfigMap, Event, Pod};
use naru_api::request::{DeleteOptions, ListOptions};
use naru_api::service::WatchRequest;
use naru_api::{ApiService, KindRef, Kube, UserInfo, WatchEventType};
use naru_sim::{CauseId, Time};
use serde_json::json;

fn request(kind: KindRef, labels: &str, from: Option<u64>) -> WatchRequest {
    WatchRequest {
        namespace: "default".to_owned(),
        options: ListOptions { label_selector: labels.to_owned(), ..ListOptions::default() },
        from,
        ..WatchRequest::new(UserInfo::new("kubernetes-admin", &[]), "kubectl".into(), kind)
    }
}

#[test]
fn watches_tell_what_comes_into_the_selection_and_what_leaves_it() {
    let mut client = Client::new();
    client.create::<Pod>(pod("a")).unwrap();
    let all = client.watch::<Pod>("");
    let mine = client.watch::<Pod>("spec.nodeName=worker");
    let unscheduled = client.watch::<Pod>("spec.nodeName=");
    client.bind("a", "worker").unwrap();
    use WatchEventType::{Added, Deleted, Modified};
    let of = |kind| (kind, "a".to_owned());
    assert_eq!(client.server.take_ready(), [all, unscheduled, mine]);
    assert_eq!(client.server.take_ready(), []);
    assert_eq!(client.events(all), [of(Added), of(Modified)]);
    assert_eq!(client.events(mine), [of(Added)]);
    assert_eq!(client.events(unscheduled), [of(Added), of(Deleted)]);
}

#[test]
fn a_slow_watch_expires() {
    let mut client = Client::new();
    let watch = client.watch::<ConfigMap>("");
    for index in 0..=crate::limits::WATCH_BACKLOG_MAX {
        let body = json!({"metadata": {"name": format!("c{index}")}});
        client.create::<ConfigMap>(body).unwrap();
    }
    let error = client.server.poll(watch).unwrap_err();
    assert_eq!((error.code(), error.reason()), (410, "Expired"));
}

#[test]
fn a_changed_label_moves_an_object_in_and_out() {
    let mut client = Client::new();
    let pod = client.create::<Pod>(labelled_pod("a", "web")).unwrap();
    let web = client.server.watch(request(Pod::kind(), "app=web", None)).unwrap();
    let db = client.server.watch(request(Pod::kind(), "app=db", None)).unwrap();
    let mut changed = pod.clone();
    changed.meta_mut().labels = Some([("app".to_owned(), "db".to_owned())].into());
    client.update(changed, "").unwrap();
    use WatchEventType::{Added, Deleted};
    let kinds = |events: Vec<(WatchEventType, String)>| -> Vec<_> {
        events.into_iter().map(|(kind, _)| kind).collect()
    };
    assert_eq!(kinds(client.events(web)), [Added, Deleted]);
    assert_eq!(kinds(client.events(db)), [Added]);
}

#[test]
fn a_deletion_is_told_at_its_own_revision() {
    let mut client = Client::new();
    let pod = client.create::<Pod>(pod("a")).unwrap();
    let watch = client.server.watch(request(Pod::kind(), "", Some(pod.revision()))).unwrap();
    client.delete::<Pod>("a", DeleteOptions::default()).unwrap();
    let events = client.server.poll(watch).unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind, WatchEventType::Deleted);
    assert_eq!(events[0].object.revision(), pod.revision() + 1);
}

#[test]
fn a_watch_from_a_revision_misses_nothing() {
    let mut client = Client::new();
    let first = client.create::<Pod>(pod("a")).unwrap().revision();
    client.create::<ConfigMap>(json!({"metadata": {"name": "c"}})).unwrap();
    client.create::<Pod>(pod("b")).unwrap();
    let watch = client.server.watch(request(Pod::kind(), "", Some(first))).unwrap();
    client.create::<Pod>(pod("c")).unwrap();
    let names: Vec<String> = client.events(watch).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["b", "c"]);
}

#[test]
fn a_watch_from_before_what_is_kept_has_to_list() {
    let mut client = Client::new();
    let mut map = client.create::<ConfigMap>(json!({"metadata": {"name": "c"}})).unwrap();
    for number in 0..=limits::HISTORY_MAX {
        map.edit::<ConfigMap>().unwrap().data = Some([("n".to_owned(), number.to_string())].into());
        map = client.update(map, "").unwrap();
    }
    let error = client.server.watch(request(Pod::kind(), "", Some(1))).unwrap_err();
    assert_eq!((error.code(), error.reason()), (410, "Expired"));
    assert!(error.message().starts_with("too old resource version: 1 ("), "{}", error.message());
}

#[test]
fn a_delivery_knows_what_caused_it() {
    let mut client = Client::new();
    let watch = client.watch::<Pod>("");
    let typed = "kubectl".into();
    let root = CauseId::ROOT;
    let typed = client.server.causes().record(Time::ZERO, root, &typed, "type", "a line".into());
    let body = naru_api::request::Body::Json(pod("web"));
    let mut request = client.request(Pod::kind(), "", naru_api::Op::Create(body));
    request.cause = typed;
    client.send(request).unwrap();
    let cause = client.server.poll(watch).unwrap()[0].cause;
    let chain: Vec<(String, String)> = client
        .server
        .causes()
        .chain(cause)
        .map(|cause| (cause.verb.to_owned(), cause.subject.to_string()))
        .collect();
    assert_eq!(chain[0], ("create".to_owned(), "pods/default/web".to_owned()));
    assert_eq!(chain[1], ("type".to_owned(), "a line".to_owned()));
}

#[test]
fn a_watch_that_ended_is_told_nothing() {
    let mut client = Client::new();
    let watch = client.watch::<Pod>("");
    client.server.unwatch(watch);
    client.create::<Pod>(pod("a")).unwrap();
    assert_eq!(client.server.take_ready(), []);
    assert!(client.server.poll(watch).is_err());
}

#[test]
fn events_go_after_an_hour() {
    let mut client = Client::new();
    let event = json!({"metadata": {"name": "e"}, "involvedObject": {"namespace": "default"}});
    client.create::<Event>(event).unwrap();
    let watch = client.watch::<Event>("");
    assert_eq!(client.server.next_expiry(), Some(Time::from_secs(3600)));
    client.server.set_now(Time::from_secs(3599));
    client.server.expire();
    assert!(client.get::<Event>("e").is_ok());
    client.server.set_now(Time::from_secs(3600));
    client.server.expire();
    assert!(client.get::<Event>("e").unwrap_err().is_not_found());
    let kinds: Vec<_> = client.events(watch).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [WatchEventType::Added, WatchEventType::Deleted]);
}
