//! `agnhost`: `netexec`, `serve-hostname`, `grpc-health-checking` and `pause`.
//!
//! Upstream: `test/images/agnhost`.

use super::grpc_health::GrpcHealth;
use super::pause::Pause;
use super::web::{Web, WebConfig};
use naru_shell::{Program, Step, Sys};

const NETEXEC: &str = r#"
listen: 8080
term: exit
log_stderr: ["{{time_go}} Started HTTP server on port 8080"]
request_log_stderr: "{{time_go}} GET {{path}}"
routes:
- {path: /hostname, body: "{{hostname}}"}
- {path: /hostName, body: "{{hostname}}"}
- {path: /clientip, body: "{{peer}}"}
- {path: /echo, body: "{{query.msg}}"}
- {path: /healthz, status: 200}
- {path: /exit, exit: 0}
- {path: /, body: "NOW: {{time_iso}}"}
- {path: "*", status: 404, body: "404 page not found\n"}
"#;
const SERVE_HOSTNAME: &str = r#"
listen: 9376
term: exit
log_stderr: ["{{time_go}} Serving on port 9376."]
routes:
- {path: "*", body: "{{hostname}}"}
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
            Ok(application) => self.application.insert(application).resume(sys),
            Err(why) => {
                let _ = sys.write(2, format!("Error: {why}\n").as_bytes());
                Step::Exit(1)
            }
        }
    }
}

fn choose(args: &[String]) -> Result<Box<dyn Program>, String> {
    let port = |name: &str| {
        let start = format!("--{name}=");
        let glued = args.iter().find_map(|arg| arg.strip_prefix(&start));
        let at = args.iter().position(|arg| arg.strip_prefix("--") == Some(name));
        let next = at.and_then(|at| args.get(at + 1)).map(String::as_str);
        glued.or(next).and_then(|text| text.parse::<u16>().ok())
    };
    let web = |text: &str, port: Option<u16>| {
        let mut config: WebConfig = serde_yaml::from_str(text).map_err(|why| why.to_string())?;
        if let Some(port) = port {
            config.listen = port;
        }
        Ok(Box::new(Web::new(config)) as Box<dyn Program>)
    };
    match args.first().map(String::as_str) {
        None | Some("pause") => Ok(Box::new(Pause)),
        Some("netexec") => web(NETEXEC, port("http-port")),
        Some("grpc-health-checking") => Ok(Box::new(GrpcHealth::default())),
        Some("serve-hostname") => web(SERVE_HOSTNAME, port("port")),
        Some(other) => Err(format!("the sandbox's agnhost has no {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_description_is_understood() {
        for words in [vec![], vec!["netexec"], vec!["serve-hostname", "--port=80"], vec!["pause"]] {
            let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
            assert!(choose(&words).is_ok(), "{words:?}");
        }
        assert!(choose(&["nonsense".to_owned()]).is_err());
    }
}
