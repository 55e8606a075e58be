//! JSON to typed objects, strictly, with the messages of Go's decoder.
//!
//! Upstream: `sigs.k8s.io/json` (`UnmarshalStrict`), whose errors name Go's types. They are the
//! same as the names that `k8s-openapi` hands to serde.

use crate::{omitempty, quantity};
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess,
    SeqAccess, Visitor,
};
use serde_json::Value;
use std::fmt;

/// Reads a `T`. The error is Go's: the first value of a wrong type, or every unknown field.
pub fn decode<T: DeserializeOwned>(json: &Value) -> Result<T, String> {
    let (object, unknown) = decode_leniently(json)?;
    if unknown.is_empty() {
        return Ok(object);
    }
    let fields: Vec<String> =
        unknown.iter().map(|field| format!("unknown field \"{field}\"")).collect();
    Err(format!("strict decoding error: {}", fields.join(", ")))
}

/// Reads a `T` and tells the paths of the fields that it does not have. The error is Go's: the
/// first value of a wrong type.
pub fn decode_leniently<T: DeserializeOwned>(json: &Value) -> Result<(T, Vec<String>), String> {
    read(json).map_err(|error| error.text)
}

/// The same, with the place of the first value of a wrong type.
pub fn read<T: DeserializeOwned>(json: &Value) -> Result<(T, Vec<String>), DecodeError> {
    let mut place = Place::default();
    let object = T::deserialize(Strict { place: &mut place, value: json })?;
    if !place.forgettable {
        return Ok((object, place.unknown));
    }
    let mut again = Place { forgetting: true, ..Place::default() };
    let object = T::deserialize(Strict { place: &mut again, value: json })?;
    Ok((object, place.unknown))
}

/// Reads a `T`, as `serde_json::from_value` does, but for what it says of unknown fields: nothing.
/// Types of Kubernetes are read by this everywhere, since the code that reads one is compiled once for
/// each way of reading.
pub fn from_value<T: DeserializeOwned>(json: &Value) -> Result<T, DecodeError> {
    let mut place = Place::default();
    T::deserialize(Strict { place: &mut place, value: json })
}

/// Why JSON is no object of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// All of it, in Go's words.
    pub text: String,
    /// Where a value of a wrong type stands; `None` if something else is wrong.
    pub misfit: Option<Box<Misfit>>,
}

/// A value of a wrong type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// `spec.containers[0].image`.
    pub path: String,
    /// What it is, as Go's decoder calls it: `number`, `string`, `object`.
    pub found: String,
    /// Go's type that was wanted: `int32`, `[]v1.Container`.
    pub wanted: String,
}

impl Misfit {
    /// What Go's decoder calls a value's type.
    pub fn type_of(value: &Value) -> &'static str {
        type_of(value)
    }
}

impl From<String> for DecodeError {
    fn from(text: String) -> Self {
        DecodeError { text, misfit: None }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for DecodeError {}

impl serde::de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        DecodeError::from(message.to_string())
    }
}

/// Where the decoder is, and what it did not know.
#[derive(Default)]
struct Place {
    structs: Vec<&'static str>,
    steps: Vec<Step>,
    unknown: Vec<String>,
    /// There are values that Go's types do not tell from nothing: see [`omitempty::forgets`].
    forgettable: bool,
    /// Pass over these; their types have been checked.
    forgetting: bool,
}

enum Step {
    Field(String),
    Index(usize),
    Key(String),
}

