//! `/proc`: the processes and the machine, as files. They are written when somebody looks.
//!
//! Upstream: `fs/proc` of Linux 6.8.

use super::process::Process;
use super::{CGROUP, Kernel};
use crate::caps::{Caps, Confinement};
use crate::vfs::{Memory, Tree, TreeSource, Vfs};
use crate::{Errno, Pid, ProcessInfo};
use naru_sim::Time;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where it is.
pub const PROC: &str = "/proc";

/// What a machine tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The version of its kernel.
    pub release: String,
    /// Its processors.
    pub cpus: u32,
    /// Its memory, in bytes.
    pub memory_bytes: u64,
}

/// The numbers of the namespaces that a machine's processes are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespaces {
    /// Control groups.
    pub cgroup: u64,
    /// Shared memory and semaphores.
    pub ipc: u64,
    /// Mounts.
    pub mnt: u64,
    /// The network.
    pub net: u64,
    /// Processes.
    pub pid: u64,
    /// Users.
    pub user: u64,
    /// The machine's name.
    pub uts: u64,
}

impl Default for Namespaces {
    /// Those of a machine that is no container: Linux gives the first ones these numbers.
    fn default() -> Self {
        Namespaces {
            cgroup: 4_026_531_835,
            ipc: 4_026_531_839,
            mnt: 4_026_531_841,
            net: 4_026_531_840,
            pid: 4_026_531_836,
            user: 4_026_531_837,
            uts: 4_026_531_838,
        }
    }
}

impl Default for Facts {
    fn default() -> Self {
        Facts { release: "6.8.0-60-generic".to_owned(), cpus: 2, memory_bytes: 8 << 30 }
    }
}

/// What settings are where nobody has said otherwise: those that pods may have changed, and those that
/// one looks at.
const SYSCTLS: [(&str, &str); 12] = [
    ("/sys/kernel/msgmax", "8192"),
    ("/sys/kernel/shm_rmid_forced", "0"),
    ("/sys/net/core/somaxconn", "4096"),
    ("/sys/net/ipv4/ip_local_port_range", "32768\t60999"),
    ("/sys/net/ipv4/ip_local_reserved_ports", ""),
    ("/sys/net/ipv4/tcp_fin_timeout", "60"),
    ("/sys/net/ipv4/tcp_keepalive_intvl", "75"),
    ("/sys/net/ipv4/tcp_keepalive_probes", "9"),
    ("/sys/net/ipv4/tcp_keepalive_time", "7200"),
    ("/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456"),
    ("/sys/net/ipv4/tcp_syncookies", "1"),
    ("/sys/net/ipv4/tcp_wmem", "4096\t16384\t4194304"),
];

/// Who is shown, and to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    me: Pid,
    /// Counts what changes the processes.
    changes: u64,
}

/// What was to be seen when a process looked.
#[derive(Debug)]
struct Snapshot {
    me: Pid,
    now: Time,
    processes: Vec<Seen>,
    facts: Arc<Facts>,
    namespaces: Namespaces,
    confinement: Confinement,
    sysctls: Arc<BTreeMap<String, String>>,
    hostname: String,
    mounts: String,
}

#[derive(Debug)]
struct Seen {
    info: ProcessInfo,
    /// Of the machine's own processes.
    environ: Option<Arc<BTreeMap<String, String>>>,
    cwd: String,
    gid: u32,
    groups: Vec<u32>,
    memory_bytes: u64,
}

impl Kernel {
    /// Shows the processes and these facts in `/proc`.
    pub fn show_proc(&mut self, facts: Arc<Facts>, namespaces: Namespaces) {
        self.facts = Some((facts, namespaces));
    }

    /// Lets what a process finds there be what is so now.
    pub(super) fn refresh_proc(&mut self, me: &Process) {
        let wanted = Some(Shown { me: me.pid, changes: self.process_changes });
        if self.proc_shown == wanted {
            return;
        }
        let Some((facts, namespaces)) = self.facts.clone() else { return };
        self.proc_shown = wanted;
        self.refresh_cgroup(me);
        let own = self.processes.values().map(Box::as_ref).filter(|process| !process.has_ended());
        let mut processes: Vec<Seen> = own.chain([me]).map(|process| self.seen(process)).collect();
        processes.extend(self.neighbours.iter().map(|info| Seen {
            info: info.clone(),
            environ: None,
            cwd: "/".to_owned(),
            gid: info.uid,
            groups: Vec::new(),
            memory_bytes: Process::MEMORY_BYTES,
        }));
        let snapshot = Snapshot {
            me: me.pid,
            now: self.now,
            processes,
            facts,
            namespaces,
            confinement: self.confinement,
            sysctls: Arc::clone(&self.sysctls),
            hostname: self.hostname.clone(),
            mounts: mount_table(&self.fs),
        };
        let tree = Tree::lazy(Arc::new(snapshot));
        if self.fs.mounted(PROC).is_some() {
            self.fs.replace_mounted(PROC, tree);
        } else if me.root.is_none() {
            // A root without such a directory goes without.
            let _ = self.fs.mount(PROC, tree, true);
        }
    }

