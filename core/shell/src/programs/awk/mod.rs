//! `awk`: patterns, and what is done with the lines that they fit. Functions of one's own,
//! `getline` and output elsewhere than to standard output are not there, and say so.

mod parse;

use super::regex;
use super::tool::{Filter, Next, Out};
use crate::Sys;
use parse::{Awk, Expr, Pattern, Stmt};
use std::collections::BTreeMap;

/// The functions that are there.
const FUNCTIONS: [&str; 16] = [
    "length", "substr", "index", "split", "sub", "gsub", "match", "sprintf", "tolower", "toupper",
    "int", "sqrt", "exp", "log", "rand", "srand",
];
/// Steps that one line may take, letters of a text, items of all arrays, and fields of a line.
const STEPS_MAX: u64 = 200_000;
const TEXT_MAX: usize = 1 << 20;
const ITEMS_MAX: usize = 50_000;
const FIELDS_MAX: usize = 10_000;

/// A value. What came from outside counts as a number where it looks like one.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Number(f64),
    Text(String),
    Outside(String),
}

/// `awk [-F separator] [-v name=value] program [file…]`
#[derive(Clone, Debug)]
pub struct AwkProgram {
    awk: Awk,
    state: State,
}

#[derive(Clone, Debug, Default)]
struct State {
    vars: BTreeMap<String, Value>,
    arrays: BTreeMap<String, BTreeMap<String, Value>>,
    line: String,
    fields: Vec<String>,
    /// Ranges that have begun, by the place of their rule.
    open: BTreeMap<usize, bool>,
    steps: u64,
    seed: u64,
    exit: Option<i32>,
}

/// Why the usual order is left.
enum Stop {
    Next,
    Break,
    Continue,
    Exit(i32),
    Failed(String),
}

type Done<T> = Result<T, Stop>;

impl Filter for AwkProgram {
    fn start(
        sys: &mut dyn Sys,
        args: &[String],
        out: &mut Out,
    ) -> Result<(Self, Vec<String>), i32> {
        let mut state = State { seed: sys.rng().next_u64(), ..State::default() };
        for (name, value) in [("FS", " "), ("OFS", " "), ("ORS", "\n"), ("SUBSEP", "\u{1c}")] {
            state.vars.insert(name.to_owned(), Value::Text(value.to_owned()));
        }
        for name in ["NR", "NF", "FNR"] {
            state.vars.insert(name.to_owned(), Value::Number(0.0));
        }
        let mut rest = args.iter();
        let mut program = None;
        let mut files = Vec::new();
        while let Some(arg) = rest.next() {
            let value = |letter: &str, rest: &mut std::slice::Iter<'_, String>| {
                let glued = arg.strip_prefix(letter).filter(|it| !it.is_empty()).map(str::to_owned);
                glued.or_else(|| rest.next().cloned()).unwrap_or_default()
            };
            match arg.as_str() {
                _ if program.is_some() => files.push(arg.clone()),
                it if it.starts_with("-F") => {
                    let separator = value("-F", &mut rest).replace("\\t", "\t");
                    let separator = if separator == "t" { "\t".to_owned() } else { separator };
                    state.vars.insert("FS".to_owned(), Value::Text(separator));
                }
                it if it.starts_with("-v") => {
                    let pair = value("-v", &mut rest);
                    let (name, value) = pair.split_once('=').unwrap_or((&pair, ""));
                    state.vars.insert(name.to_owned(), Value::Outside(value.to_owned()));
                }
                it if it.starts_with("-f") => {
                    let name = value("-f", &mut rest);
                    let path = sys.absolute(&name);
                    program = Some(sys.fs().read_text(&path).map_err(|errno| {
                        out.error(format!("awk: can't open file {name}: {errno}"));
                        2
                    })?);
                }
                "--" => {}
                _ => program = Some(arg.clone()),
            }
        }
        let Some(program) = program else {
            out.error("usage: awk [-F fs][-v var=value][prog | -f progfile][file ...]");
            return Err(2);
        };
        let awk = parse::parse(&program).map_err(|why| {
            out.error(format!("awk: {why}\n source line number 1"));
            2
        })?;
        let reads = !awk.rules.is_empty() || !awk.end.is_empty();
        let mut this = AwkProgram { awk, state };
        let begin = this.awk.begin.clone();
        let ended = this.state.all(&begin, out);
        this.note(ended, out);
        match this.state.exit {
            Some(code) => Err(code),
            None if !reads => Err(0),
            None => Ok((this, files)),
        }
    }

    fn open(&mut self, name: &str, _out: &mut Out) {
        let name = if name == "-" { "" } else { name };
        self.state.vars.insert("FILENAME".to_owned(), Value::Text(name.to_owned()));
        self.state.vars.insert("FNR".to_owned(), Value::Number(0.0));
    }

    fn line(&mut self, line: &[u8], _ended: bool, out: &mut Out) -> Next {
        self.state.steps = 0;
        self.state.take_line(&String::from_utf8_lossy(line));
        let rules = std::mem::take(&mut self.awk.rules);
        let mut ended = Ok(());
        for (place, (pattern, block)) in rules.iter().enumerate() {
            ended = self.state.rule(place, pattern, block.as_deref(), out);
            if ended.is_err() {
                break;
            }
        }
        self.awk.rules = rules;
        self.note(ended, out);
        if self.state.exit.is_some() { Next::End } else { Next::Line }
    }

    fn end(&mut self, _sys: &mut dyn Sys, code: i32, out: &mut Out) -> i32 {
        let failed = self.state.exit.is_some_and(|code| code == 2);
        if !failed {
            self.state.steps = 0;
            let end = self.awk.end.clone();
            let ended = self.state.all(&end, out);
            self.note(ended, out);
        }
        self.state.exit.unwrap_or(if code == 0 { 0 } else { 2 })
    }
}

