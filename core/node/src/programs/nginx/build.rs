//! From nginx's directives to what its servers do.

use super::conf::{
    AccessLog, Actions, Condition, Config, Directive, Listen, Location, Map, Member, Method,
    Server, Step, Upstream,
};
use super::variables;
use naru_shell::Vfs;
use regex_lite::Regex;
use std::collections::BTreeSet;

/// Makes a configuration of its directives. The error is nginx's.
pub fn config(fs: &Vfs, directives: &[Directive]) -> Result<Config, String> {
    let mut builder = Builder {
        config: Config { default_type: "text/plain".to_owned(), ..Config::default() },
        set: BTreeSet::new(),
        used: Vec::new(),
    };
    builder.config.formats.insert(
        "combined".to_owned(),
        "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \
         \"$http_referer\" \"$http_user_agent\""
            .to_owned(),
    );
    let mut has_events = false;
    for directive in directives {
        match directive.name() {
            "events" => has_events = true,
            "http" => builder.http(directive.block.as_deref().unwrap_or_default())?,
            _ => {}
        }
    }
    if !has_events {
        return Err("no \"events\" section in configuration".to_owned());
    }
    builder.finish(fs)
}

struct Builder {
    config: Config,
    /// Variables that `set` and `map` make.
    set: BTreeSet<String>,
    /// Texts that may hold variables.
    used: Vec<String>,
}

fn at(why: String, directive: &Directive) -> String {
    format!("{why} in {}", directive.place)
}

fn duplicate(directive: &Directive) -> String {
    at(format!("\"{}\" directive is duplicate", directive.name()), directive)
}

impl Builder {
    fn http(&mut self, block: &[Directive]) -> Result<(), String> {
        let mut shared = Actions::default();
        // Formats and groups may be named before they are described.
        for inner in block {
            self.early(inner)?;
        }
        for inner in block {
            match inner.name() {
                "server" => {
                    let server = self.server(inner)?;
                    self.config.servers.push(server);
                }
                "upstream" | "map" | "log_format" => {}
                "types" => self.types(inner),
                "default_type" => inner.arg(1).clone_into(&mut self.config.default_type),
                _ => self.action(inner, &mut shared)?,
            }
        }
        for server in &mut self.config.servers {
            server.base = inherit(&shared, &server.base);
            let base = server.base.clone();
            server.locations.iter_mut().for_each(|location| pass_on(&base, location));
        }
        Ok(())
    }

    fn early(&mut self, directive: &Directive) -> Result<(), String> {
        let block = directive.block.as_deref().unwrap_or_default();
        match directive.name() {
            "upstream" => self.upstream(directive, block)?,
            "map" => {
                let name = directive.arg(2).trim_start_matches('$').to_owned();
                let mut map = Map { source: directive.arg(1).to_owned(), name, ..Map::default() };
                for inner in block {
                    let value = inner.arg(1).to_owned();
                    match inner.name() {
                        "default" => map.default = value,
                        key => map.entries.push((key.to_owned(), value)),
                    }
                }
                self.set.insert(map.name.clone());
                self.used.push(map.source.clone());
                self.config.maps.push(map);
            }
            "log_format" => {
                let texts = directive.words.iter().skip(2);
                let texts = texts.filter(|word| !word.starts_with("escape="));
                let text: String = texts.cloned().collect();
                self.used.push(text.clone());
                self.config.formats.insert(directive.arg(1).to_owned(), text);
            }
            _ => {}
        }
        Ok(())
    }

    fn types(&mut self, directive: &Directive) {
        for inner in directive.block.iter().flatten() {
            let (kind, ends) = (inner.name(), inner.words.iter().skip(1));
            self.config.types.extend(ends.map(|end| (end.clone(), kind.to_owned())));
        }
    }

    fn upstream(&mut self, directive: &Directive, block: &[Directive]) -> Result<(), String> {
        let name = directive.arg(1).to_owned();
        if self.config.upstreams.contains_key(&name) {
            return Err(at(format!("duplicate upstream \"{name}\""), directive));
        }
        let mut upstream = Upstream::default();
        for inner in block {
            match inner.name() {
                "server" => upstream.members.push(self.member(inner)?),
                "ip_hash" | "hash" => upstream.method = Method::Client,
                "least_conn" => upstream.method = Method::Least,
                _ => {}
            }
        }
        if upstream.members.is_empty() {
            return Err(at("no servers are inside upstream".to_owned(), directive));
        }
        self.config.upstreams.insert(name, upstream);
        Ok(())
    }

