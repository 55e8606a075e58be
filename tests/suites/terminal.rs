//! The learner's terminal as the page uses it: keys in, what is shown out.

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
