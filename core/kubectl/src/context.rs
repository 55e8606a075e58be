//! What a command works with: its arguments, the console, the files, and the API server.

use crate::command::Invocation;
use crate::config::Config;
use crate::describe::events::EventIndex;
use crate::failure::{Failure, Result};
use crate::flags::Parsed;
use crate::process::{Next, Outcome, Task};
use naru_api::request::{
    Body, DeleteOptions, FieldValidation, ListOptions, ObjectList, Patch, Table,
};
use naru_api::service::{
    AnswerId, Connect, ConnectRequest, PathAnswer, PathRequest, StreamId, WatchRequest,
};
use naru_api::{
    ApiError, ApiService, Credentials, KindRef, Object, Op, Request, Response, UserInfo, WatchId,
};
use naru_shell::{Errno, Fd, Sys};
use naru_sim::{CauseId, Time};
use serde_json::Value;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Bytes beyond which what is printed is not put behind what waits: to move that would take longer.
const CHUNK_BYTES: usize = 64 << 10;

/// Standard output and error, in the order in which they were written.
#[derive(Clone, Debug, Default)]
pub struct Console {
    chunks: VecDeque<(Fd, Vec<u8>)>,
    /// How much of the first was written: it is not moved up for each piece that is taken.
    written: usize,
    /// What was warned of: it is told once.
    warned: BTreeSet<String>,
}

impl Console {
    /// To standard output.
    pub fn out(&mut self, text: &str) {
        self.write(1, text.as_bytes());
    }

    /// To standard error.
    pub fn err(&mut self, text: &str) {
        self.write(2, text.as_bytes());
    }

    /// A whole text to standard output, which is not copied if it is long.
    pub fn out_all(&mut self, text: Vec<u8>) {
        match text.len() {
            0..CHUNK_BYTES => self.write(1, &text),
            _ => self.chunks.push_back((1, text)),
        }
    }

    /// What the API server warns of, told once by a command.
    ///
    /// Upstream: `rest.NewWarningWriter` with `Deduplicate`.
    pub fn warn(&mut self, warning: &str) {
        if self.warned.insert(warning.to_owned()) {
            self.err(&format!("Warning: {warning}\n"));
        }
    }

    /// Bytes to a descriptor.
    pub fn write(&mut self, fd: Fd, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        match self.chunks.back_mut() {
            Some((last, chunk)) if *last == fd && chunk.len() < CHUNK_BYTES => {
                chunk.extend_from_slice(bytes);
            }
            _ => self.chunks.push_back((fd, bytes.to_vec())),
        }
    }

    /// What was printed to standard error and is not written yet.
    pub fn take_errors(&mut self) -> String {
        self.written = 0;
        let chunks = std::mem::take(&mut self.chunks).into_iter();
        let errors = chunks.filter(|(fd, _)| *fd == 2);
        errors.map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned()).collect()
    }

    /// Whether everything was written out.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Writes out as much as is taken: whether that was all.
    pub fn flush(&mut self, sys: &mut dyn Sys) -> std::result::Result<bool, Errno> {
        while let Some((fd, chunk)) = self.chunks.front() {
            let rest = chunk.get(self.written..).unwrap_or_default();
            match sys.write(*fd, rest) {
                Ok(taken) if taken >= rest.len() => {}
                Ok(0) | Err(Errno::Again) => return Ok(false),
                Ok(taken) => {
                    self.written += taken;
                    continue;
                }
                // As for upstream: a closed standard error does not stop the command.
                Err(Errno::BadFd) => {}
                Err(errno) => return Err(errno),
            }
            self.chunks.pop_front();
            self.written = 0;
        }
        Ok(true)
    }
}

/// How a dry run is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DryRun {
    /// It is not.
    #[default]
    None,
    /// Nothing is sent.
    Client,
    /// The API server does everything but the writing.
    Server,
}

impl DryRun {
    /// What is put after `created`.
    pub fn suffix(self) -> &'static str {
        match self {
            DryRun::None => "",
            DryRun::Client => " (dry run)",
            DryRun::Server => " (server dry run)",
        }
    }
}

