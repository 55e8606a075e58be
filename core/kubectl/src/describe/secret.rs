//! `kubectl describe secret`

use super::page::{Page, pairs, text};
use serde_json::Value;

pub(super) fn describe(page: &mut Page, secret: &Value) {
    page.head(secret);
    page.line(0, &format!("\nType:\t{}", text(&secret["type"])));
    page.line(0, "\nData\n====");
    for (key, value) in pairs(&secret["data"]) {
        page.line(0, &format!("{key}:\t{} bytes", decoded_length(value)));
    }
}

/// How many bytes base64 text stands for.
pub(super) fn decoded_length(text: &str) -> usize {
    let padding = text.bytes().rev().take_while(|byte| *byte == b'=').count();
    (text.len() / 4 * 3).saturating_sub(padding)
}
