//! Containers: `docker ps`, `stop`, `rm`, `logs`, `exec` and their like.

use super::super::{Ask, err, out, table};
use super::{ATTACH, flags, later, needs, nodes, refused, short, tabled, template};
use crate::Cluster;
use naru_node::docker::{DockerContainer, Standing};
use naru_shell::{Answer, Next, Signal};
use naru_sim::Time;
use naru_tools::flags::Known;
use std::time::Duration;

/// What a container is given to end by itself.
const GRACE: Duration = Duration::from_secs(10);
/// How often is looked whether something has ended or was written.
const POLL_TIME: Duration = Duration::from_millis(100);

/// `docker ps`
pub fn ps(cluster: &mut Cluster, args: &[String]) -> Answer {
    let known: [Known; 6] = [
        ("all", "a", false),
        ("quiet", "q", false),
        ("no-trunc", "", false),
        ("filter", "f", true),
        ("format", "", true),
        ("latest", "l", false),
    ];
    let flags = match flags("ps", args, &known, false) {
        Ok(flags) => flags,
        Err(answer) => return *answer,
    };
    let now = cluster.now();
    let all = flags.is_on("all");
    let header = ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"];
    let mut rows = vec![header.map(str::to_owned)];
    if let Some(docker) = &cluster.workstation.docker {
        let shown =
            docker.containers().filter(|it| all || matches!(docker.standing(it), Standing::Up(_)));
        rows.extend(shown.map(|it| row(it, docker.standing(it), now)));
    }
    rows.extend(nodes::rows(cluster, all));
    for filter in flags.values("filter") {
        if let Some(name) = filter.strip_prefix("name=") {
            let mut first = true;
            rows.retain(|row| {
                std::mem::take(&mut first) || row.last().is_some_and(|it| it.contains(name))
            });
        }
    }
    if flags.is_on("quiet") {
        return out(rows.iter().skip(1).map(|[id, ..]| format!("{id}\n")).collect());
    }
    out(tabled(&rows))
}

fn row(container: &DockerContainer, standing: Standing, now: Time) -> [String; 7] {
    let ago = |since: Time| table::human(now.since(since));
    let status = match standing {
        Standing::Created => "Created".to_owned(),
        Standing::Up(since) => format!("Up {}", ago(since)),
        Standing::Exited(code, at) => format!("Exited ({code}) {} ago", ago(at)),
    };
    let ports = match standing {
        Standing::Up(_) => ports(container),
        _ => String::new(),
    };
    [
        short(&container.hex),
        container.spec.image.clone(),
        command(container),
        format!("{} ago", ago(container.created)),
        status,
        ports,
        container.name.clone(),
    ]
}

/// The command in quotes, cut to twenty letters.
fn command(container: &DockerContainer) -> String {
    let text = container.argv().join(" ");
    let cut = match text.chars().count() > 20 {
        true => text.chars().take(19).chain(['…']).collect(),
        false => text,
    };
    format!("\"{cut}\"")
}

fn ports(container: &DockerContainer) -> String {
    let mut all: Vec<String> = Vec::new();
    let published = &container.spec.ports;
    for (host, inner) in published {
        all.push(format!("0.0.0.0:{host}->{inner}/tcp, [::]:{host}->{inner}/tcp"));
    }
    let is_published =
        |port: &str| published.iter().any(|(_, inner)| port == format!("{inner}/tcp"));
    all.extend(container.image.ports.iter().filter(|port| !is_published(port)).cloned());
    all.join(", ")
}

