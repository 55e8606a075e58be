//! The environment of a container.
//!
//! Upstream: `makeEnvironmentVariables` in `pkg/kubelet/kubelet_pods.go`,
//! `pkg/kubelet/envvars/envvars.go`.

use super::expansion::expand;
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, EnvVarSource, Node, ObjectFieldSelector, Pod, ResourceFieldSelector,
    Secret, Service,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use naru_api::Key;
use naru_api::quantity::Amount;
use naru_client::{Cache, Client};
use std::collections::BTreeMap;

/// Everything that values of variables come from.
pub struct Sources<'a, 'c> {
    /// The pod.
    pub pod: &'a Pod,
    /// Its address; "" before it has one.
    pub pod_ip: &'a str,
    /// The node's address.
    pub host_ip: &'a str,
    /// What the kubelet has seen: services.
    pub cache: &'a Cache,
    /// For ConfigMaps and Secrets.
    pub client: &'a mut Client<'c>,
}

/// The variables of a container. The error is the message of `CreateContainerConfigError`.
pub fn environment(
    container: &Container,
    sources: &mut Sources<'_, '_>,
) -> Result<BTreeMap<String, String>, String> {
    let mut env = service_environment(sources.cache, sources.pod);
    let mut own = BTreeMap::new();
    for from in container.env_from.iter().flatten() {
        let prefix = from.prefix.as_deref().unwrap_or_default();
        if let Some(source) = &from.config_map_ref {
            let data = config_map(sources, &source.name, source.optional)?;
            own.extend(data.into_iter().map(|(key, value)| (format!("{prefix}{key}"), value)));
        }
        if let Some(source) = &from.secret_ref {
            let data = secret(sources, &source.name, source.optional)?;
            own.extend(data.into_iter().map(|(key, value)| (format!("{prefix}{key}"), value)));
        }
    }
    for variable in container.env.iter().flatten() {
        let value = match (&variable.value, &variable.value_from) {
            (Some(value), _) if !value.is_empty() => {
                Some(expand(value, |name| own.get(name).or_else(|| env.get(name)).cloned()))
            }
            (_, Some(source)) => from_source(container, source, sources)?,
            _ => Some(String::new()),
        };
        if let Some(value) = value {
            own.insert(variable.name.clone(), value);
        }
    }
    env.extend(own);
    Ok(env)
}

/// `None` when an optional source is not there: the variable is not set then.
fn from_source(
    container: &Container,
    source: &EnvVarSource,
    sources: &mut Sources<'_, '_>,
) -> Result<Option<String>, String> {
    if let Some(field) = &source.field_ref {
        return field_value(sources.pod, field, sources.pod_ip, sources.host_ip).map(Some);
    }
    if let Some(resource) = &source.resource_field_ref {
        let name = sources.pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
        let node = sources.cache.get::<Node>(&Key::new("", name.unwrap_or_default()));
        return resource_value(container, sources.pod, resource, node).map(Some);
    }
    let (kind, name, key, optional, data) = if let Some(source) = &source.config_map_key_ref {
        let data = config_map(sources, &source.name, source.optional)?;
        ("ConfigMap", &source.name, &source.key, source.optional, data)
    } else if let Some(source) = &source.secret_key_ref {
        let data = secret(sources, &source.name, source.optional)?;
        ("Secret", &source.name, &source.key, source.optional, data)
    } else {
        return Ok(Some(String::new()));
    };
    match data.get(key) {
        Some(value) => Ok(Some(value.clone())),
        None if optional == Some(true) => Ok(None),
        None => {
            let namespace = sources.pod.metadata.namespace.as_deref().unwrap_or_default();
            Err(format!("couldn't find key {key} in {kind} {namespace}/{name}"))
        }
    }
}

