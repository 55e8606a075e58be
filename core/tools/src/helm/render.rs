//! From a chart and values to manifests.

use super::charts::Chart;
use super::functions::Sprig;
use naru_api::gotemplate::Template;
use naru_api::yaml;
use serde_json::{Value, json};

/// What a release is, for its templates.
pub struct About<'a> {
    pub name: &'a str,
    pub namespace: &'a str,
    pub revision: i64,
    pub is_upgrade: bool,
    pub kube_version: &'a str,
}

/// What a chart came to.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// Each manifest by the path of its template, in the order in which they are installed.
    pub manifests: Vec<(String, Value, String)>,
    /// The text for the user.
    pub notes: String,
}

impl Rendered {
    /// All as one text, as `helm get manifest` shows it.
    pub fn text(&self) -> String {
        let one =
            |(path, _, text): &(String, Value, String)| format!("---\n# Source: {path}\n{text}\n");
        self.manifests.iter().map(one).collect()
    }
}

/// Kinds in the order in which they are installed; others come after them.
///
/// Upstream: `releaseutil.InstallOrder`.
const ORDER: [&str; 34] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
];

/// Renders a chart.
pub fn render(chart: &Chart, values: &Value, about: &About<'_>) -> Result<Rendered, String> {
    let version = about.kube_version;
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let metadata = &chart.metadata;
    let field = |name: &str| metadata[name].as_str().unwrap_or_default();
    let data = json!({
        "Values": values,
        "Release": {
            "Name": about.name,
            "Namespace": about.namespace,
            "Revision": about.revision,
            "Service": "Helm",
            "IsInstall": !about.is_upgrade,
            "IsUpgrade": about.is_upgrade,
        },
        "Chart": {
            "Name": field("name"),
            "Version": field("version"),
            "AppVersion": field("appVersion"),
            "Description": field("description"),
            "Type": field("type"),
        },
        "Capabilities": {
            "KubeVersion": {
                "Version": version, "GitVersion": version, "Major": major, "Minor": minor,
            },
        },
        "Template": {},
    });
    let texts: Vec<(String, String)> = chart
        .templates
        .iter()
        .map(|(path, text)| (format!("{}/{path}", chart.name()), text.clone()))
        .collect();
    let templates = Template::parse_all(&texts, &Sprig).map_err(|error| error.to_string())?;
    let mut made = Rendered::default();
    for (path, _) in &texts {
        let file = path.rsplit('/').next().unwrap_or(path);
        if file.starts_with('_') {
            continue;
        }
        let mut data = data.clone();
        data["Template"] = json!({"Name": path, "BasePath": format!("{}/templates", chart.name())});
        let text = templates.execute_one(path, &data).map_err(|error| error.to_string())?;
        let text = text.replace("<no value>", "");
        if file == "NOTES.txt" {
            made.notes = text;
        } else if !file.ends_with(".txt") {
            manifests(path, &text, &mut made)?;
        }
    }
    made.manifests.sort_by_key(|(_, object, _)| {
        let kind = object["kind"].as_str().unwrap_or_default();
        ORDER.iter().position(|own| *own == kind).unwrap_or(ORDER.len())
    });
    Ok(made)
}

fn manifests(path: &str, text: &str, made: &mut Rendered) -> Result<(), String> {
    let text = text.strip_prefix("---\n").unwrap_or(text);
    for document in text.split("\n---") {
        let document = document.trim_start_matches('\n').trim_end();
        let object = yaml::parse(document).map_err(|error| {
            format!("YAML parse error on {path}: error converting YAML to JSON: {error}")
        })?;
        if object.is_null() {
            continue;
        }
        if object["kind"].as_str().is_none() {
            return Err(format!(
                "unable to build kubernetes objects from release manifest: error validating \"\": \
                 error validating data: kind not set in {path}"
            ));
        }
        made.manifests.push((path.to_owned(), object, document.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::charts;
    use super::*;

    #[test]
    fn every_chart_of_the_mirror_renders() {
        let about = About {
            name: "ahoy",
            namespace: "default",
            revision: 1,
            is_upgrade: false,
            kube_version: "v1.33.1",
        };
        for url in ["https://helm.github.io/examples", "https://charts.bitnami.com/bitnami"] {
            for chart in charts::of_repository(url).unwrap() {
                let made = render(&chart, &chart.values, &about).unwrap();
                assert!(made.manifests.len() >= 2, "{}", chart.name());
                assert!(!made.notes.is_empty() && !made.text().contains("{{"), "{}", made.text());
            }
        }
    }
}
