//! `docker build`, with the progress that BuildKit draws.
//!
//! Upstream: `docker/buildx`, `util/progress/progressui/display.go` of `moby/buildkit`.

use super::super::{Ask, err, out};
use super::{flags, later, needs};
use crate::Cluster;
use crate::workstation::Workstation;
use naru_node::ImageRef;
use naru_node::docker::{Build, BuildState, Context, Vertex};
use naru_shell::{Answer, normalize};
use naru_tools::flags::Known;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

/// Columns of the progress.
const WIDTH: usize = 80;
/// Lines of the Dockerfile that are shown around a wrong one. Upstream: `defaultPad`.
const AROUND: usize = 2;

const FLAGS: [Known; 11] = [
    ("tag", "t", true),
    ("file", "f", true),
    ("build-arg", "", true),
    ("target", "", true),
    ("no-cache", "", false),
    ("progress", "", true),
    ("quiet", "q", false),
    ("platform", "", true),
    ("pull", "", false),
    ("push", "", false),
    ("load", "", false),
];

/// Does the command line; it is asked again until the build has ended.
pub fn run(
    cluster: &mut Cluster,
    ask: &Ask<'_>,
    args: &[String],
    env: &BTreeMap<String, String>,
) -> Answer {
    let flags = match flags("build", args, &FLAGS, false) {
        Ok(flags) => flags,
        Err(answer) => return Answer { code: 125, ..*answer },
    };
    let quiet = flags.is_on("quiet");
    if let Ok(id) = ask.state.parse::<u64>() {
        return go_on(cluster, id, ask, quiet);
    }
    let [path] = flags.words.as_slice() else {
        return err("ERROR: docker: 'docker buildx build' requires 1 argument\n\nUsage:  docker \
                    buildx build [OPTIONS] PATH | URL | -\n\nRun 'docker buildx build --help' for \
                    more information\n"
            .to_owned());
    };
    let cwd = env.get("PWD").map_or(Workstation::HOME, String::as_str);
    let folder = normalize(cwd, path);
    let files = cluster.workstation.files();
    if !files.is_dir(&folder) {
        return err(format!("ERROR: unable to prepare context: path \"{path}\" not found\n"));
    }
    let (file, name) = match flags.value("file") {
        Some(file) => (normalize(cwd, file), file.rsplit('/').next().unwrap_or(file).to_owned()),
        None => (naru_shell::join(&folder, "Dockerfile"), "Dockerfile".to_owned()),
    };
    let Ok(dockerfile) = files.read_text(&file) else {
        let vertex = Vertex {
            name: format!("[internal] load build definition from {name}"),
            failed: true,
            details: vec![("transferring dockerfile: 2B".to_owned(), Duration::ZERO)],
            ..Vertex::default()
        };
        let message = format!("failed to read dockerfile: open {name}: no such file or directory");
        let failed = BuildState::Failed { message, lines: (0, 0) };
        return err(progress(&[vertex], Duration::ZERO, &failed, &name, ""));
    };
    let mut names = Vec::new();
    for tag in flags.values("tag") {
        match ImageRef::parse(tag) {
            Ok(name) => names.push(name),
            Err(why) => {
                return err(format!("ERROR: invalid tag \"{tag}\": {why}\n"));
            }
        }
    }
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.to_owned(), value.to_owned())
    };
    let context = Context {
        files,
        folder,
        dockerfile: dockerfile.clone(),
        dockerfile_name: name.clone(),
        args: flags.values("build-arg").iter().map(pair).collect(),
        target: flags.value("target").unwrap_or_default().to_lowercase(),
        no_cache: flags.is_on("no-cache"),
        names,
    };
    let now = cluster.now();
    match cluster.docker().begin_build(context, now) {
        Ok(id) => go_on(cluster, id, ask, quiet),
        Err(error) => {
            let vertex = Vertex {
                name: format!("[internal] load build definition from {name}"),
                details: vec![(
                    format!("transferring dockerfile: {}B", dockerfile.len()),
                    Duration::ZERO,
                )],
                ..Vertex::default()
            };
            let failed = BuildState::Failed { message: error.message, lines: error.lines };
            err(progress(&[vertex], Duration::ZERO, &failed, &name, &dockerfile))
        }
    }
}

