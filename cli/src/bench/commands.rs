//! `naru bench commands`.

use super::figures::{Figures, time};
use super::{pods, startup};
use clap::Args;
use naru_cluster::Cluster;
use std::error::Error;
use std::time::Duration;

/// What the usual commands cost on a cluster with many pods.
///
/// Each command is typed several times into the learner's machine and the least time counts: from the
/// start of its shell to its exit code, with what the cluster does meanwhile. Told are the ten
/// dearest, in milliseconds, by their words.
#[derive(Args)]
pub struct Commands {
    /// Pods.
    #[arg(long, default_value_t = 1_000)]
    pods: u32,
    /// Tell of all commands.
    #[arg(long)]
    all: bool,
    /// Measure only the commands that contain this text.
    #[arg(long, default_value = "")]
    only: String,
    /// How often each command is run; the least time counts.
    #[arg(long, default_value_t = 3)]
    runs: u32,
}

/// Virtual time that a command may take.
const LIMIT: Duration = Duration::from_secs(120);
/// How many are told.
const TOLD: usize = 10;
/// Pods that a node takes.
const PODS_PER_NODE: u32 = 100;

impl Commands {
    /// Measures.
    pub fn run(&self, seed: u64) -> Result<Figures, Box<dyn Error>> {
        let mut cluster = self.cluster(seed)?;
        let mut all = Vec::new();
        for line in COMMANDS.iter().filter(|line| line.contains(&self.only)) {
            all.push((line, measure(&mut cluster, line, self.runs)?));
        }
        all.sort_by_key(|(_, took)| std::cmp::Reverse(*took));
        let mut figures = Figures::default();
        figures.add("pods", f64::from(self.pods));
        figures.add("commands", all.len() as f64);
        let slow = all.iter().filter(|(_, took)| *took > Duration::from_millis(5)).count();
        figures.add("commands_above_5_milliseconds", slow as f64);
        let told = if self.all { all.len() } else { TOLD };
        for (line, took) in all.into_iter().take(told) {
            figures.add(*line, took.as_secs_f64() * 1e3);
        }
        Ok(figures)
    }

    /// A cluster with so many pods, most of them of one Deployment behind a Service.
    fn cluster(&self, seed: u64) -> Result<Cluster, Box<dyn Error>> {
        let mut cluster = startup::cluster(seed, self.pods.div_ceil(PODS_PER_NODE).max(1) + 1)?;
        cluster.carry_openapi(crate::openapi::schemas);
        let bare = self.pods / 10;
        pods::start(&mut cluster, 0, bare)?;
        let manifest = MANIFEST.replace("REPLICAS", &self.pods.saturating_sub(bare).to_string());
        cluster.write_home_file("web.yaml", manifest.as_bytes())?;
        cluster.write_home_file("map.yaml", MAP.as_bytes())?;
        for line in SETTING {
            let done = cluster.exec(line, Duration::from_secs(3_600));
            if done.code != 0 {
                return Err(format!("{line}: {}{}", done.stdout, done.stderr).into());
            }
        }
        Ok(cluster)
    }
}

/// The least time that the command took.
fn measure(cluster: &mut Cluster, line: &str, runs: u32) -> Result<Duration, Box<dyn Error>> {
    let mut least = Duration::MAX;
    for _ in 0..runs.max(1) {
        let (done, took) = time(|| cluster.exec(line, LIMIT));
        // What there is to be done for it later is not its own.
        cluster.advance(cluster.now() + Duration::from_secs(5), u64::MAX);
        if done.code != 0 {
            return Err(format!("{line}: exit code {}: {}", done.code, done.stderr).into());
        }
        least = least.min(took.busiest());
    }
    Ok(least)
}

const SETTING: [&str; 4] = [
    "kubectl apply -f web.yaml",
    "kubectl rollout status deployment web --timeout=30m",
    "kubectl apply -f https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml \
     && kubectl patch deployment metrics-server -n kube-system --type=json -p \
     '[{\"op\":\"add\",\"path\":\"/spec/template/spec/containers/0/args/-\",\"value\":\"--kubelet-insecure-tls\"}]' \
     && kubectl rollout status deployment metrics-server -n kube-system",
    "sleep 60",
];

