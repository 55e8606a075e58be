//! Who may do what, and why: the RBAC authorizer asked for every resource and verb.

use crate::Cluster;
use crate::view::{GrantView, RightsRow, RightsView, SubjectView};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding, Subject};
use naru_api::{Kube, UserInfo};
use naru_apiserver::{Permission, PermissionFor};
use std::collections::BTreeSet;

/// The verbs that are asked for.
const VERBS: [&str; 8] =
    ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];
/// Subjects told at most.
const SUBJECTS_MAX: usize = 500;
/// Subresources that people give rights to: group, name, whether they are namespaced, and their
/// verbs, a bit for each of [`VERBS`].
const SUBRESOURCES: [(&str, &str, bool, u32); 6] = [
    ("", "pods/log", true, 0b1),
    ("", "pods/exec", true, 0b1001),
    ("", "pods/portforward", true, 0b1001),
    ("", "pods/eviction", true, 0b1000),
    ("apps", "deployments/scale", true, 0b11_0001),
    ("", "nodes/proxy", false, 0b111_1001),
];

impl Cluster {
    /// What somebody may do in a namespace, or, with "", in the whole cluster.
    pub(super) fn rights(&mut self, wanted: Option<&SubjectView>, namespace: &str) -> RightsView {
        let subjects = self.subjects();
        let subject = wanted.cloned().or_else(|| self.first_subject(&subjects));
        let namespaces = self.list(&Namespace::kind(), "", "", "");
        let mut view = RightsView {
            namespace: namespace.to_owned(),
            subjects,
            namespaces: namespaces.iter().map(|it| it.name().to_owned()).collect(),
            verbs: VERBS.iter().map(|verb| (*verb).to_owned()).collect(),
            ..RightsView::default()
        };
        let Some(subject) = subject else { return view };
        let user = self.user_of(&subject);
        view.groups = user.groups.iter().map(ToString::to_string).collect();
        view.subject = Some(subject);
        for (group, resource, namespaced, has) in self.resources() {
            let cells = VERBS.iter().map(|verb| {
                let resource = resource.as_str();
                let asked = PermissionFor { user: &user, verb, group: &group, resource, namespace };
                let grant = grant_view(self.api.permission(&asked)?);
                Some(place_of(grant, &mut view.grants))
            });
            let cells = cells.collect();
            view.rows.push(RightsRow { group, resource, namespaced, cells, has });
        }
        view
    }

    /// Group, name, whether it is namespaced, and its verbs, of everything that roles speak of.
    fn resources(&self) -> Vec<(String, String, bool, u32)> {
        let mut told = BTreeSet::new();
        let mut resources = Vec::new();
        for kind in self.kinds() {
            if !told.insert((kind.group.clone(), kind.plural.clone())) || kind.verbs.is_empty() {
                continue;
            }
            let has = |(bit, verb): (usize, &&str)| u32::from(kind.verbs.contains(verb)) << bit;
            let has = VERBS.iter().enumerate().map(has).sum();
            resources.push((kind.group.to_string(), kind.plural.to_string(), kind.namespaced, has));
        }
        for (group, name, namespaced, has) in SUBRESOURCES.into_iter().rev() {
            let parent = name.split('/').next().unwrap_or_default();
            let after = resources.iter().position(|(of, it, ..)| of == group && it == parent);
            let at = after.map_or(resources.len(), |at| at + 1);
            resources.insert(at, (group.to_owned(), name.to_owned(), namespaced, has));
        }
        resources
    }

    /// Whoever a binding names, and every service account.
    fn subjects(&mut self) -> Vec<SubjectView> {
        let mut found = BTreeSet::new();
        for object in self.list(&ClusterRoleBinding::kind(), "", "", "") {
            let binding = object.get::<ClusterRoleBinding>();
            let named = binding.and_then(|it| it.subjects.as_deref()).unwrap_or_default();
            found.extend(named.iter().map(|it| subject_view(it, "")));
        }
        for object in self.list(&RoleBinding::kind(), "", "", "") {
            let binding = object.get::<RoleBinding>();
            let named = binding.and_then(|it| it.subjects.as_deref()).unwrap_or_default();
            found.extend(named.iter().map(|it| subject_view(it, object.namespace())));
        }
        for object in self.list(&ServiceAccount::kind(), "", "", "") {
            found.insert(SubjectView {
                kind: "ServiceAccount".to_owned(),
                namespace: object.namespace().to_owned(),
                name: object.name().to_owned(),
            });
        }
        found.insert(self.learner());
        found.into_iter().take(SUBJECTS_MAX).collect()
    }

