//! `hostpathplugin`: a CSI driver whose volumes are directories of the node on which its pod runs.
//!
//! Its identity and controller services answer the sidecars of its pod; of its node service only what
//! is asked before a volume is mounted is here, the rest is the kubelet's (`csi_drivers.rs`).
//!
//! Upstream: kubernetes-csi/csi-driver-host-path v1.16.1, `cmd/hostpathplugin`, `pkg/hostpath`.

pub mod state;

use naru_network::http::Request;
use naru_shell::serve::local::{self, Status};
use naru_shell::serve::{HttpServer, clock};
use naru_shell::{Device, Program, Signal, Step, Sys, join};
use naru_sim::Rng;
use serde_json::{Map, Value, json};
use state::{State, Volume};

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
    /// Reads arguments as Go's `flag` does: one dash or two, with `=` or with another argument.
    pub fn of(args: &[String]) -> Options {
        let find = |name: &str| {
            args.iter().enumerate().find_map(|(at, arg)| {
                let arg = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-'))?;
                match arg.strip_prefix(name)? {
                    "" => Some(args.get(at + 1).map_or("", String::as_str)),
                    rest => rest.strip_prefix('='),
                }
            })
        };
        let text = |name: &str, or: &str| find(name).unwrap_or(or).to_owned();
        let number = |name: &str, or: i64| find(name).and_then(|it| it.parse().ok()).unwrap_or(or);
        let flag = |name: &str, or: bool| {
            let given = find(name).map(|value| !["false", "0", "f", "F", "FALSE"].contains(&value));
            given.unwrap_or(or)
        };
        let attach_limit = number("attach-limit", 0);
        let limit = number("maxvolumespernode", 0);
        Options {
            name: text("drivername", "hostpath.csi.k8s.io"),
            endpoint: local::path_of(&text("endpoint", "unix:///tmp/csi.sock")).to_owned(),
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
                Err(why) => {
                    let _ = sys.write(1, why.as_bytes());
                    return Step::Exit(1);
                }
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

fn log(sys: &mut dyn Sys, level: char, place: &str, text: &str) {
    let time = clock::format(sys.now(), clock::KLOG);
    let _ = sys.write(2, format!("{level}{time}       1 {place}] {text}\n").as_bytes());
}

fn start(sys: &mut dyn Sys) -> Result<Running, String> {
    sys.catch(Signal::Term);
    sys.use_memory(MEMORY);
    let options = Options::of(sys.args().get(1..).unwrap_or_default());
    if options.node.is_empty() {
        return Err("Failed to initialize driver: no node id provided".to_owned());
    }
    let directory = options.directory.clone();
    sys.fs().mkdir_all(&directory).map_err(|errno| {
        let errno = errno.to_string().to_lowercase();
        format!(
            "Failed to initialize driver: failed to create dataRoot: mkdir {directory}: {errno}"
        )
    })?;
    log(sys, 'I', "hostpath.go:119", &format!("Driver: {} ", options.name));
    log(sys, 'I', "hostpath.go:120", &format!("Version: {VERSION}"));
    let endpoint = options.endpoint.clone();
    let _ = sys.fs().remove(&endpoint);
    let mut server = HttpServer::default();
    let net = sys.net().ok_or(naru_shell::Errno::NetUnreachable);
    let listens = net.and_then(|net| server.listen_on(net, local::address(&endpoint)));
    let made = listens.and_then(|_| sys.fs().make_device(&endpoint, Device::Socket, 0o755));
    if let Err(errno) = made {
        let errno = errno.to_string().to_lowercase();
        log(
            sys,
            'F',
            "server.go:69",
            &format!("Failed to listen: listen unix /{endpoint}: bind: {errno}"),
        );
        return Err(String::new());
    }
    let address = format!("&net.UnixAddr{{Name:\"/{endpoint}\", Net:\"unix\"}}");
    log(sys, 'I', "server.go:95", &format!("Listening for connections on address: {address}"));
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
        log(sys, 'I', "server.go:107", &format!("GRPC call: {method}"));
        log(sys, 'I', "server.go:111", &format!("GRPC request: {asked}"));
        let result = self.answer(sys, method.rsplit('/').next().unwrap_or_default(), &asked);
        match &result {
            Ok(answer) => log(sys, 'I', "server.go:120", &format!("GRPC response: {answer}")),
            Err(status) => log(sys, 'E', "server.go:116", &format!("GRPC error: {status}")),
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
        let id = uuid(sys.rng());
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
        log(sys, 'I', "controllerserver.go:166", &said);
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
            log(sys, 'W', "controllerserver.go:235", &said);
        }
        let _ = sys.fs().remove_all(&join(&self.options.directory, id));
        state.remove(id);
        self.keep(sys, &state)?;
        let said = format!("volume {id} successfully deleted");
        log(sys, 'I', "controllerserver.go:241", &said);
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
        let volume = state.by_id_mut(text(asked, "volume_id"))?;
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
        let mut state = self.state(sys);
        // One that is not there is not attached.
        if let Ok(volume) = state.by_id_mut(text(asked, "volume_id")) {
            volume.attached = false;
            self.keep(sys, &state)?;
        }
        Ok(json!({}))
    }
}

fn text<'a>(asked: &'a Value, key: &str) -> &'a str {
    asked.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn bytes(asked: &Value) -> i64 {
    asked.pointer("/capacity_range/required_bytes").and_then(Value::as_i64).unwrap_or_default()
}

/// A handle that nobody else has, as `uuid.NewUUID` makes it: of version 1.
fn uuid(rng: &mut Rng) -> String {
    let (high, low) = (rng.next_u64(), rng.next_u64());
    format!(
        "{:08x}-{:04x}-1{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        0x8000 | low >> 48 & 0x3fff,
        low & 0xffff_ffff_ffff
    )
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
