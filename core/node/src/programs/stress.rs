//! `stress`: uses processors and memory, as its arguments say. Both programs of that name that
//! lessons use: that of `polinux/stress` (`--cpu 2 --vm 1 --vm-bytes 150M --vm-hang 1`) and that of
//! `vish/stress` (`-cpus 2`, `-mem-total 150Mi -mem-alloc-size 10Mi -mem-alloc-sleep 1s`).

use naru_api::quantity::Amount;
use naru_shell::serve::klog;
use naru_shell::{Program, Step, Sys};
use naru_sim::Time;
use std::time::Duration;

/// Workers of one kind.
const WORKERS_MAX: u64 = 64;
/// How long a worker computes before it looks around.
const TICK: Duration = Duration::from_millis(100);
/// How much memory a worker takes in a tick.
const CHUNK: u64 = 64 << 20;
/// What `--vm-bytes` is when nobody says. Upstream: `stress(1)`.
const VM_BYTES: u64 = 256 << 20;

/// What a command line asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wish {
    cpus: u64,
    vms: u64,
    bytes: u64,
    chunk: u64,
    pause: Duration,
    timeout: Option<Duration>,
    /// Whether the words are those of `vish/stress`.
    go: bool,
}

/// The program: it starts its workers and waits.
#[derive(Clone, Debug, Default)]
pub struct Stress {
    begun: Option<Time>,
    until: Option<Time>,
    workers: Vec<u32>,
}

impl Program for Stress {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        let Some(begun) = self.begun else { return self.begin(sys) };
        let now = sys.now();
        if self.until.is_some_and(|until| now >= until) {
            let seconds = now.since(begun).as_secs();
            let line =
                format!("stress: info: [{}] successful run completed in {seconds}s\n", sys.pid());
            let _ = sys.write(1, line.as_bytes());
            return Step::Exit(0);
        }
        for worker in self.workers.clone() {
            if let Ok(code) = sys.wait(worker)
                && code != 0
            {
                let (pid, signal) = (sys.pid(), code - 128);
                let line = format!(
                    "stress: FAIL: [{pid}] (415) <-- worker {worker} got signal {signal}\n"
                );
                let _ = sys.write(2, line.as_bytes());
                return Step::Exit(1);
            }
        }
        Step::Block { until: self.until }
    }
}

impl Stress {
    fn begin(&mut self, sys: &mut dyn Sys) -> Step {
        let args = sys.args().to_vec();
        let wish = match parse(args.get(1..).unwrap_or_default()) {
            Ok(wish) => wish,
            Err(why) => {
                let _ = sys.write(2, format!("stress: FAIL: [{}] {why}\n", sys.pid()).as_bytes());
                return Step::Exit(1);
            }
        };
        let now = sys.now();
        self.begun = Some(now);
        self.until = wish.timeout.map(|timeout| now + timeout);
        greet(sys, &wish);
        let memory = (0..wish.vms).map(|_| Worker::memory(&wish));
        let workers: Vec<Worker> =
            (0..wish.cpus).map(|_| Worker::default()).chain(memory).collect();
        for worker in workers {
            // A machine that is too full has fewer.
            if let Ok(pid) = sys.fork(Box::new(worker), args.clone(), &[(1, 1), (2, 2)]) {
                self.workers.push(pid);
            }
        }
        Step::Block { until: self.until }
    }
}

impl Wish {
    /// What `vish/stress` does when nobody says otherwise.
    fn as_go(&mut self) -> &mut Self {
        if !self.go {
            let pause = Duration::from_millis(1);
            (self.go, self.bytes, self.chunk, self.pause) = (true, 0, 4 << 10, pause);
        }
        self
    }
}

fn greet(sys: &mut dyn Sys, wish: &Wish) {
    if !wish.go {
        let line = format!(
            "stress: info: [{}] dispatching hogs: {} cpu, 0 io, {} vm, 0 hdd\n",
            sys.pid(),
            wish.cpus,
            wish.vms
        );
        let _ = sys.write(1, line.as_bytes());
        return;
    }
    let amount = |bytes: u64| Amount::from_bytes(i64::try_from(bytes).unwrap_or(i64::MAX));
    let mut lines = vec![format!(
        "main.go:26] Allocating \"{}\" memory, in \"{}\" chunks, with a {} sleep between allocations",
        amount(wish.bytes),
        amount(wish.chunk),
        naru_api::duration::go(wish.pause)
    )];
    lines.extend((0..wish.cpus).map(|_| "main.go:39] Spawning a thread to consume CPU".to_owned()));
    for line in lines {
        klog::line(sys, 'I', &line);
    }
}

