//! `kubectl config set-cluster`, `delete-cluster` and `delete-user`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/config/set_cluster.go`, `delete_cluster.go`, `delete_user.go`.

use super::config::help_error;
use super::config_set::new_entry;
use crate::command::Command;
use crate::context::{Context, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::process::Outcome;
use naru_api::gofmt::quote;
use naru_pki::base64;
use serde_json::{Map, Value, json};

/// `kubectl config set-cluster`
pub static SET: Command = Command {
    usage: "set-cluster NAME [--server=server] \
            [--certificate-authority=path/to/certificate/authority] \
            [--insecure-skip-tls-verify=true] [--tls-server-name=example.com]",
    short: "Set a cluster entry in kubeconfig",
    long: "Set a cluster entry in kubeconfig.\n\n Specifying a name that already exists will merge \
           new fields on top of existing values for those fields.",
    examples: "# Only the address of a cluster\n\
               kubectl config set-cluster e2e --server=https://1.2.3.4",
    flags: &[&[
        Flag::text("certificate-authority", "", "Path of the certificate authority's file."),
        Flag::optional("embed-certs", "true", "", "Keep the file's content and not its path."),
        Flag::optional(
            "insecure-skip-tls-verify",
            "true",
            "",
            "Do not check the server's certificate.",
        ),
        Flag::text("proxy-url", "", "The proxy to go through."),
        Flag::text("server", "", "Address of the API server."),
        Flag::text("tls-server-name", "", "Name that the server's certificate must have."),
    ]],
    run: set,
    ..Command::EMPTY
};

/// `kubectl config delete-cluster`
pub static DELETE_CLUSTER: Command = Command {
    usage: "delete-cluster NAME",
    short: "Delete the specified cluster from the kubeconfig",
    examples: "# Forget a cluster\nkubectl config delete-cluster minikube",
    run: delete_cluster,
    ..Command::EMPTY
};

/// `kubectl config delete-user`
pub static DELETE_USER: Command = Command {
    usage: "delete-user NAME",
    short: "Delete the specified user from the kubeconfig",
    examples: "# Forget a user\nkubectl config delete-user minikube",
    run: delete_user,
    ..Command::EMPTY
};

fn set(cx: &mut Context<'_>) -> Outcome {
    let [name] = cx.args() else {
        let args = cx.args().join(" ");
        return Err(help_error(cx, format!("Unexpected args: [{args}]")));
    };
    let authority = cx.flags().text("certificate-authority");
    if name.is_empty() {
        return Err(Failure::message("you must specify a non-empty cluster name"));
    }
    if cx.flags().is("insecure-skip-tls-verify") && !authority.is_empty() {
        return Err(Failure::message(
            "you cannot specify a certificate authority and insecure mode at the same time",
        ));
    }
    let embedded = embedded(cx, authority)?;
    let mut config = cx.config()?;
    let mut cluster =
        config.entry("clusters", name).cloned().unwrap_or_else(|| new_entry("clusters"));
    change(cx, &mut cluster, embedded);
    config.set_entry("clusters", name, cluster);
    config.save(cx.sys)?;
    cx.line(&format!("Cluster {} set.", quote(name)));
    done()
}

/// The content of the authority's file, if it shall be kept.
fn embedded(cx: &mut Context<'_>, authority: &str) -> Result<Option<String>> {
    if !cx.flags().is("embed-certs") {
        return Ok(None);
    }
    if authority.is_empty() {
        let text = "you must specify a --certificate-authority to embed";
        return Err(Failure::message(text));
    }
    let path = cx.sys.absolute(authority);
    let text = cx.sys.fs().read_text(&path).map_err(|errno| {
        let why = errno.to_string().to_lowercase();
        Failure::Message(format!(
            "could not stat certificate-authority file {authority}: stat {authority}: {why}"
        ))
    })?;
    Ok(Some(base64::encode(text.as_bytes())))
}

/// Upstream: `modifyCluster`.
fn change(cx: &Context<'_>, cluster: &mut Map<String, Value>, embedded: Option<String>) {
    let flags = cx.flags();
    let mut put = |field: &str, value: Value| {
        let empty = value == json!("") || value == json!(false);
        if empty && field != "server" {
            cluster.remove(field);
        } else {
            cluster.insert(field.to_owned(), value);
        }
    };
    if flags.changed("server") {
        put("server", json!(flags.text("server")));
        put("tls-server-name", json!(""));
    }
    if flags.changed("tls-server-name") {
        put("tls-server-name", json!(flags.text("tls-server-name")));
    }
    if flags.changed("insecure-skip-tls-verify") {
        let insecure = flags.is("insecure-skip-tls-verify");
        put("insecure-skip-tls-verify", json!(insecure));
        if insecure {
            put("certificate-authority", json!(""));
            put("certificate-authority-data", json!(""));
        }
    }
    if flags.changed("certificate-authority") {
        let path = match flags.text("certificate-authority") {
            "" => String::new(),
            path => cx.sys.absolute(path),
        };
        if !path.is_empty() {
            put("insecure-skip-tls-verify", json!(false));
        }
        let (path, data) = match embedded {
            Some(data) => (String::new(), data),
            None => (path, String::new()),
        };
        put("certificate-authority", json!(path));
        put("certificate-authority-data", json!(data));
    }
    if flags.changed("proxy-url") {
        put("proxy-url", json!(flags.text("proxy-url")));
    }
}

fn delete_cluster(cx: &mut Context<'_>) -> Outcome {
    let [name] = cx.args() else {
        let help = crate::help::text(cx.invocation);
        cx.out(&help);
        return done();
    };
    delete(cx, "clusters", "cluster", name)
}

fn delete_user(cx: &mut Context<'_>) -> Outcome {
    let [name] = cx.args() else {
        return Err(cx.invocation.usage_error("user to delete is required"));
    };
    delete(cx, "users", "user", name)
}

fn delete(cx: &mut Context<'_>, list: &str, what: &str, name: &str) -> Outcome {
    let mut config = cx.config()?;
    let path = config.path.clone();
    if config.entry(list, name).is_none() {
        return Err(Failure::Message(format!("cannot delete {what} {name}, not in {path}")));
    }
    config.remove_entry(list, name);
    config.save(cx.sys)?;
    cx.line(&format!("deleted {what} {name} from {path}"));
    done()
}
