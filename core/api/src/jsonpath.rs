//! JSONPath templates: `{.items[*].metadata.name}`, `{range .items[*]}{.kind}{"\n"}{end}`.
//!
//! Upstream: `k8s.io/client-go/util/jsonpath`, whose dialect and messages these are.

use crate::gofmt::{quote, syntax};
use crate::wanted::Wanted;
use serde_json::Value;
use std::cmp::Ordering;

/// Values that one expression may give.
const VALUES_MAX: usize = 1_000_000;
/// Wildcards and unions in a template of which it is found out what it looks at: each doubles that.
const BRANCHES_MAX: usize = 8;
/// Steps of such a template.
const STEPS_MAX: usize = 500;
/// Nested ranges, filters and unions.
const DEPTH_MAX: usize = 32;

/// A parsed template.
#[derive(Clone, Debug)]
pub struct JsonPath {
    text: String,
    segments: Vec<Segment>,
    missing_ok: bool,
}

#[derive(Clone, Debug)]
enum Segment {
    Text(Value),
    Action(Vec<Step>),
    Range(Vec<Step>, Vec<Segment>),
    /// `{end}` outside of any range: an error only once the template is executed.
    StrayEnd,
}

#[derive(Clone, Debug)]
enum Step {
    Field(String),
    Wildcard,
    Recursive,
    Slice { start: Option<i64>, end: End, step: Option<i64> },
    Filter { left: Vec<Step>, operator: Option<(String, Vec<Step>)> },
    Union(Vec<Vec<Step>>),
    Literal(Value),
}

#[derive(Clone, Copy, Debug)]
enum End {
    /// `[3]`: one after the start.
    One,
    /// `[1:]`
    Open,
    /// `[1:3]`
    At(i64),
}

type Found<'v> = Result<Vec<&'v Value>, String>;

impl JsonPath {
    /// Parses a template. `missing_ok`: a field that is not there gives nothing and no error.
    pub fn parse(text: &str, missing_ok: bool) -> Result<Self, String> {
        let mut parser = Parser { rest: text, depth: 0 };
        let segments = parser.segments(false)?;
        Ok(JsonPath { text: text.to_owned(), segments, missing_ok })
    }

    /// What the template looks at of an object.
    pub fn wanted(&self) -> Wanted {
        let (steps, branches) = size(&self.segments);
        if steps > STEPS_MAX || branches > BRANCHES_MAX {
            return Wanted::everything();
        }
        let mut wanted = Wanted::default();
        want_segments(&self.segments, &mut wanted);
        wanted.settle();
        wanted
    }

    /// Every value, of all the template's parts in their order.
    pub fn find(&self, object: &Value) -> Result<Vec<Value>, String> {
        let mut all = Vec::new();
        self.each(&self.segments, object, &mut |values| all.extend(values.into_iter().cloned()))
            .map_err(|why| self.explain(&why, object))?;
        Ok(all)
    }

    /// The values of the first part: what `--sort-by` and custom columns look at.
    pub fn find_first(&self, object: &Value) -> Result<Vec<Value>, String> {
        let mut first = None;
        self.each(&self.segments, object, &mut |values| {
            first.get_or_insert(values);
        })?;
        Ok(first.unwrap_or_default().into_iter().cloned().collect())
    }

    /// The text that the template makes of an object.
    pub fn print(&self, object: &Value) -> Result<String, String> {
        let mut out = String::new();
        self.each(&self.segments, object, &mut |values| {
            let texts: Vec<String> = values.into_iter().map(text_of).collect();
            out.push_str(&texts.join(" "));
        })
        .map_err(|why| self.explain(&why, object))?;
        Ok(out)
    }

    fn explain(&self, why: &str, object: &Value) -> String {
        format!(
            "error executing jsonpath {}: Error executing template: {why}. Printing more \
             information for debugging the template:\n\ttemplate was:\n\t\t{}\n\tobject given to \
             jsonpath engine was:\n\t\t{}\n\n\n",
            quote(&self.text),
            self.text,
            syntax(object)
        )
    }

