//! From what people type to kinds.
//!
//! Upstream: `Builder.mappingFor` in `k8s.io/cli-runtime/pkg/resource/builder.go`, and the REST
//! mapper and short names under it.

use crate::failure::{Failure, Result};
use naru_api::KindRef;
use naru_api::gofmt::quote;

/// The kind that `pods`, `po`, `Pod`, `deployments.apps` or `deployments.v1.apps` names.
pub fn kind_for(kinds: &[KindRef], argument: &str) -> Result<KindRef> {
    let lower = argument.to_lowercase();
    let (resource, rest) = lower.split_once('.').unwrap_or((&lower, ""));
    let named = |kind: &&KindRef| {
        kind.plural == resource || kind.singular == resource || kind.kind.to_lowercase() == resource
    };
    let short = |kind: &&KindRef| kind.short_names.contains(resource);
    let candidates = |matches: &dyn Fn(&&KindRef) -> bool| -> Option<KindRef> {
        let of_name = || kinds.iter().filter(|kind| matches(kind));
        if rest.is_empty() {
            return of_name().next().cloned();
        }
        // `v1.apps` and `apps`; a group may be cut short.
        let (version, group) = rest.split_once('.').unwrap_or((rest, ""));
        of_name()
            .find(|kind| kind.version == version && kind.group == group)
            .or_else(|| of_name().find(|kind| kind.group == rest))
            .or_else(|| of_name().find(|kind| kind.group.starts_with(rest)))
            .cloned()
    };
    candidates(&named).or_else(|| candidates(&short)).ok_or_else(|| {
        let resource = argument.split('.').next().unwrap_or_default();
        Failure::message(format!("the server doesn't have a resource type {}", quote(resource)))
    })
}

/// Replaces categories (`all`) in a comma list by the resources in them.
pub fn expand_categories(kinds: &[KindRef], list: &str) -> String {
    let expanded: Vec<String> = list
        .split(',')
        .map(|name| {
            let of_category: Vec<String> = kinds
                .iter()
                .filter(|kind| kind.categories.contains(name))
                .map(|kind| kind.group_resource())
                .collect();
            if of_category.is_empty() { name.to_owned() } else { of_category.join(",") }
        })
        .collect();
    expanded.join(",")
}

/// `pod/web` or `deployment.apps/web`, as `-o name` prints it.
pub fn name_of(kind: &KindRef, name: &str) -> String {
    format!("{}/{name}", kind.group_kind().to_lowercase())
}
