//! Arithmetic: `$((…))`, 64-bit integers that wrap around.

use super::parse::is_name;
use super::state::{Flavor, State};

/// Deepest nesting of brackets and of variables that hold expressions.
const DEPTH_MAX: usize = 40;

/// The value of an expression; assignments in it are made. `Err` is the message.
pub fn evaluate(state: &mut State, text: &str) -> Result<i64, String> {
    evaluate_at(state, text, 0)
}

/// The message as the shell words it.
pub fn worded(flavor: Flavor, text: &str, message: String) -> String {
    let by_zero = message.contains("division by 0");
    match flavor {
        Flavor::Bash => message,
        Flavor::Dash if by_zero => format!("arithmetic expression: division by zero: \"{text}\""),
        Flavor::Dash => format!("arithmetic expression: expecting primary: \"{text}\""),
        Flavor::Ash if by_zero => "divide by zero".to_string(),
        Flavor::Ash => "arithmetic syntax error".to_string(),
    }
}

/// Like [`evaluate`], within so many others.
pub fn evaluate_at(state: &mut State, text: &str, depth: usize) -> Result<i64, String> {
    if depth > DEPTH_MAX {
        return Err(format!(
            "{text}: expression recursion level exceeded (error token is \"{text}\")"
        ));
    }
    let mut machine = Machine { state, text, rest: text, last: text, depth, muted: 0 };
    machine.skip();
    if machine.rest.is_empty() {
        return Ok(0);
    }
    let value = machine.comma()?;
    if machine.rest.is_empty() {
        return Ok(value);
    }
    Err(machine.error("syntax error in expression"))
}

struct Machine<'a> {
    state: &'a mut State,
    text: &'a str,
    rest: &'a str,
    /// Where the last operator began, for messages.
    last: &'a str,
    depth: usize,
    /// Above zero in the branch of `&&`, `||`, `?:` that does not count.
    muted: usize,
}

/// Binary operators by how tightly they bind, loosest first.
const LEVELS: [&[&str]; 10] = [
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];

const ASSIGNMENTS: [&str; 11] = ["<<=", ">>=", "+=", "-=", "*=", "/=", "%=", "&=", "^=", "|=", "="];

