//! The help of a command, in upstream's form.
//!
//! Upstream: `k8s.io/kubectl/pkg/util/templates`.

use crate::cmd;
use crate::command::{Command, Invocation};
use crate::flags::{Flag, Kind};

/// The least width of the column of names, as cobra has it.
const NAME_WIDTH_MIN: usize = 11;

/// What `kubectl … --help` prints.
pub fn text(invocation: &Invocation) -> String {
    let command = invocation.command();
    let mut parts: Vec<String> = Vec::new();
    parts.push(if command.long.is_empty() {
        format!("{}.", command.short)
    } else {
        command.long.to_owned()
    });
    if !command.aliases.is_empty() {
        let names: Vec<&str> = [command.name()].iter().chain(command.aliases).copied().collect();
        parts.push(format!("Aliases:\n{}", names.join(", ")));
    }
    if !command.examples.is_empty() {
        let lines: Vec<String> = command.examples.lines().map(|line| format!("  {line}")).collect();
        parts.push(format!("Examples:\n{}", lines.join("\n")));
    }
    if invocation.path.len() == 1 {
        parts.extend(cmd::GROUPS.iter().map(|(heading, commands)| list(heading, commands)));
    } else if !command.subcommands.is_empty() {
        parts.push(list("Available Commands:", command.subcommands));
    }
    let options = options(command.flags.iter().flat_map(|group| group.iter()));
    if !options.is_empty() && invocation.path.len() > 1 {
        parts.push(format!("Options:\n{options}"));
    }
    parts.push(format!("Usage:\n  {}", usage(invocation)));
    let mut last = String::new();
    if !cmd::below(command).is_empty() {
        last.push_str(&format!(
            "Use \"{} <command> --help\" for more information about a given command.\n",
            invocation.command_path()
        ));
    }
    last.push_str(
        "Use \"kubectl options\" for a list of global command-line options (applies to all \
         commands).\n",
    );
    parts.push(last);
    parts.join("\n\n")
}

/// What `kubectl options` prints.
pub fn global_options() -> String {
    let flags = cmd::GLOBAL.iter().flat_map(|group| group.iter());
    format!("The following options can be passed to any command:\n\n{}\n", options(flags))
}

fn usage(invocation: &Invocation) -> String {
    let command = invocation.command();
    let parents: Vec<&str> =
        invocation.path.iter().rev().skip(1).rev().map(|parent| parent.name()).collect();
    let line = [parents.join(" "), command.usage.to_owned()].join(" ").trim().to_owned();
    if invocation.path.len() == 1 {
        return format!("{line} [flags] [options]");
    }
    format!("{line} [options]")
}

fn list(heading: &str, commands: &[&Command]) -> String {
    let longest = commands.iter().map(|command| command.name().len()).max().unwrap_or(0);
    let width = longest.max(NAME_WIDTH_MIN);
    let mut lines = vec![heading.to_owned()];
    for command in commands {
        lines.push(format!("  {:width$}   {}", command.name(), command.short));
    }
    lines.join("\n")
}

/// Flags by name, with their defaults.
fn options(flags: impl Iterator<Item = &'static Flag>) -> String {
    let mut flags: Vec<&Flag> = flags.filter(|flag| flag.deprecated.is_empty()).collect();
    flags.sort_by_key(|flag| flag.name);
    let entries: Vec<String> = flags
        .iter()
        .map(|flag| {
            let short =
                if flag.short.is_empty() { String::new() } else { format!("-{}, ", flag.short) };
            let default = match flag.kind {
                Kind::Text | Kind::Optional(_) => format!("'{}'", flag.default),
                _ => flag.default.to_owned(),
            };
            format!("    {short}--{}={default}:\n\t{}", flag.name, flag.usage)
        })
        .collect();
    entries.join("\n\n")
}
