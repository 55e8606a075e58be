//! What a path asks for.
//!
//! Upstream: `apiserver/pkg/endpoints/request/requestinfo.go`.

/// A path, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequestInfo {
    /// The whole path.
    pub path: String,
    /// Whether it names a resource; else only `path` and `verb` say something.
    pub is_resource: bool,
    /// `get`, `list`, `watch`, `create`, …; for other paths the method in lower case.
    pub verb: &'static str,
    /// API group; "" is the core group.
    pub group: String,
    /// `v1`.
    pub version: String,
    /// The namespace, or "".
    pub namespace: String,
    /// `pods`.
    pub resource: String,
    /// `log`, or "".
    pub subresource: String,
    /// The object's name, or "".
    pub name: String,
    /// What stands after a subresource: `proxy/here/and/there`.
    pub rest: String,
    /// Whether the path began with the old `watch/`.
    pub watch_prefix: bool,
}

/// A path that names no resource although it begins as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Undetermined;

impl RequestInfo {
    /// Takes an unescaped path apart. `watches` is what the query says.
    pub(crate) fn new(method: &str, path: &str, watches: bool) -> Result<Self, Undetermined> {
        let mut info = RequestInfo {
            path: path.to_owned(),
            verb: non_resource_verb(method),
            ..RequestInfo::default()
        };
        let trimmed = path.trim_matches('/');
        let parts: Vec<&str> = trimmed.split('/').collect();
        let mut parts = match parts.as_slice() {
            ["api", rest @ ..] if rest.len() >= 2 => rest,
            ["apis", group, rest @ ..] if rest.len() >= 2 => {
                info.group = (*group).to_owned();
                rest
            }
            _ => return Ok(info),
        };
        info.is_resource = true;
        if let [version, rest @ ..] = parts {
            info.version = (*version).to_owned();
            parts = rest;
        }
        info.verb = resource_verb(method);
        if let ["watch" | "proxy", rest @ ..] = parts {
            if rest.is_empty() {
                return Err(Undetermined);
            }
            info.watch_prefix = parts.first() == Some(&"watch");
            info.verb = if info.watch_prefix { "watch" } else { "proxy" };
            parts = rest;
        }
        if let ["namespaces", namespace, rest @ ..] = parts {
            info.namespace = (*namespace).to_owned();
            if rest.first().is_some_and(|next| !matches!(*next, "status" | "finalize")) {
                parts = rest;
            }
        }
        info.take_parts(parts);
        if info.name.is_empty() && info.verb == "get" {
            info.verb = if watches { "watch" } else { "list" };
        }
        if info.name.is_empty() && info.verb == "delete" {
            info.verb = "deletecollection";
        }
        Ok(info)
    }

    fn take_parts(&mut self, parts: &[&str]) {
        let mut parts = parts.iter();
        let mut next = || parts.next().map(|part| (*part).to_owned()).unwrap_or_default();
        self.resource = next();
        self.name = next();
        self.subresource = next();
        self.rest = parts.copied().collect::<Vec<_>>().join("/");
    }
}

fn resource_verb(method: &str) -> &'static str {
    match method {
        "POST" => "create",
        "GET" | "HEAD" => "get",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => "",
    }
}

fn non_resource_verb(method: &str) -> &'static str {
    match method {
        "GET" => "get",
        "HEAD" => "head",
        "POST" => "post",
        "PUT" => "put",
        "PATCH" => "patch",
        "DELETE" => "delete",
        "OPTIONS" => "options",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// verb, group/version, namespace, resource/subresource, name
    fn seen(method: &str, path: &str, watches: bool) -> String {
        let Ok(info) = RequestInfo::new(method, path, watches) else {
            return "undetermined".to_owned();
        };
        if !info.is_resource {
            return info.verb.to_owned();
        }
        let RequestInfo {
            verb, group, version, namespace, resource, subresource, name, rest, ..
        } = info;
        format!("{verb} {group}/{version} {namespace} {resource}/{subresource} {name} {rest}")
            .trim_end()
            .to_owned()
    }

    #[test]
    fn paths() {
        let table = [
            ("GET", "/", false, "get"),
            ("GET", "/api/v1", false, "get"),
            ("GET", "/apis/apps/v1", false, "get"),
            ("GET", "/healthz/ping/x", false, "get"),
            ("GET", "/api/v1/pods", false, "list /v1  pods/"),
            ("GET", "/api/v1/pods", true, "watch /v1  pods/"),
            ("POST", "/api/v1/namespaces/a/pods", false, "create /v1 a pods/"),
            ("GET", "/api/v1/namespaces/a/pods/b", false, "get /v1 a pods/ b"),
            ("GET", "/api/v1/namespaces/a/pods/b/log", false, "get /v1 a pods/log b"),
            ("GET", "/api/v1/namespaces", false, "list /v1  namespaces/"),
            ("GET", "/api/v1/namespaces/a", false, "get /v1 a namespaces/ a"),
            ("PUT", "/api/v1/namespaces/a/finalize", false, "update /v1 a namespaces/finalize a"),
            ("GET", "/api/v1/nodes/a/proxy/b/c", false, "get /v1  nodes/proxy a b/c"),
            (
                "DELETE",
                "/apis/apps/v1/deployments",
                false,
                "deletecollection apps/v1  deployments/",
            ),
            (
                "DELETE",
                "/apis/apps/v1/namespaces/a/deployments/b",
                false,
                "delete apps/v1 a deployments/ b",
            ),
            ("GET", "/api/v1/watch/namespaces/a/pods", false, "watch /v1 a pods/"),
            ("GET", "/api/v1/watch", false, "undetermined"),
            ("TRACE", "/api/v1/pods", false, " /v1  pods/"),
        ];
        for (method, path, watches, want) in table {
            assert_eq!(seen(method, path, watches), want, "{method} {path}");
        }
    }
}
