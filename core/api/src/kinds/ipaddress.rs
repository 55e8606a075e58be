//! Addresses that services have.
//!
//! Upstream: `pkg/registry/networking/ipaddress/strategy.go`, `ValidateIPAddress`,
//! `printIPAddress`.

use super::cells;
use super::typed::Typed;
use crate::gofmt::quote;
use crate::podspec::validation::all_invalid;
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, ip, names};
use k8s_openapi::api::networking::v1::{IPAddress, ParentReference};
use naru_sim::Time;

static KIND: Kind = Names::new("networking.k8s.io", "v1", "IPAddress", "ipaddresses", "ipaddress")
    .short(&["ip"])
    .cluster_scoped()
    .kind(&IPAddressStrategy);

impl Kube for IPAddress {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct IPAddressStrategy;

impl Typed for IPAddressStrategy {
    type Object = IPAddress;

    const COLUMNS: &'static [Column] = &[Column::new("Name"), Column::new("ParentRef")];

    fn validate_name(&self, name: &str) -> Vec<String> {
        ip::problems(name)
    }

    fn validate(&self, address: &IPAddress) -> Vec<FieldError> {
        let spec = Path::new("spec");
        let path = spec.child("parentRef");
        let Some(parent) = parent(address) else {
            return vec![FieldError::required(path, "")];
        };
        let mut errors = Vec::new();
        if let Some(group) = parent.group.as_deref().filter(|group| !group.is_empty()) {
            let field = path.child("group");
            all_invalid(names::dns1123_subdomain(group), group, &field, &mut errors);
        }
        for (field, value) in [("resource", &parent.resource), ("name", &parent.name)] {
            let field = path.child(field);
            match value.as_str() {
                "" => errors.push(FieldError::required(field, "")),
                value => all_invalid(names::path_segment(value), value, &field, &mut errors),
            }
        }
        let namespace = parent.namespace.as_deref().unwrap_or_default();
        let field = path.child("namespace");
        all_invalid(names::path_segment(namespace), namespace, &field, &mut errors);
        errors
    }

    fn validate_update(&self, new: &IPAddress, old: &IPAddress, _: &str) -> Vec<FieldError> {
        let parent = parent(new).cloned().unwrap_or_default();
        if Some(&parent) == self::parent(old) {
            return Vec::new();
        }
        let text = |text: &Option<String>| quote(text.as_deref().unwrap_or_default());
        let value = format!(
            "networking.ParentReference{{Group:{}, Resource:{}, Namespace:{}, Name:{}}}",
            text(&parent.group),
            quote(&parent.resource),
            text(&parent.namespace),
            quote(&parent.name)
        );
        vec![FieldError::invalid_raw("spec.parentRef", value, "field is immutable")]
    }

    /// Upstream's rows have an age, for which it forgot the column: clients never show it.
    fn cells(&self, address: &IPAddress, now: Time) -> Vec<Cell> {
        let parent = parent(address).map(parent_text);
        let age = cells::age(&address.metadata, now);
        vec![cells::name(&address.metadata), cells::or_none(parent.as_deref()), age]
    }
}

/// `services/default/kubernetes`.
fn parent_text(parent: &ParentReference) -> String {
    let mut text = parent.resource.to_lowercase();
    for (mark, part) in [(".", &parent.group), ("/", &parent.namespace)] {
        if let Some(part) = part.as_deref().filter(|part| !part.is_empty()) {
            text.push_str(mark);
            text.push_str(part);
        }
    }
    format!("{text}/{}", parent.name)
}

/// Whose address it is; `None` when that was not given.
fn parent(address: &IPAddress) -> Option<&ParentReference> {
    let parent = &address.spec.as_ref()?.parent_ref;
    (*parent != ParentReference::default()).then_some(parent)
}
