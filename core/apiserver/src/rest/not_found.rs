//! What the router says when nothing at all is behind a path.
//!
//! Upstream: `NotFoundHandler` in `apiserver/pkg/util/notfoundhandler`.

use naru_api::ApiError;

/// Known by the front: it is told in plain text.
const PAGE: &str = "404 page not found";

/// The same of what is elsewhere.
const UNAVAILABLE: &str = "service unavailable";

/// There is no such path.
pub(crate) fn page() -> ApiError {
    ApiError::new(404, "NotFound", PAGE)
}

/// The server that should answer for a group does not.
///
/// Upstream: `proxyError` in `kube-aggregator/pkg/apiserver/handler_proxy.go`.
pub(crate) fn unavailable() -> ApiError {
    ApiError::new(503, "ServiceUnavailable", UNAVAILABLE)
}

/// Whether an error is [`page`] or [`unavailable`].
pub(crate) fn is_page(error: &ApiError) -> bool {
    matches!((error.code(), error.message()), (404, PAGE) | (503, UNAVAILABLE))
}
