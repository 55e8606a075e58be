//! `diff`

use super::tool::{Filter, Next, Options, Out};
use crate::{Errno, Sys};
use naru_sim::Time;
use std::collections::BTreeSet;

/// Most cells of the table that the comparison fills; larger files are told apart only as a whole.
const CELLS_MAX: usize = 4_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edit {
    Keep,
    Remove,
    Add,
}

/// What turns `old` into `new`, by the longest common subsequence.
fn edits(old: &[&str], new: &[&str]) -> Vec<Edit> {
    let same_start = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old, new) =
        (old.get(same_start..).unwrap_or_default(), new.get(same_start..).unwrap_or_default());
    let same_end = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let (rows, columns) = (old.len() - same_end, new.len() - same_end);
    let mut result = vec![Edit::Keep; same_start];
    if rows.saturating_mul(columns) > CELLS_MAX {
        result.extend(vec![Edit::Remove; rows]);
        result.extend(vec![Edit::Add; columns]);
    } else {
        let width = columns + 1;
        let mut table = vec![0_u32; (rows + 1) * width];
        let at = |table: &[u32], row: usize, column: usize| {
            table.get(row * width + column).copied().unwrap_or(0)
        };
        for row in (0..rows).rev() {
            for column in (0..columns).rev() {
                let value = if old.get(row) == new.get(column) {
                    at(&table, row + 1, column + 1) + 1
                } else {
                    at(&table, row + 1, column).max(at(&table, row, column + 1))
                };
                if let Some(cell) = table.get_mut(row * width + column) {
                    *cell = value;
                }
            }
        }
        let (mut row, mut column) = (0, 0);
        while row < rows || column < columns {
            if row < rows && column < columns && old.get(row) == new.get(column) {
                result.push(Edit::Keep);
                (row, column) = (row + 1, column + 1);
            } else if row < rows
                && (column >= columns || at(&table, row + 1, column) >= at(&table, row, column + 1))
            {
                result.push(Edit::Remove);
                row += 1;
            } else {
                result.push(Edit::Add);
                column += 1;
            }
        }
    }
    result.extend(vec![Edit::Keep; same_end]);
    result
}

/// Most bytes of what is read from pipes.
const PIPED_BYTES_MAX: usize = 16 << 20;

/// `diff [-uqNr] old new`
#[derive(Clone, Debug)]
pub struct Diff {
    args: Vec<String>,
    /// Standard input, and what process substitutions are named by: they are read to their ends
    /// first.
    piped: Vec<(String, Vec<u8>)>,
}

impl Filter for Diff {
    const BY_CHUNK: bool = true;

    fn start(
        sys: &mut dyn Sys,
        args: &[String],
        _out: &mut Out,
    ) -> Result<(Self, Vec<String>), i32> {
        // What is wrong with the arguments is told at the end.
        let options = parse(sys, args, &mut Out::default());
        let operands = options.map(|options| options.operands).unwrap_or_default();
        let is_piped = |name: &String| name == "-" || name.starts_with("/dev/fd/");
        let mut files: Vec<String> = operands.into_iter().filter(is_piped).collect();
        if files.is_empty() {
            files.push("/dev/null".to_owned());
        }
        Ok((Diff { args: args.to_vec(), piped: Vec::new() }, files))
    }

    fn open(&mut self, name: &str, _out: &mut Out) {
        self.piped.push((name.to_owned(), Vec::new()));
    }

    fn line(&mut self, chunk: &[u8], _ended: bool, out: &mut Out) -> Next {
        let Some((_, bytes)) = self.piped.last_mut() else { return Next::Line };
        if bytes.len() + chunk.len() > PIPED_BYTES_MAX {
            out.error("diff: memory exhausted");
            return Next::End;
        }
        bytes.extend_from_slice(chunk);
        Next::Line
    }

    /// It is told when they are compared.
    fn failed(&mut self, _program: &str, _name: &str, _errno: Errno, _out: &mut Out) {}

    fn end(&mut self, sys: &mut dyn Sys, _code: i32, out: &mut Out) -> i32 {
        run(sys, &self.args, &self.piped, out)
    }
}

