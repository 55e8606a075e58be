//! What has changed lately, and by it what was there before.

use super::digest::Digest;
use super::{Change, KeyRange, KeyValue, StoreError};
use crate::limits;
use imbl::Vector;
use std::collections::BTreeMap;

/// The latest changes, oldest first: one of each revision after `compacted`.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    changes: Vector<Change>,
    compacted: u64,
    digest: Digest,
}

/// What the keys that have changed since a revision held then; `None`: they were not there.
pub(super) type Overlay<'a> = BTreeMap<&'a str, Option<KeyValue<'a>>>;

impl History {
    /// See [`super::Store::compacted`].
    pub(super) fn compacted(&self) -> u64 {
        self.compacted
    }

    /// Adds a change, and forgets the oldest one when there are too many.
    pub(super) fn push(&mut self, change: Change) {
        self.changes.push_back(change);
        if self.changes.len() > limits::HISTORY_MAX {
            self.forget_one();
        }
    }

    /// Forgets all changes up to `revision`.
    pub(super) fn compact(&mut self, revision: u64) -> Result<(), StoreError> {
        if revision <= self.compacted {
            return Err(StoreError::Compacted);
        }
        if revision > self.compacted + self.changes.len() as u64 {
            return Err(StoreError::Future);
        }
        while self.compacted < revision {
            self.forget_one();
        }
        Ok(())
    }

    fn forget_one(&mut self) {
        if let Some(change) = self.changes.pop_front() {
            self.compacted = change.revision;
            self.digest.forget(&change);
        }
    }

    /// The changes after a revision, oldest first.
    pub(super) fn since(&self, revision: u64) -> Result<impl Iterator<Item = &Change>, StoreError> {
        let known = revision.checked_sub(self.compacted).ok_or(StoreError::Compacted)?;
        let start = usize::try_from(known).unwrap_or(usize::MAX).min(self.changes.len());
        Ok(self.changes.focus().narrow(start..).into_iter())
    }

    /// What the keys of a range that have changed since `revision` held then.
    pub(super) fn overlay<'a>(
        &'a self,
        range: &KeyRange,
        revision: u64,
    ) -> Result<Overlay<'a>, StoreError> {
        let mut overlay = Overlay::new();
        for change in self.since(revision)?.filter(|change| range.contains(&change.key)) {
            // The first change since then tells what was there.
            overlay.entry(&change.key).or_insert_with(|| before(change));
        }
        Ok(overlay)
    }

    pub(super) fn keep_digest(&mut self, on: bool) {
        self.digest.keep(on);
    }

    pub(super) fn digest(&self) -> Option<String> {
        self.digest.of(self.changes.iter())
    }
}

/// The key as it was before a change.
fn before(change: &Change) -> Option<KeyValue<'_>> {
    let object = change.before.as_ref()?;
    Some(KeyValue {
        key: &change.key,
        object,
        created: change.created,
        modified: object.revision(),
        version: change.version.saturating_sub(1),
        expires: None,
    })
}

/// The values of today with those of then in their places, in the order of keys.
pub(super) fn merge<'a>(
    today: impl Iterator<Item = KeyValue<'a>> + 'a,
    overlay: Overlay<'a>,
) -> impl Iterator<Item = KeyValue<'a>> + 'a {
    let mut today = today.peekable();
    let mut then = overlay.into_iter().peekable();
    std::iter::from_fn(move || {
        loop {
            let Some((key, _)) = then.peek() else { return today.next() };
            match today.peek().map(|value| value.key.as_ref().cmp(*key)) {
                Some(std::cmp::Ordering::Less) => return today.next(),
                Some(std::cmp::Ordering::Equal) => drop(today.next()),
                Some(std::cmp::Ordering::Greater) | None => {}
            }
            if let Some((_, Some(value))) = then.next() {
                return Some(value);
            }
        }
    })
}
