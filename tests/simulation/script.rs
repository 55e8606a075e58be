//! What happens to a cluster: a script of the terminal's language, made from a seed.

use naru_sim::Rng;
use std::fmt::Write as _;

/// Fewest and most nodes.
const NODES_MIN: usize = 3;
pub const NODES_MAX: usize = 10;
/// Steps of a script.
const STEPS_MIN: u64 = 8;
const STEPS_MAX: u64 = 20;
/// Seconds between two steps.
const PAUSE_MAX: u64 = 60;
/// Seconds between a fault and its cure.
const FAULT_MAX: u64 = 500;
/// Seconds after which a mended cluster must have come to rest: the longest back-off of a container
/// is five minutes.
const REST: u64 = 900;
/// Workloads of one kind.
const NAMES: u64 = 3;

/// The script and the cluster of one seed.
pub struct Plan {
    nodes: usize,
    calm: bool,
    lines: Vec<String>,
}

impl Plan {
    /// The plan of a seed. Every third has no faults, so that laws which hold only then are seen.
    pub fn new(seed: u64) -> Plan {
        let mut rng = Rng::new(seed).fork("simulation");
        let nodes = NODES_MIN + usize::try_from(rng.below(8)).unwrap_or(0);
        let mut writer = Writer {
            rng,
            nodes: (0..nodes).map(node_name).collect(),
            calm: seed.is_multiple_of(3),
            lines: Vec::new(),
            cures: Vec::new(),
            now: 0,
        };
        writer.write();
        Plan { nodes, calm: writer.calm, lines: writer.lines }
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.nodes
    }

    /// Whether nothing breaks.
    pub fn is_calm(&self) -> bool {
        self.calm
    }

    /// The seed of the cluster: clusters of as many nodes are switched on once.
    pub fn boot_seed(&self) -> u64 {
        self.nodes as u64
    }

    /// The commands.
    pub fn script(&self) -> String {
        self.lines.iter().fold(String::new(), |mut text, line| {
            let _ = writeln!(text, "{line}");
            text
        })
    }

    /// The machines, in a profile's format.
    pub fn profile(&self) -> String {
        let mut text = "name: simulation\ncontext: kind-kind\n\
            admin:\n  name: kubernetes-admin\n  groups: [kubeadm:cluster-admins]\n\
            network: 172.18.0.0/16\nhost: 172.18.0.1\npolicies: [kubeadm, kind]\n\
            manifests: [kube-proxy, kindnet, local-path-provisioner]\n\
            corednsReplicas: 2\nmachines:\n"
            .to_owned();
        for index in 0..self.nodes {
            let _ = writeln!(text, "- name: {}\n  ip: 172.18.0.{}", node_name(index), index + 2);
            if index == 0 {
                text.push_str("  controlPlane: true\n  tainted: true\n");
            }
        }
        text
    }
}

fn node_name(index: usize) -> String {
    match index {
        0 => "control-plane".to_owned(),
        1 => "worker".to_owned(),
        index => format!("worker{index}"),
    }
}

struct Writer {
    rng: Rng,
    nodes: Vec<String>,
    calm: bool,
    lines: Vec<String>,
    /// When something is to be mended, and how.
    cures: Vec<(u64, String)>,
    now: u64,
}

impl Writer {
    fn write(&mut self) {
        for name in 0..2 {
            self.create_deployment(name);
        }
        let steps = STEPS_MIN + self.rng.below(STEPS_MAX - STEPS_MIN);
        for _ in 0..steps {
            self.pause();
            match self.rng.below(10) {
                0..=3 if !self.calm => self.fault(),
                _ => self.operation(),
            }
        }
        self.mend();
    }

