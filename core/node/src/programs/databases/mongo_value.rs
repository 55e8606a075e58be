//! Documents, as MongoDB's shell reads and shows them.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// How deep documents may be, and how long a line is.
const DEPTH_MAX: usize = 32;
const LINE_MAX: usize = 80;

/// A value of a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Bson {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    Id(String),
    List(Vec<Bson>),
    Doc(Vec<(String, Bson)>),
}

impl Bson {
    /// A field; a dot goes deeper.
    pub fn get(&self, path: &str) -> Option<&Bson> {
        let (name, rest) = match path.split_once('.') {
            Some((name, rest)) => (name, Some(rest)),
            None => (path, None),
        };
        let Bson::Doc(fields) = self else { return None };
        let (_, value) = fields.iter().find(|(field, _)| field == name)?;
        match rest {
            Some(rest) => value.get(rest),
            None => Some(value),
        }
    }

    /// Sets a field of a document.
    pub fn set(&mut self, name: &str, value: Bson) {
        let Bson::Doc(fields) = self else { return };
        match fields.iter_mut().find(|(field, _)| field == name) {
            Some((_, old)) => *old = value,
            None => fields.push((name.to_owned(), value)),
        }
    }

    /// The order of two values of a kind.
    pub fn order(&self, other: &Bson) -> Option<Ordering> {
        match (self, other) {
            (Bson::Number(a), Bson::Number(b)) => a.partial_cmp(b),
            (Bson::Text(a), Bson::Text(b)) | (Bson::Id(a), Bson::Id(b)) => Some(a.cmp(b)),
            (Bson::Bool(a), Bson::Bool(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    /// Whether a document is what a filter asks for.
    pub fn fits(&self, filter: &Bson) -> bool {
        let Bson::Doc(conditions) = filter else { return true };
        conditions.iter().all(|(path, wanted)| {
            let value = self.get(path);
            match wanted {
                Bson::Doc(operators) if operators.iter().any(|(name, _)| name.starts_with('$')) => {
                    operators.iter().all(|(name, operand)| holds(value, name, operand))
                }
                wanted => value.unwrap_or(&Bson::Null) == wanted,
            }
        })
    }
}

fn holds(value: Option<&Bson>, operator: &str, operand: &Bson) -> bool {
    let order = value.and_then(|value| value.order(operand));
    match operator {
        "$eq" => value == Some(operand),
        "$ne" => value != Some(operand),
        "$gt" => order == Some(Ordering::Greater),
        "$lt" => order == Some(Ordering::Less),
        "$gte" => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        "$lte" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        "$exists" => value.is_some() == (*operand == Bson::Bool(true)),
        "$in" => match (operand, value) {
            (Bson::List(all), Some(value)) => all.contains(value),
            _ => false,
        },
        _ => false,
    }
}

/// Reads the arguments of a call: values with commas between, as JavaScript writes them.
pub fn arguments(text: &str) -> Result<Vec<Bson>, String> {
    let mut reader = Reader { chars: text.chars().collect(), at: 0 };
    let mut values = Vec::new();
    reader.blanks();
    while reader.at < reader.chars.len() {
        values.push(reader.value(0)?);
        reader.blanks();
        if !reader.take(',') && reader.at < reader.chars.len() {
            return Err(reader.unexpected());
        }
        reader.blanks();
    }
    Ok(values)
}

struct Reader {
    chars: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn take(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        self.at += usize::from(found);
        found
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn unexpected(&self) -> String {
        format!("SyntaxError: Unexpected token. (1:{})", self.at)
    }

    fn value(&mut self, depth: usize) -> Result<Bson, String> {
        if depth > DEPTH_MAX {
            return Err(self.unexpected());
        }
        self.blanks();
        match self.peek() {
            Some('{') => {
                self.at += 1;
                self.document(depth)
            }
            Some('[') => {
                self.at += 1;
                let mut all = Vec::new();
                loop {
                    self.blanks();
                    if self.take(']') {
                        return Ok(Bson::List(all));
                    }
                    all.push(self.value(depth + 1)?);
                    self.blanks();
                    if !self.take(',') && self.peek() != Some(']') {
                        return Err(self.unexpected());
                    }
                }
            }
            Some('"' | '\'' | '`') => self.text().map(Bson::Text),
            Some(c) if c.is_ascii_digit() || c == '-' || c == '.' => {
                let word = self.word(|c| c.is_ascii_digit() || "-+.eE".contains(c));
                word.parse().map(Bson::Number).map_err(|_| self.unexpected())
            }
            _ => self.named(),
        }
    }

    fn document(&mut self, depth: usize) -> Result<Bson, String> {
        let mut fields = Vec::new();
        loop {
            self.blanks();
            if self.take('}') {
                return Ok(Bson::Doc(fields));
            }
            let name = match self.peek() {
                Some('"' | '\'') => self.text()?,
                _ => self.word(|c| c.is_alphanumeric() || c == '_' || c == '$'),
            };
            self.blanks();
            if name.is_empty() || !self.take(':') {
                return Err(self.unexpected());
            }
            let value = self.value(depth + 1)?;
            fields.push((name, value));
            self.blanks();
            if !self.take(',') && self.peek() != Some('}') {
                return Err(self.unexpected());
            }
        }
    }

    fn text(&mut self) -> Result<String, String> {
        let quote = self.peek();
        self.at += 1;
        let mut text = String::new();
        loop {
            let c = self.peek().ok_or_else(|| self.unexpected())?;
            self.at += 1;
            match c {
                c if Some(c) == quote => return Ok(text),
                '\\' => {
                    let next = self.peek().ok_or_else(|| self.unexpected())?;
                    self.at += 1;
                    text.push(if next == 'n' { '\n' } else { next });
                }
                c => text.push(c),
            }
        }
    }

    fn word(&mut self, fits: impl Fn(char) -> bool) -> String {
        let mut word = String::new();
        while let Some(c) = self.peek().filter(|c| fits(*c)) {
            word.push(c);
            self.at += 1;
        }
        word
    }

    fn named(&mut self) -> Result<Bson, String> {
        let word = self.word(|c| c.is_alphanumeric() || c == '_');
        match word.as_str() {
            "true" => Ok(Bson::Bool(true)),
            "false" => Ok(Bson::Bool(false)),
            "null" | "undefined" => Ok(Bson::Null),
            "ObjectId" if self.take('(') => {
                self.blanks();
                let id = self.text()?;
                self.blanks();
                match self.take(')') {
                    true => Ok(Bson::Id(id)),
                    false => Err(self.unexpected()),
                }
            }
            "" => Err(self.unexpected()),
            word => Err(format!("ReferenceError: {word} is not defined")),
        }
    }
}

/// The value as the shell shows it.
///
/// Upstream: `util.inspect` of Node.js with `compact: 3`.
pub fn inspect(value: &Bson, indent: usize) -> String {
    let entries: Vec<String> = match value {
        Bson::List(all) => all.iter().map(|it| inspect(it, indent + 2)).collect(),
        Bson::Doc(fields) => fields
            .iter()
            .map(|(name, it)| format!("{}: {}", key(name), inspect(it, indent + 2)))
            .collect(),
        plain => return show(plain),
    };
    let (open, close) = match value {
        Bson::List(_) => ('[', ']'),
        _ => ('{', '}'),
    };
    if entries.is_empty() {
        return format!("{open}{close}");
    }
    let length: usize = entries.iter().map(|entry| entry.chars().count()).sum();
    let start = entries.len() * 2 + indent + 11;
    let inline = !entries.iter().any(|entry| entry.contains('\n')) && length + start <= LINE_MAX;
    if inline && depth(value) <= 3 {
        return format!("{open} {} {close}", entries.join(", "));
    }
    let pad = " ".repeat(indent);
    let lines: Vec<String> = entries.iter().map(|entry| format!("{pad}  {entry}")).collect();
    format!("{open}\n{}\n{pad}{close}", lines.join(",\n"))
}

fn depth(value: &Bson) -> usize {
    match value {
        Bson::List(all) => 1 + all.iter().map(depth).max().unwrap_or(0),
        Bson::Doc(fields) => 1 + fields.iter().map(|(_, it)| depth(it)).max().unwrap_or(0),
        _ => 0,
    }
}

fn key(name: &str) -> String {
    let plain = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$');
    if plain { name.to_owned() } else { format!("'{name}'") }
}

fn show(value: &Bson) -> String {
    match value {
        Bson::Null => "null".to_owned(),
        Bson::Bool(truth) => truth.to_string(),
        Bson::Number(number) => number.to_string(),
        Bson::Text(text) if text.contains('\'') => format!("\"{text}\""),
        Bson::Text(text) => format!("'{}'", text.replace('\n', "\\n")),
        Bson::Id(id) => format!("ObjectId('{id}')"),
        other => inspect(other, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_shown() {
        let table = [
            ("{name: 'foo'}", "{ name: 'foo' }"),
            (
                "{\"a\": [1, 2.5, true, null], b: {c: \"it's\"}}",
                "{ a: [ 1, 2.5, true, null ], b: { c: \"it's\" } }",
            ),
            ("[]", "[]"),
        ];
        for (text, shown) in table {
            let values = arguments(text).unwrap();
            assert_eq!(inspect(&values[0], 0), shown, "{text}");
        }
        assert_eq!(arguments("{a: 1}, {b: 2}").unwrap().len(), 2);
        assert!(arguments("{a 1}").is_err());
        assert_eq!(arguments("x").unwrap_err(), "ReferenceError: x is not defined");
    }

    #[test]
    fn long_ones_take_lines() {
        let id = "0".repeat(24);
        let text = format!("{{acknowledged: true, insertedId: ObjectId('{id}')}}");
        let value = &arguments(&text).unwrap()[0];
        let expected = format!("{{\n  acknowledged: true,\n  insertedId: ObjectId('{id}')\n}}");
        assert_eq!(inspect(value, 0), expected);
    }

    #[test]
    fn filters() {
        let doc = &arguments("{a: 3, b: {c: 'x'}}").unwrap()[0];
        for (filter, wanted) in [
            ("{}", true),
            ("{a: 3}", true),
            ("{a: {$gt: 2, $lt: 4}}", true),
            ("{'b.c': 'x'}", true),
            ("{z: {$exists: true}}", false),
            ("{a: {$in: [1, 2]}}", false),
        ] {
            assert_eq!(doc.fits(&arguments(filter).unwrap()[0]), wanted, "{filter}");
        }
    }
}
