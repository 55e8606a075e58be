//! Seeded randomness.

use rand_core::{RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// The only source of randomness of a cluster.
///
/// Every user takes a stream of its own by [`Rng::fork`], so that one more draw in one component
/// does not change what the others see.
#[derive(Clone, Debug)]
pub struct Rng {
    inner: Xoshiro256PlusPlus,
    seed: u64,
}

impl Rng {
    /// A generator whose whole sequence follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Rng { inner: Xoshiro256PlusPlus::seed_from_u64(seed), seed }
    }

    /// An independent stream named `label`. The same seed and label give the same stream, however
    /// much was drawn from `self` before.
    pub fn fork(&self, label: &str) -> Rng {
        // FNV-1a: a fixed hash, the same on every platform.
        let hash = label.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Rng::new(self.seed ^ hash)
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.inner.next_u64()
    }

    /// A number in `0..bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Lemire's multiply-shift; its bias is below 2^-40 for the bounds used here.
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A UUID of this version; of version 4 all that it says is random.
    pub fn uuid(&mut self, version: u8) -> String {
        let (high, low) = (self.next_u64(), self.next_u64());
        format!(
            "{:08x}-{:04x}-{:x}{:03x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            version & 0xf,
            high & 0xfff,
            0x8000 | low >> 48 & 0x3fff,
            low & 0xffff_ffff_ffff
        )
    }

    /// Fills `bytes` with random bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.inner.fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_do_not_depend_on_draws() {
        let mut one = Rng::new(7);
        let first = one.fork("scheduler").next_u64();
        one.next_u64();
        assert_eq!(one.fork("scheduler").next_u64(), first);
        assert_ne!(one.fork("kubelet").next_u64(), first);
    }

    #[test]
    fn uuids_say_their_version() {
        let mut rng = Rng::new(1);
        for version in [1, 4] {
            let uuid = rng.uuid(version);
            let parts: Vec<&str> = uuid.split('-').collect();
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
            assert!(parts[2].starts_with(&version.to_string()), "{uuid}");
            assert!(parts[3].starts_with(['8', '9', 'a', 'b']), "{uuid}");
        }
    }

    #[test]
    fn below_stays_below() {
        let mut rng = Rng::new(1);
        assert!((0..1000).all(|_| rng.below(7) < 7));
        assert_eq!(rng.below(0), 0);
    }
}
