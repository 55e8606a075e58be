//! Generated inputs in great number, one line of progress for each hundred thousand:
//! `cargo run --release -p naru-fuzz --bin million -- kubectl 1000000`. A third argument is the seed, so
//! that several may run beside one another.

use naru_fuzz::words;
use naru_sim::Rng;
use std::time::{Duration, Instant};

/// Words of one input at most.
const WORDS_MAX: u64 = 12;

/// An input that takes longer than this is told: it may be one that hangs.
const SLOW: Duration = Duration::from_secs(2);

fn main() {
    let mut failed = 0_u64;
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let name = args.first().map_or("kubectl", String::as_str);
    let count = args.get(1).and_then(|count| count.parse().ok()).unwrap_or(1_000_000_u64);
    let (words, separator, function): (_, _, fn(&[u8])) = match name {
        "shell" => (words::SHELL, "", naru_fuzz::shell),
        _ => (words::KUBECTL, "\n", naru_fuzz::kubectl),
    };
    let seed = args.get(2).and_then(|seed| seed.parse().ok()).unwrap_or(20_250_602);
    let mut rng = Rng::new(seed);
    for done in 1..=count {
        let input = naru_fuzz::generate(&mut rng, words, separator, WORDS_MAX);
        let start = Instant::now();
        let held = std::panic::catch_unwind(|| function(input.as_bytes()));
        if held.is_err() {
            println!("{name}: panics: {input:?}");
            failed += 1;
        }
        if start.elapsed() > SLOW {
            println!("{name}: took {:?}: {input:?}", start.elapsed());
        }
        if done % 100_000 == 0 {
            println!("{name}: {done}");
        }
    }
    println!("{name}: {count} inputs, {failed} panics");
    std::process::exit(i32::from(failed > 0));
}
