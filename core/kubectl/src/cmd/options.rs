//! `kubectl options` and `kubectl help`.

use crate::command::{self, Command, Invocation};
use crate::context::{Context, done};
use crate::flags::Parsed;
use crate::help;
use crate::process::Outcome;

/// `kubectl options`
pub static OPTIONS: Command = Command {
    usage: "options",
    short: "Print the list of flags inherited by all commands",
    run: |cx| {
        cx.out(&help::global_options());
        done()
    },
    ..Command::EMPTY
};

/// `kubectl help`
pub static HELP: Command = Command {
    usage: "help [command]",
    short: "Help about any command",
    run: run_help,
    ..Command::EMPTY
};

fn run_help(cx: &mut Context<'_>) -> Outcome {
    let mut path = vec![&super::KUBECTL];
    for word in cx.args() {
        let Some(last) = path.last() else { break };
        match super::below(last).into_iter().find(|next| next.answers_to(word)) {
            Some(next) => path.push(next),
            None => {
                let words: Vec<String> = cx.args().iter().map(|word| format!("`{word}`")).collect();
                cx.console.err(&format!("Unknown help topic [{}]\n", words.join(" ")));
                path.truncate(1);
                break;
            }
        }
    }
    let invocation: Invocation = command::Invocation { path, flags: Parsed::default() };
    cx.out(&help::text(&invocation));
    done()
}
