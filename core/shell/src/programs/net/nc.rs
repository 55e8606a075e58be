//! `nc`, in the words of Busybox. Its own ends the half of a connection on which nothing more will
//! be sent; OpenBSD's, which others have, does so if it is told to (`-N`).

use super::connect::{Attempt, Connecting};
use super::resolver::Resolver;
use super::{Progress, earlier};
use crate::programs::tool::{Out, finish, parse_options};
use crate::{Errno, Program, SocketId, Step, Sys};
use naru_network::dns::RecordType;
use naru_sim::Time;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

#[derive(Clone, Debug)]
enum Stage {
    Resolve(Resolver),
    Connect(Connecting),
    Listen(SocketId),
    Talk {
        socket: SocketId,
        unsent: Vec<u8>,
        input_ended: bool,
    },
    /// Datagrams: to whom, once that is known.
    Datagrams {
        socket: SocketId,
        peer: Option<SocketAddr>,
        input_ended: bool,
    },
}

/// `nc [-u] [-v] [-z] [-w seconds] host port`, `nc -l [-u] [-p] port`
#[derive(Clone, Debug, Default)]
pub struct Nc {
    out: Out,
    stage: Option<Stage>,
    started: bool,
    host: String,
    port: u16,
    only_looks: bool,
    verbose: bool,
    datagrams: bool,
    half_closes: bool,
    wait: Option<Duration>,
    deadline: Option<Time>,
    code: Option<i32>,
}

impl Nc {
    /// Busybox' own.
    pub fn busybox() -> Self {
        Nc { half_closes: true, ..Nc::default() }
    }

