//! Certificate signing requests: approved and signed.
//!
//! Upstream: `pkg/controller/certificates`, `pkg/apis/certificates/helpers.go`.

mod approver;
mod signer;

pub use approver::CsrApprovingController;
pub use signer::CsrSigningController;

use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use naru_api::{Key, Kube, WatchEvent, WatchEventType};
use naru_pki::CertificateRequest;

const KUBELET_CLIENT: &str = "kubernetes.io/kube-apiserver-client-kubelet";
const KUBELET_SERVING: &str = "kubernetes.io/kubelet-serving";
const API_CLIENT: &str = "kubernetes.io/kube-apiserver-client";
const LEGACY_UNKNOWN: &str = "kubernetes.io/legacy-unknown";

/// The request that a change concerns.
fn key(event: &WatchEvent) -> Vec<Key> {
    let object = &event.object;
    let is_request = object.kind() == CertificateSigningRequest::kind();
    let there = event.kind != WatchEventType::Deleted;
    if is_request && there { vec![object.key()] } else { Vec::new() }
}

/// Whether a request has a condition that holds.
fn has(request: &CertificateSigningRequest, type_: &str) -> bool {
    let conditions = request.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|one| one.type_ == type_ && one.status == "True")
}

/// Whether its certificate was made.
fn is_issued(request: &CertificateSigningRequest) -> bool {
    let certificate = request.status.as_ref().and_then(|status| status.certificate.as_ref());
    certificate.is_some_and(|certificate| !certificate.0.is_empty())
}

/// The PKCS#10 request in it.
fn parse(request: &CertificateSigningRequest) -> Result<CertificateRequest, String> {
    let text = String::from_utf8_lossy(&request.spec.request.0);
    let name = request.metadata.name.as_deref().unwrap_or_default();
    CertificateRequest::from_pem(&text)
        .map_err(|error| format!("unable to parse csr \"{name}\": {error}"))
}

/// What is wrong with a request for the client certificate of a kubelet.
///
/// Upstream: `ValidateKubeletClientCSR`.
fn check_kubelet_client(csr: &CertificateRequest, usages: &[String]) -> Result<(), String> {
    check_node(csr)?;
    if !csr.dns_names().is_empty() {
        return Err("DNS subjectAltNames are not allowed".to_owned());
    }
    check_other_names(csr)?;
    if !csr.ip_addresses().is_empty() {
        return Err("IP subjectAltNames are not allowed".to_owned());
    }
    check_usages(usages, "client auth")?;
    check_common_name(csr)
}

/// What is wrong with a request for the serving certificate of a kubelet.
///
/// Upstream: `ValidateKubeletServingCSR`.
fn check_kubelet_serving(csr: &CertificateRequest, usages: &[String]) -> Result<(), String> {
    check_node(csr)?;
    if csr.dns_names().is_empty() && csr.ip_addresses().is_empty() {
        return Err("DNS or IP subjectAltName is required".to_owned());
    }
    check_other_names(csr)?;
    check_usages(usages, "server auth")?;
    check_common_name(csr)
}

fn check_node(csr: &CertificateRequest) -> Result<(), String> {
    if csr.subject().organizations == ["system:nodes"] {
        return Ok(());
    }
    Err("subject organization is not system:nodes".to_owned())
}

fn check_common_name(csr: &CertificateRequest) -> Result<(), String> {
    if csr.subject().common_name.starts_with("system:node:") {
        return Ok(());
    }
    Err("subject common name does not begin with system:node:".to_owned())
}

fn check_other_names(csr: &CertificateRequest) -> Result<(), String> {
    if csr.has_other_names() {
        return Err("Email subjectAltNames are not allowed".to_owned());
    }
    Ok(())
}

/// The uses of a kubelet's certificate, with or without what only RSA keys need.
fn check_usages(usages: &[String], auth: &str) -> Result<(), String> {
    let mut given: Vec<&str> = usages.iter().map(String::as_str).collect();
    given.sort_unstable();
    given.dedup();
    let mut wanted = [auth, "digital signature", "key encipherment"];
    wanted.sort_unstable();
    let without = wanted.iter().filter(|usage| **usage != "key encipherment");
    if given == wanted || given.iter().eq(without) {
        return Ok(());
    }
    Err(format!("usages did not match [{}]", wanted.join(" ")))
}

/// What is wrong with the uses of a client's certificate.
///
/// Upstream: `validAPIServerClientUsages`.
fn check_client_usages(usages: &[String]) -> Result<(), String> {
    let known = ["client auth", "digital signature", "key encipherment"];
    if let Some(usage) = usages.iter().find(|usage| !known.contains(&usage.as_str())) {
        return Err(format!("invalid usage for client certificate: {usage}"));
    }
    if !usages.iter().any(|usage| usage == "client auth") {
        return Err("missing required usage for client certificate: client auth".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use naru_pki::{PrivateKey, Subject, Template};
    use naru_sim::Rng;

    fn csr(name: &str, organization: &str, dns_names: &[&str]) -> CertificateRequest {
        let subject = Subject::new(name, &[organization]);
        let template = Template { subject, dns_names, ..Template::default() };
        CertificateRequest::new(&template, &PrivateKey::generate(&mut Rng::new(1))).unwrap()
    }

    fn usages(list: &[&str]) -> Vec<String> {
        list.iter().map(|usage| (*usage).to_owned()).collect()
    }

    #[test]
    fn certificates_of_kubelets() {
        let client = usages(&["client auth", "digital signature"]);
        let node = csr("system:node:a", "system:nodes", &[]);
        assert_eq!(check_kubelet_client(&node, &client), Ok(()));
        let table = [
            (csr("system:node:a", "x", &[]), "subject organization is not system:nodes"),
            (csr("a", "system:nodes", &[]), "subject common name does not begin with system:node:"),
            (csr("system:node:a", "system:nodes", &["a"]), "DNS subjectAltNames are not allowed"),
        ];
        for (csr, error) in table {
            assert_eq!(check_kubelet_client(&csr, &client), Err(error.to_owned()));
        }
        let error = "usages did not match [digital signature key encipherment server auth]";
        let serving = csr("system:node:a", "system:nodes", &["a"]);
        assert_eq!(check_kubelet_serving(&serving, &client), Err(error.to_owned()));
        let server = usages(&["server auth", "key encipherment", "digital signature"]);
        assert_eq!(check_kubelet_serving(&serving, &server), Ok(()));
    }

    #[test]
    fn certificates_of_clients() {
        assert_eq!(check_client_usages(&usages(&["client auth", "key encipherment"])), Ok(()));
        for (list, error) in [
            (usages(&["server auth"]), "invalid usage for client certificate: server auth"),
            (usages(&[]), "missing required usage for client certificate: client auth"),
        ] {
            assert_eq!(check_client_usages(&list), Err(error.to_owned()));
        }
    }
}
