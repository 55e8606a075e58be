//! The node authorizer: a kubelet may read what its pods need, and nothing else.
//!
//! Upstream: `plugin/pkg/auth/authorizer/node/node_authorizer.go`, `graph.go`. Upstream keeps a
//! graph of all references; here the pods of the node are looked through, which are few.

use super::{Attributes, Decision, Grant, Resource, Target, references};
use crate::keys;
use crate::store::{Change, Store};
use imbl::OrdSet;
use naru_api::k8s_openapi::api::core::v1::{ObjectReference, PersistentVolume, Pod};
use naru_api::k8s_openapi::api::storage::v1::VolumeAttachment;
use naru_api::{Kube, Object, UserInfo, fields};
use std::sync::Arc;

/// What nodes may do with kinds that are not looked at one by one: verbs, group, resources.
///
/// Upstream: `NodeRules` in `plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go`.
const RULES: &[(&[&str], &str, &[&str])] = &[
    (&["create"], "authentication.k8s.io", &["tokenreviews"]),
    (&["create"], "authorization.k8s.io", &["subjectaccessreviews", "localsubjectaccessreviews"]),
    (READ, "", &["services"]),
    (&["create", "update", "patch"], "", &["events"]),
    (&["get"], "", &["endpoints"]),
    (&["create", "get", "list", "watch"], "certificates.k8s.io", &["certificatesigningrequests"]),
    (READ, "storage.k8s.io", &["csidrivers"]),
    (READ, "node.k8s.io", &["runtimeclasses"]),
];
const READ: &[&str] = &["get", "list", "watch"];
const WRITE_OWN: &[&str] = &["get", "create", "update", "patch", "delete"];
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Which pods are on which node.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeGraph {
    pods: OrdSet<(Arc<str>, Arc<str>, Arc<str>)>,
}

/// Why not; "" without a reason.
type Refusal = String;

impl NodeGraph {
    /// Learns from a committed change where a pod is.
    pub(super) fn observe(&mut self, change: &Change) {
        let before = change.before.as_ref().and_then(place);
        let after = change.after.as_ref().and_then(place);
        // It is the same pod before and after.
        if before.map(|(node, _)| node) == after.map(|(node, _)| node) {
            return;
        }
        if let Some((node, pod)) = before {
            self.pods.remove(&(node.into(), pod.namespace().into(), pod.name().into()));
        }
        if let Some((node, pod)) = after {
            self.pods.insert((node.into(), pod.namespace().into(), pod.name().into()));
        }
    }

    /// Whether a kubelet may do this.
    pub(super) fn authorize(
        &self,
        attributes: &Attributes<'_>,
        store: &dyn Store,
    ) -> Decision<'static> {
        let Some(node) = node_of(attributes.user) else {
            return Decision::NoOpinion(String::new());
        };
        if node.is_empty() {
            let user = naru_api::gofmt::quote(&attributes.user.name);
            return Decision::NoOpinion(format!("unknown node for user {user}"));
        }
        let Target::Resource(asked) = &attributes.target else {
            return Decision::NoOpinion(String::new());
        };
        let view = View { graph: self, store, node };
        match view.check(attributes.verb, asked) {
            Ok(()) => Decision::Allow(Grant::Plain),
            Err(reason) => Decision::NoOpinion(reason),
        }
    }
}

/// Whether the user is a kubelet.
pub(super) fn is_node(user: &UserInfo) -> bool {
    node_of(user).is_some()
}

/// The node's name, if the user is a node.
fn node_of(user: &UserInfo) -> Option<&str> {
    let name = user.name.strip_prefix("system:node:")?;
    user.groups.iter().any(|group| &**group == "system:nodes").then_some(name)
}

/// The node of a pod that has one.
fn place(object: &Object) -> Option<(&str, &Object)> {
    let node = object.get::<Pod>()?.spec.as_ref()?.node_name.as_deref()?;
    (!node.is_empty()).then_some((node, object))
}

/// The cluster as one node may see it.
struct View<'a> {
    graph: &'a NodeGraph,
    store: &'a dyn Store,
    node: &'a str,
}

