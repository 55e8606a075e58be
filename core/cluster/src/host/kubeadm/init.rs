//! `kubeadm init`: makes a machine the control plane of a new cluster.
//!
//! Upstream: `cmd/kubeadm/app/cmd/init.go`, `cmd/phases/init`, `util/apiclient/wait.go`.

use super::super::Ask;
use super::{
    NODE_GROUP, PORT, TOKEN_TTL, VERSION, admin, failed, failed_after, files, go_duration, more,
    parse, preflight, request, since, token,
};
use crate::Cluster;
use crate::{markcontrolplane, profile, uploadconfig};
use ipnet::Ipv4Net;
use k8s_openapi::api::core::v1::ConfigMap;
use naru_api::bootstraptoken::{self, BootstrapToken};
use naru_api::request::{Body, Op};
use naru_api::{Kube, Object, scheme, yaml};
use naru_shell::Answer;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::time::Duration;

/// How long the control plane may take.
const TIMEOUT: Duration = Duration::from_secs(240);
/// How often it is looked at.
const RETRY: Duration = Duration::from_millis(500);

/// What is to be done next, and with what.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    step: Step,
    token: String,
    ip: Ipv4Addr,
    /// `--pod-network-cidr`, or "".
    pods: String,
    /// When the step began, in microseconds.
    began: u64,
    /// Components that were found to be healthy.
    healthy: Vec<String>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Step {
    Certificates,
    Kubelet,
    ControlPlane,
}

/// Does the next step of a command line.
pub fn run(cluster: &mut Cluster, machine: usize, ask: &Ask<'_>) -> Answer {
    if ask.state.is_empty() {
        return begin(cluster, machine, ask);
    }
    let Ok(state) = serde_json::from_str::<State>(ask.state) else {
        return failed("internal error");
    };
    match state.step {
        Step::Certificates => write_files(cluster, machine, state),
        Step::Kubelet => kubelet_is_healthy(cluster, state),
        Step::ControlPlane => control_plane(cluster, machine, state),
    }
}

fn begin(cluster: &mut Cluster, machine: usize, ask: &Ask<'_>) -> Answer {
    let known = [
        ("pod-network-cidr", "", true),
        ("apiserver-advertise-address", "", true),
        ("token", "", true),
        ("kubernetes-version", "", true),
        ("service-cidr", "", true),
        ("upload-certs", "", false),
        ("control-plane-endpoint", "", true),
        ("node-name", "", true),
        ("cri-socket", "", true),
    ];
    let flags = match parse(ask, &known) {
        Ok(flags) => flags,
        Err(why) => return failed(&why),
    };
    let own = cluster.nodes.get(machine).map(|node| node.config().internal_ip);
    let own = own.unwrap_or(Ipv4Addr::UNSPECIFIED);
    let ip = match flags.value("apiserver-advertise-address") {
        None => own,
        Some(text) => match text.parse::<Ipv4Addr>() {
            Ok(ip) => ip,
            Err(_) => {
                return failed(&format!(
                    "couldn't use \"{text}\" as \"apiserver-advertise-address\", must be ipv4 or ipv6 address"
                ));
            }
        },
    };
    let pods = flags.value("pod-network-cidr").unwrap_or_default().to_owned();
    if !pods.is_empty() && pods.parse::<Ipv4Net>().is_err() {
        return failed(&format!(
            "networking.podSubnet: Invalid value: {pods:?}: couldn't parse subnet"
        ));
    }
    let (id, secret) = match flags.value("token").map(bootstraptoken::split) {
        None => token::random(cluster),
        Some(Some((id, secret))) => (id.to_owned(), secret.to_owned()),
        Some(None) => {
            let given = flags.value("token").unwrap_or_default();
            return failed(&format!(
                "the bootstrap token {given:?} was not of the form {:?}",
                bootstraptoken::PATTERN
            ));
        }
    };
    let mut text = format!(
        "[init] Using Kubernetes version: {VERSION}\n[preflight] Running pre-flight checks\n"
    );
    let (warnings, error) = preflight::report(preflight::init(cluster, machine), &flags);
    if let Some(why) = error {
        let mut answer = failed_after(text, &why);
        answer.stderr.insert_str(0, &warnings);
        return answer;
    }
    text.push_str(
        "[preflight] Pulling images required for setting up a Kubernetes cluster\n\
         [preflight] This might take a minute or two, depending on the speed of your internet \
         connection\n\
         [preflight] You can also perform this action beforehand using 'kubeadm config images \
         pull'\n",
    );
    let state = State {
        step: Step::Certificates,
        token: format!("{id}.{secret}"),
        // Somebody else's address is one where nothing will ever answer.
        ip,
        pods,
        began: 0,
        healthy: Vec::new(),
    };
    let mut answer = more(text, Duration::from_secs(3), &state);
    answer.stderr = warnings;
    answer
}

