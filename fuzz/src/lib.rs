//! Readers of hostile input, each as a function of bytes that must not panic.
//!
//! `cargo +nightly fuzz run --features libfuzzer NAME` feeds them from `fuzz_targets/`; a stable
//! compiler does it too with `RUSTC_BOOTSTRAP=1` and `-s none`, and clang is not needed.
//! `tests/bounded.rs` runs the same functions for a bounded number of generated inputs in the
//! ordinary tests; what the fuzzer finds is put there.

mod machine;
mod script;
pub mod words;

pub use script::script;

use machine::Machine;
use naru_api::cron::Schedule;
use naru_api::jsonpath::JsonPath;
use naru_api::managed::{self, Manager, Managers, Operation, Scope};
use naru_api::schema::Node;
use naru_api::{fields, json as go_json, labels, patch, quantity, scheme, timezone, yaml};
use serde_json::Value;
use std::sync::OnceLock;

fn text(data: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(data)
}

/// Documents, one to a line; what cannot be read is null.
fn documents<const N: usize>(data: &[u8]) -> [Value; N] {
    let mut lines = data.split(|byte| *byte == b'\n');
    std::array::from_fn(|_| go_json::parse(lines.next().unwrap_or_default()).unwrap_or_default())
}

/// JSON as Go reads it. What is read can be written, and read again as the same.
pub fn json(data: &[u8]) {
    if let Ok(document) = go_json::read(data) {
        let again = go_json::parse(document.value.to_string().as_bytes());
        assert_eq!(again.as_ref(), Ok(&document.value));
        let _ = go_json::to_go_text(&document.value);
    }
}

/// YAML streams.
pub fn yaml(data: &[u8]) {
    for document in yaml::documents(&text(data)).into_iter().flatten() {
        let _ = yaml::print(&document);
    }
}

/// Selectors of labels and fields.
pub fn selectors(data: &[u8]) {
    let text = text(data);
    if let Ok(selector) = labels::Selector::parse(&text) {
        let _ = selector.matches(None);
        let _ = selector.to_label_selector();
    }
    let _ = fields::Selector::parse(&text);
}

/// Quantities. What is canonical stays as it is.
pub fn quantities(data: &[u8]) {
    if let Ok(canonical) = quantity::canonical(&text(data)) {
        assert_eq!(quantity::canonical(&canonical), Ok(canonical.clone()));
    }
}

/// JSONPath: a template on the first line, what it is applied to on the second.
pub fn jsonpath(data: &[u8]) {
    let template = data.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let [_, object] = documents(data);
    for missing_ok in [false, true] {
        if let Ok(path) = JsonPath::parse(&text(template), missing_ok) {
            let _ = path.print(&object);
        }
    }
    let _ = naru_api::jsonpath::relaxed(&text(template));
}

/// Patches of all forms: the object on the first line, the patch on the second, what was applied
/// last on the third.
pub fn patches(data: &[u8]) {
    let [object, change, last] = documents(data);
    let deployment = Node::built_in("apps", "v1", "Deployment");
    let _ = patch::json(object.clone(), &change);
    let _ = patch::strategic(deployment, object.clone(), &change);
    let _ = patch::three_way(deployment, &last, &change, &object);
    let _ = patch::merge(object, &change);
}

/// Server-side apply: the object on the first line, its managed fields on the second, the
/// configuration on the third. What was applied can be applied again without a conflict.
pub fn apply(data: &[u8]) {
    let [object, entries, config] = documents(data);
    let kinds = scheme::built_in();
    let Some(kind) = scheme::by_kind(&kinds, "apps/v1", "Deployment") else { return };
    let scope: Scope<'_> = managed::scope(&kind, "");
    let entries: Vec<_> = serde_json::from_value(entries).unwrap_or_default();
    let managers = Managers::decode(&entries).unwrap_or_default();
    if !managed::problems(scope.node, &config).is_empty() || !config.is_object() {
        return;
    }
    let manager = Manager::new("fuzz", "", Operation::Apply, "");
    let time = naru_api::k8s_openapi::jiff::Timestamp::UNIX_EPOCH;
    let applied =
        managed::apply(&scope, Some(&object), &managers, &config, manager.clone(), true, time);
    let Ok(applied) = applied else { return };
    let _ = applied.managers.encode();
    let object = applied.object.unwrap_or(object);
    let again =
        managed::apply(&scope, Some(&object), &applied.managers, &config, manager, false, time);
    assert!(again.is_ok() || applied.managers.is_empty());
}

/// Schedules of cron jobs.
pub fn cron(data: &[u8]) {
    let Ok(schedule) = text(data).parse::<Schedule>() else { return };
    if let Some(utc) = timezone::find("UTC") {
        let _ = schedule.next(naru_sim::Time::ZERO, &utc);
    }
}

/// Shell scripts, run by bash on a machine of their own without a network.
pub fn shell(data: &[u8]) {
    static FRESH: OnceLock<Machine> = OnceLock::new();
    let mut machine = FRESH.get_or_init(Machine::with_programs).clone();
    machine.run(vec!["bash".to_owned(), "-c".to_owned(), text(data).into_owned()]);
}

/// Command lines of kubectl, a word to a line, run against an API server; then the last word is
/// completed as by Tab.
pub fn kubectl(data: &[u8]) {
    static FRESH: OnceLock<Machine> = OnceLock::new();
    let mut machine = FRESH.get_or_init(Machine::with_kubectl).clone();
    let text = text(data);
    let words: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let call = |name: &str| [name.to_owned()].into_iter().chain(words.iter().cloned()).collect();
    assert!(machine.run(call("kubectl")), "Ctrl-C ends kubectl");
    machine.run(call("complete"));
}

/// An input of up to `count` of these words, some of which are damaged.
pub fn generate(rng: &mut naru_sim::Rng, words: &[&str], separator: &str, count: u64) -> String {
    let count = 1 + rng.below(count);
    let words: Vec<String> = (0..count).map(|_| damaged(rng, words)).collect();
    words.join(separator)
}

fn damaged(rng: &mut naru_sim::Rng, words: &[&str]) -> String {
    let mut pick = || {
        let at = usize::try_from(rng.below(words.len() as u64)).unwrap_or(0);
        words.get(at).copied().unwrap_or_default().to_owned()
    };
    let (word, other) = (pick(), pick());
    // Now and then something that nobody would type.
    match rng.below(12) {
        0 => word + &other,
        1 => word.chars().rev().collect(),
        2 => word.chars().take(2).collect(),
        _ => word,
    }
}
