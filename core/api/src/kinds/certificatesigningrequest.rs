//! Certificate signing requests.
//!
//! Upstream: `pkg/registry/certificates/certificates/strategy.go`,
//! `ValidateCertificateSigningRequestCreate`, `printCertificateSigningRequest`.

use super::cells;
use super::typed::{Typed, keep};
use crate::gofmt::quote;
use crate::time::meta_time;
use crate::{
    Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, UserInfo, duration, names,
};
use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestCondition, CertificateSigningRequestSpec,
    CertificateSigningRequestStatus,
};
use naru_sim::Time;
use std::time::Duration;

static KIND: Kind = Names::new(
    "certificates.k8s.io",
    "v1",
    "CertificateSigningRequest",
    "certificatesigningrequests",
    "certificatesigningrequest",
)
.short(&["csr"])
.cluster_scoped()
.subresources(&["approval", "status"])
.kind(&RequestStrategy);

impl Kube for CertificateSigningRequest {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct RequestStrategy;

impl Typed for RequestStrategy {
    type Object = CertificateSigningRequest;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Age"),
        Column::new("SignerName"),
        Column::new("Requestor"),
        Column::new("RequestedDuration"),
        Column::new("Condition"),
    ];

    const FIELDS: &'static [&'static str] = &["spec.signerName"];

    fn prepare_for_create(&self, request: &mut CertificateSigningRequest) {
        request.status = Some(CertificateSigningRequestStatus::default());
    }

    fn prepare_for_update(
        &self,
        new: &mut CertificateSigningRequest,
        old: &CertificateSigningRequest,
        subresource: &str,
    ) {
        keep(&mut new.spec, &old.spec);
        match subresource {
            "status" => {
                let had = conditions(old);
                let status = new.status.get_or_insert_default();
                let has = status.conditions.get_or_insert_default();
                for type_ in ["Approved", "Denied"] {
                    preserve(has, had, type_);
                }
            }
            "approval" => {
                let told = new.status.take().and_then(|status| status.conditions);
                new.status.clone_from(&old.status);
                new.status.get_or_insert_default().conditions = told;
            }
            _ => keep(&mut new.status, &old.status),
        }
    }

    fn validate_name(&self, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn validate(&self, request: &CertificateSigningRequest) -> Vec<FieldError> {
        let mut errors = validate_spec(&request.spec);
        validate_conditions(conditions(request), &mut errors);
        errors
    }

    fn validate_update(
        &self,
        new: &CertificateSigningRequest,
        old: &CertificateSigningRequest,
        subresource: &str,
    ) -> Vec<FieldError> {
        let mut errors = self.validate(new);
        let status = Path::new("status");
        let path = status.child("certificate");
        let (is, was) = (certificate(new), certificate(old));
        let text = String::from_utf8_lossy(is);
        if is != was && !is.is_empty() && !text.contains("-----BEGIN CERTIFICATE-----") {
            const DETAIL: &str = "must contain at least one CERTIFICATE PEM block";
            errors.push(FieldError::invalid(path, "<certificate data>", DETAIL));
        }
        validate_changes(new, old, subresource == "approval", &mut errors);
        if is != was && subresource != "status" {
            errors.push(FieldError::forbidden(path, "updates may not set certificate content"));
        } else if is != was && !was.is_empty() {
            const DETAIL: &str = "updates may not modify existing certificate content";
            errors.push(FieldError::forbidden(path, DETAIL));
        }
        errors
    }

    /// Who asks for a certificate, and when conditions were told.
    fn stamp(
        &self,
        new: &mut CertificateSigningRequest,
        old: Option<&CertificateSigningRequest>,
        user: &UserInfo,
        now: Time,
    ) {
        let Some(old) = old else {
            let spec = &mut new.spec;
            let groups = user.groups.iter().map(|group| group.to_string()).collect::<Vec<_>>();
            spec.username = (!user.name.is_empty()).then(|| user.name.to_string());
            spec.uid = (!user.uid.is_empty()).then(|| user.uid.to_string());
            spec.groups = (!groups.is_empty()).then_some(groups);
            spec.extra = (!user.extra.is_empty()).then(|| (*user.extra).clone());
            return;
        };
        let told = new.status.iter_mut().flat_map(|status| status.conditions.iter_mut().flatten());
        for condition in told {
            condition.last_update_time.get_or_insert_with(|| meta_time(now));
            let same = |was: &&CertificateSigningRequestCondition| {
                was.type_ == condition.type_ && was.status == condition.status
            };
            let since = conditions(old).iter().find(same);
            let since = since.and_then(|was| was.last_transition_time.clone());
            if condition.last_transition_time.is_none() {
                condition.last_transition_time = since.or_else(|| Some(meta_time(now)));
            }
        }
    }

    fn cells(&self, request: &CertificateSigningRequest, now: Time) -> Vec<Cell> {
        let spec = &request.spec;
        let seconds = spec.expiration_seconds.map(|seconds| u64::try_from(seconds).unwrap_or(0));
        let asked = seconds.map(|seconds| duration::human(Duration::from_secs(seconds)));
        vec![
            cells::name(&request.metadata),
            cells::age(&request.metadata, now),
            cells::or_none(Some(&spec.signer_name)),
            cells::text(spec.username.as_deref()),
            cells::or_none(asked.as_deref()),
            condition_text(request).into(),
        ]
    }

    fn field(&self, request: &CertificateSigningRequest, path: &str) -> Option<String> {
        (path == "spec.signerName").then(|| request.spec.signer_name.clone())
    }
}

