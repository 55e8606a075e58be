//! Requests for resources.
//!
//! Upstream: `apiserver/pkg/endpoints/handlers/{get,create,update,patch,delete}.go`, and the
//! routes of `apiserver/pkg/endpoints/installer.go`.

use crate::ApiServer;
use crate::authorize::{Attributes, Resource, Target};
use crate::rest::encode::{self, IncludeObject};
use crate::rest::exchange::Exchange;
use crate::rest::http::{Answer, Head, HttpResponse};
use crate::rest::media::{self, Encoding, Form};
use crate::rest::query::{Deletion, Patching};
use crate::rest::{Watching, body, not_found, proxy, subresources};
use naru_api::gofmt::quote;
use naru_api::json::Document;
use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::DeleteOptions;
use naru_api::request::{Body, Patch};
use naru_api::service::WatchRequest;
use naru_api::{ApiError, ApiService, KindRef, Op, Request, StrategyRef, status::ApiResult};
use std::time::Duration;

/// How long a watch lasts at least when the client does not say: `--min-request-timeout`.
const WATCH_SECONDS_MIN: u64 = 1_800;

/// The media types of patches.
const PATCHES: [&str; 4] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];

impl ApiServer {
    /// Answers a request for a resource.
    pub(crate) fn rest_resource(&mut self, x: &Exchange<'_>) -> ApiResult<Answer> {
        if !naru_api::measured::versions(&x.info.group).is_empty() {
            return self.rest_metrics_api(x).map(Answer::Full);
        }
        let (kind, subresource) = self.route(x).or_else(|error| {
            // Who may not ask is not told whether there is something to ask for.
            self.authorize_info(x)?;
            Err(error)
        })?;
        if x.info.verb == "watch" && (x.info.name.is_empty() || x.info.watch_prefix) {
            return self.rest_watch(x, kind);
        }
        match subresource {
            "proxy" => self.rest_proxy(x, &kind),
            "exec" | "attach" | "portforward" | "log" => self.rest_connect(x, subresource),
            _ => self.rest_objects(x, kind, subresource).map(Answer::Full),
        }
    }

    /// The kind and the subresource of the path.
    fn route(&self, x: &Exchange<'_>) -> ApiResult<(KindRef, &'static str)> {
        let kind = self.rest_kind(x)?;
        let subresource = check_route(x, &kind)?;
        Ok((kind, subresource))
    }

    /// May the user do what the path and the method say, whether it can be done or not?
    pub(crate) fn authorize_info(&self, x: &Exchange<'_>) -> ApiResult<()> {
        let info = &x.info;
        let target = Target::Resource(Resource {
            group: &info.group,
            resource: &info.resource,
            subresource: &info.subresource,
            namespace: &info.namespace,
            name: &info.name,
            ..Resource::default()
        });
        self.decide(&Attributes { user: &x.user, verb: info.verb, target })
    }

    /// The kind of the path.
    fn rest_kind(&self, x: &Exchange<'_>) -> ApiResult<KindRef> {
        let of_version =
            |kind: &&KindRef| kind.group == x.info.group && kind.version == x.info.version;
        let kinds = self.kinds();
        let found = kinds.iter().filter(of_version).find(|kind| kind.plural == x.info.resource);
        match found {
            Some(kind) => Ok(kind.clone()),
            // Nobody knows the group: upstream answers in plain text then.
            None if self.is_unavailable(&x.info.group, &x.info.version) => {
                Err(not_found::unavailable())
            }
            None if !kinds.iter().any(|kind| of_version(&kind)) => Err(not_found::page()),
            None => Err(ApiError::no_such_path()),
        }
    }

    fn rest_objects(
        &mut self,
        x: &Exchange<'_>,
        kind: KindRef,
        subresource: &'static str,
    ) -> ApiResult<HttpResponse> {
        let form = x.form(media::OBJECTS)?;
        let include = IncludeObject::parse(x.query.text("includeObject"))?;
        let request = self.rest_request(x, &kind, subresource, &form)?;
        let verb = request.op.verb();
        let existed = matches!(verb, "update" | "patch")
            && self.find(&kind, &request.namespace, &request.name).is_ok();
        let creates = verb == "create" || (matches!(verb, "update" | "patch") && !existed);
        let response = self.handle(request)?;
        let code = if creates { 201 } else { 200 };
        encode::answer(code, &response, &form, include)
    }

