//! `agnhost`: what Kubernetes' own tests run in pods, servers and tools under one name.
//!
//! Upstream: `test/images/agnhost`.

mod connect;
mod logs;
mod netexec;

use super::grpc_health::GrpcHealth;
use super::pause::Pause;
use super::web::{Web, WebConfig};
use connect::Connect;
use logs::LogsGenerator;
use naru_shell::serve::klog;
use naru_shell::{Program, Step, Sys};
use netexec::NetExec;
use std::time::Duration;

const SERVE_HOSTNAME: &str = r#"
listen: 9376
term: exit
log_stderr: ["I{{time_klog}}       1 log.go:195] Serving on port 9376."]
routes:
- {path: "*", headers: {Content-Type: text/plain; charset=utf-8}, body: "{{hostname}}"}
"#;
const LIVENESS: &str = r#"
listen: 8080
term: exit
routes:
- {path: /started, body: "{{uptime}}s"}
- {path: /healthz, body: "ok", sick_after_secs: 10, sick_status: 500, sick_body: "error: {{uptime}}"}
- {path: "*", status: 404, headers: {Content-Type: text/plain; charset=utf-8}, body: "404 page not found\n"}
"#;

/// The program; what it is depends on its first argument.
#[derive(Clone, Debug, Default)]
pub struct Agnhost {
    application: Option<Box<dyn Program>>,
}

impl Program for Agnhost {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if let Some(application) = &mut self.application {
            return application.resume(sys);
        }
        let args = sys.args().to_vec();
        match choose(args.get(1..).unwrap_or_default()) {
            Ok(Choice::Run(application)) => self.application.insert(application).resume(sys),
            Ok(Choice::Say(what)) => {
                let text = what(sys, args.get(1..).unwrap_or_default());
                let _ = sys.write(1, text.as_bytes());
                Step::Exit(0)
            }
            Err(why) => {
                let _ = sys.write(2, format!("Error: {why}\n").as_bytes());
                Step::Exit(1)
            }
        }
    }
}

enum Choice {
    Run(Box<dyn Program>),
    Say(fn(&mut dyn Sys, &[String]) -> String),
}

/// The value of a flag: `--port=80` or `--port 80`.
fn flag<'a>(args: &'a [String], name: &str) -> Option<&'a str> {
    let start = format!("--{name}=");
    let glued = args.iter().find_map(|arg| arg.strip_prefix(&start));
    let at = args.iter().position(|arg| arg.strip_prefix("--") == Some(name));
    glued.or_else(|| at.and_then(|at| args.get(at + 1)).map(String::as_str))
}

/// A duration as Go writes it: `1m30s`, `500ms`.
fn duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let number: f64 = number.parse().ok()?;
        let units = [("ms", 0.001), ("h", 3_600.0), ("m", 60.0), ("s", 1.0)];
        let (unit, seconds) = units.into_iter().find(|(unit, _)| after.starts_with(unit))?;
        total = total.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        rest = after.strip_prefix(unit)?;
    }
    (!text.is_empty()).then_some(total)
}

