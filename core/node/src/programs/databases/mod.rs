//! `mysqld`, `postgres` and `mongod` with their clients `mysql`, `psql` and `mongosh`: enough of
//! their languages to store and to read back. What is between client and server is the sandbox's
//! own: a line of JSON each way.

mod alive;
mod asking;
mod client;
mod mongo_store;
mod mongo_value;
mod mongosh;
mod mysql;
mod parse;
mod psql;
mod server;
mod store;

pub use alive::Alive;
pub use asking::{Access, AskError, Asking};
pub use mongosh::Mongosh;
pub use mysql::Mysql;
pub use psql::Psql;
pub use server::{Dialect, SqlServer};

use serde::{Deserialize, Serialize};
use store::{Outcome, SqlError};

/// What a client asks.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Question {
    user: String,
    password: String,
    database: String,
    /// One statement; "" asks whether the others are right.
    sql: String,
}

/// What a server answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reply {
    outcome: Result<Outcome, SqlError>,
    version: String,
}
