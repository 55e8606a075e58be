//! APIServices: who serves a version of a group.
//!
//! Upstream: `kube-aggregator`: `pkg/registry/apiservice/{strategy.go,etcd/etcd.go}`,
//! `pkg/apis/apiregistration/v1/defaults.go`, `pkg/apis/apiregistration/validation/validation.go`.

use super::cells;
use super::typed::{Typed, keep};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, UserInfo, names, time};
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::{
    APIService, APIServiceCondition, APIServiceSpec, APIServiceStatus,
};
use naru_sim::Time;

static KIND: Kind =
    Names::new("apiregistration.k8s.io", "v1", "APIService", "apiservices", "apiservice")
        .categories(&["api-extensions"])
        .cluster_scoped()
        .subresources(&["status"])
        .kind(&APIServiceStrategy);

const AVAILABLE: &str = "Available";
const GROUP_PRIORITY_MAX: i32 = 20_000;
const VERSION_PRIORITY_MAX: i32 = 1_000;
const DEFAULT_PORT: i32 = 443;

impl Kube for APIService {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct APIServiceStrategy;

impl Typed for APIServiceStrategy {
    type Object = APIService;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Service"),
        Column::new("Available"),
        Column::new("Age"),
    ];

    const ALLOW_UNCONDITIONAL_UPDATE: bool = false;

    fn default(&self, object: &mut APIService) {
        if let Some(service) = object.spec.as_mut().and_then(|spec| spec.service.as_mut()) {
            service.port.get_or_insert(DEFAULT_PORT);
        }
    }

    fn prepare_for_create(&self, object: &mut APIService) {
        object.status = Some(APIServiceStatus::default());
    }

    fn prepare_for_update(&self, new: &mut APIService, old: &APIService, subresource: &str) {
        if subresource != "status" {
            return keep(&mut new.status, &old.status);
        }
        keep(&mut new.spec, &old.spec);
        keep(&mut new.metadata.labels, &old.metadata.labels);
        keep(&mut new.metadata.annotations, &old.metadata.annotations);
        keep(&mut new.metadata.finalizers, &old.metadata.finalizers);
        keep(&mut new.metadata.owner_references, &old.metadata.owner_references);
    }

    /// What is served here is available at once.
    fn stamp(&self, new: &mut APIService, old: Option<&APIService>, _user: &UserInfo, now: Time) {
        if old.is_none() && new.spec.as_ref().is_none_or(|spec| spec.service.is_none()) {
            let message = "Local APIServices are always available";
            set_available(new, "True", "Local", message, now);
        }
    }

    fn validate_name(&self, name: &str) -> Vec<String> {
        let contains = |part: &&str| name.contains(*part);
        if matches!(name, "." | "..") {
            return vec![format!("may not be '{name}'")];
        }
        let parts = ["/", "%"];
        parts
            .iter()
            .filter(|part| contains(part))
            .map(|part| format!("may not contain '{part}'"))
            .collect()
    }

    fn validate(&self, object: &APIService) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let spec = object.spec.clone().unwrap_or_default();
        let name = object.metadata.name.as_deref().unwrap_or_default();
        let wanted = format!("{}.{}", text(&spec.version), text(&spec.group));
        if name != wanted {
            let wanted = crate::gofmt::quote(&wanted);
            let detail = format!("must be `spec.version+\".\"+spec.group`: {wanted}");
            errors.push(FieldError::invalid("metadata.name", name, &detail));
        }
        validate_spec(&spec, &Path::new("spec"), &mut errors);
        errors
    }

    fn validate_update(
        &self,
        new: &APIService,
        _old: &APIService,
        subresource: &str,
    ) -> Vec<FieldError> {
        if subresource != "status" {
            return Typed::validate(self, new);
        }
        const STATUSES: [&str; 3] = ["True", "False", "Unknown"];
        let conditions = new.status.iter().flat_map(|status| status.conditions.iter().flatten());
        let wrong = conditions.enumerate().filter(|(_, one)| !STATUSES.contains(&&*one.status));
        wrong
            .map(|(index, one)| {
                let path = format!("status.conditions[{index}].status");
                FieldError::not_supported(path, &one.status, &STATUSES)
            })
            .collect()
    }

    fn cells(&self, object: &APIService, now: Time) -> Vec<Cell> {
        let service = object.spec.as_ref().and_then(|spec| spec.service.as_ref());
        let service = service.map_or("Local".to_owned(), |service| {
            format!("{}/{}", text(&service.namespace), text(&service.name))
        });
        let available = match available(object) {
            None => "Unknown".to_owned(),
            Some(one) => match one.reason.as_deref().unwrap_or_default() {
                reason if one.status == "True" || reason.is_empty() => one.status.clone(),
                reason => format!("{} ({reason})", one.status),
            },
        };
        let meta = &object.metadata;
        vec![cells::name(meta), service.into(), available.into(), cells::age(meta, now)]
    }
}

