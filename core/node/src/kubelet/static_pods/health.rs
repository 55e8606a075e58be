//! How the components of a control plane are asked whether they have started, live, and are ready.
//!
//! Upstream: `LivenessProbe`, `ReadinessProbe` and `StartupProbe` in
//! `cmd/kubeadm/app/util/staticpod/utils.go`, and who calls them.

use super::{API_SERVER, ETCD};
use crate::NodeConfig;
use k8s_openapi::api::core::v1::{HTTPGetAction, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Where a component is asked, and for which paths.
pub struct Health {
    host: String,
    port: i32,
    scheme: &'static str,
    lives: &'static str,
    is_ready: Option<&'static str>,
    has_started: &'static str,
}

impl Health {
    /// Of this program on a node.
    pub fn of(config: &NodeConfig, program: &str) -> Option<Health> {
        const HOME: &str = "127.0.0.1";
        let advertised = config.internal_ip.to_string();
        let (live, ready) = ("/livez", Some("/readyz"));
        let (host, port, scheme, (lives, is_ready, has_started)) = match program {
            ETCD => (HOME, 2381, "HTTP", (live, ready, "/readyz")),
            API_SERVER => {
                (&*advertised, i32::from(config.secure_port), "HTTPS", (live, ready, live))
            }
            "kube-controller-manager" => (HOME, 10257, "HTTPS", ("/healthz", None, "/healthz")),
            "kube-scheduler" => (HOME, 10259, "HTTPS", (live, ready, live)),
            _ => return None,
        };
        Some(Health { host: host.to_owned(), port, scheme, lives, is_ready, has_started })
    }

    pub fn liveness(&self) -> Probe {
        self.probe(self.lives, Some(10), 8, 10)
    }

    pub fn readiness(&self) -> Option<Probe> {
        self.is_ready.map(|path| self.probe(path, None, 3, 1))
    }

    pub fn startup(&self) -> Probe {
        self.probe(self.has_started, Some(10), 24, 10)
    }

    /// Upstream: `createHTTPProbe`.
    fn probe(&self, path: &str, delay: Option<i32>, failures: i32, period: i32) -> Probe {
        Probe {
            http_get: Some(HTTPGetAction {
                host: Some(self.host.clone()),
                path: Some(path.to_owned()),
                port: IntOrString::Int(self.port),
                scheme: Some(self.scheme.to_owned()),
                ..HTTPGetAction::default()
            }),
            initial_delay_seconds: delay,
            timeout_seconds: Some(15),
            failure_threshold: Some(failures),
            period_seconds: Some(period),
            ..Probe::default()
        }
    }
}

/// Whether a program is asked where it answers, and for what it knows.
pub fn is_asked(config: &NodeConfig, program: &str, get: &HTTPGetAction) -> bool {
    let Some(health) = Health::of(config, program) else { return false };
    let paths = [Some(health.lives), health.is_ready, Some(health.has_started)];
    get.host.as_deref() == Some(&*health.host)
        && get.port == IntOrString::Int(health.port)
        && get.scheme.as_deref() == Some(health.scheme)
        && get.path.as_deref().is_some_and(|path| paths.contains(&Some(path)))
}
