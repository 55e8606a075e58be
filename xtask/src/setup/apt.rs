//! Debian's packages, for what crates.io and npm do not have.

use std::process::Command;

use crate::Result;
use crate::command::{Step, stdout_of};
use crate::project::{Project, find_in_path};

/// Installs the packages that are missing. Without root, the error is the command to be run.
pub fn provide(project: &Project, packages: &[&str]) -> Result<()> {
    let missing: Vec<&str> = packages.iter().copied().filter(|name| !is_installed(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if find_in_path("apt-get").is_none() {
        return Err(format!("missing, and there is no apt-get to install it: {list}"));
    }
    if stdout_of(Command::new("id").arg("-u")).is_none_or(|id| id.trim() != "0") {
        return Err(format!(
            "these packages are missing; install them and try again:\n  \
             sudo apt-get update && sudo apt-get install -y --no-install-recommends {list}"
        ));
    }
    Step::new("apt-update", "reading Debian's package lists")
        .run(project, apt_get().arg("update"))?;
    Step::new("apt-install", &format!("installing {list}"))
        .run(project, apt_get().args(["install", "-y", "--no-install-recommends"]).args(missing))
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    // Another apt may be at work, as on a machine that has just started: wait for it.
    command.args(["-o", "DPkg::Lock::Timeout=300"]).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn is_installed(package: &str) -> bool {
    stdout_of(Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Status}", package]))
        .is_some_and(|status| status == "installed")
}
