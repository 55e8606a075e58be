//! `kubectl attach`.

use super::exec::{CONTAINER_FLAGS, pod, refuse_completed, without_server};
use crate::command::Command;
use crate::containers;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::process::{Next, Outcome, Task};
use crate::session::{Session, Terminal};
use naru_api::k8s_openapi::api::core::v1::Pod;
use naru_api::service::Connect;

/// `kubectl attach`
pub static COMMAND: Command = Command {
    usage: "attach (POD | TYPE/NAME) -c CONTAINER",
    short: "Attach to a running container",
    long: "Attach to a process that is already running inside an existing container.",
    examples: "# See what a pod prints from now on\nkubectl attach web\n\n\
               # Talk to its process\nkubectl attach web -c app -i -t",
    flags: &[CONTAINER_FLAGS],
    run,
    ..Command::EMPTY
};

fn run(cx: &mut Context<'_>) -> Outcome {
    let (flags, args) = (cx.flags(), cx.args());
    if args.is_empty() {
        return Err(Failure::message("at least 1 argument is required for attach"));
    }
    if args.len() > 2 {
        return Err(Failure::message(format!(
            "expected POD, TYPE/NAME, or TYPE NAME, (at most 2 arguments) saw {}: [{}]",
            args.len(),
            args.join(" ")
        )));
    }
    if flags.duration_ns("pod-running-timeout") <= 0 {
        return Err(Failure::message("--pod-running-timeout must be higher than zero"));
    }
    let object = pod(cx, args)?;
    let Some(pod) = object.get::<Pod>() else { return Err(Failure::message("expected a pod")) };
    refuse_completed(pod, "attach")?;
    let wish = Wish {
        container: flags.text("container").to_owned(),
        stdin: flags.is("stdin"),
        tty: flags.is("tty"),
        quiet: flags.is("quiet"),
    };
    let attached = Attached::open(cx, pod, &wish)?;
    cx.start(Attaching { attached })
}

/// How to attach.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// To this container, or to the first.
    pub container: String,
    /// Pass standard input.
    pub stdin: bool,
    /// With a terminal.
    pub tty: bool,
    /// Without kubectl's own words.
    pub quiet: bool,
}

/// An attached container.
#[derive(Clone, Debug)]
pub struct Attached {
    session: Session,
    /// What to say when the session has ended.
    farewell: Option<String>,
}

impl Attached {
    /// Attaches.
    pub fn open(cx: &mut Context<'_>, pod: &Pod, wish: &Wish) -> Result<Self> {
        let container =
            containers::choose(cx, pod, &wish.container, wish.quiet).map_err(|why| {
                Failure::message(format!("cannot attach to the container: {}", why.bare()))
            })?;
        let has_tty = containers::find(pod, &container).is_some_and(|found| found.tty);
        Self::open_in(cx, pod, &container, has_tty, wish)
    }

    /// Attaches to a container that is known.
    pub fn open_in(
        cx: &mut Context<'_>,
        pod: &Pod,
        container: &str,
        has_tty: bool,
        wish: &Wish,
    ) -> Result<Self> {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        if wish.tty && !has_tty && !wish.quiet {
            let text =
                format!("error: Unable to use a TTY - container {container} did not allocate one");
            cx.err_line(&text);
        }
        let terminal = Terminal::set_up(cx, wish.stdin, has_tty, wish.quiet);
        if !wish.quiet {
            cx.err_line("If you don't see a command prompt, try pressing enter.");
        }
        let connect = Connect::Attach { stdin: terminal.stdin, tty: terminal.raw };
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let session = Session::open(cx, namespace, name, container, connect, terminal)?;
        let policy = pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref());
        let returns = !wish.quiet && terminal.stdin && terminal.raw && policy == Some("Always");
        let farewell = returns.then(|| {
            format!(
                "Session ended, resume using 'kubectl attach {name} -c {container} -i -t' command \
                 when the pod is running"
            )
        });
        Ok(Attached { session, farewell })
    }

    /// Carries bytes: whether the session has ended.
    pub fn advance(&mut self, cx: &mut Context<'_>) -> Result<bool> {
        match self.session.pump(cx)? {
            None => return Ok(false),
            // How the process ended is the pod's to tell.
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(Failure::Api(error)),
        }
        if let Some(text) = self.farewell.take() {
            cx.line(&text);
        }
        Ok(true)
    }

    /// Ends the session.
    pub fn close(&mut self, cx: &mut Context<'_>) {
        self.session.close(cx);
    }
}

#[derive(Clone, Debug)]
struct Attaching {
    attached: Attached,
}

impl Task for Attaching {
    fn poll(mut self: Box<Self>, cx: &mut Context<'_>) -> Outcome {
        if self.attached.advance(cx).map_err(without_server)? {
            Ok(Next::Exit(0))
        } else {
            Ok(Next::Wait(self, None))
        }
    }

    fn cancel(&mut self, cx: &mut Context<'_>) {
        self.attached.close(cx);
    }
}