    fn member(&mut self, directive: &Directive) -> Result<Member, String> {
        let address = directive.arg(1);
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) => {
                let invalid = || at(format!("invalid port in upstream \"{address}\""), directive);
                (host, port.parse().map_err(|_| invalid())?)
            }
            None => (address, 80),
        };
        let mut member = Member {
            host: host.to_owned(),
            port,
            weight: 1,
            backup: false,
            down: false,
            fails: 1,
            fail_seconds: 10,
        };
        for word in directive.words.iter().skip(2) {
            let invalid = || at(format!("invalid parameter \"{word}\""), directive);
            match word.split_once('=') {
                Some(("weight", text)) => {
                    member.weight = text.parse().map_err(|_| invalid())?;
                    if member.weight < 1 {
                        return Err(invalid());
                    }
                }
                Some(("max_fails", text)) => member.fails = text.parse().map_err(|_| invalid())?,
                Some(("fail_timeout", text)) => {
                    member.fail_seconds = seconds(text).ok_or_else(invalid)?;
                }
                Some(("max_conns" | "slow_start", _)) => {}
                None if word == "backup" => member.backup = true,
                None if word == "down" => member.down = true,
                None if word == "resolve" => {}
                _ => return Err(invalid()),
            }
        }
        self.config.hosts.push((member.host.clone(), directive.place.clone()));
        Ok(member)
    }

    fn server(&mut self, directive: &Directive) -> Result<Server, String> {
        let mut server = Server::default();
        let (mut certificate, mut key) = (None, None);
        for inner in directive.block.iter().flatten() {
            match inner.name() {
                "listen" => server.listens.extend(listen(inner)?),
                "server_name" => server.names.extend(inner.words.iter().skip(1).cloned()),
                "location" => {
                    let location = self.location(inner, &server.locations)?;
                    server.locations.push(location);
                }
                "ssl_certificate" => certificate = Some(inner.arg(1).to_owned()),
                "ssl_certificate_key" => key = Some(inner.arg(1).to_owned()),
                "types" => self.types(inner),
                "return" | "rewrite" | "set" | "if" | "break" => {
                    let step = self.step(inner)?;
                    server.steps.push(step);
                }
                _ => self.action(inner, &mut server.base)?,
            }
        }
        if server.listens.is_empty() {
            server.listens.push(Listen { port: 80, ..Listen::default() });
        }
        let secured = server.listens.iter().any(|listen| listen.ssl);
        match (certificate, key) {
            (Some(certificate), Some(key)) => server.certificate = Some((certificate, key)),
            (Some(certificate), None) if secured => {
                let why = format!(
                    "no \"ssl_certificate_key\" is defined for certificate \"{certificate}\""
                );
                return Err(why);
            }
            (None, _) if secured => {
                let why = "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive";
                return Err(at(why.to_owned(), directive));
            }
            _ => {}
        }
        Ok(server)
    }

    fn location(&mut self, directive: &Directive, beside: &[Location]) -> Result<Location, String> {
        let (modifier, path) = match directive.words.as_slice() {
            [_, path] if path.starts_with('@') => ("@", path.as_str()),
            // The sign may stand right before the path.
            [_, path] => {
                let signs = ["^~", "~*", "~", "="];
                let sign = signs.into_iter().find(|sign| path.starts_with(sign)).unwrap_or("");
                (sign, path.strip_prefix(sign).unwrap_or(path))
            }
            [_, modifier, path] => (modifier.as_str(), path.as_str()),
            _ => ("", ""),
        };
        if !["", "=", "^~", "~", "~*", "@"].contains(&modifier) {
            return Err(at(format!("invalid location modifier \"{modifier}\""), directive));
        }
        let same = |l: &&Location| {
            let plain = |modifier: &str| ["", "^~"].contains(&modifier);
            let alike = l.modifier == modifier || (plain(&l.modifier) && plain(modifier));
            l.path == path && alike && !modifier.starts_with('~')
        };
        if beside.iter().any(|location| same(&location)) {
            return Err(at(format!("duplicate location \"{path}\""), directive));
        }
        let pattern = match modifier {
            "~" => Some(regex(path, directive)?),
            "~*" => Some(regex(&format!("(?i){path}"), directive)?),
            _ => None,
        };
        let mut location = Location {
            modifier: modifier.to_owned(),
            path: path.to_owned(),
            pattern,
            ..Location::default()
        };
        for inner in directive.block.iter().flatten() {
            match inner.name() {
                "return" | "rewrite" | "set" | "if" | "break" => {
                    let step = self.step(inner)?;
                    location.steps.push(step);
                }
                "location" => {
                    let within = self.location(inner, &location.locations)?;
                    location.locations.push(within);
                }
                "types" => self.types(inner),
                "proxy_pass" if modifier.starts_with('~') || modifier == "@" => {
                    let rest = inner.arg(1).split_once("://").map_or("", |(_, rest)| rest);
                    if rest.contains('/') && !rest.contains('$') {
                        let why = "\"proxy_pass\" cannot have URI part in location given by regular \
                                   expression, or inside named location, or inside \"if\" statement, or \
                                   inside \"limit_except\" block";
                        return Err(at(why.to_owned(), inner));
                    }
                    self.action(inner, &mut location.actions)?;
                }
                _ => self.action(inner, &mut location.actions)?,
            }
        }
        Ok(location)
    }

    fn step(&mut self, directive: &Directive) -> Result<Step, String> {
        let (first, second) = (directive.arg(1).to_owned(), directive.arg(2).to_owned());
        self.used.push(second.clone());
        Ok(match directive.name() {
            "return" => match first.parse::<u16>() {
                Ok(status) if status <= 999 => Step::Return(status, second),
                Ok(_) => {
                    return Err(at(format!("invalid return code \"{first}\""), directive));
                }
                Err(_)
                    if first.starts_with("http://")
                        || first.starts_with("https://")
                        || first.starts_with("$scheme") =>
                {
                    self.used.push(first.clone());
                    Step::Return(302, first)
                }
                Err(_) => return Err(at(format!("invalid return code \"{first}\""), directive)),
            },
            "rewrite" => {
                let flag = directive.arg(3).to_owned();
                if !["", "last", "break", "redirect", "permanent"].contains(&flag.as_str()) {
                    return Err(at(format!("invalid parameter \"{flag}\""), directive));
                }
                Step::Rewrite(regex(&first, directive)?, second, flag)
            }
            "set" => {
                let Some(name) = first.strip_prefix('$') else {
                    return Err(at(format!("invalid variable name \"{first}\""), directive));
                };
                self.set.insert(name.to_owned());
                Step::Set(name.to_owned(), second)
            }
            "if" => {
                let condition = self.condition(directive)?;
                let mut steps = Vec::new();
                for inner in directive.block.iter().flatten() {
                    match inner.name() {
                        "return" | "rewrite" | "set" | "break" => steps.push(self.step(inner)?),
                        // What else may stand in an `if` is not followed.
                        _ => {}
                    }
                }
                Step::If(condition, steps)
            }
            _ => Step::Break,
        })
    }

    fn condition(&mut self, directive: &Directive) -> Result<Condition, String> {
        let text = directive.words.iter().skip(1).cloned().collect::<Vec<_>>().join(" ");
        let invalid = || at(format!("invalid condition \"{text}\""), directive);
        let inner = text.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
        let inner = inner.ok_or_else(invalid)?.trim().to_owned();
        let mut words = inner.splitn(3, ' ').map(str::to_owned);
        let first = words.next().unwrap_or_default();
        let (sign, other) = (words.next(), words.next().unwrap_or_default());
        self.used.extend([first.clone(), other.clone()]);
        let file = |sign: &str| {
            let (not, sign) = match sign.strip_prefix('!') {
                Some(rest) => (true, rest),
                None => (false, sign),
            };
            let kind = sign.strip_prefix('-').and_then(|text| text.chars().next());
            kind.filter(|kind| "fdex".contains(*kind)).map(|kind| (kind, not))
        };
        if let (Some((kind, not)), Some(path)) = (file(&first), &sign) {
            self.used.push(path.clone());
            return Ok(Condition::File(kind, path.clone(), not));
        }
        if !first.starts_with('$') {
            return Err(invalid());
        }
        let plain = other.trim_matches(['"', '\'']).to_owned();
        Ok(match sign.as_deref() {
            None => Condition::True(first),
            Some("=") => Condition::Equal(first, plain, false),
            Some("!=") => Condition::Equal(first, plain, true),
            Some(sign @ ("~" | "!~")) => {
                Condition::Fits(first, regex(&plain, directive)?, sign == "!~")
            }
            Some(sign @ ("~*" | "!~*")) => {
                let pattern = regex(&format!("(?i){plain}"), directive)?;
                Condition::Fits(first, pattern, sign == "!~*")
            }
            Some(sign) => return Err(at(format!("unexpected \"{sign}\" in condition"), directive)),
        })
    }

    fn action(&mut self, directive: &Directive, actions: &mut Actions) -> Result<(), String> {
        let first = || directive.arg(1).to_owned();
        let rest = || directive.words.iter().skip(1).cloned().collect::<Vec<_>>();
        let invalid = || at(format!("\"{}\" directive invalid value", directive.name()), directive);
        match directive.name() {
            "root" | "alias" => {
                let slot = match directive.name() {
                    "root" => &mut actions.root,
                    _ => &mut actions.alias,
                };
                if slot.replace(first()).is_some() {
                    return Err(duplicate(directive));
                }
                self.used.push(first());
            }
            "index" => actions.index = rest(),
            "try_files" => {
                if !actions.try_files.is_empty() {
                    return Err(duplicate(directive));
                }
                self.used.extend(rest());
                actions.try_files = rest();
            }
            "proxy_pass" => {
                if actions.proxy_pass.is_some() {
                    return Err(duplicate(directive));
                }
                self.passes(directive)?;
                actions.proxy_pass = Some(first());
            }
            "proxy_set_header" => {
                self.used.push(directive.arg(2).to_owned());
                actions.proxy_headers.push((first(), directive.arg(2).to_owned()));
            }
            "proxy_http_version" => actions.proxy_http11 = directive.arg(1) == "1.1",
            "proxy_intercept_errors" => actions.intercepts = directive.arg(1) == "on",
            "proxy_read_timeout" => {
                actions.read_timeout = Some(seconds(directive.arg(1)).ok_or_else(invalid)?);
            }
            "default_type" => actions.default_type = Some(first()),
            "autoindex" => actions.autoindex = Some(directive.arg(1) == "on"),
            "stub_status" => actions.stub_status = true,
            "internal" => actions.internal = true,
            "resolver" => self.config.resolves = true,
            "allow" | "deny" => {
                actions.access.push((directive.name() == "allow", first()));
            }
            "client_max_body_size" => {
                actions.body_max = Some(size(directive.arg(1)).ok_or_else(invalid)?);
            }
            "server_tokens" => actions.tokens = Some(directive.arg(1) != "off"),
            "auth_basic" => actions.realm = Some(first()),
            "auth_basic_user_file" => actions.users = Some(first()),
            "access_log" => {
                let format = match directive.arg(2) {
                    "" => "combined",
                    name => name,
                };
                if directive.arg(1) != "off" && !self.config.formats.contains_key(format) {
                    return Err(at(format!("unknown log format \"{format}\""), directive));
                }
                actions.access_log = Some(match directive.arg(1) {
                    "off" => AccessLog::Off,
                    file => AccessLog::To(file.to_owned(), format.to_owned()),
                });
            }
            "add_header" => {
                let always = match directive.arg(3) {
                    "" => false,
                    "always" => true,
                    other => return Err(at(format!("invalid parameter \"{other}\""), directive)),
                };
                self.used.push(directive.arg(2).to_owned());
                actions.headers.push((first(), directive.arg(2).to_owned(), always));
            }
            "error_page" => actions.error_pages.push(error_page(directive)?),
            "types" => self.types(directive),
            _ => {}
        }
        Ok(())
    }

    /// What is passed on has to be found when the server starts, unless it is a variable.
    fn passes(&mut self, directive: &Directive) -> Result<(), String> {
        let target = directive.arg(1);
        self.used.push(target.to_owned());
        if target.contains('$') {
            return Ok(());
        }
        let rest = target.strip_prefix("http://").or_else(|| target.strip_prefix("https://"));
        let Some(rest) = rest else {
            return Err(at("invalid URL prefix".to_owned(), directive));
        };
        let authority = rest.split('/').next().unwrap_or_default();
        if self.config.upstreams.contains_key(authority) {
            return Ok(());
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => {
                let invalid = || at(format!("invalid port in upstream \"{authority}\""), directive);
                (host, port.parse().map_err(|_| invalid())?)
            }
            None if target.starts_with("https:") => (authority, 443),
            None => (authority, 80),
        };
        if host.is_empty() {
            return Err(at("no host in upstream \"\"".to_owned(), directive));
        }
        let member = Member {
            host: host.to_owned(),
            port,
            weight: 1,
            backup: false,
            down: false,
            fails: 1,
            fail_seconds: 10,
        };
        let upstream = Upstream { members: vec![member], method: Method::Turns };
        self.config.upstreams.insert(authority.to_owned(), upstream);
        self.config.hosts.push((host.to_owned(), directive.place.clone()));
        Ok(())
    }

    fn finish(mut self, fs: &Vfs) -> Result<Config, String> {
        for text in &self.used {
            let unknown = variables::names(text)
                .into_iter()
                .find(|name| !variables::is_known(name) && !self.set.contains(name));
            if let Some(name) = unknown {
                return Err(format!("unknown \"{name}\" variable"));
            }
        }
        for server in &self.config.servers {
            let secured = server.listens.iter().any(|listen| listen.ssl);
            let files = server.certificate.iter().filter(|_| secured);
            for (certificate, key) in files {
                for (what, path) in [("certificate", certificate), ("certificate key", key)] {
                    if let Err(errno) = fs.read(path) {
                        let number = if errno == naru_shell::Errno::Access { 13 } else { 2 };
                        return Err(format!(
                            "cannot load {what} \"{path}\": BIO_new_file() failed (SSL: \
                             error:800000{number:02X}:system library::{errno}:calling fopen({path}, r) \
                             error:10000080:BIO routines::no such file)"
                        ));
                    }
                }
            }
        }
        let mut seen: Vec<(u16, &String)> = Vec::new();
        for server in &self.config.servers {
            for listen in &server.listens {
                for name in &server.names {
                    if seen.contains(&(listen.port, name)) {
                        let port = listen.port;
                        self.config.warnings.push(format!(
                            "conflicting server name \"{name}\" on 0.0.0.0:{port}, ignored"
                        ));
                    } else {
                        seen.push((listen.port, name));
                    }
                }
            }
        }
        Ok(self.config)
    }
}

