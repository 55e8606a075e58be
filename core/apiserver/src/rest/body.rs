//! Bodies: from bytes to JSON, with the complaints of Go's decoders.
//!
//! Upstream: `transformDecodeError` in `apiserver/pkg/endpoints/handlers/rest.go`,
//! `sigs.k8s.io/yaml`.

use crate::rest::media::Encoding;
use naru_api::json::{self, Document};
use naru_api::{ApiError, gofmt, status::ApiResult, yaml};
use serde_json::Value;

/// Bytes of a request's body: `--max-request-body-bytes`, 3 MiB.
pub const BODY_BYTES_MAX: usize = 3 * 1024 * 1024;
/// Bytes of a body that an error shows.
const SUMMARY_BYTES: usize = 30;

/// Refuses a body that is too large.
pub(crate) fn check_size(body: &[u8]) -> ApiResult<()> {
    if body.len() <= BODY_BYTES_MAX {
        return Ok(());
    }
    let message = format!("Request entity too large: limit is {BODY_BYTES_MAX}");
    Err(ApiError::new(413, "RequestEntityTooLarge", message))
}

/// The body of an object of `kind`.
pub(crate) fn object(body: &[u8], encoding: Encoding, kind: &str) -> ApiResult<Document> {
    let why = match stated(body, encoding) {
        Ok(document) => return Ok(document),
        Err(why) => why,
    };
    let shown = body.get(..SUMMARY_BYTES).unwrap_or(body);
    let shown = match body.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => String::from_utf8_lossy(shown).into_owned(),
        Some(_) => gofmt::hex(shown),
    };
    let more = if body.len() > SUMMARY_BYTES { " ..." } else { "" };
    Err(ApiError::bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): {why} ({shown}{more})"
    )))
}

/// An object, which may say of which kind it is, or what is wrong with it.
pub(crate) fn stated(body: &[u8], encoding: Encoding) -> Result<Document, String> {
    const UNKNOWN: &str = "couldn't get version/kind; json parse error: ";
    match (document(body, encoding), encoding) {
        (Ok(document), _) if document.value.is_object() => Ok(document),
        (Ok(other), _) => Err(format!("{UNKNOWN}{}", not_an_object(&other.value))),
        (Err(why), Encoding::Json) => Err(format!("{UNKNOWN}{why}")),
        (Err(why), Encoding::Yaml) => Err(why),
    }
}

/// Any JSON or YAML value, or what is wrong with it.
pub(crate) fn document(body: &[u8], encoding: Encoding) -> Result<Document, String> {
    match encoding {
        Encoding::Json => json::read(body).map_err(|error| error.to_string()),
        Encoding::Yaml => {
            let text = std::str::from_utf8(body).map_err(|_| "yaml: invalid UTF-8".to_owned())?;
            let value = yaml::parse(text).map_err(|error| error.to_string())?;
            Ok(Document { value, duplicates: Vec::new() })
        }
    }
}

fn not_an_object(value: &Value) -> String {
    let found = match value {
        Value::Null => return "unexpected end of JSON input".to_owned(),
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) | Value::Object(_) => "array",
    };
    format!(
        "json: cannot unmarshal {found} into Go value of type struct {{ APIVersion string \
         \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_shown() {
        let message = |body: &str| {
            object(body.as_bytes(), Encoding::Json, "Pod").unwrap_err().message().to_owned()
        };
        assert_eq!(
            message("{\"kind\":\"Pod\",\"apiVersion\":\"v1\",x"),
            "the object provided is unrecognized (must be of type Pod): couldn't get version/kind; \
             json parse error: invalid character 'x' looking for beginning of object key string \
             ({\"kind\":\"Pod\",\"apiVersion\":\"v1 ...)"
        );
        assert!(message("hello").ends_with("looking for beginning of value (68656c6c6f)"));
        assert!(message("").ends_with("unexpected end of JSON input (<empty>)"));
        assert!(message("[]").contains("cannot unmarshal array into Go value of type struct {"));
    }

    #[test]
    fn large_bodies_are_refused() {
        assert_eq!(check_size(&vec![0; BODY_BYTES_MAX]), Ok(()));
        let error = check_size(&vec![0; BODY_BYTES_MAX + 1]).unwrap_err();
        assert_eq!(error.message(), "Request entity too large: limit is 3145728");
    }
}
