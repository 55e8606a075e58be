//! What an object carries along of who wrote it, so that `metadata.managedFields` can be told when
//! somebody looks.

use super::managers::{Manager, Managers, Operation};
use super::scope;
use crate::KindRef;
use crate::object::KubeObject;
use jiff::Timestamp;
use std::sync::{Arc, OnceLock};

/// Writes of different writers that wait to be worked out; one more works them out.
const RUNS_MAX: usize = 12;

/// Who owns which fields, partly not worked out yet: what was known, and the writes since.
#[derive(Debug, Default)]
pub struct Ledger {
    known: Arc<Managers>,
    runs: Vec<Run>,
    /// All of it, once somebody has looked.
    worked_out: OnceLock<Arc<Managers>>,
}

/// Writes of one writer, one after the other. What they changed is the difference between the
/// object before them and the object before the next run.
#[derive(Clone, Debug)]
struct Run {
    /// `None`: a write that counts as nobody's.
    writer: Option<Writer>,
    kind: KindRef,
    time: Timestamp,
    before: Arc<dyn KubeObject>,
}

/// Who writes, and through which door.
#[derive(Clone, Debug, PartialEq)]
pub struct Writer {
    /// The field manager that the request names; "" is the first part of the agent.
    pub manager: Arc<str>,
    /// The client program.
    pub agent: Arc<str>,
    /// `status`, or "".
    pub subresource: &'static str,
}

impl Writer {
    /// The manager that the writer is.
    pub fn updater(&self) -> Manager {
        Manager::new(&self.manager, &self.agent, Operation::Update, self.subresource)
    }

    /// The manager that the writer is when it applies.
    pub fn applier(&self) -> Manager {
        Manager::new(&self.manager, &self.agent, Operation::Apply, self.subresource)
    }
}

impl Ledger {
    /// A ledger in which all is worked out.
    pub fn known(managers: Arc<Managers>) -> Self {
        Ledger { known: managers, ..Ledger::default() }
    }

    /// Whether something waits to be worked out.
    pub fn waits(&self) -> bool {
        !self.runs.is_empty() && self.worked_out.get().is_none()
    }

    /// The managers of the object whose content is `now`.
    pub fn managers(&self, now: &Arc<dyn KubeObject>) -> Arc<Managers> {
        if self.runs.is_empty() {
            return Arc::clone(&self.known);
        }
        Arc::clone(self.worked_out.get_or_init(|| Arc::new(self.work_out(now))))
    }

    fn work_out(&self, now: &Arc<dyn KubeObject>) -> Managers {
        let mut managers = Managers::clone(&self.known);
        let states = self.runs.iter().map(|run| &run.before).chain([now]);
        for (run, after) in self.runs.iter().zip(states.skip(1)) {
            // As upstream: what is not tracked from its making is not tracked by updates.
            let (Some(writer), false) = (&run.writer, managers.is_empty()) else { continue };
            let (Ok(before), Ok(after)) = (run.before.to_json(), after.to_json()) else {
                continue;
            };
            let scope = scope(&run.kind, writer.subresource);
            managers.update(&scope, writer.updater(), &before, &after, run.time);
        }
        managers
    }

    /// The ledger after a write that found the object as `before`.
    pub fn after(
        &self,
        before: &Arc<dyn KubeObject>,
        writer: Option<&Writer>,
        kind: &KindRef,
        time: Timestamp,
    ) -> Self {
        let mut next = if let Some(managers) = self.worked_out.get() {
            Ledger::known(Arc::clone(managers))
        } else if self.runs.len() >= RUNS_MAX {
            Ledger::known(self.managers(before))
        } else {
            Ledger { known: Arc::clone(&self.known), runs: self.runs.clone(), ..Ledger::default() }
        };
        match next.runs.last_mut() {
            Some(run) if run.writer.as_ref() == writer => run.time = time,
            // As nobody's, it need not be told apart from what is known already.
            None if writer.is_none() => {}
            _ => next.runs.push(Run {
                writer: writer.cloned(),
                kind: kind.clone(),
                time,
                before: Arc::clone(before),
            }),
        }
        next
    }
}
