//! The commands that make, change and show releases.

use super::charts::Chart;
use super::options;
use super::release::{self, Release};
use super::render::{About, Rendered, render};
use super::table::{ansic, full, table};
use super::{Done, error, repo, values, wait};
use crate::batch::Output;
use crate::flags::Flags;
use naru_api::patch::three_way;
use naru_api::request::{DeleteOptions, Patch};
use naru_api::schema::Node;
use naru_api::yaml;
use naru_kubectl::client;
use naru_kubectl::context::{Context, DryRun};
use naru_kubectl::failure::{Failure, Result as Answer};
use naru_shell::Sys;
use serde_json::{Map, Value, json};

/// Revisions of a release that are kept.
const HISTORY_MAX: usize = 10;
/// Longest name of a release.
const NAME_MAX: usize = 53;
pub const KUBE_VERSION: &str = "v1.33.1";

// ---- what the command line says ----

fn supplied(sys: &mut dyn Sys, flags: &Flags, stdin: &[u8]) -> Result<Value, String> {
    let mut all = Value::Object(Map::new());
    for file in flags.values("values") {
        let text = match file.as_str() {
            "-" => String::from_utf8_lossy(stdin).into_owned(),
            file => {
                let path = sys.absolute(file);
                let read = sys.fs().read_text(&path);
                read.map_err(|errno| format!("open {file}: {}", errno.to_string().to_lowercase()))?
            }
        };
        let read = values::parse(&text).map_err(|why| format!("failed to parse {file}: {why}"))?;
        all = values::overlaid(all, read);
    }
    for (flag, strings) in [("set", false), ("set-string", true)] {
        for text in flags.values(flag) {
            values::set(&mut all, text, strings)
                .map_err(|why| format!("failed parsing --{flag} data: {why}"))?;
        }
    }
    Ok(all)
}

/// Nanoseconds of the Unix epoch.
fn now(sys: &mut dyn Sys) -> i64 {
    sys.now().unix_micros().saturating_mul(1_000)
}

