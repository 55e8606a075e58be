//! `http-echo`: answers every request with the text that it was started with.
//!
//! Upstream: `hashicorp/http-echo`.

use naru_network::http::Response;
use naru_shell::serve::{HttpServer, clock};
use naru_shell::{Errno, Program, Signal, Step, Sys};
use std::time::Duration;

/// The program.
#[derive(Clone, Debug, Default)]
pub struct HttpEcho {
    server: HttpServer,
    options: Option<Options>,
}

#[derive(Clone, Debug)]
struct Options {
    text: String,
    listen: String,
    status: u16,
}

impl Program for HttpEcho {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        let options = match &self.options {
            Some(options) => options.clone(),
            None => match self.start(sys) {
                Ok(options) => options,
                Err(step) => return step,
            },
        };
        if sys.take_signal().is_some() {
            return Step::Exit(0);
        }
        loop {
            let now = sys.now();
            let Some(net) = sys.net() else { return Step::Exit(1) };
            let requests = self.server.poll(net, now);
            for incoming in &requests {
                sys.burn(Duration::from_micros(120));
                let request = &incoming.request;
                let health = request.path() == "/health";
                let (status, text) = match health {
                    true => (200, "{\"status\":\"ok\"}\n".to_owned()),
                    false => (options.status, format!("{}\n", options.text)),
                };
                let response = Response::new(status, text)
                    .with("X-App-Name", "http-echo")
                    .with("X-App-Version", "1.0.0")
                    .with("Date", clock::format(now, clock::HTTP_DATE))
                    .with("Content-Type", "text/plain; charset=utf-8");
                let line = format!(
                    "{} {} {} \"{} {} {}\" {status} {} \"{}\" 12.345µs\n",
                    clock::format(now, "%Y/%m/%d %H:%M:%S"),
                    request.headers.get("Host").unwrap_or_default(),
                    incoming.peer,
                    request.method,
                    request.target,
                    request.version,
                    response.body.len(),
                    request.headers.get("User-Agent").unwrap_or_default(),
                );
                if !health {
                    let _ = sys.write(1, line.as_bytes());
                }
                self.server.respond(incoming, &response);
            }
            if let Some(net) = sys.net() {
                self.server.flush(net);
            }
            if requests.is_empty() {
                return Step::Block { until: None };
            }
        }
    }
}

impl HttpEcho {
    fn start(&mut self, sys: &mut dyn Sys) -> Result<Options, Step> {
        let args = sys.args().to_vec();
        let get = |name: &str| {
            let find = |start: &str| {
                let glued = format!("{start}{name}=");
                let at = args.iter().position(|arg| *arg == format!("{start}{name}"));
                let value = args.iter().find_map(|arg| arg.strip_prefix(&glued));
                value.or_else(|| at.and_then(|at| args.get(at + 1)).map(String::as_str))
            };
            find("-").or_else(|| find("--")).map(str::to_owned)
        };
        let text = get("text").or_else(|| sys.env().get("ECHO_TEXT").cloned()).unwrap_or_default();
        if text.is_empty() {
            let _ = sys.write(2, b"Missing -text option!\n");
            return Err(Step::Exit(127));
        }
        let options = Options {
            text,
            listen: get("listen").unwrap_or_else(|| ":5678".to_owned()),
            status: get("status-code").and_then(|text| text.parse().ok()).unwrap_or(200),
        };
        let port = options.listen.rsplit(':').next().and_then(|text| text.parse::<u16>().ok());
        let listened = match (port, sys.net()) {
            (Some(port), Some(net)) => self.server.listen(net, port),
            (None, _) => Err(Errno::Invalid),
            (_, None) => Err(Errno::NetUnreachable),
        };
        let now = clock::format(sys.now(), clock::GO_LOG);
        if let Err(errno) = listened {
            let why = errno.to_string().to_lowercase();
            let line = format!(
                "{now} [ERR] starting server: listen tcp {}: bind: {why}\n",
                options.listen
            );
            let _ = sys.write(2, line.as_bytes());
            return Err(Step::Exit(127));
        }
        sys.catch(Signal::Term);
        sys.catch(Signal::Int);
        sys.use_memory(6 << 20);
        let line = format!("{now} [INFO] server is listening on {}\n", options.listen);
        let _ = sys.write(1, line.as_bytes());
        self.options = Some(options.clone());
        Ok(options)
    }
}
