//! What tells of the machine: `arch`, `realpath`, `sync`, `tty`.

use super::tool::Out;
use crate::Sys;

/// `arch`
pub fn arch(_sys: &mut dyn Sys, _args: &[String], out: &mut Out) -> i32 {
    out.line("x86_64");
    0
}

/// `sync`
pub fn sync(_sys: &mut dyn Sys, _args: &[String], _out: &mut Out) -> i32 {
    0
}

/// `tty`
pub fn tty(sys: &mut dyn Sys, _args: &[String], out: &mut Out) -> i32 {
    let mine = sys.processes().iter().find(|process| process.pid == sys.pid()).and_then(|p| p.tty);
    match mine.filter(|_| sys.is_tty(0)) {
        Some(tty) => out.line(format!("/dev/pts/{}", tty.0)),
        None => {
            out.line("not a tty");
            return 1;
        }
    }
    0
}

/// `realpath paths…`
pub fn realpath(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let paths: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    if paths.is_empty() {
        out.error("realpath: missing operand");
        out.error("Try 'realpath --help' for more information.");
        return 1;
    }
    let mut code = 0;
    for path in paths {
        let absolute = sys.absolute(path);
        match sys.fs().real_path(&absolute) {
            Ok(path) => out.line(path),
            Err(errno) => {
                out.error(format!("realpath: {path}: {errno}"));
                code = 1;
            }
        }
    }
    code
}
