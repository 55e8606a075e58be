//! The functions of the fuzz targets, for a bounded number of generated inputs: no input panics.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

const CASES: u32 = 400;

/// Runs a function on inputs that are mostly made of `words`, and partly of any bytes. The inputs
/// are the same in every run.
fn bounded(words: &'static [&'static str], function: fn(&[u8])) {
    let word = prop_oneof![
        8 => prop::sample::select(words).prop_map(|word| word.as_bytes().to_vec()),
        1 => "[ -~]{0,4}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    let input = prop::collection::vec(word, 0..24).prop_map(|words| words.concat());
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(config, rng)
        .run(&input, |input| {
            function(&input);
            Ok(())
        })
        .unwrap();
}

#[test]
fn json() {
    let words = &[
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"a\"",
        "\"\\u0041\"",
        "\"\\ud800\"",
        "1",
        "-0.5e3",
        "true",
        "null",
        " ",
        "\"",
    ];
    bounded(words, naru_fuzz::json);
    // Found by cargo-fuzz: a number that was read as the one beside it.
    naru_fuzz::json(b"22E202");
    naru_fuzz::json("[".repeat(1_000_000).as_bytes());
    naru_fuzz::json("{\"a\":".repeat(1_000_000).as_bytes());
}

#[test]
fn yaml() {
    let words = &[
        "a: ", "- ", "\n", "  ", "{", "}", "[", "]", "&x ", "*x", "|\n", ">-\n", "---\n", "...\n",
        "\"", "'", "# c", "!!str ", "? ", "<<: ", "\t", "1", "~",
    ];
    bounded(words, naru_fuzz::yaml);
    naru_fuzz::yaml("[".repeat(100_000).as_bytes());
    naru_fuzz::yaml("- ".repeat(100_000).as_bytes());
}

#[test]
fn selectors() {
    let words = &[
        "a",
        "b.c/d",
        "=",
        "==",
        "!=",
        "!",
        " in ",
        " notin ",
        "(",
        ")",
        ",",
        " ",
        "<",
        ">",
        "1",
        "metadata.name",
        "\\",
    ];
    bounded(words, naru_fuzz::selectors);
}

#[test]
fn quantities() {
    let words = &[
        "1",
        "0",
        "999999999999999999999",
        ".",
        "-",
        "+",
        "m",
        "k",
        "Ki",
        "Mi",
        "Ei",
        "E",
        "e",
        "e3",
        "n",
        "u",
    ];
    bounded(words, naru_fuzz::quantities);
}

#[test]
fn jsonpath() {
    let words = &[
        "{",
        "}",
        ".a",
        "..",
        "[*]",
        "[0]",
        "[-1:]",
        "[1:2:3]",
        "[?(@.a==\"x\")]",
        "[?(",
        ")]",
        "range ",
        "end",
        "\"t\"",
        "'",
        "*",
        "[",
        "]",
        ",",
        "\n",
        "{\"a\":[1,{\"b\":2}]}",
        "\\",
    ];
    bounded(words, naru_fuzz::jsonpath);
    naru_fuzz::jsonpath("{range .a}".repeat(10_000).as_bytes());
    naru_fuzz::jsonpath(format!("{{{}}}", "[?(".repeat(10_000)).as_bytes());
}

const PATCH_WORDS: &[&str] = &[
    "{\"metadata\":{\"name\":\"x\",\"finalizers\":[\"a\",\"b\"]},\"spec\":{\"template\":{\"spec\":{",
    "\"containers\":[{\"name\":\"a\",\"ports\":[{\"containerPort\":80}]},{\"name\":\"b\"}]",
    "\"containers\":[{\"name\":\"a\",\"$patch\":\"delete\"}]",
    "\"containers\":null",
    "\"$setElementOrder/containers\":[{\"name\":\"b\"},{\"name\":\"a\"}]",
    "\"$retainKeys\":[\"containers\"]",
    "\"$patch\":\"replace\"",
    ",",
    "}}}}",
    "\n",
    "[{\"op\":\"add\",\"path\":\"/spec/template\",\"value\":1}]",
    "[{\"op\":\"move\",\"from\":\"/metadata\",\"path\":\"/metadata/name\"}]",
    "[{\"op\":\"copy\",\"from\":\"\",\"path\":\"/x\"},{\"op\":\"test\",\"path\":\"/x/-1\"}]",
    "[{\"manager\":\"m\",\"operation\":\"Apply\",\"apiVersion\":\"apps/v1\",\"fieldsType\":\"FieldsV1\",\
     \"fieldsV1\":{\"f:metadata\":{\"f:name\":{},\"f:finalizers\":{\"v:\\\"a\\\"\":{}}}}}]",
];

#[test]
fn patches() {
    bounded(PATCH_WORDS, naru_fuzz::patches);
}

#[test]
fn apply() {
    bounded(PATCH_WORDS, naru_fuzz::apply);
}

#[test]
fn cron() {
    let words = &[
        "*",
        "/",
        "-",
        ",",
        "?",
        " ",
        "0",
        "59",
        "99999999999",
        "jan",
        "SUN",
        "@every ",
        "@daily",
        "1h",
        "TZ=UTC ",
        "1.5s",
    ];
    bounded(words, naru_fuzz::cron);
}

#[test]
fn script() {
    let words = &[
        "\0",
        "\u{1}",
        "f() { ",
        "}; ",
        "f; ",
        "f & ",
        "while :; do ",
        "done; ",
        "for i in a b; do ",
        "if true; then ",
        "fi; ",
        "case x in ",
        "esac; ",
        "echo ",
        "$x ",
        "${x#a} ",
        "${x:-$(",
        ") ",
        "$((",
        ")) ",
        "x=$x$x; ",
        "| ",
        "> /tmp/a ",
        ">> /tmp/a ",
        "< /dev/zero ",
        "<<E\n",
        "E\n",
        "cat ",
        "yes ",
        "head -c 9999999 ",
        "sleep 1; ",
        "kill -9 $$ ",
        "kill 1; ",
        "trap f TERM; ",
        "exec ",
        "set -e; ",
        "cd /proc; ",
        "cat /proc/*/status ",
        "chroot / ",
        "mount -t tmpfs a /tmp ",
        "ls -R / ",
        "eval ",
        "'",
        "\"",
        "\n",
        "& ",
        "; ",
        "&& ",
        "|| ",
        "! ",
        "wait; ",
        "read x; ",
        "[ -e / ] ",
        "\\",
    ];
    bounded(words, naru_fuzz::script);
}

/// Inputs for each of the two that are run and not only read.
const RUNS: u64 = 20_000;

/// Runs a function on the inputs that `src/bin/million.rs` begins with.
fn first_of_a_million(words: &[&str], separator: &str, function: fn(&[u8])) {
    let mut rng = naru_sim::Rng::new(20_250_602);
    for _ in 0..RUNS {
        function(naru_fuzz::generate(&mut rng, words, separator, 12).as_bytes());
    }
}

#[test]
fn shell() {
    first_of_a_million(naru_fuzz::words::SHELL, "", naru_fuzz::shell);
}

#[test]
fn kubectl() {
    first_of_a_million(naru_fuzz::words::KUBECTL, "\n", naru_fuzz::kubectl);
}
