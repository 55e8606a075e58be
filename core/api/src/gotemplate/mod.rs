//! Go templates over JSON: `{{range .items}}{{.metadata.name}}{{"\n"}}{{end}}`.
//!
//! Upstream: Go's `text/template`, with the functions that kubectl adds (`exists`, `base64decode`;
//! `k8s.io/cli-runtime/pkg/printers/template.go`).

mod exec;
mod functions;
mod lex;
mod parse;
mod value;
mod wanted;

use crate::wanted::Wanted;
use parse::Node;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// Templates within templates, and values within values.
const DEPTH_MAX: usize = 100;
/// Bytes that a template may make.
const OUTPUT_MAX: usize = 16 * 1024 * 1024;
/// Steps that a template may take.
const STEPS_MAX: usize = 5_000_000;

pub use value::Val;

/// Functions beside Go's own.
pub trait Functions: Sync {
    /// Whether there is one of this name.
    fn has(&self, name: &str) -> bool;
    /// Calls it; the error is what stands after `error calling NAME: `.
    fn call(&self, name: &str, args: &[Val]) -> Result<Val, String>;
}

/// A parsed template.
#[derive(Clone)]
pub struct Template {
    name: String,
    /// The template's text and those that it defines, by name.
    bodies: BTreeMap<String, Vec<Node>>,
    missing_ok: bool,
    more: Option<&'static dyn Functions>,
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why a template cannot be parsed or executed, in Go's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError(pub String);

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TemplateError {}

impl Template {
    /// Parses a template of this name. `missing_ok`: a key that a map does not have is no error
    /// (`missingkey=default`).
    pub fn parse(name: &str, text: &str, missing_ok: bool) -> Result<Self, TemplateError> {
        let bodies = parse::parse(name, text, None)
            .map_err(|(line, why)| TemplateError(format!("template: {name}:{line}: {why}")))?;
        Ok(Template { name: name.to_owned(), bodies, missing_ok, more: None })
    }

    /// The same with these functions beside Go's own.
    pub fn parse_with(
        name: &str,
        text: &str,
        missing_ok: bool,
        more: &'static dyn Functions,
    ) -> Result<Self, TemplateError> {
        let bodies = parse::parse(name, text, Some(more))
            .map_err(|(line, why)| TemplateError(format!("template: {name}:{line}: {why}")))?;
        Ok(Template { name: name.to_owned(), bodies, missing_ok, more: Some(more) })
    }

    /// Parses templates that may call each other, by their names, and these functions; besides
    /// those, `include` gives another template's text and `tpl` that of a text.
    pub fn parse_all(
        texts: &[(String, String)],
        more: &'static dyn Functions,
    ) -> Result<Self, TemplateError> {
        let mut all = Template {
            name: String::new(),
            bodies: BTreeMap::new(),
            missing_ok: true,
            more: Some(more),
        };
        for (name, text) in texts {
            all.add(name, text)?;
        }
        Ok(all)
    }

    fn add(&mut self, name: &str, text: &str) -> Result<(), TemplateError> {
        let bodies = parse::parse(name, text, self.more).map_err(|(line, why)| {
            TemplateError(format!("parse error at ({name}:{line}): {why}"))
        })?;
        self.bodies.extend(bodies);
        Ok(())
    }

    /// What the template of this name makes of a value.
    pub fn execute_one(&self, name: &str, data: &Value) -> Result<String, TemplateError> {
        exec::execute_one(self, name, data)
    }

    /// What the template looks at of its data.
    pub fn wanted(&self) -> Wanted {
        let nodes = self.bodies.get(&self.name).map(Vec::as_slice).unwrap_or_default();
        wanted::of(nodes)
    }

    /// What the template makes of a value.
    pub fn execute(&self, data: &Value) -> Result<String, TemplateError> {
        exec::execute(self, data)
    }
}

#[cfg(test)]
mod tests;
