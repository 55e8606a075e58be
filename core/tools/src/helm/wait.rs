//! `--wait` and `--atomic`: until what a release is made of is ready, or its time is over.
//!
//! Upstream: `pkg/kube/ready.go`, `pkg/kube/wait.go`, and what `pkg/action` does of a failure.

use super::release::{self, Release};
use super::releases::{self, ask, parsed, place, show, show_notes};
use super::render::About;
use super::{Done, error};
use crate::batch::{Again, Output};
use crate::flags::Flags;
use naru_api::duration;
use naru_kubectl::context::Context;
use naru_kubectl::failure::Result as Answer;
use naru_shell::Sys;
use serde_json::{Value, json};
use std::time::Duration;

/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(2);
/// `--timeout`, where it is not said.
const TIMEOUT: Duration = Duration::from_secs(300);
/// Why a wait that was too long has failed.
const TOO_LONG: &str = "context deadline exceeded";

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// `helm install`
    Install,
    /// `helm upgrade`
    Upgrade,
    /// `helm rollback`
    Rollback,
}

impl Deed {
    const ALL: [Deed; 3] = [Deed::Install, Deed::Upgrade, Deed::Rollback];

    fn name(self) -> &'static str {
        match self {
            Deed::Install => "install",
            Deed::Upgrade => "upgrade",
            Deed::Rollback => "rollback",
        }
    }

    fn failed(self, why: &str) -> Output {
        match self {
            Deed::Install => error(format!("INSTALLATION FAILED: {why}")),
            Deed::Upgrade => error(format!("UPGRADE FAILED: {why}")),
            Deed::Rollback => error(why),
        }
    }

    /// What a release is described by that has failed.
    fn described(self, name: &str) -> String {
        match self {
            Deed::Install => format!("Release {name:?} failed: {TOO_LONG}"),
            Deed::Upgrade => format!("Upgrade {name:?} failed: {TOO_LONG}"),
            Deed::Rollback => format!("Rollback {name:?} failed: {TOO_LONG}"),
        }
    }
}

/// How long is waited. The error is pflag's.
pub fn timeout(flags: &Flags) -> Result<Duration, String> {
    let Some(text) = flags.value("timeout") else { return Ok(TIMEOUT) };
    let nanos = duration::parse(text)
        .map_err(|why| format!("invalid argument {text:?} for \"--timeout\" flag: {why}"))?;
    Ok(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)))
}

/// Begins to wait for a release that was applied.
pub fn begin(
    sys: &mut dyn Sys,
    flags: &Flags,
    deed: Deed,
    release: &Release,
    mut output: Output,
) -> Done {
    let timeout = timeout(flags).map_err(error)?;
    let state = json!({
        "deed": deed.name(),
        "name": release.name(),
        "namespace": release.namespace(),
        "version": release.version(),
        "until": (sys.now() + timeout).unix_micros(),
    });
    output.again = Some(Again { at: sys.now(), state });
    Ok(output)
}

/// Looks whether the release is ready, and says what came of it.
pub fn go_on(sys: &mut dyn Sys, flags: &Flags, state: &Value) -> Done {
    let text = |name: &str| state[name].as_str().unwrap_or_default();
    let (name, namespace) = (text("name"), text("namespace"));
    let Some(deed) = Deed::ALL.into_iter().find(|deed| deed.name() == text("deed")) else {
        return Err(error("release: not found"));
    };
    let failed = |why: String| deed.failed(&why);
    let mut output = Output::default();
    let all =
        ask(sys, flags, &mut output, |cx| release::list(cx, namespace, name)).map_err(failed)?;
    let version = state["version"].as_i64();
    let Some(made) = all.iter().find(|one| Some(one.version()) == version).cloned() else {
        return Err(failed("release: not found".to_owned()));
    };
    let ready = ask(sys, flags, &mut output, |cx| is_ready(cx, &made, flags));
    if ready.map_err(failed)? {
        return deployed(sys, flags, deed, &all, made).map_err(failed);
    }
    if sys.now().unix_micros() < state["until"].as_i64().unwrap_or(0) {
        output.again = Some(Again { at: sys.now() + INTERVAL, state: state.clone() });
        return Ok(output);
    }
    Err(given_up(sys, flags, deed, &all, made))
}

/// The release is ready: it is deployed from now on.
fn deployed(
    sys: &mut dyn Sys,
    flags: &Flags,
    deed: Deed,
    all: &[Release],
    mut made: Release,
) -> Result<Output, String> {
    releases::supersede(sys, flags, all)?;
    made.set_status("deployed");
    let mut output = Output::default();
    ask(sys, flags, &mut output, |cx| release::update(cx, &made))?;
    match deed {
        Deed::Rollback => {
            output.line("Rollback was a success! Happy Helming!");
            return Ok(output);
        }
        Deed::Upgrade => output.line(format!(
            "Release {:?} has been upgraded. Happy Helming!",
            made.name().to_owned()
        )),
        Deed::Install => {}
    }
    show(&made, &mut output);
    show_notes(&made, &mut output);
    Ok(output)
}

