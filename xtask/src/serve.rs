//! A server for `dist/` on the loopback address, for people and for the browser tests.
//!
//! Static files only: GET and HEAD, no bodies, one request a connection. Nothing is compressed,
//! since nothing leaves the machine. Its headers are the ones a public host should send too.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::Result;

/// The port of `cargo xtask serve`.
pub const DEFAULT_PORT: u16 = 8080;
/// Longest request line and headers together, in bytes.
const REQUEST_BYTES_MAX: usize = 16 * 1024;
/// Most headers in a request.
const HEADERS_MAX: usize = 64;
/// Most connections at a time; further ones are closed.
const CONNECTIONS_MAX: usize = 64;
/// A client that neither sends nor reads for so long is left.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Scripts come from files only and nothing comes from another host. WebAssembly needs its own
/// word; the terminal and the editor set styles from their code. No text becomes HTML or a script, but
/// for the scripts that the policy `naru` of web/boot.js lets through. Any page may frame this one: the
/// widget does so, and there is no account that a deceived click could harm.
const SECURITY_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
     style-src 'self' 'unsafe-inline'; img-src 'self' data:; worker-src 'self'; \
     object-src 'none'; base-uri 'none'; form-action 'none'; \
     require-trusted-types-for 'script'; trusted-types naru";

/// A bound socket and the folder it serves.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    dir: PathBuf,
}

impl Server {
    /// Takes the port; port 0 takes any free one.
    pub fn bind(dir: &Path, port: u16) -> Result<Self> {
        let refused = |e: io::Error| match e.kind() {
            io::ErrorKind::AddrInUse => {
                format!("port {port} is in use: end what uses it, or take another by --port")
            }
            _ => format!("cannot listen on port {port}: {e}"),
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address, dir: dir.to_owned() })
    }

    /// The address for a browser.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves in a thread of its own, which ends with the process. Tells the address.
    pub fn run_in_background(self) -> String {
        let url = self.url();
        thread::spawn(move || self.run());
        url
    }

    /// Serves until the process is ended.
    pub fn run(self) {
        let dir: Arc<Path> = self.dir.into();
        let open = Arc::new(AtomicUsize::new(0));
        for stream in self.listener.incoming().flatten() {
            if open.fetch_add(1, Ordering::SeqCst) >= CONNECTIONS_MAX {
                open.fetch_sub(1, Ordering::SeqCst);
                continue;
            }
            let (dir, open) = (Arc::clone(&dir), Arc::clone(&open));
            thread::spawn(move || {
                // The client may go at any time, and then there is no one to tell.
                answer(stream, &dir).ok();
                open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    }
}

/// What is sent back.
enum Response {
    File { file: File, length: u64, media_type: &'static str },
    Error { status: &'static str },
}

/// Reads one request and answers it.
fn answer(mut stream: TcpStream, dir: &Path) -> io::Result<()> {
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    stream.set_write_timeout(Some(SILENCE_MAX))?;
    let (response, with_body) = match read_request(&mut stream)? {
        Ok(Request { target, head }) => (open(dir, &target), !head),
        Err(status) => (Response::Error { status }, true),
    };
    send(&mut stream, response, with_body)?;
    // What the client may still be sending is read, or closing would cut the answer off.
    stream.shutdown(std::net::Shutdown::Write)?;
    io::copy(&mut stream.take(REQUEST_BYTES_MAX as u64), &mut io::sink())?;
    Ok(())
}

/// The part of a request that matters here.
struct Request {
    target: String,
    head: bool,
}

/// Reads until the headers end; the inner error is the status to answer with.
fn read_request(stream: &mut impl Read) -> io::Result<std::result::Result<Request, &'static str>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 2048];
    loop {
        let length = stream.read(&mut chunk)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend(chunk.iter().take(length));
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&bytes) {
            Ok(httparse::Status::Complete(_)) => return Ok(accept(&request)),
            Ok(httparse::Status::Partial) if bytes.len() < REQUEST_BYTES_MAX => {}
            Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
                return Ok(Err("431 Request Header Fields Too Large"));
            }
            Err(_) => return Ok(Err("400 Bad Request")),
        }
    }
}

fn accept(request: &httparse::Request<'_, '_>) -> std::result::Result<Request, &'static str> {
    let target = request.path.unwrap_or_default().to_owned();
    match request.method {
        Some("GET") => Ok(Request { target, head: false }),
        Some("HEAD") => Ok(Request { target, head: true }),
        _ => Err("405 Method Not Allowed"),
    }
}

