//! What a broker holds: users, virtual hosts, exchanges, queues and their messages.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Queues, users, virtual hosts, bindings; messages of a queue, bytes of a message.
const QUEUES_MAX: usize = 1_000;
const NAMES_MAX: usize = 100;
const BINDINGS_MAX: usize = 1_000;
const MESSAGES_MAX: usize = 10_000;
const BODY_MAX: usize = 64 * 1024;

/// A message.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Message {
    pub body: String,
    pub exchange: String,
    pub key: String,
    pub persistent: bool,
    pub redelivered: bool,
}

/// A queue.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Queue {
    pub durable: bool,
    pub auto_delete: bool,
    pub exclusive: bool,
    pub ready: VecDeque<Message>,
    /// Messages that somebody has and has not confirmed, by their tags.
    #[serde(skip)]
    pub unacked: BTreeMap<u64, Message>,
    #[serde(skip)]
    pub consumers: usize,
}

/// A user.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct User {
    pub password: String,
    pub tags: Vec<String>,
    /// What it may configure, write and read, by virtual hosts.
    pub permissions: BTreeMap<String, [String; 3]>,
}

/// An exchange.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Exchange {
    pub kind: String,
    pub durable: bool,
}

/// What queue gets what of an exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    pub exchange: String,
    pub queue: String,
    pub key: String,
}

/// One virtual host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Vhost {
    pub queues: BTreeMap<String, Queue>,
    pub exchanges: BTreeMap<String, Exchange>,
    pub bindings: Vec<Binding>,
}

/// All of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Broker {
    pub users: BTreeMap<String, User>,
    pub vhosts: BTreeMap<String, Vhost>,
    #[serde(skip)]
    next_tag: u64,
}

/// Why something is not done: AMQP's code and text.
pub type Refusal = (u16, String);

const EXCHANGES: &[(&str, &str)] = &[
    ("", "direct"),
    ("amq.direct", "direct"),
    ("amq.fanout", "fanout"),
    ("amq.headers", "headers"),
    ("amq.match", "headers"),
    ("amq.rabbitmq.trace", "topic"),
    ("amq.topic", "topic"),
];

impl Default for Vhost {
    /// One with the exchanges that every one has.
    fn default() -> Vhost {
        let own = |(name, kind): &(&str, &str)| {
            ((*name).to_owned(), Exchange { kind: (*kind).to_owned(), durable: true })
        };
        Vhost {
            queues: BTreeMap::new(),
            exchanges: EXCHANGES.iter().map(own).collect(),
            bindings: Vec::new(),
        }
    }
}

