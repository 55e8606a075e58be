//! `KubeletConfiguration`: what of it is heeded here.
//!
//! Upstream: `kubelet/config/v1beta1/types.go`, `SetDefaults_KubeletConfiguration` in
//! `pkg/kubelet/apis/config/v1beta1/defaults.go`, `pkg/kubelet/eviction/defaults_linux.go`.

use super::eviction::Threshold;
use naru_api::quantity::Amount;
use naru_api::{duration, yaml};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// Where a machine has it.
pub const PATH: &str = "/var/lib/kubelet/config.yaml";
/// Bytes of such a file.
const BYTES_MAX: usize = 256 << 10;
/// The signals and what has to be left of each. Upstream: `DefaultEvictionHard`.
const EVICTION_HARD: [(&str, &str); 5] = [
    ("imagefs.available", "15%"),
    ("imagefs.inodesFree", "5%"),
    ("memory.available", "100Mi"),
    ("nodefs.available", "10%"),
    ("nodefs.inodesFree", "5%"),
];

/// Texts by the names of signals.
pub type BySignal = BTreeMap<String, String>;

/// How a kubelet is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeletConfiguration {
    /// What has to be left; if it is not, pods go at once.
    pub eviction_hard: BySignal,
    /// The same, if pods go only after a while.
    pub eviction_soft: BySignal,
    /// How long that is.
    pub eviction_soft_grace_period: BySignal,
    /// How much more has to be there before all is well again.
    pub eviction_minimum_reclaim: BySignal,
    /// Whether what has to be left by default counts for the signals that the file does not name.
    pub merge_default_eviction_settings: bool,
    /// What pods have for their end that go after a while.
    pub eviction_max_pod_grace_period: Duration,
    /// How long a node tells of pressure after there was none.
    pub eviction_pressure_transition_period: Duration,
    /// From which share of the disk, in percent, images are removed; 100: never.
    pub image_gc_high_threshold_percent: u8,
    /// Down to which share they are.
    pub image_gc_low_threshold_percent: u8,
    /// How old an image has to be before it is removed.
    pub image_minimum_gc_age: Duration,
    /// How large the file of a container's log becomes, in bytes.
    pub container_log_max_size: u64,
    /// How many such files a container has.
    pub container_log_max_files: usize,
    /// How many processes a pod may have; `None` for any number.
    pub pod_pids_limit: Option<u64>,
}

impl Default for KubeletConfiguration {
    fn default() -> Self {
        let hard = EVICTION_HARD.map(|(signal, value)| (signal.to_owned(), value.to_owned()));
        KubeletConfiguration {
            eviction_hard: hard.into(),
            eviction_soft: BySignal::new(),
            eviction_soft_grace_period: BySignal::new(),
            eviction_minimum_reclaim: BySignal::new(),
            merge_default_eviction_settings: false,
            eviction_max_pod_grace_period: Duration::ZERO,
            eviction_pressure_transition_period: Duration::from_secs(300),
            image_gc_high_threshold_percent: 85,
            image_gc_low_threshold_percent: 80,
            image_minimum_gc_age: Duration::from_secs(120),
            container_log_max_size: 10 << 20,
            container_log_max_files: 5,
            pod_pids_limit: None,
        }
    }
}

impl KubeletConfiguration {
    /// Reads a file; the error says what is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.len() > BYTES_MAX {
            return Err(format!("it may have {BYTES_MAX} bytes, not {}", text.len()));
        }
        match yaml::parse(text).map_err(|error| error.to_string())? {
            Value::Object(fields) => Self::of(&fields),
            _ => Err("couldn't get version/kind; json parse error".to_owned()),
        }
    }

    /// What these fields say; the others are as they are by default.
    pub fn of(fields: &Map<String, Value>) -> Result<Self, String> {
        let mut config = KubeletConfiguration::default();
        let merge = flag(fields, "mergeDefaultEvictionSettings")?.unwrap_or(false);
        config.merge_default_eviction_settings = merge;
        if let Some(hard) = by_signal(fields, "evictionHard")? {
            let usual = std::mem::take(&mut config.eviction_hard);
            config.eviction_hard = if merge { usual } else { BySignal::new() };
            config.eviction_hard.extend(hard);
        }
        for (name, field) in [
            ("evictionSoft", &mut config.eviction_soft),
            ("evictionSoftGracePeriod", &mut config.eviction_soft_grace_period),
            ("evictionMinimumReclaim", &mut config.eviction_minimum_reclaim),
        ] {
            *field = by_signal(fields, name)?.unwrap_or_default();
        }
        for (name, field) in [
            ("evictionPressureTransitionPeriod", &mut config.eviction_pressure_transition_period),
            ("imageMinimumGCAge", &mut config.image_minimum_gc_age),
        ] {
            // None is none that was said.
            *field = time(fields, name)?.filter(|time| !time.is_zero()).unwrap_or(*field);
        }
        config.read_numbers(fields)?;
        Threshold::all(&config)?;
        Ok(config)
    }

    fn read_numbers(&mut self, fields: &Map<String, Value>) -> Result<(), String> {
        for (name, field) in [
            ("imageGCHighThresholdPercent", &mut self.image_gc_high_threshold_percent),
            ("imageGCLowThresholdPercent", &mut self.image_gc_low_threshold_percent),
        ] {
            if let Some(percent) = number(fields, name)? {
                let percent = u8::try_from(percent).ok().filter(|percent| *percent <= 100);
                *field = percent.ok_or_else(|| {
                    format!("invalid configuration: {name} must be between 0 and 100, inclusive")
                })?;
            }
        }
        if self.image_gc_low_threshold_percent >= self.image_gc_high_threshold_percent {
            return Err(format!(
                "invalid configuration: imageGCLowThresholdPercent \
                 (--image-gc-low-threshold) {} must be less than imageGCHighThresholdPercent \
                 (--image-gc-high-threshold) {}",
                self.image_gc_low_threshold_percent, self.image_gc_high_threshold_percent
            ));
        }
        if let Some(seconds) = number(fields, "evictionMaxPodGracePeriod")? {
            let seconds = u64::try_from(seconds).unwrap_or(0);
            self.eviction_max_pod_grace_period = Duration::from_secs(seconds);
        }
        if let Some(limit) = number(fields, "podPidsLimit")? {
            self.pod_pids_limit = u64::try_from(limit).ok().filter(|limit| *limit > 0);
        }
        if let Some(files) = number(fields, "containerLogMaxFiles")? {
            let files = usize::try_from(files).ok().filter(|files| *files > 1);
            self.container_log_max_files = files.ok_or(
                "invalid configuration: containerLogMaxFiles must be greater than 1".to_owned(),
            )?;
        }
        if let Some(text) = text(fields, "containerLogMaxSize")? {
            let size = text.parse::<Amount>().map_err(|error| error.to_string())?.value();
            // What is negative is no limit.
            self.container_log_max_size = u64::try_from(size).unwrap_or(u64::MAX);
        }
        Ok(())
    }
}

