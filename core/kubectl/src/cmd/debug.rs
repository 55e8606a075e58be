//! `kubectl debug`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/debug/debug.go`.

use super::attach::{Attached, Wish};
use super::debug_profile::{Keep, Profile, Style};
use super::exec::without_server;
use super::logs::Reading;
use crate::builder::Builder;
use crate::command::Command;
use crate::context::{Context, DryRun, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::generate::{is_image_reference, list_mut};
use crate::process::{Next, Outcome, Task};
use naru_api::gofmt::quote;
use naru_api::k8s_openapi::api::core::v1::Pod;
use naru_api::request::{DeleteOptions, ListOptions, Patch};
use naru_api::{KindRef, Object, WatchId};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// `kubectl debug`
pub static COMMAND: Command = Command {
    usage: "debug (POD | TYPE[[.VERSION].GROUP]/NAME) [ -- COMMAND [args...] ]",
    short: "Create debugging sessions for troubleshooting workloads and nodes",
    long: "Debug cluster resources using interactive debugging containers.\n\n What is done depends \
           on what is debugged:\n\n  *  a pod gets one more container, while it runs (an ephemeral \
           container);\n  *  with --copy-to, a copy of the pod is made in which containers are \
           changed or added;\n  *  on a node, a pod is made that runs in the node's own \
           namespaces.",
    examples: "# A container in a pod, and a shell in it\nkubectl debug mypod -it --image=busybox\n\n\
               # A copy of a pod with one more container\n\
               kubectl debug mypod -it --image=busybox --copy-to=my-debugger\n\n\
               # A copy with other images\n\
               kubectl debug mypod --copy-to=my-debugger --set-image=*=busybox\n\n\
               # A pod on a node, which finds the node's files below /host\n\
               kubectl debug node/mynode -it --image=busybox",
    flags: &[FLAGS],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::switch("arguments-only", "Pass what follows -- as arguments and not as the command."),
    Flag::switch("attach", "Wait for the container, and attach to it; on with -i."),
    Flag::text("container", "", "Name of the container.").short("c"),
    Flag::text("copy-to", "", "Make a copy of the pod with this name."),
    Flag::text("custom", "", "File with parts of a container that change the profile."),
    Flag::slice("env", "Variables to set in the container: KEY=VALUE."),
    Flag::slice("filename", "Files, folders or URLs that name what is debugged.").short("f"),
    Flag::text("image", "", "Image of the container."),
    Flag::text("image-pull-policy", "", "When to pull the image."),
    Flag::switch("keep-annotations", "With --copy-to: keep the pod's annotations."),
    Flag::switch_on("keep-init-containers", "With --copy-to: keep the init containers."),
    Flag::switch("keep-labels", "With --copy-to: keep the pod's labels."),
    Flag::switch("keep-liveness", "With --copy-to: keep the liveness probes."),
    Flag::switch("keep-readiness", "With --copy-to: keep the readiness probes."),
    Flag::switch("keep-startup", "With --copy-to: keep the startup probes."),
    Flag::text(
        "profile",
        "legacy",
        "Options are \"legacy\", \"general\", \"baseline\", \"netadmin\", \"restricted\" or \
         \"sysadmin\".",
    ),
    Flag::switch("quiet", "Say nothing but what the container prints.").short("q"),
    Flag::switch("replace", "With --copy-to: delete the pod."),
    Flag::switch("same-node", "With --copy-to: run the copy on the node of the pod."),
    Flag::slice("set-image", "With --copy-to: other images: NAME=IMAGE."),
    Flag::switch_on(
        "share-processes",
        "With --copy-to: let containers see each other's processes.",
    ),
    Flag::switch("stdin", "Pass standard input to the container.").short("i"),
    Flag::text("target", "", "Container whose processes an ephemeral container shall see."),
    Flag::switch("tty", "Give the container a terminal.").short("t"),
];

/// What is asked for.
struct Options {
    profile: Profile,
    custom: Option<Value>,
    args: Vec<String>,
    env: Vec<Value>,
    images: BTreeMap<String, String>,
}

fn run(cx: &mut Context<'_>) -> Outcome {
    let (flags, all) = (cx.flags(), cx.args());
    let at = flags.args_at_dash.filter(|at| *at < all.len()).unwrap_or(all.len());
    let (names, args) = all.split_at(at);
    let keep = Keep {
        labels: flags.is("keep-labels"),
        annotations: flags.is("keep-annotations"),
        liveness: flags.is("keep-liveness"),
        readiness: flags.is("keep-readiness"),
        startup: flags.is("keep-startup"),
        init_containers: flags.is("keep-init-containers"),
    };
    let profile = Profile::parse(flags.text("profile"), keep)?;
    let env = pairs(flags.list("env"))?.into_iter();
    let options = Options {
        profile,
        custom: custom(cx)?,
        args: args.to_vec(),
        env: env.map(|(name, value)| json!({ "name": name, "value": value })).collect(),
        images: pairs(flags.list("set-image"))?,
    };
    check(cx, names, &options)?;
    let selection = Builder::new(cx)?.named("pods", names).build(cx)?;
    let Some(object) = selection.fetch_all(cx)?.into_iter().next() else { return done() };
    let (namespace, name, container) = match object.kind().group_kind().as_str() {
        "Node" => node(cx, &object, &options)?,
        "Pod" if flags.text("copy-to").is_empty() => ephemeral(cx, &object, &options)?,
        "Pod" => copy(cx, &object, &options)?,
        _ => {
            let kind = object.kind();
            let kind = match kind.group.as_ref() {
                "" => format!("/{}, Kind={}", kind.version, kind.kind),
                group => format!("{group}/{}, Kind={}", kind.version, kind.kind),
            };
            return Err(Failure::Message(format!("{} not supported by debug", quote(&kind))));
        }
    };
    let attach = flags.is("attach") || (!flags.changed("attach") && flags.is("stdin"));
    if !attach || container.is_empty() {
        return done();
    }
    let pods = pods(cx)?;
    let options =
        ListOptions { field_selector: format!("metadata.name={name}"), ..ListOptions::default() };
    let watch = cx.watch(&pods, &namespace, options, None)?;
    cx.start(Debugging { container, watch, warned: String::new(), stage: Stage::Waiting })
}

fn pods(cx: &mut Context<'_>) -> Result<KindRef> {
    crate::mapper::kind_for(&cx.kinds()?, "pods")
}

/// `NAME=VALUE`
fn pairs(list: &[String]) -> Result<BTreeMap<String, String>> {
    list.iter()
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
            None => Err(Failure::Message(format!("{pair} must be formatted as key=value"))),
        })
        .collect()
}

