//! The API server itself: what its clients and the cluster call.

use crate::allocate::Allocators;
use crate::apiservices::Aggregation;
use crate::authenticate::AuthenticationConfig;
use crate::authorize::{Authorizer, Resource};
use crate::compact::Compactor;
use crate::crd::{self, Definitions};
use crate::flowcontrol::FlowControl;
use crate::managed::Makers;
use crate::rest::{Asked, Asks, RestState};
use crate::standing::Standing;
use crate::store::{Change, MemoryStore, Store, StoreError, Transaction};
use crate::streams::{self, StreamMark, Streams};
use crate::watches::Watches;
use crate::{authenticate, limits, renew, reviews, subresource, table, versions};
use naru_api::etcd::Etcd;
use naru_api::k8s_openapi::api::coordination::v1::Lease;
use naru_api::k8s_openapi::api::core::v1::{Binding, Event, Pod, Service};
use naru_api::managed::Shapes;
use naru_api::measured::{Metric, MetricQuery};
use naru_api::podspec::sharing::Templates;
use naru_api::request::Patch;
use naru_api::service::{
    AnswerId, ConnectRequest, KubeletStreams, PathAnswer, PathRequest, Stood, Stream, StreamId,
    Ticket, WatchRequest,
};
use naru_api::{
    ApiError, ApiService, Credentials, Kind, KindRef, Kube, Object, Op, Request, Response,
    UserInfo, WatchEvent, WatchId, scheme, status::ApiResult,
};
use naru_sim::{CauseId, CauseLog, Rng, Time};
use std::sync::Arc;
use std::time::Duration;

/// The API server and its store: a value, cloned for a snapshot.
#[derive(Clone, Debug)]
pub struct ApiServer {
    pub(crate) now: Time,
    pub(crate) rng: Rng,
    /// See [`ApiServer::by_itself`].
    pub(crate) own_rng: Rng,
    pub(crate) store: Box<dyn Store>,
    pub(crate) allocators: Allocators,
    pub(crate) authentication: Arc<AuthenticationConfig>,
    pub(crate) signatures: authenticate::Signatures,
    pub(crate) authorizer: Authorizer,
    pub(crate) watches: Watches,
    pub(crate) shapes: Shapes,
    pub(crate) makers: Makers,
    pub(crate) templates: Templates,
    compactor: Compactor,
    streams: Streams,
    /// The machine on which it runs.
    host_node: String,
    /// Whether most members of etcd do not answer.
    etcd_is_lost: bool,
    pub(crate) causes: CauseLog,
    pub(crate) definitions: Definitions,
    pub(crate) aggregation: Aggregation,
    pub(crate) flow_control: FlowControl,
    pub(crate) kinds: Vec<KindRef>,
    /// The kinds of which somebody has asked whether they have changed, and when they last did.
    generations: Vec<(KindRef, u64)>,
    /// Grows with what renewals of Leases are judged by.
    pub(crate) rules: u64,
    pub(crate) standing: Standing,
    /// Of the last answer.
    pub(crate) warnings: Vec<String>,
    rest: RestState,
}

impl ApiServer {
    /// An API server whose names, uids and addresses come from `rng`, with what it
    /// makes itself: the namespaces default, kube-node-lease, kube-public, kube-system, and the
    /// system's priority classes.
    pub fn new(rng: Rng) -> Self {
        ApiServer::starting(rng, Time::ZERO)
    }

