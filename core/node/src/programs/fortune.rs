//! `fortune`: a saying by chance.

use naru_shell::{Program, Step, Sys};

/// Prints one saying and ends.
#[derive(Clone, Debug)]
pub struct Fortune;

const SAYINGS: &[&str] = &[
    "A ship in the harbour is safe; that is not what ships are for.",
    "Whoever asks the way twice gets lost once less.",
    "The tide does not ask whether the boat is ready.",
    "Two containers in one pod see the same rain.",
    "What is declared will come to pass; what is shouted will be forgotten.",
    "A small net that is mended catches more than a large one that is not.",
    "He who restarts often should read his logs once.",
    "The ferry that waits for everyone never leaves.",
];

impl Program for Fortune {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        let index = sys.rng().below(SAYINGS.len() as u64) as usize;
        let saying = SAYINGS.get(index).copied().unwrap_or_default();
        let _ = sys.write(1, format!("{saying}\n").as_bytes());
        Step::Exit(0)
    }
}
