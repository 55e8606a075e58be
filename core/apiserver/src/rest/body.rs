//! Bodies: from bytes to JSON, with the complaints of Go's decoders.
//!
//! Upstream: `transformDecodeError` in `apiserver/pkg/endpoints/handlers/rest.go`, the scanner of
//! Go's `encoding/json`, `sigs.k8s.io/yaml`.

use crate::rest::http::hex;
use crate::rest::media::Encoding;
use naru_api::{ApiError, status::ApiResult, yaml};
use serde_json::Value;

/// Bytes of a request's body: `--max-request-body-bytes`, 3 MiB.
pub const BODY_BYTES_MAX: usize = 3 * 1024 * 1024;
/// Bytes of a body that an error shows.
const SUMMARY_BYTES: usize = 30;
/// How deep lists and objects may lie in one another: `serde_json`'s own limit.
const DEPTH_MAX: usize = 128;

/// Refuses a body that is too large.
pub(crate) fn check_size(body: &[u8]) -> ApiResult<()> {
    if body.len() <= BODY_BYTES_MAX {
        return Ok(());
    }
    let message = format!("Request entity too large: limit is {BODY_BYTES_MAX}");
    Err(ApiError::new(413, "RequestEntityTooLarge", message))
}

/// The body of an object of `kind`.
pub(crate) fn object(body: &[u8], encoding: Encoding, kind: &str) -> ApiResult<Value> {
    let why = match value(body, encoding) {
        Ok(value @ Value::Object(_)) => return Ok(value),
        Ok(other) => not_an_object(&other),
        Err(why) => why,
    };
    let shown = body.get(..SUMMARY_BYTES).unwrap_or(body);
    let shown = match body.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => String::from_utf8_lossy(shown).into_owned(),
        Some(_) => hex(shown),
    };
    let more = if body.len() > SUMMARY_BYTES { " ..." } else { "" };
    Err(ApiError::bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; \
         json parse error: {why} ({shown}{more})"
    )))
}

/// Any JSON or YAML value, or what is wrong with it.
pub(crate) fn value(body: &[u8], encoding: Encoding) -> Result<Value, String> {
    match encoding {
        Encoding::Json => serde_json::from_slice(body).map_err(|_| syntax_error(body)),
        Encoding::Yaml => {
            let text = std::str::from_utf8(body).map_err(|_| "yaml: invalid UTF-8".to_owned())?;
            yaml::parse(text).map_err(|error| error.to_string())
        }
    }
}

fn not_an_object(value: &Value) -> String {
    let found = match value {
        Value::Null => return "unexpected end of JSON input".to_owned(),
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) | Value::Object(_) => "array",
    };
    format!(
        "json: cannot unmarshal {found} into Go value of type struct {{ APIVersion string \
         \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}"
    )
}

/// What Go says of a text that is not JSON.
pub(crate) fn syntax_error(text: &[u8]) -> String {
    let mut scanner = Scanner { text, at: 0, depth: 0 };
    match scanner.document() {
        Err(why) => why,
        // JSON by Go's rules, but not by ours: numbers and depths out of bounds.
        Ok(()) => "exceeded max depth".to_owned(),
    }
}

/// Goes through a text as Go's scanner does, to its first error.
struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
}

type Scan = Result<(), String>;