/// Upstream: `UnmarshalTypeError` in Go's `encoding/json`.
fn wrong(name: &str, value: &Value, wanted: &str) -> String {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    format!(
        "json: cannot unmarshal {kind} into Go struct field KubeletConfiguration.{name} of type \
         {wanted}"
    )
}

/// What stands in a field, if something does.
fn value<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

fn flag(fields: &Map<String, Value>, name: &str) -> Result<Option<bool>, String> {
    let Some(value) = value(fields, name) else { return Ok(None) };
    value.as_bool().map(Some).ok_or_else(|| wrong(name, value, "bool"))
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, String> {
    let Some(value) = value(fields, name) else { return Ok(None) };
    value.as_str().map(Some).ok_or_else(|| wrong(name, value, "string"))
}

fn by_signal(fields: &Map<String, Value>, name: &str) -> Result<Option<BySignal>, String> {
    let Some(value) = value(fields, name) else { return Ok(None) };
    let entry = |(signal, value): (&String, &Value)| match value.as_str() {
        Some(text) => Ok((signal.clone(), text.to_owned())),
        None => Err(wrong(name, value, "string")),
    };
    let entries = value.as_object().ok_or_else(|| wrong(name, value, "map[string]string"))?;
    entries.iter().map(entry).collect::<Result<BySignal, String>>().map(Some)
}

fn time(fields: &Map<String, Value>, name: &str) -> Result<Option<Duration>, String> {
    let Some(text) = text(fields, name)? else { return Ok(None) };
    let nanos = duration::parse(text)?;
    Ok(Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))))
}

fn number(fields: &Map<String, Value>, name: &str) -> Result<Option<i64>, String> {
    let Some(value) = value(fields, name) else { return Ok(None) };
    value.as_i64().map(Some).ok_or_else(|| wrong(name, value, "int32"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_as_usual() {
        let usual = KubeletConfiguration::default();
        assert_eq!(KubeletConfiguration::read("kind: KubeletConfiguration\n").unwrap(), usual);
        let zero = "evictionPressureTransitionPeriod: 0s\nimageMinimumGCAge: 0s\n";
        assert_eq!(KubeletConfiguration::read(zero).unwrap(), usual);
    }

    #[test]
    fn who_says_one_threshold_says_all() {
        let read = |text: &str| KubeletConfiguration::read(text).unwrap().eviction_hard;
        let own = "evictionHard: {nodefs.available: 20%}\n";
        assert_eq!(read(own).len(), 1);
        assert_eq!(read(&format!("{own}mergeDefaultEvictionSettings: true\n")).len(), 5);
    }

    #[test]
    fn numbers_are_read() {
        let text = "podPidsLimit: 100\ncontainerLogMaxSize: 20Ki\ncontainerLogMaxFiles: 3\n\
                    imageGCHighThresholdPercent: 70\nimageGCLowThresholdPercent: 60\n\
                    evictionPressureTransitionPeriod: 30s\n";
        let config = KubeletConfiguration::read(text).unwrap();
        assert_eq!(config.pod_pids_limit, Some(100));
        assert_eq!((config.container_log_max_size, config.container_log_max_files), (20 << 10, 3));
        assert_eq!(config.image_gc_high_threshold_percent, 70);
        assert_eq!(config.eviction_pressure_transition_period, Duration::from_secs(30));
    }

    #[test]
    fn mistakes_are_told() {
        for text in [
            "evictionHard: {disk: 1%}",
            "evictionHard: {nodefs.available: x}",
            "evictionHard: [1]",
            "evictionSoft: {nodefs.available: 10%}",
            "imageGCHighThresholdPercent: 101",
            "imageGCHighThresholdPercent: 80",
            "containerLogMaxFiles: 1",
            "containerLogMaxSize: 10",
            "containerLogMaxSize: many",
            "mergeDefaultEvictionSettings: 1",
            "podPidsLimit: many",
            "- a",
            "a: b: c",
        ] {
            assert!(KubeletConfiguration::read(text).is_err(), "{text}");
        }
        assert_eq!(
            KubeletConfiguration::read("containerLogMaxSize: 10").unwrap_err(),
            "json: cannot unmarshal number into Go struct field \
             KubeletConfiguration.containerLogMaxSize of type string"
        );
    }
}
