//! Storage classes.
//!
//! Upstream: `pkg/registry/storage/storageclass/strategy.go`, `SetDefaults_StorageClass`,
//! `ValidateStorageClass`, `printStorageClass`.

use super::cells;
use super::typed::Typed;
use crate::{Cell, Column, Kind, KindRef, Kube, Names};
use k8s_openapi::api::storage::v1::StorageClass;
use naru_sim::Time;

static KIND: Kind =
    Names::new("storage.k8s.io", "v1", "StorageClass", "storageclasses", "storageclass")
        .short(&["sc"])
        .cluster_scoped()
        .kind(&StorageClassStrategy);

/// `true` on the class of claims that name none.
pub const DEFAULT_ANNOTATION: &str = "storageclass.kubernetes.io/is-default-class";
const BETA_DEFAULT_ANNOTATION: &str = "storageclass.beta.kubernetes.io/is-default-class";

/// Whether claims that name no class get this one.
///
/// Upstream: `IsDefaultAnnotation` in `pkg/apis/storage/util/helpers.go`.
pub fn is_default(class: &StorageClass) -> bool {
    let annotations = class.metadata.annotations.iter().flatten();
    annotations
        .filter(|(key, _)| matches!(key.as_str(), DEFAULT_ANNOTATION | BETA_DEFAULT_ANNOTATION))
        .any(|(_, value)| value == "true")
}

impl Kube for StorageClass {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct StorageClassStrategy;

impl Typed for StorageClassStrategy {
    type Object = StorageClass;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Provisioner"),
        Column::new("ReclaimPolicy"),
        Column::new("VolumeBindingMode"),
        Column::new("AllowVolumeExpansion"),
        Column::new("Age"),
    ];

    const RETURNS_DELETED: bool = true;

    fn default(&self, class: &mut StorageClass) {
        class.reclaim_policy.get_or_insert_with(|| "Delete".to_owned());
        class.volume_binding_mode.get_or_insert_with(|| "Immediate".to_owned());
    }

    fn cells(&self, class: &StorageClass, now: Time) -> Vec<Cell> {
        let name = class.metadata.name.as_deref().unwrap_or_default();
        let mark = if is_default(class) { " (default)" } else { "" };
        vec![
            format!("{name}{mark}").into(),
            class.provisioner.as_str().into(),
            class.reclaim_policy.as_deref().unwrap_or("Delete").into(),
            class.volume_binding_mode.as_deref().unwrap_or("Immediate").into(),
            class.allow_volume_expansion.unwrap_or(false).into(),
            cells::age(&class.metadata, now),
        ]
    }
}
