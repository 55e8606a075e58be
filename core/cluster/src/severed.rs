//! The API server for those who cannot reach it now.

use naru_api::measured::{Metric, MetricQuery};
use naru_api::request::{Request, Response, UserInfo};
use naru_api::service::{
    AnswerId, ConnectRequest, KubeletStreams, PathAnswer, PathRequest, Stood, Stream, StreamId,
    WatchRequest,
};
use naru_api::status::ApiResult;
use naru_api::{ApiError, ApiService, Credentials, KindRef, WatchEvent, WatchId};
use naru_apiserver::ApiServer;
use naru_node::NodeApi;
use naru_sim::{CauseLog, Time};

/// An API server that gives everybody the same answer: none.
pub struct Severed<'a> {
    api: &'a mut ApiServer,
    error: ApiError,
}

impl ApiService for Severed<'_> {
    fn now(&self) -> Time {
        self.api.now()
    }
    fn authenticate(&mut self, _credentials: &Credentials) -> ApiResult<UserInfo> {
        Err(self.error.clone())
    }
    fn handle(&mut self, _request: Request) -> ApiResult<Response> {
        Err(self.error.clone())
    }
    fn by_path(
        &mut self,
        _credentials: &Credentials,
        _request: PathRequest,
    ) -> ApiResult<PathAnswer> {
        Err(self.error.clone())
    }
    fn more_by_path(&mut self, _answer: AnswerId) -> ApiResult<PathAnswer> {
        Err(self.error.clone())
    }
    fn hang_up(&mut self, answer: AnswerId) {
        self.api.hang_up(answer);
    }
    fn metrics(&mut self, _user: &UserInfo, _query: &MetricQuery) -> ApiResult<Vec<Metric>> {
        Err(self.error.clone())
    }
    fn watch(&mut self, _request: WatchRequest) -> ApiResult<WatchId> {
        Err(self.error.clone())
    }
    fn poll(&mut self, _watch: WatchId) -> ApiResult<Vec<WatchEvent>> {
        Err(self.error.clone())
    }
    fn unwatch(&mut self, watch: WatchId) {
        self.api.unwatch(watch);
    }
    /// What was done in its name, a client knows by itself.
    fn stands(&self, renewals: WatchId) -> bool {
        self.api.stands(renewals)
    }
    fn stand_down(&mut self, renewals: WatchId) -> Option<Stood> {
        self.api.stand_down(renewals)
    }
    fn connect(&mut self, _request: ConnectRequest) -> ApiResult<StreamId> {
        Err(self.error.clone())
    }
    fn stream(&mut self, _stream: StreamId) -> Option<&mut Stream> {
        None
    }
    fn disconnect(&mut self, stream: StreamId) {
        self.api.disconnect(stream);
    }
    /// What clients have in their caches of discovery.
    fn kinds(&self) -> Vec<KindRef> {
        self.api.kinds()
    }
    fn causes(&mut self) -> &mut CauseLog {
        self.api.causes()
    }
}

impl KubeletStreams for Severed<'_> {
    fn accept(&mut self, _node: &str) -> Vec<(StreamId, ConnectRequest)> {
        Vec::new()
    }
    fn stream(&mut self, _stream: StreamId) -> Option<&mut Stream> {
        None
    }
}

/// The API server as a part reaches it.
pub enum Reach<'a> {
    /// It answers.
    Open(&'a mut ApiServer),
    /// It does not.
    Severed(Severed<'a>),
}

impl<'a> Reach<'a> {
    /// The API server, or its absence for this reason.
    pub fn new(api: &'a mut ApiServer, severed: Option<ApiError>) -> Self {
        match severed {
            None => Reach::Open(api),
            Some(error) => Reach::Severed(Severed { api, error }),
        }
    }

    /// As clients see it.
    pub fn clients(&mut self) -> &mut dyn ApiService {
        match self {
            Reach::Open(api) => *api,
            Reach::Severed(severed) => severed,
        }
    }

    /// As nodes see it.
    pub fn kubelets(&mut self) -> &mut dyn NodeApi {
        match self {
            Reach::Open(api) => *api,
            Reach::Severed(severed) => severed,
        }
    }
}
