//! The places of the cluster that something can start from or come to: the ends of a pulse, the
//! stations of a packet.

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

    /// Where an actor of the history works: `kubectl`, `kube-scheduler`, `kubelet worker`.
    pub fn of_actor(actor: &str) -> Place {
        let (who, node) = actor.split_once(' ').unwrap_or((actor, ""));
        match who {
            "kubectl" | "curl" => Place::Terminal,
            "kube-apiserver" => Place::ApiServer,
            "etcd" => Place::Store,
            "kube-scheduler" => Place::Scheduler,
            "kubelet" | "kube-proxy" | "kindnet" if !node.is_empty() => {
                Place::Node(node.to_owned())
            }
            _ => Place::Controllers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn actors_have_places() {
        for (actor, place) in [
            ("kubectl", Place::Terminal),
            ("kube-scheduler", Place::Scheduler),
            ("kubelet worker2", Place::Node("worker2".to_owned())),
            ("kube-proxy worker", Place::Node("worker".to_owned())),
            ("kubelet", Place::Controllers),
            ("replicaset-controller", Place::Controllers),
        ] {
            assert_eq!(Place::of_actor(actor), place, "{actor}");
        }
    }
}
