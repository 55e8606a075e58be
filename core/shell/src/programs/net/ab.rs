//! `ab`: asks a web server as fast as it answers, and tells how fast that was.
//!
//! Upstream: `support/ab.c` of the Apache HTTP server.

use crate::serve::Dial;
use crate::{Errno, Program, Progress, SocketId, Step, Sys};
use naru_network::http::{Request, Response, ResponseReader, Version};
use naru_sim::Time;
use std::sync::Arc;
use std::time::Duration;

/// Requests and connections of one run.
const REQUESTS_MAX: u64 = 50_000;
const CONCURRENCY_MAX: usize = 200;
/// Requests when there is a time limit and no number. Upstream: the same.
const TIMED_REQUESTS: u64 = 50_000;
/// How long is waited for an answer. Upstream: `-s`.
const TIMEOUT: Duration = Duration::from_secs(30);
const READ_MAX: usize = 64 * 1024;

const BANNER: &str = "\
This is ApacheBench, Version 2.3 <$Revision: 1903618 $>
Copyright 1996 Adam Twiss, Zeus Technology Ltd, http://www.zeustech.net/
Licensed to The Apache Software Foundation, http://www.apache.org/

";

/// `ab [-n requests] [-c concurrency] [-t seconds] [-k] http://host[:port]/path`
#[derive(Clone, Debug, Default)]
pub struct Ab {
    wish: Option<Arc<Wish>>,
    /// The request, which is the same each time.
    request: Vec<u8>,
    slots: Vec<Slot>,
    begun: u64,
    results: Vec<Sample>,
    failed: u64,
    bad_status: u64,
    /// Requests after which the server kept the connection.
    kept: u64,
    bytes: u64,
    html: u64,
    length: Option<u64>,
    server: String,
    started: Time,
    /// When something last came.
    moved: Time,
    told: u64,
}

#[derive(Clone, Debug)]
struct Wish {
    requests: u64,
    concurrency: usize,
    limit: Option<Duration>,
    keep_alive: bool,
    /// Says nothing on its way.
    quiet: bool,
    host: String,
    port: u16,
    path: String,
}

impl Wish {
    fn request(&self) -> Request {
        let host = match self.port {
            80 => self.host.clone(),
            port => format!("{}:{port}", self.host),
        };
        let mut request = Request { version: Version::Http10, ..Request::new("GET", &self.path) };
        if self.keep_alive {
            request.headers.add("Connection", "Keep-Alive");
        }
        request.headers.add("Host", host);
        request.headers.add("User-Agent", "ApacheBench/2.3");
        request.headers.add("Accept", "*/*");
        request
    }
}

/// When a connection stood and when the answer was there, after its start.
#[derive(Clone, Copy, Debug)]
struct Sample {
    connect: Duration,
    wait: Duration,
    total: Duration,
}

#[derive(Clone, Debug)]
struct Slot {
    since: Time,
    connected: Time,
    first: Option<Time>,
    state: State,
    reader: ResponseReader,
    seen: u64,
}

#[derive(Clone, Debug)]
enum State {
    Dialing(Box<Dial>),
    Talking(SocketId),
}

impl Program for Ab {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if self.wish.is_none()
            && let Err(code) = self.begin(sys)
        {
            return Step::Exit(code);
        }
        let Some(wish) = self.wish.clone() else { return Step::Exit(1) };
        let now = sys.now();
        let over = wish.limit.is_some_and(|limit| now.since(self.started) >= limit);
        let mut until: Option<Time> = wish.limit.map(|limit| self.started + limit);
        let waiting = self.slots.len();
        let mut slots = std::mem::take(&mut self.slots);
        let mut refused = None;
        slots.retain_mut(|slot| match self.go_on(sys, &wish, slot, now) {
            Ok(Some(at)) => {
                until = [until, Some(at)].into_iter().flatten().min();
                true
            }
            Ok(None) => false,
            Err(text) => {
                refused.get_or_insert(text);
                false
            }
        });
        self.slots = slots;
        if let Some(text) = refused {
            let _ = sys.write(2, text.as_bytes());
            return Step::Exit(1);
        }
        while !over && self.slots.len() < wish.concurrency && self.begun < wish.requests {
            self.begun += 1;
            let dial = Box::new(Dial::new(&wish.host, wish.port));
            let reader = ResponseReader::new("GET");
            self.slots.push(Slot {
                since: now,
                connected: now,
                first: None,
                state: State::Dialing(dial),
                reader,
                seen: 0,
            });
            until = Some(now);
        }
        if waiting > 0 && !over && now.since(self.moved) >= TIMEOUT {
            return self.give_up(sys);
        }
        if over || (self.slots.is_empty() && self.begun >= wish.requests) {
            let text = self.report(&wish, now.since(self.started));
            let _ = sys.write(1, text.as_bytes());
            return Step::Exit(0);
        }
        Step::Block { until }
    }
}

