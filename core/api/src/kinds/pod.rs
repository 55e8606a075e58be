//! Pods.
//!
//! Upstream: `pkg/registry/core/pod/strategy.go`, `pkg/apis/core/v1/defaults.go`,
//! `pkg/apis/core/validation/validation.go`, `printPod` in
//! `pkg/printers/internalversion/printers.go`.

use super::cells;
use super::typed::{Typed, keep};
use crate::podspec::{defaults, subresources, validation, warnings};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, duration, pods, qos};
use k8s_openapi::api::core::v1::{
    ContainerStateTerminated, ContainerStatus, Pod, PodCondition, PodSpec, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time as MetaTime;
use naru_sim::Time;

static KIND: Kind = Names::new("", "v1", "Pod", "pods", "pod")
    .short(&["po"])
    .categories(&["all"])
    .subresources(&[
        "attach",
        "binding",
        "ephemeralcontainers",
        "eviction",
        "exec",
        "log",
        "portforward",
        "proxy",
        "resize",
        "status",
    ])
    .kind(&PodStrategy);

impl Kube for Pod {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct PodStrategy;

impl Typed for PodStrategy {
    type Object = Pod;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Ready"),
        Column::new("Status"),
        Column::new("Restarts"),
        Column::new("Age"),
        Column::wide("IP"),
        Column::wide("Node"),
        Column::wide("Nominated Node"),
        Column::wide("Readiness Gates"),
    ];

    const FIELDS: &'static [&'static str] = &[
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ];

    const RETURNS_DELETED: bool = true;

    fn default(&self, pod: &mut Pod) {
        defaults::set_pod(pod);
    }

    fn prepare_for_create(&self, pod: &mut Pod) {
        pod.metadata.generation = Some(1);
        pod.status = Some(PodStatus {
            phase: Some("Pending".to_owned()),
            qos_class: pod.spec.as_ref().map(|spec| qos::class(spec).to_owned()),
            conditions: scheduling_gated(pod).map(|condition| vec![condition]),
            ..PodStatus::default()
        });
        let labels = pod.metadata.labels.as_ref();
        if let Some(spec) = &mut pod.spec {
            drop_disabled(spec);
            defaults::match_label_keys(spec, labels);
        }
    }

    fn prepare_for_update(&self, new: &mut Pod, old: &Pod, subresource: &str) {
        match subresource {
            "status" => {
                keep(&mut new.spec, &old.spec);
                keep(&mut new.metadata.owner_references, &old.metadata.owner_references);
                let qos = old.status.as_ref().and_then(|status| status.qos_class.clone());
                let status = new.status.get_or_insert_default();
                status.qos_class = status.qos_class.take().or(qos);
                return;
            }
            "ephemeralcontainers" | "resize" => {
                subresources::keep(new, old, subresource);
                return;
            }
            _ => {}
        }
        keep(&mut new.status, &old.status);
        if new.spec != old.spec {
            if let Some(spec) = &mut new.spec {
                drop_disabled(spec);
            }
            new.metadata.generation = old.metadata.generation.map(|old| old + 1);
        }
    }

    fn validate(&self, pod: &Pod) -> Vec<FieldError> {
        validation::create(pod)
    }

    fn validate_update(&self, new: &Pod, old: &Pod, subresource: &str) -> Vec<FieldError> {
        match subresource {
            "status" | "binding" => Vec::new(),
            "ephemeralcontainers" | "resize" => {
                let mut errors = validation::metadata_and_spec(new);
                if let Some(spec) = &new.spec {
                    errors.extend(match subresource {
                        "resize" => subresources::validate_resize(spec, old),
                        _ => subresources::validate_ephemeral_containers(spec, old),
                    });
                }
                errors
            }
            _ if new.spec == old.spec && new.metadata.annotations == old.metadata.annotations => {
                Vec::new()
            }
            _ => validation::update(new, old),
        }
    }

    fn warnings(&self, pod: &Pod, old: Option<&Pod>) -> Vec<String> {
        // What did not change was warned of before.
        if old.is_some_and(|old| old.spec == pod.spec) {
            return Vec::new();
        }
        warnings::pod(pod)
    }

    fn default_grace_period_seconds(&self, pod: &Pod) -> i64 {
        if pods::node_name(pod).is_empty() || pods::is_terminal(pod) {
            return 0;
        }
        let spec = pod.spec.as_ref();
        spec.and_then(|spec| spec.termination_grace_period_seconds).unwrap_or(0)
    }

    fn cells(&self, pod: &Pod, now: Time) -> Vec<Cell> {
        let summary = Summary::of(pod);
        let status = pod.status.as_ref();
        let ip = status.and_then(|status| status.pod_ips.as_ref()?.first());
        let nominated = status.and_then(|status| status.nominated_node_name.as_deref());
        vec![
            cells::name(&pod.metadata),
            format!("{}/{}", summary.ready, summary.containers).into(),
            summary.reason.clone().into(),
            summary.restarts(now).into(),
            cells::age(&pod.metadata, now),
            cells::or_none(ip.map(|ip| ip.ip.as_str())),
            cells::or_none(Some(pods::node_name(pod))),
            cells::or_none(nominated),
            readiness_gates(pod).into(),
        ]
    }

    fn field(&self, pod: &Pod, path: &str) -> Option<String> {
        let (spec, status) = (pod.spec.as_ref(), pod.status.as_ref());
        match path {
            "spec.nodeName" => Some(pods::node_name(pod).to_owned()),
            "spec.restartPolicy" => spec?.restart_policy.clone(),
            "spec.schedulerName" => spec?.scheduler_name.clone(),
            "spec.serviceAccountName" => spec?.service_account_name.clone(),
            "spec.hostNetwork" => Some(spec?.host_network.unwrap_or(false).to_string()),
            "status.phase" => Some(pods::phase(pod).to_owned()),
            "status.podIP" => Some(status?.pod_ips.as_ref()?.first()?.ip.clone()),
            "status.nominatedNodeName" => status?.nominated_node_name.clone(),
            _ => None,
        }
    }
}

