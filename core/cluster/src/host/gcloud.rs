//! `gcloud`, as far as a cluster and its machines are concerned.
//!
//! Upstream: Google Cloud SDK, `gcloud container clusters`, `gcloud compute`.

use super::{Ask, err, out, table};
use crate::{Cluster, NodeProfile};
use naru_network::netfilter::TableName;
use naru_shell::{Answer, Next};
use naru_tools::flags::{Flags, Known};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

/// Disks and firewall rules that may be made.
const OBJECTS_MAX: usize = 100;
/// Nodes that a pool may have.
const NODES_MAX: usize = 20;

const FLAGS: [Known; 18] = [
    ("zone", "z", true),
    ("location", "", true),
    ("region", "", true),
    ("project", "", true),
    ("size", "", true),
    ("type", "", true),
    ("allow", "", true),
    ("source-ranges", "", true),
    ("network", "", true),
    ("description", "", true),
    ("num-nodes", "", true),
    ("machine-type", "", true),
    ("node-pool", "", true),
    ("cluster-version", "", true),
    ("quiet", "q", false),
    ("async", "", false),
    ("command", "", true),
    ("format", "", true),
];

/// What the cloud has for this project beside the cluster.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    disks: BTreeMap<String, Disk>,
    /// Rules that let traffic in: by name, what they allow.
    rules: BTreeMap<String, String>,
}

#[derive(Clone, Debug)]
struct Disk {
    zone: String,
    gigabytes: u64,
    kind: String,
}

/// Does a command line.
pub fn run(cluster: &mut Cluster, ask: &Ask<'_>) -> Answer {
    let flags = match Flags::parse(ask.args, &FLAGS) {
        Ok(flags) => flags,
        Err(why) => {
            let what = why.rsplit(' ').next().unwrap_or_default();
            return fails(&format!("gcloud: unrecognized arguments: {what}"), 2);
        }
    };
    let words: Vec<&str> = flags.words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["container", "clusters", "list"] => clusters(cluster),
        ["container", "clusters", "get-credentials", name] => credentials(cluster, name),
        ["container", "clusters", "resize", name] => resize(cluster, name, &flags, ask),
        ["container", "clusters", "create", name] => exists(cluster, name),
        ["container", "clusters", "delete", name] => fails(
            &format!("gcloud.container.clusters.delete: this sandbox keeps its cluster [{name}]"),
            1,
        ),
        ["compute", "instances", "list"] => instances(cluster),
        ["compute", "ssh", name] => ssh(cluster, name, &flags),
        ["compute", "disks", "create", names @ ..] => create_disks(cluster, names, &flags),
        ["compute", "disks", "list"] => disks(cluster, None),
        ["compute", "disks", "delete", names @ ..] => delete_disks(cluster, names, &flags, ask),
        ["compute", "firewall-rules", "create", name] => create_rule(cluster, name, &flags),
        ["compute", "firewall-rules", "list"] => rules(cluster),
        ["compute", "firewall-rules", "delete", name] => delete_rule(cluster, name, &flags, ask),
        ["config", "list"] => out(format!(
            "[compute]\nzone = {}\n[core]\naccount = {}\nproject = {}\n\nYour active configuration \
             is: [default]\n",
            zone(cluster),
            cluster.profile.admin.name,
            project(cluster)
        )),
        ["config", "get-value" | "get", "project"] => out(format!("{}\n", project(cluster))),
        ["config", "set", property, _] => {
            let stderr = format!("Updated property [{}].\n", property_path(property));
            Answer { stderr, ..Answer::default() }
        }
        _ => fails(&format!("gcloud: Invalid choice: '{}'.", words.last().unwrap_or(&"")), 2),
    }
}

fn property_path(property: &str) -> String {
    if property.contains('/') { property.to_owned() } else { format!("core/{property}") }
}

fn fails(why: &str, code: i32) -> Answer {
    Answer { code, ..err(format!("ERROR: ({}\n", why.replacen(": ", ") ", 1))) }
}

fn project(cluster: &Cluster) -> String {
    cluster.profile.cloud.as_ref().map(|cloud| cloud.project.clone()).unwrap_or_default()
}

fn zone(cluster: &Cluster) -> String {
    cluster.profile.cloud.as_ref().map(|cloud| cloud.zone.clone()).unwrap_or_default()
}

fn own_name(cluster: &Cluster) -> String {
    cluster.profile.cloud.as_ref().map(|cloud| cloud.cluster.clone()).unwrap_or_default()
}

