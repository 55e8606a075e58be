//! A number that objects with the same fields have in common.
//!
//! Which fields an object has depends on its structure, on the keys of its maps, on the items of
//! its sets and on the keys of its keyed lists, but hardly on its values. One walk along the
//! object's `Serialize` takes all these into a hash, without an allocation. Objects of one shape
//! have the same [`FieldSet`]; objects of different shapes may have.

use super::{FieldSet, Scope, fields_of_new};
use crate::{Kind, Object};
use serde::ser::{self, Serialize};
use std::collections::BTreeMap;
use std::fmt;
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
            let mut walk = Walk { a: shape as u64, b: (shape >> 64) as u64, item: false };
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
pub fn of(object: &impl Serialize) -> Option<u128> {
    let mut walk = Walk { a: 0, b: 0, item: false };
    object.serialize(&mut walk).ok()?;
    Some(walk.sum())
}

struct Walk {
    a: u64,
    b: u64,
    /// Directly in a list: values count.
    item: bool,
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
}

/// Does not occur: a walk along an object has nothing that fails.
#[derive(Debug)]
pub struct Never;

impl fmt::Display for Never {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object that cannot be serialized")
    }
}

impl std::error::Error for Never {}

impl ser::Error for Never {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Never
    }
}

type Done = Result<(), Never>;

macro_rules! numbers {
    ($($name:ident $type:ty),*) => {
        $(fn $name(self, number: $type) -> Done {
            self.scalar(&number.to_le_bytes(), number == <$type>::default());
            Ok(())
        })*
    };
}

impl<'w> ser::Serializer for &'w mut Walk {
    type Ok = ();
    type Error = Never;
    type SerializeSeq = Within<'w>;
    type SerializeTuple = Within<'w>;
    type SerializeTupleStruct = Within<'w>;
    type SerializeTupleVariant = Within<'w>;
    type SerializeMap = Within<'w>;
    type SerializeStruct = Within<'w>;
    type SerializeStructVariant = Within<'w>;

    numbers!(
        serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64,
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64,
        serialize_f32 f32, serialize_f64 f64
    );

    fn serialize_bool(self, flag: bool) -> Done {
        self.scalar(&[u8::from(flag)], !flag);
        Ok(())
    }

    fn serialize_char(self, c: char) -> Done {
        self.serialize_u32(c.into())
    }

    fn serialize_str(self, text: &str) -> Done {
        self.scalar(text.as_bytes(), text.is_empty());
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Done {
        self.scalar(bytes, bytes.is_empty());
        Ok(())
    }

    fn serialize_none(self) -> Done {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        self.word(3);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Done {
        self.serialize_str(name)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Done {
        self.mix(name.as_bytes());
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Within<'w>, Never> {
        Ok(self.enter(4, Place::List))
    }

    fn serialize_tuple(self, _: usize) -> Result<Within<'w>, Never> {
        Ok(self.enter(4, Place::List))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Within<'w>, Never> {
        Ok(self.enter(4, Place::List))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Within<'w>, Never> {
        Ok(self.enter(4, Place::List))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Within<'w>, Never> {
        let place = if self.item { Place::Item } else { Place::Fields };
        Ok(self.enter(5, place))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Within<'w>, Never> {
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Within<'w>, Never> {
        self.serialize_map(None)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    List,
    /// A struct that is an item of a list.
    Item,
    Fields,
}

/// A list, a map or a struct that is being walked.
struct Within<'w> {
    walk: &'w mut Walk,
    place: Place,
    was_item: bool,
}

impl Walk {
    fn enter(&mut self, mark: u64, place: Place) -> Within<'_> {
        self.word(mark);
        Within { was_item: self.item, walk: self, place }
    }
}

impl Within<'_> {
    fn value<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Done {
        self.walk.item = match self.place {
            Place::List => true,
            Place::Item => KEYS.contains(&name),
            Place::Fields => false,
        };
        value.serialize(&mut *self.walk)
    }

    fn leave(self) -> Done {
        self.walk.word(6);
        self.walk.item = self.was_item;
        Ok(())
    }
}

macro_rules! lists {
    ($($kind:ident $method:ident),*) => {
        $(impl ser::$kind for Within<'_> {
            type Ok = ();
            type Error = Never;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                self.value("", value)
            }

            fn end(self) -> Done {
                self.leave()
            }
        })*
    };
}

lists!(
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
);

macro_rules! structs {
    ($($kind:ident),*) => {
        $(impl ser::$kind for Within<'_> {
            type Ok = ();
            type Error = Never;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Done {
                self.walk.mix(name.as_bytes());
                self.value(name, value)
            }

            fn end(self) -> Done {
                self.leave()
            }
        })*
    };
}

structs!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Within<'_> {
    type Ok = ();
    type Error = Never;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        // The names of a map's fields always count.
        self.walk.item = true;
        key.serialize(&mut *self.walk)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        // Maps hold no keys of lists by which their own values would count.
        self.walk.item = self.place != Place::Fields;
        value.serialize(&mut *self.walk)
    }

    fn end(self) -> Done {
        self.leave()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

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
}
