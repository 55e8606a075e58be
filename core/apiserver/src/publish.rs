//! What the API server makes itself: its namespaces, and the service by which pods find it.
//!
//! Upstream: `pkg/controlplane/controller/systemnamespaces`,
//! `pkg/controlplane/controller/kubernetesservice`, `pkg/controlplane/reconcilers`.

use crate::server::loopback;
use crate::{ApiServer, AuthenticationConfig, keys};
use naru_api::k8s_openapi::api::core::v1::{
    ConfigMap, EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Namespace, Service,
    ServicePort, ServiceSpec,
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
use naru_api::time::meta_time;
use naru_api::{ApiService, Kube, Object, Op, Request, status::ApiResult};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const NAMESPACES: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "default"];
/// The first address of the range of cluster IPs.
const CLUSTER_IP: &str = "10.96.0.1";
/// In which headers a proxy says for whom it asks, and who may: kubeadm's `--requestheader-…`.
const REQUEST_HEADERS: [(&str, &str); 4] = [
    ("allowed-names", "front-proxy-client"),
    ("extra-headers-prefix", "X-Remote-Extra-"),
    ("group-headers", "X-Remote-Group"),
    ("username-headers", "X-Remote-User"),
];
/// That range.
const SERVICE_CIDR: &str = "10.96.0.0/16";

impl ApiServer {
    /// How often the API server sees to its own service. Upstream: `EndpointReconcilerInterval`.
    pub const PUBLISH_INTERVAL: Duration = Duration::from_secs(10);

    pub(crate) fn make_namespaces(&mut self) {
        for name in NAMESPACES {
            let made =
                self.make("", name, |metadata| Namespace { metadata, ..Namespace::default() });
            // An empty store takes four namespaces.
            debug_assert!(made.is_ok());
        }
    }

    /// Makes the priority classes that every cluster has.
    ///
    /// Upstream: `AddSystemPriorityClasses` in `pkg/registry/scheduling/rest/storage_scheduling.go`.
    pub(crate) fn make_priority_classes(&mut self) {
        for (name, value, description) in priorityclass::SYSTEM {
            let made = self.make("", name, |metadata| PriorityClass {
                metadata,
                value,
                description: Some(description.to_owned()),
                ..PriorityClass::default()
            });
            // An empty store takes two classes.
            debug_assert!(made.is_ok(), "{made:?}");
        }
    }

    /// Makes the range of cluster IPs known as an object.
    ///
    /// Upstream: `pkg/controlplane/controller/defaultservicecidr`.
    fn make_service_cidr(&mut self) -> ApiResult<()> {
        self.make("", "kubernetes", |metadata| ServiceCIDR {
            metadata,
            spec: Some(ServiceCIDRSpec { cidrs: Some(vec![SERVICE_CIDR.to_owned()]) }),
            ..ServiceCIDR::default()
        })
    }

    /// Tells aggregated API servers whom to trust.
    ///
    /// Upstream: `pkg/controlplane/controller/clusterauthenticationtrust`.
    fn make_authentication_map(&mut self) -> ApiResult<()> {
        let config = Arc::clone(&self.authentication);
        if config.client_ca.is_none() && config.request_header_ca.is_none() {
            return Ok(());
        }
        self.make("kube-system", "extension-apiserver-authentication", |metadata| ConfigMap {
            metadata,
            data: Some(trusted(&config)),
            ..ConfigMap::default()
        })
    }

    /// Says since when it is noted which legacy tokens of service accounts are used.
    ///
    /// Upstream: `pkg/controlplane/controller/legacytokentracking`.
    fn make_token_tracking_map(&mut self) -> ApiResult<()> {
        let now = self.now;
        let day = || meta_time(now).0.strftime("%Y-%m-%d").to_string();
        let name = "kube-apiserver-legacy-service-account-token-tracking";
        self.make("kube-system", name, |metadata| ConfigMap {
            metadata,
            data: Some([("since".to_owned(), day())].into()),
            ..ConfigMap::default()
        })
    }

