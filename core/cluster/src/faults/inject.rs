//! How faults come about, and who cannot reach the API server because of them.

use super::{ControlProgram, Fault, FaultError};
use crate::Cluster;
use crate::agenda::Part;
use k8s_openapi::api::core::v1::Node as NodeObject;
use naru_api::service::{Connect, KubeletStreams};
use naru_api::{ApiError, Kube};
use naru_network::netfilter::TableName;
use naru_node::{Env, Node};
use naru_sim::Time;
use std::net::Ipv4Addr;

/// Where kubelets listen.
const KUBELET_PORT: u16 = 10250;

impl Cluster {
    /// Breaks something, or mends it. What is broken (or whole) already stays so.
    pub fn inject(&mut self, fault: &Fault) -> Result<(), FaultError> {
        match fault {
            Fault::StopNode(name) => self.stop_node(self.node_index(name)?)?,
            Fault::StartNode(name) => self.restart_node(self.node_index(name)?)?,
            Fault::Stop(program) => self.set_control_program(*program, false),
            Fault::Start(program) => self.set_control_program(*program, true),
            Fault::Cut(node, other) => self.set_cut(node, other.as_deref(), true)?,
            Fault::Mend(node, other) => self.set_cut(node, other.as_deref(), false)?,
            Fault::Crash { namespace, pod, container } => {
                self.change_container(namespace, pod, container, Node::crash_container)?;
            }
            Fault::Fill { namespace, pod, container } => {
                self.change_container(namespace, pod, container, Node::fill_container)?;
            }
            Fault::FillNode(name) => self.set_filled(name, true)?,
            Fault::FreeNode(name) => self.set_filled(name, false)?,
        }
        self.follow_control_plane();
        self.look_around();
        Ok(())
    }

    /// What is broken now, as the faults that have broken it.
    pub fn faults(&self) -> Vec<Fault> {
        let name = |index: usize| {
            self.nodes.get(index).map(|node| node.name().to_owned()).unwrap_or_default()
        };
        let nodes = self.damage.stopped.iter().map(|index| Fault::StopNode(name(*index)));
        let programs = self.damage.programs.iter().map(|program| Fault::Stop(*program));
        let cuts = self.damage.cuts.iter();
        let cuts = cuts.map(|(node, other)| Fault::Cut(name(*node), other.map(name)));
        let filled = self.damage.filled.iter().map(|index| Fault::FillNode(name(*index)));
        nodes.chain(programs).chain(cuts).chain(filled).collect()
    }

    /// Whether a node has power.
    pub fn node_is_on(&self, name: &str) -> bool {
        self.node_index(name).is_ok_and(|index| !self.damage.stopped.contains(&index))
    }

    pub(crate) fn node_index(&self, name: &str) -> Result<usize, FaultError> {
        let index = self.nodes.iter().position(|node| node.name() == name);
        index.ok_or_else(|| FaultError::NoNode(name.to_owned()))
    }

    /// The node where the API server runs; `None` if that is outside of the cluster.
    fn control_plane_host(&self) -> Option<usize> {
        let hosts = || {
            let all = self.nodes.iter().enumerate();
            all.filter(|(_, node)| node.config().control_plane).map(|(index, _)| index)
        };
        // Clients go on with another one when the first has no power or is cut off, or waits for
        // etcd in vain.
        let reached = || {
            hosts().filter(|host| {
                !self.damage.stopped.contains(host) && !self.damage.separates(Some(*host), None)
            })
        };
        let answers = reached().find(|host| self.has_quorum(*host));
        answers.or_else(|| reached().next()).or_else(|| hosts().next())
    }

    /// Everybody finds out who can still be reached.
    fn look_around(&mut self) {
        self.follow_etcd();
        // Who cannot reach the API server cannot have renewed anything.
        self.api.end_renewals();
        for index in (0..).take(self.nodes.len()) {
            self.agenda.plan_delivery(Part::Node(index), self.now);
            if let Some(node) = self.nodes.get_mut(index as usize) {
                node.call();
            }
            self.plan(Part::Node(index));
        }
        for index in (0..).take(self.control.len()) {
            self.agenda.plan_delivery(Part::Control(index), self.now);
        }
        self.workstation.wake();
        self.settle();
    }

