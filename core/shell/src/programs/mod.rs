//! The programs that every image may carry: one file each.

pub(crate) mod echo;
pub(crate) mod printf;
pub(crate) mod regex;
pub(crate) mod test;
mod tool;

use crate::shell::{Flavor, Shell};
use crate::{Errno, Program, ProgramTable, Vfs};
use tool::OneShot;

/// A constructor of a fresh instance of a program.
type Load = fn() -> Box<dyn Program>;

/// Names and programs, sorted by name.
const PROGRAMS: &[(&str, Load)] = &[
    ("[", || Box::new(OneShot::new(test::run))),
    ("ash", || Box::new(Shell::new(Flavor::Ash))),
    ("bash", || Box::new(Shell::new(Flavor::Bash))),
    ("dash", || Box::new(Shell::new(Flavor::Dash))),
    ("echo", || Box::new(OneShot::new(echo::run))),
    ("printf", || Box::new(OneShot::new(printf::run))),
    ("test", || Box::new(OneShot::new(test::run))),
];

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