    /// The same, at the moment `now`.
    pub fn starting(rng: Rng, now: Time) -> Self {
        let mut server = ApiServer {
            now,
            rest: RestState::new(&rng),
            flow_control: FlowControl::default(),
            own_rng: rng.fork("own"),
            rng,
            store: Box::new(MemoryStore::default()),
            allocators: Allocators::default(),
            authentication: Arc::default(),
            signatures: authenticate::Signatures::default(),
            authorizer: Authorizer::default(),
            watches: Watches::default(),
            shapes: Shapes::default(),
            makers: Makers::default(),
            templates: Templates::default(),
            compactor: Compactor::default(),
            streams: Streams::default(),
            host_node: String::new(),
            etcd_is_lost: false,
            causes: CauseLog::default(),
            definitions: Definitions::default(),
            aggregation: Aggregation::default(),
            kinds: scheme::built_in(),
            generations: Vec::new(),
            rules: 0,
            standing: Standing::default(),
            warnings: Vec::new(),
        };
        server.make_namespaces();
        server.make_priority_classes();
        server.register_groups(CauseId::ROOT);
        server
    }

    /// Does what an API server does for itself, with a randomness of its own: the names of what
    /// others make do not depend on it.
    pub fn by_itself<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        std::mem::swap(&mut self.rng, &mut self.own_rng);
        let result = work(self);
        std::mem::swap(&mut self.rng, &mut self.own_rng);
        result
    }

    /// Sets the clock, and makes the renewals that holders of Leases have left to this server and
    /// that are due until then.
    pub fn set_now(&mut self, now: Time) {
        self.make_renewals(now);
        self.now = now;
    }

    /// Does what is due by the clock: lets objects go that have outlived their time, compacts the
    /// store's history, writes bookmarks. Not part of [`ApiServer::set_now`], since history must
    /// not depend on how finely the owner of the clock slices time.
    pub fn tick(&mut self) {
        self.expire();
        self.compactor.run(self.now, &mut *self.store);
        self.watches.bookmark(self.now, self.store.revision());
        self.tick_flow_control();
    }

    /// When a watch is to be told how far it has come, by [`ApiServer::tick`]. All else that is due
    /// can wait for [`ApiServer::PUBLISH_INTERVAL`].
    pub fn next_bookmark(&self) -> Option<Time> {
        self.watches.next_bookmark()
    }

    pub(crate) fn rest_state(&self) -> &RestState {
        &self.rest
    }

    pub(crate) fn rest_state_mut(&mut self) -> &mut RestState {
        &mut self.rest
    }

    /// How many watches are open of each kind, of one namespace and of all.
    pub(crate) fn watches_by_kind(&self) -> impl Iterator<Item = (KindRef, &'static str, usize)> {
        self.watches.by_kind().into_iter().map(|((kind, scope), count)| (kind, scope, count))
    }

    /// The store, to read.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Whether the digest of the store's history is to cover what will be forgotten of it from now
    /// on.
    pub fn keep_digest(&mut self, on: bool) {
        self.store.keep_digest(on);
    }

    /// The digest of the store's whole history; `None` when a part of it was forgotten and not
    /// covered.
    pub fn digest(&self) -> Option<String> {
        self.store.digest()
    }

    /// The watches that got something since the last call, in that order, and the renewals that are
    /// over.
    pub fn take_ready(&mut self) -> Vec<WatchId> {
        let mut ready = self.watches.take_ready();
        ready.append(&mut self.standing.take_ended());
        ready
    }

    /// The latest watch that was opened; watches are numbered one after the other.
    pub fn last_watch(&self) -> WatchId {
        self.watches.last()
    }

    /// The nodes whose kubelets were asked for streams since the last call.
    pub fn ready_streams(&mut self) -> Vec<String> {
        self.streams.take_ready()
    }

    /// Says on which machine the API server runs: from there it passes requests on.
    pub fn set_host_node(&mut self, name: &str) {
        name.clone_into(&mut self.host_node);
    }

    pub(crate) fn host_node(&self) -> &str {
        &self.host_node
    }

    /// Starts a stream that was allowed.
    pub(crate) fn open_stream(
        &mut self,
        node: &str,
        request: ConnectRequest,
    ) -> ApiResult<StreamId> {
        self.streams.open(node, request)
    }

    /// There is no machine of this name: whoever asked for a stream to it is told.
    pub fn unreachable_node(&mut self, name: &str) {
        let why = format!("error dialing backend: dial tcp: lookup {name}: no such host");
        self.streams.unreachable(name, &ApiError::new(500, "", why));
    }

    /// How every stream stands now, to see whether its other side has something to do.
    pub fn stream_marks(&self) -> Vec<StreamMark> {
        self.streams.marks()
    }

    /// Ends every watch and every stream, as the end of the process does. What is in the store
    /// stays: that is etcd's.
    pub fn drop_connections(&mut self) {
        self.watches.expire_all();
        self.streams = Streams::default();
    }

    /// Writes down that a request was made, on the object named `name`.
    pub(crate) fn record(&mut self, request: &Request, verb: &'static str, name: &str) -> CauseId {
        let mut subject = subject(&request.kind, &request.namespace, name);
        if !request.subresource.is_empty() {
            subject = format!("{subject}/{}", request.subresource);
        }
        self.causes.record(self.now, request.cause, &request.agent, verb, subject.into())
    }

    /// Writes down that a request was passed on.
    pub(crate) fn record_path(
        &mut self,
        x: (&Arc<str>, &UserInfo),
        kind: &Kind,
        namespace: &str,
        name: &str,
    ) -> CauseId {
        let subject: Arc<str> = subject(kind, namespace, name).into();
        let id = self.causes.record(self.now, CauseId::ROOT, x.0, "proxy", subject);
        self.causes.conclude(id, &x.1.name, 200);
        id
    }

    /// Writes down what came of a request, and gives its code. Its own cause is the first that was recorded after
    /// `earlier`; a request that was refused before that is recorded now.
    fn conclude(
        &mut self,
        request: &Request,
        verb: &'static str,
        earlier: CauseId,
        result: &ApiResult<Response>,
    ) -> u16 {
        let id = match self.causes.last() == earlier {
            true => self.record(request, verb, &request.name),
            false => CauseId(earlier.0 + 1),
        };
        let code = match result {
            Ok(_) if verb == "create" => 201,
            Ok(_) => 200,
            Err(error) => u16::try_from(error.code()).unwrap_or(500),
        };
        self.causes.conclude(id, &request.user.name, code);
        code
    }

    /// Writes an object and tells the watches; answers with the object after it.
    pub(crate) fn put(
        &mut self,
        key: String,
        expect: u64,
        object: Object,
        cause: CauseId,
    ) -> ApiResult<Object> {
        let asked = object.kind();
        let mut object = versions::to_storage(object);
        // A write of which nobody was named is nobody's, and not the last writer's.
        if object.has_notes()
            && let Some(before) = self.store.get(&key)
            && object.is_unnoted(&before)
        {
            object.note_write(&before, None, &asked, self.timestamp());
        }
        let lasts = Duration::from_secs(limits::EVENT_TTL_SECONDS);
        let expires = object.get::<Event>().map(|_| self.now + lasts);
        let name = object.name().to_owned();
        let put = Some(object);
        let change =
            self.commit(&asked, &name, Transaction { key, expect, put, expires, cause })?;
        let after = change.after.ok_or_else(|| ApiError::internal("a write left nothing"))?;
        Ok(versions::view(&asked, &after).into_owned())
    }

    /// Deletes a key and tells the watches.
    pub(crate) fn remove(&mut self, key: String, expect: u64, cause: CauseId) -> ApiResult<()> {
        let Some(object) = self.store.get(&key) else { return Ok(()) };
        let transaction = Transaction { key, expect, put: None, expires: None, cause };
        self.commit(&object.kind(), object.name(), transaction).map(drop)
    }

    pub(crate) fn commit(
        &mut self,
        kind: &Kind,
        name: &str,
        transaction: Transaction,
    ) -> ApiResult<Change> {
        let change = self.store.commit(transaction).map_err(|error| match error {
            StoreError::Changed => ApiError::stale(kind, name),
            other => ApiError::internal(other),
        })?;
        self.allocators.observe(&change);
        self.definitions.observe(&change);
        self.aggregation.observe(&change);
        self.flow_control.observe(&change, self.now);
        self.authorizer.observe(&change);
        self.watches.tell(&change);
        let asked = self.generations.iter_mut().filter(|(asked, _)| asked.plural == kind.plural);
        asked.for_each(|(_, generation)| *generation = change.revision);
        if kind.plural == Lease::kind().plural {
            self.standing.observe(&change);
        } else if kind.plural == Service::kind().plural {
            self.keep_addresses(&change);
        } else if renew::is_rule(kind) {
            self.change_rules();
        }
        Ok(change)
    }

    /// What renewals of Leases are judged by is another from now on.
    pub(crate) fn change_rules(&mut self) {
        self.rules += 1;
        self.end_renewals();
    }

    /// Who asks, may they, and is there such a thing to ask for?
    fn check(&self, request: &Request) -> ApiResult<()> {
        authenticate::require_name(&request.user)?;
        self.authorize_request(request)?;
        let kind = &*request.kind;
        let verbs = match request.subresource {
            "" if kind.strategy.custom().is_some() => return crd::check_verb(kind, &request.op),
            "" => &*kind.verbs,
            subresource if kind.subresources.contains(&subresource) => {
                subresource::verbs(subresource)
            }
            _ if kind.strategy.custom().is_some() => {
                return Err(ApiError::not_found(kind, &request.name));
            }
            _ => return Err(ApiError::no_such_path()),
        };
        match verbs.contains(&request.op.verb()) {
            true => Ok(()),
            false => Err(ApiError::method_not_allowed()),
        }
    }

    /// Says whether most members of etcd are gone: without them nothing is read, and nothing is
    /// written.
    pub fn set_etcd_lost(&mut self, lost: bool) {
        if std::mem::replace(&mut self.etcd_is_lost, lost) != lost {
            self.end_renewals();
        }
    }

    /// Whether most members of etcd are gone.
    pub fn etcd_is_lost(&self) -> bool {
        self.etcd_is_lost
    }

    /// May this stream be opened? Answers with its pod.
    pub(crate) fn check_connect(&self, request: &ConnectRequest) -> ApiResult<Object> {
        let (subresource, verb) = streams::subresource(&request.connect);
        authenticate::require_name(&request.user)?;
        let kind = Pod::kind();
        let resource = Resource::of(&kind, &request.namespace, &request.pod);
        self.authorize_connect(&request.user, verb, resource.subresource(subresource))?;
        let object = self.find(&kind, &request.namespace, &request.pod)?;
        if let Some(pod) = object.get::<Pod>() {
            streams::check(pod, request)?;
        }
        Ok(object)
    }

    fn dispatch(&mut self, request: &Request, op: Op) -> ApiResult<Response> {
        // Who may do what is known without etcd.
        if self.etcd_is_lost && !reviews::answers(&request.kind) {
            return Err(etcd_timed_out());
        }
        match (op, request.subresource) {
            (Op::Get, "scale") => self.get_scale(request).map(Response::Object),
            (op @ (Op::Update(_) | Op::Patch(_)), "scale") => {
                self.change_scale(request, op).map(Response::Object)
            }
            (Op::Get, _) => {
                self.record(request, "get", &request.name);
                self.get(request).map(Response::Object)
            }
            (Op::List(options), "") => {
                self.record(request, "list", "");
                self.list(&request.kind, &request.namespace, &options).map(Response::List)
            }
            (Op::Create(body), "") if reviews::answers(&request.kind) => {
                self.review(request, body).map(Response::Object)
            }
            (Op::Create(body), "") if request.kind == Binding::kind() => {
                self.bind_by_body(request, body).map(Response::Status)
            }
            (Op::Create(body), "") => self.create(request, body).map(Response::Object),
            (Op::Create(body), "token") => self.create_token(request, body).map(Response::Object),
            (Op::Create(body), "binding") => self.bind(request, body).map(Response::Status),
            (Op::Create(body), "eviction") => self.evict(request, body).map(Response::Status),
            (Op::Update(body), _) => self.update(request, body).map(Response::Object),
            (Op::Patch(patch), _) => self.patch(request, &patch).map(Response::Object),
            (Op::Delete(options), "") => self.delete(request, &options),
            (Op::DeleteCollection(options, list), "") => {
                self.delete_collection(request, &options, &list).map(Response::List)
            }
            _ => Err(ApiError::method_not_allowed()),
        }
    }
}

