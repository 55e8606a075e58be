//! `LimitRanger`: what a namespace's LimitRanges say containers, pods and claims may ask for.
//!
//! Upstream: `plugin/pkg/admission/limitranger/admission.go`.

use super::{Admission, Operation, aggregate};
use naru_api::k8s_openapi::api::core::v1::{
    Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod,
};
use naru_api::quantity::Amount;
use naru_api::resources::{self, Amounts, List, Side};
use naru_api::{Object, status::ApiResult};
use std::sync::Arc;

const ANNOTATION: &str = "kubernetes.io/limit-ranger";
/// Above this, upstream compares whole units, not thousandths.
const MILLI_MAX: i64 = i64::MAX / 1000;

pub(super) fn mutate(admission: &Admission<'_>, object: &mut Object) -> ApiResult<()> {
    for range in ranges(admission, object) {
        if let Some(pod) = object.edit::<Pod>() {
            fill_in(&range, pod);
        }
    }
    Ok(())
}

pub(super) fn validate(admission: &Admission<'_>, object: &Object) -> ApiResult<()> {
    for range in ranges(admission, object) {
        let mut problems = Vec::new();
        for item in range.spec.iter().flat_map(|spec| &spec.limits) {
            if let Some(pod) = object.get::<Pod>() {
                check_pod(item, pod, &mut problems);
            } else if let Some(claim) = object.get::<PersistentVolumeClaim>() {
                check_claim(item, claim, &mut problems);
            }
        }
        if let Some(why) = aggregate(problems) {
            return Err(admission.forbidden(why));
        }
    }
    Ok(())
}

/// The LimitRanges that this request falls under.
fn ranges(admission: &Admission<'_>, object: &Object) -> Vec<Arc<LimitRange>> {
    let is_pod = object.get::<Pod>().is_some();
    let concerned = match (admission.operation, admission.subresource) {
        (Operation::Create, "") => is_pod || object.get::<PersistentVolumeClaim>().is_some(),
        // Containers of a pod change by the subresource only.
        (Operation::Update(_), "") => object.get::<PersistentVolumeClaim>().is_some(),
        (Operation::Update(_), "resize") => is_pod,
        _ => false,
    };
    let going = matches!(admission.operation, Operation::Update(old)
        if old.meta().deletion_timestamp.is_some());
    if concerned && !going { admission.list(admission.namespace) } else { Vec::new() }
}

/// Gives containers the requests and limits that they do not state, and writes down which.
fn fill_in(range: &LimitRange, pod: &mut Pod) {
    let (mut requests, mut limits) = (List::new(), List::new());
    for item in range.spec.iter().flat_map(|spec| &spec.limits) {
        if item.type_ == "Container" {
            requests.extend(item.default_request.clone().unwrap_or_default());
            limits.extend(item.default.clone().unwrap_or_default());
        }
    }
    let Some(spec) = &mut pod.spec else { return };
    let mut notes = Vec::new();
    for container in &mut spec.containers {
        fill_in_container(container, "container", &requests, &limits, &mut notes);
    }
    for container in spec.init_containers.iter_mut().flatten() {
        fill_in_container(container, "init container", &requests, &limits, &mut notes);
    }
    if !notes.is_empty() {
        let note = format!("LimitRanger plugin set: {}", notes.join("; "));
        pod.metadata.annotations.get_or_insert_default().insert(ANNOTATION.to_owned(), note);
    }
}

fn fill_in_container(
    container: &mut Container,
    what: &str,
    requests: &List,
    limits: &List,
    notes: &mut Vec<String>,
) {
    if requests.is_empty() && limits.is_empty() {
        return;
    }
    let resources = container.resources.get_or_insert_default();
    let set_limits = fill_in_list(resources.limits.get_or_insert_default(), limits);
    let set_requests = fill_in_list(resources.requests.get_or_insert_default(), requests);
    for (side, set) in [("request", set_requests), ("limit", set_limits)] {
        if !set.is_empty() {
            notes.push(format!("{} {side} for {what} {}", set.join(", "), container.name));
        }
    }
}

/// Adds what is missing; answers with its names.
fn fill_in_list<'a>(list: &mut List, defaults: &'a List) -> Vec<&'a str> {
    let mut set = Vec::new();
    for (name, quantity) in defaults {
        if !list.contains_key(name) {
            list.insert(name.clone(), quantity.clone());
            set.push(name.as_str());
        }
    }
    set
}

