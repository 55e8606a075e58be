//! `/debug/api_priority_and_fairness/`: what waits and what is executed at each priority level, for
//! people. Nothing ever waits here, and what is executed is the request that asks.
//!
//! Upstream: `apiserver/pkg/util/flowcontrol/apf_controller_debug.go`; which queue a request is put
//! into, `shuffleShardLocked` in `apiserver/pkg/util/flowcontrol/fairqueuing/queueset/queueset.go`
//! and `apiserver/pkg/util/shufflesharding/shufflesharding.go`.

use super::exchange::Exchange;
use super::flow::Way;
use super::flow_metrics::queues_of;
use super::http::HttpResponse;
use super::not_found;
use crate::ApiServer;
use naru_api::k8s_openapi::api::flowcontrol::v1::FlowSchema;
use naru_api::{status::ApiResult, time};
use sha2::{Digest as _, Sha256};

/// What a column has at least. Upstream: the `minwidth` of the `tabwriter`.
const WIDTH_MIN: usize = 8;
/// Work that is nothing, in seconds of a seat, and what a request is taken to be for its queue.
const NO_WORK: &str = "0.00000000ss";
const WORK: &str = "0.00300000ss";

impl ApiServer {
    /// A page of these, if the path names one.
    pub(super) fn rest_flow_dump(&self, x: &Exchange<'_>, path: &str) -> ApiResult<HttpResponse> {
        let rows = match path.strip_prefix("debug/api_priority_and_fairness/") {
            Some("dump_priority_levels") => self.dump_levels(),
            Some("dump_queues") => self.dump_queues(x),
            Some("dump_requests") => self.dump_requests(x),
            _ => return Err(not_found::page()),
        };
        Ok(HttpResponse::new(200, "text/plain; charset=utf-8", table(&rows)))
    }

    fn dump_levels(&self) -> Vec<Vec<String>> {
        let mut rows = vec![cells(
            "PriorityLevelName ActiveQueues IsIdle IsQuiescing WaitingRequests ExecutingRequests \
             DispatchedRequests RejectedRequests TimedoutRequests CancelledRequests",
        )];
        let flows = &self.flow_control.flows;
        for level in self.flow_levels() {
            let own = flows.answered.as_ref().is_some_and(|way| way.level.name() == level.name());
            let (name, dispatched) = (level.name(), flows.dispatched(level.name()));
            let executing = u8::from(own);
            rows.push(cells(&format!("{name} 0 {} false 0 {executing} {dispatched} 0 0 0", !own)));
        }
        rows
    }

    fn dump_queues(&self, x: &Exchange<'_>) -> Vec<Vec<String>> {
        let mut rows = vec![cells(
            "PriorityLevelName Index PendingRequests ExecutingRequests SeatsInUse NextDispatchR \
             InitialSeatsSum MaxSeatsSum TotalWorkSum",
        )];
        let own = self.flow_control.flows.answered.as_ref();
        let own = own.map(|way| (way.level.name(), self.queue_of(x, way)));
        for level in self.flow_levels() {
            let (name, queues) = (level.name(), queues_of(&level).and_then(|it| it.queues));
            for index in 0..queues.unwrap_or(0) {
                let it = own == Some((name, Some(i64::from(index))));
                let (count, next) = if it { (1, WORK) } else { (0, NO_WORK) };
                rows.push(cells(&format!("{name} {index} 0 {count} {count} {next} 0 0 {NO_WORK}")));
            }
        }
        rows
    }

