//! The core in a browser: boots a cluster in wasm, runs commands, and draws a word of it.

#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used)]

use naru_cluster::Cluster;
use std::time::Duration;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen_test]
fn a_cluster_runs_in_the_browser() {
    let mut cluster = Cluster::new("kind", 1).unwrap();
    let nodes = cluster.exec("kubectl get nodes", Duration::from_secs(60));
    assert_eq!(nodes.code, 0, "{}", nodes.stderr);
    assert!(nodes.stdout.contains("control-plane"), "{}", nodes.stdout);

    // In an element of its own: the body holds what the test harness tells.
    let document = web_sys::window().and_then(|window| window.document()).unwrap();
    let shown = document.create_element("pre").unwrap();
    shown.set_text_content(Some(&nodes.stdout));
    document.body().unwrap().append_child(&shown).unwrap();
    assert!(shown.text_content().unwrap().contains("worker2"));
}

#[wasm_bindgen_test]
fn the_same_seed_gives_the_same_history() {
    let history = || {
        let mut cluster = Cluster::new("kind", 7).unwrap();
        cluster.exec("kubectl run a --image=nginx; sleep 30", Duration::from_secs(60));
        cluster.store_digest()
    };
    assert_eq!(history(), history());
}
