//! Empties volumes by a pod that deletes what is on them.
//!
//! Upstream: `recycleVolumeOperation` in `pv_controller.go`,
//! `pkg/volume/util/recyclerclient/recycler_client.go`, `NewPersistentVolumeRecyclerPodTemplate`.

use super::bind::{set_volume_phase_with_event, unbind_volume};
use super::{PersistentVolumeBinderController, about, claim_key, until_resync};
use k8s_openapi::api::core::v1::{
    Container, Event, HostPathVolumeSource, NFSVolumeSource, PersistentVolume,
    PersistentVolumeClaim, Pod, PodSpec, Volume, VolumeMount,
};
use naru_api::request::DeleteOptions;
use naru_api::{Key, pods, volumes};
use naru_client::{Action, Context, Error, EventType};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the names of the pods begin with.
pub(super) const POD_PREFIX: &str = "recycler-for-";
/// The pods are made here.
const NAMESPACE: &str = "default";
/// What is told of them.
pub(super) const EVENTS: &str = "involvedObject.kind=Pod,involvedObject.namespace=default";
const IMAGE: &str = "registry.k8s.io/build-image/debian-base:bookworm-v1.0.4";
const SCRIPT: &str =
    "test -e /scrub && find /scrub -mindepth 1 -delete && test -z \"$(ls -A /scrub)\" || exit 1";
const GIB: i64 = 1 << 30;

/// A volume that is being emptied.
#[derive(Clone, Debug, Default)]
pub(super) struct Recycling {
    /// Events of the pod that were passed on, by name and count.
    told: BTreeSet<(String, i32)>,
}

/// The source of a volume that can be emptied.
enum Source<'a> {
    HostPath(&'a HostPathVolumeSource),
    Nfs(&'a NFSVolumeSource),
}

impl PersistentVolumeBinderController {
    /// Starts to empty a volume, or looks how far it has come.
    pub(super) fn recycle(
        &mut self,
        volume: &Arc<PersistentVolume>,
        context: &mut Context<'_>,
    ) -> Result<Action, Error> {
        let name = volume.metadata.name.clone().unwrap_or_default();
        if self.recycling.contains_key(&name) {
            return self.watch_recycler(volume, context);
        }
        if let Some(users) = users(volume, context) {
            let text = format!("Volume is used by pods: {users}");
            context.event(&about(&**volume), EventType::Normal, "VolumeFailedRecycle", &text);
            return Ok(until_resync(context.now));
        }
        let Some(source) = source(volume) else {
            let text = "No recycler plugin found for the volume!";
            set_volume_phase_with_event(volume, "Failed", "VolumeFailedRecycle", text, context)?;
            return Ok(until_resync(context.now));
        };
        match context.client.create(pod(volume, &source)) {
            Ok(_) => {
                self.recycling.insert(name, Recycling::default());
            }
            Err(error) if error.is_already_exists() => {
                let options = DeleteOptions::default();
                let pod = format!("{POD_PREFIX}{name}");
                let _ = context.client.delete::<Pod>(NAMESPACE, &pod, options);
                fail(volume, "old recycler pod found, will retry later", context)?;
            }
            Err(error) => {
                fail(
                    volume,
                    &format!("unexpected error creating recycler pod:  {error}"),
                    context,
                )?;
            }
        }
        Ok(until_resync(context.now))
    }

    /// Passes on what is told of the pod, until it has ended.
    fn watch_recycler(
        &mut self,
        volume: &Arc<PersistentVolume>,
        context: &mut Context<'_>,
    ) -> Result<Action, Error> {
        let name = volume.metadata.name.clone().unwrap_or_default();
        let pod_name = format!("{POD_PREFIX}{name}");
        self.pass_on_events(volume, &pod_name, context);
        let pod = context.cache.arc::<Pod>(&Key::new(NAMESPACE, pod_name.as_str()));
        let phase = pod.as_deref().map(pods::phase);
        let result = match phase {
            Some("Succeeded") => Ok(()),
            Some("Failed") => {
                let status = pod.as_ref().and_then(|pod| pod.status.as_ref());
                let message = status.and_then(|status| status.message.clone());
                Err(message
                    .filter(|text| !text.is_empty())
                    .unwrap_or_else(|| "pod failed, pod.Status.Message unknown".to_owned()))
            }
            Some(_) => return Ok(until_resync(context.now)),
            None => Err("recycler pod was deleted".to_owned()),
        };
        self.recycling.remove(&name);
        let options = DeleteOptions::default();
        let _ = context.client.delete::<Pod>(NAMESPACE, &pod_name, options);
        match result {
            Ok(()) => {
                let object = about(&**volume);
                context.event(&object, EventType::Normal, "VolumeRecycled", "Volume recycled");
                unbind_volume(volume, context)?;
                Ok(Action::await_change())
            }
            Err(why) => {
                fail(volume, &why, context)?;
                Ok(until_resync(context.now))
            }
        }
    }

    fn pass_on_events(&mut self, volume: &PersistentVolume, pod: &str, context: &mut Context<'_>) {
        let name = volume.metadata.name.as_deref().unwrap_or_default();
        let Some(recycling) = self.recycling.get_mut(name) else { return };
        let mut fresh: Vec<Event> = context
            .cache
            .list::<Event>(NAMESPACE)
            .filter(|event| event.involved_object.name.as_deref() == Some(pod))
            .filter(|event| {
                let name = event.metadata.name.clone().unwrap_or_default();
                recycling.told.insert((name, event.count.unwrap_or(0)))
            })
            .cloned()
            .collect();
        fresh.sort_by_key(|event| event.metadata.name.clone());
        for event in fresh {
            let kind = match event.type_.as_deref() {
                Some("Warning") => EventType::Warning,
                _ => EventType::Normal,
            };
            let text = format!("Recycler pod: {}", event.message.unwrap_or_default());
            context.event(&about(volume), kind, "RecyclerPod", &text);
        }
    }
}

fn fail(volume: &Arc<PersistentVolume>, why: &str, context: &mut Context<'_>) -> Result<(), Error> {
    let text = format!("Recycle failed: {why}");
    set_volume_phase_with_event(volume, "Failed", "VolumeFailedRecycle", &text, context)
}

/// The pods that still use the claim of a volume; `None` when there are none.
fn users(volume: &PersistentVolume, context: &Context<'_>) -> Option<String> {
    let key = claim_key(volume)?;
    if context.cache.get::<PersistentVolumeClaim>(&key).is_some() {
        // Another claim of this name has another volume.
        return None;
    }
    let uses = |pod: &&Pod| {
        !pods::is_terminal(pod) && volumes::pod_claims(pod).any(|claim| claim.name == key.name)
    };
    let names: BTreeSet<String> = context
        .cache
        .list::<Pod>(&key.namespace)
        .filter(uses)
        .map(|pod| crate::util::key_of(pod).to_string())
        .collect();
    (!names.is_empty()).then(|| names.into_iter().collect::<Vec<_>>().join(","))
}

fn source(volume: &PersistentVolume) -> Option<Source<'_>> {
    let spec = volume.spec.as_ref()?;
    let host_path = spec.host_path.as_ref().map(Source::HostPath);
    host_path.or_else(|| spec.nfs.as_ref().map(Source::Nfs))
}

