//! `fluentd`: sources of the type `tail`, and matches of the type `stdout`. What it would send elsewhere
//! goes nowhere.
//!
//! Upstream: `fluent/fluentd`.

use super::tail::Tail;
use naru_shell::serve::clock;
use naru_shell::{Program, Signal, Step, Sys};
use naru_sim::Time;
use std::collections::BTreeMap;
use std::time::Duration;

const PLACES: &[&str] =
    &["/fluentd/etc/fluent.conf", "/etc/fluent/fluent.conf", "/etc/td-agent/td-agent.conf"];
/// How often files are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// The program.
#[derive(Clone, Debug, Default)]
pub struct Fluentd {
    sources: Vec<(Source, Tail)>,
    matches: Vec<(String, String)>,
    next: Option<Time>,
}

/// `<source>` of the type `tail`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Source {
    tag: String,
    paths: Vec<String>,
    from_head: bool,
}

impl Program for Fluentd {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if self.next.is_none()
            && let Err(step) = self.start(sys)
        {
            return step;
        }
        if sys.take_signal().is_some() {
            info(sys, "Received graceful stop");
            info(sys, "#0 fluentd worker is now stopping worker=0");
            info(sys, "Worker 0 finished with status 0");
            return Step::Exit(0);
        }
        if self.next.is_some_and(|at| at <= sys.now()) {
            self.next = Some(sys.now() + EVERY);
            self.ship(sys);
        }
        Step::Block { until: self.next }
    }
}

impl Fluentd {
    fn start(&mut self, sys: &mut dyn Sys) -> Result<(), Step> {
        let args = sys.args().to_vec();
        let extra = sys.env().get("FLUENTD_ARGS").cloned().unwrap_or_default();
        let words: Vec<String> = args
            .iter()
            .skip(1)
            .cloned()
            .chain(extra.split_whitespace().map(str::to_owned))
            .collect();
        if words.iter().any(|word| word == "--version") {
            let text = format!("fluentd {}\n", version(sys));
            let _ = sys.write(1, text.as_bytes());
            return Err(Step::Exit(0));
        }
        let at = words.iter().position(|word| word == "-c" || word == "--config");
        let named = at.and_then(|at| words.get(at + 1)).cloned();
        let found = PLACES.iter().find(|path| sys.fs().exists(path)).map(|path| (*path).to_owned());
        let path = named.or(found).unwrap_or_else(|| "/fluentd/etc/fluent.conf".to_owned());
        let Ok(text) = sys.fs().read_text(&path) else {
            let line = format!(
                "config error file=\"{path}\" error_class=Errno::ENOENT error=\"No such file or directory @ rb_sysopen - {path}\""
            );
            say(sys, "error", &line);
            return Err(Step::Exit(1));
        };
        let blocks = read(&text);
        info(sys, "init supervisor logger path=nil rotate_age=nil rotate_size=nil");
        info(sys, &format!("parsing config file is succeeded path=\"{path}\""));
        for (kind, argument, values) in blocks {
            let get = |name: &str| values.get(name).cloned().unwrap_or_default();
            let own =
                values.get("@type").or_else(|| values.get("type")).cloned().unwrap_or_default();
            match kind.as_str() {
                "source" if own == "tail" => {
                    let Some(tag) = values.get("tag").cloned() else {
                        let line = format!(
                            "config error file=\"{path}\" error_class=Fluent::ConfigError error=\"'tag' parameter is required\""
                        );
                        say(sys, "error", &line);
                        return Err(Step::Exit(1));
                    };
                    let paths: Vec<String> =
                        get("path").split(',').map(|path| path.trim().to_owned()).collect();
                    let source = Source {
                        tag,
                        paths: paths.clone(),
                        from_head: get("read_from_head") == "true",
                    };
                    let tail = Tail::new(paths, source.from_head);
                    self.sources.push((source, tail));
                }
                "match" => self.matches.push((argument, own)),
                _ => {}
            }
        }
        let line = format!("starting fluentd-{} pid={} ruby=\"3.2.8\"", version(sys), sys.pid());
        info(sys, &line);
        for (pattern, kind) in self.matches.clone() {
            info(sys, &format!("#0 adding match pattern=\"{pattern}\" type=\"{kind}\""));
        }
        for _ in &self.sources {
            info(sys, "#0 adding source type=\"tail\"");
        }
        info(sys, "#0 starting fluentd worker pid=16 ppid=7 worker=0");
        info(sys, "#0 fluentd worker is now running worker=0");
        sys.catch(Signal::Term);
        sys.catch(Signal::Int);
        sys.use_memory(60 << 20);
        self.next = Some(sys.now());
        Ok(())
    }

