//! How a sidecar begins: it waits for the driver's socket, asks the driver who it is and what it can
//! do, and ends when the driver does.
//!
//! Upstream: csi-lib-utils, `connection/connection.go`, `rpc/common.go`, and the `main` of each.

use super::health::Health;
use crate::controller_program::ControllerProgram;
use crate::provisioner::{self, Way};
use naru_api::{Credentials, UserInfo};
use naru_shell::serve::clock;
use naru_shell::serve::local::{self, Call, Link, LinkState, Status};
use naru_shell::{Program, Signal, Step, Sys};
use naru_sim::Time;
use serde_json::Value;
use std::time::Duration;

/// The token of the pod's service account.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
/// How often a sidecar says that it still waits. Upstream: `connectionLoggingInterval`.
const SAY_EVERY: Duration = Duration::from_secs(10);
/// Bytes that it holds.
const MEMORY: u64 = 12 << 20;
/// The port of the liveness probe where nobody says. Upstream: `defaultHealthzPort`.
const HEALTH_PORT: u16 = 9808;

const PLUGIN_INFO: &str = "/csi.v1.Identity/GetPluginInfo";
const CAPABILITIES: &str = "/csi.v1.Controller/ControllerGetCapabilities";

/// What a sidecar is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Makes volumes and deletes them.
    Provisioner,
    /// Has volumes attached.
    Attacher,
    /// Lets volumes grow.
    Resizer,
    /// Takes snapshots: of which there are none here, since their kinds are a user's to define.
    Snapshotter,
    /// Looks whether volumes are as they should be.
    HealthMonitor,
    /// Tells the kubelet of the driver.
    Registrar,
    /// Tells the kubelet's probe how the driver is.
    LivenessProbe,
}

/// A sidecar.
#[derive(Clone, Debug)]
pub struct Sidecar {
    kind: Kind,
    phase: Phase,
}

#[derive(Clone, Debug)]
enum Phase {
    New,
    Linking {
        link: Link,
        say_at: Time,
    },
    Asking {
        link: Link,
        call: Box<Call>,
        name: Option<String>,
    },
    Running {
        link: Option<Link>,
        program: Box<dyn Program>,
    },
    /// Runs on until it is told to end.
    Idle {
        link: Link,
    },
}

/// Writes a line as klog does.
pub fn log(sys: &mut dyn Sys, level: char, place: &str, text: &str) {
    let time = clock::format(sys.now(), clock::KLOG);
    let _ = sys.write(2, format!("{level}{time}       1 {place}] {text}\n").as_bytes());
}

/// The value of an option, given as `-name=value` or `--name=value`.
fn option(sys: &dyn Sys, name: &str) -> Option<String> {
    sys.args().iter().find_map(|arg| {
        let arg = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-'))?;
        arg.strip_prefix(name)?.strip_prefix('=').map(str::to_owned)
    })
}

/// As whom the pod's token lets it ask.
fn account(sys: &mut dyn Sys) -> Result<UserInfo, String> {
    let token = sys.fs().read(TOKEN);
    let token = token.map_err(|_| format!("open {TOKEN}: no such file or directory"))?;
    let bearer_token = String::from_utf8_lossy(&token).trim().to_owned();
    let credentials = Credentials { bearer_token, ..Credentials::default() };
    let api = sys.api().ok_or("no API server")?;
    api.authenticate(&credentials).map_err(|error| error.to_string())
}

impl Sidecar {
    /// A sidecar that is not started.
    pub fn new(kind: Kind) -> Self {
        Sidecar { kind, phase: Phase::New }
    }

    fn socket(sys: &dyn Sys) -> String {
        let address = option(sys, "csi-address").unwrap_or_else(|| "/run/csi/socket".to_owned());
        local::path_of(&address).to_owned()
    }

    /// What it says first.
    fn greet(&self, sys: &mut dyn Sys) {
        let (place, text) = match self.kind {
            Kind::Provisioner => ("csi-provisioner.go:166", "\"Version\" version=\"v5.2.0\""),
            Kind::Attacher => ("main.go:110", "\"Version\" version=\"v4.8.0\""),
            Kind::Resizer => ("main.go:111", "\"Version\" version=\"v1.13.1\""),
            Kind::Snapshotter => ("main.go:118", "Version: v8.2.0"),
            Kind::HealthMonitor => ("main.go:104", "\"Version\" version=\"v0.14.0\""),
            Kind::Registrar => ("main.go:150", "\"Version\" version=\"v2.13.0\""),
            Kind::LivenessProbe => {
                ("main.go:135", "\"Calling CSI driver to discover driver name\"")
            }
        };
        log(sys, 'I', place, text);
        match self.kind {
            Kind::Provisioner => {
                let text = "Building kube configs for running in cluster...";
                log(sys, 'I', "csi-provisioner.go:189", text);
            }
            Kind::Registrar => {
                log(sys, 'I', "main.go:151", "\"Running node-driver-registrar\" mode=\"\"");
                let address = option(sys, "csi-address").unwrap_or_default();
                let text =
                    format!("\"Attempting to open a gRPC connection\" csiAddress=\"{address}\"");
                log(sys, 'I', "main.go:172", &text);
            }
            _ => {}
        }
    }

