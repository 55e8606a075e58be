//! Quantities: `500m`, `1.5Gi`, `1e3`.
//!
//! Upstream: `apimachinery/pkg/api/resource/quantity.go`, `suffix.go`.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// The value of a quantity, exact to 10⁻⁹, and how it is written.
///
/// ```
/// # use naru_api::quantity::Amount;
/// let half: Amount = "0.5".parse().unwrap();
/// assert_eq!(half.to_string(), "500m");
/// assert_eq!(half.milli_value(), 500);
/// assert!(half < "1".parse().unwrap());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    /// In 10⁻⁹.
    nanos: i128,
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// `Ki`, `Mi`, ….
    Binary,
    /// `m`, `k`, `M`, ….
    Decimal,
    /// `e3`.
    Exponent,
}

/// A quantity that cannot be read; the texts are upstream's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// It does not look like a quantity at all.
    #[error(
        "quantities must match the regular expression \
         '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )]
    Format,
    /// The number cannot be read.
    #[error("unable to parse numeric part of quantity")]
    Number,
    /// There is no such unit.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

const NANO: i128 = 1_000_000_000;
const MAX: i128 = i64::MAX as i128 * NANO;
const DIGITS_MAX: usize = 28;
const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/// From 10⁻⁹ upwards, in steps of 1000.
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount { nanos: 0, format: Format::Decimal };

    /// One unit.
    pub const ONE: Amount = Amount { nanos: NANO, format: Format::Decimal };

    /// So many whole units.
    pub fn from_units(units: i64) -> Self {
        Amount { nanos: i128::from(units) * NANO, format: Format::Decimal }
    }

    /// So many thousandths: `from_milli(500)` is `500m`.
    pub fn from_milli(milli: i64) -> Self {
        Amount { nanos: i128::from(milli) * (NANO / 1000), format: Format::Decimal }
    }

    /// So many bytes, written with `Ki`, `Mi`, ….
    pub fn from_bytes(bytes: i64) -> Self {
        Amount { nanos: i128::from(bytes) * NANO, format: Format::Binary }
    }

    /// The value of a quantity in an object; zero when it cannot be read.
    pub fn of(quantity: &Quantity) -> Self {
        quantity.0.parse().unwrap_or(Amount::ZERO)
    }

    /// Whole units, rounded up.
    pub fn value(self) -> i64 {
        self.scaled(NANO)
    }

    /// Thousandths, rounded up.
    pub fn milli_value(self) -> i64 {
        self.scaled(NANO / 1000)
    }

    /// Whether it is nothing.
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// As a field of an object, in canonical form.
    pub fn to_quantity(self) -> Quantity {
        Quantity(self.to_string())
    }

    fn scaled(self, unit: i128) -> i64 {
        let up = i128::from(self.nanos > 0 && self.nanos % unit != 0);
        let value = self.nanos / unit + up;
        i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
    }

    fn with(self, nanos: i128, other: Amount) -> Amount {
        // As upstream, the format is that of the first amount that is not zero.
        let format = if self.is_zero() { other.format } else { self.format };
        Amount { nanos: nanos.clamp(-MAX, MAX), format }
    }
}

impl std::str::FromStr for Amount {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let digit = |c: char| c.is_ascii_digit();
        let whole_end = unsigned.find(|c| !digit(c)).unwrap_or(unsigned.len());
        let (whole, rest) = unsigned.split_at_checked(whole_end).ok_or(QuantityError::Format)?;
        let (fraction, suffix) = match rest.strip_prefix('.') {
            Some(rest) => {
                let end = rest.find(|c| !digit(c)).unwrap_or(rest.len());
                rest.split_at_checked(end).ok_or(QuantityError::Format)?
            }
            None => ("", rest),
        };
        check_suffix(suffix)?;
        if text.is_empty() {
            return Err(QuantityError::Format);
        }
        let (scale, format) = interpret(suffix).ok_or(QuantityError::Suffix)?;
        let nanos = magnitude(whole, fraction, scale)?.min(MAX);
        let below_one = format == Format::Binary && nanos < NANO && nanos > 0;
        let format = if below_one { Format::Decimal } else { format };
        let nanos = if text.starts_with('-') { -nanos } else { nanos };
        Ok(Amount { nanos, format })
    }
}

/// What a suffix multiplies by.
#[derive(Clone, Copy)]
enum Scale {
    Ten(i32),
    Two(u32),
}

fn check_suffix(suffix: &str) -> Result<(), QuantityError> {
    let letters = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let digits = letters.strip_prefix(['+', '-']).unwrap_or(letters);
    if digits.chars().all(|c| c.is_ascii_digit()) { Ok(()) } else { Err(QuantityError::Format) }
}

