//! Renewals of Leases by a ticket.

use super::Client;
use naru_api::k8s_openapi::api::coordination::v1::Lease;
use naru_api::k8s_openapi::api::core::v1::ConfigMap;
use naru_api::k8s_openapi::api::rbac::v1::ClusterRole;
use naru_api::request::{Body, DeleteOptions};
use naru_api::service::{Attention, Ticket, WatchRequest};
use naru_api::{ApiService, Kube, Object, Op, Request, UserInfo, WatchId, time};
use naru_sim::{CauseId, Time};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Something that a client does.
type Act = Box<dyn Fn(&mut Client)>;

const AGENT: &str = "kubelet";

fn user() -> UserInfo {
    UserInfo::new("system:node:worker", &["system:masters"])
}

/// Renews by a whole request.
fn renew(client: &mut Client, lease: &Arc<Lease>) -> Arc<Lease> {
    let mut lease = Lease::clone(lease);
    let now = time::micro_time(client.server.now());
    lease.spec.get_or_insert_default().renew_time = Some(now);
    let op = Op::Update(Body::Object(Object::new(lease)));
    let request = Request {
        namespace: "default".to_owned(),
        name: "worker".to_owned(),
        ..Request::new(user(), AGENT.into(), Lease::kind(), op)
    };
    client.send(request).unwrap().arc().unwrap()
}

/// A Lease that was renewed once, and the ticket for what follows.
fn held() -> (Client, Arc<Lease>, Ticket) {
    let mut client = Client::new();
    let body = json!({"metadata": {"name": "worker", "labels": {"a": "b"}},
        "spec": {"holderIdentity": "worker", "leaseDurationSeconds": 40}});
    let lease = client.create::<Lease>(body).unwrap().arc().unwrap();
    client.server.set_now(Time::from_secs(10));
    let lease = renew(&mut client, &lease);
    let ticket = client.server.ticket(&user(), &AGENT.into(), &lease).unwrap();
    (client, lease, ticket)
}

/// All that can be told of what was done to the Lease.
fn traces(client: &mut Client, watch: WatchId) -> Vec<String> {
    let events = client.server.poll(watch).unwrap();
    let told = |event: naru_api::WatchEvent| {
        format!("{:?} {} {:?}", event.kind, event.object.to_json().unwrap(), event.cause)
    };
    let mut all: Vec<String> = events.into_iter().map(told).collect();
    let stored = client.get::<Lease>("worker").unwrap();
    all.push(stored.to_json().unwrap().to_string());
    all.extend(client.server.digest());
    let causes = client.server.causes().after(CauseId::ROOT);
    all.extend(causes.map(|cause| format!("{cause:?}")));
    all
}

#[test]
fn a_renewal_by_a_ticket_leaves_what_a_whole_request_would() {
    let (mut one, lease, mut ticket) = held();
    let watch = one.watch::<Lease>("");
    one.server.poll(watch).unwrap();
    one.server.take_ready();
    let mut other = Client { server: one.server.clone() };
    let mut renewed = lease;
    for seconds in [20, 30, 40] {
        for client in [&mut one, &mut other] {
            client.server.set_now(Time::from_secs(seconds));
        }
        renewed = renew(&mut one, &renewed);
        let by_ticket = other.server.renew(&mut ticket, CauseId::ROOT).unwrap();
        assert_eq!(by_ticket, renewed);
        assert_eq!(other.server.take_ready(), [watch]);
        one.server.take_ready();
    }
    let (one, other) = (traces(&mut one, watch), traces(&mut other, watch));
    assert_eq!(other, one);
    assert!(other.len() > 10, "{other:#?}");
}

/// What ends renewals of either kind.
fn ends() -> Vec<(&'static str, Act)> {
    let mut cases: Vec<(&str, Act)> = Vec::new();
    cases.push((
        "somebody else has written",
        Box::new(|client| {
            let mut lease = client.get::<Lease>("worker").unwrap();
            lease.edit::<Lease>().unwrap().spec.as_mut().unwrap().holder_identity = None;
            client.update(lease, "").unwrap();
        }),
    ));
    cases.push((
        "it is gone",
        Box::new(|client| client.remove::<Lease>("worker", DeleteOptions::default()).unwrap()),
    ));
    cases.push((
        "a role has changed",
        Box::new(|client| {
            client.create::<ClusterRole>(json!({"metadata": {"name": "r"}, "rules": []})).unwrap();
        }),
    ));
    cases
}

#[test]
fn a_ticket_ends_with_what_it_was_given_for() {
    let mut cases = ends();
    cases.push((
        "it was renewed just now",
        Box::new(|client| client.server.set_now(Time::from_secs(10))),
    ));
    for (why, change) in cases {
        let (mut client, _, mut ticket) = held();
        client.server.set_now(Time::from_secs(20));
        change(&mut client);
        let revision = client.server.store().revision();
        assert!(client.server.renew(&mut ticket, CauseId::ROOT).is_none(), "{why}");
        assert_eq!(client.server.store().revision(), revision, "{why}");
    }
}

