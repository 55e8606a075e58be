//! `minikube addons`: manifests that can be switched on and off.
//!
//! Upstream: `cmd/minikube/cmd/config/addons_list.go`, `pkg/addons/addons.go`.

use super::super::{Ask, out, table};
use super::{exit, not_running, own_name};
use crate::Cluster;
use k8s_openapi::api::core::v1::Pod;
use naru_api::request::{Body, DeleteOptions, Op, Propagation};
use naru_api::{ApiService, pods, scheme, yaml};
use naru_shell::{Answer, Next};
use naru_sim::Time;
use std::time::Duration;

/// An addon: its name, who looks after it, and its manifest if this sandbox has it.
struct Addon {
    name: &'static str,
    maintainer: &'static str,
    manifest: Option<&'static str>,
}

const fn addon(name: &'static str, maintainer: &'static str) -> Addon {
    Addon { name, maintainer, manifest: None }
}

/// Those of minikube v1.36.
const ADDONS: [Addon; 40] = [
    addon("ambassador", "3rd party (Ambassador)"),
    addon("amd-gpu-device-plugin", "3rd party (AMD)"),
    addon("auto-pause", "minikube"),
    addon("cloud-spanner", "Google"),
    addon("csi-hostpath-driver", "Kubernetes"),
    addon("dashboard", "Kubernetes"),
    addon("default-storageclass", "Kubernetes"),
    addon("efk", "3rd party (Elastic)"),
    addon("freshpod", "Google"),
    addon("gcp-auth", "Google"),
    addon("gvisor", "minikube"),
    addon("headlamp", "3rd party (kinvolk.io)"),
    addon("inaccel", "3rd party (InAccel [info@inaccel.com])"),
    Addon {
        name: "ingress",
        maintainer: "Kubernetes",
        manifest: Some(include_str!("../../../../../assets/manifests/ingress-nginx-minikube.yaml")),
    },
    addon("ingress-dns", "minikube"),
    addon("inspektor-gadget", "3rd party (inspektor-gadget.io)"),
    addon("istio", "3rd party (Istio)"),
    addon("istio-provisioner", "3rd party (Istio)"),
    addon("kong", "3rd party (Kong HQ)"),
    addon("kubeflow", "3rd party"),
    addon("kubetail", "3rd party (kubetail.com)"),
    addon("kubevirt", "3rd party (KubeVirt)"),
    addon("logviewer", "3rd party (unknown)"),
    addon("metallb", "3rd party (MetalLB)"),
    Addon {
        name: "metrics-server",
        maintainer: "Kubernetes",
        manifest: Some(naru_addons::metricsserver::MANIFEST),
    },
    addon("nvidia-device-plugin", "3rd party (NVIDIA)"),
    addon("nvidia-driver-installer", "3rd party (NVIDIA)"),
    addon("nvidia-gpu-device-plugin", "3rd party (NVIDIA)"),
    addon("olm", "3rd party (Operator Framework)"),
    addon("pod-security-policy", "3rd party (unknown)"),
    addon("portainer", "3rd party (Portainer.io)"),
    addon("registry", "minikube"),
    addon("registry-aliases", "3rd party (unknown)"),
    addon("registry-creds", "3rd party (UPMC Enterprises)"),
    addon("storage-provisioner", "minikube"),
    addon("storage-provisioner-gluster", "3rd party (Gluster)"),
    addon("storage-provisioner-rancher", "3rd party (Rancher)"),
    addon("volcano", "third-party (volcano)"),
    addon("volumesnapshots", "Kubernetes"),
    addon("yakd", "3rd party (marcnuri.com)"),
];

/// Where lines of the table end at the latest, as `tablewriter` wraps them.
const CELL_MAX: usize = 30;

/// Those whose pods minikube waits for: the name, the namespace and the label.
/// Upstream: `addonPodLabels` in `pkg/addons/config.go`.
const VERIFIED: [(&str, &str, &str); 1] =
    [("ingress", "ingress-nginx", "app.kubernetes.io/name=ingress-nginx")];
