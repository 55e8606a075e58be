//! How many pods a budget expects, by the scale of their controllers.
//!
//! Upstream: `getExpectedPodCount` in `pkg/controller/disruption/disruption.go`.

use crate::controller_ref::controller_of;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::api::core::v1::{Pod, ReplicationController};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use naru_api::gofmt::quote;
use naru_api::{Key, Kube, Op, Response, intstr, scheme};
use naru_client::{Cache, Context, Error};
use std::collections::{BTreeMap, BTreeSet};

/// What a budget expects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Expected {
    /// The pods there should be.
    pub total: i32,
    /// How many of them have to be healthy.
    pub desired: i32,
    /// Some of the pods have no controller that could tell how many there should be.
    pub unmanaged: bool,
}

/// What a budget expects of the pods that it covers.
pub(super) fn expected_pods(
    context: &mut Context<'_>,
    budget: &PodDisruptionBudget,
    covered: &[&Pod],
) -> Result<Expected, Error> {
    let Some(spec) = &budget.spec else { return Ok(Expected::default()) };
    let (limit, is_minimum) = match (&spec.max_unavailable, &spec.min_available) {
        (Some(limit), _) => (limit, false),
        (None, Some(IntOrString::Int(desired))) => {
            let total = covered.len() as i32;
            return Ok(Expected { total, desired: *desired, unmanaged: false });
        }
        (None, Some(limit)) => (limit, true),
        (None, None) => return Ok(Expected::default()),
    };
    let (total, unmanaged) = total_scale(context, covered)?;
    let count = intstr::scaled(limit, total, true).ok_or_else(|| {
        let text = quote(&intstr::text(limit));
        Error::Other(format!("invalid value for IntOrString: invalid value {text}"))
    })?;
    let desired = if is_minimum { count } else { (total - count).max(0) };
    Ok(Expected { total, desired, unmanaged })
}

/// The sum of the scales of all controllers of the pods, and whether a pod has none.
fn total_scale(context: &mut Context<'_>, covered: &[&Pod]) -> Result<(i32, bool), Error> {
    let mut scales: BTreeMap<String, i32> = BTreeMap::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut unmanaged = false;
    for pod in covered {
        let Some(owner) = controller_of(&pod.metadata) else {
            unmanaged = true;
            continue;
        };
        if !seen.insert(&owner.uid) {
            continue;
        }
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let found = match built_in_scale(context.cache, owner, namespace) {
            None => custom_scale(context, owner, namespace)?,
            found => found,
        };
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let (uid, scale) = found
            .ok_or_else(|| Error::Other(format!("found no controllers for pod {}", quote(name))))?;
        scales.insert(uid, scale);
    }
    Ok((scales.into_values().fold(0, i32::saturating_add), unmanaged))
}

/// The uid and the scale of a controller of pods. A ReplicaSet of a Deployment counts as that.
fn built_in_scale(cache: &Cache, owner: &OwnerReference, namespace: &str) -> Option<(String, i32)> {
    let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
    match (group, owner.kind.as_str()) {
        ("", "ReplicationController") => {
            let found = get::<ReplicationController>(cache, namespace, owner)?;
            scale(found, found.spec.as_ref()?.replicas)
        }
        ("apps" | "extensions", "ReplicaSet") => {
            let set = get::<ReplicaSet>(cache, namespace, owner)?;
            match controller_of(&set.metadata).filter(|owner| owner.kind == "Deployment") {
                Some(owner) => {
                    let found = get::<Deployment>(cache, namespace, owner)?;
                    scale(found, found.spec.as_ref()?.replicas)
                }
                None => scale(set, set.spec.as_ref()?.replicas),
            }
        }
        ("apps", "StatefulSet") => {
            let found = get::<StatefulSet>(cache, namespace, owner)?;
            scale(found, found.spec.as_ref()?.replicas)
        }
        _ => None,
    }
}

fn get<'c, K: Kube>(cache: &'c Cache, namespace: &str, owner: &OwnerReference) -> Option<&'c K> {
    let found = cache.get::<K>(&Key::new(namespace, owner.name.clone()))?;
    (found.metadata().uid.as_ref() == Some(&owner.uid)).then_some(found)
}

fn scale<K: Kube>(controller: &K, replicas: Option<i32>) -> Option<(String, i32)> {
    Some((controller.metadata().uid.clone()?, replicas.unwrap_or(1)))
}

/// The scale of any other kind, if it has one.
fn custom_scale(
    context: &mut Context<'_>,
    owner: &OwnerReference,
    namespace: &str,
) -> Result<Option<(String, i32)>, Error> {
    let kinds = context.client.api().kinds();
    let Some(kind) = scheme::by_kind(&kinds, &owner.api_version, &owner.kind) else {
        let (kind, version) = (quote(&owner.kind), quote(&owner.api_version));
        return Err(Error::Other(format!("no matches for kind {kind} in version {version}")));
    };
    if !kind.subresources.contains(&"scale") {
        let resource = kind.group_resource();
        return Err(Error::Other(format!("{resource} does not implement the scale subresource")));
    }
    match context.client.send(kind, namespace, &owner.name, "scale", Op::Get) {
        Ok(Response::Object(object)) if object.uid() == owner.uid => {
            let wanted = object.get::<Scale>().and_then(|scale| scale.spec.as_ref());
            let replicas = wanted.and_then(|spec| spec.replicas).unwrap_or(0);
            Ok(Some((owner.uid.clone(), replicas)))
        }
        Ok(_) => Ok(None),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}
