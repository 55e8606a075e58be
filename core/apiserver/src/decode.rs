//! From a request's body to an object with its defaults.
//!
//! Upstream: `apiserver/pkg/endpoints/handlers/create.go`, `transformDecodeError` in
//! `apiserver/pkg/endpoints/handlers/rest.go`.

use crate::{ApiServer, create, keys, limits, versions};
use naru_api::decode::DecodeError;
use naru_api::k8s_openapi::api::core::v1::Pod;
use naru_api::request::{Body, FieldValidation};
use naru_api::{ApiError, Kind, KindRef, Object, Request, scheme, status::ApiResult};
use serde_json::Value;

impl ApiServer {
    /// The object of a request, with defaults.
    pub(crate) fn decode(&mut self, request: &Request, body: Body) -> ApiResult<Object> {
        self.decode_as(request, &request.kind, body)
    }

    /// An object of a request that must be of `kind`, with defaults.
    pub(crate) fn decode_as(
        &mut self,
        request: &Request,
        kind: &KindRef,
        body: Body,
    ) -> ApiResult<Object> {
        let mut size = Ok(());
        let mut object = match body {
            Body::Object(object) => versions::view(kind, &object).into_owned(),
            Body::Json(json) => {
                size = check_size(&json);
                let (object, unknown) = decode_json(kind, json)?;
                let strict = request.duplicates.iter().cloned().chain(unknown).collect();
                self.judge(request, strict).map_err(|text| unreadable(kind, &text))?;
                object
            }
        };
        if !object.kind().is_same_version(kind) {
            return Err(ApiError::bad_request(format!(
                "{} in version \"{}\" cannot be handled as a {}",
                object.kind().kind,
                object.kind().version,
                kind.kind
            )));
        }
        if !self.has_defaults(request, &object) {
            kind.strategy.default(&mut object);
        }
        // What is too large for etcd never comes so far if it is not valid either.
        size.map_err(|large| match kind.strategy.validate(&object).as_slice() {
            [] => large,
            errors => ApiError::invalid(kind, object.name(), errors),
        })?;
        Ok(object)
    }

    /// Whether an object has its defaults already: a pod that has the spec of the stored one.
    fn has_defaults(&self, request: &Request, object: &Object) -> bool {
        let spec = |object: &Object| object.get::<Pod>().and_then(|pod| pod.spec.clone());
        let Some(spec_given) = spec(object).filter(|_| !request.name.is_empty()) else {
            return false;
        };
        let key = keys::of_object(&request.kind, &request.namespace, &request.name);
        let stored = self.store.get(&key);
        stored.and_then(|stored| spec(&stored)).is_some_and(|stored| stored.is_same(&spec_given))
    }

    /// Does with unknown and doubled fields what the request asks for. The error is the text of
    /// the refusal.
    pub(crate) fn judge(&mut self, request: &Request, fields: Vec<String>) -> Result<(), String> {
        match request.field_validation {
            _ if fields.is_empty() => {}
            FieldValidation::Ignore => {}
            FieldValidation::Warn => create::warn(&mut self.warnings, fields),
            FieldValidation::Strict => {
                return Err(format!("strict decoding error: {}", fields.join(", ")));
            }
        }
        Ok(())
    }
}

/// The body is of the right kind, and cannot be read.
fn unreadable(kind: &Kind, why: &str) -> ApiError {
    ApiError::bad_request(format!(
        "{} in version \"{}\" cannot be handled as a {}: {why}",
        kind.kind, kind.version, kind.kind
    ))
}

fn decode_json(kind: &Kind, json: Value) -> ApiResult<(Object, Vec<String>)> {
    let text = |field: &str| json.get(field).and_then(Value::as_str).unwrap_or_default();
    let (given_kind, given_version) = (text("kind"), text("apiVersion"));
    if given_kind.is_empty() && given_version.is_empty() {
        // A body that does not say what it is is what the path says.
        return decode_stated(kind, json);
    }
    if given_kind != kind.kind {
        return Err(wrong_kind(kind, given_kind, given_version));
    }
    if given_version != kind.api_version() {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({given_version}) does not match the expected API \
             version ({})",
            kind.api_version()
        )));
    }
    decode_stated(kind, json)
}

/// The body is of another kind than the path.
fn wrong_kind(kind: &Kind, given: &str, api_version: &str) -> ApiError {
    let version = api_version.rsplit('/').next().unwrap_or_default();
    let known = scheme::by_kind(&scheme::built_in(), api_version, given).is_some();
    let why = if known {
        // Go's packages are named after the group's first part.
        let package = match kind.group.split('.').next().unwrap_or_default() {
            "" => "core",
            package => package,
        };
        let wanted = &kind.kind;
        format!("converting ({version}.{given}) to ({package}.{wanted}): unknown conversion")
    } else {
        format!(
            "no kind \"{given}\" is registered for version \"{api_version}\" in scheme \
             \"pkg/api/legacyscheme/scheme.go:30\""
        )
    };
    ApiError::bad_request(format!(
        "{given} in version \"{version}\" cannot be handled as a {}: {why}",
        kind.kind
    ))
}

fn decode_stated(kind: &Kind, json: Value) -> ApiResult<(Object, Vec<String>)> {
    read(kind, json).map_err(|error| unreadable(kind, &error.text))
}

/// Reads an object of `kind`, whatever kind it says to be; tells unknown fields.
pub(crate) fn read(kind: &Kind, mut json: Value) -> Result<(Object, Vec<String>), DecodeError> {
    if let Some(map) = json.as_object_mut() {
        map.insert("kind".to_owned(), Value::from(&*kind.kind));
        map.insert("apiVersion".to_owned(), Value::from(kind.api_version()));
    }
    kind.strategy.read(json)
}

/// Refuses what is larger than etcd takes.
pub(crate) fn check_size(json: &Value) -> ApiResult<()> {
    struct Counter(usize);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, json).map_err(ApiError::internal)?;
    if counter.0 > limits::OBJECT_BYTES_MAX {
        // etcd's own words, which the API server hands on without a reason.
        return Err(ApiError::new(500, "", "etcdserver: request is too large"));
    }
    Ok(())
}
