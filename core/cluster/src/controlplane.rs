//! The programs of the control plane: what they are made of, and when they work.

use crate::Cluster;
use crate::agenda::Part;
use crate::boot::{SERVICE_RANGE, SYSTEM};
use crate::pki::ClusterPki;
use crate::profile::Profile;
use crate::severed::Reach;
use naru_addons::provisioner;
use naru_api::UserInfo;
use naru_client::{Controller, Process, Reconcile};
use naru_controllers::{
    CsrSigningController, NodeIpamController, RootCaPublisher, ServiceController, TokensController,
};
use naru_scheduler::Scheduler;
use naru_sim::{Rng, Time};
use std::time::Duration;

/// The program whose container is the API server's.
pub const API_SERVER: &str = "kube-apiserver";
/// The program that runs the controllers.
pub const CONTROLLER_MANAGER: &str = "kube-controller-manager";
/// The program that speaks to the cloud in which the machines are.
pub const CLOUD_CONTROLLER_MANAGER: &str = "cloud-controller-manager";
/// The program that makes the cloud's disks and attaches them to the machines.
pub const CLOUD_DISKS: &str = "gcp-pd-csi-controller";
/// The program that schedules.
pub const SCHEDULER: &str = "kube-scheduler";

/// Whether a program works. It does from a cluster's start; once its container was seen to run,
/// it stops and starts with that.
#[derive(Clone, Copy, Debug)]
pub struct Presence {
    works: bool,
    seen: bool,
}

impl Presence {
    /// Of a program that was started before its container.
    pub const STARTED: Presence = Presence { works: true, seen: false };

    /// Whether it works.
    pub fn works(self) -> bool {
        self.works
    }

    /// Looks at its container; tells whether it has started or stopped by that.
    fn follow(&mut self, container_runs: bool) -> bool {
        self.seen |= container_runs;
        let works = container_runs || !self.seen;
        std::mem::replace(&mut self.works, works) != works
    }
}

/// A program of the control plane beside the API server.
#[derive(Clone, Debug)]
pub struct ControlProcess {
    /// Its name, and its container's.
    pub program: &'static str,
    /// What it does.
    pub process: Process<Component>,
    presence: Presence,
    /// How often it was started again.
    restarts: u32,
    /// Since when it does not reach the API server, and whether it has ended because of that.
    unreached: Option<(Time, bool)>,
}

/// A program that leads cannot go on when it has not renewed its lease for so long: it ends, and
/// its kubelet starts it again. Upstream: `--leader-elect-renew-deadline`.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);

impl ControlProcess {
    /// A program that works from the start.
    pub fn new(program: &'static str, process: Process<Component>) -> Self {
        ControlProcess {
            program,
            process,
            presence: Presence::STARTED,
            restarts: 0,
            unreached: None,
        }
    }

    /// Notes whether the API server is reached. Tells, once, that it has not been for too long.
    fn has_lost(&mut self, reached: bool, now: Time) -> bool {
        self.unreached = if reached { None } else { self.unreached.or(Some((now, false))) };
        match &mut self.unreached {
            Some((since, told)) if *since + RENEW_DEADLINE <= now => !std::mem::replace(told, true),
            _ => false,
        }
    }

    /// The scheduler that it is, if it is one.
    pub fn scheduler(&self) -> Option<&Scheduler> {
        self.process.controller()?.as_any()?.downcast_ref()
    }
}

/// A control loop of the control plane.
pub type Component = Box<dyn Reconcile<()>>;

fn user(name: &str) -> UserInfo {
    UserInfo::new(name, &["system:authenticated"])
}

/// What the programs are told of the cluster.
pub struct Setting<'a> {
    pki: &'a ClusterPki,
    rng: Rng,
    profile: &'a Profile,
}

impl<'a> Setting<'a> {
    /// Of a cluster with this profile and these keys, whose randomness comes from `rng`.
    pub fn new(profile: &'a Profile, pki: &'a ClusterPki, rng: &Rng) -> Self {
        Setting { pki, rng: rng.clone(), profile }
    }
}

/// kube-controller-manager, not started.
pub fn controller_manager(setting: &Setting<'_>) -> Process<Component> {
    let manager = user("system:kube-controller-manager");
    let mut manager = Process::new(CONTROLLER_MANAGER, manager, &setting.rng);
    let root_ca = setting.pki.authority().certificate().to_pem();
    // As upstream, it makes the tokens of service accounts by its own right.
    let tokens = TokensController::new(setting.pki.service_accounts().clone(), &root_ca);
    manager = manager.with(Box::new(tokens) as Component);
    for controller in controllers(setting) {
        let account = naru_controllers::service_account(controller.name()).to_owned();
        let user = UserInfo::service_account(SYSTEM, &account);
        manager = manager.with_user(controller, user);
    }
    manager
}

/// The controllers that work as service accounts of their own.
pub fn controllers(setting: &Setting<'_>) -> Vec<Box<dyn Reconcile<()>>> {
    let authority = setting.pki.authority();
    let mut controllers = naru_controllers::controller_manager();
    controllers.push(Box::new(RootCaPublisher::new(&authority.certificate().to_pem())));
    controllers.push(Box::new(CsrSigningController::new(authority.clone())));
    controllers.push(Box::new(NodeIpamController::new(setting.profile.pod_cidr, SERVICE_RANGE)));
    controllers
}

