//! `vi`, key by key: what is left in the file.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Clock, machine, spec};
use naru_shell::{ProcessStatus, Stdio};

/// Types keys into `vi f`, with this text in the file: the file's text afterwards, and the exit
/// code if it has ended.
fn edit(text: &str, keys: &str) -> (String, Option<i32>) {
    let mut kernel = machine("bash");
    let mut clock = Clock::default();
    kernel.fs_mut().write("/work/f", text.as_bytes()).unwrap();
    let tty = kernel.tty(40, 10);
    let pid = kernel.spawn(spec(&["vi", "f"], Stdio::Tty(tty))).unwrap();
    kernel.run(&mut clock);
    let screen = String::from_utf8(kernel.tty_output(tty)).unwrap();
    assert!(screen.contains("\"f\""), "{screen:?}");
    kernel.tty_input(tty, keys.as_bytes());
    for _ in 0..5 {
        kernel.run(&mut clock);
        kernel.tty_output(tty);
        kernel.wake();
    }
    let code = match kernel.status(pid) {
        Some(ProcessStatus::Exited { code, .. }) => Some(code),
        _ => None,
    };
    (kernel.fs().read_text("/work/f").unwrap(), code)
}

#[test]
fn edits() {
    for (text, keys, expected) in [
        ("a\nb\n", ":wq\r", "a\nb\n"),
        ("a\nb\n", "ix\u{1b}:wq\r", "xa\nb\n"),
        ("a\nb\n", "A!\u{1b}ZZ", "a!\nb\n"),
        ("a\nb\n", "ddp:x\r", "b\na\n"),
        ("a\nb\nc\n", "2dd:wq\r", "c\n"),
        ("a\nb\n", "onew\u{1b}:wq\r", "a\nnew\nb\n"),
        ("a\nb\n", "Onew\u{1b}:wq\r", "new\na\nb\n"),
        ("replicas: 1\n", "/1\rr3:wq\r", "replicas: 3\n"),
        ("one two three\n", "wcwTWO\u{1b}:wq\r", "one TWO three\n"),
        ("one two\n", "dw:wq\r", "two\n"),
        ("a a\na\n", ":%s/a/b/g\r:wq\r", "b b\nb\n"),
        ("abc\n", "xxu:wq\r", "bc\n"),
        ("abc\n", "$x:wq\r", "ab\n"),
        ("a\nb\nc\n", "GyyggP:wq\r", "c\na\nb\nc\n"),
        ("a\nb\n", "J:wq\r", "a b\n"),
        ("가나\n", "lx:wq\r", "가\n"),
        ("", "i나루\u{1b}:wq\r", "나루\n"),
        ("ab\n", "a\rx\u{1b}:wq\r", "a\nxb\n"),
        ("ab\n", "A\u{7f}\u{7f}\u{7f}c\u{1b}:wq\r", "c\n"),
        ("ab\n", "i\u{1b}[C\u{1b}[Cx\u{1b}:wq\r", "abx\n"),
    ] {
        assert_eq!(edit(text, keys), (expected.to_owned(), Some(0)), "{keys:?}");
    }
}

#[test]
fn leaves_without_writing() {
    assert_eq!(edit("a\n", "x:q!\r"), ("a\n".to_owned(), Some(0)));
    assert_eq!(edit("a\n", "x:cq\r"), ("a\n".to_owned(), Some(1)));
    assert_eq!(edit("a\n", "x:q\r"), ("a\n".to_owned(), None));
    assert_eq!(edit("a\n", ":nonsense\r"), ("a\n".to_owned(), None));
}