    fn stop_node(&mut self, index: usize) -> Result<(), FaultError> {
        if !self.damage.stopped.insert(index) {
            return Ok(());
        }
        if let Some(node) = self.nodes.get_mut(index) {
            let env = &mut Env {
                api: &mut self.api,
                net: &mut self.net,
                disks: &mut self.disks,
                now: self.now,
            };
            node.crash(env);
        }
        // The process that held the memory is gone too.
        self.damage.filled.remove(&index);
        self.set_cable(index)
    }

    fn restart_node(&mut self, index: usize) -> Result<(), FaultError> {
        if !self.damage.stopped.remove(&index) {
            return Ok(());
        }
        self.set_cable(index)?;
        self.start_node(u32::try_from(index).unwrap_or(u32::MAX));
        Ok(())
    }

    fn set_control_program(&mut self, program: ControlProgram, wanted: bool) {
        match wanted {
            true => self.damage.programs.remove(&program),
            false => self.damage.programs.insert(program),
        };
        for node in &mut self.nodes {
            node.set_static_pod(program.name(), wanted);
        }
    }

    fn set_cut(&mut self, node: &str, other: Option<&str>, cut: bool) -> Result<(), FaultError> {
        let node = self.node_index(node)?;
        let other = other.map(|other| self.node_index(other)).transpose()?;
        let pair = match other {
            None => (node, None),
            Some(other) => (node.min(other), Some(node.max(other))),
        };
        let changed = match cut {
            true => self.damage.cuts.insert(pair),
            false => self.damage.cuts.remove(&pair),
        };
        match other {
            None => self.set_cable(node),
            Some(other) if changed => self.set_wall((node.min(other), node.max(other)), cut),
            Some(_) => Ok(()),
        }
    }

    /// A node's cable carries something if it has power and is not cut off.
    fn set_cable(&mut self, index: usize) -> Result<(), FaultError> {
        let Some(host) = self.nodes.get(index).map(|node| node.host_namespace()) else {
            return Ok(());
        };
        let up = !self.damage.stopped.contains(&index) && !self.damage.separates(Some(index), None);
        let set = self.net.set_link(host, "eth0", up);
        set.map_err(|error| FaultError::Network(error.to_string()))
    }

    /// Rules on the machine between two nodes drop what these and their pods send to each other,
    /// or do so no longer.
    fn set_wall(&mut self, pair: (usize, usize), wanted: bool) -> Result<(), FaultError> {
        let rules = match wanted {
            true => self.wall(pair),
            false => self.damage.walls.remove(&pair).unwrap_or_default(),
        };
        let Some(netfilter) = self.net.netfilter(self.workstation.namespace()) else {
            return Ok(());
        };
        let option = if wanted { "-I" } else { "-D" };
        for rule in &rules {
            let done = netfilter.command(TableName::Filter, &format!("{option} FORWARD {rule}"));
            done.map_err(|error| FaultError::Network(error.to_string()))?;
        }
        if wanted {
            self.damage.walls.insert(pair, rules);
        }
        Ok(())
    }

    /// The rules between two nodes.
    fn wall(&mut self, pair: (usize, usize)) -> Vec<String> {
        let (here, there) = (self.ranges(pair.0), self.ranges(pair.1));
        let both = here.iter().flat_map(|a| there.iter().map(move |b| (a, b)));
        both.flat_map(|(a, b)| [format!("-s {a} -d {b} -j DROP"), format!("-s {b} -d {a} -j DROP")])
            .collect()
    }

    /// The addresses of a node and its pods.
    fn ranges(&mut self, index: usize) -> Vec<String> {
        let Some(config) = self.nodes.get(index).map(|node| node.config().clone()) else {
            return Vec::new();
        };
        let object = self.read(&NodeObject::kind(), "", &config.name);
        let node = object.as_ref().and_then(|object| object.get::<NodeObject>());
        let pods = node.and_then(|node| node.spec.as_ref()?.pod_cidr.clone());
        [Some(config.internal_ip.to_string()), pods].into_iter().flatten().collect()
    }

    /// Does something to a container, on the node where it runs.
    fn change_container(
        &mut self,
        namespace: &str,
        pod: &str,
        container: &str,
        change: impl Fn(&mut Node, &str, &str, &str, Time) -> bool,
    ) -> Result<(), FaultError> {
        let now = self.now;
        match self.nodes.iter_mut().any(|node| change(node, namespace, pod, container, now)) {
            true => Ok(()),
            false => Err(FaultError::NotRunning(format!("{namespace}/{pod}"))),
        }
    }

