//! Lists of resources: what containers, pods and claims ask for, and sums of that.
//!
//! Upstream: `component-helpers/resource/helpers.go`, `apiserver/pkg/quota/v1/resources.go`.

use crate::quantity::Amount;
use k8s_openapi::api::core::v1::{Container, PodSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::collections::BTreeMap;

/// `requests` or `limits`, `hard` or `used`, as objects hold them.
pub type List = BTreeMap<String, Quantity>;

/// The same, to reckon with.
pub type Amounts = BTreeMap<String, Amount>;

/// A list to reckon with.
pub fn amounts(list: Option<&List>) -> Amounts {
    list.into_iter()
        .flatten()
        .map(|(name, quantity)| (name.clone(), Amount::of(quantity)))
        .collect()
}

/// A list as objects hold it.
pub fn list(amounts: &Amounts) -> List {
    amounts.iter().map(|(name, amount)| (name.clone(), amount.to_quantity())).collect()
}

/// Adds `more` to `sums`.
pub fn add(sums: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        match sums.get_mut(name) {
            Some(sum) => *sum += *amount,
            None => drop(sums.insert(name.clone(), *amount)),
        }
    }
}

/// Raises `sums` to at least `others`.
fn raise(sums: &mut Amounts, others: &Amounts) {
    for (name, amount) in others {
        match sums.get_mut(name) {
            Some(sum) if *sum >= *amount => {}
            Some(sum) => *sum = *amount,
            None => drop(sums.insert(name.clone(), *amount)),
        }
    }
}

/// Which side of a container's resources is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What it asks for.
    Requests,
    /// What it may use at most.
    Limits,
}

/// One side of a container's resources.
pub fn of_container(container: &Container, side: Side) -> Option<&List> {
    let resources = container.resources.as_ref()?;
    match side {
        Side::Requests => resources.requests.as_ref(),
        Side::Limits => resources.limits.as_ref(),
    }
}

/// What a pod's containers need together: at any time the plain containers and the sidecars, and
/// before them each init container with the sidecars that were started before it.
pub fn of_pod(spec: &PodSpec, side: Side) -> Amounts {
    let mut sums = Amounts::new();
    for container in &spec.containers {
        add(&mut sums, &amounts(of_container(container, side)));
    }
    let (mut sidecars, mut starting) = (Amounts::new(), Amounts::new());
    for container in spec.init_containers.iter().flatten() {
        let mut own = amounts(of_container(container, side));
        if container.restart_policy.as_deref() == Some("Always") {
            add(&mut sums, &own);
            add(&mut sidecars, &own);
            raise(&mut starting, &sidecars);
        } else {
            add(&mut own, &sidecars);
            raise(&mut starting, &own);
        }
    }
    raise(&mut sums, &starting);
    sums
}

/// As [`of_pod`], with the overhead of the pod's runtime class: on limits only where there are
/// some.
pub fn of_pod_with_overhead(spec: &PodSpec, side: Side) -> Amounts {
    let mut sums = of_pod(spec, side);
    for (name, overhead) in amounts(spec.overhead.as_ref()) {
        match sums.get_mut(&name) {
            Some(sum) if side == Side::Requests || !sum.is_zero() => *sum += overhead,
            None if side == Side::Requests => drop(sums.insert(name, overhead)),
            _ => {}
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(amounts: &Amounts) -> String {
        let one = |(name, amount): (&String, &Amount)| format!("{name}={amount}");
        amounts.iter().map(one).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn a_pod_needs_what_its_containers_need_at_the_worst_time() {
        let container =
            |name: &str, cpu: &str| json!({"name": name, "resources": {"requests": {"cpu": cpu}}});
        let sidecar = |cpu: &str| {
            let mut container = container("s", cpu);
            container["restartPolicy"] = json!("Always");
            container
        };
        let table = [
            (vec![], vec![("a", "1"), ("b", "500m")], "cpu=1500m"),
            (vec![container("i", "2")], vec![("a", "1")], "cpu=2"),
            (vec![sidecar("1")], vec![("a", "1")], "cpu=2"),
            (vec![sidecar("1"), container("i", "2")], vec![("a", "1")], "cpu=3"),
            (vec![container("i", "2"), sidecar("500m")], vec![("a", "1")], "cpu=2"),
        ];
        for (inits, plain, expected) in table {
            let plain: Vec<_> = plain.into_iter().map(|(name, cpu)| container(name, cpu)).collect();
            let spec = json!({"initContainers": inits, "containers": plain});
            let spec: PodSpec = serde_json::from_value(spec).unwrap();
            assert_eq!(text(&of_pod(&spec, Side::Requests)), expected);
            assert_eq!(text(&of_pod(&spec, Side::Limits)), "");
        }
    }

    #[test]
    fn overhead_comes_on_top() {
        let spec: PodSpec = serde_json::from_value(json!({
            "overhead": {"cpu": "250m", "memory": "64Mi"},
            "containers": [{"name": "a", "resources":
                {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}}]
        }))
        .unwrap();
        let requests = of_pod_with_overhead(&spec, Side::Requests);
        assert_eq!(text(&requests), "cpu=1250m,memory=64Mi");
        assert_eq!(text(&of_pod_with_overhead(&spec, Side::Limits)), "cpu=2250m");
    }
}