impl Machine<'_> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn error(&self, what: &str) -> String {
        let token = if self.rest.is_empty() { self.last.trim() } else { self.rest };
        format!("{}: {what} (error token is \"{token}\")", self.text.trim_start())
    }

    fn eat(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.last = self.rest;
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn deeper(
        &mut self,
        run: impl FnOnce(&mut Self) -> Result<i64, String>,
    ) -> Result<i64, String> {
        if self.depth > DEPTH_MAX {
            return Err(self.error("expression recursion level exceeded"));
        }
        self.depth += 1;
        let result = run(self);
        self.depth -= 1;
        result
    }

    fn comma(&mut self) -> Result<i64, String> {
        let mut value = self.assignment()?;
        while self.eat(",") {
            value = self.assignment()?;
        }
        Ok(value)
    }

    fn assignment(&mut self) -> Result<i64, String> {
        if let Some((place, after)) = place_at(self.rest) {
            let after = after.trim_start();
            let op = ASSIGNMENTS
                .into_iter()
                .find(|op| after.starts_with(op) && !(*op == "=" && after.starts_with("==")));
            if let Some(op) = op {
                self.rest = after.get(op.len()..).unwrap_or_default().trim_start();
                let operand = self.rest;
                let right = self.deeper(Self::assignment)?;
                let value = match op.strip_suffix('=') {
                    Some("") | None => right,
                    Some(op) => {
                        let left = self.variable(&place)?;
                        self.apply(op, left, right, operand)?
                    }
                };
                return self.store(&place, value);
            }
        }
        self.ternary()
    }

    fn store(&mut self, place: &Place, value: i64) -> Result<i64, String> {
        if self.muted == 0 {
            match &place.subscript {
                None => self.state.set(&place.name, value.to_string())?,
                Some(subscript) => {
                    let (text, depth) = (value.to_string(), self.depth + 1);
                    self.state.set_element_at(&place.name, subscript, text, false, depth)?;
                }
            }
        }
        Ok(value)
    }

    fn ternary(&mut self) -> Result<i64, String> {
        let condition = self.binary(0)?;
        if !self.eat("?") {
            return Ok(condition);
        }
        let yes = self.muted_unless(condition != 0, Self::assignment)?;
        if !self.eat(":") {
            return Err(self.error("`:' expected for conditional expression"));
        }
        let no = self.muted_unless(condition == 0, Self::assignment)?;
        Ok(if condition != 0 { yes } else { no })
    }

    fn muted_unless(
        &mut self,
        counts: bool,
        run: impl FnOnce(&mut Self) -> Result<i64, String>,
    ) -> Result<i64, String> {
        let mute = usize::from(!counts);
        self.muted += mute;
        let result = self.deeper(run);
        self.muted -= mute;
        result
    }

    fn binary(&mut self, level: usize) -> Result<i64, String> {
        let Some(ops) = LEVELS.get(level) else { return self.power() };
        let mut left = self.binary(level + 1)?;
        while let Some(op) = ops.iter().copied().find(|op| self.at_operator(op)) {
            self.eat(op);
            left = match op {
                "&&" => {
                    let right = self.muted_unless(left != 0, |m| m.binary(level + 1))?;
                    i64::from(left != 0 && right != 0)
                }
                "||" => {
                    let right = self.muted_unless(left == 0, |m| m.binary(level + 1))?;
                    i64::from(left != 0 || right != 0)
                }
                _ => {
                    let operand = self.rest;
                    let right = self.binary(level + 1)?;
                    self.apply(op, left, right, operand)?
                }
            };
        }
        Ok(left)
    }

    /// Whether the operator stands here, and not a longer one that begins with it.
    fn at_operator(&self, op: &str) -> bool {
        let Some(after) = self.rest.strip_prefix(op) else { return false };
        let next = after.chars().next().unwrap_or(' ');
        match op {
            "|" => next != '|' && next != '=',
            "&" => next != '&' && next != '=',
            "<" | ">" => next.to_string() != op && next != '=',
            "*" => next != '*' && next != '=',
            "==" | "!=" | "<=" | ">=" | "&&" | "||" => true,
            _ => next != '=',
        }
    }

    fn apply(&self, op: &str, left: i64, right: i64, operand: &str) -> Result<i64, String> {
        Ok(match op {
            "|" => left | right,
            "^" => left ^ right,
            "&" => left & right,
            "==" => i64::from(left == right),
            "!=" => i64::from(left != right),
            "<=" => i64::from(left <= right),
            ">=" => i64::from(left >= right),
            "<" => i64::from(left < right),
            ">" => i64::from(left > right),
            "<<" => left.wrapping_shl(right as u32),
            ">>" => left.wrapping_shr(right as u32),
            "+" => left.wrapping_add(right),
            "-" => left.wrapping_sub(right),
            "*" => left.wrapping_mul(right),
            "/" | "%" if right == 0 && self.muted > 0 => 0,
            "/" | "%" if right == 0 => {
                return Err(format!(
                    "{}: division by 0 (error token is \"{operand}\")",
                    self.text.trim_start()
                ));
            }
            "/" => left.wrapping_div(right),
            _ => left.wrapping_rem(right),
        })
    }

    fn power(&mut self) -> Result<i64, String> {
        let base = self.unary()?;
        if !self.eat("**") {
            return Ok(base);
        }
        let exponent = self.deeper(Self::power)?;
        let exponent = u32::try_from(exponent).map_err(|_| self.error("exponent less than 0"))?;
        Ok(base.wrapping_pow(exponent))
    }

    fn unary(&mut self) -> Result<i64, String> {
        for op in ["++", "--"] {
            if self.rest.starts_with(op) {
                let after = self.rest.get(2..).unwrap_or_default().trim_start();
                if let Some((place, after)) = place_at(after) {
                    self.rest = after.trim_start();
                    let step = if op == "++" { 1 } else { -1 };
                    let value = self.variable(&place)?.wrapping_add(step);
                    return self.store(&place, value);
                }
            }
        }
        if self.eat("-") {
            return Ok(self.deeper(Self::unary)?.wrapping_neg());
        }
        if self.eat("+") {
            return self.deeper(Self::unary);
        }
        if self.rest.starts_with('!') && !self.rest.starts_with("!=") {
            self.eat("!");
            return Ok(i64::from(self.deeper(Self::unary)? == 0));
        }
        if self.eat("~") {
            return Ok(!self.deeper(Self::unary)?);
        }
        self.primary()
    }

    fn primary(&mut self) -> Result<i64, String> {
        if self.eat("(") {
            let value = self.deeper(Self::comma)?;
            if !self.eat(")") {
                return Err(self.error("missing `)'"));
            }
            return Ok(value);
        }
        if let Some((place, after)) = place_at(self.rest) {
            self.rest = after.trim_start();
            let value = self.variable(&place)?;
            for (op, step) in [("++", 1), ("--", -1)] {
                if self.eat(op) {
                    self.store(&place, value.wrapping_add(step))?;
                    break;
                }
            }
            return Ok(value);
        }
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '#'))
            .unwrap_or(self.rest.len());
        let digits = self.rest.get(..end).unwrap_or_default();
        if digits.is_empty() {
            return Err(self.error("syntax error: operand expected"));
        }
        let Some(value) = number(digits) else {
            let base =
                if digits.starts_with('0') { "value too great for base" } else { "invalid number" };
            return Err(format!("{digits}: {base} (error token is \"{digits}\")"));
        };
        self.rest = self.rest.get(end..).unwrap_or_default().trim_start();
        Ok(value)
    }

    fn variable(&mut self, place: &Place) -> Result<i64, String> {
        let text = match &place.subscript {
            None => self.state.get(&place.name).map(str::to_string),
            Some(subscript) => self.state.element_at(&place.name, subscript, self.depth + 1)?,
        };
        let Some(text) = text else {
            if self.state.options.nounset {
                return Err(format!("{}: unbound variable", place.name));
            }
            return Ok(0);
        };
        match number(text.trim()) {
            Some(value) => Ok(value),
            None => evaluate_at(self.state, &text, self.depth + 1),
        }
    }
}