/// The controllers of a cloud, if the machines are in one.
pub fn cloud_controller_manager(setting: &Setting<'_>) -> Option<Process<Component>> {
    let cloud = setting.profile.cloud.as_ref()?;
    let user = UserInfo::service_account(SYSTEM, "service-controller");
    let service = ServiceController::new(cloud.load_balancers);
    let process = Process::new(CLOUD_CONTROLLER_MANAGER, user, &setting.rng);
    Some(process.with(Box::new(service) as Component))
}

/// What makes, attaches and enlarges a cloud's disks, if the machines are in one.
pub fn cloud_disks(setting: &Setting<'_>) -> Option<Process<Component>> {
    const DRIVER: &str = "pd.csi.storage.gke.io";
    setting.profile.cloud.as_ref()?;
    let mut rng = setting.rng.fork(DRIVER);
    // It runs on a machine of the cloud's own, which the cloud has named.
    let hostname = format!("gke-{:016x}-vm", rng.next_u64());
    let user = UserInfo::new("system:gcp-controller-manager", &["system:masters"]);
    let provisioner = provisioner::provisioner(DRIVER, &hostname, &mut rng);
    let process = Process::new(CLOUD_DISKS, user, &rng)
        .with(Box::new(provisioner) as Component)
        .with(Box::new(provisioner::attacher(DRIVER)) as Component)
        .with(Box::new(provisioner::resizer(DRIVER)) as Component);
    Some(process)
}

/// kube-scheduler on the machine `host`, not started.
pub fn scheduler(host: &str, rng: &Rng) -> Process<Component> {
    let scheduler = Scheduler::new(Scheduler::DEFAULT_NAME, host);
    Process::new(SCHEDULER, user("system:kube-scheduler"), rng)
        .with(Box::new(scheduler) as Component)
}

impl Cluster {
    /// Starts and stops the programs of the control plane whose containers have started or ended.
    pub(crate) fn follow_control_plane(&mut self) {
        let hosts = || self.nodes.iter().filter(|node| node.config().control_plane);
        let changes = hosts().map(|node| node.runtime().changes()).sum();
        if changes == self.control_changes {
            return;
        }
        let runs = |program: &str| hosts().any(|node| node.runtime().runs(program));
        let api_runs = runs(API_SERVER);
        let run: Vec<bool> = self.control.iter().map(|it| runs(it.program)).collect();
        self.control_changes = changes;
        if self.api_presence.follow(api_runs) {
            if !self.api_presence.works() {
                self.api.drop_connections();
            }
            self.wake_secure_ports(|_| true);
        }
        for (index, runs) in (0..).zip(run) {
            self.follow_control_process(index, runs);
        }
    }

    /// A program of the control plane that has not reached the API server for too long ends.
    pub(crate) fn resign(&mut self, index: u32, reached: bool) {
        let now = self.now;
        let Some(control) = self.control.get_mut(index as usize) else { return };
        if !control.has_lost(reached, now) {
            return;
        }
        let program = control.program;
        for node in &mut self.nodes {
            let pod = format!("{program}-{}", node.name());
            node.crash_container(SYSTEM, &pod, program, now);
        }
        for part in (0..).take(self.nodes.len()).map(Part::Node) {
            self.plan(part);
        }
    }

    fn follow_control_process(&mut self, index: u32, runs: bool) {
        let Some(control) = self.control.get_mut(index as usize) else { return };
        if !control.presence.follow(runs) {
            return;
        }
        if !control.presence.works() {
            control.process.stop(&mut self.api);
            return;
        }
        control.restarts += 1;
        let rng = self.rng.fork(&format!("{}-{}", control.program, control.restarts));
        let host = self.profile.nodes.first().map_or("", |node| node.name.as_str());
        let process = match control.program {
            SCHEDULER => scheduler(host, &rng),
            _ => controller_manager(&Setting::new(&self.profile, &self.pki, &rng)),
        };
        self.start_control(index, process);
    }

    /// Starts a program of the control plane; what it cannot watch now it asks for again.
    fn start_control(&mut self, index: u32, process: Process<Component>) {
        let part = Part::Control(index);
        let before = self.api.last_watch();
        let severed = self.why_unreached(part);
        let Some(control) = self.control.get_mut(index as usize) else { return };
        control.process = process;
        control.unreached = None;
        // A program that is refused its watches has nothing to do.
        let _ = control.process.start(Reach::new(&mut self.api, severed).clients());
        self.claim_watches(part, before);
        self.plan(part);
    }

    /// The scheduler, while it works.
    pub fn scheduler(&self) -> Option<&Scheduler> {
        self.control.iter().find_map(ControlProcess::scheduler)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_works_before_its_container_is_seen_and_then_with_it() {
        let mut presence = Presence::STARTED;
        for (runs, turned, works) in [
            (false, false, true),
            (true, false, true),
            (false, true, false),
            (false, false, false),
            (true, true, true),
        ] {
            assert_eq!((presence.follow(runs), presence.works()), (turned, works));
        }
    }
}
