//! What `/metrics` says of priority levels and flow schemas: of that which upstream tells, what is
//! known here. Requests take no time, so none has ever waited, and the only one under way is the one
//! that asks.
//!
//! Upstream: `apiserver/pkg/util/flowcontrol/metrics/metrics.go`; how seats are shared out,
//! `finishQueueSetReconfigsLocked` and `updateBorrowingLocked` in
//! `apiserver/pkg/util/flowcontrol/apf_controller.go`, and `conc_alloc.go`.

use super::flow::Flow;
use super::metrics::{Text, label};
use crate::ApiServer;
use naru_api::Object;
use naru_api::flowcontrol::EXEMPT;
use naru_api::k8s_openapi::api::flowcontrol::v1::{
    PriorityLevelConfiguration, PriorityLevelConfigurationSpec, QueuingConfiguration,
};

/// `--max-requests-inflight` and `--max-mutating-requests-inflight`, as they are if nobody says.
const SEATS: f64 = 600.0;
/// Upstream: `requestDurationSecondsBuckets`.
const SECONDS: [f64; 12] = [0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];
/// Upstream: `queueLengthBuckets`.
const LENGTHS: [f64; 8] = [0.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0];
/// How often a range is halved that was not hit at once: until a number cannot be told from the next.
const HALVINGS: usize = 64;

/// How many seats a level has.
struct Seats {
    nominal: f64,
    lower: f64,
    upper: f64,
    current: f64,
}

pub(super) fn spec_of(level: &Object) -> Option<&PriorityLevelConfigurationSpec> {
    level.get::<PriorityLevelConfiguration>()?.spec.as_ref()
}

/// The queues of a level that has some.
pub(super) fn queues_of(level: &Object) -> Option<&QueuingConfiguration> {
    spec_of(level)?.limited.as_ref()?.limit_response.as_ref()?.queuing.as_ref()
}

/// Shares of a level, and which percentages of its seats it lends, and may borrow.
///
/// Upstream: `plSpecCommons`.
fn commons(level: &Object) -> (f64, Option<i32>, Option<i32>) {
    let Some(spec) = spec_of(level) else { return Default::default() };
    let (shares, lends, borrows) = match (&spec.limited, &spec.exempt) {
        (Some(it), _) => {
            (it.nominal_concurrency_shares, it.lendable_percent, it.borrowing_limit_percent)
        }
        (None, Some(it)) => (it.nominal_concurrency_shares, it.lendable_percent, None),
        (None, None) => (None, None, None),
    };
    (shares.map_or(0.0, f64::from), lends, borrows)
}

/// The seats of each level while few of them are taken, and what part of what each could use is
/// given.
fn share_out(levels: &[Object]) -> (Vec<Seats>, f64) {
    let sum: f64 = levels.iter().map(|level| commons(level).0).sum();
    let part = |all: f64, percent: i32| (all * f64::from(percent) / 100.0).round();
    let seats = |level: &Object| {
        let (shares, lends, borrows) = commons(level);
        let nominal = (SEATS * shares / sum).ceil();
        let lower = nominal - lends.map_or(0.0, |percent| part(nominal, percent));
        let upper = nominal + borrows.map_or(SEATS, |percent| part(nominal, percent));
        // Who is exempt takes what it needs, and somebody asks.
        let current = if level.name() == EXEMPT { lower.max(1.0) } else { 0.0 };
        Seats { nominal, lower, upper, current }
    };
    let mut all: Vec<Seats> = levels.iter().map(seats).collect();
    let is_exempt = |level: &Object| level.name() == EXEMPT;
    let (mut limited, mut left, mut total) = (Vec::new(), 0.0, 0.0);
    for (level, seats) in levels.iter().zip(&mut all) {
        total += seats.nominal;
        left += seats.nominal - seats.current;
        if !is_exempt(level) {
            left -= seats.lower;
            limited.push(seats);
        }
    }
    let fair = if left > 0.0 { fair_part(&limited, total) } else { 0.0 };
    for seats in limited {
        seats.current = at(seats, fair).round();
    }
    (all, fair)
}

/// What a level gets if each gets this part of what it could use, which is the least it may have.
fn at(seats: &Seats, part: f64) -> f64 {
    (seats.lower.max(0.001) * part).min(seats.upper).max(seats.lower)
}

