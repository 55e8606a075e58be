//! `curl`, in the words of curl 7.88.1.

mod cookies;
mod meter;
mod options;
mod tls;

use super::connect::{Attempt, Connecting};
use super::resolver::Resolver;
use super::url::Url;
use super::{Progress, earlier};
use crate::programs::base64;
use crate::programs::tool::{Out, finish};
use crate::serve::Stream;
use crate::{Errno, Fd, OpenMode, Program, SocketId, Step, Sys};
use cookies::{Jar, Place};
use meter::Figures;
use naru_network::dns::RecordType;
use naru_network::http::{HttpError, Request, Response, ResponseReader};
use naru_sim::Time;
use options::Options;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

const VERSION: &str = "7.88.1";
/// Redirections followed, unless `--max-redirs` says otherwise.
const REDIRECTS_MAX: usize = 50;
/// What is said of a URL that names no file, where one is asked for.
const NO_NAME: &str = "Remote file name has no length!";
/// Most bytes of a request's body.
const BODY_BYTES_MAX: usize = 8 << 20;

/// Why a transfer failed: curl's exit code and message.
#[derive(Clone, Debug)]
struct Failure {
    code: i32,
    message: String,
}

fn failure<T>(code: i32, message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure { code, message: message.into() })
}

/// How far one transfer is.
#[derive(Clone, Debug)]
enum Stage {
    Resolve(Resolver),
    Connect(Connecting),
    Secure(Stream),
    Exchange { stream: Stream, reader: ResponseReader, unsent: Vec<u8>, got_any: bool },
}

/// One URL being fetched.
#[derive(Clone, Debug)]
struct Transfer {
    url: Url,
    stage: Stage,
    method: String,
    body: Vec<u8>,
    started: Time,
    /// Of this attempt to connect.
    connecting_since: Time,
    looked_up: Time,
    connected: Time,
    /// When the handshake of TLS was over; the start if there is none.
    secured: Time,
    first_byte: Time,
    redirects: usize,
    peer: Option<SocketAddr>,
    local: Option<SocketAddr>,
    response: Option<Response>,
    /// Bytes of the body already given out.
    shown: usize,
    head_shown: bool,
    output: Option<Fd>,
    number: usize,
    retries_left: usize,
}

/// The program.
#[derive(Clone, Debug, Default)]
pub struct Curl {
    out: Out,
    options: Options,
    urls: VecDeque<String>,
    /// With `-b FILE` or `-c`.
    jar: Option<Jar>,
    transfer: Option<Box<Transfer>>,
    meter: bool,
    meter_at: Option<Time>,
    /// Until when a retry is put off.
    paused_until: Option<Time>,
    started: bool,
    number: usize,
    code: i32,
    done: bool,
}

impl Curl {
    /// Looks at the arguments; gives the exit code if that is all.
    fn start(&mut self, sys: &mut dyn Sys) -> Option<i32> {
        let args: Vec<String> = sys.args().iter().skip(1).cloned().collect();
        let hint = "curl: try 'curl --help' or 'curl --manual' for more information";
        match options::parse(&args) {
            Ok(options) => self.options = options,
            Err(message) => {
                self.out.error(format!("curl: {message}\n{hint}"));
                return Some(2);
            }
        }
        if self.options.version {
            self.out.line(format!("curl {VERSION} (x86_64-pc-linux-gnu) libcurl/{VERSION}"));
            self.out.line("Protocols: http https");
            return Some(0);
        }
        if self.options.help {
            self.out.line("Usage: curl [options...] <url>");
            return Some(0);
        }
        if self.options.urls.is_empty() {
            self.out.error(hint);
            return Some(2);
        }
        if let Err(failed) = self.read_data(sys) {
            self.report(&failed);
            return Some(failed.code);
        }
        self.urls = self.options.urls.clone().into();
        self.read_cookies(sys);
        None
    }

    fn read_cookies(&mut self, sys: &mut dyn Sys) {
        let files = self.options.cookie_files.clone();
        if files.is_empty() && self.options.cookie_jar.is_none() {
            return;
        }
        let (mut jar, now) = (Jar::default(), unix_seconds(sys));
        for file in files.iter().filter(|file| !file.is_empty()) {
            let path = sys.absolute(file);
            match sys.fs().read(&path) {
                Ok(bytes) => jar.read(&String::from_utf8_lossy(&bytes), now),
                Err(_) => self.note(format!("WARNING: failed to open cookie file \"{file}\"")),
            }
        }
        self.jar = Some(jar);
    }

