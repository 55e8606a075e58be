//! Discovery: which groups, versions and resources there are.
//!
//! Upstream: `apiserver/pkg/endpoints/discovery` and its `aggregated`.

use crate::ApiServer;
use crate::rest::exchange::Exchange;
use crate::rest::http::HttpResponse;
use crate::rest::media::Convertible;
use crate::rest::{encode, not_found, subresources};
use base64ct::{Base64, Encoding as _};
use naru_api::measured;
use naru_api::{ApiService, KindRef, gofmt, scheme, status::ApiResult};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// Where a list of everything can be had at once.
const AGGREGATED: Convertible = &[
    ("apidiscovery.k8s.io", "v2", "APIGroupDiscoveryList"),
    ("apidiscovery.k8s.io", "v2beta1", "APIGroupDiscoveryList"),
];

impl ApiServer {
    /// `/api`, `/apis` and what lies below them, as far as it is discovery.
    pub(crate) fn rest_discovery(&self, x: &Exchange<'_>) -> ApiResult<HttpResponse> {
        let kinds = self.kinds();
        let path = x.info.path.trim_end_matches('/');
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        match parts.as_slice() {
            ["api"] => self.root(x, &kinds, true),
            ["apis"] => self.root(x, &kinds, false),
            ["api", version] => resources(x, &kinds, "", version),
            ["apis", group] => {
                let mut versions = versions(&kinds, group);
                versions.extend(self.served_metrics(group));
                if versions.is_empty() || group.is_empty() {
                    return Err(not_found::page());
                }
                let mut group = api_group(group, &versions);
                if let Some(map) = group.as_object_mut() {
                    map.insert("kind".to_owned(), json!("APIGroup"));
                    map.insert("apiVersion".to_owned(), json!("v1"));
                }
                Ok(encode::written(200, &group, &x.form(&[])?))
            }
            ["apis", group, version] if self.is_unavailable(group, version) => {
                Err(not_found::unavailable())
            }
            ["apis", group, version] => match self.metric_resources(group, version) {
                Some(rows) => resource_list(x, &format!("{group}/{version}"), rows),
                None => resources(x, &kinds, group, version),
            },
            _ => Err(not_found::page()),
        }
    }

    fn root(&self, x: &Exchange<'_>, kinds: &[KindRef], core: bool) -> ApiResult<HttpResponse> {
        let form = x.form(AGGREGATED)?;
        let groups: Vec<&str> =
            groups(kinds).into_iter().filter(|g| g.is_empty() == core).collect();
        if let Some(wanted) = &form.conversion {
            let items: Vec<Value> = groups.iter().map(|group| aggregated(kinds, group)).collect();
            let list = json!({
                "kind": "APIGroupDiscoveryList",
                "apiVersion": format!("apidiscovery.k8s.io/{}", wanted.version),
                "metadata": {},
                "items": items,
            });
            let mut answer = encode::written(200, &list, &form);
            let full = format!(
                "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList",
                wanted.version
            );
            answer.head.headers = vec![("Content-Type".into(), full)];
            return Ok(tagged(x, answer));
        }
        let value = if core {
            json!({
                "kind": "APIVersions",
                "versions": versions(kinds, ""),
                "serverAddressByClientCIDRs": [
                    { "clientCIDR": "0.0.0.0/0", "serverAddress": self.advertised() }
                ],
            })
        } else {
            let group = |group: &&str| api_group(group, &versions(kinds, group));
            let mut listed: Vec<Value> = groups.iter().map(group).collect();
            for (group, _) in measured::VERSIONS {
                let served = self.served_metrics(group);
                listed.extend((!served.is_empty()).then(|| api_group(group, &served)));
            }
            json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": listed })
        };
        Ok(encode::written(200, &value, &form))
    }
}

/// The same document again needs not be sent again.
pub(crate) fn tagged(x: &Exchange<'_>, mut answer: HttpResponse) -> HttpResponse {
    let tag = format!("\"{}\"", gofmt::hex(&Sha256::digest(&answer.body)).to_uppercase());
    if x.http.header_values("if-none-match").any(|known| known == tag) {
        answer.head.status = 304;
        answer.body.clear();
    }
    answer.head = answer.head.with("ETag", tag).with("Vary", "Accept");
    answer
}

/// The groups in their order.
fn groups(kinds: &[KindRef]) -> Vec<&str> {
    let mut groups: Vec<&str> = Vec::new();
    for kind in kinds {
        if !groups.contains(&&*kind.group) {
            groups.push(&kind.group);
        }
    }
    groups
}

/// The versions of a group, the preferred one first.
fn versions<'a>(kinds: &'a [KindRef], group: &str) -> Vec<&'a str> {
    let mut versions: Vec<&str> = Vec::new();
    for kind in kinds.iter().filter(|kind| kind.group == group) {
        if !versions.contains(&&*kind.version) {
            versions.push(&kind.version);
        }
    }
    versions
}

