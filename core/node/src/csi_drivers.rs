//! The CSI drivers that are registered on a node.
//!
//! Upstream: `pkg/kubelet/pluginmanager`, `pkg/volume/csi/nodeinfomanager`. A real driver's registrar
//! tells the kubelet's socket of it, and the kubelet asks the driver what it is; here a driver is
//! registered while its container runs, and what it is stands in its arguments.

use crate::programs::hostpathplugin::{self, Options};
use crate::runtime::{Container, Mount, Runtime, VolumeId};
use naru_api::names;
use naru_shell::serve::goflag;
use naru_shell::{join, normalize};

/// A CSI driver on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsiDriver {
    /// Its name.
    pub name: String,
    /// What it calls the node; `None` for the node's own name.
    pub node_id: Option<String>,
    /// The node label that says where its volumes can be used.
    pub topology_key: Option<String>,
    /// How many volumes of it a node takes.
    pub limit: Option<i32>,
    /// Where its volumes are.
    pub storage: Storage,
}

/// Where a driver's volumes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Disks beyond the node.
    Disks,
    /// Directories of the node.
    Directories(Directories),
    /// Nowhere that outlives the driver's container: it keeps them in its own files.
    Nowhere,
}

/// The directory of a driver whose volumes are directories of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directories {
    /// The directory.
    pub root: VolumeId,
    /// What the driver calls it.
    pub called: String,
    /// Whether the driver must have attached a volume before it is staged.
    pub attaches: bool,
}

/// The program of Google's driver, its name, the label of its zones and its volumes per node.
const GCE: (&str, &str, &str, i32) =
    ("gce-pd-csi-driver", "pd.csi.storage.gke.io", "topology.gke.io/zone", 15);
/// The programs of the driver of directories, and of the sidecar that registers it.
const HOST_PATH: &str = "hostpathplugin";
const REGISTRAR: &str = "csi-node-driver-registrar";
/// Where the kubelet looks for the sockets of those who tell it of drivers.
const PLUGINS_REGISTRY: &str = "/var/lib/kubelet/plugins_registry";
/// Longest name of a driver.
const NAME_MAX: usize = 63;

/// The drivers that are registered on a node.
pub fn registered(runtime: &Runtime) -> Vec<CsiDriver> {
    let mut drivers = Vec::new();
    let (program, name, topology_key, limit) = GCE;
    if runtime.runs(program) {
        drivers.push(CsiDriver {
            name: name.to_owned(),
            node_id: None,
            topology_key: Some(topology_key.to_owned()),
            limit: Some(limit),
            storage: Storage::Disks,
        });
    }
    for container in runtime.running(HOST_PATH) {
        let options = Options::of(container.config.argv.get(1..).unwrap_or_default());
        let known = drivers.iter().any(|driver| driver.name == options.name);
        if !known && is_valid(&options) && is_told(&options, container, runtime) {
            drivers.push(host_path(options, container));
        }
    }
    drivers
}

/// The driver of this name, if it is registered.
pub fn find(name: &str, runtime: &Runtime) -> Option<CsiDriver> {
    registered(runtime).into_iter().find(|driver| driver.name == name)
}

/// Whether a CSINode may tell of it, and a label of its node. Upstream: `ValidateCSIDriverName`.
fn is_valid(options: &Options) -> bool {
    options.name.len() <= NAME_MAX
        && names::dns1123_subdomain(&options.name).is_empty()
        && names::label_value(&options.node).is_empty()
}

/// Whether the registrar in a driver's pod has told the kubelet of it: its socket is where the kubelet
/// looks, and it says where the driver's own is.
fn is_told(options: &Options, driver: &Container, runtime: &Runtime) -> bool {
    let endpoint = place_on_host(driver, &options.endpoint, runtime);
    let tells = |it: &Container| {
        let args = it.config.argv.get(1..).unwrap_or_default();
        let folder = goflag::value(args, "plugin-registration-path").unwrap_or("/registration");
        let socket = join(folder, &format!("{}-reg.sock", options.name));
        it.fs().exists(&socket)
            && place_on_host(it, folder, runtime).as_deref() == Some(PLUGINS_REGISTRY)
            && goflag::value(args, "kubelet-registration-path") == endpoint.as_deref()
    };
    endpoint.is_some()
        && runtime.running(REGISTRAR).any(|it| it.sandbox == driver.sandbox && tells(it))
}

/// Where on the node a path of a container is, if it is in a directory of the node.
fn place_on_host(container: &Container, path: &str, runtime: &Runtime) -> Option<String> {
    let inside = |mount: &&Mount| {
        path.strip_prefix(&mount.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let mounts = container.config.mounts.iter().filter(inside);
    let mount = mounts.max_by_key(|mount| mount.path.len())?;
    let place = runtime.volumes.place_on_host(mount.volume)?;
    let rest = path.strip_prefix(&mount.path)?;
    Some(normalize("/", &format!("{place}/{}/{rest}", mount.sub_path)))
}

fn host_path(options: Options, container: &Container) -> CsiDriver {
    let mut mounts = container.config.mounts.iter();
    let mount = mounts.find(|mount| mount.path == options.directory && mount.sub_path.is_empty());
    let storage = match mount {
        None => Storage::Nowhere,
        Some(mount) => Storage::Directories(Directories {
            root: mount.volume,
            called: options.directory.clone(),
            attaches: options.attaches,
        }),
    };
    CsiDriver {
        name: options.name,
        node_id: Some(options.node),
        topology_key: options.topology.then(|| hostpathplugin::TOPOLOGY_KEY.to_owned()),
        limit: i32::try_from(options.limit).ok().filter(|limit| *limit > 0),
        storage,
    }
}
