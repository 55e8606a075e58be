//! `kubectl logs`.

use super::common;
use crate::builder::Builder;
use crate::command::Command;
use crate::containers;
use crate::context::{Context, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::podsfor;
use crate::process::{Next, Outcome, Task};
use naru_api::Object;
use naru_api::gofmt::quote;
use naru_api::k8s_openapi::api::core::v1::Pod;
use naru_api::service::{Connect, LogOptions, StreamId};
use naru_api::time::parse_rfc3339;
use std::collections::VecDeque;

/// `kubectl logs`
pub static COMMAND: Command = Command {
    usage: "logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]",
    short: "Print the logs for a container in a pod",
    long: "Print the logs for a container in a pod or specified resource. If the pod has only one \
           container, the container name is optional.",
    examples: "# The log of a pod\nkubectl logs web\n\n# Go on as it grows\nkubectl logs -f web\n\n\
               # Of the container's previous run\nkubectl logs -p web -c app\n\n\
               # The last ten lines of every pod of a label\nkubectl logs -l app=web --tail=10",
    flags: &[common::SELECTOR, FLAGS],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::switch("all-containers", "Of all containers of the pods."),
    Flag::switch("all-pods", "Of all pods of the object; implies --prefix."),
    Flag::text("container", "", "Of this container.").short("c"),
    Flag::switch("follow", "Go on as new lines come.").short("f"),
    Flag::switch("ignore-errors", "Go on with the others when one log cannot be read."),
    Flag::switch("insecure-skip-tls-verify-backend", "Do not check the kubelet's certificate."),
    Flag::int("limit-bytes", "0", "At most this many bytes; 0: all."),
    Flag::int("max-log-requests", "5", "How many logs may be followed at once."),
    Flag::duration("pod-running-timeout", "20s", "How long to wait for a pod."),
    Flag::switch("prefix", "Print pod and container before each line."),
    Flag::switch("previous", "Of the container's previous run.").short("p"),
    Flag::duration("since", "0s", "Only lines younger than this: 5s, 2m, 3h."),
    Flag::text("since-time", "", "Only lines after this moment (RFC3339)."),
    Flag::int("tail", "-1", "Only this many last lines; -1: all, or 10 with a selector."),
    Flag::switch("timestamps", "Print the time before each line."),
];

const USAGE: &str = "expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME \
                     is a required argument for the logs command";

/// A log to read.
#[derive(Clone, Debug)]
struct Source {
    namespace: String,
    pod: String,
    container: String,
}

fn run(cx: &mut Context<'_>) -> Outcome {
    let (resource, container) = arguments(cx)?;
    let (flags, args) = (cx.flags(), cx.args());
    if flags.duration_ns("pod-running-timeout") <= 0 {
        return Err(Failure::message("--pod-running-timeout must be higher than zero"));
    }
    let options = log_options(cx)?;
    let objects = objects(cx, &resource)?;
    check_flags(cx, &options, &container, args.len())?;
    let mut sources = Vec::new();
    for object in &objects {
        sources_of(cx, object, &container, &mut sources)?;
    }
    let follow_max = flags.int("max-log-requests");
    if options.follow && sources.len() > 1 && sources.len() as i64 > follow_max {
        return Err(Failure::message(format!(
            "you are attempting to follow {} log streams, but maximum allowed concurrency is \
             {follow_max}, use --max-log-requests to increase the limit",
            sources.len()
        )));
    }
    let prefix = flags.is("prefix") || flags.is("all-pods");
    let together = options.follow && sources.len() > 1;
    cx.start(Reading {
        waiting: sources.into(),
        open: Vec::new(),
        options,
        prefix,
        together,
        ignore_errors: flags.is("ignore-errors"),
    })
}

fn arguments(cx: &Context<'_>) -> Result<(String, String)> {
    let container = cx.flags().text("container").to_owned();
    let selects = !cx.flags().text("selector").is_empty();
    match cx.args() {
        [] if selects => Ok((String::new(), container)),
        [] => Err(cx.invocation.usage_error(USAGE)),
        [_] if selects => {
            Err(cx.invocation.usage_error("only a selector (-l) or a POD name is allowed"))
        }
        [resource] => Ok((resource.clone(), container)),
        [resource, container] => Ok((resource.clone(), container.clone())),
        _ => Err(cx.invocation.usage_error(USAGE)),
    }
}

fn log_options(cx: &Context<'_>) -> Result<LogOptions> {
    let flags = cx.flags();
    let since = flags.duration_ns("since");
    let since_seconds = (since != 0).then(|| (since as f64 / 1e9).round() as i64);
    let since_time = match flags.text("since-time") {
        "" => None,
        text => Some(parse_rfc3339(text).ok_or_else(|| {
            let text = quote(text);
            Failure::message(format!(
                "parsing time {text} as \"2006-01-02T15:04:05Z07:00\": cannot parse {text} as \"2006\""
            ))
        })?),
    };
    let tail = flags.int("tail");
    let selects = !flags.text("selector").is_empty();
    let tail_lines = if selects && tail == -1 && !flags.changed("tail") {
        Some(10)
    } else {
        u64::try_from(tail).ok()
    };
    Ok(LogOptions {
        follow: flags.is("follow"),
        previous: flags.is("previous"),
        since_seconds,
        since_time,
        timestamps: flags.is("timestamps"),
        tail_lines,
        limit_bytes: u64::try_from(flags.int("limit-bytes")).ok().filter(|limit| *limit > 0),
    })
}

fn check_flags(cx: &Context<'_>, options: &LogOptions, container: &str, args: usize) -> Result<()> {
    let flags = cx.flags();
    let wrong = if !flags.text("since-time").is_empty() && flags.duration_ns("since") != 0 {
        "at most one of `sinceTime` or `sinceSeconds` may be specified".to_owned()
    } else if flags.is("all-containers") && !container.is_empty() {
        format!("--all-containers=true should not be specified with container name {container}")
    } else if flags.changed("container") && args == 2 {
        "only one of -c or an inline [CONTAINER] arg is allowed".to_owned()
    } else if flags.int("limit-bytes") < 0 {
        "--limit-bytes must be greater than 0".to_owned()
    } else if options.since_seconds.is_some_and(|seconds| seconds < 0) {
        "--since must be greater than 0".to_owned()
    } else if flags.int("tail") < -1 {
        "--tail must be greater than or equal to -1".to_owned()
    } else {
        return Ok(());
    };
    Err(Failure::message(wrong))
}

fn objects(cx: &mut Context<'_>, resource: &str) -> Result<Vec<Object>> {
    let (namespace, _) = cx.namespace()?;
    let mut builder = Builder::new(cx)?.single_type();
    builder = if resource.is_empty() {
        builder.of_type("pods")
    } else {
        builder.named("pods", &[resource.to_owned()])
    };
    let objects = builder.build(cx)?.fetch_all(cx).map_err(|failure| {
        if failure.is_not_found() {
            let text = failure.bare();
            return Failure::message(format!(
                "error from server (NotFound): {text} in namespace {}",
                quote(&namespace)
            ));
        }
        failure
    })?;
    if objects.is_empty() {
        cx.err_line(&format!("No resources found in {namespace} namespace."));
    }
    Ok(objects)
}

/// The logs that an object means: of its pod, or of the first of its pods.
///
/// Upstream: `logsForObjectWithClient`.
fn sources_of(
    cx: &mut Context<'_>,
    object: &Object,
    container: &str,
    sources: &mut Vec<Source>,
) -> Result<()> {
    let all_pods = cx.flags().is("all-pods");
    let pods = match object.get::<Pod>() {
        Some(_) => vec![object.clone()],
        None => {
            let mut pods = podsfor::pods_of(cx, object, "get the logs from", podsfor::by_logging)?;
            if pods.len() > 1 && !all_pods {
                let name = pods.first().map(|pod| pod.name().to_owned()).unwrap_or_default();
                cx.err_line(&format!("Found {} pods, using pod/{name}", pods.len()));
                pods.truncate(1);
            }
            pods
        }
    };
    for pod in pods.iter().filter_map(|pod| pod.get::<Pod>()) {
        for container in container_names(cx, pod, container, all_pods)? {
            sources.push(Source {
                namespace: pod.metadata.namespace.clone().unwrap_or_default(),
                pod: pod.metadata.name.clone().unwrap_or_default(),
                container,
            });
        }
    }
    Ok(())
}

fn container_names(
    cx: &mut Context<'_>,
    pod: &Pod,
    container: &str,
    all_pods: bool,
) -> Result<Vec<String>> {
    let Some(spec) = &pod.spec else { return Ok(Vec::new()) };
    if cx.flags().is("all-containers") {
        let init = spec.init_containers.iter().flatten();
        let plain = init.chain(&spec.containers).map(|container| container.name.clone());
        let ephemeral = spec.ephemeral_containers.iter().flatten();
        return Ok(plain.chain(ephemeral.map(|container| container.name.clone())).collect());
    }
    let pod_name = pod.metadata.name.as_deref().unwrap_or_default();
    if !container.is_empty() {
        return match containers::find(pod, container) {
            Some(found) => Ok(vec![found.name.to_owned()]),
            None => Err(Failure::message(format!(
                "container {container} is not valid for pod {pod_name}"
            ))),
        };
    }
    if let Some(name) = containers::annotated(pod) {
        if let Some(found) = containers::find(pod, name) {
            return Ok(vec![found.name.to_owned()]);
        }
        let text = format!("Default container name {} not found in pod {pod_name}", quote(name));
        cx.err_line(&text);
    }
    let first = spec.containers.first().map(|container| container.name.clone()).unwrap_or_default();
    if !all_pods {
        containers::tell_default(cx, pod, &first);
    }
    Ok(vec![first])
}

/// Reads one log after the other, or all at once.
#[derive(Clone, Debug)]
pub struct Reading {
    waiting: VecDeque<Source>,
    open: Vec<(Source, StreamId, Vec<u8>)>,
    options: LogOptions,
    prefix: bool,
    together: bool,
    ignore_errors: bool,
}

impl Reading {
    /// The whole log of one container, as `run` shows it when there is nothing to attach to.
    pub fn of_container(namespace: &str, pod: &str, container: &str) -> Self {
        let source = Source {
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            container: container.to_owned(),
        };
        Reading {
            waiting: VecDeque::from([source]),
            open: Vec::new(),
            options: LogOptions::default(),
            prefix: false,
            together: false,
            ignore_errors: false,
        }
    }

    /// Reads on: whether everything is read.
    pub fn advance(&mut self, cx: &mut Context<'_>) -> Result<bool> {
        loop {
            while (self.together || self.open.is_empty())
                && let Some(source) = self.waiting.pop_front()
            {
                self.open_one(cx, source)?;
            }
            let mut index = 0;
            while index < self.open.len() {
                if self.read_one(cx, index)? {
                    self.open.remove(index);
                } else {
                    index += 1;
                }
            }
            if !self.open.is_empty() {
                return Ok(false);
            }
            if self.waiting.is_empty() {
                return Ok(true);
            }
        }
    }

    fn open_one(&mut self, cx: &mut Context<'_>, source: Source) -> Result<()> {
        let connect = Connect::Log(self.options.clone());
        match cx.connect(&source.namespace, &source.pod, &source.container, connect) {
            Ok(stream) => self.open.push((source, stream, Vec::new())),
            Err(failure) => self.complain(cx, failure)?,
        }
        Ok(())
    }

    fn complain(&mut self, cx: &mut Context<'_>, failure: Failure) -> Result<()> {
        if !self.ignore_errors {
            self.close(cx);
            return Err(failure);
        }
        cx.line(&format!("error: {}", failure.bare()));
        Ok(())
    }

    /// Reads what is there of one log: whether it has ended.
    fn read_one(&mut self, cx: &mut Context<'_>, index: usize) -> Result<bool> {
        let Some((source, id, line)) = self.open.get_mut(index) else { return Ok(true) };
        let id = *id;
        let Some(stream) = cx.api()?.stream(id) else { return Ok(true) };
        line.extend(stream.stdout.drain(..));
        line.extend(stream.stderr.drain(..));
        let result = stream.result.clone();
        let complete = match line.iter().rposition(|byte| *byte == b'\n') {
            _ if result.is_some() => line.len(),
            Some(end) => end + 1,
            None => 0,
        };
        let mut bytes: Vec<u8> = line.drain(..complete).collect();
        if self.prefix {
            bytes = prefixed(&format!("[pod/{}/{}] ", source.pod, source.container), &bytes);
        }
        cx.console.write(1, &bytes);
        let Some(result) = result else { return Ok(false) };
        cx.disconnect(id);
        if let Err(error) = result {
            self.complain(cx, Failure::Api(error))?;
        }
        Ok(true)
    }

    /// Ends the streams.
    pub fn close(&mut self, cx: &mut Context<'_>) {
        for (_, stream, _) in self.open.drain(..) {
            cx.disconnect(stream);
        }
    }
}

fn prefixed(prefix: &str, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() * 2);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        out.extend_from_slice(prefix.as_bytes());
        out.extend_from_slice(line);
    }
    out
}

impl Task for Reading {
    fn poll(mut self: Box<Self>, cx: &mut Context<'_>) -> Outcome {
        if self.advance(cx)? { done() } else { Ok(Next::Wait(self, None)) }
    }

    fn cancel(&mut self, cx: &mut Context<'_>) {
        self.close(cx);
    }
}