fn config_map(
    sources: &mut Sources<'_, '_>,
    name: &str,
    optional: Option<bool>,
) -> Result<BTreeMap<String, String>, String> {
    let namespace = sources.pod.metadata.namespace.clone().unwrap_or_default();
    match sources.client.get::<ConfigMap>(&namespace, name) {
        Ok(found) => Ok(found.data.clone().unwrap_or_default()),
        Err(error) if error.is_not_found() && optional == Some(true) => Ok(BTreeMap::new()),
        // The kubelet's own manager of ConfigMaps says it, and names the kind as it likes.
        Err(error) if error.is_not_found() => Err(format!("configmap \"{name}\" not found")),
        Err(error) => Err(error.message().to_owned()),
    }
}

fn secret(
    sources: &mut Sources<'_, '_>,
    name: &str,
    optional: Option<bool>,
) -> Result<BTreeMap<String, String>, String> {
    let namespace = sources.pod.metadata.namespace.clone().unwrap_or_default();
    match sources.client.get::<Secret>(&namespace, name) {
        Ok(found) => {
            let data = found.data.iter().flatten();
            Ok(data
                .map(|(key, bytes)| (key.clone(), String::from_utf8_lossy(&bytes.0).into_owned()))
                .collect())
        }
        Err(error) if error.is_not_found() && optional == Some(true) => Ok(BTreeMap::new()),
        Err(error) if error.is_not_found() => Err(format!("secret \"{name}\" not found")),
        Err(error) => Err(error.message().to_owned()),
    }
}

/// The value of a field of the pod, as the downward API gives it.
pub fn field_value(
    pod: &Pod,
    field: &ObjectFieldSelector,
    pod_ip: &str,
    host_ip: &str,
) -> Result<String, String> {
    let (meta, spec) = (&pod.metadata, pod.spec.as_ref());
    let text = |value: Option<&String>| value.cloned().unwrap_or_default();
    let path = field.field_path.as_str();
    if let Some((map, key)) = subscript(path) {
        let map = match map {
            "metadata.labels" => meta.labels.as_ref(),
            "metadata.annotations" => meta.annotations.as_ref(),
            _ => return Err(format!("unsupported fieldPath: {path}")),
        };
        return Ok(text(map.and_then(|map| map.get(key))));
    }
    Ok(match path {
        "metadata.name" => text(meta.name.as_ref()),
        "metadata.namespace" => text(meta.namespace.as_ref()),
        "metadata.uid" => text(meta.uid.as_ref()),
        "metadata.labels" => lines(meta.labels.as_ref()),
        "metadata.annotations" => lines(meta.annotations.as_ref()),
        "spec.nodeName" => text(spec.and_then(|spec| spec.node_name.as_ref())),
        "spec.serviceAccountName" => text(spec.and_then(|spec| spec.service_account_name.as_ref())),
        "status.hostIP" | "status.hostIPs" => host_ip.to_owned(),
        "status.podIP" | "status.podIPs" => pod_ip.to_owned(),
        _ => return Err(format!("unsupported fieldPath: {path}")),
    })
}

/// `metadata.labels['app']` as map and key.
fn subscript(path: &str) -> Option<(&str, &str)> {
    path.strip_suffix("']")?.split_once("['")
}

/// A map as the downward API writes it: `key="value"` by lines.
fn lines(map: Option<&BTreeMap<String, String>>) -> String {
    let lines: Vec<String> = map
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", naru_api::gofmt::quote(value)))
        .collect();
    lines.join("\n")
}

