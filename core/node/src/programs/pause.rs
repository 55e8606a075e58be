//! The program of a pod's sandbox: it holds the namespaces and waits for its end.

use naru_shell::{Program, Signal, Step, Sys};

/// Waits until SIGTERM or SIGINT.
#[derive(Clone, Debug)]
pub struct Pause;

impl Program for Pause {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        sys.catch(Signal::Term);
        sys.catch(Signal::Int);
        match sys.take_signal() {
            Some(_) => Step::Exit(0),
            None => Step::Block { until: None },
        }
    }
}