/// Where a server listens; `None` for an address of IPv6, which is that of IPv4 too.
fn listen(directive: &Directive) -> Result<Option<Listen>, String> {
    let address = directive.arg(1);
    let flags: Vec<&str> = directive.words.iter().skip(2).map(String::as_str).collect();
    if let Some(unknown) = flags.iter().find(|flag| {
        let known =
            ["ssl", "default_server", "http2", "quic", "reuseport", "proxy_protocol", "bind"];
        let name = flag.split('=').next().unwrap_or_default();
        let valued = ["backlog", "ipv6only", "so_keepalive", "rcvbuf", "sndbuf", "deferred"];
        !known.contains(flag) && !valued.contains(&name)
    }) {
        return Err(at(format!("invalid parameter \"{unknown}\""), directive));
    }
    if address.starts_with('[') || address.starts_with("unix:") {
        return Ok(None);
    }
    let text = address.rsplit(':').next().unwrap_or(address);
    let is_host = !address.contains(':') && address.contains('.');
    let port = match is_host {
        true => 80,
        false => text.parse().ok().filter(|port| *port > 0).ok_or_else(|| {
            let why = format!("invalid port in \"{address}\" of the \"listen\" directive");
            at(why, directive)
        })?,
    };
    let (ssl, default) = (flags.contains(&"ssl"), flags.contains(&"default_server"));
    Ok(Some(Listen { port, ssl, default }))
}