impl Scanner<'_> {
    fn document(&mut self) -> Scan {
        self.value()?;
        self.blank();
        match self.peek() {
            None => Ok(()),
            Some(_) => self.unexpected("after top-level value"),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn unexpected(&self, context: &str) -> Scan {
        let Some(byte) = self.peek() else {
            return Err("unexpected end of JSON input".to_owned());
        };
        let shown = match byte {
            b'\'' => r"'\''".to_owned(),
            b'"' => "'\"'".to_owned(),
            b'\n' => r"'\n'".to_owned(),
            b'\r' => r"'\r'".to_owned(),
            b'\t' => r"'\t'".to_owned(),
            b'\\' => r"'\\'".to_owned(),
            0..=0x1f | 0x7f => format!("'\\x{byte:02x}'"),
            // Go takes the byte for a character of Latin-1.
            0x80..=0xa0 | 0xad => format!("'\\u{byte:04x}'"),
            byte => format!("'{}'", char::from(byte)),
        };
        Err(format!("invalid character {shown} {context}"))
    }

    fn value(&mut self) -> Scan {
        const CONTEXT: &str = "looking for beginning of value";
        self.blank();
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            _ => self.unexpected(CONTEXT),
        }
    }

    fn nested(&mut self, inner: fn(&mut Self) -> Scan) -> Scan {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("exceeded max depth".to_owned());
        }
        self.at += 1;
        inner(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn object(&mut self) -> Scan {
        const KEY: &str = "looking for beginning of object key string";
        self.blank();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.blank();
            if self.peek() != Some(b'"') {
                return self.unexpected(KEY);
            }
            self.string()?;
            self.blank();
            if self.peek() != Some(b':') {
                return self.unexpected("after object key");
            }
            self.at += 1;
            self.value()?;
            self.blank();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break self.at += 1,
                _ => return self.unexpected("after object key:value pair"),
            }
        }
        Ok(())
    }

    fn array(&mut self) -> Scan {
        self.blank();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value()?;
            self.blank();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break self.at += 1,
                _ => return self.unexpected("after array element"),
            }
        }
        Ok(())
    }

    fn string(&mut self) -> Scan {
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break self.at += 1,
                Some(b'\\') => self.escape()?,
                None | Some(0..=0x1f) => return self.unexpected("in string literal"),
                Some(_) => self.at += 1,
            }
        }
        Ok(())
    }

    fn escape(&mut self) -> Scan {
        self.at += 1;
        match self.peek() {
            Some(b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                        return self.unexpected("in \\u hexadecimal character escape");
                    }
                    self.at += 1;
                }
            }
            _ => return self.unexpected("in string escape code"),
        }
        Ok(())
    }

    fn digits(&mut self, context: &str) -> Scan {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return self.unexpected(context);
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Scan {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits("in numeric literal")?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        Ok(())
    }

    fn literal(&mut self, word: &str) -> Scan {
        for expected in word.bytes() {
            if self.peek() != Some(expected) {
                let expected = char::from(expected);
                return self.unexpected(&format!("in literal {word} (expecting '{expected}')"));
            }
            self.at += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_errors_are_gos() {
        let table = [
            ("", "unexpected end of JSON input"),
            ("{", "unexpected end of JSON input"),
            ("x", "invalid character 'x' looking for beginning of value"),
            ("{x", "invalid character 'x' looking for beginning of object key string"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\":1 2}", "invalid character '2' after object key:value pair"),
            ("{\"a\":1,}", "invalid character '}' looking for beginning of object key string"),
            ("[1 2]", "invalid character '2' after array element"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            ("{} {}", "invalid character '{' after top-level value"),
            ("\"a\nb\"", "invalid character '\\n' in string literal"),
            ("\"\\x\"", "invalid character 'x' in string escape code"),
            ("\"\\u12g4\"", "invalid character 'g' in \\u hexadecimal character escape"),
            ("-a", "invalid character 'a' in numeric literal"),
            ("1.a", "invalid character 'a' after decimal point in numeric literal"),
            ("1ea", "invalid character 'a' in exponent of numeric literal"),
            ("trua", "invalid character 'a' in literal true (expecting 'e')"),
            ("'a'", "invalid character '\\'' looking for beginning of value"),
        ];
        for (text, want) in table {
            assert_eq!(syntax_error(text.as_bytes()), want, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_shown() {
        let message = |body: &str| {
            object(body.as_bytes(), Encoding::Json, "Pod").unwrap_err().message().to_owned()
        };
        assert_eq!(
            message("{\"kind\":\"Pod\",\"apiVersion\":\"v1\",x"),
            "the object provided is unrecognized (must be of type Pod): couldn't get version/kind; \
             json parse error: invalid character 'x' looking for beginning of object key string \
             ({\"kind\":\"Pod\",\"apiVersion\":\"v1 ...)"
        );
        assert!(message("hello").ends_with("looking for beginning of value (68656c6c6f)"));
        assert!(message("").ends_with("unexpected end of JSON input (<empty>)"));
        assert!(message("[]").contains("cannot unmarshal array into Go value of type struct {"));
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "[".repeat(100_000);
        assert_eq!(syntax_error(deep.as_bytes()), "exceeded max depth");
    }

    #[test]
    fn large_bodies_are_refused() {
        assert_eq!(check_size(&vec![0; BODY_BYTES_MAX]), Ok(()));
        let error = check_size(&vec![0; BODY_BYTES_MAX + 1]).unwrap_err();
        assert_eq!(error.message(), "Request entity too large: limit is 3145728");
    }
}
