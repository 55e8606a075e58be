//! `hostpathplugin`: a CSI driver whose volumes are directories of the node on which its pod runs.
//!
//! Its identity and controller services answer the sidecars of its pod; of its node service only what
//! is asked before a volume is mounted is here, the rest is the kubelet's (`csi_drivers.rs`).
//!
//! Upstream: kubernetes-csi/csi-driver-host-path v1.16.1, `cmd/hostpathplugin`, `pkg/hostpath`.

pub mod state;

use naru_network::http::Request;
use naru_shell::serve::local::{self, Status};
use naru_shell::serve::{HttpServer, goflag, klog};
use naru_shell::{Device, Program, Signal, Step, Sys, join, normalize};
use serde_json::{Map, Value, json};
use state::{State, Volume, wrapped};

/// The node label that says where volumes can be used. Upstream: `TopologyKeyNode`.
pub const TOPOLOGY_KEY: &str = "topology.hostpath.csi/node";
/// The version that it tells.
const VERSION: &str = "v1.16.1";
/// Bytes that it holds.
const MEMORY: u64 = 12 << 20;

/// What its arguments say.
#[derive(Clone, Debug)]
pub struct Options {
    /// `--drivername`
    pub name: String,
    /// `--endpoint`: a path
    pub endpoint: String,
    /// `--nodeid`
    pub node: String,
    /// `--statedir`
    pub directory: String,
    /// `--maxvolumespernode`, or `--attach-limit`; 0 for any number
    pub limit: i64,
    /// `--enable-attach`
    pub attaches: bool,
    /// `--attach-limit`
    attach_limit: i64,
    /// `--enable-topology`
    pub topology: bool,
    /// `--enable-volume-expansion`
    expands: bool,
    /// `--max-volume-size`, in bytes
    size_max: i64,
    /// `--disable-node-expansion`
    no_node_expansion: bool,
}

impl Options {
    /// Reads arguments.
    pub fn of(args: &[String]) -> Options {
        let find = |name: &str| goflag::value(args, name);
        let text = |name: &str, or: &str| find(name).unwrap_or(or).to_owned();
        let number = |name: &str, or: i64| find(name).and_then(|it| it.parse().ok()).unwrap_or(or);
        let flag = |name: &str, or: bool| goflag::switch(args, name).unwrap_or(or);
        let attach_limit = number("attach-limit", 0);
        let limit = number("maxvolumespernode", 0);
        Options {
            name: text("drivername", "hostpath.csi.k8s.io"),
            // Upstream: `endpoint.Listen`, which takes every path for one from the root.
            endpoint: normalize("/", local::path_of(&text("endpoint", "unix://tmp/csi.sock"))),
            node: text("nodeid", ""),
            directory: text("statedir", "/csi-data-dir"),
            limit: if attach_limit > 0 { attach_limit } else { limit },
            attaches: flag("enable-attach", false),
            attach_limit,
            topology: flag("enable-topology", true),
            expands: flag("enable-volume-expansion", true),
            size_max: number("max-volume-size", 1 << 40),
            no_node_expansion: flag("disable-node-expansion", false),
        }
    }
}

/// The program.
#[derive(Clone, Debug, Default)]
pub struct HostPathPlugin {
    running: Option<Running>,
}

#[derive(Clone, Debug)]
struct Running {
    options: Options,
    server: HttpServer,
}

impl Program for HostPathPlugin {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        let mut running = match self.running.take() {
            Some(running) => running,
            None => match start(sys) {
                Ok(running) => running,
                Err(code) => return Step::Exit(code),
            },
        };
        if sys.take_signal().is_some() {
            let _ = sys.fs().remove(&running.options.endpoint);
            if let Some(net) = sys.net() {
                running.server.close(net);
            }
            return Step::Exit(0);
        }
        running.serve(sys);
        self.running = Some(running);
        Step::Block { until: None }
    }
}

/// Says why it does not start; gives its exit code.
fn failed(sys: &mut dyn Sys, why: &str) -> i32 {
    let _ = sys.write(1, format!("Failed to initialize driver: {why}").as_bytes());
    1
}

