//! Logs, exec and attach, as the API server asks a kubelet for them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

mod common;

use common::Machine;
use naru_api::ApiService;
use naru_api::service::{Connect, LogOptions, StreamId};
use serde_json::json;
use std::time::Duration;

fn shell(machine: &mut Machine, script: &str) {
    let container = json!({"name": "c", "image": "busybox", "command": ["sh", "-c", script]});
    machine.pod("p", json!({"containers": [container], "restartPolicy": "Never"}));
    machine.seconds(6);
}

fn exec(command: &[&str], stdin: bool, tty: bool) -> Connect {
    let command = command.iter().map(|word| (*word).to_owned()).collect();
    Connect::Exec { command, stdin, tty }
}

fn say(machine: &mut Machine, stream: StreamId, text: &str) {
    ApiService::stream(&mut machine.api, stream).unwrap().stdin.extend(text.as_bytes());
    machine.advance(Duration::from_millis(50));
}

#[test]
fn a_command_beside_the_first_process() {
    let mut machine = Machine::new();
    machine.pod("p", json!({"containers": [{"name": "c", "image": "kim0lil/80700:v-1.0.0"}]}));
    machine.seconds(12);
    let stream = machine.connect("p", exec(&["sh", "-c", "echo $HOSTNAME; exit 7"], false, false));
    machine.advance(Duration::from_millis(50));
    let (text, result) = machine.take(stream);
    assert_eq!(text, "p\n");
    assert_eq!(result, Some(Ok(7)));

    let stream = machine.connect("p", exec(&["nosuch"], false, false));
    machine.advance(Duration::from_millis(50));
    let message = machine.take(stream).1.unwrap().unwrap_err().message().to_owned();
    assert!(message.contains("exec: \"nosuch\": executable file not found in $PATH"), "{message}");
}

#[test]
fn what_a_client_types_reaches_the_command() {
    let mut machine = Machine::new();
    machine.pod("p", json!({"containers": [{"name": "c", "image": "kim0lil/80700:v-1.0.0"}]}));
    machine.seconds(12);
    let stream = machine.connect("p", exec(&["sh", "-c", "read a; echo got $a"], true, false));
    machine.advance(Duration::from_millis(50));
    assert_eq!(machine.take(stream), (String::new(), None));
    say(&mut machine, stream, "나루\n");
    assert_eq!(machine.take(stream), ("got 나루\n".to_owned(), Some(Ok(0))));
}

#[test]
fn a_terminal_echoes_and_interrupts() {
    let mut machine = Machine::new();
    machine.pod("p", json!({"containers": [{"name": "c", "image": "kim0lil/80700:v-1.0.0"}]}));
    machine.seconds(12);
    let stream = machine.connect("p", exec(&["sh"], true, true));
    say(&mut machine, stream, "echo 1$((1+1))3\n");
    let (text, _) = machine.take(stream);
    assert!(text.contains("123\r\n"), "{text:?}");
    say(&mut machine, stream, "exit 4\n");
    assert_eq!(machine.take(stream).1, Some(Ok(4)));
}

#[test]
fn a_log_is_followed_to_the_end() {
    let mut machine = Machine::new();
    shell(&mut machine, "echo one; read x < /dev/null; echo two");
    let follow = LogOptions { follow: true, ..LogOptions::default() };
    let stream = machine.connect("p", Connect::Log(follow));
    machine.seconds(2);
    assert_eq!(machine.take(stream), ("one\ntwo\n".to_owned(), Some(Ok(0))));
    let tail = LogOptions { tail_lines: Some(1), timestamps: true, ..LogOptions::default() };
    let (text, _) = machine.logs("p", tail);
    assert!(text.starts_with("2025-06-02T00:00:0"), "{text}");
    assert!(text.ends_with("Z two\n"), "{text}");
}

#[test]
fn the_client_that_started_a_container_sees_it_from_the_start() {
    let mut machine = Machine::new();
    let container = json!({
        "name": "tmp", "image": "busybox", "stdin": true, "stdinOnce": true, "tty": true,
        "command": ["sh", "-c", "echo hello; read a; echo bye $a"],
    });
    machine.pod("tmp", json!({"containers": [container], "restartPolicy": "Never"}));
    machine.seconds(6);
    let stream = machine.connect("tmp", Connect::Attach { stdin: true, tty: true });
    machine.advance(Duration::from_millis(50));
    assert_eq!(machine.take(stream), ("hello\r\n".to_owned(), None));
    say(&mut machine, stream, "x\n");
    assert_eq!(machine.take(stream), ("x\r\nbye x\r\n".to_owned(), Some(Ok(0))));
    machine.seconds(2);
    assert_eq!(machine.status("tmp")["phase"], "Succeeded");
}

#[test]
fn a_client_that_goes_takes_its_command_along() {
    let mut machine = Machine::new();
    machine.pod("p", json!({"containers": [{"name": "c", "image": "kim0lil/80700:v-1.0.0"}]}));
    machine.seconds(12);
    let stream = machine.connect("p", exec(&["sh"], true, true));
    machine.seconds(1);
    let (_, container) = machine.nodes[0].runtime().containers().next().unwrap();
    let before = container.processes();
    machine.api.disconnect(stream);
    machine.seconds(1);
    let (_, container) = machine.nodes[0].runtime().containers().next().unwrap();
    assert_eq!((before, container.processes()), (2, 1));
}
