//! Media types: in which form a client wants its answer.
//!
//! Upstream: `apiserver/pkg/endpoints/handlers/negotiation`, `munnerlyn/goautoneg`.

use naru_api::{ApiError, status::ApiResult};

/// `application/json`.
pub(crate) const JSON: &str = "application/json";
/// `application/yaml`.
pub(crate) const YAML: &str = "application/yaml";
/// The types that the API server answers with. Protobuf, which upstream names too, is not among
/// them: a client that insists on it is refused.
const ACCEPTED: [&str; 2] = [JSON, YAML];
/// The types that it reads. Protobuf is turned into JSON by who has the connection
/// (`cli/src/serve/protobuf`).
const READ: [&str; 3] = [JSON, YAML, "application/vnd.kubernetes.protobuf"];

/// How an answer is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// JSON.
    #[default]
    Json,
    /// YAML.
    Yaml,
}

impl Encoding {
    /// Its media type.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Encoding::Json => JSON,
            Encoding::Yaml => YAML,
        }
    }
}

/// Into what the answer is turned before it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Conversion {
    /// `Table`, `PartialObjectMetadata`, …; "" for none.
    pub kind: String,
    /// `meta.k8s.io`.
    pub group: String,
    /// `v1`.
    pub version: String,
}

/// What was negotiated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form {
    /// How it is written.
    pub encoding: Encoding,
    /// What it is turned into.
    pub conversion: Option<Conversion>,
    /// `pretty=1` in the media type.
    pub pretty: bool,
    /// All fields stand in the order of the alphabet: Go has no type for what is written.
    pub sorted: bool,
}

/// What an endpoint can turn its answer into: `(group, version, kind)`.
pub(crate) type Convertible = &'static [(&'static str, &'static str, &'static str)];

/// Of ordinary answers.
pub(crate) const OBJECTS: Convertible = &[
    ("meta.k8s.io", "v1", "Table"),
    ("meta.k8s.io", "v1beta1", "Table"),
    ("meta.k8s.io", "v1", "PartialObjectMetadata"),
    ("meta.k8s.io", "v1", "PartialObjectMetadataList"),
    ("meta.k8s.io", "v1beta1", "PartialObjectMetadata"),
    ("meta.k8s.io", "v1beta1", "PartialObjectMetadataList"),
];

/// One clause of an `Accept` header.
#[derive(Debug)]
struct Clause<'a> {
    kind: &'a str,
    sub: &'a str,
    quality: f64,
    params: Vec<(&'a str, &'a str)>,
}

/// Chooses how to answer.
pub(crate) fn negotiate(accept: &str, convertible: Convertible) -> ApiResult<Form> {
    if accept.is_empty() {
        return Ok(Form::default());
    }
    for clause in clauses(accept) {
        for (encoding, media_type) in [(Encoding::Json, JSON), (Encoding::Yaml, YAML)] {
            let (kind, sub) = media_type.split_once('/').unwrap_or_default();
            let fits = matches!((clause.kind, clause.sub), ("*", "*"))
                || (clause.kind == kind && (clause.sub == sub || clause.sub == "*"));
            if fits && let Some(form) = form(&clause, encoding, convertible) {
                return Ok(form);
            }
        }
    }
    Err(not_acceptable(&ACCEPTED))
}

/// `only the following media types are accepted: …`.
pub(crate) fn not_acceptable(types: &[&str]) -> ApiError {
    let message = format!("only the following media types are accepted: {}", types.join(", "));
    ApiError::new(406, "NotAcceptable", message)
}

/// `the body of the request was in an unknown format …`.
pub(crate) fn unsupported(types: &[&str]) -> ApiError {
    let message = format!(
        "the body of the request was in an unknown format - accepted media types include: {}",
        types.join(", ")
    );
    ApiError::new(415, "UnsupportedMediaType", message)
}

/// How a body is written, from its `Content-Type`.
pub(crate) fn of_body(content_type: &str) -> ApiResult<Encoding> {
    match media_type(content_type).to_ascii_lowercase().as_str() {
        "" | JSON => Ok(Encoding::Json),
        YAML => Ok(Encoding::Yaml),
        _ => Err(unsupported(&READ)),
    }
}

