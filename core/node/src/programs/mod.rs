//! Application programs of images, one file each. The shell and its tools are naru-shell's.

mod agnhost;
mod daemon;
mod databases;
mod fortune;
mod grpc_health;
mod haproxy;
mod interpreter;
mod memcached;
mod nginx;
mod nginx_conf;
mod packages;
mod pause;
mod pi;
mod redis;
mod stress;
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
            "apk" | "apt" | "apt-get" | "dnf" | "npm" | "pip" | "pip3" | "yum" => {
                Box::new(packages::PackageManager::default())
            }
            "agnhost" => Box::new(agnhost::Agnhost::default()),
            "fortune" => Box::new(fortune::Fortune),
            "haproxy" => Box::new(haproxy::Haproxy::default()),
            "memcached" => Box::new(memcached::Memcached::default()),
            "mongo" | "mongosh" => Box::new(databases::Mongosh::default()),
            "mongod" => Box::new(databases::SqlServer::new(databases::Dialect::Mongo)),
            "mysql" => Box::new(databases::Mysql::default()),
            "mysqld" => Box::new(databases::SqlServer::new(databases::Dialect::Mysql)),
            "nginx" => Box::new(nginx::Nginx::default()),
            "pause" => Box::new(pause::Pause),
            "web" => Box::new(interpreter::Compiled::default()),
            "postgres" => Box::new(databases::SqlServer::new(databases::Dialect::Postgres)),
            "psql" => Box::new(databases::Psql::default()),
            "redis-cli" => Box::new(redis::RedisCli::default()),
            "redis-server" => Box::new(redis::RedisServer::default()),
            "perl" => Box::new(pi::Perl),
            "stress" => Box::new(stress::Stress::default()),
            _ => match daemon::Daemon::named(name) {
                Some(daemon) => Box::new(daemon),
                None => return standard_programs().load(name),
            },
        };
        Some(program)
    }
}
