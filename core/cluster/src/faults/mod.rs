//! What can break, in words that a script can say: `stop node/worker`, `cut worker worker2`.

mod inject;

use crate::controlplane;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Something that breaks, or that is mended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A machine loses its power: nothing is told to anybody.
    StopNode(String),
    /// It is switched on again.
    StartNode(String),
    /// The manifest of a program of the control plane is moved away, so that its kubelet ends it.
    Stop(ControlProgram),
    /// The manifest is put back.
    Start(ControlProgram),
    /// Nothing gets through between a node and another, or between it and everybody else.
    Cut(String, Option<String>),
    /// What was cut is whole again.
    Mend(String, Option<String>),
    /// The process of a container ends by itself, all of a sudden.
    Crash {
        /// The pod's namespace.
        namespace: String,
        /// The pod.
        pod: String,
        /// The container; "" for the pod's first.
        container: String,
    },
    /// The process of a container takes ever more memory.
    Fill {
        /// The pod's namespace.
        namespace: String,
        /// The pod.
        pod: String,
        /// The container; "" for the pod's first.
        container: String,
    },
    /// A process on a machine, beside its pods, takes nearly all memory that is left.
    FillNode(String),
    /// That process is ended.
    FreeNode(String),
}

/// A program of the control plane that can be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ControlProgram {
    /// kube-apiserver.
    ApiServer,
    /// kube-controller-manager.
    ControllerManager,
    /// kube-scheduler.
    Scheduler,
}

impl ControlProgram {
    /// All of them.
    pub const ALL: [ControlProgram; 3] =
        [ControlProgram::ApiServer, ControlProgram::ControllerManager, ControlProgram::Scheduler];

    /// `kube-scheduler`.
    pub fn name(self) -> &'static str {
        match self {
            ControlProgram::ApiServer => controlplane::API_SERVER,
            ControlProgram::ControllerManager => controlplane::CONTROLLER_MANAGER,
            ControlProgram::Scheduler => controlplane::SCHEDULER,
        }
    }

    /// By its name, with or without `kube-`.
    fn named(name: &str) -> Option<ControlProgram> {
        let short = |name: &'static str| name.strip_prefix("kube-").unwrap_or(name);
        let named = |program: &ControlProgram| {
            program.name() == name
                || short(program.name()) == name.replace("api-server", "apiserver")
        };
        ControlProgram::ALL.into_iter().find(named)
    }
}

/// Why a fault cannot be brought about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// The words are not of a fault.
    #[error("no such fault: {0:?}")]
    Words(String),
    /// There is no such node.
    #[error("no node {0:?}")]
    NoNode(String),
    /// There is no such container, or it does not run.
    #[error("no container of pod {0:?} runs")]
    NotRunning(String),
    /// The network refused it.
    #[error("{0}")]
    Network(String),
}

impl fmt::Display for Fault {
    /// The words that [`Fault::parse`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::StopNode(node) => write!(f, "stop node/{node}"),
            Fault::StartNode(node) => write!(f, "start node/{node}"),
            Fault::Stop(program) => write!(f, "stop {}", program.name()),
            Fault::Start(program) => write!(f, "start {}", program.name()),
            Fault::Cut(node, None) => write!(f, "cut {node}"),
            Fault::Cut(node, Some(other)) => write!(f, "cut {node} {other}"),
            Fault::Mend(node, None) => write!(f, "mend {node}"),
            Fault::Mend(node, Some(other)) => write!(f, "mend {node} {other}"),
            Fault::Crash { namespace, pod, container } => {
                write!(f, "crash {}", container_words(namespace, pod, container))
            }
            Fault::Fill { namespace, pod, container } => {
                write!(f, "fill {}", container_words(namespace, pod, container))
            }
            Fault::FillNode(node) => write!(f, "fill node/{node}"),
            Fault::FreeNode(node) => write!(f, "free node/{node}"),
        }
    }
}

/// `pod/web -n default -c main`
fn container_words(namespace: &str, pod: &str, container: &str) -> String {
    let container = match container {
        "" => String::new(),
        name => format!(" -c {name}"),
    };
    format!("pod/{pod} -n {namespace}{container}")
}

