//! `metadata.managedFields` in its place among the metadata.

use super::Managers;
use crate::encode::{Group, Leaf, Sink};

const FIELD: &str = "managedFields";

/// Hands on an object, whose fields come in the order of the alphabet, with who owns its fields.
pub struct WithOwners<'s> {
    sink: &'s mut dyn Sink,
    managers: &'s Managers,
    /// How many groups are open.
    depth: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The metadata have not come yet.
    Before,
    /// They are the next value.
    Next,
    Within,
    Done,
}

impl<'s> WithOwners<'s> {
    /// For one object, whose own metadata say nothing of that.
    pub fn new(managers: &'s Managers, sink: &'s mut dyn Sink) -> Self {
        WithOwners { sink, managers, depth: 0, state: State::Before }
    }

    fn write(&mut self) {
        self.state = State::Done;
        self.sink.name(FIELD);
        self.managers.tell(self.sink);
    }
}

impl Sink for WithOwners<'_> {
    fn leaf(&mut self, leaf: Leaf<'_>) {
        self.sink.leaf(leaf);
    }

    fn begin(&mut self, group: Group) {
        self.depth += 1;
        if self.state == State::Next {
            self.state = State::Within;
        }
        self.sink.begin(group);
    }

    fn name(&mut self, name: &str) {
        match (self.state, self.depth) {
            (State::Before, 1) if name == "metadata" => self.state = State::Next,
            (State::Within, 2) if name > FIELD => self.write(),
            _ => {}
        }
        self.sink.name(name);
    }

    fn end(&mut self) {
        if (self.state, self.depth) == (State::Within, 2) {
            self.write();
        }
        self.depth = self.depth.saturating_sub(1);
        self.sink.end();
    }

    fn passes_over(&mut self) -> bool {
        let passes = self.sink.passes_over();
        if passes && self.state == State::Next {
            self.state = State::Done;
        }
        passes
    }
}