/// What becomes of a request that etcd does not answer. The server does not know the error, so it has
/// no reason. Upstream: `ErrTimeout` in `server/etcdserver/errors.go` of etcd.
pub fn etcd_timed_out() -> ApiError {
    ApiError::new(500, "", "etcdserver: request timed out")
}

/// `pods/default/web`, or as much of it as there is.
pub(crate) fn subject(kind: &Kind, namespace: &str, name: &str) -> String {
    let parts = [&*kind.plural, namespace, name];
    let mut subject = String::with_capacity(parts.iter().map(|part| part.len() + 1).sum());
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        if !subject.is_empty() {
            subject.push('/');
        }
        subject.push_str(part);
    }
    subject
}

impl ApiService for ApiServer {
    fn now(&self) -> Time {
        self.now
    }

    fn by_path(
        &mut self,
        credentials: &Credentials,
        request: PathRequest,
    ) -> ApiResult<PathAnswer> {
        Ok(self.rest_by_path(credentials, request))
    }

    fn more_by_path(&mut self, answer: AnswerId) -> ApiResult<PathAnswer> {
        Ok(self.rest_more(answer))
    }

    fn hang_up(&mut self, answer: AnswerId) {
        self.rest_hang_up(answer);
    }

    fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    fn authenticate(&mut self, credentials: &Credentials) -> ApiResult<UserInfo> {
        self.warnings.clear();
        self.who(credentials)
    }

