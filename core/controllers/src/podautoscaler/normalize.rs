//! Keeps what metrics propose within limits: of number, of speed, and of haste.
//!
//! Upstream: `normalizeDesiredReplicas` and `normalizeDesiredReplicasWithBehaviors` in
//! `pkg/controller/podautoscaler/horizontal.go`.

use k8s_openapi::api::autoscaling::v2::{HPAScalingRules, HorizontalPodAutoscalerBehavior};
use naru_sim::Time;
use std::time::Duration;

/// Upstream: `--horizontal-pod-autoscaler-downscale-stabilization`.
const DOWNSCALE_STABILIZATION: Duration = Duration::from_secs(300);
/// Without rules, one step at most doubles the pods, or comes to four.
const SCALE_UP_FACTOR: i32 = 2;
const SCALE_UP_MIN: i32 = 4;

/// Proposals and changes of an autoscaler, as long as they matter.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Memory {
    recommendations: Vec<(Time, i32)>,
    ups: Vec<(Time, i32)>,
    downs: Vec<(Time, i32)>,
}

/// What limits a proposal.
pub(super) struct Limits<'a> {
    pub min: i32,
    pub max: i32,
    pub behavior: Option<&'a HorizontalPodAutoscalerBehavior>,
    pub now: Time,
}

/// A proposal within its limits, and what is to be said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Normalized {
    pub replicas: i32,
    /// Of `AbleToScale`: reason and message.
    pub able: (&'static str, &'static str),
    /// Of `ScalingLimited`: whether it is, reason and message.
    pub limited: (bool, &'static str, &'static str),
}

const READY: (&str, &str) = ("ReadyForNewScale", "recommended size matches current size");
const UP_STABILIZED: (&str, &str) = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
);
const DOWN_STABILIZED: (&str, &str) = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent \
     recommendation",
);
const WITHIN: (&str, &str) =
    ("DesiredWithinRange", "the desired count is within the acceptable range");
const TOO_MANY: (&str, &str) =
    ("TooManyReplicas", "the desired replica count is more than the maximum replica count");
const TOO_FEW: (&str, &str) =
    ("TooFewReplicas", "the desired replica count is less than the minimum replica count");
const TOO_FAST_UP: (&str, &str) =
    ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate");
const TOO_FAST_DOWN: (&str, &str) = (
    "ScaleDownLimit",
    "the desired replica count is decreasing faster than the maximum scale rate",
);

impl Memory {
    /// Notes how many pods there are when the autoscaler is first looked at.
    pub fn begin(&mut self, current: i32, now: Time) {
        if self.recommendations.is_empty() {
            self.recommendations.push((now, current));
        }
    }

    /// Notes a change that was made.
    pub fn scaled(&mut self, limits: &Limits<'_>, before: i32, after: i32) {
        let Some(behavior) = limits.behavior else { return };
        let (events, rules) = match after > before {
            true => (&mut self.ups, &behavior.scale_up),
            false => (&mut self.downs, &behavior.scale_down),
        };
        let policies = rules.iter().flat_map(|rules| rules.policies.iter().flatten());
        let longest = policies.map(|policy| policy.period_seconds).max().unwrap_or(0);
        events.retain(|(at, _)| within(*at, longest, limits.now));
        events.push((limits.now, (after - before).abs()));
    }

    /// The proposal within its limits.
    pub fn normalize(&mut self, limits: &Limits<'_>, current: i32, proposed: i32) -> Normalized {
        let (stabilized, able) = match limits.behavior {
            None => self.stabilize(limits, proposed),
            Some(behavior) => self.stabilize_by(limits, behavior, current, proposed),
        };
        let (replicas, (reason, message)) = match limits.behavior {
            None => by_default(limits, current, stabilized),
            Some(behavior) => self.by_rate(limits, behavior, current, stabilized),
        };
        let able = if stabilized == proposed { READY } else { able };
        Normalized { replicas, able, limited: (replicas != stabilized, reason, message) }
    }

