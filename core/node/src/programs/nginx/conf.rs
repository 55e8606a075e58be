//! nginx's configuration: its syntax, and the directives that the sandbox's nginx follows.

use super::directives::{Context, check};
use naru_shell::Vfs;
use regex_lite::Regex;
use std::collections::BTreeMap;

/// Blocks and files that may stand one in another.
const DEPTH_MAX: usize = 16;
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
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The servers, in order.
    pub servers: Vec<Server>,
    /// Groups of servers to pass requests on to.
    pub upstreams: BTreeMap<String, Upstream>,
    /// Media types by the ends of files' names.
    pub types: BTreeMap<String, String>,
    /// The media type of any other file.
    pub default_type: String,
    /// The formats of access logs.
    pub formats: BTreeMap<String, String>,
    /// Variables that follow from others.
    pub maps: Vec<Map>,
    /// Hosts that have to be resolved, and where they are named.
    pub hosts: Vec<(String, String)>,
    /// Whether names may be looked for while it runs: `resolver`.
    pub resolves: bool,
    /// What is said though nothing is wrong.
    pub warnings: Vec<String>,
}

/// `map $source $name { … }`.
#[derive(Clone, Debug, Default)]
pub struct Map {
    pub source: String,
    pub name: String,
    pub default: String,
    pub entries: Vec<(String, String)>,
}

/// `upstream name { … }`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upstream {
    pub members: Vec<Member>,
    pub method: Method,
}

/// How a group chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// In turn, by weight.
    #[default]
    Turns,
    /// Always the same one for a client.
    Client,
    /// The one with the fewest requests under way.
    Least,
}

/// `server …;` of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub host: String,
    pub port: u16,
    pub weight: i64,
    pub backup: bool,
    pub down: bool,
    /// So many failures in so many seconds take it out for as long.
    pub fails: u32,
    pub fail_seconds: u64,
}

/// A port that a server listens on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listen {
    pub port: u16,
    pub ssl: bool,
    pub default: bool,
}

/// `server { … }`.
#[derive(Clone, Debug, Default)]
pub struct Server {
    /// Where it listens.
    pub listens: Vec<Listen>,
    /// Its names.
    pub names: Vec<String>,
    /// What counts outside of any location.
    pub base: Actions,
    /// What is done before a location is looked for.
    pub steps: Vec<Step>,
    /// Its locations, in order.
    pub locations: Vec<Location>,
    /// The files of its certificate and of its key.
    pub certificate: Option<(String, String)>,
}

/// `location [modifier] path { … }`.
#[derive(Clone, Debug, Default)]
pub struct Location {
    /// `=`, `^~`, `~`, `~*`, `@` or "".
    pub modifier: String,
    /// The path.
    pub path: String,
    /// What the path is, where it is an expression.
    pub pattern: Option<Regex>,
    /// What to do.
    pub actions: Actions,
    /// What is done first.
    pub steps: Vec<Step>,
    /// Locations within it.
    pub locations: Vec<Location>,
}

/// What the directives `return`, `rewrite`, `set` and `if` do, one after the other.
#[derive(Clone, Debug)]
pub enum Step {
    /// An answer: status and text.
    Return(u16, String),
    /// Another path; the flag is `last`, `break`, `redirect`, `permanent` or "".
    Rewrite(Regex, String, String),
    /// A variable.
    Set(String, String),
    /// Steps under a condition.
    If(Condition, Vec<Step>),
    /// No more steps.
    Break,
}

/// What `if` asks.
#[derive(Clone, Debug)]
pub enum Condition {
    /// A text is neither empty nor `0`.
    True(String),
    /// Two texts are equal, or are not.
    Equal(String, String, bool),
    /// A text fits an expression, or does not.
    Fits(String, Regex, bool),
    /// There is a file (`f`), a directory (`d`) or either (`e`), or is not.
    File(char, String, bool),
}

/// How requests are logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLog {
    Off,
    /// File and format.
    To(String, String),
}

/// What a server or a location does with a request.
#[derive(Clone, Debug, Default)]
pub struct Actions {
    /// Where files are.
    pub root: Option<String>,
    /// Where files are, instead of the location's path.
    pub alias: Option<String>,
    /// Files that stand for a directory.
    pub index: Vec<String>,
    /// Whom to pass the request on to.
    pub proxy_pass: Option<String>,
    /// Headers of what is passed on.
    pub proxy_headers: Vec<(String, String)>,
    /// `proxy_http_version 1.1`.
    pub proxy_http11: bool,
    /// Whether errors of those that are asked get pages of this server.
    pub intercepts: bool,
    /// In seconds.
    pub read_timeout: Option<u64>,
    /// Files to try before the last one.
    pub try_files: Vec<String>,
    /// Headers to add, and whether to errors too.
    pub headers: Vec<(String, String, bool)>,
    /// Pages of errors: statuses, the status that is answered, the path.
    pub error_pages: Vec<(Vec<u16>, Option<u16>, String)>,
    /// The media type of a file of unknown type, or of an answer.
    pub default_type: Option<String>,
    /// Whether directories are listed.
    pub autoindex: Option<bool>,
    /// How requests are logged.
    pub access_log: Option<AccessLog>,
    /// The text of `stub_status`.
    pub stub_status: bool,
    /// Only for redirects within the server.
    pub internal: bool,
    /// Whom it lets in, the first that fits: `allow` or not, and whom.
    pub access: Vec<(bool, String)>,
    /// The bytes of a body; 0 for any number.
    pub body_max: Option<u64>,
    /// Whether nginx says its version.
    pub tokens: Option<bool>,
    /// `auth_basic`: the realm, and the file of users.
    pub realm: Option<String>,
    pub users: Option<String>,
}

