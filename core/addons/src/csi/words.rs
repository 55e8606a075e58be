//! What the sidecars say, each in its own words.
//!
//! Upstream: the `main` of external-provisioner v5.2.0, external-attacher v4.8.0, external-resizer
//! v1.13.1, external-snapshotter v8.2.0, external-health-monitor v0.14.0, node-driver-registrar v2.13.0
//! and livenessprobe v2.15.0.

use super::sidecar::Kind;
use naru_api::gofmt;
use std::fmt::Display;

/// A line of a log: its level, where it is from and what it says.
pub(super) type Line = (char, &'static str, String);

/// What keeps a sidecar from its work: its last line, and its exit code.
pub(super) type Last = (Line, i32);

/// Upstream: what `klog.Fatalf` ends with.
const FATAL: i32 = 255;

fn info(place: &'static str, text: impl Into<String>) -> Line {
    ('I', place, text.into())
}

/// `"TEXT" err="WHY"`
fn error(place: &'static str, text: &str, why: &str) -> Last {
    (('E', place, format!("\"{text}\" err={}", gofmt::quote(why))), 1)
}

fn fatal(place: &'static str, text: String) -> Last {
    (('F', place, text), FATAL)
}

impl Kind {
    /// What it says first; the registrar must know where the kubelet reaches the driver, and says by
    /// which address it does itself.
    pub(super) fn greeting(self, address: &str, registration: &str) -> Result<Vec<Line>, Last> {
        Ok(match self {
            Kind::Provisioner => vec![
                info("csi-provisioner.go:166", "\"Version\" version=\"v5.2.0\""),
                info("csi-provisioner.go:189", "Building kube configs for running in cluster..."),
            ],
            Kind::Attacher => vec![info("main.go:110", "\"Version\" version=\"v4.8.0\"")],
            Kind::Resizer => vec![info("main.go:111", "\"Version\" version=\"v1.13.1\"")],
            Kind::Snapshotter => vec![info("main.go:118", "Version: v8.2.0")],
            Kind::HealthMonitor => vec![info("main.go:104", "\"Version\" version=\"v0.14.0\"")],
            Kind::Registrar if registration.is_empty() => {
                let text = "\"kubelet-registration-path is a required parameter\"".to_owned();
                return Err((('E', "main.go:140", text), 1));
            }
            Kind::Registrar => vec![
                info("main.go:150", "\"Version\" version=\"v2.13.0\""),
                info("main.go:151", "\"Running node-driver-registrar\" mode=\"\""),
                info(
                    "main.go:172",
                    format!("\"Attempting to open a gRPC connection\" csiAddress=\"{address}\""),
                ),
            ],
            Kind::LivenessProbe => Vec::new(),
        })
    }

    /// What it says once it has reached the driver.
    pub(super) fn connected(self) -> Option<Line> {
        let text = "\"Calling CSI driver to discover driver name\"";
        match self {
            Kind::Registrar => Some(info("main.go:180", text)),
            Kind::LivenessProbe => Some(info("main.go:135", text)),
            _ => None,
        }
    }

    /// What it says of the driver's name.
    pub(super) fn named(self, name: &str) -> Line {
        let driver = |place| info(place, format!("\"CSI driver name\" driver=\"{name}\""));
        match self {
            Kind::Provisioner => {
                info("csi-provisioner.go:244", format!("Detected CSI driver {name}"))
            }
            Kind::Attacher => driver("main.go:171"),
            Kind::Resizer => {
                info("main.go:166", format!("\"CSI driver name\" driverName=\"{name}\""))
            }
            Kind::Snapshotter => info("main.go:202", format!("CSI driver name: \"{name}\"")),
            Kind::HealthMonitor => driver("main.go:160"),
            Kind::Registrar => {
                info("main.go:189", format!("\"CSI driver name\" csiDriverName=\"{name}\""))
            }
            Kind::LivenessProbe => driver("main.go:143"),
        }
    }

    /// The driver does not say its name.
    pub(super) fn nameless(self, why: &impl Display) -> Last {
        let why = why.to_string();
        match self {
            Kind::Provisioner => {
                fatal("csi-provisioner.go:242", format!("Error getting CSI driver name: {why}"))
            }
            Kind::Attacher => error("main.go:167", "Failed to get the CSI driver name", &why),
            Kind::Resizer => error("main.go:163", "Get driver name failed", &why),
            Kind::Snapshotter => {
                (('E', "main.go:198", format!("error getting CSI driver name: {why}")), 1)
            }
            Kind::HealthMonitor => error("main.go:157", "Failed to get the CSI driver name", &why),
            Kind::Registrar => error("main.go:186", "Error retreiving CSI driver name", &why),
            Kind::LivenessProbe => error("main.go:140", "Failed to get CSI driver name", &why),
        }
    }

    /// The driver does not say what it can.
    pub(super) fn incapable(self, why: &impl Display) -> Last {
        let why = why.to_string();
        match self {
            Kind::Provisioner => {
                let text = format!("Error getting CSI driver capabilities: {why}");
                fatal("csi-provisioner.go:292", text)
            }
            Kind::Resizer => {
                let why = format!("failed to check if plugin supports controller resize: {why}");
                error("main.go:186", "Failed to create CSI resizer", &why)
            }
            _ => error("main.go:227", "Failed to controller capability check", &why),
        }
    }

    /// It does not know as whom to ask the API server.
    pub(super) fn unconfigured(self, why: &str) -> Last {
        match self {
            Kind::Provisioner => {
                fatal("csi-provisioner.go:193", format!("Failed to create config: {why}"))
            }
            Kind::Resizer => error("main.go:134", "Failed to create cluster config", why),
            _ => error("main.go:124", "Failed to build a Kubernetes config", why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fails_in_its_own_words() {
        let why = "rpc error: code = Unavailable desc = \"x\"";
        let quoted = "\"rpc error: code = Unavailable desc = \\\"x\\\"\"";
        let cases = [
            (Kind::Provisioner, format!("Error getting CSI driver name: {why}"), 'F', 255),
            (Kind::Attacher, format!("\"Failed to get the CSI driver name\" err={quoted}"), 'E', 1),
            (Kind::Resizer, format!("\"Get driver name failed\" err={quoted}"), 'E', 1),
            (Kind::Snapshotter, format!("error getting CSI driver name: {why}"), 'E', 1),
            (Kind::Registrar, format!("\"Error retreiving CSI driver name\" err={quoted}"), 'E', 1),
            (
                Kind::LivenessProbe,
                format!("\"Failed to get CSI driver name\" err={quoted}"),
                'E',
                1,
            ),
        ];
        for (kind, text, level, code) in cases {
            let ((said_level, _, said), said_code) = kind.nameless(&why);
            assert_eq!((said, said_level, said_code), (text, level, code), "{kind:?}");
        }
        assert!(Kind::Registrar.greeting("/csi/csi.sock", "").is_err());
    }
}
