//! The program `etcdctl`.

use super::Failure;
use super::commands::{self, Outcome};
use super::watch::Watch;
use naru_shell::{Errno, Fd, Program, Step, Sys};
use naru_sim::Time;
use std::time::Duration;

/// How often a watch looks whether something has changed.
const LOOK: Duration = Duration::from_millis(50);

/// A fresh instance of the program.
pub fn program() -> Box<dyn Program> {
    Box::new(EtcdCtl::default())
}

#[derive(Clone, Debug, Default)]
struct EtcdCtl {
    state: State,
    /// What is to be written, before all else.
    output: Vec<(Fd, Vec<u8>)>,
}

#[derive(Clone, Debug, Default)]
enum State {
    #[default]
    Fresh,
    /// Nobody answers; at this moment the command gives up.
    GivesUp(Time, Failure),
    Watches(Box<Watch>),
    Ended(i32),
}

impl Program for EtcdCtl {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        loop {
            match self.flush(sys) {
                Ok(()) => {}
                Err(Errno::Again) => return Step::Block { until: None },
                // Nobody reads any more.
                Err(_) => return Step::Exit(1),
            }
            match std::mem::take(&mut self.state) {
                State::Fresh => match commands::run(sys) {
                    Ok(Outcome::Done(text)) => self.end(0, text, String::new()),
                    Ok(Outcome::Watch(watch)) => self.state = State::Watches(watch),
                    Ok(Outcome::GivesUp(after, failure)) => {
                        self.state = State::GivesUp(sys.now() + after, failure);
                    }
                    Err(failure) => self.fail(failure),
                },
                State::GivesUp(at, failure) if sys.now() >= at => self.fail(failure),
                State::GivesUp(at, failure) => {
                    self.state = State::GivesUp(at, failure);
                    return Step::Block { until: Some(at) };
                }
                State::Watches(mut watch) => {
                    let looked = match sys.api().and_then(|api| api.etcd()) {
                        Some(etcd) => watch.look(etcd),
                        None => Ok(String::new()),
                    };
                    match looked {
                        Ok(text) if text.is_empty() => {
                            self.state = State::Watches(watch);
                            return Step::Block { until: Some(sys.now() + LOOK) };
                        }
                        Ok(text) => {
                            self.output.push((1, text.into_bytes()));
                            self.state = State::Watches(watch);
                        }
                        Err(failure) => self.fail(failure),
                    }
                }
                State::Ended(code) => return Step::Exit(code),
            }
        }
    }
}

impl EtcdCtl {
    fn fail(&mut self, failure: Failure) {
        self.end(failure.code, failure.out, failure.err);
    }

    fn end(&mut self, code: i32, out: String, err: String) {
        self.output.extend([(1, out.into_bytes()), (2, err.into_bytes())]);
        self.state = State::Ended(code);
    }

    fn flush(&mut self, sys: &mut dyn Sys) -> Result<(), Errno> {
        while let Some((fd, bytes)) = self.output.first_mut() {
            if bytes.is_empty() {
                self.output.remove(0);
                continue;
            }
            let taken = sys.write(*fd, bytes)?;
            bytes.drain(..taken.min(bytes.len()));
        }
        Ok(())
    }
}
