//! The request chain, from outside.

mod admission;
mod auth;
mod crd;
mod create;
mod delete;
mod etcd;
mod list;
mod managed;
mod renew;
mod streams;
mod subresources;
mod update;
mod versions;
mod watch;

use crate::ApiServer;
use naru_api::k8s_openapi::api::core::v1::Pod;
use naru_api::request::{Body, DeleteOptions, FieldValidation, ListOptions, Patch};
use naru_api::service::WatchRequest;
use naru_api::{
    ApiError, ApiService, KindRef, Kube, Object, Op, Request, Response, UserInfo, WatchEventType,
};
use naru_sim::Rng;
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
            namespace: if kind.namespaced { "default".to_owned() } else { String::new() },
            name: name.to_owned(),
            field_validation: FieldValidation::Strict,
            ..Request::new(
                UserInfo::new("kubernetes-admin", &["system:masters"]),
                "kubectl".into(),
                kind,
                op,
            )
        }
    }

    pub(crate) fn send(&mut self, request: Request) -> Result<Object, ApiError> {
        match self.server.handle(request)? {
            Response::Object(object) => Ok(object),
            other => panic!("{other:?}"),
        }
    }

    /// Of a request after which there is nothing to show.
    pub(crate) fn done(&mut self, request: Request) -> Result<(), ApiError> {
        match self.server.handle(request)? {
            Response::Status(_) => Ok(()),
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

    /// A deletion after which nothing is there.
    pub(crate) fn remove<K: Kube>(
        &mut self,
        name: &str,
        options: DeleteOptions,
    ) -> Result<(), ApiError> {
        let request = self.request(K::kind(), name, Op::Delete(options));
        self.done(request)
    }

    pub(crate) fn bind(&mut self, pod: &str, node: &str) -> Result<(), ApiError> {
        let body = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod},
            "target": {"kind": "Node", "name": node}});
        let request = self.request(Pod::kind(), pod, Op::Create(Body::Json(body)));
        self.done(Request { subresource: "binding", ..request })
    }

    pub(crate) fn watch<K: Kube>(&mut self, fields: &str) -> naru_api::WatchId {
        self.server
            .watch(WatchRequest {
                options: ListOptions {
                    field_selector: fields.to_owned(),
                    ..ListOptions::default()
                },
                ..WatchRequest::new(
                    UserInfo::new("kubernetes-admin", &[]),
                    "kubectl".into(),
                    K::kind(),
                )
            })
            .unwrap()
    }

    pub(crate) fn events(&mut self, watch: naru_api::WatchId) -> Vec<(WatchEventType, String)> {
        let events = self.server.poll(watch).unwrap();
        events.into_iter().map(|event| (event.kind, event.object.name().to_owned())).collect()
    }
}

pub(crate) fn labelled_pod(name: &str, label: &str) -> Value {
    let mut pod = pod(name);
    pod["metadata"]["labels"] = json!({ "app": label });
    pod
}

pub(crate) fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "image": "nginx"}]}})
}
