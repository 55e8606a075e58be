//! The places of the cluster that something can start from or come to: the ends of a pulse, the
//! stations of a packet.

use crate::store::Store;
use naru_cluster::view::ActivityView;

/// A place in the picture.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// The learner's own machine, where kubectl runs.
    Terminal,
    /// kube-apiserver.
    ApiServer,
    /// etcd.
    Store,
    /// kube-scheduler.
    Scheduler,
    /// kube-controller-manager.
    Controllers,
    /// A node, by name.
    Node(String),
    /// A pod.
    Pod {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

impl Place {
    /// The place that a packet's hop names: `terminal`, `node/NAME`, `pod/NAMESPACE/NAME`.
    pub fn of_hop(place: &str) -> Option<Place> {
        let mut parts = place.splitn(3, '/');
        match (parts.next()?, parts.next(), parts.next()) {
            ("terminal", None, None) => Some(Place::Terminal),
            ("node", Some(name), None) => Some(Place::Node(name.to_owned())),
            ("pod", Some(namespace), Some(name)) => {
                Some(Place::Pod { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            _ => None,
        }
    }

    /// Where something happened. `None` for an agent of a node when it cannot be told of which.
    pub fn of_activity(activity: &ActivityView, store: &Store) -> Option<Place> {
        match activity.actor.as_str() {
            kubectl if kubectl.starts_with("kubectl") => Some(Place::Terminal),
            "kube-apiserver" => Some(Place::ApiServer),
            "etcd" => Some(Place::Store),
            "kube-scheduler" => Some(Place::Scheduler),
            "kubelet" | "kube-proxy" | "kindnetd" => node_of(&activity.subject, store),
            _ => Some(Place::Controllers),
        }
    }
}

/// The node that a subject belongs to: `pods/default/web/status`, `default/web`, `nodes/worker`,
/// `worker`, `events/default/web.1845`.
fn node_of(subject: &str, store: &Store) -> Option<Place> {
    let is_node = |name: &str| store.nodes.values().any(|node| node.name == name);
    let parts: Vec<&str> = subject.split('/').collect();
    let (namespace, name) = match parts.as_slice() {
        ["nodes", name, ..] | [name] => ("", *name),
        ["events", namespace, name] => (*namespace, name.rsplit_once('.')?.0),
        ["pods", namespace, name, ..] | [namespace, name] => (*namespace, *name),
        _ => return None,
    };
    if is_node(name) {
        return Some(Place::Node(name.to_owned()));
    }
    let pod = store.pods.values().find(|pod| pod.name == name && pod.namespace == namespace)?;
    pod.node.clone().map(Place::Node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use naru_cluster::view::{NodeView, ResourcesView, ViewDelta};

    fn pod(namespace: &str, name: &str) -> Place {
        Place::Pod { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    #[test]
    fn hops_name_places() {
        for (text, place) in [
            ("terminal", Some(Place::Terminal)),
            ("node/worker", Some(Place::Node("worker".to_owned()))),
            ("pod/default/web-0", Some(pod("default", "web-0"))),
            ("pod/default", None),
            ("moon", None),
            ("", None),
        ] {
            assert_eq!(Place::of_hop(text), place, "{text}");
        }
    }

    #[test]
    fn happenings_have_places() {
        let mut store = Store::default();
        let mut pod = crate::store::example_pod("web", "Running", (1, 1));
        pod.node = Some("worker".to_owned());
        let node = NodeView {
            uid: "n".to_owned(),
            name: "worker".to_owned(),
            roles: Vec::new(),
            ready: true,
            unschedulable: false,
            internal_ip: String::new(),
            pod_cidr: String::new(),
            allocatable: ResourcesView::default(),
        };
        store.apply(ViewDelta { pods: vec![pod], nodes: vec![node], ..ViewDelta::default() });
        let worker = Some(Place::Node("worker".to_owned()));
        for (actor, subject, place) in [
            ("kubectl-create", "pods/default/web", Some(Place::Terminal)),
            ("kube-scheduler", "pods/default/web/binding", Some(Place::Scheduler)),
            ("replicaset-controller", "replicasets/default/web", Some(Place::Controllers)),
            ("kubelet", "pods/default/web/status", worker.clone()),
            ("kubelet", "default/web", worker.clone()),
            ("kubelet", "events/default/web.184510b525c380c2", worker.clone()),
            ("kubelet", "nodes/worker", worker.clone()),
            ("kindnetd", "worker", worker),
            ("kubelet", "pods/default/other", None),
            ("kubelet", "node", None),
        ] {
            let activity = ActivityView {
                id: 1,
                parent: 0,
                micros: 0,
                actor: actor.to_owned(),
                verb: String::new(),
                subject: subject.to_owned(),
                code: 0,
            };
            assert_eq!(Place::of_activity(&activity, &store), place, "{actor} {subject}");
        }
    }
}
