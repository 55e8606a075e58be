//! The request chain, from outside.

use crate::ApiServer;
use naru_api::k8s_openapi::api::core::v1::{ConfigMap, Pod};
use naru_api::request::{Body, DeleteOptions, ListOptions, Patch};
use naru_api::service::WatchRequest;
use naru_api::{
    ApiError, ApiService, KindRef, Kube, Object, Op, Request, Response, UserInfo, WatchEventType,
};
use naru_sim::{CauseId, Rng, Time};
use serde_json::{Value, json};

/// A server and a client that is `kubernetes-admin`.
pub(crate) struct Client {
    pub(crate) server: ApiServer,
}

impl Client {
    pub(crate) fn new() -> Self {
        Client { server: ApiServer::new(Rng::new(1)) }
    }

    pub(crate) fn request(&self, kind: KindRef, name: &str, op: Op) -> Request {
        Request {
            user: UserInfo::new("kubernetes-admin", &["system:masters"]),
            agent: "kubectl".into(),
            cause: CauseId::ROOT,
            namespace: if kind.namespaced { "default".to_owned() } else { String::new() },
            kind,
            name: name.to_owned(),
            subresource: "",
            op,
            table: false,
            dry_run: false,
        }
    }

    pub(crate) fn send(&mut self, request: Request) -> Result<Object, ApiError> {
        match self.server.handle(request)? {
            Response::Object(object) => Ok(object),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn create<K: Kube>(&mut self, body: Value) -> Result<Object, ApiError> {
        let request = self.request(K::kind(), "", Op::Create(Body::Json(body)));
        self.send(request)
    }

    pub(crate) fn get<K: Kube>(&mut self, name: &str) -> Result<Object, ApiError> {
        let request = self.request(K::kind(), name, Op::Get);
        self.send(request)
    }

    pub(crate) fn update(
        &mut self,
        object: Object,
        subresource: &'static str,
    ) -> Result<Object, ApiError> {
        let name = object.name().to_owned();
        let request = self.request(object.kind(), &name, Op::Update(Body::Object(object)));
        self.send(Request { subresource, ..request })
    }

    pub(crate) fn patch<K: Kube>(&mut self, name: &str, patch: Patch) -> Result<Object, ApiError> {
        let request = self.request(K::kind(), name, Op::Patch(patch));
        self.send(request)
    }

    pub(crate) fn delete<K: Kube>(
        &mut self,
        name: &str,
        options: DeleteOptions,
    ) -> Result<Object, ApiError> {
        let request = self.request(K::kind(), name, Op::Delete(options));
        self.send(request)
    }

    pub(crate) fn bind(&mut self, pod: &str, node: &str) -> Result<Object, ApiError> {
        let body = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod},
            "target": {"kind": "Node", "name": node}});
        let request = self.request(Pod::kind(), pod, Op::Create(Body::Json(body)));
        self.send(Request { subresource: "binding", ..request })
    }

    pub(crate) fn watch<K: Kube>(&mut self, fields: &str) -> naru_api::WatchId {
        self.server
            .watch(WatchRequest {
                user: UserInfo::new("kubernetes-admin", &[]),
                agent: "kubectl".into(),
                kind: K::kind(),
                namespace: String::new(),
                options: ListOptions {
                    field_selector: fields.to_owned(),
                    ..ListOptions::default()
                },
                from: None,
            })
            .unwrap()
    }

    pub(crate) fn events(&mut self, watch: naru_api::WatchId) -> Vec<(WatchEventType, String)> {
        let events = self.server.poll(watch).unwrap();
        events.into_iter().map(|event| (event.kind, event.object.name().to_owned())).collect()
    }
}

pub(crate) fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "image": "nginx"}]}})
}

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
