//! Patterns: `*`, `?`, `[…]`, matched against whole strings, and against file names.

use crate::{Sys, join, normalize};

/// A character of a word after expansion, and whether it was quoted.
pub type Glyph = (char, bool);

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern(Vec<Item>);

#[derive(Clone, Debug)]
enum Item {
    Char(char),
    Any,
    Many,
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Pattern {
    /// Quoted characters stand for themselves.
    pub fn new(glyphs: &[Glyph]) -> Self {
        let mut items = Vec::new();
        let mut rest = glyphs;
        while let [(c, quoted), tail @ ..] = rest {
            rest = tail;
            items.push(match (*c, *quoted) {
                ('*', false) => Item::Many,
                ('?', false) => Item::Any,
                ('\\', false) if !tail.is_empty() => {
                    let [(next, _), after @ ..] = tail else { break };
                    rest = after;
                    Item::Char(*next)
                }
                ('[', false) => match class(tail) {
                    Some((item, after)) => {
                        rest = after;
                        item
                    }
                    None => Item::Char('['),
                },
                (c, _) => Item::Char(c),
            });
        }
        Pattern(items)
    }

    /// A pattern from plain text.
    pub fn parse(text: &str) -> Self {
        let glyphs: Vec<Glyph> = text.chars().map(|c| (c, false)).collect();
        Pattern::new(&glyphs)
    }

    /// Whether the whole text matches. Linear in pattern times text.
    pub fn matches(&self, text: &str) -> bool {
        let chars: Vec<char> = text.chars().collect();
        self.matches_chars(&chars)
    }

    fn matches_chars(&self, text: &[char]) -> bool {
        let (mut at, mut item) = (0, 0);
        // Where the last `*` was, and what it has swallowed: on failure it swallows one more.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            match self.0.get(item) {
                Some(Item::Many) => {
                    retry = Some((item + 1, at));
                    item += 1;
                    continue;
                }
                Some(wanted) if text.get(at).is_some_and(|c| wanted.accepts(*c)) => {
                    at += 1;
                    item += 1;
                    continue;
                }
                None if at == text.len() => return true,
                _ => {}
            }
            match retry {
                Some((after, swallowed)) if swallowed < text.len() => {
                    retry = Some((after, swallowed + 1));
                    (item, at) = (after, swallowed + 1);
                }
                _ => return false,
            }
        }
    }

    /// The length, in characters, of the shortest or longest start of the text that matches.
    pub fn prefix(&self, text: &[char], longest: bool) -> Option<usize> {
        self.prefix_within(text, longest, &mut usize::MAX.clone())
    }

    /// The same, counting down the characters that it looks at; `None` also if there are none left.
    pub fn prefix_within(&self, text: &[char], longest: bool, budget: &mut usize) -> Option<usize> {
        scan(&self.0, text.iter().copied(), longest, budget)
    }

    /// The start, in characters, of the shortest or longest end of the text that matches.
    pub fn suffix(&self, text: &[char], longest: bool) -> Option<usize> {
        let items: Vec<Item> = self.0.iter().rev().cloned().collect();
        let length = scan(&items, text.iter().rev().copied(), longest, &mut usize::MAX.clone())?;
        Some(text.len() - length)
    }
}

/// The length of the shortest or longest start that matches. Linear in pattern times text: it holds
/// every place of the pattern where it may be.
fn scan(
    items: &[Item],
    text: impl Iterator<Item = char>,
    longest: bool,
    budget: &mut usize,
) -> Option<usize> {
    let mut places = vec![false; items.len() + 1];
    places.iter_mut().take(1).for_each(|first| *first = true);
    pass_stars(items, &mut places);
    let mut found = (places.last() == Some(&true)).then_some(0);
    for (at, c) in text.enumerate() {
        if *budget == 0 || !places.contains(&true) || (found.is_some() && !longest) {
            break;
        }
        *budget -= 1;
        places = step(items, &places, c);
        pass_stars(items, &mut places);
        if places.last() == Some(&true) {
            found = Some(at + 1);
        }
    }
    found
}

/// The places after one more character.
fn step(items: &[Item], places: &[bool], c: char) -> Vec<bool> {
    let mut next = vec![false; places.len()];
    for (index, (item, _)) in items.iter().zip(places).enumerate().filter(|(_, (_, on))| **on) {
        let to = match item {
            Item::Many => index,
            item if item.accepts(c) => index + 1,
            _ => continue,
        };
        if let Some(place) = next.get_mut(to) {
            *place = true;
        }
    }
    next
}

/// A `*` may also stand for nothing.
fn pass_stars(items: &[Item], places: &mut [bool]) {
    for (index, item) in items.iter().enumerate() {
        if matches!(item, Item::Many)
            && places.get(index) == Some(&true)
            && let Some(place) = places.get_mut(index + 1)
        {
            *place = true;
        }
    }
}

