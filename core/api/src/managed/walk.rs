//! Walks through objects along their schema: which fields there are, which differ, the merge of
//! two, and the removal of some.
//!
//! Upstream: `structured-merge-diff/typed/{tofieldset,compare,merge,remove,validate}.go`.

use super::element::{PathElement, Scalar, compare as order};
use super::set::{FieldSet, Path};
use crate::schema::{List, Node};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What differs between two objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Only the left one has it.
    pub removed: FieldSet,
    /// Both have it, with other values.
    pub modified: FieldSet,
    /// Only the right one has it.
    pub added: FieldSet,
}

impl Comparison {
    /// Leaves `fields` out, with all below them.
    pub fn without(self, fields: &FieldSet) -> Self {
        Comparison {
            removed: self.removed.recursive_difference(fields),
            modified: self.modified.recursive_difference(fields),
            added: self.added.recursive_difference(fields),
        }
    }
}

/// What a value has to be walked as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Map,
    List,
    Scalar,
}

fn shape(value: Option<&Value>) -> Option<Shape> {
    match value? {
        Value::Null => None,
        Value::Object(_) => Some(Shape::Map),
        Value::Array(_) => Some(Shape::List),
        _ => Some(Shape::Scalar),
    }
}

fn map(value: Option<&Value>) -> Option<&Map<String, Value>> {
    value.and_then(Value::as_object).filter(|map| !map.is_empty())
}

