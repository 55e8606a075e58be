//! `minikube addons`: manifests that can be switched on and off.
//!
//! Upstream: `cmd/minikube/cmd/config/addons_list.go`, `pkg/addons/addons.go`.

use super::super::{Ask, out, table};
use super::{exit, not_running, own_name};
use crate::Cluster;
use naru_api::request::{Body, DeleteOptions, Op};
use naru_api::{ApiService, scheme, yaml};
use naru_shell::Answer;

/// An addon: its name, who looks after it, and its manifest if this sandbox has it.
struct Addon {
    name: &'static str,
    maintainer: &'static str,
    manifest: Option<&'static str>,
}

const fn addon(name: &'static str, maintainer: &'static str) -> Addon {
    Addon { name, maintainer, manifest: None }
}

const ADDONS: [Addon; 8] = [
    addon("dashboard", "Kubernetes"),
    addon("default-storageclass", "Kubernetes"),
    Addon {
        name: "ingress",
        maintainer: "Kubernetes",
        manifest: Some(include_str!("../../../../../assets/manifests/ingress-nginx-minikube.yaml")),
    },
    addon("ingress-dns", "minikube"),
    addon("metallb", "3rd party (MetalLB)"),
    Addon {
        name: "metrics-server",
        maintainer: "Kubernetes",
        manifest: Some(naru_addons::metricsserver::MANIFEST),
    },
    addon("registry", "minikube"),
    addon("storage-provisioner", "minikube"),
];

/// What is on from the start.
const ON: [&str; 2] = ["default-storageclass", "storage-provisioner"];

fn is_on(cluster: &Cluster, name: &str) -> bool {
    ON.contains(&name) || cluster.addons.contains(name)
}

/// `minikube addons list`.
pub fn list(cluster: &Cluster) -> Answer {
    let own = own_name(cluster);
    let row = |addon: &Addon| {
        let status = if is_on(cluster, addon.name) { "enabled ✅" } else { "disabled" };
        [addon.name, own, status, addon.maintainer].map(str::to_owned)
    };
    let rows: Vec<[String; 4]> = ADDONS.iter().map(row).collect();
    out(table::boxed(["ADDON NAME", "PROFILE", "STATUS", "MAINTAINER"], &rows, &[]))
}

fn find(name: &str) -> Option<&'static Addon> {
    ADDONS.iter().find(|addon| addon.name == name)
}

fn unknown(name: &str) -> Answer {
    let why = format!(
        "enable failed: addon '{name}' is not a valid addon packaged with minikube.\nTo see the \
         list of available addons run:\nminikube addons list"
    );
    exit("MK_ADDON_ENABLE", &why, 10)
}

/// `minikube addons enable NAME`.
pub fn enable(cluster: &mut Cluster, name: &str, _ask: &Ask<'_>) -> Answer {
    if let Some(answer) = not_running(cluster) {
        return answer;
    }
    let Some(addon) = find(name) else { return unknown(name) };
    let mut text = format!(
        "💡  {name} is an addon maintained by {}. For any concerns contact minikube on GitHub.\n\
         You can view the list of minikube maintainers at: \
         https://github.com/kubernetes/minikube/blob/master/OWNERS\n",
        addon.maintainer
    );
    if !is_on(cluster, name) {
        let Some(manifest) = addon.manifest else {
            return exit(
                "MK_ADDON_ENABLE",
                &format!("enable failed: this sandbox has no manifest of {name:?}"),
                10,
            );
        };
        if let Err(why) = apply(cluster, manifest, true) {
            return exit("MK_ADDON_ENABLE", &format!("enable failed: run callbacks: {why}"), 10);
        }
        cluster.addons.insert(name.to_owned());
    }
    text += &format!("🌟  The '{name}' addon is enabled\n");
    out(text)
}

/// `minikube addons disable NAME`.
pub fn disable(cluster: &mut Cluster, name: &str) -> Answer {
    if let Some(answer) = not_running(cluster) {
        return answer;
    }
    match find(name) {
        Some(addon) => {
            if let Some(manifest) = addon.manifest.filter(|_| cluster.addons.remove(name)) {
                // What is gone already need not go.
                let _ = apply(cluster, manifest, false);
            }
            out(format!("🌑  \"The '{name}' addon is disabled\n"))
        }
        None => unknown(name),
    }
}

/// Makes the objects of a manifest, or takes them away.
fn apply(cluster: &mut Cluster, manifest: &str, wanted: bool) -> Result<(), String> {
    for document in yaml::documents(manifest) {
        let json = document.map_err(|error| error.to_string())?;
        let text = |pointer| json.pointer(pointer).and_then(|v| v.as_str()).unwrap_or_default();
        let kinds = cluster.kinds();
        let Some(kind) = scheme::by_kind(&kinds, text("/apiVersion"), text("/kind")) else {
            return Err(format!("no matches for kind {:?}", text("/kind")));
        };
        let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
        let request = if wanted {
            cluster.request(&kind, namespace, "", Op::Create(Body::Json(json.clone())))
        } else {
            cluster.request(&kind, namespace, name, Op::Delete(DeleteOptions::default()))
        };
        match cluster.api.handle(request) {
            Err(error) if !error.is_already_exists() && !error.is_not_found() => {
                return Err(error.to_string());
            }
            _ => {}
        }
    }
    cluster.settle();
    Ok(())
}