fn custom(cx: &mut Context<'_>) -> Result<Option<Value>> {
    let file = cx.flags().text("custom");
    if file.is_empty() {
        return Ok(None);
    }
    let path = cx.sys.absolute(file);
    let text = cx.sys.fs().read_text(&path).map_err(|errno| {
        let why = errno.to_string().to_lowercase();
        Failure::Message(format!(
            "must pass a container spec json file for custom profile: open {file}: {why}"
        ))
    })?;
    naru_api::yaml::parse(&text).map(Some).map_err(|why| {
        Failure::Message(format!("{file} does not contain a valid container spec: {why}"))
    })
}

/// Upstream: `DebugOptions.Validate`.
fn check(cx: &mut Context<'_>, names: &[String], options: &Options) -> Result<()> {
    let flags = cx.flags();
    let (image, copies) = (flags.text("image"), !flags.text("copy-to").is_empty());
    let target = flags.text("target");
    let message = |text: &str| Err(Failure::message(text));
    if copies {
        if image.is_empty() && options.images.is_empty() && options.args.is_empty() {
            return message("you must specify --image, --set-image or command arguments.");
        }
        if !options.args.is_empty() && flags.text("container").is_empty() && image.is_empty() {
            return message(
                "you must specify an existing container or a new image when specifying args.",
            );
        }
    } else if flags.is("replace") {
        return message("--replace may only be used with --copy-to.");
    } else if flags.is("same-node") {
        return message("--same-node may only be used with --copy-to.");
    } else if !options.images.is_empty() {
        return message("--set-image may only be used with --copy-to.");
    } else if image.is_empty() {
        return message("you must specify --image when not using --copy-to.");
    }
    if !image.is_empty() && !is_image_reference(image) {
        let image = quote(image);
        return Err(Failure::Message(format!(
            "invalid image name {image}: invalid reference format"
        )));
    }
    if names.is_empty() && flags.list("filename").is_empty() {
        return message("NAME or filename is required for debug");
    }
    let policy = flags.text("image-pull-policy");
    if !matches!(policy, "" | "Always" | "IfNotPresent" | "Never") {
        return Err(Failure::Message(format!("invalid image pull policy: {policy}")));
    }
    for (name, image) in &options.images {
        if !is_image_reference(image) {
            let (name, image) = (quote(name), quote(image));
            return Err(Failure::Message(format!(
                "invalid image name {image} for container {name}: invalid reference format"
            )));
        }
    }
    if !target.is_empty() && copies {
        return message("--target is incompatible with --copy-to. Use --share-processes instead.");
    }
    if !target.is_empty() && !flags.is("quiet") {
        let target = quote(target);
        cx.line(&format!(
            "Targeting container {target}. If you don't see processes from this container it may be \
             because the container runtime doesn't support this feature."
        ));
    }
    if flags.is("tty") && !flags.is("stdin") {
        return message("-i/--stdin is required for containers with -t/--tty=true");
    }
    const FIXED: [&str; 5] = ["name", "command", "image", "lifecycle", "volumeDevices"];
    if options.custom.as_ref().is_some_and(|custom| FIXED.iter().any(|f| !custom[*f].is_null())) {
        return message(
            "name, command, image, lifecycle and volume devices are not modifiable via custom \
             profile",
        );
    }
    if flags.text("profile") == "legacy" {
        cx.err_line(
            "--profile=legacy is deprecated and will be removed in the future. It is recommended to \
             explicitly specify a profile, for example \"--profile=general\".",
        );
    }
    Ok(())
}

