//! `tests/transcripts/kubectl/every-command.md` calls every command of the table wrongly, and asks
//! for every kind: it is played by upstream's kubectl and by this one, so that none is left out.
//! This test makes the list of calls from the table, and says when the transcript has another one.
//! With `NARU_RECORD` set it writes the transcript up to its calls, to be recorded.

#![allow(clippy::unwrap_used, clippy::panic)]

use naru_kubectl::cmd::{self, GROUPS};
use naru_kubectl::command::Command;

const FILE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/transcripts/kubectl/every-command.md");
const HEAD: &str = "# Every command, called wrongly; every kind, asked for\n\n\
    Golden: printed by upstream's kubectl v0.33.4 against this API server. The calls are made from\n\
    the table of commands by `core/kubectl/tests/every_command.rs`, so that none is left out.\n\n";

/// Calls that are left out, and why.
const LEFT_OUT: [(&str, &str); 19] = [
    ("kubectl proxy", "it does not end"),
    ("kubectl proxy a b c d e", "it does not end"),
    ("kubectl config view", "the address of the API server differs"),
    ("kubectl cluster-info", "the address of the API server differs"),
    ("kubectl cluster-info nope", "the address of the API server differs"),
    ("kubectl cluster-info a b c d e", "the address of the API server differs"),
    ("kubectl cluster-info dump", "it is long, and tells of moments"),
    ("kubectl cluster-info dump a b c d e", "it is long, and tells of moments"),
    ("kubectl version", "upstream's client is another version than the server"),
    ("kubectl auth whoami", "one shows a certificate, the other a token"),
    ("kubectl auth whoami a b c d e", "one shows a certificate, the other a token"),
    ("kubectl events", "they tell of moments"),
    ("kubectl events a b c d e", "they tell of moments"),
    ("kubectl kustomize", "it names the home"),
    ("kubectl plugin list", "PATH differs"),
    ("kubectl plugin list a b c d e", "PATH differs"),
    ("kubectl kustomize a -o nope", "it names the home"),
    ("kubectl completion", "it prints the help, whose sentences are our own"),
    ("kubectl certificate nope", "it prints the help, whose sentences are our own"),
];

fn calls_of(path: &str, command: &Command, calls: &mut Vec<String>) {
    let path = format!("{path} {}", command.name());
    // Errors of `config` stand behind its help, whose sentences are our own.
    let quiet = if path.contains(" config ") { " > /dev/null" } else { "" };
    let has_output = command
        .flags
        .iter()
        .flat_map(|group| group.iter())
        .any(|flag| flag.name == "output" && flag.deprecated.is_empty());
    calls.push(format!("{path} --nope{quiet}"));
    if command.subcommands.is_empty() {
        calls.push(format!("{path}{quiet}"));
        calls.push(format!("{path} a b c d e{quiet}"));
        if has_output {
            calls.push(format!("{path} a -o nope{quiet}"));
        }
    } else {
        calls.push(format!("{path} nope"));
    }
    command.subcommands.iter().for_each(|below| calls_of(&path, below, calls));
}

fn calls() -> Vec<String> {
    let mut calls = vec!["kubectl nope".to_owned(), "kubectl --nope".to_owned()];
    for command in GROUPS.iter().flat_map(|(_, commands)| commands.iter()) {
        calls_of("kubectl", command, &mut calls);
    }
    assert!(!cmd::below(&cmd::KUBECTL).is_empty());
    for kind in naru_api::scheme::built_in() {
        // What the metrics server serves is there only with it, and events tell of moments.
        if kind.group == "metrics.k8s.io" || &*kind.plural == "events" {
            continue;
        }
        let resource = kind.group_resource();
        calls.push(format!("kubectl get {resource} nope"));
        if kind.verbs.contains(&"list") {
            calls.push(format!("kubectl get {resource} -l a=nope"));
            calls.push(format!("kubectl describe {resource} nope"));
        }
        calls.push(format!("kubectl explain {resource} | head -6"));
    }
    calls.retain(|call| !LEFT_OUT.iter().any(|(left, _)| left == call));
    calls.dedup();
    calls
}

#[test]
fn the_transcript_calls_them_all() {
    let calls = calls();
    assert!(calls.len() >= 400, "{} calls", calls.len());
    if std::env::var_os("NARU_RECORD").is_some() {
        let lines: String = calls.iter().map(|call| format!("$ {call}\n")).collect();
        std::fs::write(FILE, format!("{HEAD}```console\n{lines}```\n")).unwrap();
    }
    let text = std::fs::read_to_string(FILE).unwrap();
    let there: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    let missing: Vec<&String> =
        calls.iter().filter(|call| !there.contains(&call.as_str())).collect();
    let extra: Vec<&&str> =
        there.iter().filter(|call| !calls.iter().any(|known| known == **call)).collect();
    assert!(missing.is_empty() && extra.is_empty(), "missing {missing:?}, extra {extra:?}");
}
