//! `openssl verify`: whether certificates lead up to one that is trusted.

use super::options::Options;
use super::{Done, Io, names};
use crate::batch::Output;
use naru_pki::{Certificate, ExtendedUsage, PkiError};

/// Certificates between a leaf and its root at most.
const DEPTH_MAX: usize = 10;

pub fn run(io: &mut Io<'_>, args: &[String]) -> Done {
    let valued = ["CAfile", "trusted", "untrusted", "CApath", "purpose", "verify_hostname"];
    let options = Options::parse("verify", args, &valued, &["verbose", "show_chain"])?;
    let mut output = Output::default();
    let (mut roots, mut others) = (Vec::new(), Vec::new());
    for (names, list) in [(["CAfile", "trusted"], &mut roots), (["untrusted", ""], &mut others)] {
        for path in names.into_iter().flat_map(|name| options.values(name)) {
            let Some(found) = io.certificates(path) else {
                return Err(Output::failed(format!("Error loading file {path}")));
            };
            list.extend(found);
        }
    }
    for path in &options.rest {
        let Ok(certificate) = io.certificate(Some(path)) else {
            output.error(format!(
                "Could not open file or uri for loading certificate file from {path}"
            ));
            output.error("Unable to load certificate file");
            output.code = 2;
            continue;
        };
        match judge(&certificate, &roots, &others, io.now()) {
            Ok(()) => output.line(format!("{path}: OK")),
            Err((subject, number, depth, why)) => {
                output.error(subject);
                output.error(format!("error {number} at {depth} depth lookup: {why}"));
                output.error(format!("error {path}: verification failed"));
                output.code = 2;
            }
        }
    }
    Ok(output)
}

/// Whose certificate is not trusted, the number of the error, how far up the chain, and why.
type Refusal = (String, u32, usize, &'static str);

fn judge(
    leaf: &Certificate,
    roots: &[Certificate],
    others: &[Certificate],
    now: u64,
) -> Result<(), Refusal> {
    let mut current = leaf;
    for depth in 0..DEPTH_MAX {
        let subject = names::show(&current.0.tbs_certificate.subject);
        let refuse = |number, why| Err((subject.clone(), number, depth, why));
        if now < current.not_before() {
            return refuse(9, "certificate is not yet valid");
        }
        if now > current.not_after() {
            return refuse(10, "certificate has expired");
        }
        if roots.contains(current) {
            return Ok(());
        }
        let issued = |other: &&Certificate| signed(current, other, now);
        if let Some(root) = roots.iter().find(issued) {
            current = root;
            continue;
        }
        let own = signed(current, current, now);
        match others.iter().find(issued) {
            Some(next) if !own => current = next,
            _ if own && depth == 0 => return refuse(18, "self-signed certificate"),
            _ if own => return refuse(19, "self-signed certificate in certificate chain"),
            _ => return refuse(20, "unable to get local issuer certificate"),
        }
    }
    Err((
        names::show(&current.0.tbs_certificate.subject),
        22,
        DEPTH_MAX,
        "certificate chain too long",
    ))
}

/// Whether `issuer` signed it. What it may be used for is not asked.
pub fn signed(certificate: &Certificate, issuer: &Certificate, now: u64) -> bool {
    match certificate.verify(issuer, now, ExtendedUsage::ServerAuth) {
        Ok(()) | Err(PkiError::Expired(_)) => true,
        Err(PkiError::Usage) => certificate.verify(issuer, now, ExtendedUsage::ClientAuth).is_ok(),
        Err(_) => false,
    }
}
