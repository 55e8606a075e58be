//! Get and list.
//!
//! Upstream: `apiserver/pkg/registry/generic/registry/store.go` (`Get`, `ListPredicate`),
//! `apiserver/pkg/storage/etcd3/store.go` (`GetList`).

use crate::continue_token::ContinueToken;
use crate::list_options::{self, Page};
use crate::store::{KeyRange, StoreError};
use crate::watches::Filter;
use crate::{ApiServer, keys, versions};
use naru_api::request::{ListOptions, ObjectList};
use naru_api::{
    ApiError, Key, KindRef, Object, Request, StrategyRef, fields, labels, names, status::ApiResult,
};

impl ApiServer {
    /// The object that a get asks for.
    pub(crate) fn get(&self, request: &Request) -> ApiResult<Object> {
        let wanted = list_options::parse_version(&request.resource_version).map_err(|error| {
            ApiError::new(500, "", format!("{}: {}", error.field, error.message))
        })?;
        list_options::not_older_than(wanted, self.store.revision())?;
        self.find(&request.kind, &request.namespace, &request.name)
    }

    /// One object, or `pods "web" not found`.
    pub(crate) fn find(&self, kind: &KindRef, namespace: &str, name: &str) -> ApiResult<Object> {
        if let Some(told) = self.told(kind) {
            let found = told.get(&Key::new(namespace, name)).cloned();
            return found.ok_or_else(|| self.not_told(kind, namespace, name));
        }
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
        list_options::validate_list(options, None)?;
        let filter = filter(kind, namespace, options)?;
        if self.told(kind).is_some() {
            let items = self.select(&filter);
            return Ok(ObjectList::new(kind.clone(), items, 0));
        }
        if kind.strategy.made_up().is_some() {
            let items = self.select(&filter);
            return Ok(ObjectList::new(kind.clone(), items, self.store.revision()));
        }
        if let Some(key) = filter.key() {
            return self.list_one(&filter, &key, options);
        }
        let prefix = keys::of_namespace(kind, &filter.namespace);
        let page = Page::of(options, &prefix, self.store.revision())?;
        if page.limit == 0 && page.revision == 0 && options.continue_token.is_empty() {
            let items = self.select(&filter);
            return Ok(ObjectList::new(kind.clone(), items, self.store.revision()));
        }
        self.list_page(&filter, &prefix, &page).map_err(|error| match error {
            StoreError::Compacted if !options.continue_token.is_empty() => {
                goes_on_otherwise(options, &prefix)
            }
            other => list_options::list_error(other),
        })
    }

    /// The objects that a filter selects now.
    pub(crate) fn select(&self, filter: &Filter) -> Vec<Object> {
        if let Some(told) = self.told(&filter.kind) {
            return told.values().filter_map(|object| filter.pick(object)).collect();
        }
        if let Some(objects) = filter.kind.strategy.made_up() {
            return objects.iter().filter_map(|object| filter.pick(object)).collect();
        }
        if let Some(key) = filter.key() {
            return self.store.get(&key).iter().filter_map(|object| filter.pick(object)).collect();
        }
        let found = self.store.range(&keys::of_namespace(&filter.kind, &filter.namespace));
        if filter.is_everything() {
            found.cloned().collect()
        } else {
            found.filter_map(|object| filter.pick(object)).collect()
        }
    }

    fn list_one(&self, filter: &Filter, key: &str, options: &ListOptions) -> ApiResult<ObjectList> {
        let revision = list_options::list_revision(
            &ListOptions { limit: 0, ..options.clone() },
            self.store.revision(),
        )?;
        let found = self.store.read(&KeyRange::key(key), revision);
        let found = found.map_err(list_options::list_error)?;
        let items = found.filter_map(|value| filter.pick(value.object)).collect();
        let revision = if revision == 0 { self.store.revision() } else { revision };
        Ok(ObjectList::new(filter.kind.clone(), items, revision))
    }

    fn list_page(
        &self,
        filter: &Filter,
        prefix: &str,
        page: &Page,
    ) -> Result<ObjectList, StoreError> {
        let revision = if page.revision == 0 { self.store.revision() } else { page.revision };
        let mut list = ObjectList::new(filter.kind.clone(), Vec::new(), revision);
        let mut last = None;
        for value in self.store.read(&page.range, page.revision)? {
            if page.limit > 0 && list.items.len() == page.limit {
                let token = ContinueToken::after(last.unwrap_or_default(), revision);
                if filter.is_everything() {
                    let rest = page.range.clone().starting_at(token.start.clone());
                    list.remaining = u64::try_from(self.store.count(&rest, page.revision)?).ok();
                }
                list.continue_token = token.encode(prefix);
                break;
            }
            last = Some(&**value.key);
            list.items.extend(filter.pick(value.object));
        }
        Ok(list)
    }
}

/// The first part of a list is too old to be continued as it was: here is how to go on with what
/// is there now.
fn goes_on_otherwise(options: &ListOptions, prefix: &str) -> ApiError {
    match ContinueToken::decode(&options.continue_token, prefix) {
        Ok(token) => {
            let token = ContinueToken { revision: None, ..token }.encode(prefix);
            ApiError::inconsistent_continue(token)
        }
        Err(why) => ApiError::bad_request(why),
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
    let mut namespace = if kind.namespaced { namespace } else { "" };
    // A selector may name the namespace that the path does not.
    if kind.namespaced
        && namespace.is_empty()
        && let Some(selected) = fields.exact("metadata.namespace")
        && names::dns1123_label(selected).is_empty()
    {
        namespace = selected;
    }
    Ok(Filter::new(kind.clone(), namespace.to_owned(), labels, fields))
}

/// Upstream: the kinds' conversion functions of field labels, and
/// `DefaultMetaV1FieldSelectorConversion`.
fn unknown_field(kind: &KindRef, field: &str) -> String {
    let built_in = matches!(kind.strategy, StrategyRef::BuiltIn(_));
    if (&*kind.group, &*kind.kind) == ("batch", "Job") {
        format!("field label \"{field}\" not supported for Job")
    } else if built_in && kind.strategy.field_labels().is_empty() {
        format!(
            "\"{field}\" is not a known field selector: only \"metadata.name\", \
             \"metadata.namespace\""
        )
    } else {
        format!("field label not supported: {field}")
    }
}
