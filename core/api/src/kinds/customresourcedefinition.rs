//! CustomResourceDefinitions.
//!
//! Upstream: `apiextensions-apiserver`: `pkg/registry/customresourcedefinition/strategy.go`,
//! `pkg/apis/apiextensions/v1/defaults.go`, `pkg/apis/apiextensions/validation/validation.go`,
//! `pkg/apihelpers/helpers.go`.

use super::cells;
use super::typed::{Typed, keep};
use crate::gofmt::{quote, quote_all};
use crate::structural::{expressions::unknown_function, path::schema_at, rules};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, names, time};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceConversion, CustomResourceDefinition,
    CustomResourceDefinitionCondition, CustomResourceDefinitionNames, CustomResourceDefinitionSpec,
    CustomResourceDefinitionVersion, CustomResourceSubresources, JSONSchemaProps, SelectableField,
};
use naru_sim::Time;

static KIND: Kind = Names::new(
    "apiextensions.k8s.io",
    "v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    "customresourcedefinition",
)
.short(&["crd", "crds"])
.categories(&["api-extensions"])
.cluster_scoped()
.subresources(&["status"])
.kind(&CustomResourceDefinitionStrategy);

/// Keeps a definition until the objects that it defines are gone.
pub const CLEANUP_FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";
/// Who may define kinds in the groups of the community.
const APPROVED: &str = "api-approved.kubernetes.io";
const COLUMN_TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS: [&str; 8] =
    ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
const SELECTABLE_FIELDS_MAX: i64 = 8;
const DEPRECATION_LEN_MAX: usize = 256;

impl Kube for CustomResourceDefinition {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct CustomResourceDefinitionStrategy;

impl Typed for CustomResourceDefinitionStrategy {
    type Object = CustomResourceDefinition;

    const COLUMNS: &'static [Column] = &[Column::new("Name"), Column::new("Created At").date()];

    const ALLOW_UNCONDITIONAL_UPDATE: bool = false;

    fn default(&self, object: &mut CustomResourceDefinition) {
        let names = &mut object.spec.names;
        if names.singular.as_deref().unwrap_or_default().is_empty() {
            names.singular = Some(names.kind.to_lowercase());
        }
        if names.list_kind.as_deref().unwrap_or_default().is_empty() && !names.kind.is_empty() {
            names.list_kind = Some(format!("{}List", names.kind));
        }
        let conversion = object.spec.conversion.get_or_insert_with(|| CustomResourceConversion {
            strategy: "None".to_owned(),
            webhook: None,
        });
        let config = conversion.webhook.as_mut().and_then(|hook| hook.client_config.as_mut());
        if let Some(service) = config.and_then(|config| config.service.as_mut()) {
            service.port.get_or_insert(443);
        }
    }

    fn prepare_for_create(&self, object: &mut CustomResourceDefinition) {
        object.metadata.generation = Some(1);
        object.status = None;
        note_stored_version(object);
    }

    fn prepare_for_update(
        &self,
        new: &mut CustomResourceDefinition,
        old: &CustomResourceDefinition,
        subresource: &str,
    ) {
        if subresource == "status" {
            keep(&mut new.spec, &old.spec);
            return;
        }
        keep(&mut new.status, &old.status);
        if new.spec != old.spec {
            new.metadata.generation = old.metadata.generation.map(|old| old + 1);
        }
        note_stored_version(new);
    }

    fn validate(&self, object: &CustomResourceDefinition) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let name = object.metadata.name.as_deref().unwrap_or_default();
        if name != format!("{}.{}", object.spec.names.plural, object.spec.group) {
            let detail = "must be spec.names.plural+\".\"+spec.group";
            errors.push(FieldError::invalid("metadata.name", name, detail));
        }
        validate_all(object, None, &mut errors);
        errors
    }

