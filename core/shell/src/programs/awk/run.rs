//! Runs a [`Script`] on records.

use super::ast::{Binary, Block, Expr, Pattern, Place, Redirect, Script, Statement, Var};
use super::record::Record;
use super::value::{TEXT_BYTES_MAX, Value, sprintf};
use super::vars;
use crate::programs::regex;
use crate::programs::tool::Out;
use regex_lite::Regex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most steps for one record, for `BEGIN` and for `END`.
const STEPS_MAX: usize = 2_000_000;
/// Deepest recursion of functions.
const CALLS_MAX: usize = 100;
/// Most elements of all arrays together.
const ELEMENTS_MAX: usize = 1 << 18;
/// Most bytes written to files.
const FILE_BYTES_MAX: usize = 4 << 20;
/// Expressions made of texts that are kept compiled.
const REGEXES_MAX: usize = 64;

/// Why statements stop.
#[derive(Debug)]
pub enum Stop {
    Next,
    NextFile,
    Exit,
    Break,
    Continue,
    Return(Value),
    /// A message, after `awk: `.
    Fatal(String),
}

pub type Ran<T> = Result<T, Stop>;

/// What a variable holds.
#[derive(Clone, Debug)]
enum Cell {
    Value(Value),
    /// An array, by its number.
    Array(usize),
}

/// A file that is written to.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// What was there stays.
    pub append: bool,
    pub bytes: Vec<u8>,
}

/// A program with all that it has come to.
#[derive(Clone, Debug)]
pub struct Machine {
    script: Arc<Script>,
    globals: Vec<Cell>,
    locals: Vec<Cell>,
    /// Where the running function's variables begin.
    frame: usize,
    calls: usize,
    arrays: Vec<BTreeMap<Key, Value>>,
    elements: usize,
    pub record: Record,
    ranges: Vec<bool>,
    regexes: BTreeMap<String, Regex>,
    steps: usize,
    pub seed: (u64, f64),
    pub exit: i32,
    pub files: BTreeMap<String, Written>,
    file_bytes: usize,
}

/// A subscript. Whole numbers come first and in their order, then texts: what awk leaves open.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Number(i64),
    Text(String),
}

impl Key {
    pub fn new(text: &str) -> Key {
        match text.parse::<i64>() {
            Ok(number) if number.to_string() == text => Key::Number(number),
            _ => Key::Text(text.to_string()),
        }
    }

    fn text(&self) -> String {
        match self {
            Key::Number(number) => number.to_string(),
            Key::Text(text) => text.clone(),
        }
    }
}

impl Machine {
    pub fn new(script: Arc<Script>) -> Self {
        let ranges = vec![false; script.rules.len()];
        let mut machine = Machine {
            globals: vec![Cell::Value(Value::Unset); script.globals],
            script,
            locals: Vec::new(),
            frame: 0,
            calls: 0,
            arrays: Vec::new(),
            elements: 0,
            record: Record::default(),
            ranges,
            regexes: BTreeMap::new(),
            steps: 0,
            seed: (0, 0.0),
            exit: 0,
            files: BTreeMap::new(),
            file_bytes: 0,
        };
        for (var, text) in [
            (vars::FS, " "),
            (vars::OFS, " "),
            (vars::ORS, "\n"),
            (vars::RS, "\n"),
            (vars::SUBSEP, "\u{1c}"),
            (vars::CONVFMT, "%.6g"),
            (vars::OFMT, "%.6g"),
        ] {
            machine.set_global(var, Value::Text(text.to_string()));
        }
        machine
    }

    // Variables.

    pub fn global(&self, var: usize) -> Value {
        match self.globals.get(var) {
            Some(Cell::Value(value)) => value.clone(),
            _ => Value::Unset,
        }
    }

    pub fn set_global(&mut self, var: usize, value: Value) {
        if let Some(cell) = self.globals.get_mut(var) {
            *cell = Cell::Value(value);
        }
    }

