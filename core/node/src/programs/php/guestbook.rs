//! The guestbook of the tutorial "Deploying PHP Guestbook application with Redis": it writes to a
//! leader and reads from a follower.
//!
//! Upstream: `guestbook/php-redis` of `GoogleCloudPlatform/kubernetes-engine-samples`.

use super::{Job, Page, field};
use crate::programs::redis::{Ask, AskError};
use naru_shell::Sys;
use naru_shell::serve::Incoming;
use naru_sim::Time;

const PORT: u16 = 6379;

/// The application.
#[derive(Clone, Debug, Default)]
pub struct Guestbook {
    leader: String,
    follower: String,
}

/// A question to Redis.
#[derive(Clone, Debug)]
pub struct Call {
    ask: Ask,
    host: String,
    writes: bool,
}

impl Guestbook {
    /// One that writes to and reads from these hosts.
    pub fn new(leader: String, follower: String) -> Self {
        Guestbook { leader, follower }
    }

    /// Begins to answer `guestbook.php`.
    pub fn begin(&self, sys: &mut dyn Sys, incoming: &Incoming) -> Option<Job> {
        let request = &incoming.request;
        if request.path() != "/guestbook.php" {
            return None;
        }
        let Some(command) = field(request.query(), "cmd") else {
            let note = "<!DOCTYPE html><title>PHP - phpinfo()</title>\n";
            return Some(Job::Done(Page::of(note.to_owned())));
        };
        let writes = command == "set";
        let name = if writes { &self.leader } else { &self.follower };
        let from_env = sys.env().get("GET_HOSTS_FROM").is_some_and(|from| from == "env");
        let host = match from_env {
            true => {
                let variable = format!("{}_SERVICE_HOST", name.to_uppercase().replace('-', "_"));
                sys.env().get(&variable).cloned().unwrap_or_default()
            }
            false => name.clone(),
        };
        let key = field(request.query(), "key").unwrap_or_default();
        let value = field(request.query(), "value").unwrap_or_default();
        let words = match writes {
            true => vec!["SET".to_owned(), key, value],
            false => vec!["GET".to_owned(), key],
        };
        let ask = Ask::new(&host, PORT, &words);
        Some(Job::Guestbook(Call { ask, host, writes }))
    }
}

impl Call {
    /// When it goes on by itself.
    pub fn next_due(&self) -> Option<Time> {
        self.ask.next_due()
    }

    /// Goes on; the page once Redis has answered.
    pub fn poll(&mut self, sys: &mut dyn Sys) -> Option<Page> {
        let page = match self.ask.poll(sys)? {
            Ok(_) if self.writes => Page::of("{\"message\": \"Updated\"}".to_owned()),
            Ok(text) => Page::of(format!("{{\"data\": \"{}\"}}", text.unwrap_or_default())),
            Err(error) => return Some(self.failed(&error)),
        };
        Some(page.with("Content-Type", "application/json"))
    }

    fn failed(&self, error: &AskError) -> Page {
        let host = &self.host;
        let (class, why) = match error {
            AskError::NoSuchHost => (
                "Predis\\Connection\\ConnectionException",
                format!(
                    "php_network_getaddresses: getaddrinfo failed: Name or service not known \
                     [tcp://{host}:{PORT}]"
                ),
            ),
            AskError::Connect(errno) => (
                "Predis\\Connection\\ConnectionException",
                format!("{errno} [tcp://{host}:{PORT}]"),
            ),
            AskError::Server(why) => ("Predis\\Response\\ServerException", why.clone()),
        };
        let line = format!("PHP Fatal error:  Uncaught {class}: {why} in /usr/share/php/Predis");
        Page { errors: vec![line], ..Page::default().status(500) }
    }
}
