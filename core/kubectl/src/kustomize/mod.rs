//! Kustomizations: objects made of other objects' files.
//!
//! Upstream: `sigs.k8s.io/kustomize/api`, as far as `kubectl kustomize` is used with: resources,
//! bases, generators, prefixes, labels, annotations, images, replicas, patches.

mod generate;
mod order;
mod patch;
mod references;
mod transform;

use crate::context::Context;
use crate::failure::{Failure, Result};
use naru_shell::{join, normalize};
use serde_json::Value;

/// Names of the file, in the order in which they are looked for.
const FILES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
/// Kustomizations within kustomizations.
const DEPTH_MAX: usize = 16;
/// Objects of one kustomization.
const OBJECTS_MAX: usize = 10_000;

/// An object on its way.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    /// As it is now.
    pub object: Value,
    /// The name and namespace it had in its file, by which other objects refer to it.
    pub original: (String, String),
    /// Whether its name gets a suffix by its content.
    pub hashed: bool,
    /// How a generated object meets one of the same name: `create`, `merge`, `replace`.
    pub behavior: String,
}

impl Resource {
    fn new(object: Value) -> Self {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        let original = (text("name"), text("namespace"));
        Resource { object, original, hashed: false, behavior: String::new() }
    }

    pub(crate) fn kind(&self) -> &str {
        self.object["kind"].as_str().unwrap_or_default()
    }

    pub(crate) fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    pub(crate) fn namespace(&self) -> &str {
        self.object["metadata"]["namespace"].as_str().unwrap_or_default()
    }

    /// `apps`, `v1`; "" for the core group.
    pub(crate) fn group_version(&self) -> (&str, &str) {
        let api_version = self.object["apiVersion"].as_str().unwrap_or_default();
        api_version.split_once('/').unwrap_or(("", api_version))
    }
}

/// The objects that the kustomization of a folder makes, in the order in which they are printed.
pub fn build(cx: &mut Context<'_>, folder: &str) -> Result<Vec<Value>> {
    let path = normalize("/", &cx.sys.absolute(folder));
    if folder.starts_with("http://")
        || folder.starts_with("https://")
        || folder.contains("github.com/")
    {
        return Err(Failure::Message(format!(
            "unable to read {folder}: the sandbox has no internet"
        )));
    }
    if !cx.sys.fs().exists(&path) {
        return Err(Failure::Message(format!(
            "must build at directory: not a valid directory: evalsymlink failure on '{folder}' : \
             lstat {path}: no such file or directory"
        )));
    }
    let mut resources = Builder { cx, depth: 0 }.folder(&path)?;
    for resource in resources.iter_mut().filter(|resource| resource.hashed) {
        generate::add_hash(&mut resource.object)?;
    }
    references::fix(&mut resources);
    order::sort(&mut resources);
    Ok(resources.into_iter().map(|resource| resource.object).collect())
}

struct Builder<'a, 'b> {
    cx: &'a mut Context<'b>,
    depth: usize,
}

impl Builder<'_, '_> {
    fn folder(&mut self, path: &str) -> Result<Vec<Resource>> {
        if self.depth > DEPTH_MAX {
            return Err(Failure::Message(format!("cycle detected: '{path}' is nested too deeply")));
        }
        let found = FILES.into_iter().find(|file| self.cx.sys.fs().exists(&join(path, file)));
        let Some(file) = found else {
            return Err(Failure::Message(format!(
                "unable to find one of 'kustomization.yaml', 'kustomization.yml' or \
                 'Kustomization' in directory '{path}'"
            )));
        };
        let text = self.cx.sys.fs().read_text(&join(path, file)).unwrap_or_default();
        let kustomization = naru_api::yaml::parse(&text)
            .map_err(|why| Failure::Message(format!("invalid Kustomization: {why}")))?;
        check(&kustomization)?;
        self.warn(&kustomization);
        let mut resources = self.accumulate(path, &kustomization)?;
        generate::add(self.cx, path, &kustomization, &mut resources)?;
        patch::apply(self.cx, path, &kustomization, &mut resources)?;
        transform::apply(&kustomization, &mut resources)?;
        Ok(resources)
    }

    fn warn(&mut self, kustomization: &Value) {
        for (field, instead) in [
            ("commonLabels", "labels"),
            ("bases", "resources"),
            ("patchesJson6902", "patches"),
            ("patchesStrategicMerge", "patches"),
        ] {
            if !kustomization[field].is_null() {
                self.cx.err_line(&format!(
                    "# Warning: '{field}' is deprecated. Please use '{instead}' instead. Run \
                     'kustomize edit fix' to update your Kustomization automatically."
                ));
            }
        }
    }

