//! Errors as the API server says them: `metav1.Status`.
//!
//! Upstream: `staging/src/k8s.io/apimachinery/pkg/api/errors/errors.go`.

use crate::{FieldError, Kind};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Status, StatusCause, StatusDetails};
use std::fmt;

/// A request was refused; holds the `metav1.Status` that a client is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError(Box<Status>);

/// What a request gives.
pub type ApiResult<T> = Result<T, ApiError>;

impl std::error::Error for ApiError {}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl ApiError {
    /// A failure with this HTTP code, reason and message.
    pub fn new(code: i32, reason: &str, message: impl Into<String>) -> Self {
        ApiError(Box::new(Status {
            code: Some(code),
            message: Some(message.into()),
            reason: Some(reason.to_owned()),
            status: Some("Failure".to_owned()),
            ..Status::default()
        }))
    }

    /// The `metav1.Status`.
    pub fn status(&self) -> &Status {
        &self.0
    }

    /// HTTP code: 404.
    pub fn code(&self) -> i32 {
        self.0.code.unwrap_or(500)
    }

    /// Machine-readable reason: `NotFound`.
    pub fn reason(&self) -> &str {
        self.0.reason.as_deref().unwrap_or_default()
    }

    /// Message for people: `pods "web" not found`.
    pub fn message(&self) -> &str {
        self.0.message.as_deref().unwrap_or_default()
    }

