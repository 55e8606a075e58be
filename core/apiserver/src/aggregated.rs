//! Aggregated APIs: groups for which a server in the cluster answers.
//!
//! Upstream the API server passes such requests on to the server's service. Here the server hands
//! over beforehand what it would answer, and the API server answers for it at once, as long as the
//! group's APIService is available.
//!
//! Upstream: `kube-aggregator/pkg/apiserver/handler_proxy.go`.

use crate::authorize::Resource;
use crate::{ApiServer, keys, limits};
use naru_api::k8s_openapi::api::core::v1::Pod;
use naru_api::k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use naru_api::kinds::apiservice::available;
use naru_api::request::UserInfo;
use naru_api::service::{Connect, ConnectRequest, HttpCall, StreamId};
use naru_api::{
    ApiError, Key, KindRef, Kube, Object, http::HttpRequest, scheme, status::ApiResult,
};
use naru_sim::CauseId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The objects of one kind.
pub(crate) type Told = BTreeMap<Key, Object>;

impl ApiServer {
    /// Takes over everything that there is of a kind, from the server that answers for it: a
    /// service account of the namespace of its service.
    pub(crate) fn take_told(
        &mut self,
        user: &UserInfo,
        kind: &KindRef,
        objects: Vec<Object>,
    ) -> ApiResult<()> {
        self.answers_for(user, &apiservice_name(kind))?;
        if objects.len() > limits::OBJECTS_MAX || !scheme::metrics().contains(kind) {
            return Err(ApiError::bad_request("this cannot be answered for"));
        }
        let told = objects.into_iter().map(|object| (object.key(), object)).collect();
        self.aggregation.told.insert(place(kind), told);
        Ok(())
    }

    /// Refuses who does not answer for a version of a group: who is no service account of the
    /// namespace of its service.
    pub(crate) fn answers_for(&self, user: &UserInfo, name: &str) -> ApiResult<()> {
        let found = self.find(&APIService::kind(), "", name)?;
        let spec = found.get::<APIService>().and_then(|registered| registered.spec.as_ref());
        let service = spec.and_then(|spec| spec.service.as_ref());
        let namespace = service.and_then(|service| service.namespace.as_deref());
        let accounts = format!("system:serviceaccounts:{}", namespace.unwrap_or_default());
        if namespace.is_none() || !user.groups.iter().any(|group| **group == *accounts) {
            let why = format!("{} does not answer for this group", user.name);
            return Err(ApiError::forbidden(&APIService::kind(), name, &why));
        }
        Ok(())
    }

    /// What there is of a kind that is not stored but answered for; `None` if it is not such a kind.
    pub(crate) fn told(&self, kind: &KindRef) -> Option<&Told> {
        static NOTHING: Told = Told::new();
        if !is_aggregated(kind) {
            return None;
        }
        Some(self.aggregation.told.get(&place(kind)).unwrap_or(&NOTHING))
    }

    /// Upstream: `pkg/api/{pod,node}.go` of the metrics server.
    pub(crate) fn not_told(&self, kind: &KindRef, namespace: &str, name: &str) -> ApiError {
        let of_pod = kind.namespaced;
        let pod = keys::of_object(&Pod::kind(), namespace, name);
        if of_pod && self.store.get(&pod).is_none() {
            return ApiError::not_found(&Pod::kind(), name);
        }
        let name = if of_pod { format!("{namespace}/{name}") } else { name.to_owned() };
        ApiError::not_found_resource(&kind.group, &kind.kind.to_lowercase(), &name)
    }

    /// Serves the groups whose servers answer, and no others. Tells whether that is a change.
    pub(crate) fn choose_aggregated(&mut self) -> bool {
        let answers = |kind: &KindRef| {
            let found = self.find(&APIService::kind(), "", &apiservice_name(kind)).ok();
            let registered = found.as_ref().and_then(|object| object.get::<APIService>());
            registered.is_some_and(|registered| {
                let remote = registered.spec.as_ref().is_some_and(|spec| spec.service.is_some());
                remote && available(registered).is_some_and(|found| found.status == "True")
            })
        };
        let kinds: Vec<KindRef> = scheme::metrics().into_iter().filter(answers).collect();
        let changed = kinds != self.aggregation.kinds;
        if changed {
            // Who comes back tells anew.
            let places: Vec<_> = kinds.iter().map(place).collect();
            self.aggregation.told.retain(|place, _| places.contains(place));
            self.aggregation.kinds = kinds;
        }
        changed
    }

    /// Whether a server in the cluster should answer for a group's version, and does not.
    pub(crate) fn is_unavailable(&self, group: &str, version: &str) -> bool {
        let name = format!("{version}.{group}");
        let found = self.find(&APIService::kind(), "", &name).ok();
        let registered = found.as_ref().and_then(|object| object.get::<APIService>());
        registered.is_some_and(|registered| {
            let remote = registered.spec.as_ref().is_some_and(|spec| spec.service.is_some());
            remote && available(registered).is_none_or(|found| found.status != "True")
        })
    }

    /// Asks the server of a node's kubelet, which lets in who may do what the path stands for.
    ///
    /// Upstream: `pkg/kubelet/server/auth.go`.
    pub(crate) fn connect_kubelet(
        &mut self,
        user: &UserInfo,
        agent: Arc<str>,
        node: &str,
        path: &str,
    ) -> ApiResult<StreamId> {
        let under = |prefix: &str| path == prefix || path.starts_with(&format!("{prefix}/"));
        let subresource = match path {
            _ if under("/stats") => "stats",
            _ if under("/metrics") => "metrics",
            _ if under("/logs") => "log",
            _ if under("/checkpoint") => "checkpoint",
            _ => "proxy",
        };
        let resource = Resource { resource: "nodes", name: node, ..Resource::default() };
        let resource = resource.subresource(subresource);
        self.authorize_connect(user, "get", resource).map_err(|_| {
            ApiError::new(403, "Forbidden", format!(
                "Forbidden (user={}, verb=get, resource=nodes, subresource(s)=[{subresource}])\n",
                user.name
            ))
        })?;
        let request = HttpRequest {
            method: "GET".to_owned(),
            path: path.to_owned(),
            ..HttpRequest::default()
        };
        let call = HttpCall { to: None, request, prefix: String::new() };
        let connect = Connect::Http(Box::new(call));
        let request = ConnectRequest {
            user: user.clone(),
            agent,
            cause: CauseId::ROOT,
            namespace: String::new(),
            pod: node.to_owned(),
            container: String::new(),
            connect,
        };
        self.open_stream(node, request)
    }
}

/// Whether the objects of a kind are not stored here.
pub(crate) fn is_aggregated(kind: &KindRef) -> bool {
    kind.group == "metrics.k8s.io"
}

fn apiservice_name(kind: &KindRef) -> String {
    format!("{}.{}", kind.version, kind.group)
}

fn place(kind: &KindRef) -> (String, String) {
    (kind.group.to_string(), kind.plural.to_string())
}
