//! What events are told apart by: their texts as one number.

/// A number for texts in a row: of equal texts always the same, and of others another one as good
/// as certainly. A component knows thousands of events; their texts would take a kilobyte each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Fingerprint(u128);

impl Fingerprint {
    /// Of these texts.
    pub(super) fn of<'a>(texts: impl IntoIterator<Item = Option<&'a String>>) -> Self {
        Fingerprint::default().and(texts)
    }

    /// Of the texts before and these.
    pub(super) fn and<'a>(self, texts: impl IntoIterator<Item = Option<&'a String>>) -> Self {
        texts.into_iter().fold(self, |sum, text| sum.with(text.map_or("", String::as_str)))
    }

    /// Of the texts before and this one.
    pub(super) fn with(mut self, text: &str) -> Self {
        // The length keeps "a", "bc" and "ab", "c" apart.
        self.mix(text.len() as u64);
        for chunk in text.as_bytes().chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.mix(u64::from_le_bytes(word));
        }
        self
    }

    fn mix(&mut self, word: u64) {
        // An odd number of 128 bits without a pattern, and a turn that brings what it has moved to
        // the upper half down again.
        const FACTOR: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
        self.0 = (self.0 ^ u128::from(word)).wrapping_mul(FACTOR).rotate_left(67);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn other_texts_have_other_fingerprints() {
        let mut seen = BTreeSet::new();
        for a in ["", "a", "b", "ab", "pod-1", "pod-10", "pod-100"] {
            for b in ["", "a", "b", "bc", "Pulled", "Created", "Started"] {
                assert!(seen.insert(Fingerprint::default().with(a).with(b)), "{a} {b}");
            }
        }
        for number in 0..10_000 {
            let name = Some(format!("default/pod-{number}"));
            assert!(seen.insert(Fingerprint::of([name.as_ref(), None])), "{number}");
            assert!(!seen.insert(Fingerprint::of([name.as_ref()]).with("")), "{number}");
        }
    }
}