impl AwkProgram {
    fn note(&mut self, ended: Done<()>, out: &mut Out) {
        match ended {
            Err(Stop::Exit(code)) => self.state.exit = Some(code),
            Err(Stop::Failed(why)) => {
                out.error(format!("awk: {why}"));
                self.state.exit = Some(2);
            }
            _ => {}
        }
    }
}

impl Value {
    fn number(&self) -> f64 {
        match self {
            Value::Number(number) => *number,
            Value::Text(text) | Value::Outside(text) => leading_number(text),
        }
    }

    fn text(&self) -> String {
        match self {
            Value::Number(number) => shown(*number),
            Value::Text(text) | Value::Outside(text) => text.clone(),
        }
    }

    /// As a number, if it is one or came from outside and looks like one.
    fn numeric(&self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(*number),
            Value::Outside(text) => text.trim().parse().ok().filter(|it: &f64| it.is_finite()),
            Value::Text(_) => None,
        }
    }

    fn truth(&self) -> bool {
        match (self.numeric(), self) {
            (Some(number), _) => number != 0.0,
            (None, other) => !other.text().is_empty(),
        }
    }
}

/// The number that a text begins with.
fn leading_number(text: &str) -> f64 {
    let text = text.trim_start();
    let mut end = 0;
    let mut seen = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            '+' | '-' if at == 0 => {}
            '.' if !seen.0 => seen.0 = true,
            c if c.is_ascii_digit() => seen.1 = true,
            _ => break,
        }
        end = at + c.len_utf8();
    }
    if !seen.1 {
        return 0.0;
    }
    text.get(..end).and_then(|digits| digits.parse().ok()).unwrap_or(0.0)
}

