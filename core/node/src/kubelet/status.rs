//! A pod's status, made from what the worker and the runtime know.
//!
//! Upstream: `generateAPIPodStatus` in `pkg/kubelet/kubelet_pods.go`,
//! `pkg/kubelet/status/generate.go`.

use super::pod_workers::PodWorker;
use super::record::{ContainerRecord, Waiting};
use crate::NodeConfig;
use crate::runtime::{Container as RuntimeContainer, ContainerState, Runtime};
use k8s_openapi::api::core::v1::{
    Container, ContainerState as ApiState, ContainerStateRunning, ContainerStateTerminated,
    ContainerStateWaiting, ContainerStatus, ContainerUser, HostIP, LinuxContainerUser, Pod,
    PodCondition, PodIP, PodSpec, PodStatus, VolumeMount, VolumeMountStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time as MetaTime;
use k8s_openapi::jiff::Timestamp;
use naru_api::qos;
use naru_api::time::meta_time;
use naru_sim::Time;

/// The status of a worker's pod at this moment.
pub fn generate(
    worker: &PodWorker,
    pod: &Pod,
    runtime: &Runtime,
    config: &NodeConfig,
    now: Time,
) -> PodStatus {
    let Some(spec) = &pod.spec else { return PodStatus::default() };
    let old = before(worker, pod);
    let statuses = |wanted: fn(&ContainerRecord) -> bool| {
        let records = worker.containers.iter().filter(|record| wanted(record));
        // They are large, and stay as long as the pod.
        let mut statuses: Vec<ContainerStatus> = Vec::with_capacity(records.clone().count());
        statuses.extend(records.map(|record| container_status(worker, record, spec, runtime)));
        statuses
    };
    let (init, mut main) = (statuses(|record| record.init), statuses(ContainerRecord::is_main));
    let mut ephemeral = statuses(|record| record.ephemeral);
    main.sort_by(|a, b| a.name.cmp(&b.name));
    ephemeral.sort_by(|a, b| a.name.cmp(&b.name));
    let phase = match &worker.failed {
        Some(_) => "Failed",
        None => phase(spec, &init, &main, worker.is_terminal()),
    };
    let (reason, message) = match &worker.failed {
        Some(why) => (Some(why.reason.to_owned()), Some(why.message.clone())),
        None => (old.reason.clone(), old.message.clone()),
    };
    let conditions = conditions(worker, spec, &old, &init, &main, phase, now);
    let host_ip = config.internal_ip.to_string();
    let ip = worker.ip.map(|ip| ip.to_string());
    PodStatus {
        phase: Some(phase.to_owned()),
        reason,
        message,
        conditions: Some(conditions),
        host_ip: Some(host_ip.clone()),
        host_ips: Some(vec![HostIP { ip: host_ip }]),
        pod_ip: ip.clone().or(old.pod_ip),
        pod_ips: ip.map(|ip| vec![PodIP { ip }]).or(old.pod_ips),
        start_time: old.start_time.or_else(|| Some(meta_time(worker.first_seen))),
        init_container_statuses: Some(init).filter(|init| !init.is_empty()),
        container_statuses: Some(main),
        ephemeral_container_statuses: Some(ephemeral).filter(|list| !list.is_empty()),
        // It stays what it was when the pod was made. Upstream: `GetPodQOS`.
        qos_class: old.qos_class.or_else(|| Some(qos::class(spec).to_owned())),
        ..old
    }
}

/// What was written last, but for what is found out anew. What others have written since is in the
/// pod; what the kubelet itself has written may not have come back yet.
fn before(worker: &PodWorker, pod: &Pod) -> PodStatus {
    let none = PodStatus::default();
    let seen = pod.status.as_ref().unwrap_or(&none);
    let (conditions, start_time) = match worker.written_status() {
        None => (seen.conditions.clone(), &seen.start_time),
        Some(written) => {
            let own = written.conditions.iter().flatten();
            let others = seen.conditions.iter().flatten();
            let others = others.filter(|c| !OWN.contains(&c.type_.as_str()));
            let disrupted = seen.conditions.iter().flatten().any(|c| c.type_ == DISRUPTED);
            let own = own.filter(|c| {
                OWN.contains(&c.type_.as_str()) || (c.type_ == DISRUPTED && !disrupted)
            });
            (Some(others.chain(own).cloned().collect()), &written.start_time)
        }
    };
    PodStatus {
        conditions,
        container_statuses: None,
        ephemeral_container_statuses: None,
        host_ip: None,
        host_ips: None,
        init_container_statuses: None,
        message: seen.message.clone(),
        nominated_node_name: seen.nominated_node_name.clone(),
        observed_generation: seen.observed_generation,
        phase: None,
        pod_ip: seen.pod_ip.clone(),
        pod_ips: seen.pod_ips.clone(),
        qos_class: seen.qos_class.clone(),
        reason: seen.reason.clone(),
        resize: seen.resize.clone(),
        resource_claim_statuses: seen.resource_claim_statuses.clone(),
        start_time: start_time.clone(),
    }
}

fn container_status(
    worker: &PodWorker,
    record: &ContainerRecord,
    spec: &PodSpec,
    runtime: &Runtime,
) -> ContainerStatus {
    let container = record.id.and_then(|id| runtime.container(id));
    let previous = record.previous.and_then(|id| runtime.container(id));
    let wanted = record.spec(spec);
    let image = wanted.as_deref().and_then(|container| container.image.clone());
    let mut status = ContainerStatus {
        name: record.name.clone(),
        image: image.unwrap_or_default(),
        restart_count: record.restarts,
        started: Some(false),
        ..ContainerStatus::default()
    };
    if let (Some(container), Some(wanted)) = (container, wanted.as_deref()) {
        what_it_got(&mut status, record, wanted, container);
    }
    if let Some(container) = container {
        status.image = container.config.image_name.clone();
        status.image_id = container.config.image.repo_digest();
        status.container_id = Some(format!("containerd://{}", container.hex));
    }
    let last = previous.and_then(terminated);
    status.last_state = Some(last.unwrap_or_default());
    let state = container.map(|container| &container.state);
    status.state = Some(match (state, &record.shown) {
        (Some(ContainerState::Running { started }), _) => {
            status.started = Some(record.started);
            status.ready = record.started && record.ready;
            ApiState {
                running: Some(ContainerStateRunning { started_at: Some(meta_time(*started)) }),
                ..ApiState::default()
            }
        }
        (Some(ContainerState::Exited { code, .. }), None) => {
            status.ready = record.init && *code == 0;
            container.and_then(terminated).unwrap_or_default()
        }
        (Some(ContainerState::Exited { .. }), Some(why)) => {
            status.last_state = Some(container.and_then(terminated).unwrap_or_default());
            waiting(why)
        }
        (_, Some(why)) => waiting(why),
        (_, None) => {
            waiting(&Waiting { reason: first_reason(&worker.containers), message: String::new() })
        }
    });
    if record.ephemeral {
        // Nothing probes it.
        (status.started, status.ready) = (None, false);
    }
    status
}

/// What the node gave a container: resources, mounts, its user.
fn what_it_got(
    status: &mut ContainerStatus,
    record: &ContainerRecord,
    wanted: &Container,
    container: &RuntimeContainer,
) {
    let resources = record.allocated.clone().unwrap_or_default().into_inner();
    status.allocated_resources = resources.requests.clone();
    status.resources = Some(resources);
    let mount = |mount: &VolumeMount| VolumeMountStatus {
        name: mount.name.clone(),
        mount_path: mount.mount_path.clone(),
        read_only: mount.read_only.filter(|read_only| *read_only),
        recursive_read_only: (mount.read_only == Some(true)).then(|| "Disabled".to_owned()),
    };
    let mounts = wanted.volume_mounts.as_ref();
    status.volume_mounts = mounts.map(|mounts| mounts.iter().map(mount).collect());
    let uid = i64::from(container.uid());
    let (gid, others) = container.groups();
    let mut groups: Vec<i64> = [gid].into_iter().chain(others).map(i64::from).collect();
    groups.dedup();
    let gid = i64::from(gid);
    status.user = Some(ContainerUser {
        linux: Some(LinuxContainerUser { gid, supplemental_groups: Some(groups), uid }),
    });
}

/// What a container waits for before anything went wrong.
pub fn first_reason(containers: &[ContainerRecord]) -> &'static str {
    if containers.iter().any(|record| record.init) {
        "PodInitializing"
    } else {
        "ContainerCreating"
    }
}