    /// Has a process take a machine's memory, or ends it.
    fn set_filled(&mut self, name: &str, full: bool) -> Result<(), FaultError> {
        let index = self.node_index(name)?;
        let changed = match full {
            // What has no power runs nothing.
            true => !self.damage.stopped.contains(&index) && self.damage.filled.insert(index),
            false => self.damage.filled.remove(&index),
        };
        if let Some(node) = self.nodes.get_mut(index).filter(|_| changed) {
            node.fill_memory(full);
        }
        Ok(())
    }

    /// Why a part does not reach the API server; `None` if it does.
    pub(crate) fn why_unreached(&self, part: Part) -> Option<ApiError> {
        if self.api_presence.works() && self.damage.is_none() && !self.api.etcd_is_lost() {
            return None;
        }
        let from = match part {
            Part::Node(index) => Some(index as usize),
            Part::Control(index) => return self.why_control_is_unreached(index),
            Part::Workstation | Part::Cloud => None,
            Part::ApiServer | Part::Network | Part::SecurePort(_) => return None,
        };
        let host = self.control_plane_host();
        let at_home = host.is_some() && from == host;
        let why = if host.is_some_and(|host| self.damage.stopped.contains(&host)) {
            "connect: no route to host"
        } else if !at_home && self.damage.separates(host, from) {
            "i/o timeout"
        } else if !self.api_presence.works() {
            "connect: connection refused"
        } else if from.is_some() && self.api.etcd_is_lost() {
            // A kubelet goes on by what it knows, as long as nobody tells it more.
            "i/o timeout"
        } else {
            return None;
        };
        // Where nobody has been told of a control plane, nobody is asked but the machine itself.
        let ip = self.profile.control_plane_ips().next().unwrap_or(Ipv4Addr::LOCALHOST);
        let port = self.profile.secure_port;
        Some(ApiError::unreachable(&format!("{ip}:{port}"), why))
    }

    /// A program of the control plane speaks to the API server of its own machine.
    fn why_control_is_unreached(&self, index: u32) -> Option<ApiError> {
        let host = self.control.get(index as usize).and_then(|control| control.host());
        let stopped = host.is_some_and(|host| self.damage.stopped.contains(&host));
        if self.api_presence.works() && !stopped {
            let waits = host.is_some_and(|host| !self.has_quorum(host));
            return waits.then(naru_apiserver::etcd_timed_out);
        }
        let ip = host.and_then(|host| self.nodes.get(host)).map(|node| node.config().internal_ip);
        let ip = ip.unwrap_or(Ipv4Addr::LOCALHOST);
        let port = self.profile.secure_port;
        Some(ApiError::unreachable(&format!("{ip}:{port}"), "connect: connection refused"))
    }

    /// Ends the streams that were asked of a kubelet which the API server does not reach; tells
    /// whether it does not.
    ///
    /// Upstream: what the API server says when its dial fails.
    pub(crate) fn refuse_streams(&mut self, name: &str) -> bool {
        let Ok(index) = self.node_index(name) else { return false };
        let host = self.control_plane_host();
        let why = if self.damage.stopped.contains(&index) {
            "connect: no route to host"
        } else if host != Some(index) && self.damage.separates(host, Some(index)) {
            "i/o timeout"
        } else {
            return false;
        };
        let ip = self.nodes.get(index).map(|node| node.config().internal_ip);
        let Some(address) = ip.map(|ip| format!("{ip}:{KUBELET_PORT}")) else { return false };
        for (id, request) in self.api.accept(name) {
            let text = match &request.connect {
                Connect::Log(_) => format!(
                    "Get \"https://{address}/containerLogs/{}/{}/{}\": dial tcp {address}: {why}",
                    request.namespace, request.pod, request.container
                ),
                _ => format!("error dialing backend: dial tcp {address}: {why}"),
            };
            let error = ApiError::new(500, "", text);
            if let Some(stream) = KubeletStreams::stream(&mut self.api, id) {
                stream.result = Some(Err(error));
            }
        }
        self.workstation.wake();
        true
    }

    /// Whether the API server answers.
    pub fn api_server_is_up(&self) -> bool {
        self.api_presence.works()
    }
}
