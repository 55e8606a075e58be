//! `docker`: the engine of the learner's machine, and the nodes of the cluster as far as they are
//! its containers.
//!
//! Upstream: `docker/cli`, whose words these are.

mod build;
mod containers;
mod images;
mod nodes;
mod run;
mod template;

use super::{Ask, err, out};
use crate::Cluster;
use naru_node::docker::Docker;
use naru_shell::{Answer, Next};
use naru_tools::flags::{Flags, Known};
use std::collections::BTreeMap;
use std::time::Duration;

/// The program that carries a terminal to a container, where nobody finds it by its name.
pub const ATTACH: &str = "/usr/libexec/docker/attach";

const USAGE: &str = "\
Usage:  docker [OPTIONS] COMMAND

A self-sufficient runtime for containers

Common Commands:
  run         Create and run a new container from an image
  exec        Execute a command in a running container
  ps          List containers
  build       Build an image from a Dockerfile
  pull        Download an image from a registry
  push        Upload an image to a registry
  images      List images
  login       Authenticate to a registry
  logout      Log out from a registry
  version     Show the Docker version information

Management Commands:
  container   Manage containers
  image       Manage images
  network     Manage networks

Commands:
  attach      Attach local standard input, output, and error streams to a running container
  create      Create a new container
  history     Show the history of an image
  inspect     Return low-level information on Docker objects
  kill        Kill one or more running containers
  logs        Fetch the logs of a container
  port        List port mappings or a specific mapping for the container
  restart     Restart one or more containers
  rm          Remove one or more containers
  rmi         Remove one or more images
  start       Start one or more stopped containers
  stop        Stop one or more running containers
  tag         Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE
  wait        Block until one or more containers stop, then print their exit codes

Run 'docker COMMAND --help' for more information on a command.
";

/// Does a command line.
pub fn run(cluster: &mut Cluster, ask: &Ask<'_>, env: &BTreeMap<String, String>) -> Answer {
    let words: Vec<&str> = ask.args.iter().map(String::as_str).collect();
    let (verb, args) = match words.as_slice() {
        [] | ["help" | "--help" | "-h"] => return out(USAGE.to_owned()),
        ["container", verb, ..] => (container_verb(verb), ask.args.get(2..)),
        ["image", verb, ..] => (image_verb(verb), ask.args.get(2..)),
        ["builder" | "buildx", "build", ..] => ("build", ask.args.get(2..)),
        [verb, ..] => (*verb, ask.args.get(1..)),
    };
    let args = args.unwrap_or_default();
    match verb {
        "run" | "create" => run::run(cluster, ask, verb, args),
        "build" => build::run(cluster, ask, args, env),
        "ps" => containers::ps(cluster, args),
        "stop" | "start" | "kill" | "restart" => containers::power(cluster, ask, verb, args),
        "rm" => containers::rm(cluster, args),
        "logs" => containers::logs(cluster, ask, args),
        "exec" => containers::exec(cluster, args),
        "attach" => containers::attach(cluster, args),
        "inspect" => containers::inspect(cluster, args),
        "port" => containers::port(cluster, args),
        "wait" => containers::wait(cluster, ask, args),
        "network" => nodes::network(cluster, args),
        "images" => images::list(cluster, args),
        "pull" => images::pull(cluster, ask, args),
        "push" => images::push(cluster, ask, args),
        "tag" => images::tag(cluster, args),
        "rmi" => images::remove(cluster, args),
        "history" => images::history(cluster, args),
        "login" => images::login(cluster, ask, args),
        "logout" => {
            cluster.docker().user = None;
            out("Removing login credentials for https://index.docker.io/v1/\n".to_owned())
        }
        "version" => out(version()),
        "--version" | "-v" => out("Docker version 28.2.2, build e6534b4\n".to_owned()),
        verb => err(format!(
            "docker: unknown command: docker {verb}\n\nRun 'docker --help' for more information\n"
        )),
    }
}

fn container_verb(verb: &str) -> &str {
    match verb {
        "ls" | "list" | "ps" => "ps",
        verb => verb,
    }
}

fn image_verb(verb: &str) -> &str {
    match verb {
        "ls" | "list" => "images",
        "rm" | "remove" => "rmi",
        verb => verb,
    }
}

