//! Texts as Go's `fmt` and `strconv` write them, since upstream's messages are made by these.

/// A string as `%q` writes it: `"a\nb"`.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                out.push_str(&format!("\\x{:02x}", c as u32));
            }
            c if c.is_control() || c == '\u{feff}' => {
                out.push_str(&format!("\\u{:04x}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Strings as `%q` of a list joined by `, `: `"a", "b"`.
pub fn quote_all<S: AsRef<str>>(texts: &[S]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quote(text.as_ref())).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_go_does() {
        let table = [
            ("", r#""""#),
            ("a", r#""a""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("a\nb\tc\u{1}", r#""a\nb\tc\x01""#),
            ("나루", r#""나루""#),
            ("\u{feff}", r#""\ufeff""#),
        ];
        for (text, quoted) in table {
            assert_eq!(quote(text), quoted);
        }
        assert_eq!(quote_all(&["a", "b"]), r#""a", "b""#);
    }
}