/// Does something with the cluster; warnings are told, and failures become texts.
pub fn ask<T>(
    sys: &mut dyn Sys,
    flags: &Flags,
    output: &mut Output,
    act: impl FnOnce(&mut Context<'_>) -> Answer<T>,
) -> Result<T, String> {
    let (done, warned) = client::with(sys, &options::for_kubectl(flags), "helm", act);
    output.put_error(warned);
    done.map_err(|failure| match failure {
        Failure::Plain(text, _) if text.starts_with("The connection") => {
            "Kubernetes cluster unreachable: Get \"http://localhost:8080/version\": dial tcp \
             127.0.0.1:8080: connect: connection refused"
                .to_owned()
        }
        Failure::Api(error) if error.is_unreachable() => {
            format!("Kubernetes cluster unreachable: {}", error.message())
        }
        other => other.bare(),
    })
}

fn namespace(sys: &mut dyn Sys, flags: &Flags) -> String {
    let (found, _) = client::with(sys, &options::for_kubectl(flags), "helm", |cx| cx.namespace());
    found.map_or_else(|_| "default".to_owned(), |(name, _)| name)
}

/// Name and chart of `install NAME CHART`, or a name that is made.
fn name_and_chart(sys: &mut dyn Sys, flags: &Flags) -> Result<(String, String), String> {
    match flags.words.get(1..).unwrap_or_default() {
        [name, chart] if !flags.is_on("generate-name") => Ok((name.clone(), chart.clone())),
        [chart] if flags.is_on("generate-name") => {
            let base = chart.trim_end_matches('/').rsplit('/').next().unwrap_or("chart");
            let seconds = sys.now().unix_micros() / 1_000_000;
            Ok((format!("{base}-{seconds}"), chart.clone()))
        }
        [_, _] => Err("cannot set --generate-name and also specify a name".to_owned()),
        [_] => Err("must either provide a name or specify --generate-name".to_owned()),
        words => Err(format!("expected at most two arguments, unexpected arguments: {}", {
            words.get(2..).unwrap_or_default().join(", ")
        })),
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let fits = name.len() <= NAME_MAX
        && name.chars().all(good)
        && ends(name.chars().next())
        && ends(name.chars().last());
    if fits {
        return Ok(());
    }
    Err(format!(
        "release name {name:?}: invalid release name, must match regex \
         ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ and the length must \
         not be longer than 53"
    ))
}

// ---- install, upgrade, rollback, uninstall ----

/// A chart with what it is given, and what came of it.
struct Planned {
    chart: Chart,
    config: Value,
    rendered: Rendered,
}

fn plan(
    sys: &mut dyn Sys,
    flags: &Flags,
    chart: &str,
    config: Value,
    about: &About<'_>,
) -> Result<Planned, String> {
    let chart = repo::find(sys, chart, flags.value("version"))?;
    let all = values::merged(&chart.values, &config);
    let rendered = render(&chart, &all, about)?;
    Ok(Planned { chart, config, rendered })
}

fn record(
    planned: &Planned,
    about: &About<'_>,
    status: &str,
    description: &str,
    at: i64,
) -> Release {
    Release(json!({
        "name": about.name,
        "namespace": about.namespace,
        "version": about.revision,
        "info": {
            "status": status,
            "description": description,
            "notes": planned.rendered.notes,
            "deployed_nanos": at,
        },
        "chart": {"metadata": planned.chart.metadata, "values": planned.chart.values},
        "config": planned.config,
        "manifest": planned.rendered.text(),
    }))
}

pub fn install(sys: &mut dyn Sys, flags: &Flags, stdin: &[u8]) -> Done {
    let failed = |why: String| error(format!("INSTALLATION FAILED: {why}"));
    let (name, chart) = name_and_chart(sys, flags).map_err(failed)?;
    let release = installed(sys, flags, stdin, &name, &chart).map_err(failed)?;
    let mut output = Output::default();
    if options::waits(flags) {
        return wait::begin(sys, flags, wait::Deed::Install, &release, output);
    }
    show(&release, &mut output);
    if options::is_dry_run(flags) {
        output.put(format!("HOOKS:\nMANIFEST:\n{}\n", release.manifest()));
        show_notes(&release, &mut output);
    } else {
        show_notes(&release, &mut output);
    }
    Ok(output)
}

fn installed(
    sys: &mut dyn Sys,
    flags: &Flags,
    stdin: &[u8],
    name: &str,
    chart: &str,
) -> Result<Release, String> {
    check_name(name)?;
    let namespace = namespace(sys, flags);
    let config = supplied(sys, flags, stdin)?;
    let about = About {
        name,
        namespace: &namespace,
        revision: 1,
        is_upgrade: false,
        kube_version: KUBE_VERSION,
    };
    let mut output = Output::default();
    if !options::is_dry_run(flags) {
        let old = ask(sys, flags, &mut output, |cx| release::list(cx, &namespace, name))?;
        if old.last().is_some_and(|old| old.status() != "uninstalled") {
            return Err("cannot re-use a name that is still in use".to_owned());
        }
    }
    let planned = plan(sys, flags, chart, config, &about)?;
    let at = now(sys);
    let pending = options::is_dry_run(flags) || options::waits(flags);
    let status = if pending { "pending-install" } else { "deployed" };
    let description = flags.value("description").unwrap_or("Install complete");
    let mut made = record(&planned, &about, status, description, at);
    if options::is_dry_run(flags) {
        return Ok(made);
    }
    let create_namespace = flags.is_on("create-namespace");
    let done = ask(sys, flags, &mut output, |cx| {
        if create_namespace {
            make_namespace(cx, &namespace)?;
        }
        check_owners(cx, &planned.rendered, &about)?;
        release::create(cx, &made)?;
        apply(cx, &Rendered::default(), &planned.rendered, &about)
    });
    if let Err(why) = done {
        made.set_status("failed");
        // A release that was not kept needs no mark.
        let _ = ask(sys, flags, &mut output, |cx| release::update(cx, &made));
        return Err(why);
    }
    Ok(made)
}

fn make_namespace(cx: &mut Context<'_>, name: &str) -> Answer<()> {
    let kind = release::kind(cx, "v1", "Namespace")?;
    if cx.find(&kind, "", name)?.is_none() {
        let object = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {"name": name}},
        });
        cx.create(&kind, "", object, DryRun::None)?;
    }
    Ok(())
}

