//! The machine: its parts, and time.

use crate::agenda::{Agenda, Part, Turn};
use crate::controlplane::{ControlProcess, Presence};
use crate::faults::Damage;
use crate::host::Inventory;
use crate::identity::Identity;
use crate::load_balancers::{Edge, LoadBalancers};
use crate::pki::ClusterPki;
use crate::profile::Profile;
use crate::quorum::Members;
use crate::secure_port::SecurePort;
use crate::severed::Reach;
use crate::viewer::Viewer;
use crate::workstation::Workstation;
use crate::{BootError, boot, packets, view::ViewDelta};
use naru_api::request::{ListOptions, Op};
use naru_api::service::StreamId;
use naru_api::{ApiService, KindRef, Object, Request, Response, UserInfo, WatchId, scheme};
use naru_apiserver::rest::Schemas;
use naru_apiserver::{ApiServer, Change, StreamMark};
use naru_client::Process;
use naru_network::Network;
use naru_node::{Disks, Env, Node};
use naru_sim::{CauseLog, Rng, Time, limits};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A whole cluster and the learner's machine beside it: a value.
///
/// Same profile, seed and inputs give the same history. A clone is a snapshot.
#[derive(Clone, Debug)]
pub struct Cluster {
    pub(crate) profile: Profile,
    pub(crate) now: Time,
    pub(crate) rng: Rng,
    pub(crate) pki: ClusterPki,
    pub(crate) api: ApiServer,
    pub(crate) net: Network,
    pub(crate) disks: Disks,
    pub(crate) control: Vec<ControlProcess>,
    pub(crate) api_presence: Presence,
    pub(crate) identities: Vec<Identity>,
    /// What was seen of the control plane's containers.
    pub(crate) control_changes: u64,
    pub(crate) etcd_members: Members,
    pub(crate) damage: Damage,
    pub(crate) cloud: Option<Process<LoadBalancers>>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) secure_ports: Vec<SecurePort>,
    pub(crate) workstation: Workstation,
    /// Addons of minikube that are on.
    pub(crate) addons: BTreeSet<String>,
    /// What the cloud has beside the cluster.
    pub(crate) cloud_inventory: Inventory,
    /// Since when kubelets run, or do not.
    pub(crate) kubelets_since: BTreeMap<usize, Time>,
    pub(crate) agenda: Agenda,
    watch_owners: BTreeMap<WatchId, Part>,
    /// Who opened a stream, if not somebody outside.
    stream_owners: BTreeMap<StreamId, Part>,
    viewer: Viewer,
    packets: packets::Follower,
    /// Turns taken at the present moment.
    turns_now: u64,
    /// Turns taken since the start.
    turns: u64,
}

/// Where the store keeps pods.
const PODS: &str = "/registry/pods/";

impl Cluster {
    /// How long the API server's word is on its way to a client.
    const WATCH_LATENCY: Duration = Duration::from_millis(1);
    /// How long a part that holds up time by endless work at one moment is made to wait.
    const STALL: Duration = Duration::from_millis(100);

    /// A cluster of this profile, switched on and left alone until its own pods are ready.
    pub fn new(profile: &str, seed: u64) -> Result<Cluster, BootError> {
        Cluster::starting(profile, seed, Time::ZERO)
    }

    /// The same, switched on at the moment `start`: for clients with a calendar of their own.
    /// `profile` is a name, or the text of a profile of one's own (which has lines).
    pub fn starting(profile: &str, seed: u64, start: Time) -> Result<Cluster, BootError> {
        let profile = if profile.contains('\n') {
            Profile::read(profile)?
        } else {
            Profile::by_name(profile)
                .ok_or_else(|| BootError::UnknownProfile { name: profile.to_owned() })?
        };
        Cluster::of(profile, seed, start)
    }

    /// The same, of a profile that was read already.
    pub fn of(profile: Profile, seed: u64, start: Time) -> Result<Cluster, BootError> {
        boot::boot(profile, seed, start)
    }