/// The condition `Available`.
pub fn available(object: &APIService) -> Option<&APIServiceCondition> {
    let conditions = object.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == AVAILABLE)
}

/// Sets the condition `Available`; its time moves when its status does.
pub fn set_available(
    object: &mut APIService,
    status: &str,
    reason: &str,
    message: &str,
    now: Time,
) {
    let same = available(object).filter(|old| old.status == status);
    let since = same.and_then(|old| old.last_transition_time.clone());
    let new = APIServiceCondition {
        type_: AVAILABLE.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_transition_time: Some(since.unwrap_or_else(|| time::meta_time(now))),
    };
    let conditions = object.status.get_or_insert_default().conditions.get_or_insert_default();
    match conditions.iter_mut().find(|condition| condition.type_ == AVAILABLE) {
        Some(old) => *old = new,
        None => conditions.push(new),
    }
}

fn text(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
}

fn validate_spec(spec: &APIServiceSpec, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    let (group, version) = (text(&spec.group), text(&spec.version));
    if group.is_empty() && version != "v1" {
        let detail = "only v1 may have an empty group and it better be legacy kube";
        errors.push(FieldError::required(path.child("group"), detail));
    }
    if !group.is_empty() {
        for problem in names::dns1123_subdomain(group) {
            errors.push(FieldError::invalid(path.child("group"), group, &problem));
        }
    }
    for problem in names::dns1035_label(version) {
        errors.push(FieldError::invalid(path.child("version"), version, &problem));
    }
    let priorities = [
        (spec.group_priority_minimum, GROUP_PRIORITY_MAX, "groupPriorityMinimum"),
        (spec.version_priority, VERSION_PRIORITY_MAX, "versionPriority"),
    ];
    for (priority, max, name) in priorities {
        if priority <= 0 || priority > max {
            let detail = format!("must be positive and less than {max}");
            errors.push(FieldError::invalid_raw(path.child(name), priority, &detail));
        }
    }
    let insecure = spec.insecure_skip_tls_verify == Some(true);
    let bundle = spec.ca_bundle.as_ref().map_or(0, |bundle| bundle.0.len());
    let insecure_path = path.child("insecureSkipTLSVerify");
    let Some(service) = &spec.service else {
        if bundle > 0 {
            let detail = "local APIServices may not have a caBundle";
            let shown = format!("{bundle} bytes");
            errors.push(FieldError::invalid(path.child("caBundle"), &shown, detail));
        }
        if insecure {
            let detail = "local APIServices may not have insecureSkipTLSVerify";
            errors.push(FieldError::invalid_raw(insecure_path, true, detail));
        }
        return;
    };
    let service_path = path.child("service");
    for (value, name) in [(&service.namespace, "namespace"), (&service.name, "name")] {
        if text(value).is_empty() {
            errors.push(FieldError::required(service_path.child(name), ""));
        }
    }
    let port = service.port.unwrap_or_default();
    let problems = names::port_number(port);
    if !problems.is_empty() {
        let detail = format!("port is not valid: {}", problems.join(", "));
        errors.push(FieldError::invalid_raw(service_path.child("port"), port, &detail));
    }
    if insecure && bundle > 0 {
        let detail = "may not be true if caBundle is present";
        errors.push(FieldError::invalid_raw(insecure_path, true, detail));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn messages_are_upstreams() {
        let table = [
            (
                json!({"group": "a.b", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1}),
                vec![],
            ),
            (
                json!({"group": "a.b", "version": "v2", "groupPriorityMinimum": 0, "versionPriority": 1001}),
                vec![
                    "metadata.name: Invalid value: \"v1.a.b\": must be `spec.version+\".\"+spec.group`: \"v2.a.b\"",
                    "spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than 20000",
                    "spec.versionPriority: Invalid value: 1001: must be positive and less than 1000",
                ],
            ),
            (
                json!({"group": "a.b", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1,
                    "insecureSkipTLSVerify": true, "caBundle": "YQ==", "service": {"port": 0}}),
                vec![
                    "spec.service.namespace: Required value",
                    "spec.service.name: Required value",
                    "spec.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive",
                    "spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present",
                ],
            ),
        ];
        for (spec, expected) in table {
            let object = json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
                "metadata": {"name": "v1.a.b"}, "spec": spec});
            let object: APIService = serde_json::from_value(object).unwrap();
            let errors = Typed::validate(&APIServiceStrategy, &object);
            let texts: Vec<_> =
                errors.iter().map(|e| format!("{}: {}", e.field, e.message)).collect();
            assert_eq!(texts, expected);
        }
    }
}