fn parse(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> Result<Options, i32> {
    let long = [("unified", 'u'), ("brief", 'q'), ("new-file", 'N'), ("recursive", 'r')];
    Options::parse(sys, args, "uqNrbwBa", &long, out, 2)
}

fn run(sys: &mut dyn Sys, args: &[String], piped: &[(String, Vec<u8>)], out: &mut Out) -> i32 {
    let options = match parse(sys, args, out) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let [old_name, new_name] = options.operands.as_slice() else {
        let message = match options.operands.as_slice() {
            [] => "diff: missing operand after 'diff'".to_string(),
            [one] => format!("diff: missing operand after '{one}'"),
            [_, _, extra, ..] => format!("diff: extra operand '{extra}'"),
            [_, _] => String::new(),
        };
        out.error(message);
        out.error("diff: Try 'diff --help' for more information.");
        return 2;
    };
    let (old, new) = (sys.absolute(old_name), sys.absolute(new_name));
    let folders = (sys.fs().is_dir(&old), sys.fs().is_dir(&new));
    if folders == (true, true) {
        let shown: Vec<&str> =
            args.iter().filter(|arg| arg.starts_with('-')).map(String::as_str).collect();
        let command = ["diff"].into_iter().chain(shown).collect::<Vec<_>>().join(" ");
        return compare_folders(sys, &options, &command, (old_name, new_name), out);
    }
    // A file is compared with the one of its name in a folder.
    let inside =
        |folder: &str, file: &str| crate::join(folder, file.rsplit('/').next().unwrap_or_default());
    match folders {
        (true, false) => {
            compare(sys, &options, (&inside(old_name, new_name), new_name), piped, out)
        }
        (false, true) => {
            compare(sys, &options, (old_name, &inside(new_name, old_name)), piped, out)
        }
        _ => compare(sys, &options, (old_name, new_name), piped, out),
    }
}

/// Compares what lies in two folders, file by file.
fn compare_folders(
    sys: &mut dyn Sys,
    options: &Options,
    command: &str,
    (old, new): (&str, &str),
    out: &mut Out,
) -> i32 {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for folder in [old, new] {
        let path = sys.absolute(folder);
        names.extend(sys.fs().list(&path).unwrap_or_default().into_iter().map(|e| e.name));
    }
    let mut code = 0;
    for name in names {
        let paths = (crate::join(old, &name), crate::join(new, &name));
        let there = |sys: &mut dyn Sys, path: &str| {
            let path = sys.absolute(path);
            (sys.fs().exists(&path), sys.fs().is_dir(&path))
        };
        let (left, right) = (there(sys, &paths.0), there(sys, &paths.1));
        let found = match (left, right) {
            ((true, true), (true, true)) if options.has('r') => {
                compare_folders(sys, options, command, (&paths.0, &paths.1), out)
            }
            ((true, true), (true, true)) => {
                out.line(format!("Common subdirectories: {} and {}", paths.0, paths.1));
                0
            }
            ((true, _), (false, _)) | ((false, _), (true, _)) if !options.has('N') => {
                let folder = if left.0 { old } else { new };
                out.line(format!("Only in {folder}: {name}"));
                1
            }
            _ => {
                let mut text = Out::default();
                let found = compare(sys, options, (&paths.0, &paths.1), &[], &mut text);
                if found == 1 && !options.has('q') {
                    out.line(format!("{command} {} {}", paths.0, paths.1));
                }
                out.append(text);
                found
            }
        };
        code = code.max(found);
    }
    code
}

/// Compares two files.
fn compare(
    sys: &mut dyn Sys,
    options: &Options,
    (old_name, new_name): (&str, &str),
    piped: &[(String, Vec<u8>)],
    out: &mut Out,
) -> i32 {
    let mut texts = Vec::new();
    for name in [old_name, new_name] {
        if let Some((_, bytes)) = piped.iter().find(|(other, _)| other == name) {
            texts.push((String::from_utf8_lossy(bytes).into_owned(), Some(sys.now())));
            continue;
        }
        let path = sys.absolute(name);
        match sys.fs().read_text(&path) {
            Ok(text) => {
                let mtime = sys.fs().stat(&path).map(|stat| stat.mtime).ok();
                texts.push((text, mtime));
            }
            Err(Errno::NotFound) if options.has('N') => texts.push((String::new(), None)),
            Err(errno) => {
                out.error(format!("diff: {name}: {errno}"));
                return 2;
            }
        }
    }
    let [(old_text, old_time), (new_text, new_time)] = texts.as_slice() else { return 2 };
    if old_text == new_text {
        return 0;
    }
    if options.has('q') {
        out.line(format!("Files {old_name} and {new_name} differ"));
        return 1;
    }
    let old: Vec<&str> = old_text.split_inclusive('\n').collect();
    let new: Vec<&str> = new_text.split_inclusive('\n').collect();
    let edits = edits(&old, &new);
    if options.has('u') {
        // A file that is not there is as old as can be.
        let date = |at: Option<Time>| match at {
            Some(at) => super::date::format(at, "%Y-%m-%d %H:%M:%S.%N +0000"),
            None => "1970-01-01 00:00:00.000000000 +0000".to_owned(),
        };
        out.line(format!("--- {old_name}\t{}", date(*old_time)));
        out.line(format!("+++ {new_name}\t{}", date(*new_time)));
        unified(&old, &new, &edits, out);
    } else {
        normal(&old, &new, &edits, out);
    }
    1
}

fn show(mark: &str, line: &str, out: &mut Out) {
    out.put(format!("{mark}{line}"));
    if !line.ends_with('\n') {
        out.put("\n\\ No newline at end of file\n");
    }
}

fn range(from: usize, count: usize) -> String {
    if count <= 1 { format!("{}", from + count) } else { format!("{},{}", from + 1, from + count) }
}

fn normal(old: &[&str], new: &[&str], edits: &[Edit], out: &mut Out) {
    let (mut left, mut right, mut at) = (0, 0, 0);
    while let Some(edit) = edits.get(at) {
        if *edit == Edit::Keep {
            (left, right, at) = (left + 1, right + 1, at + 1);
            continue;
        }
        let change = edits.get(at..).unwrap_or_default();
        let change: Vec<Edit> = change.iter().take_while(|e| **e != Edit::Keep).copied().collect();
        let removed = change.iter().filter(|edit| **edit == Edit::Remove).count();
        let added = change.len() - removed;
        let kind = match (removed, added) {
            (_, 0) => 'd',
            (0, _) => 'a',
            _ => 'c',
        };
        out.line(format!("{}{kind}{}", range(left, removed), range(right, added)));
        old.iter().skip(left).take(removed).for_each(|line| show("< ", line, out));
        if kind == 'c' {
            out.line("---");
        }
        new.iter().skip(right).take(added).for_each(|line| show("> ", line, out));
        (left, right, at) = (left + removed, right + added, at + change.len());
    }
}

/// Lines of context around a change.
const CONTEXT: usize = 3;

fn unified(old: &[&str], new: &[&str], edits: &[Edit], out: &mut Out) {
    let changes: Vec<usize> =
        (0..edits.len()).filter(|at| edits.get(*at) != Some(&Edit::Keep)).collect();
    let mut groups: Vec<(usize, usize)> = Vec::new();
    for at in changes {
        let (start, end) = (at.saturating_sub(CONTEXT), (at + CONTEXT + 1).min(edits.len()));
        match groups.last_mut() {
            Some((_, last)) if start <= *last => *last = end,
            _ => groups.push((start, end)),
        }
    }
    for (start, end) in groups {
        let before = edits.get(..start).unwrap_or_default();
        let inside = edits.get(start..end).unwrap_or_default();
        let count = |edits: &[Edit], not: Edit| edits.iter().filter(|edit| **edit != not).count();
        let (mut left, mut right) = (count(before, Edit::Add), count(before, Edit::Remove));
        let (lefts, rights) = (count(inside, Edit::Add), count(inside, Edit::Remove));
        let place = |from: usize, count: usize| match count {
            0 => format!("{from},0"),
            1 => format!("{}", from + 1),
            count => format!("{},{count}", from + 1),
        };
        out.line(format!("@@ -{} +{} @@", place(left, lefts), place(right, rights)));
        for edit in inside {
            match edit {
                Edit::Keep => show(" ", old.get(left).copied().unwrap_or_default(), out),
                Edit::Remove => show("-", old.get(left).copied().unwrap_or_default(), out),
                Edit::Add => show("+", new.get(right).copied().unwrap_or_default(), out),
            }
            left += usize::from(*edit != Edit::Add);
            right += usize::from(*edit != Edit::Remove);
        }
    }
}
