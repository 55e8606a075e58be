//! The kinds that a CustomResourceDefinition defines, and the rules of their objects.
//!
//! Upstream: `apiextensions-apiserver`: `pkg/apiserver/customresource_handler.go`,
//! `pkg/registry/customresource/{strategy,status_strategy,validator,etcd}.go` and
//! `tableconvertor/tableconvertor.go`.

use crate::decode::DecodeError;
use crate::jsonpath::{JsonPath, text_of};
use crate::kinds::customresourcedefinition::{is_true, schema_of};
use crate::structural::expressions::Rules;
use crate::structural::{self, Schema, embedded, listtype, prune, validate};
use crate::{
    Cell, Column, ColumnType, DynamicObject, FieldError, Kind, KindRef, Object, Strategy,
    StrategyRef, Words, decode, duration, gofmt, names,
};
use k8s_openapi::api::autoscaling::v1::{Scale, ScaleSpec, ScaleStatus};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, CustomResourceDefinitionNames,
    CustomResourceDefinitionVersion, CustomResourceSubresourceScale,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time as MetaTime};
use naru_sim::Time;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::{Arc, Weak};

const VERBS: &[&str] =
    &["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
/// While a definition is on its way out.
const LAST_VERBS: &[&str] = &["delete", "deletecollection", "get", "list", "watch"];
/// What a column's description is when none is given.
const COLUMN_DESCRIPTION: &str = "Custom resource definition column (in JSONPath format):";
const CREATION_DESCRIPTION: &str = "CreationTimestamp is a timestamp representing the server time \
    when this object was created. It is not guaranteed to be set in happens-before order across \
    separate operations. Clients may not set this value. It is represented in RFC3339 form and is \
    in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: \
    https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

/// The kinds that a definition defines: the versions that are served, the preferred one first.
/// Nothing while its names are not accepted.
pub fn kinds_of(definition: &CustomResourceDefinition) -> Vec<KindRef> {
    let Some(names) = definition.status.as_ref().and_then(|status| status.accepted_names.as_ref())
    else {
        return Vec::new();
    };
    let mut versions: Vec<&CustomResourceDefinitionVersion> =
        definition.spec.versions.iter().collect();
    versions.sort_by(|a, b| compare_versions(&b.name, &a.name));
    let shared: Arc<[Version]> = versions.iter().map(|one| Version::new(definition, one)).collect();
    let make = |index: usize, storage: Option<KindRef>| {
        let version = versions.get(index)?;
        let shared = Arc::clone(&shared);
        Some(KindRef::custom_cyclic(|me| {
            let rules = CustomRules { me: me.clone(), storage, versions: shared, index };
            kind(definition, names, version, rules)
        }))
    };
    let Some(stored_at) = versions.iter().position(|version| version.storage) else {
        return Vec::new();
    };
    let Some(stored) = make(stored_at, None) else { return Vec::new() };
    let served = versions.iter().enumerate().filter(|(_, version)| version.served);
    served
        .filter_map(|(index, _)| match index == stored_at {
            true => Some(stored.clone()),
            false => make(index, Some(stored.clone())),
        })
        .collect()
}

fn kind(
    definition: &CustomResourceDefinition,
    names: &CustomResourceDefinitionNames,
    version: &CustomResourceDefinitionVersion,
    rules: CustomRules,
) -> Kind {
    let words =
        |words: &Option<Vec<String>>| Words::Custom(words.clone().unwrap_or_default().into());
    let subresources = version.subresources.as_ref();
    let has_status = subresources.is_some_and(|all| all.status.is_some());
    let has_scale = subresources.is_some_and(|all| all.scale.is_some());
    let terminating = is_true(definition, "Terminating");
    Kind {
        group: definition.spec.group.clone().into(),
        version: version.name.clone().into(),
        kind: names.kind.clone().into(),
        plural: names.plural.clone().into(),
        singular: names.singular.clone().unwrap_or_default().into(),
        short_names: words(&names.short_names),
        categories: words(&names.categories),
        namespaced: definition.spec.scope == "Namespaced",
        verbs: Cow::Borrowed(if terminating { LAST_VERBS } else { VERBS }),
        subresources: Cow::Borrowed(match (has_status, has_scale) {
            (true, true) => &["status", "scale"],
            (true, false) => &["status"],
            (false, true) => &["scale"],
            (false, false) => &[],
        }),
        strategy: StrategyRef::Custom(Arc::new(rules)),
    }
}

/// What a version says of its objects.
#[derive(Debug)]
struct Version {
    name: String,
    schema: Option<Schema>,
    /// The schema's rules.
    rules: Rules,
    /// The schema as JSON.
    open_api: Option<Value>,
    has_status: bool,
    scale: Option<CustomResourceSubresourceScale>,
    columns: Vec<Column>,
    /// Of the columns after the first.
    paths: Vec<Option<JsonPath>>,
    selectable: Vec<(String, Option<JsonPath>)>,
    deprecation: Option<String>,
}

impl Version {
    fn new(
        definition: &CustomResourceDefinition,
        version: &CustomResourceDefinitionVersion,
    ) -> Self {
        let subresources = version.subresources.as_ref();
        let path = |path: &str| JsonPath::parse(&format!("{{{path}}}"), true).ok();
        let mut columns = vec![Column::new("Name")];
        let mut paths = Vec::new();
        let defined = version.additional_printer_columns.as_deref().unwrap_or_default();
        columns.extend(defined.iter().map(column));
        paths.extend(defined.iter().map(|column| path(&column.json_path)));
        if defined.is_empty() {
            let mut age = Column::new("Age").date();
            age.description = CREATION_DESCRIPTION.into();
            columns.push(age);
            paths.push(path(".metadata.creationTimestamp"));
        }
        let selectable = version.selectable_fields.iter().flatten();
        Version {
            name: version.name.clone(),
            schema: schema_of(version).cloned(),
            rules: Rules::of(schema_of(version)),
            open_api: schema_of(version).and_then(|schema| crate::encode::to_value(schema).ok()),
            has_status: subresources.is_some_and(|all| all.status.is_some()),
            scale: subresources.and_then(|all| all.scale.clone()),
            columns,
            paths,
            selectable: selectable
                .map(|field| {
                    let name = field.json_path.strip_prefix('.').unwrap_or(&field.json_path);
                    (name.to_owned(), path(&field.json_path))
                })
                .collect(),
            deprecation: deprecation(definition, version),
        }
    }

    /// Takes out of a decoded object what the schema does not name.
    fn prune(&self, object: &mut Value) -> Vec<String> {
        let unknown = prune::prune(object, self.schema.as_ref());
        structural::default::prune_nulls(object, self.schema.as_ref());
        unknown
    }

    fn default(&self, object: &mut Value) {
        if let Some(schema) = &self.schema {
            structural::default::default(object, schema);
        }
    }
}

fn column(column: &CustomResourceColumnDefinition) -> Column {
    let described = column.description.clone().filter(|text| !text.is_empty());
    Column {
        name: column.name.clone().into(),
        priority: u8::try_from(column.priority.unwrap_or(0).max(0)).unwrap_or(u8::MAX),
        type_: match column.type_.as_str() {
            "integer" => ColumnType::Integer,
            "number" => ColumnType::Number,
            "boolean" => ColumnType::Boolean,
            "date" => ColumnType::Date,
            _ => ColumnType::String,
        },
        format: column.format.clone().unwrap_or_default().into(),
        description: described
            .unwrap_or_else(|| format!("{COLUMN_DESCRIPTION} {}", column.json_path))
            .into(),
    }
}

/// Upstream: `defaultDeprecationWarning`.
fn deprecation(
    definition: &CustomResourceDefinition,
    version: &CustomResourceDefinitionVersion,
) -> Option<String> {
    if version.deprecated != Some(true) {
        return None;
    }
    if let Some(warning) = &version.deprecation_warning {
        return Some(warning.clone());
    }
    let (group, kind) = (&definition.spec.group, &definition.spec.names.kind);
    let mut text = format!("{group}/{} {kind} is deprecated", version.name);
    let better = definition.spec.versions.iter().filter(|other| {
        other.served
            && other.deprecated != Some(true)
            && compare_versions(&version.name, &other.name) == Ordering::Less
    });
    if let Some(better) = better.max_by(|a, b| compare_versions(&a.name, &b.name)) {
        text.push_str(&format!("; use {group}/{} {kind}", better.name));
    }
    Some(text)
}

/// The order of versions by their stability: `v2` is above `v1`, `v1` above `v2beta1`.
///
/// Upstream: `CompareKubeAwareVersionStrings`.
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    match (parse_version(a), parse_version(b)) {
        (None, None) => b.cmp(a),
        (a, b) => a.cmp(&b),
    }
}