    /// Makes the service `kubernetes`, its endpoints and endpoint slice, which lead to the API
    /// server at this address and port; what is there stays as it is. To be called every
    /// [`ApiServer::PUBLISH_INTERVAL`], since a learner may delete them.
    pub fn publish(&mut self, address: &str, port: i32) -> ApiResult<()> {
        self.make_service_cidr()?;
        self.make("default", "kubernetes", |metadata| service(metadata, port))?;
        self.make("default", "kubernetes", |metadata| endpoints(metadata, address, port))?;
        self.make("default", "kubernetes", |metadata| slice(metadata, address, port))?;
        self.make_authentication_map()?;
        self.make_token_tracking_map()
    }

    /// Makes an object of this name, if there is none.
    pub(crate) fn make<K: Kube>(
        &mut self,
        namespace: &str,
        name: &str,
        of: impl FnOnce(ObjectMeta) -> K,
    ) -> ApiResult<()> {
        if self.store.get(&keys::of_object(&K::kind(), namespace, name)).is_some() {
            return Ok(());
        }
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(namespace.to_owned()).filter(|namespace| !namespace.is_empty()),
            ..ObjectMeta::default()
        };
        let op = Op::Create(Body::Object(Object::new(of(metadata))));
        let request = Request::new(loopback(), "kube-apiserver".into(), K::kind(), op);
        self.handle(Request { namespace: namespace.to_owned(), ..request }).map(drop)
    }
}

/// Who signs for clients, and for those that ask in other people's names.
fn trusted(config: &AuthenticationConfig) -> BTreeMap<String, String> {
    let mut data = BTreeMap::new();
    if let Some(authority) = &config.client_ca {
        data.insert("client-ca-file".to_owned(), authority.to_pem());
    }
    if let Some(authority) = &config.request_header_ca {
        data.insert("requestheader-client-ca-file".to_owned(), authority.to_pem());
        for (key, name) in REQUEST_HEADERS {
            data.insert(format!("requestheader-{key}"), format!("[\"{name}\"]"));
        }
    }
    data
}

fn https() -> Option<String> {
    Some("https".to_owned())
}

fn tcp() -> Option<String> {
    Some("TCP".to_owned())
}

fn service(metadata: ObjectMeta, port: i32) -> Service {
    let labels = Some(owned(&[("component", "apiserver"), ("provider", "kubernetes")]));
    Service {
        metadata: ObjectMeta { labels, ..metadata },
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
    }
}

fn endpoints(metadata: ObjectMeta, address: &str, port: i32) -> Endpoints {
    let labels = Some(owned(&[("endpointslice.kubernetes.io/skip-mirror", "true")]));
    let address = EndpointAddress { ip: address.to_owned(), ..EndpointAddress::default() };
    let port = EndpointPort { name: https(), port, protocol: tcp(), ..EndpointPort::default() };
    Endpoints {
        metadata: ObjectMeta { labels, ..metadata },
        subsets: Some(vec![EndpointSubset {
            addresses: Some(vec![address]),
            ports: Some(vec![port]),
            ..EndpointSubset::default()
        }]),
    }
}

fn slice(metadata: ObjectMeta, address: &str, port: i32) -> EndpointSlice {
    let labels = Some(owned(&[("kubernetes.io/service-name", "kubernetes")]));
    let ready = EndpointConditions { ready: Some(true), ..EndpointConditions::default() };
    let port =
        SlicePort { name: https(), port: Some(port), protocol: tcp(), ..SlicePort::default() };
    EndpointSlice {
        metadata: ObjectMeta { labels, ..metadata },
        address_type: "IPv4".to_owned(),
        endpoints: vec![Endpoint {
            addresses: vec![address.to_owned()],
            conditions: Some(ready),
            ..Endpoint::default()
        }],
        ports: Some(vec![port]),
    }
}

fn owned(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
    labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
