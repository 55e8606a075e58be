//! Command line flags by the rules, and with the messages, of `github.com/spf13/pflag`.

use naru_api::gofmt::quote;
use std::collections::BTreeMap;

/// What values a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `--watch`, `--watch=false`.
    Bool,
    /// `--output yaml`.
    Text,
    /// Text that may be left out: `--dry-run` means the value here.
    Optional(&'static str),
    /// A whole number of this many bits.
    Int(u32),
    /// `10s`, `1m30s`.
    Duration,
    /// May be repeated; each value is split at commas.
    Slice,
    /// May be repeated; each value is taken as it is.
    Array,
}

/// A flag that a command understands.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// Without the two dashes.
    pub name: &'static str,
    /// The one letter that stands for it, or "".
    pub short: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// The value when it is not given.
    pub default: &'static str,
    /// What it is for.
    pub usage: &'static str,
    /// Why it should no longer be used, or ""; such a flag is not in the help.
    pub deprecated: &'static str,
}

impl Flag {
    const fn new(
        name: &'static str,
        kind: Kind,
        default: &'static str,
        usage: &'static str,
    ) -> Self {
        Flag { name, short: "", kind, default, usage, deprecated: "" }
    }

    /// A switch that is off.
    pub const fn switch(name: &'static str, usage: &'static str) -> Self {
        Self::new(name, Kind::Bool, "false", usage)
    }

    /// A switch that is on.
    pub const fn switch_on(name: &'static str, usage: &'static str) -> Self {
        Self::new(name, Kind::Bool, "true", usage)
    }

    /// A text.
    pub const fn text(name: &'static str, default: &'static str, usage: &'static str) -> Self {
        Self::new(name, Kind::Text, default, usage)
    }

    /// A text; `bare` is meant when it is given without a value.
    pub const fn optional(
        name: &'static str,
        bare: &'static str,
        default: &'static str,
        usage: &'static str,
    ) -> Self {
        Self::new(name, Kind::Optional(bare), default, usage)
    }

    /// A whole number.
    pub const fn int(name: &'static str, default: &'static str, usage: &'static str) -> Self {
        Self::new(name, Kind::Int(64), default, usage)
    }

    /// A whole number of 32 bits.
    pub const fn int32(name: &'static str, default: &'static str, usage: &'static str) -> Self {
        Self::new(name, Kind::Int(32), default, usage)
    }

    /// A span of time.
    pub const fn duration(name: &'static str, default: &'static str, usage: &'static str) -> Self {
        Self::new(name, Kind::Duration, default, usage)
    }

    /// A list with commas.
    pub const fn slice(name: &'static str, usage: &'static str) -> Self {
        Self::new(name, Kind::Slice, "[]", usage)
    }

    /// A list by repetition.
    pub const fn array(name: &'static str, usage: &'static str) -> Self {
        Self::new(name, Kind::Array, "[]", usage)
    }

    /// With one letter that stands for it.
    pub const fn short(mut self, letter: &'static str) -> Self {
        self.short = letter;
        self
    }

    /// Accepted with a warning, and not in the help.
    pub const fn deprecated(mut self, why: &'static str) -> Self {
        self.deprecated = why;
        self
    }

    /// The value of `--name` without `=`, when none has to follow.
    fn bare(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Bool => Some("true"),
            Kind::Optional(bare) => Some(bare),
            _ => None,
        }
    }

    /// `--watch` or `-w, --watch`.
    fn display(&self) -> String {
        if self.short.is_empty() {
            format!("--{}", self.name)
        } else {
            format!("-{}, --{}", self.short, self.name)
        }
    }

    /// What is wrong with a value, in the words of Go's `strconv` and `time`.
    fn check(&self, value: &str) -> Result<(), String> {
        match self.kind {
            Kind::Bool => parse_bool(value).map(|_| ()),
            Kind::Int(bits) => parse_int(value, bits).map(|_| ()),
            Kind::Duration => parse_duration(value).map(|_| ()),
            Kind::Slice => split_csv(value).map(|_| ()),
            Kind::Text | Kind::Optional(_) | Kind::Array => Ok(()),
        }
    }
}

/// Groups of flags: those that commands share, and a command's own.
pub type FlagSet = &'static [&'static [Flag]];

/// The flag of this name in the first group that has it.
pub fn find(sets: &[FlagSet], name: &str) -> Option<&'static Flag> {
    sets.iter().flat_map(|set| set.iter()).flat_map(|group| group.iter()).find(|f| f.name == name)
}