fn check_pod(item: &LimitRangeItem, pod: &Pod, problems: &mut Vec<String>) {
    let Some(spec) = &pod.spec else { return };
    match item.type_.as_str() {
        "Container" => {
            let inits = spec.init_containers.iter().flatten();
            for container in spec.containers.iter().chain(inits) {
                let amounts = |side| resources::amounts(resources::of_container(container, side));
                check(item, &amounts(Side::Requests), &amounts(Side::Limits), problems);
            }
        }
        "Pod" => {
            let amounts = |side| resources::of_pod(spec, side);
            check(item, &amounts(Side::Requests), &amounts(Side::Limits), problems);
        }
        _ => {}
    }
}

fn check(item: &LimitRangeItem, requests: &Amounts, limits: &Amounts, problems: &mut Vec<String>) {
    let of = |list: &Option<List>| resources::amounts(list.as_ref());
    let kind = &item.type_;
    let sides = |name: &String| (requests.get(name).copied(), limits.get(name).copied());
    for (name, bound) in of(&item.min) {
        let (request, limit) = sides(&name);
        problems.extend(below_min(kind, &name, bound, request, limit));
    }
    for (name, bound) in of(&item.max) {
        let (request, limit) = sides(&name);
        problems.extend(above_max(kind, &name, bound, request, limit));
    }
    for (name, bound) in of(&item.max_limit_request_ratio) {
        let (request, limit) = sides(&name);
        problems.extend(above_ratio(kind, &name, bound, request, limit));
    }
}

/// Only what a claim requests counts: its limits are nothing that a user says.
fn check_claim(item: &LimitRangeItem, claim: &PersistentVolumeClaim, problems: &mut Vec<String>) {
    if item.type_ != "PersistentVolumeClaim" {
        return;
    }
    let wanted = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref());
    let requests = resources::amounts(wanted.and_then(|wanted| wanted.requests.as_ref()));
    for (name, bound) in resources::amounts(item.min.as_ref()) {
        problems.extend(below_min(&item.type_, &name, bound, requests.get(&name).copied(), None));
    }
    for (name, bound) in resources::amounts(item.max.as_ref()) {
        let usage = format!("maximum {name} usage per {} is {bound}", item.type_);
        match requests.get(&name) {
            None => problems.push(format!("{usage}.  No request is specified")),
            Some(request) if less(bound, *request) => {
                problems.push(format!("{usage}, but request is {request}"));
            }
            Some(_) => {}
        }
    }
}

/// Compared in thousandths as long as that is possible.
fn less(one: Amount, other: Amount) -> bool {
    match one.value() <= MILLI_MAX && other.value() <= MILLI_MAX {
        true => one.milli_value() < other.milli_value(),
        false => one.value() < other.value(),
    }
}

fn below_min(
    kind: &str,
    name: &str,
    bound: Amount,
    request: Option<Amount>,
    limit: Option<Amount>,
) -> Option<String> {
    let usage = format!("minimum {name} usage per {kind} is {bound}");
    match (request, limit) {
        (None, _) => Some(format!("{usage}.  No request is specified")),
        (Some(request), _) if less(request, bound) => {
            Some(format!("{usage}, but request is {request}"))
        }
        (_, Some(limit)) if less(limit, bound) => Some(format!("{usage}, but limit is {limit}")),
        _ => None,
    }
}

fn above_max(
    kind: &str,
    name: &str,
    bound: Amount,
    request: Option<Amount>,
    limit: Option<Amount>,
) -> Option<String> {
    let usage = format!("maximum {name} usage per {kind} is {bound}");
    match (request, limit) {
        (_, None) => Some(format!("{usage}.  No limit is specified")),
        (_, Some(limit)) if less(bound, limit) => Some(format!("{usage}, but limit is {limit}")),
        (Some(request), _) if less(bound, request) => {
            Some(format!("{usage}, but request is {request}"))
        }
        _ => None,
    }
}

