//! etcd's own certificates on a control-plane node, in `/etc/kubernetes/pki/etcd`, and those of the
//! front proxy beside them.
//!
//! Upstream: `cmd/kubeadm/app/phases/certs/certlist.go`.

use naru_pki::{Authority, ExtendedUsage, PkiError, PrivateKey, Subject, Template, Validity};
use naru_sim::{Rng, Time};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// Where kubeadm lays them.
const FOLDER: &str = "/etc/kubernetes/pki/etcd";
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The files of a member of this name and address: the authority of the cluster's etcd, and the
/// certificates that the member and those who look after it show.
pub(crate) fn files(
    name: &str,
    ip: Ipv4Addr,
    now: Time,
    rng: &mut Rng,
) -> Result<Vec<(String, Vec<u8>)>, PkiError> {
    use ExtendedUsage::{ClientAuth, ServerAuth};
    let validity = |days: u32| Validity::starting(now, DAY * days);
    let authority = Authority::new("etcd-ca", PrivateKey::generate(rng), validity(3650), rng)?;
    let dns_names = [name, "localhost"];
    let ip_addresses = [IpAddr::V4(ip), IpAddr::V4(Ipv4Addr::LOCALHOST)];
    let member = Template {
        subject: Subject::new(name, &[]),
        dns_names: &dns_names,
        ip_addresses: &ip_addresses,
        usages: &[ServerAuth, ClientAuth],
    };
    let healthcheck = Template {
        subject: Subject::new("kube-etcd-healthcheck-client", &[]),
        usages: &[ClientAuth],
        ..Template::default()
    };
    let mut files = pair("ca", authority.certificate().to_pem(), authority.key());
    for (file, template) in
        [("server", &member), ("peer", &member), ("healthcheck-client", &healthcheck)]
    {
        let key = PrivateKey::generate(rng);
        let certificate = authority.issue(template, &key, validity(365), rng)?;
        files.extend(pair(file, certificate.to_pem(), &key));
    }
    let apiserver = Template {
        subject: Subject::new("kube-apiserver-etcd-client", &[]),
        usages: &[ClientAuth],
        ..Template::default()
    };
    let key = PrivateKey::generate(rng);
    let certificate = authority.issue(&apiserver, &key, validity(365), rng)?;
    files.extend(pair("../apiserver-etcd-client", certificate.to_pem(), &key));
    Ok(files)
}

/// The files of the authority whose clients may speak for others to aggregated APIs, and of the client
/// that it has made so: the API server.
pub(crate) fn front_proxy_files(
    authority: &Authority,
    now: Time,
    rng: &mut Rng,
) -> Result<Vec<(String, Vec<u8>)>, PkiError> {
    let client = Template {
        subject: Subject::new("front-proxy-client", &[]),
        usages: &[ExtendedUsage::ClientAuth],
        ..Template::default()
    };
    let key = PrivateKey::generate(rng);
    let certificate = authority.issue(&client, &key, Validity::starting(now, DAY * 365), rng)?;
    let mut files = pair("../front-proxy-ca", authority.certificate().to_pem(), authority.key());
    files.extend(pair("../front-proxy-client", certificate.to_pem(), &key));
    Ok(files)
}

fn pair(name: &str, certificate: String, key: &PrivateKey) -> Vec<(String, Vec<u8>)> {
    let path = naru_shell::normalize(FOLDER, name);
    vec![
        (format!("{path}.crt"), certificate.into_bytes()),
        (format!("{path}.key"), key.to_pem().into_bytes()),
    ]
}
