//! `openssl s_client`: who stands behind a port, and a conversation with it over TLS.
//!
//! The texts were compared with OpenSSL 3.0.19 (TLS 1.3, `TLS_AES_128_GCM_SHA256`). Session tickets that come
//! after the handshake are not shown.

mod chain;
mod report;

use super::options::Options;
use super::{Io, names, not_opened, not_read};
use crate::batch::Output;
use naru_pki::tls::{ClientConfig, Identity, State, Trust};
use naru_pki::{Certificate, PrivateKey};
use naru_shell::serve::{Dial, DialError, Stream};
use naru_shell::{Errno, Program, Progress, Step, Sys, system_roots};
use naru_sim::Time;

const VALUED: [&str; 13] = [
    "connect",
    "host",
    "port",
    "servername",
    "CAfile",
    "CApath",
    "cert",
    "key",
    "alpn",
    "verify",
    "verify_hostname",
    "nameopt",
    "sigalgs",
];
const PLAIN: [&str; 11] = [
    "showcerts",
    "brief",
    "quiet",
    "noservername",
    "verify_return_error",
    "verify_quiet",
    "ign_eof",
    "no_ign_eof",
    "tls1_3",
    "no_ticket",
    "prexit",
];
/// Where it connects to when nothing is said.
const HOST: &str = "localhost";
const PORT: &str = "4433";
/// Bytes moved at once.
const CHUNK_BYTES: usize = 16 << 10;

/// What is asked for.
#[derive(Clone, Debug, Default)]
struct Wanted {
    host: String,
    port: u16,
    /// The name in the client's hello; "" for none.
    server_name: String,
    protocols: Vec<String>,
    roots: Vec<Certificate>,
    identity: Option<Identity>,
    hostname: Option<String>,
    show_all: bool,
    brief: bool,
    quiet: bool,
    ignores_end: bool,
    must_verify: bool,
}

#[derive(Clone, Debug)]
enum Stage {
    Connect(Dial),
    Secure(Box<Stream>),
    Talk { stream: Box<Stream>, unsent: Vec<u8>, input_ended: bool },
}

/// The program.
#[derive(Clone, Debug, Default)]
pub struct SClient {
    wanted: Wanted,
    stage: Option<Stage>,
    output: Output,
    started: bool,
    ended: bool,
}

impl Program for SClient {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        loop {
            if !self.output.flush(sys) {
                return Step::Block { until: None };
            }
            if self.ended {
                return Step::Exit(self.output.code);
            }
            let waits = match self.started {
                true => self.go_on(sys),
                false => self.start(sys),
            };
            if let Some(until) = waits
                && self.output.is_flushed()
            {
                return Step::Block { until };
            }
        }
    }
}

impl SClient {
    /// Reads the arguments.
    fn start(&mut self, sys: &mut dyn Sys) -> Option<Option<Time>> {
        self.started = true;
        let args: Vec<String> = sys.args().iter().skip(2).cloned().collect();
        match wanted(&mut Io { sys, stdin: &[] }, &args) {
            Ok(wanted) => {
                self.stage = Some(Stage::Connect(Dial::new(&wanted.host, wanted.port)));
                self.wanted = wanted;
            }
            Err(output) => {
                self.output = output;
                self.ended = true;
            }
        }
        None
    }

    /// Goes on; gives until when it waits, if it does.
    fn go_on(&mut self, sys: &mut dyn Sys) -> Option<Option<Time>> {
        match self.stage.take() {
            Some(Stage::Connect(dial)) => self.connect(sys, dial),
            Some(Stage::Secure(stream)) => self.secure(sys, stream),
            Some(Stage::Talk { stream, unsent, input_ended }) => {
                self.talk(sys, stream, unsent, input_ended)
            }
            None => self.end(1),
        }
    }

    fn end(&mut self, code: i32) -> Option<Option<Time>> {
        self.output.code = code;
        self.ended = true;
        None
    }

