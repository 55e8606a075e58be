//! With which flags kubeadm has the programs of the control plane started.
//!
//! Upstream: `cmd/kubeadm/app/phases/controlplane/manifests.go`, `getEtcdCommand` in
//! `phases/etcd/local.go`, `ArgumentsToCommand` in `util/arguments.go`.

use crate::NodeConfig;
use std::collections::BTreeMap;

const PKI: &str = "/etc/kubernetes/pki";

/// The flags that kubeadm gives, by their names.
type Flags = BTreeMap<&'static str, String>;

fn flags<const N: usize>(fixed: [(&'static str, &str); N]) -> Flags {
    fixed.map(|(name, value)| (name, value.to_owned())).into()
}

/// In the order of the flags' names, with those that the cluster's configuration adds or changes.
fn command(program: &str, flags: &Flags, extra: &BTreeMap<String, String>) -> Vec<String> {
    let mut all: BTreeMap<&str, &str> =
        flags.iter().map(|(name, value)| (*name, value.as_str())).collect();
    all.extend(extra.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let told = all.into_iter().map(|(name, value)| format!("--{name}={value}"));
    [program.to_owned()].into_iter().chain(told).collect()
}

pub fn etcd(config: &NodeConfig) -> Vec<String> {
    let NodeConfig { internal_ip: ip, name, .. } = config;
    let pki = format!("{PKI}/etcd");
    let mut flags = flags([
        ("client-cert-auth", "true"),
        ("data-dir", "/var/lib/etcd"),
        ("experimental-initial-corrupt-check", "true"),
        ("experimental-watch-progress-notify-interval", "5s"),
        ("listen-metrics-urls", "http://127.0.0.1:2381"),
        ("name", name),
        ("peer-client-cert-auth", "true"),
        ("snapshot-count", "10000"),
    ]);
    flags.extend([
        ("advertise-client-urls", format!("https://{ip}:2379")),
        ("cert-file", format!("{pki}/server.crt")),
        ("initial-advertise-peer-urls", format!("https://{ip}:2380")),
        ("initial-cluster", format!("{name}=https://{ip}:2380")),
        ("key-file", format!("{pki}/server.key")),
        ("listen-client-urls", format!("https://127.0.0.1:2379,https://{ip}:2379")),
        ("listen-peer-urls", format!("https://{ip}:2380")),
        ("peer-cert-file", format!("{pki}/peer.crt")),
        ("peer-key-file", format!("{pki}/peer.key")),
        ("peer-trusted-ca-file", format!("{pki}/ca.crt")),
        ("trusted-ca-file", format!("{pki}/ca.crt")),
    ]);
    command("etcd", &flags, &BTreeMap::new())
}

pub fn apiserver(config: &NodeConfig) -> Vec<String> {
    let mut flags = flags([
        ("allow-privileged", "true"),
        ("authorization-mode", "Node,RBAC"),
        ("enable-admission-plugins", "NodeRestriction"),
        ("enable-bootstrap-token-auth", "true"),
        ("etcd-servers", "https://127.0.0.1:2379"),
        ("kubelet-preferred-address-types", "InternalIP,ExternalIP,Hostname"),
        ("requestheader-allowed-names", "front-proxy-client"),
        ("requestheader-extra-headers-prefix", "X-Remote-Extra-"),
        ("requestheader-group-headers", "X-Remote-Group"),
        ("requestheader-username-headers", "X-Remote-User"),
        ("service-cluster-ip-range", &config.kubeadm.service_subnet),
    ]);
    flags.extend(
        [
            ("client-ca-file", "ca.crt"),
            ("etcd-cafile", "etcd/ca.crt"),
            ("etcd-certfile", "apiserver-etcd-client.crt"),
            ("etcd-keyfile", "apiserver-etcd-client.key"),
            ("kubelet-client-certificate", "apiserver-kubelet-client.crt"),
            ("kubelet-client-key", "apiserver-kubelet-client.key"),
            ("proxy-client-cert-file", "front-proxy-client.crt"),
            ("proxy-client-key-file", "front-proxy-client.key"),
            ("requestheader-client-ca-file", "front-proxy-ca.crt"),
            ("service-account-key-file", "sa.pub"),
            ("service-account-signing-key-file", "sa.key"),
            ("tls-cert-file", "apiserver.crt"),
            ("tls-private-key-file", "apiserver.key"),
        ]
        .map(|(name, file)| (name, format!("{PKI}/{file}"))),
    );
    flags.extend([
        ("advertise-address", config.internal_ip.to_string()),
        ("secure-port", config.secure_port.to_string()),
        (
            "service-account-issuer",
            format!("https://kubernetes.default.svc.{}", config.cluster_domain),
        ),
    ]);
    command("kube-apiserver", &flags, &config.kubeadm.api_server)
}

pub fn controller_manager(config: &NodeConfig) -> Vec<String> {
    let kubeconfig = "/etc/kubernetes/controller-manager.conf";
    let mut flags = flags([
        ("authentication-kubeconfig", kubeconfig),
        ("authorization-kubeconfig", kubeconfig),
        ("bind-address", "127.0.0.1"),
        ("cluster-name", &config.kubeadm.cluster_name),
        ("controllers", "*,bootstrapsigner,tokencleaner"),
        ("kubeconfig", kubeconfig),
        ("leader-elect", "true"),
        ("use-service-account-credentials", "true"),
    ]);
    flags.extend(
        [
            ("client-ca-file", "ca.crt"),
            ("cluster-signing-cert-file", "ca.crt"),
            ("cluster-signing-key-file", "ca.key"),
            ("requestheader-client-ca-file", "front-proxy-ca.crt"),
            ("root-ca-file", "ca.crt"),
            ("service-account-private-key-file", "sa.key"),
        ]
        .map(|(name, file)| (name, format!("{PKI}/{file}"))),
    );
    if !config.cluster_cidr.is_empty() {
        flags.extend([
            ("allocate-node-cidrs", "true".to_owned()),
            ("cluster-cidr", config.cluster_cidr.clone()),
            ("service-cluster-ip-range", config.kubeadm.service_subnet.clone()),
        ]);
    }
    command("kube-controller-manager", &flags, &config.kubeadm.controller_manager)
}

pub fn scheduler(config: &NodeConfig) -> Vec<String> {
    let kubeconfig = "/etc/kubernetes/scheduler.conf";
    let flags = flags([
        ("authentication-kubeconfig", kubeconfig),
        ("authorization-kubeconfig", kubeconfig),
        ("bind-address", "127.0.0.1"),
        ("kubeconfig", kubeconfig),
        ("leader-elect", "true"),
    ]);
    command("kube-scheduler", &flags, &config.kubeadm.scheduler)
}
