//! `psql`: the command line of PostgreSQL.
//!
//! Upstream: `src/bin/psql` and the messages of `postgres/postgres`.

use super::client::{Client, Flavor, Own, Wish};
use super::parse;
use super::store::{Outcome, SqlError, Value};
use super::{Dialect, Reply};
use naru_shell::Sys;
use naru_shell::serve::DialError;
use std::net::IpAddr;

/// The program.
pub type Psql = Client<PsqlFlavor>;

/// What is particular to it.
#[derive(Clone, Debug, Default)]
pub struct PsqlFlavor {
    database: String,
    host: String,
    port: u16,
    user: String,
    tuples: bool,
    unaligned: bool,
    /// The host with its address, as errors say it: `"db" (10.96.0.7)`.
    place: String,
}

impl Flavor for PsqlFlavor {
    fn begin(&mut self, sys: &mut dyn Sys) -> Result<Wish, (String, i32)> {
        let env = sys.env().clone();
        let get = |name: &str| env.get(name).filter(|value| !value.is_empty()).cloned();
        let host = get("PGHOST");
        let mut wish = Wish {
            host: host.clone().unwrap_or_else(|| "127.0.0.1".to_owned()),
            port: get("PGPORT")
                .and_then(|port| port.parse().ok())
                .unwrap_or(Dialect::Postgres.port()),
            user: get("PGUSER").unwrap_or_else(|| "root".to_owned()),
            password: get("PGPASSWORD").unwrap_or_default(),
            database: get("PGDATABASE").unwrap_or_default(),
            stops: false,
            ..Wish::default()
        };
        self.host = host.unwrap_or_default();
        let args = sys.args().to_vec();
        let mut rest = args.iter().skip(1);
        let mut words = Vec::new();
        while let Some(arg) = rest.next() {
            let long = arg.strip_prefix("--").and_then(|it| it.split_once('='));
            let letter = arg.get(..2).unwrap_or_default();
            let glued = arg.get(2..).filter(|it| !it.is_empty() && !arg.starts_with("--"));
            let mut value = || match (long, glued) {
                (Some((_, value)), _) => value.to_owned(),
                (None, Some(value)) => value.to_owned(),
                _ => rest.next().cloned().unwrap_or_default(),
            };
            match (letter, arg.as_str()) {
                ("-h", _) => {
                    wish.host = value();
                    self.host.clone_from(&wish.host);
                }
                ("-p", _) => wish.port = value().parse().unwrap_or(wish.port),
                ("-U", _) => wish.user = value(),
                ("-d", _) => wish.database = value(),
                ("-c", _) => wish.statements = Some(value()),
                ("-t", _) => self.tuples = true,
                ("-A", _) => self.unaligned = true,
                ("--", it) if it.starts_with("--host") => {
                    wish.host = value();
                    self.host.clone_from(&wish.host);
                }
                ("--", it) if it.starts_with("--username") => wish.user = value(),
                ("--", it) if it.starts_with("--dbname") => wish.database = value(),
                ("--", it) if it.starts_with("--port") => {
                    wish.port = value().parse().unwrap_or(wish.port)
                }
                ("--", it) if it.starts_with("--command") => wish.statements = Some(value()),
                ("-w" | "-W" | "-q" | "-1" | "-X", _) => {}
                (_, it) if it.starts_with('-') => {
                    return Err((
                        format!(
                            "psql: unrecognized option '{it}'\npsql: hint: Try \"psql --help\" for more \
                             information.\n"
                        ),
                        1,
                    ));
                }
                (_, word) => words.push(word.to_owned()),
            }
        }
        if let Some(name) = words.first() {
            wish.database.clone_from(name);
        }
        if let Some(user) = words.get(1) {
            wish.user.clone_from(user);
        }
        if wish.database.is_empty() {
            wish.database.clone_from(&wish.user);
        }
        if self.host.is_empty() && wish.password.is_empty() {
            // Who comes by the socket is trusted: the sandbox's servers know their own password.
            wish.password = get("POSTGRES_PASSWORD").unwrap_or_default();
        }
        self.database.clone_from(&wish.database);
        self.port = wish.port;
        self.user.clone_from(&wish.user);
        Ok(wish)
    }

