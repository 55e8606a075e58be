//! Configuration files: sections of names and values.

use std::collections::BTreeMap;

/// Lines that are read of one file.
const LINES_MAX: usize = 10_000;

/// A file's sections; what stands before the first is in `default`.
#[derive(Clone, Debug, Default)]
pub struct Config(BTreeMap<String, Vec<(String, String)>>);

impl Config {
    /// Reads a text; what is no name with a value is passed over.
    pub fn parse(text: &str) -> Self {
        let mut config = Config::default();
        let mut section = "default".to_owned();
        for line in text.lines().take(LINES_MAX) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                section = name.trim().to_owned();
                config.0.entry(section.clone()).or_default();
            } else if let Some((name, value)) = line.split_once('=') {
                let value = value.trim().trim_matches('"').to_owned();
                let entry = (name.trim().to_owned(), value);
                config.0.entry(section.clone()).or_default().push(entry);
            }
        }
        config
    }

    /// A section's names and values, in order.
    pub fn section(&self, name: &str) -> Option<&[(String, String)]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// One value.
    pub fn value(&self, section: &str, name: &str) -> Option<&str> {
        let entries = self.section(section)?;
        entries.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}