/// Stability (alpha, beta, stable), major and minor number of `v2beta1`.
fn parse_version(text: &str) -> Option<(u8, u64, u64)> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u64>().ok().filter(|_| digits)
    };
    let text = text.strip_prefix('v')?;
    for (word, stability) in [("alpha", 0), ("beta", 1)] {
        if let Some((major, minor)) = text.split_once(word) {
            return Some((stability, number(major)?, number(minor)?));
        }
    }
    Some((2, number(text)?, 0))
}

/// The rules of one version of a custom resource.
pub struct CustomRules {
    me: WeakKind,
    /// The stored version, when it is another.
    storage: Option<KindRef>,
    versions: Arc<[Version]>,
    index: usize,
}

/// A kind as its own strategy knows it.
pub type WeakKind = Weak<Kind>;

impl CustomRules {
    fn version(&self) -> Option<&Version> {
        self.versions.get(self.index)
    }

    fn schema(&self) -> Option<&Schema> {
        self.version()?.schema.as_ref()
    }

    fn scale_paths(&self) -> Option<&CustomResourceSubresourceScale> {
        self.version()?.scale.as_ref()
    }

    /// Reads an object, and tells the paths of the fields that the schema does not name, which are
    /// dropped.
    pub fn decode_leniently(&self, json: Value) -> Result<(Object, Vec<String>), String> {
        let kind = KindRef::upgrade(&self.me).ok_or("the kind is gone")?;
        let Value::Object(mut map) = json else {
            let found = decode::type_of(&json);
            let wanted = "map[string]interface {}";
            return Err(format!("json: cannot unmarshal {found} into Go value of type {wanted}"));
        };
        let (meta, mut unknown) = match map.remove("metadata") {
            Some(meta) => decode::decode_leniently::<ObjectMeta>(&meta)?,
            None => Default::default(),
        };
        unknown.iter_mut().for_each(|path| path.insert_str(0, "metadata."));
        map.remove("apiVersion");
        map.remove("kind");
        let mut value = Value::Object(map);
        if let Some(version) = self.version() {
            unknown.extend(version.prune(&mut value));
        }
        if let Some(schema) = self.schema() {
            embedded::coerce(&mut value, schema)
                .map_err(|error| format!("{}: {}", error.field, error.message))?;
        }
        let fields = into_map(value);
        Ok((Object::new(DynamicObject::new(kind, meta, fields)), unknown))
    }

