//! `kubectl run`.

use super::attach::{Attached, Wish};
use super::common;
use super::delete::{self, Deletion};
use super::logs::Reading;
use crate::command::Command;
use crate::containers;
use crate::context::{Context, DryRun, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::generate::{self, parse_pairs};
use crate::mapper;
use crate::printers::Teller;
use crate::process::{Next, Outcome, Task};
use naru_api::gofmt::quote;
use naru_api::k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use naru_api::request::{ListOptions, Propagation};
use naru_api::schema::Node;
use naru_api::{KindRef, Object, WatchEventType, WatchId};
use naru_sim::Time;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// `kubectl run`
pub static COMMAND: Command = Command {
    usage: "run NAME --image=image [--env=\"key=value\"] [--port=port] [--dry-run=server|client] \
            [--overrides=inline-json] [--command] -- [COMMAND] [args...]",
    short: "Run a particular image on the cluster",
    long: "Create and run a particular image in a pod.",
    examples: "# A pod of an image\nkubectl run web --image=nginx\n\n\
               # A pod for one command, gone when the command ends\n\
               kubectl run tmp --image=busybox --restart=Never --rm -it -- wget -qO- http://web\n\n\
               # What would be created\nkubectl run web --image=nginx --dry-run=client -o yaml\n\n\
               # Other arguments for the image's command, and another command\n\
               kubectl run web --image=nginx -- -g 'daemon off;'\n\
               kubectl run web --image=busybox --command -- sleep 3600",
    flags: &[
        common::PRINT,
        delete::DELETION,
        common::FILENAME,
        common::DRY_RUN,
        common::SAVE_CONFIG,
        common::RECORD,
        FLAGS,
    ],
    required: &["image"],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::array("annotations", "An annotation of the pod: key=value."),
    Flag::switch("attach", "Wait for the pod to run and attach to it; -i does so too."),
    Flag::switch("command", "The arguments are the command itself, not its arguments."),
    Flag::array("env", "An environment variable: NAME=value."),
    Flag::switch("expose", "Create a service for the pod too; needs --port."),
    Flag::text("field-manager", "kubectl-run", "Who is said to own the fields that are set."),
    Flag::text("image", "", "The image of the container."),
    Flag::text(
        "image-pull-policy",
        "",
        "Always, IfNotPresent or Never; the server's choice without it.",
    ),
    Flag::text("labels", "", "Labels of the pod: key=value,key=value; run=NAME without it.")
        .short("l"),
    Flag::switch("leave-stdin-open", "Keep the container's input open after the first attachment."),
    Flag::text("override-type", "merge", "How --overrides is applied: json, merge, or strategic."),
    Flag::text("overrides", "", "A patch, as JSON, for the object that is made."),
    Flag::duration("pod-running-timeout", "1m0s", "How long to wait for the pod to run."),
    Flag::text("port", "", "The port that the container serves."),
    Flag::switch("privileged", "Run the container privileged."),
    Flag::switch("quiet", "Print only what the container prints.").short("q"),
    Flag::text(
        "restart",
        "Always",
        "When the container is started again: Always, OnFailure, Never.",
    ),
    Flag::switch("rm", "Delete the pod when it has ended; only with --attach or -i."),
    Flag::switch("stdin", "Keep the container's input open.").short("i"),
    Flag::switch("tty", "Give the container a terminal.").short("t"),
    Flag::switch("wait", "Wait until deleted objects are gone."),
];

fn run(cx: &mut Context<'_>) -> Outcome {
    let dry_run = cx.dry_run()?;
    let mut teller = Teller::new(cx, dry_run.suffix())?;
    let flags = cx.flags();
    let attach = if flags.changed("attach") { flags.is("attach") } else { flags.is("stdin") };
    check_flags(cx, attach, dry_run)?;
    let node = Node::built_in("", "v1", "Pod");
    let pod = generate::overridden(cx.flags(), pod(cx)?, node)?;
    let pods = mapper::kind_for(&cx.kinds()?, "pods")?;
    let (pod, json) = create(cx, &pods, pod, dry_run)?;
    let mut created = vec![(pods.clone(), namespace_of(&json), name_of(&json))];
    let service = if flags.is("expose") { Some(expose(cx, &json)) } else { None };
    let exposed = match service {
        Some(Ok(service)) => {
            let services = mapper::kind_for(&cx.kinds()?, "services")?;
            let (_, service) = create(cx, &services, service, dry_run)?;
            created.push((services.clone(), namespace_of(&service), name_of(&service)));
            teller.tell(cx, &services, service, "created")?;
            if flags.text("output") == "yaml" {
                cx.line("---");
            }
            Ok(())
        }
        Some(Err(failure)) => Err(failure),
        None => Ok(()),
    };
    let Some(pod) = pod.filter(|_| attach) else {
        teller.tell(cx, &pods, json, "created")?;
        exposed?;
        return done();
    };
    let removed = if flags.is("rm") { created } else { Vec::new() };
    let timeout = u64::try_from(flags.duration_ns("pod-running-timeout")).unwrap_or(0);
    let options = ListOptions {
        field_selector: format!("metadata.name={}", pod.name()),
        ..ListOptions::default()
    };
    let watch = cx.watch(&pods, pod.namespace(), options, None)?;
    let timeout = Duration::from_nanos(timeout);
    let deadline = cx.now() + timeout;
    cx.start(Running { pod, removed, timeout, stage: Stage::Starting { watch, deadline } })
}

fn check_flags(cx: &mut Context<'_>, attach: bool, dry_run: DryRun) -> Result<()> {
    let flags = cx.flags();
    let usage = |text: &str| Err(cx.invocation.usage_error(text));
    if cx.args().is_empty() || flags.args_at_dash == Some(0) {
        return usage("NAME is required for run");
    }
    if flags.duration_ns("pod-running-timeout") <= 0 {
        return usage("--pod-running-timeout must be higher than zero");
    }
    let image = flags.text("image");
    if image.is_empty() {
        return Err(Failure::message("--image is required"));
    }
    if !generate::is_image_reference(image) {
        let text = format!("Invalid image name {}: invalid reference format", quote(image));
        return Err(Failure::message(text));
    }
    if flags.is("tty") && !flags.is("stdin") {
        return usage("-i/--stdin is required for containers with -t/--tty=true");
    }
    if flags.is("expose") && flags.text("port").is_empty() {
        return usage("--port must be set when exposing a service");
    }
    let restart = flags.text("restart");
    if !matches!(restart, "" | "Always" | "OnFailure" | "Never") {
        return usage(&format!("invalid restart policy: {restart}"));
    }
    if !attach && flags.is("rm") {
        return usage("--rm should only be used for attached containers");
    }
    if attach && dry_run != DryRun::None {
        return usage(
            "--dry-run=[server|client] can't be used with attached containers options (--attach, \
             --stdin, or --tty)",
        );
    }
    let policy = flags.text("image-pull-policy");
    if !matches!(policy, "" | "Always" | "IfNotPresent" | "Never") {
        return usage(&format!("invalid image pull policy: {policy}"));
    }
    Ok(())
}

/// The pod that the flags describe.
///
/// Upstream: `BasicPod` in `k8s.io/kubectl/pkg/generate/versioned/run.go`.
fn pod(cx: &Context<'_>) -> Result<Value> {
    let flags = cx.flags();
    let (name, args) = cx.args().split_first().ok_or(Failure::Exit(1))?;
    let mut env = Vec::new();
    for pair in flags.list("env") {
        match pair.split_once('=') {
            Some((name, value)) if naru_api::names::env_var_name(name).is_empty() => {
                env.push(json!({"name": name, "value": value}));
            }
            _ => return Err(Failure::message(format!("invalid env: {pair}"))),
        }
    }
    let labels = match flags.text("labels") {
        "" => json!({"run": name}),
        labels => generate::parse_labels(labels)?,
    };
    let mut container = Map::new();
    let mut set = |field: &str, value: Value| drop(container.insert(field.to_owned(), value));
    set("name", json!(name));
    set("image", json!(flags.text("image")));
    if !args.is_empty() {
        set(if flags.is("command") { "command" } else { "args" }, json!(args));
    }
    if !env.is_empty() {
        set("env", json!(env));
    }
    if flags.is("stdin") {
        set("stdin", json!(true));
        if !flags.is("leave-stdin-open") {
            set("stdinOnce", json!(true));
        }
    }
    if flags.is("tty") {
        set("tty", json!(true));
    }
    if flags.is("privileged") {
        set("securityContext", json!({"privileged": true}));
    }
    if !flags.text("image-pull-policy").is_empty() {
        set("imagePullPolicy", json!(flags.text("image-pull-policy")));
    }
    if !flags.text("port").is_empty() {
        set("ports", json!([{"containerPort": generate::atoi(flags.text("port"))?}]));
    }
    let restart = match flags.text("restart") {
        "" => "Always",
        restart => restart,
    };
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"labels": labels, "name": name},
        "spec": {"containers": [container], "dnsPolicy": "ClusterFirst", "restartPolicy": restart},
    });
    let annotations = parse_pairs(flags.list("annotations"), "annotations", false)?.0;
    if !annotations.is_empty() {
        pod["metadata"]["annotations"] = json!(annotations);
    }
    Ok(pod)
}

