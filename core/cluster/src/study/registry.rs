//! The keys of the store, as `etcdctl get --prefix` would find them.

use crate::Cluster;
use crate::view::{KeyView, RegistryEntry, RegistryView};
use naru_apiserver::store::KeyRange;

/// Entries told at most.
const ENTRIES_MAX: usize = 400;
/// Keys that are gone over at most; those of a huge cluster are told in part.
const KEYS_MAX: usize = 20_000;

impl Cluster {
    /// What is below a prefix, and one key closely.
    pub(super) fn registry(&mut self, prefix: &str, key: &str) -> RegistryView {
        let store = self.api.store();
        let mut view = RegistryView {
            prefix: prefix.to_owned(),
            revision: store.revision(),
            compacted: store.compacted(),
            ..RegistryView::default()
        };
        let found = store.read(&KeyRange::prefix(prefix), 0);
        for value in found.into_iter().flatten().take(KEYS_MAX) {
            let path = step_below(prefix, value.key);
            let full = view.entries.len() == ENTRIES_MAX;
            match view.entries.last_mut().filter(|last| last.path == path) {
                Some(last) => {
                    last.keys += 1;
                    last.modified = last.modified.max(value.modified);
                }
                None if full => view.more += 1,
                None => view.entries.push(RegistryEntry {
                    path: path.to_owned(),
                    keys: 1,
                    modified: value.modified,
                }),
            }
        }
        view.key = (!key.is_empty()).then(|| self.key_view(key));
        view
    }

    fn key_view(&mut self, key: &str) -> KeyView {
        let store = self.api.store();
        let found = store.read(&KeyRange::key(key), 0).into_iter().flatten().next();
        let mut view = KeyView { key: key.to_owned(), ..KeyView::default() };
        if let Some(value) = found {
            view.created = value.created;
            view.modified = value.modified;
            view.version = value.version;
            view.expires = value.expires.map(naru_sim::Time::as_micros);
            let json = value.object.to_json().unwrap_or_default();
            view.value = naru_api::yaml::print(&json);
        }
        view.revisions = self.changes(|change| *change.key == *key);
        view
    }
}

/// The next step from a prefix to a key: up to the next slash, or the key.
fn step_below<'a>(prefix: &str, key: &'a str) -> &'a str {
    let rest = key.get(prefix.len()..).unwrap_or_default();
    match rest.find('/') {
        Some(slash) => key.get(..=prefix.len() + slash).unwrap_or(key),
        None => key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn steps() {
        for (prefix, key, step) in [
            ("/registry/", "/registry/pods/default/web", "/registry/pods/"),
            ("/registry/pods/", "/registry/pods/default/web", "/registry/pods/default/"),
            ("/registry/pods/default/", "/registry/pods/default/web", "/registry/pods/default/web"),
            ("", "/registry/a", "/"),
        ] {
            assert_eq!(step_below(prefix, key), step);
        }
    }

    #[test]
    fn a_pod_is_found_from_the_root_down() {
        let mut cluster = Cluster::new("kind", 1).unwrap();
        cluster.exec("kubectl run web --image=nginx; sleep 10", Duration::from_secs(30));
        let root = cluster.registry("/registry/", "");
        let pods = root.entries.iter().find(|it| it.path == "/registry/pods/").unwrap();
        assert!(pods.keys > 5 && pods.modified <= root.revision);
        let key = "/registry/pods/default/web";
        let view = cluster.registry("/registry/pods/default/", key);
        assert_eq!(view.entries.len(), 1);
        let found = view.key.unwrap();
        assert!(found.created < found.modified && found.version > 2);
        assert!(found.value.starts_with("apiVersion: v1\nkind: Pod\n"), "{}", found.value);
        assert_eq!(found.revisions.len() as u64, found.version);
        cluster.exec("kubectl delete pod web --now; sleep 5", Duration::from_secs(30));
        let gone = cluster.registry("/registry/pods/default/", key).key.unwrap();
        assert!(gone.value.is_empty() && !gone.revisions.is_empty());
    }
}
