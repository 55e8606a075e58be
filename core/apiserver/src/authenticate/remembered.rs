//! Credentials whose signatures were checked: one check is worth thousands of other requests.
//!
//! Only what a signature says is remembered. Whether it is still true (dates, the objects that a
//! token names) is looked at each time; a cache of the API server's own answers, which upstream
//! keeps for ten seconds, would let a deleted pod's token live on.
//!
//! Upstream: `apiserver/pkg/authentication/token/cache`.

use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Credentials of one sort; the oldest is forgotten first.
const CREDENTIALS_MAX: usize = 1_024;
/// Bytes of one: larger ones are checked each time.
const BYTES_MAX: usize = 8 * 1_024;

type Digest256 = [u8; 32];

/// What credentials of one sort say, by their hashes.
#[derive(Clone, Debug)]
pub(crate) struct Remembered<T> {
    known: BTreeMap<Digest256, Arc<T>>,
    order: VecDeque<Digest256>,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Remembered { known: BTreeMap::new(), order: VecDeque::new() }
    }
}

impl<T> Remembered<T> {
    /// What the credential says: what is remembered if that is `good`, or else what the check finds.
    pub(super) fn check<E>(
        &mut self,
        credential: &[u8],
        good: impl FnOnce(&T) -> bool,
        check: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let hash: Digest256 = Sha256::digest(credential).into();
        if let Some(found) = self.known.get(&hash).filter(|found| good(found)) {
            return Ok(Arc::clone(found));
        }
        let found = Arc::new(check()?);
        if credential.len() <= BYTES_MAX && self.known.insert(hash, Arc::clone(&found)).is_none() {
            self.order.push_back(hash);
            if self.order.len() > CREDENTIALS_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_checked_once() {
        let mut remembered: Remembered<u32> = Remembered::default();
        let mut checks = 0;
        for _ in 0..3 {
            let found = remembered.check(
                b"a",
                |_| true,
                || {
                    checks += 1;
                    Ok::<_, ()>(7)
                },
            );
            assert_eq!(found, Ok(Arc::new(7)));
        }
        assert_eq!(checks, 1);
        assert_eq!(remembered.check(b"a", |_| false, || Ok::<_, ()>(8)), Ok(Arc::new(8)));
        assert_eq!(remembered.check(b"b", |_| true, || Err("bad")), Err("bad"));
        assert_eq!(remembered.check(b"b", |_| true, || Err("bad")), Err("bad"), "refusals are not");
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let mut remembered: Remembered<usize> = Remembered::default();
        for number in 0..=CREDENTIALS_MAX {
            let _ = remembered.check(&number.to_le_bytes(), |_| true, || Ok::<_, ()>(number));
        }
        assert_eq!(
            (remembered.known.len(), remembered.order.len()),
            (CREDENTIALS_MAX, CREDENTIALS_MAX)
        );
        let first = remembered.check(&0_usize.to_le_bytes(), |_| true, || Err(()));
        assert_eq!(first, Err(()));
    }
}
