//! What programs that serve others share: an HTTP/1.1 server, connections to other hosts, and time
//! as logs write it.

pub mod clock;
mod dial;
mod exchange;
pub mod grpc;
mod http_server;
pub mod local;
mod stream;

pub use dial::{Dial, DialError};
pub use exchange::{Exchange, Outcome};
pub use http_server::{ConnectionId, HttpServer, Incoming, Secured, Takes};
pub use naru_network::http::{Request, Response};
pub use stream::Stream;
