//! What was measured, and the clocks it was measured by.

use serde_json::{Map, Value, json};
use std::fmt;
use std::time::{Duration, Instant};

/// Figures by name, in the order in which they are told. The name ends with the unit.
#[derive(Debug, Default)]
pub struct Figures(Vec<(String, f64)>);

impl Figures {
    /// Adds a figure.
    pub fn add(&mut self, name: impl Into<String>, value: f64) {
        self.0.push((name.into(), value));
    }

    /// Adds what `count` things took, each and in all, with names that begin with `prefix`.
    pub fn add_rate(&mut self, prefix: &str, count: u32, took: Took) {
        let seconds = took.busiest().as_secs_f64().max(f64::MIN_POSITIVE);
        self.add(format!("{prefix}wall_seconds"), took.wall.as_secs_f64());
        if let Some(cpu) = took.cpu {
            self.add(format!("{prefix}cpu_seconds"), cpu.as_secs_f64());
        }
        self.add(format!("{prefix}pods_per_second"), f64::from(count) / seconds);
        self.add(format!("{prefix}microseconds_per_pod"), seconds * 1e6 / f64::from(count.max(1)));
    }

    /// Adds how long one thing took, in milliseconds, with names that begin with `prefix`.
    pub fn add_time(&mut self, prefix: &str, took: Took) {
        self.add(format!("{prefix}wall_milliseconds"), took.wall.as_secs_f64() * 1e3);
        if let Some(cpu) = took.cpu {
            self.add(format!("{prefix}cpu_milliseconds"), cpu.as_secs_f64() * 1e3);
        }
    }

    /// All as one JSON object.
    pub fn json(&self) -> Value {
        let all: Map<String, Value> =
            self.0.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        Value::Object(all)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in &self.0 {
            writeln!(f, "{name:width$}  {value:.3}")?;
        }
        Ok(())
    }
}

/// How long something took.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// By the clock on the wall.
    pub wall: Duration,
    /// Time on a processor, where the system tells it.
    pub cpu: Option<Duration>,
}

impl Took {
    /// Time on a processor, since others may have kept the machine busy; else time on the wall.
    pub fn busiest(&self) -> Duration {
        self.cpu.unwrap_or(self.wall)
    }
}

/// Does something and tells how long it took.
pub fn time<T>(work: impl FnOnce() -> T) -> (T, Took) {
    let (wall, cpu) = (Instant::now(), cpu_time());
    let result = work();
    let cpu = cpu.and_then(|before| cpu_time()?.checked_sub(before));
    (result, Took { wall: wall.elapsed(), cpu })
}

/// How long this thread has been on a processor; `None` where there is no Linux.
fn cpu_time() -> Option<Duration> {
    // The kernel adds up when the thread leaves the processor, or at its ticks, which are some
    // milliseconds apart. So it leaves it.
    std::thread::sleep(Duration::from_nanos(1));
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}
