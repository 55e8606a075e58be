//! Patch: the object as JSON, changed, and written as an update; and server-side apply.
//!
//! Upstream: `apiserver/pkg/endpoints/handlers/patch.go`.

use crate::update::check_name;
use crate::{ApiServer, decode, managed, metadata, versions};
use naru_api::decode::{DecodeError, Misfit};
use naru_api::gofmt::{plain, syntax};
use naru_api::managed::{self as fields, Scope};
use naru_api::patch::{self, PatchError};
use naru_api::request::{Body, FieldValidation, Patch};
use naru_api::schema::Node;
use naru_api::wanted::Wanted;
use naru_api::{ApiError, FieldError, Kind, Object, Request, status::ApiResult};
use naru_sim::CauseId;
use serde_json::Value;
use std::sync::Arc;

/// The answer to a strategic merge of a kind that has no struct tags.
const NO_STRATEGIC: &str = "the body of the request was in an unknown format - accepted media \
                            types include: application/json-patch+json, \
                            application/merge-patch+json, application/apply-patch+yaml";

impl ApiServer {
    /// Changes an object by a patch.
    pub(crate) fn patch(&mut self, request: &Request, patch: &Patch) -> ApiResult<Object> {
        let cause = self.record(request, "patch", &request.name);
        if let Patch::Apply { fields, force } = patch {
            return self.apply(request, fields, *force, cause);
        }
        let old = self.find(&request.kind, &request.namespace, &request.name)?;
        check_form(request, patch)?;
        if let Some(new) = self.with_metadata(request, patch, &old)? {
            return self.replace_owned(request, &old, new, cause);
        }
        let result = || {
            let json = match looks_at_owners(patch) {
                true => old.to_json(),
                false => old.content_json(),
            };
            changed(&request.kind, json.map_err(ApiError::internal)?, patch)
        };
        let changed = result()?;
        decode::check_size(&changed)?;
        let shown = || match patch {
            Patch::Strategic(changes) => plain(changes),
            _ => result().map(|result| result.to_string()).unwrap_or_default(),
        };
        let mut new = self.read_patched(request, patch, changed, &shown)?;
        request.kind.strategy.default(&mut new);
        metadata::match_namespace(new.meta_mut(), &request.kind, &request.namespace)?;
        check_name(request, &new)?;
        if versions::by_stored_rules(request).is_some() {
            return self.replace(request, &old, new, cause);
        }
        self.own_update(request, &old, &mut new, &Wanted::everything())?;
        self.replace_owned(request, &old, new, cause)
    }

    /// The result of a patch as an object. `shown` is what the message shows if it cannot be read.
    fn read_patched(
        &mut self,
        request: &Request,
        patch: &Patch,
        changed: Value,
        shown: &dyn Fn() -> String,
    ) -> ApiResult<Object> {
        let invalid = |why: &str| {
            ApiError::invalid_as("", "", "", &[FieldError::invalid("patch", &shown(), why)])
        };
        let stated = |field: &str| changed.get(field).and_then(Value::as_str).map(str::to_owned);
        let (api_version, kind) = (stated("apiVersion"), stated("kind"));
        let wanted = (Some(request.kind.api_version()), Some(request.kind.kind.to_string()));
        if (api_version, kind) != wanted {
            // A patch does not make another kind of an object.
            return self.decode(request, Body::Json(changed));
        }
        let (object, unknown) = decode::read(&request.kind, changed).map_err(|error| {
            invalid(&match patch {
                Patch::Strategic(_) => converter_text(&error),
                _ => error.text,
            })
        })?;
        let strict = request.duplicates.iter().map(|text| match patch {
            Patch::Json(_) => format!("json patch {text}"),
            _ => text.clone(),
        });
        self.judge(request, strict.chain(unknown).collect()).map_err(|text| invalid(&text))?;
        Ok(object)
    }

