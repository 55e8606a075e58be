//! Priority classes.
//!
//! Upstream: `pkg/registry/scheduling/priorityclass/strategy.go`, `SetDefaults_PriorityClass`,
//! `ValidatePriorityClass`, `printPriorityClass`.

use super::cells;
use super::typed::Typed;
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use naru_sim::Time;

static KIND: Kind =
    Names::new("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", "priorityclass")
        .short(&["pc"])
        .cluster_scoped()
        .kind(&PriorityClassStrategy);

/// The highest priority that a user may define.
const USER_PRIORITY_MAX: i32 = 1_000_000_000;
const SYSTEM_PREFIX: &str = "system-";
const POLICIES: &[&str] = &["PreemptLowerPriority", "Never"];

/// The classes that every cluster has.
///
/// Upstream: `SystemPriorityClasses` in `pkg/apis/scheduling/v1/helpers.go`.
pub const SYSTEM: [(&str, i32, &str); 2] = [
    (
        "system-node-critical",
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
    (
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another \
         node if necessary.",
    ),
];

impl Kube for PriorityClass {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct PriorityClassStrategy;

impl Typed for PriorityClassStrategy {
    type Object = PriorityClass;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Value").integer(),
        Column::new("Global-Default").boolean(),
        Column::new("Age"),
        Column::new("PreemptionPolicy"),
    ];

    fn default(&self, class: &mut PriorityClass) {
        class.preemption_policy.get_or_insert_with(|| "PreemptLowerPriority".to_owned());
    }

    fn prepare_for_create(&self, class: &mut PriorityClass) {
        class.metadata.generation = Some(1);
    }

    fn validate(&self, class: &PriorityClass) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let name = class.metadata.name.as_deref().unwrap_or_default();
        if name.starts_with(SYSTEM_PREFIX) {
            if let Err(why) = check_system(name, class) {
                let detail = format!(
                    "priority class names with 'system-' prefix are reserved for system use only. \
                     error: {why}"
                );
                errors.push(FieldError::forbidden("metadata.name", &detail));
            }
        } else if class.value > USER_PRIORITY_MAX {
            let detail =
                format!("maximum allowed value of a user defined priority is {USER_PRIORITY_MAX}");
            errors.push(FieldError::forbidden("value", &detail));
        }
        if let Some(policy) = &class.preemption_policy {
            let field = Path::new("preemptionPolicy");
            match policy.as_str() {
                "" => errors.push(FieldError::required(field, "")),
                policy if POLICIES.contains(&policy) => {}
                policy => errors.push(FieldError::not_supported(field, policy, POLICIES)),
            }
        }
        errors
    }

    fn validate_update(
        &self,
        new: &PriorityClass,
        old: &PriorityClass,
        _: &str,
    ) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if new.value != old.value {
            errors.push(FieldError::forbidden("value", "may not be changed in an update."));
        }
        if new.preemption_policy != old.preemption_policy {
            let value = new.preemption_policy.as_deref().unwrap_or_default();
            let detail = "field is immutable";
            errors.push(FieldError::invalid("preemptionPolicy", value, detail));
        }
        errors
    }

    fn cells(&self, class: &PriorityClass, now: Time) -> Vec<Cell> {
        vec![
            cells::name(&class.metadata),
            class.value.into(),
            class.global_default.unwrap_or(false).into(),
            cells::age(&class.metadata, now),
            cells::text(class.preemption_policy.as_deref()),
        ]
    }
}

/// Upstream: `IsKnownSystemPriorityClass`.
fn check_system(name: &str, class: &PriorityClass) -> Result<(), String> {
    let Some((_, value, _)) = SYSTEM.iter().find(|(known, ..)| *known == name) else {
        return Err(format!("{name} is not a known system priority class"));
    };
    if class.value != *value {
        return Err(format!("value of {name} PriorityClass must be {value}"));
    }
    if class.global_default == Some(true) {
        return Err(format!("globalDefault of {name} PriorityClass must be false"));
    }
    Ok(())
}
