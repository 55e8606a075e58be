//! What the options of a list, a watch or a get ask for, and which of them contradict each other.
//!
//! Upstream: `apimachinery/pkg/apis/meta/internalversion/validation`, `defaults.go` beside it,
//! `ValidateListOptions` in `apiserver/pkg/storage/interfaces.go`, and
//! `apiserver/pkg/storage/cacher/delegator.go`.

use crate::continue_token::ContinueToken;
use crate::store::{KeyRange, StoreError};
use naru_api::request::ListOptions;
use naru_api::service::WatchRequest;
use naru_api::{ApiError, FieldError, status::ApiResult};

const EXACT: &str = "Exact";
const NOT_OLDER_THAN: &str = "NotOlderThan";
/// Seconds after which a client that asked for a version of the future may ask again.
/// Upstream: `resourceVersionTooHighRetrySeconds`.
const RETRY_SECONDS: i32 = 1;

/// Refuses options of a list that contradict each other.
pub fn validate_list(options: &ListOptions, send_initial_events: Option<bool>) -> ApiResult<()> {
    const MATCH: &str = "resourceVersionMatch";
    let mut errors = Vec::new();
    let matching = options.resource_version_match.as_str();
    if !matching.is_empty() {
        if options.resource_version.is_empty() {
            let detail = "resourceVersionMatch is forbidden unless resourceVersion is provided";
            errors.push(FieldError::forbidden(MATCH, detail));
        }
        if !options.continue_token.is_empty() {
            let detail = "resourceVersionMatch is forbidden when continue is provided";
            errors.push(FieldError::forbidden(MATCH, detail));
        }
        if !matches!(matching, EXACT | NOT_OLDER_THAN) {
            errors.push(FieldError::not_supported(MATCH, matching, &[EXACT, NOT_OLDER_THAN, ""]));
        }
        if matching == EXACT && options.resource_version == "0" {
            let detail = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            errors.push(FieldError::forbidden(MATCH, detail));
        }
    }
    if send_initial_events.is_some() {
        let detail = "sendInitialEvents is forbidden for list";
        errors.push(FieldError::forbidden("sendInitialEvents", detail));
    }
    refuse(&errors)
}

/// Refuses options of a watch that contradict each other. The feature gate `WatchList` is on.
pub fn validate_watch(options: &ListOptions, send_initial_events: Option<bool>) -> ApiResult<()> {
    const MATCH: &str = "resourceVersionMatch";
    let mut errors = Vec::new();
    let matching = options.resource_version_match.as_str();
    if send_initial_events.is_some() && matching != NOT_OLDER_THAN {
        let detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        errors.push(FieldError::forbidden(MATCH, detail));
    }
    if !matching.is_empty() {
        if send_initial_events.is_none() {
            let detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is \
                          provided";
            errors.push(FieldError::forbidden(MATCH, detail));
        }
        if matching != NOT_OLDER_THAN {
            errors.push(FieldError::not_supported(MATCH, matching, &[NOT_OLDER_THAN]));
        }
        if !options.continue_token.is_empty() {
            let detail = "resourceVersionMatch is forbidden when continue is provided";
            errors.push(FieldError::forbidden(MATCH, detail));
        }
    }
    refuse(&errors)
}

fn refuse(errors: &[FieldError]) -> ApiResult<()> {
    if errors.is_empty() { Ok(()) } else { Err(ApiError::invalid_options("ListOptions", errors)) }
}

/// Where a watch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WatchStart {
    /// With all that is there now.
    Now,
    /// With all that is there as soon as this revision has come.
    NotBefore(u64),
    /// After a revision.
    After(u64),
}

/// Where a watch begins.
pub(crate) fn watch_start(request: &WatchRequest) -> Result<WatchStart, FieldError> {
    let from = match request.from {
        Some(from) => from,
        None => parse_version(&request.options.resource_version)?,
    };
    Ok(match (from, request.initial_events) {
        (0, _) => WatchStart::Now,
        (from, true) => WatchStart::NotBefore(from),
        (from, false) => WatchStart::After(from),
    })
}

/// Which part of a list is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// The keys of the part.
    pub(crate) range: KeyRange,
    /// As they were then; 0 is now.
    pub(crate) revision: u64,
    /// Objects in it at most; 0: all.
    pub(crate) limit: usize,
}

impl Page {
    /// The part that options ask for, of the keys that begin with `prefix`. `current` is the
    /// store's revision.
    pub(crate) fn of(options: &ListOptions, prefix: &str, current: u64) -> ApiResult<Page> {
        let range = KeyRange::prefix(prefix);
        let limit = usize::try_from(options.limit).unwrap_or(usize::MAX);
        let version = &options.resource_version;
        if !options.continue_token.is_empty() {
            let token = ContinueToken::decode(&options.continue_token, prefix)
                .map_err(|why| ApiError::bad_request(format!("invalid continue token: {why}")))?;
            if !matches!(version.as_str(), "" | "0") {
                let why = "specifying resource version is not allowed when using continue";
                return Err(ApiError::bad_request(why));
            }
            let range = range.starting_at(token.start);
            return Ok(Page { range, revision: token.revision.unwrap_or(0), limit });
        }
        let revision = list_revision(options, current)?;
        // What may be of any age comes from a cache, which gives all at once.
        let limit = if version == "0" { 0 } else { limit };
        Ok(Page { range, revision, limit })
    }
}

