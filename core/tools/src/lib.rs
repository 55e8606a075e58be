//! Programs of the learner's machine, and of containers, that need more than the shell has: keys
//! and certificates (`openssl`), charts (`helm`), `jq`, `man`. One folder a program; each runs at
//! once on what it was given ([`batch`]). How they and others of the host read flags: [`flags`].

mod batch;
pub mod flags;
mod helm;
mod jq;
mod man;
mod openssl;

use naru_shell::Program;

/// The names of the programs, sorted.
pub const NAMES: &[&str] = &["helm", "jq", "man", "openssl"];

/// A fresh instance of the program named.
pub fn load(name: &str) -> Option<Box<dyn Program>> {
    match name {
        "helm" => Some(helm::program()),
        "jq" => Some(jq::program()),
        "man" => Some(man::program()),
        "openssl" => Some(openssl::program()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_program() {
        assert!(NAMES.is_sorted());
        for name in NAMES {
            assert!(load(name).is_some(), "{name}");
        }
    }
}
