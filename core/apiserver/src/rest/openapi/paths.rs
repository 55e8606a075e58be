//! The paths of resources, with what can be done at each.
//!
//! Upstream: `registerResourceHandlers` in `apiserver/pkg/endpoints/installer.go`.

use super::names;
use crate::rest::subresources;
use naru_api::{KindRef, StrategyRef};
use serde_json::{Map, Value, json};

/// What can be done at a path.
struct Action {
    /// `get`, as HTTP says it.
    method: &'static str,
    /// `list`, as `x-kubernetes-action` says it.
    action: &'static str,
    /// `list`, as it begins an operation's name.
    verb: &'static str,
    /// The query parameters.
    parameters: &'static [&'static str],
}

const LISTING: &[&str] = &[
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
];
const WRITING: &[&str] = &["dryRun", "fieldManager", "fieldValidation"];
const PATCHING: &[&str] = &["dryRun", "fieldManager", "fieldValidation", "force"];
const DELETING: &[&str] = &[
    "dryRun",
    "gracePeriodSeconds",
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "orphanDependents",
    "propagationPolicy",
];
const DELETING_MANY: &[&str] = &[
    "continue",
    "dryRun",
    "fieldSelector",
    "gracePeriodSeconds",
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "labelSelector",
    "limit",
    "orphanDependents",
    "propagationPolicy",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
];

const LIST: Action = Action { method: "get", action: "list", verb: "list", parameters: LISTING };
const POST: Action = Action { method: "post", action: "post", verb: "create", parameters: WRITING };
const GET: Action = Action { method: "get", action: "get", verb: "read", parameters: &[] };
const PUT: Action = Action { method: "put", action: "put", verb: "replace", parameters: WRITING };
const PATCH: Action =
    Action { method: "patch", action: "patch", verb: "patch", parameters: PATCHING };
const DELETE: Action =
    Action { method: "delete", action: "delete", verb: "delete", parameters: DELETING };
const DELETE_MANY: Action = Action {
    method: "delete",
    action: "deletecollection",
    verb: "deletecollection",
    parameters: DELETING_MANY,
};

/// The paths of these kinds.
pub(super) fn of(kinds: &[KindRef]) -> Value {
    let mut paths = Map::new();
    for kind in kinds {
        add_kind(kind, &mut paths);
    }
    Value::Object(paths)
}

