//! `mysql`: the command line of MySQL.
//!
//! Upstream: `client/mysql.cc` and the messages of `mysql/mysql-server`.

use super::client::{Client, Flavor, Own, Wish};
use super::parse;
use super::store::{Outcome, SqlError, Value};
use super::{Dialect, Reply};
use naru_shell::serve::DialError;
use naru_shell::{Errno, Sys};

/// The program.
pub type Mysql = Client<MysqlFlavor>;

/// What is particular to it.
#[derive(Clone, Debug, Default)]
pub struct MysqlFlavor {
    /// Whether tables have lines around them.
    table: bool,
    silent: bool,
    password_said: bool,
    host: String,
}

const BANNER: &str = "\
Welcome to the MySQL monitor.  Commands end with ; or \\g.
Your MySQL connection id is 8
Server version: {version} MySQL Community Server - GPL

Copyright (c) 2000, 2025, Oracle and/or its affiliates.

Oracle is a registered trademark of Oracle Corporation and/or its
affiliates. Other names may be trademarks of their respective
owners.

Type 'help;' or '\\h' for help. Type '\\c' to clear the current input statement.

";

impl Flavor for MysqlFlavor {
    fn begin(&mut self, sys: &mut dyn Sys) -> Result<Wish, (String, i32)> {
        let mut wish = Wish {
            host: "127.0.0.1".to_owned(),
            port: Dialect::Mysql.port(),
            user: user_name(sys),
            stops: true,
            ..Wish::default()
        };
        self.host = "localhost".to_owned();
        self.table = sys.is_tty(1);
        let args = sys.args().to_vec();
        let mut rest = args.iter().skip(1);
        while let Some(arg) = rest.next() {
            let long = arg.strip_prefix("--").and_then(|it| it.split_once('='));
            let glued = |letter: &str| arg.strip_prefix(letter).filter(|it| !it.is_empty());
            let mut value = |letter: &str| match (long, glued(letter)) {
                (Some((_, value)), _) => value.to_owned(),
                (None, Some(value)) if !arg.starts_with("--") => value.to_owned(),
                _ => rest.next().cloned().unwrap_or_default(),
            };
            match arg.as_str() {
                it if it.starts_with("-h") || it.starts_with("--host") => {
                    wish.host = value("-h");
                    self.host.clone_from(&wish.host);
                }
                it if it.starts_with("-P") || it.starts_with("--port") => {
                    wish.port = value("-P").parse().unwrap_or(wish.port);
                }
                it if it.starts_with("-u") || it.starts_with("--user") => wish.user = value("-u"),
                it if it.starts_with("--password=") || (it.starts_with("-p") && it.len() > 2) => {
                    wish.password = value("-p");
                    self.password_said = true;
                }
                "-p" | "--password" => {
                    let text = "mysql: the sandbox asks for no password: say it with -pPASSWORD\n";
                    return Err((text.to_owned(), 1));
                }
                it if it.starts_with("-e") || it.starts_with("--execute") => {
                    wish.statements = Some(value("-e"));
                }
                "-t" | "--table" => self.table = true,
                "-N" | "--skip-column-names" | "-s" | "--silent" | "-sN" | "-Ns" => {
                    self.silent = true
                }
                "-B" | "--batch" => self.table = false,
                it if it.starts_with("-D") || it.starts_with("--database") => {
                    wish.database = value("-D")
                }
                it if it.starts_with('-') => {
                    let option = it.trim_start_matches('-');
                    return Err((format!("mysql: [ERROR] mysql: unknown option '{option}'.\n"), 2));
                }
                name => wish.database = name.to_owned(),
            }
        }
        if self.password_said {
            let text = "mysql: [Warning] Using a password on the command line interface can be insecure.\n";
            let _ = sys.write(2, text.as_bytes());
        }
        Ok(wish)
    }

    fn take(&mut self, typed: &mut String) -> Vec<String> {
        // Words of the client itself need no semicolon.
        let line = typed.trim().to_lowercase();
        if typed.ends_with('\n') && ["exit", "quit", "\\q"].contains(&line.as_str()) {
            typed.clear();
            return vec![line];
        }
        let (statements, rest) = parse::split(typed);
        *typed = rest;
        statements
    }

    fn own(&mut self, statement: &str) -> Option<Own> {
        match statement.trim().to_lowercase().as_str() {
            "exit" | "quit" | "\\q" => Some(Own::End),
            _ => None,
        }
    }

