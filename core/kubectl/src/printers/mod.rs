//! From objects to text: `-o`.
//!
//! Upstream: `k8s.io/cli-runtime/pkg/printers`, `k8s.io/cli-runtime/pkg/genericclioptions`.

pub mod customcolumns;
pub mod json;
pub mod name;
pub mod sorter;
pub mod table;
pub mod tabwriter;
pub mod yaml;

use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::flags::Parsed;
use naru_api::encode::{self, Group, Leaf, Sink};
use naru_api::gofmt::quote;
use naru_api::gotemplate::{Template, TemplateError};
use naru_api::jsonpath;
use naru_api::wanted::Wanted;
use naru_api::{KindRef, Object};
use serde_json::Value;

/// An output format that is not a table.
#[derive(Clone, Debug)]
pub enum Format {
    /// `-o json`
    Json,
    /// `-o yaml`
    Yaml,
    /// `-o name`
    Name,
    /// `-o jsonpath=…`
    JsonPath(jsonpath::JsonPath),
    /// `-o jsonpath-as-json=…`
    JsonPathAsJson(jsonpath::JsonPath),
    /// `-o custom-columns=…`
    CustomColumns(customcolumns::CustomColumns),
    /// `-o go-template=…`, with its text
    GoTemplate(Template, String),
}

/// What `-o` of a command may be, beyond what [`Printer`] always knows.
const FORMATS: [&str; 10] = [
    "go-template",
    "go-template-file",
    "json",
    "jsonpath",
    "jsonpath-as-json",
    "jsonpath-file",
    "name",
    "template",
    "templatefile",
    "yaml",
];

impl Format {
    /// The format that `-o` chooses; `None` for "" and for what is in `others`.
    pub fn parse(cx: &mut Context<'_>, others: &[&str]) -> Result<Option<Format>> {
        let output = cx.flags().text("output");
        let template = cx.flags().text("template");
        let output = if output.is_empty() && !template.is_empty() { "go-template" } else { output };
        let (name, inline) = output.split_once('=').unwrap_or((output, ""));
        let argument = if inline.is_empty() { template } else { inline };
        match name {
            "json" => return Ok(Some(Format::Json)),
            "yaml" => return Ok(Some(Format::Yaml)),
            "name" => return Ok(Some(Format::Name)),
            "custom-columns" | "custom-columns-file" if others.contains(&name) => {}
            "jsonpath" | "jsonpath-as-json" | "jsonpath-file" => {}
            "go-template" | "go-template-file" | "template" | "templatefile" => {}
            name if name.is_empty() || others.contains(&name) => return Ok(None),
            _ => {
                let mut allowed: Vec<&str> =
                    FORMATS.into_iter().chain(others.iter().copied()).collect();
                allowed.sort_unstable();
                return Err(Failure::message(format!(
                    "unable to match a printer suitable for the output format {}, allowed formats \
                     are: {}",
                    quote(output),
                    allowed.join(",")
                )));
            }
        }
        let in_file = name.ends_with("-file") || name == "templatefile";
        let text = if in_file && !argument.is_empty() {
            read_template(cx, name, argument)?
        } else {
            argument.to_owned()
        };
        Self::templated(name, &text, cx.flags()).map(Some)
    }

    fn templated(name: &str, text: &str, flags: &Parsed) -> Result<Format> {
        if name.starts_with("custom-columns") {
            let columns = customcolumns::CustomColumns::parse(
                text,
                name.ends_with("-file"),
                flags.is("no-headers"),
            )?;
            return Ok(Format::CustomColumns(columns));
        }
        if text.is_empty() {
            return Err(Failure::message("template format specified but no template given"));
        }
        let missing_ok = flags.is("allow-missing-template-keys");
        if name.contains("template") {
            let template = Template::parse("output", text, missing_ok).map_err(|why| {
                Failure::Message(format!("error parsing template {text}, {why}\n"))
            })?;
            return Ok(Format::GoTemplate(template, text.to_owned()));
        }
        let path = jsonpath::JsonPath::parse(text, missing_ok)
            .map_err(|why| Failure::message(format!("error parsing jsonpath {text}, {why}")))?;
        Ok(if name == "jsonpath-as-json" {
            Format::JsonPathAsJson(path)
        } else {
            Format::JsonPath(path)
        })
    }
}