fn above_ratio(
    kind: &str,
    name: &str,
    bound: Amount,
    request: Option<Amount>,
    limit: Option<Amount>,
) -> Option<String> {
    let start = format!("{name} max limit to request ratio per {kind} is {bound}, but");
    let stated = |amount: Option<Amount>| amount.filter(|amount| !amount.is_zero());
    let Some(request) = stated(request) else {
        return Some(format!("{start} no request is specified or request is 0"));
    };
    let Some(limit) = stated(limit) else {
        return Some(format!("{start} no limit is specified or limit is 0"));
    };
    // Go's floats, as the message shows them.
    let ratio = limit.milli_value() as f64 / request.milli_value() as f64;
    let exceeds = ratio * 1000.0 > bound.milli_value() as f64;
    exceeds.then(|| format!("{start} provided ratio is {ratio:.6}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn problems(item: Value, containers: Value) -> Vec<String> {
        let item: LimitRangeItem = serde_json::from_value(item).unwrap();
        let pod = json!({"spec": {"containers": containers}});
        let mut problems = Vec::new();
        check_pod(&item, &serde_json::from_value(pod).unwrap(), &mut problems);
        problems
    }

    #[test]
    fn messages_are_upstreams() {
        let one = |requests: Value, limits: Value| json!([{"name": "a", "resources": {"requests": requests, "limits": limits}}]);
        let table = [
            (
                json!({"type": "Container", "max": {"memory": "1Gi"}}),
                one(json!({}), json!({"memory": "2Gi"})),
                vec!["maximum memory usage per Container is 1Gi, but limit is 2Gi"],
            ),
            (
                json!({"type": "Container", "max": {"cpu": "1", "memory": "1Gi"}}),
                one(json!({}), json!({"cpu": "1500m"})),
                vec![
                    "maximum cpu usage per Container is 1, but limit is 1500m",
                    "maximum memory usage per Container is 1Gi.  No limit is specified",
                ],
            ),
            (
                json!({"type": "Container", "min": {"cpu": "100m"}}),
                one(json!({"cpu": "50m"}), json!({})),
                vec!["minimum cpu usage per Container is 100m, but request is 50m"],
            ),
            (
                json!({"type": "Container", "min": {"cpu": "100m"}}),
                one(json!({}), json!({})),
                vec!["minimum cpu usage per Container is 100m.  No request is specified"],
            ),
            (
                json!({"type": "Pod", "maxLimitRequestRatio": {"memory": "1500m"}}),
                one(json!({"memory": "100Mi"}), json!({"memory": "200Mi"})),
                vec![
                    "memory max limit to request ratio per Pod is 1500m, but provided ratio is \
                     2.000000",
                ],
            ),
            (
                json!({"type": "Pod", "maxLimitRequestRatio": {"cpu": "2"}}),
                one(json!({}), json!({"cpu": "1"})),
                vec![
                    "cpu max limit to request ratio per Pod is 2, but no request is specified or \
                     request is 0",
                ],
            ),
            (
                json!({"type": "Container", "max": {"cpu": "1"}}),
                one(json!({"cpu": "1"}), json!({"cpu": "1"})),
                vec![],
            ),
        ];
        for (item, containers, expected) in table {
            assert_eq!(problems(item.clone(), containers), expected, "{item}");
        }
    }

    #[test]
    fn defaults_are_filled_in_and_noted() {
        let range = serde_json::from_value(json!({"spec": {"limits": [{"type": "Container",
            "default": {"cpu": "1", "memory": "1Gi"}, "defaultRequest": {"cpu": "500m"}}]}}));
        let mut pod: Pod = serde_json::from_value(json!({"spec": {
            "containers": [{"name": "a"}, {"name": "b", "resources": {"limits": {"cpu": "2"}}}],
            "initContainers": [{"name": "i"}]}}))
        .unwrap();
        fill_in(&range.unwrap(), &mut pod);
        assert_eq!(
            pod.metadata.annotations.unwrap()[ANNOTATION],
            "LimitRanger plugin set: cpu request for container a; cpu, memory limit for container \
             a; cpu request for container b; memory limit for container b; cpu request for init \
             container i; cpu, memory limit for init container i"
        );
        let second = &pod.spec.unwrap().containers[1];
        let limits = serde_json::to_value(&second.resources.as_ref().unwrap().limits).unwrap();
        assert_eq!(limits, json!({"cpu": "2", "memory": "1Gi"}));
    }

    #[test]
    fn claims_have_bounds_too() {
        let item = json!({"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"},
            "max": {"storage": "2Gi"}});
        let item: LimitRangeItem = serde_json::from_value(item).unwrap();
        let told = |storage: &str| {
            let claim = json!({"spec": {"resources": {"requests": {"storage": storage}}}});
            let mut problems = Vec::new();
            check_claim(&item, &serde_json::from_value(claim).unwrap(), &mut problems);
            problems
        };
        let start = "storage usage per PersistentVolumeClaim is";
        assert_eq!(told("500Mi"), [format!("minimum {start} 1Gi, but request is 500Mi")]);
        assert_eq!(told("3Gi"), [format!("maximum {start} 2Gi, but request is 3Gi")]);
        assert_eq!(told("2Gi"), [""; 0]);
    }
}