    fn take(&mut self, typed: &mut String) -> Vec<String> {
        let mut statements = Vec::new();
        while let Some((line, rest)) =
            typed.split_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned()))
        {
            let bare = line.trim().trim_end_matches(';').to_owned();
            if !bare.starts_with('\\') && !matches!(bare.as_str(), "exit" | "quit") {
                break;
            }
            statements.push(bare);
            *typed = rest;
        }
        let bare = typed.trim().trim_end_matches(';').to_owned();
        if bare.starts_with('\\') {
            statements.push(bare);
            typed.clear();
        }
        let (more, rest) = parse::split(typed);
        *typed = rest;
        statements.extend(more);
        statements
    }

    fn own(&mut self, statement: &str) -> Option<Own> {
        let words: Vec<&str> = statement.split_whitespace().collect();
        match words.as_slice() {
            ["\\q" | "exit" | "quit"] => Some(Own::End),
            ["\\c" | "\\connect", name, ..] => Some(Own::Ask(format!("use {name}"))),
            ["\\du"] => Some(Own::Say(roles(&self.user))),
            ["\\conninfo"] => Some(Own::Say(format!(
                "You are connected to database \"{}\" as user \"{}\" on host \"{}\" at port \"{}\".\n",
                self.database, self.user, self.host, self.port
            ))),
            [word, ..]
                if word.starts_with('\\')
                    && !matches!(*word, "\\l" | "\\dt" | "\\d" | "\\list") =>
            {
                Some(Own::Say(format!("invalid command {word}\nTry \\? for help.\n")))
            }
            _ => None,
        }
    }

    fn translate(&self, statement: &str) -> String {
        let words: Vec<&str> = statement.split_whitespace().collect();
        match words.as_slice() {
            ["\\l" | "\\list"] => "show databases".to_owned(),
            ["\\dt" | "\\d"] => "show tables".to_owned(),
            ["\\d", table] => format!("describe {table}"),
            _ => statement.to_owned(),
        }
    }

    fn show(&mut self, statement: &str, reply: &Reply, _line: usize) -> (String, String, bool) {
        let bare = statement.trim();
        match &reply.outcome {
            Err(error) => (String::new(), self.words(error, statement), true),
            Ok(Outcome::Text(text)) => (text.clone(), String::new(), false),
            Ok(Outcome::Using(name)) => {
                self.database.clone_from(name);
                let text = format!(
                    "You are now connected to database \"{name}\" as user \"{}\".\n",
                    self.user
                );
                (text, String::new(), false)
            }
            Ok(Outcome::Rows { rows, .. }) if bare.starts_with("\\dt") || bare == "\\d" => {
                if rows.is_empty() {
                    return (String::new(), "Did not find any relations.\n".to_owned(), false);
                }
                let text = |text: &str| Value::Text(text.to_owned());
                let rows: Vec<Vec<Value>> = rows
                    .iter()
                    .filter_map(|row| row.first().cloned())
                    .map(|name| vec![text("public"), name, text("table"), text(&self.user)])
                    .collect();
                let titles = ["Schema", "Name", "Type", "Owner"].map(|it| (it.to_owned(), false));
                let table = self.table(&titles, &rows);
                (titled("List of relations", &table), String::new(), false)
            }
            Ok(Outcome::Rows { rows, .. }) if bare.starts_with("\\l") => {
                let names: Vec<String> =
                    rows.iter().filter_map(|row| row.first()).map(Value::to_string).collect();
                (databases(&names, &self.user), String::new(), false)
            }
            Ok(Outcome::Rows { titles, rows }) => {
                let name = |title: &str| match title {
                    "count(*)" => "count".to_owned(),
                    title => title.trim_end_matches("()").to_lowercase(),
                };
                let titles: Vec<(String, bool)> =
                    titles.iter().map(|(title, number)| (name(title), *number)).collect();
                (self.table(&titles, rows), String::new(), false)
            }
            Ok(Outcome::Done { verb, count }) => {
                let text = match verb.as_str() {
                    "" => String::new(),
                    "INSERT" => format!("INSERT 0 {count}\n"),
                    "UPDATE" | "DELETE" => format!("{verb} {count}\n"),
                    verb => format!("{verb}\n"),
                };
                (text, String::new(), false)
            }
        }
    }

    fn connected(&mut self, peer: IpAddr) {
        let host = &self.host;
        self.place = match host.parse::<IpAddr>() {
            Ok(_) => format!("\"{host}\""),
            Err(_) => format!("\"{host}\" ({peer})"),
        };
    }

    fn greeting(&self, version: &str) -> String {
        format!("psql ({version} (Debian {version}-1.pgdg120+1))\nType \"help\" for help.\n\n")
    }

    fn unreachable(&self, host: &str, port: u16, why: &DialError) -> (String, i32) {
        let text = match why {
            DialError::NoSuchHost => format!(
                "psql: error: could not translate host name \"{host}\" to address: Name or service not \
                 known\n"
            ),
            DialError::Connect(_) if self.host.is_empty() => format!(
                "psql: error: connection to server on socket \"/var/run/postgresql/.s.PGSQL.{port}\" \
                 failed: No such file or directory\n\tIs the server running locally and accepting \
                 connections on that socket?\n"
            ),
            DialError::Connect(errno) => format!(
                "psql: error: connection to server at \"{host}\", port {port} failed: {errno}\n\tIs the \
                 server running on that host and accepting TCP/IP connections?\n"
            ),
        };
        (text, 2)
    }

    fn prompt(&self, begun: bool) -> String {
        let sign = if begun { "-#" } else { "=#" };
        format!("{}{sign} ", self.database)
    }
}