fn create(
    cx: &mut Context<'_>,
    kind: &KindRef,
    mut object: Value,
    dry_run: DryRun,
) -> Result<(Option<Object>, Value)> {
    let (namespace, explicit) = cx.namespace()?;
    naru_api::omitempty::complete(&mut object);
    if dry_run == DryRun::Client {
        if explicit {
            object["metadata"]["namespace"] = json!(namespace);
        }
        return Ok((None, object));
    }
    if cx.flags().is("save-config") {
        super::apply::save_config(&mut object)?;
    }
    let created = cx.create(kind, &namespace, object, dry_run)?;
    let json = created.to_json().unwrap_or_default();
    Ok((Some(created), json))
}

fn expose(cx: &Context<'_>, pod: &Value) -> Result<Value> {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let selector = match cx.flags().text("labels") {
        "" => json!({"run": name}),
        labels => generate::parse_labels(labels)?,
    };
    let port = generate::atoi(cx.flags().text("port"))?;
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "ports": [{"port": port, "protocol": "TCP", "targetPort": port}],
            "selector": selector,
        },
    }))
}

fn namespace_of(object: &Value) -> String {
    object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned()
}

fn name_of(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

/// A pod in the foreground: waited for, attached to, waited for again, removed.
#[derive(Clone, Debug)]
struct Running {
    pod: Object,
    /// What `--rm` deletes at the end: kind, namespace, name.
    removed: Vec<(KindRef, String, String)>,
    timeout: Duration,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    /// Until the pod is ready, or has ended.
    Starting {
        watch: WatchId,
        deadline: Time,
    },
    Attached(Attached),
    /// There is nothing to attach to any more: what it printed is read.
    Logs(Reading),
    /// Until the pod has ended.
    Ending {
        watch: WatchId,
        deadline: Time,
    },
}

impl Task for Running {
    fn poll(mut self: Box<Self>, cx: &mut Context<'_>) -> Outcome {
        match self.advance(cx) {
            Ok(None) => {
                let until = match &self.stage {
                    Stage::Starting { deadline, .. } | Stage::Ending { deadline, .. } => {
                        Some(*deadline)
                    }
                    _ => None,
                };
                Ok(Next::Wait(self, until))
            }
            Ok(Some(result)) => {
                self.cancel(cx);
                result.map(|()| Next::Exit(0))
            }
            Err(failure) => {
                self.cancel(cx);
                Err(failure)
            }
        }
    }

    fn cancel(&mut self, cx: &mut Context<'_>) {
        match &mut self.stage {
            Stage::Starting { watch, .. } | Stage::Ending { watch, .. } => {
                let watch = *watch;
                cx.unwatch(watch);
            }
            Stage::Attached(attached) => attached.close(cx),
            Stage::Logs(reading) => reading.close(cx),
        }
        self.remove(cx);
    }
}

impl Running {
    /// Goes on: `Some` with how it ended.
    fn advance(&mut self, cx: &mut Context<'_>) -> Result<Option<Result<()>>> {
        loop {
            match &mut self.stage {
                Stage::Starting { watch, deadline } => {
                    let (watch, deadline) = (*watch, *deadline);
                    let Some(pod) = self.await_pod(cx, watch, deadline, is_started)? else {
                        return Ok(None);
                    };
                    self.pod = pod;
                    self.stage = self.attach_or_log(cx)?;
                }
                Stage::Attached(attached) => match attached.advance(cx) {
                    Ok(false) => return Ok(None),
                    Ok(true) => match self.await_end(cx)? {
                        Some(stage) => self.stage = stage,
                        None => return Ok(Some(Ok(()))),
                    },
                    Err(failure) => {
                        attached.close(cx);
                        self.stage = self.fall_back(cx, &failure)?;
                    }
                },
                Stage::Logs(reading) => match reading.advance(cx)? {
                    false => return Ok(None),
                    true => match self.await_end(cx)? {
                        Some(stage) => self.stage = stage,
                        None => return Ok(Some(Ok(()))),
                    },
                },
                Stage::Ending { watch, deadline } => {
                    let (watch, deadline) = (*watch, *deadline);
                    let on_failure = self.restart_policy() == "OnFailure";
                    let ended = if on_failure { has_succeeded } else { has_ended };
                    let pod = self.await_pod(cx, watch, deadline, ended)?;
                    return Ok(pod.map(|pod| verdict(&pod)));
                }
            }
        }
    }

    fn restart_policy(&self) -> &str {
        let spec = self.pod.get::<Pod>().and_then(|pod| pod.spec.as_ref());
        spec.and_then(|spec| spec.restart_policy.as_deref()).unwrap_or("Always")
    }

    /// The pod, once it is as it should be; ends the watch then.
    fn await_pod(
        &self,
        cx: &mut Context<'_>,
        watch: WatchId,
        deadline: Time,
        is_right: fn(&Pod) -> bool,
    ) -> Result<Option<Object>> {
        for event in cx.api()?.poll(watch)? {
            if event.kind == WatchEventType::Deleted {
                let error = naru_api::ApiError::not_found(&self.pod.kind(), "");
                return Err(Failure::Api(error));
            }
            if event.object.get::<Pod>().is_some_and(is_right) {
                cx.unwatch(watch);
                return Ok(Some(event.object));
            }
        }
        if cx.now() >= deadline {
            return Err(Failure::message("timed out waiting for the condition"));
        }
        Ok(None)
    }

    fn attach_or_log(&self, cx: &mut Context<'_>) -> Result<Stage> {
        let Some(pod) = self.pod.get::<Pod>() else {
            return Err(Failure::message("expected a pod"));
        };
        if has_ended(pod) {
            return self.logs(cx);
        }
        let flags = cx.flags();
        let wish = Wish {
            container: String::new(),
            stdin: flags.is("stdin"),
            tty: flags.is("tty"),
            quiet: flags.is("quiet"),
        };
        match Attached::open(cx, pod, &wish) {
            Ok(attached) => Ok(Stage::Attached(attached)),
            Err(failure) => self.fall_back(cx, &failure),
        }
    }

    fn fall_back(&self, cx: &mut Context<'_>, failure: &Failure) -> Result<Stage> {
        let (name, why) = (self.pod.name(), failure.bare());
        cx.err_line(&format!(
            "warning: couldn't attach to pod/{name}, falling back to streaming logs: {why}"
        ));
        self.logs(cx)
    }

    fn logs(&self, cx: &mut Context<'_>) -> Result<Stage> {
        let Some(pod) = self.pod.get::<Pod>() else {
            return Err(Failure::message("expected a pod"));
        };
        let container = containers::choose(cx, pod, "", cx.flags().is("quiet"))?;
        let reading = Reading::of_container(self.pod.namespace(), self.pod.name(), &container);
        Ok(Stage::Logs(reading))
    }

    /// Waits for the pod to end, if its exit code is wanted.
    fn await_end(&self, cx: &mut Context<'_>) -> Result<Option<Stage>> {
        if cx.flags().is("leave-stdin-open") || self.restart_policy() == "Always" {
            return Ok(None);
        }
        let options = ListOptions {
            field_selector: format!("metadata.name={}", self.pod.name()),
            ..ListOptions::default()
        };
        let watch = cx.watch(&self.pod.kind(), self.pod.namespace(), options, None)?;
        let deadline = cx.now() + self.timeout;
        Ok(Some(Stage::Ending { watch, deadline }))
    }

    /// `--rm`
    fn remove(&mut self, cx: &mut Context<'_>) {
        let mut deletion = Deletion {
            propagation: delete::cascade(cx).unwrap_or(Propagation::Background),
            grace_period: -1,
            quiet: cx.flags().is("quiet"),
            name_only: false,
            dry_run: DryRun::None,
            ignore_not_found: true,
            warn_cluster_scope: false,
        };
        for (kind, namespace, name) in std::mem::take(&mut self.removed) {
            // As upstream: what cannot be removed is not told of.
            let _ = delete::delete(cx, &kind, &namespace, &name, &mut deletion);
        }
    }
}

fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

fn has_succeeded(pod: &Pod) -> bool {
    phase(pod) == "Succeeded"
}

fn has_ended(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// Running and ready, or ended already.
fn is_started(pod: &Pod) -> bool {
    let conditions = pod.status.iter().filter_map(|status| status.conditions.as_ref()).flatten();
    let ready = conditions.into_iter().any(|c| c.type_ == "Ready" && c.status == "True");
    has_ended(pod) || (phase(pod) == "Running" && ready)
}

/// Exit code and words of a pod that has ended.
fn verdict(object: &Object) -> Result<()> {
    let Some(pod) = object.get::<Pod>() else { return Ok(()) };
    if phase(pod) != "Failed" {
        return Ok(());
    }
    let (namespace, name) = (object.namespace(), object.name());
    let unknown = format!("pod {namespace}/{name} failed with unknown exit code");
    let terminated: Option<&ContainerStateTerminated> = pod
        .status
        .as_ref()
        .and_then(|status| status.container_statuses.as_ref()?.first())
        .and_then(|status| status.state.as_ref()?.terminated.as_ref());
    match terminated {
        Some(state) if state.exit_code != 0 => {
            let reason = state.reason.as_deref().unwrap_or_default();
            let message = state.message.as_deref().unwrap_or_default();
            let text = format!("pod {namespace}/{name} terminated ({reason})\n{message}");
            Err(Failure::Plain(text, state.exit_code))
        }
        _ => Err(Failure::message(unknown)),
    }
}
