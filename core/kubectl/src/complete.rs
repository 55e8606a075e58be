//! Completion with Tab: commands, flags, kinds, names, namespaces, containers, contexts.
//!
//! Upstream: `k8s.io/kubectl/pkg/util/completion/completion.go`.

use crate::cmd;
use crate::command::{Command, Invocation};
use crate::context::{Console, Context, Login};
use crate::flags::{self, Flag, Parsed};
use crate::mapper;
use naru_api::KindRef;
use naru_api::k8s_openapi::api::core::v1::Pod;
use naru_api::request::ListOptions;
use naru_shell::{Completer, Sys};

/// Completes kubectl's arguments.
pub struct KubectlCompleter;

/// What the arguments of a command are.
enum Arguments {
    /// A kind, then names; or KIND/NAME.
    Any,
    /// Only these kinds.
    Of(&'static [&'static str]),
    /// Names of one kind.
    Names(&'static str),
    /// A pod, or KIND/NAME of what has pods.
    Pods,
    Contexts,
    Commands,
    Nothing,
}

impl Completer for KubectlCompleter {
    fn complete(&self, sys: &mut dyn Sys, words: &[String], current: &str) -> Vec<String> {
        let words = words.get(1..).unwrap_or_default();
        if words.iter().any(|word| word == "--") {
            return Vec::new();
        }
        let invocation = understand(words);
        let mut console = Console::default();
        let cause = sys.cause();
        let mut login = Login::default();
        let mut cx = Context::new(sys, &mut console, &invocation, &[], cause, &mut login);
        let mut found = candidates(&mut cx, words, current);
        found.retain(|candidate| candidate.starts_with(current));
        found
    }
}

/// The command that is meant so far; words that do not fit are left out.
fn understand(words: &[String]) -> Invocation {
    let mut path: Vec<&'static Command> = vec![&cmd::KUBECTL];
    let mut rest = words.to_vec();
    while let Some(command) = path.last().copied() {
        let sets = [command.flags, cmd::GLOBAL];
        let names = crate::command::words_before_cursor(&sets, &rest);
        let next = names.first().and_then(|word| {
            cmd::below(command)
                .into_iter()
                .find(|next| next.answers_to(word))
                .map(|next| (word, next))
        });
        let Some((word, next)) = next else { break };
        if let Some(at) = rest.iter().position(|other| other == word) {
            rest.remove(at);
        }
        path.push(next);
    }
    let command = path.last().copied().unwrap_or(&cmd::KUBECTL);
    let sets = [command.flags, cmd::GLOBAL];
    // A flag that still waits for its value does not fit: without it, the others do.
    let parsed = Parsed::parse(&sets, &rest)
        .or_else(|_| {
            Parsed::parse(&sets, rest.get(..rest.len().saturating_sub(1)).unwrap_or_default())
        })
        .unwrap_or_default();
    Invocation { path, flags: parsed.with_defaults(&sets) }
}

fn candidates(cx: &mut Context<'_>, words: &[String], current: &str) -> Vec<String> {
    let command = cx.invocation.command();
    let sets = [command.flags, cmd::GLOBAL];
    if let Some((flag, value)) = current.split_once('=').filter(|_| current.starts_with("--")) {
        let values = values_of(cx, flag.trim_start_matches('-'), value);
        return values.into_iter().map(|value| format!("{flag}={value}")).collect();
    }
    if current.starts_with('-') {
        let all = sets.iter().flat_map(|set| set.iter()).flat_map(|group| group.iter());
        let shown = all.filter(|flag| flag.deprecated.is_empty());
        return shown.map(|flag| format!("--{}", flag.name)).collect();
    }
    if let Some(flag) = words.last().and_then(|word| waiting_flag(&sets, word)) {
        return values_of(cx, flag.name, current);
    }
    let below = cmd::below(command);
    if !below.is_empty() && cx.args().is_empty() {
        let mut names: Vec<String> = below.iter().map(|next| next.name().to_owned()).collect();
        names.retain(|name| name != "options");
        return names;
    }
    let path: Vec<&str> = cx.invocation.path.iter().skip(1).map(|command| command.name()).collect();
    arguments(cx, arguments_of(&path), current)
}

/// The flag whose value comes next, if the word is one without its value.
fn waiting_flag(sets: &[flags::FlagSet], word: &str) -> Option<&'static Flag> {
    let flag = match word.strip_prefix("--") {
        Some(name) => flags::find(sets, name)?,
        None => {
            let letter = word.strip_prefix('-').filter(|letters| letters.chars().count() == 1)?;
            let all = sets.iter().flat_map(|set| set.iter()).flat_map(|group| group.iter());
            all.into_iter().find(|flag| flag.short == letter)?
        }
    };
    (!matches!(flag.kind, flags::Kind::Bool | flags::Kind::Optional(_))).then_some(flag)
}