/// Upstream: `GoTemplatePrinter.PrintObj`, which also shows what the template was given.
fn template_failure(text: &str, object: &Value, why: &TemplateError) -> Failure {
    let raw = serde_json::to_string(object).unwrap_or_default();
    let given = naru_api::gofmt::plain(object);
    let shown = format!(
        "Error executing template: {why}. Printing more information for debugging the \
         template:\n\ttemplate was:\n\t\t{text}\n\traw data was:\n\t\t{raw}\n\tobject given to \
         template engine was:\n\t\t{given}\n\n"
    );
    Failure::Shown(shown, format!("error executing template {}: {why}", quote(text)))
}

fn read_template(cx: &mut Context<'_>, name: &str, path: &str) -> Result<String> {
    let absolute = cx.sys.absolute(path);
    cx.sys.fs().read_text(&absolute).map_err(|errno| {
        let why = format!("open {path}: {}", errno.to_string().to_lowercase());
        Failure::message(match name {
            "custom-columns-file" => format!("error reading template {path}, {why}"),
            _ => format!("error reading --template {path}, {why}"),
        })
    })
}

/// Prints objects one after the other.
#[derive(Clone, Debug)]
pub struct Printer {
    format: Format,
    show_managed_fields: bool,
    printed: usize,
}

impl Printer {
    /// A printer of this format.
    pub fn new(format: Format, flags: &Parsed) -> Self {
        Printer { format, show_managed_fields: flags.is("show-managed-fields"), printed: 0 }
    }

    /// The text of objects that are told as a list.
    pub fn print_list(&mut self, objects: &[Object]) -> Result<String> {
        let managed = self.show_managed_fields;
        self.print_each(objects, &|sink| tell_list("List", Some(""), objects, managed, sink))
    }

    /// The text of objects that are told as a list of their own kind.
    pub fn print_list_of(&mut self, kind: &str, objects: &[Object]) -> Result<String> {
        let managed = self.show_managed_fields;
        self.print_each(objects, &|sink| tell_list(kind, None, objects, managed, sink))
    }

    /// The text of one object.
    pub fn print_object(&mut self, object: &Object) -> Result<String> {
        let managed = self.show_managed_fields;
        self.print_each(std::slice::from_ref(object), &|sink| object.tell(managed, sink))
    }

    /// The text of objects: of each by itself, or as they are told.
    fn print_each(&mut self, objects: &[Object], tell: Tell<'_>) -> Result<String> {
        let managed = self.show_managed_fields;
        match &mut self.format {
            Format::Name => Ok(objects.iter().map(name::of).collect()),
            Format::CustomColumns(columns) => {
                columns.head();
                let wanted = columns.wanted().clone();
                for object in objects {
                    let tell = |sink: &mut dyn Sink| object.tell(managed, sink);
                    of_part(&tell, &wanted, |part| columns.row(part))?;
                }
                Ok(String::new())
            }
            _ => self.told(tell),
        }
    }

    /// The text of one object, or of a list.
    pub fn print(&mut self, kind: Option<&KindRef>, mut object: Value) -> Result<String> {
        if !self.show_managed_fields {
            drop_managed_fields(&mut object);
        }
        match &mut self.format {
            Format::Name => Ok(name::names(kind, &object)),
            Format::CustomColumns(columns) => columns.print(&object),
            _ => self.told(&|sink| encode::tell(&object, sink)),
        }
    }

    /// The text of what is told. Only what the format looks at is made of it, but all of it to say what is
    /// wrong.
    fn told(&mut self, tell: Tell<'_>) -> Result<String> {
        self.printed += 1;
        match &self.format {
            Format::Json => json::text_of(tell),
            Format::Yaml => {
                let text = yaml::text_of(tell)?;
                Ok(if self.printed > 1 { format!("---\n{text}") } else { text })
            }
            Format::JsonPath(path) => {
                of_part(tell, &path.wanted(), |object| path.print(object).map_err(Failure::Message))
            }
            Format::JsonPathAsJson(path) => of_part(tell, &path.wanted(), |object| {
                let found = path.find(object).map_err(Failure::Message)?;
                json::to_json(&Value::Array(found))
            }),
            Format::GoTemplate(template, text) => of_part(tell, &template.wanted(), |object| {
                template.execute(object).map_err(|why| template_failure(text, object, &why))
            }),
            // These are printed of each object by itself.
            Format::Name | Format::CustomColumns(_) => Ok(String::new()),
        }
    }

