//! The way to an endpoint: addresses, and who trusts whom.
//!
//! Upstream: `clientConfigFromCmd` in `etcdctl/ctlv3/command/global.go`, `client/v3`.

use super::Failure;
use super::flags::Parsed;
use super::members::Cluster;
use naru_shell::Sys;
use naru_sim::Time;

/// Why nobody answers; a command gives up after its timeout.
pub(super) type Unreachable = String;

/// Checks the flags and files about TLS, as it is done before any connection.
pub(super) fn check_files(flags: &Parsed, sys: &mut dyn Sys) -> Result<(), Failure> {
    for name in ["cert", "key", "cacert"] {
        if flags.has(name) && flags.text(name).is_empty() {
            let why = format!("empty string is passed to --{name} option");
            return Err(Failure::bad_args(why));
        }
    }
    let (cert, key) = (flags.text("cert"), flags.text("key"));
    if cert.is_empty() != key.is_empty() {
        let why = format!("KeyFile and CertFile must both be present[key: {key}, cert: {cert}]");
        return Err(Failure::bad_args(why));
    }
    for name in ["cert", "key", "cacert"].into_iter().filter(|name| flags.has(name)) {
        let file = flags.text(name);
        let path = sys.absolute(file);
        let read = sys.fs().read(&path).map(|bytes| bytes.starts_with(b"-----BEGIN "));
        let why = match read {
            Err(error) => format!("open {file}: {}", error.to_string().to_lowercase()),
            Ok(true) => continue,
            Ok(false) if name == "cacert" => "could not parse ca file".to_owned(),
            Ok(false) => format!("tls: failed to find any PEM data in {name} input"),
        };
        return Err(Failure::bad_args(why));
    }
    Ok(())
}

/// Whether an endpoint answers. etcd wants TLS and a certificate of its own authority.
pub(super) fn reach(
    endpoint: &str,
    flags: &Parsed,
    cluster: Option<&Cluster>,
) -> Result<(), Unreachable> {
    let connection = |why: &str| {
        format!("latest balancer error: last connection error: connection error: desc = \"{why}\"")
    };
    let (scheme, address) = endpoint.split_once("://").unwrap_or(("", endpoint));
    let address = address.replace("localhost", "127.0.0.1");
    let listens = cluster.into_iter().flat_map(|cluster| &cluster.listens);
    if !listens.into_iter().any(|url| url.rsplit("://").next() == Some(&address)) {
        let why = format!(
            "transport: Error while dialing: dial tcp {address}: connect: connection refused"
        );
        return Err(connection(&why));
    }
    let shows = !flags.text("cert").is_empty();
    let trusts = !flags.text("cacert").is_empty() || flags.is_on("insecure-skip-tls-verify");
    let plain = flags.has("insecure-transport") && !flags.is_on("insecure-transport");
    let tls = shows || !flags.text("cacert").is_empty() || scheme == "https" || plain;
    if !tls || scheme == "http" {
        return Err(connection("error reading server preface: EOF"));
    }
    if !trusts {
        return Err(connection(
            "transport: authentication handshake failed: tls: failed to verify certificate: x509: \
             certificate signed by unknown authority",
        ));
    }
    if !shows {
        return Err(connection(
            "error reading server preface: remote error: tls: certificate required",
        ));
    }
    Ok(())
}

/// What the client logs when it gives up: `code` and `why` are those of the gRPC status.
pub(super) fn warning(endpoint: &str, code: &str, why: &str, now: Time, handle: u64) -> String {
    let address = endpoint.rsplit("://").next().unwrap_or(endpoint);
    let why = why.replace('"', "\\\"");
    let ts = timestamp(now);
    format!(
        "{{\"level\":\"warn\",\"ts\":\"{ts}\",\"logger\":\"etcd-client\",\"caller\":\"v3@v3.5.21/\
         retry_interceptor.go:63\",\"msg\":\"retrying of unary invoker failed\",\"target\":\
         \"etcd-endpoints://0xc{handle:011x}/{address}\",\"attempt\":0,\"error\":\"rpc error: code \
         = {code} desc = {why}\"}}\n"
    )
}

/// `2026-11-21T10:29:39.060776Z`.
fn timestamp(now: Time) -> String {
    let time = naru_api::time::rfc3339(Some(&naru_api::time::meta_time(now)));
    let micros = now.unix_micros().rem_euclid(1_000_000);
    format!("{}.{micros:06}Z", time.trim_end_matches('Z'))
}
