//! `mkdir`, `rmdir`, `rm`, `cp`, `mv`, `touch`, `ln`, `chmod`, `chown`, `readlink`, `stat`:
//! programs that change or tell files.

use super::tool::{Options, Out};
use crate::{DirEntry, Errno, FileType, Stat, Sys, join};

/// `cmd: missing operand`, as coreutils say it.
fn missing_operand(name: &str, out: &mut Out) -> i32 {
    out.error(format!("{name}: missing operand"));
    out.error(format!("Try '{name} --help' for more information."));
    1
}

/// `mkdir [-p] [-m mode] dirs…`
pub fn mkdir(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let long = [("parents", 'p'), ("mode", 'm'), ("verbose", 'v')];
    let options = match Options::parse(sys, args, "pm:v", &long, out, 1) {
        Ok(options) => options,
        Err(code) => return code,
    };
    if options.operands.is_empty() {
        return missing_operand("mkdir", out);
    }
    let mut code = 0;
    for name in &options.operands {
        let path = sys.absolute(name);
        let made = if options.has('p') { sys.fs().mkdir_all(&path) } else { sys.fs().mkdir(&path) };
        if let Err(errno) = made {
            out.error(format!("mkdir: cannot create directory ‘{name}’: {errno}"));
            code = 1;
            continue;
        }
        if let Some(mode) = options.value('m').and_then(|text| u16::from_str_radix(text, 8).ok()) {
            // It was just made by this user.
            let _ = sys.fs().chmod(&path, mode);
        }
        if options.has('v') {
            out.line(format!("mkdir: created directory '{name}'"));
        }
    }
    code
}

/// `rmdir dirs…`
pub fn rmdir(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    if args.is_empty() {
        return missing_operand("rmdir", out);
    }
    let mut code = 0;
    for name in args.iter().filter(|arg| !arg.starts_with('-')) {
        let path = sys.absolute(name);
        let result = match sys.fs().lstat(&path) {
            Ok(stat) if !stat.is_dir() => Err(Errno::NotDirectory),
            Ok(_) => sys.fs().remove(&path),
            Err(errno) => Err(errno),
        };
        if let Err(errno) = result {
            out.error(format!("rmdir: failed to remove '{name}': {errno}"));
            code = 1;
        }
    }
    code
}

/// `rm [-rfv] files…`
pub fn rm(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let long = [("recursive", 'r'), ("force", 'f'), ("verbose", 'v')];
    let options = match Options::parse(sys, args, "rRfiIvd", &long, out, 1) {
        Ok(options) => options,
        Err(code) => return code,
    };
    if options.operands.is_empty() && !options.has('f') {
        return missing_operand("rm", out);
    }
    let recursive = options.has('r') || options.has('R');
    let mut code = 0;
    for name in &options.operands {
        let path = sys.absolute(name);
        let last = name.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        if recursive && matches!(last, "." | "..") {
            out.error(format!("rm: refusing to remove '.' or '..' directory: skipping '{name}'"));
            code = 1;
            continue;
        }
        if path == "/" && recursive {
            out.error("rm: it is dangerous to operate recursively on '/'");
            out.error("rm: use --no-preserve-root to override this failsafe");
            code = 1;
            continue;
        }
        let removed = match sys.fs().lstat(&path) {
            Err(Errno::NotFound) if options.has('f') => continue,
            Err(errno) => Err(errno),
            Ok(stat) if stat.is_dir() && recursive => sys.fs().remove_all(&path),
            Ok(stat) if stat.is_dir() && !options.has('d') => Err(Errno::IsDirectory),
            Ok(_) => sys.fs().remove(&path),
        };
        match removed {
            Ok(()) if options.has('v') => out.line(format!("removed '{name}'")),
            Ok(()) => {}
            Err(errno) => {
                out.error(format!("rm: cannot remove '{name}': {errno}"));
                code = 1;
            }
        }
    }
    code
}

