//! `ls`

use super::date;
use super::tool::{Options, Out};
use crate::{DirEntry, FileType, Stat, Sys, join};
use naru_sim::Time;
use unicode_width::UnicodeWidthStr;

/// Half a year: older files show their year instead of the time.
const RECENT_SECONDS: u64 = 15_778_476;

/// `ls [-1aAdFhilLrRStC] [--color[=when]] files…`
pub fn run(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let long = [
        ("all", 'a'),
        ("almost-all", 'A'),
        ("recursive", 'R'),
        ("color", 'G'),
        ("human-readable", 'h'),
        ("dereference", 'L'),
    ];
    let options = match Options::parse(sys, args, "1aAdFhilLnprRStCGXo", &long, out, 2) {
        Ok(options) => options,
        Err(_) if out.is_busybox() => return 1,
        Err(code) => return code,
    };
    let mut operands = options.operands.clone();
    if operands.is_empty() {
        operands.push(".".to_string());
    }
    // Busybox's knows one way to fail.
    let failed = if out.is_busybox() { 1 } else { 2 };
    let mut code = 0;
    let (mut files, mut dirs) = (Vec::new(), Vec::new());
    for name in operands {
        let path = sys.absolute(&name);
        let plain = !options.has('l') && !options.has('d');
        let follows = plain || options.has('L') || name.ends_with('/');
        let found = if follows { sys.fs().stat(&path) } else { sys.fs().lstat(&path) };
        let found = found.or_else(|_| sys.fs().lstat(&path));
        match found {
            Ok(stat) if stat.is_dir() && !options.has('d') => dirs.push(name),
            Ok(stat) => files.push((path, DirEntry { name, stat })),
            Err(errno) => {
                out.error(format!("ls: cannot access '{name}': {errno}"));
                code = failed;
            }
        }
    }
    let titled = dirs.len() + files.len() > 1 || options.has('R');
    sort(&mut files, &options);
    let had_files = !files.is_empty();
    show(sys, &files, &options, out);
    dirs.sort();
    dirs.reverse();
    let mut first = !had_files;
    // A list of our own instead of recursion: trees are deep.
    while let Some(name) = dirs.pop() {
        if titled {
            out.put(format!("{}{name}:\n", if first { "" } else { "\n" }));
        }
        first = false;
        match entries(sys, &name, &options) {
            Ok(list) => {
                if options.has('l') {
                    let blocks: u64 =
                        list.iter().map(|(_, e)| e.stat.size.div_ceil(4096) * 4).sum();
                    out.line(format!("total {blocks}"));
                }
                show(sys, &list, &options, out);
                if options.has('R') {
                    let below = list.iter().rev().filter(|(_, entry)| {
                        entry.stat.is_dir() && !matches!(entry.name.as_str(), "." | "..")
                    });
                    dirs.extend(below.map(|(_, entry)| join(&name, &entry.name)));
                }
            }
            Err(errno) => {
                out.error(format!("ls: cannot open directory '{name}': {errno}"));
                code = failed;
            }
        }
    }
    code
}

fn entries(
    sys: &mut dyn Sys,
    name: &str,
    options: &Options,
) -> Result<Vec<(String, DirEntry)>, crate::Errno> {
    let dir = sys.absolute(name);
    let mut list = Vec::new();
    if options.has('a') {
        for special in [".", ".."] {
            let path = crate::normalize(&dir, special);
            let stat = sys.fs().stat(&path)?;
            list.push((path, DirEntry { name: special.to_string(), stat }));
        }
    }
    let hidden = options.has('a') || options.has('A');
    for mut entry in sys.fs().list(&dir)? {
        if hidden || !entry.name.starts_with('.') {
            let path = join(&dir, &entry.name);
            if options.has('L') {
                // A link that leads nowhere is shown as the link it is.
                entry.stat = sys.fs().stat(&path).unwrap_or(entry.stat);
            }
            list.push((path, entry));
        }
    }
    sort(&mut list, options);
    Ok(list)
}

fn sort(list: &mut [(String, DirEntry)], options: &Options) {
    if options.has('t') {
        list.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.stat.mtime));
    } else if options.has('S') {
        list.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.stat.size));
    } else {
        list.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
    }
    if options.has('r') {
        list.reverse();
    }
}

