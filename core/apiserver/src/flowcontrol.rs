//! API Priority and Fairness: what the API server makes of it by itself. Its requests do not wait
//! for one another here, since they take no time.
//!
//! Every flow schema is told whether its priority level is there, after each request that may have
//! changed that; and what every cluster has of schemas and levels is made, and restored within a
//! minute. When nothing has changed, nothing is looked at.
//!
//! Upstream: `apiserver/pkg/util/flowcontrol/apf_controller.go`,
//! `pkg/registry/flowcontrol/rest/storage_flowcontrol.go`,
//! `pkg/registry/flowcontrol/ensurer/strategy.go`.

use crate::rest::Flows;
use crate::server::loopback;
use crate::store::Change;
use crate::{ApiServer, keys};
use naru_api::flowcontrol::{
    self, AUTO_UPDATE, Bootstrap, DANGLING, EXEMPT, flow_schemas, priority_levels,
};
use naru_api::gofmt::quote;
use naru_api::k8s_openapi::api::flowcontrol::v1::{
    FlowSchema, PriorityLevelConfiguration, PriorityLevelConfigurationSpec,
};
use naru_api::request::{Body, DeleteOptions, Patch};
use naru_api::status::ApiResult;
use naru_api::{ApiService, KindRef, Kube, Object, Op, Request, time};
use naru_sim::{CauseId, Time};
use serde_json::json;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// How often the API server sees to what it has made. Upstream: `wait.PollImmediateUntil` in
/// `ensureAPFBootstrapConfiguration`.
const INTERVAL: Duration = Duration::from_secs(60);
/// Who writes what every cluster has. Upstream: `fieldManager` in `ensurer/strategy.go`.
const PRODUCER: &str = "api-priority-and-fairness-config-producer-v1";
/// Who writes conditions. Upstream: `ConfigConsumerAsFieldManager`.
const CONSUMER: &str = "api-priority-and-fairness-config-consumer-v1";
/// How often the status of a schema is written within a minute; then it is put off. Upstream:
/// `shouldDelayUpdate`.
const WRITES_MAX: usize = 6;
const WRITES_WITHIN: Duration = Duration::from_secs(60);
/// Looks after one request, which come to rest once every condition is right.
const LOOKS_MAX: usize = 100;

/// What is known of schemas and levels beside the store.
#[derive(Clone, Debug, Default)]
pub(crate) struct FlowControl {
    /// Since when the API server sees to what every cluster has.
    since: Option<Time>,
    /// When that may have to be restored.
    ensure_at: Option<Time>,
    /// Conditions have to be looked at, and why.
    due: Option<CauseId>,
    /// When conditions are looked at that were written too often.
    put_off: Option<Time>,
    /// Whose status was written lately.
    written: VecDeque<(Time, String)>,
    /// What every cluster has is being made: conditions are looked at once all is there.
    busy: bool,
    /// The requests that have come.
    pub flows: Flows,
}

impl FlowControl {
    /// Learns from a change at the moment `now` what has to be looked at.
    pub(crate) fn observe(&mut self, change: &Change, now: Time) {
        let Some(object) = change.after.as_ref().or(change.before.as_ref()) else { return };
        let is_level = object.get::<PriorityLevelConfiguration>().is_some();
        if !is_level && object.get::<FlowSchema>().is_none() {
            return;
        }
        self.flows.forget_ways();
        self.due.get_or_insert(change.cause);
        if let Some(since) = self.since {
            let passed = now.since(since).as_secs() / INTERVAL.as_secs();
            let next = since + Duration::from_secs((passed + 1) * INTERVAL.as_secs());
            self.ensure_at.get_or_insert(next);
        }
    }

    /// When there is something to do by the clock.
    pub(crate) fn next_due(&self) -> Option<Time> {
        self.ensure_at.into_iter().chain(self.put_off).min()
    }

    /// Whether the status of a schema may be written at this moment; notes that it is.
    fn may_write(&mut self, name: &str, now: Time) -> bool {
        while self.written.front().is_some_and(|(at, _)| *at + WRITES_WITHIN < now) {
            self.written.pop_front();
        }
        let may = self.written.iter().filter(|(_, written)| written == name).count() < WRITES_MAX;
        if may {
            self.written.push_back((now, name.to_owned()));
        }
        may
    }
}

impl ApiServer {
    /// Makes the flow schemas and priority levels that every cluster has, and sees to them from now
    /// on, as an API server does from its start.
    pub fn start_flow_control(&mut self) -> ApiResult<()> {
        self.flow_control.since = Some(self.now);
        self.ensure_flow_control()
    }

    /// When flow schemas and priority levels have to be looked at, by [`ApiServer::tick`].
    pub fn next_flow_control(&self) -> Option<Time> {
        self.flow_control.next_due()
    }

    /// Does what is due by the clock.
    pub(crate) fn tick_flow_control(&mut self) {
        let now = self.now;
        if self.flow_control.put_off.take_if(|at| *at <= now).is_some() {
            self.flow_control.due.get_or_insert(CauseId::ROOT);
            self.follow_flow_schemas();
        }
        if self.flow_control.ensure_at.is_some_and(|at| at <= now)
            && self.ensure_flow_control().is_err()
        {
            self.flow_control.ensure_at = Some(now + INTERVAL);
        }
    }

