//! Certificate signing requests.
//!
//! Upstream: `pkg/registry/certificates/certificates/strategy.go`,
//! `ValidateCertificateSigningRequestCreate`, `printCertificateSigningRequest`.

use super::cells;
use super::typed::{Typed, keep};
use crate::time::meta_time;
use crate::{Cell, Column, Kind, KindRef, Kube, Names, UserInfo, duration};
use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestCondition, CertificateSigningRequestStatus,
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
