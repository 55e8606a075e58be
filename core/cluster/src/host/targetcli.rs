//! `targetcli`: disks of the learner's machine that other machines reach by iSCSI.
//!
//! Upstream: open-iscsi/targetcli-fb, `src/targetcli/{ui_backstore,ui_target,targetcli_shell}.py`,
//! rtslib-fb, `rtslib/{target,tcm,utils}.py`, and configshell-fb, `configshell/node.py`. The sandbox knows files as backstores, and one portal, on
//! which all targets listen. What is on a disk is beside the machine, as with every disk: the file is
//! there and stays empty.

use super::{Ask, err, out};
use crate::Cluster;
use naru_node::DiskId;
use naru_node::iscsi::{Chap, PORT, Target};
use naru_shell::Answer;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Most disks and most targets of the machine.
const STORES_MAX: usize = 32;
const TARGETS_MAX: usize = 32;
/// Upstream: `MAX_TARGET_LUN` of rtslib.
const LUN_MAX: u32 = 65_535;
/// Upstream: `default_portal_listen`.
const LISTEN: &str = "::0";
/// Columns of the tree.
const WIDTH: usize = 80;

/// What the machine serves disks from.
#[derive(Clone, Debug, Default)]
pub struct TargetServer {
    stores: BTreeMap<String, Store>,
    /// `demo_mode_write_protect` of targets where it was set to 0.
    writable: BTreeMap<String, bool>,
}

#[derive(Clone, Debug)]
struct Store {
    file: String,
    bytes: u64,
    /// Whether what is written may stay in memory for a while.
    write_back: bool,
}

/// Does a command line: a path, a command and its arguments, or a command alone.
pub fn run(cluster: &mut Cluster, ask: &Ask<'_>) -> Answer {
    let mut words: Vec<&str> = ask.args.iter().flat_map(|arg| arg.split_whitespace()).collect();
    let path = match words.first() {
        Some(first) if first.starts_with('/') => {
            let path = first.trim_matches('/').to_owned();
            words.remove(0);
            path
        }
        _ => String::new(),
    };
    let (command, args) = match words.split_first() {
        Some((command, args)) => (*command, args),
        None if path.is_empty() => {
            return err(
                "targetcli: the sandbox takes one command at a time: targetcli ls\n".to_owned()
            );
        }
        None => return out(String::new()),
    };
    let path: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let done = match (path.as_slice(), command) {
        (_, "ls") => ls(&lines(cluster), &path, args),
        ([], "version") => Ok("targetcli version 2.1.58\n".to_owned()),
        ([], "saveconfig") => Ok("Configuration saved to /etc/target/saveconfig.json\n".to_owned()),
        ([], "clearconfig") => clear(cluster, args),
        (["backstores", "fileio"], "create") => create_store(cluster, args),
        (["backstores", "fileio"], "delete") => delete_store(cluster, args),
        (["iscsi"], "create") => create_target(cluster, args),
        (["iscsi"], "delete") => delete_target(cluster, args),
        (["iscsi", iqn, "tpg1", "luns"], _) => luns(cluster, iqn, command, args),
        (["iscsi", iqn, "tpg1", "acls"], _) => acls(cluster, iqn, command, args),
        (["iscsi", iqn, "tpg1"], "set") => set(cluster, iqn, args),
        (["iscsi", iqn, "tpg1", "acls", initiator], "set") => {
            set_acl(cluster, iqn, initiator, args)
        }
        (["iscsi", iqn, "tpg1"], "enable") => {
            target(cluster, iqn).map(|_| "The TPGT is already enabled.\n".to_owned())
        }
        (["backstores", "fileio"] | ["iscsi"] | [], _) => {
            Err(format!("Command not found {command}"))
        }
        _ => Err(format!("No such path /{}", path.join("/"))),
    };
    match done {
        Ok(text) => out(text),
        Err(why) => err(format!("{why}\n")),
    }
}

