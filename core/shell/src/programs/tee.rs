//! `tee`

use super::tool::{Filter, Next, Options, Out};
use crate::{Fd, OpenMode, Sys};

/// `tee [-a] files…`
#[derive(Clone, Debug)]
pub struct Tee {
    files: Vec<Fd>,
    failed: bool,
}

impl Filter for Tee {
    const BY_CHUNK: bool = true;

    fn start(
        sys: &mut dyn Sys,
        args: &[String],
        out: &mut Out,
    ) -> Result<(Self, Vec<String>), i32> {
        let options = Options::parse(sys, args, "ai", &[("append", 'a')], out, 1)?;
        let mode = if options.has('a') { OpenMode::Append } else { OpenMode::Write };
        let mut tee = Tee { files: Vec::new(), failed: false };
        for file in options.operands {
            match sys.open(&file, mode) {
                Ok(fd) => tee.files.push(fd),
                Err(errno) => {
                    out.error(format!("tee: {file}: {errno}"));
                    tee.failed = true;
                }
            }
        }
        Ok((tee, Vec::new()))
    }

    fn line(&mut self, chunk: &[u8], _ended: bool, out: &mut Out) -> Next {
        out.put(chunk);
        self.files.iter().for_each(|fd| out.put_to(*fd, chunk));
        Next::Line
    }

    fn end(&mut self, _sys: &mut dyn Sys, code: i32, _out: &mut Out) -> i32 {
        if self.failed { 1 } else { code }
    }
}
