//! `kubectl plugin`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/plugin/plugin.go`.

use crate::command::Command;
use crate::context::{Context, done};
use crate::failure::Failure;
use crate::flags::Flag;
use crate::process::Outcome;
use naru_api::gofmt::quote;

/// `kubectl plugin`
pub static COMMAND: Command = Command {
    usage: "plugin [flags]",
    short: "Provides utilities for interacting with plugins",
    long: "Provides utilities for interacting with plugins.\n\n Plugins provide extended \
           functionality that is not part of the major command-line distribution.",
    examples: "# List all available plugins\nkubectl plugin list",
    subcommands: &[&LIST],
    ..Command::EMPTY
};

static LIST: Command = Command {
    usage: "list",
    short: "List all visible plugin executables on a user's PATH",
    long: "List all available plugin files on a user's PATH. To see plugins binary names without \
           the full path use --name-only flag.\n\n Plugins are files that are executable, anywhere \
           on the user's PATH, and begin with \"kubectl-\".",
    examples: "# List all available plugins\nkubectl plugin list",
    flags: &[&[Flag::switch("name-only", "Print only the names of the files.")]],
    run: list,
    ..Command::EMPTY
};

fn list(cx: &mut Context<'_>) -> Outcome {
    let path = cx.sys.env().get("PATH").cloned().unwrap_or_default();
    let (mut plugins, mut seen): (Vec<(String, String)>, Vec<&str>) = (Vec::new(), Vec::new());
    for folder in path.split(':').filter(|folder| !folder.trim().is_empty()) {
        if seen.contains(&folder) {
            continue;
        }
        seen.push(folder);
        let absolute = cx.sys.absolute(folder);
        let mut files = match cx.sys.fs().list(&absolute) {
            Ok(files) => files,
            Err(errno) => {
                let (shown, why) = (quote(folder), errno.to_string().to_lowercase());
                cx.err_line(&format!(
                    "Unable to read directory {shown} from your PATH: open {folder}: {why}. \
                     Skipping..."
                ));
                continue;
            }
        };
        files.sort_by(|a, b| a.name.cmp(&b.name));
        for file in files.into_iter().filter(|file| file.name.starts_with("kubectl-")) {
            plugins.push((naru_shell::join(folder, &file.name), file.name));
        }
    }
    if plugins.is_empty() {
        let text = "error: unable to find any kubectl plugins in your PATH\n";
        return Err(Failure::message(text));
    }
    cx.line("The following compatible plugins are available:\n");
    for (path, name) in plugins {
        cx.line(if cx.flags().is("name-only") { &name } else { &path });
    }
    done()
}