/// What has a value: a variable, or an element of an array.
struct Place {
    name: String,
    subscript: Option<String>,
}

/// The variable or element that the text begins with, and what follows it.
fn place_at(text: &str) -> Option<(Place, &str)> {
    let name = leading_name(text);
    if name.is_empty() {
        return None;
    }
    let after = text.get(name.len()..).unwrap_or_default();
    let (subscript, after) = match subscript_at(after) {
        Some((subscript, after)) => (Some(subscript.to_owned()), after),
        None => (None, after),
    };
    Some((Place { name: name.to_owned(), subscript }, after))
}

/// What stands in the brackets that the text begins with, and what follows them.
pub fn subscript_at(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('[')?;
    let mut depth = 0_usize;
    for (at, c) in inner.char_indices() {
        match c {
            '[' => depth += 1,
            ']' if depth == 0 => return Some((inner.get(..at)?, inner.get(at + 1..)?)),
            ']' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn leading_name(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    let name = text.get(..end).unwrap_or_default();
    if is_name(name) { name } else { "" }
}

fn number(text: &str) -> Option<i64> {
    let (digits, radix) = if let Some(hex) = text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        (hex, 16)
    } else if let Some((base, digits)) = text.split_once('#') {
        (digits, base.parse().ok().filter(|base| (2..=36).contains(base))?)
    } else if text.len() > 1 && text.starts_with('0') {
        (text, 8)
    } else {
        (text, 10)
    };
    i64::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let mut state = State::new(Flavor::Bash);
        for (text, expected) in [
            ("", 0),
            ("1 + 2 * 3", 7),
            ("(1+2)*3", 9),
            ("2**3**2", 512),
            ("-7 / 2", -3),
            ("-7 % 3", -1),
            ("0x10 + 010 + 2#11", 27),
            ("1 < 2 && 3 >= 3", 1),
            ("0 || 0", 0),
            ("1 ? 2 : 3", 2),
            ("x = 5, x += 2, x", 7),
            ("x++ + ++x", 16),
            ("~0 ^ 1 | 4 & 6", -2),
            ("1 << 4 >> 2", 4),
            ("!3 == 0", 1),
            ("0 && (y = 1)", 0),
            ("y", 0),
            ("9223372036854775807 + 1", i64::MIN),
            ("e[1 + 1] = 3, e[0] = 1, e[e[0] + 1]++ + e[2]", 7),
            ("e[-1] *= 2", 8),
        ] {
            assert_eq!(evaluate(&mut state, text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn errors_say_where() {
        let mut state = State::new(Flavor::Bash);
        for (text, expected) in [
            ("1/0", "1/0: division by 0 (error token is \"0\")"),
            ("1 +", "1 +: syntax error: operand expected (error token is \"+\")"),
            ("09", "09: value too great for base (error token is \"09\")"),
            ("1 2", "1 2: syntax error in expression (error token is \"2\")"),
        ] {
            assert_eq!(evaluate(&mut state, text), Err(expected.to_string()), "{text}");
        }
        assert!(evaluate(&mut state, &"(".repeat(1000)).is_err());
        state.set("loop", "loop".to_string()).unwrap();
        assert!(evaluate(&mut state, "loop").is_err());
        assert!(evaluate(&mut state, &"e[".repeat(1000)).is_err());
        assert!(evaluate(&mut state, &["e[".repeat(1000), "]".repeat(1000)].concat()).is_err());
        state.set("round", "e[round]".to_string()).unwrap();
        assert!(evaluate(&mut state, "e[round]").is_err());
        assert!(evaluate(&mut state, "e[round] = 1").is_err());
    }
}
