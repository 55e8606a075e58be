//! flanneld, as its container shows it: what it says, and that it ends on a node without a range of
//! addresses. The tunnel is laid by `crate::flannel` while this runs.
//!
//! Upstream: `flannel-io/flannel` v0.27.0, `main.go`, `pkg/subnet/kube/kube.go`.

use k8s_openapi::api::core::v1::{Node, Pod};
use naru_api::gofmt::quote;
use naru_api::status::ApiResult;
use naru_api::{Kube, UserInfo};
use naru_client::Client;
use naru_shell::serve::klog;
use naru_shell::{Program, Signal, Step, Sys};
use naru_sim::CauseId;
use std::sync::Arc;

const NAME: &str = "flanneld";
const MEMORY: u64 = 14 << 20;

/// The program.
#[derive(Clone, Debug, Default)]
pub struct Flanneld {
    started: bool,
}

/// What keeps it from running.
fn start(sys: &mut dyn Sys) -> Result<(), String> {
    let failed = |why: String| format!("main.go:228] Failed to create SubnetManager: {why}");
    let env = sys.env();
    let value = |name: &str| env.get(name).cloned().unwrap_or_default();
    let (node, pod, namespace) = (value("NODE_NAME"), value("POD_NAME"), value("POD_NAMESPACE"));
    if node.is_empty() && (pod.is_empty() || namespace.is_empty()) {
        return Err(failed("env variables POD_NAME and POD_NAMESPACE must be set".to_owned()));
    }
    let Some(node) = node_name(sys, node, (&namespace, &pod)).map_err(failed)? else {
        return Ok(());
    };
    klog::line(sys, 'I', "kube.go:139] Waiting 10m0s for node controller to sync");
    klog::line(sys, 'I', "kube.go:469] Starting kube subnet manager");
    klog::line(sys, 'I', "kube.go:146] Node controller sync successful");
    let range = |node: &Node| node.spec.as_ref()?.pod_cidr.clone().filter(|it| !it.is_empty());
    let assigned = match get::<Node>(sys, "", &node) {
        Some(Ok(found)) => range(&found).is_some(),
        // It asks again and again, and is told in time.
        Some(Err(_)) | None => true,
    };
    let node = quote(&node);
    assigned.then_some(()).ok_or_else(|| {
        format!(
            "main.go:359] Error registering network: failed to acquire lease: node {node} pod cidr \
             not assigned"
        )
    })
}

/// On which node it runs: as it is told, or as its pod says.
fn node_name(
    sys: &mut dyn Sys,
    told: String,
    (namespace, pod): (&str, &str),
) -> Result<Option<String>, String> {
    if !told.is_empty() {
        return Ok(Some(told));
    }
    let Some(found) = get::<Pod>(sys, namespace, pod) else { return Ok(None) };
    let found = found.map_err(|error| {
        format!("error retrieving pod spec for '{namespace}/{pod}': {}", error.message())
    })?;
    let name = found.spec.as_ref().and_then(|spec| spec.node_name.clone());
    Ok(name.filter(|name| !name.is_empty()))
}

fn get<K: Kube>(sys: &mut dyn Sys, namespace: &str, name: &str) -> Option<ApiResult<Arc<K>>> {
    let user = UserInfo::service_account("kube-flannel", "flannel");
    let agent: Arc<str> = NAME.into();
    let mut client = Client::new(sys.api()?, &user, &agent, CauseId::ROOT);
    Some(client.get::<K>(namespace, name))
}

impl Program for Flanneld {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        sys.catch(Signal::Term);
        if !self.started {
            self.started = true;
            sys.use_memory(MEMORY);
            if let Err(why) = start(sys) {
                klog::line(sys, 'E', &why);
                return Step::Exit(1);
            }
            klog::line(sys, 'I', "main.go:427] Running backend.");
        }
        match sys.take_signal() {
            Some(_) => {
                klog::line(sys, 'I', "main.go:463] shutdownHandler sent cancel signal...");
                klog::line(sys, 'I', "main.go:451] Exiting cleanly...");
                Step::Exit(0)
            }
            None => Step::Block { until: None },
        }
    }
}
