//! `df` and `du`: what is free, and what is used.

use super::tool::{Options, Out};
use crate::{Sys, join};

/// Files and directories that `du` looks at.
const ENTRIES_MAX: usize = 20_000;

/// `df [-h] [path…]`: the root and what is mounted on it.
pub fn df(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let options = match Options::parse(sys, args, "hkaTiP", &[("human-readable", 'h')], out, 1) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mounted: Vec<String> = sys.fs().mounts().map(|(path, _)| path.to_owned()).collect();
    let mut places = vec!["/".to_owned()];
    places.extend(mounted);
    let mut code = 0;
    if !options.operands.is_empty() {
        let mut wanted = Vec::new();
        for operand in &options.operands {
            let path = sys.absolute(operand);
            if !sys.fs().exists(&path) {
                out.error(format!("df: {operand}: No such file or directory"));
                code = 1;
                continue;
            }
            let holds = |place: &&String| {
                **place == "/" || path == **place || path.starts_with(&format!("{place}/"))
            };
            wanted.extend(places.iter().filter(holds).max_by_key(|place| place.len()).cloned());
        }
        places = wanted;
    }
    let human = options.has('h');
    let size = |bytes: u64| if human { super::ls::human(bytes) } else { (bytes >> 10).to_string() };
    let title = if human { "Size" } else { "1K-blocks" };
    let available = if human { "Avail" } else { "Available" };
    let mut rows =
        vec![["Filesystem", title, "Used", available, "Use%", "Mounted on"].map(str::to_owned)];
    for place in places {
        let (used, capacity) = sys.fs().usage(&place);
        let memory = sys.fs().memory(&place);
        let capacity = memory.and_then(|memory| memory.size).unwrap_or(capacity);
        let percent = (used * 100).div_ceil(capacity.max(1));
        let name = match place.as_str() {
            "/" => "overlay",
            _ if memory.is_some() => "tmpfs",
            _ => "/dev/vda1",
        };
        let free = capacity.saturating_sub(used);
        rows.push([
            name.to_owned(),
            size(capacity),
            size(used),
            size(free),
            format!("{percent}%"),
            place,
        ]);
    }
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max();
    // As GNU's, which leaves room.
    let least = [14, 5, 5, 5, 4, 0];
    let widths: Vec<usize> =
        (0..).zip(least).map(|(column, least)| width(column).unwrap_or(0).max(least)).collect();
    for row in &rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            line.push_str(&match column {
                0 => format!("{cell:<width$}"),
                5 => format!(" {cell}"),
                _ => format!(" {cell:>width$}"),
            });
        }
        out.line(line);
    }
    code
}

/// `du [-sh] [path…]`
pub fn du(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let long = [("summarize", 's'), ("human-readable", 'h'), ("all", 'a')];
    let options = match Options::parse(sys, args, "shka", &long, out, 1) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let operands = match options.operands.is_empty() {
        true => vec![".".to_owned()],
        false => options.operands.clone(),
    };
    let mut code = 0;
    for operand in operands {
        let path = sys.absolute(&operand);
        if !sys.fs().exists(&path) {
            out.error(format!("du: cannot access '{operand}': No such file or directory"));
            code = 1;
            continue;
        }
        let mut rows = Vec::new();
        let mut seen = 0;
        let sum = measure(sys, &path, &operand, &mut rows, &mut seen);
        if options.has('s') || rows.is_empty() {
            rows = vec![(sum, operand)];
        }
        for (blocks, name) in rows {
            let size =
                if options.has('h') { super::ls::human(blocks << 10) } else { blocks.to_string() };
            out.line(format!("{size}\t{name}"));
        }
    }
    code
}

/// Blocks of 1024 bytes below a path, of which each file takes whole ones of 4096.
fn measure(
    sys: &mut dyn Sys,
    path: &str,
    name: &str,
    rows: &mut Vec<(u64, String)>,
    seen: &mut usize,
) -> u64 {
    *seen += 1;
    let Ok(stat) = sys.fs().lstat(path) else { return 0 };
    if !stat.is_dir() || *seen > ENTRIES_MAX {
        return stat.size.div_ceil(4096) * 4;
    }
    let mut sum = 4;
    for entry in sys.fs().list(path).unwrap_or_default() {
        let (path, name) = (join(path, &entry.name), join(name, &entry.name));
        sum += measure(sys, &path, &name, rows, seen);
    }
    rows.push((sum, name.to_owned()));
    sum
}