/// Where each source goes: into the directory, or to the one name.
fn targets(
    sys: &mut dyn Sys,
    name: &str,
    options: &Options,
    out: &mut Out,
) -> Result<Vec<(String, String)>, i32> {
    let (last, sources) = match options.operands.split_last() {
        None => {
            out.error(format!("{name}: missing file operand"));
            out.error(format!("Try '{name} --help' for more information."));
            return Err(1);
        }
        Some((only, [])) => {
            out.error(format!("{name}: missing destination file operand after '{only}'"));
            out.error(format!("Try '{name} --help' for more information."));
            return Err(1);
        }
        Some(parts) => parts,
    };
    let target = sys.absolute(last);
    let into_dir = sys.fs().is_dir(&target) && !options.has('T');
    if sources.len() > 1 && !into_dir {
        let errno = if sys.fs().exists(&target) { Errno::NotDirectory } else { Errno::NotFound };
        out.error(format!("{name}: target '{last}': {errno}"));
        return Err(1);
    }
    Ok(sources
        .iter()
        .map(|source| {
            let base = source.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            let to = if into_dir { join(last, base) } else { last.clone() };
            (source.clone(), to)
        })
        .collect())
}

/// `cp [-rapfv] sources… target`
pub fn cp(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let long = [("recursive", 'r'), ("archive", 'a'), ("force", 'f'), ("verbose", 'v')];
    let options = match Options::parse(sys, args, "rRapfdLPnTuvi", &long, out, 1) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let pairs = match targets(sys, "cp", &options, out) {
        Ok(pairs) => pairs,
        Err(code) => return code,
    };
    let recursive = options.has('r') || options.has('R') || options.has('a');
    let mut code = 0;
    for (from, to) in pairs {
        let mut pending = vec![(from, to)];
        while let Some((from, to)) = pending.pop() {
            match copy_one(sys, &from, &to, recursive, options.has('a')) {
                Ok(below) => {
                    if options.has('v') {
                        out.line(format!("'{from}' -> '{to}'"));
                    }
                    let below = below.into_iter().rev();
                    pending.extend(below.map(|e| (join(&from, &e.name), join(&to, &e.name))));
                }
                Err(message) => {
                    out.error(format!("cp: {message}"));
                    code = 1;
                }
            }
        }
    }
    code
}

/// Copies one file; of a directory gives what is in it.
fn copy_one(
    sys: &mut dyn Sys,
    from: &str,
    to: &str,
    recursive: bool,
    keeps_links: bool,
) -> Result<Vec<DirEntry>, String> {
    let (source, target) = (sys.absolute(from), sys.absolute(to));
    let fs = sys.fs();
    let found = if keeps_links { fs.lstat(&source) } else { fs.stat(&source) };
    let stat = found.map_err(|errno| format!("cannot stat '{from}': {errno}"))?;
    if stat.is_dir() {
        if !recursive {
            return Err(format!("-r not specified; omitting directory '{from}'"));
        }
        if target == source || target.starts_with(&format!("{source}/")) {
            return Err(format!("cannot copy a directory, '{from}', into itself, '{to}'"));
        }
        if !fs.is_dir(&target) {
            fs.mkdir(&target)
                .map_err(|errno| format!("cannot create directory '{to}': {errno}"))?;
        }
        return fs.list(&source).map_err(|errno| format!("cannot access '{from}': {errno}"));
    }
    if source == target {
        return Err(format!("'{from}' and '{to}' are the same file"));
    }
    let create = |errno: Errno| format!("cannot create regular file '{to}': {errno}");
    if stat.kind == FileType::Symlink {
        let link = fs.read_link(&source).map_err(create)?;
        fs.symlink(&link, &target).map_err(create)?;
        return Ok(Vec::new());
    }
    if let Some(program) = fs.program(&source) {
        fs.install(&target, &program).map_err(create)?;
        return Ok(Vec::new());
    }
    let is_new = !fs.exists(&target);
    let written = match fs.read(&source) {
        Ok(bytes) => fs.write(&target, &bytes),
        Err(Errno::TooLarge) => fs.copy(&source, &target),
        Err(errno) => return Err(format!("cannot open '{from}' for reading: {errno}")),
    };
    written.map_err(|errno| match errno {
        Errno::NoSpace => format!("error writing '{to}': {errno}"),
        errno => create(errno),
    })?;
    if is_new {
        fs.chmod(&target, stat.mode).map_err(create)?;
    }
    Ok(Vec::new())
}

