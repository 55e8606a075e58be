//! The learner's `~/.kube/config`.

use crate::pki::{ClusterPki, KeyPair};
use crate::profile::Profile;
use naru_pki::base64;

/// The kubeconfig of a profile, as kind and minikube write theirs.
pub fn text(profile: &Profile, pki: &ClusterPki, admin: &KeyPair) -> String {
    let context = &profile.context;
    let server = profile.control_plane_ips().next().unwrap_or(profile.host);
    let server = match profile.secure_port {
        443 => server.to_string(),
        port => format!("{server}:{port}"),
    };
    write(pki, &server, [context, context, context], admin)
}

/// A kubeconfig as kubeadm writes it: the context is called by the user and the cluster.
pub fn of(pki: &ClusterPki, server: &str, cluster: &str, user: &str, pair: &KeyPair) -> String {
    write(pki, server, [cluster, &format!("{user}@{cluster}"), user], pair)
}

fn write(
    pki: &ClusterPki,
    server: &str,
    [cluster, context, user]: [&str; 3],
    pair: &KeyPair,
) -> String {
    let data = |pem: String| base64::encode(pem.as_bytes());
    let authority = data(pki.authority().certificate().to_pem());
    let (certificate, key) = (data(pair.certificate.to_pem()), data(pair.key.to_pem()));
    format!(
        "apiVersion: v1\n\
         kind: Config\n\
         clusters:\n\
         - cluster:\n    certificate-authority-data: {authority}\n    server: https://{server}\n  name: {cluster}\n\
         contexts:\n\
         - context:\n    cluster: {cluster}\n    user: {user}\n  name: {context}\n\
         current-context: {context}\n\
         preferences: {{}}\n\
         users:\n\
         - name: {user}\n  user:\n    client-certificate-data: {certificate}\n    client-key-data: {key}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use naru_pki::{Certificate, PrivateKey, Subject};
    use naru_sim::{Rng, Time};

    #[test]
    fn is_yaml_with_the_admins_certificate() {
        let profile = Profile::by_name("kind").unwrap();
        let pki = ClusterPki::new(&Rng::new(1), Time::ZERO).unwrap();
        let admin = pki.client(Subject::new("kubernetes-admin", &[]), Time::ZERO).unwrap();
        let config = naru_api::yaml::parse(&text(&profile, &pki, &admin)).unwrap();
        assert_eq!(config["current-context"], "kind-kind");
        assert_eq!(config["clusters"][0]["cluster"]["server"], "https://172.18.0.2:6443");
        let user = &config["users"][0]["user"];
        let pem = |field: &str| {
            let bytes = base64::decode(user[field].as_str().unwrap()).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let certificate = Certificate::from_pem(&pem("client-certificate-data")).unwrap();
        assert_eq!(certificate.subject().common_name, "kubernetes-admin");
        let key = PrivateKey::from_pem(&pem("client-key-data")).unwrap();
        assert_eq!(certificate.public_key().unwrap(), key.public());
    }
}
