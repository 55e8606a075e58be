//! Scripts that want too much: each ends, or goes on in pieces between which time passes, and holds
//! no more than it may.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Clock, Running, machine, run};
use naru_shell::Signal;
use naru_sim::{Rng, Time};

/// Lets a script run for so many seconds of the machine's time, or to its end.
fn run_for(shell: &str, script: &str, seconds: u64) -> Running {
    let mut running = Running::start(machine(shell), Clock::default(), &[shell, "-c", script]);
    while running.clock.now < Time::from_secs(1 + seconds) && running.advance() {}
    running
}

/// What a shell says at its end that wanted too much.
fn fails(shell: &str, script: &str, message: &str) {
    let outcome = run(machine(shell), &[shell, "-c", script], b"");
    assert!(outcome.code.is_some_and(|code| code != 0), "{script}: {:?}", outcome.code);
    assert!(outcome.stderr.contains(message), "{script}: {}", outcome.stderr);
}

#[test]
fn variables_have_a_size() {
    let full = "xrealloc: cannot allocate memory";
    for shell in ["bash", "dash", "ash"] {
        fails(shell, "x=a; while true; do x=$x$x; done", full);
        fails(shell, "x=a; while :; do x=$x$x; eval \"y$i=\\$x\"; i=$((i+1)); done", full);
        fails(shell, "while :; do i=$((i+1)); eval \"y$i=1\"; done", full);
    }
    fails("bash", "x=a; while true; do x+=$x; done", full);
    fails("bash", "x=a; while true; do x=${x//a/aaaaaaaaaa}; done", full);
    fails("bash", "x=$(head -c 20000 /dev/zero | tr '\\0' a); x=${x//a*b/$x}", full);
    fails("bash", "x=$(head -c 500000 /dev/zero | tr '\\0' a); x=${x//a/$x}", full);
    fails(
        "bash",
        "x=$(head -c 900000 /dev/zero | tr '\\0' a); while :; do i=$((i+1)); eval \"y$i=\\$x\"; done",
        full,
    );
}

#[test]
fn functions_nest_so_deep() {
    for shell in ["bash", "dash", "ash"] {
        fails(shell, "f() { f; }; f", "maximum function nesting level exceeded");
        fails(shell, "f() { eval f; }; f", "maximum function nesting level exceeded");
    }
}

/// What goes on for ever lets time pass, does not grow, and can be ended.
#[test]
fn endless_scripts_can_be_ended() {
    let scripts = [
        "while :; do :; done",
        "yes > /dev/null",
        "cat /dev/zero > /dev/null",
        "while true; do true & done",
        "while true; do (true); done",
        "while true; do x=$(echo a); done",
        "yes | sort > /dev/null",
        ":(){ :|:& };:; while :; do sleep 1; done",
        "f() { f | f & }; f; wait",
    ];
    for script in scripts {
        let mut running = run_for("bash", script, 2);
        if running.clock.now < Time::from_secs(3) {
            continue;
        }
        assert!(running.kernel.processes().count() <= naru_shell::PROCESSES_MAX, "{script}");
        running.kernel.kill_all();
        assert_eq!(running.kernel.processes().count(), 0, "{script}");
        assert!(!running.advance(), "{script}");
    }
    let mut running = run_for("bash", "while :; do :; done", 1);
    running.kernel.signal(running.pid, Signal::Int);
    assert_eq!(running.finish().code, Some(130));
}

/// A script of pieces that a shell may be given, in any order and depth.
fn script(rng: &mut Rng, depth: u32) -> String {
    const WORDS: &[&str] = &[
        "a",
        "$x",
        "\"$x\"",
        "${x#a}",
        "${x%%*}",
        "${x//a/b$x}",
        "$((x+1))",
        "$((1<<70))",
        "${#x}",
        "*",
        "{1..3}",
        "{a,b}{c,d}",
        "$(echo $x)",
        "'q'",
        "\\",
        "$",
        "${",
        "$@",
        "~",
        "\u{d55c}",
        "`id`",
        "1e9",
        "-1",
        "[a-",
        "<(",
        ">f",
        "2>&1",
        "<f",
        "<<E",
        "$((",
        ";;",
        "}",
    ];
    const COMMANDS: &[&str] = &[
        "echo",
        "printf %s",
        "x=",
        "x+=",
        "cat",
        "sort",
        "sed s/a/b/",
        "awk '{print $1}'",
        "test",
        "[",
        "read x",
        "set --",
        "shift",
        "eval",
        "seq",
        "head -c 9",
        "tr a b",
        "cut -c",
        "local x",
        "export",
        "unset",
        "trap",
        "wait",
        "true",
        "false",
        "return",
        "break",
        "exit",
        "grep",
    ];
    let pick = |list: &[&str], rng: &mut Rng| -> String {
        list.get(rng.below(list.len() as u64) as usize).copied().unwrap_or_default().to_owned()
    };
    let mut simple = pick(COMMANDS, rng);
    for _ in 0..rng.below(4) {
        let gap = if simple.ends_with('=') { "" } else { " " };
        simple = format!("{simple}{gap}{}", pick(WORDS, rng));
    }
    if depth == 0 {
        return simple;
    }
    let (one, two) = (script(rng, depth - 1), script(rng, depth - 1));
    match rng.below(12) {
        0 => format!("{one} | {two}"),
        1 => format!("{one} && {two}"),
        2 => format!("if {one}; then {two}; fi"),
        3 => format!("for x in {one}; do {two}; done"),
        4 => format!("while {one}; do {two}; done"),
        5 => format!("f() {{ {one}; }}; f {two}"),
        6 => format!("({one}) & {two}"),
        7 => format!("x=$({one}); {two}"),
        8 => format!("case $x in {one}) {two};; esac"),
        9 => format!("{{ {one}; }} > f; {two}"),
        10 => format!("{simple} || {one} # {two}"),
        _ => format!("{one}\n{two}"),
    }
}

#[test]
fn no_script_breaks_a_shell() {
    let mut rng = Rng::new(7);
    for round in 0..600 {
        let shell = ["bash", "dash", "ash"][round % 3];
        let text = script(&mut rng, 1 + (round % 4) as u32);
        let mut running = Running::start(machine(shell), Clock::default(), &[shell, "-c", &text]);
        running.kernel.pipe_write(running.input, b"one\ntwo\n");
        running.kernel.pipe_close_write(running.input);
        for _ in 0..100 {
            if !running.advance() {
                break;
            }
        }
        assert!(running.kernel.memory_bytes() < 1 << 30, "{text}");
        running.kernel.kill_all();
        assert_eq!(running.kernel.processes().count(), 0, "{text}");
    }
}
