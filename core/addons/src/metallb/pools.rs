//! Pools of addresses, and which of them are announced.

use naru_api::labels::Selector;
use naru_api::{KindRef, Object};
use naru_client::Cache;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Addresses of a pool that are looked at to find a free one.
const LOOKED_AT_MAX: u32 = 65_536;

/// An IPAddressPool.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// Whether Services get its addresses without asking for them.
    pub auto_assign: bool,
    /// First and last addresses.
    ranges: Vec<(u32, u32)>,
    /// `.0` and `.255` are left out.
    avoids_buggy: bool,
}

impl Pool {
    /// Reads an object; ranges that cannot be read are left out.
    fn of(object: &Object) -> Option<Pool> {
        let json = object.to_json().ok()?;
        let spec = &json["spec"];
        let texts = spec["addresses"].as_array()?.iter().filter_map(Value::as_str);
        Some(Pool {
            name: object.name().to_owned(),
            auto_assign: spec["autoAssign"].as_bool().unwrap_or(true),
            ranges: texts.filter_map(range).collect(),
            avoids_buggy: spec["avoidBuggyIPs"].as_bool().unwrap_or(false),
        })
    }

    /// All pools, in order of their names.
    pub fn all(cache: &Cache, kind: Option<&KindRef>) -> Vec<Pool> {
        let objects = kind.into_iter().flat_map(|kind| cache.objects(kind, ""));
        objects.filter_map(Pool::of).collect()
    }

    /// Whether an address is of this pool.
    pub fn has(&self, ip: Ipv4Addr) -> bool {
        let last = ip.octets()[3];
        let number = u32::from(ip);
        let buggy = self.avoids_buggy && (last == 0 || last == 255);
        !buggy && self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&number))
    }

    /// The first address that nobody has.
    pub fn free(&self, taken: &BTreeSet<Ipv4Addr>) -> Option<Ipv4Addr> {
        let all = self.ranges.iter().flat_map(|(low, high)| *low..=*high);
        let mut all = all.take(LOOKED_AT_MAX as usize).map(Ipv4Addr::from);
        all.find(|ip| self.has(*ip) && !taken.contains(ip))
    }
}

/// `172.18.255.0/28` or `172.18.255.200-172.18.255.250`
fn range(text: &str) -> Option<(u32, u32)> {
    if let Some((low, high)) = text.split_once('-') {
        let number = |text: &str| text.trim().parse::<Ipv4Addr>().ok().map(u32::from);
        return Some((number(low)?, number(high)?)).filter(|(low, high)| low <= high);
    }
    let (ip, length) = text.split_once('/')?;
    let (ip, length): (Ipv4Addr, u32) = (ip.trim().parse().ok()?, length.trim().parse().ok()?);
    let width = 32_u32.checked_sub(length)?;
    let mask = u32::MAX.checked_shl(width).unwrap_or(0);
    let low = u32::from(ip) & mask;
    Some((low, low | !mask))
}

/// Whether an L2Advertisement announces the addresses of a pool.
pub fn is_announced(
    cache: &Cache,
    kind: Option<&KindRef>,
    pools: Option<&KindRef>,
    name: &str,
) -> bool {
    let labels = pools
        .and_then(|kind| cache.object(kind, &naru_api::Key::new(super::NAMESPACE, name)))
        .and_then(|pool| pool.meta().labels.clone());
    kind.into_iter().flat_map(|kind| cache.objects(kind, "")).any(|object| {
        let Ok(json) = object.to_json() else { return false };
        let names = json["spec"]["ipAddressPools"].as_array().cloned().unwrap_or_default();
        let selectors =
            json["spec"]["ipAddressPoolSelectors"].as_array().cloned().unwrap_or_default();
        let selected = selectors.into_iter().any(|selector| {
            let selector = serde_json::from_value(selector).ok();
            Selector::from_label_selector(selector.as_ref())
                .is_ok_and(|selector| selector.matches(labels.as_ref()))
        });
        let none = names.is_empty() && json["spec"].get("ipAddressPoolSelectors").is_none();
        none || selected || names.iter().any(|it| it.as_str() == Some(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_both_ways() {
        let pool = |texts: &[&str]| Pool {
            name: "first".into(),
            auto_assign: true,
            ranges: texts.iter().filter_map(|text| range(text)).collect(),
            avoids_buggy: true,
        };
        let ip = |text: &str| text.parse::<Ipv4Addr>().unwrap();
        let first =
            pool(&["172.18.255.254-172.18.255.255", "10.0.0.0/30", "nonsense", "1.1.1.1-1"]);
        assert_eq!(first.free(&BTreeSet::new()), Some(ip("172.18.255.254")));
        let taken = BTreeSet::from([ip("172.18.255.254"), ip("10.0.0.1"), ip("10.0.0.2")]);
        assert_eq!(first.free(&taken), Some(ip("10.0.0.3")));
        assert!(!first.has(ip("172.18.255.255")) && !first.has(ip("10.0.0.4")));
        assert_eq!(pool(&[]).free(&BTreeSet::new()), None);
    }
}
