//! What a server makes of a request: which location it is for, and what that one does.
//!
//! Upstream: `src/http/ngx_http_core_module.c` and its phases, `src/http/modules`.

use super::conf::{Actions, Condition, Config, Location, Server, Step};
use super::pages;
use super::variables::Scope;
use super::{Nginx, decode};
use crate::programs::base64::decode64;
use naru_network::http::Response;
use naru_shell::serve::{Incoming, clock};
use naru_shell::{Errno, Sys};
use naru_sim::Time;

/// Redirects within the server that one request may take.
const REDIRECTS_MAX: usize = 10;
/// Bytes of a body where nothing is said.
const BODY_MAX: u64 = 1 << 20;

/// Where a request has come to.
#[derive(Clone, Debug)]
pub struct Handled {
    /// The actions of the location.
    pub actions: Actions,
    /// The location's path and sign, for what is passed on.
    pub location: (String, String),
    /// The request's variables.
    pub scope: Scope,
    /// Whether rewrites have changed the path.
    pub rewritten: bool,
    /// The status that an error page keeps.
    pub keeps: Option<u16>,
    /// What comes of it.
    pub end: End,
}

/// What comes of a request.
#[derive(Clone, Debug)]
pub enum End {
    /// An answer.
    Answer(Response),
    /// To be passed on to this target.
    Pass(String),
}

/// What a location has come to.
enum Reached {
    /// A page of its own making, or a file.
    Answer(Response),
    /// The server's page of a status.
    Status(u16),
    /// Another path within the server, or a location by its name.
    Elsewhere(String),
    Pass(String),
}

/// What steps have come to.
enum Stepped {
    On,
    /// The path has changed: locations are looked through again.
    Again,
    Answer(Response),
    Status(u16),
}

/// A request on its way.
#[derive(Clone)]
pub struct Way<'a> {
    pub nginx: &'a Nginx,
    pub config: &'a Config,
    pub server: &'a Server,
    pub port: u16,
    pub incoming: &'a Incoming,
    pub scope: Scope,
    path: String,
    rewritten: bool,
    keeps: Option<u16>,
    redirects: usize,
}

impl<'a> Way<'a> {
    /// The way of a request that has just come.
    pub fn new(
        nginx: &'a Nginx,
        config: &'a Config,
        server: &'a Server,
        port: u16,
        incoming: &'a Incoming,
        scope: Scope,
    ) -> Self {
        let path = decode(incoming.request.path());
        let slash = if path.ends_with('/') { "/" } else { "" };
        let normal = naru_shell::normalize("/", &path);
        let path = format!("{}{slash}", normal.trim_end_matches('/'));
        let path = if path.is_empty() { "/".to_owned() } else { path };
        let (rewritten, keeps, redirects) = (false, None, 0);
        Way { nginx, config, server, port, incoming, scope, path, rewritten, keeps, redirects }
    }

    /// Goes the whole way.
    pub fn go(mut self, sys: &mut dyn Sys) -> Handled {
        self.follow_path();
        let server = self.server;
        match self.steps(sys, &server.steps, &server.base) {
            Stepped::Answer(response) => {
                return self.end(sys, &server.base, None, Reached::Answer(response));
            }
            Stepped::Status(status) => {
                return self.end(sys, &server.base, None, Reached::Status(status));
            }
            Stepped::On | Stepped::Again => {}
        }
        self.locate(sys, None)
    }

    /// Goes on with an error page of this status, as a location says it; `None` where it says none.
    pub fn error_page(
        mut self,
        sys: &mut dyn Sys,
        actions: &Actions,
        status: u16,
    ) -> Option<Handled> {
        let (_, answered, page) =
            actions.error_pages.iter().find(|(codes, ..)| codes.contains(&status))?;
        if self.keeps.is_some() {
            return None;
        }
        self.keeps = Some(answered.unwrap_or(status));
        let page = self.scope.fill(page);
        if page.starts_with("http") {
            let code = answered.filter(|code| (301..=308).contains(code)).unwrap_or(302);
            let response = self.page(code, actions).with("Location", page);
            self.keeps = None;
            return Some(self.done(actions, None, End::Answer(response)));
        }
        if page.starts_with('@') {
            return Some(self.locate(sys, Some(page)));
        }
        self.path = page;
        self.follow_path();
        Some(self.locate(sys, None))
    }