    fn validate_update(
        &self,
        new: &CustomResourceDefinition,
        old: &CustomResourceDefinition,
        subresource: &str,
    ) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if subresource == "status" {
            validate_status(new, &mut errors);
        } else {
            validate_all(new, Some(old), &mut errors);
        }
        errors
    }

    /// What Naru does not do.
    fn warnings(
        &self,
        object: &CustomResourceDefinition,
        _old: Option<&CustomResourceDefinition>,
    ) -> Vec<String> {
        let warning = |version: &CustomResourceDefinitionVersion| {
            let function = schema_of(version).and_then(unknown_function)?;
            Some(format!(
                "version {}: rules under x-kubernetes-validations that call the function \
                 {function} are kept, but Naru does not evaluate them",
                version.name
            ))
        };
        object.spec.versions.iter().filter_map(warning).collect()
    }

    fn cells(&self, object: &CustomResourceDefinition, _now: Time) -> Vec<Cell> {
        let created = time::rfc3339(object.metadata.creation_timestamp.as_ref());
        vec![cells::name(&object.metadata), created.into()]
    }
}

// ---- what others ask of a definition ----

/// The version whose objects are stored.
pub fn storage_version(
    definition: &CustomResourceDefinition,
) -> Option<&CustomResourceDefinitionVersion> {
    definition.spec.versions.iter().find(|version| version.storage)
}

/// The schema of a version.
pub fn schema_of(version: &CustomResourceDefinitionVersion) -> Option<&JSONSchemaProps> {
    version.schema.as_ref()?.open_api_v3_schema.as_ref()
}

/// A condition of a definition: `Established`, `NamesAccepted`, `Terminating`.
pub fn condition<'a>(
    definition: &'a CustomResourceDefinition,
    name: &str,
) -> Option<&'a CustomResourceDefinitionCondition> {
    let conditions = definition.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == name)
}

/// Whether a condition is `True`.
pub fn is_true(definition: &CustomResourceDefinition, name: &str) -> bool {
    condition(definition, name).is_some_and(|condition| condition.status == "True")
}

/// Sets a condition; its time moves when its status does.
///
/// Upstream: `SetCRDCondition`.
pub fn set_condition(
    definition: &mut CustomResourceDefinition,
    mut new: CustomResourceDefinitionCondition,
    now: Time,
) {
    let status = definition.status.get_or_insert_default();
    let conditions = status.conditions.get_or_insert_default();
    new.last_transition_time = Some(time::meta_time(now));
    match conditions.iter_mut().find(|condition| condition.type_ == new.type_) {
        None => conditions.push(new),
        Some(old) => {
            if old.status == new.status && old.last_transition_time.is_some() {
                new.last_transition_time.clone_from(&old.last_transition_time);
            }
            *old = new;
        }
    }
}

/// Writes down that objects may be stored in the version that now is the stored one.
fn note_stored_version(definition: &mut CustomResourceDefinition) {
    let Some(version) = storage_version(definition).map(|version| version.name.clone()) else {
        return;
    };
    let status = definition.status.get_or_insert_default();
    let versions = status.stored_versions.get_or_insert_default();
    if !versions.contains(&version) {
        versions.push(version);
    }
}

// ---- approval of protected groups ----

/// What the annotation `api-approved.kubernetes.io` comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// It is neither a URL nor a reason.
    Invalid,
    /// It is the URL of an approval.
    Approved,
    /// It says why there is none.
    Bypassed,
    /// It is not there.
    Missing,
}

/// The approval of a definition in a group of the community, and its reason; `None` for all other
/// groups.
///
/// Upstream: `IsProtectedCommunityGroup`, `GetAPIApprovalState`.
pub fn approval(definition: &CustomResourceDefinition) -> Option<(Approval, String)> {
    let group = definition.spec.group.as_str();
    let of = |domain: &str| group == domain || group.ends_with(&format!(".{domain}"));
    if !of("k8s.io") && !of("kubernetes.io") {
        return None;
    }
    const SEE: &str = "see https://github.com/kubernetes/enhancements/pull/1111";
    let annotations = definition.metadata.annotations.as_ref();
    let text = annotations.and_then(|all| all.get(APPROVED)).map_or("", String::as_str);
    let needed = format!("protected groups must have approval annotation {}", quote(APPROVED));
    let is_url = text.split_once("://").is_some_and(|(scheme, rest)| {
        !scheme.is_empty() && !rest.is_empty() && !rest.starts_with('/')
    });
    Some(match text {
        "" => (Approval::Missing, format!("{needed}, {SEE}")),
        text if text.starts_with("unapproved") => {
            (Approval::Bypassed, format!("not approved: {}", quote(text)))
        }
        text if is_url => (Approval::Approved, format!("approved in {text}")),
        _ => {
            let or = "with either a URL or a reason starting with \"unapproved\"";
            (Approval::Invalid, format!("{needed} {or}, {SEE}"))
        }
    })
}

