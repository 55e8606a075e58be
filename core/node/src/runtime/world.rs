//! What is around a container's kernel while it runs.

use super::net_stack::NamespaceStack;
use naru_api::ApiService;
use naru_network::{Call, Network, NsId};
use naru_shell::{NetStack, World};
use naru_sim::{CauseId, Rng, Time};

/// The world of one container.
pub struct ContainerWorld<'a, 'b> {
    call: Call,
    rng: &'a mut Rng,
    net: NamespaceStack<'a>,
    api: Option<&'a mut (dyn ApiService + 'b)>,
}

impl<'a, 'b> ContainerWorld<'a, 'b> {
    /// A world of this moment.
    pub fn new(
        now: Time,
        cause: CauseId,
        rng: &'a mut Rng,
        network: &'a mut Network,
        namespace: NsId,
        api: Option<&'a mut (dyn ApiService + 'b)>,
    ) -> Self {
        let call = Call { now, cause };
        ContainerWorld { call, rng, net: NamespaceStack::new(network, namespace, call), api }
    }
}

impl World for ContainerWorld<'_, '_> {
    fn now(&self) -> Time {
        self.call.now
    }

    fn rng(&mut self) -> &mut Rng {
        self.rng
    }

    fn net(&mut self) -> Option<&mut dyn NetStack> {
        Some(&mut self.net)
    }

    fn api(&mut self) -> Option<&mut dyn ApiService> {
        match &mut self.api {
            Some(api) => Some(&mut **api),
            None => None,
        }
    }

    fn cause(&self) -> CauseId {
        self.call.cause
    }
}
