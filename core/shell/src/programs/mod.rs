//! The programs that every image may carry.

mod awk;
mod base64;
mod busybox;
mod cat;
mod cut;
pub(crate) mod date;
mod dd;
mod diff;
mod disk;
pub(crate) mod echo;
mod endless;
mod expr;
mod files;
mod grep;
mod head;
pub(crate) mod id;
mod less;
mod ls;
mod machine;
mod mount;
mod nano;
pub(crate) mod net;
pub(crate) mod printf;
mod processes;
pub(crate) mod regex;
mod run;
mod screen;
mod sed;
mod small;
mod sort;
mod tail;
mod tar;
mod tee;
pub(crate) mod test;
mod tool;
mod tr;
mod uniq;
mod vi;
mod wc;
mod whole;

use crate::shell::{Flavor, Shell};
use crate::{Errno, Program, ProgramTable, Sys, Vfs};
use tool::{Filter, Filtering, OneShot, Out};

/// A fresh instance of the program named.
fn load(name: &str) -> Option<Box<dyn Program>> {
    Some(match name {
        "[" | "test" => once(test::run),
        "arch" => once(machine::arch),
        "ab" => Box::new(net::ab::Ab::default()),
        "ash" => Box::new(Shell::new(Flavor::Ash)),
        "awk" | "mawk" => filter::<awk::Awk>(),
        "base64" => filter::<base64::Base64>(),
        "basename" => once(small::basename),
        "bash" => Box::new(Shell::new(Flavor::Bash)),
        "capsh" => once(mount::capsh),
        "cat" => filter::<cat::Cat>(),
        "chmod" => once(files::chmod),
        "chown" => once(files::chown),
        "chroot" => Box::new(mount::Chroot::default()),
        "clear" => once(small::clear),
        "cmp" | "md5sum" | "nl" | "paste" | "rev" | "sha1sum" | "sha256sum" | "sha512sum"
        | "tac" => filter::<whole::Whole>(),
        "conntrack" => once(net::admin::conntrack::run),
        "cp" => once(files::cp),
        "curl" => Box::new(net::curl::Curl::default()),
        "cut" => filter::<cut::Cut>(),
        "dash" => Box::new(Shell::new(Flavor::Dash)),
        "date" => once(date::run),
        "dd" => Box::new(dd::Dd::default()),
        "df" => once(disk::df),
        "diff" => filter::<diff::Diff>(),
        "dig" => Box::new(net::dig::Dig::default()),
        "dirname" => once(small::dirname),
        "du" => once(disk::du),
        "echo" => once(echo::run),
        "egrep" | "fgrep" | "grep" => filter::<grep::Grep>(),
        "env" => Box::new(run::Env::default()),
        "expr" => once(expr::run),
        "fallocate" => once(dd::fallocate::run),
        "false" => once(small::no_indeed),
        "find" => once(small::find),
        "head" => filter::<head::Head>(),
        "hostname" => once(small::hostname),
        "id" => once(id::id),
        "ip" => once(net::admin::ip::iproute),
        "iptables" => once(net::admin::iptables::iptables),
        "iptables-restore" => Box::new(net::admin::iptables::Restore::default()),
        "iptables-save" => once(net::admin::iptables::save),
        "kill" => once(small::kill),
        "less" | "more" => Box::new(less::Less::default()),
        "killall" => once(processes::killall),
        "ln" => once(files::ln),
        "ls" => once(ls::run),
        "mkdir" => once(files::mkdir),
        "mknod" => once(mount::mknod),
        "mktemp" => once(small::mktemp),
        "mount" => once(mount::mount),
        "mv" => once(files::mv),
        "nano" => Box::new(nano::Nano::default()),
        "nc" => Box::new(net::nc::Nc::default()),
        "nproc" => once(small::nproc),
        "nslookup" => Box::new(net::nslookup::Nslookup::default()),
        "ping" => Box::new(net::ping::Ping::new(net::ping::Flavor::Iputils)),
        "pgrep" => once(processes::pgrep),
        "pkill" => once(processes::pkill),
        "printenv" => once(small::printenv),
        "printf" => once(printf::run),
        "ps" => once(small::ps),
        "pwd" => once(small::pwd),
        "readlink" => once(files::readlink),
        "realpath" => once(machine::realpath),
        "rm" => once(files::rm),
        "rmdir" => once(files::rmdir),
        "sed" => filter::<sed::Sed>(),
        "seq" => Box::new(endless::Seq::default()),
        "sleep" => Box::new(endless::Sleep::default()),
        "sort" => filter::<sort::Sort>(),
        "ss" => once(net::admin::ss::run),
        "stat" => once(files::stat),
        "sync" => once(machine::sync),
        "tail" => Box::new(tail::TailProgram::new()),
        "tar" => Box::new(tar::Tar::default()),
        "tcpdump" => Box::new(net::admin::tcpdump::Tcpdump::default()),
        "tee" => filter::<tee::Tee>(),
        "time" => Box::new(run::TimeProgram::default()),
        "timeout" => Box::new(run::Timeout::default()),
        "touch" => once(files::touch),
        "tr" => filter::<tr::Tr>(),
        "true" => once(small::yes_indeed),
        "tty" => once(machine::tty),
        "umount" => once(mount::umount),
        "uname" => once(small::uname),
        "uniq" => filter::<uniq::Uniq>(),
        "vi" | "vim" => Box::new(vi::Vi::default()),
        "watch" => Box::new(run::Watch::new()),
        "wc" => filter::<wc::Wc>(),
        "wget" => Box::new(net::wget::Wget::default()),
        "which" => once(small::which),
        "whoami" => once(id::whoami),
        "xargs" => Box::new(run::Xargs::default()),
        "yes" => Box::new(endless::Yes::default()),
        _ => return applet(name),
    })
}

