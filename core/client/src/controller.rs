//! A control loop, in the idiom of kube-rs.

use crate::{Cache, Client, EventRecorder, EventType, WorkQueue};
use dyn_clone::DynClone;
use naru_api::request::ListOptions;
use naru_api::service::Attention;
use naru_api::{ApiError, Key, KindRef, Kube, Object, WatchEvent};
use naru_sim::{Rng, Time};
use std::any::Any;
use std::fmt;
use std::time::Duration;

/// What a controller sees.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    /// The kind.
    pub kind: KindRef,
    /// The namespace; "" is all.
    pub namespace: String,
    /// Selectors.
    pub options: ListOptions,
    /// What calls for work at once; the rest is seen when there is some.
    pub attention: Attention,
    /// Whether a controller wants to know the latest whenever it works.
    pub(crate) asked: bool,
}

impl Watch {
    /// Every object of a kind.
    pub fn all<K: Kube>() -> Self {
        Watch::of(K::kind(), "")
    }

    /// Every object of a kind known at run time; "" is all namespaces.
    pub fn of(kind: KindRef, namespace: &str) -> Self {
        let (namespace, options) = (namespace.to_owned(), ListOptions::default());
        Watch { kind, namespace, options, attention: Attention::Everything, asked: false }
    }

    /// The same, but only this calls for work at once. Who heeds nothing is told what has come before
    /// each reconcile.
    #[must_use]
    pub fn heeding(self, attention: Attention) -> Self {
        Watch { attention, asked: attention == Attention::Nothing, ..self }
    }

    /// Takes in what another watch of the same objects wants to heed.
    pub(crate) fn merge(&mut self, other: &Watch) {
        self.attention = self.attention.max(other.attention);
        self.asked |= other.asked;
    }

    /// Whether it is of the same objects as another.
    pub(crate) fn sees_the_same(&self, other: &Watch) -> bool {
        self.kind == other.kind
            && self.namespace == other.namespace
            && self.options == other.options
    }

    /// The objects of a kind that a field selector, `spec.nodeName=worker`, selects.
    pub fn with_fields<K: Kube>(field_selector: impl Into<String>) -> Self {
        let mut watch = Watch::all::<K>();
        watch.options.field_selector = field_selector.into();
        watch
    }
}

/// What a controller is called, what it watches, and which of its keys a change concerns.
pub trait Controller: DynClone + fmt::Debug + Send + Sync {
    /// Its name: `replicaset-controller`.
    fn name(&self) -> &str;

    /// As whom it writes events, where that is not its name.
    fn event_source(&self) -> &str {
        self.name()
    }

    /// What it sees. Two controllers of one process that watch the same share one watch.
    fn watches(&self) -> Vec<Watch>;

    /// The keys to reconcile after a change. `old` is the state before it; the cache already
    /// holds the state after it. Called for every change of a kind that it watches, also if
    /// another controller's watch of the kind has shown it.
    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key>;

    /// How long the keys of a change may wait, so that the changes which follow it are answered
    /// together with it.
    fn delay(&self, _event: &WatchEvent, _old: Option<&Object>) -> Duration {
        Duration::ZERO
    }

    /// The first and the longest delay after a failure.
    fn backoff(&self) -> (Duration, Duration) {
        (WorkQueue::BACKOFF_BASE, WorkQueue::BACKOFF_MAX)
    }

    /// Whether what it sees has changed since this was last asked: the process then opens the
    /// watches that are new.
    fn rewatches(&mut self) -> bool {
        false
    }

    /// Itself, for an owner who wants to look at more than its work.
    fn as_any(&self) -> Option<&dyn Any> {
        None
    }

    /// The keys to reconcile once at the start, before any change.
    fn initial(&self) -> Vec<Key> {
        Vec::new()
    }
}

/// What a controller does. `W` is what it can reach besides the API: nothing for most, the
/// node's runtime and network for a kubelet.
pub trait Reconcile<W: ?Sized = ()>: Controller {
    /// Brings the world nearer to what the object `key` asks for. An error puts the key back with
    /// a growing delay.
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        world: &mut W,
    ) -> Result<Action, Error>;
}

dyn_clone::clone_trait_object!(Reconcile<()>);

impl Controller for Box<dyn Reconcile<()>> {
    fn name(&self) -> &str {
        (**self).name()
    }
    fn event_source(&self) -> &str {
        (**self).event_source()
    }
    fn watches(&self) -> Vec<Watch> {
        (**self).watches()
    }
    fn map(&mut self, event: &WatchEvent, old: Option<&Object>, cache: &Cache) -> Vec<Key> {
        (**self).map(event, old, cache)
    }
    fn delay(&self, event: &WatchEvent, old: Option<&Object>) -> Duration {
        (**self).delay(event, old)
    }
    fn backoff(&self) -> (Duration, Duration) {
        (**self).backoff()
    }
    fn initial(&self) -> Vec<Key> {
        (**self).initial()
    }
    fn as_any(&self) -> Option<&dyn Any> {
        (**self).as_any()
    }
    fn rewatches(&mut self) -> bool {
        (**self).rewatches()
    }
}

impl Reconcile<()> for Box<dyn Reconcile<()>> {
    fn reconcile(
        &mut self,
        key: &Key,
        context: &mut Context<'_>,
        world: &mut (),
    ) -> Result<Action, Error> {
        (**self).reconcile(key, context, world)
    }
}

/// What a reconcile has at hand.
pub struct Context<'a> {
    /// The present moment.
    pub now: Time,
    /// What the process has seen.
    pub cache: &'a Cache,
    /// The way to the API server.
    pub client: Client<'a>,
    /// Randomness of this process.
    pub rng: &'a mut Rng,
    /// Where events are written.
    pub recorder: &'a mut EventRecorder,
}

impl Context<'_> {
    /// Writes an event about an object. An event that cannot be written is dropped, as upstream
    /// drops it.
    pub fn event(&mut self, about: &Object, kind: EventType, reason: &str, message: &str) {
        self.recorder.record(&mut self.client, self.rng, about, kind, reason, message);
    }
}

/// When to look at the key again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    pub(crate) requeue_after: Option<Duration>,
}

impl Action {
    /// When a watched object changes.
    pub const fn await_change() -> Self {
        Action { requeue_after: None }
    }

    /// The time after which to look again, if it is told.
    pub const fn delay(&self) -> Option<Duration> {
        self.requeue_after
    }

    /// After this time, or when a watched object changes.
    pub const fn requeue_after(delay: Duration) -> Self {
        Action { requeue_after: Some(delay) }
    }
}

/// Why a reconcile failed.
#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// The API server refused a request.
    Api(ApiError),
    /// Anything else, in words.
    Other(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Api(error) => error.fmt(f),
            Error::Other(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Error {}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        Error::Api(error)
    }
}
