//! Provisioners: programs that make volumes for claims, and delete them when they are released.
//!
//! What all of them share is here, as it is shared upstream; what a volume is made of is a
//! [`Backend`].
//!
//! Upstream: kubernetes-sigs/sig-storage-lib-external-provisioner, `controller/controller.go`.

mod attacher;
mod csi;
mod local_path;
mod minikube;

pub use attacher::{CsiAttacher, attacher};
pub use csi::{CsiResizer, Way, provisioner, resizer};
pub use local_path::program as local_path;
pub use minikube::program as minikube_hostpath;

use crate::controller_program::InContainer;
use dyn_clone::DynClone;
use k8s_openapi::api::core::v1::{
    ObjectReference, PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec,
};
use k8s_openapi::api::storage::v1::StorageClass;
use naru_api::request::{DeleteOptions, Patch};
use naru_api::volumes::{
    BETA_STORAGE_PROVISIONER, PROVISIONED_BY, SELECTED_NODE, STORAGE_PROVISIONER, annotation,
    claim_class, volume_name, volume_phase, waits_for_consumer,
};
use naru_api::{Key, Object, WatchEvent, WatchEventType};
use naru_client::{Action, Cache, Context, Controller, Error, EventType, Reconcile, Watch};
use naru_shell::Sys;
use naru_sim::{Rng, Time};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The first and the longest delay after a failure. Upstream: `DefaultExponentialBackOffOnError`
/// of the library.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(1000));
/// How often work that takes time is looked at again.
const POLL: Duration = Duration::from_secs(1);

/// A claim that wants a volume.
pub struct Asked<'a> {
    /// The name that the volume will have.
    pub name: &'a str,
    /// The claim.
    pub claim: &'a PersistentVolumeClaim,
    /// Its class.
    pub class: &'a StorageClass,
    /// The node that the scheduler has chosen, if it waited for a pod.
    pub node: Option<&'a str>,
}

/// A volume that was made.
#[derive(Clone, Debug, Default)]
pub struct Made {
    /// What it is. The claim's size, modes and class are filled in.
    pub spec: PersistentVolumeSpec,
    /// Annotations that tell more.
    pub annotations: BTreeMap<String, String>,
    /// Finalizers that keep it until its data is deleted.
    pub finalizers: Vec<String>,
}

/// What a provisioner makes volumes of.
pub trait Backend: DynClone + fmt::Debug + Send + Sync {
    /// The provisioner's name, as classes name it.
    fn name(&self) -> &str;

    /// Makes a volume; `None` while that takes time. The error is told to people.
    fn provision(
        &mut self,
        asked: &Asked<'_>,
        context: &mut Context<'_>,
    ) -> Result<Option<Made>, String>;

    /// Deletes what is on a volume; `false` while that takes time.
    fn delete(
        &mut self,
        volume: &PersistentVolume,
        context: &mut Context<'_>,
    ) -> Result<bool, String>;

    /// The claim or the volume of this uid is gone: nobody asks for it any more.
    fn forget(&mut self, _uid: &str) {}

    /// Does what is left to do on the machine where it runs.
    fn settle(&mut self, _sys: &mut dyn Sys) {}

    /// When that goes on by itself.
    fn next_due(&self) -> Option<Time> {
        None
    }
}

dyn_clone::clone_trait_object!(Backend);

/// The controller of a provisioner. Keys with a namespace are claims, others are volumes.
#[derive(Clone, Debug)]
pub struct Provisioner {
    backend: Box<dyn Backend>,
    /// Where its events come from: its name, its machine, and a number of its own.
    source: String,
    /// Claims whose volume is being made.
    making: BTreeMap<Key, ()>,
}

impl Provisioner {
    /// A provisioner that runs on a machine of this name.
    pub fn new(backend: Box<dyn Backend>, hostname: &str, rng: &mut Rng) -> Self {
        let source = format!("{}_{hostname}_{}", backend.name(), rng.uuid(4));
        Provisioner { backend, source, making: BTreeMap::new() }
    }

    /// What its events are from.
    pub fn component(&self) -> &str {
        &self.source
    }

    /// Does what the backend has left to do on the machine where it runs.
    pub fn settle(&mut self, sys: &mut dyn Sys) {
        self.backend.settle(sys);
    }

    /// Upstream: `shouldProvision`.
    fn should_provision(&self, claim: &PersistentVolumeClaim, class: &StorageClass) -> bool {
        let names = [STORAGE_PROVISIONER, BETA_STORAGE_PROVISIONER];
        let asked = names.iter().find_map(|name| annotation(&claim.metadata, name));
        volume_name(claim).is_empty()
            && claim.metadata.deletion_timestamp.is_none()
            && asked == Some(self.backend.name())
            && (!waits_for_consumer(class) || annotation(&claim.metadata, SELECTED_NODE).is_some())
    }