/// What a certificate may be used for.
const USAGES: [&str; 23] = [
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];
const SECONDS_MIN: i32 = 600;

/// Of the request itself, only that it is one is looked at.
fn validate_spec(spec: &CertificateSigningRequestSpec) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let path = Path::new("spec");
    let pem = String::from_utf8_lossy(&spec.request.0);
    if !pem.contains("-----BEGIN CERTIFICATE REQUEST-----") {
        const DETAIL: &str = "PEM block type must be CERTIFICATE REQUEST";
        let bytes: Vec<String> = spec.request.0.iter().map(|byte| format!("{byte:#x}")).collect();
        let value = format!("[]byte{{{}}}", bytes.join(", "));
        errors.push(FieldError::invalid_raw(path.child("request"), value, DETAIL));
    }
    let usages = spec.usages.as_deref().unwrap_or_default();
    let list = path.child("usages");
    if usages.is_empty() {
        errors.push(FieldError::required(list, ""));
    }
    for (index, usage) in usages.iter().enumerate() {
        if !USAGES.contains(&usage.as_str()) {
            errors.push(FieldError::not_supported(list.index(index), usage, &USAGES));
        }
    }
    for (index, usage) in usages.iter().enumerate() {
        if usages.iter().take(index).any(|earlier| earlier == usage) {
            errors.push(FieldError::duplicate(list.index(index), usage));
        }
    }
    let signer = path.child("signerName");
    if spec.signer_name == "kubernetes.io/legacy-unknown" {
        const DETAIL: &str = "the legacy signerName is not allowed via this API version";
        errors.push(FieldError::invalid(signer, &spec.signer_name, DETAIL));
    } else {
        validate_signer(&spec.signer_name, &signer, &mut errors);
    }
    if let Some(seconds) = spec.expiration_seconds.filter(|seconds| *seconds < SECONDS_MIN) {
        const DETAIL: &str = "may not specify a duration less than 600 seconds (10 minutes)";
        errors.push(FieldError::invalid_raw(path.child("expirationSeconds"), seconds, DETAIL));
    }
    errors
}

/// Upstream: `ValidateSignerName`.
fn validate_signer(name: &str, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    const DOMAIN_MAX: usize = 253;
    const NAME_MAX: usize = DOMAIN_MAX + 1 + 63 + 1 + 253;
    if name.is_empty() {
        errors.push(FieldError::required(path, ""));
        return;
    }
    let segments = name.split_once('/').filter(|(_, rest)| !rest.contains('/'));
    let Some((domain, rest)) = segments else {
        const DETAIL: &str =
            "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        errors.push(FieldError::invalid(path, name, DETAIL));
        return;
    };
    let labels = |text: &str, check: fn(&str) -> Vec<String>| {
        let wrong = text.split('.').map(|label| (label, check(label)));
        let first = wrong.into_iter().find(|(_, whys)| !whys.is_empty());
        let (label, whys) = first.unwrap_or_default();
        whys.into_iter()
            .map(|why| format!("validating label {}: {why}", quote(label)))
            .map(|why| FieldError::invalid(path, text, &why))
            .collect::<Vec<_>>()
    };
    if domain.len() > DOMAIN_MAX {
        errors.push(FieldError::too_long(path, DOMAIN_MAX));
    }
    errors.extend(labels(domain, names::dns1123_label));
    if !domain.contains('.') {
        const DETAIL: &str = "should be a domain with at least two segments separated by dots";
        errors.push(FieldError::invalid(path, domain, DETAIL));
    }
    errors.extend(labels(rest, names::dns1123_subdomain));
    if name.len() > NAME_MAX {
        errors.push(FieldError::too_long(path, NAME_MAX));
    }
}

