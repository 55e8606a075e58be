//! Carries what is typed and printed in sessions from the learner's machine to the others.

use super::machine;
use crate::agenda::Part;
use crate::{Cluster, mirror, programs};
use naru_node::docker::Docker;
use naru_shell::{Link, SessionOutput, SessionSpec};
use naru_sim::Time;

impl Cluster {
    /// Carries what waits in sessions.
    pub(crate) fn relay_sessions(&mut self) {
        let ids: Vec<u64> = self.workstation.questions_mut().links().map(|(id, _)| id).collect();
        for id in ids {
            self.relay(id);
        }
    }

    fn relay(&mut self, id: u64) {
        let Some(link) = self.workstation.questions_mut().link_mut(id) else { return };
        if link.output.code.is_some() {
            return;
        }
        let host = link.machine.clone();
        if let Some(container) = host.strip_prefix("docker:") {
            return self.relay_docker(id, container);
        }
        let spec = link.spec.take();
        // Only then has the machine something to do that it did not have before.
        let mut moved = spec.is_some();
        if let Some(spec) = spec
            && let Err(why) = self.log_in(id, &host, spec)
        {
            self.end_link(id, &why);
            return;
        }
        let Some(index) = self.machine_named(&host) else { return };
        let Some(machine) = self.nodes.get_mut(index).and_then(|node| node.machine_mut()) else {
            return;
        };
        let Some(link) = self.workstation.questions_mut().link_mut(id) else { return };
        if link.hung_up {
            machine.hang_up(id);
            self.workstation.questions_mut().drop_link(id);
            self.plan_machine(index);
            return;
        }
        if !link.input.is_empty() {
            let taken = machine.send(id, &link.input);
            moved |= taken > 0;
            link.input.drain(..taken.min(link.input.len()));
        }
        if link.input_ended && link.input.is_empty() {
            machine.end_input(id);
            link.input_ended = false;
            moved = true;
        }
        if let Some((columns, rows)) = link.size.take() {
            machine.resize(id, columns, rows);
            moved = true;
        }
        // Who does not take what is there is not woken again for it.
        let news = take_output(machine, link, id);
        if news {
            self.workstation.wake();
        }
        if moved || news {
            self.plan_machine(index);
        }
    }

    /// Something has happened to the machine of this index.
    fn plan_machine(&mut self, index: usize) {
        if let Ok(index) = u32::try_from(index) {
            self.plan(Part::Node(index));
        }
    }

    /// Carries what waits in a session with a container of the learner's machine.
    fn relay_docker(&mut self, id: u64, container: &str) {
        let now = self.now;
        self.docker();
        let Some(mut docker) = self.workstation.docker.take() else { return };
        let mut news = false;
        if let Some(link) = self.workstation.questions_mut().link_mut(id) {
            let before = held(link);
            let done = carry(&mut docker, link, id, container, now);
            news = held(link) != before;
            if link.hung_up && done {
                self.workstation.questions_mut().drop_link(id);
            }
        }
        self.workstation.docker = Some(docker);
        if news {
            self.workstation.wake();
        }
    }

    fn end_link(&mut self, id: u64, why: &str) {
        if let Some(link) = self.workstation.questions_mut().link_mut(id) {
            link.output = SessionOutput::failed(&format!("{why}\n"), 255);
        }
        self.workstation.wake();
    }

    /// The machine of this name or address.
    fn machine_named(&self, host: &str) -> Option<usize> {
        self.nodes.iter().position(|node| {
            let config = node.config();
            let outer = config.external_ip.map(|ip| ip.to_string());
            node.name() == host
                || config.internal_ip.to_string() == host
                || outer.as_deref() == Some(host)
        })
    }

    fn log_in(&mut self, id: u64, host: &str, spec: SessionSpec) -> Result<(), String> {
        let Some(index) = self.machine_named(host) else {
            return Err(format!(
                "ssh: Could not resolve hostname {host}: Name or service not known"
            ));
        };
        let name = self.nodes.get(index).map(|node| node.name().to_owned()).unwrap_or_default();
        if !self.node_is_on(&name) {
            return Err(format!("ssh: connect to host {host} port 22: No route to host"));
        }
        if self.is_cut_off(index) {
            return Err(format!("ssh: connect to host {host} port 22: Connection timed out"));
        }
        self.make_machine(index)?;
        let node = self.nodes.get_mut(index).and_then(|node| node.machine_mut());
        node.ok_or("no machine")?.open(id, spec)
    }

    /// Makes the files and processes of a machine, if nobody has needed them yet.
    pub(crate) fn make_machine(&mut self, index: usize) -> Result<(), String> {
        let installed = self.profile.installed;
        let Some(node) = self.nodes.get_mut(index) else { return Ok(()) };
        if node.machine().is_some() {
            return Ok(());
        }
        let names: Vec<&str> =
            machine::PROGRAMS.into_iter().chain(["apt", "apt-get", "kubectl", "sudo"]).collect();
        let mut hosts = "127.0.0.1\tlocalhost\n".to_owned();
        for machine in &self.profile.nodes {
            hosts.push_str(&format!("{}\t{}\n", machine.ip, machine.name));
        }
        let made = node.make_machine(programs::on_machines(), &names);
        made.map_err(|error| error.to_string())?;
        let resolver = format!("nameserver {}\n", self.profile.host);
        let laid = node.change_files(|fs| {
            mirror::lay(fs)?;
            fs.write("/etc/hosts", hosts.as_bytes())?;
            fs.write("/etc/resolv.conf", resolver.as_bytes())?;
            for (path, text) in &super::kubeadm::INSTALLED_FILES {
                if !installed {
                    fs.write(path, text.as_bytes())?;
                }
            }
            Ok(())
        });
        laid.map_err(|error| error.to_string())?;
        if installed { self.lay_machine_files(index) } else { Ok(()) }
    }
}

/// How much waits for the client, and whether it has been told the end.
fn held(link: &Link) -> (usize, bool) {
    let output = &link.output;
    (output.said.len(), output.code.is_some())
}

/// Takes what was printed as far as there is room; tells whether that was anything.
fn take_output(machine: &mut naru_node::Machine, link: &mut Link, id: u64) -> bool {
    let mut taken = false;
    while !link.is_full() && link.output.code.is_none() {
        let output = machine.receive(id);
        if output.is_empty() {
            return taken;
        }
        taken = true;
        link.output.said.extend(output.said);
        link.output.code = output.code;
    }
    taken
}

/// Carries both ways between a client and its container; tells whether the client is done with it.
fn carry(docker: &mut Docker, link: &mut Link, id: u64, container: &str, now: Time) -> bool {
    if let Some(spec) = link.spec.take()
        && let Err((why, code)) = docker.open(id, container, &spec, now)
    {
        link.output = SessionOutput::failed(&format!("{why}\n"), code);
        return false;
    }
    if link.hung_up {
        docker.hang_up(id, now);
        return true;
    }
    if !link.input.is_empty() {
        let taken = docker.send(id, &link.input, now);
        link.input.drain(..taken.min(link.input.len()));
    }
    if link.input_ended && link.input.is_empty() {
        docker.end_input(id, now);
        link.input_ended = false;
    }
    if let Some(size) = link.size.take() {
        docker.resize(id, size, now);
    }
    while !link.is_full() && link.output.code.is_none() {
        let output = docker.receive(id, now);
        if output.is_empty() {
            break;
        }
        link.output.said.extend(output.said);
        link.output.code = output.code;
    }
    false
}
