//! JSON in the order of Go's structs, which is how the API server writes it.
//!
//! Types here have their fields in the order of the alphabet. Clients that read JSON do not mind; people
//! who look at it with `kubectl get --raw` or `curl` see the names first, and containers before tolerations.

use naru_api::encode::{self, Group, Leaf, Sink, Text};
use naru_api::{Kind, Object};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

static TYPES: LazyLock<Types> = LazyLock::new(|| Types::read(include_str!("go_types.txt")));

/// The package of what all groups share.
const META: &str = "meta/v1";

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// A text, a number, or a map whose keys are anybody's.
    Plain,
    /// An object that says its kind.
    Any,
    /// This type, or a list of it.
    Type(usize),
    /// A map of this type.
    Map(usize),
}

struct Field {
    /// Where it stands.
    place: usize,
    of: Of,
}

/// A package and a name.
type Name = (&'static str, &'static str);

struct Types {
    numbers: BTreeMap<Name, usize>,
    fields: Vec<BTreeMap<&'static str, Field>>,
}

impl Types {
    fn read(text: &'static str) -> Self {
        let mut package = "";
        let mut lines: Vec<(Name, &'static str)> = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with("//")) {
            match (line.strip_prefix("# "), line.split_once(' ')) {
                (Some(name), _) => package = name,
                (None, Some((name, fields))) => lines.push(((package, name), fields)),
                (None, None) => {}
            }
        }
        let numbers: BTreeMap<Name, usize> =
            lines.iter().enumerate().map(|(number, (name, _))| (*name, number)).collect();
        let fields =
            lines.iter().map(|((package, _), fields)| read_fields(package, fields, &numbers));
        Types { fields: fields.collect(), numbers }
    }

    /// The type of an object that says its kind.
    fn of(&self, value: &Value) -> Option<usize> {
        let text = |name| value.get(name).and_then(Value::as_str);
        self.of_kind(text("apiVersion").unwrap_or("meta/v1"), text("kind")?)
    }

    /// The type of objects of a kind.
    fn of_kind(&self, api_version: &str, kind: &str) -> Option<usize> {
        let (group, version) = api_version.split_once('/').unwrap_or(("core", api_version));
        let group = group.split('.').next().unwrap_or(group);
        let find = |group: &str, version: &str, kind: &str| {
            let own =
                |name: &Name| name.1 == kind && name.0.split_once('/') == Some((group, version));
            self.numbers.iter().find(|(name, _)| own(name)).map(|(_, number)| *number)
        };
        let unknown = || self.numbers.get(&(META, "PartialObjectMetadata")).copied();
        find(group, version, kind).or_else(|| find("meta", "v1", kind)).or_else(unknown)
    }
}

fn read_fields(
    package: &'static str,
    fields: &'static str,
    numbers: &BTreeMap<Name, usize>,
) -> BTreeMap<&'static str, Field> {
    let number = |name: &'static str| {
        let name = name.rsplit_once('.').unwrap_or((package, name));
        numbers.get(&name).copied()
    };
    let read = |(place, field): (usize, &'static str)| {
        let (name, of) = field.split_once(':').unwrap_or((field, ""));
        let of = match (of, of.strip_prefix('*')) {
            ("?", _) => Of::Any,
            (_, Some(of)) => number(of).map_or(Of::Plain, Of::Map),
            (of, None) => number(of).map_or(Of::Plain, Of::Type),
        };
        (name, Field { place, of })
    };
    fields.split(' ').enumerate().map(read).collect()
}

/// Writes JSON in that order. What Go has no type for comes after the rest, in the order in which it is told.
pub(crate) struct Ordered<'t> {
    text: &'t mut Text,
    /// The groups that are not over yet, the innermost last.
    open: Vec<Open>,
    /// For the structs among them: the place of each field, and where it was written.
    written: Vec<(usize, usize)>,
    /// What the value is that comes.
    next: Of,
    /// In groups of this depth, nobody says what kind of object it is.
    bare: Option<usize>,
    /// The value that comes is left out.
    skip: bool,
}

