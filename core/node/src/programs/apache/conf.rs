//! The part of `httpd.conf` that the sandbox's Apache follows.
//!
//! Upstream: `server/config.c`, `server/core.c` of `apache/httpd`.

use naru_shell::Vfs;
use std::collections::BTreeMap;

/// Files that may be included one from another, and lines of all files.
const INCLUDE_DEPTH_MAX: usize = 8;
const LINES_MAX: usize = 10_000;

/// One server, or a virtual host of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Its port where it is a virtual host's; 0 for any.
    pub port: u16,
    pub names: Vec<String>,
    pub root: Option<String>,
    /// Paths that lie elsewhere.
    pub aliases: Vec<(String, String)>,
    /// Paths that are to be asked for elsewhere: status and target.
    pub redirects: Vec<(String, u16, String)>,
    /// Paths that are passed on.
    pub proxies: Vec<(String, String)>,
}

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    pub ports: Vec<u16>,
    pub main: Host,
    pub hosts: Vec<Host>,
    pub indexes: Vec<String>,
    /// Directories and whether they are listed.
    pub listed: BTreeMap<String, bool>,
    /// Directories that nobody may see.
    pub denied: BTreeMap<String, bool>,
    /// Whether requests are logged with their referrer and program.
    pub combined: bool,
    /// Connections are not kept.
    pub keeps_off: bool,
    /// For how many seconds a connection waits for another request.
    pub keep_alive: u32,
    /// How many requests may follow by a connection; 0 is any number.
    pub keep_alive_max: u32,
}

/// Directives that are known and change nothing here.
const KNOWN: &[&str] = &[
    "addencoding",
    "addhandler",
    "addoutputfilter",
    "addoutputfilterbytype",
    "addtype",
    "allowoverride",
    "browsermatch",
    "errordocument",
    "errorlog",
    "group",
    "header",
    "loadmodule",
    "loglevel",
    "mutex",
    "pidfile",
    "proxypassreverse",
    "proxypreservehost",
    "requestheader",
    "rewritecond",
    "rewriteengine",
    "rewriterule",
    "serveradmin",
    "serverroot",
    "serversignature",
    "servertokens",
    "setenvif",
    "sethandler",
    "sslrandomseed",
    "timeout",
    "typesconfig",
    "usecanonicalname",
    "user",
];

struct Reader<'a> {
    fs: &'a Vfs,
    base: &'a str,
    config: Config,
    /// What is open: its name in small letters, what it is of, its name as it was written.
    open: Vec<(String, String, String)>,
    host: Option<Host>,
    lines: usize,
}

/// Reads a configuration. The error is Apache's.
pub fn load(fs: &Vfs, base: &str, path: &str) -> Result<Config, String> {
    let mut reader = Reader {
        fs,
        base,
        config: Config {
            indexes: vec!["index.html".to_owned()],
            // Upstream: `DEFAULT_KEEPALIVE_TIMEOUT`, `DEFAULT_KEEPALIVE`.
            keep_alive: 5,
            keep_alive_max: 100,
            ..Config::default()
        },
        open: Vec::new(),
        host: None,
        lines: 0,
    };
    reader.file(path, INCLUDE_DEPTH_MAX)?;
    Ok(reader.config)
}