/// A content type without its parameters.
pub(crate) fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// The clauses, best first; of equal quality the more exact ones, then in their order.
fn clauses(accept: &str) -> Vec<Clause<'_>> {
    let mut clauses: Vec<Clause<'_>> = accept.split(',').filter_map(clause).collect();
    let stars = |clause: &Clause<'_>| u8::from(clause.kind == "*") + u8::from(clause.sub == "*");
    clauses.sort_by(|a, b| b.quality.total_cmp(&a.quality).then_with(|| stars(a).cmp(&stars(b))));
    clauses
}

fn clause(text: &str) -> Option<Clause<'_>> {
    let mut parts = text.split(';').map(str::trim);
    let (kind, sub) = match parts.next()?.split_once('/') {
        Some(both) => both,
        // Some old clients write a single star.
        None if text.trim() == "*" => ("*", "*"),
        None => return None,
    };
    let mut clause =
        Clause { kind: kind.trim(), sub: sub.trim(), quality: 1.0, params: Vec::new() };
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        match name.trim() {
            "q" => clause.quality = value.trim().parse().unwrap_or(1.0),
            name => clause.params.push((name, value.trim().trim_matches('"'))),
        }
    }
    Some(clause)
}

fn form(clause: &Clause<'_>, encoding: Encoding, convertible: Convertible) -> Option<Form> {
    let mut form = Form { encoding, ..Form::default() };
    for (name, value) in &clause.params {
        let wanted = &mut form.conversion;
        match *name {
            "as" => wanted.get_or_insert_default().kind = (*value).to_owned(),
            "g" => wanted.get_or_insert_default().group = (*value).to_owned(),
            "v" => wanted.get_or_insert_default().version = (*value).to_owned(),
            "pretty" => form.pretty = *value == "1",
            "stream" if !value.is_empty() && *value != "watch" => return None,
            "sv" if !value.is_empty() => return None,
            _ => {}
        }
    }
    let known = |wanted: &Conversion| {
        convertible.iter().any(|(group, version, kind)| {
            (wanted.group == *group) && wanted.version == *version && wanted.kind == *kind
        })
    };
    form.conversion.as_ref().is_none_or(known).then_some(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(accept: &str) -> String {
        match negotiate(accept, OBJECTS) {
            Ok(form) => {
                let kind = form.conversion.map(|c| c.kind).unwrap_or_default();
                format!("{} {kind}", form.encoding.media_type()).trim_end().to_owned()
            }
            Err(error) => error.code().to_string(),
        }
    }

    #[test]
    fn the_first_that_can_be_had_is_taken() {
        const TABLES: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
        let table = [
            ("", "application/json"),
            ("*/*", "application/json"),
            ("application/*", "application/json"),
            ("text/html, */*;q=0.8", "application/json"),
            ("application/yaml", "application/yaml"),
            ("application/json;q=0.5,application/yaml", "application/yaml"),
            ("application/vnd.kubernetes.protobuf,application/json", "application/json"),
            ("application/vnd.kubernetes.protobuf", "406"),
            ("text/plain", "406"),
            (TABLES, "application/json Table"),
            ("application/json;as=Table;v=v2;g=meta.k8s.io", "406"),
            ("application/json;as=Table;v=v2;g=meta.k8s.io,application/json", "application/json"),
            ("application/json;stream=watch", "application/json"),
            ("application/json;stream=other", "406"),
        ];
        for (accept, want) in table {
            assert_eq!(seen(accept), want, "{accept}");
        }
    }

    #[test]
    fn bodies() {
        assert_eq!(of_body("application/json; charset=utf-8"), Ok(Encoding::Json));
        assert_eq!(of_body(""), Ok(Encoding::Json));
        assert_eq!(of_body("application/yaml"), Ok(Encoding::Yaml));
        assert_eq!(of_body("text/plain").map_err(|error| error.code()), Err(415));
    }
}
