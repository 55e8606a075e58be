//! The sidecars of a CSI driver: what makes its volumes, attaches them to nodes and lets them grow.
//!
//! Upstream: kubernetes-csi/external-provisioner, external-attacher, external-resizer.

use super::{Asked, Backend, Made, Provisioner};
use k8s_openapi::api::core::v1::{
    CSIPersistentVolumeSource, Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm,
    PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimCondition, PersistentVolumeSpec,
    VolumeNodeAffinity,
};
use k8s_openapi::api::storage::v1::{CSINode, StorageClass, VolumeAttachment};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use naru_api::quantity::Amount;
use naru_api::time::meta_time;
use naru_api::volumes::{claim_class, claim_phase, claim_size, volume_name, volume_size};
use naru_api::{Key, Object, WatchEvent};
use naru_client::{Action, Cache, Context, Controller, Error, EventType, Reconcile, Watch};
use naru_sim::{Rng, Time};
use std::collections::BTreeMap;
use std::time::Duration;

/// Keeps a volume until its data is deleted.
pub(super) const FINALIZER: &str = "external-provisioner.volume.kubernetes.io/finalizer";
/// What a driver takes to make, attach or grow a disk.
const DISK_TIME: Duration = Duration::from_secs(2);

/// What makes the volumes of a driver.
pub fn provisioner(driver: &'static str, hostname: &str, rng: &mut Rng) -> Provisioner {
    let identity = format!("{}-{}-{driver}", rng.below(10_000_000_000_000), rng.below(10_000));
    let backend = CsiBackend { driver, identity, begun: BTreeMap::new() };
    Provisioner::new(Box::new(backend), hostname, rng)
}

/// What attaches the volumes of a driver.
pub fn attacher(driver: &'static str) -> CsiAttacher {
    CsiAttacher { driver, begun: BTreeMap::new() }
}

/// What lets the volumes of a driver grow.
pub fn resizer(driver: &'static str) -> CsiResizer {
    CsiResizer { driver, source: format!("external-resizer {driver}"), begun: BTreeMap::new() }
}

/// Whether something that takes its time is done; begun now if it was not.
fn is_done(begun: &mut BTreeMap<String, Time>, what: &str, now: Time) -> bool {
    let since = *begun.entry(what.to_owned()).or_insert(now);
    let done = now.since(since) >= DISK_TIME;
    if done {
        begun.remove(what);
    }
    done
}

#[derive(Clone, Debug)]
struct CsiBackend {
    driver: &'static str,
    identity: String,
    begun: BTreeMap<String, Time>,
}

impl CsiBackend {
    /// Where on the nodes a volume can be used: its node's place, or that of any node that has the
    /// driver.
    fn place(&self, node: Option<&str>, context: &mut Context<'_>) -> Result<Place, String> {
        let nodes = context.client.list::<CSINode>("", Default::default());
        let nodes = nodes.map_err(|error| error.to_string())?.items;
        let mut found: Option<(String, String)> = None;
        for csi_node in nodes.iter().filter_map(Object::get::<CSINode>) {
            let name = csi_node.metadata.name.as_deref().unwrap_or_default();
            let driver = csi_node.spec.drivers.iter().find(|driver| driver.name == self.driver);
            let keys = driver.and_then(|driver| driver.topology_keys.as_ref());
            if let Some(key) = keys.and_then(|keys| keys.first())
                && node.is_none_or(|node| node == name)
            {
                found = Some((name.to_owned(), key.clone()));
                break;
            }
        }
        let Some((name, key)) = found else {
            return Err(match node {
                Some(node) => format!(
                    "error generating accessibility requirements: no topology key found on CSINode \
                     {node}"
                ),
                None => "error generating accessibility requirements: no available topology found"
                    .to_owned(),
            });
        };
        let node = context.client.get::<Node>("", &name).map_err(|error| error.to_string())?;
        let value = node.metadata.labels.as_ref().and_then(|labels| labels.get(&key)).cloned();
        Ok(Place { key, value: value.unwrap_or_default() })
    }
}

struct Place {
    key: String,
    value: String,
}

