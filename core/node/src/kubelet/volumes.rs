//! Volumes: what a pod asks for, set up before its sandbox, mounted in its containers.
//!
//! Upstream: `pkg/volume/configmap/configmap.go`, `pkg/volume/secret/secret.go`,
//! `pkg/kubelet/volumemanager`.

use crate::runtime::Mount;
use k8s_openapi::api::core::v1::{ConfigMap, Container, KeyToPath, Pod, Secret, Volume};
use naru_client::Client;
use naru_shell::{Tree, Vfs, normalize};
use std::collections::BTreeMap;

/// The content of a pod's volumes, by name.
pub type Volumes = BTreeMap<String, Tree>;

/// Mode of files that do not ask for another.
const DEFAULT_MODE: u16 = 0o644;

/// Why a volume could not be set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeError {
    /// The volume's name in the pod.
    pub volume: String,
    /// Why.
    pub why: String,
}

impl std::fmt::Display for VolumeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MountVolume.SetUp failed for volume \"{}\" : {}", self.volume, self.why)
    }
}

/// Sets up every volume of a pod.
pub fn set_up(pod: &Pod, client: &mut Client<'_>) -> Result<Volumes, VolumeError> {
    let namespace = pod.metadata.namespace.clone().unwrap_or_default();
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let mut trees = Volumes::new();
    for volume in volumes {
        let tree = content(volume, &namespace, client)
            .map_err(|why| VolumeError { volume: volume.name.clone(), why })?;
        trees.insert(volume.name.clone(), tree);
    }
    Ok(trees)
}

/// What a container mounts of its pod's volumes.
pub fn mounts(container: &Container, volumes: &Volumes) -> Vec<Mount> {
    let mut mounts = Vec::new();
    for wanted in container.volume_mounts.iter().flatten() {
        let Some(tree) = volumes.get(&wanted.name) else { continue };
        mounts.push(Mount {
            path: normalize("/", &wanted.mount_path),
            tree: tree.clone(),
            // What comes from the API cannot be written, whatever the mount asks for.
            read_only: true,
        });
    }
    mounts
}

fn content(volume: &Volume, namespace: &str, client: &mut Client<'_>) -> Result<Tree, String> {
    if let Some(source) = &volume.config_map {
        let (data, missing) = config_map(namespace, &source.name, source.optional, client)?;
        let items = source.items.as_deref();
        let optional = source.optional == Some(true) || missing;
        return project("configmap", data, items, optional, source.default_mode);
    }
    if let Some(source) = &volume.secret {
        let name = source.secret_name.as_deref().unwrap_or_default();
        let (data, missing) = secret(namespace, name, source.optional, client)?;
        let items = source.items.as_deref();
        let optional = source.optional == Some(true) || missing;
        return project("secret", data, items, optional, source.default_mode);
    }
    Err("naru: volumes of this type are not supported yet".to_owned())
}

type Data = BTreeMap<String, Vec<u8>>;

/// The data of a ConfigMap, and whether it is missing and may be.
fn config_map(
    namespace: &str,
    name: &str,
    optional: Option<bool>,
    client: &mut Client<'_>,
) -> Result<(Data, bool), String> {
    match client.get::<ConfigMap>(namespace, name) {
        Ok(found) => {
            let texts = found.data.iter().flatten();
            let mut data: Data =
                texts.map(|(key, text)| (key.clone(), text.clone().into_bytes())).collect();
            let binary = found.binary_data.iter().flatten();
            data.extend(binary.map(|(key, bytes)| (key.clone(), bytes.0.clone())));
            Ok((data, false))
        }
        Err(error) if error.is_not_found() && optional == Some(true) => Ok((Data::new(), true)),
        Err(error) if error.is_not_found() => Err(format!("configmap \"{name}\" not found")),
        Err(error) => Err(error.message().to_owned()),
    }
}