    /// `-c`
    fn write_cookies(&mut self, sys: &mut dyn Sys) {
        let (Some(jar), Some(name)) = (&self.jar, self.options.cookie_jar.clone()) else { return };
        let text = jar.file(unix_seconds(sys));
        if name == "-" {
            return self.out.put(text);
        }
        match sys.open(&name, OpenMode::Write) {
            Ok(fd) => {
                self.out.put_to(fd, text);
                self.out.flush(sys);
                sys.close(fd);
            }
            Err(_) => self.note(format!(
                "WARNING: failed to save cookies in {name}: failed writing received data to \
                 disk/application"
            )),
        }
    }

    /// What an answer's headers set, and what `-v` shows of them.
    fn take_head(&mut self, sys: &dyn Sys, transfer: &Transfer, head: &[u8]) {
        let host = self.cookie_host(transfer);
        for line in String::from_utf8_lossy(head).lines() {
            let cookie =
                line.split_once(':').filter(|(it, _)| it.eq_ignore_ascii_case("set-cookie"));
            if let (Some(jar), Some((_, header))) = (&mut self.jar, cookie) {
                let said = jar.set(header, place(&host, transfer), unix_seconds(sys));
                said.into_iter().for_each(|said| self.note(said));
            }
            if self.options.verbose {
                self.out.error(format!("< {line}"));
            }
        }
    }

    /// A header `Host` counts for cookies too.
    fn cookie_host(&self, transfer: &Transfer) -> String {
        let mut headers = self.options.headers.iter().filter_map(|it| it.split_once(':'));
        let own = headers.find(|(name, _)| name.trim().eq_ignore_ascii_case("host"));
        let own = own.and_then(|(_, host)| host.trim().split(':').next());
        own.unwrap_or(&transfer.url.host).to_string()
    }

    fn cookies(&self, sys: &dyn Sys, transfer: &Transfer) -> String {
        let host = self.cookie_host(transfer);
        let kept = self.jar.as_ref().map(|jar| jar.sent(place(&host, transfer), unix_seconds(sys)));
        let said = self.options.cookies.join(";");
        let all = [kept.unwrap_or_default(), said];
        let all: Vec<&str> = all.iter().map(String::as_str).filter(|it| !it.is_empty()).collect();
        all.join("; ")
    }

    /// Joins what the `-d` options say.
    fn read_data(&mut self, sys: &mut dyn Sys) -> Result<(), Failure> {
        let mut all: Option<Vec<u8>> = None;
        for part in self.options.data_parts.clone() {
            let mut bytes = part.text.clone().into_bytes();
            if part.is_file {
                let path = sys.absolute(&part.text);
                let read = if part.text == "-" {
                    sys.read(0, BODY_BYTES_MAX).or_else(|_| Ok(Vec::new()))
                } else {
                    sys.fs().read(&path).map(|bytes| bytes.to_vec())
                };
                bytes = match read {
                    Ok(bytes) => bytes,
                    Err(_) => {
                        let message = format!("Failed to open {}", part.text);
                        return failure(26, message);
                    }
                };
                if !part.binary {
                    bytes.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
                }
            }
            if part.encode {
                bytes = encode(&bytes);
            }
            match &mut all {
                Some(all) => {
                    if !self.options.json {
                        all.push(b'&');
                    }
                    all.extend(bytes);
                }
                None => all = Some(bytes),
            }
        }
        self.options.data = all;
        Ok(())
    }

    /// Prints why a transfer failed.
    fn report(&mut self, failed: &Failure) {
        if !self.options.silent || self.options.show_error {
            match failed.message.as_str() {
                NO_NAME => self.out.error(format!("curl: {NO_NAME}")),
                message => self.out.error(format!("curl: ({}) {message}", failed.code)),
            }
            if failed.code == 60 {
                self.out.error(tls::MORE_DETAILS);
            }
        }
    }

    fn note(&mut self, text: impl AsRef<str>) {
        if self.options.verbose {
            self.out.error(format!("* {}", text.as_ref()));
        }
    }

    // ---- one URL after the other ----

