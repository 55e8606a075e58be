//! Service accounts.
//!
//! Upstream: `pkg/registry/core/serviceaccount/strategy.go`, `printServiceAccount`.

use super::cells;
use super::typed::Typed;
use crate::{Cell, Column, Kind, KindRef, Kube, Names};
use k8s_openapi::api::core::v1::ServiceAccount;
use naru_sim::Time;

static KIND: Kind = Names::new("", "v1", "ServiceAccount", "serviceaccounts", "serviceaccount")
    .short(&["sa"])
    .subresources(&["token"])
    .kind(&ServiceAccountStrategy);

impl Kube for ServiceAccount {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct ServiceAccountStrategy;

impl Typed for ServiceAccountStrategy {
    type Object = ServiceAccount;

    const COLUMNS: &'static [Column] =
        &[Column::new("Name"), Column::new("Secrets"), Column::new("Age")];

    const RETURNS_DELETED: bool = true;

    fn warnings(&self, account: &ServiceAccount, old: Option<&ServiceAccount>) -> Vec<String> {
        const ENFORCE: &str = "kubernetes.io/enforce-mountable-secrets";
        let has = |account: &ServiceAccount| {
            account.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(ENFORCE))
        };
        if !has(account) || old.is_some_and(has) {
            return Vec::new();
        }
        vec![format!(
            "metadata.annotations[{ENFORCE}]: deprecated in v1.32+; prefer separate namespaces to \
             isolate access to mounted secrets"
        )]
    }

    fn cells(&self, account: &ServiceAccount, now: Time) -> Vec<Cell> {
        let secrets = account.secrets.as_ref().map_or(0, Vec::len);
        let age = cells::age(&account.metadata, now);
        vec![cells::name(&account.metadata), secrets.into(), age]
    }
}
