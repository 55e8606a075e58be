//! Which empty fields JSON has: those that Go writes, and no others.
//!
//! Go writes `status: {}`, `creationTimestamp: null` or `rules: null`, since a field of a struct
//! that is no pointer is never left out; and it forgets that a client wrote `protocol: ""`, since
//! its types do not know this from nothing. `k8s-openapi` knows only that a field is not set.
//!
//! Upstream: the tags (`omitempty`) of the types in `k8s.io/api`.

mod table;

use crate::encode::{self, Group, Leaf, Sink};
use serde_json::Value;
use std::collections::VecDeque;
use table::{KINDS, MAPS, POINTERS, TYPES};

/// What says of which kind an object is, in the order of the alphabet. It is told first.
const HEAD: [&str; 2] = ["apiVersion", "kind"];

/// A field that is written when it is empty, or that leads to one.
struct Field {
    name: &'static str,
    /// JSON of its zero value; "" when it is left out.
    zero: &'static str,
    /// An index into [`TYPES`].
    type_: Option<usize>,
}

impl Field {
    const fn leaf(name: &'static str, zero: &'static str) -> Self {
        Field { name, zero, type_: None }
    }

    const fn node(name: &'static str, zero: &'static str, type_: usize) -> Self {
        Field { name, zero, type_: Some(type_) }
    }
}

/// Adds to an object of a built-in kind what Go would have written.
pub fn complete(object: &mut Value) {
    let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion").to_owned(), text("kind").to_owned());
    let told =
        |sink: &mut dyn Sink| encode::tell(object, &mut Completed::new(&api_version, &kind, sink));
    // A value has no errors of its own.
    if let Ok(completed) = encode::value_of(told) {
        *object = completed;
    }
}

/// Hands on an object of a built-in kind, whose fields come in the order of the alphabet behind `apiVersion` and
/// `kind`, with these in that order too, and with what Go would have written besides.
pub struct Completed<'s> {
    sink: &'s mut dyn Sink,
    /// The groups that are not over yet, the innermost last.
    open: Vec<Open>,
    /// What the value is that comes, where Go might write something else.
    next: Option<Expected>,
    /// A list has begun that may be empty.
    list: Option<Expected>,
    /// What says of which kind the object is, as long as fields may come that stand before it.
    head: VecDeque<(&'static str, String)>,
    /// Which of that is the next value.
    next_of_head: Option<&'static str>,
}

/// What stands for a value when it is empty, and the type of it or of its items.
#[derive(Clone, Copy)]
struct Expected {
    zero: &'static str,
    type_: Option<usize>,
}

enum Open {
    /// A struct: the fields of its type, and how many of them have come.
    Type(&'static [Field], usize),
    /// A list whose items are like this.
    List(Expected),
    /// Of this, Go writes what there is.
    Plain,
}

impl<'s> Completed<'s> {
    /// For one object of this kind.
    pub fn new(api_version: &str, kind: &str, sink: &'s mut dyn Sink) -> Self {
        let found = KINDS.binary_search_by(|(v, k, _)| (*v, *k).cmp(&(api_version, kind)));
        let kind = found.ok().and_then(|index| KINDS.get(index));
        let next = kind.map(|(_, _, type_)| Expected { zero: "", type_: Some(*type_) });
        Completed {
            sink,
            open: Vec::new(),
            next,
            list: None,
            head: VecDeque::new(),
            next_of_head: None,
        }
    }

    /// The list that has begun is not empty.
    fn has_items(&mut self) {
        if let Some(items) = self.list.take() {
            self.sink.begin(Group::List);
            self.open.push(Open::List(items));
        }
    }

    /// What the value is that comes.
    fn take_next(&mut self) -> Option<Expected> {
        match self.open.last() {
            Some(Open::List(items)) => Some(*items),
            Some(Open::Plain) => None,
            Some(Open::Type(..)) | None => self.next.take(),
        }
    }

    /// Tells what of the head stands before this field, or all.
    fn tell_head(&mut self, before: Option<&str>) {
        if self.open.len() != 1 {
            return;
        }
        let stands_before = |name: &str| before.is_none_or(|before| before > name);
        while self.head.front().is_some_and(|(name, _)| stands_before(name))
            && let Some((name, value)) = self.head.pop_front()
        {
            self.fill(Some(name));
            self.sink.name(name);
            self.sink.leaf(Leaf::Text(&value));
        }
    }

    /// Writes the fields of the innermost struct that stand before this one, or all, and are not there.
    fn fill(&mut self, before: Option<&str>) {
        while let Some(Open::Type(fields, come)) = self.open.last_mut()
            && let Some(field) = fields.get(*come)
            && before.is_none_or(|name| field.name < name)
        {
            *come += 1;
            if !field.zero.is_empty() {
                self.sink.name(field.name);
                zero(field.zero, self.sink);
            }
        }
    }

