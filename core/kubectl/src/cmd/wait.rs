//! `kubectl wait`, and waiting for deletions to be done.

use super::common;
use crate::builder::Builder;
use crate::command::Command;
use crate::context::{Context, done};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::printers::Teller;
use crate::process::{Next, Outcome, Task};
use naru_api::gofmt::quote;
use naru_api::jsonpath::{JsonPath, relaxed, text_of};
use naru_api::request::ListOptions;
use naru_api::{KindRef, Object, WatchEventType, WatchId};
use naru_sim::Time;
use serde_json::Value;
use std::collections::VecDeque;
use std::time::Duration;

/// `kubectl wait`
pub static COMMAND: Command = Command {
    usage: "wait ([-f FILENAME] | resource.group/resource.name | resource.group [(-l label | \
            --all)]) [--for=create|--for=delete|--for condition=available|--for=jsonpath='{}'\
            [=value]]",
    short: "Experimental: Wait for a specific condition on one or many resources",
    long: "Experimental: Wait for a specific condition on one or many resources.\n\n What is waited \
           for is a condition of the object's status, a value that a JSONPath\n expression finds, \
           or that the object is there or is gone.",
    examples: "# Wait for a pod to be ready\nkubectl wait --for=condition=Ready pod/web\n\n\
               # Wait for a field to have a value\n\
               kubectl wait --for=jsonpath='{.status.phase}'=Running pod/web\n\n\
               # Wait for a pod to be gone, for at most a minute\n\
               kubectl wait --for=delete pod/web --timeout=60s",
    suggest_for: &["list", "ps"],
    flags: &[
        common::PRINT,
        common::SELECTOR,
        common::FIELD_SELECTOR,
        common::ALL_NAMESPACES,
        FLAGS,
    ],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::switch("all", "All objects of the types in the namespace."),
    Flag::slice("filename", "Files, folders or URLs that hold the objects; - is standard input.")
        .short("f"),
    Flag::text(
        "for",
        "",
        "What to wait for: create, delete, condition=NAME[=VALUE], jsonpath='{…}'[=VALUE].",
    ),
    Flag::switch("local", "Do not ask the API server."),
    Flag::switch_on("recursive", "Read the folders of -f with all folders in them.").short("R"),
    Flag::duration("timeout", "30s", "How long to wait; 0: look once; negative: a week."),
];

/// How long is forever.
const WEEK: Duration = Duration::from_secs(168 * 3600);
/// How often `--for=create` looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What is waited for.
#[derive(Clone, Debug)]
pub enum Condition {
    /// The object is gone.
    Deleted,
    /// A condition in the status has this value.
    Status {
        /// `Ready`
        name: String,
        /// `true`
        value: String,
    },
    /// A JSONPath finds this, or anything.
    Path(JsonPath, Option<String>),
}

/// An object that is waited for.
#[derive(Clone, Debug)]
pub struct Awaited {
    /// Its kind.
    pub kind: KindRef,
    /// Its namespace, or "".
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid, if another object of the name does not count.
    pub uid: Option<String>,
}

fn run(cx: &mut Context<'_>) -> Outcome {
    let mut teller = Teller::new(cx, "")?;
    let text = cx.flags().text("for");
    if text.eq_ignore_ascii_case("create") {
        let task = Creating { deadline: deadline(cx), next: cx.now() };
        return cx.start(task);
    }
    let condition = parse_condition(text)?;
    let forgiving = matches!(condition, Condition::Deleted);
    let selection = builder(cx)?.build(cx)?;
    let mut failures = Vec::new();
    let mut queue = VecDeque::new();
    for target in selection.targets {
        match target.and_then(|target| crate::builder::fetch(cx, &target)) {
            Ok(objects) => queue.extend(objects.iter().map(awaited)),
            Err(failure) if forgiving && failure.is_not_found() => {}
            Err(failure) => failures.push(failure),
        }
    }
    if queue.is_empty() {
        Failure::from_many(failures)?;
        if forgiving {
            return done();
        }
        return Err(Failure::message("no matching resources found"));
    }
    if teller.prints_object() {
        teller = Teller::new(cx, "")?;
    }
    let once = cx.flags().duration_ns("timeout") == 0;
    let deadline = deadline(cx);
    cx.start(Waiting {
        queue,
        condition,
        deadline,
        once,
        teller: Some(teller),
        watch: None,
        failures,
        stop_at_failure: false,
    })
}

fn builder(cx: &mut Context<'_>) -> Result<Builder> {
    let all = cx.flags().is("all");
    Builder::new(cx)?.select_all(all).types_or_names(cx, false, cx.args())
}

fn awaited(object: &Object) -> Awaited {
    Awaited {
        kind: object.kind(),
        namespace: object.namespace().to_owned(),
        name: object.name().to_owned(),
        uid: None,
    }
}

/// When `--timeout` is over.
pub fn deadline(cx: &Context<'_>) -> Time {
    let wait = u64::try_from(cx.flags().duration_ns("timeout")).map_or(WEEK, Duration::from_nanos);
    cx.now() + wait
}