fn validate_approval(
    new: &CustomResourceDefinition,
    old: Option<&CustomResourceDefinition>,
    errors: &mut Vec<FieldError>,
) {
    let Some((state, reason)) = approval(new) else { return };
    if old.and_then(approval).is_some_and(|(old, _)| old == state) {
        return;
    }
    let path = format!("metadata.annotations[{APPROVED}]");
    let annotations = new.metadata.annotations.as_ref();
    let text = annotations.and_then(|all| all.get(APPROVED)).map_or("", String::as_str);
    match state {
        Approval::Missing => errors.push(FieldError::required(path, &reason)),
        Approval::Invalid => errors.push(FieldError::invalid(path, text, &reason)),
        Approval::Approved | Approval::Bypassed => {}
    }
}

// ---- validation ----

fn validate_all(
    new: &CustomResourceDefinition,
    old: Option<&CustomResourceDefinition>,
    errors: &mut Vec<FieldError>,
) {
    let spec = Path::new("spec");
    validate_spec(&new.spec, &spec, errors);
    if let Some(old) = old {
        let established = is_true(old, "Established");
        let (names, old_names) = (&new.spec.names, &old.spec.names);
        let group = [
            (established, "scope", &new.spec.scope, &old.spec.scope),
            (established, "names.kind", &names.kind, &old_names.kind),
            (true, "group", &new.spec.group, &old.spec.group),
            (true, "names.plural", &names.plural, &old_names.plural),
        ];
        for (_, path, new, _) in group.iter().filter(|(fixed, _, new, old)| *fixed && new != old) {
            errors.push(FieldError::invalid(spec.child(path), new, "field is immutable"));
        }
    }
    validate_status(new, errors);
    validate_stored_versions(new, errors);
    validate_approval(new, old, errors);
    let preserved = |one: &CustomResourceDefinition| one.spec.preserve_unknown_fields == Some(true);
    if preserved(new) && !old.is_some_and(preserved) {
        let detail = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in \
                      spec.versions[*].schema instead";
        let path = spec.child("preserveUnknownFields");
        errors.push(FieldError::invalid_raw(path, true, detail));
    }
}

fn validate_status(definition: &CustomResourceDefinition, errors: &mut Vec<FieldError>) {
    let status = definition.status.as_ref();
    if let Some(names) = status.and_then(|status| status.accepted_names.as_ref()) {
        validate_names(names, &Path::new("status").child("acceptedNames"), errors);
    }
}

fn validate_stored_versions(definition: &CustomResourceDefinition, errors: &mut Vec<FieldError>) {
    let status = Path::new("status");
    let path = status.child("storedVersions");
    let stored = definition.status.as_ref().and_then(|status| status.stored_versions.as_deref());
    let stored = stored.unwrap_or_default();
    if stored.is_empty() {
        let detail = "must have at least one stored version";
        errors.push(FieldError::invalid_raw(path, "[]string(nil)", detail));
        return;
    }
    for version in definition.spec.versions.iter().filter(|version| version.storage) {
        if !stored.contains(&version.name) {
            let shown = format!("[]string{{{}}}", quote_all(stored));
            let detail = format!("must have the storage version {}", version.name);
            errors.push(FieldError::invalid_raw(path, shown, &detail));
        }
    }
    for (index, name) in stored.iter().enumerate() {
        if !definition.spec.versions.iter().any(|version| version.name == *name) {
            let detail = format!(
                "missing from spec.versions; {name} was previously a storage version, and must \
                 remain in spec.versions until a storage migration ensures no data remains \
                 persisted in {name} and removes {name} from status.storedVersions"
            );
            errors.push(FieldError::invalid(path.index(index), name, &detail));
        }
    }
}

