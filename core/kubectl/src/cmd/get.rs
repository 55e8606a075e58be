//! `kubectl get`.

use super::common;
use crate::builder::{self, Builder, Selection, Target};
use crate::command::Command;
use crate::context::{Context, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::printers::sorter::sort_by;
use crate::printers::table::{TableOptions, TablePrinter};
use crate::printers::tabwriter::TabWriter;
use crate::printers::{Format, Printer, json_of};
use crate::process::{Next, Outcome, Task};
use naru_api::encode;
use naru_api::request::{ListOptions, Row, Table};
use naru_api::{KindRef, Object, Op, WatchEventType, WatchId};
use naru_sim::Time;
use serde_json::json;

/// `kubectl get`
pub static COMMAND: Command = Command {
    usage: "get [(-o|--output=)json|yaml|name|go-template|go-template-file|template|templatefile|\
            jsonpath|jsonpath-as-json|jsonpath-file|custom-columns|custom-columns-file|wide] \
            (TYPE[.VERSION][.GROUP] [NAME | -l label] | TYPE[.VERSION][.GROUP]/NAME ...) [flags]",
    short: "Display one or many resources",
    long: "Display one or many resources.\n\n Prints a table of what matters most about each. Which \
           ones can be chosen by name, by\n labels (-l) and by fields; objects in namespaces come \
           from the current one unless -n or -A\n is given.\n\n Use \"kubectl api-resources\" for a \
           complete list of supported resources.",
    examples: "# List the pods of the namespace\nkubectl get pods\n\n\
               # With more columns\nkubectl get pods -o wide\n\n\
               # One deployment as YAML\nkubectl get deployment web -o yaml\n\n\
               # Two kinds at once, in all namespaces\nkubectl get pods,services -A\n\n\
               # Just the images\nkubectl get pods -o jsonpath='{.items[*].spec.containers[*].image}'",
    suggest_for: &["list", "ps"],
    flags: &[
        common::FILENAME,
        common::SELECTOR,
        common::FIELD_SELECTOR,
        common::ALL_NAMESPACES,
        common::CHUNK_SIZE,
        FLAGS,
    ],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::switch_on(
        "allow-missing-template-keys",
        "A field that a template names and the object does not have is no error.",
    ),
    Flag::switch("ignore-not-found", "An object that is not there is no error."),
    Flag::slice("label-columns", "Labels to show in columns of their own.").short("L"),
    Flag::switch("no-headers", "Do not print the headers of columns."),
    Flag::text(
        "output",
        "",
        "Output format. One of: (json, yaml, name, go-template, go-template-file, template, \
         templatefile, jsonpath, jsonpath-as-json, jsonpath-file, custom-columns, \
         custom-columns-file, wide).",
    )
    .short("o"),
    Flag::switch("output-watch-events", "With --watch: print what happened to each object."),
    Flag::text("raw", "", "Path at the API server to read."),
    Flag::switch_on("server-print", "Let the server make the table."),
    Flag::switch("show-kind", "Print the kind before each name."),
    Flag::switch("show-labels", "Print the labels in the last column."),
    Flag::switch("show-managed-fields", "Print metadata.managedFields too."),
    Flag::text("sort-by", "", "Sort by this field, a JSONPath: {.metadata.name}."),
    Flag::text("subresource", "", "Read this subresource of the object."),
    Flag::text("template", "", "Template, or path of a template file, for -o."),
    Flag::switch("watch", "After the list, go on and print each change.").short("w"),
    Flag::switch("watch-only", "Print each change, without the list before."),
];

/// Beyond the formats of every command.
const OUTPUTS: &[&str] = &["custom-columns", "custom-columns-file", "wide"];

fn run(cx: &mut Context<'_>) -> Outcome {
    check_flags(cx)?;
    let flags = cx.flags();
    if !flags.text("raw").is_empty() {
        return super::raw::get(cx, flags.text("raw"));
    }
    if flags.is("watch") || flags.is("watch-only") {
        return watch(cx);
    }
    if cx.args().is_empty()
        && flags.list("filename").is_empty()
        && flags.text("kustomize").is_empty()
    {
        cx.err_line(
            "You must specify the type of resource to get. Use \"kubectl api-resources\" for a \
             complete list of supported resources.\n",
        );
        return Err(cx.invocation.usage_error(
            "Required resource not specified.\nUse \"kubectl explain <resource>\" for a detailed \
             description of that resource (e.g. kubectl explain pods).",
        ));
    }
    let selection = Builder::new(cx)?.types_or_names(cx, true, cx.args())?.build(cx)?;
    if is_table(cx) { print_tables(cx, selection) } else { print_objects(cx, selection) }
}

/// Whether a table is printed, and not the objects themselves.
fn is_table(cx: &Context<'_>) -> bool {
    let (output, template) = (cx.flags().text("output"), cx.flags().text("template"));
    output == "wide" || (output.is_empty() && template.is_empty())
}

fn check_flags(cx: &mut Context<'_>) -> Result<()> {
    let flags = cx.flags();
    let output = flags.text("output");
    common::subresource(flags.text("subresource"))?;
    if flags.is("show-labels") && !output.is_empty() && output != "wide" {
        let text = format!("--show-labels option cannot be used with {output} printer");
        return Err(Failure::message(text));
    }
    let watches = flags.is("watch") || flags.is("watch-only");
    if flags.is("output-watch-events") && !watches {
        let text = "--output-watch-events option can only be used with --watch or --watch-only";
        return Err(Failure::message(text));
    }
    Ok(())
}

// ---- tables ----

fn print_tables(cx: &mut Context<'_>, selection: Selection) -> Outcome {
    let flags = cx.flags();
    let (mut tables, mut failures) = (Vec::new(), Vec::new());
    for target in selection.targets {
        match target.and_then(|target| Ok((target.kind().clone(), table(cx, &target)?))) {
            Ok(found) => tables.push(found),
            Err(failure) if flags.is("ignore-not-found") && failure.is_not_found() => {}
            Err(failure) => failures.push(failure),
        }
    }
    let mut options = TableOptions::new(flags);
    let several = tables.windows(2).any(|pair| matches!(pair, [(a, _), (b, _)] if a != b));
    options.with_kind |= several;
    let all_namespaced =
        !flags.is("all-namespaces") && tables.iter().all(|(kind, _)| kind.namespaced);
    let mut text = String::new();
    let mut groups = tables.into_iter().peekable();
    while let Some((kind, first)) = groups.next() {
        let mut writer = TabWriter::table();
        let with_namespace = flags.is("all-namespaces") && kind.namespaced;
        let mut printer = TablePrinter::new(TableOptions { with_namespace, ..options.clone() });
        printer.print(&sorted(first, flags.text("sort-by"))?, &kind, None, &mut writer);
        while let Some((_, more)) = groups.next_if(|(next, _)| *next == kind) {
            printer.print(&sorted(more, flags.text("sort-by"))?, &kind, None, &mut writer);
        }
        let group = writer.flush();
        if !text.is_empty() && !group.is_empty() && !options.no_headers {
            text.push('\n');
        }
        text.push_str(&group);
    }
    cx.out(&text);
    if text.is_empty() && failures.is_empty() && !flags.is("ignore-not-found") {
        if all_namespaced {
            let (namespace, _) = cx.namespace()?;
            cx.err_line(&format!("No resources found in {namespace} namespace."));
        } else {
            cx.err_line("No resources found");
        }
    }
    Failure::from_many(failures)?;
    done()
}

fn table(cx: &mut Context<'_>, target: &Target) -> Result<Table> {
    let subresource = common::subresource(cx.flags().text("subresource"))?;
    match target {
        Target::Named { kind, namespace, name } if !subresource.is_empty() => {
            cx.table_of(kind, namespace, name, subresource)
        }
        Target::Selected { kind, namespace, options } => cx
            .table(kind, namespace, "", Op::List(options.clone()))
            .map_err(|failure| builder::enhance(failure, kind, options)),
        Target::Named { kind, namespace, name } => cx.table(kind, namespace, name, Op::Get),
        Target::Manifest(manifest) => {
            cx.table(&manifest.kind, &manifest.namespace, &manifest.name, Op::Get)
        }
    }
}

fn sorted(mut table: Table, path: &str) -> Result<Table> {
    if !path.is_empty() {
        table.rows = sort_by(path, table.rows, |row, wanted| {
            row.object.content_part(wanted).unwrap_or_default()
        })?;
    }
    Ok(table)
}

// ---- objects ----

fn print_objects(cx: &mut Context<'_>, selection: Selection) -> Outcome {
    let flags = cx.flags();
    let single = selection.single;
    let (mut objects, mut failures) = fetch(cx, selection)?;
    if flags.is("ignore-not-found") {
        failures.retain(|failure| !failure.is_not_found());
    }
    if single || (objects.is_empty() && flags.is("ignore-not-found")) {
        Failure::from_many(std::mem::take(&mut failures))?;
        if objects.is_empty() && flags.is("ignore-not-found") {
            return done();
        }
    }
    let Some(format) = Format::parse(cx, OUTPUTS)? else { return done() };
    if !flags.text("sort-by").is_empty() {
        let managed = flags.is("show-managed-fields");
        objects = sort_by(flags.text("sort-by"), objects, |object, wanted| {
            encode::part_of(wanted, |sink| object.tell(managed, sink)).unwrap_or_default()
        })?;
    }
    let mut printer = Printer::new(format, flags);
    let text = match objects.as_slice() {
        [object] if single => printer.print_object(object)?,
        objects => printer.print_list(objects)?,
    };
    cx.console.out_all(text.into_bytes());
    let rest = printer.finish();
    cx.out(&rest);
    Failure::from_many(failures)?;
    done()
}

/// Reads the objects, or with `--subresource` this part of them.
fn fetch(cx: &mut Context<'_>, selection: Selection) -> Result<(Vec<Object>, Vec<Failure>)> {
    let subresource = common::subresource(cx.flags().text("subresource"))?;
    if subresource.is_empty() {
        return Ok(selection.fetch(cx));
    }
    let (mut objects, mut failures) = (Vec::new(), Vec::new());
    for target in selection.targets {
        let read = target.and_then(|target| match target {
            Target::Named { kind, namespace, name } => {
                cx.get_subresource(&kind, &namespace, &name, subresource).map(|one| vec![one])
            }
            target => builder::fetch(cx, &target),
        });
        match read {
            Ok(found) => objects.extend(found),
            Err(failure) => failures.push(failure),
        }
    }
    Ok((objects, failures))
}

// ---- watches ----

/// How each change is printed.
#[derive(Clone, Debug)]
enum Show {
    Table(TablePrinter, TabWriter),
    Object(Printer),
}

impl Show {
    fn print(&mut self, cx: &mut Context<'_>, object: &Object, event: Option<&str>) -> Result<()> {
        let kind = object.kind();
        let text = match self {
            Show::Table(printer, writer) => {
                let row =
                    Row { cells: kind.strategy.row(object, cx.now()), object: object.clone() };
                let columns = kind.strategy.columns();
                let table = Table { columns, rows: vec![row], ..Table::default() };
                printer.print(&table, &kind, event, writer);
                String::new()
            }
            Show::Object(printer) => {
                let object = json_of(object, cx.flags());
                let value = match event {
                    Some(event) => json!({"type": event, "object": object}),
                    None => object,
                };
                let text = printer.print(Some(&kind), value)?;
                text + &printer.finish()
            }
        };
        cx.out(&text);
        Ok(())
    }

    fn flush(&mut self, cx: &mut Context<'_>) {
        if let Show::Table(_, writer) = self {
            let text = writer.flush();
            cx.out(&text);
        }
    }
}

fn watch(cx: &mut Context<'_>) -> Outcome {
    let flags = cx.flags();
    if !flags.text("sort-by").is_empty() {
        cx.err_line(if flags.is("watch") {
            "warning: --watch requested, --sort-by will be ignored for watch events received"
        } else {
            "warning: --watch-only requested, --sort-by will be ignored"
        });
    }
    let selection =
        Builder::new(cx)?.single_type().types_or_names(cx, true, cx.args())?.build(cx)?;
    let mut targets = selection.targets.into_iter();
    let target = match (targets.next(), targets.next()) {
        (Some(target), None) => target?,
        (None, _) => return done(),
        _ => {
            return Err(Failure::message(
                "you may only watch a single resource or type of resource at a time",
            ));
        }
    };
    let (kind, namespace, options, objects) = first_look(cx, target)?;
    let list = cx.list(&kind, &namespace, &options)?;
    let mut show = match Format::parse(cx, OUTPUTS)? {
        Some(format) => Show::Object(Printer::new(format, flags)),
        None => {
            let mut options = TableOptions::new(flags);
            options.with_namespace = flags.is("all-namespaces");
            Show::Table(TablePrinter::new(options), TabWriter::table())
        }
    };
    let events = flags.is("output-watch-events");
    if !flags.is("watch-only") || flags.is("watch") {
        for object in objects.as_ref().unwrap_or(&list.items) {
            show.print(cx, object, events.then_some("ADDED"))?;
        }
        show.flush(cx);
    }
    let watch = cx.watch(&kind, &namespace, options, Some(list.revision))?;
    let until = cx.request_deadline();
    cx.start(Watching { watch, show, events, until })
}

/// What is there: the objects by name, or `None` for all that the options choose.
type Look = (KindRef, String, ListOptions, Option<Vec<Object>>);

fn first_look(cx: &mut Context<'_>, target: Target) -> Result<Look> {
    let (kind, namespace, name) = match target {
        Target::Selected { kind, namespace, options } => {
            return Ok((kind, namespace, options, None));
        }
        Target::Named { kind, namespace, name } => (kind, namespace, name),
        Target::Manifest(manifest) => (manifest.kind, manifest.namespace, manifest.name),
    };
    let object = cx.get(&kind, &namespace, &name)?;
    let options =
        ListOptions { field_selector: format!("metadata.name={name}"), ..ListOptions::default() };
    Ok((kind, namespace, options, Some(vec![object])))
}

#[derive(Clone, Debug)]
struct Watching {
    watch: WatchId,
    show: Show,
    events: bool,
    /// When `--request-timeout` ends it.
    until: Option<Time>,
}

impl Task for Watching {
    fn poll(mut self: Box<Self>, cx: &mut Context<'_>) -> Outcome {
        let watch = self.watch;
        let Ok(deliveries) = cx.api()?.poll(watch) else {
            self.cancel(cx);
            return done();
        };
        for delivery in deliveries {
            let event = match delivery.kind {
                WatchEventType::Added => "ADDED",
                WatchEventType::Modified => "MODIFIED",
                WatchEventType::Deleted => "DELETED",
                WatchEventType::Bookmark => "BOOKMARK",
            };
            self.show.print(cx, &delivery.object, self.events.then_some(event))?;
            self.show.flush(cx);
        }
        if self.until.is_some_and(|until| cx.now() >= until) {
            self.cancel(cx);
            return done();
        }
        let until = self.until;
        Ok(Next::Wait(self, until))
    }

    fn cancel(&mut self, cx: &mut Context<'_>) {
        cx.unwatch(self.watch);
    }
}
