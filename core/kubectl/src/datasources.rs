//! `--from-literal`, `--from-file`, `--from-env-file`: what ConfigMaps and Secrets are made of.
//!
//! Upstream: `k8s.io/kubectl/pkg/util/util.go`, `pkg/cmd/util/env_file.go`, `create_configmap.go`.

use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use naru_api::gofmt::quote;
use naru_api::names::config_map_key;
use std::collections::BTreeMap;

/// The flags.
pub const FLAGS: &[Flag] = &[
    Flag::switch("append-hash", "Append a hash of the content to the name."),
    Flag::slice("from-env-file", "A file of lines KEY=VALUE."),
    Flag::slice("from-file", "A file, as [KEY=]PATH, or a folder of files."),
    Flag::array("from-literal", "A value, as KEY=VALUE."),
];

/// The value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Bytes(Vec<u8>),
}

/// Refuses flags that exclude each other.
pub fn check(cx: &Context<'_>) -> Result<()> {
    let flags = cx.flags();
    let given = |name: &str| !flags.list(name).is_empty();
    if given("from-env-file") && (given("from-file") || given("from-literal")) {
        let text = "from-env-file cannot be combined with from-file or from-literal";
        return Err(Failure::message(text));
    }
    Ok(())
}

struct Collected<'a> {
    kind: &'a str,
    name: &'a str,
    data: BTreeMap<String, Data>,
}

impl Collected<'_> {
    fn add(&mut self, key: &str, value: Data) -> Result<()> {
        let (kind, shown) = (self.kind, quote(key));
        let wrong = config_map_key(key);
        if !wrong.is_empty() {
            return Err(Failure::Message(format!(
                "{shown} is not a valid key name for a {kind}: {}",
                wrong.join(",")
            )));
        }
        if self.data.contains_key(key) {
            let owner = quote(self.name);
            return Err(Failure::Message(match kind {
                "Secret" => {
                    format!("cannot add key {key}, another key by that name already exists")
                }
                _ => format!(
                    "cannot add key {shown}, another key by that name already exists in Data for \
                     {kind} {owner}"
                ),
            }));
        }
        self.data.insert(key.to_owned(), value);
        Ok(())
    }
}

/// Everything that the flags name.
pub fn read(cx: &mut Context<'_>, kind: &str, name: &str) -> Result<BTreeMap<String, Data>> {
    let mut collected = Collected { kind, name, data: BTreeMap::new() };
    let flags = cx.flags();
    for source in flags.list("from-file") {
        from_file(cx, source, &mut collected)?;
    }
    for source in flags.list("from-literal") {
        let (key, value) =
            source.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(|| {
                Failure::Message(format!("invalid literal source {source}, expected key=value"))
            })?;
        collected.add(key, Data::Text(value.to_owned()))?;
    }
    for path in flags.list("from-env-file") {
        from_env_file(cx, path, &mut collected)?;
    }
    Ok(collected.data)
}

/// What files hold, each under the key before its `=`.
pub fn read_files(
    cx: &mut Context<'_>,
    kind: &str,
    name: &str,
    sources: Vec<String>,
) -> Result<BTreeMap<String, Data>> {
    let mut collected = Collected { kind, name, data: BTreeMap::new() };
    for source in &sources {
        from_file(cx, source, &mut collected)?;
    }
    Ok(collected.data)
}

fn from_file(cx: &mut Context<'_>, source: &str, collected: &mut Collected<'_>) -> Result<()> {
    let (key, path) = match source.split('=').collect::<Vec<_>>().as_slice() {
        [path] => (path.rsplit('/').next().unwrap_or_default(), *path),
        ["", _] => {
            let path = source.strip_prefix('=').unwrap_or(source);
            return Err(Failure::Message(format!("key name for file path {path} missing")));
        }
        [key, ""] => {
            return Err(Failure::Message(format!("file path for key name {key} missing")));
        }
        [key, path] => (*key, *path),
        _ => return Err(Failure::message("key names or file paths cannot contain '='")),
    };
    let absolute = cx.sys.absolute(path);
    let stat = cx.sys.fs().stat(&absolute).map_err(|errno| {
        Failure::Message(format!("error reading {path}: {}", errno.to_string().to_lowercase()))
    })?;
    if !stat.is_dir() {
        let bytes = read_file(cx, path)?;
        return collected.add(key, bytes);
    }
    if source.contains('=') {
        return Err(Failure::message("cannot give a key name for a directory path"));
    }
    let mut names: Vec<String> = cx
        .sys
        .fs()
        .list(&absolute)
        .map_err(|errno| {
            let why = errno.to_string().to_lowercase();
            Failure::Message(format!("error listing files in {path}: {why}"))
        })?
        .into_iter()
        .map(|entry| entry.name.to_string())
        .collect();
    names.sort();
    for name in names {
        let inside = naru_shell::join(path.trim_end_matches('/'), &name);
        let absolute = cx.sys.absolute(&inside);
        if cx.sys.fs().stat(&absolute).is_ok_and(|stat| !stat.is_dir()) {
            let bytes = read_file(cx, &inside)?;
            collected.add(&name, bytes)?;
        }
    }
    Ok(())
}

fn read_file(cx: &mut Context<'_>, path: &str) -> Result<Data> {
    let absolute = cx.sys.absolute(path);
    let bytes = cx.sys.fs().read(&absolute).map_err(|errno| {
        Failure::Message(format!("open {path}: {}", errno.to_string().to_lowercase()))
    })?;
    Ok(match String::from_utf8(bytes.to_vec()) {
        Ok(text) => Data::Text(text),
        Err(error) => Data::Bytes(error.into_bytes()),
    })
}

fn from_env_file(cx: &mut Context<'_>, path: &str, collected: &mut Collected<'_>) -> Result<()> {
    let absolute = cx.sys.absolute(path);
    let text = cx.sys.fs().read_text(&absolute).map_err(|errno| {
        Failure::Message(format!("error reading {path}: {}", errno.to_string().to_lowercase()))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    for line in text.lines() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = match line.split_once('=') {
            Some((key, value)) => (key, value.to_owned()),
            None => (line, cx.sys.env().get(line).cloned().unwrap_or_default()),
        };
        let wrong = naru_api::names::env_var_name(key);
        if !wrong.is_empty() {
            let text = format!("{} is not a valid key name: {}", quote(key), wrong.join(";"));
            return Err(Failure::Message(text));
        }
        collected.add(key, Data::Text(value))?;
    }
    Ok(())
}

/// Base64 with padding (RFC 4648).
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| chunk.get(index).copied().map_or(0, u32::from);
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for index in 0..4 {
            let letter = LETTERS.get((bits >> (18 - 6 * index)) as usize & 63);
            match letter {
                Some(letter) if index <= chunk.len() => text.push(char::from(*letter)),
                _ => text.push('='),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    // The test vectors of RFC 4648, section 10.
    #[test]
    fn base64_of_the_rfc() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
