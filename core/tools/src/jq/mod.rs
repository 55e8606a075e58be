//! `jq`, by the `jaq` crates: what it prints and how it ends are jq's, its language is jaq's.

mod bounds;
mod print;
mod words;

use crate::batch::{Batch, Output, Work};
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Native, RcIter};
use jaq_json::Val;
use naru_shell::{Program, Sys};
use print::Style;
use serde_json::{Value, json};

/// Bytes that one call prints at most.
const OUTPUT_BYTES_MAX: usize = 8 << 20;

/// Native filters that a simulation must not have: they ask the real machine, or end it.
const OUTSIDE: [&str; 6] = ["now", "localtime", "strflocaltime", "env", "halt", "halt_error"];

/// The program.
pub fn program() -> Box<dyn Program> {
    Box::new(Batch::new(Work::at_once(reads, run)))
}

/// What the command line says.
#[derive(Clone, Debug)]
struct Call {
    filter: Option<String>,
    files: Vec<String>,
    /// Names with values, for `--arg` and its kin.
    vars: Vec<(String, Value)>,
    /// What stands after `--args` or `--jsonargs`.
    positional: Vec<Value>,
    style: Style,
    raw: bool,
    join: bool,
    null_input: bool,
    raw_input: bool,
    slurp: bool,
    exit_status: bool,
    /// What is printed instead of all else.
    says: Option<String>,
}

/// Whether standard input is read.
fn reads(args: &[String]) -> bool {
    let call = parse(args, &mut |_| None);
    call.is_ok_and(|call| {
        let filter = call.filter.as_deref().unwrap_or_default();
        // What nobody asks for is not waited for.
        let wanted = !call.null_input || filter.contains("input");
        call.files.is_empty() && call.filter.is_some() && call.says.is_none() && wanted
    })
}

const USAGE: &str = "Usage:\tjq [OPTIONS] FILTER [FILES...]\n\
                     \tjq [OPTIONS] --args FILTER [ARGUMENTS...]\n\
                     \tjq [OPTIONS] --jsonargs FILTER [JSON_VALUES...]\n";

fn fails(code: i32, text: impl Into<String>) -> Output {
    let mut output = Output::exit(code);
    output.error(text.into());
    output
}

/// Reads a file for `--slurpfile`, `--rawfile` and `-f`.
type Read<'a> = dyn FnMut(&str) -> Option<String> + 'a;

fn parse(args: &[String], read: &mut Read<'_>) -> Result<Call, Output> {
    let style = Style { indent: Some("  ".to_owned()), sorted: false, ascii: false };
    let mut call = Call {
        filter: None,
        files: Vec::new(),
        vars: Vec::new(),
        positional: Vec::new(),
        style,
        raw: false,
        join: false,
        null_input: false,
        raw_input: false,
        slurp: false,
        exit_status: false,
        says: None,
    };
    // What words are: 0 files, 1 strings, 2 JSON.
    let (mut words, mut from_file, mut plain) = (0, false, false);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if plain || !arg.starts_with('-') || arg == "-" {
            call.word(arg, words, from_file, read)?;
        } else if arg == "--" {
            plain = true;
        } else if let Some(long) = arg.strip_prefix("--") {
            match long {
                "args" => words = 1,
                "jsonargs" => words = 2,
                "from-file" => from_file = true,
                long => call.long(long, &mut args, read)?,
            }
        } else {
            for letter in arg.chars().skip(1) {
                match letter {
                    'f' => from_file = true,
                    letter => call.short(letter, arg)?,
                }
            }
        }
    }
    Ok(call)
}

impl Call {
    fn word(
        &mut self,
        arg: &str,
        words: u8,
        from_file: bool,
        read: &mut Read<'_>,
    ) -> Result<(), Output> {
        if self.filter.is_none() {
            let text = match from_file {
                true => {
                    read(arg).ok_or_else(|| fails(2, format!("jq: error: Could not open {arg}")))?
                }
                false => arg.to_owned(),
            };
            self.filter = Some(text);
            return Ok(());
        }
        match words {
            0 => self.files.push(arg.to_owned()),
            1 => self.positional.push(json!(arg)),
            _ => self.positional.push(serde_json::from_str(arg).map_err(|_| {
                fails(2, format!("jq: Invalid JSON text passed to --jsonargs\n{HELP}"))
            })?),
        }
        Ok(())
    }