    /// A stored object as one of `kind`, whose rules these are; `None` when it is one already.
    /// Fields that are not defined any more go, and new defaults come.
    pub fn read(&self, kind: &KindRef, object: &Object) -> Option<Object> {
        let dynamic = DynamicObject::of(object)?;
        let held = object.kind();
        if held.is_identical(kind) {
            return None;
        }
        let same_rules = held
            .strategy
            .custom()
            .is_some_and(|rules| Arc::ptr_eq(&rules.versions, &self.versions));
        if same_rules && held.version == kind.version {
            return Some(object.with_content(dynamic.with_kind(kind.clone())));
        }
        let mut value = Value::Object(dynamic.fields().clone());
        let own = self.versions.iter().find(|version| version.name == held.version);
        if let Some(own) = own.filter(|_| !same_rules) {
            own.prune(&mut value);
            own.default(&mut value);
        }
        if let Some(asked) = self.version().filter(|_| held.version != kind.version) {
            asked.prune(&mut value);
        }
        let meta = object.meta().clone();
        Some(object.with_content(DynamicObject::new(kind.clone(), meta, into_map(value))))
    }

    fn validate_object(&self, dynamic: &DynamicObject, old: Option<&Value>) -> Vec<FieldError> {
        let value = match dynamic.to_value() {
            Ok(value) => value,
            Err(error) => return vec![FieldError::invalid("<nil>", "", &error.to_string())],
        };
        let mut errors = Vec::new();
        if let Some(schema) = self.schema() {
            errors.extend(validate::validate(&value, old, schema, ""));
        }
        self.validate_scale(&value, true, &mut errors);
        if let Some(schema) = self.schema() {
            errors.extend(embedded::validate(&value, schema));
            if old.is_none_or(|old| listtype::validate(old, schema).is_empty()) {
                errors.extend(listtype::validate(&value, schema));
            }
        }
        self.validate_rules(&value, old, &mut errors);
        errors
    }

