//! Deletes what has lost its owner, and finishes foreground and orphaning deletions.
//!
//! A graph of owners and dependents is kept up by watches of all kinds; before anything is
//! deleted, the API server is asked whether the owner is really gone.
//!
//! Upstream: `pkg/controller/garbagecollector`.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Event;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use naru_api::request::{DeleteOptions, Patch, Propagation};
use naru_api::service::Attention;
use naru_api::{Key, KindRef, Kube, Object, Op, Response, WatchEvent, WatchEventType, scheme};
use naru_client::{Action, Cache, Client, Context, Controller, Error, EventType, Reconcile, Watch};
use rustc_hash::FxHashMap;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// The garbage collector.
#[derive(Clone, Debug)]
pub struct GarbageCollector {
    /// By uid. Nobody goes through it.
    graph: FxHashMap<String, Node>,
    /// The kinds that are served, as far as it knows.
    kinds: Vec<KindRef>,
    /// Whether the kinds have changed and their watches are not open yet.
    rewatches: bool,
    /// Owners of a kind that is not served, and those who name them.
    strangers: Vec<Stranger>,
}

/// An owner whose kind nobody knows, and the object that names it.
#[derive(Clone, Debug)]
struct Stranger {
    owner: OwnerReference,
    namespace: String,
    dependent: String,
}

/// The key under which a look at the kinds that are served waits.
const DISCOVERY: &str = "discovery";

impl Default for GarbageCollector {
    fn default() -> Self {
        GarbageCollector {
            graph: FxHashMap::default(),
            kinds: scheme::built_in(),
            rewatches: false,
            strangers: Vec::new(),
        }
    }
}

/// An object, or an owner that somebody named and nobody has seen yet.
#[derive(Clone, Debug)]
struct Node {
    kind: KindRef,
    key: Key,
    seen: bool,
    owners: Vec<Owner>,
    dependents: BTreeSet<String>,
    deletion: Deletion,
}

impl Node {
    /// Whether it is this object, as it was seen.
    fn is(&self, object: &Object) -> bool {
        let Key { namespace, name } = &self.key;
        self.seen
            && name == object.name()
            && namespace == object.namespace()
            && self.kind == object.kind()
    }

    /// Whether what is in this namespace cannot name it as an owner.
    fn is_elsewhere(&self, namespace: &str) -> bool {
        self.kind.namespaced && self.key.namespace != namespace
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Owner {
    uid: String,
    /// The owner's foreground deletion waits for this dependent.
    blocks: bool,
}

/// How far an object's deletion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deletion {
    NotAsked,
    /// Whoever else has to finish it.
    Asked,
    /// It waits for its dependents to go.
    Foreground,
    /// It waits for its dependents to be freed.
    Orphan,
}

impl Controller for GarbageCollector {
    fn name(&self) -> &str {
        "garbage-collector-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        let needed = ["delete", "list", "watch"];
        let collectable = |kind: &KindRef| {
            *kind != Event::kind() && needed.iter().all(|verb| kind.verbs.contains(verb))
        };
        // Owners and finalizers are metadata. Most changes of Leases are renewals.
        let watch = |kind: KindRef| match kind == Lease::kind() {
            true => Watch::of(kind, "").heeding(Attention::Metadata),
            false => Watch::of(kind, ""),
        };
        let kinds = scheme::one_version_each(&self.kinds);
        kinds.into_iter().filter(collectable).map(watch).collect()
    }

    fn rewatches(&mut self) -> bool {
        std::mem::take(&mut self.rewatches)
    }

    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        let object = &event.object;
        if object.kind() == Event::kind() {
            return Vec::new();
        }
        let concerned = match event.kind {
            WatchEventType::Deleted => self.remove(object.uid()),
            WatchEventType::Added | WatchEventType::Modified => self.insert(object),
            WatchEventType::Bookmark => return Vec::new(),
        };
        // A definition may have changed which kinds there are.
        let defines = object.kind() == CustomResourceDefinition::kind();
        let discovery = defines.then(|| Key::new(DISCOVERY, ""));
        concerned.iter().filter_map(|uid| self.work_key(uid)).chain(discovery).collect()
    }
}

