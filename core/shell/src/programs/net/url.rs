//! URLs.

/// A URL in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// `http`
    pub scheme: String,
    /// `user:password`, or ""
    pub user: String,
    /// Name or address; an IPv6 address without its brackets.
    pub host: String,
    /// The port, if it is said.
    pub port: Option<u16>,
    /// Path and query, beginning with `/`.
    pub target: String,
}

impl Url {
    /// Reads a URL; `http` is meant if no scheme is said. `None`: it is none.
    pub fn parse(text: &str) -> Option<Url> {
        let text = text.split('#').next()?;
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
            None => ("http".to_string(), text),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let (user, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (host, port) = match place.strip_prefix('[') {
            Some(bracketed) => {
                let (host, port) = bracketed.split_once(']')?;
                (host, port.strip_prefix(':'))
            }
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        let port = match port {
            None | Some("") => None,
            Some(port) => Some(port.parse().ok()?),
        };
        let bad = |c: char| c.is_whitespace() || c.is_control() || c == '\\';
        if host.is_empty() || host.contains(bad) || target.contains(char::is_control) {
            return None;
        }
        let target = match target.chars().next() {
            Some('/') => target.to_string(),
            _ => format!("/{target}"),
        };
        Some(Url { scheme, user: user.to_string(), host: host.to_string(), port, target })
    }

    /// The port, by default the scheme's.
    pub fn port_or_default(&self) -> u16 {
        self.port.unwrap_or(if self.scheme == "https" { 443 } else { 80 })
    }

    /// What the `Host` header says.
    pub fn authority(&self) -> String {
        let host = self.shown_host();
        match self.port {
            Some(port) if port != 80 => format!("{host}:{port}"),
            _ => host,
        }
    }

    /// The host, an IPv6 address in brackets.
    pub fn shown_host(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }

    /// Where a `Location` seen at this URL leads.
    pub fn join(&self, location: &str) -> Option<Url> {
        let is_whole = |(scheme, _): (&str, &str)| !scheme.contains(['/', '?']);
        if location.split_once("://").is_some_and(is_whole) {
            return Url::parse(location);
        }
        let target = if location.starts_with('/') {
            location.to_string()
        } else {
            let path = self.target.split('?').next().unwrap_or_default();
            let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
            format!("{dir}/{location}")
        };
        Some(Url { target, ..self.clone() })
    }

    /// The name of the file that the path ends with.
    pub fn file_name(&self) -> &str {
        let path = self.target.split('?').next().unwrap_or_default();
        path.rsplit('/').next().unwrap_or_default()
    }

    /// As text.
    pub fn text(&self) -> String {
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{}{port}{}", self.scheme, self.shown_host(), self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (text, expected) in [
            ("app", Some("http://app/")),
            ("http://a:8080?x=1#f", Some("http://a:8080/?x=1")),
            ("HTTPS://u:p@a/b/c", Some("https://a/b/c")),
            ("[::1]:80/x", Some("http://[::1]:80/x")),
            ("http://", None),
            ("http://a:99999", None),
            ("http://a b/", None),
        ] {
            assert_eq!(Url::parse(text).map(|url| url.text()).as_deref(), expected, "{text}");
        }
        let base = Url::parse("http://a:81/b/c?d").unwrap();
        for (location, expected) in [
            ("/x", "http://a:81/x"),
            ("y", "http://a:81/b/y"),
            ("http://z/", "http://z/"),
            ("/x?u=http://z/", "http://a:81/x?u=http://z/"),
        ] {
            assert_eq!(base.join(location).unwrap().text(), expected);
        }
        assert_eq!(base.authority(), "a:81");
        assert_eq!(base.file_name(), "c");
    }
}
