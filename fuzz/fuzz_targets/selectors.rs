//! `cargo +nightly fuzz run --features libfuzzer selectors`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| naru_fuzz::selectors(data));
