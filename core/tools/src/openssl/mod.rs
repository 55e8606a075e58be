//! `openssl`: real keys and certificates, from the cluster's seed.
//!
//! The texts and exit codes are those of OpenSSL 3.0. What it prints of its queue of errors
//! (`40B7758C1E7F0000:error:…`) names places in its own source and is left out.

mod config;
mod extensions;
mod keys;
mod names;
mod options;
mod req;
mod s_client;
mod small;
mod text;
mod verify;
mod x509;

use crate::batch::{Batch, Output, Work};
use naru_pki::{Certificate, CertificateRequest, PrivateKey, pem};
use naru_shell::{Program, Step, Sys};

const VERSION: &str = "OpenSSL 3.0.16 11 Feb 2025 (Library: OpenSSL 3.0.16 11 Feb 2025)";

/// The program. One command talks with others; all else is computed at once.
#[derive(Clone, Debug)]
enum Openssl {
    New,
    Batch(Batch),
    SClient(Box<s_client::SClient>),
}

/// The program.
pub fn program() -> Box<dyn Program> {
    Box::new(Openssl::New)
}

impl Program for Openssl {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        loop {
            match self {
                Openssl::New if sys.args().get(1).is_some_and(|it| it == "s_client") => {
                    *self = Openssl::SClient(Box::default());
                }
                Openssl::New => *self = Openssl::Batch(Batch::new(Work::at_once(reads, run))),
                Openssl::Batch(batch) => return batch.resume(sys),
                Openssl::SClient(client) => return client.resume(sys),
            }
        }
    }
}

/// What a command gives: what it printed, or what it printed before it failed.
type Done = Result<Output, Output>;

/// Whether a command reads standard input: where `-in` and files are not given.
fn reads(args: &[String]) -> bool {
    let Some((command, rest)) = args.split_first() else { return false };
    let has = |flag: &str| rest.iter().any(|arg| arg == flag);
    match command.as_str() {
        "x509" => x509::reads(rest),
        "req" => req::reads(rest),
        "rsa" | "pkey" | "ec" => keys::reads(rest),
        "base64" | "enc" => !has("-in"),
        name if small::is_digest(name) => small::files(rest).is_empty(),
        _ => false,
    }
}

fn run(sys: &mut dyn Sys, args: &[String], stdin: &[u8]) -> Output {
    let Some((command, rest)) = args.split_first() else {
        return help();
    };
    let mut io = Io { sys, stdin };
    let done = match command.as_str() {
        "genrsa" => keys::genrsa(&mut io, rest),
        "genpkey" => keys::genpkey(&mut io, rest),
        "ecparam" => keys::ecparam(&mut io, rest),
        "rsa" | "pkey" | "ec" => keys::convert(&mut io, command, rest),
        "req" => req::run(&mut io, rest),
        "x509" => x509::run(&mut io, rest),
        "verify" => verify::run(&mut io, rest),
        "rand" => small::rand(&mut io, rest),
        "base64" => small::base64(&mut io, "base64", rest),
        "enc" => small::base64(&mut io, "enc", rest),
        "version" => Ok(small::version(rest)),
        "help" | "-help" | "--help" => Ok(help()),
        name if small::is_digest(name) => small::digest(&mut io, name, rest),
        name => Err(Output::failed(format!("Invalid command '{name}'; type \"help\" for a list."))),
    };
    match done {
        Ok(output) | Err(output) => output,
    }
}

/// The commands that there are here.
fn help() -> Output {
    let mut output = Output::default();
    output.error("help:\n\nStandard commands");
    let names = [
        "base64", "dgst", "ec", "ecparam", "enc", "genpkey", "genrsa", "help", "pkey", "rand",
        "req", "rsa", "s_client", "verify", "version", "x509",
    ];
    for row in names.chunks(4) {
        output.error(row.iter().map(|name| format!("{name:<18}")).collect::<String>());
    }
    output
}

