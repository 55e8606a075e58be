//! Signs approved requests with the cluster's authority.
//!
//! Upstream: `pkg/controller/certificates/signer/signer.go`, `authority/policies.go`.

use super::{
    API_CLIENT, KUBELET_CLIENT, KUBELET_SERVING, LEGACY_UNKNOWN, check_client_usages,
    check_kubelet_client, check_kubelet_serving, has, is_issued, key, parse,
};
use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestCondition,
};
use naru_api::time::meta_time;
use naru_api::{Key, Object, WatchEvent};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};
use naru_pki::{Authority, CertificateRequest, ExtendedUsage, Validity};
use std::time::Duration;

/// `--cluster-signing-duration`.
const LASTS_MAX: Duration = Duration::from_secs(365 * 24 * 3600);
const LASTS_MIN: Duration = Duration::from_secs(10 * 60);
/// Certificates that last less end as much later as they begin earlier.
const SHORT: Duration = Duration::from_secs(8 * 3600);
const BACKDATE: Duration = Duration::from_secs(5 * 60);

/// The certificate signing request signing controller.
#[derive(Clone, Debug)]
pub struct CsrSigningController {
    authority: Authority,
}

impl CsrSigningController {
    /// Signs with this authority.
    pub fn new(authority: Authority) -> Self {
        CsrSigningController { authority }
    }
}

impl Controller for CsrSigningController {
    fn name(&self) -> &str {
        "certificatesigningrequest-signing-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<CertificateSigningRequest>()]
    }

    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        key(event)
    }
}

impl Reconcile for CsrSigningController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let done = Ok(Action::await_change());
        let cache = context.cache;
        let Some(request) = cache.get::<CertificateSigningRequest>(key) else { return done };
        if !has(request, "Approved") || has(request, "Failed") || is_issued(request) {
            return done;
        }
        let csr = parse(request).map_err(Error::Other)?;
        let Some(checked) = check(request, &csr) else { return done };
        let mut changed = request.clone();
        let status = changed.status.get_or_insert_default();
        match checked {
            Err(why) => {
                let failed = CertificateSigningRequestCondition {
                    type_: "Failed".to_owned(),
                    status: "True".to_owned(),
                    reason: Some("SignerValidationFailure".to_owned()),
                    message: Some(why),
                    last_update_time: Some(meta_time(context.now)),
                    last_transition_time: None,
                };
                status.conditions.get_or_insert_default().push(failed);
            }
            Ok(()) => {
                let validity = Validity::starting(context.now, lasts(request));
                let usages = extended_usages(request);
                let signed = self.authority.sign_request(&csr, &usages, validity, context.rng);
                let signed = signed
                    .map_err(|error| Error::Other(format!("error auto signing csr: {error}")))?;
                status.certificate = Some(ByteString(signed.to_pem().into_bytes()));
            }
        }
        context.client.update_status(changed)?;
        done
    }
}

/// Whether the request is right; `None` if it is for another signer.
fn check(
    request: &CertificateSigningRequest,
    csr: &CertificateRequest,
) -> Option<Result<(), String>> {
    let usages = request.spec.usages.as_deref().unwrap_or_default();
    match request.spec.signer_name.as_str() {
        API_CLIENT => Some(check_client_usages(usages)),
        KUBELET_CLIENT => Some(check_kubelet_client(csr, usages)),
        KUBELET_SERVING => Some(check_kubelet_serving(csr, usages)),
        LEGACY_UNKNOWN => Some(Ok(())),
        _ => None,
    }
}

fn lasts(request: &CertificateSigningRequest) -> Duration {
    let wanted = request.spec.expiration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    let wanted = wanted.map_or(LASTS_MAX, Duration::from_secs).clamp(LASTS_MIN, LASTS_MAX);
    if wanted < SHORT { wanted } else { wanted.saturating_sub(BACKDATE) }
}

fn extended_usages(request: &CertificateSigningRequest) -> Vec<ExtendedUsage> {
    let usage = |usage: &String| match usage.as_str() {
        "client auth" => Some(ExtendedUsage::ClientAuth),
        "server auth" => Some(ExtendedUsage::ServerAuth),
        _ => None,
    };
    request.spec.usages.iter().flatten().filter_map(usage).collect()
}
