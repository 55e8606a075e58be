//! `kubectl autoscale`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/autoscale/autoscale.go`.

use super::common;
use crate::builder::{self, Builder};
use crate::command::Command;
use crate::context::{Context, DryRun, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::mapper;
use crate::printers::Teller;
use crate::process::Outcome;
use naru_api::Object;
use serde_json::{Value, json};

/// `kubectl autoscale`
pub static COMMAND: Command = Command {
    usage: "autoscale (-f FILENAME | TYPE NAME | TYPE/NAME) [--min=MINPODS] --max=MAXPODS \
            [--cpu-percent=CPU]",
    short: "Auto-scale a deployment, replica set, stateful set, or replication controller",
    long: "Creates an autoscaler that chooses how many pods a workload has.\n\n The workload is \
           looked up by its name; the autoscaler keeps its number of pods between two\n limits, \
           by what the pods use of what they request.",
    examples: "# Between 2 and 10 pods, with the server's default target\n\
               kubectl autoscale deployment web --min=2 --max=10\n\n\
               # Up to 5 pods that use 80% of the CPU they request\n\
               kubectl autoscale deployment web --max=5 --cpu-percent=80",
    flags: &[
        common::PRINT,
        common::FILENAME,
        common::DRY_RUN,
        common::RECORD,
        common::SAVE_CONFIG,
        FLAGS,
    ],
    required: &["max"],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::int("cpu-percent", "-1", "Per cent of the requested CPU that pods should use."),
    Flag::text("field-manager", "kubectl-autoscale", common::FIELD_MANAGER),
    Flag::int("max", "-1", "The most pods. Required."),
    Flag::int("min", "-1", "The fewest pods; the server's default if negative."),
    Flag::text("name", "", "The name of the autoscaler; that of the workload by default."),
];

fn run(cx: &mut Context<'_>) -> Outcome {
    let dry_run = cx.dry_run()?;
    let mut teller = Teller::new(cx, dry_run.suffix())?;
    check(cx)?;
    let selection = Builder::new(cx)?.types_or_names(cx, false, cx.args())?.build(cx)?;
    let autoscalers = mapper::kind_for(&cx.kinds()?, "horizontalpodautoscalers.autoscaling")?;
    let (mut count, mut failures) = (0, Vec::new());
    for target in selection.targets {
        let objects = target.and_then(|target| builder::fetch(cx, &target));
        let scaled = objects.and_then(|objects| {
            for object in &objects {
                let mut made = autoscaler(cx, object)?;
                let (namespace, _) = cx.namespace()?;
                if dry_run != DryRun::Client {
                    if cx.flags().is("save-config") {
                        super::apply::save_config(&mut made)?;
                    }
                    let created = cx.create(&autoscalers, &namespace, made, dry_run)?;
                    made = created.to_json().unwrap_or_default();
                }
                let done = if dry_run == DryRun::Client { "created" } else { "autoscaled" };
                teller.tell(cx, &autoscalers, made, done)?;
            }
            Ok(objects.len())
        });
        match scaled {
            Ok(scaled) => count += scaled,
            Err(failure) => failures.push(failure),
        }
    }
    Failure::from_many(failures)?;
    if count == 0 {
        return Err(Failure::message("no objects passed to autoscale"));
    }
    done()
}

fn check(cx: &Context<'_>) -> Result<()> {
    let flags = cx.flags();
    let (min, max) = (flags.int("min"), flags.int("max"));
    let text = if max < 1 {
        format!("--max=MAXPODS is required and must be at least 1, max: {max}")
    } else if max < min {
        format!("--max=MAXPODS must be larger or equal to --min=MINPODS, max: {max}, min: {min}")
    } else {
        return Ok(());
    };
    Err(Failure::Message(text))
}

fn autoscaler(cx: &Context<'_>, object: &Object) -> Result<Value> {
    let (flags, kind) = (cx.flags(), object.kind());
    if !kind.subresources.contains(&"scale") {
        let version = match kind.group.is_empty() {
            true => format!("/{}", kind.version),
            false => kind.api_version(),
        };
        return Err(Failure::Message(format!(
            "cannot autoscale a {}: could not find scale subresource for {version}, Resource={} \
             in discovery information",
            kind.kind, kind.plural
        )));
    }
    let name = match flags.text("name") {
        "" => object.name(),
        name => name,
    };
    let mut spec = json!({
        "maxReplicas": flags.int("max"),
        "scaleTargetRef": {
            "apiVersion": kind.api_version(),
            "kind": kind.kind.to_string(),
            "name": object.name(),
        },
    });
    if flags.int("min") > 0 {
        spec["minReplicas"] = json!(flags.int("min"));
    }
    if flags.int("cpu-percent") >= 0 {
        let target = json!({"type": "Utilization", "averageUtilization": flags.int("cpu-percent")});
        spec["metrics"] =
            json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]);
    }
    let mut made = json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": spec,
    });
    naru_api::omitempty::complete(&mut made);
    Ok(made)
}