    fn connect(&mut self, sys: &mut dyn Sys, mut dial: Dial) -> Option<Option<Time>> {
        match dial.poll(sys) {
            Progress::Waits(until) => {
                self.stage = Some(Stage::Connect(dial));
                Some(until)
            }
            Progress::Done(Err(error)) => {
                self.output.error(format!("connect:errno={}", number(error)));
                self.end(1)
            }
            Progress::Done(Ok(socket)) => {
                let config = ClientConfig {
                    host: self.wanted.server_name.clone(),
                    protocols: self.wanted.protocols.clone(),
                    // Its own judgement comes when the certificates are there.
                    trust: Trust::Anyone,
                    identity: self.wanted.identity.clone(),
                };
                if !self.wanted.brief && !self.wanted.quiet {
                    // The first file that a program opens.
                    self.output.line("CONNECTED(00000003)");
                }
                let stream = Stream::client(socket, config, sys.rng());
                self.stage = Some(Stage::Secure(Box::new(stream)));
                None
            }
        }
    }

    fn secure(&mut self, sys: &mut dyn Sys, mut stream: Box<Stream>) -> Option<Option<Time>> {
        let now = sys.now();
        let established = match sys.net() {
            Some(net) => stream.established(net, now),
            None => Err(Errno::NetUnreachable),
        };
        if established == Err(Errno::Again) {
            self.stage = Some(Stage::Secure(stream));
            return Some(None);
        }
        let Some(tls) = stream.tls() else { return self.end(1) };
        let seconds = u64::try_from(now.unix_micros() / 1_000_000).unwrap_or(0);
        let open = established.is_ok() && !matches!(tls.state(), State::Failed(_));
        let judged = chain::judge(tls.peer_certificates(), &self.wanted, seconds);
        let refused = self.wanted.must_verify && judged.problem.is_some();
        if self.wanted.server_name.is_empty() && open {
            self.output.error("Can't use SSL_get_servername");
        }
        judged.tell(&self.wanted, &mut self.output);
        if self.wanted.brief && open {
            report::brief(tls, &judged, &mut self.output);
        } else if !self.wanted.quiet && !self.wanted.brief {
            report::session(tls, &judged, &self.wanted, open && !refused, &mut self.output);
        }
        if !open || refused {
            if let Some(net) = sys.net() {
                stream.close(net);
            }
            return self.end(1);
        }
        self.stage = Some(Stage::Talk { stream, unsent: Vec::new(), input_ended: false });
        None
    }

    /// Moves bytes both ways.
    fn talk(
        &mut self,
        sys: &mut dyn Sys,
        mut stream: Box<Stream>,
        mut unsent: Vec<u8>,
        mut input_ended: bool,
    ) -> Option<Option<Time>> {
        let heard = self.hear(sys, &mut stream);
        if !input_ended && unsent.is_empty() {
            match sys.read(0, CHUNK_BYTES) {
                Err(Errno::Again) => {}
                Ok(bytes) if !bytes.is_empty() && !self.is_goodbye(&bytes) => unsent = bytes,
                _ => input_ended = true,
            }
        }
        let Some(net) = sys.net() else { return self.end(1) };
        while !unsent.is_empty() {
            match stream.send(net, &unsent) {
                Ok(taken) => drop(unsent.drain(..taken.min(unsent.len()))),
                Err(_) => break,
            }
        }
        if heard.is_err() {
            stream.close(net);
            if !self.wanted.quiet {
                self.output.line("closed");
            }
            return self.end(0);
        }
        if input_ended && !self.wanted.ignores_end {
            stream.close(net);
            self.output.error("DONE");
            return self.end(0);
        }
        self.stage = Some(Stage::Talk { stream, unsent, input_ended });
        Some(None)
    }

    /// Prints what came; an error at the end of it.
    fn hear(&mut self, sys: &mut dyn Sys, stream: &mut Stream) -> Result<(), Errno> {
        let now = sys.now();
        loop {
            let net = sys.net().ok_or(Errno::NetUnreachable)?;
            match stream.recv(net, now, CHUNK_BYTES) {
                Ok(bytes) if bytes.is_empty() => return Err(Errno::ConnReset),
                Ok(bytes) => self.output.put(bytes),
                Err(Errno::Again) => return Ok(()),
                Err(errno) => return Err(errno),
            }
        }
    }

    /// A line that begins with `Q` ends the conversation, where the end of input does.
    fn is_goodbye(&self, bytes: &[u8]) -> bool {
        !self.wanted.ignores_end && bytes.first() == Some(&b'Q')
    }
}

