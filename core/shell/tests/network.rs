//! Network programs against servers that behave in every way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::net::{FakeNet, Server};
use common::{Clock, Outcome, machine, run_in};
use std::net::{IpAddr, SocketAddr};

const PAGE: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n";

fn network() -> FakeNet {
    let mut net = FakeNet::default();
    net.dns = "10.96.0.10".parse().ok();
    let names = [
        ("app.default.svc.cluster.local", "10.96.0.1"),
        ("kubernetes.default.svc.cluster.local", "10.96.0.1"),
    ];
    for (name, address) in names {
        net.names.insert(name.to_string(), address.parse::<IpAddr>().unwrap());
    }
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nd\n\r\n0\r\n\r\n";
    let servers = [
        ("10.96.0.1:80", Server::Answers(PAGE)),
        ("10.96.0.1:81", Server::Closes),
        ("10.96.0.1:82", Server::Resets),
        ("10.96.0.1:83", Server::Swallows),
        ("10.96.0.1:84", Server::Holds("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")),
        ("10.96.0.1:85", Server::Answers("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")),
        (
            "10.96.0.1:86",
            Server::Answers("HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n"),
        ),
        (
            "10.96.0.1:87",
            Server::Answers(
                "HTTP/1.1 302 Found\r\nLocation: http://app/next\r\nContent-Length: 0\r\n\r\n",
            ),
        ),
        ("10.96.0.1:88", Server::Answers(chunked)),
        ("10.96.0.1:89", Server::Answers("SSH-2.0-x\r\n")),
    ];
    for (at, server) in servers {
        net.servers.insert(at.parse::<SocketAddr>().unwrap(), server);
    }
    net
}

fn run(net: FakeNet, script: &str) -> Outcome {
    let mut kernel = machine("ash");
    let conf = "search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n";
    kernel.fs_mut().write("/etc/resolv.conf", conf.as_bytes()).unwrap();
    kernel.fs_mut().write("/etc/hosts", b"127.0.0.1 localhost\n10.96.0.1 hosted\n").unwrap();
    let clock = Clock { net: Some(net), ..Clock::default() };
    run_in(kernel, clock, &["sh", "-c", script], b"")
}