/// Arguments by their names; those without one take the names in order.
fn named<'a>(args: &[&'a str], names: &[&'a str]) -> BTreeMap<&'a str, &'a str> {
    let mut all = BTreeMap::new();
    let mut free = names.iter();
    for arg in args {
        match arg.split_once('=') {
            Some((name, value)) if names.contains(&name) => drop(all.insert(name, value)),
            _ => {
                if let Some(name) = free.next() {
                    all.insert(*name, *arg);
                }
            }
        }
    }
    all
}

fn want<'a>(all: &BTreeMap<&str, &'a str>, names: &[&str]) -> Result<&'a str, String> {
    let first = names.first().copied().unwrap_or_default();
    all.get(first).copied().ok_or_else(|| format!("Missing required parameter {first}"))
}

fn portal(cluster: &Cluster) -> String {
    format!("{}:{PORT}", cluster.profile.host)
}

fn disk(cluster: &Cluster, store: &str) -> DiskId {
    DiskId::new(format!("iscsi/{}", portal(cluster)), format!("fileio/{store}"))
}

fn target<'a>(cluster: &'a mut Cluster, iqn: &str) -> Result<&'a mut Target, String> {
    let portal = portal(cluster);
    let targets = cluster.disks.iscsi.at_mut(&portal);
    targets.and_then(|it| it.get_mut(iqn)).ok_or_else(|| format!("No such path /iscsi/{iqn}"))
}

// ---- backstores ----

fn create_store(cluster: &mut Cluster, args: &[&str]) -> Result<String, String> {
    const NAMES: [&str; 4] = ["name", "file_or_dev", "size", "write_back"];
    let all = named(args, &NAMES);
    let name = want(&all, &["name"])?;
    let file = want(&all, &["file_or_dev"])?.to_owned();
    let stores = &cluster.workstation.targets.stores;
    if stores.contains_key(name) {
        return Err(format!("Storage object fileio/{name} exists"));
    }
    if let Some((other, _)) = stores.iter().find(|(_, store)| store.file == file) {
        return Err(format!("storage object for {file} already exists: {other}"));
    }
    if stores.len() >= STORES_MAX {
        return Err(format!("the sandbox's machine serves at most {STORES_MAX} disks"));
    }
    if cluster.workstation.files().exists(&file) {
        return Err(format!("the sandbox makes the file itself: {file} is there already"));
    }
    let Some(size) = all.get("size") else {
        return Err("Attempting to create file for new fileio backstore, need a size".to_owned());
    };
    let bytes = human_to_bytes(size)?;
    let write_back = match all.get("write_back").map(|value| value.to_ascii_lowercase()).as_deref()
    {
        None | Some("true") => true,
        Some("false") => false,
        Some(_) => {
            let value = all.get("write_back").copied().unwrap_or_default();
            return Err(format!("Syntax error, '{value}' is not true|false."));
        }
    };
    let folder = file.rsplit_once('/').map_or("/", |(folder, _)| folder);
    let there = folder.is_empty() || cluster.workstation.files().is_dir(folder);
    let written = there.then(|| cluster.workstation.write_file(&file, b""));
    if !matches!(written, Some(Ok(()))) {
        return Err(format!("Could not open {file}"));
    }
    let id = disk(cluster, name);
    cluster.disks.make(&id, bytes)?;
    cluster.workstation.targets.stores.insert(name.to_owned(), Store { file, bytes, write_back });
    Ok(format!("Created fileio {name} with size {bytes}\n"))
}

/// Upstream: `human_to_bytes`, which reads `GiB` as `GB` and takes both for powers of 1024.
fn human_to_bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("Cannot interpret size, wrong format: {text}");
    let size = text.replace('i', "").to_ascii_lowercase();
    let digits = size.find(|it: char| !it.is_ascii_digit()).unwrap_or(size.len());
    let (number, unit) = size.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let power = match unit {
        "" | "b" => 0,
        "k" | "kb" => 1,
        "m" | "mb" => 2,
        "g" | "gb" => 3,
        "t" | "tb" => 4,
        _ => return Err(wrong()),
    };
    number.checked_mul(1 << (10 * power)).ok_or_else(wrong)
}