impl Reader<'_> {
    fn file(&mut self, path: &str, depth: usize) -> Result<(), String> {
        let text = self
            .fs
            .read_text(path)
            .map_err(|errno| format!("httpd: Could not open configuration file {path}: {errno}"))?;
        for (index, line) in text.lines().enumerate() {
            self.lines += 1;
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |why: String| {
                format!("AH00526: Syntax error on line {} of {path}:\n{why}", index + 1)
            };
            if self.lines > LINES_MAX {
                return Err(wrong("the sandbox reads no more lines".to_owned()));
            }
            self.line(line, depth).map_err(wrong)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &str, depth: usize) -> Result<(), String> {
        if let Some(name) = line.strip_prefix("</") {
            let name = name.trim_end_matches('>');
            return match self.open.pop() {
                Some((open, ..)) if open == name.to_lowercase() => {
                    if open == "virtualhost" {
                        self.config.hosts.extend(self.host.take());
                    }
                    Ok(())
                }
                Some((.., open)) => Err(format!("Expected </{open}> but saw </{name}>")),
                None => Err(format!("</{name}> without matching <{name}> section")),
            };
        }
        let Some(section) = line.strip_prefix('<') else {
            let words = words(line);
            let (name, args) = words.split_first().ok_or("empty line")?;
            return self.directive(name, args, depth);
        };
        let words = words(section.trim_end_matches('>'));
        let (name, args) = words.split_first().ok_or("empty section")?;
        let lower = name.to_lowercase();
        let first = args.first().cloned().unwrap_or_default();
        if lower == "virtualhost" {
            let port = first.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(0);
            self.host = Some(Host { port, ..Host::default() });
        }
        self.open.push((lower, first, name.clone()));
        Ok(())
    }

    fn directive(&mut self, name: &str, args: &[String], depth: usize) -> Result<(), String> {
        let lower = name.to_lowercase();
        let first = args.first().cloned().unwrap_or_default();
        let second = args.get(1).cloned().unwrap_or_default();
        let base = self.base.to_owned();
        let place = |path: &str| naru_shell::normalize(&base, path);
        let folder = self.open.iter().rev().find(|(kind, ..)| kind == "directory");
        let folder = folder.map(|(_, path, _)| path.clone());
        let host = self.host.as_mut().unwrap_or(&mut self.config.main);
        match lower.as_str() {
            "listen" => {
                let port = first
                    .rsplit(':')
                    .next()
                    .unwrap_or_default()
                    .parse()
                    .map_err(|_| "Port must be specified".to_owned())?;
                self.config.ports.push(port);
            }
            "servername" | "serveralias" => host.names.extend(
                args.iter().map(|name| name.split(':').next().unwrap_or_default().to_owned()),
            ),
            "documentroot" => host.root = Some(place(&first)),
            "alias" | "scriptalias" => host.aliases.push((first, place(&second))),
            "redirect" | "redirectpermanent" => {
                let (status, rest) = match (first.as_str(), lower.as_str()) {
                    (_, "redirectpermanent") => (301, args),
                    ("permanent", _) => (301, args.get(1..).unwrap_or_default()),
                    ("temp", _) => (302, args.get(1..).unwrap_or_default()),
                    (code, _) if code.parse::<u16>().is_ok() => {
                        (code.parse().unwrap_or(302), args.get(1..).unwrap_or_default())
                    }
                    _ => (302, args),
                };
                let [path, target] = rest else {
                    return Err(format!("{name} takes two or three arguments"));
                };
                host.redirects.push((path.clone(), status, target.clone()));
            }
            "proxypass" => host.proxies.push((first, second)),
            "directoryindex" => self.config.indexes = args.to_vec(),
            "keepalive" if first.eq_ignore_ascii_case("off") => self.config.keeps_off = true,
            "keepalive" => self.config.keeps_off = false,
            "keepalivetimeout" => {
                self.config.keep_alive = first.parse().unwrap_or(self.config.keep_alive);
            }
            "maxkeepaliverequests" => {
                self.config.keep_alive_max = first.parse().unwrap_or(self.config.keep_alive_max);
            }
            "customlog" => self.config.combined = second.contains("combined"),
            "logformat" => {}
            "options" => {
                let lists = args.iter().any(|word| {
                    ["indexes", "+indexes", "all"].contains(&word.to_lowercase().as_str())
                });
                if let Some(folder) = folder {
                    self.config.listed.insert(folder, lists);
                }
            }
            "require" => {
                if let Some(folder) = folder {
                    let denied = first == "all" && second == "denied";
                    self.config.denied.insert(folder, denied);
                }
            }
            "include" | "includeoptional" => {
                let depth = depth.checked_sub(1).ok_or("Exceeded the maximum include depth")?;
                let pattern = place(&first);
                let files = self.matching(&pattern);
                if files.is_empty() && lower == "include" && !pattern.contains('*') {
                    return Err(format!(
                        "Could not open configuration file {pattern}: No such file or directory"
                    ));
                }
                for file in files {
                    self.file(&file, depth)?;
                }
            }
            known if KNOWN.contains(&known) => {}
            _ => {
                return Err(format!(
                    "Invalid command '{name}', perhaps misspelled or defined by a module not \
                     included in the server configuration"
                ));
            }
        }
        Ok(())
    }

    fn matching(&self, pattern: &str) -> Vec<String> {
        let Some((before, after)) = pattern.split_once('*') else {
            return Some(pattern.to_owned())
                .filter(|path| self.fs.exists(path))
                .into_iter()
                .collect();
        };
        let (folder, start) = before.rsplit_once('/').unwrap_or(("", before));
        let entries = self.fs.list(folder).unwrap_or_default().into_iter();
        let names = entries.map(|entry| entry.name);
        names
            .filter(|name| name.starts_with(start) && name.ends_with(after))
            .map(|name| format!("{folder}/{name}"))
            .collect()
    }
}