    fn each<'v>(
        &'v self,
        segments: &'v [Segment],
        object: &'v Value,
        give: &mut dyn FnMut(Vec<&'v Value>),
    ) -> Result<(), String> {
        for segment in segments {
            match segment {
                Segment::Text(text) => give(vec![text]),
                Segment::Action(steps) => give(self.walk(steps, vec![object])?),
                Segment::Range(steps, body) => {
                    for value in self.walk(steps, vec![object])? {
                        self.each(body, value, give)?;
                    }
                }
                Segment::StrayEnd => return Err("not in range, nothing to end".to_owned()),
            }
        }
        Ok(())
    }

    fn walk<'v>(&'v self, steps: &'v [Step], mut values: Vec<&'v Value>) -> Found<'v> {
        for step in steps {
            values = self.step(step, values)?;
            if values.len() > VALUES_MAX {
                return Err("too many values".to_owned());
            }
        }
        Ok(values)
    }

    fn step<'v>(&'v self, step: &'v Step, values: Vec<&'v Value>) -> Found<'v> {
        match step {
            Step::Literal(value) => Ok(values.iter().take(1).map(|_| value).collect()),
            Step::Field(name) => self.field(name, values),
            Step::Wildcard => Ok(values.into_iter().flat_map(children).collect()),
            Step::Recursive => {
                let mut all = Vec::new();
                values.into_iter().for_each(|value| descend(value, &mut all));
                Ok(all)
            }
            Step::Slice { start, end, step } => {
                let mut all = Vec::new();
                for value in values.into_iter().filter(|value| !value.is_null()) {
                    all.extend(slice(value, *start, *end, *step)?);
                }
                Ok(all)
            }
            Step::Union(paths) => {
                let mut all = Vec::new();
                for path in paths {
                    all.extend(self.walk(path, values.clone())?);
                }
                Ok(all)
            }
            Step::Filter { left, operator } => {
                let mut all = Vec::new();
                for value in values {
                    let Value::Array(items) = value else {
                        return Err(format!(
                            "{value} is not array or slice and cannot be filtered"
                        ));
                    };
                    for item in items {
                        if self.passes(item, left, operator.as_ref())? {
                            all.push(item);
                        }
                    }
                }
                Ok(all)
            }
        }
    }

    fn field<'v>(&self, name: &str, values: Vec<&'v Value>) -> Found<'v> {
        if values.is_empty() {
            return Ok(values);
        }
        let found: Vec<&Value> =
            values.iter().filter_map(|value| value.as_object()?.get(name)).collect();
        if found.is_empty() && !self.missing_ok {
            return Err(format!("{name} is not found"));
        }
        Ok(found)
    }

    fn passes(
        &self,
        item: &Value,
        left: &[Step],
        operator: Option<&(String, Vec<Step>)>,
    ) -> Result<bool, String> {
        let lefts = self.walk(left, vec![item]);
        let Some((operator, right)) = operator else {
            return Ok(lefts.is_ok_and(|lefts| !lefts.is_empty()));
        };
        let rights = self.walk(right, vec![item])?;
        let (lefts, many) = (lefts?, "can only compare one element at a time".to_owned());
        let (left, right) = match (lefts.as_slice(), rights.as_slice()) {
            ([], _) | (_, []) => return Ok(false),
            ([left], [right]) => (left, right),
            _ => return Err(many),
        };
        let order = compare(left, right)?;
        Ok(match operator.as_str() {
            "==" => order == Ordering::Equal,
            "!=" => order != Ordering::Equal,
            "<" => order == Ordering::Less,
            ">" => order == Ordering::Greater,
            "<=" => order != Ordering::Greater,
            ">=" => order != Ordering::Less,
            other => return Err(format!("unrecognized filter operator {other}")),
        })
    }
}

/// Steps, and how many of them are wildcards and paths of unions.
fn size(segments: &[Segment]) -> (usize, usize) {
    segments.iter().fold((0, 0), |sum, segment| match segment {
        Segment::Text(_) | Segment::StrayEnd => sum,
        Segment::Action(steps) => both(sum, size_of_steps(steps)),
        Segment::Range(steps, body) => both(both(sum, size_of_steps(steps)), size(body)),
    })
}

