//! The programs of the control plane: what they are made of, and when they work.

use crate::Cluster;
use crate::agenda::Part;
use crate::boot::{SERVICE_RANGE, SYSTEM};
use crate::pki::ClusterPki;
use crate::profile::Profile;
use crate::severed::Reach;
use ipnet::Ipv4Net;
use naru_addons::provisioner::{self, Way};
use naru_api::{ApiService, UserInfo};
use naru_client::{Controller, LeaderElector, Process, Reconcile, Turned};
use naru_controllers::{
    CsrSigningController, NodeIpamController, RootCaPublisher, ServiceController, TokensController,
};
use naru_scheduler::Scheduler;
use naru_sim::{Rng, Time};
use std::collections::BTreeMap;

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

    /// Of a program that waits for its container.
    pub const ABSENT: Presence = Presence { works: false, seen: true };

    /// Whether it works.
    pub fn works(self) -> bool {
        self.works
    }

    /// Looks at its container; tells whether it has started or stopped by that.
    pub(crate) fn follow(&mut self, container_runs: bool) -> bool {
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
    /// What it does while it leads.
    pub process: Process<Component>,
    /// The machine on which it runs, by its index; `None` if it is the cloud's own.
    host: Option<usize>,
    /// By what it becomes the one that works; `None` if there is no other.
    elector: Option<LeaderElector>,
    presence: Presence,
    /// How often it was started again.
    restarts: u32,
}

impl ControlProcess {
    /// A program that runs from the start.
    pub fn new(program: &'static str, process: Process<Component>, host: Option<usize>) -> Self {
        let presence = Presence::STARTED;
        ControlProcess { program, process, host, elector: None, presence, restarts: 0 }
    }

    /// A program that waits for its container.
    pub fn absent(program: &'static str, process: Process<Component>, host: usize) -> Self {
        let presence = Presence::ABSENT;
        ControlProcess { presence, ..ControlProcess::new(program, process, Some(host)) }
    }

    /// Lets it work only while it holds a lease.
    pub fn with_elector(self, elector: Option<LeaderElector>) -> Self {
        ControlProcess { elector, ..self }
    }

    /// The machine on which it runs; `None` if it is the cloud's own.
    pub fn host(&self) -> Option<usize> {
        self.host
    }

    /// Whether it is the one that works.
    pub fn leads(&self) -> bool {
        self.presence.works() && self.elector.as_ref().is_none_or(LeaderElector::leads)
    }

    /// When it has something to do next.
    pub fn next_due(&self) -> Option<Time> {
        let election = self.elector.as_ref().map(LeaderElector::next_due);
        let election = election.filter(|at| *at < Time::MAX);
        let work = self.leads().then(|| self.process.next_due()).flatten();
        election.into_iter().chain(work).min().filter(|_| self.presence.works())
    }

    /// Takes what the API server has for it.
    pub fn deliver(&mut self, api: &mut dyn ApiService) {
        if let Some(elector) = &mut self.elector {
            elector.deliver(api);
        }
        self.process.deliver(api);
    }

    /// The scheduler that it is, if it is one.
    pub fn scheduler(&self) -> Option<&Scheduler> {
        self.process.controller()?.as_any()?.downcast_ref()
    }
}

/// A candidate for the lease of this program on a machine.
///
/// Upstream: `leader-elect` of kube-controller-manager and kube-scheduler.
fn elector(
    program: &'static str,
    profile: &Profile,
    host: usize,
    rng: &Rng,
) -> Option<LeaderElector> {
    if !profile.leader_elect {
        return None;
    }
    let name = profile.nodes.get(host).map_or("", |node| node.name.as_str());
    let component = if program == SCHEDULER { "default-scheduler" } else { program };
    let user = user(&format!("system:{program}"));
    let rng = rng.fork(name).fork(program);
    let mut elector = LeaderElector::new(program, component, name, user, &rng);
    elector.set_alone(profile.control_planes() == 1);
    elector.let_stand();
    Some(elector)
}

/// The programs of a machine's control plane, which run from the start.
pub fn programs(setting: &Setting<'_>, host: Option<usize>) -> Vec<ControlProcess> {
    let (profile, rng) = (setting.profile, &setting.rng);
    let name = host.and_then(|host| profile.nodes.get(host)).map_or("", |node| node.name.as_str());
    [(CONTROLLER_MANAGER, controller_manager(setting)), (SCHEDULER, scheduler(name, &setting.rng))]
        .map(|(program, process)| {
            let elector = host.and_then(|host| elector(program, profile, host, rng));
            ControlProcess::new(program, process, host).with_elector(elector)
        })
        .into()
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
    /// Where pods' addresses come from, if nodes are to be given ranges.
    pods: Option<Ipv4Net>,
}

