//! The `eviction` subresource: a pod goes, unless a disruption budget needs it.
//!
//! Upstream: `pkg/registry/core/pod/storage/eviction.go`.

use super::success;
use crate::admit::{self, Admission, Operation};
use crate::{ApiServer, keys};
use naru_api::k8s_openapi::api::core::v1::{Pod, PodCondition};
use naru_api::k8s_openapi::api::policy::v1::{Eviction, PodDisruptionBudget};
use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    Condition, DeleteOptions as Asked, Status,
};
use naru_api::labels::Selector;
use naru_api::request::{Body, DeleteOptions, Propagation};
use naru_api::{ApiError, Kube, Object, Request, pods, status::ApiResult, time};
use naru_sim::CauseId;
use serde_json::Value;
use std::sync::Arc;

const REFUSED: &str = "Cannot evict pod as it would violate the pod's disruption budget.";
/// Evictions that nobody has confirmed yet, in one budget.
const DISRUPTED_PODS_MAX: usize = 2_000;
const CAUSE: &str = "DisruptionBudget";

impl ApiServer {
    /// Evicts a pod.
    pub(crate) fn evict(&mut self, request: &Request, body: Body) -> ApiResult<Box<Status>> {
        let cause = self.record(request, "create", &request.name);
        let mut object = self.decode_as(request, &Eviction::kind(), as_v1(body))?;
        if object.name() != request.name {
            return Err(ApiError::bad_request(
                "name in URL does not match name in Eviction object",
            ));
        }
        let admission = Admission::new(&*self.store, &self.authorizer, request, Operation::Create);
        admit::mutate(&admission, &mut object, &mut self.rng)?;
        let asked = object.get::<Eviction>().and_then(|eviction| eviction.delete_options.clone());
        let options = options(asked.as_ref());
        let dry_run = request.dry_run || asked.is_some_and(|asked| asked.dry_run.is_some());
        let request = Request { dry_run, ..request.clone() };
        let found = self.find(&request.kind, &request.namespace, &request.name)?;
        if let Some(pod) = found.get::<Pod>().filter(|pod| !disrupts_nothing(pod)) {
            self.charge_budget(&request, pod, cause)?;
        }
        self.mark_and_delete(&request, &found, &options, cause)?;
        Ok(success())
    }

    /// Takes the pod off the budget that covers it.
    fn charge_budget(&mut self, request: &Request, pod: &Pod, cause: CauseId) -> ApiResult<()> {
        let mut budgets = self.budgets(request, pod);
        let Some(budget) = budgets.pop() else { return Ok(()) };
        if !budgets.is_empty() {
            let why = "This pod has more than one PodDisruptionBudget, which the eviction \
                       subresource does not support.";
            return Err(ApiError::new(500, "", why));
        }
        if !pods::is_ready(pod) && spares_unready(&budget) {
            return Ok(());
        }
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let charged = self.charged(&budget, name)?;
        if request.dry_run {
            return Ok(());
        }
        let key = keys::of_object(&charged.kind(), charged.namespace(), charged.name());
        self.put(key, charged.revision(), charged, cause).map(drop)
    }

    fn budgets(&self, request: &Request, pod: &Pod) -> Vec<Arc<PodDisruptionBudget>> {
        let prefix = keys::of_namespace(&PodDisruptionBudget::kind(), &request.namespace);
        let labels = pod.metadata.labels.as_ref();
        let covers = |budget: &Arc<PodDisruptionBudget>| {
            let selector = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
            Selector::from_label_selector(selector).is_ok_and(|found| found.matches(labels))
        };
        let budgets = self.store.range(&prefix).filter_map(Object::arc);
        budgets.filter(covers).collect()
    }

