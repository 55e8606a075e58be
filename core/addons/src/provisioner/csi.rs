//! The sidecars of a CSI driver that make its volumes and let them grow.
//!
//! Upstream: kubernetes-csi/external-provisioner, external-resizer.

use super::{Asked, Backend, Made, POLL, Provisioner};
use crate::controller_program::InContainer;
use crate::csi::calls::Calls;
use k8s_openapi::api::core::v1::{
    CSIPersistentVolumeSource, Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm,
    PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec, VolumeNodeAffinity,
};
use k8s_openapi::api::storage::v1::{CSINode, StorageClass, VolumeAttachment};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use naru_api::quantity::Amount;
use naru_api::request::Patch;
use naru_api::time::{meta_time, rfc3339};
use naru_api::volumes::{claim_class, claim_phase, claim_size, volume_name, volume_size};
use naru_api::{Key, Object, WatchEvent, WatchEventType};
use naru_client::{Action, Cache, Context, Controller, Error, EventType, Reconcile, Watch};
use naru_shell::Sys;
use naru_sim::{Rng, Time};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Keeps a volume until its data is deleted.
pub(super) const FINALIZER: &str = "external-provisioner.volume.kubernetes.io/finalizer";
/// What a driver takes to make, attach or grow a disk.
pub(super) const DISK_TIME: Duration = Duration::from_secs(2);

const CREATE: &str = "/csi.v1.Controller/CreateVolume";
const DELETE: &str = "/csi.v1.Controller/DeleteVolume";
const EXPAND: &str = "/csi.v1.Controller/ControllerExpandVolume";

/// By what a sidecar does what it is asked for.
#[derive(Clone, Debug)]
pub enum Way {
    /// By a cloud, which takes its time for it: what is under way, and since when.
    Cloud(BTreeMap<String, Time>),
    /// By a driver's methods.
    Called(Calls),
    /// There is nothing to do: what is asked for is granted.
    Trivial,
}

impl Way {
    /// Nobody asks any more for what is under way for the object of this uid.
    pub(super) fn forget(&mut self, uid: &str) {
        match self {
            Way::Cloud(begun) => begun.retain(|what, _| !is_about(what, uid)),
            Way::Called(calls) => calls.forget(uid),
            Way::Trivial => {}
        }
    }

    /// Carries questions and answers as far as it goes.
    pub(super) fn settle(&mut self, sys: &mut dyn Sys) {
        if let Way::Called(calls) = self {
            calls.go_on(sys);
        }
    }

    /// When what is under way goes on by itself.
    pub(super) fn next_due(&self) -> Option<Time> {
        match self {
            Way::Called(calls) => calls.next_due(),
            Way::Cloud(_) | Way::Trivial => None,
        }
    }

    /// How long until it is looked again what has come of something.
    pub(super) fn look_after(&self) -> Duration {
        if matches!(self, Way::Cloud(_)) { DISK_TIME } else { POLL }
    }
}

/// `delete UID` is about the object of this uid.
fn is_about(what: &str, uid: &str) -> bool {
    what.split_once(' ').is_some_and(|(_, of)| of == uid)
}

/// What makes the volumes of a driver, which are attached to nodes or not. `stamp` is a number that
/// tells this provisioner from others.
pub fn provisioner(
    driver: &str,
    way: Way,
    attaches: bool,
    stamp: i64,
    hostname: &str,
    rng: &mut Rng,
) -> Provisioner {
    let identity = format!("{stamp}-{}-{driver}", rng.below(10_000));
    let backend = CsiBackend { driver: driver.to_owned(), identity, way, attaches };
    Provisioner::new(Box::new(backend), hostname, rng)
}

/// What lets the volumes of a driver grow.
pub fn resizer(driver: &str, way: Way) -> CsiResizer {
    let source = format!("external-resizer {driver}");
    CsiResizer { driver: driver.to_owned(), source, way, told: BTreeSet::new() }
}

