//! The beginning of a shell: its arguments, its environment, its first commands.

use super::machine::{Frame, Script};
use super::parse::{ParseError, parse_command};
use super::state::{Flavor, Variable};
use super::terminal::Terminal;
use super::{Flow, Shell, Source};
use crate::{DEFAULT_PATH, Errno, Signal, Sys};
use std::sync::Arc;

/// What the arguments say.
#[derive(Default)]
struct Arguments {
    command: Option<String>,
    interactive: bool,
    login: bool,
    from_input: bool,
    from_owner: bool,
    operands: Vec<String>,
}

impl Shell {
    /// The argument of a shell that takes its commands from the machine's owner.
    const FROM_OWNER: &str = "--scripts";

    /// Looks at the arguments and decides where commands come from.
    pub(super) fn start(&mut self, sys: &mut dyn Sys) {
        let args = sys.args().to_vec();
        let name = args.first().cloned().unwrap_or_else(|| "sh".to_string());
        self.state.name = name.clone();
        self.state.error_name.clone_from(&name);
        self.state.shell_pid = sys.pid();
        self.import_environment(sys);
        let mut arguments = match self.parse_arguments(args.get(1..).unwrap_or_default()) {
            Ok(arguments) => arguments,
            Err(message) => {
                self.print(2, format!("{}: {message}\n", short_name(&name)));
                self.exiting = Some(2);
                return;
            }
        };
        if arguments.from_owner {
            self.become_interactive(sys);
            self.source = Source::Owner { running: false };
        } else if let Some(text) = arguments.command.take() {
            let mut operands = arguments.operands.into_iter();
            if let Some(name) = operands.next() {
                self.state.error_name.clone_from(&name);
                self.state.name = name;
            }
            self.state.positional = Arc::new(operands.collect());
            self.state.from_argument = true;
            self.push_main(&text);
        } else if !arguments.from_input && !arguments.operands.is_empty() {
            let path = arguments.operands.remove(0);
            self.state.positional = Arc::new(arguments.operands);
            self.start_file(sys, &path);
        } else {
            self.state.positional = Arc::new(arguments.operands);
            self.start_input(sys, arguments.interactive);
        }
        self.push_profiles(sys, arguments.login || name.starts_with('-'));
    }

    fn import_environment(&mut self, sys: &mut dyn Sys) {
        for (name, value) in sys.env().clone() {
            if super::parse::is_name(&name) {
                let variable = Variable::new(value, true);
                self.state.variables_mut().insert(name, variable);
            }
        }
        let cwd = sys.cwd().to_string();
        let level = self.state.text("SHLVL").parse::<i64>().unwrap_or(0) + 1;
        let mut defaults =
            vec![("PATH", DEFAULT_PATH.to_string(), false), ("OPTIND", "1".to_string(), false)];
        if self.state.flavor == Flavor::Bash {
            defaults.push(("BASH_VERSION", "5.2.15(1)-release".to_string(), false));
            defaults.push(("BASH", "/bin/bash".to_string(), false));
        }
        for (name, value, exported) in defaults {
            let variable = Variable::new(value, exported);
            self.state.variables_mut().entry(name.to_string()).or_insert(variable);
        }
        let always = [
            ("IFS", " \t\n".to_string(), false),
            ("PWD", cwd, true),
            ("SHLVL", level.to_string(), true),
        ];
        for (name, value, exported) in always {
            let variable = Variable::new(value, exported);
            self.state.variables_mut().insert(name.to_string(), variable);
        }
    }

