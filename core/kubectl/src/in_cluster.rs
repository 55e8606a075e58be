//! What a pod's kubectl goes by when nobody has given it a kubeconfig: the service account of its
//! pod.
//!
//! Upstream: `InClusterConfig` in `k8s.io/client-go/rest/config.go`, `inClusterClientConfig` in
//! `tools/clientcmd/client_config.go`.

use crate::config::Config;
use naru_shell::Sys;
use serde_json::json;

const FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The configuration itself, or, if it is empty and this is a pod, the pod's own.
pub fn or_in_cluster(config: Config, sys: &mut dyn Sys) -> Config {
    let nothing = |list: &str| config.value[list].as_array().is_none_or(Vec::is_empty);
    if !(nothing("clusters") && nothing("contexts") && nothing("users")) {
        return config;
    }
    let mut said = |name: &str| sys.env().get(name).filter(|value| !value.is_empty()).cloned();
    let (Some(host), Some(port)) =
        (said("KUBERNETES_SERVICE_HOST"), said("KUBERNETES_SERVICE_PORT"))
    else {
        return config;
    };
    let token_file = format!("{FOLDER}/token");
    if sys.fs().read(&token_file).is_err() {
        return config;
    }
    let namespace = said_namespace(sys);
    let value = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "", "cluster": {
            "certificate-authority": format!("{FOLDER}/ca.crt"),
            "server": format!("https://{host}:{port}"),
        } }],
        "contexts": [{ "name": "", "context": { "cluster": "", "user": "", "namespace": namespace } }],
        "current-context": "",
        "preferences": {},
        "users": [{ "name": "", "user": { "tokenFile": token_file } }],
    });
    Config { value, ..config }
}

/// `POD_NAMESPACE`, or the namespace of the service account.
fn said_namespace(sys: &mut dyn Sys) -> String {
    if let Some(namespace) = sys.env().get("POD_NAMESPACE").filter(|name| !name.is_empty()) {
        return namespace.clone();
    }
    let text = sys.fs().read_text(&format!("{FOLDER}/namespace")).unwrap_or_default();
    text.trim().to_owned()
}
