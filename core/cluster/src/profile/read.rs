//! Reads a profile, and says what is wrong with it.

use super::Profile;
use ipnet::Ipv4Net;
use naru_api::quantity::Amount;
use naru_api::{names, yaml};
use naru_node::KubeletConfiguration;
use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Most bytes of a profile.
const BYTES_MAX: usize = 256 * 1024;
/// Most machines of a profile: Kubernetes' own published limit.
const MACHINES_MAX: usize = 5_000;
/// Most replicas of CoreDNS.
const COREDNS_MAX: i32 = 10;

/// A text that comes with the program, by a function: so a page needs no texts but those that it reads
/// (`xtask/split`).
pub(super) type Read = fn() -> &'static str;

const POLICIES: [(&str, Read); 3] = [
    ("kind", || include_str!("../../../../assets/rbac/kind.policy")),
    ("kubeadm", || include_str!("../../../../assets/rbac/kubeadm.policy")),
    ("minikube", || include_str!("../../../../assets/rbac/minikube.policy")),
];

const MANIFESTS: [(&str, Read); 6] = [
    ("gke-pdcsi-node", || include_str!("../../../../assets/manifests/gke-pdcsi-node.yaml")),
    ("gke-storageclasses", || include_str!("../../../../assets/manifests/gke-storageclasses.yaml")),
    ("kindnet", || include_str!("../../../../assets/manifests/kindnet.yaml")),
    ("kube-proxy", || include_str!("../../../../assets/manifests/kube-proxy.yaml")),
    ("local-path-provisioner", || {
        include_str!("../../../../assets/manifests/local-path-provisioner.yaml")
    }),
    ("minikube-storage-provisioner", || {
        include_str!("../../../../assets/manifests/minikube-storage-provisioner.yaml")
    }),
];

/// What is wrong with a profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// It is longer than anybody needs.
    #[error("a profile may have {BYTES_MAX} bytes, not {0}")]
    TooLong(usize),
    /// It is no YAML, or it has a field that is unknown, missing or of another type.
    #[error("{0}")]
    Format(String),
    /// A field has a value that makes no sense.
    #[error("{field}: {why}")]
    Field {
        /// Where: `machines[2].ip`.
        field: String,
        /// What is wrong there.
        why: String,
    },
}

impl Profile {
    /// Reads a profile from its YAML.
    pub fn read(text: &str) -> Result<Profile, ProfileError> {
        if text.len() > BYTES_MAX {
            return Err(ProfileError::TooLong(text.len()));
        }
        let format = |error: &dyn std::fmt::Display| ProfileError::Format(error.to_string());
        let value = yaml::parse(text).map_err(|error| format(&error))?;
        let mut profile: Profile = serde_json::from_value(value).map_err(|error| format(&error))?;
        resolve(&mut profile.policies, &POLICIES, "policies")?;
        resolve(&mut profile.manifests, &MANIFESTS, "manifests")?;
        check(&profile)?;
        Ok(profile)
    }
}

/// The manifest of this name that comes with the program.
pub fn manifest(name: &str) -> Option<&'static str> {
    MANIFESTS.iter().find(|(known, _)| *known == name).map(|(_, text)| text())
}

/// Reads a range of addresses: `10.244.0.0/16`.
pub(super) fn range<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Ipv4Net, D::Error> {
    let text = String::deserialize(deserializer)?;
    let why = |_| D::Error::custom(format!("invalid CIDR address: {text}"));
    text.parse::<Ipv4Net>().map(|range| range.trunc()).map_err(why)
}

/// Reads a range of addresses that may be left out.
pub(super) fn some_range<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Ipv4Net>, D::Error> {
    range(deserializer).map(Some)
}

fn wrong(field: impl Into<String>, why: impl Into<String>) -> ProfileError {
    ProfileError::Field { field: field.into(), why: why.into() }
}

/// Puts texts in the place of the names of files that come with the program.
fn resolve(
    entries: &mut [String],
    known: &[(&str, Read)],
    field: &str,
) -> Result<(), ProfileError> {
    for (index, entry) in entries.iter_mut().enumerate() {
        // A text has lines; a name has none.
        if entry.contains('\n') {
            continue;
        }
        let Some((_, text)) = known.iter().find(|(name, _)| name == entry) else {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            let why = format!("no file {entry:?}; known are {}", names.join(", "));
            return Err(wrong(format!("{field}[{index}]"), why));
        };
        *entry = text().to_owned();
    }
    Ok(())
}

