//! The objects that kubeadm makes for CoreDNS.
//!
//! Upstream: `cmd/kubeadm/app/phases/addons/dns/manifests.go`. The ClusterRole and its binding
//! wait for the API server to have those kinds.

use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment,
};
use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, ConfigMap, ConfigMapVolumeSource, Container, ContainerPort,
    HTTPGetAction, KeyToPath, PodAffinityTerm, PodAntiAffinity, PodSpec, PodTemplateSpec, Probe,
    ResourceRequirements, SecurityContext, Service, ServiceAccount, ServicePort, ServiceSpec,
    Toleration, Volume, VolumeMount, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    LabelSelector, LabelSelectorRequirement, ObjectMeta,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use naru_api::Object;
use std::collections::BTreeMap;

/// The Corefile of a fresh cluster.
pub(super) const COREFILE: &str = "\
.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
";

const IMAGE: &str = "registry.k8s.io/coredns/coredns:v1.12.0";
const CLUSTER_IP: &str = "10.96.0.10";

/// The ServiceAccount, the ConfigMap, the Deployment and the Service, in the order in which
/// kubeadm makes them.
pub fn manifests(replicas: i32) -> Vec<Object> {
    vec![
        Object::new(config_map()),
        Object::new(ServiceAccount { metadata: meta("coredns"), ..ServiceAccount::default() }),
        Object::new(deployment(replicas)),
        Object::new(service()),
    ]
}

fn meta(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some("kube-system".to_owned()),
        ..ObjectMeta::default()
    }
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn label() -> BTreeMap<String, String> {
    map(&[("k8s-app", "kube-dns")])
}

fn config_map() -> ConfigMap {
    ConfigMap {
        metadata: meta("coredns"),
        data: Some(map(&[("Corefile", COREFILE)])),
        ..ConfigMap::default()
    }
}

fn deployment(replicas: i32) -> Deployment {
    let strategy = DeploymentStrategy {
        type_: Some("RollingUpdate".to_owned()),
        rolling_update: Some(RollingUpdateDeployment {
            max_unavailable: Some(IntOrString::Int(1)),
            max_surge: None,
        }),
    };
    let selector = LabelSelector { match_labels: Some(label()), ..LabelSelector::default() };
    let template = PodTemplateSpec {
        metadata: Some(ObjectMeta { labels: Some(label()), ..ObjectMeta::default() }),
        spec: Some(pod().into()),
    };
    Deployment {
        metadata: ObjectMeta { labels: Some(label()), ..meta("coredns") },
        spec: Some(DeploymentSpec {
            replicas: Some(replicas),
            strategy: Some(strategy),
            selector,
            template,
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

fn pod() -> PodSpec {
    let toleration = |key: &str, operator: Option<&str>, effect: Option<&str>| Toleration {
        key: Some(key.to_owned()),
        operator: operator.map(str::to_owned),
        effect: effect.map(str::to_owned),
        ..Toleration::default()
    };
    PodSpec {
        priority_class_name: Some("system-cluster-critical".to_owned()),
        service_account_name: Some("coredns".to_owned()),
        affinity: Some(apart().into()),
        tolerations: Some(vec![
            toleration("CriticalAddonsOnly", Some("Exists"), None),
            toleration("node-role.kubernetes.io/control-plane", None, Some("NoSchedule")),
        ]),
        node_selector: Some(map(&[("kubernetes.io/os", "linux")])),
        containers: vec![container()],
        dns_policy: Some("Default".to_owned()),
        volumes: Some(vec![Volume {
            name: "config-volume".to_owned(),
            config_map: Some(
                ConfigMapVolumeSource {
                    name: "coredns".to_owned(),
                    items: Some(vec![KeyToPath {
                        key: "Corefile".to_owned(),
                        path: "Corefile".to_owned(),
                        mode: None,
                    }]),
                    ..ConfigMapVolumeSource::default()
                }
                .into(),
            ),
            ..Volume::default()
        }]),
        ..PodSpec::default()
    }
}

/// Rather on different nodes.
fn apart() -> Affinity {
    let others = LabelSelectorRequirement {
        key: "k8s-app".to_owned(),
        operator: "In".to_owned(),
        values: Some(vec!["kube-dns".to_owned()]),
    };
    let term = PodAffinityTerm {
        label_selector: Some(LabelSelector {
            match_expressions: Some(vec![others]),
            ..LabelSelector::default()
        }),
        topology_key: "kubernetes.io/hostname".to_owned(),
        ..PodAffinityTerm::default()
    };
    let preferred = WeightedPodAffinityTerm { weight: 100, pod_affinity_term: term };
    Affinity {
        pod_anti_affinity: Some(PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![preferred]),
            ..PodAntiAffinity::default()
        }),
        ..Affinity::default()
    }
}

fn container() -> Container {
    let port = |name: &str, number, protocol: &str| ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        protocol: Some(protocol.to_owned()),
        ..ContainerPort::default()
    };
    let quantities = |pairs: &[(&str, &str)]| {
        map(pairs).into_iter().map(|(key, value)| (key, Quantity(value))).collect()
    };
    Container {
        name: "coredns".to_owned(),
        image: Some(IMAGE.to_owned()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        resources: Some(
            ResourceRequirements {
                limits: Some(quantities(&[("memory", "170Mi")])),
                requests: Some(quantities(&[("cpu", "100m"), ("memory", "70Mi")])),
                ..ResourceRequirements::default()
            }
            .into(),
        ),
        args: Some(vec!["-conf".to_owned(), "/etc/coredns/Corefile".to_owned()]),
        volume_mounts: Some(vec![VolumeMount {
            name: "config-volume".to_owned(),
            mount_path: "/etc/coredns".to_owned(),
            read_only: Some(true),
            ..VolumeMount::default()
        }]),
        ports: Some(vec![
            port("dns", 53, "UDP"),
            port("dns-tcp", 53, "TCP"),
            port("metrics", 9153, "TCP"),
        ]),
        liveness_probe: Some(
            Probe {
                initial_delay_seconds: Some(60),
                timeout_seconds: Some(5),
                success_threshold: Some(1),
                failure_threshold: Some(5),
                ..probe("/health", 8080)
            }
            .into(),
        ),
        readiness_probe: Some(probe("/ready", 8181).into()),
        security_context: Some(
            SecurityContext {
                allow_privilege_escalation: Some(false),
                capabilities: Some(Capabilities {
                    add: Some(vec!["NET_BIND_SERVICE".to_owned()]),
                    drop: Some(vec!["ALL".to_owned()]),
                }),
                read_only_root_filesystem: Some(true),
                ..SecurityContext::default()
            }
            .into(),
        ),
        ..Container::default()
    }
}

fn probe(path: &str, port: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::Int(port),
            scheme: Some("HTTP".to_owned()),
            ..HTTPGetAction::default()
        }),
        ..Probe::default()
    }
}

