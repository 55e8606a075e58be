//! `cargo +nightly fuzz run --features libfuzzer apply`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| naru_fuzz::apply(data));