impl Fault {
    /// Reads words: `stop node/worker`, `crash pod/web -n default -c main`.
    pub fn parse(words: &[String]) -> Result<Fault, FaultError> {
        let wrong = || FaultError::Words(words.join(" "));
        let (plain, namespace, container) = options(words).ok_or_else(wrong)?;
        let plain: Vec<&str> = plain.iter().map(String::as_str).collect();
        let strip = |name: &str| name.strip_prefix("node/").unwrap_or(name).to_owned();
        let fault = match plain.as_slice() {
            [verb @ ("stop" | "start"), what] => {
                let stop = *verb == "stop";
                match (ControlProgram::named(what), what.strip_prefix("node/")) {
                    (Some(program), _) if stop => Fault::Stop(program),
                    (Some(program), _) => Fault::Start(program),
                    (None, Some(node)) if stop => Fault::StopNode(node.to_owned()),
                    (None, Some(node)) => Fault::StartNode(node.to_owned()),
                    (None, None) => return Err(wrong()),
                }
            }
            ["cut", node] => Fault::Cut(strip(node), None),
            ["cut", node, other] => Fault::Cut(strip(node), Some(strip(other))),
            ["mend", node] => Fault::Mend(strip(node), None),
            ["mend", node, other] => Fault::Mend(strip(node), Some(strip(other))),
            [verb @ ("fill" | "free"), what] if what.starts_with("node/") => match *verb {
                "fill" => Fault::FillNode(strip(what)),
                _ => Fault::FreeNode(strip(what)),
            },
            [verb @ ("crash" | "fill"), pod] => {
                let pod = pod.strip_prefix("pod/").unwrap_or(pod).to_owned();
                match *verb {
                    "crash" => Fault::Crash { namespace, pod, container },
                    _ => Fault::Fill { namespace, pod, container },
                }
            }
            _ => return Err(wrong()),
        };
        Ok(fault)
    }

    /// What heals it, unless it heals by itself or heals something.
    pub fn cure(&self) -> Option<Fault> {
        match self {
            Fault::StopNode(node) => Some(Fault::StartNode(node.clone())),
            Fault::Stop(program) => Some(Fault::Start(*program)),
            Fault::Cut(node, other) => Some(Fault::Mend(node.clone(), other.clone())),
            Fault::FillNode(node) => Some(Fault::FreeNode(node.clone())),
            _ => None,
        }
    }
}

/// Words that are no options, the namespace, and the container; `None` if an option lacks its
/// value or is not known.
fn options(words: &[String]) -> Option<(Vec<String>, String, String)> {
    let (mut plain, mut namespace, mut container) =
        (Vec::new(), "default".to_owned(), String::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-n" | "--namespace" => namespace.clone_from(words.next()?),
            "-c" | "--container" => container.clone_from(words.next()?),
            option if option.starts_with('-') => return None,
            _ => plain.push(word.clone()),
        }
    }
    Some((plain, namespace, container))
}

/// What is broken now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Damage {
    /// Machines without power.
    stopped: BTreeSet<usize>,
    /// Machines whose memory a process has filled.
    filled: BTreeSet<usize>,
    /// Programs whose manifests are away.
    programs: BTreeSet<ControlProgram>,
    /// Nodes that are cut off, from everybody or from another.
    cuts: BTreeSet<(usize, Option<usize>)>,
    /// The rules that stand between two nodes.
    walls: BTreeMap<(usize, usize), Vec<String>>,
}

impl Damage {
    fn is_none(&self) -> bool {
        self.stopped.is_empty() && self.programs.is_empty() && self.cuts.is_empty()
    }

    /// Whether a node has no power.
    pub(crate) fn has_stopped(&self, node: usize) -> bool {
        self.stopped.contains(&node)
    }

    /// Whether nothing gets through between two nodes; `None` is the world outside.
    pub(crate) fn separates(&self, one: Option<usize>, other: Option<usize>) -> bool {
        let alone =
            |node: Option<usize>| node.is_some_and(|node| self.cuts.contains(&(node, None)));
        let pair = one.zip(other).map(|(a, b)| (a.min(b), Some(a.max(b))));
        alone(one) || alone(other) || pair.is_some_and(|pair| self.cuts.contains(&pair))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Fault, FaultError> {
        Fault::parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn every_fault_is_read_as_it_is_written() {
        for line in [
            "stop node/worker",
            "start node/worker",
            "stop kube-scheduler",
            "start kube-apiserver",
            "cut worker",
            "cut worker worker2",
            "mend worker",
            "mend worker worker2",
            "crash pod/web -n shop",
            "crash pod/web -n shop -c main",
            "fill pod/web -n shop",
            "fill pod/web -n shop -c main",
            "fill node/worker",
            "free node/worker",
        ] {
            assert_eq!(parse(line).unwrap().to_string(), line);
        }
        assert_eq!(parse("stop api-server").unwrap().to_string(), "stop kube-apiserver");
        assert_eq!(parse("crash web").unwrap().to_string(), "crash pod/web -n default");
    }

    #[test]
    fn other_words_are_refused() {
        for line in [
            "",
            "stop",
            "stop worker",
            "cut",
            "cut a b c",
            "crash pod/a -n",
            "mend -x a",
            "fill",
            "free",
            "free pod/a",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_cut_separates_both_sides() {
        let damage = Damage { cuts: [(1, Some(2)), (3, None)].into(), ..Damage::default() };
        assert!(damage.separates(Some(2), Some(1)) && damage.separates(Some(1), Some(2)));
        assert!(damage.separates(Some(0), Some(3)) && damage.separates(None, Some(3)));
        assert!(!damage.separates(Some(0), Some(1)) && !damage.separates(Some(1), None));
    }
}
