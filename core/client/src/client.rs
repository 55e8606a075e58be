//! Requests by typed calls.

use k8s_openapi::api::coordination::v1::Lease;
use naru_api::measured::{Metric, MetricQuery};
use naru_api::request::{
    Body, DeleteOptions, ListOptions, ObjectList, Op, Patch, Request, Response, UserInfo,
};
use naru_api::service::Ticket;
use naru_api::status::ApiResult;
use naru_api::{ApiError, ApiService, KindRef, Kube, Object};
use naru_sim::{CauseId, Time};
use std::sync::Arc;

/// One component's way to the API server, for the time of one reconcile.
pub struct Client<'a> {
    api: &'a mut dyn ApiService,
    user: &'a UserInfo,
    agent: &'a Arc<str>,
    cause: CauseId,
    requests: u32,
}

impl<'a> Client<'a> {
    /// A client of `user` by the program `agent`, asking because of `cause`.
    pub fn new(
        api: &'a mut dyn ApiService,
        user: &'a UserInfo,
        agent: &'a Arc<str>,
        cause: CauseId,
    ) -> Self {
        Client { api, user, agent, cause, requests: 0 }
    }

    /// The present moment.
    pub fn now(&self) -> Time {
        self.api.now()
    }

    /// What this client's requests are caused by.
    pub fn cause(&self) -> CauseId {
        self.cause
    }

    /// From now on, requests are caused by this: for a controller that keeps its own queue.
    pub fn set_cause(&mut self, cause: CauseId) {
        self.cause = cause;
    }

    /// How many requests were made.
    pub fn requests(&self) -> u32 {
        self.requests
    }

    /// The API server itself, for what has no typed call here.
    pub fn api(&mut self) -> &mut dyn ApiService {
        self.api
    }

    /// Reads one object. An object without a namespace has "" there.
    pub fn get<K: Kube>(&mut self, namespace: &str, name: &str) -> ApiResult<Arc<K>> {
        self.one(K::kind(), namespace, name, "", Op::Get)
    }

    /// Reads many; "" is all namespaces.
    pub fn list<K: Kube>(
        &mut self,
        namespace: &str,
        options: ListOptions,
    ) -> ApiResult<ObjectList> {
        match self.send(K::kind(), namespace, "", "", Op::List(options))? {
            Response::List(list) => Ok(list),
            other => Err(unexpected(&other)),
        }
    }

    /// Makes an object.
    pub fn create<K: Kube>(&mut self, object: K) -> ApiResult<Arc<K>> {
        let object = Object::new(object);
        let namespace = object.namespace().to_owned();
        self.one(K::kind(), &namespace, "", "", Op::Create(Body::Object(object)))
    }

    /// Makes a subresource object: a binding, an eviction.
    pub fn create_subresource(
        &mut self,
        kind: KindRef,
        namespace: &str,
        name: &str,
        subresource: &'static str,
        body: Body,
    ) -> ApiResult<Response> {
        self.send(kind, namespace, name, subresource, Op::Create(body))
    }

    /// Replaces an object. With a resourceVersion in its metadata, only if nobody was faster.
    pub fn update<K: Kube>(&mut self, object: K) -> ApiResult<Arc<K>> {
        self.replace(object, "")
    }

    /// What makes further renewals of a Lease cheap, after one by [`Client::update`].
    pub(crate) fn ticket(&mut self, lease: &Arc<Lease>) -> Option<Ticket> {
        self.api.ticket(self.user, self.agent, lease)
    }

    /// Renews a Lease by a ticket, if that still holds.
    pub(crate) fn renew(&mut self, ticket: &mut Ticket) -> Option<Arc<Lease>> {
        let renewed = self.api.renew(ticket, self.cause)?;
        self.requests = self.requests.saturating_add(1);
        Some(renewed)
    }

    /// Replaces an object's status and nothing else.
    pub fn update_status<K: Kube>(&mut self, object: K) -> ApiResult<Arc<K>> {
        self.replace(object, "status")
    }

    /// Changes an object. `subresource` is "" or `status`.
    pub fn patch<K: Kube>(
        &mut self,
        namespace: &str,
        name: &str,
        subresource: &'static str,
        patch: Patch,
    ) -> ApiResult<Arc<K>> {
        self.one(K::kind(), namespace, name, subresource, Op::Patch(patch))
    }

    /// Deletes an object.
    pub fn delete<K: Kube>(
        &mut self,
        namespace: &str,
        name: &str,
        options: DeleteOptions,
    ) -> ApiResult<()> {
        self.delete_kind(K::kind(), namespace, name, options)
    }

    /// Deletes an object of a kind known at run time.
    pub fn delete_kind(
        &mut self,
        kind: KindRef,
        namespace: &str,
        name: &str,
        options: DeleteOptions,
    ) -> ApiResult<()> {
        self.send(kind, namespace, name, "", Op::Delete(options)).map(drop)
    }

    /// The values that an adapter has measured.
    pub fn metrics(&mut self, query: &MetricQuery) -> ApiResult<Vec<Metric>> {
        self.requests = self.requests.saturating_add(1);
        self.api.metrics(self.user, query)
    }

    /// Any request.
    pub fn send(
        &mut self,
        kind: KindRef,
        namespace: &str,
        name: &str,
        subresource: &'static str,
        op: Op,
    ) -> ApiResult<Response> {
        self.requests = self.requests.saturating_add(1);
        self.api.handle(Request {
            cause: self.cause,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            subresource,
            ..Request::new(self.user.clone(), Arc::clone(self.agent), kind, op)
        })
    }

    fn replace<K: Kube>(&mut self, object: K, subresource: &'static str) -> ApiResult<Arc<K>> {
        let object = Object::new(object);
        let (namespace, name) = (object.namespace().to_owned(), object.name().to_owned());
        let op = Op::Update(Body::Object(object));
        self.one(K::kind(), &namespace, &name, subresource, op)
    }

    fn one<K: Kube>(
        &mut self,
        kind: KindRef,
        namespace: &str,
        name: &str,
        subresource: &'static str,
        op: Op,
    ) -> ApiResult<Arc<K>> {
        match self.send(kind, namespace, name, subresource, op)? {
            Response::Object(object) => {
                object.arc().ok_or_else(|| unexpected(&Response::Object(object)))
            }
            other => Err(unexpected(&other)),
        }
    }
}

fn unexpected(response: &Response) -> ApiError {
    let what = match response {
        Response::Object(object) => object.kind().kind.to_string(),
        Response::List(_) => "List".to_owned(),
        Response::Table(_) => "Table".to_owned(),
        Response::Status(_) => "Status".to_owned(),
    };
    ApiError::internal(format_args!("unexpected answer of kind {what}"))
}