/// `mv [-fnv] sources… target`
pub fn mv(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let long = [("force", 'f'), ("no-clobber", 'n'), ("verbose", 'v')];
    let options = match Options::parse(sys, args, "fnivT", &long, out, 1) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let pairs = match targets(sys, "mv", &options, out) {
        Ok(pairs) => pairs,
        Err(code) => return code,
    };
    let mut code = 0;
    for (from, to) in pairs {
        let (source, target) = (sys.absolute(&from), sys.absolute(&to));
        if options.has('n') && sys.fs().exists(&target) {
            continue;
        }
        match move_one(sys, &source, &target) {
            Ok(()) if options.has('v') => out.line(format!("renamed '{from}' -> '{to}'")),
            Ok(()) => {}
            Err(errno) => {
                code = 1;
                out.error(match errno {
                    Errno::NotFound if sys.fs().lstat(&source).is_err() => {
                        format!("mv: cannot stat '{from}': {errno}")
                    }
                    Errno::Invalid => {
                        format!("mv: cannot move '{from}' to a subdirectory of itself, '{to}'")
                    }
                    errno => format!("mv: cannot move '{from}' to '{to}': {errno}"),
                });
            }
        }
    }
    code
}

/// Renames, or copies and removes where that cannot be.
fn move_one(sys: &mut dyn Sys, source: &str, target: &str) -> Result<(), Errno> {
    match sys.fs().rename(source, target) {
        Err(Errno::CrossDevice) => {}
        other => return other,
    }
    let mut pending = vec![(source.to_string(), target.to_string())];
    while let Some((from, to)) = pending.pop() {
        let below = copy_one(sys, &from, &to, true, true).map_err(|_| Errno::Io)?;
        pending.extend(below.iter().map(|e| (join(&from, &e.name), join(&to, &e.name))));
    }
    sys.fs().remove_all(source)
}

/// `touch [-c] files…`
pub fn touch(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let options = match Options::parse(sys, args, "acmd:t:r:", &[("no-create", 'c')], out, 1) {
        Ok(options) => options,
        Err(code) => return code,
    };
    if options.operands.is_empty() {
        out.error("touch: missing file operand");
        out.error("Try 'touch --help' for more information.");
        return 1;
    }
    let mut code = 0;
    for name in &options.operands {
        let path = sys.absolute(name);
        if options.has('c') && !sys.fs().exists(&path) {
            continue;
        }
        if let Err(errno) = sys.fs().touch(&path) {
            out.error(format!("touch: cannot touch '{name}': {errno}"));
            code = 1;
        }
    }
    code
}

/// `ln [-sf] target [link]`
pub fn ln(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let long = [("symbolic", 's'), ("force", 'f')];
    let options = match Options::parse(sys, args, "sfnvT", &long, out, 1) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let (target, name) = match options.operands.as_slice() {
        [] => return missing_operand("ln", out),
        [target] => (
            target,
            target.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_string(),
        ),
        [target, name, ..] => (target, name.clone()),
    };
    let mut path = sys.absolute(&name);
    if sys.fs().is_dir(&path) && !options.has('n') {
        path = join(&path, target.rsplit('/').next().unwrap_or_default());
    }
    if options.has('f') && sys.fs().lstat(&path).is_ok_and(|stat| !stat.is_dir()) {
        // If it cannot be removed, the link below says why.
        let _ = sys.fs().remove(&path);
    }
    let symbolic = options.has('s');
    let made = if symbolic {
        sys.fs().symlink(target, &path)
    } else {
        let existing = sys.absolute(target);
        sys.fs().link(&existing, &path)
    };
    match made {
        Ok(()) => 0,
        Err(errno) => {
            let kind = if symbolic { "symbolic" } else { "hard" };
            out.error(format!("ln: failed to create {kind} link '{name}': {errno}"));
            1
        }
    }
}