#[test]
fn what_is_printed() {
    let cases: &[(&str, &str, &str, i32)] = &[
        ("curl -s http://app", "hello\n", "", 0),
        ("curl -s app/x?y=1", "hello\n", "", 0),
        ("curl -s hosted", "hello\n", "", 0),
        ("curl -s 10.96.0.1:88", "abcd\n", "", 0),
        ("curl -sS nope", "", "curl: (6) Could not resolve host: nope\n", 6),
        ("curl -s nope", "", "", 6),
        (
            "curl -sS app:99",
            "",
            "curl: (7) Failed to connect to app port 99 after 0 ms: Couldn't connect to server\n",
            7,
        ),
        ("curl -sS app:81", "", "curl: (52) Empty reply from server\n", 52),
        ("curl -sS app:82", "", "curl: (56) Recv failure: Connection reset by peer\n", 56),
        (
            "curl -sS -m 2 app:83",
            "",
            "curl: (28) Connection timed out after 2000 milliseconds\n",
            28,
        ),
        (
            "curl -sS --connect-timeout 1.5 app:83",
            "",
            "curl: (28) Connection timed out after 1500 milliseconds\n",
            28,
        ),
        (
            "curl -sS -m 2 app:84",
            "abc",
            "curl: (28) Operation timed out after 2000 milliseconds with 3 out of 9 bytes received\n",
            28,
        ),
        (
            "curl -sS app:85",
            "abc",
            "curl: (18) transfer closed with 6 bytes remaining to read\n",
            18,
        ),
        ("curl -s app:86", "no\n", "", 0),
        ("curl -sSf app:86", "", "curl: (22) The requested URL returned error: 404\n", 22),
        ("curl -sSL app:87", "hello\n", "", 0),
        ("curl -s app:87", "", "", 0),
        ("curl -sS app:89", "", "curl: (1) Received HTTP/0.9 when not allowed\n", 1),
        (
            "curl -sS gopher://app",
            "",
            "curl: (1) Protocol \"gopher\" not supported or disabled in libcurl\n",
            1,
        ),
        ("curl -sS http://", "", "curl: (3) URL using bad/illegal format or missing URL\n", 3),
        ("curl", "", "curl: try 'curl --help' or 'curl --manual' for more information\n", 2),
        (
            "curl --nope",
            "",
            "curl: option --nope: is unknown\ncurl: try 'curl --help' or 'curl --manual' for more information\n",
            2,
        ),
        (
            "curl -sI app",
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\n",
            "",
            0,
        ),
        (
            "curl -si app",
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n",
            "",
            0,
        ),
        (
            "curl -s -o f -w '%{http_code} %{size_download} %{remote_ip}:%{remote_port}\\n' app; cat f",
            "200 6 10.96.0.1:80\nhello\n",
            "",
            0,
        ),
        ("curl -s -o /dev/null -w '%{http_code}' nope", "000", "", 6),
        ("curl -s app app:86", "hello\nno\n", "", 0),
        ("wget -qO- app", "hello\n", "", 0),
        (
            "wget app; cat index.html",
            "hello\n",
            "Connecting to app (10.96.0.1:80)\nsaving to 'index.html'\nindex.html           100% |********************************|     6  0:00:00 ETA\n'index.html' saved\n",
            0,
        ),
        ("wget nope", "", "wget: bad address 'nope'\n", 1),
        (
            "wget -q app:99",
            "",
            "wget: can't connect to remote host (10.96.0.1): Connection refused\n",
            1,
        ),
        ("wget -q app:86", "", "wget: server returned error: HTTP/1.1 404 Not Found\n", 1),
        ("wget -q -T 3 app:83", "", "wget: download timed out\n", 1),
        ("nc -zv app 80", "", "app (10.96.0.1:80) open\n", 0),
        ("nc -z app 99", "", "nc: app (10.96.0.1:99): Connection refused\n", 1),
        ("nc -z -w 2 app 83", "", "nc: timed out\n", 1),
        ("printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc app 80 | tail -n 1", "hello\n", "", 0),
        (
            "nslookup kubernetes.default.svc.cluster.local",
            "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10#53\n\nName:\tkubernetes.default.svc.cluster.local\nAddress: 10.96.0.1\n\n",
            "",
            0,
        ),
        (
            "nslookup nope",
            "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10#53\n\n** server can't find nope: NXDOMAIN\n\n",
            "",
            1,
        ),
        (
            "nslookup app 10.9.9.9",
            ";; communications error to 10.9.9.9#53: timed out\n;; communications error to 10.9.9.9#53: timed out\n;; communications error to 10.9.9.9#53: timed out\n;; no servers could be reached\n\n",
            "",
            1,
        ),
    ];
    let mut failures = Vec::new();
    for (script, stdout, stderr, code) in cases {
        let outcome = run(network(), script);
        let seen = (outcome.stdout.as_str(), outcome.stderr.as_str(), outcome.code);
        if seen != (*stdout, *stderr, Some(*code)) {
            failures.push(format!(
                "{script}\n  wanted {:?}\n  seen   {seen:?}",
                (stdout, stderr, code)
            ));
        }
        let open = outcome.net.unwrap().open_sockets();
        if open > 0 {
            failures.push(format!("{script}: {open} sockets left open"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn what_is_sent() {
    for (script, expected) in [
        (
            "curl -s app:80/a",
            "GET /a HTTP/1.1\r\nHost: app\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n",
        ),
        (
            "curl -s -d a=1 -d b=2 app",
            "POST / HTTP/1.1\r\nHost: app\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\nContent-Length: 7\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\na=1&b=2",
        ),
        (
            "curl -s -X PUT -u a:b -A me -H 'X: y' -H Accept: app",
            "PUT / HTTP/1.1\r\nHost: app\r\nAuthorization: Basic YTpi\r\nUser-Agent: me\r\nX: y\r\n\r\n",
        ),
        (
            "wget -qO /dev/null app/p",
            "GET /p HTTP/1.1\r\nHost: app\r\nUser-Agent: Wget\r\nConnection: close\r\n\r\n",
        ),
    ] {
        let outcome = run(network(), script);
        assert_eq!(outcome.net.unwrap().requests, [expected], "{script}");
    }
}

#[test]
fn curl_tells_what_it_does() {
    let outcome = run(network(), "curl -sv app");
    assert_eq!(
        outcome.stderr,
        "*   Trying 10.96.0.1:80...\n* Connected to app (10.96.0.1) port 80 (#0)\n\
         > GET / HTTP/1.1\n> Host: app\n> User-Agent: curl/7.88.1\n> Accept: */*\n> \n\
         < HTTP/1.1 200 OK\n< Content-Type: text/plain\n< Content-Length: 6\n< \n\
         { [6 bytes data]\n* Connection #0 to host app left intact\n"
    );
}

#[test]
fn the_meter_shows_when_the_output_is_no_terminal() {
    let title = "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n                                 Dload  Upload   Total   Spent    Left  Speed\n";
    let zero = "\r  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0";
    let outcome = run(network(), "curl nope");
    assert_eq!(outcome.stderr, format!("{title}{zero}curl: (6) Could not resolve host: nope\n"));
    let outcome = run(network(), "curl app");
    assert!(
        outcome.stderr.starts_with(&format!("{title}{zero}\r100     6  100     6")),
        "{:?}",
        outcome.stderr
    );
    assert_eq!(outcome.stdout, "hello\n");
}

#[test]
fn names_are_asked_for_in_libcs_order_and_time() {
    let outcome = run(network(), "curl -s app");
    assert_eq!(outcome.net.unwrap().asked, ["app.default.svc.cluster.local"]);
    let outcome = run(network(), "curl -s a.b");
    let domains =
        ["a.b.default.svc.cluster.local", "a.b.svc.cluster.local", "a.b.cluster.local", "a.b"];
    assert_eq!(outcome.net.unwrap().asked, domains);
    let mut silent = network();
    silent.dns = None;
    let outcome = run(silent, "curl -sS app");
    assert_eq!(outcome.stderr, "curl: (6) Could not resolve host: app\n");
    // Two attempts of five seconds each, from the first second on.
    assert_eq!(outcome.ended_at.as_secs(), 11);
}
