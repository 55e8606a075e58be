//! `kubeadm join`: makes a machine a node of a cluster that it comes to trust by a token.
//!
//! Upstream: `cmd/kubeadm/app/cmd/join.go`, `cmd/phases/join`, `discovery/token/token.go`.

use super::super::Ask;
use super::{
    PORT, failed, failed_after, files, go_duration, more, parse, preflight, request, since, token,
};
use crate::{Cluster, kubeconfig};
use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestSpec,
};
use k8s_openapi::api::core::v1::ConfigMap;
use naru_api::bootstraptoken;
use naru_api::request::{Body, Op, Response};
use naru_api::{ApiError, ApiService, Credentials, Kube, Object, UserInfo};
use naru_pki::{Certificate, CertificateRequest, PrivateKey, Subject, Template, jws};
use naru_shell::Answer;
use naru_tools::flags::Flags;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;

/// How often the cluster is asked while it does not answer. Upstream: `DiscoveryRetryInterval`.
const RETRY: Duration = Duration::from_secs(5);
/// How long. Upstream: the timeout `discovery`.
const DISCOVERY_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a certificate may take. Upstream: the timeout `tlsBootstrap`.
const BOOTSTRAP_TIMEOUT: Duration = Duration::from_secs(300);

/// What is to be done next, and with what.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    step: Step,
    address: String,
    token: String,
    hashes: Vec<String>,
    began: u64,
    /// The name of the request for a certificate.
    request: String,
    /// The key that it is for, in PEM.
    key: String,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Step {
    Discovery,
    Start,
    Kubelet,
    Bootstrap,
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
        Step::Discovery => discover(cluster, machine, state, String::new()),
        Step::Start => start(cluster, machine, state),
        Step::Kubelet => kubelet_is_healthy(cluster, state),
        Step::Bootstrap => bootstrap(cluster, machine, state),
    }
}

fn begin(cluster: &mut Cluster, machine: usize, ask: &Ask<'_>) -> Answer {
    let known = [
        ("token", "", true),
        ("discovery-token", "", true),
        ("tls-bootstrap-token", "", true),
        ("discovery-token-ca-cert-hash", "", true),
        ("discovery-token-unsafe-skip-ca-verification", "", false),
        ("node-name", "", true),
        ("cri-socket", "", true),
    ];
    let flags = match parse(ask, &known) {
        Ok(flags) => flags,
        Err(why) => return failed(&why),
    };
    let problems = validate(&flags);
    if !problems.is_empty() {
        return failed(&match problems.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        });
    }
    let text = "[preflight] Running pre-flight checks\n".to_owned();
    let (warnings, error) = preflight::report(preflight::join(cluster, machine), &flags);
    if let Some(why) = error {
        let mut answer = failed_after(text, &why);
        answer.stderr.insert_str(0, &warnings);
        return answer;
    }
    let token = flags.value("discovery-token").or(flags.value("token")).unwrap_or_default();
    let state = State {
        step: Step::Discovery,
        address: flags.words.first().cloned().unwrap_or_default(),
        token: token.to_owned(),
        hashes: flags.values("discovery-token-ca-cert-hash").to_vec(),
        began: cluster.now().as_micros(),
        request: String::new(),
        key: String::new(),
    };
    let mut answer = discover(cluster, machine, state, text);
    answer.stderr.insert_str(0, &warnings);
    answer
}

