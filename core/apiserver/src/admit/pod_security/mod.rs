//! `PodSecurity`: pods keep the rules that their namespace's labels name.
//!
//! Upstream: `pod-security-admission/admission/admission.go`.

mod checks;
mod policy;

use super::{Admission, Operation};
use checks::{Subject, Violation};
use naru_api::k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use naru_api::k8s_openapi::api::batch::v1::{CronJob, Job};
use naru_api::k8s_openapi::api::core::v1::{
    Namespace, Pod, PodSpec, PodTemplate, PodTemplateSpec, ReplicationController,
};
use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::{ApiError, Object, status::ApiResult};
use policy::{Level, LevelVersion};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Pods of a namespace that are looked at when its labels change.
const PODS_MAX: usize = 3_000;

pub(super) fn validate(
    admission: &Admission<'_>,
    object: &Object,
    warnings: &mut Vec<String>,
) -> ApiResult<()> {
    if let Some(pod) = object.get::<Pod>() {
        return match admission.subresource {
            "" | "ephemeralcontainers" | "resize" => validate_pod(admission, pod, warnings),
            _ => Ok(()),
        };
    }
    if !admission.subresource.is_empty() {
        return Ok(());
    }
    if let Some(namespace) = object.get::<Namespace>() {
        return validate_namespace(admission, namespace, warnings);
    }
    if let Some(template) = template(object) {
        warn_of_template(admission, template, warnings);
    }
    Ok(())
}

/// What a workload makes its pods from.
fn template(object: &Object) -> Option<&PodTemplateSpec> {
    if let Some(set) = object.get::<ReplicaSet>() {
        set.spec.as_ref()?.template.as_ref()
    } else if let Some(deployment) = object.get::<Deployment>() {
        Some(&deployment.spec.as_ref()?.template)
    } else if let Some(set) = object.get::<DaemonSet>() {
        Some(&set.spec.as_ref()?.template)
    } else if let Some(set) = object.get::<StatefulSet>() {
        Some(&set.spec.as_ref()?.template)
    } else if let Some(job) = object.get::<Job>() {
        Some(&job.spec.as_ref()?.template)
    } else if let Some(job) = object.get::<CronJob>() {
        Some(&job.spec.as_ref()?.job_template.spec.as_ref()?.template)
    } else if let Some(controller) = object.get::<ReplicationController>() {
        controller.spec.as_ref()?.template.as_ref()
    } else {
        object.get::<PodTemplate>()?.template.as_ref()
    }
}

fn validate_pod(admission: &Admission<'_>, pod: &Pod, warnings: &mut Vec<String>) -> ApiResult<()> {
    let Some(namespace) = admission.find::<Namespace>("", admission.namespace) else {
        let why = format!("failed to lookup namespace \"{}\"", admission.namespace);
        return Err(ApiError::internal(why));
    };
    let (policy, _) = policy::of_labels(namespace.metadata.labels.as_ref());
    let lax = |rules: LevelVersion| rules.level == Level::Privileged;
    let Some(spec) = pod.spec.as_ref().filter(|_| !lax(policy.enforce) || !lax(policy.warn)) else {
        return Ok(());
    };
    if let Operation::Update(old) = admission.operation
        && let Some(old) = old.get::<Pod>().and_then(|pod| pod.spec.as_ref())
        && !is_significant(spec, old)
    {
        return Ok(());
    }
    let found = violations(&pod.metadata, spec, policy.enforce);
    if !found.is_empty() {
        let rules = policy.enforce;
        let why = format!("violates PodSecurity \"{rules}\": {}", details(&found));
        return Err(ApiError::forbidden(admission.kind, admission.name, &why));
    }
    warn(&pod.metadata, spec, policy.warn, warnings);
    Ok(())
}

fn violations(meta: &ObjectMeta, spec: &PodSpec, rules: LevelVersion) -> Vec<Violation> {
    checks::violations(&Subject::new(meta, spec), rules)
}

