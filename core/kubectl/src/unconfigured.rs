//! What kubectl says where no kubeconfig names a server: it tries `localhost:8080`, where nobody
//! listens, and says so once for every time that it has asked what kinds there are.
//!
//! Upstream: `k8s.io/client-go/discovery/cached/memory/memcache.go`, and the default of
//! `k8s.io/client-go/tools/clientcmd`. The counts were taken from kubectl v1.33.4.

use crate::context::{Context, DryRun};
use crate::failure::{Failure, Result};

/// The server of a kubeconfig that names none.
pub const SERVER: &str = "http://localhost:8080";
const DIAL: &str = "dial tcp 127.0.0.1:8080: connect: connection refused";
/// Where upstream says that discovery failed.
const PLACE: &str = "memcache.go:265";

/// The refusal, with what is said before it.
pub fn refusal(cx: &mut Context<'_>) -> Failure {
    let path = cx.invocation.command_path();
    let command = path.strip_prefix("kubectl ").unwrap_or(&path);
    let files = cx.flags().list("filename");
    if let Some(file) = files.first().filter(|_| validates(command) && !is_off(cx)) {
        return Failure::message(format!(
            "error validating {}: error validating data: failed to download openapi: Get \
             \"{SERVER}/openapi/v2?timeout=32s\": {DIAL}; if you choose to ignore these errors, \
             turn validation off with --validate=false",
            naru_api::gofmt::quote(file)
        ));
    }
    for _ in 0..questions(command) {
        cx.klog_error(
            PLACE,
            &format!(
                "couldn't get current server API group list: Get \"{SERVER}/api?timeout=32s\": \
                 {DIAL}"
            ),
        );
    }
    Failure::Plain(
        "The connection to the server localhost:8080 was refused - did you specify the right host \
         or port?"
            .to_owned(),
        1,
    )
}

/// Why an object cannot be posted, where no server is named: what `kubectl create deployment` and its
/// like say, which ask for no kinds before. `None` where one is named.
pub fn refused_post(cx: &mut Context<'_>, kind: &str, dry_run: DryRun) -> Result<Option<String>> {
    if cx.client_config()?.known_server(cx.flags()).is_some() {
        return Ok(None);
    }
    let kind = crate::mapper::kind_for(&naru_api::scheme::built_in(), kind)?;
    let group = match &*kind.group {
        "" => format!("/api/{}", kind.version),
        group => format!("/apis/{group}/{}", kind.version),
    };
    let namespace = match kind.namespaced {
        true => format!("/namespaces/{}", cx.namespace()?.0),
        false => String::new(),
    };
    let dry_run = if dry_run == DryRun::Server { "dryRun=All&" } else { "" };
    let validation = match cx.flags().text("validate") {
        "warn" => "Warn",
        "ignore" | "false" => "Ignore",
        _ => "Strict",
    };
    Ok(Some(format!(
        "Post \"{SERVER}{group}{namespace}/{}?{dry_run}fieldManager=kubectl-create&\
         fieldValidation={validation}\": {DIAL}",
        kind.plural
    )))
}

/// Whether a command only prints what it makes of its arguments.
pub fn needs_no_server(cx: &Context<'_>) -> bool {
    let path = cx.invocation.command_path();
    let generates = path.strip_prefix("kubectl create ");
    cx.flags().text("dry-run") == "client"
        && generates.is_some_and(|kind| !["role", "clusterrole"].contains(&kind))
}

/// Whether a command checks its files against the server's schemas before all else.
fn validates(command: &str) -> bool {
    ["create", "apply", "replace"].contains(&command)
}

fn is_off(cx: &Context<'_>) -> bool {
    ["false", "ignore"].contains(&cx.flags().text("validate"))
}

/// How often a command asks what kinds there are, before it gives up.
fn questions(command: &str) -> usize {
    match command {
        "version" | "cp" | "events" | "auth whoami" | "cluster-info dump" | "create" => 0,
        "run" | "api-resources" | "api-versions" | "diff" => 1,
        "explain" | "auth can-i" | "taint" | "create role" | "create clusterrole" => 2,
        "logs"
        | "exec"
        | "attach"
        | "port-forward"
        | "debug"
        | "certificate approve"
        | "certificate deny"
        | "cordon"
        | "uncordon"
        | "drain" => 4,
        _ if command.starts_with("top ") || command.starts_with("create ") => 0,
        _ => 5,
    }
}