    fn next_transfer(&mut self, sys: &mut dyn Sys) -> Result<(), Failure> {
        let Some(text) = self.urls.pop_front() else {
            self.write_cookies(sys);
            self.done = true;
            return Ok(());
        };
        let number = self.number;
        self.number += 1;
        let Some(mut url) = Url::parse(&text) else {
            return failure(3, "URL using bad/illegal format or missing URL");
        };
        self.check_scheme(&url)?;
        if let Some(entry) = self.options.resolves.iter().find(|entry| entry.split(':').count() < 3)
        {
            return failure(49, format!("Couldn't parse CURLOPT_RESOLVE entry '{entry}'"));
        }
        let mut body = self.options.data.clone().unwrap_or_default();
        if self.options.get && !body.is_empty() {
            let mark = if url.target.contains('?') { '&' } else { '?' };
            let query = String::from_utf8_lossy(&body).into_owned();
            url.target.push(mark);
            url.target.push_str(&query);
            body.clear();
        }
        let posts = self.options.data.is_some() && !self.options.get;
        let method = self.options.method.clone().unwrap_or_else(|| {
            let usual = match (self.options.head, posts) {
                (true, _) => "HEAD",
                (_, true) => "POST",
                _ => "GET",
            };
            usual.to_string()
        });
        let output = self.open_output(sys, &url, number)?;
        self.meter = !self.options.silent && (output.is_some() || !sys.is_tty(1));
        if self.meter {
            self.out.put_error(meter::TITLE);
            self.out.put_error(meter::line(Figures::default()));
            self.meter_at = Some(sys.now() + Duration::from_secs(1));
        }
        let now = sys.now();
        let stage = self.look_up(&url);
        self.transfer = Some(Box::new(Transfer {
            url,
            stage,
            method,
            body,
            started: now,
            connecting_since: now,
            looked_up: now,
            connected: now,
            secured: now,
            first_byte: now,
            redirects: 0,
            peer: None,
            local: None,
            response: None,
            shown: 0,
            head_shown: false,
            output,
            number,
            retries_left: self.options.retries,
        }));
        Ok(())
    }

    fn check_scheme(&self, url: &Url) -> Result<(), Failure> {
        if matches!(url.scheme.as_str(), "http" | "https") {
            return Ok(());
        }
        let scheme = &url.scheme;
        failure(1, format!("Protocol \"{scheme}\" not supported or disabled in libcurl"))
    }

    fn open_output(
        &mut self,
        sys: &mut dyn Sys,
        url: &Url,
        number: usize,
    ) -> Result<Option<Fd>, Failure> {
        let name = match self.options.outputs.get(number) {
            Some(name) if name == "-" => return Ok(None),
            Some(name) => name.clone(),
            None if self.options.remote_names => {
                if url.file_name().is_empty() {
                    // Without the code.
                    return failure(23, NO_NAME);
                }
                url.file_name().to_string()
            }
            None => return Ok(None),
        };
        match sys.open(&name, OpenMode::Write) {
            Ok(fd) => Ok(Some(fd)),
            Err(errno) => {
                if !self.options.silent {
                    self.out.error(format!("Warning: Failed to open the file {name}: {errno}"));
                }
                failure(23, "Failure writing output to destination")
            }
        }
    }

    /// The beginning of a transfer: a resolver, or the address that `--resolve` says.
    fn look_up(&self, url: &Url) -> Stage {
        let port = url.port_or_default();
        let said = self.options.resolves.iter().find_map(|entry| {
            let entry = entry.trim_start_matches('+');
            let address = entry.strip_prefix(&format!("{}:{port}:", url.host))?;
            let addresses: Vec<IpAddr> =
                address.split(',').filter_map(|text| text.parse().ok()).collect();
            (!addresses.is_empty()).then_some(addresses)
        });
        if let Some(addresses) = said {
            return Stage::Connect(Connecting::new(addresses, port));
        }
        let kinds: &[RecordType] = match (self.options.only_v4, self.options.only_v6) {
            (true, _) => &[RecordType::A],
            (_, true) => &[RecordType::Aaaa],
            _ => &[RecordType::A, RecordType::Aaaa],
        };
        Stage::Resolve(Resolver::new(&url.host, kinds))
    }

    // ---- one transfer ----

