//! nginx's configuration: its syntax, and the directives that the sandbox's nginx follows.

use naru_shell::Vfs;
use std::collections::BTreeMap;

/// Files that may be included one from another.
const INCLUDE_DEPTH_MAX: usize = 8;
/// Directives of a whole configuration.
const DIRECTIVES_MAX: usize = 10_000;

/// One directive: `listen 80;` or `server { … }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Its name and arguments.
    pub words: Vec<String>,
    /// What stands in its braces.
    pub block: Option<Vec<Directive>>,
    /// File and line, for messages.
    pub place: String,
}

impl Directive {
    /// Its name.
    pub fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// One of its arguments; the first is 1.
    pub fn arg(&self, number: usize) -> &str {
        self.words.get(number).map_or("", String::as_str)
    }
}

/// What the sandbox's nginx does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The servers, in order.
    pub servers: Vec<Server>,
    /// Groups of servers to pass requests on to.
    pub upstreams: BTreeMap<String, Vec<String>>,
    /// Media types by the ends of files' names.
    pub types: BTreeMap<String, String>,
    /// The media type of any other file.
    pub default_type: String,
}

/// `server { … }`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// Its port.
    pub port: u16,
    /// Its names.
    pub names: Vec<String>,
    /// What counts outside of any location.
    pub base: Actions,
    /// Its locations, in order.
    pub locations: Vec<Location>,
}

/// `location [modifier] path { … }`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Location {
    /// `=`, `^~`, `~`, `~*` or "".
    pub modifier: String,
    /// The path.
    pub path: String,
    /// What to do.
    pub actions: Actions,
}

/// What a server or a location does with a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actions {
    /// Where files are.
    pub root: Option<String>,
    /// Where files are, instead of the location's path.
    pub alias: Option<String>,
    /// Files that stand for a directory.
    pub index: Vec<String>,
    /// An answer: status and text.
    pub answer: Option<(u16, String)>,
    /// Whom to pass the request on to.
    pub proxy_pass: Option<String>,
    /// Files to try before the last one.
    pub try_files: Vec<String>,
    /// Headers to add.
    pub headers: Vec<(String, String)>,
    /// The media type of a file of unknown type, or of an answer.
    pub default_type: Option<String>,
    /// Whether directories are listed.
    pub autoindex: bool,
    /// Whether requests are logged.
    pub access_log: Option<bool>,
    /// The text of `stub_status`.
    pub stub_status: bool,
}

/// Reads the configuration file and all that it includes. The error is nginx's.
pub fn load(fs: &Vfs, path: &str) -> Result<Config, String> {
    let mut reader = Reader { fs, count: 0 };
    let directives = reader.file(path, INCLUDE_DEPTH_MAX)?;
    interpret(&directives)
}

struct Reader<'a> {
    fs: &'a Vfs,
    count: usize,
}

impl Reader<'_> {
    fn file(&mut self, path: &str, depth: usize) -> Result<Vec<Directive>, String> {
        let text = self
            .fs
            .read_text(path)
            .map_err(|errno| format!("open() \"{path}\" failed (2: {errno})"))?;
        let mut tokens = tokens(&text, path)?.into_iter().peekable();
        let directives = self.block(&mut tokens, path, depth, false)?;
        Ok(directives)
    }

    fn block(
        &mut self,
        tokens: &mut std::iter::Peekable<std::vec::IntoIter<Token>>,
        path: &str,
        depth: usize,
        inside: bool,
    ) -> Result<Vec<Directive>, String> {
        let mut directives = Vec::new();
        let mut words: Vec<String> = Vec::new();
        let mut line = 1;
        loop {
            let Some(token) = tokens.next() else {
                let what = if inside || !words.is_empty() { "\";\" or \"}\"" } else { "" };
                if what.is_empty() {
                    return Ok(directives);
                }
                return Err(format!("unexpected end of file, expecting {what} in {path}:{line}"));
            };
            if words.is_empty() {
                line = token.line;
            }
            let place = format!("{path}:{line}");
            match token.kind {
                TokenKind::Word(word) => words.push(word),
                TokenKind::End if words.is_empty() => {
                    return Err(format!("unexpected \";\" in {place}"));
                }
                TokenKind::End => {
                    self.add(&mut directives, std::mem::take(&mut words), None, place, depth)?;
                }
                TokenKind::Open if words.is_empty() => {
                    return Err(format!("unexpected \"{{\" in {place}"));
                }
                TokenKind::Open => {
                    let depth =
                        depth.checked_sub(1).ok_or_else(|| format!("too deep in {place}"))?;
                    let block = self.block(tokens, path, depth, true)?;
                    let words = std::mem::take(&mut words);
                    self.add(&mut directives, words, Some(block), place, depth)?;
                }
                TokenKind::Close if inside && words.is_empty() => return Ok(directives),
                TokenKind::Close => return Err(format!("unexpected \"}}\" in {place}")),
            }
        }
    }

    fn add(
        &mut self,
        directives: &mut Vec<Directive>,
        words: Vec<String>,
        block: Option<Vec<Directive>>,
        place: String,
        depth: usize,
    ) -> Result<(), String> {
        self.count += 1;
        if self.count > DIRECTIVES_MAX {
            return Err(format!("too many directives in {place}"));
        }
        let directive = Directive { words, block, place };
        if directive.name() != "include" {
            directives.push(directive);
            return Ok(());
        }
        let depth = depth.checked_sub(1).ok_or("too many includes")?;
        let pattern = naru_shell::normalize("/etc/nginx", directive.arg(1));
        for path in self.matching(&pattern) {
            directives.extend(self.file(&path, depth)?);
        }
        Ok(())
    }

    /// The files that a path with a `*` in its last part names.
    fn matching(&self, pattern: &str) -> Vec<String> {
        let Some((before, after)) = pattern.split_once('*') else {
            return vec![pattern.to_owned()];
        };
        let (folder, start) = before.rsplit_once('/').unwrap_or(("", before));
        let entries = self.fs.list(folder).unwrap_or_default();
        entries
            .into_iter()
            .map(|entry| entry.name)
            .filter(|name| name.starts_with(start) && name.ends_with(after))
            .map(|name| format!("{folder}/{name}"))
            .collect()
    }
}

