//! Hosts, links, routes, netfilter, conntrack, sockets, DNS and HTTP messages: mechanism only.
