//! `rabbitmqadmin`: it speaks to the HTTP API.
//!
//! Upstream: `deps/rabbitmq_management/bin/rabbitmqadmin`.

use super::{API_PORT, READ_MAX};
use crate::programs::base64::encode64;
use naru_network::http::{Request, ResponseReader};
use naru_shell::serve::{Dial, DialError};
use naru_shell::{Errno, Program, Progress, SocketId, Step, Sys};
use serde_json::{Map, Value, json};

/// The program.
#[derive(Clone, Debug, Default)]
pub struct RabbitmqAdmin {
    state: State,
    wish: Wish,
    reader: ResponseReader,
}

#[derive(Clone, Debug, Default)]
enum State {
    #[default]
    New,
    Dialing(Box<Dial>),
    Waiting(SocketId),
}

/// What is asked and how the answer is shown.
#[derive(Clone, Debug, Default)]
struct Wish {
    host: String,
    port: u16,
    user: String,
    password: String,
    method: &'static str,
    path: String,
    body: Value,
    show: Show,
}

#[derive(Clone, Debug, Default)]
enum Show {
    #[default]
    Nothing,
    Line(String),
    Routed,
    Table(Vec<String>),
}

impl Program for RabbitmqAdmin {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        loop {
            match std::mem::take(&mut self.state) {
                State::New => {
                    let args = sys.args().to_vec();
                    match wish(&args) {
                        Ok(wish) => self.wish = wish,
                        Err(why) => {
                            let _ = sys.write(2, why.as_bytes());
                            return Step::Exit(1);
                        }
                    }
                    self.state =
                        State::Dialing(Box::new(Dial::new(&self.wish.host, self.wish.port)));
                }
                State::Dialing(mut dial) => match dial.poll(sys) {
                    Progress::Waits(until) => {
                        self.state = State::Dialing(dial);
                        return Step::Block { until };
                    }
                    Progress::Done(Ok(socket)) => {
                        let bytes = self.request().to_bytes();
                        self.reader = ResponseReader::new(self.wish.method);
                        let _ = sys.net().map(|net| net.send(socket, &bytes));
                        self.state = State::Waiting(socket);
                    }
                    Progress::Done(Err(why)) => {
                        let why = match why {
                            DialError::NoSuchHost => "[Errno -2] Name or service not known",
                            DialError::Connect(Errno::ConnRefused) => {
                                "[Errno 111] Connection refused"
                            }
                            DialError::Connect(_) => "[Errno 110] Connection timed out",
                        };
                        let text = format!("*** Could not connect: {why}\n");
                        let _ = sys.write(2, text.as_bytes());
                        return Step::Exit(1);
                    }
                },
                State::Waiting(socket) => {
                    self.state = State::Waiting(socket);
                    match sys.net().map(|net| net.recv(socket, READ_MAX)) {
                        Some(Ok(bytes)) if !bytes.is_empty() => self.reader.push(&bytes),
                        Some(Err(Errno::Again)) => return Step::Block { until: None },
                        _ => self.reader.close(),
                    }
                    match self.reader.take() {
                        Ok(Some(response)) => {
                            let body = serde_json::from_slice(&response.body);
                            return self.show(sys, response.status, &body.unwrap_or(Value::Null));
                        }
                        Ok(None) => {}
                        Err(_) => {
                            let _ = sys.write(
                                2,
                                b"*** Could not connect: Remote end closed \
                                                   connection without response\n",
                            );
                            return Step::Exit(1);
                        }
                    }
                }
            }
        }
    }
}

impl RabbitmqAdmin {
    fn request(&self) -> Request {
        let Wish { host, port, user, password, method, path, body, .. } = &self.wish;
        let mut request = Request::new(method, path);
        request.headers.set("Host", format!("{host}:{port}"));
        let who = encode64(&format!("{user}:{password}"));
        request.headers.set("Authorization", format!("Basic {who}"));
        request.headers.set("Connection", "close");
        if !body.is_null() {
            request.headers.set("Content-Type", "application/json");
            request.body = body.to_string().into_bytes();
        }
        request
    }