struct Token {
    line: usize,
    kind: TokenKind,
}

enum TokenKind {
    Word(String),
    Open,
    Close,
    End,
}

fn tokens(text: &str, path: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let kind = match c {
            '\n' => {
                line += 1;
                continue;
            }
            c if c.is_whitespace() => continue,
            '#' => {
                while chars.next_if(|c| *c != '\n').is_some() {}
                continue;
            }
            ';' => TokenKind::End,
            '{' => TokenKind::Open,
            '}' => TokenKind::Close,
            '"' | '\'' => {
                let begun = line;
                let mut word = String::new();
                loop {
                    match chars.next() {
                        Some(next) if next == c => break,
                        Some('\\') => escaped(&mut word, chars.next()),
                        Some(next) => {
                            line += usize::from(next == '\n');
                            word.push(next);
                        }
                        None => return Err(format!("unexpected end of file in {path}:{begun}")),
                    }
                }
                TokenKind::Word(word)
            }
            first => {
                let mut word = String::from(first);
                let mut variable = first == '$';
                while let Some(next) = chars.peek().copied() {
                    let brace = matches!(next, '{' | '}');
                    let in_variable = variable && (next == '{' || word.contains("${"));
                    if next.is_whitespace() || next == ';' || (brace && !in_variable) {
                        break;
                    }
                    variable = next == '$' || (variable && next != '}');
                    word.push(next);
                    chars.next();
                }
                TokenKind::Word(word)
            }
        };
        tokens.push(Token { line, kind });
    }
    Ok(tokens)
}

/// What a backslash and the character after it stand for, as `ngx_conf_read_token` has it.
fn escaped(word: &mut String, next: Option<char>) {
    match next {
        Some(c @ ('"' | '\'' | '\\')) => word.push(c),
        Some('t') => word.push('\t'),
        Some('r') => word.push('\r'),
        Some('n') => word.push('\n'),
        Some(other) => word.extend(['\\', other]),
        None => word.push('\\'),
    }
}

fn interpret(directives: &[Directive]) -> Result<Config, String> {
    let mut config = Config { default_type: "text/plain".to_owned(), ..Config::default() };
    let mut has_events = false;
    for directive in directives {
        match directive.name() {
            "events" => has_events = true,
            "http" => {
                let mut shared = Actions::default();
                let block = directive.block.as_deref().unwrap_or_default();
                for inner in block {
                    http_directive(inner, &mut config, &mut shared)?;
                }
                for server in &mut config.servers {
                    server.base = inherit(&shared, &server.base);
                }
            }
            _ => {}
        }
    }
    if !has_events {
        return Err("no \"events\" section in configuration".to_owned());
    }
    for server in &mut config.servers {
        for location in &mut server.locations {
            location.actions = inherit(&server.base, &location.actions);
        }
    }
    Ok(config)
}

