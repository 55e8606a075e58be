//! `mongosh`, and `mongo` as it was called before: the shell of MongoDB.
//!
//! Upstream: `mongodb-js/mongosh`.

use super::client::{Client, Flavor, Own, Wish};
use super::store::{Outcome, SqlError};
use super::{Dialect, Reply};
use naru_shell::Sys;
use naru_shell::serve::DialError;

/// The program.
pub type Mongosh = Client<MongoshFlavor>;

/// What is particular to it.
#[derive(Clone, Debug, Default)]
pub struct MongoshFlavor {
    database: String,
}

impl Flavor for MongoshFlavor {
    fn begin(&mut self, sys: &mut dyn Sys) -> Result<Wish, (String, i32)> {
        let mut wish = Wish {
            host: "127.0.0.1".to_owned(),
            port: Dialect::Mongo.port(),
            database: "test".to_owned(),
            stops: true,
            ..Wish::default()
        };
        let args = sys.args().to_vec();
        let mut rest = args.iter().skip(1);
        while let Some(arg) = rest.next() {
            let (name, given) = match arg.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
                _ => (arg.as_str(), None),
            };
            let mut value = || given.clone().or_else(|| rest.next().cloned()).unwrap_or_default();
            match name {
                "--host" | "-h" => wish.host = value(),
                "--port" => wish.port = value().parse().unwrap_or(wish.port),
                "--username" | "-u" => wish.user = value(),
                "--password" | "-p" => wish.password = value(),
                "--eval" => wish.statements = Some(value()),
                "--authenticationDatabase" => drop(value()),
                "--quiet" | "--norc" => {}
                name if name.starts_with('-') => {
                    return Err((
                        format!("Error parsing command line: unrecognized option: {name}\n"),
                        1,
                    ));
                }
                address => place(address, &mut wish),
            }
        }
        if let Some((host, port)) = wish.host.clone().rsplit_once(':') {
            wish.host = host.to_owned();
            wish.port = port.parse().unwrap_or(wish.port);
        }
        self.database.clone_from(&wish.database);
        Ok(wish)
    }

    fn take(&mut self, typed: &mut String) -> Vec<String> {
        let mut statements = Vec::new();
        while let Some(end) = whole(typed) {
            let statement: String = typed.drain(..end).collect();
            let bare = statement.trim().trim_end_matches(';').trim().to_owned();
            if !bare.is_empty() {
                statements.push(bare);
            }
        }
        statements
    }

    fn own(&mut self, statement: &str) -> Option<Own> {
        match statement.trim() {
            "exit" | "quit" | "exit()" | "quit()" => Some(Own::End),
            _ => None,
        }
    }

    fn show(&mut self, _statement: &str, reply: &Reply, _line: usize) -> (String, String, bool) {
        match &reply.outcome {
            Ok(Outcome::Text(text)) => (text.clone(), String::new(), false),
            Ok(Outcome::Using(name)) => {
                let text = match *name == self.database {
                    true => format!("already on db {name}\n"),
                    false => format!("switched to db {name}\n"),
                };
                self.database.clone_from(name);
                (text, String::new(), false)
            }
            Ok(_) => Default::default(),
            Err(SqlError::Denied { .. }) => {
                (String::new(), "MongoServerError: Authentication failed.\n".to_owned(), true)
            }
            Err(SqlError::Other(why)) => (String::new(), format!("{why}\n"), true),
            Err(other) => (String::new(), format!("MongoServerError: {other:?}\n"), true),
        }
    }

    fn greeting(&self, version: &str) -> String {
        format!(
            "Current Mongosh Log ID:\t665bd2801a2b3c4d5e6f7a8b\nConnecting to:\t\t\
             mongodb://127.0.0.1:27017/?directConnection=true&serverSelectionTimeoutMS=2000&appName=mongosh+2.5.1\n\
             Using MongoDB:\t\t{version}\nUsing Mongosh:\t\t2.5.1\n\n\
             For mongosh info see: https://www.mongodb.com/docs/mongodb-shell/\n\n"
        )
    }

    fn unreachable(&self, host: &str, port: u16, why: &DialError) -> (String, i32) {
        let text = match why {
            DialError::NoSuchHost => {
                format!("MongoNetworkError: getaddrinfo ENOTFOUND {host}\n")
            }
            DialError::Connect(_) => {
                format!("MongoNetworkError: connect ECONNREFUSED {host}:{port}\n")
            }
        };
        (text, 1)
    }

    fn prompt(&self, begun: bool) -> String {
        if begun { "... ".to_owned() } else { format!("{}> ", self.database) }
    }
}

/// `mongodb://user:password@host:port/database`, `host:port/database`, `database`.
fn place(address: &str, wish: &mut Wish) {
    let Some(rest) = address.strip_prefix("mongodb://") else {
        match address.split_once('/') {
            Some((host, database)) => {
                host.clone_into(&mut wish.host);
                database.clone_into(&mut wish.database);
            }
            None => address.clone_into(&mut wish.database),
        }
        return;
    };
    let rest = match rest.split_once('@') {
        Some((who, rest)) => {
            let (user, password) = who.split_once(':').unwrap_or((who, ""));
            user.clone_into(&mut wish.user);
            password.clone_into(&mut wish.password);
            rest
        }
        None => rest,
    };
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    hosts.split(',').next().unwrap_or_default().clone_into(&mut wish.host);
    let database = path.split('?').next().unwrap_or_default();
    if !database.is_empty() {
        database.clone_into(&mut wish.database);
    }
}

/// Where the first whole statement ends: at a line's end or a semicolon outside of parentheses.
fn whole(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0_i32, None);
    for (at, c) in text.char_indices() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            (_, Some(_)) => {}
            ('"' | '\'' | '`', None) => quote = Some(c),
            ('(' | '[' | '{', None) => depth += 1,
            (')' | ']' | '}', None) => depth -= 1,
            (';' | '\n', None) if depth <= 0 => return Some(at + 1),
            _ => {}
        }
    }
    None
}