fn clusters(cluster: &Cluster) -> Answer {
    let Some(cloud) = &cluster.profile.cloud else { return out(String::new()) };
    let version = cluster.profile.software.kubelet.trim_start_matches('v').to_owned();
    let master = cluster.profile.control_plane_ips().next().map(|ip| ip.to_string());
    let header = [
        "NAME",
        "LOCATION",
        "MASTER_VERSION",
        "MASTER_IP",
        "MACHINE_TYPE",
        "NODE_VERSION",
        "NUM_NODES",
        "STATUS",
    ];
    let row = [
        cloud.cluster.clone(),
        cloud.zone.clone(),
        version.clone(),
        master.unwrap_or_default(),
        cloud.machine_type.clone(),
        version,
        cluster.nodes.len().to_string(),
        "RUNNING".to_owned(),
    ];
    out(table::columns(&[header.map(str::to_owned), row], 2))
}

fn not_found(cluster: &Cluster, verb: &str, name: &str) -> Answer {
    let (project, zone) = (project(cluster), zone(cluster));
    fails(
        &format!(
            "gcloud.container.clusters.{verb}: ResponseError: code=404, message=Not found: \
             projects/{project}/zones/{zone}/clusters/{name}.\nNo cluster named '{name}' in \
             {project}."
        ),
        1,
    )
}

fn credentials(cluster: &mut Cluster, name: &str) -> Answer {
    if name != own_name(cluster) {
        return not_found(cluster, "get-credentials", name);
    }
    if let Err(why) = cluster.write_kubeconfig() {
        return fails(&format!("gcloud.container.clusters.get-credentials: {why}"), 1);
    }
    let stderr = format!(
        "Fetching cluster endpoint and auth data.\nkubeconfig entry generated for {name}.\n"
    );
    Answer { stderr, ..Answer::default() }
}

fn exists(cluster: &Cluster, name: &str) -> Answer {
    let (project, zone) = (project(cluster), zone(cluster));
    if name == own_name(cluster) {
        return fails(
            &format!(
                "gcloud.container.clusters.create: ResponseError: code=409, message=Already \
                 exists: projects/{project}/zones/{zone}/clusters/{name}."
            ),
            1,
        );
    }
    fails(
        "gcloud.container.clusters.create: ResponseError: code=403, message=Insufficient regional \
         quota to satisfy request: this sandbox has one cluster.",
        1,
    )
}

fn resize(cluster: &mut Cluster, name: &str, flags: &Flags, ask: &Ask<'_>) -> Answer {
    if name != own_name(cluster) {
        return not_found(cluster, "resize", name);
    }
    let wanted = flags.value("num-nodes").or(flags.value("size"));
    let Some(wanted) = wanted.and_then(|text| text.parse::<usize>().ok()) else {
        return fails(
            "gcloud.container.clusters.resize: argument --num-nodes: Must be specified.",
            2,
        );
    };
    if wanted > NODES_MAX {
        return fails(
            "gcloud.container.clusters.resize: ResponseError: code=403, message=Insufficient \
             regional quota to satisfy request: resource \"CPUS\".",
            1,
        );
    }
    if !flags.is_on("quiet") && ask.state.is_empty() {
        return question(format!(
            "Pool [default-pool] for [{name}] will be resized to {wanted} node(s) in each zone it \
             spans.\n\nDo you want to continue (Y/n)?  "
        ));
    }
    if is_no(ask) {
        return aborted();
    }
    while cluster.nodes.len() < wanted {
        let machine = next_machine(cluster);
        if let Err(why) = cluster.add_node(machine) {
            return fails(&format!("gcloud.container.clusters.resize: {why}"), 1);
        }
    }
    while cluster.nodes.len() > wanted && cluster.remove_last_node() {}
    let (project, zone) = (project(cluster), zone(cluster));
    let stderr = format!(
        "Resizing {name}...done.\nUpdated \
         [https://container.googleapis.com/v1/projects/{project}/zones/{zone}/clusters/{name}].\n"
    );
    Answer { stderr, ..Answer::default() }
}