fn size_of_steps(steps: &[Step]) -> (usize, usize) {
    let of_step = |step: &Step| match step {
        Step::Wildcard => (1, 1),
        Step::Union(paths) => {
            paths.iter().fold((1, paths.len()), |sum, path| both(sum, size_of_steps(path)))
        }
        Step::Filter { left, operator } => {
            let right = operator.as_ref().map_or((0, 0), |(_, right)| size_of_steps(right));
            both((1, 0), both(size_of_steps(left), right))
        }
        Step::Field(_) | Step::Recursive | Step::Slice { .. } | Step::Literal(_) => (1, 0),
    };
    steps.iter().map(of_step).fold((0, 0), both)
}

fn both(one: (usize, usize), other: (usize, usize)) -> (usize, usize) {
    (one.0 + other.0, one.1 + other.1)
}

fn want_segments(segments: &[Segment], wanted: &mut Wanted) {
    for segment in segments {
        match segment {
            Segment::Text(_) | Segment::StrayEnd => {}
            Segment::Action(steps) => want_steps(steps, wanted, &mut Wanted::want_all),
            Segment::Range(steps, body) => {
                want_steps(steps, wanted, &mut |found| want_segments(body, found));
            }
        }
    }
}

/// Wants what these steps look at, and of what they lead to what `then` wants.
fn want_steps(steps: &[Step], wanted: &mut Wanted, then: &mut dyn FnMut(&mut Wanted)) {
    let Some((step, rest)) = steps.split_first() else { return then(wanted) };
    match step {
        // Items of a list are wanted as the list is.
        Step::Slice { .. } => want_steps(rest, wanted, then),
        Step::Field(name) => want_steps(rest, wanted.field(name), then),
        Step::Wildcard => {
            let mut below = Wanted::default();
            want_steps(rest, &mut below, then);
            wanted.add(&below);
            wanted.each().add(&below);
        }
        Step::Recursive => wanted.want_all(),
        Step::Filter { left, operator } => {
            want_steps(left, wanted, &mut Wanted::want_all);
            if let Some((_, right)) = operator {
                want_steps(right, wanted, &mut Wanted::want_all);
            }
            want_steps(rest, wanted, then);
        }
        Step::Union(paths) => {
            for path in paths {
                want_steps(path, wanted, &mut |found| want_steps(rest, found, then));
            }
        }
        Step::Literal(_) => {}
    }
}

/// `x.y`, `.x.y`, `{x.y}` or `{.x.y}` as `{.x.y}`.
///
/// Upstream: `RelaxedJSONPathExpression`.
pub fn relaxed(path: &str) -> Result<String, String> {
    if path.is_empty() {
        return Ok(String::new());
    }
    let inner = match (path.strip_prefix('{'), path.ends_with('}')) {
        (Some(rest), true) => rest.strip_suffix('}').unwrap_or(rest),
        (None, false) => path,
        _ => "{",
    };
    let inner = inner.strip_prefix('.').unwrap_or(inner);
    if inner.is_empty() || inner.contains(['{', '}']) {
        return Err("unexpected path string, expected a 'name1.name2' or '.name1.name2' or \
                    '{name1.name2}' or '{.name1.name2}'"
            .to_owned());
    }
    Ok(format!("{{.{inner}}}"))
}

/// A value as the template prints it.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => value
            .to_string()
            .replace('<', "\\u003c")
            .replace('>', "\\u003e")
            .replace('&', "\\u0026"),
    }
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    }
}

fn descend<'v>(value: &'v Value, all: &mut Vec<&'v Value>) {
    let below = children(value);
    if below.is_empty() || all.len() > VALUES_MAX {
        return;
    }
    all.push(value);
    below.into_iter().for_each(|child| descend(child, all));
}

