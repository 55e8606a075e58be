//! `mount`, `umount`, `chroot`, `mknod` and `capsh`: what only an administrator may do, and what that
//! takes.
//!
//! Upstream: util-linux 2.38, coreutils 9.1, libcap 2.66; `util-linux/mount.c` of Busybox.

use super::run::not_started;
use super::tool::{Options, Out, finish, is_busybox};
use crate::caps::{Cap, Caps};
use crate::{Errno, Program, Step, Sys, Tree};

/// Programs that speak in another's words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Words {
    UtilLinux,
    Busybox,
}

/// `mount` of util-linux.
pub fn mount(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    run(sys, args, out, Words::UtilLinux)
}

/// `mount` of Busybox.
pub fn busybox_mount(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    run(sys, args, out, Words::Busybox)
}

/// `mount [-t tmpfs] [-o options] [--bind] what where`; without arguments what is mounted.
fn run(sys: &mut dyn Sys, args: &[String], out: &mut Out, words: Words) -> i32 {
    let long = [("bind", 'B'), ("types", 't'), ("options", 'o')];
    let options = match Options::parse(sys, args, "t:o:rwBv", &long, out, 1) {
        Ok(options) => options,
        Err(code) => return code,
    };
    if options.operands.is_empty() {
        let table = sys.fs().read_text("/proc/mounts").unwrap_or_default();
        for line in table.lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            if let [what, place, kind, how, ..] = fields.as_slice() {
                out.line(format!("{what} on {place} type {kind} ({how})"));
            }
        }
        return 0;
    }
    let [what, place] = options.operands.as_slice() else {
        let only = options.operands.first().map_or("", String::as_str);
        out.error(match words {
            Words::UtilLinux => format!("mount: {only}: can't find in /etc/fstab."),
            Words::Busybox => format!("mount: can't find {only} in /etc/fstab"),
        });
        return 1;
    };
    let kind = options.value('t').unwrap_or_default().to_owned();
    let bind = options.has('B') || options.value('o').is_some_and(|how| how.contains("bind"));
    let from = bind.then(|| sys.absolute(what));
    let at = sys.absolute(place);
    if !sys.caps().has(Cap::SysAdmin) {
        out.error(match words {
            Words::UtilLinux if sys.uid() != 0 => {
                format!("mount: {place}: must be superuser to use mount.")
            }
            Words::UtilLinux => format!(
                "mount: {place}: permission denied.\n       dmesg(1) may have more information \
                 after failed mount system call."
            ),
            Words::Busybox => "mount: permission denied (are you root?)".to_owned(),
        });
        return if words == Words::Busybox { 1 } else { 32 };
    }
    let tree = match (kind.as_str(), from) {
        (_, Some(from)) => sys.fs().copy_tree(&from),
        ("tmpfs" | "ramfs", None) => Ok(Tree::new()),
        _ => Err(Errno::NoDevice),
    };
    let mounted = tree.and_then(|tree| sys.fs().mount(&at, tree, options.has('r')));
    if mounted.is_ok() && !bind {
        sys.fs().set_in_memory(&at, None);
    }
    match mounted {
        Ok(()) => 0,
        Err(Errno::NoDevice) => {
            out.error(format!(
                "mount: naru: only tmpfs and --bind are simulated, not {what} of type {kind:?}"
            ));
            32
        }
        Err(errno) => {
            out.error(match (words, errno) {
                (Words::Busybox, errno) => {
                    format!("mount: mounting {what} on {place} failed: {errno}")
                }
                (_, Errno::NotFound) => format!(
                    "mount: {place}: mount point does not exist.\n       dmesg(1) may have more \
                     information after failed mount system call."
                ),
                (_, errno) => format!("mount: {place}: {errno}."),
            });
            if words == Words::Busybox { 255 } else { 32 }
        }
    }
}

/// `umount places…`
pub fn umount(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let mut code = 0;
    for place in args.iter().filter(|arg| !arg.starts_with('-')) {
        let at = sys.absolute(place);
        if !sys.caps().has(Cap::SysAdmin) {
            out.error(format!("umount: {place}: must be superuser to unmount."));
            code = 32;
        } else if sys.fs().mounted(&at).is_none() {
            out.error(format!("umount: {place}: not mounted."));
            code = 32;
        } else {
            sys.fs().unmount(&at);
        }
    }
    code
}

/// `mknod` is refused or not simulated: a container has the devices that it is given.
pub fn mknod(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let Some(path) = args.iter().find(|arg| !arg.starts_with('-')) else {
        out.error("mknod: missing operand\nTry 'mknod --help' for more information.");
        return 1;
    };
    let mknod = Caps::named("MKNOD");
    if sys.caps().without(mknod) == sys.caps() {
        out.error(format!("mknod: {path}: Operation not permitted"));
        return 1;
    }
    out.error("mknod: naru: devices of one's own are not simulated");
    1
}

/// `capsh --decode=HEX` and `capsh --print`, as far as they tell of capabilities.
pub fn capsh(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    for arg in args {
        if let Some(hex) = arg.strip_prefix("--decode=") {
            let hex = hex.trim_start_matches("0x");
            let caps = Caps::from_bits(u64::from_str_radix(hex, 16).unwrap_or(0));
            let names: Vec<String> = caps.names().collect();
            out.line(format!("0x{caps}={}", names.join(",")));
        } else if arg == "--print" {
            let caps = sys.caps();
            let names: Vec<String> = caps.names().collect();
            let current = match caps {
                Caps::ALL => "=ep".to_owned(),
                Caps::NONE => "=".to_owned(),
                _ => format!("{}=ep", names.join(",")),
            };
            out.line(format!("Current: {current}"));
            out.line(format!("Bounding set ={}", names.join(",")));
            out.line("Ambient set =");
        } else {
            out.error(format!("usage: capsh [args ...]\n  naru: {arg} is not simulated"));
            return 1;
        }
    }
    0
}

/// `chroot directory [command…]`
#[derive(Clone, Debug, Default)]
pub struct Chroot {
    out: Out,
    code: Option<i32>,
}

impl Chroot {
    fn enter(&mut self, sys: &mut dyn Sys) -> Result<(), i32> {
        let args: Vec<String> = sys.args().iter().skip(1).cloned().collect();
        let mut words = args.iter().skip_while(|arg| arg.starts_with("--"));
        let Some(root) = words.next() else {
            self.out.error("chroot: missing operand\nTry 'chroot --help' for more information.");
            return Err(125);
        };
        let path = sys.absolute(root);
        let busybox = is_busybox(sys);
        sys.chroot(&path).map_err(|errno| {
            let verb = if busybox { "can't" } else { "cannot" };
            self.out.error(format!("chroot: {verb} change root directory to '{root}': {errno}"));
            if busybox { 1 } else { 125 }
        })?;
        let mut command: Vec<String> = words.cloned().collect();
        if command.is_empty() {
            let shell = sys.env().get("SHELL").cloned().unwrap_or_else(|| "/bin/sh".to_owned());
            command = vec![shell, "-i".to_owned()];
        }
        let (name, env) = (command.first().cloned().unwrap_or_default(), sys.env().clone());
        sys.exec(command, env).map_err(|errno| not_started("chroot", &name, errno, &mut self.out))
    }
}

impl Program for Chroot {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        let code = match self.code {
            Some(code) => code,
            None => match self.enter(sys) {
                Ok(()) => return Step::Yield,
                Err(code) => *self.code.insert(code),
            },
        };
        finish(&mut self.out, sys, code)
    }
}
