//! A record and its fields: each is made of the other when it is asked for.

use super::run::{Ran, Stop};
use super::value::Value;
use crate::programs::regex;

/// Most fields of a record.
const FIELDS_MAX: usize = 1 << 15;

/// `$0`, `$1`, …
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// `$0`.
    pub text: String,
    fields: Option<Vec<String>>,
}

/// Splits as `FS` and the third argument of `split` say: by blanks, by one character, or by a
/// regular expression.
pub fn split(text: &str, separator: &str) -> Ran<Vec<String>> {
    let fields: Vec<String> = match separator {
        " " => text.split_ascii_whitespace().map(str::to_string).collect(),
        _ if text.is_empty() => Vec::new(),
        "" => text.chars().map(|c| c.to_string()).collect(),
        one if one.chars().count() == 1 && one != "\\" => {
            text.split(one).map(str::to_string).collect()
        }
        expression => {
            let regex = regex::compile(expression, true, false).map_err(|message| {
                Stop::Fatal(format!("regular expression compile failed ({message})\n{expression}"))
            })?;
            regex.split(text).map(str::to_string).collect()
        }
    };
    if fields.len() > FIELDS_MAX {
        return Err(Stop::Fatal("program limit exceeded: maximum number of fields".to_string()));
    }
    Ok(fields)
}

impl Record {
    /// A new record.
    pub fn set(&mut self, text: String) {
        self.text = text;
        self.fields = None;
    }

    fn fields(&mut self, separator: &str) -> Ran<&mut Vec<String>> {
        let fields = match self.fields.take() {
            Some(fields) => fields,
            None => split(&self.text, separator)?,
        };
        Ok(self.fields.insert(fields))
    }

    /// `NF`.
    pub fn count(&mut self, separator: &str) -> Ran<usize> {
        Ok(self.fields(separator)?.len())
    }

    /// `$index`.
    pub fn field(&mut self, index: usize, separator: &str) -> Ran<Value> {
        let Some(at) = index.checked_sub(1) else { return Ok(Value::input(&self.text)) };
        let fields = self.fields(separator)?;
        Ok(fields.get(at).map_or(Value::Text(String::new()), |field| Value::input(field)))
    }

    /// `$index = text`, which makes the record anew.
    pub fn set_field(&mut self, index: usize, text: &str, separator: &str, ofs: &str) -> Ran<()> {
        let Some(at) = index.checked_sub(1) else {
            self.set(text.to_string());
            return Ok(());
        };
        if index > FIELDS_MAX {
            return Err(Stop::Fatal(
                "program limit exceeded: maximum number of fields".to_string(),
            ));
        }
        let fields = self.fields(separator)?;
        if fields.len() < index {
            fields.resize(index, String::new());
        }
        if let Some(field) = fields.get_mut(at) {
            *field = text.to_string();
        }
        self.text = fields.join(ofs);
        Ok(())
    }

    /// `NF = count`, which makes the record anew.
    pub fn set_count(&mut self, count: f64, separator: &str, ofs: &str) -> Ran<()> {
        if !(0.0..=FIELDS_MAX as f64).contains(&count) {
            return Err(Stop::Fatal(
                "program limit exceeded: maximum number of fields".to_string(),
            ));
        }
        let fields = self.fields(separator)?;
        fields.resize(count as usize, String::new());
        self.text = fields.join(ofs);
        Ok(())
    }
}
