//! Which commands there are, and their help.
//!
//! Upstream: `pkg/cobrautl/help.go`.

use super::flags::{Flag, Kind};
use super::{API_VERSION, Failure, VERSION};

/// A command: its words, what follows them, what it does, and its flags.
#[derive(Clone, Copy, Debug)]
pub(super) struct Command {
    pub(super) name: &'static str,
    pub(super) usage: &'static str,
    pub(super) short: &'static str,
    pub(super) flags: &'static [Flag],
}

impl Command {
    /// The flag that fits; its own or a global one.
    pub(super) fn flag(&self, fits: impl Fn(&Flag) -> bool) -> Option<&'static Flag> {
        self.flags.iter().chain([&HELP]).chain(GLOBAL).find(|flag| fits(flag))
    }
}

const fn flag(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Flag {
    Flag { name, short: ' ', kind, default, help }
}

const HELP: Flag = Flag { short: 'h', ..flag("help", Kind::Bool, "false", "") };

/// The flags of every command.
pub(super) const GLOBAL: &[Flag] = &[
    flag(
        "cacert",
        Kind::Text,
        "",
        "verify certificates of TLS-enabled secure servers using this CA bundle",
    ),
    flag("cert", Kind::Text, "", "identify secure client using this TLS certificate file"),
    flag(
        "command-timeout",
        Kind::Duration,
        "5s",
        "timeout for short running command (excluding dial timeout)",
    ),
    flag("debug", Kind::Bool, "false", "enable client-side debug logging"),
    flag("dial-timeout", Kind::Duration, "2s", "dial timeout for client connections"),
    Flag {
        short: 'd',
        ..flag(
            "discovery-srv",
            Kind::Text,
            "",
            "domain name to query for SRV records describing cluster endpoints",
        )
    },
    flag("discovery-srv-name", Kind::Text, "", "service name to query when using DNS discovery"),
    flag("endpoints", Kind::Duration, "[127.0.0.1:2379]", "gRPC endpoints"),
    flag("hex", Kind::Bool, "false", "print byte strings as hex encoded strings"),
    flag(
        "insecure-discovery",
        Kind::Bool,
        "true",
        "accept insecure SRV records describing cluster endpoints",
    ),
    flag(
        "insecure-skip-tls-verify",
        Kind::Bool,
        "false",
        "skip server certificate verification (CAUTION: this option should be enabled only for testing purposes)",
    ),
    flag(
        "insecure-transport",
        Kind::Bool,
        "true",
        "disable transport security for client connections",
    ),
    flag("keepalive-time", Kind::Duration, "2s", "keepalive time for client connections"),
    flag("keepalive-timeout", Kind::Duration, "6s", "keepalive timeout for client connections"),
    flag("key", Kind::Text, "", "identify secure client using this TLS key file"),
    flag(
        "password",
        Kind::Text,
        "",
        "password for authentication (if this option is used, --user option shouldn't include password)",
    ),
    flag(
        "user",
        Kind::Text,
        "",
        "username[:password] for authentication (prompt if password is not supplied)",
    ),
    Flag {
        short: 'w',
        ..flag(
            "write-out",
            Kind::Text,
            "simple",
            "set the output format (fields, json, protobuf, simple, table)",
        )
    },
];

const GET: &[Flag] = &[
    flag("consistency", Kind::Text, "l", "Linearizable(l) or Serializable(s)"),
    flag("count-only", Kind::Bool, "false", "Get only the count"),
    flag(
        "from-key",
        Kind::Bool,
        "false",
        "Get keys that are greater than or equal to the given key using byte compare",
    ),
    flag("keys-only", Kind::Bool, "false", "Get only the keys"),
    flag("limit", Kind::Int, "0", "Maximum number of results"),
    flag("order", Kind::Text, "", "Order of results; ASCEND or DESCEND (ASCEND by default)"),
    flag("prefix", Kind::Bool, "false", "Get keys with matching prefix"),
    flag(
        "print-value-only",
        Kind::Bool,
        "false",
        "Only write values when using the \"simple\" output format",
    ),
    flag("rev", Kind::Int, "0", "Specify the kv revision"),
    flag("sort-by", Kind::Text, "", "Sort target; CREATE, KEY, MODIFY, VALUE, or VERSION"),
];

const PUT: &[Flag] = &[
    flag("ignore-lease", Kind::Bool, "false", "updates the key using its current lease"),
    flag("ignore-value", Kind::Bool, "false", "updates the key using its current value"),
    flag("lease", Kind::Text, "0", "lease ID (in hexadecimal) to attach to the key"),
    flag("prev-kv", Kind::Bool, "false", "return the previous key-value pair before modification"),
];

const DEL: &[Flag] = &[
    flag(
        "from-key",
        Kind::Bool,
        "false",
        "delete keys that are greater than or equal to the given key using byte compare",
    ),
    flag("prefix", Kind::Bool, "false", "delete keys with matching prefix"),
    flag("prev-kv", Kind::Bool, "false", "return deleted key-value pairs"),
    flag("range", Kind::Bool, "false", "delete range of keys"),
];

const WATCH: &[Flag] = &[
    Flag { short: 'i', ..flag("interactive", Kind::Bool, "false", "Interactive mode") },
    flag("prefix", Kind::Bool, "false", "Watch on a prefix if prefix is set"),
    flag(
        "prev-kv",
        Kind::Bool,
        "false",
        "get the previous key-value pair before the event happens",
    ),
    flag(
        "progress-notify",
        Kind::Bool,
        "false",
        "get periodic watch progress notification from server",
    ),
    flag("rev", Kind::Int, "0", "Revision to start watching"),
];

const CLUSTER: &[Flag] =
    &[flag("cluster", Kind::Bool, "false", "use all endpoints from the cluster member list")];

const COMPACTION: &[Flag] = &[flag(
    "physical",
    Kind::Bool,
    "false",
    "'true' to wait for compaction to physically remove all old revisions",
)];

/// The commands that there are here, in the order of their names.
pub(super) const COMMANDS: &[Command] = &[
    Command { name: "alarm list", usage: "alarm list", short: "Lists all alarms", flags: &[] },
    Command {
        name: "compaction",
        usage: "compaction [options] <revision>",
        short: "Compacts the event history in etcd",
        flags: COMPACTION,
    },
    Command {
        name: "defrag",
        usage: "defrag",
        short: "Defragments the storage of the etcd members with given endpoints",
        flags: CLUSTER,
    },
    Command {
        name: "del",
        usage: "del [options] <key> [range_end]",
        short: "Removes the specified key or range of keys [key, range_end)",
        flags: DEL,
    },
    Command {
        name: "endpoint health",
        usage: "endpoint health",
        short: "Checks the healthiness of endpoints specified in `--endpoints` flag",
        flags: CLUSTER,
    },
    Command {
        name: "endpoint status",
        usage: "endpoint status",
        short: "Prints out the status of endpoints specified in `--endpoints` flag",
        flags: CLUSTER,
    },
    Command {
        name: "get",
        usage: "get [options] <key> [range_end]",
        short: "Gets the key or a range of keys",
        flags: GET,
    },
    Command {
        name: "member list",
        usage: "member list",
        short: "Lists all members in the cluster",
        flags: &[],
    },
    Command {
        name: "put",
        usage: "put [options] <key> <value> (<value> can also be given from stdin)",
        short: "Puts the given key into the store",
        flags: PUT,
    },
    Command {
        name: "version",
        usage: "version",
        short: "Prints the version of etcdctl",
        flags: &[],
    },
    Command {
        name: "watch",
        usage: "watch [options] [key or prefix] [range_end] [--] [exec-command arg1 arg2 ...]",
        short: "Watches events stream on keys or prefixes",
        flags: WATCH,
    },
];

/// The program itself, called without a command.
pub(super) const ROOT: Command = Command {
    name: "etcdctl",
    usage: "",
    short: "A simple command line client for etcd3.",
    flags: &[],
};

/// What is told of a command line that cannot be read. Upstream prints help to standard output
/// and the error twice.
pub(super) fn misuse(command: &Command, why: &str) -> Failure {
    let out = text(command) + "\n";
    Failure { code: Failure::ERROR, out, err: format!("Error: {why}\n\nError: {why}\n") }
}

/// The help of a command.
pub(super) fn text(command: &Command) -> String {
    let (name, short, usage) = (command.name, command.short, command.usage);
    let last = name.rsplit(' ').next().unwrap_or(name);
    let mut text = format!("NAME:\n\t{last} - {short}\n\nUSAGE:\n\tetcdctl {usage} [flags]\n");
    if usage.is_empty() {
        text = format!("NAME:\n\t{last} - {short}\n\nUSAGE:\n\tetcdctl [flags]\n");
        text +=
            &format!("\nVERSION:\n\t{VERSION}\n\nAPI VERSION:\n\t{API_VERSION}\n\n\nCOMMANDS:\n");
        let rows = COMMANDS.iter().map(|c| (format!("\t{}", c.name), c.short.to_owned()));
        // The leading tab counts as a stop of its own.
        text += &columns(rows.collect(), 1);
    }
    let mut own: Vec<&Flag> = command.flags.iter().chain([&HELP]).collect();
    if usage.is_empty() {
        own.extend(GLOBAL);
    }
    own.sort_by_key(|flag| flag.name);
    text += &format!("\nOPTIONS:\n{}", columns(rows(&own, last), 0));
    if !usage.is_empty() {
        let global: Vec<&Flag> = GLOBAL.iter().collect();
        text += &format!("\nGLOBAL OPTIONS:\n{}", columns(rows(&global, last), 0));
    }
    text
}

fn rows(flags: &[&Flag], command: &str) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    for flag in flags {
        let letter = match flag.short {
            ' ' => "    ".to_owned(),
            short => format!("-{short}, "),
        };
        let default = match flag.kind {
            Kind::Bool => format!("[={}]", flag.default),
            Kind::Text => format!("=\"{}\"", flag.default),
            Kind::Int | Kind::Duration => format!("={}", flag.default),
        };
        let help = match flag.help {
            "" => format!("help for {command}"),
            help => help.to_owned(),
        };
        rows.push((format!("  {letter}--{}{default}", flag.name), help));
    }
    rows
}

/// Two columns with tabs between them, as Go's `text/tabwriter` sets them at stops of eight.
fn columns(rows: Vec<(String, String)>, skip: usize) -> String {
    const STOP: usize = 8;
    let width = rows.iter().map(|(left, _)| left.len() - skip + 1).max().unwrap_or(0);
    let width = width.next_multiple_of(STOP);
    let mut text = String::new();
    for (left, right) in rows {
        let tabs = (width - (left.len() - skip)).div_ceil(STOP);
        text += &format!("{left}{}{right}\n", "\t".repeat(tabs));
    }
    text
}
