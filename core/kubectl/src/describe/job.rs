//! `kubectl describe job` and `cronjob`

use super::events::Events;
use super::page::{Page, date, items, number, parse_time, text};
use super::{controller, podtemplate, tell};
use crate::podsfor::label_selector_text;
use serde_json::Value;

/// Bytes of the list of completed indexes before it is cut off at a comma.
const INDEXES_MAX: usize = 50;

pub(super) fn describe(page: &mut Page, job: &Value, events: Option<&Events>) {
    let (metadata, spec, status) = (&job["metadata"], &job["spec"], &job["status"]);
    page.field(0, "Name", text(&metadata["name"]));
    page.field(0, "Namespace", text(&metadata["namespace"]));
    page.field(0, "Selector", label_selector_text(&spec["selector"]));
    page.labels("Labels", &metadata["labels"]);
    page.annotations("Annotations", &metadata["annotations"]);
    if let Some(controller) = controller(job) {
        page.field(0, "Controlled By", controller);
    }
    given(page, "Parallelism", &spec["parallelism"]);
    page.field(0, "Completions", or_unset(&spec["completions"]));
    page.field_if(0, "Completion Mode", &spec["completionMode"]);
    if let Some(suspend) = spec["suspend"].as_bool() {
        page.field(0, "Suspend", suspend);
    }
    given(page, "Backoff Limit", &spec["backoffLimit"]);
    given(page, "TTL Seconds After Finished", &spec["ttlSecondsAfterFinished"]);
    let (start, end) = (parse_time(&status["startTime"]), parse_time(&status["completionTime"]));
    if start.is_some() {
        page.field(0, "Start Time", date(&status["startTime"]));
    }
    if end.is_some() {
        page.field(0, "Completed At", date(&status["completionTime"]));
    }
    if let (Some(start), Some(end)) = (start, end) {
        page.field(0, "Duration", naru_api::duration::human(end.since(start)));
    }
    if let Some(seconds) = spec["activeDeadlineSeconds"].as_i64() {
        page.field(0, "Active Deadline Seconds", format!("{seconds}s"));
    }
    let ready = match status["ready"].as_i64() {
        Some(ready) => format!(" ({ready} Ready)"),
        None => String::new(),
    };
    let (active, succeeded, failed) =
        (number(&status["active"]), number(&status["succeeded"]), number(&status["failed"]));
    page.field(
        0,
        "Pods Statuses",
        format!("{active} Active{ready} / {succeeded} Succeeded / {failed} Failed"),
    );
    if spec["completionMode"] == "Indexed" {
        page.field(0, "Completed Indexes", capped(text(&status["completedIndexes"])));
    }
    podtemplate::describe(page, &spec["template"]);
    tell(page, events);
}

fn given(page: &mut Page, title: &str, value: &Value) {
    if let Some(number) = value.as_i64() {
        page.field(0, title, number);
    }
}

fn or_unset(value: &Value) -> String {
    value.as_i64().map_or_else(|| "<unset>".to_owned(), |number| number.to_string())
}

/// Upstream: `capIndexesListOrNone`.
fn capped(indexes: &str) -> String {
    if indexes.is_empty() {
        return "<none>".to_owned();
    }
    let comma = indexes.get(INDEXES_MAX..).and_then(|rest| rest.find(','));
    match comma.and_then(|at| indexes.get(..=INDEXES_MAX + at)) {
        Some(shown) => format!("{shown}..."),
        None => indexes.to_owned(),
    }
}

pub(super) fn describe_cron(page: &mut Page, job: &Value, events: Option<&Events>) {
    let (spec, status) = (&job["spec"], &job["status"]);
    page.head(job);
    page.field(0, "Schedule", text(&spec["schedule"]));
    page.field(0, "Concurrency Policy", text(&spec["concurrencyPolicy"]));
    let suspend = match spec["suspend"].as_bool() {
        Some(true) => "True",
        Some(false) => "False",
        None => "<unset>",
    };
    page.field(0, "Suspend", suspend);
    for (title, field) in [
        ("Successful Job History Limit", "successfulJobsHistoryLimit"),
        ("Failed Job History Limit", "failedJobsHistoryLimit"),
    ] {
        page.field(0, title, or_unset(&spec[field]));
    }
    let deadline = match spec["startingDeadlineSeconds"].as_i64() {
        Some(seconds) => format!("{seconds}s"),
        None => "<unset>".to_owned(),
    };
    page.field(0, "Starting Deadline Seconds", deadline);
    let template = &spec["jobTemplate"]["spec"];
    let selector = match &template["selector"] {
        Value::Null => "<unset>".to_owned(),
        selector => label_selector_text(selector),
    };
    page.field(0, "Selector", selector);
    page.field(0, "Parallelism", or_unset(&template["parallelism"]));
    page.field(0, "Completions", or_unset(&template["completions"]));
    if let Some(seconds) = template["activeDeadlineSeconds"].as_i64() {
        page.field(0, "Active Deadline Seconds", format!("{seconds}s"));
    }
    podtemplate::describe(page, &template["template"]);
    let last = match parse_time(&status["lastScheduleTime"]) {
        Some(_) => date(&status["lastScheduleTime"]),
        None => "<unset>".to_owned(),
    };
    page.field(0, "Last Schedule Time", last);
    let active: Vec<&str> = items(&status["active"]).iter().map(|job| text(&job["name"])).collect();
    let active = if active.is_empty() { "<none>".to_owned() } else { active.join(", ") };
    page.field(0, "Active Jobs", active);
    tell(page, events);
}
