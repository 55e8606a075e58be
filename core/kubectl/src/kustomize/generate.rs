//! Config maps and secrets that a kustomization makes.
//!
//! Upstream: `sigs.k8s.io/kustomize/api/internal/generators`, `api/hasher`.

use super::{Resource, texts};
use crate::cmd::apply::go_json;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::hash;
use naru_pki::base64;
use naru_shell::normalize;
use serde_json::{Map, Value, json};

/// Adds what `configMapGenerator` and `secretGenerator` make.
pub(super) fn add(
    cx: &mut Context<'_>,
    folder: &str,
    kustomization: &Value,
    resources: &mut Vec<Resource>,
) -> Result<()> {
    let options = &kustomization["generatorOptions"];
    for (list, kind) in [("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")] {
        for generator in kustomization[list].as_array().into_iter().flatten() {
            let made = generate(cx, folder, generator, kind, options)?;
            take(resources, made)?;
        }
    }
    Ok(())
}

/// Puts a generated object among the others, as its behavior says.
fn take(resources: &mut Vec<Resource>, made: Resource) -> Result<()> {
    let same = |old: &&mut Resource| old.kind() == made.kind() && old.original.0 == made.original.0;
    let found = resources.iter_mut().find(same);
    match (made.behavior.as_str(), found) {
        ("merge", Some(old)) => {
            for map in ["data", "binaryData"] {
                for (key, value) in made.object[map].as_object().into_iter().flatten() {
                    old.object[map][key] = value.clone();
                }
            }
            old.hashed = made.hashed;
        }
        ("replace", Some(old)) => *old = made,
        ("merge" | "replace", None) => {
            let name = made.name();
            return Err(Failure::Message(format!(
                "id resid.ResId for {name} does not exist; cannot merge or replace"
            )));
        }
        (_, Some(_)) => {
            let (kind, name) = (made.kind(), made.name());
            return Err(Failure::Message(format!(
                "merging from generator: id {kind}.v1.[noGrp]/{name}.[noNs] exists; behavior must \
                 be merge or replace"
            )));
        }
        (_, None) => resources.push(made),
    }
    Ok(())
}

fn generate(
    cx: &mut Context<'_>,
    folder: &str,
    generator: &Value,
    kind: &str,
    shared: &Value,
) -> Result<Resource> {
    let name = generator["name"].as_str().unwrap_or_default();
    if name.is_empty() {
        return Err(Failure::message("generators must have a name"));
    }
    let mut data = Map::new();
    let mut binary = Map::new();
    let mut put = |key: String, bytes: Vec<u8>| match (kind, String::from_utf8(bytes)) {
        ("Secret", Ok(text)) => drop(data.insert(key, json!(base64::encode(text.as_bytes())))),
        ("Secret", Err(why)) => drop(data.insert(key, json!(base64::encode(why.as_bytes())))),
        (_, Ok(text)) => drop(data.insert(key, json!(text))),
        (_, Err(why)) => drop(binary.insert(key, json!(base64::encode(why.as_bytes())))),
    };
    for literal in texts(&generator["literals"]) {
        let Some((key, value)) = literal.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(Failure::Message(format!(
                "literal values: invalid literal source {literal}, expected key=value"
            )));
        };
        let value = unquoted(value);
        put(key.to_owned(), value.as_bytes().to_vec());
    }
    for file in texts(&generator["files"]) {
        let (key, path) = match file.split_once('=') {
            Some((key, path)) => (key.to_owned(), path.to_owned()),
            None => (file.rsplit('/').next().unwrap_or_default().to_owned(), file.clone()),
        };
        put(key, read(cx, folder, &path)?);
    }
    let mut env_files = texts(&generator["envs"]);
    env_files.extend(generator["env"].as_str().map(str::to_owned));
    for file in env_files {
        let bytes = read(cx, folder, &file)?;
        for line in String::from_utf8_lossy(&bytes).lines() {
            let line = line.trim_start();
            if !line.is_empty() && !line.starts_with('#') {
                let (key, value) = line.split_once('=').unwrap_or((line, ""));
                put(key.to_owned(), value.as_bytes().to_vec());
            }
        }
    }
    let mut object = json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name } });
    if let Some(namespace) = generator["namespace"].as_str() {
        object["metadata"]["namespace"] = json!(namespace);
    }
    for (field, map) in [("data", data), ("binaryData", binary)] {
        if !map.is_empty() {
            object[field] = Value::Object(map);
        }
    }
    if kind == "Secret" {
        object["type"] = json!(generator["type"].as_str().unwrap_or("Opaque"));
    }
    for options in [shared, &generator["options"]] {
        for map in ["labels", "annotations"] {
            for (key, value) in options[map].as_object().into_iter().flatten() {
                object["metadata"][map][key] = value.clone();
            }
        }
        if options["immutable"] == true {
            object["immutable"] = json!(true);
        }
    }
    let unhashed = |options: &Value| options["disableNameSuffixHash"] == true;
    let mut resource = Resource::new(object);
    resource.hashed = !unhashed(shared) && !unhashed(&generator["options"]);
    resource.behavior = generator["behavior"].as_str().unwrap_or("create").to_owned();
    Ok(resource)
}

/// A value without the quotes around it.
fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inside) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inside;
        }
    }
    value
}

fn read(cx: &mut Context<'_>, folder: &str, file: &str) -> Result<Vec<u8>> {
    let path = normalize(folder, file);
    let read = cx.sys.fs().read(&path).map(|bytes| bytes.to_vec());
    read.map_err(|errno| {
        let why = errno.to_string().to_lowercase();
        Failure::Message(format!(
            "loading KV pairs: file sources: [{file}]: evalsymlink failure on '{path}' : lstat \
             {path}: {why}"
        ))
    })
}

/// Puts the hash of its content behind an object's name.
pub(super) fn add_hash(object: &mut Value) -> Result<()> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let data = match &object["data"] {
        Value::Null => json!(""),
        data => data.clone(),
    };
    // As upstream, whose look-up of the name finds nothing.
    let mut content = json!({ "data": data, "kind": object["kind"], "name": "" });
    for field in ["binaryData", "type", "stringData"] {
        if !object[field].is_null() {
            content[field] = object[field].clone();
        }
    }
    let suffix = hash::suffix(&go_json(&content)?);
    object["metadata"]["name"] = json!(format!("{name}-{suffix}"));
    Ok(())
}