fn delete_store(cluster: &mut Cluster, args: &[&str]) -> Result<String, String> {
    let all = named(args, &["name"]);
    let name = want(&all, &["name"])?;
    if cluster.workstation.targets.stores.remove(name).is_none() {
        return Err(format!("No storage object named {name}."));
    }
    let (id, portal) = (disk(cluster, name), portal(cluster));
    for target in cluster.disks.iscsi.at_mut(&portal).into_iter().flat_map(|it| it.values_mut()) {
        target.luns.retain(|_, lun| *lun != id);
    }
    cluster.disks.remove(&id);
    Ok(format!("Deleted storage object {name}.\n"))
}

// ---- targets ----

/// A name as a target and an initiator may have it. Upstream: `normalize_wwn` of rtslib.
fn normal(name: &str) -> Result<String, String> {
    let name = name.to_ascii_lowercase();
    let hex = |text: &str| text.len() == 16 && text.bytes().all(|it| it.is_ascii_hexdigit());
    let valid = match name.split_once('.') {
        Some(("iqn", rest)) => is_qualified(rest) && !name.contains([' ', '_', '/']),
        Some(("naa" | "eui", rest)) => hex(rest),
        _ => false,
    };
    if valid { Ok(name) } else { Err("WWN not valid as: iqn, naa, eui".to_owned()) }
}

/// `2001-04.com.example`, with whatever after it.
fn is_qualified(text: &str) -> bool {
    let Some((date, rest)) = text.split_once('.') else { return false };
    let digits = |text: &str| text.bytes().all(|it| it.is_ascii_digit());
    let dated = date.split_once('-').is_some_and(|(year, month)| {
        year.len() == 4 && month.len() == 2 && digits(year) && digits(month) && month < "20"
    });
    dated && rest.contains('.')
}

/// The name of a target that nobody has named, where upstream draws the last digits.
fn generated(count: usize) -> String {
    let digits = format!("{:x}", Sha256::digest(format!("target {count}")));
    let digits = digits.get(..12).unwrap_or_default();
    format!("iqn.2003-01.org.linux-iscsi.naru.x8664:sn.{digits}")
}

fn create_target(cluster: &mut Cluster, args: &[&str]) -> Result<String, String> {
    let all = named(args, &["wwn"]);
    let portal = portal(cluster);
    let count = cluster.disks.iscsi.at(&portal).map_or(0, BTreeMap::len);
    let iqn = match all.get("wwn") {
        Some(name) => normal(name)?,
        None => generated(count),
    };
    if count >= TARGETS_MAX {
        return Err(format!("the sandbox's machine has at most {TARGETS_MAX} targets"));
    }
    let targets = cluster.disks.iscsi.open(&portal);
    if targets.contains_key(&iqn) {
        return Err("This Target already exists in configFS".to_owned());
    }
    targets.insert(iqn.clone(), Target::default());
    Ok(format!(
        "Created target {iqn}.\nCreated TPG 1.\nGlobal pref auto_add_default_portal=true\nCreated \
         default portal listening on all IPs ({LISTEN}), port {PORT}.\n"
    ))
}

fn delete_target(cluster: &mut Cluster, args: &[&str]) -> Result<String, String> {
    let all = named(args, &["wwn"]);
    let iqn = want(&all, &["wwn"])?;
    let portal = portal(cluster);
    let mut targets = cluster.disks.iscsi.at_mut(&portal);
    if targets.as_mut().and_then(|it| it.remove(iqn)).is_none() {
        return Err(format!("No such Target in configfs: /sys/kernel/config/target/iscsi/{iqn}"));
    }
    if targets.is_none_or(|it| it.is_empty()) {
        cluster.disks.iscsi.close(&portal);
    }
    cluster.workstation.targets.writable.remove(iqn);
    Ok(format!("Deleted Target {iqn}.\n"))
}