/// The value of a container's request or limit, as the downward API gives it.
pub fn resource_value(
    own: &Container,
    pod: &Pod,
    selector: &ResourceFieldSelector,
    node: Option<&Node>,
) -> Result<String, String> {
    let name = selector.container_name.as_deref().unwrap_or(&own.name);
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let container = if name == own.name {
        Some(own)
    } else {
        containers.into_iter().find(|container| container.name == name)
    };
    let container = container.ok_or_else(|| format!("container {name} not found"))?;
    let resources = container.resources.clone().unwrap_or_default().into_inner();
    let path = selector.resource.as_str();
    let (list, resource) = match path.split_once('.') {
        Some(("limits", resource)) => (resources.limits, resource),
        Some(("requests", resource)) => (resources.requests, resource),
        _ => return Err(format!("unsupported container resource : {path}")),
    };
    let list = list.unwrap_or_default();
    let is_zero = |quantity: &&Quantity| Amount::of(quantity).is_zero();
    let given = list.get(resource).filter(|quantity| !is_zero(quantity));
    // What is not limited may take all that the node has.
    // Upstream: `MergeContainerResourceLimits` in `pkg/api/v1/resource/helpers.go`.
    let free = path.starts_with("limits.") && FREE_WITHOUT_LIMIT.contains(&resource);
    let allocatable = || node?.status.as_ref()?.allocatable.as_ref()?.get(resource);
    let given = given.or_else(|| allocatable().filter(|_| free));
    let given = given.map_or_else(|| "0".to_owned(), |quantity| quantity.0.clone());
    let divisor = selector.divisor.as_ref().map_or("1", |quantity| quantity.0.as_str()).to_owned();
    quotient(&given, &divisor).ok_or_else(|| format!("unsupported container resource : {path}"))
}

/// Resources of which a container may take as much as there is where no limit is said.
const FREE_WITHOUT_LIMIT: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// The quotient, rounded up. A divisor of 0 stands for 1.
fn quotient(value: &str, divisor: &str) -> Option<String> {
    let millis = |text: &str| text.parse::<Amount>().ok().map(Amount::milli_value);
    let (value, divisor) = (millis(value)?, millis(divisor)?);
    let divisor = if divisor == 0 { 1_000 } else { divisor };
    Some(value.saturating_add(divisor - 1).checked_div(divisor)?.to_string())
}

/// `REDIS_SERVICE_HOST` and its kin for the services of the pod's namespace, and `KUBERNETES_…`.
fn service_environment(cache: &Cache, pod: &Pod) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    let links = pod.spec.as_ref().and_then(|spec| spec.enable_service_links).unwrap_or(true);
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    for service in cache.list::<Service>("default") {
        if service.metadata.name.as_deref() == Some("kubernetes") {
            add_service(&mut env, service);
        }
    }
    if links {
        for service in cache.list::<Service>(namespace) {
            add_service(&mut env, service);
        }
    }
    env
}

fn add_service(env: &mut BTreeMap<String, String>, service: &Service) {
    let (Some(name), Some(spec)) = (&service.metadata.name, &service.spec) else { return };
    let Some(ip) = spec.cluster_ip.as_deref().filter(|ip| !matches!(*ip, "" | "None")) else {
        return;
    };
    let Some(ports) = spec.ports.as_deref().filter(|ports| !ports.is_empty()) else { return };
    // Joined and not formatted: every container has all of them.
    let prefix = variable_name(name);
    env.insert([prefix.as_str(), "_SERVICE_HOST"].concat(), ip.to_owned());
    for (index, port) in ports.iter().enumerate() {
        let number = port.port.to_string();
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        let lower = protocol.to_lowercase();
        let url = [lower.as_str(), "://", ip, ":", &number].concat();
        if index == 0 {
            env.insert([prefix.as_str(), "_SERVICE_PORT"].concat(), number.clone());
            env.insert([prefix.as_str(), "_PORT"].concat(), url.clone());
        }
        if let Some(name) = port.name.as_deref().filter(|name| !name.is_empty()) {
            let key = [prefix.as_str(), "_SERVICE_PORT_", &variable_name(name)].concat();
            env.insert(key, number.clone());
        }
        let key = [prefix.as_str(), "_PORT_", &number, "_", protocol].concat();
        env.insert([key.as_str(), "_PROTO"].concat(), lower);
        env.insert([key.as_str(), "_PORT"].concat(), number);
        env.insert([key.as_str(), "_ADDR"].concat(), ip.to_owned());
        env.insert(key, url);
    }
}

