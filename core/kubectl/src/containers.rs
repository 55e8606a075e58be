//! The containers of a pod, as `logs`, `exec` and `attach` choose them.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/util/podcmd/podcmd.go`.

use crate::context::Context;
use crate::failure::{Failure, Result};
use naru_api::gofmt::quote;
use naru_api::k8s_openapi::api::core::v1::Pod;

/// Names the container to choose when none is said.
pub const DEFAULT_ANNOTATION: &str = "kubectl.kubernetes.io/default-container";

/// The container of this name, in `spec.containers`, `spec.initContainers` or
/// `spec.ephemeralContainers`: its name, and whether it has a terminal.
pub fn find<'a>(pod: &'a Pod, name: &str) -> Option<Found<'a>> {
    let spec = pod.spec.as_ref()?;
    let plain = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let plain = plain.map(|it| Found { name: &it.name, tty: it.tty == Some(true) });
    let ephemeral = spec.ephemeral_containers.iter().flatten();
    let ephemeral = ephemeral.map(|it| Found { name: &it.name, tty: it.tty == Some(true) });
    plain.chain(ephemeral).find(|found| found.name == name)
}

/// A container that was found.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether it has a terminal.
    pub tty: bool,
}

/// The container that the pod's annotation names, if there is such a one.
pub fn annotated(pod: &Pod) -> Option<&str> {
    let name = pod.metadata.annotations.as_ref()?.get(DEFAULT_ANNOTATION)?;
    Some(name.as_str()).filter(|name| !name.is_empty())
}

/// The container that is meant: the named one, the annotated one, or the first.
pub fn choose(cx: &mut Context<'_>, pod: &Pod, name: &str, quiet: bool) -> Result<String> {
    let pod_name = pod.metadata.name.as_deref().unwrap_or_default();
    if !name.is_empty() {
        let missing = || Failure::message(format!("container {name} not found in pod {pod_name}"));
        return find(pod, name).map(|found| found.name.to_owned()).ok_or_else(missing);
    }
    if let Some(container) = annotated(pod).and_then(|name| find(pod, name)) {
        return Ok(container.name.to_owned());
    }
    let first = pod.spec.iter().flat_map(|spec| &spec.containers).next().ok_or_else(|| {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        Failure::message(format!("pod {namespace}/{pod_name} does not have any containers"))
    })?;
    if !quiet {
        tell_default(cx, pod, &first.name);
    }
    Ok(first.name.clone())
}

/// Says which container was chosen, when there are others.
pub fn tell_default(cx: &mut Context<'_>, pod: &Pod, chosen: &str) {
    let names = all_names(pod);
    if names.len() > 1 {
        let text = format!("Defaulted container {} out of: {}", quote(chosen), names.join(", "));
        cx.err_line(&text);
    }
}

fn all_names(pod: &Pod) -> Vec<String> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let plain = spec.containers.iter().map(|container| container.name.clone());
    let ephemeral = spec.ephemeral_containers.iter().flatten();
    let ephemeral = ephemeral.map(|container| format!("{} (ephem)", container.name));
    let init = spec.init_containers.iter().flatten();
    plain
        .chain(ephemeral)
        .chain(init.map(|container| format!("{} (init)", container.name)))
        .collect()
}
