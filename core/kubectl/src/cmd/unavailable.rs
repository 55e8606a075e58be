//! Commands that upstream has and Naru has not yet: each says so.

use crate::command::Command;

const fn missing(usage: &'static str, short: &'static str) -> Command {
    Command { usage, short, missing: true, ..Command::EMPTY }
}

/// `kubectl annotate`
pub static ANNOTATE: Command =
    missing("annotate [--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N [--resource-version=version]", "Update the annotations on a resource");

/// `kubectl api-resources`
pub static API_RESOURCES: Command =
    missing("api-resources", "Print the supported API resources on the server");

/// `kubectl api-versions`
pub static API_VERSIONS: Command =
    missing("api-versions", "Print the supported API versions on the server, in the form of \"group/version\"");

/// `kubectl apply`
pub static APPLY: Command =
    missing("apply (-f FILENAME | -k DIRECTORY)", "Apply a configuration to a resource by file name or stdin");

/// `kubectl auth`
pub static AUTH: Command =
    missing("auth", "Inspect authorization");

/// `kubectl autoscale`
pub static AUTOSCALE: Command =
    missing("autoscale (-f FILENAME | TYPE NAME | TYPE/NAME) [--min=MINPODS] --max=MAXPODS [--cpu-percent=CPU]", "Auto-scale a deployment, replica set, stateful set, or replication controller");

/// `kubectl certificate`
pub static CERTIFICATE: Command =
    missing("certificate SUBCOMMAND", "Modify certificate resources");

/// `kubectl cluster-info`
pub static CLUSTER_INFO: Command =
    missing("cluster-info", "Display cluster information");

/// `kubectl config`
pub static CONFIG: Command =
    missing("config SUBCOMMAND", "Modify kubeconfig files");

/// `kubectl cordon`
pub static CORDON: Command =
    missing("cordon NODE", "Mark node as unschedulable");

/// `kubectl cp`
pub static CP: Command =
    missing("cp <file-spec-src> <file-spec-dest>", "Copy files and directories to and from containers");

/// `kubectl debug`
pub static DEBUG: Command =
    missing("debug (POD | TYPE[[.VERSION].GROUP]/NAME) [ -- COMMAND [args...] ]", "Create debugging sessions for troubleshooting workloads and nodes");

/// `kubectl diff`
pub static DIFF: Command =
    missing("diff -f FILENAME", "Diff the live version against a would-be applied version");

/// `kubectl drain`
pub static DRAIN: Command =
    missing("drain NODE", "Drain node in preparation for maintenance");

/// `kubectl edit`
pub static EDIT: Command =
    missing("edit (RESOURCE/NAME | -f FILENAME)", "Edit a resource on the server");

/// `kubectl events`
pub static EVENTS: Command =
    missing("events [(-o|--output=)json|yaml|name|go-template|go-template-file|template|templatefile|jsonpath|jsonpath-as-json|jsonpath-file] [--for TYPE/NAME] [--watch] [--types=Normal,Warning]", "List events");

/// `kubectl explain`
pub static EXPLAIN: Command =
    missing("explain TYPE [--recursive=FALSE|TRUE] [--api-version=api-version-group] [-o|--output=plaintext|plaintext-openapiv2]", "Get documentation for a resource");

/// `kubectl expose`
pub static EXPOSE: Command =
    missing("expose (-f FILENAME | TYPE NAME) [--port=port] [--protocol=TCP|UDP|SCTP] [--target-port=number-or-name] [--name=name] [--external-ip=external-ip-of-service] [--type=type]", "Take a replication controller, service, deployment or pod and expose it as a new Kubernetes service");

/// `kubectl kustomize`
pub static KUSTOMIZE: Command =
    missing("kustomize DIR", "Build a kustomization target from a directory or URL");

/// `kubectl label`
pub static LABEL: Command =
    missing("label [--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N [--resource-version=version]", "Update the labels on a resource");

/// `kubectl patch`
pub static PATCH: Command =
    missing("patch (-f FILENAME | TYPE NAME) [-p PATCH|--patch-file FILE]", "Update fields of a resource");

/// `kubectl plugin`
pub static PLUGIN: Command =
    missing("plugin [flags]", "Provides utilities for interacting with plugins");

/// `kubectl port-forward`
pub static PORT_FORWARD: Command =
    missing("port-forward TYPE/NAME [options] [LOCAL_PORT:]REMOTE_PORT [...[LOCAL_PORT_N:]REMOTE_PORT_N]", "Forward one or more local ports to a pod");

/// `kubectl proxy`
pub static PROXY: Command =
    missing("proxy [--port=PORT] [--www=static-dir] [--www-prefix=prefix] [--api-prefix=prefix]", "Run a proxy to the Kubernetes API server");

/// `kubectl replace`
pub static REPLACE: Command =
    missing("replace -f FILENAME", "Replace a resource by file name or stdin");

/// `kubectl rollout`
pub static ROLLOUT: Command =
    missing("rollout SUBCOMMAND", "Manage the rollout of a resource");

/// `kubectl scale`
pub static SCALE: Command =
    missing("scale [--resource-version=version] [--current-replicas=count] --replicas=COUNT (-f FILENAME | TYPE NAME)", "Set a new size for a deployment, replica set, or replication controller");

/// `kubectl set`
pub static SET: Command =
    missing("set SUBCOMMAND", "Set specific features on objects");

/// `kubectl taint`
pub static TAINT: Command =
    missing("taint NODE NAME KEY_1=VAL_1:TAINT_EFFECT_1 ... KEY_N=VAL_N:TAINT_EFFECT_N", "Update the taints on one or more nodes");

/// `kubectl top`
pub static TOP: Command =
    missing("top", "Display resource (CPU/memory) usage");

/// `kubectl uncordon`
pub static UNCORDON: Command =
    missing("uncordon NODE", "Mark node as schedulable");

/// `kubectl version`
pub static VERSION: Command =
    missing("version", "Print the client and server version information");
