//! `ss`: sockets and whose they are.
//!
//! Upstream: `misc/ss.c` of iproute2 6.1.

use crate::programs::tool::{Options, Out, parse_options};
use crate::{SocketId, Sys};
use naru_network::{Protocol, SocketInfo};
use std::net::{IpAddr, SocketAddr};

const LONG: &[(&str, char)] = &[
    ("all", 'a'),
    ("listening", 'l'),
    ("numeric", 'n'),
    ("processes", 'p'),
    ("tcp", 't'),
    ("udp", 'u'),
    ("ipv4", '4'),
    ("no-header", 'H'),
];

/// `ss [-tulnpaH4]`
pub fn run(sys: &mut dyn Sys, args: &[String], out: &mut Out) -> i32 {
    let options = match parse_options(args, "alnptu4H", LONG) {
        Ok(options) => options,
        Err(message) => {
            out.error(format!("ss: {message}"));
            out.error("Usage: ss [ OPTIONS ]\n       ss [ OPTIONS ] [ FILTER ]");
            return 255;
        }
    };
    let owners = owners(sys);
    let Some((network, ns)) = sys.net().and_then(|net| net.administer()) else {
        out.error("Cannot open netlink socket: Operation not permitted");
        return 1;
    };
    let sockets = network.sockets(ns);
    let shown: Vec<&SocketInfo> = sockets.iter().filter(|it| is_shown(it, &options)).collect();
    let kinds = options.has('t') == options.has('u');
    let rows = shown.iter().map(|socket| row(socket, &options, kinds, &owners));
    let mut table: Vec<[String; 7]> = Vec::new();
    if !options.has('H') {
        table.push([
            if kinds { "Netid" } else { "" }.to_owned(),
            "State".to_owned(),
            "Recv-Q".to_owned(),
            "Send-Q".to_owned(),
            "Local Address:Port".to_owned(),
            "Peer Address:Port".to_owned(),
            "Process".to_owned(),
        ]);
    }
    table.extend(rows);
    print(&table, out);
    0
}

/// The program, number and descriptor of who has a socket, as far as this machine knows. Sockets
/// are numbered from 3, after standard input, output and error.
fn owners(sys: &dyn Sys) -> Vec<(SocketId, String)> {
    let mut owners = Vec::new();
    for process in sys.processes() {
        let name = process.argv.first().map(String::as_str).unwrap_or_default();
        let name = name.rsplit('/').next().unwrap_or(name).trim_end_matches(':');
        for (index, socket) in process.sockets.iter().enumerate() {
            let text = format!(" users:((\"{name}\",pid={},fd={}))", process.pid, index + 3);
            owners.push((*socket, text));
        }
    }
    owners
}

fn is_shown(socket: &SocketInfo, options: &Options) -> bool {
    let kind = match socket.protocol {
        Protocol::Tcp => options.has('t') || !options.has('u'),
        Protocol::Udp => options.has('u') || !options.has('t'),
        _ => false,
    };
    let waits = matches!(socket.state, "LISTEN" | "UNCONN");
    let state = options.has('a') || waits == options.has('l');
    let family = !options.has('4') || socket.local.is_ipv4();
    kind && state && family
}

fn row(
    socket: &SocketInfo,
    options: &Options,
    kinds: bool,
    owners: &[(SocketId, String)],
) -> [String; 7] {
    let owner = owners.iter().find(|(id, _)| id.0 == socket.id.0 && options.has('p'));
    [
        if kinds { socket.protocol.to_string() } else { String::new() },
        socket.state.to_owned(),
        socket.recv_queue.to_string(),
        socket.send_queue.to_string(),
        address(socket.local),
        socket.remote.map_or_else(|| nobody(socket.local), address),
        owner.map(|(_, text)| text.clone()).unwrap_or_default(),
    ]
}

fn address(at: SocketAddr) -> String {
    match at.ip() {
        IpAddr::V6(ip) => format!("[{ip}]:{}", at.port()),
        IpAddr::V4(ip) => format!("{ip}:{}", at.port()),
    }
}

fn nobody(like: SocketAddr) -> String {
    if like.is_ipv6() { "[::]:*" } else { "0.0.0.0:*" }.to_owned()
}

/// Columns with one blank between them. Addresses are aligned at the colon before the port; the
/// head of the last column follows without a blank, as `ss` has it.
fn print(table: &[[String; 7]], out: &mut Out) {
    let parts = |text: &str| {
        let (address, port) = text.rsplit_once(':').unwrap_or((text, ""));
        (address.chars().count(), port.chars().count())
    };
    let width = |column: usize| {
        let cells = table.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths = |column: usize| {
        let cells = table.iter().filter_map(|row| row.get(column));
        cells.map(|cell| parts(cell)).fold((0, 0), |(a, b), (c, d)| (a.max(c), b.max(d)))
    };
    let pair = |text: &str, (left, right): (usize, usize)| {
        let (address, port) = text.rsplit_once(':').unwrap_or((text, ""));
        format!("{address:>left$}:{port:<right$}")
    };
    for row in table {
        let [kind, state, received, sent, local, peer, process] = row;
        let mut line = String::new();
        if width(0) > 0 {
            line += &format!("{kind:<0$} ", width(0));
        }
        line += &format!(
            "{state:<0$} {received:<1$} {sent:<2$} {3} {4}{process}",
            width(1),
            width(2),
            width(3),
            pair(local, widths(4)),
            pair(peer, widths(5)),
        );
        out.line(line.trim_end());
    }
}
