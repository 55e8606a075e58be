//! What kubeadm lays down on a machine.
//!
//! Upstream: `cmd/kubeadm/app/phases/certs`, `phases/kubeconfig`, `phases/kubelet`.

use super::PORT;
use crate::{Cluster, kubeconfig};
use naru_api::yaml;
use naru_pki::Subject;
use naru_shell::Errno;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// Files that are on a machine before it is anything.
pub(crate) const INSTALLED: [(&str, &str); 1] =
    [("/root/kindnet.yaml", include_str!("../../../../../assets/manifests/kindnet-install.yaml"))];

/// Where the certificates are.
pub const PKI: &str = "/etc/kubernetes/pki";

/// The kubelet's configuration, as kubeadm writes it.
pub const KUBELET_CONFIG: &str = "\
apiVersion: kubelet.config.k8s.io/v1beta1
authentication:
  anonymous:
    enabled: false
  webhook:
    cacheTTL: 0s
    enabled: true
  x509:
    clientCAFile: /etc/kubernetes/pki/ca.crt
authorization:
  mode: Webhook
  webhook:
    cacheAuthorizedTTL: 0s
    cacheUnauthorizedTTL: 0s
cgroupDriver: systemd
clusterDNS:
- 10.96.0.10
clusterDomain: cluster.local
containerRuntimeEndpoint: \"\"
cpuManagerReconcilePeriod: 0s
evictionPressureTransitionPeriod: 0s
fileCheckFrequency: 0s
healthzBindAddress: 127.0.0.1
healthzPort: 10248
httpCheckFrequency: 0s
imageMaximumGCAge: 0s
imageMinimumGCAge: 0s
kind: KubeletConfiguration
logging:
  flushFrequency: 0
  options:
    json:
      infoBufferSize: \"0\"
    text:
      infoBufferSize: \"0\"
  verbosity: 0
memorySwap: {}
nodeStatusReportFrequency: 0s
nodeStatusUpdateFrequency: 0s
rotateCertificates: true
runtimeRequestTimeout: 0s
shutdownGracePeriod: 0s
shutdownGracePeriodCriticalPods: 0s
staticPodPath: /etc/kubernetes/manifests
streamingConnectionIdleTimeout: 0s
syncFrequency: 0s
volumeStatsAggPeriod: 0s
";

const KUBELET_FLAGS: &str = "KUBELET_KUBEADM_ARGS=\"--container-runtime-endpoint=\
    unix:///run/containerd/containerd.sock --pod-infra-container-image=registry.k8s.io/pause:3.10\"\n";

/// Writes the certificates, the kubeconfigs and the manifests of a control plane.
pub fn write_control_plane(
    cluster: &mut Cluster,
    machine: usize,
    ip: Ipv4Addr,
) -> Result<(), String> {
    let name = cluster.nodes.get(machine).map(|node| node.name().to_owned()).unwrap_or_default();
    let mut files = certificates(cluster, &name, ip)?;
    let server = format!("{ip}:{PORT}");
    let kubelet = format!("system:node:{name}");
    let clients: [(&str, &str, &[&str]); 5] = [
        ("admin.conf", "kubernetes-admin", &["kubeadm:cluster-admins"]),
        ("super-admin.conf", "kubernetes-super-admin", &["system:masters"]),
        ("kubelet.conf", &kubelet, &["system:nodes"]),
        ("controller-manager.conf", "system:kube-controller-manager", &[]),
        ("scheduler.conf", "system:kube-scheduler", &[]),
    ];
    for (file, user, groups) in clients {
        let pair = cluster.pki.client(Subject::new(user, groups), cluster.now());
        let pair = pair.map_err(|error| error.to_string())?;
        let text = kubeconfig::of(&cluster.pki, &server, "kubernetes", user, &pair);
        files.push((format!("/etc/kubernetes/{file}"), text.into_bytes()));
    }
    if let Some(node) = cluster.nodes.get(machine) {
        files.extend(node.control_plane_manifests());
    }
    files.extend(kubelet_files(cluster));
    write(cluster, machine, files)
}

/// Writes what a kubelet needs that has been given a certificate.
pub fn write_worker(
    cluster: &mut Cluster,
    machine: usize,
    kubeconfig: String,
) -> Result<(), String> {
    let authority = cluster.pki.authority().certificate().to_pem();
    let mut files = kubelet_files(cluster);
    files.push(("/etc/kubernetes/kubelet.conf".to_owned(), kubeconfig.into_bytes()));
    files.push((format!("{PKI}/ca.crt"), authority.into_bytes()));
    write(cluster, machine, files)
}

