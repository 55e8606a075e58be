//! Lists the folders of `lessons/`, so that a new lesson needs no line of code.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let lessons = Path::new(&root).join("../../lessons").canonicalize()?;
    println!("cargo::rerun-if-changed={}", lessons.display());
    let mut folders: Vec<_> =
        fs::read_dir(&lessons)?.collect::<Result<Vec<_>, _>>()?.iter().map(|e| e.path()).collect();
    folders.sort();
    let mut list = String::from("&[\n");
    for folder in folders {
        let file = folder.join("lesson.yaml");
        let Some(slug) = folder.file_name().and_then(|name| name.to_str()) else { continue };
        if file.is_file() {
            println!("cargo::rerun-if-changed={}", file.display());
            let _ = writeln!(
                list,
                "LessonFile {{ slug: {slug:?}, yaml: include_str!({:?}) }},",
                file.display()
            );
        }
    }
    list.push(']');
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("lessons.rs"), list)
}
