//! What the API server knows of a kind.

use crate::custom::{CustomRules, WeakKind};
use crate::decode::DecodeError;
use crate::{FieldError, Object, UserInfo, gofmt};
use k8s_openapi::api::autoscaling::v1::Scale;
use naru_sim::Time;
use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// A kind's entry in the scheme: its names and its [`Strategy`].
#[derive(Clone)]
pub struct Kind {
    /// API group; "" is the core group.
    pub group: Cow<'static, str>,
    /// API version: `v1`.
    pub version: Cow<'static, str>,
    /// The kind: `Pod`.
    pub kind: Cow<'static, str>,
    /// The resource: `pods`.
    pub plural: Cow<'static, str>,
    /// `pod`.
    pub singular: Cow<'static, str>,
    /// `po`.
    pub short_names: Words,
    /// `all`, for kinds that `kubectl get all` lists.
    pub categories: Words,
    /// Whether its objects live in a namespace.
    pub namespaced: bool,
    /// Verbs that discovery tells.
    pub verbs: Cow<'static, [&'static str]>,
    /// Subresources: `status`, `binding`, `log`.
    pub subresources: Cow<'static, [&'static str]>,
    /// How objects of this kind are made and checked.
    pub strategy: StrategyRef,
}

/// A few words: compiled in, or of a CustomResourceDefinition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Words {
    /// Of a built-in kind.
    BuiltIn(&'static [&'static str]),
    /// Of a kind that was defined at run time.
    Custom(Arc<[String]>),
}

impl Words {
    /// The words, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let (fixed, defined): (&[&str], &[String]) = match self {
            Words::BuiltIn(words) => (words, &[]),
            Words::Custom(words) => (&[], words),
        };
        fixed.iter().copied().chain(defined.iter().map(String::as_str))
    }

    /// Whether `word` is one of them.
    pub fn contains(&self, word: &str) -> bool {
        self.iter().any(|one| one == word)
    }

    /// All of them in one text.
    pub fn join(&self, separator: &str) -> String {
        self.iter().collect::<Vec<_>>().join(separator)
    }
}

/// A handle to a [`Strategy`]: compiled in, or made from a CustomResourceDefinition.
#[derive(Clone)]
pub enum StrategyRef {
    /// Of a built-in kind.
    BuiltIn(&'static dyn Strategy),
    /// Of a kind that was defined at run time.
    Custom(Arc<dyn Strategy + Send>),
}

impl Deref for StrategyRef {
    type Target = dyn Strategy;
    fn deref(&self) -> &Self::Target {
        match self {
            StrategyRef::BuiltIn(strategy) => *strategy,
            StrategyRef::Custom(strategy) => &**strategy,
        }
    }
}

impl Kind {
    /// `v1` or `apps/v1`, as in a manifest.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_string()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `pods` or `replicasets.apps`, as in messages.
    pub fn group_resource(&self) -> String {
        if self.group.is_empty() {
            self.plural.to_string()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// `Pod` or `ReplicaSet.apps`, as in messages of invalid objects.
    pub fn group_kind(&self) -> String {
        if self.group.is_empty() {
            self.kind.to_string()
        } else {
            format!("{}.{}", self.kind, self.group)
        }
    }
}

/// The names of a built-in kind, from which its [`Kind`] is made at compile time.
///
/// ```
/// # use naru_api::Names;
/// const NAMES: Names =
///     Names::new("apps", "v1", "ReplicaSet", "replicasets", "replicaset").short(&["rs"]);
/// ```
#[derive(Clone, Copy)]
pub struct Names {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    singular: &'static str,
    short_names: &'static [&'static str],
    categories: &'static [&'static str],
    namespaced: bool,
    verbs: &'static [&'static str],
    subresources: &'static [&'static str],
}

impl Names {
    /// A namespaced kind with every verb and nothing else to tell.
    pub const fn new(
        group: &'static str,
        version: &'static str,
        kind: &'static str,
        plural: &'static str,
        singular: &'static str,
    ) -> Self {
        Names {
            group,
            version,
            kind,
            plural,
            singular,
            short_names: &[],
            categories: &[],
            namespaced: true,
            verbs: &[
                "create",
                "delete",
                "deletecollection",
                "get",
                "list",
                "patch",
                "update",
                "watch",
            ],
            subresources: &[],
        }
    }