fn parse_condition(text: &str) -> Result<Condition> {
    if text.eq_ignore_ascii_case("delete") {
        return Ok(Condition::Deleted);
    }
    if let Some(condition) = text.strip_prefix("condition=") {
        let (name, value) = condition.split_once('=').unwrap_or((condition, "true"));
        return Ok(Condition::Status { name: name.to_owned(), value: value.to_owned() });
    }
    if let Some(input) = text.strip_prefix("jsonpath=") {
        return parse_path(input);
    }
    Err(Failure::message(format!("unrecognized condition: {}", quote(text))))
}

fn parse_path(input: &str) -> Result<Condition> {
    let parts = split_single_equals(input);
    let (path, value) = match parts.as_slice() {
        [path] => (path, None),
        [path, value] => (path, Some(value.trim_matches(['\'', '"']).to_owned())),
        _ => {
            return Err(Failure::message(
                "jsonpath wait format must be --for=jsonpath='{.status.readyReplicas}'=3 or \
                 --for=jsonpath='{.status.readyReplicas}'",
            ));
        }
    };
    let path = relaxed(path).map_err(Failure::Message)?;
    if value.as_deref() == Some("") {
        return Err(Failure::message(
            "jsonpath wait has to have a value after equal sign, like \
             --for=jsonpath='{.status.readyReplicas}'=3",
        ));
    }
    if path.is_empty() {
        return Err(Failure::message("jsonpath expression cannot be empty"));
    }
    Ok(Condition::Path(JsonPath::parse(&path, true).map_err(Failure::Message)?, value))
}

/// Splits at `=`, but not at `==`.
fn split_single_equals(input: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = input.chars().peekable();
    while let Some(c) = chars.next() {
        let doubled = c == '=' && chars.next_if_eq(&'=').is_some();
        if c == '=' && !doubled {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
            part.extend(doubled.then_some('='));
        }
    }
    parts
}

impl Condition {
    /// Whether the object, as it is now, fulfils it.
    fn is_met(&self, object: &Value) -> Result<bool> {
        match self {
            Condition::Deleted => Ok(false),
            Condition::Status { name, value } => Ok(status_is(object, name, value)),
            Condition::Path(path, value) => {
                let found = path.find_first(object).map_err(Failure::Message)?;
                match (found.as_slice(), value) {
                    ([], _) => Ok(false),
                    (_, None) => Ok(true),
                    ([Value::Array(_) | Value::Object(_)], Some(_)) => Err(Failure::message(
                        "jsonpath leads to a nested object or list which is not supported",
                    )),
                    ([one], Some(value)) => Ok(text_of(one) == *value),
                    _ => Err(Failure::message(
                        "given jsonpath expression matches more than one value",
                    )),
                }
            }
        }
    }
}

