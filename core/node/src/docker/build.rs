//! `docker build`: a Dockerfile, instruction by instruction.
//!
//! Upstream: `frontend/dockerfile/dockerfile2llb` and `solver` of `moby/buildkit`.

use super::Docker;
use super::dockerfile::{self, Instruction, ParseError, Words};
use crate::images::sha256_hex;
use crate::runtime::{
    ContainerConfig, ContainerId, ContainerState, PidNamespace, SandboxConfig, SandboxId,
};
use crate::{Image, ImageRef, Layer, Past, Registry, RegistryError};
use naru_network::Network;
use naru_shell::{Confinement, Errno, Tree, Vfs, join, normalize, tar};
use naru_sim::{CauseId, Time};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Builds that are under way, and steps that are remembered.
const BUILDS_MAX: usize = 16;
const CACHE_MAX: usize = 256;
/// How long a `RUN` may take.
const RUN_TIME_MAX: Duration = Duration::from_secs(3_600);
/// How often is looked whether a `RUN` has ended.
const POLL_TIME: Duration = Duration::from_millis(50);
/// What is kept of the output of a `RUN`.
const OUTPUT_LINES_MAX: usize = 100;
/// Upstream: what containers get without a `PATH` of their own.
const SHELL: [&str; 2] = ["/bin/sh", "-c"];

/// What a build begins with.
#[derive(Clone, Debug)]
pub struct Context {
    /// The machine's files, and the directory of them that is sent.
    pub files: Vfs,
    /// That directory.
    pub folder: String,
    /// The Dockerfile's text, and its name as errors say it.
    pub dockerfile: String,
    /// `Dockerfile`.
    pub dockerfile_name: String,
    /// `--build-arg`.
    pub args: BTreeMap<String, String>,
    /// The stage to stop after; "" for the last.
    pub target: String,
    /// Whether nothing is taken from earlier builds.
    pub no_cache: bool,
    /// The names that the image gets.
    pub names: Vec<ImageRef>,
}

/// One line of the progress, with what belongs to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vertex {
    /// `[2/3] COPY app.js /app.js`.
    pub name: String,
    /// Whether an earlier build had done it.
    pub cached: bool,
    /// Whether it failed.
    pub failed: bool,
    /// What it took.
    pub took: Duration,
    /// Parts of it.
    pub details: Vec<(String, Duration)>,
    /// What a `RUN` wrote, with the time since its start.
    pub output: Vec<(Duration, String)>,
}

/// How a build is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildState {
    /// It goes on at this moment.
    Running(Time),
    /// It is done.
    Done,
    /// It has failed.
    Failed {
        /// BuildKit's words, without `ERROR: failed to solve: `.
        message: String,
        /// The lines of the Dockerfile that are to be shown; 0 for none.
        lines: (usize, usize),
    },
}

/// A build.
#[derive(Clone, Debug)]
pub struct Build {
    /// What it began with.
    pub context: Context,
    /// What was done so far.
    pub vertices: Vec<Vertex>,
    /// Since when it runs.
    pub begun: Time,
    /// How it is.
    pub state: BuildState,
    instructions: Vec<Instruction>,
    at: usize,
    stages: Vec<Stage>,
    global_args: BTreeMap<String, String>,
    run: Option<Running>,
    prepared: bool,
}

/// One `FROM` and what follows it.
#[derive(Clone, Debug)]
struct Stage {
    name: String,
    image: Image,
    files: Vfs,
    args: BTreeMap<String, String>,
    shell: Vec<String>,
    key: String,
    /// Steps that are shown: how many there are, and which is next.
    total: usize,
    step: usize,
}

#[derive(Clone, Debug)]
struct Running {
    sandbox: SandboxId,
    container: ContainerId,
    since: Time,
    key: String,
    command: String,
    /// The instruction as it is remembered.
    by: String,
}

/// An image, what it took to get it, and the parts of that.
type Fetched = (Arc<Image>, Duration, Vec<(String, Duration)>);

struct Trouble {
    message: String,
    lines: (usize, usize),
}

impl Docker {
    /// Begins a build; gives its number, or what is wrong with the Dockerfile.
    pub fn begin_build(&mut self, context: Context, now: Time) -> Result<u64, ParseError> {
        let instructions = dockerfile::parse(&context.dockerfile)?;
        while self.builds.len() >= BUILDS_MAX {
            self.builds.pop_first();
        }
        self.last_build += 1;
        let definition = Vertex {
            name: format!("[internal] load build definition from {}", context.dockerfile_name),
            details: vec![(
                format!("transferring dockerfile: {}", human(context.dockerfile.len() as u64)),
                Duration::ZERO,
            )],
            ..Vertex::default()
        };
        let build = Build {
            context,
            vertices: vec![definition],
            begun: now,
            state: BuildState::Running(now),
            instructions,
            at: 0,
            stages: Vec::new(),
            global_args: BTreeMap::new(),
            run: None,
            prepared: false,
        };
        self.builds.insert(self.last_build, build);
        Ok(self.last_build)
    }

