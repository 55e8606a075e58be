//! Jobs on a running cluster: every pod is counted exactly once, whatever the cache shows.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use common::Cluster;
use k8s_openapi::api::batch::v1::{Job, JobStatus};
use k8s_openapi::api::core::v1::Pod;
use naru_api::pods;
use naru_api::request::Propagation;
use std::time::Duration;

const PI: &str = "
apiVersion: batch/v1
kind: Job
metadata: {name: pi}
spec:
  completions: 6
  parallelism: 2
  backoffLimit: 3
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: perl}]
";

/// Ends every pod that runs.
fn end_pods(cluster: &mut Cluster, phase: &str) {
    for pod in cluster.list::<Pod>() {
        if pods::phase(&pod) == "Running" && !pods::is_terminating(&pod) {
            let mut ended = (*pod).clone();
            let status = ended.status.get_or_insert_default();
            status.phase = Some(phase.to_owned());
            status.conditions = None;
            cluster.client().update_status(ended).unwrap();
        }
    }
}

fn status(cluster: &mut Cluster) -> JobStatus {
    cluster.get::<Job>("pi").unwrap().status.clone().unwrap_or_default()
}

fn conditions(status: &JobStatus) -> Vec<&str> {
    status.conditions.iter().flatten().map(|condition| condition.type_.as_str()).collect()
}

#[test]
fn each_pod_is_counted_once_however_far_the_cache_lags() {
    for lag_millis in [0, 3, 50, 1_000] {
        let mut cluster = Cluster::new();
        cluster.lag = Duration::from_millis(lag_millis);
        cluster.apply(PI);
        for _ in 0..60 {
            cluster.run_millis(700);
            end_pods(&mut cluster, "Succeeded");
            let now = status(&mut cluster);
            assert!(now.succeeded.unwrap_or(0) <= 6 && now.active.unwrap_or(0) <= 2, "{now:?}");
        }
        let now = status(&mut cluster);
        assert_eq!((now.succeeded, now.active, now.failed), (Some(6), None, None), "{lag_millis}");
        assert_eq!(conditions(&now), ["SuccessCriteriaMet", "Complete"]);
        let pods = cluster.list::<Pod>();
        assert_eq!(pods.len(), 6, "lag {lag_millis} ms");
        assert!(pods.iter().all(|pod| pod.metadata.finalizers.is_none()));
    }
}

#[test]
fn failures_are_counted_up_to_the_limit() {
    for lag_millis in [0, 50, 1_000] {
        let mut cluster = Cluster::new();
        cluster.lag = Duration::from_millis(lag_millis);
        cluster.apply(PI);
        for _ in 0..300 {
            cluster.run_millis(700);
            end_pods(&mut cluster, "Failed");
        }
        let now = status(&mut cluster);
        assert_eq!(conditions(&now), ["FailureTarget", "Failed"]);
        assert_eq!((now.failed, now.active), (Some(4), None), "lag {lag_millis} ms");
        assert_eq!(cluster.list::<Pod>().len(), 4);
    }
}

#[test]
fn pods_of_a_deleted_job_are_let_go() {
    let mut cluster = Cluster::new();
    cluster.apply(PI);
    cluster.run(5);
    assert_eq!(cluster.list::<Pod>().len(), 2);
    cluster.delete::<Job>("pi", Propagation::Background);
    cluster.run(10);
    assert_eq!(cluster.list::<Pod>().len(), 0);

    cluster.apply(PI);
    cluster.run(5);
    cluster.delete::<Job>("pi", Propagation::Orphan);
    cluster.run(10);
    let pods = cluster.list::<Pod>();
    assert_eq!(pods.len(), 2);
    assert!(pods.iter().all(|pod| pod.metadata.finalizers.is_none()));
}