fn waiting(why: &Waiting) -> ApiState {
    ApiState {
        waiting: Some(ContainerStateWaiting {
            reason: Some(why.reason.to_owned()),
            message: Some(why.message.clone()).filter(|message| !message.is_empty()),
        }),
        ..ApiState::default()
    }
}

/// How a run ended; `None` while it has not.
fn terminated(container: &RuntimeContainer) -> Option<ApiState> {
    let ContainerState::Exited { started, finished, code, reason, message } = &container.state
    else {
        return None;
    };
    // A process that was never started shows the Unix epoch.
    let epoch = MetaTime(Timestamp::UNIX_EPOCH);
    Some(ApiState {
        terminated: Some(ContainerStateTerminated {
            container_id: Some(format!("containerd://{}", container.hex)),
            exit_code: *code,
            finished_at: Some(meta_time(*finished)),
            started_at: Some(started.map_or(epoch, meta_time)),
            reason: Some((*reason).to_owned()),
            message: Some(message.clone()).filter(|message| !message.is_empty()),
            signal: None,
        }),
        ..ApiState::default()
    })
}

/// Upstream: `getPhase`.
fn phase(
    spec: &PodSpec,
    init: &[ContainerStatus],
    main: &[ContainerStatus],
    terminal: bool,
) -> &'static str {
    let policy = spec.restart_policy.as_deref().unwrap_or("Always");
    let ended = |status: &'_ ContainerStatus| {
        status.state.as_ref()?.terminated.as_ref().map(|end| end.exit_code)
    };
    let sidecar = |name: &str| {
        let mut list = spec.init_containers.iter().flatten();
        list.any(|c| c.name == name && c.restart_policy.as_deref() == Some("Always"))
    };
    for status in init.iter().filter(|status| !sidecar(&status.name)) {
        match ended(status) {
            Some(0) => {}
            Some(_) if policy == "Never" => return "Failed",
            _ => return "Pending",
        }
    }
    for status in init.iter().filter(|status| sidecar(&status.name)) {
        let ever_started = status.started == Some(true) || ended(status).is_some();
        if !ever_started && status.restart_count == 0 {
            return "Pending";
        }
    }
    let (mut waiting, mut running, mut stopped, mut succeeded) = (0, 0, 0, 0);
    for status in main {
        let runs = status.state.as_ref().is_some_and(|state| state.running.is_some());
        if let Some(code) = ended(status) {
            stopped += 1;
            succeeded += usize::from(code == 0);
        } else if runs {
            running += 1;
        } else if status.last_state.as_ref().is_some_and(|last| last.terminated.is_some()) {
            stopped += 1;
        } else {
            waiting += 1;
        }
    }
    match () {
        () if waiting > 0 => "Pending",
        () if running > 0 => "Running",
        () if stopped == 0 => "Pending",
        () if terminal && stopped == succeeded => "Succeeded",
        () if terminal => "Failed",
        () if policy == "Always" => "Running",
        () if stopped == succeeded => "Succeeded",
        () if policy == "Never" => "Failed",
        () => "Running",
    }
}