    /// Goes on with a build as far as it can now; `None` for one that is not there.
    pub fn go_on_build(
        &mut self,
        id: u64,
        registry: &Registry,
        network: &mut Network,
        now: Time,
    ) -> Option<Build> {
        let mut build = self.builds.remove(&id)?;
        while let BuildState::Running(at) = build.state {
            if at > now {
                break;
            }
            let next = self.build_step(&mut build, registry, network, now);
            build.state = match next {
                Ok(Some(at)) => BuildState::Running(at),
                Ok(None) => BuildState::Done,
                Err(Trouble { message, lines }) => BuildState::Failed { message, lines },
            };
        }
        if matches!(build.state, BuildState::Running(_)) {
            self.builds.insert(id, build.clone());
        }
        Some(build)
    }

    /// Ends a build that nobody waits for.
    pub fn cancel_build(&mut self, id: u64, network: &mut Network) {
        if let Some(run) = self.builds.remove(&id).and_then(|build| build.run) {
            self.runtime.remove_sandbox(network, run.sandbox);
        }
    }

    /// One step; when the next one comes, or `None` at the end.
    fn build_step(
        &mut self,
        build: &mut Build,
        registry: &Registry,
        network: &mut Network,
        now: Time,
    ) -> Result<Option<Time>, Trouble> {
        if !build.prepared {
            build.prepared = true;
            return self.load_metadata(build, registry, now).map(Some);
        }
        if let Some(run) = build.run.take() {
            return self.look_at_run(build, run, network, now).map(Some);
        }
        let target = build.context.target.clone();
        let ends = |next: &Instruction| {
            let current = build.stages.last();
            next.name == "FROM" && current.is_some_and(|it| !target.is_empty() && it.name == target)
        };
        let Some(it) = build.instructions.get(build.at).cloned().filter(|next| !ends(next)) else {
            self.export(build, now)?;
            return Ok(None);
        };
        build.at += 1;
        let lines = it.lines;
        let trouble = |message: String| Trouble { message, lines };
        match it.name {
            "ARG" if build.stages.is_empty() => {
                for (name, value) in dockerfile::pairs(&it.rest) {
                    let value = build.context.args.get(&name).cloned().unwrap_or(value);
                    build.global_args.insert(name, value);
                }
                Ok(Some(now))
            }
            "FROM" => self.from(build, &it, registry, now).map(Some),
            "RUN" => self.run_step(build, &it, network, now).map(Some),
            "COPY" | "ADD" => self.copy_step(build, &it, now).map(Some),
            "WORKDIR" => {
                self.workdir(build, &it, now);
                Ok(Some(now))
            }
            _ => {
                let Some(stage) = build.stages.last_mut() else { return Ok(Some(now)) };
                stage.note(&it, &build.context.args, &build.global_args).map_err(trouble)?;
                Ok(Some(now))
            }
        }
    }

    /// What the images are that the build stands on.
    fn load_metadata(
        &mut self,
        build: &mut Build,
        registry: &Registry,
        now: Time,
    ) -> Result<Time, Trouble> {
        let mut args = BTreeMap::new();
        let mut stages: Vec<String> = Vec::new();
        let mut slowest = Duration::ZERO;
        let mut wanted: Vec<(String, (usize, usize))> = Vec::new();
        for it in &build.instructions {
            if it.name == "ARG" && stages.is_empty() {
                args.extend(dockerfile::pairs(&it.rest));
                args.extend(build.context.args.clone());
            }
            if it.name == "FROM" {
                let (image, alias) = from_words(&dockerfile::expand(&it.rest, &args));
                if image != "scratch" && !stages.contains(&image) {
                    wanted.push((image, it.lines));
                }
                stages.push(alias);
            }
        }
        for (text, lines) in wanted {
            let name = ImageRef::parse(&text).map_err(|why| Trouble {
                message: format!("failed to parse stage name \"{text}\": {why}"),
                lines,
            })?;
            let local = self.images.contains_key(&name.to_string());
            let took = if local { Duration::ZERO } else { self.resolve_time() };
            slowest = slowest.max(took);
            let vertex_name = format!("[internal] load metadata for {name}");
            if build.vertices.iter().any(|vertex| vertex.name == vertex_name) {
                continue;
            }
            let found = local || registry.find(&name, true).is_ok();
            build.vertices.push(Vertex {
                name: vertex_name,
                took,
                failed: !found,
                ..Vertex::default()
            });
            if !found {
                let why = registry.find(&name, true).err().unwrap_or(RegistryError::NoTag);
                let message = format!("{text}: {}", not_resolved(&name, &why));
                return Err(Trouble { message, lines });
            }
        }
        build.vertices.push(Vertex {
            name: "[internal] load .dockerignore".to_owned(),
            details: vec![(
                format!("transferring context: {}", human(self.ignore_size(build))),
                Duration::ZERO,
            )],
            ..Vertex::default()
        });
        let sends =
            |it: &Instruction| matches!(it.name, "COPY" | "ADD") && it.flag("from").is_none();
        if build.instructions.iter().any(sends) {
            let bytes = sent_bytes(build);
            build.vertices.push(Vertex {
                name: "[internal] load build context".to_owned(),
                details: vec![(format!("transferring context: {}", human(bytes)), Duration::ZERO)],
                ..Vertex::default()
            });
        }
        Ok(now + slowest)
    }

