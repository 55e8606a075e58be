//! What the page knows of the cluster: the sum of all view deltas.

use naru_cluster::view::{
    ActivityView, ClaimView, IngressView, NodeView, PacketView, PodView, ServiceView, ViewDelta,
    WorkloadView,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

/// Most happenings kept.
pub const ACTIVITY_MAX: usize = 900;
/// Most packets kept.
pub const PACKETS_MAX: usize = 300;

/// The namespace of the cluster's own parts.
pub const SYSTEM_NAMESPACE: &str = "kube-system";

/// The picture's contents. A copy is cheap: what it holds is shared.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// Nodes by uid.
    pub nodes: BTreeMap<String, Rc<NodeView>>,
    /// Pods by uid.
    pub pods: BTreeMap<String, Rc<PodView>>,
    /// Pods that are gone from the cluster and leave the picture now, by uid.
    pub leaving: BTreeSet<String>,
    /// Services by uid.
    pub services: BTreeMap<String, Rc<ServiceView>>,
    /// Objects that control pods or other such objects, by uid.
    pub workloads: BTreeMap<String, Rc<WorkloadView>>,
    /// Ingresses by uid.
    pub ingresses: BTreeMap<String, Rc<IngressView>>,
    /// Claims of volumes by uid.
    pub claims: BTreeMap<String, Rc<ClaimView>>,
    /// What happened last, oldest first.
    pub activity: VecDeque<Rc<ActivityView>>,
    /// Packets by number.
    pub packets: BTreeMap<u64, Rc<PacketView>>,
    /// Grows with every change.
    generation: u64,
}

/// Two are the same when they are the same moment of one store: only [`Store::apply`] and
/// [`Store::forget`] change it, and both count.
impl PartialEq for Store {
    fn eq(&self, other: &Store) -> bool {
        self.generation == other.generation
    }
}

/// What a delta brought that moves in the picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct News {
    /// What happened.
    pub activity: Vec<Rc<ActivityView>>,
    /// The numbers of packets that have come to the end of their way.
    pub packets: Vec<u64>,
    /// The uids of pods that are gone; to be forgotten after they were seen to leave.
    pub leaving: Vec<String>,
}

impl Store {
    /// Takes in what changed.
    pub fn apply(&mut self, delta: ViewDelta) -> News {
        let reset = delta.reset;
        if reset {
            *self = Store { generation: self.generation, ..Store::default() };
        }
        self.generation += 1;
        self.nodes.extend(delta.nodes.into_iter().map(|it| (it.uid.clone(), Rc::new(it))));
        self.pods.extend(delta.pods.into_iter().map(|it| (it.uid.clone(), Rc::new(it))));
        self.services.extend(delta.services.into_iter().map(|it| (it.uid.clone(), Rc::new(it))));
        self.workloads.extend(delta.workloads.into_iter().map(|it| (it.uid.clone(), Rc::new(it))));
        self.ingresses.extend(delta.ingresses.into_iter().map(|it| (it.uid.clone(), Rc::new(it))));
        self.claims.extend(delta.claims.into_iter().map(|it| (it.uid.clone(), Rc::new(it))));
        let mut news = News::default();
        for uid in delta.removed {
            self.remove(uid, &mut news);
        }
        for packet in delta.packets {
            self.take_packet(packet, &mut news);
        }
        while self.packets.len() > PACKETS_MAX {
            self.packets.pop_first();
        }
        news.activity = delta.activity.into_iter().map(Rc::new).collect();
        self.activity.extend(news.activity.iter().filter(|it| !is_housekeeping(it)).cloned());
        let surplus = self.activity.len().saturating_sub(ACTIVITY_MAX);
        self.activity.drain(..surplus);
        // What is told of a whole new picture happened before.
        if reset { News::default() } else { news }
    }

    fn take_packet(&mut self, packet: PacketView, news: &mut News) {
        let arrived = !packet.outcome.is_empty();
        let id = packet.id;
        let before = self.packets.insert(id, Rc::new(packet));
        if arrived && before.is_none_or(|before| before.outcome.is_empty()) {
            news.packets.push(id);
        }
    }

    fn remove(&mut self, uid: String, news: &mut News) {
        self.nodes.remove(&uid);
        self.services.remove(&uid);
        self.workloads.remove(&uid);
        self.ingresses.remove(&uid);
        self.claims.remove(&uid);
        if self.pods.contains_key(&uid) {
            self.leaving.insert(uid.clone());
            news.leaving.push(uid);
        }
    }

    /// Drops a pod that was seen to leave.
    pub fn forget(&mut self, uid: &str) {
        if self.leaving.remove(uid) {
            self.pods.remove(uid);
            self.generation += 1;
        }
    }

    /// The pods of a learner's own, as far as they are still there.
    pub fn own_pods(&self) -> impl Iterator<Item = &PodView> {
        self.pods.values().map(Rc::as_ref).filter(|pod| !is_system(&pod.namespace))
    }
}

/// Whether a namespace holds the cluster's own parts.
pub fn is_system(namespace: &str) -> bool {
    namespace.starts_with("kube-") || namespace == "local-path-storage"
}

/// Whether a delta tells of the time only.
pub fn is_only_clock(delta: &ViewDelta) -> bool {
    *delta == ViewDelta { clock: delta.clock, ..ViewDelta::default() }
}

/// Whether something happens all the time and tells nothing: leases renewed, nodes looked after.
pub fn is_housekeeping(activity: &ActivityView) -> bool {
    activity.subject.starts_with("leases/") || matches!(activity.subject.as_str(), "lease" | "node")
}