fn write_files(cluster: &mut Cluster, machine: usize, mut state: State) -> Answer {
    let name = cluster.nodes.get(machine).map(|node| node.name().to_owned()).unwrap_or_default();
    let pods = state.pods.parse().ok();
    if let Err(why) = cluster.install_control_plane(machine, pods) {
        return failed(&format!("error execution phase certs: {why}"));
    }
    if let Err(why) = files::write_control_plane(cluster, machine, state.ip) {
        return failed(&format!("error execution phase certs: {why}"));
    }
    cluster.start_kubelet(machine);
    let text = format!("{}{}", certificates_text(&name, state.ip), MANIFESTS_TEXT);
    state.step = Step::Kubelet;
    state.began = cluster.now().as_micros();
    more(text, Duration::from_micros(500_812), &state)
}

fn certificates_text(name: &str, ip: Ipv4Addr) -> String {
    let pair = |what: &str| format!("[certs] Generating {what:?} certificate and key\n");
    let etcd = |what: &str| {
        let signed = format!(
            "[certs] {what} serving cert is signed for DNS names [localhost {name}] and IPs \
             [{ip} 127.0.0.1 ::1]\n"
        );
        pair(what) + &signed
    };
    let mut text = "[certs] Using certificateDir folder \"/etc/kubernetes/pki\"\n".to_owned();
    text += &pair("ca");
    text += &pair("apiserver");
    text += &format!(
        "[certs] apiserver serving cert is signed for DNS names [kubernetes kubernetes.default \
         kubernetes.default.svc kubernetes.default.svc.cluster.local {name}] and IPs \
         [10.96.0.1 {ip}]\n"
    );
    for what in ["apiserver-kubelet-client", "front-proxy-ca", "front-proxy-client", "etcd/ca"] {
        text += &pair(what);
    }
    text += &etcd("etcd/server");
    text += &etcd("etcd/peer");
    text += &pair("etcd/healthcheck-client");
    text += &pair("apiserver-etcd-client");
    text + "[certs] Generating \"sa\" key and public key\n"
}

const MANIFESTS_TEXT: &str = "\
[kubeconfig] Using kubeconfig folder \"/etc/kubernetes\"
[kubeconfig] Writing \"admin.conf\" kubeconfig file
[kubeconfig] Writing \"super-admin.conf\" kubeconfig file
[kubeconfig] Writing \"kubelet.conf\" kubeconfig file
[kubeconfig] Writing \"controller-manager.conf\" kubeconfig file
[kubeconfig] Writing \"scheduler.conf\" kubeconfig file
[etcd] Creating static Pod manifest for local etcd in \"/etc/kubernetes/manifests\"
[control-plane] Using manifest folder \"/etc/kubernetes/manifests\"
[control-plane] Creating static Pod manifest for \"kube-apiserver\"
[control-plane] Creating static Pod manifest for \"kube-controller-manager\"
[control-plane] Creating static Pod manifest for \"kube-scheduler\"
[kubelet-start] Writing kubelet environment file with flags to file \"/var/lib/kubelet/kubeadm-flags.env\"
[kubelet-start] Writing kubelet configuration to file \"/var/lib/kubelet/config.yaml\"
[kubelet-start] Starting the kubelet
[wait-control-plane] Waiting for the kubelet to boot up the control plane as static Pods from directory \"/etc/kubernetes/manifests\"
[kubelet-check] Waiting for a healthy kubelet at http://127.0.0.1:10248/healthz. This can take up to 4m0s
";

fn kubelet_is_healthy(cluster: &Cluster, mut state: State) -> Answer {
    let text = format!(
        "[kubelet-check] The kubelet is healthy after {}\n\
         [control-plane-check] Waiting for healthy control plane components. This can take up to \
         4m0s\n\
         [control-plane-check] Checking kube-apiserver at https://{}:{PORT}/livez\n\
         [control-plane-check] Checking kube-controller-manager at https://127.0.0.1:10257/healthz\n\
         [control-plane-check] Checking kube-scheduler at https://127.0.0.1:10259/livez\n",
        go_duration(since(cluster, state.began)),
        state.ip,
    );
    state.step = Step::ControlPlane;
    state.began = cluster.now().as_micros();
    more(text, RETRY, &state)
}

