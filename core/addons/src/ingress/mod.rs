//! ingress-nginx: an Ingress controller that is a reverse proxy.
//!
//! The controller reads Ingresses, Services, EndpointSlices and Secrets into a [`table::Table`]; the
//! proxy answers by the table. Upstream: kubernetes/ingress-nginx v1.12.

pub mod certgen;
mod controller;
mod pages;
mod proxy;
mod table;

use crate::controller_program::ControllerProgram;
use naru_shell::Program;

/// The program `nginx-ingress-controller`.
pub fn program() -> Box<dyn Program> {
    Box::new(ControllerProgram::<controller::IngressNginx>::new("nginx-ingress-controller"))
}