fn validate_conditions(
    conditions: &[CertificateSigningRequestCondition],
    errors: &mut Vec<FieldError>,
) {
    const BOTH: &str = "Approved and Denied conditions are mutually exclusive";
    let status = Path::new("status");
    let list = status.child("conditions");
    for (index, condition) in conditions.iter().enumerate() {
        let path = list.index(index);
        let type_ = condition.type_.as_str();
        if type_.is_empty() {
            errors.push(FieldError::required(path.child("type"), ""));
        }
        let statuses: &[&str] = match type_ {
            "Approved" | "Denied" | "Failed" => &["True"],
            _ => &["False", "True", "Unknown"],
        };
        if condition.status.is_empty() {
            errors.push(FieldError::required(path.child("status"), ""));
        } else if !statuses.contains(&condition.status.as_str()) {
            let given = &condition.status;
            errors.push(FieldError::not_supported(path.child("status"), given, statuses));
        }
        let earlier =
            |type_: &str| conditions.iter().take(index).any(|earlier| earlier.type_ == type_);
        let both = match type_ {
            "Approved" => earlier("Denied"),
            "Denied" => earlier("Approved"),
            _ => false,
        };
        if both {
            errors.push(FieldError::invalid(path.child("type"), type_, BOTH));
        }
        if earlier(type_) {
            errors.push(FieldError::duplicate(path.child("type"), type_));
        }
    }
}

/// What was decided stays, and only approvers decide.
fn validate_changes(
    new: &CertificateSigningRequest,
    old: &CertificateSigningRequest,
    approves: bool,
    errors: &mut Vec<FieldError>,
) {
    let status = Path::new("status");
    let list = status.child("conditions");
    let of_type = |request, type_: &str| -> Vec<CertificateSigningRequestCondition> {
        let all = conditions(request).iter();
        all.filter(|condition| condition.type_ == type_).cloned().collect()
    };
    let mut forbid = |what: &str, type_: &str| {
        let detail = format!("updates may not {what} a condition of type {}", quote(type_));
        errors.push(FieldError::forbidden(list, &detail));
    };
    for type_ in ["Approved", "Denied", "Failed"] {
        if of_type(new, type_).len() < of_type(old, type_).len() {
            forbid("remove", type_);
        }
    }
    if approves {
        return;
    }
    for type_ in ["Approved", "Denied"] {
        let (is, was) = (of_type(new, type_), of_type(old, type_));
        if is.len() > was.len() {
            forbid("add", type_);
        } else if is.len() == was.len() && is != was {
            forbid("modify", type_);
        }
    }
}

fn certificate(request: &CertificateSigningRequest) -> &[u8] {
    let certificate = request.status.as_ref().and_then(|status| status.certificate.as_ref());
    certificate.map(|certificate| certificate.0.as_slice()).unwrap_or_default()
}

fn conditions(request: &CertificateSigningRequest) -> &[CertificateSigningRequestCondition] {
    let status = request.status.as_ref();
    status.and_then(|status| status.conditions.as_deref()).unwrap_or_default()
}

/// Keeps the conditions of a type as they were, unless there are more or fewer now: then
/// validation says so.
fn preserve(
    has: &mut [CertificateSigningRequestCondition],
    had: &[CertificateSigningRequestCondition],
    type_: &str,
) {
    let of_type = |condition: &CertificateSigningRequestCondition| condition.type_ == type_;
    let count = has.iter().filter(|condition| of_type(condition)).count();
    let had: Vec<_> = had.iter().filter(|condition| of_type(condition)).collect();
    if count == had.len() {
        let has = has.iter_mut().filter(|condition| of_type(condition));
        has.zip(had).for_each(|(new, old)| new.clone_from(old));
    }
}

/// `Pending`, `Approved,Issued`, `Denied`.
///
/// Upstream: `extractCSRStatus`.
fn condition_text(request: &CertificateSigningRequest) -> String {
    let has = |type_: &str| conditions(request).iter().any(|found| found.type_ == type_);
    let mut text = match () {
        () if has("Denied") => "Denied",
        () if has("Approved") => "Approved",
        () => "Pending",
    }
    .to_owned();
    if has("Failed") {
        text.push_str(",Failed");
    }
    let certificate = request.status.as_ref().and_then(|status| status.certificate.as_ref());
    if certificate.is_some_and(|certificate| !certificate.0.is_empty()) {
        text.push_str(",Issued");
    }
    text
}
