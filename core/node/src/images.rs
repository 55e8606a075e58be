//! The catalogue of images: what the registries of the simulated world hold.
//!
//! One repository is one file in `assets/images/`; `docs` of a field stand at [`Spec`]. A file is read
//! when an image of it is first wanted.

use crate::ImageRef;
use crate::image_programs;
use naru_api::yaml;
use naru_shell::{Errno, Vfs};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock, OnceLock};

/// The catalogue's files.
const FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/images.rs"));

/// A file of the catalogue.
#[derive(Debug)]
struct File {
    /// The repository.
    name: &'static str,
    /// Whether the nodes of a new cluster have one of its versions already.
    preloaded: bool,
    /// Its text. By a function, so that a page needs no texts but those that it reads (xtask/split).
    text: fn() -> &'static str,
}

/// Images that may stand one on another by `from`.
const FROM_DEPTH_MAX: usize = 8;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::of(FILES));

/// An image as a container runtime knows it.
#[derive(Clone, Debug)]
pub struct Image {
    /// `docker.io/library/nginx`.
    pub repository: String,
    /// Its tags, the one to show first.
    pub tags: Vec<String>,
    /// Digest of its manifest: `sha256:…`.
    pub digest: String,
    /// Digest of its configuration, by which the runtime stores it: `sha256:…`.
    pub config_digest: String,
    /// What is downloaded, lowest first.
    pub layers: Vec<Layer>,
    /// What it was built by, the first first, as far as that is known.
    pub history: Vec<Past>,
    /// `ENTRYPOINT`.
    pub entrypoint: Vec<String>,
    /// `CMD`.
    pub cmd: Vec<String>,
    /// `ENV`.
    pub env: BTreeMap<String, String>,
    /// `WORKDIR`.
    pub workdir: String,
    /// `USER`, as a number.
    pub user: u32,
    /// `USER`, where it is a name; else "".
    pub user_name: String,
    /// `EXPOSE`: `80/tcp`.
    pub ports: Vec<String>,
    /// `STOPSIGNAL`, a name like `SIGQUIT`; "" for `SIGTERM`.
    pub stop_signal: String,
    /// Whether the nodes of a new cluster have it already.
    pub preloaded: bool,
    /// Whether the registry gives it only to those who say who they are.
    pub private: bool,
    content: Content,
    fs: OnceLock<Vfs>,
}

/// An instruction that an image was built by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// The instruction, as `docker history` says it.
    pub by: String,
    /// How many bytes it added.
    pub bytes: u64,
}

/// One layer; layers with the same digest are downloaded once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// `sha256:…`.
    pub digest: String,
    /// Compressed size, in bytes.
    pub bytes: u64,
}

#[derive(Clone, Debug, Default)]
struct Content {
    programs: Vec<String>,
    executables: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
    directories: Vec<String>,
}

/// Why a registry does not give an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryError {
    /// No such host.
    NoRegistry,
    /// The registry has no such repository, or does not tell strangers of it.
    NoRepository,
    /// The repository has no such tag or digest.
    NoTag,
}

impl Image {
    /// Looks for an image at its registry.
    pub fn find(name: &ImageRef) -> Result<Arc<Image>, RegistryError> {
        CATALOGUE.find(name)
    }

    /// The images that the nodes of a new cluster have already, in order of their names.
    pub fn preloaded() -> impl Iterator<Item = Arc<Image>> {
        let files = CATALOGUE.files.values().filter(|it| it.file.preloaded);
        files.flat_map(|it| CATALOGUE.images_of(it)).filter(|image| image.preloaded).cloned()
    }

