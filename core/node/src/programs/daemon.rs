//! Programs of the cluster itself, as far as a container shows them: their log's first lines, and
//! that they run. Their work is done by the crates of their names, which the cluster assembles.

use naru_shell::serve::clock;
use naru_shell::{Program, Signal, Step, Sys};

/// A program that says what it is and runs until it is told to end.
#[derive(Clone, Debug)]
pub struct Daemon {
    name: &'static str,
    lines: &'static [&'static str],
    greeted: bool,
}

/// Names, and what they say at their start, after klog's header.
const DAEMONS: &[(&str, &[&str])] = &[
    ("etcd", &["naru/etcd: the store of the simulated API server, one member"]),
    (
        "kube-apiserver",
        &[
            "server.go:191] Version: v1.33.1",
            "naru/apiserver: requests go by naru's own path, not by this container's network",
        ],
    ),
    ("kube-controller-manager", &["controllermanager.go:188] \"Starting\" version=\"v1.33.1\""]),
    ("kube-scheduler", &["server.go:166] \"Starting Kubernetes Scheduler\" version=\"v1.33.1\""]),
    (
        "kube-proxy",
        &[
            "server_linux.go:53] \"Using iptables proxy\"",
            "server.go:516] \"Version info\" version=\"v1.33.1\"",
        ],
    ),
    ("kindnetd", &["main.go:109] connected to apiserver"]),
];

impl Daemon {
    /// The program of this name.
    pub fn named(name: &str) -> Option<Daemon> {
        DAEMONS.iter().find(|(known, _)| *known == name).map(|(name, lines)| Daemon {
            name,
            lines,
            greeted: false,
        })
    }
}

impl Program for Daemon {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        sys.catch(Signal::Term);
        if !self.greeted {
            self.greeted = true;
            let time = clock::format(sys.now(), clock::KLOG);
            for line in self.lines {
                let _ = sys.write(2, format!("I{time}       1 {line}\n").as_bytes());
            }
        }
        match sys.take_signal() {
            Some(_) => {
                let time = clock::format(sys.now(), clock::KLOG);
                let line = format!("I{time}       1 {}: shutting down\n", self.name);
                let _ = sys.write(2, line.as_bytes());
                Step::Exit(0)
            }
            None => Step::Block { until: None },
        }
    }
}
