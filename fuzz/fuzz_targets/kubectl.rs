//! `cargo +nightly fuzz run --features libfuzzer kubectl`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| naru_fuzz::kubectl(data));
