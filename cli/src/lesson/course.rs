//! `naru lesson course`: the table of `docs/course.md`.

use super::library;
use clap::Args;
use naru_lesson::course;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `naru lesson course`.
#[derive(Args)]
pub struct Course {
    /// Read the headings anew from the five texts of this folder, not from the table.
    #[arg(long, value_name = "FOLDER")]
    material: Option<PathBuf>,
    /// The lessons.
    #[arg(long, default_value = "lessons")]
    lessons: PathBuf,
    /// The table.
    #[arg(default_value = "docs/course.md")]
    file: PathBuf,
}

impl Course {
    /// Writes it.
    pub fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let headings = match &self.material {
            Some(folder) => {
                let mut files: Vec<PathBuf> =
                    fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
                files.sort();
                let mut headings = Vec::new();
                for file in files {
                    let name = file.file_name().unwrap_or_default().to_string_lossy();
                    let letter = name.split('-').next().unwrap_or_default();
                    headings.extend(course::headings(letter, &fs::read_to_string(&file)?));
                }
                headings
            }
            None => course::read(&fs::read_to_string(&self.file)?),
        };
        fs::write(&self.file, course::write(&headings, &library::all(&self.lessons)?))?;
        Ok(ExitCode::SUCCESS)
    }
}
