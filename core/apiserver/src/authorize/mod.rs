//! Authorization: may they?
//!
//! Authorizers are asked in order, and the first that allows decides: members of
//! `system:masters`, then `Node`, then `RBAC`. No opinion of any of them is a refusal.
//!
//! Upstream: `apiserver/pkg/authorization`, `pkg/kubeapiserver/authorizer`,
//! `apiserver/pkg/endpoints/handlers/responsewriters/errors.go`.

mod covers;
mod escalation;
mod node;
mod permission;
mod policy;
mod rbac;
mod references;
mod rules;

pub use permission::{Permission, PermissionFor};
pub(crate) use rbac::aggregate;

use crate::ApiServer;
use crate::store::{Change, Store};
use naru_api::request::ListOptions;
use naru_api::{ApiError, Kind, Object, Op, Request, UserInfo, fields, gofmt, status::ApiResult};
use node::NodeGraph;
use rbac::{Rbac, RulesFor};
use std::sync::Arc;

/// Its members may do anything, whatever the roles say.
pub(crate) const MASTERS: &str = "system:masters";

/// How the API server decides: the flag `--authorization-mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthorizationMode {
    /// Everybody but `system:anonymous` may do everything.
    #[default]
    AlwaysAllow,
    /// `Node,RBAC`, as kubeadm sets it.
    NodeRbac,
}

/// What is asked for, and by whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes<'a> {
    pub(crate) user: &'a UserInfo,
    pub(crate) verb: &'a str,
    pub(crate) target: Target<'a>,
}

/// What a request is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target<'a> {
    /// Something that is, or could be, of a kind.
    Resource(Resource<'a>),
    /// Anything else: `/healthz`.
    Path(&'a str),
}

/// A resource, as RBAC names it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Resource<'a> {
    pub(crate) group: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) subresource: &'a str,
    /// "" is all namespaces, or none.
    pub(crate) namespace: &'a str,
    /// "" is all names, or none yet.
    pub(crate) name: &'a str,
    /// Of a list or a watch.
    pub(crate) field_selector: &'a str,
}

impl<'a> Resource<'a> {
    pub(crate) fn of(kind: &'a Kind, namespace: &'a str, name: &'a str) -> Self {
        Resource {
            group: &kind.group,
            resource: &kind.plural,
            namespace,
            name,
            ..Resource::default()
        }
    }

    pub(crate) fn subresource(self, subresource: &'a str) -> Self {
        Resource { subresource, ..self }
    }
}

/// What an authorizer says.
#[derive(Debug)]
pub(crate) enum Decision<'a> {
    /// Yes.
    Allow(Grant<'a>),
    /// It does not know of a reason to allow it; why, as far as there is something to say.
    NoOpinion(String),
}

/// Why something is allowed; written out only when somebody asks.
#[derive(Debug)]
pub(crate) enum Grant<'a> {
    /// Nothing to tell.
    Plain,
    /// By a binding, for the sake of its subject of this index.
    Binding(&'a Object, usize),
}

impl Grant<'_> {
    /// `RBAC: allowed by ClusterRoleBinding "x" of ClusterRole "y" to User "z"`.
    pub(crate) fn reason(&self) -> String {
        match self {
            Grant::Plain => String::new(),
            Grant::Binding(binding, subject) => rbac::describe(binding, *subject),
        }
    }
}

/// All authorizers and what they know: a value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Authorizer {
    mode: AuthorizationMode,
    /// Shared by snapshots until it changes.
    rbac: Arc<Rbac>,
    nodes: NodeGraph,
}

impl Authorizer {
    /// Learns from a committed change.
    pub(crate) fn observe(&mut self, change: &Change) {
        self.nodes.observe(change);
        if rbac::concerns(change) {
            Arc::make_mut(&mut self.rbac).observe(change);
        }
    }

    /// Asks the authorizers.
    pub(crate) fn authorize(&self, attributes: &Attributes<'_>, store: &dyn Store) -> Decision<'_> {
        if self.mode == AuthorizationMode::AlwaysAllow {
            return match &*attributes.user.name {
                "system:anonymous" => Decision::NoOpinion(String::new()),
                _ => Decision::Allow(Grant::Plain),
            };
        }
        if is_privileged(attributes.user) {
            return Decision::Allow(Grant::Plain);
        }
        let node_reason = match self.nodes.authorize(attributes, store) {
            Decision::NoOpinion(reason) => reason,
            allow => return allow,
        };
        match self.rbac.authorize(attributes) {
            Decision::NoOpinion(reason) if !node_reason.is_empty() => {
                let reasons = [node_reason, reason];
                let said = reasons.iter().filter(|reason| !reason.is_empty());
                Decision::NoOpinion(said.map(String::as_str).collect::<Vec<_>>().join("\n"))
            }
            decision => decision,
        }
    }

    /// All rules that apply to a user in a namespace, and why these may not be all.
    pub(crate) fn rules_for(
        &self,
        user: &UserInfo,
        namespace: &str,
    ) -> (RulesFor<'_>, Option<&'static str>) {
        let unknown =
            node::is_node(user).then_some("node authorizer does not support user rule resolution");
        (self.rbac.rules_for(user, namespace), unknown)
    }
}

/// Whether the user is above all rules.
pub(crate) fn is_privileged(user: &UserInfo) -> bool {
    user.groups.iter().any(|group| &**group == MASTERS)
}

impl ApiServer {
    /// Sets how requests are authorized: `--authorization-mode`.
    pub fn set_authorization_mode(&mut self, mode: AuthorizationMode) {
        self.authorizer.mode = mode;
        self.change_rules();
    }

