//! `cargo +nightly fuzz run --features libfuzzer quantities`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| naru_fuzz::quantities(data));
