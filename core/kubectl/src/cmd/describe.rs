//! `kubectl describe`.

use super::common;
use crate::builder::{self, Builder};
use crate::command::Command;
use crate::context::{Context, done};
use crate::describe::describe;
use crate::describe::events::EventIndex;
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::process::Outcome;

/// `kubectl describe`
pub static COMMAND: Command = Command {
    usage: "describe (-f FILENAME | TYPE [NAME_PREFIX | -l label] | TYPE/NAME)",
    short: "Show details of a specific resource or group of resources",
    long: "Show details of a specific resource or group of resources.\n\n What is known of each \
           object and of those that belong to it, with its latest events.\n A name that is not \
           there is taken as the beginning of names.\n\n Use \"kubectl api-resources\" for a \
           complete list of supported resources.",
    examples: "# A node\nkubectl describe nodes worker\n\n# A pod\nkubectl describe pods/web\n\n\
               # Pods of a label\nkubectl describe pods -l app=web",
    flags: &[common::FILENAME, common::SELECTOR, common::ALL_NAMESPACES, common::CHUNK_SIZE, FLAGS],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[Flag::switch_on("show-events", "With the events of each object.")];

fn run(cx: &mut Context<'_>) -> Outcome {
    let (args, flags) = (cx.args(), cx.flags());
    if args.is_empty() && flags.list("filename").is_empty() && flags.text("kustomize").is_empty() {
        return Err(Failure::message(
            "You must specify the type of resource to describe. Use \"kubectl api-resources\" for a \
             complete list of supported resources.\n",
        ));
    }
    let show_events = flags.is("show-events");
    let selection = Builder::new(cx)?.types_or_names(cx, true, args)?.build(cx)?;
    let (objects, failures) = selection.fetch(cx);
    if let ([failure], [kind, prefix]) = (failures.as_slice(), args)
        && failure.is_not_found()
    {
        return describe_matching(cx, kind, prefix, failure.clone());
    }
    let mut failures = failures;
    let mut first = true;
    if objects.len() > 1 {
        cx.events = Some(EventIndex::default());
    }
    for object in &objects {
        match describe(cx, object, show_events) {
            Ok(text) => {
                let gap = if std::mem::take(&mut first) { "" } else { "\n\n" };
                cx.out(gap);
                cx.out(&text);
            }
            Err(failure) if failures.contains(&failure) => {}
            Err(failure) => failures.push(failure),
        }
    }
    if objects.is_empty() && failures.is_empty() {
        let (namespace, _) = cx.namespace()?;
        cx.err_line(&match flags.is("all-namespaces") {
            true => "No resources found".to_owned(),
            false => format!("No resources found in {namespace} namespace."),
        });
    }
    Failure::from_many(failures)?;
    done()
}

/// Describes every object whose name begins with `prefix`.
fn describe_matching(
    cx: &mut Context<'_>,
    kind: &str,
    prefix: &str,
    not_found: Failure,
) -> Outcome {
    let objects: Result<Vec<_>> = Builder::new(cx)?
        .single_type()
        .types_or_names(cx, true, &[kind.to_owned()])?
        .build(cx)?
        .targets
        .into_iter()
        .map(|target| target.and_then(|target| builder::fetch(cx, &target)))
        .collect();
    let mut found = false;
    cx.events = Some(EventIndex::default());
    for object in objects?.iter().flatten().filter(|object| object.name().starts_with(prefix)) {
        found = true;
        let text = describe(cx, object, cx.flags().is("show-events"))?;
        cx.line(&text);
    }
    if found { done() } else { Err(not_found) }
}
