//! MetalLB in layer 2 mode: addresses for Services of type LoadBalancer where there is no cloud.
//!
//! The controller gives addresses out of pools; the speakers agree which node answers for an
//! address. Upstream: metallb/metallb v0.14, `controller`, `speaker`, `internal/allocator`.

mod controller;
mod pools;
mod speaker;

use crate::controller_program::ControllerProgram;
use naru_api::{KindRef, scheme};
use naru_client::Watch;
use naru_shell::{Program, Sys};

/// The manifest by which it is installed.
pub const MANIFEST: &str = include_str!("../../../../assets/manifests/metallb-native.yaml");

const NAMESPACE: &str = "metallb-system";
const VERSION: &str = "metallb.io/v1beta1";

/// The program `controller` of MetalLB.
pub fn controller() -> Box<dyn Program> {
    Box::new(ControllerProgram::<controller::Allocator>::new("metallb-controller"))
}

/// The program `speaker` of MetalLB.
pub fn speaker() -> Box<dyn Program> {
    Box::new(ControllerProgram::<speaker::Speaker>::new("metallb-speaker"))
}

/// A kind that MetalLB has defined; `None` before it is there.
fn kind(sys: &mut dyn Sys, name: &str) -> Option<KindRef> {
    let kinds = sys.api()?.kinds();
    scheme::by_kind(&kinds, VERSION, name)
}

fn watch(kind: &KindRef) -> Watch {
    Watch::of(kind.clone(), NAMESPACE)
}
