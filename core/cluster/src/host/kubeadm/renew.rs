//! `kubeadm certs renew`: the same certificates once more, with new keys, for another year.
//!
//! Upstream: `cmd/kubeadm/app/cmd/certs.go`, `cmd/kubeadm/app/phases/certs/renewal`.

use super::super::out;
use super::certs::{AUTHORITIES, CERTIFICATES, Place, Renewed, configuration, invalid};
use super::files::{self, PKI};
use super::{failed, failed_after};
use crate::Cluster;
use crate::pki::YEAR;
use naru_api::yaml;
use naru_pki::{Authority, Certificate, PrivateKey, Validity, base64};
use naru_shell::{Answer, normalize};
use serde_json::Value;
use std::fmt::Write as _;

/// Renews what is named, or all.
pub fn run(cluster: &mut Cluster, machine: usize, which: &[&str]) -> Answer {
    let named = |name: &str| CERTIFICATES.iter().find(|renewed| renewed.name == name);
    let wanted: Vec<&Renewed> = match which {
        [] => return Answer { code: 1, ..out(usage()) },
        ["all"] => CERTIFICATES.iter().collect(),
        [name] if let Some(renewed) = named(name) => vec![renewed],
        [name, word, ..] if *name == "all" || named(name).is_some() => {
            let command = format!("kubeadm certs renew {name}");
            return failed(&format!("unknown command {word:?} for {command:?}"));
        }
        words => return invalid("kubeadm certs renew", words),
    };
    let mut told = configuration(cluster, machine, "renew");
    for renewed in wanted {
        match renew(cluster, machine, renewed) {
            Ok(line) => told += &line,
            Err(why) => {
                return failed_after(
                    told,
                    &format!("failed to renew certificate {}: {why}", renewed.name),
                );
            }
        }
    }
    if which == ["all"] {
        told += "\nDone renewing certificates. You must restart the kube-apiserver, \
                 kube-controller-manager, kube-scheduler and etcd, so that they can use the new \
                 certificates.\n";
    }
    out(told)
}

/// Renews one certificate, and says what came of it.
fn renew(cluster: &mut Cluster, machine: usize, renewed: &Renewed) -> Result<String, String> {
    let Renewed { name, long_name, path, authority } = renewed;
    let base = AUTHORITIES.iter().find(|(own, _)| own == authority).map_or("", |(_, base)| base);
    let place = Place { cluster, machine };
    let Some(old) = place.certificate(path) else {
        return Ok(format!("MISSING! {long_name}\n"));
    };
    let Some(key) = place.read(&format!("{base}.key")) else {
        return Ok(format!("Detected external {base}, {long_name} can't be renewed\n"));
    };
    let signer =
        place.certificate(&format!("{base}.crt")).ok_or("the authority is not readable")?;
    let text = |error: naru_pki::PkiError| error.to_string();
    let authority = Authority::of(signer, PrivateKey::from_pem(&key).map_err(text)?);
    // Another key each time, whatever is renewed.
    let once = cluster.rng.below(u64::MAX);
    let mut rng = cluster.rng.fork(&format!("{name} {once}"));
    let key = PrivateKey::generate(&mut rng);
    let validity = Validity::starting(cluster.now(), YEAR);
    let certificate = authority.renew(&old, &key, validity, &mut rng).map_err(text)?;
    let written = contents(&Place { cluster, machine }, path, &certificate, &key)?;
    files::write(cluster, machine, written)?;
    Ok(format!("{long_name} renewed\n"))
}

/// The files that hold the new pair: two, or a kubeconfig in which nothing else changes.
fn contents(
    place: &Place<'_>,
    path: &str,
    certificate: &Certificate,
    key: &PrivateKey,
) -> Result<Vec<(String, Vec<u8>)>, String> {
    let full = |path: &str| normalize(PKI, path);
    let Some(name) = path.strip_suffix(".crt") else {
        let text = place.read(path).unwrap_or_default();
        let mut config = yaml::parse(&text).map_err(|error| error.to_string())?;
        let user = config.pointer_mut("/users/0/user").and_then(Value::as_object_mut);
        let user = user.ok_or("the kubeconfig has no user")?;
        for (field, pem) in
            [("client-certificate-data", certificate.to_pem()), ("client-key-data", key.to_pem())]
        {
            user.insert(field.to_owned(), Value::String(base64::encode(pem.as_bytes())));
        }
        return Ok(vec![(full(path), yaml::print(&config).into_bytes())]);
    };
    Ok(vec![
        (full(path), certificate.to_pem().into_bytes()),
        (full(&format!("{name}.key")), key.to_pem().into_bytes()),
    ])
}

fn usage() -> String {
    let mut commands = String::new();
    for Renewed { name, long_name, .. } in CERTIFICATES {
        let _ = writeln!(commands, "  {name:<24} Renew the {long_name}");
        if name == "admin.conf" {
            let _ = writeln!(commands, "  {:<24} Renew all available certificates", "all");
        }
    }
    format!(
        "This command is not meant to be run on its own. See list of available subcommands.\n\n\
         Usage:\n  kubeadm certs renew [flags]\n  kubeadm certs renew [command]\n\n\
         Available Commands:\n{commands}\n\
         Flags:\n  -h, --help   help for renew\n\n\
         Global Flags:\n      --rootfs string   The path to the 'real' host root filesystem. This \
         will cause kubeadm to chroot into the provided path.\n\n\
         Use \"kubeadm certs renew [command] --help\" for more information about a command.\n"
    )
}