/// What all versions have in common. Upstream validates it once, in the place where older versions
/// of the API had it.
struct Common {
    schema: bool,
    subresources: bool,
    columns: bool,
    selectable: bool,
}

impl Common {
    fn of(versions: &[CustomResourceDefinitionVersion]) -> Self {
        let same = |equal: fn(
            &CustomResourceDefinitionVersion,
            &CustomResourceDefinitionVersion,
        ) -> bool| {
            versions.windows(2).all(|pair| matches!(pair, [a, b] if equal(a, b)))
        };
        Common {
            schema: same(|a, b| a.schema == b.schema),
            subresources: same(|a, b| a.subresources == b.subresources),
            columns: same(|a, b| {
                a.additional_printer_columns.as_deref().unwrap_or_default()
                    == b.additional_printer_columns.as_deref().unwrap_or_default()
            }),
            selectable: same(|a, b| {
                a.selectable_fields.as_deref().unwrap_or_default()
                    == b.selectable_fields.as_deref().unwrap_or_default()
            }),
        }
    }
}

fn validate_spec(
    spec: &CustomResourceDefinitionSpec,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let group = path.child("group");
    match spec.group.as_str() {
        "" => errors.push(FieldError::required(group, "")),
        name => {
            let found = names::dns1123_subdomain(name);
            if !found.is_empty() {
                errors.push(FieldError::invalid(group, name, &found.join(",")));
            } else if !name.contains('.') {
                let detail = "should be a domain with at least one dot";
                errors.push(FieldError::invalid(group, name, detail));
            }
        }
    }
    one_of(&spec.scope, &["Cluster", "Namespaced"], &path.child("scope"), errors);
    validate_versions(spec, path, errors);
    let list_kind = spec.names.list_kind.as_deref().unwrap_or_default();
    let singular = spec.names.singular.as_deref().unwrap_or_default();
    let needed = [
        (spec.names.plural.as_str(), "plural"),
        (singular, "singular"),
        (spec.names.kind.as_str(), "kind"),
        (list_kind, "listKind"),
    ];
    let names = path.child("names");
    for (_, name) in needed.iter().filter(|(text, _)| text.is_empty()) {
        errors.push(FieldError::required(names.child(name), ""));
    }
    validate_names(&spec.names, &names, errors);
    validate_common(spec, path, errors);
    if let Some(conversion) = &spec.conversion {
        validate_conversion(conversion, &path.child("conversion"), errors);
    }
}

fn validate_versions(
    spec: &CustomResourceDefinitionSpec,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let all = path.child("versions");
    let versions = &spec.versions;
    for (index, version) in versions.iter().enumerate() {
        if schema_of(version).is_none() {
            let path = all.index(index);
            let at = path.child("schema");
            errors.push(FieldError::required(at.child("openAPIV3Schema"), "schemas are required"));
        }
    }
    let common = Common::of(versions);
    for (index, version) in versions.iter().enumerate() {
        let path = all.index(index);
        let found = names::dns1035_label(&version.name);
        if !found.is_empty() {
            let at = path.child("name");
            errors.push(FieldError::invalid(at, &version.name, &found.join(",")));
        }
        validate_deprecation(version, &path.child("deprecationWarning"), errors);
        if let Some(schema) = schema_of(version).filter(|_| !common.schema) {
            let has_status = has_status(version.subresources.as_ref());
            let at = path.child("schema");
            errors.extend(rules::validate_schema(schema, has_status, &at.child("openAPIV3Schema")));
        }
        if let Some(subresources) = version.subresources.as_ref().filter(|_| !common.subresources) {
            validate_subresources(subresources, &path.child("subresources"), errors);
        }
        if !common.columns {
            let columns = version.additional_printer_columns.as_deref().unwrap_or_default();
            validate_columns(columns, &path.child("additionalPrinterColumns"), errors);
        }
        if !common.selectable {
            validate_selectable(version, &path.child("selectableFields"), errors);
        }
    }
    let twice = |(index, version): (usize, &CustomResourceDefinitionVersion)| {
        versions.iter().take(index).any(|earlier| earlier.name == version.name)
    };
    if versions.iter().enumerate().any(twice) {
        let shown = show_versions(versions, &common);
        errors.push(FieldError::invalid_raw(all, shown, "must contain unique version names"));
    }
    if versions.iter().filter(|version| version.storage).count() != 1 {
        let detail = "must have exactly one version marked as storage version";
        errors.push(FieldError::invalid_raw(all, show_versions(versions, &common), detail));
    }
}

