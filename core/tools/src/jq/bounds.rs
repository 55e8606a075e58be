//! What keeps a jq program from going on for ever: filters that make values without end take a
//! step of the run's fuel for each, and definitions that call themselves are refused.

use jaq_core::box_iter::box_once;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{Def, Pattern, Term};
use jaq_core::path::Part;
use jaq_core::{Error, Exn, Native};
use jaq_json::Val;
use std::cell::Cell;

/// Values that one run may make by `range`, `repeat`, `recurse`, `while`, `until` and their kin.
const STEPS_MAX: u64 = 2_000_000;

/// What a run that has no fuel left says.
pub const EXHAUSTED: &str = "more steps than this sandbox allows";

thread_local! {
    /// The fuel of the run that goes on: jaq's native filters can hold nothing of their own. It is
    /// filled before each run, so that no run knows of another.
    static FUEL: Cell<u64> = const { Cell::new(0) };
}

/// Fills the fuel for a run.
pub fn refuel() {
    FUEL.set(STEPS_MAX);
}

/// A native filter, with its name and its arguments.
type Named = (&'static str, Box<[jaq_core::Bind]>, Native<Val>);

/// `__step`: gives its input as long as there is fuel.
pub fn step() -> Named {
    let native = Native::new(|_, cv| {
        let left = FUEL.get();
        FUEL.set(left.saturating_sub(1));
        match left {
            0 => box_once(Err(Exn::from(Error::str(EXHAUSTED)))),
            _ => box_once(Ok(cv.1)),
        }
    });
    ("__step", Box::new([]), native)
}

/// Definitions over jaq's own, read after them: the same filters, with a step for each value.
pub const DEFINITIONS: &str = r#"
def __range($f; $t; $b): range($f; $t; $b);
def range($f; $t; $b): __range($f; $t; $b) | __step;
def range($f; $t): __range($f; $t; 1) | __step;
def range($t): __range(0; $t; 1) | __step;
def repeat(f): def rec: __step | ., (f | rec); rec;
def recurse(f): def rec: __step | ., (f | rec); rec;
def recurse: recurse(.[]?);
def recurse(f; cond): recurse(f | select(cond));
def while(cond; update): def rec: __step | if cond then ., (update | rec) else empty end; rec;
def until(cond; update): def rec: __step | if cond then . else update | rec end; rec;
"#;

/// What stands before the text of an error that is no error: `halt`, with its exit code.
pub const HALT: &str = "\u{0}halt ";

/// `halt` and `halt_error`, which end the run and not, as jaq's own do, the whole process.
pub fn halts() -> [Named; 2] {
    let halt = Native::new(|_, _| box_once(Err(Exn::from(Error::str(format!("{HALT}0 "))))));
    let halt_error = Native::new(|_, mut cv| {
        let code = match cv.0.pop_var() {
            Val::Int(code) => code,
            _ => 5,
        };
        let text = match &cv.1 {
            Val::Str(text) => text.to_string(),
            other => format!("{other}\n"),
        };
        box_once(Err(Exn::from(Error::str(format!("{HALT}{code} {text}")))))
    });
    let argument: Box<[jaq_core::Bind]> = Box::new([jaq_core::Bind::Var(())]);
    [("halt", Box::new([]), halt), ("halt_error", argument, halt_error)]
}

/// The name of a definition in `code` that calls itself, directly or through another.
pub fn recursive(code: &str) -> Option<String> {
    let module = jaq_core::load::parse(code, |p| p.term())?;
    let mut open = Vec::new();
    term(&module, &mut open)
}

/// Definitions around a term, by name and number of arguments.
type Open<'a> = Vec<(&'a str, usize)>;

fn definition<'a>(def: &'a Def<&'a str>, open: &mut Open<'a>) -> Option<String> {
    open.push((def.name, def.args.len()));
    let found = term(&def.body, open);
    open.pop();
    found
}

fn terms<'a>(
    all: impl IntoIterator<Item = &'a Term<&'a str>>,
    open: &mut Open<'a>,
) -> Option<String> {
    all.into_iter().find_map(|one| term(one, open))
}

fn term<'a>(of: &'a Term<&'a str>, open: &mut Open<'a>) -> Option<String> {
    match of {
        Term::Call(name, args) => {
            let own = open.contains(&(*name, args.len()));
            if own { Some((*name).to_owned()) } else { terms(args, open) }
        }
        Term::Def(defs, body) => {
            defs.iter().find_map(|def| definition(def, open)).or_else(|| term(body, open))
        }
        Term::Str(_, parts) => parts.iter().find_map(|part| match part {
            StrPart::Term(inner) => term(inner, open),
            _ => None,
        }),
        Term::Arr(inner) => inner.as_deref().and_then(|inner| term(inner, open)),
        Term::Obj(entries) => entries
            .iter()
            .find_map(|(key, value)| terms([key].into_iter().chain(value.as_ref()), open)),
        Term::Neg(inner) | Term::Label(_, inner) => term(inner, open),
        Term::Pipe(left, found, right) => {
            let inner = found.as_ref().and_then(|found| pattern(found, open));
            inner.or_else(|| terms([&**left, &**right], open))
        }
        Term::BinOp(left, _, right) => terms([&**left, &**right], open),
        Term::Fold(_, source, found, rest) => {
            term(source, open).or_else(|| pattern(found, open)).or_else(|| terms(rest, open))
        }
        Term::TryCatch(tried, caught) => {
            terms([&**tried].into_iter().chain(caught.as_deref()), open)
        }
        Term::IfThenElse(branches, other) => branches
            .iter()
            .find_map(|(test, then)| terms([test, then], open))
            .or_else(|| other.as_deref().and_then(|other| term(other, open))),
        Term::Path(head, path) => term(head, open).or_else(|| {
            path.0.iter().find_map(|(part, _)| match part {
                Part::Index(index) => term(index, open),
                Part::Range(from, to) => terms(from.iter().chain(to), open),
            })
        }),
        Term::Id | Term::Recurse | Term::Num(_) | Term::Break(_) | Term::Var(_) => None,
    }
}

fn pattern<'a>(of: &'a Pattern<&'a str>, open: &mut Open<'a>) -> Option<String> {
    match of {
        Pattern::Var(_) => None,
        Pattern::Arr(parts) => parts.iter().find_map(|part| pattern(part, open)),
        Pattern::Obj(entries) => {
            entries.iter().find_map(|(key, value)| term(key, open).or_else(|| pattern(value, open)))
        }
    }
}