/// The words of a line, with double quotes around those that hold blanks.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.peek().copied() {
        if c.is_whitespace() {
            chars.next();
            continue;
        }
        let quoted = chars.next_if_eq(&'"').is_some();
        let mut word = String::new();
        while let Some(c) = chars.next() {
            match c {
                '"' if quoted => break,
                c if !quoted && c.is_whitespace() => break,
                '\\' if chars.peek() == Some(&'"') => word.extend(chars.next()),
                c => word.push(c),
            }
        }
        words.push(word);
    }
    words
}

impl Config {
    /// The host for a request that came to a port.
    pub fn host(&self, port: u16, name: &str) -> &Host {
        let name = name.split(':').next().unwrap_or_default();
        let mut of_port = self.hosts.iter().filter(|host| host.port == 0 || host.port == port);
        let named = of_port.clone().find(|host| host.names.iter().any(|own| own == name));
        named.or_else(|| of_port.next()).unwrap_or(&self.main)
    }

    /// What is said of the closest directory above a file.
    pub fn closest(said: &BTreeMap<String, bool>, path: &str) -> bool {
        let holds = |folder: &&String| {
            let folder = folder.trim_end_matches('/');
            path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let closest = said.keys().filter(holds).max_by_key(|folder| folder.len());
        closest.and_then(|folder| said.get(folder)).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let mut fs = Vfs::new();
        fs.write("/httpd.conf", text.as_bytes()).unwrap();
        load(&fs, "/usr/local/apache2", "/httpd.conf")
    }

    #[test]
    fn hosts_and_directories() {
        let config = read(
            "Listen 80\nDocumentRoot \"/w\"\n<Directory />\nRequire all denied\n</Directory>\n\
             <Directory \"/w\">\nOptions Indexes\nRequire all granted\n</Directory>\n\
             <VirtualHost *:80>\nServerName a.example\nRedirect permanent /x http://b/\n\
             </VirtualHost>\n",
        )
        .unwrap();
        assert_eq!(config.ports, [80]);
        assert!(Config::closest(&config.listed, "/w/d"));
        assert!(!Config::closest(&config.denied, "/w/d"));
        assert!(Config::closest(&config.denied, "/etc/passwd"));
        let host = config.host(80, "a.example:80");
        assert_eq!(host.redirects, [("/x".to_owned(), 301, "http://b/".to_owned())]);
    }

    #[test]
    fn mistakes_in_apaches_words() {
        let table = [
            (
                "Lissen 80",
                "Invalid command 'Lissen', perhaps misspelled or defined by a module not included in \
                 the server configuration",
            ),
            ("</Directory>", "</Directory> without matching <Directory> section"),
            ("<Files a>\n</Directory>", "Expected </Files> but saw </Directory>"),
        ];
        for (text, why) in table {
            let line = text.lines().count();
            let expected = format!("AH00526: Syntax error on line {line} of /httpd.conf:\n{why}");
            assert_eq!(read(text).unwrap_err(), expected);
        }
    }
}