fn service() -> Service {
    let port = |name: &str, number, protocol: &str| ServicePort {
        name: Some(name.to_owned()),
        port: number,
        protocol: Some(protocol.to_owned()),
        target_port: Some(IntOrString::Int(number)),
        ..ServicePort::default()
    };
    Service {
        metadata: ObjectMeta {
            labels: Some(map(&[
                ("k8s-app", "kube-dns"),
                ("kubernetes.io/cluster-service", "true"),
                ("kubernetes.io/name", "CoreDNS"),
            ])),
            annotations: Some(map(&[
                ("prometheus.io/port", "9153"),
                ("prometheus.io/scrape", "true"),
            ])),
            ..meta("kube-dns")
        },
        spec: Some(ServiceSpec {
            cluster_ip: Some(CLUSTER_IP.to_owned()),
            ports: Some(vec![
                port("dns", 53, "UDP"),
                port("dns-tcp", 53, "TCP"),
                port("metrics", 9153, "TCP"),
            ]),
            selector: Some(label()),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_in_kubeadms_order() {
        let objects = manifests(2);
        let names: Vec<String> =
            objects.iter().map(|o| format!("{} {}", o.kind().kind, o.key())).collect();
        assert_eq!(
            names,
            [
                "ConfigMap kube-system/coredns",
                "ServiceAccount kube-system/coredns",
                "Deployment kube-system/coredns",
                "Service kube-system/kube-dns",
            ]
        );
        let deployment: &Deployment = objects.iter().find_map(Object::get).unwrap();
        assert_eq!(deployment.spec.as_ref().unwrap().replicas, Some(2));
    }

    #[test]
    fn the_api_accepts_them() {
        for object in manifests(2) {
            let strategy = object.strategy();
            let mut object = object.clone();
            strategy.default(&mut object);
            // As the API server does before it validates.
            if let Some(spec) = object.edit::<Service>().and_then(|service| service.spec.as_mut()) {
                spec.cluster_ips = spec.cluster_ip.clone().map(|ip| vec![ip]);
            }
            assert_eq!(strategy.validate(&object), vec![], "{}", object.key());
        }
    }
}