fn control_plane(cluster: &mut Cluster, machine: usize, mut state: State) -> Answer {
    let waited = since(cluster, state.began);
    let mut text = String::new();
    for component in ["kube-controller-manager", "kube-scheduler", "kube-apiserver"] {
        let known = state.healthy.iter().any(|healthy| healthy == component);
        if !known && is_healthy(cluster, machine, component, state.ip) {
            let after = go_duration(waited);
            text += &format!("[control-plane-check] {component} is healthy after {after}\n");
            state.healthy.push(component.to_owned());
        }
    }
    let name = cluster.nodes.get(machine).map(|node| node.name().to_owned()).unwrap_or_default();
    let all = state.healthy.len() == 3;
    if all && cluster.object("v1", "Node", "", &name).is_some() {
        return match finish(cluster, machine, &name, &state) {
            Ok(end) => Answer { stdout: text + &end, ..Answer::default() },
            Err(why) => failed_after(text, &why),
        };
    }
    if waited >= TIMEOUT {
        return timed_out(text, &state, waited);
    }
    more(text, RETRY, &state)
}

fn is_healthy(cluster: &Cluster, machine: usize, component: &str, ip: Ipv4Addr) -> bool {
    let node = cluster.nodes.get(machine);
    let runs = node.is_some_and(|node| node.runtime().runs(component));
    let here = node.is_some_and(|node| node.config().internal_ip == ip);
    runs && cluster.api_server_is_up() && (here || component != "kube-apiserver")
}

fn timed_out(mut text: String, state: &State, waited: Duration) -> Answer {
    let after = go_duration(waited);
    let components = ["kube-controller-manager", "kube-scheduler", "kube-apiserver"];
    let sick = components.into_iter().filter(|one| !state.healthy.iter().any(|well| well == one));
    let mut why = Vec::new();
    for component in sick {
        text += &format!("[control-plane-check] {component} is not healthy after {after}\n");
        let ip = state.ip;
        why.push(format!(
            "{component} check failed at https://{ip}:{PORT}/livez: Get \
             \"https://{ip}:{PORT}/livez?timeout=10s\": dial tcp {ip}:{PORT}: i/o timeout"
        ));
    }
    text += "
A control plane component may have crashed or exited when started by the container runtime.
To troubleshoot, list all containers using your preferred container runtimes CLI.
Here is one example how you may list all running Kubernetes containers by using crictl:
\t- 'crictl --runtime-endpoint unix:///var/run/containerd/containerd.sock ps -a | grep kube | grep -v pause'
\tOnce you have found the failing container, you can inspect its logs with:
\t- 'crictl --runtime-endpoint unix:///var/run/containerd/containerd.sock logs CONTAINERID'

";
    failed_after(
        text,
        &format!(
            "error execution phase wait-control-plane: failed while waiting for the control plane \
             to start: {}",
            why.join(", ")
        ),
    )
}

/// What is done once the API server answers.
fn finish(
    cluster: &mut Cluster,
    machine: usize,
    name: &str,
    state: &State,
) -> Result<String, String> {
    upload(cluster, machine, state)?;
    markcontrolplane::label(cluster, name);
    let (id, secret) = bootstraptoken::split(&state.token).unwrap_or_default();
    let token = BootstrapToken {
        id: id.to_owned(),
        secret: secret.to_owned(),
        description: "The default bootstrap token generated by 'kubeadm init'.".to_owned(),
        expires: Some(cluster.now() + TOKEN_TTL),
        usages: vec!["authentication".to_owned(), "signing".to_owned()],
        groups: vec![NODE_GROUP.to_owned()],
    };
    token::write(cluster, machine, &token).map_err(|error| {
        format!("error execution phase bootstrap-token: error updating or creating token: {error}")
    })?;
    addons(cluster, machine, state)?;
    let mut text = "\
[upload-config] Storing the configuration used in ConfigMap \"kubeadm-config\" in the \"kube-system\" Namespace
[kubelet] Creating a ConfigMap \"kubelet-config\" in namespace kube-system with the configuration for the kubelets in the cluster
[upload-certs] Skipping phase. Please see --upload-certs
"
    .to_owned();
    text += &format!(
        "[mark-control-plane] Marking the node {name} as control-plane by adding the labels: \
         [node-role.kubernetes.io/control-plane node.kubernetes.io/exclude-from-external-load-balancers]\n\
         [mark-control-plane] Marking the node {name} as control-plane by adding the taints \
         [node-role.kubernetes.io/control-plane:NoSchedule]\n\
         [bootstrap-token] Using token: {}\n",
        state.token
    );
    text += TOKEN_TEXT;
    text += END_TEXT;
    let command = token::join_command(cluster, machine, &state.token, "\\\n\t");
    Ok(text + &command + "\n")
}