    /// Every image that there is.
    #[cfg(test)]
    pub(crate) fn all() -> impl Iterator<Item = &'static Arc<Image>> {
        CATALOGUE.images()
    }

    /// Its executable files that stand for a program.
    #[cfg(test)]
    pub(crate) fn executables(&self, program: &str) -> impl Iterator<Item = &str> {
        let files = self.content.executables.iter();
        files.filter(move |(_, name)| *name == program).map(|(path, _)| path.as_str())
    }

    /// Size of all layers, in bytes.
    pub fn bytes(&self) -> u64 {
        self.layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.bytes))
    }

    /// An image with nothing in it: `FROM scratch`.
    pub fn scratch() -> Image {
        Image::new("", Spec::default())
    }

    /// The user as the image says it: a name or a number, or nothing.
    pub fn said_user(&self) -> String {
        match (self.user_name.as_str(), self.user) {
            ("", 0) => String::new(),
            ("", number) => number.to_string(),
            (name, _) => name.to_owned(),
        }
    }

    /// The same with these files.
    pub fn with_files(mut self, files: Vfs) -> Image {
        self.fs = OnceLock::from(files);
        self
    }

    /// The same under another name, with digests that follow from what it is.
    pub fn finished(mut self, name: &ImageRef) -> Image {
        let layers: Vec<&str> = self.layers.iter().map(|layer| layer.digest.as_str()).collect();
        let said = format!(
            "{:?} {:?} {:?} {} {} {} {layers:?}",
            self.entrypoint, self.cmd, self.env, self.workdir, self.user, self.stop_signal
        );
        self.config_digest = digest("config", &said);
        self.digest = digest("manifest", &said);
        self.repository = name.repository();
        self.tags = vec![name.tag.clone()];
        (self.preloaded, self.private) = (false, false);
        self
    }

    /// Whether an image of the catalogue has this layer.
    pub fn is_layer(digest: &str) -> bool {
        let mut layers = CATALOGUE.images().flat_map(|image| &image.layers);
        layers.any(|layer| layer.digest == digest)
    }

    /// The image of the catalogue that this one stands on: the one with most of its lowest layers.
    pub fn base(&self) -> Option<&'static Arc<Image>> {
        let stands_on = |base: &Image| {
            let below = self.layers.iter().zip(&base.layers);
            base.layers.len() <= self.layers.len()
                && below.into_iter().all(|(own, other)| own.digest == other.digest)
        };
        CATALOGUE.images().filter(|image| stands_on(image)).max_by_key(|image| image.layers.len())
    }

    /// The image's files, as a container gets them.
    pub fn fs(&self) -> Vfs {
        self.fs.get_or_init(|| self.content.unpack()).clone()
    }

    /// `docker.io/library/nginx@sha256:…`, a pod's `imageID`.
    pub fn repo_digest(&self) -> String {
        format!("{}@{}", self.repository, self.digest)
    }
}

impl Content {
    /// What the sandbox's files cannot hold is left out: [`tests::every_image_unpacks`] makes sure
    /// that it does not happen to the catalogue.
    fn unpack(&self) -> Vfs {
        let mut fs = Vfs::new();
        let _ = self.unpack_to(&mut fs);
        fs
    }

    fn unpack_to(&self, fs: &mut Vfs) -> Result<(), Errno> {
        for path in ["/bin", "/etc", "/proc", "/root", "/run", "/sys", "/usr/bin", "/var"] {
            fs.mkdir_all(path)?;
        }
        for path in &self.directories {
            fs.mkdir_all(path)?;
        }
        for set in &self.programs {
            for (path, program) in image_programs::set(set) {
                fs.install(&path, program)?;
            }
        }
        for (path, program) in &self.executables {
            fs.install(path, program)?;
        }
        for (path, text) in &self.files {
            if let Some((parent, _)) = path.rsplit_once('/') {
                fs.mkdir_all(parent)?;
            }
            fs.write(path, text.as_bytes())?;
            if text.starts_with("#!") {
                fs.chmod(path, 0o755)?;
            }
        }
        Ok(())
    }
}

/// All files by the names of their repositories.
#[derive(Debug)]
struct Catalogue {
    files: BTreeMap<&'static str, Repository>,
}

/// A file, and what was read of it.
#[derive(Debug)]
struct Repository {
    file: &'static File,
    /// One for each version, as the file has it; none when it is malformed, as
    /// [`tests::every_file_is_read`] sees.
    versions: OnceLock<Vec<Spec>>,
    /// The same with all that they stand on.
    images: OnceLock<Vec<Arc<Image>>>,
}

/// One version of an image, as its file describes it. A version's own fields stand over those at
/// the top of the file, maps key by key.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Spec {
    /// The repository, without a tag; at the top of the file only.
    name: String,
    /// Its tags, the first is the one to show.
    tags: Vec<String>,
    /// The image it stands on: everything below is added to that.
    from: Option<String>,
    /// Its own layers. The same `id` anywhere in the catalogue is the same layer.
    layers: Vec<LayerSpec>,
    /// `ENTRYPOINT`; a new one drops the `CMD` of the image below.
    entrypoint: Option<Vec<String>>,
    /// `CMD`.
    cmd: Option<Vec<String>>,
    /// `ENV`.
    env: BTreeMap<String, String>,
    /// `WORKDIR`.
    workdir: Option<String>,
    /// `USER`, as a number.
    user: Option<u32>,
    /// The name of that user, where `USER` says the name.
    user_name: Option<String>,
    /// `STOPSIGNAL`.
    stop_signal: Option<String>,
    /// `EXPOSE`: `80/tcp`. Kubernetes makes nothing of it.
    ports: Vec<String>,
    /// Sets of programs: see [`image_programs::set`].
    programs: Vec<String>,
    /// Executable files and the names of the programs they stand for.
    executables: BTreeMap<String, String>,
    /// Text files. One that starts with `#!` is executable.
    files: BTreeMap<String, String>,
    /// Directories that are empty.
    directories: Vec<String>,
    /// Whether the nodes of a new cluster have it already.
    preloaded: bool,
    /// Whether the registry gives it only to those who say who they are.
    private: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LayerSpec {
    /// What is in it.
    id: String,
    /// Compressed size, in bytes.
    bytes: u64,
}