    /// The same with other words for people.
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = Some(message.into());
        self
    }

    /// Whether the object is not there.
    pub fn is_not_found(&self) -> bool {
        self.reason() == "NotFound"
    }

    /// Whether the name is taken.
    pub fn is_already_exists(&self) -> bool {
        self.reason() == "AlreadyExists"
    }

    /// Whether somebody else changed the object first.
    pub fn is_conflict(&self) -> bool {
        self.reason() == "Conflict"
    }

    /// Whether there was no answer at all: see [`ApiError::unreachable`].
    pub fn is_unreachable(&self) -> bool {
        self.0.code == Some(0)
    }

    /// The API server at `address` was not reached. No answer: what Go's `net` says of the attempt
    /// to connect, `connect: connection refused` or `i/o timeout`.
    pub fn unreachable(address: &str, why: &str) -> Self {
        ApiError::new(0, "", format!("dial tcp {address}: {why}"))
    }

    /// `pods "web" not found`.
    pub fn not_found(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", kind.group_resource());
        ApiError::new(404, "NotFound", message).about(&kind.group, &kind.plural, name)
    }

    /// `pods "web" already exists`.
    pub fn already_exists(kind: &Kind, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", kind.group_resource());
        ApiError::new(409, "AlreadyExists", message).about(&kind.group, &kind.plural, name)
    }

    /// As [`ApiError::already_exists`], of a name that the API server made up.
    pub fn generate_name_conflict(kind: &Kind, name: &str) -> Self {
        let message = format!(
            "{} \"{name}\" already exists, the server was not able to generate a unique name for \
             the object",
            kind.group_resource()
        );
        ApiError::new(409, "AlreadyExists", message)
            .about(&kind.group, &kind.plural, name)
            .retry_after(1)
    }

    /// Ask again later. `seconds`: how much later, 0 when that is not known.
    pub fn too_many_requests(message: impl Into<String>, seconds: i32) -> Self {
        ApiError::new(429, "TooManyRequests", message).retry_after(seconds)
    }

    /// `Operation cannot be fulfilled on pods "web": …`.
    pub fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let resource = kind.group_resource();
        let message = format!("Operation cannot be fulfilled on {resource} \"{name}\": {why}");
        ApiError::new(409, "Conflict", message).about(&kind.group, &kind.plural, name)
    }

    /// The object was changed since it was read.
    pub fn stale(kind: &Kind, name: &str) -> Self {
        const WHY: &str = "the object has been modified; please apply your changes to the latest \
                           version and try again";
        ApiError::conflict(kind, name, WHY)
    }

    /// `pods "web" is forbidden: …`.
    pub fn forbidden(kind: &Kind, name: &str, why: &str) -> Self {
        let message = if name.is_empty() {
            format!("{} is forbidden: {why}", kind.group_resource())
        } else {
            format!("{} \"{name}\" is forbidden: {why}", kind.group_resource())
        };
        ApiError::new(403, "Forbidden", message).about(&kind.group, &kind.plural, name)
    }

    /// As [`ApiError::forbidden`], of a resource that may be of no kind.
    pub fn forbidden_resource(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let what = match group {
            "" => resource.to_owned(),
            group => format!("{resource}.{group}"),
        };
        let message = match name {
            "" => format!("{what} is forbidden: {why}"),
            name => format!("{what} \"{name}\" is forbidden: {why}"),
        };
        ApiError::new(403, "Forbidden", message).about(group, resource, name)
    }

    /// `forbidden: …`, of a path that is no resource.
    pub fn forbidden_path(why: &str) -> Self {
        ApiError::new(403, "Forbidden", format!("forbidden: {why}")).about("", "", "")
    }

    /// As [`ApiError::not_found`], of a resource that may be of no kind.
    pub fn not_found_resource(group: &str, resource: &str, name: &str) -> Self {
        let dot = if group.is_empty() { "" } else { "." };
        let message = format!("{resource}{dot}{group} \"{name}\" not found");
        ApiError::new(404, "NotFound", message).about(group, resource, name)
    }

    /// The request itself is wrong.
    pub fn bad_request(message: impl Into<String>) -> Self {
        ApiError::new(400, "BadRequest", message)
    }

    /// The resource knows no such verb.
    pub fn method_not_supported(kind: &Kind, verb: &str) -> Self {
        let message = format!("{verb} is not supported on resources of kind \"{}\"", kind.plural);
        ApiError::new(405, "MethodNotAllowed", message).about(&kind.group, &kind.plural, "")
    }

    /// The path is served, and not for this method.
    pub fn method_not_allowed() -> Self {
        const WHY: &str = "the server does not allow this method on the requested resource";
        ApiError::new(405, "MethodNotAllowed", WHY).about("", "", "")
    }

    /// The path is not served.
    pub fn no_such_path() -> Self {
        const WHY: &str = "the server could not find the requested resource";
        ApiError::new(404, "NotFound", WHY).about("", "", "")
    }

    /// The watch starts before what is kept.
    pub fn expired(message: impl Into<String>) -> Self {
        ApiError::new(410, "Expired", message)
    }

    /// The revision that a read asked for has not come.
    pub fn too_large_resource_version(wanted: u64, current: u64, seconds: i32) -> Self {
        let message = format!("Timeout: Too large resource version: {wanted}, current: {current}");
        ApiError::new(504, "Timeout", message).retry_after(seconds).with_cause(
            "ResourceVersionTooLarge",
            "Too large resource version",
            "",
        )
    }

    /// A list cannot be continued as it was begun; the token goes on with what is there now.
    pub fn inconsistent_continue(token: String) -> Self {
        let mut error = ApiError::expired(
            "The provided continue parameter is too old to display a consistent list result. You \
             can start a new list without the continue parameter, or use the continue token in \
             this response to retrieve the remainder of the results. Continuing with the provided \
             token results in an inconsistent list - objects that were created, modified, or \
             deleted between the time the first chunk was returned and now may show up in the \
             list.",
        );
        error.0.metadata.continue_ = Some(token);
        error
    }

    /// What a server said in a `Status`.
    pub fn from_status(status: Status) -> Self {
        ApiError(Box::new(status))
    }

    /// An answer with this code that is no `Status`; `said` is its text, as far as it is one.
    ///
    /// Upstream: `NewGenericServerResponse`.
    pub fn unexpected_response(code: u16, method: &str, said: &str) -> Self {
        let (reason, message) = match code {
            400 => ("BadRequest", "the server rejected our request for an unknown reason".into()),
            401 => {
                const WHY: &str = "the server has asked for the client to provide credentials";
                ("Unauthorized", WHY.into())
            }
            403 => ("Forbidden", said.to_owned()),
            404 => ("NotFound", "the server could not find the requested resource".into()),
            405 => {
                const WHY: &str = "the server does not allow this method on the requested resource";
                ("MethodNotAllowed", WHY.into())
            }
            406 if matches!(said, "" | "unknown") => {
                const WHY: &str = "the server was unable to respond with a content type that the \
                                   client supports";
                ("NotAcceptable", WHY.into())
            }
            406 => ("NotAcceptable", said.to_owned()),
            409 if method == "POST" => ("AlreadyExists", "the server reported a conflict".into()),
            409 => ("Conflict", "the server reported a conflict".into()),
            415 => ("UnsupportedMediaType", said.to_owned()),
            422 => {
                const WHY: &str = "the server rejected our request due to an error in our request";
                ("Invalid", WHY.into())
            }
            429 => {
                const WHY: &str = "the server has received too many requests and has asked us to \
                                   try again later";
                ("TooManyRequests", WHY.into())
            }
            503 => {
                const WHY: &str = "the server is currently unable to handle the request";
                ("ServiceUnavailable", WHY.into())
            }
            504 => {
                const WHY: &str = "the server was unable to return a response in the time \
                                   allotted, but may still be processing the request";
                ("Timeout", WHY.into())
            }
            500.. => {
                let said = crate::gofmt::quote(said);
                let why = format!(
                    "an error on the server ({said}) has prevented the request from succeeding"
                );
                ("InternalError", why)
            }
            _ => {
                let why = format!(
                    "the server responded with the status code {code} but did not return more \
                     information"
                );
                ("", why)
            }
        };
        ApiError::new(i32::from(code), reason, message).with_cause(
            "UnexpectedServerResponse",
            said,
            "",
        )
    }

    /// Something failed that is nobody's fault outside the API server.
    pub fn internal(why: impl fmt::Display) -> Self {
        ApiError::new(500, "InternalError", format!("Internal error occurred: {why}"))
    }

    /// `Pod "web" is invalid: spec.containers[0].image: Required value`; several causes stand in
    /// brackets.
    pub fn invalid(kind: &Kind, name: &str, causes: &[FieldError]) -> Self {
        ApiError::invalid_as(&kind.group, &kind.kind, name, causes)
    }

    /// The same, said of the resource: `pods "" is invalid: …`.
    pub fn invalid_resource(kind: &Kind, name: &str, causes: &[FieldError]) -> Self {
        ApiError::invalid_as(&kind.group, &kind.plural, name, causes)
    }

    /// The same of a request's options: `ListOptions.meta.k8s.io "" is invalid: …`.
    pub fn invalid_options(kind: &str, causes: &[FieldError]) -> Self {
        ApiError::invalid_as("meta.k8s.io", kind, "", causes)
    }

    /// The same, of a kind that is not in the scheme.
    pub fn invalid_as(group: &str, kind: &str, name: &str, causes: &[FieldError]) -> Self {
        let mut texts: Vec<String> = Vec::new();
        for cause in causes {
            let text = format!("{}: {}", cause.field, cause.message);
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let text = match texts.as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        let dot = if group.is_empty() { "" } else { "." };
        let message = format!("{kind}{dot}{group} \"{name}\" is invalid: {text}");
        let mut error = ApiError::new(422, "Invalid", message).about(group, kind, name);
        if let Some(details) = &mut error.0.details {
            details.causes = Some(causes.iter().map(status_cause).collect());
        }
        error
    }

    /// With one more cause in the details.
    pub fn with_cause(mut self, reason: &str, message: impl Into<String>, field: &str) -> Self {
        let details = self.0.details.get_or_insert_default();
        details.causes.get_or_insert_default().push(StatusCause {
            field: (!field.is_empty()).then(|| field.to_owned()),
            message: Some(message.into()),
            reason: Some(reason.to_owned()),
        });
        self
    }

    /// With other words before its message.
    pub fn prefixed(mut self, prefix: &str) -> Self {
        self.0.message = Some(format!("{prefix}{}", self.message()));
        self
    }

    fn retry_after(mut self, seconds: i32) -> Self {
        let details = self.0.details.get_or_insert_default();
        details.retry_after_seconds = (seconds != 0).then_some(seconds);
        self
    }

    /// With these causes: reason, message, field.
    pub(crate) fn with_causes(
        mut self,
        causes: impl Iterator<Item = (&'static str, String, String)>,
    ) -> Self {
        let cause = |(reason, message, field): (&str, String, String)| StatusCause {
            field: Some(field),
            message: Some(message),
            reason: Some(reason.to_owned()),
        };
        let details = self.0.details.get_or_insert_default();
        details.causes = Some(causes.map(cause).collect());
        self
    }

    fn about(mut self, group: &str, kind: &str, name: &str) -> Self {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        self.0.details = Some(StatusDetails {
            group: some(group),
            kind: some(kind),
            name: some(name),
            ..StatusDetails::default()
        });
        self
    }
}

fn status_cause(cause: &FieldError) -> StatusCause {
    StatusCause {
        field: Some(cause.field.clone()),
        message: Some(cause.message.clone()),
        reason: Some(cause.reason.to_owned()),
    }
}
