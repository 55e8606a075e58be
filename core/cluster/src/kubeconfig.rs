//! The learner's `~/.kube/config`.

use crate::profile::Profile;

/// The kubeconfig of a profile, as kind and minikube write theirs. Its certificates are not real
/// ones: kubectl reaches the API server without a wire.
pub fn text(profile: &Profile) -> String {
    let context = profile.context;
    let server = profile.control_plane_ips().next().unwrap_or(profile.host_ip);
    format!(
        "apiVersion: v1\n\
         kind: Config\n\
         clusters:\n\
         - cluster:\n    certificate-authority-data: bmFydQ==\n    server: https://{server}:6443\n  name: {context}\n\
         contexts:\n\
         - context:\n    cluster: {context}\n    user: {context}\n  name: {context}\n\
         current-context: {context}\n\
         preferences: {{}}\n\
         users:\n\
         - name: {context}\n  user:\n    client-certificate-data: bmFydQ==\n    client-key-data: bmFydQ==\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_yaml_that_names_the_context() {
        let profile = Profile::by_name("kind").unwrap();
        let config = naru_api::yaml::parse(&text(&profile)).unwrap();
        assert_eq!(config["current-context"], "kind-kind");
        assert_eq!(config["clusters"][0]["cluster"]["server"], "https://172.18.0.2:6443");
    }
}
