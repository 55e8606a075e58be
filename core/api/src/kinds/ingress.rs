//! Ingresses.
//!
//! Upstream: `pkg/registry/networking/ingress/strategy.go`, `ValidateIngress`, `printIngress`.

use super::typed::{Typed, keep};
use super::{cells, ingressclass};
use crate::gofmt::quote;
use crate::podspec::validation::{all_invalid, port_number};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path, ip, names};
use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, Ingress, IngressBackend, IngressRule, IngressServiceBackend, IngressStatus,
    IngressTLS,
};
use naru_sim::Time;
use std::collections::BTreeSet;

/// Named the class before `spec.ingressClassName` did.
const CLASS: &str = "kubernetes.io/ingress.class";

static KIND: Kind = Names::new("networking.k8s.io", "v1", "Ingress", "ingresses", "ingress")
    .short(&["ing"])
    .subresources(&["status"])
    .kind(&IngressStrategy);

impl Kube for Ingress {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct IngressStrategy;

impl Typed for IngressStrategy {
    type Object = Ingress;

    const COLUMNS: &'static [Column] = &[
        Column::new("Name"),
        Column::new("Class"),
        Column::new("Hosts"),
        Column::new("Address"),
        Column::new("Ports"),
        Column::new("Age"),
    ];

    fn prepare_for_create(&self, ingress: &mut Ingress) {
        ingress.metadata.generation = Some(1);
        ingress.status = Some(IngressStatus::default());
    }

    fn prepare_for_update(&self, new: &mut Ingress, old: &Ingress, subresource: &str) {
        if subresource == "status" {
            keep(&mut new.spec, &old.spec);
        } else {
            keep(&mut new.status, &old.status);
            if new.spec != old.spec {
                new.metadata.generation = old.metadata.generation.map(|old| old + 1);
            }
        }
    }

    fn validate(&self, ingress: &Ingress) -> Vec<FieldError> {
        let mut errors = validate_spec(ingress, false);
        let class = ingress.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_ref());
        if let (Some(annotated), Some(class)) = (annotated_class(ingress), class)
            && annotated != class
        {
            let field = Path::new("annotations");
            let detail = "must match `ingressClassName` when both are specified";
            errors.push(FieldError::invalid(field.child(CLASS), annotated, detail));
        }
        errors
    }

    fn validate_update(&self, new: &Ingress, old: &Ingress, subresource: &str) -> Vec<FieldError> {
        if subresource == "status" {
            return validate_status(new, old);
        }
        // What was stored with a bad name of a secret may keep it.
        let mut tls = old.spec.iter().flat_map(|spec| spec.tls.iter().flatten());
        validate_spec(new, tls.any(|tls| !secret_problems(tls).is_empty()))
    }

    fn warnings(&self, ingress: &Ingress, old: Option<&Ingress>) -> Vec<String> {
        let class = ingress.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_ref());
        if old.is_some() || annotated_class(ingress).is_none() || class.is_some() {
            return Vec::new();
        }
        let text = "is deprecated, please use 'spec.ingressClassName' instead";
        vec![format!("annotation {} {text}", quote(CLASS))]
    }

    fn cells(&self, ingress: &Ingress, now: Time) -> Vec<Cell> {
        let spec = ingress.spec.clone().unwrap_or_default();
        let secure = spec.tls.as_ref().is_some_and(|tls| !tls.is_empty());
        vec![
            cells::name(&ingress.metadata),
            spec.ingress_class_name.as_deref().unwrap_or("<none>").into(),
            hosts(spec.rules.as_deref().unwrap_or_default()).into(),
            addresses(ingress.status.as_ref()).into(),
            if secure { "80, 443" } else { "80" }.into(),
            cells::age(&ingress.metadata, now),
        ]
    }
}

