//! `memcached`: the text protocol of its store.
//!
//! Upstream: `doc/protocol.txt` of `memcached/memcached`.

use naru_shell::{Errno, NetStack, Program, Signal, SocketId, Step, Sys};
use naru_sim::Time;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Where it listens; clients at once; items; bytes of an item and of a line.
const PORT: u16 = 11_211;
const CLIENTS_MAX: usize = 256;
const ITEMS_MAX: usize = 10_000;
const ITEM_MAX: usize = 1 << 20;
const READ_MAX: usize = 64 * 1024;

/// The server.
#[derive(Clone, Debug, Default)]
pub struct Memcached {
    listener: Option<SocketId>,
    clients: Vec<(SocketId, Vec<u8>)>,
    store: Store,
}

#[derive(Clone, Debug, Default)]
struct Store {
    items: BTreeMap<String, Item>,
    gets: u64,
    hits: u64,
    sets: u64,
}

#[derive(Clone, Debug)]
struct Item {
    flags: String,
    bytes: Vec<u8>,
    until: Option<Time>,
}

impl Program for Memcached {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        sys.catch(Signal::Term);
        if sys.take_signal().is_some() {
            return Step::Exit(0);
        }
        let now = sys.now();
        let Some(net) = sys.net() else { return Step::Exit(71) };
        if self.listener.is_none() {
            let at = SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT));
            match net.tcp_listen(at) {
                Ok(listener) => self.listener = Some(listener),
                Err(errno) => {
                    let line = format!("failed to listen on TCP port {PORT}: {errno}\n");
                    let _ = sys.write(2, line.as_bytes());
                    return Step::Exit(71);
                }
            }
            sys.use_memory(4 << 20);
            return Step::Yield;
        }
        if let Some(listener) = self.listener {
            while let Ok((socket, _)) = net.accept(listener) {
                if self.clients.len() < CLIENTS_MAX {
                    self.clients.push((socket, Vec::new()));
                } else {
                    net.close(socket);
                }
            }
        }
        let store = &mut self.store;
        self.clients.retain_mut(|(socket, input)| talk(net, *socket, input, store, now));
        Step::Block { until: None }
    }
}

/// Goes on with a client; tells whether it is still there.
fn talk(
    net: &mut dyn NetStack,
    socket: SocketId,
    input: &mut Vec<u8>,
    store: &mut Store,
    now: Time,
) -> bool {
    let mut ended = false;
    loop {
        match net.recv(socket, READ_MAX) {
            Ok(_) if input.len() > ITEM_MAX + READ_MAX => {
                net.close(socket);
                return false;
            }
            Ok(bytes) if bytes.is_empty() => {
                // What was asked before is answered still.
                ended = true;
                break;
            }
            Ok(bytes) => input.extend(bytes),
            Err(Errno::Again) => break,
            Err(_) => return false,
        }
    }
    while let Some((answer, taken)) = store.answer(input, now) {
        input.drain(..taken.min(input.len()));
        match answer {
            Some(answer) if net.send(socket, &answer) == Ok(answer.len()) => {}
            _ => {
                net.close(socket);
                return false;
            }
        }
    }
    if ended {
        net.close(socket);
    }
    !ended
}

/// An answer (none ends the connection), and how many bytes the question took.
type Answered = (Option<Vec<u8>>, usize);

impl Store {
    /// Answers the first question, once it is whole.
    fn answer(&mut self, input: &[u8], now: Time) -> Option<Answered> {
        let end = input.iter().position(|byte| *byte == b'\n')?;
        let line = String::from_utf8_lossy(input.get(..end).unwrap_or_default()).into_owned();
        let words: Vec<&str> = line.split_whitespace().collect();
        let taken = end + 1;
        let said = |text: &str| Some((Some(format!("{text}\r\n").into_bytes()), taken));
        match words.as_slice() {
            [verb @ ("set" | "add" | "replace"), key, flags, seconds, bytes, ..] => {
                let Ok(length) = bytes.parse::<usize>() else {
                    return said("CLIENT_ERROR bad command line format");
                };
                if length > ITEM_MAX {
                    return said("SERVER_ERROR object too large for cache");
                }
                let data = input.get(taken..taken + length)?;
                let rest = input.get(taken + length..)?;
                let close = rest.iter().position(|byte| *byte == b'\n')?;
                let taken = taken + length + close + 1;
                let there = self.get(key, now).is_some();
                let stores = match *verb {
                    "add" => !there,
                    "replace" => there,
                    _ => true,
                } && self.items.len() < ITEMS_MAX;
                if stores {
                    self.sets += 1;
                    let seconds = seconds.parse::<u64>().unwrap_or(0);
                    let until = (seconds > 0).then(|| now + Duration::from_secs(seconds));
                    let item = Item { flags: (*flags).to_owned(), bytes: data.to_vec(), until };
                    self.items.insert((*key).to_owned(), item);
                }
                let word: &[u8] = if stores { b"STORED\r\n" } else { b"NOT_STORED\r\n" };
                Some((Some(word.to_vec()), taken))
            }
            ["get" | "gets", keys @ ..] if !keys.is_empty() => {
                let mut out = Vec::new();
                for key in keys {
                    self.gets += 1;
                    if let Some(item) = self.get(key, now).cloned() {
                        self.hits += 1;
                        out.extend(
                            format!("VALUE {key} {} {}\r\n", item.flags, item.bytes.len()).bytes(),
                        );
                        out.extend(item.bytes);
                        out.extend(b"\r\n");
                    }
                }
                out.extend(b"END\r\n");
                Some((Some(out), taken))
            }
            ["delete", key, ..] => match self.items.remove(*key) {
                Some(_) => said("DELETED"),
                None => said("NOT_FOUND"),
            },
            ["flush_all", ..] => {
                self.items.clear();
                said("OK")
            }
            ["version"] => said("VERSION 1.6.38"),
            ["stats"] => said(&format!(
                "STAT curr_items {}\r\nSTAT cmd_get {}\r\nSTAT cmd_set {}\r\nSTAT get_hits {}\r\nSTAT \
                 get_misses {}\r\nEND",
                self.items.len(),
                self.gets,
                self.sets,
                self.hits,
                self.gets - self.hits
            )),
            ["quit"] => Some((None, taken)),
            _ => said("ERROR"),
        }
    }

    fn get(&self, key: &str, now: Time) -> Option<&Item> {
        self.items.get(key).filter(|item| item.until.is_none_or(|until| now < until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(store: &mut Store, question: &str, now: Time) -> String {
        match store.answer(question.as_bytes(), now) {
            Some((Some(answer), taken)) => {
                assert_eq!(taken, question.len());
                String::from_utf8(answer).unwrap()
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn what_is_stored_is_given_until_it_is_old() {
        let mut store = Store::default();
        let (early, late) = (Time::from_secs(1), Time::from_secs(100));
        assert_eq!(ask(&mut store, "set a 0 10 3\r\nabc\r\n", early), "STORED\r\n");
        assert_eq!(ask(&mut store, "get a\r\n", early), "VALUE a 0 3\r\nabc\r\nEND\r\n");
        assert_eq!(ask(&mut store, "get a\r\n", late), "END\r\n");
        assert_eq!(ask(&mut store, "replace b 0 0 1\r\nx\r\n", early), "NOT_STORED\r\n");
        assert_eq!(ask(&mut store, "nonsense\r\n", early), "ERROR\r\n");
        assert!(store.answer(b"set a 0 0 3\r\nab", early).is_none());
        assert!(matches!(store.answer(b"quit\r\n", early), Some((None, 6))));
    }
}
