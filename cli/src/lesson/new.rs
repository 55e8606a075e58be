//! `naru lesson new`: a file to fill in.

use super::library::FILE;
use clap::Args;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

const TEMPLATE: &str = include_str!("template.yaml");

/// Arguments of `naru lesson new`.
#[derive(Args)]
pub struct New {
    /// The folder's name, PPNN-NAME: `0203-annotations` is the third lesson of part 2.
    slug: String,
    /// Where lessons are.
    #[arg(long, default_value = "lessons")]
    lessons: PathBuf,
}

impl New {
    /// Writes it, unless there is one.
    pub fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let number = self.slug.split('-').next().unwrap_or_default();
        let part = number.get(..2).and_then(|part| part.parse::<u32>().ok());
        let (Some(part), 4) = (part, number.len()) else {
            return Err(
                format!("{:?} does not begin with PPNN-, as 0203-annotations", self.slug).into()
            );
        };
        let folder = self.lessons.join(&self.slug);
        let file = folder.join(FILE);
        if file.exists() {
            return Err(format!("{}: it is there already", file.display()).into());
        }
        fs::create_dir_all(&folder)?;
        fs::write(&file, TEMPLATE.replace("part: 1\n", &format!("part: {part}\n")))?;
        println!("{}", file.display());
        Ok(ExitCode::SUCCESS)
    }
}
