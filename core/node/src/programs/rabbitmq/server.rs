//! `rabbitmq-server`.

use super::broker::{Broker, Message, Refusal};
use super::control::{self, Facts, Said};
use super::{AMQP_PORT, API_PORT, Ask, CONTROL_PORT, LINE_MAX, READ_MAX, Tell, api};
use naru_shell::serve::{HttpServer, clock};
use naru_shell::{Errno, Program, Signal, SocketId, Step, Sys};
use naru_sim::Time;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Clients at once.
const CLIENTS_MAX: usize = 256;
/// How long it takes to start, and how long changes may wait to be written.
const START: Duration = Duration::from_millis(4_600);
const WRITE_AFTER: Duration = Duration::from_secs(1);
const PLUGINS_FILE: &str = "/etc/rabbitmq/enabled_plugins";

/// The server.
#[derive(Clone, Debug, Default)]
pub struct RabbitmqServer {
    ready_at: Option<Time>,
    started: Time,
    amqp: Option<SocketId>,
    control: Option<SocketId>,
    api: Option<HttpServer>,
    clients: Vec<Client>,
    tools: Vec<Client>,
    broker: Broker,
    /// Since when what is on disk is behind.
    behind: Option<Time>,
    /// Applications are stopped: `rabbitmqctl stop_app`.
    stopped: bool,
}

/// A connection.
#[derive(Clone, Debug)]
struct Client {
    socket: SocketId,
    peer: SocketAddr,
    input: Vec<u8>,
    output: Vec<u8>,
    last: bool,
    /// User and virtual host, once it is let in.
    open: Option<(String, String)>,
    /// What it consumes: queue, whether it confirms, how many at once.
    consumes: Option<(String, bool, u64)>,
    /// What it has and has not confirmed.
    held: Vec<(String, u64)>,
}

impl Program for RabbitmqServer {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        let Some(ready_at) = self.ready_at else { return self.begin(sys) };
        if sys.take_signal().is_some() {
            self.info(sys, "SIGTERM received - shutting down");
            self.write(sys);
            self.info(
                sys,
                "Stopping RabbitMQ applications and their dependencies in the following \
                            order:",
            );
            return Step::Exit(0);
        }
        if sys.now() < ready_at {
            return Step::Block { until: Some(ready_at) };
        }
        if self.amqp.is_none()
            && let Err(step) = self.listen(sys)
        {
            return step;
        }
        self.serve(sys);
        if self.behind.is_some_and(|since| since + WRITE_AFTER <= sys.now()) {
            self.write(sys);
        }
        Step::Block { until: self.behind.map(|since| since + WRITE_AFTER) }
    }
}

impl RabbitmqServer {
    fn begin(&mut self, sys: &mut dyn Sys) -> Step {
        sys.catch(Signal::Term);
        sys.catch(Signal::Int);
        sys.use_memory(128 << 20);
        self.started = sys.now();
        let path = data(sys);
        let stored = sys.fs().read(&path).ok();
        let stored = stored.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let is_new = stored.is_none();
        self.broker = stored.unwrap_or_default();
        if is_new {
            let env = sys.env().clone();
            let get = |name: &str, default: &str| {
                env.get(name).cloned().unwrap_or_else(|| default.to_owned())
            };
            let vhost = get("RABBITMQ_DEFAULT_VHOST", "/");
            self.broker.add_vhost(&vhost);
            let user = get("RABBITMQ_DEFAULT_USER", "guest");
            let password = get("RABBITMQ_DEFAULT_PASS", "guest");
            self.broker.add_user(&user, &password, &["administrator"], Some(&vhost));
        }
        if !self.write(sys) {
            return Step::Exit(1);
        }
        let banner = banner(sys);
        let _ = sys.write(1, banner.as_bytes());
        self.ready_at = Some(sys.now() + START);
        Step::Block { until: self.ready_at }
    }

