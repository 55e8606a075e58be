//! What is asked of the API server, and what it answers.

use crate::{Cell, Column, KindRef, Object};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use naru_sim::CauseId;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserInfo {
    /// `kubernetes-admin`, `system:node:worker`, `system:serviceaccount:default:default`.
    pub name: Arc<str>,
    /// The uid of a service account, as its token states it; "" for everybody else.
    pub uid: Arc<str>,
    /// `system:masters`, ….
    pub groups: Arc<[Arc<str>]>,
    /// What else the authenticator knows: `authentication.kubernetes.io/pod-name`, ….
    pub extra: Arc<BTreeMap<String, Vec<String>>>,
}

impl UserInfo {
    /// A user in these groups.
    pub fn new(name: &str, groups: &[&str]) -> Self {
        UserInfo {
            name: name.into(),
            uid: Arc::default(),
            extra: Arc::default(),
            groups: groups.iter().map(|group| Arc::from(*group)).collect(),
        }
    }

    /// A service account, in the groups that it has by its name.
    pub fn service_account(namespace: &str, name: &str) -> Self {
        let of_namespace = format!("system:serviceaccounts:{namespace}");
        let groups = ["system:serviceaccounts", of_namespace.as_str(), "system:authenticated"];
        UserInfo::new(&format!("system:serviceaccount:{namespace}:{name}"), &groups)
    }
}

/// One request: who, why, on what, what.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who asks.
    pub user: UserInfo,
    /// The client program, its default field manager: `kubectl-create`, `kube-scheduler`.
    pub agent: Arc<str>,
    /// What made the client ask.
    pub cause: CauseId,
    /// The kind of the resource in the path.
    pub kind: KindRef,
    /// The namespace in the path; "" for cluster-scoped kinds or for all namespaces.
    pub namespace: String,
    /// The name in the path; "" for lists and creations.
    pub name: String,
    /// `status`, `binding`, `scale`, or "".
    pub subresource: &'static str,
    /// The verb and its options.
    pub op: Op,
    /// Answer as a table: `Accept: application/json;as=Table`.
    pub table: bool,
    /// Do everything but the writing.
    pub dry_run: bool,
    /// Who is written into `metadata.managedFields`; "" is the program of `agent`.
    pub field_manager: Arc<str>,
    /// What becomes of fields that the kind does not have, and of those that are there twice.
    pub field_validation: FieldValidation,
    /// What a strict reader of the body's text has against it: see
    /// [`crate::json::Document::duplicates`].
    pub duplicates: Vec<String>,
    /// How fresh the answer to a get must be at least; "" is the latest.
    pub resource_version: String,
}

impl Request {
    /// A request on all of a kind; the rest is filled in by struct update.
    pub fn new(user: UserInfo, agent: Arc<str>, kind: KindRef, op: Op) -> Self {
        Request {
            user,
            agent,
            cause: CauseId::ROOT,
            kind,
            namespace: String::new(),
            name: String::new(),
            subresource: "",
            op,
            table: false,
            dry_run: false,
            field_manager: Arc::default(),
            field_validation: FieldValidation::default(),
            duplicates: Vec::new(),
            resource_version: String::new(),
        }
    }
}

/// What becomes of unknown and duplicate fields: the query parameter `fieldValidation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// They are dropped.
    Ignore,
    /// They are dropped, with a warning.
    #[default]
    Warn,
    /// The request is refused.
    Strict,
}

/// The verb and its options.
#[derive(Clone, Debug)]
pub enum Op {
    /// Read one object.
    Get,
    /// Read many.
    List(ListOptions),
    /// Make one.
    Create(Body),
    /// Replace one.
    Update(Body),
    /// Change one.
    Patch(Patch),
    /// Delete one.
    Delete(DeleteOptions),
    /// Delete many.
    DeleteCollection(DeleteOptions, ListOptions),
}

