//! Backslash escapes, as `echo -e`, `printf` and `$'…'` know them.

/// The bytes that the text stands for, and whether `\c` ended it.
pub fn unescape(text: &str) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            push_char(&mut bytes, c);
            continue;
        }
        let Some(escape) = chars.next() else {
            bytes.push(b'\\');
            break;
        };
        match escape {
            'n' => bytes.push(b'\n'),
            't' => bytes.push(b'\t'),
            'r' => bytes.push(b'\r'),
            'a' => bytes.push(7),
            'b' => bytes.push(8),
            'e' | 'E' => bytes.push(27),
            'f' => bytes.push(12),
            'v' => bytes.push(11),
            '\\' => bytes.push(b'\\'),
            '\'' => bytes.push(b'\''),
            '"' => bytes.push(b'"'),
            'c' => return (bytes, true),
            '0'..='7' => {
                let mut digits = if escape == '0' { String::new() } else { escape.to_string() };
                while digits.len() < 3 && chars.peek().is_some_and(|c| ('0'..='7').contains(c)) {
                    digits.extend(chars.next());
                }
                bytes.push(u32::from_str_radix(&digits, 8).unwrap_or(0) as u8);
            }
            'x' | 'u' | 'U' => {
                let most = match escape {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                let mut digits = String::new();
                while digits.len() < most && chars.peek().is_some_and(char::is_ascii_hexdigit) {
                    digits.extend(chars.next());
                }
                match u32::from_str_radix(&digits, 16) {
                    Ok(value) if escape == 'x' => bytes.push(value as u8),
                    Ok(value) => push_char(&mut bytes, char::from_u32(value).unwrap_or('\u{fffd}')),
                    Err(_) => bytes.extend([b'\\', escape as u8]),
                }
            }
            other => {
                bytes.push(b'\\');
                push_char(&mut bytes, other);
            }
        }
    }
    (bytes, false)
}

fn push_char(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        for (text, expected) in [
            ("a\\nb", "a\nb".as_bytes()),
            ("\\x41\\101\\0101", b"AAA"),
            ("\\u00e9\\e", "é\x1b".as_bytes()),
            ("\\q\\", b"\\q\\"),
            ("한\\t", "한\t".as_bytes()),
        ] {
            assert_eq!(unescape(text).0, expected, "{text}");
        }
        assert_eq!(unescape("a\\cb"), (b"a".to_vec(), true));
    }
}
