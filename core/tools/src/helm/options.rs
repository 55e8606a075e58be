//! The flags of `helm`.

use crate::flags::{Flags, Known};

/// The flags of all commands. Those that a command does not have do nothing there.
const KNOWN: [Known; 37] = [
    ("namespace", "n", true),
    ("kubeconfig", "", true),
    ("kube-context", "", true),
    ("debug", "", false),
    ("help", "h", false),
    ("values", "f", true),
    ("set", "", true),
    ("set-string", "", true),
    ("version", "", true),
    ("create-namespace", "", false),
    ("dry-run", "", false),
    ("generate-name", "g", false),
    ("install", "i", false),
    ("reuse-values", "", false),
    ("reset-values", "", false),
    ("description", "", true),
    ("output", "o", true),
    ("all-namespaces", "A", false),
    ("all", "a", false),
    ("short", "q", false),
    ("revision", "", true),
    ("keep-history", "", false),
    ("ignore-not-found", "", false),
    ("versions", "l", false),
    ("max", "", true),
    ("show-only", "s", true),
    ("force-update", "", false),
    ("deployed", "", false),
    ("uninstalled", "", false),
    ("failed", "", false),
    ("superseded", "", false),
    ("template", "", true),
    ("client", "c", false),
    ("wait", "", false),
    ("wait-for-jobs", "", false),
    ("atomic", "", false),
    ("timeout", "", true),
];

/// Reads arguments; the error is pflag's.
pub fn parse(args: &[String]) -> Result<Flags, String> {
    Flags::parse(args, &KNOWN)
}

/// Whether nothing is to be done: `--dry-run`, with `client` or `server`, but not `none`.
pub fn is_dry_run(flags: &Flags) -> bool {
    flags.is_on("dry-run") && flags.value("dry-run") != Some("none")
}

/// Whether the command waits for what it has made: `--atomic` means `--wait`.
pub fn waits(flags: &Flags) -> bool {
    (flags.is_on("wait") || flags.is_on("atomic")) && !is_dry_run(flags)
}

/// What kubectl needs to know of them, to reach the cluster.
pub fn for_kubectl(flags: &Flags) -> Vec<String> {
    let names =
        [("kubeconfig", "kubeconfig"), ("kube-context", "context"), ("namespace", "namespace")];
    let known = names
        .iter()
        .filter_map(|(own, other)| flags.value(own).map(|value| format!("--{other}={value}")));
    known.collect()
}