fn error_page(directive: &Directive) -> Result<(Vec<u16>, Option<u16>, String), String> {
    let words: Vec<&String> = directive.words.iter().skip(1).collect();
    let Some((page, codes)) = words.split_last() else { return Err(duplicate(directive)) };
    let mut answered = None;
    let mut statuses = Vec::new();
    for code in codes {
        let invalid = || at(format!("invalid value \"{code}\""), directive);
        match code.strip_prefix('=') {
            Some("") => answered = Some(0),
            Some(text) => answered = Some(text.parse().map_err(|_| invalid())?),
            None => match code.parse::<u16>() {
                Ok(status @ 300..=599) => statuses.push(status),
                Ok(status) => {
                    let why = format!("value \"{status}\" must be between 300 and 599");
                    return Err(at(why, directive));
                }
                Err(_) => return Err(invalid()),
            },
        }
    }
    Ok((statuses, answered, (*page).clone()))
}

fn regex(text: &str, directive: &Directive) -> Result<Regex, String> {
    Regex::new(text).map_err(|_| {
        at(format!("pcre2_compile() failed: the pattern cannot be read in \"{text}\""), directive)
    })
}

/// `1m30s` in seconds; what is shorter than one counts as one.
fn seconds(text: &str) -> Option<u64> {
    let mut total: u64 = 0;
    let mut digits = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let number: u64 = digits.parse().ok()?;
        digits.clear();
        let factor = match c {
            'm' if chars.next_if_eq(&'s').is_some() => {
                total = total.checked_add(number.div_ceil(1_000))?;
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(factor)?)?;
    }
    match digits.is_empty() {
        true => Some(total),
        false => total.checked_add(digits.parse().ok()?),
    }
}

