//! `kubectl port-forward`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/portforward/portforward.go`,
//! `k8s.io/client-go/tools/portforward/portforward.go`.

use crate::builder::Builder;
use crate::command::Command;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::podsfor;
use crate::process::{Next, Outcome, Task};
use naru_api::Object;
use naru_api::gofmt::quote;
use naru_api::service::{Connect, Stream, StreamId};
use naru_shell::{Errno, NetStack, SocketId};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// `kubectl port-forward`
pub static COMMAND: Command = Command {
    usage: "port-forward TYPE/NAME [options] [LOCAL_PORT:]REMOTE_PORT \
            [...[LOCAL_PORT_N:]REMOTE_PORT_N]",
    short: "Forward one or more local ports to a pod",
    long: "Forward one or more local ports to a pod.\n\n TYPE/NAME may be a deployment or a \
           service: one of its pods is chosen, and kept until the\n command ends. A service is not \
           load-balanced that way.",
    examples: "# Local port 8080 leads to port 80 of a pod\nkubectl port-forward pod/web 8080:80\n\n\
               # To a pod of a deployment, from a port of the same number\n\
               kubectl port-forward deployment/web 5000\n\n\
               # To the port that a service names\nkubectl port-forward service/web 8443:https\n\n\
               # From any free port\nkubectl port-forward pod/web :80",
    flags: &[FLAGS],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag {
        default: "[localhost]",
        ..Flag::slice("address", "Addresses to listen on: localhost, or IP addresses.")
    },
    Flag::duration("pod-running-timeout", "1m0s", "How long to wait for a pod."),
];

/// Connections that are forwarded at once.
const CONNECTIONS_MAX: usize = 256;
/// Bytes carried in one step.
const CHUNK: usize = 64 * 1024;

/// A local and a remote port.
#[derive(Clone, Copy, Debug)]
struct Ports {
    local: u16,
    remote: u16,
}

fn run(cx: &mut Context<'_>) -> Outcome {
    let Some((resource, ports)) = cx.args().split_first().filter(|(_, ports)| !ports.is_empty())
    else {
        let text = "TYPE/NAME and list of ports are required for port-forward";
        return Err(cx.invocation.usage_error(text));
    };
    if cx.flags().duration_ns("pod-running-timeout") <= 0 {
        let text = "--pod-running-timeout must be higher than zero";
        return Err(cx.invocation.usage_error(text));
    }
    let builder = Builder::new(cx)?.named("pods", std::slice::from_ref(resource));
    let mut objects = builder.build(cx)?.fetch_all(cx)?;
    let Some(object) = objects.pop() else { return Err(Failure::message("expected a resource")) };
    let pod = pod_of(cx, &object)?;
    let json = pod.content_json().unwrap_or_default();
    let target = object.content_json().unwrap_or_default();
    let ports = match &*object.kind().kind {
        "Service" => service_ports(ports, &target, &json)?,
        _ => pod_ports(ports, &json)?,
    };
    let phase = json["status"]["phase"].as_str().unwrap_or_default();
    if phase != "Running" {
        return Err(Failure::Message(format!(
            "unable to forward port because pod is not running. Current status={phase}"
        )));
    }
    let ports = ports.iter().map(|text| parse(text)).collect::<Result<Vec<Ports>>>()?;
    let addresses = addresses(cx)?;
    let listeners = listen(cx, &ports, &addresses)?;
    let (namespace, pod) = (pod.namespace().to_owned(), pod.name().to_owned());
    let mut sandbox = [0; 32];
    cx.sys.rng().fork("portforward").fill(&mut sandbox);
    let sandbox = naru_api::gofmt::hex(&sandbox);
    cx.start(Forwarding { namespace, pod, sandbox, listeners, open: Vec::new() })
}

fn pod_of(cx: &mut Context<'_>, object: &Object) -> Result<Object> {
    if object.kind().group_kind() == "Pod" {
        return Ok(object.clone());
    }
    let pods = podsfor::pods_of(cx, object, "attach to", podsfor::by_activity)?;
    pods.into_iter().next().ok_or_else(|| Failure::message("expected a resource"))
}

