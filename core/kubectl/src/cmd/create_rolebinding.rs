//! `kubectl create rolebinding` and `kubectl create clusterrolebinding`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/create/create_rolebinding.go`, `create_clusterrolebinding.go`.

use super::common;
use super::create::{SUBCOMMAND_FLAGS, create_described, name_argument};
use crate::command::Command;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::process::Outcome;
use serde_json::{Value, json};

/// `kubectl create rolebinding`
pub static ROLE_BINDING: Command = Command {
    usage: "rolebinding NAME --clusterrole=NAME|--role=NAME [--user=username] [--group=groupname] \
            [--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none]",
    short: "Create a role binding for a particular role or cluster role",
    examples: "# Gives a cluster role to two users in one namespace\n\
               kubectl create rolebinding admin --clusterrole=admin --user=user1 --user=user2\n\n\
               # Gives a role to a service account\n\
               kubectl create rolebinding read --role=reader --serviceaccount=monitoring:robot",
    flags: &[
        common::PRINT,
        common::DRY_RUN,
        common::VALIDATE,
        common::SAVE_CONFIG,
        SUBCOMMAND_FLAGS,
        SUBJECTS,
        &[
            Flag::text("clusterrole", "", "ClusterRole this RoleBinding should reference"),
            Flag::text("role", "", "Role this RoleBinding should reference"),
        ],
    ],
    run: role_binding,
    ..Command::EMPTY
};

/// `kubectl create clusterrolebinding`
pub static CLUSTER_ROLE_BINDING: Command = Command {
    usage: "clusterrolebinding NAME --clusterrole=NAME [--user=username] [--group=groupname] \
            [--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none]",
    short: "Create a cluster role binding for a particular cluster role",
    examples: "# Gives a cluster role to a user and a group, everywhere\n\
               kubectl create clusterrolebinding cluster-admin --clusterrole=cluster-admin \
               --user=user1 --group=group1",
    flags: &[
        common::PRINT,
        common::DRY_RUN,
        common::VALIDATE,
        common::SAVE_CONFIG,
        SUBCOMMAND_FLAGS,
        SUBJECTS,
        &[Flag::text("clusterrole", "", "ClusterRole this ClusterRoleBinding should reference")],
    ],
    required: &["clusterrole"],
    run: cluster_role_binding,
    ..Command::EMPTY
};

const SUBJECTS: &[Flag] = &[
    Flag::array("group", "Groups to bind to the role. The flag can be repeated."),
    Flag::array(
        "serviceaccount",
        "Service accounts to bind to the role, in the format <namespace>:<name>. The flag can be \
         repeated.",
    ),
    Flag::array("user", "Usernames to bind to the role. The flag can be repeated."),
];

const GROUP: &str = "rbac.authorization.k8s.io";

fn role_binding(cx: &mut Context<'_>) -> Outcome {
    let text = |flag| cx.flags().text(flag).to_owned();
    let (cluster_role, role) = (text("clusterrole"), text("role"));
    let (kind, role) = match (cluster_role.as_str(), role.as_str()) {
        (name, "") if !name.is_empty() => ("ClusterRole", name),
        ("", name) if !name.is_empty() => ("Role", name),
        _ => {
            name_argument(cx)?;
            return Err(Failure::message("exactly one of clusterrole or role must be specified"));
        }
    };
    let binding = binding(cx, "RoleBinding", kind, role)?;
    let resource = "rolebindings.rbac.authorization.k8s.io";
    create_described(cx, resource, binding, "failed to create rolebinding:")
}

fn cluster_role_binding(cx: &mut Context<'_>) -> Outcome {
    let role = cx.flags().text("clusterrole").to_owned();
    let binding = binding(cx, "ClusterRoleBinding", "ClusterRole", &role)?;
    let resource = "clusterrolebindings.rbac.authorization.k8s.io";
    create_described(cx, resource, binding, "failed to create clusterrolebinding:")
}

fn binding(cx: &mut Context<'_>, kind: &str, role_kind: &str, role: &str) -> Result<Value> {
    let name = name_argument(cx)?;
    let mut subjects: Vec<Value> = Vec::new();
    for (flag, kind) in [("user", "User"), ("group", "Group")] {
        let named = |name: &String| json!({"apiGroup": GROUP, "kind": kind, "name": name});
        subjects.extend(cx.flags().list(flag).iter().map(named));
    }
    for account in cx.flags().list("serviceaccount") {
        let parts: Vec<&str> = account.split(':').collect();
        let [namespace, name] = *parts.as_slice() else { return Err(malformed_account()) };
        if namespace.is_empty() || name.is_empty() {
            return Err(malformed_account());
        }
        let subject = json!({"kind": "ServiceAccount", "name": name, "namespace": namespace});
        subjects.push(subject);
    }
    let mut binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "roleRef": {"apiGroup": GROUP, "kind": role_kind, "name": role},
    });
    if !subjects.is_empty() {
        binding["subjects"] = Value::from(subjects);
    }
    Ok(binding)
}

fn malformed_account() -> Failure {
    Failure::message("serviceaccount must be <namespace>:<name>")
}