/// A table under a title in its middle. Upstream: `print_aligned_text`.
fn titled(title: &str, table: &str) -> String {
    let width = table.lines().next().map_or(0, |line| line.chars().count());
    let room = width.saturating_sub(title.chars().count()) / 2;
    format!("{}{title}\n{table}", " ".repeat(room))
}

/// What `\l` shows. The templates say who may connect to them.
fn databases(names: &[String], user: &str) -> String {
    const TITLES: [&str; 9] = [
        "Name",
        "Owner",
        "Encoding",
        "Locale Provider",
        "Collate",
        "Ctype",
        "Locale",
        "ICU Rules",
        "Access privileges",
    ];
    let connect = format!("=c/{user}");
    let own = format!("{user}=CTc/{user}");
    let mut rows: Vec<[String; 9]> = Vec::new();
    for name in names {
        let words = [name, user, "UTF8", "libc", "en_US.utf8", "en_US.utf8", "", "", ""];
        let mut row = words.map(str::to_owned);
        let template = name.starts_with("template");
        if template {
            row[8].clone_from(&connect);
        }
        rows.push(row);
        if template {
            let mut more = [const { String::new() }; 9];
            more[8].clone_from(&own);
            rows.push(more);
        }
    }
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        cells.chain(TITLES.get(at).map(|title| title.len())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..TITLES.len()).map(width).collect();
    let centred = TITLES.iter().zip(&widths).map(|(title, width)| format!(" {title:^width$} "));
    let mut table = centred.collect::<Vec<_>>().join("|") + "\n";
    let rules = widths.iter().map(|width| "-".repeat(width + 2));
    table.push_str(&(rules.collect::<Vec<_>>().join("+") + "\n"));
    for row in &rows {
        let mut cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!(" {cell:<width$} ")).collect();
        if let Some(last) = cells.last_mut() {
            // A cell that goes on in the next line says so.
            let goes_on = row.last() == Some(&connect);
            *last = match goes_on {
                true => format!("{}+", last.strip_suffix(' ').unwrap_or(last)),
                false => format!(" {}", last.trim()),
            };
        }
        table.push_str(&(cells.join("|") + "\n"));
    }
    let count = names.len();
    let noun = if count == 1 { "row" } else { "rows" };
    titled("List of databases", &table) + &format!("({count} {noun})\n\n")
}

/// What `\du` shows.
fn roles(user: &str) -> String {
    let attributes = "Superuser, Create role, Create DB, Replication, Bypass RLS";
    let width = user.chars().count().max("Role name".len());
    let table = format!(
        " {:^width$} | {:^58} \n-{}-+-{}-\n {user:<width$} | {attributes}\n\n",
        "Role name",
        "Attributes",
        "-".repeat(width),
        "-".repeat(58)
    );
    titled("List of roles", &table)
}

