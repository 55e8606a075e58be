//! Servers of `/healthz`: the registrar's own, and that which tells how the driver is.
//!
//! Upstream: `cmd/csi-node-driver-registrar/node_register.go`, `cmd/livenessprobe/main.go`.

use naru_shell::serve::local::{Link, LinkState};
use naru_shell::serve::{HttpServer, Response, klog};
use naru_shell::{Device, Program, Step, Sys};

/// Answers `/healthz`.
#[derive(Clone, Debug)]
pub struct Health {
    server: HttpServer,
    of: Of,
}

/// Whose health.
#[derive(Clone, Debug)]
enum Of {
    /// The registration's: its socket is there.
    Registration(String),
    /// The driver's: it is there.
    Driver(Link),
}

impl Health {
    /// The registrar after it has learnt the driver's name: it opens its socket, by which the kubelet
    /// learns of the driver. The error is its exit code.
    pub fn registrar(
        sys: &mut dyn Sys,
        driver: &str,
        folder: &str,
        port: Option<u16>,
    ) -> Result<Self, i32> {
        let path = format!("{folder}/{driver}-reg.sock");
        let _ = sys.fs().remove(&path);
        let told = format!("\"Starting Registration Server\" socketPath=\"{path}\"");
        klog::log(sys, 'I', "node_register.go:56", &told);
        if let Err(errno) = sys.fs().make_device(&path, Device::Socket, 0o700) {
            let errno = errno.to_string().to_lowercase();
            let told = format!(
                "\"Failed to listen on socket\" err=\"listen unix {path}: bind: {errno}\" \
                 socketPath=\"{path}\""
            );
            klog::log(sys, 'E', "node_register.go:59", &told);
            return Err(1);
        }
        let told = format!("\"Registration Server started\" socketPath=\"{path}\"");
        klog::log(sys, 'I', "node_register.go:66", &told);
        let mut server = HttpServer::default();
        match port {
            None => klog::log(sys, 'I', "node_register.go:96", "\"Skipping HTTP server\""),
            Some(port) => {
                let told = format!("\"Starting HTTP server\" endpoint=\":{port}\"");
                klog::log(sys, 'I', "node_register.go:99", &told);
                let net = sys.net().ok_or(1)?;
                server.listen(net, port).map_err(|_| 1)?;
            }
        }
        Ok(Health { server, of: Of::Registration(path) })
    }

    /// The probe of a driver that was there.
    pub fn driver(sys: &mut dyn Sys, link: Link, port: u16) -> Result<Self, i32> {
        let told = format!("\"ServeMux listening\" address=\"0.0.0.0:{port}\"");
        klog::log(sys, 'I', "main.go:172", &told);
        let mut server = HttpServer::default();
        let net = sys.net().ok_or(1)?;
        server.listen(net, port).map_err(|_| 0)?;
        Ok(Health { server, of: Of::Driver(link) })
    }

    fn state(&mut self, sys: &mut dyn Sys) -> Response {
        match &mut self.of {
            Of::Registration(path) if sys.fs().exists(path) => Response::new(200, "ok"),
            Of::Registration(_) => Response::new(404, "registration socket does not exist"),
            Of::Driver(link) => match link.poll(sys) {
                LinkState::Up => Response::new(200, "ok"),
                _ => Response::new(500, "context deadline exceeded"),
            },
        }
    }

    fn answer(&mut self, sys: &mut dyn Sys) {
        loop {
            let health = self.state(sys);
            let now = sys.now();
            let Some(net) = sys.net() else { return };
            let requests = self.server.poll(net, now);
            for incoming in &requests {
                let answer = match incoming.request.path() {
                    "/healthz" => health.clone(),
                    _ => Response::new(404, "404 page not found\n"),
                };
                self.server.respond(incoming, &answer);
            }
            let Some(net) = sys.net() else { return };
            self.server.flush(net);
            if requests.is_empty() {
                return;
            }
            // How it is told changes with a turn only: a socket that goes, a link that breaks.
            sys.answers_alike();
        }
    }
}

impl Program for Health {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if sys.take_signal().is_some() {
            if let Of::Registration(path) = &self.of {
                let path = path.clone();
                let _ = sys.fs().remove(&path);
            }
            if let Some(net) = sys.net() {
                self.server.close(net);
            }
            return Step::Exit(0);
        }
        self.answer(sys);
        match &mut self.of {
            Of::Driver(link) => match link.poll(sys) {
                LinkState::Down(until) => Step::Block { until: Some(until) },
                LinkState::Lost => Step::Yield,
                LinkState::Up => Step::Block { until: None },
            },
            Of::Registration(_) => Step::Block { until: None },
        }
    }
}
