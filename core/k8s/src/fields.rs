//! What makes types of their fields, as `k8s-openapi` makes its own.

use serde::de::{DeserializeSeed, Deserializer, Error, Unexpected, Visitor};
use std::fmt;

/// The type of a field. One that is `req`uired is always written; one that is `opt`ional where
/// there is a value. When read, either may be missing or null: Go asks for nothing.
macro_rules! field {
    (req $type:ty) => { $type };
    (opt $type:ty) => { Option<$type> };
}

macro_rules! read {
    (req $value:ident) => {
        $value.unwrap_or_default()
    };
    (opt $value:ident) => {
        $value
    };
}

macro_rules! count {
    (req $value:expr) => {
        1
    };
    (opt $value:expr) => {
        usize::from($value.is_some())
    };
}

macro_rules! write {
    (req $state:ident $key:literal $value:expr) => {
        serde::ser::SerializeStruct::serialize_field(&mut $state, $key, $value)?
    };
    (opt $state:ident $key:literal $value:expr) => {
        if let Some(value) = $value {
            serde::ser::SerializeStruct::serialize_field(&mut $state, $key, value)?
        }
    };
}

/// A type by its fields, each with its name in JSON. What is in parentheses is in JSON only, where
/// it must be right.
macro_rules! fields {
    ($(#[$doc:meta])* $name:ident ($($fixed:literal: $text:expr),*) {
        $($field:ident: $how:ident $type:ty = $key:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        #[expect(missing_docs, reason = "the fields are documented by upstream")]
        pub struct $name {
            $(pub $field: field!($how $type),)*
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                const NAMES: &[&str] = &[$($fixed,)* $($key,)*];
                struct Visitor;

                impl<'de> serde::de::Visitor<'de> for Visitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(stringify!($name))
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<Self::Value, A::Error> {
                        $(let mut $field: Option<$type> = None;)*
                        while let Some(key) = map.next_key_seed($crate::fields::Name(NAMES))? {
                            match key {
                                $($fixed => $crate::fields::check($text, &map.next_value::<String>()?)?,)*
                                $($key => $field = map.next_value()?,)*
                                _ => drop(map.next_value::<serde::de::IgnoredAny>()?),
                            }
                        }
                        Ok($name { $($field: read!($how $field),)* })
                    }
                }

                from.deserialize_struct(stringify!($name), NAMES, Visitor)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                let fixed: &[(&'static str, &str)] = &[$(($fixed, $text)),*];
                let count = fixed.len() $(+ count!($how self.$field))*;
                let mut state = to.serialize_struct(stringify!($name), count)?;
                for (key, text) in fixed {
                    serde::ser::SerializeStruct::serialize_field(&mut state, key, text)?;
                }
                $(write!($how state $key &self.$field);)*
                serde::ser::SerializeStruct::end(state)
            }
        }
    };
}

/// A kind by its group, its API version, its plural and its fields.
macro_rules! kind {
    ($(#[$doc:meta])* $name:ident, $group:literal, $version:literal, $plural:literal {
        metadata: req ObjectMeta = "metadata", $($fields:tt)*
    }) => {
        fields! {
            $(#[$doc])*
            $name ("apiVersion": $version, "kind": stringify!($name)) {
                metadata: req ObjectMeta = "metadata",
                $($fields)*
            }
        }

        impl crate::Resource for $name {
            const API_VERSION: &'static str = $version;
            const GROUP: &'static str = $group;
            const KIND: &'static str = stringify!($name);
            const VERSION: &'static str = "v1";
            const URL_PATH_SEGMENT: &'static str = $plural;
            type Scope = crate::NamespaceResourceScope;
        }

        impl crate::ListableResource for $name {
            const LIST_KIND: &'static str = concat!(stringify!($name), "List");
        }

        impl crate::Metadata for $name {
            type Ty = ObjectMeta;

            fn metadata(&self) -> &ObjectMeta {
                &self.metadata
            }

            fn metadata_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }
        }
    };
}

/// Reads the name of a field: one of these, or "".
pub(crate) struct Name(pub(crate) &'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("field identifier")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|known| **known == name).copied().unwrap_or_default())
    }
}

/// Whether an object is of the kind that is read.
pub(crate) fn check<E: Error>(wanted: &'static str, found: &str) -> Result<(), E> {
    if found == wanted {
        return Ok(());
    }
    Err(E::invalid_value(Unexpected::Str(found), &wanted))
}
