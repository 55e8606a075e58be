//! `cargo +nightly fuzz run --features libfuzzer cron`
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| naru_fuzz::cron(data));
