//! The history of a DaemonSet's template.
//!
//! Upstream: `constructHistory`, `snapshot` and `cleanupHistory` in
//! `pkg/controller/daemon/update.go`.

use super::State;
use crate::history::{self, REVISION_LABEL};
use crate::util::key_of;
use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet};
use k8s_openapi::api::core::v1::Pod;
use naru_api::request::Patch;
use naru_api::{Object, names};
use naru_client::{Context, Error};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The hash of the present template's revision, which is made or becomes the newest again, and
/// all other revisions.
pub fn construct(
    context: &mut Context<'_>,
    object: &Object,
    ds: &DaemonSet,
    revisions: &[&ControllerRevision],
    owned: &[&Pod],
) -> Result<(String, Vec<ControllerRevision>), Error> {
    let template = ds.spec.as_ref().map(|spec| spec.template.clone()).unwrap_or_default();
    let data = history::data_of(&template)?;
    let (mut present, mut old) = (Vec::new(), Vec::new());
    for revision in revisions {
        let mut revision = (*revision).clone();
        if hash_of(&revision).is_empty() {
            let name = history::name(&revision).to_owned();
            let labels = revision.metadata.labels.get_or_insert_default();
            labels.insert(REVISION_LABEL.to_owned(), name);
            revision = (*context.client.update(revision)?).clone();
        }
        if history::keeps(&revision, &data) { present.push(revision) } else { old.push(revision) }
    }
    let newest = old.iter().map(|revision| revision.revision).max().unwrap_or(0) + 1;
    let current = match keep_one(context, present, owned)? {
        None => {
            let revision = history::new_revision(object, &template, data, newest);
            snapshot(context, object, ds, revision)?
        }
        Some(current) if current.revision < newest => history::renumber(context, &current, newest)?,
        Some(current) => current,
    };
    Ok((hash_of(&current).to_owned(), old))
}

fn hash_of(revision: &ControllerRevision) -> &str {
    let labels = revision.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get(REVISION_LABEL)).map_or("", String::as_str)
}

/// Of several revisions of the same template the newest stays, and all pods are told to be of it.
fn keep_one(
    context: &mut Context<'_>,
    mut present: Vec<ControllerRevision>,
    owned: &[&Pod],
) -> Result<Option<ControllerRevision>, Error> {
    present.sort_by_key(|revision| revision.revision);
    let Some(current) = present.pop() else { return Ok(None) };
    if present.is_empty() {
        return Ok(Some(current));
    }
    let hash = hash_of(&current);
    for pod in owned {
        let labels = pod.metadata.labels.as_ref();
        if labels.and_then(|labels| labels.get(REVISION_LABEL)).is_none_or(|label| label != hash) {
            let key = key_of(*pod);
            let patch = Patch::Merge(json!({"metadata": {"labels": {REVISION_LABEL: hash}}}));
            context.client.patch::<Pod>(&key.namespace, &key.name, "", patch)?;
        }
    }
    for revision in &present {
        history::delete(context, revision)?;
    }
    Ok(Some(current))
}

/// Stores a revision under a name that is made of the template's hash.
fn snapshot(
    context: &mut Context<'_>,
    object: &Object,
    ds: &DaemonSet,
    mut revision: ControllerRevision,
) -> Result<ControllerRevision, Error> {
    let template = ds.spec.as_ref().map(|spec| spec.template.clone()).unwrap_or_default();
    let collisions = ds.status.as_ref().and_then(|status| status.collision_count);
    let hash = names::pod_template_hash(&template, collisions)
        .map_err(|error| Error::Other(error.to_string()))?;
    let name = format!("{}-{hash}", object.name());
    let labels = revision.metadata.labels.get_or_insert_default();
    labels.insert(REVISION_LABEL.to_owned(), hash);
    revision.metadata.name = Some(name.clone());
    let data = revision.data.as_ref().map_or(Value::Null, |data| data.0.clone());
    let error = match context.client.create(revision) {
        Ok(created) => return Ok((*created).clone()),
        Err(error) if error.is_already_exists() => error,
        Err(error) => return Err(error.into()),
    };
    let there = context.client.get::<ControllerRevision>(object.namespace(), &name)?;
    if history::keeps(&there, &data) {
        return Ok((*there).clone());
    }
    // Another template has this hash: count it, and come again.
    let mut fresh = (*context.client.get::<DaemonSet>(object.namespace(), object.name())?).clone();
    let status = fresh.status.get_or_insert_default();
    if status.collision_count == collisions {
        status.collision_count = Some(collisions.unwrap_or(0).saturating_add(1));
        context.client.update_status(fresh)?;
    }
    Err(error.into())
}

/// Deletes revisions of no pod beyond the history limit, the oldest first.
pub fn clean_up(
    context: &mut Context<'_>,
    state: &State<'_>,
    owned: &[&Pod],
    mut old: Vec<ControllerRevision>,
) -> Result<(), Error> {
    let limit = usize::try_from(state.spec.revision_history_limit.unwrap_or(10)).unwrap_or(0);
    let surplus = old.len().saturating_sub(limit);
    if surplus == 0 {
        return Ok(());
    }
    let labels = owned.iter().filter_map(|pod| pod.metadata.labels.as_ref());
    let live: BTreeSet<&String> = labels.filter_map(|labels| labels.get(REVISION_LABEL)).collect();
    old.sort_by_key(|revision| revision.revision);
    let unused = old.iter().filter(|revision| !live.contains(&hash_of(revision).to_owned()));
    for revision in unused.take(surplus) {
        history::delete(context, revision)?;
    }
    Ok(())
}
