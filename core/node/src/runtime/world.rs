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
    api: &'a mut (dyn ApiService + 'b),
    asked_api: bool,
}

impl<'a, 'b> ContainerWorld<'a, 'b> {
    /// A world of this moment.
    pub fn new(
        now: Time,
        cause: CauseId,
        rng: &'a mut Rng,
        network: &'a mut Network,
        namespace: NsId,
        api: &'a mut (dyn ApiService + 'b),
    ) -> Self {
        let call = Call { now, cause };
        let net = NamespaceStack::new(network, namespace, call);
        ContainerWorld { call, rng, net, api, asked_api: false }
    }

    /// Whether a program has asked for the API server: it may wait for what its watches deliver.
    pub fn asked_api(&self) -> bool {
        self.asked_api
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
        self.asked_api = true;
        Some(&mut *self.api)
    }

    fn cause(&self) -> CauseId {
        self.call.cause
    }
}