impl Ab {
    fn begin(&mut self, sys: &mut dyn Sys) -> Result<(), i32> {
        let wish = match parse(sys.args()) {
            Ok(wish) => wish,
            Err(why) => {
                let usage = "Usage: ab [options] [http[s]://]hostname[:port]/path\n";
                let _ = sys.write(2, format!("{why}{usage}").as_bytes());
                return Err(22);
            }
        };
        let _ = sys.write(1, BANNER.as_bytes());
        let text = format!("Benchmarking {} (be patient)", wish.host);
        let few = wish.quiet || wish.requests <= 150 || wish.limit.is_some();
        let _ = sys.write(1, format!("{text}{}", if few { "..." } else { "\n" }).as_bytes());
        self.started = sys.now();
        self.moved = self.started;
        self.request = wish.request().to_bytes();
        self.wish = Some(Arc::new(wish));
        Ok(())
    }

    /// Goes on with one connection: when it looks again, or nothing once it has ended.
    fn go_on(
        &mut self,
        sys: &mut dyn Sys,
        wish: &Wish,
        slot: &mut Slot,
        now: Time,
    ) -> Result<Option<Time>, String> {
        if let State::Dialing(dial) = &mut slot.state {
            match dial.poll(sys) {
                Progress::Waits(at) => {
                    let deadline = self.moved + TIMEOUT;
                    return Ok(Some(at.unwrap_or(deadline).min(deadline)));
                }
                Progress::Done(Ok(socket)) => {
                    self.moved = now;
                    slot.connected = now;
                    self.send(sys, socket);
                    slot.state = State::Talking(socket);
                }
                Progress::Done(Err(error)) => return Err(refusal(&error)),
            }
        }
        let State::Talking(socket) = slot.state else { return Ok(None) };
        let answer = match self.receive(sys, slot, socket, now) {
            Ok(false) => return Ok(Some(self.moved + TIMEOUT)),
            Ok(true) => slot.reader.take().map_err(drop),
            Err(()) => Err(()),
        };
        match answer {
            Ok(None) => Ok(Some(self.moved + TIMEOUT)),
            Ok(Some(response)) => {
                self.note(slot, &response, now);
                self.tell(sys);
                Ok(self.again(sys, wish, slot, (socket, &response), now))
            }
            Err(()) => {
                self.end(sys, socket);
                self.failed += 1;
                Ok(None)
            }
        }
    }

    /// Takes in what came; tells whether anything has, or that the connection is broken.
    fn receive(
        &mut self,
        sys: &mut dyn Sys,
        slot: &mut Slot,
        socket: SocketId,
        now: Time,
    ) -> Result<bool, ()> {
        let mut came = false;
        loop {
            let received =
                sys.net().ok_or(Errno::NetUnreachable).and_then(|net| net.recv(socket, READ_MAX));
            match received {
                Ok(bytes) if bytes.is_empty() => {
                    self.moved = now;
                    slot.reader.close();
                    return Ok(true);
                }
                Ok(bytes) => {
                    self.moved = now;
                    slot.first.get_or_insert(now);
                    slot.seen += bytes.len() as u64;
                    slot.reader.push(&bytes);
                    came = true;
                }
                Err(Errno::Again) => return Ok(came),
                Err(_) => return Err(()),
            }
        }
    }

    /// The next request on a connection that the server keeps; otherwise the connection's end.
    fn again(
        &mut self,
        sys: &mut dyn Sys,
        wish: &Wish,
        slot: &mut Slot,
        (socket, response): (SocketId, &Response),
        now: Time,
    ) -> Option<Time> {
        let word = response.headers.get("Connection").unwrap_or_default();
        if wish.keep_alive && word.eq_ignore_ascii_case("keep-alive") {
            self.kept += 1;
            if self.begun < wish.requests {
                self.begun += 1;
                // Upstream: no time for connecting.
                (slot.since, slot.connected, slot.first, slot.seen) = (now, now, None, 0);
                self.send(sys, socket);
                return Some(self.moved + TIMEOUT);
            }
        }
        self.end(sys, socket);
        None
    }