fn validate_common(
    spec: &CustomResourceDefinitionSpec,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let Some(first) = spec.versions.first() else { return };
    let found = names::dns1035_label(&first.name);
    if !found.is_empty() {
        errors.push(FieldError::invalid(path.child("version"), &first.name, &found.join(",")));
    }
    let common = Common::of(&spec.versions);
    if let Some(schema) = schema_of(first).filter(|_| common.schema) {
        let status = spec.versions.iter().any(|version| has_status(version.subresources.as_ref()));
        let at = path.child("validation");
        errors.extend(rules::validate_schema(schema, status, &at.child("openAPIV3Schema")));
    }
    if let Some(subresources) = first.subresources.as_ref().filter(|_| common.subresources) {
        validate_subresources(subresources, &path.child("subresources"), errors);
    }
    if common.columns {
        let columns = first.additional_printer_columns.as_deref().unwrap_or_default();
        validate_columns(columns, &path.child("additionalPrinterColumns"), errors);
    }
    if common.selectable {
        validate_selectable(first, &path.child("selectableFields"), errors);
    }
}

/// Versions as Go's `%#v` writes them; what they have in common was taken out of them before.
fn show_versions(versions: &[CustomResourceDefinitionVersion], common: &Common) -> String {
    // Go shows where in memory a part lies.
    let pointer = |kind: &str, there: bool| match there {
        true => format!("(*{kind})(0xc000000000)"),
        false => format!("(*{kind})(nil)"),
    };
    let show = |version: &CustomResourceDefinitionVersion| {
        format!(
            "apiextensions.CustomResourceDefinitionVersion{{Name:{}, Served:{}, Storage:{}, \
             Deprecated:{}, DeprecationWarning:{}, Schema:{}, Subresources:{}, \
             AdditionalPrinterColumns:[]apiextensions.CustomResourceColumnDefinition(nil), \
             SelectableFields:[]apiextensions.SelectableField(nil)}}",
            quote(&version.name),
            version.served,
            version.storage,
            version.deprecated == Some(true),
            pointer("string", version.deprecation_warning.is_some()),
            pointer(
                "apiextensions.CustomResourceValidation",
                version.schema.is_some() && !common.schema
            ),
            pointer(
                "apiextensions.CustomResourceSubresources",
                version.subresources.is_some() && !common.subresources
            ),
        )
    };
    let shown: Vec<String> = versions.iter().map(show).collect();
    format!("[]apiextensions.CustomResourceDefinitionVersion{{{}}}", shown.join(", "))
}

fn has_status(subresources: Option<&CustomResourceSubresources>) -> bool {
    subresources.is_some_and(|subresources| subresources.status.is_some())
}

fn one_of(value: &str, accepted: &[&str], path: &Path<'_>, errors: &mut Vec<FieldError>) {
    if value.is_empty() {
        errors.push(FieldError::required(path, ""));
    } else if !accepted.contains(&value) {
        errors.push(FieldError::not_supported(path, value, accepted));
    }
}