/// The error is its exit code.
fn start(sys: &mut dyn Sys) -> Result<Running, i32> {
    sys.catch(Signal::Term);
    sys.use_memory(MEMORY);
    let options = Options::of(sys.args().get(1..).unwrap_or_default());
    if options.node.is_empty() {
        return Err(failed(sys, "no node id provided"));
    }
    let directory = options.directory.clone();
    if let Err(errno) = sys.fs().mkdir_all(&directory) {
        let errno = errno.to_string().to_lowercase();
        let why = format!("failed to create dataRoot: mkdir {directory}: {errno}");
        return Err(failed(sys, &why));
    }
    klog::log(sys, 'I', "hostpath.go:119", &format!("Driver: {} ", options.name));
    klog::log(sys, 'I', "hostpath.go:120", &format!("Version: {VERSION}"));
    let endpoint = options.endpoint.clone();
    let _ = sys.fs().remove(&endpoint);
    let mut server = HttpServer::default();
    let net = sys.net().ok_or(naru_shell::Errno::NetUnreachable);
    let listens = net.and_then(|net| server.listen_on(net, local::address(&endpoint)));
    let made = listens.and_then(|_| sys.fs().make_device(&endpoint, Device::Socket, 0o755));
    if let Err(errno) = made {
        let errno = errno.to_string().to_lowercase();
        let why = format!("Failed to listen: listen unix /{endpoint}: bind: {errno}");
        klog::log(sys, 'F', "server.go:69", &why);
        // What `klog.Fatalf` ends with.
        return Err(255);
    }
    let address = format!("&net.UnixAddr{{Name:\"/{endpoint}\", Net:\"unix\"}}");
    klog::log(
        sys,
        'I',
        "server.go:95",
        &format!("Listening for connections on address: {address}"),
    );
    Ok(Running { options, server })
}

impl Running {
    fn serve(&mut self, sys: &mut dyn Sys) {
        loop {
            let now = sys.now();
            let Some(net) = sys.net() else { return };
            let requests = self.server.poll(net, now);
            for incoming in &requests {
                let result = self.call(sys, &incoming.request);
                let result = result.map(|answer| answer.to_string().into_bytes());
                self.server.respond(incoming, &local::response(&result));
            }
            let Some(net) = sys.net() else { return };
            self.server.flush(net);
            if requests.is_empty() {
                return;
            }
        }
    }

    /// Upstream: `logGRPC`, at the level of the usual manifests.
    fn call(&self, sys: &mut dyn Sys, request: &Request) -> Result<Value, Status> {
        let method = request.path();
        let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        klog::log(sys, 'I', "server.go:107", &format!("GRPC call: {method}"));
        klog::log(sys, 'I', "server.go:111", &format!("GRPC request: {asked}"));
        let result = self.answer(sys, method.rsplit('/').next().unwrap_or_default(), &asked);
        match &result {
            Ok(answer) => klog::log(sys, 'I', "server.go:120", &format!("GRPC response: {answer}")),
            Err(status) => klog::log(sys, 'E', "server.go:116", &format!("GRPC error: {status}")),
        }
        result
    }

    fn answer(&self, sys: &mut dyn Sys, method: &str, asked: &Value) -> Result<Value, Status> {
        match method {
            "GetPluginInfo" => Ok(json!({"name": self.options.name, "vendor_version": VERSION})),
            "Probe" => Ok(json!({})),
            "ControllerGetCapabilities" => Ok(self.capabilities()),
            "CreateVolume" => self.create(sys, asked),
            "DeleteVolume" => self.delete(sys, text(asked, "volume_id")),
            "ControllerExpandVolume" => self.expand(sys, asked),
            "ControllerPublishVolume" => self.attach(sys, asked),
            "ControllerUnpublishVolume" => self.detach(sys, asked),
            _ => Err(Status::new("Unimplemented", format!("unknown method {method}"))),
        }
    }

    fn capabilities(&self) -> Value {
        let options = &self.options;
        let mut names = vec!["CREATE_DELETE_VOLUME", "GET_CAPACITY", "CLONE_VOLUME"];
        names.push("SINGLE_NODE_MULTI_WRITER");
        if options.expands {
            names.push("EXPAND_VOLUME");
        }
        if options.attaches {
            names.push("PUBLISH_UNPUBLISH_VOLUME");
        }
        let of = |name: &&str| json!({"Type": {"Rpc": {"type": name}}});
        json!({"capabilities": names.iter().map(of).collect::<Vec<_>>()})
    }

    fn state(&self, sys: &mut dyn Sys) -> State {
        State::read(sys.fs(), &self.options.directory, &self.options.directory)
    }

    fn keep(&self, sys: &mut dyn Sys, state: &State) -> Result<(), Status> {
        state.write(sys.fs(), &self.options.directory)
    }