    fn handle(&mut self, mut request: Request) -> ApiResult<Response> {
        self.warnings.clear();
        request.kind = self.served(&request.kind)?;
        self.warnings.extend(request.kind.strategy.deprecation().map(str::to_owned));
        let (verb, earlier) = (request.op.verb(), self.causes.last());
        let flow = self.flow_of(&Asks::of(&request));
        let apply = matches!(&request.op, Op::Patch(Patch::Apply { .. }));
        let result = self.check(&request).and_then(|()| {
            // Taken out, so that an object which nobody else holds is changed in place.
            let op = std::mem::replace(&mut request.op, Op::Get);
            self.dispatch(&request, op)
        });
        let code = self.conclude(&request, verb, earlier, &result);
        self.rest.metrics.count_object(Asked::of(&request, verb, apply), code);
        if code != 401 {
            self.flow_control.flows.count(flow, verb);
        }
        self.follow_definitions();
        self.follow_apiservices();
        self.follow_flow_schemas();
        Ok(match result? {
            Response::Object(object) if request.table => {
                Response::Table(table::of_object(&object, self.now))
            }
            Response::List(list) if request.table => {
                Response::Table(table::of_list(&list, self.now))
            }
            response => response,
        })
    }

    fn tell(&mut self, user: &UserInfo, kind: &KindRef, objects: Vec<Object>) -> ApiResult<()> {
        self.take_told(user, kind, objects)
    }