fn choose(args: &[String]) -> Result<Choice, String> {
    let port = |name: &str| flag(args, name).and_then(|text| text.parse::<u16>().ok());
    let web = |text: &str, port: Option<u16>| {
        let mut config: WebConfig = serde_yaml::from_str(text).map_err(|why| why.to_string())?;
        if let Some(port) = port {
            for line in &mut config.log_stderr {
                *line = line.replace(&config.listen.to_string(), &port.to_string());
            }
            config.listen = port;
        }
        Ok(Choice::Run(Box::new(Web::new(config))))
    };
    Ok(match args.first().map(String::as_str) {
        None | Some("pause") => Choice::Run(Box::new(Pause)),
        Some("netexec") => {
            let udp = match flag(args, "udp-port") {
                Some("-1") => None,
                text => Some(text.and_then(|text| text.parse().ok()).unwrap_or(8_081)),
            };
            Choice::Run(Box::new(NetExec::new(port("http-port").unwrap_or(8_080), udp)))
        }
        Some("grpc-health-checking") => Choice::Run(Box::new(GrpcHealth::default())),
        Some("serve-hostname") => return web(SERVE_HOSTNAME, port("port")),
        Some("liveness") => return web(LIVENESS, None),
        Some("test-webserver") => {
            let files = super::files_server::FilesServer::new(port("port").unwrap_or(80), "/");
            Choice::Run(Box::new(files))
        }
        Some("connect") => {
            let plain = args.iter().skip(1).find(|arg| arg.contains(':') && !arg.starts_with("--"));
            let Some(target) = plain else {
                return Err("accepts 1 arg(s), received 0".to_owned());
            };
            let limit = flag(args, "timeout").and_then(duration);
            Choice::Run(Box::new(Connect::new(target, limit)))
        }
        Some("logs-generator") => {
            let total = flag(args, "log-lines-total").and_then(|text| text.parse().ok());
            let Some(total) = total else {
                return Err("Invalid total number of lines: 0".to_owned());
            };
            let time = flag(args, "run-duration").and_then(duration);
            let time = time.unwrap_or(Duration::from_secs(60));
            Choice::Run(Box::new(LogsGenerator::new(total, time)))
        }
        Some("entrypoint-tester") => Choice::Say(|sys, _| format!("{}\n", go_list(sys.args()))),
        Some("dns-suffix") => Choice::Say(|sys, _| {
            let said = resolver_words(sys, "search");
            format!("{}\n", said.join(","))
        }),
        Some("dns-server-list") => Choice::Say(|sys, _| {
            let said = resolver_words(sys, "nameserver");
            format!("{}\n", said.join(","))
        }),
        Some("etc-hosts") => {
            Choice::Say(|sys, _| sys.fs().read_text("/etc/hosts").unwrap_or_default())
        }
        Some("help" | "--help" | "-h") => Choice::Say(|_, _| HELP.to_owned()),
        Some("--version") => Choice::Say(|_, _| "app version 2.53\n".to_owned()),
        Some(other) => {
            return Err(format!(
                "unknown command \"{other}\" for \"app\"\nRun 'app --help' for usage."
            ));
        }
    })
}

const HELP: &str = "Usage:\n  app [command]\n\nAvailable Commands:\n  connect\n  dns-server-list\n  \
                    dns-suffix\n  entrypoint-tester\n  etc-hosts\n  grpc-health-checking\n  liveness\n  \
                    logs-generator\n  netexec\n  pause\n  serve-hostname\n  test-webserver\n";

/// Words as Go prints a slice: `[a b]`.
fn go_list(words: &[String]) -> String {
    format!("[{}]", words.join(" "))
}

fn resolver_words(sys: &mut dyn Sys, name: &str) -> Vec<String> {
    let text = sys.fs().read_text("/etc/resolv.conf").unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.strip_prefix(name));
    lines.flat_map(str::split_whitespace).map(str::to_owned).collect()
}

/// A line of its log: klog's header before it.
fn log(sys: &mut dyn Sys, line: &str) {
    klog::log(sys, 'I', "log.go:195", line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_understood() {
        let table = [
            "",
            "netexec --udp-port=-1",
            "serve-hostname --port=80",
            "pause",
            "liveness",
            "test-webserver",
            "connect a:80 --timeout 3s",
            "logs-generator --log-lines-total=10 --run-duration 10s",
            "dns-suffix",
        ];
        for line in table {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            assert!(choose(&words).is_ok(), "{line}");
        }
        for line in ["nonsense", "connect", "logs-generator"] {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            assert!(choose(&words).is_err(), "{line}");
        }
    }

    #[test]
    fn durations() {
        let table =
            [("3s", Some(3_000)), ("1m30s", Some(90_000)), ("500ms", Some(500)), ("x", None)];
        for (text, millis) in table {
            assert_eq!(duration(text), millis.map(Duration::from_millis), "{text}");
        }
    }
}