fn variable_name(name: &str) -> String {
    name.to_uppercase().replace(['-', '.'], "_")
}

/// Command and arguments of a container over an image's, with variables put in.
pub fn command_line(
    container: &Container,
    entrypoint: &[String],
    cmd: &[String],
    env: &BTreeMap<String, String>,
) -> Vec<String> {
    let given = |list: &Option<Vec<String>>| {
        list.iter()
            .flatten()
            .map(|text| expand(text, |name| env.get(name).cloned()))
            .collect::<Vec<_>>()
    };
    let (command, args) = (given(&container.command), given(&container.args));
    match (command.is_empty(), args.is_empty()) {
        (true, true) => [entrypoint, cmd].concat(),
        (true, false) => [entrypoint, &args].concat(),
        (false, _) => [command, args].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::{ServicePort, ServiceSpec};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn commands_and_arguments_over_an_image() {
        let (entrypoint, cmd) = (strings(&["e"]), strings(&["c"]));
        let env = BTreeMap::from([("X".to_owned(), "1".to_owned())]);
        let table: [(&[&str], &[&str], &[&str]); 4] = [
            (&[], &[], &["e", "c"]),
            (&[], &["$(X)"], &["e", "1"]),
            (&["sh"], &[], &["sh"]),
            (&["sh"], &["-c", "$(Y)"], &["sh", "-c", "$(Y)"]),
        ];
        for (command, args, expected) in table {
            let container = Container {
                command: Some(strings(command)),
                args: Some(strings(args)),
                ..Container::default()
            };
            assert_eq!(command_line(&container, &entrypoint, &cmd, &env), expected);
        }
    }

    #[test]
    fn services_become_variables() {
        let port = ServicePort {
            name: Some("web-ui".to_owned()),
            port: 80,
            protocol: Some("TCP".to_owned()),
            ..ServicePort::default()
        };
        let service = Service {
            metadata: ObjectMeta { name: Some("my-app".to_owned()), ..ObjectMeta::default() },
            spec: Some(ServiceSpec {
                cluster_ip: Some("10.96.0.9".to_owned()),
                ports: Some(vec![port]),
                ..ServiceSpec::default()
            }),
            ..Service::default()
        };
        let mut env = BTreeMap::new();
        add_service(&mut env, &service);
        let lines: Vec<String> = env.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(
            lines,
            [
                "MY_APP_PORT=tcp://10.96.0.9:80",
                "MY_APP_PORT_80_TCP=tcp://10.96.0.9:80",
                "MY_APP_PORT_80_TCP_ADDR=10.96.0.9",
                "MY_APP_PORT_80_TCP_PORT=80",
                "MY_APP_PORT_80_TCP_PROTO=tcp",
                "MY_APP_SERVICE_HOST=10.96.0.9",
                "MY_APP_SERVICE_PORT=80",
                "MY_APP_SERVICE_PORT_WEB_UI=80",
            ]
        );
    }

    #[test]
    fn fields_of_a_pod() {
        let pod = Pod {
            metadata: ObjectMeta {
                name: Some("web".to_owned()),
                labels: Some([("app".to_owned(), "w".to_owned())].into()),
                ..ObjectMeta::default()
            },
            ..Pod::default()
        };
        let value = |path: &str| {
            let field = ObjectFieldSelector { field_path: path.to_owned(), api_version: None };
            field_value(&pod, &field, "10.244.1.2", "172.18.0.3")
        };
        assert_eq!(value("metadata.name").unwrap(), "web");
        assert_eq!(value("metadata.labels").unwrap(), "app=\"w\"");
        assert_eq!(value("metadata.labels['app']").unwrap(), "w");
        assert_eq!(value("status.podIP").unwrap(), "10.244.1.2");
        assert!(value("status.phase").is_err());
    }
}
