//! The HTTP face of the API server: a request as text in, an answer as text out.
//!
//! Nothing here reads a socket or a clock: whoever has a connection (`naru serve`, a pod that
//! calls `https://kubernetes.default`) reads an [`HttpRequest`], gives it to
//! [`ApiServer::rest`], and writes the [`Answer`].
//!
//! Upstream: `apiserver/pkg/server`, `apiserver/pkg/endpoints`.

mod body;
mod by_path;
mod connect;
mod credentials;
mod discovery;
pub(crate) mod encode;
pub(crate) mod exchange;
mod flow;
mod flow_debug;
mod flow_metrics;
mod go_types;
mod health;
mod http;
mod info;
mod media;
mod metrics;
pub(crate) mod not_found;
mod openapi;
mod openid;
mod proxy;
mod query;
mod resource;
mod subresources;
#[cfg(test)]
mod tests;
mod version;
mod watch;

pub use body::BODY_BYTES_MAX;
pub use encode::{error_response, status};
pub use http::{Answer, Head, HttpRequest, HttpResponse, StreamAnswer, Wants};
pub use openapi::Schemas;
pub use proxy::proxied;
pub use watch::{WatchOutput, Watching};

use crate::{ApiServer, metadata};
use exchange::Exchange;
pub(crate) use flow::{Asks, Flows};
pub(crate) use info::RequestInfo;
pub(crate) use metrics::Asked;
use metrics::{Metrics, Series};
use naru_api::k8s_openapi::api::core::v1::Endpoints;
use naru_api::{ApiError, ApiService, Credentials, Kube, UserInfo, status::ApiResult};
use naru_sim::Rng;
use openapi::OpenApi;
use query::Query;
use serde_json::json;
use std::time::Duration;

/// What the HTTP face keeps.
#[derive(Clone, Debug)]
pub(crate) struct RestState {
    pub metrics: Metrics,
    /// For what is told to clients and not stored, so that reading changes no history.
    rng: Rng,
    pub openapi: OpenApi,
    answers: by_path::Answers,
}

impl RestState {
    pub(crate) fn new(rng: &Rng) -> Self {
        RestState {
            metrics: Metrics::default(),
            rng: rng.fork("rest"),
            openapi: OpenApi::default(),
            answers: by_path::Answers::default(),
        }
    }
}

impl ApiServer {
    /// Answers one HTTP request.
    pub fn rest(&mut self, request: &HttpRequest) -> Answer {
        self.rest_as(request, &credentials::of(request))
    }

    /// Answers one HTTP request of somebody who shows these credentials.
    fn rest_as(&mut self, request: &HttpRequest, credentials: &Credentials) -> Answer {
        let audit_id = self.audit_id(request);
        let counted = self.rest_state().metrics.total();
        let path = http::unescape(&request.path, false);
        let query = Query::parse(&request.query);
        let info = path.map(|path| RequestInfo::new(&request.method, &path, query.flag("watch")));
        let (mut answer, series) = match info {
            Some(Ok(info)) => self.rest_known(request, credentials, info, query),
            _ => {
                let message = format!(
                    "Internal Server Error: \"{}\": unable to determine kind and namespace from url",
                    request.path
                );
                (Answer::Full(HttpResponse::text(500, &message)), Series::default())
            }
        };
        let head = head_of(&mut answer);
        let code = head.as_ref().map_or(101, |head| head.status);
        if let Some(head) = head {
            head.headers.push(("Audit-Id".into(), audit_id));
            if head.get("Cache-Control").is_none() {
                head.headers.push(("Cache-Control".into(), "no-cache, private".to_owned()));
            }
        }
        let metrics = &mut self.rest_state_mut().metrics;
        if metrics.total() == counted {
            metrics.count(series, code, Duration::ZERO);
        }
        answer
    }

