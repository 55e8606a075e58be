//! Nodes that hold the pod's images are better.
//!
//! Upstream: `pkg/scheduler/framework/plugins/imagelocality/image_locality.go`.

use crate::framework::{Plugin, SCORE_MAX, Score, ScorePlugin, View};
use crate::nodes::{ImageId, NodeInfo, Nodes, PodInfo};

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
        (!images.is_empty()).then(|| Box::new(Held::new(images, view.nodes)) as Box<dyn Score>)
    }
}

struct Held {
    /// The images that some node holds, and the share of the nodes that do.
    images: Vec<(ImageId, f64)>,
    containers: usize,
}

impl Held {
    fn new(images: Vec<String>, nodes: &Nodes) -> Self {
        let (containers, total) = (images.len(), nodes.len().max(1) as f64);
        let share = |image: String| {
            let (id, holders) = nodes.image(&image)?;
            Some((id, holders as f64 / total))
        };
        Held { images: images.into_iter().filter_map(share).collect(), containers }
    }
}

impl Score for Held {
    fn score(&self, node: &NodeInfo) -> i64 {
        let held = self.images.iter().filter_map(|(image, share)| {
            // An image that few nodes hold counts less, lest all pods go to those few.
            Some((node.image_bytes(*image)? as f64 * share) as i64)
        });
        scaled(held.sum(), self.containers)
    }

    fn scores(&self, nodes: &[&NodeInfo], points: &mut Vec<i64>) {
        if self.images.is_empty() {
            points.resize(points.len() + nodes.len(), scaled(0, self.containers));
        } else {
            points.extend(nodes.iter().map(|node| self.score(node)));
        }
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
