//! `kubectl config set` and `unset`: one property of the kubeconfig, by its path.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/config/set.go`, `unset.go`, `navigation_step_parser.go`.

use super::config::help_error;
use crate::command::Command;
use crate::config::Config;
use crate::context::{Context, done};
use crate::failure::{Failure, Result};
use crate::flags::{Flag, parse_bool};
use crate::process::Outcome;
use naru_api::gofmt::quote;
use naru_pki::base64;
use serde_json::{Map, Value, json};

/// `kubectl config set`
pub static SET: Command = Command {
    usage: "set PROPERTY_NAME PROPERTY_VALUE",
    short: "Set an individual value in a kubeconfig file",
    long: "Set an individual value in a kubeconfig file.\n\n PROPERTY_NAME is a path with dots: \
           attributes, and names of clusters, users and contexts, which\n may have dots in them.\n\n \
           PROPERTY_VALUE is the new value. Data of certificates and keys is given in base64, \
           unless\n --set-raw-bytes is.",
    examples: "# The address of a cluster\n\
               kubectl config set clusters.my-cluster.server https://1.2.3.4\n\n\
               # The namespace of a context\n\
               kubectl config set contexts.my-context.namespace team-a",
    flags: &[&[Flag::optional(
        "set-raw-bytes",
        "true",
        "",
        "Write data of certificates and keys as it is given.",
    )]],
    run: set,
    ..Command::EMPTY
};

/// `kubectl config unset`
pub static UNSET: Command = Command {
    usage: "unset PROPERTY_NAME",
    short: "Unset an individual value in a kubeconfig file",
    long: "Unset an individual value in a kubeconfig file.\n\n PROPERTY_NAME is a path with dots: \
           attributes, and names of clusters, users and contexts.",
    examples: "# No current context\nkubectl config unset current-context\n\n\
               # No namespace in a context\nkubectl config unset contexts.foo.namespace",
    run: unset,
    ..Command::EMPTY
};

/// What stands at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Leaf {
    Text,
    Bytes,
    Bool,
    /// What cannot be set as a whole, but can be taken away.
    Other,
}

/// The fields that may be set below clusters, users and contexts.
type Fields = &'static [(&'static str, Leaf)];

const CLUSTER: Fields = &[
    ("server", Leaf::Text),
    ("tls-server-name", Leaf::Text),
    ("insecure-skip-tls-verify", Leaf::Bool),
    ("certificate-authority", Leaf::Text),
    ("certificate-authority-data", Leaf::Bytes),
    ("proxy-url", Leaf::Text),
    ("disable-compression", Leaf::Bool),
    ("extensions", Leaf::Other),
];
const USER: Fields = &[
    ("client-certificate", Leaf::Text),
    ("client-certificate-data", Leaf::Bytes),
    ("client-key", Leaf::Text),
    ("client-key-data", Leaf::Bytes),
    ("token", Leaf::Text),
    ("tokenFile", Leaf::Text),
    ("act-as", Leaf::Text),
    ("act-as-uid", Leaf::Text),
    ("act-as-groups", Leaf::Other),
    ("act-as-user-extra", Leaf::Other),
    ("username", Leaf::Text),
    ("password", Leaf::Text),
    ("auth-provider", Leaf::Other),
    ("exec", Leaf::Other),
    ("extensions", Leaf::Other),
];
const CONTEXT: Fields = &[
    ("cluster", Leaf::Text),
    ("user", Leaf::Text),
    ("namespace", Leaf::Text),
    ("extensions", Leaf::Other),
];