    pub(crate) fn assemble(
        profile: Profile,
        rng: Rng,
        pki: ClusterPki,
        api: ApiServer,
        mut net: Network,
        nodes: Vec<Node>,
        workstation: Workstation,
    ) -> Cluster {
        net.set_tracing(false);
        Cluster {
            profile,
            now: Time::ZERO,
            rng,
            pki,
            api,
            net,
            disks: Disks::default(),
            control: Vec::new(),
            cloud: None,
            api_presence: Presence::STARTED,
            identities: Vec::new(),
            control_changes: 0,
            etcd_members: Members::new(),
            damage: Damage::default(),
            nodes,
            secure_ports: Vec::new(),
            workstation,
            addons: BTreeSet::new(),
            cloud_inventory: Inventory::default(),
            kubelets_since: BTreeMap::new(),
            agenda: Agenda::default(),
            watch_owners: BTreeMap::new(),
            stream_owners: BTreeMap::new(),
            viewer: Viewer::default(),
            packets: packets::Follower::default(),
            turns_now: 0,
            turns: 0,
        }
    }

    /// The present moment.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Turns of its parts since the start: with [`Cluster::now`], exactly how far it has come.
    pub fn turns(&self) -> u64 {
        self.turns
    }

    /// When something happens next.
    pub fn next_due(&self) -> Option<Time> {
        self.agenda.next_due()
    }

    /// Goes on to the moment `to`, but does at most `turns_max` pieces of work. Tells whether it
    /// got there.
    pub fn advance(&mut self, to: Time, turns_max: u64) -> bool {
        for _ in 0..turns_max {
            let Some((at, part, turn)) = self.agenda.pop_due(to) else {
                self.set_now(to.max(self.now));
                return true;
            };
            self.turn(at, part, turn);
        }
        self.agenda.next_due().is_none_or(|due| due > to)
    }

    /// Goes on to the next moment at which something happens, and does all that happens then.
    pub fn step(&mut self) -> Option<Time> {
        let next = self.agenda.next_due()?;
        self.advance(next, limits::EVENTS_PER_MOMENT_MAX);
        Some(self.now)
    }

    /// What changed since the last view. Packets are told from the first view on: nobody pays for
    /// their traces before.
    pub fn view(&mut self) -> ViewDelta {
        self.follow_packets();
        for node in &mut self.nodes {
            node.catch_up(&mut self.net, self.now);
        }
        let user = admin();
        let mut delta = self.viewer.view(&mut self.api, &user).unwrap_or_default();
        delta.clock.revision = self.api.store().revision();
        delta.packets = self.packets.follow(&self.net);
        delta
    }

    fn follow_packets(&mut self) {
        if !self.packets.is_following() {
            self.net.set_tracing(true);
            self.packets.begin(&self.net);
        }
    }

    /// Makes the next view whole, with what is remembered of what happened.
    pub fn reset_view(&mut self) {
        self.follow_packets();
        self.viewer.forget(&mut self.api);
        self.packets.rewind();
    }

    /// From now on, keeps the digest of the store's history going while history is forgotten, which
    /// costs time. To be called of a new cluster that will be asked for its digest after more than
    /// some minutes or some thousand changes.
    pub fn keep_digest(&mut self) {
        self.api.keep_digest(true);
    }

    /// Serves OpenAPI, with schemas that are read when `kubectl explain` first asks for them.
    pub fn carry_openapi(&mut self, read: fn() -> Result<Schemas, String>) {
        self.api.carry_openapi(read);
    }

    /// Serves OpenAPI once somebody who looks at [`Cluster::wants_openapi`] brings the schemas.
    pub fn await_openapi(&mut self) {
        self.api.await_openapi();
    }

    /// Whether the schemas were asked for and are not here.
    pub fn wants_openapi(&self) -> bool {
        self.api.wants_openapi()
    }

    /// Brings the schemas, as JSON; `None`, or what cannot be read: there are none.
    pub fn set_openapi(&mut self, json: Option<&[u8]>) {
        let schemas = json.and_then(|json| Schemas::new(serde_json::from_slice(json).ok()?).ok());
        self.api.set_openapi(schemas.map(Arc::new));
    }

    /// The digest of the store's whole history, in hexadecimal; "" when a part of it was forgotten:
    /// see [`Cluster::keep_digest`].
    pub fn store_digest(&self) -> String {
        self.api.digest().unwrap_or_default()
    }