    fn ignore_size(&self, build: &Build) -> u64 {
        let path = join(&build.context.folder, ".dockerignore");
        build.context.files.read(&path).map_or(2, |bytes| bytes.len() as u64)
    }

    fn resolve_time(&mut self) -> Duration {
        Duration::from_millis(700 + self.rng.below(900))
    }

    fn from(
        &mut self,
        build: &mut Build,
        it: &Instruction,
        registry: &Registry,
        now: Time,
    ) -> Result<Time, Trouble> {
        let (text, alias) = from_words(&dockerfile::expand(&it.rest, &build.global_args));
        let total = 1 + build
            .instructions
            .iter()
            .skip(build.at)
            .take_while(|next| next.name != "FROM")
            .filter(|next| is_shown(next.name))
            .count();
        let place = build.stages.len();
        let base = build.stages.iter().position(|stage| stage.name == text);
        let base = base.and_then(|at| build.stages.get(at)).cloned();
        let many = build.instructions.iter().filter(|it| it.name == "FROM").count() > 1;
        let label = match (many, alias.as_str()) {
            (false, _) => String::new(),
            (true, "") => format!("stage-{place} "),
            (true, alias) => format!("{alias} "),
        };
        let name = if alias.is_empty() { place.to_string() } else { alias };
        let stage = |image: Image, files: Vfs, key: String| Stage {
            name: name.clone(),
            image,
            files,
            args: BTreeMap::new(),
            shell: SHELL.map(str::to_owned).to_vec(),
            key,
            total,
            step: 1,
        };
        if let Some(base) = base {
            build.stages.push(stage(base.image, base.files, base.key));
            return Ok(now);
        }
        if text == "scratch" {
            let mut made = stage(Image::scratch(), Vfs::from(Tree::new()), "scratch".to_owned());
            made.step = 0;
            made.total -= 1;
            build.stages.push(made);
            return Ok(now);
        }
        let parsed = ImageRef::parse(&text);
        let parsed = parsed.map_err(|message| Trouble { message, lines: it.lines })?;
        let (image, took, details) = self.fetch(&parsed, registry, now).map_err(|why| Trouble {
            message: format!("{text}: {}", not_resolved(&parsed, &why)),
            lines: it.lines,
        })?;
        build.vertices.push(Vertex {
            name: format!("[{label}1/{total}] FROM {parsed}@{}", image.digest),
            took,
            details,
            ..Vertex::default()
        });
        let (files, key) = (image.fs(), image.config_digest.clone());
        build.stages.push(stage(Image::clone(&image), files, key));
        Ok(now + took)
    }

    /// An image, pulled if it is not here; what that takes, and its parts.
    fn fetch(
        &mut self,
        name: &ImageRef,
        registry: &Registry,
        now: Time,
    ) -> Result<Fetched, RegistryError> {
        if let Some((image, _)) = self.images.get(&name.to_string()) {
            return Ok((Arc::clone(image), Duration::ZERO, Vec::new()));
        }
        let image = registry.find(name, true)?;
        let resolve = (format!("resolve {name}@{}", image.digest), Duration::from_millis(10));
        let mut details = vec![resolve];
        let mut took = Duration::from_millis(10);
        for layer in image.layers.iter().filter(|layer| !self.has_layer(&layer.digest)) {
            let time = pull_time(layer.bytes);
            took += time;
            let size = human(layer.bytes);
            details.push((format!("{} {size} / {size}", layer.digest), time));
        }
        let missing: Vec<&Layer> =
            image.layers.iter().filter(|layer| !self.has_layer(&layer.digest)).collect();
        for layer in missing {
            let time = pull_time(layer.bytes / 2);
            took += time;
            details.push((format!("extracting {}", layer.digest), time));
        }
        // BuildKit keeps it without a name of its own; here as if it was pulled.
        let _ = self.add_image(name, Arc::clone(&image), now);
        Ok((image, took, details))
    }

