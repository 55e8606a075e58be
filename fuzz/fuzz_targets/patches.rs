//! `cargo +nightly fuzz run --features libfuzzer patches`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| naru_fuzz::patches(data));