    fn accumulate(&mut self, folder: &str, kustomization: &Value) -> Result<Vec<Resource>> {
        let mut all: Vec<Resource> = Vec::new();
        for list in ["resources", "bases", "components"] {
            for name in texts(&kustomization[list]) {
                let path = normalize(folder, &name);
                let found = match self.cx.sys.fs().is_dir(&path) {
                    true => {
                        self.depth += 1;
                        let found = self.folder(&path);
                        self.depth -= 1;
                        found.map_err(|failure| {
                            let why = failure.bare();
                            Failure::Message(format!("accumulating resources: {why}"))
                        })?
                    }
                    false => self.file(&path, &name)?,
                };
                for resource in found {
                    refuse_double(&all, &resource)?;
                    all.push(resource);
                }
            }
        }
        if all.len() > OBJECTS_MAX {
            return Err(Failure::message("the kustomization makes too many objects"));
        }
        Ok(all)
    }

    fn file(&mut self, path: &str, name: &str) -> Result<Vec<Resource>> {
        let text = self.cx.sys.fs().read_text(path).map_err(|errno| {
            let why = errno.to_string().to_lowercase();
            Failure::Message(format!(
                "accumulating resources: accumulation err='accumulating resources from '{name}': \
                 evalsymlink failure on '{path}' : lstat {path}: {why}': must build at directory: not a valid directory: evalsymlink \
                 failure on '{path}' : lstat {path}: {why}"
            ))
        })?;
        objects(&text).map_err(|why| {
            Failure::Message(format!(
                "accumulating resources: accumulation err='accumulating resources from '{name}': \
                 {why}'"
            ))
        })
    }
}

/// Upstream: `Kustomization.CheckEmpty`, `EnforceFields` and strict decoding.
fn check(kustomization: &Value) -> Result<()> {
    const FIELDS: [&str; 23] = [
        "apiVersion",
        "kind",
        "metadata",
        "resources",
        "bases",
        "namespace",
        "namePrefix",
        "nameSuffix",
        "commonLabels",
        "labels",
        "commonAnnotations",
        "images",
        "replicas",
        "patches",
        "patchesStrategicMerge",
        "patchesJson6902",
        "configMapGenerator",
        "secretGenerator",
        "generatorOptions",
        "sortOptions",
        "components",
        "buildMetadata",
        "crds",
    ];
    let Some(fields) = kustomization.as_object().filter(|fields| !fields.is_empty()) else {
        return Err(Failure::message("kustomization.yaml is empty"));
    };
    const TEXTS: [&str; 3] = ["namespace", "namePrefix", "nameSuffix"];
    for (field, value) in fields.iter().filter(|(field, _)| TEXTS.contains(&field.as_str())) {
        let found = match value {
            Value::Number(_) => "number",
            Value::Bool(_) => "bool",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
            _ => continue,
        };
        return Err(Failure::Message(format!(
            "invalid Kustomization: json: cannot unmarshal {found} into Go struct field \
             Kustomization.{field} of type string"
        )));
    }
    match fields.keys().find(|field| !FIELDS.contains(&field.as_str())) {
        Some(field) => Err(Failure::Message(format!(
            "invalid Kustomization: json: unknown field {}",
            naru_api::gofmt::quote(field)
        ))),
        None => Ok(()),
    }
}

/// The objects of a file.
fn objects(text: &str) -> std::result::Result<Vec<Resource>, String> {
    let mut found = Vec::new();
    for document in naru_api::yaml::documents(text) {
        let object = document.map_err(|why| why.to_string())?;
        if object.is_null() {
            continue;
        }
        if object["kind"].as_str().is_none_or(str::is_empty) {
            return Err("missing Resource metadata".to_owned());
        }
        match object["items"].as_array() {
            Some(items) if object["kind"].as_str().is_some_and(|kind| kind.ends_with("List")) => {
                found.extend(items.iter().cloned().map(Resource::new));
            }
            _ => found.push(Resource::new(object)),
        }
    }
    Ok(found)
}

fn refuse_double(all: &[Resource], new: &Resource) -> Result<()> {
    let same = |old: &&Resource| {
        old.kind() == new.kind()
            && old.group_version() == new.group_version()
            && old.name() == new.name()
            && old.namespace() == new.namespace()
    };
    if !all.iter().any(|old| same(&old)) {
        return Ok(());
    }
    let namespace = match new.namespace() {
        "" => "[noNs]".to_owned(),
        namespace => namespace.to_owned(),
    };
    let (group, version) = new.group_version();
    let group = if group.is_empty() { "[noGrp]" } else { group };
    Err(Failure::Message(format!(
        "accumulating resources: merging resources from '{}': may not add resource with an already \
         registered id: {}.{version}.{group}/{}.{namespace}",
        new.name(),
        new.kind(),
        new.name()
    )))
}

/// The texts of a list.
fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
