//! Empties namespaces that are being deleted, and lets them go.
//!
//! Upstream: `pkg/controller/namespace`.

use k8s_openapi::api::core::v1::{Namespace, NamespaceCondition, Pod};
use naru_api::request::{Body, DeleteOptions, ListOptions, Propagation};
use naru_api::time::{from_meta, meta_time};
use naru_api::{Key, KindRef, Kube, Object, Op, Response, WatchEvent, WatchEventType, scheme};
use naru_client::{Action, Cache, Client, Context, Controller, Error, Reconcile, Watch};
use naru_sim::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// Upstream waits until all API servers know of the deletion: `namespaceDeletionGracePeriod`.
const DELETION_GRACE: Duration = Duration::from_secs(5);
/// How long finalizers are expected to take. Upstream: `finalizerEstimateSeconds`.
const FINALIZER_ESTIMATE: Duration = Duration::from_secs(15);
const FINALIZER: &str = "kubernetes";

/// The namespace controller.
#[derive(Clone, Debug, Default)]
pub struct NamespaceController;

impl Controller for NamespaceController {
    fn name(&self) -> &str {
        "namespace-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<Namespace>()]
    }

    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        let object = &event.object;
        let going = object.kind() == Namespace::kind()
            && event.kind != WatchEventType::Deleted
            && object.meta().deletion_timestamp.is_some();
        if going { vec![object.key()] } else { Vec::new() }
    }
}

impl Reconcile for NamespaceController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let cached = context.cache.get::<Namespace>(key);
        let Some(asked) = cached.and_then(|ns| ns.metadata.deletion_timestamp.as_ref()) else {
            return Ok(Action::await_change());
        };
        let begin = from_meta(asked) + DELETION_GRACE;
        if context.now < begin {
            return Ok(Action::requeue_after(begin.since(context.now)));
        }
        let namespace = match context.client.get::<Namespace>("", &key.name) {
            Ok(namespace) => namespace,
            Err(error) if error.is_not_found() => return Ok(Action::await_change()),
            Err(error) => return Err(error.into()),
        };
        if namespace.metadata.deletion_timestamp.is_none() || !is_held(&namespace) {
            return Ok(Action::await_change());
        }
        let remains = delete_content(context, &key.name)?;
        let namespace = update_conditions(context, &namespace, &remains)?;
        if let Some(estimate) = remains.estimate {
            return Ok(Action::requeue_after(estimate / 2 + Duration::from_secs(1)));
        }
        finalize(&mut context.client, namespace)?;
        Ok(Action::await_change())
    }
}

fn is_held(namespace: &Namespace) -> bool {
    let finalizers = namespace.spec.as_ref().and_then(|spec| spec.finalizers.as_ref());
    finalizers.is_some_and(|finalizers| finalizers.iter().any(|name| name == FINALIZER))
}

/// What is still there after everything was asked to go.
#[derive(Debug, Default)]
struct Remains {
    /// How long the rest will take; `None` when there is no rest.
    estimate: Option<Duration>,
    /// Objects by resource.
    resources: BTreeMap<String, usize>,
    /// Objects by finalizer.
    finalizers: BTreeMap<String, usize>,
}

/// Deletes the pods, and when they are gone everything else.
///
/// Pods first, so that no pod outlives the NetworkPolicy that guards it. Upstream: feature gate
/// `OrderedNamespaceDeletion`.
fn delete_content(context: &mut Context<'_>, namespace: &str) -> Result<Remains, Error> {
    let mut remains = Remains::default();
    delete_kind(context, &Pod::kind(), namespace, &mut remains)?;
    if remains.estimate.is_some() {
        return Ok(remains);
    }
    let kinds = context.client.api().kinds();
    for kind in scheme::one_version_each(&kinds) {
        let needed = ["deletecollection", "list"];
        if kind.namespaced && needed.iter().all(|verb| kind.verbs.contains(verb)) {
            delete_kind(context, &kind, namespace, &mut remains)?;
        }
    }
    Ok(remains)
}

fn delete_kind(
    context: &mut Context<'_>,
    kind: &KindRef,
    namespace: &str,
    remains: &mut Remains,
) -> Result<(), Error> {
    if list(&mut context.client, kind, namespace)?.is_empty() {
        return Ok(());
    }
    let propagation = Some(Propagation::Background);
    let options = DeleteOptions { propagation, ..DeleteOptions::default() };
    let op = Op::DeleteCollection(options, ListOptions::default());
    context.client.send(kind.clone(), namespace, "", "", op)?;
    for object in list(&mut context.client, kind, namespace)? {
        remains.add(kind, &object, context.now);
    }
    Ok(())
}

fn list(client: &mut Client<'_>, kind: &KindRef, namespace: &str) -> Result<Vec<Object>, Error> {
    match client.send(kind.clone(), namespace, "", "", Op::List(ListOptions::default()))? {
        Response::List(list) => Ok(list.items),
        _ => Ok(Vec::new()),
    }
}

