//! What calico-node keeps as objects of Calico's own kinds: the pool of addresses, which block of it is
//! a node's, and what the cluster runs.
//!
//! Upstream: `node/pkg/lifecycle/startup`, `libcalico-go/lib/ipam` of Calico, with the Kubernetes API
//! as its datastore. Which addresses of a block are taken (`ipamblocks`, `ipamhandles`) is not written.

use naru_api::request::{Body, Op};
use naru_api::scheme;
use naru_client::{Context, Error};
use naru_network::IpNet;
use serde_json::{Value, json};

const VERSION: &str = "crd.projectcalico.org/v1";
/// Addresses of a block: 2^(32-26).
const BLOCK_SIZE: u8 = 26;

/// Makes the objects that are not there, once their kinds are defined.
pub fn write(
    context: &mut Context<'_>,
    node: &str,
    uid: &str,
    pool: Option<IpNet>,
    block: IpNet,
) -> Result<(), Error> {
    let mut objects = vec![
        ("ClusterInformation", "default".to_owned(), cluster_information(uid)),
        ("FelixConfiguration", "default".to_owned(), felix_configuration()),
    ];
    if let Some(pool) = pool {
        objects.push(("IPPool", "default-ipv4-ippool".to_owned(), ip_pool(pool)));
    }
    let name = format!("{node}-{}", block.to_string().replace(['.', '/'], "-"));
    objects.push(("BlockAffinity", name, block_affinity(node, block)));
    for (kind, name, spec) in objects {
        put(context, kind, &name, spec)?;
    }
    Ok(())
}

fn put(context: &mut Context<'_>, kind: &str, name: &str, spec: Value) -> Result<(), Error> {
    let kinds = context.client.api().kinds();
    let Some(found) = scheme::by_kind(&kinds, VERSION, kind) else { return Ok(()) };
    let object = json!({
        "apiVersion": VERSION,
        "kind": kind,
        "metadata": { "name": name },
        "spec": spec,
    });
    match context.client.send(found, "", "", "", Op::Create(Body::Json(object))) {
        Err(error) if !error.is_already_exists() => Err(error.into()),
        _ => Ok(()),
    }
}

/// Every cluster has a number of its own; the node that came first makes it up.
fn cluster_information(uid: &str) -> Value {
    json!({
        "calicoVersion": "v3.28.2",
        "clusterGUID": uid.replace('-', ""),
        "clusterType": "k8s,bgp,kubeadm,kdd",
        "datastoreReady": true,
    })
}

fn felix_configuration() -> Value {
    json!({
        "bpfConnectTimeLoadBalancing": "TCP",
        "bpfHostNetworkedNATWithoutCTLB": "Enabled",
        "bpfLogLevel": "",
        "floatingIPs": "Disabled",
        "logSeverityScreen": "Info",
        "reportingInterval": "0s",
    })
}

fn ip_pool(pool: IpNet) -> Value {
    json!({
        "allowedUses": ["Workload", "Tunnel"],
        "blockSize": BLOCK_SIZE,
        "cidr": pool.to_string(),
        "ipipMode": "Always",
        "natOutgoing": true,
        "nodeSelector": "all()",
        "vxlanMode": "Never",
    })
}

fn block_affinity(node: &str, block: IpNet) -> Value {
    json!({ "cidr": block.to_string(), "deleted": "false", "node": node, "state": "confirmed" })
}
