//! Label selectors: `app=web,tier!=db,env in (a,b),!old`.
//!
//! Upstream: `apimachinery/pkg/labels/selector.go`, `LabelSelectorAsSelector` in
//! `apimachinery/pkg/apis/meta/v1/helpers.go`.

use crate::gofmt::quote;
use crate::{FieldError, Path, names};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// An object's labels.
pub type Labels = BTreeMap<String, String>;

/// Which labels are wanted.
///
/// ```
/// # use naru_api::labels::Selector;
/// let selector = Selector::parse("app=web,tier notin (db, cache)").unwrap();
/// let labels = [("app".to_owned(), "web".to_owned())].into();
/// assert!(selector.matches(Some(&labels)));
/// assert_eq!(selector.to_string(), "app=web,tier notin (cache,db)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<Requirement>,
    nothing: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
    values: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equals,
    /// The same as [`Operator::Equals`], printed as it was written.
    DoubleEquals,
    NotEquals,
    In,
    NotIn,
    Exists,
    DoesNotExist,
    GreaterThan,
    LessThan,
}

/// A selector that cannot be read; the text is upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(pub(crate) String);

impl Selector {
    /// Selects everything.
    pub const EVERYTHING: Selector = Selector { requirements: Vec::new(), nothing: false };
    /// Selects nothing.
    pub const NOTHING: Selector = Selector { requirements: Vec::new(), nothing: true };

    /// Reads a selector as `kubectl -l` takes it; "" selects everything.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut requirements = Parser::new(text).parse().map_err(SelectorError)?;
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Selector { requirements, nothing: false })
    }

    /// Selects objects that have all these labels; everything when there are none.
    pub fn from_map(labels: &Labels) -> Self {
        let equals = |(key, value): (&String, &String)| Requirement {
            key: key.clone(),
            operator: Operator::Equals,
            values: [value.clone()].into(),
        };
        Selector { requirements: labels.iter().map(equals).collect(), nothing: false }
    }

    /// The selector of a `spec.selector`: without one nothing, with an empty one everything.
    pub fn from_label_selector(selector: Option<&LabelSelector>) -> Result<Self, SelectorError> {
        let Some(selector) = selector else { return Ok(Selector::NOTHING) };
        let mut requirements = Vec::new();
        for (key, value) in selector.match_labels.iter().flatten() {
            let values = BTreeSet::from([value.clone()]);
            requirements.push(requirement(key, Operator::Equals, values).map_err(SelectorError)?);
        }
        for expression in selector.match_expressions.iter().flatten() {
            let operator = match expression.operator.as_str() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => {
                    let other = quote(other);
                    return Err(SelectorError(format!(
                        "{other} is not a valid label selector operator"
                    )));
                }
            };
            let values = expression.values.iter().flatten().cloned().collect();
            let read = requirement(&expression.key, operator, values).map_err(SelectorError)?;
            requirements.push(read);
        }
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Selector { requirements, nothing: false })
    }

    /// The same as a `spec.selector`, which knows fewer operators.
    ///
    /// Upstream: `metav1.ParseToLabelSelector`.
    pub fn to_label_selector(&self) -> Result<LabelSelector, SelectorError> {
        let mut selector = LabelSelector::default();
        for requirement in &self.requirements {
            let operator = match requirement.operator {
                Operator::Equals | Operator::DoubleEquals => {
                    let value = requirement.values.iter().next().cloned().unwrap_or_default();
                    let labels = selector.match_labels.get_or_insert_default();
                    labels.insert(requirement.key.clone(), value);
                    continue;
                }
                Operator::In => "In",
                Operator::NotIn => "NotIn",
                Operator::Exists => "Exists",
                Operator::DoesNotExist => "DoesNotExist",
                Operator::NotEquals => {
                    let why = "\"!=\" is not a valid label selector operator";
                    return Err(SelectorError(why.to_owned()));
                }
                Operator::GreaterThan | Operator::LessThan => {
                    let sign = if requirement.operator == Operator::LessThan { "lt" } else { "gt" };
                    let why = format!("\"{sign}\" isn't supported in label selectors");
                    return Err(SelectorError(why));
                }
            };
            let values: Vec<String> = requirement.values.iter().cloned().collect();
            selector.match_expressions.get_or_insert_default().push(LabelSelectorRequirement {
                key: requirement.key.clone(),
                operator: operator.to_owned(),
                values: Some(values).filter(|values| !values.is_empty()),
            });
        }
        Ok(selector)
    }

    /// Whether an object with these labels is wanted.
    pub fn matches(&self, labels: Option<&Labels>) -> bool {
        !self.nothing && self.requirements.iter().all(|requirement| requirement.matches(labels))
    }

    /// Whether every object is wanted.
    pub fn is_everything(&self) -> bool {
        !self.nothing && self.requirements.is_empty()
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            requirement.fmt(f)?;
        }
        Ok(())
    }
}

