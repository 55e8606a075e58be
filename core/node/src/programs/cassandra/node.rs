//! The server.

use super::{CLIENT_PORT, GOSSIP_PORT, Member, READ_MAX, Ring, TOOL_PORT};
use naru_shell::serve::{Dial, clock};
use naru_shell::{Errno, Program, Progress, Signal, SocketId, Step, Sys};
use naru_sim::Time;
use sha2::{Digest as _, Sha256};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// How long it takes to start and to join, how often nodes speak, and after how many seconds of
/// silence one is down.
const START: Duration = Duration::from_secs(9);
const JOIN: Duration = Duration::from_secs(20);
const EVERY: Duration = Duration::from_secs(5);
const SILENCE: u64 = 18;
const CONNECTIONS_MAX: usize = 64;
const NODES_MAX: usize = 200;

/// The program.
#[derive(Clone, Debug, Default)]
pub struct Cassandra {
    own: String,
    seeds: Vec<String>,
    ring: Ring,
    ready_at: Option<Time>,
    joined_at: Option<Time>,
    listeners: Vec<(u16, SocketId)>,
    connections: Vec<Connection>,
    talk: Option<Talk>,
    next_talk: Option<Time>,
    drained: bool,
}

#[derive(Clone, Debug)]
struct Connection {
    port: u16,
    socket: SocketId,
    input: Vec<u8>,
    output: Vec<u8>,
    last: bool,
}

/// What is said to a seed.
#[derive(Clone, Debug)]
enum Talk {
    Dialing(Box<Dial>),
    Waiting(SocketId, Vec<u8>),
}

impl Program for Cassandra {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        let Some(ready_at) = self.ready_at else { return self.begin(sys) };
        if sys.take_signal().is_some() {
            return Step::Exit(143);
        }
        if sys.now() < ready_at {
            return Step::Block { until: Some(ready_at) };
        }
        if self.listeners.is_empty()
            && let Err(step) = self.listen(sys)
        {
            return step;
        }
        if let Some(step) = self.gossip(sys) {
            return step;
        }
        self.join(sys);
        self.serve(sys);
        let dial = self.talk.as_ref().map(|_| sys.now() + Duration::from_secs(1));
        Step::Block { until: [self.next_talk, self.joined_at, dial].into_iter().flatten().min() }
    }
}

impl Cassandra {
    fn begin(&mut self, sys: &mut dyn Sys) -> Step {
        sys.catch(Signal::Term);
        sys.use_memory(700 << 20);
        let env = sys.env().clone();
        let get = |name: &str, default: &str| {
            env.get(name).cloned().unwrap_or_else(|| default.to_owned())
        };
        let hosts = sys.fs().read_text("/etc/hosts").unwrap_or_default();
        let name = sys.hostname().to_owned();
        let found = hosts.lines().find(|line| line.split_whitespace().skip(1).any(|it| it == name));
        let found = found.and_then(|line| line.split_whitespace().next()).unwrap_or("127.0.0.1");
        self.own = get("POD_IP", found);
        self.seeds =
            get("CASSANDRA_SEEDS", &name).split(',').map(|seed| seed.trim().to_owned()).collect();
        let digest = Sha256::digest(name.as_bytes());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        let host_id = format!(
            "{}-{}-4{}-a{}-{}",
            part(0, 8),
            part(8, 12),
            part(13, 16),
            part(17, 20),
            part(20, 32)
        );
        let member = Member {
            host_id,
            datacenter: get("CASSANDRA_DC", "datacenter1"),
            rack: get("CASSANDRA_RACK", "rack1"),
            state: 'J',
            heard: 0,
        };
        self.ring.insert(self.own.clone(), member);
        self.say(sys, "Cassandra version: 3.11.2");
        self.say(sys, "Token metadata:");
        self.ready_at = Some(sys.now() + START);
        Step::Block { until: self.ready_at }
    }

    fn say(&self, sys: &mut dyn Sys, line: &str) {
        let time = clock::format(sys.now(), "%H:%M:%S");
        let _ = sys.write(1, format!("INFO  {time} {line}\n").as_bytes());
    }

    fn listen(&mut self, sys: &mut dyn Sys) -> Result<(), Step> {
        for port in [GOSSIP_PORT, TOOL_PORT] {
            let at = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
            let listened =
                sys.net().ok_or(Errno::NetUnreachable).and_then(|net| net.tcp_listen(at));
            match listened {
                Ok(socket) => self.listeners.push((port, socket)),
                Err(errno) => {
                    let line = format!("Unable to bind to port {port}: {errno}");
                    let _ = sys.write(2, format!("{line}\n").as_bytes());
                    return Err(Step::Exit(3));
                }
            }
        }
        self.say(sys, &format!("Starting Messaging Service on /{}:{GOSSIP_PORT} (eth0)", self.own));
        self.next_talk = Some(sys.now());
        Ok(())
    }