impl Reconcile for GarbageCollector {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        if !key.name.is_empty() {
            return self.look(key, context);
        }
        for key in self.discover(context) {
            self.look(&key, context)?;
        }
        Ok(Action::await_change())
    }
}

impl GarbageCollector {
    /// Looks at one object of the graph.
    fn look(&mut self, key: &Key, context: &mut Context<'_>) -> Result<Action, Error> {
        let Some(node) = self.graph.get(&key.name).cloned() else {
            return Ok(Action::await_change());
        };
        match node.deletion {
            Deletion::Asked => return Ok(Action::await_change()),
            Deletion::NotAsked if node.seen && node.owners.is_empty() => {
                return Ok(Action::await_change());
            }
            _ => {}
        }
        let Some(latest) = live(&mut context.client, &node.kind, &node.key, &key.name)? else {
            // What a watch has shown, a watch will take away; the dependents are looked at then.
            if !node.seen {
                self.collect_dependents(context, &node)?;
            }
            return Ok(Action::await_change());
        };
        match node.deletion {
            Deletion::Orphan => self.orphan(context, &node, &latest)?,
            Deletion::Foreground => self.finish_foreground(context, &node, &latest)?,
            Deletion::NotAsked | Deletion::Asked => self.collect(context, &node, &latest)?,
        }
        Ok(Action::await_change())
    }

    /// The key under which an object waits: what it is, and its uid.
    fn work_key(&self, uid: &str) -> Option<Key> {
        let node = self.graph.get(uid)?;
        Some(Key::new(format!("{}/{}", node.kind.plural, node.key), uid))
    }

    /// Learns which kinds are served now; returns what is to be looked at because of it.
    ///
    /// Upstream: `Sync`, which asks every half minute.
    fn discover(&mut self, context: &mut Context<'_>) -> Vec<Key> {
        let kinds = context.client.api().kinds();
        let same = |(a, b): (&KindRef, &KindRef)| a.is_same_version(b);
        if kinds.len() == self.kinds.len() && kinds.iter().zip(&self.kinds).all(same) {
            return Vec::new();
        }
        self.kinds = kinds;
        self.rewatches = true;
        let strangers = std::mem::take(&mut self.strangers);
        let mut found = Vec::new();
        for Stranger { owner, namespace, dependent } in strangers {
            let uid = self.link(&owner, &namespace, &dependent);
            found.extend(uid.and_then(|uid| self.work_key(&uid)));
        }
        found
    }

    /// Takes over an object; returns the uids to look at.
    fn insert(&mut self, object: &Object) -> BTreeSet<String> {
        let (uid, owners) = (object.uid().to_owned(), owners_of(object.meta()));
        let mut concerned = BTreeSet::new();
        let deletion = deletion_of(object.meta());
        // Most changes are of something else.
        let same =
            |node: &Node| node.is(object) && node.owners == owners && node.deletion == deletion;
        if self.graph.get(&uid).is_some_and(same) {
            return concerned;
        }
        let before = self.graph.remove(&uid);
        let old_owners = before.as_ref().map(|node| node.owners.clone()).unwrap_or_default();
        for owner in old_owners.iter().filter(|owner| !owners.contains(owner)) {
            if !owners.iter().any(|kept| kept.uid == owner.uid) {
                self.unlink(owner, &uid);
            }
            concerned.extend(self.waiting_owner(&owner.uid));
        }
        for reference in object.meta().owner_references.iter().flatten() {
            concerned.extend(self.link(reference, object.namespace(), &uid));
        }
        let dependents = before.as_ref().map(|node| node.dependents.clone()).unwrap_or_default();
        let turned = before.as_ref().is_none_or(|node| node.deletion != deletion);
        if turned && matches!(deletion, Deletion::Foreground | Deletion::Orphan) {
            concerned.insert(uid.clone());
            if deletion == Deletion::Foreground {
                concerned.extend(dependents.iter().cloned());
            }
        }
        let (kind, key) = (object.kind(), object.key());
        // Who has named it before it was seen may have meant another place.
        let meant = before.is_none_or(|node| node.seen || (node.kind == kind && node.key == key));
        if !meant {
            concerned.extend(dependents.iter().cloned());
        }
        self.graph.insert(uid, Node { kind, key, seen: true, owners, dependents, deletion });
        concerned
    }

