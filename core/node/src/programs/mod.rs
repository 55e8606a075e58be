//! Application programs of images, one file each. The shell and its tools are naru-shell's.

mod daemon;
mod fortune;
mod interpreter;
mod nginx;
mod nginx_conf;

mod pause;
mod pi;
mod redis;
mod web;

use naru_shell::{Program, ProgramTable, standard_programs};

/// The programs of this crate, and after them the shell's.
pub fn programs() -> &'static dyn ProgramTable {
    &NodePrograms
}

struct NodePrograms;

impl ProgramTable for NodePrograms {
    fn load(&self, name: &str) -> Option<Box<dyn Program>> {
        let program: Box<dyn Program> = match name {
            "go" | "node" | "python" => Box::new(interpreter::Interpreter::default()),

            "fortune" => Box::new(fortune::Fortune),
            "nginx" => Box::new(nginx::Nginx::default()),
            "pause" => Box::new(pause::Pause),
            "web" => Box::new(interpreter::Compiled::default()),
            "redis-cli" => Box::new(redis::RedisCli::default()),
            "redis-server" => Box::new(redis::RedisServer::default()),
            "perl" => Box::new(pi::Perl),
            _ => match daemon::Daemon::named(name) {
                Some(daemon) => Box::new(daemon),
                None => return standard_programs().load(name),
            },
        };
        Some(program)
    }
}
