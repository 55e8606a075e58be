//! `kubectl config`.

use super::{config_cluster, config_set};
use crate::command::Command;
use crate::config::Config;
use crate::context::{Context, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::printers::tabwriter::TabWriter;
use crate::printers::{Format, Printer};
use crate::process::Outcome;
use naru_api::gofmt::quote;
use serde_json::{Value, json};

/// `kubectl config`
pub static COMMAND: Command = Command {
    usage: "config SUBCOMMAND",
    short: "Modify kubeconfig files",
    long: "Modify kubeconfig files using subcommands like \"kubectl config set current-context \
           my-context\".\n\n The file is the one that --kubeconfig names, the first that \
           $KUBECONFIG names, or\n ${HOME}/.kube/config.",
    subcommands: &[
        &CURRENT_CONTEXT,
        &DELETE_CONTEXT,
        &GET_CLUSTERS,
        &GET_CONTEXTS,
        &GET_USERS,
        &RENAME_CONTEXT,
        &config_set::SET,
        &SET_CONTEXT,
        &config_cluster::SET,
        &super::config_credentials::COMMAND,
        &config_set::UNSET,
        &USE_CONTEXT,
        &VIEW,
        &config_cluster::DELETE_CLUSTER,
        &config_cluster::DELETE_USER,
    ],
    ..Command::EMPTY
};

static VIEW: Command = Command {
    usage: "view [flags]",
    short: "Display merged kubeconfig settings or a specified kubeconfig file",
    flags: &[&[
        Flag::switch_on("allow-missing-template-keys", "A missing field is no error."),
        Flag::switch("flatten", "Put the content of files in their place."),
        Flag::switch_on("merge", "Merge all kubeconfig files."),
        Flag::switch("minify", "Only what the current context needs."),
        Flag::text("output", "yaml", "Output format.").short("o"),
        Flag::switch("raw", "Show certificates and secrets."),
        Flag::switch("show-managed-fields", "Print metadata.managedFields too."),
        Flag::text("template", "", "Template, or path of a template file, for -o."),
    ]],
    run: view,
    ..Command::EMPTY
};

static CURRENT_CONTEXT: Command = Command {
    usage: "current-context [flags]",
    short: "Display the current-context",
    run: current_context,
    ..Command::EMPTY
};

static GET_CONTEXTS: Command = Command {
    usage: "get-contexts [(-o|--output=)name)]",
    short: "Describe one or many contexts",
    flags: &[&[
        Flag::switch("no-headers", "Do not print the headers of columns."),
        Flag::text("output", "", "Output format. One of: (name).").short("o"),
    ]],
    run: get_contexts,
    ..Command::EMPTY
};

static GET_CLUSTERS: Command = Command {
    usage: "get-clusters [flags]",
    short: "Display clusters defined in the kubeconfig",
    run: |cx| names(cx, "clusters"),
    ..Command::EMPTY
};

static GET_USERS: Command = Command {
    usage: "get-users [flags]",
    short: "Display users defined in the kubeconfig",
    run: |cx| names(cx, "users"),
    ..Command::EMPTY
};

static USE_CONTEXT: Command = Command {
    usage: "use-context CONTEXT_NAME",
    aliases: &["use"],
    short: "Set the current-context in a kubeconfig file",
    run: use_context,
    ..Command::EMPTY
};

static SET_CONTEXT: Command = Command {
    usage: "set-context [NAME | --current] [--cluster=cluster_nickname] [--user=user_nickname] \
            [--namespace=namespace]",
    short: "Set a context entry in kubeconfig",
    examples: "# Work in another namespace from now on\n\
               kubectl config set-context --current --namespace=team-a",
    flags: &[&[
        Flag::text("cluster", "", "cluster for the context entry in kubeconfig"),
        Flag::switch("current", "Modify the current context"),
        Flag::text("namespace", "", "namespace for the context entry in kubeconfig").short("n"),
        Flag::text("user", "", "user for the context entry in kubeconfig"),
    ]],
    run: set_context,
    ..Command::EMPTY
};

static DELETE_CONTEXT: Command = Command {
    usage: "delete-context NAME",
    short: "Delete the specified context from the kubeconfig",
    run: delete_context,
    ..Command::EMPTY
};

static RENAME_CONTEXT: Command = Command {
    usage: "rename-context CONTEXT_NAME NEW_NAME",
    short: "Rename a context from the kubeconfig file",
    run: rename_context,
    ..Command::EMPTY
};

/// Upstream: `helpErrorf`: the help goes before the error.
pub fn help_error(cx: &mut Context<'_>, text: String) -> Failure {
    let help = crate::help::text(cx.invocation);
    cx.out(&help);
    Failure::Message(text)
}

fn unexpected_args(cx: &mut Context<'_>) -> Failure {
    let args = cx.args().join(" ");
    help_error(cx, format!("Unexpected args: [{args}]"))
}

fn entries<'a>(config: &'a Config, list: &str) -> &'a [Value] {
    config.value[list].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn name_of(entry: &Value) -> &str {
    entry["name"].as_str().unwrap_or_default()
}