    /// Forgets an object; returns the uids to look at.
    fn remove(&mut self, uid: &str) -> BTreeSet<String> {
        let Some(node) = self.graph.remove(uid) else { return BTreeSet::new() };
        self.strangers.retain(|stranger| stranger.dependent != uid);
        let mut concerned = node.dependents;
        for owner in &node.owners {
            self.unlink(owner, uid);
            concerned.extend(self.waiting_owner(&owner.uid));
        }
        concerned
    }

    /// Notes that `dependent` names this owner. An owner that was never seen is looked for, and so
    /// is one that is known as something else than what it is called.
    ///
    /// Upstream: `addDependentToOwners`.
    fn link(&mut self, owner: &OwnerReference, namespace: &str, dependent: &str) -> Option<String> {
        let kind = scheme::by_kind(&self.kinds, &owner.api_version, &owner.kind);
        if let Some(node) = self.graph.get_mut(&owner.uid) {
            node.dependents.insert(dependent.to_owned());
            let called = node.key.name == owner.name && kind.is_none_or(|kind| kind == node.kind);
            let meant = called && !node.is_elsewhere(namespace);
            return (!meant).then(|| dependent.to_owned());
        }
        let Some(kind) = kind else {
            let known = |one: &Stranger| one.owner.uid == owner.uid && one.dependent == dependent;
            if !self.strangers.iter().any(known) {
                self.strangers.push(Stranger {
                    owner: owner.clone(),
                    namespace: namespace.to_owned(),
                    dependent: dependent.to_owned(),
                });
            }
            return None;
        };
        let namespace = if kind.namespaced { namespace } else { "" };
        let node = Node {
            key: Key::new(namespace, owner.name.clone()),
            kind,
            seen: false,
            owners: Vec::new(),
            dependents: [dependent.to_owned()].into(),
            deletion: Deletion::NotAsked,
        };
        self.graph.insert(owner.uid.clone(), node);
        Some(owner.uid.clone())
    }

    fn unlink(&mut self, owner: &Owner, dependent: &str) {
        let Some(node) = self.graph.get_mut(&owner.uid) else { return };
        node.dependents.remove(dependent);
        if !node.seen && node.dependents.is_empty() {
            self.graph.remove(&owner.uid);
        }
    }

    fn waiting_owner(&self, uid: &str) -> Option<String> {
        let node = self.graph.get(uid)?;
        (node.deletion == Deletion::Foreground).then(|| uid.to_owned())
    }

    /// The API server does not know the owner that these objects name.
    fn collect_dependents(&mut self, context: &mut Context<'_>, node: &Node) -> Result<(), Error> {
        for uid in &node.dependents {
            let Some(dependent) = self.graph.get(uid).cloned() else { continue };
            if let Some(latest) = live(&mut context.client, &dependent.kind, &dependent.key, uid)? {
                self.collect(context, &dependent, &latest)?;
            }
        }
        Ok(())
    }