fn http_directive(
    directive: &Directive,
    config: &mut Config,
    shared: &mut Actions,
) -> Result<(), String> {
    let block = directive.block.as_deref().unwrap_or_default();
    match directive.name() {
        "server" => config.servers.push(server(block)?),
        "upstream" => {
            let members = block.iter().filter(|inner| inner.name() == "server");
            let members = members.map(|inner| inner.arg(1).to_owned()).collect();
            config.upstreams.insert(directive.arg(1).to_owned(), members);
        }
        "types" => {
            for inner in block {
                let (kind, ends) = (inner.name(), inner.words.iter().skip(1));
                config.types.extend(ends.map(|end| (end.clone(), kind.to_owned())));
            }
        }
        "default_type" => config.default_type = directive.arg(1).to_owned(),
        _ => action(directive, shared)?,
    }
    Ok(())
}

fn server(block: &[Directive]) -> Result<Server, String> {
    let mut server = Server { port: 80, ..Server::default() };
    for directive in block {
        match directive.name() {
            "listen" => {
                let address = directive.arg(1);
                let port = address.rsplit(':').next().unwrap_or(address);
                if !address.starts_with('[') {
                    server.port = port.parse().map_err(|_| {
                        format!(
                            "invalid port in \"{address}\" of the \"listen\" directive in {}",
                            directive.place
                        )
                    })?;
                }
            }
            "server_name" => server.names = directive.words.iter().skip(1).cloned().collect(),
            "location" => server.locations.push(location(directive)?),
            _ => action(directive, &mut server.base)?,
        }
    }
    Ok(server)
}

fn location(directive: &Directive) -> Result<Location, String> {
    let (modifier, path) = match directive.words.as_slice() {
        [_, path] => ("", path.as_str()),
        [_, modifier, path] => (modifier.as_str(), path.as_str()),
        _ => {
            let place = &directive.place;
            return Err(format!(
                "invalid number of arguments in \"location\" directive in {place}"
            ));
        }
    };
    let mut actions = Actions::default();
    for inner in directive.block.iter().flatten() {
        action(inner, &mut actions)?;
    }
    Ok(Location { modifier: modifier.to_owned(), path: path.to_owned(), actions })
}

/// Directives that every nginx knows and that change nothing here.
const IGNORED: &[&str] = &[
    "access_log",
    "charset",
    "client_body_temp_path",
    "client_max_body_size",
    "error_log",
    "error_page",
    "expires",
    "gzip",
    "gzip_types",
    "internal",
    "keepalive_timeout",
    "listen",
    "location",
    "log_format",
    "proxy_connect_timeout",
    "proxy_http_version",
    "proxy_read_timeout",
    "proxy_redirect",
    "proxy_send_timeout",
    "proxy_set_header",
    "resolver",
    "rewrite",
    "sendfile",
    "server_name_in_redirect",
    "server_names_hash_bucket_size",
    "server_tokens",
    "ssl_certificate",
    "ssl_certificate_key",
    "ssl_ciphers",
    "ssl_protocols",
    "tcp_nodelay",
    "tcp_nopush",
    "types_hash_max_size",
];

fn action(directive: &Directive, actions: &mut Actions) -> Result<(), String> {
    let first = || directive.arg(1).to_owned();
    let rest = || directive.words.iter().skip(1).cloned().collect::<Vec<_>>();
    match directive.name() {
        "root" => actions.root = Some(first()),
        "alias" => actions.alias = Some(first()),
        "index" => actions.index = rest(),
        "try_files" => actions.try_files = rest(),
        "proxy_pass" => actions.proxy_pass = Some(first()),
        "default_type" => actions.default_type = Some(first()),
        "autoindex" => actions.autoindex = directive.arg(1) == "on",
        "stub_status" => actions.stub_status = true,
        "access_log" => actions.access_log = Some(directive.arg(1) != "off"),
        "add_header" => actions.headers.push((first(), directive.arg(2).to_owned())),
        "return" => {
            let (status, text) = match first().parse() {
                Ok(status) => (status, directive.arg(2).to_owned()),
                Err(_) => (302, first()),
            };
            actions.answer = Some((status, text));
        }
        name if IGNORED.contains(&name) => {}
        name => return Err(format!("unknown directive \"{name}\" in {}", directive.place)),
    }
    Ok(())
}

/// A location takes over what it does not say itself; not what answers a request.
fn inherit(outer: &Actions, own: &Actions) -> Actions {
    let mut actions = own.clone();
    if actions.root.is_none() {
        actions.root.clone_from(&outer.root);
    }
    if actions.index.is_empty() {
        actions.index.clone_from(&outer.index);
    }
    if actions.headers.is_empty() {
        actions.headers.clone_from(&outer.headers);
    }
    if actions.default_type.is_none() {
        actions.default_type.clone_from(&outer.default_type);
    }
    if actions.answer.is_none() {
        actions.answer.clone_from(&outer.answer);
    }
    actions.access_log = actions.access_log.or(outer.access_log);
    actions.autoindex |= outer.autoindex;
    actions
}

