//! Records and handshake messages on the wire (RFC 8446, sections 4 and 5).

use super::TlsError;
use crate::Certificate;

/// Bytes of a record's content at most.
pub const RECORD_MAX: usize = 16 * 1024;
/// Bytes of a handshake message at most.
const MESSAGE_MAX: usize = 64 * 1024;
/// Certificates in a chain at most.
const CHAIN_MAX: usize = 8;

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    Alert,
    Handshake,
    Application,
}

impl Content {
    fn number(self) -> u8 {
        match self {
            Content::Alert => 21,
            Content::Handshake => 22,
            Content::Application => 23,
        }
    }

    fn of(number: u8) -> Option<Content> {
        [Content::Alert, Content::Handshake, Content::Application]
            .into_iter()
            .find(|content| content.number() == number)
    }
}

/// Appends records with these bytes.
pub fn put_records(out: &mut Vec<u8>, content: Content, bytes: &[u8]) {
    for part in bytes.chunks(RECORD_MAX) {
        out.extend_from_slice(&[content.number(), 3, 3]);
        out.extend_from_slice(&length(part.len(), 2));
        out.extend_from_slice(part);
    }
}

/// Takes the first record, when it has come whole.
pub fn take_record(bytes: &mut Vec<u8>) -> Result<Option<(Content, Vec<u8>)>, TlsError> {
    let Some(header) = bytes.first_chunk::<5>() else { return Ok(None) };
    let [kind, major, _, size @ ..] = header;
    let content = Content::of(*kind).filter(|_| *major == 3);
    let content = content.ok_or(TlsError::NotTls(*header))?;
    let size = number(size);
    if size > RECORD_MAX {
        return Err(TlsError::Protocol("oversized record"));
    }
    if bytes.len() < 5 + size {
        return Ok(None);
    }
    let body = bytes.get(5..5 + size).unwrap_or_default().to_vec();
    bytes.drain(..5 + size);
    Ok(Some((content, body)))
}

/// A message of the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    ClientHello {
        random: [u8; 32],
        server_name: String,
        protocols: Vec<String>,
    },
    ServerHello {
        random: [u8; 32],
    },
    EncryptedExtensions {
        protocol: Option<String>,
    },
    /// The names, in DER, of who may have signed what is asked for; any where there are none.
    CertificateRequest {
        authorities: Vec<Vec<u8>>,
    },
    Certificate(Vec<Vec<u8>>),
    CertificateVerify(Vec<u8>),
    Finished([u8; 32]),
}

const SERVER_NAME: usize = 0;
const PROTOCOLS: usize = 16;
const VERSIONS: usize = 43;
const AUTHORITIES: usize = 47;
/// TLS_AES_128_GCM_SHA256
const CIPHER: [u8; 2] = [0x13, 0x01];
/// ecdsa_secp256r1_sha256
const SCHEME: [u8; 2] = [0x04, 0x03];
/// `rsa_pkcs1_sha256`: what a key that was made with `openssl` signs by.
const RSA_SCHEME: [u8; 2] = [0x04, 0x01];
/// Signatures by P-256 are shorter than this, those by RSA keys of 1,024 bits and more are not.
const RSA_BYTES_MIN: usize = 128;
const TLS_1_3: [u8; 2] = [3, 4];

impl Message {
    /// With the message's number and length before it.
    pub fn encode(&self) -> Vec<u8> {
        let (number, body) = match self {
            Message::ClientHello { random, server_name, protocols } => {
                (1, client_hello(random, server_name, protocols))
            }
            Message::ServerHello { random } => (2, server_hello(random)),
            Message::EncryptedExtensions { protocol } => {
                let list = protocol.as_deref().map(|p| extension(PROTOCOLS, &names(&[p])));
                (8, sized(&list.unwrap_or_default(), 2))
            }
            // No context, and the one scheme there is.
            Message::CertificateRequest { authorities } => {
                let mut extensions = extension(13, &sized(&SCHEME, 2));
                if !authorities.is_empty() {
                    let list: Vec<u8> =
                        authorities.iter().flat_map(|name| sized(name, 2)).collect();
                    extensions.extend(extension(AUTHORITIES, &sized(&list, 2)));
                }
                (13, [vec![0], sized(&extensions, 2)].concat())
            }
            Message::Certificate(chain) => {
                let entry = |der: &Vec<u8>| [sized(der, 3), vec![0, 0]].concat();
                let list: Vec<u8> = chain.iter().flat_map(entry).collect();
                (11, [vec![0], sized(&list, 3)].concat())
            }
            Message::CertificateVerify(signature) => {
                let scheme = if signature.len() < RSA_BYTES_MIN { SCHEME } else { RSA_SCHEME };
                (15, [scheme.to_vec(), sized(signature, 2)].concat())
            }
            Message::Finished(digest) => (20, digest.to_vec()),
        };
        [vec![number], sized(&body, 3)].concat()
    }