    /// The budget with one disruption less, or why there is none left.
    ///
    /// Upstream: `checkAndDecrement`.
    fn charged(&self, budget: &PodDisruptionBudget, pod: &str) -> ApiResult<Object> {
        let name = budget.metadata.name.as_deref().unwrap_or_default();
        let mut status = budget.status.clone().unwrap_or_default();
        if status.observed_generation.unwrap_or(0) < budget.metadata.generation.unwrap_or(0) {
            let why =
                format!("The disruption budget {name} is still being processed by the server.");
            return Err(ApiError::too_many_requests(REFUSED, 10).with_cause(CAUSE, why, ""));
        }
        let mut kind = (*PodDisruptionBudget::kind()).clone();
        kind.plural = "poddisruptionbudget".into();
        if status.disruptions_allowed < 0 {
            let why = "pdb disruptions allowed is negative";
            return Err(ApiError::forbidden(&kind, name, why));
        }
        let disrupted = status.disrupted_pods.get_or_insert_default();
        if disrupted.len() > DISRUPTED_PODS_MAX {
            let why = "DisruptedPods map too big - too many evictions not confirmed by PDB \
                       controller";
            return Err(ApiError::forbidden(&kind, name, why));
        }
        if status.disruptions_allowed == 0 {
            let why = format!(
                "The disruption budget {name} needs {} healthy pods and has {} currently",
                status.desired_healthy, status.current_healthy
            );
            return Err(ApiError::too_many_requests(REFUSED, 0).with_cause(CAUSE, why, ""));
        }
        disrupted.insert(pod.to_owned(), time::meta_time(self.now));
        status.disruptions_allowed -= 1;
        if status.disruptions_allowed == 0 {
            let condition = Condition {
                type_: "DisruptionAllowed".to_owned(),
                status: "False".to_owned(),
                reason: "InsufficientPods".to_owned(),
                observed_generation: status.observed_generation,
                last_transition_time: time::meta_time(self.now),
                message: String::new(),
            };
            let conditions = status.conditions.get_or_insert_default();
            conditions.retain(|old| old.type_ != condition.type_);
            conditions.push(condition);
        }
        let mut budget = budget.clone();
        budget.status = Some(status);
        Ok(Object::new(budget))
    }

    /// Writes down why the pod goes, and deletes it.
    fn mark_and_delete(
        &mut self,
        request: &Request,
        found: &Object,
        options: &DeleteOptions,
        cause: CauseId,
    ) -> ApiResult<()> {
        let request = Request { subresource: "", ..request.clone() };
        let mut options = options.clone();
        let mut marked = found.clone();
        if !request.dry_run {
            check_preconditions(found, &options)?;
            if let Some(pod) = marked.edit::<Pod>() {
                pods::set_condition(pod, target(), self.now);
            }
            let key = keys::of_object(&request.kind, &request.namespace, &request.name);
            marked = self.put(key, found.revision(), marked, cause)?;
            if options.resource_version.is_some() {
                options.resource_version.clone_from(&marked.meta().resource_version);
            }
        }
        self.delete_object(&request, &marked, &options, cause).map(drop)
    }
}

/// The older version of the body is accepted too.
fn as_v1(body: Body) -> Body {
    match body {
        Body::Json(mut json) => {
            if json["apiVersion"] == "policy/v1beta1" {
                json["apiVersion"] = Value::from("policy/v1");
            }
            Body::Json(json)
        }
        body => body,
    }
}

fn options(asked: Option<&Asked>) -> DeleteOptions {
    let Some(asked) = asked else { return DeleteOptions::default() };
    let preconditions = asked.preconditions.as_ref();
    DeleteOptions {
        grace_period_seconds: asked.grace_period_seconds,
        propagation: match asked.propagation_policy.as_deref() {
            Some("Foreground") => Some(Propagation::Foreground),
            Some("Orphan") => Some(Propagation::Orphan),
            Some("Background") => Some(Propagation::Background),
            _ => None,
        },
        uid: preconditions.and_then(|wanted| wanted.uid.clone()),
        resource_version: preconditions.and_then(|wanted| wanted.resource_version.clone()),
    }
}

/// Whether the pod serves nobody: it has ended, is going, or has not begun.
fn disrupts_nothing(pod: &Pod) -> bool {
    pods::is_terminal(pod) || pods::is_terminating(pod) || pods::phase(pod) == "Pending"
}

/// Whether a budget lets pods go that are not ready, without counting them.
fn spares_unready(budget: &PodDisruptionBudget) -> bool {
    let policy =
        budget.spec.as_ref().and_then(|spec| spec.unhealthy_pod_eviction_policy.as_deref());
    let status = budget.status.as_ref();
    policy == Some("AlwaysAllow")
        || status.is_some_and(|status| {
            status.current_healthy >= status.desired_healthy && status.desired_healthy > 0
        })
}

fn target() -> PodCondition {
    PodCondition {
        type_: "DisruptionTarget".to_owned(),
        status: "True".to_owned(),
        reason: Some("EvictionByEvictionAPI".to_owned()),
        message: Some("Eviction API: evicting".to_owned()),
        ..PodCondition::default()
    }
}

/// As on a deletion, with upstream's other name of the resource.
fn check_preconditions(pod: &Object, options: &DeleteOptions) -> ApiResult<()> {
    let mut kind = (*pod.kind()).clone();
    kind.plural = "Pod".into();
    crate::delete::check_preconditions(&kind, pod, options)
}