fn luns(cluster: &mut Cluster, iqn: &str, command: &str, args: &[&str]) -> Result<String, String> {
    let number = |text: &str| {
        let text = text.strip_prefix("lun").unwrap_or(text);
        text.parse::<u32>().ok().filter(|number| *number <= LUN_MAX)
    };
    match command {
        "create" => {
            let all = named(args, &["storage_object", "lun"]);
            let path = want(&all, &["storage_object"])?;
            let store = path.strip_prefix("/backstores/fileio/").unwrap_or_default();
            if !cluster.workstation.targets.stores.contains_key(store) {
                return Err("storage object or path not valid".to_owned());
            }
            let id = disk(cluster, store);
            let target = target(cluster, iqn)?;
            if target.luns.values().any(|lun| *lun == id) {
                return Err(format!("lun for storage object fileio/{store} already exists"));
            }
            let free = (0..=LUN_MAX).find(|number| !target.luns.contains_key(number));
            let lun = match all.get("lun") {
                Some(text) => number(text).ok_or(format!("LUN must be 0 to {LUN_MAX}"))?,
                None => free.ok_or(format!("All LUNs 0-{LUN_MAX} in use"))?,
            };
            if target.luns.contains_key(&lun) {
                return Err("This LUN already exists in configFS".to_owned());
            }
            target.luns.insert(lun, id);
            let mut text = format!("Created LUN {lun}.\n");
            for initiator in target.acls.keys() {
                text += &format!("Created LUN {lun}->{lun} mapping in node ACL {initiator}\n");
            }
            Ok(text)
        }
        "delete" => {
            let all = named(args, &["lun"]);
            let lun = number(want(&all, &["lun"])?).ok_or("Invalid LUN")?;
            let target = target(cluster, iqn)?;
            target.luns.remove(&lun).ok_or("Invalid LUN")?;
            Ok(format!("Deleted LUN {lun}.\n"))
        }
        _ => Err(format!("Command not found {command}")),
    }
}

fn acls(cluster: &mut Cluster, iqn: &str, command: &str, args: &[&str]) -> Result<String, String> {
    let all = named(args, &["wwn"]);
    match command {
        "create" => {
            let initiator = normal(want(&all, &["wwn"])?)?;
            let target = target(cluster, iqn)?;
            if target.acls.contains_key(&initiator) {
                return Err("This NodeACL already exists in configFS".to_owned());
            }
            let mut text = format!("Created Node ACL for {initiator}\n");
            for lun in target.luns.keys() {
                text += &format!("Created mapped LUN {lun}.\n");
            }
            target.acls.insert(initiator, None);
            Ok(text)
        }
        "delete" => {
            let initiator = want(&all, &["wwn"])?;
            let found = target(cluster, iqn)?.acls.remove(initiator);
            found.ok_or_else(|| {
                format!(
                    "No such NodeACL in configfs: \
                     /sys/kernel/config/target/iscsi/{iqn}/tpgt_1/acls/{initiator}"
                )
            })?;
            Ok(format!("Deleted Node ACL {initiator}.\n"))
        }
        _ => Err(format!("Command not found {command}")),
    }
}

// ---- settings ----

fn pairs<'a>(args: &[&'a str]) -> Vec<(&'a str, &'a str)> {
    args.iter().filter_map(|arg| arg.split_once('=')).collect()
}

fn set(cluster: &mut Cluster, iqn: &str, args: &[&str]) -> Result<String, String> {
    let Some((group, args)) = args.split_first() else {
        return Err("the sandbox sets the groups attribute and auth".to_owned());
    };
    let given = pairs(args);
    target(cluster, iqn)?;
    let mut writable = cluster.workstation.targets.writable.get(iqn).copied().unwrap_or(false);
    let target = target(cluster, iqn)?;
    let mut changed = target.clone();
    let mut text = String::new();
    for (name, value) in given {
        let on = value == "1";
        match (*group, name) {
            ("attribute", _) if value != "0" && value != "1" => {
                return Err(format!("the sandbox knows 0 and 1 for {name}"));
            }
            ("attribute", "authentication") => changed.authenticates = on,
            ("attribute", "generate_node_acls") => changed.open = on,
            ("attribute", "demo_mode_write_protect") => writable = !on,
            ("attribute", "cache_dynamic_acls" | "demo_mode_discovery") => {}
            ("auth", "userid" | "password") => set_chap(&mut changed.chap, name, value),
            ("attribute" | "auth", _) => {
                return Err(format!("Unknown parameter {name} in group '{group}'."));
            }
            _ => return Err(format!("Unknown configuration group: {group}")),
        }
        text += &format!("Parameter {name} is now '{value}'.\n");
    }
    if changed.open && !writable {
        return Err("the sandbox's target lets everybody in only where everybody may write: set \
                    demo_mode_write_protect=0 too"
            .to_owned());
    }
    *target = changed;
    cluster.workstation.targets.writable.insert(iqn.to_owned(), writable);
    Ok(text)
}