/// Why a pod behind gates is not scheduled.
///
/// Upstream: `applySchedulingGatedCondition`.
fn scheduling_gated(pod: &Pod) -> Option<PodCondition> {
    let gates = pod.spec.as_ref()?.scheduling_gates.as_ref()?;
    (!gates.is_empty()).then(|| PodCondition {
        type_: "PodScheduled".to_owned(),
        status: "False".to_owned(),
        reason: Some("SchedulingGated".to_owned()),
        message: Some("Scheduling is blocked due to non-empty scheduling gates".to_owned()),
        ..PodCondition::default()
    })
}

/// Clears the fields whose feature gates are off: `DynamicResourceAllocation`,
/// `PodLevelResources`, `ContainerStopSignals`, `ImageVolume`.
fn drop_disabled(spec: &mut PodSpec) {
    spec.resource_claims = None;
    spec.resources = None;
    let inits = spec.init_containers.iter_mut().flatten();
    for lifecycle in spec.containers.iter_mut().chain(inits).flat_map(|c| &mut c.lifecycle) {
        lifecycle.stop_signal = None;
    }
    for volume in spec.volumes.iter_mut().flatten() {
        volume.image = None;
    }
}

fn readiness_gates(pod: &Pod) -> String {
    let gates = pod.spec.as_ref().and_then(|spec| spec.readiness_gates.as_deref());
    let gates = gates.unwrap_or_default();
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let holds = |type_: &str| pods::condition(pod, type_).is_some_and(|c| c.status == "True");
    let count = gates.iter().filter(|gate| holds(&gate.condition_type)).count();
    format!("{count}/{}", gates.len())
}

/// What `kubectl get pods` shows of a pod's containers.
struct Summary {
    ready: usize,
    containers: usize,
    reason: String,
    restarts: i32,
    last_restart: Option<MetaTime>,
}