    /// What it says of the driver's name.
    fn say_name(&self, sys: &mut dyn Sys, name: &str) {
        let (place, text) = match self.kind {
            Kind::Provisioner => ("csi-provisioner.go:244", format!("Detected CSI driver {name}")),
            Kind::Attacher => ("main.go:171", format!("\"CSI driver name\" driver=\"{name}\"")),
            Kind::Resizer => ("main.go:166", format!("\"CSI driver name\" driverName=\"{name}\"")),
            Kind::Snapshotter => ("main.go:202", format!("CSI driver name: \"{name}\"")),
            Kind::HealthMonitor => {
                ("main.go:160", format!("\"CSI driver name\" driver=\"{name}\""))
            }
            Kind::Registrar => {
                ("main.go:189", format!("\"CSI driver name\" csiDriverName=\"{name}\""))
            }
            Kind::LivenessProbe => {
                ("main.go:143", format!("\"CSI driver name\" driver=\"{name}\""))
            }
        };
        log(sys, 'I', place, &text);
    }

    /// Goes on; the error is the exit code of its end.
    fn go_on(&mut self, sys: &mut dyn Sys) -> Result<Step, i32> {
        match &mut self.phase {
            Phase::New => {
                sys.catch(Signal::Term);
                sys.catch(Signal::Int);
                sys.use_memory(MEMORY);
                self.greet(sys);
                let link = Link::new(&Self::socket(sys));
                self.phase = Phase::Linking { link, say_at: sys.now() + SAY_EVERY };
                Ok(Step::Yield)
            }
            Phase::Linking { link, say_at } => match link.poll(sys) {
                LinkState::Up => {
                    let socket = Self::socket(sys);
                    let call = Box::new(Call::begin(sys, &socket, PLUGIN_INFO, b"{}"));
                    self.phase = Phase::Asking { link: link.clone(), call, name: None };
                    Ok(Step::Yield)
                }
                LinkState::Lost => Ok(Step::Yield),
                LinkState::Down(until) => {
                    if sys.now() >= *say_at {
                        *say_at = sys.now() + SAY_EVERY;
                        let socket = Self::socket(sys);
                        let text = format!("\"Still connecting\" address=\"unix://{socket}\"");
                        log(sys, 'I', "connection.go:253", &text);
                    }
                    Ok(Step::Block { until: Some(until) })
                }
            },
            Phase::Asking { call, .. } => match call.go_on(sys) {
                None => Ok(Step::Block { until: None }),
                Some(answer) => self.answered(sys, answer),
            },
            Phase::Running { link, program } => {
                if link.as_mut().is_some_and(|link| link.poll(sys) == LinkState::Lost) {
                    return lost(sys);
                }
                match program.resume(sys) {
                    Step::Exit(code) => Err(code),
                    step => Ok(step),
                }
            }
            Phase::Idle { link } => match link.poll(sys) {
                LinkState::Lost => lost(sys),
                _ => Ok(Step::Block { until: None }),
            },
        }
    }

    fn answered(
        &mut self,
        sys: &mut dyn Sys,
        answer: Result<Vec<u8>, Status>,
    ) -> Result<Step, i32> {
        let Phase::Asking { link, name, .. } = &mut self.phase else { return Err(1) };
        let answer = match answer {
            Ok(body) => serde_json::from_slice::<Value>(&body).unwrap_or_default(),
            Err(status) => {
                let text = format!("\"Failed to get the CSI driver name\" err=\"{status}\"");
                log(sys, 'E', "main.go:167", &text);
                return Err(1);
            }
        };
        let mut link = link.clone();
        let Some(name) = name.take() else {
            let name = answer.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            self.say_name(sys, &name);
            return match self.kind {
                Kind::Registrar => {
                    link.close(sys);
                    let folder = option(sys, "plugin-registration-path");
                    let folder = folder.unwrap_or_else(|| "/registration".to_owned());
                    let port = option(sys, "http-endpoint");
                    let port = port.and_then(|it| it.rsplit(':').next()?.parse().ok());
                    let program = Health::registrar(sys, &name, &folder, port)?;
                    self.run(None, Box::new(program))
                }
                Kind::LivenessProbe => {
                    let port = option(sys, "health-port").and_then(|port| port.parse().ok());
                    let program = Health::driver(sys, link, port.unwrap_or(HEALTH_PORT))?;
                    self.run(None, Box::new(program))
                }
                Kind::Snapshotter | Kind::HealthMonitor => {
                    self.phase = Phase::Idle { link };
                    Ok(Step::Yield)
                }
                Kind::Provisioner | Kind::Attacher | Kind::Resizer => {
                    let socket = Self::socket(sys);
                    let call = Box::new(Call::begin(sys, &socket, CAPABILITIES, b"{}"));
                    self.phase = Phase::Asking { link, call, name: Some(name) };
                    Ok(Step::Yield)
                }
            };
        };
        let can = |what: &str| {
            let all = answer.get("capabilities").and_then(Value::as_array);
            let kind = |it: &Value| it.pointer("/Type/Rpc/type").cloned();
            all.into_iter().flatten().filter_map(kind).any(|it| it == what)
        };
        let program = self.controller(sys, &name, can("PUBLISH_UNPUBLISH_VOLUME"))?;
        self.run(Some(link), program)
    }

