//! `etcdctl watch`.

use super::Failure;
use super::print::Printer;
use naru_api::etcd::{Etcd, Keys};

/// A watch that goes on.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    keys: Keys,
    /// The revision up to which changes have been told.
    after: u64,
    prev: bool,
    printer: Printer,
}

impl Watch {
    pub(super) fn new(keys: Keys, after: u64, prev: bool, printer: Printer) -> Self {
        Watch { keys, after, prev, printer }
    }

    /// What has happened since the last look.
    pub(super) fn look(&mut self, etcd: &dyn Etcd) -> Result<String, Failure> {
        let (events, latest) = etcd.changes(&self.keys, self.after).map_err(|why| Failure {
            code: Failure::INTERRUPTED,
            out: String::new(),
            err: format!("watch was canceled ({why})\nError: watch is canceled by the server\n"),
        })?;
        // A watch may begin in the future.
        self.after = self.after.max(latest);
        let mut text = String::new();
        for event in events {
            text += &self.printer.event(&event, self.prev)?;
        }
        Ok(text)
    }
}