    /// Assigns as `-v` and operands do: by name, and only where the program knows it.
    pub fn assign_named(&mut self, name: &str, text: &str) {
        if let Some(var) = self.script.names.iter().position(|known| known == name) {
            self.set_global(var, Value::input(text));
        }
    }

    /// Puts an element into a global array.
    pub fn put_element(&mut self, var: usize, key: &str, value: &str) {
        if let Ok(array) = self.array(Var::Global(var))
            && let Some(array) = self.arrays.get_mut(array)
        {
            array.insert(Key::new(key), Value::input(value));
        }
    }

    pub fn separator(&self) -> String {
        self.global(vars::FS).text("%.6g")
    }

    pub fn convfmt(&self) -> String {
        self.global(vars::CONVFMT).text("%.6g")
    }

    fn cell(&mut self, var: Var) -> Ran<&mut Cell> {
        let cell = match var {
            Var::Global(at) => self.globals.get_mut(at),
            Var::Local(at) => self.locals.get_mut(self.frame + at),
        };
        cell.ok_or_else(|| Stop::Fatal("internal: no such variable".to_string()))
    }

    fn name(&self, var: Var) -> String {
        match var {
            Var::Global(at) => self.script.names.get(at).cloned().unwrap_or_default(),
            Var::Local(_) => "parameter".to_string(),
        }
    }

    /// The number of the array that a variable holds; it becomes one if nothing is assigned.
    pub fn array(&mut self, var: Var) -> Ran<usize> {
        let next = self.arrays.len();
        match self.cell(var)? {
            Cell::Array(array) => return Ok(*array),
            cell @ Cell::Value(Value::Unset) => *cell = Cell::Array(next),
            Cell::Value(_) => {
                return Err(Stop::Fatal(format!("can't use scalar {} as array", self.name(var))));
            }
        }
        self.arrays.push(BTreeMap::new());
        Ok(next)
    }

    /// Whether the variable is an array by now.
    pub fn is_array(&mut self, var: Var) -> bool {
        matches!(self.cell(var), Ok(Cell::Array(_)))
    }

    /// How many elements an array has.
    pub fn array_length(&self, array: usize) -> usize {
        self.arrays.get(array).map_or(0, BTreeMap::len)
    }

    /// Replaces all elements.
    pub fn fill_array(&mut self, array: usize, values: Vec<Value>) -> Ran<()> {
        self.elements = self.elements.saturating_sub(self.array_length(array));
        self.grow(values.len())?;
        if let Some(array) = self.arrays.get_mut(array) {
            *array = (1..).map(Key::Number).zip(values).collect();
        }
        Ok(())
    }

    fn grow(&mut self, by: usize) -> Ran<()> {
        self.elements += by;
        if self.elements > ELEMENTS_MAX {
            return Err(Stop::Fatal("out of memory: too many elements".to_string()));
        }
        Ok(())
    }

    fn element(&mut self, array: usize, key: Key) -> Ran<&mut Value> {
        self.grow(usize::from(self.arrays.get(array).is_some_and(|map| !map.contains_key(&key))))?;
        let map = self.arrays.get_mut(array);
        map.map(|map| map.entry(key).or_default())
            .ok_or_else(|| Stop::Fatal("internal: no such array".to_string()))
    }

    fn key(&mut self, index: &[Expr]) -> Ran<Key> {
        let format = self.convfmt();
        let mut texts = Vec::new();
        for expr in index {
            texts.push(self.eval(expr)?.text(&format));
        }
        let separator = self.global(vars::SUBSEP).text(&format);
        Ok(Key::new(&texts.join(&separator)))
    }

