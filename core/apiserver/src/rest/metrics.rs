//! `/metrics`: what the API server has counted, as Prometheus reads it.
//!
//! Upstream: `apiserver/pkg/endpoints/metrics/metrics.go`, `apiserver/pkg/storage/etcd3/metrics`.

use crate::ApiServer;
use naru_api::k8s_openapi::api::core::v1::Namespace;
use naru_api::service::WatchRequest;
use naru_api::{ApiService, KindRef, Kube, Request};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// Different requests that are told apart; more are counted without their names.
const SERIES_MAX: usize = 5_000;

/// Upper bounds of the buckets of `apiserver_request_duration_seconds`, in seconds.
const BUCKETS: [f64; 23] = [
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0,
    10.0, 15.0, 20.0, 30.0, 45.0, 60.0,
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

/// The same of requests for objects, as they come at full speed from within the process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Asked {
    kind: KindRef,
    subresource: &'static str,
    verb: &'static str,
    scope: &'static str,
    dry_run: bool,
}

impl Asked {
    /// What a request is counted as.
    ///
    /// Upstream: `CleanVerb`, `CleanScope`.
    pub(crate) fn of(request: &Request, op: &'static str, apply: bool) -> Self {
        let verb = match op {
            "get" => "GET",
            "list" => "LIST",
            "create" => "POST",
            "update" => "PUT",
            "patch" if apply => "APPLY",
            "patch" => "PATCH",
            "delete" => "DELETE",
            _ => "DELETECOLLECTION",
        };
        let Request { kind, namespace, name, subresource, dry_run, .. } = request;
        let scope = match () {
            () if !name.is_empty() || op == "create" => "resource",
            () if !namespace.is_empty() => "namespace",
            () => "cluster",
        };
        Asked { kind: kind.clone(), subresource, verb, scope, dry_run: *dry_run }
    }

    /// What the update of an object is counted as.
    pub(crate) fn update_of(kind: &KindRef) -> Self {
        Asked {
            kind: kind.clone(),
            subresource: "",
            verb: "PUT",
            scope: "resource",
            dry_run: false,
        }
    }

    /// What a watch is counted as.
    pub(crate) fn watch(request: &WatchRequest) -> Self {
        let scope = if request.namespace.is_empty() { "cluster" } else { "namespace" };
        let kind = request.kind.clone();
        Asked { kind, subresource: "", verb: "WATCH", scope, dry_run: false }
    }

    fn series(&self) -> Series {
        Series {
            verb: self.verb.to_owned(),
            group: self.kind.group.to_string(),
            version: self.kind.version.to_string(),
            resource: self.kind.plural.to_string(),
            subresource: self.subresource.to_owned(),
            scope: self.scope,
            dry_run: self.dry_run,
        }
    }
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
    objects: FxHashMap<(Asked, u16), u64>,
    /// Of requests for objects.
    total: u64,
}

impl Metrics {
    /// How many requests for objects were counted: who asks for one by HTTP is counted there.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Counts a request for an object, which takes no time that could be told.
    pub(crate) fn count_object(&mut self, asked: Asked, code: u16) {
        self.total += 1;
        let room = self.objects.len() < SERIES_MAX;
        let key = (asked, code);
        if let Some(count) = self.objects.get_mut(&key) {
            *count += 1;
        } else if room {
            self.objects.insert(key, 1);
        }
    }

