//! A person at a terminal: prompts, lines, history, completion.

use super::parse::{ParseError, SCRIPT_BYTES_MAX, parse_command};
use super::{Flow, Shell, Source, builtins, prompt};
use crate::readline::{Editor, Event};
use crate::{Errno, Sys, join};
use std::sync::Arc;

/// Bytes of input worked on in one step.
const BYTES_PER_STEP: usize = 4096;
/// Most candidates of one completion.
const CANDIDATES_MAX: usize = 500;

/// A person at a terminal.
#[derive(Clone, Debug)]
pub struct Terminal {
    editor: Editor,
    /// Lines of a command that is not complete.
    text: String,
    /// A prompt is shown.
    reading: bool,
}

impl Terminal {
    /// A terminal on standard input.
    pub fn new(sys: &mut dyn Sys) -> Self {
        let columns = sys.tty_size(0).map_or(80, |(columns, _)| usize::from(columns));
        Terminal { editor: Editor::new(columns), text: String::new(), reading: false }
    }
}

impl Shell {
    fn terminal(&mut self) -> Option<&mut Terminal> {
        match &mut self.source {
            Source::Terminal(terminal) => Some(terminal),
            _ => None,
        }
    }

    /// The lines typed so far.
    pub(super) fn history_lines(&self) -> Vec<String> {
        match &self.source {
            Source::Terminal(terminal) => terminal.editor.history().to_vec(),
            _ => Vec::new(),
        }
    }

    /// Forgets the lines typed so far.
    pub(super) fn clear_history(&mut self) {
        if let Some(terminal) = self.terminal() {
            terminal.editor.forget();
        }
    }

    /// Shows the prompt, reads keys, and runs the command once it is complete.
    pub(super) fn next_typed_command(&mut self, sys: &mut dyn Sys) -> Flow {
        let Some(terminal) = self.terminal() else { return Flow::Go };
        if !terminal.reading {
            self.show_prompt(sys);
            return Flow::Go;
        }
        let mut shown = Vec::new();
        let columns = sys.tty_size(0).map_or(80, |(columns, _)| usize::from(columns));
        terminal.editor.resize(columns, &mut shown);
        let mut flow = Flow::Go;
        let mut event = None;
        for _ in 0..BYTES_PER_STEP {
            // One byte at a time: what is typed ahead is for the command.
            match sys.read(0, 1) {
                Ok(bytes) => match bytes.first() {
                    Some(byte) => event = terminal.editor.feed(*byte, &mut shown),
                    None => event = Some(Event::EndOfFile),
                },
                Err(Errno::Again) => {
                    flow = Flow::Block(None);
                    break;
                }
                Err(_) => event = Some(Event::EndOfFile),
            }
            if event.is_some() {
                break;
            }
        }
        if !shown.is_empty() {
            self.print(2, shown);
            flow = Flow::Go;
        }
        if let Some(event) = event {
            self.typed(sys, event);
            return Flow::Go;
        }
        flow
    }

    fn show_prompt(&mut self, sys: &mut dyn Sys) {
        self.report_jobs(sys);
        let name = match self.terminal() {
            Some(terminal) if terminal.text.is_empty() => "PS1",
            _ => "PS2",
        };
        let text = self.state.text(name).to_string();
        let prompt = prompt::expand(&mut self.state, sys, &text);
        // Without a terminal mode to change, it reads all the same.
        let _ = sys.tty_raw(0, true);
        let mut shown = Vec::new();
        if let Some(terminal) = self.terminal() {
            terminal.reading = true;
            terminal.editor.start(&prompt, &mut shown);
        }
        self.print(2, shown);
    }

    fn typed(&mut self, sys: &mut dyn Sys, event: Event) {
        let aliases = self.known_aliases();
        let Source::Terminal(terminal) = &mut self.source else { return };
        let line = match event {
            Event::Complete(before) => {
                self.complete(sys, &before);
                return;
            }
            Event::Interrupt => {
                terminal.text.clear();
                terminal.reading = false;
                self.state.status = 130;
                return;
            }
            Event::EndOfFile => {
                let _ = sys.tty_raw(0, false);
                let status = self.state.status;
                self.print(2, "exit\n");
                self.leave(sys, status);
                return;
            }
            Event::Line(line) => line,
        };
        terminal.reading = false;
        terminal.text.push_str(&line);
        terminal.text.push('\n');
        let text = terminal.text.clone();
        let parsed = parse_all(&text, &aliases);
        if matches!(parsed, Err(ParseError::Incomplete(_))) && text.len() < SCRIPT_BYTES_MAX {
            return;
        }
        terminal.text.clear();
        terminal.editor.remember(&text);
        let _ = sys.tty_raw(0, false);
        match parsed {
            Ok(lists) => {
                for list in lists.into_iter().rev() {
                    self.run_list(&Arc::new(list));
                }
            }
            Err(error) => self.syntax_error(sys, &error, &text, true),
        }
    }