/// Whether something that takes its time (`delete UID`) is done; begun now if it was not.
pub(super) fn is_done(begun: &mut BTreeMap<String, Time>, what: &str, now: Time) -> bool {
    let since = *begun.entry(what.to_owned()).or_insert(now);
    let done = now.since(since) >= DISK_TIME;
    if done {
        begun.remove(what);
    }
    done
}

#[derive(Clone, Debug)]
struct CsiBackend {
    driver: String,
    identity: String,
    way: Way,
    /// Whether volumes are attached to nodes: then they are not deleted there.
    attaches: bool,
}

/// A volume as a driver has made it.
struct Created {
    handle: String,
    capacity: Quantity,
    fs_type: Option<String>,
    attributes: BTreeMap<String, String>,
    place: Option<Place>,
}

impl CsiBackend {
    /// Where on the nodes a volume can be used: its node's place, or that of any node that has the
    /// driver; `None` for a driver that knows no places.
    fn place(
        &self,
        node: Option<&str>,
        context: &mut Context<'_>,
    ) -> Result<Option<Place>, String> {
        let nodes = context.client.list::<CSINode>("", Default::default());
        let nodes = nodes.map_err(|error| error.to_string())?.items;
        let mut found: Option<(String, String)> = None;
        for csi_node in nodes.iter().filter_map(Object::get::<CSINode>) {
            let name = csi_node.metadata.name.as_deref().unwrap_or_default();
            let driver = csi_node.spec.drivers.iter().find(|driver| driver.name == self.driver);
            let keys = driver.and_then(|driver| driver.topology_keys.as_ref());
            if driver.is_some() && keys.is_none_or(Vec::is_empty) {
                return Ok(None);
            }
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
        Ok(Some(Place { key, value: value.unwrap_or_default() }))
    }
}

struct Place {
    key: String,
    value: String,
}

/// Parameters of a class that a driver is told: those with the sidecars' prefix are theirs.
///
/// Upstream: `removePrefixedParameters`.
fn parameters(asked: &Asked<'_>) -> BTreeMap<String, String> {
    let mut all = asked.class.parameters.clone().unwrap_or_default();
    all.retain(|key, _| !key.starts_with("csi.storage.k8s.io/") && key != "fstype");
    all
}

impl CsiBackend {
    /// Has the volume made; `None` while that takes time.
    fn create(
        &mut self,
        asked: &Asked<'_>,
        place: Option<Place>,
        context: &mut Context<'_>,
    ) -> Result<Option<Created>, String> {
        let source = content_source(asked, &self.driver, context)?;
        let class = asked.class.parameters.as_ref();
        let fs_type = class.and_then(|all| all.get("csi.storage.k8s.io/fstype")).cloned();
        let calls = match &mut self.way {
            Way::Called(calls) => calls,
            Way::Trivial => return Err("nobody makes volumes".to_owned()),
            Way::Cloud(begun) => {
                if !is_done(begun, &format!("create {}", uid_of(asked.claim)), context.now) {
                    return Ok(None);
                }
                let zone = place.as_ref().map(|place| place.value.as_str()).unwrap_or_default();
                let handle = format!("projects/naru/zones/{zone}/disks/{}", asked.name);
                return Ok(Some(Created {
                    handle,
                    capacity: whole_gib(asked.claim),
                    fs_type: fs_type.or_else(|| Some("ext4".to_owned())),
                    attributes: BTreeMap::new(),
                    place,
                }));
            }
        };
        let request = || create_request(asked, place.as_ref(), source.as_deref());
        let Some(answer) = calls.ask(CREATE, uid_of(asked.claim), request) else { return Ok(None) };
        let answer = answer.map_err(|status| status.to_string())?;
        let bytes = answer.pointer("/volume/capacity_bytes").and_then(Value::as_i64);
        let attributes = answer.pointer("/volume/volume_context").and_then(Value::as_object);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let place = answer.pointer("/volume/accessible_topology/0/segments");
        let place = place.and_then(Value::as_object).and_then(|all| all.iter().next());
        Ok(Some(Created {
            handle: answer.pointer("/volume/volume_id").map(text).unwrap_or_default(),
            capacity: Amount::from_bytes(bytes.unwrap_or_default()).to_quantity(),
            fs_type,
            attributes: attributes
                .into_iter()
                .flatten()
                .map(|(key, value)| (key.clone(), text(value)))
                .collect(),
            place: place.map(|(key, value)| Place { key: key.clone(), value: text(value) }),
        }))
    }
}

/// The handle of the volume that the new one is a copy of, if the claim says so.
///
/// Upstream: `getVolumeContentSource`.
fn content_source(
    asked: &Asked<'_>,
    driver: &str,
    context: &mut Context<'_>,
) -> Result<Option<String>, String> {
    let spec = asked.claim.spec.as_ref();
    let Some(source) = spec.and_then(|spec| spec.data_source.as_ref()) else { return Ok(None) };
    let (kind, name) = (&source.kind, &source.name);
    let found = match kind.as_str() {
        "PersistentVolumeClaim" => copied_volume(asked.claim, name, driver, context).map(Some),
        // Their kind is a user's to define, and nobody here takes snapshots.
        "VolumeSnapshot" => Err(format!(
            "error getting snapshot {name} from api server: the server could not find the requested \
             resource (get volumesnapshots.snapshot.storage.k8s.io {name})"
        )),
        _ => Ok(None),
    };
    found.map_err(|why| {
        format!("error getting handle for DataSource Type {kind} by Name {name}: {why}")
    })
}

/// Upstream: `getPVCSource`.
fn copied_volume(
    claim: &PersistentVolumeClaim,
    name: &str,
    driver: &str,
    context: &mut Context<'_>,
) -> Result<String, String> {
    let namespace = claim.metadata.namespace.as_deref().unwrap_or_default();
    let source = context.client.get::<PersistentVolumeClaim>(namespace, name);
    let source = source.map_err(|error| {
        let why = error.message();
        format!("error getting PVC {name} (namespace \"{namespace}\") from api server: {why}")
    })?;
    let phase = claim_phase(&source);
    if phase != "Bound" {
        return Err(format!(
            "the PVC DataSource {name} must have a status of Bound.  Got {{{phase} [] map[] [] map[] \
             map[] <nil> <nil>}}"
        ));
    }
    if source.metadata.deletion_timestamp.is_some() {
        return Err(format!("the PVC DataSource {name} is currently being deleted"));
    }
    let (wanted, has) = (claim_size(claim).value(), claim_size(&source).value());
    if wanted < has {
        return Err(format!(
            "error, new PVC request must be greater than or equal in size to the specified PVC data \
             source, requested {wanted} but source is {has}"
        ));
    }
    let volume = context.client.get::<PersistentVolume>("", volume_name(&source)).ok();
    let csi = volume.as_ref().and_then(|volume| volume.spec.as_ref()?.csi.as_ref());
    let csi = csi.filter(|csi| csi.driver == driver);
    let handle = csi.map(|csi| csi.volume_handle.clone());
    handle.ok_or_else(|| "claim in dataSource not bound or invalid".to_owned())
}

fn create_request(asked: &Asked<'_>, place: Option<&Place>, source: Option<&str>) -> Value {
    let spec = asked.claim.spec.as_ref();
    let block = spec.and_then(|spec| spec.volume_mode.as_deref()) == Some("Block");
    let kind = if block { json!({"Block": {}}) } else { json!({"Mount": {}}) };
    let capability = |mode: &String| {
        let mode = match mode.as_str() {
            "ReadWriteMany" => "MULTI_NODE_MULTI_WRITER",
            "ReadOnlyMany" => "MULTI_NODE_READER_ONLY",
            "ReadWriteOncePod" => "SINGLE_NODE_SINGLE_WRITER",
            _ => "SINGLE_NODE_MULTI_WRITER",
        };
        json!({"AccessType": kind, "access_mode": {"mode": mode}})
    };
    let modes = spec.and_then(|spec| spec.access_modes.as_ref());
    let capabilities: Vec<Value> = modes.into_iter().flatten().map(capability).collect();
    let mut request = json!({
        "name": asked.name,
        "capacity_range": {"required_bytes": claim_size(asked.claim).value()},
        "volume_capabilities": capabilities,
    });
    if let Some(place) = place {
        let topology = json!([{"segments": {&place.key: place.value}}]);
        let requirements = json!({"preferred": topology, "requisite": topology});
        request["accessibility_requirements"] = requirements;
    }
    let parameters = parameters(asked);
    if !parameters.is_empty() {
        request["parameters"] = json!(parameters);
    }
    if let Some(handle) = source {
        request["volume_content_source"] = json!({"Type": {"Volume": {"volume_id": handle}}});
    }
    request
}

impl Backend for CsiBackend {
    fn name(&self) -> &str {
        &self.driver
    }