    /// The request that an HTTP request stands for.
    fn rest_request(
        &self,
        x: &Exchange<'_>,
        kind: &KindRef,
        subresource: &'static str,
        form: &Form,
    ) -> ApiResult<Request> {
        let table = form.conversion.as_ref().is_some_and(|wanted| wanted.kind == "Table");
        let request = Request {
            namespace: if kind.namespaced { x.info.namespace.clone() } else { String::new() },
            name: x.info.name.clone(),
            subresource,
            table,
            ..Request::new(x.user.clone(), x.agent.clone(), kind.clone(), Op::Get)
        };
        match x.info.verb {
            "get" => Ok(Request {
                resource_version: x.query.text("resourceVersion").to_owned(),
                ..request
            }),
            "list" => Ok(Request { op: Op::List(x.query.list_options(false)?), ..request }),
            "create" => self.writing(x, request, "CreateOptions", Op::Create),
            "update" => self.writing(x, request, "UpdateOptions", Op::Update),
            "patch" => patching(x, request),
            "delete" => {
                let (options, dry_run) = deletion(x)?.check()?;
                Ok(Request { op: Op::Delete(options), dry_run, ..request })
            }
            "deletecollection" => {
                let list = x.query.list_options(false)?;
                let (options, dry_run) = deletion(x)?.check()?;
                Ok(Request { op: Op::DeleteCollection(options, list), dry_run, ..request })
            }
            _ => Err(ApiError::method_not_allowed()),
        }
    }

    /// A create or an update.
    fn writing(
        &self,
        x: &Exchange<'_>,
        request: Request,
        what: &'static str,
        op: fn(Body) -> Op,
    ) -> ApiResult<Request> {
        let encoding = media::of_body(x.http.header("content-type"))?;
        body::check_size(&x.http.body)?;
        let options = x.query.write_options(what, Patching::None)?;
        let kind = subresources::find(&request.kind, request.subresource)
            .and_then(|found| found.kind)
            .map_or(&*request.kind.kind, |(_, _, kind)| kind);
        let Document { value, duplicates } = body::object(&x.http.body, encoding, kind)?;
        Ok(Request {
            op: op(Body::Json(value)),
            duplicates,
            dry_run: options.dry_run,
            field_manager: options.field_manager.into(),
            field_validation: options.field_validation,
            ..request
        })
    }

    fn rest_watch(&mut self, x: &Exchange<'_>, kind: KindRef) -> ApiResult<Answer> {
        let mut options = x.query.list_options(true)?;
        if !x.info.name.is_empty() {
            let wanted = format!("metadata.name={}", x.info.name);
            if !options.field_selector.is_empty() && options.field_selector != wanted {
                let message = "fieldSelector metadata.name doesn't match requested name";
                return Err(ApiError::bad_request(message));
            }
            options.field_selector = wanted;
        }
        let form = x.form(media::OBJECTS)?;
        if form.encoding != Encoding::Json {
            return Err(media::not_acceptable(&["application/json;stream=watch"]));
        }
        let include = IncludeObject::parse(x.query.text("includeObject"))?;
        let random = WATCH_SECONDS_MIN + self.rng_of_rest().below(WATCH_SECONDS_MIN);
        let lasts = x.query.timeout()?.unwrap_or(Duration::from_secs(random));
        let until = self.now() + lasts;
        // Without initial events a watch that names no version begins now.
        let silent = x.query.optional_flag("sendInitialEvents") == Some(false)
            && matches!(options.resource_version.as_str(), "" | "0");
        let request = WatchRequest {
            namespace: x.info.namespace.clone(),
            from: silent.then(|| self.store.revision()),
            options,
            deadline: Some(until),
            bookmarks: x.query.flag("allowWatchBookmarks"),
            initial_events: x.query.flag("sendInitialEvents"),
            ..WatchRequest::new(x.user.clone(), x.agent.clone(), kind)
        };
        let id = self.watch(request)?;
        let head = Head::new(200, media::JSON);
        Ok(Answer::Watch(head, Watching::new(id, form.conversion, include, until)))
    }
}

