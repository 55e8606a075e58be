//! The suffix by which a generated config map or secret is known by its content.
//!
//! Upstream: `k8s.io/kubectl/pkg/util/hash/hash.go`, `sigs.k8s.io/kustomize/api/hasher`.

use sha2::{Digest as _, Sha256};

/// Characters of a suffix.
const LENGTH: usize = 10;

/// The suffix of what was written as JSON. Digits and vowels that could make words are replaced.
pub fn suffix(json: &str) -> String {
    let digest = Sha256::digest(json.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.chars()
        .take(LENGTH)
        .map(|c| match c {
            '0' => 'g',
            '1' => 'h',
            '3' => 'k',
            'a' => 'm',
            'e' => 't',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected: what upstream's hash_test.go lists.
    #[test]
    fn suffixes() {
        for (json, expected) in [
            (r#"{"data":{},"kind":"ConfigMap","name":""}"#, "42745tchd9"),
            (r#"{"data":{"one":""},"kind":"ConfigMap","name":""}"#, "9g67k2htb6"),
        ] {
            assert_eq!(suffix(json), expected);
        }
    }
}