fn interpret(suffix: &str) -> Option<(Scale, Format)> {
    if let Some(index) = BINARY.iter().position(|unit| *unit == suffix) {
        return Some((Scale::Two(u32::try_from(index + 1).ok()? * 10), Format::Binary));
    }
    if let Some(index) = DECIMAL.iter().position(|unit| *unit == suffix) {
        return Some((Scale::Ten(i32::try_from(index).ok()? * 3 - 9), Format::Decimal));
    }
    let exponent = suffix.strip_prefix(['e', 'E'])?;
    Some((Scale::Ten(exponent.parse().ok()?), Format::Exponent))
}

/// The number without its sign in 10⁻⁹, rounded up; not more than a little above [`MAX`].
fn magnitude(whole: &str, fraction: &str, scale: Scale) -> Result<i128, QuantityError> {
    let (mut number, mut kept, mut dropped) = (0_i128, 0, 0_i64);
    for digit in whole.bytes().chain(fraction.bytes()).skip_while(|digit| *digit == b'0') {
        // What does not fit is beyond the cap, or its last digits are below 10⁻⁹.
        if kept == DIGITS_MAX {
            dropped += 1;
        } else {
            let digit = char::from(digit).to_digit(10).ok_or(QuantityError::Number)?;
            number = number * 10 + i128::from(digit);
            kept += 1;
        }
    }
    if kept == 0 {
        return Ok(0);
    }
    let shift = dropped - i64::try_from(fraction.len()).unwrap_or(i64::MAX);
    Ok(match scale {
        Scale::Ten(exponent) => times_ten(number, shift + i64::from(exponent) + 9),
        Scale::Two(bits) => times_ten(number.saturating_mul(1 << bits), shift + 9),
    })
}

/// `number` × 10^`power`, rounded up, saturating.
fn times_ten(number: i128, power: i64) -> i128 {
    let ten = |power: i64| u32::try_from(power).ok().and_then(|power| 10_i128.checked_pow(power));
    if power >= 0 {
        return ten(power).and_then(|ten| number.checked_mul(ten)).unwrap_or(MAX + 1);
    }
    ten(power.saturating_neg()).map_or(1, |ten| number / ten + i128::from(number % ten != 0))
}

impl fmt::Display for Amount {
    /// The canonical form: no fraction, and the largest suffix that loses nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return f.write_str("0");
        }
        let whole = self.nanos % NANO == 0;
        let small = self.nanos.abs() < 1024 * NANO;
        if self.format == Format::Binary && whole && !small {
            let (mut number, mut unit) = (self.nanos / NANO, "");
            for next in BINARY {
                if number % 1024 != 0 {
                    break;
                }
                (number, unit) = (number / 1024, next);
            }
            return write!(f, "{number}{unit}");
        }
        let (mut number, mut power) = (self.nanos, -9_i32);
        while number % 1000 == 0 && (power < 18 || self.format == Format::Exponent) {
            (number, power) = (number / 1000, power + 3);
        }
        match (self.format, usize::try_from((power + 9) / 3).ok().and_then(|i| DECIMAL.get(i))) {
            (Format::Exponent, _) if power == 0 => write!(f, "{number}"),
            (Format::Exponent, _) | (_, None) => write!(f, "{number}e{power}"),
            (_, Some(unit)) => write!(f, "{number}{unit}"),
        }
    }
}

