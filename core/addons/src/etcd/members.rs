//! Who the members are: what the program `etcd` was started with.

use naru_shell::Sys;
use sha1::{Digest, Sha1};

/// The token that members of one cluster share: `--initial-cluster-token`.
const CLUSTER_TOKEN: &str = "etcd-cluster";

/// The cluster as its only member knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cluster {
    /// The number of the cluster.
    pub(super) id: u64,
    /// Its members.
    pub(super) members: Vec<Member>,
    /// Where this member listens: `https://127.0.0.1:2379`.
    pub(super) listens: Vec<String>,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) peer_urls: Vec<String>,
    pub(super) client_urls: Vec<String>,
}

impl Cluster {
    /// The cluster whose member runs on this machine; `None` when none does.
    pub(super) fn here(sys: &dyn Sys) -> Option<Cluster> {
        let processes = sys.processes();
        let etcd = processes.iter().find(|process| {
            process.argv.first().is_some_and(|name| name.rsplit('/').next() == Some("etcd"))
        })?;
        Some(Cluster::of(&etcd.argv))
    }

    /// The cluster of a member with these arguments.
    fn of(argv: &[String]) -> Cluster {
        let flag = |name: &str| {
            let prefix = format!("--{name}=");
            let value = argv.iter().find_map(|word| word.strip_prefix(prefix.as_str()));
            value.unwrap_or_default().to_owned()
        };
        let list = |name: &str| flag(name).split(',').map(str::to_owned).collect::<Vec<_>>();
        let peer_urls = list("initial-advertise-peer-urls");
        let member = Member {
            id: member_id(&peer_urls),
            name: flag("name"),
            peer_urls,
            client_urls: list("advertise-client-urls"),
        };
        let id = first_bytes(&member.id.to_be_bytes());
        Cluster { id, members: vec![member], listens: list("listen-client-urls") }
    }

    /// The member that answers.
    pub(super) fn member(&self) -> u64 {
        self.members.first().map_or(0, |member| member.id)
    }
}

/// Upstream: `computeMemberId` in `server/etcdserver/api/membership/member.go`.
fn member_id(peer_urls: &[String]) -> u64 {
    let mut sorted = peer_urls.to_vec();
    sorted.sort();
    first_bytes(format!("{}{CLUSTER_TOKEN}", sorted.concat()).as_bytes())
}

fn first_bytes(bytes: &[u8]) -> u64 {
    let hash = Sha1::digest(bytes);
    hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    // The numbers are those of an etcd v3.5.21 that was started with these flags.
    #[test]
    fn numbers_are_etcds() {
        let argv = [
            "etcd",
            "--name=control-plane",
            "--advertise-client-urls=https://127.0.0.1:23790",
            "--initial-advertise-peer-urls=https://127.0.0.1:23800",
            "--listen-client-urls=https://127.0.0.1:23790",
        ];
        let cluster = Cluster::of(&argv.map(str::to_owned));
        assert_eq!(cluster.member(), 0xd891_1af8_5113_350b);
        assert_eq!(cluster.id, 0xfebf_ed3f_4dfe_9347);
        assert_eq!(cluster.members[0].name, "control-plane");
        assert_eq!(cluster.listens, ["https://127.0.0.1:23790"]);
    }
}