    /// Deletes an object that has lost all its owners; takes from others the owners they lost.
    fn collect(
        &mut self,
        context: &mut Context<'_>,
        node: &Node,
        latest: &Object,
    ) -> Result<(), Error> {
        let references = latest.meta().owner_references.clone().unwrap_or_default();
        if references.is_empty() || latest.meta().deletion_timestamp.is_some() {
            return Ok(());
        }
        self.tell_misplaced(context, latest);
        let (mut solid, mut waiting) = (Vec::new(), false);
        for reference in &references {
            match owner_state(&mut context.client, reference, latest.namespace())? {
                OwnerState::Solid => solid.push(reference),
                OwnerState::Waiting => waiting = true,
                OwnerState::Gone => {}
                OwnerState::Impossible => return Ok(()),
            }
        }
        if solid.len() == references.len() {
            return Ok(());
        }
        if !solid.is_empty() {
            let patch = json!({"ownerReferences": solid});
            return patch_meta(&mut context.client, latest, patch);
        }
        let propagation = if waiting && !node.dependents.is_empty() {
            self.unblock_circle(context, node, latest, &references)?;
            Propagation::Foreground
        } else {
            propagation_of(latest.meta())
        };
        delete(&mut context.client, latest, propagation)
    }

    /// Says of which owners it is known that they are in another namespace.
    ///
    /// Upstream: `reportInvalidNamespaceOwnerRef`.
    fn tell_misplaced(&self, context: &mut Context<'_>, latest: &Object) {
        let namespace = latest.namespace();
        for owner in latest.meta().owner_references.iter().flatten() {
            let known = self.graph.get(&owner.uid);
            if !known.is_some_and(|node| node.seen && node.is_elsewhere(namespace)) {
                continue;
            }
            let OwnerReference { api_version, kind, name, uid, .. } = owner;
            let text = format!(
                "ownerRef [{api_version}/{kind}, namespace: {namespace}, name: {name}, uid: {uid}] \
                 does not exist in namespace \"{namespace}\""
            );
            context.event(latest, EventType::Warning, "OwnerRefInvalidNamespace", &text);
        }
    }

    /// Two objects that own each other would wait for each other for ever.
    fn unblock_circle(
        &self,
        context: &mut Context<'_>,
        node: &Node,
        latest: &Object,
        references: &[OwnerReference],
    ) -> Result<(), Error> {
        let waits = |uid: &String| self.waiting_owner(uid).is_some();
        let blocks = |owner: &OwnerReference| owner.block_owner_deletion == Some(true);
        if !node.dependents.iter().any(waits) || !references.iter().any(blocks) {
            return Ok(());
        }
        let freed: Vec<OwnerReference> = references
            .iter()
            .map(|owner| OwnerReference { block_owner_deletion: Some(false), ..owner.clone() })
            .collect();
        patch_meta(&mut context.client, latest, json!({"ownerReferences": freed}))
    }

    /// Lets an object go once no dependent blocks it any more.
    fn finish_foreground(
        &mut self,
        context: &mut Context<'_>,
        node: &Node,
        latest: &Object,
    ) -> Result<(), Error> {
        let blocks = |uid: &String| {
            let dependent = self.graph.get(uid);
            dependent.is_some_and(|dependent| {
                dependent.owners.iter().any(|owner| owner.blocks && owner.uid == latest.uid())
            })
        };
        if node.dependents.iter().any(blocks) {
            return Ok(());
        }
        remove_finalizer(&mut context.client, latest, FOREGROUND)
    }

    /// Frees the dependents, then lets the object go.
    fn orphan(
        &mut self,
        context: &mut Context<'_>,
        node: &Node,
        latest: &Object,
    ) -> Result<(), Error> {
        for uid in &node.dependents {
            let Some(dependent) = self.graph.get(uid) else { continue };
            let (kind, key) = (dependent.kind.clone(), dependent.key.clone());
            let Some(dependent) = live(&mut context.client, &kind, &key, uid)? else { continue };
            let references = dependent.meta().owner_references.iter().flatten();
            let kept: Vec<&OwnerReference> =
                references.filter(|owner| owner.uid != latest.uid()).collect();
            let patch = json!({"ownerReferences": kept});
            patch_meta(&mut context.client, &dependent, patch)?;
        }
        remove_finalizer(&mut context.client, latest, ORPHAN)
    }
}

