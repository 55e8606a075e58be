//! awk's own functions. What the processor does not compute itself comes from `libm`, so that it is
//! the same natively and in wasm.

use super::ast::{Builtin, Expr, Place};
use super::record::split;
use super::run::{Machine, Ran, Stop};
use super::value::{TEXT_BYTES_MAX, Value};
use super::vars;
use crate::programs::tool::Out;
use regex_lite::Regex;

impl Machine {
    /// Calls a function of awk's own.
    pub fn builtin(&mut self, builtin: Builtin, arguments: &[Expr], out: &mut Out) -> Ran<Value> {
        match builtin {
            Builtin::Sub | Builtin::Gsub => return self.substitute(builtin, arguments, out),
            Builtin::Split => return self.split(arguments, out),
            Builtin::Match => return self.find(arguments, out),
            Builtin::Sprintf => return self.sprintf(arguments, out).map(Value::Text),
            Builtin::Length => return self.length(arguments, out),
            _ => {}
        }
        let format = self.convfmt();
        let mut values = Vec::new();
        for argument in arguments {
            values.push(self.eval_with(argument, out)?);
        }
        let number = |at: usize| values.get(at).map_or(0.0, Value::number);
        let text = |at: usize| values.get(at).map_or(String::new(), |value| value.text(&format));
        Ok(match builtin {
            Builtin::Atan2 => Value::Number(libm::atan2(number(0), number(1))),
            Builtin::Cos => Value::Number(libm::cos(number(0))),
            Builtin::Sin => Value::Number(libm::sin(number(0))),
            Builtin::Exp => Value::Number(libm::exp(number(0))),
            Builtin::Log => Value::Number(libm::log(number(0))),
            Builtin::Sqrt => Value::Number(number(0).sqrt()),
            Builtin::Int => Value::Number(number(0).trunc()),
            Builtin::Rand => Value::Number(self.random()),
            Builtin::Srand => {
                let before = self.seed.1;
                let seed = number(0);
                self.seed = (seed.to_bits() ^ 0x9e37_79b9_7f4a_7c15, seed);
                Value::Number(before)
            }
            Builtin::Index => {
                let (text, part) = (text(0), text(1));
                let at = text.find(&part).map(|at| chars(text.get(..at).unwrap_or_default()) + 1);
                Value::Number(at.unwrap_or(0) as f64)
            }
            Builtin::Substr => {
                let most = if values.len() > 2 { number(2) } else { f64::INFINITY };
                Value::Text(substr(&text(0), number(1), most))
            }
            Builtin::ToLower => Value::Text(text(0).to_lowercase()),
            Builtin::ToUpper => Value::Text(text(0).to_uppercase()),
            // What is written to files is there when awk ends.
            _ => Value::Number(0.0),
        })
    }

    /// The next number of a xorshift generator, from 0 to below 1.
    fn random(&mut self) -> f64 {
        let mut state = self.seed.0 | 1;
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.seed.0 = state;
        (state >> 11) as f64 / (1u64 << 53) as f64
    }

    fn length(&mut self, arguments: &[Expr], out: &mut Out) -> Ran<Value> {
        let length = match arguments.first() {
            None => chars(&self.record.text),
            Some(Expr::Get(Place::Var(var))) if self.is_array(*var) => {
                let array = self.array(*var)?;
                self.array_length(array)
            }
            Some(argument) => {
                let value = self.eval_with(argument, out)?;
                chars(&value.text(&self.convfmt()))
            }
        };
        Ok(Value::Number(length as f64))
    }

    fn split(&mut self, arguments: &[Expr], out: &mut Out) -> Ran<Value> {
        let [text, Expr::Get(Place::Var(array)), rest @ ..] = arguments else {
            return Err(Stop::Fatal("type error in arg of split".to_string()));
        };
        let text = self.eval_with(text, out)?.text(&self.convfmt());
        let parts = match rest.first() {
            Some(Expr::Regex(_)) if text.is_empty() => Vec::new(),
            Some(Expr::Regex(regex)) => regex.split(&text).map(str::to_string).collect(),
            Some(separator) => {
                let separator = self.eval_with(separator, out)?.text(&self.convfmt());
                split(&text, &separator)?
            }
            None => split(&text, &self.separator())?,
        };
        let array = self.array(*array)?;
        let count = parts.len();
        self.fill_array(array, parts.iter().map(|part| Value::input(part)).collect())?;
        Ok(Value::Number(count as f64))
    }

    fn find(&mut self, arguments: &[Expr], out: &mut Out) -> Ran<Value> {
        let [text, regex] = arguments else { return Ok(Value::Unset) };
        let text = self.eval_with(text, out)?.text(&self.convfmt());
        let (start, length) = match self.regex(regex)?.find(&text) {
            Some(found) => {
                let before = text.get(..found.start()).unwrap_or_default();
                (chars(before) as f64 + 1.0, chars(found.as_str()) as f64)
            }
            None => (0.0, -1.0),
        };
        self.set_global(vars::RSTART, Value::Number(start));
        self.set_global(vars::RLENGTH, Value::Number(length));
        Ok(Value::Number(start))
    }

    fn substitute(&mut self, builtin: Builtin, arguments: &[Expr], out: &mut Out) -> Ran<Value> {
        let [regex, with, rest @ ..] = arguments else { return Ok(Value::Unset) };
        let regex = self.regex(regex)?;
        let with = self.eval_with(with, out)?.text(&self.convfmt());
        let record = Place::Field(Box::new(Expr::Number(0.0)));
        let place = match rest.first() {
            Some(Expr::Get(place)) => place,
            _ => &record,
        };
        let text = self.get(place)?.text(&self.convfmt());
        let most = if builtin == Builtin::Gsub { usize::MAX } else { 1 };
        let (replaced, count) = replace(&regex, &text, &with, most)?;
        if count > 0 {
            self.set(place, Value::Text(replaced))?;
        }
        Ok(Value::Number(count as f64))
    }
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

/// Characters from `start`, which counts from 1 and is rounded, at most `most` of them.
fn substr(text: &str, start: f64, most: f64) -> String {
    let start = start.round_ties_even();
    let end = start + if most.is_finite() { most.round_ties_even() } else { most };
    text.chars()
        .zip(1..)
        .filter(|(_, at)| f64::from(*at) >= start && f64::from(*at) < end)
        .map(|(c, _)| c)
        .collect()
}

/// Replaces the first `most` matches; `&` in the replacement is the match and `\&` the mark itself.
fn replace(regex: &Regex, text: &str, with: &str, most: usize) -> Ran<(String, usize)> {
    let mut replaced = String::new();
    let mut from = 0;
    let mut count = 0;
    for found in regex.find_iter(text).take(most) {
        replaced.push_str(text.get(from..found.start()).unwrap_or_default());
        let mut letters = with.chars().peekable();
        while let Some(c) = letters.next() {
            match c {
                '\\' if matches!(letters.peek(), Some('&' | '\\')) => {
                    replaced.extend(letters.next())
                }
                '&' => replaced.push_str(found.as_str()),
                c => replaced.push(c),
            }
        }
        if replaced.len() > TEXT_BYTES_MAX {
            return Err(Stop::Fatal("out of memory: text too long".to_string()));
        }
        from = found.end();
        count += 1;
    }
    replaced.push_str(text.get(from..).unwrap_or_default());
    Ok((replaced, count))
}