/// The container that is added.
fn container(cx: &Context<'_>, name: &str, options: &Options) -> Map<String, Value> {
    let flags = cx.flags();
    let mut container = Map::new();
    let mut set = |field: &str, value: Value| drop(container.insert(field.to_owned(), value));
    set("name", json!(name));
    set("image", json!(flags.text("image")));
    set("terminationMessagePolicy", json!("File"));
    if !options.env.is_empty() {
        set("env", json!(options.env));
    }
    if !flags.text("image-pull-policy").is_empty() {
        set("imagePullPolicy", json!(flags.text("image-pull-policy")));
    }
    for flag in ["stdin", "tty"] {
        if flags.is(flag) {
            set(flag, json!(true));
        }
    }
    if !options.args.is_empty() {
        let field = if flags.is("arguments-only") { "args" } else { "command" };
        set(field, json!(options.args));
    }
    container
}

/// A name that no container of the pod has.
fn new_name(cx: &mut Context<'_>, pod: &Value) -> String {
    if !cx.flags().text("container").is_empty() {
        return cx.flags().text("container").to_owned();
    }
    let taken = |name: &str| {
        ["containers", "initContainers", "ephemeralContainers"].iter().any(|list| {
            pod["spec"][*list].as_array().into_iter().flatten().any(|c| c["name"] == name)
        })
    };
    let mut name = String::new();
    while name.is_empty() || taken(&name) {
        name = format!("debugger-{}", naru_api::names::random_suffix(cx.sys.rng(), 5));
    }
    if !cx.flags().is("quiet") {
        cx.line(&format!("Defaulting debug container name to {name}."));
    }
    name
}

/// Namespace, pod and container to attach to.
type Made = (String, String, String);

fn node(cx: &mut Context<'_>, node: &Object, options: &Options) -> Result<Made> {
    let flags = cx.flags();
    let name = match flags.text("container") {
        "" => "debugger",
        name => name,
    };
    let suffix = naru_api::names::random_suffix(cx.sys.rng(), 5);
    let pod_name = format!("node-debugger-{}-{suffix}", node.name());
    if !flags.is("quiet") {
        cx.line(&format!(
            "Creating debugging pod {pod_name} with container {name} on node {}.",
            node.name()
        ));
    }
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": pod_name },
        "spec": {
            "containers": [container(cx, name, options)],
            "nodeName": node.name(),
            "restartPolicy": "Never",
            "tolerations": [{ "operator": "Exists" }],
        },
    });
    options.profile.apply(&mut pod, name, Style::Node);
    apply_custom(&mut pod, "containers", name, options);
    let (kind, namespace) = (pods(cx)?, cx.namespace()?.0);
    let created = cx.create(&kind, &namespace, pod, DryRun::None)?;
    Ok((namespace, created.name().to_owned(), name.to_owned()))
}

fn apply_custom(pod: &mut Value, list: &str, name: &str, options: &Options) {
    let Some(custom) = &options.custom else { return };
    for container in list_mut(&mut pod["spec"], list) {
        if container["name"] == name {
            let old = std::mem::take(container);
            *container = naru_api::patch::merge(old, custom);
        }
    }
}

