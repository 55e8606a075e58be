//! Pods that are alike share what they have in common.
//!
//! The pods of a template differ in little: the node, the name of the token's volume. Each of them
//! comes with a copy of all the rest, from JSON or from a client that made it anew. The parts that
//! are equal to those of an earlier pod are taken from there.

use k8s_openapi::Shared;
use k8s_openapi::api::core::v1::{Container, PodSpec, Volume};
use std::collections::VecDeque;

/// Specs that are remembered; one more forgets the one that was used longest ago.
const TEMPLATES_MAX: usize = 32;

/// The specs of the latest pods that were not alike.
#[derive(Clone, Debug, Default)]
pub struct Templates(VecDeque<Shared<PodSpec>>);

impl Templates {
    /// Lets a new spec have the parts that are equal to those of an earlier one.
    pub fn share(&mut self, spec: &mut Shared<PodSpec>) {
        match self.0.iter().position(|known| alike(known, spec)) {
            Some(0) => {}
            Some(index) => {
                if let Some(known) = self.0.remove(index) {
                    self.0.push_front(known);
                }
            }
            None => {
                self.0.truncate(TEMPLATES_MAX - 1);
                return self.0.push_front(spec.clone());
            }
        }
        let Some(known) = self.0.front() else { return };
        if known == spec {
            *spec = known.clone();
        } else {
            share_parts(spec, known);
        }
    }
}

/// Whether two specs seem to be of one template.
fn alike(a: &PodSpec, b: &PodSpec) -> bool {
    let mut both = a.containers.iter().zip(&b.containers);
    a.containers.len() == b.containers.len()
        && both.all(|(a, b)| a.name == b.name && a.image == b.image)
}

fn share_parts(spec: &mut PodSpec, known: &PodSpec) {
    share(&mut spec.affinity, &known.affinity);
    share(&mut spec.dns_config, &known.dns_config);
    share(&mut spec.resources, &known.resources);
    share(&mut spec.security_context, &known.security_context);
    let inits = spec.init_containers.iter_mut().flatten();
    let known_inits = known.init_containers.iter().flatten();
    inits.zip(known_inits).for_each(|(container, known)| share_container(container, known));
    let containers = spec.containers.iter_mut().zip(&known.containers);
    containers.for_each(|(container, known)| share_container(container, known));
    let volumes = spec.volumes.iter_mut().flatten().zip(known.volumes.iter().flatten());
    volumes.for_each(|(volume, known)| share_volume(volume, known));
}

fn share_container(container: &mut Container, known: &Container) {
    share(&mut container.lifecycle, &known.lifecycle);
    share(&mut container.liveness_probe, &known.liveness_probe);
    share(&mut container.readiness_probe, &known.readiness_probe);
    share(&mut container.resources, &known.resources);
    share(&mut container.security_context, &known.security_context);
    share(&mut container.startup_probe, &known.startup_probe);
}

/// The sources that volumes of templates have; of others there are few.
fn share_volume(volume: &mut Volume, known: &Volume) {
    share(&mut volume.config_map, &known.config_map);
    share(&mut volume.csi, &known.csi);
    share(&mut volume.downward_api, &known.downward_api);
    share(&mut volume.empty_dir, &known.empty_dir);
    share(&mut volume.host_path, &known.host_path);
    share(&mut volume.nfs, &known.nfs);
    share(&mut volume.persistent_volume_claim, &known.persistent_volume_claim);
    share(&mut volume.projected, &known.projected);
    share(&mut volume.secret, &known.secret);
}

fn share<T: PartialEq>(part: &mut Option<Shared<T>>, known: &Option<Shared<T>>) {
    if part == known {
        part.clone_from(known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn spec(cpu: &str, volume: &str) -> Shared<PodSpec> {
        serde_json::from_value(json!({
            "containers": [{"name": "web", "image": "nginx", "resources": {"limits": {"cpu": cpu}}}],
            "volumes": [{"name": volume, "projected": {"defaultMode": 420}}],
        }))
        .unwrap()
    }

    /// Whether the pods share their resources, and the source of their volume.
    fn shared(a: &PodSpec, b: &PodSpec) -> (bool, bool) {
        let resources = |spec: &PodSpec| spec.containers[0].resources.clone().unwrap();
        let source = |spec: &PodSpec| spec.volumes.as_ref().unwrap()[0].projected.clone().unwrap();
        (resources(a).is_same(&resources(b)), source(a).is_same(&source(b)))
    }

    #[test]
    fn what_is_equal_is_shared_and_nothing_changes() {
        let mut templates = Templates::default();
        let mut first = spec("1", "a");
        templates.share(&mut first);
        for (cpu, volume, wanted) in
            [("1", "b", (true, true)), ("2", "c", (false, true)), ("1", "a", (true, true))]
        {
            let mut next = spec(cpu, volume);
            assert_eq!(shared(&first, &next), (false, false));
            templates.share(&mut next);
            assert_eq!(shared(&first, &next), wanted, "{cpu} {volume}");
            assert_eq!(next, spec(cpu, volume));
        }
        let mut same = spec("1", "a");
        templates.share(&mut same);
        assert!(same.is_same(&first));
    }

    #[test]
    fn few_are_remembered() {
        let mut templates = Templates::default();
        for number in 0..2 * TEMPLATES_MAX {
            let mut spec = spec("1", "a");
            spec.containers[0].name = number.to_string();
            templates.share(&mut spec);
        }
        assert_eq!(templates.0.len(), TEMPLATES_MAX);
        assert_eq!(templates.0[0].containers[0].name, (2 * TEMPLATES_MAX - 1).to_string());
    }
}
