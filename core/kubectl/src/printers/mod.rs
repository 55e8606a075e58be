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
use naru_api::gofmt::quote;
use naru_api::gotemplate::{Template, TemplateError};
use naru_api::jsonpath;
use naru_api::{KindRef, Object};
use serde_json::{Map, Value};

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

    /// The text of objects that are told as a list. They are taken one after the other where the
    /// format allows it, so that not all of them are there twice.
    pub fn print_list(&mut self, objects: &[Object], flags: &Parsed) -> Result<String> {
        if let Format::Name = self.format {
            self.printed += 1;
            return Ok(objects.iter().map(name::of).collect());
        }
        if let Format::CustomColumns(columns) = &mut self.format {
            columns.head();
            objects.iter().try_for_each(|object| columns.row(&json_of(object, flags)))?;
            return Ok(String::new());
        }
        let items = objects.iter().map(|object| json_of(object, flags)).collect();
        let metadata = Map::from_iter([("resourceVersion".to_owned(), Value::from(""))]);
        let list = Map::from_iter([
            ("apiVersion".to_owned(), Value::from("v1")),
            ("items".to_owned(), Value::Array(items)),
            ("kind".to_owned(), Value::from("List")),
            ("metadata".to_owned(), Value::Object(metadata)),
        ]);
        self.print(None, Value::Object(list))
    }

    /// The text of one object, or of a list.
    pub fn print(&mut self, kind: Option<&KindRef>, mut object: Value) -> Result<String> {
        if !self.show_managed_fields {
            drop_managed_fields(&mut object);
        }
        self.printed += 1;
        match &mut self.format {
            Format::Json => Ok(json::to_json(&object)?),
            Format::Yaml => {
                let text = yaml::to_yaml(&object)?;
                Ok(if self.printed > 1 { format!("---\n{text}") } else { text })
            }
            Format::Name => Ok(name::names(kind, &object)),
            Format::JsonPath(path) => path.print(&object).map_err(Failure::Message),
            Format::JsonPathAsJson(path) => {
                let found = path.find(&object).map_err(Failure::Message)?;
                json::to_json(&Value::Array(found))
            }
            Format::CustomColumns(columns) => columns.print(&object),
            Format::GoTemplate(template, text) => {
                template.execute(&object).map_err(|why| template_failure(text, &object, &why))
            }
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
