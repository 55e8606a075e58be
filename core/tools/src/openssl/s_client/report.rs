//! What `s_client` says of a connection.
//!
//! Upstream: `print_stuff` in OpenSSL's `apps/s_client.c`, `print_ssl_summary` in `apps/lib/s_cb.c`.

use super::chain::Judged;
use super::{Wanted, subject};
use crate::batch::Output;
use crate::openssl::{names, text};
use naru_pki::Certificate;
use naru_pki::tls::Connection;
use naru_pki::x509_cert::der::Decode;
use naru_pki::x509_cert::name::Name;

const CIPHER: &str = "TLS_AES_128_GCM_SHA256";
const KEY_EXCHANGE: &str = "X25519, 253 bits";
/// What servers of Go's `crypto/tls` take: all here that ask clients for certificates are such.
/// Upstream: `supportedSignatureAlgorithms` in `crypto/tls/common.go`.
const SCHEMES: &str = "RSA-PSS+SHA256:ECDSA+SHA256:Ed25519:RSA-PSS+SHA384:RSA-PSS+SHA512:RSA+SHA256:RSA+SHA384:\
                       RSA+SHA512:ECDSA+SHA384:ECDSA+SHA512:RSA+SHA1:ECDSA+SHA1";
/// Those of them that OpenSSL 3.0 has too.
const SHARED_SCHEMES: &str = "RSA-PSS+SHA256:ECDSA+SHA256:Ed25519:RSA-PSS+SHA384:RSA-PSS+SHA512:RSA+SHA256:\
                              RSA+SHA384:RSA+SHA512:ECDSA+SHA384:ECDSA+SHA512";
const LINE: &str = "---";

/// All that is said of a connection, one that came about or not.
pub fn session(
    tls: &Connection,
    judged: &Judged,
    wanted: &Wanted,
    open: bool,
    output: &mut Output,
) {
    output.line(LINE);
    let peer = tls.peer_certificates();
    if !peer.is_empty() {
        output.line("Certificate chain");
        for (depth, certificate) in peer.iter().enumerate() {
            output.put(in_chain(depth, certificate));
            if wanted.show_all {
                output.put(certificate.to_pem());
            }
        }
        output.line(LINE);
    }
    match peer.first().filter(|_| open) {
        Some(certificate) => {
            output.line("Server certificate");
            if !wanted.show_all {
                output.put(certificate.to_pem());
            }
            output.line(format!("subject={}", subject(certificate)));
            output.line(format!("issuer={}", names::show(&certificate.0.tbs_certificate.issuer)));
        }
        None => output.line("no peer certificate available"),
    }
    output.line(LINE);
    put_client_authorities(tls, output);
    if let Some(certificate) = peer.first().filter(|_| open) {
        output.line("Peer signing digest: SHA256");
        output.line(format!("Peer signature type: {}", signature_type(certificate)));
    }
    if !peer.is_empty() {
        output.line(format!("Server Temp Key: {KEY_EXCHANGE}"));
    }
    output.line(LINE);
    let (read, written) = tls.handshake_bytes();
    output.line(format!("SSL handshake has read {read} bytes and written {written} bytes"));
    output.line(verification(judged));
    output.line(LINE);
    put_cipher(tls, judged, open, output);
}

/// `-brief`
pub fn brief(tls: &Connection, judged: &Judged, output: &mut Output) {
    output.error("CONNECTION ESTABLISHED\nProtocol version: TLSv1.3");
    output.error(format!("Ciphersuite: {CIPHER}"));
    if tls.asked_for_certificate() {
        output.error(format!("Requested Signature Algorithms: {SCHEMES}"));
    }
    if let Some(certificate) = tls.peer_certificates().first() {
        output.error(format!("Peer certificate: {}", subject(certificate)));
        output.error("Hash used: SHA256");
        output.error(format!("Signature type: {}", signature_type(certificate)));
        output.error(verification(judged));
    }
    output.error(format!("Server Temp Key: {KEY_EXCHANGE}"));
}

fn in_chain(depth: usize, certificate: &Certificate) -> String {
    let body = &certificate.0.tbs_certificate;
    let (name, bits) = key(certificate);
    format!(
        "{depth:2} s:{}\n   i:{}\n   a:PKEY: {name}, {bits} (bit); sigalg: {}\n   v:NotBefore: {}; NotAfter: {}\n",
        subject(certificate),
        names::show(&body.issuer),
        // The one place where OpenSSL uses the short name.
        text::algorithm(&body.signature.oid).replace("sha256WithRSAEncryption", "RSA-SHA256"),
        text::date(&body.validity.not_before),
        text::date(&body.validity.not_after),
    )
}

/// The kind of a certificate's key, and its bits.
fn key(certificate: &Certificate) -> (&'static str, usize) {
    let numbers = certificate.public_key().ok().and_then(|key| key.rsa_numbers());
    match numbers {
        Some(numbers) => ("rsaEncryption", text::bits(&numbers.modulus)),
        None => ("id-ecPublicKey", 256),
    }
}

fn signature_type(certificate: &Certificate) -> &'static str {
    match key(certificate) {
        ("rsaEncryption", _) => "RSA-PSS",
        _ => "ECDSA",
    }
}

fn put_client_authorities(tls: &Connection, output: &mut Output) {
    let all = tls.acceptable_authorities();
    match all.is_empty() {
        true => output.line("No client certificate CA names sent"),
        false => output.line("Acceptable client certificate CA names"),
    }
    for name in all.iter().filter_map(|der| Name::from_der(der).ok()) {
        output.line(names::show(&name));
    }
    if tls.asked_for_certificate() {
        output.line(format!("Requested Signature Algorithms: {SCHEMES}"));
        output.line(format!("Shared Requested Signature Algorithms: {SHARED_SCHEMES}"));
    }
}

fn verification(judged: &Judged) -> String {
    match judged.problem {
        Some((_, why)) => format!("Verification error: {why}"),
        None => "Verification: OK".to_owned(),
    }
}

fn put_cipher(tls: &Connection, judged: &Judged, open: bool, output: &mut Output) {
    match tls.peer_certificates().first() {
        Some(certificate) => {
            output.line(format!("New, TLSv1.3, Cipher is {CIPHER}"));
            if open {
                output.line(format!("Server public key is {} bit", key(certificate).1));
            }
        }
        None => output.line("New, (NONE), Cipher is (NONE)"),
    }
    output.line("Secure Renegotiation IS NOT supported\nCompression: NONE\nExpansion: NONE");
    match tls.protocol() {
        Some(protocol) => output.line(format!("ALPN protocol: {protocol}")),
        None => output.line("No ALPN negotiated"),
    }
    let (number, words) = judged.code();
    output.line(format!("Early data was not sent\nVerify return code: {number} ({words})\n{LINE}"));
}