/// The time is over: the release has failed, and with `--atomic` it is as before.
fn given_up(
    sys: &mut dyn Sys,
    flags: &Flags,
    deed: Deed,
    all: &[Release],
    mut made: Release,
) -> Output {
    let name = made.name().to_owned();
    made.set_status("failed");
    made.0["info"]["description"] = json!(deed.described(&name));
    let mut output = Output::default();
    if let Err(why) = ask(sys, flags, &mut output, |cx| release::update(cx, &made)) {
        return deed.failed(&why);
    }
    if !flags.is_on("atomic") {
        return deed.failed(TOO_LONG);
    }
    let (what, undone) = match deed {
        Deed::Install => ("uninstalled", releases::erase(sys, flags, all)),
        Deed::Upgrade | Deed::Rollback => {
            let old = all.iter().rev().find(|one| one.status() == "deployed");
            let undone = match old {
                Some(old) => releases::restore(sys, flags, all, &made, old, "deployed").map(drop),
                None => Err("release has no 0 version".to_owned()),
            };
            ("rolled back", undone)
        }
    };
    match undone {
        Ok(()) => deed.failed(&format!(
            "release {name} failed, and has been {what} due to atomic being set: {TOO_LONG}"
        )),
        Err(why) => deed.failed(&format!(
            "an error occurred while rolling back the release. original upgrade error: {TOO_LONG}: \
             {why}"
        )),
    }
}

// ---- what is ready ----

fn is_ready(cx: &mut Context<'_>, release: &Release, flags: &Flags) -> Answer<bool> {
    let about = About {
        name: release.name(),
        namespace: release.namespace(),
        revision: release.version(),
        is_upgrade: false,
        kube_version: releases::KUBE_VERSION,
    };
    for (_, object, _) in &parsed(release).manifests {
        let (kind, namespace, name) = place(cx, object, &about)?;
        let Some(live) = cx.find(&kind, &namespace, &name)? else { return Ok(false) };
        let live = live.content_json().unwrap_or_default();
        let ready = match &*kind.kind {
            "Job" => !flags.is_on("wait-for-jobs") || job(&live),
            "Deployment" => deployment(cx, &live)?,
            _ => alone(&kind.kind, &live),
        };
        if !ready {
            return Ok(false);
        }
    }
    Ok(true)
}

fn number(object: &Value, path: &str) -> i64 {
    object.pointer(path).and_then(Value::as_i64).unwrap_or(0)
}

fn has_condition(object: &Value, name: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|it| it["type"] == name && it["status"] == "True")
}

/// Its controller has seen it as it is.
fn is_observed(object: &Value) -> bool {
    number(object, "/status/observedGeneration") >= number(object, "/metadata/generation")
}

fn job(job: &Value) -> bool {
    let wanted = job["spec"]["completions"].as_i64().unwrap_or(1);
    number(job, "/status/succeeded") >= wanted
}

/// What needs a look at nothing else.
fn alone(kind: &str, object: &Value) -> bool {
    let spec = &object["spec"];
    match kind {
        "Pod" => has_condition(object, "Ready"),
        "PersistentVolumeClaim" => object["status"]["phase"] == "Bound",
        "CustomResourceDefinition" => has_condition(object, "Established"),
        "Service" => match spec["type"].as_str() {
            Some("ExternalName") => true,
            _ if spec["clusterIP"].as_str().is_none_or(str::is_empty) => false,
            Some("LoadBalancer") => {
                spec["externalIPs"].is_array()
                    || object["status"]["loadBalancer"]["ingress"].is_array()
            }
            _ => true,
        },
        "DaemonSet" => {
            let wanted = number(object, "/status/desiredNumberScheduled");
            is_observed(object)
                && number(object, "/status/updatedNumberScheduled") == wanted
                && number(object, "/status/numberReady")
                    >= wanted - unavailable(&spec["updateStrategy"]["rollingUpdate"], wanted, false)
        }
        "StatefulSet" => stateful_set(object),
        "ReplicaSet" | "ReplicationController" => {
            let wanted = spec["replicas"].as_i64().unwrap_or(1);
            is_observed(object) && number(object, "/status/readyReplicas") >= wanted
        }
        _ => true,
    }
}

fn stateful_set(object: &Value) -> bool {
    let spec = &object["spec"];
    if !is_observed(object) {
        return false;
    }
    if spec["updateStrategy"]["type"] == "OnDelete" {
        return true;
    }
    let wanted = spec["replicas"].as_i64().unwrap_or(1);
    let partition = number(spec, "/updateStrategy/rollingUpdate/partition");
    let status = &object["status"];
    number(object, "/status/updatedReplicas") >= wanted - partition
        && number(object, "/status/readyReplicas") == wanted
        && (partition > 0 || status["currentRevision"] == status["updateRevision"])
}

/// How many may be missing. Upstream: a percentage is rounded down, of a DaemonSet up.
fn unavailable(strategy: &Value, of: i64, down: bool) -> i64 {
    match &strategy["maxUnavailable"] {
        Value::Number(number) => number.as_i64().unwrap_or(0),
        Value::String(text) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
            let product = of.saturating_mul(percent);
            if down { product / 100 } else { product.saturating_add(99) / 100 }
        }
        _ => 0,
    }
}

/// As many pods of its newest ReplicaSet are ready as must be.
fn deployment(cx: &mut Context<'_>, object: &Value) -> Answer<bool> {
    if object["spec"]["paused"] == true {
        return Ok(true);
    }
    if !is_observed(object) {
        return Ok(false);
    }
    let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
    let missing = unavailable(&object["spec"]["strategy"]["rollingUpdate"], wanted, true);
    let (_, newest) = naru_kubectl::describe::deployment::replica_sets(cx, object)?;
    Ok(newest.first().is_some_and(|newest| {
        is_observed(newest) && number(newest, "/status/readyReplicas") >= wanted - missing
    }))
}
