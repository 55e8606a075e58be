//! `tac`, `rev` and `nl`: lines in other orders and with numbers; `more` and `less`, which show
//! them as they are.

use super::tool::{Filter, Next, Options, Out};
use crate::Sys;

/// Bytes that `tac` keeps.
const KEPT_MAX: usize = 4 << 20;

/// `tac [file…]`
#[derive(Clone, Debug, Default)]
pub struct Tac {
    lines: Vec<Vec<u8>>,
    bytes: usize,
}

impl Filter for Tac {
    fn start(
        sys: &mut dyn Sys,
        args: &[String],
        out: &mut Out,
    ) -> Result<(Self, Vec<String>), i32> {
        let options = Options::parse(sys, args, "", &[], out, 1)?;
        Ok((Tac::default(), options.operands.clone()))
    }

    fn line(&mut self, line: &[u8], _ended: bool, out: &mut Out) -> Next {
        self.bytes += line.len() + 1;
        if self.bytes > KEPT_MAX {
            out.error("tac: the sandbox keeps no more lines");
            return Next::End;
        }
        self.lines.push(line.to_vec());
        Next::Line
    }

    fn end(&mut self, _sys: &mut dyn Sys, code: i32, out: &mut Out) -> i32 {
        for line in self.lines.drain(..).rev() {
            out.line(line);
        }
        code
    }
}

/// `rev [file…]`
#[derive(Clone, Debug, Default)]
pub struct Rev;

impl Filter for Rev {
    fn start(
        sys: &mut dyn Sys,
        args: &[String],
        out: &mut Out,
    ) -> Result<(Self, Vec<String>), i32> {
        let options = Options::parse(sys, args, "", &[], out, 1)?;
        Ok((Rev, options.operands.clone()))
    }

    fn line(&mut self, line: &[u8], _ended: bool, out: &mut Out) -> Next {
        let text: String = String::from_utf8_lossy(line).chars().rev().collect();
        out.line(text);
        Next::Line
    }

    fn end(&mut self, _sys: &mut dyn Sys, code: i32, _out: &mut Out) -> i32 {
        code
    }
}

/// `nl [-ba] [file…]`
#[derive(Clone, Debug, Default)]
pub struct Nl {
    number: u64,
    all: bool,
}

impl Filter for Nl {
    fn start(
        sys: &mut dyn Sys,
        args: &[String],
        out: &mut Out,
    ) -> Result<(Self, Vec<String>), i32> {
        let all = args.iter().any(|arg| arg == "-ba");
        let rest: Vec<String> = args.iter().filter(|arg| *arg != "-ba").cloned().collect();
        let options = Options::parse(sys, &rest, "", &[], out, 1)?;
        Ok((Nl { number: 0, all }, options.operands.clone()))
    }

    fn line(&mut self, line: &[u8], _ended: bool, out: &mut Out) -> Next {
        if line.is_empty() && !self.all {
            out.line("       ");
            return Next::Line;
        }
        self.number += 1;
        out.put(format!("{:>6}\t", self.number));
        out.line(line);
        Next::Line
    }

    fn end(&mut self, _sys: &mut dyn Sys, code: i32, _out: &mut Out) -> i32 {
        code
    }
}

/// `more [file…]`, `less [file…]`: the sandbox's terminal scrolls back, so that they show all.
#[derive(Clone, Debug, Default)]
pub struct Pager;

impl Filter for Pager {
    fn start(
        _sys: &mut dyn Sys,
        args: &[String],
        _out: &mut Out,
    ) -> Result<(Self, Vec<String>), i32> {
        Ok((Pager, args.iter().filter(|arg| !arg.starts_with('-')).cloned().collect()))
    }

    fn line(&mut self, line: &[u8], ended: bool, out: &mut Out) -> Next {
        if ended {
            out.line(line)
        } else {
            out.put(line)
        }
        Next::Line
    }

    fn end(&mut self, _sys: &mut dyn Sys, code: i32, _out: &mut Out) -> i32 {
        code
    }
}
