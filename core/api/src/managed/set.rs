//! Sets of fields: what a manager owns.
//!
//! Upstream: `structured-merge-diff/fieldpath/set.go`, `serialize.go`.

use super::element::PathElement;
use crate::encode::{self, Group, Sink};
use crate::schema::Node;
use serde_json::Value;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

/// Steps from the top of an object to a field.
pub type Path = Vec<PathElement>;

/// A set of paths, as a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    /// What is in the set itself.
    members: BTreeSet<PathElement>,
    /// What lies below; that a path has children does not make it a member.
    children: BTreeMap<PathElement, FieldSet>,
}

impl FieldSet {
    /// A set of the paths of these fields.
    pub fn of_fields(paths: &[&[&str]]) -> Self {
        let mut set = FieldSet::default();
        for path in paths {
            let path: Path = path.iter().map(|name| PathElement::field(name)).collect();
            set.insert(&path);
        }
        set
    }

    /// Adds a path; the empty path stands for the whole object, which is nobody's.
    pub fn insert(&mut self, path: &[PathElement]) {
        match path {
            [] => {}
            [last] => drop(self.members.insert(last.clone())),
            [first, rest @ ..] => self.children.entry(first.clone()).or_default().insert(rest),
        }
    }

    /// Whether a path is a member.
    pub fn has(&self, path: &[PathElement]) -> bool {
        match path {
            [] => false,
            [last] => self.members.contains(last),
            [first, rest @ ..] => self.children.get(first).is_some_and(|below| below.has(rest)),
        }
    }

    /// Whether it has no members, however deep.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.children.values().all(FieldSet::is_empty)
    }

    /// What lies below a step.
    pub fn below(&self, step: &PathElement) -> Option<&FieldSet> {
        self.children.get(step).filter(|below| !below.is_empty())
    }

    /// Adds all of `other`.
    pub fn unite(&mut self, other: &FieldSet) {
        self.members.extend(other.members.iter().cloned());
        for (step, below) in &other.children {
            match self.children.entry(step.clone()) {
                Entry::Occupied(mut mine) => mine.get_mut().unite(below),
                Entry::Vacant(place) => drop(place.insert(below.clone())),
            }
        }
    }

    /// Whether something is in both.
    pub fn meets(&self, other: &FieldSet) -> bool {
        !self.members.is_disjoint(&other.members)
            || self.children.iter().any(|(step, below)| {
                other.children.get(step).is_some_and(|others| below.meets(others))
            })
    }

    /// What is in both.
    pub fn intersection(&self, other: &FieldSet) -> FieldSet {
        let members = self.members.intersection(&other.members).cloned().collect();
        let common = |(step, below): (&PathElement, &FieldSet)| {
            let below = below.intersection(other.children.get(step)?);
            (!below.is_empty()).then(|| (step.clone(), below))
        };
        FieldSet { members, children: self.children.iter().filter_map(common).collect() }
    }

    /// What is in this set and not in `other`.
    pub fn difference(&self, other: &FieldSet) -> FieldSet {
        self.without(other, false)
    }

    /// The same, and what lies below members of `other` goes with them.
    pub fn recursive_difference(&self, other: &FieldSet) -> FieldSet {
        self.without(other, true)
    }

    fn without(&self, other: &FieldSet, recursive: bool) -> FieldSet {
        let members = self.members.difference(&other.members).cloned().collect();
        let rest = |(step, below): (&PathElement, &FieldSet)| {
            if recursive && other.members.contains(step) {
                return None;
            }
            let below = match other.children.get(step) {
                Some(others) => below.without(others, recursive),
                None => below.clone(),
            };
            (!below.is_empty()).then(|| (step.clone(), below))
        };
        FieldSet { members, children: self.children.iter().filter_map(rest).collect() }
    }

    /// The set in which the fields of structs are members if something below them is.
    ///
    /// Upstream: `EnsureNamedFieldsAreMembers`.
    pub fn with_named_fields(&self, node: Node<'_>) -> FieldSet {
        let mut set = FieldSet { members: self.members.clone(), ..FieldSet::default() };
        for (step, below) in &self.children {
            let node = match step {
                PathElement::Field(name) => {
                    let (node, named) = node.field(name);
                    if named {
                        set.members.insert(step.clone());
                    }
                    node
                }
                PathElement::Key(_) => node.item(),
                _ => Node::DEDUCED,
            };
            set.children.insert(step.clone(), below.with_named_fields(node));
        }
        set
    }

    /// Every member's path: first the members of a place, then what lies below it.
    pub fn paths(&self) -> Vec<Path> {
        let mut paths = Vec::new();
        self.collect(&mut Vec::new(), &mut paths);
        paths
    }

    fn collect(&self, prefix: &mut Path, paths: &mut Vec<Path>) {
        for member in &self.members {
            let mut path = prefix.clone();
            path.push(member.clone());
            paths.push(path);
        }
        for (step, below) in &self.children {
            prefix.push(step.clone());
            below.collect(prefix, paths);
            prefix.pop();
        }
    }

    /// As `fieldsV1`.
    pub fn to_json(&self) -> Value {
        let told = encode::value_of(|sink| {
            self.tell(sink);
            Ok::<(), std::convert::Infallible>(())
        });
        told.unwrap_or_default()
    }

    /// Tells it as `fieldsV1`, with the keys in the order of the alphabet.
    pub(super) fn tell(&self, sink: &mut dyn Sink) {
        Contents::default().tell(self, false, sink);
    }

    /// Reads `fieldsV1`. The error says what is no path element.
    pub fn from_json(json: &Value) -> Result<Self, String> {
        let mut set = FieldSet::default();
        let Value::Object(map) = json else {
            return Err("fieldsV1 is not an object".to_owned());
        };
        for (key, below) in map.iter().filter(|(key, _)| *key != ".") {
            let Some(step) = PathElement::parse(key) else {
                // As upstream: forms that are not known yet are left out.
                if key.get(1..2) == Some(":") && !key.starts_with(['f', 'v', 'i', 'k']) {
                    continue;
                }
                return Err(format!("invalid path element {key}"));
            };
            let below_set = FieldSet::from_json(below)?;
            let self_too = below.get(".").is_some();
            if below_set.members.is_empty() && below_set.children.is_empty() || self_too {
                set.members.insert(step.clone());
            }
            if !below_set.is_empty() {
                set.children.insert(step, below_set);
            }
        }
        Ok(set)
    }
}

