//! Releases: Secrets `sh.helm.release.v1.NAME.vN`, whose entry is JSON, zipped, in base64 twice.
//!
//! Upstream: `helm.sh/helm/v3/pkg/storage/driver`. What is zipped here is stored and not compressed,
//! which every reader of the format takes.

use naru_api::KindRef;
use naru_api::request::{DeleteOptions, ListOptions};
use naru_kubectl::context::{Context, DryRun};
use naru_kubectl::failure::{Failure, Result};
use naru_pki::base64;
use serde_json::{Value, json};

/// A release, as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Release(pub Value);

impl Release {
    fn text(&self, path: &str) -> &str {
        self.0.pointer(path).and_then(Value::as_str).unwrap_or_default()
    }

    pub fn name(&self) -> &str {
        self.text("/name")
    }
    pub fn namespace(&self) -> &str {
        self.text("/namespace")
    }
    pub fn version(&self) -> i64 {
        self.0["version"].as_i64().unwrap_or(0)
    }
    /// `deployed`, `superseded`, `uninstalled`, …
    pub fn status(&self) -> &str {
        self.text("/info/status")
    }
    pub fn notes(&self) -> &str {
        self.text("/info/notes")
    }
    pub fn description(&self) -> &str {
        self.text("/info/description")
    }
    /// Nanoseconds of the Unix epoch.
    pub fn deployed(&self) -> i64 {
        self.0.pointer("/info/deployed_nanos").and_then(Value::as_i64).unwrap_or(0)
    }
    pub fn manifest(&self) -> &str {
        self.text("/manifest")
    }
    /// `nginx-18.1.0`
    pub fn chart(&self) -> String {
        format!("{}-{}", self.text("/chart/metadata/name"), self.text("/chart/metadata/version"))
    }
    pub fn app_version(&self) -> &str {
        self.text("/chart/metadata/appVersion")
    }
    /// What the user supplied.
    pub fn config(&self) -> &Value {
        &self.0["config"]
    }
    pub fn set_status(&mut self, status: &str) {
        self.0["info"]["status"] = json!(status);
    }
}

fn secrets(cx: &mut Context<'_>) -> Result<KindRef> {
    kind(cx, "v1", "Secret")
}

/// The kind of an object.
pub fn kind(cx: &mut Context<'_>, api_version: &str, kind: &str) -> Result<KindRef> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let all = cx.kinds()?;
    let found = all
        .into_iter()
        .find(|own| own.group == group && own.version == version && own.kind == kind);
    found.ok_or_else(|| {
        Failure::message(format!(
            "unable to build kubernetes objects from release manifest: resource mapping not found \
             for name: \"\" namespace: \"\" from \"\": no matches for kind \"{kind}\" in version \
             \"{api_version}\"\nensure CRDs are installed first"
        ))
    })
}

fn secret_name(name: &str, version: i64) -> String {
    format!("sh.helm.release.v1.{name}.v{version}")
}

fn secret(release: &Release) -> Value {
    let encoded = base64::encode(&zipped(release.0.to_string().as_bytes()));
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": secret_name(release.name(), release.version()),
            "namespace": release.namespace(),
            "labels": {
                "name": release.name(),
                "owner": "helm",
                "status": release.status(),
                "version": release.version().to_string(),
            },
        },
        "type": "helm.sh/release.v1",
        "data": {"release": base64::encode(encoded.as_bytes())},
    })
}

/// Keeps a new release.
pub fn create(cx: &mut Context<'_>, release: &Release) -> Result<()> {
    let kind = secrets(cx)?;
    cx.create(&kind, release.namespace(), secret(release), DryRun::None).map(drop)
}

/// Keeps a release that has changed.
pub fn update(cx: &mut Context<'_>, release: &Release) -> Result<()> {
    let kind = secrets(cx)?;
    let name = secret_name(release.name(), release.version());
    cx.update(&kind, release.namespace(), &name, secret(release), DryRun::None).map(drop)
}

/// Forgets a release.
pub fn delete(cx: &mut Context<'_>, release: &Release) -> Result<()> {
    let kind = secrets(cx)?;
    let name = secret_name(release.name(), release.version());
    let options = DeleteOptions::default();
    cx.delete(&kind, release.namespace(), &name, options, DryRun::None).map(drop)
}

/// Every revision of a release, or of all, by name and revision. The namespace "" is all.
pub fn list(cx: &mut Context<'_>, namespace: &str, name: &str) -> Result<Vec<Release>> {
    let kind = secrets(cx)?;
    let selector = match name {
        "" => "owner=helm".to_owned(),
        name => format!("name={name},owner=helm"),
    };
    let options = ListOptions { label_selector: selector, ..ListOptions::default() };
    let found = cx.list(&kind, namespace, &options)?;
    let mut all: Vec<Release> =
        found.items.iter().filter_map(|object| read(&object.to_json().ok()?)).collect();
    all.sort_by(|a, b| {
        (a.name(), a.namespace(), a.version()).cmp(&(b.name(), b.namespace(), b.version()))
    });
    Ok(all)
}

fn read(secret: &Value) -> Option<Release> {
    let text = secret.pointer("/data/release")?.as_str()?;
    let inner = String::from_utf8(base64::decode(text)?).ok()?;
    let bytes = unzipped(&base64::decode(&inner)?)?;
    serde_json::from_slice(&bytes).ok().map(Release)
}

/// Most bytes of a block that is stored as it is.
const BLOCK_BYTES: usize = 65_535;

/// Gzip (RFC 1952) with blocks that are stored (RFC 1951, section 3.2.4).
fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let count = bytes.len().div_ceil(BLOCK_BYTES).max(1);
    for at in 0..count {
        let end = bytes.len().min((at + 1) * BLOCK_BYTES);
        let block = bytes.get(at * BLOCK_BYTES..end).unwrap_or_default();
        let length = u16::try_from(block.len()).unwrap_or(0);
        out.push(u8::from(at + 1 == count));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    out.extend(crc32(bytes).to_le_bytes());
    out.extend(u32::try_from(bytes.len()).unwrap_or(0).to_le_bytes());
    out
}

/// What [`zipped`] wrote.
fn unzipped(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut rest = bytes.strip_prefix(&[0x1f, 0x8b, 8, 0])?.get(6..)?;
    let mut out = Vec::new();
    loop {
        let [last, low, high, _, _, after @ ..] = rest else { return None };
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        out.extend_from_slice(after.get(..length)?);
        rest = after.get(length..)?;
        match last {
            0 => {}
            1 => return Some(out),
            _ => return None,
        }
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 }
        })
    };
    !bytes.iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_unzipped_as_they_were() {
        for length in [0, 1, 70_000] {
            let bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            assert_eq!(unzipped(&zipped(&bytes)), Some(bytes));
        }
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(unzipped(b"none"), None);
    }
}
