//! `kubectl exec`.

use crate::builder::Builder;
use crate::command::Command;
use crate::containers;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::podsfor;
use crate::process::{Next, Outcome, Task};
use crate::session::{Session, Terminal};
use naru_api::Object;
use naru_api::k8s_openapi::api::core::v1::Pod;
use naru_api::service::Connect;

/// `kubectl exec`
pub static COMMAND: Command = Command {
    usage: "exec (POD | TYPE/NAME) [-c CONTAINER] [flags] -- COMMAND [args...]",
    short: "Execute a command in a container",
    examples: "# One command\nkubectl exec web -- date\n\n\
               # In a container that is not the first\nkubectl exec web -c app -- ls -l /\n\n\
               # A shell\nkubectl exec -it web -- sh\n\n\
               # In the first pod of a deployment\nkubectl exec deploy/web -- env",
    flags: &[FLAGS],
    run,
    ..Command::EMPTY
};

/// `-c`, `-i`, `-t`, `-q`: as `attach` has them too.
pub const CONTAINER_FLAGS: &[Flag] = &[
    Flag::text("container", "", "The container; the first one, or the annotated one, without it.")
        .short("c"),
    Flag::duration("pod-running-timeout", "1m0s", "How long to wait for a pod."),
    Flag::switch("quiet", "Print only what the container prints.").short("q"),
    Flag::switch("stdin", "Pass standard input to the container.").short("i"),
    Flag::switch("tty", "Standard input is a terminal.").short("t"),
];

const FLAGS: &[Flag] = &[
    CONTAINER_FLAGS[0],
    Flag::slice("filename", "Files, folders or URLs that name the pod.").short("f"),
    CONTAINER_FLAGS[1],
    CONTAINER_FLAGS[2],
    CONTAINER_FLAGS[3],
    CONTAINER_FLAGS[4],
];

fn run(cx: &mut Context<'_>) -> Outcome {
    let (flags, args) = (cx.flags(), cx.args());
    let at_dash = flags.args_at_dash;
    let named_by_file = !flags.list("filename").is_empty();
    let command = match at_dash {
        Some(at) => args.get(at..).unwrap_or_default().to_vec(),
        None if args.len() > 1 || (!args.is_empty() && named_by_file) => {
            return Err(cx.invocation.usage_error(
                "exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead",
            ));
        }
        None => Vec::new(),
    };
    let name = args.first().filter(|_| at_dash != Some(0)).cloned();
    if flags.duration_ns("pod-running-timeout") <= 0 {
        let text = "--pod-running-timeout must be higher than zero";
        return Err(cx.invocation.usage_error(text));
    }
    if name.is_none() && !named_by_file {
        return Err(Failure::message("pod, type/name or --filename must be specified"));
    }
    if command.is_empty() {
        let text = "you must specify at least one command for the container";
        return Err(Failure::message(text));
    }
    let pod = pod(cx, name.as_slice())?;
    let Some(pod) = pod.get::<Pod>() else { return Err(Failure::message("expected a pod")) };
    refuse_completed(pod, "exec into")?;
    let quiet = flags.is("quiet");
    let container = match flags.text("container") {
        "" => containers::choose(cx, pod, "", quiet)?,
        container => container.to_owned(),
    };
    let terminal = Terminal::set_up(cx, flags.is("stdin"), flags.is("tty"), quiet);
    let connect = Connect::Exec { command, stdin: terminal.stdin, tty: terminal.raw };
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let session = Session::open(cx, namespace, name, &container, connect, terminal)
        .map_err(without_server)?;
    cx.start(Executing { session })
}

/// The pod that the arguments mean, directly or through its owner.
pub fn pod(cx: &mut Context<'_>, names: &[String]) -> Result<Object> {
    let builder = Builder::new(cx)?;
    let objects = match names {
        [kind, name] => builder.named(kind, std::slice::from_ref(name)),
        names => builder.named("pods", names),
    };
    let mut objects = objects.build(cx)?.fetch_all(cx)?;
    if objects.len() > 1 {
        return Err(Failure::message("cannot exec into multiple objects at a time"));
    }
    let Some(object) = objects.pop() else { return Err(Failure::message("expected a resource")) };
    if object.get::<Pod>().is_some() {
        return Ok(object);
    }
    let pods = podsfor::pods_of(cx, &object, "attach to", podsfor::by_activity)?;
    pods.into_iter().next().ok_or_else(|| Failure::message("expected a resource"))
}

/// Says that a pod which has ended cannot be entered.
pub fn refuse_completed(pod: &Pod, doing: &str) -> Result<()> {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default();
    if !matches!(phase, "Succeeded" | "Failed") {
        return Ok(());
    }
    let what = if doing == "attach" { "a container" } else { "into a container" };
    let verb = doing.split(' ').next().unwrap_or_default();
    Err(Failure::message(format!(
        "cannot {verb} {what} in a completed pod; current phase is {phase}"
    )))
}

/// Errors of streams come from the upgraded connection: they are no answers of the API server.
pub fn without_server(failure: Failure) -> Failure {
    match failure {
        Failure::Api(error) if error.reason() == "InternalError" => {
            Failure::message(error.message().to_owned())
        }
        other => other,
    }
}

#[derive(Clone, Debug)]
struct Executing {
    session: Session,
}

impl Task for Executing {
    fn poll(mut self: Box<Self>, cx: &mut Context<'_>) -> Outcome {
        match self.session.pump(cx)? {
            None => Ok(Next::Wait(self, None)),
            Some(Ok(0)) => Ok(Next::Exit(0)),
            Some(Ok(code)) => {
                let text = format!("command terminated with exit code {code}");
                Err(Failure::Plain(text, code))
            }
            Some(Err(error)) => Err(without_server(Failure::Api(error))),
        }
    }

    fn cancel(&mut self, cx: &mut Context<'_>) {
        self.session.close(cx);
    }
}