impl Catalogue {
    fn of(files: &'static [File]) -> Catalogue {
        let repository =
            |file| Repository { file, versions: OnceLock::new(), images: OnceLock::new() };
        Catalogue { files: files.iter().map(|file| (file.name, repository(file))).collect() }
    }

    /// Every image there is: all files are read.
    fn images(&self) -> impl Iterator<Item = &Arc<Image>> {
        self.files.values().flat_map(|repository| self.images_of(repository))
    }

    fn images_of<'c>(&'c self, repository: &'c Repository) -> &'c [Arc<Image>] {
        repository.images.get_or_init(|| {
            let whole =
                repository.versions().iter().filter_map(|it| self.flatten(it, FROM_DEPTH_MAX));
            whole.map(|spec| Arc::new(Image::new(repository.file.name, spec))).collect()
        })
    }

    /// The spec with all it stands on; `None` when that is not there.
    fn flatten(&self, spec: &Spec, depth: usize) -> Option<Spec> {
        let Some(from) = &spec.from else { return Some(spec.clone()) };
        let base = ImageRef::parse(from).ok()?;
        let versions = self.files.get(base.repository().as_str())?.versions();
        let below = versions.iter().find(|version| version.tags.contains(&base.tag))?;
        Some(stack(self.flatten(below, depth.checked_sub(1)?)?, spec.clone()))
    }

    fn find(&self, name: &ImageRef) -> Result<Arc<Image>, RegistryError> {
        let Some(repository) = self.files.get(name.repository().as_str()) else {
            return Err(if is_registry(&name.registry) {
                RegistryError::NoRepository
            } else {
                RegistryError::NoRegistry
            });
        };
        let wanted = |image: &&Arc<Image>| {
            if name.digest.is_empty() {
                image.tags.contains(&name.tag)
            } else {
                image.digest == name.digest
            }
        };
        self.images_of(repository).iter().find(wanted).cloned().ok_or(RegistryError::NoTag)
    }
}

/// Public registries that answer even for what they do not have.
fn is_registry(host: &str) -> bool {
    const HOSTS: &[&str] = &[
        "docker.io",
        "gcr.io",
        "ghcr.io",
        "k8s.gcr.io",
        "mcr.microsoft.com",
        "public.ecr.aws",
        "quay.io",
        "registry.k8s.io",
    ];
    HOSTS.contains(&host)
}

impl Repository {
    fn versions(&self) -> &[Spec] {
        self.versions.get_or_init(|| Spec::read((self.file.text)()).unwrap_or_default())
    }
}

impl Spec {
    /// The versions that a file has.
    fn read(text: &str) -> Result<Vec<Spec>, String> {
        let mut shared = yaml::parse(text).map_err(|error| error.to_string())?;
        let versions = shared.as_object_mut().and_then(|top| top.remove("versions"));
        let Some(Value::Array(versions)) = versions else {
            return Err("an image has versions".to_owned());
        };
        versions
            .into_iter()
            .map(|own| serde_json::from_value(overlay(shared.clone(), own)))
            .collect::<Result<Vec<Spec>, _>>()
            .map_err(|error| error.to_string())
    }
}

/// `own` over `shared`: maps key by key, anything else as a whole.
fn overlay(shared: Value, own: Value) -> Value {
    match (shared, own) {
        (Value::Object(mut shared), Value::Object(own)) => {
            for (key, value) in own {
                let below = shared.remove(&key).unwrap_or(Value::Null);
                shared.insert(key, overlay(below, value));
            }
            Value::Object(shared)
        }
        (_, own) => own,
    }
}

/// `top` built on `base`, as a Dockerfile's `FROM` does.
fn stack(mut base: Spec, top: Spec) -> Spec {
    base.layers.extend(top.layers);
    base.env.extend(top.env);
    base.programs.extend(top.programs);
    base.executables.extend(top.executables);
    base.files.extend(top.files);
    base.directories.extend(top.directories);
    let inherited = if top.entrypoint.is_some() { None } else { base.cmd };
    Spec {
        name: top.name,
        tags: top.tags,
        from: None,
        entrypoint: top.entrypoint.or(base.entrypoint),
        cmd: top.cmd.or(inherited),
        workdir: top.workdir.or(base.workdir),
        user: top.user.or(base.user),
        user_name: top.user_name.or(base.user_name),
        stop_signal: top.stop_signal.or(base.stop_signal),
        ports: [base.ports, top.ports].concat(),
        preloaded: top.preloaded,
        private: top.private,
        layers: base.layers,
        env: base.env,
        programs: base.programs,
        executables: base.executables,
        files: base.files,
        directories: base.directories,
    }
}