    fn follow_path(&mut self) {
        self.scope.set("uri", self.path.clone());
        self.scope.set("document_uri", self.path.clone());
    }

    fn locate(mut self, sys: &mut dyn Sys, mut named: Option<String>) -> Handled {
        let server = self.server;
        loop {
            self.redirects += 1;
            if self.redirects > REDIRECTS_MAX {
                let why = format!(
                    "rewrite or internal redirection cycle while internally redirecting to \"{}\"",
                    self.path
                );
                self.nginx.trouble(sys, &why, self.incoming, self.port, self.config);
                let response = self.page(500, &server.base);
                return self.done(&server.base, None, End::Answer(response));
            }
            let location = match named.take() {
                Some(name) => server.named(&name),
                None => server.location(&self.path),
            };
            let actions = location.map_or(&server.base, |location| &location.actions);
            let root = actions.root.clone().unwrap_or_else(|| "/etc/nginx/html".to_owned());
            self.scope.set("document_root", self.scope.fill(&root));
            let real = self.real_path(actions, location, &self.path);
            self.scope.set("request_filename", real);
            if actions.internal && self.redirects <= 1 && self.keeps.is_none() {
                return self.end(sys, actions, location, Reached::Status(404));
            }
            if let Some(location) = location {
                match self.steps(sys, &location.steps, actions) {
                    Stepped::Again => continue,
                    Stepped::Answer(response) => {
                        return self.end(sys, actions, Some(location), Reached::Answer(response));
                    }
                    Stepped::Status(status) => {
                        return self.end(sys, actions, Some(location), Reached::Status(status));
                    }
                    Stepped::On => {}
                }
            }
            match self.content(sys, actions, location) {
                Reached::Elsewhere(to) if to.starts_with('@') => named = Some(to),
                Reached::Elsewhere(to) => {
                    let (path, query) = to.split_once('?').unwrap_or((&to, ""));
                    if !query.is_empty() {
                        self.scope.set("args", query);
                        self.scope.set("query_string", query);
                    }
                    self.path = path.to_owned();
                    self.follow_path();
                }
                reached => return self.end(sys, actions, location, reached),
            }
        }
    }

    fn end(
        self,
        sys: &mut dyn Sys,
        actions: &Actions,
        location: Option<&Location>,
        reached: Reached,
    ) -> Handled {
        let (status, response) = match reached {
            Reached::Answer(response) if response.status < 300 => (0, response),
            Reached::Answer(response) => (response.status, response),
            Reached::Status(status) => (status, self.page(status, actions)),
            Reached::Pass(target) => return self.done(actions, location, End::Pass(target)),
            Reached::Elsewhere(_) => (500, self.page(500, actions)),
        };
        let handles = status != 0
            && self.keeps.is_none()
            && actions.error_pages.iter().any(|(codes, ..)| codes.contains(&status));
        if !handles {
            return self.done(actions, location, End::Answer(response));
        }
        match self.clone().error_page(sys, actions, status) {
            Some(handled) => handled,
            None => self.done(actions, location, End::Answer(response)),
        }
    }

    fn done(self, actions: &Actions, location: Option<&Location>, end: End) -> Handled {
        let place = location.map_or_else(Default::default, |location| {
            (location.path.clone(), location.modifier.clone())
        });
        Handled {
            actions: actions.clone(),
            location: place,
            scope: self.scope,
            rewritten: self.rewritten,
            keeps: self.keeps,
            end,
        }
    }

    fn page(&self, status: u16, actions: &Actions) -> Response {
        pages::error(status, &self.nginx.signature(actions))
    }

    /// `return`, `rewrite`, `set` and `if`.
    fn steps(&mut self, sys: &mut dyn Sys, steps: &[Step], actions: &Actions) -> Stepped {
        let mut changed = false;
        for step in steps {
            match step {
                Step::Break => return Stepped::On,
                Step::Set(name, value) => {
                    let value = self.scope.fill(value);
                    self.scope.set(name, value);
                }
                Step::Return(status, text) => {
                    let text = self.scope.fill(text);
                    return self.returned(*status, text, actions);
                }
                Step::If(condition, inner) => {
                    if !self.holds(sys, condition) {
                        continue;
                    }
                    match self.steps(sys, inner, actions) {
                        Stepped::On => {}
                        other => return other,
                    }
                }
                Step::Rewrite(pattern, to, flag) => {
                    let path = self.path.clone();
                    if !self.scope.fitted(pattern, &path) {
                        continue;
                    }
                    if let Some(end) = self.rewrite(to, flag, actions) {
                        return end;
                    }
                    changed = true;
                }
            }
        }
        if changed { Stepped::Again } else { Stepped::On }
    }

