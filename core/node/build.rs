//! Lists the image catalogue, so that a new image is one new file in `assets/images/`. What is asked of
//! all of them is in the list, so that a file is read when its image is wanted.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let folder = Path::new(&root).join("../../assets/images").canonicalize()?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut list = String::from("&[\n");
    for path in &paths {
        println!("cargo::rerun-if-changed={}", path.display());
        let text = fs::read_to_string(path)?;
        // Tests see to it that this is what the files say when they are read.
        let name = text.lines().find_map(|line| line.strip_prefix("name: ")).unwrap_or_default();
        let preloaded = text.lines().any(|line| line.trim() == "preloaded: true");
        let path = path.to_string_lossy();
        let _ = writeln!(
            list,
            "File {{ name: {:?}, preloaded: {preloaded}, text: || include_str!({path:?}) }},",
            name.trim()
        );
    }
    list.push_str("]\n");
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("images.rs"), list)
}
