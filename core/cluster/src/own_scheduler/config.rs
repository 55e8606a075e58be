//! The file of `kube-scheduler --config`.
//!
//! Upstream: `staging/src/k8s.io/kube-scheduler/config/v1/types.go`,
//! `cmd/kube-scheduler/app/options/configfile.go`.

use naru_api::gofmt::quote;
use naru_api::yaml;
use naru_scheduler::Scheduler;
use serde_json::Value;

const API_VERSION: &str = "kubescheduler.config.k8s.io/v1";
const KIND: &str = "KubeSchedulerConfiguration";
/// Profiles of one file.
const PROFILES_MAX: usize = 8;

/// What of a KubeSchedulerConfiguration matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The names by which pods ask for its profiles.
    pub profiles: Vec<String>,
    /// The Lease by which it is elected; `None` if it works without.
    pub lease: Option<String>,
}

impl Config {
    /// Reads a file. What it asks for that is not simulated is an error, lest it be thought to work.
    pub fn read(text: &str) -> Result<Config, String> {
        let value = yaml::parse(text).map_err(|error| error.to_string())?;
        let field = |name: &str| value[name].as_str().unwrap_or_default();
        let (version, kind) = (field("apiVersion"), field("kind"));
        if (version, kind) != (API_VERSION, KIND) {
            let (kind, version) = (quote(kind), quote(version));
            return Err(format!("no kind {kind} is registered for version {version} in scheme"));
        }
        let known = ["apiVersion", "kind", "profiles", "leaderElection", "clientConnection"];
        only(&value, &known, "")?;
        let profiles = value["profiles"].as_array().cloned().unwrap_or_default();
        if profiles.len() > PROFILES_MAX {
            return Err(format!("naru: more than {PROFILES_MAX} profiles are not simulated"));
        }
        let mut names = Vec::new();
        for profile in &profiles {
            only(profile, &["schedulerName"], "profiles.")?;
            let name = profile["schedulerName"].as_str().unwrap_or(Scheduler::DEFAULT_NAME);
            if names.iter().any(|other| other == name) {
                let at = names.len();
                let name = quote(name);
                return Err(format!("profiles[{at}].schedulerName: Duplicate value: {name}"));
            }
            names.push(name.to_owned());
        }
        if names.is_empty() {
            names.push(Scheduler::DEFAULT_NAME.to_owned());
        }
        let election = &value["leaderElection"];
        let lease = election["resourceName"].as_str().unwrap_or("kube-scheduler").to_owned();
        let elects = election["leaderElect"].as_bool().unwrap_or(true);
        Ok(Config { profiles: names, lease: elects.then_some(lease) })
    }
}

fn only(value: &Value, known: &[&str], prefix: &str) -> Result<(), String> {
    let mut fields = value.as_object().into_iter().flatten().map(|(name, _)| name);
    match fields.find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("naru: {prefix}{name} of a {KIND} is not simulated")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n";

    fn read(rest: &str) -> Result<Config, String> {
        Config::read(&format!("{HEAD}{rest}"))
    }

    #[test]
    fn a_file_names_profiles_and_a_lease() {
        let config =
            read("profiles:\n- schedulerName: mine\nleaderElection:\n  leaderElect: false\n");
        assert_eq!(config, Ok(Config { profiles: vec!["mine".to_owned()], lease: None }));
        let config = read("").unwrap();
        assert_eq!(config.profiles, ["default-scheduler"]);
        assert_eq!(config.lease.as_deref(), Some("kube-scheduler"));
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        for (text, error) in [
            (
                "profiles:\n- schedulerName: a\n- schedulerName: a\n",
                "profiles[1].schedulerName: Duplicate value: \"a\"",
            ),
            (
                "profiles:\n- schedulerName: a\n  plugins: {}\n",
                "naru: profiles.plugins of a KubeSchedulerConfiguration is not simulated",
            ),
            (
                "percentageOfNodesToScore: 5\n",
                "naru: percentageOfNodesToScore of a KubeSchedulerConfiguration is not simulated",
            ),
        ] {
            assert_eq!(read(text), Err(error.to_owned()));
        }
        assert_eq!(
            Config::read("apiVersion: v1\nkind: Pod\n"),
            Err("no kind \"Pod\" is registered for version \"v1\" in scheme".to_owned())
        );
    }
}
