//! `docker run` and `docker create`.

use super::super::{Ask, err, out};
use super::{ATTACH, flags, images, needs};
use crate::Cluster;
use naru_api::quantity::Amount;
use naru_node::docker::RunSpec;
use naru_shell::Answer;
use naru_tools::flags::{Flags, Known};

const FLAGS: [Known; 27] = [
    ("detach", "d", false),
    ("interactive", "i", false),
    ("tty", "t", false),
    ("rm", "", false),
    ("name", "", true),
    ("publish", "p", true),
    ("publish-all", "P", false),
    ("env", "e", true),
    ("env-file", "", true),
    ("workdir", "w", true),
    ("user", "u", true),
    ("entrypoint", "", true),
    ("restart", "", true),
    ("memory", "m", true),
    ("cpus", "", true),
    ("hostname", "h", true),
    ("network", "", true),
    ("label", "l", true),
    ("volume", "v", true),
    ("mount", "", true),
    ("pull", "", true),
    ("platform", "", true),
    ("privileged", "", false),
    ("init", "", false),
    ("quiet", "q", false),
    ("attach", "a", true),
    ("add-host", "", true),
];
/// Ports that `-P` begins with. Upstream: the kernel's range for ports that nobody chose.
const EPHEMERAL: u16 = 32_768;

/// Does the command line, in up to two questions: the image may have to come first.
pub fn run(cluster: &mut Cluster, ask: &Ask<'_>, verb: &str, args: &[String]) -> Answer {
    let flags = match flags(verb, args, &FLAGS, true) {
        Ok(flags) => flags,
        Err(answer) => return *answer,
    };
    let [image, command @ ..] = flags.words.as_slice() else {
        return needs(verb, "at least 1 argument", "[OPTIONS] IMAGE [COMMAND] [ARG...]");
    };
    for flag in ["volume", "mount"] {
        if flags.value(flag).is_some() {
            return failed(&format!("the sandbox's Docker has no --{flag}"), verb);
        }
    }
    let mut answer = Answer::default();
    if cluster.docker().image(image).is_none() {
        match images::fetch(cluster, ask, image) {
            Ok(fetched) if fetched.next.is_some() => {
                let name = images::whole(image);
                let told = format!("Unable to find image '{name}' locally\n");
                let text = if ask.state.is_empty() { told } else { String::new() };
                return Answer { stderr: text + &fetched.stdout, stdout: String::new(), ..fetched };
            }
            // What was pulled is told beside what the container prints.
            Ok(fetched) => answer.stderr = fetched.stdout,
            Err(why) => {
                let name = images::whole(image);
                let told = format!("Unable to find image '{name}' locally\n");
                let failed = failed(&why, verb);
                return Answer { stderr: told + &failed.stderr, ..failed };
            }
        }
    }
    let Some((_, found)) = cluster.docker().image(image) else {
        return failed(&format!("No such image: {image}"), verb);
    };
    let mut spec = match spec(&flags, image, command) {
        Ok(spec) => spec,
        Err(why) => return Answer { code: 125, ..err(why) },
    };
    if flags.is_on("publish-all") {
        let ports = found.ports.iter().filter_map(|port| port.split('/').next()?.parse().ok());
        spec.ports.extend((EPHEMERAL..).zip(ports));
    }
    spec.foreground = verb == "run" && !flags.is_on("detach");
    let (foreground, tty, stdin) = (spec.foreground, spec.tty, spec.stdin);
    if found.entrypoint.is_empty()
        && found.cmd.is_empty()
        && spec.args.is_empty()
        && spec.entrypoint.is_none()
    {
        return failed("no command specified", verb);
    }
    let now = cluster.now();
    let hex = match cluster.docker().create(spec, found, now) {
        Ok(hex) => hex,
        Err(why) => return failed(&why, verb),
    };
    if verb == "create" {
        answer.stdout = format!("{hex}\n");
        return answer;
    }
    cluster.docker();
    let started = match cluster.workstation.docker.as_mut() {
        Some(docker) => docker.start(&hex, &mut cluster.net, now),
        None => Ok(()),
    };
    if let Err(why) = started {
        let failure = failed(&why, verb);
        let missing = why.contains("executable file not found") || why.contains("no such file");
        let code = if missing { 127 } else { 125 };
        let code = if why.contains("permission denied") { 126 } else { code };
        let stdout = if foreground { String::new() } else { format!("{hex}\n") };
        return Answer { stdout, stderr: answer.stderr + &failure.stderr, code, ..failure };
    }
    if !foreground {
        return Answer { stderr: answer.stderr, ..out(format!("{hex}\n")) };
    }
    let flag = |on: bool, letter: &str| if on { letter.to_owned() } else { "-".to_owned() };
    let exec = vec![ATTACH.to_owned(), flag(tty, "t"), flag(stdin, "i"), hex];
    Answer { exec: Some(exec), ..answer }
}

