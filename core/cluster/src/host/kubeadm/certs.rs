//! `kubeadm certs`: when certificates end, new ones (`renew.rs`), a key.
//!
//! Upstream: `cmd/kubeadm/app/cmd/certs.go`, `cmd/kubeadm/app/phases/certs/renewal`.

use super::super::{Ask, out};
use super::files::PKI;
use super::{admin, failed, parse, renew, request, table};
use crate::Cluster;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::jiff::Timestamp;
use naru_api::request::Op;
use naru_api::{Kube, duration, yaml};
use naru_pki::{Certificate, base64};
use naru_shell::Answer;
use naru_sim::Time;
use serde_json::Value;
use std::fmt::Write as _;
use std::time::Duration;

/// What is renewed.
pub(super) struct Renewed {
    /// What it is called in commands and tables.
    pub(super) name: &'static str,
    /// What it is called in sentences.
    pub(super) long_name: &'static str,
    /// Its file, from the folder of certificates on.
    pub(super) path: &'static str,
    /// The authority that has signed it.
    pub(super) authority: &'static str,
}

const fn renewed(
    name: &'static str,
    long_name: &'static str,
    path: &'static str,
    authority: &'static str,
) -> Renewed {
    Renewed { name, long_name, path, authority }
}

/// All of them, by their names.
///
/// Upstream: `NewManager` in `renewal/manager.go`, `phases/certs/certlist.go`.
pub(super) const CERTIFICATES: [Renewed; 11] = [
    renewed(
        "admin.conf",
        "certificate embedded in the kubeconfig file for the admin to use and for kubeadm itself",
        "../admin.conf",
        "ca",
    ),
    renewed("apiserver", "certificate for serving the Kubernetes API", "apiserver.crt", "ca"),
    renewed(
        "apiserver-etcd-client",
        "certificate the apiserver uses to access etcd",
        "apiserver-etcd-client.crt",
        "etcd-ca",
    ),
    renewed(
        "apiserver-kubelet-client",
        "certificate for the API server to connect to kubelet",
        "apiserver-kubelet-client.crt",
        "ca",
    ),
    renewed(
        "controller-manager.conf",
        "certificate embedded in the kubeconfig file for the controller manager to use",
        "../controller-manager.conf",
        "ca",
    ),
    renewed(
        "etcd-healthcheck-client",
        "certificate for liveness probes to healthcheck etcd",
        "etcd/healthcheck-client.crt",
        "etcd-ca",
    ),
    renewed(
        "etcd-peer",
        "certificate for etcd nodes to communicate with each other",
        "etcd/peer.crt",
        "etcd-ca",
    ),
    renewed("etcd-server", "certificate for serving etcd", "etcd/server.crt", "etcd-ca"),
    renewed(
        "front-proxy-client",
        "certificate for the front proxy client",
        "front-proxy-client.crt",
        "front-proxy-ca",
    ),
    renewed(
        "scheduler.conf",
        "certificate embedded in the kubeconfig file for the scheduler manager to use",
        "../scheduler.conf",
        "ca",
    ),
    renewed(
        "super-admin.conf",
        "certificate embedded in the kubeconfig file for the super-admin",
        "../super-admin.conf",
        "ca",
    ),
];
/// Their authorities, and the files of these without their endings.
pub(super) const AUTHORITIES: [(&str, &str); 3] =
    [("ca", "ca"), ("etcd-ca", "etcd/ca"), ("front-proxy-ca", "front-proxy-ca")];

const USAGE: &str = "Commands related to handling kubernetes certificates

Usage:
  kubeadm certs [flags]
  kubeadm certs [command]

Aliases:
  certs, certificates

Available Commands:
  certificate-key  Generate certificate keys
  check-expiration Check certificates expiration for a Kubernetes cluster
  renew            Renew certificates for a Kubernetes cluster

Flags:
  -h, --help   help for certs

Global Flags:
      --rootfs string   The path to the 'real' host root filesystem. This will cause kubeadm to chroot into the provided path.

Use \"kubeadm certs [command] --help\" for more information about a command.
";

/// Does a command line.
pub fn run(cluster: &mut Cluster, machine: usize, ask: &Ask<'_>) -> Answer {
    let flags = match parse(ask, &[("cert-dir", "", true), ("config", "", true)]) {
        Ok(flags) => flags,
        Err(why) => return failed(&why),
    };
    let words: Vec<&str> = flags.words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["check-expiration"] => out(check_expiration(cluster, machine)),
        ["certificate-key"] => out(certificate_key(cluster)),
        ["renew", which @ ..] => renew::run(cluster, machine, which),
        [command @ ("check-expiration" | "certificate-key"), word, ..] => {
            failed(&format!("unknown command {word:?} for \"kubeadm certs {command}\""))
        }
        [] => Answer { code: 1, ..out(USAGE.to_owned()) },
        words => invalid("kubeadm certs", words),
    }
}

