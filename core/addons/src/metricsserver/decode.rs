//! What a kubelet answers at `/metrics/resource`.
//!
//! Upstream: `pkg/scraper/client/resource/decode.go`.

use std::collections::BTreeMap;

/// What was used at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Point {
    /// Milliseconds of the Unix epoch.
    pub timestamp_millis: i64,
    /// Milliseconds of the Unix epoch at which it started; 0 for a node.
    pub start_millis: i64,
    /// Processor time since then, in seconds.
    pub cpu_seconds: f64,
    /// The working set, in bytes.
    pub memory_bytes: u64,
}

/// What one kubelet told.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Batch {
    /// The node itself.
    pub node: Option<Point>,
    /// By namespace, pod and container.
    pub containers: BTreeMap<(String, String, String), Point>,
}

/// Reads the text format of Prometheus; what is not known is left out.
pub(super) fn batch(text: &str) -> Batch {
    let mut batch = Batch::default();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some(sample) = sample(line) else { continue };
        let point = match sample.name {
            "node_cpu_usage_seconds_total" | "node_memory_working_set_bytes" => {
                batch.node.get_or_insert_default()
            }
            name if name.starts_with("container_") => {
                let label = |name: &str| sample.label(name).unwrap_or_default().to_owned();
                let key = (label("namespace"), label("pod"), label("container"));
                batch.containers.entry(key).or_default()
            }
            _ => continue,
        };
        match sample.name {
            "node_cpu_usage_seconds_total" | "container_cpu_usage_seconds_total" => {
                point.cpu_seconds = sample.value;
                point.timestamp_millis = sample.timestamp;
            }
            "node_memory_working_set_bytes" | "container_memory_working_set_bytes" => {
                point.memory_bytes = sample.value as u64;
                point.timestamp_millis = sample.timestamp;
            }
            "container_start_time_seconds" => {
                point.start_millis = (sample.value * 1_000.0) as i64;
            }
            _ => {}
        }
    }
    batch
}

struct Sample<'a> {
    name: &'a str,
    labels: &'a str,
    value: f64,
    timestamp: i64,
}

impl Sample<'_> {
    fn label(&self, name: &str) -> Option<&str> {
        self.labels.split(',').find_map(|label| {
            let (key, value) = label.split_once('=')?;
            (key == name).then(|| value.trim_matches('"'))
        })
    }
}

/// `name{label="value",…} value timestamp`
fn sample(line: &str) -> Option<Sample<'_>> {
    let (head, rest) = match line.split_once('}') {
        Some((head, rest)) => (head, rest),
        None => line.split_once(' ')?,
    };
    let (name, labels) = head.split_once('{').unwrap_or((head, ""));
    let mut words = rest.split_whitespace();
    let value = words.next()?.parse().ok()?;
    let timestamp = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    Some(Sample { name, labels, value, timestamp })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_kubelet_writes() {
        let text = "\
# HELP container_cpu_usage_seconds_total [STABLE] Cumulative cpu time
# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{container=\"a\",namespace=\"default\",pod=\"web\"} 1.5 2000
container_memory_working_set_bytes{container=\"a\",namespace=\"default\",pod=\"web\"} 1048576 2000
container_start_time_seconds{container=\"a\",namespace=\"default\",pod=\"web\"} 1.25
node_cpu_usage_seconds_total 12 2000
node_memory_working_set_bytes 4e+06 2000
scrape_error 0
broken{
";
        let batch = batch(text);
        let point = Point {
            timestamp_millis: 2_000,
            start_millis: 1_250,
            cpu_seconds: 1.5,
            memory_bytes: 1 << 20,
        };
        let key = ("default".to_owned(), "web".to_owned(), "a".to_owned());
        assert_eq!(batch.containers, BTreeMap::from([(key, point)]));
        let node = batch.node.unwrap();
        assert_eq!((node.cpu_seconds, node.memory_bytes), (12.0, 4_000_000));
    }
}