    fn provision(
        &mut self,
        asked: &Asked<'_>,
        context: &mut Context<'_>,
    ) -> Result<Option<Made>, String> {
        let place = self.place(asked.node, context)?;
        let Some(created) = self.create(asked, place, context)? else { return Ok(None) };
        let mut attributes = created.attributes;
        let identity = "storage.kubernetes.io/csiProvisionerIdentity";
        attributes.entry(identity.to_owned()).or_insert_with(|| self.identity.clone());
        let spec = PersistentVolumeSpec {
            capacity: Some([("storage".to_owned(), created.capacity)].into_iter().collect()),
            csi: Some(CSIPersistentVolumeSource {
                driver: self.driver.clone(),
                volume_handle: created.handle,
                fs_type: created.fs_type,
                volume_attributes: Some(attributes),
                ..CSIPersistentVolumeSource::default()
            }),
            node_affinity: created.place.as_ref().map(within),
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
        let uid = volume.metadata.uid.as_deref().unwrap_or_default();
        if self.attaches
            && let Some(node) = holder(name, context)?
        {
            return Err(format!("persistentvolume {name} is still attached to node {node}"));
        }
        match &mut self.way {
            Way::Trivial => Ok(true),
            Way::Cloud(begun) => Ok(is_done(begun, &format!("delete {uid}"), context.now)),
            Way::Called(calls) => {
                let csi = volume.spec.as_ref().and_then(|spec| spec.csi.as_ref());
                let handle = csi.map(|csi| csi.volume_handle.clone()).unwrap_or_default();
                match calls.ask(DELETE, uid, || json!({"volume_id": handle})) {
                    None => Ok(false),
                    Some(answer) => answer.map(|_| true).map_err(|status| status.to_string()),
                }
            }
        }
    }

    fn forget(&mut self, uid: &str) {
        self.way.forget(uid);
    }

    fn settle(&mut self, sys: &mut dyn Sys) {
        self.way.settle(sys);
    }

    fn next_due(&self) -> Option<Time> {
        self.way.next_due()
    }
}

fn uid_of(claim: &PersistentVolumeClaim) -> &str {
    claim.metadata.uid.as_deref().unwrap_or_default()
}

/// The node that a volume is attached to.
fn holder(name: &str, context: &mut Context<'_>) -> Result<Option<String>, String> {
    let attached = context.client.list::<VolumeAttachment>("", Default::default());
    let attached = attached.map_err(|error| error.to_string())?.items;
    let mut all = attached.iter().filter_map(Object::get::<VolumeAttachment>);
    let found = all.find(|it| it.spec.source.persistent_volume_name.as_deref() == Some(name));
    Ok(found.map(|it| it.spec.node_name.clone()))
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

/// Lets volumes grow when their claims ask for more.
#[derive(Clone, Debug)]
pub struct CsiResizer {
    driver: String,
    source: String,
    way: Way,
    /// Claims whose resizing was told of.
    told: BTreeSet<Key>,
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
        if claim.is_some() && event.kind == WatchEventType::Deleted {
            self.told.remove(&event.object.key());
            self.way.forget(event.object.uid());
            return Vec::new();
        }
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
        let since = rfc3339(Some(&meta_time(context.now)));
        let conditions = condition.map(|(type_, message)| {
            let mut one = json!({"type": type_, "status": "True", "lastTransitionTime": since});
            if !message.is_empty() {
                one["message"] = json!(message);
            }
            json!([one])
        });
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (namespace, name) = (text(&claim.metadata.namespace), text(&claim.metadata.name));
        let patch = Patch::Merge(json!({"status": {"conditions": conditions}}));
        context.client.patch::<PersistentVolumeClaim>(&namespace, &name, "status", patch)?;
        Ok(())
    }

    /// Has the volume grow: to this size, and whether its file system has yet to; `None` while that
    /// takes time.
    fn grow(
        &mut self,
        claim: &PersistentVolumeClaim,
        handle: &str,
        now: Time,
    ) -> Option<Result<(Quantity, bool), String>> {
        let uid = uid_of(claim);
        match &mut self.way {
            Way::Trivial => Some(Err("nobody lets volumes grow".to_owned())),
            Way::Cloud(begun) => {
                let done = is_done(begun, &format!("expand {uid}"), now);
                done.then(|| Ok((whole_gib(claim), true)))
            }
            Way::Called(calls) => {
                let bytes = claim_size(claim).value();
                let request =
                    || json!({"volume_id": handle, "capacity_range": {"required_bytes": bytes}});
                let answer = calls.ask(EXPAND, uid, request)?;
                Some(answer.map_err(|status| status.to_string()).map(|answer| {
                    let bytes = answer.get("capacity_bytes").and_then(Value::as_i64);
                    let node = answer.get("node_expansion_required").and_then(Value::as_bool);
                    let size = Amount::from_bytes(bytes.unwrap_or_default()).to_quantity();
                    (size, node == Some(true))
                }))
            }
        }
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
        if self.told.insert(key.clone()) {
            Self::set_condition(&claim, Some(("Resizing", "")), context)?;
            let text = format!("External resizer is resizing volume {}", volume_key.name);
            context.event(&about, EventType::Normal, "Resizing", &text);
        }
        let handle = spec.csi.as_ref().map(|csi| csi.volume_handle.clone()).unwrap_or_default();
        let (size, node) = match self.grow(&claim, &handle, context.now) {
            None => return Ok(Action::requeue_after(self.way.look_after())),
            Some(Ok(grown)) => grown,
            Some(Err(why)) => {
                self.told.remove(key);
                let (name, driver) = (&volume_key.name, &self.driver);
                let text =
                    format!("resize volume \"{name}\" by resizer \"{driver}\" failed: {why}");
                context.event(&about, EventType::Warning, "VolumeResizeFailed", &text);
                return Err(Error::Other(text));
            }
        };
        self.told.remove(key);
        let patch = Patch::Merge(json!({"spec": {"capacity": {"storage": size.0}}}));
        context.client.patch::<PersistentVolume>("", &volume_key.name, "", patch)?;
        if !node {
            let status = json!({"capacity": {"storage": size.0}, "conditions": null});
            let patch = Patch::Merge(json!({"status": status}));
            let (namespace, name) = (&key.namespace, &key.name);
            context.client.patch::<PersistentVolumeClaim>(namespace, name, "status", patch)?;
            let text = "Resize volume succeeded";
            context.event(&about, EventType::Normal, "VolumeResizeSuccessful", text);
            return Ok(Action::await_change());
        }
        const WAITS: &str = "Waiting for user to (re-)start a pod to finish file system resize of \
                             volume on node.";
        Self::set_condition(&claim, Some(("FileSystemResizePending", WAITS)), context)?;
        let text = "Require file system resize of volume on node";
        context.event(&about, EventType::Normal, "FileSystemResizeRequired", text);
        Ok(Action::await_change())
    }
}

impl InContainer for CsiResizer {
    fn settle(&mut self, sys: &mut dyn Sys) {
        self.way.settle(sys);
    }

    fn next_due(&self) -> Option<Time> {
        self.way.next_due()
    }
}
