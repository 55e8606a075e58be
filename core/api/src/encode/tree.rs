//! A JSON value, or as much of it as somebody wants.

use super::{Group, Leaf, Sink};
use crate::wanted::Wanted;
use serde_json::{Map, Number, Value};

/// Builds a JSON value.
#[derive(Default)]
pub(super) struct Tree {
    /// The groups that are not over yet, the innermost last.
    open: Vec<Open>,
    done: Value,
}

enum Open {
    List(Vec<Value>),
    Map(Map<String, Value>, String),
}

impl Tree {
    /// What has been told.
    pub(super) fn into_value(self) -> Value {
        self.done
    }

    fn put(&mut self, value: Value) {
        match self.open.last_mut() {
            Some(Open::List(items)) => items.push(value),
            Some(Open::Map(map, name)) => {
                map.insert(std::mem::take(name), value);
            }
            None => self.done = value,
        }
    }
}

impl Sink for Tree {
    fn leaf(&mut self, leaf: Leaf<'_>) {
        self.put(match leaf {
            Leaf::Null => Value::Null,
            Leaf::Bool(flag) => Value::Bool(flag),
            Leaf::Int(number) => Value::Number(number.into()),
            Leaf::Uint(number) => Value::Number(number.into()),
            Leaf::Float(number) => Number::from_f64(number).map_or(Value::Null, Value::Number),
            Leaf::Text(text) => Value::String(text.to_owned()),
        });
    }

    fn begin(&mut self, group: Group) {
        self.open.push(match group {
            Group::List => Open::List(Vec::new()),
            Group::Struct | Group::Map => Open::Map(Map::new(), String::new()),
        });
    }

    fn name(&mut self, name: &str) {
        if let Some(Open::Map(_, next)) = self.open.last_mut() {
            name.clone_into(next);
        }
    }

    fn end(&mut self) {
        let value = match self.open.pop() {
            Some(Open::List(items)) => Value::Array(items),
            Some(Open::Map(map, _)) => Value::Object(map),
            None => return,
        };
        self.put(value);
    }
}

/// Lets pass what is wanted. Of a list all items are there, so that they can be counted.
pub(super) struct Pick<'s, 'w> {
    sink: &'s mut dyn Sink,
    /// What is wanted of the groups that are not over yet.
    open: Vec<&'w Wanted>,
    /// What is wanted of the value that comes.
    next: Option<&'w Wanted>,
    /// How many groups are open of which nothing is wanted.
    unwanted: usize,
}

impl<'s, 'w> Pick<'s, 'w> {
    /// Of the one value that is told, what is wanted.
    pub(super) fn new(wanted: &'w Wanted, sink: &'s mut dyn Sink) -> Self {
        Pick { sink, open: Vec::new(), next: Some(wanted), unwanted: 0 }
    }
}

impl Sink for Pick<'_, '_> {
    fn leaf(&mut self, leaf: Leaf<'_>) {
        if self.unwanted == 0 && self.next.is_some() {
            self.sink.leaf(leaf);
        }
    }

    fn begin(&mut self, group: Group) {
        match self.next {
            Some(wanted) if self.unwanted == 0 => {
                self.sink.begin(group);
                self.open.push(wanted);
            }
            _ => self.unwanted += 1,
        }
    }

    fn name(&mut self, name: &str) {
        if self.unwanted > 0 {
            return;
        }
        self.next = self.open.last().and_then(|wanted| wanted.of(name));
        if self.next.is_some() {
            self.sink.name(name);
        }
    }

    fn end(&mut self) {
        if self.unwanted > 0 {
            self.unwanted -= 1;
            return;
        }
        self.sink.end();
        // If what is open now is a list, its next item is wanted like this one.
        self.open.pop();
        self.next = self.open.last().copied();
    }

    fn passes_over(&mut self) -> bool {
        self.unwanted > 0 || self.next.is_none()
    }
}
