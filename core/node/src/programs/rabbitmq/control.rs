//! What `rabbitmqctl` and its kin are told by a broker.
//!
//! Upstream: `deps/rabbitmq_cli/lib/rabbitmq/cli/ctl/commands`.

use super::broker::{Broker, Vhost};
use super::{AMQP_PORT, API_PORT, CONTROL_PORT};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// What is known of the server beside its data.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub node: String,
    pub version: String,
    pub pid: u32,
    /// In seconds.
    pub uptime: u64,
    pub data: String,
    pub plugins: Vec<String>,
    pub manages: bool,
    pub stopped: bool,
    pub connections: Vec<(String, SocketAddr)>,
    pub consumers: Vec<String>,
}

/// What a tool is to print.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Said {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
    /// Whether data have changed.
    #[serde(skip)]
    pub changed: bool,
}

fn said(text: String) -> Said {
    Said { stdout: text, ..Said::default() }
}

fn changed(text: String) -> Said {
    Said { stdout: text, changed: true, ..Said::default() }
}

fn wrong(text: String, code: i32) -> Said {
    Said { stderr: text, code, ..Said::default() }
}

/// Lines of columns, tabs between them.
fn listed(heading: &str, titles: &str, rows: &[String]) -> Said {
    let mut text = format!("{heading}\n");
    if !rows.is_empty() {
        text.push_str(&format!("{titles}\n"));
        rows.iter().for_each(|row| text.push_str(&format!("{row}\n")));
    }
    said(text)
}

/// Does a command; its first word is its name.
pub fn run(broker: &mut Broker, words: &[String], facts: &Facts) -> Said {
    let mut vhost = "/".to_owned();
    let mut plain = Vec::new();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "-p" | "--vhost" => vhost = rest.next().cloned().unwrap_or_default(),
            "-q" | "--quiet" | "-s" | "--silent" | "--no-table-headers" => {}
            "-t" | "--timeout" | "--formatter" => drop(rest.next()),
            word => plain.push(word),
        }
    }
    let Some((name, args)) = plain.split_first() else {
        return wrong("Error: no command\n".to_owned(), 64);
    };
    let node = &facts.node;
    let apart = ["status", "ping", "start_app", "stop_app", "cluster_status", "check_running"];
    if facts.stopped && !apart.contains(name) {
        let text = format!(
            "Error: this command requires the 'rabbit' app to be running on the target node. Start it \
             with 'rabbitmqctl start_app'.\nArguments given:\n\t{}\n",
            words.join(" ")
        );
        return wrong(text, 69);
    }
    match (*name, args) {
        ("status", []) => said(status(broker, facts)),
        ("ping", []) => said(format!(
            "Will ping {node}. This only checks if the OS process is running and registered with \
             epmd. Timeout: 60000 ms.\nPing succeeded\n"
        )),
        ("check_running", []) if facts.stopped => wrong(
            format!(
                "Checking if RabbitMQ is running on node {node} ...\nError:\nRabbitMQ on node {node} \
                 is not running or has not fully booted yet (check with is_booting)\n"
            ),
            69,
        ),
        ("check_running", []) => said(format!(
            "Checking if RabbitMQ is running on node {node} ...\nRabbitMQ on node {node} is fully \
             booted and running\n"
        )),
        ("check_local_alarms", []) => said(format!("Node {node} reported no local alarms\n")),
        ("check_port_connectivity", []) => said(format!(
            "Testing TCP connections to all active listeners on node {node} ...\nSuccessfully \
             connected to ports {} on node {node}.\n",
            ports(facts).map(|(port, ..)| port.to_string()).collect::<Vec<_>>().join(", ")
        )),
        ("await_startup", []) => said(String::new()),
        ("start_app", []) => said(format!("Starting node {node} ...\n")),
        ("stop_app", []) => said(format!("Stopping rabbit application on node {node} ...\n")),
        ("version", []) => said(format!("{}\n", facts.version)),
        ("cluster_status", []) => said(cluster(facts)),
        ("enable_plugins", names) => said(enabled(facts, names)),
        ("list_queues", columns) => list_queues(broker, &vhost, columns),
        ("list_exchanges", _) => {
            let rows = host(broker, &vhost).map_or(Vec::new(), |host| {
                host.exchanges.iter().map(|(name, it)| format!("{name}\t{}", it.kind)).collect()
            });
            listed(&format!("Listing exchanges for vhost {vhost} ..."), "name\ttype", &rows)
        }
        ("list_bindings", _) => list_bindings(broker, &vhost),
        ("list_connections", _) => {
            let rows: Vec<String> = facts
                .connections
                .iter()
                .map(|(user, peer)| format!("{user}\t{}\t{}\trunning", peer.ip(), peer.port()))
                .collect();
            listed("Listing connections ...", "user\tpeer_host\tpeer_port\tstate", &rows)
        }
        ("list_consumers", _) => {
            let rows: Vec<String> =
                facts.consumers.iter().map(|queue| format!("{queue}\tctag1\ttrue")).collect();
            let heading = format!("Listing consumers in vhost {vhost} ...");
            listed(&heading, "queue_name\tconsumer_tag\tack_required", &rows)
        }
        ("purge_queue", [queue]) => match broker.queue(&vhost, queue) {
            Ok(found) => {
                found.ready.clear();
                changed(format!("Purging queue '{queue}' in vhost '{vhost}' ...\n"))
            }
            Err(_) => no_queue(queue, &vhost),
        },
        ("delete_queue", [queue]) => match broker.queue(&vhost, queue) {
            Ok(_) => {
                let count = broker.delete(&vhost, queue);
                changed(format!(
                    "Deleting queue '{queue}' on vhost '{vhost}' ...\nQueue was successfully deleted \
                     with {count} ready messages\n"
                ))
            }
            Err(_) => no_queue(queue, &vhost),
        },
        _ => users(broker, name, args, &vhost),
    }
}

