//! A server with pods as a ReplicaSet makes them.

// Each bench uses a part of this.
#![allow(dead_code)]

use naru_api::k8s_openapi::api::core::v1::{
    Container, ContainerPort, ContainerState, ContainerStateRunning, ContainerStatus, EnvVar,
    HTTPGetAction, Pod, PodCondition, PodIP, PodSpec, PodStatus, Probe, ResourceRequirements,
};
use naru_api::k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use naru_api::k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use naru_api::request::{Body, DeleteOptions, ListOptions};
use naru_api::service::WatchRequest;
use naru_api::{ApiService, Kube, Object, Op, Request, Response, UserInfo, WatchId};
use naru_apiserver::{ApiServer, AuthorizationMode};
use naru_sim::Rng;
use std::sync::Arc;

/// A server and one client of it.
pub struct Bench {
    /// The server.
    pub server: ApiServer,
    user: UserInfo,
    agent: Arc<str>,
}

impl Bench {
    /// A server with this many pods.
    pub fn with_pods(pods: usize) -> Self {
        let mut bench = Bench {
            server: ApiServer::new(Rng::new(1)),
            user: UserInfo::new("kubernetes-admin", &["system:masters"]),
            agent: "bench".into(),
        };
        for _ in 0..pods {
            bench.create();
        }
        bench
    }

    /// From now on, asks as the ReplicaSet controller, who has only its role.
    #[allow(dead_code)]
    pub fn authorize_by_rbac(&mut self) {
        let installed = self.server.install_bootstrap_policy();
        assert!(installed.is_ok(), "{installed:?}");
        self.server.set_authorization_mode(AuthorizationMode::NodeRbac);
        self.user = UserInfo::service_account("kube-system", "replicaset-controller");
    }

    /// Makes a pod whose name is generated, as the ReplicaSet controller does.
    pub fn create(&mut self) -> Object {
        let request = self.create_request();
        object(self.server.handle(request))
    }

    /// The request for a new pod.
    pub fn create_request(&self) -> Request {
        self.request("", "", Op::Create(Body::Object(Object::new(pod()))))
    }

    /// Takes a pod away again.
    pub fn delete(&mut self, name: &str) {
        let options = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
        object(self.server.handle(self.request(name, "", Op::Delete(options))));
    }

    /// All pods.
    pub fn list(&mut self, options: ListOptions) -> Vec<Object> {
        match self.server.handle(self.request("", "", Op::List(options))) {
            Ok(Response::List(list)) => list.items,
            other => unreachable!("{other:?}"),
        }
    }

    /// The request by which a kubelet writes a status that differs from the last one.
    pub fn status_request(&self, pod: &Object, number: u64) -> Request {
        let mut pod = pod.clone();
        if let Some(pod) = pod.edit::<Pod>() {
            pod.status = Some(status(number));
        }
        let name = pod.name().to_owned();
        self.request(&name, "status", Op::Update(Body::Object(pod)))
    }

    /// A watch of all pods.
    pub fn watch(&mut self) -> WatchId {
        let request = WatchRequest::new(self.user.clone(), Arc::clone(&self.agent), Pod::kind());
        self.server.watch(request).unwrap_or_else(|error| unreachable!("{error}"))
    }

    fn request(&self, name: &str, subresource: &'static str, op: Op) -> Request {
        Request {
            namespace: "default".to_owned(),
            name: name.to_owned(),
            subresource,
            ..Request::new(self.user.clone(), Arc::clone(&self.agent), Pod::kind(), op)
        }
    }
}

/// The object of an answer.
pub fn object(answer: Result<Response, naru_api::ApiError>) -> Object {
    match answer {
        Ok(Response::Object(object)) => object,
        other => unreachable!("{other:?}"),
    }
}

fn own(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn pod() -> Pod {
    let resources = |cpu: &str, memory: &str| {
        let amounts = [("cpu", cpu), ("memory", memory)];
        Some(amounts.map(|(name, amount)| (name.to_owned(), Quantity(amount.to_owned()))).into())
    };
    let probe = Probe {
        http_get: Some(HTTPGetAction {
            path: own("/healthz"),
            port: IntOrString::Int(8080),
            ..HTTPGetAction::default()
        }),
        ..Probe::default()
    };
    Pod {
        metadata: ObjectMeta {
            generate_name: own("web-6d4cf56db6-"),
            namespace: own("default"),
            labels: Some(
                [("app", "web"), ("pod-template-hash", "6d4cf56db6")]
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .into(),
            ),
            owner_references: Some(vec![OwnerReference {
                api_version: "apps/v1".to_owned(),
                block_owner_deletion: Some(true),
                controller: Some(true),
                kind: "ReplicaSet".to_owned(),
                name: "web-6d4cf56db6".to_owned(),
                uid: "0b1c9c3e-52a1-4a6b-9c3c-8a4f0f6f7d11".to_owned(),
            }]),
            ..ObjectMeta::default()
        },
        spec: Some(
            PodSpec {
                containers: vec![Container {
                    name: "web".to_owned(),
                    image: own("nginx:1.27"),
                    env: Some(vec![EnvVar {
                        name: "MODE".to_owned(),
                        value: own("production"),
                        value_from: None,
                    }]),
                    ports: Some(vec![ContainerPort {
                        container_port: 8080,
                        ..ContainerPort::default()
                    }]),
                    readiness_probe: Some(probe.into()),
                    resources: Some(
                        ResourceRequirements {
                            requests: resources("100m", "64Mi"),
                            limits: resources("500m", "128Mi"),
                            ..ResourceRequirements::default()
                        }
                        .into(),
                    ),
                    ..Container::default()
                }],
                ..PodSpec::default()
            }
            .into(),
        ),
        status: None,
    }
}

fn status(number: u64) -> PodStatus {
    let condition = |type_: &str| PodCondition {
        type_: type_.to_owned(),
        status: "True".to_owned(),
        ..PodCondition::default()
    };
    PodStatus {
        phase: own("Running"),
        host_ip: own("172.18.0.3"),
        pod_ip: own("10.244.1.7"),
        pod_ips: Some(vec![PodIP { ip: "10.244.1.7".to_owned() }]),
        conditions: Some(
            [
                "PodReadyToStartContainers",
                "Initialized",
                "Ready",
                "ContainersReady",
                "PodScheduled",
            ]
            .map(condition)
            .into(),
        ),
        container_statuses: Some(vec![ContainerStatus {
            name: "web".to_owned(),
            image: "docker.io/library/nginx:1.27".to_owned(),
            container_id: Some(format!("containerd://{number:064x}")),
            ready: true,
            started: Some(true),
            state: Some(ContainerState {
                running: Some(ContainerStateRunning::default()),
                ..ContainerState::default()
            }),
            ..ContainerStatus::default()
        }]),
        ..PodStatus::default()
    }
}
