//! `kubectl describe pod`

use super::events::Events;
use super::page::{Page, date, items, number, text};
use super::{containers, controller, podtemplate, tell, volumes};
use naru_api::decode;
use naru_api::k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

pub(super) fn describe(page: &mut Page, pod: &Value, events: Option<&Events>) {
    let (metadata, spec, status) = (&pod["metadata"], &pod["spec"], &pod["status"]);
    page.field(0, "Name", text(&metadata["name"]));
    page.field(0, "Namespace", text(&metadata["namespace"]));
    if let Some(priority) = spec["priority"].as_i64() {
        page.field(0, "Priority", priority);
    }
    page.field_if(0, "Priority Class Name", &spec["priorityClassName"]);
    page.field_if(0, "Runtime Class Name", &spec["runtimeClassName"]);
    page.field_if(0, "Service Account", &spec["serviceAccountName"]);
    match text(&spec["nodeName"]) {
        "" => page.field(0, "Node", "<none>"),
        node => page.field(0, "Node", format!("{node}/{}", text(&status["hostIP"]))),
    }
    if status["startTime"].is_string() {
        page.field(0, "Start Time", date(&status["startTime"]));
    }
    page.labels("Labels", &metadata["labels"]);
    page.annotations("Annotations", &metadata["annotations"]);
    describe_status(page, pod);
    page.field(0, "IP", text(&status["podIP"]));
    let ips = items(&status["podIPs"]);
    if ips.is_empty() {
        page.field(0, "IPs", "<none>");
    } else {
        page.line(0, "IPs:");
        ips.iter().for_each(|ip| page.field(1, "IP", text(&ip["ip"])));
    }
    if let Some(controller) = controller(pod) {
        page.field(0, "Controlled By", controller);
    }
    page.field_if(0, "NominatedNodeName", &status["nominatedNodeName"]);
    if spec["resources"].is_object() {
        page.line(0, "Resources:");
        containers::resources(page, 1, &spec["resources"]);
    }
    describe_containers(page, pod);
    describe_conditions(page, pod);
    volumes::describe(page, &spec["volumes"], "");
    page.field(0, "QoS Class", qos_class(pod));
    page.labels("Node-Selectors", &spec["nodeSelector"]);
    page.lines("Tolerations", &podtemplate::tolerations(&spec["tolerations"]));
    podtemplate::spread_constraints(page, &spec["topologySpreadConstraints"], "");
    tell(page, events);
}

fn describe_status(page: &mut Page, pod: &Value) {
    let (metadata, status) = (&pod["metadata"], &pod["status"]);
    let phase = text(&status["phase"]);
    if metadata["deletionTimestamp"].is_string() && !matches!(phase, "Failed" | "Succeeded") {
        let lasts = page.age(&metadata["deletionTimestamp"]);
        page.field(0, "Status", format!("Terminating (lasts {lasts})"));
        let seconds = number(&metadata["deletionGracePeriodSeconds"]);
        page.field(0, "Termination Grace Period", format!("{seconds}s"));
    } else {
        page.field(0, "Status", phase);
    }
    page.field_if(0, "Reason", &status["reason"]);
    page.field_if(0, "Message", &status["message"]);
    let profile = &pod["spec"]["securityContext"]["seccompProfile"];
    page.field_if(0, "SeccompProfile", &profile["type"]);
    page.field_if(0, "LocalhostProfile", &profile["localhostProfile"]);
}

fn describe_containers(page: &mut Page, pod: &Value) {
    let (spec, status) = (&pod["spec"], &pod["status"]);
    if !items(&spec["initContainers"]).is_empty() {
        let statuses = &status["initContainerStatuses"];
        containers::describe(
            page,
            "Init Containers",
            &spec["initContainers"],
            statuses,
            Some(pod),
            "",
        );
    }
    let statuses = &status["containerStatuses"];
    containers::describe(page, "Containers", &spec["containers"], statuses, Some(pod), "");
    if !items(&spec["ephemeralContainers"]).is_empty() {
        let (list, statuses) =
            (&spec["ephemeralContainers"], &status["ephemeralContainerStatuses"]);
        containers::describe(page, "Ephemeral Containers", list, statuses, Some(pod), "");
    }
}

fn describe_conditions(page: &mut Page, pod: &Value) {
    let conditions = items(&pod["status"]["conditions"]);
    let gates = items(&pod["spec"]["readinessGates"]);
    if !gates.is_empty() {
        page.line(0, "Readiness Gates:\n  Type\tStatus");
    }
    for gate in gates {
        let name = text(&gate["conditionType"]);
        let found = conditions.iter().find(|condition| text(&condition["type"]) == name);
        let status = found.map_or("<none>", |condition| text(&condition["status"]));
        page.line(1, &format!("{name} \t{status} "));
    }
    if !conditions.is_empty() {
        page.line(0, "Conditions:\n  Type\tStatus");
    }
    for condition in conditions {
        page.line(1, &format!("{} \t{} ", text(&condition["type"]), text(&condition["status"])));
    }
}

fn qos_class(pod: &Value) -> String {
    match text(&pod["status"]["qosClass"]) {
        "" => {
            let typed: Option<Pod> = decode::from_value(pod).ok();
            let spec = typed.and_then(|pod| pod.spec);
            spec.map(|spec| naru_api::qos::class(&spec).to_owned()).unwrap_or_default()
        }
        class => class.to_owned(),
    }
}