    /// Answers a request whose path could be taken apart.
    fn rest_known(
        &mut self,
        request: &HttpRequest,
        credentials: &Credentials,
        info: RequestInfo,
        query: Query,
    ) -> (Answer, Series) {
        let series = series(&info, &query);
        let agent = exchange::program(request.header("user-agent"));
        let nobody = UserInfo::new("", &[]);
        let mut x = Exchange { http: request, info, query, user: nobody, agent };
        match self.authenticate(credentials) {
            Ok(user) => x.user = user,
            Err(error) => return (Answer::Full(unknown_user(&x, &error)), series),
        }
        self.begin_flow(&x.user, &x.info);
        self.take_warnings();
        let answer = if x.info.is_resource {
            self.rest_resource(&x)
        } else {
            self.rest_path(&x).map(Answer::Full)
        };
        let mut answer = answer.unwrap_or_else(|error| Answer::Full(refusal(&x, &error)));
        if let Answer::Full(response) = &mut answer {
            for warning in self.take_warnings() {
                response.head.headers.push(("Warning".into(), warning_header(&warning)));
            }
        }
        let flow = self.end_flow();
        if let Some(head) = head_of(&mut answer) {
            head.headers.extend(flow.into_iter().map(|(name, uid)| (name.into(), uid)));
        }
        (answer, series)
    }

    /// Answers a request for something that is no resource.
    fn rest_path(&mut self, x: &Exchange<'_>) -> ApiResult<HttpResponse> {
        self.authorize_path(&x.user, x.info.verb, &x.info.path)?;
        let path = x.info.path.trim_matches('/');
        let first = path.split('/').next().unwrap_or_default();
        // These have routes by method, the others answer to any.
        let routed = matches!(first, "api" | "apis")
            || matches!(path, ".well-known/openid-configuration" | "openid/v1/jwks" | "version");
        if routed && x.info.verb != "get" {
            return Err(ApiError::method_not_allowed());
        }
        if path.starts_with("api") && matches!(first, "api" | "apis") {
            return self.rest_discovery(x);
        }
        match (first, path) {
            ("healthz" | "livez" | "readyz", _) => self.rest_health(x, first),
            ("openapi", _) => self.rest_openapi(x),
            (_, ".well-known/openid-configuration") => self.rest_openid_configuration(),
            (_, "openid/v1/jwks") => self.rest_key_set(),
            (_, "version") => Ok(HttpResponse::new(200, "application/json", version::version())),
            (_, "metrics") if x.info.verb == "delete" => {
                self.rest_state_mut().metrics = Metrics::default();
                self.flow_control.flows.forget_counts();
                Ok(HttpResponse::new(200, "text/plain; charset=utf-8", "metrics reset\n"))
            }
            (_, "metrics") => Ok(HttpResponse::new(
                200,
                "text/plain; version=0.0.4; charset=utf-8",
                self.rest_metrics(),
            )),
            (_, "") => Ok(self.rest_index()),
            ("debug", _) => self.rest_flow_dump(x, path),
            _ => Err(not_found::page()),
        }
    }

    /// `/`: every path that is served.
    fn rest_index(&self) -> HttpResponse {
        let mut paths: Vec<String> =
            ["/.well-known/openid-configuration", "/api", "/apis", "/apis/"]
                .map(str::to_owned)
                .into();
        for kind in self.kinds() {
            let version = kind.api_version();
            if kind.group.is_empty() {
                paths.push(format!("/api/{version}"));
            } else {
                paths.push(format!("/apis/{}", kind.group));
                paths.push(format!("/apis/{version}"));
            }
        }
        const OTHERS: [&str; 8] = [
            "/healthz",
            "/livez",
            "/metrics",
            "/openapi/v2",
            "/openapi/v3",
            "/openid/v1/jwks",
            "/readyz",
            "/version",
        ];
        paths.extend(OTHERS.map(str::to_owned));
        paths.sort();
        paths.dedup();
        let form = media::Form { pretty: true, ..media::Form::default() };
        encode::written(200, &json!({ "paths": paths }), &form)
    }

    /// Names a request in the audit log; a client may name it itself.
    fn audit_id(&mut self, request: &HttpRequest) -> String {
        match request.header("audit-id") {
            "" => metadata::uid(&mut self.rest_state_mut().rng),
            given => given.to_owned(),
        }
    }

    pub(crate) fn rng_of_rest(&mut self) -> &mut Rng {
        &mut self.rest_state_mut().rng
    }