    fn parse_arguments(&mut self, args: &[String]) -> Result<Arguments, String> {
        let mut parsed = Arguments::default();
        let mut wants_command = false;
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            match arg.as_str() {
                "--" => {
                    parsed.operands.extend(rest.by_ref().cloned());
                    break;
                }
                "--login" => parsed.login = true,
                Shell::FROM_OWNER => parsed.from_owner = true,
                "--norc" | "--noprofile" | "--posix" => {}
                "-o" | "+o" => {
                    let name = rest.next().ok_or("-o: option requires an argument")?;
                    self.set_long_option(name, arg == "-o")?;
                }
                "-O" | "+O" => {
                    let name = rest.next().ok_or("-O: option requires an argument")?;
                    self.set_shopt(name, arg == "-O")?;
                }
                arg if arg.len() > 1 && arg.starts_with(['-', '+']) => {
                    let on = arg.starts_with('-');
                    for flag in arg.chars().skip(1) {
                        match flag {
                            'c' => wants_command = true,
                            'i' => parsed.interactive = true,
                            'l' => parsed.login = true,
                            's' => parsed.from_input = true,
                            'o' => {
                                let name = rest.next().ok_or("-o: option requires an argument")?;
                                self.set_long_option(name, on)?;
                            }
                            flag => {
                                self.set_option(flag, on).map_err(|()| match self.state.flavor {
                                    Flavor::Bash => format!("{arg}: invalid option"),
                                    Flavor::Dash => format!("0: Illegal option -{flag}"),
                                    Flavor::Ash => format!("illegal option -{flag}"),
                                })?
                            }
                        }
                    }
                }
                arg => {
                    parsed.operands.push(arg.to_string());
                    parsed.operands.extend(rest.by_ref().cloned());
                }
            }
        }
        if wants_command {
            if parsed.operands.is_empty() {
                return Err(match self.state.flavor {
                    Flavor::Bash => "-c: option requires an argument".to_string(),
                    Flavor::Dash => "0: -c requires an argument".to_string(),
                    Flavor::Ash => "-c requires an argument".to_string(),
                });
            }
            parsed.command = Some(parsed.operands.remove(0));
        }
        Ok(parsed)
    }

    fn push_main(&mut self, text: &str) {
        self.push(Frame::Script { text: text.into(), at: 0, line: 1, kind: Script::Main });
    }

    fn start_file(&mut self, sys: &mut dyn Sys, path: &str) {
        let name = std::mem::replace(&mut self.state.name, path.to_string());
        let absolute = sys.absolute(path);
        let text = sys.fs().read(&absolute);
        match text {
            Ok(bytes) if sys.fs().program(&absolute).is_none() => {
                self.state.error_name = path.to_string();
                let text = String::from_utf8_lossy(&bytes).into_owned();
                self.push_main(&text);
            }
            Ok(_) => {
                let message = format!("{path}: {path}: cannot execute binary file\n");
                self.print(2, message);
                self.exiting = Some(126);
            }
            Err(errno) => {
                let name = short_name(&name);
                let (message, code) = match (self.state.flavor, errno) {
                    (Flavor::Bash, Errno::NotFound) => (format!("{name}: {path}: {errno}"), 127),
                    (Flavor::Bash, errno) => (format!("{name}: {path}: {errno}"), 126),
                    (Flavor::Dash, Errno::NotFound) => {
                        (format!("{name}: 0: cannot open {path}: No such file"), 2)
                    }
                    (Flavor::Dash, errno) => (format!("{name}: 0: cannot open {path}: {errno}"), 2),
                    (Flavor::Ash, Errno::NotFound) => {
                        (format!("{name}: can't open '{path}': {errno}"), 2)
                    }
                    (Flavor::Ash, errno) => (format!("{name}: can't open '{path}': {errno}"), 2),
                };
                self.print(2, format!("{message}\n"));
                self.exiting = Some(code);
            }
        }
    }

    fn start_input(&mut self, sys: &mut dyn Sys, interactive: bool) {
        if !(interactive || (sys.is_tty(0) && sys.is_tty(2))) {
            self.source = Source::Input { text: Vec::new(), line: 1, at_end: false };
            return;
        }
        self.become_interactive(sys);
        for (name, value) in [("PS1", self.default_prompt(sys)), ("PS2", "> ".to_string())] {
            let variable = Variable::new(value, false);
            self.state.variables_mut().entry(name.to_string()).or_insert(variable);
        }
        self.source = Source::Terminal(Box::new(Terminal::new(sys)));
    }

    /// From now on a person looks on: messages, jobs and Ctrl-C are as at a prompt.
    fn become_interactive(&mut self, sys: &mut dyn Sys) {
        self.state.interactive = true;
        self.state.error_name = short_name(&self.state.name);
        self.state.options.expand_aliases = true;
        self.state.options.histexpand = self.state.flavor == Flavor::Bash;
        sys.catch(Signal::Int);
        sys.catch(Signal::Term);
        sys.catch(Signal::Quit);
        sys.catch(Signal::Hup);
        // Job control: these stop its commands, not itself.
        sys.catch(Signal::Tstp);
        sys.catch(Signal::Ttin);
        sys.foreground(None);
    }

    /// The script of the owner has ended; the next one, if there is one.
    pub(super) fn next_script(&mut self, sys: &mut dyn Sys) -> Flow {
        let Source::Owner { running } = &mut self.source else { return Flow::Go };
        if std::mem::take(running) {
            sys.script_done(self.state.status);
        }
        let Some(text) = sys.next_script() else { return Flow::Block(None) };
        *running = true;
        self.push_main(&text);
        Flow::Go
    }

    fn default_prompt(&self, sys: &dyn Sys) -> String {
        match self.state.flavor {
            Flavor::Bash => "\\s-\\v\\$ ".to_string(),
            Flavor::Dash if sys.uid() == 0 => "# ".to_string(),
            Flavor::Dash => "$ ".to_string(),
            Flavor::Ash => "\\w \\$ ".to_string(),
        }
    }

    /// The files that are run before anything else.
    fn push_profiles(&mut self, sys: &mut dyn Sys, login: bool) {
        let home = self.state.text("HOME").to_string();
        let mut paths = Vec::new();
        if login {
            paths.extend(["/etc/profile".to_string(), format!("{home}/.profile")]);
        }
        if self.state.interactive {
            match self.state.flavor {
                Flavor::Bash => paths.push(format!("{home}/.bashrc")),
                Flavor::Dash | Flavor::Ash => paths.push(self.state.text("ENV").to_string()),
            }
        }
        for path in paths.iter().rev() {
            if let Ok(text) = sys.fs().read_text(path) {
                self.push(Frame::Script {
                    text: text.into(),
                    at: 0,
                    line: 1,
                    kind: Script::Dot { positional: None },
                });
            }
        }
    }

    /// The next command of a standard input that is no terminal. It is read byte by byte, as its
    /// commands may read the rest.
    pub(super) fn next_input_command(&mut self, sys: &mut dyn Sys) -> Flow {
        let grammar = self.grammar();
        let Source::Input { text, line, at_end } = &mut self.source else { return Flow::Go };
        while !*at_end && text.last() != Some(&b'\n') {
            match read_line_bytes(sys, text) {
                Ok(true) => {}
                Ok(false) => *at_end = true,
                Err(Errno::Again) => return Flow::Block(None),
                Err(_) => *at_end = true,
            }
        }
        if text.is_empty() {
            self.source = Source::Nothing;
            return Flow::Go;
        }
        let read = String::from_utf8_lossy(text).into_owned();
        let result = parse_command(&read, *line, &grammar, *at_end);
        match result {
            Err(ParseError::Incomplete(_)) if !*at_end => {
                // One more line.
                match read_line_bytes(sys, text) {
                    Ok(true) => Flow::Go,
                    Err(Errno::Again) => Flow::Block(None),
                    _ => {
                        *at_end = true;
                        Flow::Go
                    }
                }
            }
            Ok((list, _)) => {
                *line += read.matches('\n').count();
                text.clear();
                self.run_list(&Arc::new(list));
                Flow::Go
            }
            Err(error) => {
                text.clear();
                self.syntax_error(sys, &error, &read, true);
                Flow::Go
            }
        }
    }
}

/// Reads up to the end of a line; `false` at the end of the input.
fn read_line_bytes(sys: &mut dyn Sys, text: &mut Vec<u8>) -> Result<bool, Errno> {
    loop {
        let byte = sys.read(0, 1)?;
        if byte.is_empty() {
            return Ok(false);
        }
        let ends = byte == b"\n";
        text.extend(byte);
        if ends {
            return Ok(true);
        }
    }
}

/// What a shell calls itself in messages: its name without the directory and a login's dash.
fn short_name(name: &str) -> String {
    let name = name.rsplit('/').next().unwrap_or(name);
    name.trim_start_matches('-').to_string()
}