    fn ship(&mut self, sys: &mut dyn Sys) {
        let mut sources = std::mem::take(&mut self.sources);
        for (source, tail) in &mut sources {
            let (lines, new) = tail.look(sys);
            for path in new {
                info(sys, &format!("#0 following tail of {path}"));
            }
            let kind = self.matches.iter().find(|(pattern, _)| fits(pattern, &source.tag));
            if kind.is_none_or(|(_, kind)| kind != "stdout") {
                continue;
            }
            let time = clock::format(sys.now(), "%Y-%m-%d %H:%M:%S.%9f +0000");
            for line in lines {
                let message = serde_json::Value::from(line.text);
                let text = format!("{time} {}: {{\"message\":{message}}}\n", source.tag);
                let _ = sys.write(1, text.as_bytes());
            }
        }
        self.sources = sources;
    }
}

fn version(sys: &mut dyn Sys) -> String {
    sys.env().get("FLUENTD_VERSION").cloned().unwrap_or_else(|| "1.16.9".to_owned())
}

fn info(sys: &mut dyn Sys, line: &str) {
    say(sys, "info", line);
}

fn say(sys: &mut dyn Sys, level: &str, line: &str) {
    let time = clock::format(sys.now(), "%Y-%m-%d %H:%M:%S +0000");
    let _ = sys.write(1, format!("{time} [{level}]: {line}\n").as_bytes());
}

/// Whether a tag fits a pattern: `*` is one part, `**` any number; blanks stand between patterns.
fn fits(patterns: &str, tag: &str) -> bool {
    fn parts(pattern: &[&str], tag: &[&str]) -> bool {
        match (pattern.split_first(), tag.split_first()) {
            (None, None) => true,
            (Some((&"**", rest)), None) => parts(rest, tag),
            (Some((&"**", rest)), Some((_, after))) => parts(rest, tag) || parts(pattern, after),
            (Some((first, rest)), Some((part, after))) => {
                (*first == "*" || first == part) && parts(rest, after)
            }
            _ => false,
        }
    }
    let tag: Vec<&str> = tag.split('.').take(32).collect();
    patterns.split_whitespace().any(|pattern| {
        let pattern: Vec<&str> = pattern.split('.').take(16).collect();
        parts(&pattern, &tag)
    })
}

/// The outermost blocks: their names, arguments and settings.
fn read(text: &str) -> Vec<(String, String, BTreeMap<String, String>)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String, BTreeMap<String, String>)> = None;
    let mut depth = 0_usize;
    for line in text.lines().map(str::trim) {
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        if line.starts_with("</") {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                blocks.extend(open.take());
            }
        } else if let Some(head) = line.strip_prefix('<').and_then(|line| line.strip_suffix('>')) {
            if depth == 0 {
                let (name, argument) = head.split_once(' ').unwrap_or((head, ""));
                open = Some((name.to_owned(), argument.trim().to_owned(), BTreeMap::new()));
            }
            depth += 1;
        } else if let (Some((.., values)), 1) = (&mut open, depth) {
            let (name, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let value = value.trim().trim_matches('"');
            values.insert(name.to_owned(), value.to_owned());
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_tags() {
        let blocks = read(
            "<source>\n  @type tail\n  tag a.b\n  <parse>\n    @type none\n  </parse>\n\
                           </source>\n<match **>\n  @type stdout\n</match>\n",
        );
        assert_eq!(blocks.len(), 2);
        assert_eq!(blocks[0].2.get("@type").map(String::as_str), Some("tail"));
        assert_eq!(blocks[1].1, "**");
        let table = [
            ("**", "a.b", true),
            ("a.*", "a.b", true),
            ("a.*", "a.b.c", false),
            ("b a.b", "a.b", true),
        ];
        for (pattern, tag, expected) in table {
            assert_eq!(fits(pattern, tag), expected, "{pattern}");
        }
    }
}