/// Where an object lives: its kind, its namespace and its name.
pub fn place(
    cx: &mut Context<'_>,
    object: &Value,
    about: &About<'_>,
) -> Answer<(naru_api::KindRef, String, String)> {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let kind = release::kind(cx, text("/apiVersion"), text("/kind"))?;
    let namespace = match (kind.namespaced, text("/metadata/namespace")) {
        (false, _) => String::new(),
        (true, "") => about.namespace.to_owned(),
        (true, own) => own.to_owned(),
    };
    Ok((kind, namespace, text("/metadata/name").to_owned()))
}

/// The marks by which an object is known to be a release's.
fn marked(object: &Value, about: &About<'_>) -> Value {
    let marks = json!({"metadata": {
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {
            "meta.helm.sh/release-name": about.name,
            "meta.helm.sh/release-namespace": about.namespace,
        },
    }});
    values::overlaid(object.clone(), marks)
}

/// Refuses objects that are there already and no release's of this name.
fn check_owners(cx: &mut Context<'_>, rendered: &Rendered, about: &About<'_>) -> Answer<()> {
    for (_, object, _) in &rendered.manifests {
        let (kind, namespace, name) = place(cx, object, about)?;
        let Some(live) = cx.find(&kind, &namespace, &name)? else { continue };
        let live = live.to_json().unwrap_or_default();
        let wanted = [
            ("label", "labels", "app.kubernetes.io/managed-by", "Helm"),
            ("annotation", "annotations", "meta.helm.sh/release-name", about.name),
            ("annotation", "annotations", "meta.helm.sh/release-namespace", about.namespace),
        ];
        let wrong: Vec<String> = wanted
            .iter()
            .filter_map(|(what, list, key, value)| match live["metadata"][*list][*key].as_str() {
                Some(own) if own == *value => None,
                Some(own) => Some(format!(
                    "{what} validation error: key {key:?} must equal {value:?}: current value is \
                     {own:?}"
                )),
                None => Some(format!(
                    "{what} validation error: missing key {key:?}: must be set to {value:?}"
                )),
            })
            .collect();
        if !wrong.is_empty() {
            return Err(Failure::message(format!(
                "Unable to continue with install: {} {name:?} in namespace {namespace:?} exists and \
                 cannot be imported into the current release: invalid ownership metadata; {}",
                kind.kind,
                wrong.join("; ")
            )));
        }
    }
    Ok(())
}

/// Makes what is new, changes what is there, and takes away what is no more.
fn apply(cx: &mut Context<'_>, old: &Rendered, new: &Rendered, about: &About<'_>) -> Answer<()> {
    let mut kept = Vec::new();
    for (_, object, _) in &new.manifests {
        let (kind, namespace, name) = place(cx, object, about)?;
        let wanted = marked(object, about);
        match cx.find(&kind, &namespace, &name)? {
            None => drop(cx.create(&kind, &namespace, wanted, DryRun::None)?),
            Some(live) => {
                let last = find(cx, old, &kind, &namespace, &name, about)?;
                let last = last.map_or(Value::Null, |last| marked(&last, about));
                let live = live.to_json().unwrap_or_default();
                let patch = three_way(Node::of(&kind), &last, &wanted, &live);
                if !patch.is_empty() {
                    let patch = Patch::Strategic(Value::Object(patch));
                    cx.patch(&kind, &namespace, &name, patch, DryRun::None)?;
                }
            }
        }
        kept.push((kind, namespace, name));
    }
    remove(cx, old, &kept, about)
}

fn find(
    cx: &mut Context<'_>,
    all: &Rendered,
    kind: &naru_api::KindRef,
    namespace: &str,
    name: &str,
    about: &About<'_>,
) -> Answer<Option<Value>> {
    for (_, object, _) in &all.manifests {
        let own = place(cx, object, about)?;
        if own.0 == *kind && own.1 == namespace && own.2 == name {
            return Ok(Some(object.clone()));
        }
    }
    Ok(None)
}

/// Takes away all but what is kept, the last that was made first.
fn remove(
    cx: &mut Context<'_>,
    all: &Rendered,
    kept: &[(naru_api::KindRef, String, String)],
    about: &About<'_>,
) -> Answer<()> {
    for (_, object, _) in all.manifests.iter().rev() {
        let own = place(cx, object, about)?;
        if kept.contains(&own) {
            continue;
        }
        let gone = cx.delete(&own.0, &own.1, &own.2, DeleteOptions::default(), DryRun::None);
        match gone {
            Err(failure) if failure.is_not_found() => {}
            other => drop(other?),
        }
    }
    Ok(())
}

