//! `cargo +nightly fuzz run --features libfuzzer shell`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| naru_fuzz::shell(data));
