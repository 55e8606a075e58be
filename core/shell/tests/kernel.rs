//! Machines as a whole: snapshots, terminals, signals, limits, hostile input.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Clock, Running, machine, run, spec};
use naru_shell::{ExecError, Kernel, Pid, ProcessStatus, Signal, Stdio, TtyId, standard_programs};
use naru_sim::{Rng, Time};

/// A shell on a terminal, and what the terminal showed.
struct Session {
    kernel: Kernel,
    clock: Clock,
    tty: TtyId,
    pid: Pid,
    shown: String,
}

impl Session {
    fn start() -> Self {
        let mut kernel = machine("bash");
        let tty = kernel.tty(80, 24);
        let mut spec = spec(&["bash"], Stdio::Tty(tty));
        spec.env.insert("PS1".to_string(), "\\u@\\h:\\w\\$ ".to_string());
        spec.cwd = "/root".to_string();
        let pid = kernel.spawn(spec).unwrap();
        let mut session =
            Session { kernel, clock: Clock::default(), tty, pid, shown: String::new() };
        session.settle();
        session
    }

    /// Lets everything happen that needs no time.
    fn settle(&mut self) {
        for _ in 0..200 {
            let due = self.kernel.run(&mut self.clock);
            let output = self.kernel.tty_output(self.tty);
            self.shown.push_str(&String::from_utf8_lossy(&output));
            match due {
                Some(at) if at <= self.clock.now + std::time::Duration::from_millis(5) => {
                    self.clock.now = at.max(self.clock.now);
                }
                _ if output.is_empty() => return,
                _ => {}
            }
        }
    }

    /// Types, and gives what was shown since, without what moves the cursor.
    fn type_keys(&mut self, keys: &str) -> String {
        self.shown.clear();
        self.kernel.tty_input(self.tty, keys.as_bytes());
        self.settle();
        plain(&self.shown)
    }

    fn wait(&mut self, seconds: u64) -> String {
        self.shown.clear();
        self.clock.now = self.clock.now + std::time::Duration::from_secs(seconds);
        self.settle();
        plain(&self.shown)
    }
}

/// The text without escape sequences and carriage returns.
fn plain(text: &str) -> String {
    let mut result = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => {
                chars.next();
                chars.by_ref().find(|c| c.is_ascii_alphabetic());
            }
            '\r' => {}
            c => result.push(c),
        }
    }
    result
}

#[test]
fn a_person_types() {
    let mut session = Session::start();
    assert_eq!(plain(&session.shown), "root@naru:~# ");
    assert_eq!(session.type_keys("echo 한글\r"), "echo 한글\n한글\nroot@naru:~# ");
    assert_eq!(session.type_keys("cd /work\r"), "cd /work\nroot@naru:/work# ");
    assert_eq!(
        session.type_keys("nope\r"),
        "nope\nbash: nope: command not found\nroot@naru:/work# "
    );
    assert_eq!(session.type_keys("echo $?\r"), "echo $?\n127\nroot@naru:/work# ");
    // A here-document asks for more lines.
    assert_eq!(session.type_keys("cat > f <<'EOF'\r"), "cat > f <<'EOF'\n> ");
    assert_eq!(session.type_keys("a: 1\r"), "a: 1\n> ");
    assert_eq!(session.type_keys("EOF\r"), "EOF\nroot@naru:/work# ");
    assert_eq!(session.type_keys("cat f\r"), "cat f\na: 1\nroot@naru:/work# ");
    assert_eq!(
        session.type_keys("alias k='echo kubectl'\r"),
        "alias k='echo kubectl'\nroot@naru:/work# "
    );
    assert_eq!(
        session.type_keys("k get pods\r"),
        "k get pods\nkubectl get pods\nroot@naru:/work# "
    );
    assert_eq!(
        session.type_keys("echo )\r"),
        "echo )\nbash: syntax error near unexpected token `)'\nroot@naru:/work# "
    );
    session.type_keys("exit 3\r");
    assert!(matches!(
        session.kernel.status(session.pid),
        Some(ProcessStatus::Exited { code: 3, .. })
    ));
}

