//! The table of messages: see `fields.txt`.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The table, read once.
pub static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(include_str!("fields.txt")));

/// All messages.
#[derive(Debug, Default)]
pub struct Table {
    kinds: HashMap<(String, String), usize>,
    messages: Vec<Message>,
}

/// A message's fields.
#[derive(Debug, Default)]
pub struct Message(HashMap<u64, Field>);

/// A field.
#[derive(Debug)]
pub struct Field {
    /// Its name in JSON; "" when its fields stand in its holder.
    pub name: String,
    /// What it is.
    pub form: Form,
}

/// What a field is.
#[derive(Debug)]
pub enum Form {
    /// A message, by its number.
    Message(usize),
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// True or false.
    Flag,
    /// A floating point number.
    Float,
    /// Bytes, in JSON as base64.
    Bytes,
    /// A time in seconds.
    Time,
    /// A time in microseconds.
    MicroTime,
    /// A duration in nanoseconds.
    Duration,
    /// A quantity.
    Quantity,
    /// A whole number or text.
    NumberOrText,
    /// JSON.
    Json,
    /// A list of texts, in a message of its own.
    Texts,
    /// A list.
    List(Box<Form>),
    /// A map from texts.
    Map(Box<Form>),
}

impl Table {
    /// Reads a table. Lines that are not well formed are left out: the test finds them.
    fn parse(text: &str) -> Table {
        let mut table = Table::default();
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        for line in lines.by_ref().take_while(|line| !line.is_empty()) {
            let mut words = line.split(' ');
            if let (Some(version), Some(kind), Some(Ok(number))) =
                (words.next(), words.next(), words.next().map(str::parse))
            {
                table.kinds.insert((version.to_owned(), kind.to_owned()), number);
            }
        }
        table.messages =
            lines.map(|line| Message(line.split(' ').filter_map(field).collect())).collect();
        table
    }

    /// The message of a kind.
    pub fn kind(&self, api_version: &str, kind: &str) -> Option<&Message> {
        let number = self.kinds.get(&(api_version.to_owned(), kind.to_owned()))?;
        self.message(*number)
    }

    /// A message by its number.
    pub fn message(&self, number: usize) -> Option<&Message> {
        self.messages.get(number)
    }
}

impl Message {
    /// A field by its number.
    pub fn field(&self, number: u64) -> Option<&Field> {
        self.0.get(&number)
    }
}

fn field(text: &str) -> Option<(u64, Field)> {
    let (number, rest) = text.split_once('=')?;
    let (name, form) = rest.split_once(':')?;
    Some((number.parse().ok()?, Field { name: name.to_owned(), form: Form::parse(form)? }))
}

impl Form {
    fn parse(text: &str) -> Option<Form> {
        if let Some(inner) = text.strip_prefix('[') {
            return Some(Form::List(Box::new(Form::parse(inner)?)));
        }
        if let Some(inner) = text.strip_prefix('{') {
            return Some(Form::Map(Box::new(Form::parse(inner)?)));
        }
        Some(match text {
            "s" => Form::Text,
            "i" => Form::Integer,
            "b" => Form::Flag,
            "f" => Form::Float,
            "y" => Form::Bytes,
            "T" => Form::Time,
            "U" => Form::MicroTime,
            "D" => Form::Duration,
            "Q" => Form::Quantity,
            "I" => Form::NumberOrText,
            "R" => Form::Json,
            "X" => Form::Texts,
            number => Form::Message(number.parse().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read() {
        let text = include_str!("fields.txt");
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let empty = lines.iter().position(|line| line.is_empty()).unwrap();
        assert_eq!(TABLE.kinds.len(), empty);
        assert_eq!(TABLE.messages.len(), lines.len() - empty - 1);
        let words =
            lines[empty + 1..].iter().flat_map(|line| line.split(' ')).filter(|w| !w.is_empty());
        let fields: usize = TABLE.messages.iter().map(|message| message.0.len()).sum();
        assert_eq!(fields, words.count());
        fn inner(form: &Form) -> Option<usize> {
            match form {
                Form::Message(number) => Some(*number),
                Form::List(form) | Form::Map(form) => inner(form),
                _ => None,
            }
        }
        for field in TABLE.messages.iter().flat_map(|message| message.0.values()) {
            assert!(inner(&field.form).is_none_or(|number| number < TABLE.messages.len()));
        }
    }
}
