//! `tar`

use super::tool::{Out, finish};
use crate::tar::{self, Entry, Kind};
use crate::{Errno, Program, Step, Sys, join};

/// Bytes of an archive.
const ARCHIVE_MAX: usize = 64 << 20;
/// Folders within folders.
const DEPTH_MAX: usize = 64;

/// What to do.
#[derive(Clone, Debug, Default)]
struct Options {
    /// `c`, `x` or `t`.
    mode: Option<char>,
    /// The archive; "-" is standard input or output.
    file: String,
    folder: Option<String>,
    verbose: bool,
    /// Do not keep the times of files.
    touch: bool,
    operands: Vec<String>,
}

/// `tar -c|-x|-t [-vmz] [-f archive] [-C folder] files…`
#[derive(Clone, Debug, Default)]
pub struct Tar {
    started: bool,
    options: Options,
    archive: Vec<u8>,
    out: Out,
    code: Option<i32>,
}

impl Program for Tar {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if !std::mem::replace(&mut self.started, true) {
            let args: Vec<String> = sys.args().iter().skip(1).cloned().collect();
            self.code = self.start(sys, &args).err();
        }
        if let Some(code) = self.code {
            return finish(&mut self.out, sys, code);
        }
        loop {
            match sys.read(0, 64 << 10) {
                Ok(bytes) if bytes.is_empty() => break,
                Ok(bytes) => self.archive.extend(bytes),
                Err(Errno::Again) => return Step::Block { until: None },
                Err(errno) => {
                    self.out.error(format!("tar: -: Cannot read: {errno}"));
                    return finish(&mut self.out, sys, *self.code.insert(2));
                }
            }
            if self.archive.len() > ARCHIVE_MAX {
                self.out.error("tar: the archive is too large");
                return finish(&mut self.out, sys, *self.code.insert(2));
            }
        }
        let archive = std::mem::take(&mut self.archive);
        let code = self.unpack(sys, &archive);
        finish(&mut self.out, sys, *self.code.insert(code))
    }
}

impl Tar {
    /// `Err`: it has ended with this code. `Ok`: the archive is to be read from standard input.
    fn start(&mut self, sys: &mut dyn Sys, args: &[String]) -> Result<(), i32> {
        self.options = match parse(args) {
            Ok(options) => options,
            Err(why) => {
                self.out.error(format!("tar: {why}"));
                self.out.error("Try 'tar --help' or 'tar --usage' for more information.");
                return Err(2);
            }
        };
        match self.options.mode {
            Some('c') => Err(self.create(sys)),
            Some(_) if self.options.file == "-" => Ok(()),
            Some(_) => {
                let (path, name) = (sys.absolute(&self.options.file), self.options.file.clone());
                match sys.fs().read(&path) {
                    Ok(bytes) => Err(self.unpack(sys, &bytes)),
                    Err(errno) => {
                        self.out.error(format!("tar: {name}: Cannot open: {errno}"));
                        self.out.error("tar: Error is not recoverable: exiting now");
                        Err(2)
                    }
                }
            }
            None => {
                self.out.error(
                    "tar: You must specify one of the '-Acdtrux', '--delete' or '--test-label' options",
                );
                self.out.error("Try 'tar --help' or 'tar --usage' for more information.");
                Err(2)
            }
        }
    }

    /// The path of a name, seen from the folder of `-C`.
    fn path(&self, sys: &dyn Sys, name: &str) -> String {
        match &self.options.folder {
            Some(folder) if !name.starts_with('/') => sys.absolute(&join(folder, name)),
            _ => sys.absolute(name),
        }
    }

    fn create(&mut self, sys: &mut dyn Sys) -> i32 {
        let operands = self.options.operands.clone();
        if operands.is_empty() {
            self.out.error("tar: Cowardly refusing to create an empty archive");
            self.out.error("Try 'tar --help' or 'tar --usage' for more information.");
            return 2;
        }
        let (mut entries, mut code) = (Vec::new(), 0);
        for name in &operands {
            if name.starts_with('/') && entries.is_empty() {
                self.out.error("tar: Removing leading `/' from member names");
            }
            let path = self.path(sys, name);
            if let Err(errno) = collect(sys, &path, name, 0, &mut entries) {
                self.out.error(format!("tar: {name}: Cannot stat: {errno}"));
                code = 2;
            }
        }
        for entry in &mut entries {
            entry.name = entry.name.trim_start_matches('/').to_owned();
            if self.options.verbose {
                self.out.put_error(format!("{}\n", entry.name));
            }
        }
        let bytes = tar::write(&entries);
        if self.options.file == "-" {
            self.out.put(bytes);
        } else {
            let path = sys.absolute(&self.options.file);
            if let Err(errno) = sys.fs().write(&path, &bytes) {
                self.out.error(format!("tar: {}: Cannot open: {errno}", self.options.file));
                return 2;
            }
        }
        if code != 0 {
            self.out.error("tar: Exiting with failure status due to previous errors");
        }
        code
    }