/// Reads the configuration file and all that it includes. The error is nginx's.
pub fn load(fs: &Vfs, path: &str) -> Result<Config, String> {
    let mut reader = Reader { fs, count: 0 };
    let directives = reader.file(path, DEPTH_MAX, Context::Main)?;
    super::build::config(fs, &directives)
}

struct Reader<'a> {
    fs: &'a Vfs,
    count: usize,
}

impl Reader<'_> {
    fn file(
        &mut self,
        path: &str,
        depth: usize,
        context: Context,
    ) -> Result<Vec<Directive>, String> {
        let text = self
            .fs
            .read_text(path)
            .map_err(|errno| format!("open() \"{path}\" failed (2: {errno})"))?;
        let (tokens, last) = tokens(&text, path)?;
        let mut tokens = tokens.into_iter();
        self.block(&mut tokens, (path, last), depth, false, context)
    }

    fn block(
        &mut self,
        tokens: &mut std::vec::IntoIter<Token>,
        (path, last): (&str, usize),
        depth: usize,
        inside: bool,
        context: Context,
    ) -> Result<Vec<Directive>, String> {
        let mut directives = Vec::new();
        let mut words: Vec<String> = Vec::new();
        loop {
            let Some(token) = tokens.next() else {
                let what = match (words.is_empty(), inside) {
                    (false, _) => "\";\" or \"}\"",
                    (true, true) => "\"}\"",
                    (true, false) => return Ok(directives),
                };
                return Err(format!("unexpected end of file, expecting {what} in {path}:{last}"));
            };
            let place = format!("{path}:{}", token.line);
            match token.kind {
                TokenKind::Word(word) => words.push(word),
                TokenKind::End if words.is_empty() => {
                    return Err(format!("unexpected \";\" in {place}"));
                }
                TokenKind::End => {
                    let words = std::mem::take(&mut words);
                    check(&words, context, false).map_err(|why| format!("{why} in {place}"))?;
                    self.add(
                        &mut directives,
                        Directive { words, block: None, place },
                        depth,
                        context,
                    )?;
                }
                TokenKind::Open if words.is_empty() => {
                    return Err(format!("unexpected \"{{\" in {place}"));
                }
                TokenKind::Open => {
                    let words = std::mem::take(&mut words);
                    check(&words, context, true).map_err(|why| format!("{why} in {place}"))?;
                    let depth =
                        depth.checked_sub(1).ok_or_else(|| format!("too deep in {place}"))?;
                    let own = Context::inside(words.first().map_or("", String::as_str));
                    let block = self.block(tokens, (path, last), depth, true, own)?;
                    let directive = Directive { words, block: Some(block), place };
                    self.add(&mut directives, directive, depth, context)?;
                }
                TokenKind::Close if inside && words.is_empty() => return Ok(directives),
                TokenKind::Close => return Err(format!("unexpected \"}}\" in {place}")),
            }
        }
    }

    fn add(
        &mut self,
        directives: &mut Vec<Directive>,
        directive: Directive,
        depth: usize,
        context: Context,
    ) -> Result<(), String> {
        self.count += 1;
        if self.count > DIRECTIVES_MAX {
            return Err(format!("too many directives in {}", directive.place));
        }
        if directive.name() != "include" || context == Context::Free {
            directives.push(directive);
            return Ok(());
        }
        let depth = depth.checked_sub(1).ok_or("too many includes")?;
        let pattern = naru_shell::normalize("/etc/nginx", directive.arg(1));
        for path in self.matching(&pattern) {
            let inner = self.file(&path, depth, context).map_err(|why| {
                match why.starts_with("open()") {
                    true if !why.contains(" in ") => format!("{why} in {}", directive.place),
                    _ => why,
                }
            })?;
            directives.extend(inner);
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

/// The tokens, and the number of the last line.
fn tokens(text: &str, path: &str) -> Result<(Vec<Token>, usize), String> {
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
                let mut word = String::new();
                loop {
                    match chars.next() {
                        Some(next) if next == c => break,
                        Some('\\') => escaped(&mut word, chars.next()),
                        Some(next) => {
                            line += usize::from(next == '\n');
                            word.push(next);
                        }
                        None => {
                            let what = "\";\" or \"}\"";
                            let why = format!("unexpected end of file, expecting {what}");
                            return Err(format!("{why} in {path}:{line}"));
                        }
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
    Ok((tokens, line))
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

impl Config {
    /// The server for a request to this port and host; the port's default when none is named so.
    /// Upstream: `ngx_http_find_virtual_server`.
    pub fn server(&self, port: u16, host: &str) -> Option<&Server> {
        let host = host.split(':').next().unwrap_or_default().to_lowercase();
        let of_port =
            || self.servers.iter().filter(|it| it.listens.iter().any(|own| own.port == port));
        let named = |fits: &dyn Fn(&str) -> bool| {
            of_port().find(|server| server.names.iter().any(|name| fits(&name.to_lowercase())))
        };
        let default =
            || of_port().find(|it| it.listens.iter().any(|own| own.port == port && own.default));
        named(&|name| name == host)
            .or_else(|| {
                named(&|name| name.strip_prefix('*').is_some_and(|end| host.ends_with(end)))
            })
            .or_else(|| {
                named(&|name| name.strip_suffix('*').is_some_and(|start| host.starts_with(start)))
            })
            .or_else(|| {
                named(&|name| {
                    let pattern = name.strip_prefix('~').and_then(|text| Regex::new(text).ok());
                    pattern.is_some_and(|pattern| pattern.is_match(&host))
                })
            })
            .or_else(default)
            .or_else(|| of_port().next())
    }

    /// The ports, and whether they speak TLS.
    pub fn ports(&self) -> BTreeMap<u16, bool> {
        let mut ports = BTreeMap::new();
        for listen in self.servers.iter().flat_map(|server| &server.listens) {
            *ports.entry(listen.port).or_insert(false) |= listen.ssl;
        }
        ports
    }

    /// The media type of a file.
    pub fn media_type(&self, path: &str, actions: &Actions) -> String {
        let end = path.rsplit('/').next().and_then(|name| name.rsplit_once('.'));
        let end = end.map_or("", |(_, end)| end);
        let default = actions.default_type.as_ref().unwrap_or(&self.default_type);
        self.types.get(end).unwrap_or(default).clone()
    }
}

impl Server {
    /// The location for a path: an exact one, else the first expression that fits, else the longest
    /// prefix. Upstream: `ngx_http_core_find_location`.
    pub fn location(&self, path: &str) -> Option<&Location> {
        let mut found = find(&self.locations, path);
        // A location within another one is looked for where that one was found.
        while let Some(outer) = found {
            match find(&outer.locations, path) {
                Some(inner) => found = Some(inner),
                None => break,
            }
        }
        found
    }

    /// The location with this name: `@fallback`.
    pub fn named(&self, name: &str) -> Option<&Location> {
        self.locations.iter().find(|location| location.modifier == "@" && location.path == name)
    }
}

fn find<'a>(locations: &'a [Location], path: &str) -> Option<&'a Location> {
    let exact = locations.iter().find(|l| l.modifier == "=" && l.path == path);
    if exact.is_some() {
        return exact;
    }
    let prefixes = locations
        .iter()
        .filter(|l| matches!(l.modifier.as_str(), "" | "^~") && path.starts_with(&l.path));
    let longest = prefixes.max_by_key(|location| location.path.len());
    if longest.is_some_and(|location| location.modifier == "^~") {
        return longest;
    }
    let fits = |l: &&Location| l.pattern.as_ref().is_some_and(|pattern| pattern.is_match(path));
    locations.iter().find(fits).or(longest)
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
        let Step::Return(status, text) = &server.steps[0] else { panic!("{:?}", server.steps) };
        assert_eq!((*status, text.as_str()), (200, "a\n\"b\"\\.c"));
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
            let Step::Return(_, text) = &location.steps[0] else { panic!("{path}") };
            text.clone()
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
            ("events {", "unexpected end of file, expecting \"}\" in /nginx.conf:1"),
            ("user nginx", "unexpected end of file, expecting \";\" or \"}\" in /nginx.conf:1"),
            (
                "events {}\nhttp { server {\nlisten abc; } }",
                "invalid port in \"abc\" of the \"listen\" directive in /nginx.conf:3",
            ),
            (
                "events {} http { server { location / {} location / {} } }",
                "duplicate location \"/\" in /nginx.conf:1",
            ),
            (
                "events {} http { server { root /a; root /b; } }",
                "\"root\" directive is duplicate in /nginx.conf:1",
            ),
            ("events {} http { server { return 200 $nosuch; } }", "unknown \"nosuch\" variable"),
            (
                "events {} http { server { access_log /a main; } }",
                "unknown log format \"main\" in /nginx.conf:1",
            ),
            (
                "events {} http { server { location ~ ^/a { proxy_pass http://b/c; } } }",
                "\"proxy_pass\" cannot have URI part in location given by regular expression, or \
                 inside named location, or inside \"if\" statement, or inside \"limit_except\" block \
                 in /nginx.conf:1",
            ),
            (
                "events {} http { server { listen 443 ssl; } }",
                "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive in \
                 /nginx.conf:1",
            ),
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
        assert!(config.server(81, "a").is_none());
    }
}
