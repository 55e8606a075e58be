//! What the router says when nothing at all is behind a path.
//!
//! Upstream: `NotFoundHandler` in `apiserver/pkg/util/notfoundhandler`.

use naru_api::ApiError;

/// Known by the front: it is told in plain text.
const PAGE: &str = "404 page not found";

/// There is no such path.
pub(crate) fn page() -> ApiError {
    ApiError::new(404, "NotFound", PAGE)
}

/// Whether an error is [`page`].
pub(crate) fn is_page(error: &ApiError) -> bool {
    error.code() == 404 && error.message() == PAGE
}
