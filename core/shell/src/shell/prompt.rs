//! Prompts: what `\u`, `\h`, `\w` and their like stand for in `PS1`.

use super::expand::{Expander, Replay};
use super::lex;
use super::state::{Flavor, State};
use crate::Sys;

/// The prompt that the text stands for. Between the bytes 1 and 2 is what takes no room.
pub fn expand(state: &mut State, sys: &mut dyn Sys, text: &str) -> String {
    let text =
        if state.flavor == Flavor::Dash { text.to_string() } else { escapes(state, sys, text) };
    if !text.contains(['$', '`']) {
        return text;
    }
    // A prompt that does not parse, or wants a command's output, is shown as it is.
    let Ok(word) = lex::quoted_word(&text) else { return text };
    let mut replay = Replay::new();
    Expander::new(state, sys, &mut replay).single(&word).unwrap_or(text)
}

fn escapes(state: &State, sys: &mut dyn Sys, text: &str) -> String {
    let mut result = String::new();
    let mut chars = text.chars().peekable();
    let now = sys.now();
    let date = |format: &str| crate::programs::date::format(now, format);
    while let Some(c) = chars.next() {
        if c != '\\' {
            result.push(c);
            continue;
        }
        let Some(escape) = chars.next() else {
            result.push('\\');
            break;
        };
        match escape {
            'u' => {
                let uid = sys.uid();
                result.push_str(&crate::programs::id::user_name(sys, uid));
            }
            'h' => result.push_str(sys.hostname().split('.').next().unwrap_or_default()),
            'H' => result.push_str(sys.hostname()),
            'w' => result.push_str(&short_path(state, sys.cwd())),
            'W' => {
                let path = short_path(state, sys.cwd());
                let last = path.rsplit('/').next().filter(|last| !last.is_empty());
                result.push_str(last.unwrap_or("/"));
            }
            // Not to be taken for a variable.
            '$' => result.push_str(if sys.uid() == 0 { "#" } else { "\\$" }),
            'n' => result.push('\n'),
            'r' => result.push('\r'),
            'e' | 'E' => result.push('\x1b'),
            'a' => result.push('\x07'),
            '[' => result.push('\x01'),
            ']' => result.push('\x02'),
            't' => result.push_str(&date("%H:%M:%S")),
            'T' => result.push_str(&date("%I:%M:%S")),
            'A' => result.push_str(&date("%H:%M")),
            '@' => result.push_str(&date("%I:%M %p")),
            'd' => result.push_str(&date("%a %b %d")),
            's' => result.push_str(&state.error_name),
            'v' | 'V' => result.push_str("5.2"),
            'j' => result.push_str(&state.jobs.len().to_string()),
            '0'..='7' => {
                let mut digits = escape.to_string();
                while digits.len() < 3 && chars.peek().is_some_and(|c| ('0'..='7').contains(c)) {
                    digits.extend(chars.next());
                }
                let byte = u32::from_str_radix(&digits, 8).unwrap_or(0);
                result.extend(char::from_u32(byte));
            }
            '\\' => result.push_str("\\\\"),
            other => result.extend(['\\', other]),
        }
    }
    // What is left of backslashes protects from the expansion that follows; without one it goes.
    if result.contains(['$', '`']) { result } else { result.replace("\\\\", "\\") }
}

/// The path with `~` for the home directory.
fn short_path(state: &State, cwd: &str) -> String {
    match state.get("HOME").filter(|home| home.len() > 1) {
        Some(home) if cwd == home => "~".to_string(),
        Some(home) => match cwd.strip_prefix(&format!("{home}/")) {
            Some(rest) => format!("~/{rest}"),
            None => cwd.to_string(),
        },
        None => cwd.to_string(),
    }
}
