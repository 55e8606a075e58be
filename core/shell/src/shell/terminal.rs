//! A person at a terminal: prompts, lines, history.

use super::{Flow, Shell};
use crate::Sys;

/// A person at a terminal.
#[derive(Clone, Debug)]
pub struct Terminal {
    history: Vec<String>,
}

impl Terminal {
    pub fn new(_sys: &mut dyn Sys) -> Self {
        Terminal { history: Vec::new() }
    }
}

impl Shell {
    pub(super) fn next_typed_command(&mut self, _sys: &mut dyn Sys) -> Flow {
        Flow::Block(None)
    }

    pub(super) fn history_lines(&self) -> Vec<String> {
        match &self.source {
            super::Source::Terminal(terminal) => terminal.history.clone(),
            _ => Vec::new(),
        }
    }

    pub(super) fn clear_history(&mut self) {
        if let super::Source::Terminal(terminal) = &mut self.source {
            terminal.history.clear();
        }
    }
}
