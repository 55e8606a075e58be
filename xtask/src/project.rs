//! Where things are in the repository and on the machine.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;

/// The checkout this xtask was compiled from.
pub struct Project {
    root: PathBuf,
}

impl Project {
    /// Finds the checkout: the folder above the one cargo says this crate is in.
    pub fn locate() -> Result<Self> {
        let here = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = here.parent().ok_or("xtask has no folder above it")?.to_owned();
        Ok(Self { root })
    }

    /// The repository's root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path below the root.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Tools, logs and stamps, ignored by git.
    pub fn tools(&self) -> PathBuf {
        self.path(".tools")
    }

    /// The built site.
    pub fn dist(&self) -> PathBuf {
        self.path("dist")
    }

    /// Where cargo puts wasm. Apart from the native one: two compilers may be in play, and a
    /// shared folder would have each throw away the other's work.
    pub fn wasm_target_dir(&self) -> PathBuf {
        self.path("target/wasm")
    }
}

/// The first file of this name in PATH.
pub fn find_in_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// A stamp says in a file what was finished. It is written last, and by renaming, so a run that
/// was cut short leaves no stamp and its work is done again.
pub struct Stamp {
    path: PathBuf,
}

impl Stamp {
    /// The stamp kept at `path`.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Whether the stamp is there and says `content`.
    pub fn says(&self, content: &str) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|found| found == content)
    }

    /// Takes the stamp away before its work begins.
    pub fn clear(&self) -> Result<()> {
        match fs::remove_file(&self.path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(format!("cannot remove {}: {e}", self.path.display()))
            }
            _ => Ok(()),
        }
    }

    /// Sets the stamp after its work is done.
    pub fn set(&self, content: &str) -> Result<()> {
        let partial = self.path.with_extension("partial");
        if let Some(dir) = self.path.parent() {
            create_dir(dir)?;
        }
        fs::write(&partial, content)
            .and_then(|()| fs::rename(&partial, &self.path))
            .map_err(|e| format!("cannot write {}: {e}", self.path.display()))
    }
}

/// Makes a folder and those above it.
pub fn create_dir(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).map_err(|e| format!("cannot make {}: {e}", dir.display()))
}

/// Removes a folder with all that is in it, if it is there.
pub fn remove_dir(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("cannot remove {}: {e}", dir.display()))
        }
        _ => Ok(()),
    }
}