fn set_chap(chap: &mut Option<Chap>, name: &str, value: &str) {
    let (mut user, mut password) = chap.take().unwrap_or_default();
    if name == "userid" {
        user = value.to_owned();
    } else {
        password = value.to_owned();
    }
    *chap =
        Some((user, password)).filter(|(user, password)| !(user.is_empty() && password.is_empty()));
}

fn set_acl(
    cluster: &mut Cluster,
    iqn: &str,
    initiator: &str,
    args: &[&str],
) -> Result<String, String> {
    let Some((group, args)) = args.split_first() else {
        return Err("the sandbox sets the group auth".to_owned());
    };
    if *group != "auth" {
        return Err(format!("Unknown configuration group: {group}"));
    }
    let acl = target(cluster, iqn)?.acls.get_mut(initiator);
    let acl = acl.ok_or_else(|| format!("No such path /iscsi/{iqn}/tpg1/acls/{initiator}"))?;
    let mut text = String::new();
    for (name, value) in pairs(args) {
        if name != "userid" && name != "password" {
            return Err(format!("Unknown parameter {name} in group 'auth'."));
        }
        set_chap(acl, name, value);
        text += &format!("Parameter {name} is now '{value}'.\n");
    }
    Ok(text)
}

fn clear(cluster: &mut Cluster, args: &[&str]) -> Result<String, String> {
    let all = named(args, &["confirm"]);
    if !all.get("confirm").is_some_and(|it| it.eq_ignore_ascii_case("true")) {
        return Err("As a precaution, confirm=True needs to be set".to_owned());
    }
    let stores: Vec<String> = cluster.workstation.targets.stores.keys().cloned().collect();
    for store in stores {
        let id = disk(cluster, &store);
        cluster.disks.remove(&id);
    }
    let portal = portal(cluster);
    cluster.disks.iscsi.close(&portal);
    cluster.workstation.targets = TargetServer::default();
    Ok("All configuration cleared\n".to_owned())
}

// ---- ls ----

/// A node of the tree: how deep it is, its name and what is said of it.
type Line = (usize, String, String);

/// Upstream: `ui_command_ls`.
fn ls(lines: &[Line], from: &[&str], args: &[&str]) -> Result<String, String> {
    let all = named(args, &["path", "depth"]);
    let mut place = find(lines, &[0], from)?;
    if let Some(path) = all.get("path") {
        let start = if path.starts_with('/') { vec![0] } else { place };
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        place = find(lines, &start, &parts)?;
    }
    let depth = all.get("depth").map_or(Ok(0), |depth| depth.parse::<i64>());
    let depth = depth.map_err(|_| "The tree depth must be a number.".to_owned())?;
    let top = place.last().copied().unwrap_or_default();
    let root = lines.get(top).map_or(0, |(depth, ..)| *depth);
    let below = lines.iter().skip(top + 1).take_while(|(depth, ..)| *depth > root);
    let shown = lines.get(top).into_iter().chain(below);
    let shown = shown.map(|(depth, name, said)| (depth - root, name.as_str(), said.as_str()));
    let shallow = |(level, ..): &(usize, &str, &str)| {
        depth == 0 || i64::try_from(*level).is_ok_and(|level| level <= depth.max(0))
    };
    Ok(tree(&shown.filter(shallow).collect::<Vec<_>>()))
}

/// Where the node of this path is: the lines of all that lead to it. Upstream: `get_node`.
fn find(lines: &[Line], from: &[usize], path: &[&str]) -> Result<Vec<usize>, String> {
    let mut place = from.to_vec();
    for part in path {
        let at = place.last().copied().unwrap_or_default();
        let depth = place.len();
        let below = lines.iter().enumerate().skip(at + 1);
        let mut children = below
            .take_while(|(_, (level, ..))| *level >= depth)
            .filter(|(_, (level, ..))| *level == depth);
        match *part {
            "." => {}
            ".." if depth > 1 => drop(place.pop()),
            ".." => {}
            name => match children.find(|(_, (_, child, _))| child == name) {
                Some((child, _)) => place.push(child),
                None => {
                    let names = place.iter().skip(1).filter_map(|at| lines.get(*at));
                    let path: String = names.map(|(_, name, _)| format!("/{name}")).collect();
                    return Err(format!("No such path {path}/{name}"));
                }
            },
        }
    }
    Ok(place)
}