/// The pod that empties the volume. Larger volumes may take longer.
fn pod(volume: &PersistentVolume, source: &Source<'_>) -> Pod {
    let name = volume.metadata.name.as_deref().unwrap_or_default();
    let gib = volumes::volume_size(volume).value() / GIB;
    let (least, more) = match source {
        Source::HostPath(_) => (60, 30),
        Source::Nfs(_) => (300, 30),
    };
    let mut vol = Volume { name: "vol".to_owned(), ..Volume::default() };
    match source {
        Source::HostPath(source) => {
            let path = source.path.clone();
            vol.host_path = Some(HostPathVolumeSource { path, type_: None }.into());
        }
        Source::Nfs(source) => vol.nfs = Some(NFSVolumeSource::clone(source).into()),
    }
    let container = Container {
        name: "pv-recycler".to_owned(),
        image: Some(IMAGE.to_owned()),
        command: Some(vec!["/bin/sh".to_owned()]),
        args: Some(vec!["-c".to_owned(), SCRIPT.to_owned()]),
        volume_mounts: Some(vec![VolumeMount {
            name: "vol".to_owned(),
            mount_path: "/scrub".to_owned(),
            ..VolumeMount::default()
        }]),
        ..Container::default()
    };
    let mut pod = Pod {
        spec: Some(
            PodSpec {
                active_deadline_seconds: Some(i64::max(least, more * gib)),
                restart_policy: Some("Never".to_owned()),
                volumes: Some(vec![vol]),
                containers: vec![container],
                ..PodSpec::default()
            }
            .into(),
        ),
        ..Pod::default()
    };
    pod.metadata.name = Some(format!("{POD_PREFIX}{name}"));
    pod.metadata.namespace = Some(NAMESPACE.to_owned());
    pod
}
