//! Deployments.
//!
//! Upstream: `pkg/registry/apps/deployment/strategy.go`.

use super::decode_as;
use crate::{Kind, KindRef, Kube, Names, Object, Strategy};
use k8s_openapi::api::apps::v1::Deployment;
use serde_json::Value;

static KIND: Kind = Names::new("apps", "v1", "Deployment", "deployments", "deployment")
    .short(&["deploy"])
    .categories(&["all"])
    .subresources(&["status"])
    .kind(&DeploymentStrategy);

impl Kube for Deployment {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct DeploymentStrategy;

impl Strategy for DeploymentStrategy {
    fn decode(&self, json: Value) -> Result<Object, String> {
        decode_as::<Deployment>(json)
    }
}