/// The data of a Secret, and whether it is missing and may be.
fn secret(
    namespace: &str,
    name: &str,
    optional: Option<bool>,
    client: &mut Client<'_>,
) -> Result<(Data, bool), String> {
    match client.get::<Secret>(namespace, name) {
        Ok(found) => {
            let data = found.data.iter().flatten();
            Ok((data.map(|(key, bytes)| (key.clone(), bytes.0.clone())).collect(), false))
        }
        Err(error) if error.is_not_found() && optional == Some(true) => Ok((Data::new(), true)),
        Err(error) if error.is_not_found() => Err(format!("secret \"{name}\" not found")),
        Err(error) => Err(error.message().to_owned()),
    }
}

/// Lays data out as files: under their keys, or as `items` say.
fn project(
    kind: &str,
    data: Data,
    items: Option<&[KeyToPath]>,
    optional: bool,
    default_mode: Option<i32>,
) -> Result<Tree, String> {
    let mode = |mode: Option<i32>| {
        mode.or(default_mode).and_then(|mode| u16::try_from(mode).ok()).unwrap_or(DEFAULT_MODE)
    };
    let mut files: BTreeMap<String, (Vec<u8>, u16)> = BTreeMap::new();
    match items {
        None => files.extend(data.into_iter().map(|(key, bytes)| (key, (bytes, mode(None))))),
        Some(items) => {
            for item in items {
                match data.get(&item.key) {
                    Some(bytes) => {
                        files.insert(item.path.clone(), (bytes.clone(), mode(item.mode)));
                    }
                    None if optional => {}
                    None => return Err(format!("{kind} references non-existent {kind} key: {}", item.key)),
                }
            }
        }
    }
    let mut fs = Vfs::from(Tree::new());
    for (path, (bytes, mode)) in files {
        let path = normalize("/", &path);
        let written = lay(&mut fs, &path, &bytes, mode);
        written.map_err(|errno| format!("{path}: {errno}"))?;
    }
    Ok(fs.into_tree())
}

fn lay(fs: &mut Vfs, path: &str, bytes: &[u8], mode: u16) -> Result<(), naru_shell::Errno> {
    if let Some((folder, _)) = path.rsplit_once('/').filter(|(folder, _)| !folder.is_empty()) {
        fs.mkdir_all(folder)?;
    }
    fs.write(path, bytes)?;
    fs.chmod(path, mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(pairs: &[(&str, &str)]) -> Data {
        pairs.iter().map(|(key, text)| ((*key).to_owned(), text.as_bytes().to_vec())).collect()
    }

    fn item(key: &str, path: &str) -> KeyToPath {
        KeyToPath { key: key.to_owned(), path: path.to_owned(), mode: Some(0o400) }
    }

    #[test]
    fn keys_become_files() {
        let tree = project("configmap", data(&[("a", "1"), ("b", "2")]), None, false, None);
        let fs = Vfs::from(tree.unwrap());
        assert_eq!(fs.read_text("/a").unwrap(), "1");
        assert_eq!(fs.stat("/b").unwrap().mode & 0o777, 0o644);
    }

    #[test]
    fn items_choose_and_rename() {
        let items = [item("a", "conf/main")];
        let tree = project("configmap", data(&[("a", "1"), ("b", "2")]), Some(&items), false, None);
        let fs = Vfs::from(tree.unwrap());
        assert_eq!(fs.read_text("/conf/main").unwrap(), "1");
        assert_eq!(fs.stat("/conf/main").unwrap().mode & 0o777, 0o400);
        assert!(!fs.exists("/b"));
    }

    #[test]
    fn a_missing_key_is_an_error_unless_optional() {
        let items = [item("x", "x")];
        let error = project("configmap", data(&[]), Some(&items), false, None).unwrap_err();
        assert_eq!(error, "configmap references non-existent configmap key: x");
        assert!(project("configmap", data(&[]), Some(&items), true, None).is_ok());
    }
}
