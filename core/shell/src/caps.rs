//! Capabilities: what root may do, in parts that can be taken away.
//!
//! Upstream: `include/uapi/linux/capability.h` of Linux 6.8.

use crate::seccomp::Filter;

/// One capability, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Cap {
    /// Give files to others.
    Chown = 0,
    /// Do with files what their permission bits forbid.
    DacOverride = 1,
    /// Read files and search directories all the same.
    DacReadSearch = 2,
    /// Change the bits of others' files.
    Fowner = 3,
    /// Send signals to others' processes.
    Kill = 5,
    /// Listen on ports below 1024.
    NetBindService = 10,
    /// Change addresses, routes and rules of packets.
    NetAdmin = 12,
    /// Send and see packets as they are.
    NetRaw = 13,
    /// Take another directory for the root.
    SysChroot = 18,
    /// Mount, and name the machine.
    SysAdmin = 21,
    /// Set the clock.
    SysTime = 25,
}

/// Their names, by their numbers.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// A set of capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps(u64);

impl Caps {
    /// None.
    pub const NONE: Caps = Caps(0);
    /// All that there are.
    pub const ALL: Caps = Caps((1 << NAMES.len()) - 1);
    /// What containerd and Docker leave to root in a container. Upstream: `defaultUnixCaps` in
    /// containerd's `pkg/oci/spec.go`.
    pub const OF_CONTAINERS: Caps = Caps(0xa804_25fb);

    /// Those of these bits that there are.
    pub const fn from_bits(bits: u64) -> Caps {
        Caps(bits & Caps::ALL.0)
    }

    /// Whether this one is among them.
    pub const fn has(self, cap: Cap) -> bool {
        self.0 >> (cap as u8) & 1 == 1
    }

    /// The one of this name (`NET_ADMIN`, `CAP_NET_ADMIN`); none if there is no such.
    pub fn named(name: &str) -> Caps {
        let upper = name.to_ascii_uppercase();
        let short = upper.strip_prefix("CAP_").unwrap_or(&upper);
        let number = NAMES.iter().position(|known| *known == short);
        number.map_or(Caps::NONE, |number| Caps(1 << number))
    }

    /// These and those.
    pub const fn with(self, more: Caps) -> Caps {
        Caps(self.0 | more.0)
    }

    /// These without those.
    pub const fn without(self, less: Caps) -> Caps {
        Caps(self.0 & !less.0)
    }

    /// Their names as libcap writes them: `cap_chown`.
    pub fn names(self) -> impl Iterator<Item = String> {
        let here = NAMES.iter().enumerate().filter(move |(number, _)| self.0 >> number & 1 == 1);
        here.map(|(_, name)| format!("cap_{}", name.to_ascii_lowercase()))
    }
}

/// As `/proc` writes them: 16 hexadecimal digits.
impl std::fmt::Display for Caps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What the processes of a machine may do at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confinement {
    /// The capabilities that root has; others have none.
    pub caps: Caps,
    /// Whether no program gives its caller more rights than it had.
    pub no_new_privs: bool,
    /// Whether seccomp filters the system calls.
    pub seccomp: bool,
    /// What of them it does not let through.
    pub filter: Filter,
    /// The first port on which everybody may listen: `net.ipv4.ip_unprivileged_port_start`.
    pub first_port: u16,
    /// Whether everybody may ping: `net.ipv4.ping_group_range`.
    pub pings: bool,
}

impl Default for Confinement {
    /// A machine where nothing is held back.
    fn default() -> Self {
        Confinement {
            caps: Caps::ALL,
            no_new_privs: false,
            seccomp: false,
            filter: Filter::default(),
            first_port: 0,
            pings: true,
        }
    }
}

impl Confinement {
    /// What a container runtime leaves to a container by default.
    pub fn of_containers() -> Self {
        Confinement { caps: Caps::OF_CONTAINERS, ..Confinement::default() }
    }

    /// The capabilities of this user's processes.
    ///
    /// Upstream: capabilities(7): who is not root loses them when a program is started.
    pub fn caps_of(&self, uid: u32) -> Caps {
        if uid == 0 { self.caps } else { Caps::NONE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_bits() {
        assert_eq!(Caps::ALL.to_string(), "000001ffffffffff");
        assert_eq!(Caps::OF_CONTAINERS.to_string(), "00000000a80425fb");
        assert!(Caps::named("cap_net_admin").has(Cap::NetAdmin));
        assert_eq!(Caps::named("FLY"), Caps::NONE);
        let few = Caps::OF_CONTAINERS.without(Caps::named("CHOWN")).with(Caps::named("SYS_TIME"));
        assert_eq!(few.to_string(), "00000000aa0425fa");
        assert_eq!(
            Caps::from_bits(0x2400).names().collect::<Vec<_>>().join(","),
            "cap_net_bind_service,cap_net_raw"
        );
        for (cap, name) in
            [(Cap::Kill, "KILL"), (Cap::SysTime, "SYS_TIME"), (Cap::SysAdmin, "SYS_ADMIN")]
        {
            assert!(Caps::named(name).has(cap), "{name}");
        }
    }
}
