//! A client that makes pods and watches them come up.

use naru_api::k8s_openapi::api::core::v1::{Container, Pod, PodSpec, ResourceRequirements};
use naru_api::k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::request::Body;
use naru_api::service::WatchRequest;
use naru_api::{ApiService, Kube, Object, Op, Request, UserInfo, WatchId, pods};
use naru_cluster::Cluster;
use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// How often the client looks at its watch and makes pods, in virtual time.
const INTERVAL: Duration = Duration::from_millis(20);

/// How many pods the client makes each time: 1,000 a second.
const BATCH: u32 = 20;

/// Virtual time after which pods that are not ready are given up.
const GIVE_UP: Duration = Duration::from_secs(3_600);

/// Requests of pods: CPU and memory.
pub type Requests = (&'static str, &'static str);

/// An administrator, who is not bound by roles, as the clients of upstream's benchmarks.
pub fn admin() -> UserInfo {
    UserInfo::new("kubernetes-super-admin", &["system:masters", "system:authenticated"])
}

/// The request for the pod of this number, which only pauses.
pub fn create(number: u32, requests: Requests) -> Request {
    let pause = Container {
        name: "pause".to_owned(),
        image: Some("registry.k8s.io/pause:3.10".to_owned()),
        ..Container::default()
    };
    create_of(number, requests, pause)
}

/// The request for the pod of this number, of this one container.
pub fn create_of(number: u32, requests: Requests, container: Container) -> Request {
    let amounts = [("cpu", requests.0), ("memory", requests.1)];
    let amounts =
        amounts.map(|(name, amount)| (name.to_owned(), Quantity(amount.to_owned()))).into();
    let pod = Pod {
        metadata: ObjectMeta {
            name: Some(format!("pod-{number}")),
            namespace: Some("default".to_owned()),
            ..ObjectMeta::default()
        },
        spec: Some(
            PodSpec {
                containers: vec![Container {
                    resources: Some(
                        ResourceRequirements {
                            requests: Some(amounts),
                            ..ResourceRequirements::default()
                        }
                        .into(),
                    ),
                    ..container
                }],
                ..PodSpec::default()
            }
            .into(),
        ),
        status: None,
    };
    let op = Op::Create(Body::Object(Object::new(pod)));
    let request = Request::new(admin(), Arc::from("naru-bench"), Pod::kind(), op);
    Request { namespace: "default".to_owned(), ..request }
}

/// What a pod of `startup` asks for.
pub const SMALL: Requests = ("10m", "10Mi");

/// Makes the pods of these numbers and lets time pass until all are ready.
pub fn start(cluster: &mut Cluster, first: u32, count: u32) -> Result<(), Box<dyn Error>> {
    start_by(cluster, first, count, |number| create(number, SMALL))
}

/// The same, by requests of one's own.
pub fn start_by(
    cluster: &mut Cluster,
    first: u32,
    count: u32,
    create: impl Fn(u32) -> Request,
) -> Result<(), Box<dyn Error>> {
    let request = WatchRequest::new(admin(), Arc::from("naru-bench"), Pod::kind());
    let request = WatchRequest { namespace: "default".to_owned(), ..request };
    let watch = cluster.outside(|api| api.watch(request))?;
    let (mut made, mut ready) = (0, BTreeSet::new());
    let deadline = cluster.now() + GIVE_UP;
    while ready.len() < count as usize {
        if cluster.now() > deadline {
            let (some, time) = (ready.len(), GIVE_UP.as_secs());
            return Err(format!("{some} of {count} pods became ready within {time} s").into());
        }
        let batch = (count - made).min(BATCH);
        cluster.outside(|api| {
            (made..made + batch).try_for_each(|number| api.handle(create(first + number)).map(drop))
        })?;
        made += batch;
        cluster.advance(cluster.now() + INTERVAL, u64::MAX);
        take_ready(cluster, watch, first, &mut ready)?;
    }
    cluster.outside(|api| api.unwatch(watch));
    Ok(())
}

/// Takes down which of the pods have become ready.
fn take_ready(
    cluster: &mut Cluster,
    watch: WatchId,
    first: u32,
    ready: &mut BTreeSet<u32>,
) -> Result<(), Box<dyn Error>> {
    for event in cluster.outside(|api| api.poll(watch))? {
        if event.object.get::<Pod>().is_some_and(pods::is_ready) {
            let number =
                event.object.name().strip_prefix("pod-").and_then(|n| n.parse::<u32>().ok());
            ready.extend(number.filter(|number| *number >= first));
        }
    }
    Ok(())
}
