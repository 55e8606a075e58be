//! POSIX regular expressions, basic and extended, on top of `regex-lite`.

use regex_lite::{Regex, RegexBuilder};

/// Longest expression, in bytes, and largest compiled one.
const EXPRESSION_BYTES_MAX: usize = 4096;
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// Compiles an expression; `extended` as by `grep -E`. `Err` is the message.
pub fn compile(text: &str, extended: bool, ignore_case: bool) -> Result<Regex, String> {
    if text.len() > EXPRESSION_BYTES_MAX {
        return Err("Regular expression too big".to_string());
    }
    RegexBuilder::new(&translate(text, extended))
        .case_insensitive(ignore_case)
        .size_limit(COMPILED_BYTES_MAX)
        .build()
        .map_err(|_| reason(text).to_string())
}

/// An expression that matches exactly this text.
pub fn escape(text: &str) -> String {
    regex_lite::escape(text)
}

/// What glibc says of a broken expression.
fn reason(text: &str) -> &'static str {
    if text.contains('[') && !text.contains(']') {
        "Unmatched [, [^, [:, [., or [="
    } else if text.contains('(') || text.contains(')') {
        "Unmatched ( or \\("
    } else if text.ends_with('\\') {
        "Trailing backslash"
    } else {
        "Invalid preceding regular expression"
    }
}

/// The expression in the words of `regex-lite`.
fn translate(text: &str, extended: bool) -> String {
    let mut result = String::new();
    let mut chars = text.chars().peekable();
    let mut at_start = true;
    while let Some(c) = chars.next() {
        let was_start = std::mem::replace(&mut at_start, false);
        match c {
            '\\' => match chars.next() {
                Some(c @ ('(' | ')' | '{' | '}' | '|' | '+' | '?')) => {
                    if extended {
                        result.push('\\');
                    } else {
                        at_start = matches!(c, '(' | '|');
                    }
                    result.push(c);
                }
                Some('<' | '>') => result.push_str("\\b"),
                Some(c @ ('w' | 'W' | 's' | 'S' | 'b' | 'B')) => result.extend(['\\', c]),
                Some('n') => result.push('\n'),
                Some('t') => result.push('\t'),
                Some(c) => result.push_str(&regex_lite::escape(&c.to_string())),
                None => result.push('\\'),
            },
            '[' => bracket(&mut chars, &mut result),
            '(' | ')' | '{' | '}' | '|' | '+' | '?' if !extended => result.extend(['\\', c]),
            '(' | '|' => {
                at_start = true;
                result.push(c);
            }
            '{' if !chars.peek().is_some_and(char::is_ascii_digit) => result.push_str("\\{"),
            '*' if was_start => result.push_str("\\*"),
            '^' if !extended && !was_start => result.push_str("\\^"),
            '^' => {
                at_start = true;
                result.push('^');
            }
            '$' if !extended && chars.peek().is_some_and(|next| *next != '\\') => {
                result.push_str("\\$");
            }
            c => result.push(c),
        }
    }
    result
}

/// A bracket expression: within it, POSIX knows no escapes.
fn bracket(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, result: &mut String) {
    result.push('[');
    if chars.peek() == Some(&'^') {
        chars.next();
        result.push('^');
    }
    let mut first = true;
    while let Some(c) = chars.next() {
        match c {
            ']' if !first => {
                result.push(']');
                return;
            }
            '[' if chars.peek() == Some(&':') => {
                let mut name = String::new();
                for c in chars.by_ref() {
                    name.push(c);
                    if name.ends_with(":]") {
                        break;
                    }
                }
                result.push('[');
                result.push_str(&name);
            }
            '[' | ']' | '\\' | '&' | '~' | '^' => result.extend(['\\', c]),
            c => result.push(c),
        }
        first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_and_extended() {
        for (text, extended, subject, expected) in [
            ("a+b", false, "a+b", true),
            ("a+b", true, "aab", true),
            ("a\\+b", false, "aab", true),
            ("\\(ab\\)*c", false, "ababc", true),
            ("*a", false, "*a", true),
            ("a^b$c", false, "a^b$c", true),
            ("^(a|b)$", true, "b", true),
            ("x{2}", true, "xx", true),
            ("[[:digit:]]\\.", false, "7.", true),
            ("[a\\]", false, "\\", true),
            ("[]x]", false, "]", true),
            ("\\bok\\b", true, "so ok.", true),
            ("a.c", false, "abd", false),
        ] {
            let regex = compile(text, extended, false).unwrap();
            assert_eq!(regex.is_match(subject), expected, "{text} {subject}");
        }
        assert_eq!(compile("[a", false, false).unwrap_err(), "Unmatched [, [^, [:, [., or [=");
        assert_eq!(compile("(a", true, false).unwrap_err(), "Unmatched ( or \\(");
    }
}