    /// Hands on a field's name, behind all that stands before it.
    fn field(&mut self, name: &str) {
        self.tell_head(Some(name));
        self.fill(Some(name));
        self.next = None;
        if let Some(Open::Type(fields, come)) = self.open.last_mut() {
            let before = fields.get(..*come).unwrap_or_default();
            debug_assert!(before.iter().all(|field| field.name != name), "{name} comes too late");
            if let Some(field) = fields.get(*come).filter(|field| field.name == name) {
                *come += 1;
                self.next = Some(Expected { zero: field.zero, type_: field.type_ });
            }
        }
        self.sink.name(name);
    }
}

impl Sink for Completed<'_> {
    fn leaf(&mut self, leaf: Leaf<'_>) {
        match (self.next_of_head.take(), leaf) {
            (Some(name), Leaf::Text(value)) => {
                self.head.push_back((name, value.to_owned()));
                return;
            }
            (Some(name), _) => self.field(name),
            (None, _) => {}
        }
        self.has_items();
        self.take_next();
        self.sink.leaf(leaf);
    }

    fn begin(&mut self, group: Group) {
        if let Some(name) = self.next_of_head.take() {
            self.field(name);
        }
        self.has_items();
        match (group, self.take_next()) {
            (Group::List, Some(list)) if !matches!(self.open.last(), Some(Open::List(_))) => {
                self.list = Some(list);
            }
            (group, next) => {
                self.sink.begin(group);
                let type_ = next.and_then(|next| TYPES.get(next.type_?));
                self.open.push(match (group, type_) {
                    (Group::Struct | Group::Map, Some(fields)) => Open::Type(fields, 0),
                    _ => Open::Plain,
                });
            }
        }
    }

    fn name(&mut self, name: &str) {
        if self.open.len() == 1 {
            self.next_of_head = HEAD.into_iter().find(|known| *known == name);
            if self.next_of_head.is_some() {
                return;
            }
        }
        self.field(name);
    }

    fn end(&mut self) {
        // An empty list does not survive upstream's storage.
        if let Some(list) = self.list.take() {
            return zero(list.zero, self.sink);
        }
        self.tell_head(None);
        self.fill(None);
        self.open.pop();
        self.sink.end();
    }

    fn passes_over(&mut self) -> bool {
        // What says of which kind the object is was not handed on yet.
        let passes = self.next_of_head.is_none() && self.sink.passes_over();
        if passes {
            self.next = None;
        }
        passes
    }
}

/// Hands on a zero value. The table holds valid JSON only: a test reads all of it.
fn zero(text: &str, sink: &mut dyn Sink) {
    match text {
        "null" | "" => sink.leaf(Leaf::Null),
        "{}" => {
            sink.begin(Group::Struct);
            sink.end();
        }
        text => {
            let value: Value = serde_json::from_str(text).unwrap_or_default();
            // A value has no errors of its own.
            let _ = encode::tell(&value, sink);
        }
    }
}