/// Upstream: `ValidateDiscovery` in `apis/kubeadm/validation/validation.go`.
fn validate(flags: &Flags) -> Vec<String> {
    let discovery = flags.value("discovery-token").or(flags.value("token")).unwrap_or_default();
    let tls = flags.value("tls-bootstrap-token").or(flags.value("token")).unwrap_or_default();
    let address = flags.words.first().map_or("", String::as_str);
    if discovery.is_empty() {
        return vec![
            "discovery: Invalid value: \"\": bootstrapToken or file must be set".to_owned(),
        ];
    }
    let mut problems = Vec::new();
    let own = "discovery.bootstrapToken";
    if address.is_empty() {
        problems.push(format!("{own}: Required value: APIServerEndpoint is not set"));
    }
    let hashes = flags.values("discovery-token-ca-cert-hash");
    if hashes.is_empty() && !flags.is_on("discovery-token-unsafe-skip-ca-verification") {
        problems.push(format!(
            "{own}.caCertHashes: Invalid value: \"\": using token-based discovery without \
             caCertHashes can be unsafe. Set unsafeSkipCAVerification as true in your kubeadm \
             config file or pass --discovery-token-unsafe-skip-ca-verification flag to continue"
        ));
    }
    if bootstraptoken::split(discovery).is_none() {
        problems.push(format!(
            "{own}.token: Invalid value: {discovery:?}: the bootstrap token is invalid"
        ));
    }
    if !address.contains(':') {
        let why = format!("address {address}: missing port in address");
        let why = if address.is_empty() { "missing port in address".to_owned() } else { why };
        problems.push(format!("{own}.apiServerEndpoint: Invalid value: {address:?}: {why}"));
    }
    if bootstraptoken::split(tls).is_none() {
        problems.push(format!(
            "discovery.tlsBootstrapToken: Invalid value: {tls:?}: the bootstrap token is invalid"
        ));
    }
    problems
}

/// Why the cluster is not trusted.
enum Distrust {
    /// It may still come right.
    Later(String),
    Never(String),
}

fn discover(cluster: &mut Cluster, machine: usize, mut state: State, text: String) -> Answer {
    let wrapped = |why: &str| {
        format!(
            "error execution phase preflight: couldn't validate the identity of the API Server: \
             {why}"
        )
    };
    match trust(cluster, machine, &state) {
        Ok(()) => {}
        Err(Distrust::Later(why)) => {
            if since(cluster, state.began) < DISCOVERY_TIMEOUT {
                return more(text, RETRY, &state);
            }
            return failed_after(text, &wrapped(&why));
        }
        Err(Distrust::Never(why)) => return failed_after(text, &wrapped(&why)),
    }
    let mut text = text;
    text += "[preflight] Reading configuration from the \"kubeadm-config\" ConfigMap in namespace \
             \"kube-system\"...\n\
             [preflight] Use 'kubeadm init phase upload-config --config your-config-file' to \
             re-upload it.\n";
    if let Err(error) = read_configuration(cluster, machine, &state) {
        let why = format!(
            "error execution phase preflight: unable to fetch the kubeadm-config ConfigMap: \
             failed to get config map: {error}"
        );
        return failed_after(text, &why);
    }
    state.step = Step::Start;
    more(text, Duration::from_millis(500), &state)
}

/// Comes to trust the cluster, as far as token and hash allow.
fn trust(cluster: &mut Cluster, machine: usize, state: &State) -> Result<(), Distrust> {
    let (id, secret) = bootstraptoken::split(&state.token).unwrap_or_default();
    let info = cluster_info(cluster, machine, state)?;
    let data = info.data.unwrap_or_default();
    let Some(signature) = data.get(&format!("jws-kubeconfig-{id}")) else {
        return Err(Distrust::Later(format!(
            "could not find a JWS signature in the cluster-info ConfigMap for token ID {id:?}"
        )));
    };
    check_hashes(&state.hashes)?;
    let text = data.get("kubeconfig").map_or("", String::as_str);
    if *signature != jws::detached_signature(text, id, secret) {
        return Err(Distrust::Never(
            "failed to verify JWS signature of received cluster info object, can't trust this API \
             Server"
                .to_owned(),
        ));
    }
    let found = token::ca_hash(cluster);
    let pinned = state.hashes.iter().any(|hash| hash.eq_ignore_ascii_case(&found));
    if !state.hashes.is_empty() && !pinned {
        return Err(Distrust::Never(format!(
            "cluster CA found in cluster-info ConfigMap is invalid: none of the public keys \
             {found:?} are pinned"
        )));
    }
    Ok(())
}

