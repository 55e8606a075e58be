//! What a pod worker remembers of one container of its pod.

use super::backoff::Backoff;
use super::ephemeral;
use super::termination::Ending;
use crate::runtime::{ContainerId, ContainerState, Runtime};
use k8s_openapi::Shared;
use k8s_openapi::api::core::v1::{Container, EphemeralContainer, PodSpec, ResourceRequirements};
use naru_sim::Time;
use std::borrow::Cow;

/// Why a container does not run yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// `ImagePullBackOff`, `CrashLoopBackOff`, ….
    pub reason: &'static str,
    /// More, for people; "" for nothing.
    pub message: String,
}

/// One container of a pod, through all its runs.
#[derive(Clone, Debug)]
pub struct ContainerRecord {
    /// Its name.
    pub name: String,
    /// Whether it is an init container.
    pub init: bool,
    /// Whether it is an init container that goes on beside the others.
    pub sidecar: bool,
    /// Whether it was added to debug the others.
    pub ephemeral: bool,
    /// Its place in `spec.initContainers`, `spec.containers` or `spec.ephemeralContainers`.
    pub index: usize,
    /// The present run, or the last one.
    pub id: Option<ContainerId>,
    /// The run before it.
    pub previous: Option<ContainerId>,
    /// How often it was started again.
    pub restarts: i32,
    /// Why it does not run; set when something went wrong.
    pub waiting: Option<Waiting>,
    /// What the pod's status says of that: as upstream's, one sync behind.
    pub shown: Option<Waiting>,
    /// Between restarts.
    pub crash: Backoff,
    /// Between pulls of its image.
    pub pull: Backoff,
    /// What the last pull failed with.
    pub pull_error: Option<String>,
    /// What the readiness probe says; true without one.
    pub ready: bool,
    /// What the startup probe says; true without one.
    pub started: bool,
    /// The resources that it was given.
    pub allocated: Option<Shared<ResourceRequirements>>,
    /// How far its end is, if it is to end.
    pub ending: Option<Ending>,
    /// How it was when the worker looked last.
    pub seen: Seen,
}

/// The stages of a run, as far as a change of them calls for a sync.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seen {
    /// No run, or one that is not started.
    #[default]
    Nothing,
    /// It runs.
    Running,
    /// It has ended.
    Ended,
}

impl ContainerRecord {
    /// A record for every container of a pod, init containers first.
    pub fn all(spec: &PodSpec) -> Vec<ContainerRecord> {
        let init = spec.init_containers.iter().flatten().enumerate();
        let init = init.map(|(index, container)| Self::new(container, true, index));
        let main = spec.containers.iter().enumerate();
        init.chain(main.map(|(index, container)| Self::new(container, false, index))).collect()
    }

    fn new(container: &Container, init: bool, index: usize) -> Self {
        ContainerRecord {
            name: container.name.clone(),
            init,
            sidecar: init && container.restart_policy.as_deref() == Some("Always"),
            ephemeral: false,
            index,
            id: None,
            previous: None,
            restarts: 0,
            waiting: None,
            shown: None,
            crash: Backoff::default(),
            pull: Backoff::default(),
            pull_error: None,
            ready: container.readiness_probe.is_none(),
            started: container.startup_probe.is_none(),
            allocated: None,
            ending: None,
            seen: Seen::Nothing,
        }
    }

    /// Whether it runs, as far as the worker has noticed, and is not about to end.
    pub fn is_running_once(&self) -> bool {
        self.seen == Seen::Running && self.ending.is_none()
    }

    /// A record for a container that is added to a pod that runs.
    pub fn ephemeral(container: &EphemeralContainer, index: usize) -> Self {
        let record = Self::new(&ephemeral::as_container(container), false, index);
        ContainerRecord { ephemeral: true, ..record }
    }

    /// Whether it is one of those that the pod is for.
    pub fn is_main(&self) -> bool {
        !self.init && !self.ephemeral
    }

    /// It begins anew, in another sandbox.
    pub fn begin_anew(&mut self) {
        let Some(last) = self.id.take() else { return };
        self.previous = Some(last);
        self.restarts = self.restarts.saturating_add(1);
        self.seen = Seen::Nothing;
    }

    /// Its run is gone without an end that anybody saw.
    pub fn reboot(&mut self) {
        if self.ephemeral {
            return;
        }
        if self.id.take().is_some() {
            self.restarts = self.restarts.saturating_add(1);
        }
        self.previous = None;
        (self.waiting, self.shown, self.ending) = (None, None, None);
        self.seen = Seen::Nothing;
    }

    /// What the pod says of it.
    pub fn spec<'a>(&self, spec: &'a PodSpec) -> Option<Cow<'a, Container>> {
        if self.ephemeral {
            let container = spec.ephemeral_containers.as_ref()?.get(self.index)?;
            return Some(Cow::Owned(ephemeral::as_container(container)));
        }
        let list = if self.init { spec.init_containers.as_ref()? } else { &spec.containers };
        list.get(self.index).map(Cow::Borrowed)
    }

    /// Its part of the pod in events: `spec.containers{web}`.
    pub fn field_path(&self) -> String {
        let list = match (self.init, self.ephemeral) {
            (true, _) => "initContainers",
            (_, true) => "ephemeralContainers",
            _ => "containers",
        };
        format!("spec.{list}{{{}}}", self.name)
    }

    /// How its present run is.
    pub fn state<'a>(&self, runtime: &'a Runtime) -> Option<&'a ContainerState> {
        runtime.container(self.id?).map(|container| &container.state)
    }

    /// Whether its process runs.
    pub fn is_running(&self, runtime: &Runtime) -> bool {
        matches!(self.state(runtime), Some(ContainerState::Running { .. }))
    }

    /// When its last run ended, and with which code.
    pub fn ended(&self, runtime: &Runtime) -> Option<(Time, i32)> {
        match self.state(runtime)? {
            ContainerState::Exited { finished, code, .. } => Some((*finished, *code)),
            _ => None,
        }
    }

    /// The run before the one that its status shows as the present one.
    pub fn previous_run(&self, runtime: &Runtime) -> Option<ContainerId> {
        if self.shown.is_some() && self.ended(runtime).is_some() { self.id } else { self.previous }
    }

    /// The stage it is at.
    pub fn look(&self, runtime: &Runtime) -> Seen {
        match self.state(runtime) {
            None | Some(ContainerState::Created) => Seen::Nothing,
            Some(ContainerState::Running { .. }) => Seen::Running,
            Some(ContainerState::Exited { .. }) => Seen::Ended,
        }
    }

    /// Whether it is to run again after an end with this code.
    pub fn restarts_after(&self, pod_policy: &str, code: i32) -> bool {
        match (self.sidecar, self.init, pod_policy) {
            _ if self.ephemeral => false,
            (true, ..) => true,
            (_, true, "Never") | (_, false, "Never") => false,
            (_, true, _) | (_, false, "OnFailure") => code != 0,
            _ => true,
        }
    }
}
