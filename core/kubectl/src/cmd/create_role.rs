//! `kubectl create role` and `kubectl create clusterrole`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/create/create_role.go`, `create_clusterrole.go`.

use super::common;
use super::create::{SUBCOMMAND_FLAGS, create_described, name_argument};
use crate::command::Command;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::mapper::kind_for;
use crate::process::Outcome;
use naru_api::KindRef;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// `kubectl create role`
pub static ROLE: Command = Command {
    usage: "role NAME --verb=verb --resource=resource.group/subresource \
            [--resource-name=resourcename] [--dry-run=server|client|none]",
    short: "Create a role with single rule",
    examples: "# Who has this may read pods\n\
               kubectl create role pod-reader --verb=get,list,watch --resource=pods",
    flags: &[
        common::PRINT,
        common::DRY_RUN,
        common::VALIDATE,
        common::SAVE_CONFIG,
        SUBCOMMAND_FLAGS,
        FLAGS,
    ],
    run: role,
    ..Command::EMPTY
};

/// `kubectl create clusterrole`
pub static CLUSTER_ROLE: Command = Command {
    usage: "clusterrole NAME --verb=verb --resource=resource.group [--resource-name=resourcename] \
            [--dry-run=server|client|none]",
    short: "Create a cluster role",
    examples: "# Who has this may read pods everywhere\n\
               kubectl create clusterrole pod-reader --verb=get,list,watch --resource=pods\n\n\
               # And this gathers the rules of others\nkubectl create clusterrole monitoring \
               --aggregation-rule=\"rbac.example.com/aggregate-to-monitoring=true\"",
    flags: &[
        common::PRINT,
        common::DRY_RUN,
        common::VALIDATE,
        common::SAVE_CONFIG,
        SUBCOMMAND_FLAGS,
        FLAGS,
        CLUSTER_FLAGS,
    ],
    run: cluster_role,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::slice("resource", "Resource that the rule applies to"),
    Flag::array("resource-name", "Name that the rule is limited to; may be repeated."),
    Flag::slice("verb", "Verb that applies to the resources contained in the rule"),
];

const CLUSTER_FLAGS: &[Flag] = &[
    Flag::slice("aggregation-rule", "Label of the roles whose rules are gathered: key=value."),
    Flag::slice("non-resource-url", "A partial url that user should have access to."),
];

const RESOURCE_VERBS: [&str; 14] = [
    "*",
    "get",
    "delete",
    "list",
    "create",
    "update",
    "patch",
    "watch",
    "proxy",
    "deletecollection",
    "use",
    "bind",
    "escalate",
    "impersonate",
];
const URL_VERBS: [&str; 8] = ["*", "get", "post", "put", "delete", "patch", "head", "options"];

/// Verbs that only some resources know.
const SPECIAL_VERBS: &[(&str, &[(&str, &str)])] = &[
    ("use", &[("policy", "podsecuritypolicies"), ("extensions", "podsecuritypolicies")]),
    ("bind", ROLES),
    ("escalate", ROLES),
    (
        "impersonate",
        &[
            ("", "users"),
            ("", "serviceaccounts"),
            ("", "groups"),
            ("authentication.k8s.io", "userextras"),
        ],
    ),
];
const ROLES: &[(&str, &str)] =
    &[("rbac.authorization.k8s.io", "roles"), ("rbac.authorization.k8s.io", "clusterroles")];

/// A resource of `--resource`: `deployments.apps/scale`.
struct Resource {
    group: String,
    resource: String,
    subresource: String,
}

fn role(cx: &mut Context<'_>) -> Outcome {
    let name = name_argument(cx)?;
    let (verbs, resources) = (verbs(cx), resources(cx));
    if verbs.is_empty() {
        return Err(Failure::message("at least one verb must be specified"));
    }
    warn_of_verbs(cx, &verbs);
    if resources.is_empty() {
        return Err(Failure::message("at least one resource must be specified"));
    }
    let kinds = cx.kinds()?;
    check_resources(&kinds, &verbs, &resources)?;
    let rules = resource_rules(&kinds, &verbs, &resources, &distinct(cx, "resource-name"));
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": name}, "rules": rules});
    create_described(cx, "roles.rbac.authorization.k8s.io", role, "")
}

fn cluster_role(cx: &mut Context<'_>) -> Outcome {
    let name = name_argument(cx)?;
    let (verbs, resources) = (verbs(cx), resources(cx));
    let (urls, names) = (distinct(cx, "non-resource-url"), distinct(cx, "resource-name"));
    let mut role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": name}, "rules": null});
    if let Some(labels) = aggregation(cx)? {
        if !(urls.is_empty() && verbs.is_empty() && resources.is_empty() && names.is_empty()) {
            return Err(Failure::message(
                "aggregation rule must be specified without nonResourceURLs, verbs, resources or \
                 resourceNames",
            ));
        }
        role["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": labels}]});
    } else {
        let kinds = cx.kinds()?;
        check_cluster_role(cx, &kinds, &verbs, &resources, &urls)?;
        let mut rules = resource_rules(&kinds, &verbs, &resources, &names);
        if !urls.is_empty() {
            rules.push(json!({"nonResourceURLs": urls, "verbs": verbs}));
        }
        role["rules"] = Value::from(rules);
    }
    create_described(cx, "clusterroles.rbac.authorization.k8s.io", role, "")
}