/// `docker stop`, `start`, `kill` and `restart`, of containers and of nodes. Stopping takes until
/// the last one has ended.
pub fn power(cluster: &mut Cluster, ask: &Ask<'_>, verb: &str, args: &[String]) -> Answer {
    let known: [Known; 4] = [
        ("time", "t", true),
        ("signal", "s", true),
        ("attach", "a", false),
        ("interactive", "i", false),
    ];
    let flags = match flags(verb, args, &known, false) {
        Ok(flags) => flags,
        Err(answer) => return *answer,
    };
    if flags.words.is_empty() {
        return needs(verb, "at least 1 argument", "[OPTIONS] CONTAINER [CONTAINER...]");
    }
    let now = cluster.now();
    let begun = ask.state.parse::<u64>().ok().map(Time::from_micros);
    let grace =
        flags.value("time").and_then(|text| text.parse().ok()).map_or(GRACE, Duration::from_secs);
    let mut answer = Answer::default();
    let mut waiting = false;
    for name in &flags.words {
        if cluster.node_index(name).is_ok() {
            if begun.is_some() {
                continue;
            }
            match nodes::switch(cluster, verb, name) {
                Ok(()) => answer.stdout.push_str(&format!("{name}\n")),
                Err(why) => complain(&mut answer, &why),
            }
            continue;
        }
        let signal = flags.value("signal").and_then(Signal::parse);
        match one(cluster, verb, name, begun, grace, signal, now) {
            Ok(true) => waiting = true,
            Ok(false) => answer.stdout.push_str(&format!("{name}\n")),
            Err(why) => complain(&mut answer, &why),
        }
    }
    if waiting {
        let since = begun.unwrap_or(now).as_micros();
        // Everything is told when all is done.
        return later(Answer::default(), POLL_TIME, since.to_string());
    }
    if verb == "start"
        && flags.is_on("attach")
        && let [name] = flags.words.as_slice()
        && let Some(container) = cluster.docker().container(name)
    {
        let stdin = if flags.is_on("interactive") { "i" } else { "-" };
        let tty = if container.spec.tty { "t" } else { "-" };
        let exec = [ATTACH, tty, stdin, &container.hex].map(str::to_owned).to_vec();
        return Answer { exec: Some(exec), ..Answer::default() };
    }
    answer
}

fn complain(answer: &mut Answer, why: &str) {
    answer.stderr.push_str(&format!("Error response from daemon: {why}\n"));
    answer.code = 1;
}

/// Does it to one container; tells whether it is to be looked at again.
fn one(
    cluster: &mut Cluster,
    verb: &str,
    name: &str,
    begun: Option<Time>,
    grace: Duration,
    signal: Option<Signal>,
    now: Time,
) -> Result<bool, String> {
    cluster.docker();
    let Cluster { workstation, net, .. } = cluster;
    let Some(docker) = workstation.docker.as_mut() else { return Ok(false) };
    let container = docker.container(name).ok_or_else(|| format!("No such container: {name}"))?;
    let (hex, up) = (container.hex.clone(), matches!(docker.standing(container), Standing::Up(_)));
    let stop_signal = Signal::parse(&container.image.stop_signal).unwrap_or(Signal::Term);
    match verb {
        "kill" if !up => {
            return Err(format!("cannot kill container: {name}: container {hex} is not running"));
        }
        "kill" => docker.signal(&hex, signal.unwrap_or(Signal::Kill), now),
        "start" => docker.start(&hex, net, now)?,
        _ if up => {
            match begun {
                None => docker.signal(&hex, signal.unwrap_or(stop_signal), now),
                Some(since) if now.since(since) >= grace => docker.signal(&hex, Signal::Kill, now),
                Some(_) => {}
            }
            return Ok(true);
        }
        "restart" => docker.start(&hex, net, now)?,
        _ => {}
    }
    Ok(false)
}

/// `docker rm`
pub fn rm(cluster: &mut Cluster, args: &[String]) -> Answer {
    let known: [Known; 2] = [("force", "f", false), ("volumes", "v", false)];
    let flags = match flags("rm", args, &known, false) {
        Ok(flags) => flags,
        Err(answer) => return *answer,
    };
    if flags.words.is_empty() {
        return needs("rm", "at least 1 argument", "[OPTIONS] CONTAINER [CONTAINER...]");
    }
    cluster.docker();
    let mut answer = Answer::default();
    for name in &flags.words {
        let Cluster { workstation, net, .. } = &mut *cluster;
        let Some(docker) = workstation.docker.as_mut() else { continue };
        let Some(container) = docker.container(name) else {
            complain(&mut answer, &format!("No such container: {name}"));
            continue;
        };
        let hex = container.hex.clone();
        if matches!(docker.standing(container), Standing::Up(_)) && !flags.is_on("force") {
            complain(
                &mut answer,
                &format!(
                    "cannot remove container \"{name}\": container is running: stop the container \
                     before removing or force remove"
                ),
            );
            continue;
        }
        docker.remove(&hex, net);
        answer.stdout.push_str(&format!("{name}\n"));
    }
    answer
}

