//! Which rules a namespace wants for its pods: its labels `pod-security.kubernetes.io/…`.
//!
//! Upstream: `pod-security-admission/api/helpers.go`.

use naru_api::FieldError;
use naru_api::labels::Labels;
use std::fmt;

const PREFIX: &str = "pod-security.kubernetes.io/";

/// How strict the rules are, from all is allowed to little is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Privileged,
    Baseline,
    Restricted,
}

/// Of which release the rules are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    /// `v1.N`.
    Minor(u32),
    Latest,
}

/// Rules: `restricted:latest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LevelVersion {
    pub(super) level: Level,
    pub(super) version: Version,
}

/// The rules that a pod must keep, and those of which a client is warned. Those of which an audit
/// log would tell are checked like the others, and told to nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) enforce: LevelVersion,
    pub(super) warn: LevelVersion,
}

impl fmt::Display for LevelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Privileged => "privileged",
            Level::Baseline => "baseline",
            Level::Restricted => "restricted",
        };
        match self.version {
            Version::Latest => write!(f, "{level}:latest"),
            Version::Minor(minor) => write!(f, "{level}:v1.{minor}"),
        }
    }
}

/// Labels that say no such thing.
struct Unknown(&'static str);

fn level(text: &str) -> Result<Level, Unknown> {
    match text {
        "privileged" => Ok(Level::Privileged),
        "baseline" => Ok(Level::Baseline),
        "restricted" => Ok(Level::Restricted),
        _ => Err(Unknown("must be one of privileged, baseline, restricted")),
    }
}

fn version(text: &str) -> Result<Version, Unknown> {
    const WHY: Unknown = Unknown("must be \"latest\" or \"v1.x\"");
    if text == "latest" {
        return Ok(Version::Latest);
    }
    let digits = text.strip_prefix("v1.").ok_or(WHY)?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    match digits.parse() {
        Ok(minor) if plain && !leading_zero => Ok(Version::Minor(minor)),
        _ => Err(WHY),
    }
}

/// The rules of a namespace with these labels, and what is wrong with them. What cannot be read
/// is enforced as strictly as can be, and warned of not at all.
pub(super) fn of_labels(labels: Option<&Labels>) -> (Policy, Vec<FieldError>) {
    const NONE: LevelVersion = LevelVersion { level: Level::Privileged, version: Version::Latest };
    let mut policy = Policy { enforce: NONE, warn: NONE };
    let mut errors = Vec::new();
    let Some(labels) = labels.filter(|labels| names_rules(labels)) else { return (policy, errors) };
    let enforced = read(labels, "enforce", level, &mut errors);
    if let Some(found) = enforced {
        policy.enforce.level = found.unwrap_or(Level::Restricted);
    }
    if let Some(found) = read(labels, "enforce-version", version, &mut errors) {
        policy.enforce.version = found.unwrap_or(Version::Latest);
    }
    read(labels, "audit", level, &mut errors);
    read(labels, "audit-version", version, &mut errors);
    let warned = read(labels, "warn", level, &mut errors);
    if let Some(found) = warned {
        policy.warn.level = found.unwrap_or(Level::Privileged);
    }
    let warned_version = read(labels, "warn-version", version, &mut errors);
    if let Some(found) = warned_version {
        policy.warn.version = found.unwrap_or(Version::Latest);
    }
    // What is enforced is warned of, where a workload's template would make pods that are refused.
    if warned.is_none() && matches!(enforced, Some(Some(level)) if level > policy.warn.level) {
        policy.warn.level = policy.enforce.level;
        if warned_version.is_none() {
            policy.warn.version = policy.enforce.version;
        }
    }
    (policy, errors)
}

/// Most namespaces have no such labels.
fn names_rules(labels: &Labels) -> bool {
    labels.range(PREFIX.to_owned()..).next().is_some_and(|(key, _)| key.starts_with(PREFIX))
}

/// A label's value, if it is there; `None` inside: it cannot be read, and that was noted.
fn read<V>(
    labels: &Labels,
    mode: &str,
    parse: fn(&str) -> Result<V, Unknown>,
    errors: &mut Vec<FieldError>,
) -> Option<Option<V>> {
    let label = format!("{PREFIX}{mode}");
    let text = labels.get(&label)?;
    Some(match parse(text) {
        Ok(value) => Some(value),
        Err(Unknown(why)) => {
            errors.push(FieldError::invalid(format!("metadata.labels[{label}]"), text, why));
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_make_a_policy() {
        type Case = (&'static [(&'static str, &'static str)], &'static str, &'static str, usize);
        let table: &[Case] = &[
            (&[], "privileged:latest", "privileged:latest", 0),
            (&[("enforce", "baseline")], "baseline:latest", "baseline:latest", 0),
            (
                &[("enforce", "restricted"), ("enforce-version", "v1.24")],
                "restricted:v1.24",
                "restricted:v1.24",
                0,
            ),
            (
                &[("enforce", "baseline"), ("warn", "privileged")],
                "baseline:latest",
                "privileged:latest",
                0,
            ),
            (&[("warn", "restricted")], "privileged:latest", "restricted:latest", 0),
            (&[("enforce", "strict")], "restricted:latest", "privileged:latest", 1),
            (
                &[("warn", "x"), ("warn-version", "1.2")],
                "privileged:latest",
                "privileged:latest",
                2,
            ),
            (
                &[("audit", "x"), ("enforce-version", "v1.01")],
                "privileged:latest",
                "privileged:latest",
                2,
            ),
        ];
        for (labels, enforce, warn, errors) in table {
            let labels: Labels = labels
                .iter()
                .map(|(mode, value)| {
                    (format!("pod-security.kubernetes.io/{mode}"), (*value).to_owned())
                })
                .collect();
            let (policy, found) = of_labels(Some(&labels));
            let texts = (policy.enforce.to_string(), policy.warn.to_string(), found.len());
            assert_eq!(texts, ((*enforce).to_owned(), (*warn).to_owned(), *errors), "{labels:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        let labels: Labels =
            [("pod-security.kubernetes.io/enforce".to_owned(), "strict".to_owned())].into();
        let (_, errors) = of_labels(Some(&labels));
        assert_eq!(errors[0].field, "metadata.labels[pod-security.kubernetes.io/enforce]");
        assert_eq!(
            errors[0].message,
            "Invalid value: \"strict\": must be one of privileged, baseline, restricted"
        );
    }
}
