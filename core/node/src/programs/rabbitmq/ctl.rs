//! `rabbitmqctl`, `rabbitmq-diagnostics` and `rabbitmq-plugins`: they ask the broker's node.

use super::control::Said;
use super::{CONTROL_PORT, READ_MAX};
use naru_shell::serve::Dial;
use naru_shell::{Errno, Program, Progress, SocketId, Step, Sys};

const PLUGINS_FILE: &str = "/etc/rabbitmq/enabled_plugins";
const PLUGINS: &[&str] = &[
    "rabbitmq_amqp1_0",
    "rabbitmq_auth_backend_ldap",
    "rabbitmq_federation",
    "rabbitmq_management",
    "rabbitmq_management_agent",
    "rabbitmq_mqtt",
    "rabbitmq_peer_discovery_k8s",
    "rabbitmq_prometheus",
    "rabbitmq_shovel",
    "rabbitmq_stomp",
    "rabbitmq_stream",
    "rabbitmq_web_dispatch",
];

/// The program.
#[derive(Clone, Debug, Default)]
pub struct RabbitmqCtl {
    state: State,
    words: Vec<String>,
    node: String,
    answer: Vec<u8>,
    quiet: bool,
}

#[derive(Clone, Debug, Default)]
enum State {
    #[default]
    New,
    Dialing(Box<Dial>),
    Waiting(SocketId),
}

impl Program for RabbitmqCtl {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        loop {
            match std::mem::take(&mut self.state) {
                State::New => {
                    if let Err(step) = self.begin(sys) {
                        return step;
                    }
                }
                State::Dialing(mut dial) => match dial.poll(sys) {
                    Progress::Waits(until) => {
                        self.state = State::Dialing(dial);
                        return Step::Block { until };
                    }
                    Progress::Done(Err(_)) => return self.unreachable(sys),
                    Progress::Done(Ok(socket)) => {
                        let mut bytes = serde_json::to_vec(&self.words).unwrap_or_default();
                        bytes.push(b'\n');
                        let sent = sys.net().map(|net| net.send(socket, &bytes));
                        if sent != Some(Ok(bytes.len())) {
                            return self.unreachable(sys);
                        }
                        self.state = State::Waiting(socket);
                    }
                },
                State::Waiting(socket) => {
                    self.state = State::Waiting(socket);
                    match sys.net().map(|net| net.recv(socket, READ_MAX)) {
                        Some(Ok(bytes)) if !bytes.is_empty() => self.answer.extend(bytes),
                        Some(Err(Errno::Again)) => return Step::Block { until: None },
                        _ => return self.unreachable(sys),
                    }
                    if self.answer.ends_with(b"\n") {
                        return self.say(sys);
                    }
                }
            }
        }
    }
}

impl RabbitmqCtl {
    fn begin(&mut self, sys: &mut dyn Sys) -> Result<(), Step> {
        let args = sys.args().to_vec();
        let program = args.first().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
        let mut host = "127.0.0.1".to_owned();
        self.node = format!("rabbit@{}", sys.hostname());
        let mut rest = args.iter().skip(1);
        while let Some(arg) = rest.next() {
            match arg.as_str() {
                "-n" | "--node" => {
                    self.node = rest.next().cloned().unwrap_or_default();
                    let name = self.node.rsplit('@').next().unwrap_or_default().to_owned();
                    if name != sys.hostname() && name != "localhost" {
                        host = name;
                    }
                }
                "-q" | "--quiet" | "-s" | "--silent" => self.quiet = true,
                arg => self.words.push(arg.to_owned()),
            }
        }
        if self.words.is_empty() {
            let text = format!(
                "Usage\n\n{program} [--node <node>] [--timeout <timeout>] [--longnames] [--quiet] <command> [<command options>]\n"
            );
            let _ = sys.write(1, text.as_bytes());
            return Err(Step::Exit(64));
        }
        if program == "rabbitmq-plugins" {
            self.plugins(sys)?;
        }
        if self.words.first().is_some_and(|word| word == "version") && program == "rabbitmqctl" {
            let version = sys.env().get("RABBITMQ_VERSION").cloned().unwrap_or_default();
            let _ = sys.write(1, format!("{version}\n").as_bytes());
            return Err(Step::Exit(0));
        }
        self.state = State::Dialing(Box::new(Dial::new(&host, CONTROL_PORT)));
        Ok(())
    }