fn go_on(cluster: &mut Cluster, id: u64, ask: &Ask<'_>, quiet: bool) -> Answer {
    let now = cluster.now();
    cluster.docker();
    let Cluster { workstation, net, disks, .. } = cluster;
    let Some(docker) = workstation.docker.as_mut() else { return Answer::default() };
    if ask.interrupted {
        docker.cancel_build(id, net);
        return Answer {
            code: 1,
            ..err("ERROR: failed to solve: Canceled: context canceled\n".to_owned())
        };
    }
    let Some(build) = docker.go_on_build(id, &disks.registry, net, now) else {
        return needs("build", "1 argument", "[OPTIONS] PATH | URL | -");
    };
    match &build.state {
        BuildState::Running(at) => {
            let answer = later(Answer::default(), at.since(now), id.to_string());
            let next = answer.next.map(|next| naru_shell::Next { catches: true, ..next });
            Answer { next, ..Answer::default() }
        }
        BuildState::Done if quiet => {
            let last =
                build.vertices.last().map(|vertex| vertex.details.clone()).unwrap_or_default();
            let number = last.iter().find_map(|(text, _)| text.strip_prefix("writing image "));
            out(format!("{}\n", number.unwrap_or_default()))
        }
        BuildState::Done => {
            Answer { stderr: told(&build, now.since(build.begun)), ..Answer::default() }
        }
        BuildState::Failed { .. } => err(told(&build, now.since(build.begun))),
    }
}

fn told(build: &Build, took: Duration) -> String {
    let Context { dockerfile, dockerfile_name, .. } = &build.context;
    progress(&build.vertices, took, &build.state, dockerfile_name, dockerfile)
}

/// The progress as it stands at the end, and what went wrong.
fn progress(
    vertices: &[Vertex],
    took: Duration,
    state: &BuildState,
    name: &str,
    dockerfile: &str,
) -> String {
    let done = vertices.iter().filter(|vertex| !vertex.failed).count();
    let failed = matches!(state, BuildState::Failed { .. });
    let word = if failed { "" } else { " FINISHED" };
    let head = format!("[+] Building {:.1}s ({done}/{}){word}", took.as_secs_f64(), vertices.len());
    let mut text = aligned(&head, "docker:default");
    for vertex in vertices {
        let mark = match (vertex.cached, vertex.failed) {
            (true, _) => "CACHED ",
            (_, true) => "ERROR ",
            _ => "",
        };
        text.push_str(&line(&format!(" => {mark}{}", vertex.name), vertex.took));
        for (detail, took) in &vertex.details {
            text.push_str(&line(&format!(" => => {detail}"), *took));
        }
    }
    let BuildState::Failed { message, lines } = state else { return text };
    for vertex in vertices.iter().filter(|vertex| vertex.failed) {
        let _ = write!(text, "------\n > {}:\n", vertex.name);
        for (at, written) in &vertex.output {
            let _ = writeln!(text, "{:.3} {written}", at.as_secs_f64());
        }
        text.push_str("------\n");
    }
    text.push_str(&excerpt(name, dockerfile, *lines));
    let _ = writeln!(text, "ERROR: failed to solve: {message}");
    text
}

fn line(text: &str, took: Duration) -> String {
    aligned(text, &format!("{:.1}s", took.as_secs_f64()))
}

/// A line with something at its right end; what does not fit is cut.
fn aligned(left: &str, right: &str) -> String {
    let room = WIDTH.saturating_sub(right.len() + 1);
    let cut: String = left.chars().take(room).collect();
    format!("{cut:<room$} {right}\n")
}

/// The wrong lines of a Dockerfile with those around them.
fn excerpt(name: &str, dockerfile: &str, (first, last): (usize, usize)) -> String {
    if first == 0 {
        return String::new();
    }
    let all: Vec<&str> = dockerfile.split('\n').collect();
    let mut text = format!("{name}:{first}\n--------------------\n");
    let shown = first.saturating_sub(AROUND).max(1)..=(last + AROUND).min(all.len());
    for number in shown {
        let line = all.get(number - 1).copied().unwrap_or_default();
        let mark = if (first..=last).contains(&number) { ">>>" } else { "   " };
        let _ = writeln!(text, "{number:>4} | {mark} {line}");
    }
    text.push_str("--------------------\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_wide_as_the_terminal() {
        let text = line(" => [2/2] ADD app.js /app.js", Duration::from_millis(120));
        assert_eq!(text.len(), WIDTH + 1);
        assert!(text.ends_with(" 0.1s\n"), "{text}");
        assert_eq!(aligned(&"x".repeat(200), "1.0s").len(), WIDTH + 1);
    }

    #[test]
    fn wrong_lines_are_marked() {
        let text = excerpt("Dockerfile", "FROM a\nRUN b\nCMD c\n", (2, 2));
        let expected = "\
Dockerfile:2
--------------------
   1 |     FROM a
   2 | >>> RUN b
   3 |     CMD c
   4 |     
--------------------
";
        assert_eq!(text, expected);
    }
}