    /// The changes of the store after a revision, oldest first; `None` when a part of them was
    /// forgotten.
    pub fn changes_since(&self, revision: u64) -> Option<impl Iterator<Item = &Change>> {
        self.api.store().since(revision).ok()
    }

    /// The revision of the store's last change.
    pub fn revision(&self) -> u64 {
        self.api.store().revision()
    }

    /// How many pods there are.
    pub(crate) fn pods(&self) -> usize {
        self.api.store().keys(PODS).count()
    }

    /// The profile it was started with.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Its keys and certificates.
    pub fn pki(&self) -> &ClusterPki {
        &self.pki
    }

    /// What happened, and why.
    pub fn causes(&mut self) -> &CauseLog {
        self.api.causes()
    }

    /// The kinds that are served.
    pub fn kinds(&self) -> Vec<KindRef> {
        self.api.kinds()
    }

    /// One object as its administrator sees it.
    pub fn object(
        &mut self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Option<Object> {
        let kind = scheme::by_kind(&self.kinds(), api_version, kind)?;
        self.read(&kind, namespace, name)
    }

    /// Objects as their administrator sees them; "" selects all.
    pub fn objects(
        &mut self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        label_selector: &str,
    ) -> Vec<Object> {
        match scheme::by_kind(&self.kinds(), api_version, kind) {
            Some(kind) => self.list(&kind, namespace, label_selector, ""),
            None => Vec::new(),
        }
    }

    pub(crate) fn read(&mut self, kind: &KindRef, namespace: &str, name: &str) -> Option<Object> {
        match self.api.handle(self.request(kind, namespace, name, Op::Get)) {
            Ok(Response::Object(object)) => Some(object),
            _ => None,
        }
    }

    pub(crate) fn list(
        &mut self,
        kind: &KindRef,
        namespace: &str,
        label_selector: &str,
        field_selector: &str,
    ) -> Vec<Object> {
        let options = ListOptions {
            label_selector: label_selector.to_owned(),
            field_selector: field_selector.to_owned(),
            ..ListOptions::default()
        };
        match self.api.handle(self.request(kind, namespace, "", Op::List(options))) {
            Ok(Response::List(list)) => list.items,
            _ => Vec::new(),
        }
    }

    pub(crate) fn request(&self, kind: &KindRef, namespace: &str, name: &str, op: Op) -> Request {
        Request {
            namespace: if kind.namespaced { namespace.to_owned() } else { String::new() },
            name: name.to_owned(),
            ..Request::new(admin(), Arc::from("naru"), kind.clone(), op)
        }
    }

    /// Lets somebody outside of the machine use the API server, at the present moment: a client
    /// that came over HTTP. Watches and streams that it opens are its own to poll and to end.
    pub fn outside<T>(&mut self, call: impl FnOnce(&mut ApiServer) -> T) -> T {
        let before = self.api.stream_marks();
        let result = call(&mut self.api);
        let after = self.api.stream_marks();
        for mark in after.iter().filter(|mark| !before.contains(mark)) {
            self.plan_node(&mark.node);
        }
        self.settle();
        result
    }

    /// Does what a part has to do at its turn.
    fn turn(&mut self, at: Time, part: Part, turn: Turn) {
        if at > self.now {
            self.turns_now = 0;
        }
        self.set_now(at.max(self.now));
        self.turns_now += 1;
        self.turns += 1;
        let before = self.api.last_watch();
        let marks = self.api.stream_marks();
        match turn {
            Turn::Deliver => self.deliver(part),
            Turn::Work => self.work(part),
        }
        self.claim_watches(part, before);
        match part {
            Part::Node(index) => {
                self.follow_control_plane();
                self.answer_machine(index as usize);
                self.relay_sessions();
            }
            Part::Workstation => {
                self.answer_questions();
                self.relay_sessions();
            }
            _ => {}
        }
        self.plan(part);
        self.pass_on_streams(part, &marks);
        self.settle();
    }

    /// Lets the other side of each stream that has changed since `before` look at it.
    fn pass_on_streams(&mut self, part: Part, before: &[StreamMark]) {
        let after = self.api.stream_marks();
        for mark in after.iter().filter(|mark| !before.contains(mark)) {
            if before.iter().all(|other| other.id != mark.id) {
                self.stream_owners.insert(mark.id, part);
                self.plan_node(&mark.node);
            }
            if part == Part::Workstation {
                self.plan_node(&mark.node);
                continue;
            }
            match self.stream_owners.get(&mark.id) {
                Some(Part::Node(index)) => self.wake_clients(*index),
                Some(Part::SecurePort(_)) => self.wake_secure_ports(SecurePort::has_streams),
                _ => self.workstation.wake(),
            }
        }
        if after.is_empty() {
            self.stream_owners.clear();
        }
    }

    /// Lets the API servers' ports that `fits` selects look at what is new.
    pub(crate) fn wake_secure_ports(&mut self, fits: impl Fn(&SecurePort) -> bool) {
        for index in 0..self.secure_ports.len() {
            if let Some(port) = self.secure_ports.get_mut(index).filter(|port| fits(port)) {
                port.wake();
                self.plan(Part::SecurePort(u32::try_from(index).unwrap_or(u32::MAX)));
            }
        }
    }

    /// Lets the containers of a node that use the API server look at their streams.
    fn wake_clients(&mut self, index: u32) {
        if let Some(node) = self.nodes.get_mut(index as usize) {
            node.wake_api_clients(self.now);
            self.plan(Part::Node(index));
        }
    }

    /// Plans a turn of the node of this name, now.
    fn plan_node(&mut self, name: &str) {
        let index = self.nodes.iter().position(|node| node.name() == name);
        if let Some(node) = index.and_then(|index| self.nodes.get_mut(index)) {
            node.call();
        }
        match index.and_then(|index| u32::try_from(index).ok()) {
            Some(index) => self.agenda.plan_work(Part::Node(index), self.now),
            None => {
                self.api.unreachable_node(name);
                self.workstation.wake();
            }
        }
    }

    /// The watches opened after `before` belong to this part.
    pub(crate) fn claim_watches(&mut self, part: Part, before: WatchId) {
        let opened = before.0 + 1..=self.api.last_watch().0;
        self.watch_owners.extend(opened.map(|id| (WatchId(id), part)));
    }

    fn deliver(&mut self, part: Part) {
        let severed = self.why_unreached(part);
        let api = &mut Reach::new(&mut self.api, severed);
        match part {
            Part::Control(index) => {
                if let Some(control) = self.control.get_mut(index as usize) {
                    control.deliver(api.clients());
                }
            }
            Part::Node(index) => {
                if let Some(node) = self.nodes.get_mut(index as usize) {
                    let env = &mut Env {
                        api: api.kubelets(),
                        net: &mut self.net,
                        disks: &mut self.disks,
                        now: self.now,
                    };
                    node.deliver(env);
                }
            }
            Part::Cloud => {
                if let Some(cloud) = &mut self.cloud {
                    cloud.deliver(api.clients());
                }
            }
            Part::Workstation => self.workstation.wake(),
            Part::SecurePort(_) => self.work(part),
            Part::ApiServer => self.resume_identities(),
            Part::Network => {}
        }
    }

    fn work(&mut self, part: Part) {
        let severed = self.why_unreached(part);
        let api = &mut Reach::new(&mut self.api, severed);
        match part {
            Part::ApiServer if self.api_presence.works() => {
                self.api.tick();
                // What cannot be made now is tried again at the next interval.
                let _ = boot::publish(&mut self.api, &self.profile);
                self.renew_identities();
            }
            Part::ApiServer => {}
            Part::Network => self.net.advance(self.now),
            Part::Control(index) => {
                self.work_control(index);
            }
            Part::Node(index) => {
                if let Some(node) = self.nodes.get_mut(index as usize) {
                    let env = &mut Env {
                        api: api.kubelets(),
                        net: &mut self.net,
                        disks: &mut self.disks,
                        now: self.now,
                    };
                    node.advance(env);
                    if node.wants_machine() {
                        // It would be there in a moment; what cannot be laid down is missing then.
                        let _ = self.make_machine(index as usize);
                    }
                }
            }
            Part::Cloud => {
                let gateway = self.workstation.namespace();
                let mut edge = Edge { network: &mut self.net, gateway, dev: Workstation::BRIDGE };
                if let Some(cloud) = &mut self.cloud {
                    cloud.work(api.clients(), &mut edge);
                }
            }
            Part::SecurePort(index) => {
                if let Some(port) = self.secure_ports.get_mut(index as usize) {
                    match self.api_presence.works() {
                        true => port.run(self.now, &mut self.api, &mut self.net),
                        false => port.stop(self.now, &mut self.api, &mut self.net),
                    }
                }
            }
            Part::Workstation => {
                let disks = &mut self.disks;
                self.workstation.run(self.now, api.clients(), &mut self.net, disks);
            }
        }
    }

    /// Switches a node on.
    pub(crate) fn start_node(&mut self, index: u32) {
        let part = Part::Node(index);
        let before = self.api.last_watch();
        let severed = self.why_unreached(part);
        let api = &mut Reach::new(&mut self.api, severed);
        if let Some(node) = self.nodes.get_mut(index as usize) {
            let env = &mut Env {
                api: api.kubelets(),
                net: &mut self.net,
                disks: &mut self.disks,
                now: self.now,
            };
            // A kubelet that is refused its watches tries again at its next delivery.
            let _ = node.start(env);
        }
        self.claim_watches(part, before);
        self.plan(part);
    }

    /// Plans the next turn of a part.
    pub(crate) fn plan(&mut self, part: Part) {
        let due = match part {
            Part::ApiServer => {
                let publish = self.now + ApiServer::PUBLISH_INTERVAL;
                let told = [self.api.next_bookmark(), self.api.next_renewal()];
                // While it does not work, it has nothing to do.
                let own = [self.api.next_flow_control(), self.next_identity()];
                let own = own.into_iter().flatten().filter(|_| self.api_presence.works());
                told.into_iter().flatten().chain(own).chain([publish]).min()
            }
            Part::Network => self.net.next_due(),
            Part::Control(index) => {
                self.control.get(index as usize).and_then(ControlProcess::next_due)
            }
            Part::Cloud => self.cloud.as_ref().and_then(Process::next_due),
            Part::Node(index) => self.nodes.get(index as usize).and_then(|node| node.next_due()),
            Part::SecurePort(index) => {
                self.secure_ports.get(index as usize).and_then(SecurePort::next_due)
            }
            Part::Workstation => self.workstation.next_due(),
        };
        let stall = if self.turns_now > limits::EVENTS_PER_MOMENT_MAX {
            Self::STALL
        } else {
            Duration::ZERO
        };
        if let Some(due) = due {
            self.agenda.plan_work(part, due.max(self.now) + stall);
        }
    }

    /// Passes on what the last piece of work has stirred up elsewhere.
    pub(crate) fn settle(&mut self) {
        for watch in self.api.take_ready() {
            let Some(part) = self.watch_owners.get(&watch) else { continue };
            self.agenda.plan_delivery(*part, self.now + Self::WATCH_LATENCY);
        }
        for name in self.api.ready_streams() {
            if !self.refuse_streams(&name) {
                self.plan_node(&name);
            }
        }
        for namespace in self.net.take_wakes() {
            if self.workstation.wake_namespace(namespace)
                || self.workstation.wake_container(namespace)
            {
                continue;
            }
            self.wake_secure_ports(|port| port.namespace() == namespace);
            let index = self.nodes.iter_mut().position(|node| node.wake_namespace(namespace));
            if let Some(index) = index.and_then(|index| u32::try_from(index).ok()) {
                self.plan(Part::Node(index));
            }
        }
        self.plan(Part::ApiServer);
        self.plan(Part::Network);
        self.plan(Part::Workstation);
    }

    /// Names a part as the owner of the watches that it has opened outside of a turn.
    pub(crate) fn own_watches(&mut self, part: Part, ids: impl IntoIterator<Item = WatchId>) {
        self.watch_owners.extend(ids.into_iter().map(|id| (id, part)));
    }

    pub(crate) fn set_now(&mut self, now: Time) {
        self.now = now;
        self.api.set_now(now);
        self.net.set_present(now);
    }
}

/// Who looks on, and who set the cluster up: kubeadm's `super-admin.conf`, which no role limits.
pub(crate) fn admin() -> UserInfo {
    UserInfo::new("kubernetes-super-admin", &["system:masters", "system:authenticated"])
}