fn parse(args: &[String]) -> Result<Wish, String> {
    let mut wish = Wish { chunk: CHUNK, pause: TICK, bytes: VM_BYTES, ..Wish::default() };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let (name, given) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (arg.as_str(), None),
        };
        let mut value = || given.clone().or_else(|| args.next().cloned()).unwrap_or_default();
        match name {
            "-c" | "--cpu" => wish.cpus = number(&value())?,
            "-m" | "--vm" => wish.vms = number(&value())?,
            "--vm-bytes" => wish.bytes = size(&value())?,
            "-t" | "--timeout" => wish.timeout = Some(seconds(&value())?),
            "-i" | "--io" | "-d" | "--hdd" | "--vm-hang" | "--vm-stride" | "--backoff" => {
                drop(value());
            }
            "-v" | "--verbose" | "-q" | "--quiet" | "--vm-keep" | "-logtostderr" => {}
            "-cpus" => wish.as_go().cpus = number(&value())?,
            "-mem-total" => {
                wish.as_go().vms = 1;
                wish.bytes = size(&value())?;
            }
            "-mem-alloc-size" => wish.as_go().chunk = size(&value())?,
            "-mem-alloc-sleep" => wish.as_go().pause = seconds(&value())?,
            other => return Err(format!("(240) unrecognized option: {other}")),
        }
    }
    Ok(wish)
}

fn number(text: &str) -> Result<u64, String> {
    let number: u64 = text.parse().map_err(|_| format!("(228) invalid number: {text}"))?;
    Ok(number.min(WORKERS_MAX))
}

fn size(text: &str) -> Result<u64, String> {
    let bad = || format!("(228) invalid number: {text}");
    if let Ok(amount) = text.parse::<Amount>()
        && text.ends_with('i')
    {
        return u64::try_from(amount.value()).map_err(|_| bad());
    }
    let (digits, shift) = match text.chars().last() {
        Some('K' | 'k') => (text.get(..text.len() - 1).unwrap_or_default(), 10),
        Some('M' | 'm') => (text.get(..text.len() - 1).unwrap_or_default(), 20),
        Some('G' | 'g') => (text.get(..text.len() - 1).unwrap_or_default(), 30),
        Some('B' | 'b') => (text.get(..text.len() - 1).unwrap_or_default(), 0),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift)).ok_or_else(bad)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let bad = || format!("(228) invalid number: {text}");
    let (digits, unit) = match text {
        text if text.ends_with("ms") => (text.trim_end_matches("ms"), 1),
        text if text.ends_with('s') => (text.trim_end_matches('s'), 1_000),
        text if text.ends_with('m') => (text.trim_end_matches('m'), 60_000),
        text if text.ends_with('h') => (text.trim_end_matches('h'), 3_600_000),
        text => (text, 1_000),
    };
    let number: u64 = digits.parse().map_err(|_| bad())?;
    Ok(Duration::from_millis(number.saturating_mul(unit)))
}

/// One that computes, or (with `bytes`) takes memory and holds it.
#[derive(Clone, Debug, Default)]
struct Worker {
    bytes: u64,
    chunk: u64,
    pause: Duration,
    held: u64,
    done_at: Option<Time>,
    tells: bool,
}

impl Worker {
    fn memory(wish: &Wish) -> Worker {
        // So small steps as the real one's would only take the sandbox's time.
        let (chunk, pause) = (wish.chunk.max(1 << 20), wish.pause.max(Duration::from_millis(1)));
        Worker { bytes: wish.bytes, chunk, pause, tells: wish.go, ..Worker::default() }
    }
}

impl Program for Worker {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if self.bytes == 0 {
            return self.compute(sys);
        }
        if self.held >= self.bytes {
            return Step::Block { until: None };
        }
        let now = sys.now();
        if self.done_at.is_some_and(|at| now < at) {
            return Step::Block { until: self.done_at };
        }
        self.held = (self.held + self.chunk).min(self.bytes);
        sys.use_memory(self.held);
        self.done_at = Some(now + self.pause);
        if self.held >= self.bytes && self.tells {
            let amount = Amount::from_bytes(i64::try_from(self.bytes).unwrap_or(i64::MAX));
            klog::log(sys, 'I', "main.go:29", &format!("Allocated \"{amount}\" memory"));
        }
        Step::Block { until: self.done_at }
    }
}

impl Worker {
    fn compute(&mut self, sys: &mut dyn Sys) -> Step {
        let now = sys.now();
        if self.done_at.is_none_or(|at| now >= at) {
            self.done_at = Some(now + sys.burn(TICK));
        }
        Step::Block { until: self.done_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Wish, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&words)
    }

    #[test]
    fn both_command_lines() {
        let wish = read("--cpu 2 --vm 1 --vm-bytes 150M --vm-hang 1 --timeout 30s").unwrap();
        assert_eq!((wish.cpus, wish.vms, wish.bytes, wish.go), (2, 1, 150 << 20, false));
        assert_eq!(wish.timeout, Some(Duration::from_secs(30)));
        let wish = read("-mem-total 150Mi -mem-alloc-size 10Mi -mem-alloc-sleep 1s").unwrap();
        assert_eq!((wish.vms, wish.bytes, wish.chunk, wish.go), (1, 150 << 20, 10 << 20, true));
        assert_eq!(read("-cpus 2").unwrap().cpus, 2);
        assert!(read("--nonsense").is_err());
    }
}