fn version() -> String {
    let half = |name: &str, more: &str| {
        format!(
            "{name}: Docker Engine - Community\n{more} Version:           28.2.2\n API version:       1.50\n"
        )
    };
    format!("{}\n{}", half("Client", ""), half("Server", " Engine:\n "))
}

impl Cluster {
    /// The engine of the learner's machine, made when it is needed first.
    pub(crate) fn docker(&mut self) -> &mut Docker {
        let namespace = self.workstation.namespace();
        let (net, rng) = (&mut self.net, &self.rng);
        self.workstation.docker.get_or_insert_with(|| {
            Docker::new(crate::programs::in_containers(), rng, namespace, net)
        })
    }
}

/// What the daemon refuses.
fn refused(why: &str) -> Answer {
    err(format!("Error response from daemon: {why}\n"))
}

/// What a command says that was called with too few words.
fn needs(verb: &str, count: &str, usage: &str) -> Answer {
    err(format!(
        "docker: 'docker {verb}' requires {count}\n\nUsage:  docker {verb} {usage}\n\n\
         See 'docker {verb} --help' for more information\n"
    ))
}

/// The command is asked again after this time, with this state.
fn later(answer: Answer, after: Duration, state: impl Into<String>) -> Answer {
    let next = Next { after, state: state.into(), ..Next::default() };
    Answer { next: Some(next), ..answer }
}

/// Reads flags. `-it` is `-i -t`; with `leading`, the first word ends them.
fn flags(
    verb: &str,
    args: &[String],
    known: &[Known],
    leading: bool,
) -> Result<Flags, Box<Answer>> {
    let mut spread: Vec<String> = Vec::new();
    let mut rest = args.iter();
    let takes_value = |letter: char| {
        known.iter().find(|(_, own, _)| *own == letter.to_string()).map(|(_, _, takes)| *takes)
    };
    while let Some(arg) = rest.next() {
        let letters = arg.strip_prefix('-').filter(|it| !it.starts_with('-') && !it.is_empty());
        let Some(letters) = letters else {
            let long = arg.strip_prefix("--");
            spread.push(arg.clone());
            match long {
                None if leading => {
                    spread.insert(spread.len() - 1, "--".to_owned());
                    spread.extend(rest.cloned());
                    break;
                }
                Some(name) if known.iter().any(|(own, _, takes)| *own == name && *takes) => {
                    spread.extend(rest.next().cloned());
                }
                _ => {}
            }
            continue;
        };
        let mut letters = letters.chars();
        while let Some(letter) = letters.next() {
            spread.push(format!("-{letter}"));
            if takes_value(letter) == Some(true) {
                let value: String = letters.collect();
                let value = value.strip_prefix('=').unwrap_or(&value).to_owned();
                spread.extend(if value.is_empty() { rest.next().cloned() } else { Some(value) });
                break;
            }
        }
    }
    let mut read = Flags::parse(&spread, known).map_err(|why| {
        Box::new(Answer {
            code: 125,
            ..err(format!(
                "{why}\n\nUsage:  docker {verb} [OPTIONS]\n\nRun 'docker {verb} --help' for more \
             information\n"
            ))
        })
    })?;
    read.words.extend(read.rest.take().unwrap_or_default());
    Ok(read)
}

/// The first twelve digits of a number.
fn short(hex: &str) -> String {
    hex.trim_start_matches("sha256:").chars().take(12).collect()
}

/// A name as people say it: without `docker.io/library/`.
fn familiar(name: &str) -> &str {
    let bare = name.strip_prefix("docker.io/").unwrap_or(name);
    bare.strip_prefix("library/").unwrap_or(bare)
}

/// A table as Docker's command line draws it: columns of ten letters at least, three blanks
/// between.
fn tabled<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        (cells.max().unwrap_or(0) + 3).max(10)
    };
    let line = |row: &[String; N]| {
        let mut text = String::new();
        for (column, cell) in row.iter().enumerate() {
            text.push_str(cell);
            if column + 1 < N {
                let fill = width(column).saturating_sub(cell.chars().count());
                text.extend(std::iter::repeat_n(' ', fill));
            }
        }
        text.push('\n');
        text
    };
    rows.iter().map(line).collect()
}
