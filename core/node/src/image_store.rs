//! The images that a node has.
//!
//! Upstream: containerd's image store and content store.

use crate::{Image, ImageRef, RegistryError};
use naru_sim::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// What a registry's answers take before the first byte of a layer, at the least.
const RESOLVE_TIME: Duration = Duration::from_millis(300);
/// What they take more by chance, at the most.
const RESOLVE_JITTER: Duration = Duration::from_millis(400);

/// Where Kubernetes' own images are.
const KUBERNETES: &str = "registry.k8s.io/";
/// The image of the process that holds a sandbox.
const SANDBOX: &str = "registry.k8s.io/pause";

/// A node's images, by the names under which they were pulled.
#[derive(Clone, Debug, Default)]
pub struct ImageStore {
    names: BTreeMap<String, Arc<Image>>,
    /// How many images these are, and their bytes.
    count: usize,
    bytes: u64,
    /// Counts what comes and goes.
    changes: u64,
    /// Digests of the layers that are here or on their way.
    layers: BTreeSet<String>,
}

impl ImageStore {
    /// The images that a new node has: those of the control plane, and of the others that may be there these
    /// repositories.
    pub fn preloaded(repositories: &BTreeSet<String>) -> Self {
        let mut store = ImageStore::default();
        let fits = |image: &Arc<Image>| {
            image.repository.starts_with(KUBERNETES) || repositories.contains(&image.repository)
        };
        for image in Image::preloaded().filter(fits) {
            let names: Vec<String> =
                image.tags.iter().map(|tag| format!("{}:{tag}", image.repository)).collect();
            for name in names {
                store.add_named(name, Arc::clone(&image));
            }
        }
        store
    }

    /// The image of this name, if it is here.
    pub fn get(&self, name: &ImageRef) -> Option<Arc<Image>> {
        self.names.get(&name.to_string()).cloned()
    }

    /// An image was pulled.
    pub fn add(&mut self, name: &ImageRef, image: Arc<Image>) {
        self.add_named(name.to_string(), image);
    }

    fn add_named(&mut self, name: String, image: Arc<Image>) {
        self.layers.extend(image.layers.iter().map(|layer| layer.digest.clone()));
        let before = self.names.insert(name, image);
        self.count_again();
        // What is pulled again changes nothing.
        self.changes += u64::from(before.is_none());
    }

    fn count_again(&mut self) {
        let all = self.names.values().map(|image| (image.config_digest.as_str(), image.bytes()));
        let all: BTreeMap<&str, u64> = all.collect();
        (self.count, self.bytes) = (all.len(), all.values().sum());
    }

    /// Every image by its digest, with its bytes.
    pub fn all(&self) -> BTreeMap<String, u64> {
        self.names.values().map(|image| (image.config_digest.clone(), image.bytes())).collect()
    }

    /// Whether an image is never removed: that of sandboxes.
    ///
    /// Upstream: `pinned` of the CRI's images.
    pub fn is_pinned(&self, digest: &str) -> bool {
        let mut all = self.names.values().filter(|image| image.config_digest == digest);
        all.any(|image| image.repository == SANDBOX)
    }

    /// Removes the image of this digest, under whatever names. Layers that others have stay.
    pub fn remove(&mut self, digest: &str) {
        let gone = self.names.values().filter(|image| image.config_digest == digest);
        let layers = gone.flat_map(|image| &image.layers).map(|layer| layer.digest.clone());
        let layers: BTreeSet<String> = layers.collect();
        self.names.retain(|_, image| image.config_digest != digest);
        let left = self.names.values().flat_map(|image| &image.layers);
        let left: BTreeSet<&str> = left.map(|layer| layer.digest.as_str()).collect();
        self.layers.retain(|layer| !layers.contains(layer) || left.contains(layer.as_str()));
        self.count_again();
        self.changes += 1;
    }

    /// Bytes of all images.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A number that grows when an image comes or goes.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Begins a pull; tells how long it takes: what is neither here nor on its way comes at this
    /// many bytes a second. Pulls come one after the other, so that what one brings the next has.
    pub fn begin_pull(&mut self, image: &Image, bytes_per_second: u64, rng: &mut Rng) -> Duration {
        let missing = image.layers.iter().filter(|layer| !self.layers.contains(&layer.digest));
        let bytes = missing.fold(0_u64, |sum, layer| sum.saturating_add(layer.bytes));
        let micros = bytes.saturating_mul(1_000_000) / bytes_per_second.max(1);
        self.layers.extend(image.layers.iter().map(|layer| layer.digest.clone()));
        self.resolve_time(rng) + Duration::from_micros(micros)
    }

