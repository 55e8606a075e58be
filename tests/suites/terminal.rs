//! The learner's terminal as the page uses it: keys in, what is shown out.

#![allow(clippy::unwrap_used)]

use naru_cluster::Cluster;
use std::time::Duration;

#[test]
fn who_exits_finds_a_new_shell_that_reads_what_was_typed_ahead() {
    let mut cluster = Cluster::new("minikube", 1).unwrap();
    let terminal = cluster.open_terminal(80, 24);
    cluster.terminal_input(terminal, b"cd /\rexit\recho anew in $PWD\r");
    cluster.answer(Duration::from_secs(1));
    let shown = String::from_utf8(cluster.terminal_output(terminal)).unwrap();
    assert!(shown.contains("anew in /home/"), "{shown}");
}

/// What a person sees who types a line.
fn typed(cluster: &mut Cluster, line: &str) -> String {
    let terminal = cluster.open_terminal(200, 24);
    cluster.terminal_input(terminal, format!("{line}\r").as_bytes());
    cluster.answer(Duration::from_secs(5));
    String::from_utf8(cluster.terminal_output(terminal)).unwrap()
}

#[test]
fn after_an_old_command_the_sandbox_says_in_one_line_what_replaces_it() {
    let mut cluster = Cluster::new("kind", 1).unwrap();
    let shown = typed(&mut cluster, "kubectl rolling-update a b");
    assert!(shown.contains("error: unknown command \"rolling-update\" for \"kubectl\""), "{shown}");
    assert!(shown.contains("[naru] rolling-update"), "{shown}");
    cluster.set_locale("ko_KR.UTF-8");
    let shown = typed(&mut cluster, "kubectl get cs");
    assert!(shown.contains("[naru] componentstatuses는 v1.19부터 쓰지 않습니다"), "{shown}");
    // Not where it would get into a file or another program.
    let shown = typed(&mut cluster, "kubectl rolling-update a 2>&1 | cat; kubectl get pods");
    assert!(!shown.contains("[naru]"), "{shown}");
}