    /// Lays a configuration over an object, or makes the object.
    fn apply(
        &mut self,
        request: &Request,
        config: &Value,
        force: bool,
        cause: CauseId,
    ) -> ApiResult<Object> {
        let scope = fields::scope(&request.kind, request.subresource);
        check_config(&scope, request, config)?;
        let live = match self.find(&request.kind, &request.namespace, &request.name) {
            Ok(live) => Some(live),
            Err(error) if error.is_not_found() && request.subresource.is_empty() => None,
            Err(error) => return Err(error),
        };
        let before = match &live {
            Some(live) => Some(live.content_json().map_err(ApiError::internal)?),
            None => None,
        };
        let managers = live.as_ref().map(Object::managers).unwrap_or_default();
        let (manager, now) = (managed::writer(request).applier(), self.timestamp());
        let applied =
            fields::apply(&scope, before.as_ref(), &managers, config, manager, force, now)
                .map_err(|conflicts| fields::refused(&conflicts))?;
        let strict = request.duplicates.clone();
        self.judge(request, strict)
            .map_err(|text| ApiError::bad_request(format!("error strict decoding YAML: {text}")))?;
        let mut new = match (applied.object, &live) {
            (Some(json), _) => {
                decode::check_size(&json)?;
                let read = decode::read(&request.kind, json);
                let (mut new, _) = read.map_err(|error| ApiError::new(500, "", error.text))?;
                request.kind.strategy.default(&mut new);
                new
            }
            (None, Some(live)) => live.clone(),
            (None, None) => {
                let empty = fields::empty(&scope);
                decode::read(&request.kind, empty)
                    .map_err(|error| ApiError::new(500, "", error.text))?
                    .0
            }
        };
        new.set_managers(Arc::new(applied.managers));
        metadata::match_namespace(new.meta_mut(), &request.kind, &request.namespace)?;
        if live.is_none() && !new.uid().is_empty() {
            let why = format!(
                "uid mismatch: the provided object specified uid {}, and no existing object was \
                 found",
                new.uid()
            );
            return Err(ApiError::conflict(&request.kind, &request.name, &why));
        }
        check_name(request, &new)?;
        let inner = versions::by_stored_rules(request);
        match live {
            Some(live) if inner.is_none() => self.replace_owned(request, &live, new, cause),
            Some(live) => self.replace(request, &live, new, cause),
            None => {
                self.authorize(request, "create")?;
                let new = versions::to_storage(new);
                let made =
                    self.create_named(inner.as_ref().unwrap_or(request), new, None, cause)?;
                Ok(versions::view(&request.kind, &made).into_owned())
            }
        }
    }
}

/// What a patch has to be before it is laid over an object.
fn check_form(request: &Request, patch: &Patch) -> ApiResult<()> {
    match patch {
        Patch::Json(operations) => check_operations(request, operations),
        Patch::Merge(changes) if !changes.is_object() => {
            let kind = Misfit::type_of(changes);
            let text = match request.field_validation {
                FieldValidation::Ignore => "Invalid JSON Patch".to_owned(),
                _ => format!(
                    "error decoding patch: json: cannot unmarshal {kind} into Go value of type \
                     map[string]interface {{}}"
                ),
            };
            Err(ApiError::bad_request(text))
        }
        Patch::Strategic(_) if request.kind.strategy.custom().is_some() => {
            Err(ApiError::new(415, "UnsupportedMediaType", NO_STRATEGIC))
        }
        _ => Ok(()),
    }
}

/// Whether a patch may look at or change `metadata.managedFields`, which take longer to work out than all
/// the rest and else stay as they are.
pub(crate) fn looks_at_owners(patch: &Patch) -> bool {
    const OWNERS: &str = "/metadata/managedFields";
    let directs = |part: &Value| {
        part.as_object().is_some_and(|fields| fields.keys().any(|name| name.starts_with('$')))
    };
    match patch {
        Patch::Merge(changes) => changes.pointer(OWNERS).is_some(),
        Patch::Strategic(changes) => {
            let metadata = changes.get("metadata");
            changes.pointer(OWNERS).is_some() || directs(changes) || metadata.is_some_and(directs)
        }
        Patch::Json(operations) => {
            let touches = |path: &Value| {
                path.as_str()
                    .is_none_or(|path| OWNERS.starts_with(path) || path.starts_with(OWNERS))
            };
            let operations = operations.as_array().map(Vec::as_slice).unwrap_or_default();
            operations.iter().any(|operation| {
                ["path", "from"].iter().filter_map(|name| operation.get(name)).any(touches)
            })
        }
        Patch::Apply { .. } => true,
    }
}