    fn show(&self, sys: &mut dyn Sys, status: u16, body: &Value) -> Step {
        let path = &self.wish.path;
        let reason = body.get("reason").and_then(Value::as_str).unwrap_or_default();
        let trouble = match status {
            401 => format!("*** Access refused: {path}\n"),
            404 => format!("*** Not found: {path}\n"),
            400.. => format!("*** bad_request: {reason}\n"),
            _ => String::new(),
        };
        if !trouble.is_empty() {
            let _ = sys.write(2, trouble.as_bytes());
            return Step::Exit(1);
        }
        let text = match &self.wish.show {
            Show::Nothing => String::new(),
            Show::Line(line) => format!("{line}\n"),
            Show::Routed => match body.get("routed").and_then(Value::as_bool) {
                Some(true) => "Message published\n".to_owned(),
                _ => "Message published but NOT routed\n".to_owned(),
            },
            Show::Table(columns) => table(columns, body),
        };
        let _ = sys.write(1, text.as_bytes());
        Step::Exit(0)
    }
}

/// Rows of a JSON array, with lines around them.
fn table(columns: &[String], body: &Value) -> String {
    let rows = match body {
        Value::Array(rows) => rows.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    };
    if rows.is_empty() {
        return "No items\n".to_owned();
    }
    let cell = |row: &Value, column: &String| match row.get(column) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(value)) => if *value { "True" } else { "False" }.to_owned(),
        Some(Value::Array(items)) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
        }
        // What is within stands in columns of its own.
        Some(Value::Object(_)) => String::new(),
        Some(other) => other.to_string(),
    };
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().map(|column| cell(row, column)).collect()).collect();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let all = cells.iter().filter_map(|row| row.get(at)).map(String::len);
            all.chain([column.len()]).max().unwrap_or(0)
        })
        .collect();
    let rule: String = widths.iter().map(|width| format!("+{}", "-".repeat(width + 2))).collect();
    let rule = format!("{rule}+\n");
    // Titles stand in the middle, as `string.center` of Python has it.
    let centred = |(text, width): (&String, &usize)| {
        let room = width.saturating_sub(text.len());
        let left = room / 2 + (room & width & 1);
        format!("| {}{text}{} ", " ".repeat(left), " ".repeat(room.saturating_sub(left)))
    };
    let mut text = rule.clone();
    text.push_str(&columns.iter().zip(&widths).map(centred).collect::<String>());
    text.push_str("|\n");
    text.push_str(&rule);
    for row in &cells {
        let line = row.iter().zip(&widths).map(|(text, width)| format!("| {text:<width$} "));
        text.push_str(&(line.collect::<String>() + "|\n"));
    }
    text + &rule
}

fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    name.bytes()
        .map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

