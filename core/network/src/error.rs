//! Why a socket call failed.

/// Why a socket call failed. The text is `strerror`'s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// EAGAIN: nothing there now; ask again when the namespace was woken.
    #[error("Resource temporarily unavailable")]
    Again,
    /// EBADF: no such socket, or not one of this kind.
    #[error("Bad file descriptor")]
    BadSocket,
    /// EINVAL: the call does not fit the socket, or there is no such namespace.
    #[error("Invalid argument")]
    Invalid,
    /// EADDRINUSE
    #[error("Address already in use")]
    AddrInUse,
    /// EADDRNOTAVAIL
    #[error("Cannot assign requested address")]
    AddrNotAvailable,
    /// ENETUNREACH: no route.
    #[error("Network is unreachable")]
    NetUnreachable,
    /// EHOSTUNREACH: nobody answers for the address.
    #[error("No route to host")]
    HostUnreachable,
    /// ECONNREFUSED: nobody listens, or a rule rejects.
    #[error("Connection refused")]
    Refused,
    /// ECONNRESET
    #[error("Connection reset by peer")]
    Reset,
    /// EPIPE: sent on a connection that was closed.
    #[error("Broken pipe")]
    Pipe,
    /// ETIMEDOUT
    #[error("Connection timed out")]
    TimedOut,
    /// EMSGSIZE
    #[error("Message too long")]
    TooLong,
    /// EMFILE
    #[error("Too many open files")]
    TooManySockets,
    /// ENOTCONN
    #[error("Transport endpoint is not connected")]
    NotConnected,
}

/// Why the network could not be built as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopologyError {
    /// No such namespace.
    #[error("no network namespace {0}")]
    NoNamespace(u32),
    /// No such interface.
    #[error("Cannot find device \"{0}\"")]
    NoInterface(String),
    /// There is one of that name.
    #[error("RTNETLINK answers: File exists")]
    Exists,
    /// The interface is no bridge.
    #[error("\"{0}\" is not a bridge")]
    NotABridge(String),
    /// The route's next hop cannot be reached over the device.
    #[error("Nexthop has invalid gateway.")]
    Gateway,
    /// No such route.
    #[error("RTNETLINK answers: No such process")]
    NoRoute,
    /// A limit was reached.
    #[error("too many {0}")]
    TooMany(&'static str),
}
