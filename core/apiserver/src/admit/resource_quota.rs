//! `ResourceQuota`: what a namespace may use up altogether. A request is charged to the quotas of
//! its namespace before it is written.
//!
//! Upstream: `apiserver/pkg/admission/plugin/resourcequota/controller.go`.

use super::{Admission, Operation};
use naru_api::k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, ResourceQuota, Service};
use naru_api::quantity::Amount;
use naru_api::quota;
use naru_api::resources::{self, Amounts};
use naru_api::{Object, status::ApiResult};
use naru_sim::Time;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The quotas that this request is charged to, as they will be; or why it is too much.
pub(super) fn charge(
    admission: &Admission<'_>,
    object: &Object,
    now: Time,
) -> ApiResult<Vec<Object>> {
    if admission.namespace.is_empty() || quota::is_ignored(admission.kind) {
        return Ok(Vec::new());
    }
    if !is_handled(admission, object) {
        return Ok(Vec::new());
    }
    let quotas = admission.list::<ResourceQuota>(admission.namespace);
    if quotas.is_empty() {
        return Ok(Vec::new());
    }
    let mut concerned = Vec::new();
    for quota in quotas {
        if let Some(account) = account(admission, object, quota)? {
            concerned.push(account);
        }
    }
    let usage = quota::usage(object, now);
    let negative: Vec<&str> = usage
        .iter()
        .filter(|(_, amount)| **amount < Amount::ZERO)
        .map(|(name, _)| name.as_str())
        .collect();
    if !negative.is_empty() {
        let why = format!("quota usage is negative for resource(s): {}", negative.join(","));
        return Err(admission.forbidden(why));
    }
    let mut charged = Vec::new();
    for account in concerned {
        let delta = match admission.operation {
            // An object that comes into a quota's scopes is new to it.
            Operation::Update(old) if quota::in_scopes(&account.quota, old) => {
                more(&usage, &quota::usage(old, now))
            }
            _ => usage.clone(),
        };
        charged.extend(account.charge(admission, delta)?);
    }
    Ok(charged)
}

/// Whether such a request can use up anything.
fn is_handled(admission: &Admission<'_>, object: &Object) -> bool {
    let deadline = |object: &Object| {
        let pod = object.get::<Pod>().and_then(|pod| pod.spec.as_deref());
        pod.is_some_and(quota::is_terminating)
    };
    match (admission.operation, admission.subresource) {
        (Operation::Create, "") => true,
        (Operation::Update(old), "") if object.get::<Pod>().is_some() => {
            deadline(old) != deadline(object)
        }
        (Operation::Update(_), "") => {
            object.get::<Service>().is_some() || object.get::<PersistentVolumeClaim>().is_some()
        }
        (Operation::Update(_), "resize") => object.get::<Pod>().is_some(),
        (Operation::Update(_), "status") => object.get::<PersistentVolumeClaim>().is_some(),
        _ => false,
    }
}

/// What is used up beyond what was before.
fn more(usage: &Amounts, before: &Amounts) -> Amounts {
    let delta = |name: &String, amount: Amount| match before.get(name) {
        Some(before) => amount - *before,
        None => amount,
    };
    usage.iter().map(|(name, amount)| (name.clone(), delta(name, *amount))).collect()
}

/// A quota that counts this object.
struct Account {
    quota: Arc<ResourceQuota>,
    hard: Amounts,
    used: Amounts,
}

/// The quota's account, if it counts the object: by its kind and its scopes.
fn account(
    admission: &Admission<'_>,
    object: &Object,
    quota: Arc<ResourceQuota>,
) -> ApiResult<Option<Account>> {
    let status = quota.status.as_ref();
    let hard = resources::amounts(status.and_then(|status| status.hard.as_ref()));
    let counted: BTreeSet<&str> = hard
        .keys()
        .map(String::as_str)
        .filter(|name| quota::counts(admission.kind, name))
        .collect();
    if counted.is_empty() || !quota::in_scopes(&quota, object) {
        return Ok(None);
    }
    let name = quota.metadata.name.as_deref().unwrap_or_default();
    let pod = object.get::<Pod>().and_then(|pod| pod.spec.as_ref());
    if let Some(why) = pod.and_then(|pod| quota::unstated(pod, &counted)) {
        return Err(admission.forbidden(format!("failed quota: {name}: {why}")));
    }
    let used = resources::amounts(status.and_then(|status| status.used.as_ref()));
    if !counted.iter().all(|name| used.contains_key(*name)) {
        let counted: Vec<&str> = counted.into_iter().collect();
        let why = format!("status unknown for quota: {name}, resources: {}", counted.join(","));
        return Err(admission.forbidden(why));
    }
    Ok(Some(Account { hard, used, quota }))
}

impl Account {
    /// The quota after the charge, if that changes it.
    fn charge(self, admission: &Admission<'_>, mut delta: Amounts) -> ApiResult<Option<Object>> {
        delta.retain(|name, amount| *amount > Amount::ZERO && self.hard.contains_key(name));
        if delta.is_empty() {
            return Ok(None);
        }
        let mut used = self.used.clone();
        resources::add(&mut used, &delta);
        let exceeded: BTreeSet<&str> = delta
            .keys()
            .map(String::as_str)
            .filter(|name| used.get(*name) > self.hard.get(*name))
            .collect();
        // What a controller reports has happened already.
        if !exceeded.is_empty() && admission.subresource != "status" {
            return Err(admission.forbidden(format!(
                "exceeded quota: {}, requested: {}, used: {}, limited: {}",
                self.quota.metadata.name.as_deref().unwrap_or_default(),
                told(&delta, &exceeded),
                told(&self.used, &exceeded),
                told(&self.hard, &exceeded)
            )));
        }
        let mut quota = ResourceQuota::clone(&self.quota);
        quota.status.get_or_insert_default().used = Some(resources::list(&used));
        Ok(Some(Object::new(quota)))
    }
}

/// `cpu=1,memory=1Gi`, of these names only.
fn told(amounts: &Amounts, names: &BTreeSet<&str>) -> String {
    let told = amounts.iter().filter(|(name, _)| names.contains(name.as_str()));
    told.map(|(name, amount)| format!("{name}={amount}")).collect::<Vec<_>>().join(",")
}