impl View<'_> {
    fn check(&self, verb: &str, asked: &Resource<'_>) -> Result<(), Refusal> {
        match (asked.group, asked.resource) {
            ("", "secrets" | "configmaps") => self.check_read(verb, asked),
            ("", "persistentvolumeclaims") if asked.subresource == "status" => {
                require(matches!(verb, "update" | "patch"), "can only get/update/patch this type")?;
                self.related(asked)
            }
            ("", "persistentvolumeclaims" | "persistentvolumes")
            | ("storage.k8s.io", "volumeattachments") => self.check_get(verb, asked),
            ("", "serviceaccounts") => self.check_service_account(verb, asked),
            ("coordination.k8s.io", "leases") => self.check_lease(verb, asked),
            ("storage.k8s.io", "csinodes") => self.check_csi_node(verb, asked),
            ("", "nodes") => self.check_node(verb, asked),
            ("", "pods") => self.check_pod(verb, asked),
            _ => require(by_rules(verb, asked), ""),
        }
    }

    fn check_read(&self, verb: &str, asked: &Resource<'_>) -> Result<(), Refusal> {
        require(READ.contains(&verb), "can only read resources of this type")?;
        require(asked.subresource.is_empty(), "cannot read subresource")?;
        let namespaced = !asked.namespace.is_empty();
        require(namespaced, "can only read namespaced object of this type")?;
        self.related(asked)
    }

    fn check_get(&self, verb: &str, asked: &Resource<'_>) -> Result<(), Refusal> {
        require(verb == "get", "can only get individual resources of this type")?;
        require(asked.subresource.is_empty(), "cannot get subresource")?;
        self.related(asked)
    }

    fn check_service_account(&self, verb: &str, asked: &Resource<'_>) -> Result<(), Refusal> {
        if verb == "get" && asked.subresource.is_empty() {
            return require(false, "not allowed to get service accounts");
        }
        let one = verb == "create" && !asked.name.is_empty();
        require(one, "can only create tokens for individual service accounts")?;
        let token = asked.subresource == "token";
        require(token, "can only create token subresource of serviceaccount")?;
        self.related(asked)
    }

    fn check_lease(&self, verb: &str, asked: &Resource<'_>) -> Result<(), Refusal> {
        let known = WRITE_OWN.contains(&verb);
        require(known, "can only get, create, update, patch, or delete a node lease")?;
        let there = asked.namespace == "kube-node-lease";
        require(there, "can only access leases in the \"kube-node-lease\" system namespace")?;
        let own = verb == "create" || asked.name == self.node;
        require(own, "can only access node lease with the same name as the requesting node")
    }

    fn check_csi_node(&self, verb: &str, asked: &Resource<'_>) -> Result<(), Refusal> {
        let known = WRITE_OWN.contains(&verb);
        require(known, "can only get, create, update, patch, or delete a CSINode")?;
        require(asked.subresource.is_empty(), "cannot authorize CSINode subresources")?;
        let own = verb == "create" || asked.name == self.node;
        require(own, "can only access CSINode with the same name as the requesting node")
    }

    fn check_node(&self, verb: &str, asked: &Resource<'_>) -> Result<(), Refusal> {
        match (asked.subresource, verb) {
            ("", "create" | "update" | "patch") | ("status", "update" | "patch") => Ok(()),
            ("", "get" | "list" | "watch") if asked.name == self.node => Ok(()),
            ("", "get" | "list" | "watch") if asked.name.is_empty() => {
                Err(format!("node '{}' cannot read all nodes, only its own Node object", self.node))
            }
            ("", "get" | "list" | "watch") => Err(format!(
                "node '{}' cannot read '{}', only its own Node object",
                self.node, asked.name
            )),
            _ => Err(String::new()),
        }
    }

    fn check_pod(&self, verb: &str, asked: &Resource<'_>) -> Result<(), Refusal> {
        match (asked.subresource, verb) {
            ("", "get") => self.related(asked),
            ("", "list" | "watch") => {
                let selector = fields::Selector::parse(asked.field_selector).unwrap_or_default();
                if selector.exact("spec.nodeName") == Some(self.node) {
                    return Ok(());
                }
                let one = !asked.name.is_empty();
                require(one, "can only list/watch pods with spec.nodeName field selector")?;
                self.related(asked)
            }
            ("", "create" | "delete") | ("eviction", "create") => Ok(()),
            ("status", "update" | "patch") => Ok(()),
            _ => Err(String::new()),
        }
    }

    /// Whether a pod of the node, or something that one needs, leads to the object.
    fn related(&self, asked: &Resource<'_>) -> Result<(), Refusal> {
        require(!asked.name.is_empty(), "No Object name found")?;
        let (namespace, name) = (asked.namespace, asked.name);
        let found = match asked.resource {
            "pods" => self.has_pod(namespace, name),
            "serviceaccounts" => self.any_pod(namespace, |pod| account(pod) == Some(name)),
            "configmaps" => self.any_pod(namespace, |pod| references::config_map(pod, name)),
            "secrets" => self.reads_secret(namespace, name),
            "persistentvolumeclaims" => self.claims(namespace, name),
            "persistentvolumes" => self.claims_volume(name),
            "volumeattachments" => self.is_attached_here(name),
            _ => false,
        };
        if found {
            return Ok(());
        }
        Err(format!("no relationship found between node '{}' and this object", self.node))
    }

    fn has_pod(&self, namespace: &str, name: &str) -> bool {
        self.graph.pods.contains(&(self.node.into(), namespace.into(), name.into()))
    }

    /// Whether one of the node's pods in the namespace is like this. Mirror pods lead nowhere: a
    /// node must not be able to give itself rights.
    fn any_pod(&self, namespace: &str, is: impl Fn(&Pod) -> bool) -> bool {
        let start: (Arc<str>, Arc<str>, Arc<str>) =
            (self.node.into(), namespace.into(), Arc::default());
        let here = self.graph.pods.range(start..);
        here.take_while(|(node, ns, _)| **node == *self.node && **ns == *namespace)
            .filter_map(|(_, ns, name)| self.store.get(&keys::of_object(&Pod::kind(), ns, name)))
            .any(|object| {
                let annotations = object.meta().annotations.as_ref();
                let mirror = annotations.is_some_and(|all| all.contains_key(MIRROR));
                !mirror && object.get::<Pod>().is_some_and(&is)
            })
    }
}

