//! `/healthz`, `/livez`, `/readyz`.
//!
//! Upstream: `apiserver/pkg/server/healthz/healthz.go` and the hooks of v1.33's kube-apiserver.

use crate::ApiServer;
use crate::rest::exchange::Exchange;
use crate::rest::http::HttpResponse;
use crate::rest::not_found;
use naru_api::status::ApiResult;
use std::fmt::Write as _;

/// What runs once when an API server starts; one that answers has all of them behind it.
const HOOKS: &[&str] = &[
    "start-apiserver-admission-initializer",
    "generic-apiserver-start-informers",
    "priority-and-fairness-config-consumer",
    "priority-and-fairness-filter",
    "storage-object-count-tracker-hook",
    "start-apiextensions-informers",
    "start-apiextensions-controllers",
    "crd-informer-synced",
    "start-system-namespaces-controller",
    "start-cluster-authentication-info-controller",
    "start-kube-apiserver-identity-lease-controller",
    "start-kube-apiserver-identity-lease-garbage-collector",
    "start-legacy-token-tracking-controller",
    "start-service-ip-repair-controllers",
    "rbac/bootstrap-roles",
    "scheduling/bootstrap-system-priority-classes",
    "priority-and-fairness-config-producer",
    "bootstrap-controller",
    "start-kubernetes-service-cidr-controller",
    "aggregator-reload-proxy-client-cert",
    "start-kube-aggregator-informers",
    "apiservice-status-local-available-controller",
    "apiservice-status-remote-available-controller",
    "apiservice-registration-controller",
    "apiservice-discovery-controller",
    "kube-apiserver-autoregistration",
    "apiservice-openapi-controller",
    "apiservice-openapiv3-controller",
];

/// Upstream: `apiserver/pkg/storage/storagebackend/factory/etcd3.go`.
const ETCD_FAILED: &str = "error getting data from etcd: context deadline exceeded";

impl ApiServer {
    /// Answers one of the three, whole or a single check.
    pub(crate) fn rest_health(&self, x: &Exchange<'_>, root: &str) -> ApiResult<HttpResponse> {
        let checks = checks(root);
        let below = x.info.path.strip_prefix('/').and_then(|path| path.strip_prefix(root));
        let below = below.unwrap_or_default().trim_matches('/');
        if !below.is_empty() {
            if !checks.iter().any(|check| check == below) {
                return Err(not_found::page());
            }
            return Ok(match self.fails(below) {
                true => HttpResponse::text(500, &format!("internal server error: {ETCD_FAILED}")),
                false => text("ok".to_owned()),
            });
        }
        let mut excluded: Vec<&str> = x.query.all("exclude").collect();
        let mut out = String::new();
        let mut failed = false;
        for check in checks {
            let left_out = excluded.contains(&check.as_str());
            excluded.retain(|name| *name != check);
            let fails = !left_out && self.fails(&check);
            failed |= fails;
            // Writing to a String cannot fail.
            let _ = match (left_out, fails) {
                (true, _) => writeln!(out, "[+]{check} excluded: ok"),
                (_, true) => writeln!(out, "[-]{check} failed: reason withheld"),
                _ => writeln!(out, "[+]{check} ok"),
            };
        }
        if !excluded.is_empty() {
            let quoted = naru_api::gofmt::quote_all(&excluded);
            let _ = writeln!(
                out,
                "warn: some health checks cannot be excluded: no matches for {quoted}"
            );
        }
        if failed {
            // Upstream: `http.Error` adds the last line feed.
            return Ok(HttpResponse::text(500, &format!("{out}{root} check failed\n")));
        }
        if x.query.get("verbose").is_none() {
            return Ok(text("ok".to_owned()));
        }
        let _ = writeln!(out, "{root} check passed");
        Ok(text(out))
    }

    fn fails(&self, check: &str) -> bool {
        self.etcd_is_lost() && matches!(check, "etcd" | "etcd-readiness")
    }
}

fn text(body: String) -> HttpResponse {
    let mut answer = HttpResponse::new(200, "text/plain; charset=utf-8", body);
    answer.head = answer.head.with("X-Content-Type-Options", "nosniff");
    answer
}

/// The names of the checks, in upstream's order.
fn checks(root: &str) -> Vec<String> {
    let mut checks: Vec<String> = ["ping", "log", "etcd"].map(str::to_owned).into();
    if root == "readyz" {
        checks.extend(["etcd-readiness", "informer-sync"].map(str::to_owned));
    }
    for hook in HOOKS {
        if *hook == "apiservice-openapi-controller" {
            checks.push("autoregister-completion".to_owned());
        }
        checks.push(format!("poststarthook/{hook}"));
    }
    if root == "readyz" {
        checks.push("shutdown".to_owned());
    }
    checks
}