    pub fn get(&mut self, place: &Place) -> Ran<Value> {
        match place {
            Place::Var(Var::Global(vars::NF)) => {
                let separator = self.separator();
                Ok(Value::Number(self.record.count(&separator)? as f64))
            }
            Place::Var(var) => match self.cell(*var)? {
                Cell::Value(value) => Ok(value.clone()),
                Cell::Array(_) => {
                    Err(Stop::Fatal(format!("can't use array {} as scalar", self.name(*var))))
                }
            },
            Place::Field(index) => {
                let index = self.field_index(index)?;
                let separator = self.separator();
                self.record.field(index, &separator)
            }
            Place::Element(var, index) => {
                let key = self.key(index)?;
                let array = self.array(*var)?;
                self.element(array, key).cloned()
            }
        }
    }

    pub fn set(&mut self, place: &Place, value: Value) -> Ran<()> {
        match place {
            Place::Var(Var::Global(vars::NF)) => {
                let (separator, ofs) = (self.separator(), self.ofs());
                self.record.set_count(value.number(), &separator, &ofs)
            }
            Place::Var(var) => {
                if matches!(self.cell(*var)?, Cell::Array(_)) {
                    let name = self.name(*var);
                    return Err(Stop::Fatal(format!("can't assign to array {name}")));
                }
                *self.cell(*var)? = Cell::Value(value);
                Ok(())
            }
            Place::Field(index) => {
                let index = self.field_index(index)?;
                let (separator, ofs, format) = (self.separator(), self.ofs(), self.convfmt());
                self.record.set_field(index, &value.text(&format), &separator, &ofs)
            }
            Place::Element(var, index) => {
                let key = self.key(index)?;
                let array = self.array(*var)?;
                *self.element(array, key)? = value;
                Ok(())
            }
        }
    }

    fn ofs(&self) -> String {
        self.global(vars::OFS).text("%.6g")
    }

    fn field_index(&mut self, index: &Expr) -> Ran<usize> {
        let number = self.eval(index)?.number();
        if number < 0.0 {
            return Err(Stop::Fatal(format!("attempt to access field {number}")));
        }
        Ok(number as usize)
    }

    /// The expression as a compiled regular expression; a text is taken for one.
    pub fn regex(&mut self, expr: &Expr) -> Ran<Regex> {
        if let Expr::Regex(regex) = expr {
            return Ok(regex.clone());
        }
        let text = self.eval(expr)?.text(&self.convfmt());
        self.compiled(&text)
    }

    pub fn compiled(&mut self, text: &str) -> Ran<Regex> {
        if let Some(regex) = self.regexes.get(text) {
            return Ok(regex.clone());
        }
        let regex = regex::compile(text, true, false).map_err(|message| {
            Stop::Fatal(format!("regular expression compile failed ({message})\n{text}"))
        })?;
        if self.regexes.len() >= REGEXES_MAX {
            self.regexes.clear();
        }
        self.regexes.insert(text.to_string(), regex.clone());
        Ok(regex)
    }

    // Rules.

    /// Runs blocks, as `BEGIN` and `END` are.
    pub fn blocks(&mut self, end: bool, out: &mut Out) -> Ran<()> {
        let script = self.script.clone();
        self.steps = 0;
        for block in if end { &script.end } else { &script.begin } {
            self.block(block, out)?;
        }
        Ok(())
    }

    /// Runs the rules on the record.
    pub fn rules(&mut self, out: &mut Out) -> Ran<()> {
        let script = self.script.clone();
        self.steps = 0;
        for (at, rule) in script.rules.iter().enumerate() {
            if !self.selects(at, &rule.pattern)? {
                continue;
            }
            match &rule.action {
                Some(block) => self.block(block, out)?,
                None => self.print(&[], None, out)?,
            }
        }
        Ok(())
    }

    fn selects(&mut self, at: usize, pattern: &Pattern) -> Ran<bool> {
        match pattern {
            Pattern::Always => Ok(true),
            Pattern::When(expr) => Ok(self.eval(expr)?.is_true()),
            Pattern::Range(from, to) => {
                let within = self.ranges.get(at).copied().unwrap_or_default();
                if !within && !self.eval(from)?.is_true() {
                    return Ok(false);
                }
                let ends = self.eval(to)?.is_true();
                if let Some(within) = self.ranges.get_mut(at) {
                    *within = !ends;
                }
                Ok(true)
            }
        }
    }

