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
    let watch = client.server.watch(request(Pod::kind(), "", Some(1))).unwrap();
    let error = client.server.poll(watch).unwrap_err();
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
    assert_eq!(client.server.store().next_expiry(), Some(Time::from_secs(3600)));
    client.server.set_now(Time::from_secs(3599));
    client.server.tick();
    assert!(client.get::<Event>("e").is_ok());
    client.server.set_now(Time::from_secs(3600));
    client.server.tick();
    assert!(client.get::<Event>("e").unwrap_err().is_not_found());
    let kinds: Vec<_> = client.events(watch).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [WatchEventType::Added, WatchEventType::Deleted]);
}

#[test]
fn bookmarks_tell_how_far_a_watch_has_come() {
    let mut client = Client::new();
    let deadline = Some(Time::from_secs(100));
    let watch = client
        .server
        .watch(WatchRequest { bookmarks: true, deadline, ..request(Pod::kind(), "app=none", None) })
        .unwrap();
    let silent = client.server.watch(request(Pod::kind(), "", None)).unwrap();
    let mut at = |secs| {
        client.server.set_now(Time::from_secs(secs));
        client.server.tick();
        assert!(client.server.poll(silent).unwrap().is_empty());
        let revision = client.server.store().revision();
        let events = client.server.poll(watch).unwrap();
        events
            .iter()
            .map(|event| {
                assert_eq!(
                    (event.kind, event.object.revision()),
                    (WatchEventType::Bookmark, revision)
                );
                assert_eq!(event.object.kind(), Pod::kind());
                assert_eq!(event.object.meta().annotations, None);
            })
            .count()
    };
    let told: Vec<usize> = [59, 60, 97, 98, 99, 200].into_iter().map(&mut at).collect();
    assert_eq!(told, [0, 1, 0, 1, 0, 0]);
    assert_eq!(client.server.next_bookmark(), None);
}

#[test]
fn initial_events_end_with_an_annotated_bookmark() {
    let mut client = Client::new();
    let created = client.create::<Pod>(pod("a")).unwrap();
    client.create::<ConfigMap>(json!({"metadata": {"name": "c"}})).unwrap();
    let streamed = |from, bookmarks| WatchRequest {
        bookmarks,
        initial_events: true,
        ..request(Pod::kind(), "", from)
    };
    let from = Some(created.revision());
    let watch = client.server.watch(streamed(from, true)).unwrap();
    let events = client.server.poll(watch).unwrap();
    let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [WatchEventType::Added, WatchEventType::Bookmark]);
    let meta = events[1].object.meta();
    assert_eq!(meta.annotations.as_ref().unwrap()["k8s.io/initial-events-end"], "true");
    assert_eq!(events[1].object.revision(), created.revision() + 1);
    let plain = client.server.watch(streamed(from, false)).unwrap();
    assert_eq!(client.events(plain).len(), 1);
    let future = client.server.watch(streamed(Some(999), true)).unwrap();
    assert_eq!(client.server.poll(future).unwrap_err().reason(), "Timeout");
}

#[test]
fn a_watch_from_the_future_waits_for_it() {
    let mut client = Client::new();
    let now = client.server.store().revision();
    let options = ListOptions { resource_version: (now + 1).to_string(), ..ListOptions::default() };
    let later = WatchRequest { options, ..request(Pod::kind(), "", None) };
    let watch = client.server.watch(later).unwrap();
    for name in ["a", "b"] {
        client.create::<Pod>(pod(name)).unwrap();
    }
    assert_eq!(client.events(watch), [(WatchEventType::Added, "b".to_owned())]);
    let options = ListOptions { resource_version: "x".to_owned(), ..ListOptions::default() };
    let error = client.server.watch(WatchRequest { options, ..request(Pod::kind(), "", None) });
    let text = "pods \"\" is invalid: resourceVersion: Invalid value: \"x\": strconv.ParseUint: \
                parsing \"x\": invalid syntax";
    let error = error.unwrap_err();
    assert_eq!((error.code(), error.message()), (422, text));
}

#[test]
fn one_object_is_watched_by_its_name() {
    let mut client = Client::new();
    client.create::<Pod>(pod("a")).unwrap();
    let options =
        ListOptions { field_selector: "metadata.name=a".to_owned(), ..ListOptions::default() };
    let of_a = WatchRequest { options, ..request(Pod::kind(), "", None) };
    let watch = client.server.watch(of_a.clone()).unwrap();
    let other = client.server.watch(of_a).unwrap();
    client.server.unwatch(other);
    client.create::<Pod>(pod("b")).unwrap();
    client.bind("a", "worker").unwrap();
    client
        .delete::<Pod>("a", DeleteOptions { grace_period_seconds: Some(0), ..Default::default() })
        .unwrap();
    use WatchEventType::{Added, Deleted, Modified};
    let kinds: Vec<_> = client.events(watch).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [Added, Modified, Deleted]);
}
