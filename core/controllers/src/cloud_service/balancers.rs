//! The cloud's side: the load balancers that it has made, and their addresses.

use ipnet::Ipv4Net;
use naru_sim::Time;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

/// What a cloud takes to make forwarding rules, firewall rules and health checks.
const MAKING: Duration = Duration::from_secs(38);

/// One load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balancer {
    /// Its address.
    pub ip: Ipv4Addr,
    /// When it is made.
    pub ready_at: Time,
    /// Its Service was told its address.
    told: bool,
}

/// The load balancers by their Services' uids.
#[derive(Clone, Debug)]
pub struct Balancers {
    range: Ipv4Net,
    made: BTreeMap<String, Balancer>,
    last: u32,
}

impl Balancers {
    /// A cloud that takes addresses from this range.
    pub fn new(range: Ipv4Net) -> Self {
        Balancers { range, made: BTreeMap::new(), last: 0 }
    }

    /// Whether there is one, made or not.
    pub fn knows(&self, uid: &str) -> bool {
        self.made.contains_key(uid)
    }

    /// Whether there is one that can be used.
    pub fn is_made(&self, uid: &str, now: Time) -> bool {
        self.made.get(uid).is_some_and(|balancer| balancer.told && balancer.ready_at <= now)
    }

    /// Whether it is still being made.
    pub fn is_being_made(&self, uid: &str, now: Time) -> bool {
        self.made.get(uid).is_some_and(|balancer| balancer.ready_at > now)
    }

    /// Whether its Service has not been told its address yet.
    pub fn is_awaited(&self, uid: &str) -> bool {
        self.made.get(uid).is_some_and(|balancer| !balancer.told)
    }

    /// Begins to make one if it is not there. `asked` is the address that is wanted, or "".
    pub fn ensure(&mut self, uid: &str, asked: &str, now: Time) -> Result<Balancer, String> {
        if let Some(balancer) = self.made.get(uid)
            && (asked.is_empty() || asked == balancer.ip.to_string())
        {
            return Ok(*balancer);
        }
        let ip = if asked.is_empty() {
            self.free().ok_or("no address is left in the cloud's range")?
        } else {
            let ip = asked.parse::<Ipv4Addr>().ok().filter(|ip| self.is_free(*ip));
            ip.ok_or_else(|| {
                format!("requested ip {asked:?} is neither static nor assigned to the LB")
            })?
        };
        let balancer = Balancer { ip, ready_at: now + MAKING, told: false };
        self.made.insert(uid.to_owned(), balancer);
        Ok(balancer)
    }

    /// Its Service was told its address.
    pub fn told(&mut self, uid: &str) {
        if let Some(balancer) = self.made.get_mut(uid) {
            balancer.told = true;
        }
    }

    /// Takes one away.
    pub fn delete(&mut self, uid: &str) {
        self.made.remove(uid);
    }

    fn is_free(&self, ip: Ipv4Addr) -> bool {
        self.range.contains(&ip) && self.made.values().all(|balancer| balancer.ip != ip)
    }

    /// A free address; the one after the one given last, in steps that do not look like counting.
    fn free(&mut self) -> Option<Ipv4Addr> {
        const STEP: u32 = 1021;
        let size = u32::from(self.range.broadcast()) - u32::from(self.range.network());
        for _ in 0..=size {
            self.last = (self.last + STEP) % size.max(1);
            let ip = Ipv4Addr::from(u32::from(self.range.network()) + self.last);
            if self.is_free(ip) {
                return Some(ip);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_given_once() {
        let mut cloud = Balancers::new("10.0.0.0/30".parse().unwrap());
        let mut seen = Vec::new();
        for uid in ["a", "b", "c"] {
            seen.push(cloud.ensure(uid, "", Time::ZERO).unwrap().ip);
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 3);
        assert!(cloud.ensure("d", "", Time::ZERO).is_err());
        cloud.delete("b");
        assert!(cloud.ensure("d", "", Time::ZERO).is_ok());
    }

    #[test]
    fn an_address_may_be_asked_for() {
        let mut cloud = Balancers::new("10.0.0.0/24".parse().unwrap());
        assert_eq!(cloud.ensure("a", "10.0.0.9", Time::ZERO).unwrap().ip.to_string(), "10.0.0.9");
        let error = cloud.ensure("b", "10.0.0.9", Time::ZERO).unwrap_err();
        assert_eq!(error, "requested ip \"10.0.0.9\" is neither static nor assigned to the LB");
        assert!(cloud.ensure("b", "8.8.8.8", Time::ZERO).is_err());
    }
}