    fn short(&mut self, letter: char, arg: &str) -> Result<(), Output> {
        match letter {
            'r' => self.raw = true,
            'j' => (self.raw, self.join) = (true, true),
            'c' => self.style.indent = None,
            's' => self.slurp = true,
            'n' => self.null_input = true,
            'e' => self.exit_status = true,
            'S' => self.style.sorted = true,
            'a' => self.style.ascii = true,
            'R' => self.raw_input = true,
            // Colours are for terminals that were asked for them.
            'C' | 'M' => {}
            'h' => self.says = Some(USAGE.to_owned()),
            'V' => self.says = Some("jq-1.6\n".to_owned()),
            _ => return Err(fails(2, format!("jq: Unknown option {arg}\n{HELP}"))),
        }
        Ok(())
    }

    fn long(
        &mut self,
        name: &str,
        args: &mut std::slice::Iter<'_, String>,
        read: &mut Read<'_>,
    ) -> Result<(), Output> {
        let letter = match name {
            "raw-output" => 'r',
            "join-output" => 'j',
            "compact-output" => 'c',
            "slurp" => 's',
            "null-input" => 'n',
            "exit-status" => 'e',
            "sort-keys" => 'S',
            "ascii-output" => 'a',
            "raw-input" => 'R',
            "color-output" => 'C',
            "monochrome-output" => 'M',
            "help" => 'h',
            "version" => 'V',
            "tab" => {
                self.style.indent = Some("\t".to_owned());
                return Ok(());
            }
            "indent" => {
                let count = args.next().and_then(|text| text.parse::<usize>().ok());
                let count = count
                    .filter(|count| *count <= 7)
                    .ok_or_else(|| fails(2, "jq: Cannot indent more than 7 characters"))?;
                self.style.indent = (count > 0).then(|| " ".repeat(count));
                return Ok(());
            }
            "arg" | "argjson" | "slurpfile" | "rawfile" => {
                let (Some(key), Some(text)) = (args.next(), args.next()) else {
                    let what = if name.ends_with("file") { "filename" } else { "text" };
                    let line = format!(
                        "jq: --{name} takes two parameters (e.g. --{name} varname {what})\n{HELP}"
                    );
                    return Err(fails(2, line));
                };
                self.vars.push((key.clone(), variable(name, key, text, read)?));
                return Ok(());
            }
            _ => return Err(fails(2, format!("jq: Unknown option --{name}\n{HELP}"))),
        };
        self.short(letter, name)
    }
}

const HELP: &str = "Use jq --help for help with command-line options,\nor see the jq manpage, or \
                    online docs  at https://stedolan.github.io/jq";

fn variable(option: &str, key: &str, text: &str, read: &mut Read<'_>) -> Result<Value, Output> {
    let mut file = || {
        let bad = format!("jq: Bad JSON in --{option} {key} {text}: Could not open {text}");
        read(text).ok_or_else(|| fails(2, bad))
    };
    match option {
        "arg" => Ok(json!(text)),
        "argjson" => serde_json::from_str(text)
            .map_err(|_| fails(2, format!("jq: Invalid JSON text passed to --argjson\n{HELP}"))),
        "rawfile" => Ok(json!(file()?)),
        _ => Ok(Value::Array(documents(&file()?).0)),
    }
}

/// JSON values one after another, and why reading ended where it did not end well.
fn documents(text: &str) -> (Vec<Value>, Option<String>) {
    let mut all = Vec::new();
    for read in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        match read {
            Ok(value) => all.push(value),
            Err(error) if error.is_eof() => {
                let line = text.lines().count() + usize::from(text.ends_with('\n'));
                let column = text.rsplit('\n').next().map_or(0, str::len);
                return (
                    all,
                    Some(format!("Unfinished JSON term at EOF at line {line}, column {column}")),
                );
            }
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                return (
                    all,
                    Some(format!("Invalid numeric literal at line {line}, column {column}")),
                );
            }
        }
    }
    (all, None)
}

