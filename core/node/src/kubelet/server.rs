//! What the kubelet's own server answers to who reads: `nodes/proxy`.
//!
//! Upstream: `pkg/kubelet/server/server.go`, `pkg/healthz` of `apiserver`.

use super::{Kubelet, cadvisor_metrics, configz, metrics, resource_metrics, stats, system_logs};
use crate::runtime::Runtime;
use naru_api::http::{HttpRequest, HttpResponse};
use naru_sim::Time;
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::{Value, json};

/// Answers a request.
pub(crate) fn answer(
    kubelet: &Kubelet,
    runtime: &Runtime,
    now: Time,
    request: &HttpRequest,
) -> HttpResponse {
    let text = |text: &str| HttpResponse::new(200, "text/plain; charset=utf-8", text);
    let known = match request.path.as_str() {
        "/healthz" | "/healthz/ping" | "/healthz/log" | "/healthz/syncloop" => text("ok"),
        "/pods" | "/runningpods/" => json_response(&pods(kubelet, &request.path)),
        "/metrics" => prometheus(metrics::text(kubelet, runtime)),
        "/metrics/probes" => prometheus(metrics::probes(kubelet)),
        "/metrics/resource" => prometheus(resource_metrics::text(kubelet, runtime, now)),
        "/metrics/cadvisor" => prometheus(cadvisor_metrics::text(kubelet, runtime, now)),
        "/configz" => json_response(&configz::of(kubelet.config())),
        path if path.starts_with("/logs/") => system_logs::answer(kubelet, runtime, path),
        path if path.starts_with("/containerLogs/") => {
            system_logs::of_container(kubelet, runtime, request)
        }
        "/stats/summary" => indented(&stats::summary(kubelet, runtime, now)),
        _ => return HttpResponse::text(404, "404 page not found"),
    };
    match request.method.as_str() {
        "GET" | "HEAD" => known,
        _ => HttpResponse::text(405, "405: Method Not Allowed"),
    }
}

fn prometheus(text: String) -> HttpResponse {
    let media_type = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";
    HttpResponse::new(200, media_type, text)
}

fn json_response(value: &Value) -> HttpResponse {
    let mut body = value.to_string();
    body.push('\n');
    HttpResponse::new(200, "application/json", body)
}

/// As go-restful writes what it is not told to write densely: each level by one blank.
fn indented(value: &impl Serialize) -> HttpResponse {
    let mut body = Vec::new();
    let form = PrettyFormatter::with_indent(b" ");
    let written = value.serialize(&mut Serializer::with_formatter(&mut body, form));
    debug_assert!(written.is_ok());
    HttpResponse::new(200, "application/json", body)
}

/// The pods that are bound to the node, or those of them that have a sandbox.
fn pods(kubelet: &Kubelet, path: &str) -> Value {
    let running = path == "/runningpods/";
    let workers = kubelet.workers().filter(|worker| !running || worker.sandbox.is_some());
    let items: Vec<Value> = workers
        .map(|worker| {
            // What the API server has sent can be written.
            let mut pod = worker.object.to_json().unwrap_or_default();
            if let Some(map) = pod.as_object_mut() {
                map.remove("apiVersion");
                map.remove("kind");
            }
            pod
        })
        .collect();
    json!({ "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items })
}
