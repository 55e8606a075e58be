//! `kubectl apply --prune`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/apply/prune.go`, `k8s.io/kubectl/pkg/util/prune`.

use super::apply::LAST_APPLIED;
use crate::context::{Context, DryRun};
use crate::failure::{Failure, Result};
use crate::printers::Teller;
use naru_api::request::{DeleteOptions, ListOptions};
use naru_api::{KindRef, Object, scheme};
use std::collections::BTreeSet;

/// Kinds that are pruned when `--prune-allowlist` names none.
const ALLOWED: [(&str, &str); 16] = [
    ("v1", "ConfigMap"),
    ("v1", "Endpoints"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Pod"),
    ("v1", "ReplicationController"),
    ("v1", "Secret"),
    ("v1", "Service"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("networking.k8s.io/v1", "Ingress"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("apps/v1", "StatefulSet"),
    ("v1", "Namespace"),
    ("v1", "PersistentVolume"),
];

/// Deletes what was applied once, is chosen by the command's selector and not among `kept` (kind,
/// namespace, name).
pub fn prune(
    cx: &mut Context<'_>,
    kept: &[(KindRef, String, String)],
    dry_run: DryRun,
) -> Result<()> {
    let mut teller = Teller::new(cx, dry_run.suffix())?;
    for object in candidates(cx, kept)? {
        let kind = object.kind();
        if dry_run != DryRun::Client {
            let options = DeleteOptions {
                grace_period_seconds: Some(cx.flags().int("grace-period")).filter(|n| *n >= 0),
                propagation: Some(super::delete::cascade(cx)?),
                ..DeleteOptions::default()
            };
            cx.delete(&kind, object.namespace(), object.name(), options, dry_run)?;
        }
        teller.tell(cx, &kind, object.to_json().unwrap_or_default(), "pruned")?;
    }
    Ok(())
}

/// What pruning deletes, in its order.
pub fn candidates(cx: &mut Context<'_>, kept: &[(KindRef, String, String)]) -> Result<Vec<Object>> {
    let kinds = allowed(cx)?;
    let namespaces: BTreeSet<&String> = kept
        .iter()
        .filter(|(kind, ..)| kind.namespaced)
        .map(|(_, namespace, _)| namespace)
        .collect();
    let options = ListOptions {
        label_selector: cx.flags().text("selector").to_owned(),
        ..ListOptions::default()
    };
    let mut found = Vec::new();
    for namespace in namespaces {
        for kind in kinds.iter().filter(|kind| kind.namespaced) {
            found.extend(cx.list(kind, namespace, &options)?.items);
        }
    }
    for kind in kinds.iter().filter(|kind| !kind.namespaced) {
        found.extend(cx.list(kind, "", &options)?.items);
    }
    found.retain(|object| {
        let applied =
            object.meta().annotations.as_ref().is_some_and(|a| a.contains_key(LAST_APPLIED));
        let keep = kept.iter().any(|(kind, namespace, name)| {
            *kind == object.kind() && *namespace == object.namespace() && *name == object.name()
        });
        applied && !keep
    });
    Ok(found)
}

/// Refuses kinds that `--prune-allowlist` names wrongly.
pub fn check_allowlist(cx: &mut Context<'_>) -> Result<()> {
    let kinds = cx.kinds()?;
    cx.flags().list("prune-allowlist").iter().try_for_each(|text| parse(&kinds, text).map(drop))
}

fn allowed(cx: &mut Context<'_>) -> Result<Vec<KindRef>> {
    let kinds = cx.kinds()?;
    let named = cx.flags().list("prune-allowlist");
    if named.is_empty() {
        // Upstream warns whether a namespace was named or not: there always is one.
        cx.klog(
            "prune.go:71",
            "Deprecated: kubectl apply will no longer prune non-namespaced resources by default when \
             used with the --namespace flag in a future release. To preserve the current behaviour, \
             list the resources you want to target explicitly in the --prune-allowlist flag.",
        );
        let known =
            ALLOWED.iter().filter_map(|(version, kind)| scheme::by_kind(&kinds, version, kind));
        return Ok(known.collect());
    }
    named.iter().map(|text| parse(&kinds, text)).collect()
}

/// `core/v1/ConfigMap`
fn parse(kinds: &[KindRef], text: &str) -> Result<KindRef> {
    let parts: Vec<&str> = text.split('/').collect();
    let [group, version, kind] = parts.as_slice() else {
        return Err(Failure::Message(format!(
            "invalid GroupVersionKind format: {text}, please follow <group/version/kind>"
        )));
    };
    let version = match *group {
        "core" | "" => (*version).to_owned(),
        group => format!("{group}/{version}"),
    };
    scheme::by_kind(kinds, &version, kind).ok_or_else(|| {
        let (kind, version) = (naru_api::gofmt::quote(kind), naru_api::gofmt::quote(&version));
        Failure::Message(format!("no matches for kind {kind} in version {version}"))
    })
}
