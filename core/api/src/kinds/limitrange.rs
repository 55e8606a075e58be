//! Limit ranges.
//!
//! Upstream: `pkg/registry/core/limitrange/strategy.go`, `SetDefaults_LimitRangeItem`,
//! `ValidateLimitRange`.

use super::typed::Typed;
use crate::{Cell, Column, DEFAULT_COLUMNS, Kind, KindRef, Kube, Names};
use k8s_openapi::api::core::v1::{LimitRange, LimitRangeItem};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use naru_sim::Time;
use std::collections::BTreeMap;

static KIND: Kind = Names::new("", "v1", "LimitRange", "limitranges", "limitrange")
    .short(&["limits"])
    .kind(&LimitRangeStrategy);

impl Kube for LimitRange {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct LimitRangeStrategy;

impl Typed for LimitRangeStrategy {
    type Object = LimitRange;

    const COLUMNS: &'static [Column] = DEFAULT_COLUMNS;

    const ALLOW_CREATE_ON_UPDATE: bool = true;

    fn default(&self, range: &mut LimitRange) {
        let items = range.spec.iter_mut().flat_map(|spec| spec.limits.iter_mut());
        items.filter(|item| item.type_ == "Container").for_each(default_item);
    }

    fn cells(&self, range: &LimitRange, _: Time) -> Vec<Cell> {
        super::default_cells(&range.metadata)
    }
}

/// What is limited is a default limit; that and what is the least is a default request.
fn default_item(item: &mut LimitRangeItem) {
    fill(&mut item.default, item.max.as_ref());
    fill(&mut item.default_request, item.default.as_ref());
    fill(&mut item.default_request, item.min.as_ref());
}

/// Adds what `list` does not have.
fn fill(list: &mut Option<BTreeMap<String, Quantity>>, from: Option<&BTreeMap<String, Quantity>>) {
    for (name, quantity) in from.into_iter().flatten() {
        list.get_or_insert_default().entry(name.clone()).or_insert_with(|| quantity.clone());
    }
}