    fn rewrite(&mut self, to: &str, flag: &str, actions: &Actions) -> Option<Stepped> {
        let target = self.scope.fill(to);
        let args = self.scope.fill("$args");
        let code = match flag {
            "permanent" => Some(301),
            "redirect" => Some(302),
            _ if target.starts_with("http://") || target.starts_with("https://") => Some(302),
            _ => None,
        };
        // A question mark at the end drops the arguments.
        let (path, own) = target.split_once('?').unwrap_or((&target, ""));
        let query = match (target.ends_with('?'), own, args.as_str()) {
            (true, ..) => String::new(),
            (false, own, "") => own.to_owned(),
            (false, "", args) => args.to_owned(),
            (false, own, args) => format!("{own}&{args}"),
        };
        if let Some(code) = code {
            let question = if query.is_empty() { "" } else { "?" };
            let location = self.absolute(&format!("{path}{question}{query}"));
            let response = self.page(code, actions).with("Location", location);
            return Some(Stepped::Answer(response));
        }
        self.path = path.to_owned();
        self.rewritten = true;
        self.scope.set("args", query.clone());
        self.scope.set("query_string", query);
        self.follow_path();
        match flag {
            "last" => Some(Stepped::Again),
            "break" => Some(Stepped::On),
            _ => None,
        }
    }

    /// A path as a URL of this server.
    fn absolute(&self, path: &str) -> String {
        if !path.starts_with('/') {
            return path.to_owned();
        }
        let host = self.scope.fill("$host");
        let usual = (self.scope.fill("$scheme") == "http" && self.port == 80)
            || (self.scope.fill("$scheme") == "https" && self.port == 443);
        let port = if usual { String::new() } else { format!(":{}", self.port) };
        format!("{}://{host}{port}{path}", self.scope.fill("$scheme"))
    }

    fn returned(&self, status: u16, text: String, actions: &Actions) -> Stepped {
        match status {
            301 | 302 | 303 | 307 | 308 => {
                let location = self.absolute(&text);
                Stepped::Answer(self.page(status, actions).with("Location", location))
            }
            _ if text.is_empty() && status >= 300 => Stepped::Status(status),
            _ => {
                let kind = actions.default_type.as_ref().unwrap_or(&self.config.default_type);
                Stepped::Answer(Response::new(status, text).with("Content-Type", kind.as_str()))
            }
        }
    }

    fn holds(&mut self, sys: &mut dyn Sys, condition: &Condition) -> bool {
        match condition {
            Condition::True(text) => !["", "0"].contains(&self.scope.fill(text).as_str()),
            Condition::Equal(left, right, not) => {
                (self.scope.fill(left) == self.scope.fill(right)) != *not
            }
            Condition::Fits(text, pattern, not) => {
                let text = self.scope.fill(text);
                self.scope.fitted(pattern, &text) != *not
            }
            Condition::File(kind, path, not) => {
                let path = self.scope.fill(path);
                let fs = sys.fs();
                let there = match kind {
                    'f' => fs.exists(&path) && !fs.is_dir(&path),
                    'd' => fs.is_dir(&path),
                    _ => fs.exists(&path),
                };
                there != *not
            }
        }
    }

    fn content(
        &self,
        sys: &mut dyn Sys,
        actions: &Actions,
        location: Option<&Location>,
    ) -> Reached {
        if let Some(refusal) = self.access(sys, actions) {
            return refusal;
        }
        let length = self.incoming.request.body.len() as u64;
        let most = actions.body_max.unwrap_or(BODY_MAX);
        if most > 0 && length > most {
            let why = format!("client intended to send too large body: {length} bytes");
            self.nginx.trouble(sys, &why, self.incoming, self.port, self.config);
            return Reached::Status(413);
        }
        if !actions.try_files.is_empty() {
            return self.try_files(sys, actions, location);
        }
        if let Some(target) = &actions.proxy_pass {
            return Reached::Pass(target.clone());
        }
        if actions.stub_status {
            let count = self.nginx.requests;
            let text = format!(
                "Active connections: 1 \nserver accepts handled requests\n {count} {count} {count} \n\
                 Reading: 0 Writing: 1 Waiting: 0 \n"
            );
            return Reached::Answer(Response::new(200, text).with("Content-Type", "text/plain"));
        }
        if !matches!(self.incoming.request.method.as_str(), "GET" | "HEAD") {
            return Reached::Status(405);
        }
        self.file(sys, actions, location, &self.path)
    }

