//! `agnhost grpc-health-checking`: the health protocol on port 5000, and a switch on port 8080.
//!
//! Upstream: `test/images/agnhost/grpc-health-checking`.

use naru_network::http::Response;
use naru_shell::serve::grpc::{self, Health};
use naru_shell::serve::{HttpServer, clock};
use naru_shell::{Errno, NetStack, Program, Signal, SocketId, Step, Sys};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Where it listens, and how many clients it has at once.
const PORT: u16 = 5_000;
const SWITCH_PORT: u16 = 8_080;
const CLIENTS_MAX: usize = 64;
const READ_MAX: usize = 16 * 1024;

/// The server.
#[derive(Clone, Debug)]
pub struct GrpcHealth {
    listener: Option<SocketId>,
    clients: Vec<(SocketId, Vec<u8>)>,
    switch: HttpServer,
    health: Health,
}

impl Default for GrpcHealth {
    fn default() -> Self {
        let (clients, switch) = (Vec::new(), HttpServer::default());
        GrpcHealth { listener: None, clients, switch, health: Health::Serving }
    }
}

impl Program for GrpcHealth {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        sys.catch(Signal::Term);
        if sys.take_signal().is_some() {
            return Step::Exit(0);
        }
        if self.listener.is_none()
            && let Err(errno) = self.listen(sys)
        {
            let _ = sys.write(2, format!("failed to listen: {errno}\n").as_bytes());
            return Step::Exit(1);
        }
        self.turn_switch(sys);
        self.serve(sys);
        Step::Block { until: None }
    }
}

impl GrpcHealth {
    fn listen(&mut self, sys: &mut dyn Sys) -> Result<(), Errno> {
        let at = SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT));
        let net = sys.net().ok_or(Errno::NetUnreachable)?;
        self.listener = Some(net.tcp_listen(at)?);
        self.switch.listen(net, SWITCH_PORT)?;
        let time = clock::format(sys.now(), clock::GO_LOG);
        let text = format!(
            "{time} Http server starting to listen on :{SWITCH_PORT}\n{time} gRPC server starting to listen on :{PORT}\n"
        );
        let _ = sys.write(2, text.as_bytes());
        Ok(())
    }

    fn turn_switch(&mut self, sys: &mut dyn Sys) {
        loop {
            let now = sys.now();
            let Some(net) = sys.net() else { return };
            let requests = self.switch.poll(net, now);
            for incoming in &requests {
                let (health, body) = match incoming.request.path() {
                    "/make-serving" => (Health::Serving, "Marking as serving"),
                    "/make-not-serving" => (Health::NotServing, "Marking as not serving"),
                    _ => (self.health, ""),
                };
                self.health = health;
                let status = if body.is_empty() { 404 } else { 200 };
                self.switch.respond(incoming, &Response::new(status, body));
            }
            let Some(net) = sys.net() else { return };
            self.switch.flush(net);
            if requests.is_empty() {
                return;
            }
        }
    }

    fn serve(&mut self, sys: &mut dyn Sys) {
        sys.burn(Duration::from_micros(100));
        let (Some(listener), Some(net)) = (self.listener, sys.net()) else { return };
        while let Ok((socket, _)) = net.accept(listener) {
            if self.clients.len() < CLIENTS_MAX {
                self.clients.push((socket, Vec::new()));
            } else {
                net.close(socket);
            }
        }
        let health = self.health;
        self.clients.retain_mut(|(socket, received)| talk(net, *socket, received, health));
    }
}

/// Goes on with a client; tells whether it is still there.
fn talk(net: &mut dyn NetStack, socket: SocketId, received: &mut Vec<u8>, health: Health) -> bool {
    loop {
        match net.recv(socket, READ_MAX) {
            Ok(bytes) if bytes.is_empty() || received.len() > READ_MAX => {
                net.close(socket);
                return false;
            }
            Ok(bytes) => received.extend(bytes),
            Err(Errno::Again) => break,
            Err(_) => return false,
        }
    }
    if let Some(answer) = grpc::answer(received, health) {
        received.clear();
        // Shorter than what a socket takes.
        let _ = net.send(socket, &answer);
    }
    true
}
