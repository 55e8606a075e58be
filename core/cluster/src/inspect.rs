//! One object looked at closely.

use crate::Cluster;
use crate::view::{
    ActivityView, ConditionView, DecisionView, EventView, Inspection, OwnerView, ScoreView,
};
use crate::viewer::{activity_view, owner_view};
use k8s_openapi::api::core::v1::{Event, Pod};
use naru_api::{Key, KindRef, Kube, Object, scheme, time};
use naru_scheduler::{Decision, NodeScores};
use serde_json::Value;

/// Why an object is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// `pod`
    pub kind: String,
    /// Its namespace and name.
    pub key: Key,
    /// Of a pod: the scheduler's latest decision, if that is kept.
    pub decision: Option<Decision>,
    /// What led to its creation, the effect first, as far back as that is kept.
    pub chain: Vec<ActivityView>,
}

impl Cluster {
    /// Owners told at most; a chain of owners may be a ring.
    const OWNERS_MAX: usize = 16;

    /// An object with its YAML, its events, its owners and why it is there. The kind is looked
    /// for by its name alone, `Pod`, since the page knows no groups.
    pub fn inspect(&mut self, kind: &str, namespace: &str, name: &str) -> Option<Inspection> {
        let kind = self.kinds().into_iter().find(|known| known.kind == kind)?;
        let object = self.read(&kind, namespace, name)?;
        // Without who owns which field, which kubectl leaves out too.
        let json = object.content_json().unwrap_or_default();
        let scheduled = (kind == Pod::kind()).then(|| object.key());
        let decision = scheduled.and_then(|key| self.scheduler()?.decisions().about(&key).cloned());
        Some(Inspection {
            kind: kind.kind.to_string(),
            namespace: object.namespace().to_owned(),
            name: object.name().to_owned(),
            yaml: naru_api::yaml::print(&json),
            conditions: conditions(&json),
            decision: decision.as_ref().map(decision_view),
            revisions: self.revisions(&object),
            events: self.events_about(&object),
            owners: self.owners(&object),
            why: self.why(&kind, &object),
            uid: object.uid().to_owned(),
            charts: self.charts(&object),
            condition_lines: self.condition_lines(&object),
        })
    }

    /// Why an object is there, and of a pod, why it is where it is (or nowhere). The kind is looked
    /// for by any name that kubectl knows it by: `pod`, `deploy`.
    pub fn explain(&mut self, kind: &str, namespace: &str, name: &str) -> Option<Explanation> {
        let named = |known: &KindRef| {
            [&known.plural, &known.singular].into_iter().any(|name| **name == *kind)
                || known.short_names.iter().any(|name| *name == *kind)
        };
        let kind = self.kinds().into_iter().find(named)?;
        let object = self.read(&kind, namespace, name)?;
        let scheduled = (kind == Pod::kind()).then(|| object.key());
        let decision = scheduled.and_then(|key| self.scheduler()?.decisions().about(&key).cloned());
        let chain = self.why(&kind, &object);
        Some(Explanation { kind: kind.singular.to_string(), key: object.key(), decision, chain })
    }

    fn events_about(&mut self, object: &Object) -> Vec<EventView> {
        let namespace = match object.namespace() {
            "" => "default",
            namespace => namespace,
        };
        let selector = format!("involvedObject.uid={}", object.uid());
        let list = self.list(&Event::kind(), namespace, "", &selector);
        let mut events: Vec<EventView> =
            list.iter().filter_map(|object| Some(event_view(object.get::<Event>()?))).collect();
        events.sort_by_key(|event| event.micros);
        events
    }

    fn owners(&mut self, object: &Object) -> Vec<OwnerView> {
        let mut owners: Vec<OwnerView> = Vec::new();
        let mut current = object.clone();
        while let Some(view) = owner_view(&current) {
            if owners.len() == Self::OWNERS_MAX || owners.contains(&view) {
                break;
            }
            let next = current.controller().and_then(|owner| {
                let kind = scheme::by_kind(&self.kinds(), &owner.api_version, &owner.kind)?;
                let name = owner.name.clone();
                self.read(&kind, current.namespace(), &name)
            });
            owners.push(view);
            match next {
                Some(object) => current = object,
                None => break,
            }
        }
        owners
    }

    /// The chain of causes of the object's creation, as far back as it is kept.
    fn why(&mut self, kind: &KindRef, object: &Object) -> Vec<ActivityView> {
        let subject = match object.namespace() {
            "" => format!("{}/{}", kind.plural, object.name()),
            namespace => format!("{}/{namespace}/{}", kind.plural, object.name()),
        };
        let causes = self.causes();
        let created = causes
            .after(naru_sim::CauseId::ROOT)
            .filter(|cause| cause.verb == "create" && *cause.subject == *subject)
            .last()
            .map(|cause| cause.id);
        created.into_iter().flat_map(|id| causes.chain(id)).map(activity_view).collect()
    }
}

/// `status.conditions` of any object that has them.
fn conditions(object: &Value) -> Vec<ConditionView> {
    let list = object.pointer("/status/conditions").and_then(Value::as_array);
    let view = |condition: &Value| {
        let text =
            |name: &str| condition.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        ConditionView {
            kind: text("type"),
            status: text("status"),
            reason: text("reason"),
            message: text("message"),
            since: text("lastTransitionTime"),
        }
    };
    list.into_iter().flatten().map(view).collect()
}

fn decision_view(decision: &Decision) -> DecisionView {
    let score = |scores: &NodeScores| ScoreView {
        node: scores.node.to_string(),
        plugins: scores
            .plugins
            .iter()
            .map(|(name, points)| ((*name).to_owned(), *points))
            .collect(),
        total: scores.total,
    };
    let filtered = |(node, plugin, why): &(std::sync::Arc<str>, &str, String)| {
        (node.to_string(), (*plugin).to_owned(), why.clone())
    };
    DecisionView {
        micros: decision.at.as_micros(),
        chosen: decision.chosen.as_deref().map(str::to_owned),
        message: decision.message.clone(),
        filtered: decision.filtered.iter().map(filtered).collect(),
        scores: decision.scores.nodes().iter().map(score).collect(),
    }
}

fn event_view(event: &Event) -> EventView {
    let last = event.last_timestamp.as_ref().map(time::from_meta);
    let seen = event.event_time.as_ref().map(time::from_micro);
    let created = event.metadata.creation_timestamp.as_ref().map(time::from_meta);
    EventView {
        kind: event.type_.clone().unwrap_or_default(),
        reason: event.reason.clone().unwrap_or_default(),
        from: event.reporting_component.clone().unwrap_or_default(),
        message: event.message.clone().unwrap_or_default(),
        count: event.count.and_then(|count| u32::try_from(count).ok()).unwrap_or(1).max(1),
        micros: last.or(seen).or(created).unwrap_or_default().as_micros(),
    }
}