#[test]
fn lines_that_are_pasted_together_run_together() {
    let mut session = Session::start();
    let paste = "\x1b[200~cat <<EOF\npasted\nEOF\necho two\x1b[201~";
    session.type_keys(paste);
    let shown = session.type_keys("\r");
    assert!(shown.ends_with("pasted\ntwo\nroot@naru:~# "), "{shown:?}");
    // Without the marks, what is pasted reaches the shell line by line.
    let shown = session.type_keys("echo one\recho two\r");
    assert!(shown.contains("\none\n") && shown.contains("\ntwo\n"), "{shown:?}");
}

#[test]
fn the_history_remembers() {
    let mut session = Session::start();
    session.type_keys("echo first\r");
    session.type_keys("echo second\r");
    assert!(session.type_keys("\x1b[A\x1b[A\r").ends_with("echo first\nfirst\nroot@naru:~# "));
    assert!(session.type_keys("history\r").contains("    2  echo second\n"));
}

#[test]
fn tab_completes_commands_and_files() {
    let mut session = Session::start();
    session.kernel.fs_mut().write("/root/deployment.yml", b"").unwrap();
    session.kernel.fs_mut().mkdir("/root/manifests").unwrap();
    assert!(session.type_keys("cat dep\t").ends_with("cat deployment.yml "));
    session.type_keys("\x03");
    assert!(session.type_keys("ls man\t").ends_with("ls manifests/"));
    session.type_keys("\x03");
    assert!(session.type_keys("hostna\t").ends_with("hostname "));
}

#[test]
fn control_c_ends_what_runs() {
    let mut session = Session::start();
    assert_eq!(session.type_keys("sleep 100\r"), "sleep 100\n");
    assert_eq!(session.type_keys("\x03"), "^C\nroot@naru:~# ");
    assert_eq!(session.type_keys("echo $?\r"), "echo $?\n130\nroot@naru:~# ");
    assert_eq!(session.type_keys("abc\x03"), "abc^C\nroot@naru:~# ");
    // A loop of builtins ends too, and so does one of programs.
    session.type_keys("while true; do :; done\r");
    assert!(session.type_keys("\x03").ends_with("root@naru:~# "));
    session.type_keys("while true; do sleep 1; done\r");
    assert!(session.type_keys("\x03").ends_with("root@naru:~# "));
    session.type_keys("cat | cat\r");
    assert!(session.type_keys("\x03").ends_with("root@naru:~# "));
    assert_eq!(session.kernel.processes().count(), 1);
}

#[test]
fn control_d_ends_input_and_then_the_shell() {
    let mut session = Session::start();
    session.type_keys("cat\r");
    assert_eq!(session.type_keys("hi\r"), "hi\nhi\n");
    assert_eq!(session.type_keys("\x04"), "root@naru:~# ");
    assert_eq!(session.type_keys("\x04"), "exit\n");
    assert!(matches!(
        session.kernel.status(session.pid),
        Some(ProcessStatus::Exited { code: 0, .. })
    ));
}

#[test]
fn jobs_run_in_the_background() {
    let mut session = Session::start();
    let shown = session.type_keys("sleep 5 &\r");
    assert!(shown.contains("[1] "), "{shown:?}");
    assert!(session.type_keys("jobs\r").contains("[1]+  Running                 sleep 5 &\n"));
    session.wait(6);
    assert!(session.type_keys("\r").contains("[1]+  Done                    sleep 5\n"));
}