/// Linux's number of what went wrong.
fn number(error: DialError) -> u32 {
    match error {
        DialError::Connect(Errno::NetUnreachable) => 101,
        DialError::Connect(Errno::TimedOut) => 110,
        DialError::Connect(Errno::ConnRefused) => 111,
        DialError::Connect(Errno::HostUnreachable) => 113,
        // What is left over from before: a name has no number.
        _ => 22,
    }
}

fn wanted(io: &mut Io<'_>, args: &[String]) -> Result<Wanted, Output> {
    let options = Options::parse("s_client", args, &VALUED, &PLAIN)?;
    if options.rest.len() > 1 {
        return Err(Output::failed("s_client: Use -help for summary."));
    }
    let whole = options.value("connect").or(options.rest.first().map(String::as_str));
    let (host, port) = match whole {
        Some(whole) => target(whole)?,
        None => (options.value("host").unwrap_or(HOST), options.value("port").unwrap_or(PORT)),
    };
    // Names of services are in a file that is not here.
    let port = port.parse().map_err(|_| Output::failed("connect:errno=0"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let named = options.value("servername").unwrap_or(if is_dns_name(&host) { &host } else { "" });
    let server_name = if options.has("noservername") { "" } else { named }.to_owned();
    let protocols = options.value("alpn").unwrap_or_default().split(',').map(str::to_owned);
    let quiet = options.has("quiet");
    Ok(Wanted {
        port,
        server_name,
        protocols: protocols.filter(|protocol| !protocol.is_empty()).collect(),
        roots: roots(io, &options)?,
        identity: identity(io, &options)?,
        hostname: options.value("verify_hostname").map(str::to_owned),
        show_all: options.has("showcerts"),
        brief: options.has("brief"),
        quiet,
        ignores_end: (quiet || options.has("ign_eof")) && !options.has("no_ign_eof"),
        must_verify: options.has("verify_return_error"),
        host,
    })
}

/// `host`, `host:port` or `[address]:port`.
fn target(text: &str) -> Result<(&str, &str), Output> {
    let bare = text.rsplit_once(']').map_or(text, |(_, rest)| rest);
    match bare.matches(':').count() {
        0 => Ok((text, PORT)),
        1 => Ok(text.rsplit_once(':').unwrap_or((text, PORT))),
        _ => Err(Output::failed(
            "s_client: -connect argument or target parameter malformed or ambiguous",
        )),
    }
}

/// Whether it looks like a name of two labels and more.
fn is_dns_name(host: &str) -> bool {
    host.contains('.') && host.parse::<std::net::IpAddr>().is_err()
}

fn roots(io: &mut Io<'_>, options: &Options) -> Result<Vec<Certificate>, Output> {
    let Some(path) = options.value("CAfile") else { return Ok(system_roots(io.sys).1.to_vec()) };
    // OpenSSL has nothing but its queue of errors to say.
    io.certificates(path).ok_or_else(|| Output::exit(1))
}

/// What is shown to a server that asks for it.
fn identity(io: &mut Io<'_>, options: &Options) -> Result<Option<Identity>, Output> {
    const KEY: &str = "client certificate private key";
    const CERTIFICATE: &str = "client certificate";
    let Some(path) = options.value("cert") else { return Ok(None) };
    let of_key = options.value("key").unwrap_or(path);
    let Some(text) = io.text(Some(of_key)) else {
        let why = format!("Could not open file or uri for loading {KEY} from {of_key}");
        return Err(Output::failed(why));
    };
    let key = PrivateKey::from_pem(&text)
        .map_err(|_| Output::failed(format!("Could not read {KEY} from {of_key}")))?;
    if io.read(Some(path)).is_none() {
        return Err(not_opened(Some(path), CERTIFICATE, CERTIFICATE));
    }
    let certificate =
        io.certificate(Some(path)).map_err(|_| not_read(Some(path), CERTIFICATE, CERTIFICATE))?;
    Ok(Some(Identity { chain: vec![certificate], key }))
}

/// The name of who a certificate is about.
fn subject(certificate: &Certificate) -> String {
    names::show(&certificate.0.tbs_certificate.subject)
}