/// Programs that Busybox words otherwise than those that stand alone.
fn applet(name: &str) -> Option<Box<dyn Program>> {
    Some(match name {
        "busybox" => Box::new(busybox::Busybox::default()),
        "busybox 1.28 nslookup" => Box::new(net::nslookup::OldNslookup::default()),
        "busybox mount" => once(mount::busybox_mount),
        "busybox nc" => Box::new(net::nc::Nc::busybox()),
        "busybox nslookup" => Box::new(net::nslookup::BusyboxNslookup::default()),
        "busybox ip" => once(net::admin::ip::busybox),
        "busybox ps" => once(small::busybox_ps),
        "busybox ping" => Box::new(net::ping::Ping::new(net::ping::Flavor::Busybox)),
        _ => return None,
    })
}

/// Every name that [`load`] knows, sorted, but for those of [`applet`].
const NAMES: &[&str] = &[
    "[",
    "ab",
    "arch",
    "ash",
    "awk",
    "base64",
    "basename",
    "bash",
    "capsh",
    "cat",
    "chmod",
    "chown",
    "chroot",
    "clear",
    "cmp",
    "conntrack",
    "cp",
    "curl",
    "cut",
    "dash",
    "date",
    "dd",
    "df",
    "diff",
    "dig",
    "dirname",
    "du",
    "echo",
    "egrep",
    "env",
    "expr",
    "fallocate",
    "false",
    "fgrep",
    "find",
    "grep",
    "head",
    "hostname",
    "id",
    "ip",
    "iptables",
    "iptables-restore",
    "iptables-save",
    "kill",
    "killall",
    "less",
    "ln",
    "ls",
    "mawk",
    "md5sum",
    "mkdir",
    "mknod",
    "mktemp",
    "more",
    "mount",
    "mv",
    "nano",
    "nc",
    "nl",
    "nproc",
    "nslookup",
    "paste",
    "pgrep",
    "ping",
    "pkill",
    "printenv",
    "printf",
    "ps",
    "pwd",
    "readlink",
    "realpath",
    "rev",
    "rm",
    "rmdir",
    "sed",
    "seq",
    "sha1sum",
    "sha256sum",
    "sha512sum",
    "sleep",
    "sort",
    "ss",
    "stat",
    "sync",
    "tac",
    "tail",
    "tar",
    "tcpdump",
    "tee",
    "test",
    "time",
    "timeout",
    "touch",
    "tr",
    "true",
    "tty",
    "umount",
    "uname",
    "uniq",
    "vi",
    "vim",
    "watch",
    "wc",
    "wget",
    "which",
    "whoami",
    "xargs",
    "yes",
];

fn once(run: fn(&mut dyn Sys, &[String], &mut Out) -> i32) -> Box<dyn Program> {
    Box::new(OneShot::new(run))
}

fn filter<T: Filter>() -> Box<dyn Program> {
    Box::new(Filtering::<T>::new())
}

struct Standard;

impl ProgramTable for Standard {
    fn load(&self, name: &str) -> Option<Box<dyn Program>> {
        load(name)
    }
}

/// The shells (`bash`, `dash`, `ash`), the core utilities and the network tools, by name. Who has
/// more programs answers for those and asks this table for the rest.
pub fn standard_programs() -> &'static dyn ProgramTable {
    &Standard
}

/// The names of the standard programs.
pub fn standard_program_names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().copied()
}

/// Installs the programs that `names` says in the directory `dir`, and `/bin/sh` as the shell
/// `shell` (`bash`, `dash` or `ash`).
pub fn install_programs<'a>(
    fs: &mut Vfs,
    dir: &str,
    names: impl IntoIterator<Item = &'a str>,
    shell: &str,
) -> Result<(), Errno> {
    for name in names {
        fs.install(&crate::join(dir, name), name)?;
    }
    fs.install("/bin/sh", shell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_program() {
        assert!(NAMES.is_sorted());
        for name in NAMES {
            assert!(load(name).is_some(), "{name}");
        }
    }
}
