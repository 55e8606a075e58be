//! The ConfigMaps by which others learn how a cluster was set up.
//!
//! Upstream: `cmd/kubeadm/app/phases/uploadconfig`, `phases/kubelet/config.go`,
//! `phases/bootstraptoken/clusterinfo`.

use crate::host::kubelet_config;
use crate::pki::ClusterPki;
use crate::profile::Profile;
use naru_api::yaml;
use naru_pki::base64;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// `kubeadm-config`, `kubelet-config` and `cluster-info` of a cluster whose first API server is at this
/// address and whose pods have addresses of this range; "" for none.
pub fn config_maps(profile: &Profile, pki: &ClusterPki, ip: Ipv4Addr, pods: &str) -> Vec<Value> {
    let map = |namespace: &str, name: &str, key: &str, text: String| {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace},
            "data": {key: text},
        })
    };
    let configuration = yaml::print(&cluster_configuration(profile, pods));
    vec![
        map("kube-system", "kubeadm-config", "ClusterConfiguration", configuration),
        map("kube-system", "kubelet-config", "kubelet", kubelet_config(&profile.kubelet)),
        map("kube-public", "cluster-info", "kubeconfig", cluster_info(profile, pki, ip)),
    ]
}

fn cluster_configuration(profile: &Profile, pods: &str) -> Value {
    let own = &profile.kubeadm;
    let mut networking = json!({"dnsDomain": "cluster.local", "serviceSubnet": own.service_subnet});
    set(&mut networking, "podSubnet", pods);
    let mut api_server = extra_args(&own.api_server);
    if !own.cert_sans.is_empty() {
        api_server["certSANs"] = json!(own.cert_sans);
    }
    let mut configuration = json!({
        "apiServer": api_server,
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "caCertificateValidityPeriod": "87600h0m0s",
        "certificateValidityPeriod": "8760h0m0s",
        "certificatesDir": "/etc/kubernetes/pki",
        "clusterName": own.cluster_name,
        "controllerManager": extra_args(&own.controller_manager),
        "dns": {},
        "encryptionAlgorithm": "ECDSA-P256",
        "etcd": {"local": {"dataDir": "/var/lib/etcd"}},
        "imageRepository": "registry.k8s.io",
        "kind": "ClusterConfiguration",
        "kubernetesVersion": profile.software.kubelet,
        "networking": networking,
        "proxy": {},
        "scheduler": extra_args(&own.scheduler),
    });
    set(&mut configuration, "controlPlaneEndpoint", &own.control_plane_endpoint);
    configuration
}

/// Sets a field that is left out when it is empty.
fn set(object: &mut Value, field: &str, text: &str) {
    if !text.is_empty() {
        object[field] = json!(text);
    }
}

fn extra_args(flags: &BTreeMap<String, String>) -> Value {
    let args: Vec<Value> =
        flags.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    match args.is_empty() {
        true => Value::Object(Map::new()),
        false => json!({"extraArgs": args}),
    }
}

/// What everybody may read of the cluster: a kubeconfig without a user.
fn cluster_info(profile: &Profile, pki: &ClusterPki, ip: Ipv4Addr) -> String {
    let authority = base64::encode(pki.authority().certificate().to_pem().as_bytes());
    let server = match profile.kubeadm.control_plane_endpoint.as_str() {
        "" => format!("{ip}:{}", profile.secure_port),
        endpoint => endpoint.to_owned(),
    };
    format!(
        "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {authority}\n    server: \
         https://{server}\n  name: \"\"\ncontexts: null\ncurrent-context: \"\"\nkind: Config\n\
         preferences: {{}}\nusers: null\n"
    )
}