    /// The highest of the proposals of the last minutes.
    fn stabilize(
        &mut self,
        limits: &Limits<'_>,
        proposed: i32,
    ) -> (i32, (&'static str, &'static str)) {
        let window = DOWNSCALE_STABILIZATION;
        self.recommendations.retain(|(at, _)| *at + window >= limits.now);
        let highest = self.recommendations.iter().map(|(_, replicas)| *replicas).max();
        self.recommendations.push((limits.now, proposed));
        (highest.unwrap_or(proposed).max(proposed), DOWN_STABILIZED)
    }

    /// What is neither above all that was proposed in the window of scaling up, nor below all of
    /// that of scaling down.
    fn stabilize_by(
        &mut self,
        limits: &Limits<'_>,
        behavior: &HorizontalPodAutoscalerBehavior,
        current: i32,
        proposed: i32,
    ) -> (i32, (&'static str, &'static str)) {
        let window = |rules: &Option<HPAScalingRules>, default: i32| {
            let seconds = rules.as_ref().and_then(|rules| rules.stabilization_window_seconds);
            seconds.unwrap_or(default)
        };
        let up = window(&behavior.scale_up, 0);
        let down = window(&behavior.scale_down, DOWNSCALE_STABILIZATION.as_secs() as i32);
        self.recommendations.retain(|(at, _)| within(*at, up.max(down), limits.now));
        let recent = |seconds: i32| {
            let fresh = move |(at, _): &&(Time, i32)| within(*at, seconds, limits.now);
            self.recommendations.iter().filter(fresh).map(|(_, replicas)| *replicas)
        };
        let lowest = recent(up).fold(proposed, i32::min);
        let highest = recent(down).fold(proposed, i32::max);
        self.recommendations.push((limits.now, proposed));
        let stabilized = current.max(lowest).min(highest);
        (stabilized, if proposed >= current { UP_STABILIZED } else { DOWN_STABILIZED })
    }

    /// As fast as the rules allow.
    fn by_rate(
        &self,
        limits: &Limits<'_>,
        behavior: &HorizontalPodAutoscalerBehavior,
        current: i32,
        desired: i32,
    ) -> (i32, (&'static str, &'static str)) {
        if desired > current {
            let limit = self.up_limit(limits.now, behavior.scale_up.as_ref(), current).max(current);
            let (most, why) = match limits.max > limit {
                true => (limit, TOO_FAST_UP),
                false => (limits.max, TOO_MANY),
            };
            if desired > most {
                return (most, why);
            }
        } else if desired < current {
            let limit =
                self.down_limit(limits.now, behavior.scale_down.as_ref(), current).min(current);
            let (least, why) = match limits.min < limit {
                true => (limit, TOO_FAST_DOWN),
                false => (limits.min, TOO_FEW),
            };
            if desired < least {
                return (least, why);
            }
        }
        (desired, WITHIN)
    }

    fn up_limit(&self, now: Time, rules: Option<&HPAScalingRules>, current: i32) -> i32 {
        let Some(rules) = rules else { return current };
        let proposals = self.by_policy(now, rules, current, |start, type_, value| match type_ {
            "Pods" => start.saturating_add(value),
            _ => (f64::from(start) * (1.0 + f64::from(value) / 100.0)).ceil() as i32,
        });
        match rules.select_policy.as_deref() {
            Some("Disabled") => current,
            Some("Min") => proposals.min().unwrap_or(i32::MAX),
            _ => proposals.max().unwrap_or(i32::MIN),
        }
    }

    fn down_limit(&self, now: Time, rules: Option<&HPAScalingRules>, current: i32) -> i32 {
        let Some(rules) = rules else { return current };
        let proposals = self.by_policy(now, rules, current, |start, type_, value| match type_ {
            "Pods" => start.saturating_sub(value),
            _ => (f64::from(start) * (1.0 - f64::from(value) / 100.0)) as i32,
        });
        match rules.select_policy.as_deref() {
            Some("Disabled") => current,
            Some("Min") => proposals.max().unwrap_or(i32::MIN),
            _ => proposals.min().unwrap_or(i32::MAX),
        }
    }