fn slice(value: &Value, start: Option<i64>, end: End, step: Option<i64>) -> Found<'_> {
    let Value::Array(items) = value else {
        let kind = match value {
            Value::Object(_) => "map[string]interface {}",
            Value::String(_) => "string",
            Value::Bool(_) => "bool",
            _ => "int64",
        };
        return Err(format!("{kind} is not array or slice"));
    };
    let length = items.len() as i64;
    let from_end = |index: i64| if index < 0 { index + length } else { index };
    let first = from_end(start.unwrap_or(0));
    let last = match end {
        End::One => first + 1,
        End::Open => length,
        End::At(at) => from_end(at),
    };
    if first == last {
        return Ok(Vec::new());
    }
    let outside = |index: i64| format!("array index out of bounds: index {index}, length {length}");
    if first >= length || first < 0 {
        return Err(outside(first));
    }
    if last > length || last < 0 {
        return Err(outside(last - 1));
    }
    if first > last {
        return Err(format!("starting index {first} is greater than ending index {last}"));
    }
    let step = match step {
        None => 1,
        Some(step) if step > 0 => step as usize,
        Some(_) => return Err("step must be > 0".to_owned()),
    };
    let range = items.iter().skip(first as usize).take((last - first) as usize);
    Ok(range.step_by(step).collect())
}