    fn run_step(
        &mut self,
        build: &mut Build,
        it: &Instruction,
        network: &mut Network,
        now: Time,
    ) -> Result<Time, Trouble> {
        let no_cache = build.context.no_cache;
        let label = label(build);
        let Some(stage) = build.stages.last_mut() else { return Ok(now) };
        let argv = match it.words() {
            Words::Exec(words) => words,
            Words::Shell(line) => {
                let mut argv = stage.shell.clone();
                argv.push(line);
                argv
            }
        };
        let args: Vec<String> =
            stage.args.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let key = sha256_hex(format!("{} {argv:?} {args:?}", stage.key).as_bytes());
        let name = format!("[{label}{}/{}] {}", stage.step + 1, stage.total, it.text());
        let given = if args.is_empty() {
            String::new()
        } else {
            format!("|{} {} ", args.len(), args.join(" "))
        };
        let by = format!("RUN {given}{} # buildkit", argv.join(" "));
        if let Some(files) = self.cache.get(&key).filter(|_| !no_cache).cloned() {
            stage.add_layer(&key, stage.grown(&files), by);
            stage.take(files, key);
            build.vertices.push(Vertex { name, cached: true, ..Vertex::default() });
            return Ok(now);
        }
        let mut env = stage.image.env.clone();
        env.extend(stage.args.clone());
        let command = argv.join(" ");
        let config = ContainerConfig {
            name: "build".to_owned(),
            image: Arc::new(stage.image.clone().with_files(stage.files.clone())),
            image_name: String::new(),
            argv,
            env,
            cwd: stage.image.workdir.clone(),
            uid: None,
            gid: None,
            groups: Vec::new(),
            cpu_limit_milli: None,
            cpu_request_milli: None,
            oom_score_adj: 0,
            memory_limit: None,
            read_only_root: false,
            pids: PidNamespace::Container,
            confinement: Confinement::of_containers(),
            sysctls: BTreeMap::new(),
            devices: false,
            tty: false,
            stdin: false,
            files: Vec::new(),
            mounts: Vec::new(),
            termination_path: "/dev/termination-log".to_owned(),
            last_words_from_log: false,
        };
        build.vertices.push(Vertex { name, ..Vertex::default() });
        let sandbox = SandboxConfig {
            namespace: "buildkit".to_owned(),
            name: key.chars().take(12).collect(),
            hostname: "buildkitsandbox".to_owned(),
            host_network: false,
            host_ipc: false,
            ports: Vec::new(),
            attempt: 0,
            made: now,
        };
        let trouble = |message: String| Trouble { message, lines: it.lines };
        let sandbox = self.runtime.run_sandbox(network, sandbox).map_err(trouble)?;
        let container = self.runtime.create_container(sandbox, config).map_err(trouble)?;
        if let Err(why) = self.runtime.start_container(container, now, CauseId::ROOT) {
            self.runtime.remove_sandbox(network, sandbox);
            if let Some(vertex) = build.vertices.last_mut() {
                vertex.failed = true;
            }
            let at = why.find("runc create failed").unwrap_or(0);
            let why = why.get(at..).unwrap_or_default().trim_end_matches(": unknown").to_owned();
            return Err(trouble(format!(
                "process \"{command}\" did not complete successfully: {why}"
            )));
        }
        build.run = Some(Running { sandbox, container, since: now, key, command, by });
        Ok(now + POLL_TIME)
    }

    fn look_at_run(
        &mut self,
        build: &mut Build,
        run: Running,
        network: &mut Network,
        now: Time,
    ) -> Result<Time, Trouble> {
        let found = self.runtime.container(run.container);
        let running = found.is_some_and(|container| container.is_running());
        if running && now.since(run.since) < RUN_TIME_MAX {
            build.run = Some(run);
            return Ok(now + POLL_TIME);
        }
        let code = found.map_or(137, |container| match container.state {
            ContainerState::Exited { code, .. } => code,
            _ => 137,
        });
        let mut output = Vec::new();
        let lines: Vec<_> = found.iter().flat_map(|container| container.log.from(0)).collect();
        for line in lines.iter().skip(lines.len().saturating_sub(OUTPUT_LINES_MAX)) {
            let text = String::from_utf8_lossy(&line.text).trim_end().to_owned();
            output.push((line.at.since(run.since), text));
        }
        let files = found.map(|container| Vfs::from(container.fs().clone().into_tree()));
        self.runtime.remove_sandbox(network, run.sandbox);
        let lines = build.instructions.get(build.at.saturating_sub(1)).map_or((0, 0), |i| i.lines);
        if let Some(vertex) = build.vertices.last_mut() {
            (vertex.took, vertex.output, vertex.failed) = (now.since(run.since), output, code != 0);
        }
        if code != 0 {
            let command = run.command;
            return Err(Trouble {
                message: format!(
                    "process \"{command}\" did not complete successfully: exit code: {code}"
                ),
                lines,
            });
        }
        if let (Some(stage), Some(files)) = (build.stages.last_mut(), files) {
            stage.add_layer(&run.key, stage.grown(&files), run.by);
            self.remember(&run.key, &files);
            stage.take(files, run.key);
        }
        Ok(now)
    }

