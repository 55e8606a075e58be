//! Typed objects to whatever is made of them: JSON values, JSON text, shapes.
//!
//! The code by which a type writes itself is compiled once for each `serde::Serializer`, and the
//! types of Kubernetes are many. So there is one serializer here for all purposes, [`Encoder`],
//! which hands what it is told to a [`Sink`].

mod text;
mod tree;

pub use text::{Style, Text};

use crate::wanted::Wanted;
use serde::ser::{self, Serialize};
use serde_json::{Error, Value};
use tree::{Pick, Tree};

/// A value without parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Leaf<'a> {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number that may be larger.
    Uint(u64),
    /// Any other number.
    Float(f64),
    /// A text.
    Text(&'a str),
}

/// What has parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// A list.
    List,
    /// A struct: its fields have names that are known beforehand.
    Struct,
    /// A map.
    Map,
}

/// Takes in an object, part by part.
pub trait Sink {
    /// A value without parts.
    fn leaf(&mut self, leaf: Leaf<'_>);
    /// From here on come the parts of a group.
    fn begin(&mut self, group: Group);
    /// The next value belongs to this field or key of the innermost group, which is no list.
    fn name(&mut self, name: &str);
    /// The innermost group is over.
    fn end(&mut self);
    /// Asked behind a name: whether nothing is wanted of its value, which is then not told. Most of an
    /// object is not gone through by this, where little of it is looked at.
    fn passes_over(&mut self) -> bool {
        false
    }
    /// What has been told so far is likely to come about so many times again: a hint to make room.
    fn comes_again(&mut self, times: usize) {
        let _ = times;
    }
}

/// Bytes of room that are made for a text before it is written.
const ROOM_MAX: usize = 8 << 20;

/// How much room to make when `len` bytes are likely to come so many times again, or a bit more.
pub(crate) fn room_for(len: usize, times: usize) -> usize {
    len.saturating_mul(times).saturating_add(len).min(ROOM_MAX)
}

/// Tells an object to a sink. The error is a type's own, which those of Kubernetes do not have.
pub fn tell<T: Serialize + ?Sized>(object: &T, sink: &mut dyn Sink) -> Result<(), Error> {
    object.serialize(Encoder(sink))
}

/// As `serde_json::to_value`.
pub fn to_value<T: Serialize + ?Sized>(object: &T) -> Result<Value, Error> {
    value_of(|sink| tell(object, sink))
}

/// The part of it that is wanted.
pub fn to_part<T: Serialize + ?Sized>(object: &T, wanted: &Wanted) -> Result<Value, Error> {
    part_of(wanted, |sink| tell(object, sink))
}

/// As `serde_json::to_vec`.
pub fn to_vec<T: Serialize + ?Sized>(object: &T) -> Result<Vec<u8>, Error> {
    let mut text = Text::new(Style::COMPACT);
    tell(object, &mut text)?;
    Ok(text.into_bytes())
}

/// What is told, as a JSON value.
pub fn value_of<E>(tell: impl FnOnce(&mut dyn Sink) -> Result<(), E>) -> Result<Value, E> {
    let mut tree = Tree::default();
    tell(&mut tree)?;
    Ok(tree.into_value())
}

/// The part that is wanted of what is told.
pub fn part_of<E>(
    wanted: &Wanted,
    tell: impl FnOnce(&mut dyn Sink) -> Result<(), E>,
) -> Result<Value, E> {
    value_of(|tree| tell(&mut Pick::new(wanted, tree)))
}

/// The one serializer.
pub struct Encoder<'s>(&'s mut dyn Sink);

impl<'s> Encoder<'s> {
    fn leaf(self, leaf: Leaf<'_>) -> Result<(), Error> {
        self.0.leaf(leaf);
        Ok(())
    }

    fn group(self, group: Group) -> Parts<'s> {
        self.0.begin(group);
        Parts { sink: self.0, wrapped: false }
    }

    /// A variant with content, as a map of the one variant.
    fn variant(self, name: &str) -> Encoder<'s> {
        self.0.begin(Group::Map);
        self.0.name(name);
        self
    }
}

/// Where the parts of a group go.
pub struct Parts<'s> {
    sink: &'s mut dyn Sink,
    /// The group is the content of a variant.
    wrapped: bool,
}

impl Parts<'_> {
    // Not inlined: what writes a struct is then little more than a list of its fields.
    #[inline(never)]
    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Error> {
        self.sink.name(name);
        if self.sink.passes_over() {
            return Ok(());
        }
        value.serialize(Encoder(&mut *self.sink))
    }

    fn close(self) -> Result<(), Error> {
        self.sink.end();
        if self.wrapped {
            self.sink.end();
        }
        Ok(())
    }
}

macro_rules! leaves {
    ($($method:ident $type:ty as $leaf:ident),*) => {
        $(fn $method(self, value: $type) -> Result<(), Error> {
            self.leaf(Leaf::$leaf(value.into()))
        })*
    };
}

