//! Writes the OpenAPI schemas of all types, with their descriptions, as one compressed file.
//!
//! They come from `k8s-openapi`'s feature `schemars`, which only this build script uses: what is
//! linked into the binary is the text.

use flate2::{Compression, write::GzEncoder};
use k8s_openapi::api::{
    admissionregistration::v1 as admissionregistration, apps::v1 as apps,
    authentication::v1 as authentication, authorization::v1 as authorization,
    autoscaling::v1 as autoscaling, autoscaling::v2 as autoscaling_v2, batch::v1 as batch,
    certificates::v1 as certificates, coordination::v1 as coordination, core::v1 as core,
    discovery::v1 as discovery, events::v1 as events, flowcontrol::v1 as flowcontrol,
    networking::v1 as networking, node::v1 as node, policy::v1 as policy, rbac::v1 as rbac,
    scheduling::v1 as scheduling, storage::v1 as storage,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1 as apiextensions;
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1 as apiregistration;
use k8s_openapi::schemars;
use schemars::generate::SchemaSettings;
use std::error::Error;
use std::io::Write as _;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let mut generator = SchemaSettings::openapi3().into_generator();
    macro_rules! types {
        ($($type:ty),* $(,)?) => { $(generator.subschema_for::<$type>();)* };
    }
    types![
        core::ConfigMap,
        core::Endpoints,
        core::Event,
        core::LimitRange,
        core::Namespace,
        core::Node,
        core::PersistentVolume,
        core::PersistentVolumeClaim,
        core::Pod,
        core::PodTemplate,
        core::ReplicationController,
        core::ResourceQuota,
        core::Secret,
        core::Service,
        core::ServiceAccount,
        core::ComponentStatus,
        apps::ControllerRevision,
        apps::DaemonSet,
        apps::Deployment,
        apps::ReplicaSet,
        apps::StatefulSet,
        batch::CronJob,
        batch::Job,
        autoscaling::HorizontalPodAutoscaler,
        autoscaling_v2::HorizontalPodAutoscaler,
        networking::IPAddress,
        networking::Ingress,
        networking::IngressClass,
        networking::NetworkPolicy,
        networking::ServiceCIDR,
        discovery::EndpointSlice,
        policy::PodDisruptionBudget,
        rbac::ClusterRole,
        rbac::ClusterRoleBinding,
        rbac::Role,
        rbac::RoleBinding,
        storage::CSIDriver,
        storage::CSINode,
        storage::CSIStorageCapacity,
        storage::StorageClass,
        storage::VolumeAttachment,
        scheduling::PriorityClass,
        coordination::Lease,
        node::RuntimeClass,
        certificates::CertificateSigningRequest,
        events::Event,
        flowcontrol::FlowSchema,
        flowcontrol::PriorityLevelConfiguration,
        admissionregistration::MutatingWebhookConfiguration,
        admissionregistration::ValidatingAdmissionPolicy,
        admissionregistration::ValidatingAdmissionPolicyBinding,
        admissionregistration::ValidatingWebhookConfiguration,
        apiextensions::CustomResourceDefinition,
        apiregistration::APIService,
        core::Binding,
        policy::Eviction,
        autoscaling::Scale,
        authentication::SelfSubjectReview,
        authentication::TokenRequest,
        authentication::TokenReview,
        authorization::LocalSubjectAccessReview,
        authorization::SelfSubjectAccessReview,
        authorization::SelfSubjectRulesReview,
        authorization::SubjectAccessReview,
        meta::DeleteOptions,
        meta::ListMeta,
        meta::ObjectMeta,
        meta::Status,
        meta::Patch,
        meta::APIGroup,
        meta::APIResourceList,
    ];
    let schemas = generator.take_definitions(true);
    let folder = std::env::var("OUT_DIR")?;
    let file = std::fs::File::create(Path::new(&folder).join("schemas.json.gz"))?;
    let mut encoder = GzEncoder::new(file, Compression::best());
    encoder.write_all(&serde_json::to_vec(&schemas)?)?;
    encoder.finish()?;
    Ok(())
}