    fn copy_step(
        &mut self,
        build: &mut Build,
        it: &Instruction,
        now: Time,
    ) -> Result<Time, Trouble> {
        let trouble = |message: String| Trouble { message, lines: it.lines };
        let values = build.stages.last().map(Stage::values).unwrap_or_default();
        let paths: Vec<String> =
            it.paths().iter().map(|path| dockerfile::expand(path, &values)).collect();
        let Some((target, sources)) = paths.split_last().filter(|(_, rest)| !rest.is_empty())
        else {
            return Err(trouble(format!(
                "dockerfile parse error on line {}: {} requires at least two arguments, but only \
                 {} provided. Destination could not be determined",
                it.lines.0,
                it.name,
                if paths.len() == 1 {
                    "one was".to_owned()
                } else {
                    format!("{} were", paths.len())
                }
            )));
        };
        let (files, root) = match it.flag("from") {
            None => (build.context.files.clone(), build.context.folder.clone()),
            Some(name) => {
                let stage = build
                    .stages
                    .iter()
                    .enumerate()
                    .find(|(place, stage)| stage.name == name || place.to_string() == name);
                let files = match stage {
                    Some((_, stage)) => stage.files.clone(),
                    None => {
                        let image = ImageRef::parse(name).ok();
                        let image =
                            image.and_then(|name| Registry::default().find(&name, true).ok());
                        image.map(|image| image.fs()).ok_or_else(|| {
                            trouble(format!("{name}: failed to resolve source metadata for {name}"))
                        })?
                    }
                };
                (files, "/".to_owned())
            }
        };
        let label = label(build);
        let no_cache = build.context.no_cache;
        let Some(stage) = build.stages.last_mut() else { return Ok(now) };
        let name = format!("[{label}{}/{}] {}", stage.step + 1, stage.total, it.text());
        let owner = it.flag("chown").and_then(|owner| stage.user_of(owner));
        let copy = Copy { files: &files, root: &root, archives: it.name == "ADD", owner };
        let mut result = stage.files.clone();
        let done = copy.all(sources, target, &stage.image.workdir, &mut result);
        let (bytes, digest) = done.map_err(trouble)?;
        let key = sha256_hex(format!("{} {} {digest}", stage.key, it.text()).as_bytes());
        let cached = !no_cache && self.cache.contains_key(&key);
        let by = format!("{} {} {target} # buildkit", it.name, sources.join(" "));
        stage.add_layer(&key, bytes, by);
        self.remember(&key, &result);
        stage.take(result, key);
        let took = Duration::from_millis(if cached { 0 } else { 60 });
        build.vertices.push(Vertex { name, cached, took, ..Vertex::default() });
        Ok(now + took)
    }

    fn workdir(&mut self, build: &mut Build, it: &Instruction, _now: Time) {
        let label = label(build);
        let Some(stage) = build.stages.last_mut() else { return };
        let path = dockerfile::expand(&it.rest, &stage.values());
        stage.image.workdir = normalize(&stage.image.workdir, &path);
        stage.image.history.push(Past { by: format!("WORKDIR {}", stage.image.workdir), bytes: 0 });
        let name = format!("[{label}{}/{}] {}", stage.step + 1, stage.total, it.text());
        let key = sha256_hex(format!("{} {}", stage.key, it.text()).as_bytes());
        let cached = self.cache.contains_key(&key);
        let mut files = stage.files.clone();
        // A path that a file is in the way of shows when something is run there.
        let _ = files.mkdir_all(&stage.image.workdir);
        self.remember(&key, &files);
        stage.take(files, key);
        build.vertices.push(Vertex { name, cached, ..Vertex::default() });
    }

    fn remember(&mut self, key: &str, files: &Vfs) {
        if self.cache.len() >= CACHE_MAX {
            self.cache.pop_first();
        }
        self.cache.insert(key.to_owned(), files.clone());
    }

    /// Gives the image its names.
    fn export(&mut self, build: &mut Build, now: Time) -> Result<(), Trouble> {
        let trouble = |message: String| Trouble { message, lines: (0, 0) };
        let Some(stage) = build.stages.last() else { return Ok(()) };
        let anonymous = ImageRef {
            registry: String::new(),
            path: "<none>".to_owned(),
            tag: "<none>".to_owned(),
            digest: String::new(),
        };
        let first = build.context.names.first().unwrap_or(&anonymous);
        let image = stage.image.clone().with_files(stage.files.clone()).finished(first);
        let mut details = vec![
            ("exporting layers".to_owned(), Duration::ZERO),
            (format!("writing image {}", image.config_digest), Duration::ZERO),
        ];
        let image = Arc::new(image);
        for name in &build.context.names {
            details.push((format!("naming to {name}"), Duration::ZERO));
            self.add_image(name, Arc::clone(&image), now).map_err(trouble)?;
        }
        build.vertices.push(Vertex {
            name: "exporting to image".to_owned(),
            details,
            ..Vertex::default()
        });
        Ok(())
    }
}

fn label(build: &Build) -> String {
    let many = build.instructions.iter().filter(|it| it.name == "FROM").count() > 1;
    let stage = build.stages.last().map(|stage| stage.name.clone()).unwrap_or_default();
    match (many, stage.parse::<usize>()) {
        (false, _) => String::new(),
        (true, Ok(number)) => format!("stage-{number} "),
        (true, Err(_)) => format!("{stage} "),
    }
}