fn items(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// By what an item of a set or a keyed list is known.
pub fn element(list: &List<'_>, item: &Value) -> Result<PathElement, String> {
    match (list, item) {
        (List::Atomic, _) => Err("invalid indexing of non-associative list".to_owned()),
        (List::Keyed(keys), Value::Object(map)) => {
            let mut fields: Vec<(Arc<str>, Scalar)> = Vec::with_capacity(keys.len());
            for (name, default) in keys {
                let value = map.get(*name).or(default.as_ref()).ok_or_else(|| {
                    format!(
                        "associative list with keys has an element that omits key field \"{name}\" \
                         (and doesn't have default value)"
                    )
                })?;
                fields.push((Arc::from(*name), Scalar(value.clone())));
            }
            fields.sort();
            Ok(PathElement::Key(fields))
        }
        (List::Keyed(_), Value::Null) => {
            Err("associative list with keys may not have a null element".to_owned())
        }
        (List::Keyed(_), _) => {
            Err("associative list with keys may not have non-map elements".to_owned())
        }
        (List::Set, Value::Object(_)) => {
            Err("associative list without keys has an element that's a map type".to_owned())
        }
        (List::Set, Value::Array(_)) => {
            Err("not supported: associative list with lists as elements".to_owned())
        }
        (List::Set, Value::Null) => {
            Err("associative list without keys has an element that's an explicit null".to_owned())
        }
        (List::Set, value) => Ok(PathElement::Value(Scalar(value.clone()))),
    }
}

/// Whether a list here is merged item by item.
fn merged_list(node: Node<'_>) -> Option<List<'_>> {
    match node.list() {
        List::Atomic => None,
        list => Some(list),
    }
}

/// The fields that a configuration sets.
pub fn fields_of(node: Node<'_>, value: &Value) -> FieldSet {
    let mut set = FieldSet::default();
    collect(node, value, &mut Vec::new(), &mut set);
    set
}

fn collect(node: Node<'_>, value: &Value, path: &mut Path, set: &mut FieldSet) {
    match value {
        Value::Null => {}
        Value::Array(items) => match merged_list(node) {
            None => set.insert(path),
            Some(list) => {
                let elements: Vec<_> = items.iter().map(|item| element(&list, item)).collect();
                for (item, step) in items.iter().zip(&elements) {
                    let Ok(step) = step else { continue };
                    path.push(step.clone());
                    // Of doubles, nothing but that they are there can be owned.
                    if elements.iter().flatten().filter(|other| *other == step).count() == 1 {
                        collect(node.item(), item, path, set);
                    }
                    set.insert(path);
                    path.pop();
                }
            }
        },
        Value::Object(_) if node.is_atomic_map() => set.insert(path),
        Value::Object(map) => {
            for (name, value) in map {
                let (below, named) = node.field(name);
                path.push(PathElement::field(name));
                collect(below, value, path, set);
                if is_empty(value) || !named {
                    set.insert(path);
                }
                path.pop();
            }
        }
        _ => set.insert(path),
    }
}

/// What differs between two objects.
pub fn compare(node: Node<'_>, left: &Value, right: &Value) -> Comparison {
    let mut comparison = Comparison::default();
    Comparer { path: Vec::new(), comparison: &mut comparison }.compare(
        node,
        Some(left),
        Some(right),
    );
    comparison
}

struct Comparer<'c> {
    path: Path,
    comparison: &'c mut Comparison,
}

impl Comparer<'_> {
    fn compare(&mut self, node: Node<'_>, left: Option<&Value>, right: Option<&Value>) {
        let (was, is) = (shape(left), shape(right));
        if let (Some(was), Some(is)) = (was, is)
            && was != is
        {
            self.descend(node, was, left, right);
        }
        let shape = is.or(was).unwrap_or(Shape::Scalar);
        if !self.descend(node, shape, left, right) {
            match (left, right) {
                (None, _) => self.comparison.added.insert(&self.path),
                (_, None) => self.comparison.removed.insert(&self.path),
                _ => {}
            }
        }
    }

    /// Walks below a place: whether it is a leaf.
    fn descend(
        &mut self,
        node: Node<'_>,
        shape: Shape,
        left: Option<&Value>,
        right: Option<&Value>,
    ) -> bool {
        match shape {
            Shape::Map if !node.is_atomic_map() => {
                let (l, r) = (map(left), map(right));
                if l.is_none() && r.is_none() {
                    return self.leaf(left, right);
                }
                let none = Map::new();
                let (l, r) = (l.unwrap_or(&none), r.unwrap_or(&none));
                let only_right = r.keys().filter(|name| !l.contains_key(*name));
                for name in l.keys().chain(only_right) {
                    self.path.push(PathElement::field(name));
                    self.compare(node.field(name).0, l.get(name), r.get(name));
                    self.path.pop();
                }
                false
            }
            Shape::List => match merged_list(node) {
                Some(list) if !items(left).is_empty() || !items(right).is_empty() => {
                    self.lists(node, &list, items(left), items(right));
                    false
                }
                _ => self.leaf(left, right),
            },
            _ => self.leaf(left, right),
        }
    }

    fn leaf(&mut self, left: Option<&Value>, right: Option<&Value>) -> bool {
        match (left, right) {
            (None, _) => self.comparison.added.insert(&self.path),
            (_, None) => self.comparison.removed.insert(&self.path),
            (Some(left), Some(right)) if order(left, right).is_ne() => {
                self.comparison.modified.insert(&self.path);
            }
            _ => {}
        }
        true
    }

    fn lists(&mut self, node: Node<'_>, list: &List<'_>, left: &[Value], right: &[Value]) {
        let (left, right) = (by_element(list, left), by_element(list, right));
        let steps: BTreeSet<&PathElement> = left.keys().chain(right.keys()).collect();
        for step in steps {
            let none = Vec::new();
            let was = left.get(step).unwrap_or(&none).as_slice();
            let is = right.get(step).unwrap_or(&none).as_slice();
            self.path.push(step.clone());
            match (was, is) {
                ([] | [_], [] | [_]) => {
                    self.compare(node.item(), was.first().copied(), is.first().copied());
                }
                // Doubles are compared as one value.
                ([_, _, ..], [_, _, ..]) => {
                    let same = was.len() == is.len()
                        && was.iter().zip(is).all(|(a, b)| order(a, b).is_eq());
                    if !same {
                        self.comparison.modified.insert(&self.path);
                    }
                }
                ([_, _, ..], is) => {
                    if let Some(item) = is.first() {
                        self.compare(node.item(), None, Some(item));
                    }
                    self.comparison.removed.insert(&self.path);
                }
                (was, _) => {
                    if let Some(item) = was.first() {
                        self.compare(node.item(), Some(item), None);
                    }
                    self.comparison.added.insert(&self.path);
                }
            }
            self.path.pop();
        }
    }
}