/// Files and standard input.
struct Io<'a> {
    sys: &'a mut dyn Sys,
    stdin: &'a [u8],
}

impl Io<'_> {
    /// A file, or standard input where none is named.
    fn read(&mut self, path: Option<&str>) -> Option<Vec<u8>> {
        match path {
            None | Some("-" | "/dev/stdin") => Some(self.stdin.to_vec()),
            Some(path) => {
                let path = self.sys.absolute(path);
                self.sys.fs().read(&path).ok().map(|bytes| bytes.to_vec())
            }
        }
    }

    /// Puts bytes into a file, or prints them where none is named.
    fn write(
        &mut self,
        path: Option<&str>,
        bytes: &[u8],
        output: &mut Output,
    ) -> Result<(), Output> {
        let Some(path) = path.filter(|path| !["-", "/dev/stdout"].contains(path)) else {
            output.put(bytes);
            return Ok(());
        };
        let absolute = self.sys.absolute(path);
        self.sys.fs().write(&absolute, bytes).map_err(|errno| {
            let mut failed = std::mem::take(output);
            failed.error(format!("Can't open \"{path}\" for writing, {errno}"));
            failed.code = 1;
            failed
        })
    }

    fn text(&mut self, path: Option<&str>) -> Option<String> {
        self.read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A certificate, in PEM or DER.
    fn certificate(&mut self, path: Option<&str>) -> Result<Certificate, Output> {
        let bytes =
            self.read(path).ok_or_else(|| not_opened(path, "certificate", "certificate"))?;
        let text = String::from_utf8_lossy(&bytes);
        Certificate::from_pem(&text)
            .or_else(|_| Certificate::from_der(&bytes))
            .map_err(|_| not_read(path, "certificate", "certificate"))
    }

    /// Every certificate of a file.
    fn certificates(&mut self, path: &str) -> Option<Vec<Certificate>> {
        let text = self.text(Some(path))?;
        let blocks = pem::blocks(&text).ok()?;
        let ders = blocks.iter().filter(|(label, _)| label == "CERTIFICATE");
        let all: Vec<Certificate> =
            ders.filter_map(|(_, der)| Certificate::from_der(der).ok()).collect();
        Some(all).filter(|all| !all.is_empty())
    }

    /// A private key.
    fn key(&mut self, path: Option<&str>) -> Result<PrivateKey, Output> {
        let text = self.text(path).ok_or_else(|| not_opened(path, "private key", "Private Key"))?;
        PrivateKey::from_pem(&text).map_err(|_| not_read(path, "private key", "Private Key"))
    }

    /// A certificate request.
    fn request(&mut self, path: Option<&str>) -> Result<CertificateRequest, Output> {
        let Some(text) = self.text(path) else {
            let name = path.unwrap_or_default();
            let mut output = Output::failed(format!(
                "Can't open \"{name}\" for reading, No such file or directory"
            ));
            output.error("Unable to load X509 request");
            return Err(output);
        };
        CertificateRequest::from_pem(&text)
            .map_err(|_| Output::failed("Unable to load X509 request"))
    }

    /// The present moment, in seconds of the Unix epoch.
    fn now(&self) -> u64 {
        u64::try_from(self.sys.now().unix_micros() / 1_000_000).unwrap_or(0)
    }
}

fn shown(path: Option<&str>) -> &str {
    path.unwrap_or("<stdin>")
}

fn not_opened(path: Option<&str>, what: &str, last: &str) -> Output {
    let mut output = Output::failed(format!(
        "Could not open file or uri for loading {what} from {}",
        shown(path)
    ));
    output.error(format!("Unable to load {last}"));
    output
}

fn not_read(path: Option<&str>, what: &str, last: &str) -> Output {
    let mut output = Output::failed(format!("Could not read {what} from {}", shown(path)));
    output.error(format!("Unable to load {last}"));
    output
}
