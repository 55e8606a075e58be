//! Priority levels: how many of their requests are served at once, and what becomes of the others.
//!
//! Upstream: `pkg/registry/flowcontrol/prioritylevelconfiguration/strategy.go`,
//! `pkg/apis/flowcontrol/v1/defaults.go`, `pkg/apis/flowcontrol/validation/validation.go`,
//! `printPriorityLevelConfiguration`.

use super::cells;
use super::typed::{Typed, keep};
use crate::flowcontrol::{self, GROUP};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, gofmt};
use k8s_openapi::api::flowcontrol::v1::{
    ExemptPriorityLevelConfiguration, LimitResponse, LimitedPriorityLevelConfiguration,
    PriorityLevelConfiguration, PriorityLevelConfigurationSpec, QueuingConfiguration,
};
use naru_sim::Time;

static KIND: Kind = Names::new(
    GROUP,
    "v1",
    "PriorityLevelConfiguration",
    "prioritylevelconfigurations",
    "prioritylevelconfiguration",
)
.cluster_scoped()
.subresources(&["status"])
.kind(&PriorityLevels);

/// An annotation of `v1beta3` only. Upstream: `PriorityLevelPreserveZeroConcurrencySharesKey`.
const PRESERVE_ZERO: &str = "flowcontrol.k8s.io/v1beta3-preserve-zero-concurrency-shares";
/// Upstream: `priorityLevelConfigurationQueuingMaxQueues`.
const QUEUES_MAX: i32 = 10_000_000;
/// Upstream: `shufflesharding.MaxHashBits`.
const HASH_BITS_MAX: u32 = 60;
const TYPES: &[&str] = &["Exempt", "Limited"];
const RESPONSES: &[&str] = &["Queue", "Reject"];

type Errors = Vec<FieldError>;

impl Kube for PriorityLevelConfiguration {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct PriorityLevels;

impl Typed for PriorityLevels {
    type Object = PriorityLevelConfiguration;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Type"),
        Column::new("NominalConcurrencyShares"),
        Column::new("Queues"),
        Column::new("HandSize"),
        Column::new("QueueLengthLimit"),
        Column::new("Age"),
    ];

    fn default(&self, level: &mut PriorityLevelConfiguration) {
        let spec = level.spec.get_or_insert_default();
        if let Some(limited) = &mut spec.limited {
            limited.nominal_concurrency_shares.get_or_insert(30);
            limited.lendable_percent.get_or_insert(0);
            if let Some(queuing) = &mut limited.limit_response.get_or_insert_default().queuing {
                let fields = [
                    (&mut queuing.hand_size, 8),
                    (&mut queuing.queues, 64),
                    (&mut queuing.queue_length_limit, 50),
                ];
                for (field, usual) in fields {
                    if field.unwrap_or(0) == 0 {
                        *field = Some(usual);
                    }
                }
            }
        }
        if let Some(exempt) = &mut spec.exempt {
            exempt.nominal_concurrency_shares.get_or_insert(0);
            exempt.lendable_percent.get_or_insert(0);
        }
    }

    fn prepare_for_create(&self, level: &mut PriorityLevelConfiguration) {
        level.status = None;
        level.metadata.generation = Some(1);
    }

    fn prepare_for_update(
        &self,
        new: &mut PriorityLevelConfiguration,
        old: &PriorityLevelConfiguration,
        subresource: &str,
    ) {
        if subresource == "status" {
            keep(&mut new.metadata, &old.metadata);
            keep(&mut new.spec, &old.spec);
            return;
        }
        keep(&mut new.status, &old.status);
        if new.spec != old.spec {
            new.metadata.generation = Some(old.metadata.generation.unwrap_or(0) + 1);
        }
    }

