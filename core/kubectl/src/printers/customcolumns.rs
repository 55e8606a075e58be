//! `-o custom-columns=NAME:.metadata.name`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/get/customcolumn.go`.

use super::tabwriter::TabWriter;
use crate::failure::{Failure, Result};
use naru_api::jsonpath::{JsonPath, relaxed, text_of};
use naru_api::wanted::Wanted;
use serde_json::Value;

/// Columns that the user names.
#[derive(Clone, Debug)]
pub struct CustomColumns {
    headers: Vec<String>,
    paths: Vec<JsonPath>,
    wanted: Wanted,
    no_headers: bool,
    headed: bool,
    writer: TabWriter,
}

impl CustomColumns {
    /// Parses `HEADER:path,…`, or the two lines of a template file.
    pub fn parse(text: &str, is_file: bool, no_headers: bool) -> Result<Self> {
        if text.is_empty() {
            let text = "custom-columns format specified but no custom columns given";
            return Err(Failure::message(text));
        }
        let pairs = if is_file { pairs_of_file(text)? } else { pairs_of_line(text)? };
        let mut columns = CustomColumns {
            headers: Vec::new(),
            paths: Vec::new(),
            wanted: Wanted::default(),
            no_headers,
            headed: false,
            writer: TabWriter::table(),
        };
        for (header, path) in pairs {
            let path = relaxed(&path).and_then(|path| JsonPath::parse(&path, true));
            let path = path.map_err(Failure::Message)?;
            columns.headers.push(header);
            columns.wanted.add(&path.wanted());
            columns.paths.push(path);
        }
        columns.wanted.settle();
        Ok(columns)
    }

    /// What the columns show of an object.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// A row for an object, or for each of a list. The rows are told by [`Self::finish`], when it
    /// is known how wide they are.
    pub fn print(&mut self, object: &Value) -> Result<String> {
        self.head();
        match object["items"].as_array() {
            Some(items) => items.iter().try_for_each(|item| self.row(item))?,
            None => self.row(object)?,
        }
        Ok(String::new())
    }

    /// The headers, before the first row.
    pub fn head(&mut self) {
        if !std::mem::replace(&mut self.headed, true) && !self.no_headers {
            self.writer.line(&self.headers.join("\t"));
        }
    }

    /// The rows so far.
    pub fn finish(&mut self) -> String {
        self.writer.flush()
    }

    /// A row for one object.
    pub fn row(&mut self, object: &Value) -> Result<()> {
        let mut cells = Vec::new();
        for path in &self.paths {
            let values = path.find_first(object).map_err(Failure::Message)?;
            let texts: Vec<String> = values.iter().map(go_value).collect();
            cells.push(if texts.is_empty() { "<none>".to_owned() } else { texts.join(",") });
        }
        self.writer.line(&cells.join("\t"));
        Ok(())
    }
}

/// A value as Go's `%v` writes it: `map[app:web]`.
fn go_value(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(go_value).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}:{}", go_value(value))).collect();
            format!("map[{}]", fields.join(" "))
        }
        other => text_of(other),
    }
}

fn pairs_of_line(text: &str) -> Result<Vec<(String, String)>> {
    text.split(',')
        .map(|column| match column.split_once(':') {
            Some((header, path)) => Ok((header.to_owned(), path.to_owned())),
            None => Err(Failure::message(format!(
                "unexpected custom-columns spec: {column}, expected <header>:<json-path-expr>"
            ))),
        })
        .collect()
}

fn pairs_of_file(text: &str) -> Result<Vec<(String, String)>> {
    let mut lines = text.lines();
    let mut words = || -> Vec<String> {
        lines.next().unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    };
    let (headers, paths) = (words(), words());
    if headers.len() != paths.len() {
        return Err(Failure::message(format!(
            "number of headers ({}) and field specifications ({}) don't match",
            headers.len(),
            paths.len()
        )));
    }
    Ok(headers.into_iter().zip(paths).collect())
}
