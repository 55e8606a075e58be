//! One look at an autoscaler.
//!
//! Upstream: `reconcileAutoscaler` in `pkg/controller/podautoscaler/horizontal.go`.

use super::HorizontalController;
use super::normalize::Limits;
use super::proposals::{Workload, propose};
use k8s_openapi::api::autoscaling::v1::{Scale, ScaleSpec};
use k8s_openapi::api::autoscaling::v2::{
    HorizontalPodAutoscaler, HorizontalPodAutoscalerCondition, HorizontalPodAutoscalerSpec,
    HorizontalPodAutoscalerStatus, MetricStatus,
};
use naru_api::gofmt::quote;
use naru_api::labels::Selector;
use naru_api::request::Body;
use naru_api::time::meta_time;
use naru_api::{Key, KindRef, Object, Op, Response, scheme};
use naru_client::{Context, EventType};
use naru_sim::Time;

/// What is known of an autoscaler while it is looked at.
pub(super) struct Sync<'c> {
    object: &'c Object,
    autoscaler: &'c HorizontalPodAutoscaler,
    spec: HorizontalPodAutoscalerSpec,
    /// What the status becomes.
    status: HorizontalPodAutoscalerStatus,
    now: Time,
}

/// The scale of the workload, and the kind it is the scale of.
struct Target {
    kind: KindRef,
    scale: Scale,
}

/// What the metrics come to.
struct Computed {
    replicas: i32,
    /// The metric that asks for most.
    metric: String,
    statuses: Vec<MetricStatus>,
}

impl<'c> Sync<'c> {
    pub fn new(object: &'c Object, autoscaler: &'c HorizontalPodAutoscaler, now: Time) -> Self {
        Sync {
            object,
            autoscaler,
            spec: autoscaler.spec.clone().unwrap_or_default(),
            status: autoscaler.status.clone().unwrap_or_default(),
            now,
        }
    }

