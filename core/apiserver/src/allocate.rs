//! Cluster IPs and node ports of services.
//!
//! Upstream: `pkg/registry/core/service/storage/alloc.go`, `ipallocator`, `portallocator`.

use crate::store::Change;
use imbl::OrdSet;
use naru_api::k8s_openapi::api::core::v1::{Service, ServiceSpec};
use naru_api::kinds::service::needs_health_check;
use naru_api::{ApiError, FieldError, Kube, status::ApiResult};
use naru_sim::Rng;
use std::net::Ipv4Addr;

/// The range of cluster IPs: 10.96.0.0/16, what kubeadm's clusters have by default.
const CLUSTER_IPS: Range = Range { first: 0x0a60_0001, last: 0x0a60_fffe, fixed: 256 };
/// The range of node ports.
const NODE_PORTS: Range = Range { first: 30_000, last: 32_767, fixed: 86 };

/// Numbers to give out. The first `fixed` ones are left to those who ask for a certain number,
/// as long as there are others.
#[derive(Clone, Copy, Debug)]
struct Range {
    first: u32,
    last: u32,
    fixed: u32,
}

impl Range {
    fn contains(self, number: u32) -> bool {
        (self.first..=self.last).contains(&number)
    }

    /// A free number: the first from a random place on.
    fn pick(self, taken: &OrdSet<u32>, rng: &mut Rng) -> Option<u32> {
        let upper = self.first + self.fixed;
        let start = upper + rng.below(u64::from(self.last - upper) + 1) as u32;
        let mut order = (start..=self.last).chain(upper..start).chain(self.first..upper);
        order.find(|number| !taken.contains(number))
    }
}

/// Which cluster IPs and node ports are taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allocators {
    cluster_ips: OrdSet<u32>,
    node_ports: OrdSet<u32>,
}

impl Allocators {
    /// Learns from a committed change what is taken and what is free again.
    pub(crate) fn observe(&mut self, change: &Change) {
        for service in change.before.iter().filter_map(|object| object.get::<Service>()) {
            for ip in cluster_ips(service) {
                self.cluster_ips.remove(&ip);
            }
            for port in node_ports(service) {
                self.node_ports.remove(&port);
            }
        }
        for service in change.after.iter().filter_map(|object| object.get::<Service>()) {
            self.cluster_ips.extend(cluster_ips(service));
            self.node_ports.extend(node_ports(service));
        }
    }

    /// Fills in the cluster IP and the node ports that a service needs. `old` is the service
    /// before an update.
    pub(crate) fn allocate(
        &self,
        service: &mut Service,
        old: Option<&Service>,
        rng: &mut Rng,
    ) -> ApiResult<()> {
        let name = service.metadata.name.clone().unwrap_or_default();
        let invalid = |error| ApiError::invalid(&Service::kind(), &name, &[error]);
        let spec = service.spec.get_or_insert_default();
        if spec.type_.as_deref() == Some("ExternalName") {
            return Ok(());
        }
        let errors = init_families(spec, old.and_then(|old| old.spec.as_ref()));
        if !errors.is_empty() {
            return Err(ApiError::invalid(&Service::kind(), &name, &errors));
        }
        let had = old.map(|old| cluster_ips(old).collect::<Vec<_>>()).unwrap_or_default();
        self.cluster_ip(spec, &had, rng)?.map_err(invalid)?;
        if matches!(spec.type_.as_deref(), Some("NodePort" | "LoadBalancer"))
            && spec.allocate_load_balancer_node_ports != Some(false)
        {
            let had = old.map(|old| node_ports(old).collect::<Vec<_>>()).unwrap_or_default();
            self.node_ports(spec, &had, rng)?.map_err(invalid)?;
        }
        if needs_health_check(spec) && spec.health_check_node_port.unwrap_or(0) == 0 {
            spec.health_check_node_port = self.health_check_port(spec, rng)?;
        }
        Ok(())
    }

    /// A port that is neither taken nor one of the service's own.
    fn health_check_port(&self, spec: &ServiceSpec, rng: &mut Rng) -> ApiResult<Option<i32>> {
        let own =
            spec.ports.iter().flatten().filter_map(|port| u32::try_from(port.node_port?).ok());
        let mut taken = self.node_ports.clone();
        taken.extend(own);
        let picked = NODE_PORTS.pick(&taken, rng).ok_or_else(|| {
            ApiError::internal("failed to allocate a HealthCheck NodePort: range is full")
        })?;
        Ok(i32::try_from(picked).ok())
    }