fn validate_deprecation(
    version: &CustomResourceDefinitionVersion,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let Some(warning) = version.deprecation_warning.as_deref() else { return };
    let mut wrong = |detail: &str| errors.push(FieldError::invalid(path, warning, detail));
    if version.deprecated != Some(true) {
        return wrong("can only be set for deprecated versions");
    }
    if warning.len() > DEPRECATION_LEN_MAX {
        wrong("must be <= 256 characters long");
    }
    if warning.is_empty() {
        wrong("must not be an empty string");
    }
    if let Some((index, _)) = warning.char_indices().find(|(_, c)| c.is_control()) {
        wrong(&format!(
            "must only contain printable UTF-8 characters; non-printable character found at \
             index {index}"
        ));
    }
}

fn validate_names(
    names: &CustomResourceDefinitionNames,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let label = |text: &str| names::dns1035_label(text).join(",");
    for (text, name) in [(Some(&names.plural), "plural"), (names.singular.as_ref(), "singular")] {
        let text = text.map_or("", String::as_str);
        let found = label(text);
        if !text.is_empty() && !found.is_empty() {
            errors.push(FieldError::invalid(path.child(name), text, &found));
        }
    }
    for (text, name) in [(Some(&names.kind), "kind"), (names.list_kind.as_ref(), "listKind")] {
        let text = text.map_or("", String::as_str);
        let found = label(&text.to_lowercase());
        if !text.is_empty() && !found.is_empty() {
            let detail = format!("may have mixed case, but should otherwise match: {found}");
            errors.push(FieldError::invalid(path.child(name), text, &detail));
        }
    }
    let lists = [(&names.short_names, "shortNames"), (&names.categories, "categories")];
    for (list, name) in lists {
        if name == "categories"
            && !names.kind.is_empty()
            && names.list_kind.as_ref() == Some(&names.kind)
        {
            let detail = "kind and listKind may not be the same";
            errors.push(FieldError::invalid(path.child("listKind"), &names.kind, detail));
        }
        for (index, text) in list.iter().flatten().enumerate() {
            let found = label(text);
            if !found.is_empty() {
                let path = path.child(name);
                errors.push(FieldError::invalid(path.index(index), text, &found));
            }
        }
    }
}

fn validate_columns(
    columns: &[CustomResourceColumnDefinition],
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    for (index, column) in columns.iter().enumerate() {
        let path = path.index(index);
        if column.name.is_empty() {
            errors.push(FieldError::required(path.child("name"), ""));
        }
        let detail = format!("must be one of {}", COLUMN_TYPES.join(","));
        if column.type_.is_empty() {
            errors.push(FieldError::required(path.child("type"), &detail));
        } else if !COLUMN_TYPES.contains(&column.type_.as_str()) {
            errors.push(FieldError::invalid(path.child("type"), &column.type_, &detail));
        }
        let format = column.format.as_deref().unwrap_or_default();
        if !format.is_empty() && !COLUMN_FORMATS.contains(&format) {
            let detail = format!("must be one of {}", COLUMN_FORMATS.join(","));
            errors.push(FieldError::invalid(path.child("format"), format, &detail));
        }
        let at = path.child("JSONPath");
        if column.json_path.is_empty() {
            errors.push(FieldError::required(at, ""));
        } else {
            errors.extend(not_simple(&column.json_path, &at));
        }
    }
}

/// What keeps a path from being a simple one.
fn not_simple(text: &str, path: &Path<'_>) -> Option<FieldError> {
    let detail = "must be a simple json path starting with .";
    (!text.starts_with('.')).then(|| FieldError::invalid(path, text, detail))
}

fn validate_subresources(
    subresources: &CustomResourceSubresources,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let Some(scale) = &subresources.scale else { return };
    let path = path.child("scale");
    let selector = scale.label_selector_path.as_deref().unwrap_or_default();
    let paths: [(&str, &str, &[&str], &str); 3] = [
        (&scale.spec_replicas_path, "specReplicasPath", &[".spec."], ".spec"),
        (&scale.status_replicas_path, "statusReplicasPath", &[".status."], ".status"),
        (selector, "labelSelectorPath", &[".spec.", ".status."], "either .spec or .status"),
    ];
    for (text, name, roots, where_) in paths {
        let at = path.child(name);
        if text.is_empty() {
            if name != "labelSelectorPath" {
                errors.push(FieldError::required(at, ""));
            }
        } else if let Some(error) = not_simple(text, &at) {
            errors.push(error);
        } else if !roots.iter().any(|root| text.starts_with(root)) {
            let detail = format!("should be a json path under {where_}");
            errors.push(FieldError::invalid(at, text, &detail));
        }
    }
}

