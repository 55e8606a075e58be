//! `kubectl config set-credentials`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/config/set_credentials.go`.

use crate::command::Command;
use crate::context::{Context, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::process::Outcome;
use naru_api::gofmt::quote;
use naru_pki::base64;
use serde_json::{Map, Value};

/// `kubectl config set-credentials`
pub static COMMAND: Command = Command {
    usage: "set-credentials NAME [--client-certificate=path/to/certfile] \
            [--client-key=path/to/keyfile] [--token=bearer_token] [--username=basic_user] \
            [--password=basic_password] [--auth-provider=provider_name] \
            [--auth-provider-arg=key=value] [--exec-command=exec_command] \
            [--exec-api-version=exec_api_version] [--exec-arg=arg] [--exec-env=key=value]",
    short: "Set a user entry in kubeconfig",
    long: "Set a user entry in kubeconfig.\n\n Specifying a name that already exists will merge \
           new fields on top of existing values.",
    examples: "# A user who has a token\nkubectl config set-credentials robot --token=bearer_token",
    flags: &[&[
        Flag::text("client-certificate", "", "Path to the client certificate."),
        Flag::text("client-key", "", "Path to the client's key."),
        Flag::switch("embed-certs", "Keep the content of these files and not their paths."),
        Flag::text("password", "", "Password for basic authentication."),
        Flag::text("token", "", "Bearer token."),
        Flag::text("username", "", "User name for basic authentication."),
    ]],
    run,
    ..Command::EMPTY
};

fn run(cx: &mut Context<'_>) -> Outcome {
    let [name] = cx.args() else {
        let help = crate::help::text(cx.invocation);
        cx.out(&help);
        return Err(Failure::message(format!("unexpected args: [{}]", cx.args().join(" "))));
    };
    let flags = cx.flags();
    let basic = [flags.text("username"), flags.text("password")].concat();
    if !flags.text("token").is_empty() && !basic.is_empty() {
        return Err(Failure::message(
            "you cannot specify more than one authentication method at the same time: --token, \
             --username/--password",
        ));
    }
    let files = [flags.text("client-certificate"), flags.text("client-key")].concat();
    if flags.is("embed-certs") && files.is_empty() {
        return Err(Failure::message(
            "you must specify a --client-certificate or --client-key to embed",
        ));
    }
    let mut config = cx.config()?;
    let mut user = config.entry("users", name).cloned().unwrap_or_default();
    change(cx, &mut user)?;
    config.set_entry("users", name, user);
    config.save(cx.sys)?;
    cx.line(&format!("User {} set.", quote(name)));
    done()
}

/// Sets what the flags say. A user has a token or a password, and not both.
fn change(cx: &mut Context<'_>, user: &mut Map<String, Value>) -> Result<()> {
    let flags = cx.flags();
    for field in ["client-certificate", "client-key"] {
        if !flags.changed(field) {
            continue;
        }
        let (path, data) = (cx.sys.absolute(flags.text(field)), format!("{field}-data"));
        if flags.is("embed-certs") {
            let read = cx.sys.fs().read_text(&path).map_err(|errno| {
                let (path, why) = (flags.text(field), errno.to_string().to_lowercase());
                Failure::message(format!("could not stat {field} file {path}: stat {path}: {why}"))
            });
            user.insert(data, Value::from(base64::encode(read?.as_bytes())));
            user.remove(field);
        } else {
            user.insert(field.to_owned(), Value::from(path));
            user.remove(&data);
        }
    }
    let mut set = |field: &str| {
        if flags.changed(field) {
            match flags.text(field) {
                "" => drop(user.remove(field)),
                text => drop(user.insert(field.to_owned(), Value::from(text))),
            }
        }
        flags.changed(field) && !flags.text(field).is_empty()
    };
    let token = set("token");
    let basic = [set("username"), set("password")].contains(&true);
    if token && !basic {
        user.remove("username");
        user.remove("password");
    } else if basic && !token {
        user.remove("token");
    }
    Ok(())
}
