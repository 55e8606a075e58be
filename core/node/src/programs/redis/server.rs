//! `redis-server`.

use super::resp::parse;
use super::store::Store;
use super::{PORT, READ_MAX};
use naru_shell::serve::clock;
use naru_shell::{Errno, Program, Signal, SocketId, Step, Sys};
use naru_sim::Time;
use std::net::{Ipv4Addr, SocketAddr};

/// Clients at one time.
const CLIENTS_MAX: usize = 1_024;

/// `redis-server`.
#[derive(Clone, Debug, Default)]
pub struct RedisServer {
    listener: Option<SocketId>,
    clients: Vec<Client>,
    store: Store,
}

#[derive(Clone, Debug)]
struct Client {
    socket: SocketId,
    input: Vec<u8>,
    output: Vec<u8>,
    last: bool,
}

impl Program for RedisServer {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if self.listener.is_none()
            && let Err(step) = self.start(sys)
        {
            return step;
        }
        if sys.take_signal().is_some() {
            self.log(sys, "signal-handler", "Received SIGTERM scheduling shutdown...");
            self.log(sys, "#", "Redis is now ready to exit, bye bye...");
            return Step::Exit(0);
        }
        self.serve(sys);
        Step::Block { until: None }
    }
}

impl RedisServer {
    fn start(&mut self, sys: &mut dyn Sys) -> Result<(), Step> {
        sys.catch(Signal::Term);
        sys.catch(Signal::Int);
        let at = SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT));
        let listened = sys.net().ok_or(Errno::NetUnreachable).and_then(|net| net.tcp_listen(at));
        let version = sys.env().get("REDIS_VERSION").cloned().unwrap_or_default();
        self.log(sys, "*", "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo");
        let line = format!(
            "Redis version={version}, bits=64, commit=00000000, modified=0, pid=1, just started"
        );
        self.log(sys, "*", &line);
        match listened {
            Ok(listener) => {
                self.listener = Some(listener);
                self.log(sys, "*", "Running mode=standalone, port=6379.");
                self.log(sys, "*", "Server initialized");
                self.log(sys, "*", "Ready to accept connections tcp");
                Ok(())
            }
            Err(errno) => {
                let line = format!(
                    "Warning: Could not create server TCP listening socket *:{PORT}: bind: {errno}"
                );
                self.log(sys, "#", &line);
                Err(Step::Exit(1))
            }
        }
    }

    fn log(&self, sys: &mut dyn Sys, mark: &str, line: &str) {
        let time = clock::format(sys.now(), clock::REDIS);
        let pid = sys.pid();
        let _ = sys.write(1, format!("{pid}:M {time} {mark} {line}\n").as_bytes());
    }

    fn serve(&mut self, sys: &mut dyn Sys) {
        let now = sys.now();
        let (Some(listener), Some(net)) = (self.listener, sys.net()) else { return };
        while self.clients.len() < CLIENTS_MAX {
            let Ok((socket, _)) = net.accept(listener) else { break };
            let (input, output) = (Vec::new(), Vec::new());
            self.clients.push(Client { socket, input, output, last: false });
        }
        for client in &mut self.clients {
            loop {
                match net.recv(client.socket, READ_MAX) {
                    Ok(bytes) if bytes.is_empty() => {
                        client.last = true;
                        break;
                    }
                    Ok(bytes) => client.input.extend(bytes),
                    Err(Errno::Again) => break,
                    Err(_) => {
                        client.last = true;
                        break;
                    }
                }
            }
            client.answer(&mut self.store, now);
        }
        self.clients.retain_mut(|client| {
            while !client.output.is_empty() {
                match net.send(client.socket, &client.output) {
                    Ok(0) | Err(Errno::Again) => return true,
                    Ok(taken) => drop(client.output.drain(..taken.min(client.output.len()))),
                    Err(_) => client.last = true,
                }
                if client.last {
                    break;
                }
            }
            if client.last {
                net.close(client.socket);
            }
            !client.last
        });
    }
}

impl Client {
    fn answer(&mut self, store: &mut Store, now: Time) {
        loop {
            match parse(&self.input) {
                Ok(Some((words, taken))) => {
                    self.input.drain(..taken.min(self.input.len()));
                    if !words.is_empty() {
                        self.output.extend(store.run(&words, now).into_bytes());
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    self.output.extend(error.into_bytes());
                    self.last = true;
                    return;
                }
            }
        }
    }
}