    /// Whether this node is a seed: its own name stands among them.
    fn is_seed(&self, sys: &dyn Sys) -> bool {
        let name = sys.hostname();
        self.seeds
            .iter()
            .any(|seed| *seed == self.own || seed == name || seed.split('.').next() == Some(name))
    }

    fn join(&mut self, sys: &mut dyn Sys) {
        if self.joined_at.is_some_and(|at| at <= sys.now()) {
            self.joined_at = None;
            if let Some(own) = self.ring.get_mut(&self.own) {
                own.state = 'N';
            }
            let at = SocketAddr::from((Ipv4Addr::UNSPECIFIED, CLIENT_PORT));
            if let Some(Ok(socket)) = sys.net().map(|net| net.tcp_listen(at)) {
                self.listeners.push((CLIENT_PORT, socket));
            }
            self.say(sys, &format!("Node /{} state jump to NORMAL", self.own));
            let line = format!(
                "Starting listening for CQL clients on /0.0.0.0:{CLIENT_PORT} (unencrypted)..."
            );
            self.say(sys, &line);
        }
    }

    fn heard(&mut self, now: Time) {
        if let Some(own) = self.ring.get_mut(&self.own) {
            own.heard = now.since(Time::ZERO).as_secs();
        }
    }

    /// Speaks with the next seed that is another node. The step is how it ends.
    fn gossip(&mut self, sys: &mut dyn Sys) -> Option<Step> {
        let now = sys.now();
        self.heard(now);
        if self.is_seed(sys) {
            self.next_talk = Some(now + EVERY);
            self.begin_join(now, Duration::from_secs(2));
            return None;
        }
        if self.talk.is_none() && self.next_talk.is_some_and(|at| at <= now) {
            let seed = self.seeds.first().cloned().unwrap_or_default();
            self.talk = Some(Talk::Dialing(Box::new(Dial::new(&seed, GOSSIP_PORT))));
            self.next_talk = Some(now + EVERY);
        }
        match self.talk.take() {
            None => None,
            Some(Talk::Dialing(mut dial)) => match dial.poll(sys) {
                Progress::Waits(_) => {
                    self.talk = Some(Talk::Dialing(dial));
                    None
                }
                Progress::Done(Ok(socket)) => {
                    let mut bytes = serde_json::to_vec(&self.ring).unwrap_or_default();
                    bytes.push(b'\n');
                    let _ = sys.net()?.send(socket, &bytes);
                    self.talk = Some(Talk::Waiting(socket, Vec::new()));
                    None
                }
                Progress::Done(Err(_)) if self.ring.len() > 1 => None,
                Progress::Done(Err(_)) => {
                    let text = "ERROR Exception encountered during startup\n\
                                java.lang.RuntimeException: Unable to gossip with any peers\n";
                    let _ = sys.write(1, text.as_bytes());
                    Some(Step::Exit(3))
                }
            },
            Some(Talk::Waiting(socket, mut input)) => {
                match sys.net()?.recv(socket, READ_MAX) {
                    Ok(bytes) if bytes.is_empty() => return None,
                    Ok(bytes) => input.extend(bytes),
                    Err(Errno::Again) => {}
                    Err(_) => return None,
                }
                if !input.ends_with(b"\n") {
                    self.talk = Some(Talk::Waiting(socket, input));
                    return None;
                }
                sys.net()?.close(socket);
                if let Ok(ring) = serde_json::from_slice::<Ring>(&input) {
                    self.learn(sys, ring);
                    self.begin_join(now, JOIN);
                }
                None
            }
        }
    }

    fn begin_join(&mut self, now: Time, after: Duration) {
        let joins = self.ring.get(&self.own).is_some_and(|own| own.state == 'J');
        if joins && self.joined_at.is_none() {
            self.joined_at = Some(now + after);
        }
    }

    /// Takes over what is newer. A node that comes back with another address takes its own place.
    fn learn(&mut self, sys: &mut dyn Sys, ring: Ring) {
        for (address, member) in ring {
            if address == self.own || self.ring.len() >= NODES_MAX {
                continue;
            }
            let newer = self.ring.get(&address).is_none_or(|known| known.heard < member.heard);
            let old: Vec<String> = self
                .ring
                .iter()
                .filter(|(at, known)| {
                    **at != address && known.host_id == member.host_id && known.heard < member.heard
                })
                .map(|(at, _)| at.clone())
                .collect();
            for at in &old {
                self.ring.remove(at);
            }
            let stale = self.ring.iter().any(|(at, known)| {
                *at != address && known.host_id == member.host_id && known.heard >= member.heard
            });
            if newer && !stale {
                if !self.ring.contains_key(&address) {
                    self.say(sys, &format!("Node /{address} is now part of the cluster"));
                }
                self.ring.insert(address, member);
            }
        }
    }