fn values_of(cx: &mut Context<'_>, flag: &str, _value: &str) -> Vec<String> {
    let fixed = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    match flag {
        "namespace" => names(cx, "namespaces"),
        "context" => contexts(cx),
        "container" => containers(cx),
        "output" => fixed(&["custom-columns=", "json", "jsonpath=", "name", "wide", "yaml"]),
        "dry-run" => fixed(&["client", "none", "server"]),
        "cascade" => fixed(&["background", "foreground", "orphan"]),
        "restart" => fixed(&["Always", "Never", "OnFailure"]),
        "type" => fixed(&["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]),
        _ => Vec::new(),
    }
}

fn arguments_of(path: &[&str]) -> Arguments {
    const ROLLOUTS: &[&str] = &["deployments.apps", "daemonsets.apps", "statefulsets.apps"];
    const SCALABLE: &[&str] = &["deployments.apps", "replicasets.apps", "statefulsets.apps"];
    const EXPOSED: &[&str] = &["deployments.apps", "pods", "replicasets.apps", "services"];
    match path {
        [
            "get" | "describe" | "delete" | "label" | "annotate" | "patch" | "wait" | "edit"
            | "explain",
        ]
        | ["apply", "view-last-applied" | "edit-last-applied"] => Arguments::Any,
        ["logs" | "exec" | "attach" | "port-forward" | "debug"] => Arguments::Pods,
        ["rollout", _] => Arguments::Of(ROLLOUTS),
        ["scale" | "autoscale"] => Arguments::Of(SCALABLE),
        ["expose"] => Arguments::Of(EXPOSED),
        ["set", "selector"] => Arguments::Of(&["services"]),
        ["set", "subject"] => Arguments::Of(&[
            "rolebindings.rbac.authorization.k8s.io",
            "clusterrolebindings.rbac.authorization.k8s.io",
        ]),
        ["set", _] => Arguments::Of(&["deployments.apps", "pods", "daemonsets.apps"]),
        ["cordon" | "uncordon" | "drain"] => Arguments::Names("nodes"),
        ["taint"] => Arguments::Of(&["nodes"]),
        ["config", "use-context" | "delete-context" | "rename-context" | "set-context"] => {
            Arguments::Contexts
        }
        ["help"] => Arguments::Commands,
        _ => Arguments::Nothing,
    }
}

fn arguments(cx: &mut Context<'_>, arguments: Arguments, current: &str) -> Vec<String> {
    let (kinds, bare_pods) = match arguments {
        Arguments::Any => (all_kinds(cx), false),
        Arguments::Of(kinds) => (kinds.iter().map(|kind| (*kind).to_owned()).collect(), false),
        Arguments::Pods => {
            let owners = ["daemonsets.apps", "deployments.apps", "pods", "replicasets.apps"];
            (owners.map(str::to_owned).to_vec(), true)
        }
        Arguments::Names(kind) => return names(cx, kind),
        Arguments::Contexts => return contexts(cx),
        Arguments::Commands => {
            let path = understand(cx.args()).path;
            let last = path.last().copied().unwrap_or(&cmd::KUBECTL);
            return cmd::below(last).iter().map(|next| next.name().to_owned()).collect();
        }
        Arguments::Nothing => return Vec::new(),
    };
    if let Some((kind, _)) = current.split_once('/') {
        let names = names(cx, kind);
        return names.into_iter().map(|name| format!("{kind}/{name}")).collect();
    }
    if bare_pods {
        let mut found = if cx.args().is_empty() { names(cx, "pods") } else { Vec::new() };
        if !current.is_empty() {
            found.extend(kinds.into_iter().map(|kind| format!("{kind}/")));
        }
        return found;
    }
    match cx.args().first().cloned() {
        None => match current.rsplit_once(',') {
            Some((before, _)) => kinds.into_iter().map(|kind| format!("{before},{kind}")).collect(),
            None => kinds,
        },
        Some(kind) if kind.contains(['/', ',']) => Vec::new(),
        Some(kind) => {
            let taken = cx.args();
            let names = names(cx, &kind);
            names.into_iter().filter(|name| !taken.contains(name)).collect()
        }
    }
}

fn all_kinds(cx: &mut Context<'_>) -> Vec<String> {
    let kinds = cx.kinds().unwrap_or_default();
    kinds.iter().map(|kind| kind.group_resource()).collect()
}

fn kind_named(cx: &mut Context<'_>, name: &str) -> Option<KindRef> {
    mapper::kind_for(&cx.kinds().ok()?, name).ok()
}

/// The names of every object of a kind in the namespace.
fn names(cx: &mut Context<'_>, kind: &str) -> Vec<String> {
    let Some(kind) = kind_named(cx, kind) else { return Vec::new() };
    let namespace = match cx.namespace() {
        Ok((namespace, _)) if !cx.flags().is("all-namespaces") => namespace,
        _ => String::new(),
    };
    let list = cx.list(&kind, &namespace, &ListOptions::default());
    let items = list.map(|list| list.items).unwrap_or_default();
    items.iter().map(|object| object.name().to_owned()).collect()
}

fn contexts(cx: &mut Context<'_>) -> Vec<String> {
    let Ok(config) = cx.config() else { return Vec::new() };
    let contexts = config.value["contexts"].as_array().cloned().unwrap_or_default();
    contexts.iter().filter_map(|context| context["name"].as_str().map(str::to_owned)).collect()
}

/// The containers of the pod that is named before.
fn containers(cx: &mut Context<'_>) -> Vec<String> {
    let Some(name) = cx.args().first().cloned() else { return Vec::new() };
    let name = name.strip_prefix("pod/").or(name.strip_prefix("pods/")).unwrap_or(&name).to_owned();
    let (Some(kind), Ok((namespace, _))) = (kind_named(cx, "pods"), cx.namespace()) else {
        return Vec::new();
    };
    let Ok(object) = cx.get(&kind, &namespace, &name) else { return Vec::new() };
    let spec = object.get::<Pod>().and_then(|pod| pod.spec.as_ref());
    let containers = spec
        .into_iter()
        .flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()));
    containers.map(|container| container.name.clone()).collect()
}