    // ---- Tab ----

    fn complete(&mut self, sys: &mut dyn Sys, before: &str) {
        let (words, current) = split_words(before);
        let mut candidates = if words.is_empty() && !current.contains('/') {
            self.command_names(sys, &current)
        } else {
            self.arguments(sys, &words, &current)
        };
        candidates.sort();
        candidates.dedup();
        candidates.truncate(CANDIDATES_MAX);
        let mut shown = Vec::new();
        if let Some(terminal) = self.terminal() {
            terminal.editor.complete(current.chars().count(), &candidates, &mut shown);
        }
        self.print(2, shown);
    }

    fn command_names(&self, sys: &mut dyn Sys, prefix: &str) -> Vec<String> {
        let mut names = builtins::programs_like(&self.state, sys, prefix);
        let own = builtins::names(self.state.flavor).map(str::to_string);
        let others = self.state.aliases.keys().chain(self.state.functions.keys()).cloned();
        names.extend(own.chain(others).filter(|name| name.starts_with(prefix)));
        names
    }

    fn arguments(&self, sys: &mut dyn Sys, words: &[String], current: &str) -> Vec<String> {
        let mut words = words.to_vec();
        // An alias is completed as what it stands for.
        if let Some(value) = words.first().and_then(|name| self.state.aliases.get(name)) {
            words.splice(..1, value.split_whitespace().map(str::to_string));
        }
        let name = words.first().map_or("", String::as_str);
        let program = builtins::find_program(&self.state, sys, name)
            .and_then(|path| {
                let path = sys.absolute(&path);
                sys.fs().program(&path)
            })
            .map_or_else(|| name.to_string(), |program| program.to_string());
        if let Some(completer) = sys.completer(&program) {
            let found = completer.complete(sys, &words, current);
            if !found.is_empty() {
                return found;
            }
        }
        files_like(sys, self.state.text("HOME"), current)
    }
}

/// Every command of the text.
fn parse_all(
    text: &str,
    aliases: &std::collections::BTreeMap<String, String>,
) -> Result<Vec<super::ast::List>, ParseError> {
    let mut lists = Vec::new();
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let (list, taken) = parse_command(rest, 1, aliases, false)?;
        if list.items.is_empty() {
            return Ok(lists);
        }
        lists.push(list);
        at += taken.max(1);
    }
}

/// The words of the last simple command before the cursor, and the word that is being typed.
fn split_words(before: &str) -> (Vec<String>, String) {
    let mut words = Vec::new();
    let mut current = String::new();
    let mut chars = before.chars();
    let mut quote = None;
    while let Some(c) = chars.next() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => current.push(c),
            ('\'' | '"', None) => quote = Some(c),
            ('\\', None) => current.extend(chars.next()),
            (' ' | '\t', None) => {
                if !current.is_empty() {
                    words.push(std::mem::take(&mut current));
                }
            }
            ('|' | '&' | ';' | '(' | '\n' | '`', None) => {
                words.clear();
                current.clear();
            }
            ('<' | '>', None) => current.clear(),
            (c, None) => current.push(c),
        }
    }
    (words, current)
}

/// The files that begin like the word; directories end in a slash.
fn files_like(sys: &mut dyn Sys, home: &str, word: &str) -> Vec<String> {
    let (dir, base) = match word.rfind('/') {
        Some(at) => word.split_at(at + 1),
        None => ("", word),
    };
    let path = match dir.strip_prefix("~/") {
        Some(rest) => join(home, rest),
        None => sys.absolute(dir),
    };
    let mut found = Vec::new();
    for entry in sys.fs().list(&path).unwrap_or_default() {
        if !entry.name.starts_with(base) || (base.is_empty() && entry.name.starts_with('.')) {
            continue;
        }
        let is_dir = sys.fs().is_dir(&join(&path, &entry.name));
        found.push(format!("{dir}{}{}", entry.name, if is_dir { "/" } else { "" }));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_being_typed() {
        for (before, words, current) in [
            ("kubectl get po", "kubectl|get", "po"),
            ("a; kubectl ", "kubectl", ""),
            ("echo 'a b", "echo", "a b"),
            ("x | gre", "", "gre"),
            ("cat <fi", "cat", "fi"),
        ] {
            let split = split_words(before);
            assert_eq!(
                (split.0.join("|").as_str(), split.1.as_str()),
                (words, current),
                "{before}"
            );
        }
    }
}
