//! What programs that serve others share: an HTTP/1.1 server, connections to other hosts, their
//! options, and time and lines as logs write them.

pub mod clock;
mod dial;
mod exchange;
pub mod goflag;
pub mod grpc;
mod http_server;
pub mod klog;
pub mod local;
mod stream;

pub use dial::{Dial, DialError};
pub use exchange::{Exchange, Outcome};
pub use http_server::{ConnectionId, HttpServer, Incoming, Secured, Takes};
pub use naru_network::http::{Request, Response};
pub use stream::Stream;