    /// Goes on with the transfer; `None` when it has ended well.
    fn advance(
        &mut self,
        sys: &mut dyn Sys,
        transfer: &mut Transfer,
    ) -> Result<Option<Option<Time>>, Failure> {
        loop {
            self.check_time(sys, transfer)?;
            match &mut transfer.stage {
                Stage::Resolve(resolver) => match resolver.poll(sys) {
                    Progress::Waits(until) => return Ok(Some(until)),
                    Progress::Done(Err(_)) => {
                        let host = &transfer.url.host;
                        let message = format!("Could not resolve host: {host}");
                        self.note(&message);
                        self.note(format!("Closing connection {}", transfer.number));
                        return failure(6, message);
                    }
                    Progress::Done(Ok(addresses)) => {
                        transfer.looked_up = sys.now();
                        transfer.connecting_since = sys.now();
                        let port = transfer.url.port_or_default();
                        transfer.stage = Stage::Connect(Connecting::new(addresses, port));
                    }
                },
                Stage::Connect(connecting) => {
                    let progress = connecting.poll(sys);
                    for news in connecting.take_news() {
                        match news {
                            Attempt::Trying(to) => self.note(format!("  Trying {to}...")),
                            Attempt::Failed(to, errno) => self.note(format!(
                                "connect to {} port {} failed: {errno}",
                                to.ip(),
                                to.port()
                            )),
                        }
                    }
                    match progress {
                        Progress::Waits(until) => return Ok(Some(until)),
                        Progress::Done(Err(_)) => return self.not_connected(sys, transfer),
                        Progress::Done(Ok((socket, to))) => {
                            self.connected(sys, transfer, socket, to)?;
                        }
                    }
                }
                Stage::Secure(stream) => {
                    let now = sys.now();
                    let Some(net) = sys.net() else { return failure(7, "Network is unreachable") };
                    match stream.established(net, now) {
                        Err(Errno::Again) => return Ok(Some(None)),
                        secured => {
                            let stream = stream.clone();
                            let Some(tls) = stream.tls() else { continue };
                            if secured.is_err() {
                                return Err(self.not_secured(tls, transfer));
                            }
                            transfer.secured = sys.now();
                            self.note_handshake(tls, transfer);
                            self.ask(sys, transfer, stream);
                        }
                    }
                }
                Stage::Exchange { .. } => match self.exchange(sys, transfer)? {
                    Progress::Waits(until) => return Ok(Some(until)),
                    Progress::Done(true) => {}
                    Progress::Done(false) => return Ok(None),
                },
            }
        }
    }

    fn not_connected<T>(&mut self, sys: &dyn Sys, transfer: &Transfer) -> Result<T, Failure> {
        let elapsed = sys.now().since(transfer.connecting_since).as_millis();
        let (host, port) = (&transfer.url.host, transfer.url.port_or_default());
        let message = format!(
            "Failed to connect to {host} port {port} after {elapsed} ms: Couldn't connect to server"
        );
        self.note(&message);
        self.note(format!("Closing connection {}", transfer.number));
        failure(7, message)
    }

    /// `-m` and `--connect-timeout`.
    fn check_time(&mut self, sys: &dyn Sys, transfer: &Transfer) -> Result<(), Failure> {
        let now = sys.now();
        let elapsed = now.since(transfer.started);
        let over = |limit: Option<Duration>| limit.is_some_and(|limit| elapsed >= limit);
        let connecting = !matches!(transfer.stage, Stage::Exchange { .. });
        if !(over(self.options.max_time) || (connecting && over(self.options.connect_timeout))) {
            return Ok(());
        }
        let millis = elapsed.as_millis();
        let message = match transfer.stage {
            Stage::Resolve(_) => format!("Resolving timed out after {millis} milliseconds"),
            Stage::Secure(_) => "SSL connection timeout".to_string(),
            Stage::Connect(_) => format!("Connection timed out after {millis} milliseconds"),
            Stage::Exchange { .. } => {
                let received = transfer.shown;
                let expected = transfer.response.as_ref().and_then(expected_bytes);
                let whole = expected.map(|whole| format!(" out of {whole}")).unwrap_or_default();
                format!(
                    "Operation timed out after {millis} milliseconds with {received}{whole} bytes received"
                )
            }
        };
        self.note(&message);
        self.note(format!("Closing connection {}", transfer.number));
        failure(28, message)
    }

    /// When a limit will be reached.
    fn deadline(&self, transfer: &Transfer) -> Option<Time> {
        let connecting = !matches!(transfer.stage, Stage::Exchange { .. });
        let connect = self.options.connect_timeout.filter(|_| connecting);
        let limits = [self.options.max_time, connect];
        let moments = limits.into_iter().flatten().map(|limit| transfer.started + limit);
        earlier(moments.min(), self.meter_at)
    }

    fn connected(
        &mut self,
        sys: &mut dyn Sys,
        transfer: &mut Transfer,
        socket: SocketId,
        to: SocketAddr,
    ) -> Result<(), Failure> {
        transfer.connected = sys.now();
        transfer.peer = Some(to);
        transfer.local = sys.net().and_then(|net| net.local_addr(socket).ok());
        let (host, ip, port) = (&transfer.url.host, to.ip(), to.port());
        self.note(format!("Connected to {host} ({ip}) port {port} (#{})", transfer.number));
        if transfer.url.scheme == "https" {
            let stream = self.secure(sys, transfer, socket)?;
            transfer.stage = Stage::Secure(stream);
        } else {
            self.ask(sys, transfer, Stream::plain(socket));
        }
        Ok(())
    }