/// At which revision a list is to be read; 0 is now.
pub(crate) fn list_revision(options: &ListOptions, current: u64) -> ApiResult<u64> {
    let wanted = parse_version(&options.resource_version).map_err(|error| {
        let FieldError { field, message, .. } = error;
        ApiError::bad_request(format!("invalid resource version: {field}: {message}"))
    })?;
    match options.resource_version_match.as_str() {
        EXACT => Ok(wanted),
        "" if options.limit > 0 => Ok(wanted),
        _ => not_older_than(wanted, current).map(|()| 0),
    }
}

/// Refuses to read at a revision that has not come. Upstream waits three seconds for it first.
pub(crate) fn not_older_than(wanted: u64, current: u64) -> ApiResult<()> {
    if wanted <= current {
        return Ok(());
    }
    Err(ApiError::too_large_resource_version(wanted, current, RETRY_SECONDS))
}

/// A resourceVersion as a revision; "" is 0.
pub(crate) fn parse_version(text: &str) -> Result<u64, FieldError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let problem = match text.parse() {
        _ if text.is_empty() => return Ok(0),
        Ok(version) if digits => return Ok(version),
        Err(_) if digits => "value out of range",
        _ => "invalid syntax",
    };
    let quoted = naru_api::gofmt::quote(text);
    let detail = format!("strconv.ParseUint: parsing {quoted}: {problem}");
    Err(FieldError::invalid("resourceVersion", text, &detail))
}

/// Why a list could not be read at a revision.
pub(crate) fn list_error(error: StoreError) -> ApiError {
    match error {
        StoreError::Compacted => {
            ApiError::expired("The resourceVersion for the provided list is too old.")
        }
        // Upstream passes on what etcd says.
        other => ApiError::new(500, "", other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(version: &str, matching: &str, limit: u64, token: &str) -> ListOptions {
        ListOptions {
            resource_version: version.to_owned(),
            resource_version_match: matching.to_owned(),
            limit,
            continue_token: token.to_owned(),
            ..ListOptions::default()
        }
    }

    #[test]
    fn contradictions_are_told_as_upstream_tells_them() {
        const LIST: &str = "ListOptions.meta.k8s.io \"\" is invalid: ";
        let table = [
            (
                options("", "Exact", 0, ""),
                None,
                "resourceVersionMatch: Forbidden: \
              resourceVersionMatch is forbidden unless resourceVersion is provided",
            ),
            (
                options("0", "Exact", 0, ""),
                None,
                "resourceVersionMatch: Forbidden: \
              resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            ),
            (
                options("1", "exact", 0, ""),
                None,
                "resourceVersionMatch: Unsupported value: \
              \"exact\": supported values: \"Exact\", \"NotOlderThan\", \"\"",
            ),
            (
                options("1", "NotOlderThan", 0, "x"),
                None,
                "resourceVersionMatch: Forbidden: \
              resourceVersionMatch is forbidden when continue is provided",
            ),
            (
                options("", "", 0, ""),
                Some(true),
                "sendInitialEvents: Forbidden: \
              sendInitialEvents is forbidden for list",
            ),
        ];
        for (options, send, text) in table {
            let error = validate_list(&options, send).unwrap_err();
            assert_eq!((error.code(), error.message()), (422, &*format!("{LIST}{text}")));
        }
        let table = [
            (
                options("", "", 0, ""),
                Some(false),
                "resourceVersionMatch: Forbidden: \
              sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            ),
            (
                options("", "NotOlderThan", 0, ""),
                None,
                "resourceVersionMatch: Forbidden: \
              resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ),
            (
                options("1", "Exact", 0, ""),
                Some(true),
                "[resourceVersionMatch: Forbidden: \
              sendInitialEvents requires setting resourceVersionMatch to NotOlderThan, \
              resourceVersionMatch: Unsupported value: \"Exact\": supported values: \
              \"NotOlderThan\"]",
            ),
        ];
        for (options, send, text) in table {
            let error = validate_watch(&options, send).unwrap_err();
            assert_eq!((error.code(), error.message()), (422, &*format!("{LIST}{text}")));
        }
        assert!(validate_watch(&options("", "NotOlderThan", 0, ""), Some(true)).is_ok());
        assert!(validate_list(&options("5", "NotOlderThan", 3, ""), None).is_ok());
    }

    #[test]
    fn versions_are_what_go_reads() {
        assert_eq!(parse_version(""), Ok(0));
        assert_eq!(parse_version("18446744073709551615"), Ok(u64::MAX));
        let table = [
            ("abc", "Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax"),
            ("+1", "Invalid value: \"+1\": strconv.ParseUint: parsing \"+1\": invalid syntax"),
            (
                "18446744073709551616",
                "Invalid value: \"18446744073709551616\": strconv.ParseUint: parsing \
                 \"18446744073709551616\": value out of range",
            ),
        ];
        for (text, message) in table {
            assert_eq!(parse_version(text).unwrap_err().message, message);
        }
    }

    #[test]
    fn which_revision_a_list_is_read_at() {
        let table = [
            (options("", "", 0, ""), Ok(0)),
            (options("0", "", 5, ""), Ok(0)),
            (options("7", "", 0, ""), Ok(0)),
            (options("7", "", 5, ""), Ok(7)),
            (options("7", "NotOlderThan", 5, ""), Ok(0)),
            (options("7", "Exact", 0, ""), Ok(7)),
            (options("11", "", 0, ""), Err(504)),
            (options("x", "", 0, ""), Err(400)),
        ];
        for (options, wanted) in table {
            let found = list_revision(&options, 10).map_err(|error| error.code());
            assert_eq!(found, wanted, "{options:?}");
        }
        let error = not_older_than(11, 10).unwrap_err();
        assert_eq!(error.message(), "Timeout: Too large resource version: 11, current: 10");
    }
}
