//! `cargo +nightly fuzz run --features libfuzzer jsonpath`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| naru_fuzz::jsonpath(data));
