//! Pod templates as objects of their own.
//!
//! Upstream: `pkg/registry/core/podtemplate/strategy.go`, `ValidatePodTemplate`,
//! `printPodTemplate`.

use super::typed::Typed;
use super::{cells, workload};
use crate::podspec::validation;
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, labels};
use k8s_openapi::api::core::v1::{PodTemplate, PodTemplateSpec};
use naru_sim::Time;

static KIND: Kind =
    Names::new("", "v1", "PodTemplate", "podtemplates", "podtemplate").kind(&PodTemplates);

impl Kube for PodTemplate {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct PodTemplates;

impl Typed for PodTemplates {
    type Object = PodTemplate;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Containers"),
        Column::new("Images"),
        Column::new("Pod Labels"),
    ];

    const RETURNS_DELETED: bool = true;

    fn default(&self, object: &mut PodTemplate) {
        workload::default_template(object.template.get_or_insert_default());
    }

    fn prepare_for_create(&self, object: &mut PodTemplate) {
        object.metadata.generation = Some(1);
    }

    fn prepare_for_update(&self, new: &mut PodTemplate, old: &PodTemplate, _subresource: &str) {
        if new.template != old.template {
            new.metadata.generation = old.metadata.generation.map(|old| old + 1);
        }
    }

    fn validate(&self, object: &PodTemplate) -> Vec<FieldError> {
        let none = PodTemplateSpec::default();
        let template = object.template.as_ref().unwrap_or(&none);
        let mut errors = Vec::new();
        validation::template(template, &Path::new("template"), &mut errors);
        errors
    }

    fn warnings(&self, object: &PodTemplate, old: Option<&PodTemplate>) -> Vec<String> {
        let Some(template) = &object.template else { return Vec::new() };
        let changed = old.is_none_or(|old| old.template != object.template);
        workload::warn_template(template, changed, &Path::new("template"))
    }

    fn cells(&self, object: &PodTemplate, _now: Time) -> Vec<Cell> {
        let labels = object.template.as_ref().and_then(workload::template_labels);
        let mut cells = vec![cells::name(&object.metadata)];
        cells.extend(workload::template_cells(object.template.as_ref()));
        cells.push(labels::format(labels).into());
        cells
    }
}