    /// Tells every schema whether its priority level is there.
    pub(crate) fn follow_flow_schemas(&mut self) {
        if self.flow_control.busy || self.flow_control.due.is_none() {
            return;
        }
        let warnings = std::mem::take(&mut self.warnings);
        for _ in 0..LOOKS_MAX {
            let Some(cause) = self.flow_control.due.take() else { break };
            self.look_at_schemas(cause);
        }
        self.warnings = warnings;
    }

    /// Upstream: `digestFlowSchemasLocked`, `presyncFlowSchemaStatus`.
    fn look_at_schemas(&mut self, cause: CauseId) {
        let levels = self.store.range(&keys::of_kind(&PriorityLevelConfiguration::kind()));
        let levels: BTreeSet<String> =
            levels.filter(|level| is_whole(level)).map(|level| level.name().to_owned()).collect();
        let schemas = self.store.range(&keys::of_kind(&FlowSchema::kind()));
        let wrong: Vec<(String, Condition)> = schemas
            .filter_map(|object| {
                let schema = object.get::<FlowSchema>()?;
                let level = level_of(schema);
                let wanted = Condition::new(level, levels.contains(level));
                (!wanted.is_that_of(schema)).then(|| (object.name().to_owned(), wanted))
            })
            .collect();
        let now = self.now;
        for (name, condition) in wrong {
            if self.flow_control.may_write(&name, now) {
                // What is refused now was overtaken by another change, which is looked at itself.
                let _ = self.write_condition(&name, &condition, cause);
            } else if self.flow_control.put_off.is_none() {
                let delay = Duration::from_secs(30 + self.own_rng.below(45));
                self.flow_control.put_off = Some(now + delay);
            }
        }
    }

    fn write_condition(
        &mut self,
        name: &str,
        condition: &Condition,
        cause: CauseId,
    ) -> ApiResult<Object> {
        let kind = FlowSchema::kind();
        let now = time::rfc3339(Some(&time::meta_time(self.now)));
        let fields = json!({
            "apiVersion": kind.api_version(),
            "kind": &*kind.kind,
            "metadata": {"name": name},
            "status": {"conditions": [{
                "type": DANGLING,
                "status": condition.status,
                "reason": condition.reason,
                "message": condition.message,
                "lastTransitionTime": now,
            }]},
        });
        let request = Request {
            name: name.to_owned(),
            subresource: "status",
            cause,
            ..own_request(&kind, CONSUMER, Op::Get)
        };
        self.patch(&request, &Patch::Apply { fields, force: true })
    }

    /// Upstream: `ensure`.
    fn ensure_flow_control(&mut self) -> ApiResult<()> {
        if self.etcd_is_lost() {
            return Err(crate::etcd_timed_out());
        }
        self.flow_control.busy = true;
        let result = self.by_itself(ApiServer::ensure_all);
        self.flow_control.busy = false;
        self.follow_flow_schemas();
        // What was written here itself need not be restored.
        self.flow_control.ensure_at = None;
        result
    }

    fn ensure_all(&mut self) -> ApiResult<()> {
        for bootstrap in [Bootstrap::Suggested, Bootstrap::Mandatory] {
            for level in priority_levels(bootstrap) {
                self.ensure_one(Object::new(level), bootstrap)?;
            }
            for schema in flow_schemas(bootstrap) {
                self.ensure_one(Object::new(schema), bootstrap)?;
            }
        }
        self.remove_unwanted(&FlowSchema::kind(), |bootstrap| {
            flow_schemas(bootstrap).map(|schema| schema.metadata.name).collect()
        })?;
        self.remove_unwanted(&PriorityLevelConfiguration::kind(), |bootstrap| {
            priority_levels(bootstrap).map(|level| level.metadata.name).collect()
        })
    }

    /// Makes an object, or makes it again what it was, as far as it may be.
    ///
    /// Upstream: `EnsureConfiguration`, `ReviseIfNeeded`.
    fn ensure_one(&mut self, wanted: Object, bootstrap: Bootstrap) -> ApiResult<()> {
        let kind = wanted.kind();
        let Some(current) = self.store.get(&keys::of_object(&kind, "", wanted.name())) else {
            let op = Op::Create(Body::Object(wanted));
            return self.handle(own_request(&kind, PRODUCER, op)).map(drop);
        };
        let updates = bootstrap == Bootstrap::Mandatory || is_updated(&current);
        let annotation = auto_update(&current) != Some(updates);
        let restored = if updates { restored(&wanted, &current) } else { None };
        if !annotation && restored.is_none() {
            return Ok(());
        }
        let mut revised = restored.unwrap_or(current);
        if annotation {
            let annotations = revised.meta_mut().annotations.get_or_insert_default();
            annotations.insert(AUTO_UPDATE.to_owned(), updates.to_string());
        }
        let name = revised.name().to_owned();
        let op = Op::Update(Body::Object(revised));
        self.handle(Request { name, ..own_request(&kind, PRODUCER, op) }).map(drop)
    }