/// The keys of `fieldsV1` while they are told. Those of a set's own level are the last.
#[derive(Default)]
struct Contents<'s> {
    text: String,
    /// Where a key stands, whether it is a member, and what lies below it.
    keys: Vec<(Range<usize>, bool, Option<&'s FieldSet>)>,
}

impl<'s> Contents<'s> {
    /// Tells what is in a set, which is a member itself if it has a dot.
    fn tell(&mut self, set: &'s FieldSet, dot: bool, sink: &mut dyn Sink) {
        let (text, first) = (self.text.len(), self.keys.len());
        for member in &set.members {
            let below = set.below(member);
            self.add(member, true, below);
        }
        let only_children = |(step, below): &(&PathElement, &FieldSet)| {
            !below.is_empty() && !set.members.contains(step)
        };
        for (step, below) in set.children.iter().filter(only_children) {
            self.add(step, false, Some(below));
        }
        let own = self.keys.get_mut(first..).unwrap_or_default();
        own.sort_unstable_by_key(|(key, ..)| self.text.get(key.clone()));
        sink.begin(Group::Map);
        if dot {
            nothing(".", sink);
        }
        for index in first..self.keys.len() {
            let Some((key, member, below)) = self.keys.get(index).cloned() else { break };
            let key = self.text.get(key).unwrap_or_default();
            match below {
                Some(below) => {
                    sink.name(key);
                    self.tell(below, member, sink);
                }
                None => nothing(key, sink),
            }
        }
        sink.end();
        self.keys.truncate(first);
        self.text.truncate(text);
    }

    fn add(&mut self, step: &PathElement, member: bool, below: Option<&'s FieldSet>) {
        let from = self.text.len();
        step.push_key(&mut self.text);
        self.keys.push((from..self.text.len(), member, below));
    }
}

/// A member with nothing below it.
fn nothing(key: &str, sink: &mut dyn Sink) {
    sink.name(key);
    sink.begin(Group::Map);
    sink.end();
}

/// A path as messages tell it: `.spec.containers[name="web"].image`.
pub struct Shown<'a>(pub &'a [PathElement]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| step.fmt(f))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(json: Value) -> FieldSet {
        FieldSet::from_json(&json).unwrap()
    }

    #[test]
    fn are_written_and_read() {
        let table = [
            json!({}),
            json!({"f:spec": {"f:replicas": {}}}),
            json!({"f:metadata": {"f:labels": {".": {}, "f:app": {}}}}),
            json!({"f:spec": {"f:containers": {"k:{\"name\":\"a\"}": {".": {}, "f:image": {}}}}}),
            json!({"f:finalizers": {"v:\"a\"": {}}, "f:list": {"i:0": {}}}),
        ];
        for json in table {
            assert_eq!(set(json.clone()).to_json(), json);
        }
        assert!(FieldSet::from_json(&json!([])).is_err());
        assert!(FieldSet::from_json(&json!({"a": {}})).is_err());
        assert_eq!(set(json!({"z:a": {}})), FieldSet::default());
    }

    #[test]
    fn are_combined() {
        let a = set(json!({"f:a": {".": {}, "f:b": {}}, "f:c": {}}));
        let b = set(json!({"f:a": {"f:b": {}, "f:d": {}}}));
        let mut both = a.clone();
        both.unite(&b);
        assert_eq!(both, set(json!({"f:a": {".": {}, "f:b": {}, "f:d": {}}, "f:c": {}})));
        assert_eq!(a.intersection(&b), set(json!({"f:a": {"f:b": {}}})));
        assert_eq!(a.difference(&b), set(json!({"f:a": {}, "f:c": {}})));
        assert_eq!(b.difference(&a), set(json!({"f:a": {"f:d": {}}})));
        assert_eq!(b.recursive_difference(&a), FieldSet::default());
        assert_eq!(a.recursive_difference(&b), set(json!({"f:a": {}, "f:c": {}})));
        assert!(a.difference(&a).is_empty());
    }

    #[test]
    fn paths_are_told_in_upstreams_order() {
        let set = set(json!({"f:a": {".": {}, "f:b": {}}, "f:c": {},
            "f:l": {"k:{\"name\":\"x\"}": {"f:i": {}}}}));
        let shown: Vec<String> = set.paths().iter().map(|path| Shown(path).to_string()).collect();
        assert_eq!(shown, [".a", ".c", ".a.b", ".l[name=\"x\"].i"]);
        assert!(set.has(&[PathElement::field("a"), PathElement::field("b")]));
        assert!(!set.has(&[PathElement::field("l")]));
    }
}