/// Commands on users, virtual hosts and permissions.
fn users(broker: &mut Broker, name: &str, args: &[&str], vhost: &str) -> Said {
    let missing = |user: &str| wrong(format!("Error:\nUser \"{user}\" does not exist\n"), 67);
    match (name, args) {
        ("list_users", []) => {
            let rows: Vec<String> = broker
                .users
                .iter()
                .map(|(name, user)| format!("{name}\t[{}]", user.tags.join(", ")))
                .collect();
            listed("Listing users ...", "user\ttags", &rows)
        }
        ("add_user", [user, _]) if broker.users.contains_key(*user) => {
            let text = format!("Adding user \"{user}\" ...\n");
            let why = format!("Error:\nUser \"{user}\" already exists\n");
            Said { stdout: text, stderr: why, code: 70, changed: false }
        }
        ("add_user", [user, password]) => {
            if !broker.add_user(user, password, &[], None) {
                return wrong("Error:\nthe sandbox keeps no more users\n".to_owned(), 70);
            }
            changed(format!(
                "Adding user \"{user}\" ...\nDone. Don't forget to grant the user permissions to some \
                 virtual hosts! See 'rabbitmqctl help set_permissions' to learn more.\n"
            ))
        }
        ("delete_user", [user]) => match broker.users.remove(*user) {
            Some(_) => changed(format!("Deleting user \"{user}\" ...\n")),
            None => missing(user),
        },
        ("change_password", [user, password]) => match broker.users.get_mut(*user) {
            Some(known) => {
                (*password).clone_into(&mut known.password);
                changed(format!("Changing password for user \"{user}\" ...\n"))
            }
            None => missing(user),
        },
        ("authenticate_user", [user, password]) => {
            let heading = format!("Authenticating user \"{user}\" ...\n");
            match broker.users.get(*user).is_some_and(|known| known.password == *password) {
                true => said(heading + "Success\n"),
                false => Said {
                    stdout: heading,
                    stderr: format!(
                        "Error:\nError: failed to authenticate user \"{user}\"\nuser '{user}' - invalid credentials\n"
                    ),
                    code: 65,
                    changed: false,
                },
            }
        }
        ("set_user_tags", [user, tags @ ..]) => match broker.users.get_mut(*user) {
            Some(known) => {
                known.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
                let tags = tags.join(", ");
                changed(format!("Setting tags for user \"{user}\" to [{tags}] ...\n"))
            }
            None => missing(user),
        },
        ("set_permissions", [user, configure, write, read]) => {
            if !broker.vhosts.contains_key(vhost) {
                return wrong(format!("Error:\nVirtual host '{vhost}' does not exist\n"), 65);
            }
            let Some(known) = broker.users.get_mut(*user) else { return missing(user) };
            let rights = [configure, write, read].map(|right| (*right).to_owned());
            known.permissions.insert(vhost.to_owned(), rights);
            changed(format!("Setting permissions for user \"{user}\" in vhost \"{vhost}\" ...\n"))
        }
        ("clear_permissions", [user]) => match broker.users.get_mut(*user) {
            Some(known) => {
                known.permissions.remove(vhost);
                let heading = "Clearing permissions for user";
                changed(format!("{heading} \"{user}\" in vhost \"{vhost}\" ...\n"))
            }
            None => missing(user),
        },
        ("list_permissions", []) => {
            let row = |(name, user): (&String, &super::broker::User)| {
                let [configure, write, read] = user.permissions.get(vhost)?;
                Some(format!("{name}\t{configure}\t{write}\t{read}"))
            };
            let rows: Vec<String> = broker.users.iter().filter_map(row).collect();
            let heading = format!("Listing permissions for vhost \"{vhost}\" ...");
            listed(&heading, "user\tconfigure\twrite\tread", &rows)
        }
        ("list_vhosts", _) => {
            let rows: Vec<String> = broker.vhosts.keys().cloned().collect();
            listed("Listing vhosts ...", "name", &rows)
        }
        ("add_vhost", [name]) => match broker.add_vhost(name) {
            true => changed(format!("Adding vhost \"{name}\" ...\n")),
            false => wrong("Error:\nthe sandbox keeps no more virtual hosts\n".to_owned(), 70),
        },
        ("delete_vhost", [name]) => match broker.vhosts.remove(*name) {
            Some(_) => changed(format!("Deleting vhost \"{name}\" ...\n")),
            None => wrong(format!("Error:\nVirtual host '{name}' does not exist\n"), 65),
        },
        (name, args) if KNOWN.contains(&name) => {
            let given = [&[name], args].concat().join(" ");
            wrong(
                format!("Error: not enough or too many arguments.\nArguments given:\n\t{given}\n"),
                64,
            )
        }
        (name, _) => wrong(
            format!("\nCommand '{name}' not found. \nDid you mean one of the commands below?\n"),
            64,
        ),
    }
}