/// What a command works with.
pub struct Context<'a> {
    /// The machine.
    pub sys: &'a mut dyn Sys,
    /// Its output.
    pub console: &'a mut Console,
    /// The command line.
    pub invocation: &'a Invocation,
    /// Standard input, for commands that read all of it before they start.
    pub stdin: &'a [u8],
    cause: CauseId,
    login: &'a mut Login,
    /// The events of namespaces, read once, for a command that asks for those of many objects.
    pub(crate) events: Option<EventIndex>,
}

/// What is shown to the API server, once it was read from the kubeconfig.
#[derive(Clone, Debug, Default)]
pub(crate) struct Login {
    credentials: Option<Arc<Credentials>>,
    /// Whether the kubeconfig was seen to name a server.
    has_server: bool,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        sys: &'a mut dyn Sys,
        console: &'a mut Console,
        invocation: &'a Invocation,
        stdin: &'a [u8],
        cause: CauseId,
        login: &'a mut Login,
    ) -> Self {
        Context { sys, console, invocation, stdin, cause, login, events: None }
    }

    /// The flags.
    pub fn flags(&self) -> &'a Parsed {
        &self.invocation.flags
    }

    /// The arguments that are no flags.
    pub fn args(&self) -> &'a [String] {
        self.invocation.args()
    }

    /// To standard output.
    pub fn out(&mut self, text: &str) {
        self.console.out(text);
    }

    /// A line to standard output.
    pub fn line(&mut self, text: &str) {
        self.console.out(text);
        self.console.out("\n");
    }

    /// A line to standard error.
    pub fn err_line(&mut self, text: &str) {
        self.console.err(text);
        self.console.err("\n");
    }

    /// When a request that begins now must have ended; `None` without a limit.
    pub fn request_deadline(&self) -> Option<Time> {
        let nanos = self.flags().request_timeout_ns().unwrap_or(0);
        let limit = u64::try_from(nanos).ok().filter(|nanos| *nanos > 0)?;
        Some(self.now() + Duration::from_nanos(limit))
    }

    /// The present moment.
    pub fn now(&self) -> Time {
        self.sys.now()
    }

    /// Runs a task until it waits or ends.
    pub fn start(&mut self, task: impl Task + 'static) -> Outcome {
        Box::new(task).poll(self)
    }

    /// The kubeconfig.
    pub fn config(&mut self) -> Result<Config> {
        Config::load(self.sys, &self.invocation.flags)
    }

    /// What to connect by: the kubeconfig or, in a pod that has none, the pod's service account.
    pub fn client_config(&mut self) -> Result<Config> {
        let config = self.config()?;
        Ok(crate::in_cluster::or_in_cluster(config, self.sys))
    }

    /// The namespace to work in, and whether the command line names it.
    pub fn namespace(&mut self) -> Result<(String, bool)> {
        self.client_config()?.namespace(self.flags())
    }

    /// `--dry-run`.
    ///
    /// Upstream: `GetDryRunStrategy`.
    pub fn dry_run(&mut self) -> Result<DryRun> {
        let value = self.flags().text("dry-run");
        match value {
            "none" => Ok(DryRun::None),
            "client" => Ok(DryRun::Client),
            "server" => Ok(DryRun::Server),
            "unchanged" => {
                self.warn("--dry-run is deprecated and can be replaced with --dry-run=client.");
                Ok(DryRun::Client)
            }
            _ => {
                let Some(on) = crate::flags::parse_bool(value).ok() else {
                    return Err(Failure::message(format!(
                        "Invalid dry-run value ({value}). Must be \"none\", \"server\", or \
                         \"client\"."
                    )));
                };
                let strategy = if on { DryRun::Client } else { DryRun::None };
                let name = if on { "client" } else { "none" };
                self.warn(&format!(
                    "--dry-run={value} is deprecated (boolean value) and can be replaced with \
                     --dry-run={name}."
                ));
                Ok(strategy)
            }
        }
    }

    fn warn(&mut self, text: &str) {
        self.klog("helpers.go:704", text);
    }

    /// A warning in the form of `k8s.io/klog`: level, date, time, process, place.
    pub fn klog(&mut self, place: &str, text: &str) {
        self.klog_line('W', place, text);
    }

    /// An error that is told and does not end the command, in the form of `k8s.io/klog`.
    pub fn klog_error(&mut self, place: &str, text: &str) {
        let text = format!("\"Unhandled Error\" err={}", naru_api::gofmt::quote(text));
        self.klog_line('E', place, &text);
    }

    /// The same of upstream's `klog.Errorf`.
    pub fn klog_plain_error(&mut self, place: &str, text: &str) {
        self.klog_line('E', place, text);
    }

    fn klog_line(&mut self, level: char, place: &str, text: &str) {
        let now = naru_api::time::micro_time(self.now()).0;
        let (stamp, pid) = (now.strftime("%m%d %H:%M:%S%.6f"), self.sys.pid());
        self.err_line(&format!("{level}{stamp} {pid:7} {place}] {text}"));
    }

    // ---- the API server ----

    /// The API server.
    pub fn api(&mut self) -> Result<&mut dyn ApiService> {
        if !self.login.has_server {
            let config = self.client_config()?;
            let known = config.known_server(self.flags()).is_some();
            if !known && !crate::unconfigured::needs_no_server(self) {
                return Err(crate::unconfigured::refusal(self));
            }
            self.flags().request_timeout_ns().map_err(Failure::Message)?;
            self.login.has_server = true;
        }
        if self.sys.api().is_none() {
            let server = self.client_config()?.server(self.flags());
            let host = server.split("://").last().unwrap_or(&server).to_owned();
            return Err(Failure::Plain(
                format!(
                    "The connection to the server {host} was refused - did you specify the right \
                     host or port?"
                ),
                1,
            ));
        }
        self.sys.api().ok_or(Failure::Exit(1))
    }

    /// The kinds that are served.
    pub fn kinds(&mut self) -> Result<Vec<KindRef>> {
        Ok(self.api()?.kinds())
    }

    /// As whom the API server knows the user of the kubeconfig.
    fn user(&mut self) -> Result<UserInfo> {
        let credentials = match &self.login.credentials {
            Some(credentials) => Arc::clone(credentials),
            None => {
                let config = self.client_config()?;
                Arc::new(crate::credentials::load(self.sys, &config, self.invocation)?)
            }
        };
        let user = self.api()?.authenticate(&credentials)?;
        self.login.credentials = Some(credentials);
        Ok(user)
    }

    /// The program, as causes tell it: `kubectl-create`.
    fn agent(&self) -> Arc<str> {
        match self.flags().text("field-manager") {
            "" => format!("kubectl-{}", self.invocation.command().name()).into(),
            manager => manager.into(),
        }
    }

    /// Who owns the fields that are written: `--field-manager`, or the program's name.
    ///
    /// Upstream: `GetApplyFieldManagerFlag`, and the user agent.
    pub fn field_manager(&self) -> Arc<str> {
        let flags = self.flags();
        match flags.text("field-manager") {
            "" => "kubectl".into(),
            _ if flags.is("server-side") && !flags.changed("field-manager") => "kubectl".into(),
            manager => manager.into(),
        }
    }

    /// What the server shall do about unknown fields: `--validate`; commands that do not have it
    /// leave it to the server.
    ///
    /// Upstream: `GetValidationDirective`.
    fn field_validation(&self) -> FieldValidation {
        match self.flags().text("validate") {
            "" | "warn" => FieldValidation::Warn,
            "ignore" => FieldValidation::Ignore,
            "strict" => FieldValidation::Strict,
            other => match crate::flags::parse_bool(other) {
                Ok(false) => FieldValidation::Ignore,
                _ => FieldValidation::Strict,
            },
        }
    }

    /// Does one request by its path.
    pub fn by_path(&mut self, request: PathRequest) -> Result<PathAnswer> {
        self.user()?;
        let credentials = self.login.credentials.clone().unwrap_or_default();
        Ok(self.api()?.by_path(&credentials, request)?)
    }

    /// Wants no more of an answer.
    pub fn hang_up(&mut self, answer: AnswerId) {
        if let Some(api) = self.sys.api() {
            api.hang_up(answer);
        }
    }

    fn send(&mut self, ask: Ask<'_>) -> Result<Response> {
        let needs_name = matches!(ask.op, Op::Get | Op::Update(_) | Op::Patch(_) | Op::Delete(_));
        if needs_name && ask.name.is_empty() {
            return Err(Failure::message("resource name may not be empty"));
        }
        let user = self.user()?;
        let request = Request {
            cause: self.cause,
            namespace: if ask.kind.namespaced { ask.namespace.to_owned() } else { String::new() },
            name: ask.name.to_owned(),
            subresource: ask.subresource,
            table: ask.table,
            dry_run: ask.dry_run == DryRun::Server,
            field_manager: ask.manager.map_or_else(|| self.field_manager(), Arc::from),
            field_validation: self.field_validation(),
            ..Request::new(user, self.agent(), ask.kind.clone(), ask.op)
        };
        let response = self.api()?.handle(request);
        for warning in self.api()?.take_warnings() {
            self.console.warn(&warning);
        }
        Ok(response?)
    }

    fn send_for_object(&mut self, ask: Ask<'_>) -> Result<Object> {
        match self.send(ask)? {
            Response::Object(object) => Ok(object),
            _ => Err(unexpected()),
        }
    }

    /// Reads one object.
    pub fn get(&mut self, kind: &KindRef, namespace: &str, name: &str) -> Result<Object> {
        self.send_for_object(Ask::new(kind, namespace, name, Op::Get))
    }

    /// Reads one object, or `None` if it is not there.
    pub fn find(&mut self, kind: &KindRef, namespace: &str, name: &str) -> Result<Option<Object>> {
        match self.get(kind, namespace, name) {
            Ok(object) => Ok(Some(object)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Reads a subresource of one object.
    pub fn get_subresource(
        &mut self,
        kind: &KindRef,
        namespace: &str,
        name: &str,
        subresource: &'static str,
    ) -> Result<Object> {
        self.send_for_object(Ask { subresource, ..Ask::new(kind, namespace, name, Op::Get) })
    }

    /// Reads many objects.
    pub fn list(
        &mut self,
        kind: &KindRef,
        namespace: &str,
        options: &ListOptions,
    ) -> Result<ObjectList> {
        match self.send(Ask::new(kind, namespace, "", Op::List(options.clone())))? {
            Response::List(list) => Ok(list),
            _ => Err(unexpected()),
        }
    }

    /// Reads one (`name`) or many objects as a table.
    pub fn table(&mut self, kind: &KindRef, namespace: &str, name: &str, op: Op) -> Result<Table> {
        match self.send(Ask { table: true, ..Ask::new(kind, namespace, name, op) })? {
            Response::Table(table) => Ok(table),
            _ => Err(unexpected()),
        }
    }

    /// Reads a subresource of one object as a table.
    pub fn table_of(
        &mut self,
        kind: &KindRef,
        namespace: &str,
        name: &str,
        subresource: &'static str,
    ) -> Result<Table> {
        let ask = Ask { table: true, subresource, ..Ask::new(kind, namespace, name, Op::Get) };
        match self.send(ask)? {
            Response::Table(table) => Ok(table),
            _ => Err(unexpected()),
        }
    }

    /// Makes an object.
    pub fn create(
        &mut self,
        kind: &KindRef,
        namespace: &str,
        object: Value,
        dry_run: DryRun,
    ) -> Result<Object> {
        let op = Op::Create(Body::Json(object));
        self.send_for_object(Ask { dry_run, ..Ask::new(kind, namespace, "", op) })
    }

    /// Makes a subresource of an object: an eviction, a token.
    pub fn create_subresource(
        &mut self,
        kind: &KindRef,
        namespace: &str,
        name: &str,
        subresource: &'static str,
        object: Value,
    ) -> Result<()> {
        let op = Op::Create(Body::Json(object));
        self.send(Ask { subresource, ..Ask::new(kind, namespace, name, op) }).map(drop)
    }

    /// Asks for a subresource that is answered and not stored: a token.
    pub fn request_subresource(
        &mut self,
        kind: &KindRef,
        namespace: &str,
        name: &str,
        subresource: &'static str,
        object: Value,
    ) -> Result<Object> {
        let op = Op::Create(Body::Json(object));
        self.send_for_object(Ask { subresource, ..Ask::new(kind, namespace, name, op) })
    }

    /// Replaces an object.
    pub fn update(
        &mut self,
        kind: &KindRef,
        namespace: &str,
        name: &str,
        object: Value,
        dry_run: DryRun,
    ) -> Result<Object> {
        let op = Op::Update(Body::Json(object));
        self.send_for_object(Ask { dry_run, ..Ask::new(kind, namespace, name, op) })
    }

    /// Replaces a subresource of an object.
    pub fn update_subresource(
        &mut self,
        kind: &KindRef,
        namespace: &str,
        name: &str,
        subresource: &'static str,
        object: Value,
    ) -> Result<Object> {
        let op = Op::Update(Body::Json(object));
        self.send_for_object(Ask { subresource, ..Ask::new(kind, namespace, name, op) })
    }

    /// Changes an object.
    pub fn patch(
        &mut self,
        kind: &KindRef,
        namespace: &str,
        name: &str,
        patch: Patch,
        dry_run: DryRun,
    ) -> Result<Object> {
        let op = Op::Patch(patch);
        self.send_for_object(Ask { dry_run, ..Ask::new(kind, namespace, name, op) })
    }

    /// Changes a subresource of an object.
    pub fn patch_subresource(
        &mut self,
        kind: &KindRef,
        namespace: &str,
        name: &str,
        subresource: &'static str,
        patch: Patch,
        dry_run: DryRun,
    ) -> Result<Object> {
        let op = Op::Patch(patch);
        self.send_for_object(Ask { subresource, dry_run, ..Ask::new(kind, namespace, name, op) })
    }

    /// Changes an object in another field manager's name.
    pub fn patch_as(
        &mut self,
        manager: &str,
        kind: &KindRef,
        namespace: &str,
        name: &str,
        patch: Patch,
        dry_run: DryRun,
    ) -> Result<Object> {
        let op = Op::Patch(patch);
        let ask = Ask { dry_run, manager: Some(manager), ..Ask::new(kind, namespace, name, op) };
        self.send_for_object(ask)
    }

    /// Deletes an object: its uid, if it is told.
    pub fn delete(
        &mut self,
        kind: &KindRef,
        namespace: &str,
        name: &str,
        options: DeleteOptions,
        dry_run: DryRun,
    ) -> Result<Option<String>> {
        let op = Op::Delete(options);
        let uid = match self.send(Ask { dry_run, ..Ask::new(kind, namespace, name, op) })? {
            Response::Object(object) => Some(object.uid().to_owned()),
            Response::Status(status) => status.details.and_then(|details| details.uid),
            _ => None,
        };
        Ok(uid.filter(|uid| !uid.is_empty()))
    }

    /// Starts a watch. `from`: the revision after which to tell; `None`: begin with what is there.
    pub fn watch(
        &mut self,
        kind: &KindRef,
        namespace: &str,
        options: ListOptions,
        from: Option<u64>,
    ) -> Result<WatchId> {
        let user = self.user()?;
        let request = WatchRequest {
            namespace: if kind.namespaced { namespace.to_owned() } else { String::new() },
            options,
            from,
            ..WatchRequest::new(user, self.agent(), kind.clone())
        };
        Ok(self.api()?.watch(request)?)
    }

    /// Ends a watch.
    pub fn unwatch(&mut self, watch: WatchId) {
        if let Some(api) = self.sys.api() {
            api.unwatch(watch);
        }
    }

    /// Starts a stream to a container.
    pub fn connect(
        &mut self,
        namespace: &str,
        pod: &str,
        container: &str,
        connect: Connect,
    ) -> Result<StreamId> {
        let request = ConnectRequest {
            user: self.user()?,
            agent: self.agent(),
            cause: self.cause,
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            container: container.to_owned(),
            connect,
        };
        Ok(self.api()?.connect(request)?)
    }

    /// Ends a stream.
    pub fn disconnect(&mut self, stream: StreamId) {
        if let Some(api) = self.sys.api() {
            api.disconnect(stream);
        }
    }
}

/// The parts of a request that differ.
struct Ask<'a> {
    kind: &'a KindRef,
    namespace: &'a str,
    name: &'a str,
    subresource: &'static str,
    op: Op,
    table: bool,
    dry_run: DryRun,
    /// Another field manager than the command's.
    manager: Option<&'a str>,
}

impl<'a> Ask<'a> {
    fn new(kind: &'a KindRef, namespace: &'a str, name: &'a str, op: Op) -> Self {
        Ask {
            kind,
            namespace,
            name,
            subresource: "",
            op,
            table: false,
            dry_run: DryRun::None,
            manager: None,
        }
    }
}

fn unexpected() -> Failure {
    Failure::Api(ApiError::internal("the answer is not of the form that was asked for"))
}

/// The command has done its work.
pub fn done() -> Outcome {
    Ok(Next::Exit(0))
}