    /// Nothing has come for too long. Upstream: `apr_err`, whose exit code is APR's number cut to a
    /// byte.
    fn give_up(&self, sys: &mut dyn Sys) -> Step {
        let why = "apr_pollset_poll: The timeout specified has expired (70007)\n";
        let _ = sys.write(2, why.as_bytes());
        let done = self.results.len() as u64 + self.failed;
        if done > 0 {
            let _ = sys.write(1, format!("Total of {done} requests completed\n").as_bytes());
        }
        Step::Exit(70_007 % 256)
    }

    fn send(&self, sys: &mut dyn Sys, socket: SocketId) {
        if let Some(net) = sys.net() {
            // A connection that breaks now has no answer either.
            let _ = net.send(socket, &self.request);
        }
    }

    fn end(&self, sys: &mut dyn Sys, socket: SocketId) {
        if let Some(net) = sys.net() {
            net.close(socket);
        }
    }

    fn note(&mut self, slot: &Slot, response: &Response, now: Time) {
        let (length, first) = (response.body.len() as u64, slot.first.unwrap_or(now));
        self.bytes += slot.seen;
        self.html += length;
        if !(200..300).contains(&response.status) {
            self.bad_status += 1;
        }
        let wanted = *self.length.get_or_insert(length);
        if wanted != length {
            self.failed += 1;
        }
        if self.server.is_empty() {
            response.headers.get("Server").unwrap_or_default().clone_into(&mut self.server);
        }
        self.results.push(Sample {
            connect: slot.connected.since(slot.since),
            wait: first.since(slot.connected),
            total: now.since(slot.since),
        });
    }

    /// Upstream: the heartbeat, every tenth of the requests and at least every hundred.
    fn tell(&mut self, sys: &mut dyn Sys) {
        let Some(wish) = &self.wish else { return };
        if wish.quiet || wish.requests <= 150 || wish.limit.is_some() {
            return;
        }
        let every = (wish.requests / 10).max(100);
        let done = self.results.len() as u64;
        if done.is_multiple_of(every) && done != self.told && done < wish.requests {
            self.told = done;
            let _ = sys.write(2, format!("Completed {done} requests\n").as_bytes());
        }
    }

    fn report(&mut self, wish: &Wish, took: Duration) -> String {
        let done = self.results.len() as u64;
        let seconds = took.as_secs_f64().max(0.001);
        let few = wish.quiet || wish.requests <= 150;
        let mut text = match (few, wish.limit) {
            (true, None) => "..done\n".to_owned(),
            _ => format!("Finished {done} requests\n"),
        };
        let per_second = done as f64 / seconds;
        let mean =
            if done == 0 { 0.0 } else { wish.concurrency as f64 * seconds * 1_000.0 / done as f64 };
        let rate = self.bytes as f64 / 1_024.0 / seconds;
        text.push_str(&format!(
            "\n\nServer Software:        {}\nServer Hostname:        {}\nServer Port:            {}\n\n\
             Document Path:          {}\nDocument Length:        {} bytes\n\n\
             Concurrency Level:      {}\nTime taken for tests:   {seconds:.3} seconds\n\
             Complete requests:      {done}\nFailed requests:        {}\n",
            self.server,
            wish.host,
            wish.port,
            wish.path,
            self.length.unwrap_or(0),
            wish.concurrency,
            self.failed,
        ));
        if self.failed > 0 {
            text.push_str(&format!(
                "   (Connect: 0, Receive: 0, Length: {}, Exceptions: 0)\n",
                self.failed
            ));
        }
        if self.bad_status > 0 {
            text.push_str(&format!("Non-2xx responses:      {}\n", self.bad_status));
        }
        if wish.keep_alive {
            text.push_str(&format!("Keep-Alive requests:    {}\n", self.kept));
        }
        text.push_str(&format!(
            "Total transferred:      {} bytes\nHTML transferred:       {} bytes\n\
             Requests per second:    {per_second:.2} [#/sec] (mean)\n\
             Time per request:       {mean:.3} [ms] (mean)\n\
             Time per request:       {:.3} [ms] (mean, across all concurrent requests)\n\
             Transfer rate:          {rate:.2} [Kbytes/sec] received\n",
            self.bytes,
            self.html,
            mean / wish.concurrency as f64,
        ));
        if done > 0 {
            text.push_str(&self.times());
        }
        text
    }