    /// With these short names.
    pub const fn short(mut self, short_names: &'static [&'static str]) -> Self {
        self.short_names = short_names;
        self
    }

    /// In these categories.
    pub const fn categories(mut self, categories: &'static [&'static str]) -> Self {
        self.categories = categories;
        self
    }

    /// With these subresources.
    pub const fn subresources(mut self, subresources: &'static [&'static str]) -> Self {
        self.subresources = subresources;
        self
    }

    /// With these verbs only.
    pub const fn verbs(mut self, verbs: &'static [&'static str]) -> Self {
        self.verbs = verbs;
        self
    }

    /// Its objects live in no namespace.
    pub const fn cluster_scoped(mut self) -> Self {
        self.namespaced = false;
        self
    }

    /// The kind of these names.
    pub const fn kind(self, strategy: &'static dyn Strategy) -> Kind {
        Kind {
            group: Cow::Borrowed(self.group),
            version: Cow::Borrowed(self.version),
            kind: Cow::Borrowed(self.kind),
            plural: Cow::Borrowed(self.plural),
            singular: Cow::Borrowed(self.singular),
            short_names: Words::BuiltIn(self.short_names),
            categories: Words::BuiltIn(self.categories),
            namespaced: self.namespaced,
            verbs: Cow::Borrowed(self.verbs),
            subresources: Cow::Borrowed(self.subresources),
            strategy: StrategyRef::BuiltIn(strategy),
        }
    }
}

/// A handle to a [`Kind`]: built in, or defined by a CustomResourceDefinition.
#[derive(Clone)]
pub struct KindRef(Repr);

#[derive(Clone)]
enum Repr {
    BuiltIn(&'static Kind),
    Custom(Arc<Kind>),
}

impl KindRef {
    /// A kind built into the API server.
    pub const fn built_in(kind: &'static Kind) -> Self {
        KindRef(Repr::BuiltIn(kind))
    }

    /// A kind defined at run time.
    pub fn custom(kind: Kind) -> Self {
        KindRef(Repr::Custom(Arc::new(kind)))
    }

    /// A kind whose strategy knows the kind itself.
    pub fn custom_cyclic(make: impl FnOnce(&WeakKind) -> Kind) -> Self {
        KindRef(Repr::Custom(Arc::new_cyclic(make)))
    }

    /// The kind that a strategy knows as its own, as long as anybody holds it.
    pub fn upgrade(kind: &WeakKind) -> Option<Self> {
        kind.upgrade().map(|kind| KindRef(Repr::Custom(kind)))
    }

    /// Whether both are one and the same definition.
    pub fn is_identical(&self, other: &KindRef) -> bool {
        std::ptr::eq::<Kind>(&**self, &**other)
    }

    /// Whether `other` is the same version of the same kind. Equality does not ask for the
    /// version: versions of a kind are one kind, whose objects are stored once.
    pub fn is_same_version(&self, other: &KindRef) -> bool {
        self == other && self.version == other.version
    }
}

impl Deref for KindRef {
    type Target = Kind;
    fn deref(&self) -> &Kind {
        match &self.0 {
            Repr::BuiltIn(kind) => kind,
            Repr::Custom(kind) => kind,
        }
    }
}

impl PartialEq for KindRef {
    fn eq(&self, other: &Self) -> bool {
        // Most kinds differ in the length of their names already.
        std::ptr::eq::<Kind>(&**self, &**other)
            || self.plural == other.plural && self.group == other.group
    }
}

impl Eq for KindRef {}

/// Kinds of one plural are few.
impl Hash for KindRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.plural.hash(state);
    }
}

impl PartialOrd for KindRef {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for KindRef {
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.group, &self.plural).cmp(&(&other.group, &other.plural))
    }
}

impl std::fmt::Debug for KindRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.group_resource())
    }
}

/// A column of a printed table.
///
/// Upstream: `metav1.TableColumnDefinition`, `pkg/printers/internalversion/printers.go`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The header as upstream defines it: `Name`, `Nominated Node`.
    pub name: Cow<'static, str>,
    /// 0 is always shown; more is shown by `-o wide` only.
    pub priority: u8,
    /// OpenAPI's type of its cells.
    pub type_: ColumnType,
    /// OpenAPI's format: `name` for the object's name, else mostly "".
    pub format: Cow<'static, str>,
    /// What it shows, in words.
    pub description: Cow<'static, str>,
}