    /// Takes the first message, when it has come whole, with its bytes.
    pub fn take(bytes: &mut Vec<u8>) -> Result<Option<(Message, Vec<u8>)>, TlsError> {
        let Some(size) = bytes.get(1..4).map(number) else { return Ok(None) };
        if size > MESSAGE_MAX {
            return Err(TlsError::Protocol("oversized handshake message"));
        }
        if bytes.len() < 4 + size {
            return Ok(None);
        }
        let whole: Vec<u8> = bytes.drain(..4 + size).collect();
        let kind = whole.first().copied().unwrap_or_default();
        let body = Reader(whole.get(4..).unwrap_or_default());
        let message =
            decode(kind, body).ok_or(TlsError::Protocol("malformed handshake message"))?;
        Ok(Some((message, whole)))
    }
}

fn client_hello(random: &[u8; 32], server_name: &str, protocols: &[String]) -> Vec<u8> {
    let mut extensions = extension(VERSIONS, &sized(&TLS_1_3, 1));
    // An address is no name (RFC 6066, section 3).
    if !server_name.is_empty() {
        let entry = [vec![0], sized(server_name.as_bytes(), 2)].concat();
        extensions.extend(extension(SERVER_NAME, &sized(&entry, 2)));
    }
    if !protocols.is_empty() {
        let list: Vec<&str> = protocols.iter().map(String::as_str).collect();
        extensions.extend(extension(PROTOCOLS, &names(&list)));
    }
    let session: Vec<u8> = Vec::new();
    [
        vec![3, 3],
        random.to_vec(),
        sized(&session, 1),
        sized(&CIPHER, 2),
        sized(&[0], 1),
        sized(&extensions, 2),
    ]
    .concat()
}

fn server_hello(random: &[u8; 32]) -> Vec<u8> {
    let extensions = extension(VERSIONS, &TLS_1_3);
    [vec![3, 3], random.to_vec(), vec![0], CIPHER.to_vec(), vec![0], sized(&extensions, 2)].concat()
}

fn extension(kind: usize, body: &[u8]) -> Vec<u8> {
    [length(kind, 2), sized(body, 2)].concat()
}

/// A list of names, each with its length.
fn names(list: &[&str]) -> Vec<u8> {
    let all: Vec<u8> = list.iter().flat_map(|name| sized(name.as_bytes(), 1)).collect();
    sized(&all, 2)
}

/// A number in so many bytes.
fn length(value: usize, bytes: usize) -> Vec<u8> {
    let all = (value as u64).to_be_bytes();
    all.get(8 - bytes..).unwrap_or_default().to_vec()
}

/// Bytes with their length before them.
fn sized(body: &[u8], bytes: usize) -> Vec<u8> {
    [length(body.len(), bytes), body.to_vec()].concat()
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |value, byte| value << 8 | usize::from(*byte))
}