    fn line(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    /// Lets time pass, and mends what is due meanwhile.
    fn pause(&mut self) {
        let seconds = 1 + self.rng.below(PAUSE_MAX);
        self.now += seconds;
        self.line(format!("sleep {seconds}"));
        let now = self.now;
        let (due, later) =
            std::mem::take(&mut self.cures).into_iter().partition(|(at, _)| *at <= now);
        self.cures = later;
        let due: Vec<(u64, String)> = due;
        due.into_iter().for_each(|(_, cure)| self.line(cure));
    }

    /// Mends everything, and gives the cluster time to come to rest.
    fn mend(&mut self) {
        let cures = std::mem::take(&mut self.cures);
        cures.into_iter().for_each(|(_, cure)| self.line(cure));
        // The API server has to be there before anything can be told to it.
        self.line("sleep 120");
        for node in self.nodes.clone() {
            self.line(format!("kubectl uncordon {node}"));
            self.line(format!("kubectl taint node {node} trouble-"));
        }
        self.line("kubectl set image deployment --all nginx=nginx");
        self.line(format!("sleep {REST}"));
    }

    fn pick(&mut self, from: &[&str]) -> String {
        let index = usize::try_from(self.rng.below(from.len() as u64)).unwrap_or(0);
        from.get(index).copied().unwrap_or_default().to_owned()
    }

    /// A node; workers only if the control plane must stay.
    fn node(&mut self, workers_only: bool) -> String {
        let first = u64::from(workers_only);
        let index = first + self.rng.below(self.nodes.len() as u64 - first);
        usize::try_from(index)
            .ok()
            .and_then(|index| self.nodes.get(index).cloned())
            .unwrap_or_default()
    }

    fn create_deployment(&mut self, name: u64) {
        let replicas = 1 + self.rng.below(5);
        self.line(format!("kubectl create deployment d{name} --image=nginx --replicas={replicas}"));
    }

    fn operation(&mut self) {
        let name = self.rng.below(NAMES);
        match self.rng.below(27) {
            0 | 1 => self.create_deployment(name),
            2..=4 => {
                let replicas = self.rng.below(8);
                self.line(format!("kubectl scale deployment/d{name} --replicas={replicas}"));
            }
            5 | 6 => {
                let image = self.pick(&["nginx", "nginx:alpine", "nginx:1.27", "nginx:nope"]);
                self.line(format!("kubectl set image deployment/d{name} nginx={image}"));
            }
            7 => self.line(format!("kubectl rollout restart deployment/d{name}")),
            8 => self.line(format!("kubectl rollout undo deployment/d{name}")),
            9 => self.line(format!("kubectl delete deployment d{name} --wait=false")),
            10 => self.line(format!("kubectl delete pod -l app=d{name} --wait=false")),
            11 => {
                self.line(format!("kubectl label pod -l app=d{name} app=other{name} --overwrite"))
            }
            12 => self.line(format!("kubectl expose deployment d{name} --port=80")),
            13 => self.line(format!("kubectl delete service d{name}")),
            14 => {
                let limit = self.pick(&["--min-available=1", "--max-unavailable=1"]);
                self.line(format!("kubectl create pdb p{name} --selector=app=d{name} {limit}"));
            }
            15 => self.daemon_set(name),
            16 => {
                let seconds = self.rng.below(60);
                self.line(format!("kubectl create job j{name} --image=busybox -- sleep {seconds}"));
            }
            17 => self.line(format!("kubectl delete job j{name} --wait=false")),
            18 => self.drain(),
            19 => self.taint(),
            20 => self.stateful_set(name),
            21 => {
                let replicas = self.rng.below(5);
                self.line(format!("kubectl scale statefulset/s{name} --replicas={replicas}"));
            }
            22 => self.line(format!("kubectl delete statefulset s{name} --wait=false")),
            23 | 24 => self.stateful_set_with_claims(name),
            25 => {
                let replicas = self.rng.below(4);
                self.line(format!("kubectl scale statefulset/v{name} --replicas={replicas}"));
            }
            _ => self.line(format!("kubectl delete statefulset v{name} --wait=false")),
        }
    }

    fn daemon_set(&mut self, name: u64) {
        if self.rng.below(3) == 0 {
            return self.line(format!("kubectl delete daemonset ds{name} --wait=false"));
        }
        let command = self.pick(&["[\"sleep\", \"100000\"]", "[\"sleep\", \"99999\"]"]);
        let most = self.pick(&["1", "2", "50%"]);
        self.line(format!(
            "kubectl apply -f - <<'END'\n\
             apiVersion: apps/v1\nkind: DaemonSet\nmetadata:\n  name: ds{name}\nspec:\n  \
             updateStrategy: {{rollingUpdate: {{maxUnavailable: {most}}}}}\n  \
             selector:\n    matchLabels: {{app: ds{name}}}\n  template:\n    metadata:\n      \
             labels: {{app: ds{name}}}\n    spec:\n      terminationGracePeriodSeconds: 1\n      \
             containers:\n      - name: main\n        image: busybox\n        command: {command}\n\
             END"
        ));
    }

    fn stateful_set(&mut self, name: u64) {
        let replicas = 1 + self.rng.below(4);
        let image = self.pick(&["nginx", "nginx:alpine"]);
        self.line(format!(
            "kubectl apply -f - <<'END'\n\
             apiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: s{name}\nspec:\n  \
             replicas: {replicas}\n  serviceName: s{name}\n  \
             selector:\n    matchLabels: {{app: s{name}}}\n  template:\n    metadata:\n      \
             labels: {{app: s{name}}}\n    spec:\n      terminationGracePeriodSeconds: 5\n      \
             containers:\n      - name: main\n        image: {image}\nEND"
        ));
    }

    fn stateful_set_with_claims(&mut self, name: u64) {
        let replicas = 1 + self.rng.below(3);
        let deleted = self.pick(&["Retain", "Delete"]);
        let scaled = self.pick(&["Retain", "Delete"]);
        self.line(format!(
            "kubectl apply -f - <<'END'\n\
             apiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: v{name}\nspec:\n  \
             replicas: {replicas}\n  serviceName: v{name}\n  \
             persistentVolumeClaimRetentionPolicy: {{whenDeleted: {deleted}, whenScaled: {scaled}}}\n  \
             selector:\n    matchLabels: {{app: v{name}}}\n  template:\n    metadata:\n      \
             labels: {{app: v{name}}}\n    spec:\n      terminationGracePeriodSeconds: 5\n      \
             containers:\n      - name: main\n        image: nginx\n        \
             volumeMounts: [{{name: data, mountPath: /data}}]\n  \
             volumeClaimTemplates:\n  - metadata:\n      name: data\n    spec:\n      \
             accessModes: [ReadWriteOnce]\n      resources: {{requests: {{storage: 1Gi}}}}\nEND"
        ));
    }

    fn drain(&mut self) {
        let node = self.node(true);
        let verb = self.pick(&["cordon", "drain"]);
        match verb.as_str() {
            "cordon" => self.line(format!("kubectl cordon {node}")),
            _ => self.line(format!(
                "kubectl drain {node} --ignore-daemonsets --delete-emptydir-data --force \
                 --timeout=60s"
            )),
        }
        let at = self.now + self.rng.below(FAULT_MAX);
        self.cures.push((at, format!("kubectl uncordon {node}")));
    }

    fn taint(&mut self) {
        let node = self.node(true);
        let effect = self.pick(&["NoSchedule", "NoExecute", "PreferNoSchedule"]);
        self.line(format!("kubectl taint node {node} trouble=yes:{effect} --overwrite"));
        let at = self.now + self.rng.below(FAULT_MAX);
        self.cures.push((at, format!("kubectl taint node {node} trouble-")));
    }

    fn fault(&mut self) {
        let node = self.node(false);
        let (fault, cure) = match self.rng.below(8) {
            0..=2 => (format!("stop node/{node}"), format!("start node/{node}")),
            3 | 4 => (format!("cut {node}"), format!("mend {node}")),
            5 => {
                let other = self.node(false);
                (format!("cut {node} {other}"), format!("mend {node} {other}"))
            }
            6 => {
                let program =
                    self.pick(&["kube-scheduler", "kube-controller-manager", "kube-apiserver"]);
                (format!("stop {program}"), format!("start {program}"))
            }
            _ => {
                let number = 1 + self.rng.below(4);
                self.line(format!(
                    "naru fault crash $(kubectl get pods -o name | head -{number} | tail -1)"
                ));
                return;
            }
        };
        self.line(format!("naru fault {fault}"));
        let at = self.now + self.rng.below(FAULT_MAX);
        self.cures.push((at, format!("naru fault {cure}")));
    }
}
