//! `wget`, in the words of Busybox.

use super::connect::{Attempt, Connecting};
use super::resolver::Resolver;
use super::url::Url;
use super::{Progress, earlier};
use crate::programs::tool::{Out, finish, parse_options};
use crate::serve::Stream;
use crate::{Errno, Fd, OpenMode, Program, SocketId, Step, Sys};
use naru_network::dns::RecordType;
use naru_network::http::{Request, Response, ResponseReader};
use naru_pki::tls::{ClientConfig, Trust};
use naru_sim::Time;
use std::time::Duration;

/// Redirections followed.
const REDIRECTS_MAX: usize = 20;
/// How long it waits for the network, unless `-T` says otherwise.
const TIMEOUT: Duration = Duration::from_secs(900);

#[derive(Clone, Debug)]
enum Stage {
    Resolve(Resolver),
    Connect(Connecting),
    Exchange { stream: Stream, reader: ResponseReader, unsent: Vec<u8> },
}

#[derive(Clone, Debug)]
struct Settings {
    quiet: bool,
    output: Option<String>,
    server_headers: bool,
    spider: bool,
    timeout: Duration,
    headers: Vec<String>,
    agent: String,
    post: Option<String>,
}

/// `wget [-q] [-O file] [-S] [-T seconds] [--spider] [--header h] [--post-data d] URL`
#[derive(Clone, Debug, Default)]
pub struct Wget {
    out: Out,
    settings: Option<Settings>,
    url: Option<Url>,
    stage: Option<Stage>,
    deadline: Option<Time>,
    redirects: usize,
    code: Option<i32>,
}

const LONG: [(&str, char); 10] = [
    ("quiet", 'q'),
    ("output-document", 'O'),
    ("server-response", 'S'),
    ("timeout", 'T'),
    ("user-agent", 'U'),
    ("spider", 's'),
    ("header", 'h'),
    ("post-data", 'p'),
    ("tries", 't'),
    ("no-check-certificate", 'k'),
];

impl Wget {
    fn start(&mut self, sys: &mut dyn Sys) -> Result<(), String> {
        self.out.speak(sys);
        let args: Vec<String> = sys.args().iter().skip(1).cloned().collect();
        let options = parse_options(&args, "qO:ST:U:sh:p:t:kcY:P:", &LONG)
            .map_err(|message| message.replace("invalid option -- ", "unrecognized option: "))?;
        let Some(url) = options.operands.first() else {
            return Err("missing URL".to_string());
        };
        let url = match Url::parse(url) {
            Some(url) if matches!(url.scheme.as_str(), "http" | "https") => url,
            _ => return Err(format!("not an http or ftp url: {url}")),
        };
        let timeout = options.value('T').and_then(|text| text.parse().ok());
        self.settings = Some(Settings {
            quiet: options.has('q'),
            output: options.value('O').map(str::to_string),
            server_headers: options.has('S'),
            spider: options.has('s'),
            timeout: timeout.map_or(TIMEOUT, Duration::from_secs),
            headers: options.values('h').map(str::to_string).collect(),
            agent: options.value('U').unwrap_or("Wget").to_string(),
            post: options.value('p').map(str::to_string),
        });
        self.go_to(url);
        Ok(())
    }

    fn go_to(&mut self, url: Url) {
        let resolver = Resolver::new(&url.host, &[RecordType::A, RecordType::Aaaa]);
        self.url = Some(url);
        self.stage = Some(Stage::Resolve(resolver));
    }