/// What a release is made of, read back from its manifest.
pub fn parsed(release: &Release) -> Rendered {
    let mut rendered = Rendered::default();
    for document in release.manifest().split("---\n").filter(|text| !text.trim().is_empty()) {
        if let Ok(object) = yaml::parse(document)
            && object.is_object()
        {
            rendered.manifests.push((String::new(), object, document.to_owned()));
        }
    }
    rendered
}

pub fn upgrade(sys: &mut dyn Sys, flags: &Flags, stdin: &[u8]) -> Done {
    let failed = |why: String| error(format!("UPGRADE FAILED: {why}"));
    let [_, name, chart] = flags.words.as_slice() else {
        return Err(error(
            "\"helm upgrade\" requires 2 arguments\n\nUsage:  helm upgrade [RELEASE] [CHART] [flags]",
        ));
    };
    let mut output = Output::default();
    let namespace = namespace(sys, flags);
    let all =
        ask(sys, flags, &mut output, |cx| release::list(cx, &namespace, name)).map_err(failed)?;
    let Some(last) = all.last().filter(|last| last.status() != "uninstalled").cloned() else {
        if !flags.is_on("install") {
            return Err(failed(format!("{name:?} has no deployed releases")));
        }
        output.line(format!("Release {name:?} does not exist. Installing it now."));
        let made = installed(sys, flags, stdin, name, chart).map_err(failed)?;
        if options::waits(flags) {
            return wait::begin(sys, flags, wait::Deed::Install, &made, output);
        }
        show(&made, &mut output);
        show_notes(&made, &mut output);
        return Ok(output);
    };
    let mut config = supplied(sys, flags, stdin).map_err(failed)?;
    let nothing = config.as_object().is_some_and(Map::is_empty);
    if flags.is_on("reuse-values") || nothing && !flags.is_on("reset-values") {
        config = values::overlaid(last.config().clone(), config);
    }
    let about = About {
        name,
        namespace: &namespace,
        revision: last.version() + 1,
        is_upgrade: true,
        kube_version: KUBE_VERSION,
    };
    let planned = plan(sys, flags, chart, config, &about).map_err(failed)?;
    let description = flags.value("description").unwrap_or("Upgrade complete");
    let status = if options::waits(flags) { "pending-upgrade" } else { "deployed" };
    let mut made = record(&planned, &about, status, description, now(sys));
    replace(sys, flags, &all, &last, &mut made, &planned.rendered, &about).map_err(failed)?;
    if options::waits(flags) {
        return wait::begin(sys, flags, wait::Deed::Upgrade, &made, output);
    }
    output.line(format!("Release {name:?} has been upgraded. Happy Helming!"));
    show(&made, &mut output);
    show_notes(&made, &mut output);
    Ok(output)
}

/// Puts a revision in the place of the last.
fn replace(
    sys: &mut dyn Sys,
    flags: &Flags,
    all: &[Release],
    last: &Release,
    made: &mut Release,
    rendered: &Rendered,
    about: &About<'_>,
) -> Result<(), String> {
    let mut output = Output::default();
    let old = parsed(last);
    let done = ask(sys, flags, &mut output, |cx| {
        release::create(cx, made)?;
        apply(cx, &old, rendered, about)
    });
    if let Err(why) = done {
        made.set_status("failed");
        made.0["info"]["description"] =
            json!(format!("Upgrade {:?} failed: {why}", made.name().to_owned()));
        // A release that was not kept needs no mark.
        let _ = ask(sys, flags, &mut output, |cx| release::update(cx, made));
        return Err(why);
    }
    // Until the new one is deployed, the old one is.
    if made.status() == "deployed" {
        supersede(sys, flags, all)?;
    }
    let too_many = (all.len() + 1).saturating_sub(HISTORY_MAX);
    ask(sys, flags, &mut output, |cx| {
        all.iter().take(too_many).try_for_each(|one| release::delete(cx, one))
    })
}

/// Marks revisions that are deployed as no longer so.
pub fn supersede(sys: &mut dyn Sys, flags: &Flags, all: &[Release]) -> Result<(), String> {
    ask(sys, flags, &mut Output::default(), |cx| {
        for one in all.iter().filter(|one| one.status() == "deployed") {
            let mut one = one.clone();
            one.set_status("superseded");
            release::update(cx, &one)?;
        }
        Ok(())
    })
}