/// Where a path leads.
enum Place<'a> {
    /// A field of the configuration itself.
    Top(&'a str, Leaf),
    /// `clusters`, `users` or `contexts` as a whole.
    List(&'static str),
    /// An entry of one of them.
    Entry(&'static str, String),
    /// A field of an entry.
    Field(&'static str, String, &'a str, Leaf),
}

/// Takes a path apart. A name goes as far as the first part that is a field's name.
fn place(path: &str) -> Result<Place<'_>> {
    let parts: Vec<&str> = path.split('.').collect();
    let (first, rest) =
        (parts.first().copied().unwrap_or_default(), parts.get(1..).unwrap_or_default());
    let (list, fields) = match first {
        "clusters" => ("clusters", CLUSTER),
        "users" => ("users", USER),
        "contexts" => ("contexts", CONTEXT),
        "kind" | "apiVersion" | "current-context" if rest.is_empty() => {
            return Ok(Place::Top(first, Leaf::Text));
        }
        "preferences" | "extensions" if rest.is_empty() => {
            return Ok(Place::Top(first, Leaf::Other));
        }
        "kind" | "apiVersion" | "current-context" => {
            return Err(unparsable(path));
        }
        _ => {
            let text = format!("unable to parse {path} after [] at api.Config");
            return Err(Failure::Message(text));
        }
    };
    if rest.is_empty() {
        return Ok(Place::List(list));
    }
    let leaf = |name: &str| fields.iter().find(|(field, _)| *field == name).copied();
    let after = rest.iter().skip(1).position(|part| leaf(part).is_some());
    let Some(at) = after.map(|at| at + 1) else {
        return Ok(Place::Entry(list, rest.join(".")));
    };
    let name = rest.get(..at).unwrap_or_default().join(".");
    match rest.get(at..) {
        Some([field]) => match leaf(field) {
            Some((field, leaf)) => Ok(Place::Field(list, name, field, leaf)),
            None => Err(unparsable(path)),
        },
        _ => Err(unparsable(path)),
    }
}

fn unparsable(path: &str) -> Failure {
    Failure::Message(format!("unable to parse one or more field values of {path}"))
}

fn set(cx: &mut Context<'_>) -> Outcome {
    let [path, value] = cx.args() else { return Err(unexpected(cx)) };
    if value.is_empty() {
        return Err(Failure::message("you cannot use set to unset a property"));
    }
    check_path(path)?;
    let raw = parse_bool(cx.flags().text("set-raw-bytes")).unwrap_or(false);
    let mut config = cx.config()?;
    match place(path)? {
        Place::Top(field, leaf) => config.value[field] = leaf_value(leaf, value, raw, path)?,
        Place::List(_) | Place::Entry(..) => {
            let text = format!("can't set a map to a value: {value}");
            return Err(Failure::Message(text));
        }
        Place::Field(list, name, field, leaf) => {
            let value = leaf_value(leaf, value, raw, path)?;
            let mut entry = config.entry(list, &name).cloned().unwrap_or_else(|| new_entry(list));
            entry.insert(field.to_owned(), value);
            config.set_entry(list, &name, entry);
        }
    }
    config.save(cx.sys)?;
    cx.line(&format!("Property {} set.", quote(path)));
    done()
}

fn unset(cx: &mut Context<'_>) -> Outcome {
    let [path] = cx.args() else { return Err(unexpected(cx)) };
    check_path(path)?;
    let mut config = cx.config()?;
    take_away(&mut config, &place(path)?)?;
    config.save(cx.sys)?;
    cx.line(&format!("Property {} unset.", quote(path)));
    done()
}

fn take_away(config: &mut Config, place: &Place<'_>) -> Result<()> {
    match place {
        Place::Top(field @ ("preferences" | "extensions"), _) => config.value[field] = json!({}),
        Place::Top(field, _) => config.value[field] = json!(""),
        Place::List(list) => config.value[list] = json!([]),
        Place::Entry(list, name) => config.remove_entry(list, name),
        Place::Field(list, name, field, _) => {
            let Some(mut entry) = config.entry(list, name).cloned() else {
                return Err(Failure::Message(format!("current map key `{name}` is invalid")));
            };
            entry.remove(*field);
            config.set_entry(list, name, entry);
        }
    }
    Ok(())
}

fn check_path(path: &str) -> Result<()> {
    match path {
        "" => Err(Failure::message("you must specify a property")),
        _ => Ok(()),
    }
}

fn unexpected(cx: &mut Context<'_>) -> Failure {
    let args = cx.args().join(" ");
    help_error(cx, format!("Unexpected args: [{args}]"))
}

/// An entry as upstream writes a new one.
pub fn new_entry(list: &str) -> Map<String, Value> {
    let fields: &[&str] = match list {
        "clusters" => &["server"],
        "contexts" => &["cluster", "user"],
        _ => &[],
    };
    fields.iter().map(|field| ((*field).to_owned(), json!(""))).collect()
}

fn leaf_value(leaf: Leaf, text: &str, raw: bool, path: &str) -> Result<Value> {
    match leaf {
        Leaf::Text => Ok(json!(text)),
        Leaf::Bool => parse_bool(text).map(Value::from).map_err(Failure::Message),
        Leaf::Bytes if raw => Ok(json!(base64::encode(text.as_bytes()))),
        Leaf::Bytes => match base64::decode(text) {
            Some(_) => Ok(json!(text)),
            None => {
                let at = text
                    .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')))
                    .unwrap_or(text.len() / 4 * 4);
                Err(Failure::Message(format!(
                    "error decoding input value: illegal base64 data at input byte {at}"
                )))
            }
        },
        Leaf::Other => Err(unparsable(path)),
    }
}