fn ephemeral(cx: &mut Context<'_>, pod: &Object, options: &Options) -> Result<Made> {
    let mut json = pod.to_json().unwrap_or_default();
    let name = new_name(cx, &json);
    let mut added = container(cx, &name, options);
    if !cx.flags().text("target").is_empty() {
        added.insert("targetContainerName".to_owned(), json!(cx.flags().text("target")));
    }
    // The profile looks at a pod that has this container only.
    let mut alone = json!({ "spec": { "ephemeralContainers": [added] } });
    options.profile.apply(&mut alone, &name, Style::Ephemeral);
    apply_custom(&mut alone, "ephemeralContainers", &name, options);
    warn_of_user(cx, &alone["spec"]["ephemeralContainers"][0], &json);
    // It comes after those that are there.
    let before = json["spec"]["ephemeralContainers"].as_array().cloned().unwrap_or_default();
    let names = before.iter().map(|container| json!({ "name": container["name"] }));
    let order: Vec<Value> = names.chain([json!({ "name": name })]).collect();
    alone["spec"]["$setElementOrder/ephemeralContainers"] = json!(order);
    let patch = Patch::Strategic(alone);
    let kind = pods(cx)?;
    let patched = cx.patch_subresource(
        &kind,
        pod.namespace(),
        pod.name(),
        "ephemeralcontainers",
        patch,
        DryRun::None,
    )?;
    json = patched.to_json().unwrap_or_default();
    let namespace = json["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
    Ok((namespace, pod.name().to_owned(), name))
}

/// Upstream: `displayWarning`.
fn warn_of_user(cx: &mut Context<'_>, container: &Value, pod: &Value) {
    let user = pod["spec"]["securityContext"]["runAsUser"].as_i64().unwrap_or(0);
    let context = &container["securityContext"];
    let gets_more = context["privileged"] == true
        || context["capabilities"]["add"].as_array().is_some_and(|list| !list.is_empty());
    if user != 0 && context["runAsUser"] != 0 && gets_more {
        cx.err_line(
            "Warning: Non-root user is configured for the entire target Pod, and some capabilities \
             granted by debug profile may not work. Please consider using \"--custom\" with a \
             custom profile that specifies \"securityContext.runAsUser: 0\".",
        );
    }
}

fn copy(cx: &mut Context<'_>, pod: &Object, options: &Options) -> Result<Made> {
    let flags = cx.flags();
    let json = pod.to_json().unwrap_or_default();
    let mut copied = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": flags.text("copy-to"), "namespace": pod.namespace() },
        "spec": json["spec"],
    });
    for map in ["annotations", "labels"] {
        if !json["metadata"][map].is_null() {
            copied["metadata"][map] = json["metadata"][map].clone();
        }
    }
    if let Some(spec) = copied["spec"].as_object_mut() {
        spec.remove("ephemeralContainers");
        if !flags.is("same-node") {
            spec.remove("nodeName");
        }
        if flags.changed("share-processes") {
            spec.insert("shareProcessNamespace".to_owned(), json!(flags.is("share-processes")));
        }
    }
    let name = change_containers(cx, &mut copied, options)?;
    if !name.is_empty() {
        options.profile.apply(&mut copied, &name, Style::Copy);
        apply_custom(&mut copied, "containers", &name, options);
        let containers = copied["spec"]["containers"].as_array();
        let changed = containers.into_iter().flatten().find(|c| c["name"] == *name).cloned();
        warn_of_user(cx, &changed.unwrap_or_default(), &copied);
    }
    let kind = pods(cx)?;
    let created = cx.create(&kind, pod.namespace(), copied, DryRun::None)?;
    if cx.flags().is("replace") {
        let options = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
        cx.delete(&kind, pod.namespace(), pod.name(), options, DryRun::None)?;
    }
    Ok((created.namespace().to_owned(), created.name().to_owned(), name))
}

