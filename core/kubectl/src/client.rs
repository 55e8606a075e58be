//! A client of the cluster that the kubeconfig names, for other programs of the learner's machine
//! that speak to it as kubectl does: `helm`.

use crate::command;
use crate::context::{Console, Context, Login};
use crate::failure::Result;
use naru_shell::Sys;

/// Does something with the cluster, as kubectl would with these flags (`--namespace`, `--context`,
/// `--kubeconfig`, …). `agent` is whom the fields belong to that are written. Gives what `act`
/// gives, and what was warned of meanwhile.
pub fn with<T>(
    sys: &mut dyn Sys,
    flags: &[String],
    agent: &str,
    act: impl FnOnce(&mut Context<'_>) -> Result<T>,
) -> (Result<T>, String) {
    let mut words = vec!["create".to_owned(), format!("--field-manager={agent}")];
    words.extend(flags.iter().cloned());
    let invocation = match command::parse(&words) {
        Ok(invocation) => invocation,
        Err(failure) => return (Err(failure), String::new()),
    };
    let (mut console, mut login) = (Console::default(), Login::default());
    let cause = sys.cause();
    let mut cx = Context::new(sys, &mut console, &invocation, &[], cause, &mut login);
    let done = act(&mut cx);
    (done, console.take_errors())
}