impl Place {
    /// `spec.containers[0]`.
    fn path(&self) -> String {
        let mut path = String::new();
        for step in &self.steps {
            match step {
                Step::Field(name) | Step::Key(name) if path.is_empty() => path.push_str(name),
                Step::Field(name) | Step::Key(name) => path.push_str(&format!(".{name}")),
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }

    /// `json: cannot unmarshal string into Go struct field PodSpec.spec.nodeName of type int32`.
    fn mismatch(&self, found: &str, wanted: &str) -> DecodeError {
        let misfit =
            Misfit { path: self.path(), found: found.to_owned(), wanted: wanted.to_owned() };
        let text = self.mismatch_text(found, wanted);
        DecodeError { text, misfit: Some(Box::new(misfit)) }
    }

    fn mismatch_text(&self, found: &str, wanted: &str) -> String {
        let Some(owner) = self.structs.last() else {
            return format!("json: cannot unmarshal {found} into Go value of type {wanted}");
        };
        let names: Vec<&str> = self
            .steps
            .iter()
            .filter_map(|step| match step {
                Step::Field(name) => Some(name.as_str()),
                Step::Index(_) | Step::Key(_) => None,
            })
            .collect();
        let path = names.join(".");
        format!(
            "json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {wanted}"
        )
    }
}

/// What Go calls a value's type.
pub(crate) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

struct Strict<'p, 'v> {
    place: &'p mut Place,
    value: &'v Value,
}

impl Strict<'_, '_> {
    fn mismatch(&self, wanted: &str) -> DecodeError {
        self.place.mismatch(type_of(self.value), wanted)
    }

    /// A whole number within bounds; null is zero.
    fn integer(&self, min: i64, max: i64, wanted: &str) -> Result<i64, DecodeError> {
        match self.value {
            Value::Null => Ok(0),
            Value::Number(number) => number
                .as_i64()
                .filter(|number| (min..=max).contains(number))
                .ok_or_else(|| self.place.mismatch(&format!("number {number}"), wanted)),
            _ => Err(self.mismatch(wanted)),
        }
    }

    /// A quantity in canonical form.
    fn quantity(&self) -> Result<String, DecodeError> {
        let text = match self.value {
            Value::Null => return Ok("0".to_owned()),
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        quantity::canonical(&text).map_err(DecodeError::custom)
    }

    /// A schema, or what may be in its place: a list or a flag. As upstream, unknown fields in it
    /// are not told.
    fn deserialize_schema<'de, V: Visitor<'de>>(
        self,
        wanted: &str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.value {
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::Array(items) => {
                visitor.visit_seq(Items { place: self.place, items: items.iter(), index: 0 })
            }
            Value::Object(map) => {
                visitor.visit_map(Entries { place: self.place, entries: map.iter(), value: None })
            }
            _ => Err(self.mismatch(&format!("v1.{wanted}"))),
        }
    }

    fn time(&self) -> Result<String, DecodeError> {
        let text = match self.value {
            Value::String(text) => text,
            // Go's zero time, which it writes as null where it does not leave it out.
            Value::Null => return Ok("0001-01-01T00:00:00Z".to_owned()),
            _ => return Err(self.mismatch("string")),
        };
        text.parse::<jiff::Timestamp>().map(|_| text.clone()).map_err(|_| {
            DecodeError::from(format!(
                "parsing time {0} as \"2006-01-02T15:04:05Z07:00\": cannot parse {0} as \"2006\"",
                crate::gofmt::quote(text)
            ))
        })
    }
}

impl<'de> Deserializer<'de> for Strict<'_, '_> {
    type Error = DecodeError;

    /// Asked for by numbers that may be texts, and by schemas that may be something else.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let wanted = (&visitor as &dyn serde::de::Expected).to_string();
        if wanted.starts_with("JSONSchemaProps") {
            return self.deserialize_schema(&wanted, visitor);
        }
        match self.value {
            Value::String(text) => visitor.visit_str(text),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(self.mismatch("int32")),
            _ => {
                let number = self.integer(i32::MIN.into(), i32::MAX.into(), "int32")?;
                visitor.visit_i64(number)
            }
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.value {
            Value::Null => visitor.visit_bool(false),
            Value::Bool(flag) => visitor.visit_bool(*flag),
            _ => Err(self.mismatch("bool")),
        }
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_i64(self.integer(i32::MIN.into(), i32::MAX.into(), "int32")?)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_i64(self.integer(i64::MIN, i64::MAX, "int64")?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.value {
            Value::Null => visitor.visit_f64(0.0),
            value => match value.as_f64() {
                Some(number) => visitor.visit_f64(number),
                None => Err(self.mismatch("float64")),
            },
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.value {
            Value::Null => visitor.visit_str(""),
            Value::String(text) => visitor.visit_str(text),
            _ => Err(self.mismatch("string")),
        }
    }

    /// Asked for by bytes in base64.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let Value::String(text) = self.value else {
            return Err(self.mismatch("[]uint8"));
        };
        visitor.visit_str(text).map_err(|error: DecodeError| {
            let offset =
                error.text.rsplit("offset ").next().unwrap_or_default().trim_end_matches('.');
            let offset = offset.parse().unwrap_or(text.len());
            DecodeError::from(format!("illegal base64 data at input byte {offset}"))
        })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let text = match name {
            "Quantity" => self.quantity()?,
            "Time" | "MicroTime" => self.time()?,
            _ => {
                let visited = visitor.visit_newtype_struct(self.value.clone());
                return visited.map_err(DecodeError::custom);
            }
        };
        let text: StrDeserializer<'_, DecodeError> = text.as_str().into_deserializer();
        visitor.visit_newtype_struct(text)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let items = match self.value {
            Value::Null => [].iter(),
            Value::Array(items) => items.iter(),
            _ => {
                let mut wanted = String::new();
                let probe = Probe(&mut wanted);
                // The probe fails by its nature; what counts is what it was asked for.
                let _ = probe.deserialize_seq(visitor);
                return Err(self.mismatch(&wanted));
            }
        };
        visitor.visit_seq(Items { place: self.place, items, index: 0 })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let Value::Object(map) = self.value else {
            let mut wanted = String::new();
            let _ = Probe(&mut wanted).deserialize_map(visitor);
            return Err(self.mismatch(&wanted));
        };
        visitor.visit_map(Entries { place: self.place, entries: map.iter(), value: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let empty = serde_json::Map::new();
        let map = match self.value {
            Value::Null => &empty,
            Value::Object(map) => map,
            _ => return Err(self.mismatch(&format!("v1.{name}"))),
        };
        self.place.structs.push(name);
        let fields = Fields { place: &mut *self.place, entries: map.iter(), value: None, fields };
        let object = visitor.visit_map(fields)?;
        self.place.structs.pop();
        Ok(object)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u32 u64 u128 f32 char bytes byte_buf unit unit_struct tuple
        tuple_struct enum identifier
    }
}

struct Items<'p, 'v> {
    place: &'p mut Place,
    items: std::slice::Iter<'v, Value>,
    index: usize,
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = DecodeError;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        let Some(value) = self.items.next() else { return Ok(None) };
        self.place.steps.push(Step::Index(self.index));
        self.index += 1;
        let item = seed.deserialize(Strict { place: &mut *self.place, value })?;
        self.place.steps.pop();
        Ok(Some(item))
    }
}

struct Entries<'p, 'v> {
    place: &'p mut Place,
    entries: serde_json::map::Iter<'v>,
    value: Option<&'v Value>,
}

impl<'de> MapAccess<'de> for Entries<'_, '_> {
    type Error = DecodeError;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some(value);
        self.place.steps.push(Step::Key(key.clone()));
        seed.deserialize(key.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, DecodeError> {
        let value = self.value.take().unwrap_or(&Value::Null);
        let value = seed.deserialize(Strict { place: &mut *self.place, value })?;
        self.place.steps.pop();
        Ok(value)
    }
}

struct Fields<'p, 'v> {
    place: &'p mut Place,
    entries: serde_json::map::Iter<'v>,
    value: Option<&'v Value>,
    fields: &'static [&'static str],
}

impl<'de> MapAccess<'de> for Fields<'_, '_> {
    type Error = DecodeError;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        for (key, value) in self.entries.by_ref() {
            self.place.steps.push(Step::Field(key.clone()));
            if self.fields.contains(&key.as_str()) {
                let owner = self.place.structs.last().copied().unwrap_or_default();
                if omitempty::forgets(owner, key, value) {
                    self.place.forgettable = true;
                    if self.place.forgetting {
                        self.place.steps.pop();
                        continue;
                    }
                }
                self.value = Some(value);
                return seed.deserialize(key.as_str().into_deserializer()).map(Some);
            }
            let path = self.place.path();
            self.place.unknown.push(path);
            self.place.steps.pop();
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, DecodeError> {
        let value = self.value.take().unwrap_or(&Value::Null);
        let value = seed.deserialize(Strict { place: &mut *self.place, value })?;
        self.place.steps.pop();
        Ok(value)
    }
}

/// Finds out by what name Go calls a type: asks it to deserialize itself, and never gives it
/// anything.
struct Probe<'o>(&'o mut String);

impl Probe<'_> {
    fn found<V>(self, name: &str) -> Result<V, DecodeError> {
        self.0.push_str(name);
        Err(DecodeError::from(String::new()))
    }
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, DecodeError> {
        self.found("int32")
    }

    fn deserialize_bool<V: Visitor<'de>>(self, _: V) -> Result<V::Value, DecodeError> {
        self.found("bool")
    }

    fn deserialize_i64<V: Visitor<'de>>(self, _: V) -> Result<V::Value, DecodeError> {
        self.found("int64")
    }

    fn deserialize_string<V: Visitor<'de>>(self, _: V) -> Result<V::Value, DecodeError> {
        self.found("string")
    }

