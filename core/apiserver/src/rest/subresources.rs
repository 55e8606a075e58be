//! Subresources as discovery tells them.
//!
//! Upstream: `registerResourceHandlers` in `apiserver/pkg/endpoints/installer.go`.

use crate::subresource;
use naru_api::Kind;

/// What discovery tells of a subresource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subresource {
    /// Its name: `scale`.
    pub name: &'static str,
    /// Its kind, where that is another than its resource's: `(group, version, kind)`.
    pub kind: Option<(&'static str, &'static str, &'static str)>,
}

impl Subresource {
    fn new(kind: &Kind, name: &'static str) -> Self {
        let of = match (&*kind.plural, name) {
            (_, "scale") => Some(("autoscaling", "v1", "Scale")),
            (_, "binding") => Some(("", "v1", "Binding")),
            (_, "eviction") => Some(("policy", "v1", "Eviction")),
            (_, "token") => Some(("authentication.k8s.io", "v1", "TokenRequest")),
            (_, "exec") => Some(("", "v1", "PodExecOptions")),
            (_, "attach") => Some(("", "v1", "PodAttachOptions")),
            (_, "portforward") => Some(("", "v1", "PodPortForwardOptions")),
            ("pods", "proxy") => Some(("", "v1", "PodProxyOptions")),
            ("services", "proxy") => Some(("", "v1", "ServiceProxyOptions")),
            ("nodes", "proxy") => Some(("", "v1", "NodeProxyOptions")),
            _ => None,
        };
        Subresource { name, kind: of }
    }

    /// What can be done with it.
    pub(crate) fn verbs(self) -> &'static [&'static str] {
        subresource::verbs(self.name)
    }
}

/// The subresource of this name, if the kind has it.
pub(crate) fn find(kind: &Kind, name: &str) -> Option<Subresource> {
    let found = kind.subresources.iter().find(|known| **known == name);
    found.map(|name| Subresource::new(kind, name))
}

/// All subresources of a kind, in the order of their names.
pub(crate) fn of(kind: &Kind) -> Vec<Subresource> {
    let mut names: Vec<&'static str> = kind.subresources.to_vec();
    names.sort_unstable();
    names.into_iter().map(|name| Subresource::new(kind, name)).collect()
}