impl Summary {
    fn of(pod: &Pod) -> Summary {
        let spec = super::given(pod.spec.as_ref());
        let status = super::given(pod.status.as_ref());
        let reason = status.reason.clone().filter(|reason| !reason.is_empty());
        let gated = pods::condition(pod, "PodScheduled")
            .is_some_and(|condition| condition.reason.as_deref() == Some("SchedulingGated"));
        let mut summary = Summary {
            ready: 0,
            containers: spec.containers.len(),
            reason: reason.clone().unwrap_or_else(|| pods::phase(pod).to_owned()),
            restarts: 0,
            last_restart: None,
        };
        if gated {
            summary.reason = "SchedulingGated".to_owned();
        }
        let initializing = summary.init_containers(&spec, &status);
        let initialized =
            pods::condition(pod, "Initialized").is_some_and(|found| found.status == "True");
        if !initializing || initialized {
            summary.main_containers(pod, &spec, &status);
        }
        if pod.metadata.deletion_timestamp.is_some() {
            if reason.as_deref() == Some("NodeLost") {
                summary.reason = "Unknown".to_owned();
            } else if !pods::is_terminal(pod) {
                summary.reason = "Terminating".to_owned();
            }
        }
        summary
    }

    /// Counts the init containers; answers whether they are still at work.
    fn init_containers(&mut self, spec: &PodSpec, status: &PodStatus) -> bool {
        let inits = spec.init_containers.as_deref().unwrap_or_default();
        self.containers += inits.iter().filter(|init| is_sidecar(init)).count();
        let statuses = status.init_container_statuses.as_deref().unwrap_or_default();
        for (index, container) in statuses.iter().enumerate() {
            self.count_restarts(container);
            let sidecar = inits.iter().any(|init| init.name == container.name && is_sidecar(init));
            let state = container.state.as_ref();
            let terminated = state.and_then(|state| state.terminated.as_ref());
            let waiting = state.and_then(|state| state.waiting.as_ref());
            let waiting = waiting.and_then(|waiting| waiting.reason.as_deref());
            if terminated.is_some_and(|terminated| terminated.exit_code == 0) {
                continue;
            }
            if sidecar && container.started == Some(true) {
                self.ready += usize::from(container.ready);
                continue;
            }
            self.reason = match (terminated, waiting.unwrap_or_default()) {
                (Some(terminated), _) => format!("Init:{}", end_of(terminated)),
                (None, "" | "PodInitializing") => format!("Init:{index}/{}", inits.len()),
                (None, reason) => format!("Init:{reason}"),
            };
            return true;
        }
        false
    }

    fn main_containers(&mut self, pod: &Pod, spec: &PodSpec, status: &PodStatus) {
        (self.restarts, self.last_restart) = (0, None);
        let inits = spec.init_containers.as_deref().unwrap_or_default();
        for container in status.init_container_statuses.iter().flatten() {
            if inits.iter().any(|init| init.name == container.name && is_sidecar(init)) {
                self.count_restarts(container);
            }
        }
        let mut running = false;
        for container in status.container_statuses.iter().flatten().rev() {
            self.count_restarts(container);
            let Some(state) = &container.state else { continue };
            let waiting = state.waiting.as_ref().and_then(|waiting| waiting.reason.as_deref());
            match (waiting.unwrap_or_default(), &state.terminated) {
                ("", Some(terminated)) => self.reason = end_of(terminated),
                ("", None) if container.ready && state.running.is_some() => {
                    running = true;
                    self.ready += 1;
                }
                ("", None) => {}
                (reason, _) => self.reason = reason.to_owned(),
            }
        }
        if self.reason == "Completed" && running {
            self.reason = if pods::is_ready(pod) { "Running" } else { "NotReady" }.to_owned();
        }
    }

    fn count_restarts(&mut self, container: &ContainerStatus) {
        self.restarts += container.restart_count;
        let last = container.last_state.as_ref().and_then(|last| last.terminated.as_ref());
        let finished = last.and_then(|terminated| terminated.finished_at.clone());
        self.last_restart = self.last_restart.take().max(finished);
    }

    fn restarts(&self, now: Time) -> String {
        match (&self.last_restart, self.restarts) {
            (Some(last), restarts) if restarts != 0 => {
                format!("{restarts} ({} ago)", duration::since(Some(last), now))
            }
            (_, restarts) => restarts.to_string(),
        }
    }
}