struct Open {
    /// What each item of a list or value of a map is.
    parts_of: Of,
    is_list: bool,
    fields: Option<&'static BTreeMap<&'static str, Field>>,
    /// How many fields were written of structs around it.
    outer: usize,
}

impl<'t> Ordered<'t> {
    /// For any value: see [`Ordered::put`].
    pub(crate) fn new(text: &'t mut Text) -> Self {
        let (open, written) = (Vec::new(), Vec::new());
        Ordered { text, open, written, next: Of::Any, bare: None, skip: false }
    }

    /// For an object of this kind.
    pub(crate) fn of(kind: &Kind, text: &'t mut Text) -> Self {
        let next = TYPES.of_kind(&kind.api_version(), &kind.kind).map_or(Of::Plain, Of::Type);
        Ordered { next, ..Ordered::new(text) }
    }

    /// Writes a value that may say itself what kind of object it is, or a list of such.
    pub(crate) fn put(&mut self, value: &Value) {
        match value {
            Value::Array(items) => {
                self.begin(Group::List);
                items.iter().for_each(|item| self.put(item));
                self.end();
            }
            Value::Object(map) => {
                if self.coming() == Of::Any {
                    self.next = TYPES.of(value).map_or(Of::Plain, Of::Type);
                    self.begin_as(self.next);
                } else {
                    self.begin(Group::Map);
                }
                for (name, value) in map {
                    self.name(name);
                    self.put(value);
                }
                self.end();
            }
            // A value has no errors of its own.
            leaf => drop(encode::tell(leaf, self)),
        }
    }

    /// Writes a list. Its items do not say their kind, as upstream's do not.
    pub(crate) fn list(
        &mut self,
        kind: &Kind,
        metadata: &Value,
        items: &[Object],
    ) -> Result<(), serde_json::Error> {
        let item = self.next;
        self.begin_as(Of::Plain);
        self.name("kind");
        self.leaf(Leaf::Text(&format!("{}List", kind.kind)));
        self.name("apiVersion");
        self.leaf(Leaf::Text(&kind.api_version()));
        self.name("metadata");
        self.put(metadata);
        self.name("items");
        self.next = item;
        self.begin(Group::List);
        self.bare = Some(self.open.len() + 1);
        for (index, item) in items.iter().enumerate() {
            item.tell(true, self)?;
            if index == 0 {
                self.text.comes_again(items.len() - 1);
            }
        }
        self.end();
        self.end();
        Ok(())
    }

    /// What the value is that comes.
    fn coming(&mut self) -> Of {
        match self.open.last() {
            Some(open) if open.is_list => open.parts_of,
            _ => self.next,
        }
    }

    fn begin_as(&mut self, of: Of) {
        self.text.begin(Group::Struct);
        let (parts_of, fields) = match of {
            Of::Type(number) => (Of::Plain, TYPES.fields.get(number)),
            Of::Map(number) => (Of::Type(number), None),
            Of::Any | Of::Plain => (Of::Plain, None),
        };
        self.open.push(Open { parts_of, is_list: false, fields, outer: self.written.len() });
    }

    /// Puts the fields of a struct in their places; those without one keep their order.
    fn settle(&mut self, open: &Open) {
        let written = self.written.get(open.outer..).unwrap_or_default();
        if written.is_sorted_by_key(|(place, _)| *place) {
            return;
        }
        let (gap, end) = (self.text.separator_len(), self.text.len());
        let ends = written.iter().skip(1).map(|(_, next)| next.saturating_sub(gap)).chain([end]);
        let mut parts: Vec<_> =
            written.iter().zip(ends).map(|((place, from), to)| (*place, *from..to)).collect();
        parts.sort_by_key(|(place, _)| *place);
        let parts: Vec<_> = parts.into_iter().map(|(_, part)| part).collect();
        self.text.reorder(&parts);
    }
}

