//! `DefaultTolerationSeconds`: a pod stays five minutes on a node that is lost.
//!
//! Upstream: `plugin/pkg/admission/defaulttolerationseconds/admission.go`.

use super::Admission;
use naru_api::Object;
use naru_api::k8s_openapi::api::core::v1::{Pod, Toleration};

const TAINTS: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
const SECONDS: i64 = 300;

pub(super) fn mutate(admission: &Admission<'_>, object: &mut Object) {
    if !admission.subresource.is_empty() {
        return;
    }
    let Some(pod) = object.get::<Pod>() else { return };
    let tolerations = pod.spec.as_ref().and_then(|spec| spec.tolerations.as_deref());
    let tolerations = tolerations.unwrap_or_default();
    let missing: Vec<&str> = TAINTS
        .into_iter()
        .filter(|taint| !tolerations.iter().any(|toleration| tolerates(toleration, taint)))
        .collect();
    if missing.is_empty() {
        return;
    }
    if let Some(spec) = object.edit::<Pod>().and_then(|pod| pod.spec.as_mut()) {
        let tolerations = spec.tolerations.get_or_insert_default();
        tolerations.extend(missing.into_iter().map(|taint| Toleration {
            key: Some(taint.to_owned()),
            operator: Some("Exists".to_owned()),
            effect: Some("NoExecute".to_owned()),
            toleration_seconds: Some(SECONDS),
            value: None,
        }));
    }
}

fn tolerates(toleration: &Toleration, taint: &str) -> bool {
    let key = toleration.key.as_deref().unwrap_or_default();
    let effect = toleration.effect.as_deref().unwrap_or_default();
    (key.is_empty() || key == taint) && (effect.is_empty() || effect == "NoExecute")
}