/// `8m` in bytes.
fn size(text: &str) -> Option<u64> {
    let (number, factor) = match text.to_lowercase().chars().last()? {
        'k' => (text.get(..text.len() - 1)?, 1 << 10),
        'm' => (text.get(..text.len() - 1)?, 1 << 20),
        'g' => (text.get(..text.len() - 1)?, 1 << 30),
        _ => (text, 1),
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn pass_on(outer: &Actions, location: &mut Location) {
    location.actions = inherit(outer, &location.actions);
    let own = location.actions.clone();
    location.locations.iter_mut().for_each(|inner| pass_on(&own, inner));
}

/// A location takes over what it does not say itself; not what answers a request.
fn inherit(outer: &Actions, own: &Actions) -> Actions {
    let mut actions = own.clone();
    fn take<T: Clone>(own: &mut Option<T>, outer: &Option<T>) {
        if own.is_none() {
            own.clone_from(outer);
        }
    }
    fn fill<T: Clone>(own: &mut Vec<T>, outer: &[T]) {
        if own.is_empty() {
            *own = outer.to_vec();
        }
    }
    if actions.alias.is_none() {
        take(&mut actions.root, &outer.root);
    }
    take(&mut actions.default_type, &outer.default_type);
    take(&mut actions.access_log, &outer.access_log);
    take(&mut actions.autoindex, &outer.autoindex);
    take(&mut actions.body_max, &outer.body_max);
    take(&mut actions.read_timeout, &outer.read_timeout);
    take(&mut actions.tokens, &outer.tokens);
    take(&mut actions.realm, &outer.realm);
    take(&mut actions.users, &outer.users);
    fill(&mut actions.index, &outer.index);
    fill(&mut actions.headers, &outer.headers);
    fill(&mut actions.error_pages, &outer.error_pages);
    fill(&mut actions.proxy_headers, &outer.proxy_headers);
    fill(&mut actions.access, &outer.access);
    actions.proxy_http11 |= outer.proxy_http11;
    actions.intercepts |= outer.intercepts;
    actions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes() {
        let table = [("10", Some(10)), ("1m30s", Some(90)), ("500ms", Some(1)), ("1x", None)];
        for (text, expected) in table {
            assert_eq!(seconds(text), expected, "{text}");
        }
        assert_eq!(size("8m"), Some(8 << 20));
        assert_eq!(size("0"), Some(0));
        assert_eq!(size("m"), None);
    }
}
