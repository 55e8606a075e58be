//! As whom to ask: what the kubeconfig and the flags say of the user.
//!
//! Upstream: `getAuthInfo` and `getUserIdentificationPartialConfig` in
//! `k8s.io/client-go/tools/clientcmd/client_config.go`, `validateAuthInfo`.

use crate::command::Invocation;
use crate::config::Config;
use crate::failure::{Failure, Result};
use crate::flags::Parsed;
use naru_api::Credentials;
use naru_api::credentials::Impersonation;
use naru_pki::{Certificate, PrivateKey, base64};
use naru_shell::Sys;
use serde_json::{Map, Value};

/// What is shown to the API server.
pub fn load(sys: &mut dyn Sys, config: &Config, invocation: &Invocation) -> Result<Credentials> {
    let flags = &invocation.flags;
    // `create rolebinding --user` means somebody else.
    let own = crate::flags::find(&[invocation.command().flags], "user").is_some();
    let explicit = if own { "" } else { flags.text("user") };
    let (name, required) = user_name(config, flags, explicit);
    let empty = Map::new();
    let user = match config.entry("users", &name) {
        Some(user) => user,
        None if required => {
            let name = naru_api::gofmt::quote(&name);
            return Err(Failure::message(format!("auth info {name} does not exist")));
        }
        None => &empty,
    };
    let impersonate = impersonation(user, flags);
    if impersonate.user.is_empty() && !impersonate.is_empty() {
        return Err(Failure::message(format!(
            "invalid configuration: requesting uid, groups or user-extra for {name} without \
             impersonating a user"
        )));
    }
    let mut reader = Reader { sys, flags, user, config };
    Ok(Credentials {
        bearer_token: reader.token()?,
        certificate: reader.certificate(&name)?,
        impersonate,
    })
}

/// The user of `--user` or of the context, and whether it must be there.
fn user_name(config: &Config, flags: &Parsed, explicit: &str) -> (String, bool) {
    match explicit {
        "" => {
            let context = config.entry("contexts", config.context_name(flags));
            let name = context.and_then(|context| context.get("user")?.as_str());
            (name.unwrap_or_default().to_owned(), false)
        }
        name => (name.to_owned(), true),
    }
}

/// Flags win over the file.
fn impersonation(user: &Map<String, Value>, flags: &Parsed) -> Impersonation {
    let text = |field: &str| user.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let texts = |value: Option<&Value>| -> Vec<String> {
        let list = value.and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let or = |flag: &str, field: &str| match flags.text(flag) {
        "" => text(field),
        given => given.to_owned(),
    };
    let groups = match flags.list("as-group") {
        [] => texts(user.get("as-groups")),
        given => given.to_vec(),
    };
    let extra = user.get("as-user-extra").and_then(Value::as_object);
    let extra = extra.into_iter().flatten();
    Impersonation {
        user: or("as", "as"),
        uid: or("as-uid", "as-uid"),
        groups,
        extra: extra.map(|(key, list)| (key.to_lowercase(), texts(Some(list)))).collect(),
    }
}

/// Reads what the user's entry holds or names.
struct Reader<'a> {
    sys: &'a mut dyn Sys,
    flags: &'a Parsed,
    user: &'a Map<String, Value>,
    config: &'a Config,
}

impl Reader<'_> {
    fn text(&self, field: &str) -> String {
        self.user.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn token(&mut self) -> Result<String> {
        let given = self.flags.text("token");
        let token = if given.is_empty() { self.text("token") } else { given.to_owned() };
        let path = self.text("tokenFile");
        if !token.is_empty() || path.is_empty() {
            return Ok(token);
        }
        let path = self.beside_config(&path);
        let read = self.sys.fs().read_text(&path);
        let read = read.map_err(|errno| {
            Failure::message(format!("open {path}: {}", errno.to_string().to_lowercase()))
        });
        read.map(|token| token.trim().to_owned())
    }

    /// The client's certificate, once it is sure that the key is there that belongs to it.
    fn certificate(&mut self, name: &str) -> Result<Vec<u8>> {
        let certificate = self.data("client-certificate", "client-cert", name)?;
        let Some(certificate) = certificate else { return Ok(Vec::new()) };
        let Some(key) = self.data("client-key", "client-key", name)? else {
            return Err(Failure::message(format!(
                "invalid configuration: client-key-data or client-key must be specified for {name} \
                 to use the clientCert authentication method."
            )));
        };
        let bad = |what: &str| {
            Failure::message(format!("tls: failed to find any PEM data in {what} input"))
        };
        let certificate = Certificate::from_pem(&certificate).map_err(|_| bad("certificate"))?;
        let key = PrivateKey::from_pem(&key).map_err(|_| bad("key"))?;
        if certificate.public_key().ok() != Some(key.public()) {
            return Err(Failure::message("tls: private key does not match public key"));
        }
        Ok(certificate.to_der())
    }

    /// The PEM of the flag, of the entry's data or of the file that the entry names.
    fn data(&mut self, field: &str, called: &str, name: &str) -> Result<Option<String>> {
        let flag = self.flags.text(field).to_owned();
        let data = self.text(&format!("{field}-data"));
        if flag.is_empty() && !data.is_empty() {
            let bytes = base64::decode(&data).ok_or_else(|| {
                let path = &self.config.path;
                Failure::message(format!(
                    "error loading config file \"{path}\": illegal base64 data at input byte {}",
                    illegal_byte(&data)
                ))
            })?;
            return Ok(Some(String::from_utf8_lossy(&bytes).into_owned()));
        }
        let path = if flag.is_empty() { self.text(field) } else { flag.clone() };
        if path.is_empty() {
            return Ok(None);
        }
        let full = match flag.is_empty() {
            true => self.beside_config(&path),
            false => self.sys.absolute(&path),
        };
        let read = self.sys.fs().read_text(&full);
        read.map(Some).map_err(|errno| {
            let why = errno.to_string().to_lowercase();
            Failure::message(format!(
                "invalid configuration: unable to read {called} {path} for {name} due to open \
                 {path}: {why}"
            ))
        })
    }

    /// Paths in a kubeconfig are seen from its folder.
    fn beside_config(&self, path: &str) -> String {
        if path.starts_with('/') {
            return path.to_owned();
        }
        let folder = self.config.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{folder}/{path}")
    }
}

/// The first byte that Go's decoder does not take.
fn illegal_byte(text: &str) -> usize {
    let known = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let bytes = text.as_bytes();
    bytes.iter().position(|byte| !known(byte)).unwrap_or(bytes.len() / 4 * 4)
}