fn run(sys: &mut dyn Sys, args: &[String], stdin: &[u8]) -> Output {
    let mut read = |path: &str| {
        let path = sys.absolute(path);
        sys.fs().read_text(&path).ok()
    };
    let call = match parse(args, &mut read) {
        Ok(call) => call,
        Err(output) => return output,
    };
    if let Some(text) = &call.says {
        let mut output = Output::default();
        output.put(text);
        return output;
    }
    let Some(filter) = call.filter.clone() else {
        let mut output = Output::exit(2);
        output.put_error(USAGE);
        return output;
    };
    let mut output = Output::default();
    let (text, place) = input(sys, &call, stdin, &mut output);
    let now = sys.now().unix_micros() as f64 / 1e6;
    let env = sys.env().iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    work(&call, &filter, &Around { text, place, env, now }, output)
}

/// The text of all files, and how errors call it.
fn input(sys: &mut dyn Sys, call: &Call, stdin: &[u8], output: &mut Output) -> (String, String) {
    if call.files.is_empty() {
        return (String::from_utf8_lossy(stdin).into_owned(), "<stdin>".to_owned());
    }
    let mut text = String::new();
    for file in &call.files {
        let path = sys.absolute(file);
        match sys.fs().read(&path) {
            Ok(bytes) => text.push_str(&String::from_utf8_lossy(&bytes)),
            Err(errno) => {
                output.error(format!("jq: error: Could not open file {file}: {errno}"));
                output.code = 2;
            }
        }
    }
    let place = call.files.last().cloned().unwrap_or_default();
    (text, place)
}

/// The values that the filter is given, one after another.
fn values(call: &Call, text: &str) -> (Vec<Value>, Option<String>) {
    if call.raw_input {
        let lines: Vec<Value> = text.lines().map(|line| json!(line)).collect();
        return if call.slurp { (vec![json!(text)], None) } else { (lines, None) };
    }
    let (all, broken) = documents(text);
    if call.slurp && broken.is_none() { (vec![Value::Array(all)], None) } else { (all, broken) }
}

/// Numbers without a fraction as whole ones: jq knows only one sort of number.
fn whole(value: Val) -> Val {
    match value {
        Val::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
            Val::Int(number as isize)
        }
        Val::Arr(items) => items.iter().cloned().map(whole).collect(),
        Val::Obj(fields) => {
            let fields = fields.iter().map(|(key, value)| (key.clone(), whole(value.clone())));
            Val::obj(fields.collect())
        }
        other => other,
    }
}

fn compile_error(filter: &str, why: &str) -> Output {
    fails(3, format!("jq: error: {why} at <top-level>, line 1:\n{filter}\njq: 1 compile error"))
}

/// What a run is given besides its filter.
struct Around {
    text: String,
    /// How errors call where values come from.
    place: String,
    env: serde_json::Map<String, Value>,
    /// Seconds of the Unix epoch.
    now: f64,
}

fn work(call: &Call, filter: &str, around: &Around, mut output: Output) -> Output {
    if let Some(name) = bounds::recursive(filter) {
        let why = format!("{name} calls itself, which is not run in this sandbox");
        return compile_error(filter, &why);
    }
    let named: serde_json::Map<String, Value> = call.vars.iter().cloned().collect();
    let arguments = json!({"named": named, "positional": call.positional});
    let mut names = vec!["$ENV".to_owned(), "$__prog_args".to_owned(), "$ARGS".to_owned()];
    let mut vars = vec![Value::Object(around.env.clone()), Value::Null, arguments];
    for (name, value) in &call.vars {
        names.push(format!("${name}"));
        vars.push(value.clone());
    }
    let arena = Arena::default();
    let code = format!(
        "def env: $ENV; def now: {}; def localtime: gmtime; def strflocaltime(f): strftime(f); {filter}",
        around.now
    );
    let compiled = match compile(&arena, &code, &names) {
        Ok(compiled) => compiled,
        Err(why) => return compile_error(filter, &why),
    };
    bounds::refuel();
    let (all, broken) = values(call, &around.text);
    let count = all.len();
    let inputs = RcIter::new(all.into_iter().map(|value| Ok(whole(Val::from(value)))));
    let mut last = None;
    let mut printed = 0;
    let next = || if call.null_input { None } else { (&inputs).next() };
    let mut current = if call.null_input { Some(Ok(Val::Null)) } else { next() };
    while let Some(Ok(value)) = current {
        let vars: Vec<Val> = vars.iter().cloned().map(Val::from).collect();
        for result in compiled.run((Ctx::new(vars, &inputs), value)) {
            match result {
                Ok(value) => {
                    printed += print(&value, call, &mut output);
                    last = Some(value);
                }
                Err(error) => {
                    if let Some(output) = halted(&error, &output) {
                        return output;
                    }
                    output.error(error_line(&error, &around.place, count, filter));
                    output.code = 5;
                    break;
                }
            }
            if printed > OUTPUT_BYTES_MAX {
                output.error("jq: error: more output than this sandbox allows");
                output.code = 5;
                return output;
            }
        }
        current = next();
    }
    if let Some(why) = broken.filter(|_| !call.null_input) {
        output.error(format!("parse error: {why}"));
        output.code = 2;
    } else if call.exit_status && output.code == 0 {
        output.code = match last {
            None => 4,
            Some(Val::Null | Val::Bool(false)) => 1,
            Some(_) => 0,
        };
    }
    output
}

