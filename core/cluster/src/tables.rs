//! Objects in tables, as `kubectl get` shows them: for the page.

use crate::Cluster;
use crate::view::{KindView, RowView, TableView};
use naru_api::{KindRef, Object};
use naru_sim::Time;

/// Rows of a table at most; how many are left out is told.
const ROWS_MAX: usize = 500;

/// Kinds whose objects are told of as another kind's, or are no objects of the store.
const ALIASES: [(&str, &str); 2] = [("events.k8s.io", "Event"), ("", "ComponentStatus")];

impl Cluster {
    /// The kinds that have objects, in the order of the scheme. The same object is told of by one
    /// version only.
    pub fn kinds_in_use(&mut self) -> Vec<KindView> {
        let mut told: Vec<(String, String)> = Vec::new();
        let mut views = Vec::new();
        for kind in self.kinds() {
            let name = (kind.group.to_string(), kind.kind.to_string());
            let elsewhere = ALIASES.contains(&(&*kind.group, &*kind.kind));
            if elsewhere || told.contains(&name) || !kind.verbs.contains(&"list") {
                continue;
            }
            let count = self.list(&kind, "", "", "").len() as u64;
            if count > 0 {
                views.push(KindView {
                    kind: kind.kind.to_string(),
                    plural: kind.plural.to_string(),
                    group: kind.group.to_string(),
                    count,
                });
            }
            told.push(name);
        }
        views
    }

    /// The objects of a kind (`deployments`, group `apps`) in a namespace, or in all (`""`).
    pub fn table(&mut self, plural: &str, group: &str, namespace: &str) -> Option<TableView> {
        let named = |kind: &KindRef| *kind.plural == *plural && *kind.group == *group;
        let kind = self.kinds().into_iter().find(named)?;
        let mut objects = self.list(&kind, namespace, "", "");
        objects.sort_by_cached_key(|object| kind.strategy.row_order(object));
        let columns = kind.strategy.columns();
        let now = self.now();
        Some(TableView {
            kind: kind.kind.to_string(),
            namespaced: kind.namespaced,
            columns: columns.iter().map(|it| (it.name.to_string(), it.priority > 0)).collect(),
            rows: objects.iter().take(ROWS_MAX).map(|object| row(object, now)).collect(),
            more: objects.len().saturating_sub(ROWS_MAX) as u64,
        })
    }
}

fn row(object: &Object, now: Time) -> RowView {
    let cells = object.strategy().row(object, now);
    RowView {
        namespace: object.namespace().to_owned(),
        name: object.name().to_owned(),
        owner: object.controller().map(|owner| (owner.kind.clone(), owner.name.clone())),
        cells: cells.iter().map(ToString::to_string).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn tables_are_those_of_kubectl() {
        let mut cluster = Cluster::new("kind", 1).unwrap();
        let line = "kubectl create deployment web --image=nginx --replicas=2; sleep 10";
        cluster.exec(line, Duration::from_secs(30));
        let table = cluster.table("deployments", "apps", "default").unwrap();
        let headers: Vec<&str> = table.columns.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(headers[..4], ["Name", "Ready", "Up-to-date", "Available"]);
        assert_eq!(table.rows[0].cells[..4], ["web", "2/2", "2", "2"]);
        let pods = cluster.table("pods", "", "default").unwrap();
        assert!(pods.rows.iter().all(|row| row.owner.as_ref().unwrap().0 == "ReplicaSet"));
        assert!(cluster.table("moons", "", "").is_none());
        let kinds = cluster.kinds_in_use();
        let count = |name: &str| kinds.iter().find(|it| it.kind == name).map(|it| it.count);
        assert_eq!(count("Deployment"), Some(3), "coredns, local-path-provisioner, web");
        assert_eq!(count("Ingress"), None);
    }
}