/// `chmod [-R] mode files…`
pub fn chmod(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let recursive = args.iter().any(|arg| arg == "-R");
    let mut operands = args.iter().filter(|arg| *arg != "-R");
    let Some(mode) = operands.next() else { return missing_operand("chmod", out) };
    let names: Vec<&String> = operands.collect();
    if names.is_empty() {
        out.error(format!("chmod: missing operand after ‘{mode}’"));
        out.error("Try 'chmod --help' for more information.");
        return 1;
    }
    if new_mode(mode, 0, false).is_none() {
        out.error(format!("chmod: invalid mode: ‘{mode}’"));
        out.error("Try 'chmod --help' for more information.");
        return 1;
    }
    let mut code = 0;
    for (path, name) in each_path(sys, &names, recursive) {
        let result = sys.fs().stat(&path).and_then(|stat| {
            let bits = new_mode(mode, stat.mode, stat.is_dir()).unwrap_or(stat.mode);
            sys.fs().chmod(&path, bits)
        });
        if let Err(errno) = result {
            out.error(match errno {
                Errno::NotFound => format!("chmod: cannot access '{name}': {errno}"),
                errno => format!("chmod: changing permissions of '{name}': {errno}"),
            });
            code = 1;
        }
    }
    code
}

/// The paths named, and with `recursive` those below them.
fn each_path(sys: &mut dyn Sys, names: &[&String], recursive: bool) -> Vec<(String, String)> {
    let mut pending: Vec<(String, String)> =
        names.iter().rev().map(|name| (sys.absolute(name), (*name).clone())).collect();
    let mut all = Vec::new();
    while let Some((path, name)) = pending.pop() {
        if recursive && sys.fs().lstat(&path).is_ok_and(|stat| stat.is_dir()) {
            let entries = sys.fs().list(&path).unwrap_or_default();
            pending.extend(entries.iter().map(|e| (join(&path, &e.name), join(&name, &e.name))));
        }
        all.push((path, name));
    }
    all
}

/// The mode that `755` or `u+x,go-w` makes of `old`.
fn new_mode(text: &str, old: u16, is_dir: bool) -> Option<u16> {
    if let Ok(mode) = u16::from_str_radix(text, 8) {
        return (mode <= 0o7777).then_some(mode);
    }
    let mut mode = old;
    for clause in text.split(',') {
        let at = clause.find(['+', '-', '='])?;
        let (who, rest) = clause.split_at(at);
        let op = rest.chars().next()?;
        let mut who_bits = 0;
        for c in who.chars() {
            who_bits |= match c {
                'u' => 0o700,
                'g' => 0o070,
                'o' => 0o007,
                'a' => 0o777,
                _ => return None,
            };
        }
        if who.is_empty() {
            who_bits = 0o777;
        }
        let mut bits = 0;
        for c in rest.chars().skip(1) {
            bits |= match c {
                'r' => 0o444,
                'w' => 0o222,
                'x' => 0o111,
                'X' if is_dir || old & 0o111 != 0 => 0o111,
                'X' => 0,
                't' => 0o1000,
                's' => 0o6000,
                _ => return None,
            };
        }
        let special = (who_bits & 0o100) << 5 | (who_bits & 0o010) << 7 | 0o1000;
        let chosen = bits & (who_bits | special);
        mode = match op {
            '+' => mode | chosen,
            '-' => mode & !chosen,
            _ => mode & !who_bits | chosen,
        };
    }
    Some(mode)
}

/// `chown [-R] user[:group] files…`
pub fn chown(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let recursive = args.iter().any(|arg| arg == "-R");
    let mut operands = args.iter().filter(|arg| *arg != "-R");
    let Some(owner) = operands.next() else { return missing_operand("chown", out) };
    let names: Vec<&String> = operands.collect();
    let (user, group) = owner.split_once(':').unwrap_or((owner, ""));
    let uid = if user.is_empty() { None } else { super::id::user_number(sys, user) };
    if !user.is_empty() && uid.is_none() {
        out.error(format!("chown: invalid user: ‘{owner}’"));
        return 1;
    }
    let mut code = 0;
    for (path, name) in each_path(sys, &names, recursive) {
        let result = sys.fs().stat(&path).and_then(|stat| {
            let uid = uid.unwrap_or(stat.uid);
            let gid = group.parse().unwrap_or(if group.is_empty() { stat.gid } else { uid });
            sys.fs().chown(&path, uid, gid)
        });
        if let Err(errno) = result {
            out.error(match errno {
                Errno::NotFound => format!("chown: cannot access '{name}': {errno}"),
                errno => format!("chown: changing ownership of '{name}': {errno}"),
            });
            code = 1;
        }
    }
    code
}

