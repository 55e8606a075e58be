//! `kube-webhook-certgen`: makes the certificate of the controller's admission webhook, and tells it
//! to whom the webhook's configuration says whom to trust.
//!
//! Upstream: kubernetes/ingress-nginx, `images/kube-webhook-certgen`.

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use naru_api::UserInfo;
use naru_client::Client;
use naru_pki::{Authority, ExtendedUsage, PkiError, PrivateKey, Subject, Template, Validity};
use naru_shell::serve::clock;
use naru_shell::{Program, Step, Sys};
use naru_sim::{CauseId, Rng, Time};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A fresh instance of the program.
pub fn program() -> Box<dyn Program> {
    Box::new(CertGen)
}

#[derive(Clone, Debug)]
struct CertGen;

const AGENT: &str = "kube-webhook-certgen";
/// A hundred years, as upstream.
const LASTS: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

impl Program for CertGen {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        let result = run(sys);
        let (level, message) = match &result {
            Ok(message) => ("info", message.clone()),
            Err(message) => ("fatal", message.clone()),
        };
        let time = clock::format(sys.now(), "%Y-%m-%dT%H:%M:%SZ");
        let line = format!("{{\"level\":\"{level}\",\"msg\":\"{message}\",\"time\":\"{time}\"}}\n");
        // What nobody reads is lost.
        let _ = sys.write(2, line.as_bytes());
        Step::Exit(i32::from(result.is_err()))
    }
}

fn run(sys: &mut dyn Sys) -> Result<String, String> {
    let args = sys.args().to_vec();
    let value = |name: &str| {
        let found = args.iter().find_map(|arg| arg.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_default().to_owned()
    };
    let (namespace, secret) = (value("--namespace"), value("--secret-name"));
    let (hosts, webhook) = (value("--host"), value("--webhook-name"));
    let (now, mut rng) = (sys.now(), sys.rng().fork(AGENT));
    let user = UserInfo::service_account(&namespace, "ingress-nginx-admission");
    let agent: Arc<str> = AGENT.into();
    let api = sys.api().ok_or("no API server")?;
    let mut client = Client::new(api, &user, &agent, CauseId::ROOT);
    let there = client.get::<Secret>(&namespace, &secret);
    match (args.get(1).map(String::as_str), there) {
        (Some("create"), Ok(_)) => Ok("secret already exists".to_owned()),
        (Some("create"), Err(_)) => {
            let data = certificates(&hosts, now, &mut rng).map_err(|error| error.to_string())?;
            let mut made = Secret { data: Some(data), ..Secret::default() };
            made.metadata.name = Some(secret);
            made.metadata.namespace = Some(namespace);
            client.create(made).map_err(|error| error.to_string())?;
            Ok("Secret created".to_owned())
        }
        (Some("patch"), Ok(found)) => {
            let ca = found.data.as_ref().and_then(|data| data.get("ca")).cloned();
            let ca = ca.ok_or("no CA in the secret")?;
            trust(&mut client, &webhook, &ca)?;
            Ok("Patched hook(s)".to_owned())
        }
        (Some("patch"), Err(error)) => Err(format!("no secret with '{secret}': {error}")),
        _ => Err("unknown command".to_owned()),
    }
}

/// Writes into the webhook's configuration whose certificates are to be trusted.
fn trust(client: &mut Client<'_>, webhook: &str, ca: &ByteString) -> Result<(), String> {
    let found = client.get::<ValidatingWebhookConfiguration>("", webhook);
    let mut config = (*found.map_err(|error| error.to_string())?).clone();
    for hook in config.webhooks.iter_mut().flatten() {
        hook.client_config.ca_bundle = Some(ca.clone());
    }
    client.update(config).map(drop).map_err(|error| error.to_string())
}

fn certificates(
    hosts: &str,
    now: Time,
    rng: &mut Rng,
) -> Result<BTreeMap<String, ByteString>, PkiError> {
    let validity = Validity::starting(now, LASTS);
    let authority = Authority::new("nil1", PrivateKey::generate(rng), validity, rng)?;
    let key = PrivateKey::generate(rng);
    let names: Vec<&str> = hosts.split(',').collect();
    let template = Template {
        subject: Subject::new("nil2", &[]),
        dns_names: &names,
        usages: &[ExtendedUsage::ServerAuth],
        ..Template::default()
    };
    let certificate = authority.issue(&template, &key, validity, rng)?;
    let bytes = |text: String| ByteString(text.into_bytes());
    Ok(BTreeMap::from([
        ("ca".to_owned(), bytes(authority.certificate().to_pem())),
        ("cert".to_owned(), bytes(certificate.to_pem())),
        ("key".to_owned(), bytes(key.to_pem())),
    ]))
}
