//! What requests cost, through the whole chain: `cargo bench -p naru-apiserver --bench requests`.
//!
//! The limits that issue 3 sets, native: a create of a pod 20 µs, a list of 10,000 pods 1 ms, a
//! delivery of a watch 1 µs. Nothing here fails when one is missed; read the numbers.

mod common;

use common::{Bench, object};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use naru_api::ApiService;
use naru_api::request::ListOptions;
use std::hint::black_box;
use std::time::{Duration, Instant};

const PODS: usize = 10_000;
const WATCHES: usize = 100;

/// Runs `one`, which measures a part of itself, `times` times.
fn sum(times: u64, mut one: impl FnMut(u64) -> Duration) -> Duration {
    (0..times).map(&mut one).sum()
}

fn create(c: &mut Criterion) {
    let mut bench = Bench::with_pods(PODS);
    let watch = bench.watch();
    c.bench_function("create a pod", |b| {
        b.iter_custom(|times| {
            sum(times, |_| {
                let request = bench.create_request();
                let start = Instant::now();
                let pod = object(bench.server.handle(request));
                let took = start.elapsed();
                bench.delete(pod.name());
                drop(bench.server.poll(watch));
                took
            })
        });
    });
}

fn update_status(c: &mut Criterion) {
    let mut bench = Bench::with_pods(PODS);
    let mut pod = bench.create();
    let mut number = 0;
    c.bench_function("update the status of a pod", |b| {
        b.iter_custom(|times| {
            sum(times, |_| {
                number += 1;
                let request = bench.status_request(&pod, number);
                let start = Instant::now();
                pod = object(bench.server.handle(request));
                start.elapsed()
            })
        });
    });
}

fn list(c: &mut Criterion) {
    let mut bench = Bench::with_pods(PODS);
    let labels = ListOptions { label_selector: "app=web".to_owned(), ..ListOptions::default() };
    let chunk = ListOptions { limit: 500, ..ListOptions::default() };
    for (name, options) in [
        ("list 10,000 pods", ListOptions::default()),
        ("list 10,000 pods by a label", labels),
        ("list 500 of 10,000 pods", chunk),
    ] {
        c.bench_function(name, |b| b.iter(|| black_box(bench.list(options.clone()))));
    }
}

fn deliver(c: &mut Criterion) {
    let mut bench = Bench::with_pods(1);
    let mut pod = bench.create();
    let watches: Vec<_> = (0..WATCHES).map(|_| bench.watch()).collect();
    let mut number = 0;
    let mut group = c.benchmark_group("watch");
    group.throughput(Throughput::Elements(WATCHES as u64));
    group.bench_function("one change to 100 watches", |b| {
        b.iter_custom(|times| {
            sum(times, |_| {
                number += 1;
                let request = bench.status_request(&pod, number);
                let start = Instant::now();
                pod = object(bench.server.handle(request));
                for watch in bench.server.take_ready() {
                    black_box(bench.server.poll(watch).is_ok());
                }
                start.elapsed()
            })
        });
    });
    drop(watches);
    group.finish();
}

criterion_group!(requests, create, update_status, list, deliver);
criterion_main!(requests);