impl Sink for Ordered<'_> {
    fn leaf(&mut self, leaf: Leaf<'_>) {
        if !std::mem::take(&mut self.skip) {
            self.text.leaf(leaf);
        }
    }

    fn begin(&mut self, group: Group) {
        let of = self.coming();
        if group == Group::List {
            self.text.begin(group);
            let outer = self.written.len();
            self.open.push(Open { parts_of: of, is_list: true, fields: None, outer });
        } else {
            self.begin_as(of);
        }
    }

    fn name(&mut self, name: &str) {
        if self.bare == Some(self.open.len()) && matches!(name, "apiVersion" | "kind") {
            self.skip = true;
            return;
        }
        self.text.separate();
        let start = self.text.len();
        self.text.key(name);
        let Some(open) = self.open.last_mut() else { return };
        self.next = open.parts_of;
        if let Some(fields) = open.fields {
            let field = fields.get(name);
            self.next = field.map_or(Of::Plain, |field| field.of);
            self.written.push((field.map_or(usize::MAX, |field| field.place), start));
        }
    }

    fn end(&mut self) {
        let Some(open) = self.open.pop() else { return };
        self.settle(&open);
        self.written.truncate(open.outer);
        self.text.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use naru_api::encode::Style;
    use serde_json::json;

    fn written(value: &Value) -> String {
        let mut text = Text::new(Style::COMPACT);
        Ordered::new(&mut text).put(value);
        String::from_utf8(text.into_bytes()).unwrap_or_default()
    }

    #[test]
    fn fields_stand_as_in_go() {
        let list = json!({
            "apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": "7"},
            "items": [{
                "metadata": {"labels": {"b": "1", "a": "2"}, "name": "web", "managedFields": []},
                "spec": {
                    "tolerations": [{"key": "a", "effect": "NoExecute", "operator": "Exists"}],
                    "containers": [{"resources": {"limits": {}, "requests": {}}, "image": "nginx", "name": "web"}],
                },
                "status": {"podIP": "10.0.0.1", "phase": "Running"},
            }],
        });
        assert_eq!(
            written(&list),
            concat!(
                r#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":["#,
                r#"{"metadata":{"name":"web","labels":{"a":"2","b":"1"},"managedFields":[]},"#,
                r#""spec":{"containers":[{"name":"web","image":"nginx","resources":{"limits":{},"requests":{}}}],"#,
                r#""tolerations":[{"key":"a","operator":"Exists","effect":"NoExecute"}]},"#,
                r#""status":{"phase":"Running","podIP":"10.0.0.1"}}]}"#,
            )
        );
    }

    #[test]
    fn what_is_nobodys_type_stays_as_it_is() {
        let map = json!({
            "kind": "ConfigMap", "apiVersion": "v1",
            "data": {"kind": "Pod", "apiVersion": "v1", "a": "b"},
        });
        assert!(written(&map).ends_with(r#""data":{"a":"b","apiVersion":"v1","kind":"Pod"}}"#));
        let unknown = json!({"b": 1, "a": 2, "kind": "No", "apiVersion": "a/v1", "metadata": {"uid": "", "name": ""}});
        assert_eq!(
            written(&unknown),
            r#"{"kind":"No","apiVersion":"a/v1","metadata":{"name":"","uid":""},"a":2,"b":1}"#
        );
    }

    #[test]
    fn every_type_that_is_named_is_there() {
        let table = include_str!("go_types.txt").lines().filter(|line| !line.starts_with("//"));
        let named =
            table.flat_map(|line| line.split(' ')).filter(|word| word.contains(':')).count();
        let all = TYPES.fields.iter().flat_map(BTreeMap::values);
        assert_eq!(all.filter(|field| field.of != Of::Plain).count(), named);
    }
}