#[test]
fn control_z_stops_what_runs() {
    let mut session = Session::start();
    session.type_keys("sleep 100\r");
    assert_eq!(
        session.type_keys("\x1a"),
        "^Z\n[1]+  Stopped                 sleep 100\nroot@naru:~# "
    );
    assert_eq!(session.type_keys("echo $?\r"), "echo $?\n148\nroot@naru:~# ");
    session.type_keys("cat | cat\r");
    assert!(session.type_keys("\x1a").contains("[2]+  Stopped                 cat | cat\n"));
    assert_eq!(
        session.type_keys("jobs\r"),
        "jobs\n[1]-  Stopped                 sleep 100\n\
         [2]+  Stopped                 cat | cat\nroot@naru:~# "
    );
    // What has stopped does not notice that time passes.
    session.wait(200);
    assert_eq!(session.type_keys("bg %1\r"), "bg %1\n[1]- sleep 100 &\nroot@naru:~# ");
    session.wait(1);
    assert!(session.type_keys("\r").contains("[1]-  Done                    sleep 100\n"));
    assert_eq!(session.type_keys("fg\r"), "fg\ncat | cat\n");
    assert_eq!(session.type_keys("hi\r"), "hi\nhi\n");
    assert_eq!(session.type_keys("\x04"), "root@naru:~# ");
    assert_eq!(
        session.type_keys("jobs; fg\r"),
        "jobs; fg\nbash: fg: current: no such job\nroot@naru:~# "
    );
    session.type_keys("sleep 50\r");
    assert!(session.type_keys("\x1a").contains("[1]+  Stopped                 sleep 50\n"));
    // Leaving takes two words then.
    let shown = session.type_keys("exit\r");
    assert_eq!(shown, "exit\nexit\nThere are stopped jobs.\nroot@naru:~# ");
    assert!(session.kernel.processes().count() == 2);
    session.type_keys("exit\r");
    assert_eq!(session.kernel.processes().count(), 0);
}

#[test]
fn a_stopped_job_takes_signals_when_it_goes_on() {
    let mut session = Session::start();
    session.type_keys("sleep 100 &\r");
    session.type_keys("kill -STOP %1\r");
    assert!(session.type_keys("jobs\r").contains("[1]+  Stopped                 sleep 100\n"));
    // By its number it stays stopped, and takes the signal later.
    session.type_keys("kill $!\r");
    assert!(session.type_keys("jobs\r").contains("[1]+  Stopped                 sleep 100\n"));
    let shown = session.type_keys("kill -CONT %1\r") + &session.type_keys("\r");
    assert!(shown.contains("[1]+  Terminated              sleep 100\n"), "{shown:?}");
    session.type_keys("sleep 100 | cat &\r");
    session.type_keys("kill -STOP %1; kill -9 %1\r");
    session.type_keys("\r");
    assert_eq!(session.kernel.processes().count(), 1);
}

#[test]
fn the_history_is_expanded() {
    let mut session = Session::start();
    session.type_keys("echo one two\r");
    assert_eq!(session.type_keys("!!\r"), "!!\necho one two\none two\nroot@naru:~# ");
    assert_eq!(
        session.type_keys("echo three !$\r"),
        "echo three !$\necho three two\nthree two\nroot@naru:~# "
    );
    assert_eq!(session.type_keys("^three^3\r"), "^three^3\necho 3 two\n3 two\nroot@naru:~# ");
    let shown = session.type_keys("!nope\r");
    assert_eq!(shown, "!nope\nbash: !nope: event not found\nroot@naru:~# ");
    assert_eq!(session.type_keys("echo 'hi!!'\r"), "echo 'hi!!'\nhi!!\nroot@naru:~# ");
    assert_eq!(session.type_keys("!2:p\r"), "!2:p\necho three two\nroot@naru:~# ");
    session.type_keys("set +H\r");
    assert_eq!(session.type_keys("echo a!!\r"), "echo a!!\na!!\nroot@naru:~# ");
}

#[test]
fn a_hangup_ends_the_session() {
    let mut session = Session::start();
    session.type_keys("sleep 100\r");
    session.kernel.tty_hangup(session.tty);
    session.settle();
    assert_eq!(session.kernel.processes().count(), 0);
}

#[test]
fn a_snapshot_in_the_middle_goes_on_twice() {
    let script = "x=$(sleep 1; echo sub); for i in 1 2 3; do echo $x $i; sleep 1; done | while read l; do echo \"<$l>\"; sleep 0.5; done | cat";
    let whole = Running::start(machine("bash"), Clock::default(), &["bash", "-c", script]).finish();
    assert_eq!(whole.stdout, "<sub 1>\n<sub 2>\n<sub 3>\n");
    // Wherever it is cut, both halves end as the whole did.
    for cut in 1..12 {
        let mut running =
            Running::start(machine("bash"), Clock::default(), &["bash", "-c", script]);
        for _ in 0..cut {
            running.advance();
        }
        let copy = running.clone();
        let (one, two) = (running.finish(), copy.finish());
        assert_eq!(
            (&one.stdout, one.code, one.ended_at),
            (&whole.stdout, whole.code, whole.ended_at)
        );
        assert_eq!(
            (&two.stdout, two.code, two.ended_at),
            (&whole.stdout, whole.code, whole.ended_at)
        );
    }
}