    fn seen(&self, process: &Process) -> Seen {
        let groups = self.fs.groups();
        Seen {
            info: process.info(),
            environ: Some(Arc::clone(&process.env)),
            cwd: process.cwd.clone(),
            gid: groups.first_of(process.uid),
            groups: groups.others.to_vec(),
            memory_bytes: process.held_bytes(),
        }
    }
}

/// What is mounted, as `/proc/mounts` has it.
fn mount_table(fs: &Vfs) -> String {
    let mut text = "overlay / overlay rw,relatime 0 0\nproc /proc proc \
                    rw,nosuid,nodev,noexec,relatime 0 0\ntmpfs /dev tmpfs \
                    rw,nosuid,size=65536k,mode=755 0 0\nsysfs /sys sysfs \
                    ro,nosuid,nodev,noexec,relatime 0 0\n"
        .to_owned();
    if fs.mounted(CGROUP).is_some() {
        text.push_str("cgroup /sys/fs/cgroup cgroup2 ro,nosuid,nodev,noexec,relatime 0 0\n");
    }
    for (path, read_only) in fs.mounts() {
        let how = if read_only { "ro" } else { "rw" };
        text.push_str(&match fs.memory(path) {
            None => format!("/dev/vda1 {path} ext4 {how},relatime 0 0\n"),
            Some(Memory { size: None }) => {
                format!("tmpfs {path} tmpfs {how},relatime,inode64 0 0\n")
            }
            // The kubelet's are never swapped out.
            Some(Memory { size: Some(size) }) => {
                let size = size.div_ceil(4096) * 4;
                format!("tmpfs {path} tmpfs {how},relatime,size={size}k,inode64,noswap 0 0\n")
            }
        });
    }
    text
}

impl TreeSource for Snapshot {
    fn unpack(&self) -> Tree {
        let mut fs = Vfs::from(Tree::new());
        // So little fits into an empty tree.
        let written = self.write(&mut fs);
        debug_assert!(written.is_ok());
        fs.into_tree()
    }
}

impl Snapshot {
    fn write(&self, fs: &mut Vfs) -> Result<(), Errno> {
        for process in &self.processes {
            self.write_process(fs, process)?;
        }
        fs.symlink(&self.me.to_string(), "/self")?;
        fs.symlink("self/mounts", "/mounts")?;
        let up = self.now.since(Time::ZERO);
        let facts = &self.facts;
        let total = facts.memory_bytes >> 10;
        let used: u64 = self.processes.iter().map(|process| process.memory_bytes >> 10).sum();
        let free = total.saturating_sub(used);
        let cpus = (0..facts.cpus).map(|number| {
            format!(
                "processor\t: {number}\nvendor_id\t: GenuineIntel\nmodel name\t: Naru Virtual \
                 CPU\ncpu MHz\t\t: 2000.000\ncpu cores\t: {}\n\n",
                facts.cpus
            )
        });
        let release = &facts.release;
        let first_port = self.confinement.first_port;
        let pings = if self.confinement.pings { "0\t2147483647" } else { "1\t0" };
        let files = [
            ("/cpuinfo", cpus.collect::<String>()),
            (
                "/meminfo",
                format!(
                    "MemTotal:       {total:>8} kB\nMemFree:        {free:>8} kB\nMemAvailable:   \
                     {free:>8} kB\nBuffers:               0 kB\nCached:                0 \
                     kB\nSwapTotal:             0 kB\nSwapFree:              0 kB\n"
                ),
            ),
            ("/uptime", format!("{}.00 {}.00\n", up.as_secs(), up.as_secs())),
            (
                "/version",
                format!("Linux version {release} (builder@naru) #1 SMP PREEMPT_DYNAMIC\n"),
            ),
            ("/sys/kernel/hostname", format!("{}\n", self.hostname)),
            ("/sys/kernel/osrelease", format!("{release}\n")),
            ("/sys/kernel/ostype", "Linux\n".to_owned()),
            ("/sys/net/ipv4/ip_forward", "1\n".to_owned()),
            ("/sys/net/ipv4/ip_unprivileged_port_start", format!("{first_port}\n")),
            ("/sys/net/ipv4/ping_group_range", format!("{pings}\n")),
        ];
        let usual = SYSCTLS.iter().map(|(path, value)| (*path, format!("{value}\n")));
        let own = self.sysctls.iter().map(|(path, value)| (path.as_str(), format!("{value}\n")));
        for (path, text) in files.into_iter().chain(usual).chain(own) {
            if let Some((folder, _)) = path.rsplit_once('/') {
                fs.mkdir_all(folder)?;
            }
            fs.write(path, text.as_bytes())?;
        }
        Ok(())
    }