/// What a command says to words that name none below it.
///
/// Upstream: `SubCmdRun` in `cmd/kubeadm/app/cmd/util/cmdutil.go`.
pub(super) fn invalid(command: &str, words: &[&str]) -> Answer {
    let words = words.join(" ");
    failed(&format!("invalid subcommand {words:?}\nSee '{command} -h' for help and examples"))
}

/// A key for `kubeadm init --certificate-key`: 32 bytes, as AES-256 wants.
fn certificate_key(cluster: &mut Cluster) -> String {
    const BYTES: usize = 32;
    let mut key = String::new();
    for _ in 0..BYTES {
        let _ = write!(key, "{:02x}", cluster.rng.below(256));
    }
    key + "\n"
}

fn check_expiration(cluster: &mut Cluster, machine: usize) -> String {
    let mut text = configuration(cluster, machine, "check-expiration");
    let place = Place { cluster, machine };
    let mut rows = vec![words(&[
        "CERTIFICATE",
        "EXPIRES",
        "RESIDUAL TIME",
        "CERTIFICATE AUTHORITY",
        "EXTERNALLY MANAGED",
    ])];
    for Renewed { name, path, authority, .. } in CERTIFICATES {
        let Some(certificate) = place.certificate(path) else {
            // A machine need not have the file of the one who is above all rules.
            if name != "super-admin.conf" {
                rows.push(words(&[&format!("!MISSING! {name}"), "", "", "", ""]));
            }
            continue;
        };
        let [expires, left] = expiration(&certificate, cluster.now());
        let file = AUTHORITIES.iter().find(|(name, _)| *name == authority);
        let managed = place.is_external(file.map_or("", |(_, file)| file));
        rows.push(words(&[name, &expires, &left, authority, managed]));
    }
    text += &table(&rows);
    let mut rows =
        vec![words(&["CERTIFICATE AUTHORITY", "EXPIRES", "RESIDUAL TIME", "EXTERNALLY MANAGED"])];
    for (name, file) in AUTHORITIES {
        let Some(certificate) = place.certificate(&format!("{file}.crt")) else {
            rows.push(words(&[&format!("!MISSING! {name}"), "", "", ""]));
            continue;
        };
        let [expires, left] = expiration(&certificate, cluster.now());
        rows.push(words(&[name, &expires, &left, place.is_external(file)]));
    }
    text + "\n" + &table(&rows)
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// What is said of the cluster's configuration. Who has no `admin.conf` asks nobody.
pub(super) fn configuration(cluster: &mut Cluster, machine: usize, command: &str) -> String {
    if (Place { cluster, machine }).read("../admin.conf").is_none() {
        return String::new();
    }
    let place = ("kube-system", "kubeadm-config");
    let found = request(cluster, machine, admin(), ConfigMap::kind(), place, Op::Get);
    let told = match found {
        Ok(_) => {
            "Use 'kubeadm init phase upload-config --config your-config-file' to re-upload it."
        }
        Err(_) => {
            "Error reading configuration from the Cluster. Falling back to default configuration"
        }
    };
    format!(
        "[{command}] Reading configuration from the \"kubeadm-config\" ConfigMap in \
         namespace \"kube-system\"...\n[{command}] {told}\n\n"
    )
}

/// The files of a machine.
pub(super) struct Place<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) machine: usize,
}

impl Place<'_> {
    /// A file, by its path from the folder of certificates on.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        let node = self.cluster.nodes.get(self.machine)?;
        let bytes = node.files().read(&naru_shell::normalize(PKI, path)).ok()?;
        String::from_utf8(bytes.to_vec()).ok()
    }

    /// The certificate of a file, or of the client that a kubeconfig is for.
    pub(super) fn certificate(&self, path: &str) -> Option<Certificate> {
        let text = self.read(path)?;
        if !path.ends_with(".conf") {
            return Certificate::from_pem(&text).ok();
        }
        let config = yaml::parse(&text).ok()?;
        let data = config.pointer("/users/0/user/client-certificate-data");
        let pem = base64::decode(data.and_then(Value::as_str)?)?;
        Certificate::from_pem(&String::from_utf8(pem).ok()?).ok()
    }

    /// Whether the authority's key is elsewhere, as wide as the column is.
    fn is_external(&self, authority: &str) -> &'static str {
        match self.read(&format!("{authority}.key")) {
            Some(_) => "no      ",
            None => "yes     ",
        }
    }
}

/// When it ends, and how long that is from now.
fn expiration(certificate: &Certificate, now: Time) -> [String; 2] {
    let end = i64::try_from(certificate.not_after()).unwrap_or(i64::MAX);
    let date = Timestamp::from_second(end).map(|end| end.strftime("%b %d, %Y %H:%M UTC"));
    let left = u64::try_from(end - now.unix_micros() / 1_000_000);
    let left = left
        .map_or("<invalid>".to_owned(), |left| duration::short_human(Duration::from_secs(left)));
    [date.map(|date| date.to_string()).unwrap_or_default(), left]
}