/// One more machine of the pool.
fn next_machine(cluster: &mut Cluster) -> NodeProfile {
    const LETTERS: &[u8] = b"0123456789bcdfghjklmnpqrstvwxz";
    let count = cluster.nodes.len();
    let suffix: String = (0..4)
        .filter_map(|_| {
            let place = cluster.rng.below(LETTERS.len() as u64);
            LETTERS.get(usize::try_from(place).ok()?).copied().map(char::from)
        })
        .collect();
    let first = cluster.profile.nodes.first();
    let stem = first.and_then(|node| node.name.rsplit_once('-')).map_or("node", |(stem, _)| stem);
    let name = format!("{stem}-{suffix}");
    let used: Vec<Ipv4Addr> = cluster.nodes.iter().map(|node| node.config().internal_ip).collect();
    let mut hosts = cluster.profile.network.hosts().skip(4);
    let ip = hosts.find(|ip| !used.contains(ip) && *ip != cluster.profile.host);
    let outer = Ipv4Addr::new(34, 28, u8::try_from(count).unwrap_or(255), 17);
    NodeProfile {
        ip: ip.unwrap_or(Ipv4Addr::UNSPECIFIED),
        external_ip: Some(outer),
        control_plane: false,
        tainted: false,
        pod_cidr: None,
        provider_id: format!("gce://{}/{}/{name}", project(cluster), zone(cluster)),
        labels: BTreeMap::new(),
        name,
    }
}

fn instances(cluster: &Cluster) -> Answer {
    let header =
        ["NAME", "ZONE", "MACHINE_TYPE", "PREEMPTIBLE", "INTERNAL_IP", "EXTERNAL_IP", "STATUS"];
    let mut rows = vec![header.map(str::to_owned)];
    let kind = cluster.profile.cloud.as_ref().map(|cloud| cloud.machine_type.clone());
    for node in &cluster.nodes {
        let on = cluster.node_is_on(node.name());
        let outer = node.config().external_ip.filter(|_| on).map(|ip| ip.to_string());
        rows.push([
            node.name().to_owned(),
            zone(cluster),
            kind.clone().unwrap_or_default(),
            String::new(),
            node.config().internal_ip.to_string(),
            outer.unwrap_or_default(),
            if on { "RUNNING" } else { "TERMINATED" }.to_owned(),
        ]);
    }
    out(table::columns(&rows, 2))
}

fn ssh(cluster: &Cluster, name: &str, flags: &Flags) -> Answer {
    let name = name.rsplit('@').next().unwrap_or(name);
    if cluster.node_index(name).is_err() {
        let (project, zone) = (project(cluster), zone(cluster));
        return fails(
            &format!(
                "gcloud.compute.ssh: Could not fetch resource:\n - The resource \
                 'projects/{project}/zones/{zone}/instances/{name}' was not found"
            ),
            1,
        );
    }
    let mut argv = vec!["ssh".to_owned(), name.to_owned()];
    argv.extend(flags.value("command").map(str::to_owned));
    argv.extend(flags.rest.clone().unwrap_or_default());
    Answer { exec: Some(argv), ..Answer::default() }
}

// ---- disks ----

fn create_disks(cluster: &mut Cluster, names: &[&str], flags: &Flags) -> Answer {
    let own_zone = zone(cluster);
    let zone = flags.value("zone").unwrap_or(&own_zone).to_owned();
    let kind = flags.value("type").unwrap_or("pd-standard").to_owned();
    let Some(gigabytes) = gigabytes(flags.value("size")) else {
        let size = flags.value("size").unwrap_or_default();
        return fails(
            &format!(
                "gcloud.compute.disks.create: argument --size: given value must be of the form \
                 INTEGER[UNIT] where units can be one of GB, GiB, TB, TiB, received: {size}"
            ),
            2,
        );
    };
    let mut stderr = String::new();
    for name in names {
        let path = format!(
            "https://www.googleapis.com/compute/v1/projects/{}/zones/{zone}/disks/{name}",
            project(cluster)
        );
        if cluster.cloud_inventory.disks.contains_key(*name) {
            let why = path.trim_start_matches("https://www.googleapis.com/compute/v1/");
            return fails(
                &format!(
                    "gcloud.compute.disks.create: Could not fetch resource:\n - The resource \
                     '{why}' already exists\n"
                ),
                1,
            );
        }
        if cluster.cloud_inventory.disks.len() >= OBJECTS_MAX {
            return fails("gcloud.compute.disks.create: Quota 'DISKS' exceeded.", 1);
        }
        let disk = Disk { zone: zone.clone(), gigabytes, kind: kind.clone() };
        cluster.cloud_inventory.disks.insert((*name).to_owned(), disk);
        stderr += &format!("Created [{path}].\n");
    }
    let listed = disks(cluster, Some(names));
    let small = "WARNING: You have selected a disk size of under [200GB]. This may result in poor \
                 I/O performance. For more information, see: \
                 https://developers.google.com/compute/docs/disks#performance.\n";
    if gigabytes < 200 {
        stderr.insert_str(0, small);
    }
    stderr += "\nNew disks are unformatted. You must format and mount a disk before it\ncan be \
               used. You can find instructions on how to do this at:\n\n\
               https://cloud.google.com/compute/docs/disks/add-persistent-disk#formatting\n\n";
    Answer { stderr, ..listed }
}