/// The conditions that the kubelet owns.
const OWN: [&str; 6] = [
    "PodResizePending",
    "PodReadyToStartContainers",
    "Initialized",
    "Ready",
    "ContainersReady",
    "PodScheduled",
];

/// Says that a pod is ended for the sake of others; the kubelet is not the only one to say so.
const DISRUPTED: &str = "DisruptionTarget";

/// The conditions in upstream's order; those that are not the kubelet's come first and stay.
fn conditions(
    worker: &PodWorker,
    spec: &PodSpec,
    old: &PodStatus,
    init: &[ContainerStatus],
    main: &[ContainerStatus],
    phase: &str,
    now: Time,
) -> Vec<PodCondition> {
    let before = old.conditions.as_deref().unwrap_or_default();
    let others = before.iter().filter(|condition| !OWN.contains(&condition.type_.as_str()));
    let mut all: Vec<PodCondition> = Vec::with_capacity(others.clone().count() + OWN.len());
    all.extend(others.cloned());
    let disrupted = worker.failed.as_ref().filter(|why| why.disrupted);
    if let Some(why) = disrupted.filter(|_| all.iter().all(|it| it.type_ != DISRUPTED)) {
        let (reason, message) = (Some("TerminationByKubelet"), why.message.clone());
        let disrupted = Condition { reason, message, ..Condition::of(DISRUPTED, true) };
        all.push(disrupted.written(before, now));
    }
    if let Some(why) = &worker.resize_pending {
        let message = why.message.clone();
        let reason = Some(why.reason);
        let pending = Condition { reason, message, ..Condition::of("PodResizePending", true) };
        all.push(pending.written(before, now));
    }
    let network = worker.sandbox.is_some() && !worker.sandbox_stopped;
    let sandbox = Condition::of("PodReadyToStartContainers", network);
    let initialized = initialized(spec, init, phase);
    let containers = containers_ready(spec, init, main, phase);
    let gates = gates_ready(spec, before);
    let ready = match (&containers.reason, gates) {
        (None, Some(message)) => Condition::no("Ready", "ReadinessGatesNotReady", message),
        _ => Condition { type_: "Ready", ..containers.clone() },
    };
    let scheduled = Condition::of("PodScheduled", true);
    for own in [sandbox, initialized, ready, containers, scheduled] {
        all.push(own.written(before, now));
    }
    all
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    type_: &'static str,
    holds: bool,
    reason: Option<&'static str>,
    message: String,
}