    /// Upstream: `shouldDelete`.
    fn should_delete(&self, volume: &PersistentVolume) -> bool {
        let spec = volume.spec.as_ref();
        let policy = spec.and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
        volume_phase(volume) == "Released"
            && policy == Some("Delete")
            && annotation(&volume.metadata, PROVISIONED_BY) == Some(self.backend.name())
    }

    fn sync_claim(&mut self, key: &Key, context: &mut Context<'_>) -> Result<Action, Error> {
        let Some(claim) = context.cache.arc::<PersistentVolumeClaim>(key) else {
            self.making.remove(key);
            return Ok(Action::await_change());
        };
        let class = context.cache.arc::<StorageClass>(&Key::new("", claim_class(&claim)));
        let Some(class) = class.filter(|class| self.should_provision(&claim, class)) else {
            return Ok(Action::await_change());
        };
        let uid = claim.metadata.uid.clone().unwrap_or_default();
        let name = format!("pvc-{uid}");
        if context.cache.get::<PersistentVolume>(&Key::new("", name.as_str())).is_some() {
            return Ok(Action::await_change());
        }
        let about = Object::new(PersistentVolumeClaim::clone(&claim));
        if self.making.insert(key.clone(), ()).is_none() {
            let text = format!("External provisioner is provisioning volume for claim \"{key}\"");
            context.event(&about, EventType::Normal, "Provisioning", &text);
        }
        let node = annotation(&claim.metadata, SELECTED_NODE);
        let asked = Asked { name: &name, claim: &claim, class: &class, node };
        match self.backend.provision(&asked, context) {
            Ok(None) => Ok(Action::requeue_after(POLL)),
            Ok(Some(made)) => {
                let volume = volume_of(&asked, made, self.backend.name());
                match context.client.create(volume) {
                    Err(error) if !error.is_already_exists() => return Err(error.into()),
                    _ => {}
                }
                self.making.remove(key);
                let text = format!("Successfully provisioned volume {name}");
                context.event(&about, EventType::Normal, "ProvisioningSucceeded", &text);
                Ok(Action::await_change())
            }
            Err(why) => {
                self.making.remove(key);
                let class = claim_class(&claim);
                let text =
                    format!("failed to provision volume with StorageClass \"{class}\": {why}");
                context.event(&about, EventType::Warning, "ProvisioningFailed", &text);
                Err(Error::Other(text))
            }
        }
    }

    fn sync_volume(&mut self, key: &Key, context: &mut Context<'_>) -> Result<Action, Error> {
        let volume = context.cache.arc::<PersistentVolume>(key);
        let Some(volume) = volume.filter(|volume| self.should_delete(volume)) else {
            return Ok(Action::await_change());
        };
        match self.backend.delete(&volume, context) {
            Ok(false) => Ok(Action::requeue_after(POLL)),
            Ok(true) => {
                release(&volume, context)?;
                Ok(Action::await_change())
            }
            Err(why) => {
                let about = Object::new(PersistentVolume::clone(&volume));
                context.event(&about, EventType::Warning, "VolumeFailedDelete", &why);
                Err(Error::Other(why))
            }
        }
    }
}

fn key_of(claim: &PersistentVolumeClaim) -> Key {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Key::new(text(&claim.metadata.namespace), text(&claim.metadata.name))
}

/// The volume as it is written down, bound to its claim from the start.
fn volume_of(asked: &Asked<'_>, made: Made, provisioner: &str) -> PersistentVolume {
    let (claim, class) = (asked.claim, asked.class);
    let wanted = claim.spec.clone().unwrap_or_default();
    let capacity = wanted.resources.as_ref().and_then(|resources| resources.requests.clone());
    let mut volume = PersistentVolume::default();
    volume.metadata.name = Some(asked.name.to_owned());
    volume.metadata.finalizers = Some(made.finalizers).filter(|list| !list.is_empty());
    let mut annotations = made.annotations;
    annotations.insert(PROVISIONED_BY.to_owned(), provisioner.to_owned());
    volume.metadata.annotations = Some(annotations);
    volume.spec = Some(PersistentVolumeSpec {
        access_modes: wanted.access_modes,
        capacity: made.spec.capacity.clone().or(capacity),
        claim_ref: Some(ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("PersistentVolumeClaim".to_owned()),
            namespace: claim.metadata.namespace.clone(),
            name: claim.metadata.name.clone(),
            uid: claim.metadata.uid.clone(),
            resource_version: claim.metadata.resource_version.clone(),
            field_path: None,
        }),
        mount_options: class.mount_options.clone(),
        persistent_volume_reclaim_policy: class.reclaim_policy.clone(),
        storage_class_name: Some(claim_class(claim).to_owned()),
        volume_mode: wanted.volume_mode,
        ..made.spec
    });
    volume
}