    /// Writes what is to outlive the process; tells whether that was possible.
    fn write(&mut self, sys: &mut dyn Sys) -> bool {
        self.behind = None;
        let path = data(sys);
        let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder).to_owned();
        let bytes = serde_json::to_vec(&self.broker.kept()).unwrap_or_default();
        let fs = sys.fs();
        let written = fs.mkdir_all(&folder).and_then(|()| fs.write(&path, &bytes));
        if let Err(errno) = written {
            let line = format!("Failed to create directory {folder}: {errno}");
            self.log(sys, "error", &line);
        }
        written.is_ok()
    }

    fn listen(&mut self, sys: &mut dyn Sys) -> Result<(), Step> {
        for (port, slot) in [(AMQP_PORT, &mut self.amqp), (CONTROL_PORT, &mut self.control)] {
            let at = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
            let listened =
                sys.net().ok_or(Errno::NetUnreachable).and_then(|net| net.tcp_listen(at));
            match listened {
                Ok(socket) => *slot = Some(socket),
                Err(errno) => {
                    let text = format!("Failed to start Ranch listener on port {port}: {errno}\n");
                    let _ = sys.write(1, text.as_bytes());
                    return Err(Step::Exit(1));
                }
            }
        }
        let count = plugins(sys).len();
        if plugins(sys).iter().any(|name| name == "rabbitmq_management") {
            self.manage(sys);
        }
        let line = format!("started TCP listener on [::]:{AMQP_PORT}");
        self.info(sys, &line);
        let text = format!(" completed with {count} plugins.\n");
        let _ = sys.write(1, text.as_bytes());
        let mut line = format!("Server startup complete; {count} plugins started.");
        for name in plugins(sys) {
            line.push_str(&format!("\n * {name}"));
        }
        self.info(sys, &line);
        let millis = sys.now().since(self.started).as_millis();
        self.info(sys, &format!("Time to start RabbitMQ: {millis} ms"));
        Ok(())
    }

    /// Lets the management's API listen.
    fn manage(&mut self, sys: &mut dyn Sys) {
        if self.api.is_some() {
            return;
        }
        let mut server = HttpServer::default();
        if sys.net().is_some_and(|net| server.listen(net, API_PORT).is_ok()) {
            self.api = Some(server);
            let line =
                format!("Management plugin: HTTP (non-TLS) listener started on port {API_PORT}");
            self.info(sys, &line);
        }
    }

    fn info(&self, sys: &mut dyn Sys, line: &str) {
        self.log(sys, "info", line);
    }

    fn log(&self, sys: &mut dyn Sys, level: &str, text: &str) {
        let time = clock::format(sys.now(), "%Y-%m-%d %H:%M:%S.%6f+00:00");
        let mut said = String::new();
        for line in text.lines() {
            said.push_str(&format!("{time} [{level}] <0.9.0> {line}\n"));
        }
        let _ = sys.write(1, said.as_bytes());
    }

    fn serve(&mut self, sys: &mut dyn Sys) {
        accept(sys, self.control, &mut self.tools);
        if !self.stopped {
            accept(sys, self.amqp, &mut self.clients);
        }
        let mut tools = std::mem::take(&mut self.tools);
        for tool in &mut tools {
            tool.receive(sys);
            while let Some(line) = tool.line() {
                let said = self.control(sys, &line);
                tool.output.extend(serde_json::to_vec(&said).unwrap_or_default());
                tool.output.push(b'\n');
            }
        }
        tools.retain_mut(|tool| tool.flush(sys));
        self.tools = tools;
        self.serve_api(sys);
        self.serve_clients(sys);
    }

    fn control(&mut self, sys: &mut dyn Sys, line: &[u8]) -> Said {
        let Ok(words) = serde_json::from_slice::<Vec<String>>(line) else {
            return Said {
                stderr: "Error: malformed request\n".to_owned(),
                code: 64,
                ..Said::default()
            };
        };
        let facts = self.facts(sys);
        let said = control::run(&mut self.broker, &words, &facts);
        if said.changed {
            self.behind.get_or_insert(sys.now());
        }
        match words.first().map(String::as_str) {
            Some("stop_app") => self.stopped = true,
            Some("start_app") => self.stopped = false,
            Some("enable_plugins") if words.iter().any(|word| word == "rabbitmq_management") => {
                self.manage(sys);
            }
            _ => {}
        }
        said
    }

    fn facts(&self, sys: &mut dyn Sys) -> Facts {
        Facts {
            node: format!("rabbit@{}", sys.hostname()),
            version: version(sys),
            pid: sys.pid(),
            uptime: sys.now().since(self.started).as_secs(),
            data: data(sys).rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned()),
            plugins: plugins(sys),
            manages: self.api.is_some(),
            stopped: self.stopped,
            connections: self
                .clients
                .iter()
                .filter_map(|client| Some((client.open.as_ref()?.0.clone(), client.peer)))
                .collect(),
            consumers: self
                .clients
                .iter()
                .filter_map(|client| client.consumes.as_ref().map(|(queue, ..)| queue.clone()))
                .collect(),
        }
    }

    fn serve_api(&mut self, sys: &mut dyn Sys) {
        let Some(mut server) = self.api.take() else { return };
        loop {
            let now = sys.now();
            let Some(net) = sys.net() else { break };
            let requests = server.poll(net, now);
            for incoming in &requests {
                sys.burn(Duration::from_millis(2));
                let facts = self.facts(sys);
                let mut changed = false;
                let response =
                    api::answer(&mut self.broker, &incoming.request, &facts, &mut changed);
                if changed {
                    self.behind.get_or_insert(now);
                }
                let date = clock::format(now, clock::HTTP_DATE);
                server.respond(incoming, &response.with("date", date).with("server", "Cowboy"));
            }
            if let Some(net) = sys.net() {
                server.flush(net);
            }
            if requests.is_empty() {
                break;
            }
        }
        self.api = Some(server);
    }

    fn serve_clients(&mut self, sys: &mut dyn Sys) {
        let mut clients = std::mem::take(&mut self.clients);
        for client in &mut clients {
            client.receive(sys);
            if client.input.first().is_some_and(|byte| *byte != b'{') {
                // Somebody speaks something else: the protocol's header, and the end.
                client.output.extend(b"AMQP\x00\x00\x09\x01");
                client.input.clear();
                client.last = true;
            }
            while let Some(line) = client.line() {
                sys.burn(Duration::from_micros(150));
                match serde_json::from_slice::<Ask>(&line) {
                    Ok(ask) => self.asked(sys, client, ask),
                    Err(_) => client.last = true,
                }
            }
        }
        if self.stopped {
            clients.iter_mut().for_each(|client| client.last = true);
        }
        self.deliver(&mut clients);
        let mut gone = Vec::new();
        clients.retain_mut(|client| {
            let there = client.flush(sys);
            if !there {
                gone.push(client.clone());
            }
            there
        });
        let returned = !gone.is_empty();
        for client in gone {
            self.left(sys, &client);
        }
        if returned {
            self.deliver(&mut clients);
            clients.retain_mut(|client| client.flush(sys));
        }
        self.clients = clients;
    }

    /// What a client that has gone held goes back to its queues.
    fn left(&mut self, sys: &mut dyn Sys, client: &Client) {
        let Some((user, vhost)) = &client.open else { return };
        for (queue, tag) in client.held.iter().rev() {
            self.broker.settle(vhost, queue, *tag, false);
        }
        if let Some((name, ..)) = &client.consumes
            && let Ok(queue) = self.broker.queue(vhost, name)
        {
            queue.consumers = queue.consumers.saturating_sub(1);
            if queue.auto_delete && queue.consumers == 0 {
                self.broker.delete(vhost, name);
            }
        }
        let line = format!(
            "closing AMQP connection ({} -> {}:{AMQP_PORT}, vhost: '{vhost}', user: '{user}')",
            client.peer,
            sys.hostname()
        );
        self.info(sys, &line);
    }

    fn asked(&mut self, sys: &mut dyn Sys, client: &mut Client, ask: Ask) {
        let told = match (ask, client.open.clone()) {
            (Ask::Open { user, password, vhost }, _) => {
                let opened = self.broker.opens(&user, &password, &vhost);
                match &opened {
                    Ok(()) => {
                        let line = format!(
                            "connection {} -> {AMQP_PORT}: user '{user}' authenticated and granted \
                             access to vhost '{vhost}'",
                            client.peer
                        );
                        self.info(sys, &line);
                        client.open = Some((user, vhost));
                    }
                    Err((code, _)) => {
                        let why = if *code == 403 {
                            format!("PLAIN login refused: user '{user}' - invalid credentials")
                        } else {
                            format!("access to vhost '{vhost}' refused for user '{user}'")
                        };
                        self.log(sys, "error", &why);
                    }
                }
                match opened {
                    Ok(()) => Tell::Done { text: String::new() },
                    Err((code, text)) => Tell::Refused { code, text, connection: true },
                }
            }
            (Ask::Close, _) => {
                client.last = true;
                Tell::Done { text: String::new() }
            }
            (_, None) => {
                client.last = true;
                return;
            }
            (Ask::Ack { tag }, Some((_, vhost))) => {
                if let Some(at) = client.held.iter().position(|(_, held)| *held == tag) {
                    let (queue, tag) = client.held.remove(at);
                    self.broker.settle(&vhost, &queue, tag, true);
                    self.behind.get_or_insert(sys.now());
                }
                return;
            }
            (ask, Some((_, vhost))) => {
                self.behind.get_or_insert(sys.now());
                match self.channel(client, &vhost, ask) {
                    Ok(told) => told,
                    Err((code, text)) => Tell::Refused { code, text, connection: false },
                }
            }
        };
        client.tell(&told);
        if matches!(told, Tell::Refused { .. }) {
            client.last = true;
        }
    }

    fn channel(&mut self, client: &mut Client, vhost: &str, ask: Ask) -> Result<Tell, Refusal> {
        let done = |text: String| Ok(Tell::Done { text });
        match ask {
            Ask::Declare { queue, durable, exclusive, auto_delete } => {
                self.broker.declare(vhost, &queue, durable, auto_delete, exclusive)?;
                done(queue)
            }
            Ask::Delete { queue } => done(self.broker.delete(vhost, &queue).to_string()),
            Ask::Publish { exchange, key, body, persistent } => {
                let message = Message { body, exchange, key, persistent, redelivered: false };
                self.broker.publish(vhost, &message)?;
                done(String::new())
            }
            Ask::Get { queue } => Ok(match self.broker.take(vhost, &queue, false)? {
                Some((tag, message)) => Tell::Message { tag, body: message.body },
                None => Tell::Empty,
            }),
            Ask::Consume { queue, ack, prefetch } => {
                self.broker.queue(vhost, &queue)?.consumers += 1;
                client.consumes = Some((queue, ack, prefetch));
                done(String::new())
            }
            Ask::Open { .. } | Ask::Ack { .. } | Ask::Close => done(String::new()),
        }
    }

    /// Gives consumers what there is, in turn.
    fn deliver(&mut self, clients: &mut [Client]) {
        loop {
            let mut any = false;
            for client in clients.iter_mut() {
                let (Some((_, vhost)), Some((queue, ack, prefetch))) =
                    (client.open.clone(), client.consumes.clone())
                else {
                    continue;
                };
                let full = prefetch > 0 && client.held.len() as u64 >= prefetch;
                if client.last || full {
                    continue;
                }
                if let Ok(Some((tag, message))) = self.broker.take(&vhost, &queue, ack) {
                    any = true;
                    if ack {
                        client.held.push((queue, tag));
                    }
                    client.tell(&Tell::Message { tag, body: message.body });
                }
            }
            if !any {
                return;
            }
        }
    }
}

