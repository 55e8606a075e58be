//! `-o yaml`.

use crate::failure::{Failure, Result};
use naru_api::encode::Sink;
use naru_api::yaml::Text;
use serde_json::{Error, Value};

/// The text that `sigs.k8s.io/yaml` writes.
pub fn to_yaml(value: &Value) -> Result<String> {
    Ok(naru_api::yaml::print(value))
}

/// The text of what is told.
pub fn text_of(
    tell: impl FnOnce(&mut dyn Sink) -> std::result::Result<(), Error>,
) -> Result<String> {
    let mut text = Text::default();
    tell(&mut text).map_err(|why| Failure::Message(why.to_string()))?;
    Ok(text.into_text())
}
