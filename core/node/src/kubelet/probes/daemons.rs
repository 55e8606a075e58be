//! Probes of the control plane. Its containers only stand for programs whose work the cluster does
//! itself, so what kubeadm has them asked they are asked without a packet. They answer alike until etcd
//! does not answer them any more: a probe that went well rests with those that go alike
//! ([`ProbeManager::catch_up`]).
//!
//! Upstream: `apiserver/pkg/server/healthz`, and `server/etcdserver/api/etcdhttp/health.go` of etcd.

use super::{ProbeId, ProbeManager, Verdict};
use crate::kubelet::pod_workers::NodeWorld;
use crate::kubelet::static_pods::{self, API_SERVER, CONTROL_PLANE, ETCD};

impl ProbeManager {
    /// What a program of the control plane answers; `None` for whoever is asked by packets.
    pub(super) fn told(&self, id: ProbeId, world: &NodeWorld<'_>) -> Option<Verdict> {
        let get = self.probes.get(&id)?.probe.http_get.as_ref()?;
        let (runtime, run) = (&*world.runtime, id.run);
        let program = CONTROL_PLANE.into_iter().find(|program| runtime.is_run_of(run, program))?;
        let sandbox = runtime.sandbox(runtime.container(run)?.sandbox)?;
        if sandbox.network != world.host || !static_pods::is_asked(world.config, program, get) {
            return None;
        }
        let status = match (program, get.path.as_deref()) {
            (API_SERVER, _) if self.etcd_lost => 500,
            (ETCD, Some("/readyz")) if self.etcd_lost => 503,
            _ => return Some(Verdict::Good),
        };
        Some(Verdict::Bad(format!("HTTP probe failed with statuscode: {status}")))
    }

    /// A probe that rests from now on, since it went well and will until something happens.
    pub(super) fn rest(&mut self, id: ProbeId) {
        let Some(watched) = self.probes.get(&id) else { return };
        if watched.told && watched.holds == Some(true) && watched.failures == 0 && !watched.resting
        {
            self.due.remove(&(watched.next_at, id));
            self.alike.insert(id);
            let from = self.alike_from.map_or(watched.next_at, |at| at.min(watched.next_at));
            self.alike_from = Some(from);
        }
    }

    /// Whether etcd answers the programs of this node; tells whether that is new. What rests must have
    /// been counted up to now.
    pub fn set_etcd_lost(&mut self, lost: bool) -> bool {
        let changed = std::mem::replace(&mut self.etcd_lost, lost) != lost;
        if changed {
            let told = |id: &ProbeId| self.probes.get(id).is_some_and(|watched| watched.told);
            let again: Vec<ProbeId> = self.alike.iter().copied().filter(told).collect();
            again.into_iter().for_each(|id| self.send_again(id));
        }
        changed
    }
}
