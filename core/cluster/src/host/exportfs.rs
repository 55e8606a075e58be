//! `exportfs`: directories of the learner's machine that other machines mount over the network.
//!
//! Upstream: `utils/exportfs/exportfs.c` of `nfs-utils`, and `exports(5)`. The sandbox's server
//! exports for reading and writing only, and does not squash root.

use super::{Ask, err, out};
use crate::Cluster;
use ipnet::Ipv4Net;
use naru_node::{DiskId, Disks};
use naru_shell::{Answer, Tree, Vfs};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

const TABLE: &str = "/etc/exports";
const EXPORTS_MAX: usize = 32;
/// Files and folders that a directory may hold when it is exported.
const FILES_MAX: usize = 1_000;

/// What the machine exports.
#[derive(Clone, Debug, Default)]
pub struct NfsServer {
    exports: BTreeMap<String, Export>,
}

#[derive(Clone, Debug)]
struct Export {
    client: String,
    disk: DiskId,
    /// The state of the disk that was seen last.
    seen: u64,
}

impl NfsServer {
    /// Shows the machine what others have written.
    pub fn fetch(&mut self, fs: &mut Vfs, disks: &Disks) {
        for (path, export) in &mut self.exports {
            if let Some((tree, state)) = disks.get(&export.disk)
                && state != export.seen
            {
                fs.replace_mounted(path, tree.clone());
                export.seen = state;
            }
        }
    }

    /// Shows others what the machine has written.
    pub fn store(&mut self, fs: &Vfs, disks: &mut Disks) {
        for (path, export) in &mut self.exports {
            let (Some(own), Some((shared, _))) = (fs.mounted(path), disks.get(&export.disk)) else {
                continue;
            };
            if own.changes() != shared.changes()
                && let Some(state) = disks.write(&export.disk, own.clone())
            {
                export.seen = state;
            }
        }
    }

    fn listing(&self) -> String {
        let line = |(path, export): (&String, &Export)| {
            let client = if export.client == "*" { "<world>" } else { export.client.as_str() };
            match path.len() > 14 {
                true => format!("{path}\n\t\t{client}\n"),
                false => format!("{path:<14}\t{client}\n"),
            }
        };
        self.exports.iter().map(line).collect()
    }
}

/// Does a command line.
pub fn run(cluster: &mut Cluster, ask: &Ask<'_>) -> Answer {
    let letters: String = ask.args.iter().map(|arg| arg.trim_start_matches('-')).collect();
    if ask.args.iter().any(|arg| !arg.starts_with('-'))
        || !letters.chars().all(|it| "rav".contains(it))
    {
        return err("exportfs: the sandbox knows -r, -a and -v\n".to_owned());
    }
    if !letters.contains(['r', 'a']) {
        return out(cluster.workstation.nfs.listing());
    }
    let files = cluster.workstation.files();
    let text = files.read_text(TABLE).unwrap_or_default();
    let host = cluster.profile.host;
    let mut answer = Answer::default();
    let mut wanted = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let found = entry(line, host);
        if let Ok(Some((path, client))) = &found
            && !line.contains("subtree_check")
        {
            answer.stderr += &unsaid(number + 1, client, path);
        }
        match found {
            Ok(None) => {}
            Ok(Some((path, _))) if !files.is_dir(&path) => {
                answer.stderr +=
                    &format!("exportfs: Failed to stat {path}: No such file or directory\n");
            }
            Ok(Some((path, client))) if wanted.len() < EXPORTS_MAX => {
                if letters.contains('v') {
                    answer.stdout += &format!("exporting {client}:{path}\n");
                }
                wanted.insert(path, client);
            }
            Ok(Some(_)) => answer.stderr += "exportfs: the sandbox has no room for more exports\n",
            Err(why) => {
                answer.stderr += &format!("exportfs: {TABLE}:{}: {why}\n", number + 1);
                answer.code = 1;
            }
        }
    }
    if letters.contains('r') {
        withdraw(cluster, &wanted);
    }
    for (path, client) in wanted {
        if let Err(why) = export(cluster, &files, &path, client) {
            answer.stderr += &format!("exportfs: {path}: {why}\n");
            answer.code = 1;
        }
    }
    answer
}

