//! What an expression names, calls and costs.

use cel::common::ast::IdedExpr as Part;
use cel::common::ast::{EntryExpr, Expr};
use cel::extractors::This;
use cel::{ExecutionError, FunctionContext};
use std::sync::Arc;

/// Names of types, which are values too.
const TYPES: [&str; 11] = [
    "bool",
    "bytes",
    "double",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "type",
    "uint",
    "optional",
];
/// Functions that the interpreter has.
const KNOWN: [&str; 36] = [
    "bool",
    "bytes",
    "charAt",
    "contains",
    "double",
    "dyn",
    "endsWith",
    "exists",
    "format",
    "hasValue",
    "indexOf",
    "int",
    "join",
    "lastIndexOf",
    "lowerAscii",
    "matches",
    "max",
    "min",
    "none",
    "of",
    "ofNonZeroValue",
    "optMap",
    "or",
    "orValue",
    "quote",
    "replace",
    "reverse",
    "size",
    "split",
    "startsWith",
    "string",
    "substring",
    "trim",
    "type",
    "uint",
    "upperAscii",
];
/// Functions of Kubernetes and cel-go that it has not. Upstream: `apiserver/pkg/cel/library`.
const MISSING: [&str; 53] = [
    "add",
    "allowed",
    "asApproximateFloat",
    "asInteger",
    "authorizer",
    "check",
    "cidr",
    "compareTo",
    "containsCIDR",
    "containsIP",
    "duration",
    "error",
    "errored",
    "family",
    "find",
    "findAll",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getEscapedPath",
    "getFullYear",
    "getHost",
    "getHostname",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getPort",
    "getQuery",
    "getScheme",
    "getSeconds",
    "intersects",
    "ip",
    "isCIDR",
    "isCanonical",
    "isGreaterThan",
    "isIP",
    "isInteger",
    "isLessThan",
    "isQuantity",
    "isSorted",
    "isURL",
    "isLoopback",
    "masked",
    "optFlatMap",
    "prefixLength",
    "quantity",
    "sign",
    "sub",
    "sum",
    "timestamp",
    "url",
];

/// What a walk through an expression finds.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The first name that nobody has declared.
    pub undeclared: Option<(u64, String)>,
    /// The first function that exists upstream only.
    pub unknown_function: Option<String>,
    /// The variables it reads.
    pub names: Vec<String>,
    /// Loops in loops.
    pub depth: u32,
    /// Parts.
    pub size: u64,
}

/// Walks through an expression on these variables.
pub(super) fn check(expression: &Part, variables: &[&str]) -> Found {
    let mut walk = Walk { found: Found::default(), scope: Vec::new() };
    walk.scope.extend(variables.iter().map(|name| (*name).to_owned()));
    walk.part(expression, 0);
    walk.found
}

struct Walk {
    found: Found,
    scope: Vec<String>,
}

impl Walk {
    fn part(&mut self, part: &Part, depth: u32) {
        self.found.size += 1;
        self.found.depth = self.found.depth.max(depth);
        match &part.expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) => self.name(part.id, name),
            Expr::Select(select) => self.part(&select.operand, depth),
            Expr::Call(call) => {
                self.function(part.id, &call.func_name);
                for argument in call.target.as_deref().into_iter().chain(&call.args) {
                    self.part(argument, depth);
                }
            }
            Expr::List(list) => list.elements.iter().for_each(|item| self.part(item, depth)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| self.entry(&entry.expr, depth)),
            Expr::Struct(found) => {
                found.entries.iter().for_each(|entry| self.entry(&entry.expr, depth));
            }
            Expr::Comprehension(found) => {
                self.part(&found.iter_range, depth);
                self.part(&found.accu_init, depth);
                let before = self.scope.len();
                self.scope.extend([found.iter_var.clone(), found.accu_var.clone()]);
                self.scope.extend(found.iter_var2.clone());
                self.part(&found.loop_cond, depth + 1);
                self.part(&found.loop_step, depth + 1);
                self.part(&found.result, depth);
                self.scope.truncate(before);
            }
        }
    }

    fn entry(&mut self, entry: &EntryExpr, depth: u32) {
        match entry {
            EntryExpr::StructField(field) => self.part(&field.value, depth),
            EntryExpr::MapEntry(entry) => {
                self.part(&entry.key, depth);
                self.part(&entry.value, depth);
            }
        }
    }

    fn name(&mut self, id: u64, name: &str) {
        let bare = name.trim_start_matches('.');
        if self.scope.iter().any(|known| known == bare) {
            self.found.names.push(bare.to_owned());
        } else if !TYPES.contains(&bare) && self.found.undeclared.is_none() {
            self.found.undeclared = Some((id, bare.to_owned()));
        }
    }

    fn function(&mut self, id: u64, name: &str) {
        // Operators have names that nobody can write.
        let written = name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
        if !written || name.starts_with('_') || name.starts_with('@') || KNOWN.contains(&name) {
            return;
        }
        if MISSING.contains(&name) {
            self.found.unknown_function.get_or_insert_with(|| name.to_owned());
        } else if self.found.undeclared.is_none() {
            self.found.undeclared = Some((id, name.to_owned()));
        }
    }
}

/// `text.matches(pattern)`, by RE2's rules as far as both have them.
pub(super) fn matches(
    context: &FunctionContext<'_, '_>,
    This(text): This<Arc<String>>,
    pattern: Arc<String>,
) -> Result<bool, ExecutionError> {
    match regex_lite::Regex::new(&pattern) {
        Ok(pattern) => Ok(pattern.is_match(&text)),
        Err(error) => Err(context.error(format!("error parsing regexp: {error}"))),
    }
}