fn gigabytes(size: Option<&str>) -> Option<u64> {
    let Some(size) = size else { return Some(500) };
    let digits: String = size.chars().take_while(char::is_ascii_digit).collect();
    let factor = match size.get(digits.len()..)?.to_ascii_lowercase().as_str() {
        "" | "g" | "gb" | "gib" => 1,
        "t" | "tb" | "tib" => 1024,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor).filter(|size| *size > 0)
}

fn disks(cluster: &Cluster, names: Option<&[&str]>) -> Answer {
    let mut rows = vec![
        ["NAME", "LOCATION", "LOCATION_SCOPE", "SIZE_GB", "TYPE", "STATUS"].map(str::to_owned),
    ];
    for (name, disk) in &cluster.cloud_inventory.disks {
        if names.is_none_or(|names| names.contains(&name.as_str())) {
            rows.push([
                name.clone(),
                disk.zone.clone(),
                "zone".to_owned(),
                disk.gigabytes.to_string(),
                disk.kind.clone(),
                "READY".to_owned(),
            ]);
        }
    }
    match names {
        None if rows.len() == 1 => {
            Answer { stderr: "Listed 0 items.\n".to_owned(), ..Answer::default() }
        }
        None => out(table::columns(&rows, 2)),
        // What was just made is shown without its scope.
        Some(_) => {
            let short: Vec<[String; 5]> = rows
                .into_iter()
                .map(|[name, zone, _, size, kind, status]| {
                    let zone = if zone == "LOCATION" { "ZONE".to_owned() } else { zone };
                    [name, zone, size, kind, status]
                })
                .collect();
            out(table::columns(&short, 2))
        }
    }
}

fn delete_disks(cluster: &mut Cluster, names: &[&str], flags: &Flags, ask: &Ask<'_>) -> Answer {
    let own_zone = zone(cluster);
    let zone = flags.value("zone").unwrap_or(&own_zone).to_owned();
    if !flags.is_on("quiet") && ask.state.is_empty() {
        let list: String = names.iter().map(|name| format!(" - [{name}] in [{zone}]\n")).collect();
        return question(format!(
            "The following disks will be deleted:\n{list}\nDo you want to continue (Y/n)?  "
        ));
    }
    if is_no(ask) {
        return aborted();
    }
    let mut stderr = String::new();
    for name in names {
        let path = format!("projects/{}/zones/{zone}/disks/{name}", project(cluster));
        let there = cluster.cloud_inventory.disks.get(*name).is_some_and(|disk| disk.zone == zone);
        if !there {
            return fails(
                &format!(
                    "gcloud.compute.disks.delete: Could not fetch resource:\n - The resource \
                     '{path}' was not found\n"
                ),
                1,
            );
        }
        cluster.cloud_inventory.disks.remove(*name);
        stderr += &format!("Deleted [https://www.googleapis.com/compute/v1/{path}].\n");
    }
    Answer { stderr, ..Answer::default() }
}

// ---- the firewall ----

/// What a rule allows, as iptables says it: protocol and ports.
fn allowed(text: &str) -> Option<Vec<(String, String)>> {
    let one = |word: &str| {
        let (protocol, ports) = word.split_once(':').unwrap_or((word, ""));
        let known = ["tcp", "udp", "icmp"].contains(&protocol);
        let numbers = ports.split('-').all(|port| port.is_empty() || port.parse::<u16>().is_ok());
        (known && numbers).then(|| (protocol.to_owned(), ports.replace('-', ":")))
    };
    text.split(',').map(one).collect()
}

impl Cluster {
    /// Lays down the cloud's firewall: from outside, nodes are reached by their own addresses only
    /// as rules allow. Load balancers have rules of their own.
    pub(crate) fn lay_firewall(&mut self) {
        let here = self.workstation.namespace();
        let outer: Vec<Ipv4Addr> =
            self.nodes.iter().filter_map(|node| node.config().external_ip).collect();
        let Some(rules) = self.net.netfilter(here) else { return };
        let mut lines = vec!["-F OUTPUT".to_owned()];
        for ip in outer {
            for (protocol, ports) in
                self.cloud_inventory.rules.values().filter_map(|rule| allowed(rule)).flatten()
            {
                let ports =
                    if ports.is_empty() { String::new() } else { format!(" --dport {ports}") };
                lines.push(format!("-A OUTPUT -d {ip}/32 -p {protocol}{ports} -j ACCEPT"));
            }
            lines.push(format!("-A OUTPUT -d {ip}/32 -p tcp --dport 30000:32767 -j DROP"));
            lines.push(format!("-A OUTPUT -d {ip}/32 -p udp --dport 30000:32767 -j DROP"));
        }
        for line in lines {
            // Lines that were made here can be read.
            let _ = rules.command(TableName::Filter, &line);
        }
    }
}

