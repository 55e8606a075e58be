//! Whether a certificate and a key belong together, in the words of Go's `tls.X509KeyPair`.

use naru_pki::{Certificate, KeyKind, PkiError, PrivateKey, pem};

/// Refuses a pair that no TLS server could use.
pub fn check(certificate: &str, key: &str) -> Result<(), String> {
    let chain = certificates(certificate)?;
    let key_block = find_key(key)?;
    let leaf = chain.first().map(|der| Certificate::from_der(der));
    let Some(Ok(leaf)) = leaf else { return Err("x509: malformed certificate".to_owned()) };
    let private = PrivateKey::from_pem(&pem::encode(&key_block.0, &key_block.1))
        .map_err(|_| "tls: failed to parse private key".to_owned())?;
    match leaf.public_key() {
        Err(PkiError::UnsupportedKey) => Err("tls: unknown public key algorithm".to_owned()),
        Err(_) => Err("x509: malformed public key".to_owned()),
        Ok(public) if public == private.public() => Ok(()),
        Ok(public) => Err(match (public.kind(), private.kind()) {
            (KeyKind::P256, KeyKind::P256) | (KeyKind::Rsa(_), KeyKind::Rsa(_)) => {
                "tls: private key does not match public key".to_owned()
            }
            _ => "tls: private key type does not match public key type".to_owned(),
        }),
    }
}

type Block = (String, Vec<u8>);

/// Blocks as far as they can be read: Go's `pem.Decode` passes over what it cannot.
fn blocks(text: &str) -> Vec<Block> {
    pem::blocks(text).unwrap_or_default()
}

fn skipped(blocks: &[Block]) -> String {
    let labels: Vec<&str> = blocks.iter().map(|(label, _)| label.as_str()).collect();
    format!("[{}]", labels.join(" "))
}

fn certificates(text: &str) -> Result<Vec<Vec<u8>>, String> {
    let blocks = blocks(text);
    let chain: Vec<Vec<u8>> = blocks
        .iter()
        .filter(|(label, _)| label == "CERTIFICATE")
        .map(|(_, der)| der.clone())
        .collect();
    match blocks.as_slice() {
        _ if !chain.is_empty() => Ok(chain),
        [] => Err("tls: failed to find any PEM data in certificate input".to_owned()),
        [(label, _)] if label.ends_with("PRIVATE KEY") => Err(
            "tls: failed to find certificate PEM data in certificate input, but did find a private \
             key; PEM inputs may have been switched"
                .to_owned(),
        ),
        all => Err(format!(
            "tls: failed to find \"CERTIFICATE\" PEM block in certificate input after skipping PEM \
             blocks of the following types: {}",
            skipped(all)
        )),
    }
}

fn find_key(text: &str) -> Result<Block, String> {
    let blocks = blocks(text);
    let found =
        blocks.iter().find(|(label, _)| label == "PRIVATE KEY" || label.ends_with(" PRIVATE KEY"));
    match (found, blocks.as_slice()) {
        (Some(block), _) => Ok(block.clone()),
        (None, []) => Err("tls: failed to find any PEM data in key input".to_owned()),
        (None, [(label, _)]) if label == "CERTIFICATE" => {
            Err("tls: found a certificate rather than a key in the PEM for the private key"
                .to_owned())
        }
        (None, all) => Err(format!(
            "tls: failed to find PEM block with type ending in \"PRIVATE KEY\" in key input after \
             skipping PEM blocks of the following types: {}",
            skipped(all)
        )),
    }
}
