//! The heartbeats of a cluster at rest.

#![allow(clippy::unwrap_used)]

use k8s_openapi::api::coordination::v1::Lease;
use naru_cluster::{Cluster, Fault};
use naru_sim::Time;
use std::time::Duration;

fn seconds(cluster: &mut Cluster, seconds: u64) {
    let end = cluster.now() + Duration::from_secs(seconds);
    assert!(cluster.advance(end, u64::MAX));
}

/// When each Lease of a name was renewed after a revision, by what the store remembers.
fn renewals(cluster: &Cluster, name: &str, after: u64) -> Vec<Time> {
    let changes = cluster.changes_since(after).unwrap();
    let of_lease = changes.filter_map(|change| change.after.as_ref()?.get::<Lease>());
    let mine = of_lease.filter(|lease| lease.metadata.name.as_deref() == Some(name));
    let time = |lease: &Lease| {
        let renewed = lease.spec.as_ref()?.renew_time.as_ref()?.0.as_microsecond();
        let since = renewed - Time::EPOCH_UNIX_SECONDS * 1_000_000;
        Some(Time::from_micros(u64::try_from(since).ok()?))
    };
    mine.filter_map(time).collect()
}

fn fault(cluster: &mut Cluster, words: &str) {
    let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
    cluster.inject(&Fault::parse(&words).unwrap()).unwrap();
}

const LEASES: [&str; 5] =
    ["control-plane", "worker", "worker2", "kube-scheduler", "kube-controller-manager"];

#[test]
fn every_lease_is_renewed_every_ten_seconds() {
    let mut cluster = Cluster::new("kind", 1).unwrap();
    seconds(&mut cluster, 100);
    let before = cluster.revision();
    seconds(&mut cluster, 200);
    for name in LEASES {
        let times = renewals(&cluster, name, before);
        assert_eq!(times.len(), 20, "{name}: {times:?}");
        let alike = |pair: &[Time]| pair[1].since(pair[0]) == Duration::from_secs(10);
        assert!(times.windows(2).all(alike), "{name}: {times:?}");
    }
}

#[test]
fn whether_somebody_watches_leases_changes_nothing_of_them() {
    let run = |watch: bool| {
        let mut cluster = Cluster::new("kind", 2).unwrap();
        let script =
            if watch { "kubectl get lease -A -w >/dev/null & sleep 900" } else { "sleep 900" };
        let job = cluster.start_script(script);
        seconds(&mut cluster, 600);
        drop(cluster.poll(job));
        let before = cluster.revision().saturating_sub(100);
        LEASES.map(|name| renewals(&cluster, name, before))
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn a_node_that_is_cut_off_renews_nothing_until_it_is_back() {
    let mut cluster = Cluster::new("kind", 3).unwrap();
    seconds(&mut cluster, 100);
    let before = cluster.revision();
    fault(&mut cluster, "cut worker");
    seconds(&mut cluster, 60);
    assert_eq!(renewals(&cluster, "worker", before), []);
    assert_eq!(renewals(&cluster, "worker2", before).len(), 6);
    fault(&mut cluster, "mend worker");
    let mended = cluster.now();
    seconds(&mut cluster, 60);
    let again = renewals(&cluster, "worker", before);
    assert!((4..=6).contains(&again.len()), "{again:?}");
    assert!(again[0].since(mended) <= Duration::from_secs(21), "{again:?} after {mended}");
}

#[test]
fn who_may_no_more_renews_no_more() {
    let mut cluster = Cluster::new("kind", 4).unwrap();
    seconds(&mut cluster, 100);
    let take = "kubectl delete clusterrolebinding system:kube-scheduler; \
        kubectl delete -n kube-system rolebinding system::leader-locking-kube-scheduler";
    assert_eq!(cluster.exec(take, Duration::from_secs(5)).code, 0);
    let before = cluster.revision();
    seconds(&mut cluster, 30);
    assert_eq!(renewals(&cluster, "kube-scheduler", before), []);
    assert!(renewals(&cluster, "kube-controller-manager", before).len() >= 3);
}

#[test]
fn a_program_that_is_stopped_renews_no_more() {
    let mut cluster = Cluster::new("kind", 5).unwrap();
    seconds(&mut cluster, 100);
    fault(&mut cluster, "stop kube-controller-manager");
    seconds(&mut cluster, 30);
    let before = cluster.revision();
    seconds(&mut cluster, 60);
    assert_eq!(renewals(&cluster, "kube-controller-manager", before), []);
    fault(&mut cluster, "start kube-controller-manager");
    seconds(&mut cluster, 120);
    assert!(renewals(&cluster, "kube-controller-manager", before).len() >= 4);
}