impl Backend for CsiBackend {
    fn name(&self) -> &'static str {
        self.driver
    }

    fn provision(
        &mut self,
        asked: &Asked<'_>,
        context: &mut Context<'_>,
    ) -> Result<Option<Made>, String> {
        let place = self.place(asked.node, context)?;
        if !is_done(&mut self.begun, asked.name, context.now) {
            return Ok(None);
        }
        let handle = match self.driver {
            "pd.csi.storage.gke.io" => {
                format!("projects/naru/zones/{}/disks/{}", place.value, asked.name)
            }
            _ => asked.name.to_owned(),
        };
        let parameters = asked.class.parameters.clone().unwrap_or_default();
        let attribute = ("storage.kubernetes.io/csiProvisionerIdentity", &self.identity);
        let spec = PersistentVolumeSpec {
            capacity: Some([("storage".to_owned(), whole_gib(asked.claim))].into_iter().collect()),
            csi: Some(CSIPersistentVolumeSource {
                driver: self.driver.to_owned(),
                volume_handle: handle,
                fs_type: parameters.get("csi.storage.k8s.io/fstype").cloned().or_else(|| {
                    (self.driver == "pd.csi.storage.gke.io").then(|| "ext4".to_owned())
                }),
                volume_attributes: Some(
                    [(attribute.0.to_owned(), attribute.1.clone())].into_iter().collect(),
                ),
                ..CSIPersistentVolumeSource::default()
            }),
            node_affinity: Some(within(&place)),
            ..PersistentVolumeSpec::default()
        };
        let secrets = ["name", "namespace"].map(|part| {
            (format!("volume.kubernetes.io/provisioner-deletion-secret-{part}"), String::new())
        });
        let (annotations, finalizers) = (secrets.into_iter().collect(), vec![FINALIZER.to_owned()]);
        Ok(Some(Made { spec, annotations, finalizers }))
    }

    fn delete(
        &mut self,
        volume: &PersistentVolume,
        context: &mut Context<'_>,
    ) -> Result<bool, String> {
        let name = volume.metadata.name.as_deref().unwrap_or_default();
        let attached = context.client.list::<VolumeAttachment>("", Default::default());
        let attached = attached.map_err(|error| error.to_string())?.items;
        let of_volume = |attachment: &VolumeAttachment| {
            attachment.spec.source.persistent_volume_name.as_deref() == Some(name)
        };
        let holder =
            attached.iter().filter_map(Object::get).find(|attachment| of_volume(attachment));
        if let Some(holder) = holder {
            let node = &holder.spec.node_name;
            return Err(format!("persistentvolume {name} is still attached to node {node}"));
        }
        Ok(is_done(&mut self.begun, &format!("delete {name}"), context.now))
    }
}

/// Clouds sell disks by the gibibyte.
fn whole_gib(claim: &PersistentVolumeClaim) -> Quantity {
    const GIB: i64 = 1 << 30;
    let bytes = claim_size(claim).value();
    Quantity(format!("{}Gi", (bytes + GIB - 1) / GIB))
}

fn within(place: &Place) -> VolumeNodeAffinity {
    let requirement = NodeSelectorRequirement {
        key: place.key.clone(),
        operator: "In".to_owned(),
        values: Some(vec![place.value.clone()]),
    };
    let term = NodeSelectorTerm { match_expressions: Some(vec![requirement]), match_fields: None };
    VolumeNodeAffinity { required: Some(NodeSelector { node_selector_terms: vec![term] }) }
}

/// Attaches volumes to nodes, as VolumeAttachments ask for.
#[derive(Clone, Debug)]
pub struct CsiAttacher {
    driver: &'static str,
    begun: BTreeMap<String, Time>,
}

impl CsiAttacher {
    /// `external-attacher/pd-csi-storage-gke-io`
    fn finalizer(&self) -> String {
        format!("external-attacher/{}", self.driver.replace('.', "-"))
    }
}

impl Controller for CsiAttacher {
    fn name(&self) -> &str {
        "csi-attacher"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<VolumeAttachment>()]
    }

    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        match event.object.get::<VolumeAttachment>() {
            Some(attachment) if attachment.spec.attacher == self.driver => vec![event.object.key()],
            _ => Vec::new(),
        }
    }
}

impl Reconcile for CsiAttacher {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let Some(found) = context.cache.arc::<VolumeAttachment>(key) else {
            return Ok(Action::await_change());
        };
        let mut attachment = VolumeAttachment::clone(&found);
        let (finalizer, attached) =
            (self.finalizer(), found.status.as_ref().is_some_and(|status| status.attached));
        let finalizers = attachment.metadata.finalizers.get_or_insert_default();
        let held = finalizers.contains(&finalizer);
        let goes = found.metadata.deletion_timestamp.is_some();
        if goes && !held || !goes && attached {
            return Ok(Action::await_change());
        }
        if !goes && !held {
            finalizers.push(finalizer);
            context.client.update(attachment)?;
            return Ok(Action::await_change());
        }
        let what = if goes { format!("detach {key}") } else { key.to_string() };
        if !is_done(&mut self.begun, &what, context.now) {
            return Ok(Action::requeue_after(DISK_TIME));
        }
        if goes {
            finalizers.retain(|other| *other != finalizer);
            context.client.update(attachment)?;
        } else {
            attachment.status.get_or_insert_default().attached = true;
            context.client.update_status(attachment)?;
        }
        Ok(Action::await_change())
    }
}

