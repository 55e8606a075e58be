//! Probes and lifecycle hooks.
//!
//! Upstream: `validateProbe`, `validateLifecycle`, `validateHandler`.

use super::{Errors, NOT_NEGATIVE, port_number, port_or_name, required};
use crate::{FieldError, Path};
use k8s_openapi::api::core::v1::{
    Container, ExecAction, HTTPGetAction, LifecycleHandler, PodSpec, Probe, SleepAction,
    TCPSocketAction,
};

/// What is wrong with the probes and the hooks of a container that keeps running.
pub(super) fn validate(
    container: &Container,
    spec: &PodSpec,
    item: &Path<'_>,
    errors: &mut Errors,
) {
    if let Some(lifecycle) = &container.lifecycle {
        let path = item.child("lifecycle");
        let hooks = [("postStart", &lifecycle.post_start), ("preStop", &lifecycle.pre_stop)];
        for (field, hook) in hooks {
            if let Some(hook) = hook {
                self::hook(hook, spec, &path.child(field), errors);
            }
        }
    }
    let once = [
        ("livenessProbe", &container.liveness_probe),
        ("readinessProbe", &container.readiness_probe),
        ("startupProbe", &container.startup_probe),
    ];
    for (field, probe) in once {
        let Some(probe) = probe else { continue };
        let path = item.child(field);
        self::probe(probe, &path, errors);
        if field == "readinessProbe" {
            if let Some(seconds) = probe.termination_grace_period_seconds {
                let detail = "must not be set for readinessProbes";
                let field = path.child("terminationGracePeriodSeconds");
                errors.push(FieldError::invalid_raw(field, seconds, detail));
            }
        } else if let Some(number) = probe.success_threshold.filter(|number| *number != 1) {
            let field = path.child("successThreshold");
            errors.push(FieldError::invalid_raw(field, number, "must be 1"));
        }
    }
}

fn probe(probe: &Probe, path: &Path<'_>, errors: &mut Errors) {
    let mut actions = Actions { count: 0, path, errors };
    actions.exec(probe.exec.as_ref());
    actions.http_get(probe.http_get.as_ref());
    actions.tcp_socket(probe.tcp_socket.as_ref());
    if let Some(grpc) = &probe.grpc
        && actions.is_first("grpc")
    {
        port_number(grpc.port, &path.child("grpc").child("port"), actions.errors);
    }
    actions.end();
    let numbers = [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ];
    for (field, number) in numbers {
        if let Some(number) = number.filter(|number| *number < 0) {
            errors.push(FieldError::invalid_raw(path.child(field), number, NOT_NEGATIVE));
        }
    }
    if let Some(seconds) = probe.termination_grace_period_seconds.filter(|seconds| *seconds <= 0) {
        let field = path.child("terminationGracePeriodSeconds");
        errors.push(FieldError::invalid_raw(field, seconds, "must be greater than 0"));
    }
}

fn hook(hook: &LifecycleHandler, spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let mut actions = Actions { count: 0, path, errors };
    actions.exec(hook.exec.as_ref());
    actions.http_get(hook.http_get.as_ref());
    actions.tcp_socket(hook.tcp_socket.as_ref());
    if let Some(sleep) = &hook.sleep
        && actions.is_first("sleep")
    {
        self::sleep(sleep, spec, &path.child("sleep"), actions.errors);
    }
    actions.end();
}

fn sleep(sleep: &SleepAction, spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let Some(grace) = spec.termination_grace_period_seconds else { return };
    if sleep.seconds < 0 || sleep.seconds > grace {
        let detail =
            format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
        errors.push(FieldError::invalid_raw(path, sleep.seconds, &detail));
    }
}

/// Goes through the actions of a handler, of which there must be one.
struct Actions<'a> {
    count: u8,
    path: &'a Path<'a>,
    errors: &'a mut Errors,
}

impl Actions<'_> {
    /// Counts an action; answers whether it is the first and so the one to look into.
    fn is_first(&mut self, name: &str) -> bool {
        self.count += 1;
        if self.count > 1 {
            let detail = "may not specify more than 1 handler type";
            self.errors.push(FieldError::forbidden(self.path.child(name), detail));
        }
        self.count == 1
    }

    fn exec(&mut self, exec: Option<&ExecAction>) {
        if let Some(exec) = exec
            && self.is_first("exec")
            && exec.command.as_ref().is_none_or(|command| command.is_empty())
        {
            let path = self.path.child("exec");
            self.errors.push(FieldError::required(path.child("command"), ""));
        }
    }

    fn http_get(&mut self, get: Option<&HTTPGetAction>) {
        let Some(get) = get else { return };
        if !self.is_first("httpGet") {
            return;
        }
        let path = self.path.child("httpGet");
        required(get.path.as_deref().unwrap_or_default(), &path.child("path"), self.errors);
        port_or_name(&get.port, &path.child("port"), self.errors);
        let scheme = get.scheme.as_deref().unwrap_or_default();
        if !matches!(scheme, "HTTP" | "HTTPS") {
            let field = path.child("scheme");
            self.errors.push(FieldError::not_supported(field, scheme, &["HTTP", "HTTPS"]));
        }
        for header in get.http_headers.iter().flatten() {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            if header.name.is_empty() || !header.name.bytes().all(allowed) {
                let detail = "a valid HTTP header must consist of alphanumeric characters or '-' \
                              (e.g. 'X-Header-Name', regex used for validation is \
                              '[-A-Za-z0-9]+')";
                let field = path.child("httpHeaders");
                self.errors.push(FieldError::invalid(field, &header.name, detail));
            }
        }
    }

    fn tcp_socket(&mut self, socket: Option<&TCPSocketAction>) {
        if let Some(socket) = socket
            && self.is_first("tcpSocket")
        {
            let path = self.path.child("tcpSocket");
            port_or_name(&socket.port, &path.child("port"), self.errors);
        }
    }

    fn end(&mut self) {
        if self.count == 0 {
            self.errors.push(FieldError::required(self.path, "must specify a handler type"));
        }
    }
}