fn is_sidecar(container: &k8s_openapi::api::core::v1::Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

/// Why a container ended: `Error`, `Signal:9`, `ExitCode:3`.
fn end_of(terminated: &ContainerStateTerminated) -> String {
    match (terminated.reason.as_deref().unwrap_or_default(), terminated.signal.unwrap_or(0)) {
        ("", 0) => format!("ExitCode:{}", terminated.exit_code),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Object;
    use serde_json::{Value, json};

    fn row(pod: Value) -> Vec<String> {
        let pod: Pod = serde_json::from_value(pod).unwrap();
        let object = Object::new(pod);
        let row = object.strategy().row(&object, Time::from_secs(100));
        row.iter().map(Cell::to_string).collect()
    }

    fn pod(status: Value) -> Value {
        json!({"metadata": {"name": "web", "creationTimestamp": "2025-06-02T00:00:00Z"},
            "spec": {"containers": [{"name": "a"}], "initContainers": [{"name": "i"}]},
            "status": status})
    }

    #[test]
    fn columns_and_cells_are_as_many() {
        assert_eq!(row(pod(json!({}))).len(), PodStrategy::COLUMNS.len());
    }

    #[test]
    fn statuses() {
        let main = |state: Value| json!([{"name": "a", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state}]);
        let table = [
            (json!({"phase": "Pending"}), "0/1", "Pending", "0"),
            (
                json!({"phase": "Pending", "containerStatuses": main(json!({"waiting": {"reason": "ContainerCreating"}}))}),
                "0/1",
                "ContainerCreating",
                "0",
            ),
            (
                json!({"phase": "Running", "containerStatuses": [{"name": "a", "image": "", "imageID": "", "ready": true, "restartCount": 2,
                    "state": {"running": {}},
                    "lastState": {"terminated": {"exitCode": 1, "finishedAt": "2025-06-02T00:01:00Z"}}}]}),
                "1/1",
                "Running",
                "2 (40s ago)",
            ),
            (
                json!({"phase": "Failed", "containerStatuses": main(json!({"terminated": {"exitCode": 1, "reason": "Error"}}))}),
                "0/1",
                "Error",
                "0",
            ),
            (
                json!({"phase": "Failed", "containerStatuses": main(json!({"terminated": {"exitCode": 0, "signal": 9}}))}),
                "0/1",
                "Signal:9",
                "0",
            ),
            (
                json!({"phase": "Pending", "initContainerStatuses": main(json!({"running": {}}))}),
                "0/1",
                "Init:0/1",
                "0",
            ),
            (
                json!({"phase": "Pending", "initContainerStatuses": main(json!({"terminated": {"exitCode": 2}}))}),
                "0/1",
                "Init:ExitCode:2",
                "0",
            ),
            (json!({"phase": "Failed", "reason": "Evicted"}), "0/1", "Evicted", "0"),
        ];
        for (status, ready, reason, restarts) in table {
            let row = row(pod(status.clone()));
            assert_eq!(row[..5], ["web", ready, reason, restarts, "100s"], "{status}");
        }
    }

    #[test]
    fn a_deleted_pod_is_terminating() {
        let mut pod = pod(json!({"phase": "Running"}));
        pod["metadata"]["deletionTimestamp"] = json!("2025-06-02T00:01:00Z");
        assert_eq!(row(pod)[2], "Terminating");
    }

    #[test]
    fn only_a_few_fields_of_the_spec_may_change() {
        let pod = |image: &str, port: i32| -> Pod {
            let mut pod = serde_json::from_value(json!({"spec": {"containers":
                [{"name": "a", "image": image, "ports": [{"containerPort": port}]}]}}))
            .unwrap();
            defaults::set_pod(&mut pod);
            pod
        };
        let old = pod("a:1", 80);
        assert_eq!(Typed::validate_update(&PodStrategy, &pod("a:2", 80), &old, ""), []);
        let errors = Typed::validate_update(&PodStrategy, &pod("a:1", 81), &old, "");
        assert_eq!(errors.len(), 1);
        let start = "Forbidden: pod updates may not change fields other than `spec.containers[*]";
        assert!(errors[0].message.starts_with(start));
    }
}
