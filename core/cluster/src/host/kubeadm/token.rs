//! `kubeadm token`: create, list, delete, generate.
//!
//! Upstream: `cmd/kubeadm/app/cmd/token.go`.

use super::super::{Ask, out};
use super::{NODE_GROUP, PORT, TOKEN_TTL, admin, failed, parse, request, table};
use crate::Cluster;
use k8s_openapi::api::core::v1::Secret;
use naru_api::bootstraptoken::{self, BootstrapToken, ID_PATTERN, NAME_PREFIX, PATTERN};
use naru_api::request::{Body, DeleteOptions, ListOptions, Op, Response};
use naru_api::time::{meta_time, rfc3339};
use naru_api::{ApiError, Kube, Object, duration};
use naru_shell::Answer;
use naru_sim::Time;
use naru_tools::flags::Flags;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Where the administrator's kubeconfig is.
const ADMIN_CONF: &str = "/etc/kubernetes/admin.conf";

/// Does a command line.
pub fn run(cluster: &mut Cluster, machine: usize, ask: &Ask<'_>) -> Answer {
    let known = [
        ("ttl", "", true),
        ("print-join-command", "", false),
        ("description", "", true),
        ("usages", "", true),
        ("groups", "", true),
        ("output", "o", true),
    ];
    let flags = match parse(ask, &known) {
        Ok(flags) => flags,
        Err(why) => return failed(&why),
    };
    let words: Vec<&str> = flags.words.iter().map(String::as_str).collect();
    if let ["generate"] = words.as_slice() {
        let (id, secret) = random(cluster);
        return out(format!("{id}.{secret}\n"));
    }
    if !matches!(words.first(), Some(&("create" | "list" | "delete"))) {
        let which = words
            .first()
            .map_or("missing subcommand".to_owned(), |word| format!("invalid subcommand {word:?}"));
        return failed(&format!("{which}; \"token\" is not meant to be run on its own"));
    }
    if !has_admin_conf(cluster, machine) {
        return failed(&format!(
            "failed to load admin kubeconfig: open {ADMIN_CONF}: no such file or directory"
        ));
    }
    match words.as_slice() {
        ["create", rest @ ..] => create(cluster, machine, rest.first().copied(), &flags),
        ["list", ..] => list(cluster, machine),
        [_, ids @ ..] => delete(cluster, machine, ids),
        [] => failed("missing subcommand; \"token\" is not meant to be run on its own"),
    }
}

fn has_admin_conf(cluster: &Cluster, machine: usize) -> bool {
    let node = cluster.nodes.get(machine);
    node.is_some_and(|node| node.files().read(ADMIN_CONF).is_ok())
}

fn list_of(text: Option<&str>, default: &[&str]) -> Vec<String> {
    let own =
        text.map(|text| text.trim_matches(['[', ']']).split(',').map(str::to_owned).collect());
    own.unwrap_or_else(|| default.iter().map(|one| (*one).to_owned()).collect())
}

fn create(cluster: &mut Cluster, machine: usize, given: Option<&str>, flags: &Flags) -> Answer {
    let (id, secret) = match given {
        None => random(cluster),
        Some(token) => match bootstraptoken::split(token) {
            Some((id, secret)) => (id.to_owned(), secret.to_owned()),
            None => {
                return failed(&format!(
                    "the bootstrap token {token:?} was not of the form {PATTERN:?}"
                ));
            }
        },
    };
    let ttl = match flags.value("ttl") {
        None => TOKEN_TTL,
        Some(text) => match duration::parse(text) {
            Ok(nanos) => Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)),
            Err(_) => {
                return failed(&format!(
                    "invalid argument {text:?} for \"--ttl\" flag: time: invalid duration {text:?}"
                ));
            }
        },
    };
    let token = BootstrapToken {
        id: id.clone(),
        secret,
        description: flags.value("description").unwrap_or_default().to_owned(),
        expires: (!ttl.is_zero()).then(|| cluster.now() + ttl),
        usages: list_of(flags.value("usages"), &["authentication", "signing"]),
        groups: list_of(flags.value("groups"), &[NODE_GROUP]),
    };
    match write(cluster, machine, &token) {
        Err(error) if error.is_already_exists() => {
            failed(&format!("a token with id {id:?} already exists"))
        }
        Err(error) => failed(&format!(
            "failed to create or update bootstrap token with name {NAME_PREFIX}{id}: {error}"
        )),
        Ok(()) if flags.is_on("print-join-command") => {
            out(format!("{}\n", join_command(cluster, machine, &token.token(), "")))
        }
        Ok(()) => out(format!("{}\n", token.token())),
    }
}

