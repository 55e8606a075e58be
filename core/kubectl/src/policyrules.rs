//! Rules of roles as kubectl shows them: one row for each resource.
//!
//! Upstream: `k8s.io/kubectl/pkg/util/rbac/rbac.go`, `CombineResourceGroup`.

use serde_json::Value;

/// The headers of the rows.
pub const HEADERS: &str = "Resources\tNon-Resource URLs\tResource Names\tVerbs";

/// A rule about one thing: a resource, with one name or none, or a URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Row {
    verbs: Vec<String>,
    groups: Vec<String>,
    resources: Vec<String>,
    names: Vec<String>,
    urls: Vec<String>,
}

impl Row {
    /// As Go prints the rule, by which rows are sorted.
    fn sort_key(&self) -> String {
        let Row { verbs, groups, resources, names, urls } = self;
        let parts = [
            ("Verbs", verbs),
            ("APIGroups", groups),
            ("Resources", resources),
            ("ResourceNames", names),
            ("NonResourceURLs", urls),
        ];
        parts.map(|(name, list)| format!("{name}:{},", go_list(list))).concat()
    }

    fn text(&self) -> String {
        let (names, verbs) = (go_list(&self.names), go_list(&self.verbs));
        format!("{}\t{}\t{names}\t{verbs}", self.resource(), go_list(&self.urls))
    }

    /// `deployments.apps/scale`.
    fn resource(&self) -> String {
        let Some(resource) = self.resources.first() else { return String::new() };
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let group = self.groups.first().map_or("", String::as_str);
        let dot = if group.is_empty() { "" } else { "." };
        let slash = if subresource.is_empty() { "" } else { "/" };
        format!("{resource}{dot}{group}{slash}{subresource}")
    }
}

/// The rows of these rules, cells separated by tabs.
pub fn rows<'a>(rules: impl IntoIterator<Item = &'a Value>) -> Vec<String> {
    let mut rows: Vec<Row> = Vec::new();
    for row in rules.into_iter().flat_map(break_down) {
        let same = |other: &&mut Row| {
            row.urls.is_empty()
                && (&other.groups, &other.resources, &other.names, &other.urls)
                    == (&row.groups, &row.resources, &row.names, &row.urls)
        };
        match rows.iter_mut().find(same) {
            Some(there) => {
                for verb in row.verbs {
                    if !there.verbs.contains(&verb) {
                        there.verbs.push(verb);
                    }
                }
            }
            None => rows.push(row),
        }
    }
    rows.sort_by_cached_key(Row::sort_key);
    rows.iter().map(Row::text).collect()
}

/// A rule as rules of one verb on one thing each.
fn break_down(rule: &Value) -> Vec<Row> {
    let list = |field: &str| -> Vec<&str> {
        rule[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let one = |text: &str| vec![text.to_owned()];
    let names: Vec<Vec<String>> = match list("resourceNames") {
        names if names.is_empty() => vec![Vec::new()],
        names => names.into_iter().map(one).collect(),
    };
    let mut rows = Vec::new();
    for group in list("apiGroups") {
        for resource in list("resources") {
            for verb in list("verbs") {
                rows.extend(names.iter().map(|names| Row {
                    verbs: one(verb),
                    groups: one(group),
                    resources: one(resource),
                    names: names.clone(),
                    urls: Vec::new(),
                }));
            }
        }
    }
    for url in list("nonResourceURLs") {
        let row = |verb| Row { verbs: one(verb), urls: one(url), ..Row::default() };
        rows.extend(list("verbs").into_iter().map(row));
    }
    rows
}

/// A list as Go's `%v` writes it: `[a b]`.
pub fn go_list(list: &[String]) -> String {
    format!("[{}]", list.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn verbs_on_one_thing_are_one_row() {
        let rules = [
            json!({"verbs": ["get", "list"], "apiGroups": ["", "apps"],
                "resources": ["pods", "deployments/scale"]}),
            json!({"verbs": ["watch", "get"], "apiGroups": [""], "resources": ["pods"]}),
            json!({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"],
                "resourceNames": ["a", "b"]}),
            json!({"verbs": ["get", "post"], "nonResourceURLs": ["/healthz"]}),
        ];
        let wanted = [
            "pods\t[]\t[]\t[get list watch]",
            "deployments/scale\t[]\t[]\t[get list]",
            "deployments.apps/scale\t[]\t[]\t[get list]",
            "pods.apps\t[]\t[]\t[get list]",
            "\t[/healthz]\t[]\t[get]",
            "secrets\t[]\t[a]\t[get]",
            "secrets\t[]\t[b]\t[get]",
            "\t[/healthz]\t[]\t[post]",
        ];
        assert_eq!(rows(&rules), wanted);
    }
}
