//! Metadata: what the API server fills in and what it checks, for every kind.
//!
//! Upstream: `apimachinery/pkg/api/validation/objectmeta.go`, `apiserver/pkg/registry/rest/meta.go`.

use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use naru_api::{ApiError, FieldError, Kind, gofmt, labels, names, status::ApiResult};
use naru_sim::Rng;

const IMMUTABLE: &str = "field is immutable";

/// A random UUID, version 4.
pub(crate) fn uid(rng: &mut Rng) -> String {
    let mut bytes = [0; 16];
    rng.fill(&mut bytes);
    let number = u128::from_be_bytes(bytes);
    let number = number & !(0xf << 76) | 0x4 << 76;
    let number = number & !(0x3 << 62) | 0x2 << 62;
    let hex = gofmt::hex(&number.to_be_bytes());
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

/// Clears what only the API server may say of a new object.
///
/// Upstream: `WipeObjectMetaSystemFields`.
pub(crate) fn wipe_system_fields(meta: &mut ObjectMeta) {
    meta.deletion_timestamp = None;
    meta.deletion_grace_period_seconds = None;
    meta.resource_version = None;
    meta.generation = None;
    meta.self_link = None;
}

/// Drops owners that stand there twice; answers with a warning of them.
///
/// Upstream: `dedupOwnerReferencesAndAddWarning` in `apiserver/pkg/endpoints/handlers/rest.go`.
pub(crate) fn dedup_owners(meta: &mut ObjectMeta) -> Option<String> {
    let owners = meta.owner_references.as_mut().filter(|owners| owners.len() > 1)?;
    let (mut kept, mut doubled) = (Vec::with_capacity(owners.len()), Vec::new());
    for owner in owners.drain(..) {
        match kept.contains(&owner) {
            true => doubled.push(owner.uid),
            false => kept.push(owner),
        }
    }
    *owners = kept;
    (!doubled.is_empty()).then(|| {
        format!(
            ".metadata.ownerReferences contains duplicate entries; API server dedups owner \
             references in 1.20+, and may reject such requests as early as 1.24; please fix your \
             requests; duplicate UID(s) observed: {}",
            doubled.join(", ")
        )
    })
}

/// Puts an object into the namespace of the request, or refuses one that names another.
pub(crate) fn match_namespace(
    meta: &mut ObjectMeta,
    kind: &Kind,
    namespace: &str,
) -> ApiResult<()> {
    if !kind.namespaced {
        meta.namespace = None;
        return Ok(());
    }
    match meta.namespace.as_deref().unwrap_or_default() {
        "" => meta.namespace = Some(namespace.to_owned()),
        given if given == namespace => {}
        _ => {
            return Err(ApiError::bad_request(
                "the namespace of the provided object does not match the namespace sent on the \
                 request",
            ));
        }
    }
    Ok(())
}

/// What is wrong with the metadata of a new object.
pub(crate) fn validate(meta: &ObjectMeta, kind: &Kind) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let problems = |path: &str, value: &str, problems: Vec<String>| {
        let error = |problem: String| FieldError::invalid(path, value, &problem);
        problems.into_iter().map(error).collect::<Vec<_>>()
    };
    let prefix = meta.generate_name.as_deref().unwrap_or_default();
    if !prefix.is_empty() {
        let masked = names::mask_trailing_dash(prefix);
        let found = kind.strategy.validate_name(&masked);
        errors.extend(problems("metadata.generateName", prefix, found));
    }
    match meta.name.as_deref().unwrap_or_default() {
        "" => {
            errors.push(FieldError::required("metadata.name", "name or generateName is required"))
        }
        name => errors.extend(problems("metadata.name", name, kind.strategy.validate_name(name))),
    }
    if kind.namespaced {
        match meta.namespace.as_deref().unwrap_or_default() {
            "" => errors.push(FieldError::required("metadata.namespace", "")),
            namespace => {
                let found = names::dns1123_label(namespace);
                errors.extend(problems("metadata.namespace", namespace, found));
            }
        }
    }
    errors.extend(validate_rest(meta));
    for finalizer in meta.finalizers.iter().flatten() {
        let found = names::qualified_name(finalizer);
        errors.extend(problems("metadata.finalizers", finalizer, found));
    }
    errors
}

