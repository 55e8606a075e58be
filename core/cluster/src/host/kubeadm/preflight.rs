//! Looks whether a machine is fit for what is to be done with it.
//!
//! Upstream: `cmd/kubeadm/app/preflight/checks.go`.

use crate::Cluster;
use naru_tools::flags::Flags;

/// One check that has failed: its name and what it says.
type Failure = (String, String);

/// Checks for `kubeadm init`.
pub fn init(cluster: &Cluster, machine: usize) -> Vec<Failure> {
    let mut failures = Vec::new();
    let node = cluster.nodes.get(machine);
    if let Some(config) = node.map(|node| node.config()) {
        if config.cpus < 2 {
            let why =
                format!("the number of available CPUs {} is less than the required 2", config.cpus);
            failures.push(("NumCPU".to_owned(), why));
        }
        let megabytes = config.memory_bytes >> 20;
        if megabytes < 1700 {
            let why = format!("the system RAM ({megabytes} MB) is less than the minimum 1700 MB");
            failures.push(("Mem".to_owned(), why));
        }
    }
    let ports =
        [(6443, "kube-apiserver"), (10259, "kube-scheduler"), (10257, "kube-controller-manager")];
    for (port, program) in ports {
        if node.is_some_and(|node| node.runtime().runs(program)) {
            failures.push(port_in_use(port));
        }
    }
    for component in ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"] {
        let path = format!("/etc/kubernetes/manifests/{component}.yaml");
        failures.extend(file_exists(cluster, machine, &path));
    }
    failures.extend(kubelet_port(cluster, machine));
    failures
}

/// Checks for `kubeadm join`.
pub fn join(cluster: &Cluster, machine: usize) -> Vec<Failure> {
    let mut failures = Vec::new();
    for path in ["/etc/kubernetes/kubelet.conf", "/etc/kubernetes/bootstrap-kubelet.conf"] {
        failures.extend(file_exists(cluster, machine, path));
    }
    failures.extend(kubelet_port(cluster, machine));
    failures.extend(file_exists(cluster, machine, "/etc/kubernetes/pki/ca.crt"));
    failures
}

fn port_in_use(port: u16) -> Failure {
    (format!("Port-{port}"), format!("Port {port} is in use"))
}

fn kubelet_port(cluster: &Cluster, machine: usize) -> Option<Failure> {
    let runs = cluster.nodes.get(machine).is_some_and(|node| node.runs());
    runs.then(|| port_in_use(10250))
}

fn file_exists(cluster: &Cluster, machine: usize, path: &str) -> Option<Failure> {
    let fs = cluster.nodes.get(machine)?.files();
    let name = format!("FileAvailable-{}", path.replace('/', "-"));
    fs.read(path).is_ok().then(|| (name, format!("{path} already exists")))
}

/// What was found, as kubeadm prints it: warnings for what is to be ignored, and the error.
pub fn report(failures: Vec<Failure>, flags: &Flags) -> (String, Option<String>) {
    let ignored: Vec<String> = flags
        .values("ignore-preflight-errors")
        .iter()
        .flat_map(|value| value.split(','))
        .map(str::to_ascii_lowercase)
        .collect();
    let is_ignored =
        |name: &str| ignored.iter().any(|own| own == "all" || *own == name.to_ascii_lowercase());
    let (mut warnings, mut errors) = (String::new(), String::new());
    for (name, why) in failures {
        if is_ignored(&name) {
            warnings.push_str(&format!("\t[WARNING {name}]: {why}\n"));
        } else {
            errors.push_str(&format!("\t[ERROR {name}]: {why}\n"));
        }
    }
    let error = (!errors.is_empty()).then(|| {
        format!(
            "error execution phase preflight: [preflight] Some fatal errors occurred:\n{errors}\
             [preflight] If you know what you are doing, you can make a check non-fatal with \
             `--ignore-preflight-errors=...`"
        )
    });
    (warnings, error)
}