fn check_cluster_role(
    cx: &mut Context<'_>,
    kinds: &[KindRef],
    verbs: &[String],
    resources: &[Resource],
    urls: &[String],
) -> Result<()> {
    if verbs.is_empty() {
        return Err(Failure::message("at least one verb must be specified"));
    }
    if resources.is_empty() && urls.is_empty() {
        return Err(Failure::message("one of resource or nonResourceURL must be specified"));
    }
    if !resources.is_empty() {
        warn_of_verbs(cx, verbs);
        check_resources(kinds, verbs, resources)?;
    }
    if urls.is_empty() {
        return Ok(());
    }
    if let Some(verb) = verbs.iter().find(|verb| !URL_VERBS.contains(&verb.as_str())) {
        return Err(Failure::message(format!("invalid verb: '{verb}' for nonResourceURL")));
    }
    for url in urls.iter().filter(|url| *url != "*") {
        if !url.starts_with('/') {
            return Err(Failure::message("nonResourceURL should start with /"));
        }
        if url.strip_suffix(|_| true).is_some_and(|start| start.contains('*')) {
            return Err(Failure::message(
                "nonResourceURL only supports wildcard matches when '*' is at the end",
            ));
        }
    }
    Ok(())
}

/// The values of a flag, each once.
fn distinct(cx: &Context<'_>, flag: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for value in cx.flags().list(flag) {
        if !all.contains(value) {
            all.push(value.clone());
        }
    }
    all
}

fn verbs(cx: &Context<'_>) -> Vec<String> {
    let verbs = distinct(cx, "verb");
    if verbs.iter().any(|verb| verb == "*") { vec!["*".to_owned()] } else { verbs }
}

fn resources(cx: &Context<'_>) -> Vec<Resource> {
    let mut all = Vec::new();
    for text in cx.flags().list("resource") {
        let (resource, subresource) = text.split_once('/').unwrap_or((text, ""));
        let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
        let parsed = Resource {
            group: group.to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
        };
        if text == "*" {
            return vec![parsed];
        }
        all.push(parsed);
    }
    all
}

fn warn_of_verbs(cx: &mut Context<'_>, verbs: &[String]) {
    for verb in verbs.iter().filter(|verb| !RESOURCE_VERBS.contains(&verb.as_str())) {
        cx.err_line(&format!("Warning: '{verb}' is not a standard resource verb"));
    }
}

/// Group and name of a resource, by its full name if it is served.
fn full_name(kinds: &[KindRef], wanted: &Resource) -> (Result<()>, String, String) {
    let argument = match wanted.group.as_str() {
        "" => wanted.resource.clone(),
        group => format!("{}.{group}", wanted.resource),
    };
    match kind_for(kinds, &argument) {
        Ok(kind) => (Ok(()), kind.group.to_string(), kind.plural.to_string()),
        Err(failure) => (Err(failure), wanted.group.clone(), wanted.resource.clone()),
    }
}

fn check_resources(kinds: &[KindRef], verbs: &[String], resources: &[Resource]) -> Result<()> {
    for wanted in resources {
        match wanted.resource.as_str() {
            "" => {
                return Err(Failure::message(
                    "resource must be specified if apiGroup/subresource specified",
                ));
            }
            "*" => return Ok(()),
            _ => {}
        }
        let (mut found, group, resource) = full_name(kinds, wanted);
        let special = SPECIAL_VERBS.iter().filter(|(verb, _)| verbs.iter().any(|v| v == verb));
        for (verb, known) in special {
            if !known.contains(&(group.as_str(), resource.as_str())) {
                return Err(Failure::message(format!(
                    "can not perform '{verb}' on '{resource}' in group '{group}'"
                )));
            }
            found = Ok(());
        }
        // Upstream shows this one as it is.
        found.map_err(|failure| Failure::Plain(failure.in_list(), 1))?;
    }
    Ok(())
}

/// A rule for each group.
fn resource_rules(
    kinds: &[KindRef],
    verbs: &[String],
    resources: &[Resource],
    names: &[String],
) -> Vec<Value> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for wanted in resources {
        let (_, group, mut resource) = full_name(kinds, wanted);
        if !wanted.subresource.is_empty() {
            resource = format!("{resource}/{}", wanted.subresource);
        }
        let of_group = groups.entry(group).or_default();
        if !of_group.contains(&resource) {
            of_group.push(resource);
        }
    }
    let rule = |(group, resources): (String, Vec<String>)| {
        let mut rule = json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
        if !names.is_empty() {
            rule["resourceNames"] = json!(names);
        }
        rule
    };
    groups.into_iter().map(rule).collect()
}

/// The labels of `--aggregation-rule`.
fn aggregation(cx: &Context<'_>) -> Result<Option<Map<String, Value>>> {
    let mut labels = Map::new();
    for pair in cx.flags().list("aggregation-rule") {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(Failure::message(format!(
                "invalid argument {} for \"--aggregation-rule\" flag: malformed pair, expect \
                 string=string",
                naru_api::gofmt::quote(pair)
            )));
        };
        labels.insert(key.trim().to_owned(), Value::from(value.trim()));
    }
    Ok((!labels.is_empty()).then_some(labels))
}
