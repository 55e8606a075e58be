//! What requests cost, through the whole chain: `cargo bench -p naru-apiserver --bench requests`.
//!
//! The limits that issue 3 sets, native: a create of a pod 20 µs, a list of 10,000 pods 1 ms, a
//! delivery of a watch 1 µs. Nothing here fails when one is missed; read the numbers.

mod common;

use common::{Bench, object};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use naru_api::request::ListOptions;
use naru_api::{ApiService, Credentials};
use naru_apiserver::{ApiServer, AuthenticationConfig};
use naru_pki::{Authority, ExtendedUsage, PrivateKey, Subject, Template, Validity, jwt};
use naru_sim::{Rng, Time};
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
    creations(c, &mut bench, "create a pod");
    bench.authorize_by_rbac();
    creations(c, &mut bench, "create a pod, authorized by RBAC");
}

fn creations(c: &mut Criterion, bench: &mut Bench, name: &str) {
    let watch = bench.watch();
    c.bench_function(name, |b| {
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

/// Who asks: what `kubectl` and a pod show, and what is there before the first request.
fn authenticate(c: &mut Criterion) {
    let mut rng = Rng::new(1);
    let validity = Validity::starting(Time::ZERO, Duration::from_secs(86_400));
    let key = PrivateKey::generate(&mut rng);
    let authority = Authority::new("kubernetes", key, validity, &mut rng);
    let authority = authority.unwrap_or_else(|error| unreachable!("{error}"));
    let key = PrivateKey::generate(&mut rng);
    let usages = &[ExtendedUsage::ClientAuth];
    let subject = Subject::new("kubernetes-admin", &["kubeadm:cluster-admins"]);
    let template = Template { subject, usages, ..Template::default() };
    let issue = |rng: &mut Rng| {
        let issued = authority.issue(&template, &key, validity, rng);
        issued.unwrap_or_else(|error| unreachable!("{error}"))
    };
    let signer = jwt::Signer::new(PrivateKey::generate(&mut rng));
    let claims = serde_json::json!({"sub": "system:serviceaccount:default:default"});
    c.bench_function("generate a key", |b| b.iter(|| PrivateKey::generate(&mut rng)));
    let mut rng = Rng::new(2);
    c.bench_function("issue a certificate", |b| b.iter(|| issue(&mut rng)));
    c.bench_function("sign a token", |b| b.iter(|| signer.sign(&claims)));
    c.bench_function("start an API server with its policy", |b| {
        b.iter(|| {
            let mut server = ApiServer::new(Rng::new(1));
            server.install_bootstrap_policy().is_ok()
        });
    });
    let mut server = ApiServer::new(Rng::new(1));
    server.set_authentication(AuthenticationConfig {
        client_ca: Some(authority.certificate().clone()),
        ..AuthenticationConfig::default()
    });
    let certificate = issue(&mut rng).to_der();
    let credentials = Credentials { certificate, ..Credentials::default() };
    c.bench_function("authenticate by a certificate", |b| {
        b.iter(|| black_box(server.authenticate(&credentials).is_ok()));
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

criterion_group!(requests, create, authenticate, update_status, list, deliver);
criterion_main!(requests);