    /// Begins to send the request.
    fn ask(&mut self, sys: &dyn Sys, transfer: &mut Transfer, stream: Stream) {
        let request = self.request(sys, transfer);
        let unsent = request.to_bytes();
        if self.options.verbose {
            if self.user(transfer).is_some() {
                let user = self.user(transfer).unwrap_or_default();
                let name = user.split(':').next().unwrap_or_default().to_string();
                self.note(format!("Server auth using Basic with user '{name}'"));
            }
            let head = unsent.get(..unsent.len() - request.body.len()).unwrap_or_default();
            for line in String::from_utf8_lossy(head).lines() {
                self.out.error(format!("> {line}"));
            }
            if !request.body.is_empty() {
                self.out.error(format!("}} [{} bytes data]", request.body.len()));
            }
        }
        let reader = ResponseReader::new(&transfer.method);
        transfer.stage = Stage::Exchange { stream, reader, unsent, got_any: false };
    }

    fn user(&self, transfer: &Transfer) -> Option<String> {
        let in_url = Some(transfer.url.user.clone()).filter(|user| !user.is_empty());
        self.options.user.clone().or(in_url)
    }

    fn request(&self, sys: &dyn Sys, transfer: &Transfer) -> Request {
        let mut request = Request::new(&transfer.method, &transfer.url.target);
        let headers = &mut request.headers;
        headers.add("Host", transfer.url.authority());
        if let Some(user) = self.user(transfer) {
            headers.add("Authorization", format!("Basic {}", base64::encode(user.as_bytes())));
        }
        let agent = self.options.agent.clone().unwrap_or_else(|| format!("curl/{VERSION}"));
        headers.add("User-Agent", agent);
        headers.add("Accept", if self.options.json { "application/json" } else { "*/*" });
        let cookies = self.cookies(sys, transfer);
        if !cookies.is_empty() {
            headers.add("Cookie", cookies);
        }
        let posts = self.options.data.is_some() && !self.options.get;
        if posts && transfer.method != "GET" {
            headers.add("Content-Length", transfer.body.len().to_string());
            let kind = if self.options.json {
                "application/json"
            } else {
                "application/x-www-form-urlencoded"
            };
            headers.add("Content-Type", kind);
            request.body = transfer.body.clone();
        }
        for header in &self.options.headers {
            // `Name:` takes the header away, `Name;` sends it empty.
            match header.split_once(':') {
                Some((name, value)) if value.trim().is_empty() => {
                    request.headers.remove(name.trim())
                }
                Some((name, value)) => {
                    let name = name.trim();
                    if request.headers.get(name).is_some() && !name.eq_ignore_ascii_case("cookie") {
                        request.headers.set(name, value.trim());
                    } else {
                        request.headers.add(name, value.trim());
                    }
                }
                None => {
                    if let Some(name) = header.strip_suffix(';') {
                        request.headers.set(name, "");
                    }
                }
            }
        }
        request
    }

    /// Sends and receives. `Done(true)`: goes on elsewhere; `Done(false)`: it has ended.
    fn exchange(
        &mut self,
        sys: &mut dyn Sys,
        transfer: &mut Transfer,
    ) -> Result<Progress<bool>, Failure> {
        let Stage::Exchange { stream, reader, unsent, got_any } = &mut transfer.stage else {
            return Ok(Progress::Done(true));
        };
        let now = sys.now();
        let Some(net) = sys.net() else { return failure(7, "Network is unreachable") };
        while !unsent.is_empty() {
            match stream.send(net, unsent) {
                Ok(taken) => drop(unsent.drain(..taken.min(unsent.len()))),
                Err(Errno::Again) => break,
                Err(errno) => {
                    return failure(55, format!("Send failure: {errno}"));
                }
            }
        }
        let mut ended = false;
        match stream.recv(net, now, 1 << 16) {
            Ok(bytes) if bytes.is_empty() => {
                ended = true;
                reader.close();
            }
            Ok(bytes) => {
                if !*got_any {
                    transfer.first_byte = sys.now();
                    *got_any = true;
                }
                reader.push(&bytes);
            }
            Err(Errno::Again) => return Ok(Progress::Waits(None)),
            Err(errno) if *got_any || errno != Errno::ConnReset => {
                return failure(56, format!("Recv failure: {errno}"));
            }
            Err(errno) => {
                self.note(format!("Recv failure: {errno}"));
                self.note(format!("Closing connection {}", transfer.number));
                return failure(56, format!("Recv failure: {errno}"));
            }
        }
        let got_any = *got_any;
        let taken = reader.take();
        let partial = reader.partial().cloned();
        match taken {
            Ok(Some(response)) => {
                let close = ended || !response.keep_alive();
                self.show(sys, transfer, &response)?;
                transfer.response = Some(response);
                if let (Stage::Exchange { stream, .. }, Some(net)) =
                    (&mut transfer.stage, sys.net())
                {
                    stream.close(net);
                }
                if close {
                    self.note(format!("Closing connection {}", transfer.number));
                } else {
                    let (number, host) = (transfer.number, &transfer.url.host);
                    self.note(format!("Connection #{number} to host {host} left intact"));
                }
                self.redirect(transfer)
            }
            Ok(None) => {
                if let Some(partial) = partial {
                    self.show(sys, transfer, &partial)?;
                    transfer.response = Some(partial);
                }
                Ok(Progress::Done(true))
            }
            Err(HttpError::Truncated) if !got_any => {
                self.note("Empty reply from server");
                self.note(format!("Closing connection {}", transfer.number));
                failure(52, "Empty reply from server")
            }
            Err(HttpError::Truncated) if partial.is_none() => {
                failure(1, "Received HTTP/0.9 when not allowed")
            }
            Err(HttpError::Truncated) => {
                if let Some(partial) = partial {
                    self.show(sys, transfer, &partial)?;
                    transfer.response = Some(partial);
                }
                let expected = transfer.response.as_ref().and_then(expected_bytes);
                let missing = expected.unwrap_or(0).saturating_sub(transfer.shown as u64);
                let message = format!("transfer closed with {missing} bytes remaining to read");
                self.note(&message);
                self.note(format!("Closing connection {}", transfer.number));
                failure(18, message)
            }
            Err(HttpError::StartLine(_)) => failure(1, "Received HTTP/0.9 when not allowed"),
            Err(error) => failure(8, format!("Weird server reply: {error}")),
        }
    }

