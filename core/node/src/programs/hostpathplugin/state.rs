//! What the driver knows of its volumes, in `state.json` beside them: the program in its pod and the
//! kubelet, which acts for its node service, both read and write it.
//!
//! Upstream: kubernetes-csi/csi-driver-host-path, `pkg/state/state.go`, `pkg/hostpath/nodeserver.go`.

use naru_shell::serve::local::Status;
use naru_shell::{Vfs, join};
use serde_json::{Value, json};

/// The state's file.
const FILE: &str = "state.json";
/// Most volumes of a driver.
const VOLUMES_MAX: usize = 500;
/// The size of a volume that a pod names itself, in bytes.
const EPHEMERAL_BYTES: i64 = 100 << 20;

/// A volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Its name: that of its PersistentVolume.
    pub name: String,
    /// Its handle, and the directory that it is.
    pub id: String,
    /// Its size in bytes, which nobody enforces.
    pub size: i64,
    /// The volume that it is a copy of.
    pub parent: String,
    /// What it is taken from, where the driver counts.
    pub kind: String,
    /// Whether a pod named it itself, with which it ends.
    pub ephemeral: bool,
    /// Whether it is attached, where that is asked for.
    pub attached: bool,
    /// Whether it is attached for reading alone.
    pub read_only_attach: bool,
    /// The node that has it.
    pub node: String,
    /// Where it is staged.
    pub staged: Vec<String>,
    /// Where pods have it.
    pub published: Vec<String>,
}

/// All volumes of a driver, in the order in which they were made.
#[derive(Clone, Debug, Default)]
pub struct State {
    volumes: Vec<Volume>,
    directory: String,
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn texts(value: &Value, key: &str) -> Vec<String> {
    let all = value.get(key).and_then(Value::as_array);
    all.into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)).collect()
}

fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or_default()
}

impl Volume {
    fn read(json: &Value) -> Volume {
        Volume {
            name: text(json, "VolName"),
            id: text(json, "VolID"),
            size: json.get("VolSize").and_then(Value::as_i64).unwrap_or_default(),
            parent: text(json, "ParentVolID"),
            kind: text(json, "Kind"),
            ephemeral: flag(json, "Ephemeral"),
            attached: flag(json, "Attached"),
            read_only_attach: flag(json, "ReadOnlyAttach"),
            node: text(json, "NodeID"),
            staged: texts(json, "Staged"),
            published: texts(json, "Published"),
        }
    }

    /// As Go writes it, whose structs keep their order.
    fn json(&self, directory: &str) -> String {
        let list = |list: &[String]| if list.is_empty() { Value::Null } else { json!(list) };
        let fields = [
            ("VolName", json!(self.name)),
            ("VolID", json!(self.id)),
            ("VolSize", json!(self.size)),
            ("VolPath", json!(join(directory, &self.id))),
            ("VolAccessType", json!(0)),
            ("ParentVolID", json!(self.parent)),
            ("ParentSnapID", json!("")),
            ("Ephemeral", json!(self.ephemeral)),
            ("NodeID", json!(self.node)),
            ("Kind", json!(self.kind)),
            ("ReadOnlyAttach", json!(self.read_only_attach)),
            ("Attached", json!(self.attached)),
            ("Staged", list(&self.staged)),
            ("Published", list(&self.published)),
        ];
        let fields = fields.map(|(name, value)| format!("\"{name}\":{value}"));
        format!("{{{}}}", fields.join(","))
    }
}

impl State {
    /// The state in this directory, which the driver calls `called`. What cannot be read is none.
    pub fn read(fs: &Vfs, directory: &str, called: &str) -> State {
        let file = fs.read(&join(directory, FILE)).unwrap_or_default();
        let json: Value = serde_json::from_slice(&file).unwrap_or_default();
        let volumes = json.get("Volumes").and_then(Value::as_array);
        let volumes = volumes.into_iter().flatten().map(Volume::read).collect();
        State { volumes, directory: called.to_owned() }
    }

    /// Writes it into this directory.
    pub fn write(&self, fs: &mut Vfs, directory: &str) -> Result<(), Status> {
        let volumes: Vec<String> = self.volumes.iter().map(|it| it.json(&self.directory)).collect();
        let volumes = volumes.join(",");
        let json =
            format!("{{\"Volumes\":[{volumes}],\"Snapshots\":null,\"GroupSnapshots\":null}}");
        let path = join(directory, FILE);
        let written = fs.write(&path, json.as_bytes());
        written.and_then(|()| fs.chmod(&path, 0o600)).map_err(|errno| {
            let called = join(&self.directory, FILE);
            let errno = errno.to_string().to_lowercase();
            Status::new("Internal", format!("error writing state file: open {called}: {errno}"))
        })
    }

    /// All volumes.
    pub fn volumes(&self) -> &[Volume] {
        &self.volumes
    }

    /// The volume with this handle.
    pub fn by_id(&self, id: &str) -> Result<&Volume, Status> {
        self.volumes.iter().find(|it| it.id == id).ok_or_else(|| unknown(id))
    }

    /// The volume with this handle, to be changed.
    pub fn by_id_mut(&mut self, id: &str) -> Result<&mut Volume, Status> {
        self.volumes.iter_mut().find(|it| it.id == id).ok_or_else(|| unknown(id))
    }