/// Upstream: `_render_tree`.
fn tree(lines: &[(usize, &str, &str)]) -> String {
    let mut text = String::new();
    for (at, (depth, name, said)) in lines.iter().enumerate() {
        let mut margin = String::new();
        for level in 1..*depth {
            // A pipe where the parent at that level has a sibling below.
            let below = lines.iter().skip(at + 1).find(|(other, ..)| *other <= level);
            let open = below.is_some_and(|(other, ..)| *other == level);
            margin += if open { "| " } else { "  " };
        }
        let margin = if *depth == 0 { margin } else { format!("  {margin}") };
        let taken = margin.len() + "o- ".len() + name.len() + 1 + said.len() + 3;
        let dots = ".".repeat(WIDTH.saturating_sub(taken));
        text += &format!("{margin}o- {name} {dots} [{said}]\n");
    }
    text
}

fn lines(cluster: &Cluster) -> Vec<Line> {
    let line = |depth, name: &str, said: String| (depth, name.to_owned(), said);
    let objects = |count: usize| format!("Storage Objects: {count}");
    let stores = &cluster.workstation.targets.stores;
    let mut all = vec![line(0, "/", "...".to_owned()), line(1, "backstores", "...".to_owned())];
    all.push(line(2, "block", objects(0)));
    all.push(line(2, "fileio", objects(stores.len())));
    let none = BTreeMap::new();
    let targets = cluster.disks.iscsi.at(&portal(cluster)).unwrap_or(&none);
    for (name, store) in stores {
        let id = disk(cluster, name);
        let used = targets.values().any(|target| target.luns.values().any(|lun| *lun == id));
        let state = if used { "activated" } else { "deactivated" };
        let size = bytes_to_human(store.bytes);
        let cache = if store.write_back { "write-back" } else { "write-thru" };
        all.push(line(3, name, format!("{} ({size}) {cache} {state}", store.file)));
        all.push(line(4, "alua", "ALUA Groups: 1".to_owned()));
        all.push(line(5, "default_tg_pt_gp", "ALUA state: Active/optimized".to_owned()));
    }
    all.push(line(2, "pscsi", objects(0)));
    all.push(line(2, "ramdisk", objects(0)));
    all.push(line(1, "iscsi", format!("Targets: {}", targets.len())));
    for (iqn, target) in targets {
        all.push(line(2, iqn, "TPGs: 1".to_owned()));
        all.extend(of_target(target, stores));
    }
    all.push(line(1, "loopback", "Targets: 0".to_owned()));
    all
}

fn of_target(target: &Target, stores: &BTreeMap<String, Store>) -> Vec<Line> {
    let line = |depth, name: &str, said: String| (depth, name.to_owned(), said);
    let acls = if target.open { "gen-acls" } else { "no-gen-acls" };
    let auth = match (target.authenticates, target.open) {
        (false, _) => "no-auth",
        (true, false) => "auth per-acl",
        (true, true) => "tpg-auth, 1-way auth",
    };
    let store_of = |id: &DiskId| id.name.rsplit('/').next().unwrap_or_default().to_owned();
    let mut all = vec![line(3, "tpg1", format!("{acls}, {auth}"))];
    all.push(line(4, "acls", format!("ACLs: {}", target.acls.len())));
    for initiator in target.acls.keys() {
        let auth = match (target.authenticates, target.open) {
            (false, _) => "",
            (true, false) => "1-way auth, ",
            (true, true) => "auth via tpg, ",
        };
        all.push(line(5, initiator, format!("{auth}Mapped LUNs: {}", target.luns.len())));
        for (number, id) in &target.luns {
            let said = format!("lun{number} fileio/{} (rw)", store_of(id));
            all.push(line(6, &format!("mapped_lun{number}"), said));
        }
    }
    all.push(line(4, "luns", format!("LUNs: {}", target.luns.len())));
    for (number, id) in &target.luns {
        let store = store_of(id);
        let file = stores.get(&store).map(|store| store.file.as_str()).unwrap_or_default();
        let said = format!("fileio/{store} ({file}) (default_tg_pt_gp)");
        all.push(line(5, &format!("lun{number}"), said));
    }
    all.push(line(4, "portals", "Portals: 1".to_owned()));
    all.push(line(5, &format!("[{LISTEN}]:{PORT}"), "OK".to_owned()));
    all
}

