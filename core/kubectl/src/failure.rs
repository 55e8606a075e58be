//! What can go wrong, and how kubectl says it.
//!
//! Upstream: `checkErr` in `k8s.io/kubectl/pkg/cmd/util/helpers.go`.

use naru_api::ApiError;

/// Why a command failed.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// Found by kubectl itself; `error: ` is put before it.
    Message(String),
    /// Printed as it is, with this exit code.
    Plain(String, i32),
    /// A message, after a text for standard output that shows what it is about.
    Shown(String, String),
    /// Refused by the API server.
    Api(ApiError),
    /// Refused by the API server while `doing` something with a file: `creating`, `app.yml`.
    Source {
        /// `creating`, `deleting`, `applying patch`.
        doing: String,
        /// The file.
        source: String,
        /// What the API server said.
        error: ApiError,
    },
    /// Several at once.
    Many(Vec<Failure>),
    /// Everything is said already: just end with this code.
    Exit(i32),
}

/// What an operation of a command gives.
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// `error: …`.
    pub fn message(text: impl Into<String>) -> Self {
        Failure::Message(text.into())
    }

    /// Many as one: none is `Ok`.
    pub fn from_many(mut failures: Vec<Failure>) -> Result<()> {
        match failures.len() {
            0 => Ok(()),
            1 => Err(failures.remove(0)),
            _ => Err(Failure::Many(failures)),
        }
    }

    /// Names the file in what the API server said.
    ///
    /// Upstream: `AddSourceToErr`.
    pub fn sourced(self, doing: &str, source: &str) -> Self {
        match self {
            Failure::Api(error) if !source.is_empty() => {
                Failure::Source { doing: doing.to_owned(), source: source.to_owned(), error }
            }
            Failure::Message(text) if !source.is_empty() => {
                let source = naru_api::gofmt::quote(source);
                Failure::Message(format!("error when {doing} {source}: {text}"))
            }
            other => other,
        }
    }

    /// Whether the API server said that the object is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Failure::Api(error) | Failure::Source { error, .. } if error.is_not_found())
    }

    /// The text for standard error, without or with its line ends, and the exit code.
    pub fn report(&self) -> (String, i32) {
        match self {
            Failure::Exit(code) => (String::new(), *code),
            Failure::Plain(text, code) => (text.clone(), *code),
            Failure::Many(failures) => {
                let mut lines = String::new();
                for failure in failures {
                    lines.push_str(&failure.in_list());
                    lines.push('\n');
                }
                (lines, 1)
            }
            Failure::Api(error) | Failure::Source { error, .. } if error.reason() == "Invalid" => {
                (invalid(error), 1)
            }
            Failure::Message(text) | Failure::Shown(_, text) if text.starts_with("error: ") => {
                (text.clone(), 1)
            }
            Failure::Shown(_, text) => (format!("error: {text}"), 1),
            Failure::Message(text) => (format!("error: {text}"), 1),
            Failure::Api(_) | Failure::Source { .. } => (self.in_list(), 1),
        }
    }

    /// The text of one failure among others, which has no `error: ` before it.
    pub fn in_list(&self) -> String {
        match self {
            Failure::Message(text) | Failure::Plain(text, _) | Failure::Shown(_, text) => {
                text.clone()
            }
            Failure::Exit(_) => "exit".to_owned(),
            Failure::Api(error) => from_server(error, error.message()),
            Failure::Source { error, .. } if error.is_unreachable() => from_server(error, ""),
            Failure::Source { doing, source, error } => {
                let source = naru_api::gofmt::quote(source);
                from_server(error, &format!("error when {doing} {source}: {}", error.message()))
            }
            Failure::Many(failures) => {
                let texts: Vec<String> = failures.iter().map(Failure::in_list).collect();
                format!("[{}]", texts.join(", "))
            }
        }
    }

    /// What Go's `err.Error()` gives, to be put into another message.
    pub fn bare(&self) -> String {
        match self {
            Failure::Api(error) => error.message().to_owned(),
            Failure::Source { doing, source, error } => {
                format!(
                    "error when {doing} {}: {}",
                    naru_api::gofmt::quote(source),
                    error.message()
                )
            }
            other => other.in_list(),
        }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Failure::Api(error)
    }
}

fn from_server(error: &ApiError, message: &str) -> String {
    if error.is_unreachable() {
        return unreachable(error.message());
    }
    match error.reason() {
        "Unauthorized" => format!("error: You must be logged in to the server ({message})"),
        "" => format!("Error from server: {message}"),
        reason => format!("Error from server ({reason}): {message}"),
    }
}

/// There was no answer: `dial tcp 172.18.0.2:6443: connect: connection refused`.
///
/// Upstream: `StandardErrorMessage`, for a `url.Error`.
fn unreachable(dial: &str) -> String {
    let refused = dial.strip_suffix(": connect: connection refused");
    match refused.and_then(|dial| dial.strip_prefix("dial tcp ")) {
        Some(host) => format!(
            "The connection to the server {host} was refused - did you specify the right host or \
             port?"
        ),
        None => format!("Unable to connect to the server: {dial}"),
    }
}

/// `The Pod "web" is invalid: spec.x: Required value`; several causes stand in a list.
fn invalid(error: &ApiError) -> String {
    let Some(details) = &error.status().details else {
        return format!("The request is invalid: {}", error.message());
    };
    let kind = details.kind.as_deref().unwrap_or_default();
    let name = details.name.as_deref().unwrap_or_default();
    let mut causes: Vec<String> = Vec::new();
    for cause in details.causes.iter().flatten() {
        let field = cause.field.as_deref().unwrap_or_default();
        let text = format!("{field}: {}", cause.message.as_deref().unwrap_or_default());
        if !causes.contains(&text) {
            causes.push(text);
        }
    }
    let head = if kind.is_empty() && name.is_empty() {
        "The request is invalid".to_owned()
    } else {
        format!("The {kind} {} is invalid", naru_api::gofmt::quote(name))
    };
    match causes.as_slice() {
        [] if kind.is_empty() && name.is_empty() => format!("{head}: {}", error.message()),
        [] => head,
        [cause] => format!("{head}: {cause}"),
        causes => {
            let list: String = causes.iter().map(|cause| format!("* {cause}\n")).collect();
            format!("{head}: \n{list}")
        }
    }
}