/// What the cells of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// `string`.
    String,
    /// `integer`.
    Integer,
    /// `number`.
    Number,
    /// `boolean`.
    Boolean,
    /// `date`: a time, shown as an age.
    Date,
}

impl Column {
    /// A column of texts that is always shown.
    pub const fn new(name: &'static str) -> Self {
        Column {
            name: Cow::Borrowed(name),
            priority: 0,
            type_: ColumnType::String,
            format: Cow::Borrowed(Column::format_of(name)),
            description: Cow::Borrowed(""),
        }
    }

    /// The only columns that upstream gives a format hold names.
    const fn format_of(name: &str) -> &'static str {
        if matches!(name.as_bytes(), b"Name" | b"Attacher") { "name" } else { "" }
    }

    /// A column of texts that `-o wide` shows.
    pub const fn wide(name: &'static str) -> Self {
        let mut column = Column::new(name);
        column.priority = 1;
        column
    }

    /// Its cells are whole numbers.
    pub const fn integer(mut self) -> Self {
        self.type_ = ColumnType::Integer;
        self
    }

    /// Its cells are `true` or `false`.
    pub const fn boolean(mut self) -> Self {
        self.type_ = ColumnType::Boolean;
        self
    }

    /// Its cells are moments.
    pub const fn date(mut self) -> Self {
        self.type_ = ColumnType::Date;
        self
    }
}

/// The columns of a kind without a printer of its own.
///
/// Upstream: `NewDefaultTableConvertor` in `apiserver/pkg/registry/rest/table.go`.
pub const DEFAULT_COLUMNS: &[Column] = &[Column::new("Name"), Column::new("Created At").date()];

/// A cell of a printed table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// A number with a fraction.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// Nothing.
    Null,
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cell::Text(text) => f.write_str(text),
            Cell::Number(number) => number.fmt(f),
            Cell::Float(number) => f.write_str(&gofmt::float(*number)),
            Cell::Bool(flag) => flag.fmt(f),
            Cell::Null => Ok(()),
        }
    }
}