impl Config {
    /// The server for a request to this port and host; the first of the port when none is named
    /// so.
    pub fn server(&self, port: u16, host: &str) -> Option<&Server> {
        let host = host.split(':').next().unwrap_or_default();
        let mut of_port = self.servers.iter().filter(|server| server.port == port);
        let named = of_port.clone().find(|server| server.names.iter().any(|name| name == host));
        named.or_else(|| of_port.next())
    }

    /// The media type of a file.
    pub fn media_type(&self, path: &str, actions: &Actions) -> String {
        let end = path.rsplit_once('.').map_or("", |(_, end)| end);
        let default = actions.default_type.as_ref().unwrap_or(&self.default_type);
        self.types.get(end).unwrap_or(default).clone()
    }
}

impl Server {
    /// The location for a path: an exact one, else the longest prefix. Regular expressions match
    /// as the plain ends they mostly are: `\.php$`.
    pub fn location(&self, path: &str) -> Option<&Location> {
        let exact = self.locations.iter().find(|l| l.modifier == "=" && l.path == path);
        if exact.is_some() {
            return exact;
        }
        let prefixes = self
            .locations
            .iter()
            .filter(|l| matches!(l.modifier.as_str(), "" | "^~") && path.starts_with(&l.path));
        let longest = prefixes.max_by_key(|location| location.path.len());
        if longest.is_some_and(|location| location.modifier == "^~") {
            return longest;
        }
        let ends = |l: &&Location| {
            let plain = l.path.replace('\\', "");
            l.modifier.starts_with('~')
                && plain.strip_suffix('$').is_some_and(|end| path.ends_with(end))
        };
        self.locations.iter().find(ends).or(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let mut fs = Vfs::new();
        fs.write("/nginx.conf", text.as_bytes()).unwrap();
        load(&fs, "/nginx.conf")
    }

    #[test]
    fn the_images_own_configuration_is_read() {
        let image = crate::Image::find(&crate::ImageRef::parse("nginx").unwrap()).unwrap();
        let config = load(&image.fs(), "/etc/nginx/nginx.conf").unwrap();
        let server = config.server(80, "10.0.0.1").unwrap();
        let location = server.location("/").unwrap();
        assert_eq!(location.actions.root.as_deref(), Some("/usr/share/nginx/html"));
        assert_eq!(config.media_type("/a/index.html", &location.actions), "text/html");
        assert_eq!(config.media_type("/a/b", &location.actions), "application/octet-stream");
    }

    #[test]
    fn escapes_within_quotes() {
        let config = read(r#"events {} http { server { listen 80; return 200 "a\n\"b\"\.c"; } }"#);
        let server = config.unwrap();
        let server = server.server(80, "").unwrap();
        assert_eq!(server.base.answer, Some((200, "a\n\"b\"\\.c".to_owned())));
    }

    #[test]
    fn locations_by_nginxs_rules() {
        let config = read(
            "events {} http { server { listen 8080; root /w;
               location = /a { return 200 exact; }
               location / { return 200 all; }
               location /img/ { return 200 img; }
               location ^~ /img/raw/ { return 200 raw; }
               location ~ \\.png$ { return 200 png; } } }",
        )
        .unwrap();
        let server = config.server(8080, "x").unwrap();
        let answer = |path: &str| {
            let location = server.location(path).unwrap();
            location.actions.answer.clone().unwrap().1
        };
        let table = [
            ("/a", "exact"),
            ("/ab", "all"),
            ("/img/x", "img"),
            ("/img/x.png", "png"),
            ("/img/raw/x.png", "raw"),
        ];
        for (path, expected) in table {
            assert_eq!(answer(path), expected, "{path}");
        }
    }

    #[test]
    fn mistakes_in_nginxs_words() {
        let table = [
            ("events {} http { foo; }", "unknown directive \"foo\" in /nginx.conf:1"),
            ("events {", "unexpected end of file, expecting \";\" or \"}\" in /nginx.conf:1"),
            ("}", "unexpected \"}\" in /nginx.conf:1"),
            ("http {}", "no \"events\" section in configuration"),
        ];
        for (text, error) in table {
            assert_eq!(read(text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn servers_by_name() {
        let config = read(
            "events {} http { server { listen 80; server_name a; return 200 a; }
               server { listen 80; server_name b; return 200 b; } }",
        )
        .unwrap();
        let name = |host: &str| config.server(80, host).unwrap().names.join(" ");
        assert_eq!(name("b:80"), "b");
        assert_eq!(name("unknown"), "a");
        assert_eq!(config.server(81, "a"), None);
    }
}