/// The first three hosts: `a,b,c + 2 more...`; how many more counts rules, as upstream does.
fn hosts(rules: &[IngressRule]) -> String {
    const SHOWN: usize = 3;
    let mut shown: Vec<&str> = Vec::new();
    let mut more = false;
    for rule in rules {
        let host = rule.host.as_deref().unwrap_or_default();
        more |= shown.len() == SHOWN;
        if !more && !host.is_empty() {
            shown.push(host);
        }
    }
    let list = shown.join(",");
    match list.as_str() {
        "" => "*".to_owned(),
        _ if more => format!("{list} + {} more...", rules.len() - SHOWN),
        _ => list,
    }
}

/// The addresses of the load balancer, sorted.
fn addresses(status: Option<&IngressStatus>) -> String {
    let balancer = status.and_then(|status| status.load_balancer.as_ref());
    let points = balancer.and_then(|balancer| balancer.ingress.as_deref()).unwrap_or_default();
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let found: BTreeSet<String> =
        points.iter().filter_map(|point| given(&point.ip).or(given(&point.hostname))).collect();
    Vec::from_iter(found).join(",")
}

fn annotated_class(ingress: &Ingress) -> Option<&String> {
    ingress.metadata.annotations.as_ref()?.get(CLASS)
}

fn validate_spec(ingress: &Ingress, lenient_secrets: bool) -> Vec<FieldError> {
    let spec = ingress.spec.clone().unwrap_or_default();
    let path = Path::new("spec");
    let mut errors = Vec::new();
    let rules = spec.rules.as_deref().unwrap_or_default();
    if rules.is_empty() && spec.default_backend.is_none() {
        let value = "[]networking.IngressRule(nil)";
        let detail = "either `defaultBackend` or `rules` must be specified";
        errors.push(FieldError::invalid_raw(path, value, detail));
    }
    if let Some(backend) = &spec.default_backend {
        validate_backend(backend, &path.child("defaultBackend"), &mut errors);
    }
    let list = path.child("rules");
    for (index, rule) in rules.iter().enumerate() {
        validate_rule(rule, &list.index(index), &mut errors);
    }
    let list = path.child("tls");
    for (index, tls) in spec.tls.iter().flatten().enumerate() {
        validate_tls(tls, lenient_secrets, &list.index(index), &mut errors);
    }
    if let Some(class) = &spec.ingress_class_name {
        let field = path.child("ingressClassName");
        all_invalid(names::dns1123_subdomain(class), class, &field, &mut errors);
    }
    errors
}

fn host_problems(host: &str) -> Vec<String> {
    if host.contains('*') {
        names::wildcard_dns1123_subdomain(host)
    } else {
        names::dns1123_subdomain(host)
    }
}

fn validate_rule(rule: &IngressRule, item: &Path<'_>, errors: &mut Vec<FieldError>) {
    let host = rule.host.as_deref().unwrap_or_default();
    let field = item.child("host");
    if !host.is_empty() {
        if ip::parse(host).is_some() {
            let detail = "must be a DNS name, not an IP address";
            errors.push(FieldError::invalid(field, host, detail));
        }
        all_invalid(host_problems(host), host, &field, errors);
    }
    let Some(http) = &rule.http else { return };
    let http_path = item.child("http");
    let list = http_path.child("paths");
    if http.paths.is_empty() {
        errors.push(FieldError::required(list, ""));
    }
    for (index, path) in http.paths.iter().enumerate() {
        validate_path(path, &list.index(index), errors);
    }
}

fn validate_path(path: &HTTPIngressPath, item: &Path<'_>, errors: &mut Vec<FieldError>) {
    const SEQUENCES: [&str; 5] = ["//", "/./", "/../", "%2f", "%2F"];
    const SUFFIXES: [&str; 2] = ["/..", "/."];
    let text = path.path.as_deref().unwrap_or_default();
    let field = item.child("path");
    let relative = !text.starts_with('/');
    let mut invalid = |detail: &str| errors.push(FieldError::invalid(field, text, detail));
    match path.path_type.as_str() {
        // An empty type is one that was not given.
        "" => {
            errors.push(FieldError::required(item.child("pathType"), "pathType must be specified"));
            return;
        }
        "Exact" | "Prefix" => {
            if relative {
                invalid("must be an absolute path");
            }
            for part in SEQUENCES.into_iter().filter(|part| text.contains(part)) {
                invalid(&format!("must not contain '{part}'"));
            }
            for end in SUFFIXES.into_iter().filter(|end| text.ends_with(end)) {
                invalid(&format!("cannot end with '{end}'"));
            }
        }
        "ImplementationSpecific" if relative && !text.is_empty() => {
            invalid("must be an absolute path");
        }
        "ImplementationSpecific" => {}
        type_ => {
            let known = &["Exact", "ImplementationSpecific", "Prefix"];
            errors.push(FieldError::not_supported(item.child("pathType"), type_, known));
        }
    }
    validate_backend(&path.backend, &item.child("backend"), errors);
}