const KNOWN: &[&str] = &[
    "add_user",
    "add_vhost",
    "authenticate_user",
    "change_password",
    "clear_permissions",
    "delete_queue",
    "delete_user",
    "delete_vhost",
    "purge_queue",
    "set_permissions",
    "set_user_tags",
];

fn host<'a>(broker: &'a Broker, vhost: &str) -> Option<&'a Vhost> {
    broker.vhosts.get(vhost)
}

fn no_queue(queue: &str, vhost: &str) -> Said {
    wrong(format!("Error:\nNo such queue was found: queue '{queue}' in vhost '{vhost}'\n"), 65)
}

fn list_queues(broker: &Broker, vhost: &str, columns: &[&str]) -> Said {
    let columns = if columns.is_empty() { &["name", "messages"][..] } else { columns };
    let heading = format!("Timeout: 60.0 seconds ...\nListing queues for vhost {vhost} ...");
    let Some(host) = host(broker, vhost) else {
        return wrong(format!("{heading}\nError:\nVirtual host '{vhost}' does not exist\n"), 65);
    };
    let mut rows = Vec::new();
    for (name, queue) in &host.queues {
        let mut cells = Vec::new();
        for column in columns {
            let (ready, unacked) = (queue.ready.len(), queue.unacked.len());
            cells.push(match *column {
                "name" => name.clone(),
                "durable" => queue.durable.to_string(),
                "auto_delete" => queue.auto_delete.to_string(),
                "arguments" => "[]".to_owned(),
                "messages" => (ready + unacked).to_string(),
                "messages_ready" => ready.to_string(),
                "messages_unacknowledged" => unacked.to_string(),
                "consumers" => queue.consumers.to_string(),
                "type" => "classic".to_owned(),
                "state" => "running".to_owned(),
                "policy" => String::new(),
                unknown => {
                    let why = format!("Error:\n{{:bad_info_key, [:{unknown}]}}\n");
                    return wrong(why, 64);
                }
            });
        }
        rows.push(cells.join("\t"));
    }
    listed(&heading, &columns.join("\t"), &rows)
}