    /// Deletes what says that the API server keeps it, and is not what it has made.
    ///
    /// Upstream: `RemoveUnwantedObjects`.
    fn remove_unwanted(
        &mut self,
        kind: &KindRef,
        names: impl Fn(Bootstrap) -> Vec<Option<String>>,
    ) -> ApiResult<()> {
        let wanted = [names(Bootstrap::Mandatory), names(Bootstrap::Suggested)].concat();
        let unwanted = |object: &&Object| {
            auto_update(object) == Some(true)
                && !wanted.iter().flatten().any(|name| name == object.name())
        };
        let objects = self.store.range(&keys::of_kind(kind));
        let unwanted: Vec<String> =
            objects.filter(unwanted).map(|object| object.name().to_owned()).collect();
        for name in unwanted {
            let op = Op::Delete(DeleteOptions::default());
            match self.handle(Request { name, ..own_request(kind, PRODUCER, op) }) {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// A request of the API server to itself, by this field manager.
fn own_request(kind: &KindRef, manager: &str, op: Op) -> Request {
    let request = Request::new(loopback(), "kube-apiserver".into(), kind.clone(), op);
    Request { field_manager: manager.into(), ..request }
}

pub(crate) fn level_of(schema: &FlowSchema) -> &str {
    schema.spec.as_ref().map_or("", |spec| &spec.priority_level_configuration.name)
}

/// Whether the API server can do what a level says; else it is as if it were not there.
///
/// Upstream: `queueSetCompleterForPL`.
pub(crate) fn is_whole(level: &Object) -> bool {
    let spec = level.get::<PriorityLevelConfiguration>().and_then(|level| level.spec.as_ref());
    let Some(PriorityLevelConfigurationSpec { exempt, limited, type_ }) = spec else {
        return false;
    };
    let response = limited.as_ref().and_then(|limited| limited.limit_response.as_ref());
    (type_ == "Limited") == limited.is_some()
        && (type_ == "Exempt") == exempt.is_some()
        && (type_ == "Exempt") == (level.name() == EXEMPT)
        && response.is_none_or(|it| (it.type_ == "Reject") == it.queuing.is_none())
}

/// What stands in the status of a schema.
struct Condition {
    status: &'static str,
    reason: &'static str,
    message: String,
}

impl Condition {
    fn new(level: &str, found: bool) -> Self {
        let about = "This FlowSchema references the PriorityLevelConfiguration object named";
        let level = quote(level);
        let (status, reason, what) = match found {
            true => ("False", "Found", "and it exists"),
            false => ("True", "NotFound", "but there is no such object"),
        };
        Condition { status, reason, message: format!("{about} {level} {what}") }
    }

    fn is_that_of(&self, schema: &FlowSchema) -> bool {
        let mut conditions =
            schema.status.iter().flat_map(|status| status.conditions.iter().flatten());
        let found = conditions.find(|condition| condition.type_.as_deref() == Some(DANGLING));
        found.is_some_and(|found| {
            found.status.as_deref() == Some(self.status)
                && found.reason.as_deref() == Some(self.reason)
                && found.message.as_deref() == Some(&self.message)
        })
    }
}

/// Whether a suggested object is kept as it was made: if it says so, or nobody has changed it.
///
/// Upstream: `shouldUpdateSpec`.
fn is_updated(object: &Object) -> bool {
    let said = auto_update(object);
    said.unwrap_or_else(|| object.meta().generation == Some(1))
}

/// The object with the wanted spec, if it has another.
///
/// Upstream: `flowSchemaSpecEqual`, `plcSpecEqualish`.
fn restored(wanted: &Object, current: &Object) -> Option<Object> {
    let mut revised = current.clone();
    if let Some(wanted) = wanted.get::<FlowSchema>() {
        let schema = revised.edit::<FlowSchema>()?;
        let (is, shall) = (schema.spec.take().unwrap_or_default(), wanted.spec.as_ref()?);
        if flowcontrol::same_schema(&is, shall) {
            return None;
        }
        schema.spec = Some(shall.clone());
        return Some(revised);
    }
    let name = wanted.name();
    let shall = wanted.get::<PriorityLevelConfiguration>()?.spec.as_ref()?;
    let level = revised.edit::<PriorityLevelConfiguration>()?;
    let is = level.spec.take().unwrap_or_default();
    let mut expected = shall.clone();
    if name == EXEMPT && is.exempt.is_some() {
        // How much of it there is, an administrator may say.
        expected.exempt.clone_from(&is.exempt);
    }
    if is == expected {
        return None;
    }
    level.spec = Some(shall.clone());
    Some(revised)
}

/// What the annotation says, if that is a flag.
fn auto_update(object: &Object) -> Option<bool> {
    parse_bool(object.meta().annotations.as_ref()?.get(AUTO_UPDATE)?)
}

/// Upstream: `strconv.ParseBool`.
fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
