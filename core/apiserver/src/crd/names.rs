//! The names of a definition: accepted unless another one of its group has them.
//!
//! Upstream: `apiextensions-apiserver/pkg/controller/status/naming_controller.go`.

use super::{Step, condition, says_the_same};
use crate::ApiServer;
use naru_api::gofmt::quote;
use naru_api::k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionCondition, CustomResourceDefinitionNames,
};
use naru_api::kinds::customresourcedefinition::{self, set_condition};
use naru_api::status::ApiResult;
use std::collections::BTreeSet;

impl ApiServer {
    /// Accepts the names of a definition, or tells the conflict; whether anything was written.
    pub(super) fn name_definition(&mut self, step: &Step<'_>) -> ApiResult<bool> {
        let definition = step.definition;
        let accepted = accepted_names(definition);
        if definition.spec.names == accepted {
            return Ok(false);
        }
        let taken = self.taken_names(&definition.spec.group);
        let (names, named) = decide(&definition.spec.names, &accepted, &taken);
        let before = customresourcedefinition::condition(definition, "NamesAccepted");
        if names == accepted && says_the_same(&named, before) {
            return Ok(false);
        }
        let established = established(definition, &named);
        let mut new = definition.clone();
        new.status.get_or_insert_default().accepted_names = Some(names);
        set_condition(&mut new, named, self.now);
        set_condition(&mut new, established, self.now);
        self.write_definition(new, step.cause)?;
        Ok(true)
    }

    fn taken_names(&self, group: &str) -> Taken {
        let mut taken = Taken::default();
        for definition in self.definitions_of(group) {
            let names = accepted_names(&definition);
            taken.resources.insert(names.plural);
            taken.resources.extend(names.singular);
            taken.resources.extend(names.short_names.unwrap_or_default());
            taken.kinds.insert(names.kind);
            taken.kinds.extend(names.list_kind);
        }
        taken
    }
}

#[derive(Default)]
struct Taken {
    resources: BTreeSet<String>,
    kinds: BTreeSet<String>,
}

fn accepted_names(definition: &CustomResourceDefinition) -> CustomResourceDefinitionNames {
    let status = definition.status.as_ref();
    status.and_then(|status| status.accepted_names.clone()).unwrap_or_default()
}

/// The names that are accepted, and the condition `NamesAccepted`.
fn decide(
    wanted: &CustomResourceDefinitionNames,
    accepted: &CustomResourceDefinitionNames,
    taken: &Taken,
) -> (CustomResourceDefinitionNames, CustomResourceDefinitionCondition) {
    let mut names = accepted.clone();
    let mut conflict = None;
    let mut check = |wanted: &str, accepted: &str, taken: &BTreeSet<String>, reason| {
        let free = wanted == accepted || !taken.contains(wanted);
        if !free {
            conflict = Some((reason, in_use(wanted)));
        }
        free
    };
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    if check(&wanted.plural, &accepted.plural, &taken.resources, "PluralConflict") {
        names.plural.clone_from(&wanted.plural);
    }
    let (new, old) = (text(&wanted.singular), text(&accepted.singular));
    if check(&new, &old, &taken.resources, "SingularConflict") {
        names.singular.clone_from(&wanted.singular);
    }
    if wanted.short_names != accepted.short_names {
        let ours = accepted.short_names.as_deref().unwrap_or_default();
        let all = wanted.short_names.iter().flatten();
        let in_conflict: Vec<String> = all
            .filter(|name| !ours.contains(name) && taken.resources.contains(*name))
            .map(|name| in_use(name))
            .collect();
        match in_conflict.as_slice() {
            [] => names.short_names.clone_from(&wanted.short_names),
            [one] => conflict = Some(("ShortNamesConflict", one.clone())),
            many => conflict = Some(("ShortNamesConflict", format!("[{}]", many.join(", ")))),
        }
    }
    let mut check = |wanted: &str, accepted: &str, taken: &BTreeSet<String>, reason| {
        let free = wanted == accepted || !taken.contains(wanted);
        if !free {
            conflict = Some((reason, in_use(wanted)));
        }
        free
    };
    if check(&wanted.kind, &accepted.kind, &taken.kinds, "KindConflict") {
        names.kind.clone_from(&wanted.kind);
    }
    let (new, old) = (text(&wanted.list_kind), text(&accepted.list_kind));
    if check(&new, &old, &taken.kinds, "ListKindConflict") {
        names.list_kind.clone_from(&wanted.list_kind);
    }
    names.categories.clone_from(&wanted.categories);
    let condition = match conflict {
        None => condition("NamesAccepted", "True", "NoConflicts", "no conflicts found"),
        Some((reason, message)) => condition("NamesAccepted", "False", reason, message),
    };
    (names, condition)
}

fn in_use(name: &str) -> String {
    format!("{} is already in use", quote(name))
}

/// The condition `Established` as long as the endpoint is not there.
fn established(
    definition: &CustomResourceDefinition,
    named: &CustomResourceDefinitionCondition,
) -> CustomResourceDefinitionCondition {
    let old = customresourcedefinition::condition(definition, "Established").cloned();
    if old.as_ref().is_none_or(|old| old.status != "True") && named.status == "True" {
        let message = "the initial names have been accepted";
        return condition("Established", "False", "Installing", message);
    }
    old.unwrap_or_else(|| {
        condition("Established", "False", "NotAccepted", "not all names are accepted")
    })
}
