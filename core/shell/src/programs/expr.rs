//! `expr`

use super::tool::Out;
use crate::Sys;

/// Deepest nesting of parentheses.
const DEPTH_MAX: usize = 50;

/// `expr expression`
pub fn run(_sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let mut reader = Reader { words: args, at: 0, depth: 0 };
    let result = reader.or().and_then(|value| match reader.peek() {
        None => Ok(value),
        Some(word) => Err(format!("syntax error: unexpected argument ‘{word}’")),
    });
    match result {
        Ok(value) => {
            let empty = value.is_empty() || value.parse::<i64>() == Ok(0);
            out.line(value);
            i32::from(empty)
        }
        Err(message) => {
            out.error(format!("expr: {message}"));
            if args.is_empty() {
                out.error("Try 'expr --help' for more information.");
            }
            2
        }
    }
}

struct Reader<'a> {
    words: &'a [String],
    at: usize,
    depth: usize,
}

type Value = Result<String, String>;

impl Reader<'_> {
    fn peek(&self) -> Option<&str> {
        self.words.get(self.at).map(String::as_str)
    }

    fn next_of(&mut self, operators: &[&'static str]) -> Option<&'static str> {
        let word = self.peek()?;
        let found = operators.iter().find(|operator| **operator == word)?;
        self.at += 1;
        Some(found)
    }

    fn or(&mut self) -> Value {
        let mut left = self.and()?;
        while self.next_of(&["|"]).is_some() {
            let right = self.and()?;
            if is_null(&left) {
                left = if is_null(&right) { "0".to_string() } else { right };
            }
        }
        Ok(left)
    }

    fn and(&mut self) -> Value {
        let mut left = self.comparison()?;
        while self.next_of(&["&"]).is_some() {
            let right = self.comparison()?;
            if is_null(&left) || is_null(&right) {
                left = "0".to_string();
            }
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Value {
        let mut left = self.sum()?;
        while let Some(operator) = self.next_of(&["<=", ">=", "!=", "==", "=", "<", ">"]) {
            let right = self.sum()?;
            let order = match (left.parse::<i64>(), right.parse::<i64>()) {
                (Ok(left), Ok(right)) => left.cmp(&right),
                _ => left.cmp(&right),
            };
            let holds = match operator {
                "<" => order.is_lt(),
                "<=" => order.is_le(),
                ">" => order.is_gt(),
                ">=" => order.is_ge(),
                "!=" => order.is_ne(),
                _ => order.is_eq(),
            };
            left = u8::from(holds).to_string();
        }
        Ok(left)
    }

    fn sum(&mut self) -> Value {
        let mut left = self.product()?;
        while let Some(operator) = self.next_of(&["+", "-"]) {
            let right = self.product()?;
            left = calculate(&left, operator, &right)?;
        }
        Ok(left)
    }

    fn product(&mut self) -> Value {
        let mut left = self.matching()?;
        while let Some(operator) = self.next_of(&["*", "/", "%"]) {
            let right = self.matching()?;
            left = calculate(&left, operator, &right)?;
        }
        Ok(left)
    }

    fn matching(&mut self) -> Value {
        let mut left = self.primary()?;
        while self.next_of(&[":"]).is_some() {
            let pattern = self.primary()?;
            left = matched(&left, &pattern)?;
        }
        Ok(left)
    }

    fn primary(&mut self) -> Value {
        let Some(word) = self.peek().map(str::to_string) else {
            let before = self.at.checked_sub(1).and_then(|at| self.words.get(at));
            return Err(match before {
                Some(word) => format!("syntax error: missing argument after ‘{word}’"),
                None => "missing operand".to_string(),
            });
        };
        self.at += 1;
        match word.as_str() {
            "(" => {
                self.depth += 1;
                if self.depth > DEPTH_MAX {
                    return Err("syntax error: too deep".to_string());
                }
                let value = self.or()?;
                self.depth -= 1;
                match self.next_of(&[")"]) {
                    Some(_) => Ok(value),
                    None => Err("syntax error: expecting ')' instead".to_string()),
                }
            }
            "length" => Ok(self.primary()?.chars().count().to_string()),
            "match" => {
                let text = self.primary()?;
                let pattern = self.primary()?;
                matched(&text, &pattern)
            }
            "index" => {
                let (text, any) = (self.primary()?, self.primary()?);
                let at = text.chars().position(|c| any.contains(c));
                Ok(at.map_or(0, |at| at + 1).to_string())
            }
            "substr" => {
                let text = self.primary()?;
                let (from, count) = (self.primary()?, self.primary()?);
                let from: usize = from.parse().unwrap_or(0);
                let count: usize = count.parse().unwrap_or(0);
                let Some(skip) = from.checked_sub(1) else { return Ok(String::new()) };
                Ok(text.chars().skip(skip).take(count).collect())
            }
            "+" if self.peek().is_some() => {
                self.at += 1;
                Ok(self.words.get(self.at - 1).cloned().unwrap_or_default())
            }
            _ => Ok(word),
        }
    }
}

fn is_null(value: &str) -> bool {
    value.is_empty() || value.parse::<i64>() == Ok(0)
}

fn calculate(left: &str, operator: &str, right: &str) -> Value {
    let (Ok(left), Ok(right)) = (left.parse::<i64>(), right.parse::<i64>()) else {
        return Err("non-integer argument".to_string());
    };
    if right == 0 && matches!(operator, "/" | "%") {
        return Err("division by zero".to_string());
    }
    let result = match operator {
        "+" => left.checked_add(right),
        "-" => left.checked_sub(right),
        "*" => left.checked_mul(right),
        "/" => left.checked_div(right),
        _ => left.checked_rem(right),
    };
    result.map(|result| result.to_string()).ok_or_else(|| "result out of range".to_string())
}

/// What the first group matched, or how many characters matched from the start.
fn matched(text: &str, pattern: &str) -> Value {
    let has_group = pattern.contains("\\(");
    let regex = super::regex::compile(&format!("^{pattern}"), false, false)?;
    Ok(match regex.captures(text) {
        Some(found) if has_group => {
            found.get(1).map_or(String::new(), |group| group.as_str().to_string())
        }
        Some(found) => found.get(0).map_or(0, |whole| whole.as_str().chars().count()).to_string(),
        None if has_group => String::new(),
        None => "0".to_string(),
    })
}
