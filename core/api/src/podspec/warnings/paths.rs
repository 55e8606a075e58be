//! Files of a volume that are in each other's way.
//!
//! Upstream: `warningsForOverlappingVirtualPaths` in `pkg/api/pod/warnings.go`.

use crate::gofmt::quote;
use k8s_openapi::api::core::v1::{
    DownwardAPIVolumeFile, KeyToPath, ProjectedVolumeSource, Volume, VolumeProjection,
};

/// The warnings of volumes in which two files have the same path, or one is in the other.
pub(super) fn overlapping(volumes: &[Volume]) -> Vec<String> {
    let mut warnings = Vec::new();
    for volume in volumes {
        let mut told = |what: &str, files: Vec<File<'_>>| {
            let name = quote(&volume.name);
            let text = |overlap| format!("volume {name} ({what}): overlapping paths: {overlap}");
            warnings.extend(overlaps(files).into_iter().map(text));
        };
        if let Some(map) = &volume.config_map {
            let files = keys(map.items.as_deref(), "");
            told(&format!("ConfigMap {}", quote(&map.name)), files);
        }
        if let Some(secret) = &volume.secret {
            let name = secret.secret_name.as_deref().unwrap_or_default();
            told(&format!("Secret {}", quote(name)), keys(secret.items.as_deref(), ""));
        }
        if let Some(downward) = &volume.downward_api {
            told("DownwardAPI", fields(downward.items.as_deref(), ""));
        }
        if let Some(ProjectedVolumeSource { sources, .. }) = volume.projected.as_deref() {
            let sources = sources.as_deref().unwrap_or_default();
            let empty = sources.iter().filter(|it| **it == VolumeProjection::default()).count();
            told("Projected", sources.iter().flat_map(projection).collect());
            for _ in 0..empty {
                let name = quote(&volume.name);
                warnings.push(format!("volume {name} (Projected) has no sources provided"));
            }
        }
    }
    warnings
}

/// A path, and where what is there comes from.
#[derive(PartialEq)]
struct File<'a> {
    path: &'a str,
    source: String,
}

impl File<'_> {
    fn text(&self) -> String {
        if self.source.is_empty() {
            quote(self.path)
        } else {
            format!("{} ({})", quote(self.path), self.source)
        }
    }
}

fn keys<'a>(items: Option<&'a [KeyToPath]>, source: &str) -> Vec<File<'a>> {
    let paths = items.unwrap_or_default().iter().map(|item| item.path.as_str());
    paths.map(|path| File { path, source: source.to_owned() }).collect()
}

fn fields<'a>(items: Option<&'a [DownwardAPIVolumeFile]>, source: &str) -> Vec<File<'a>> {
    let paths = items.unwrap_or_default().iter().map(|item| item.path.as_str());
    paths.map(|path| File { path, source: source.to_owned() }).collect()
}

fn projection(source: &VolumeProjection) -> Vec<File<'_>> {
    if let Some(map) = source.config_map.as_ref().filter(|map| map.items.is_some()) {
        return keys(map.items.as_deref(), &format!("ConfigMap {}", quote(&map.name)));
    }
    if let Some(secret) = source.secret.as_ref().filter(|secret| secret.items.is_some()) {
        return keys(secret.items.as_deref(), &format!("Secret {}", quote(&secret.name)));
    }
    if let Some(downward) = source.downward_api.as_ref().filter(|it| it.items.is_some()) {
        return fields(downward.items.as_deref(), "DownwardAPI");
    }
    if let Some(token) = &source.service_account_token {
        return vec![File { path: &token.path, source: "ServiceAccountToken".to_owned() }];
    }
    match &source.cluster_trust_bundle {
        Some(bundle) => {
            let name = bundle.name.as_ref().or(bundle.signer_name.as_ref());
            let name = quote(name.map(String::as_str).unwrap_or_default());
            vec![File { path: &bundle.path, source: format!("ClusterTrustBundle {name}") }]
        }
        None => Vec::new(),
    }
}

fn overlaps(files: Vec<File<'_>>) -> Vec<String> {
    let mut told = Vec::new();
    let mut before: Vec<File<'_>> = Vec::new();
    for mut file in files {
        file.path = file.path.trim_end_matches('/');
        let others = before.iter().filter(|other| meet(other, &file));
        told.extend(others.map(|other| format!("{} with {}", file.text(), other.text())));
        before.push(file);
    }
    told
}

fn meet(one: &File<'_>, other: &File<'_>) -> bool {
    let inside = |outer: &str, inner: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let both = !one.path.is_empty() && !other.path.is_empty();
    both && (inside(one.path, other.path) || inside(other.path, one.path))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    fn overlapping(volume: Value) -> Vec<String> {
        super::overlapping(&[serde_json::from_value(volume).unwrap()])
    }

    #[test]
    fn messages_are_upstreams() {
        let keys = |paths: &[&str]| -> Value {
            paths.iter().map(|path| json!({"key": "k", "path": path})).collect()
        };
        let map =
            |paths: &[&str]| json!({"name": "v", "configMap": {"name": "m", "items": keys(paths)}});
        assert_eq!(overlapping(map(&["a", "b/c"])), [""; 0]);
        assert_eq!(overlapping(map(&["a", "ab"])), [""; 0]);
        assert_eq!(
            overlapping(map(&["a", "a/b"])),
            ["volume \"v\" (ConfigMap \"m\"): overlapping paths: \"a/b\" with \"a\""]
        );
        let projected = json!({"name": "v", "projected": {"sources": [
            {"configMap": {"name": "m", "items": keys(&["t"])}},
            {"serviceAccountToken": {"path": "t"}}]}});
        assert_eq!(
            overlapping(projected),
            ["volume \"v\" (Projected): overlapping paths: \"t\" (ServiceAccountToken) with \
              \"t\" (ConfigMap \"m\")"]
        );
    }
}