/// Makes the token's Secret.
pub fn write(
    cluster: &mut Cluster,
    machine: usize,
    token: &BootstrapToken,
) -> Result<(), ApiError> {
    let op = Op::Create(Body::Object(Object::new(token.to_secret())));
    let place = (bootstraptoken::NAMESPACE, "");
    request(cluster, machine, admin(), Secret::kind(), place, op).map(drop)
}

/// A new token's halves.
pub fn random(cluster: &mut Cluster) -> (String, String) {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let rng = &mut cluster.rng;
    let mut word = |length: usize| -> String {
        let letter = |rng: &mut naru_sim::Rng| {
            let place = usize::try_from(rng.below(LETTERS.len() as u64)).unwrap_or(0);
            LETTERS.get(place).copied().map_or('a', char::from)
        };
        (0..length).map(|_| letter(rng)).collect()
    };
    (word(6), word(16))
}

/// How a machine joins with this token. `break_line` stands before its second half.
pub fn join_command(cluster: &Cluster, machine: usize, token: &str, break_line: &str) -> String {
    let ip = cluster.profile.control_plane_ips().next();
    let ip = ip.or_else(|| cluster.nodes.get(machine).map(|node| node.config().internal_ip));
    let address = ip.map(|ip| format!("{ip}:{PORT}")).unwrap_or_default();
    let hash = ca_hash(cluster);
    format!(
        "kubeadm join {address} --token {token} {break_line}--discovery-token-ca-cert-hash {hash} "
    )
}

/// The hash of the authority's public key: `sha256:…`.
pub fn ca_hash(cluster: &Cluster) -> String {
    let key = cluster.pki().authority().key().public().to_der();
    let hex: String = Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn list(cluster: &mut Cluster, machine: usize) -> Answer {
    let options = ListOptions {
        field_selector: format!("type={}", bootstraptoken::SECRET_TYPE),
        ..ListOptions::default()
    };
    let place = (bootstraptoken::NAMESPACE, "");
    let found = request(cluster, machine, admin(), Secret::kind(), place, Op::List(options));
    let items = match found {
        Ok(Response::List(list)) => list.items,
        Ok(_) => Vec::new(),
        Err(error) => return failed(&format!("failed to list bootstrap tokens: {error}")),
    };
    let now = cluster.now();
    let tokens = items.iter().filter_map(|item| BootstrapToken::from_secret(item.get()?));
    let mut text = String::new();
    for (index, token) in tokens.enumerate() {
        let mut rows: Vec<Vec<String>> = Vec::new();
        if index == 0 {
            let header = ["TOKEN", "TTL", "EXPIRES", "USAGES", "DESCRIPTION", "EXTRA GROUPS"];
            rows.push(header.map(str::to_owned).into());
        }
        rows.push(row(&token, now).into());
        text.push_str(&table(&rows));
    }
    out(text)
}

fn row(token: &BootstrapToken, now: Time) -> [String; 6] {
    let or_none = |text: String| if text.is_empty() { "<none>".to_owned() } else { text };
    let (ttl, expires) = match token.expires {
        None => ("<forever>".to_owned(), "<never>".to_owned()),
        Some(end) => (duration::short_human(end.since(now)), rfc3339(Some(&meta_time(end)))),
    };
    [
        token.token(),
        format!("{ttl:<9}"),
        expires,
        format!("{:<22}", or_none(token.usages.join(","))),
        format!("{:<56}", or_none(token.description.clone())),
        or_none(token.groups.join(",")),
    ]
}

fn delete(cluster: &mut Cluster, machine: usize, ids: &[&str]) -> Answer {
    if ids.is_empty() {
        return failed(&format!(
            "missing argument; 'token delete' is missing token of form {PATTERN:?} or {ID_PATTERN:?}"
        ));
    }
    let mut answer = Answer::default();
    for given in ids {
        let id = match bootstraptoken::split(given) {
            _ if bootstraptoken::is_id(given) => given,
            Some((id, _)) => id,
            None => {
                return failed(&format!(
                    "given token didn't match pattern {PATTERN:?} or {ID_PATTERN:?}"
                ));
            }
        };
        let name = format!("{NAME_PREFIX}{id}");
        let op = Op::Delete(DeleteOptions::default());
        let place = (bootstraptoken::NAMESPACE, name.as_str());
        if let Err(error) = request(cluster, machine, admin(), Secret::kind(), place, op) {
            return failed(&format!("failed to delete bootstrap token {id:?}: {error}"));
        }
        answer.stdout.push_str(&format!("bootstrap token {id:?} deleted\n"));
    }
    answer
}
