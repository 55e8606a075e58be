//! `kubeadm`, on the machine that it is run on.
//!
//! Upstream: `cmd/kubeadm/app/cmd`.

mod certs;
pub(crate) mod files;
mod init;
mod join;
mod preflight;
mod renew;
mod reset;
mod token;

pub(crate) use files::{INSTALLED as INSTALLED_FILES, kubelet_config};

use super::{Ask, out};
use crate::Cluster;
use crate::agenda::Part;
use crate::severed::Reach;
use naru_api::request::{Op, Response};
use naru_api::status::ApiResult;
use naru_api::{KindRef, Request, UserInfo};
use naru_shell::{Answer, Next};
use naru_sim::Time;
use naru_tools::flags::{Flags, Known};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// The version that is installed.
const VERSION: &str = "v1.33.1";
/// Where the API server listens.
const PORT: u16 = 6443;
/// Groups of tokens that machines join with.
const NODE_GROUP: &str = "system:bootstrappers:kubeadm:default-node-token";
/// How long a token lasts that nobody has said more of.
const TOKEN_TTL: Duration = Duration::from_secs(24 * 3600);

/// Does a command line on the machine of this index.
pub fn run(cluster: &mut Cluster, machine: usize, ask: &Ask<'_>) -> Answer {
    let words: Vec<&str> = ask.args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["init", ..] => init::run(cluster, machine, ask),
        ["join", ..] => join::run(cluster, machine, ask),
        ["reset", ..] => reset::run(cluster, machine, ask),
        ["certs" | "certificates", ..] => certs::run(cluster, machine, ask),
        ["token", ..] => token::run(cluster, machine, ask),
        ["version", rest @ ..] => version(rest),
        ["config", "images", "list", ..] => out(images()),
        ["config", "images", "pull", ..] => {
            out(images().lines().map(|image| format!("[config/images] Pulled {image}\n")).collect())
        }
        [] | ["help" | "--help" | "-h", ..] => out(USAGE.to_owned()),
        [verb, ..] if verb.starts_with('-') => failed(&format!("unknown flag: {verb}")),
        [verb, ..] => failed(&format!("unknown command {verb:?} for \"kubeadm\"")),
    }
}

const USAGE: &str = "
    ┌──────────────────────────────────────────────────────────┐
    │ KUBEADM                                                  │
    │ Easily bootstrap a secure Kubernetes cluster             │
    │                                                          │
    │ Please give us feedback at:                              │
    │ https://github.com/kubernetes/kubeadm/issues             │
    └──────────────────────────────────────────────────────────┘

Usage:
  kubeadm [command]

Available Commands:
  certs       Commands related to handling Kubernetes certificates
  config      Manage configuration for a kubeadm cluster persisted in a ConfigMap in the cluster
  help        Help about any command
  init        Run this command in order to set up the Kubernetes control plane
  join        Run this on any machine you wish to join an existing cluster
  reset       Performs a best effort revert of changes made to this host by 'kubeadm init' or 'kubeadm join'
  token       Manage bootstrap tokens
  version     Print the version of kubeadm

Use \"kubeadm [command] --help\" for more information about a command.
";

fn version(rest: &[&str]) -> Answer {
    match rest {
        ["-o", "short"] | ["-oshort" | "--output=short"] => out(format!("{VERSION}\n")),
        _ => out(format!(
            "kubeadm version: &version.Info{{Major:\"1\", Minor:\"33\", EmulationMajor:\"\", \
             EmulationMinor:\"\", MinCompatibilityMajor:\"\", MinCompatibilityMinor:\"\", \
             GitVersion:\"{VERSION}\", GitCommit:\"8adc0f041b8e7ad1d30e29cc59c6ae7a15e19828\", \
             GitTreeState:\"clean\", BuildDate:\"2025-05-15T08:25:33Z\", GoVersion:\"go1.24.2\", \
             Compiler:\"gc\", Platform:\"linux/amd64\"}}\n"
        )),
    }
}

fn images() -> String {
    let own = ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"];
    let mut lines: Vec<String> =
        own.iter().map(|name| format!("registry.k8s.io/{name}:{VERSION}\n")).collect();
    lines.push("registry.k8s.io/coredns/coredns:v1.12.0\n".to_owned());
    lines.push("registry.k8s.io/pause:3.10\n".to_owned());
    lines.push("registry.k8s.io/etcd:3.5.21-0\n".to_owned());
    lines.concat()
}

/// An error, as `CheckErr` prints it.
fn failed(why: &str) -> Answer {
    failed_after(String::new(), why)
}

/// The same, after something was printed.
fn failed_after(stdout: String, why: &str) -> Answer {
    let stderr =
        format!("{why}\nTo see the stack trace of this error execute with --v=5 or higher\n");
    Answer { stdout, stderr, code: 1, ..Answer::default() }
}

/// Something was printed, and after a while there is more to do.
fn more(stdout: String, after: Duration, state: &impl Serialize) -> Answer {
    let state = serde_json::to_string(state).unwrap_or_default();
    let next = Some(Next { after, state, ..Next::default() });
    Answer { stdout, next, ..Answer::default() }
}

fn parse(ask: &Ask<'_>, known: &[Known]) -> Result<Flags, String> {
    let args = ask.args.get(1..).unwrap_or_default();
    let common =
        [("v", "v", true), ("kubeconfig", "", true), ("ignore-preflight-errors", "", true)];
    let all: Vec<Known> = known.iter().chain(&common).copied().collect();
    Flags::parse(args, &all)
}

/// A request of somebody on this machine.
fn request(
    cluster: &mut Cluster,
    machine: usize,
    user: UserInfo,
    kind: KindRef,
    (namespace, name): (&str, &str),
    op: Op,
) -> ApiResult<Response> {
    let part = Part::Node(u32::try_from(machine).unwrap_or(u32::MAX));
    let severed = cluster.why_unreached(part);
    let mut reach = Reach::new(&mut cluster.api, severed);
    reach.clients().handle(Request {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        ..Request::new(user, Arc::from("kubeadm"), kind, op)
    })
}

/// Whoever has `admin.conf`.
fn admin() -> UserInfo {
    UserInfo::new("kubernetes-admin", &["kubeadm:cluster-admins", "system:authenticated"])
}

/// Columns at least ten wide, with three blanks between; the last one is not filled up.
/// Upstream: `tabwriter.NewWriter(out, 10, 4, 3, ' ', 0)`.
fn table(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count() + 3).max().unwrap_or(0).max(10)
    };
    let line = |row: &Vec<String>| {
        let Some((last, first)) = row.split_last() else { return "\n".to_owned() };
        let cells = first.iter().enumerate();
        let cells: String =
            cells.map(|(column, cell)| format!("{cell:<0$}", width(column))).collect();
        format!("{cells}{last}\n")
    };
    rows.iter().map(line).collect()
}

/// A duration as Go prints it: `1.500982s`.
fn go_duration(duration: Duration) -> String {
    let micros = duration.as_micros();
    match micros {
        0..1_000_000 => {
            let text = format!("{}.{:03}", micros / 1000, micros % 1000);
            format!("{}ms", text.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => {
            let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
            format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
        }
    }
}

fn since(cluster: &Cluster, micros: u64) -> Duration {
    cluster.now().since(Time::from_micros(micros))
}
