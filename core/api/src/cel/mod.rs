//! Expressions in the Common Expression Language, as Kubernetes has them in rules of
//! CustomResourceDefinitions.
//!
//! The interpreter (the crate `cel`) has neither types nor costs. Here names and functions are
//! checked before a rule is kept, and what an evaluation may take at most is estimated from the
//! expression and its data.
//!
//! Upstream: `apiserver/pkg/cel`, `apiextensions-apiserver/pkg/apiserver/schema/cel`.

mod check;
mod value;

pub use value::{Given, RESERVED, given, optional};

use cel::{Context, Env, ExecutionError, Program, Value, extensions};
use std::sync::{Arc, LazyLock};

/// Steps that one evaluation may take by the estimate. Upstream: `PerCallLimit`, counted in another
/// way.
const STEPS_MAX: u64 = 5_000_000;
/// Bytes of one expression.
const BYTES_MAX: usize = 16 * 1024;

/// An expression that can be evaluated.
#[derive(Debug)]
pub struct Expression {
    program: Program,
    /// How often its innermost part is run for each thing in the data, as a power.
    depth: u32,
    /// Parts of the expression.
    size: u64,
    /// Whether it compares with what was there before.
    pub uses_old_self: bool,
}

/// Why an expression is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompileError {
    /// In upstream's words: `compilation failed: ERROR: <input>:1:1: …`.
    Wrong(String),
    /// It calls a function of Kubernetes that is not here.
    Unknown(String),
}

/// Why an evaluation has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvalError {
    /// It would take too long.
    Budget,
    /// In cel-go's words, as far as they are known: `no such key: x`.
    Failed(String),
}

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib().with_optional_support(true);
    // These are declared once, so that none can be in conflict with another.
    let _ = env.add_extension(extensions::strings);
    Arc::new(env)
});

impl Expression {
    /// Reads an expression on `self` and `oldSelf`.
    pub fn compile(source: &str) -> Result<Expression, CompileError> {
        let wrong = |why: String| CompileError::Wrong(format!("compilation failed: {why}"));
        if source.len() > BYTES_MAX {
            return Err(wrong(format!("expression is longer than {BYTES_MAX} bytes")));
        }
        let program = ENV.compile(source).map_err(|errors| wrong(errors.to_string()))?;
        let found = check::check(program.expression(), &["self", "oldSelf"]);
        if let Some((id, what)) = found.undeclared {
            let (line, column) = position(source, &program, id);
            let text = source.lines().nth(line - 1).unwrap_or_default();
            let dots = ".".repeat(column - 1);
            return Err(wrong(format!(
                "ERROR: <input>:{line}:{column}: undeclared reference to '{what}' (in container \
                 '')\n | {text}\n | {dots}^"
            )));
        }
        if let Some(name) = found.unknown_function {
            return Err(CompileError::Unknown(name));
        }
        Ok(Expression {
            depth: found.depth,
            size: found.size,
            uses_old_self: found.names.iter().any(|name| name == "oldSelf"),
            program,
        })
    }

    /// Evaluates a rule: whether it holds.
    pub fn holds(&self, this: &Given, old: Option<&Given>) -> Result<bool, EvalError> {
        match self.evaluate(this, old)? {
            Value::Bool(holds) => Ok(holds),
            _ => Ok(false),
        }
    }

    /// Evaluates a message: `None` if it is no text.
    pub fn message(&self, this: &Given, old: Option<&Given>) -> Result<Option<String>, EvalError> {
        match self.evaluate(this, old)? {
            Value::String(text) => Ok(Some(text.to_string())),
            _ => Ok(None),
        }
    }

    /// What an evaluation takes at most: the parts of the expression, each as often as the loops
    /// around it can run.
    pub fn steps(&self, this: &Given, old: Option<&Given>) -> u64 {
        let width = this.width.max(old.map_or(0, |old| old.width)).max(self.size).max(1);
        width.saturating_pow(self.depth).saturating_mul(self.size)
    }

    fn evaluate(&self, this: &Given, old: Option<&Given>) -> Result<Value, EvalError> {
        if self.steps(this, old) > STEPS_MAX {
            return Err(EvalError::Budget);
        }
        let mut context = Context::with_env(Arc::clone(&ENV));
        // The name is free, since the interpreter is built without regular expressions.
        let _ = context.add_function("matches", check::matches);
        context.add_variable_as_val("self", this.value.clone_as_boxed());
        if let Some(old) = old {
            context.add_variable_as_val("oldSelf", old.value.clone_as_boxed());
        }
        self.program.execute(&context).map_err(|error| EvalError::Failed(go_error(&error)))
    }
}

