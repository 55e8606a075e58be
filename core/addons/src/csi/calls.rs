//! A sidecar's calls of its driver's methods.

use naru_shell::Sys;
use naru_shell::serve::local::{Call, Status};
use serde_json::Value;
use std::collections::BTreeMap;

/// Calls that are under way, by what they are about. A controller asks, the program that it runs in
/// carries the question to the driver, and when the controller looks again the answer is there.
#[derive(Clone, Debug)]
pub struct Calls {
    socket: String,
    under_way: BTreeMap<String, State>,
}

#[derive(Clone, Debug)]
enum State {
    Wanted { method: &'static str, request: Value },
    Sent(Box<Call>),
    Answered(Result<Value, Status>),
}

impl Calls {
    /// Calls of the driver whose socket has this path.
    pub fn new(socket: &str) -> Self {
        Calls { socket: socket.to_owned(), under_way: BTreeMap::new() }
    }

    /// The driver's answer, once; `None` while it is waited for. The first time, the question goes
    /// out.
    pub fn ask(
        &mut self,
        method: &'static str,
        about: &str,
        request: impl FnOnce() -> Value,
    ) -> Option<Result<Value, Status>> {
        let key = format!("{method} {about}");
        match self.under_way.remove(&key) {
            Some(State::Answered(answer)) => Some(answer),
            Some(waits) => {
                self.under_way.insert(key, waits);
                None
            }
            None => {
                self.under_way.insert(key, State::Wanted { method, request: request() });
                None
            }
        }
    }

    /// Carries questions and answers as far as it goes.
    pub fn go_on(&mut self, sys: &mut dyn Sys) {
        for state in self.under_way.values_mut() {
            if let State::Wanted { method, request } = state {
                let body = request.to_string();
                let call = Call::begin(sys, &self.socket, method, body.as_bytes());
                *state = State::Sent(Box::new(call));
            }
            if let State::Sent(call) = state
                && let Some(answer) = call.go_on(sys)
            {
                *state = State::Answered(
                    answer.map(|body| serde_json::from_slice(&body).unwrap_or_default()),
                );
            }
        }
    }
}
