//! `kubectl kustomize`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/kustomize`, `sigs.k8s.io/kustomize/kustomize/v5/commands/build`.

use crate::child;
use crate::command::Command;
use crate::context::{Context, done};
use crate::failure::Failure;
use crate::flags::Flag;
use crate::kustomize;
use crate::process::Outcome;
use naru_api::yaml;

/// `kubectl kustomize`
pub static COMMAND: Command = Command {
    usage: "kustomize DIR",
    short: "Build a kustomization target from a directory or URL",
    long: "Build a set of KRM resources using a 'kustomization.yaml' file. The DIR argument must be \
           a path to a directory containing 'kustomization.yaml'. If DIR is omitted, '.' is assumed.",
    examples: "# Build the current working directory\nkubectl kustomize\n\n\
               # Build some shared configuration directory\nkubectl kustomize /home/config/production",
    flags: &[&[
        Flag::switch("as-current-user", "Use the uid and gid of the command's caller."),
        Flag::switch("enable-alpha-plugins", "Enable kustomize plugins."),
        Flag::switch("enable-helm", "Enable use of the Helm chart inflator generator."),
        Flag::array("env", "Environment variables to be used by functions.").short("e"),
        Flag::text("helm-api-versions", "", "Kubernetes api versions used by Helm."),
        Flag::text("helm-command", "helm", "Helm command (path to executable)."),
        Flag::switch("helm-debug", "Enable debug output from the Helm chart inflator generator."),
        Flag::text("helm-kube-version", "", "Kubernetes version used by Helm."),
        Flag::text("load-restrictor", "LoadRestrictionsRootOnly", "What files may be loaded."),
        Flag::array("mount", "A list of storage options read from the file system."),
        Flag::switch("network", "Enable network access for functions that declare it."),
        Flag::text("network-name", "bridge", "The docker network to run the container in."),
        Flag::text("output", "", "If specified, write output to this path.").short("o"),
    ]],
    run,
    ..Command::EMPTY
};

fn run(cx: &mut Context<'_>) -> Outcome {
    let folder = match cx.args() {
        [] => ".".to_owned(),
        [folder] => folder.clone(),
        _ => {
            let text = "specify one path to kustomization.yaml";
            return Err(Failure::message(text));
        }
    };
    let objects = kustomize::build(cx, &folder)?;
    let documents: Vec<String> = objects.iter().map(yaml::print).collect();
    let text = documents.join("---\n");
    match cx.flags().text("output") {
        "" => cx.out(&text),
        path => {
            let path = cx.sys.absolute(path);
            child::write(cx, &path, &text)?;
        }
    }
    done()
}