    fn unpack(&mut self, sys: &mut dyn Sys, archive: &[u8]) -> i32 {
        let entries = match tar::read(archive) {
            Ok(entries) => entries,
            Err(_) => {
                self.out.error("tar: This does not look like a tar archive");
                self.out.error("tar: Exiting with failure status due to previous errors");
                return 2;
            }
        };
        let wanted = self.options.operands.clone();
        let mut code = 0;
        for entry in entries {
            let name = entry.name.clone();
            let inside = |wanted: &String| {
                let rest = name.strip_prefix(wanted.trim_end_matches('/'));
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            if !wanted.is_empty() && !wanted.iter().any(inside) {
                continue;
            }
            if self.options.verbose || self.options.mode == Some('t') {
                self.out.line(&name);
            }
            if self.options.mode == Some('x')
                && let Err(errno) = self.lay(sys, entry)
            {
                self.out.error(format!("tar: {name}: Cannot open: {errno}"));
                code = 2;
            }
        }
        if code != 0 {
            self.out.error("tar: Exiting with failure status due to previous errors");
        }
        code
    }

    fn lay(&self, sys: &mut dyn Sys, entry: Entry) -> Result<(), Errno> {
        let name = entry.name.trim_start_matches('/');
        if name.split('/').any(|part| part == "..") {
            return Err(Errno::Invalid);
        }
        if let Some(folder) = &self.options.folder {
            let folder = sys.absolute(folder);
            if !sys.fs().is_dir(&folder) {
                return Err(Errno::NotFound);
            }
        }
        let path = self.path(sys, name);
        let fs = sys.fs();
        if let Some((folder, _)) = path.rsplit_once('/').filter(|(folder, _)| !folder.is_empty()) {
            fs.mkdir_all(folder)?;
        }
        match entry.kind {
            Kind::Folder => fs.mkdir_all(path.trim_end_matches('/'))?,
            Kind::Symlink(target) => {
                // What was there gives way.
                let _ = fs.remove(&path);
                return fs.symlink(&target, &path);
            }
            Kind::File(content) => {
                fs.write(&path, &content)?;
                fs.chmod(&path, entry.mode & 0o777)?;
            }
        }
        Ok(())
    }
}

/// A file, or a folder with all in it.
fn collect(
    sys: &mut dyn Sys,
    path: &str,
    name: &str,
    depth: usize,
    entries: &mut Vec<Entry>,
) -> Result<(), Errno> {
    let stat = sys.fs().lstat(path)?;
    let name = name.trim_end_matches('/');
    let mode = stat.mode & 0o7777;
    let mtime = stat.mtime;
    if let Ok(target) = sys.fs().read_link(path) {
        let name = name.to_owned();
        entries.push(Entry { name, kind: Kind::Symlink(target), mode, mtime });
    } else if stat.is_dir() {
        entries.push(Entry { name: format!("{name}/"), kind: Kind::Folder, mode, mtime });
        let mut inside = if depth < DEPTH_MAX { sys.fs().list(path)? } else { Vec::new() };
        inside.sort_by(|a, b| a.name.cmp(&b.name));
        for entry in inside {
            let (path, name) = (join(path, &entry.name), join(name, &entry.name));
            collect(sys, &path, &name, depth + 1, entries)?;
        }
    } else {
        let content = sys.fs().read(path)?.to_vec();
        entries.push(Entry { name: name.to_owned(), kind: Kind::File(content), mode, mtime });
    }
    Ok(())
}

/// Options with and without their dash: `cf`, `-xmf`.
fn parse(args: &[String]) -> Result<Options, String> {
    let mut options = Options { file: "-".to_owned(), ..Options::default() };
    let mut rest = args.iter();
    let mut first = true;
    while let Some(arg) = rest.next() {
        let bundle = match arg.strip_prefix('-') {
            Some(long) if long.starts_with('-') => {
                let (name, value) = long
                    .trim_start_matches('-')
                    .split_once('=')
                    .unwrap_or((long.trim_start_matches('-'), ""));
                match name {
                    "create" => options.mode = Some('c'),
                    "extract" | "get" => options.mode = Some('x'),
                    "list" => options.mode = Some('t'),
                    "verbose" => options.verbose = true,
                    "touch" => options.touch = true,
                    "file" => options.file = value.to_owned(),
                    "directory" => options.folder = Some(value.to_owned()),
                    "no-same-owner" | "no-same-permissions" | "same-permissions" => {}
                    name => return Err(format!("unrecognized option '--{name}'")),
                }
                first = false;
                continue;
            }
            Some("") => None,
            Some(bundle) => Some(bundle),
            None if first => Some(arg.as_str()),
            None => None,
        };
        first = false;
        let Some(bundle) = bundle else {
            options.operands.push(arg.clone());
            continue;
        };
        for (at, letter) in bundle.char_indices() {
            let after = bundle.get(at + 1..).unwrap_or_default();
            let value = |rest: &mut std::slice::Iter<'_, String>| match after {
                "" => rest
                    .next()
                    .cloned()
                    .ok_or_else(|| format!("option requires an argument -- '{letter}'")),
                after => Ok(after.to_owned()),
            };
            match letter {
                'c' | 'x' | 't' => options.mode = Some(letter),
                'v' => options.verbose = true,
                'm' => options.touch = true,
                'p' | 'o' | 'k' | 'h' => {}
                'f' if arg.starts_with('-') => {
                    options.file = value(&mut rest)?;
                    break;
                }
                'C' if arg.starts_with('-') => {
                    options.folder = Some(value(&mut rest)?);
                    break;
                }
                // Without a dash, values follow behind all letters.
                'f' => {
                    let missing = || "option requires an argument -- 'f'".to_owned();
                    options.file = rest.next().cloned().ok_or_else(missing)?;
                }
                'C' => options.folder = rest.next().cloned(),
                'z' | 'j' | 'J' => return Err("compression is not supported here".to_owned()),
                letter => return Err(format!("invalid option -- '{letter}'")),
            }
        }
    }
    Ok(options)
}
