//! `kubectl completion`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/completion/completion.go`. Upstream prints long scripts that
//! cobra generates; here Tab completes kubectl's words by itself ([`crate::complete`]), so the
//! scripts only say so. They can be sourced, as people do in their `.bashrc`.

use crate::command::Command;
use crate::context::{Context, done};
use crate::process::Outcome;
use naru_api::gofmt::quote;

/// `kubectl completion`
pub static COMMAND: Command = Command {
    usage: "completion SHELL",
    short: "Output shell completion code for the specified shell (bash, zsh, fish, or powershell)",
    long: "Output shell completion code for the specified shell (bash, zsh, fish, or powershell). \
           The shell code must be evaluated to provide interactive completion of kubectl commands. \
           This can be done by sourcing it from the .bash_profile.",
    examples: "# Into the current shell\nsource <(kubectl completion bash)",
    run,
    ..Command::EMPTY
};

const BASH: &str = "\
# bash completion for kubectl
# This shell completes the words of kubectl by itself: press Tab.
__start_kubectl() {
    return 0
}
";
const ZSH: &str = "\
#compdef kubectl
# This shell completes the words of kubectl by itself: press Tab.
_kubectl() {
    return 0
}
";
const FISH: &str = "\
# fish completion for kubectl
# This shell completes the words of kubectl by itself: press Tab.
";
const POWERSHELL: &str = "\
# powershell completion for kubectl
# This shell completes the words of kubectl by itself: press Tab.
";

fn run(cx: &mut Context<'_>) -> Outcome {
    let text = match cx.args() {
        [] => "Shell not specified.".to_owned(),
        [shell] => match shell.as_str() {
            "bash" => return tell(cx, BASH),
            "zsh" => return tell(cx, ZSH),
            "fish" => return tell(cx, FISH),
            "powershell" => return tell(cx, POWERSHELL),
            shell => format!("Unsupported shell type {}.", quote(shell)),
        },
        _ => "Too many arguments. Expected only the shell type.".to_owned(),
    };
    Err(cx.invocation.usage_error(text))
}

fn tell(cx: &mut Context<'_>, script: &str) -> Outcome {
    cx.out(script);
    done()
}
