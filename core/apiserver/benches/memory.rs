//! What a stored pod costs in memory: `cargo bench -p naru-apiserver --bench memory`.
//!
//! The limit that issue 3 sets: 10 KB a pod with a shared template.

mod common;

use common::{Bench, object};
use naru_api::ApiService;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PODS: usize = 10_000;

fn main() {
    let region = Region::new(ALLOCATOR);
    let held = || {
        let stats = region.change();
        stats.bytes_allocated - stats.bytes_deallocated
    };
    let mut bench = Bench::with_pods(PODS);
    println!("{} bytes a pod that was made", held() / PODS);
    for (number, pod) in (0..).zip(bench.list(Default::default())) {
        let request = bench.status_request(&pod, number);
        object(bench.server.handle(request));
    }
    println!("{} bytes a pod that runs, with the history of its last changes", held() / PODS);
}