/// Local and remote, which are one where only one is given.
fn split(port: &str) -> (&str, &str) {
    match port.split_once(':') {
        Some((local, remote)) if !remote.contains(':') => (local, remote),
        Some((first, _)) => (first, first),
        None => (port, port),
    }
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    pod["spec"]["containers"].as_array().into_iter().flatten()
}

fn container_port(pod: &Value, name: &str) -> Option<i64> {
    let ports = containers(pod).flat_map(|c| c["ports"].as_array().into_iter().flatten());
    ports.into_iter().find(|port| port["name"] == name)?["containerPort"].as_i64()
}

/// Upstream: `checkUDPPorts`.
fn refuse_udp(ports: &[Value], field: &str, number: i64, shown: &str) -> Result<()> {
    let of = |protocol: &str| {
        ports.iter().any(|port| {
            port[field] == number && port["protocol"].as_str().unwrap_or("TCP") == protocol
        })
    };
    if of("UDP") && !of("TCP") {
        return Err(Failure::Message(format!("UDP protocol is not supported for {shown}")));
    }
    Ok(())
}

/// Upstream: `convertPodNamedPortToNumber`.
fn pod_ports(ports: &[String], pod: &Value) -> Result<Vec<String>> {
    let known: Vec<Value> =
        containers(pod).flat_map(|c| c["ports"].as_array().cloned().unwrap_or_default()).collect();
    let mut converted = Vec::new();
    for port in ports {
        let (local, remote) = split(port);
        if remote.is_empty() {
            return Err(Failure::message("remote port cannot be empty"));
        }
        let number = match remote.parse::<i64>() {
            Ok(number) => number,
            Err(_) => container_port(pod, remote).ok_or_else(|| {
                let pod = pod["metadata"]["name"].as_str().unwrap_or_default();
                Failure::Message(format!("Pod '{pod}' does not have a named port '{remote}'"))
            })?,
        };
        refuse_udp(&known, "containerPort", number, remote)?;
        converted.push(match local == remote {
            true => number.to_string(),
            false => format!("{local}:{number}"),
        });
    }
    Ok(converted)
}

/// Upstream: `translateServicePortToTargetPort`.
fn service_ports(ports: &[String], service: &Value, pod: &Value) -> Result<Vec<String>> {
    let known = service["spec"]["ports"].as_array().cloned().unwrap_or_default();
    let service_name = service["metadata"]["name"].as_str().unwrap_or_default();
    let mut translated = Vec::new();
    for port in ports {
        let (mut local, remote) = split(port);
        let number_text;
        let number = match remote.parse::<i64>() {
            Ok(number) => number,
            Err(_) => {
                let named = known.iter().find(|port| port["name"] == remote);
                let number = named.and_then(|port| port["port"].as_i64()).ok_or_else(|| {
                    Failure::Message(format!(
                        "Service '{service_name}' does not have a named port '{remote}'"
                    ))
                })?;
                if local == remote {
                    number_text = number.to_string();
                    local = &number_text;
                }
                number
            }
        };
        refuse_udp(&known, "port", number, remote)?;
        let of_service = known.iter().find(|port| port["port"] == number).ok_or_else(|| {
            Failure::Message(format!(
                "Service {service_name} does not have a service port {number}"
            ))
        })?;
        let target = target_port(of_service, service, pod, number)?;
        translated.push(match local == target.to_string() {
            true => target.to_string(),
            false => format!("{local}:{target}"),
        });
    }
    Ok(translated)
}

/// Upstream: `LookupContainerPortNumberByServicePort`.
fn target_port(port: &Value, service: &Value, pod: &Value, number: i64) -> Result<i64> {
    if service["spec"]["clusterIP"] == "None" {
        return Ok(number);
    }
    match &port["targetPort"] {
        Value::String(name) => container_port(pod, name).ok_or_else(|| {
            let pod = pod["metadata"]["name"].as_str().unwrap_or_default();
            Failure::Message(format!("Pod '{pod}' does not have a named port '{name}'"))
        }),
        target => match target.as_i64() {
            None | Some(0) => Ok(number),
            Some(target) => Ok(target),
        },
    }
}