    fn write_process(&self, fs: &mut Vfs, seen: &Seen) -> Result<(), Errno> {
        let info = &seen.info;
        let folder = format!("/{}", info.pid);
        let at = |name: &str| format!("{folder}/{name}");
        fs.mkdir_all(&at("ns"))?;
        let command = info.argv.first().map_or("", String::as_str);
        let name: String = command_name(command).chars().take(15).collect();
        let line: String = info.argv.iter().flat_map(|arg| [arg.as_str(), "\0"]).collect();
        let (pid, ppid, kib) = (info.pid, info.ppid, seen.memory_bytes >> 10);
        let state = if pid == self.me { 'R' } else { 'S' };
        let files = [
            ("cmdline", line.into_bytes()),
            ("comm", format!("{name}\n").into_bytes()),
            ("status", self.status(seen, &name).into_bytes()),
            ("mounts", self.mounts.clone().into_bytes()),
            ("cgroup", b"0::/\n".to_vec()),
            ("oom_score_adj", format!("{}\n", info.oom_score_adj).into_bytes()),
            (
                "stat",
                format!(
                    "{pid} ({name}) {state} {ppid} {pid} {pid} 0 -1 4194560 0 0 0 0 {} 0 0 0 20 0 1 \
                     0 {} {} {} 18446744073709551615\n",
                    info.cpu_micros / 10_000,
                    info.started.since(Time::ZERO).as_millis() / 10,
                    seen.memory_bytes,
                    kib / 4
                )
                .into_bytes(),
            ),
        ];
        for (name, bytes) in files {
            fs.write(&at(name), &bytes)?;
            fs.chmod(&at(name), 0o444)?;
        }
        let variables = seen.environ.iter().flat_map(|env| env.iter());
        let environ: String = variables.map(|(name, value)| format!("{name}={value}\0")).collect();
        fs.write(&at("environ"), environ.as_bytes())?;
        fs.chmod(&at("environ"), 0o400)?;
        fs.symlink(&seen.cwd, &at("cwd"))?;
        fs.symlink("/", &at("root"))?;
        let Namespaces { cgroup, ipc, mnt, net, pid, user, uts } = self.namespaces;
        let namespaces = [
            ("cgroup", cgroup),
            ("ipc", ipc),
            ("mnt", mnt),
            ("net", net),
            ("pid", pid),
            ("user", user),
            ("uts", uts),
        ];
        for (kind, number) in namespaces {
            fs.symlink(&format!("{kind}:[{number}]"), &at(&format!("ns/{kind}")))?;
        }
        for name in ["", "/ns", "/environ"] {
            fs.chown(&format!("{folder}{name}"), info.uid, seen.gid)?;
        }
        fs.chmod(&folder, 0o555)
    }

    fn status(&self, seen: &Seen, name: &str) -> String {
        let ProcessInfo { pid, ppid, uid, .. } = seen.info;
        let gid = seen.gid;
        let state = if pid == self.me { "R (running)" } else { "S (sleeping)" };
        let groups: String = seen.groups.iter().map(|group| format!("{group} ")).collect();
        let kib = seen.memory_bytes >> 10;
        let caps = self.confinement.caps_of(uid);
        let bounding = self.confinement.caps;
        let none = Caps::NONE;
        let seccomp = if self.confinement.seccomp { 2 } else { 0 };
        format!(
            "Name:\t{name}\nUmask:\t0022\nState:\t{state}\nTgid:\t{pid}\nNgid:\t0\nPid:\t{pid}\n\
             PPid:\t{ppid}\nTracerPid:\t0\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t{gid}\t{gid}\t\
             {gid}\t{gid}\nFDSize:\t64\nGroups:\t{groups}\nNStgid:\t{pid}\nNSpid:\t{pid}\nVmSize:\t\
             {kib:>8} kB\nVmRSS:\t{kib:>8} kB\nThreads:\t1\nCapInh:\t{none}\nCapPrm:\t{caps}\n\
             CapEff:\t{caps}\nCapBnd:\t{bounding}\nCapAmb:\t{none}\nNoNewPrivs:\t{}\nSeccomp:\t\
             {seccomp}\nSeccomp_filters:\t{}\n",
            u8::from(self.confinement.no_new_privs),
            u8::from(self.confinement.seccomp)
        )
    }
}

/// The name of a process: its program's without directories, or what it calls itself.
fn command_name(command: &str) -> &str {
    let command = command.trim_start_matches('-');
    let command = command.split(':').next().unwrap_or(command);
    command.rsplit('/').next().unwrap_or(command)
}