/// Puts a release back to what `old` was, as a revision of its own.
pub fn restore(
    sys: &mut dyn Sys,
    flags: &Flags,
    all: &[Release],
    last: &Release,
    old: &Release,
    status: &str,
) -> Result<Release, String> {
    let mut made = old.clone();
    let revision = last.version() + 1;
    made.0["version"] = json!(revision);
    made.0["info"]["description"] = json!(format!("Rollback to {}", old.version()));
    made.0["info"]["deployed_nanos"] = json!(now(sys));
    made.set_status(status);
    let rendered = parsed(&made);
    let (name, namespace) = (made.name().to_owned(), made.namespace().to_owned());
    let about = About {
        name: &name,
        namespace: &namespace,
        revision,
        is_upgrade: true,
        kube_version: KUBE_VERSION,
    };
    replace(sys, flags, all, last, &mut made, &rendered, &about)?;
    Ok(made)
}

/// Takes a release's objects away, and every revision that is kept of it.
pub fn erase(sys: &mut dyn Sys, flags: &Flags, all: &[Release]) -> Result<(), String> {
    let Some(last) = all.last() else { return Ok(()) };
    let rendered = parsed(last);
    let about = About {
        name: last.name(),
        namespace: last.namespace(),
        revision: last.version(),
        is_upgrade: false,
        kube_version: KUBE_VERSION,
    };
    ask(sys, flags, &mut Output::default(), |cx| {
        remove(cx, &rendered, &[], &about)?;
        all.iter().try_for_each(|one| release::delete(cx, one))
    })
}

pub fn rollback(sys: &mut dyn Sys, flags: &Flags) -> Done {
    let Some(name) = flags.words.get(1) else {
        return Err(error(
            "\"helm rollback\" requires at least 1 argument\n\nUsage:  helm rollback <RELEASE> \
             [REVISION] [flags]",
        ));
    };
    let mut output = Output::default();
    let namespace = namespace(sys, flags);
    let all =
        ask(sys, flags, &mut output, |cx| release::list(cx, &namespace, name)).map_err(error)?;
    let Some(last) = all.last().cloned() else { return Err(error("release: not found")) };
    let wanted = match flags.words.get(2).map(|text| (text, text.parse::<i64>())) {
        None | Some((_, Ok(0))) => last.version() - 1,
        Some((_, Ok(revision))) => revision,
        Some((text, Err(_))) => {
            return Err(error(format!(
                "could not convert revision to a number: strconv.Atoi: parsing {text:?}: invalid syntax"
            )));
        }
    };
    let Some(old) = all.iter().find(|one| one.version() == wanted) else {
        return Err(error(match wanted {
            0 => "release has no 0 version".to_owned(),
            wanted => format!("release has no {wanted} version"),
        }));
    };
    let status = if options::waits(flags) { "pending-rollback" } else { "deployed" };
    let made = restore(sys, flags, &all, &last, old, status).map_err(error)?;
    if options::waits(flags) {
        return wait::begin(sys, flags, wait::Deed::Rollback, &made, output);
    }
    output.line("Rollback was a success! Happy Helming!");
    Ok(output)
}

pub fn uninstall(sys: &mut dyn Sys, flags: &Flags) -> Done {
    let names = flags.words.get(1..).unwrap_or_default();
    if names.is_empty() {
        return Err(error(
            "\"helm uninstall\" requires at least 1 argument\n\nUsage:  helm uninstall RELEASE_NAME \
             [...] [flags]",
        ));
    }
    let mut output = Output::default();
    let namespace = namespace(sys, flags);
    for name in names {
        let all = ask(sys, flags, &mut output, |cx| release::list(cx, &namespace, name))
            .map_err(error)?;
        let Some(mut last) = all.last().cloned() else {
            if flags.is_on("ignore-not-found") {
                continue;
            }
            return Err(error(format!(
                "uninstall: Release not loaded: {name}: release: not found"
            )));
        };
        if last.status() == "uninstalled" {
            return Err(error(format!("the release named {name:?} is already deleted")));
        }
        let rendered = parsed(&last);
        let about = About {
            name,
            namespace: &namespace,
            revision: last.version(),
            is_upgrade: false,
            kube_version: KUBE_VERSION,
        };
        let keeps = flags.is_on("keep-history");
        ask(sys, flags, &mut output, |cx| {
            remove(cx, &rendered, &[], &about)?;
            if !keeps {
                return all.iter().try_for_each(|one| release::delete(cx, one));
            }
            last.set_status("uninstalled");
            last.0["info"]["description"] = json!("Uninstallation complete");
            release::update(cx, &last)
        })
        .map_err(error)?;
        output.line(format!("release {name:?} uninstalled"));
    }
    Ok(output)
}