/// What was printed and how it ends, where the filter said `halt`.
fn halted(error: &jaq_core::Error<Val>, output: &Output) -> Option<Output> {
    let Val::Str(text) = error.clone().into_val() else { return None };
    let (code, text) = text.strip_prefix(bounds::HALT)?.split_once(' ')?;
    let mut output = output.clone();
    output.put_error(text);
    output.code = code.parse().unwrap_or(5);
    Some(output)
}

fn error_line(error: &jaq_core::Error<Val>, place: &str, count: usize, filter: &str) -> String {
    match error.clone().into_val() {
        Val::Str(text) => {
            format!("jq: error (at {place}:{count}): {}", words::of_error(&text, filter))
        }
        value => {
            let style = Style { indent: None, sorted: false, ascii: false };
            let value = print::show(&value, &style);
            format!("jq: error (at {place}:{count}) (not a string): {value}")
        }
    }
}

/// Prints a value; gives the bytes.
fn print(value: &Val, call: &Call, output: &mut Output) -> usize {
    let mut text = match value {
        Val::Str(text) if call.raw => text.to_string(),
        value => print::show(value, &call.style),
    };
    if !call.join {
        text.push('\n');
    }
    output.put(&text);
    text.len()
}

/// Makes a filter of a text; the error is jq's.
fn compile(
    arena: &Arena,
    filter: &str,
    names: &[String],
) -> Result<jaq_core::Filter<Native<Val>>, String> {
    let own = jaq_core::load::parse(bounds::DEFINITIONS, |p| p.defs()).unwrap_or_default();
    let prelude = jaq_std::defs().chain(jaq_json::defs()).chain(own);
    let modules = Loader::new(prelude).load(arena, File { code: filter, path: () });
    let modules = modules.map_err(|errors| syntax_error(filter, errors))?;
    let natives = jaq_std::funs()
        .chain(jaq_json::funs())
        .filter(|(name, _, _)| !OUTSIDE.contains(name))
        .chain([bounds::step()])
        .chain(bounds::halts());
    Compiler::default()
        .with_funs(natives)
        .with_global_vars(names.iter().map(String::as_str))
        .compile(modules)
        .map_err(|errors| {
            let first = errors.into_iter().flat_map(|(_, errors)| errors).next();
            match first {
                Some((name, jaq_core::compile::Undefined::Filter(arity))) => {
                    format!("{name}/{arity} is not defined")
                }
                Some((name, _)) => format!("{name} is not defined"),
                None => "syntax error".to_owned(),
            }
        })
}

/// What stands where it should not, as jq's parser names it.
fn syntax_error(code: &str, errors: jaq_core::load::Errors<&str, ()>) -> String {
    use jaq_core::load::Error;
    let found = errors.into_iter().find_map(|(_, error)| match error {
        Error::Lex(errors) => errors.into_iter().next().map(|(_, found)| found),
        Error::Parse(errors) => errors.into_iter().next().map(|(_, found)| found),
        Error::Io(_) => None,
    });
    let token = match found.and_then(|found| found.trim_start().chars().next()) {
        None => "$end".to_owned(),
        Some(c) if c.is_alphabetic() || c == '_' => "IDENT".to_owned(),
        Some(c) if c.is_ascii_digit() => "LITERAL".to_owned(),
        Some('"') => "QQSTRING_START".to_owned(),
        Some('.') => "FIELD".to_owned(),
        Some(c) if "()[]{}:;|,?=<>+-*/%$".contains(c) && code.len() > 1 => format!("'{c}'"),
        Some(_) => "INVALID_CHARACTER".to_owned(),
    };
    format!("syntax error, unexpected {token} (Unix shell quoting issues?)")
}
