//! What `INFO` tells. Upstream: `genRedisInfoString` in `src/server.c`.

use super::dump::Dbs;
use super::link::Link;
use super::session::Session;
use naru_sim::Time;

/// What is told of.
pub struct Facts<'a> {
    pub version: &'a str,
    pub pid: u32,
    pub port: u16,
    pub replid: &'a str,
    pub offset: u64,
    pub config_file: &'a str,
    pub maxmemory: u64,
    pub policy: &'a str,
    pub appends: bool,
    pub read_only: bool,
    pub now: Time,
    pub started: Time,
    pub saved: Time,
    pub dirty: u64,
    pub memory: u64,
    pub connections: u64,
    pub commands: u64,
    pub expired: u64,
    pub evicted: u64,
    pub hits: u64,
    pub misses: u64,
    pub sessions: &'a [Session],
    pub link: Option<&'a Link>,
    pub dbs: &'a Dbs,
}

/// A section's name, and its lines.
type Section = (&'static str, fn(&Facts<'_>) -> Vec<String>);

const SECTIONS: &[Section] = &[
    ("Server", server),
    ("Clients", clients),
    ("Memory", memory),
    ("Persistence", persistence),
    ("Stats", stats),
    ("Replication", replication),
    ("CPU", |_| Vec::new()),
    ("Modules", |_| Vec::new()),
    ("Errorstats", |_| Vec::new()),
    ("Cluster", |_| vec!["cluster_enabled:0".to_owned()]),
    ("Keyspace", keyspace),
];

/// The sections asked for, all if none is.
pub fn text(facts: &Facts<'_>, wanted: &[&str]) -> String {
    let is = |name: &str| {
        let all = ["all", "default", "everything"];
        wanted.is_empty()
            || wanted.iter().any(|it| it.eq_ignore_ascii_case(name) || all.contains(it))
    };
    let shown = SECTIONS.iter().filter(|(name, _)| is(name)).map(|(name, lines)| {
        let lines: String = lines(facts).into_iter().map(|line| line + "\r\n").collect();
        format!("# {name}\r\n{lines}")
    });
    shown.collect::<Vec<_>>().join("\r\n")
}

fn server(facts: &Facts<'_>) -> Vec<String> {
    let up = facts.now.since(facts.started).as_secs();
    vec![
        format!("redis_version:{}", facts.version),
        "redis_git_sha1:00000000".to_owned(),
        "redis_git_dirty:0".to_owned(),
        "redis_mode:standalone".to_owned(),
        "os:Linux 6.8.0-60-generic x86_64".to_owned(),
        "arch_bits:64".to_owned(),
        format!("process_id:{}", facts.pid),
        format!("tcp_port:{}", facts.port),
        format!("uptime_in_seconds:{up}"),
        format!("uptime_in_days:{}", up / 86_400),
        "hz:10".to_owned(),
        "executable:/data/redis-server".to_owned(),
        format!("config_file:{}", facts.config_file),
    ]
}

fn clients(facts: &Facts<'_>) -> Vec<String> {
    let connected = facts.sessions.iter().filter(|session| session.replica.is_none()).count();
    vec![
        format!("connected_clients:{connected}"),
        "maxclients:10000".to_owned(),
        "blocked_clients:0".to_owned(),
    ]
}

fn memory(facts: &Facts<'_>) -> Vec<String> {
    vec![
        format!("used_memory:{}", facts.memory),
        format!("used_memory_human:{}", human(facts.memory)),
        format!("maxmemory:{}", facts.maxmemory),
        format!("maxmemory_human:{}", human(facts.maxmemory)),
        format!("maxmemory_policy:{}", facts.policy),
    ]
}

fn persistence(facts: &Facts<'_>) -> Vec<String> {
    vec![
        "loading:0".to_owned(),
        format!("rdb_changes_since_last_save:{}", facts.dirty),
        "rdb_bgsave_in_progress:0".to_owned(),
        format!("rdb_last_save_time:{}", facts.saved.unix_micros() / 1_000_000),
        "rdb_last_bgsave_status:ok".to_owned(),
        format!("aof_enabled:{}", u8::from(facts.appends)),
    ]
}

fn stats(facts: &Facts<'_>) -> Vec<String> {
    vec![
        format!("total_connections_received:{}", facts.connections),
        format!("total_commands_processed:{}", facts.commands),
        format!("expired_keys:{}", facts.expired),
        format!("evicted_keys:{}", facts.evicted),
        format!("keyspace_hits:{}", facts.hits),
        format!("keyspace_misses:{}", facts.misses),
    ]
}

fn replication(facts: &Facts<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let followers: Vec<_> =
        facts.sessions.iter().filter_map(|it| Some((it.peer.ip(), it.replica.as_ref()?))).collect();
    match facts.link {
        None => lines.push("role:master".to_owned()),
        Some(link) => {
            lines.push("role:slave".to_owned());
            lines.push(format!("master_host:{}", link.host));
            lines.push(format!("master_port:{}", link.port));
            let up = if link.is_up() { "up" } else { "down" };
            lines.push(format!("master_link_status:{up}"));
            let heard = match link.is_up() {
                true => facts.now.since(link.heard).as_secs().to_string(),
                false => "-1".to_owned(),
            };
            lines.push(format!("master_last_io_seconds_ago:{heard}"));
            lines.push(format!("master_sync_in_progress:{}", u8::from(link.copies())));
            lines.push(format!("slave_read_repl_offset:{}", link.offset));
            lines.push(format!("slave_repl_offset:{}", link.offset));
            if !link.is_up() {
                let down = facts.now.since(link.down_since).as_secs();
                lines.push(format!("master_link_down_since_seconds:{down}"));
            }
            lines.push("slave_priority:100".to_owned());
            lines.push(format!("slave_read_only:{}", u8::from(facts.read_only)));
            lines.push("replica_announced:1".to_owned());
        }
    }
    lines.push(format!("connected_slaves:{}", followers.len()));
    for (at, (address, follower)) in followers.iter().enumerate() {
        let state = if follower.online { "online" } else { "wait_bgsave" };
        let (port, offset) = (follower.port, follower.offset);
        lines.push(format!(
            "slave{at}:ip={address},port={port},state={state},offset={offset},lag=0"
        ));
    }
    let backlog = u8::from(!followers.is_empty() || facts.link.is_some());
    lines.extend([
        "master_failover_state:no-failover".to_owned(),
        format!("master_replid:{}", facts.replid),
        format!("master_replid2:{}", "0".repeat(40)),
        format!("master_repl_offset:{}", facts.offset),
        "second_repl_offset:-1".to_owned(),
        format!("repl_backlog_active:{backlog}"),
        "repl_backlog_size:1048576".to_owned(),
        format!("repl_backlog_first_byte_offset:{backlog}"),
        format!("repl_backlog_histlen:{}", facts.offset),
    ]);
    lines
}

fn keyspace(facts: &Facts<'_>) -> Vec<String> {
    let used = facts.dbs.iter().filter(|(_, db)| db.len() > 0);
    used.map(|(number, db)| {
        format!("db{number}:keys={},expires={},avg_ttl=0,subexpiry=0", db.len(), db.ending())
    })
    .collect()
}

/// `2.00M`. Upstream: `bytesToHuman`.
fn human(bytes: u64) -> String {
    let units = [(1_u64 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")];
    match units.iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => format!("{:.2}{unit}", bytes as f64 / *size as f64),
        None => format!("{bytes}B"),
    }
}