    /// The volume of this name.
    pub fn by_name(&self, name: &str) -> Option<&Volume> {
        self.volumes.iter().find(|it| it.name == name)
    }

    /// Adds a volume.
    pub fn add(&mut self, volume: Volume) -> Result<(), Status> {
        if self.volumes.len() >= VOLUMES_MAX {
            let why = format!("the sandbox's driver holds at most {VOLUMES_MAX} volumes");
            return Err(Status::new("ResourceExhausted", why));
        }
        self.volumes.push(volume);
        Ok(())
    }

    /// Takes a volume out.
    pub fn remove(&mut self, id: &str) {
        self.volumes.retain(|it| it.id != id);
    }
}

/// `status.Error(codes.NotFound, err.Error())` around what is a status already.
pub fn wrapped(status: &Status) -> Status {
    Status::new("NotFound", status.to_string())
}

fn unknown(id: &str) -> Status {
    Status::new("NotFound", format!("volume id {id} does not exist in the volumes list"))
}

/// Where a kubelet wants a volume.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The volume's handle.
    pub id: &'a str,
    /// The node's name for the driver.
    pub node: &'a str,
    /// Where it is staged; `None` for one that a pod names itself.
    pub staging: Option<&'a str>,
    /// Where the pod has it.
    pub path: &'a str,
}

/// `NodeStageVolume`. `root` is what the driver has as its directory.
pub fn stage(
    root: &mut Vfs,
    called: &str,
    attaches: bool,
    target: &Target<'_>,
) -> Result<(), Status> {
    let Some(staging) = target.staging else { return Ok(()) };
    let mut state = State::read(root, "/", called);
    let volume = state.by_id_mut(target.id)?;
    if attaches && !volume.attached {
        return Err(Status::new(
            "Internal",
            format!(
                "ControllerPublishVolume must be called on volume '{}' before staging on node",
                volume.id
            ),
        ));
    }
    if !volume.staged.iter().any(|path| path == staging) {
        volume.staged.push(staging.to_owned());
        state.write(root, "/")?;
    }
    Ok(())
}

/// `NodePublishVolume`, but for the mount itself.
pub fn publish(root: &mut Vfs, called: &str, target: &Target<'_>) -> Result<(), Status> {
    let mut state = State::read(root, "/", called);
    if target.staging.is_none() && state.by_id(target.id).is_err() {
        make_directory(root, "/", target.id)?;
        state.add(Volume {
            name: format!("ephemeral-{}", target.id),
            id: target.id.to_owned(),
            size: EPHEMERAL_BYTES,
            ephemeral: true,
            ..Volume::default()
        })?;
    }
    let volume = state.by_id_mut(target.id).map_err(|status| wrapped(&status))?;
    volume.node = target.node.to_owned();
    if !volume.published.iter().any(|path| path == target.path) {
        volume.published.push(target.path.to_owned());
    }
    state.write(root, "/")
}

/// `NodeUnpublishVolume`, and `NodeUnstageVolume` when no pod has it any more.
pub fn unpublish(root: &mut Vfs, called: &str, id: &str, path: &str) -> Result<(), Status> {
    let mut state = State::read(root, "/", called);
    let volume = state.by_id_mut(id)?;
    volume.published.retain(|other| other != path);
    if volume.published.is_empty() {
        volume.staged.clear();
    }
    if volume.ephemeral {
        let _ = root.remove_all(&join("/", id));
        state.remove(id);
    }
    state.write(root, "/")
}

/// Makes the directory that a volume is.
pub fn make_directory(fs: &mut Vfs, directory: &str, id: &str) -> Result<(), Status> {
    let path = join(directory, id);
    let made = fs.mkdir_all(&path).and_then(|()| fs.chmod(&path, 0o777));
    made.map_err(|errno| {
        Status::new("Unknown", format!("mkdir {path}: {}", errno.to_string().to_lowercase()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pods_own_volume_ends_with_it() {
        let mut root = Vfs::new();
        let target = Target { id: "csi-1", node: "n", staging: None, path: "/p" };
        publish(&mut root, "/csi-data-dir", &target).unwrap();
        publish(&mut root, "/csi-data-dir", &target).unwrap();
        let state = State::read(&root, "/", "/csi-data-dir");
        assert_eq!(state.volumes().len(), 1);
        assert_eq!(state.volumes()[0].published, ["/p"]);
        assert_eq!(state.by_name("ephemeral-csi-1").map(|it| it.ephemeral), Some(true));
        assert!(root.is_dir("/csi-1"));
        unpublish(&mut root, "/csi-data-dir", "csi-1", "/p").unwrap();
        assert!(!root.exists("/csi-1"));
        assert!(State::read(&root, "/", "/csi-data-dir").volumes().is_empty());
    }

    #[test]
    fn what_is_not_there_is_told() {
        let mut root = Vfs::new();
        let target = Target { id: "x", node: "n", staging: Some("/s"), path: "/p" };
        let said =
            "rpc error: code = NotFound desc = volume id x does not exist in the volumes list";
        assert_eq!(stage(&mut root, "/d", false, &target).unwrap_err().to_string(), said);
        let twice = format!("rpc error: code = NotFound desc = {said}");
        assert_eq!(publish(&mut root, "/d", &target).unwrap_err().to_string(), twice);
        assert_eq!(unpublish(&mut root, "/d", "x", "/p").unwrap_err().to_string(), said);
    }
}
