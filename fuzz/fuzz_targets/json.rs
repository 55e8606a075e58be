//! `cargo +nightly fuzz run --features libfuzzer json`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| naru_fuzz::json(data));