    /// Goes on. `Err` is the message.
    fn advance(&mut self, sys: &mut dyn Sys, settings: &Settings) -> Result<Progress<()>, String> {
        loop {
            let (Some(stage), Some(url)) = (self.stage.take(), self.url.clone()) else {
                return Ok(Progress::Done(()));
            };
            match stage {
                Stage::Resolve(mut resolver) => match resolver.poll(sys) {
                    Progress::Waits(until) => {
                        self.stage = Some(Stage::Resolve(resolver));
                        return Ok(Progress::Waits(until));
                    }
                    Progress::Done(Err(_)) => {
                        return Err(format!("bad address '{}'", url.authority()));
                    }
                    Progress::Done(Ok(addresses)) => {
                        let connecting = Connecting::new(addresses, url.port_or_default());
                        self.stage = Some(Stage::Connect(connecting));
                    }
                },
                Stage::Connect(mut connecting) => {
                    let progress = connecting.poll(sys);
                    let mut refused = None;
                    for news in connecting.take_news() {
                        match news {
                            Attempt::Trying(to) if !settings.quiet => {
                                self.out.error(format!("Connecting to {} ({to})", url.authority()));
                            }
                            Attempt::Trying(_) => {}
                            Attempt::Failed(to, errno) => refused = Some((to, errno)),
                        }
                    }
                    match progress {
                        Progress::Waits(until) => {
                            self.stage = Some(Stage::Connect(connecting));
                            return Ok(Progress::Waits(until));
                        }
                        Progress::Done(Err(errno)) => {
                            let address =
                                refused.map_or(url.host.clone(), |(to, _)| to.ip().to_string());
                            return Err(format!(
                                "can't connect to remote host ({address}): {errno}"
                            ));
                        }
                        Progress::Done(Ok((socket, _))) => {
                            let unsent = request(&url, settings).to_bytes();
                            let reader = ResponseReader::new("GET");
                            let stream = match url.scheme.as_str() {
                                "https" => self.secure(sys, &url, socket),
                                _ => Stream::plain(socket),
                            };
                            self.stage = Some(Stage::Exchange { stream, reader, unsent });
                        }
                    }
                }
                Stage::Exchange { mut stream, mut reader, mut unsent } => {
                    match exchange(sys, &mut stream, &mut reader, &mut unsent)? {
                        Progress::Waits(until) => {
                            self.stage = Some(Stage::Exchange { stream, reader, unsent });
                            return Ok(Progress::Waits(until));
                        }
                        Progress::Done(response) => {
                            if let Some(net) = sys.net() {
                                stream.close(net);
                            }
                            self.received(sys, settings, &url, &response)?;
                        }
                    }
                }
            }
        }
    }

    /// Busybox trusts everybody, and says so.
    fn secure(&mut self, sys: &mut dyn Sys, url: &Url, socket: SocketId) -> Stream {
        self.out.error("wget: note: TLS certificate validation not implemented");
        let config = ClientConfig {
            host: url.host.clone(),
            protocols: Vec::new(),
            trust: Trust::Anyone,
            identity: None,
        };
        Stream::client(socket, config, sys.rng())
    }

    fn received(
        &mut self,
        sys: &mut dyn Sys,
        settings: &Settings,
        url: &Url,
        response: &Response,
    ) -> Result<(), String> {
        if settings.server_headers {
            self.out
                .error(format!("  {} {} {}", response.version, response.status, response.reason));
            for (name, value) in response.headers.iter() {
                self.out.error(format!("  {name}: {value}"));
            }
        }
        if let (300..=399, Some(location)) = (response.status, response.headers.get("Location")) {
            self.redirects += 1;
            if self.redirects > REDIRECTS_MAX {
                return Err("too many redirections".to_string());
            }
            let target = url.join(location).ok_or(format!("not an http or ftp url: {location}"))?;
            self.go_to(target);
            return Ok(());
        }
        if !(200..300).contains(&response.status) {
            return Err(format!(
                "server returned error: {} {} {}",
                response.version, response.status, response.reason
            ));
        }
        if settings.spider {
            if !settings.quiet {
                self.out.error("remote file exists");
            }
            return Ok(());
        }
        self.save(sys, settings, url, response)
    }