    fn validate_status(&self, new: &DynamicObject, old: Option<&Value>) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let schema = self.schema().and_then(|schema| structural::property(schema, "status"));
        if let (Some(schema), Some(status)) = (schema, new.fields().get("status")) {
            let old = old.and_then(|old| old.get("status"));
            errors.extend(validate::validate(status, old, schema, "status"));
        }
        let value = Value::Object(new.fields().clone());
        self.validate_scale(&value, false, &mut errors);
        if let Some(schema) = self.schema()
            && old.is_none_or(|old| listtype::validate(old, schema).is_empty())
        {
            errors.extend(listtype::validate(&value, schema));
        }
        if let Ok(value) = new.to_value() {
            self.validate_rules(&value, old, &mut errors);
        }
        errors
    }

    fn validate_rules(&self, value: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
        if let Some(version) = self.version()
            && let Some(schema) = &version.schema
        {
            version.rules.validate(value, old, schema, errors);
        }
    }

    /// What the paths of the `scale` subresource lead to.
    fn validate_scale(&self, value: &Value, with_spec: bool, errors: &mut Vec<FieldError>) {
        let Some(scale) = self.scale_paths() else { return };
        let spec = Some(&scale.spec_replicas_path).filter(|_| with_spec);
        for path in spec.into_iter().chain([&scale.status_replicas_path]) {
            match nested_integer(value, path) {
                Err(why) => errors.push(FieldError::invalid_raw(path, 0, &why)),
                Ok(Some(count)) if count < 0 => {
                    let detail = "should be a non-negative integer";
                    errors.push(FieldError::invalid_raw(path, count, detail));
                }
                Ok(Some(count)) if count > i64::from(i32::MAX) => {
                    let detail = format!("should be less than or equal to {}", i32::MAX);
                    errors.push(FieldError::invalid_raw(path, count, &detail));
                }
                Ok(_) => {}
            }
        }
        if let Some(path) = &scale.label_selector_path
            && let Some(found) = nested(value, path).filter(|found| !found.is_string())
        {
            let detail = accessor_error(path, found, "string");
            errors.push(FieldError::invalid(path, "", &detail));
        }
    }
}

impl Strategy for CustomRules {
    fn decode(&self, json: Value) -> Result<Object, String> {
        let (object, unknown) = self.decode_leniently(json)?;
        if unknown.is_empty() {
            return Ok(object);
        }
        let told: Vec<String> =
            unknown.iter().map(|path| format!("unknown field {}", gofmt::quote(path))).collect();
        Err(format!("strict decoding error: {}", told.join(", ")))
    }

    fn read(&self, json: Value) -> Result<(Object, Vec<String>), DecodeError> {
        let (object, unknown) = self.decode_leniently(json)?;
        let tell = |path: String| format!("unknown field {}", gofmt::quote(&path));
        Ok((object, unknown.into_iter().map(tell).collect()))
    }

    fn default(&self, object: &mut Object) {
        let (Some(version), Some(dynamic)) = (self.version(), DynamicObject::of_mut(object)) else {
            return;
        };
        if version.schema.is_some() {
            let mut value = Value::Object(std::mem::take(dynamic.fields_mut()));
            version.default(&mut value);
            *dynamic.fields_mut() = into_map(value);
        }
    }

    fn prepare_for_create(&self, object: &mut Object) {
        if self.version().is_some_and(|version| version.has_status)
            && let Some(dynamic) = DynamicObject::of_mut(object)
        {
            dynamic.fields_mut().remove("status");
        }
        object.meta_mut().generation = Some(1);
    }

