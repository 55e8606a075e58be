//! Bash's braces: `a{b,c}d`, `{1..5}`.

use super::ast::{Part, Word};

/// Most words that one word's braces may give.
const WORDS_MAX: usize = 10_000;

/// A character that may be a brace or comma, or a part that is none.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Char(char),
    Part(Part),
}

/// The words that the word's braces give; the word itself if it has none.
pub fn expand(word: &Word) -> Vec<Word> {
    let has_brace =
        word.0.iter().any(|part| matches!(part, Part::Literal(text) if text.contains('{')));
    if !has_brace {
        return vec![word.clone()];
    }
    let mut tokens = Vec::new();
    for part in &word.0 {
        match part {
            Part::Literal(text) => tokens.extend(text.chars().map(Token::Char)),
            part => tokens.push(Token::Part(part.clone())),
        }
    }
    let mut budget = WORDS_MAX;
    expand_tokens(&tokens, &mut budget, 0).iter().map(|tokens| rebuild(tokens)).collect()
}

fn rebuild(tokens: &[Token]) -> Word {
    let mut parts: Vec<Part> = Vec::new();
    for token in tokens {
        match (token, parts.last_mut()) {
            (Token::Char(c), Some(Part::Literal(text))) => text.push(*c),
            (Token::Char(c), _) => parts.push(Part::Literal(c.to_string())),
            (Token::Part(part), _) => parts.push(part.clone()),
        }
    }
    Word(parts)
}

fn expand_tokens(tokens: &[Token], budget: &mut usize, depth: usize) -> Vec<Vec<Token>> {
    let whole = || vec![tokens.to_vec()];
    if depth > 20 || *budget == 0 {
        return whole();
    }
    let Some((open, close, choices)) = first_group(tokens) else { return whole() };
    let before = tokens.get(..open).unwrap_or_default();
    let after = tokens.get(close + 1..).unwrap_or_default();
    let tails = expand_tokens(after, budget, depth + 1);
    let mut all = Vec::new();
    for choice in &choices {
        for middle in expand_tokens(choice, budget, depth + 1) {
            for tail in &tails {
                *budget = budget.saturating_sub(1);
                if *budget == 0 {
                    return whole();
                }
                all.push([before, &middle, tail].concat());
            }
        }
    }
    all
}

/// The first brace group that is one: where it opens, where it closes, what it offers.
fn first_group(tokens: &[Token]) -> Option<(usize, usize, Vec<Vec<Token>>)> {
    for open in 0..tokens.len() {
        if tokens.get(open) != Some(&Token::Char('{')) {
            continue;
        }
        let mut depth = 0;
        let mut choices = vec![Vec::new()];
        for (close, token) in tokens.iter().enumerate().skip(open + 1) {
            match token {
                Token::Char('}') if depth == 0 => {
                    if choices.len() > 1 {
                        return Some((open, close, choices));
                    }
                    match choices.pop().and_then(|only| sequence(&only)) {
                        Some(choices) => return Some((open, close, choices)),
                        None => break,
                    }
                }
                Token::Char(',') if depth == 0 => {
                    choices.push(Vec::new());
                    continue;
                }
                Token::Char('{') => depth += 1,
                Token::Char('}') => depth -= 1,
                _ => {}
            }
            if let Some(last) = choices.last_mut() {
                last.push(token.clone());
            }
        }
    }
    None
}

/// `1..5`, `a..e`, `1..10..2`
fn sequence(tokens: &[Token]) -> Option<Vec<Vec<Token>>> {
    let mut text = String::new();
    for token in tokens {
        let Token::Char(c) = token else { return None };
        text.push(*c);
    }
    let ends: Vec<&str> = text.split("..").collect();
    let (from, to, step) = match ends.as_slice() {
        [from, to] => (*from, *to, 1),
        [from, to, step] => (*from, *to, step.parse::<i64>().ok()?.abs().max(1)),
        _ => return None,
    };
    let letters = |text: &str| match text.chars().collect::<Vec<char>>().as_slice() {
        [c] if c.is_ascii_alphabetic() => Some(i64::from(*c as u32)),
        _ => None,
    };
    let is_letters = letters(from).is_some() && letters(to).is_some();
    let (start, end) = if is_letters {
        (letters(from)?, letters(to)?)
    } else {
        (from.parse::<i64>().ok()?, to.parse::<i64>().ok()?)
    };
    let padded = [from, to]
        .iter()
        .any(|text| text.trim_start_matches('-').starts_with('0') && text.len() > 1);
    let width = if padded { from.len().max(to.len()) } else { 0 };
    let mut value = start;
    let mut choices = Vec::new();
    while choices.len() < WORDS_MAX && if start <= end { value <= end } else { value >= end } {
        let shown = if is_letters {
            char::from_u32(value as u32).map(String::from).unwrap_or_default()
        } else {
            format!("{value:0width$}")
        };
        choices.push(shown.chars().map(Token::Char).collect());
        value = value.checked_add(if start <= end { step } else { -step })?;
    }
    Some(choices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces() {
        for (text, expected) in [
            ("a{b,c}d", "abd acd"),
            ("{1..3}", "1 2 3"),
            ("{3..1}", "3 2 1"),
            ("{01..10..3}", "01 04 07 10"),
            ("{a..c}", "a b c"),
            ("{a}", "{a}"),
            ("{a,b", "{a,b"),
            ("{a,{b,c}}{1,2}", "a1 a2 b1 b2 c1 c2"),
            ("web-{0,1}", "web-0 web-1"),
        ] {
            let word = Word(vec![Part::Literal(text.to_string())]);
            let words: Vec<String> =
                expand(&word).iter().map(|word| word.plain().unwrap().to_string()).collect();
            assert_eq!(words.join(" "), expected, "{text}");
        }
    }
}