    fn step(&mut self) -> Ran<()> {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return Err(Stop::Fatal(format!(
                "stopped after {STEPS_MAX} steps without a new record"
            )));
        }
        Ok(())
    }

    fn block(&mut self, block: &Block, out: &mut Out) -> Ran<()> {
        block.iter().try_for_each(|statement| self.statement(statement, out))
    }

    /// A round of a loop: whether it goes on.
    fn round(&mut self, body: &Block, out: &mut Out) -> Ran<bool> {
        match self.block(body, out) {
            Ok(()) | Err(Stop::Continue) => Ok(true),
            Err(Stop::Break) => Ok(false),
            Err(stop) => Err(stop),
        }
    }

    fn statement(&mut self, statement: &Statement, out: &mut Out) -> Ran<()> {
        self.step()?;
        match statement {
            Statement::Expr(expr) => self.eval_with(expr, out).map(drop),
            Statement::Print(list, redirect) => self.print(list, redirect.as_ref(), out),
            Statement::Printf(list, redirect) => self.printf(list, redirect.as_ref(), out),
            Statement::If(condition, yes, no) => {
                let branch = if self.eval_with(condition, out)?.is_true() { yes } else { no };
                self.block(branch, out)
            }
            Statement::While(condition, body, after) => {
                while self.eval_with(condition, out)?.is_true() {
                    self.step()?;
                    if !self.round(body, out)? {
                        break;
                    }
                    if let Some(after) = after {
                        self.statement(after, out)?;
                    }
                }
                Ok(())
            }
            Statement::DoWhile(body, condition) => {
                while self.round(body, out)? && self.eval_with(condition, out)?.is_true() {
                    self.step()?;
                }
                Ok(())
            }
            Statement::ForIn(place, array, body) => self.for_in(place, *array, body, out),
            Statement::Block(block) => self.block(block, out),
            Statement::Next => Err(Stop::Next),
            Statement::NextFile => Err(Stop::NextFile),
            Statement::Break => Err(Stop::Break),
            Statement::Continue => Err(Stop::Continue),
            Statement::Exit(code) => {
                if let Some(code) = code {
                    self.exit = self.eval_with(code, out)?.number() as i32 & 0xff;
                }
                Err(Stop::Exit)
            }
            Statement::Return(value) => {
                let value = match value {
                    Some(value) => self.eval_with(value, out)?,
                    None => Value::Unset,
                };
                Err(Stop::Return(value))
            }
            Statement::Delete(array, index) => self.delete(*array, index.as_deref()),
        }
    }

    fn for_in(&mut self, place: &Place, array: Var, body: &Block, out: &mut Out) -> Ran<()> {
        let array = self.array(array)?;
        let keys: Vec<String> = self
            .arrays
            .get(array)
            .map(|map| map.keys().map(Key::text).collect())
            .unwrap_or_default();
        for key in keys {
            self.step()?;
            self.set(place, Value::input(&key))?;
            if !self.round(body, out)? {
                break;
            }
        }
        Ok(())
    }

    fn delete(&mut self, array: Var, index: Option<&[Expr]>) -> Ran<()> {
        let key = index.map(|index| self.key(index)).transpose()?;
        let array = self.array(array)?;
        let Some(map) = self.arrays.get_mut(array) else { return Ok(()) };
        let before = map.len();
        match key {
            Some(key) => drop(map.remove(&key)),
            None => map.clear(),
        }
        self.elements = self.elements.saturating_sub(before - map.len());
        Ok(())
    }

    // Output.

    fn print(&mut self, list: &[Expr], redirect: Option<&Redirect>, out: &mut Out) -> Ran<()> {
        let format = self.global(vars::OFMT).text("%.6g");
        let mut texts = Vec::new();
        for expr in list {
            texts.push(self.eval_with(expr, out)?.text(&format));
        }
        let mut text = match list {
            [] => self.record.text.clone(),
            _ => texts.join(&self.ofs()),
        };
        text.push_str(&self.global(vars::ORS).text("%.6g"));
        self.write(&text, redirect, out)
    }

    fn printf(&mut self, list: &[Expr], redirect: Option<&Redirect>, out: &mut Out) -> Ran<()> {
        let text = self.sprintf(list, out)?;
        self.write(&text, redirect, out)
    }

    pub fn sprintf(&mut self, list: &[Expr], out: &mut Out) -> Ran<String> {
        let convfmt = self.convfmt();
        let mut values = Vec::new();
        for expr in list {
            values.push(self.eval_with(expr, out)?);
        }
        let Some((format, values)) = values.split_first() else { return Ok(String::new()) };
        Ok(sprintf(&format.text(&convfmt), values, &convfmt))
    }

    fn write(&mut self, text: &str, redirect: Option<&Redirect>, out: &mut Out) -> Ran<()> {
        let Some(redirect) = redirect else {
            out.put(text);
            return Ok(());
        };
        let name = self.eval_with(&redirect.to, out)?.text(&self.convfmt());
        match name.as_str() {
            "/dev/stdout" | "-" => out.put(text),
            "/dev/stderr" => out.put_error(text),
            _ => {
                self.file_bytes += text.len();
                if self.file_bytes > FILE_BYTES_MAX {
                    return Err(Stop::Fatal(format!("write failure ({name}): File too large")));
                }
                let append = redirect.append;
                let file = self.files.entry(name);
                file.or_insert_with(|| Written { append, bytes: Vec::new() })
                    .bytes
                    .extend_from_slice(text.as_bytes());
            }
        }
        Ok(())
    }

    // Expressions.

    /// The value of an expression that prints nothing.
    pub fn eval(&mut self, expr: &Expr) -> Ran<Value> {
        self.eval_with(expr, &mut Out::default())
    }

    pub fn eval_with(&mut self, expr: &Expr, out: &mut Out) -> Ran<Value> {
        self.step()?;
        match expr {
            Expr::Number(number) => Ok(Value::Number(*number)),
            Expr::Text(text) => Ok(Value::Text(text.clone())),
            Expr::Regex(regex) => Ok(Value::truth(regex.is_match(&self.record.text))),
            Expr::Group(expr) => self.eval_with(expr, out),
            Expr::Get(place) => self.get(place),
            Expr::Assign(place, operator, value) => {
                let value = self.eval_with(value, out)?;
                let value = match operator {
                    Some(operator) => {
                        let before = self.get(place)?;
                        self.binary(*operator, &before, &value)?
                    }
                    None => value,
                };
                self.set(place, value.clone())?;
                Ok(value)
            }
            Expr::Step(place, by, before) => {
                let old = self.get(place)?.number();
                self.set(place, Value::Number(old + by))?;
                Ok(Value::Number(if *before { old } else { old + by }))
            }
            Expr::Binary(operator, left, right) => {
                let left = self.eval_with(left, out)?;
                let right = self.eval_with(right, out)?;
                self.binary(*operator, &left, &right)
            }
            Expr::And(left, right) => {
                let both =
                    self.eval_with(left, out)?.is_true() && self.eval_with(right, out)?.is_true();
                Ok(Value::truth(both))
            }
            Expr::Or(left, right) => {
                let one =
                    self.eval_with(left, out)?.is_true() || self.eval_with(right, out)?.is_true();
                Ok(Value::truth(one))
            }
            Expr::Not(value) => Ok(Value::truth(!self.eval_with(value, out)?.is_true())),
            Expr::Negate(value) => Ok(Value::Number(-self.eval_with(value, out)?.number())),
            Expr::Plus(value) => Ok(Value::Number(self.eval_with(value, out)?.number())),
            Expr::Choose(condition, yes, no) => {
                let branch = if self.eval_with(condition, out)?.is_true() { yes } else { no };
                self.eval_with(branch, out)
            }
            Expr::Matches(text, regex, negated) => {
                let text = self.eval_with(text, out)?.text(&self.convfmt());
                Ok(Value::truth(self.regex(regex)?.is_match(&text) != *negated))
            }
            Expr::In(index, array) => {
                let key = self.key(index)?;
                let array = self.array(*array)?;
                Ok(Value::truth(self.arrays.get(array).is_some_and(|map| map.contains_key(&key))))
            }
            Expr::Builtin(builtin, arguments) => self.builtin(*builtin, arguments, out),
            Expr::Call(function, arguments) => self.call(*function, arguments, out),
        }
    }

    fn binary(&mut self, operator: Binary, left: &Value, right: &Value) -> Ran<Value> {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let format = self.convfmt();
        let (a, b) = (left.number(), right.number());
        let ordered = || left.compare(right, &format);
        Ok(match operator {
            Binary::Add => Value::Number(a + b),
            Binary::Subtract => Value::Number(a - b),
            Binary::Multiply => Value::Number(a * b),
            Binary::Divide => Value::Number(a / b),
            Binary::Remainder => Value::Number(a % b),
            Binary::Power => Value::Number(libm::pow(a, b)),
            Binary::Concat => {
                let mut text = left.text(&format);
                text.push_str(&right.text(&format));
                if text.len() > TEXT_BYTES_MAX {
                    return Err(Stop::Fatal("out of memory: text too long".to_string()));
                }
                Value::Text(text)
            }
            Binary::Less => Value::truth(ordered() == Some(Less)),
            Binary::LessEqual => Value::truth(matches!(ordered(), Some(Less | Equal))),
            Binary::Equal => Value::truth(ordered() == Some(Equal)),
            Binary::NotEqual => Value::truth(ordered() != Some(Equal)),
            Binary::Greater => Value::truth(ordered() == Some(Greater)),
            Binary::GreaterEqual => Value::truth(matches!(ordered(), Some(Greater | Equal))),
        })
    }

    fn call(&mut self, at: usize, arguments: &[Expr], out: &mut Out) -> Ran<Value> {
        let script = self.script.clone();
        let Some(function) = script.functions.get(at) else { return Ok(Value::Unset) };
        if arguments.len() > function.parameters {
            return Err(Stop::Fatal(format!(
                "function {} called with {} args, accepts {}",
                function.name,
                arguments.len(),
                function.parameters
            )));
        }
        if self.calls >= CALLS_MAX {
            return Err(Stop::Fatal(format!("function {} calls too deep", function.name)));
        }
        let mut cells = Vec::new();
        for (argument, is_array) in arguments.iter().zip(&function.arrays) {
            cells.push(match argument {
                Expr::Get(Place::Var(var)) if *is_array => Cell::Array(self.array(*var)?),
                argument => Cell::Value(self.eval_with(argument, out)?),
            });
        }
        cells.resize(function.parameters, Cell::Value(Value::Unset));
        let (frame, top) = (self.frame, self.locals.len());
        let arrays = self.arrays.len();
        self.frame = top;
        self.locals.extend(cells);
        self.calls += 1;
        let ran = self.block(&function.body, out);
        self.calls -= 1;
        self.locals.truncate(top);
        self.frame = frame;
        self.forget_arrays(arrays);
        match ran {
            Ok(()) => Ok(Value::Unset),
            Err(Stop::Return(value)) => Ok(value),
            Err(stop) => Err(stop),
        }
    }

    /// Arrays that a function made for itself end with it, unless a global has come to hold one.
    fn forget_arrays(&mut self, from: usize) {
        let kept = |cell: &Cell| matches!(cell, Cell::Array(array) if *array >= from);
        if self.globals.iter().any(kept) || self.locals.iter().any(kept) {
            return;
        }
        let freed: usize =
            self.arrays.get(from..).unwrap_or_default().iter().map(BTreeMap::len).sum();
        self.arrays.truncate(from);
        self.elements = self.elements.saturating_sub(freed);
    }
}
