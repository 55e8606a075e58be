//! `kubectl events`.

use super::common;
use crate::builder::list_enhanced;
use crate::command::Command;
use crate::context::{Context, done};
use crate::describe::events::{interval, last_seen, or_empty};
use crate::describe::page::Page;
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::mapper;
use crate::printers::tabwriter::TabWriter;
use crate::printers::{Format, Printer};
use crate::process::{Next, Outcome, Task};
use naru_api::k8s_openapi::api::core::v1::Event;
use naru_api::request::ListOptions;
use naru_api::{Object, WatchEventType, WatchId};

/// `kubectl events`
pub static COMMAND: Command = Command {
    usage: "events [(-o|--output=)json|yaml|name|go-template|go-template-file|template|templatefile\
            |jsonpath|jsonpath-as-json|jsonpath-file] [--for TYPE/NAME] [--watch] \
            [--types=Normal,Warning]",
    short: "List events",
    long: "Display events.\n\n Oldest first; only those about one object with --for, and with \
           --watch also those\n that are still to come.",
    examples: "# The events of the namespace\nkubectl events\n\n\
               # About one pod, as they come\nkubectl events --for pod/web --watch\n\n\
               # Warnings of all namespaces\nkubectl events -A --types=Warning",
    flags: &[common::PRINT, common::ALL_NAMESPACES, common::CHUNK_SIZE, FLAGS],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::text("for", "", "Only events about this object: TYPE/NAME."),
    Flag::switch("no-headers", "Do not print the headers of columns."),
    Flag::slice("types", "Only events of these types: Normal, Warning."),
    Flag::switch("watch", "After the list, go on and print new events.").short("w"),
];

fn run(cx: &mut Context<'_>) -> Outcome {
    let flags = cx.flags();
    let (mut namespace, _) = cx.namespace()?;
    let shown_namespace = namespace.clone();
    let all = flags.is("all-namespaces");
    if all {
        namespace.clear();
    }
    let types = flags.list("types");
    let known = |kind: &String| ["Normal", "Warning"].iter().any(|t| t.eq_ignore_ascii_case(kind));
    let field_selector = about(cx)?;
    if !types.iter().all(known) {
        return Err(Failure::message("valid --types are Normal or Warning"));
    }
    let kind = mapper::kind_for(&cx.kinds()?, "events")?;
    let options = ListOptions { field_selector, ..ListOptions::default() };
    if flags.is("watch") {
        let watch = cx.watch(&kind, &namespace, options, None)?;
        return cx.start(Watching { watch, writer: TabWriter::table(), headed: false });
    }
    let list = list_enhanced(cx, &kind, &namespace, &options)?;
    let mut events = list.items;
    events.retain(|event| event.get::<Event>().is_some_and(|event| is_wanted(types, event)));
    if events.is_empty() {
        cx.err_line(&match all {
            true => "No events found.".to_owned(),
            false => format!("No events found in {shown_namespace} namespace."),
        });
        return done();
    }
    events.sort_by_cached_key(|event: &Object| event.get().map(last_seen));
    if let Some(format) = Format::parse(cx, &[])? {
        let text = Printer::new(format, flags).print_list_of("EventList", &events)?;
        cx.out(&text);
        return done();
    }
    let mut writer = TabWriter::table();
    if !flags.is("no-headers") {
        writer.line(&header(all));
    }
    for event in events.iter().filter_map(Object::get) {
        writer.line(&line(cx, event));
    }
    let text = writer.flush();
    cx.out(&text);
    done()
}

/// The field selector of `--for`.
fn about(cx: &mut Context<'_>) -> Result<String> {
    let wanted = cx.flags().text("for");
    if wanted.is_empty() {
        return Ok(String::new());
    }
    let parts: Vec<&str> = wanted.split('/').collect();
    let (kind, name) = match parts.as_slice() {
        [kind, name] if !kind.is_empty() && !name.is_empty() => (*kind, *name),
        [_, _] => {
            return Err(Failure::message(
                "arguments in resource/name form must have a single resource and name",
            ));
        }
        [_] => return Err(Failure::message("--for must be in resource/name form")),
        _ => {
            return Err(Failure::message(
                "arguments in resource/name form may not have more than one slash",
            ));
        }
    };
    let kind = mapper::kind_for(&cx.kinds()?, kind)?;
    Ok(format!(
        "involvedObject.kind={},involvedObject.apiVersion={},involvedObject.name={name}",
        kind.kind,
        kind.api_version()
    ))
}

fn is_wanted(types: &[String], event: &Event) -> bool {
    let kind = or_empty(&event.type_);
    types.is_empty() || types.iter().any(|wanted| wanted.eq_ignore_ascii_case(kind))
}

fn header(all_namespaces: bool) -> String {
    let first = if all_namespaces { "NAMESPACE\t" } else { "" };
    format!("{first}LAST SEEN\tTYPE\tREASON\tOBJECT\tMESSAGE")
}

fn line(cx: &Context<'_>, event: &Event) -> String {
    let about = &event.involved_object;
    let object = format!("{}/{}", or_empty(&about.kind), or_empty(&about.name));
    let cells = [
        &*interval(&Page::new(cx.now()), event),
        or_empty(&event.type_),
        or_empty(&event.reason),
        &object,
        or_empty(&event.message).trim(),
    ]
    .join("\t");
    match cx.flags().is("all-namespaces") {
        true => format!("{}\t{cells}", or_empty(&event.metadata.namespace)),
        false => cells,
    }
}

#[derive(Clone, Debug)]
struct Watching {
    watch: WatchId,
    writer: TabWriter,
    headed: bool,
}

impl Task for Watching {
    fn poll(mut self: Box<Self>, cx: &mut Context<'_>) -> Outcome {
        let watch = self.watch;
        let Ok(deliveries) = cx.api()?.poll(watch) else {
            self.cancel(cx);
            return done();
        };
        let flags = cx.flags();
        for delivery in deliveries {
            let Some(event) = delivery.object.get() else { continue };
            if delivery.kind == WatchEventType::Deleted || !is_wanted(flags.list("types"), event) {
                continue;
            }
            if !std::mem::replace(&mut self.headed, true) && !flags.is("no-headers") {
                self.writer.line(&header(flags.is("all-namespaces")));
            }
            self.writer.line(&line(cx, event));
            let text = self.writer.flush();
            cx.out(&text);
        }
        Ok(Next::Wait(self, None))
    }

    fn cancel(&mut self, cx: &mut Context<'_>) {
        cx.unwatch(self.watch);
    }
}
