//! CustomResourceDefinitions: what they define is served as soon as they are established.
//!
//! Upstream's `apiextensions-apiserver` has a controller for each of these steps; here they follow
//! one another after the request that gave rise to them.

mod establish;
mod finalizer;
mod names;

pub(crate) use finalizer::mark;

use crate::aggregated::is_aggregated;
use crate::server::loopback;
use crate::store::Change;
use crate::{ApiServer, keys};
use naru_api::custom::kinds_of;
use naru_api::k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionCondition,
};
use naru_api::kinds::customresourcedefinition::{is_true, set_condition};
use naru_api::request::Body;
use naru_api::{
    ApiError, DynamicObject, Kind, KindRef, Kube, Object, Op, Request, StrategyRef, scheme,
    status::ApiResult,
};
use naru_sim::CauseId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Steps after one request: more would be a definition that never comes to rest.
const STEPS_MAX: usize = 10_000;

/// What the definitions define.
#[derive(Clone, Debug, Default)]
pub(crate) struct Definitions {
    served: BTreeMap<String, Served>,
    /// Names of the definitions that have to be looked at, and why.
    due: BTreeMap<String, CauseId>,
}

/// What is served of a definition.
#[derive(Clone, Debug)]
struct Served {
    /// As it was when the kinds were made of it.
    definition: Arc<CustomResourceDefinition>,
    kinds: Vec<KindRef>,
}

impl Definitions {
    /// Learns from a committed change which definitions have to be looked at.
    pub(crate) fn observe(&mut self, change: &Change) {
        let Some(object) = change.after.as_ref().or(change.before.as_ref()) else { return };
        if object.get::<CustomResourceDefinition>().is_some() {
            self.due.insert(object.name().to_owned(), change.cause);
        } else if change.after.is_none() && DynamicObject::of(object).is_some() {
            let name = object.kind().group_resource();
            let waits = |served: &Served| is_true(&served.definition, "Terminating");
            if self.served.get(&name).is_some_and(waits) {
                self.due.insert(name, change.cause);
            }
        }
    }

    /// The kind as it is defined now; `None` when it is not defined any more.
    pub(crate) fn current(&self, kind: &KindRef) -> Option<KindRef> {
        let served = self.served.get(&kind.group_resource())?;
        served.kinds.iter().find(|served| served.is_same_version(kind)).cloned()
    }
}

/// Whether a custom resource may be asked this. While its definition goes away, nothing new is
/// made, though discovery is silent on changes too.
pub(crate) fn check_verb(kind: &Kind, op: &Op) -> ApiResult<()> {
    let verb = op.verb();
    if verb == "create" && !kind.verbs.contains(&verb) {
        let message = "create not allowed while custom resource definition is terminating";
        return Err(ApiError::method_not_supported(kind, verb).with_message(message));
    }
    Ok(())
}

/// A definition that is about to be written.
struct Step<'a> {
    definition: &'a CustomResourceDefinition,
    cause: CauseId,
}

impl ApiServer {
    /// The kind of a request as it is served now.
    pub(crate) fn served(&self, kind: &KindRef) -> ApiResult<KindRef> {
        match kind.strategy {
            StrategyRef::BuiltIn(_)
                if is_aggregated(kind) && !self.aggregation.kinds.contains(kind) =>
            {
                const WHY: &str = "the server is currently unable to handle the request";
                Err(match self.is_unavailable(&kind.group, &kind.version) {
                    true => ApiError::new(503, "ServiceUnavailable", WHY),
                    false => ApiError::no_such_path(),
                })
            }
            StrategyRef::BuiltIn(_) => Ok(kind.clone()),
            StrategyRef::Custom(_) => {
                self.definitions.current(kind).ok_or_else(ApiError::no_such_path)
            }
        }
    }

    /// Does what definitions are waiting for, until all of them rest.
    pub(crate) fn follow_definitions(&mut self) {
        for _ in 0..STEPS_MAX {
            let Some((name, cause)) = self.definitions.due.pop_first() else { return };
            let warnings = std::mem::take(&mut self.warnings);
            // A step that fails was overtaken by another change, which is due itself.
            let _ = self.follow_definition(&name, cause);
            self.warnings = warnings;
        }
    }

    fn follow_definition(&mut self, name: &str, cause: CauseId) -> ApiResult<()> {
        let kind = CustomResourceDefinition::kind();
        let found = self.store.get(&keys::of_object(&kind, "", name));
        let Some(definition) = found.and_then(|object| object.arc::<CustomResourceDefinition>())
        else {
            self.withdraw(name, cause);
            self.look_at_group(name, cause);
            return Ok(());
        };
        let step = Step { definition: &definition, cause };
        if self.name_definition(&step)? || self.approve_definition(&step)? {
            self.look_at_group(name, cause);
            return Ok(());
        }
        self.serve(&definition, cause);
        if !self.establish_definition(&step)? {
            self.finalize_definition(&step)?;
        }
        Ok(())
    }