fn is_shown(name: &str) -> bool {
    matches!(name, "RUN" | "COPY" | "ADD" | "WORKDIR")
}

/// The image and the alias of a `FROM`.
fn from_words(rest: &str) -> (String, String) {
    let words: Vec<&str> = rest.split_whitespace().collect();
    match words.as_slice() {
        [image, word, alias] if word.eq_ignore_ascii_case("as") => {
            ((*image).to_owned(), alias.to_lowercase())
        }
        [image, ..] => ((*image).to_owned(), String::new()),
        [] => Default::default(),
    }
}

/// Why an image's description could not be had.
fn not_resolved(name: &ImageRef, why: &RegistryError) -> String {
    let metadata = format!("failed to resolve source metadata for {name}: ");
    match why {
        RegistryError::NoRegistry => format!(
            "{metadata}failed to do request: Head \"https://{0}/v2/{1}/manifests/{2}\": dial tcp: \
             lookup {0}: no such host",
            name.registry, name.path, name.tag
        ),
        RegistryError::NoRepository => format!(
            "{metadata}pull access denied, repository does not exist or may require \
             authorization: server message: insufficient_scope: authorization failed"
        ),
        RegistryError::NoTag => format!("{metadata}{name}: not found"),
    }
}

fn pull_time(bytes: u64) -> Duration {
    Duration::from_micros(bytes / 40 + 50_000)
}

/// `1.23kB`, as Docker's clients say sizes.
pub(crate) fn human(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1_000.0 && unit + 1 < units.len() {
        value /= 1_000.0;
        unit += 1;
    }
    let text = if unit == 0 { format!("{value}") } else { format!("{value:.2}") };
    format!("{text}{}", units.get(unit).copied().unwrap_or_default())
}

/// Bytes of the context that `COPY` and `ADD` ask for.
fn sent_bytes(build: &Build) -> u64 {
    let wanted = build.instructions.iter().filter(|it| matches!(it.name, "COPY" | "ADD"));
    let wanted = wanted.filter(|it| it.flag("from").is_none()).flat_map(|it| {
        let paths = it.paths();
        paths.split_last().map(|(_, sources)| sources.to_vec()).unwrap_or_default()
    });
    let context = &build.context;
    let sizes = wanted.map(|path| {
        let path = inside(&context.folder, &path);
        let mut found = Vec::new();
        walk(&context.files, &path, "", &mut found);
        found
            .iter()
            .map(|(_, bytes, _)| bytes.as_ref().map_or(0, |it| it.len() as u64 + 30))
            .sum::<u64>()
    });
    sizes.sum::<u64>() + 2
}

/// A path below a folder, however it is written.
fn inside(folder: &str, path: &str) -> String {
    let below = normalize("/", path);
    normalize("/", &format!("{folder}/{below}"))
}

type Entry = (String, Option<Arc<Vec<u8>>>, u16);

/// Files (with what they hold) and directories (without) at a path and below it.
fn walk(files: &Vfs, path: &str, name: &str, found: &mut Vec<Entry>) {
    /// More than any tree holds.
    const ENTRIES_MAX: usize = 20_000;
    let Ok(stat) = files.stat(path) else { return };
    if found.len() >= ENTRIES_MAX {
        return;
    }
    if !stat.is_dir() {
        if let Ok(bytes) = files.read(path) {
            found.push((name.to_owned(), Some(bytes), stat.mode));
        }
        return;
    }
    found.push((name.to_owned(), None, stat.mode));
    for entry in files.list(path).unwrap_or_default() {
        let inner = if name.is_empty() { entry.name.clone() } else { join(name, &entry.name) };
        walk(files, &join(path, &entry.name), &inner, found);
    }
}

/// Where `COPY` and `ADD` take from.
struct Copy<'a> {
    files: &'a Vfs,
    root: &'a str,
    archives: bool,
    owner: Option<(u32, u32)>,
}