fn list_bindings(broker: &Broker, vhost: &str) -> Said {
    let Some(host) = host(broker, vhost) else {
        return wrong(format!("Error:\nVirtual host '{vhost}' does not exist\n"), 65);
    };
    let mut rows: Vec<String> = host
        .queues
        .keys()
        .map(|queue| format!("\texchange\t{queue}\tqueue\t{queue}\t[]"))
        .collect();
    rows.extend(host.bindings.iter().map(|binding| {
        format!("{}\texchange\t{}\tqueue\t{}\t[]", binding.exchange, binding.queue, binding.key)
    }));
    let titles =
        "source_name\tsource_kind\tdestination_name\tdestination_kind\trouting_key\targuments";
    listed(&format!("Listing bindings for vhost {vhost}..."), titles, &rows)
}

/// Ports, protocols and what they are for.
fn ports(facts: &Facts) -> impl Iterator<Item = (u16, &'static str, &'static str)> {
    let api = (API_PORT, "http", "HTTP API");
    let own = [
        (CONTROL_PORT, "clustering", "inter-node and CLI tool communication"),
        (AMQP_PORT, "amqp", "AMQP 0-9-1 and AMQP 1.0"),
    ];
    facts.manages.then_some(api).into_iter().chain(own)
}

fn listeners(facts: &Facts) -> String {
    ports(facts)
        .map(|(port, protocol, purpose)| {
            format!("Interface: [::], port: {port}, protocol: {protocol}, purpose: {purpose}\n")
        })
        .collect()
}

fn status(broker: &Broker, facts: &Facts) -> String {
    let Facts { node, version, pid, uptime, data, .. } = facts;
    let plugins: String = facts.plugins.iter().map(|name| format!(" * {name}\n")).collect();
    let queues: usize = broker.vhosts.values().map(|vhost| vhost.queues.len()).sum();
    format!(
        "Status of node {node} ...\nRuntime\n\nOS PID: {pid}\nOS: Linux\nUptime (seconds): {uptime}\nIs \
         under maintenance?: false\nRabbitMQ version: {version}\nRabbitMQ release series support status: \
         see https://www.rabbitmq.com/release-information\nNode name: {node}\nErlang configuration: \
         Erlang/OTP 27 [erts-15.2.7] [source] [64-bit] [smp:2:2] [ds:2:2:10] [async-threads:1] [jit]\n\
         Crypto library: OpenSSL 3.3.3 11 Feb 2025\nErlang processes: 403 used, 1048576 limit\nScheduler \
         run queue: 1\nCluster heartbeat timeout (net_ticktime): 60\n\nPlugins\n\nEnabled plugin file: \
         /etc/rabbitmq/enabled_plugins\nEnabled plugins:\n\n{plugins}\nData directory\n\nNode data \
         directory: {data}\nRaft data directory: {data}/quorum/{node}\n\nConfig files\n\n * \
         /etc/rabbitmq/conf.d/10-defaults.conf\n\nLog file(s)\n\n * <stdout>\n\nAlarms\n\n(none)\n\n\
         Tags\n\n(none)\n\nTotals\n\nConnection count: {}\nQueue count: {queues}\nVirtual host count: \
         {}\n\nListeners\n\n{}",
        facts.connections.len(),
        broker.vhosts.len(),
        listeners(facts)
    )
}