    fn create(&self, sys: &mut dyn Sys, asked: &Value) -> Result<Value, Status> {
        let name = text(asked, "name");
        let wanted = bytes(asked);
        let mut state = self.state(sys);
        if let Some(volume) = state.by_name(name) {
            if volume.size < wanted {
                return Err(Status::new(
                    "AlreadyExists",
                    format!(
                        "Volume with the same name: {name} but with different size already exist"
                    ),
                ));
            }
            return Ok(self.created(&volume.id, volume.size, asked));
        }
        if asked.pointer("/volume_capabilities/0/AccessType/Block").is_some() {
            return Err(Status::new(
                "Unimplemented",
                "the sandbox has no volumes that are devices",
            ));
        }
        let size_max = self.options.size_max;
        if wanted > size_max {
            return Err(Status::new(
                "OutOfRange",
                format!("Requested capacity {wanted} exceeds maximum allowed {size_max}"),
            ));
        }
        let kind = asked.pointer("/parameters/kind").and_then(Value::as_str).unwrap_or_default();
        if !kind.is_empty() {
            return Err(Status::new(
                "InvalidArgument",
                format!("capacity tracking disabled, specifying kind \"{kind}\" is invalid"),
            ));
        }
        // Upstream: `uuid.NewUUID`, of version 1.
        let id = sys.rng().uuid(1);
        let directory = &self.options.directory;
        let parent = asked.pointer("/volume_content_source/Type/Volume/volume_id");
        let parent = parent.and_then(Value::as_str).unwrap_or_default().to_owned();
        state::make_directory(sys.fs(), directory, &id)?;
        let volume = Volume {
            name: name.to_owned(),
            id: id.clone(),
            size: wanted,
            parent: parent.clone(),
            ..Volume::default()
        };
        if !parent.is_empty()
            && let Err(status) = self.populate(sys, &state, &volume)
        {
            let _ = sys.fs().remove_all(&join(directory, &id));
            return Err(status);
        }
        state.add(volume)?;
        self.keep(sys, &state)?;
        let path = join(directory, &id);
        let said = format!("created volume {id} at path {path}");
        klog::log(sys, 'I', "controllerserver.go:166", &said);
        Ok(self.created(&id, wanted, asked))
    }

    /// Upstream: `loadFromVolume`.
    fn populate(&self, sys: &mut dyn Sys, state: &State, to: &Volume) -> Result<(), Status> {
        let from = state.by_id(&to.parent)?;
        if from.size > to.size {
            return Err(Status::new(
                "InvalidArgument",
                format!(
                    "volume {} size {} is greater than requested volume size {}",
                    from.id, from.size, to.size
                ),
            ));
        }
        let directory = &self.options.directory;
        let (source, target) = (join(directory, &from.id), join(directory, &to.id));
        copy(sys, &source, &target).map_err(|errno| {
            Status::new(
                "Unknown",
                format!("failed pre-populate data from volume {}: {errno}", from.id),
            )
        })
    }

    fn created(&self, id: &str, size: i64, asked: &Value) -> Value {
        let mut volume = Map::new();
        volume.insert("volume_id".to_owned(), json!(id));
        volume.insert("capacity_bytes".to_owned(), json!(size));
        if let Some(parameters) = asked.get("parameters") {
            volume.insert("volume_context".to_owned(), parameters.clone());
        }
        if let Some(source) = asked.get("volume_content_source") {
            volume.insert("content_source".to_owned(), source.clone());
        }
        if self.options.topology {
            let place = json!([{"segments": {TOPOLOGY_KEY: self.options.node}}]);
            volume.insert("accessible_topology".to_owned(), place);
        }
        json!({"volume": volume})
    }

    fn delete(&self, sys: &mut dyn Sys, id: &str) -> Result<Value, Status> {
        let mut state = self.state(sys);
        let Ok(volume) = state.by_id(id).cloned() else { return Ok(json!({})) };
        if volume.attached || !volume.published.is_empty() || !volume.staged.is_empty() {
            let said = format!(
                "Volume '{id}' is still used (attached: {}, staged: [{}], published: [{}]) by '{}' \
                 node",
                volume.attached,
                volume.staged.join(" "),
                volume.published.join(" "),
                volume.node
            );
            klog::log(sys, 'W', "controllerserver.go:235", &said);
        }
        let _ = sys.fs().remove_all(&join(&self.options.directory, id));
        state.remove(id);
        self.keep(sys, &state)?;
        let said = format!("volume {id} successfully deleted");
        klog::log(sys, 'I', "controllerserver.go:241", &said);
        Ok(json!({}))
    }