fn check(profile: &Profile) -> Result<(), ProfileError> {
    KubeletConfiguration::of(&profile.kubelet).map_err(|why| wrong("kubelet", why))?;
    check_name("name", &profile.name)?;
    if profile.context.is_empty() || profile.context.contains(char::is_whitespace) {
        return Err(wrong("context", "must be one word"));
    }
    if !profile.network.contains(&profile.host) {
        return Err(wrong("host", format!("{} is not in {}", profile.host, profile.network)));
    }
    if !(0..=COREDNS_MAX).contains(&profile.coredns_replicas) {
        return Err(wrong("corednsReplicas", format!("must be from 0 to {COREDNS_MAX}")));
    }
    for (field, size) in
        [("hardware.memory", &profile.hardware.memory), ("hardware.disk", &profile.hardware.disk)]
    {
        if size.parse::<Amount>().is_ok_and(|amount| amount.value() > 0) {
            continue;
        }
        return Err(wrong(field, format!("{size:?} is no size; an example is 8Gi")));
    }
    check_machines(profile)
}

fn check_name(field: &str, name: &str) -> Result<(), ProfileError> {
    match names::dns1123_label(name).first() {
        Some(why) => Err(wrong(field, why.as_str())),
        None => Ok(()),
    }
}

fn check_machines(profile: &Profile) -> Result<(), ProfileError> {
    let machines = &profile.nodes;
    if machines.is_empty() || machines.len() > MACHINES_MAX {
        return Err(wrong("machines", format!("there must be from 1 to {MACHINES_MAX}")));
    }
    if profile.installed && profile.control_plane_ips().next().is_none() {
        return Err(wrong(
            "machines",
            "one must have controlPlane: true, or controlPlaneAddress be set",
        ));
    }
    let mut seen_names = BTreeSet::new();
    let mut seen_ips = BTreeSet::from([profile.host]);
    for (index, machine) in machines.iter().enumerate() {
        let field = |name: &str| format!("machines[{index}].{name}");
        check_name(&field("name"), &machine.name)?;
        if !seen_names.insert(&machine.name) {
            return Err(wrong(field("name"), format!("{:?} is there twice", machine.name)));
        }
        if !profile.network.contains(&machine.ip) {
            let why = format!("{} is not in {}", machine.ip, profile.network);
            return Err(wrong(field("ip"), why));
        }
        let mut addresses: Vec<(&str, Ipv4Addr)> = vec![("ip", machine.ip)];
        addresses.extend(machine.external_ip.map(|ip| ("externalIP", ip)));
        for (name, ip) in addresses {
            if !seen_ips.insert(ip) {
                return Err(wrong(field(name), format!("{ip} is there twice")));
            }
        }
        if let Some(range) = machine.pod_cidr.filter(|range| !profile.pod_cidr.contains(range)) {
            let why = format!("{range} is not in {}", profile.pod_cidr);
            return Err(wrong(field("podCIDR"), why));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
name: mine
context: mine
admin: {name: me, groups: [system:masters]}
network: 10.0.0.0/24
host: 10.0.0.1
corednsReplicas: 1
manifests: [kube-proxy]
machines:
- {name: one, ip: 10.0.0.2, controlPlane: true}
- {name: two, ip: 10.0.0.3}
";

    #[test]
    fn a_profile_of_ones_own_is_read() {
        let profile = Profile::read(GOOD).unwrap();
        assert_eq!(profile.nodes.len(), 2);
        assert!(profile.manifests[0].contains("kind: DaemonSet"));
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            ("name: mine", "name: Mine", "name: a lowercase RFC 1123 label"),
            ("host: 10.0.0.1", "host: 10.0.1.1", "host: 10.0.1.1 is not in 10.0.0.0/24"),
            ("host: 10.0.0.1", "host: gateway", "invalid"),
            ("ip: 10.0.0.3", "ip: 10.0.0.2", "machines[1].ip: 10.0.0.2 is there twice"),
            ("name: two", "name: one", "machines[1].name: \"one\" is there twice"),
            ("ip: 10.0.0.3", "ip: 10.0.9.3", "machines[1].ip: 10.0.9.3 is not in 10.0.0.0/24"),
            ("10.0.0.0/24", "10.0.0.0/99", "invalid CIDR address: 10.0.0.0/99"),
            ("ip: 10.0.0.3", "pi: 10.0.0.3", "unknown field `pi`"),
            ("[kube-proxy]", "[calico]", "manifests[0]: no file \"calico\"; known are"),
            (", controlPlane: true", "", "machines: one must have controlPlane: true"),
            ("corednsReplicas: 1", "corednsReplicas: 99", "corednsReplicas: must be from 0 to 10"),
            ("corednsReplicas: 1", "hardware: {memory: much}", "missing field `corednsReplicas`"),
            ("context: mine", "context: mine\nhardware: {memory: much}", "\"much\" is no size"),
        ];
        for (before, after, expected) in cases {
            let error = Profile::read(&GOOD.replace(before, after)).unwrap_err().to_string();
            assert!(error.contains(expected), "{after}: {error}");
        }
        let long = format!("{GOOD}#{}", "x".repeat(BYTES_MAX));
        assert!(matches!(Profile::read(&long), Err(ProfileError::TooLong(_))));
    }
}