    /// Whom the learner's kubeconfig makes one.
    fn learner(&self) -> SubjectView {
        let name = self.profile().admin.name.clone();
        SubjectView { kind: "User".to_owned(), namespace: String::new(), name }
    }

    fn first_subject(&self, subjects: &[SubjectView]) -> Option<SubjectView> {
        let learner = self.learner();
        subjects.iter().find(|it| **it == learner).or(subjects.first()).cloned()
    }

    /// The user that a subject is when it asks.
    fn user_of(&self, subject: &SubjectView) -> UserInfo {
        let authenticated = "system:authenticated";
        match subject.kind.as_str() {
            "ServiceAccount" => UserInfo::service_account(&subject.namespace, &subject.name),
            "Group" => UserInfo::new("", &[subject.name.as_str(), authenticated]),
            _ => {
                let admin = &self.profile().admin;
                let own = (admin.name == subject.name).then_some(&admin.groups);
                let groups = own.into_iter().flatten().map(String::as_str);
                let groups: Vec<&str> = groups.chain([authenticated]).collect();
                UserInfo::new(&subject.name, &groups)
            }
        }
    }
}

fn subject_view(subject: &Subject, namespace: &str) -> SubjectView {
    let own = subject.namespace.as_deref().filter(|own| !own.is_empty());
    let namespace = match subject.kind.as_str() {
        "ServiceAccount" => own.unwrap_or(namespace).to_owned(),
        _ => String::new(),
    };
    SubjectView { kind: subject.kind.clone(), namespace, name: subject.name.clone() }
}

fn grant_view(permission: Permission) -> GrantView {
    let Permission { binding, role, subject, names } = permission;
    GrantView { binding, role, subject, names }
}

/// The place of a grant among those that were found, where it may be already.
fn place_of(grant: GrantView, grants: &mut Vec<GrantView>) -> u32 {
    let place = grants.iter().position(|known| *known == grant).unwrap_or_else(|| {
        grants.push(grant);
        grants.len() - 1
    });
    u32::try_from(place).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn cell<'a>(view: &'a RightsView, resource: &str, verb: &str) -> Option<&'a GrantView> {
        let row = view.rows.iter().find(|row| row.resource == resource).unwrap();
        let column = view.verbs.iter().position(|it| it == verb).unwrap();
        row.cells[column].map(|grant| &view.grants[grant as usize])
    }

    #[test]
    fn a_role_shows_as_far_as_it_reaches() {
        let mut cluster = Cluster::new("kind", 1).unwrap();
        let script = "kubectl create serviceaccount robot
kubectl create role reader --verb=get,list --resource=pods,pods/log
kubectl create role one --verb=delete --resource=configmaps --resource-name=settings
kubectl create rolebinding read --role=reader --serviceaccount=default:robot
kubectl create rolebinding one --role=one --serviceaccount=default:robot";
        cluster.exec(script, Duration::from_secs(30));
        let robot = SubjectView {
            kind: "ServiceAccount".to_owned(),
            namespace: "default".to_owned(),
            name: "robot".to_owned(),
        };
        let view = cluster.rights(Some(&robot), "default");
        assert!(view.subjects.contains(&robot));
        let grant = cell(&view, "pods", "get").unwrap();
        let binding = ("RoleBinding".to_owned(), "default".to_owned(), "read".to_owned());
        assert_eq!(grant.binding, Some(binding));
        assert_eq!(grant.role, ("Role".to_owned(), "reader".to_owned()));
        assert_eq!(grant.subject, ("ServiceAccount".to_owned(), "default/robot".to_owned()));
        assert!(cell(&view, "pods/log", "get").is_some());
        assert!(cell(&view, "pods", "delete").is_none());
        assert_eq!(cell(&view, "configmaps", "delete").unwrap().names, ["settings"]);
        let elsewhere = cluster.rights(Some(&robot), "kube-system");
        assert!(cell(&elsewhere, "pods", "get").is_none());
        let learner = cluster.rights(None, "");
        assert!(cell(&learner, "secrets", "delete").is_some(), "{:?}", learner.subject);
    }
}