impl Vhost {
    /// The names of the queues that get what is sent to an exchange.
    fn routes(&self, exchange: &str, key: &str) -> Vec<String> {
        if exchange.is_empty() {
            return Some(key.to_owned())
                .filter(|key| self.queues.contains_key(key))
                .into_iter()
                .collect();
        }
        let kind = self.exchanges.get(exchange).map_or("", |it| it.kind.as_str());
        let fits = |binding: &&Binding| {
            binding.exchange == exchange
                && match kind {
                    "fanout" => true,
                    "topic" => topic(&binding.key, key),
                    _ => binding.key == key,
                }
        };
        let mut names: Vec<String> =
            self.bindings.iter().filter(fits).map(|binding| binding.queue.clone()).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// Whether a key fits a pattern of words: `*` is one, `#` any number.
fn topic(pattern: &str, key: &str) -> bool {
    fn fits(pattern: &[&str], words: &[&str]) -> bool {
        match (pattern.split_first(), words.split_first()) {
            (None, None) => true,
            (Some((&"#", rest)), None) => fits(rest, words),
            (Some((&"#", rest)), Some((_, after))) => fits(rest, words) || fits(pattern, after),
            (Some((first, rest)), Some((word, after))) => {
                (*first == "*" || first == word) && fits(rest, after)
            }
            _ => false,
        }
    }
    let pattern: Vec<&str> = pattern.split('.').take(16).collect();
    let words: Vec<&str> = key.split('.').take(64).collect();
    fits(&pattern, &words)
}

impl Broker {
    /// A user's password and its virtual host.
    pub fn opens(&self, user: &str, password: &str, vhost: &str) -> Result<(), Refusal> {
        let known = self.users.get(user).filter(|known| known.password == password);
        let Some(known) = known else {
            let text = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For \
                        details see the broker logfile.";
            return Err((403, text.to_owned()));
        };
        if !self.vhosts.contains_key(vhost) {
            return Err((530, format!("NOT_ALLOWED - vhost {vhost} not found")));
        }
        if !known.permissions.contains_key(vhost) {
            let text = format!("NOT_ALLOWED - access to vhost '{vhost}' refused for user '{user}'");
            return Err((530, text));
        }
        Ok(())
    }

    /// Makes a user, who may do everything in a virtual host if one is named.
    pub fn add_user(
        &mut self,
        name: &str,
        password: &str,
        tags: &[&str],
        vhost: Option<&str>,
    ) -> bool {
        if self.users.len() >= NAMES_MAX {
            return false;
        }
        let all = || [".*".to_owned(), ".*".to_owned(), ".*".to_owned()];
        let user = User {
            password: password.to_owned(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            permissions: vhost.map(|vhost| (vhost.to_owned(), all())).into_iter().collect(),
        };
        self.users.insert(name.to_owned(), user);
        true
    }

    /// Makes a virtual host; tells whether there is room.
    pub fn add_vhost(&mut self, name: &str) -> bool {
        let room = self.vhosts.len() < NAMES_MAX;
        if room {
            self.vhosts.entry(name.to_owned()).or_default();
        }
        room
    }

    fn vhost(&mut self, name: &str) -> Result<&mut Vhost, Refusal> {
        let missing = || (530, format!("NOT_ALLOWED - vhost {name} not found"));
        self.vhosts.get_mut(name).ok_or_else(missing)
    }

    /// A queue.
    pub fn queue(&mut self, vhost: &str, name: &str) -> Result<&mut Queue, Refusal> {
        let missing = (404, format!("NOT_FOUND - no queue '{name}' in vhost '{vhost}'"));
        self.vhost(vhost)?.queues.get_mut(name).ok_or(missing)
    }

    /// Makes a queue; one that is there must be alike.
    pub fn declare(
        &mut self,
        vhost: &str,
        name: &str,
        durable: bool,
        auto_delete: bool,
        exclusive: bool,
    ) -> Result<(), Refusal> {
        let host = self.vhost(vhost)?;
        if let Some(queue) = host.queues.get(name) {
            if queue.durable == durable {
                return Ok(());
            }
            let text = format!(
                "PRECONDITION_FAILED - inequivalent arg 'durable' for queue '{name}' in vhost \
                 '{vhost}': received '{durable}' but current is '{}'",
                queue.durable
            );
            return Err((406, text));
        }
        if host.queues.len() >= QUEUES_MAX {
            return Err((406, "PRECONDITION_FAILED - the sandbox keeps no more queues".to_owned()));
        }
        let queue = Queue { durable, auto_delete, exclusive, ..Queue::default() };
        host.queues.insert(name.to_owned(), queue);
        Ok(())
    }

    /// Takes a queue away; tells how many messages were in it.
    pub fn delete(&mut self, vhost: &str, name: &str) -> usize {
        let Ok(host) = self.vhost(vhost) else { return 0 };
        host.bindings.retain(|binding| binding.queue != name);
        host.queues.remove(name).map_or(0, |queue| queue.ready.len())
    }

    /// Makes an exchange.
    pub fn declare_exchange(
        &mut self,
        vhost: &str,
        name: &str,
        kind: &str,
        durable: bool,
    ) -> Result<(), Refusal> {
        let host = self.vhost(vhost)?;
        if let Some(known) = host.exchanges.get(name) {
            if known.kind == kind {
                return Ok(());
            }
            let text = format!(
                "PRECONDITION_FAILED - inequivalent arg 'type' for exchange '{name}' in vhost \
                 '{vhost}': received '{kind}' but current is '{}'",
                known.kind
            );
            return Err((406, text));
        }
        if host.exchanges.len() >= QUEUES_MAX {
            return Err((
                406,
                "PRECONDITION_FAILED - the sandbox keeps no more exchanges".to_owned(),
            ));
        }
        host.exchanges.insert(name.to_owned(), Exchange { kind: kind.to_owned(), durable });
        Ok(())
    }

    /// Lets a queue get what an exchange has for a key.
    pub fn bind(&mut self, vhost: &str, binding: Binding) -> Result<(), Refusal> {
        let host = self.vhost(vhost)?;
        if !host.queues.contains_key(&binding.queue) {
            let name = &binding.queue;
            return Err((404, format!("NOT_FOUND - no queue '{name}' in vhost '{vhost}'")));
        }
        if !host.exchanges.contains_key(&binding.exchange) {
            let name = &binding.exchange;
            return Err((404, format!("NOT_FOUND - no exchange '{name}' in vhost '{vhost}'")));
        }
        if !host.bindings.contains(&binding) && host.bindings.len() < BINDINGS_MAX {
            host.bindings.push(binding);
        }
        Ok(())
    }

    /// Sends a message; tells whether any queue took it.
    pub fn publish(&mut self, vhost: &str, message: &Message) -> Result<bool, Refusal> {
        if message.body.len() > BODY_MAX {
            let text = format!(
                "PRECONDITION_FAILED - message size {} is larger than configured max \
                                size {BODY_MAX}",
                message.body.len()
            );
            return Err((406, text));
        }
        let host = self.vhost(vhost)?;
        let exchange = &message.exchange;
        if !host.exchanges.contains_key(exchange) {
            return Err((404, format!("NOT_FOUND - no exchange '{exchange}' in vhost '{vhost}'")));
        }
        let names = host.routes(exchange, &message.key);
        for name in &names {
            if let Some(queue) = host.queues.get_mut(name) {
                if queue.ready.len() >= MESSAGES_MAX {
                    queue.ready.pop_front();
                }
                queue.ready.push_back(message.clone());
            }
        }
        Ok(!names.is_empty())
    }

    /// The next message, which waits to be confirmed under a tag if `ack`.
    pub fn take(
        &mut self,
        vhost: &str,
        name: &str,
        ack: bool,
    ) -> Result<Option<(u64, Message)>, Refusal> {
        self.next_tag += 1;
        let tag = self.next_tag;
        let queue = self.queue(vhost, name)?;
        let Some(message) = queue.ready.pop_front() else { return Ok(None) };
        if ack {
            queue.unacked.insert(tag, message.clone());
        }
        Ok(Some((tag, message)))
    }

    /// A message that was taken is done with, or goes back to the front of its queue.
    pub fn settle(&mut self, vhost: &str, name: &str, tag: u64, done: bool) {
        let Ok(queue) = self.queue(vhost, name) else { return };
        if let Some(message) = queue.unacked.remove(&tag)
            && !done
        {
            queue.ready.push_front(Message { redelivered: true, ..message });
        }
    }

    /// What outlives the process: durable queues and their persistent messages.
    pub fn kept(&self) -> Broker {
        let mut kept = self.clone();
        for vhost in kept.vhosts.values_mut() {
            vhost.queues.retain(|_, queue| queue.durable && !queue.exclusive);
            for queue in vhost.queues.values_mut() {
                let back = std::mem::take(&mut queue.unacked).into_values().rev();
                for message in back {
                    queue.ready.push_front(Message { redelivered: true, ..message });
                }
                queue.ready.retain(|message| message.persistent);
            }
            let queues = &vhost.queues;
            vhost.bindings.retain(|binding| queues.contains_key(&binding.queue));
            vhost.exchanges.retain(|_, exchange| exchange.durable);
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker() -> Broker {
        let mut broker = Broker::default();
        broker.add_vhost("/");
        broker.add_user("guest", "guest", &["administrator"], Some("/"));
        broker
    }

    fn message(exchange: &str, key: &str) -> Message {
        let (exchange, key) = (exchange.to_owned(), key.to_owned());
        Message { exchange, key, body: "x".to_owned(), ..Message::default() }
    }

    #[test]
    fn what_is_not_confirmed_comes_back() {
        let mut broker = broker();
        broker.declare("/", "q", true, false, false).unwrap();
        assert!(broker.publish("/", &message("", "q")).unwrap());
        assert!(!broker.publish("/", &message("", "nothing")).unwrap());
        let (tag, first) = broker.take("/", "q", true).unwrap().unwrap();
        assert!(!first.redelivered);
        assert!(broker.take("/", "q", true).unwrap().is_none());
        broker.settle("/", "q", tag, false);
        let (tag, again) = broker.take("/", "q", true).unwrap().unwrap();
        assert!(again.redelivered);
        broker.settle("/", "q", tag, true);
        assert!(broker.take("/", "q", true).unwrap().is_none());
    }

    #[test]
    fn refusals_in_rabbitmqs_words() {
        let mut broker = broker();
        broker.declare("/", "q", true, false, false).unwrap();
        let table = [
            (broker.take("/", "x", true).err(), (404, "NOT_FOUND - no queue 'x' in vhost '/'")),
            (
                broker.declare("/", "q", false, false, false).err(),
                (
                    406,
                    "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': \
                     received 'false' but current is 'true'",
                ),
            ),
            (broker.opens("guest", "guest", "/b").err(), (530, "NOT_ALLOWED - vhost /b not found")),
        ];
        for (refusal, (code, text)) in table {
            assert_eq!(refusal, Some((code, text.to_owned())));
        }
    }

    #[test]
    fn topics() {
        let table = [
            ("a.*", "a.b", true),
            ("a.*", "a.b.c", false),
            ("a.#", "a.b.c", true),
            ("#", "", true),
            ("a", "b", false),
        ];
        for (pattern, key, expected) in table {
            assert_eq!(topic(pattern, key), expected, "{pattern} {key}");
        }
    }

    #[test]
    fn durable_queues_keep_persistent_messages() {
        let mut broker = broker();
        broker.declare("/", "q", true, false, false).unwrap();
        broker.declare("/", "t", false, false, false).unwrap();
        broker.publish("/", &message("", "q")).unwrap();
        broker.publish("/", &Message { persistent: true, ..message("", "q") }).unwrap();
        let kept = broker.kept();
        let vhost = kept.vhosts.get("/").unwrap();
        assert_eq!(vhost.queues.keys().collect::<Vec<_>>(), ["q"]);
        assert_eq!(vhost.queues["q"].ready.len(), 1);
    }
}
