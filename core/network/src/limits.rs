//! Limits of the network. Whatever would pass one of them is refused or dropped, as a kernel does.

/// Network namespaces.
pub const NAMESPACES_MAX: usize = 200_000;
/// Sockets of one namespace.
pub const SOCKETS_PER_NAMESPACE_MAX: usize = 16_384;
/// Packets on links that wait at one time.
pub const EVENTS_MAX: usize = 500_000;
/// Connections that wait to be accepted. Linux: `net.core.somaxconn` allows more; a lesson's
/// server does not need it.
pub const BACKLOG_MAX: usize = 128;
/// Bytes a TCP socket holds in each direction.
pub const TCP_BUFFER_MAX: usize = 64 * 1024;
/// Bytes of data in one TCP segment: Ethernet's 1500 less the headers of IP and TCP.
pub const TCP_SEGMENT_MAX: usize = 1_460;
/// Bytes of one datagram.
pub const DATAGRAM_MAX: usize = 65_507;
/// Datagrams that wait to be read from one socket.
pub const DATAGRAMS_WAITING_MAX: usize = 256;
/// Peers of a datagram socket whose flow is remembered.
pub const DATAGRAM_FLOWS_MAX: usize = 64;
/// Connections tracked in one namespace. Linux: `net.netfilter.nf_conntrack_max`, which kube-proxy
/// sets to no less than this (`getConntrackMax` in `cmd/kube-proxy/app/server_linux.go`).
pub const CONNTRACK_MAX: usize = 131_072;
/// From so many on, connections that are over are forgotten before their time.
/// Linux: `nf_conntrack_max95`.
pub const CONNTRACK_CROWDED: usize = CONNTRACK_MAX / 100 * 95;
/// Ports tried before a translation gives up.
pub const NAT_PORT_TRIES_MAX: u32 = 128;
/// Rules of one namespace, all tables together.
pub const RULES_MAX: usize = 1_000_000;
/// Rules that one packet may be compared with on one pass through a table.
pub const RULES_PER_PACKET_MAX: usize = 1_000_000;
/// Chains that may be entered one from another.
pub const CHAIN_DEPTH_MAX: usize = 64;
/// Addresses of one `recent` list. Linux: `ip_list_tot` of xt_recent.
pub const RECENT_ADDRESSES_MAX: usize = 100;
/// Sets of addresses of one namespace.
pub const SETS_MAX: usize = 65_536;
/// Addresses in one set. Linux: `maxelem` of ipset.
pub const SET_MEMBERS_MAX: usize = 65_536;
/// Bytes of one line given to `iptables-restore`.
pub const RULE_LINE_MAX: usize = 10_240;
/// Bridges that a frame may pass one after another.
pub const BRIDGE_DEPTH_MAX: usize = 8;
/// Routes of one namespace.
pub const ROUTES_MAX: usize = 16_384;
/// Traces kept.
pub const TRACES_MAX: usize = 4_096;
/// Hops written down of one packet.
pub const HOPS_MAX: usize = 256;
/// Bytes of a DNS message.
pub const DNS_MESSAGE_MAX: usize = 65_535;
/// Records in one section of a DNS message.
pub const DNS_RECORDS_MAX: usize = 4_096;
/// Bytes of an HTTP message's head.
pub const HTTP_HEAD_MAX: usize = 64 * 1024;
/// Headers of an HTTP message.
pub const HTTP_HEADERS_MAX: usize = 128;
/// Bytes of an HTTP message's body.
pub const HTTP_BODY_MAX: usize = 8 * 1024 * 1024;