    fn access(&self, sys: &mut dyn Sys, actions: &Actions) -> Option<Reached> {
        let client = self.incoming.peer.ip();
        let rule = actions.access.iter().find(|(_, whom)| covers(whom, client));
        if rule.is_some_and(|(allows, _)| !allows) {
            let why = "access forbidden by rule";
            self.nginx.trouble(sys, why, self.incoming, self.port, self.config);
            return Some(Reached::Status(403));
        }
        let realm = actions.realm.as_ref().filter(|realm| *realm != "off")?;
        let said = self.incoming.request.headers.get("Authorization").unwrap_or_default();
        let file = actions.users.clone().unwrap_or_default();
        let path = naru_shell::normalize("/etc/nginx", &file);
        let users = sys.fs().read_text(&path).unwrap_or_default();
        let known = said.strip_prefix("Basic ").and_then(decode64).is_some_and(|said| {
            let (user, password) = said.split_once(':').unwrap_or((&said, ""));
            users.lines().any(|line| {
                let (name, kept) = line.split_once(':').unwrap_or((line, ""));
                name == user && kept.strip_prefix("{PLAIN}").unwrap_or(kept) == password
            })
        });
        if known {
            return None;
        }
        let asks = format!("Basic realm=\"{realm}\"");
        Some(Reached::Answer(self.page(401, actions).with("WWW-Authenticate", asks)))
    }

    fn try_files(
        &self,
        sys: &mut dyn Sys,
        actions: &Actions,
        location: Option<&Location>,
    ) -> Reached {
        let Some((last, first)) = actions.try_files.split_last() else {
            return Reached::Status(500);
        };
        for candidate in first {
            let path = self.scope.fill(candidate);
            let real = self.real_path(actions, location, &path);
            let folder = candidate.ends_with('/');
            if sys.fs().stat(&real).is_ok_and(|stat| stat.is_dir() == folder) {
                if let Some(target) = &actions.proxy_pass {
                    return Reached::Pass(target.clone());
                }
                return self.file(sys, actions, location, &path);
            }
        }
        match last.strip_prefix('=') {
            Some(status) => Reached::Status(status.parse().unwrap_or(404)),
            None => Reached::Elsewhere(self.scope.fill(last)),
        }
    }

    fn file(
        &self,
        sys: &mut dyn Sys,
        actions: &Actions,
        location: Option<&Location>,
        path: &str,
    ) -> Reached {
        let real = self.real_path(actions, location, path);
        let is_folder = sys.fs().is_dir(&real);
        if is_folder && !path.ends_with('/') {
            let to = self.absolute(&format!("{path}/"));
            return Reached::Answer(self.page(301, actions).with("Location", to));
        }
        if is_folder {
            return self.folder(sys, actions, location, path, &real);
        }
        let trouble = |errno: Errno, sys: &mut dyn Sys| {
            let (number, status) = match errno {
                Errno::Access => (13, 403),
                Errno::NotDirectory => (20, 404),
                _ => (2, 404),
            };
            let why = format!("open() \"{real}\" failed ({number}: {errno})");
            self.nginx.trouble(sys, &why, self.incoming, self.port, self.config);
            Reached::Status(status)
        };
        if path.ends_with('/') {
            let why = format!("\"{real}index.html\" is not found (2: No such file or directory)");
            self.nginx.trouble(sys, &why, self.incoming, self.port, self.config);
            return Reached::Status(404);
        }
        match (sys.fs().read(&real), sys.fs().stat(&real)) {
            (Ok(bytes), Ok(stat)) => {
                let modified = clock::format(stat.mtime, clock::HTTP_DATE);
                let etag = format!("\"{:x}-{:x}\"", unix_seconds(stat.mtime), bytes.len());
                let headers = &self.incoming.request.headers;
                let same = match headers.get("If-None-Match") {
                    Some(tags) => tags == "*" || tags.split(", ").any(|tag| tag == etag),
                    None => headers.get("If-Modified-Since") == Some(modified.as_str()),
                };
                if same && self.keeps.is_none() {
                    let response =
                        Response::new(304, "").with("Last-Modified", modified).with("ETag", etag);
                    return Reached::Answer(response);
                }
                let kind = self.config.media_type(&real, actions);
                Reached::Answer(
                    Response::new(200, bytes.to_vec())
                        .with("Content-Type", kind)
                        .with("Last-Modified", modified)
                        .with("ETag", etag)
                        .with("Accept-Ranges", "bytes"),
                )
            }
            (Err(errno), _) | (_, Err(errno)) => trouble(errno, sys),
        }
    }