    fn cluster_ip(
        &self,
        spec: &mut ServiceSpec,
        had: &[u32],
        rng: &mut Rng,
    ) -> ApiResult<Result<(), FieldError>> {
        let wanted = spec.cluster_ip.clone().unwrap_or_default();
        let address = match wanted.as_str() {
            "None" => wanted,
            "" => {
                let picked = CLUSTER_IPS.pick(&self.cluster_ips, rng).ok_or_else(|| {
                    ApiError::internal("failed to allocate a serviceIP: range is full")
                })?;
                Ipv4Addr::from(picked).to_string()
            }
            _ => {
                if let Err(why) = self.check_ip(&wanted, had) {
                    let value = format!("[]string{{{wanted:?}}}");
                    let detail = format!("failed to allocate IP {wanted}: {why}");
                    return Ok(Err(FieldError::invalid_raw("spec.clusterIPs", value, &detail)));
                }
                wanted
            }
        };
        spec.cluster_ips = Some(vec![address.clone()]);
        spec.cluster_ip = Some(address);
        Ok(Ok(()))
    }

    fn check_ip(&self, text: &str, had: &[u32]) -> Result<(), String> {
        let Ok(address) = text.parse::<Ipv4Addr>() else {
            return Err("the provided IP is not valid".to_owned());
        };
        let number = u32::from(address);
        if !CLUSTER_IPS.contains(number) {
            return Err(format!(
                "the provided IP ({text}) is not in the valid range. The range of valid IPs is \
                 10.96.0.0/16"
            ));
        }
        if self.cluster_ips.contains(&number) && !had.contains(&number) {
            return Err("provided IP is already allocated".to_owned());
        }
        Ok(())
    }

    fn node_ports(
        &self,
        spec: &mut ServiceSpec,
        had: &[u32],
        rng: &mut Rng,
    ) -> ApiResult<Result<(), FieldError>> {
        let mut taken = self.node_ports.clone();
        for port in had {
            taken.remove(port);
        }
        for (index, port) in spec.ports.iter_mut().flatten().enumerate() {
            let wanted = port.node_port.unwrap_or(0);
            if wanted == 0 {
                let picked = NODE_PORTS.pick(&taken, rng).ok_or_else(|| {
                    ApiError::internal("failed to allocate a nodePort: range is full")
                })?;
                taken.insert(picked);
                port.node_port = i32::try_from(picked).ok();
                continue;
            }
            let number = u32::try_from(wanted).unwrap_or(0);
            let why = if !NODE_PORTS.contains(number) {
                "provided port is not in the valid range. The range of valid ports is 30000-32767"
            } else if taken.contains(&number) {
                "provided port is already allocated"
            } else {
                taken.insert(number);
                continue;
            };
            let path = format!("spec.ports[{index}].nodePort");
            return Ok(Err(FieldError::invalid_raw(path, wanted, why)));
        }
        Ok(Ok(()))
    }
}

/// The families of this cluster's addresses: it has one.
const FAMILIES: [&str; 1] = ["IPv4"];
const POLICIES: [&str; 3] = ["PreferDualStack", "RequireDualStack", "SingleStack"];