impl PartialEq for Amount {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Amount {}

impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Amount {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl Add for Amount {
    type Output = Amount;
    fn add(self, rhs: Amount) -> Amount {
        self.with(self.nanos + rhs.nanos, rhs)
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, rhs: Amount) {
        *self = *self + rhs;
    }
}

impl Sub for Amount {
    type Output = Amount;
    fn sub(self, rhs: Amount) -> Amount {
        self.with(self.nanos - rhs.nanos, rhs)
    }
}

impl Default for Amount {
    fn default() -> Self {
        Amount::ZERO
    }
}

/// The canonical form of a quantity's text.
pub fn canonical(text: &str) -> Result<String, QuantityError> {
    text.parse::<Amount>().map(|amount| amount.to_string())
}

/// A quantity as `go-spew` writes its struct, which goes into the hashes of pod templates. Numbers
/// that Go's parser keeps as big decimals (of 100Ti and more) are written as the others.
///
/// Upstream: `ParseQuantity` in `apimachinery/pkg/api/resource/quantity.go`.
pub fn go_spew(quantity: &Quantity) -> String {
    let text = Amount::of(quantity).to_string();
    let (value, scale, format) = go_parts(&text).unwrap_or((0, 0, "DecimalSI"));
    let digits = text.trim_start_matches('-').split(|c: char| !c.is_ascii_digit()).next();
    let number: u64 = digits.and_then(|digits| digits.parse().ok()).unwrap_or(0);
    // The parser keeps the text where it is sure that no shorter one exists.
    let kept = if format == "BinarySI" && number & 7 == 0 { "" } else { text.as_str() };
    format!(
        "{{i:(resource.int64Amount){{value:(int64){value} scale:(resource.Scale){scale}}} \
         d:(resource.infDecAmount){{Dec:(*inf.Dec)<nil>}} s:(string){kept} \
         Format:(resource.Format){format}}}"
    )
}

/// A quantity as Go's `%#v` writes its struct, which some of upstream's messages show.
pub fn go_syntax(quantity: &Quantity) -> String {
    let text = Amount::of(quantity).to_string();
    let (value, scale, format) = go_parts(&text).unwrap_or((0, 0, "DecimalSI"));
    format!(
        "resource.Quantity{{i:resource.int64Amount{{value:{value}, scale:{scale}}}, \
         d:resource.infDecAmount{{Dec:(*inf.Dec)(nil)}}, s:\"{text}\", Format:\"{format}\"}}"
    )
}

/// Number, power of ten and format of a text in canonical form.
pub(crate) fn go_parts(text: &str) -> Option<(i64, i32, &'static str)> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let (_, suffix) = digits.split_at_checked(end)?;
    let number: i64 = text.strip_suffix(suffix)?.parse().ok()?;
    Some(match interpret(suffix)? {
        (Scale::Two(bits), _) => (number.checked_shl(bits)?, 0, "BinarySI"),
        (Scale::Ten(power), Format::Exponent) => (number, power, "DecimalExponent"),
        (Scale::Ten(power), _) => (number, power, "DecimalSI"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Printed by apimachinery v0.33.4, but for `+1`, `1.` and `1E3`, whose text it keeps.
    #[test]
    fn canonical_forms() {
        let table = [
            ("0", "0"),
            ("0m", "0"),
            ("1", "1"),
            ("+1", "1"),
            ("-1", "-1"),
            ("100m", "100m"),
            ("0.1", "100m"),
            ("0.5", "500m"),
            ("1.5", "1500m"),
            ("1000m", "1"),
            ("1000", "1k"),
            ("1024", "1024"),
            ("1500000", "1500k"),
            ("64Mi", "64Mi"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("1000Ki", "1000Ki"),
            ("512", "512"),
            ("0.5Mi", "512Ki"),
            ("0.5Ki", "512"),
            ("1e3", "1e3"),
            ("1E3", "1e3"),
            ("12e1", "120"),
            ("1e-3", "1e-3"),
            ("5E", "5E"),
            ("100M", "100M"),
            ("1.", "1"),
            (".5", "500m"),
            ("0.0000000001", "1n"),
            ("1n", "1n"),
            ("9Ei", "9223372036854775807"),
            ("0.1Ki", "102400m"),
            ("-1.5Gi", "-1536Mi"),
            ("m", "0"),
            ("-", "0"),
        ];
        for (text, canonical) in table {
            assert_eq!(super::canonical(text).as_deref(), Ok(canonical), "{text}");
        }
    }

    #[test]
    fn errors() {
        use QuantityError::{Format, Number, Suffix};
        let table = [
            ("", Format),
            ("1 Gi", Format),
            ("abc", Format),
            ("1X", Format),
            ("1GB", Format),
            ("1Gi1", Suffix),
            ("1mm", Suffix),
            ("1.5.5", Format),
            ("1,5", Format),
        ];
        for (text, error) in table {
            assert_eq!(text.parse::<Amount>().err(), Some(error), "{text:?}");
        }
        assert_eq!(Number.to_string(), "unable to parse numeric part of quantity");
    }

    #[test]
    fn hostile_input_does_not_overflow() {
        for text in ["9".repeat(400), format!("0.{}1", "0".repeat(400)), "1e400".to_owned()] {
            let amount: Amount = text.parse().unwrap();
            assert!(amount > Amount::ZERO, "{text}");
            assert!(amount + amount >= amount);
        }
    }

    #[test]
    fn arithmetic() {
        let amount = |text: &str| text.parse::<Amount>().unwrap();
        assert_eq!((amount("100m") + amount("1")).to_string(), "1100m");
        assert_eq!((amount("1Gi") + amount("512Mi")).to_string(), "1536Mi");
        assert_eq!((amount("0") + amount("512Mi")).to_string(), "512Mi");
        assert_eq!((amount("1") - amount("100m")).to_string(), "900m");
        assert_eq!(amount("1500m").value(), 2);
        assert_eq!(amount("1n").milli_value(), 1);
        assert_eq!(amount("-1500m").value(), -1);
        assert!(amount("1Ki") > amount("1k"));
        assert_eq!(amount("1000m"), amount("1"));
        assert_eq!(Amount::from_bytes(1 << 30).to_string(), "1Gi");
        assert_eq!(Amount::from_milli(250).to_string(), "250m");
    }
}
