//! `kubectl explain`.
//!
//! Upstream: `k8s.io/kubectl/pkg/cmd/explain/explain.go`,
//! `k8s.io/kubectl/pkg/explain/v2/templates/plaintext.tmpl`.

use super::raw;
use crate::command::Command;
use crate::context::{Context, done};
use crate::explain::{Explanation, Request};
use crate::failure::{Failure, Result};
use crate::flags::Flag;
use crate::mapper;
use crate::process::{Next, Outcome, Task};
use naru_api::KindRef;
use naru_api::gofmt::quote;
use naru_sim::Time;
use std::time::Duration;

/// `kubectl explain`
pub static COMMAND: Command = Command {
    usage: "explain TYPE [--recursive=FALSE|TRUE] [--api-version=api-version-group] \
            [-o|--output=plaintext|plaintext-openapiv2]",
    short: "Get documentation for a resource",
    long: "Describe fields and structure of various resources.\n\n Fields are named by a simple \
           path:\n\n   <type>.<fieldName>[.<fieldName>]\n\n What is said of each field comes from \
           the server in OpenAPI format.\n\n Use \"kubectl api-resources\" for a complete list of \
           supported resources.",
    examples: "# A kind and its fields\nkubectl explain pods\n\n\
               # All fields below them too\nkubectl explain pods --recursive\n\n\
               # In another version\nkubectl explain deployments --api-version=apps/v1\n\n\
               # One field\nkubectl explain pods.spec.containers",
    flags: &[FLAGS],
    run,
    ..Command::EMPTY
};

const FLAGS: &[Flag] = &[
    Flag::text("api-version", "", "The group and version to explain: apps/v1."),
    Flag::text("output", "plaintext", "Format of the explanation: plaintext.").short("o"),
    Flag::switch("recursive", "Print the fields of fields too."),
];

/// How long is waited for a server that says it has no schemas yet, and how often it is asked.
const PATIENCE: Duration = Duration::from_secs(600);
const ASK_EVERY: Duration = Duration::from_millis(100);

fn run(cx: &mut Context<'_>) -> Outcome {
    let [argument] = cx.args() else {
        return Err(Failure::message(match cx.args() {
            [] => {
                "You must specify the type of resource to explain. Use \"kubectl api-resources\" \
                 for a complete list of supported resources.\n"
            }
            _ => "We accept only this format: explain RESOURCE\n",
        }));
    };
    let flags = cx.flags();
    let (mut kind, path) = what(cx, argument)?;
    let (group, version) = match flags.text("api-version").split_once('/') {
        Some((group, version)) => (group.to_owned(), version.to_owned()),
        None if !flags.text("api-version").is_empty() => {
            (String::new(), flags.text("api-version").to_owned())
        }
        None => (kind.group.to_string(), kind.version.to_string()),
    };
    let output = flags.text("output");
    if output == "plaintext-openapiv2" {
        let kind = quote(&format!("{group}/{version}, Kind={}", kind.kind));
        return Err(Failure::Message(format!("couldn't find resource for {kind}")));
    }
    let resource = format!("{group}/{version}, Resource={}", kind.plural);
    let kinds = cx.kinds()?;
    let served = |k: &&KindRef| *k.group == *group && *k.version == *version;
    if !kinds.iter().any(|k| served(&k)) {
        return Err(Failure::Message(format!("couldn't find resource for {}", quote(&resource))));
    }
    if output != "plaintext" {
        return Err(Failure::Message(format!("unrecognized format: {output}")));
    }
    match kinds.iter().filter(served).find(|k| k.plural == kind.plural) {
        Some(there) => kind = there.clone(),
        None => {
            let text = format!("error: GVR ({resource}) not found in OpenAPI schema");
            return Err(Failure::Message(text));
        }
    }
    let deadline = cx.now() + PATIENCE;
    cx.start(Explaining { kind, path, deadline, next: cx.now() })
}

/// The kind, and the path of fields below it.
///
/// Upstream: `SplitAndParseResourceRequestWithMatchingPrefix`.
fn what(cx: &mut Context<'_>, argument: &str) -> Result<(KindRef, Vec<String>)> {
    let argument = argument.strip_suffix('.').unwrap_or(argument);
    let (first, rest) = argument.split_once('.').unwrap_or((argument, ""));
    let kinds = cx.kinds()?;
    let fields = |path: &str| -> Vec<String> {
        path.split('.').filter(|field| !field.is_empty()).map(str::to_owned).collect()
    };
    // As upstream, what the mapper does not know is told without "error: ".
    let named =
        mapper::kind_for(&kinds, first).map_err(|failure| Failure::Plain(failure.bare(), 1))?;
    if cx.flags().text("api-version").is_empty() {
        let of_name = kinds.iter().filter(|kind| kind.plural == named.plural);
        for kind in of_name {
            let resource = kind.group_resource();
            let suffix = argument.strip_prefix(resource.as_str());
            if let Some(suffix) =
                suffix.filter(|suffix| suffix.is_empty() || suffix.starts_with('.'))
            {
                return Ok((kind.clone(), fields(suffix)));
            }
        }
    }
    Ok((named, fields(rest)))
}

/// Asks for the schemas until they are there.
#[derive(Clone, Debug)]
struct Explaining {
    kind: KindRef,
    path: Vec<String>,
    deadline: Time,
    next: Time,
}

impl Task for Explaining {
    fn poll(mut self: Box<Self>, cx: &mut Context<'_>) -> Outcome {
        if cx.now() < self.next {
            let next = Some(self.next);
            return Ok(Next::Wait(self, next));
        }
        let prefix = if self.kind.group.is_empty() { "api" } else { "apis" };
        let resource = format!("{prefix}/{}", self.kind.api_version());
        let answer = raw::read(cx, &format!("/openapi/v3/{resource}"));
        let answer = match answer {
            Err(Failure::Api(error)) if error.code() == 503 && cx.now() < self.deadline => {
                self.next = cx.now() + ASK_EVERY;
                let next = Some(self.next);
                return Ok(Next::Wait(self, next));
            }
            Err(failure) => {
                let why = failure.bare();
                let text = format!("failed to fetch openapi schema for {resource}: {why}");
                return Err(Failure::Message(text));
            }
            Ok(answer) => answer,
        };
        let document = serde_json::from_slice(&answer).map_err(|why| {
            Failure::Message(format!("failed to parse openapi schema for {resource}: {why}"))
        })?;
        let request =
            Request { kind: &self.kind, path: &self.path, recursive: cx.flags().is("recursive") };
        let text = Explanation::new(&document).of(&request);
        let text = text.map_err(|(shown, why)| Failure::Shown(shown, why))?;
        cx.out(&text);
        done()
    }
}
