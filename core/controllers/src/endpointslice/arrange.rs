//! Endpoints into slices, with the fewest writes.
//!
//! Upstream: `staging/src/k8s.io/endpointslice/reconciler.go` (`reconcileByPortMapping`) and
//! `pkg/controller/endpointslicemirroring/reconciler.go`.

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, VecDeque};

/// Endpoints in one slice. Upstream: `--max-endpoints-per-slice`.
const ENDPOINTS_MAX: usize = 100;

/// What is to be written.
#[derive(Default)]
pub struct Plan {
    /// New slices.
    pub create: Vec<EndpointSlice>,
    /// Changed slices.
    pub update: Vec<EndpointSlice>,
    /// Names of slices that are of no use any more.
    pub delete: Vec<String>,
}

impl Plan {
    /// What makes these groups of the slices there are; `template` makes a slice of a group that
    /// has no endpoints yet. A group without endpoints is a slice that says so.
    pub fn new(
        groups: Vec<Group>,
        existing: &[&EndpointSlice],
        template: &dyn Fn(&Group) -> EndpointSlice,
    ) -> Plan {
        let mut plan = Plan::default();
        let mut left: BTreeMap<(String, PortsKey), Vec<&EndpointSlice>> = BTreeMap::new();
        for slice in existing {
            let ports = ports_key(slice.ports.as_deref().unwrap_or_default());
            left.entry((slice.address_type.clone(), ports)).or_default().push(slice);
        }
        for group in groups {
            let model = template(&group);
            if group.endpoints.is_empty() {
                plan.tell_empty(&group, &mut left, &model);
                continue;
            }
            let key = (group.family.clone(), ports_key(&group.ports));
            let slices = left.remove(&key).unwrap_or_default();
            fit(&mut plan, group.endpoints, slices, &model);
        }
        let unused = left.into_values().flatten();
        plan.delete.extend(unused.filter_map(|slice| slice.metadata.name.clone()));
        plan.reuse(existing);
        plan
    }

    /// One slice without endpoints: any of the family that is there, or a new one.
    fn tell_empty(
        &mut self,
        group: &Group,
        left: &mut BTreeMap<(String, PortsKey), Vec<&EndpointSlice>>,
        model: &EndpointSlice,
    ) {
        let mut of_family = left.iter_mut().filter(|((family, _), _)| *family == group.family);
        match of_family.find_map(|(_, slices)| (!slices.is_empty()).then(|| slices.remove(0))) {
            Some(slice) => self.write(slice, Vec::new(), model),
            None => self.create.push(model.clone()),
        }
    }

    /// Gives a slice these endpoints, unless it has them.
    fn write(&mut self, slice: &EndpointSlice, endpoints: Vec<Endpoint>, model: &EndpointSlice) {
        let labels = &model.metadata.labels;
        if endpoints == slice.endpoints
            && *labels == slice.metadata.labels
            && slice.ports == model.ports
        {
            return;
        }
        let mut changed = EndpointSlice { endpoints, ..model.clone() };
        changed.metadata = ObjectMeta {
            labels: labels.clone(),
            annotations: model.metadata.annotations.clone(),
            ..slice.metadata.clone()
        };
        self.update.push(changed);
    }

    /// Writes what is to be made into slices that would be deleted.
    fn reuse(&mut self, existing: &[&EndpointSlice]) {
        let mut left = Vec::new();
        for model in std::mem::take(&mut self.create) {
            let reusable = self.delete.iter().position(|name| {
                let slice =
                    existing.iter().find(|slice| slice.metadata.name.as_ref() == Some(name));
                slice.is_some_and(|slice| slice.address_type == model.address_type)
            });
            let name = reusable.map(|index| self.delete.remove(index));
            let slice = existing.iter().find(|s| name.is_some() && s.metadata.name == name);
            match slice {
                Some(slice) => self.write(slice, model.endpoints.clone(), &model),
                None => left.push(model),
            }
        }
        self.create = left;
    }
}