    /// Prints of the response what is new.
    fn show(
        &mut self,
        sys: &dyn Sys,
        transfer: &mut Transfer,
        response: &Response,
    ) -> Result<(), Failure> {
        if !transfer.head_shown {
            transfer.head_shown = true;
            let mut head = response.head_to_bytes();
            if response.headers.get("Content-Length").is_none() {
                // The bytes on the wire had none either.
                let lines = String::from_utf8_lossy(&head).into_owned();
                let kept: Vec<&str> = lines
                    .split_inclusive("\r\n")
                    .filter(|line| !line.to_ascii_lowercase().starts_with("content-length:"))
                    .collect();
                head = kept.concat().into_bytes();
            }
            self.take_head(sys, transfer, &head);
            if self.options.include || self.options.head {
                self.give(transfer, &head);
            }
            if self.options.fail && response.status >= 400 {
                self.note(format!("The requested URL returned error: {}", response.status));
                self.note(format!("Closing connection {}", transfer.number));
                transfer.response = Some(response.clone());
                let status = response.status;
                return failure(22, format!("The requested URL returned error: {status}"));
            }
        }
        if self.redirect_target(transfer, response).is_some() {
            return Ok(());
        }
        let new = response.body.get(transfer.shown..).unwrap_or_default();
        if !new.is_empty() {
            if self.options.verbose {
                self.out.error(format!("{{ [{} bytes data]", new.len()));
            }
            let new = new.to_vec();
            self.give(transfer, &new);
            transfer.shown = response.body.len();
        }
        Ok(())
    }

    fn give(&mut self, transfer: &Transfer, bytes: &[u8]) {
        self.out.put_to(transfer.output.unwrap_or(1), bytes);
    }

    fn redirect_target(&self, transfer: &Transfer, response: &Response) -> Option<Url> {
        if !self.options.follow || !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        transfer.url.join(response.headers.get("Location")?)
    }

    /// Follows `Location`, if it is to; otherwise the transfer has ended.
    fn redirect(&mut self, transfer: &mut Transfer) -> Result<Progress<bool>, Failure> {
        let target = transfer
            .response
            .as_ref()
            .and_then(|response| self.redirect_target(transfer, response));
        let Some(target) = target else { return Ok(Progress::Done(false)) };
        let most = self.options.redirects_max.unwrap_or(REDIRECTS_MAX);
        if transfer.redirects >= most {
            return failure(47, format!("Maximum ({most}) redirects followed"));
        }
        self.note(format!("Issue another request to this URL: '{}'", target.text()));
        self.check_scheme(&target)?;
        let status = transfer.response.as_ref().map_or(0, |response| response.status);
        if transfer.method == "POST" && matches!(status, 301..=303) && self.options.method.is_none()
        {
            transfer.method = "GET".to_string();
            transfer.body.clear();
        }
        transfer.redirects += 1;
        transfer.url = target;
        transfer.stage = self.look_up(&transfer.url);
        transfer.response = None;
        transfer.head_shown = false;
        transfer.shown = 0;
        transfer.number += 1;
        Ok(Progress::Done(true))
    }

