//! curl over TLS, in the words of curl 7.88.1 with OpenSSL 3.0.

use super::{Curl, Failure, Transfer, failure};
use crate::programs::net::secure;
use crate::serve::Stream;
use crate::{SocketId, Sys};
use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use naru_pki::Certificate;
use naru_pki::tls::{ClientConfig, Connection, TlsError, Trust, VerifyError};
use std::net::IpAddr;

/// Printed after the message of exit code 60.
pub const MORE_DETAILS: &str = "More details here: https://curl.se/docs/sslcerts.html

curl failed to verify the legitimacy of the server and therefore could not
establish a secure connection to it. To learn more about this situation and
how to fix it, please visit the web page mentioned above.";

impl Curl {
    /// Begins to secure a connection that stands.
    pub(super) fn secure(
        &mut self,
        sys: &mut dyn Sys,
        transfer: &Transfer,
        socket: SocketId,
    ) -> Result<Stream, Failure> {
        let (file, roots) = match self.options.cacert.clone() {
            Some(file) => {
                let roots = secure::roots(sys, &file);
                (file, roots)
            }
            None => {
                let (file, roots) = secure::system_roots(sys);
                (file, Some(roots))
            }
        };
        let Some(roots) = roots else {
            return failure(77, format!("error setting certificate file: {file}"));
        };
        let trust = if self.options.insecure { Trust::Anyone } else { Trust::Roots(roots) };
        let config = ClientConfig {
            host: transfer.url.host.clone(),
            protocols: vec!["h2".to_owned(), "http/1.1".to_owned()],
            trust,
            identity: self.identity(sys)?,
        };
        self.note("ALPN: offers h2,http/1.1");
        self.note("TLSv1.3 (OUT), TLS handshake, Client hello (1):");
        if !self.options.insecure {
            self.note(format!(" CAfile: {file}"));
            self.note(" CApath: /etc/ssl/certs");
        }
        Ok(Stream::client(socket, config, sys.rng()))
    }

    fn identity(&self, sys: &mut dyn Sys) -> Result<Option<naru_pki::tls::Identity>, Failure> {
        let Some(certificate) = &self.options.cert else { return Ok(None) };
        let key = self.options.key.as_ref().unwrap_or(certificate);
        match secure::identity(sys, certificate, key) {
            Some(identity) => Ok(Some(identity)),
            None => failure(
                58,
                "could not load PEM client certificate, OpenSSL error error:80000002:system \
                 library::No such file or directory, (no key found, wrong pass phrase, or wrong \
                 file format?)",
            ),
        }
    }

    /// What `-v` says once both sides know each other.
    pub(super) fn note_handshake(&mut self, tls: &Connection, transfer: &Transfer) {
        if !self.options.verbose {
            return;
        }
        let mut lines = vec!["(IN), TLS handshake, Server hello (2)"];
        lines.push("(IN), TLS handshake, Encrypted Extensions (8)");
        if tls.asked_for_certificate() {
            lines.push("(IN), TLS handshake, Request CERT (13)");
        }
        lines.extend([
            "(IN), TLS handshake, Certificate (11)",
            "(IN), TLS handshake, CERT verify (15)",
            "(IN), TLS handshake, Finished (20)",
            "(OUT), TLS change cipher, Change cipher spec (1)",
        ]);
        if tls.asked_for_certificate() {
            lines.push("(OUT), TLS handshake, Certificate (11)");
            if self.options.cert.is_some() {
                lines.push("(OUT), TLS handshake, CERT verify (15)");
            }
        }
        lines.push("(OUT), TLS handshake, Finished (20)");
        for line in lines {
            self.note(format!("TLSv1.3 {line}:"));
        }
        self.note("SSL connection using TLSv1.3 / TLS_AES_128_GCM_SHA256");
        match tls.protocol() {
            Some(protocol) => self.note(format!("ALPN: server accepted {protocol}")),
            None => self.note("ALPN: server did not agree on a protocol. Uses default."),
        }
        if let Some(certificate) = tls.peer_certificates().first() {
            self.note_certificate(certificate, tls, transfer);
        }
    }

    fn note_certificate(
        &mut self,
        certificate: &Certificate,
        tls: &Connection,
        transfer: &Transfer,
    ) {
        self.note("Server certificate:");
        self.note(format!(" subject: {}", secure::name(&certificate.subject())));
        self.note(format!(" start date: {}", date(certificate.not_before())));
        self.note(format!(" expire date: {}", date(certificate.not_after())));
        if tls.verified().is_ok() {
            let host = &transfer.url.host;
            let matched = match host.parse::<IpAddr>() {
                Ok(_) => format!("host \"{host}\" matched cert's IP address!"),
                Err(_) => {
                    let names = certificate.dns_names();
                    let name = names.iter().find(|n| naru_pki::tls::matches_name(n, host));
                    format!("host \"{host}\" matched cert's \"{}\"", name.unwrap_or(host))
                }
            };
            self.note(format!(" subjectAltName: {matched}"));
        }
        self.note(format!(" issuer: {}", secure::name(&certificate.issuer())));
        match tls.verified() {
            Ok(()) => self.note(" SSL certificate verify ok."),
            Err(error) => {
                let (words, number) = secure::problem(error);
                self.note(format!(
                    " SSL certificate verify result: {words} ({number}), continuing anyway."
                ));
            }
        }
    }

    /// Why the handshake failed.
    pub(super) fn not_secured(&mut self, tls: &Connection, transfer: &Transfer) -> Failure {
        let host = &transfer.url.host;
        let (code, message) = match secure::failed(tls) {
            Some(TlsError::Certificate(VerifyError::Name { .. })) => {
                let what =
                    if host.parse::<IpAddr>().is_ok() { "ipv4 address" } else { "host name" };
                let words = "no alternative certificate subject name matches target";
                (60, format!("SSL: {words} {what} '{host}'"))
            }
            Some(TlsError::Certificate(error)) => {
                (60, format!("SSL certificate problem: {}", secure::problem(error).0))
            }
            Some(TlsError::NotTls(_)) => {
                (35, "error:0A00010B:SSL routines::wrong version number".to_owned())
            }
            Some(TlsError::Alert(alert)) => {
                (35, format!("OpenSSL SSL_connect: alert {} ({alert})", alert.0))
            }
            Some(TlsError::Protocol(why)) => (35, format!("OpenSSL SSL_connect: {why}")),
            None => {
                let port = transfer.url.port_or_default();
                let words = "OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to";
                (35, format!("{words} {host}:{port} "))
            }
        };
        self.note(&message);
        self.note(format!("Closing connection {}", transfer.number));
        Failure { code, message }
    }
}

/// `Jun  2 00:00:00 2025 GMT`
fn date(unix_seconds: u64) -> String {
    let moment = i64::try_from(unix_seconds).ok().and_then(|at| Timestamp::from_second(at).ok());
    let zoned = moment.map(|moment| moment.to_zoned(TimeZone::UTC));
    zoned.and_then(|at| strtime::format("%b %e %H:%M:%S %Y GMT", &at).ok()).unwrap_or_default()
}