impl Image {
    fn new(repository: &str, spec: Spec) -> Image {
        // The catalogue holds no real layers: their digests are made of what names them, which
        // makes them as stable and as distinct as real ones.
        let name = format!("{repository}:{}", spec.tags.join(","));
        let mut env = spec.env;
        env.entry("PATH".to_owned()).or_insert_with(|| DEFAULT_PATH.to_owned());
        Image {
            repository: repository.to_owned(),
            digest: digest("manifest", &name),
            config_digest: digest("config", &name),
            layers: spec
                .layers
                .iter()
                .map(|layer| Layer { digest: digest("layer", &layer.id), bytes: layer.bytes })
                .collect(),
            history: Vec::new(),
            entrypoint: spec.entrypoint.unwrap_or_default(),
            cmd: spec.cmd.unwrap_or_default(),
            env,
            workdir: spec.workdir.unwrap_or_else(|| "/".to_owned()),
            user: spec.user.unwrap_or(0),
            user_name: spec.user_name.unwrap_or_default(),
            ports: spec.ports,
            stop_signal: spec.stop_signal.unwrap_or_default(),
            preloaded: spec.preloaded,
            private: spec.private,
            content: Content {
                programs: spec.programs,
                executables: spec.executables,
                files: spec.files,
                directories: spec.directories,
            },
            tags: spec.tags,
            fs: OnceLock::new(),
        }
    }
}

/// What runc sets when neither image nor pod says otherwise.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn digest(what: &str, name: &str) -> String {
    format!("sha256:{}", sha256_hex(format!("{what} {name}").as_bytes()))
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(name: &str) -> Result<Arc<Image>, RegistryError> {
        Image::find(&ImageRef::parse(name).unwrap())
    }

    #[test]
    fn every_file_is_read() {
        for File { name, preloaded, text } in FILES {
            let versions = Spec::read(text()).map_err(|error| format!("{name}: {error}")).unwrap();
            assert_eq!(ImageRef::parse(name).unwrap().repository(), *name, "the whole name");
            assert_eq!(*preloaded, versions.iter().any(|version| version.preloaded), "{name}");
            for version in &versions {
                assert_eq!(version.name, *name);
                assert!(!version.tags.is_empty(), "{name}: a version without a tag");
                let tagged = format!("{name}:{}", version.tags[0]);
                assert!(find(&tagged).is_ok(), "{tagged} stands on nothing");
            }
        }
    }

    #[test]
    fn every_image_unpacks() {
        for image in CATALOGUE.images() {
            let name = format!("{}:{}", image.repository, image.tags[0]);
            assert_eq!(image.content.unpack_to(&mut Vfs::new()), Ok(()), "{name}");
            assert!(image.bytes() > 0, "{name} has no layers");
        }
    }

    #[test]
    fn what_starts_is_there() {
        for image in CATALOGUE.images() {
            let Some(first) = image.entrypoint.iter().chain(&image.cmd).next() else { continue };
            let fs = image.fs();
            let path = &image.env["PATH"];
            let found = if first.starts_with('/') {
                fs.exists(first)
            } else {
                path.split(':').any(|dir| fs.exists(&format!("{dir}/{first}")))
                    || fs.exists(&format!("{}/{first}", image.workdir))
            };
            assert!(found, "{}:{} starts {first}", image.repository, image.tags[0]);
        }
    }

    #[test]
    fn a_registry_says_what_it_lacks() {
        assert_eq!(find("nosuch").unwrap_err(), RegistryError::NoRepository);
        assert_eq!(find("nginx:nosuch").unwrap_err(), RegistryError::NoTag);
        assert_eq!(find("registry.example.com/a").unwrap_err(), RegistryError::NoRegistry);
    }

    #[test]
    fn an_image_is_found_by_its_digest() {
        let image = find("busybox").unwrap();
        let found = find(&image.repo_digest()).unwrap();
        assert!(Arc::ptr_eq(&image, &found));
    }

    #[test]
    fn an_entrypoint_drops_the_command_below() {
        let base = Spec { cmd: Some(vec!["sh".to_owned()]), ..Spec::default() };
        let top = Spec { entrypoint: Some(vec!["/app".to_owned()]), ..Spec::default() };
        assert_eq!(stack(base.clone(), top).cmd, None);
        assert_eq!(stack(base, Spec::default()).cmd, Some(vec!["sh".to_owned()]));
    }
}
