//! Horizontal pod autoscalers, `autoscaling/v1`: CPU only, everything else in annotations.
//!
//! Upstream: `pkg/apis/autoscaling/v1/defaults.go`, `conversion.go`.

use super::{Autoscalers, conversion, names};
use crate::kinds::typed::{Typed, keep};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Object};
use k8s_openapi::api::autoscaling::v1::{HorizontalPodAutoscaler, HorizontalPodAutoscalerStatus};
use k8s_openapi::api::autoscaling::v2;
use naru_sim::Time;

static KIND: Kind = names("v1").kind(&AutoscalersV1);

impl Kube for HorizontalPodAutoscaler {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct AutoscalersV1;

impl Typed for AutoscalersV1 {
    type Object = HorizontalPodAutoscaler;

    const COLUMNS: &'static [Column] = Autoscalers::COLUMNS;

    fn default(&self, object: &mut HorizontalPodAutoscaler) {
        object.spec.get_or_insert_default().min_replicas.get_or_insert(1);
    }

    fn prepare_for_create(&self, object: &mut HorizontalPodAutoscaler) {
        object.status = Some(HorizontalPodAutoscalerStatus::default());
    }

    fn prepare_for_update(
        &self,
        new: &mut HorizontalPodAutoscaler,
        old: &HorizontalPodAutoscaler,
        subresource: &str,
    ) {
        if subresource == "status" {
            keep(&mut new.spec, &old.spec);
        } else {
            keep(&mut new.status, &old.status);
        }
    }

    fn validate(&self, object: &HorizontalPodAutoscaler) -> Vec<FieldError> {
        Typed::validate(&Autoscalers, &conversion::to_v2(object))
    }

    fn validate_update(
        &self,
        new: &HorizontalPodAutoscaler,
        old: &HorizontalPodAutoscaler,
        subresource: &str,
    ) -> Vec<FieldError> {
        let (new, old) = (conversion::to_v2(new), conversion::to_v2(old));
        Typed::validate_update(&Autoscalers, &new, &old, subresource)
    }

    fn storage_kind(&self) -> Option<KindRef> {
        Some(v2::HorizontalPodAutoscaler::kind())
    }

    fn to_storage(&self, object: Object) -> Object {
        match object.get::<HorizontalPodAutoscaler>() {
            Some(v1) => Object::new(conversion::to_v2(v1)),
            None => object,
        }
    }

    fn from_storage(&self, object: Object) -> Object {
        match object.get::<v2::HorizontalPodAutoscaler>() {
            Some(v2) => Object::new(conversion::to_v1(v2)),
            None => object,
        }
    }

    fn cells(&self, object: &HorizontalPodAutoscaler, now: Time) -> Vec<Cell> {
        Typed::cells(&Autoscalers, &conversion::to_v2(object), now)
    }
}