impl Copy<'_> {
    /// Copies everything; how many bytes, and a digest of them.
    fn all(
        &self,
        sources: &[String],
        target: &str,
        workdir: &str,
        to: &mut Vfs,
    ) -> Result<(u64, String), String> {
        let into = target.ends_with('/') || sources.len() > 1 || target == ".";
        let target = normalize(workdir, target);
        let (mut bytes, mut digest) = (0, String::new());
        for source in sources {
            if self.archives && (source.starts_with("http://") || source.starts_with("https://")) {
                return Err(format!(
                    "failed to load cache key: the sandbox has no internet: {source}"
                ));
            }
            let path = inside(self.root, source);
            let matched = self.glob(&path);
            if matched.is_empty() {
                return Err(format!(
                    "failed to compute cache key: failed to calculate checksum of ref \
                     {}: \"{}\": not found",
                    sha256_hex(path.as_bytes()).chars().take(25).collect::<String>(),
                    normalize("/", source)
                ));
            }
            let many = matched.len() > 1;
            for path in matched {
                let name = path.rsplit('/').next().unwrap_or_default();
                let is_dir = self.files.is_dir(&path);
                let place = match !is_dir && (into || many || to.is_dir(&target)) {
                    true => join(&target, name),
                    false => target.clone(),
                };
                let copied = match self.archive(&path) {
                    Some(entries) => self.unpack(entries, &target, to, &mut digest),
                    None => self.one(&path, &place, to, &mut digest),
                };
                bytes +=
                    copied.map_err(|errno| format!("failed to copy files: {place}: {errno}"))?;
            }
        }
        Ok((bytes, sha256_hex(digest.as_bytes())))
    }

    /// The paths that a pattern fits.
    fn glob(&self, path: &str) -> Vec<String> {
        if !path.contains(['*', '?']) {
            return if self.files.exists(path) { vec![path.to_owned()] } else { Vec::new() };
        }
        let Some((folder, pattern)) = path.rsplit_once('/') else { return Vec::new() };
        let folder = if folder.is_empty() { "/" } else { folder };
        let entries = self.files.list(folder).unwrap_or_default().into_iter();
        let names = entries.map(|entry| entry.name).filter(|name| fits(pattern, name));
        names.map(|name| join(folder, &name)).collect()
    }

    /// What is in an archive that `ADD` unpacks; `None` for what is copied as it is.
    fn archive(&self, path: &str) -> Option<Vec<tar::Entry>> {
        let bytes = self.files.read(path).ok().filter(|_| self.archives)?;
        let is_tar = bytes.get(257..262) == Some(b"ustar");
        tar::read(&bytes).ok().filter(|_| is_tar)
    }

    fn unpack(
        &self,
        entries: Vec<tar::Entry>,
        target: &str,
        to: &mut Vfs,
        digest: &mut String,
    ) -> Result<u64, Errno> {
        to.mkdir_all(target)?;
        let mut sum = 0;
        for entry in entries {
            let path = inside(target, &entry.name);
            if let Some((folder, _)) = path.rsplit_once('/').filter(|(it, _)| !it.is_empty()) {
                to.mkdir_all(folder)?;
            }
            match &entry.kind {
                tar::Kind::Folder => to.mkdir_all(&path)?,
                tar::Kind::File(content) => {
                    to.write(&path, content)?;
                    sum += content.len() as u64;
                    digest.push_str(&sha256_hex(content));
                }
                tar::Kind::Symlink(goal) => {
                    to.symlink(goal, &path)?;
                    continue;
                }
            }
            to.chmod(&path, entry.mode)?;
            if let Some((uid, gid)) = self.owner {
                to.chown(&path, uid, gid)?;
            }
            digest.push_str(&format!("{path} {:o}\n", entry.mode));
        }
        Ok(sum)
    }

    fn one(
        &self,
        from: &str,
        place: &str,
        to: &mut Vfs,
        digest: &mut String,
    ) -> Result<u64, Errno> {
        let mut found = Vec::new();
        walk(self.files, from, "", &mut found);
        let mut sum = 0;
        for (name, content, mode) in found {
            let path = if name.is_empty() { place.to_owned() } else { join(place, &name) };
            match content {
                None => to.mkdir_all(&path)?,
                Some(content) => {
                    if let Some((folder, _)) =
                        path.rsplit_once('/').filter(|(it, _)| !it.is_empty())
                    {
                        to.mkdir_all(folder)?;
                    }
                    let source = if name.is_empty() { from.to_owned() } else { join(from, &name) };
                    match self.files.program(&source) {
                        Some(program) => to.install(&path, &program)?,
                        None => to.write(&path, &content)?,
                    }
                    to.chmod(&path, mode)?;
                    let (uid, gid) = self.owner.unwrap_or((0, 0));
                    to.chown(&path, uid, gid)?;
                    sum += content.len() as u64;
                    digest.push_str(&format!("{path} {mode:o} {}\n", sha256_hex(&content)));
                }
            }
        }
        Ok(sum)
    }
}

/// `80/tcp`, of what `EXPOSE` says.
fn whole_port(port: &str) -> String {
    if port.contains('/') { port.to_owned() } else { format!("{port}/tcp") }
}

/// Whether a name fits a pattern of `*` and `?`.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let mut reach = vec![false; name.len() + 1];
    if let Some(first) = reach.first_mut() {
        *first = true;
    }
    for p in pattern {
        let mut next = vec![false; name.len() + 1];
        for at in 0..=name.len() {
            let here = reach.get(at).copied().unwrap_or(false);
            let before = at > 0 && reach.get(at - 1).copied().unwrap_or(false);
            let left = at > 0 && next.get(at - 1).copied().unwrap_or(false);
            let same = at > 0 && (p == '?' || name.get(at - 1) == Some(&p));
            if let Some(cell) = next.get_mut(at) {
                *cell = if p == '*' { here || left } else { before && same };
            }
        }
        reach = next;
    }
    reach.last().copied().unwrap_or(false)
}

