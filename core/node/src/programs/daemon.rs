//! Programs of the cluster itself, as far as a container shows them: their log's first lines, and
//! that they run. Their work is done by the crates of their names, which the cluster assembles.

use naru_shell::serve::klog;
use naru_shell::{Program, Signal, Step, Sys};

/// A program that says what it is and runs until it is told to end.
#[derive(Clone, Debug)]
pub struct Daemon {
    name: &'static str,
    memory_mib: u64,
    lines: &'static [&'static str],
    greeted: bool,
}

/// Names, the memory they hold in MiB, and what they say at their start, after klog's header.
const DAEMONS: &[(&str, u64, &[&str])] = &[
    ("etcd", 40, &["naru/etcd: the store of the simulated API server, one member"]),
    (
        "kube-apiserver",
        220,
        &[
            "server.go:191] Version: v1.33.1",
            "naru/apiserver: requests go by naru's own path, not by this container's network",
        ],
    ),
    (
        "kube-controller-manager",
        48,
        &["controllermanager.go:188] \"Starting\" version=\"v1.33.1\""],
    ),
    (
        "kube-scheduler",
        20,
        &["server.go:166] \"Starting Kubernetes Scheduler\" version=\"v1.33.1\""],
    ),
    (
        "kube-proxy",
        14,
        &[
            "server_linux.go:53] \"Using iptables proxy\"",
            "server.go:516] \"Version info\" version=\"v1.33.1\"",
        ],
    ),
    ("kindnetd", 10, &["main.go:109] connected to apiserver"]),
    ("calico-node", 40, &["main.go:42] naru/calico-node: felix and BIRD in one program"]),
    ("calico-kube-controllers", 20, &["main.go:101] Ensuring Calico datastore is initialized"]),
    ("gce-pd-csi-driver", 12, &["main.go:103] Driver vendor version v1.17.4-gke.0"]),
    ("csi-node-driver-registrar", 12, &["main.go:150] \"Version\" version=\"v2.13.0\""]),
];

impl Daemon {
    /// The program of this name.
    pub fn named(name: &str) -> Option<Daemon> {
        DAEMONS.iter().find(|(known, ..)| *known == name).map(|(name, memory_mib, lines)| Daemon {
            name,
            memory_mib: *memory_mib,
            lines,
            greeted: false,
        })
    }
}

impl Program for Daemon {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        // What calico-node is also called for: its probes, and its preparation.
        let asks = |arg: &String| {
            arg == "-init" || arg.starts_with("-felix-") || arg.starts_with("-bird-")
        };
        if sys.args().iter().skip(1).any(asks) {
            return Step::Exit(0);
        }
        sys.catch(Signal::Term);
        if !self.greeted {
            self.greeted = true;
            sys.use_memory(self.memory_mib << 20);
            for line in self.lines {
                klog::line(sys, 'I', line);
            }
        }
        match sys.take_signal() {
            Some(_) => {
                klog::line(sys, 'I', &format!("{}: shutting down", self.name));
                Step::Exit(0)
            }
            None => Step::Block { until: None },
        }
    }
}
