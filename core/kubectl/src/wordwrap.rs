//! Text in lines of a width.
//!
//! Upstream: `github.com/mitchellh/go-wordwrap`, which `kubectl explain` wraps descriptions with.

/// Breaks lines between words so that none is longer than `width` characters, if a word is not.
pub fn wrap(text: &str, width: usize) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| wrap_line(line, width)).collect();
    lines.join("\n")
}

/// Blanks before a word are kept where no line breaks there.
fn wrap_line(line: &str, width: usize) -> String {
    let (mut out, mut column) = (String::with_capacity(line.len() + 8), 0);
    let (mut space, mut word) = (String::new(), String::new());
    let length = |text: &str| text.chars().count();
    for c in line.chars() {
        if c.is_whitespace() && c != '\u{a0}' {
            if space.is_empty() || !word.is_empty() {
                column += length(&space) + length(&word);
                out.push_str(&space);
                out.push_str(&word);
                (space, word) = (String::new(), String::new());
            }
            space.push(c);
            continue;
        }
        word.push(c);
        let letters = length(&word);
        if column + letters + length(&space) > width && letters < width {
            out.push('\n');
            column = 0;
            space.clear();
        }
    }
    if !word.is_empty() || column + length(&space) <= width {
        out.push_str(&space);
        out.push_str(&word);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected: what go-wordwrap's own tests list.
    #[test]
    fn breaks_between_words() {
        for (text, width, expected) in [
            ("foo", 4, "foo"),
            ("foobarbaz", 4, "foobarbaz"),
            ("foo bar baz", 4, "foo\nbar\nbaz"),
            ("foo\nb a\n bar", 4, "foo\nb a\n bar"),
            ("foo bar", 3, "foo\nbar"),
            ("foo      ", 4, "foo"),
        ] {
            assert_eq!(wrap(text, width), expected, "{text:?}");
        }
    }
}