    fn prepare_for_update(&self, new: &mut Object, old: &Object, subresource: &str) {
        let (Some(before), Some(after)) = (DynamicObject::of(old), DynamicObject::of_mut(new))
        else {
            return;
        };
        if subresource == "status" {
            let status = after.fields_mut().remove("status");
            *after = before.clone();
            set(after.fields_mut(), "status", status);
            return;
        }
        if self.version().is_some_and(|version| version.has_status) {
            set(after.fields_mut(), "status", before.fields().get("status").cloned());
        }
        if before.fields() != after.fields() {
            let generation = old.meta().generation.unwrap_or(0);
            new.meta_mut().generation = Some(generation + 1);
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let dynamic = DynamicObject::of(object);
        dynamic.map(|dynamic| self.validate_object(dynamic, None)).unwrap_or_default()
    }

    fn validate_update(&self, new: &Object, old: &Object, subresource: &str) -> Vec<FieldError> {
        let Some(dynamic) = DynamicObject::of(new) else { return Vec::new() };
        let old = DynamicObject::of(old).and_then(|old| old.to_value().ok());
        match subresource {
            "status" => self.validate_status(dynamic, old.as_ref()),
            _ => self.validate_object(dynamic, old.as_ref()),
        }
    }

    fn warnings(&self, object: &Object, old: Option<&Object>) -> Vec<String> {
        let had = |name: &String| {
            old.is_some_and(|old| old.meta().finalizers.iter().flatten().any(|one| one == name))
        };
        let mut added: Vec<&String> =
            object.meta().finalizers.iter().flatten().filter(|name| !had(name)).collect();
        added.sort();
        added.dedup();
        added.into_iter().flat_map(|name| finalizer_warnings(name)).collect()
    }

    fn deprecation(&self) -> Option<&str> {
        self.version()?.deprecation.as_deref()
    }

    fn storage_kind(&self) -> Option<KindRef> {
        self.storage.clone()
    }

    fn to_storage(&self, object: Object) -> Object {
        match (&self.storage, DynamicObject::of(&object)) {
            (Some(kind), Some(dynamic)) => object.with_content(dynamic.with_kind(kind.clone())),
            _ => object,
        }
    }

    fn scale(&self, object: &Object) -> Option<Scale> {
        let paths = self.scale_paths()?;
        let value = Value::Object(DynamicObject::of(object)?.fields().clone());
        let count = |path: &str| {
            let found = nested_integer(&value, path).ok()?;
            Some(found.map_or(0, |count| i32::try_from(count).unwrap_or_default()))
        };
        let selector = paths.label_selector_path.as_deref();
        let selector = selector.and_then(|path| nested(&value, path)?.as_str());
        let meta = object.meta();
        Some(Scale {
            metadata: ObjectMeta {
                name: meta.name.clone(),
                namespace: meta.namespace.clone(),
                uid: meta.uid.clone(),
                resource_version: meta.resource_version.clone(),
                creation_timestamp: meta.creation_timestamp.clone(),
                ..ObjectMeta::default()
            },
            spec: Some(ScaleSpec { replicas: Some(count(&paths.spec_replicas_path)?) }),
            status: Some(ScaleStatus {
                replicas: count(&paths.status_replicas_path)?,
                selector: selector.map(str::to_owned).filter(|text| !text.is_empty()),
            }),
        })
    }

    fn set_replicas(&self, object: &mut Object, replicas: i32) -> bool {
        let Some(paths) = self.scale_paths() else { return false };
        let Some(dynamic) = DynamicObject::of_mut(object) else { return false };
        let mut names = steps(&paths.spec_replicas_path);
        let Some(last) = names.pop() else { return false };
        let mut map = dynamic.fields_mut();
        for name in names {
            let below = map.entry(name).or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(below) = below else { return false };
            map = below;
        }
        map.insert(last.to_owned(), Value::from(replicas));
        true
    }

    fn allow_unconditional_update(&self) -> bool {
        false
    }

    fn columns(&self) -> Cow<'static, [Column]> {
        let columns = self.version().map(|version| version.columns.clone());
        Cow::Owned(columns.unwrap_or_default())
    }

    fn row(&self, object: &Object, now: Time) -> Vec<Cell> {
        let (Some(version), Some(dynamic)) = (self.version(), DynamicObject::of(object)) else {
            return Vec::new();
        };
        let value = dynamic.to_value().unwrap_or_default();
        let columns = version.columns.iter().skip(1);
        let cells = columns.zip(&version.paths).map(|(column, path)| {
            let found = path.as_ref().and_then(|path| path.find_first(&value).ok());
            match found.and_then(|found| found.into_iter().next()) {
                Some(found) => cell(column, &found, now),
                None => Cell::Null,
            }
        });
        std::iter::once(Cell::from(object.name())).chain(cells).collect()
    }

    fn knows_field(&self, path: &str) -> bool {
        let known = |version: &Version| version.selectable.iter().any(|(name, _)| name == path);
        self.version().is_some_and(known)
    }