    fn dump_requests(&self, x: &Exchange<'_>) -> Vec<Vec<String>> {
        let details = x.query.get("includeRequestDetails").is_some_and(|value| !value.is_empty());
        let mut names = cells(
            "PriorityLevelName FlowSchemaName QueueIndex RequestIndexInQueue FlowDistingsher \
             ArriveTime InitialSeats FinalSeats AdditionalLatency StartTime",
        );
        if details {
            names.extend(cells(
                "UserName Verb APIPath Namespace Name APIVersion Resource SubResource",
            ));
        }
        let mut rows = vec![names];
        if let Some(way) = &self.flow_control.flows.answered {
            let queue = self.queue_of(x, way).unwrap_or(-1).to_string();
            let flow = flow_of(x, way).unwrap_or_default();
            let now = time::meta_time(self.now).0.to_string();
            let (level, schema) = (way.level.name(), way.schema.name());
            let mut row = [level, schema, &queue, "-1", flow, &now, "1", "0", "0s", &now].to_vec();
            if details {
                // A path that is no resource has nothing else to say.
                row.extend([&x.user.name, x.info.verb, &x.info.path, "", "", "", "", ""]);
            }
            rows.push(row.into_iter().map(str::to_owned).collect());
        }
        rows
    }

    /// The queue out of which the request comes that asks, where there are queues.
    fn queue_of(&self, x: &Exchange<'_>, way: &Way) -> Option<i64> {
        let queuing = queues_of(&way.level)?;
        let (queues, hand) = (queuing.queues?, usize::try_from(queuing.hand_size?).ok()?);
        let mut id = way.schema.name().as_bytes().to_vec();
        id.push(0);
        id.extend(flow_of(x, way).unwrap_or_default().as_bytes());
        let hash = Sha256::digest(id).first_chunk().map_or(0, |start| u64::from_le_bytes(*start));
        let hash = if queues > 1 { hash } else { 0 };
        let dispatched = self.flow_control.flows.dispatched(way.level.name());
        // All queues are empty, so that it is the turn of each of the hand.
        let turn = dispatched.saturating_sub(1).checked_rem(u64::try_from(hand).ok()?)?;
        deal(hash, queues, hand).get(usize::try_from(turn).ok()?).copied()
    }
}

/// What tells the flow of a request from others of its schema, where that makes a difference.
///
/// Upstream: `computeFlowDistinguisher`.
fn flow_of<'a>(x: &'a Exchange<'_>, way: &Way) -> Option<&'a str> {
    let many = queues_of(&way.level)?.queues? > 1;
    let spec = way.schema.get::<FlowSchema>()?.spec.as_ref()?;
    let method = spec.distinguisher_method.as_ref().filter(|_| many)?;
    Some(if method.type_ == "ByUser" { &x.user.name } else { &x.info.namespace })
}

/// A hand of different cards out of a deck.
fn deal(mut hash: u64, deck: i32, size: usize) -> Vec<i64> {
    let (mut dealt, mut left) = (Vec::new(), Vec::new());
    for cards in (1..=i64::from(deck)).rev().take(size) {
        let cards = cards.unsigned_abs();
        let place = i64::try_from(hash % cards).unwrap_or(0);
        hash /= cards;
        // Each card that was dealt before it makes one place more.
        dealt.push(left.iter().rev().fold(place, |card, before| card + i64::from(card >= *before)));
        left.push(place);
    }
    dealt
}

fn cells(row: &str) -> Vec<String> {
    row.split(' ').map(str::to_owned).collect()
}

/// Values in columns, with commas between them.
fn table(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.len() + 2).max().unwrap_or(0).max(WIDTH_MIN)
    };
    let widths: Vec<usize> = (0..rows.first().map_or(0, Vec::len)).map(width).collect();
    let mut out = String::new();
    for row in rows {
        if let Some((last, before)) = row.split_last() {
            for (cell, width) in before.iter().zip(&widths) {
                out.push_str(&format!("{:width$}", format!("{cell},")));
            }
            out.push_str(last);
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Upstream: `TestShuffleDeal` in `shufflesharding_test.go` tries that cards differ.
    #[test]
    fn cards_of_a_hand_differ() {
        for hash in [0, 1, 127, 128 * 127 + 3, u64::MAX, 0x0123_4567_89ab_cdef] {
            let mut hand = deal(hash, 128, 6);
            assert!(hand.iter().all(|card| (0..128).contains(card)), "{hand:?}");
            hand.sort_unstable();
            hand.dedup();
            assert_eq!(hand.len(), 6);
        }
    }
}