    /// Looks at the metrics and scales. The error has been told by an event.
    pub fn run(
        mut self,
        controller: &mut HorizontalController,
        context: &mut Context<'_>,
        key: &Key,
    ) -> Result<(), String> {
        let target = match self.target(context) {
            Ok(target) => target,
            Err(error) => {
                context.event(self.object, EventType::Warning, "FailedGetScale", &error);
                let text = format!(
                    "the HPA controller was unable to get the target's current scale: {error}"
                );
                self.set_condition("AbleToScale", false, "FailedGetScale", &text);
                self.write(context);
                return Err(error);
            }
        };
        let text = "the HPA controller was able to get the target's current scale";
        self.set_condition("AbleToScale", true, "SucceededGetScale", text);
        let current = target.scale.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0);
        controller.known.entry(key.clone()).or_default().memory.begin(current, self.now);
        let (min, max) = (self.spec.min_replicas.unwrap_or(1), self.spec.max_replicas);
        let mut statuses = Vec::new();
        let (desired, reason) = match () {
            () if current == 0 && min != 0 => {
                let text = "scaling is disabled since the replica count of the target is zero";
                self.set_condition("ScalingActive", false, "ScalingDisabled", text);
                (current, String::new())
            }
            () if current > max => {
                (max, "Current number of replicas above Spec.MaxReplicas".to_owned())
            }
            () if current < min => {
                (min, "Current number of replicas below Spec.MinReplicas".to_owned())
            }
            () => match self.compute(controller, context, key, &target) {
                Ok(computed) => {
                    statuses = computed.statuses;
                    let reason = match computed.replicas {
                        replicas if replicas > current => {
                            format!("{} above target", computed.metric)
                        }
                        replicas if replicas < current => "All metrics below target".to_owned(),
                        _ => String::new(),
                    };
                    (self.normalize(controller, key, current, computed.replicas), reason)
                }
                Err((error, statuses)) => {
                    self.set_status(current, self.status.desired_replicas, statuses);
                    self.write(context);
                    let reason = "FailedComputeMetricsReplicas";
                    context.event(self.object, EventType::Warning, reason, &error);
                    return Err(error);
                }
            },
        };
        if desired != current {
            self.rescale(controller, context, key, &target, desired, &reason, &statuses)?;
        }
        self.set_status(current, desired, statuses);
        self.write(context);
        Ok(())
    }

    fn limits(&self) -> Limits<'_> {
        Limits {
            min: self.spec.min_replicas.unwrap_or(1),
            max: self.spec.max_replicas,
            behavior: self.spec.behavior.as_ref(),
            now: self.now,
        }
    }

    fn target(&self, context: &mut Context<'_>) -> Result<Target, String> {
        let reference = &self.spec.scale_target_ref;
        let version = reference.api_version.as_deref().unwrap_or_default();
        let group = match version.split('/').collect::<Vec<_>>().as_slice() {
            [_] => "",
            [group, _] => *group,
            _ => return Err(format!("unexpected GroupVersion string: {version}")),
        };
        let kinds = scheme::preferred(&context.client.api().kinds());
        let mut kinds = kinds.iter().filter(|k| k.group == group && k.kind == reference.kind);
        let Some(kind) = kinds.next().cloned() else {
            let group = quote(group);
            let kind = quote(&reference.kind);
            return Err(format!("no matches for kind {kind} in group {group}"));
        };
        let namespace = self.object.namespace();
        let got = context.client.send(kind.clone(), namespace, &reference.name, "scale", Op::Get);
        match got.map_err(|error| error.to_string())? {
            Response::Object(object) => match object.get::<Scale>() {
                Some(scale) => Ok(Target { kind, scale: scale.clone() }),
                None => Err("unrecognized resource".to_owned()),
            },
            _ => Err("unrecognized resource".to_owned()),
        }
    }

    /// The number of pods that the metric which asks for most asks for.
    fn compute(
        &mut self,
        controller: &mut HorizontalController,
        context: &mut Context<'_>,
        key: &Key,
        target: &Target,
    ) -> Result<Computed, (String, Vec<MetricStatus>)> {
        let selector =
            self.selector(controller, context, key, target).map_err(|error| (error, Vec::new()))?;
        let scale = &target.scale;
        let workload = Workload {
            namespace: self.object.namespace(),
            selector: &selector,
            wanted: scale.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0),
            there: scale.status.as_ref().map_or(0, |status| status.replicas),
        };
        let specs = self.spec.metrics.clone().unwrap_or_default();
        let mut statuses = Vec::new();
        let (mut replicas, mut metric, mut refused, mut first) = (0, String::new(), 0, None);
        for spec in &specs {
            match propose(context, &workload, spec) {
                Ok(outcome) => {
                    statuses.push(outcome.status);
                    if replicas == 0 || outcome.replicas > replicas {
                        (replicas, metric) = (outcome.replicas, outcome.name);
                    }
                }
                Err(refusal) => {
                    let (reason, text) = (refusal.reason, &refusal.text);
                    context.event(self.object, EventType::Warning, reason, text);
                    statuses.push(MetricStatus::default());
                    refused += 1;
                    first.get_or_insert(refusal);
                }
            }
        }
        if let Some(first) = first
            && (refused >= specs.len() || replicas < workload.wanted)
        {
            let text = format!("the HPA was unable to compute the replica count: {}", first.text);
            self.set_condition("ScalingActive", false, first.reason, &text);
            let error = format!(
                "invalid metrics ({refused} invalid out of {}), first error is: {}",
                specs.len(),
                first.error
            );
            return Err((error, statuses));
        }
        let text =
            format!("the HPA was able to successfully calculate a replica count from {metric}");
        self.set_condition("ScalingActive", true, "ValidMetricFound", &text);
        Ok(Computed { replicas, metric, statuses })
    }

    /// The selector of the workload's pods, if no other autoscaler has the same.
    fn selector(
        &mut self,
        controller: &mut HorizontalController,
        context: &mut Context<'_>,
        key: &Key,
        target: &Target,
    ) -> Result<Selector, String> {
        let status = target.scale.status.as_ref();
        let text = status.and_then(|status| status.selector.as_deref()).unwrap_or_default();
        if text.is_empty() {
            let error = "selector is required";
            context.event(self.object, EventType::Warning, "SelectorRequired", error);
            let message = "the HPA target's scale is missing a selector";
            self.set_condition("ScalingActive", false, "InvalidSelector", message);
            return Err(error.to_owned());
        }
        let selector = Selector::parse(text).map_err(|error| {
            let error = format!(
                "couldn't convert selector into a corresponding internal selector object: {error}"
            );
            context.event(self.object, EventType::Warning, "InvalidSelector", &error);
            self.set_condition("ScalingActive", false, "InvalidSelector", &error);
            error
        })?;
        let known = controller.known.entry(key.clone()).or_default();
        known.selector = Some(selector.clone());
        let scalers = controller.scalers_of(context.cache, &key.namespace, &selector);
        if scalers.len() > 1 {
            let names: Vec<String> =
                scalers.iter().map(|key| format!("{{{} {}}}", key.name, key.namespace)).collect();
            let error = format!(
                "pods by selector {text} are controlled by multiple HPAs: [{}]",
                names.join(" ")
            );
            context.event(self.object, EventType::Warning, "AmbiguousSelector", &error);
            self.set_condition("ScalingActive", false, "AmbiguousSelector", &error);
            return Err(error);
        }
        Ok(selector)
    }

    fn normalize(
        &mut self,
        controller: &mut HorizontalController,
        key: &Key,
        current: i32,
        proposed: i32,
    ) -> i32 {
        let known = controller.known.entry(key.clone()).or_default();
        let normalized = known.memory.normalize(&self.limits(), current, proposed);
        let (reason, message) = normalized.able;
        self.set_condition("AbleToScale", true, reason, message);
        let (limited, reason, message) = normalized.limited;
        self.set_condition("ScalingLimited", limited, reason, message);
        normalized.replicas
    }

    #[expect(clippy::too_many_arguments, reason = "what a change of scale is about")]
    fn rescale(
        &mut self,
        controller: &mut HorizontalController,
        context: &mut Context<'_>,
        key: &Key,
        target: &Target,
        desired: i32,
        reason: &str,
        statuses: &[MetricStatus],
    ) -> Result<(), String> {
        let current = target.scale.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0);
        let mut scale = target.scale.clone();
        scale.spec = Some(ScaleSpec { replicas: Some(desired) });
        let (namespace, name) = (self.object.namespace(), &self.spec.scale_target_ref.name);
        let op = Op::Update(Body::Object(Object::new(scale)));
        if let Err(error) = context.client.send(target.kind.clone(), namespace, name, "scale", op) {
            let text = format!("New size: {desired}; reason: {reason}; error: {error}");
            context.event(self.object, EventType::Warning, "FailedRescale", &text);
            let text = format!("the HPA controller was unable to update the target scale: {error}");
            self.set_condition("AbleToScale", false, "FailedUpdateScale", &text);
            self.set_status(current, self.status.desired_replicas, statuses.to_vec());
            self.write(context);
            return Err(error.to_string());
        }
        let text = format!("the HPA controller was able to update the target scale to {desired}");
        self.set_condition("AbleToScale", true, "SucceededRescale", &text);
        let text = format!("New size: {desired}; reason: {reason}");
        context.event(self.object, EventType::Normal, "SuccessfulRescale", &text);
        let known = controller.known.entry(key.clone()).or_default();
        known.memory.scaled(&self.limits(), current, desired);
        self.status.last_scale_time = Some(meta_time(self.now));
        Ok(())
    }

    fn set_status(&mut self, current: i32, desired: i32, statuses: Vec<MetricStatus>) {
        self.status.current_replicas = crate::util::nonzero(current);
        self.status.desired_replicas = desired;
        self.status.current_metrics = (!statuses.is_empty()).then_some(statuses);
        self.status.observed_generation = None;
    }

    fn set_condition(&mut self, type_: &str, status: bool, reason: &str, message: &str) {
        let status = if status { "True" } else { "False" };
        let conditions = self.status.conditions.get_or_insert_default();
        let index = match conditions.iter().position(|old| old.type_ == type_) {
            Some(index) => index,
            None => {
                conditions.push(HorizontalPodAutoscalerCondition {
                    type_: type_.to_owned(),
                    ..HorizontalPodAutoscalerCondition::default()
                });
                conditions.len() - 1
            }
        };
        let Some(condition) = conditions.get_mut(index) else { return };
        if condition.status != status {
            condition.last_transition_time = Some(meta_time(self.now));
        }
        condition.status = status.to_owned();
        condition.reason = Some(reason.to_owned());
        condition.message = Some(message.to_owned());
    }

    fn write(&mut self, context: &mut Context<'_>) {
        if self.autoscaler.status.as_ref() == Some(&self.status) {
            return;
        }
        let changed = HorizontalPodAutoscaler {
            status: Some(self.status.clone()),
            ..self.autoscaler.clone()
        };
        if let Err(error) = context.client.update_status(changed) {
            let text = error.to_string();
            context.event(self.object, EventType::Warning, "FailedUpdateStatus", &text);
        }
    }
}