    fn serve(&mut self, sys: &mut dyn Sys) {
        for (port, listener) in self.listeners.clone() {
            while let Some(Ok((socket, _))) = sys.net().map(|net| net.accept(listener)) {
                if self.connections.len() < CONNECTIONS_MAX {
                    let (input, output) = (Vec::new(), Vec::new());
                    self.connections.push(Connection { port, socket, input, output, last: false });
                } else if let Some(net) = sys.net() {
                    net.close(socket);
                }
            }
        }
        for mut connection in std::mem::take(&mut self.connections) {
            if self.talk_to(sys, &mut connection) {
                self.connections.push(connection);
            }
        }
    }

    /// Goes on with a connection; tells whether it is still there.
    fn talk_to(&mut self, sys: &mut dyn Sys, connection: &mut Connection) -> bool {
        let Some(net) = sys.net() else { return false };
        loop {
            match net.recv(connection.socket, READ_MAX) {
                Ok(bytes) if bytes.is_empty() || connection.input.len() > READ_MAX * 4 => {
                    connection.last = true;
                    break;
                }
                Ok(bytes) => connection.input.extend(bytes),
                Err(Errno::Again) => break,
                Err(_) => return false,
            }
        }
        if let Some(end) = connection.input.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = connection.input.drain(..=end).collect();
            match connection.port {
                GOSSIP_PORT => {
                    if let Ok(ring) = serde_json::from_slice::<Ring>(&line) {
                        self.learn(sys, ring);
                    }
                    connection.output.extend(serde_json::to_vec(&self.ring).unwrap_or_default());
                    connection.output.push(b'\n');
                }
                TOOL_PORT => {
                    let asked = String::from_utf8_lossy(&line).trim().to_owned();
                    let answer = self.tool(sys, &asked);
                    connection.output.extend(answer.into_bytes());
                    connection.last = true;
                }
                _ => connection.last = true,
            }
        }
        let Some(net) = sys.net() else { return false };
        if let Ok(taken) = net.send(connection.socket, &connection.output) {
            connection.output.drain(..taken.min(connection.output.len()));
        }
        if connection.last && connection.output.is_empty() {
            net.close(connection.socket);
            return false;
        }
        true
    }

    /// What `nodetool` prints.
    fn tool(&mut self, sys: &mut dyn Sys, asked: &str) -> String {
        let now = sys.now().since(Time::ZERO).as_secs();
        match asked {
            "status" | "ring" => status(&self.ring, &self.own, now),
            "drain" => {
                self.drained = true;
                self.say(sys, "DRAINING: starting drain process");
                self.say(sys, "DRAINED");
                String::new()
            }
            "info" => {
                let own = self.ring.get(&self.own).cloned().unwrap_or_default();
                format!(
                    "ID                     : {}\nGossip active          : true\nThrift active          : \
                     false\nNative Transport active: true\nLoad                   : 65.27 KiB\nData \
                     Center            : {}\nRack                   : {}\n",
                    own.host_id, own.datacenter, own.rack
                )
            }
            "version" => "ReleaseVersion: 3.11.2\n".to_owned(),
            other => format!(
                "nodetool: Found unexpected parameters: [{other}]\nSee 'nodetool help' or 'nodetool help <command>'.\n"
            ),
        }
    }
}

/// Who is in the ring, a datacenter after the other.
fn status(ring: &Ring, own: &str, now: u64) -> String {
    let mut text = String::new();
    let mut centers: Vec<&str> = ring.values().map(|it| it.datacenter.as_str()).collect();
    centers.sort_unstable();
    centers.dedup();
    for center in centers {
        let heading = format!("Datacenter: {center}");
        text.push_str(&format!(
            "{heading}\n{}\nStatus=Up/Down\n|/ State=Normal/Leaving/Joining/Moving\n",
            "=".repeat(heading.len())
        ));
        let members: Vec<_> = ring.iter().filter(|(_, it)| it.datacenter == center).collect();
        let width = members.iter().map(|(at, _)| at.len()).chain([7]).max().unwrap_or(7);
        text.push_str(&format!(
            "--  {:<width$}  Load       Tokens       Owns (effective)  Host ID                               \
             Rack\n",
            "Address"
        ));
        let owns = (200.0 / members.len() as f64).min(100.0);
        for (address, member) in &members {
            let down = *address != own && now.saturating_sub(member.heard) > SILENCE;
            let up = if down { 'D' } else { 'U' };
            text.push_str(&format!(
                "{up}{}  {address:<width$}  65.27 KiB  32           {:<16}  {}  {}\n",
                member.state,
                format!("{owns:.1}%"),
                member.host_id,
                member.rack
            ));
        }
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_silent_is_down() {
        let member = |heard| Member {
            host_id: "id".to_owned(),
            datacenter: "DC1".to_owned(),
            rack: "R".to_owned(),
            state: 'N',
            heard,
        };
        let ring =
            Ring::from([("10.0.0.1".to_owned(), member(0)), ("10.0.0.2".to_owned(), member(90))]);
        let text = status(&ring, "10.0.0.2", 100);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..2], ["Datacenter: DC1", "==============="]);
        assert!(lines[5].starts_with("DN  10.0.0.1  "), "{text}");
        assert!(lines[6].starts_with("UN  10.0.0.2  "), "{text}");
    }
}
