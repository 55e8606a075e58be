//! SPDY/3.1, as far as port-forward needs it: streams with headers over one connection.
//!
//! kubectl tunnels it through WebSocket. Frames of flow control are passed over, as upstream's
//! library does.
//!
//! Upstream: `moby/spdystream`, `apimachinery/pkg/util/httpstream/spdy`.

mod dictionary;

use dictionary::dictionary;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::collections::BTreeMap;

/// Bytes of one frame at most.
const FRAME_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a header block, unpacked.
const HEADERS_BYTES_MAX: usize = 64 * 1024;
/// The last frame of a direction.
const FIN: u8 = 1;

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A new stream; names of headers in lower case.
    Open { stream: u32, headers: BTreeMap<String, String> },
    /// Bytes, and whether they are the last ones.
    Data { stream: u32, bytes: Vec<u8>, fin: bool },
    /// The stream is given up.
    Reset { stream: u32 },
    /// To be sent back.
    Ping { id: u32 },
    /// The client goes.
    GoAway,
    /// Nothing that matters here.
    Other,
}

/// The bytes are no SPDY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// One end of a connection, without the connection.
#[derive(Debug)]
pub struct Codec {
    buffer: Vec<u8>,
    inflate: Decompress,
    deflate: Compress,
    dictionary_given: bool,
}

impl Codec {
    /// The server's end of a new connection.
    pub fn new() -> Self {
        Codec {
            buffer: Vec::new(),
            inflate: Decompress::new(true),
            deflate: Compress::new(Compression::fast(), true),
            dictionary_given: false,
        }
    }

    /// Takes what came, and gives the frames that are whole.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, Broken> {
        self.buffer.extend(bytes);
        let mut frames = Vec::new();
        while let Some((head, rest)) = self.buffer.split_first_chunk::<8>() {
            let length = u32::from_be_bytes([0, head[5], head[6], head[7]]) as usize;
            if length > FRAME_BYTES_MAX {
                return Err(Broken);
            }
            let Some(body) = rest.get(..length) else { break };
            let (head, body) = (*head, body.to_vec());
            self.buffer.drain(..8 + length);
            frames.push(self.frame(head, body)?);
        }
        Ok(frames)
    }

    fn frame(&mut self, head: [u8; 8], body: Vec<u8>) -> Result<Frame, Broken> {
        let first = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        if first >> 31 == 0 {
            return Ok(Frame::Data { stream: first, bytes: body, fin: head[4] & FIN != 0 });
        }
        let number = |at: usize| {
            let bytes = body.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            bytes.map(|bytes| u32::from_be_bytes(bytes) & 0x7fff_ffff).ok_or(Broken)
        };
        match first & 0xffff {
            1 => {
                let stream = number(0)?;
                let headers = self.headers(body.get(10..).ok_or(Broken)?)?;
                Ok(Frame::Open { stream, headers })
            }
            3 => Ok(Frame::Reset { stream: number(0)? }),
            6 => Ok(Frame::Ping { id: number(0)? }),
            7 => Ok(Frame::GoAway),
            // Others may carry headers, which have to be unpacked for those that come after.
            8 => self.headers(body.get(4..).ok_or(Broken)?).map(|_| Frame::Other),
            _ => Ok(Frame::Other),
        }
    }

    fn headers(&mut self, packed: &[u8]) -> Result<BTreeMap<String, String>, Broken> {
        let bytes = self.unpack(packed)?;
        let mut rest = &bytes[..];
        let number = |rest: &mut &[u8]| {
            let (bytes, after) = rest.split_first_chunk::<4>().ok_or(Broken)?;
            *rest = after;
            Ok::<usize, Broken>(u32::from_be_bytes(*bytes) as usize)
        };
        let mut headers = BTreeMap::new();
        for _ in 0..number(&mut rest)? {
            let mut text = || {
                let length = number(&mut rest)?;
                let (text, after) = rest.split_at_checked(length).ok_or(Broken)?;
                rest = after;
                Ok(String::from_utf8_lossy(text).to_lowercase())
            };
            let (name, value) = (text()?, text()?);
            headers.insert(name, value);
        }
        Ok(headers)
    }

    fn unpack(&mut self, packed: &[u8]) -> Result<Vec<u8>, Broken> {
        let mut out = Vec::with_capacity(1024);
        let mut rest = packed;
        loop {
            let before = self.inflate.total_in();
            let result = self.inflate.decompress_vec(rest, &mut out, FlushDecompress::Sync);
            let used = usize::try_from(self.inflate.total_in() - before).map_err(|_| Broken)?;
            rest = rest.get(used..).ok_or(Broken)?;
            match result {
                Err(error) if error.needs_dictionary().is_some() => {
                    self.inflate.set_dictionary(&dictionary()).map_err(|_| Broken)?;
                }
                Ok(Status::Ok | Status::BufError)
                    if rest.is_empty() && out.len() < out.capacity() =>
                {
                    return Ok(out);
                }
                Ok(Status::Ok | Status::BufError) if out.len() == out.capacity() => {
                    if out.len() >= HEADERS_BYTES_MAX {
                        return Err(Broken);
                    }
                    out.reserve(out.capacity());
                }
                Ok(Status::Ok) => {}
                _ => return Err(Broken),
            }
        }
    }

    /// Agrees to a stream: SYN_REPLY without headers.
    pub fn reply(&mut self, stream: u32) -> Vec<u8> {
        if !std::mem::replace(&mut self.dictionary_given, true) {
            // A dictionary that cannot be set would be told by the client.
            let _ = self.deflate.set_dictionary(&dictionary());
        }
        let mut body = Vec::with_capacity(256);
        body.extend(stream.to_be_bytes());
        let none = 0_u32.to_be_bytes();
        let _ = self.deflate.compress_vec(&none, &mut body, FlushCompress::Sync);
        control(2, 0, &body)
    }
}

