//! Who owns which fields of an object: what `metadata.managedFields` says.
//!
//! Upstream: `apimachinery/pkg/util/managedfields/internal`.

use super::set::FieldSet;
use super::walk;
use crate::encode::{self, Group, Leaf, Sink};
use crate::omitempty;
use crate::schema::Node;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry, Time};
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Managers by updates that an object remembers; the oldest beyond are put together.
const UPDATERS_MAX: usize = 10;

/// Under whose name the oldest updates are put together.
const ANCIENT: &str = "ancient-changes";

/// Bytes of a manager's name.
pub const MANAGER_BYTES_MAX: usize = 128;

/// Fields that nobody owns.
const STRIPPED: &[&[&str]] = &[
    &["apiVersion"],
    &["kind"],
    &["metadata"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "creationTimestamp"],
    &["metadata", "selfLink"],
    &["metadata", "uid"],
    &["metadata", "clusterName"],
    &["metadata", "generation"],
    &["metadata", "managedFields"],
    &["metadata", "resourceVersion"],
];

/// How a manager came to its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// By server-side apply.
    Apply,
    /// By any other write.
    Update,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Operation::Apply => "Apply",
            Operation::Update => "Update",
        }
    }
}

/// A manager. One that applies is the same in every version of the kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manager {
    /// `kubectl-create`, `kubelet`.
    pub name: Arc<str>,
    /// How.
    pub operation: Operation,
    /// `apps/v1`; "" for one that applies.
    pub api_version: Arc<str>,
    /// `status`, or "".
    pub subresource: Arc<str>,
}

impl PartialOrd for Manager {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Manager {
    /// The order of upstream's identifiers, which are JSON: what ends early comes late.
    fn cmp(&self, other: &Self) -> Ordering {
        let by_name = self.name.cmp(&other.name).then_with(|| self.operation.cmp(&other.operation));
        by_name
            .then_with(|| self.api_version.cmp(&other.api_version))
            .then_with(|| self.subresource.is_empty().cmp(&other.subresource.is_empty()))
            .then_with(|| self.subresource.cmp(&other.subresource))
    }
}

impl Manager {
    /// Who writes: `name`, or the first part of `agent` when it is empty.
    ///
    /// Upstream: `managerOrUserAgent`, `prefixFromUserAgent`.
    pub fn new(name: &str, agent: &str, operation: Operation, subresource: &str) -> Self {
        let name = if name.is_empty() { agent_prefix(agent) } else { name.to_owned() };
        let name = if name.is_empty() { "unknown".to_owned() } else { name };
        Manager {
            name: name.into(),
            operation,
            api_version: Arc::default(),
            subresource: subresource.into(),
        }
    }
}

fn agent_prefix(agent: &str) -> String {
    let first = agent.split('/').next().unwrap_or_default();
    let mut prefix = String::new();
    for c in first.chars().filter(|c| !c.is_control()) {
        if prefix.len() + c.len_utf8() > MANAGER_BYTES_MAX {
            break;
        }
        prefix.push(c);
    }
    prefix
}

/// What a manager owns.
#[derive(Clone, Debug, PartialEq)]
pub struct Owned {
    /// The fields; shared by the objects that were made alike.
    pub fields: Arc<FieldSet>,
    /// The version of the kind in which the fields are named.
    pub api_version: Arc<str>,
    /// When it wrote last.
    pub time: Option<Timestamp>,
}

/// The managers of an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Managers(pub(super) BTreeMap<Manager, Owned>);

/// The kind and subresource in whose terms a write is told.
#[derive(Clone, Debug)]
pub struct Scope<'a> {
    /// The schema of the kind.
    pub node: Node<'a>,
    /// `Deployment`.
    pub kind: &'a str,
    /// `apps/v1`.
    pub api_version: Arc<str>,
    /// Fields that a write here cannot change.
    pub reset: FieldSet,
}

impl Managers {
    /// Reads `metadata.managedFields`.
    pub fn decode(entries: &[ManagedFieldsEntry]) -> Result<Self, String> {
        let mut managers = BTreeMap::new();
        for (index, entry) in entries.iter().enumerate() {
            let operation = match entry.operation.as_deref() {
                Some("Apply") => Operation::Apply,
                Some("Update") => Operation::Update,
                _ => return Err("operation must be `Apply` or `Update`".to_owned()),
            };
            let api_version = entry.api_version.as_deref().unwrap_or_default();
            if api_version.is_empty() {
                return Err("apiVersion must not be empty".to_owned());
            }
            match entry.fields_type.as_deref().unwrap_or_default() {
                "FieldsV1" => {}
                "" => return Err(format!("missing fieldsType in managed fields entry {index}")),
                other => {
                    let other = crate::gofmt::quote(other);
                    return Err(format!(
                        "invalid fieldsType {other} in managed fields entry {index}"
                    ));
                }
            }
            let applied = operation == Operation::Apply;
            let manager = Manager {
                name: entry.manager.as_deref().unwrap_or_default().into(),
                operation,
                api_version: if applied { Arc::default() } else { api_version.into() },
                subresource: entry.subresource.as_deref().unwrap_or_default().into(),
            };
            let fields = match &entry.fields_v1 {
                Some(fields) => FieldSet::from_json(&fields.0)?,
                None => FieldSet::default(),
            };
            let owned = Owned {
                fields: Arc::new(fields),
                api_version: api_version.into(),
                time: entry.time.as_ref().map(|time| time.0),
            };
            managers.insert(manager, owned);
        }
        Ok(Managers(managers))
    }