    fn show(&mut self, statement: &str, reply: &Reply, line: usize) -> (String, String, bool) {
        match &reply.outcome {
            Err(error) => {
                let (number, state, text) = words(error);
                let at =
                    if statement.is_empty() { String::new() } else { format!(" at line {line}") };
                (String::new(), format!("ERROR {number} ({state}){at}: {text}\n"), true)
            }
            Ok(Outcome::Using(_)) if self.table => {
                ("Database changed\n".to_owned(), String::new(), false)
            }
            Ok(Outcome::Rows { titles, rows }) if self.table => {
                let count = rows.len();
                let text = match count {
                    0 => "Empty set (0.00 sec)\n\n".to_owned(),
                    _ => {
                        let noun = if count == 1 { "row" } else { "rows" };
                        format!("{}{count} {noun} in set (0.00 sec)\n\n", boxed(titles, rows))
                    }
                };
                (text, String::new(), false)
            }
            Ok(Outcome::Rows { titles, rows }) => {
                let mut text = String::new();
                if !self.silent && !rows.is_empty() {
                    let names: Vec<&str> = titles.iter().map(|(name, _)| name.as_str()).collect();
                    text.push_str(&(names.join("\t") + "\n"));
                }
                for row in rows {
                    let cells: Vec<String> = row.iter().map(Value::to_string).collect();
                    text.push_str(&(cells.join("\t") + "\n"));
                }
                (text, String::new(), false)
            }
            Ok(Outcome::Done { count, verb }) if self.table => {
                let noun = if *count == 1 { "row" } else { "rows" };
                let more = match verb.as_str() {
                    "UPDATE" => format!("Rows matched: {count}  Changed: {count}  Warnings: 0\n"),
                    "INSERT" if *count > 1 => {
                        format!("Records: {count}  Duplicates: 0  Warnings: 0\n")
                    }
                    _ => String::new(),
                };
                (
                    format!("Query OK, {count} {noun} affected (0.01 sec)\n{more}\n"),
                    String::new(),
                    false,
                )
            }
            Ok(_) => Default::default(),
        }
    }

    fn greeting(&self, version: &str) -> String {
        BANNER.replace("{version}", version)
    }

    fn unreachable(&self, host: &str, port: u16, why: &DialError) -> (String, i32) {
        let text = match why {
            DialError::NoSuchHost => {
                format!("ERROR 2005 (HY000): Unknown MySQL server host '{host}' (-2)\n")
            }
            DialError::Connect(_) if self.host == "localhost" => {
                "ERROR 2002 (HY000): Can't connect to local MySQL server through socket \
                 '/var/run/mysqld/mysqld.sock' (2)\n"
                    .to_owned()
            }
            DialError::Connect(errno) => {
                let number = match errno {
                    Errno::ConnRefused => 111,
                    Errno::TimedOut => 110,
                    _ => 113,
                };
                format!(
                    "ERROR 2003 (HY000): Can't connect to MySQL server on '{host}:{port}' ({number})\n"
                )
            }
        };
        (text, 1)
    }

    fn prompt(&self, begun: bool) -> String {
        if begun { "    -> ".to_owned() } else { "mysql> ".to_owned() }
    }
}

/// Number, state and text of an error.
fn words(error: &SqlError) -> (u32, &'static str, String) {
    match error {
        SqlError::Syntax { near } => (
            1064,
            "42000",
            format!(
                "You have an error in your SQL syntax; check the manual that corresponds to your MySQL \
                 server version for the right syntax to use near '{near}' at line 1"
            ),
        ),
        SqlError::NoDatabaseSelected => (1046, "3D000", "No database selected".to_owned()),
        SqlError::UnknownDatabase(name) => (1049, "42000", format!("Unknown database '{name}'")),
        SqlError::DatabaseExists(name) => {
            (1007, "HY000", format!("Can't create database '{name}'; database exists"))
        }
        SqlError::NoTable { database, table } => {
            (1146, "42S02", format!("Table '{database}.{table}' doesn't exist"))
        }
        SqlError::TableExists(name) => (1050, "42S01", format!("Table '{name}' already exists")),
        SqlError::UnknownColumn(name) => {
            (1054, "42S22", format!("Unknown column '{name}' in 'field list'"))
        }
        SqlError::WrongCount => {
            (1136, "21S01", "Column count doesn't match value count at row 1".to_owned())
        }
        SqlError::Duplicate { value, table } => {
            (1062, "23000", format!("Duplicate entry '{value}' for key '{table}.PRIMARY'"))
        }
        SqlError::NotNull { column, .. } => {
            (1048, "23000", format!("Column '{column}' cannot be null"))
        }
        SqlError::Denied { user, password, host } => {
            let used = if *password { "YES" } else { "NO" };
            let text = format!("Access denied for user '{user}'@'{host}' (using password: {used})");
            (1045, "28000", text)
        }
        SqlError::Other(why) => (1105, "HY000", why.clone()),
        SqlError::Full => (1114, "HY000", "The table is full".to_owned()),
    }
}

/// A table with lines around it.
fn boxed(titles: &[(String, bool)], rows: &[Vec<Value>]) -> String {
    let widths: Vec<usize> = titles
        .iter()
        .enumerate()
        .map(|(at, (title, _))| {
            let cells =
                rows.iter().filter_map(|row| row.get(at)).map(|it| it.to_string().chars().count());
            cells.chain([title.chars().count()]).max().unwrap_or(0)
        })
        .collect();
    let rule: String = widths.iter().map(|width| format!("+{}", "-".repeat(width + 2))).collect();
    let rule = format!("{rule}+\n");
    let mut text = rule.clone();
    let cells = titles.iter().zip(&widths).map(|((title, _), width)| format!("| {title:<width$} "));
    text.push_str(&(cells.collect::<String>() + "|\n"));
    text.push_str(&rule);
    for row in rows {
        for ((value, (_, number)), width) in row.iter().zip(titles).zip(&widths) {
            let value = value.to_string();
            text.push_str(&match number {
                true => format!("| {value:>width$} "),
                false => format!("| {value:<width$} "),
            });
        }
        text.push_str("|\n");
    }
    text + &rule
}

/// Who runs the client.
fn user_name(sys: &mut dyn Sys) -> String {
    if sys.uid() == 0 { "root".to_owned() } else { format!("user{}", sys.uid()) }
}