fn view(cx: &mut Context<'_>) -> Outcome {
    if !cx.args().is_empty() {
        let text = format!("unexpected arguments: [{}]", cx.args().join(" "));
        return Err(cx.invocation.usage_error(text));
    }
    let format = Format::parse(cx, &[])?;
    let mut config = cx.config()?;
    let flags = cx.flags();
    complete(&mut config.value);
    if flags.is("minify") {
        minify(&mut config, flags.text("context"))?;
    }
    if !flags.is("raw") && !flags.is("flatten") {
        redact(&mut config.value);
    }
    if let Some(format) = format {
        let text = Printer::new(format, flags).print(None, config.value)?;
        cx.out(&text);
    }
    done()
}

/// Every field that upstream's type always writes.
fn complete(config: &mut Value) {
    let empty = Config::empty();
    if let (Some(fields), Some(defaults)) = (config.as_object_mut(), empty.as_object()) {
        for (name, value) in defaults {
            fields.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
}

fn minify(config: &mut Config, context: &str) -> Result<()> {
    if !context.is_empty() {
        config.value["current-context"] = json!(context);
    }
    let current = config.value["current-context"].as_str().unwrap_or_default().to_owned();
    let Some(entry) = config.entry("contexts", &current).cloned() else {
        return Err(Failure::message("current-context must exist in order to minify"));
    };
    let keep = |field: &str| entry.get(field).cloned().unwrap_or(Value::Null);
    let (cluster, user) = (keep("cluster"), keep("user"));
    for (list, name) in [("contexts", json!(current)), ("clusters", cluster), ("users", user)] {
        if let Some(entries) = config.value[list].as_array_mut() {
            entries.retain(|entry| entry["name"] == name);
        }
    }
    Ok(())
}

/// Upstream: `RedactSecrets`, `ShortenConfig`.
fn redact(config: &mut Value) {
    let hide = |holder: &mut Value, fields: &[(&str, &str)]| {
        let Some(holder) = holder.as_object_mut() else { return };
        for (field, shown) in fields {
            if let Some(value) = holder.get_mut(*field) {
                *value = json!(shown);
            }
        }
    };
    for entry in config["users"].as_array_mut().into_iter().flatten() {
        hide(
            &mut entry["user"],
            &[
                ("client-certificate-data", "DATA+OMITTED"),
                ("client-key-data", "DATA+OMITTED"),
                ("token", "REDACTED"),
                ("password", "REDACTED"),
            ],
        );
    }
    for entry in config["clusters"].as_array_mut().into_iter().flatten() {
        hide(&mut entry["cluster"], &[("certificate-authority-data", "DATA+OMITTED")]);
    }
}

fn current_context(cx: &mut Context<'_>) -> Outcome {
    let config = cx.config()?;
    match config.value["current-context"].as_str().unwrap_or_default() {
        "" => Err(Failure::message("current-context is not set")),
        name => {
            cx.line(name);
            done()
        }
    }
}

fn get_contexts(cx: &mut Context<'_>) -> Outcome {
    let config = cx.config()?;
    let output = cx.flags().text("output");
    if !matches!(output, "" | "name") {
        return Err(Failure::Message(format!(
            "--output {output} is not available in kubectl config get-contexts; resetting to \
             default output format"
        )));
    }
    let contexts = entries(&config, "contexts");
    let mut failures = Vec::new();
    for name in cx.args() {
        if !contexts.iter().any(|context| name_of(context) == name) {
            failures.push(Failure::Message(format!("context {name} not found")));
        }
    }
    let wanted = |context: &&Value| {
        cx.args().is_empty() || cx.args().iter().any(|name| name == name_of(context))
    };
    let mut shown: Vec<&Value> = contexts.iter().filter(wanted).collect();
    shown.sort_by_key(|context| name_of(context));
    let mut writer = TabWriter::table();
    if output.is_empty() && !cx.flags().is("no-headers") {
        writer.line("CURRENT\tNAME\tCLUSTER\tAUTHINFO\tNAMESPACE");
    }
    for context in shown {
        let name = name_of(context);
        if output == "name" {
            writer.line(name);
            continue;
        }
        let current = if config.value["current-context"] == context["name"] { "*" } else { " " };
        let field = |field: &str| context["context"][field].as_str().unwrap_or_default();
        let cells = [current, name, field("cluster"), field("user"), field("namespace")];
        writer.line(&cells.join("\t"));
    }
    let text = writer.flush();
    cx.out(&text);
    Failure::from_many(failures)?;
    done()
}

fn names(cx: &mut Context<'_>, list: &str) -> Outcome {
    let config = cx.config()?;
    cx.line("NAME");
    let mut names: Vec<&str> = entries(&config, list).iter().map(name_of).collect();
    names.sort_unstable();
    names.into_iter().for_each(|name| cx.line(name));
    done()
}

fn use_context(cx: &mut Context<'_>) -> Outcome {
    let [name] = cx.args() else { return Err(unexpected_args(cx)) };
    let mut config = cx.config()?;
    if config.entry("contexts", name).is_none() {
        let text = format!("no context exists with the name: {}", quote(name));
        return Err(Failure::Message(text));
    }
    config.value["current-context"] = json!(name);
    config.save(cx.sys)?;
    cx.line(&format!("Switched to context {}.", quote(name)));
    done()
}

fn set_context(cx: &mut Context<'_>) -> Outcome {
    let flags = cx.flags();
    let current = flags.is("current");
    let name = match (cx.args(), current) {
        ([], false) => {
            let text = "you must specify a non-empty context name or --current";
            return Err(Failure::message(text));
        }
        ([_], true) => {
            let text = "you cannot specify both a context name and --current";
            return Err(Failure::message(text));
        }
        ([name], false) => name.clone(),
        ([], true) => String::new(),
        _ => return Err(unexpected_args(cx)),
    };
    let mut config = cx.config()?;
    let name = if current {
        match config.value["current-context"].as_str().unwrap_or_default() {
            "" => return Err(Failure::message("no current context is set")),
            name => name.to_owned(),
        }
    } else {
        name
    };
    let existed = config.entry("contexts", &name).is_some();
    let mut context = config
        .entry("contexts", &name)
        .cloned()
        .unwrap_or_else(|| config_set::new_entry("contexts"));
    for field in ["cluster", "namespace", "user"] {
        if flags.changed(field) {
            context.insert(field.to_owned(), json!(flags.text(field)));
        }
    }
    config.set_entry("contexts", &name, context);
    config.save(cx.sys)?;
    let done_what = if existed { "modified" } else { "created" };
    cx.line(&format!("Context {} {done_what}.", quote(&name)));
    done()
}

fn delete_context(cx: &mut Context<'_>) -> Outcome {
    let [name] = cx.args() else {
        let help = crate::help::text(cx.invocation);
        cx.out(&help);
        return done();
    };
    let mut config = cx.config()?;
    let path = config.path.clone();
    if config.entry("contexts", name).is_none() {
        let text = format!("cannot delete context {name}, not in {path}");
        return Err(Failure::Message(text));
    }
    if config.value["current-context"] == json!(name) {
        cx.err_line("warning: this removed your active context, use \"kubectl config use-context\" to select a different one");
    }
    config.remove_entry("contexts", name);
    config.save(cx.sys)?;
    cx.line(&format!("deleted context {name} from {path}"));
    done()
}

fn rename_context(cx: &mut Context<'_>) -> Outcome {
    let [old, new] = cx.args() else { return Err(unexpected_args(cx)) };
    let mut config = cx.config()?;
    if config.entry("contexts", old).is_none() {
        let (old, path) = (quote(old), &config.path);
        let text = format!("cannot rename the context {old}, it's not in {path}");
        return Err(Failure::Message(text));
    }
    if config.entry("contexts", new).is_some() {
        let (old, new, path) = (quote(old), quote(new), &config.path);
        let text =
            format!("cannot rename the context {old}, the context {new} already exists in {path}");
        return Err(Failure::Message(text));
    }
    for context in config.value["contexts"].as_array_mut().into_iter().flatten() {
        if name_of(context) == old {
            context["name"] = json!(new);
        }
    }
    if config.value["current-context"] == json!(old) {
        config.value["current-context"] = json!(new);
    }
    config.save(cx.sys)?;
    cx.line(&format!("Context {} renamed to {}.", quote(old), quote(new)));
    done()
}
