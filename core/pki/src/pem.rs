//! PEM (RFC 7468): text around bytes.

use crate::PkiError;
use der::pem::{self, LineEnding};

const BEGIN: &str = "-----BEGIN ";
/// Blocks of one text that are read; a bundle of certificates has a few.
const BLOCKS_MAX: usize = 1_000;

/// One block with its label, `CERTIFICATE`, in lines of 64 letters.
pub fn encode(label: &str, bytes: &[u8]) -> String {
    // Only a label with forbidden letters fails, and labels are constants of this crate.
    pem::encode_string(label, LineEnding::LF, bytes).unwrap_or_default()
}

/// All blocks of a text; what stands between them is passed over.
pub fn blocks(text: &str) -> Result<Vec<(String, Vec<u8>)>, PkiError> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(BEGIN) {
        let (_, block) = rest.split_at(start);
        let label = block.strip_prefix(BEGIN).and_then(|text| text.split("-----").next());
        let end = format!("-----END {}-----", label.unwrap_or_default());
        let Some(length) = block.find(&end).map(|at| at + end.len()) else {
            return Err(PkiError::Pem(format!("no line {end:?}")));
        };
        let (block, after) = block.split_at(length);
        let decoded = pem::decode_vec(block.as_bytes());
        let (label, bytes) = decoded.map_err(|why| PkiError::Pem(why.to_string()))?;
        blocks.push((label.to_owned(), bytes));
        if blocks.len() > BLOCKS_MAX {
            return Err(PkiError::Pem(format!("more than {BLOCKS_MAX} blocks")));
        }
        rest = after;
    }
    Ok(blocks)
}

/// The bytes of the first block with one of these labels.
pub(crate) fn first(text: &str, labels: &[&'static str]) -> Result<Vec<u8>, PkiError> {
    let wanted = labels.first().copied().unwrap_or_default();
    let found = blocks(text)?.into_iter().find(|(label, _)| labels.contains(&label.as_str()));
    found.map(|(_, bytes)| bytes).ok_or(PkiError::NoBlock(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_blocks_between_words() {
        let text = format!("words\n{}more\n{}", encode("ONE", &[1; 60]), encode("TWO", b"2"));
        let read = blocks(&text).unwrap();
        let wanted = [("ONE".to_owned(), vec![1; 60]), ("TWO".to_owned(), b"2".to_vec())];
        assert_eq!(read, wanted);
        assert_eq!(blocks("").unwrap(), []);
        assert_eq!(first(&text, &["THREE"]), Err(PkiError::NoBlock("THREE")));
    }

    #[test]
    fn broken_blocks_are_errors() {
        for text in ["-----BEGIN A-----\nAA==\n", "-----BEGIN A-----\n?\n-----END A-----\n"] {
            assert!(matches!(blocks(text), Err(PkiError::Pem(_))), "{text}");
        }
    }
}
