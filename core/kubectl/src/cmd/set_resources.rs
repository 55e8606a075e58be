//! `kubectl set resources`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/set/set_resources.go`.

use super::common;
use super::set_change::{self, Changer};
use crate::command::Command;
use crate::context::{Context, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::process::Outcome;
use serde_json::{Map, Value, json};

/// `kubectl set resources`
pub static COMMAND: Command = Command {
    usage: "resources (-f FILENAME | TYPE NAME)  ([--limits=LIMITS & --requests=REQUESTS]",
    short: "Update resource requests/limits on objects with pod templates",
    long: "Specify compute resource requirements (CPU, memory) for any resource that defines a pod \
           template. If a pod is successfully scheduled, it is guaranteed the amount of resource \
           requested, but may burst up to its specified limits.",
    examples: "# Limits and requests of all containers of a deployment\n\
               kubectl set resources deployment web --limits=cpu=200m,memory=512Mi \
               --requests=cpu=100m,memory=256Mi\n\n\
               # Of one container\n\
               kubectl set resources deployment web -c=app --limits=cpu=200m",
    flags: &[
        common::PRINT,
        common::FILENAME,
        common::DRY_RUN,
        common::SELECTOR,
        common::RECORD,
        FLAGS,
    ],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::switch("all", "All objects of the types in the namespace."),
    Flag::text("containers", "*", "Names of the containers to change; * stands for any text.")
        .short("c"),
    Flag::text("field-manager", "kubectl-set", common::FIELD_MANAGER),
    Flag::text("limits", "", "What a container may use at most: cpu=100m,memory=256Mi."),
    Flag::switch("local", "Do not ask the API server."),
    Flag::text("requests", "", "What a container asks for: cpu=100m,memory=256Mi."),
];

fn run(cx: &mut Context<'_>) -> Outcome {
    let dry_run = cx.dry_run()?;
    let failed = "failed to patch resources update to pod template";
    let mut changer = Changer::new(cx, dry_run, "resource requirements updated", failed)?;
    let flags = cx.flags();
    if flags.is("local") && !cx.args().is_empty() {
        return Err(set_change::needs_file());
    }
    let items = set_change::items(cx, cx.args())?;
    set_change::check_local(cx, dry_run)?;
    if flags.is("all") && !flags.text("selector").is_empty() {
        return Err(Failure::message("cannot set --all and --selector at the same time"));
    }
    if flags.text("limits").is_empty() && flags.text("requests").is_empty() {
        return Err(Failure::message(
            "you must specify an update to requests or limits (in the form of --requests/--limits)",
        ));
    }
    let lists = [
        ("limits", amounts(flags.text("limits"))?),
        ("requests", amounts(flags.text("requests"))?),
    ];
    let pattern = flags.text("containers");
    let mut missing = Vec::new();
    let changed = set_change::change_pod_specs(cx, &items, &mut changer, false, |_, _, spec| {
        let containers = set_change::containers(spec, pattern);
        if containers.is_empty() {
            let text = format!("error: unable to find container named {pattern}");
            missing.push(Failure::Message(text));
            return Ok(false);
        }
        for container in containers {
            set(container, &lists);
        }
        Ok(true)
    });
    match changed {
        Err(Failure::Many(several)) => missing.extend(several),
        Err(failure) => missing.push(failure),
        Ok(()) => {}
    }
    Failure::from_many(missing)?;
    done()
}

fn set(container: &mut Value, lists: &[(&str, Map<String, Value>)]) {
    for (list, amounts) in lists.iter().filter(|(_, amounts)| !amounts.is_empty()) {
        if !container["resources"].is_object() {
            container["resources"] = json!({});
        }
        if !container["resources"][list].is_object() {
            container["resources"][list] = json!({});
        }
        for (name, amount) in amounts {
            container["resources"][list][name] = amount.clone();
        }
    }
}

/// `cpu=100m,memory=256Mi`, in canonical form.
///
/// Upstream: `populateResourceListV1`.
pub fn amounts(text: &str) -> Result<Map<String, Value>> {
    let mut list = Map::new();
    for statement in text.split(',').filter(|_| !text.is_empty()) {
        let Some((name, amount)) =
            statement.split_once('=').filter(|(_, amount)| !amount.contains('='))
        else {
            return Err(Failure::Message(format!(
                "Invalid argument syntax {statement}, expected <resource>=<value>"
            )));
        };
        let amount = naru_api::quantity::canonical(amount)
            .map_err(|why| Failure::Message(why.to_string()))?;
        list.insert(name.to_owned(), json!(amount));
    }
    Ok(list)
}
