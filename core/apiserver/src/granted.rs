//! A TokenRequest that was granted, and whose token is not signed yet.

use crate::authenticate::{AuthenticationConfig, Claims};
use naru_api::encode::Sink;
use naru_api::k8s_openapi::api::authentication::v1::TokenRequest;
use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::{KindRef, Kube, KubeObject};
use std::any::Any;
use std::sync::Arc;

/// What the token says is settled. It is signed when it is written as JSON, since a signature takes
/// longer than all else that a pod costs, and most pods never read the token that is mounted into
/// them.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    pub(crate) request: TokenRequest,
    pub(crate) claims: Claims,
    pub(crate) authentication: Arc<AuthenticationConfig>,
}

impl KubeObject for Granted {
    fn kind(&self) -> KindRef {
        <TokenRequest as Kube>::kind()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.request.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.request.metadata
    }
    fn tell(&self, sink: &mut dyn Sink) -> Result<(), serde_json::Error> {
        let mut request = self.request.clone();
        let signer = self.authentication.service_accounts.as_ref();
        if let (Some(status), Some(signer)) = (&mut request.status, signer) {
            status.token = signer.sign(&self.claims.to_json());
        }
        request.tell(sink)
    }
    fn equals(&self, other: &dyn KubeObject) -> bool {
        let other = (other as &dyn Any).downcast_ref::<Granted>();
        other.is_some_and(|other| self.request == other.request && self.claims == other.claims)
    }
}
