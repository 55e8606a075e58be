//! `-o json`.

use crate::failure::{Failure, Result};
use naru_api::encode::{self, Sink, Style, Text};
use serde_json::{Error, Value};

/// Four blanks of indentation and `<`, `>`, `&` escaped, as Go's `json.MarshalIndent` writes it.
const STYLE: Style = Style { indent: Some(4), html: true };

/// The text of a value.
pub fn to_json(value: &Value) -> Result<String> {
    text_of(|sink| encode::tell(value, sink))
}

/// The text of what is told.
pub fn text_of(
    tell: impl FnOnce(&mut dyn Sink) -> std::result::Result<(), Error>,
) -> Result<String> {
    let mut text = Text::new(STYLE);
    tell(&mut text).map_err(|why| Failure::Message(why.to_string()))?;
    let mut bytes = text.into_bytes();
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(|why| Failure::Message(why.to_string()))
}