/// Upstream: `pubkeypin.Set.Allow`.
fn check_hashes(hashes: &[String]) -> Result<(), Distrust> {
    for hash in hashes {
        let why = match hash.split_once(':') {
            None => {
                "invalid public key hash, expected \"format:hex-value\". Known format(s) are: sha256"
                    .to_owned()
            }
            Some((format, _)) if !format.eq_ignore_ascii_case("sha256") => {
                format!("unknown hash format {format:?}. Known format(s) are: sha256")
            }
            Some((_, hex)) if hex.len() / 2 != 32 => format!(
                "invalid hash {hash:?}, expected a 32 byte SHA-256 hash, found {} bytes",
                hex.len() / 2
            ),
            Some(_) => continue,
        };
        let text = format!("invalid discovery token CA certificate hash: {why}");
        return Err(Distrust::Never(text));
    }
    Ok(())
}

/// What everybody may read of the cluster at this address.
fn cluster_info(
    cluster: &mut Cluster,
    machine: usize,
    state: &State,
) -> Result<ConfigMap, Distrust> {
    let url = format!(
        "https://{}/api/v1/namespaces/kube-public/configmaps/cluster-info?timeout=10s",
        state.address
    );
    let later = |why: String| {
        Distrust::Later(format!("failed to request the cluster-info ConfigMap: {why}"))
    };
    let address = &state.address;
    let known = address.parse::<SocketAddr>().is_ok_and(|address| {
        let ips: Vec<_> = cluster.profile.control_plane_ips().collect();
        address.port() == PORT && ips.iter().any(|ip| address.ip() == *ip)
    });
    if !known {
        let on_link = address.parse::<SocketAddr>().is_ok_and(|address| {
            cluster.nodes.iter().any(|node| address.ip() == node.config().internal_ip)
        });
        let why = if on_link { "connect: connection refused" } else { "i/o timeout" };
        return Err(later(format!("Get {url:?}: dial tcp {address}: {why}")));
    }
    let anonymous = UserInfo::new("system:anonymous", &["system:unauthenticated"]);
    let place = ("kube-public", "cluster-info");
    match request(cluster, machine, anonymous, ConfigMap::kind(), place, Op::Get) {
        Ok(Response::Object(object)) => match object.get::<ConfigMap>() {
            Some(info) => Ok(info.clone()),
            None => Err(later("unexpected answer".to_owned())),
        },
        Ok(_) => Err(later("unexpected answer".to_owned())),
        Err(error) if error.is_unreachable() => Err(later(format!("Get {url:?}: {error}"))),
        Err(error) => Err(later(error.to_string())),
    }
}

/// Who the bearer of the token is, as the API server says.
fn bearer(cluster: &mut Cluster, token: &str) -> Result<UserInfo, ApiError> {
    let credentials = Credentials { bearer_token: token.to_owned(), ..Credentials::default() };
    cluster.api.authenticate(&credentials)
}

fn read_configuration(
    cluster: &mut Cluster,
    machine: usize,
    state: &State,
) -> Result<(), ApiError> {
    let user = bearer(cluster, &state.token)?;
    let place = ("kube-system", "kubeadm-config");
    request(cluster, machine, user, ConfigMap::kind(), place, Op::Get).map(drop)
}

/// Starts the kubelet, which asks for a certificate.
fn start(cluster: &mut Cluster, machine: usize, mut state: State) -> Answer {
    let name = cluster.nodes.get(machine).map(|node| node.name().to_owned()).unwrap_or_default();
    let text = "[kubelet-start] Writing kubelet configuration to file \
                \"/var/lib/kubelet/config.yaml\"\n\
                [kubelet-start] Writing kubelet environment file with flags to file \
                \"/var/lib/kubelet/kubeadm-flags.env\"\n\
                [kubelet-start] Starting the kubelet\n\
                [kubelet-check] Waiting for a healthy kubelet at http://127.0.0.1:10248/healthz. \
                This can take up to 4m0s\n"
        .to_owned();
    match ask_for_certificate(cluster, machine, &name, &state) {
        Ok((request, key)) => (state.request, state.key) = (request, key),
        Err(why) => {
            return failed_after(text, &format!("error execution phase kubelet-start: {why}"));
        }
    }
    state.step = Step::Kubelet;
    state.began = cluster.now().as_micros();
    more(text, Duration::from_micros(1_001_213), &state)
}