/// Writes what a node has that was joined long ago.
pub fn write_node(cluster: &mut Cluster, machine: usize, name: &str) -> Result<(), String> {
    let user = format!("system:node:{name}");
    let pair = cluster.pki.client(Subject::new(&user, &["system:nodes"]), cluster.now());
    let pair = pair.map_err(|error| error.to_string())?;
    let ip = cluster.profile.control_plane_ips().next().unwrap_or(Ipv4Addr::UNSPECIFIED);
    let text = kubeconfig::of(&cluster.pki, &format!("{ip}:{PORT}"), "kubernetes", &user, &pair);
    write_worker(cluster, machine, text)
}

fn kubelet_files(cluster: &Cluster) -> Vec<(String, Vec<u8>)> {
    let file = |name: &str, text: &str| (format!("/var/lib/kubelet/{name}"), text.into());
    let config = kubelet_config(&cluster.profile.kubelet);
    vec![file("config.yaml", &config), file("kubeadm-flags.env", KUBELET_FLAGS)]
}

/// The kubelet's configuration with fields that are not as usual.
pub(crate) fn kubelet_config(own: &Map<String, Value>) -> String {
    match yaml::parse(KUBELET_CONFIG) {
        Ok(Value::Object(mut fields)) if !own.is_empty() => {
            fields.extend(own.clone());
            // As all that is written by way of JSON, in the order of the alphabet.
            let sorted: BTreeMap<String, Value> = fields.into_iter().collect();
            yaml::print(&sorted.into_iter().collect())
        }
        _ => KUBELET_CONFIG.to_owned(),
    }
}

fn certificates(
    cluster: &Cluster,
    name: &str,
    ip: Ipv4Addr,
) -> Result<Vec<(String, Vec<u8>)>, String> {
    let (pki, now) = (&cluster.pki, cluster.now());
    let text = |error: naru_pki::PkiError| error.to_string();
    let names = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        name,
    ];
    let addresses = [IpAddr::V4(Ipv4Addr::new(10, 96, 0, 1)), IpAddr::V4(ip)];
    let serving = pki.serving(&names, &addresses, now).map_err(text)?;
    let masters = ["kubeadm:cluster-admins"];
    let kubelet_client = Subject::new("kube-apiserver-kubelet-client", &masters);
    let kubelet_client = pki.client(kubelet_client, now).map_err(text)?;
    let file = |name: &str, pem: String| (format!("{PKI}/{name}"), pem.into_bytes());
    let mut files = vec![
        file("ca.crt", pki.authority().certificate().to_pem()),
        file("ca.key", pki.authority().key().to_pem()),
        file("sa.key", pki.service_account_key().to_pem()),
        file("sa.pub", pki.service_accounts().public().to_pem()),
    ];
    for (name, pair) in [("apiserver", serving), ("apiserver-kubelet-client", kubelet_client)] {
        files.push(file(&format!("{name}.crt"), pair.certificate.to_pem()));
        files.push(file(&format!("{name}.key"), pair.key.to_pem()));
    }
    files.extend(cluster.etcd_files(name, ip)?);
    files.extend(cluster.front_proxy_files()?);
    Ok(files)
}

/// Writes files; keys and kubeconfigs so that only their owner reads them.
pub fn write(
    cluster: &mut Cluster,
    machine: usize,
    files: Vec<(String, Vec<u8>)>,
) -> Result<(), String> {
    let Some(node) = cluster.nodes.get_mut(machine) else { return Ok(()) };
    let mut at = String::new();
    let written = node.change_files(|fs| {
        for (path, bytes) in files {
            let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder).to_owned();
            at.clone_from(&path);
            fs.mkdir_all(&folder)?;
            fs.write(&path, &bytes)?;
            if path.ends_with(".key") || path.ends_with(".conf") {
                fs.chmod(&path, 0o600)?;
            }
        }
        Ok(())
    });
    written.map_err(|error| format!("{at}: {error}"))
}

/// Takes away everything in these folders, and these files.
pub fn remove(cluster: &mut Cluster, machine: usize, folders: &[&str], files: &[String]) {
    let Some(node) = cluster.nodes.get_mut(machine) else { return };
    let removed = node.change_files(|fs| {
        for folder in folders {
            // What is not there need not go.
            let _: Result<(), Errno> = fs.remove_all(folder);
            let _: Result<(), Errno> = fs.mkdir_all(folder);
        }
        for file in files {
            let _: Result<(), Errno> = fs.remove_all(file);
        }
        Ok(())
    });
    debug_assert!(removed.is_ok());
}