    /// Where the API server says it can be reached: `172.18.0.2:6443`.
    pub(crate) fn advertised(&self) -> String {
        let found = self.find(&Endpoints::kind(), "default", "kubernetes").ok();
        let subsets = found.as_ref().and_then(|found| found.get::<Endpoints>()?.subsets.as_ref());
        let address = |subset: &naru_api::k8s_openapi::api::core::v1::EndpointSubset| {
            let ip = subset.addresses.as_ref()?.first()?.ip.clone();
            Some(format!("{ip}:{}", subset.ports.as_ref()?.first()?.port))
        };
        subsets.into_iter().flatten().find_map(address).unwrap_or_default()
    }
}

/// Status and headers of an answer that has them.
fn head_of(answer: &mut Answer) -> Option<&mut Head> {
    match answer {
        Answer::Full(response) => Some(&mut response.head),
        Answer::Watch(head, _) | Answer::Log(head, _) | Answer::Proxied(head, _) => Some(head),
        Answer::Stream(_) => None,
    }
}

/// Why it is not known who asks, or as whom.
///
/// Upstream: `Unauthorized` in `apiserver/pkg/endpoints/filters/authentication.go`, and
/// `InternalError` in `apiserver/pkg/endpoints/handlers/responsewriters/errors.go`, which is no
/// `Status`.
fn unknown_user(x: &Exchange<'_>, error: &ApiError) -> HttpResponse {
    let Some(why) = error.message().strip_prefix("Internal error occurred: ") else {
        return refusal(x, error);
    };
    let mark = if x.http.query.is_empty() { "" } else { "?" };
    let uri = naru_api::gofmt::quote(&format!("{}{mark}{}", x.http.path, x.http.query));
    let why = why.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    HttpResponse::text(500, &format!("Internal Server Error: {uri}: {why}"))
}

/// An error in the form that its client understands.
fn refusal(x: &Exchange<'_>, error: &ApiError) -> HttpResponse {
    if not_found::is_page(error) {
        return HttpResponse::text(u16::try_from(error.code()).unwrap_or(404), error.message());
    }
    let code = u16::try_from(error.code()).unwrap_or(500);
    // Who accepts nothing that there is gets it as for people. Upstream: `WriteRawJSON`.
    let form = x.form(&[]);
    let mut form = form.unwrap_or(media::Form { pretty: true, ..media::Form::default() });
    form.conversion = None;
    let mut answer = encode::written(code, &status(error), &form);
    if code == 403 {
        answer.head = answer.head.with("X-Content-Type-Options", "nosniff");
    }
    let details = error.status().details.as_ref();
    if let Some(seconds) = details.and_then(|details| details.retry_after_seconds) {
        answer.head = answer.head.with("Retry-After", seconds.to_string());
    } else if code == 429 {
        answer.head = answer.head.with("Retry-After", "1");
    }
    answer
}

/// `299 - "…"`, RFC 7234. Upstream: `NewWarningHeader` in `apimachinery/pkg/util/net/http.go`.
fn warning_header(text: &str) -> String {
    let text: String = text.chars().filter(|char| !char.is_control()).collect();
    format!("299 - \"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// As what a request is counted.
fn series(info: &RequestInfo, query: &Query) -> Series {
    let verb = match (info.is_resource, info.verb) {
        (_, "create") => "POST".to_owned(),
        (_, "update") => "PUT".to_owned(),
        (true, "patch") if query.get("force").is_some() => "APPLY".to_owned(),
        (_, verb) => verb.to_ascii_uppercase(),
    };
    let scope = match info {
        info if !info.is_resource => "",
        info if !info.name.is_empty() || info.verb == "create" => "resource",
        info if !info.namespace.is_empty() => "namespace",
        _ => "cluster",
    };
    if !info.is_resource {
        return Series { verb, subresource: info.path.clone(), ..Series::default() };
    }
    Series {
        verb,
        group: info.group.clone(),
        version: info.version.clone(),
        resource: info.resource.clone(),
        subresource: info.subresource.clone(),
        scope,
        dry_run: query.get("dryRun").is_some(),
    }
}
