//! `set` and `shopt`.

use crate::shell::Shell;
use crate::shell::state::Flavor;
use std::sync::Arc;

/// Long names of options, in the order of `set -o`.
const LONG: [(&str, char); 10] = [
    ("allexport", 'a'),
    ("errexit", 'e'),
    ("histexpand", 'H'),
    ("noclobber", 'C'),
    ("noexec", 'n'),
    ("noglob", 'f'),
    ("nounset", 'u'),
    ("pipefail", 'P'),
    ("verbose", 'v'),
    ("xtrace", 'x'),
];

/// Options that change nothing here, but that scripts set.
const IGNORED: [&str; 8] =
    ["emacs", "vi", "monitor", "notify", "posix", "hashall", "history", "braceexpand"];

impl Shell {
    /// Sets an option by its letter.
    pub(in crate::shell) fn set_option(&mut self, flag: char, on: bool) -> Result<(), ()> {
        let options = &mut self.state.options;
        let option = match flag {
            'a' => &mut options.allexport,
            'e' => &mut options.errexit,
            'C' => &mut options.noclobber,
            'n' => &mut options.noexec,
            'f' => &mut options.noglob,
            'u' => &mut options.nounset,
            'P' => &mut options.pipefail,
            'v' => &mut options.verbose,
            'x' => &mut options.xtrace,
            'H' => &mut options.histexpand,
            'm' | 'b' | 'h' | 'B' | 'E' | 'T' => return Ok(()),
            _ => return Err(()),
        };
        *option = on;
        Ok(())
    }

    /// Sets an option by its long name.
    pub(in crate::shell) fn set_long_option(&mut self, name: &str, on: bool) -> Result<(), String> {
        if IGNORED.contains(&name) {
            return Ok(());
        }
        let flag = LONG.iter().find(|(long, _)| *long == name).map(|(_, flag)| *flag);
        flag.and_then(|flag| self.set_option(flag, on).ok()).ok_or_else(|| {
            match self.state.flavor {
                Flavor::Bash => format!("{name}: invalid option name"),
                Flavor::Dash => format!("Illegal option -o {name}"),
                Flavor::Ash => format!("illegal option -o {name}"),
            }
        })
    }

    /// Sets one of bash's shell options.
    pub(in crate::shell) fn set_shopt(&mut self, name: &str, on: bool) -> Result<(), String> {
        match name {
            "expand_aliases" => self.state.options.expand_aliases = on,
            "nullglob" => self.state.options.nullglob = on,
            "checkwinsize" | "histappend" | "globstar" | "extglob" | "dotglob" | "lastpipe"
            | "inherit_errexit" | "nocasematch" | "failglob" | "cmdhist" => {}
            _ => return Err(format!("{name}: invalid shell option name")),
        }
        Ok(())
    }

    fn is_on(&self, flag: char) -> bool {
        let options = &self.state.options;
        match flag {
            'a' => options.allexport,
            'e' => options.errexit,
            'C' => options.noclobber,
            'n' => options.noexec,
            'f' => options.noglob,
            'H' => options.histexpand,
            'u' => options.nounset,
            'P' => options.pipefail,
            'v' => options.verbose,
            _ => options.xtrace,
        }
    }
}

/// `set [-+options] [-o name] [--] [words…]`
pub fn set(shell: &mut Shell, args: &[String]) -> i32 {
    if args.is_empty() {
        let lines: Vec<String> = shell
            .state
            .variables
            .iter()
            .filter_map(|(name, variable)| {
                let value = variable.value.as_ref()?;
                let shown = value.written().or_else(|| value.text().map(super::quote))?;
                Some(format!("{name}={shown}\n"))
            })
            .collect();
        shell.print(1, lines.concat());
        return 0;
    }
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "--" => {
                shell.state.positional = Arc::new(rest.cloned().collect());
                return 0;
            }
            "-" => {
                shell.state.options.xtrace = false;
                shell.state.options.verbose = false;
            }
            arg if arg.len() > 1 && arg.starts_with(['-', '+']) => {
                let on = arg.starts_with('-');
                for flag in arg.chars().skip(1) {
                    if let Err(message) = set_one(shell, flag, on, &mut rest) {
                        shell.complain(&format!("set: {message}"));
                        return 2;
                    }
                }
            }
            arg => {
                let words = std::iter::once(arg.to_string()).chain(rest.cloned()).collect();
                shell.state.positional = Arc::new(words);
                return 0;
            }
        }
    }
    0
}

fn set_one<'a>(
    shell: &mut Shell,
    flag: char,
    on: bool,
    rest: &mut impl Iterator<Item = &'a String>,
) -> Result<(), String> {
    if flag != 'o' {
        let sign = if on { '-' } else { '+' };
        return shell.set_option(flag, on).map_err(|()| match shell.state.flavor {
            Flavor::Bash => format!("{sign}{flag}: invalid option"),
            Flavor::Dash => format!("Illegal option {sign}{flag}"),
            Flavor::Ash => format!("illegal option {sign}{flag}"),
        });
    }
    match rest.next() {
        Some(name) => shell.set_long_option(name, on),
        None => {
            let lines: Vec<String> = LONG
                .iter()
                .map(|(name, flag)| {
                    format!("{name:<15}\t{}\n", if shell.is_on(*flag) { "on" } else { "off" })
                })
                .collect();
            shell.print(1, lines.concat());
            Ok(())
        }
    }
}

/// `shopt [-su] [names…]`
pub fn shopt(shell: &mut Shell, args: &[String]) -> i32 {
    let mut on = None;
    let mut status = 0;
    for arg in args {
        match (arg.as_str(), on) {
            ("-s", _) => on = Some(true),
            ("-u", _) => on = Some(false),
            ("-q", _) => {}
            (name, Some(on)) => {
                if let Err(message) = shell.set_shopt(name, on) {
                    shell.complain(&format!("shopt: {message}"));
                    status = 1;
                }
            }
            (name, None) => {
                let value = match name {
                    "expand_aliases" => shell.state.options.expand_aliases,
                    "nullglob" => shell.state.options.nullglob,
                    _ => false,
                };
                shell.print(1, format!("{name:<15}\t{}\n", if value { "on" } else { "off" }));
                status = i32::from(!value);
            }
        }
    }
    status
}