/// Deletes a volume whose data is gone, and takes the finalizer away that kept it so long.
fn release(volume: &PersistentVolume, context: &mut Context<'_>) -> Result<(), Error> {
    let name = volume.metadata.name.as_deref().unwrap_or_default();
    match context.client.delete::<PersistentVolume>("", name, DeleteOptions::default()) {
        Err(error) if error.is_not_found() => return Ok(()),
        result => result?,
    }
    let mine = |finalizer: &String| finalizer == csi::FINALIZER;
    if !volume.metadata.finalizers.iter().flatten().any(mine) {
        return Ok(());
    }
    let found = match context.client.get::<PersistentVolume>("", name) {
        Err(error) if error.is_not_found() => return Ok(()),
        found => found?,
    };
    // It may be patched by who may not update it.
    let rest = found.metadata.finalizers.clone().unwrap_or_default();
    let rest: Vec<String> = rest.into_iter().filter(|finalizer| !mine(finalizer)).collect();
    let rest = Some(rest).filter(|rest| !rest.is_empty());
    let patch = Patch::Merge(serde_json::json!({"metadata": {"finalizers": rest}}));
    match context.client.patch::<PersistentVolume>("", name, "", patch) {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(()),
    }
}

impl Controller for Provisioner {
    fn name(&self) -> &str {
        self.backend.name()
    }

    fn event_source(&self) -> &str {
        &self.source
    }

    fn backoff(&self) -> (Duration, Duration) {
        BACKOFF
    }

    fn watches(&self) -> Vec<Watch> {
        vec![
            Watch::all::<PersistentVolumeClaim>(),
            Watch::all::<PersistentVolume>(),
            Watch::all::<StorageClass>(),
        ]
    }

    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        if event.kind == WatchEventType::Deleted {
            self.backend.forget(event.object.uid());
        }
        if let Some(claim) = event.object.get::<PersistentVolumeClaim>() {
            let class = cache.get::<StorageClass>(&Key::new("", claim_class(claim)));
            let wanted = class.is_some_and(|class| self.should_provision(claim, class));
            let gone = event.kind == WatchEventType::Deleted;
            return if wanted || gone { vec![event.object.key()] } else { Vec::new() };
        }
        if let Some(class) = event.object.get::<StorageClass>() {
            // Claims that came before their class.
            let name = event.object.name();
            let claims = cache.list::<PersistentVolumeClaim>("");
            let waiting = claims.filter(|claim| claim_class(claim) == name);
            return waiting.filter(|it| self.should_provision(it, class)).map(key_of).collect();
        }
        match event.object.get::<PersistentVolume>() {
            Some(volume) if self.should_delete(volume) => vec![event.object.key()],
            _ => Vec::new(),
        }
    }
}

impl Reconcile for Provisioner {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        if key.namespace.is_empty() {
            self.sync_volume(key, context)
        } else {
            self.sync_claim(key, context)
        }
    }
}

impl InContainer for Provisioner {
    fn settle(&mut self, sys: &mut dyn Sys) {
        Provisioner::settle(self, sys);
    }

    fn next_due(&self) -> Option<Time> {
        self.backend.next_due()
    }
}

/// Lets a wrapper of a controller be the controller.
macro_rules! in_container {
    ($name:ident) => {
        impl naru_client::Controller for $name {
            fn name(&self) -> &str {
                self.0.name()
            }
            fn event_source(&self) -> &str {
                self.0.event_source()
            }
            fn backoff(&self) -> (std::time::Duration, std::time::Duration) {
                self.0.backoff()
            }
            fn watches(&self) -> Vec<naru_client::Watch> {
                self.0.watches()
            }
            fn map(
                &mut self,
                event: &naru_api::WatchEvent,
                old: Option<&naru_api::Object>,
                cache: &naru_client::Cache,
            ) -> Vec<naru_api::Key> {
                self.0.map(event, old, cache)
            }
        }

        impl naru_client::Reconcile for $name {
            fn reconcile(
                &mut self,
                key: &naru_api::Key,
                context: &mut naru_client::Context<'_>,
                world: &mut (),
            ) -> Result<naru_client::Action, naru_client::Error> {
                self.0.reconcile(key, context, world)
            }
        }
    };
}
use in_container;
