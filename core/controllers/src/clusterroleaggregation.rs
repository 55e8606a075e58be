//! Gathers the rules of ClusterRoles that others select by label.
//!
//! Upstream: `pkg/controller/clusterroleaggregation/clusterroleaggregation_controller.go`.

use k8s_openapi::api::rbac::v1::{AggregationRule, ClusterRole, PolicyRule};
use naru_api::labels::Selector;
use naru_api::{Key, Kube, Object, WatchEvent};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};

/// The cluster role aggregation controller.
#[derive(Clone, Debug, Default)]
pub struct ClusterRoleAggregationController;

impl Controller for ClusterRoleAggregationController {
    fn name(&self) -> &str {
        "clusterrole-aggregation-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<ClusterRole>()]
    }

    /// Any role may be one that another gathers.
    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        if event.object.kind() != ClusterRole::kind() {
            return Vec::new();
        }
        let gathers = |object: &&Object| object.get().and_then(rule).is_some();
        cache.objects(&ClusterRole::kind(), "").filter(gathers).map(Object::key).collect()
    }
}

impl Reconcile for ClusterRoleAggregationController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let cache = context.cache;
        let Some(role) = cache.get::<ClusterRole>(key) else { return Ok(Action::await_change()) };
        let Some(aggregation) = rule(role) else { return Ok(Action::await_change()) };
        let rules = gather(&key.name, aggregation, cache)?;
        if role.rules.as_deref().unwrap_or_default() == rules {
            return Ok(Action::await_change());
        }
        let changed = ClusterRole { rules: Some(rules), ..role.clone() };
        match context.client.update(changed) {
            Err(error) if error.is_not_found() => {}
            other => drop(other?),
        }
        Ok(Action::await_change())
    }
}

fn rule(role: &ClusterRole) -> Option<&AggregationRule> {
    role.aggregation_rule.as_ref()
}

/// The rules of all roles that are selected, in the order of their names, each once.
fn gather(
    own: &str,
    aggregation: &AggregationRule,
    cache: &Cache,
) -> Result<Vec<PolicyRule>, Error> {
    let mut rules: Vec<PolicyRule> = Vec::new();
    for selector in aggregation.cluster_role_selectors.iter().flatten() {
        let selector = Selector::from_label_selector(Some(selector))
            .map_err(|error| Error::Other(error.to_string()))?;
        for role in cache.list::<ClusterRole>("") {
            let is_own = role.metadata.name.as_deref() == Some(own);
            if is_own || !selector.matches(role.metadata.labels.as_ref()) {
                continue;
            }
            for rule in role.rules.iter().flatten() {
                if !rules.contains(rule) {
                    rules.push(rule.clone());
                }
            }
        }
    }
    Ok(rules)
}
