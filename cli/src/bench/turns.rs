//! `naru bench turns`.

use super::figures::Figures;
use super::startup;
use clap::Args;
use naru_cluster::Cluster;
use std::error::Error;
use std::time::{Duration, Instant};

/// How long the longest piece of work is that nothing interrupts while pods start.
///
/// A Deployment of so many pods is applied on a kind cluster with more workers, and each turn of
/// the machine until all pods are ready is timed by itself, as the page's worker does them. Between
/// two turns the worker looks at what was typed: so a key waits for one turn at most, for its own
/// turn and for the view, which is taken after every frame's work and is timed too. The history is
/// the same in each run, and of the runs the least time of each turn counts.
#[derive(Args)]
pub struct Turns {
    /// Pods.
    #[arg(long, default_value_t = 1_000)]
    pods: u32,
}

/// How often the same history is lived through.
const RUNS: usize = 3;
/// Pods that a node takes.
const PODS_PER_NODE: u32 = 100;
/// Turns between two views: about a frame's work.
const TURNS_PER_VIEW: usize = 100;
/// Virtual time within which all pods become ready.
const LIMIT: Duration = Duration::from_secs(600);
/// What is typed now and then.
const KEY: &[u8] = b"k";
/// Turns between two keys.
const TURNS_PER_KEY: usize = 500;

impl Turns {
    /// Measures.
    pub fn run(&self, seed: u64) -> Result<Figures, Box<dyn Error>> {
        let mut cluster = startup::cluster(seed, self.pods.div_ceil(PODS_PER_NODE).max(1) + 1)?;
        let line = format!(
            "kubectl create deployment web --image=registry.k8s.io/pause:3.10 --replicas={}",
            self.pods
        );
        let done = cluster.exec(&line, LIMIT);
        if done.code != 0 {
            return Err(done.stderr.into());
        }
        let mut least: Option<Times> = None;
        for _ in 0..RUNS {
            let times = live_through(cluster.clone());
            least = Some(match least {
                Some(least) => least.least(&times),
                None => times,
            });
        }
        let Times { mut turns, mut views, mut keys } = least.unwrap_or_default();
        let mut figures = Figures::default();
        figures.add("pods", f64::from(self.pods));
        for (name, times) in [("turn", &mut turns), ("view", &mut views), ("key", &mut keys)] {
            times.sort_unstable();
            let milliseconds = |place: usize| {
                let time = times.get(place.min(times.len().saturating_sub(1)));
                time.copied().unwrap_or_default().as_secs_f64() * 1e3
            };
            figures.add(format!("{name}s"), times.len() as f64);
            figures.add(format!("{name}_median_milliseconds"), milliseconds(times.len() / 2));
            let high = times.len().saturating_sub(1 + times.len() / 1_000);
            figures.add(format!("{name}_999_milliseconds"), milliseconds(high));
            figures.add(format!("{name}_longest_milliseconds"), milliseconds(times.len()));
        }
        Ok(figures)
    }
}

/// How long everything took, in order.
#[derive(Default)]
struct Times {
    turns: Vec<Duration>,
    views: Vec<Duration>,
    keys: Vec<Duration>,
}

impl Times {
    fn least(&self, other: &Times) -> Times {
        let least = |a: &[Duration], b: &[Duration]| {
            a.iter().zip(b).map(|(a, b)| *a.min(b)).collect::<Vec<_>>()
        };
        Times {
            turns: least(&self.turns, &other.turns),
            views: least(&self.views, &other.views),
            keys: least(&self.keys, &other.keys),
        }
    }
}

/// Goes on, turn by turn, until the time is over in which all pods become ready.
fn live_through(mut cluster: Cluster) -> Times {
    let mut times = Times::default();
    let terminal = cluster.open_terminal(80, 24);
    cluster.view();
    let end = cluster.now() + LIMIT;
    let timed = |into: &mut Vec<Duration>, work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        into.push(start.elapsed());
    };
    while cluster.next_due().is_some_and(|due| due <= end) {
        timed(&mut times.turns, &mut || {
            cluster.advance(end, 1);
        });
        if times.turns.len() % TURNS_PER_VIEW == 0 {
            timed(&mut times.views, &mut || drop(cluster.view()));
        }
        if times.turns.len() % TURNS_PER_KEY == 0 {
            timed(&mut times.keys, &mut || {
                cluster.terminal_input(terminal, KEY);
                // Until the key is shown, which is a turn of the learner's machine.
                for _ in 0..TURNS_PER_VIEW {
                    let due = cluster.now();
                    cluster.advance(due, 1);
                    if !cluster.terminal_output(terminal).is_empty() {
                        break;
                    }
                }
            });
        }
        cluster.terminal_output(terminal);
    }
    times
}
