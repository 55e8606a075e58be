//! One request, with what was found out about it.

use crate::rest::http::HttpRequest;
use crate::rest::info::RequestInfo;
use crate::rest::media::{self, Convertible, Form};
use crate::rest::query::Query;
use naru_api::{UserInfo, status::ApiResult};
use std::sync::Arc;

/// Bytes of a program's name that are kept.
const AGENT_BYTES_MAX: usize = 128;

/// A request on its way through the chain.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    pub http: &'a HttpRequest,
    pub info: RequestInfo,
    pub query: Query,
    pub user: UserInfo,
    /// The client's program.
    pub agent: Arc<str>,
}

impl Exchange<'_> {
    /// In which form the client wants its answer.
    pub(crate) fn form(&self, convertible: Convertible) -> ApiResult<Form> {
        let accepts: Vec<&str> = self.http.header_values("accept").collect();
        let mut form = media::negotiate(&accepts.join(","), convertible)?;
        form.pretty |= self.is_for_people();
        Ok(form)
    }

    /// Whether a person reads the answer. Upstream: `isPrettyPrint`.
    fn is_for_people(&self) -> bool {
        if let Some(pretty) = self.query.get("pretty").filter(|pretty| !pretty.is_empty()) {
            return matches!(pretty, "1" | "t" | "T" | "true" | "TRUE" | "True");
        }
        let agent = self.http.header("user-agent");
        ["curl", "Wget", "Mozilla/5.0"].iter().any(|program| agent.starts_with(program))
    }
}

/// The program of a `User-Agent`: what stands before its version.
///
/// Upstream: `prefixFromUserAgent` in `apiserver/pkg/endpoints/handlers/create.go`.
pub(crate) fn program(user_agent: &str) -> Arc<str> {
    let name = user_agent.split('/').next().unwrap_or_default();
    let mut kept = String::new();
    for char in name.chars().filter(|char| !char.is_control()) {
        if kept.len() + char.len_utf8() > AGENT_BYTES_MAX {
            break;
        }
        kept.push(char);
    }
    kept.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs() {
        assert_eq!(&*program("kubectl/v1.33.4 (linux/amd64) kubernetes/abc"), "kubectl");
        assert_eq!(&*program("kubectl-client-side-apply"), "kubectl-client-side-apply");
        assert_eq!(program(&"x".repeat(1_000)).len(), AGENT_BYTES_MAX);
    }
}
