//! `[[ … ]]`

use crate::programs::test;
use crate::shell::ast::Test;
use crate::shell::expand::{Expander, Stop};
use crate::shell::pattern::Pattern;

/// Whether the condition holds.
pub fn evaluate(expander: &mut Expander<'_>, condition: &Test) -> Result<bool, Stop> {
    match condition {
        Test::Or(left, right) => Ok(evaluate(expander, left)? || evaluate(expander, right)?),
        Test::And(left, right) => Ok(evaluate(expander, left)? && evaluate(expander, right)?),
        Test::Not(inner) => Ok(!evaluate(expander, inner)?),
        Test::Word(word) => Ok(!expander.single(word)?.is_empty()),
        Test::Unary(op, word) => {
            let operand = expander.single(word)?;
            if op == "-v" {
                return Ok(expander.is_variable(&operand));
            }
            test::unary(expander.sys(), op, &operand, &[])
                .ok_or_else(|| Stop::Error(format!("{op}: unary operator expected")))
        }
        Test::Binary(left, op, right) => {
            let left = expander.single(left)?;
            match op.as_str() {
                "=" | "==" => Ok(Pattern::new(&expander.pattern(right)?).matches(&left)),
                "!=" => Ok(!Pattern::new(&expander.pattern(right)?).matches(&left)),
                "=~" => {
                    let pattern = expander.single(right)?;
                    let regex =
                        crate::programs::regex::compile(&pattern, true, false).map_err(|_| {
                            Stop::Error(format!("invalid regular expression `{pattern}'"))
                        })?;
                    let found = regex.captures(&left);
                    let holds = found.is_some();
                    let groups = found.iter().flat_map(|found| {
                        found.iter().map(|group| group.map_or("", |group| group.as_str()))
                    });
                    expander.set_rematch(groups.map(str::to_owned).collect());
                    Ok(holds)
                }
                "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" => {
                    let right = expander.single(right)?;
                    let (left, right) = (expander.number(&left)?, expander.number(&right)?);
                    Ok(test::compare(op, left, right))
                }
                op => {
                    let right = expander.single(right)?;
                    test::binary(expander.sys(), &left, op, &right)
                        .unwrap_or_else(|| Err(format!("{op}: binary operator expected")))
                        .map_err(Stop::Error)
                }
            }
        }
    }
}