    fn folder(
        &self,
        sys: &mut dyn Sys,
        actions: &Actions,
        location: Option<&Location>,
        path: &str,
        real: &str,
    ) -> Reached {
        let default = ["index.html".to_owned()];
        let names = if actions.index.is_empty() { &default[..] } else { &actions.index };
        let names: Vec<String> = names.iter().map(|name| self.scope.fill(name)).collect();
        if let Some(name) = names.iter().find(|name| sys.fs().exists(&format!("{real}{name}"))) {
            let inner = format!("{path}{name}");
            // The index may belong to another location, as nginx has it.
            let place = |l: Option<&Location>| l.map(|l| (l.path.clone(), l.modifier.clone()));
            if place(self.server.location(&inner)) != place(location) {
                return Reached::Elsewhere(inner);
            }
            return self.file(sys, actions, location, &inner);
        }
        if actions.autoindex == Some(true) {
            return Reached::Answer(pages::listing(sys, real, path));
        }
        let why = format!("directory index of \"{real}\" is forbidden");
        self.nginx.trouble(sys, &why, self.incoming, self.port, self.config);
        Reached::Status(403)
    }

    /// Where a path's file is; never above the root.
    fn real_path(&self, actions: &Actions, location: Option<&Location>, path: &str) -> String {
        real_path(&self.scope, actions, location, path)
    }
}

fn real_path(scope: &Scope, actions: &Actions, location: Option<&Location>, path: &str) -> String {
    let normal = naru_shell::normalize("/", path);
    let slash = if path.ends_with('/') && normal != "/" { "/" } else { "" };
    if let (Some(alias), Some(location)) = (&actions.alias, location) {
        let alias = scope.fill(alias);
        let whole = format!("{normal}{slash}");
        return match location.pattern {
            Some(_) => alias,
            None => format!("{alias}{}", whole.strip_prefix(&location.path).unwrap_or_default()),
        };
    }
    let root = scope.fill(actions.root.as_deref().unwrap_or("/etc/nginx/html"));
    let root = naru_shell::normalize("/etc/nginx", &root);
    format!("{}{normal}{slash}", root.trim_end_matches('/'))
}

fn unix_seconds(time: Time) -> i64 {
    time.unix_micros() / 1_000_000
}

/// Whether `all`, an address or a net covers a client.
fn covers(whom: &str, client: std::net::IpAddr) -> bool {
    whom == "all"
        || whom.parse() == Ok(client)
        || whom.parse::<ipnet::IpNet>().is_ok_and(|net| net.contains(&client))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_does_not_leave_its_root() {
        let actions = Actions { root: Some("/w".to_owned()), ..Actions::default() };
        let table = [
            ("/a.html", "/w/a.html"),
            ("/../../etc/passwd", "/w/etc/passwd"),
            ("/d/", "/w/d/"),
            ("/", "/w/"),
        ];
        for (path, expected) in table {
            assert_eq!(real_path(&Scope::default(), &actions, None, path), expected);
        }
    }

    #[test]
    fn an_alias_takes_the_place_of_the_location() {
        let actions = Actions { alias: Some("/data/".to_owned()), ..Actions::default() };
        let location = Location { path: "/files/".to_owned(), ..Location::default() };
        let found = real_path(&Scope::default(), &actions, Some(&location), "/files/a/b");
        assert_eq!(found, "/data/a/b");
    }

    #[test]
    fn nets_cover_clients() {
        let client = "10.244.1.3".parse().unwrap();
        let table = [("all", true), ("10.244.0.0/16", true), ("10.0.0.1", false), ("x", false)];
        for (whom, expected) in table {
            assert_eq!(covers(whom, client), expected, "{whom}");
        }
    }
}