impl Condition {
    fn of(type_: &'static str, holds: bool) -> Self {
        Condition { type_, holds, reason: None, message: String::new() }
    }

    fn no(type_: &'static str, reason: &'static str, message: String) -> Self {
        Condition { type_, holds: false, reason: Some(reason), message }
    }

    /// As an object's field, with the time of its last change.
    fn written(self, before: &[PodCondition], now: Time) -> PodCondition {
        let status = if self.holds { "True" } else { "False" };
        let same =
            before.iter().find(|old| old.type_ == self.type_).filter(|old| old.status == status);
        PodCondition {
            type_: self.type_.to_owned(),
            status: status.to_owned(),
            reason: self.reason.map(str::to_owned),
            message: Some(self.message).filter(|message| !message.is_empty()),
            last_transition_time: same
                .and_then(|old| old.last_transition_time.clone())
                .or_else(|| Some(meta_time(now))),
            ..PodCondition::default()
        }
    }
}

fn initialized(spec: &PodSpec, init: &[ContainerStatus], phase: &str) -> Condition {
    const TYPE: &str = "Initialized";
    if phase == "Succeeded" {
        return Condition { reason: Some("PodCompleted"), ..Condition::of(TYPE, true) };
    }
    let done = |status: &&ContainerStatus| {
        let restartable = spec.init_containers.iter().flatten().any(|container| {
            container.name == status.name && container.restart_policy.as_deref() == Some("Always")
        });
        if restartable { status.started == Some(true) } else { status.ready }
    };
    let names: Vec<&str> =
        init.iter().filter(|status| !done(status)).map(|status| status.name.as_str()).collect();
    if names.is_empty() || phase == "Running" {
        return Condition::of(TYPE, true);
    }
    let message = format!("containers with incomplete status: [{}]", names.join(" "));
    Condition::no(TYPE, "ContainersNotInitialized", message)
}

fn containers_ready(
    spec: &PodSpec,
    init: &[ContainerStatus],
    main: &[ContainerStatus],
    phase: &str,
) -> Condition {
    const TYPE: &str = "ContainersReady";
    match phase {
        "Succeeded" => return Condition::no(TYPE, "PodCompleted", String::new()),
        "Failed" => return Condition::no(TYPE, "PodFailed", String::new()),
        _ => {}
    }
    let sidecars = spec
        .init_containers
        .iter()
        .flatten()
        .filter(|container| container.restart_policy.as_deref() == Some("Always"));
    let in_order = sidecars.chain(&spec.containers);
    let unready: Vec<&str> = in_order
        .filter(|container| {
            let mut statuses = init.iter().chain(main);
            !statuses.any(|status| status.name == container.name && status.ready)
        })
        .map(|container| container.name.as_str())
        .collect();
    if unready.is_empty() {
        return Condition::of(TYPE, true);
    }
    let message = format!("containers with unready status: [{}]", unready.join(" "));
    Condition::no(TYPE, "ContainersNotReady", message)
}

/// What is wrong with the pod's readiness gates.
fn gates_ready(spec: &PodSpec, conditions: &[PodCondition]) -> Option<String> {
    let texts: Vec<String> = spec
        .readiness_gates
        .iter()
        .flatten()
        .filter_map(|gate| {
            let found = conditions.iter().find(|c| c.type_ == gate.condition_type);
            match found {
                None => Some(format!(
                    "corresponding condition of pod readiness gate \"{}\" does not exist.",
                    gate.condition_type
                )),
                Some(condition) if condition.status != "True" => Some(format!(
                    "the status of pod readiness gate \"{}\" is not \"True\", but {}",
                    gate.condition_type, condition.status
                )),
                Some(_) => None,
            }
        })
        .collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}