impl Stage {
    /// What `$NAME` stands for.
    fn values(&self) -> BTreeMap<String, String> {
        let mut values = self.args.clone();
        values.extend(self.image.env.clone());
        values
    }

    /// These are its files now.
    fn take(&mut self, files: Vfs, key: String) {
        self.files = files;
        self.key = key;
        self.step += 1;
    }

    fn add_layer(&mut self, key: &str, bytes: u64, by: String) {
        self.image.layers.push(Layer { digest: format!("sha256:{key}"), bytes: bytes + 120 });
        self.image.history.push(Past { by, bytes });
    }

    /// How many bytes more these files hold than those that it has.
    fn grown(&self, files: &Vfs) -> u64 {
        let bytes = |files: &Vfs| files.root().bytes_used();
        bytes(files).saturating_sub(bytes(&self.files))
    }

    /// How `docker history` says an instruction that changes no file.
    fn said(&self, it: &Instruction, rest: &str) -> String {
        let quoted = |words: &[String]| {
            let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
            format!("[{}]", words.join(" "))
        };
        match it.name {
            "CMD" => format!("CMD {}", quoted(&self.image.cmd)),
            "ENTRYPOINT" => format!("ENTRYPOINT {}", quoted(&self.image.entrypoint)),
            "SHELL" => format!("SHELL [{}]", self.shell.join(" ")),
            "EXPOSE" => {
                let mut ports: Vec<String> = rest
                    .split_whitespace()
                    .map(|port| format!("{}:{{}}", whole_port(port)))
                    .collect();
                ports.sort();
                format!("EXPOSE map[{}]", ports.join(" "))
            }
            "ENV" | "ARG" | "LABEL" => {
                let pairs = dockerfile::pairs(rest).into_iter();
                let pairs: Vec<String> = pairs
                    .map(|(name, value)| match (it.name, value.as_str()) {
                        ("ARG", "") => name,
                        _ => format!("{name}={value}"),
                    })
                    .collect();
                format!("{} {}", it.name, pairs.join(" "))
            }
            name => format!("{name} {rest}"),
        }
    }

    /// The numbers of `USER:GROUP` or of a name.
    fn user_of(&self, text: &str) -> Option<(u32, u32)> {
        let name = text.split(':').next().unwrap_or_default();
        if let Ok(number) = name.parse() {
            return Some((number, number));
        }
        let passwd = self.files.read_text("/etc/passwd").unwrap_or_default();
        let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    }

    /// What changes the image's description and none of its files.
    fn note(
        &mut self,
        it: &Instruction,
        given: &BTreeMap<String, String>,
        global: &BTreeMap<String, String>,
    ) -> Result<(), String> {
        let values = self.values();
        let rest = dockerfile::expand(&it.rest, &values);
        let argv = || match it.words() {
            Words::Exec(words) => words,
            Words::Shell(line) => self.shell.iter().cloned().chain([line]).collect(),
        };
        match it.name {
            "ENV" => self.image.env.extend(dockerfile::pairs(&rest)),
            "ARG" => {
                for (name, value) in dockerfile::pairs(&rest) {
                    let value =
                        given.get(&name).or_else(|| global.get(&name)).cloned().unwrap_or(value);
                    self.args.insert(name, value);
                }
            }
            "CMD" => self.image.cmd = argv(),
            "ENTRYPOINT" => {
                self.image.entrypoint = argv();
                self.image.cmd.clear();
            }
            "EXPOSE" => {
                self.image.ports.extend(rest.split_whitespace().map(whole_port));
            }
            "USER" => {
                let user = self.user_of(&rest);
                let name = rest.split(':').next().unwrap_or_default();
                let is_name = name.parse::<u32>().is_err();
                self.image.user_name = if is_name { name.to_owned() } else { String::new() };
                self.image.user = user.map(|(uid, _)| uid).ok_or_else(|| {
                    format!("unable to find user {name}: no matching entries in passwd file")
                })?;
            }
            "STOPSIGNAL" => self.image.stop_signal.clone_from(&rest),
            "SHELL" => self.shell = argv(),
            _ => {}
        }
        let by = self.said(it, &rest);
        self.image.history.push(Past { by, bytes: 0 });
        self.key = sha256_hex(format!("{} {}", self.key, it.text()).as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, wanted) in [
            ("*.js", "app.js", true),
            ("*.js", "app.py", false),
            ("a?p*", "app.js", true),
            ("*", "", true),
            ("?", "", false),
        ] {
            assert_eq!(fits(pattern, name), wanted, "{pattern} {name}");
        }
    }

    #[test]
    fn paths_stay_inside() {
        assert_eq!(inside("/home/x", "../../etc/passwd"), "/home/x/etc/passwd");
        assert_eq!(inside("/home/x", "."), "/home/x");
    }

    #[test]
    fn sizes() {
        assert_eq!([104, 1_234, 45_320_000].map(human), ["104B", "1.23kB", "45.32MB"]);
    }
}