fn find_short(sets: &[FlagSet], letter: char) -> Option<&'static Flag> {
    let mut buffer = [0; 4];
    let letter = &*letter.encode_utf8(&mut buffer);
    sets.iter()
        .flat_map(|set| set.iter())
        .flat_map(|group| group.iter())
        .find(|f| f.short == letter)
}

/// Flags that were given and the arguments that are left.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// Arguments that are no flags, in order.
    pub args: Vec<String>,
    /// How many of them stood before `--`.
    pub args_at_dash: Option<usize>,
    /// Warnings to print: deprecated flags.
    pub warnings: Vec<String>,
    /// Whether `-h` or `--help` was given.
    pub help: bool,
    values: BTreeMap<&'static str, Vec<String>>,
    defaults: BTreeMap<&'static str, &'static str>,
}

impl Parsed {
    /// Parses arguments after the command's name. The error is pflag's text.
    pub fn parse(sets: &[FlagSet], arguments: &[String]) -> Result<Parsed, String> {
        let mut parsed = Parsed::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            if argument == "--" {
                parsed.args_at_dash = Some(parsed.args.len());
                parsed.args.extend(rest.by_ref().cloned());
            } else if let Some(long) = argument.strip_prefix("--") {
                parsed.long(sets, argument, long, &mut rest)?;
            } else if argument.len() > 1 && argument.starts_with('-') {
                parsed.shorthands(sets, &argument[1..], &mut rest)?;
            } else {
                parsed.args.push(argument.clone());
            }
            if parsed.help {
                break;
            }
        }
        Ok(parsed)
    }

    fn long(
        &mut self,
        sets: &[FlagSet],
        whole: &str,
        long: &str,
        rest: &mut std::slice::Iter<'_, String>,
    ) -> Result<(), String> {
        if long.starts_with(['-', '=']) {
            return Err(format!("bad flag syntax: {whole}"));
        }
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        };
        let name = name.replace('_', "-");
        let Some(flag) = find(sets, &name) else {
            if name == "help" {
                self.help = true;
                return Ok(());
            }
            return Err(format!("unknown flag: --{name}"));
        };
        let value = match value.or(flag.bare()) {
            Some(value) => value,
            None => rest.next().ok_or_else(|| format!("flag needs an argument: {whole}"))?,
        };
        self.set(flag, value)
    }

    fn shorthands(
        &mut self,
        sets: &[FlagSet],
        mut letters: &str,
        rest: &mut std::slice::Iter<'_, String>,
    ) -> Result<(), String> {
        while let Some(letter) = letters.chars().next() {
            let after = &letters[letter.len_utf8()..];
            let Some(flag) = find_short(sets, letter) else {
                if letter == 'h' {
                    self.help = true;
                    return Ok(());
                }
                return Err(format!("unknown shorthand flag: '{letter}' in -{letters}"));
            };
            if let Some(value) = after.strip_prefix('=').filter(|value| !value.is_empty()) {
                return self.set(flag, value);
            }
            if let Some(bare) = flag.bare() {
                self.set(flag, bare)?;
                letters = after;
                continue;
            }
            if !after.is_empty() {
                return self.set(flag, after);
            }
            let missing = || format!("flag needs an argument: '{letter}' in -{letters}");
            return self.set(flag, rest.next().ok_or_else(missing)?);
        }
        Ok(())
    }

    fn set(&mut self, flag: &'static Flag, value: &str) -> Result<(), String> {
        if let Err(why) = flag.check(value) {
            let (value, flag) = (quote(value), quote(&flag.display()));
            return Err(format!("invalid argument {value} for {flag} flag: {why}"));
        }
        if !flag.deprecated.is_empty() {
            self.warnings
                .push(format!("Flag --{} has been deprecated, {}", flag.name, flag.deprecated));
        }
        let values = self.values.entry(flag.name).or_default();
        match flag.kind {
            Kind::Slice => values.extend(split_csv(value)?),
            Kind::Array => values.push(value.to_owned()),
            _ => *values = vec![value.to_owned()],
        }
        Ok(())
    }

    /// Gives a flag that was not given its default.
    pub fn with_defaults(mut self, sets: &[FlagSet]) -> Self {
        // The command's own flags come first, and hide global ones of their names.
        for flag in sets.iter().flat_map(|set| set.iter()).flat_map(|group| group.iter()) {
            self.defaults.entry(flag.name).or_insert(flag.default);
        }
        self
    }

    /// Whether the command has such a flag.
    pub fn has(&self, name: &str) -> bool {
        self.defaults.contains_key(name)
    }

    /// The flags that were given, by name, as `--name=value`.
    pub fn given(&self) -> impl Iterator<Item = String> {
        self.values.iter().map(|(name, values)| format!("--{name}={}", values.join(",")))
    }

    /// Whether the flag was given.
    pub fn changed(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The value of a text flag.
    pub fn text(&self, name: &str) -> &str {
        let given = self.values.get(name).and_then(|values| values.last());
        given.map(String::as_str).or_else(|| self.defaults.get(name).copied()).unwrap_or_default()
    }

    /// Whether a switch is on.
    pub fn is(&self, name: &str) -> bool {
        is_true(self.text(name))
    }

    /// The value of a number flag.
    pub fn int(&self, name: &str) -> i64 {
        parse_int(self.text(name), 64).unwrap_or(0)
    }

    /// The value of a span of time, in nanoseconds.
    pub fn duration_ns(&self, name: &str) -> i64 {
        parse_duration(self.text(name)).unwrap_or(0)
    }

    /// `--request-timeout` in nanoseconds: a number is one of seconds, 0 is no limit.
    ///
    /// Upstream: `clientcmd.ParseTimeout`.
    pub fn request_timeout_ns(&self) -> Result<i64, String> {
        let text = self.text("request-timeout");
        if let Ok(seconds) = text.parse::<i64>() {
            return Ok(seconds.saturating_mul(1_000_000_000));
        }
        parse_duration(text).map_err(|_| {
            "Invalid timeout value. Timeout must be a single integer in seconds, or an integer \
             followed by a corresponding time unit (e.g. 1s | 2m | 3h)"
                .to_owned()
        })
    }

    /// The values of a list flag.
    pub fn list(&self, name: &str) -> &[String] {
        self.values.get(name).map(Vec::as_slice).unwrap_or_default()
    }
}