    fn validate(&self, level: &PriorityLevelConfiguration) -> Errors {
        let mut errors = Errors::new();
        let annotations = level.metadata.annotations.as_ref();
        if annotations.is_some_and(|annotations| annotations.contains_key(PRESERVE_ZERO)) {
            let detail = format!("annotation '{PRESERVE_ZERO}' is forbidden");
            errors.push(FieldError::forbidden("metadata.annotations", &detail));
        }
        let name = level.metadata.name.as_deref().unwrap_or_default();
        let spec = super::given(level.spec.as_ref());
        let path = Path::new("spec");
        validate_spec(name, &spec, &path, &mut errors);
        if let Some(detail) = differs(name, &spec) {
            let value = gofmt::dump("flowcontrol.PriorityLevelConfigurationSpec", &*spec);
            errors.push(FieldError::invalid_raw(path, value, &detail));
        }
        errors.extend(validate_status(level));
        errors
    }

    fn validate_update(
        &self,
        new: &PriorityLevelConfiguration,
        _: &PriorityLevelConfiguration,
        subresource: &str,
    ) -> Errors {
        if subresource == "status" { validate_status(new) } else { Typed::validate(self, new) }
    }

    fn cells(&self, level: &PriorityLevelConfiguration, now: Time) -> Vec<Cell> {
        let spec = super::given(level.spec.as_ref());
        let limited = spec.limited.as_ref();
        let shares = limited.map(|limited| limited.nominal_concurrency_shares);
        let response = limited.and_then(|limited| limited.limit_response.as_ref());
        let queuing = response.and_then(|response| response.queuing.as_ref());
        let number = |number: Option<Option<i32>>| match number {
            Some(number) => number.unwrap_or(0).into(),
            None => "<none>".into(),
        };
        vec![
            cells::name(&level.metadata),
            spec.type_.as_str().into(),
            number(shares),
            number(queuing.map(|queuing| queuing.queues)),
            number(queuing.map(|queuing| queuing.hand_size)),
            number(queuing.map(|queuing| queuing.queue_length_limit)),
            cells::age(&level.metadata, now),
        ]
    }
}

/// How a level that must be there differs from what it must be.
///
/// Upstream: `ValidateIfMandatoryPriorityLevelConfigurationObject`.
fn differs(name: &str, spec: &PriorityLevelConfigurationSpec) -> Option<String> {
    let mut fixed = flowcontrol::mandatory_priority_level(name)?;
    if name != flowcontrol::EXEMPT {
        return (fixed != *spec).then(|| format!("spec of '{name}' must equal the fixed value"));
    }
    fixed.exempt.clone_from(&spec.exempt);
    (fixed != *spec).then(|| {
        format!("spec of '{name}' except the 'spec.exempt' field must equal the fixed value")
    })
}

fn validate_spec(
    name: &str,
    spec: &PriorityLevelConfigurationSpec,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let type_ = spec.type_.as_str();
    if (name == flowcontrol::EXEMPT) != (type_ == "Exempt") {
        let detail = "type must be 'Exempt' if and only if name is 'exempt'";
        errors.push(FieldError::invalid(path.child("type"), type_, detail));
    }
    let (limited, exempt) = (path.child("limited"), path.child("exempt"));
    match type_ {
        "Exempt" => {
            if spec.limited.is_some() {
                let detail = "must be nil if the type is not Limited";
                errors.push(FieldError::forbidden(limited, detail));
            }
            if let Some(given) = &spec.exempt {
                validate_exempt(given, &exempt, errors);
            }
        }
        "Limited" => {
            if spec.exempt.is_some() {
                let detail = "must be nil if the type is Limited";
                errors.push(FieldError::forbidden(exempt, detail));
            }
            match &spec.limited {
                Some(given) => validate_limited(given, &limited, errors),
                None => {
                    let detail = "must not be empty when type is Limited";
                    errors.push(FieldError::required(limited, detail));
                }
            }
        }
        _ => errors.push(FieldError::not_supported(path.child("type"), type_, TYPES)),
    }
}

fn validate_shares(shares: Option<i32>, path: &Path<'_>, errors: &mut Errors) {
    if let Some(shares) = shares.filter(|shares| *shares < 0) {
        let field = path.child("nominalConcurrencyShares");
        errors.push(FieldError::invalid_raw(field, shares, "must be a non-negative integer"));
    }
}