impl Op {
    /// The verb as RBAC names it.
    pub fn verb(&self) -> &'static str {
        match self {
            Op::Get => "get",
            Op::List(_) => "list",
            Op::Create(_) => "create",
            Op::Update(_) => "update",
            Op::Patch(_) => "patch",
            Op::Delete(_) => "delete",
            Op::DeleteCollection(..) => "deletecollection",
        }
    }
}

/// An object in a request.
#[derive(Clone, Debug)]
pub enum Body {
    /// Already typed: components inside the cluster pay for no JSON.
    Object(Object),
    /// As a client wrote it: decoded strictly by the API server.
    Json(Value),
}

/// What to list or watch. Selectors are texts, as in the URL; the API server parses them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// `app=web,tier!=db`; "" selects all.
    pub label_selector: String,
    /// `spec.nodeName=worker`; "" selects all.
    pub field_selector: String,
    /// Objects in one answer; 0 is no limit.
    pub limit: u64,
    /// `metadata.continue` of the answer before.
    pub continue_token: String,
    /// How fresh the answer must be; "" is the latest. What it means: `resource_version_match`.
    pub resource_version: String,
    /// `Exact`, `NotOlderThan` or "".
    pub resource_version_match: String,
}

/// How to change an object.
#[derive(Clone, Debug)]
pub enum Patch {
    /// RFC 6902.
    Json(Value),
    /// RFC 7386.
    Merge(Value),
    /// Kubernetes' strategic merge.
    Strategic(Value),
    /// Server-side apply: makes the object when it is not there.
    Apply {
        /// The fields that the manager wants.
        fields: Value,
        /// Take over fields of other managers.
        force: bool,
    },
}

/// How to delete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Seconds to wait; the kind's default when `None`.
    pub grace_period_seconds: Option<i64>,
    /// What happens to dependents; what the kind has for a default when `None`.
    pub propagation: Option<Propagation>,
    /// Refuse unless the object has this uid.
    pub uid: Option<String>,
    /// Refuse unless the object is still at this version.
    pub resource_version: Option<String>,
}

/// What happens to the objects that a deleted object owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// The garbage collector deletes them afterwards.
    #[default]
    Background,
    /// They go first.
    Foreground,
    /// They stay, without an owner.
    Orphan,
}

/// What the API server answers.
#[derive(Clone, Debug)]
pub enum Response {
    /// One object.
    Object(Object),
    /// Many, in order of namespace and name.
    List(ObjectList),
    /// One or many as a table.
    Table(Table),
    /// It is done, and there is no object to show: an eviction, a binding, a deletion.
    Status(Box<Status>),
}

/// Objects and the revision at which they were listed.
#[derive(Clone, Debug)]
pub struct ObjectList {
    /// The kind of the items.
    pub kind: KindRef,
    /// The objects.
    pub items: Vec<Object>,
    /// The store's revision: a watch from here misses nothing.
    pub revision: u64,
    /// Names the place where a limited list goes on; "" at its end.
    pub continue_token: String,
    /// How many objects come after a limited list, where that is known.
    pub remaining: Option<u64>,
}

impl ObjectList {
    /// A whole list.
    pub fn new(kind: KindRef, items: Vec<Object>, revision: u64) -> Self {
        ObjectList { kind, items, revision, continue_token: String::new(), remaining: None }
    }
}

/// A printed table: `meta.k8s.io/v1 Table`.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The headers.
    pub columns: Cow<'static, [Column]>,
    /// A row for each object.
    pub rows: Vec<Row>,
    /// The store's revision.
    pub revision: u64,
    /// As in [`ObjectList`].
    pub continue_token: String,
    /// As in [`ObjectList`].
    pub remaining: Option<u64>,
}

/// A row of a table.
#[derive(Clone, Debug)]
pub struct Row {
    /// One for each column.
    pub cells: Vec<Cell>,
    /// The object of the row.
    pub object: Object,
}
