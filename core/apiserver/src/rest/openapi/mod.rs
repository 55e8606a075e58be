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
use crate::rest::http::{Head, HttpResponse, hex};
use crate::rest::{discovery, encode, media, not_found};
use naru_api::{ApiError, ApiService, Kind, KindRef, status::ApiResult};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

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

/// What the API server keeps of OpenAPI.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenApi {
    schemas: Option<Arc<Schemas>>,
    /// Made when first asked for, and anew when other kinds are served.
    documents: Option<Arc<Documents>>,
}

/// All documents, of the kinds that were served when they were made.
#[derive(Debug)]
struct Documents {
    kinds: Vec<KindRef>,
    /// By path: `api/v1`, `apis/apps/v1`.
    v3: BTreeMap<String, Document>,
    v2: Document,
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
        let hash = hex(&Sha256::digest(&text)).to_uppercase();
        Document { text, hash }
    }
}

impl Documents {
    fn new(schemas: &Schemas, kinds: Vec<KindRef>) -> Self {
        let schemas = schemas::all(schemas, &kinds);
        let mut v3 = BTreeMap::new();
        for (path, of_version) in by_version(&kinds) {
            let paths = paths::of(&of_version);
            let wanted = schemas::closure(&schemas, &paths);
            let document = json!({
                "openapi": "3.0.0",
                "info": { "title": "Kubernetes", "version": "v1.33.1" },
                "paths": paths,
                "components": { "schemas": wanted },
            });
            v3.insert(path, Document::new(&document));
        }
        let v2 = Document::new(&swagger::document(&schemas, &paths::of(&kinds)));
        Documents { kinds, v3, v2 }
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
    /// Serves OpenAPI documents, with these schemas of the built-in types.
    pub fn set_openapi(&mut self, schemas: Arc<Schemas>) {
        self.rest_state_mut().openapi = OpenApi { schemas: Some(schemas), documents: None };
    }

    /// `/openapi/v2`, `/openapi/v3` and what lies below.
    pub(crate) fn rest_openapi(&mut self, x: &Exchange<'_>) -> ApiResult<HttpResponse> {
        let path = x.info.path.trim_matches('/');
        let documents = self.documents().ok_or_else(not_found::page)?;
        if x.info.verb != "get" {
            return Err(ApiError::method_not_allowed());
        }
        if path == "openapi/v2" && x.http.header("accept").contains(PROTO_MEDIA) {
            let head = Head::new(200, "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
            return Ok(HttpResponse { head, body: proto_document() });
        }
        if path == "openapi/v2" {
            return Ok(discovery::tagged(x, answer(&documents.v2, media::JSON)));
        }
        let form = x.form(&[])?;
        if path == "openapi/v3" {
            let url = |(path, document): (&String, &Document)| {
                let url = format!("/openapi/v3/{path}?hash={}", document.hash);
                (path.clone(), json!({ "serverRelativeURL": url }))
            };
            let paths: Map<String, Value> = documents.v3.iter().map(url).collect();
            return Ok(encode::written(200, &json!({ "paths": paths }), &form));
        }
        let below = path.strip_prefix("openapi/v3/").unwrap_or_default();
        let document = documents.v3.get(below).ok_or_else(not_found::page)?;
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

    fn documents(&mut self) -> Option<Arc<Documents>> {
        let kinds = self.kinds();
        let openapi = &mut self.rest_state_mut().openapi;
        let schemas = openapi.schemas.as_ref()?;
        match &openapi.documents {
            Some(documents) if documents.are_of(&kinds) => Some(Arc::clone(documents)),
            _ => {
                let made = Arc::new(Documents::new(schemas, kinds));
                openapi.documents = Some(Arc::clone(&made));
                Some(made)
            }
        }
    }
}

fn answer(document: &Document, media_type: &str) -> HttpResponse {
    HttpResponse::new(200, media_type, document.text.clone())
}
