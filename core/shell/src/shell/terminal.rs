//! A person at a terminal: prompts, lines, history, completion.

use super::history::{self, Expanded};
use super::parse::{Grammar, Missing, ParseError, SCRIPT_BYTES_MAX, parse_command};
use super::state::{Flavor, State};
use super::{Flow, Shell, Source, prompt};
use crate::readline::{Editor, Event};
use crate::{Errno, Sys};
use std::sync::Arc;

/// Bytes of input worked on in one step.
const BYTES_PER_STEP: usize = 4096;

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
        let grammar = self.grammar();
        let Source::Terminal(terminal) = &mut self.source else { return };
        let line = match event {
            Event::Complete(before) => {
                let (typed, candidates) = self.completions(sys, &before);
                let mut shown = Vec::new();
                if let Some(terminal) = self.terminal() {
                    terminal.editor.complete(typed, &candidates, &mut shown);
                }
                self.print(2, shown);
                return;
            }
            Event::Interrupt => {
                terminal.text.clear();
                terminal.reading = false;
                self.state.status = 130;
                return;
            }
            Event::EndOfFile => {
                self.print(2, "exit\n");
                let warned = std::mem::take(&mut self.warned);
                if !self.may_leave(sys, warned) {
                    if let Some(terminal) = self.terminal() {
                        terminal.reading = false;
                    }
                    return;
                }
                let _ = sys.tty_raw(0, false);
                let status = self.state.status;
                self.leave(sys, status);
                return;
            }
            Event::Line(line) => line,
        };
        terminal.reading = false;
        let line = match expanded_line(terminal, &self.state, &grammar, &line) {
            Ok(None) => line,
            Ok(Some(expanded)) => {
                let shown = format!("{}\n", expanded.text);
                if expanded.only_shown {
                    terminal.editor.remember(&expanded.text);
                    self.print(2, shown);
                    return;
                }
                let fd = self.state.fd(2);
                self.output.extend(fd.map(|fd| (fd, shown.into_bytes())));
                expanded.text
            }
            Err(message) => {
                terminal.text.clear();
                self.complain(&message);
                return;
            }
        };
        let Source::Terminal(terminal) = &mut self.source else { return };
        // That there are stopped jobs is told once to whom leaves twice.
        self.warned &= matches!(line.trim(), "exit" | "logout");
        terminal.text.push_str(&line);
        terminal.text.push('\n');
        let text = terminal.text.clone();
        let parsed = parse_all(&text, &grammar);
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
}

/// The line as history expansion makes it; `None` if there is nothing to expand in it.
fn expanded_line(
    terminal: &Terminal,
    state: &State,
    grammar: &Grammar,
    line: &str,
) -> Result<Option<Expanded>, String> {
    if state.flavor != Flavor::Bash || !state.options.histexpand {
        return Ok(None);
    }
    // Within single quotes that an earlier line has opened, nothing is expanded.
    let quoted = matches!(
        parse_all(&terminal.text, grammar),
        Err(ParseError::Incomplete(Missing::Quote('\'')))
    );
    history::expand(line, terminal.editor.history(), quoted)
}

/// Every command of the text.
fn parse_all(text: &str, grammar: &Grammar) -> Result<Vec<super::ast::List>, ParseError> {
    let mut lists = Vec::new();
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let (list, taken) = parse_command(rest, 1, grammar, false)?;
        if list.items.is_empty() {
            return Ok(lists);
        }
        lists.push(list);
        at += taken.max(1);
    }
}