fn validate_backend(backend: &IngressBackend, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    match (&backend.resource, &backend.service) {
        (Some(_), Some(_)) => {
            let detail = "cannot set both resource and service backends";
            errors.push(FieldError::invalid(path, "", detail));
        }
        (Some(found), None) => {
            let field = path.child("resource");
            let group = found.api_group.as_deref();
            ingressclass::validate_reference(group, &found.kind, &found.name, &field, errors);
        }
        (None, Some(service)) => validate_service(service, path, errors),
        (None, None) => {
            let detail = "resource or service backend is required";
            errors.push(FieldError::invalid(path, "", detail));
        }
    }
}

fn validate_service(
    service: &IngressServiceBackend,
    path: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let field = path.child("service");
    match service.name.as_str() {
        "" => errors.push(FieldError::required(field.child("name"), "")),
        name => all_invalid(names::dns1035_label(name), name, &field.child("name"), errors),
    }
    let port = service.port.clone().unwrap_or_default();
    let field = field.child("port");
    match (port.name.as_deref().unwrap_or_default(), port.number.unwrap_or(0)) {
        ("", 0) => {
            errors.push(FieldError::required(path, "port name or number is required"));
        }
        (name, 0) => all_invalid(names::port_name(name), name, &field.child("name"), errors),
        ("", number) => port_number(number, &field.child("number"), errors),
        _ => {
            let detail = "cannot set both port name & port number";
            errors.push(FieldError::invalid(path, "", detail));
        }
    }
}

fn secret_problems(tls: &IngressTLS) -> Vec<String> {
    let name = tls.secret_name.as_deref().filter(|name| !name.is_empty());
    name.map(names::dns1123_subdomain).unwrap_or_default()
}

fn validate_tls(
    tls: &IngressTLS,
    lenient_secrets: bool,
    item: &Path<'_>,
    errors: &mut Vec<FieldError>,
) {
    let list = item.child("hosts");
    for (index, host) in tls.hosts.iter().flatten().enumerate() {
        all_invalid(host_problems(host), host, &list.index(index), errors);
    }
    if !lenient_secrets {
        let name = tls.secret_name.as_deref().unwrap_or_default();
        all_invalid(secret_problems(tls), name, &item.child("secretName"), errors);
    }
}

fn validate_status(new: &Ingress, old: &Ingress) -> Vec<FieldError> {
    let points = |ingress: &Ingress| {
        let status = ingress.status.clone().unwrap_or_default();
        status.load_balancer.unwrap_or_default().ingress.unwrap_or_default()
    };
    let path = Path::new("status");
    let balancer = path.child("loadBalancer");
    let list = balancer.child("ingress");
    let had = points(old);
    let mut errors = Vec::new();
    for (index, point) in points(new).iter().enumerate() {
        let item = list.index(index);
        let address = point.ip.as_deref().unwrap_or_default();
        if !address.is_empty() && !had.iter().any(|old| old.ip == point.ip) {
            errors.extend(ip::validate_lenient(address, &item.child("ip")));
        }
        let host = point.hostname.as_deref().unwrap_or_default();
        if !host.is_empty() {
            let field = item.child("hostname");
            all_invalid(names::dns1123_subdomain(host), host, &field, &mut errors);
            if ip::parse(host).is_some() {
                let detail = "must be a DNS name, not an IP address";
                errors.push(FieldError::invalid(field, host, detail));
            }
        }
    }
    errors
}
