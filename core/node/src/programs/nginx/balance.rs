//! Which server of a group gets the next request.
//!
//! Upstream: `src/http/ngx_http_upstream_round_robin.c`.

use super::conf::{Config, Member, Method};
use naru_sim::Time;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// A server of a group at one address.
#[derive(Clone, Debug)]
pub struct Peer {
    /// `10.0.0.1:80`
    pub address: String,
    member: Member,
    current: i64,
    failures: u32,
    failed_at: Option<Time>,
    active: u32,
}

/// The servers of a group.
#[derive(Clone, Debug, Default)]
pub struct Group {
    pub peers: Vec<Peer>,
    method: Method,
}

/// The groups of a configuration, with the addresses of their hosts.
pub fn groups(config: &Config, found: &BTreeMap<String, Vec<IpAddr>>) -> BTreeMap<String, Group> {
    let peers = |member: &Member| -> Vec<Peer> {
        let none = Vec::new();
        let addresses = match member.host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => found.get(&member.host).unwrap_or(&none).clone(),
        };
        let peer = |address: IpAddr| Peer {
            address: format!("{address}:{}", member.port),
            member: member.clone(),
            current: 0,
            failures: 0,
            failed_at: None,
            active: 0,
        };
        addresses.into_iter().map(peer).collect()
    };
    let group = |(name, upstream): (&String, &super::conf::Upstream)| {
        let peers = upstream.members.iter().flat_map(peers).collect();
        (name.clone(), Group { peers, method: upstream.method })
    };
    config.upstreams.iter().map(group).collect()
}

impl Group {
    /// The next server that was not tried: first those that are no backup.
    pub fn choose(&mut self, client: IpAddr, tried: &[usize], now: Time) -> Option<usize> {
        let chosen =
            self.among(false, client, tried, now).or_else(|| self.among(true, client, tried, now));
        let alone = self.peers.len() == 1 && tried.is_empty();
        let chosen = chosen.or_else(|| Some(0).filter(|_| alone && !self.peers.is_empty()));
        if let Some(peer) = chosen.and_then(|at| self.peers.get_mut(at)) {
            peer.active += 1;
        }
        chosen
    }

    fn among(&mut self, backup: bool, client: IpAddr, tried: &[usize], now: Time) -> Option<usize> {
        let fit: Vec<usize> = (0..self.peers.len())
            .filter(|at| !tried.contains(at))
            .filter(|at| {
                self.peers.get(*at).is_some_and(|peer| {
                    peer.member.backup == backup && !peer.member.down && peer.lives(now)
                })
            })
            .collect();
        match self.method {
            Method::Client => {
                let IpAddr::V4(address) = client else { return fit.first().copied() };
                let [a, b, c, _] = address.octets();
                let hash = [a, b, c]
                    .iter()
                    .fold(89_u64, |hash, byte| (hash * 113 + u64::from(*byte)) % 6_271);
                let at = usize::try_from(hash).unwrap_or(0).checked_rem(fit.len())?;
                fit.get(at).copied()
            }
            Method::Least => fit.iter().copied().min_by_key(|at| {
                self.peers
                    .get(*at)
                    .map_or(0, |peer| i64::from(peer.active) * 1_000 / peer.member.weight.max(1))
            }),
            Method::Turns => self.turn(&fit),
        }
    }

    /// In turn: every server gains its weight, the richest is taken and pays what all have gained.
    fn turn(&mut self, fit: &[usize]) -> Option<usize> {
        let mut total = 0_i64;
        let mut best: Option<(usize, i64)> = None;
        for at in fit {
            let Some(peer) = self.peers.get_mut(*at) else { continue };
            peer.current = peer.current.saturating_add(peer.member.weight);
            total = total.saturating_add(peer.member.weight);
            if best.is_none_or(|(_, most)| peer.current > most) {
                best = Some((*at, peer.current));
            }
        }
        let (at, _) = best?;
        let peer = self.peers.get_mut(at)?;
        peer.current = peer.current.saturating_sub(total);
        Some(at)
    }

    /// Tells how a request to a server has ended.
    pub fn ended(&mut self, at: usize, failed: bool, now: Time) {
        let Some(peer) = self.peers.get_mut(at) else { return };
        peer.active = peer.active.saturating_sub(1);
        if failed {
            peer.failures = peer.failures.saturating_add(1);
            peer.failed_at = Some(now);
        } else {
            peer.failures = 0;
        }
    }
}

impl Peer {
    fn lives(&self, now: Time) -> bool {
        let limit = Duration::from_secs(self.member.fail_seconds);
        let rests = self.failed_at.is_some_and(|at| now.since(at) <= limit);
        self.member.fails == 0 || self.failures < self.member.fails || !rests
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn group(members: &[(&str, i64, bool)]) -> Group {
        let members = members.iter().map(|(host, weight, backup)| Member {
            host: (*host).to_owned(),
            port: 80,
            weight: *weight,
            backup: *backup,
            down: false,
            fails: 1,
            fail_seconds: 10,
        });
        let upstream =
            super::super::conf::Upstream { members: members.collect(), method: Method::Turns };
        let mut config = Config::default();
        config.upstreams.insert("g".to_owned(), upstream);
        groups(&config, &BTreeMap::new()).remove("g").unwrap()
    }

    const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn weights_interleave() {
        let mut group = group(&[("10.0.0.1", 2, false), ("10.0.0.2", 1, false)]);
        let chosen: Vec<usize> =
            (0..6).filter_map(|_| group.choose(CLIENT, &[], Time::ZERO)).collect();
        assert_eq!(chosen, [0, 1, 0, 0, 1, 0]);
    }

    #[test]
    fn a_backup_gets_what_the_others_cannot() {
        let mut group = group(&[("10.0.0.1", 1, false), ("10.0.0.2", 1, true)]);
        assert_eq!(group.choose(CLIENT, &[], Time::ZERO), Some(0));
        group.ended(0, true, Time::ZERO);
        assert_eq!(group.choose(CLIENT, &[], Time::from_secs(1)), Some(1));
        assert_eq!(group.choose(CLIENT, &[1], Time::from_secs(1)), None);
        assert_eq!(group.choose(CLIENT, &[], Time::from_secs(11)), Some(0));
    }
}