    fn tell_metrics(
        &mut self,
        user: &UserInfo,
        group: &'static str,
        metrics: Vec<Metric>,
    ) -> ApiResult<()> {
        self.take_metrics(user, group, metrics)
    }

    fn metrics(&mut self, user: &UserInfo, query: &MetricQuery) -> ApiResult<Vec<Metric>> {
        self.find_metrics(user, query)
    }

    fn ask_kubelet(
        &mut self,
        user: &UserInfo,
        agent: Arc<str>,
        node: &str,
        path: &str,
    ) -> ApiResult<StreamId> {
        self.connect_kubelet(user, agent, node, path)
    }

    fn watch(&mut self, mut request: WatchRequest) -> ApiResult<WatchId> {
        request.kind = self.served(&request.kind)?;
        authenticate::require_name(&request.user)?;
        let flow = self.flow_of(&Asks::watch(&request));
        self.flow_control.flows.count(flow, "watch");
        let resource = Resource::of(&request.kind, &request.namespace, "");
        self.authorize_many(&request.user, "watch", resource, &request.options)?;
        if !request.kind.verbs.contains(&"watch") {
            return Err(ApiError::method_not_allowed());
        }
        let subject: Arc<str> = subject(&request.kind, &request.namespace, "").into();
        let cause = self.causes.record(self.now, CauseId::ROOT, &request.agent, "watch", subject);
        self.rest.metrics.count_object(Asked::watch(&request), 200);
        self.open_watch(&request, cause)
    }