const TOKEN_TEXT: &str = "\
[bootstrap-token] Configuring bootstrap tokens, cluster-info ConfigMap, RBAC Roles
[bootstrap-token] Configured RBAC rules to allow Node Bootstrap tokens to get nodes
[bootstrap-token] Configured RBAC rules to allow Node Bootstrap tokens to post CSRs in order for nodes to get long term certificate credentials
[bootstrap-token] Configured RBAC rules to allow the csrapprover controller automatically approve CSRs from a Node Bootstrap Token
[bootstrap-token] Configured RBAC rules to allow certificate rotation for all node client certificates in the cluster
[bootstrap-token] Creating the \"cluster-info\" ConfigMap in the \"kube-public\" namespace
[kubelet-finalize] Updating \"/etc/kubernetes/kubelet.conf\" to point to a rotatable kubelet client certificate and key
[addons] Applied essential addon: CoreDNS
[addons] Applied essential addon: kube-proxy
";

const END_TEXT: &str = "
Your Kubernetes control-plane has initialized successfully!

To start using your cluster, you need to run the following as a regular user:

  mkdir -p $HOME/.kube
  sudo cp -i /etc/kubernetes/admin.conf $HOME/.kube/config
  sudo chown $(id -u):$(id -g) $HOME/.kube/config

Alternatively, if you are the root user, you can run:

  export KUBECONFIG=/etc/kubernetes/admin.conf

You should now deploy a pod network to the cluster.
Run \"kubectl apply -f [podnetwork].yaml\" with one of the options listed at:
  https://kubernetes.io/docs/concepts/cluster-administration/addons/

Then you can join any number of worker nodes by running the following on each as root:

";

/// The ConfigMaps by which others learn of the cluster.
fn upload(cluster: &mut Cluster, machine: usize, state: &State) -> Result<(), String> {
    let (profile, pki) = (&cluster.profile, &cluster.pki);
    for json in uploadconfig::config_maps(profile, pki, state.ip, &state.pods) {
        let namespace = json["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
        let place = (namespace.as_str(), "");
        let op = Op::Create(Body::Json(json));
        match request(cluster, machine, admin(), ConfigMap::kind(), place, op) {
            Err(error) if !error.is_already_exists() => {
                return Err(format!("error execution phase upload-config/kubeadm: {error}"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// CoreDNS and kube-proxy.
fn addons(cluster: &mut Cluster, machine: usize, state: &State) -> Result<(), String> {
    let failed = |error: String| format!("error execution phase addon/kube-proxy: {error}");
    let proxy = profile::manifest("kube-proxy").unwrap_or_default();
    let pods = if state.pods.is_empty() { "\"\"" } else { state.pods.as_str() };
    let server = format!("https://{}:{PORT}", state.ip);
    let proxy = proxy.replace("10.244.0.0/16", pods).replace("https://control-plane:6443", &server);
    // kubeadm leaves the mode to kube-proxy, which takes iptables then.
    let proxy = proxy.replace("mode: iptables", "mode: \"\"");
    for document in yaml::documents(&proxy) {
        let json = document.map_err(|error| failed(error.to_string()))?;
        let text = |pointer| json.pointer(pointer).and_then(|v| v.as_str()).unwrap_or_default();
        let kind = scheme::by_kind(&cluster.kinds(), text("/apiVersion"), text("/kind"));
        let Some(kind) = kind else { continue };
        let namespace = text("/metadata/namespace").to_owned();
        create(cluster, machine, kind, &namespace, Body::Json(json.clone())).map_err(failed)?;
    }
    for object in naru_addons::coredns::manifests(cluster.profile.coredns_replicas) {
        let object: Object = object;
        let (kind, namespace) = (object.kind(), object.namespace().to_owned());
        create(cluster, machine, kind, &namespace, Body::Object(object)).map_err(failed)?;
    }
    Ok(())
}

fn create(
    cluster: &mut Cluster,
    machine: usize,
    kind: naru_api::KindRef,
    namespace: &str,
    body: Body,
) -> Result<(), String> {
    match request(cluster, machine, admin(), kind, (namespace, ""), Op::Create(body)) {
        Err(error) if !error.is_already_exists() => Err(error.to_string()),
        _ => Ok(()),
    }
}
