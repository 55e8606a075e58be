//! Nodes that hold the pod's images are better.
//!
//! Upstream: `pkg/scheduler/framework/plugins/imagelocality/image_locality.go`.

use crate::framework::{Plugin, SCORE_MAX, Score, ScorePlugin, View};
use crate::nodes::{NodeInfo, Nodes, PodInfo};

/// Images smaller than this in all make no difference, in bytes.
const MIN_BYTES: i64 = 23 * 1024 * 1024;
/// More than this for each container makes no more difference, in bytes.
const MAX_BYTES_PER_CONTAINER: i64 = 1000 * 1024 * 1024;

/// The plugin.
#[derive(Debug)]
pub struct ImageLocality;

impl Plugin for ImageLocality {
    fn name(&self) -> &'static str {
        "ImageLocality"
    }
}

impl ScorePlugin for ImageLocality {
    fn pre_score<'a>(
        &self,
        pod: &'a PodInfo,
        view: View<'a>,
        _nodes: &[&'a NodeInfo],
    ) -> Option<Box<dyn Score + 'a>> {
        let spec = pod.pod.spec.as_ref()?;
        let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
        let images: Vec<String> =
            containers.filter_map(|container| container.image.as_deref()).map(normalized).collect();
        (!images.is_empty()).then(|| Box::new(Held { images, nodes: view.nodes }) as Box<dyn Score>)
    }
}

struct Held<'a> {
    images: Vec<String>,
    nodes: &'a Nodes,
}

impl Score for Held<'_> {
    fn score(&self, node: &NodeInfo) -> i64 {
        let total = self.nodes.len().max(1) as f64;
        let held: i64 = self
            .images
            .iter()
            .filter_map(|image| {
                let size = *node.images.get(image)?;
                // An image that few nodes hold counts less, lest all pods go to those few.
                Some((size as f64 * (self.nodes.image_nodes(image) as f64 / total)) as i64)
            })
            .sum();
        scaled(held, self.images.len())
    }
}

fn scaled(held: i64, containers: usize) -> i64 {
    let max = MAX_BYTES_PER_CONTAINER.saturating_mul(containers as i64);
    let held = held.clamp(MIN_BYTES, max);
    SCORE_MAX * (held - MIN_BYTES) / (max - MIN_BYTES)
}

/// An image without a tag is the latest.
fn normalized(image: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or(image);
    if name.contains(':') || image.contains('@') {
        image.to_owned()
    } else {
        format!("{image}:latest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_scaled_between_the_bounds() {
        const MB: i64 = 1024 * 1024;
        for (held, containers, expected) in [(0, 1, 0), (23 * MB, 1, 0), (2000 * MB, 1, 100)] {
            assert_eq!(scaled(held, containers), expected);
        }
        assert_eq!(scaled(1000 * MB, 2), 49);
    }

    #[test]
    fn a_registry_port_is_no_tag() {
        assert_eq!(normalized("host:5000/web"), "host:5000/web:latest");
        assert_eq!(normalized("web:1"), "web:1");
    }
}