/// `docker logs`
pub fn logs(cluster: &mut Cluster, ask: &Ask<'_>, args: &[String]) -> Answer {
    let known: [Known; 5] = [
        ("follow", "f", false),
        ("tail", "n", true),
        ("timestamps", "t", false),
        ("since", "", true),
        ("details", "", false),
    ];
    let flags = match flags("logs", args, &known, false) {
        Ok(flags) => flags,
        Err(answer) => return *answer,
    };
    let [name] = flags.words.as_slice() else {
        return needs("logs", "1 argument", "[OPTIONS] CONTAINER");
    };
    let docker = cluster.docker();
    let Some(container) = docker.container(name) else {
        return refused(&format!("No such container: {name}"));
    };
    let tail = flags.value("tail").and_then(|text| text.parse::<u64>().ok());
    let first = tail.map_or(0, |count| docker.log_lines(container).saturating_sub(count));
    let from = ask.state.parse().unwrap_or(first);
    let (said, end) = docker.log(container, from);
    let up = matches!(docker.standing(container), Standing::Up(_));
    let answer = Answer { said, ..Answer::default() };
    if flags.is_on("follow") && up && !ask.interrupted {
        let next = Next { after: POLL_TIME, state: end.to_string(), ..Next::default() };
        return Answer { next: Some(next), ..answer };
    }
    answer
}

/// `docker exec`
pub fn exec(cluster: &mut Cluster, args: &[String]) -> Answer {
    let known: [Known; 7] = [
        ("interactive", "i", false),
        ("tty", "t", false),
        ("detach", "d", false),
        ("env", "e", true),
        ("user", "u", true),
        ("workdir", "w", true),
        ("privileged", "", false),
    ];
    let flags = match flags("exec", args, &known, true) {
        Ok(flags) => flags,
        Err(answer) => return *answer,
    };
    let (name, command) = match flags.words.as_slice() {
        [name, command @ ..] if !command.is_empty() => (name, command),
        _ => {
            return needs("exec", "at least 2 arguments", "[OPTIONS] CONTAINER COMMAND [ARG...]");
        }
    };
    let tty = flags.is_on("tty");
    if cluster.node_index(name).is_ok() {
        return nodes::exec(cluster, tty, name, command);
    }
    let docker = cluster.docker();
    let Some(container) = docker.container(name) else {
        return refused(&format!("No such container: {name}"));
    };
    if !matches!(docker.standing(container), Standing::Up(_)) {
        return refused(&format!("container {} is not running", container.hex));
    }
    let flag = |on: bool, letter: &str| if on { letter.to_owned() } else { "-".to_owned() };
    let mut exec = vec![
        ATTACH.to_owned(),
        flag(tty, "t"),
        flag(flags.is_on("interactive"), "i"),
        container.hex.clone(),
    ];
    exec.extend(command.iter().cloned());
    Answer { exec: Some(exec), ..Answer::default() }
}

/// `docker attach`
pub fn attach(cluster: &mut Cluster, args: &[String]) -> Answer {
    let [name] = args else { return needs("attach", "1 argument", "[OPTIONS] CONTAINER") };
    let docker = cluster.docker();
    let Some(container) = docker.container(name) else {
        return refused(&format!("No such container: {name}"));
    };
    if !matches!(docker.standing(container), Standing::Up(_)) {
        return err("You cannot attach to a stopped container, start it first\n".to_owned());
    }
    let tty = if container.spec.tty { "t" } else { "-" };
    let exec = [ATTACH, tty, "i", &container.hex].map(str::to_owned).to_vec();
    Answer { exec: Some(exec), ..Answer::default() }
}