    fn save(
        &mut self,
        sys: &mut dyn Sys,
        settings: &Settings,
        url: &Url,
        response: &Response,
    ) -> Result<(), String> {
        let guessed = Some(url.file_name()).filter(|name| !name.is_empty()).unwrap_or("index.html");
        let name = settings.output.clone().unwrap_or_else(|| guessed.to_string());
        if name == "-" {
            self.say(settings, "writing to stdout");
            self.out.put(&response.body);
            self.bar(settings, "-", response);
            self.say(settings, "written to stdout");
            return Ok(());
        }
        let mode = OpenMode::Write;
        if settings.output.is_none() && sys.open(&name, OpenMode::Read).is_ok() {
            return Err(format!("can't open '{name}': File exists"));
        }
        let fd: Fd =
            sys.open(&name, mode).map_err(|errno| format!("can't open '{name}': {errno}"))?;
        self.say(settings, &format!("saving to '{name}'"));
        let written = sys.write(fd, &response.body);
        sys.close(fd);
        written.map_err(|errno| format!("write error: {errno}"))?;
        self.bar(settings, &name, response);
        self.say(settings, &format!("'{name}' saved"));
        Ok(())
    }

    fn say(&mut self, settings: &Settings, text: &str) {
        if !settings.quiet {
            self.out.error(text);
        }
    }

    /// The finished progress bar.
    fn bar(&mut self, settings: &Settings, name: &str, response: &Response) {
        if settings.quiet {
            return;
        }
        let shown: String = name.chars().take(20).collect();
        let stars = "*".repeat(32);
        let size = response.body.len();
        self.out.put_error(format!("{shown:<20} 100% |{stars}| {size:>5}  0:00:00 ETA\n"));
    }
}

fn request(url: &Url, settings: &Settings) -> Request {
    let method = if settings.post.is_some() { "POST" } else { "GET" };
    let mut request = Request::new(method, &url.target);
    request.headers.add("Host", url.authority());
    request.headers.add("User-Agent", settings.agent.as_str());
    request.headers.add("Connection", "close");
    if let Some(data) = &settings.post {
        request.headers.add("Content-Type", "application/x-www-form-urlencoded");
        request.body = data.clone().into_bytes();
    }
    for header in &settings.headers {
        if let Some((name, value)) = header.split_once(':') {
            request.headers.set(name.trim(), value.trim());
        }
    }
    request
}

fn exchange(
    sys: &mut dyn Sys,
    stream: &mut Stream,
    reader: &mut ResponseReader,
    unsent: &mut Vec<u8>,
) -> Result<Progress<Response>, String> {
    let now = sys.now();
    let Some(net) = sys.net() else { return Err(Errno::NetUnreachable.to_string()) };
    loop {
        while !unsent.is_empty() {
            match stream.send(net, unsent) {
                Ok(taken) => drop(unsent.drain(..taken.min(unsent.len()))),
                Err(Errno::Again) => break,
                Err(errno) => return Err(format!("error writing to server: {errno}")),
            }
        }
        match stream.recv(net, now, 1 << 16) {
            Ok(bytes) if bytes.is_empty() => reader.close(),
            Ok(bytes) => reader.push(&bytes),
            Err(Errno::Again) => return Ok(Progress::Waits(None)),
            Err(errno) => return Err(format!("error getting response: {errno}")),
        }
        match reader.take() {
            Ok(Some(response)) => return Ok(Progress::Done(response)),
            Ok(None) => {}
            Err(_) => return Err("error getting response".to_string()),
        }
    }
}

impl Program for Wget {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if let Some(code) = self.code {
            return finish(&mut self.out, sys, code);
        }
        let result = match self.settings.clone() {
            None => match self.start(sys) {
                Ok(()) => {
                    let wait = self.settings.as_ref().map(|settings| settings.timeout);
                    self.deadline = wait.map(|wait| sys.now() + wait);
                    return self.resume(sys);
                }
                Err(message) => Err(message),
            },
            Some(_) if self.deadline.is_some_and(|deadline| sys.now() >= deadline) => {
                Err("download timed out".to_string())
            }
            Some(settings) => self.advance(sys, &settings),
        };
        let code = match result {
            Ok(Progress::Waits(until)) => {
                self.out.flush(sys);
                return Step::Block { until: earlier(until, self.deadline) };
            }
            Ok(Progress::Done(())) => 0,
            Err(message) => {
                self.out.error(format!("wget: {message}"));
                1
            }
        };
        self.code = Some(code);
        finish(&mut self.out, sys, code)
    }
}