fn compare(left: &Value, right: &Value) -> Result<Ordering, String> {
    let wrong = || "incompatible types for comparison".to_owned();
    match (left, right) {
        (Value::String(a), Value::String(b)) => Ok(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Ok(a.cmp(b)),
        (Value::Number(a), Value::Number(b)) => {
            a.as_f64().partial_cmp(&b.as_f64()).ok_or_else(wrong)
        }
        _ => Err(wrong()),
    }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    /// The parts of a template, up to its end or to `{end}`.
    fn segments(&mut self, in_range: bool) -> Result<Vec<Segment>, String> {
        if self.depth > DEPTH_MAX {
            return Err("too deeply nested".to_owned());
        }
        let mut segments = Vec::new();
        while !self.rest.is_empty() {
            let Some(open) = self.rest.find('{') else {
                segments.push(Segment::Text(Value::from(std::mem::take(&mut self.rest))));
                break;
            };
            let (text, rest) = self.rest.split_at(open);
            if !text.is_empty() {
                segments.push(Segment::Text(Value::from(text)));
            }
            self.rest = rest.get(1..).unwrap_or_default();
            match self.keyword() {
                "range" => {
                    let steps = self.steps('}')?;
                    self.depth += 1;
                    let body = self.segments(true)?;
                    self.depth -= 1;
                    segments.push(Segment::Range(steps, body));
                }
                "end" => {
                    self.steps('}')?;
                    if in_range {
                        return Ok(segments);
                    }
                    segments.push(Segment::StrayEnd);
                }
                _ => segments.push(Segment::Action(self.steps('}')?)),
            }
        }
        Ok(segments)
    }

    /// Takes `range` or `end` at the start of an action.
    fn keyword(&mut self) -> &'static str {
        let trimmed = self.rest.trim_start_matches(' ');
        for word in ["range", "end"] {
            if let Some(after) = trimmed.strip_prefix(word)
                && after.starts_with([' ', '}', '.', '['])
            {
                self.rest = after;
                return word;
            }
        }
        ""
    }

    fn take_until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// The steps up to `close` (which is taken too), or to the end of the text for `\0`.
    fn steps(&mut self, close: char) -> Result<Vec<Step>, String> {
        let mut steps: Vec<Step> = Vec::new();
        loop {
            if let Some(after) = self.rest.strip_prefix("[?(") {
                self.rest = after;
                steps.push(self.filter()?);
                continue;
            }
            if let Some(after) = self.rest.strip_prefix("..") {
                if matches!(steps.last(), Some(Step::Recursive)) {
                    return Err("invalid multiple recursive descent".to_owned());
                }
                self.rest = after;
                steps.push(Step::Recursive);
                if after.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
                    steps.push(self.field());
                }
                continue;
            }
            let Some(c) = self.rest.chars().next() else {
                return if close == '\0' { Ok(steps) } else { Err("unclosed action".to_owned()) };
            };
            let after = self.rest.get(c.len_utf8()..).unwrap_or_default();
            match c {
                c if c == close => {
                    self.rest = after;
                    return Ok(steps);
                }
                '\n' | '\r' => return Err("unclosed action".to_owned()),
                ' ' | '@' | '$' => self.rest = after,
                '[' => {
                    self.rest = after;
                    let step = self.bracket()?;
                    steps.extend(step);
                }
                '"' | '\'' => {
                    self.rest = after;
                    steps.push(Step::Literal(Value::from(self.quoted(c)?)));
                }
                '.' => {
                    self.rest = after;
                    steps.push(self.field());
                }
                c if c == '+' || c == '-' || c.is_ascii_digit() => steps.push(self.number()?),
                c if c.is_alphanumeric() || c == '_' => {
                    let word = self.take_until(is_terminator);
                    match word {
                        "true" | "false" => steps.push(Step::Literal(Value::from(word == "true"))),
                        word => return Err(format!("unrecognized identifier {word}")),
                    }
                }
                c => {
                    let code = c as u32;
                    return Err(format!("unrecognized character in action: U+{code:04X} '{c}'"));
                }
            }
        }
    }

    fn field(&mut self) -> Step {
        let mut name = String::new();
        loop {
            name.push_str(self.take_until(|c| c == '\\' || is_terminator(c)));
            let Some(after) = self.rest.strip_prefix('\\') else { break };
            let mut chars = after.chars();
            name.extend(chars.next());
            self.rest = chars.as_str();
        }
        if name == "*" { Step::Wildcard } else { Step::Field(name) }
    }

    fn number(&mut self) -> Result<Step, String> {
        let sign = usize::from(self.rest.starts_with(['+', '-']));
        let digits = self.rest.get(sign..).unwrap_or_default();
        let end = digits.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(digits.len());
        let (text, rest) = self.rest.split_at(sign + end);
        self.rest = rest;
        if let Ok(int) = text.parse::<i64>() {
            return Ok(Step::Literal(Value::from(int)));
        }
        let float = text.parse::<f64>().map_err(|_| format!("cannot parse number {text}"))?;
        Ok(Step::Literal(Value::from(float)))
    }

    fn quoted(&mut self, mark: char) -> Result<String, String> {
        let mut text = String::new();
        let mut chars = self.rest.chars();
        while let Some(c) = chars.next() {
            match c {
                '\n' => break,
                '\\' => match chars.next() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('r') => text.push('\r'),
                    Some(other) => text.push(other),
                    None => break,
                },
                c if c == mark => {
                    self.rest = chars.as_str();
                    return Ok(text);
                }
                c => text.push(c),
            }
        }
        Err("unterminated quoted string".to_owned())
    }

    fn filter(&mut self) -> Result<Step, String> {
        let mut open = None;
        let mut end = None;
        for (at, c) in self.rest.char_indices() {
            match (c, open) {
                ('\n', _) => break,
                ('"' | '\'', None) => open = Some(c),
                (c, Some(mark)) if c == mark => open = None,
                (')', None) => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
        }
        let end = end.ok_or("unterminated filter")?;
        let (inside, rest) = self.rest.split_at(end);
        self.rest = rest.strip_prefix(")]").ok_or("unclosed array expect ]")?;
        let inner = |text: &'a str| -> Result<Vec<Step>, String> {
            if self.depth > DEPTH_MAX {
                return Err("too deeply nested".to_owned());
            }
            Parser { rest: text.trim_end(), depth: self.depth + 1 }.steps('\0')
        };
        let is_operator = |c: char| matches!(c, '!' | '<' | '>' | '=');
        let Some(at) = inside.find(is_operator).filter(|at| *at > 0) else {
            return Ok(Step::Filter { left: inner(inside)?, operator: None });
        };
        let (left, rest) = inside.split_at(at);
        let right_at = rest.find(|c| !is_operator(c)).unwrap_or(rest.len());
        let (operator, right) = rest.split_at(right_at);
        let operator = Some((operator.to_owned(), inner(right)?));
        Ok(Step::Filter { left: inner(left)?, operator })
    }

    fn bracket(&mut self) -> Result<Vec<Step>, String> {
        let inside = self.take_until(|c| c == ']' || c == '\n');
        self.rest = self.rest.strip_prefix(']').ok_or("unterminated array")?;
        let parts: Vec<&str> = inside.split(',').collect();
        if parts.len() == 1 {
            return index(inside);
        }
        let union: Result<Vec<Vec<Step>>, String> =
            parts.into_iter().map(|part| index(part.trim_matches(' '))).collect();
        Ok(vec![Step::Union(union?)])
    }
}