    fn times(&mut self) -> String {
        let millis = |time: Duration| time.as_secs_f64() * 1_000.0;
        let mut text =
            "\nConnection Times (ms)\n              min  mean[+/-sd] median   max\n".to_owned();
        for name in ["Connect:   ", "Processing:", "Waiting:   ", "Total:     "] {
            let of = |it: &Sample| match name.trim_end() {
                "Connect:" => it.connect,
                "Processing:" => it.total.saturating_sub(it.connect),
                "Waiting:" => it.wait,
                _ => it.total,
            };
            let mut all: Vec<f64> = self.results.iter().map(|it| millis(of(it))).collect();
            all.sort_by(f64::total_cmp);
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let spread = all.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / all.len() as f64;
            let at = |place: usize| all.get(place).copied().unwrap_or(0.0);
            text.push_str(&format!(
                "{name} {:>5.0} {mean:>4.0} {:>5.1} {:>6.0} {:>7.0}\n",
                at(0),
                spread.sqrt(),
                at(all.len() / 2),
                at(all.len() - 1)
            ));
        }
        self.results.sort_by_key(|it| it.total);
        text.push_str("\nPercentage of the requests served within a certain time (ms)\n");
        for percent in [50, 66, 75, 80, 90, 95, 98, 99, 100] {
            let count = self.results.len();
            let place = (count * percent / 100).min(count - 1);
            let time = self.results.get(place).map_or(0.0, |it| millis(it.total));
            let longest = if percent == 100 { " (longest request)" } else { "" };
            text.push_str(&format!("{percent:>4}% {time:>6.0}{longest}\n"));
        }
        text
    }
}

fn refusal(error: &crate::serve::DialError) -> String {
    match error {
        crate::serve::DialError::NoSuchHost => {
            "\nab: Name or service not known (670002)\n".to_owned()
        }
        crate::serve::DialError::Connect(errno) => {
            let number = match errno {
                Errno::ConnRefused => 111,
                Errno::TimedOut => 110,
                _ => 113,
            };
            format!("\napr_socket_connect(): {errno} ({number})\n")
        }
    }
}

fn parse(args: &[String]) -> Result<Wish, String> {
    let (mut requests, mut concurrency, mut limit, mut url) = (None, 1, None, None);
    let (mut keep_alive, mut quiet) = (false, false);
    let mut rest = args.iter().skip(1);
    while let Some(arg) = rest.next() {
        let split = arg.get(..2).filter(|_| arg.starts_with('-') && arg.len() > 2);
        let (flag, glued) = match split {
            Some(flag) => (flag, arg.get(2..)),
            None => (arg.as_str(), None),
        };
        let mut value =
            || glued.map(str::to_owned).or_else(|| rest.next().cloned()).unwrap_or_default();
        match flag {
            "-n" => {
                let number = value().parse::<u64>().ok().filter(|number| *number > 0);
                let number = number.ok_or("ab: Invalid number of requests\n")?;
                requests = Some(number.min(REQUESTS_MAX));
            }
            "-c" => {
                let number = value().parse::<usize>().ok().filter(|number| *number > 0);
                concurrency = number.ok_or("ab: Invalid Concurrency [Range 0..20000]\n")?;
            }
            "-t" => {
                limit = value().parse().ok().map(Duration::from_secs);
                // Upstream: the limit says how many, unless a number follows it.
                requests = Some(TIMED_REQUESTS);
            }
            "-s" | "-H" | "-T" | "-A" | "-C" => drop(value()),
            "-k" => keep_alive = true,
            "-q" => quiet = true,
            "-r" | "-l" | "-d" => {}
            flag if flag.starts_with('-') => {
                return Err(format!("ab: invalid option -- '{}'\n", flag.trim_start_matches('-')));
            }
            address => url = Some(address.to_owned()),
        }
    }
    let url = url.ok_or("ab: wrong number of arguments\n")?;
    let requests = requests.unwrap_or(1);
    if concurrency as u64 > requests {
        return Err(
            "ab: Cannot use concurrency level greater than total number of requests\n".to_owned()
        );
    }
    let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    let Some(at) = rest.find('/') else { return Err("ab: invalid URL\n".to_owned()) };
    let (authority, path) = rest.split_at(at);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| "ab: invalid URL\n")?),
        None => (authority, 80),
    };
    let concurrency = concurrency.min(CONCURRENCY_MAX);
    let (host, path) = (host.to_owned(), path.to_owned());
    Ok(Wish { requests, concurrency, limit, keep_alive, quiet, host, port, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Wish, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&words)
    }

    #[test]
    fn command_lines_are_read() {
        let wish = read("ab -c 100 -n 300 -t 60 http://192.168.2.100:30001/").unwrap();
        assert_eq!((wish.concurrency, wish.requests, wish.port), (100, 50_000, 30_001));
        assert_eq!(read("ab -n10 http://a/b").unwrap().path, "/b");
        assert_eq!(read("ab http://a").unwrap_err(), "ab: invalid URL\n");
        assert!(read("ab -n 1 -c 2 http://a/").is_err());
    }
}