impl Item {
    fn accepts(&self, c: char) -> bool {
        match self {
            Item::Char(wanted) => *wanted == c,
            Item::Any => true,
            Item::Many => false,
            Item::Class { negated, ranges } => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *negated
            }
        }
    }
}

/// A bracket expression after its `[`, and what follows its `]`.
fn class(glyphs: &[Glyph]) -> Option<(Item, &[Glyph])> {
    let mut rest = glyphs;
    let negated = matches!(rest, [('!' | '^', false), ..]);
    if negated {
        rest = rest.get(1..)?;
    }
    let mut ranges = Vec::new();
    let mut first = true;
    loop {
        match rest {
            [(']', false), tail @ ..] if !first => {
                return Some((Item::Class { negated, ranges }, tail));
            }
            [('[', false), (':', false), tail @ ..] => {
                let end = tail.iter().position(|(c, _)| *c == ':')?;
                let name: String = tail.get(..end)?.iter().map(|(c, _)| *c).collect();
                ranges.extend_from_slice(class_ranges(&name));
                rest = tail.get(end + 2..)?;
            }
            [(from, _), ('-', false), (to, _), tail @ ..] if *to != ']' => {
                ranges.push((*from, *to));
                rest = tail;
            }
            [(c, _), tail @ ..] => {
                ranges.push((*c, *c));
                rest = tail;
            }
            [] => return None,
        }
        first = false;
    }
}

/// The characters of `[:name:]`.
pub fn class_ranges(name: &str) -> &'static [(char, char)] {
    match name {
        "alpha" => &[('a', 'z'), ('A', 'Z')],
        "digit" => &[('0', '9')],
        "alnum" => &[('a', 'z'), ('A', 'Z'), ('0', '9')],
        "upper" => &[('A', 'Z')],
        "lower" => &[('a', 'z')],
        "space" => &[(' ', ' '), ('\t', '\r')],
        "blank" => &[(' ', ' '), ('\t', '\t')],
        "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "xdigit" => &[('0', '9'), ('a', 'f'), ('A', 'F')],
        "print" => &[(' ', '~')],
        "cntrl" => &[('\0', '\x1f'), ('\x7f', '\x7f')],
        _ => &[],
    }
}

/// Whether something in the word makes it a pattern.
pub fn is_pattern(glyphs: &[Glyph]) -> bool {
    glyphs.iter().any(|(c, quoted)| !quoted && matches!(c, '*' | '?' | '['))
}

/// Most paths that one pattern gives.
const MATCHES_MAX: usize = 10_000;

/// The paths that match, sorted; none if nothing does.
pub fn glob(sys: &mut dyn Sys, glyphs: &[Glyph]) -> Vec<String> {
    let cwd = sys.cwd().to_string();
    let is_absolute = matches!(glyphs, [('/', _), ..]);
    let mut found = vec![if is_absolute { "/".to_string() } else { String::new() }];
    for part in glyphs.split(|(c, _)| *c == '/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for base in &found {
            if !is_pattern(part) {
                let name: String = part.iter().map(|(c, _)| *c).collect();
                let path = below(base, &name);
                if sys.fs().lstat(&normalize(&cwd, &path)).is_ok() {
                    next.push(path);
                }
                continue;
            }
            let pattern = Pattern::new(part);
            let shows_hidden = matches!(part, [('.', _), ..]);
            let dir = normalize(&cwd, base);
            for entry in sys.fs().list(&dir).unwrap_or_default() {
                let is_hidden = entry.name.starts_with('.');
                if (shows_hidden || !is_hidden) && pattern.matches(&entry.name) {
                    next.push(below(base, &entry.name));
                }
            }
            if next.len() > MATCHES_MAX {
                break;
            }
        }
        found = next;
    }
    found.sort();
    found
}

fn below(base: &str, name: &str) -> String {
    if base.is_empty() { name.to_string() } else { join(base, name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_strings_are_matched() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("a*b*c", "aXbYbZc", true),
            ("?", "한", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]", "]", true),
            ("[[:digit:]]*", "7up", true),
            ("[", "[", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
        ] {
            assert_eq!(Pattern::parse(pattern).matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn prefixes_and_suffixes() {
        let text: Vec<char> = "a.b.c".chars().collect();
        assert_eq!(Pattern::parse("*.").prefix(&text, false), Some(2));
        assert_eq!(Pattern::parse("*.").prefix(&text, true), Some(4));
        assert_eq!(Pattern::parse(".*").suffix(&text, false), Some(3));
        assert_eq!(Pattern::parse(".*").suffix(&text, true), Some(1));
        assert_eq!(Pattern::parse("x").suffix(&text, true), None);
    }
}
