//! `test` and `[`

use super::tool::Out;
use crate::{Fd, FileType, Sys};

/// Whether a unary condition holds; `None` if there is no such operator. `fds` are pairs of the
/// command's descriptors and the process's, for `-t`; none: they are the same.
pub fn unary(sys: &mut dyn Sys, op: &str, operand: &str, fds: &[(Fd, Fd)]) -> Option<bool> {
    let path = sys.absolute(operand);
    let found = if operand.is_empty() { None } else { Some(path.as_str()) };
    let stat = |sys: &mut dyn Sys| found.and_then(|path| sys.fs().stat(path).ok());
    let may = |sys: &mut dyn Sys, bit| found.is_some_and(|path| sys.fs().access(path, bit));
    Some(match op {
        "-n" => !operand.is_empty(),
        "-z" => operand.is_empty(),
        "-e" | "-a" => stat(sys).is_some(),
        "-f" => stat(sys).is_some_and(|stat| stat.kind == FileType::File),
        "-d" => stat(sys).is_some_and(|stat| stat.is_dir()),
        "-c" => stat(sys).is_some_and(|stat| stat.kind == FileType::Device),
        "-b" => stat(sys).is_some_and(|stat| stat.kind == FileType::BlockDevice),
        "-S" => stat(sys).is_some_and(|stat| stat.kind == FileType::Socket),
        "-s" => stat(sys).is_some_and(|stat| stat.size > 0),
        "-r" => may(sys, 4),
        "-w" => may(sys, 2),
        "-x" => may(sys, 1),
        "-h" | "-L" => found
            .and_then(|path| sys.fs().lstat(path).ok())
            .is_some_and(|stat| stat.kind == FileType::Symlink),
        "-t" => {
            let fd: Option<Fd> = operand.parse().ok();
            let own = match fds {
                [] => fd,
                fds => fds.iter().find(|(theirs, _)| Some(*theirs) == fd).map(|(_, own)| *own),
            };
            own.is_some_and(|fd| sys.is_tty(fd))
        }
        "-O" => {
            let uid = sys.uid();
            stat(sys).is_some_and(|stat| stat.uid == uid)
        }
        "-p" | "-g" | "-u" | "-k" => false,
        _ => return None,
    })
}

/// Compares numbers by `-eq` and its like.
pub fn compare(op: &str, left: i64, right: i64) -> bool {
    match op {
        "-eq" => left == right,
        "-ne" => left != right,
        "-lt" => left < right,
        "-le" => left <= right,
        "-gt" => left > right,
        _ => left >= right,
    }
}

/// Whether a binary condition holds; `None` if there is no such operator.
pub fn binary(
    sys: &mut dyn Sys,
    left: &str,
    op: &str,
    right: &str,
) -> Option<Result<bool, String>> {
    let integer = |text: &str| {
        let parsed = text.trim().parse::<i64>();
        parsed.map_err(|_| format!("{text}: integer expression expected"))
    };
    Some(Ok(match op {
        "=" | "==" => left == right,
        "!=" => left != right,
        "<" => left < right,
        ">" => left > right,
        "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" => match (integer(left), integer(right)) {
            (Ok(left), Ok(right)) => compare(op, left, right),
            (Err(message), _) | (_, Err(message)) => return Some(Err(message)),
        },
        "-nt" | "-ot" | "-ef" => {
            let (left, right) = (sys.absolute(left), sys.absolute(right));
            let left = sys.fs().stat(&left).ok();
            let right = sys.fs().stat(&right).ok();
            match (op, left, right) {
                ("-nt", Some(left), Some(right)) => left.mtime > right.mtime,
                ("-nt", Some(_), None) | ("-ot", None, Some(_)) => true,
                ("-ot", Some(left), Some(right)) => left.mtime < right.mtime,
                ("-ef", Some(left), Some(right)) => left.ino == right.ino,
                _ => false,
            }
        }
        _ => return None,
    }))
}

/// Evaluates the arguments of `test`. `Err` is the message without the name.
pub fn evaluate(sys: &mut dyn Sys, args: &[String], fds: &[(Fd, Fd)]) -> Result<bool, String> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    // Up to four arguments POSIX decides by their number, so that operands may look like operators.
    match words.as_slice() {
        [] => return Ok(false),
        [word] => return Ok(!word.is_empty()),
        ["!", word] => return Ok(word.is_empty()),
        [op, word] => {
            return unary(sys, op, word, fds)
                .ok_or_else(|| format!("{op}: unary operator expected"));
        }
        [left, op, right] => {
            if let Some(result) = binary(sys, left, op, right) {
                return result;
            }
        }
        ["!", left, op, right] => {
            if let Some(result) = binary(sys, left, op, right) {
                return result.map(|holds| !holds);
            }
        }
        _ => {}
    }
    let mut parser = Parser { sys, words: &words, fds, depth: 0 };
    let holds = parser.or()?;
    match parser.words.first() {
        None => Ok(holds),
        Some(_) if words.len() == 3 => {
            Err(format!("{}: binary operator expected", words.get(1).unwrap_or(&"")))
        }
        Some(_) => Err("too many arguments".to_string()),
    }
}

struct Parser<'a> {
    sys: &'a mut dyn Sys,
    words: &'a [&'a str],
    fds: &'a [(Fd, Fd)],
    depth: usize,
}

impl Parser<'_> {
    fn eat(&mut self, word: &str) -> bool {
        match self.words {
            [first, rest @ ..] if *first == word => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }

    fn or(&mut self) -> Result<bool, String> {
        let mut holds = self.and()?;
        while self.eat("-o") {
            holds |= self.and()?;
        }
        Ok(holds)
    }

    fn and(&mut self) -> Result<bool, String> {
        let mut holds = self.not()?;
        while self.eat("-a") {
            holds &= self.not()?;
        }
        Ok(holds)
    }

    fn not(&mut self) -> Result<bool, String> {
        self.depth += 1;
        if self.depth > 100 {
            return Err("too many arguments".to_string());
        }
        if self.eat("!") {
            return self.not().map(|holds| !holds);
        }
        if self.eat("(") {
            let holds = self.or()?;
            return if self.eat(")") { Ok(holds) } else { Err("`)' expected".to_string()) };
        }
        if let [left, op, right, rest @ ..] = self.words
            && let Some(result) = binary(self.sys, left, op, right)
        {
            self.words = rest;
            return result;
        }
        if let [op, word, rest @ ..] = self.words
            && let Some(holds) = unary(self.sys, op, word, self.fds)
        {
            self.words = rest;
            return Ok(holds);
        }
        match self.words {
            [word, rest @ ..] => {
                self.words = rest;
                Ok(!word.is_empty())
            }
            [] => Err("argument expected".to_string()),
        }
    }
}

/// The program; called `[`, it wants a `]`.
pub fn run(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let name = super::tool::program_name(sys);
    let args = match (name.as_str(), args) {
        ("[", [inner @ .., last]) if last == "]" => inner,
        ("[", _) => {
            out.error("[: missing ']'");
            return 2;
        }
        (_, args) => args,
    };
    match evaluate(sys, args, &[]) {
        Ok(holds) => i32::from(!holds),
        Err(message) => {
            out.error(format!("{name}: {message}"));
            2
        }
    }
}