impl From<bool> for Cell {
    fn from(flag: bool) -> Self {
        Cell::Bool(flag)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Cell::Text(text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Cell::Text(text.to_owned())
    }
}

impl From<i32> for Cell {
    fn from(number: i32) -> Self {
        Cell::Number(number.into())
    }
}

impl From<usize> for Cell {
    fn from(number: usize) -> Self {
        Cell::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// How objects of a kind are decoded, defaulted, validated and printed: pure functions.
///
/// Upstream: `pkg/registry/*/strategy.go`, `pkg/apis/*/v1/defaults.go`,
/// `pkg/apis/*/validation/validation.go`, `pkg/printers/internalversion/printers.go`.
pub trait Strategy: Sync {
    /// Reads an object from JSON. The error is the decoder's own text.
    fn decode(&self, json: Value) -> Result<Object, String>;

    /// Reads an object from JSON as [`Strategy::decode`] does, but lets fields pass that the kind
    /// does not have, and tells them: `unknown field "spec.foo"`.
    fn read(&self, json: Value) -> Result<(Object, Vec<String>), DecodeError> {
        self.decode(json).map(|object| (object, Vec::new())).map_err(DecodeError::from)
    }

    /// Fills in the defaults of the API version.
    fn default(&self, _object: &mut Object) {}

    /// Clears what a client may not set, before the object is first stored.
    fn prepare_for_create(&self, _object: &mut Object) {}

    /// Carries over what this request may not change. `subresource` is "" or `status`, ….
    fn prepare_for_update(&self, _new: &mut Object, _old: &Object, _subresource: &str) {}

    /// Writes down who asked and when, where a kind keeps that: after
    /// [`Strategy::prepare_for_create`] (without `old`) and [`Strategy::prepare_for_update`].
    fn stamp(&self, _new: &mut Object, _old: Option<&Object>, _user: &UserInfo, _now: Time) {}

    /// What is wrong with a name of this kind.
    fn validate_name(&self, name: &str) -> Vec<String> {
        crate::names::dns1123_subdomain(name)
    }

    /// What is wrong with a new object; metadata is checked by the API server.
    fn validate(&self, _object: &Object) -> Vec<FieldError> {
        Vec::new()
    }

    /// What is wrong with the change from `old` to `new`.
    fn validate_update(&self, _new: &Object, _old: &Object, _subresource: &str) -> Vec<FieldError> {
        Vec::new()
    }

    /// How long a deletion waits, in seconds, when the request does not say.
    /// Zero: the object goes at once.
    fn default_grace_period_seconds(&self, _object: &Object) -> i64 {
        0
    }

    /// What a client is warned of that uses this version of the kind.
    ///
    /// Upstream: `APILifecycleDeprecated`, `apiserver/pkg/endpoints/deprecation`.
    fn deprecation(&self) -> Option<&str> {
        None
    }

    /// What a client is told that is allowed but unwise, as `Warning` headers; `old` is the object
    /// before an update.
    ///
    /// Upstream: `WarningsOnCreate` and `WarningsOnUpdate` of the strategies.
    fn warnings(&self, _object: &Object, _old: Option<&Object>) -> Vec<String> {
        Vec::new()
    }

    /// The objects of a kind that is not stored but made up whenever it is read.
    fn made_up(&self) -> Option<Vec<Object>> {
        None
    }

    /// The OpenAPI schema of a kind that was defined at run time, by which its objects are merged.
    fn open_api(&self) -> Option<&Value> {
        None
    }

    /// The kind that is stored, when it is another than this: an older version of the same kind,
    /// or an event of another group.
    fn storage_kind(&self) -> Option<KindRef> {
        None
    }

    /// This kind's object as the kind that is stored.
    fn to_storage(&self, object: Object) -> Object {
        object
    }

    /// A stored object as this kind's.
    #[expect(clippy::wrong_self_convention, reason = "the pair of `to_storage`")]
    fn from_storage(&self, object: Object) -> Object {
        object
    }

    /// The `scale` subresource of an object; `None` when the kind has none.
    fn scale(&self, _object: &Object) -> Option<Scale> {
        None
    }

    /// Writes `spec.replicas` of the `scale` subresource; `false` when the kind has none.
    fn set_replicas(&self, _object: &mut Object, _replicas: i32) -> bool {
        false
    }

    /// Whether a deletion answers with the object and not with a Status.
    ///
    /// Upstream: `ReturnDeletedObject` of the storages.
    fn returns_deleted(&self) -> bool {
        false
    }

    /// Whether dependents stay, without an owner, when a deletion does not say what shall become of them.
    ///
    /// Upstream: `DefaultGarbageCollectionPolicy`.
    fn orphans_dependents(&self) -> bool {
        false
    }

    /// What a client is told whose deletion does not say what shall become of dependents.
    fn deletion_warning(&self) -> Option<&str> {
        None
    }

    /// Whether a PUT makes an object that is not there (`AllowCreateOnUpdate`).
    fn allow_create_on_update(&self) -> bool {
        false
    }

    /// Whether an update may leave `metadata.resourceVersion` out
    /// (`AllowUnconditionalUpdate`).
    fn allow_unconditional_update(&self) -> bool {
        true
    }

    /// The columns after which [`Strategy::row`] fills cells, `Name` first.
    fn columns(&self) -> Cow<'static, [Column]> {
        Cow::Borrowed(DEFAULT_COLUMNS)
    }

    /// One row, a cell for each of [`Strategy::columns`], at the moment `now`.
    fn row(&self, object: &Object, _now: Time) -> Vec<Cell> {
        crate::kinds::default_cells(object.meta())
    }

    /// By what the rows of a list stand in order, those with the same in that of the list; `None`
    /// when they all do.
    fn row_order(&self, _object: &Object) -> Option<i64> {
        None
    }

    /// The value of a field that selectors may name, beyond `metadata.name` and
    /// `metadata.namespace`; `None` when the kind has no such field label.
    fn field(&self, _object: &Object, _path: &str) -> Option<String> {
        None
    }

    /// The fields that [`Strategy::field`] knows.
    fn field_labels(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether selectors may name this field.
    fn knows_field(&self, path: &str) -> bool {
        self.field_labels().contains(&path)
    }

    /// The rules that a CustomResourceDefinition makes.
    fn custom(&self) -> Option<&CustomRules> {
        None
    }
}