/// What stands between brackets: `'key'`, `3`, `1:4:2`, `*`.
fn index(inside: &str) -> Result<Vec<Step>, String> {
    if let Some(key) = inside.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''))
        && !key.contains('\'')
    {
        return Parser { rest: &format!(".{key}"), depth: 0 }.steps('\0');
    }
    let invalid = || format!("invalid array index {inside}");
    let text = if inside == "*" { ":" } else { inside };
    let parts: Vec<&str> = text.split(':').collect();
    let number = |text: &str| -> Result<Option<i64>, String> {
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| invalid())
    };
    let (start, end, step) = match parts.as_slice() {
        [""] => return Err(invalid()),
        [start] => (number(start)?, End::One, None),
        [start, end] => (number(start)?, number(end)?.map_or(End::Open, End::At), None),
        [start, end, step] => {
            (number(start)?, number(end)?.map_or(End::Open, End::At), number(step)?)
        }
        _ => return Err(invalid()),
    };
    Ok(vec![Step::Slice { start, end, step }])
}

fn is_terminator(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // Cases after upstream's documentation: kubernetes.io/docs/reference/kubectl/jsonpath.
    #[test]
    fn documented_examples() {
        let data = json!({
            "kind": "List",
            "items": [
                {"kind": "None", "metadata": {"name": "127.0.0.1", "labels": {"a/b.c": "1"}},
                 "status": {"capacity": {"cpu": "4"}, "addresses": [{"address": "127.0.0.1"}]}},
                {"kind": "None", "metadata": {"name": "127.0.0.2"},
                 "status": {"capacity": {"cpu": "8"}, "addresses": [{"address": "127.0.0.2"},
                 {"address": "127.0.0.3"}]}}
            ],
            "users": [{"name": "myself", "user": {}},
                {"name": "e2e", "user": {"username": "admin", "password": "secret"}}]
        });
        for (template, expected) in [
            ("kind is {.kind}", "kind is List"),
            ("{['kind']}", "List"),
            ("{..name}", "127.0.0.1 127.0.0.2 myself e2e"),
            ("{.items[*].metadata.name}", "127.0.0.1 127.0.0.2"),
            ("{.users[0].name}", "myself"),
            ("{.users[-1:].name}", "e2e"),
            (
                "{.items[*]['metadata.name', 'status.capacity']}",
                "127.0.0.1 127.0.0.2 {\"cpu\":\"4\"} {\"cpu\":\"8\"}",
            ),
            ("{.users[?(@.name==\"e2e\")].user.password}", "secret"),
            (
                "{range .items[*]}[{.metadata.name}, {.status.capacity.cpu}] {end}",
                "[127.0.0.1, 4] [127.0.0.2, 8] ",
            ),
            ("{range .items[*]}{.metadata.name}{'\\t'}{end}{\"\\n\"}", "127.0.0.1\t127.0.0.2\t\n"),
            ("{.items[0].metadata.labels.a/b\\.c}", "1"),
            ("{.nothing}", ""),
            ("{.users[?(@.user.username)].name}", "e2e"),
        ] {
            let path = JsonPath::parse(template, true).unwrap();
            assert_eq!(path.print(&data).unwrap(), expected, "{template}");
        }
    }

    #[test]
    fn errors() {
        for (template, expected) in [
            ("{.a", "unclosed action"),
            ("{.a[}", "unterminated array"),
            ("{.a[x]}", "invalid array index x"),
            ("{'a}", "unterminated quoted string"),
        ] {
            assert_eq!(JsonPath::parse(template, true).unwrap_err(), expected, "{template}");
        }
        let path = JsonPath::parse("{.a[3]}", true).unwrap();
        let error = path.print(&json!({"a": [1]})).unwrap_err();
        assert!(error.contains("array index out of bounds: index 3, length 1"), "{error}");
    }

    #[test]
    fn relaxed_forms() {
        for path in ["x.y", ".x.y", "{x.y}", "{.x.y}"] {
            assert_eq!(relaxed(path).unwrap(), "{.x.y}");
        }
        assert!(relaxed("{x").is_err());
    }
}
