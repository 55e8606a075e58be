//! Application programs of images, one file each. The shell and its tools are naru-shell's.

mod agnhost;
mod apache;
mod base64;
mod cassandra;
mod daemon;
mod databases;
mod files_server;
mod flanneld;
mod fortune;
mod grpc_health;
mod haproxy;
pub mod hostpathplugin;
mod http_echo;
mod interpreter;
mod memcached;
mod nginx;
mod packages;
mod pause;
mod php;
mod pi;
mod rabbitmq;
mod redis;
mod shippers;
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
            "apache2" => Box::new(apache::Apache::new(apache::Build::Debian)),
            "cassandra" => Box::new(cassandra::Cassandra::default()),
            "nodetool" => Box::new(cassandra::Nodetool::default()),
            "filebeat" => Box::new(shippers::Filebeat::default()),
            "fluentd" => Box::new(shippers::Fluentd::default()),
            "fortune" => Box::new(fortune::Fortune),
            "hostpathplugin" => Box::new(hostpathplugin::HostPathPlugin::default()),
            "http-echo" => Box::new(http_echo::HttpEcho::default()),
            "httpd" => Box::new(apache::Apache::new(apache::Build::Upstream)),
            "haproxy" => Box::new(haproxy::Haproxy::default()),
            "memcached" => Box::new(memcached::Memcached::default()),
            "mongo" | "mongosh" => Box::new(databases::Mongosh::default()),
            "mongod" => Box::new(databases::SqlServer::new(databases::Dialect::Mongo)),
            "flanneld" => Box::new(flanneld::Flanneld::default()),
            "mysql" => Box::new(databases::Mysql::default()),
            "mysqladmin" | "pg_isready" => Box::new(databases::Alive::default()),
            "mysqld" => Box::new(databases::SqlServer::new(databases::Dialect::Mysql)),
            "nginx" => Box::new(nginx::Nginx::default()),
            "pause" => Box::new(pause::Pause),
            "web" => Box::new(interpreter::Compiled::default()),
            "postgres" => Box::new(databases::SqlServer::new(databases::Dialect::Postgres)),
            "psql" => Box::new(databases::Psql::default()),
            "amqp-consume" | "amqp-declare-queue" | "amqp-delete-queue" | "amqp-get"
            | "amqp-publish" => Box::new(rabbitmq::AmqpTool::default()),
            "rabbitmq-diagnostics" | "rabbitmq-plugins" | "rabbitmqctl" => {
                Box::new(rabbitmq::RabbitmqCtl::default())
            }
            "rabbitmq-server" => Box::new(rabbitmq::RabbitmqServer::default()),
            "rabbitmqadmin" => Box::new(rabbitmq::RabbitmqAdmin::default()),
            "redis-cli" => Box::new(redis::RedisCli::default()),
            "redis-server" => Box::new(redis::RedisServer::default()),
            "perl" => Box::new(pi::Perl::default()),
            "stress" => Box::new(stress::Stress::default()),
            _ => match daemon::Daemon::named(name) {
                Some(daemon) => Box::new(daemon),
                None => return standard_programs().load(name),
            },
        };
        Some(program)
    }
}
