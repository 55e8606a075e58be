//! `base64`

use super::tool::{Filter, Next, Options, Out};
use crate::Sys;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes in base64, with padding.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let sextet = (group >> (18 - 6 * place) & 63) as usize;
            let filled = place <= chunk.len();
            let letter = if filled { ALPHABET.get(sextet).copied().unwrap_or(b'=') } else { b'=' };
            text.push(char::from(letter));
        }
    }
    text
}

/// The bytes of a text in base64, and whether all of it was valid. Line ends are passed over.
pub fn decode(text: &[u8]) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let (mut group, mut count, mut padding) = (0_u32, 0, 0);
    for byte in text.iter().filter(|byte| !byte.is_ascii_whitespace()) {
        if *byte == b'=' {
            padding += 1;
            continue;
        }
        let Some(value) = ALPHABET.iter().position(|letter| letter == byte) else {
            return (bytes, false);
        };
        if padding > 0 {
            return (bytes, false);
        }
        group = group << 6 | value as u32;
        count += 1;
        if count == 4 {
            bytes.extend(group.to_be_bytes().iter().skip(1));
            (group, count) = (0, 0);
        }
    }
    match count {
        2 => bytes.push((group >> 4) as u8),
        3 => bytes.extend([(group >> 10) as u8, (group >> 2) as u8]),
        _ => {}
    }
    (bytes, count != 1 && (count == 0 || padding == 4 - count))
}

/// `base64 [-d] [-w columns] [file]`
#[derive(Clone, Debug)]
pub struct Base64 {
    decodes: bool,
    ignores: bool,
    wrap: usize,
    bytes: Vec<u8>,
}

/// Most bytes that are taken.
const BYTES_MAX: usize = 16 << 20;

impl Filter for Base64 {
    const BY_CHUNK: bool = true;

    fn start(
        sys: &mut dyn Sys,
        args: &[String],
        out: &mut Out,
    ) -> Result<(Self, Vec<String>), i32> {
        let long = [("decode", 'd'), ("wrap", 'w'), ("ignore-garbage", 'i')];
        let options = Options::parse(sys, args, "dDw:i", &long, out, 1)?;
        let wrap = match options.value('w').map(|text| (text, text.parse())) {
            None => 76,
            Some((_, Ok(columns))) => columns,
            Some((text, Err(_))) => {
                out.error(format!("base64: invalid wrap size: ‘{text}’"));
                return Err(1);
            }
        };
        let decodes = options.has('d') || options.has('D');
        let base64 = Base64 { decodes, ignores: options.has('i'), wrap, bytes: Vec::new() };
        Ok((base64, options.operands))
    }

    fn line(&mut self, chunk: &[u8], _ended: bool, out: &mut Out) -> Next {
        self.bytes.extend_from_slice(chunk);
        if self.bytes.len() > BYTES_MAX {
            out.error("base64: memory exhausted");
            return Next::End;
        }
        Next::Line
    }

    fn end(&mut self, _sys: &mut dyn Sys, code: i32, out: &mut Out) -> i32 {
        if code != 0 {
            return code;
        }
        if self.decodes {
            if self.ignores {
                self.bytes.retain(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte));
            }
            let (bytes, valid) = decode(&self.bytes);
            out.put(bytes);
            if !valid {
                out.error("base64: invalid input");
                return 1;
            }
            return 0;
        }
        let text = encode(&self.bytes);
        if self.wrap == 0 {
            out.put(text);
            return 0;
        }
        for row in text.as_bytes().chunks(self.wrap) {
            out.line(row);
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("한\n", "7ZWcCg==")]
        {
            assert_eq!(encode(plain.as_bytes()), coded);
            assert_eq!(decode(coded.as_bytes()), (plain.as_bytes().to_vec(), true));
        }
        assert!(!decode(b"Zg=").1);
        assert!(!decode(b"Z!==").1);
    }
}
