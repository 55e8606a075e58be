//! How Busybox says what the core utilities of GNU say otherwise: one implementation, two tongues;
//! and `busybox` itself.
//!
//! Upstream: Busybox 1.37, `libbb/perror_msg.c`, `libbb/xfuncs_printf.c`, `libbb/fopen_or_warn.c` and
//! what the applets in `coreutils/` say by them; `libbb/appletlib.c`.

use super::tool::{Out, finish};
use crate::{Program, Step, Sys};

/// What stands before all that it says of itself.
const BANNER: &str = "BusyBox v1.37.0 (2024-09-26 21:31:42 UTC) multi-call binary.\n";
/// How applets are used: a line `: NAME` before each. From the `//usage:` texts of its source.
const USAGES: &str = include_str!("busybox_usages.txt");
/// What it says of itself before the applets.
const ITSELF: &str = "BusyBox is copyrighted by many authors between 1998-2015.\n\
    Licensed under GPLv2. See source distribution for detailed\n\
    copyright notices.\n\
    \n\
    Usage: busybox [function [arguments]...]\n   \
    or: busybox --list[-full]\n   \
    or: busybox --show SCRIPT\n   \
    or: busybox --install [-s] [DIR]\n   \
    or: function [arguments]...\n\
    \n\
    \tBusyBox is a multi-call binary that combines many common Unix\n\
    \tutilities into a single executable.  Most people will create a\n\
    \tlink to busybox for each function they wish to use and BusyBox\n\
    \twill act like whatever it was invoked as.\n\
    \n\
    Currently defined functions:\n";
/// Columns of the list of them.
const COLUMNS: usize = 80;

/// Errors of GNU's programs, `{}` standing for a name and `{!}` for why, and Busybox's. The first that
/// fits counts. Where only the reason tells two apart, it is in the pattern.
const WORDS: &[(&str, &str)] = &[
    ("cat: {}: Is a directory", "cat: read error: Is a directory"),
    ("cat: {}: {!}", "cat: can't open '{}': {!}"),
    ("chmod: cannot access '{}': {!}", "chmod: {}: {!}"),
    ("chmod: changing permissions of '{}': {!}", "chmod: {}: {!}"),
    ("chmod: invalid mode: ‘{}’", "chmod: invalid mode '{}'"),
    ("chown: cannot access '{}': {!}", "chown: {}: {!}"),
    ("chown: changing ownership of '{}': {!}", "chown: {}: {!}"),
    ("chown: invalid user: ‘{}’", "chown: unknown user {}"),
    ("cp: -r not specified; omitting directory '{}'", "cp: omitting directory '{}'"),
    ("cp: cannot create directory '{}': {!}", "cp: can't create directory '{}': {!}"),
    ("cp: cannot create regular file '{}': {!}", "cp: can't create '{}': {!}"),
    ("cp: cannot open '{}' for reading: {!}", "cp: can't open '{}': {!}"),
    ("cp: cannot stat '{}': {!}", "cp: can't stat '{}': {!}"),
    ("date: invalid date ‘{}’", "date: invalid date '{}'"),
    ("du: cannot access '{}': {!}", "du: {}: {!}"),
    ("find: ‘{}’: {!}", "find: {}: {!}"),
    ("head: cannot open '{}' for reading: {!}", "head: {}: {!}"),
    ("kill: sending signal to {} failed: {!}", "kill: can't kill pid {}: {!}"),
    ("ln: failed to create hard link '{}': {!}", "ln: {}: {!}"),
    ("ln: failed to create symbolic link '{}': {!}", "ln: {}: {!}"),
    ("ls: cannot access '{}': {!}", "ls: {}: {!}"),
    ("ls: cannot open directory '{}': {!}", "ls: can't open '{}': {!}"),
    ("mkdir: cannot create directory ‘{}’: {!}", "mkdir: can't create directory '{}': {!}"),
    ("mv: cannot stat '{}': {!}", "mv: can't rename '{}': {!}"),
    ("rm: cannot remove '{}': Is a directory", "rm: '{}' is a directory"),
    ("rm: cannot remove '{}': {!}", "rm: can't remove '{}': {!}"),
    ("rmdir: failed to remove '{}': {!}", "rmdir: '{}': {!}"),
    ("sed: can't read {}: {!}", "sed: {}: {!}"),
    ("sleep: invalid time interval ‘{}’", "sleep: invalid number '{}'"),
    ("sort: cannot read: {}: {!}", "sort: can't open '{}': {!}"),
    ("stat: cannot statx '{}': {!}", "stat: can't stat '{}': {!}"),
    ("tail: cannot open '{}' for reading: {!}", "tail: can't open '{}': {!}"),
    ("tail: no files remaining", "tail: no files"),
    ("touch: cannot touch '{}': {!}", "touch: {}: {!}"),
    ("uniq: {}: {!}", "uniq: can't open '{}': {!}"),
];