fn add_kind(kind: &KindRef, paths: &mut Map<String, Value>) {
    let prefix = if kind.group.is_empty() { "api" } else { "apis" };
    let version = format!("/{prefix}/{}", kind.api_version());
    let root = if kind.namespaced {
        format!("{version}/namespaces/{{namespace}}/{}", kind.plural)
    } else {
        format!("{version}/{}", kind.plural)
    };
    let gvk = json!({ "group": kind.group, "kind": kind.kind, "version": kind.version });
    let name = names::of(kind);
    let has = |verb: &str| kind.verbs.contains(&verb);
    let choose = |table: &[(&str, &'static Action)]| -> Vec<&'static Action> {
        table.iter().filter(|(verb, _)| has(verb)).map(|(_, action)| *action).collect()
    };
    let place = Place { kind, gvk, schema: &name, subresource: "" };
    let many = choose(&[("list", &LIST), ("create", &POST), ("deletecollection", &DELETE_MANY)]);
    place.add(paths, root.clone(), &many, "");
    if kind.namespaced && has("list") {
        place.add(paths, format!("{version}/{}", kind.plural), &[&LIST], "ForAllNamespaces");
    }
    let one = choose(&[("get", &GET), ("update", &PUT), ("patch", &PATCH), ("delete", &DELETE)]);
    let item = format!("{root}/{{name}}");
    place.add(paths, item.clone(), &one, "");
    for sub in subresources::of(kind) {
        let (group, version, of) = sub.kind.unwrap_or((&kind.group, &kind.version, &kind.kind));
        let schema = names::of_type(kind, group, version, of);
        let gvk = json!({ "group": group, "kind": of, "version": version });
        let verbs = [("get", &GET), ("create", &POST), ("update", &PUT), ("patch", &PATCH)];
        let verbs = verbs.iter().filter(|(verb, _)| sub.verbs().contains(verb));
        let actions: Vec<&Action> = verbs.map(|(_, action)| *action).collect();
        let place = Place { kind, gvk, schema: &schema, subresource: sub.name };
        place.add(paths, format!("{item}/{}", sub.name), &actions, "");
    }
}

/// Where operations stand.
struct Place<'a> {
    kind: &'a KindRef,
    gvk: Value,
    schema: &'a str,
    subresource: &'a str,
}

impl Place<'_> {
    fn add(&self, paths: &mut Map<String, Value>, path: String, actions: &[&Action], tail: &str) {
        if actions.is_empty() {
            return;
        }
        let mut item = Map::new();
        for action in actions {
            item.insert(action.method.to_owned(), self.operation(action, &path, tail));
        }
        let mut parameters = Vec::new();
        for (name, what) in
            [("name", "name of the object"), ("namespace", "the object's namespace")]
        {
            if path.contains(&format!("{{{name}}}")) {
                parameters.push(json!({
                    "name": name, "in": "path", "required": true, "description": what,
                    "schema": { "type": "string", "uniqueItems": true },
                }));
            }
        }
        parameters.push(query("pretty"));
        item.insert("parameters".to_owned(), Value::Array(parameters));
        paths.insert(path, Value::Object(item));
    }

    fn operation(&self, action: &Action, path: &str, tail: &str) -> Value {
        let parameters: Vec<Value> = action.parameters.iter().map(|name| query(name)).collect();
        let mut operation = json!({
            "description": format!("{} {}", action.verb, self.kind.kind),
            "operationId": self.operation_id(action, path, tail),
            "parameters": parameters,
            "responses": self.responses(action),
            "tags": [tag(self.kind)],
            "x-kubernetes-action": action.action,
            "x-kubernetes-group-version-kind": self.gvk,
        });
        if let (Some(body), Some(map)) = (self.body(action), operation.as_object_mut()) {
            map.insert("requestBody".to_owned(), body);
        }
        operation
    }

    fn operation_id(&self, action: &Action, path: &str, tail: &str) -> String {
        let scope = if path.contains("{namespace}") { "Namespaced" } else { "" };
        let capital = |text: &str| -> String {
            let mut chars = text.chars();
            let first = chars.next().into_iter().flat_map(char::to_uppercase);
            first.chain(chars).collect()
        };
        let subresource = capital(self.subresource);
        let connects = matches!(self.subresource, "attach" | "exec" | "portforward" | "proxy");
        let (verb, how) = match action.verb {
            _ if connects => ("connect", capital(action.method)),
            "deletecollection" => ("delete", "Collection".to_owned()),
            verb => (verb, String::new()),
        };
        let (group, kind) = (group_name(self.kind), &self.kind.kind);
        let version = capital(&self.kind.version);
        format!("{verb}{group}{version}{how}{scope}{kind}{subresource}{tail}")
    }

    fn body(&self, action: &Action) -> Option<Value> {
        let meta = |name: &str| names::reference(&format!("{}{name}", names::META));
        match action.method {
            "post" | "put" => {
                let schema = names::reference(self.schema);
                Some(json!({ "content": { "*/*": { "schema": schema } }, "required": true }))
            }
            "patch" => {
                let mut types = vec![
                    "application/apply-patch+yaml",
                    "application/json-patch+json",
                    "application/merge-patch+json",
                ];
                if matches!(self.kind.strategy, StrategyRef::BuiltIn(_)) {
                    types.push("application/strategic-merge-patch+json");
                }
                let content: Map<String, Value> = types
                    .into_iter()
                    .map(|name| (name.to_owned(), json!({ "schema": meta("Patch") })))
                    .collect();
                Some(json!({ "content": content, "required": true }))
            }
            "delete" => Some(json!({ "content": { "*/*": { "schema": meta("DeleteOptions") } } })),
            _ => None,
        }
    }

    fn responses(&self, action: &Action) -> Value {
        let schema = match action.action {
            "list" => names::reference(&format!("{}List", self.schema)),
            "delete" | "deletecollection" if !self.kind.strategy.returns_deleted() => {
                names::reference(&format!("{}Status", names::META))
            }
            _ => names::reference(self.schema),
        };
        let content: Map<String, Value> = ["application/json", "application/yaml"]
            .map(|name| (name.to_owned(), json!({ "schema": schema })))
            .into_iter()
            .collect();
        let answer = |what: &str| json!({ "description": what, "content": content });
        let mut responses = json!({ "200": answer("OK") });
        if let Some(map) = responses.as_object_mut() {
            if matches!(action.method, "post" | "put" | "patch") {
                map.insert("201".to_owned(), answer("Created"));
            }
            if matches!(action.action, "post" | "delete") {
                map.insert("202".to_owned(), answer("Accepted"));
            }
            map.insert("401".to_owned(), json!({ "description": "Unauthorized" }));
        }
        responses
    }
}

