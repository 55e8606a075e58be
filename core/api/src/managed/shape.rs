//! A number that objects with the same fields have in common.
//!
//! Which fields an object has depends on its structure, on the keys of its maps, on the items of
//! its sets and on the keys of its keyed lists, but hardly on its values. One walk along the
//! object's `Serialize` takes all these into a hash, without an allocation. Objects of one shape
//! have the same [`FieldSet`]; objects of different shapes may have.

use super::{FieldSet, Scope, fields_of_new};
use crate::encode::{self, Group, Leaf, Sink};
use crate::{Kind, Object};
use k8s_openapi::api::core::v1::{Event, EventSeries, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Field sets that are remembered; more start anew.
const SHAPES_MAX: usize = 4_096;

/// Fields by whose values items of lists are told apart: every name of a key in
/// [`crate::schema`].
const KEYS: &[&str] = &[
    "containerPort",
    "devicePath",
    "ip",
    "mountPath",
    "name",
    "port",
    "protocol",
    "resourceID",
    "rule",
    "topologyKey",
    "type",
    "uid",
    "whenUnsatisfiable",
];

/// The fields of new objects, worked out once for each shape.
#[derive(Clone, Debug, Default)]
pub struct Shapes(BTreeMap<u128, Arc<FieldSet>>);

impl Shapes {
    /// The fields that a new object has. The error is a failure to write it as JSON.
    pub fn fields_of_new(
        &mut self,
        kind: &Kind,
        scope: &Scope<'_>,
        object: &Object,
    ) -> Result<Arc<FieldSet>, serde_json::Error> {
        let shape = object.shape().map(|shape| {
            let (a, b) = (shape as u64, (shape >> 64) as u64);
            let mut walk = Walk { a, b, ..Walk::default() };
            walk.mix(kind.plural.as_bytes());
            walk.mix(scope.api_version.as_bytes());
            walk.sum()
        });
        if let Some(fields) = shape.and_then(|shape| self.0.get(&shape)) {
            return Ok(Arc::clone(fields));
        }
        let fields = Arc::new(fields_of_new(scope, &object.content_json()?));
        if let Some(shape) = shape {
            if self.0.len() >= SHAPES_MAX {
                self.0.clear();
            }
            self.0.insert(shape, Arc::clone(&fields));
        }
        Ok(fields)
    }
}

/// The shape of a typed object; `None` if it cannot be serialized.
pub fn of<T: Serialize + Any>(object: &T) -> Option<u128> {
    let event = (object as &dyn Any).downcast_ref::<Event>();
    if let Some(shape) = event.and_then(of_event) {
        return Some(shape);
    }
    let mut walk = Walk::default();
    encode::tell(object, &mut walk).ok()?;
    Some(walk.sum())
}

/// The shape of an event as components write it, found without a walk, since every second object is
/// one; `None` if there is more to its metadata.
fn of_event(event: &Event) -> Option<u128> {
    let Event { action, count, event_time, first_timestamp, involved_object, .. } = event;
    let Event { last_timestamp, message, metadata, reason, related, .. } = event;
    let Event { reporting_component, reporting_instance, series, source, type_, .. } = event;
    let mut walk = Walk::default();
    walk.mix(b"event");
    walk.mix(&of_plain_metadata(metadata)?);
    for text in [action, message, reason, reporting_component, reporting_instance, type_] {
        walk.word(presence(text));
    }
    walk.word(count.map_or(0, |count| 1 + u64::from(count == 0)));
    let times = [event_time.is_some(), first_timestamp.is_some(), last_timestamp.is_some()];
    times.into_iter().for_each(|time| walk.word(u64::from(time)));
    walk.reference(involved_object);
    walk.word(u64::from(related.is_some()));
    related.iter().for_each(|related| walk.reference(related));
    walk.word(u64::from(series.is_some()));
    if let Some(EventSeries { count, last_observed_time }) = series {
        walk.word(count.map_or(0, |count| 1 + u64::from(count == 0)));
        walk.word(u64::from(last_observed_time.is_some()));
    }
    walk.word(u64::from(source.is_some()));
    if let Some(EventSource { component, host }) = source {
        walk.word(presence(component));
        walk.word(presence(host));
    }
    Some(walk.sum())
}

/// Which fields the metadata has, if these are no more than a component gives to what it makes.
fn of_plain_metadata(metadata: &ObjectMeta) -> Option<[u8; 3]> {
    let ObjectMeta {
        annotations: None,
        creation_timestamp: None,
        deletion_grace_period_seconds: None,
        deletion_timestamp: None,
        finalizers: None,
        generate_name: None,
        generation: None,
        labels: None,
        managed_fields: None,
        name,
        namespace,
        owner_references: None,
        resource_version: None,
        self_link: None,
        uid,
    } = metadata
    else {
        return None;
    };
    Some([name, namespace, uid].map(|text| presence(text) as u8))
}

/// Whether there is a text, and whether there is something in it.
fn presence(text: &Option<String>) -> u64 {
    text.as_ref().map_or(0, |text| 1 + u64::from(text.is_empty()))
}

/// The hash, and where in the object it is.
#[derive(Default)]
struct Walk {
    a: u64,
    b: u64,
    /// The values that come next count, as in a list.
    item: bool,
    /// The groups that are not over yet, the innermost last, each with what `item` was before it.
    within: Vec<(Place, bool)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    List,
    /// A struct that is an item of a list.
    Item,
    /// A map that is an item of a list: it holds no keys of lists by which its own values would not
    /// count.
    ItemMap,
    Fields,
}

impl Walk {
    fn word(&mut self, word: u64) {
        self.a = (self.a.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.b = (self.b.rotate_left(23) ^ word).wrapping_mul(0xd6e8_feb8_6659_fd93);
    }

    fn mix(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.word(u64::from_le_bytes(word));
        }
    }

    fn sum(&self) -> u128 {
        u128::from(self.a ^ self.b.rotate_left(32)) | u128::from(self.b) << 64
    }

    /// A scalar: what it is counts in lists, else only whether it is empty.
    fn scalar(&mut self, bytes: &[u8], empty: bool) {
        if self.item {
            self.mix(bytes);
        }
        self.word(1 + u64::from(empty));
    }

    /// Which fields a reference to an object has.
    fn reference(&mut self, reference: &ObjectReference) {
        let ObjectReference { api_version, field_path, kind, name, .. } = reference;
        let ObjectReference { namespace, resource_version, uid, .. } = reference;
        for text in [api_version, field_path, kind, name, namespace, resource_version, uid] {
            self.word(presence(text));
        }
    }

    /// In a list every value counts.
    fn next(&mut self) {
        if let Some((Place::List, _)) = self.within.last() {
            self.item = true;
        }
    }
}

impl Sink for Walk {
    fn leaf(&mut self, leaf: Leaf<'_>) {
        self.next();
        match leaf {
            Leaf::Null => self.word(3),
            Leaf::Bool(flag) => self.scalar(&[u8::from(flag)], !flag),
            Leaf::Int(number) => self.scalar(&number.to_le_bytes(), number == 0),
            Leaf::Uint(number) => self.scalar(&number.to_le_bytes(), number == 0),
            Leaf::Float(number) => self.scalar(&number.to_le_bytes(), number == 0.0),
            Leaf::Text(text) => self.scalar(text.as_bytes(), text.is_empty()),
        }
    }

    fn begin(&mut self, group: Group) {
        self.next();
        let place = match (group, self.item) {
            (Group::List, _) => Place::List,
            (Group::Struct, true) => Place::Item,
            (Group::Map, true) => Place::ItemMap,
            (_, false) => Place::Fields,
        };
        self.word(if place == Place::List { 4 } else { 5 });
        self.within.push((place, self.item));
    }

    fn name(&mut self, name: &str) {
        self.mix(name.as_bytes());
        let place = self.within.last().map(|(place, _)| *place);
        self.item = match place {
            Some(Place::Item) => KEYS.contains(&name),
            Some(Place::ItemMap | Place::List) => true,
            Some(Place::Fields) | None => false,
        };
    }

    fn end(&mut self) {
        self.word(6);
        if let Some((_, item)) = self.within.pop() {
            self.item = item;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::{Value, json};

    fn shape(spec: serde_json::Value, name: &str) -> u128 {
        let pod: Pod = serde_json::from_value(json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": "web"}}, "spec": spec}))
        .unwrap();
        of(&pod).unwrap()
    }

    #[test]
    fn what_counts_is_which_fields_there_are() {
        let container = |more: serde_json::Value| {
            let mut container = json!({"name": "a", "image": "x"});
            container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({ "containers": [container] })
        };
        let base = shape(container(json!({})), "one");
        let same =
            [shape(container(json!({})), "two"), shape(container(json!({"image": "y"})), "one")];
        assert_eq!(same, [base; 2]);
        let different = [
            container(json!({"name": "b"})),
            container(json!({"image": ""})),
            container(json!({"tty": true})),
            container(json!({"env": [{"name": "A"}]})),
            container(json!({"ports": [{"containerPort": 80}]})),
            container(json!({"ports": [{"containerPort": 81}]})),
        ];
        let mut shapes: Vec<u128> = different.into_iter().map(|spec| shape(spec, "one")).collect();
        shapes.push(base);
        shapes.sort();
        shapes.dedup();
        assert_eq!(shapes.len(), 7);
    }

    #[test]
    fn events_are_told_apart_as_by_the_walk() {
        let base = json!({"metadata": {"name": "a", "namespace": "d"}, "involvedObject": {},
            "count": 1, "message": "m", "source": {"component": "c"}, "firstTimestamp":
            "2025-06-02T00:00:00Z"});
        let changes = [
            json!({}),
            json!({"message": "another", "metadata": {"name": "b", "namespace": "e"}}),
            json!({"message": ""}),
            json!({"message": null}),
            json!({"count": 0}),
            json!({"count": 7}),
            json!({"count": null}),
            json!({"firstTimestamp": null}),
            json!({"firstTimestamp": null, "lastTimestamp": "2025-06-02T00:00:00Z"}),
            json!({"eventTime": "2025-06-02T00:00:00.000000Z"}),
            json!({"involvedObject": {"kind": "Pod"}}),
            json!({"involvedObject": {"name": "Pod"}}),
            json!({"involvedObject": {"name": ""}}),
            json!({"related": {}}),
            json!({"related": {"uid": "x"}}),
            json!({"series": {}}),
            json!({"series": {"count": 2}}),
            json!({"source": {}}),
            json!({"source": {"component": "c", "host": "h"}}),
            json!({"source": null}),
            json!({"type": "Normal"}),
            json!({"action": "Normal"}),
            json!({"metadata": {"name": "a"}}),
            json!({"metadata": {"name": "a", "namespace": "d", "uid": "u"}}),
            json!({"metadata": {"name": "a", "namespace": "d", "labels": {"a": "b"}}}),
        ];
        let events = changes.into_iter().map(|change: Value| {
            let mut json = base.clone();
            json.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            serde_json::from_value::<Event>(json).unwrap()
        });
        let shapes = events.map(|event| {
            let mut walk = Walk::default();
            encode::tell(&event, &mut walk).unwrap();
            (of(&event).unwrap(), walk.sum())
        });
        let shapes: Vec<(u128, u128)> = shapes.collect();
        for (quick, walked) in &shapes {
            for (other_quick, other_walked) in &shapes {
                assert_eq!(quick == other_quick, walked == other_walked);
            }
        }
        assert!(shapes[0].0 != shapes[0].1 && shapes.last().unwrap().0 == shapes.last().unwrap().1);
    }
}
