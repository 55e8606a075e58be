//! As much of gRPC as the health protocol takes: one call over HTTP/2, without Huffman's code.
//!
//! Upstream: `grpc/health/v1/health.proto`, RFC 9113, RFC 7541.

/// What a client begins a connection with.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes of a frame's head, and of a frame.
const HEAD: usize = 9;
const FRAME_MAX: usize = 16 * 1024;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// What the health protocol says of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// `SERVING`
    Serving,
    /// `NOT_SERVING`
    NotServing,
}

/// What has come of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing yet; whether the other side speaks HTTP/2 is known.
    Waits {
        /// It does.
        stands: bool,
    },
    /// The service's health.
    Health(Health),
    /// The call has failed: gRPC's code and message.
    Failed(u32, String),
}

struct Frame<'a> {
    kind: u8,
    flags: u8,
    payload: &'a [u8],
}

/// The first frame of what came, and how many bytes it takes.
fn frame(bytes: &[u8]) -> Option<(Frame<'_>, usize)> {
    let head = bytes.get(..HEAD)?;
    let [a, b, c, kind, flags, ..] = head else { return None };
    let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
    let end = HEAD + length.min(FRAME_MAX);
    Some((Frame { kind: *kind, flags: *flags, payload: bytes.get(HEAD..end)? }, end))
}

fn put(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u8, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    out.extend(length.iter().skip(1));
    out.extend([kind, flags, 0, 0, 0, stream]);
    out.extend(payload);
}

fn text(out: &mut Vec<u8>, text: &str) {
    // No Huffman, and shorter than what one byte says.
    let bytes = text.as_bytes();
    let bytes = bytes.get(..bytes.len().min(126)).unwrap_or_default();
    out.push(bytes.len() as u8);
    out.extend(bytes);
}

fn header(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(0);
    text(out, name);
    text(out, value);
}

/// What a client sends to ask for the health of a service.
pub fn question(authority: &str, service: &str) -> Vec<u8> {
    let mut out = PREFACE.to_vec();
    put(&mut out, SETTINGS, 0, 0, &[]);
    // `:method: POST` and `:scheme: http` are in the static table.
    let mut headers = vec![0x83, 0x86];
    header(&mut headers, ":path", "/grpc.health.v1.Health/Check");
    header(&mut headers, ":authority", authority);
    header(&mut headers, "content-type", "application/grpc");
    header(&mut headers, "te", "trailers");
    put(&mut out, HEADERS, END_HEADERS, 1, &headers);
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(0x0a);
        text(&mut message, service);
    }
    put(&mut out, DATA, END_STREAM, 1, &whole(&message));
    out
}

/// A message with its head.
fn whole(message: &[u8]) -> Vec<u8> {
    let mut out = vec![0];
    out.extend(u32::try_from(message.len()).unwrap_or(0).to_be_bytes());
    out.extend(message);
    out
}

/// What has come back so far.
pub fn read_answer(bytes: &[u8]) -> Answer {
    let mut rest = bytes;
    let (mut stands, mut health) = (false, None);
    while let Some((frame, taken)) = frame(rest) {
        match frame.kind {
            SETTINGS => stands = true,
            DATA => health = Some(health_of(frame.payload)),
            HEADERS if frame.flags & END_STREAM != 0 => {
                let status = value_of(frame.payload, "grpc-status");
                let code = status.and_then(|code| code.parse().ok()).unwrap_or(0);
                let message = value_of(frame.payload, "grpc-message").unwrap_or_default();
                return match (code, health) {
                    (0, Some(health)) => Answer::Health(health),
                    (0, None) => Answer::Failed(13, "no answer".to_owned()),
                    (code, _) => Answer::Failed(code, message),
                };
            }
            _ => {}
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    Answer::Waits { stands }
}

/// `HealthCheckResponse`: `status` is field 1.
fn health_of(payload: &[u8]) -> Health {
    match payload.get(5..) {
        Some([0x08, 1, ..]) => Health::Serving,
        _ => Health::NotServing,
    }
}

/// The value of a header that was written in letters.
fn value_of(block: &[u8], name: &str) -> Option<String> {
    let needle = name.as_bytes();
    let at = block.windows(needle.len()).position(|window| window == needle)?;
    let rest = block.get(at + needle.len()..)?;
    let length = usize::from(*rest.first()? & 0x7f);
    let value = rest.get(1..1 + length)?;
    Some(String::from_utf8_lossy(value).into_owned())
}

/// A server's side: what is to be sent once the client's question is whole; `None` before.
pub fn answer(received: &[u8], health: Health) -> Option<Vec<u8>> {
    let mut rest = received.strip_prefix(PREFACE)?;
    let mut asked = false;
    while let Some((frame, taken)) = frame(rest) {
        asked |= frame.kind == DATA && frame.flags & END_STREAM != 0;
        rest = rest.get(taken..).unwrap_or_default();
    }
    if !asked {
        return None;
    }
    let mut out = Vec::new();
    put(&mut out, SETTINGS, 0, 0, &[]);
    // `:status: 200`
    let mut headers = vec![0x88];
    header(&mut headers, "content-type", "application/grpc");
    put(&mut out, HEADERS, END_HEADERS, 1, &headers);
    let status = match health {
        Health::Serving => 1,
        Health::NotServing => 2,
    };
    put(&mut out, DATA, 0, 1, &whole(&[0x08, status]));
    let mut trailers = Vec::new();
    header(&mut trailers, "grpc-status", "0");
    put(&mut out, HEADERS, END_HEADERS | END_STREAM, 1, &trailers);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_answered() {
        for health in [Health::Serving, Health::NotServing] {
            let question = question("10.0.0.1:5000", "liveness");
            assert_eq!(answer(question.get(..30).unwrap(), health), None);
            let reply = answer(&question, health).unwrap();
            assert_eq!(read_answer(&reply), Answer::Health(health));
            assert_eq!(read_answer(&reply[..9]), Answer::Waits { stands: true });
        }
    }

    #[test]
    fn others_do_not_speak_it() {
        assert_eq!(
            read_answer(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            Answer::Waits { stands: false }
        );
        assert_eq!(answer(b"GET / HTTP/1.1\r\n\r\n", Health::Serving), None);
    }

    #[test]
    fn failures_are_told() {
        let mut out = Vec::new();
        put(&mut out, SETTINGS, 0, 0, &[]);
        let mut trailers = vec![0x88];
        header(&mut trailers, "grpc-status", "12");
        header(&mut trailers, "grpc-message", "unknown service");
        put(&mut out, HEADERS, END_HEADERS | END_STREAM, 1, &trailers);
        assert_eq!(read_answer(&out), Answer::Failed(12, "unknown service".to_owned()));
    }
}