fn api_group(group: &str, versions: &[&str]) -> Value {
    let version = |version: &&str| json!({ "groupVersion": format!("{group}/{version}"), "version": version });
    let versions: Vec<Value> = versions.iter().map(version).collect();
    let preferred = versions.first().cloned();
    json!({ "name": group, "versions": versions, "preferredVersion": preferred })
}

/// `APIResourceList` of one group version.
fn resources(
    x: &Exchange<'_>,
    kinds: &[KindRef],
    group: &str,
    version: &str,
) -> ApiResult<HttpResponse> {
    let mut rows: Vec<(String, Value)> = Vec::new();
    for kind in kinds.iter().filter(|kind| kind.group == group && kind.version == version) {
        rows.push((kind.plural.to_string(), resource(kind)));
        for sub in subresources::of(kind) {
            let name = format!("{}/{}", kind.plural, sub.name);
            let (group, version, of) = sub.kind.unwrap_or(("", "", &kind.kind));
            let mut row = json!({
                "name": name,
                "singularName": "",
                "namespaced": kind.namespaced,
                "kind": of,
                "verbs": sub.verbs(),
            });
            if let (Some(map), true) = (row.as_object_mut(), !group.is_empty()) {
                map.insert("group".to_owned(), json!(group));
                map.insert("version".to_owned(), json!(version));
            }
            rows.push((name, row));
        }
    }
    if rows.is_empty() {
        return Err(not_found::page());
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let group_version =
        if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    resource_list(x, &group_version, rows.into_iter().map(|(_, row)| row).collect())
}

fn resource_list(
    x: &Exchange<'_>,
    group_version: &str,
    rows: Vec<Value>,
) -> ApiResult<HttpResponse> {
    let list = json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": rows,
    });
    Ok(encode::written(200, &list, &x.form(&[])?))
}

fn resource(kind: &KindRef) -> Value {
    let mut row = json!({
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": kind.verbs,
    });
    if let Some(map) = row.as_object_mut() {
        names(map, kind);
        if let Some(hash) = storage_version_hash(kind) {
            map.insert("storageVersionHash".to_owned(), Value::from(hash));
        }
    }
    row
}

/// Tells clients when objects are stored in another version than before; `None` of what is not
/// stored.
///
/// Upstream: `StorageVersionHash` in `apiserver/pkg/endpoints/discovery/storageversionhash.go`.
fn storage_version_hash(kind: &KindRef) -> Option<String> {
    let stored = kind.verbs.contains(&"list")
        && kind.strategy.made_up().is_none()
        && !scheme::metrics().contains(kind);
    let kind = stored.then(|| crate::versions::stored(kind))?;
    let hash = Sha256::digest(format!("{}/{}/{}", kind.group, kind.version, kind.kind));
    Some(Base64::encode_string(hash.get(..8)?))
}

fn names(row: &mut Map<String, Value>, kind: &KindRef) {
    for (name, words) in [("shortNames", &kind.short_names), ("categories", &kind.categories)] {
        let words: Vec<&str> = words.iter().collect();
        if !words.is_empty() {
            row.insert(name.to_owned(), json!(words));
        }
    }
}

/// `APIGroupDiscovery` of one group.
fn aggregated(kinds: &[KindRef], group: &str) -> Value {
    let of_version = |version: &&str| {
        let mut found: Vec<&KindRef> =
            kinds.iter().filter(|kind| kind.group == group && kind.version == **version).collect();
        found.sort_by(|a, b| a.plural.cmp(&b.plural));
        let resources: Vec<Value> = found.into_iter().map(aggregated_resource).collect();
        json!({ "version": version, "resources": resources, "freshness": "Current" })
    };
    let versions: Vec<Value> = versions(kinds, group).iter().map(of_version).collect();
    let mut metadata = Map::new();
    if !group.is_empty() {
        metadata.insert("name".to_owned(), json!(group));
    }
    metadata.insert("creationTimestamp".to_owned(), Value::Null);
    json!({ "metadata": metadata, "versions": versions })
}

fn aggregated_resource(kind: &KindRef) -> Value {
    let of = |group: &str, version: &str, kind: &str| json!({ "group": group, "version": version, "kind": kind });
    let own = of(&kind.group, &kind.version, &kind.kind);
    let mut row = json!({
        "resource": kind.plural,
        "responseKind": own,
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular,
        "verbs": kind.verbs,
    });
    let subresource = |sub: &subresources::Subresource| {
        let response =
            sub.kind.map_or_else(|| own.clone(), |(group, version, kind)| of(group, version, kind));
        json!({ "subresource": sub.name, "responseKind": response, "verbs": sub.verbs() })
    };
    let subs: Vec<Value> = subresources::of(kind).iter().map(subresource).collect();
    if let Some(map) = row.as_object_mut() {
        names(map, kind);
        if !subs.is_empty() {
            map.insert("subresources".to_owned(), Value::Array(subs));
        }
    }
    row
}
