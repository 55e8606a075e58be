//! Limit ranges.
//!
//! Upstream: `pkg/registry/core/limitrange/strategy.go`, `SetDefaults_LimitRangeItem`,
//! `ValidateLimitRange`.

use super::typed::Typed;
use crate::podspec::validation::all_invalid;
use crate::quantity::{self, Amount};
use crate::{Cell, Column, DEFAULT_COLUMNS, FieldError, Kind, KindRef, Kube, Names, Path};
use crate::{names, resourcenames};
use k8s_openapi::api::core::v1::{LimitRange, LimitRangeItem};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use naru_sim::Time;
use std::collections::{BTreeMap, BTreeSet};

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

    fn validate(&self, range: &LimitRange) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let spec = Path::new("spec");
        let list = spec.child("limits");
        let mut seen = BTreeSet::new();
        let items = range.spec.iter().flat_map(|spec| &spec.limits);
        for (index, item) in items.enumerate() {
            let path = list.index(index);
            validate_type(&item.type_, &path.child("type"), &mut errors);
            if !seen.insert(&item.type_) {
                errors.push(FieldError::duplicate(path.child("type"), &item.type_));
            }
            validate_item(item, &path, &mut errors);
        }
        errors
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

fn validate_type(type_: &str, field: &Path<'_>, errors: &mut Vec<FieldError>) {
    let problems = names::qualified_name(type_);
    let known = matches!(type_, "Pod" | "Container" | "PersistentVolumeClaim");
    if problems.is_empty() && !type_.contains('/') && !known {
        let detail = "must be a standard limit type or fully qualified";
        errors.push(FieldError::invalid(field, type_, detail));
    }
    all_invalid(problems, type_, field, errors);
}

fn validate_item(item: &LimitRangeItem, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    let mut names = BTreeSet::new();
    let mut check = |field: &str, list: &Option<BTreeMap<String, Quantity>>| {
        let field = path.child(field);
        for name in list.iter().flatten().map(|(name, _)| name) {
            let field = field.key(name);
            errors.extend(match item.type_.as_str() {
                "Pod" | "Container" => resourcenames::validate_container(name, &field),
                _ => resourcenames::validate(name, &field),
            });
            names.insert(name.clone());
        }
    };
    check("max", &item.max);
    check("min", &item.min);
    let pod = item.type_ == "Pod";
    if !pod {
        check("default", &item.default);
        check("defaultRequest", &item.default_request);
    }
    check("maxLimitRequestRatio", &item.max_limit_request_ratio);
    if pod {
        let given = [("default", &item.default), ("defaultRequest", &item.default_request)];
        let given =
            given.into_iter().filter(|(_, list)| list.as_ref().is_some_and(|l| !l.is_empty()));
        for (field, _) in given {
            let detail = "may not be specified when `type` is 'Pod'";
            errors.push(FieldError::forbidden(path.child(field), detail));
        }
    }
    let storage = |list: &Option<BTreeMap<String, Quantity>>| {
        list.as_ref().is_some_and(|list| list.contains_key("storage"))
    };
    if item.type_ == "PersistentVolumeClaim" && !storage(&item.min) && !storage(&item.max) {
        let detail =
            "either minimum or maximum storage value is required, but neither was provided";
        errors.push(FieldError::required(path.child("limits"), detail));
    }
    for name in &names {
        compare(item, name, path, errors);
    }
}

/// What is least, usual and most must come in this order.
fn compare(item: &LimitRangeItem, name: &str, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    let of = |list: &Option<BTreeMap<String, Quantity>>| list.as_ref()?.get(name).cloned();
    let (min, max) = (of(&item.min), of(&item.max));
    let pod = item.type_ == "Pod";
    let limit = of(&item.default).filter(|_| !pod);
    let request = of(&item.default_request).filter(|_| !pod);
    let above = |a: &Option<Quantity>, b: &Option<Quantity>| {
        let (a, b) = (a.as_ref()?, b.as_ref()?);
        (Amount::of(a) > Amount::of(b)).then(|| (a.0.clone(), b.0.clone()))
    };
    // The field, the value that is shown, and what must not be above what.
    type Pair<'a> = (&'a str, &'a Option<Quantity>, [(&'a str, &'a Option<Quantity>); 2]);
    let (min_, max_) = (("min value", &min), ("max value", &max));
    let request_ = ("default request value", &request);
    let pairs: [Pair<'_>; 6] = [
        ("min", &min, [min_, max_]),
        ("defaultRequest", &request, [min_, request_]),
        ("defaultRequest", &request, [request_, max_]),
        ("defaultRequest", &request, [request_, ("default limit value", &limit)]),
        ("default", &min, [min_, ("default value", &limit)]),
        ("default", &max, [("default value", &limit), max_]),
    ];
    for (field, shown, [(low, a), (high, b)]) in pairs {
        if let Some((a, b)) = above(a, b) {
            let detail = format!("{low} {a} is greater than {high} {b}");
            errors.push(invalid(path, field, name, shown.as_ref(), &detail));
        }
    }
    if let Some(ratio) = of(&item.max_limit_request_ratio) {
        compare_ratio(&ratio, min.as_ref().zip(max.as_ref()), |detail| {
            errors.push(invalid(path, "maxLimitRequestRatio", name, Some(&ratio), &detail));
        });
    }
    if !resourcenames::is_overcommit_allowed(name)
        && let Some((limit, asked)) = limit.as_ref().zip(request.as_ref())
        && Amount::of(limit) != Amount::of(asked)
    {
        let detail = format!(
            "default value {} must equal to defaultRequest value {} in {name}",
            limit.0, asked.0
        );
        errors.push(invalid(path, "defaultRequest", name, Some(asked), &detail));
    }
}

fn compare_ratio(
    ratio: &Quantity,
    range: Option<(&Quantity, &Quantity)>,
    mut wrong: impl FnMut(String),
) {
    let given = Amount::of(ratio);
    if given < Amount::from_units(1) {
        wrong(format!("ratio {} is less than 1", ratio.0));
    }
    let Some((min, max)) = range else { return };
    let number = |amount: Amount| amount.milli_value() as f64;
    let most = number(Amount::of(max)) / number(Amount::of(min));
    if number(given) / 1000.0 > most {
        wrong(format!("ratio {} is greater than max/min = {most:.6}", ratio.0));
    }
}

fn invalid(
    path: &Path<'_>,
    field: &str,
    name: &str,
    shown: Option<&Quantity>,
    detail: &str,
) -> FieldError {
    let field = path.child(field);
    let value = shown.map(quantity::go_syntax).unwrap_or_default();
    FieldError::invalid_raw(field.key(name), value, detail)
}