    fn has_news(&self, watch: WatchId) -> bool {
        self.watches.has_news(watch)
    }

    fn poll(&mut self, watch: WatchId) -> ApiResult<Vec<WatchEvent>> {
        self.watches.poll(watch)
    }

    fn unwatch(&mut self, watch: WatchId) {
        self.watches.remove(watch);
    }

    fn connect(&mut self, request: ConnectRequest) -> ApiResult<StreamId> {
        let (subresource, verb) = streams::subresource(&request.connect);
        let object = self.check_connect(&request)?;
        let kind = Pod::kind();
        let subject = subject(&kind, &request.namespace, &request.pod);
        let subject: Arc<str> = format!("{subject}/{subresource}").into();
        let cause = self.causes.record(self.now, request.cause, &request.agent, verb, subject);
        let Some(pod) = object.get::<Pod>() else {
            return Err(ApiError::not_found(&kind, &request.pod));
        };
        self.streams.connect(pod, ConnectRequest { cause, ..request })
    }

    fn stream(&mut self, stream: StreamId) -> Option<&mut Stream> {
        self.streams.get(stream)
    }

    fn disconnect(&mut self, stream: StreamId) {
        self.streams.disconnect(stream);
    }

    fn kinds(&self) -> Vec<KindRef> {
        self.kinds.clone()
    }

    fn etcd(&mut self) -> Option<&mut dyn Etcd> {
        Some(self)
    }

    fn generation(&mut self, kind: &KindRef) -> Option<u64> {
        if let Some((_, generation)) = self.generations.iter().find(|(asked, _)| asked == kind) {
            return Some(*generation);
        }
        let generation = self.store.revision();
        self.generations.push((kind.clone(), generation));
        Some(generation)
    }

    fn ticket(&mut self, user: &UserInfo, agent: &Arc<str>, lease: &Arc<Lease>) -> Option<Ticket> {
        self.ticket_for(user, agent, lease)
    }

    fn renew(&mut self, ticket: &mut Ticket, cause: CauseId) -> Option<Arc<Lease>> {
        self.renew_by(ticket, cause)
    }

    fn stand(&mut self, ticket: Ticket, next: Time, period: Duration) -> Option<WatchId> {
        self.begin_standing(ticket, next, period)
    }

    fn stands(&self, renewals: WatchId) -> bool {
        self.is_standing(renewals)
    }

    fn stand_down(&mut self, renewals: WatchId) -> Option<Stood> {
        self.end_standing(renewals)
    }

    fn causes(&mut self) -> &mut CauseLog {
        &mut self.causes
    }
}

impl KubeletStreams for ApiServer {
    fn accept(&mut self, node: &str) -> Vec<(StreamId, ConnectRequest)> {
        self.streams.accept(node)
    }

    fn stream(&mut self, stream: StreamId) -> Option<&mut Stream> {
        self.streams.serve(stream)
    }
}

/// The API server's own user for what it makes itself.
pub(crate) fn loopback() -> UserInfo {
    UserInfo::new("system:apiserver", &["system:masters"])
}