/// Opens the file a request means, if it is inside the folder.
fn open(dir: &Path, target: &str) -> Response {
    const NOT_FOUND: Response = Response::Error { status: "404 Not Found" };
    let Some(relative) = file_of(target) else { return NOT_FOUND };
    // Links are followed before the comparison: they may not lead out either.
    let (Ok(root), Ok(path)) = (dir.canonicalize(), dir.join(relative).canonicalize()) else {
        return NOT_FOUND;
    };
    if !path.starts_with(&root) || !path.is_file() {
        return NOT_FOUND;
    }
    let Ok(file) = File::open(&path) else { return NOT_FOUND };
    let Ok(length) = file.metadata().map(|data| data.len()) else { return NOT_FOUND };
    Response::File { file, length, media_type: media_type(&path) }
}

/// The file below the folder that a request target names, as a relative path without `..`.
fn file_of(target: &str) -> Option<PathBuf> {
    let path = target.split(['?', '#']).next()?.strip_prefix('/')?;
    let path = percent_decoded(path)?;
    if path.contains(['\\', '\0', ':']) {
        return None;
    }
    let mut file = PathBuf::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        if part.starts_with('.') {
            return None;
        }
        file.push(part);
    }
    if path.is_empty() || path.ends_with('/') {
        file.push("index.html");
    }
    Some(file)
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend(before.bytes());
        let digits = after.get(..2).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after.get(2..)?;
    }
    bytes.extend(rest.bytes());
    String::from_utf8(bytes).ok()
}

/// Browsers refuse modules and streamed WebAssembly of another type than these.
fn media_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt" | "md" | "yml" | "yaml") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn send(stream: &mut TcpStream, response: Response, with_body: bool) -> io::Result<()> {
    let (status, media_type, length) = match &response {
        Response::File { length, media_type, .. } => ("200 OK", *media_type, *length),
        Response::Error { status } => (*status, "text/plain; charset=utf-8", status.len() as u64),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\n\
         Content-Type: {media_type}\r\n\
         Content-Length: {length}\r\n\
         Cache-Control: no-cache\r\n\
         Content-Security-Policy: {SECURITY_POLICY}\r\n\
         X-Content-Type-Options: nosniff\r\n\
         Referrer-Policy: no-referrer\r\n\
         Access-Control-Allow-Origin: *\r\n\
         Connection: close\r\n\r\n"
    )?;
    match response {
        _ if !with_body => Ok(()),
        Response::File { mut file, .. } => io::copy(&mut file, stream).map(|_| ()),
        Response::Error { status } => stream.write_all(status.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_name_files_inside_the_folder_only() {
        for (target, file) in [
            ("/", Some("index.html")),
            ("/?lesson=1", Some("index.html")),
            ("/widget/", Some("widget/index.html")),
            ("/a/b.js?v=1", Some("a/b.js")),
            ("//a//b.js", Some("a/b.js")),
            ("/%EB%82%98.svg", Some("나.svg")),
            ("/..", None),
            ("/a/../../b", None),
            ("/%2e%2e/b", None),
            ("/..%2fb", None),
            ("/a%5c..%5cb", None),
            ("/.git/config", None),
            ("/a%00b", None),
            ("/a%", None),
            ("/a%+1", None),
            ("/%ff", None),
            ("a", None),
            ("", None),
        ] {
            assert_eq!(file_of(target), file.map(PathBuf::from), "{target}");
        }
    }

    #[test]
    fn requests_are_read_to_their_end_and_no_further() {
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(2 * REQUEST_BYTES_MAX));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS_MAX + 1));
        for (text, expected) in [
            ("GET /a HTTP/1.1\r\nHost: x\r\n\r\n", Ok(("/a", false))),
            ("HEAD / HTTP/1.1\r\n\r\n", Ok(("/", true))),
            ("POST / HTTP/1.1\r\n\r\n", Err("405 Method Not Allowed")),
            ("\u{1}\r\n\r\n", Err("400 Bad Request")),
            (&long, Err("431 Request Header Fields Too Large")),
            (&many, Err("431 Request Header Fields Too Large")),
        ] {
            let read = read_request(&mut text.as_bytes()).unwrap();
            let read = read.as_ref().map(|r| (r.target.as_str(), r.head)).map_err(|e| *e);
            assert_eq!(read, expected);
        }
        assert!(read_request(&mut "GET / HT".as_bytes()).is_err());
    }

    #[test]
    fn a_file_is_served_with_its_type_and_the_policy() {
        let dir = std::env::temp_dir().join(format!("naru-serve-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("a.wasm"), b"\0asm").unwrap();
        let server = Server::bind(&dir, 0).unwrap();
        let address = server.address;
        server.run_in_background();

        let ask = |request: &str| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            String::from_utf8(answer).unwrap()
        };
        let found = ask("GET /a.wasm HTTP/1.1\r\n\r\n");
        assert!(found.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/wasm\r\n"));
        assert!(found.contains("\r\nContent-Security-Policy: default-src 'self'; script-src"));
        assert!(found.ends_with("\r\n\r\n\0asm"));
        assert!(ask("HEAD /a.wasm HTTP/1.1\r\n\r\n").ends_with("\r\n\r\n"));
        assert!(ask("GET /b HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 Not Found\r\n"));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
