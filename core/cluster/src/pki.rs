//! The keys and certificates of a cluster, as kubeadm makes them.
//!
//! Upstream: `cmd/kubeadm/app/phases/certs`, `cmd/kubeadm/app/phases/kubeconfig`.

use naru_pki::{
    Authority, Certificate, ExtendedUsage, PkiError, PrivateKey, Subject, Template, Validity, jwt,
};
use naru_sim::{Rng, Time};
use std::net::IpAddr;
use std::time::Duration;

/// How long certificates last.
pub const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
/// How long the authority lasts.
const AUTHORITY_LASTS: Duration = Duration::from_secs(10 * YEAR.as_secs());

/// A key and its certificate.
#[derive(Clone, Debug)]
pub struct KeyPair {
    /// The certificate.
    pub certificate: Certificate,
    /// The key.
    pub key: PrivateKey,
}

/// What a control plane keeps in `/etc/kubernetes/pki`.
#[derive(Clone, Debug)]
pub struct ClusterPki {
    authority: Authority,
    service_accounts: jwt::Signer,
    service_account_key: PrivateKey,
    made_at: Time,
    rng: Rng,
}

impl ClusterPki {
    /// The keys of a cluster that is new at the moment `now`.
    pub fn new(rng: &Rng, now: Time) -> Result<Self, PkiError> {
        let mut rng = rng.fork("pki");
        let key = PrivateKey::generate(&mut rng);
        let validity = Validity::starting(now, AUTHORITY_LASTS);
        let authority = Authority::new("kubernetes", key, validity, &mut rng)?;
        let service_account_key = PrivateKey::generate(&mut rng);
        Ok(ClusterPki {
            authority,
            service_accounts: jwt::Signer::new(service_account_key.clone()),
            service_account_key,
            made_at: now,
            rng,
        })
    }

    /// When it was made.
    pub fn made_at(&self) -> Time {
        self.made_at
    }

    /// `front-proxy-ca.crt` and `front-proxy-ca.key`: the same each time.
    pub fn front_proxy_authority(&self) -> Result<Authority, PkiError> {
        let mut rng = self.rng.fork("front-proxy-ca");
        let key = PrivateKey::generate(&mut rng);
        let validity = Validity::starting(self.made_at, AUTHORITY_LASTS);
        Authority::new("front-proxy-ca", key, validity, &mut rng)
    }

    /// `ca.crt` and `ca.key`.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// `sa.key`.
    pub fn service_account_key(&self) -> &PrivateKey {
        &self.service_account_key
    }

    /// What signs the tokens of service accounts.
    pub fn service_accounts(&self) -> &jwt::Signer {
        &self.service_accounts
    }

    /// By whom the certificates of clients may be signed, as kube-apiserver says when it asks for one: names
    /// in DER of `--client-ca-file` and `--requestheader-client-ca-file`.
    pub fn client_authorities(&self) -> Vec<Vec<u8>> {
        ["kubernetes", "front-proxy-ca"].map(|name| Subject::new(name, &[]).to_der()).to_vec()
    }

    /// A client certificate, as `admin.conf` has one.
    pub fn client(&self, subject: Subject, now: Time) -> Result<KeyPair, PkiError> {
        let usages = &[ExtendedUsage::ClientAuth];
        self.issue(Template { subject, usages, ..Template::default() }, now)
    }

    /// `apiserver.crt` and `apiserver.key`, for these names and addresses.
    pub fn serving(
        &self,
        dns_names: &[&str],
        ip_addresses: &[IpAddr],
        now: Time,
    ) -> Result<KeyPair, PkiError> {
        let subject = Subject::new("kube-apiserver", &[]);
        let usages = &[ExtendedUsage::ServerAuth];
        self.issue(Template { subject, dns_names, ip_addresses, usages }, now)
    }

    /// The same template gives the same key, whatever was issued before.
    fn issue(&self, template: Template<'_>, now: Time) -> Result<KeyPair, PkiError> {
        let mut rng = self.rng.fork(&template.subject.common_name);
        let key = PrivateKey::generate(&mut rng);
        let validity = Validity::starting(now, YEAR);
        let certificate = self.authority.issue(&template, &key, validity, &mut rng)?;
        Ok(KeyPair { certificate, key })
    }
}