/// Upstream: `parsePorts`.
fn parse(text: &str) -> Result<Ports> {
    let parts: Vec<&str> = text.split(':').collect();
    let (local, remote) = match parts.as_slice() {
        [port] => (*port, *port),
        [local, remote] => (if local.is_empty() { "0" } else { local }, *remote),
        _ => return Err(Failure::Message(format!("invalid port format '{text}'"))),
    };
    let number = |text: &str, which: &str| {
        text.parse::<u16>().map_err(|why| {
            let why = match why.kind() {
                std::num::IntErrorKind::PosOverflow => "value out of range",
                _ => "invalid syntax",
            };
            let shown = quote(text);
            Failure::Message(format!(
                "error parsing {which} port '{text}': strconv.ParseUint: parsing {shown}: {why}"
            ))
        })
    };
    let (local, remote) = (number(local, "local")?, number(remote, "remote")?);
    if remote == 0 {
        return Err(Failure::message("remote port must be > 0"));
    }
    Ok(Ports { local, remote })
}

/// Where to listen; the flag says whether all of them have to work.
fn addresses(cx: &Context<'_>) -> Result<Vec<Vec<IpAddr>>> {
    let named = cx.flags().list("address");
    let localhost = || vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    if named.is_empty() {
        return Ok(vec![localhost()]);
    }
    named
        .iter()
        .map(|address| match address.as_str() {
            "localhost" => Ok(localhost()),
            address => address.parse().map(|ip| vec![ip]).map_err(|_| {
                Failure::Message(format!(
                    "error creating error dialing backend: {address} is not a valid IP"
                ))
            }),
        })
        .collect()
}

#[derive(Clone, Debug)]
struct Listener {
    socket: SocketId,
    local: u16,
    remote: u16,
}

/// The network of the machine.
pub fn net<'a>(cx: &'a mut Context<'_>) -> Result<&'a mut dyn NetStack> {
    cx.sys.net().ok_or_else(|| Failure::message("this machine has no network"))
}

/// Upstream: `listenOnPort`.
fn listen(
    cx: &mut Context<'_>,
    ports: &[Ports],
    addresses: &[Vec<IpAddr>],
) -> Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    for port in ports {
        let (mut errors, before) = (Vec::new(), listeners.len());
        let mut local = port.local;
        for address in addresses.iter().flatten() {
            let opened = net(cx)?.tcp_listen(SocketAddr::new(*address, local)).and_then(|socket| {
                let stack = cx.sys.net().ok_or(Errno::NetUnreachable)?;
                Ok((socket, stack.local_addr(socket)?))
            });
            match opened {
                Ok((socket, at)) => {
                    local = at.port();
                    cx.line(&format!("Forwarding from {at} -> {}", port.remote));
                    listeners.push(Listener { socket, local, remote: port.remote });
                }
                Err(errno) => {
                    let family = if address.is_ipv4() { "tcp4" } else { "tcp6" };
                    let at = SocketAddr::new(*address, local);
                    let why = errno.to_string().to_lowercase();
                    errors.push(format!(
                        "unable to create listener: Error listen {family} {at}: bind: {why}"
                    ));
                }
            }
        }
        if listeners.len() == before {
            let errors = errors.join(" ");
            cx.err_line(&format!(
                "Unable to listen on port {}: Listeners failed to create with the following errors: \
                 [{errors}]",
                port.local
            ));
        }
    }
    if listeners.is_empty() {
        let shown: Vec<String> =
            ports.iter().map(|port| format!("{{{} {}}}", port.local, port.remote)).collect();
        let shown = shown.join(" ");
        return Err(Failure::Message(format!(
            "unable to listen on any of the requested ports: [{shown}]"
        )));
    }
    Ok(listeners)
}

/// A connection that is carried.
#[derive(Clone, Debug)]
struct Connection {
    socket: SocketId,
    stream: StreamId,
    local: u16,
    remote: u16,
    /// From the pod, not yet taken by the socket.
    pending: Vec<u8>,
    /// The client will send no more.
    client_done: bool,
}

#[derive(Clone, Debug)]
struct Forwarding {
    namespace: String,
    pod: String,
    /// What the container runtime calls the pod: its server is spoken with, and nobody else.
    sandbox: String,
    listeners: Vec<Listener>,
    open: Vec<Connection>,
}