    /// How long a registry takes to say what it has or has not.
    pub fn resolve_time(&self, rng: &mut Rng) -> Duration {
        let jitter = rng.below(RESOLVE_JITTER.as_micros() as u64);
        RESOLVE_TIME + Duration::from_micros(jitter)
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Every image once with all its names, the largest first, as a node's status lists them.
    pub fn list(&self) -> Vec<(Vec<String>, u64)> {
        let mut by_digest: BTreeMap<&str, (Vec<String>, u64)> = BTreeMap::new();
        for (name, image) in &self.names {
            let entry = by_digest.entry(image.config_digest.as_str());
            let entry = entry.or_insert_with(|| (vec![image.repo_digest()], image.bytes()));
            entry.0.push(name.clone());
        }
        let mut list: Vec<_> = by_digest.into_values().collect();
        list.sort_by(|(names, size), (other_names, other)| {
            other.cmp(size).then_with(|| names.cmp(other_names))
        });
        list
    }
}

/// Why a pull failed, in containerd's words as the kubelet shows them.
pub fn pull_error(name: &ImageRef, error: &RegistryError) -> String {
    let failed = format!(
        "failed to pull and unpack image \"{name}\": failed to resolve reference \"{name}\": "
    );
    match (error, name.registry.as_str()) {
        (RegistryError::NoRegistry, host) => {
            let reference = if name.digest.is_empty() { &name.tag } else { &name.digest };
            format!(
                "{failed}failed to do request: Head \"https://{host}/v2/{}/manifests/{reference}\": \
                 dial tcp: lookup {host}: no such host",
                name.path
            )
        }
        (RegistryError::NoRepository, "docker.io") => format!(
            "{failed}pull access denied, repository does not exist or may require authorization: \
             server message: insufficient_scope: authorization failed"
        ),
        (RegistryError::NoRepository, "ghcr.io") => format!(
            "{failed}failed to authorize: failed to fetch anonymous token: unexpected status from \
             GET request to https://ghcr.io/token?scope=repository%3A{}%3Apull&service=ghcr.io: \
             403 Forbidden",
            name.path.replace('/', "%2F")
        ),
        (RegistryError::NoRepository, "quay.io") => format!(
            "{failed}unexpected status from HEAD request to https://quay.io/v2/{}/manifests/{}: \
             401 UNAUTHORIZED",
            name.path, name.tag
        ),
        _ => format!("rpc error: code = NotFound desc = {failed}{name}: not found"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(name: &str) -> (ImageRef, Arc<Image>) {
        let name = ImageRef::parse(name).unwrap();
        let image = Image::find(&name).unwrap();
        (name, image)
    }

    #[test]
    fn shared_layers_come_once() {
        let (_, first) = image("kim0lil/80700:v-1.0.0");
        let (_, second) = image("kim0lil/80700:v-2.0.0");
        let mut store = ImageStore::default();
        let mut rng = Rng::new(1);
        let before = store.begin_pull(&first, 100_000_000, &mut rng);
        let after = store.begin_pull(&second, 100_000_000, &mut rng);
        assert!(before > Duration::from_secs(4), "{before:?}");
        assert!(after < Duration::from_secs(2), "{after:?}");
    }

    #[test]
    fn what_is_removed_has_to_come_again() {
        let ((one, first), (_, second)) =
            (image("kim0lil/80700:v-1.0.0"), image("kim0lil/80700:v-2.0.0"));
        let mut store = ImageStore::default();
        let mut rng = Rng::new(1);
        store.begin_pull(&first, 100_000_000, &mut rng);
        store.add(&one, Arc::clone(&first));
        assert_eq!((store.len(), store.bytes()), (1, first.bytes()));
        store.remove(&first.config_digest);
        assert_eq!((store.len(), store.bytes(), store.changes()), (0, 0, 2));
        assert!(store.get(&one).is_none());
        let again = store.begin_pull(&second, 100_000_000, &mut rng);
        assert!(again > Duration::from_secs(4), "{again:?}");
    }

    #[test]
    fn a_new_node_has_the_clusters_own_images() {
        let store = ImageStore::preloaded(&BTreeSet::new());
        let pause = ImageRef::parse("registry.k8s.io/pause:3.10").unwrap();
        assert!(store.get(&pause).is_some());
        let sizes: Vec<u64> = store.list().iter().map(|(_, size)| *size).collect();
        assert!(sizes.is_sorted_by(|a, b| a >= b));
    }

    #[test]
    fn failures_in_containerds_words() {
        let table = [
            (
                "nosuch",
                RegistryError::NoRepository,
                "failed to pull and unpack image \"docker.io/library/nosuch:latest\": failed to \
                 resolve reference \"docker.io/library/nosuch:latest\": pull access denied, \
                 repository does not exist or may require authorization: server message: \
                 insufficient_scope: authorization failed",
            ),
            (
                "nginx:no",
                RegistryError::NoTag,
                "rpc error: code = NotFound desc = failed to pull and unpack image \
                 \"docker.io/library/nginx:no\": failed to resolve reference \
                 \"docker.io/library/nginx:no\": docker.io/library/nginx:no: not found",
            ),
            (
                "r.example.com/a:1",
                RegistryError::NoRegistry,
                "failed to pull and unpack image \"r.example.com/a:1\": failed to resolve \
                 reference \"r.example.com/a:1\": failed to do request: Head \
                 \"https://r.example.com/v2/a/manifests/1\": dial tcp: lookup r.example.com: no \
                 such host",
            ),
        ];
        for (name, error, text) in table {
            assert_eq!(pull_error(&ImageRef::parse(name).unwrap(), &error), text);
        }
    }
}