    /// What each policy comes to, from how many there were when its period began.
    fn by_policy<'s>(
        &'s self,
        now: Time,
        rules: &'s HPAScalingRules,
        current: i32,
        propose: impl Fn(i32, &str, i32) -> i32 + 's,
    ) -> impl Iterator<Item = i32> + 's {
        rules.policies.iter().flatten().map(move |policy| {
            let changes = |events: &[(Time, i32)]| {
                let recent =
                    events.iter().filter(|(at, _)| within(*at, policy.period_seconds, now));
                recent.map(|(_, change)| *change).fold(0, i32::saturating_add)
            };
            let start = current - changes(&self.ups) + changes(&self.downs);
            propose(start, &policy.type_, policy.value)
        })
    }
}

fn by_default(
    limits: &Limits<'_>,
    current: i32,
    desired: i32,
) -> (i32, (&'static str, &'static str)) {
    let limit = current.saturating_mul(SCALE_UP_FACTOR).max(SCALE_UP_MIN);
    let (most, why) = match limits.max > limit {
        true => (limit, TOO_FAST_UP),
        false => (limits.max, TOO_MANY),
    };
    match desired {
        desired if desired < limits.min => (limits.min, TOO_FEW),
        desired if desired > most => (most, why),
        desired => (desired, WITHIN),
    }
}

/// Whether a moment is less than so many seconds ago.
fn within(at: Time, seconds: i32, now: Time) -> bool {
    at + Duration::from_secs(u64::try_from(seconds).unwrap_or(0)) > now
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn limits(behavior: Option<&HorizontalPodAutoscalerBehavior>, secs: u64) -> Limits<'_> {
        Limits { min: 1, max: 10, behavior, now: Time::from_secs(secs) }
    }

    #[test]
    fn without_rules() {
        let mut memory = Memory::default();
        memory.begin(1, Time::ZERO);
        let up = memory.normalize(&limits(None, 15), 1, 7);
        assert_eq!((up.replicas, up.able.0, up.limited.1), (4, "ReadyForNewScale", "ScaleUpLimit"));
        let more = memory.normalize(&limits(None, 30), 4, 12);
        assert_eq!((more.replicas, more.limited.1), (8, "ScaleUpLimit"));
        let most = memory.normalize(&limits(None, 45), 8, 12);
        assert_eq!((most.replicas, most.limited), (10, (true, TOO_MANY.0, TOO_MANY.1)));
        let down = memory.normalize(&limits(None, 60), 10, 1);
        assert_eq!((down.replicas, down.able.0), (10, "ScaleDownStabilized"));
        let later = memory.normalize(&limits(None, 346), 10, 1);
        assert_eq!((later.replicas, later.able.0), (1, "ReadyForNewScale"));
        let none = memory.normalize(&limits(None, 700), 1, 0);
        assert_eq!((none.replicas, none.limited.1), (1, "TooFewReplicas"));
    }

    #[test]
    fn with_rules() {
        let behavior: HorizontalPodAutoscalerBehavior = serde_json::from_value(json!({
            "scaleUp": {"stabilizationWindowSeconds": 0, "selectPolicy": "Max",
                "policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]},
            "scaleDown": {"stabilizationWindowSeconds": 30, "selectPolicy": "Min",
                "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60},
                    {"type": "Percent", "value": 50, "periodSeconds": 60}]},
        }))
        .unwrap();
        let mut memory = Memory::default();
        let at = |secs| limits(Some(&behavior), secs);
        let up = memory.normalize(&at(0), 2, 9);
        assert_eq!((up.replicas, up.limited.1), (4, "ScaleUpLimit"));
        memory.scaled(&at(0), 2, 4);
        assert_eq!(memory.normalize(&at(15), 4, 9).replicas, 4, "not before the minute is over");
        assert_eq!(memory.normalize(&at(60), 4, 9).replicas, 6);
        memory.scaled(&at(60), 4, 6);
        let soon = memory.normalize(&at(75), 6, 1);
        assert_eq!((soon.replicas, soon.able.0), (6, "ScaleDownStabilized"));
        let down = memory.normalize(&at(121), 6, 1);
        assert_eq!((down.replicas, down.limited.1), (5, "ScaleDownLimit"));
    }
}
