//! TLS: the server's certificate, which the cluster's own authority signs, and the clients'.

use naru_cluster::ClusterPki;
use naru_sim::Time;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;

/// The server's side of TLS, with a certificate for these names and addresses that is valid from
/// the moment `now`.
pub fn config(
    pki: &ClusterPki,
    names: &[String],
    now: Time,
) -> Result<Arc<ServerConfig>, Box<dyn Error>> {
    let (addresses, names): (Vec<_>, Vec<_>) = names
        .iter()
        .map(|name| name.parse::<IpAddr>().map_err(|_| name.as_str()))
        .partition(Result::is_ok);
    let addresses: Vec<IpAddr> = addresses.into_iter().flatten().collect();
    let names: Vec<&str> = names.into_iter().filter_map(Result::err).collect();
    let pair = pki.serving(&names, &addresses, now)?;
    let certificate = CertificateDer::from(pair.certificate.to_der());
    let key = PrivateKeyDer::from_pem_slice(pair.key.to_pem().as_bytes())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let anyone = Arc::new(AnyClient::new(&provider));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(anyone)
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Random bytes of the operating system, as hexadecimal digits.
pub fn random_token() -> Result<String, Box<dyn Error>> {
    let mut bytes = [0_u8; 32];
    let provider = rustls::crypto::ring::default_provider();
    provider.secure_random.fill(&mut bytes).map_err(|_| "no randomness to be had")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Lets clients show a certificate, whoever signed it: that they have its key is checked here,
/// and who they are by the API server, as upstream's does with a 401.
#[derive(Debug)]
struct AnyClient {
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyClient {
    fn new(provider: &CryptoProvider) -> Self {
        AnyClient { algorithms: provider.signature_verification_algorithms }
    }
}

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
