//! `TaintNodesByCondition`: a new node takes no pods before it is ready.
//!
//! Upstream: `plugin/pkg/admission/nodetaint/admission.go`.

use super::Admission;
use naru_api::Object;
use naru_api::k8s_openapi::api::core::v1::{Node, Taint};

const KEY: &str = "node.kubernetes.io/not-ready";
const EFFECT: &str = "NoSchedule";

pub(super) fn mutate(admission: &Admission<'_>, object: &mut Object) {
    if !admission.creates() || object.get::<Node>().is_none() {
        return;
    }
    let Some(node) = object.edit::<Node>() else { return };
    let taints = node.spec.get_or_insert_default().taints.get_or_insert_default();
    if !taints.iter().any(|taint| taint.key == KEY && taint.effect == EFFECT) {
        taints.push(Taint { key: KEY.to_owned(), effect: EFFECT.to_owned(), ..Taint::default() });
    }
}