/// Line and column of a part of an expression, from 1.
fn position(source: &str, program: &Program, id: u64) -> (usize, usize) {
    let offset = program.source_info().offset_for(id).map_or(0, |(start, _)| start as usize);
    let before = source.get(..offset.min(source.len())).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    (line, column)
}

/// The interpreter's errors in cel-go's words.
fn go_error(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
        ExecutionError::NoSuchOverload(_) => "no such overload".to_owned(),
        ExecutionError::DivisionByZero(_) => "division by zero".to_owned(),
        ExecutionError::RemainderByZero(_) => "modulus by zero".to_owned(),
        ExecutionError::Overflow(..) => "integer overflow".to_owned(),
        ExecutionError::IndexOutOfBounds(index) => match index {
            Value::Int(index) => format!("index out of bounds: {index}"),
            _ => "index out of bounds".to_owned(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn holds(rule: &str, this: Json) -> Result<bool, EvalError> {
        let rule =
            Expression::compile(rule).map_err(|why| EvalError::Failed(format!("{why:?}")))?;
        rule.holds(&given(&this, None, false), None)
    }

    #[test]
    fn rules() {
        let this = json!({"min": 1, "max": 3, "name": "web-1", "list": ["a", "b"],
            "map": {"b": 2, "a": 1}, "deep": [{"port": 80}, {"port": 443}], "f": 1.5});
        let table = [
            ("self.min <= self.max", true),
            ("self.min > self.max", false),
            ("has(self.min) && !has(self.other)", true),
            ("self.name.startsWith('web')", true),
            ("self.name.matches('^[a-z]+-[0-9]$')", true),
            ("self.list.all(x, size(x) == 1)", true),
            ("self.list.exists(x, x == 'c')", false),
            ("'a' in self.list && 'a' in self.map", true),
            ("self.map.all(k, self.map[k] > 0)", true),
            ("self.map.map(k, k) == ['a', 'b']", true),
            ("size(self.list) == 2 && self.map.size() == 2", true),
            ("self.deep.exists_one(p, p.port == 443)", true),
            ("self.deep.filter(p, p.port > 100).size() == 1", true),
            ("self.list == ['a', 'b']", true),
            ("self == self && self.map == self.map", true),
            ("self.map == {'a': 1, 'b': 2}", true),
            ("self.f > 1.0 && int(self.f) == 1", true),
            ("self.list.join(',') == 'a,b'", true),
            ("type(self.min) == int", true),
        ];
        for (rule, want) in table {
            assert_eq!(holds(rule, this.clone()), Ok(want), "{rule}");
        }
    }

    #[test]
    fn errors() {
        let failed = |text: &str| Err(EvalError::Failed(text.to_owned()));
        assert_eq!(holds("self.x == 1", json!({})), failed("no such key: x"));
        assert_eq!(holds("1 / self.x == 1", json!({"x": 0})), failed("division by zero"));
        assert_eq!(holds("self.x < 'a'", json!({"x": 0})), failed("no such overload"));
    }

    #[test]
    fn what_is_no_expression() {
        let wrong = |source: &str| match Expression::compile(source) {
            Err(CompileError::Wrong(why)) => why,
            other => format!("{other:?}"),
        };
        assert!(wrong("self.x >").starts_with("compilation failed: ERROR: <input>:1:"));
        assert_eq!(
            wrong("self.x == other"),
            "compilation failed: ERROR: <input>:1:11: undeclared reference to 'other' (in container \
             '')\n | self.x == other\n | ..........^"
        );
        assert!(wrong("frobnicate(self)").contains("undeclared reference to 'frobnicate'"));
        assert!(matches!(
            Expression::compile("quantity(self.x).isLessThan(quantity('1'))"),
            Err(CompileError::Unknown(name)) if name == "isLessThan"
        ));
    }

    #[test]
    fn what_takes_too_long_is_not_begun() {
        let long = json!((0..2_000).collect::<Vec<u32>>());
        assert_eq!(holds("self.all(a, a >= 0)", long.clone()), Ok(true));
        let nested = "self.all(a, self.all(b, self.all(c, a + b + c >= 0)))";
        assert_eq!(holds(nested, long), Err(EvalError::Budget));
        let literal = "[1,2,3].all(a, [1,2,3].all(b, [1,2,3].all(c, [1,2,3].all(d, \
                       [1,2,3].all(e, [1,2,3].all(f, [1,2,3].all(g, a > 0)))))))";
        assert_eq!(holds(literal, json!({})), Err(EvalError::Budget));
    }
}