impl Client {
    fn tell(&mut self, told: &Tell) {
        self.output.extend(serde_json::to_vec(told).unwrap_or_default());
        self.output.push(b'\n');
    }

    fn receive(&mut self, sys: &mut dyn Sys) {
        let Some(net) = sys.net() else { return };
        loop {
            match net.recv(self.socket, READ_MAX) {
                Ok(bytes) if bytes.is_empty() || self.input.len() > LINE_MAX => {
                    self.last = true;
                    return;
                }
                Ok(bytes) => self.input.extend(bytes),
                Err(Errno::Again) => return,
                Err(_) => {
                    self.last = true;
                    return;
                }
            }
        }
    }

    fn line(&mut self) -> Option<Vec<u8>> {
        let end = self.input.iter().position(|byte| *byte == b'\n')?;
        Some(self.input.drain(..=end).collect())
    }

    /// Tells whether it is still there.
    fn flush(&mut self, sys: &mut dyn Sys) -> bool {
        let Some(net) = sys.net() else { return false };
        while !self.output.is_empty() {
            match net.send(self.socket, &self.output) {
                Ok(taken) if taken > 0 => drop(self.output.drain(..taken.min(self.output.len()))),
                Ok(_) | Err(Errno::Again) => break,
                Err(_) => {
                    self.last = true;
                    break;
                }
            }
        }
        if self.last {
            net.close(self.socket);
        }
        !self.last
    }
}