/// Another write, by somebody else.
fn note(client: &mut Client, name: &str) {
    client.create::<ConfigMap>(json!({"metadata": {"name": name}})).unwrap();
}

#[test]
fn a_server_that_renews_by_itself_makes_the_history_that_its_client_would() {
    const PERIOD: Duration = Duration::from_secs(10);
    let (mut by_client, _, mut ticket) = held();
    let watch = by_client.watch::<Lease>("");
    by_client.server.poll(watch).unwrap();
    let mut by_server = Client { server: by_client.server.clone() };
    let number = by_server.server.stand(ticket.clone(), Time::from_secs(20), PERIOD).unwrap();
    assert_eq!(by_server.server.next_renewal(), Some(Time::from_secs(20)));
    // What others write, between renewals, at the moment of one, and after many.
    let mut next = 20;
    for (at, name) in [(15, "a"), (30, "b"), (37, "c"), (395, "d"), (395, "e")] {
        while next <= at {
            by_client.server.set_now(Time::from_secs(next));
            by_client.server.renew(&mut ticket, CauseId::ROOT).unwrap();
            next += 10;
        }
        for client in [&mut by_client, &mut by_server] {
            client.server.set_now(Time::from_secs(at));
            note(client, name);
        }
    }
    let copy = by_server.server.clone();
    let wanted = traces(&mut by_client, watch);
    assert!(wanted.len() > 40, "{wanted:#?}");
    assert_eq!(traces(&mut by_server, watch), wanted);
    // A snapshot goes on by itself, and whoever takes over goes on where it has come to.
    for mut server in [by_server.server, copy] {
        server.set_now(Time::from_secs(405));
        assert!(server.stands(number));
        let stood = server.stand_down(number).unwrap();
        assert_eq!(stood.next, Time::from_secs(410));
        assert_eq!(
            stood.lease.unwrap().metadata.resource_version.clone().unwrap(),
            stood.ticket.revision.to_string()
        );
        let revision = server.store().revision();
        server.set_now(Time::from_secs(500));
        assert_eq!((server.store().revision(), server.next_renewal()), (revision, None));
    }
}

#[test]
fn a_server_renews_no_more_by_itself_when_it_may_not_be_right() {
    let mut cases = ends();
    cases.push(("the holder was cut off", Box::new(|client| client.server.end_renewals())));
    cases.push(("etcd was lost", Box::new(|client| client.server.set_etcd_lost(true))));
    for (why, change) in cases {
        let (mut client, _, ticket) = held();
        let second = Duration::from_secs(1);
        let number = client.server.stand(ticket, Time::from_secs(20), second * 10).unwrap();
        client.server.set_now(Time::from_secs(35));
        client.server.take_ready();
        note(&mut client, "other");
        assert!(client.server.stands(number) && client.server.take_ready().is_empty(), "{why}");
        change(&mut client);
        assert_eq!(client.server.take_ready(), [number], "{why}");
        let revision = client.server.store().revision();
        client.server.set_now(Time::from_secs(100));
        assert_eq!(client.server.store().revision(), revision, "{why}");
        assert!(!client.server.stands(number), "{why}");
        assert_eq!(client.server.stand_down(number).unwrap().next, Time::from_secs(40), "{why}");
    }
}

#[test]
fn who_need_not_be_woken_is_told_the_latest_when_he_asks() {
    let (mut client, _, mut ticket) = held();
    let open = |client: &mut Client, attention| {
        let request = WatchRequest::new(user(), "manager".into(), Lease::kind());
        client.server.watch(WatchRequest { attention, ..request }).unwrap()
    };
    let metadata = open(&mut client, Attention::Metadata);
    let nothing = open(&mut client, Attention::Nothing);
    for watch in [metadata, nothing] {
        client.server.poll(watch).unwrap();
    }
    client.server.take_ready();
    for seconds in [20, 30, 40] {
        client.server.set_now(Time::from_secs(seconds));
        client.server.renew(&mut ticket, CauseId::ROOT).unwrap();
    }
    assert_eq!(client.server.take_ready(), []);
    for watch in [metadata, nothing] {
        assert!(client.server.has_news(watch));
        let events = client.server.poll(watch).unwrap();
        let revisions: Vec<u64> = events.iter().map(|event| event.object.revision()).collect();
        assert_eq!(revisions, [ticket.revision]);
        assert!(!client.server.has_news(watch));
    }
    let mut lease = client.get::<Lease>("worker").unwrap();
    lease.meta_mut().labels = None;
    client.update(lease, "").unwrap();
    assert_eq!(client.server.take_ready(), [metadata]);
    client.remove::<Lease>("worker", DeleteOptions::default()).unwrap();
    // What must not be overlooked keeps its place.
    assert_eq!(client.events(nothing).len(), 2);
    assert_eq!(client.events(metadata).len(), 2);
}