/// Lets volumes grow when their claims ask for more.
#[derive(Clone, Debug)]
pub struct CsiResizer {
    driver: &'static str,
    source: String,
    begun: BTreeMap<String, Time>,
}

impl Controller for CsiResizer {
    fn name(&self) -> &str {
        "csi-resizer"
    }

    fn event_source(&self) -> &str {
        &self.source
    }

    fn watches(&self) -> Vec<Watch> {
        vec![
            Watch::all::<PersistentVolumeClaim>(),
            Watch::all::<PersistentVolume>(),
            Watch::all::<StorageClass>(),
        ]
    }

    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        let claim = event.object.get::<PersistentVolumeClaim>();
        let grows = claim.is_some_and(|claim| {
            claim_phase(claim) == "Bound" && claim_size(claim) > capacity(claim)
        });
        if grows { vec![event.object.key()] } else { Vec::new() }
    }
}

fn capacity(claim: &PersistentVolumeClaim) -> Amount {
    let status = claim.status.as_ref().and_then(|status| status.capacity.as_ref());
    status.and_then(|capacity| capacity.get("storage")).map_or(Amount::ZERO, Amount::of)
}

impl CsiResizer {
    fn set_condition(
        claim: &PersistentVolumeClaim,
        condition: Option<(&str, &str)>,
        context: &mut Context<'_>,
    ) -> Result<(), Error> {
        let mut claim = claim.clone();
        let status = claim.status.get_or_insert_default();
        status.conditions = condition.map(|(type_, message)| {
            vec![PersistentVolumeClaimCondition {
                type_: type_.to_owned(),
                status: "True".to_owned(),
                message: Some(message.to_owned()).filter(|message| !message.is_empty()),
                last_transition_time: Some(meta_time(context.now)),
                ..PersistentVolumeClaimCondition::default()
            }]
        });
        claim.metadata.resource_version = None;
        context.client.update_status(claim)?;
        Ok(())
    }
}

impl Reconcile for CsiResizer {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let Some(claim) = context.cache.arc::<PersistentVolumeClaim>(key) else {
            return Ok(Action::await_change());
        };
        let volume_key = Key::new("", volume_name(&claim));
        let volume = context.cache.arc::<PersistentVolume>(&volume_key);
        let Some(volume) = volume else { return Ok(Action::await_change()) };
        let spec = volume.spec.clone().unwrap_or_default();
        let mine = spec.csi.as_ref().is_some_and(|csi| csi.driver == self.driver);
        let class = context.cache.get::<StorageClass>(&Key::new("", claim_class(&claim)));
        let grows = class.is_some_and(|class| class.allow_volume_expansion == Some(true));
        if !mine || !grows || claim_size(&claim) <= capacity(&claim) {
            return Ok(Action::await_change());
        }
        let about = Object::new(PersistentVolumeClaim::clone(&claim));
        if volume_size(&volume) >= claim_size(&claim) {
            // The node sees to the rest.
            return Ok(Action::await_change());
        }
        if !self.begun.contains_key(&key.to_string()) {
            Self::set_condition(&claim, Some(("Resizing", "")), context)?;
            let text = format!("External resizer is resizing volume {}", volume_key.name);
            context.event(&about, EventType::Normal, "Resizing", &text);
        }
        if !is_done(&mut self.begun, &key.to_string(), context.now) {
            return Ok(Action::requeue_after(DISK_TIME));
        }
        let mut grown = PersistentVolume::clone(&volume);
        grown.spec.get_or_insert_default().capacity =
            Some([("storage".to_owned(), whole_gib(&claim))].into_iter().collect());
        context.client.update(grown)?;
        const WAITS: &str = "Waiting for user to (re-)start a pod to finish file system resize of \
                             volume on node.";
        Self::set_condition(&claim, Some(("FileSystemResizePending", WAITS)), context)?;
        let text = "Require file system resize of volume on node";
        context.event(&about, EventType::Normal, "FileSystemResizeRequired", text);
        Ok(Action::await_change())
    }
}
