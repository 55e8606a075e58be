//! Authentication: who asks?
//!
//! Inside the cluster every client comes with its name, as if its certificate had been checked;
//! here a request without a name is refused.

use naru_api::{ApiError, UserInfo, status::ApiResult};

/// Refuses a request that nobody made.
pub(crate) fn authenticate(user: &UserInfo) -> ApiResult<()> {
    if user.name.is_empty() {
        return Err(ApiError::new(401, "Unauthorized", "Unauthorized"));
    }
    Ok(())
}