enum OwnerState {
    /// It is there.
    Solid,
    /// It waits for this dependent to go.
    Waiting,
    /// It is not there.
    Gone,
    /// It would be in a namespace, and the dependent is in none: nobody can tell.
    Impossible,
}

fn owner_state(
    client: &mut Client<'_>,
    owner: &OwnerReference,
    namespace: &str,
) -> Result<OwnerState, Error> {
    let kinds = client.api().kinds();
    let Some(kind) = scheme::by_kind(&kinds, &owner.api_version, &owner.kind) else {
        let text = format!("no kind {:?} in version {:?}", owner.kind, owner.api_version);
        return Err(Error::Other(text));
    };
    if kind.namespaced && namespace.is_empty() {
        return Ok(OwnerState::Impossible);
    }
    let namespace = if kind.namespaced { namespace } else { "" };
    let found = live(client, &kind, &Key::new(namespace, owner.name.clone()), &owner.uid)?;
    Ok(match found {
        None => OwnerState::Gone,
        Some(found) if deletion_of(found.meta()) == Deletion::Foreground => OwnerState::Waiting,
        Some(_) => OwnerState::Solid,
    })
}

/// Asks the API server for the object with this uid.
fn live(
    client: &mut Client<'_>,
    kind: &KindRef,
    key: &Key,
    uid: &str,
) -> Result<Option<Object>, Error> {
    match client.send(kind.clone(), &key.namespace, &key.name, "", Op::Get) {
        Ok(Response::Object(object)) if object.uid() == uid => Ok(Some(object)),
        Ok(_) => Ok(None),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn patch_meta(client: &mut Client<'_>, object: &Object, mut patch: Value) -> Result<(), Error> {
    // Only if nobody was faster.
    if let Value::Object(fields) = &mut patch {
        fields.insert("resourceVersion".to_owned(), json!(object.meta().resource_version));
    }
    let op = Op::Patch(Patch::Merge(json!({"metadata": patch})));
    match client.send(object.kind(), object.namespace(), object.name(), "", op) {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(()),
    }
}

fn remove_finalizer(client: &mut Client<'_>, object: &Object, name: &str) -> Result<(), Error> {
    let finalizers = object.meta().finalizers.iter().flatten();
    let kept: Vec<&String> = finalizers.filter(|finalizer| *finalizer != name).collect();
    patch_meta(client, object, json!({"finalizers": kept}))
}

fn delete(client: &mut Client<'_>, object: &Object, propagation: Propagation) -> Result<(), Error> {
    let options = DeleteOptions {
        propagation: Some(propagation),
        uid: Some(object.uid().to_owned()),
        ..DeleteOptions::default()
    };
    match client.delete_kind(object.kind(), object.namespace(), object.name(), options) {
        // Gone, or replaced by another of the same name.
        Err(error) if !error.is_not_found() && !error.is_conflict() => Err(error.into()),
        _ => Ok(()),
    }
}

fn owners_of(meta: &ObjectMeta) -> Vec<Owner> {
    let owner = |reference: &OwnerReference| Owner {
        uid: reference.uid.clone(),
        blocks: reference.block_owner_deletion == Some(true),
    };
    meta.owner_references.iter().flatten().map(owner).collect()
}

fn deletion_of(meta: &ObjectMeta) -> Deletion {
    let has = |name: &str| meta.finalizers.iter().flatten().any(|finalizer| finalizer == name);
    if meta.deletion_timestamp.is_none() {
        Deletion::NotAsked
    } else if has(ORPHAN) {
        Deletion::Orphan
    } else if has(FOREGROUND) {
        Deletion::Foreground
    } else {
        Deletion::Asked
    }
}

/// What a finalizer says that is there before the deletion.
fn propagation_of(meta: &ObjectMeta) -> Propagation {
    let has = |name: &str| meta.finalizers.iter().flatten().any(|finalizer| finalizer == name);
    if has(ORPHAN) {
        Propagation::Orphan
    } else if has(FOREGROUND) {
        Propagation::Foreground
    } else {
        Propagation::Background
    }
}