/// `docker wait`
pub fn wait(cluster: &mut Cluster, ask: &Ask<'_>, args: &[String]) -> Answer {
    let _ = ask;
    let docker = cluster.docker();
    let mut answer = Answer::default();
    for name in args {
        match docker.container(name).map(|it| docker.standing(it)) {
            None => complain(&mut answer, &format!("No such container: {name}")),
            Some(Standing::Up(_)) => return later(Answer::default(), POLL_TIME, "waiting"),
            Some(Standing::Exited(code, _)) => answer.stdout.push_str(&format!("{code}\n")),
            Some(Standing::Created) => answer.stdout.push_str("0\n"),
        }
    }
    answer
}

/// `docker port`
pub fn port(cluster: &mut Cluster, args: &[String]) -> Answer {
    let [name, ..] = args else {
        return needs("port", "at least 1 argument", "CONTAINER [PRIVATE_PORT[/PROTO]]");
    };
    let Some(container) = cluster.docker().container(name) else {
        return refused(&format!("No such container: {name}"));
    };
    let line = |(host, inner): &(u16, u16)| {
        format!("{inner}/tcp -> 0.0.0.0:{host}\n{inner}/tcp -> [::]:{host}\n")
    };
    out(container.spec.ports.iter().map(line).collect())
}

/// `docker inspect`: what the sandbox knows of a container or an image.
pub fn inspect(cluster: &mut Cluster, args: &[String]) -> Answer {
    let known: [Known; 3] = [("format", "f", true), ("type", "", true), ("size", "s", false)];
    let flags = match flags("inspect", args, &known, false) {
        Ok(flags) => flags,
        Err(answer) => return *answer,
    };
    let [name] = flags.words.as_slice() else {
        return needs("inspect", "at least 1 argument", "[OPTIONS] NAME|ID [NAME|ID...]");
    };
    let docker = cluster.docker();
    let json = match (docker.container(name), docker.image(name)) {
        (Some(container), _) => {
            let standing = docker.standing(container);
            let (status, code) = match standing {
                Standing::Created => ("created", 0),
                Standing::Up(_) => ("running", 0),
                Standing::Exited(code, _) => ("exited", code),
            };
            let ip = container.ip.map(|ip| ip.to_string()).unwrap_or_default();
            let env: Vec<String> = container
                .environment()
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            serde_json::json!([{
                "Id": container.hex,
                "Name": format!("/{}", container.name),
                "State": {
                    "Status": status,
                    "Running": matches!(standing, Standing::Up(_)),
                    "ExitCode": code,
                },
                "Image": container.image.config_digest,
                "Config": {
                    "Hostname": short(&container.hex),
                    "Env": env,
                    "Cmd": container.spec.args,
                    "Image": container.spec.image,
                    "Entrypoint": container.image.entrypoint,
                },
                "NetworkSettings": {"IPAddress": ip},
            }])
        }
        (None, Some((name, image))) => serde_json::json!([{
            "Id": image.config_digest,
            "RepoTags": [super::familiar(&name)],
            "Config": {
                "Env": image.env.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>(),
                "Cmd": image.cmd,
                "Entrypoint": image.entrypoint,
                "ExposedPorts": exposed(&image.ports),
                "User": image.said_user(),
                "WorkingDir": image.workdir,
            },
            "RootFS": {"Layers": image.layers.iter().map(|it| it.digest.clone()).collect::<Vec<_>>()},
        }]),
        (None, None) => {
            return Answer {
                stdout: "[]\n".to_owned(),
                ..err(format!("Error: No such object: {name}\n"))
            };
        }
    };
    match flags.value("format") {
        None => {
            let text = serde_json::to_string_pretty(&json).unwrap_or_default();
            out(format!("{}\n", text.replace("  ", "    ")))
        }
        Some(format) => {
            let found = json.get(0).unwrap_or(&serde_json::Value::Null);
            match template::fill(format, found) {
                Ok(text) => out(text),
                Err(answer) => *answer,
            }
        }
    }
}

/// Ports as an image's configuration has them: the names of nothing.
fn exposed(ports: &[String]) -> serde_json::Map<String, serde_json::Value> {
    ports.iter().map(|port| (port.clone(), serde_json::json!({}))).collect()
}
