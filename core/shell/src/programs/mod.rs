//! The programs that every image may carry.

mod awk;
mod base64;
mod cat;
mod cut;
pub(crate) mod date;
mod diff;
mod disk;
pub(crate) mod echo;
mod endless;
mod files;
mod grep;
mod head;
pub(crate) mod id;
mod lines;
mod ls;
pub(crate) mod net;
pub(crate) mod printf;
mod processes;
pub(crate) mod regex;
mod run;
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

use crate::shell::{Flavor, Shell};
use crate::{Errno, Program, ProgramTable, Sys, Vfs};
use tool::{Filter, Filtering, OneShot, Out};

/// A fresh instance of the program named.
fn load(name: &str) -> Option<Box<dyn Program>> {
    Some(match name {
        "[" | "test" => once(test::run),
        "ab" => Box::new(net::ab::Ab::default()),
        "ash" => Box::new(Shell::new(Flavor::Ash)),
        "awk" => filter::<awk::AwkProgram>(),
        "base64" => filter::<base64::Base64>(),
        "basename" => once(small::basename),
        "bash" => Box::new(Shell::new(Flavor::Bash)),
        "busybox-ps" => once(small::busybox_ps),
        "cat" => filter::<cat::Cat>(),
        "chmod" => once(files::chmod),
        "chown" => once(files::chown),
        "clear" => once(small::clear),
        "cp" => once(files::cp),
        "curl" => Box::new(net::curl::Curl::default()),
        "cut" => filter::<cut::Cut>(),
        "dash" => Box::new(Shell::new(Flavor::Dash)),
        "date" => once(date::run),
        "df" => once(disk::df),
        "diff" => once(diff::run),
        "dirname" => once(small::dirname),
        "du" => once(disk::du),
        "echo" => once(echo::run),
        "egrep" | "fgrep" | "grep" => filter::<grep::Grep>(),
        "env" => Box::new(run::Env::default()),
        "false" => once(small::no_indeed),
        "find" => once(small::find),
        "head" => filter::<head::Head>(),
        "hostname" => once(small::hostname),
        "id" => once(id::id),
        "kill" => once(small::kill),
        "killall" => once(processes::killall),
        "less" | "more" => filter::<lines::Pager>(),
        "ln" => once(files::ln),
        "ls" => once(ls::run),
        "mkdir" => once(files::mkdir),
        "mktemp" => once(small::mktemp),
        "mv" => once(files::mv),
        "nc" => Box::new(net::nc::Nc::default()),
        "nl" => filter::<lines::Nl>(),
        "nproc" => once(small::nproc),
        "nslookup" => Box::new(net::nslookup::Nslookup::default()),
        "pgrep" => once(processes::pgrep),
        "pkill" => once(processes::pkill),
        "printenv" => once(small::printenv),
        "printf" => once(printf::run),
        "ps" => once(small::ps),
        "pwd" => once(small::pwd),
        "readlink" => once(files::readlink),
        "rev" => filter::<lines::Rev>(),
        "rm" => once(files::rm),
        "rmdir" => once(files::rmdir),
        "sed" => filter::<sed::Sed>(),
        "seq" => Box::new(endless::Seq::default()),
        "sleep" => Box::new(endless::Sleep::default()),
        "sort" => filter::<sort::Sort>(),
        "stat" => once(files::stat),
        "tac" => filter::<lines::Tac>(),
        "tail" => Box::new(tail::TailProgram::new()),
        "tar" => Box::new(tar::Tar::default()),
        "tee" => filter::<tee::Tee>(),
        "time" => Box::new(run::TimeProgram::default()),
        "timeout" => Box::new(run::Timeout::default()),
        "touch" => once(files::touch),
        "tr" => filter::<tr::Tr>(),
        "true" => once(small::yes_indeed),
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
        _ => return None,
    })
}

/// Every name that [`load`] knows, sorted.
const NAMES: &[&str] = &[
    "[",
    "ab",
    "ash",
    "awk",
    "base64",
    "basename",
    "bash",
    "busybox-ps",
    "cat",
    "chmod",
    "chown",
    "clear",
    "cp",
    "curl",
    "cut",
    "dash",
    "date",
    "df",
    "diff",
    "dirname",
    "du",
    "echo",
    "egrep",
    "env",
    "false",
    "fgrep",
    "find",
    "grep",
    "head",
    "hostname",
    "id",
    "kill",
    "killall",
    "less",
    "ln",
    "ls",
    "mkdir",
    "mktemp",
    "more",
    "mv",
    "nc",
    "nl",
    "nproc",
    "nslookup",
    "pgrep",
    "pkill",
    "printenv",
    "printf",
    "ps",
    "pwd",
    "readlink",
    "rev",
    "rm",
    "rmdir",
    "sed",
    "seq",
    "sleep",
    "sort",
    "stat",
    "tac",
    "tail",
    "tar",
    "tee",
    "test",
    "time",
    "timeout",
    "touch",
    "tr",
    "true",
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
