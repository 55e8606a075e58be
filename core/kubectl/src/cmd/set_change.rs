//! What the commands below `kubectl set` share: which objects they mean, and how a change of them
//! is sent.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/set/helper.go`.

use crate::builder::{self, Builder, Target};
use crate::context::{Context, DryRun};
use crate::failure::{Failure, Result};
use crate::printers::Teller;
use naru_api::KindRef;
use naru_api::patch::three_way;
use naru_api::request::Patch;
use naru_api::schema::Node;
use serde_json::Value;

/// An object that is to be changed.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its kind.
    pub kind: KindRef,
    /// Its namespace, or "".
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// As it is before the change.
    pub json: Value,
}

impl Item {
    /// `deployments/web`; without the API server nothing knows the plural.
    ///
    /// Upstream: `Info.ObjectName`.
    pub fn object_name(&self, local: bool) -> String {
        let kind = if local { self.kind.kind.to_lowercase() } else { self.kind.plural.to_string() };
        format!("{kind}/{}", self.name)
    }

    /// Where its pods are described; the error is upstream's for kinds that have no pods.
    ///
    /// Upstream: `polymorphichelpers.UpdatePodSpecForObjectFn`.
    pub fn pod_spec(&self) -> std::result::Result<&'static str, String> {
        match self.kind.group_kind().as_str() {
            "Pod" => Ok("/spec"),
            "CronJob.batch" => Ok("/spec/jobTemplate/spec/template/spec"),
            "ReplicationController"
            | "Deployment.apps"
            | "DaemonSet.apps"
            | "ReplicaSet.apps"
            | "StatefulSet.apps"
            | "Job.batch" => Ok("/spec/template/spec"),
            _ => Err(format!(
                "the object is not a pod or does not have a pod template: *{}.{}",
                self.kind.version, self.kind.kind
            )),
        }
    }
}

/// The objects that arguments and files name: as the API server has them, or with `--local` as the
/// files say.
pub fn items(cx: &mut Context<'_>, resources: &[String]) -> Result<Vec<Item>> {
    let flags = cx.flags();
    let (all, local) = (flags.is("all"), flags.is("local"));
    let mut builder = Builder::new(cx)?.local(local);
    if !local {
        builder = builder.select_all(all).types_or_names(cx, all, resources)?;
    }
    let (mut items, mut failures) = (Vec::new(), Vec::new());
    for target in builder.build(cx)?.targets {
        match target.and_then(|target| read(cx, target, local)) {
            Ok(found) => items.extend(found),
            Err(failure) => failures.push(failure),
        }
    }
    Failure::from_many(failures)?;
    Ok(items)
}

fn read(cx: &mut Context<'_>, target: Target, local: bool) -> Result<Vec<Item>> {
    if let (true, Target::Manifest(manifest)) = (local, &target) {
        let (kind, namespace) = (manifest.kind.clone(), manifest.namespace.clone());
        // With the empty fields that upstream's types are written with.
        let object = kind.strategy.decode(manifest.object.clone()).map_err(Failure::Message)?;
        let json = object.to_json().unwrap_or_default();
        return Ok(vec![Item { kind, namespace, name: manifest.name.clone(), json }]);
    }
    let found = builder::fetch(cx, &target)?;
    let item = |object: &naru_api::Object| Item {
        kind: object.kind(),
        namespace: object.namespace().to_owned(),
        name: object.name().to_owned(),
        json: object.to_json().unwrap_or_default(),
    };
    Ok(found.iter().map(item).collect())
}

/// What is said when `--local` is given with names, which only the API server knows.
///
/// Upstream: `resource.LocalResourceError`.
pub fn needs_file() -> Failure {
    Failure::message(
        "error: you must specify resources by --filename when --local is set.\nExample resource \
         specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'",
    )
}

/// Refuses flags that contradict each other.
pub fn check_local(cx: &Context<'_>, dry_run: DryRun) -> Result<()> {
    if cx.flags().is("local") && dry_run == DryRun::Server {
        let text = "cannot specify --local and --dry-run=server - did you mean --dry-run=client?";
        return Err(Failure::message(text));
    }
    Ok(())
}

/// Sends changes and tells of them.
#[derive(Debug)]
pub struct Changer {
    teller: Teller,
    dry_run: DryRun,
    /// `env updated`.
    operation: &'static str,
    /// What stands before the API server's refusal; "" leaves the refusal as it is.
    failed: &'static str,
}