fn details(violations: &[Violation]) -> String {
    let text = |one: &Violation| format!("{} ({})", one.reason, one.detail);
    violations.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn warn(meta: &ObjectMeta, spec: &PodSpec, rules: LevelVersion, warnings: &mut Vec<String>) {
    let found = violations(meta, spec, rules);
    if !found.is_empty() {
        warnings.push(format!("would violate PodSecurity \"{rules}\": {}", details(&found)));
    }
}

fn warn_of_template(
    admission: &Admission<'_>,
    template: &PodTemplateSpec,
    warnings: &mut Vec<String>,
) {
    let Some(namespace) = admission.find::<Namespace>("", admission.namespace) else { return };
    let (policy, _) = policy::of_labels(namespace.metadata.labels.as_ref());
    if let Some(spec) = &template.spec {
        let none = ObjectMeta::default();
        warn(template.metadata.as_ref().unwrap_or(&none), spec, policy.warn, warnings);
    }
}

/// Whether an update of a pod changes what the rules look at: images, and what is added.
fn is_significant(new: &PodSpec, old: &PodSpec) -> bool {
    fn images(spec: &PodSpec) -> impl Iterator<Item = Option<&str>> {
        let inits = spec.init_containers.iter().flatten();
        spec.containers.iter().chain(inits).map(|container| container.image.as_deref())
    }
    let inits = |spec: &PodSpec| spec.init_containers.as_ref().map_or(0, Vec::len);
    let had = old.ephemeral_containers.as_deref().unwrap_or_default();
    let mut ephemeral = new.ephemeral_containers.iter().flatten();
    new.containers.len() != old.containers.len()
        || inits(new) != inits(old)
        || !images(new).eq(images(old))
        || ephemeral.any(|container| {
            let before = had.iter().find(|before| before.name == container.name);
            before.is_none_or(|before| before.image != container.image)
        })
}

fn validate_namespace(
    admission: &Admission<'_>,
    namespace: &Namespace,
    warnings: &mut Vec<String>,
) -> ApiResult<()> {
    let (new, errors) = policy::of_labels(namespace.metadata.labels.as_ref());
    let Operation::Update(old) = admission.operation else {
        return match errors.is_empty() {
            true => Ok(()),
            false => Err(ApiError::invalid(admission.kind, admission.name, &errors)),
        };
    };
    let (old, old_errors) = policy::of_labels(old.meta().labels.as_ref());
    if !errors.is_empty() && errors != old_errors {
        return Err(ApiError::invalid(admission.kind, admission.name, &errors));
    }
    let (new, old) = (new.enforce, old.enforce);
    let relaxed = new.version == old.version && new.level <= old.level;
    if new != old && new.level != Level::Privileged && !relaxed {
        warnings.extend(warnings_of_pods(admission, new));
    }
    Ok(())
}

/// What the pods of a namespace would break of its new rules.
///
/// Upstream: `EvaluatePodsInNamespace`.
fn warnings_of_pods(admission: &Admission<'_>, rules: LevelVersion) -> Vec<String> {
    let namespace = admission.name;
    let pods: Vec<Arc<Pod>> = admission.list(namespace);
    let total = pods.len();
    let mut told: BTreeMap<String, (String, usize)> = BTreeMap::new();
    for pod in one_of_each_first(pods).into_iter().take(PODS_MAX) {
        let Some(spec) = &pod.spec else { continue };
        let found = violations(&pod.metadata, spec, rules);
        if found.is_empty() {
            continue;
        }
        let reasons: Vec<&str> = found.iter().map(|one| one.reason).collect();
        let name = pod.metadata.name.clone().unwrap_or_default();
        let (first, count) = told.entry(reasons.join(", ")).or_insert_with(|| (name.clone(), 0));
        *count += 1;
        if name < *first {
            *first = name;
        }
    }
    let mut warnings = Vec::new();
    if total > PODS_MAX {
        warnings.push(format!(
            "new PodSecurity enforce level only checked against the first {PODS_MAX} of {total} \
             existing pods"
        ));
    }
    if !told.is_empty() {
        warnings.push(format!(
            "existing pods in namespace \"{namespace}\" violate the new PodSecurity enforce level \
             \"{rules}\""
        ));
    }
    let mut texts: Vec<String> = told
        .into_iter()
        .map(|(reasons, (pod, count))| match count {
            1 => format!("{pod}: {reasons}"),
            2 => format!("{pod} (and 1 other pod): {reasons}"),
            _ => format!("{pod} (and {} other pods): {reasons}", count - 1),
        })
        .collect();
    texts.sort();
    warnings.extend(texts);
    warnings
}

/// One pod of each controller first: the others are most likely like it.
fn one_of_each_first(pods: Vec<Arc<Pod>>) -> Vec<Arc<Pod>> {
    let mut seen = BTreeSet::new();
    let (mut first, rest): (Vec<_>, Vec<_>) = pods.into_iter().partition(|pod| {
        let mut owners = pod.metadata.owner_references.iter().flatten();
        let controller = owners.find(|owner| owner.controller == Some(true));
        controller.is_none_or(|owner| seen.insert(owner.uid.clone()))
    });
    first.extend(rest);
    first
}