impl Requirement {
    fn matches(&self, labels: Option<&Labels>) -> bool {
        let value = labels.and_then(|labels| labels.get(&self.key));
        match self.operator {
            Operator::Equals | Operator::DoubleEquals | Operator::In => {
                value.is_some_and(|v| self.values.contains(v))
            }
            Operator::NotEquals | Operator::NotIn => value.is_none_or(|v| !self.values.contains(v)),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan => self.compares(value, |have, limit| have > limit),
            Operator::LessThan => self.compares(value, |have, limit| have < limit),
        }
    }

    fn compares(&self, value: Option<&String>, holds: fn(i64, i64) -> bool) -> bool {
        let have = value.and_then(|value| value.parse().ok());
        let limit = self.values.first().and_then(|value| value.parse().ok());
        have.zip(limit).is_some_and(|(have, limit)| holds(have, limit))
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        let values = values.join(",");
        let key = &self.key;
        match self.operator {
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::DoubleEquals => write!(f, "{key}=={values}"),
            Operator::NotEquals => write!(f, "{key}!={values}"),
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
        }
    }
}

/// Labels as printers show them: `a=b,c=d`, or `<none>`.
///
/// Upstream: `FormatLabels` in `apimachinery/pkg/labels/labels.go`.
pub fn format(labels: Option<&Labels>) -> String {
    let pairs = labels.into_iter().flatten().map(|(key, value)| format!("{key}={value}"));
    or_none(pairs.collect::<Vec<_>>().join(","))
}

/// A selector as Go's generated `String` writes it, which is what some of
/// upstream's messages show.
pub fn go_label_selector(selector: &LabelSelector) -> String {
    let labels = selector.match_labels.iter().flatten();
    let labels: Vec<String> = labels.map(|(key, value)| format!("{key}: {value},")).collect();
    let expressions = selector.match_expressions.iter().flatten().map(|expression| {
        format!(
            "LabelSelectorRequirement{{Key:{},Operator:{},Values:[{}],}},",
            expression.key,
            expression.operator,
            expression.values.as_deref().unwrap_or_default().join(" ")
        )
    });
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{}}},\
         MatchExpressions:[]LabelSelectorRequirement{{{}}},}}",
        labels.concat(),
        expressions.collect::<String>()
    )
}

/// A selector as printers show it: `a=b,c in (d)`, `<none>` or `<error>`.
///
/// Upstream: `FormatLabelSelector` in `apimachinery/pkg/apis/meta/v1/helpers.go`.
pub fn format_selector(selector: Option<&LabelSelector>) -> String {
    match Selector::from_label_selector(selector) {
        Ok(selector) => or_none(selector.to_string()),
        Err(_) => "<error>".to_owned(),
    }
}

fn or_none(text: String) -> String {
    if text.is_empty() { "<none>".to_owned() } else { text }
}

/// What is wrong with labels at a path.
///
/// Upstream: `ValidateLabels` in `apimachinery/pkg/apis/meta/v1/validation`.
pub fn validate(labels: Option<&Labels>, path: impl fmt::Display) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (key, value) in labels.into_iter().flatten() {
        let keys = names::qualified_name(key).into_iter();
        errors.extend(keys.map(|problem| FieldError::invalid(&path, key, &problem)));
        let values = names::label_value(value).into_iter();
        errors.extend(values.map(|problem| FieldError::invalid(&path, value, &problem)));
    }
    errors
}