    /// What is still to be printed after the last object.
    pub fn finish(&mut self) -> String {
        match &mut self.format {
            Format::CustomColumns(columns) => columns.finish(),
            _ => String::new(),
        }
    }
}

/// How something is told to a sink.
type Tell<'t> = &'t dyn Fn(&mut dyn Sink) -> std::result::Result<(), serde_json::Error>;

/// What is made of the part that is wanted, or what is wrong by all there is.
fn of_part<T>(
    tell: Tell<'_>,
    wanted: &Wanted,
    mut make: impl FnMut(&Value) -> Result<T>,
) -> Result<T> {
    let unwritten = |why: serde_json::Error| Failure::Message(why.to_string());
    match make(&encode::part_of(wanted, tell).map_err(unwritten)?) {
        Ok(made) => Ok(made),
        Err(_) => make(&encode::value_of(tell).map_err(unwritten)?),
    }
}

/// Tells objects as a list of this kind.
fn tell_list(
    kind: &str,
    version: Option<&str>,
    objects: &[Object],
    managed: bool,
    sink: &mut dyn Sink,
) -> std::result::Result<(), serde_json::Error> {
    sink.begin(Group::Struct);
    sink.name("apiVersion");
    sink.leaf(Leaf::Text("v1"));
    sink.name("items");
    sink.begin(Group::List);
    for (index, object) in objects.iter().enumerate() {
        object.tell(managed, sink)?;
        if index == 0 {
            sink.comes_again(objects.len() - 1);
        }
    }
    sink.end();
    sink.name("kind");
    sink.leaf(Leaf::Text(kind));
    sink.name("metadata");
    sink.begin(Group::Struct);
    if let Some(version) = version {
        sink.name("resourceVersion");
        sink.leaf(Leaf::Text(version));
    }
    sink.end();
    sink.end();
    Ok(())
}

/// The object as JSON, with who owns its fields only where that is to be shown: working it out takes
/// longer than all the rest. What cannot be written is not there.
pub fn json_of(object: &Object, flags: &Parsed) -> Value {
    match flags.is("show-managed-fields") {
        true => object.to_json(),
        false => object.content_json(),
    }
    .unwrap_or_default()
}

/// Takes `metadata.managedFields` out of an object, or out of those of a list.
pub fn drop_managed_fields(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    for item in object.get_mut("items").and_then(Value::as_array_mut).into_iter().flatten() {
        drop_managed_fields(item);
    }
}

/// How a command that changes objects tells of each: `pod/web created`, or by `-o`.
///
/// Upstream: `genericclioptions.PrintFlags`.
#[derive(Clone, Debug)]
pub struct Teller {
    printer: Option<Printer>,
    suffix: &'static str,
}

impl Teller {
    /// As `-o` and `--dry-run` say.
    pub fn new(cx: &mut Context<'_>, suffix: &'static str) -> Result<Self> {
        let format = Format::parse(cx, &[])?;
        let flags = cx.flags();
        Ok(Teller { printer: format.map(|format| Printer::new(format, flags)), suffix })
    }

    /// Whether the object itself is printed.
    pub fn prints_object(&self) -> bool {
        self.printer.is_some()
    }

    /// Tells that `operation` was done to `object`.
    pub fn tell(
        &mut self,
        cx: &mut Context<'_>,
        kind: &KindRef,
        object: Value,
        operation: &str,
    ) -> Result<()> {
        let text = match &mut self.printer {
            Some(printer) => printer.print(Some(kind), object)?,
            None => {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                let name = crate::mapper::name_of(kind, name);
                format!("{name} {operation}{}\n", self.suffix)
            }
        };
        cx.out(&text);
        Ok(())
    }
}
