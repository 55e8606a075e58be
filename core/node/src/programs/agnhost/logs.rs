//! `agnhost logs-generator`: so many lines of a log in so much time.

use naru_shell::serve::clock;
use naru_shell::{Program, Step, Sys};
use naru_sim::Time;
use std::time::Duration;

const VERBS: &[&str] = &["GET", "POST", "PUT"];
const PODS: &[&str] = &["6z4", "b9k", "fwh", "jpv", "qtm", "xv2"];

/// The program.
#[derive(Clone, Debug)]
pub struct LogsGenerator {
    total: u64,
    step: Duration,
    said: u64,
    next: Option<Time>,
}

impl LogsGenerator {
    /// `total` lines, spread over `time`.
    pub fn new(total: u64, time: Duration) -> Self {
        let step = time.checked_div(u32::try_from(total.max(1)).unwrap_or(u32::MAX));
        let step = step.unwrap_or_default().max(Duration::from_millis(1));
        LogsGenerator { total, step, said: 0, next: None }
    }
}

impl Program for LogsGenerator {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        let next = *self.next.get_or_insert(sys.now() + self.step);
        if sys.now() < next {
            return Step::Block { until: Some(next) };
        }
        if self.said >= self.total {
            return Step::Exit(0);
        }
        let time = clock::format(sys.now(), clock::KLOG);
        let pick = |list: &'static [&'static str], number: u64| {
            usize::try_from(number).ok().and_then(|at| list.get(at)).copied().unwrap_or_default()
        };
        let verb = pick(VERBS, sys.rng().below(VERBS.len() as u64));
        let pod = pick(PODS, sys.rng().below(PODS.len() as u64));
        let status = 200 + sys.rng().below(400);
        let line = format!(
            "I{time}       1 logs_generator.go:76] {} {verb} /api/v1/namespaces/default/pods/{pod} \
             {status}\n",
            self.said
        );
        let _ = sys.write(2, line.as_bytes());
        self.said += 1;
        self.next = Some(next + self.step);
        Step::Block { until: self.next }
    }
}
