//! `CertificateApproval`, `CertificateSigning` and `CertificateSubjectRestriction`: who may approve
//! and sign for a signer, and that nobody asks for a certificate of the masters.
//!
//! Upstream: `plugin/pkg/admission/certificates`.

use super::{Admission, Operation};
use crate::authorize::{Attributes, Decision, Resource, Target};
use naru_api::k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use naru_api::{Object, status::ApiResult};
use naru_pki::CertificateRequest;

const CLIENT_SIGNER: &str = "kubernetes.io/kube-apiserver-client";

pub(super) fn validate(admission: &Admission<'_>, object: &Object) -> ApiResult<()> {
    let Some(new) = object.get::<CertificateSigningRequest>() else { return Ok(()) };
    let old = match admission.operation {
        Operation::Update(old) => old.get::<CertificateSigningRequest>(),
        _ => None,
    };
    match (admission.subresource, old) {
        ("approval", Some(old)) => authorize(admission, "approve", old),
        ("status", Some(old)) if signs(new, old) => authorize(admission, "sign", old),
        ("", None) => restrict_subject(admission, new),
        _ => Ok(()),
    }
}

/// Whether an update of the status touches what only the signer writes.
fn signs(new: &CertificateSigningRequest, old: &CertificateSigningRequest) -> bool {
    let (new, old) = (new.status.clone(), old.status.clone());
    let (new, old) = (new.unwrap_or_default(), old.unwrap_or_default());
    new.certificate != old.certificate
        || new.conditions.unwrap_or_default() != old.conditions.unwrap_or_default()
}

/// May they, for this signer, or for all signers of its domain?
fn authorize(
    admission: &Admission<'_>,
    verb: &str,
    csr: &CertificateSigningRequest,
) -> ApiResult<()> {
    let signer = &csr.spec.signer_name;
    let domain = signer.split('/').next().unwrap_or_default();
    let may = |name: &str| {
        let resource = Resource {
            group: "certificates.k8s.io",
            resource: "signers",
            name,
            ..Resource::default()
        };
        let target = Target::Resource(resource);
        let attributes = Attributes { user: admission.user, verb, target };
        let decision = admission.authorizer.authorize(&attributes, admission.store);
        matches!(decision, Decision::Allow(_))
    };
    if may(signer) || may(&format!("{domain}/*")) {
        return Ok(());
    }
    Err(admission
        .forbidden(format!("user not permitted to {verb} requests with signerName \"{signer}\"")))
}

fn restrict_subject(admission: &Admission<'_>, csr: &CertificateSigningRequest) -> ApiResult<()> {
    if csr.spec.signer_name != CLIENT_SIGNER {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&csr.spec.request.0);
    let request = CertificateRequest::from_pem(&text)
        .map_err(|error| admission.forbidden(format!("failed to parse CSR: {error}")))?;
    match request.subject().organizations.iter().any(|group| group == "system:masters") {
        true => Err(admission.forbidden(format!(
            "use of {CLIENT_SIGNER} signer with system:masters group is not allowed"
        ))),
        false => Ok(()),
    }
}