/// What is wrong with a label selector at a path.
///
/// Upstream: `ValidateLabelSelector` in `apimachinery/pkg/apis/meta/v1/validation`.
pub fn validate_selector(selector: &LabelSelector, path: &Path<'_>) -> Vec<FieldError> {
    let mut errors = validate(selector.match_labels.as_ref(), path.child("matchLabels"));
    let list = path.child("matchExpressions");
    for (index, expression) in selector.match_expressions.iter().flatten().enumerate() {
        let item = list.index(index);
        let values = expression.values.as_deref().unwrap_or_default();
        let field = item.child("values");
        match expression.operator.as_str() {
            "In" | "NotIn" if values.is_empty() => {
                let detail = "must be specified when `operator` is 'In' or 'NotIn'";
                errors.push(FieldError::required(field, detail));
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(FieldError::forbidden(field, detail));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            operator => {
                let detail = "not a valid selector operator";
                errors.push(FieldError::invalid(item.child("operator"), operator, detail));
            }
        }
        let key = &expression.key;
        let invalid = |problem: String| FieldError::invalid(item.child("key"), key, &problem);
        errors.extend(names::qualified_name(key).into_iter().map(invalid));
        for (index, value) in values.iter().enumerate() {
            let item = field.index(index);
            let invalid = |problem: String| FieldError::invalid(item, value, &problem);
            errors.extend(names::label_value(value).into_iter().map(invalid));
        }
    }
    errors
}

/// What is wrong with annotations at a path.
///
/// Upstream: `ValidateAnnotations` in `apimachinery/pkg/api/validation/objectmeta.go`.
pub fn validate_annotations(
    annotations: Option<&BTreeMap<String, String>>,
    path: impl fmt::Display,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut bytes = 0;
    for (key, value) in annotations.into_iter().flatten() {
        bytes += key.len() + value.len();
        for problem in names::qualified_name(&key.to_lowercase()) {
            errors.push(FieldError::invalid(&path, key, &problem));
        }
    }
    if bytes > names::ANNOTATIONS_BYTES_MAX {
        errors.push(FieldError::too_long(&path, names::ANNOTATIONS_BYTES_MAX));
    }
    errors
}

/// Checks a requirement as upstream's `NewRequirement` does.
fn requirement(
    key: &str,
    operator: Operator,
    values: BTreeSet<String>,
) -> Result<Requirement, String> {
    let mut errors = Vec::new();
    errors.extend(key_error("key", key));
    let list = || format!("[]string{{{}}}", crate::gofmt::quote_all(&Vec::from_iter(&values)));
    let invalid = |detail: &str| FieldError::invalid_raw("values", list(), detail);
    match operator {
        Operator::In | Operator::NotIn if values.is_empty() => {
            errors.push(invalid("for 'in', 'notin' operators, values set can't be empty"));
        }
        Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
            errors.push(invalid("values set must be empty for exists and does not exist"));
        }
        Operator::GreaterThan | Operator::LessThan => {
            for (index, value) in values.iter().enumerate() {
                if value.parse::<i64>().is_err() {
                    let detail = "for 'Gt', 'Lt' operators, the value must be an integer";
                    errors.push(FieldError::invalid(format!("values[{index}]"), value, detail));
                }
            }
        }
        _ => {}
    }
    for (index, value) in values.iter().enumerate() {
        let problems = names::label_value(value);
        if !problems.is_empty() {
            let path = format!("values[{index}][{key}]");
            errors.push(FieldError::invalid(path, value, &problems.join("; ")));
        }
    }
    match aggregate(&errors) {
        Some(text) => Err(text),
        None => Ok(Requirement { key: key.to_owned(), operator, values }),
    }
}

fn key_error(path: &str, key: &str) -> Option<FieldError> {
    let problems = names::qualified_name(key);
    (!problems.is_empty()).then(|| FieldError::invalid(path, key, &problems.join("; ")))
}

