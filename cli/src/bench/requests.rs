//! `naru bench requests`.

use super::figures::{Figures, time};
use clap::Args;
use naru_cluster::Cluster;
use std::error::Error;
use std::time::Duration;

/// How many HTTP requests go through services a second.
///
/// On a kind cluster of three nodes with many services, each with the same six pods behind it: a pod
/// of `ab` on each worker asks one service after the other, 50 connections at a time. Each request has
/// a connection of its own, as `ab` does it by itself, or connections are kept, as clients of services
/// mostly do. Both ends of every connection, kube-proxy's rules, connection tracking and the programs
/// are in it.
#[derive(Args)]
pub struct Requests {
    /// Services.
    #[arg(long, default_value_t = 100)]
    services: u32,
    /// Requests to each service, from each of two clients.
    #[arg(long, default_value_t = 100)]
    each: u32,
    /// Keep connections (`ab -k`).
    #[arg(long)]
    keep_alive: bool,
}

/// Virtual time after which it is given up.
const GIVE_UP: Duration = Duration::from_secs(24 * 3_600);

impl Requests {
    /// Measures.
    pub fn run(&self, seed: u64) -> Result<Figures, Box<dyn Error>> {
        let mut cluster = Cluster::new("kind", seed)?;
        cluster.write_home_file("bench.yaml", self.manifest().as_bytes())?;
        run(&mut cluster, "kubectl apply -f bench.yaml")?;
        run(&mut cluster, "kubectl rollout status deployment server")?;
        run(&mut cluster, "kubectl rollout status daemonset client")?;
        let names = run(&mut cluster, "kubectl get pods -l app=client -o name")?;
        let clients: Vec<&str> = names.lines().collect();
        let asks: Vec<String> = clients.iter().map(|client| self.ask(client)).collect();
        let (asked, took) =
            time(|| asks.iter().map(|ask| run(&mut cluster, ask)).collect::<Result<Vec<_>, _>>());
        let complete: usize = asked?.iter().map(|out| complete(out)).sum();
        let wanted = self.services as usize * self.each as usize * clients.len();
        if complete != wanted {
            return Err(format!("{complete} of {wanted} requests were answered").into());
        }
        let (requests, seconds) = (complete as f64, took.busiest().as_secs_f64());
        let mut figures = Figures::default();
        figures.add("services", f64::from(self.services));
        figures.add("requests", requests);
        figures.add("keep_alive", f64::from(u8::from(self.keep_alive)));
        figures.add_time("", took);
        figures.add("requests_per_second", requests / seconds.max(f64::MIN_POSITIVE));
        figures.add("microseconds_per_request", seconds * 1e6 / requests.max(1.0));
        Ok(figures)
    }

    /// The command by which a client asks all services.
    fn ask(&self, client: &str) -> String {
        format!(
            "kubectl exec {client} -- sh -c 'for i in $(seq {}); do /usr/local/apache2/bin/ab -q {} -n {} -c 50 \
             http://{}/ | grep Complete; done'",
            self.services,
            if self.keep_alive { "-k" } else { "" },
            self.each,
            address("$((200 + i / 200))", "$((i % 200 + 1))"),
        )
    }

    fn manifest(&self) -> String {
        let mut text = String::from(WORKLOADS);
        for number in 1..=self.services {
            let ip = address(&(200 + number / 200).to_string(), &(number % 200 + 1).to_string());
            text += &format!(
                "---\napiVersion: v1\nkind: Service\nmetadata: {{name: server-{number}}}\nspec:\n  \
                 clusterIP: {ip}\n  selector: {{app: server}}\n  \
                 ports: [{{port: 80, targetPort: 9376}}]\n"
            );
        }
        text
    }
}

/// The cluster IP of a service.
fn address(third: &str, fourth: &str) -> String {
    format!("10.96.{third}.{fourth}")
}

/// What answers, and a client on each worker.
const WORKLOADS: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: server}
spec:
  replicas: 6
  selector: {matchLabels: {app: server}}
  template:
    metadata: {labels: {app: server}}
    spec:
      containers:
      - name: server
        image: registry.k8s.io/e2e-test-images/agnhost:2.53
        args: [serve-hostname]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: client}
spec:
  selector: {matchLabels: {app: client}}
  template:
    metadata: {labels: {app: client}}
    spec:
      containers:
      - {name: client, image: httpd}
";

/// The requests that `ab` calls complete.
fn complete(output: &str) -> usize {
    let numbers = output.lines().filter_map(|line| line.strip_prefix("Complete requests:"));
    numbers.filter_map(|number| number.trim().parse::<usize>().ok()).sum()
}

/// Runs a command that must succeed; gives what it printed.
fn run(cluster: &mut Cluster, line: &str) -> Result<String, Box<dyn Error>> {
    let done = cluster.exec(line, GIVE_UP);
    match done.code {
        0 => Ok(done.stdout),
        code => Err(format!("{line}: exit code {code}: {}{}", done.stdout, done.stderr).into()),
    }
}
