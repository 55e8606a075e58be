//! Chromium, its driver and a font with Korean letters: for the tests only.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use super::apt;
use crate::Result;
use crate::command::stdout_of;
use crate::project::{Project, find_in_path};

/// A browser that tests can drive.
pub struct Browser {
    /// The browser's program.
    pub chromium: PathBuf,
    /// The program that drives it for wasm-bindgen's test runner.
    pub driver: PathBuf,
}

/// The names the browser's program goes by.
const CHROMIUM_NAMES: [&str; 4] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Finds the browser, or installs Debian's.
pub fn provide(project: &Project) -> Result<Browser> {
    let mut packages = Vec::new();
    if chromium().is_none() {
        packages.push("chromium");
    }
    if driver().is_none() {
        packages.push("chromium-driver");
    }
    if !has_korean_font() {
        packages.push("fonts-noto-cjk");
    }
    if !packages.is_empty() {
        apt::provide(project, &packages)?;
    }
    let chromium = chromium().ok_or("Chromium is missing: install it, or set NARU_CHROMIUM")?;
    let driver = driver().ok_or("chromedriver is missing: install it, or set CHROMEDRIVER")?;
    Ok(Browser { chromium, driver })
}

fn chromium() -> Option<PathBuf> {
    let chosen = env::var_os("NARU_CHROMIUM").map(PathBuf::from).filter(|path| path.is_file());
    chosen.or_else(|| CHROMIUM_NAMES.iter().find_map(|name| find_in_path(name)))
}

fn driver() -> Option<PathBuf> {
    let chosen = env::var_os("CHROMEDRIVER").map(PathBuf::from).filter(|path| path.is_file());
    chosen.or_else(|| find_in_path("chromedriver"))
}

/// Without one, Korean text is drawn as boxes and measures wrong.
fn has_korean_font() -> bool {
    stdout_of(Command::new("fc-list").arg(":lang=ko")).is_some_and(|list| !list.trim().is_empty())
}
