//! `nano` and `less`, key by key.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Clock, machine, spec};
use naru_shell::{ProcessStatus, Stdio};

/// Runs a program on the file `f` and types keys: what the screen showed, the file's text
/// afterwards, and the exit code if it has ended.
fn play(argv: &[&str], text: &str, keys: &str) -> (String, String, Option<i32>) {
    let mut kernel = machine("bash");
    let mut clock = Clock::default();
    kernel.fs_mut().write("/work/f", text.as_bytes()).unwrap();
    let tty = kernel.tty(40, 8);
    let pid = kernel.spawn(spec(argv, Stdio::Tty(tty))).unwrap();
    kernel.run(&mut clock);
    let mut screen = String::from_utf8(kernel.tty_output(tty)).unwrap();
    kernel.tty_input(tty, keys.as_bytes());
    for _ in 0..5 {
        kernel.run(&mut clock);
        screen.push_str(&String::from_utf8(kernel.tty_output(tty)).unwrap());
        kernel.wake();
    }
    let code = match kernel.status(pid) {
        Some(ProcessStatus::Exited { code, .. }) => Some(code),
        _ => None,
    };
    (screen, kernel.fs().read_text("/work/f").unwrap(), code)
}

#[test]
fn nano_edits() {
    for (text, keys, expected) in [
        ("a\n", "\u{18}", "a\n"),
        ("a\n", "x\u{18}y\r", "xa\n"),
        ("a\n", "x\u{18}n", "a\n"),
        ("a\n", "x\u{18}\u{3}\u{18}y\r", "xa\n"),
        ("a\nb\nc\n", "\u{b}\u{b}\u{15}\u{f}\r\u{18}", "a\nb\nc\n"),
        ("a\nb\nc\n", "\u{b}\u{1b}[B\u{15}\u{18}y\r", "b\na\nc\n"),
        ("replicas: 1\n", "\u{17}1\r\u{1b}[3~3\u{13}\u{18}", "replicas: 3\n"),
        ("나\n", "\u{1b}[F루\r\u{18}y\r", "나루\n\n"),
    ] {
        let (_, found, code) = play(&["nano", "f"], text, keys);
        assert_eq!((found.as_str(), code), (expected, Some(0)), "{keys:?}");
    }
    let (asked, _, _) = play(&["nano", "f"], "a\nb\n", "\u{17}zz");
    let (told, _, _) = play(&["nano", "f"], "a\nb\n", "\u{17}zz\r");
    let screen = asked + &told;
    for part in
        ["GNU nano 7.2", "[ Read 2 lines ]", "^X Exit", "Search: zz", "[ \"zz\" not found ]"]
    {
        assert!(screen.contains(part), "{part}: {screen:?}");
    }
}

#[test]
fn less_shows_a_screen_at_a_time() {
    let text: String = (1..=30).map(|line| format!("line {line}\n")).collect();
    let last = |keys: &str| {
        let (screen, _, code) = play(&["less", "f"], &text, keys);
        let screen = screen.rsplit("\x1b[H").next().unwrap_or_default().to_owned();
        let first = screen.split("\x1b[K").next().unwrap_or_default().to_owned();
        (first, screen.contains("(END)"), code)
    };
    for (keys, first, at_end) in [
        ("", "line 1", false),
        (" ", "line 8", false),
        (" b", "line 1", false),
        ("jj\u{1b}[Bk", "line 3", false),
        ("G", "line 24", true),
        ("Gg", "line 1", false),
        ("/e 20\r", "line 20", false),
        ("/line 1\rn", "line 11", false),
    ] {
        assert_eq!(last(keys), (first.to_owned(), at_end, None), "{keys:?}");
    }
    assert_eq!(last("q").2, Some(0));
}

#[test]
fn less_passes_on_what_is_piped() {
    let piped = ["bash", "-c", "less f | head -1; cat f | less | tail -1; less nope"];
    let (screen, _, code) = play(&piped, "one\ntwo\n", "");
    assert_eq!(screen, "one\r\ntwo\r\nnope: No such file or directory\r\n");
    assert_eq!(code, Some(1));
}