    /// Makes the roles and bindings of a text in the format of `assets/rbac`, as they are not
    /// there yet.
    pub fn install_policy(&mut self, text: &str) -> ApiResult<()> {
        policy::parse(text, None).map_err(ApiError::internal).and_then(|all| self.ensure(all))
    }

    /// Makes the roles and bindings that upstream's API server makes when it starts.
    pub fn install_bootstrap_policy(&mut self) -> ApiResult<()> {
        let all = policy::parse(policy::BOOTSTRAP, Some(policy::Bootstrapping));
        all.map_err(ApiError::internal).and_then(|all| self.ensure(all))
    }

    /// Refuses what the user may not do.
    pub(crate) fn decide(&self, attributes: &Attributes<'_>) -> ApiResult<()> {
        match self.authorizer.authorize(attributes, &*self.store) {
            Decision::Allow(_) => Ok(()),
            Decision::NoOpinion(reason) => Err(forbidden(attributes, &reason)),
        }
    }

    /// Refuses a request that its user may not make.
    pub(crate) fn authorize_request(&self, request: &Request) -> ApiResult<()> {
        let verb = request.op.verb();
        match &request.op {
            Op::List(options) | Op::DeleteCollection(_, options) => {
                let resource = Resource::of(&request.kind, &request.namespace, &request.name);
                self.authorize_many(&request.user, verb, resource, options)
            }
            _ => self.authorize(request, verb),
        }
    }

    /// May they do this to the one thing that they ask for?
    pub(crate) fn authorize(&self, request: &Request, verb: &str) -> ApiResult<()> {
        let resource = Resource::of(&request.kind, &request.namespace, &request.name);
        let target = Target::Resource(resource.subresource(request.subresource));
        self.decide(&Attributes { user: &request.user, verb, target })
    }

    /// Refuses a stream. A client that begins it as a WebSocket needs the verb `get`, and one that
    /// is refused that begins it anew with a POST.
    pub(crate) fn authorize_connect(
        &self,
        user: &UserInfo,
        verb: &str,
        resource: Resource<'_>,
    ) -> ApiResult<()> {
        let target = Target::Resource(resource);
        let by_get = Attributes { user, verb: "get", target };
        self.decide(&by_get).or_else(|_| self.decide(&Attributes { verb, ..by_get }))
    }

    /// Refuses a list, a watch or the deletion of many.
    ///
    /// One that selects a single name is about that name.
    pub(crate) fn authorize_many(
        &self,
        user: &UserInfo,
        verb: &str,
        resource: Resource<'_>,
        options: &ListOptions,
    ) -> ApiResult<()> {
        let field_selector = options.field_selector.as_str();
        let resource = Resource { field_selector, ..resource };
        let ask = |name| {
            let target = Target::Resource(Resource { name, ..resource });
            self.decide(&Attributes { user, verb, target })
        };
        if !field_selector.contains("metadata.name") {
            return ask("");
        }
        let selector = fields::Selector::parse(field_selector).unwrap_or_default();
        ask(selector.exact("metadata.name").unwrap_or_default())
    }

    /// May the user do this on a path that is no resource: `get` `/healthz`?
    pub fn authorize_path(&self, user: &UserInfo, verb: &str, path: &str) -> ApiResult<()> {
        self.decide(&Attributes { user, verb, target: Target::Path(path) })
    }
}

/// `pods is forbidden: User "x" cannot list resource "pods" in API group "" at the cluster scope`.
fn forbidden(attributes: &Attributes<'_>, reason: &str) -> ApiError {
    let (user, verb) = (gofmt::quote(&attributes.user.name), attributes.verb);
    let suffix = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let resource = match attributes.target {
        Target::Path(path) => {
            let what = sanitize(format!("User {user} cannot {verb} path {}", gofmt::quote(path)));
            return ApiError::forbidden_path(&format!("{what}{suffix}"));
        }
        Target::Resource(resource) => resource,
    };
    let what = match resource.subresource {
        "" => gofmt::quote(resource.resource),
        subresource => gofmt::quote(&format!("{}/{subresource}", resource.resource)),
    };
    let scope = match resource.namespace {
        "" => "at the cluster scope".to_owned(),
        namespace => format!("in the namespace {}", gofmt::quote(namespace)),
    };
    let group = gofmt::quote(resource.group);
    let what = format!("User {user} cannot {verb} resource {what} in API group {group} {scope}");
    let why = format!("{}{suffix}", sanitize(what));
    ApiError::forbidden_resource(resource.group, resource.resource, resource.name, &why)
}

/// A message that a browser could not take for HTML.
fn sanitize(text: String) -> String {
    if !text.contains(['&', '<', '>']) {
        return text;
    }
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
