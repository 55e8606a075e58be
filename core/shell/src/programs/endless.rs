//! `yes`, `seq`, `sleep`: programs that take their time.

use super::tool::{Out, finish};
use crate::{Program, Step, Sys};
use naru_sim::Time;
use std::time::Duration;

/// Lines printed in one resumption.
const LINES_PER_RESUME: usize = 1000;

/// How much of what it repeats it prints at once, in bytes.
const BLOCK: usize = 4_096;

/// `yes [words…]`
#[derive(Clone, Debug, Default)]
pub struct Yes {
    out: Out,
}

impl Program for Yes {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if !self.out.flush(sys) {
            return Step::Block { until: None };
        }
        if self.out.take_failure().is_some() {
            return Step::Exit(1);
        }
        let words = sys.args().get(1..).unwrap_or_default();
        let line = if words.is_empty() { "y".to_string() } else { words.join(" ") };
        let line = line + "\n";
        let block = line.repeat((BLOCK / line.len()).max(1));
        while !self.out.is_full() {
            self.out.put(&block);
        }
        if self.out.flush(sys) { Step::Yield } else { Step::Block { until: None } }
    }
}

/// `seq [-s separator] [-w] [first [step]] last`
#[derive(Clone, Debug, Default)]
pub struct Seq {
    out: Out,
    run: Option<Sequence>,
}

#[derive(Clone, Debug)]
struct Sequence {
    first: f64,
    step: f64,
    last: f64,
    decimals: usize,
    width: usize,
    separator: String,
    index: u64,
}

impl Seq {
    fn start(&mut self, sys: &dyn Sys) -> Result<Sequence, i32> {
        let mut separator = "\n".to_string();
        let mut equal = false;
        let mut numbers = Vec::new();
        let mut rest = sys.args().iter().skip(1);
        while let Some(arg) = rest.next() {
            match arg.as_str() {
                "-s" => separator = rest.next().cloned().unwrap_or_default(),
                "-w" => equal = true,
                arg if arg.starts_with("-s") => {
                    separator = arg.get(2..).unwrap_or_default().to_string();
                }
                arg => {
                    let Ok(value) = arg.parse::<f64>() else {
                        self.out.error(format!("seq: invalid floating point argument: ‘{arg}’"));
                        self.out.error("Try 'seq --help' for more information.");
                        return Err(1);
                    };
                    numbers.push((value, arg.to_string()));
                }
            }
        }
        let decimals = numbers
            .iter()
            .map(|(_, text)| text.split_once('.').map_or(0, |(_, decimals)| decimals.len()))
            .max()
            .unwrap_or(0);
        let values: Vec<f64> = numbers.iter().map(|(value, _)| *value).collect();
        let (first, step, last) = match values.as_slice() {
            [last] => (1.0, 1.0, *last),
            [first, last] => (*first, 1.0, *last),
            [first, step, last] => (*first, *step, *last),
            [] => {
                self.out.error("seq: missing operand");
                self.out.error("Try 'seq --help' for more information.");
                return Err(1);
            }
            _ => {
                let extra = numbers.get(3).map_or("", |(_, text)| text);
                self.out.error(format!("seq: extra operand ‘{extra}’"));
                self.out.error("Try 'seq --help' for more information.");
                return Err(1);
            }
        };
        if step == 0.0 {
            self.out.error("seq: invalid Zero increment value: ‘0’");
            self.out.error("Try 'seq --help' for more information.");
            return Err(1);
        }
        let widest = |value: f64| format!("{value:.decimals$}").len();
        let width = if equal { widest(first).max(widest(last)) } else { 0 };
        Ok(Sequence { first, step, last, decimals, width, separator, index: 0 })
    }
}

impl Program for Seq {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if self.run.is_none() {
            match self.start(sys) {
                Ok(run) => self.run = Some(run),
                Err(code) => return finish(&mut self.out, sys, code),
            }
        }
        if !self.out.flush(sys) {
            return Step::Block { until: None };
        }
        let Some(run) = &mut self.run else { return Step::Exit(1) };
        for _ in 0..LINES_PER_RESUME {
            let value = run.first + run.step * run.index as f64;
            let ends = if run.step > 0.0 { value > run.last } else { value < run.last };
            if ends {
                if run.index > 0 {
                    self.out.put("\n");
                    run.index = 0;
                    // Nothing more comes after the end.
                    run.first = run.last + run.step;
                }
                return finish(&mut self.out, sys, 0);
            }
            if run.index > 0 {
                self.out.put(&run.separator);
            }
            let (width, decimals) = (run.width, run.decimals);
            self.out.put(format!("{value:0width$.decimals$}"));
            run.index += 1;
        }
        if self.out.flush(sys) { Step::Yield } else { Step::Block { until: None } }
    }
}

/// `sleep durations…`
#[derive(Clone, Debug, Default)]
pub struct Sleep {
    out: Out,
    /// When it wakes; `Time::MAX`: never.
    until: Option<Time>,
}

/// A duration like `1.5`, `10s`, `2m`, `1h`, `1d`; `None` for `infinity`.
pub fn duration(text: &str) -> Result<Option<Duration>, ()> {
    if matches!(text, "inf" | "infinity") {
        return Ok(None);
    }
    let digits = text.trim_end_matches(['s', 'm', 'h', 'd']);
    let factor = match text.get(digits.len()..) {
        Some("" | "s") => 1.0,
        Some("m") => 60.0,
        Some("h") => 3600.0,
        Some("d") => 86_400.0,
        _ => return Err(()),
    };
    let seconds: f64 = digits.parse().map_err(|_| ())?;
    Duration::try_from_secs_f64(seconds * factor).map(Some).map_err(|_| ())
}

impl Program for Sleep {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        let until = match self.until {
            Some(until) => until,
            None => {
                self.out.speak(sys);
                let args = sys.args().get(1..).unwrap_or_default();
                if let Some(code) = self.out.help("sleep", args) {
                    return finish(&mut self.out, sys, code);
                }
                if args.is_empty() {
                    self.out.error("sleep: missing operand");
                    self.out.error("Try 'sleep --help' for more information.");
                    return finish(&mut self.out, sys, 1);
                }
                let mut until = sys.now();
                for arg in args {
                    match duration(arg) {
                        Ok(Some(time)) => until = until + time,
                        Ok(None) => until = Time::MAX,
                        Err(()) => {
                            self.out.error(format!("sleep: invalid time interval ‘{arg}’"));
                            self.out.error("Try 'sleep --help' for more information.");
                            return finish(&mut self.out, sys, 1);
                        }
                    }
                }
                *self.until.insert(until)
            }
        };
        if until == Time::MAX {
            return Step::Block { until: None };
        }
        if sys.now() >= until { Step::Exit(0) } else { Step::Block { until: Some(until) } }
    }
}
