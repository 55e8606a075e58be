//! The containers of a pod or of a pod template.

use super::page::{Page, capital, date, int_or_text, items, number, or_none, pairs, text};
use naru_api::gofmt::quote;
use naru_api::quantity::Amount;
use serde_json::Value;

/// `pod`: whose fields environment variables may name. `space`: the indentation of a template.
pub(super) fn describe(
    page: &mut Page,
    title: &str,
    containers: &Value,
    statuses: &Value,
    pod: Option<&Value>,
    space: &str,
) {
    let none = if items(containers).is_empty() { " <none>" } else { "" };
    page.line(0, &format!("{space}{title}:{none}"));
    for container in items(containers) {
        let name = text(&container["name"]);
        let status = items(statuses).iter().find(|status| text(&status["name"]) == name);
        basics(page, container, status, space);
        command(page, container);
        if let Some(status) = status {
            state(page, "State", &status["state"]);
            if status["lastState"]["terminated"].is_object() {
                state(page, "Last State", &status["lastState"]);
            }
            page.field(2, "Ready", capital(status["ready"] == true));
            page.field(2, "Restart Count", number(&status["restartCount"]));
        }
        resources(page, 2, &container["resources"]);
        for (title, field) in [
            ("Liveness", "livenessProbe"),
            ("Readiness", "readinessProbe"),
            ("Startup", "startupProbe"),
        ] {
            if container[field].is_object() {
                page.field(2, title, probe(&container[field]));
            }
        }
        environment_from(page, container);
        environment(page, container, pod);
        mounts(page, container);
    }
}

fn basics(page: &mut Page, container: &Value, status: Option<&Value>, space: &str) {
    let indent = if space.is_empty() { "" } else { " " };
    page.line(1, &format!("{indent}{}:", text(&container["name"])));
    if let Some(status) = status {
        page.field(2, "Container ID", text(&status["containerID"]));
    }
    page.field(2, "Image", text(&container["image"]));
    if let Some(status) = status {
        page.field(2, "Image ID", text(&status["imageID"]));
    }
    for (one, several, field) in
        [("Port", "Ports", "containerPort"), ("Host Port", "Host Ports", "hostPort")]
    {
        let ports: Vec<String> = items(&container["ports"])
            .iter()
            .map(|port| format!("{}/{}", number(&port[field]), text(&port["protocol"])))
            .collect();
        match ports.as_slice() {
            [] => page.field(2, one, "<none>"),
            [port] => page.field(2, one, port),
            ports => page.field(2, several, ports.join(", ")),
        }
    }
    let profile = &container["securityContext"]["seccompProfile"];
    page.field_if(2, "SeccompProfile", &profile["type"]);
    page.field_if(3, "LocalhostProfile", &profile["localhostProfile"]);
}

fn command(page: &mut Page, container: &Value) {
    for (title, field) in [("Command", "command"), ("Args", "args")] {
        let words = items(&container[field]);
        if !words.is_empty() {
            page.line(2, &format!("{title}:"));
        }
        for line in words.iter().flat_map(|word| text(word).split('\n')) {
            page.line(3, line);
        }
    }
}

/// Limits and requests.
pub(super) fn resources(page: &mut Page, level: usize, resources: &Value) {
    for (title, field) in [("Limits", "limits"), ("Requests", "requests")] {
        let mut quantities = pairs(&resources[field]).peekable();
        if quantities.peek().is_some() {
            page.line(level, &format!("{title}:"));
        }
        for (name, quantity) in quantities {
            page.field(level + 1, name, quantity);
        }
    }
}

fn state(page: &mut Page, title: &str, state: &Value) {
    if let Some(running) = state.get("running").filter(|running| running.is_object()) {
        page.field(2, title, "Running");
        page.field(3, "Started", date(&running["startedAt"]));
    } else if let Some(terminated) = state.get("terminated").filter(|state| state.is_object()) {
        page.field(2, title, "Terminated");
        page.field_if(3, "Reason", &terminated["reason"]);
        page.field_if(3, "Message", &terminated["message"]);
        page.field(3, "Exit Code", number(&terminated["exitCode"]));
        if number(&terminated["signal"]) > 0 {
            page.field(3, "Signal", number(&terminated["signal"]));
        }
        page.field(3, "Started", date(&terminated["startedAt"]));
        page.field(3, "Finished", date(&terminated["finishedAt"]));
    } else {
        page.field(2, title, "Waiting");
        page.field_if(3, "Reason", &state["waiting"]["reason"]);
    }
}

/// `http-get http://:8080/ delay=0s timeout=1s period=10s #success=1 #failure=3`
fn probe(probe: &Value) -> String {
    let count = |field: &str| number(&probe[field]);
    let attributes = format!(
        "delay={}s timeout={}s period={}s #success={} #failure={}",
        count("initialDelaySeconds"),
        count("timeoutSeconds"),
        count("periodSeconds"),
        count("successThreshold"),
        count("failureThreshold")
    );
    let is = |field: &str| probe[field].is_object();
    if is("exec") {
        let command: Vec<&str> = items(&probe["exec"]["command"]).iter().map(text).collect();
        format!("exec [{}] {attributes}", command.join(" "))
    } else if is("httpGet") {
        let get = &probe["httpGet"];
        let scheme = text(&get["scheme"]).to_lowercase();
        let scheme = if scheme.is_empty() { String::new() } else { format!("{scheme}:") };
        let (host, port) = (text(&get["host"]), int_or_text(&get["port"]));
        let path = text(&get["path"]);
        let slash = if path.is_empty() || path.starts_with('/') { "" } else { "/" };
        format!("http-get {scheme}//{host}:{port}{slash}{path} {attributes}")
    } else if is("tcpSocket") {
        let socket = &probe["tcpSocket"];
        let (host, port) = (text(&socket["host"]), int_or_text(&socket["port"]));
        format!("tcp-socket {host}:{port} {attributes}")
    } else if is("grpc") {
        let grpc = &probe["grpc"];
        let (port, service) = (number(&grpc["port"]), text(&grpc["service"]));
        format!("grpc <pod>:{port} {service} {attributes}")
    } else {
        format!("unknown {attributes}")
    }
}