fn by_element<'v>(list: &List<'_>, items: &'v [Value]) -> BTreeMap<PathElement, Vec<&'v Value>> {
    let mut found: BTreeMap<PathElement, Vec<&Value>> = BTreeMap::new();
    for item in items {
        if let Ok(step) = element(list, item) {
            found.entry(step).or_default().push(item);
        }
    }
    found
}

/// The right object laid over the left one.
pub fn merge(node: Node<'_>, left: &Value, right: &Value) -> Value {
    merge_values(node, Some(left), Some(right)).unwrap_or(Value::Null)
}

fn merge_values(node: Node<'_>, left: Option<&Value>, right: Option<&Value>) -> Option<Value> {
    match shape(right).or(shape(left)) {
        Some(Shape::Map) if !node.is_atomic_map() => {
            let (l, r) = (map(left), map(right));
            if l.is_none() && r.is_none() {
                return right.or(left).cloned();
            }
            let none = Map::new();
            let (l, r) = (l.unwrap_or(&none), r.unwrap_or(&none));
            let only_right = r.keys().filter(|name| !l.contains_key(*name));
            let merged = |name: &String| {
                let value = merge_values(node.field(name).0, l.get(name), r.get(name))?;
                Some((name.clone(), value))
            };
            let merged: Map<String, Value> =
                l.keys().chain(only_right).filter_map(merged).collect();
            (!merged.is_empty()).then_some(Value::Object(merged))
        }
        Some(Shape::List) => match merged_list(node) {
            Some(list) if !items(left).is_empty() || !items(right).is_empty() => {
                Some(Value::Array(merge_lists(node, &list, items(left), items(right))))
            }
            _ => right.or(left).cloned(),
        },
        _ => right.or(left).cloned(),
    }
}

/// Items of both keep the right list's order; items of the left one alone stay where they were
/// among these.
fn merge_lists(node: Node<'_>, list: &List<'_>, left: &[Value], right: &[Value]) -> Vec<Value> {
    let (lefts, rights) = (by_element(list, left), by_element(list, right));
    let (left, right) = (keyed(list, left), keyed(list, right));
    let both = |step: &PathElement, item: &Value| {
        // Doubles are not merged with what takes their place.
        let mine = lefts.get(step).and_then(|found| match found.as_slice() {
            [one] => Some(*one),
            _ => None,
        });
        merge_values(node.item(), mine, Some(item))
    };
    let mut shared = right.iter().map(|(step, _)| step).filter(|step| lefts.contains_key(step));
    let mut next_shared = shared.next();
    let mut merged: BTreeSet<&PathElement> = BTreeSet::new();
    let mut out = Vec::with_capacity(left.len().max(right.len()));
    let (mut l, mut r) = (0, 0);
    while l < left.len() || r < right.len() {
        let (mine, theirs) = (left.get(l), right.get(r));
        if let (Some((step, _)), Some((their_step, item))) = (mine, theirs) {
            if step == their_step {
                out.extend(both(step, item));
                merged.insert(step);
                (l, r) = (l + 1, r + 1);
                next_shared = shared.next();
                continue;
            }
            // It is in both, and its turn comes later.
            if rights.contains_key(step) && next_shared.is_some_and(|next| next != step) {
                l += 1;
                continue;
            }
        }
        if let Some((step, item)) = mine {
            if !rights.contains_key(step) {
                out.extend(merge_values(node.item(), Some(item), None));
                l += 1;
                continue;
            }
            if merged.contains(step) {
                l += 1;
            }
        }
        if let Some((step, item)) = theirs {
            out.extend(both(step, item));
            merged.insert(step);
            r += 1;
            if next_shared == Some(step) {
                next_shared = shared.next();
            }
        }
    }
    out
}

