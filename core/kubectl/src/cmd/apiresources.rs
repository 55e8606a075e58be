//! `kubectl api-resources` and `kubectl api-versions`.

use crate::command::Command;
use crate::context::{Context, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::printers::tabwriter::TabWriter;
use crate::process::Outcome;
use naru_api::{KindRef, scheme};
use std::collections::BTreeSet;

/// `kubectl api-resources`
pub static COMMAND: Command = Command {
    usage: "api-resources [flags]",
    short: "Print the supported API resources on the server",
    examples: "# All of them\nkubectl api-resources\n\n\
               # With verbs and categories\nkubectl api-resources -o wide\n\n\
               # Those outside of namespaces\nkubectl api-resources --namespaced=false",
    flags: &[FLAGS],
    run,
    ..Command::EMPTY
};

/// `kubectl api-versions`
pub static VERSIONS: Command = Command {
    usage: "api-versions",
    short: "Print the supported API versions on the server, in the form of \"group/version\"",
    examples: "# All of them\nkubectl api-versions",
    run: run_versions,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::text("api-group", "", "Only of this API group."),
    Flag::switch("cached", "Take what is known already."),
    Flag::slice("categories", "Only in these categories."),
    Flag::switch_on("namespaced", "Only those in namespaces; =false: only the others."),
    Flag::switch("no-headers", "Do not print the headers of columns."),
    Flag::text("output", "", "Output format. One of: (wide, name).").short("o"),
    Flag::text("sort-by", "", "Sort by name or kind."),
    Flag::slice("verbs", "Only those with these verbs."),
];

fn no_arguments(cx: &Context<'_>) -> Result<()> {
    if cx.args().is_empty() {
        return Ok(());
    }
    let text = format!("unexpected arguments: [{}]", cx.args().join(" "));
    Err(cx.invocation.usage_error(text))
}

fn run(cx: &mut Context<'_>) -> Outcome {
    no_arguments(cx)?;
    let flags = cx.flags();
    let output = flags.text("output");
    if !matches!(output, "" | "wide" | "name") {
        return Err(Failure::Message(format!("--output {output} is not available")));
    }
    let sort_by = flags.text("sort-by");
    if !matches!(sort_by, "" | "name" | "kind") {
        return Err(Failure::message("--sort-by accepts only name or kind"));
    }
    let mut kinds = scheme::preferred(&cx.kinds()?);
    kinds.retain(|kind| is_wanted(cx, kind));
    kinds.sort_by_key(|kind| {
        let first = match sort_by {
            "name" => kind.plural.to_string(),
            "kind" => kind.kind.to_string(),
            _ => kind.group.to_string(),
        };
        (first, kind.plural.to_string())
    });
    let mut writer = TabWriter::table();
    if !flags.is("no-headers") && output != "name" {
        let more = if output == "wide" { "\tVERBS\tCATEGORIES" } else { "" };
        writer.line(&format!("NAME\tSHORTNAMES\tAPIVERSION\tNAMESPACED\tKIND{more}"));
    }
    for kind in &kinds {
        writer.line(&line(kind, output));
    }
    let text = writer.flush();
    cx.out(&text);
    done()
}

fn is_wanted(cx: &Context<'_>, kind: &KindRef) -> bool {
    let flags = cx.flags();
    (!flags.changed("api-group") || flags.text("api-group") == kind.group)
        && (!flags.changed("namespaced") || flags.is("namespaced") == kind.namespaced)
        && flags.list("verbs").iter().all(|verb| kind.verbs.contains(&verb.as_str()))
        && flags.list("categories").iter().all(|category| kind.categories.contains(category))
}

fn line(kind: &KindRef, output: &str) -> String {
    if output == "name" {
        return kind.group_resource();
    }
    let mut cells = vec![
        kind.plural.to_string(),
        kind.short_names.join(","),
        kind.api_version(),
        kind.namespaced.to_string(),
        kind.kind.to_string(),
    ];
    if output == "wide" {
        cells.push(kind.verbs.join(","));
        cells.push(kind.categories.join(","));
    }
    cells.join("\t")
}

fn run_versions(cx: &mut Context<'_>) -> Outcome {
    no_arguments(cx)?;
    let versions: BTreeSet<String> = cx.kinds()?.iter().map(|kind| kind.api_version()).collect();
    for version in versions {
        cx.line(&version);
    }
    done()
}
