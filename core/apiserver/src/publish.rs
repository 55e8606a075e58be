//! What the API server makes itself: its namespaces, and the service by which pods find it.
//!
//! Upstream: `pkg/controlplane/controller/systemnamespaces`,
//! `pkg/controlplane/controller/kubernetesservice`, `pkg/controlplane/reconcilers`.

use crate::server::loopback;
use crate::{ApiServer, keys};
use naru_api::k8s_openapi::api::core::v1::{
    EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Namespace, Service, ServicePort,
    ServiceSpec,
};
use naru_api::k8s_openapi::api::discovery::v1::{
    Endpoint, EndpointConditions, EndpointPort as SlicePort, EndpointSlice,
};
use naru_api::k8s_openapi::api::networking::v1::{ServiceCIDR, ServiceCIDRSpec};
use naru_api::k8s_openapi::api::scheduling::v1::PriorityClass;
use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use naru_api::kinds::priorityclass;
use naru_api::request::Body;
use naru_api::{ApiService, KubeObject, Object, Op, Request, status::ApiResult};
use std::time::Duration;

const NAMESPACES: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "default"];
/// The first address of the range of cluster IPs.
const CLUSTER_IP: &str = "10.96.0.1";
/// That range.
const SERVICE_CIDR: &str = "10.96.0.0/16";

impl ApiServer {
    /// How often the API server sees to its own service. Upstream: `EndpointReconcilerInterval`.
    pub const PUBLISH_INTERVAL: Duration = Duration::from_secs(10);

    pub(crate) fn make_namespaces(&mut self) {
        for name in NAMESPACES {
            let namespace = Namespace {
                metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
                ..Namespace::default()
            };
            let made = self.make("", namespace);
            // An empty store takes four namespaces.
            debug_assert!(made.is_ok());
        }
    }

    /// Makes the priority classes that every cluster has.
    ///
    /// Upstream: `AddSystemPriorityClasses` in `pkg/registry/scheduling/rest/storage_scheduling.go`.
    pub(crate) fn make_priority_classes(&mut self) {
        for (name, value, description) in priorityclass::SYSTEM {
            let made = self.make(
                "",
                PriorityClass {
                    metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
                    value,
                    description: Some(description.to_owned()),
                    ..PriorityClass::default()
                },
            );
            // An empty store takes two classes.
            debug_assert!(made.is_ok(), "{made:?}");
        }
    }

    /// Makes the range of cluster IPs known as an object.
    ///
    /// Upstream: `pkg/controlplane/controller/defaultservicecidr`.
    fn make_service_cidr(&mut self) -> ApiResult<()> {
        let name = Some("kubernetes".to_owned());
        let spec = ServiceCIDRSpec { cidrs: Some(vec![SERVICE_CIDR.to_owned()]) };
        self.make(
            "",
            ServiceCIDR {
                metadata: ObjectMeta { name, ..ObjectMeta::default() },
                spec: Some(spec),
                ..ServiceCIDR::default()
            },
        )
    }

    /// Makes the service `kubernetes`, its endpoints and endpoint slice, which lead to the API
    /// server at this address and port; what is there stays as it is. To be called every
    /// [`ApiServer::PUBLISH_INTERVAL`], since a learner may delete them.
    pub fn publish(&mut self, address: &str, port: i32) -> ApiResult<()> {
        self.make_service_cidr()?;
        let meta = || ObjectMeta {
            name: Some("kubernetes".to_owned()),
            namespace: Some("default".to_owned()),
            ..ObjectMeta::default()
        };
        let https = || Some("https".to_owned());
        let tcp = || Some("TCP".to_owned());
        let mut metadata = meta();
        let labels = [("component", "apiserver"), ("provider", "kubernetes")];
        metadata.labels = Some(owned(&labels));
        self.make(
            "default",
            Service {
                metadata,
                spec: Some(ServiceSpec {
                    cluster_ip: Some(CLUSTER_IP.to_owned()),
                    ports: Some(vec![ServicePort {
                        name: https(),
                        port: 443,
                        protocol: tcp(),
                        target_port: Some(IntOrString::Int(port)),
                        ..ServicePort::default()
                    }]),
                    ..ServiceSpec::default()
                }),
                ..Service::default()
            },
        )?;
        let mut metadata = meta();
        metadata.labels = Some(owned(&[("endpointslice.kubernetes.io/skip-mirror", "true")]));
        self.make(
            "default",
            Endpoints {
                metadata,
                subsets: Some(vec![EndpointSubset {
                    addresses: Some(vec![EndpointAddress {
                        ip: address.to_owned(),
                        ..EndpointAddress::default()
                    }]),
                    ports: Some(vec![EndpointPort {
                        name: https(),
                        port,
                        protocol: tcp(),
                        ..EndpointPort::default()
                    }]),
                    ..EndpointSubset::default()
                }]),
            },
        )?;
        let mut metadata = meta();
        metadata.labels = Some(owned(&[("kubernetes.io/service-name", "kubernetes")]));
        self.make(
            "default",
            EndpointSlice {
                metadata,
                address_type: "IPv4".to_owned(),
                endpoints: vec![Endpoint {
                    addresses: vec![address.to_owned()],
                    conditions: Some(EndpointConditions {
                        ready: Some(true),
                        ..EndpointConditions::default()
                    }),
                    ..Endpoint::default()
                }],
                ports: Some(vec![SlicePort {
                    name: https(),
                    port: Some(port),
                    protocol: tcp(),
                    ..SlicePort::default()
                }]),
            },
        )
    }

    fn make<K: KubeObject>(&mut self, namespace: &str, object: K) -> ApiResult<()> {
        let name = object.meta().name.as_deref().unwrap_or_default();
        if self.store.get(&keys::of_object(&object.kind(), namespace, name)).is_some() {
            return Ok(());
        }
        let request = Request {
            namespace: namespace.to_owned(),
            ..Request::new(
                loopback(),
                "kube-apiserver".into(),
                object.kind(),
                Op::Create(Body::Object(Object::new(object))),
            )
        };
        self.handle(request).map(drop)
    }
}

fn owned(labels: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