/// What a configuration has to be before it is merged.
fn check_config(scope: &Scope<'_>, request: &Request, config: &Value) -> ApiResult<()> {
    if !config.is_object() {
        let kind = Misfit::type_of(config);
        return Err(ApiError::bad_request(format!(
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot \
             unmarshal {kind} into Go value of type map[string]interface {{}}"
        )));
    }
    let text = |field: &str| config.get(field).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    if api_version != &*scope.api_version || kind != scope.kind {
        let slash = if api_version.contains('/') { "" } else { "/" };
        return Err(ApiError::bad_request(format!(
            "invalid object type: {slash}{api_version}, Kind={kind}"
        )));
    }
    if config.pointer("/metadata/managedFields").is_some_and(Value::is_array) {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    let mut problems = fields::problems(scope.node, config);
    if problems.is_empty() {
        problems = match decode::read(&request.kind, config.clone()) {
            Ok((_, unknown)) => undeclared(scope, config, &unknown),
            Err(DecodeError { misfit: Some(misfit), .. }) => vec![mistyped(scope, config, &misfit)],
            Err(error) => vec![error.text],
        };
    }
    match problems.as_slice() {
        [] => Ok(()),
        problems => Err(ApiError::new(500, "", fields::misfit(scope, config, problems))),
    }
}

/// Fields that the schema does not have. A kind that prunes says nothing of them.
fn undeclared(scope: &Scope<'_>, config: &Value, unknown: &[String]) -> Vec<String> {
    let path = |text: &String| {
        let path = text.strip_prefix("unknown field \"")?.strip_suffix('"')?;
        Some(format!("{}: field not declared in schema", fields::place(scope.node, config, path).0))
    };
    unknown.iter().filter_map(path).collect()
}

/// A value of a wrong type, as structured-merge-diff tells it.
fn mistyped(scope: &Scope<'_>, config: &Value, misfit: &Misfit) -> String {
    let (path, value) = fields::place(scope.node, config, &misfit.path);
    let raw = plain(value);
    let what = match misfit.wanted.as_str() {
        "string" | "[]uint8" => {
            format!("expected string, got &value.valueUnstructured{{Value:{}}}", syntax(value))
        }
        "int32" | "int64" | "float64" => {
            let got = match value {
                Value::String(_) => "string",
                Value::Bool(_) => "bool",
                Value::Array(_) => "[]interface {}",
                Value::Object(_) => "map[string]interface {}",
                Value::Number(number) if number.is_f64() => "float64",
                _ => "int64",
            };
            format!("expected numeric (int or float), got {got}")
        }
        "bool" => format!("expected boolean, got &{{{raw}}}"),
        wanted if wanted.starts_with("[]") => format!("expected list, got &{{{raw}}}"),
        _ => format!("expected map, got &{{{raw}}}"),
    };
    format!("{path}: {what}")
}

/// What is wrong with the form of a JSON patch.
fn check_operations(request: &Request, operations: &Value) -> ApiResult<()> {
    let lenient = request.field_validation == FieldValidation::Ignore;
    let (list, item, prefix) = match lenient {
        true => ("jsonpatch.Patch", "jsonpatch.Operation", ""),
        false => ("[]handlers.jsonPatchOp", "handlers.jsonPatchOp", "error decoding patch: "),
    };
    let wrong = |value: &Value, wanted: &str| {
        let kind = Misfit::type_of(value);
        let text = format!("{prefix}json: cannot unmarshal {kind} into Go value of type {wanted}");
        Err(ApiError::bad_request(text))
    };
    let Value::Array(operations) = operations else { return wrong(operations, list) };
    if let Some(other) = operations.iter().find(|operation| !operation.is_object()) {
        return wrong(other, item);
    }
    if operations.len() > patch::OPERATIONS_MAX {
        return Err(ApiError::new(
            413,
            "RequestEntityTooLarge",
            format!(
                "Request entity is too large: The allowed maximum operations in a JSON patch is \
                 {}, got {}",
                patch::OPERATIONS_MAX,
                operations.len()
            ),
        ));
    }
    Ok(())
}

/// The error of the converter by which upstream makes an object of a strategic merge's result.
fn converter_text(error: &DecodeError) -> String {
    let Some(misfit) = &error.misfit else { return error.text.clone() };
    let found = misfit.found.split(' ').next().unwrap_or_default();
    let kind = match found {
        "array" => "slice",
        "object" => "map",
        "number" if misfit.found.contains('.') => "float64",
        "number" => "int64",
        other => other,
    };
    match misfit.wanted.as_str() {
        "string" | "bool" | "int32" | "int64" | "float64"
            if matches!(kind, "string" | "bool" | "slice" | "map")
                && !(kind == "string" && misfit.wanted == "string") =>
        {
            format!("unrecognized type: {}", misfit.wanted)
        }
        wanted @ ("string" | "bool" | "int32" | "int64" | "float64") => {
            format!("cannot convert {kind} to {wanted}")
        }
        wanted if wanted.starts_with("[]") => format!("cannot restore slice from {kind}"),
        wanted if wanted.starts_with("map[") => format!("cannot restore map from {kind}"),
        _ => format!("cannot restore struct from: {kind}"),
    }
}

/// An object's JSON after a patch.
pub(crate) fn changed(kind: &Kind, json: Value, patch: &Patch) -> ApiResult<Value> {
    let changed = match patch {
        Patch::Json(operations) => patch::json(json, operations),
        Patch::Merge(changes) => Ok(patch::merge(json, changes)),
        Patch::Strategic(changes) => patch::strategic(Node::of(kind), json, changes),
        // Only whole objects and their status are applied.
        Patch::Apply { .. } => {
            return Err(ApiError::new(415, "UnsupportedMediaType", NO_STRATEGIC));
        }
    };
    changed.map_err(refused)
}

/// Of a patch that does not fit, upstream tells nothing more in the message.
fn refused(error: PatchError) -> ApiError {
    match error {
        PatchError::Malformed(text) => ApiError::bad_request(text),
        PatchError::DoesNotApply(_) => {
            let message = "the server rejected our request due to an error in our request";
            ApiError::new(422, "Invalid", message)
        }
        PatchError::Failed(text) => ApiError::new(500, "", text),
    }
}
