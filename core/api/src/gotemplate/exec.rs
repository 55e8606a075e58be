//! From a tree and data to text.
//!
//! Upstream: `text/template/exec.go`.

use super::functions;
use super::parse::{Base, Node, Operand, Pipeline};
use super::value::Val;
use super::{DEPTH_MAX, OUTPUT_MAX, STEPS_MAX, Template, TemplateError};
use serde_json::Value;

type Result<T> = std::result::Result<T, String>;

/// How a list of nodes ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

struct State<'a> {
    name: &'a str,
    template: &'a Template,
    out: String,
    variables: Vec<(String, Val)>,
    depth: usize,
    steps: usize,
    line: usize,
}

/// Executes a template.
pub(super) fn execute(
    template: &Template,
    data: &Value,
) -> std::result::Result<String, TemplateError> {
    execute_one(template, &template.name, data)
}

/// Executes one of several templates.
pub(super) fn execute_one(
    template: &Template,
    name: &str,
    data: &Value,
) -> std::result::Result<String, TemplateError> {
    let dot = Val::Json(data.clone());
    let mut state = State {
        name,
        template,
        out: String::new(),
        variables: vec![(String::new(), dot.clone())],
        depth: 0,
        steps: 0,
        line: 1,
    };
    let nodes = template.bodies.get(name).map(Vec::as_slice).unwrap_or_default();
    match state.nodes(nodes, &dot) {
        Ok(_) => Ok(state.out),
        Err(why) => Err(TemplateError(format!("template: {name}:{}:{why}", state.line))),
    }
}

