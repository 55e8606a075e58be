//! Types of the lesson format that can say what they look like: from one text come the type, its
//! reader and its part of the JSON Schema, so that none of them can lag behind.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Types that know their JSON Schema.
pub trait Described {
    /// The name under `$defs`, if it has a definition of its own.
    const NAME: Option<&'static str> = None;

    /// What a value may be.
    fn schema() -> Value;

    /// Puts its definition, and those that it needs, where they belong.
    fn define(_definitions: &mut Map<String, Value>) {}

    /// How another type says that a value is of this one.
    fn reference() -> Value {
        match Self::NAME {
            Some(name) => json!({ "$ref": format!("#/$defs/{name}") }),
            None => Self::schema(),
        }
    }
}

/// Says what a plain type is.
macro_rules! plain {
    ($($Type:ty => $schema:tt),* $(,)?) => {
        $(impl Described for $Type {
            fn schema() -> Value {
                json!($schema)
            }
        })*
    };
}

plain! {
    String => { "type": "string" },
    bool => { "type": "boolean" },
    i32 => { "type": "integer" },
    u32 => { "type": "integer", "minimum": 0 },
    u64 => { "type": "integer", "minimum": 0 },
    usize => { "type": "integer", "minimum": 0 },
}

impl<T: Described> Described for Option<T> {
    fn schema() -> Value {
        T::reference()
    }
    fn define(definitions: &mut Map<String, Value>) {
        T::define(definitions);
    }
}

impl<T: Described> Described for Vec<T> {
    fn schema() -> Value {
        json!({ "type": "array", "items": T::reference() })
    }
    fn define(definitions: &mut Map<String, Value>) {
        T::define(definitions);
    }
}

impl<T: Described> Described for BTreeMap<String, T> {
    fn schema() -> Value {
        json!({ "type": "object", "additionalProperties": T::reference() })
    }
    fn define(definitions: &mut Map<String, Value>) {
        T::define(definitions);
    }
}

/// `apiVersion` of `api_version`.
pub fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut text = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        text.push_str(letters.as_str());
    }
    text
}

/// Declares a structure of the format. Unknown fields are errors; a field may be left out where
/// `#[serde(default)]` stands before it.
macro_rules! record {
    ($(
        $(#[doc = $doc:literal])*
        pub struct $Name:ident {$(
            $(#[doc = $field_doc:literal])*
            $(#[serde(default $(= $default:literal)?)])?
            pub $field:ident: $Type:ty,
        )*}
    )*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct $Name {$(
            $(#[doc = $field_doc])*
            $(#[serde(default $(= $default)?)])?
            pub $field: $Type,
        )*}

        impl $crate::record::Described for $Name {
            const NAME: Option<&'static str> = Some(stringify!($Name));

            fn schema() -> serde_json::Value {
                let mut properties = serde_json::Map::new();
                let mut required: Vec<String> = Vec::new();
                $(
                    let name = $crate::record::camel_case(stringify!($field));
                    let mut schema = <$Type as $crate::record::Described>::reference();
                    schema["description"] = concat!($($field_doc, "\n"),*).trim().into();
                    properties.insert(name.clone(), schema);
                    let default = stringify!($(default $($default)?)?);
                    if default.is_empty() {
                        required.push(name);
                    }
                )*
                serde_json::json!({
                    "type": "object",
                    "description": concat!($($doc, "\n"),*).trim(),
                    "additionalProperties": false,
                    "properties": properties,
                    "required": required,
                })
            }

            fn define(definitions: &mut serde_json::Map<String, serde_json::Value>) {
                let name = stringify!($Name).to_owned();
                if !definitions.contains_key(&name) {
                    definitions.insert(name, Self::schema());
                    $(<$Type as $crate::record::Described>::define(definitions);)*
                }
            }
        }
    )*};
}
pub(crate) use record;
