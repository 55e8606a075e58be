//! Sets of programs that images have: which files, and which of the shell's programs they are.

/// The applets of busybox, all of them in `/bin`.
const BUSYBOX: &[&str] = &[
    "[", "arch", "awk", "base64", "basename", "cat", "chmod", "chown", "clear", "cmp", "cp",
    "cut", "date", "dd", "df", "diff", "dirname", "du", "echo", "egrep", "env", "expr", "false",
    "fgrep", "find", "free", "grep", "head", "hostname", "id", "ifconfig", "ip", "kill", "killall",
    "less", "ln", "ls", "md5sum", "mkdir", "mktemp", "more", "mount", "mv", "nc", "netstat",
    "nslookup", "od", "pgrep", "ping", "pkill", "printenv", "printf", "ps", "pwd", "readlink",
    "realpath", "rm", "rmdir", "route", "sed", "seq", "sh", "sha256sum", "sleep", "sort", "stat",
    "sync", "tac", "tail", "tar", "tee", "telnet", "test", "time", "timeout", "top", "touch", "tr",
    "true", "tty", "umount", "uname", "uniq", "uptime", "vi", "watch", "wc", "wget", "which",
    "whoami", "xargs", "yes",
];

/// What a Debian or a Red Hat has without any package more.
const COREUTILS: &[&str] = &[
    "[", "arch", "awk", "base64", "basename", "cat", "chmod", "chown", "clear", "cmp", "cp",
    "cut", "date", "dd", "df", "diff", "dirname", "du", "echo", "egrep", "env", "expr", "false",
    "fgrep", "find", "grep", "head", "hostname", "id", "kill", "ln", "ls", "md5sum", "mkdir",
    "mktemp", "more", "mount", "mv", "od", "printenv", "printf", "pwd", "readlink", "realpath",
    "rm", "rmdir", "sed", "seq", "sh", "sha256sum", "sleep", "sort", "stat", "sync", "tac", "tail",
    "tar", "tee", "test", "timeout", "touch", "tr", "true", "tty", "umount", "uname", "uniq",
    "uptime", "wc", "which", "whoami", "xargs", "yes",
];

/// What looks at the network and at processes.
const NETTOOLS: &[&str] =
    &["dig", "ip", "nc", "netstat", "nslookup", "ping", "ps", "ss", "top", "traceroute"];

/// The files of a set, each with the name of its program; empty for a name that is no set.
/// A program that the shell does not have is left out, so that calling it says that it is not
/// there.
pub fn set(name: &str) -> impl Iterator<Item = (String, &'static str)> {
    let (folder, names): (_, &[&'static str]) = match name {
        "busybox" => ("/bin", BUSYBOX),
        "coreutils" => ("/bin", COREUTILS),
        "nettools" => ("/usr/bin", NETTOOLS),
        "bash" => ("/bin", &["bash"]),
        "curl" => ("/usr/bin", &["curl"]),
        "wget" => ("/usr/bin", &["wget"]),
        _ => ("", &[]),
    };
    names.iter().map(move |name| (format!("{folder}/{name}"), *name))
}