/// `core_v1`, `rbacAuthorization_v1`.
fn tag(kind: &KindRef) -> String {
    let name = group_name(kind);
    let mut chars = name.chars();
    let first: String = chars.next().map(|c| c.to_lowercase().collect()).unwrap_or_default();
    format!("{first}{}_{}", chars.as_str(), kind.version)
}

/// `Core`, `Apps`, `RbacAuthorization`: a group as it stands in an operation's name.
fn group_name(kind: &KindRef) -> String {
    if kind.group.is_empty() {
        return "Core".to_owned();
    }
    let capital = |part: &str| {
        let mut chars = part.chars();
        chars.next().map(|c| c.to_uppercase().chain(chars).collect::<String>()).unwrap_or_default()
    };
    kind.group.trim_end_matches(".k8s.io").split('.').map(capital).collect()
}

/// A query parameter.
fn query(name: &str) -> Value {
    let (of, what) = match name {
        "allowWatchBookmarks" => ("boolean", "tell now and then how far a watch has come"),
        "continue" => ("string", "where a limited list goes on"),
        "dryRun" => ("string", "\"All\": do everything but the writing"),
        "fieldManager" => ("string", "who makes the change; required for apply"),
        "fieldSelector" => ("string", "select objects by fields"),
        "fieldValidation" => {
            ("string", "what becomes of unknown and duplicate fields: Ignore, Warn or Strict")
        }
        "force" => ("boolean", "take over fields of other managers; for apply only"),
        "gracePeriodSeconds" => ("integer", "how long to wait before the object is deleted"),
        "ignoreStoreReadErrorWithClusterBreakingPotential" => {
            ("boolean", "delete an object that cannot be read; unsafe")
        }
        "labelSelector" => ("string", "select objects by labels"),
        "limit" => ("integer", "objects in one answer at most"),
        "orphanDependents" => ("boolean", "deprecated: use propagationPolicy"),
        "pretty" => ("string", "write the answer for people"),
        "propagationPolicy" => {
            ("string", "what becomes of dependents: Orphan, Background or Foreground")
        }
        "resourceVersion" => ("string", "how fresh the answer has to be"),
        "resourceVersionMatch" => ("string", "what resourceVersion means: Exact or NotOlderThan"),
        "sendInitialEvents" => ("boolean", "begin a watch with all that is there"),
        "timeoutSeconds" => ("integer", "how long a list or a watch may last"),
        _ => ("boolean", "watch for changes"),
    };
    json!({
        "name": name, "in": "query", "description": what,
        "schema": { "type": of, "uniqueItems": true },
    })
}