/// `true`, `T`, `1`, ….
pub fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        text if is_true(text) => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("strconv.ParseBool: parsing {}: invalid syntax", quote(text))),
    }
}

fn is_true(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

fn parse_int(text: &str, bits: u32) -> Result<i64, String> {
    let fail = |why: &str| format!("strconv.ParseInt: parsing {}: {why}", quote(text));
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.get(..2) {
        Some("0x") => (16, lower.get(2..)),
        Some("0b") => (2, lower.get(2..)),
        Some("0o") => (8, lower.get(2..)),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, lower.get(1..)),
        _ => (10, Some(lower.as_str())),
    };
    let digits = digits.unwrap_or_default();
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(fail("invalid syntax"));
    }
    let magnitude = i128::from_str_radix(digits, radix).map_err(|_| fail("value out of range"))?;
    let value = if negative { -magnitude } else { magnitude };
    let limit = 1_i128 << (bits - 1);
    if value < -limit || value >= limit {
        return Err(fail("value out of range"));
    }
    i64::try_from(value).map_err(|_| fail("value out of range"))
}

pub use naru_api::duration::parse as parse_duration;

/// One line of CSV, as `encoding/csv` reads it.
fn split_csv(text: &str) -> Result<Vec<String>, String> {
    let mut fields = Vec::new();
    if text.is_empty() {
        return Ok(fields);
    }
    let line = text.split('\n').next().unwrap_or_default();
    let mut rest = line.trim_end_matches('\r');
    loop {
        let Some(quoted) = rest.strip_prefix('"') else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (field, after) = rest.split_at(end);
            if let Some(bare) = field.find('"') {
                let column = line.len() - rest.len() + bare + 1;
                return Err(format!(
                    "parse error on line 1, column {column}: bare \" in non-quoted field"
                ));
            }
            fields.push(field.to_owned());
            match after.strip_prefix(',') {
                Some(after) => rest = after,
                None => return Ok(fields),
            }
            continue;
        };
        let mut field = String::new();
        let mut quoted = quoted;
        loop {
            let Some(end) = quoted.find('"') else {
                let column = line.len() + 1;
                return Err(format!(
                    "parse error on line 1, column {column}: extraneous or missing \" in quoted-field"
                ));
            };
            field.push_str(&quoted[..end]);
            quoted = &quoted[end + 1..];
            match quoted.strip_prefix('"') {
                Some(after) => {
                    field.push('"');
                    quoted = after;
                }
                None => break,
            }
        }
        fields.push(field);
        match quoted.strip_prefix(',') {
            Some(after) => rest = after,
            None if quoted.is_empty() => return Ok(fields),
            None => {
                let column = line.len() - quoted.len();
                return Err(format!(
                    "parse error on line 1, column {column}: extraneous or missing \" in quoted-field"
                ));
            }
        }
    }
}
