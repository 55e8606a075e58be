//! Completion with Tab: commands, flags, kinds, names, namespaces, containers, contexts.
//!
//! Upstream: `k8s.io/kubectl/pkg/util/completion/completion.go`.

use crate::cmd;
use crate::command::{Command, Invocation};
use crate::context::{Console, Context, Login};
use crate::flags::{self, Flag, Parsed};
use crate::mapper;
use crate::podsfor;
use naru_api::k8s_openapi::api::core::v1::Pod;
use naru_api::request::ListOptions;
use naru_api::{KindRef, Object};
use naru_shell::{Completer, Sys};
use serde_json::Value;

/// Completes kubectl's arguments.
pub struct KubectlCompleter;

/// What the arguments of a command are.
enum Arguments {
    /// A kind, then names; or KIND/NAME.
    Any,
    /// Only these kinds.
    Of(&'static [&'static str]),
    /// Only these kinds, and one name.
    OneOf(&'static [&'static str]),
    /// The name of one object of a kind.
    Name(&'static str),
    /// A pod, or KIND/NAME of what has pods; then this.
    Pod(Then),
    /// What `kubectl cp` copies: a file, or POD:FILE.
    Copied,
    /// A name of this list of the kubeconfig.
    Config(&'static str),
    Commands,
    Nothing,
}

/// What follows a pod.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Nothing,
    Container,
    Port,
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
        return all.filter(|flag| flag.deprecated.is_empty()).flat_map(flag_names).collect();
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

/// How a flag may begin, as cobra offers it: also with `=` if it needs a value.
fn flag_names(flag: &Flag) -> Vec<String> {
    let mut names = vec![format!("--{}", flag.name)];
    if !matches!(flag.kind, flags::Kind::Bool | flags::Kind::Optional(_)) {
        names.push(format!("--{}=", flag.name));
    }
    if !flag.short.is_empty() {
        names.push(format!("-{}", flag.short));
    }
    names
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
        "context" => configured(cx, "contexts"),
        "cluster" => configured(cx, "clusters"),
        "user" => configured(cx, "users"),
        "container" => containers(cx),
        "output" => fixed(&["custom-columns=", "json", "jsonpath=", "name", "wide", "yaml"]),
        "dry-run" => fixed(&["client", "none", "server"]),
        "cascade" => fixed(&["background", "foreground", "orphan"]),
        "restart" => fixed(&["Always", "Never", "OnFailure"]),
        "type" => fixed(&["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]),
        _ => Vec::new(),
    }
}

/// Upstream: the `ValidArgsFunction` of each command.
fn arguments_of(path: &[&str]) -> Arguments {
    const ROLLOUTS: &[&str] = &["deployment", "daemonset", "statefulset"];
    const SCALABLE: &[&str] = &["deployment", "replicaset", "replicationcontroller", "statefulset"];
    const EXPOSED: &[&str] =
        &["pod", "service", "replicationcontroller", "deployment", "replicaset"];
    const WITH_IMAGES: &[&str] = &[
        "daemonsets",
        "deployments",
        "pods",
        "cronjobs",
        "replicasets",
        "replicationcontrollers",
        "statefulsets",
    ];
    match path {
        [
            "get" | "describe" | "delete" | "label" | "annotate" | "patch" | "wait" | "edit"
            | "debug" | "explain",
        ]
        | ["apply", "view-last-applied" | "edit-last-applied"] => Arguments::Any,
        ["logs"] => Arguments::Pod(Then::Container),
        ["port-forward"] => Arguments::Pod(Then::Port),
        ["exec" | "attach"] => Arguments::Pod(Then::Nothing),
        ["cp"] => Arguments::Copied,
        ["rollout", "pause" | "resume"] => Arguments::Of(&["deployment"]),
        ["rollout", "status"] => Arguments::OneOf(ROLLOUTS),
        ["rollout", _] => Arguments::Of(ROLLOUTS),
        ["scale" | "autoscale"] => Arguments::Of(SCALABLE),
        ["expose"] => Arguments::Of(EXPOSED),
        ["set", "selector"] => Arguments::Of(&["services"]),
        ["set", "subject"] => Arguments::Of(&["rolebindings", "clusterrolebindings"]),
        ["set", "image"] => Arguments::OneOf(WITH_IMAGES),
        ["set", _] => Arguments::Of(WITH_IMAGES),
        ["cordon" | "uncordon" | "drain"] | ["top", "node"] => Arguments::Name("nodes"),
        ["top", "pod"] => Arguments::Name("pods"),
        ["create", "token"] => Arguments::Name("serviceaccounts"),
        ["certificate", _] => Arguments::Name("certificatesigningrequests"),
        ["taint"] => Arguments::Of(&["node"]),
        ["config", "use-context" | "delete-context" | "rename-context" | "set-context"] => {
            Arguments::Config("contexts")
        }
        ["config", "delete-cluster" | "set-cluster"] => Arguments::Config("clusters"),
        ["config", "delete-user" | "set-credentials"] => Arguments::Config("users"),
        ["help"] => Arguments::Commands,
        _ => Arguments::Nothing,
    }
}

fn arguments(cx: &mut Context<'_>, arguments: Arguments, current: &str) -> Vec<String> {
    match arguments {
        Arguments::Any => typed_names(cx, None, true, current),
        Arguments::Of(kinds) => typed_names(cx, Some(kinds), true, current),
        Arguments::OneOf(kinds) => typed_names(cx, Some(kinds), false, current),
        Arguments::Name(kind) if cx.args().is_empty() => names(cx, kind),
        Arguments::Config(list) if cx.args().is_empty() => configured(cx, list),
        Arguments::Name(_) | Arguments::Config(_) | Arguments::Nothing => Vec::new(),
        Arguments::Pod(then) => pod_names(cx, then, current),
        Arguments::Copied => copied(cx, current),
        Arguments::Commands => {
            let path = understand(cx.args()).path;
            let last = path.last().copied().unwrap_or(&cmd::KUBECTL);
            cmd::below(last).iter().map(|next| next.name().to_owned()).collect()
        }
    }
}

/// Upstream: `resourceTypeAndNameCompletionFunc`.
fn typed_names(
    cx: &mut Context<'_>,
    allowed: Option<&[&str]>,
    repeats: bool,
    current: &str,
) -> Vec<String> {
    let args = cx.args();
    if let Some(kind) = args.first().filter(|kind| !kind.contains('/')) {
        if !repeats && args.len() > 1 {
            return Vec::new();
        }
        let taken = args.get(1..).unwrap_or_default();
        let found = names(cx, kind);
        return found.into_iter().filter(|name| !taken.contains(name)).collect();
    }
    if !repeats && !args.is_empty() {
        return Vec::new();
    }
    if let Some((kind, _)) = current.split_once('/') {
        let found = names(cx, kind).into_iter().map(|name| format!("{kind}/{name}"));
        return found.filter(|name| !args.contains(name)).collect();
    }
    let kinds = match allowed {
        Some(kinds) => kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        None => all_kinds(cx),
    };
    if !args.is_empty() {
        // Where the first argument is KIND/NAME, all others are.
        return kinds.into_iter().map(|kind| format!("{kind}/")).collect();
    }
    match current.rsplit_once(',') {
        Some((before, _)) => kinds.into_iter().map(|kind| format!("{before},{kind}")).collect(),
        None => kinds,
    }
}

/// Upstream: `doPodResourceCompletion`, and what may follow it.
fn pod_names(cx: &mut Context<'_>, then: Then, current: &str) -> Vec<String> {
    const WITH_PODS: [&str; 8] = [
        "daemonsets",
        "deployments",
        "pods",
        "jobs",
        "replicasets",
        "replicationcontrollers",
        "services",
        "statefulsets",
    ];
    match (cx.args(), then) {
        ([], _) => {}
        ([_], Then::Container) => return containers(cx),
        ([_], Then::Port) => return ports(cx, current),
        _ => return Vec::new(),
    }
    if let Some((kind, _)) = current.split_once('/') {
        return names(cx, kind).into_iter().map(|name| format!("{kind}/{name}")).collect();
    }
    let mut found = names(cx, "pods");
    found.extend(WITH_PODS.map(|kind| format!("{kind}/")));
    found
}

/// Upstream: the `ValidArgsFunction` of `kubectl cp`. What is none of these is a file.
fn copied(cx: &mut Context<'_>, current: &str) -> Vec<String> {
    if !cx.args().is_empty() || current.starts_with(['/', '.', '~']) || current.contains(':') {
        return Vec::new();
    }
    if let Some((namespace, _)) = current.split_once('/') {
        let Some(pods) = kind_named(cx, "pods") else { return Vec::new() };
        let list = cx.list(&pods, namespace, &ListOptions::default());
        let items = list.map(|list| list.items).unwrap_or_default();
        return items.iter().map(|pod| format!("{namespace}/{}:", pod.name())).collect();
    }
    let mut found: Vec<String> =
        names(cx, "namespaces").into_iter().map(|name| format!("{name}/")).collect();
    found.extend(names(cx, "pods").into_iter().map(|name| format!("{name}:")));
    if current.is_empty() {
        found.extend(["./".to_owned(), "/".to_owned()]);
        return found;
    }
    let cwd = cx.sys.cwd().to_owned();
    for entry in cx.sys.fs().list(&cwd).unwrap_or_default() {
        let is_dir = cx.sys.fs().is_dir(&naru_shell::join(&cwd, &entry.name));
        found.push(format!("{}{}", entry.name, if is_dir { "/" } else { "" }));
    }
    found
}

/// `LOCAL:PORT` for each port of the service or pod that is named before.
///
/// Upstream: `CompGetServicePorts`, `CompGetPodContainerPorts`.
fn ports(cx: &mut Context<'_>, current: &str) -> Vec<String> {
    let Some(name) = cx.args().first().cloned() else { return Vec::new() };
    let service = match name.split_once('/') {
        Some(("service" | "services" | "svc", service)) => Some(service.to_owned()),
        _ => None,
    };
    let json = match service {
        Some(service) => {
            let (Some(kind), Ok((namespace, _))) = (kind_named(cx, "services"), cx.namespace())
            else {
                return Vec::new();
            };
            cx.get(&kind, &namespace, &service).ok()
        }
        None => pod_meant(cx, &name),
    };
    let json = json.and_then(|object| object.content_json().ok()).unwrap_or_default();
    let lists: Vec<&Value> = match &json["spec"]["ports"] {
        Value::Null => {
            let containers = json["spec"]["containers"].as_array().into_iter().flatten();
            containers.map(|container| &container["ports"]).collect()
        }
        ports => vec![ports],
    };
    let all = lists.into_iter().filter_map(Value::as_array).flatten();
    let numbers = all.filter_map(|port| port["port"].as_u64().or(port["containerPort"].as_u64()));
    let local = current.split(':').next().unwrap_or_default();
    numbers
        .map(|port| match local {
            "" => format!("{port}:{port}"),
            local => format!("{local}:{port}"),
        })
        .collect()
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

/// The names in one of the lists of the kubeconfig.
fn configured(cx: &mut Context<'_>, list: &str) -> Vec<String> {
    let Ok(config) = cx.config() else { return Vec::new() };
    let entries = config.value[list].as_array().cloned().unwrap_or_default();
    entries.iter().filter_map(|entry| entry["name"].as_str().map(str::to_owned)).collect()
}

/// The pod of this name, or one of what KIND/NAME has.
fn pod_meant(cx: &mut Context<'_>, name: &str) -> Option<Object> {
    let namespace = cx.namespace().ok()?.0;
    let (kind, name) = name.split_once('/').unwrap_or(("pods", name));
    let kind = kind_named(cx, kind)?;
    let object = cx.get(&kind, &namespace, name).ok()?;
    if object.get::<Pod>().is_some() {
        return Some(object);
    }
    let pods = podsfor::pods_of(cx, &object, "attach to", podsfor::by_activity).ok()?;
    pods.into_iter().next()
}

/// The containers of the pod that is named before.
fn containers(cx: &mut Context<'_>) -> Vec<String> {
    let Some(name) = cx.args().first().cloned() else { return Vec::new() };
    let Some(object) = pod_meant(cx, &name) else { return Vec::new() };
    let spec = object.get::<Pod>().and_then(|pod| pod.spec.as_ref());
    let containers = spec
        .into_iter()
        .flat_map(|spec| spec.init_containers.iter().flatten().chain(spec.containers.iter()));
    containers.map(|container| container.name.clone()).collect()
}