/// `readlink [-f] files…`
pub fn readlink(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let options = match Options::parse(sys, args, "fenm", &[], out, 1) {
        Ok(options) => options,
        Err(code) => return code,
    };
    if options.operands.is_empty() {
        return missing_operand("readlink", out);
    }
    let mut code = 0;
    for name in &options.operands {
        let path = sys.absolute(name);
        let followed = options.has('f') || options.has('e');
        let target = if followed { sys.fs().real_path(&path) } else { sys.fs().read_link(&path) };
        match target {
            Ok(target) => out.line(target),
            Err(_) => code = 1,
        }
    }
    code
}

/// `stat [-c format] files…`
pub fn stat(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let options = match Options::parse(sys, args, "c:Lt", &[("format", 'c')], out, 1) {
        Ok(options) => options,
        Err(code) => return code,
    };
    if options.operands.is_empty() {
        return missing_operand("stat", out);
    }
    let mut code = 0;
    for name in &options.operands {
        let path = sys.absolute(name);
        let found = if options.has('L') { sys.fs().stat(&path) } else { sys.fs().lstat(&path) };
        match found {
            Ok(stat) => {
                let text = match options.value('c') {
                    Some(format) => stat_fields(sys, format, name, &stat),
                    None => stat_text(sys, name, &stat),
                };
                out.line(text);
            }
            Err(errno) => {
                out.error(format!("stat: cannot statx '{name}': {errno}"));
                code = 1;
            }
        }
    }
    code
}

fn kind_text(stat: &Stat) -> &'static str {
    match stat.kind {
        FileType::Directory => "directory",
        FileType::Symlink => "symbolic link",
        FileType::Device => "character special file",
        FileType::BlockDevice => "block special file",
        FileType::Socket => "socket",
        FileType::File if stat.size == 0 => "regular empty file",
        FileType::File => "regular file",
    }
}

fn stat_fields(sys: &mut dyn Sys, format: &str, name: &str, stat: &Stat) -> String {
    let mut text = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => text.push_str(name),
            Some('s') => text.push_str(&stat.size.to_string()),
            Some('a') => text.push_str(&format!("{:o}", stat.mode)),
            Some('A') => text.push_str(&super::ls::mode_text(stat)),
            Some('u') => text.push_str(&stat.uid.to_string()),
            Some('g') => text.push_str(&stat.gid.to_string()),
            Some('U') => text.push_str(&super::id::user_name(sys, stat.uid)),
            Some('G') => text.push_str(&super::id::group_name(sys, stat.gid)),
            Some('F') => text.push_str(kind_text(stat)),
            Some('i') => text.push_str(&stat.ino.to_string()),
            Some('h') => text.push_str(&stat.links.to_string()),
            Some('Y') => text.push_str(&(stat.mtime.unix_micros() / 1_000_000).to_string()),
            Some(other) => text.extend(['%', other]),
            None => text.push('%'),
        }
    }
    text
}

fn stat_text(sys: &mut dyn Sys, name: &str, stat: &Stat) -> String {
    let (user, group) = (super::id::user_name(sys, stat.uid), super::id::group_name(sys, stat.gid));
    let when = super::date::format(stat.mtime, "%Y-%m-%d %H:%M:%S.000000000 +0000");
    format!(
        "  File: {name}\n  Size: {:<10}\tBlocks: {:<10} IO Block: 4096   {}\n\
         Device: 0,1\tInode: {:<11} Links: {}\n\
         Access: ({:04o}/{})  Uid: ({:>5}/{user:>8})   Gid: ({:>5}/{group:>8})\n\
         Access: {when}\nModify: {when}\nChange: {when}\n Birth: -",
        stat.size,
        stat.size.div_ceil(512),
        kind_text(stat),
        stat.ino,
        stat.links,
        stat.mode,
        super::ls::mode_text(stat),
        stat.uid,
        stat.gid,
    )
}
