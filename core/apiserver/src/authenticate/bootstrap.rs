//! Bootstrap tokens: the bearer is a machine that wants to become a node.
//!
//! Upstream: `plugin/pkg/auth/authenticator/token/bootstrap/bootstrap.go`.

use super::{Authenticated, Opinion, same};
use crate::{ApiServer, keys};
use naru_api::bootstraptoken::{self, BootstrapToken};
use naru_api::k8s_openapi::api::core::v1::Secret;
use naru_api::{Kube, UserInfo};

impl ApiServer {
    pub(super) fn authenticate_bootstrap(&self, token: &str, audiences: &[String]) -> Opinion {
        let Some((id, secret)) = bootstraptoken::split(token) else { return Ok(None) };
        let name = format!("{}{id}", bootstraptoken::NAME_PREFIX);
        let key = keys::of_object(&Secret::kind(), bootstraptoken::NAMESPACE, &name);
        let found = self.store.get(&key).filter(|one| one.meta().deletion_timestamp.is_none());
        let known = found.and_then(|found| BootstrapToken::from_secret(found.get::<Secret>()?));
        let known = known.filter(|known| {
            same(&known.secret, secret) && known.allows("authentication", self.now)
        });
        Ok(known.map(|known| {
            let groups: Vec<&str> = [bootstraptoken::GROUP]
                .into_iter()
                .chain(known.groups.iter().map(String::as_str))
                .collect();
            let user = UserInfo::new(&format!("system:bootstrap:{id}"), &groups);
            Authenticated { user, audiences: audiences.to_vec() }
        }))
    }
}
