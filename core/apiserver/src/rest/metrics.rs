//! `/metrics`: what the API server has counted, as Prometheus reads it.
//!
//! Upstream: `apiserver/pkg/endpoints/metrics/metrics.go`, `apiserver/pkg/storage/etcd3/metrics`.

use crate::ApiServer;
use naru_api::k8s_openapi::api::core::v1::Namespace;
use naru_api::{ApiService, KindRef, Kube};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// Different requests that are told apart; more are counted without their names.
const SERIES_MAX: usize = 5_000;

/// Upper bounds of the buckets of `apiserver_request_duration_seconds`, in seconds.
const BUCKETS: [f64; 29] = [
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0,
    10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 120.0, 180.0, 240.0, 300.0, 600.0, 1800.0,
];

/// What makes two requests the same to the counters.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Series {
    pub verb: String,
    pub group: String,
    pub version: String,
    pub resource: String,
    pub subresource: String,
    pub scope: &'static str,
    pub dry_run: bool,
}

/// How long requests took.
#[derive(Clone, Debug, Default)]
struct Durations {
    buckets: [u64; BUCKETS.len()],
    count: u64,
    sum: Duration,
}

/// What has been counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    requests: BTreeMap<(Series, u16), u64>,
    durations: BTreeMap<Series, Durations>,
}

impl Metrics {
    /// Counts a request that was answered with `code` after `took`.
    pub(crate) fn count(&mut self, series: Series, code: u16, took: Duration) {
        let known = self.durations.contains_key(&series);
        let series =
            if known || self.durations.len() < SERIES_MAX { series } else { Series::default() };
        *self.requests.entry((series.clone(), code)).or_default() += 1;
        let durations = self.durations.entry(series).or_default();
        durations.count += 1;
        durations.sum += took;
        for (bucket, bound) in durations.buckets.iter_mut().zip(BUCKETS) {
            *bucket += u64::from(took.as_secs_f64() <= bound);
        }
    }

    fn write(&self, out: &mut Text) {
        out.family(
            "apiserver_request_duration_seconds",
            "histogram",
            "[STABLE] Response latency distribution in seconds for each verb, dry run value, \
             group, version, resource, subresource, scope and component.",
        );
        for (series, durations) in &self.durations {
            let labels = series.labels();
            for (count, bound) in durations.buckets.iter().zip(BUCKETS) {
                let labels = format!("{labels},le=\"{bound}\"");
                out.sample("apiserver_request_duration_seconds_bucket", &labels, count);
            }
            let all = format!("{labels},le=\"+Inf\"");
            out.sample("apiserver_request_duration_seconds_bucket", &all, durations.count);
            let sum = durations.sum.as_secs_f64();
            out.sample("apiserver_request_duration_seconds_sum", &labels, sum);
            out.sample("apiserver_request_duration_seconds_count", &labels, durations.count);
        }
        out.family(
            "apiserver_request_total",
            "counter",
            "[STABLE] Counter of apiserver requests broken out for each verb, dry run value, \
             group, version, resource, scope, component, and HTTP response code.",
        );
        for ((series, code), count) in &self.requests {
            let labels = format!("code=\"{code}\",{}", series.labels());
            out.sample("apiserver_request_total", &labels, count);
        }
    }
}

impl Series {
    fn labels(&self) -> String {
        let Series { verb, group, version, resource, subresource, scope, dry_run } = self;
        let dry_run = if *dry_run { "All" } else { "" };
        format!(
            "component=\"apiserver\",dry_run=\"{dry_run}\",group={},resource={},scope=\"{scope}\",\
             subresource={},verb=\"{verb}\",version={}",
            label(group),
            label(resource),
            label(subresource),
            label(version)
        )
    }
}

impl ApiServer {
    /// The whole page.
    pub(crate) fn rest_metrics(&self) -> String {
        let mut out = Text(String::new());
        self.rest_state().metrics.write(&mut out);
        out.family(
            "apiserver_storage_objects",
            "gauge",
            "[STABLE] Number of stored objects at the time of last check split by kind.",
        );
        let kinds: Vec<KindRef> = self.kinds();
        let stored = kinds.iter().filter(|kind| kind.strategy.storage_kind().is_none());
        for kind in stored.filter(|kind| kind.verbs.contains(&"list")) {
            let prefix = crate::keys::of_kind(kind);
            let labels = format!("resource={}", label(&kind.group_resource()));
            out.sample("apiserver_storage_objects", &labels, self.store().range(&prefix).count());
        }
        out.family(
            "apiserver_longrunning_requests",
            "gauge",
            "[STABLE] Gauge of all active long-running apiserver requests broken out by verb, \
             group, version, resource, scope and component. Not all requests are tracked this way.",
        );
        out.sample(
            "apiserver_longrunning_requests",
            "component=\"apiserver\",verb=\"WATCH\"",
            self.watches_open(),
        );
        out.family(
            "etcd_debugging_mvcc_current_revision",
            "gauge",
            "The current revision of store.",
        );
        out.sample("etcd_debugging_mvcc_current_revision", "", self.store().revision());
        out.family("etcd_debugging_mvcc_keys_total", "gauge", "Total number of keys.");
        out.sample("etcd_debugging_mvcc_keys_total", "", self.store().range("/registry/").count());
        out.family(
            "process_start_time_seconds",
            "gauge",
            "[STABLE] Start time of the process since unix epoch in seconds.",
        );
        // The first thing that an API server does is to make its namespaces.
        let namespace = self.find(&Namespace::kind(), "", "kube-system");
        let started = namespace.ok().and_then(|found| found.meta().creation_timestamp.clone());
        let started = started.map_or(0, |time| time.0.as_second());
        out.sample("process_start_time_seconds", "", started);
        out.0
    }
}

/// A page in Prometheus' text format.
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, of: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {of}");
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let braces = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(self.0, "{name}{braces} {value}");
    }
}

/// A label's value in quotes.
fn label(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_what_they_were() {
        let mut metrics = Metrics::default();
        let series = Series { verb: "LIST".into(), resource: "pods".into(), ..Series::default() };
        metrics.count(series.clone(), 200, Duration::from_millis(30));
        metrics.count(series.clone(), 200, Duration::ZERO);
        metrics.count(series, 404, Duration::ZERO);
        let mut out = Text(String::new());
        metrics.write(&mut out);
        let has =
            |line: &str| assert!(out.0.lines().any(|found| found == line), "{line}\n{}", out.0);
        const LABELS: &str = "component=\"apiserver\",dry_run=\"\",group=\"\",resource=\"pods\",\
                              scope=\"\",subresource=\"\",verb=\"LIST\",version=\"\"";
        has(&format!("apiserver_request_total{{code=\"200\",{LABELS}}} 2"));
        has(&format!("apiserver_request_total{{code=\"404\",{LABELS}}} 1"));
        has(&format!("apiserver_request_duration_seconds_bucket{{{LABELS},le=\"0.025\"}} 2"));
        has(&format!("apiserver_request_duration_seconds_bucket{{{LABELS},le=\"0.05\"}} 3"));
        has(&format!("apiserver_request_duration_seconds_sum{{{LABELS}}} 0.03"));
    }

    #[test]
    fn series_are_bounded() {
        let mut metrics = Metrics::default();
        for number in 0..SERIES_MAX + 10 {
            let series = Series { resource: number.to_string(), ..Series::default() };
            metrics.count(series, 200, Duration::ZERO);
        }
        assert_eq!(metrics.durations.len(), SERIES_MAX + 1);
    }
}