/// Bytes of a stream.
pub fn data(stream: u32, bytes: &[u8], fin: bool) -> Vec<u8> {
    let mut frame = (stream & 0x7fff_ffff).to_be_bytes().to_vec();
    frame.extend(flags_and_length(if fin { FIN } else { 0 }, bytes.len()));
    frame.extend(bytes);
    frame
}

/// The answer to a ping.
pub fn pong(id: u32) -> Vec<u8> {
    control(6, 0, &id.to_be_bytes())
}

fn control(of: u16, flags: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80, 3];
    frame.extend(of.to_be_bytes());
    frame.extend(flags_and_length(flags, body.len()));
    frame.extend(body);
    frame
}

fn flags_and_length(flags: u8, length: usize) -> [u8; 4] {
    let [_, a, b, c] = u32::try_from(length).unwrap_or(0).to_be_bytes();
    [flags, a, b, c]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SYN_STREAM as a client writes it.
    fn open(deflate: &mut Compress, stream: u32, headers: &[(&str, &str)]) -> Vec<u8> {
        let mut plain = (headers.len() as u32).to_be_bytes().to_vec();
        for text in headers.iter().flat_map(|(name, value)| [name, value]) {
            plain.extend((text.len() as u32).to_be_bytes());
            plain.extend(text.as_bytes());
        }
        let mut body = Vec::with_capacity(4096);
        body.extend(stream.to_be_bytes());
        body.extend([0; 6]);
        deflate.compress_vec(&plain, &mut body, FlushCompress::Sync).unwrap();
        control(1, 0, &body)
    }

    fn client() -> Compress {
        let mut deflate = Compress::new(Compression::best(), true);
        deflate.set_dictionary(&dictionary()).unwrap();
        deflate
    }

    #[test]
    fn streams_are_opened_in_pieces_and_one_after_the_other() {
        let (mut client, mut codec) = (client(), Codec::new());
        let mut bytes = open(&mut client, 1, &[("Streamtype", "error"), ("port", "80")]);
        bytes.extend(open(&mut client, 3, &[("Streamtype", "data"), ("port", "80")]));
        let (one, two) = bytes.split_at(20);
        assert_eq!(codec.push(one), Ok(Vec::new()));
        let frames = codec.push(two).unwrap();
        let kinds: Vec<_> = frames
            .iter()
            .map(|frame| match frame {
                Frame::Open { stream, headers } => (*stream, headers["streamtype"].as_str()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(kinds, [(1, "error"), (3, "data")]);
    }

    #[test]
    fn large_headers_are_unpacked_and_too_large_ones_are_not() {
        let (mut client, mut codec) = (client(), Codec::new());
        let value = "x".repeat(5_000);
        let frames = codec.push(&open(&mut client, 1, &[("a", &value)])).unwrap();
        assert!(matches!(&frames[0], Frame::Open { headers, .. } if headers["a"] == value));
        let value = "x".repeat(200_000);
        assert_eq!(codec.push(&open(&mut client, 3, &[("a", &value)])), Err(Broken));
    }

    #[test]
    fn data_and_pings() {
        let mut codec = Codec::new();
        let bytes = [data(5, b"abc", true), control(6, 0, &7_u32.to_be_bytes())].concat();
        let want = vec![
            Frame::Data { stream: 5, bytes: b"abc".to_vec(), fin: true },
            Frame::Ping { id: 7 },
        ];
        assert_eq!(codec.push(&bytes), Ok(want));
        assert_eq!(pong(7), control(6, 0, &7_u32.to_be_bytes()));
    }

    #[test]
    fn replies_can_be_unpacked() {
        let mut codec = Codec::new();
        let (first, second) = (codec.reply(1), codec.reply(3));
        let mut reader = Codec::new();
        for reply in [first, second] {
            assert_eq!(&reply[..4], [0x80, 3, 0, 2]);
            assert_eq!(reader.headers(&reply[12..]), Ok(BTreeMap::new()));
        }
    }

    #[test]
    fn nonsense_breaks() {
        assert_eq!(Codec::new().push(&[0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff]), Err(Broken));
        assert_eq!(Codec::new().push(&control(1, 0, &[0; 20])), Err(Broken));
        assert_eq!(Codec::new().push(&control(3, 0, &[0; 2])), Err(Broken));
    }
}
