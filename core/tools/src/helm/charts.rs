//! Charts: those that the mirror of the internet has, and folders of the learner's machine.

use naru_api::yaml;
use naru_shell::{FileType, Sys};
use serde_json::Value;

/// Files of one chart, and folders within folders.
const FILES_MAX: usize = 200;
const DEPTH_MAX: usize = 8;

/// A chart: its files by their paths within it.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// `Chart.yaml`
    pub metadata: Value,
    /// `values.yaml`
    pub values: Value,
    /// The text of `values.yaml`.
    pub values_text: String,
    /// The text of `Chart.yaml`.
    pub metadata_text: String,
    /// What lies in `templates/`, by path.
    pub templates: Vec<(String, String)>,
}

impl Chart {
    fn of(files: &[(String, String)]) -> Result<Self, String> {
        let text =
            |name: &str| files.iter().find(|(path, _)| path == name).map(|(_, text)| text.clone());
        let metadata_text = text("Chart.yaml").ok_or("Chart.yaml file is missing")?;
        let read = |name: &str, text: &str| {
            yaml::parse(text).map_err(|error| format!("cannot load {name}: {error}"))
        };
        let metadata = read("Chart.yaml", &metadata_text)?;
        if metadata["name"].as_str().is_none_or(str::is_empty) {
            return Err("validation: chart.metadata.name is required".to_owned());
        }
        if metadata["version"].as_str().is_none_or(str::is_empty) {
            return Err("validation: chart.metadata.version is required".to_owned());
        }
        let values_text = text("values.yaml").unwrap_or_default();
        let values = read("values.yaml", &values_text)?;
        let templates = files.iter().filter(|(path, _)| path.starts_with("templates/"));
        let templates = templates.cloned().collect();
        Ok(Chart { metadata, values, values_text, metadata_text, templates })
    }

    fn field(&self, name: &str) -> &str {
        self.metadata[name].as_str().unwrap_or_default()
    }

    /// `nginx`
    pub fn name(&self) -> &str {
        self.field("name")
    }

    /// `18.1.0`
    pub fn version(&self) -> &str {
        self.field("version")
    }
}

/// A repository of charts on the internet that the sandbox has a copy of.
struct Repository {
    url: &'static str,
    charts: &'static [&'static [(&'static str, &'static str)]],
}

macro_rules! chart {
    ($name:literal: $($file:literal)*) => {
        &[$(($file, include_str!(concat!("../../../../assets/charts/", $name, "/", $file)))),*]
    };
}

const HELLO: &[(&str, &str)] = chart!("hello-world":
    "Chart.yaml" "values.yaml" "templates/_helpers.tpl" "templates/deployment.yaml"
    "templates/service.yaml" "templates/serviceaccount.yaml" "templates/NOTES.txt");
const NGINX: &[(&str, &str)] = chart!("nginx":
    "Chart.yaml" "values.yaml" "templates/_helpers.tpl" "templates/configmap.yaml"
    "templates/deployment.yaml" "templates/svc.yaml" "templates/ingress.yaml" "templates/hpa.yaml"
    "templates/NOTES.txt");
const REDIS: &[(&str, &str)] = chart!("redis":
    "Chart.yaml" "values.yaml" "templates/_helpers.tpl" "templates/secret.yaml"
    "templates/service.yaml" "templates/statefulset.yaml" "templates/NOTES.txt");

/// What is there under these addresses was written for this sandbox.
const REPOSITORIES: &[Repository] = &[
    Repository { url: "https://helm.github.io/examples", charts: &[HELLO] },
    Repository { url: "https://charts.bitnami.com/bitnami", charts: &[NGINX, REDIS] },
];

/// The charts of a repository; `None` where the sandbox has no copy of it.
pub fn of_repository(url: &str) -> Option<Vec<Chart>> {
    let url = url.trim_end_matches('/');
    let repository = REPOSITORIES.iter().find(|repository| repository.url == url)?;
    let charts = repository.charts.iter().filter_map(|files| Chart::of(&owned(files)).ok());
    Some(charts.collect())
}

fn owned(files: &[(&str, &str)]) -> Vec<(String, String)> {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

/// The files that `helm create` lays down: the first chart, by another name.
pub fn scaffold(name: &str) -> Vec<(String, String)> {
    let files = owned(HELLO).into_iter();
    files.map(|(path, text)| (path, text.replace("hello-world", name))).collect()
}

/// The chart in a folder; `None` where there is no such folder.
pub fn of_folder(sys: &mut dyn Sys, path: &str) -> Option<Result<Chart, String>> {
    let root = sys.absolute(path);
    if sys.fs().list(&root).is_err() {
        return None;
    }
    let mut files = Vec::new();
    collect(sys, &root, "", 0, &mut files);
    Some(Chart::of(&files))
}

fn collect(
    sys: &mut dyn Sys,
    root: &str,
    within: &str,
    depth: usize,
    files: &mut Vec<(String, String)>,
) {
    let folder = if within.is_empty() { root.to_owned() } else { format!("{root}/{within}") };
    let Ok(entries) = sys.fs().list(&folder) else { return };
    for entry in entries {
        let path = match within {
            "" => entry.name.clone(),
            within => format!("{within}/{}", entry.name),
        };
        if entry.stat.kind == FileType::Directory && depth < DEPTH_MAX {
            collect(sys, root, &path, depth + 1, files);
        } else if files.len() < FILES_MAX
            && let Ok(text) = sys.fs().read_text(&format!("{root}/{path}"))
        {
            files.push((path, text));
        }
    }
}