/// Upstream: `bytes_to_human`, to one decimal.
fn bytes_to_human(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut scale = 1024;
    for unit in UNITS {
        if bytes / scale < 1024 || unit == "TiB" {
            let tenths = (u128::from(bytes) * 10 + u128::from(scale) / 2) / u128::from(scale);
            return format!("{}.{}{unit}", tenths / 10, tenths % 10);
        }
        scale *= 1024;
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_said() {
        let cases = [("1G", 1 << 30), ("100M", 100 << 20), ("512", 512), ("2kB", 2048)];
        for (text, bytes) in cases {
            assert_eq!(human_to_bytes(text), Ok(bytes), "{text}");
        }
        assert!(human_to_bytes("G").is_err() && human_to_bytes("1X").is_err());
        assert_eq!(human_to_bytes("1GiB"), Ok(1 << 30));
        assert!(human_to_bytes("99999999999999999999").is_err());
        assert_eq!(bytes_to_human(1 << 30), "1.0GiB");
        assert_eq!(bytes_to_human(100 << 20), "100.0MiB");
        assert_eq!(bytes_to_human(1536), "1.5KiB");
        assert_eq!(bytes_to_human(12), "12 bytes");
    }

    /// Where one stands, what is asked for, and the names that are shown or what is wrong.
    type Case<'a> = (&'a [&'a str], &'a [&'a str], Result<&'a str, &'a str>);

    #[test]
    fn a_part_of_the_tree_is_shown() {
        let line = |depth, name: &str| (depth, name.to_owned(), "x".to_owned());
        let all = [line(0, "/"), line(1, "a"), line(2, "b"), line(3, "c"), line(1, "d")];
        let show = |from: &[&str], args: &[&str]| {
            let shown = ls(&all, from, args)?;
            let name = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
            let plain = |line: &str| name(line.trim_start_matches(['|', ' '])).unwrap_or_default();
            Ok(shown.lines().map(plain).collect::<Vec<_>>().join(" "))
        };
        let cases: [Case<'_>; 11] = [
            (&[], &[], Ok("/ a b c d")),
            (&["a"], &[], Ok("a b c")),
            (&[], &["/a/b"], Ok("b c")),
            (&["a"], &["b"], Ok("b c")),
            (&["a", "b"], &[".."], Ok("a b c")),
            (&[], &["/", "1"], Ok("/ a d")),
            (&[], &["depth=2"], Ok("/ a b d")),
            (&[], &["/", "-1"], Ok("/")),
            (&[], &["/", "x"], Err("The tree depth must be a number.")),
            (&[], &["/a/x"], Err("No such path /a/x")),
            (&["x"], &[], Err("No such path /x")),
        ];
        for (from, args, expected) in cases {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(show(from, args), expected, "{from:?} {args:?}");
        }
    }

    #[test]
    fn names_are_checked() {
        for name in
            ["iqn.2001-04.com.example:storage", "naa.5001405aaaaaaaaa", "eui.0014051234567890"]
        {
            assert_eq!(normal(name).as_deref(), Ok(name));
        }
        assert_eq!(normal("IQN.2001-04.com.Example").as_deref(), Ok("iqn.2001-04.com.example"));
        for name in
            ["", "iqn.", "iqn.2001.com.example", "iqn.2001-04.com", "iqn.2001-24.a.b", "x", "eui.1"]
        {
            assert!(normal(name).is_err(), "{name}");
        }
        assert!(normal(&generated(0)).is_ok());
    }
}
