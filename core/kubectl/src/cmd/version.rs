//! `kubectl version`.

use crate::command::Command;
use crate::context::{Context, done};
use crate::failure::Failure;
use crate::flags::Flag;
use crate::printers::{json, yaml};
use crate::process::Outcome;
use serde_json::{Value, json as object};

/// The version that Naru speaks, as client and as server.
pub const VERSION: &str = "v1.33.1";
const KUSTOMIZE_VERSION: &str = "v5.6.0";

/// `kubectl version`
pub static COMMAND: Command = Command {
    usage: "version [flags]",
    short: "Print the client and server version information",
    long: "Print the client and server version information for the current context.",
    examples: "# Both versions\nkubectl version",
    flags: &[&[
        Flag::switch("client", "Only the client's; no server is needed."),
        Flag::text("output", "", "One of 'yaml' or 'json'.").short("o"),
    ]],
    run,
    ..Command::EMPTY
};

fn run(cx: &mut Context<'_>) -> Outcome {
    if !cx.args().is_empty() {
        return Err(Failure::Message(format!("extra arguments: [{}]", cx.args().join(" "))));
    }
    let output = cx.flags().text("output");
    if !matches!(output, "" | "yaml" | "json") {
        return Err(Failure::message("--output must be 'yaml' or 'json'"));
    }
    let client_only = cx.flags().is("client");
    let server = if client_only { Ok(()) } else { cx.api().map(drop) };
    let with_server = !client_only && server.is_ok();
    if output.is_empty() {
        cx.line(&format!("Client Version: {VERSION}\nKustomize Version: {KUSTOMIZE_VERSION}"));
        if with_server {
            cx.line(&format!("Server Version: {VERSION}"));
        }
    } else {
        let mut info = object!({
            "clientVersion": version_info(),
            "kustomizeVersion": KUSTOMIZE_VERSION,
        });
        if with_server {
            info["serverVersion"] = version_info();
        }
        let text = match output {
            "yaml" => yaml::to_yaml(&info)?,
            _ => json::to_json(&info)?.replace("    ", "  "),
        };
        cx.out(&text);
        if output == "yaml" {
            cx.out("\n");
        }
    }
    server?;
    done()
}

/// Upstream: `version.Info`. Naru's own build has no git commit to tell.
fn version_info() -> Value {
    object!({
        "buildDate": "1970-01-01T00:00:00Z",
        "compiler": "rustc",
        "gitCommit": "",
        "gitTreeState": "",
        "gitVersion": VERSION,
        "goVersion": "",
        "major": "1",
        "minor": "33",
        "platform": "linux/amd64",
    })
}
