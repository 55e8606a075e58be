//! Base64 (RFC 4648).

use base64ct::{Base64, Base64UrlUnpadded, Encoding};

/// With the standard letters and with padding, as in a kubeconfig.
pub fn encode(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

/// Reads what [`encode`] writes; line ends within the text are passed over.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let text: String = text.chars().filter(|letter| !matches!(letter, '\r' | '\n')).collect();
    Base64::decode_vec(&text).ok()
}

/// With the letters of URLs and without padding, as in a token.
pub fn encode_url(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

/// Reads what [`encode_url`] writes.
pub fn decode_url(text: &str) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_alphabets() {
        let bytes = "\u{3ff}?".as_bytes();
        assert_eq!((encode(bytes).as_str(), encode_url(bytes).as_str()), ("z78/", "z78_"));
        assert_eq!(decode("z7\n8/").as_deref(), Some(bytes));
        assert_eq!(decode_url("z78_").as_deref(), Some(bytes));
        assert_eq!(decode("z78"), None);
        assert_eq!(decode_url("z78/"), None);
    }
}