/// Whether there is a route of this path and method; gives the subresource's name.
fn check_route(x: &Exchange<'_>, kind: &KindRef) -> ApiResult<&'static str> {
    let info = &x.info;
    let in_namespace = !info.namespace.is_empty() && kind.namespaced;
    let stray = !info.namespace.is_empty() && !kind.namespaced && kind.plural != "namespaces";
    let nameless_item = kind.namespaced && !in_namespace && !info.name.is_empty();
    if stray || nameless_item {
        return Err(ApiError::no_such_path());
    }
    if info.subresource.is_empty() {
        let across = matches!(info.verb, "list" | "watch") || !kind.namespaced || in_namespace;
        let collection = info.name.is_empty() && !info.watch_prefix;
        let method = !matches!(
            (x.http.method.as_str(), collection),
            ("HEAD", _) | ("POST", false) | ("PUT" | "PATCH", true)
        );
        if !across || !method || !kind.verbs.contains(&info.verb) {
            return Err(ApiError::method_not_allowed());
        }
        return Ok("");
    }
    let found = subresources::find(kind, &info.subresource).ok_or_else(ApiError::no_such_path)?;
    if !info.rest.is_empty() && found.name != "proxy" {
        return Err(ApiError::no_such_path());
    }
    let method = x.http.method.as_str();
    let known = match found.name {
        "proxy" => proxy::METHODS.contains(&method),
        _ => found.verbs().contains(&info.verb) && method != "HEAD",
    };
    if !known {
        return Err(ApiError::method_not_allowed());
    }
    Ok(found.name)
}

fn patching(x: &Exchange<'_>, request: Request) -> ApiResult<Request> {
    let media_type = media::media_type(x.http.header("content-type"));
    // Custom resources have no struct tags by which a strategic merge could go.
    let custom = matches!(request.kind.strategy, StrategyRef::Custom(_));
    let strategic = "application/strategic-merge-patch+json";
    let patches: Vec<&str> =
        PATCHES.into_iter().filter(|known| !custom || *known != strategic).collect();
    let Some(of) = patches.iter().find(|known| **known == media_type) else {
        return Err(media::unsupported(&patches));
    };
    body::check_size(&x.http.body)?;
    let apply = *of == "application/apply-patch+yaml";
    let kind = if apply { Patching::Apply } else { Patching::Other };
    let options = x.query.write_options("PatchOptions", kind)?;
    let encoding = if apply { Encoding::Yaml } else { Encoding::Json };
    let Document { value, duplicates } = body::document(&x.http.body, encoding).map_err(|why| {
        let why = if apply { format!("error decoding YAML: {why}") } else { why };
        ApiError::bad_request(why)
    })?;
    let patch = match *of {
        "application/json-patch+json" => Patch::Json(value),
        "application/merge-patch+json" => Patch::Merge(value),
        "application/apply-patch+yaml" => Patch::Apply { fields: value, force: options.force },
        _ => Patch::Strategic(value),
    };
    Ok(Request {
        op: Op::Patch(patch),
        dry_run: options.dry_run,
        field_manager: options.field_manager.into(),
        field_validation: options.field_validation,
        duplicates,
        ..request
    })
}

/// The options of a deletion: of its body, or of the query when it has none.
fn deletion(x: &Exchange<'_>) -> ApiResult<Deletion> {
    body::check_size(&x.http.body)?;
    if x.http.body.is_empty() {
        return x.query.deletion();
    }
    let encoding = media::of_body(x.http.header("content-type"))?;
    let json = body::stated(&x.http.body, encoding).map_err(unreadable_options)?.value;
    let kind = json["kind"].as_str().unwrap_or_default();
    if !matches!(kind, "" | "DeleteOptions") {
        let version = json["apiVersion"].as_str().unwrap_or_default();
        return Err(unreadable_options(format!(
            "no kind {} is registered for version {} in scheme {}",
            quote(kind),
            quote(version),
            quote("pkg/apis/meta/internalversion/scheme/register.go:27")
        )));
    }
    let read = naru_api::decode::decode_leniently::<DeleteOptions>(&json);
    let (options, _) = read.map_err(unreadable_options)?;
    let preconditions = options.preconditions.unwrap_or_default();
    Ok(Deletion {
        grace_period_seconds: options.grace_period_seconds,
        propagation_policy: options.propagation_policy,
        orphan_dependents: options.orphan_dependents,
        dry_run: options.dry_run.unwrap_or_default(),
        uid: preconditions.uid,
        resource_version: preconditions.resource_version,
    })
}

/// Upstream's v1.33 takes this for a failure of its own; it is the client's since v1.35.
fn unreadable_options(why: String) -> ApiError {
    ApiError::new(500, "", why)
}
