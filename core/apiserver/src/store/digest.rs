//! The digest of a store's whole history: equal histories, and only they, give equal digests.

use super::Change;
use sha2::{Digest as _, Sha256};

/// A chain of SHA-256: each link is the hash of the link before and of one change.
///
/// Hashing means writing each object as JSON, which takes longer than the commit, so it waits
/// until the digest is asked for; history that is forgotten before that is covered only when it
/// was said that the digest will be asked for.
#[derive(Clone, Debug)]
pub(super) struct Digest {
    keep: bool,
    /// Over the changes that the history has forgotten; `None` when one of them was not covered.
    link: Option<[u8; 32]>,
}

impl Default for Digest {
    fn default() -> Self {
        Digest { keep: false, link: Some([0; 32]) }
    }
}

impl Digest {
    /// Whether to cover what is forgotten from now on.
    pub(super) fn keep(&mut self, on: bool) {
        self.keep = on;
    }

    /// Covers a change that the history is about to forget.
    pub(super) fn forget(&mut self, change: &Change) {
        self.link = self.link.filter(|_| self.keep).map(|link| next(link, change));
    }

    /// The digest over all that was forgotten and the changes still kept.
    pub(super) fn of<'a>(&self, kept: impl Iterator<Item = &'a Change>) -> Option<String> {
        let last = kept.fold(self.link?, next);
        Some(last.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

fn next(link: [u8; 32], change: &Change) -> [u8; 32] {
    let value = match change.after.as_ref().map(|object| object.content_bytes()) {
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