/// How long it waits. Upstream: `verifyAddonStatus` in `pkg/addons/addons.go`.
const VERIFY_TIMEOUT: Duration = Duration::from_secs(360);
/// How often it looks. Upstream: `kapi.WaitForPods`.
const VERIFY_EVERY: Duration = Duration::from_millis(500);

/// What is on from the start.
const ON: [&str; 2] = ["default-storageclass", "storage-provisioner"];

fn is_on(cluster: &Cluster, name: &str) -> bool {
    ON.contains(&name) || cluster.addons.contains(name)
}

/// `minikube addons list`.
pub fn list(cluster: &Cluster) -> Answer {
    let own = own_name(cluster);
    let mut rows: Vec<[String; 4]> = Vec::new();
    for addon in &ADDONS {
        // What is off has blanks where what is on has its mark.
        let status = if is_on(cluster, addon.name) { "enabled ✅" } else { "disabled    " };
        let mut lines = wrapped(addon.maintainer).into_iter();
        let first = lines.next().unwrap_or_default();
        rows.push([addon.name.to_owned(), own.to_owned(), status.to_owned(), first]);
        rows.extend(lines.map(|line| [String::new(), String::new(), String::new(), line]));
    }
    out(table::boxed(["ADDON NAME", "PROFILE", "STATUS", "MAINTAINER"], &rows, &[]))
}

/// A text in lines of [`CELL_MAX`] letters at most.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut().filter(|line| line.len() + 1 + word.len() <= CELL_MAX) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The images of a manifest, as minikube tells them: without digests.
fn images(manifest: &str) -> impl Iterator<Item = &str> {
    let images = manifest.lines().filter_map(|line| line.trim().strip_prefix("image: "));
    images.map(|image| image.trim_matches('"').split('@').next().unwrap_or_default())
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
pub fn enable(cluster: &mut Cluster, name: &str, ask: &Ask<'_>) -> Answer {
    if ask.interrupted {
        return Answer { code: 130, ..Answer::default() };
    }
    if let Ok(since) = ask.state.parse() {
        return verify(cluster, name, Time::from_micros(since));
    }
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
        images(manifest).for_each(|image| text += &format!("    ▪ Using image {image}\n"));
    }
    if !VERIFIED.iter().any(|(verified, ..)| *verified == name) {
        return out(text + &enabled(name));
    }
    text += &format!("🔎  Verifying {name} addon...\n");
    Answer { stdout: text, next: Some(later(cluster.now())), ..Answer::default() }
}

fn enabled(name: &str) -> String {
    format!("🌟  The '{name}' addon is enabled\n")
}

fn later(since: Time) -> Next {
    Next { after: VERIFY_EVERY, state: since.as_micros().to_string(), ..Next::default() }
}

/// Looks whether the pods of an addon run by now.
fn verify(cluster: &mut Cluster, name: &str, since: Time) -> Answer {
    let found = VERIFIED.iter().find(|(verified, ..)| *verified == name);
    let Some((_, namespace, label)) = found else { return out(enabled(name)) };
    let all = cluster.objects("v1", "Pod", namespace, label);
    let phases: Vec<&str> = all
        .iter()
        .filter_map(|object| object.get::<Pod>().map(pods::phase))
        // What has done its work is not waited for.
        .filter(|phase| *phase != "Succeeded")
        .collect();
    if !phases.is_empty() && phases.iter().all(|phase| *phase == "Running") {
        return out(enabled(name));
    }
    if cluster.now().since(since) < VERIFY_TIMEOUT {
        return Answer { next: Some(later(since)), ..Answer::default() };
    }
    let why = format!(
        "enable failed: run callbacks: running callbacks: [waiting for {label} pods: context \
         deadline exceeded]"
    );
    exit("MK_ADDON_ENABLE", &why, 10)
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
            // As `kubectl delete`: what a Job has made goes with it.
            let propagation = Some(Propagation::Background);
            let options = DeleteOptions { propagation, ..DeleteOptions::default() };
            cluster.request(&kind, namespace, name, Op::Delete(options))
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