fn failed(why: &str, verb: &str) -> Answer {
    Answer {
        code: 125,
        ..err(format!(
            "docker: Error response from daemon: {why}\n\nRun 'docker {verb} --help' for more \
             information\n"
        ))
    }
}

fn spec(flags: &Flags, image: &str, command: &[String]) -> Result<RunSpec, String> {
    let mut spec = RunSpec {
        image: image.to_owned(),
        name: flags.value("name").unwrap_or_default().to_owned(),
        args: command.to_vec(),
        entrypoint: flags.value("entrypoint").filter(|it| !it.is_empty()).map(str::to_owned),
        workdir: flags.value("workdir").unwrap_or_default().to_owned(),
        tty: flags.is_on("tty"),
        stdin: flags.is_on("interactive"),
        remove: flags.is_on("rm"),
        restart: flags.value("restart").is_some_and(|policy| policy != "no"),
        ..RunSpec::default()
    };
    for pair in flags.values("env") {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        spec.env.push((name.to_owned(), value.to_owned()));
    }
    for text in flags.values("publish") {
        spec.ports.push(port(text)?);
    }
    if let Some(user) = flags.value("user") {
        let number = user.split(':').next().unwrap_or_default();
        spec.user = Some(match number {
            "root" => 0,
            number => number.parse().map_err(|_| {
                format!(
                    "docker: Error response from daemon: unable to find user {number}: no matching \
                     entries in passwd file\n"
                )
            })?,
        });
    }
    if let Some(memory) = flags.value("memory") {
        spec.memory = Some(bytes(memory).ok_or_else(|| {
            format!("invalid argument \"{memory}\" for \"-m, --memory\" flag: invalid size: '{memory}'\n")
        })?);
    }
    if let Some(cpus) = flags.value("cpus") {
        let milli = cpus.parse::<Amount>().ok().map(Amount::milli_value);
        spec.cpu_milli = milli.and_then(|milli| u64::try_from(milli).ok());
    }
    Ok(spec)
}

/// `8080:80`, `127.0.0.1:8080:80`, `80`.
fn port(text: &str) -> Result<(u16, u16), String> {
    let bad =
        || format!("docker: invalid publish opts format (should be name=value but got '{text}')\n");
    let bare = text.split('/').next().unwrap_or_default();
    let mut parts = bare.rsplit(':');
    let inner: u16 = parts.next().and_then(|it| it.parse().ok()).ok_or_else(bad)?;
    let outer = match parts.next() {
        None => EPHEMERAL,
        Some(outer) => outer.parse().map_err(|_| bad())?,
    };
    Ok((outer, inner))
}

/// `512m`, `1g`.
fn bytes(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let bare = lower.strip_suffix('b').unwrap_or(&lower);
    let (number, shift) = match bare.chars().last()? {
        'k' => (bare.strip_suffix('k')?, 10),
        'm' => (bare.strip_suffix('m')?, 20),
        'g' => (bare.strip_suffix('g')?, 30),
        _ => (bare, 0),
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read() {
        assert_eq!(port("8080:80"), Ok((8080, 80)));
        assert_eq!(port("127.0.0.1:1:2/tcp"), Ok((1, 2)));
        assert!(port("a:b").is_err());
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!(
            [bytes("512m"), bytes("1g"), bytes("2kb"), bytes("x")],
            [Some(512 << 20), Some(1 << 30), Some(2 << 10), None]
        );
    }
}