/// A number as it is printed: whole ones as they are, others with six digits.
fn shown(number: f64) -> String {
    if number == number.trunc() && number.abs() < 1e16 {
        return format!("{number:.0}").replace("-0", if number == 0.0 { "0" } else { "-0" });
    }
    if !number.is_finite() {
        return if number.is_nan() {
            "nan"
        } else if number > 0.0 {
            "inf"
        } else {
            "-inf"
        }
        .to_owned();
    }
    let exponent = number.abs().log10().floor() as i32;
    if !(-5..6).contains(&exponent) {
        let text = format!("{number:.5e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
        let exponent: i32 = exponent.parse().unwrap_or(0);
        return format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs());
    }
    let decimals = usize::try_from(5 - exponent).unwrap_or(0);
    let text = format!("{number:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

impl State {
    fn get(&self, name: &str) -> Value {
        self.vars.get(name).cloned().unwrap_or_else(|| Value::Outside(String::new()))
    }

    fn var(&self, name: &str) -> String {
        self.get(name).text()
    }

    fn take_line(&mut self, line: &str) {
        for name in ["NR", "FNR"] {
            let next = self.get(name).number() + 1.0;
            self.vars.insert(name.to_owned(), Value::Number(next));
        }
        self.set_line(line.to_owned());
    }

    fn set_line(&mut self, line: String) {
        self.fields = split(&line, &self.var("FS"));
        self.fields.truncate(FIELDS_MAX);
        self.line = line;
        self.vars.insert("NF".to_owned(), Value::Number(self.fields.len() as f64));
    }

    fn join_fields(&mut self) {
        self.line = self.fields.join(&self.var("OFS"));
        self.vars.insert("NF".to_owned(), Value::Number(self.fields.len() as f64));
    }

    fn step(&mut self) -> Done<()> {
        self.steps += 1;
        match self.steps > STEPS_MAX {
            true => {
                Err(Stop::Failed("the sandbox ends a program that goes on for so long".to_owned()))
            }
            false => Ok(()),
        }
    }

    fn rule(
        &mut self,
        place: usize,
        pattern: &Pattern,
        block: Option<&[Stmt]>,
        out: &mut Out,
    ) -> Done<()> {
        let applies = match pattern {
            Pattern::Always => true,
            Pattern::When(test) => self.value(test)?.truth(),
            Pattern::Range(first, last) => {
                let open = self.open.get(&place).copied().unwrap_or(false);
                let begins = open || self.value(first)?.truth();
                if begins {
                    let ends = self.value(last)?.truth();
                    self.open.insert(place, !ends);
                }
                begins
            }
        };
        match (applies, block) {
            (false, _) => Ok(()),
            (true, None) => {
                out.put(self.line.clone() + &self.var("ORS"));
                Ok(())
            }
            (true, Some(block)) => match self.all(block, out) {
                Err(Stop::Break | Stop::Continue) => Ok(()),
                other => other,
            },
        }
    }

    fn all(&mut self, statements: &[Stmt], out: &mut Out) -> Done<()> {
        statements.iter().try_for_each(|statement| self.run(statement, out))
    }

    fn run(&mut self, statement: &Stmt, out: &mut Out) -> Done<()> {
        self.step()?;
        match statement {
            Stmt::Expr(expr) => self.value(expr).map(drop),
            Stmt::Print(all) => {
                let mut texts = Vec::new();
                for expr in all {
                    texts.push(self.value(expr)?.text());
                }
                let text =
                    if texts.is_empty() { self.line.clone() } else { texts.join(&self.var("OFS")) };
                out.put(text + &self.var("ORS"));
                Ok(())
            }
            Stmt::Printf(all) => {
                let text = self.formatted(all)?;
                out.put(text);
                Ok(())
            }
            Stmt::If(test, yes, no) => {
                let branch = if self.value(test)?.truth() { yes } else { no };
                self.all(branch, out)
            }
            Stmt::Loop { first, test, step, body, once } => {
                if let Some(first) = first {
                    self.value(first)?;
                }
                let mut skips = *once;
                loop {
                    self.step()?;
                    if let Some(test) = test.as_ref().filter(|_| !std::mem::take(&mut skips))
                        && !self.value(test)?.truth()
                    {
                        return Ok(());
                    }
                    match self.all(body, out) {
                        Err(Stop::Break) => return Ok(()),
                        Err(Stop::Continue) | Ok(()) => {}
                        other => return other,
                    }
                    if let Some(step) = step {
                        self.value(step)?;
                    }
                }
            }
            Stmt::Each { name, array, body } => {
                let keys: Vec<String> =
                    self.arrays.get(array).into_iter().flat_map(|it| it.keys().cloned()).collect();
                for key in keys {
                    self.step()?;
                    self.vars.insert(name.clone(), Value::Outside(key));
                    match self.all(body, out) {
                        Err(Stop::Break) => return Ok(()),
                        Err(Stop::Continue) | Ok(()) => {}
                        other => return other,
                    }
                }
                Ok(())
            }
            Stmt::Delete(name, key) => {
                match key {
                    None => drop(self.arrays.remove(name)),
                    Some(key) => {
                        let key = self.value(key)?.text();
                        if let Some(array) = self.arrays.get_mut(name) {
                            array.remove(&key);
                        }
                    }
                }
                Ok(())
            }
            Stmt::Next => Err(Stop::Next),
            Stmt::Break => Err(Stop::Break),
            Stmt::Continue => Err(Stop::Continue),
            Stmt::Exit(code) => {
                let code = match code {
                    Some(code) => self.value(code)?.number() as i32,
                    None => self.exit.unwrap_or(0),
                };
                Err(Stop::Exit(code))
            }
        }
    }

    fn value(&mut self, expr: &Expr) -> Done<Value> {
        self.step()?;
        Ok(match expr {
            Expr::Number(number) => Value::Number(*number),
            Expr::Text(text) => Value::Text(text.clone()),
            Expr::Regex(text) => {
                let found = compiled(text)?.is_match(&self.line);
                Value::Number(f64::from(found))
            }
            Expr::Var(name) => self.get(name),
            Expr::Item(name, key) => {
                let key = self.value(key)?.text();
                let item = self.arrays.get(name).and_then(|array| array.get(&key));
                item.cloned().unwrap_or_else(|| Value::Outside(String::new()))
            }
            Expr::Field(number) => {
                let number = self.value(number)?.number();
                self.field(number)?
            }
            Expr::Assign(place, with, value) => {
                let right = self.value(value)?;
                let right = match with {
                    None => right,
                    Some(op) => {
                        let left = self.value(place)?.number();
                        Value::Number(arithmetic(op, left, right.number())?)
                    }
                };
                self.store(place, right.clone())?;
                right
            }
            Expr::Step(place, by, before) => {
                let old = self.value(place)?.number();
                self.store(place, Value::Number(old + by))?;
                Value::Number(if *before { old } else { old + by })
            }
            Expr::Unary(sign, inner) => {
                let inner = self.value(inner)?;
                Value::Number(match sign {
                    '!' => f64::from(!inner.truth()),
                    '-' => -inner.number(),
                    _ => inner.number(),
                })
            }
            Expr::Binary(op, left, right) => self.binary(op, left, right)?,
            Expr::Match(not, left, right) => {
                let left = self.value(left)?.text();
                let pattern = self.pattern(right)?;
                let found = compiled(&pattern)?.is_match(&left);
                Value::Number(f64::from(found != *not))
            }
            Expr::In(key, array) => {
                let key = self.value(key)?.text();
                let found = self.arrays.get(array).is_some_and(|array| array.contains_key(&key));
                Value::Number(f64::from(found))
            }
            Expr::If(test, yes, no) => {
                let branch = if self.value(test)?.truth() { yes } else { no };
                self.value(branch)?
            }
            Expr::Call(name, args) => self.call(name, args)?,
        })
    }

    fn binary(&mut self, op: &str, left: &Expr, right: &Expr) -> Done<Value> {
        let first = self.value(left)?;
        match op {
            "&&" => {
                let both = first.truth() && self.value(right)?.truth();
                return Ok(Value::Number(f64::from(both)));
            }
            "||" => {
                let any = first.truth() || self.value(right)?.truth();
                return Ok(Value::Number(f64::from(any)));
            }
            _ => {}
        }
        let second = self.value(right)?;
        if op == " " {
            let text = first.text() + &second.text();
            if text.len() > TEXT_MAX {
                return Err(Stop::Failed("a text is too long".to_owned()));
            }
            return Ok(Value::Text(text));
        }
        let order = match (first.numeric(), second.numeric()) {
            (Some(a), Some(b)) => a.partial_cmp(&b),
            _ => Some(first.text().cmp(&second.text())),
        };
        let holds = |wanted: fn(std::cmp::Ordering) -> bool| {
            Ok(Value::Number(f64::from(order.is_some_and(wanted))))
        };
        match op {
            "<" => holds(std::cmp::Ordering::is_lt),
            ">" => holds(std::cmp::Ordering::is_gt),
            "<=" => holds(std::cmp::Ordering::is_le),
            ">=" => holds(std::cmp::Ordering::is_ge),
            "==" => holds(std::cmp::Ordering::is_eq),
            "!=" => holds(std::cmp::Ordering::is_ne),
            op => Ok(Value::Number(arithmetic(op, first.number(), second.number())?)),
        }
    }

    fn field(&self, number: f64) -> Done<Value> {
        if number < 0.0 {
            return Err(Stop::Failed(format!("trying to access out of range field {number}")));
        }
        let text = match number as usize {
            0 => self.line.clone(),
            number => self.fields.get(number - 1).cloned().unwrap_or_default(),
        };
        Ok(Value::Outside(text))
    }

    fn store(&mut self, place: &Expr, value: Value) -> Done<()> {
        match place {
            Expr::Var(name) => {
                let count = value.number();
                self.vars.insert(name.clone(), value);
                if name == "NF" {
                    self.fields.resize((count.max(0.0) as usize).min(FIELDS_MAX), String::new());
                    self.join_fields();
                }
            }
            Expr::Item(name, key) => {
                let key = self.value(key)?.text();
                let items: usize = self.arrays.values().map(BTreeMap::len).sum();
                if items >= ITEMS_MAX {
                    return Err(Stop::Failed("the arrays are too large".to_owned()));
                }
                self.arrays.entry(name.clone()).or_default().insert(key, value);
            }
            Expr::Field(number) => match self.value(number)?.number() {
                number if number < 0.0 || number as usize > FIELDS_MAX => {
                    return Err(Stop::Failed(format!(
                        "trying to access out of range field {number}"
                    )));
                }
                0.0 => self.set_line(value.text()),
                number => {
                    let place = number as usize;
                    if self.fields.len() < place {
                        self.fields.resize(place, String::new());
                    }
                    if let Some(field) = self.fields.get_mut(place - 1) {
                        *field = value.text();
                    }
                    self.join_fields();
                }
            },
            _ => return Err(Stop::Failed("assignment to what is no variable".to_owned())),
        }
        Ok(())
    }

    /// The text of an expression that matches.
    fn pattern(&mut self, expr: &Expr) -> Done<String> {
        match expr {
            Expr::Regex(text) => Ok(text.clone()),
            other => self.value(other).map(|value| value.text()),
        }
    }

    fn formatted(&mut self, all: &[Expr]) -> Done<String> {
        let Some((format, args)) = all.split_first() else { return Ok(String::new()) };
        let format = self.value(format)?.text();
        let mut values = Vec::new();
        for arg in args {
            values.push(self.value(arg)?);
        }
        Ok(format_values(&format, &values))
    }

    fn call(&mut self, name: &str, args: &[Expr]) -> Done<Value> {
        if name == "split" {
            return self.split_into(args);
        }
        if name == "sub" || name == "gsub" {
            return self.substitute(name == "gsub", args);
        }
        if let ("length", [Expr::Var(array)]) = (name, args)
            && let Some(array) = self.arrays.get(array)
        {
            return Ok(Value::Number(array.len() as f64));
        }
        if name == "sprintf" {
            return self.formatted(args).map(Value::Text);
        }
        if name == "match" {
            let [text, pattern] = args else { return Err(few(name)) };
            let text = self.value(text)?.text();
            let pattern = self.pattern(pattern)?;
            let found = compiled(&pattern)?
                .find(&text)
                .map(|found| (found.start(), found.as_str().to_owned()));
            let (start, length) = match found {
                Some((at, found)) => {
                    let before = text.get(..at).unwrap_or_default().chars().count();
                    (before as f64 + 1.0, found.chars().count() as f64)
                }
                None => (0.0, -1.0),
            };
            self.vars.insert("RSTART".to_owned(), Value::Number(start));
            self.vars.insert("RLENGTH".to_owned(), Value::Number(length));
            return Ok(Value::Number(start));
        }
        let mut values = Vec::new();
        for arg in args {
            values.push(self.value(arg)?);
        }
        let first = values.first().cloned();
        let text = || first.clone().map(|value| value.text());
        let number = || first.clone().map_or(0.0, |value| value.number());
        Ok(match name {
            "length" => {
                Value::Number(text().unwrap_or_else(|| self.line.clone()).chars().count() as f64)
            }
            "tolower" => Value::Text(text().unwrap_or_default().to_lowercase()),
            "toupper" => Value::Text(text().unwrap_or_default().to_uppercase()),
            "int" => Value::Number(number().trunc()),
            "sqrt" => Value::Number(number().sqrt()),
            "exp" => Value::Number(number().exp()),
            "log" => Value::Number(number().ln()),
            "srand" => Value::Number(0.0),
            "rand" => {
                self.seed = self
                    .seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                Value::Number((self.seed >> 11) as f64 / (1_u64 << 53) as f64)
            }
            "index" => {
                let (text, wanted) = (text().unwrap_or_default(), values.get(1).map(Value::text));
                let at = text.find(&wanted.unwrap_or_default());
                let at = at.map(|at| text.get(..at).unwrap_or_default().chars().count() + 1);
                Value::Number(at.unwrap_or(0) as f64)
            }
            "substr" => {
                let text: Vec<char> = text().unwrap_or_default().chars().collect();
                let from = values.get(1).map_or(1.0, Value::number).round();
                let count = values.get(2).map_or(f64::MAX, Value::number).round();
                let begin = (from - 1.0).max(0.0);
                let end = (from - 1.0 + count).min(text.len() as f64);
                let taken = text.iter().skip(begin as usize).take((end - begin).max(0.0) as usize);
                Value::Text(taken.collect())
            }
            _ => return Err(few(name)),
        })
    }

    fn split_into(&mut self, args: &[Expr]) -> Done<Value> {
        let [text, Expr::Var(array), rest @ ..] = args else { return Err(few("split")) };
        let text = self.value(text)?.text();
        let separator = match rest.first() {
            Some(separator) => self.pattern(separator)?,
            None => self.var("FS"),
        };
        let parts = split(&text, &separator);
        let count = parts.len();
        let items = parts.into_iter().take(ITEMS_MAX).enumerate();
        let items = items.map(|(at, part)| ((at + 1).to_string(), Value::Outside(part)));
        self.arrays.insert(array.clone(), items.collect());
        Ok(Value::Number(count as f64))
    }

    fn substitute(&mut self, all: bool, args: &[Expr]) -> Done<Value> {
        let line = Expr::Field(Box::new(Expr::Number(0.0)));
        let (pattern, with, place) = match args {
            [pattern, with] => (pattern, with, &line),
            [pattern, with, place] => (pattern, with, place),
            _ => return Err(few("sub")),
        };
        let pattern = compiled(&self.pattern(pattern)?)?;
        let with = self.value(with)?.text();
        let text = self.value(place)?.text();
        let mut count = 0;
        let put = |found: &regex_lite::Captures<'_>| {
            count += 1;
            let whole = found.get(0).map_or("", |it| it.as_str());
            with.replace("\\&", "\u{0}").replace('&', whole).replace('\u{0}', "&")
        };
        let changed = match all {
            true => pattern.replace_all(&text, put).into_owned(),
            false => pattern.replace(&text, put).into_owned(),
        };
        if changed.len() > TEXT_MAX {
            return Err(Stop::Failed("a text is too long".to_owned()));
        }
        if count > 0 {
            self.store(place, Value::Outside(changed))?;
        }
        Ok(Value::Number(f64::from(count)))
    }
}

fn few(name: &str) -> Stop {
    Stop::Failed(format!("not the arguments that {name} takes"))
}

fn compiled(text: &str) -> Done<regex_lite::Regex> {
    regex::compile(text, true, false).map_err(Stop::Failed)
}

fn arithmetic(op: &str, a: f64, b: f64) -> Done<f64> {
    Ok(match op {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" | "%" if b == 0.0 => return Err(Stop::Failed("division by zero".to_owned())),
        "/" => a / b,
        "%" => a % b,
        _ => a.powf(b),
    })
}

/// The fields of a line: between blanks, or between what a letter or an expression fits.
fn split(text: &str, separator: &str) -> Vec<String> {
    let own = |part: &str| part.to_owned();
    match separator {
        " " => text.split_whitespace().map(own).collect(),
        _ if text.is_empty() => Vec::new(),
        "" => text.chars().map(|c| c.to_string()).collect(),
        "\\|" => text.split('|').map(own).collect(),
        one if one.chars().count() == 1 => text.split(one).map(own).collect(),
        pattern => match regex::compile(pattern, true, false) {
            Ok(pattern) => pattern.split(text).map(own).collect(),
            Err(_) => vec![text.to_owned()],
        },
    }
}

/// `printf`: each conversion takes the next value.
fn format_values(format: &str, values: &[Value]) -> String {
    let mut values = values.iter();
    let mut out = String::new();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut spec = String::from("%");
        while let Some(c) =
            chars.peek().copied().filter(|c| c.is_ascii_digit() || "-+ #0.*".contains(*c))
        {
            chars.next();
            match c {
                '*' => spec.push_str(&shown(values.next().map_or(0.0, Value::number))),
                c => spec.push(c),
            }
        }
        let Some(kind) = chars.next() else {
            out.push_str(&spec);
            break;
        };
        let argument = match kind {
            '%' => {
                out.push('%');
                continue;
            }
            'd' | 'i' | 'o' | 'x' | 'X' | 'u' => {
                format!("{:.0}", values.next().map_or(0.0, Value::number).trunc())
            }
            'c' => match values.next() {
                Some(Value::Number(code)) => {
                    char::from_u32(*code as u32).map(String::from).unwrap_or_default()
                }
                value => value.map(|it| it.text().chars().take(1).collect()).unwrap_or_default(),
            },
            'f' | 'e' | 'g' | 'E' | 'G' | 'F' => {
                values.next().map_or(0.0, Value::number).to_string()
            }
            _ => values.next().map(Value::text).unwrap_or_default(),
        };
        spec.push(if kind == 'c' { 's' } else { kind });
        let printed = super::printf::format(&[spec, argument]);
        out.push_str(&String::from_utf8_lossy(&printed.bytes));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a program prints for these lines, and its exit code.
    fn run(program: &str, lines: &[&str]) -> String {
        let awk = parse::parse(program).unwrap();
        let mut state = State::default();
        for (name, value) in [("FS", " "), ("OFS", " "), ("ORS", "\n")] {
            state.vars.insert(name.to_owned(), Value::Text(value.to_owned()));
        }
        let mut out = Out::default();
        let begin = awk.begin.clone();
        let mut this = AwkProgram { awk, state };
        let ended = this.state.all(&begin, &mut out);
        this.note(ended, &mut out);
        for line in lines {
            if this.line(line.as_bytes(), true, &mut out) == Next::End {
                break;
            }
        }
        let end = this.awk.end.clone();
        let ended = this.state.all(&end, &mut out);
        this.note(ended, &mut out);
        String::from_utf8(out.printed()).unwrap()
    }

    #[test]
    fn programs_do_what_they_say() {
        let pods = ["NAME READY STATUS", "web-1 1/1 Running", "web-2 0/1 Pending"];
        let table: [(&str, &[&str], &str); 16] = [
            ("{print $1}", &pods, "NAME\nweb-1\nweb-2\n"),
            ("NR>1 {print $1, $3}", &pods, "web-1 Running\nweb-2 Pending\n"),
            ("/Running/", &pods, "web-1 1/1 Running\n"),
            ("$3 == \"Pending\" { print $1 \":\" $2 }", &pods, "web-2:0/1\n"),
            ("END {print NR}", &pods, "3\n"),
            ("{print $NF}", &pods, "STATUS\nRunning\nPending\n"),
            ("{print $(NF-1)}", &["a b c"], "b\n"),
            ("{s += $2} END {print s, s/NR}", &["a 1", "b 2", "c 4"], "7 2.33333\n"),
            ("BEGIN {for (i = 0; i < 3; i++) printf \"%d-\", i; print \"\"}", &[], "0-1-2-\n"),
            ("{n[$1]++} END {for (k in n) print k, n[k]}", &["a", "b", "a"], "a 2\nb 1\n"),
            ("{gsub(/o/, \"0\"); print toupper(substr($0, 2))}", &["foo"], "00\n"),
            ("BEGIN {FS=\":\"} {print $2}", &["a:b:c"], "b\n"),
            ("{printf \"%-6s|%5.1f|%x\\n\", $1, $2, 255}", &["ab 3.14159"], "ab    |  3.1|ff\n"),
            ("/b/,/c/ {print}", &["a", "b", "x", "c", "d"], "b\nx\nc\n"),
            (
                "{ if ($1 > 5) print \"big\"; else print \"small\" }",
                &["10", "9", "1"],
                "big\nbig\nsmall\n",
            ),
            ("{$2 = \"x\"; print; next; print \"never\"}", &["a b c"], "a x c\n"),
        ];
        for (program, lines, expected) in table {
            assert_eq!(run(program, lines), expected, "{program}");
        }
    }

    #[test]
    fn nothing_is_endless() {
        assert!(run("BEGIN {while (1) x++}", &[]).contains("goes on for so long"));
        assert!(parse::parse(&"(".repeat(1_000)).is_err());
        assert_eq!(parse::parse("{print $1").unwrap_err(), "syntax error near end of program");
        assert!(parse::parse("{print > \"f\"}").unwrap_err().contains("standard output only"));
    }

    #[test]
    fn numbers() {
        let table = [
            (3.0, "3"),
            (0.1, "0.1"),
            (1e6 / 3.0, "333333"),
            (1e20, "100000000000000000000"),
            (-2.5, "-2.5"),
        ];
        for (number, text) in table {
            let expected = if number == 1e20 { "1e+20" } else { text };
            assert_eq!(shown(number), expected);
        }
        assert_eq!(
            [leading_number("12abc"), leading_number("x"), leading_number("-3.5 z")],
            [12.0, 0.0, -3.5]
        );
    }
}