    // ---- ends ----

    /// Whether the transfer is tried again later.
    fn retry(&mut self, sys: &dyn Sys, transfer: &mut Transfer, failed: &Failure) -> bool {
        let status = transfer.response.as_ref().map_or(0, |response| response.status);
        let transient = matches!(failed.code, 28)
            || (failed.code == 7 && self.options.retry_refused)
            || (failed.code == 22 && matches!(status, 408 | 429 | 500 | 502 | 503 | 504));
        if transfer.retries_left == 0 || !transient {
            return false;
        }
        let made = self.options.retries.saturating_sub(transfer.retries_left).min(9);
        let wait = self.options.retry_delay.unwrap_or(Duration::from_secs(1 << made));
        if !self.options.silent {
            let problem = match failed.code {
                7 => "connection refused",
                22 => "HTTP error",
                _ => "timeout",
            };
            let (seconds, left) = (wait.as_secs(), transfer.retries_left);
            self.out.error(format!(
                "Warning: Problem: {problem}. Will retry in {seconds} second{}. {left} retr{} left.",
                if seconds == 1 { "" } else { "s" },
                if left == 1 { "y" } else { "ies" },
            ));
        }
        transfer.retries_left -= 1;
        self.paused_until = Some(sys.now() + wait);
        transfer.stage = self.look_up(&transfer.url);
        transfer.response = None;
        transfer.head_shown = false;
        transfer.shown = 0;
        transfer.started = sys.now() + wait;
        transfer.connecting_since = transfer.started;
        true
    }

    fn figures(&self, sys: &dyn Sys, transfer: &Transfer) -> Figures {
        Figures {
            received: transfer.shown as u64,
            expected: transfer.response.as_ref().and_then(expected_bytes),
            sent: transfer.body.len() as u64,
            elapsed: sys.now().since(transfer.started),
        }
    }

    fn end(&mut self, sys: &mut dyn Sys, transfer: &mut Transfer, result: Result<(), Failure>) {
        if let Stage::Exchange { stream, .. } | Stage::Secure(stream) = &mut transfer.stage
            && let Some(net) = sys.net()
        {
            stream.close(net);
        }
        if self.meter {
            let figures = self.figures(sys, transfer);
            let line = meter::line(figures);
            // Where nothing was connected, nothing is added to the first figures.
            let connected = transfer.peer.is_some();
            if connected {
                self.out.put_error(format!("{line}\n"));
            } else if !matches!(&result, Err(failed) if failed.code == 6) {
                self.out.put_error(format!(
                    "{}\n",
                    meter::line(Figures { elapsed: figures.elapsed, ..Figures::default() })
                ));
            }
        }
        self.meter_at = None;
        self.code = match &result {
            Ok(()) => 0,
            Err(failed) => failed.code,
        };
        if let Err(failed) = &result {
            self.report(failed);
        }
        let format = self.options.write_out.clone();
        if !format.is_empty() {
            let text = write_out(&format, sys, transfer, &result);
            self.out.put(text);
        }
        if let Some(fd) = transfer.output {
            self.out.flush(sys);
            sys.close(fd);
        }
    }

    fn tick_meter(&mut self, sys: &dyn Sys, transfer: &Transfer) {
        if let Some(at) = self.meter_at
            && sys.now() >= at
        {
            let line = meter::line(self.figures(sys, transfer));
            self.out.put_error(line);
            self.meter_at = Some(sys.now() + Duration::from_secs(1));
        }
    }
}

fn unix_seconds(sys: &dyn Sys) -> i64 {
    sys.now().unix_micros() / 1_000_000
}

fn place<'a>(host: &'a str, transfer: &'a Transfer) -> Place<'a> {
    let path = transfer.url.target.split('?').next().unwrap_or_default();
    let local = matches!(host, "localhost" | "127.0.0.1" | "::1");
    Place { host, path, secure: transfer.url.scheme == "https" || local }
}

fn expected_bytes(response: &Response) -> Option<u64> {
    response.headers.get("Content-Length")?.trim().parse().ok()
}

/// `--data-urlencode`
fn encode(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let (name, content) = match text.split_once('=') {
        Some((name, content)) if !name.is_empty() => (format!("{name}="), content.to_string()),
        Some((_, content)) => (String::new(), content.to_string()),
        None => (String::new(), text),
    };
    let mut result = name.into_bytes();
    for byte in content.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            result.push(byte);
        } else {
            result.extend(format!("%{byte:02X}").bytes());
        }
    }
    result
}