/// Whether Go forgets a value that a client wrote, because its type has no other word for nothing.
///
/// Of a list that is empty Go forgets that only when the object is stored, since protobuf has no word
/// for it. Until then it is not nil: what prints it as Go would (`Rules:[]rbac.PolicyRule{}`, in an
/// error of validation or admission) says `(nil)` here. To keep it that long, every write would have
/// to go through the whole object once more before it is stored, and whatever compares two objects
/// before that would have to take both for the same.
pub(crate) fn forgets(struct_: &str, field: &str, value: &Value) -> bool {
    let listed = |list: &[&str]| {
        list.binary_search_by(|entry| {
            let (of, name) = entry.split_once('.').unwrap_or_default();
            (of, name).cmp(&(struct_, field))
        })
        .is_ok()
    };
    match value {
        Value::Bool(false) => !listed(POINTERS),
        Value::Number(number) => number.as_f64() == Some(0.0) && !listed(POINTERS),
        Value::String(text) => text.is_empty() && !listed(POINTERS),
        Value::Array(items) => items.is_empty() && !listed(POINTERS),
        Value::Object(map) => map.is_empty() && listed(MAPS),
        Value::Null | Value::Bool(true) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::metrics::{NodeMetrics, PodMetrics};
    use crate::{Object, scheme};
    use serde_json::json;

    #[test]
    fn the_table_is_whole() {
        assert!(KINDS.is_sorted());
        let pairs = |list: &[&'static str]| -> Vec<(&str, &str)> {
            list.iter().map(|entry| entry.split_once('.').unwrap()).collect()
        };
        assert!(pairs(POINTERS).is_sorted() && pairs(MAPS).is_sorted());
        let served = scheme::built_in();
        let missing = served.iter().find(|kind| {
            !KINDS
                .iter()
                .any(|(version, name, _)| kind.api_version() == *version && kind.kind == *name)
        });
        assert_eq!(missing, None);
        assert!(TYPES.iter().all(|fields| fields.is_sorted_by_key(|field| field.name)));
        for field in TYPES.iter().copied().flatten() {
            assert!(field.zero.is_empty() || serde_json::from_str::<Value>(field.zero).is_ok());
            assert!(field.type_.is_none_or(|type_| type_ < TYPES.len()), "{}", field.name);
        }
    }

    /// What a kind's decoder and encoder make of an object.
    fn through(api_version: &str, kind: &str, mut json: Value) -> Value {
        json["apiVersion"] = json!(api_version);
        json["kind"] = json!(kind);
        let kind = scheme::by_kind(&scheme::built_in(), api_version, kind).unwrap();
        let object: Object = kind.strategy.decode(json).unwrap();
        let mut json = object.to_json().unwrap();
        let map = json.as_object_mut().unwrap();
        map.remove("apiVersion");
        map.remove("kind");
        json
    }

    #[test]
    fn what_is_no_object_stays_what_it_is() {
        for json in [
            json!({"apiVersion": 5, "kind": {"a": []}, "b": 1}),
            json!({"apiVersion": null, "kind": [1]}),
            json!([{"kind": "Pod"}]),
            json!("Pod"),
        ] {
            let mut completed = json.clone();
            complete(&mut completed);
            assert_eq!(completed, json);
        }
    }

    #[test]
    fn all_is_told_in_the_order_of_the_alphabet() {
        let table = [
            (
                "v1",
                "ConfigMap",
                json!({"metadata": {"name": "a"}, "data": {"k": "v"}, "immutable": true}),
            ),
            (
                "v1",
                "Event",
                json!({"metadata": {"name": "a"}, "involvedObject": {"name": "b"}, "count": 2,
                "type": "Normal", "lastTimestamp": "2025-01-02T03:04:05Z", "message": "m"}),
            ),
            (
                "discovery.k8s.io/v1",
                "EndpointSlice",
                json!({"metadata": {"name": "a"}, "addressType": "IPv4",
                "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": []}),
            ),
            (
                "rbac.authorization.k8s.io/v1",
                "ClusterRole",
                json!({"metadata": {"name": "a"},
                "aggregationRule": {"clusterRoleSelectors": [{}]}}),
            ),
            (
                "storage.k8s.io/v1",
                "StorageClass",
                json!({"metadata": {"name": "a"}, "provisioner": "p",
                "allowVolumeExpansion": true}),
            ),
            (
                "v1",
                "Pod",
                json!({"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c"}]}}),
            ),
        ];
        let decoded = table.into_iter().map(|(version, kind, mut json)| {
            json["apiVersion"] = json!(version);
            json["kind"] = json!(kind);
            let kind = scheme::by_kind(&scheme::built_in(), version, kind).unwrap();
            kind.strategy.decode(json).unwrap()
        });
        let measured = [Object::new(PodMetrics::default()), Object::new(NodeMetrics::default())];
        for object in decoded.chain(measured) {
            let mut text = encode::Text::new(encode::Style::COMPACT);
            object.tell(false, &mut text).unwrap();
            let text = String::from_utf8(text.into_bytes()).unwrap();
            // Values have their fields in that order.
            assert_eq!(text, object.content_json().unwrap().to_string());
        }
    }

    // The objects on the right were written by `encoding/json` with the types of `k8s.io/api`
    // v0.33.4 that had read those on the left.
    #[test]
    fn writes_what_go_writes() {
        let meta = json!({"name": "a", "creationTimestamp": null});
        let named = || json!({"metadata": {"name": "a"}});
        let table = [
            ("v1", "Namespace", named(), json!({"metadata": meta, "spec": {}, "status": {}})),
            (
                "v1",
                "Service",
                named(),
                json!({"metadata": meta, "spec": {}, "status": {"loadBalancer": {}}}),
            ),
            (
                "rbac.authorization.k8s.io/v1",
                "Role",
                named(),
                json!({"metadata": meta, "rules": null}),
            ),
            (
                "v1",
                "Pod",
                json!({"metadata": {"name": "a", "labels": {}}, "spec": {"nodeName": "", "hostNetwork": false,
                    "terminationGracePeriodSeconds": 0, "securityContext": {}, "nodeSelector": {},
                    "volumes": [], "containers": [{"name": "c", "image": "b",
                        "ports": [{"containerPort": 80, "hostPort": 0, "protocol": ""}]}]}}),
                json!({"metadata": meta, "status": {}, "spec": {"securityContext": {},
                    "terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": "b",
                        "resources": {}, "ports": [{"containerPort": 80}]}]}}),
            ),
            (
                "v1",
                "Event",
                json!({"metadata": {"name": "a"}, "involvedObject": {}}),
                json!({"metadata": meta, "involvedObject": {}, "source": {}, "firstTimestamp": null,
                    "lastTimestamp": null, "eventTime": null, "reportingComponent": "",
                    "reportingInstance": ""}),
            ),
            (
                "apps/v1",
                "Deployment",
                json!({"metadata": {"name": "a"}, "spec": {"replicas": 0, "paused": false,
                    "selector": {"matchLabels": {}}, "template": {"metadata": {"labels": {"a": ""}}}}}),
                json!({"metadata": meta, "status": {}, "spec": {"replicas": 0, "selector": {},
                    "strategy": {}, "template": {"spec": {"containers": null},
                        "metadata": {"creationTimestamp": null, "labels": {"a": ""}}}}}),
            ),
        ];
        for (version, kind, json, wanted) in table {
            assert_eq!(through(version, kind, json), wanted, "{kind}");
        }
    }
}