    /// As `metadata.managedFields`: appliers first, then by time.
    pub fn encode(&self) -> Vec<ManagedFieldsEntry> {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let entry = |(manager, owned): (&Manager, &Owned)| ManagedFieldsEntry {
            api_version: some(&owned.api_version),
            fields_type: Some("FieldsV1".to_owned()),
            fields_v1: Some(FieldsV1(owned.fields.to_json())),
            manager: some(&manager.name),
            operation: Some(manager.operation.name().to_owned()),
            subresource: some(&manager.subresource),
            time: owned.time.map(Time),
        };
        self.in_order().into_iter().map(entry).collect()
    }

    /// Tells the same to a sink.
    pub(super) fn tell(&self, sink: &mut dyn Sink) {
        sink.begin(Group::List);
        for (manager, owned) in self.in_order() {
            sink.begin(Group::Struct);
            tell_text("apiVersion", &owned.api_version, sink);
            tell_text("fieldsType", "FieldsV1", sink);
            sink.name("fieldsV1");
            owned.fields.tell(sink);
            tell_text("manager", &manager.name, sink);
            tell_text("operation", manager.operation.name(), sink);
            tell_text("subresource", &manager.subresource, sink);
            if let Some(time) = owned.time {
                sink.name("time");
                // A moment has no errors of its own.
                let _ = encode::tell(&Time(time), sink);
            }
            sink.end();
        }
        sink.end();
    }

    fn in_order(&self) -> Vec<(&Manager, &Owned)> {
        let mut all: Vec<(&Manager, &Owned)> = self.0.iter().collect();
        all.sort_by_key(|(manager, owned)| {
            let seconds = owned.time.map_or(0, Timestamp::as_second);
            (manager.operation, seconds, &manager.name, &owned.api_version, &manager.subresource)
        });
        all
    }

    /// Every manager, with what it owns.
    pub fn iter(&self) -> impl Iterator<Item = (&Manager, &Owned)> {
        self.0.iter()
    }

    /// Makes what `from` owns by updates the property of `to` by apply.
    ///
    /// Upstream: `csaupgrade.UpgradeManagedFields`.
    pub fn upgrade(&mut self, from: &str, to: &str) {
        let updates = |manager: &Manager| {
            &*manager.name == from
                && manager.operation == Operation::Update
                && manager.subresource.is_empty()
        };
        let old: Vec<Manager> = self.0.keys().filter(|id| updates(id)).cloned().collect();
        let heir = Manager::new(to, "", Operation::Apply, "");
        for id in old {
            let Some(owned) = self.0.remove(&id) else { continue };
            match self.0.get_mut(&heir) {
                Some(mine) if mine.api_version == owned.api_version => {
                    let mut fields = FieldSet::clone(&mine.fields);
                    fields.unite(&owned.fields);
                    mine.fields = Arc::new(fields);
                }
                Some(_) => {}
                None => drop(self.0.insert(heir.clone(), owned)),
            }
        }
    }

    /// Whether nobody owns anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether they own the same, whenever they came to it.
    pub fn same_fields(&self, other: &Managers) -> bool {
        let fields = |managers: &Managers| -> Vec<_> {
            let all = managers.0.iter();
            all.map(|(manager, owned)| (manager.clone(), Arc::clone(&owned.fields))).collect()
        };
        fields(self) == fields(other)
    }

    /// Says that `manager` made the object, with these fields.
    pub fn create(
        scope: &Scope<'_>,
        mut manager: Manager,
        fields: Arc<FieldSet>,
        time: Timestamp,
    ) -> Self {
        if fields.is_empty() {
            return Managers::default();
        }
        manager.api_version = Arc::clone(&scope.api_version);
        let api_version = Arc::clone(&scope.api_version);
        Managers([(manager, Owned { fields, api_version, time: Some(time) })].into())
    }

