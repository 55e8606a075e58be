//! `kubectl top`: there is no metrics server yet, and upstream says so.

use super::common;
use crate::command::Command;
use crate::context::Context;
use crate::failure::Failure;
use crate::flags::Flag;
use crate::process::Outcome;

/// `kubectl top`
pub static COMMAND: Command = Command {
    usage: "top [flags]",
    short: "Display resource (CPU/memory) usage",
    long: "Display resource (CPU/memory) usage.\n\n This command requires Metrics Server to be \
           correctly configured and working on the server.",
    subcommands: &[&NODE, &POD],
    ..Command::EMPTY
};

static NODE: Command = Command {
    usage: "node [NAME | -l label]",
    aliases: &["nodes", "no"],
    short: "Display resource (CPU/memory) usage of nodes",
    flags: &[
        common::SELECTOR,
        &[
            Flag::switch("no-headers", "Do not print the headers of columns."),
            Flag::switch("show-capacity", "Print percentages of the capacity."),
            Flag::text("sort-by", "", "Sort by 'cpu' or 'memory'."),
            Flag::switch_on("use-protocol-buffers", "Talk to the metrics server in protobuf."),
        ],
    ],
    run,
    ..Command::EMPTY
};

static POD: Command = Command {
    usage: "pod [NAME | -l label]",
    aliases: &["pods", "po"],
    short: "Display resource (CPU/memory) usage of pods",
    flags: &[
        common::SELECTOR,
        common::FIELD_SELECTOR,
        common::ALL_NAMESPACES,
        &[
            Flag::switch("containers", "Print the usage of each container."),
            Flag::switch("no-headers", "Do not print the headers of columns."),
            Flag::text("sort-by", "", "Sort by 'cpu' or 'memory'."),
            Flag::switch("sum", "Print the sum."),
            Flag::switch_on("use-protocol-buffers", "Talk to the metrics server in protobuf."),
        ],
    ],
    run,
    ..Command::EMPTY
};

fn run(cx: &mut Context<'_>) -> Outcome {
    if cx.args().len() > 1 {
        let usage = cx.invocation.command().usage;
        return Err(cx.invocation.usage_error(usage));
    }
    let flags = cx.flags();
    if !cx.args().is_empty() && !flags.text("selector").is_empty() {
        let text = "only one of NAME or --selector can be provided";
        return Err(Failure::message(text));
    }
    if !matches!(flags.text("sort-by"), "" | "cpu" | "memory") {
        return Err(Failure::message("--sort-by accepts only cpu or memory"));
    }
    if cx.kinds()?.iter().any(|kind| kind.group == "metrics.k8s.io") {
        return Err(Failure::message("kubectl top is not yet in Naru"));
    }
    Err(Failure::message("Metrics API not available"))
}