/// By which part the seats of all levels come to `total`, or as near to that as they may.
///
/// Upstream: `computeConcurrencyAllocation`.
fn fair_part(levels: &[&mut Seats], total: f64) -> f64 {
    let sum = |part: f64| levels.iter().map(|seats| at(seats, part)).sum::<f64>();
    let free = total / levels.iter().map(|seats| seats.lower.max(0.001)).sum::<f64>();
    if (sum(free) - total).abs() < 1e-7 {
        return free;
    }
    let (mut low, mut high) = (0.0, total / 0.001);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if sum(middle) < total {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

impl ApiServer {
    pub(super) fn flow_metrics(&self, out: &mut Text) {
        let levels = self.flow_levels();
        let (seats, fair) = share_out(&levels);
        let mut of_levels = |name: &str, help: &str, value: fn(&Seats) -> f64| {
            let name = format!("apiserver_flowcontrol_{name}");
            out.family(&name, "gauge", help);
            for (level, seats) in levels.iter().zip(&seats) {
                let labels = format!("priority_level={}", label(level.name()));
                out.sample(&name, &labels, value(seats));
            }
        };
        of_levels(
            "nominal_limit_seats",
            "[BETA] Nominal number of execution seats configured for each priority level",
            |seats| seats.nominal,
        );
        of_levels(
            "lower_limit_seats",
            "[ALPHA] Configured lower bound on number of execution seats available to each \
             priority level",
            |seats| seats.lower,
        );
        of_levels(
            "upper_limit_seats",
            "[ALPHA] Configured upper bound on number of execution seats available to each \
             priority level",
            |seats| seats.upper,
        );
        of_levels(
            "current_limit_seats",
            "[ALPHA] current derived number of execution seats available to each priority level",
            |seats| seats.current,
        );
        of_levels("current_r", "[ALPHA] R(time of last change)", |_| 0.0);
        out.family(
            "apiserver_flowcontrol_seat_fair_frac",
            "gauge",
            "[ALPHA] Fair fraction of server's concurrency to allocate to each priority level that \
             can use it",
        );
        out.sample("apiserver_flowcontrol_seat_fair_frac", "", fair);
        self.metrics_by_flow(&levels, out);
    }

    fn metrics_by_flow(&self, levels: &[Object], out: &mut Text) {
        let flows = &self.flow_control.flows;
        let own = flows.answered.as_ref().map(|way| way.flow);
        let mut counted: Vec<(&Flow, bool)> = flows
            .all()
            .iter()
            .enumerate()
            .map(|(number, flow)| (flow, own == Some(number)))
            .filter(|(flow, _)| flow.total() > 0)
            .collect();
        counted.sort_by_key(|(flow, _)| (&flow.schema, &flow.level));
        let queues = |(flow, _): &&(&Flow, bool)| {
            levels.iter().any(|it| it.name() == &*flow.level && queues_of(it).is_some())
        };
        let labels = |flow: &Flow| {
            format!("flow_schema={},priority_level={}", label(&flow.schema), label(&flow.level))
        };
        let mut family =
            |name: &str, of: &str, help: &str, queued: bool, value: fn(&Flow, bool) -> u64| {
                let name = format!("apiserver_flowcontrol_{name}");
                out.family(&name, of, help);
                for it in counted.iter().filter(|it| !queued || queues(it)) {
                    out.sample(&name, &labels(it.0), value(it.0, it.1));
                }
            };
        family(
            "dispatched_requests_total",
            "counter",
            "[BETA] Number of requests executed by API Priority and Fairness subsystem",
            false,
            |flow, _| flow.total(),
        );
        family(
            "current_executing_requests",
            "gauge",
            "[BETA] Number of requests in initial (for a WATCH) or any (for a non-WATCH) execution \
             stage in the API Priority and Fairness subsystem",
            false,
            |_, own| u64::from(own),
        );
        family(
            "current_executing_seats",
            "gauge",
            "[BETA] Concurrency (number of seats) occupied by the currently executing (initial \
             stage for a WATCH, any stage otherwise) requests in the API Priority and Fairness \
             subsystem",
            false,
            |_, own| u64::from(own),
        );
        family(
            "current_inqueue_requests",
            "gauge",
            "[BETA] Number of requests currently pending in queues of the API Priority and \
             Fairness subsystem",
            true,
            |_, _| 0,
        );
        family(
            "current_inqueue_seats",
            "gauge",
            "[ALPHA] Number of seats currently pending in queues of the API Priority and Fairness \
             subsystem",
            true,
            |_, _| 0,
        );
        let name = "apiserver_flowcontrol_request_execution_seconds";
        out.family(
            name,
            "histogram",
            "[ALPHA] Duration of initial stage (for a WATCH) or any (for a non-WATCH) stage of \
             request execution in the API Priority and Fairness subsystem",
        );
        for (flow, own) in &counted {
            let labels = labels(flow);
            let done = [flow.regular.saturating_sub(u64::from(*own)), flow.watches];
            for (count, of) in done.into_iter().zip(["regular", "watch"]) {
                histogram(out, name, &format!("{labels},type=\"{of}\""), &SECONDS, 0, count);
            }
        }
        let name = "apiserver_flowcontrol_request_wait_duration_seconds";
        out.family(name, "histogram", "[BETA] Length of time a request spent waiting in its queue");
        for (flow, _) in counted.iter().filter(|(flow, _)| &*flow.level != EXEMPT) {
            let labels = format!("execute=\"true\",{}", labels(flow));
            histogram(out, name, &labels, &SECONDS, 0, flow.total());
        }
        let name = "apiserver_flowcontrol_request_queue_length_after_enqueue";
        out.family(
            name,
            "histogram",
            "[ALPHA] Length of queue in the API Priority and Fairness subsystem, as seen by each \
             request after it is enqueued",
        );
        for (flow, _) in counted.iter().filter(queues) {
            histogram(out, name, &labels(flow), &LENGTHS, 1, flow.total());
        }
    }
}

/// So many observations of the same value, if there are any.
fn histogram(out: &mut Text, name: &str, labels: &str, bounds: &[f64], value: u32, count: u64) {
    if count == 0 {
        return;
    }
    let bucket = format!("{name}_bucket");
    for bound in bounds {
        let within = if f64::from(value) <= *bound { count } else { 0 };
        out.sample(&bucket, &format!("{labels},le=\"{bound}\""), within);
    }
    out.sample(&bucket, &format!("{labels},le=\"+Inf\""), count);
    out.sample(&format!("{name}_sum"), labels, count * u64::from(value));
    out.sample(&format!("{name}_count"), labels, count);
}

#[cfg(test)]
mod tests {
    use super::*;
    use naru_api::flowcontrol::{Bootstrap, priority_levels};
    use naru_api::k8s_openapi::api::flowcontrol::v1::LimitedPriorityLevelConfiguration;

    fn level(name: &str, shares: i32, lends: i32, borrows: Option<i32>) -> Object {
        let limited = LimitedPriorityLevelConfiguration {
            nominal_concurrency_shares: Some(shares),
            lendable_percent: Some(lends),
            borrowing_limit_percent: borrows,
            ..Default::default()
        };
        let mut level = PriorityLevelConfiguration::default();
        level.metadata.name = Some(name.to_owned());
        level.spec = Some(PriorityLevelConfigurationSpec {
            limited: Some(limited),
            type_: "Limited".to_owned(),
            ..Default::default()
        });
        Object::new(level)
    }

    fn shares(levels: &[Object]) -> Vec<(f64, f64, f64)> {
        let seats = share_out(levels).0.into_iter();
        seats.map(|it| (it.nominal, it.lower, it.current)).collect()
    }

    #[test]
    fn what_is_lent_is_shared_out_by_what_each_keeps() {
        let levels = [Bootstrap::Mandatory, Bootstrap::Suggested];
        let levels: Vec<Object> =
            levels.into_iter().flat_map(|of| priority_levels(of).map(Object::new)).collect();
        let (seats, fair) = share_out(&levels);
        let nominal: Vec<f64> = seats.iter().map(|seats| seats.nominal).collect();
        assert_eq!(nominal, [0.0, 13.0, 74.0, 98.0, 25.0, 98.0, 245.0, 49.0]);
        let lower: Vec<f64> = seats.iter().map(|seats| seats.lower).collect();
        assert_eq!(lower, [0.0, 13.0, 50.0, 73.0, 25.0, 49.0, 24.0, 24.0]);
        assert!((fair - 602.0 / 258.0).abs() < 1e-9);
    }

    #[test]
    fn who_may_not_borrow_leaves_it_to_the_others() {
        let levels =
            [level("a", 1, 50, Some(0)), level("b", 1, 50, None), level("c", 1, 100, None)];
        let seats = shares(&levels);
        assert_eq!(seats, [(200.0, 100.0, 200.0), (200.0, 100.0, 400.0), (200.0, 0.0, 0.0)]);
    }

    #[test]
    fn nothing_is_shared_out_where_nothing_is_lent() {
        let seats = shares(&[level("a", 1, 0, None), level("b", 2, 0, Some(0))]);
        assert_eq!(seats, [(200.0, 200.0, 200.0), (400.0, 400.0, 400.0)]);
    }
}
