//! Lines with a title and a value, and the tables among them.

use crate::printers::tabwriter::TabWriter;
use naru_sim::Time;
use serde_json::Value;
use std::time::Duration;

/// Annotations longer than this are put on lines of their own.
const ANNOTATION_MAX: usize = 140;

/// A description that is being written.
#[derive(Debug)]
pub struct Page {
    writer: TabWriter,
    now: Time,
}

impl Page {
    /// An empty page; ages are told at the moment `now`.
    pub fn new(now: Time) -> Self {
        Page { writer: TabWriter::describe(), now }
    }

    /// The whole text.
    pub fn finish(mut self) -> String {
        self.writer.flush()
    }

    /// The whole text with tabs where columns would be.
    pub fn unaligned(self) -> String {
        self.writer.into_text()
    }

    /// A line, two blanks in for each level.
    pub fn line(&mut self, level: usize, text: &str) {
        self.write(level, text);
        self.writer.write("\n");
    }

    /// The beginning of a line.
    pub fn write(&mut self, level: usize, text: &str) {
        (0..level).for_each(|_| self.writer.write("  "));
        self.writer.write(text);
    }

    /// `Title:  value`
    pub fn field(&mut self, level: usize, title: &str, value: impl std::fmt::Display) {
        self.write(level, title);
        self.writer.write(":\t");
        self.writer.show(&value);
        self.writer.write("\n");
    }

    /// `Title:  value`, if there is a value.
    pub fn field_if(&mut self, level: usize, title: &str, value: &Value) {
        let value = text(value);
        if !value.is_empty() {
            self.field(level, title, value);
        }
    }

    /// Name, namespace, labels and annotations, as most descriptions begin.
    pub fn head(&mut self, object: &Value) {
        let metadata = &object["metadata"];
        self.field(0, "Name", text(&metadata["name"]));
        self.field(0, "Namespace", text(&metadata["namespace"]));
        self.labels("Labels", &metadata["labels"]);
        self.annotations("Annotations", &metadata["annotations"]);
    }

    /// `key=value`, one a line, beside the title.
    pub fn labels(&mut self, title: &str, map: &Value) {
        let pairs: Vec<String> = pairs(map).map(|(key, value)| format!("{key}={value}")).collect();
        self.lines(title, &pairs);
    }

    /// Lines beside a title; `<none>` when there are none.
    pub fn lines(&mut self, title: &str, lines: &[String]) {
        self.write(0, &format!("{title}:\t"));
        if lines.is_empty() {
            self.line(0, "<none>");
        }
        for (index, line) in lines.iter().enumerate() {
            let indent = if index == 0 { "" } else { "\t" };
            self.line(0, &format!("{indent}{line}"));
        }
    }

    /// `key: value`, long values below their key.
    pub fn annotations(&mut self, title: &str, map: &Value) {
        self.write(0, &format!("{title}:\t"));
        let mut first = true;
        for (key, value) in pairs(map) {
            if key == crate::cmd::apply::LAST_APPLIED {
                continue;
            }
            let indent = if std::mem::take(&mut first) { "" } else { "\t" };
            let value = value.strip_suffix('\n').unwrap_or(value);
            if value.len() + key.len() + 2 > ANNOTATION_MAX || value.contains('\n') {
                self.line(0, &format!("{indent}{key}:"));
                for line in value.split('\n') {
                    self.line(0, &format!("\t  {}", shorten(line)));
                }
            } else {
                self.line(0, &format!("{indent}{key}: {value}"));
            }
        }
        if first {
            self.line(0, "<none>");
        }
    }

    /// How long ago a moment was: `5m3s`.
    pub fn age(&self, time: &Value) -> String {
        self.age_of(parse_time(time))
    }

    /// How long ago a moment was.
    pub fn age_of(&self, time: Option<Time>) -> String {
        match time {
            Some(time) if time >= self.now + Duration::from_secs(2) => "<invalid>".to_owned(),
            Some(time) => naru_api::duration::human(self.now.since(time)),
            None => "<unknown>".to_owned(),
        }
    }
}

fn shorten(text: &str) -> String {
    let max = ANNOTATION_MAX - 2;
    if text.len() <= max {
        return text.to_owned();
    }
    let end = (0..=max).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}...", text.get(..end).unwrap_or_default())
}

/// A text field; "" when it is not there.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A text field, or `<none>`.
pub fn or_none(value: &Value) -> &str {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or("<none>")
}

/// A number field; 0 when it is not there.
pub fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

/// A list field; empty when it is not there.
pub fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The entries of a map of texts, by key.
pub fn pairs(map: &Value) -> impl Iterator<Item = (&str, &str)> {
    map.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), text(value)))
}

/// A number or a text, as `IntOrString` is shown.
pub fn int_or_text(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        value => text(value).to_owned(),
    }
}

/// The moment that a field names.
pub fn parse_time(value: &Value) -> Option<Time> {
    value.as_str().and_then(naru_api::time::parse_rfc3339)
}

/// `Mon, 02 Jun 2025 00:00:00 +0000`
pub fn date(value: &Value) -> String {
    match parse_time(value) {
        Some(time) => naru_api::time::rfc1123z(&naru_api::time::meta_time(time)),
        None => "Mon, 01 Jan 0001 00:00:00 +0000".to_owned(),
    }
}

/// `True` or `False`
pub fn capital(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}
