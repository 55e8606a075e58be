//! The digest of a store's whole history: equal histories, and only they, give equal digests.

use crate::store::Change;
use sha2::{Digest as _, Sha256};

/// A chain of SHA-256: each link is the hash of the link before and of one change.
///
/// Hashing means writing each object as JSON, which is slow, so it waits until a change leaves
/// the kept history or the digest is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Digest {
    on: bool,
    /// Over the changes that the history has forgotten.
    link: [u8; 32],
}

impl Default for Digest {
    fn default() -> Self {
        Digest { on: true, link: [0; 32] }
    }
}

impl Digest {
    /// Switches on or off. What was forgotten while it was off cannot be covered any more, so it
    /// stays off.
    pub(crate) fn set(&mut self, on: bool) {
        self.on &= on;
    }

    /// Covers a change that the history is about to forget.
    pub(crate) fn forget(&mut self, change: &Change) {
        if self.on {
            self.link = next(self.link, change);
        }
    }

    /// The digest over all that was forgotten and the changes still kept.
    pub(crate) fn of<'a>(&self, kept: impl Iterator<Item = &'a Change>) -> Option<String> {
        let last = self.on.then(|| kept.fold(self.link, next))?;
        Some(last.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

fn next(link: [u8; 32], change: &Change) -> [u8; 32] {
    let value = match change.after.as_ref().map(|object| object.to_json_bytes()) {
        Some(Ok(json)) => json,
        Some(Err(error)) => error.to_string().into_bytes(),
        None => b"deleted".to_vec(),
    };
    let mut hash = Sha256::new();
    hash.update(link);
    hash.update(change.revision.to_be_bytes());
    hash.update(change.key.as_bytes());
    hash.update([0]);
    hash.update(value);
    hash.finalize().into()
}