fn decode(kind: u8, mut body: Reader<'_>) -> Option<Message> {
    let message = match kind {
        1 => {
            body.take(2)?;
            let random = body.take(32)?.try_into().ok()?;
            body.sized(1)?;
            body.sized(2)?;
            body.sized(1)?;
            let mut extensions = Reader(body.sized(2)?);
            let (mut server_name, mut protocols) = (String::new(), Vec::new());
            while let Some((kind, content)) = extensions.extension() {
                match kind {
                    SERVER_NAME => {
                        let mut entry = Reader(Reader(content).sized(2)?);
                        entry.take(1)?;
                        server_name = String::from_utf8(entry.sized(2)?.to_vec()).ok()?;
                    }
                    PROTOCOLS => protocols = Reader(content).names()?,
                    _ => {}
                }
            }
            Message::ClientHello { random, server_name, protocols }
        }
        2 => {
            body.take(2)?;
            Message::ServerHello { random: body.take(32)?.try_into().ok()? }
        }
        8 => {
            let mut extensions = Reader(body.sized(2)?);
            let mut protocol = None;
            while let Some((kind, content)) = extensions.extension() {
                if kind == PROTOCOLS {
                    protocol = Reader(content).names()?.into_iter().next();
                }
            }
            Message::EncryptedExtensions { protocol }
        }
        13 => {
            body.sized(1)?;
            let mut extensions = Reader(body.sized(2)?);
            let mut authorities = Vec::new();
            while let Some((kind, content)) = extensions.extension() {
                if kind == AUTHORITIES {
                    let mut list = Reader(Reader(content).sized(2)?);
                    while !list.0.is_empty() {
                        authorities.push(list.sized(2)?.to_vec());
                    }
                }
            }
            Message::CertificateRequest { authorities }
        }
        11 => {
            body.sized(1)?;
            let mut list = Reader(body.sized(3)?);
            let mut chain = Vec::new();
            while !list.0.is_empty() {
                chain.push(list.sized(3)?.to_vec());
                list.sized(2)?;
                if chain.len() > CHAIN_MAX {
                    return None;
                }
            }
            Message::Certificate(chain)
        }
        15 => {
            body.take(2)?;
            Message::CertificateVerify(body.sized(2)?.to_vec())
        }
        20 => Message::Finished(body.0.try_into().ok()?),
        _ => return None,
    };
    Some(message)
}

/// The certificates of a chain; `None` if one cannot be read.
pub fn certificates(chain: &[Vec<u8>]) -> Option<Vec<Certificate>> {
    chain.iter().map(|der| Certificate::from_der(der).ok()).collect()
}

/// Bytes being read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (first, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(first)
    }

    /// What follows its own length, which has so many bytes.
    fn sized(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let size = number(self.take(bytes)?);
        self.take(size)
    }

    fn extension(&mut self) -> Option<(usize, &'a [u8])> {
        let kind = number(self.take(2)?);
        Some((kind, self.sized(2)?))
    }

    fn names(&mut self) -> Option<Vec<String>> {
        let mut list = Reader(self.sized(2)?);
        let mut names = Vec::new();
        while !list.0.is_empty() {
            names.push(String::from_utf8(list.sized(1)?.to_vec()).ok()?);
        }
        Some(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_go_over_the_wire() {
        let messages = [
            Message::ClientHello {
                random: [7; 32],
                server_name: "naru.example".to_owned(),
                protocols: vec!["h2".to_owned(), "http/1.1".to_owned()],
            },
            Message::ClientHello { random: [1; 32], server_name: String::new(), protocols: vec![] },
            Message::ServerHello { random: [9; 32] },
            Message::EncryptedExtensions { protocol: Some("http/1.1".to_owned()) },
            Message::EncryptedExtensions { protocol: None },
            Message::CertificateRequest { authorities: vec![] },
            Message::CertificateRequest { authorities: vec![vec![48, 0], vec![48, 1, 2]] },
            Message::Certificate(vec![vec![1, 2, 3], vec![4]]),
            Message::Certificate(vec![]),
            Message::CertificateVerify(vec![5; 70]),
            Message::Finished([3; 32]),
        ];
        for message in messages {
            let mut bytes = message.encode();
            let whole = bytes.clone();
            bytes.push(1);
            assert_eq!(Message::take(&mut bytes), Ok(Some((message, whole))));
            assert_eq!(bytes, [1]);
        }
    }

    #[test]
    fn records_come_in_pieces() {
        let mut out = Vec::new();
        put_records(&mut out, Content::Application, &vec![1; RECORD_MAX + 10]);
        let mut bytes = Vec::new();
        let mut sizes = Vec::new();
        for byte in out {
            bytes.push(byte);
            if let Some((content, body)) = take_record(&mut bytes).unwrap() {
                assert_eq!(content, Content::Application);
                sizes.push(body.len());
            }
        }
        assert_eq!(sizes, [RECORD_MAX, 10]);
    }

    #[test]
    fn what_is_not_tls_is_refused() {
        for text in ["HTTP/1.1 400 Bad Request\r\n", "GET / HTTP/1.1\r\n\r\n", "\u{16}abcd"] {
            let mut bytes = text.as_bytes().to_vec();
            let first = *bytes.first_chunk().unwrap();
            assert_eq!(take_record(&mut bytes), Err(TlsError::NotTls(first)), "{text:?}");
        }
        let mut huge = vec![22, 3, 3, 0xff, 0xff];
        assert!(matches!(take_record(&mut huge), Err(TlsError::Protocol(_))));
    }
}
