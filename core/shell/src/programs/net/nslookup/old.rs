//! `nslookup`, in the words of Busybox up to 1.28: it resolves as libc does, search domains and all,
//! and tells the name of each address.
//!
//! Upstream: `networking/nslookup.c` of Busybox 1.28.

use crate::programs::net::ask::Ask;
use crate::programs::net::resolver::Config;
use crate::programs::net::{Progress, Resolver};
use crate::programs::tool::{Out, finish};
use crate::{Program, Step, Sys};
use naru_network::dns::{Data, Name, RecordType};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(5);

/// `nslookup HOST [DNS_SERVER]`
#[derive(Clone, Debug, Default)]
pub struct Nslookup {
    out: Out,
    host: String,
    server: Option<IpAddr>,
    resolver: Option<Resolver>,
    /// Addresses to be told, each with the number of its line.
    left: VecDeque<(usize, IpAddr)>,
    ask: Option<Ask>,
    greeted: bool,
    code: Option<i32>,
}

impl Nslookup {
    fn start(&mut self, sys: &mut dyn Sys) -> Result<(), String> {
        let mut args = sys.args().iter().skip(1).cloned();
        self.host = args.next().ok_or("Usage: nslookup [HOST] [SERVER]")?;
        let asked = args.next();
        let text = sys.fs().read_text("/etc/resolv.conf").unwrap_or_default();
        let server = match asked {
            Some(server) => server.parse().map_err(|_| format!("bad address '{server}'"))?,
            None => Config::parse(&text).servers.first().copied().ok_or("no servers")?,
        };
        self.server = Some(server);
        self.left.push_back((1, server));
        self.out.line(format!("Server:    {server}"));
        Ok(())
    }

    fn advance(&mut self, sys: &mut dyn Sys) -> Progress<i32> {
        loop {
            if let Some((number, ip)) = self.left.front().copied() {
                let Some(server) = self.server else { return Progress::Done(1) };
                let new = || Ask::new(server, Name::reverse(ip), RecordType::Ptr, TIMEOUT, 1);
                let answer = match self.ask.get_or_insert_with(new).poll(sys) {
                    Progress::Waits(until) => return Progress::Waits(until),
                    Progress::Done(answer) => answer,
                };
                let answers = answer.into_iter().flat_map(|message| message.answers);
                let name = answers.into_iter().find_map(|record| match record.data {
                    Data::Ptr(name) => Some(format!(" {name}")),
                    _ => None,
                });
                self.out.line(format!("Address {number}: {ip}{}", name.unwrap_or_default()));
                self.ask = None;
                self.left.pop_front();
                if !self.greeted && self.left.is_empty() {
                    self.greeted = true;
                    self.out.line("");
                }
                continue;
            }
            if self.code.is_some() {
                return Progress::Done(0);
            }
            let kinds = [RecordType::A, RecordType::Aaaa];
            let resolver = self.resolver.get_or_insert_with(|| Resolver::new(&self.host, &kinds));
            match resolver.poll(sys) {
                Progress::Waits(until) => return Progress::Waits(until),
                Progress::Done(Ok(found)) => {
                    self.out.line(format!("Name:      {}", self.host));
                    self.left.extend(found.into_iter().enumerate().map(|(n, ip)| (n + 1, ip)));
                    self.code = Some(0);
                }
                Progress::Done(Err(_)) => {
                    self.out.error(format!("nslookup: can't resolve '{}'", self.host));
                    return Progress::Done(1);
                }
            }
        }
    }
}

impl Program for Nslookup {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if self.host.is_empty()
            && let Err(message) = self.start(sys)
        {
            self.out.error(format!("nslookup: {message}"));
            return finish(&mut self.out, sys, 1);
        }
        match self.advance(sys) {
            Progress::Waits(until) => {
                self.out.flush(sys);
                Step::Block { until }
            }
            Progress::Done(code) => finish(&mut self.out, sys, code),
        }
    }
}