fn status_is(object: &Value, name: &str, value: &str) -> bool {
    let generation = object["metadata"]["generation"].as_i64();
    let observed = |holder: &Value| holder["observedGeneration"].as_i64();
    let stale =
        |holder: &Value| matches!((observed(holder), generation), (Some(o), Some(g)) if o < g);
    let Some(conditions) = object["status"]["conditions"].as_array() else { return false };
    let Some(condition) = conditions.iter().find(|condition| {
        condition["type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case(name))
    }) else {
        return false;
    };
    let old =
        if observed(condition).is_some() { stale(condition) } else { stale(&object["status"]) };
    !old && condition["status"].as_str().is_some_and(|status| status.eq_ignore_ascii_case(value))
}

/// Waits for one object after the other.
#[derive(Clone, Debug)]
pub struct Waiting {
    queue: VecDeque<Awaited>,
    condition: Condition,
    deadline: Time,
    once: bool,
    teller: Option<Teller>,
    watch: Option<WatchId>,
    failures: Vec<Failure>,
    stop_at_failure: bool,
}

impl Waiting {
    /// Until these are gone, quietly.
    pub fn for_deletion(queue: VecDeque<Awaited>, deadline: Time) -> Self {
        Waiting {
            queue,
            condition: Condition::Deleted,
            deadline,
            once: false,
            teller: None,
            watch: None,
            failures: Vec::new(),
            stop_at_failure: true,
        }
    }

    /// Starts to watch the object: `Some` when that is not needed any more.
    fn look(&mut self, cx: &mut Context<'_>, awaited: &Awaited) -> Result<Option<Object>> {
        let Awaited { kind, namespace, name, uid } = awaited;
        let field_selector = format!("metadata.name={name}");
        let options = ListOptions { field_selector, ..ListOptions::default() };
        let list = cx.list(kind, namespace, &options)?;
        let Some(object) = list.items.into_iter().next() else {
            return match self.condition {
                Condition::Deleted => Ok(Some(placeholder(awaited))),
                _ => Err(Failure::Api(naru_api::ApiError::not_found(kind, name))),
            };
        };
        let replaced = uid.as_deref().is_some_and(|uid| uid != object.uid());
        let met = match self.condition {
            Condition::Deleted => replaced,
            _ => self.condition.is_met(&object.to_json().unwrap_or_default())?,
        };
        if met {
            return Ok(Some(object));
        }
        if self.once {
            let resource = format!("{}/{name}", kind.plural);
            return Err(Failure::message(format!("condition not met for {resource}")));
        }
        self.watch = Some(cx.watch(kind, namespace, options, Some(list.revision))?);
        Ok(None)
    }

    /// Takes what the watch tells: `Some` when the condition is met.
    fn follow(&mut self, cx: &mut Context<'_>, watch: WatchId) -> Result<Option<Object>> {
        let Ok(events) = cx.api()?.poll(watch) else {
            // The watch is too old: begin again.
            self.unwatch(cx);
            return Ok(None);
        };
        for event in events {
            let gone = event.kind == WatchEventType::Deleted;
            let met = match self.condition {
                Condition::Deleted => gone,
                _ => !gone && self.condition.is_met(&event.object.to_json().unwrap_or_default())?,
            };
            if met {
                return Ok(Some(event.object));
            }
        }
        Ok(None)
    }

    fn unwatch(&mut self, cx: &mut Context<'_>) {
        if let Some(watch) = self.watch.take() {
            cx.unwatch(watch);
        }
    }

    fn settle(&mut self, cx: &mut Context<'_>, result: Result<Object>) -> Result<()> {
        self.unwatch(cx);
        let Some(awaited) = self.queue.pop_front() else { return Ok(()) };
        match result {
            Ok(object) => match &mut self.teller {
                Some(teller) => {
                    let object = object.to_json().unwrap_or_default();
                    teller.tell(cx, &awaited.kind, object, "condition met")
                }
                None => Ok(()),
            },
            Err(failure) if self.stop_at_failure => Err(failure),
            Err(failure) => {
                self.failures.push(failure);
                Ok(())
            }
        }
    }
}

/// For an object that is gone already: its name is all there is to tell.
fn placeholder(awaited: &Awaited) -> Object {
    let mut object = Object::new(naru_api::k8s_openapi::api::core::v1::ConfigMap::default());
    object.meta_mut().name = Some(awaited.name.clone());
    object
}

impl Task for Waiting {
    fn poll(mut self: Box<Self>, cx: &mut Context<'_>) -> Outcome {
        while let Some(awaited) = self.queue.front().cloned() {
            let found = match self.watch {
                Some(watch) => self.follow(cx, watch),
                None => self.look(cx, &awaited),
            };
            match found {
                Ok(Some(object)) => self.settle(cx, Ok(object))?,
                Err(failure) => self.settle(cx, Err(failure))?,
                Ok(None) if cx.now() >= self.deadline => {
                    let text = format!(
                        "timed out waiting for the condition on {}/{}",
                        awaited.kind.plural, awaited.name
                    );
                    self.settle(cx, Err(Failure::message(text)))?;
                }
                Ok(None) if self.watch.is_none() => {}
                Ok(None) => {
                    let deadline = self.deadline;
                    return Ok(Next::Wait(self, Some(deadline)));
                }
            }
        }
        Failure::from_many(std::mem::take(&mut self.failures))?;
        done()
    }

    fn cancel(&mut self, cx: &mut Context<'_>) {
        self.unwatch(cx);
    }
}

/// `--for=create`: looks every half second.
#[derive(Clone, Debug)]
struct Creating {
    deadline: Time,
    next: Time,
}

impl Task for Creating {
    fn poll(mut self: Box<Self>, cx: &mut Context<'_>) -> Outcome {
        if cx.now() < self.next {
            let next = self.next;
            return Ok(Next::Wait(self, Some(next)));
        }
        let selection = builder(cx)?.build(cx)?;
        match selection.fetch_all(cx) {
            Ok(objects) if !objects.is_empty() => {
                let mut teller = Teller::new(cx, "")?;
                for object in objects {
                    let json = object.to_json().unwrap_or_default();
                    teller.tell(cx, &object.kind(), json, "condition met")?;
                }
                return done();
            }
            Err(failure) if !failure.is_not_found() => return Err(failure),
            _ => {}
        }
        if cx.now() >= self.deadline {
            return Err(Failure::message("timed out waiting for the condition"));
        }
        self.next = (cx.now() + LOOK_EVERY).min(self.deadline);
        let next = self.next;
        Ok(Next::Wait(self, Some(next)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected parts: the comment of upstream's splitJSONPathInput.
    #[test]
    fn splits_at_single_equal_signs() {
        assert_eq!(
            split_single_equals("a.b.c====d.e.f===g.h.i==="),
            ["a.b.c====d.e.f==", "g.h.i==", ""]
        );
    }

    #[test]
    fn conditions() {
        let object = serde_json::json!({
            "metadata": {"generation": 2},
            "status": {"observedGeneration": 1, "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True", "observedGeneration": 2}]}
        });
        for (text, expected) in [
            ("condition=ready", true),
            ("condition=Ready=False", false),
            ("condition=Other", false),
            ("jsonpath={.status.phase}=Running", true),
            ("jsonpath=.status.phase", true),
            ("jsonpath={.status.nothing}", false),
        ] {
            assert_eq!(parse_condition(text).unwrap().is_met(&object).unwrap(), expected, "{text}");
        }
        assert!(parse_condition("foo").is_err());
    }
}