// ---- looking ----

/// What a release is, as after each change of it.
pub fn show(release: &Release, output: &mut Output) {
    output.line(format!("NAME: {}", release.name()));
    output.line(format!("LAST DEPLOYED: {}", ansic(release.deployed())));
    output.line(format!("NAMESPACE: {}", release.namespace()));
    output.line(format!("STATUS: {}", release.status()));
    output.line(format!("REVISION: {}", release.version()));
    output.line("TEST SUITE: None");
}

/// The text for the user.
pub fn show_notes(release: &Release, output: &mut Output) {
    if !release.notes().is_empty() {
        output.line(format!("NOTES:\n{}", release.notes().trim()));
    }
}

/// The revision that flags name, or the last.
fn chosen(sys: &mut dyn Sys, flags: &Flags, name: &str) -> Result<Release, Output> {
    let mut output = Output::default();
    let namespace = namespace(sys, flags);
    let all =
        ask(sys, flags, &mut output, |cx| release::list(cx, &namespace, name)).map_err(error)?;
    let wanted: Option<i64> = flags.value("revision").and_then(|text| text.parse().ok());
    let found = match wanted.filter(|wanted| *wanted > 0) {
        Some(wanted) => all.into_iter().find(|one| one.version() == wanted),
        None => all.into_iter().last(),
    };
    found.ok_or_else(|| error("release: not found"))
}

pub fn status(sys: &mut dyn Sys, flags: &Flags) -> Done {
    let Some(name) = flags.words.get(1) else {
        return Err(error(
            "\"helm status\" requires 1 argument\n\nUsage:  helm status RELEASE_NAME [flags]",
        ));
    };
    let release = chosen(sys, flags, name)?;
    let mut output = Output::default();
    show(&release, &mut output);
    show_notes(&release, &mut output);
    Ok(output)
}

pub fn list(sys: &mut dyn Sys, flags: &Flags) -> Done {
    let mut output = Output::default();
    let namespace = match flags.is_on("all-namespaces") {
        true => String::new(),
        false => namespace(sys, flags),
    };
    let all =
        ask(sys, flags, &mut output, |cx| release::list(cx, &namespace, "")).map_err(error)?;
    let is_last = |one: &&Release| {
        !all.iter().any(|other| {
            other.name() == one.name()
                && other.namespace() == one.namespace()
                && other.version() > one.version()
        })
    };
    let wanted = |one: &&Release| match one.status() {
        "uninstalled" => flags.is_on("all") || flags.is_on("uninstalled"),
        _ => !flags.is_on("uninstalled"),
    };
    let shown: Vec<&Release> = all.iter().filter(is_last).filter(wanted).collect();
    if flags.is_on("short") {
        shown.iter().for_each(|one| output.line(one.name()));
        return Ok(output);
    }
    if flags.value("output") == Some("json") {
        let entry = |one: &&Release| {
            json!({
                "name": one.name(), "namespace": one.namespace(),
                "revision": one.version().to_string(), "updated": full(one.deployed()),
                "status": one.status(), "chart": one.chart(), "app_version": one.app_version(),
            })
        };
        output.line(Value::Array(shown.iter().map(entry).collect()).to_string());
        return Ok(output);
    }
    let names = ["NAME", "NAMESPACE", "REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION"];
    let mut rows = vec![names.map(str::to_owned)];
    rows.extend(shown.iter().map(|one| {
        [
            one.name().to_owned(),
            one.namespace().to_owned(),
            one.version().to_string(),
            full(one.deployed()),
            one.status().to_owned(),
            one.chart(),
            one.app_version().to_owned(),
        ]
    }));
    output.put(table(&rows));
    Ok(output)
}

