//! Whether rules include other rules.
//!
//! Upstream: `component-helpers/auth/rbac/validation/policy_comparator.go`,
//! `pkg/registry/rbac/validation/policy_compact.go`, `CompactString`.

use super::rules::{covers as url_covers, has, list};
use naru_api::gofmt;
use naru_api::k8s_openapi::api::rbac::v1::PolicyRule;
use std::collections::BTreeSet;

/// Atoms of the rules of one role that are looked at.
const ATOMS_MAX: usize = 100_000;

/// The smallest part of a rule: one verb on one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Atom<'a> {
    Resource { group: &'a str, resource: &'a str, name: Option<&'a str>, verb: &'a str },
    Url { url: &'a str, verb: &'a str },
}

/// What of `wanted` the rules of `owned` do not include, as upstream tells it: a line each.
pub(super) fn missing(owned: &[&PolicyRule], wanted: &[PolicyRule]) -> BTreeSet<String> {
    let atoms = wanted.iter().flat_map(atoms).take(ATOMS_MAX);
    let missing = atoms.filter(|atom| !owned.iter().any(|rule| includes(rule, atom)));
    compact(missing.collect())
}

fn atoms(rule: &PolicyRule) -> Vec<Atom<'_>> {
    let mut atoms = Vec::new();
    let names: Vec<Option<&str>> = match list(&rule.resource_names) {
        [] => vec![None],
        names => names.iter().map(|name| Some(name.as_str())).collect(),
    };
    for group in list(&rule.api_groups) {
        for resource in list(&rule.resources) {
            for verb in &rule.verbs {
                let atom = |name| Atom::Resource { group, resource, name, verb };
                atoms.extend(names.iter().copied().map(atom));
            }
        }
    }
    for url in list(&rule.non_resource_urls) {
        atoms.extend(rule.verbs.iter().map(|verb| Atom::Url { url, verb }));
    }
    atoms
}

fn includes(rule: &PolicyRule, atom: &Atom<'_>) -> bool {
    match atom {
        Atom::Url { url, verb } => {
            let urls = list(&rule.non_resource_urls);
            has(&rule.verbs, verb)
                && list(&rule.resource_names).is_empty()
                && urls.iter().any(|own| url_covers(own, url))
        }
        Atom::Resource { group, resource, name, verb } => {
            let names = list(&rule.resource_names);
            let resources = list(&rule.resources);
            let anywhere = resource.split_once('/').map(|(_, sub)| format!("*/{sub}"));
            has(&rule.verbs, verb)
                && has(list(&rule.api_groups), group)
                && (has(resources, resource)
                    || anywhere.is_some_and(|any| resources.contains(&any)))
                && (names.is_empty() || name.is_some_and(|name| names.iter().any(|n| n == name)))
        }
    }
}

/// Atoms that differ by their verb only become one; each is written as Go would.
fn compact(atoms: Vec<Atom<'_>>) -> BTreeSet<String> {
    let mut groups: Vec<(Atom<'_>, Vec<&str>)> = Vec::new();
    for atom in atoms {
        let (without_verb, verb) = match atom {
            Atom::Resource { group, resource, name, verb } => {
                (Atom::Resource { group, resource, name, verb: "" }, verb)
            }
            Atom::Url { verb, .. } => (atom, verb),
        };
        match groups.iter_mut().find(|(other, _)| *other == without_verb) {
            Some((_, verbs)) => verbs.push(verb),
            None => groups.push((without_verb, vec![verb])),
        }
    }
    groups.into_iter().map(|(atom, verbs)| describe(&atom, &verbs)).collect()
}

fn describe(atom: &Atom<'_>, verbs: &[&str]) -> String {
    let quoted = |text: &str| format!("[{}]", gofmt::quote(text));
    let verbs: Vec<String> = verbs.iter().map(|verb| gofmt::quote(verb)).collect();
    let verbs = format!("Verbs:[{}]", verbs.join(" "));
    match atom {
        Atom::Url { url, .. } => format!("{{NonResourceURLs:{}, {verbs}}}", quoted(url)),
        Atom::Resource { group, resource, name, .. } => {
            let names =
                name.map(|name| format!("ResourceNames:{}, ", quoted(name))).unwrap_or_default();
            let (group, resource) = (quoted(group), quoted(resource));
            format!("{{APIGroups:{group}, Resources:{resource}, {names}{verbs}}}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn rule(json: Value) -> PolicyRule {
        serde_json::from_value(json).unwrap()
    }

    fn resources(verbs: &[&str], resources: &[&str], names: &[&str]) -> PolicyRule {
        rule(json!({"verbs": verbs, "apiGroups": [""], "resources": resources,
            "resourceNames": names}))
    }

    #[test]
    fn what_is_not_held_is_missing() {
        let owned = [
            resources(&["get"], &["pods", "*/scale"], &[]),
            resources(&["delete"], &["pods"], &["web"]),
            rule(json!({"verbs": ["get"], "nonResourceURLs": ["/healthz/*"]})),
        ];
        let owned: Vec<&PolicyRule> = owned.iter().collect();
        let table: [(PolicyRule, &[&str]); 7] = [
            (resources(&["get"], &["pods"], &[]), &[]),
            (resources(&["get"], &["pods"], &["any"]), &[]),
            (resources(&["get"], &["deployments/scale"], &[]), &[]),
            (resources(&["delete"], &["pods"], &["web"]), &[]),
            (
                resources(&["get", "list", "watch"], &["pods"], &[]),
                &[r#"{APIGroups:[""], Resources:["pods"], Verbs:["list" "watch"]}"#],
            ),
            (
                resources(&["delete"], &["pods"], &["web", "db"]),
                &[
                    r#"{APIGroups:[""], Resources:["pods"], ResourceNames:["db"], Verbs:["delete"]}"#,
                ],
            ),
            (
                rule(json!({"verbs": ["get"], "nonResourceURLs": ["/healthz/x", "/metrics"]})),
                &[r#"{NonResourceURLs:["/metrics"], Verbs:["get"]}"#],
            ),
        ];
        for (wanted, lines) in table {
            let found = missing(&owned, std::slice::from_ref(&wanted));
            assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), lines, "{wanted:?}");
        }
    }

    #[test]
    fn everything_includes_all() {
        let all = rule(json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}));
        let wanted = [all.clone(), resources(&["get"], &["pods/log"], &["x"])];
        assert!(missing(&[&all], &wanted).is_empty());
        assert_eq!(missing(&[&wanted[1]], std::slice::from_ref(&all)).len(), 1);
    }
}
