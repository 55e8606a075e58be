//! RabbitMQ: a broker of messages with `rabbitmqctl`, `rabbitmqadmin` and its HTTP API, and the tools
//! `amqp-publish`, `amqp-consume` and their kin. What is between clients and broker on port 5672 is
//! the sandbox's own: a line of JSON each way.
//!
//! Upstream: `rabbitmq/rabbitmq-server`, `docker-library/rabbitmq`, `alanxz/rabbitmq-c` (`tools`).

mod admin;
mod api;
mod broker;
mod control;
mod ctl;
mod server;
mod tools;

pub use admin::RabbitmqAdmin;
pub use ctl::RabbitmqCtl;
pub use server::RabbitmqServer;
pub use tools::AmqpTool;

use serde::{Deserialize, Serialize};

/// Where clients connect, where the management's API is, and where the broker's own tools connect.
const AMQP_PORT: u16 = 5_672;
const API_PORT: u16 = 15_672;
const CONTROL_PORT: u16 = 25_672;
/// Bytes read at once, and of one line.
const READ_MAX: usize = 64 * 1024;
const LINE_MAX: usize = 256 * 1024;

/// What a client asks of the broker.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Ask {
    /// Who it is; the first that it says.
    Open {
        user: String,
        password: String,
        vhost: String,
    },
    Declare {
        queue: String,
        durable: bool,
        exclusive: bool,
        auto_delete: bool,
    },
    Delete {
        queue: String,
    },
    Publish {
        exchange: String,
        key: String,
        body: String,
        persistent: bool,
    },
    Get {
        queue: String,
    },
    Consume {
        queue: String,
        ack: bool,
        prefetch: u64,
    },
    Ack {
        tag: u64,
    },
    /// It has no more to say.
    Close,
}

/// What the broker tells a client.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Tell {
    Done {
        text: String,
    },
    Empty,
    Message {
        tag: u64,
        body: String,
    },
    /// An end of the channel or of the connection.
    Refused {
        code: u16,
        text: String,
        connection: bool,
    },
}
