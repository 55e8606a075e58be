//! What several printers show.
//!
//! Upstream: `pkg/printers/internalversion/printers.go`.

use crate::{Cell, duration};
use k8s_openapi::api::core::v1::Container;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_sim::Time;

/// The cell of `Name`.
pub(crate) fn name(meta: &ObjectMeta) -> Cell {
    text(meta.name.as_deref())
}

/// The cell of `Age`.
pub(crate) fn age(meta: &ObjectMeta, now: Time) -> Cell {
    duration::since(meta.creation_timestamp.as_ref(), now).into()
}

/// A text that may be missing.
pub(crate) fn text(text: Option<&str>) -> Cell {
    text.unwrap_or_default().into()
}

/// A text, or `<none>`.
pub(crate) fn or_none(text: Option<&str>) -> Cell {
    text.filter(|text| !text.is_empty()).unwrap_or("<none>").into()
}

/// The cells of `Containers` and `Images`.
pub(crate) fn containers(containers: &[Container]) -> [Cell; 2] {
    let join = |part: fn(&Container) -> &str| {
        let parts: Vec<&str> = containers.iter().map(part).collect();
        Cell::Text(parts.join(","))
    };
    [join(|c| &c.name), join(|c| c.image.as_deref().unwrap_or_default())]
}

/// At most three texts, and how many more there are: `a,b,c + 2 more...`.
pub(crate) fn first_three(texts: impl Iterator<Item = String>) -> String {
    const SHOWN: usize = 3;
    let mut shown = Vec::new();
    let mut count = 0;
    for text in texts {
        if shown.len() < SHOWN {
            shown.push(text);
        }
        count += 1;
    }
    let list = shown.join(",");
    if count > SHOWN { format!("{list} + {} more...", count - SHOWN) } else { list }
}

/// The cell of `Access Modes`.
pub(crate) fn access_modes(modes: Option<&Vec<String>>) -> Cell {
    crate::volumes::short_modes(modes.map(Vec::as_slice).unwrap_or_default()).into()
}

/// A text, or `<unset>`.
pub(crate) fn or_unset(text: Option<&str>) -> Cell {
    text.unwrap_or("<unset>").into()
}

/// `status.phase`, but `Terminating` for what is being deleted.
pub(crate) fn phase(meta: &ObjectMeta, phase: Option<&str>) -> Cell {
    if meta.deletion_timestamp.is_some() { "Terminating".into() } else { text(phase) }
}
