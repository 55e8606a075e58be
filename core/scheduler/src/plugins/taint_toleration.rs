//! Nodes with taints take only pods that bear them.
//!
//! Upstream: `pkg/scheduler/framework/plugins/tainttoleration/taint_toleration.go`.

use crate::framework::{
    ClusterEvent, Filter, FilterPlugin, Plugin, Prepared, Rejection, Score, ScorePlugin, View,
    normalize,
};
use crate::nodes::{NodeInfo, PodInfo};
use k8s_openapi::api::core::v1::{Node, Pod, Taint, Toleration};
use naru_api::scheduling::{any_tolerates, taints, untolerated_taint};

/// The plugin.
#[derive(Debug)]
pub struct TaintToleration;

impl Plugin for TaintToleration {
    fn name(&self) -> &'static str {
        "TaintToleration"
    }

    fn may_help(&self, pod: &Pod, event: ClusterEvent<'_>) -> bool {
        let bears = |node: &Node| untolerated(node, tolerations_of(pod)).is_none();
        match event {
            ClusterEvent::NodeAdded(node) => bears(node),
            ClusterEvent::NodeUpdated { old, new } => !bears(old) && bears(new),
            _ => false,
        }
    }
}

impl FilterPlugin for TaintToleration {
    fn pre_filter<'a>(&self, pod: &'a PodInfo, _view: View<'a>) -> Result<Prepared<'a>, Rejection> {
        Ok(Prepared::with(Bears(tolerations_of(&pod.pod))))
    }
}

struct Bears<'a>(&'a [Toleration]);

impl Filter for Bears<'_> {
    fn is_local(&self) -> bool {
        true
    }

    fn filter(&self, node: &NodeInfo) -> Result<(), Rejection> {
        if !node.is_tainted {
            return Ok(());
        }
        let Some(taint) = untolerated(&node.node, self.0) else { return Ok(()) };
        let value = taint.value.as_deref().unwrap_or_default();
        let reason = format!("node(s) had untolerated taint {{{}: {value}}}", taint.key);
        Err(Rejection::unresolvable(reason))
    }
}

impl ScorePlugin for TaintToleration {
    fn pre_score<'a>(
        &self,
        pod: &'a PodInfo,
        _view: View<'a>,
        _nodes: &[&'a NodeInfo],
    ) -> Option<Box<dyn Score + 'a>> {
        let prefer = |toleration: &&Toleration| {
            matches!(toleration.effect.as_deref(), None | Some("" | "PreferNoSchedule"))
        };
        let tolerations = tolerations_of(&pod.pod).iter().filter(prefer).cloned().collect();
        Some(Box::new(FewestDisliked(tolerations)))
    }
}

/// Counts taints with `PreferNoSchedule` that the pod does not bear.
struct FewestDisliked(Vec<Toleration>);

impl Score for FewestDisliked {
    fn is_local(&self) -> bool {
        true
    }

    fn score(&self, node: &NodeInfo) -> i64 {
        let disliked =
            |taint: &&Taint| taint.effect == "PreferNoSchedule" && !any_tolerates(&self.0, taint);
        if !node.is_tainted {
            return 0;
        }
        taints(&node.node).iter().filter(disliked).count() as i64
    }

    fn normalize(&self, _nodes: &[&NodeInfo], scores: &mut [i64]) {
        normalize(scores, true);
    }
}

fn tolerations_of(pod: &Pod) -> &[Toleration] {
    pod.spec.as_ref().and_then(|spec| spec.tolerations.as_deref()).unwrap_or_default()
}

fn untolerated<'a>(node: &'a Node, tolerations: &[Toleration]) -> Option<&'a Taint> {
    untolerated_taint(taints(node), tolerations, &["NoSchedule", "NoExecute"])
}