fn validate_lendable(percent: Option<i32>, path: &Path<'_>, errors: &mut Errors) {
    if let Some(percent) = percent.filter(|percent| !(0..=100).contains(percent)) {
        let detail = "must be between 0 and 100, inclusive";
        errors.push(FieldError::invalid_raw(path.child("lendablePercent"), percent, detail));
    }
}

fn validate_exempt(
    exempt: &ExemptPriorityLevelConfiguration,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    validate_shares(exempt.nominal_concurrency_shares, path, errors);
    validate_lendable(exempt.lendable_percent, path, errors);
}

fn validate_limited(
    limited: &LimitedPriorityLevelConfiguration,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    validate_shares(limited.nominal_concurrency_shares, path, errors);
    let response = super::given(limited.limit_response.as_ref());
    validate_response(&response, &path.child("limitResponse"), errors);
    validate_lendable(limited.lendable_percent, path, errors);
    if let Some(percent) = limited.borrowing_limit_percent.filter(|percent| *percent < 0) {
        let detail = "if specified, must be a non-negative integer";
        errors.push(FieldError::invalid_raw(path.child("borrowingLimitPercent"), percent, detail));
    }
}

fn validate_response(response: &LimitResponse, path: &Path<'_>, errors: &mut Errors) {
    let field = path.child("queuing");
    match (response.type_.as_str(), &response.queuing) {
        ("Reject", Some(_)) => {
            let detail = "must be nil if limited.limitResponse.type is not Limited";
            errors.push(FieldError::forbidden(field, detail));
        }
        ("Reject", None) => {}
        ("Queue", None) => {
            let detail = "must not be empty if limited.limitResponse.type is Limited";
            errors.push(FieldError::required(field, detail));
        }
        ("Queue", Some(queuing)) => validate_queuing(queuing, &field, errors),
        (type_, _) => {
            errors.push(FieldError::not_supported(path.child("type"), type_, RESPONSES));
        }
    }
}

fn validate_queuing(queuing: &QueuingConfiguration, path: &Path<'_>, errors: &mut Errors) {
    let number = |field: Option<i32>| field.unwrap_or(0);
    let (queues, hand) = (number(queuing.queues), number(queuing.hand_size));
    let length = number(queuing.queue_length_limit);
    let mut wrong = |field: &str, value: i32, detail: &str| {
        errors.push(FieldError::invalid_raw(path.child(field), value, detail));
    };
    if length <= 0 {
        wrong("queueLengthLimit", length, "must be positive");
    }
    if queues <= 0 {
        wrong("queues", queues, "must be positive");
    } else if queues > QUEUES_MAX {
        wrong("queues", queues, &format!("must not be greater than {QUEUES_MAX}"));
    }
    if hand <= 0 {
        wrong("handSize", hand, "must be positive");
    } else if hand > queues {
        wrong("handSize", hand, &format!("should not be greater than queues ({queues})"));
    } else if needs_too_many_bits(queues, hand) {
        let detail = format!(
            "required entropy bits of deckSize {queues} and handSize {hand} should not be greater \
             than {HASH_BITS_MAX}"
        );
        wrong("handSize", hand, &detail);
    }
}

/// Whether shuffling `hand` of `queues` takes more bits than there are: whether `queues` to the power
/// of `hand` is more than two to the power of that many bits. In whole numbers, since logarithms
/// are not the same on all machines.
///
/// Upstream: `RequiredEntropyBits` in `apiserver/pkg/util/shufflesharding/shufflesharding.go`.
fn needs_too_many_bits(queues: i32, hand: i32) -> bool {
    if queues <= 1 {
        return false;
    }
    let mut product: u128 = 1;
    for _ in 0..hand {
        product *= u128::try_from(queues).unwrap_or(0);
        if product > 1 << HASH_BITS_MAX {
            return true;
        }
    }
    false
}

fn validate_status(level: &PriorityLevelConfiguration) -> Errors {
    let conditions = level.status.iter().flat_map(|status| status.conditions.iter().flatten());
    flowcontrol::validate_conditions(conditions.map(|condition| condition.type_.as_deref()))
}