fn cluster(facts: &Facts) -> String {
    let Facts { node, version, .. } = facts;
    let running = if facts.stopped { String::new() } else { format!("{node}\n") };
    format!(
        "Cluster status of node {node} ...\nBasics\n\nCluster name: {node}\nTotal CPU cores available \
         cluster-wide: 2\n\nDisk Nodes\n\n{node}\n\nRunning Nodes\n\n{running}\nVersions\n\n{node}: \
         RabbitMQ {version} on Erlang 27.3.4\n\nCPU Cores\n\nNode: {node}, available CPU cores: 2\n\n\
         Maintenance status\n\nNode: {node}, status: not under maintenance\n\nAlarms\n\n(none)\n\n\
         Network Partitions\n\n(none)\n\nListeners\n\n{}",
        ports(facts)
            .map(|(port, protocol, purpose)| {
                format!("Node: {node}, interface: [::], port: {port}, protocol: {protocol}, purpose: {purpose}\n")
            })
            .collect::<String>()
    )
}

fn enabled(facts: &Facts, names: &[&str]) -> String {
    let node = &facts.node;
    let list: String = names.iter().map(|name| format!("{name}\n")).collect();
    let mut all: Vec<&str> = facts.plugins.iter().map(String::as_str).collect();
    all.sort_unstable();
    let set: String = all.iter().map(|name| format!("  {name}\n")).collect();
    format!(
        "Enabling plugins on node {node}:\n{list}The following plugins have been configured:\n{set}\
         Applying plugin configuration to {node}...\nThe following plugins have been enabled:\n{}\n\
         started {} plugins.\n",
        names.iter().map(|name| format!("  {name}\n")).collect::<String>(),
        names.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(commands: &[&str]) -> Vec<(String, i32)> {
        let mut broker = Broker::default();
        broker.add_vhost("/");
        broker.add_user("guest", "guest", &["administrator"], Some("/"));
        broker.declare("/", "foo", true, false, false).unwrap();
        let facts = Facts { node: "rabbit@mq".to_owned(), ..Facts::default() };
        let run = |command: &&str| {
            let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
            let said = run(&mut broker, &words, &facts);
            (said.stdout + &said.stderr, said.code)
        };
        commands.iter().map(run).collect()
    }

    #[test]
    fn commands() {
        let table = [
            (
                "list_queues",
                "Timeout: 60.0 seconds ...\nListing queues for vhost / ...\nname\tmessages\nfoo\t0\n",
                0,
            ),
            (
                "add_user alice secret",
                "Adding user \"alice\" ...\nDone. Don't forget to grant the user permissions to some \
                 virtual hosts! See 'rabbitmqctl help set_permissions' to learn more.\n",
                0,
            ),
            (
                "add_user alice secret",
                "Adding user \"alice\" ...\nError:\nUser \"alice\" already exists\n",
                70,
            ),
            (
                "set_user_tags alice administrator",
                "Setting tags for user \"alice\" to [administrator] ...\n",
                0,
            ),
            (
                "list_users",
                "Listing users ...\nuser\ttags\nalice\t[administrator]\nguest\t[administrator]\n",
                0,
            ),
            ("delete_user bob", "Error:\nUser \"bob\" does not exist\n", 67),
            (
                "list_permissions -p /",
                "Listing permissions for vhost \"/\" ...\nuser\tconfigure\twrite\tread\n\
                 guest\t.*\t.*\t.*\n",
                0,
            ),
        ];
        let commands: Vec<&str> = table.iter().map(|(command, ..)| *command).collect();
        for ((text, code), (command, expected, expected_code)) in
            session(&commands).into_iter().zip(table)
        {
            assert_eq!((text.as_str(), code), (expected, expected_code), "{command}");
        }
    }
}