impl<'s> ser::Serializer for Encoder<'s> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Parts<'s>;
    type SerializeTuple = Parts<'s>;
    type SerializeTupleStruct = Parts<'s>;
    type SerializeTupleVariant = Parts<'s>;
    type SerializeMap = Parts<'s>;
    type SerializeStruct = Parts<'s>;
    type SerializeStructVariant = Parts<'s>;

    leaves!(
        serialize_bool bool as Bool,
        serialize_i8 i8 as Int, serialize_i16 i16 as Int, serialize_i32 i32 as Int,
        serialize_i64 i64 as Int, serialize_u8 u8 as Int, serialize_u16 u16 as Int,
        serialize_u32 u32 as Int, serialize_u64 u64 as Uint, serialize_f32 f32 as Float,
        serialize_f64 f64 as Float, serialize_str &str as Text
    );

    fn serialize_char(self, c: char) -> Result<(), Error> {
        self.leaf(Leaf::Text(c.encode_utf8(&mut [0; 4])))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Error> {
        bytes.serialize(self)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.leaf(Leaf::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.leaf(Leaf::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.leaf(Leaf::Null)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
    ) -> Result<(), Error> {
        self.leaf(Leaf::Text(name))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let encoder = self.variant(name);
        value.serialize(Encoder(&mut *encoder.0))?;
        encoder.0.end();
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'s>, Error> {
        Ok(self.group(Group::List))
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'s>, Error> {
        Ok(self.group(Group::List))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts<'s>, Error> {
        Ok(self.group(Group::List))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Parts<'s>, Error> {
        Ok(Parts { wrapped: true, ..self.variant(name).group(Group::List) })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts<'s>, Error> {
        Ok(self.group(Group::Map))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts<'s>, Error> {
        Ok(self.group(Group::Struct))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Parts<'s>, Error> {
        Ok(Parts { wrapped: true, ..self.variant(name).group(Group::Struct) })
    }
}

macro_rules! lists {
    ($($kind:ident $method:ident),*) => {
        $(impl ser::$kind for Parts<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                value.serialize(Encoder(&mut *self.sink))
            }

            fn end(self) -> Result<(), Error> {
                self.close()
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
        $(impl ser::$kind for Parts<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), Error> {
                self.close()
            }
        })*
    };
}

structs!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Parts<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        let mut name = Name { sink: &mut *self.sink, told: None };
        key.serialize(Encoder(&mut name))?;
        match name.told {
            Some(true) => Ok(()),
            Some(false) | None => Err(ser::Error::custom("key must be a string")),
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        if self.sink.passes_over() {
            return Ok(());
        }
        value.serialize(Encoder(&mut *self.sink))
    }

    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

/// Takes in the key of a map and hands it on as a name.
struct Name<'s> {
    sink: &'s mut dyn Sink,
    /// Whether it was a text or what can be written as one.
    told: Option<bool>,
}

impl Name<'_> {
    fn tell(&mut self, name: Option<&str>) {
        match (name, self.told) {
            (Some(name), None) => {
                self.sink.name(name);
                self.told = Some(true);
            }
            _ => self.told = Some(false),
        }
    }
}

impl Sink for Name<'_> {
    fn leaf(&mut self, leaf: Leaf<'_>) {
        match leaf {
            Leaf::Text(text) => self.tell(Some(text)),
            Leaf::Int(number) => self.tell(Some(&number.to_string())),
            Leaf::Uint(number) => self.tell(Some(&number.to_string())),
            Leaf::Bool(flag) => self.tell(Some(if flag { "true" } else { "false" })),
            Leaf::Null | Leaf::Float(_) => self.tell(None),
        }
    }

    fn begin(&mut self, _: Group) {
        self.tell(None);
    }

    fn name(&mut self, _: &str) {}

    fn end(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::{Pod, Secret};
    use serde_json::json;
    use std::collections::BTreeMap;

    #[derive(serde::Serialize)]
    enum Any {
        Unit,
        New(u8),
        Tuple(i8, f64),
        Struct { a: Option<char>, b: () },
    }

    fn assert_same(object: &impl Serialize) {
        assert_eq!(to_value(object).unwrap(), serde_json::to_value(object).unwrap());
        let text = String::from_utf8(to_vec(object).unwrap()).unwrap();
        assert_eq!(text, serde_json::to_string(object).unwrap());
    }

    #[test]
    fn objects_are_written_as_serde_json_writes_them() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "web", "labels": {"a\"b": "\n", "c": ""},
                "creationTimestamp": "2025-01-02T03:04:05Z"},
            "spec": {"containers": [{"name": "a", "args": [], "ports": [{"containerPort": 80}],
                "resources": {"limits": {"cpu": "100m"}},
                "livenessProbe": {"httpGet": {"port": "http"}}}, {"name": "b"}],
                "nodeSelector": {}, "hostNetwork": false, "priority": -5},
            "status": {},
        }))
        .unwrap();
        assert_same(&pod);
        let secret: Secret = serde_json::from_value(json!({"data": {"k": "AAEC/w=="}})).unwrap();
        assert_same(&secret);
    }

    #[test]
    fn other_values_are_written_as_serde_json_writes_them() {
        let all = [
            Any::Unit,
            Any::New(255),
            Any::Tuple(-1, 1.5),
            Any::Tuple(0, f64::NAN),
            Any::Struct { a: Some('é'), b: () },
            Any::Struct { a: None, b: () },
        ];
        assert_same(&all.as_slice());
        assert_same(
            &json!([[], {}, {"a": [{}, [[]]], "b": null}, u64::MAX, i64::MIN, 1e300, "é\u{1}"]),
        );
        assert_same(&BTreeMap::from([(1, "a"), (-2, "b")]));
        assert_same(&"text");
        assert!(to_value(&BTreeMap::from([(vec![1], 2)])).is_err());
    }
}