fn keyed<'v>(list: &List<'_>, items: &'v [Value]) -> Vec<(PathElement, &'v Value)> {
    items.iter().filter_map(|item| Some((element(list, item).ok()?, item))).collect()
}

/// The object without these fields. A map or list of which nothing is left becomes null.
pub fn remove(node: Node<'_>, value: &Value, fields: &FieldSet) -> Value {
    match value {
        Value::Object(map) if !map.is_empty() => {
            if node.is_atomic_map() {
                return Value::Null;
            }
            let kept = |(name, value): (&String, &Value)| {
                let step = PathElement::field(name);
                if fields.has(std::slice::from_ref(&step)) {
                    return None;
                }
                let value = match fields.below(&step) {
                    Some(below) => remove(node.field(name).0, value, below),
                    None => value.clone(),
                };
                Some((name.clone(), value))
            };
            let kept: Map<String, Value> = map.iter().filter_map(kept).collect();
            if kept.is_empty() { Value::Null } else { Value::Object(kept) }
        }
        Value::Array(items) if !items.is_empty() => {
            let Some(list) = merged_list(node) else { return Value::Null };
            let kept = |item: &Value| {
                let Ok(step) = element(&list, item) else { return Some(item.clone()) };
                if fields.has(std::slice::from_ref(&step)) {
                    return None;
                }
                Some(match fields.below(&step) {
                    Some(below) => remove(node.item(), item, below),
                    None => item.clone(),
                })
            };
            let kept: Vec<Value> = items.iter().filter_map(kept).collect();
            if kept.is_empty() { Value::Null } else { Value::Array(kept) }
        }
        Value::Object(_) | Value::Array(_) => Value::Null,
        scalar => scalar.clone(),
    }
}

/// What is wrong with a configuration's sets and keyed lists, each with its path.
pub fn problems(node: Node<'_>, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(node, value, &mut String::new(), &mut found);
    found
}

fn check(node: Node<'_>, value: &Value, path: &mut String, found: &mut Vec<String>) {
    let length = path.len();
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                path.push('.');
                path.push_str(name);
                check(node.field(name).0, value, path, found);
                path.truncate(length);
            }
        }
        Value::Array(items) => {
            let list = node.list();
            let mut seen: BTreeSet<PathElement> = BTreeSet::new();
            for (index, item) in items.iter().enumerate() {
                let step = match &list {
                    List::Atomic => PathElement::Index(index),
                    list => match element(list, item) {
                        Ok(step) => step,
                        Err(why) => {
                            found.push(format!("{path}: element {index}: {why}"));
                            return;
                        }
                    },
                };
                if seen.contains(&step) {
                    found.push(format!("{path}: duplicate entries for key {step}"));
                }
                path.push_str(&step.to_string());
                check(node.item(), item, path, found);
                path.truncate(length);
                seen.insert(step);
            }
        }
        _ => {}
    }
}

/// The place that a decoder calls `spec.containers[0].image`, with items as field sets name them:
/// `.spec.containers[name="web"].image`; and the value there.
pub fn place<'v>(mut node: Node<'_>, mut value: &'v Value, path: &str) -> (String, &'v Value) {
    let mut shown = String::new();
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let (name, indices) = part.split_once('[').unwrap_or((part, ""));
        shown.push('.');
        shown.push_str(name);
        node = node.field(name).0;
        value = value.get(name).unwrap_or(&Value::Null);
        for index in indices.split(['[', ']']).filter_map(|index| index.parse().ok()) {
            let index: usize = index;
            value = value.get(index).unwrap_or(&Value::Null);
            let step = element(&node.list(), value).unwrap_or(PathElement::Index(index));
            shown.push_str(&step.to_string());
            node = node.item();
        }
    }
    (shown, value)
}
