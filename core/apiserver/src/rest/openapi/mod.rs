//! OpenAPI: what `kubectl explain`, kubectl's checks and code generators read.
//!
//! The schemas of the built-in types are a text that a native build makes and gives to
//! [`ApiServer::set_openapi`]; paths, lists and the schemas of custom resources are made here, of
//! the kinds that are served.
//!
//! Upstream: `kube-openapi/pkg/handler`, `pkg/handler3`, `pkg/builder3`.

mod markers;
mod names;
mod paths;
mod schemas;
mod swagger;

use crate::ApiServer;
use crate::rest::exchange::Exchange;
use crate::rest::http::{Head, HttpResponse};
use crate::rest::{discovery, encode, media, not_found};
use naru_api::{ApiError, ApiService, Kind, KindRef, gofmt, status::ApiResult};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// A year: a document of this hash does not change.
const IMMUTABLE: &str = "public, immutable, max-age=31536000";

/// The schemas of the built-in types by their names, `io.k8s.api.core.v1.Pod`, as
/// `k8s-openapi`'s feature `schemars` writes them.
#[derive(Debug)]
pub struct Schemas(pub(crate) Map<String, Value>);

impl Schemas {
    /// Reads the schemas; anything but a JSON object is refused.
    pub fn new(json: Value) -> Result<Self, String> {
        match json {
            Value::Object(map) => Ok(Schemas(map)),
            _ => Err("the schemas are no JSON object".to_owned()),
        }
    }

    /// Whether the type of a kind is among them.
    pub fn describes(&self, kind: &Kind) -> bool {
        self.0.contains_key(&names::of(kind))
    }
}

/// Where the schemas of the built-in types come from. They are large, so they are read when they
/// are first asked for.
#[derive(Clone, Debug, Default)]
enum Source {
    /// There are none: OpenAPI is not served.
    #[default]
    None,
    /// Somebody brings them when they are asked for; until then OpenAPI is unavailable.
    Awaited {
        /// Whether they were asked for.
        wanted: bool,
    },
    /// They are read from what the program carries.
    Carried(fn() -> Result<Schemas, String>),
    /// Here they are.
    Here(Arc<Schemas>),
}

/// What the API server keeps of OpenAPI.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenApi {
    source: Source,
    /// Made when first asked for, and anew when other kinds are served.
    documents: Option<Arc<Documents>>,
}

/// All documents, of the kinds that were served when they were made. A document is written when it
/// is first asked for.
#[derive(Debug)]
struct Documents {
    kinds: Vec<KindRef>,
    schemas: Map<String, Value>,
    /// By path: `api/v1`, `apis/apps/v1`.
    v3: BTreeMap<String, (Vec<KindRef>, OnceLock<Document>)>,
    v2: OnceLock<Document>,
}

#[derive(Debug)]
struct Document {
    text: Vec<u8>,
    hash: String,
}

impl Document {
    fn new(value: &Value) -> Self {
        // A value that was made here can be written.
        let text = serde_json::to_vec(value).unwrap_or_default();
        let hash = gofmt::hex(&Sha256::digest(&text)).to_uppercase();
        Document { text, hash }
    }
}

impl Documents {
    fn new(schemas: &Schemas, kinds: Vec<KindRef>) -> Self {
        let v3 = by_version(&kinds).into_iter();
        Documents {
            schemas: schemas::all(schemas, &kinds),
            v3: v3.map(|(path, kinds)| (path, (kinds, OnceLock::new()))).collect(),
            v2: OnceLock::new(),
            kinds,
        }
    }

    /// The document of a group version.
    fn v3(&self, path: &str) -> Option<&Document> {
        let (kinds, document) = self.v3.get(path)?;
        Some(document.get_or_init(|| {
            let paths = paths::of(kinds);
            let wanted = schemas::closure(&self.schemas, &paths);
            Document::new(&json!({
                "openapi": "3.0.0",
                "info": { "title": "Kubernetes", "version": "v1.33.1" },
                "paths": paths,
                "components": { "schemas": wanted },
            }))
        }))
    }

    fn v2(&self) -> &Document {
        self.v2.get_or_init(|| {
            Document::new(&swagger::document(&self.schemas, &paths::of(&self.kinds)))
        })
    }

    /// Whether these kinds are served as before.
    fn are_of(&self, kinds: &[KindRef]) -> bool {
        self.kinds.len() == kinds.len()
            && self.kinds.iter().zip(kinds).all(|(a, b)| {
                a.is_same_version(b) && a.strategy.open_api() == b.strategy.open_api()
            })
    }
}

/// The kinds of each group version, by its path.
fn by_version(kinds: &[KindRef]) -> BTreeMap<String, Vec<KindRef>> {
    let mut versions: BTreeMap<String, Vec<KindRef>> = BTreeMap::new();
    for kind in kinds {
        let prefix = if kind.group.is_empty() { "api" } else { "apis" };
        let path = format!("{prefix}/{}", kind.api_version());
        versions.entry(path).or_default().push(kind.clone());
    }
    versions
}