impl Changer {
    /// As `--dry-run`, `-o` and `--local` say.
    pub fn new(
        cx: &mut Context<'_>,
        dry_run: DryRun,
        operation: &'static str,
        failed: &'static str,
    ) -> Result<Self> {
        Ok(Changer { teller: Teller::new(cx, dry_run.suffix())?, dry_run, operation, failed })
    }

    /// Makes `item` what `after` says. Nothing is sent or told when nothing changes, unless the
    /// command is one that always tells.
    pub fn change(
        &mut self,
        cx: &mut Context<'_>,
        item: &Item,
        mut after: Value,
        always: bool,
    ) -> Result<()> {
        super::record::record(cx, &mut after);
        let before = &item.json;
        let patch = Value::Object(three_way(Node::of(&item.kind), before, &after, before));
        let nothing = patch.as_object().is_none_or(serde_json::Map::is_empty);
        if nothing && !always {
            return Ok(());
        }
        if cx.flags().is("local") || self.dry_run == DryRun::Client {
            return self.teller.tell(cx, &item.kind, after, self.operation);
        }
        let patch = Patch::Strategic(patch);
        let patched = cx.patch(&item.kind, &item.namespace, &item.name, patch, self.dry_run);
        let patched = patched.map_err(|failure| match self.failed {
            "" => failure,
            failed => Failure::Message(format!("{failed} {}", failure.bare())),
        })?;
        let json = patched.to_json().unwrap_or_default();
        self.teller.tell(cx, &item.kind, json, self.operation)
    }
}

/// Changes the pods that each object describes.
///
/// `change` is given the pod specification; when it says `false`, the object stays as it is.
pub fn change_pod_specs(
    cx: &mut Context<'_>,
    items: &[Item],
    changer: &mut Changer,
    always: bool,
    mut change: impl FnMut(&mut Context<'_>, &Item, &mut Value) -> std::result::Result<bool, Failure>,
) -> Result<()> {
    let (mut failures, local) = (Vec::new(), cx.flags().is("local"));
    for item in items {
        let mut after = item.json.clone();
        let changed = item.pod_spec().map_err(Failure::Message).and_then(|pointer| {
            match after.pointer_mut(pointer) {
                Some(spec) => change(cx, item, spec),
                None => Ok(false),
            }
        });
        match changed {
            Ok(false) => {}
            Ok(true) => {
                if let Err(failure) = changer.change(cx, item, after, always) {
                    failures.push(failure);
                }
            }
            Err(Failure::Many(several)) => failures.extend(several),
            Err(failure) => {
                let text = format!("error: {} {}\n", item.object_name(local), failure.bare());
                failures.push(Failure::Message(text));
            }
        }
    }
    Failure::from_many(failures)
}

/// Whether a container's name matches what `--containers` says, in which `*` stands for any text.
///
/// Upstream: `selectString`.
pub fn selects(name: &str, pattern: &str) -> bool {
    if !pattern.contains('*') {
        return name == pattern;
    }
    let parts: Vec<&str> = pattern.split('*').collect();
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return false };
    let Some(mut rest) = name.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else {
        return false;
    };
    for part in parts.iter().skip(1).take(parts.len().saturating_sub(2)) {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

/// The containers of a pod specification that `--containers` chooses, and after them the init
/// containers.
pub fn containers<'a>(spec: &'a mut Value, pattern: &'a str) -> Vec<&'a mut Value> {
    let Some(spec) = spec.as_object_mut() else { return Vec::new() };
    let (mut chosen, mut init) = (Vec::new(), Vec::new());
    for (list, value) in spec.iter_mut() {
        let into = match list.as_str() {
            "containers" => &mut chosen,
            "initContainers" => &mut init,
            _ => continue,
        };
        let matches = |container: &&mut Value| {
            selects(container["name"].as_str().unwrap_or_default(), pattern)
        };
        into.extend(value.as_array_mut().into_iter().flatten().filter(matches));
    }
    chosen.extend(init);
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_container_names() {
        for (name, pattern, expected) in [
            ("app", "*", true),
            ("app", "app", true),
            ("app", "a*", true),
            ("app", "*p", true),
            ("app", "b*", false),
            ("web-app", "web*app", true),
            ("a", "a*a", false),
        ] {
            assert_eq!(selects(name, pattern), expected, "{name} {pattern}");
        }
    }
}
