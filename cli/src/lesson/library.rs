//! Lessons in a folder.

use naru_lesson::{Known, Lesson, course, parse_glossary};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The file of a lesson's folder.
pub const FILE: &str = "lesson.yaml";

/// A lesson file.
pub struct Source {
    /// The name of its folder.
    pub slug: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its text.
    pub yaml: String,
}

/// The lessons of these folders: each is one lesson's, or has lessons' folders in it.
pub fn find(paths: &[PathBuf]) -> Result<Vec<Source>, String> {
    let mut sources = Vec::new();
    for path in paths {
        let before = sources.len();
        if path.is_file() {
            sources.push(read(path)?);
        } else if path.join(FILE).is_file() {
            sources.push(read(&path.join(FILE))?);
        } else {
            for folder in folders(path)? {
                sources.push(read(&folder.join(FILE))?);
            }
        }
        if sources.len() == before {
            return Err(format!("{}: no lessons there", path.display()));
        }
    }
    Ok(sources)
}

/// The lesson of this name, or the only one whose name begins so.
pub fn named(folder: &Path, name: &str) -> Result<Source, String> {
    let exact = folder.join(name).join(FILE);
    if exact.is_file() {
        return read(&exact);
    }
    let mut matching = folders(folder)?;
    matching.retain(|folder| folder_name(folder).starts_with(name));
    match matching.as_slice() {
        [one] => read(&one.join(FILE)),
        [] => Err(format!("{}: no lesson {name:?}", folder.display())),
        many => {
            let names: Vec<String> = many.iter().map(|it| folder_name(it)).collect();
            Err(format!("{name:?} may be {}", names.join(" or ")))
        }
    }
}

/// What the lessons of a folder may name.
pub fn known(lessons: &Path) -> Result<Known, String> {
    let names = folders(lessons)?.iter().map(|folder| folder_name(folder)).collect();
    let glossary = lessons.join("glossary.yaml");
    let terms = match fs::read_to_string(&glossary) {
        Ok(yaml) => parse_glossary(&yaml)
            .map_err(|error| format!("{}:{}: {error}", glossary.display(), error.line()))?,
        Err(_) => BTreeMap::new(),
    };
    let table = fs::read_to_string(lessons.join("../docs/course.md")).ok();
    Ok(Known {
        lessons: names,
        terms: terms.into_keys().collect(),
        headings: table.map(|it| course::read(&it).into_iter().map(|head| head.key).collect()),
    })
}

/// Every lesson of a folder that can be read.
pub fn all(lessons: &Path) -> Result<BTreeMap<String, Lesson>, String> {
    let parse = |source: Source| {
        let lesson = Lesson::parse(&source.yaml);
        lesson
            .map(|lesson| (source.slug, lesson))
            .map_err(|error| format!("{}:{}: {error}", source.path.display(), error.line()))
    };
    find(&[lessons.to_owned()])?.into_iter().map(parse).collect()
}

/// The folder in which a lesson's folder is.
pub fn home(source: &Source) -> PathBuf {
    let folder = source.path.parent().and_then(Path::parent).filter(|it| it.as_os_str() != "");
    folder.unwrap_or(Path::new(".")).to_owned()
}

fn folders(path: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut folders: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|folder| folder.join(FILE).is_file())
        .collect();
    folders.sort();
    Ok(folders)
}

fn read(path: &Path) -> Result<Source, String> {
    let tell = |error: std::io::Error| format!("{}: {error}", path.display());
    let yaml = fs::read_to_string(path).map_err(tell)?;
    let whole = path.canonicalize().map_err(tell)?;
    let slug = whole.parent().map(folder_name).unwrap_or_default();
    Ok(Source { slug, path: path.to_owned(), yaml })
}

fn folder_name(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