/// What a pod looks like: one of few shapes, each with its own colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// Accepted; nothing runs yet.
    Waiting,
    /// Its containers are being made.
    Starting,
    /// It runs and is ready.
    Ready,
    /// It runs and is not ready.
    Unready,
    /// It ended well.
    Done,
    /// It ended badly, or cannot go on.
    Broken,
    /// It is being taken down.
    Leaving,
}

impl Look {
    /// The look of a pod, by what kubectl shows as its STATUS.
    pub fn of(pod: &PodView) -> Look {
        let (ready, all) = pod.ready;
        match pod.status.as_str() {
            "Terminating" => Look::Leaving,
            "Completed" | "Succeeded" => Look::Done,
            "ContainerCreating" | "PodInitializing" => Look::Starting,
            "Pending" => Look::Waiting,
            "Running" if ready == all => Look::Ready,
            "Running" => Look::Unready,
            "NotReady" => Look::Unready,
            status if status.starts_with("Init:") && !is_trouble(status) => Look::Starting,
            _ => Look::Broken,
        }
    }

    /// The name of its colour in the stylesheet.
    pub fn class(self) -> &'static str {
        match self {
            Look::Waiting => "waiting",
            Look::Starting => "starting",
            Look::Ready => "ready",
            Look::Unready => "unready",
            Look::Done => "done",
            Look::Broken => "broken",
            Look::Leaving => "leaving",
        }
    }
}

/// `Init:Error`, `Init:CrashLoopBackOff`, `Init:ErrImagePull`; not `Init:0/2`.
fn is_trouble(status: &str) -> bool {
    status.ends_with("Error") || status.ends_with("BackOff") || status.contains("Err")
}

/// A pod for tests.
#[cfg(test)]
pub fn example_pod(name: &str, status: &str, ready: (u32, u32)) -> PodView {
    PodView {
        uid: name.to_owned(),
        namespace: "default".to_owned(),
        name: name.to_owned(),
        node: None,
        ip: None,
        phase: String::new(),
        status: status.to_owned(),
        ready,
        restarts: 0,
        labels: BTreeMap::new(),
        owner: None,
        containers: Vec::new(),
        created_micros: 0,
        requests: naru_cluster::view::ResourcesView::default(),
        limits: naru_cluster::view::ResourcesView::default(),
        claims: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::example_pod as pod;
    use super::*;

    #[test]
    fn looks() {
        for (status, ready, look) in [
            ("Pending", (0, 1), Look::Waiting),
            ("ContainerCreating", (0, 1), Look::Starting),
            ("Init:0/2", (0, 1), Look::Starting),
            ("Init:CrashLoopBackOff", (0, 1), Look::Broken),
            ("Running", (1, 1), Look::Ready),
            ("Running", (1, 2), Look::Unready),
            ("Completed", (0, 1), Look::Done),
            ("Error", (0, 1), Look::Broken),
            ("ImagePullBackOff", (0, 1), Look::Broken),
            ("OOMKilled", (0, 1), Look::Broken),
            ("Terminating", (1, 1), Look::Leaving),
        ] {
            assert_eq!(Look::of(&pod("p", status, ready)), look, "{status}");
        }
    }

    #[test]
    fn a_removed_pod_stays_until_it_is_forgotten() {
        let mut store = Store::default();
        let news = store
            .apply(ViewDelta { pods: vec![pod("a", "Running", (1, 1))], ..ViewDelta::default() });
        assert!(news.leaving.is_empty());
        let news = store.apply(ViewDelta { removed: vec!["a".to_owned()], ..ViewDelta::default() });
        assert_eq!(news.leaving, ["a"]);
        assert!(store.pods.contains_key("a"));
        store.forget("a");
        assert!(store.pods.is_empty() && store.leaving.is_empty());
    }

    #[test]
    fn a_reset_forgets_everything_and_differs_from_before() {
        let mut store = Store::default();
        store.apply(ViewDelta { pods: vec![pod("a", "Running", (1, 1))], ..ViewDelta::default() });
        let before = store.clone();
        store.apply(ViewDelta { reset: true, ..ViewDelta::default() });
        assert!(store.pods.is_empty());
        assert!(store != before);
    }

    #[test]
    fn a_packet_is_news_when_it_has_arrived() {
        let packet = |outcome: &str| PacketView {
            id: 7,
            flow: 1,
            protocol: "TCP".to_owned(),
            summary: "SYN".to_owned(),
            hops: Vec::new(),
            outcome: outcome.to_owned(),
        };
        let mut store = Store::default();
        for (outcome, news) in [("", &[][..]), ("delivered", &[7][..]), ("delivered", &[][..])] {
            let packets = vec![packet(outcome)];
            assert_eq!(store.apply(ViewDelta { packets, ..ViewDelta::default() }).packets, news);
        }
    }

    #[test]
    fn history_has_an_end() {
        let mut store = Store::default();
        let happening = |id| ActivityView {
            id,
            parent: 0,
            micros: id,
            actor: String::new(),
            verb: String::new(),
            subject: String::new(),
            code: 0,
        };
        let activity = (0..2000).map(happening).collect();
        store.apply(ViewDelta { activity, ..ViewDelta::default() });
        assert_eq!(store.activity.len(), ACTIVITY_MAX);
        assert_eq!(store.activity.back().map(|it| it.id), Some(1999));
    }
}