    fn start(&mut self, sys: &mut dyn Sys) -> Result<(), String> {
        self.out.speak(sys);
        let args: Vec<String> = sys.args().iter().skip(1).cloned().collect();
        let options = parse_options(&args, "vzw:lp:nui:kNq:", &[])
            .map_err(|message| message.replace("invalid option -- ", "unrecognized option: "))?;
        self.verbose = options.has('v');
        self.only_looks = options.has('z');
        self.datagrams = options.has('u');
        self.half_closes |= options.has('N');
        self.wait = options.value('w').and_then(|text| text.parse().ok()).map(Duration::from_secs);
        let port = |text: &str| text.parse::<u16>().map_err(|_| format!("bad port '{text}'"));
        if options.has('l') {
            let text = options.value('p').or(options.operands.last().map(String::as_str));
            self.port = port(text.ok_or("no port to listen at")?)?;
            let at = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), self.port);
            let net = sys.net().ok_or(Errno::NetUnreachable.to_string())?;
            if self.datagrams {
                let socket = net.udp_bind(at).map_err(|errno| format!("bind: {errno}"))?;
                self.stage = Some(Stage::Datagrams { socket, peer: None, input_ended: false });
                return Ok(());
            }
            let listener = net.tcp_listen(at).map_err(|errno| format!("bind: {errno}"))?;
            self.stage = Some(Stage::Listen(listener));
            return Ok(());
        }
        let [host, number] = options.operands.as_slice() else {
            return Err("Usage: nc [-v] [-z] [-w SECONDS] HOST PORT".to_string());
        };
        self.host.clone_from(host);
        self.port = port(number)?;
        self.deadline = self.wait.map(|wait| sys.now() + wait);
        let kinds = [RecordType::A, RecordType::Aaaa];
        self.stage = Some(Stage::Resolve(Resolver::new(host, &kinds)));
        Ok(())
    }

    /// Goes on. `Err` is the message.
    fn advance(&mut self, sys: &mut dyn Sys) -> Result<Progress<()>, String> {
        loop {
            let Some(stage) = self.stage.take() else { return Ok(Progress::Done(())) };
            match stage {
                Stage::Resolve(mut resolver) => match resolver.poll(sys) {
                    Progress::Waits(until) => {
                        self.stage = Some(Stage::Resolve(resolver));
                        return Ok(Progress::Waits(until));
                    }
                    Progress::Done(Err(_)) => return Err(format!("bad address '{}'", self.host)),
                    Progress::Done(Ok(addresses)) if self.datagrams => {
                        let to = addresses.first().map(|ip| SocketAddr::new(*ip, self.port));
                        let at = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
                        let net = sys.net().ok_or(Errno::NetUnreachable.to_string())?;
                        let socket = net.udp_bind(at).map_err(|errno| format!("bind: {errno}"))?;
                        self.deadline = None;
                        let input_ended = false;
                        self.stage = Some(Stage::Datagrams { socket, peer: to, input_ended });
                    }
                    Progress::Done(Ok(addresses)) => {
                        self.stage = Some(Stage::Connect(Connecting::new(addresses, self.port)));
                    }
                },
                Stage::Connect(mut connecting) => {
                    let progress = connecting.poll(sys);
                    let last = connecting.take_news().pop();
                    match progress {
                        Progress::Waits(until) => {
                            self.stage = Some(Stage::Connect(connecting));
                            return Ok(Progress::Waits(until));
                        }
                        Progress::Done(Err(errno)) => {
                            let to = match last {
                                Some(Attempt::Failed(to, _)) => format!(" ({to})"),
                                _ => String::new(),
                            };
                            return Err(format!("{}{to}: {errno}", self.host));
                        }
                        Progress::Done(Ok((socket, to))) => {
                            if self.verbose {
                                self.out.error(format!("{} ({to}) open", self.host));
                            }
                            if self.only_looks {
                                if let Some(net) = sys.net() {
                                    net.close(socket);
                                }
                                return Ok(Progress::Done(()));
                            }
                            self.deadline = None;
                            self.stage = Some(talk(socket));
                        }
                    }
                }
                Stage::Listen(listener) => {
                    let Some(net) = sys.net() else {
                        return Err(Errno::NetUnreachable.to_string());
                    };
                    match net.accept(listener) {
                        Ok((socket, _)) => {
                            net.close(listener);
                            self.stage = Some(talk(socket));
                        }
                        Err(Errno::Again) => {
                            self.stage = Some(Stage::Listen(listener));
                            return Ok(Progress::Waits(None));
                        }
                        Err(errno) => return Err(format!("accept: {errno}")),
                    }
                }
                Stage::Datagrams { socket, mut peer, mut input_ended } => {
                    if !self.datagrams(sys, socket, &mut peer, &mut input_ended) {
                        return Ok(Progress::Done(()));
                    }
                    self.stage = Some(Stage::Datagrams { socket, peer, input_ended });
                    return Ok(Progress::Waits(None));
                }
                Stage::Talk { socket, mut unsent, mut input_ended } => {
                    let waits = self.talk(sys, socket, &mut unsent, &mut input_ended)?;
                    if !waits {
                        return Ok(Progress::Done(()));
                    }
                    self.stage = Some(Stage::Talk { socket, unsent, input_ended });
                    return Ok(Progress::Waits(None));
                }
            }
        }
    }

    /// Moves bytes both ways; `false` when the other side has closed.
    fn talk(
        &mut self,
        sys: &mut dyn Sys,
        socket: SocketId,
        unsent: &mut Vec<u8>,
        input_ended: &mut bool,
    ) -> Result<bool, String> {
        while !*input_ended && unsent.len() < 1 << 16 {
            match sys.read(0, 1 << 14) {
                Ok(bytes) if bytes.is_empty() => *input_ended = true,
                Ok(bytes) => unsent.extend(bytes),
                Err(Errno::Again) => break,
                Err(_) => *input_ended = true,
            }
        }
        let Some(net) = sys.net() else { return Err(Errno::NetUnreachable.to_string()) };
        while !unsent.is_empty() {
            match net.send(socket, unsent) {
                Ok(taken) => drop(unsent.drain(..taken.min(unsent.len()))),
                Err(Errno::Again) => break,
                Err(errno) => return Err(format!("write: {errno}")),
            }
        }
        if *input_ended && unsent.is_empty() && self.half_closes {
            net.shutdown(socket);
        }
        loop {
            match net.recv(socket, 1 << 14) {
                Ok(bytes) if bytes.is_empty() => {
                    net.close(socket);
                    return Ok(false);
                }
                Ok(bytes) => self.out.put(bytes),
                Err(Errno::Again) => return Ok(true),
                Err(errno) => return Err(format!("read: {errno}")),
            }
            if self.out.is_full() {
                return Ok(true);
            }
        }
    }

    /// Sends each piece of input as a datagram, and prints what comes; `false` at the end.
    fn datagrams(
        &mut self,
        sys: &mut dyn Sys,
        socket: SocketId,
        peer: &mut Option<SocketAddr>,
        input_ended: &mut bool,
    ) -> bool {
        const DATAGRAM_MAX: usize = 1_024;
        loop {
            let Some(net) = sys.net() else { return false };
            match net.udp_recv(socket) {
                Ok((bytes, from)) => {
                    peer.get_or_insert(from);
                    self.out.put(bytes);
                    self.deadline = self.deadline.and(self.wait.map(|wait| sys.now() + wait));
                }
                Err(Errno::Again) => break,
                Err(_) => return false,
            }
        }
        while let (Some(to), false) = (*peer, *input_ended) {
            match sys.read(0, DATAGRAM_MAX) {
                Ok(bytes) if bytes.is_empty() => {
                    *input_ended = true;
                    self.deadline = self.wait.map(|wait| sys.now() + wait);
                }
                Ok(bytes) => {
                    let Some(net) = sys.net() else { return false };
                    if net.udp_send(socket, to, &bytes).is_err() {
                        return false;
                    }
                }
                Err(Errno::Again) => break,
                Err(_) => *input_ended = true,
            }
        }
        true
    }
}

fn talk(socket: SocketId) -> Stage {
    Stage::Talk { socket, unsent: Vec::new(), input_ended: false }
}

impl Program for Nc {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if !self.out.flush(sys) {
            return Step::Block { until: None };
        }
        if let Some(code) = self.code {
            return finish(&mut self.out, sys, code);
        }
        let mut result = Ok(Progress::Waits(None));
        if !self.started {
            self.started = true;
            result = self.start(sys).map(|()| Progress::Waits(None));
        }
        if result.is_ok() {
            let over = self.deadline.is_some_and(|deadline| sys.now() >= deadline);
            result = if over && matches!(self.stage, Some(Stage::Datagrams { .. })) {
                Ok(Progress::Done(()))
            } else if over {
                Err("timed out".to_string())
            } else {
                self.advance(sys)
            };
        }
        let code = match result {
            Ok(Progress::Waits(until)) => {
                self.out.flush(sys);
                return Step::Block { until: earlier(until, self.deadline) };
            }
            Ok(Progress::Done(())) => 0,
            Err(message) => {
                self.out.error(format!("nc: {message}"));
                1
            }
        };
        self.code = Some(code);
        finish(&mut self.out, sys, code)
    }
}
