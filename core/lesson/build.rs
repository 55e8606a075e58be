//! Lists the folders of `lessons/`, so that a new lesson needs no line of code: what a list of
//! lessons shows of each, and apart from that their texts, which a page loads one by one.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

use serde::Deserialize;
use serde::de::IgnoredAny;

/// What a list shows. The rest of the file is read when the lesson is.
#[derive(Deserialize)]
struct Head {
    title: Title,
    minutes: u32,
    part: u32,
    steps: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
struct Title {
    ko: String,
    en: String,
}

fn main() -> io::Result<()> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let lessons = Path::new(&root).join("../../lessons").canonicalize()?;
    println!("cargo::rerun-if-changed={}", lessons.display());
    let mut folders: Vec<_> =
        fs::read_dir(&lessons)?.collect::<Result<Vec<_>, _>>()?.iter().map(|e| e.path()).collect();
    folders.sort();
    let (mut files, mut heads) = (String::from("&[\n"), String::from("&[\n"));
    for folder in folders {
        let file = folder.join("lesson.yaml");
        let Some(slug) = folder.file_name().and_then(|name| name.to_str()) else { continue };
        if file.is_file() {
            println!("cargo::rerun-if-changed={}", file.display());
            let path = file.display();
            let _ =
                writeln!(files, "LessonFile {{ slug: {slug:?}, yaml: include_str!({path:?}) }},");
            // A file that cannot be read is told of by the tests, with its line.
            if let Ok(head) = serde_yaml::from_str::<Head>(&fs::read_to_string(&file)?) {
                let _ = writeln!(heads, "{},", written(slug, &head));
            }
        }
    }
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("lessons.rs"), files + "]")?;
    fs::write(Path::new(&out).join("heads.rs"), heads + "]")
}

fn written(slug: &str, head: &Head) -> String {
    let Head { title: Title { ko, en }, minutes, part, steps } = head;
    let steps = steps.len();
    format!(
        "LessonHead {{ slug: {slug:?}, title: ({ko:?}, {en:?}), minutes: {minutes}, part: {part}, \
         steps: {steps} }}"
    )
}
