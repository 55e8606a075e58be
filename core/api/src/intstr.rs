//! Numbers or texts: ports by number or name, counts by number or percentage.
//!
//! Upstream: `apimachinery/pkg/util/intstr/intstr.go`.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// As it is printed: `80`, `http`, `25%`.
pub fn text(value: &IntOrString) -> String {
    match value {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(text) => text.clone(),
    }
}

/// The number, or so many per cent of `total`; `None` for a text that is no percentage.
///
/// Upstream: `GetScaledValueFromIntOrPercent`.
pub fn scaled(value: &IntOrString, total: i32, round_up: bool) -> Option<i32> {
    let percent = match value {
        IntOrString::Int(number) => return Some(*number),
        IntOrString::String(text) => percent(text)?,
    };
    let product = i64::from(percent) * i64::from(total);
    let up = i64::from(round_up && product > 0 && product % 100 != 0);
    i32::try_from(product / 100 + up).ok()
}

/// The number of a percentage: 25 of `25%`.
pub fn percent(text: &str) -> Option<i32> {
    let digits = text.strip_suffix('%').filter(|text| !text.is_empty())?;
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales() {
        let table = [
            (IntOrString::Int(3), 10, true, Some(3)),
            (IntOrString::String("25%".to_owned()), 3, true, Some(1)),
            (IntOrString::String("25%".to_owned()), 3, false, Some(0)),
            (IntOrString::String("100%".to_owned()), 3, false, Some(3)),
            (IntOrString::String("0%".to_owned()), 3, true, Some(0)),
            (IntOrString::String("a".to_owned()), 3, true, None),
            (IntOrString::String("-5%".to_owned()), 3, true, None),
        ];
        for (value, total, up, wanted) in table {
            assert_eq!(scaled(&value, total, up), wanted, "{value:?}");
        }
    }
}
