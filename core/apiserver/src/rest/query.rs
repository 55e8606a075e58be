//! Query parameters: what they say and what is wrong with them.
//!
//! Upstream: `apimachinery/pkg/runtime/converter.go` and `pkg/conversion/queryparams` (how texts
//! become values), `pkg/apis/meta/v1/validation`, `pkg/apis/meta/internalversion/validation`.

use crate::list_options;
use crate::rest::http::unescape;
use naru_api::gofmt::quote;
use naru_api::request::{DeleteOptions, FieldValidation, ListOptions, Propagation};
use naru_api::{ApiError, FieldError, status::ApiResult, time};
use naru_sim::Time;
use std::time::Duration;

/// Parameters in one query that are read; what comes after is not looked at.
const PARAMETERS_MAX: usize = 1_000;
/// Upstream: `FieldManagerMaxLength`.
const FIELD_MANAGER_BYTES_MAX: usize = 128;

/// The parameters of a query.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query; as in Go's `url.ParseQuery`, what is not well formed is left out.
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).take(PARAMETERS_MAX);
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((unescape(name, true)?, unescape(value, true)?))
        };
        Query(pairs.filter_map(pair).collect())
    }

    /// The first value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first value, or "".
    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// Every value.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a flag is set: by anything but `0` and `false`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.optional_flag(name).unwrap_or(false)
    }

    /// The same, of a flag that may be missing.
    pub(crate) fn optional_flag(&self, name: &str) -> Option<bool> {
        let value = self.get(name)?;
        Some(!matches!(value.to_lowercase().as_str(), "0" | "false"))
    }

    /// A whole number, `None` when it is not there.
    pub(crate) fn integer(&self, name: &str) -> ApiResult<Option<i64>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let why = match text.parse() {
            Ok(number) => return Ok(Some(number)),
            Err(error) => match std::num::ParseIntError::kind(&error) {
                std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => {
                    "value out of range"
                }
                _ => "invalid syntax",
            },
        };
        let text = quote(text);
        Err(ApiError::bad_request(format!("strconv.ParseInt: parsing {text}: {why}")))
    }

    /// A moment in RFC 3339, `None` when it is not there or empty.
    ///
    /// Upstream: `Time.UnmarshalQueryParameter` in `apimachinery/pkg/apis/meta/v1/time.go`.
    pub(crate) fn time(&self, name: &str) -> ApiResult<Option<Time>> {
        let text = self.text(name);
        if matches!(text, "" | "null") {
            return Ok(None);
        }
        time::parse_rfc3339(text).map(Some).ok_or_else(|| {
            let text = quote(text);
            ApiError::bad_request(format!(
                "parsing time {text} as \"2006-01-02T15:04:05Z07:00\": cannot parse {text} as \
                 \"2006\""
            ))
        })
    }

    /// What a list or a watch selects. `watches`: which rules hold.
    pub(crate) fn list_options(&self, watches: bool) -> ApiResult<ListOptions> {
        let limit = self.integer("limit")?.unwrap_or(0);
        self.timeout()?;
        let options = ListOptions {
            label_selector: self.text("labelSelector").to_owned(),
            field_selector: self.text("fieldSelector").to_owned(),
            limit: u64::try_from(limit).unwrap_or(0),
            continue_token: self.text("continue").to_owned(),
            resource_version: self.text("resourceVersion").to_owned(),
            resource_version_match: self.text("resourceVersionMatch").to_owned(),
        };
        let initial_events = self.optional_flag("sendInitialEvents");
        if watches {
            list_options::validate_watch(&options, initial_events)?;
        } else {
            list_options::validate_list(&options, initial_events)?;
        }
        Ok(options)
    }

    /// After how long a watch ends by itself.
    pub(crate) fn timeout(&self) -> ApiResult<Option<Duration>> {
        let seconds =
            self.integer("timeoutSeconds")?.and_then(|seconds| u64::try_from(seconds).ok());
        Ok(seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs))
    }

    /// How to write: field manager, dry run, field validation. `what` is the name of the options
    /// in messages.
    pub(crate) fn write_options(
        &self,
        what: &'static str,
        patch: Patching,
    ) -> ApiResult<WriteOptions> {
        let manager = self.text("fieldManager");
        let force = self.optional_flag("force");
        let mut errors = Vec::new();
        match patch {
            Patching::Apply if manager.is_empty() => {
                errors.push(FieldError::required("fieldManager", "is required for apply patch"));
            }
            Patching::Other if force.is_some() => {
                let why = "may not be specified for non-apply patch";
                errors.push(FieldError::forbidden("force", why));
            }
            _ => {}
        }
        check_manager(manager, &mut errors);
        let dry_run: Vec<&str> = self.all("dryRun").collect();
        check_dry_run(&dry_run, &mut errors);
        let validation = self.text("fieldValidation");
        let field_validation = match validation {
            "" | "Warn" => FieldValidation::Warn,
            "Ignore" => FieldValidation::Ignore,
            "Strict" => FieldValidation::Strict,
            other => {
                let known = ["", "Ignore", "Strict", "Warn"];
                errors.push(FieldError::not_supported("fieldValidation", other, &known));
                FieldValidation::Warn
            }
        };
        refuse(what, errors)?;
        Ok(WriteOptions {
            field_manager: manager.to_owned(),
            dry_run: !dry_run.is_empty(),
            field_validation,
            force: force.unwrap_or(false),
        })
    }

    /// The options of a deletion without a body.
    pub(crate) fn deletion(&self) -> ApiResult<Deletion> {
        Ok(Deletion {
            grace_period_seconds: self.integer("gracePeriodSeconds")?,
            propagation_policy: self.get("propagationPolicy").map(str::to_owned),
            orphan_dependents: self.optional_flag("orphanDependents"),
            dry_run: self.all("dryRun").map(str::to_owned).collect(),
            uid: None,
            resource_version: None,
        })
    }
}

