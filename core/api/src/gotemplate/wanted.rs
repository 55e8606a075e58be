//! Which parts of its data a template looks at.

use super::parse::{Base, Node, Operand, Pipeline};
use crate::wanted::Wanted;

/// Places that one expression may stand for; with more, everything is wanted.
const PLACES_MAX: usize = 16;
/// Steps from the data down to one.
const HOPS_MAX: usize = 64;

/// From the data down.
type Place = Vec<Hop>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hop {
    Field(String),
    Each,
}

/// What a template of these nodes looks at.
pub(super) fn of(nodes: &[Node]) -> Wanted {
    let root = vec![Place::new()];
    let mut reader = Reader {
        wanted: Wanted::default(),
        variables: vec![(String::new(), root.clone())],
        beyond: false,
    };
    reader.nodes(nodes, &root);
    if reader.beyond {
        return Wanted::everything();
    }
    reader.wanted.settle();
    reader.wanted
}

struct Reader {
    wanted: Wanted,
    /// Where the value of each may stand: nowhere, if it is made, and what it is made of is wanted whole.
    variables: Vec<(String, Vec<Place>)>,
    /// It cannot be told.
    beyond: bool,
}

impl Reader {
    fn nodes(&mut self, nodes: &[Node], dot: &[Place]) {
        let scope = self.variables.len();
        nodes.iter().for_each(|node| self.node(node, dot));
        self.variables.truncate(scope);
    }

    fn node(&mut self, node: &Node, dot: &[Place]) {
        match node {
            Node::Text(_) | Node::Break | Node::Continue => {}
            Node::Action(pipeline, _) => {
                let value = self.pipeline(pipeline, dot);
                match pipeline.variables.is_empty() {
                    true => self.whole(&value),
                    false => self.set(pipeline, &value, &value),
                }
            }
            Node::If(pipeline, body, otherwise, _) => {
                let scope = self.variables.len();
                let value = self.pipeline(pipeline, dot);
                // Whether it is empty depends on all of it.
                self.whole(&value);
                self.set(pipeline, &value, &value);
                self.nodes(body, dot);
                self.nodes(otherwise, dot);
                self.variables.truncate(scope);
            }
            Node::With(pipeline, body, otherwise, _) => {
                let scope = self.variables.len();
                let value = self.pipeline(pipeline, dot);
                self.whole(&value);
                self.set(pipeline, &value, &value);
                self.nodes(body, &value);
                self.nodes(otherwise, dot);
                self.variables.truncate(scope);
            }
            Node::Range(pipeline, body, otherwise, _) => {
                let scope = self.variables.len();
                let value = self.pipeline(pipeline, dot);
                let items = self.items(&value);
                self.set(pipeline, &[], &items);
                self.nodes(body, &items);
                self.variables.truncate(scope);
                self.nodes(otherwise, dot);
            }
            Node::Template(..) => self.beyond = true,
        }
    }

    /// Those of a list, which are wanted as the list is, or the values of a map.
    fn items(&mut self, list: &[Place]) -> Vec<Place> {
        let each = |place: &Place| place.iter().cloned().chain([Hop::Each]).collect();
        let items: Vec<Place> = list.iter().cloned().chain(list.iter().map(each)).collect();
        for place in &items {
            self.at(place);
        }
        self.beyond |= items.len() > PLACES_MAX;
        if self.beyond { Vec::new() } else { items }
    }

    /// Gives variables their values: the last this one, one before it the other.
    fn set(&mut self, pipeline: &Pipeline, first: &[Place], last: &[Place]) {
        // Which of several it then is depends on what is executed.
        self.beyond |= !pipeline.declares && !pipeline.variables.is_empty();
        for (index, name) in pipeline.variables.iter().enumerate() {
            let is_last = index + 1 == pipeline.variables.len();
            let value = if is_last { last } else { first };
            self.variables.push((name.clone(), value.to_vec()));
        }
    }

    /// Where a pipeline's value stands.
    fn pipeline(&mut self, pipeline: &Pipeline, dot: &[Place]) -> Vec<Place> {
        if let [command] = pipeline.commands.as_slice()
            && let [operand] = command.as_slice()
        {
            return self.operand(operand, dot);
        }
        for operand in pipeline.commands.iter().flatten() {
            let value = self.operand(operand, dot);
            self.whole(&value);
        }
        Vec::new()
    }

    fn operand(&mut self, operand: &Operand, dot: &[Place]) -> Vec<Place> {
        let base = match &operand.base {
            Base::Dot => dot.to_vec(),
            Base::Variable(name) => {
                let found = self.variables.iter().rev().find(|(found, _)| found == name);
                found.map(|(_, value)| value.clone()).unwrap_or_default()
            }
            Base::Nested(inner) => {
                self.beyond |= !inner.variables.is_empty();
                self.pipeline(inner, dot)
            }
            Base::Literal(_) | Base::Nil | Base::Function(_) => Vec::new(),
        };
        let below = |place: &Place| {
            place.iter().cloned().chain(operand.fields.iter().cloned().map(Hop::Field)).collect()
        };
        let places: Vec<Place> = base.iter().map(below).collect();
        if places.iter().any(|place| place.len() > HOPS_MAX) {
            self.beyond = true;
            return Vec::new();
        }
        for place in &places {
            self.at(place);
        }
        places
    }

    /// All of what stands there is wanted.
    fn whole(&mut self, places: &[Place]) {
        places.iter().for_each(|place| self.at(place).want_all());
    }

    fn at(&mut self, place: &Place) -> &mut Wanted {
        let mut wanted = &mut self.wanted;
        for hop in place {
            wanted = match hop {
                Hop::Field(name) => wanted.field(name),
                Hop::Each => wanted.each(),
            };
        }
        wanted
    }
}