/// `-w`
fn write_out(
    format: &str,
    sys: &dyn Sys,
    transfer: &Transfer,
    result: &Result<(), Failure>,
) -> String {
    let mut text = String::new();
    let mut rest = format;
    let seconds = |at: Time| format!("{:.6}", at.since(transfer.started).as_secs_f64());
    let response = transfer.response.as_ref();
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '\\' => {
                let escape = rest.chars().next();
                rest = rest.get(escape.map_or(0, char::len_utf8)..).unwrap_or_default();
                match escape {
                    Some('n') => text.push('\n'),
                    Some('r') => text.push('\r'),
                    Some('t') => text.push('\t'),
                    Some(other) => text.extend(['\\', other]),
                    None => text.push('\\'),
                }
            }
            '%' if rest.starts_with('%') => {
                rest = rest.get(1..).unwrap_or_default();
                text.push('%');
            }
            '%' if rest.starts_with('{') => {
                let Some((name, after)) = rest.get(1..).unwrap_or_default().split_once('}') else {
                    text.push('%');
                    continue;
                };
                rest = after;
                let peer = |part: fn(SocketAddr) -> String| transfer.peer.map(part);
                let value = match name {
                    "http_code" | "response_code" => {
                        format!("{:03}", response.map_or(0, |response| response.status))
                    }
                    "size_download" => transfer.shown.to_string(),
                    "size_upload" => transfer.body.len().to_string(),
                    "remote_ip" => peer(|to| to.ip().to_string()).unwrap_or_default(),
                    "remote_port" => peer(|to| to.port().to_string()).unwrap_or("0".into()),
                    "local_ip" => transfer.local.map(|at| at.ip().to_string()).unwrap_or_default(),
                    "local_port" => {
                        transfer.local.map_or("0".to_string(), |at| at.port().to_string())
                    }
                    "time_total" => seconds(sys.now()),
                    "time_namelookup" => seconds(transfer.looked_up),
                    "time_connect" => seconds(transfer.connected),
                    "time_appconnect" => seconds(transfer.secured),
                    "ssl_verify_result" => match (&transfer.stage, result) {
                        (_, Err(failed)) if failed.code == 60 => "1".to_string(),
                        _ => "0".to_string(),
                    },
                    "time_starttransfer" => seconds(transfer.first_byte),
                    "url_effective" | "url" => transfer.url.text(),
                    "method" => transfer.method.clone(),
                    "num_redirects" => transfer.redirects.to_string(),
                    "num_connects" => usize::from(transfer.peer.is_some()).to_string(),
                    "scheme" => transfer.url.scheme.to_ascii_uppercase(),
                    "http_version" => "1.1".to_string(),
                    "content_type" => response
                        .and_then(|response| response.headers.get("Content-Type"))
                        .unwrap_or_default()
                        .to_string(),
                    "redirect_url" => response
                        .and_then(|response| response.headers.get("Location"))
                        .and_then(|location| transfer.url.join(location))
                        .map(|url| url.text())
                        .unwrap_or_default(),
                    "exitcode" => result.as_ref().err().map_or(0, |failed| failed.code).to_string(),
                    "errormsg" => {
                        result.as_ref().err().map(|f| f.message.clone()).unwrap_or_default()
                    }
                    _ => String::new(),
                };
                text.push_str(&value);
            }
            c => text.push(c),
        }
    }
    text
}

impl Program for Curl {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if !self.started {
            self.started = true;
            if let Some(code) = self.start(sys) {
                self.code = code;
                self.done = true;
            }
        }
        loop {
            if !self.out.flush(sys) {
                return Step::Block { until: None };
            }
            if self.done {
                return finish(&mut self.out, sys, self.code);
            }
            if let Some(until) = self.paused_until {
                if sys.now() < until {
                    return Step::Block { until: Some(until) };
                }
                self.paused_until = None;
            }
            let Some(mut transfer) = self.transfer.take() else {
                if let Err(failed) = self.next_transfer(sys) {
                    self.code = failed.code;
                    self.report(&failed);
                }
                continue;
            };
            self.tick_meter(sys, &transfer);
            match self.advance(sys, &mut transfer) {
                Ok(Some(until)) => {
                    let until = earlier(until, self.deadline(&transfer));
                    self.transfer = Some(transfer);
                    if !self.out.flush(sys) {
                        return Step::Block { until: None };
                    }
                    return Step::Block { until };
                }
                Ok(None) => self.end(sys, &mut transfer, Ok(())),
                Err(failed) => {
                    if self.retry(sys, &mut transfer, &failed) {
                        self.transfer = Some(transfer);
                        continue;
                    }
                    self.end(sys, &mut transfer, Err(failed));
                }
            }
        }
    }
}
