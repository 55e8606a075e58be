//! Pods to which nothing has happened since all was done for them.
//!
//! A kubelet looks at every pod about once a minute, whether something has happened or not. Where
//! nothing has, that look changes nothing: the pod and its containers are as they were, and what its
//! volumes were made from is, too. Then the look is put off to the next one. Upstream's look costs
//! no request either: the kubelet watches the ConfigMaps and Secrets that its pods use
//! (`pkg/kubelet/util/manager/watch_based_manager.go`).

use super::kubelet::{Kubelet, LEASE};
use super::mirror;
use super::pod_workers::PodWorker;
use crate::runtime::Runtime;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use naru_api::{ApiService, Key, Kube, Object};
use naru_client::{Action, Cache, Context};
use naru_sim::Time;
use std::net::Ipv4Addr;

/// How a pod was when all was done for it that was to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Calm {
    revision: u64,
    /// What its containers had done.
    state: u64,
}

/// What the files of a pod's volumes were made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    revision: u64,
    ip: Option<Ipv4Addr>,
    /// The generations of ConfigMaps and of Secrets.
    generations: [u64; 2],
}

impl Read {
    /// What would be read now; `None` where the API server does not tell.
    pub fn now(pod: &Object, ip: Option<Ipv4Addr>, api: &mut dyn ApiService) -> Option<Read> {
        let generations = [api.generation(&ConfigMap::kind())?, api.generation(&Secret::kind())?];
        Some(Read { revision: pod.revision(), ip, generations })
    }
}

impl Calm {
    /// How a worker's pod is, if nothing is left to be done for it.
    pub fn of(worker: &PodWorker, runtime: &Runtime) -> Option<Calm> {
        if !worker.has_nothing_to_do() {
            return None;
        }
        let network = runtime.sandbox(worker.sandbox?)?.network;
        Some(Calm { revision: worker.object.revision(), state: runtime.state(network) })
    }
}

impl Kubelet {
    /// Whether what the kubelet does for this key leaves everything on the node as it is.
    pub fn is_routine(
        &self,
        key: &Key,
        cache: &Cache,
        api: &mut dyn ApiService,
        runtime: &Runtime,
        now: Time,
    ) -> bool {
        match (key.namespace.as_str(), key.name.as_str()) {
            ("", LEASE) => true,
            ("", _) => false,
            _ => self.calm_worker(key, cache, api, runtime, now).is_some(),
        }
    }

    /// The worker of a pod of which nothing is due but to look at its volumes, and which would find
    /// them as they are.
    fn calm_worker(
        &self,
        key: &Key,
        cache: &Cache,
        api: &mut dyn ApiService,
        runtime: &Runtime,
        now: Time,
    ) -> Option<(Key, String)> {
        let object = cache.object(&Pod::kind(), key)?;
        let id = (key.clone(), mirror::worker_uid(object).to_owned());
        let worker = self.workers.get(&id)?;
        let is_calm = object.revision() == worker.object.revision()
            && worker.is_only_to_refresh(now)
            && !self.has_findings(key)
            && worker.calm.is_some()
            && worker.calm == Calm::of(worker, runtime)
            && worker.read.is_some()
            && worker.read == Read::now(object, worker.ip, api);
        is_calm.then_some(id)
    }

    /// Puts the look at a pod off to the next one, if it would find nothing.
    pub(super) fn put_off(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        runtime: &Runtime,
    ) -> Option<Action> {
        let (cache, now) = (context.cache, context.now);
        let id = self.calm_worker(key, cache, context.client.api(), runtime, now)?;
        let worker = self.workers.get_mut(&id)?;
        worker.put_off_refresh(context);
        let next = worker.next_due();
        Some(next.map_or(Action::await_change(), |at| Action::requeue_after(at.since(now))))
    }
}