impl Remains {
    fn add(&mut self, kind: &KindRef, object: &Object, now: Time) {
        let resource = format!("{}.{}", kind.plural, kind.group);
        *self.resources.entry(resource).or_default() += 1;
        for finalizer in object.meta().finalizers.iter().flatten() {
            *self.finalizers.entry(finalizer.clone()).or_default() += 1;
        }
        let estimate = match object.meta().deletion_timestamp.as_ref() {
            Some(at) if *kind == Pod::kind() => from_meta(at).since(now),
            _ => FINALIZER_ESTIMATE,
        };
        self.estimate = Some(self.estimate.map_or(estimate, |longest| longest.max(estimate)));
    }

    /// The namespace's conditions: type, whether it tells of trouble, reason, message.
    fn conditions(&self) -> [(&'static str, bool, &'static str, String); 5] {
        let counts = |counts: &BTreeMap<String, usize>, words: &str| {
            let texts: Vec<String> =
                counts.iter().map(|(name, count)| format!("{name} {words} {count}")).collect();
            texts
        };
        let resources: Vec<String> = counts(&self.resources, "has")
            .iter()
            .map(|text| format!("{text} resource instances"))
            .collect();
        let finalizers: Vec<String> = counts(&self.finalizers, "in")
            .iter()
            .map(|text| format!("{text} resource instances"))
            .collect();
        let remaining = if resources.is_empty() {
            ("ContentRemoved", "All content successfully removed".to_owned())
        } else {
            let text = format!("Some resources are remaining: {}", resources.join(", "));
            ("SomeResourcesRemain", text)
        };
        let finalizing = if finalizers.is_empty() {
            ("ContentHasNoFinalizers", "All content-preserving finalizers finished".to_owned())
        } else {
            let list = finalizers.join(", ");
            let text = format!("Some content in the namespace has finalizers remaining: {list}");
            ("SomeFinalizersRemain", text)
        };
        [
            (
                "NamespaceDeletionDiscoveryFailure",
                false,
                "ResourcesDiscovered",
                "All resources successfully discovered".to_owned(),
            ),
            (
                "NamespaceDeletionGroupVersionParsingFailure",
                false,
                "ParsedGroupVersions",
                "All legacy kube types successfully parsed".to_owned(),
            ),
            (
                "NamespaceDeletionContentFailure",
                false,
                "ContentDeleted",
                "All content successfully deleted, may be waiting on finalization".to_owned(),
            ),
            ("NamespaceContentRemaining", !resources.is_empty(), remaining.0, remaining.1),
            ("NamespaceFinalizersRemaining", !finalizers.is_empty(), finalizing.0, finalizing.1),
        ]
    }
}

fn update_conditions(
    context: &mut Context<'_>,
    namespace: &Namespace,
    remains: &Remains,
) -> Result<Namespace, Error> {
    let mut changed = namespace.clone();
    let status = changed.status.get_or_insert_default();
    let conditions = status.conditions.get_or_insert_default();
    for (type_, trouble, reason, message) in remains.conditions() {
        let state = if trouble { "True" } else { "False" };
        let old = conditions.iter().position(|condition| condition.type_ == type_);
        let old = old.map(|index| conditions.remove(index));
        let since = old.filter(|old| old.status == state).and_then(|old| old.last_transition_time);
        conditions.push(NamespaceCondition {
            type_: type_.to_owned(),
            status: state.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message),
            last_transition_time: Some(since.unwrap_or_else(|| meta_time(context.now))),
        });
    }
    if changed.status == namespace.status {
        return Ok(changed);
    }
    Ok((*context.client.update_status(changed)?).clone())
}

fn finalize(client: &mut Client<'_>, mut namespace: Namespace) -> Result<(), Error> {
    let name = namespace.metadata.name.clone().unwrap_or_default();
    if let Some(finalizers) = namespace.spec.as_mut().and_then(|spec| spec.finalizers.as_mut()) {
        finalizers.retain(|finalizer| finalizer != FINALIZER);
    }
    let op = Op::Update(Body::Object(Object::new(namespace)));
    match client.send(Namespace::kind(), "", &name, "finalize", op) {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;

    #[test]
    fn tells_what_remains() {
        let mut remains = Remains::default();
        let mut object = Object::new(ConfigMap::default());
        remains.add(&ConfigMap::kind(), &object, Time::ZERO);
        object.meta_mut().finalizers = Some(vec!["example.com/keep".to_owned()]);
        remains.add(&ConfigMap::kind(), &object, Time::ZERO);
        let conditions = remains.conditions();
        let expected = "Some resources are remaining: configmaps. has 2 resource instances";
        assert_eq!(conditions[3].3, expected);
        let expected = "Some content in the namespace has finalizers remaining: \
                        example.com/keep in 1 resource instances";
        assert_eq!(conditions[4].3, expected);
        assert_eq!(remains.estimate, Some(FINALIZER_ESTIMATE));
    }
}