/// Which kind of write the options are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patching {
    /// A create or an update.
    None,
    /// Server-side apply.
    Apply,
    /// Another patch.
    Other,
}

/// Upstream: `CreateOptions`, `UpdateOptions`, `PatchOptions`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WriteOptions {
    pub field_manager: String,
    pub dry_run: bool,
    pub field_validation: FieldValidation,
    pub force: bool,
}

/// Upstream: `DeleteOptions`, not checked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deletion {
    pub grace_period_seconds: Option<i64>,
    pub propagation_policy: Option<String>,
    pub orphan_dependents: Option<bool>,
    pub dry_run: Vec<String>,
    pub uid: Option<String>,
    pub resource_version: Option<String>,
}

impl Deletion {
    /// The options, checked, and whether nothing is to be written.
    pub(crate) fn check(self) -> ApiResult<(DeleteOptions, bool)> {
        let mut errors = Vec::new();
        let policy = self.propagation_policy.as_deref();
        if let (Some(_), Some(policy)) = (self.orphan_dependents, policy) {
            let why = "orphanDependents and deletionPropagation cannot be both set";
            errors.push(FieldError::invalid("propagationPolicy", policy, why));
        }
        let propagation = match (policy, self.orphan_dependents) {
            (Some("Foreground"), _) => Some(Propagation::Foreground),
            (Some("Orphan"), _) | (None, Some(true)) => Some(Propagation::Orphan),
            (Some("Background"), _) | (None, Some(false)) => Some(Propagation::Background),
            (None, None) => None,
            (Some(other), _) => {
                let known = ["Background", "Foreground", "Orphan", "nil"];
                errors.push(FieldError::not_supported("propagationPolicy", other, &known));
                None
            }
        };
        let dry_run: Vec<&str> = self.dry_run.iter().map(String::as_str).collect();
        check_dry_run(&dry_run, &mut errors);
        refuse("DeleteOptions", errors)?;
        let options = DeleteOptions {
            grace_period_seconds: self.grace_period_seconds,
            propagation,
            uid: self.uid,
            resource_version: self.resource_version,
        };
        Ok((options, !self.dry_run.is_empty()))
    }
}

/// Refuses options with errors: `ListOptions.meta.k8s.io "" is invalid: …`.
fn refuse(what: &'static str, errors: Vec<FieldError>) -> ApiResult<()> {
    if errors.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid_options(what, &errors))
}

fn check_manager(manager: &str, errors: &mut Vec<FieldError>) {
    if manager.len() > FIELD_MANAGER_BYTES_MAX {
        errors.push(FieldError::too_long("fieldManager", FIELD_MANAGER_BYTES_MAX));
    }
    for (at, char) in manager.char_indices().filter(|(_, char)| char.is_control()) {
        let why = format!("invalid character U+{:04X} (at position {at})", u32::from(char));
        errors.push(FieldError::invalid("fieldManager", manager, &why));
    }
}

fn check_dry_run(values: &[&str], errors: &mut Vec<FieldError>) {
    if values.iter().any(|value| *value != "All") {
        let quoted: Vec<String> = values.iter().map(|value| quote(value)).collect();
        let shown = format!("[{}]", quoted.join(", "));
        errors.push(FieldError::not_supported_raw("dryRun", &shown, &["All"]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T: std::fmt::Debug>(result: ApiResult<T>) -> String {
        result.unwrap_err().message().to_owned()
    }

    #[test]
    fn flags_are_set_by_anything() {
        for (query, want) in [
            ("watch", true),
            ("watch=", true),
            ("watch=1", true),
            ("watch=true", true),
            ("watch=False", false),
            ("watch=0", false),
            ("", false),
        ] {
            assert_eq!(Query::parse(query).flag("watch"), want, "{query}");
        }
    }

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        assert_eq!(Query::parse("limit=-3").integer("limit"), Ok(Some(-3)));
        assert_eq!(Query::parse("").integer("limit"), Ok(None));
        let bad = Query::parse("limit=abc").integer("limit");
        assert_eq!(message(bad), "strconv.ParseInt: parsing \"abc\": invalid syntax");
        let bad = Query::parse("limit=99999999999999999999").integer("limit");
        assert!(message(bad).ends_with("value out of range"));
    }

    #[test]
    fn write_options() {
        let read = |query: &str, patch| Query::parse(query).write_options("PatchOptions", patch);
        let options = read("dryRun=All&fieldManager=me&fieldValidation=Strict", Patching::None);
        let want = WriteOptions {
            field_manager: "me".to_owned(),
            dry_run: true,
            field_validation: FieldValidation::Strict,
            force: false,
        };
        assert_eq!(options, Ok(want));
        assert_eq!(
            message(read("", Patching::Apply)),
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required \
             for apply patch"
        );
        assert_eq!(
            message(read("force=true", Patching::Other)),
            "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for \
             non-apply patch"
        );
        assert_eq!(
            message(read("dryRun=some", Patching::None)),
            "PatchOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: [\"some\"]: \
             supported values: \"All\""
        );
    }

    #[test]
    fn deletions() {
        let read = |query: &str| Query::parse(query).deletion().and_then(Deletion::check);
        let (options, dry_run) = read("propagationPolicy=Orphan&gracePeriodSeconds=3").unwrap();
        assert_eq!((options.propagation, dry_run), (Some(Propagation::Orphan), false));
        assert_eq!(options.grace_period_seconds, Some(3));
        assert!(message(read("propagationPolicy=x")).contains("Unsupported value: \"x\""));
        assert!(
            message(read("propagationPolicy=Orphan&orphanDependents=true"))
                .contains("cannot be both set")
        );
    }
}