/// Fills in the policy and the families of a service's addresses, and says which of them this
/// cluster cannot have.
///
/// Upstream: `initIPFamilyFields` in `pkg/registry/core/service/storage/alloc.go`.
fn init_families(spec: &mut ServiceSpec, old: Option<&ServiceSpec>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let headless = spec.cluster_ip.as_deref() == Some("None");
    let selectorless = spec.selector.as_ref().is_none_or(|selector| selector.is_empty());
    let special = headless && selectorless;
    let before = old.and_then(|old| old.ip_family_policy.clone());
    let usual = if special { "RequireDualStack" } else { "SingleStack" };
    let policy = spec.ip_family_policy.get_or_insert_with(|| before.unwrap_or(usual.to_owned()));
    let policy = policy.clone();
    let mut families = spec.ip_families.clone().unwrap_or_default();
    let known = |family: &String| family == "IPv4" || family == "IPv6";
    if !POLICIES.contains(&policy.as_str()) || !families.iter().all(known) {
        // Validation tells what is wrong.
        return errors;
    }
    if !headless {
        let ips = spec.cluster_ips.iter().flatten();
        for (index, (ip, family)) in ips.zip(&families).enumerate() {
            if ip.contains(':') != (family == "IPv6") && !ip.is_empty() {
                let path = format!("spec.clusterIPs[{index}]");
                let detail =
                    format!("expected an {family} value as indicated by `ipFamilies[{index}]`");
                errors.push(FieldError::invalid(path, ip, &detail));
            }
        }
        if !errors.is_empty() {
            return errors;
        }
    }
    let mut bad_policy = |detail: &str| {
        errors.push(FieldError::invalid_raw("spec.ipFamilyPolicy", format!("{policy:?}"), detail));
    };
    if policy == "SingleStack" {
        let unchanged = old.is_some_and(|old| old.ip_families == spec.ip_families);
        if unchanged {
            families.truncate(1);
        }
        if families.len() == 2 {
            bad_policy(
                "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are \
                 specified",
            );
            return errors;
        }
    }
    if special {
        if families.is_empty() {
            families.extend(FAMILIES.map(str::to_owned));
        }
        if families.len() < 2 && policy != "SingleStack" {
            let four = families.iter().any(|family| family == "IPv4");
            families.push(if four { "IPv6" } else { "IPv4" }.to_owned());
        }
        spec.ip_families = Some(families);
        return errors;
    }
    if policy == "RequireDualStack" {
        bad_policy("this cluster is not configured for dual-stack services");
    }
    for (index, family) in families.iter().enumerate() {
        if !FAMILIES.contains(&family.as_str()) {
            let (path, value) = (format!("spec.ipFamilies[{index}]"), format!("{family:?}"));
            errors.push(FieldError::invalid_raw(path, value, "not configured on this cluster"));
        }
    }
    if families.is_empty() {
        families.extend(FAMILIES.map(str::to_owned));
    }
    spec.ip_families = Some(families);
    errors
}

/// The cluster IPs of a Service, as numbers.
pub(crate) fn cluster_ips(service: &Service) -> impl Iterator<Item = u32> {
    let ips = service.spec.iter().flat_map(|spec| spec.cluster_ips.iter().flatten());
    ips.filter_map(|ip| ip.parse::<Ipv4Addr>().ok().map(u32::from))
}

fn node_ports(service: &Service) -> impl Iterator<Item = u32> {
    service.spec.iter().flat_map(|spec| {
        let ports = spec.ports.iter().flatten().map(|port| port.node_port);
        let ports = ports.chain([spec.health_check_node_port]).flatten();
        ports.filter_map(|port| u32::try_from(port).ok().filter(|port| *port != 0))
    })
}

#[cfg(test)]
mod family_tests {
    use super::*;

    #[test]
    fn families_of_a_cluster_with_one() {
        // The policy and the families that are asked for, whether it is headless without a selector,
        // and what becomes of it.
        let dual = "this cluster is not configured for dual-stack services";
        for (policy, families, special, expected) in [
            ("", "", false, "SingleStack IPv4"),
            ("PreferDualStack", "", false, "PreferDualStack IPv4"),
            ("RequireDualStack", "", false, dual),
            ("", "IPv6", false, "not configured on this cluster"),
            ("", "IPv4,IPv6", false, "when multiple IP families are specified"),
            ("PreferDualStack", "IPv4,IPv6", false, "not configured on this cluster"),
            ("", "", true, "RequireDualStack IPv4,IPv6"),
            ("SingleStack", "IPv6", true, "SingleStack IPv6"),
            ("", "IPv6", true, "RequireDualStack IPv6,IPv4"),
        ] {
            let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
            let mut spec = ServiceSpec {
                ip_family_policy: Some(policy.to_owned()).filter(|it| !it.is_empty()),
                ip_families: Some(families).filter(|it| !it.is_empty()).map(list),
                cluster_ip: special.then(|| "None".to_owned()),
                selector: (!special).then(|| [("app".to_owned(), "web".to_owned())].into()),
                ..ServiceSpec::default()
            };
            let errors = init_families(&mut spec, None);
            let found = match errors.first() {
                Some(error) => error.message.clone(),
                None => {
                    let families = spec.ip_families.unwrap_or_default().join(",");
                    format!("{} {families}", spec.ip_family_policy.unwrap_or_default())
                }
            };
            assert!(found.ends_with(expected), "{policy} {families} {special}: {found}");
        }
    }
}