fn create_rule(cluster: &mut Cluster, name: &str, flags: &Flags) -> Answer {
    let Some(allow) = flags.value("allow") else {
        return fails(
            "gcloud.compute.firewall-rules.create: Exactly one of (--action | --allow) must be \
             specified.",
            2,
        );
    };
    if allowed(allow).is_none() {
        return fails(
            &format!(
                "gcloud.compute.firewall-rules.create: Firewall rules must be of the form \
                 PROTOCOL[:PORT[-PORT]]; received [{allow}]."
            ),
            1,
        );
    }
    let path = format!("projects/{}/global/firewalls/{name}", project(cluster));
    let full = cluster.cloud_inventory.rules.len() >= OBJECTS_MAX;
    if full || cluster.cloud_inventory.rules.contains_key(name) {
        return fails(
            &format!(
                "gcloud.compute.firewall-rules.create: Could not fetch resource:\n - The resource \
                 '{path}' already exists\n"
            ),
            1,
        );
    }
    cluster.cloud_inventory.rules.insert(name.to_owned(), allow.to_owned());
    cluster.lay_firewall();
    let stderr = format!(
        "Creating firewall...\n..Created [https://www.googleapis.com/compute/v1/{path}].\ndone.\n"
    );
    Answer { stderr, ..rules_table(cluster, Some(name)) }
}

fn rules_table(cluster: &Cluster, only: Option<&str>) -> Answer {
    let header = ["NAME", "NETWORK", "DIRECTION", "PRIORITY", "ALLOW", "DENY", "DISABLED"];
    let mut rows = vec![header.map(str::to_owned)];
    for (name, allow) in &cluster.cloud_inventory.rules {
        if only.is_none_or(|only| only == name) {
            rows.push([name, "default", "INGRESS", "1000", allow, "", "False"].map(str::to_owned));
        }
    }
    out(table::columns(&rows, 2))
}

fn rules(cluster: &Cluster) -> Answer {
    let listed = rules_table(cluster, None);
    let stderr = "\nTo show all fields of the firewall, please show in JSON format: --format=json\n\
                  To show all fields in table format, please see the examples in --help.\n\n";
    Answer { stderr: stderr.to_owned(), ..listed }
}

fn delete_rule(cluster: &mut Cluster, name: &str, flags: &Flags, ask: &Ask<'_>) -> Answer {
    if !flags.is_on("quiet") && ask.state.is_empty() {
        return question(format!(
            "The following firewalls will be deleted:\n - [{name}]\n\nDo you want to continue \
             (Y/n)?  "
        ));
    }
    if is_no(ask) {
        return aborted();
    }
    let path = format!("projects/{}/global/firewalls/{name}", project(cluster));
    if cluster.cloud_inventory.rules.remove(name).is_none() {
        return fails(
            &format!(
                "gcloud.compute.firewall-rules.delete: Could not fetch resource:\n - The resource \
                 '{path}' was not found\n"
            ),
            1,
        );
    }
    cluster.lay_firewall();
    let stderr = format!("Deleted [https://www.googleapis.com/compute/v1/{path}].\n");
    Answer { stderr, ..Answer::default() }
}

// ---- questions ----

fn question(text: String) -> Answer {
    let next =
        Next { after: Duration::ZERO, state: "asked".to_owned(), reads: true, ..Next::default() };
    Answer { stderr: text, next: Some(next), ..Answer::default() }
}

fn is_no(ask: &Ask<'_>) -> bool {
    !ask.state.is_empty() && ask.input.trim().to_lowercase().starts_with('n')
}

fn aborted() -> Answer {
    err("\n\nAborted by user.\n".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_rules_are_read() {
        for (text, expected) in [
            ("10GB", Some(10)),
            ("1GiB", Some(1)),
            ("2TB", Some(2048)),
            ("lGiB", None),
            ("0", None),
        ] {
            assert_eq!(gigabytes(Some(text)), expected, "{text}");
        }
        assert_eq!(gigabytes(None), Some(500));
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(allowed("tcp:30123"), Some(vec![pair("tcp", "30123")]));
        assert_eq!(allowed("tcp:80-90,icmp"), Some(vec![pair("tcp", "80:90"), pair("icmp", "")]));
        assert_eq!(allowed("sctp:1"), None);
    }
}