    fn deserialize_option<V: Visitor<'de>>(self, _: V) -> Result<V::Value, DecodeError> {
        self.found("[]uint8")
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: V,
    ) -> Result<V::Value, DecodeError> {
        let package = if name == "Quantity" { "resource" } else { "v1" };
        self.found(&format!("{package}.{name}"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, DecodeError> {
        self.found(&format!("v1.{name}"))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.0.push_str("[]");
        visitor.visit_seq(self)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.0.push_str("map[string]");
        visitor.visit_map(self)
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u32 u64 u128 f32 f64 char str bytes byte_buf unit unit_struct tuple
        tuple_struct enum identifier ignored_any
    }
}

impl<'de> SeqAccess<'de> for Probe<'_> {
    type Error = DecodeError;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        seed.deserialize(Probe(&mut *self.0)).map(Some)
    }
}

impl<'de> MapAccess<'de> for Probe<'_> {
    type Error = DecodeError;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        seed.deserialize("".into_deserializer()).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, DecodeError> {
        seed.deserialize(Probe(&mut *self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::apps::v1::DeploymentSpec;
    use k8s_openapi::api::core::v1::{Pod, PodSpec, Secret, Service};
    use serde_json::json;

    fn with_kind(kind: &str, mut json: Value) -> Value {
        json["kind"] = json!(kind);
        json["apiVersion"] = json!("v1");
        json
    }

    fn pod(json: Value) -> Result<Pod, String> {
        decode(&with_kind("Pod", json))
    }

    // The texts were printed by sigs.k8s.io/json with the types of k8s.io/api v0.33.4.
    #[test]
    fn errors_are_upstreams() {
        let container = |fields: Value| json!({"spec": {"containers": [fields]}});
        let field = |owner: &str, found: &str, path: &str, wanted: &str| {
            format!(
                "json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {wanted}"
            )
        };
        let table = [
            (
                json!({"spec": {"containers": {"name": "a"}}}),
                field("PodSpec", "object", "spec.containers", "[]v1.Container"),
            ),
            (
                container(json!({"name": 1})),
                field("Container", "number", "spec.containers.name", "string"),
            ),
            (container(json!("a")), field("PodSpec", "string", "spec.containers", "v1.Container")),
            (
                container(json!({"ports": [{"containerPort": "80"}]})),
                field("ContainerPort", "string", "spec.containers.ports.containerPort", "int32"),
            ),
            (
                container(json!({"env": [{"name": "A", "value": 1}]})),
                field("EnvVar", "number", "spec.containers.env.value", "string"),
            ),
            (json!({"spec": "x"}), field("Pod", "string", "spec", "v1.PodSpec")),
            (
                json!({"metadata": {"labels": {"a": 1}}}),
                field("ObjectMeta", "number", "metadata.labels", "string"),
            ),
            (
                json!({"metadata": {"labels": ["a"]}}),
                field("ObjectMeta", "array", "metadata.labels", "map[string]string"),
            ),
            (
                json!({"spec": {"hostNetwork": "yes"}}),
                field("PodSpec", "string", "spec.hostNetwork", "bool"),
            ),
            (
                json!({"spec": {"terminationGracePeriodSeconds": 1.5}}),
                field("PodSpec", "number 1.5", "spec.terminationGracePeriodSeconds", "int64"),
            ),
            (
                container(json!({"ports": [{"containerPort": 99999999999_u64}]})),
                field(
                    "ContainerPort",
                    "number 99999999999",
                    "spec.containers.ports.containerPort",
                    "int32",
                ),
            ),
            (
                container(json!({"args": "x"})),
                field("Container", "string", "spec.containers.args", "[]string"),
            ),
            (
                container(json!({"args": [1]})),
                field("Container", "number", "spec.containers.args", "string"),
            ),
            (
                container(json!({"livenessProbe": {"httpGet": {"port": true}}})),
                field("HTTPGetAction", "bool", "spec.containers.livenessProbe.httpGet.port", "int32"),
            ),
            (json!({"metadata": []}), field("Pod", "array", "metadata", "v1.ObjectMeta")),
            (
                json!({"spec": {"volumes": [{"name": "a", "emptyDir": "x"}]}}),
                field("Volume", "string", "spec.volumes.emptyDir", "v1.EmptyDirVolumeSource"),
            ),
            (
                container(json!({"resources": {"limits": {"cpu": "1x"}}})),
                quantity::QuantityError::Format.to_string(),
            ),
            (
                json!({"metadata": {"creationTimestamp": "x"}}),
                "parsing time \"x\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"x\" as \"2006\""
                    .to_owned(),
            ),
            (
                json!({"spec": {"foo": 1, "containers": [{"imagee": "b", "ports": [{"containerport": 80}]}]}}),
                "strict decoding error: unknown field \"spec.containers[0].imagee\", unknown field \
                 \"spec.containers[0].ports[0].containerport\", unknown field \"spec.foo\""
                    .to_owned(),
            ),
        ];
        for (json, message) in table {
            assert_eq!(pod(json.clone()), Err(message), "{json}");
        }
    }

    #[test]
    fn errors_of_other_kinds() {
        let error = decode::<DeploymentSpec>(&json!({"replicas": "3"})).unwrap_err();
        assert!(error.ends_with("DeploymentSpec.replicas of type int32"), "{error}");
        let error = decode::<PodSpec>(&json!("x")).unwrap_err();
        assert_eq!(error, "json: cannot unmarshal string into Go value of type v1.PodSpec");
        let service = with_kind("Service", json!({"spec": {"clusterIp": "x"}}));
        let error = decode::<Service>(&service).unwrap_err();
        assert_eq!(error, "strict decoding error: unknown field \"spec.clusterIp\"");
        let secret = |data: Value| {
            decode::<Secret>(&with_kind("Secret", json!({ "data": data }))).unwrap_err()
        };
        assert_eq!(
            secret(json!({"a": 1})),
            "json: cannot unmarshal number into Go struct field Secret.data of type []uint8"
        );
        assert_eq!(secret(json!({"a": "!!"})), "illegal base64 data at input byte 0");
        assert_eq!(
            secret(json!("x")),
            "json: cannot unmarshal string into Go struct field Secret.data of type map[string][]uint8"
        );
    }

    #[test]
    fn values_are_read_as_go_reads_them() {
        let pod = pod(json!({
            "metadata": {"name": "a", "labels": null, "creationTimestamp": null},
            "spec": {"containers": [{"name": "c", "args": null,
                "resources": {"limits": {"cpu": 1.5, "memory": "1024Mi"}},
                "livenessProbe": {"httpGet": {"port": "http"}},
                "readinessProbe": {"httpGet": {"port": 80}}}]},
        }))
        .unwrap();
        let json = serde_json::to_value(pod).unwrap();
        let container = &json["spec"]["containers"][0];
        assert_eq!(container["resources"]["limits"], json!({"cpu": "1500m", "memory": "1Gi"}));
        assert_eq!(container["livenessProbe"]["httpGet"]["port"], "http");
        assert_eq!(container["readinessProbe"]["httpGet"]["port"], 80);
        let nulls: Result<Pod, String> =
            decode(&with_kind("Pod", json!({"spec": {"containers": [null]}})));
        assert_eq!(nulls.unwrap().spec.unwrap().containers.len(), 1);
    }
}