/// What makes ports equal: name, number, protocol.
pub type PortsKey = Vec<(Option<String>, Option<i32>, Option<String>)>;

/// See [`PortsKey`].
pub fn ports_key(ports: &[EndpointPort]) -> PortsKey {
    let mut key: PortsKey =
        ports.iter().map(|p| (p.name.clone(), p.port, p.protocol.clone())).collect();
    key.sort();
    key
}

/// What slices of one address family and one list of ports have in common.
pub struct Group {
    /// `IPv4`, `IPv6`
    pub family: String,
    /// The ports of each endpoint.
    pub ports: Vec<EndpointPort>,
    /// The endpoints.
    pub endpoints: Vec<Endpoint>,
}

/// Puts a group's endpoints into the slices there are, with the fewest writes, and makes new ones
/// for what does not fit.
fn fit(
    plan: &mut Plan,
    endpoints: Vec<Endpoint>,
    slices: Vec<&EndpointSlice>,
    model: &EndpointSlice,
) {
    let mut wanted: Vec<Option<Endpoint>> = endpoints.into_iter().map(Some).collect();
    let (mut kept, new) = divide(&wanted, &slices);
    let mut take = |place: usize| wanted.get_mut(place).and_then(Option::take);
    let mut kept: Vec<(&EndpointSlice, Vec<Endpoint>)> = slices
        .into_iter()
        .map(|slice| {
            let stay = kept.pop_front().unwrap_or_default();
            (slice, stay.into_iter().filter_map(&mut take).collect())
        })
        .collect();
    let mut new: Vec<Endpoint> = new.into_iter().filter_map(take).collect();
    // First where a write is due anyway, then where all that is left fits.
    for (slice, endpoints) in &mut kept {
        if *endpoints != slice.endpoints {
            let room = ENDPOINTS_MAX.saturating_sub(endpoints.len());
            endpoints.extend(new.drain(..room.min(new.len())));
        }
    }
    let fits = |(_, endpoints): &&mut (&EndpointSlice, Vec<Endpoint>)| {
        !new.is_empty() && endpoints.len() + new.len() <= ENDPOINTS_MAX
    };
    if let Some((_, endpoints)) = kept.iter_mut().filter(fits).max_by_key(|(_, e)| e.len()) {
        endpoints.append(&mut new);
    }
    for (slice, endpoints) in kept {
        if endpoints.is_empty() {
            plan.delete.extend(slice.metadata.name.clone());
        } else {
            plan.write(slice, endpoints, model);
        }
    }
    for chunk in new.chunks(ENDPOINTS_MAX) {
        plan.create.push(EndpointSlice { endpoints: chunk.to_vec(), ..model.clone() });
    }
}

/// Which of the endpoints each slice has already, in its order, and which are new, in the order of what
/// tells them apart: all by their places.
fn divide(
    endpoints: &[Option<Endpoint>],
    slices: &[&EndpointSlice],
) -> (VecDeque<Vec<usize>>, Vec<usize>) {
    let named = endpoints.iter().map(|endpoint| endpoint.as_ref().map(identity));
    // Of two that are the same, the later one counts.
    let places = named.clone().zip(0..).filter_map(|(name, place)| Some((name?, place)));
    let mut left: FxHashMap<Identity<'_>, usize> = places.collect();
    let kept = slices.iter().map(|slice| {
        slice.endpoints.iter().filter_map(|old| left.remove(&identity(old))).collect()
    });
    let kept = kept.collect();
    let mut new: Vec<(Identity<'_>, usize)> = left.into_iter().collect();
    new.sort_unstable();
    (kept, new.into_iter().map(|(_, place)| place).collect())
}

/// What tells endpoints apart: the pod's uid and the addresses.
type Identity<'a> = (&'a str, &'a [String]);

fn identity(endpoint: &Endpoint) -> Identity<'_> {
    let uid = endpoint.target_ref.as_ref().and_then(|reference| reference.uid.as_deref());
    (uid.unwrap_or_default(), &endpoint.addresses)
}