/// Every command of kubectl but `certificate`, which needs a request that waits and that each run would
/// have to make. What does not end by itself is ended after a second.
const COMMANDS: &[&str] = &[
    "kubectl get pods",
    "kubectl get pods -A",
    "kubectl get pods -o wide",
    "kubectl get pods -A -o wide",
    "kubectl get pods -o yaml",
    "kubectl get pods -o json",
    "kubectl get pods -o name",
    "kubectl get pods --show-labels",
    "kubectl get pods -l app=web",
    "kubectl get pods --field-selector=status.phase=Running",
    "kubectl get pods --sort-by=.metadata.name",
    "kubectl get pods -o jsonpath='{.items[*].metadata.name}'",
    "kubectl get pods -o custom-columns=NAME:.metadata.name,IP:.status.podIP",
    "kubectl get pods -o go-template='{{range .items}}{{.metadata.name}}{{end}}'",
    "kubectl get pod pod-7",
    "kubectl get pod pod-7 -o yaml",
    "kubectl get all",
    "kubectl get all -A",
    "kubectl get nodes",
    "kubectl get nodes -o wide",
    "kubectl get nodes -o yaml",
    "kubectl get events",
    "kubectl get events -A --sort-by=.lastTimestamp",
    "kubectl events",
    "kubectl get deploy,rs,svc",
    "kubectl get endpoints web",
    "kubectl get endpointslices",
    "kubectl get endpointslices -o yaml",
    "kubectl get leases -A",
    "kubectl get --raw /api/v1/pods",
    "kubectl get --raw /metrics",
    "kubectl describe pod pod-7",
    "kubectl describe pods",
    "kubectl describe deployment web",
    "kubectl describe rs",
    "kubectl describe service web",
    "kubectl describe node worker0",
    "kubectl describe nodes",
    "kubectl top nodes",
    "kubectl top pods",
    "kubectl top pods -A",
    "kubectl logs pod-7",
    "kubectl logs deployment/web",
    "kubectl exec deploy/web -- hostname",
    "kubectl apply -f map.yaml",
    "kubectl apply -f web.yaml",
    "kubectl apply --server-side --force-conflicts -f web.yaml",
    "kubectl diff -f web.yaml",
    "kubectl create configmap once --from-literal=a=b --dry-run=client -o yaml",
    "kubectl create configmap twice --from-literal=a=b && kubectl delete configmap twice",
    "kubectl run once --image=nginx --dry-run=server -o yaml",
    "kubectl label pods --all tier=front --overwrite",
    "kubectl annotate deployment web note=this --overwrite",
    "kubectl scale deployment web --replicas=900",
    "kubectl rollout status deployment web",
    "kubectl rollout history deployment web",
    "kubectl set env deployment/web A=B --dry-run=server -o yaml",
    "kubectl patch service web -p '{\"metadata\":{\"labels\":{\"x\":\"y\"}}}'",
    "kubectl wait pod pod-7 --for=condition=Ready",
    "kubectl auth can-i --list",
    "kubectl api-resources",
    "kubectl api-versions",
    "kubectl explain pod",
    "kubectl explain pod --recursive",
    "kubectl explain deployment.spec.template.spec.containers",
    "kubectl cluster-info",
    "kubectl version",
    "kubectl config view",
    "kubectl get crd",
    "kubectl get configmaps,secrets -A",
    "kubectl delete pod nosuch --ignore-not-found",
    "kubectl apply view-last-applied deployment web",
    "kubectl apply set-last-applied -f web.yaml",
    "EDITOR=true kubectl apply edit-last-applied deployment web",
    "timeout 1 kubectl attach pod-7 || true",
    "kubectl auth can-i create pods",
    "kubectl auth whoami",
    "kubectl autoscale deployment web --max=950 --dry-run=server -o name",
    "kubectl cluster-info dump --namespaces=kube-system --output-directory=dump",
    "kubectl completion bash",
    "kubectl config current-context",
    "kubectl config get-contexts",
    "kubectl config set-context --current --namespace=default",
    "kubectl cordon worker0 && kubectl uncordon worker0",
    "kubectl cp $(kubectl get pods -l app=web -o name | head -1 | cut -d/ -f2):/etc/hosts hosts",
    "kubectl create clusterrole reader --verb=get --resource=pods --dry-run=server -o name",
    "kubectl create clusterrolebinding reader --clusterrole=view --user=a --dry-run=server -o name",
    "kubectl create cronjob often --image=busybox --schedule='* * * * *' --dry-run=server -o name",
    "kubectl create deployment other --image=nginx --dry-run=server -o name",
    "kubectl create ingress front --rule=a.b/=web:80 --dry-run=server -o name",
    "kubectl create job once --image=busybox --dry-run=server -o name",
    "kubectl create namespace other --dry-run=server -o name",
    "kubectl create poddisruptionbudget some --selector=app=web --min-available=1 --dry-run=server -o name",
    "kubectl create priorityclass high --value=1000 --dry-run=server -o name",
    "kubectl create quota little --hard=pods=2000 --dry-run=server -o name",
    "kubectl create role reader --verb=get --resource=pods --dry-run=server -o name",
    "kubectl create rolebinding reader --role=reader --user=a --dry-run=server -o name",
    "kubectl create secret generic keys --from-literal=a=b --dry-run=server -o name",
    "kubectl create service clusterip other --tcp=80 --dry-run=server -o name",
    "kubectl create serviceaccount other --dry-run=server -o name",
    "kubectl create token default",
    "timeout 1 kubectl debug pod-7 --image=busybox --copy-to=copy -- true; kubectl delete pod copy --now",
    "kubectl drain worker0 --dry-run=server --ignore-daemonsets --force",
    "EDITOR=true kubectl edit deployment web",
    "kubectl expose deployment web --name=other --port=80 --dry-run=server -o name",
    "kubectl help get",
    "mkdir -p kust && cp map.yaml kust && echo 'resources: [map.yaml]' > kust/kustomization.yaml \
     && kubectl kustomize kust",
    "kubectl options",
    "kubectl plugin list || true",
    "timeout 1 kubectl port-forward pod-7 8080:9376 || true",
    "timeout 1 kubectl proxy || true",
    "kubectl replace -f map.yaml",
    "kubectl rollout pause deployment web && kubectl rollout resume deployment web",
    "kubectl set image deployment/web web=nginx --dry-run=server -o name",
    "kubectl set resources deployment/web --requests=cpu=20m --dry-run=server -o name",
    "kubectl set selector service web app=web --dry-run=server -o name",
    "kubectl set serviceaccount deployment/web default --dry-run=server -o name",
    "kubectl set subject clusterrolebinding cluster-admin --user=a --dry-run=server -o name",
    "kubectl taint node worker0 a=b:NoSchedule && kubectl taint node worker0 a-",
    "kubectl rollout restart deployment metrics-server -n kube-system",
    "kubectl rollout undo deployment web --dry-run=server || true",
];

const MAP: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: map}
data: {a: b}
";

const MANIFEST: &str = "\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 9376}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: REPLICAS
  strategy: {rollingUpdate: {maxSurge: 100%}}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.k8s.io/e2e-test-images/agnhost:2.53
        args: [serve-hostname]
        resources: {requests: {cpu: 10m, memory: 10Mi}}
";