pub fn history(sys: &mut dyn Sys, flags: &Flags) -> Done {
    let Some(name) = flags.words.get(1) else {
        return Err(error(
            "\"helm history\" requires 1 argument\n\nUsage:  helm history RELEASE_NAME [flags]",
        ));
    };
    let mut output = Output::default();
    let namespace = namespace(sys, flags);
    let all =
        ask(sys, flags, &mut output, |cx| release::list(cx, &namespace, name)).map_err(error)?;
    if all.is_empty() {
        return Err(error("release: not found"));
    }
    let names = ["REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION", "DESCRIPTION"];
    let mut rows = vec![names.map(str::to_owned)];
    rows.extend(all.iter().map(|one| {
        [
            one.version().to_string(),
            ansic(one.deployed()),
            one.status().to_owned(),
            one.chart(),
            one.app_version().to_owned(),
            one.description().to_owned(),
        ]
    }));
    output.put(table(&rows));
    Ok(output)
}

pub fn get(sys: &mut dyn Sys, flags: &Flags) -> Done {
    let [_, what, name] = flags.words.as_slice() else {
        return Err(error("\"helm get\" requires a subcommand and a release"));
    };
    let release = chosen(sys, flags, name)?;
    let mut output = Output::default();
    match what.as_str() {
        "manifest" => output.line(release.manifest()),
        "notes" => output.line(format!("NOTES:\n{}", release.notes())),
        "values" => {
            let all = flags.is_on("all");
            let shown = match all {
                true => values::merged(&release.0["chart"]["values"], release.config()),
                false => release.config().clone(),
            };
            let empty = shown.as_object().is_some_and(Map::is_empty);
            let text = if empty { "null\n".to_owned() } else { yaml::print(&shown) };
            match (flags.value("output"), all) {
                (Some("yaml"), _) => {}
                (_, true) => output.line("COMPUTED VALUES:"),
                (_, false) => output.line("USER-SUPPLIED VALUES:"),
            }
            output.put(text);
        }
        what => return Err(error(format!("unknown command {what:?} for \"helm get\""))),
    }
    Ok(output)
}

pub fn template(sys: &mut dyn Sys, flags: &Flags, stdin: &[u8]) -> Done {
    let (name, chart) = match flags.words.get(1..).unwrap_or_default() {
        [chart] => ("release-name".to_owned(), chart.clone()),
        [name, chart] => (name.clone(), chart.clone()),
        _ => {
            return Err(error(
                "\"helm template\" requires at least 1 argument\n\nUsage:  helm template [NAME] \
                 [CHART] [flags]",
            ));
        }
    };
    let namespace = namespace(sys, flags);
    let config = supplied(sys, flags, stdin).map_err(error)?;
    let about = About {
        name: &name,
        namespace: &namespace,
        revision: 1,
        is_upgrade: false,
        kube_version: KUBE_VERSION,
    };
    let planned = plan(sys, flags, &chart, config, &about).map_err(error)?;
    let only = flags.values("show-only");
    let mut output = Output::default();
    for (path, _, text) in &planned.rendered.manifests {
        if only.is_empty() || only.iter().any(|wanted| path.ends_with(wanted.as_str())) {
            output.put(format!("---\n# Source: {path}\n{text}\n"));
        }
    }
    Ok(output)
}

pub fn lint(sys: &mut dyn Sys, flags: &Flags) -> Done {
    let path = flags.words.get(1).map_or(".", String::as_str).to_owned();
    let about = About {
        name: "test-release",
        namespace: "default",
        revision: 1,
        is_upgrade: false,
        kube_version: KUBE_VERSION,
    };
    let mut output = Output::default();
    output.line(format!("==> Linting {path}"));
    let planned = plan(sys, flags, &path, Value::Object(Map::new()), &about);
    let failed = match planned {
        Ok(planned) => {
            if planned.chart.metadata["icon"].is_null() {
                output.line("[INFO] Chart.yaml: icon is recommended");
            }
            0
        }
        Err(why) => {
            output.line(format!("[ERROR] templates/: {why}"));
            1
        }
    };
    output.line(format!("\n1 chart(s) linted, {failed} chart(s) failed"));
    if failed > 0 {
        output.error("Error: 1 chart(s) linted, 1 chart(s) failed");
        output.code = 1;
    }
    Ok(output)
}
