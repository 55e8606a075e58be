//! Messages about texts that are no commands, as each shell words them.

use super::parse::{Missing, ParseError};
use super::state::{Flavor, State};

/// The message, with its line ends. `text` is the whole script.
pub fn describe(state: &State, error: &ParseError, text: &str, is_main: bool) -> String {
    let name = match (state.interactive, is_main) {
        (false, false) if state.flavor == Flavor::Bash => format!("{}: eval", state.error_name),
        _ => state.error_name.clone(),
    };
    let last_line = text.matches('\n').count() + usize::from(!text.ends_with('\n'));
    match state.flavor {
        Flavor::Bash => bash(state, error, text, &name, last_line),
        Flavor::Dash => {
            let line = error_line(error).unwrap_or(text.matches('\n').count() + 1);
            format!("{name}: {line}: Syntax error: {}\n", dash(error, "\""))
        }
        Flavor::Ash if matches!(error, ParseError::BadSubstitution(_)) => {
            format!("{name}: syntax error: bad substitution\n")
        }
        Flavor::Ash => format!("{name}: {}\n", ash(error)),
    }
}

fn error_line(error: &ParseError) -> Option<usize> {
    match error {
        ParseError::Syntax { line, .. } => Some(*line),
        _ => None,
    }
}

fn bash(state: &State, error: &ParseError, text: &str, name: &str, last_line: usize) -> String {
    let source = if state.from_argument { format!("{name}: -c") } else { name.to_string() };
    let at = |line: usize| {
        if state.interactive { format!("{name}: ") } else { format!("{source}: line {line}: ") }
    };
    match error {
        ParseError::Syntax { token, line, .. } => {
            let shown = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
            let first = format!("{}syntax error near unexpected token `{token}'\n", at(*line));
            if state.interactive {
                return first;
            }
            format!("{first}{}`{shown}'\n", at(*line))
        }
        ParseError::Incomplete(Missing::Quote(quote)) => {
            format!("{}unexpected EOF while looking for matching `{quote}'\n", at(last_line))
        }
        ParseError::Incomplete(_) => {
            format!("{}syntax error: unexpected end of file\n", at(last_line + 1))
        }
        ParseError::BadSubstitution(text) => {
            let line = state.line.max(1);
            let place = if state.interactive {
                format!("{name}: ")
            } else {
                format!("{name}: line {line}: ")
            };
            format!("{place}{text}: bad substitution\n")
        }
        ParseError::TooLarge => {
            format!("{}script is nested too deeply or too long\n", at(last_line))
        }
    }
}

fn dash(error: &ParseError, quote: &str) -> String {
    match error {
        ParseError::Syntax { token, expecting, .. } => {
            let shown =
                if token == "newline" { token.clone() } else { format!("{quote}{token}{quote}") };
            match expecting {
                Some(word) => format!("{shown} unexpected (expecting {quote}{word}{quote})"),
                None => format!("{shown} unexpected"),
            }
        }
        ParseError::Incomplete(Missing::Quote('}')) => "Missing '}'".to_string(),
        ParseError::Incomplete(Missing::Quote('`')) => "EOF in backquote substitution".to_string(),
        ParseError::Incomplete(Missing::Quote(_)) => "Unterminated quoted string".to_string(),
        ParseError::Incomplete(Missing::Word(Some(word))) => {
            format!("end of file unexpected (expecting {quote}{word}{quote})")
        }
        ParseError::Incomplete(_) => "end of file unexpected".to_string(),
        ParseError::BadSubstitution(_) => "Bad substitution".to_string(),
        ParseError::TooLarge => "script is nested too deeply or too long".to_string(),
    }
}

fn ash(error: &ParseError) -> String {
    match error {
        ParseError::Syntax { token, expecting, .. } => {
            let shown = if token == "newline" { token.clone() } else { format!("\"{token}\"") };
            match expecting {
                Some(word) => format!("syntax error: unexpected {shown} (expecting \"{word}\")"),
                None => format!("syntax error: unexpected {shown}"),
            }
        }
        ParseError::Incomplete(Missing::Quote(_)) => {
            "syntax error: unterminated quoted string".to_string()
        }
        ParseError::Incomplete(Missing::Word(Some(word))) => {
            format!("syntax error: unexpected end of file (expecting \"{word}\")")
        }
        ParseError::Incomplete(_) => "syntax error: unexpected end of file".to_string(),
        ParseError::BadSubstitution(_) => "syntax error: bad substitution".to_string(),
        ParseError::TooLarge => "script is nested too deeply or too long".to_string(),
    }
}