    fn expand(&self, sys: &mut dyn Sys, asked: &Value) -> Result<Value, Status> {
        let (wanted, size_max) = (bytes(asked), self.options.size_max);
        if wanted > size_max {
            return Err(Status::new(
                "OutOfRange",
                format!("Requested capacity {wanted} exceeds maximum allowed {size_max}"),
            ));
        }
        let mut state = self.state(sys);
        let volume = state.by_id_mut(text(asked, "volume_id"))?;
        volume.size = volume.size.max(wanted);
        let size = volume.size;
        self.keep(sys, &state)?;
        let node = !self.options.no_node_expansion;
        Ok(json!({"capacity_bytes": size, "node_expansion_required": node}))
    }

    fn attach(&self, sys: &mut dyn Sys, asked: &Value) -> Result<Value, Status> {
        let node = text(asked, "node_id");
        let options = &self.options;
        if !options.attaches {
            let why = "ControllerPublishVolume is not supported";
            return Err(Status::new("Unimplemented", why));
        }
        if node != options.node {
            return Err(Status::new(
                "NotFound",
                format!("Not matching Node ID {node} to hostpath Node ID {}", options.node),
            ));
        }
        let mut state = self.state(sys);
        let count = state.volumes().iter().filter(|it| it.attached).count();
        let full = i64::try_from(count).is_ok_and(|count| count >= options.attach_limit);
        let volume =
            state.by_id_mut(text(asked, "volume_id")).map_err(|status| wrapped(&status))?;
        if volume.attached {
            return Ok(json!({}));
        }
        if options.attach_limit > 0 && full {
            return Err(Status::new(
                "ResourceExhausted",
                format!("Cannot attach any more volumes to this node ('{}')", options.node),
            ));
        }
        volume.attached = true;
        self.keep(sys, &state)?;
        Ok(json!({}))
    }

    fn detach(&self, sys: &mut dyn Sys, asked: &Value) -> Result<Value, Status> {
        if !self.options.attaches {
            let why = "ControllerUnpublishVolume is not supported";
            return Err(Status::new("Unimplemented", why));
        }
        let (node, own) = (text(asked, "node_id"), &self.options.node);
        if !node.is_empty() && node != own {
            return Err(Status::new(
                "NotFound",
                format!("Node ID {node} does not match to expected Node ID {own}"),
            ));
        }
        let mut state = self.state(sys);
        // One that is not there is not attached.
        let Ok(volume) = state.by_id_mut(text(asked, "volume_id")) else { return Ok(json!({})) };
        volume.attached = false;
        if !volume.published.is_empty() || !volume.staged.is_empty() {
            let said = format!(
                "Volume '{}' is still used (staged: [{}], published: [{}]) by '{}' node",
                volume.id,
                volume.staged.join(" "),
                volume.published.join(" "),
                volume.node
            );
            klog::log(sys, 'W', "controllerserver.go:375", &said);
        }
        self.keep(sys, &state)?;
        Ok(json!({}))
    }
}

fn text<'a>(asked: &'a Value, key: &str) -> &'a str {
    asked.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn bytes(asked: &Value) -> i64 {
    asked.pointer("/capacity_range/required_bytes").and_then(Value::as_i64).unwrap_or_default()
}

/// `cp -a SOURCE/. TARGET/`
fn copy(sys: &mut dyn Sys, source: &str, target: &str) -> Result<(), naru_shell::Errno> {
    let fs = sys.fs();
    let mut left = vec![String::new()];
    while let Some(inner) = left.pop() {
        for entry in fs.list(&format!("{source}{inner}"))? {
            let below = format!("{inner}/{}", entry.name);
            let (from, to) = (format!("{source}{below}"), format!("{target}{below}"));
            if entry.stat.is_dir() {
                fs.mkdir_all(&to)?;
                left.push(below);
            } else if let Ok(link) = fs.read_link(&from) {
                fs.symlink(&link, &to)?;
                continue;
            } else {
                let bytes = fs.read(&from)?;
                fs.write(&to, &bytes)?;
            }
            fs.chmod(&to, entry.stat.mode)?;
            fs.chown(&to, entry.stat.uid, entry.stat.gid)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_as_go_reads_them() {
        let args = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let options = Options::of(&args(&[
            "--drivername=x.example.com",
            "-nodeid",
            "worker",
            "--endpoint=unix:///csi/csi.sock",
            "--attach-limit=2",
            "--enable-attach",
            "--v=5",
        ]));
        assert_eq!(options.name, "x.example.com");
        assert_eq!(options.node, "worker");
        assert_eq!(options.endpoint, "/csi/csi.sock");
        assert_eq!((options.limit, options.attaches), (2, true));
        let plain = Options::of(&[]);
        assert_eq!((plain.name.as_str(), plain.limit), ("hostpath.csi.k8s.io", 0));
        assert!(plain.topology && !plain.attaches);
    }
}
