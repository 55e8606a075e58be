//! The ranges of services' addresses.
//!
//! Upstream: `pkg/registry/networking/servicecidr/strategy.go`, `ValidateServiceCIDR`,
//! `printServiceCIDR`.

use super::cells;
use super::typed::{Typed, keep};
use crate::gofmt::quote_all;
use crate::ip::{self, Cidr};
use crate::{Cell, Column, FieldError, Kind, KindRef, Kube, Names, Path};
use k8s_openapi::api::networking::v1::ServiceCIDR;
use naru_sim::Time;

static KIND: Kind =
    Names::new("networking.k8s.io", "v1", "ServiceCIDR", "servicecidrs", "servicecidr")
        .cluster_scoped()
        .subresources(&["status"])
        .kind(&ServiceCIDRStrategy);

impl Kube for ServiceCIDR {
    fn kind() -> KindRef {
        KindRef::built_in(&KIND)
    }
}

struct ServiceCIDRStrategy;

impl Typed for ServiceCIDRStrategy {
    type Object = ServiceCIDR;

    const COLUMNS: &'static [Column] =
        &[Column::new("Name"), Column::new("CIDRs"), Column::new("Age")];

    fn prepare_for_update(&self, new: &mut ServiceCIDR, old: &ServiceCIDR, subresource: &str) {
        if subresource == "status" {
            keep(&mut new.spec, &old.spec);
        }
    }

    fn validate(&self, range: &ServiceCIDR) -> Vec<FieldError> {
        validate_cidrs(cidrs(range))
    }

    /// A range stays; one of the other family may join it.
    fn validate_update(&self, new: &ServiceCIDR, old: &ServiceCIDR, sub: &str) -> Vec<FieldError> {
        const DETAIL: &str = "field is immutable";
        if sub == "status" {
            return Vec::new();
        }
        let (is, was) = (cidrs(new), cidrs(old));
        let path = Path::new("spec");
        let list = path.child("cidrs");
        let changed = |count: usize| {
            let pairs = is.iter().zip(was).enumerate().take(count);
            let changed = pairs.filter(|(_, (is, was))| is != was);
            changed.map(|(index, (is, _))| FieldError::invalid(list.index(index), is, DETAIL))
        };
        if is.len() == was.len() {
            return changed(is.len()).collect();
        }
        if (was.len(), is.len()) == (1, 2) {
            return changed(1).chain(validate_cidrs(is)).collect();
        }
        let value = format!("[]string{{{}}}", quote_all(is));
        vec![FieldError::invalid_raw(list, value, DETAIL)]
    }

    fn cells(&self, range: &ServiceCIDR, now: Time) -> Vec<Cell> {
        let age = cells::age(&range.metadata, now);
        vec![cells::name(&range.metadata), cidrs(range).join(",").into(), age]
    }
}

fn cidrs(range: &ServiceCIDR) -> &[String] {
    range.spec.as_ref().and_then(|spec| spec.cidrs.as_deref()).unwrap_or_default()
}

fn validate_cidrs(cidrs: &[String]) -> Vec<FieldError> {
    let path = Path::new("spec");
    let list = path.child("cidrs");
    if cidrs.is_empty() {
        return vec![FieldError::required(list, "at least one CIDR required")];
    }
    let all = format!("[]string{{{}}}", quote_all(cidrs));
    if cidrs.len() > 2 {
        let value = format!("networking.ServiceCIDRSpec{{CIDRs:{all}}}");
        return vec![FieldError::invalid_raw(list, value, "may only hold up to 2 values")];
    }
    let mut errors = Vec::new();
    for (index, cidr) in cidrs.iter().enumerate() {
        errors.extend(ip::validate_cidr(cidr, &list.index(index)));
    }
    let families: Vec<bool> = cidrs
        .iter()
        .filter_map(|cidr| Cidr::parse(cidr))
        .map(|cidr| cidr.ip.to_canonical().is_ipv4())
        .collect();
    if matches!(families.as_slice(), [one, two] if one == two) {
        let detail = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and \
                      2001:db8::/64";
        errors.push(FieldError::invalid_raw(list, all, detail));
    }
    errors
}