/// Several errors as upstream's aggregate prints them; `None` when there is none.
fn aggregate(errors: &[FieldError]) -> Option<String> {
    let texts: Vec<String> = errors.iter().map(|e| format!("{}: {}", e.field, e.message)).collect();
    match texts.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        several => Some(format!("[{}]", several.join(", "))),
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Symbol(&'static str),
    Bad(String),
    End,
}

impl Token {
    /// As messages show it.
    fn literal(&self) -> &str {
        match self {
            Token::Word(text) | Token::Bad(text) => text,
            Token::Symbol(text) => text,
            Token::End => "",
        }
    }
}

const SYMBOLS: [&str; 9] = [")", ",", "!", "==", "=", ">", "<", "!=", "("];

fn lex(text: &str) -> Vec<Token> {
    let special = |c: char| matches!(c, '=' | '!' | '(' | ')' | ',' | '>' | '<');
    let blank = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
    let mut tokens = Vec::new();
    let mut rest = text.trim_start_matches(blank);
    while let Some(first) = rest.chars().next() {
        let end = if special(first) {
            let run = rest.find(|c| !special(c)).unwrap_or(rest.len());
            let run = rest.get(..run).unwrap_or_default();
            // The longest symbol that the run begins with.
            match SYMBOLS.iter().filter(|s| run.starts_with(**s)).max_by_key(|s| s.len()) {
                Some(symbol) => {
                    tokens.push(Token::Symbol(symbol));
                    symbol.len()
                }
                None => {
                    tokens.push(Token::Bad(format!("error expected: keyword found '{run}'")));
                    run.len()
                }
            }
        } else {
            let end = rest.find(|c| special(c) || blank(c)).unwrap_or(rest.len());
            tokens.push(Token::Word(rest.get(..end).unwrap_or_default().to_owned()));
            end
        };
        rest = rest.get(end..).unwrap_or_default().trim_start_matches(blank);
    }
    tokens.push(Token::End);
    tokens
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
}

impl Parser {
    fn new(text: &str) -> Self {
        Parser { tokens: lex(text).into_iter().peekable() }
    }

    fn peek(&mut self) -> Token {
        self.tokens.peek().cloned().unwrap_or(Token::End)
    }

    fn next(&mut self) -> Token {
        self.tokens.next().unwrap_or(Token::End)
    }

    fn parse(mut self) -> Result<Vec<Requirement>, String> {
        let mut requirements = Vec::new();
        loop {
            match self.peek() {
                Token::Word(_) | Token::Symbol("!") => {}
                Token::End => return Ok(requirements),
                other => {
                    return Err(found(&other, ", expected: !, identifier, or 'end of string'"));
                }
            }
            let wrap = |error| format!("unable to parse requirement: {error}");
            requirements.push(self.requirement().map_err(wrap)?);
            match self.next() {
                Token::End => return Ok(requirements),
                Token::Symbol(",") => {
                    let next = self.peek();
                    if !matches!(next, Token::Word(_) | Token::Symbol("!")) {
                        return Err(found(&next, ", expected: identifier after ','"));
                    }
                }
                other => return Err(found(&other, ", expected: ',' or 'end of string'")),
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let mut token = self.next();
        let negated = token == Token::Symbol("!");
        if negated {
            token = self.next();
        }
        let Token::Word(key) = token else {
            return Err(found(&token, ", expected: identifier"));
        };
        // Upstream gives this error no path, which its path prints as <nil>.
        if let Some(error) = key_error("<nil>", &key) {
            return Err(format!("{}: {}", error.field, error.message));
        }
        if negated {
            return requirement(&key, Operator::DoesNotExist, BTreeSet::new());
        }
        if matches!(self.peek(), Token::End | Token::Symbol(",")) {
            return requirement(&key, Operator::Exists, BTreeSet::new());
        }
        let operator = self.operator()?;
        let values = match operator {
            Operator::In | Operator::NotIn => self.values()?,
            _ => self.exact_value()?,
        };
        requirement(&key, operator, values)
    }

    fn operator(&mut self) -> Result<Operator, String> {
        let token = self.next();
        Ok(match token.literal() {
            "in" => Operator::In,
            "notin" => Operator::NotIn,
            "=" => Operator::Equals,
            "==" => Operator::DoubleEquals,
            "!=" => Operator::NotEquals,
            ">" => Operator::GreaterThan,
            "<" => Operator::LessThan,
            _ => return Err(found(&token, ", expected: in, notin, =, ==, !=, gt, lt")),
        })
    }

    fn values(&mut self) -> Result<BTreeSet<String>, String> {
        let open = self.next();
        if open != Token::Symbol("(") {
            return Err(found(&open, " expected: '('"));
        }
        match self.peek() {
            Token::Word(_) | Token::Symbol(",") => self.identifiers(),
            Token::Symbol(")") => {
                self.next();
                Ok([String::new()].into())
            }
            other => Err(found(&other, ", expected: ',', ')' or identifier")),
        }
    }

    /// Identifiers that commas divide, and the bracket behind them; each may be empty.
    fn identifiers(&mut self) -> Result<BTreeSet<String>, String> {
        let mut values = BTreeSet::new();
        loop {
            match self.next() {
                Token::Word(value) => {
                    values.insert(value);
                    match self.peek() {
                        Token::Symbol(",") => {}
                        Token::Symbol(")") => break,
                        other => return Err(found(&other, ", expected: ',' or ')'")),
                    }
                }
                Token::Symbol(",") => {
                    if values.is_empty() {
                        values.insert(String::new());
                    }
                    match self.peek() {
                        Token::Symbol(")") => {
                            values.insert(String::new());
                            break;
                        }
                        Token::Symbol(",") => {
                            self.next();
                            values.insert(String::new());
                        }
                        _ => {}
                    }
                }
                other => return Err(found(&other, ", expected: ',', or identifier")),
            }
        }
        self.next();
        Ok(values)
    }

    fn exact_value(&mut self) -> Result<BTreeSet<String>, String> {
        if matches!(self.peek(), Token::End | Token::Symbol(",")) {
            return Ok([String::new()].into());
        }
        match self.next() {
            Token::Word(value) => Ok([value].into()),
            other => Err(found(&other, ", expected: identifier")),
        }
    }
}

fn found(token: &Token, expected: &str) -> String {
    format!("found '{}'{expected}", token.literal())
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement;

    fn labels(text: &str) -> Labels {
        text.split(',')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn selects() {
        let table = [
            ("", "", true),
            ("a=b", "a=b", true),
            ("a==b", "a=b", true),
            ("a=b", "a=c", false),
            ("a=b", "", false),
            ("a!=b", "a=c", true),
            ("a!=b", "", true),
            ("a!=b", "a=b", false),
            ("a in (b,c)", "a=c", true),
            ("a in (b, c)", "a=d", false),
            ("a notin (b)", "", true),
            ("a notin (b)", "a=b", false),
            ("a", "a=", true),
            ("a", "b=", false),
            ("!a", "b=", true),
            ("!a", "a=", false),
            ("a>1", "a=2", true),
            ("a<1", "a=2", false),
            ("a>1", "a=x", false),
            ("a=", "a=", true),
            ("a in ()", "a=", true),
            ("a,b=c", "a=1,b=c", true),
            ("a,b=c", "a=1,b=d", false),
            ("in in (in)", "in=in", true),
        ];
        for (selector, have, wanted) in table {
            let parsed = Selector::parse(selector).unwrap();
            assert_eq!(parsed.matches(Some(&labels(have))), wanted, "{selector} on {have}");
        }
    }

    // The texts were printed by apimachinery v0.33.4.
    #[test]
    fn errors_are_upstreams() {
        let table = [
            (
                "a b",
                "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
            ),
            ("a=b,", "found '', expected: identifier after ','"),
            (",a", "found ',', expected: !, identifier, or 'end of string'"),
            ("a=b c", "found 'c', expected: ',' or 'end of string'"),
            ("a in b", "unable to parse requirement: found 'b' expected: '('"),
            ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
            ("a=!b", "unable to parse requirement: found '!', expected: identifier"),
            ("!", "unable to parse requirement: found '', expected: identifier"),
        ];
        for (selector, message) in table {
            assert_eq!(Selector::parse(selector).unwrap_err().to_string(), message, "{selector}");
        }
        let error = Selector::parse("-a=b").unwrap_err().to_string();
        let start = "unable to parse requirement: <nil>: Invalid value: \"-a\": name part must";
        assert!(error.starts_with(start), "{error}");
        let error = Selector::parse("a=-b").unwrap_err().to_string();
        let start =
            "unable to parse requirement: values[0][a]: Invalid value: \"-b\": a valid label must";
        assert!(error.starts_with(start), "{error}");
    }

    #[test]
    fn prints_sorted() {
        let table = [
            ("b=1,a=2", "a=2,b=1"),
            ("x in (c,b)", "x in (b,c)"),
            ("!a,b", "!a,b"),
            ("a!=1,b>2", "a!=1,b>2"),
            ("a==1", "a==1"),
        ];
        for (text, printed) in table {
            assert_eq!(Selector::parse(text).unwrap().to_string(), printed);
        }
    }

    #[test]
    fn label_selectors() {
        let expression = |operator: &str, values: &[&str]| LabelSelectorRequirement {
            key: "a".to_owned(),
            operator: operator.to_owned(),
            values: Some(values.iter().map(|value| (*value).to_owned()).collect()),
        };
        let of = |expression| LabelSelector {
            match_labels: Some(labels("b=c")),
            match_expressions: Some(vec![expression]),
        };
        let selector = Selector::from_label_selector(Some(&of(expression("In", &["x", "y"]))));
        assert_eq!(selector.unwrap().to_string(), "a in (x,y),b=c");
        let bad = Selector::from_label_selector(Some(&of(expression("Near", &[]))));
        let text = "\"Near\" is not a valid label selector operator";
        assert_eq!(bad.unwrap_err().to_string(), text);
        assert!(!Selector::from_label_selector(None).unwrap().matches(None));
        let all = Selector::from_label_selector(Some(&LabelSelector::default())).unwrap();
        assert!(all.matches(None) && all.is_everything());
    }
}
