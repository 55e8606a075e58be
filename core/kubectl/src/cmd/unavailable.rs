//! Commands that upstream has and Naru has not yet: each says so.

use crate::command::Command;

const fn missing(usage: &'static str, short: &'static str) -> Command {
    Command { usage, short, missing: true, ..Command::EMPTY }
}

/// `kubectl auth reconcile`
pub static AUTH_RECONCILE: Command = missing(
    "reconcile -f FILENAME",
    "Reconciles rules for RBAC role, role binding, cluster role, and cluster role binding objects",
);

/// `kubectl cluster-info dump`
pub static CLUSTER_INFO_DUMP: Command =
    missing("dump", "Dump relevant information for debugging and diagnosis");

/// `kubectl completion`
pub static COMPLETION: Command = missing(
    "completion SHELL",
    "Output shell completion code for the specified shell (bash, zsh, fish, or powershell)",
);

/// `kubectl config delete-cluster`
pub static CONFIG_DELETE_CLUSTER: Command =
    missing("delete-cluster NAME", "Delete the specified cluster from the kubeconfig");

/// `kubectl config delete-user`
pub static CONFIG_DELETE_USER: Command =
    missing("delete-user NAME", "Delete the specified user from the kubeconfig");

/// `kubectl config set`
pub static CONFIG_SET: Command =
    missing("set PROPERTY_NAME PROPERTY_VALUE", "Set an individual value in a kubeconfig file");

/// `kubectl config set-cluster`
pub static CONFIG_SET_CLUSTER: Command = missing(
    "set-cluster NAME [--server=server] [--certificate-authority=path/to/certificate/authority] [--insecure-skip-tls-verify=true] [--tls-server-name=example.com]",
    "Set a cluster entry in kubeconfig",
);

/// `kubectl config unset`
pub static CONFIG_UNSET: Command =
    missing("unset PROPERTY_NAME", "Unset an individual value in a kubeconfig file");

/// `kubectl cp`
pub static CP: Command = missing(
    "cp <file-spec-src> <file-spec-dest>",
    "Copy files and directories to and from containers",
);

/// `kubectl debug`
pub static DEBUG: Command = missing(
    "debug (POD | TYPE[[.VERSION].GROUP]/NAME) [ -- COMMAND [args...] ]",
    "Create debugging sessions for troubleshooting workloads and nodes",
);

/// `kubectl diff`
pub static DIFF: Command =
    missing("diff -f FILENAME", "Diff the live version against a would-be applied version");

/// `kubectl edit`
pub static EDIT: Command =
    missing("edit (RESOURCE/NAME | -f FILENAME)", "Edit a resource on the server");

/// `kubectl explain`
pub static EXPLAIN: Command = missing(
    "explain TYPE [--recursive=FALSE|TRUE] [--api-version=api-version-group] [-o|--output=plaintext|plaintext-openapiv2]",
    "Get documentation for a resource",
);

/// `kubectl kustomize`
pub static KUSTOMIZE: Command =
    missing("kustomize DIR", "Build a kustomization target from a directory or URL");

/// `kubectl plugin`
pub static PLUGIN: Command =
    missing("plugin [flags]", "Provides utilities for interacting with plugins");

/// `kubectl port-forward`
pub static PORT_FORWARD: Command = missing(
    "port-forward TYPE/NAME [options] [LOCAL_PORT:]REMOTE_PORT [...[LOCAL_PORT_N:]REMOTE_PORT_N]",
    "Forward one or more local ports to a pod",
);

/// `kubectl proxy`
pub static PROXY: Command = missing(
    "proxy [--port=PORT] [--www=static-dir] [--www-prefix=prefix] [--api-prefix=prefix]",
    "Run a proxy to the Kubernetes API server",
);

/// `kubectl set env`
pub static SET_ENV: Command = missing(
    "env RESOURCE/NAME KEY_1=VAL_1 ... KEY_N=VAL_N",
    "Update environment variables on a pod template",
);

/// `kubectl set resources`
pub static SET_RESOURCES: Command = missing(
    "resources (-f FILENAME | TYPE NAME)  ([--limits=LIMITS & --requests=REQUESTS]",
    "Update resource requests/limits on objects with pod templates",
);

/// `kubectl set selector`
pub static SET_SELECTOR: Command = missing(
    "selector (-f FILENAME | TYPE NAME) EXPRESSIONS [--resource-version=version]",
    "Set the selector on a resource",
);

/// `kubectl set serviceaccount`
pub static SET_SERVICEACCOUNT: Command = missing(
    "serviceaccount (-f FILENAME | TYPE NAME) SERVICE_ACCOUNT",
    "Update the service account of a resource",
);

/// `kubectl set subject`
pub static SET_SUBJECT: Command = missing(
    "subject (-f FILENAME | TYPE NAME) [--user=username] [--group=groupname] [--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none]",
    "Update the user, group, or service account in a role binding or cluster role binding",
);