impl View<'_> {
    /// A secret is needed by a pod, or to mount a volume of a pod.
    fn reads_secret(&self, namespace: &str, name: &str) -> bool {
        if self.any_pod(namespace, |pod| references::secret(pod, name)) {
            return true;
        }
        let prefix = keys::of_kind(&PersistentVolume::kind());
        let mut volumes = self.store.range(&prefix).filter_map(|object| object.get());
        volumes.any(|volume: &PersistentVolume| {
            references::secret_of_volume(volume, namespace, name) && self.claims_this(volume)
        })
    }

    /// A claim is used by a pod of the node.
    fn claims(&self, namespace: &str, name: &str) -> bool {
        self.any_pod(namespace, |pod| references::claim(pod, name))
    }

    /// A volume is bound to a claim that a pod of the node uses.
    fn claims_volume(&self, name: &str) -> bool {
        let volume = self.store.get(&keys::of_object(&PersistentVolume::kind(), "", name));
        volume.and_then(|object| object.arc()).is_some_and(|volume| self.claims_this(&volume))
    }

    fn claims_this(&self, volume: &PersistentVolume) -> bool {
        let claim = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
        claim.is_some_and(|ObjectReference { namespace, name, .. }| {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            self.claims(&text(namespace), &text(name))
        })
    }

    fn is_attached_here(&self, name: &str) -> bool {
        let found = self.store.get(&keys::of_object(&VolumeAttachment::kind(), "", name));
        let attachment = found.and_then(|object| object.arc::<VolumeAttachment>());
        attachment.is_some_and(|attachment| attachment.spec.node_name == self.node)
    }
}

fn account(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.service_account_name.as_deref()
}

fn require(holds: bool, otherwise: &str) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}

fn by_rules(verb: &str, asked: &Resource<'_>) -> bool {
    RULES.iter().any(|(verbs, group, resources)| {
        asked.subresource.is_empty()
            && *group == asked.group
            && verbs.contains(&verb)
            && resources.contains(&asked.resource)
    })
}