/// What is wrong with the change of an object's metadata.
pub(crate) fn validate_update(new: &ObjectMeta, old: &ObjectMeta) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if old.deletion_timestamp.is_some() {
        let had = old.finalizers.as_deref().unwrap_or_default();
        let mut added: Vec<&String> =
            new.finalizers.iter().flatten().filter(|name| !had.contains(name)).collect();
        added.sort();
        if !added.is_empty() {
            let added = naru_api::gofmt::quote_all(&added);
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new \
                 finalizers []string{{{added}}}"
            );
            errors.push(FieldError::forbidden("metadata.finalizers", &detail));
        }
    }
    let mut immutable = |field: &str, new: &Option<String>, old: &Option<String>| {
        let (new, old) = (new.as_deref().unwrap_or_default(), old.as_deref().unwrap_or_default());
        if new != old {
            errors.push(FieldError::invalid(format!("metadata.{field}"), new, IMMUTABLE));
        }
    };
    immutable("name", &new.name, &old.name);
    immutable("namespace", &new.namespace, &old.namespace);
    immutable("uid", &new.uid, &old.uid);
    errors.extend(validate_rest(new));
    errors
}

fn validate_rest(meta: &ObjectMeta) -> Vec<FieldError> {
    let mut errors = labels::validate(meta.labels.as_ref(), "metadata.labels");
    errors.extend(labels::validate_annotations(meta.annotations.as_ref(), "metadata.annotations"));
    errors.extend(validate_owners(meta.owner_references.as_deref().unwrap_or_default()));
    errors
}

fn validate_owners(owners: &[OwnerReference]) -> Vec<FieldError> {
    const PATH: &str = "metadata.ownerReferences";
    let mut errors = Vec::new();
    for owner in owners {
        let fields = [
            ("apiVersion", &owner.api_version, "version must not be empty"),
            ("kind", &owner.kind, "kind must not be empty"),
            ("name", &owner.name, "name must not be empty"),
            ("uid", &owner.uid, "uid must not be empty"),
        ];
        for (field, value, detail) in fields {
            if value.is_empty() {
                errors.push(FieldError::invalid(format!("{PATH}.{field}"), value, detail));
            }
        }
    }
    let mut controllers = owners.iter().filter(|owner| owner.controller == Some(true));
    if let (Some(first), Some(second)) = (controllers.next(), controllers.next()) {
        let detail = format!(
            "Only one reference can have Controller set to true. Found \"true\" in references for \
             {}/{} and {}/{}",
            first.kind, first.name, second.kind, second.name
        );
        errors.push(FieldError::invalid_raw(PATH, "[]v1.OwnerReference", &detail));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_stands_once() {
        let owner = |uid: &str| OwnerReference { uid: uid.to_owned(), ..OwnerReference::default() };
        let owners = vec![owner("a"), owner("b"), owner("a")];
        let mut meta = ObjectMeta { owner_references: Some(owners), ..ObjectMeta::default() };
        let warning = dedup_owners(&mut meta).unwrap();
        assert!(warning.ends_with("duplicate UID(s) observed: a"), "{warning}");
        assert_eq!(meta.owner_references, Some(vec![owner("a"), owner("b")]));
        assert_eq!(dedup_owners(&mut meta), None);
    }

    #[test]
    fn uids_are_random_version_4() {
        let mut rng = Rng::new(1);
        let (one, two) = (uid(&mut rng), uid(&mut rng));
        assert_ne!(one, two);
        assert_eq!(one.len(), 36);
        assert_eq!(one.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&one.as_bytes()[19]));
    }
}