/// What client-go asks `/openapi/v2` for; upstream's answer names it with a dot for the `@`.
const PROTO_MEDIA: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

/// Version 2 in protobuf, without definitions. kubectl reads it when it validates an object of a
/// kind that version 3 does not have: what it does not find here it does not judge.
///
/// Upstream: `openapi_v2.Document` of gnostic-models, fields 1 and 2.
fn proto_document() -> Vec<u8> {
    let field = |number: u8, content: &[u8]| {
        let length = u8::try_from(content.len()).unwrap_or(0);
        [&[number << 3 | 2, length], content].concat()
    };
    let info = [field(1, b"Kubernetes"), field(2, b"v1.33.1")].concat();
    [field(1, b"2.0"), field(2, &info)].concat()
}

impl ApiServer {
    /// Serves OpenAPI documents, with these schemas of the built-in types; without any, none.
    pub fn set_openapi(&mut self, schemas: Option<Arc<Schemas>>) {
        self.set_openapi_source(schemas.map_or(Source::None, Source::Here));
    }

    /// Serves OpenAPI documents, with schemas that are read when they are first asked for.
    pub fn carry_openapi(&mut self, read: fn() -> Result<Schemas, String>) {
        self.set_openapi_source(Source::Carried(read));
    }

    /// Answers that OpenAPI is unavailable for the moment, until somebody who looks at
    /// [`ApiServer::wants_openapi`] brings the schemas.
    pub fn await_openapi(&mut self) {
        self.set_openapi_source(Source::Awaited { wanted: false });
    }

    /// Whether the schemas were asked for and are not here.
    pub fn wants_openapi(&self) -> bool {
        matches!(self.rest_state().openapi.source, Source::Awaited { wanted: true })
    }

    fn set_openapi_source(&mut self, source: Source) {
        self.rest_state_mut().openapi = OpenApi { source, documents: None };
    }

    /// `/openapi/v2`, `/openapi/v3` and what lies below.
    pub(crate) fn rest_openapi(&mut self, x: &Exchange<'_>) -> ApiResult<HttpResponse> {
        let path = x.info.path.trim_matches('/');
        let documents = self.documents()?;
        if x.info.verb != "get" {
            return Err(ApiError::method_not_allowed());
        }
        if path == "openapi/v2" && x.http.header("accept").contains(PROTO_MEDIA) {
            let head = Head::new(200, "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
            return Ok(HttpResponse { head, body: proto_document() });
        }
        if path == "openapi/v2" {
            return Ok(discovery::tagged(x, answer(documents.v2(), media::JSON)));
        }
        let form = x.form(&[])?;
        if path == "openapi/v3" {
            let url = |path: &String| {
                let hash = documents.v3(path).map_or("", |document| &document.hash);
                let url = format!("/openapi/v3/{path}?hash={hash}");
                (path.clone(), json!({ "serverRelativeURL": url }))
            };
            let paths: Map<String, Value> = documents.v3.keys().map(url).collect();
            return Ok(encode::written(200, &json!({ "paths": paths }), &form));
        }
        let below = path.strip_prefix("openapi/v3/").unwrap_or_default();
        let document = documents.v3(below).ok_or_else(not_found::page)?;
        Ok(match x.query.get("hash") {
            Some(hash) if hash != document.hash => {
                let to = format!("/openapi/v3/{below}?hash={}", document.hash);
                let head = Head::new(301, "text/plain").with("Location", to);
                HttpResponse { head, body: Vec::new() }
            }
            Some(_) => {
                let mut found = answer(document, media::JSON);
                found.head = found.head.with("Cache-Control", IMMUTABLE);
                discovery::tagged(x, found)
            }
            None => discovery::tagged(x, answer(document, media::JSON)),
        })
    }

    fn documents(&mut self) -> ApiResult<Arc<Documents>> {
        let kinds = self.kinds();
        let openapi = &mut self.rest_state_mut().openapi;
        if let Source::Carried(read) = openapi.source {
            let schemas = read().map_err(|why| ApiError::internal(&why))?;
            openapi.source = Source::Here(Arc::new(schemas));
        }
        let schemas = match &mut openapi.source {
            Source::Here(schemas) => schemas,
            Source::Awaited { wanted } => {
                *wanted = true;
                let text = "the schemas are being loaded";
                return Err(ApiError::new(503, "ServiceUnavailable", text));
            }
            Source::None | Source::Carried(_) => return Err(not_found::page()),
        };
        match &openapi.documents {
            Some(documents) if documents.are_of(&kinds) => Ok(Arc::clone(documents)),
            _ => {
                let made = Arc::new(Documents::new(schemas, kinds));
                openapi.documents = Some(Arc::clone(&made));
                Ok(made)
            }
        }
    }
}

fn answer(document: &Document, media_type: &str) -> HttpResponse {
    HttpResponse::new(200, media_type, document.text.clone())
}