    /// Says that `manager` brought the object from `before` to `after` otherwise than by apply.
    pub fn update(
        &mut self,
        scope: &Scope<'_>,
        mut manager: Manager,
        before: &Value,
        after: &Value,
        time: Timestamp,
    ) {
        let mut changed = self.lose(scope, None, before, after, true).unwrap_or_default();
        changed = changed.difference(&FieldSet::of_fields(STRIPPED));
        if changed.is_empty() {
            return;
        }
        manager.api_version = Arc::clone(&scope.api_version);
        if let Some(owned) = self.0.get(&manager) {
            changed.unite(&owned.fields);
        }
        let api_version = Arc::clone(&scope.api_version);
        let owned = Owned { fields: Arc::new(changed), api_version, time: Some(time) };
        self.0.insert(manager, owned);
        self.forget_oldest();
    }

    /// Takes from all but `writer` what differs between two states of the object; gives what was
    /// modified or added. Fails with the conflicts unless `force`.
    pub(super) fn lose(
        &mut self,
        scope: &Scope<'_>,
        writer: Option<&Manager>,
        before: &Value,
        after: &Value,
        force: bool,
    ) -> Result<FieldSet, Vec<(Manager, FieldSet)>> {
        let comparison = walk::compare(scope.node, before, after).without(&scope.reset);
        let mut changed = comparison.modified;
        changed.unite(&comparison.added);
        let mut conflicts = Vec::new();
        let mut rest = BTreeMap::new();
        for (manager, owned) in &self.0 {
            let touched = owned.fields.meets(&changed) || owned.fields.meets(&comparison.removed);
            if Some(manager) == writer || !touched {
                rest.insert(manager.clone(), owned.clone());
                continue;
            }
            let lost = owned.fields.intersection(&changed);
            let fields = owned.fields.difference(&lost).difference(&comparison.removed);
            if !lost.is_empty() {
                conflicts.push((manager.clone(), lost));
            }
            if !fields.is_empty() {
                rest.insert(manager.clone(), Owned { fields: Arc::new(fields), ..owned.clone() });
            }
        }
        if !force && !conflicts.is_empty() {
            return Err(conflicts);
        }
        self.0 = rest;
        Ok(changed)
    }

    /// Puts the oldest updates together, version by version.
    fn forget_oldest(&mut self) {
        let updaters = self.0.iter().filter(|(id, _)| id.operation == Operation::Update);
        let mut updaters: Vec<(Manager, Option<Timestamp>)> =
            updaters.map(|(id, owned)| (id.clone(), owned.time)).collect();
        let mut count = updaters.len();
        if count <= UPDATERS_MAX {
            return;
        }
        updaters.sort_by_key(|(id, time)| (time.map_or(0, Timestamp::as_second), id.clone()));
        let mut first: BTreeMap<Arc<str>, Manager> = BTreeMap::new();
        for (id, time) in updaters {
            if count <= UPDATERS_MAX {
                return;
            }
            let version = Arc::clone(&id.api_version);
            let Some(oldest) = first.get(&version) else {
                first.insert(version, id);
                continue;
            };
            let bucket = Manager {
                name: ANCIENT.into(),
                operation: Operation::Update,
                api_version: version,
                subresource: Arc::default(),
            };
            if !self.0.contains_key(&bucket)
                && let Some(owned) = self.0.remove(oldest)
            {
                self.0.insert(bucket.clone(), owned);
            }
            let Some(merged) = self.0.remove(&id) else { continue };
            if let Some(owned) = self.0.get_mut(&bucket) {
                let mut fields = FieldSet::clone(&owned.fields);
                fields.unite(&merged.fields);
                *owned = Owned { fields: Arc::new(fields), time, ..merged };
            }
            count -= 1;
        }
    }
}

/// Tells a field, if there is something in it.
fn tell_text(name: &str, text: &str, sink: &mut dyn Sink) {
    if !text.is_empty() {
        sink.name(name);
        sink.leaf(Leaf::Text(text));
    }
}

/// Removes what nobody owns.
pub(super) fn stripped(fields: &FieldSet) -> FieldSet {
    fields.difference(&FieldSet::of_fields(STRIPPED))
}

/// The fields that a new object has and the empty object of its kind has not.
pub fn fields_of_new(scope: &Scope<'_>, object: &Value) -> FieldSet {
    let comparison = walk::compare(scope.node, &empty(scope), object).without(&scope.reset);
    let mut fields = comparison.modified;
    fields.unite(&comparison.added);
    stripped(&fields)
}

/// The empty object of a kind: Go's encoder writes some of its fields.
pub fn empty(scope: &Scope<'_>) -> Value {
    let mut empty = json!({"apiVersion": &*scope.api_version, "kind": scope.kind});
    omitempty::complete(&mut empty);
    empty
}