impl<'a> Setting<'a> {
    /// Of a cluster with this profile and these keys, whose randomness comes from `rng`.
    pub fn new(profile: &'a Profile, pki: &'a ClusterPki, rng: &Rng) -> Self {
        let pods = (!profile.pod_ranges_off).then_some(profile.pod_cidr);
        Setting { pki, rng: rng.clone(), profile, pods }
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
    if let Some(range) = setting.pods {
        controllers.push(Box::new(NodeIpamController::new(range, SERVICE_RANGE)));
    }
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
    const DRIVER: &str = CLOUD_DISKS_DRIVER;
    setting.profile.cloud.as_ref()?;
    let mut rng = setting.rng.fork(DRIVER);
    let hostname = hostname_of_cloud(&mut rng);
    let user = UserInfo::new("system:gcp-controller-manager", &["system:masters"]);
    let stamp = i64::try_from(rng.below(10_000_000_000_000)).unwrap_or_default();
    let way = || Way::Cloud(BTreeMap::new());
    let provisioner = provisioner::provisioner(DRIVER, way(), true, stamp, &hostname, &mut rng);
    let process = Process::new(CLOUD_DISKS, user, &rng)
        .with(Box::new(provisioner) as Component)
        .with(Box::new(provisioner::attacher(DRIVER, way())) as Component)
        .with(Box::new(provisioner::resizer(DRIVER, way())) as Component);
    Some(process)
}

/// The driver of the cloud's disks.
const CLOUD_DISKS_DRIVER: &str = "pd.csi.storage.gke.io";

/// The name that the cloud has given to its own machine, on which the control plane is.
pub fn cloud_hostname(rng: &Rng) -> String {
    hostname_of_cloud(&mut rng.fork(CLOUD_DISKS_DRIVER))
}

fn hostname_of_cloud(rng: &mut Rng) -> String {
    format!("gke-{:016x}-vm", rng.next_u64())
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
        let api_runs = hosts().any(|node| node.runtime().runs(API_SERVER));
        let runs = |control: &ControlProcess| match control.host {
            Some(host) => {
                let node = self.nodes.get(host);
                node.is_some_and(|node| node.runtime().runs(control.program))
            }
            None => true,
        };
        let run: Vec<bool> = self.control.iter().map(runs).collect();
        self.control_changes = changes;
        self.follow_etcd();
        if self.api_presence.follow(api_runs) {
            if !self.api_presence.works() {
                self.api.drop_connections();
            }
            self.api.end_renewals();
            self.wake_secure_ports(|_| true);
            if self.api_presence.works() {
                // What cannot be made now is tried again within a minute.
                let _ = self.api.start_flow_control();
            }
        }
        self.follow_identities();
        for (index, runs) in (0..).zip(run) {
            self.follow_control_process(index, runs);
        }
    }

    /// Lets a program of the control plane do what it has to do: first of all, lead.
    pub(crate) fn work_control(&mut self, index: u32) {
        let severed = self.why_unreached(Part::Control(index));
        let mut reach = Reach::new(&mut self.api, severed);
        let Some(control) = self.control.get_mut(index as usize) else { return };
        if !control.presence.works() {
            return;
        }
        let turned = match &mut control.elector {
            Some(elector) => elector.advance(reach.clients()),
            None => Turned::Not,
        };
        match turned {
            Turned::Leading => {
                // What it cannot watch now it asks for again.
                let _ = control.process.start(reach.clients());
            }
            Turned::Lost => {
                self.end_control(index);
                return;
            }
            Turned::Not => {}
        }
        if control.leads() {
            control.process.work(reach.clients(), &mut ());
        }
    }

    /// A program that has lost its lease ends, and its kubelet starts it again.
    fn end_control(&mut self, index: u32) {
        let now = self.now;
        let Some(control) = self.control.get(index as usize) else { return };
        let (program, host) = (control.program, control.host);
        let Some((host, node)) = host.and_then(|host| Some((host, self.nodes.get_mut(host)?)))
        else {
            return;
        };
        let pod = format!("{program}-{}", node.name());
        node.crash_container(SYSTEM, &pod, program, now);
        self.plan(crate::install::part_of(host));
    }

    fn follow_control_process(&mut self, index: u32, runs: bool) {
        let Some(control) = self.control.get_mut(index as usize) else { return };
        if !control.presence.follow(runs) {
            return;
        }
        if !control.presence.works() {
            control.process.stop(&mut self.api);
            if let Some(elector) = &mut control.elector {
                elector.stop(&mut self.api);
            }
            self.release_lease(index);
            return;
        }
        control.restarts += 1;
        let rng = self.rng.fork(&format!("{}-{}", control.program, control.restarts));
        let host = control.host.unwrap_or_default();
        let name = self.profile.nodes.get(host).map_or("", |node| node.name.as_str());
        control.process = match control.program {
            SCHEDULER => scheduler(name, &rng),
            _ => controller_manager(&Setting::new(&self.profile, &self.pki, &rng)),
        };
        control.elector = elector(control.program, &self.profile, host, &rng);
        let alone = control.elector.is_none();
        self.start_control(index, alone);
    }

    /// The scheduler gives up its lease when it is asked to end; the controller manager does not.
    ///
    /// Upstream: `makeLeaderElectionConfig` in `cmd/kube-scheduler/app/options/options.go`,
    /// `leaderElectAndRun` in `cmd/kube-controller-manager/app/controllermanager.go`.
    fn release_lease(&mut self, index: u32) {
        let severed = self.why_unreached(Part::Control(index));
        let mut reach = Reach::new(&mut self.api, severed);
        let Some(control) = self.control.get_mut(index as usize) else { return };
        let node = control.host.and_then(|host| self.nodes.get(host));
        let obeyed = node.is_some_and(|node| node.runtime().has_obeyed(control.program));
        if let Some(elector) = control.elector.as_mut()
            && control.program == SCHEDULER
            && obeyed
        {
            elector.release(reach.clients());
        }
    }

    /// Starts a program of the control plane, at once or as soon as it leads.
    fn start_control(&mut self, index: u32, at_once: bool) {
        let part = Part::Control(index);
        let before = self.api.last_watch();
        let severed = self.why_unreached(part);
        let Some(control) = self.control.get_mut(index as usize) else { return };
        if at_once {
            // A program that is refused its watches asks for them again.
            let _ = control.process.start(Reach::new(&mut self.api, severed).clients());
        }
        self.claim_watches(part, before);
        self.plan(part);
    }

    /// The scheduler, while it works.
    pub fn scheduler(&self) -> Option<&Scheduler> {
        self.control.iter().filter(|control| control.leads()).find_map(ControlProcess::scheduler)
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
