//! Names of images.
//!
//! Upstream: `github.com/distribution/reference`, `pkg/util/parsers/parsers.go`.

use std::fmt;

/// An image's name with everything that a short one leaves out:
/// `nginx` is `docker.io/library/nginx:latest`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageRef {
    /// The registry's host: `docker.io`.
    pub registry: String,
    /// The repository's path at the registry: `library/nginx`.
    pub path: String,
    /// The tag, `latest` when neither tag nor digest is given; "" beside a digest alone.
    pub tag: String,
    /// `sha256:…`, or "".
    pub digest: String,
}

/// The registry of names without a host.
const DEFAULT_REGISTRY: &str = "docker.io";

impl ImageRef {
    /// Reads a name as a manifest writes it. The error is upstream's text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad = || "invalid reference format".to_owned();
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) if is_digest(digest) => (rest, digest),
            Some(_) => return Err(bad()),
            None => (text, ""),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => (rest, ""),
        };
        if rest.ends_with(':') || (!tag.is_empty() && !is_tag(tag)) {
            return Err(bad());
        }
        let (registry, path) = split_registry(name);
        if path.chars().any(|c| c.is_ascii_uppercase()) {
            return Err(format!("{}: repository name must be lowercase", bad()));
        }
        if !path.split('/').all(is_path_component) {
            return Err(bad());
        }
        let tag = if tag.is_empty() && digest.is_empty() { "latest" } else { tag };
        Ok(ImageRef { registry, path, tag: tag.to_owned(), digest: digest.to_owned() })
    }

    /// The name without tag and digest: `docker.io/library/nginx`.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.registry, self.path)
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)?;
        if !self.tag.is_empty() {
            write!(f, ":{}", self.tag)?;
        }
        if !self.digest.is_empty() {
            write!(f, "@{}", self.digest)?;
        }
        Ok(())
    }
}

/// The first part is a host if it looks like one.
fn split_registry(name: &str) -> (String, String) {
    let (registry, path) = match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
        _ => (DEFAULT_REGISTRY, name),
    };
    let registry = if registry == "index.docker.io" { DEFAULT_REGISTRY } else { registry };
    if registry == DEFAULT_REGISTRY && !path.contains('/') {
        return (registry.to_owned(), format!("library/{path}"));
    }
    (registry.to_owned(), path.to_owned())
}

fn is_tag(tag: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    tag.len() <= 128
        && tag.chars().all(inner)
        && tag.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
}

fn is_digest(digest: &str) -> bool {
    digest
        .strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn is_path_component(part: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    part.starts_with(letter)
        && part.ends_with(letter)
        && part.chars().all(|c| letter(c) || matches!(c, '.' | '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_completed() {
        let table = [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1.27", "docker.io/library/nginx:1.27"),
            ("luksa/kubia", "docker.io/luksa/kubia:latest"),
            ("kim0lil/80700:v-1.0.0", "docker.io/kim0lil/80700:v-1.0.0"),
            ("index.docker.io/library/redis", "docker.io/library/redis:latest"),
            ("docker.io/redis:7", "docker.io/library/redis:7"),
            ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
            ("registry.k8s.io/coredns/coredns:v1", "registry.k8s.io/coredns/coredns:v1"),
            ("localhost:5000/a", "localhost:5000/a:latest"),
            ("localhost/a/b:c", "localhost/a/b:c"),
        ];
        for (text, full) in table {
            assert_eq!(ImageRef::parse(text).map(|name| name.to_string()), Ok(full.to_owned()));
        }
    }

    #[test]
    fn a_digest_stands_for_itself() {
        let text = format!("nginx@sha256:{}", "a".repeat(64));
        let full = ImageRef::parse(&text).unwrap();
        assert_eq!((full.tag.as_str(), full.digest.len()), ("", 71));
        assert_eq!(full.to_string(), format!("docker.io/library/{text}"));
    }

    #[test]
    fn malformed_names_are_refused() {
        for text in ["", ":", "a:", "a:b:c d", "/a", "a//b", "-a", "a@sha256:1", "a b", "나루"] {
            assert!(ImageRef::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(
            ImageRef::parse("Nginx").unwrap_err(),
            "invalid reference format: repository name must be lowercase"
        );
    }
}