/// Lines that a program says of an error, in Busybox's words, with the end of the last: where GNU's
/// programs tell where help is, it helps at once.
pub fn reword(lines: &str) -> String {
    let mut text = String::new();
    for line in lines.split('\n') {
        let wrong = Wrong::of(line);
        if matches!(wrong, Wrong::Nothing | Wrong::Option(_)) {
            text.push_str(&reword_line(line));
            text.push('\n');
        }
        if let Wrong::Option(name) | Wrong::Operands(name) = wrong {
            text.push_str(&usage(name).unwrap_or_default());
        }
    }
    text
}

/// What a line says of how a program was called.
enum Wrong<'a> {
    /// Nothing.
    Nothing,
    /// An option that there is not: it is named, and the usage told.
    Option(&'a str),
    /// Too few words: the usage is told.
    Operands(&'a str),
    /// Where help is.
    Help,
}

impl<'a> Wrong<'a> {
    fn of(line: &'a str) -> Self {
        if line.ends_with("--help' for more information.") {
            return Wrong::Help;
        }
        let Some((name, why)) = line.split_once(": ").filter(|(name, _)| has_usage(name)) else {
            return Wrong::Nothing;
        };
        let misses = why.starts_with("missing ") && why.contains("operand") || why == "missing URL";
        let begins = ["unrecognized option", "invalid option -- ", "option requires an argument"];
        let unknown = begins.iter().any(|words| why.starts_with(words));
        if misses || why.starts_with("Usage: ") {
            Wrong::Operands(name)
        } else if unknown || why.starts_with("option '") && why.ends_with("' requires an argument")
        {
            Wrong::Option(name)
        } else {
            Wrong::Nothing
        }
    }
}

fn has_usage(name: &str) -> bool {
    !name.is_empty() && USAGES.contains(&format!(": {name}\n"))
}

/// How an applet is used.
///
/// Upstream: `bb_show_usage`.
pub fn usage(name: &str) -> Option<String> {
    let blocks = format!("\n{USAGES}");
    let (_, rest) = blocks.split_once(&format!("\n: {name}\n"))?;
    let text = rest.split_once("\n: ").map_or(rest, |(text, _)| text).trim_end_matches('\n');
    Some(format!("{BANNER}\nUsage: {name} {text}\n"))
}

/// `busybox [APPLET [ARGUMENTS…]]`
#[derive(Clone, Debug, Default)]
pub struct Busybox {
    out: Out,
    code: Option<i32>,
}

impl Busybox {
    /// The exit code; `None` if it has become an applet.
    fn start(&mut self, sys: &mut dyn Sys) -> Option<i32> {
        let args: Vec<String> = sys.args().iter().skip(1).cloned().collect();
        match args.first().map(String::as_str) {
            None | Some("--help") => {
                self.out.put(format!("{BANNER}{ITSELF}{}", list(&applets(sys))));
                Some(0)
            }
            Some("--list") => {
                applets(sys).iter().for_each(|name| self.out.line(name));
                Some(0)
            }
            Some(name) => {
                let path = format!("/bin/{name}");
                let env = sys.env().clone();
                let known = !name.contains('/') && sys.fs().program(&path).is_some();
                if known && sys.exec(args.clone(), env).is_ok() {
                    return None;
                }
                self.out.put_error(format!("{name}: applet not found\n"));
                Some(127)
            }
        }
    }
}

impl Program for Busybox {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        let code = match self.code {
            Some(code) => code,
            None => match self.start(sys) {
                Some(code) => *self.code.insert(code),
                None => return Step::Yield,
            },
        };
        finish(&mut self.out, sys, code)
    }
}

