//! How much of everything: pods' requests and nodes' capacity.
//!
//! Upstream: `pkg/scheduler/framework/types.go` (`Resource`),
//! `staging/src/k8s.io/component-helpers/resource/helpers.go` (`PodRequests`).

use k8s_openapi::api::core::v1::{Container, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use naru_api::quantity::Amount;
use std::collections::BTreeMap;

/// What a container without a request for CPU is counted as, in thousandths of a core, when nodes
/// are compared. Upstream: `DefaultMilliCPURequest`.
pub const DEFAULT_MILLI_CPU: i64 = 100;
/// What a container without a request for memory is counted as, in bytes, when nodes are compared.
/// Upstream: `DefaultMemoryRequest`.
pub const DEFAULT_MEMORY: i64 = 200 * 1024 * 1024;

/// Amounts of resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Thousandths of a core.
    pub milli_cpu: i64,
    /// Bytes.
    pub memory: i64,
    /// Bytes.
    pub ephemeral_storage: i64,
    /// Everything else, by name: `nvidia.com/gpu`, `hugepages-2Mi`.
    pub other: BTreeMap<String, i64>,
}

type Quantities = BTreeMap<String, Quantity>;

impl Resources {
    /// The amounts of a list of quantities; those that cannot be read count as nothing.
    pub fn from_quantities(list: Option<&Quantities>) -> Self {
        let mut amounts = Resources::default();
        for (name, quantity) in list.into_iter().flatten() {
            let amount = Amount::of(quantity);
            match name.as_str() {
                "cpu" => amounts.milli_cpu = amount.milli_value(),
                "memory" => amounts.memory = amount.value(),
                "ephemeral-storage" => amounts.ephemeral_storage = amount.value(),
                "pods" => {}
                _ => {
                    amounts.other.insert(name.clone(), amount.value());
                }
            }
        }
        amounts
    }

    /// What a pod asks for. `default_cpu` and `default_memory` stand in for missing requests.
    pub fn of_pod(pod: &Pod, default_cpu: i64, default_memory: i64) -> Self {
        let Some(spec) = &pod.spec else { return Resources::default() };
        let of = |container: &Container| {
            let requests = container.resources.as_ref().and_then(|all| all.requests.as_ref());
            let mut amounts = Resources::from_quantities(requests);
            let missing = |name| requests.is_none_or(|requests| !requests.contains_key(name));
            if missing("cpu") {
                amounts.milli_cpu = default_cpu;
            }
            if missing("memory") {
                amounts.memory = default_memory;
            }
            amounts
        };
        let mut total = Resources::default();
        for container in &spec.containers {
            total.add(&of(container));
        }
        // Init containers run one after another, beside the sidecars started before them.
        let (mut sidecars, mut peak) = (Resources::default(), Resources::default());
        for container in spec.init_containers.iter().flatten() {
            let mut need = of(container);
            if container.restart_policy.as_deref() == Some("Always") {
                sidecars.add(&need);
                need = sidecars.clone();
            } else {
                need.add(&sidecars);
            }
            peak.raise_to(&need);
        }
        total.add(&sidecars);
        total.raise_to(&peak);
        total.add(&Resources::from_quantities(spec.overhead.as_ref()));
        total
    }

    /// Adds amounts.
    pub fn add(&mut self, more: &Resources) {
        self.combine(more, i64::saturating_add);
    }

    /// Takes amounts away.
    pub fn subtract(&mut self, less: &Resources) {
        self.combine(less, i64::saturating_sub);
    }

    /// Whether nothing is asked for.
    pub fn is_zero(&self) -> bool {
        let Resources { milli_cpu, memory, ephemeral_storage, other } = self;
        [milli_cpu, memory, ephemeral_storage].into_iter().chain(other.values()).all(|n| *n == 0)
    }

    fn raise_to(&mut self, least: &Resources) {
        self.combine(least, i64::max);
    }

    fn combine(&mut self, with: &Resources, how: fn(i64, i64) -> i64) {
        self.milli_cpu = how(self.milli_cpu, with.milli_cpu);
        self.memory = how(self.memory, with.memory);
        self.ephemeral_storage = how(self.ephemeral_storage, with.ephemeral_storage);
        for (name, amount) in &with.other {
            let mine = self.other.entry(name.clone()).or_insert(0);
            *mine = how(*mine, *amount);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::{PodSpec, ResourceRequirements};

    fn container(cpu: &str, restart_policy: Option<&str>) -> Container {
        let requests = [("cpu".to_owned(), Quantity(cpu.to_owned()))].into();
        Container {
            restart_policy: restart_policy.map(str::to_owned),
            resources: Some(
                ResourceRequirements {
                    requests: Some(requests),
                    ..ResourceRequirements::default()
                }
                .into(),
            ),
            ..Container::default()
        }
    }

    #[test]
    fn init_containers_need_their_peak_and_sidecars_stay() {
        let cases = [
            (vec![container("1", None)], vec![], 1000),
            (vec![container("1", None)], vec![container("3", None)], 3000),
            (vec![container("1", None)], vec![container("500m", Some("Always"))], 1500),
            (
                vec![container("1", None)],
                vec![container("500m", Some("Always")), container("2", None)],
                2500,
            ),
        ];
        for (containers, init, expected) in cases {
            let init_containers = Some(init);
            let spec = PodSpec { containers, init_containers, ..PodSpec::default() };
            let pod = Pod { spec: Some(spec.into()), ..Pod::default() };
            assert_eq!(Resources::of_pod(&pod, 0, 0).milli_cpu, expected);
        }
    }

    #[test]
    fn missing_requests_count_as_the_default() {
        let spec = PodSpec { containers: vec![Container::default(); 2], ..PodSpec::default() };
        let pod = Pod { spec: Some(spec.into()), ..Pod::default() };
        let counted = Resources::of_pod(&pod, DEFAULT_MILLI_CPU, DEFAULT_MEMORY);
        assert_eq!((counted.milli_cpu, counted.memory), (200, 2 * DEFAULT_MEMORY));
        assert!(Resources::of_pod(&pod, 0, 0).is_zero());
    }
}