/// Upstream: `pkg/kubelet/certificate/bootstrap/bootstrap.go`.
fn ask_for_certificate(
    cluster: &mut Cluster,
    machine: usize,
    name: &str,
    state: &State,
) -> Result<(String, String), String> {
    let key = PrivateKey::generate(&mut cluster.rng.fork(&format!("kubelet-{name}")));
    let subject = Subject::new(&format!("system:node:{name}"), &["system:nodes"]);
    let wanted = CertificateRequest::new(&Template { subject, ..Template::default() }, &key);
    let wanted = wanted.map_err(|error| error.to_string())?;
    let mut csr = CertificateSigningRequest {
        spec: CertificateSigningRequestSpec {
            request: ByteString(wanted.to_pem().into_bytes()),
            signer_name: "kubernetes.io/kube-apiserver-client-kubelet".to_owned(),
            usages: Some(vec!["digital signature".to_owned(), "client auth".to_owned()]),
            ..CertificateSigningRequestSpec::default()
        },
        ..CertificateSigningRequest::default()
    };
    csr.metadata.generate_name = Some("csr-".to_owned());
    let user = bearer(cluster, &state.token).map_err(|error| error.to_string())?;
    let op = Op::Create(Body::Object(Object::new(csr)));
    let kind = CertificateSigningRequest::kind();
    match request(cluster, machine, user, kind, ("", ""), op) {
        Ok(Response::Object(made)) => Ok((made.name().to_owned(), key.to_pem())),
        Ok(_) => Err("unexpected answer".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn kubelet_is_healthy(cluster: &Cluster, mut state: State) -> Answer {
    let text = format!(
        "[kubelet-check] The kubelet is healthy after {}\n\
         [kubelet-start] Waiting for the kubelet to perform the TLS Bootstrap\n",
        go_duration(since(cluster, state.began))
    );
    state.step = Step::Bootstrap;
    more(text, Duration::from_secs(1), &state)
}

/// Waits for the certificate, and then for the node.
fn bootstrap(cluster: &mut Cluster, machine: usize, state: State) -> Answer {
    let name = cluster.nodes.get(machine).map(|node| node.name().to_owned()).unwrap_or_default();
    let runs = cluster.nodes.get(machine).is_some_and(|node| node.runs());
    if runs && cluster.object("v1", "Node", "", &name).is_some() {
        return Answer { stdout: JOINED.to_owned(), ..Answer::default() };
    }
    if !runs && let Some(certificate) = issued(cluster, machine, &state) {
        if let Err(why) = take_certificate(cluster, machine, &name, &state, certificate) {
            return failed(&format!("error execution phase kubelet-start: {why}"));
        }
        cluster.join_node(machine);
        cluster.start_kubelet(machine);
    }
    if since(cluster, state.began) >= BOOTSTRAP_TIMEOUT {
        return failed("error execution phase kubelet-start: timed out waiting for the condition");
    }
    more(String::new(), Duration::from_millis(500), &state)
}

fn issued(cluster: &mut Cluster, machine: usize, state: &State) -> Option<Certificate> {
    let user = bearer(cluster, &state.token).ok()?;
    let kind = CertificateSigningRequest::kind();
    let answer = request(cluster, machine, user, kind, ("", &state.request), Op::Get).ok()?;
    let Response::Object(object) = answer else { return None };
    let status = object.get::<CertificateSigningRequest>()?.status.as_ref()?;
    let pem = String::from_utf8(status.certificate.as_ref()?.0.clone()).ok()?;
    Certificate::from_pem(&pem).ok()
}

fn take_certificate(
    cluster: &mut Cluster,
    machine: usize,
    name: &str,
    state: &State,
    certificate: Certificate,
) -> Result<(), String> {
    let key = PrivateKey::from_pem(&state.key).map_err(|error| error.to_string())?;
    let pair = crate::KeyPair { certificate, key };
    let user = format!("system:node:{name}");
    let text = kubeconfig::of(&cluster.pki, &state.address, "kubernetes", &user, &pair);
    files::write_worker(cluster, machine, text)
}

const JOINED: &str = "
This node has joined the cluster:
* Certificate signing request was sent to apiserver and a response was received.
* The Kubelet was informed of the new secure connection details.

Run 'kubectl get nodes' on the control-plane to see this node join the cluster.

";