    fn run(&mut self, link: Option<Link>, program: Box<dyn Program>) -> Result<Step, i32> {
        self.phase = Phase::Running { link, program };
        Ok(Step::Yield)
    }

    /// The controller that does a sidecar's work.
    fn controller(
        &self,
        sys: &mut dyn Sys,
        driver: &str,
        attaches: bool,
    ) -> Result<Box<dyn Program>, i32> {
        let user = account(sys).map_err(|why| {
            log(
                sys,
                'E',
                "main.go:124",
                &format!("\"Failed to build a Kubernetes config\" err=\"{why}\""),
            );
            1
        })?;
        let socket = Self::socket(sys);
        let way = Way::Called(super::calls::Calls::new(&socket));
        let hostname = sys.hostname().to_owned();
        Ok(match self.kind {
            Kind::Attacher => {
                let text = match attaches {
                    true => {
                        "\"CSI driver supports ControllerPublishUnpublish, using real CSI handler\""
                    }
                    false => {
                        "\"CSI driver does not support ControllerPublishUnpublish, using trivial \
                         handler\""
                    }
                };
                let place = if attaches { "main.go:251" } else { "main.go:254" };
                log(sys, 'I', place, &format!("{text} driver=\"{driver}\""));
                log(
                    sys,
                    'I',
                    "controller.go:129",
                    &format!("\"Starting CSI attacher\" driver=\"{driver}\""),
                );
                let way = if attaches { way } else { Way::Trivial };
                let controller = provisioner::attacher(driver, way);
                Box::new(ControllerProgram::with("csi-attacher", controller, user, sys))
            }
            Kind::Resizer => {
                let text = format!("\"Starting external resizer\" controller=\"{driver}\"");
                log(sys, 'I', "controller.go:274", &text);
                let controller = provisioner::resizer(driver, way);
                Box::new(ControllerProgram::with("csi-resizer", controller, user, sys))
            }
            _ => {
                let (place, not) = match attaches {
                    true => ("csi-provisioner.go:313", "supports PUBLISH_UNPUBLISH_VOLUME, "),
                    false => (
                        "csi-provisioner.go:316",
                        "does not support PUBLISH_UNPUBLISH_VOLUME, not ",
                    ),
                };
                let text = format!("CSI driver {not}watching VolumeAttachments");
                log(sys, 'I', place, &text);
                let now = sys.now().unix_micros() / 1000;
                let controller =
                    provisioner::provisioner(driver, way, attaches, now, &hostname, sys.rng());
                let component = controller.component();
                let text = format!("\"Starting provisioner controller\" component=\"{component}\"");
                log(sys, 'I', "controller.go:838", &text);
                let text = format!("\"Started provisioner controller\" component=\"{component}\"");
                log(sys, 'I', "controller.go:887", &text);
                Box::new(ControllerProgram::with("csi-provisioner", controller, user, sys))
            }
        })
    }
}

/// Upstream: `ExitOnConnectionLoss`.
fn lost(sys: &mut dyn Sys) -> Result<Step, i32> {
    let socket = Sidecar::socket(sys);
    let text = format!("\"Lost connection\" address=\"unix://{socket}\"");
    log(sys, 'E', "connection.go:208", &text);
    let text = "Lost connection to CSI driver, exiting";
    let _ = sys.fs().write("/dev/termination-log", text.as_bytes());
    log(sys, 'E', "connection.go:116", &format!("\"{text}\""));
    Err(1)
}

impl Program for Sidecar {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if !matches!(self.phase, Phase::Running { .. } | Phase::New) && sys.take_signal().is_some()
        {
            return Step::Exit(match self.kind {
                Kind::Registrar => 0,
                // Nothing in them looks out for signals.
                _ => 143,
            });
        }
        self.go_on(sys).unwrap_or_else(Step::Exit)
    }
}