/// Changes or adds a container: its name, or "" if only images were changed.
fn change_containers(cx: &mut Context<'_>, pod: &mut Value, options: &Options) -> Result<String> {
    let flags = cx.flags();
    for container in list_mut(&mut pod["spec"], "containers") {
        let name = container["name"].as_str().unwrap_or_default();
        if let Some(image) = options.images.get(name).or_else(|| options.images.get("*")) {
            container["image"] = json!(image);
        }
    }
    let wanted = flags.text("container");
    let existing = list_mut(&mut pod["spec"], "containers").position(|c| c["name"] == wanted);
    if let Some(container) = existing.and_then(|at| pod["spec"]["containers"].get_mut(at)) {
        if !options.args.is_empty() {
            let field = if flags.is("arguments-only") { "args" } else { "command" };
            container[field] = json!(options.args);
            if let (false, Some(fields)) = (flags.is("arguments-only"), container.as_object_mut()) {
                fields.remove("args");
            }
        }
        if !options.env.is_empty() {
            container["env"] = json!(options.env);
        }
        for (flag, field) in [("image", "image"), ("image-pull-policy", "imagePullPolicy")] {
            if !flags.text(flag).is_empty() {
                container[field] = json!(flags.text(flag));
            }
        }
        for flag in ["stdin", "tty"] {
            container[flag] = json!(flags.is(flag));
        }
        return Ok(wanted.to_owned());
    }
    if flags.text("image").is_empty() {
        return match options.images.is_empty() {
            false => Ok(String::new()),
            true => Err(Failure::message("you must specify image when creating new container")),
        };
    }
    let name = new_name(cx, pod);
    let added = Value::Object(container(cx, &name, options));
    if let Some(containers) = pod["spec"]["containers"].as_array_mut() {
        containers.push(added);
    }
    Ok(name)
}

/// Waits for the container, and attaches to it; one that has ended is shown by its log.
#[derive(Clone, Debug)]
struct Debugging {
    container: String,
    watch: WatchId,
    /// What the container waits for, as it was told last.
    warned: String,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    Waiting,
    Attached(Attached),
    Logs(Reading),
}

impl Task for Debugging {
    fn poll(mut self: Box<Self>, cx: &mut Context<'_>) -> Outcome {
        loop {
            let ended = match &mut self.stage {
                Stage::Waiting => match self.look(cx)? {
                    Some(stage) => {
                        cx.unwatch(self.watch);
                        self.stage = stage;
                        continue;
                    }
                    None => false,
                },
                Stage::Attached(attached) => attached.advance(cx).map_err(without_server)?,
                Stage::Logs(reading) => reading.advance(cx)?,
            };
            if ended {
                return done();
            }
            return Ok(Next::Wait(self, None));
        }
    }

    fn cancel(&mut self, cx: &mut Context<'_>) {
        cx.unwatch(self.watch);
        if let Stage::Attached(attached) = &mut self.stage {
            attached.close(cx);
        }
    }
}

impl Debugging {
    fn look(&mut self, cx: &mut Context<'_>) -> Result<Option<Stage>> {
        let watch = self.watch;
        for delivery in cx.api()?.poll(watch)? {
            let object = delivery.object;
            let json = object.to_json().unwrap_or_default();
            let lists =
                ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"];
            let status = lists.iter().find_map(|list| {
                let statuses = json["status"][*list].as_array()?;
                statuses.iter().find(|status| status["name"] == *self.container)
            });
            let Some(state) = status.map(|status| &status["state"]) else { continue };
            let (namespace, name) = (object.namespace(), object.name());
            if state["terminated"].is_object() {
                let reading = Reading::of_container(namespace, name, &self.container);
                return Ok(Some(Stage::Logs(reading)));
            }
            if state["running"].is_object() {
                let Some(pod) = object.get::<Pod>() else { continue };
                return self.attach(cx, pod, &json).map(Some);
            }
            let message = state["waiting"]["message"].as_str().unwrap_or_default();
            if !message.is_empty() && message != self.warned && !cx.flags().is("quiet") {
                cx.err_line(&format!("Warning: container {}: {message}", self.container));
                self.warned = message.to_owned();
            }
        }
        Ok(None)
    }

    fn attach(&self, cx: &mut Context<'_>, pod: &Pod, json: &Value) -> Result<Stage> {
        let flags = cx.flags();
        let wish = Wish {
            container: self.container.clone(),
            stdin: flags.is("stdin"),
            tty: flags.is("tty"),
            quiet: flags.is("quiet"),
        };
        let lists = ["containers", "initContainers", "ephemeralContainers"];
        let has_tty = lists.iter().any(|list| {
            let containers = json["spec"][*list].as_array().into_iter().flatten();
            containers.into_iter().any(|c| c["name"] == *self.container && c["tty"] == true)
        });
        match Attached::open_in(cx, pod, &self.container, has_tty, &wish) {
            Ok(attached) => Ok(Stage::Attached(attached)),
            Err(failure) => {
                let name = pod.metadata.name.as_deref().unwrap_or_default();
                let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
                cx.err_line(&format!(
                    "warning: couldn't attach to pod/{name}, falling back to streaming logs: {}",
                    failure.bare()
                ));
                Ok(Stage::Logs(Reading::of_container(namespace, name, &self.container)))
            }
        }
    }
}