fn validate_selectable(
    version: &CustomResourceDefinitionVersion,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let fields = version.selectable_fields.as_deref().unwrap_or_default();
    let Some(schema) = schema_of(version).filter(|_| !fields.is_empty()) else { return };
    let mut seen: Vec<&str> = Vec::new();
    for (index, SelectableField { json_path }) in fields.iter().enumerate() {
        let path = path.index(index);
        let at = path.child("jsonPath");
        if json_path.is_empty() {
            errors.push(FieldError::required(at, ""));
            continue;
        }
        let found = match schema_at(schema, json_path, false) {
            Ok(found) => found,
            Err(why) => {
                let detail = format!("is an invalid path: {why}");
                errors.push(FieldError::invalid(at, json_path, &detail));
                continue;
            }
        };
        if json_path.split('.').nth(1) == Some("metadata") {
            let detail = "must not point to fields in metadata";
            errors.push(FieldError::invalid(at, json_path, detail));
        }
        if !matches!(found.type_.as_deref(), Some("string" | "boolean" | "integer")) {
            let detail = "must point to a field of type string, boolean or integer. Enum string \
                          fields and strings with formats are allowed.";
            errors.push(FieldError::invalid(at, json_path, detail));
        }
        if seen.contains(&json_path.as_str()) {
            errors.push(FieldError::duplicate(at, json_path));
        } else {
            seen.push(json_path);
        }
    }
    if seen.len() as i64 > SELECTABLE_FIELDS_MAX {
        errors.push(FieldError::too_many(path, seen.len(), SELECTABLE_FIELDS_MAX));
    }
}

fn validate_conversion(
    conversion: &CustomResourceConversion,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    one_of(&conversion.strategy, &["None", "Webhook"], &path.child("strategy"), errors);
    let config_path = path.child("webhookClientConfig");
    let versions_path = path.child("conversionReviewVersions");
    let webhook = conversion.webhook.as_ref();
    let config = webhook.and_then(|webhook| webhook.client_config.as_ref());
    let versions = webhook.map(|webhook| webhook.conversion_review_versions.as_slice());
    let versions = versions.unwrap_or_default();
    if conversion.strategy != "Webhook" {
        let detail = "should not be set when strategy is not set to Webhook";
        if config.is_some() {
            errors.push(FieldError::forbidden(config_path, detail));
        }
        if !versions.is_empty() {
            errors.push(FieldError::forbidden(versions_path, detail));
        }
        return;
    }
    match config {
        None => {
            let detail = "required when strategy is set to Webhook";
            errors.push(FieldError::required(config_path, detail));
        }
        Some(config) if config.url.is_some() == config.service.is_some() => {
            let detail = "exactly one of url or service is required";
            errors.push(FieldError::required(config_path, detail));
        }
        Some(_) => {}
    }
    if versions.is_empty() {
        errors.push(FieldError::required(versions_path, ""));
        return;
    }
    for (index, version) in versions.iter().enumerate() {
        let path = versions_path.index(index);
        if versions.iter().take(index).any(|earlier| earlier == version) {
            errors.push(FieldError::invalid(path, version, "duplicate version"));
            continue;
        }
        for problem in names::dns1035_label(version) {
            errors.push(FieldError::invalid(path, version, &problem));
        }
    }
    if !versions.iter().any(|version| matches!(version.as_str(), "v1" | "v1beta1")) {
        let shown = format!("[]string{{{}}}", quote_all(versions));
        let detail = "must include at least one of v1, v1beta1";
        errors.push(FieldError::invalid_raw(versions_path, shown, detail));
    }
}
