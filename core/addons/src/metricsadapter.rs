//! An adapter of metrics of one's own: it answers for `custom.metrics.k8s.io` what it was told by
//! `POST /write-metrics/…`, and for `external.metrics.k8s.io` three values that never change.
//!
//! A program that runs in a pod. Upstream: `test-adapter` of kubernetes-sigs'
//! `custom-metrics-apiserver`, whose manifest is `assets/manifests/testing-adapter.yaml`.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use naru_api::UserInfo;
use naru_api::measured::{CUSTOM, EXTERNAL, Metric};
use naru_api::quantity::Amount;
use naru_network::http::{Request, Response};
use naru_shell::serve::HttpServer;
use naru_shell::{Errno, Program, Signal, Step, Sys};
use naru_sim::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// The manifest by which it is applied.
pub const MANIFEST: &str = include_str!("../../../assets/manifests/testing-adapter.yaml");

/// Where values are written.
const HTTP_PORT: u16 = 8080;
/// Where it answers where the arguments do not say.
const SECURE_PORT: u16 = 6443;
/// Values that are kept.
const METRICS_MAX: usize = 1_000;
/// How often it tells anew what it was told: whoever answers for it may have forgotten.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// A metric's name, its labels and its value.
type Outside = (&'static str, &'static [(&'static str, &'static str)], &'static str);
/// What is outside of the cluster. Upstream: `testingExternalMetrics`.
const OUTSIDE: [Outside; 3] = [
    ("my-external-metric", &[("foo", "bar")], "42"),
    ("my-external-metric", &[("foo", "baz")], "43"),
    ("other-external-metric", &[], "44"),
];

/// A fresh instance of the program.
pub fn program() -> Box<dyn Program> {
    Box::new(Adapter::default())
}

#[derive(Clone, Debug, Default)]
struct Adapter {
    running: Option<Running>,
}

#[derive(Clone, Debug, Default)]
struct Running {
    plain: HttpServer,
    secure: HttpServer,
    /// By namespace, resource, object and name.
    values: BTreeMap<(String, String, String, String), Metric>,
    next: Time,
}

impl Program for Adapter {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        let mut running = match self.running.take() {
            Some(running) => running,
            None => match Running::start(sys) {
                Ok(running) => running,
                Err(errno) => {
                    let _ = sys.write(2, format!("unable to run: {errno}\n").as_bytes());
                    return Step::Exit(255);
                }
            },
        };
        if sys.take_signal().is_some() {
            if let Some(net) = sys.net() {
                running.plain.close(net);
                running.secure.close(net);
            }
            return Step::Exit(0);
        }
        let news = running.serve(sys);
        if news || sys.now() >= running.next {
            running.next = sys.now() + TELL_EVERY;
            running.tell(sys);
        }
        let until = Some(running.next);
        self.running = Some(running);
        Step::Block { until }
    }
}

impl Running {
    fn start(sys: &mut dyn Sys) -> Result<Self, Errno> {
        let port = sys.args().iter().find_map(|arg| arg.strip_prefix("--secure-port="));
        let port = port.and_then(|port| port.parse().ok()).unwrap_or(SECURE_PORT);
        let mut running = Running::default();
        let net = sys.net().ok_or(Errno::NetUnreachable)?;
        running.plain.listen(net, HTTP_PORT)?;
        running.secure.listen(net, port)?;
        sys.catch(Signal::Term);
        Ok(running)
    }

    /// Takes what is written; whether that was something.
    fn serve(&mut self, sys: &mut dyn Sys) -> bool {
        let mut news = false;
        loop {
            let now = sys.now();
            let Some(net) = sys.net() else { return news };
            let mut any = false;
            for incoming in self.plain.poll(net, now) {
                let response = self.write(&incoming.request, now);
                (any, news) = (true, news || response.status == 200);
                self.plain.respond(&incoming, &response);
            }
            for incoming in self.secure.poll(net, now) {
                any = true;
                let response = match incoming.request.path() {
                    "/healthz" | "/livez" | "/readyz" => Response::new(200, "ok"),
                    _ => Response::new(404, "404 page not found\n"),
                };
                self.secure.respond(&incoming, &response);
            }
            self.plain.flush(net);
            self.secure.flush(net);
            if !any {
                return news;
            }
        }
    }

    /// `POST /write-metrics/[namespaces/NAMESPACE/]RESOURCE/OBJECT/METRIC`, with the value as JSON.
    fn write(&mut self, request: &Request, now: Time) -> Response {
        let path: Vec<&str> = request.path().split('/').filter(|part| !part.is_empty()).collect();
        let (namespace, resource, object, name) = match path.as_slice() {
            ["write-metrics", "namespaces", namespace, "metrics", name] => {
                ("", "namespaces", *namespace, *name)
            }
            ["write-metrics", "namespaces", namespace, resource, object, name] => {
                (*namespace, *resource, *object, *name)
            }
            ["write-metrics", resource, object, name] => ("", *resource, *object, *name),
            _ => return Response::new(404, "404: Page Not Found"),
        };
        if request.method != "POST" {
            return Response::new(405, "405: Method Not Allowed");
        }
        let Ok(serde_json::Value::String(text)) = serde_json::from_slice(&request.body) else {
            return Response::new(400, "unable to decode the value");
        };
        let value = Quantity(text);
        if value.0.parse::<Amount>().is_err() {
            return Response::new(400, "quantities must match the regular expression");
        }
        let key = [namespace, resource, object, name].map(str::to_owned);
        let metric = Metric {
            namespace: key[0].clone(),
            resource: key[1].clone(),
            object: key[2].clone(),
            name: key[3].clone(),
            labels: BTreeMap::new(),
            value,
            timestamp: now,
        };
        if self.values.len() < METRICS_MAX {
            let [namespace, resource, object, name] = key;
            self.values.insert((namespace, resource, object, name), metric);
        }
        Response::new(200, "")
    }

    fn tell(&self, sys: &mut dyn Sys) {
        let now = sys.now();
        let Some(api) = sys.api() else { return };
        let user = UserInfo::service_account("custom-metrics", "custom-metrics-apiserver");
        let outside = OUTSIDE.map(|(name, labels, value)| Metric {
            namespace: String::new(),
            resource: String::new(),
            object: String::new(),
            name: name.to_owned(),
            labels: labels.iter().map(|(key, is)| ((*key).into(), (*is).into())).collect(),
            value: Quantity(value.to_owned()),
            timestamp: now,
        });
        // A refusal means that nobody has registered the server.
        let _ = api.tell_metrics(&user, CUSTOM, self.values.values().cloned().collect());
        let _ = api.tell_metrics(&user, EXTERNAL, outside.into());
    }
}