impl Task for Forwarding {
    fn poll(mut self: Box<Self>, cx: &mut Context<'_>) -> Outcome {
        let mut lost = self.accept(cx)?;
        let mut open = std::mem::take(&mut self.open);
        open.retain_mut(|connection| match carry(cx, connection) {
            Ok(more) => more,
            Err(why) => {
                lost.get_or_insert((connection.local, connection.remote, why));
                false
            }
        });
        self.open = open;
        if let Some((local, remote, why)) = lost {
            let text = format!("an error occurred forwarding {local} -> {remote}: {why}");
            cx.klog_error("portforward.go:424", &text);
            self.cancel(cx);
            return Err(Failure::message("lost connection to pod"));
        }
        Ok(Next::Wait(self, None))
    }

    fn cancel(&mut self, cx: &mut Context<'_>) {
        for connection in self.open.drain(..) {
            close(cx, &connection);
        }
        for listener in self.listeners.drain(..) {
            if let Some(net) = cx.sys.net() {
                net.close(listener.socket);
            }
        }
    }
}

/// A connection that failed: its local and its remote port, and why.
type Lost = (u16, u16, String);

impl Forwarding {
    fn accept(&mut self, cx: &mut Context<'_>) -> Result<Option<Lost>> {
        for listener in &self.listeners {
            while self.open.len() < CONNECTIONS_MAX {
                let Ok((socket, _)) = net(cx)?.accept(listener.socket) else { break };
                let Listener { local, remote, .. } = *listener;
                cx.line(&format!("Handling connection for {local}"));
                let connect = Connect::PortForward { port: remote };
                let stream = match cx.connect(&self.namespace, &self.pod, "", connect) {
                    Err(Failure::Api(error)) if error.is_not_found() => {
                        net(cx)?.close(socket);
                        return Ok(Some((local, remote, self.forgotten(remote))));
                    }
                    stream => stream?,
                };
                let (pending, client_done) = (Vec::new(), false);
                self.open.push(Connection { socket, stream, local, remote, pending, client_done });
            }
        }
        Ok(None)
    }

    /// Upstream asks the API server once, at the start. Later the container runtime knows the pod,
    /// or does not: `portForward` in containerd's `internal/cri/server/sandbox_portforward_linux.go`.
    fn forgotten(&self, port: u16) -> String {
        let sandbox = &self.sandbox;
        let shown = quote(sandbox);
        format!(
            "error forwarding port {port} to pod {sandbox}, uid : failed to find sandbox {shown} in \
             store: not found"
        )
    }
}

fn close(cx: &mut Context<'_>, connection: &Connection) {
    cx.disconnect(connection.stream);
    if let Some(net) = cx.sys.net() {
        net.close(connection.socket);
    }
}

/// Carries what there is, both ways: whether there may be more. The error is what the kubelet says.
fn carry(cx: &mut Context<'_>, connection: &mut Connection) -> std::result::Result<bool, String> {
    let id = connection.stream;
    let Some(net) = cx.sys.net() else { return Ok(false) };
    let mut sent = Vec::new();
    let mut client_gone = false;
    if !connection.client_done {
        match net.recv(connection.socket, CHUNK) {
            Err(Errno::Again) => {}
            Ok(bytes) if bytes.is_empty() => connection.client_done = true,
            Ok(bytes) => sent = bytes,
            Err(_) => client_gone = true,
        }
    }
    if client_gone {
        close(cx, connection);
        return Ok(false);
    }
    let Some(api) = cx.sys.api() else { return Ok(false) };
    let Some(stream) = api.stream(id) else { return Ok(false) };
    stream.stdin.extend(sent);
    stream.stdin_closed |= connection.client_done;
    if connection.pending.len() < Stream::BUFFER_MAX {
        connection.pending.extend(stream.stdout.drain(..));
    }
    let result = stream.result.clone();
    if !connection.pending.is_empty()
        && let Some(net) = cx.sys.net()
    {
        match net.send(connection.socket, &connection.pending) {
            Ok(taken) => drop(connection.pending.drain(..taken)),
            Err(Errno::Again) => {}
            Err(_) => {
                close(cx, connection);
                return Ok(false);
            }
        }
    }
    match result {
        Some(result) if connection.pending.is_empty() => {
            close(cx, connection);
            result.map(|_| false).map_err(|error| error.message().to_owned())
        }
        _ => Ok(true),
    }
}
