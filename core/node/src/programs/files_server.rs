//! Servers of files that list directories: Go's `http.FileServer`, and `python -m http.server`.

use super::apache::media_type;
use naru_network::http::Response;
use naru_shell::serve::{HttpServer, Incoming, clock};
use naru_shell::{Errno, Program, Signal, Step, Sys};

/// Whose words it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Words {
    Go,
    Python,
}

/// The server.
#[derive(Clone, Debug)]
pub struct FilesServer {
    words: Words,
    port: u16,
    root: String,
    server: HttpServer,
    started: bool,
}

impl FilesServer {
    /// Go's, as `agnhost test-webserver` is.
    pub fn new(port: u16, root: &str) -> Self {
        let (words, server) = (Words::Go, HttpServer::default());
        FilesServer { words, port, root: root.to_owned(), server, started: false }
    }

    /// Python's, with the arguments that stand after `-m http.server`. The error is what it says.
    pub fn python(args: &[String], cwd: &str) -> Result<Self, String> {
        let (mut port, mut root) = (8_000, cwd.to_owned());
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            match arg.as_str() {
                "-d" | "--directory" => root = rest.next().cloned().unwrap_or_default(),
                "-b" | "--bind" | "-p" | "--protocol" => drop(rest.next()),
                text => {
                    port = text.parse().map_err(|_| {
                        format!(
                            "usage: server.py [-h] [--cgi] [-b ADDRESS] [-d DIRECTORY] [-p VERSION] \
                             [port]\nserver.py: error: argument port: invalid int value: '{text}'\n"
                        )
                    })?;
                }
            }
        }
        let (words, server) = (Words::Python, HttpServer::default());
        Ok(FilesServer { words, port, root, server, started: false })
    }

    fn start(&mut self, sys: &mut dyn Sys) -> Result<(), Step> {
        self.started = true;
        self.root = sys.absolute(&self.root);
        let net = sys.net().ok_or(Errno::NetUnreachable);
        let listened = net.and_then(|net| self.server.listen(net, self.port));
        let port = self.port;
        if let Err(errno) = listened {
            let text = match self.words {
                Words::Go => format!("listen tcp :{port}: bind: {errno}\n"),
                Words::Python => {
                    let number = if errno == Errno::Access { 13 } else { 98 };
                    let kind = if errno == Errno::Access { "PermissionError" } else { "OSError" };
                    format!("{kind}: [Errno {number}] {errno}\n")
                }
            };
            let _ = sys.write(2, text.as_bytes());
            return Err(Step::Exit(1));
        }
        sys.use_memory(12 << 20);
        match self.words {
            Words::Go => sys.catch(Signal::Term),
            Words::Python => {
                sys.catch(Signal::Int);
                let text =
                    format!("Serving HTTP on 0.0.0.0 port {port} (http://0.0.0.0:{port}/) ...\n");
                let _ = sys.write(1, text.as_bytes());
            }
        }
        Ok(())
    }

    fn answer(&self, sys: &mut dyn Sys, incoming: &Incoming) -> Response {
        let request = &incoming.request;
        if !["GET", "HEAD"].contains(&request.method.as_str()) && self.words == Words::Python {
            let what = format!("Unsupported method ('{}')", request.method);
            return self.error(501, &what);
        }
        let path = super::nginx::decode(request.path());
        let normal = naru_shell::normalize("/", &path);
        let real = format!("{}{}", self.root.trim_end_matches('/'), normal);
        if sys.fs().is_dir(&real) {
            if !path.ends_with('/') {
                return Response::new(301, "").with("Location", format!("{path}/"));
            }
            let index = format!("{}/index.html", real.trim_end_matches('/'));
            return match sys.fs().read(&index) {
                Ok(bytes) => Response::new(200, bytes.to_vec()).with("Content-Type", "text/html"),
                Err(_) => self.listing(sys, &real, &path),
            };
        }
        match sys.fs().read(&real) {
            Ok(bytes) => {
                let kind = media_type(&real).unwrap_or("application/octet-stream");
                Response::new(200, bytes.to_vec()).with("Content-Type", kind)
            }
            Err(_) => self.error(404, "File not found"),
        }
    }

    fn error(&self, status: u16, what: &str) -> Response {
        if self.words == Words::Go {
            return Response::new(status, "404 page not found\n")
                .with("Content-Type", "text/plain; charset=utf-8");
        }
        let explains = match status {
            404 => "Nothing matches the given URI",
            _ => "Server does not support this operation",
        };
        let body = format!(
            "<!DOCTYPE HTML>\n<html lang=\"en\">\n    <head>\n        <meta charset=\"utf-8\">\n        \
             <style type=\"text/css\">\n            :root {{\n                color-scheme: light \
             dark;\n            }}\n        </style>\n        <title>Error response</title>\n    \
             </head>\n    <body>\n        <h1>Error response</h1>\n        <p>Error code: {status}</p>\n        \
             <p>Message: {what}.</p>\n        <p>Error code explanation: {status} - {explains}.</p>\n    \
             </body>\n</html>\n"
        );
        Response::new(status, body).with("Content-Type", "text/html;charset=utf-8")
    }

    fn listing(&self, sys: &mut dyn Sys, real: &str, path: &str) -> Response {
        let entries = sys.fs().list(real).unwrap_or_default();
        let name = |entry: &naru_shell::DirEntry| {
            let slash = if entry.stat.is_dir() { "/" } else { "" };
            format!("{}{slash}", entry.name)
        };
        let body = match self.words {
            Words::Go => {
                let links = entries.iter().map(name);
                let links = links.map(|name| format!("<a href=\"{name}\">{name}</a>\n"));
                format!("<pre>\n{}</pre>\n", links.collect::<String>())
            }
            Words::Python => {
                let links = entries.iter().map(name);
                let links = links.map(|name| format!("<li><a href=\"{name}\">{name}</a></li>\n"));
                format!(
                    "<!DOCTYPE HTML>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<style \
                     type=\"text/css\">\n:root {{\ncolor-scheme: light dark;\n}}\n</style>\n\
                     <title>Directory listing for {path}</title>\n</head>\n<body>\n<h1>Directory listing \
                     for {path}</h1>\n<hr>\n<ul>\n{}</ul>\n<hr>\n</body>\n</html>\n",
                    links.collect::<String>()
                )
            }
        };
        Response::new(200, body).with("Content-Type", "text/html; charset=utf-8")
    }

    fn log(&self, sys: &mut dyn Sys, incoming: &Incoming, response: &Response) {
        if self.words == Words::Go {
            return;
        }
        let (request, client) = (&incoming.request, incoming.peer.ip());
        let time = clock::format(sys.now(), clock::WERKZEUG);
        let said = format!("{} {} {}", request.method, request.target, request.version);
        let mut lines = String::new();
        if response.status == 404 {
            lines.push_str(&format!("{client} - - [{time}] code 404, message File not found\n"));
        }
        lines.push_str(&format!("{client} - - [{time}] \"{said}\" {} -\n", response.status));
        let _ = sys.write(2, lines.as_bytes());
    }
}

impl Program for FilesServer {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if !self.started
            && let Err(step) = self.start(sys)
        {
            return step;
        }
        if let Some(signal) = sys.take_signal() {
            if signal == Signal::Int {
                let _ = sys.write(1, b"\nKeyboard interrupt received, exiting.\n");
                return Step::Exit(0);
            }
            return Step::Exit(143);
        }
        loop {
            let now = sys.now();
            let Some(net) = sys.net() else { return Step::Exit(1) };
            let requests = self.server.poll(net, now);
            for incoming in &requests {
                sys.burn(std::time::Duration::from_micros(300));
                let mut response = self.answer(sys, incoming);
                if self.words == Words::Python {
                    let version = sys.env().get("PYTHON_VERSION").cloned();
                    let version = version.unwrap_or_else(|| "3.13.3".to_owned());
                    let server = format!("SimpleHTTP/0.6 Python/{version}");
                    response.headers.set("Server", server);
                }
                response.headers.set("Date", clock::format(now, clock::HTTP_DATE));
                self.log(sys, incoming, &response);
                self.server.respond(incoming, &response);
            }
            if let Some(net) = sys.net() {
                self.server.flush(net);
            }
            if requests.is_empty() {
                return Step::Block { until: None };
            }
        }
    }
}
