//! How a sidecar begins: it waits for the driver's socket, asks the driver who it is and what it can
//! do, and ends when the driver does.
//!
//! Upstream: csi-lib-utils, `connection/connection.go`, `rpc/common.go`, and the `main` of each.

use super::health::Health;
use super::words::{Last, Line};
use crate::controller_program::ControllerProgram;
use crate::provisioner::{self, Way};
use naru_api::{Credentials, UserInfo};
use naru_shell::serve::local::{self, Call, Link, LinkState, Status};
use naru_shell::serve::{goflag, klog};
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

fn option(sys: &dyn Sys, name: &str) -> Option<String> {
    goflag::value(sys.args(), name).map(str::to_owned)
}

fn say(sys: &mut dyn Sys, (level, place, text): &Line) {
    klog::log(sys, *level, place, text);
}

/// Says why it ends; gives its exit code.
fn end(sys: &mut dyn Sys, (line, code): &Last) -> i32 {
    say(sys, line);
    *code
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
    fn greet(&self, sys: &mut dyn Sys) -> Result<(), i32> {
        let of = |name| option(sys, name).unwrap_or_default();
        let (address, registration) = (of("csi-address"), of("kubelet-registration-path"));
        let lines = match self.kind.greeting(&address, &registration) {
            Ok(lines) => lines,
            Err(last) => return Err(end(sys, &last)),
        };
        lines.iter().for_each(|line| say(sys, line));
        Ok(())
    }

    /// Goes on; the error is the exit code of its end.
    fn go_on(&mut self, sys: &mut dyn Sys) -> Result<Step, i32> {
        match &mut self.phase {
            Phase::New => {
                sys.catch(Signal::Term);
                sys.catch(Signal::Int);
                sys.use_memory(MEMORY);
                self.greet(sys)?;
                let link = Link::new(&Self::socket(sys));
                self.phase = Phase::Linking { link, say_at: sys.now() + SAY_EVERY };
                Ok(Step::Yield)
            }
            Phase::Linking { link, say_at } => match link.poll(sys) {
                LinkState::Up => {
                    let link = link.clone();
                    if let Some(line) = self.kind.connected() {
                        say(sys, &line);
                    }
                    let socket = Self::socket(sys);
                    let call = Box::new(Call::begin(sys, &socket, PLUGIN_INFO, b"{}"));
                    self.phase = Phase::Asking { link, call, name: None };
                    Ok(Step::Yield)
                }
                LinkState::Lost => Ok(Step::Yield),
                LinkState::Down(until) => {
                    if sys.now() >= *say_at {
                        *say_at = sys.now() + SAY_EVERY;
                        let socket = Self::socket(sys);
                        let text = format!("\"Still connecting\" address=\"unix://{socket}\"");
                        klog::log(sys, 'I', "connection.go:253", &text);
                    }
                    Ok(Step::Block { until: Some(until) })
                }
            },
            Phase::Asking { call, .. } => match call.go_on(sys) {
                None => Ok(Step::Block { until: Some(call.next_due()) }),
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
                let kind = self.kind;
                let last = name
                    .as_ref()
                    .map_or_else(|| kind.nameless(&status), |_| kind.incapable(&status));
                return Err(end(sys, &last));
            }
        };
        let mut link = link.clone();
        let Some(name) = name.take() else {
            let name = answer.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            say(sys, &self.kind.named(&name));
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
        let user = account(sys).map_err(|why| end(sys, &self.kind.unconfigured(&why)))?;
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
                klog::log(sys, 'I', place, &format!("{text} driver=\"{driver}\""));
                klog::log(
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
                klog::log(sys, 'I', "controller.go:274", &text);
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
                klog::log(sys, 'I', place, &text);
                let now = sys.now().unix_micros() / 1000;
                let controller =
                    provisioner::provisioner(driver, way, attaches, now, &hostname, sys.rng());
                let component = controller.component();
                let text = format!("\"Starting provisioner controller\" component=\"{component}\"");
                klog::log(sys, 'I', "controller.go:838", &text);
                let text = format!("\"Started provisioner controller\" component=\"{component}\"");
                klog::log(sys, 'I', "controller.go:887", &text);
                Box::new(ControllerProgram::with("csi-provisioner", controller, user, sys))
            }
        })
    }
}

/// Upstream: `ExitOnConnectionLoss`.
fn lost(sys: &mut dyn Sys) -> Result<Step, i32> {
    let socket = Sidecar::socket(sys);
    let text = format!("\"Lost connection\" address=\"unix://{socket}\"");
    klog::log(sys, 'E', "connection.go:208", &text);
    let text = "Lost connection to CSI driver, exiting";
    let _ = sys.fs().write("/dev/termination-log", text.as_bytes());
    klog::log(sys, 'E', "connection.go:116", &format!("\"{text}\""));
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