fn wish(args: &[String]) -> Result<Wish, String> {
    let mut wish = Wish {
        host: "localhost".to_owned(),
        port: API_PORT,
        user: "guest".to_owned(),
        password: "guest".to_owned(),
        ..Wish::default()
    };
    let mut vhost = "/".to_owned();
    let mut plain = Vec::new();
    let mut rest = args.iter().skip(1);
    while let Some(arg) = rest.next() {
        let (name, glued) = match arg.split_once('=') {
            Some((name, value)) if arg.starts_with("--") => (name, Some(value.to_owned())),
            _ => (arg.as_str(), None),
        };
        let mut value = || glued.clone().or_else(|| rest.next().cloned()).unwrap_or_default();
        match name {
            "-H" | "--host" => wish.host = value(),
            "-P" | "--port" => wish.port = value().parse().unwrap_or(API_PORT),
            "-u" | "--username" => wish.user = value(),
            "-p" | "--password" => wish.password = value(),
            "-V" | "--vhost" => vhost = value(),
            "-q" | "--quiet" => {}
            "-f" | "--format" | "-d" | "--depth" => drop(value()),
            _ => plain.push(arg.as_str()),
        }
    }
    let mut fields = Map::new();
    let mut words = Vec::new();
    for word in plain {
        match word.split_once('=') {
            Some((name, value)) => {
                let value = match value {
                    "true" => json!(true),
                    "false" => json!(false),
                    text => json!(text),
                };
                fields.insert(name.to_owned(), value);
            }
            None => words.push(word),
        }
    }
    let vhost = encoded(&vhost);
    let field = |name: &str| {
        let value = fields.get(name).and_then(Value::as_str).map(str::to_owned);
        value.ok_or_else(|| format!("\nERROR: mandatory argument \"{name}\" required\n\n"))
    };
    let body = Value::Object(fields.clone());
    let columns = |names: &[&str]| Show::Table(names.iter().map(|it| (*it).to_owned()).collect());
    let line = |text: &str| Show::Line(text.to_owned());
    let (method, path, body, show) = match words.as_slice() {
        ["declare", what @ ("queue" | "exchange")] => {
            let name = encoded(&field("name")?);
            let show = line(&format!("{what} declared"));
            ("PUT", format!("/api/{what}s/{vhost}/{name}"), body, show)
        }
        ["declare", "binding"] => {
            let (source, to) = (encoded(&field("source")?), encoded(&field("destination")?));
            let path = format!("/api/bindings/{vhost}/e/{source}/q/{to}");
            ("POST", path, body, line("binding declared"))
        }
        ["declare", "user"] => {
            ("PUT", format!("/api/users/{}", encoded(&field("name")?)), body, line("user declared"))
        }
        ["declare", "vhost"] => (
            "PUT",
            format!("/api/vhosts/{}", encoded(&field("name")?)),
            body,
            line("vhost declared"),
        ),
        ["delete", "queue"] => {
            let name = encoded(&field("name")?);
            ("DELETE", format!("/api/queues/{vhost}/{name}"), Value::Null, line("queue deleted"))
        }
        ["purge", "queue"] => {
            let name = encoded(&field("name")?);
            let path = format!("/api/queues/{vhost}/{name}/contents");
            ("DELETE", path, Value::Null, line("queue purged"))
        }
        ["publish"] => {
            let exchange = field("exchange").unwrap_or_else(|_| "amq.default".to_owned());
            field("routing_key")?;
            let mut fields = fields.clone();
            fields.entry("properties").or_insert_with(|| json!({}));
            fields.entry("payload_encoding").or_insert_with(|| json!("string"));
            let path = format!("/api/exchanges/{vhost}/{}/publish", encoded(&exchange));
            ("POST", path, Value::Object(fields), Show::Routed)
        }
        ["get"] => {
            let path = format!("/api/queues/{vhost}/{}/get", encoded(&field("queue")?));
            let mut fields = fields.clone();
            fields.entry("count").or_insert_with(|| json!("1"));
            fields.entry("ackmode").or_insert_with(|| json!("ack_requeue_true"));
            fields.entry("encoding").or_insert_with(|| json!("auto"));
            let show = columns(&[
                "routing_key",
                "exchange",
                "message_count",
                "payload",
                "payload_bytes",
                "payload_encoding",
                "properties",
                "redelivered",
            ]);
            ("POST", path, Value::Object(fields), show)
        }
        ["list", what, own @ ..] => {
            let usual: &[&str] = match *what {
                "queues" => &["name", "messages"],
                "exchanges" => &["name", "type"],
                "bindings" => &["source", "destination", "routing_key"],
                "users" => &["name", "tags"],
                "vhosts" | "nodes" => &["name"],
                "connections" => &["user", "peer_host", "peer_port", "state"],
                other => return Err(format!("\nERROR: Don't know how to list {other}\n\n")),
            };
            let names = if own.is_empty() { usual } else { own };
            ("GET", format!("/api/{what}"), Value::Null, columns(names))
        }
        ["show", "overview"] => {
            let show = columns(&["rabbitmq_version", "cluster_name", "node"]);
            ("GET", "/api/overview".to_owned(), Value::Null, show)
        }
        [] => return Err("\nERROR: Action not specified\n\n".to_owned()),
        [first, ..] => return Err(format!("\nERROR: Action {first} not understood\n\n")),
    };
    (wish.method, wish.path, wish.body, wish.show) = (method, path, body, show);
    Ok(wish)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines() {
        let table = [
            ("declare queue name=foo durable=true", "PUT /api/queues/%2F/foo"),
            (
                "publish exchange=amq.default routing_key=foo payload=hi",
                "POST /api/exchanges/%2F/amq.default/publish",
            ),
            ("-V a get queue=foo", "POST /api/queues/a/foo/get"),
            ("list queues name", "GET /api/queues"),
        ];
        for (line, expected) in table {
            let args: Vec<String> =
                format!("rabbitmqadmin {line}").split(' ').map(str::to_owned).collect();
            let wish = wish(&args).unwrap();
            assert_eq!(format!("{} {}", wish.method, wish.path), expected);
        }
        let args = ["rabbitmqadmin", "get"].map(str::to_owned);
        assert_eq!(wish(&args).unwrap_err(), "\nERROR: mandatory argument \"queue\" required\n\n");
    }

    #[test]
    fn tables_have_their_titles_in_the_middle() {
        let rows = json!([{"name": "foo", "messages": 1}]);
        let columns = ["name".to_owned(), "messages".to_owned()];
        let expected = "+------+----------+\n| name | messages |\n+------+----------+\n| foo  | 1        \
                        |\n+------+----------+\n";
        assert_eq!(table(&columns, &rows), expected);
        assert_eq!(table(&columns, &json!([])), "No items\n");
    }
}