impl PsqlFlavor {
    fn words(&self, error: &SqlError, statement: &str) -> String {
        let said = |text: String| format!("ERROR:  {text}\n");
        let refused = |text: String| match self.host.as_str() {
            "" => format!(
                "psql: error: connection to server on socket \"/var/run/postgresql/.s.PGSQL.{}\" failed: \
                 FATAL:  {text}\n",
                self.port
            ),
            _ => format!(
                "psql: error: connection to server at {}, port {} failed: FATAL:  {text}\n",
                self.place, self.port
            ),
        };
        match error {
            SqlError::Syntax { near } => {
                let word: String = near.chars().take_while(|c| !c.is_whitespace()).collect();
                match word.as_str() {
                    "" => {
                        said(format!("syntax error at end of input{}", self.place(statement, "")))
                    }
                    word => said(format!(
                        "syntax error at or near \"{word}\"{}",
                        self.place(statement, near)
                    )),
                }
            }
            SqlError::NoDatabaseSelected => said("no database selected".to_owned()),
            SqlError::UnknownDatabase(name) => {
                let text = format!("database \"{name}\" does not exist");
                if statement.is_empty() { refused(text) } else { said(text) }
            }
            SqlError::DatabaseExists(name) => said(format!("database \"{name}\" already exists")),
            SqlError::NoTable { table, .. } => {
                said(format!("relation \"{table}\" does not exist{}", self.place(statement, table)))
            }
            SqlError::TableExists(name) => said(format!("relation \"{name}\" already exists")),
            SqlError::UnknownColumn(name) => {
                said(format!("column \"{name}\" does not exist{}", self.place(statement, name)))
            }
            SqlError::WrongCount => {
                said("INSERT has more expressions than target columns".to_owned())
            }
            SqlError::Duplicate { value, table } => said(format!(
                "duplicate key value violates unique constraint \"{table}_pkey\"\nDETAIL:  Key \
                 (id)=({value}) already exists."
            )),
            SqlError::NotNull { table, column } => said(format!(
                "null value in column \"{column}\" of relation \"{table}\" violates not-null constraint"
            )),
            SqlError::Denied { user, password: true, .. } => {
                refused(format!("password authentication failed for user \"{user}\""))
            }
            SqlError::Denied { user, password: false, .. } => match self.host.as_str() {
                "" => refused(format!("role \"{user}\" does not exist")),
                _ => format!(
                    "psql: error: connection to server at {}, port {} failed: fe_sendauth: no \
                     password supplied\n",
                    self.place, self.port
                ),
            },
            SqlError::Other(why) => said(why.clone()),
            SqlError::Full => said("could not extend file: No space left on device".to_owned()),
        }
    }

    /// The line of the statement with a mark under where the trouble is.
    fn place(&self, statement: &str, near: &str) -> String {
        let statement = statement.trim_start();
        let line = statement.lines().next().unwrap_or_default();
        let at = match near {
            "" => Some(line.len()),
            near => line.find(near.lines().next().unwrap_or_default()),
        };
        match at {
            Some(at) => format!("\nLINE 1: {line};\n{}^", " ".repeat("LINE 1: ".len() + at)),
            None => String::new(),
        }
    }

    fn table(&self, titles: &[(String, bool)], rows: &[Vec<Value>]) -> String {
        let text = |value: &Value| match value {
            Value::Null => String::new(),
            value => value.to_string(),
        };
        if self.unaligned || self.tuples {
            let lines = rows.iter().map(|row| {
                let cells: Vec<String> = row.iter().map(text).collect();
                let between = if self.unaligned { "|" } else { " | " };
                let line = cells.join(between);
                if self.unaligned { line + "\n" } else { format!(" {line}\n") }
            });
            let lines: String = lines.collect();
            return if self.unaligned { lines } else { lines + "\n" };
        }
        let widths: Vec<usize> = titles
            .iter()
            .enumerate()
            .map(|(at, (title, _))| {
                let cells =
                    rows.iter().filter_map(|row| row.get(at)).map(|it| text(it).chars().count());
                cells.chain([title.chars().count()]).max().unwrap_or(0)
            })
            .collect();
        let heads: Vec<String> = titles
            .iter()
            .zip(&widths)
            .map(|((title, _), width)| format!(" {title:^width$} "))
            .collect();
        let rules: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
        let mut out = format!("{}\n{}\n", heads.join("|"), rules.join("+"));
        for row in rows {
            let cells: Vec<String> = row
                .iter()
                .zip(titles)
                .zip(&widths)
                .map(|((value, (_, number)), width)| match number {
                    true => format!(" {:>width$} ", text(value)),
                    false => format!(" {:<width$} ", text(value)),
                })
                .collect();
            out.push_str(cells.join("|").trim_end_matches(' '));
            out.push('\n');
        }
        let noun = if rows.len() == 1 { "row" } else { "rows" };
        format!("{out}({} {noun})\n\n", rows.len())
    }
}
