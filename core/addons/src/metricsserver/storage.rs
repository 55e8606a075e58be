//! The last two points of every node and container: what was used between them is what is told.
//!
//! Upstream: `pkg/storage/node.go`, `pod.go` and `types.go`.

use super::decode::{Batch, Point};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time as MetaTime};
use naru_api::kinds::metrics::{ContainerMetrics, NodeMetrics, PodMetrics, Usage};
use naru_api::quantity::Amount;
use naru_api::{Key, duration};
use std::collections::BTreeMap;
use std::time::Duration;

/// A container that started within this time before its first point is told of at once. Upstream:
/// `freshContainerMinMetricsResolution` and the resolution.
const FRESH_MIN_MILLIS: i64 = 10_000;

/// Two points, as far as there are two.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Pair {
    before: Option<Point>,
    last: Option<Point>,
}

/// What is told of one thing.
struct Rate {
    usage: Usage,
    timestamp_millis: i64,
    window: Duration,
}

/// The points of the whole cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct Storage {
    nodes: BTreeMap<String, Pair>,
    pods: BTreeMap<Key, BTreeMap<String, Pair>>,
}

impl Storage {
    /// Whether there is anything to tell.
    pub fn is_ready(&self) -> bool {
        !self.nodes.is_empty()
    }

    /// Takes over one round of answers: what is in none of them is forgotten.
    pub fn store(&mut self, round: &BTreeMap<String, Batch>) {
        let mut nodes = BTreeMap::new();
        let mut pods: BTreeMap<Key, BTreeMap<String, Pair>> = BTreeMap::new();
        for (node, batch) in round {
            if let Some(point) = batch.node {
                let known = self.nodes.get(node).copied().unwrap_or_default();
                nodes.insert(node.clone(), known.then(point));
            }
            for ((namespace, pod, container), point) in &batch.containers {
                let key = Key::new(namespace.clone(), pod.clone());
                let known = self.pods.get(&key).and_then(|all| all.get(container)).copied();
                let mut pair = known.unwrap_or_default().then(*point);
                pair.begin();
                pods.entry(key).or_default().insert(container.clone(), pair);
            }
        }
        (self.nodes, self.pods) = (nodes, pods);
    }

    /// What is told of a node with this metadata.
    pub fn node(&self, meta: ObjectMeta) -> Option<NodeMetrics> {
        let rate = self.nodes.get(meta.name.as_deref()?)?.rate()?;
        let window = duration::go(rate.window);
        Some(NodeMetrics::new(meta, time(rate.timestamp_millis), window, rate.usage))
    }

    /// What is told of a pod with this metadata; nothing before all of its containers have two
    /// points.
    pub fn pod(&self, meta: ObjectMeta) -> Option<PodMetrics> {
        let key = Key::new(meta.namespace.clone()?, meta.name.clone()?);
        let mut containers = Vec::new();
        let (mut earliest, mut window) = (i64::MAX, Duration::ZERO);
        for (name, pair) in self.pods.get(&key)? {
            let rate = pair.rate()?;
            if rate.timestamp_millis < earliest {
                (earliest, window) = (rate.timestamp_millis, rate.window);
            }
            containers.push(ContainerMetrics { name: name.clone(), usage: rate.usage });
        }
        if containers.is_empty() {
            return None;
        }
        Some(PodMetrics::new(meta, time(earliest), duration::go(window), containers))
    }
}

impl Pair {
    /// With a newer point.
    fn then(self, point: Point) -> Pair {
        match self.last {
            // The same point again, or one of a container that was started anew.
            Some(last) if point.timestamp_millis <= last.timestamp_millis => self,
            Some(last) if point.cpu_seconds < last.cpu_seconds => {
                Pair { before: None, last: Some(point) }
            }
            last => Pair { before: last, last: Some(point) },
        }
    }

    /// The first point of a container that has just started counts from its start.
    fn begin(&mut self) {
        let (None, Some(last)) = (self.before, self.last) else { return };
        let age = last.timestamp_millis - last.start_millis;
        if last.start_millis > 0 && (FRESH_MIN_MILLIS..2 * FRESH_MIN_MILLIS).contains(&age) {
            let start = last.start_millis;
            self.before =
                Some(Point { timestamp_millis: start, start_millis: start, ..Point::default() });
        }
    }

    fn rate(&self) -> Option<Rate> {
        let (before, last) = (self.before?, self.last?);
        let millis = u64::try_from(last.timestamp_millis - before.timestamp_millis).ok()?;
        let window = Duration::from_millis(millis).max(Duration::from_millis(1));
        let nanos = (last.cpu_seconds - before.cpu_seconds) / window.as_secs_f64() * 1e9;
        let cpu = format!("{}n", nanos.max(0.0).round() as u64);
        let memory = format!("{}Ki", last.memory_bytes >> 10);
        let amount = |text: String| text.parse::<Amount>().unwrap_or_default().to_quantity();
        let usage = [("cpu".to_owned(), amount(cpu)), ("memory".to_owned(), amount(memory))].into();
        Some(Rate { usage, timestamp_millis: last.timestamp_millis, window })
    }
}

fn time(millis: i64) -> MetaTime {
    // As it is stored: to the second.
    let time = jiff::Timestamp::from_second(millis.div_euclid(1_000));
    MetaTime(time.unwrap_or(jiff::Timestamp::UNIX_EPOCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(millis: i64, cpu: f64, start: i64) -> BTreeMap<String, Batch> {
        let point = Point {
            timestamp_millis: millis,
            start_millis: start,
            cpu_seconds: cpu,
            memory_bytes: 3 << 20,
        };
        let key = ("default".to_owned(), "web".to_owned(), "a".to_owned());
        let batch = Batch { node: Some(point), containers: [(key, point)].into() };
        [("worker".to_owned(), batch)].into()
    }

    fn meta() -> ObjectMeta {
        ObjectMeta {
            name: Some("web".to_owned()),
            namespace: Some("default".to_owned()),
            ..ObjectMeta::default()
        }
    }

    fn cpu(storage: &Storage) -> Option<String> {
        Some(storage.pod(meta())?.containers.first()?.usage.get("cpu")?.0.clone())
    }

    #[test]
    fn rates_need_two_points() {
        let mut storage = Storage::default();
        storage.store(&round(100_000, 5.0, 1_000));
        assert_eq!(cpu(&storage), None);
        storage.store(&round(115_000, 8.0, 1_000));
        assert_eq!(cpu(&storage).as_deref(), Some("200m"));
        let pod = storage.pod(meta()).unwrap();
        assert_eq!(
            (pod.window.as_str(), pod.containers[0].usage["memory"].0.as_str()),
            ("15s", "3Mi")
        );
        storage.store(&round(130_000, 0.5, 120_000));
        assert_eq!(cpu(&storage).as_deref(), Some("50m"), "started anew: from its start");
        storage.store(&BTreeMap::new());
        assert_eq!(cpu(&storage), None);
    }
}
