//! Authentication: who asks?
//!
//! Authenticators are asked in upstream's order: client certificates, static tokens, tokens of
//! service accounts, bootstrap tokens. Credentials that none of them knows are refused; no credentials at all is
//! `system:anonymous`. Components inside the cluster come with their names, as if their
//! certificates had been checked.
//!
//! Upstream: `pkg/kubeapiserver/authenticator/config.go`, `apiserver/pkg/authentication`.

mod bootstrap;
mod impersonate;
mod legacy;
mod remembered;
mod serviceaccount;
mod x509;

pub(crate) use serviceaccount::Claims;

use remembered::Remembered;

use crate::ApiServer;
use naru_api::{ApiError, Credentials, UserInfo, status::ApiResult};
use naru_pki::{Certificate, jwt};
use std::sync::Arc;

/// The issuer of service account tokens, which is also the audience that the API server answers
/// to: kubeadm's `--service-account-issuer`.
pub(crate) const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

const AUTHENTICATED: &str = "system:authenticated";
const UNAUTHENTICATED: &str = "system:unauthenticated";
const ANONYMOUS: &str = "system:anonymous";
/// Which credential somebody has shown. Upstream: `user.CredentialIDKey`.
const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

/// What the API server trusts: its flags.
#[derive(Clone, Debug, Default)]
pub struct AuthenticationConfig {
    /// `--client-ca-file`: who signs client certificates.
    pub client_ca: Option<Certificate>,
    /// `--requestheader-client-ca-file`: who signs for those that ask in other people's names.
    pub request_header_ca: Option<Certificate>,
    /// `--service-account-signing-key-file` and `--service-account-key-file`.
    pub service_accounts: Option<jwt::Signer>,
    /// `--token-auth-file`.
    pub tokens: Vec<StaticToken>,
}

/// A line of the file of `--token-auth-file`.
#[derive(Clone, Debug)]
pub struct StaticToken {
    /// The token.
    pub token: String,
    /// Who has it.
    pub user: UserInfo,
}

/// Who has shown a credential, and for which audiences it was made; "" is every one.
pub(crate) struct Authenticated {
    pub(crate) user: UserInfo,
    pub(crate) audiences: Vec<String>,
}

/// Credentials whose signatures were checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signatures {
    /// The claims of tokens of service accounts.
    tokens: Remembered<serde_json::Value>,
    certificates: Remembered<x509::Verified>,
}

/// What one authenticator says: `None` if the credential is none of its own.
type Opinion = Result<Option<Authenticated>, String>;

impl ApiServer {
    /// Sets what is trusted.
    pub fn set_authentication(&mut self, config: AuthenticationConfig) {
        self.authentication = Arc::new(config);
        self.signatures = Signatures::default();
    }

    /// Trusts one more token.
    pub fn add_token(&mut self, token: StaticToken) {
        Arc::make_mut(&mut self.authentication).tokens.push(token);
    }

    /// Who shows these credentials, and as whom they act.
    pub(crate) fn who(&mut self, credentials: &Credentials) -> ApiResult<UserInfo> {
        let user = self.who_without_impersonation(credentials)?;
        if credentials.impersonate.is_empty() {
            return Ok(user);
        }
        self.impersonate(user, &credentials.impersonate)
    }

    fn who_without_impersonation(&mut self, credentials: &Credentials) -> ApiResult<UserInfo> {
        let (token, certificate) = (credentials.bearer_token.as_str(), &*credentials.certificate);
        if token.is_empty() && certificate.is_empty() {
            return Ok(UserInfo::new(ANONYMOUS, &[UNAUTHENTICATED]));
        }
        let by_certificate = match certificate {
            [] => None,
            der => {
                let known = &mut self.signatures.certificates;
                x509::authenticate(&self.authentication, known, der, self.now).ok().flatten()
            }
        };
        let found = match by_certificate {
            Some(found) => Some(found),
            None if token.is_empty() => None,
            None => self.authenticate_token(token, &[ISSUER.to_owned()]).ok().flatten(),
        };
        found.map(|found| authenticated(found.user)).ok_or_else(unauthorized)
    }

    /// Whose token this is, if it was made for one of these audiences.
    pub(crate) fn authenticate_token(&mut self, token: &str, audiences: &[String]) -> Opinion {
        let known = self.authentication.tokens.iter().find(|known| same(&known.token, token));
        if let Some(known) = known {
            let (user, audiences) = (known.user.clone(), audiences.to_vec());
            return Ok(Some(Authenticated { user, audiences }));
        }
        if let found @ Some(_) = self.authenticate_legacy(token, audiences)? {
            return Ok(found);
        }
        match self.authenticate_service_account(token, audiences)? {
            None => self.authenticate_bootstrap(token, audiences),
            found => Ok(found),
        }
    }
}

/// Refuses a request that nobody made.
pub(crate) fn require_name(user: &UserInfo) -> ApiResult<()> {
    if user.name.is_empty() { Err(unauthorized()) } else { Ok(()) }
}

fn unauthorized() -> ApiError {
    ApiError::new(401, "Unauthorized", "Unauthorized")
}

/// Everybody who is known is in the group of those.
///
/// Upstream: `group.AuthenticatedGroupAdder`.
pub(crate) fn authenticated(mut user: UserInfo) -> UserInfo {
    let there = |group: &str| user.groups.iter().any(|other| &**other == group);
    if &*user.name == ANONYMOUS || there(AUTHENTICATED) || there(UNAUTHENTICATED) {
        return user;
    }
    user.groups = user.groups.iter().cloned().chain([AUTHENTICATED.into()]).collect();
    user
}

/// Compares in the same time wherever the difference is.
fn same(one: &str, other: &str) -> bool {
    let differences = one.bytes().zip(other.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && differences == 0
}