fn accept(sys: &mut dyn Sys, listener: Option<SocketId>, clients: &mut Vec<Client>) {
    let (Some(listener), Some(net)) = (listener, sys.net()) else { return };
    while let Ok((socket, peer)) = net.accept(listener) {
        if clients.len() >= CLIENTS_MAX {
            net.close(socket);
            continue;
        }
        clients.push(Client {
            socket,
            peer,
            input: Vec::new(),
            output: Vec::new(),
            last: false,
            open: None,
            consumes: None,
            held: Vec::new(),
        });
    }
}

fn data(sys: &mut dyn Sys) -> String {
    let node = format!("rabbit@{}", sys.hostname());
    format!("/var/lib/rabbitmq/mnesia/{node}/definitions.json")
}

fn version(sys: &mut dyn Sys) -> String {
    sys.env().get("RABBITMQ_VERSION").cloned().unwrap_or_else(|| "4.1.0".to_owned())
}

/// What `enabled_plugins` names: `[rabbitmq_management,rabbitmq_prometheus].`, and what these need.
fn plugins(sys: &mut dyn Sys) -> Vec<String> {
    let text = sys.fs().read_text(PLUGINS_FILE).unwrap_or_default();
    let inner = text.trim().trim_start_matches('[').trim_end_matches(['.', ']']);
    let mut names: Vec<String> = inner
        .split(',')
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    if names.iter().any(|name| name == "rabbitmq_management") {
        names.extend(["rabbitmq_management_agent", "rabbitmq_web_dispatch"].map(str::to_owned));
    }
    names.sort();
    names.dedup();
    names
}

fn banner(sys: &mut dyn Sys) -> String {
    let version = version(sys);
    format!(
        "\n  ##  ##      RabbitMQ {version}\n  ##  ##\n  ##########  Copyright (c) 2007-2025 Broadcom Inc \
         and/or its subsidiaries\n  ######  ##\n  ##########  Licensed under the MPL 2.0. Website: \
         https://rabbitmq.com\n\n  Erlang:      27.3.4 [jit]\n  TLS Library: OpenSSL - OpenSSL 3.3.3 11 \
         Feb 2025\n  Release series support status: see https://www.rabbitmq.com/release-information\n\n  \
         Doc guides:  https://www.rabbitmq.com/docs\n  Support:     \
         https://www.rabbitmq.com/docs/contact\n  Tutorials:   https://www.rabbitmq.com/tutorials\n  \
         Monitoring:  https://www.rabbitmq.com/docs/monitoring\n  Upgrading:   \
         https://www.rabbitmq.com/docs/upgrade\n\n  Logs: <stdout>\n\n  Config file(s): \
         /etc/rabbitmq/conf.d/10-defaults.conf\n\n  Starting broker..."
    )
}
