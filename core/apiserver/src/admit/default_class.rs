//! `DefaultStorageClass` and `DefaultIngressClass`: a claim or an ingress that names no class gets
//! the one that is marked as the default.
//!
//! Upstream: `plugin/pkg/admission/storage/storageclass/setdefault/admission.go`,
//! `plugin/pkg/admission/network/defaultingressclass/admission.go`.

use super::Admission;
use naru_api::k8s_openapi::api::core::v1::PersistentVolumeClaim;
use naru_api::k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use naru_api::k8s_openapi::api::storage::v1::StorageClass;
use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::volumes::{BETA_CLASS, DEFAULT_CLASS_MARKS, newest_marked};
use naru_api::{Kube, Object};

const BETA_INGRESS_CLASS: &str = "kubernetes.io/ingress.class";
const DEFAULT_INGRESS_CLASS: [&str; 1] = ["ingressclass.kubernetes.io/is-default-class"];

pub(super) fn storage(admission: &Admission<'_>, object: &mut Object) {
    let Some(claim) = object.get::<PersistentVolumeClaim>().filter(|_| admission.creates()) else {
        return;
    };
    let named = claim.spec.as_ref().is_some_and(|spec| spec.storage_class_name.is_some());
    if named || has(&claim.metadata, BETA_CLASS) {
        return;
    }
    let Some(name) = default_class::<StorageClass>(admission, &DEFAULT_CLASS_MARKS) else {
        return;
    };
    if let Some(claim) = object.edit::<PersistentVolumeClaim>() {
        claim.spec.get_or_insert_default().storage_class_name = Some(name);
    }
}

pub(super) fn ingress(admission: &Admission<'_>, object: &mut Object) {
    let Some(ingress) = object.get::<Ingress>().filter(|_| admission.creates()) else { return };
    let named = ingress.spec.as_ref().is_some_and(|spec| spec.ingress_class_name.is_some());
    if named || has(&ingress.metadata, BETA_INGRESS_CLASS) {
        return;
    }
    let Some(name) = default_class::<IngressClass>(admission, &DEFAULT_INGRESS_CLASS) else {
        return;
    };
    if let Some(ingress) = object.edit::<Ingress>() {
        ingress.spec.get_or_insert_default().ingress_class_name = Some(name);
    }
}

fn has(meta: &ObjectMeta, annotation: &str) -> bool {
    meta.annotations.as_ref().is_some_and(|all| all.contains_key(annotation))
}

/// The newest of the classes that are marked; among equals the first by name.
fn default_class<K: Kube>(admission: &Admission<'_>, marks: &[&str]) -> Option<String> {
    let classes = admission.list::<K>("");
    newest_marked(classes.iter().map(|class| class.metadata()), marks)
}
