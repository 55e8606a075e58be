//! The programs that every image may carry: one file each.

use crate::{Errno, Program, ProgramTable, Vfs};

/// A constructor of a fresh instance of a program.
type Load = fn() -> Box<dyn Program>;

/// Names and programs, sorted by name.
const PROGRAMS: &[(&str, Load)] = &[];

struct Standard;

impl ProgramTable for Standard {
    fn load(&self, name: &str) -> Option<Box<dyn Program>> {
        let at = PROGRAMS.binary_search_by_key(&name, |(name, _)| name).ok()?;
        PROGRAMS.get(at).map(|(_, load)| load())
    }
}

/// The shells (`bash`, `dash`, `ash`), the core utilities and the network tools, by name. Who has
/// more programs answers for those and asks this table for the rest.
pub fn standard_programs() -> &'static dyn ProgramTable {
    &Standard
}

/// The names of the standard programs.
pub fn standard_program_names() -> impl Iterator<Item = &'static str> {
    PROGRAMS.iter().map(|(name, _)| *name)
}

/// Installs the standard programs that `names` says in the directory `dir`, and `sh` as the shell
/// `shell` (`bash`, `dash` or `ash`).
pub fn install_programs<'a>(
    fs: &mut Vfs,
    dir: &str,
    names: impl IntoIterator<Item = &'a str>,
    shell: &str,
) -> Result<(), Errno> {
    for name in names {
        fs.install(&crate::join(dir, name), name)?;
    }
    fs.install("/bin/sh", shell)
}
