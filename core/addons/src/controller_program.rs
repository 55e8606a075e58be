//! A controller that runs as a program in a container: it lives and ends with its pod.

use naru_api::UserInfo;
use naru_client::{Process, Reconcile};
use naru_shell::{Program, Signal, Step, Sys};
use naru_sim::Time;
use std::fmt;

/// Pieces of work done before others have their turn.
const BATCH: usize = 64;

/// A controller that can run in a container.
pub trait InContainer: Reconcile<()> + Clone + 'static {
    /// Does what its last pieces of work have left to do on the machine.
    fn settle(&mut self, _sys: &mut dyn Sys) {}

    /// Leaves the machine as if it had not run there: the program ends.
    fn leave(&mut self, _sys: &mut dyn Sys) {}

    /// When that goes on by itself.
    fn next_due(&self) -> Option<Time> {
        None
    }
}

/// A controller that is what its container is for.
pub trait StartsInContainer: InContainer {
    /// The service account as which it asks: namespace and name.
    const ACCOUNT: (&'static str, &'static str);

    /// The controller as it starts on this machine.
    fn start(sys: &mut dyn Sys) -> Self;
}

/// The program of a controller.
#[derive(Clone)]
pub struct ControllerProgram<C> {
    name: &'static str,
    /// Makes the controller, and says as whom it asks.
    make: fn(&mut dyn Sys) -> Option<(C, UserInfo)>,
    process: Option<Process<C>>,
    started: bool,
}

fn make<C: StartsInContainer>(sys: &mut dyn Sys) -> Option<(C, UserInfo)> {
    let user = UserInfo::service_account(C::ACCOUNT.0, C::ACCOUNT.1);
    Some((C::start(sys), user))
}

impl<C> fmt::Debug for ControllerProgram<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ControllerProgram").field(&self.name).finish()
    }
}

impl<C: StartsInContainer> ControllerProgram<C> {
    /// A program of this name that is not started.
    pub fn new(name: &'static str) -> Self {
        ControllerProgram { name, make: make::<C>, process: None, started: false }
    }
}

impl<C: InContainer> ControllerProgram<C> {
    /// A program of this name whose controller is made already and asks as this user.
    pub fn with(name: &'static str, controller: C, user: UserInfo, sys: &mut dyn Sys) -> Self {
        let process = Process::new(name, user, &sys.rng().fork(name)).with(controller);
        ControllerProgram { name, make: |_| None, process: Some(process), started: false }
    }

    fn prepare(&mut self, sys: &mut dyn Sys) {
        if self.process.is_some() {
            return;
        }
        sys.catch(Signal::Term);
        sys.catch(Signal::Int);
        if let Some((controller, user)) = (self.make)(sys) {
            let process = Process::new(self.name, user, &sys.rng().fork(self.name));
            self.process = Some(process.with(controller));
        }
    }

    /// Works as long as there is work; `Err` when it must end, with this exit code.
    fn work(&mut self, sys: &mut dyn Sys, ends: bool) -> Result<Step, i32> {
        let now = sys.now();
        let Some(process) = &mut self.process else { return Err(1) };
        let Some(api) = sys.api() else { return Ok(Step::Block { until: None }) };
        if ends {
            process.stop(api);
            return Err(0);
        }
        if !self.started {
            // Whoever may not watch ends, and is started again later.
            if process.start(api).is_err() {
                process.stop(api);
                return Err(1);
            }
            self.started = true;
        }
        process.deliver(api);
        for _ in 0..BATCH {
            let due = process.next_due().is_some_and(|due| due <= now);
            if !due || !process.work(api, &mut ()) {
                return Ok(Step::Block { until: process.next_due() });
            }
        }
        Ok(Step::Yield)
    }
}

fn sooner(step: Step, due: Option<Time>) -> Step {
    match (step, due) {
        (Step::Block { until: Some(until) }, Some(due)) => {
            Step::Block { until: Some(until.min(due)) }
        }
        (Step::Block { until: None }, due) => Step::Block { until: due },
        (step, _) => step,
    }
}

impl<C: InContainer> Program for ControllerProgram<C> {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        let ends = sys.take_signal().is_some();
        self.prepare(sys);
        match self.work(sys, ends) {
            Ok(step) => {
                if let Some(controller) = self.process.as_mut().and_then(Process::controller_mut) {
                    controller.settle(sys);
                    return sooner(step, controller.next_due());
                }
                step
            }
            Err(code) => {
                if let Some(controller) = self.process.as_mut().and_then(Process::controller_mut) {
                    controller.leave(sys);
                }
                Step::Exit(code)
            }
        }
    }
}