    /// Serves what a definition defines, as it is now.
    fn serve(&mut self, definition: &Arc<CustomResourceDefinition>, cause: CauseId) {
        let name = definition.metadata.name.clone().unwrap_or_default();
        if !is_true(definition, "NamesAccepted") && !is_true(definition, "Established") {
            return;
        }
        let accepted = |one: &CustomResourceDefinition| {
            one.status.as_ref().and_then(|status| status.accepted_names.clone())
        };
        let before = self.definitions.served.get(&name).map(|served| &served.definition);
        let same_spec = before.is_some_and(|before| {
            before.spec == definition.spec
                && before.metadata.uid == definition.metadata.uid
                && accepted(before) == accepted(definition)
        });
        let terminating = |one: &CustomResourceDefinition| is_true(one, "Terminating");
        if same_spec && before.is_some_and(|one| terminating(one) == terminating(definition)) {
            return;
        }
        let kinds = kinds_of(definition);
        if !same_spec {
            self.end_watches(&name);
        }
        let served = Served { definition: Arc::clone(definition), kinds };
        self.definitions.served.insert(name, served);
        self.list_kinds(cause);
    }

    /// Serves a definition's kinds no more.
    fn withdraw(&mut self, name: &str, cause: CauseId) {
        self.end_watches(name);
        if self.definitions.served.remove(name).is_some() {
            self.list_kinds(cause);
        }
    }

    /// Watches end with the storage that they look at: their clients begin again.
    fn end_watches(&mut self, name: &str) {
        let kinds = self.definitions.served.get(name).map(|served| served.kinds.clone());
        for kind in kinds.unwrap_or_default() {
            self.watches.expire(&kind);
        }
    }

    /// Tells anew which kinds there are: the built-in ones, then the others by group and version.
    pub(crate) fn list_kinds(&mut self, cause: CauseId) {
        let mut custom: Vec<&KindRef> =
            self.definitions.served.values().flat_map(|served| &served.kinds).collect();
        custom.sort_by(|a, b| {
            let versions = naru_api::custom::compare_versions(&b.version, &a.version);
            a.group.cmp(&b.group).then(versions).then_with(|| a.plural.cmp(&b.plural))
        });
        self.kinds = scheme::built_in();
        self.kinds.extend(custom.into_iter().cloned());
        self.kinds.extend(self.aggregation.kinds.iter().cloned());
        self.register_groups(cause);
    }

    /// Looks at the other definitions of a group again: names may have become free.
    fn look_at_group(&mut self, name: &str, cause: CauseId) {
        let Some((_, group)) = name.split_once('.') else { return };
        let all = self.definitions_of(group);
        let others: BTreeSet<String> = all
            .iter()
            .filter_map(|one| one.metadata.name.clone())
            .filter(|other| other != name)
            .collect();
        for other in others {
            self.definitions.due.entry(other).or_insert(cause);
        }
    }

    /// The definitions of a group, by name.
    fn definitions_of(&self, group: &str) -> Vec<Arc<CustomResourceDefinition>> {
        let prefix = keys::of_kind(&CustomResourceDefinition::kind());
        let all = self.store.range(&prefix);
        let all = all.filter_map(|object| object.arc::<CustomResourceDefinition>());
        all.filter(|definition| definition.spec.group == group).collect()
    }

    /// Writes the status of a definition, and its metadata with it.
    fn write_definition(
        &mut self,
        definition: CustomResourceDefinition,
        cause: CauseId,
    ) -> ApiResult<Object> {
        let request = Request {
            name: definition.metadata.name.clone().unwrap_or_default(),
            subresource: "status",
            cause,
            ..Request::new(
                loopback(),
                "kube-apiserver".into(),
                CustomResourceDefinition::kind(),
                Op::Get,
            )
        };
        self.update(&request, Body::Object(Object::new(definition)))
    }
}

/// A condition with these words.
fn condition(
    type_: &str,
    status: &str,
    reason: &str,
    message: impl Into<String>,
) -> CustomResourceDefinitionCondition {
    CustomResourceDefinitionCondition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.into()),
        last_transition_time: None,
    }
}

/// Whether two conditions say the same.
fn says_the_same(
    a: &CustomResourceDefinitionCondition,
    b: Option<&CustomResourceDefinitionCondition>,
) -> bool {
    b.is_some_and(|b| a.status == b.status && a.reason == b.reason && a.message == b.message)
}

impl ApiServer {
    /// The definition with a condition set.
    fn with_condition(
        &self,
        definition: &CustomResourceDefinition,
        condition: CustomResourceDefinitionCondition,
    ) -> CustomResourceDefinition {
        let mut definition = definition.clone();
        set_condition(&mut definition, condition, self.now);
        definition
    }
}
