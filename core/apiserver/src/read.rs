//! Get and list.

use crate::watches::Filter;
use crate::{ApiServer, keys, versions};
use naru_api::request::{ListOptions, ObjectList};
use naru_api::{ApiError, KindRef, Object, StrategyRef, fields, labels, status::ApiResult};

impl ApiServer {
    /// One object, or `pods "web" not found`.
    pub(crate) fn find(&self, kind: &KindRef, namespace: &str, name: &str) -> ApiResult<Object> {
        let found = match kind.strategy.made_up() {
            Some(objects) => objects.into_iter().find(|object| object.name() == name),
            None => self.store.get(&keys::of_object(kind, namespace, name)),
        };
        match found {
            Some(found) => Ok(versions::view(kind, &found).into_owned()),
            None => Err(ApiError::not_found(&versions::stored(kind), name)),
        }
    }

    /// Many objects, in the order of their keys.
    pub(crate) fn list(
        &self,
        kind: &KindRef,
        namespace: &str,
        options: &ListOptions,
    ) -> ApiResult<ObjectList> {
        let filter = filter(kind, namespace, options)?;
        let items = self.select(&filter);
        Ok(ObjectList::new(kind.clone(), items, self.store.revision()))
    }

    /// The objects that a filter selects.
    pub(crate) fn select(&self, filter: &Filter) -> Vec<Object> {
        if let Some(objects) = filter.kind.strategy.made_up() {
            return objects.iter().filter_map(|object| filter.pick(object)).collect();
        }
        if let Some(name) = filter.fields.exact("metadata.name")
            && (!filter.namespace.is_empty() || !filter.kind.namespaced)
        {
            let found = self.store.get(&keys::of_object(&filter.kind, &filter.namespace, name));
            return found.iter().filter_map(|object| filter.pick(object)).collect();
        }
        let prefix = keys::of_namespace(&filter.kind, &filter.namespace);
        self.store.range(&prefix).filter_map(|object| filter.pick(object)).collect()
    }
}

/// Reads the selectors of a list or a watch.
pub(crate) fn filter(kind: &KindRef, namespace: &str, options: &ListOptions) -> ApiResult<Filter> {
    let bad = |error: labels::SelectorError| ApiError::bad_request(error.to_string());
    let labels = labels::Selector::parse(&options.label_selector).map_err(bad)?;
    let fields = fields::Selector::parse(&options.field_selector).map_err(bad)?;
    for field in fields.fields() {
        if !matches!(field, "metadata.name" | "metadata.namespace")
            && !kind.strategy.knows_field(field)
        {
            return Err(ApiError::bad_request(unknown_field(kind, field)));
        }
    }
    let namespace = if kind.namespaced { namespace } else { "" };
    Ok(Filter { kind: kind.clone(), namespace: namespace.to_owned(), labels, fields })
}

fn unknown_field(kind: &KindRef, field: &str) -> String {
    if kind.strategy.field_labels().is_empty() && matches!(kind.strategy, StrategyRef::BuiltIn(_)) {
        format!(
            "\"{field}\" is not a known field selector: only \"metadata.name\", \
             \"metadata.namespace\""
        )
    } else {
        format!("field label not supported: {field}")
    }
}
