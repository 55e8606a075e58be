//! The store as etcd's own clients see it.

use super::{Client, pod};
use naru_api::WatchEventType;
use naru_api::etcd::{Etcd, Keys};
use naru_api::k8s_openapi::api::core::v1::{ConfigMap, Event, Pod};
use serde_json::{Value, json};

const MAP: &str = "/registry/configmaps/default/m";

fn map(color: &str) -> Value {
    json!({"kind": "ConfigMap", "apiVersion": "v1",
        "metadata": {"name": "m", "namespace": "default"}, "data": {"color": color}})
}

#[test]
fn values_are_json_without_their_version() {
    let mut client = Client::new();
    let created = client.create::<ConfigMap>(map("blue")).unwrap().revision();
    let found = client.server.range(&Keys::One(MAP.to_owned()), 0).unwrap();
    let [kv] = found.kvs.as_slice() else { panic!("{found:?}") };
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (created, created, 1));
    assert_eq!((kv.lease, found.revision), (0, created));
    let text = String::from_utf8(kv.value.clone()).unwrap();
    assert!(text.starts_with("{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{"));
    assert!(text.ends_with("}\n") && !text.contains("resourceVersion"), "{text}");
}

#[test]
fn events_have_a_lease() {
    let mut client = Client::new();
    let event = json!({"metadata": {"name": "e"}, "involvedObject": {"namespace": "default"}});
    client.create::<Event>(event).unwrap();
    let found = client.server.range(&Keys::Prefix("/registry/events/".to_owned()), 0).unwrap();
    assert!(found.kvs[0].lease > 0);
}

#[test]
fn writes_past_the_api_server_are_seen_by_watches() {
    let mut client = Client::new();
    let watch = client.watch::<ConfigMap>("");
    let text = |color| map(color).to_string();
    let etcd: &mut dyn Etcd = &mut client.server;
    assert_eq!(etcd.put(MAP, text("blue").as_bytes()), Ok(None));
    let before = etcd.put(MAP, text("red").as_bytes()).unwrap().unwrap();
    assert_eq!(before.version, 1);
    assert_eq!(etcd.delete(&Keys::One(MAP.to_owned())).len(), 1);
    assert_eq!(etcd.delete(&Keys::One(MAP.to_owned())).len(), 0);
    use WatchEventType::{Added, Deleted, Modified};
    let kinds: Vec<_> = client.events(watch).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [Added, Modified, Deleted]);
    for value in ["hello", "{}", "{\"kind\":\"Nope\",\"apiVersion\":\"v1\"}"] {
        assert!(Etcd::put(&mut client.server, "/a", value.as_bytes()).is_err(), "{value}");
    }
}

#[test]
fn changes_are_told_until_they_are_compacted() {
    let mut client = Client::new();
    let start = client.create::<Pod>(pod("a")).unwrap().revision();
    client.create::<ConfigMap>(map("blue")).unwrap();
    client.bind("a", "worker").unwrap();
    let pods = Keys::Prefix("/registry/pods/".to_owned());
    let (events, latest) = client.server.changes(&pods, start - 1).unwrap();
    let told: Vec<_> = events.iter().map(|e| (e.kv.version, e.prev_kv.is_some())).collect();
    assert_eq!((told, latest), (vec![(1, false), (2, true)], start + 2));
    let past = client.server.range(&pods, start).unwrap();
    assert_eq!(past.kvs[0].mod_revision, start);
    Etcd::compact(&mut client.server, start + 1).unwrap();
    let text = "etcdserver: mvcc: required revision has been compacted";
    assert_eq!(client.server.range(&pods, start).unwrap_err(), text);
    assert_eq!(client.server.changes(&pods, start - 1).unwrap_err(), text);
    assert_eq!(Etcd::compact(&mut client.server, start).unwrap_err(), text);
    assert_eq!(Etcd::status(&client.server).raft_term, 2);
    assert_eq!(client.server.range(&pods, 0).unwrap().kvs[0].key, "/registry/pods/default/a");
}