/// Upstream: `parseopts` in `support/nfs/exports.c`.
fn unsaid(number: usize, client: &str, path: &str) -> String {
    format!(
        "exportfs: {TABLE} [{number}]: Neither 'subtree_check' or 'no_subtree_check' specified for \
         export \"{client}:{path}\".\n  Assuming default behaviour ('no_subtree_check').\n  NOTE: \
         this default has changed since nfs-utils version 1.0.x\n\n"
    )
}

/// A line of the table: the directory, and who may mount it.
fn entry(line: &str, host: Ipv4Addr) -> Result<Option<(String, String)>, String> {
    let code = line.split('#').next().unwrap_or_default();
    let mut words = code.split_whitespace();
    let (Some(path), Some(client)) = (words.next(), words.next()) else { return Ok(None) };
    if !path.starts_with('/') {
        return Err(format!("{path}: not an absolute path"));
    }
    let (client, options) = client.split_once('(').unwrap_or((client, ")"));
    let options: Vec<&str> = options.trim_end_matches(')').split(',').collect();
    for option in ["rw", "no_root_squash"] {
        if !options.contains(&option) {
            return Err(format!("the sandbox's NFS server needs the option {option}"));
        }
    }
    // The nodes are in the same network as this machine.
    let all = client == "*" || client.parse::<Ipv4Net>().is_ok_and(|net| net.contains(&host));
    if !all {
        return Err(format!(
            "the sandbox's NFS server exports to `*` or to the nodes' network, not to {client}"
        ));
    }
    let path = path.trim_end_matches('/');
    Ok(Some((path.to_owned(), client.to_owned())))
}

/// Stops to export what is no longer wanted. What is in it stays.
fn withdraw(cluster: &mut Cluster, wanted: &BTreeMap<String, String>) {
    let Cluster { workstation, disks, .. } = cluster;
    workstation.nfs.exports.retain(|path, export| {
        let stays = wanted.contains_key(path);
        if !stays {
            disks.remove(&export.disk);
        }
        stays
    });
}

fn export(cluster: &mut Cluster, files: &Vfs, path: &str, client: String) -> Result<(), String> {
    if let Some(known) = cluster.workstation.nfs.exports.get_mut(path) {
        known.client = client;
        return Ok(());
    }
    let disk = DiskId::new(format!("nfs/{}", cluster.profile.host), path);
    let tree = match files.mounted(path) {
        Some(tree) => tree.clone(),
        None => copied(files, path)?,
    };
    cluster.disks.make(&disk, tree.capacity())?;
    let seen = cluster.disks.write(&disk, tree.clone()).unwrap_or_default();
    cluster.workstation.mount(path, tree).map_err(|errno| errno.to_string())?;
    cluster.workstation.nfs.exports.insert(path.to_owned(), Export { client, disk, seen });
    Ok(())
}

/// A directory as a tree of its own.
fn copied(files: &Vfs, path: &str) -> Result<Tree, String> {
    let mut fs = Vfs::from(Tree::new());
    let said = |errno: naru_shell::Errno| errno.to_string();
    let mut left = vec![String::new()];
    let mut count = 0;
    while let Some(inner) = left.pop() {
        count += 1;
        if count > FILES_MAX {
            return Err("the sandbox exports no directory with so many files".to_owned());
        }
        let outer = format!("{path}{inner}");
        let to = if inner.is_empty() { "/" } else { inner.as_str() };
        let stat = files.stat(&outer).map_err(said)?;
        if stat.is_dir() {
            fs.mkdir_all(to).map_err(said)?;
            let entries = files.list(&outer).map_err(said)?;
            left.extend(entries.into_iter().map(|entry| format!("{inner}/{}", entry.name)));
        } else {
            let bytes = files.read(&outer).map_err(said)?;
            fs.write(to, &bytes).map_err(said)?;
        }
        fs.chmod(to, stat.mode).map_err(said)?;
        fs.chown(to, stat.uid, stat.gid).map_err(said)?;
    }
    Ok(fs.into_tree())
}
