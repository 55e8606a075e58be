//! Same profile, seed and inputs: same history.

#![allow(clippy::unwrap_used)]

use naru_cluster::Cluster;
use std::time::Duration;

/// The script that the browser test runs too, and compares with `naru run --digest`: see
/// `web/tests`.
const SCRIPT: &str = include_str!("../digest/script.sh");
fn digest(seed: u64) -> String {
    let mut cluster = Cluster::new("kind", seed).unwrap();
    cluster.keep_digest();
    let result = cluster.exec(SCRIPT, Duration::from_secs(3600));
    assert_eq!(result.code, 0, "{}{}", result.stdout, result.stderr);
    cluster.store_digest()
}

#[test]
fn the_same_seed_gives_the_same_history() {
    assert_eq!(digest(7), digest(7));
}

#[test]
fn another_seed_gives_another_history() {
    assert_ne!(digest(7), digest(8));
}

#[test]
fn a_clone_in_the_middle_goes_the_same_way() {
    let mut cluster = Cluster::new("kind", 3).unwrap();
    cluster.keep_digest();
    let job = cluster.start_script(SCRIPT);
    cluster.advance(cluster.now() + Duration::from_secs(33), u64::MAX);
    let mut copy = cluster.clone();
    for cluster in [&mut cluster, &mut copy] {
        let end = cluster.now() + Duration::from_secs(600);
        while cluster.advance_job(job, end) {
            if cluster.poll(job).code.is_some() {
                break;
            }
        }
    }
    assert_eq!(cluster.store_digest(), copy.store_digest());
}