impl State<'_> {
    fn nodes(&mut self, nodes: &[Node], dot: &Val) -> Result<Flow> {
        let scope = self.variables.len();
        for node in nodes {
            self.steps += 1;
            if self.steps > STEPS_MAX || self.out.len() > OUTPUT_MAX {
                return Err(self.at("the template does too much"));
            }
            let flow = self.node(node, dot)?;
            if flow != Flow::Next {
                self.variables.truncate(scope);
                return Ok(flow);
            }
        }
        self.variables.truncate(scope);
        Ok(Flow::Next)
    }

    /// Upstream tells column and text of the node too.
    fn at(&self, why: &str) -> String {
        format!(" executing {}: {why}", crate::gofmt::quote(self.name))
    }

    fn node(&mut self, node: &Node, dot: &Val) -> Result<Flow> {
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
            Node::Action(pipeline, line) => {
                self.line = *line;
                let value = self.pipeline(pipeline, dot)?;
                if pipeline.variables.is_empty() {
                    let text = value.show();
                    self.out.push_str(&text);
                }
            }
            Node::If(pipeline, body, otherwise, line) => {
                self.line = *line;
                let scope = self.variables.len();
                let holds = self.pipeline(pipeline, dot)?.is_true();
                let flow = self.nodes(if holds { body } else { otherwise }, dot);
                self.variables.truncate(scope);
                return flow;
            }
            Node::With(pipeline, body, otherwise, line) => {
                self.line = *line;
                let scope = self.variables.len();
                let value = self.pipeline(pipeline, dot)?;
                let flow = match value.is_true() {
                    true => self.nodes(body, &value),
                    false => self.nodes(otherwise, dot),
                };
                self.variables.truncate(scope);
                return flow;
            }
            Node::Range(pipeline, body, otherwise, line) => {
                self.line = *line;
                return self.range(pipeline, body, otherwise, dot);
            }
            Node::Template(name, pipeline, line) => {
                self.line = *line;
                self.call_template(name, pipeline.as_ref(), dot)?;
            }
        }
        Ok(Flow::Next)
    }

    fn call_template(&mut self, name: &str, pipeline: Option<&Pipeline>, dot: &Val) -> Result<()> {
        let dot = match pipeline {
            Some(pipeline) => self.pipeline(pipeline, dot)?,
            None => Val::Missing,
        };
        self.run_template(name, dot)
    }

    fn run_template(&mut self, name: &str, dot: Val) -> Result<()> {
        let template = self.template;
        let Some(nodes) = template.bodies.get(name) else {
            let name = crate::gofmt::quote(name);
            return Err(self.at(&format!("template {name} not defined")));
        };
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.at("exceeded maximum template depth"));
        }
        let outer = std::mem::replace(&mut self.variables, vec![(String::new(), dot.clone())]);
        let flow = self.nodes(nodes, &dot);
        self.variables = outer;
        self.depth -= 1;
        flow.map(drop)
    }

    fn range(
        &mut self,
        pipeline: &Pipeline,
        body: &[Node],
        otherwise: &[Node],
        dot: &Val,
    ) -> Result<Flow> {
        let scope = self.variables.len();
        // The variables of a range are set for each element, not to the whole.
        let whole = Pipeline {
            variables: Vec::new(),
            declares: false,
            commands: pipeline.commands.clone(),
        };
        let value = self.pipeline(&whole, dot)?;
        let elements: Vec<(Val, Val)> = match value {
            Val::Missing | Val::Json(Value::Null) => Vec::new(),
            Val::Json(Value::Array(items)) => items
                .into_iter()
                .enumerate()
                .map(|(at, item)| (Val::Int(i64::try_from(at).unwrap_or(0)), Val::Json(item)))
                .collect(),
            Val::Json(Value::Object(fields)) => {
                fields.into_iter().map(|(key, value)| (Val::text(key), Val::Json(value))).collect()
            }
            Val::Int(count) if count <= 1_000_000 => {
                (0..count).map(|at| (Val::Int(at), Val::Int(at))).collect()
            }
            other => {
                let shown = other.show();
                return Err(self.at(&format!("range can't iterate over {shown}")));
            }
        };
        if elements.is_empty() {
            return self.nodes(otherwise, dot);
        }
        for (key, element) in elements {
            self.variables.truncate(scope);
            match pipeline.variables.as_slice() {
                [value] => self.set(value, element.clone(), pipeline.declares)?,
                [index, value, ..] => {
                    self.set(index, key, pipeline.declares)?;
                    self.set(value, element.clone(), pipeline.declares)?;
                }
                [] => {}
            }
            match self.nodes(body, &element)? {
                Flow::Break => break,
                Flow::Next | Flow::Continue => {}
            }
        }
        self.variables.truncate(scope);
        Ok(Flow::Next)
    }

    fn set(&mut self, name: &str, value: Val, declares: bool) -> Result<()> {
        if declares {
            self.variables.push((name.to_owned(), value));
            return Ok(());
        }
        match self.variables.iter_mut().rev().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => return Err(self.at(&format!("undefined variable: ${name}"))),
        }
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Val) -> Result<Val> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.at("exceeded maximum template depth"));
        }
        let mut value = None;
        for command in &pipeline.commands {
            value = Some(self.command(command, dot, value)?);
        }
        self.depth -= 1;
        let value = value.unwrap_or(Val::Missing);
        for name in &pipeline.variables {
            self.set(name, value.clone(), pipeline.declares)?;
        }
        Ok(value)
    }

    fn command(&mut self, words: &[Operand], dot: &Val, last: Option<Val>) -> Result<Val> {
        let Some((first, args)) = words.split_first() else { return Ok(Val::Missing) };
        if let Base::Function(name) = &first.base {
            let value = self.call(name, args, dot, last)?;
            return self.fields(value, &first.fields);
        }
        if !args.is_empty() || last.is_some() {
            let what = match first.fields.last() {
                Some(field) => format!("{field} has arguments but cannot be invoked as function"),
                None => "can't give argument to non-function".to_owned(),
            };
            return Err(self.at(&what));
        }
        self.operand(first, dot)
    }

    fn call(&mut self, name: &str, args: &[Operand], dot: &Val, last: Option<Val>) -> Result<Val> {
        // These two look at no more of their arguments than they need.
        if matches!(name, "and" | "or") {
            let mut value = Val::Missing;
            for arg in args {
                value = self.operand(arg, dot)?;
                if value.is_true() == (name == "or") {
                    return Ok(value);
                }
            }
            return Ok(last.unwrap_or(value));
        }
        let mut values = Vec::new();
        for arg in args {
            values.push(self.operand(arg, dot)?);
        }
        values.extend(last);
        if let Some(more) = self.template.more {
            match (name, values.as_slice()) {
                ("include", [Val::Json(Value::String(name)), dot]) => {
                    return self.include(name, dot.clone());
                }
                ("tpl", [Val::Json(Value::String(text)), dot]) => {
                    return self.interpret(text, dot);
                }
                _ if more.has(name) => {
                    return more
                        .call(name, &values)
                        .map_err(|why| self.at(&format!("error calling {name}: {why}")));
                }
                _ => {}
            }
        }
        functions::call(name, &values)
            .map_err(|why| self.at(&format!("error calling {name}: {why}")))
    }

    /// What another template writes.
    fn include(&mut self, name: &str, dot: Val) -> Result<Val> {
        let outer = std::mem::take(&mut self.out);
        let done = self.run_template(name, dot);
        let text = std::mem::replace(&mut self.out, outer);
        done.map(|()| Val::text(text))
    }

    /// What a text writes that is a template itself.
    fn interpret(&mut self, text: &str, dot: &Val) -> Result<Val> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.at("exceeded maximum template depth"));
        }
        let mut template = self.template.clone();
        template.add("tpl", text).map_err(|error| self.at(&error.to_string()))?;
        let data = match dot {
            Val::Json(value) => value.clone(),
            Val::Int(number) => Value::from(*number),
            Val::Missing => Value::Null,
        };
        let text =
            template.execute_one("tpl", &data).map_err(|error| self.at(&error.to_string()))?;
        self.depth -= 1;
        Ok(Val::text(text))
    }

    fn operand(&mut self, operand: &Operand, dot: &Val) -> Result<Val> {
        let held = match &operand.base {
            Base::Dot => Some(dot),
            Base::Variable(name) => {
                let found = self.variables.iter().rev().find(|(known, _)| known == name);
                found.map(|(_, value)| value)
            }
            _ => None,
        };
        // Only what the fields lead to is copied, and not what it is a part of.
        if let Some(Val::Json(value)) = held {
            let led = operand.fields.iter().try_fold(value, |value, name| value.get(name.as_str()));
            if let Some(value) = led {
                return Ok(Val::Json(value.clone()));
            }
        }
        let value = match &operand.base {
            Base::Dot => dot.clone(),
            Base::Nil => Val::Json(Value::Null),
            Base::Literal(value) => value.clone(),
            Base::Variable(name) => {
                let found = self.variables.iter().rev().find(|(known, _)| known == name);
                found.map(|(_, value)| value.clone()).unwrap_or(Val::Missing)
            }
            Base::Nested(pipeline) => self.pipeline(pipeline, dot)?,
            Base::Function(name) => self.call(name, &[], dot, None)?,
        };
        self.fields(value, &operand.fields)
    }

    fn fields(&mut self, mut value: Val, fields: &[String]) -> Result<Val> {
        for name in fields {
            value = match value {
                Val::Json(Value::Object(mut map)) => match map.remove(name) {
                    Some(found) => Val::Json(found),
                    None if self.template.missing_ok => Val::Missing,
                    None => {
                        let name = crate::gofmt::quote(name);
                        return Err(self.at(&format!("map has no entry for key {name}")));
                    }
                },
                Val::Missing | Val::Json(Value::Null) => {
                    if self.template.missing_ok {
                        return Ok(Val::Missing);
                    }
                    return Err(self.at(&format!("nil pointer evaluating interface {{}}.{name}")));
                }
                other => {
                    let go_type = other.go_type();
                    return Err(self.at(&format!("can't evaluate field {name} in type {go_type}")));
                }
            };
        }
        Ok(value)
    }
}