fn environment_from(page: &mut Page, container: &Value) {
    let sources = items(&container["envFrom"]);
    if !sources.is_empty() {
        page.line(2, "Environment Variables from:");
    }
    for source in sources {
        let (from, reference) = match source.get("configMapRef").filter(|r| r.is_object()) {
            Some(reference) => ("ConfigMap", reference),
            None => ("Secret", &source["secretRef"]),
        };
        let (name, optional) = (text(&reference["name"]), reference["optional"] == true);
        let with = match text(&source["prefix"]) {
            "" => String::new(),
            prefix => format!(" with prefix '{prefix}'"),
        };
        page.line(3, &format!("{name}\t{from}{with}\tOptional: {optional}"));
    }
}

fn environment(page: &mut Page, container: &Value, pod: Option<&Value>) {
    let variables = items(&container["env"]);
    let none = if variables.is_empty() { "\t<none>" } else { "" };
    page.line(2, &format!("Environment:{none}"));
    for variable in variables {
        let (name, from) = (text(&variable["name"]), &variable["valueFrom"]);
        let is = |field: &str| from[field].is_object();
        if is("fieldRef") {
            let field = &from["fieldRef"];
            let (version, path) = (text(&field["apiVersion"]), text(&field["fieldPath"]));
            let value = pod.map(|pod| field_value(pod, path)).unwrap_or_default();
            page.field(3, name, format!("{value} ({version}:{path})"));
        } else if is("resourceFieldRef") {
            let resource = text(&from["resourceFieldRef"]["resource"]);
            page.field(3, name, format!("{} ({resource})", resource_value(container, resource)));
        } else if is("secretKeyRef") || is("configMapKeyRef") {
            let (reference, what) = if is("secretKeyRef") {
                (&from["secretKeyRef"], "in secret")
            } else {
                (&from["configMapKeyRef"], "of config map")
            };
            let (key, object) = (text(&reference["key"]), text(&reference["name"]));
            let optional = reference["optional"] == true;
            page.line(
                3,
                &format!(
                    "{name}:\t<set to the key '{key}' {what} '{object}'>\tOptional: {optional}"
                ),
            );
        } else {
            for (index, line) in text(&variable["value"]).split('\n').enumerate() {
                let title = if index == 0 { format!("{name}:") } else { String::new() };
                page.line(3, &format!("{title}\t{line}"));
            }
        }
    }
}

/// The value of a field that the downward API offers.
fn field_value(pod: &Value, path: &str) -> String {
    let map_value = |map: &Value, key: &str| text(&map[key.trim_matches(['\'', '"'])]).to_owned();
    if let Some((field, key)) = path.strip_suffix(']').and_then(|path| path.split_once('[')) {
        return match field {
            "metadata.labels" => map_value(&pod["metadata"]["labels"], key),
            "metadata.annotations" => map_value(&pod["metadata"]["annotations"], key),
            _ => String::new(),
        };
    }
    // As upstream, which knows no others here: the node's name stays empty.
    match path {
        "metadata.name" | "metadata.namespace" | "metadata.uid" => {
            let field = path.rsplit('.').next().unwrap_or_default();
            text(&pod["metadata"][field]).to_owned()
        }
        _ => String::new(),
    }
}

fn resource_value(container: &Value, resource: &str) -> String {
    let (list, name) = resource.split_once('.').unwrap_or((resource, ""));
    match text(&container["resources"][list][name]) {
        "" if matches!(resource, "limits.cpu" | "limits.memory") => "node allocatable".to_owned(),
        "" => "0".to_owned(),
        quantity => quantity.parse().map_or(0, Amount::value).to_string(),
    }
}

fn mounts(page: &mut Page, container: &Value) {
    let mut mounts: Vec<&Value> = items(&container["volumeMounts"]).iter().collect();
    mounts.sort_by_key(|mount| text(&mount["mountPath"]));
    let none = if mounts.is_empty() { "\t<none>" } else { "" };
    page.line(2, &format!("Mounts:{none}"));
    for mount in mounts {
        let mut flags = vec![if mount["readOnly"] == true { "ro" } else { "rw" }.to_owned()];
        if let Some(path) = mount["subPath"].as_str().filter(|path| !path.is_empty()) {
            flags.push(format!("path={}", quote(path)));
        }
        let (path, name) = (text(&mount["mountPath"]), text(&mount["name"]));
        page.line(3, &format!("{path} from {name} ({})", flags.join(",")));
    }
    let devices = items(&container["volumeDevices"]);
    if !devices.is_empty() {
        page.line(2, "Devices:");
    }
    for device in devices {
        page.line(3, &format!("{} from {}", or_none(&device["devicePath"]), text(&device["name"])));
    }
}
