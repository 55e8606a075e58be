//! Approves requests of kubelets that may have what they ask for.
//!
//! Upstream: `pkg/controller/certificates/approver/sarapprove.go`.

use super::{KUBELET_CLIENT, check_kubelet_client, has, is_issued, key, parse};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestCondition,
};
use naru_api::request::{Body, Op};
use naru_api::{Key, Kube, Object, WatchEvent};
use naru_client::{Action, Cache, Context, Controller, Error, Reconcile, Watch};

/// The certificate signing request approving controller.
#[derive(Clone, Debug, Default)]
pub struct CsrApprovingController;

impl Controller for CsrApprovingController {
    fn name(&self) -> &str {
        "certificatesigningrequest-approving-controller"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::all::<CertificateSigningRequest>()]
    }

    fn map(&mut self, event: &WatchEvent, _old: Option<&Object>, _cache: &Cache) -> Vec<Key> {
        key(event)
    }
}

impl Reconcile for CsrApprovingController {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        _world: &mut (),
    ) -> Result<Action, Error> {
        let done = Ok(Action::await_change());
        let cache = context.cache;
        let Some(request) = cache.get::<CertificateSigningRequest>(key) else { return done };
        let decided = has(request, "Approved") || has(request, "Denied");
        if decided || is_issued(request) || request.spec.signer_name != KUBELET_CLIENT {
            return done;
        }
        let csr = parse(request).map_err(Error::Other)?;
        let usages = request.spec.usages.as_deref().unwrap_or_default();
        if check_kubelet_client(&csr, usages).is_err() {
            return done;
        }
        let own = request.spec.username.as_deref() == Some(csr.subject().common_name.as_str());
        let ways = [
            (
                own,
                "selfnodeclient",
                "Auto approving self kubelet client certificate after \
                                     SubjectAccessReview.",
            ),
            (
                true,
                "nodeclient",
                "Auto approving kubelet client certificate after \
                                  SubjectAccessReview.",
            ),
        ];
        for (_, subresource, message) in ways.into_iter().filter(|(applies, ..)| *applies) {
            let review = context.client.create(review(request, subresource))?;
            if review.status.as_ref().is_some_and(|status| status.allowed) {
                approve(context, request, message)?;
                break;
            }
        }
        done
    }
}

/// May whoever asks have a certificate of this sort?
fn review(request: &CertificateSigningRequest, subresource: &str) -> SubjectAccessReview {
    let text = |text: &str| Some(text.to_owned());
    let spec = &request.spec;
    SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: spec.username.clone(),
            uid: spec.uid.clone(),
            groups: spec.groups.clone(),
            extra: spec.extra.clone(),
            resource_attributes: Some(ResourceAttributes {
                group: text("certificates.k8s.io"),
                resource: text("certificatesigningrequests"),
                verb: text("create"),
                subresource: text(subresource),
                version: text("*"),
                ..ResourceAttributes::default()
            }),
            non_resource_attributes: None,
        },
        ..SubjectAccessReview::default()
    }
}

fn approve(
    context: &mut Context<'_>,
    request: &CertificateSigningRequest,
    message: &str,
) -> Result<(), Error> {
    let mut approved = request.clone();
    let status = approved.status.get_or_insert_default();
    status.conditions.get_or_insert_default().push(CertificateSigningRequestCondition {
        type_: "Approved".to_owned(),
        status: "True".to_owned(),
        reason: Some("AutoApproved".to_owned()),
        message: Some(message.to_owned()),
        ..CertificateSigningRequestCondition::default()
    });
    let name = approved.metadata.name.clone().unwrap_or_default();
    let op = Op::Update(Body::Object(Object::new(approved)));
    let kind = CertificateSigningRequest::kind();
    context.client.send(kind, "", &name, "approval", op)?;
    Ok(())
}