    fn field(&self, object: &Object, path: &str) -> Option<String> {
        let (_, wanted) = self.version()?.selectable.iter().find(|(name, _)| name == path)?;
        let value = DynamicObject::of(object)?.to_value().ok()?;
        let found = wanted.as_ref()?.find_first(&value).ok()?;
        Some(found.first().map(text_of).unwrap_or_default())
    }

    fn open_api(&self) -> Option<&Value> {
        self.version()?.open_api.as_ref()
    }

    fn custom(&self) -> Option<&CustomRules> {
        Some(self)
    }
}

/// Upstream: `cellForJSONValue`.
fn cell(column: &Column, value: &Value, now: Time) -> Cell {
    let cell = match column.type_ {
        ColumnType::String => Some(Cell::Text(text_of(value))),
        ColumnType::Integer => {
            let whole = value.as_i64().or_else(|| value.as_f64().map(|number| number as i64));
            whole.map(Cell::Number)
        }
        ColumnType::Number => value.as_f64().map(Cell::Float),
        ColumnType::Boolean => value.as_bool().map(Cell::Bool),
        ColumnType::Date => value.as_str().map(|text| match text.parse() {
            Ok(at) => Cell::Text(duration::since(Some(&MetaTime(at)), now)),
            Err(_) if text.is_empty() => Cell::from("<unknown>"),
            Err(_) => Cell::from("<invalid>"),
        }),
    };
    cell.unwrap_or(Cell::Null)
}

/// Upstream: `validateKubeFinalizerName`.
fn finalizer_warnings(name: &str) -> Vec<String> {
    const STANDARD: [&str; 3] = ["orphan", "foregroundDeletion", "kubernetes"];
    let quoted = gofmt::quote(name);
    let told = |why: &str| format!("metadata.finalizers: {quoted}: {why}");
    let mut warnings: Vec<String> =
        names::qualified_name(name).iter().map(|why| told(why)).collect();
    if !name.contains('/') && !STANDARD.contains(&name) {
        let including = if name.contains('.') { " including a path (/)" } else { "" };
        warnings.push(told(&format!(
            "prefer a domain-qualified finalizer name{including} to avoid accidental conflicts \
             with other finalizer writers"
        )));
    }
    warnings
}

/// The names in `.spec.replicas`.
fn steps(path: &str) -> Vec<&str> {
    path.strip_prefix('.').unwrap_or(path).split('.').collect()
}

fn nested<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    steps(path).into_iter().try_fold(value, |value, name| value.get(name))
}

/// Upstream: `unstructured.NestedInt64`.
fn nested_integer(value: &Value, path: &str) -> Result<Option<i64>, String> {
    match nested(value, path) {
        None => Ok(None),
        Some(found) => found.as_i64().map(Some).ok_or_else(|| accessor_error(path, found, "int64")),
    }
}

fn accessor_error(path: &str, found: &Value, wanted: &str) -> String {
    let kind = match found {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    };
    let shown = if found.is_null() { "<nil>".to_owned() } else { text_of(found) };
    format!("{path} accessor error: {shown} is of the type {kind}, expected {wanted}")
}

fn into_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn set(map: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    match value {
        Some(value) => drop(map.insert(name.to_owned(), value)),
        None => drop(map.remove(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_stability() {
        // The example of `CompareKubeAwareVersionStrings`.
        let sorted = [
            "v10",
            "v2",
            "v1",
            "v11beta2",
            "v10beta3",
            "v3beta1",
            "v12alpha1",
            "v11alpha2",
            "foo1",
            "foo10",
        ];
        let mut versions = sorted;
        versions.sort();
        versions.sort_by(|a, b| compare_versions(b, a));
        assert_eq!(versions, sorted);
    }

    #[test]
    fn unwise_finalizers_are_warned_of() {
        let table = [
            ("example.com/a", ""),
            ("orphan", ""),
            (
                "a",
                "metadata.finalizers: \"a\": prefer a domain-qualified finalizer name to avoid \
                 accidental conflicts with other finalizer writers",
            ),
            (
                "example.com",
                "metadata.finalizers: \"example.com\": prefer a domain-qualified finalizer name \
                 including a path (/) to avoid accidental conflicts with other finalizer writers",
            ),
        ];
        for (name, warning) in table {
            assert_eq!(finalizer_warnings(name).concat(), warning);
        }
    }
}
