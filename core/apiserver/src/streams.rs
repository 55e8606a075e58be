//! Streams: the API server stands between a client and the kubelet of a pod's node.
//!
//! Upstream: `pkg/registry/core/pod/strategy.go` (`LogLocation`, `ExecLocation`,
//! `AttachLocation`), `pkg/registry/core/pod/rest`.

use crate::limits;
use naru_api::k8s_openapi::api::core::v1::{Container, Pod};
use naru_api::service::{Connect, ConnectRequest, Stream, StreamId};
use naru_api::{ApiError, status::ApiResult};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How a stream stands: two that differ mean that something came or went between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamMark {
    /// Which stream.
    pub id: StreamId,
    /// The node whose kubelet serves it.
    pub node: Arc<str>,
    waiting: (usize, usize, usize),
    closed: bool,
    resized: bool,
    answered: bool,
    ended: bool,
}

/// All streams.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streams {
    last: u64,
    streams: BTreeMap<StreamId, (Arc<str>, Stream)>,
    asked: BTreeMap<String, Vec<(StreamId, ConnectRequest)>>,
    ready: BTreeSet<String>,
}

impl Streams {
    /// Starts a stream to a container of `pod`, whose request names it or leaves it open.
    pub(crate) fn connect(
        &mut self,
        pod: &Pod,
        mut request: ConnectRequest,
    ) -> ApiResult<StreamId> {
        request.container = check(pod, &request)?;
        self.open(node_of(pod), request)
    }

    /// Starts a stream to the kubelet of a node, or, for an HTTP request to somebody else, from the
    /// machine of this name.
    pub(crate) fn open(&mut self, node: &str, request: ConnectRequest) -> ApiResult<StreamId> {
        if self.streams.len() >= limits::STREAMS_MAX {
            let message = "too many requests, please try again later";
            return Err(ApiError::new(429, "TooManyRequests", message));
        }
        let mut stream = Stream::default();
        if node.is_empty() {
            // A pod without a node has no logs: an empty answer.
            stream.result = Some(Ok(0));
        }
        self.last += 1;
        let id = StreamId(self.last);
        self.streams.insert(id, (node.into(), stream));
        if !node.is_empty() {
            self.asked.entry(node.to_owned()).or_default().push((id, request));
            self.ready.insert(node.to_owned());
        }
        Ok(id)
    }

    /// The machine of this name is not there: what was asked of it is answered.
    pub(crate) fn unreachable(&mut self, node: &str, error: &ApiError) {
        for (id, _) in self.accept(node) {
            if let Some(stream) = self.serve(id) {
                stream.result = Some(Err(error.clone()));
            }
        }
    }

    /// A stream, for its client.
    pub(crate) fn get(&mut self, id: StreamId) -> Option<&mut Stream> {
        self.streams.get_mut(&id).map(|(_, stream)| stream)
    }

    /// A stream, for the kubelet.
    pub(crate) fn serve(&mut self, id: StreamId) -> Option<&mut Stream> {
        self.streams.get_mut(&id).map(|(_, stream)| stream)
    }

    /// The client is gone.
    pub(crate) fn disconnect(&mut self, id: StreamId) {
        if let Some((node, _)) = self.streams.remove(&id) {
            self.ready.insert(node.to_string());
        }
        for asked in self.asked.values_mut() {
            asked.retain(|(asked, _)| *asked != id);
        }
    }

    /// How every stream stands now.
    pub(crate) fn marks(&self) -> Vec<StreamMark> {
        let mark = |(id, (node, stream)): (&StreamId, &(Arc<str>, Stream))| StreamMark {
            id: *id,
            node: Arc::clone(node),
            waiting: (stream.stdin.len(), stream.stdout.len(), stream.stderr.len()),
            closed: stream.stdin_closed,
            resized: stream.resized.is_some(),
            answered: stream.head.is_some(),
            ended: stream.result.is_some(),
        };
        self.streams.iter().map(mark).collect()
    }

    /// What was asked of a node's kubelet since the last time.
    pub(crate) fn accept(&mut self, node: &str) -> Vec<(StreamId, ConnectRequest)> {
        self.ready.remove(node);
        self.asked.remove(node).unwrap_or_default()
    }

    /// The nodes that were asked for something, or left by a client, since the last time.
    pub(crate) fn take_ready(&mut self) -> Vec<String> {
        std::mem::take(&mut self.ready).into_iter().collect()
    }
}

/// The subresource that a stream goes to, and the verb of who opens it.
pub(crate) fn subresource(connect: &Connect) -> (&'static str, &'static str) {
    match connect {
        Connect::Log(_) => ("log", "get"),
        Connect::Exec { .. } => ("exec", "create"),
        Connect::Attach { .. } => ("attach", "create"),
        Connect::PortForward { .. } => ("portforward", "create"),
        Connect::Http(_) => ("proxy", "create"),
    }
}

fn node_of(pod: &Pod) -> &str {
    pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default()
}

/// Whether a stream to the pod can be asked for; gives the container that is meant.
pub(crate) fn check(pod: &Pod, request: &ConnectRequest) -> ApiResult<String> {
    let container = match request.connect {
        Connect::Http(_) => return Err(ApiError::method_not_allowed()),
        // All containers of a pod share its network.
        Connect::PortForward { .. } => String::new(),
        _ => container(pod, &request.container)?,
    };
    if node_of(pod).is_empty() && !matches!(request.connect, Connect::Log(_)) {
        let message = format!("pod {} does not have a host assigned", request.pod);
        return Err(ApiError::bad_request(message));
    }
    Ok(container)
}

/// The container that is meant, or what is wrong with it.
fn container(pod: &Pod, wanted: &str) -> ApiResult<String> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let names = |containers: &[Container]| {
        containers.iter().map(|container| container.name.clone()).collect::<Vec<_>>()
    };
    let spec = pod.spec.clone().unwrap_or_default();
    let mains = names(&spec.containers);
    let inits = names(spec.init_containers.as_deref().unwrap_or_default());
    let ephemerals = spec.ephemeral_containers.iter().flatten().map(|container| &container.name);
    if !wanted.is_empty() {
        let mut all = mains.iter().chain(&inits).chain(ephemerals);
        if all.any(|container| container == wanted) {
            return Ok(wanted.to_owned());
        }
        let message = format!("container {wanted} is not valid for pod {name}");
        return Err(ApiError::bad_request(message));
    }
    match mains.as_slice() {
        [one] => Ok(one.clone()),
        [] => {
            Err(ApiError::bad_request(format!("a container name must be specified for pod {name}")))
        }
        several => {
            let mut message = format!(
                "a container name must be specified for pod {name}, choose one of: [{}]",
                several.join(" ")
            );
            if !inits.is_empty() {
                message += &format!(" or one of the init containers: [{}]", inits.join(" "));
            }
            Err(ApiError::bad_request(message))
        }
    }
}