fn show(sys: &mut dyn Sys, list: &[(String, DirEntry)], options: &Options, out: &mut Out) {
    if list.is_empty() {
        return;
    }
    if options.has('l') || options.has('n') || options.has('o') {
        let rows: Vec<[String; 6]> =
            list.iter().map(|(path, entry)| long_row(sys, path, entry, options)).collect();
        let width = |column: usize| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.len()).max().unwrap_or(0)
        };
        let (links, owner, group, size) = (width(1), width(2), width(3), width(4));
        for ([mode, link, user, team, bytes, rest], _) in rows.iter().zip(list) {
            out.line(format!(
                "{mode} {link:>links$} {user:<owner$} {team:<group$} {bytes:>size$} {rest}"
            ));
        }
        return;
    }
    let is_tty = sys.is_tty(1);
    let colors = is_tty;
    let names: Vec<String> = list.iter().map(|(_, entry)| decorated(entry, options)).collect();
    let paint = |entry: &DirEntry, text: &str| -> String {
        match (colors, color(&entry.stat)) {
            (true, Some(code)) => format!("\x1b[{code}m{text}\x1b[0m"),
            _ => text.to_string(),
        }
    };
    if options.has('1') || !(is_tty || options.has('C')) {
        for ((_, entry), name) in list.iter().zip(&names) {
            out.line(paint(entry, name));
        }
        return;
    }
    let screen = sys.tty_size(1).map_or(80, |(columns, _)| usize::from(columns));
    let (rows, widths) = columns(&names, screen);
    for row in 0..rows {
        let mut line = String::new();
        for (column, width) in widths.iter().enumerate() {
            let at = column * rows + row;
            let (Some(name), Some((_, entry))) = (names.get(at), list.get(at)) else { break };
            line.push_str(&paint(entry, name));
            if at + rows < names.len() {
                line.push_str(&" ".repeat((width + 2).saturating_sub(name.width())));
            }
        }
        out.line(line);
    }
}

/// How many rows the names take on a screen of this width, and how wide each column is.
pub fn columns(names: &[String], screen: usize) -> (usize, Vec<usize>) {
    for rows in 1..=names.len() {
        let widths: Vec<usize> = names
            .chunks(rows)
            .map(|column| column.iter().map(|name| name.width()).max().unwrap_or(0))
            .collect();
        let total: usize = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
        if total <= screen {
            return (rows, widths);
        }
    }
    let widest = names.iter().map(|name| name.width()).max().unwrap_or(0);
    (names.len(), vec![widest])
}

fn color(stat: &Stat) -> Option<&'static str> {
    match stat.kind {
        FileType::Directory => Some("01;34"),
        FileType::Symlink => Some("01;36"),
        FileType::Device | FileType::BlockDevice => Some("40;33;01"),
        FileType::Socket => Some("01;35"),
        FileType::File if stat.mode & 0o111 != 0 => Some("01;32"),
        FileType::File => None,
    }
}

fn decorated(entry: &DirEntry, options: &Options) -> String {
    let mark = match entry.stat.kind {
        FileType::Directory if options.has('F') || options.has('p') => "/",
        FileType::Symlink if options.has('F') => "@",
        FileType::Socket if options.has('F') => "=",
        FileType::File if options.has('F') && entry.stat.mode & 0o111 != 0 => "*",
        _ => "",
    };
    let inode = if options.has('i') { format!("{} ", entry.stat.ino) } else { String::new() };
    format!("{inode}{}{mark}", entry.name)
}

/// `drwxr-xr-x`
pub fn mode_text(stat: &Stat) -> String {
    let kind = match stat.kind {
        FileType::Directory => 'd',
        FileType::Symlink => 'l',
        FileType::Device => 'c',
        FileType::BlockDevice => 'b',
        FileType::Socket => 's',
        FileType::File => '-',
    };
    let mut text = String::from(kind);
    for shift in [6, 3, 0] {
        let bits = stat.mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        let (special, letter) = match shift {
            6 => (0o4000, 's'),
            3 => (0o2000, 's'),
            _ => (0o1000, 't'),
        };
        text.push(match (stat.mode & special != 0, bits & 1 != 0) {
            (true, true) => letter,
            (true, false) => letter.to_ascii_uppercase(),
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

fn long_row(sys: &mut dyn Sys, path: &str, entry: &DirEntry, options: &Options) -> [String; 6] {
    let stat = &entry.stat;
    let (owner, group) = if options.has('n') {
        (stat.uid.to_string(), stat.gid.to_string())
    } else {
        (super::id::user_name(sys, stat.uid), super::id::group_name(sys, stat.gid))
    };
    let size = if options.has('h') { human(stat.size) } else { stat.size.to_string() };
    let mut name = decorated(entry, options);
    if stat.kind == FileType::Symlink {
        name = format!("{name} -> {}", sys.fs().read_link(path).unwrap_or_default());
    }
    let when = when(sys.now(), stat.mtime);
    [mode_text(stat), stat.links.to_string(), owner, group, size, format!("{when} {name}")]
}

fn when(now: Time, mtime: Time) -> String {
    let is_recent = now.since(mtime).as_secs() < RECENT_SECONDS;
    date::format(mtime, if is_recent { "%b %e %H:%M" } else { "%b %e  %Y" })
}

pub fn human(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = "";
    for next in ["K", "M", "G"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit.is_empty() || value >= 10.0 {
        format!("{value:.0}{unit}")
    } else {
        format!("{value:.1}{unit}")
    }
}