    /// With what was counted for objects put to the rest.
    fn whole(&self) -> Metrics {
        let mut whole = self.clone();
        for ((asked, code), count) in std::mem::take(&mut whole.objects) {
            let series = asked.series();
            *whole.requests.entry((series.clone(), code)).or_default() += count;
            let durations = whole.durations.entry(series).or_default();
            durations.count += count;
            durations.buckets.iter_mut().for_each(|bucket| *bucket += count);
        }
        whole
    }

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
        let mut out = Text::default();
        out.build_info();
        self.flow_metrics(&mut out);
        self.rest_state().metrics.whole().write(&mut out);
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
        for (kind, scope, count) in self.watches_by_kind() {
            let labels = format!(
                "component=\"apiserver\",group={},resource={},scope=\"{scope}\",\
                 subresource=\"\",verb=\"WATCH\",version={}",
                label(&kind.group),
                label(&kind.plural),
                label(&kind.version)
            );
            out.sample("apiserver_longrunning_requests", &labels, count);
        }
        out.family(
            "apiserver_current_inflight_requests",
            "gauge",
            "[STABLE] Maximal number of currently used inflight request limit of this apiserver \
             per request kind in last second.",
        );
        // Each is answered before the next is taken.
        out.sample("apiserver_current_inflight_requests", "request_kind=\"mutating\"", 0);
        out.sample("apiserver_current_inflight_requests", "request_kind=\"readOnly\"", 1);
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
        out.0.sort();
        out.0.concat()
    }
}

/// A page in Prometheus' text format, by families.
#[derive(Default)]
pub(super) struct Text(Vec<String>);

impl Text {
    pub(super) fn family(&mut self, name: &str, of: &str, help: &str) {
        self.0.push(format!("# HELP {name} {help}\n# TYPE {name} {of}\n"));
    }

    /// Upstream: `component-base/metrics/version.go`.
    fn build_info(&mut self) {
        self.family(
            "kubernetes_build_info",
            "gauge",
            "[ALPHA] A metric with a constant '1' value labeled by major, minor, git version, git \
             commit, git tree state, build date, Go version, and compiler from which Kubernetes \
             was built, and platform on which it is running.",
        );
        self.sample("kubernetes_build_info", &super::version::labels(), 1);
    }

    /// A value of the family that was named last.
    pub(super) fn sample(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let braces = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        if let Some(family) = self.0.last_mut() {
            // Writing to a String cannot fail.
            let _ = writeln!(family, "{name}{braces} {value}");
        }
    }
}

/// A label's value in quotes.
pub(super) fn label(text: &str) -> String {
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
        let mut out = Text::default();
        metrics.write(&mut out);
        let text = out.0.concat();
        let has = |line: &str| assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        const LABELS: &str = "component=\"apiserver\",dry_run=\"\",group=\"\",resource=\"pods\",\
                              scope=\"\",subresource=\"\",verb=\"LIST\",version=\"\"";
        has(&format!("apiserver_request_total{{code=\"200\",{LABELS}}} 2"));
        has(&format!("apiserver_request_total{{code=\"404\",{LABELS}}} 1"));
        has(&format!("apiserver_request_duration_seconds_bucket{{{LABELS},le=\"0.025\"}} 2"));
        has(&format!("apiserver_request_duration_seconds_bucket{{{LABELS},le=\"0.05\"}} 3"));
        has(&format!("apiserver_request_duration_seconds_sum{{{LABELS}}} 0.03"));
    }

    #[test]
    fn requests_for_objects_are_counted_with_the_others() {
        let mut metrics = Metrics::default();
        let user = naru_api::UserInfo::new("me", &[]);
        let kind = Namespace::kind();
        let request = Request::new(user, "test".into(), kind, naru_api::Op::Get);
        let asked = |op, apply| Asked::of(&request, op, apply);
        metrics.count_object(asked("list", false), 200);
        metrics.count_object(asked("list", false), 200);
        metrics.count_object(asked("patch", true), 409);
        metrics.count_object(asked("create", false), 201);
        metrics.count(asked("list", false).series(), 200, Duration::from_secs(2));
        assert_eq!(metrics.total(), 4);
        let mut out = Text::default();
        metrics.whole().write(&mut out);
        let text = out.0.concat();
        for (code, scope, verb, count) in [
            (200, "cluster", "LIST", 3),
            (409, "cluster", "APPLY", 1),
            (201, "resource", "POST", 1),
        ] {
            let line = format!(
                "apiserver_request_total{{code=\"{code}\",component=\"apiserver\",dry_run=\"\",\
                 group=\"\",resource=\"namespaces\",scope=\"{scope}\",subresource=\"\",\
                 verb=\"{verb}\",version=\"v1\"}} {count}"
            );
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
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