/// The names of all applets of this machine.
fn applets(sys: &mut dyn Sys) -> Vec<String> {
    let entries = sys.fs().list("/bin").unwrap_or_default().into_iter();
    let names = entries.map(|entry| entry.name).filter(|name| name != "busybox");
    names.filter(|name| sys.fs().program(&format!("/bin/{name}")).is_some()).collect()
}

/// Names with commas between them, in lines that begin with a tab.
fn list(names: &[String]) -> String {
    let (mut text, mut column) = (String::new(), 0);
    for (index, name) in names.iter().enumerate() {
        let piece = if index + 1 < names.len() { format!("{name}, ") } else { name.clone() };
        if column == 0 || column + piece.len() + 1 >= COLUMNS {
            text.push_str(if column == 0 { "\t" } else { "\n\t" });
            column = 8;
        }
        text.push_str(&piece);
        column += piece.len();
    }
    text + "\n\n"
}

/// A line that a program says of an error, in Busybox's words; as it is if they are the same.
fn reword_line(line: &str) -> String {
    let fitting = WORDS.iter().find_map(|(gnu, own)| Some((own, matched(gnu, line)?)));
    match fitting {
        Some((own, (name, why))) => own.replace("{!}", why).replace("{}", name),
        None => line.to_owned(),
    }
}

/// The name and the reason that a line has where the pattern leaves room for them.
fn matched<'a>(pattern: &str, line: &'a str) -> Option<(&'a str, &'a str)> {
    let Some((before, after)) = pattern.split_once("{}") else {
        return (pattern == line).then_some(("", ""));
    };
    let rest = line.strip_prefix(before)?;
    match after.split_once("{!}") {
        Some((between, _)) => {
            let at = rest.rfind(between)?;
            Some((rest.get(..at)?, rest.get(at + between.len()..)?))
        }
        None => Some((rest.strip_suffix(after)?, "")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_says_it_in_its_own_words() {
        for (gnu, own) in [
            (
                "ls: cannot access 'x': No such file or directory",
                "ls: x: No such file or directory",
            ),
            ("cat: x: No such file or directory", "cat: can't open 'x': No such file or directory"),
            ("cat: /etc: Is a directory", "cat: read error: Is a directory"),
            ("rm: cannot remove 'd': Is a directory", "rm: 'd' is a directory"),
            (
                "rm: cannot remove 'a: b': Permission denied",
                "rm: can't remove 'a: b': Permission denied",
            ),
            (
                "mkdir: cannot create directory ‘d’: File exists",
                "mkdir: can't create directory 'd': File exists",
            ),
            ("tail: no files remaining", "tail: no files"),
            ("grep: x: No such file or directory", "grep: x: No such file or directory"),
            ("chmod: invalid mode: ‘u+q’", "chmod: invalid mode 'u+q'"),
        ] {
            assert_eq!(reword(gnu), format!("{own}\n"));
        }
    }

    #[test]
    fn usages_are_told_where_gnu_tells_of_help() {
        let told = usage("mkdir").unwrap();
        assert!(told.ends_with("\n\nUsage: mkdir [-m MODE] [-p] DIRECTORY...\n\nCreate DIRECTORY\n\n\t-m MODE\tMode\n\t-p\tNo error if exists; make parent directories as needed\n"), "{told}");
        let gnu = "mkdir: missing operand\nTry 'mkdir --help' for more information.";
        assert_eq!(reword(gnu), told);
        assert_eq!(
            reword("mkdir: invalid option -- 'z'"),
            format!("mkdir: invalid option -- 'z'\n{told}")
        );
        assert_eq!(usage("yes").unwrap().lines().nth(2), Some("Usage: yes [STRING]"));
        assert_eq!(usage("curl"), None);
    }
}
