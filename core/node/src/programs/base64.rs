//! Base64 (RFC 4648), as the header `Authorization` has it.

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The text that was encoded; `None` for what is no base64 or no text.
pub fn decode64(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let value = LETTERS.iter().position(|letter| *letter == byte)?;
        bits = (bits << 6) | u32::try_from(value).ok()?;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).ok()?);
        }
    }
    String::from_utf8(bytes).ok()
}

/// A text in base64.
pub fn encode64(text: &str) -> String {
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = (at(0) << 16) | (at(1) << 8) | at(2);
        for place in 0..4 {
            let value = (bits >> (18 - 6 * place)) & 0x3f;
            let letter = LETTERS.get(value as usize).copied().unwrap_or(b'A');
            out.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        for text in ["", "a", "ab", "abc", "guest:guest", "나루"] {
            assert_eq!(decode64(&encode64(text)).as_deref(), Some(text));
        }
        assert_eq!(encode64("guest:guest"), "Z3Vlc3Q6Z3Vlc3Q=");
        assert_eq!(decode64("?"), None);
    }
}