    fn plugins(&mut self, sys: &mut dyn Sys) -> Result<(), Step> {
        let text = sys.fs().read_text(PLUGINS_FILE).unwrap_or_default();
        let inner = text.trim().trim_start_matches('[').trim_end_matches(['.', ']']).to_owned();
        let mut enabled: Vec<String> = inner
            .split(',')
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        let names: Vec<String> =
            self.words.iter().skip(1).filter(|word| !word.starts_with('-')).cloned().collect();
        match self.words.first().map(String::as_str) {
            Some("list") => {
                let version = sys.env().get("RABBITMQ_VERSION").cloned().unwrap_or_default();
                let mut out = format!(
                    "Listing plugins with pattern \".*\" ...\n Configured: E = explicitly enabled; e = \
                     implicitly enabled\n | Status: * = running on {}\n |/\n",
                    self.node
                );
                for name in PLUGINS {
                    let mark = if enabled.iter().any(|it| it == name) { "[E*]" } else { "[  ]" };
                    out.push_str(&format!("{mark} {name:<33} {version}\n"));
                }
                let _ = sys.write(1, out.as_bytes());
                Err(Step::Exit(0))
            }
            Some("enable") => {
                if let Some(unknown) = names.iter().find(|it| !PLUGINS.contains(&it.as_str())) {
                    let text = format!("Error:\n{{:plugins_not_found, [:{unknown}]}}\n");
                    let _ = sys.write(2, text.as_bytes());
                    return Err(Step::Exit(78));
                }
                enabled.extend(names.iter().cloned());
                enabled.sort();
                enabled.dedup();
                let text = format!("[{}].\n", enabled.join(","));
                if let Err(errno) = sys.fs().write(PLUGINS_FILE, text.as_bytes()) {
                    let text = format!("Error: could not write {PLUGINS_FILE}: {errno}\n");
                    let _ = sys.write(2, text.as_bytes());
                    return Err(Step::Exit(73));
                }
                if self.words.iter().any(|word| word == "--offline") {
                    return Err(Step::Exit(0));
                }
                self.words = [vec!["enable_plugins".to_owned()], names].concat();
                Ok(())
            }
            _ => {
                let _ = sys.write(2, b"Error: the sandbox's rabbitmq-plugins lists and enables\n");
                Err(Step::Exit(64))
            }
        }
    }

    fn unreachable(&self, sys: &mut dyn Sys) -> Step {
        let node = &self.node;
        let text = format!(
            "Error: unable to perform an operation on node '{node}'. Please see diagnostics information \
             and suggestions below.\n\nMost common reasons for this are:\n\n * Target node is \
             unreachable (e.g. due to hostname resolution, TCP connection or firewall issues)\n * CLI \
             tool fails to authenticate with the server (e.g. due to CLI tool's Erlang cookie not \
             matching that of the server)\n * Target node is not running\n"
        );
        let _ = sys.write(2, text.as_bytes());
        Step::Exit(69)
    }

    fn say(&self, sys: &mut dyn Sys) -> Step {
        let Ok(said) = serde_json::from_slice::<Said>(&self.answer) else {
            return self.unreachable(sys);
        };
        let is_heading = |line: &&str| line.ends_with("...") || line.starts_with("Will ping ");
        let text = match self.quiet {
            true => {
                let lines = said.stdout.lines().filter(|line| !is_heading(line));
                lines.map(|line| format!("{line}\n")).collect()
            }
            false => said.stdout,
        };
        let _ = sys.write(1, text.as_bytes());
        let _ = sys.write(2, said.stderr.as_bytes());
        Step::Exit(said.code)
    }
}