#[test]
fn time_only_passes_while_something_waits() {
    let outcome = run(machine("bash"), &["bash", "-c", "sleep 30; sleep 1m"], b"");
    assert_eq!(outcome.code, Some(0));
    assert!(outcome.ended_at >= Time::from_secs(91));
    assert!(outcome.ended_at < Time::from_secs(92));
}

#[test]
fn scripts_come_from_standard_input_too() {
    let outcome = run(
        machine("dash"),
        &["sh"],
        b"read x\nthe line\necho \"got $x\"\nif true\nthen echo yes; fi\n",
    );
    assert_eq!(outcome.stdout, "got the line\nyes\n");
}

#[test]
fn scripts_are_files_with_interpreters() {
    let mut kernel = machine("dash");
    let fs = kernel.fs_mut();
    fs.write("/work/a.sh", b"#!/bin/bash\necho $0 $1 ${BASH_VERSION%%.*}\n").unwrap();
    fs.write("/work/plain", b"echo plain $1\n").unwrap();
    fs.write("/work/off.sh", b"echo no\n").unwrap();
    fs.chmod("/work/a.sh", 0o755).unwrap();
    fs.chmod("/work/plain", 0o755).unwrap();
    let outcome = run(
        kernel,
        &["bash", "-c", "./a.sh x; ./plain y; ./off.sh; bash off.sh; bash nope.sh"],
        b"",
    );
    assert_eq!(outcome.stdout, "./a.sh x 5\nplain y\nno\n");
    assert_eq!(
        outcome.stderr,
        "bash: line 1: ./off.sh: Permission denied\nbash: nope.sh: No such file or directory\n"
    );
    assert_eq!(outcome.code, Some(127));
}

#[test]
fn a_fork_bomb_ends_in_a_message() {
    let mut running = Running::start(
        machine("bash"),
        Clock::default(),
        &["bash", "-c", "bomb() { bomb | bomb & }; bomb; sleep 3; echo alive"],
    );
    for _ in 0..200 {
        running.advance();
        assert!(running.kernel.processes().count() <= 256);
    }
    let outcome = running.finish();
    assert!(
        outcome.stderr.contains("fork: Resource temporarily unavailable"),
        "{}",
        outcome.stderr.len()
    );
}

