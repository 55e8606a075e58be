//! `cargo +nightly fuzz run --features libfuzzer yaml`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| naru_fuzz::yaml(data));