#[test]
fn endless_programs_let_others_go_on() {
    let mut running = Running::start(
        machine("bash"),
        Clock::default(),
        &["bash", "-c", "yes > /dev/null & while :; do :; done & sleep 2; kill %1 %2; echo done"],
    );
    for _ in 0..20_000 {
        if !running.advance() {
            break;
        }
    }
    assert_eq!(running.finish().stdout, "done\n");
    let outcome = run(
        machine("bash"),
        &["bash", "-c", "yes | head -n 2; seq 1 1000000 | tail -n 1; f() { f; }; f"],
        b"",
    );
    assert_eq!(outcome.stdout, "y\ny\n1000000\n");
    assert!(
        outcome.stderr.contains("maximum function nesting level exceeded"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn the_first_process_of_a_container_takes_only_the_signals_it_catches() {
    for (script, catches) in
        [("sleep 100; echo no", false), ("trap 'exit 5' TERM; sleep 100 & wait", true)]
    {
        let mut kernel = machine("dash");
        kernel.set_next_pid(1);
        let mut running = Running::start(kernel, Clock::default(), &["sh", "-c", script]);
        running.kernel.run(&mut running.clock);
        running.kernel.signal(1, Signal::Term);
        running.kernel.run(&mut running.clock);
        let ended = matches!(running.kernel.status(1), Some(ProcessStatus::Exited { code: 5, .. }));
        assert_eq!(ended, catches, "{script}");
        running.kernel.signal(1, Signal::Kill);
        assert!(matches!(running.kernel.status(1), Some(ProcessStatus::Exited { .. })));
        assert_eq!(running.kernel.processes().count(), 0, "its end ends all");
    }
}

#[test]
fn what_cannot_be_started_is_told_as_the_runtime_tells_it() {
    let mut kernel = machine("dash");
    kernel.fs_mut().write("/work/data", b"x").unwrap();
    for (argv, expected) in [
        (["nope"], "exec: \"nope\": executable file not found in $PATH"),
        (["/bin/nope"], "exec: \"/bin/nope\": stat /bin/nope: no such file or directory"),
        (["/work/data"], "exec: \"/work/data\": permission denied"),
        (["/work"], "exec: \"/work\": permission denied"),
    ] {
        let error: ExecError = kernel.spawn(spec(&argv, Stdio::Null)).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_users_files_are_his_own() {
    let mut kernel = machine("dash");
    kernel.fs_mut().write("/root/secret", b"s").unwrap();
    kernel.fs_mut().chmod("/root/secret", 0o600).unwrap();
    let (output, error) = (kernel.pipe(), kernel.pipe());
    let stdio = Stdio::Pipes { stdin: None, stdout: output, stderr: error };
    let mut spec = spec(
        &[
            "sh",
            "-c",
            "id -u; cat /root/secret; echo x > /root/new; touch /tmp/ok && ls -l /tmp | tail -n 1 | cut -d' ' -f3",
        ],
        stdio,
    );
    spec.uid = 65534;
    kernel.spawn(spec).unwrap();
    kernel.run(&mut Clock::default());
    assert_eq!(String::from_utf8_lossy(&kernel.pipe_read(output)), "65534\nnobody\n");
    assert_eq!(
        String::from_utf8_lossy(&kernel.pipe_read(error)),
        "cat: /root/secret: Permission denied\nsh: 1: cannot create /root/new: Permission denied\n"
    );
}

#[test]
fn any_script_leaves_the_machine_standing() {
    let words = [
        "echo", "cat", "$x", "\"", "'", "`", "$(", ")", "${", "}", "((", "))", "|", "&", ";", "\n",
        "<<E", "E", ">", "<", "if", "then", "fi", "while", "do", "done", "case", "in", "esac", "{",
        "[[", "]]", "!", "*", "a=b", "#", "\\", "é", "for", "x", "f()", "read", "exec", "trap",
        "set -e", "1", "-", "2>&1", "eval", "exit", "wait", "printf", "%s", "${x:-", "$((", "&&",
    ];
    let mut rng = Rng::new(11);
    for round in 0..1500 {
        let mut script = String::new();
        for _ in 0..rng.below(30) {
            let word = words[rng.below(words.len() as u64) as usize];
            script.push_str(word);
            if rng.below(3) > 0 {
                script.push(' ');
            }
        }
        for shell in ["bash", "dash"] {
            let mut running =
                Running::start(machine(shell), Clock::default(), &[shell, "-c", &script]);
            running.kernel.pipe_close_write(running.input);
            for _ in 0..20 {
                if !running.advance() {
                    break;
                }
            }
            assert!(running.kernel.processes().count() <= 256, "{round}: {script}");
        }
    }
}

#[test]
fn any_bytes_at_a_terminal_leave_it_standing() {
    let mut rng = Rng::new(3);
    let mut session = Session::start();
    for _ in 0..3000 {
        let byte = match rng.below(5) {
            0 => rng.below(256) as u8,
            1 => *b"\x1b[\r\n\t\x03\x15'\"$(){}|&;<>".get(rng.below(21) as usize).unwrap_or(&b' '),
            _ => b'a' + rng.below(26) as u8,
        };
        // Ctrl-D would end the shell.
        if byte != 4 {
            session.kernel.tty_input(session.tty, &[byte]);
        }
        if rng.below(10) == 0 {
            session.settle();
        }
        if !matches!(session.kernel.status(session.pid), Some(ProcessStatus::Running)) {
            session = Session::start();
        }
    }
}

#[test]
fn an_empty_machine_has_nothing_to_do() {
    let mut kernel = Kernel::new(naru_shell::Vfs::new(), standard_programs(), "h");
    assert_eq!(kernel.run(&mut Clock::default()), None);
}
