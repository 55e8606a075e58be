//! The servers: who may ask, and where it is stored.

use super::mongo_store::Documents;
use super::parse::{Statement, parse};
use super::store::{Around, Outcome, SqlError, Store};
use super::{Question, Reply};
use naru_shell::serve::clock;
use naru_shell::{Errno, Program, Signal, SocketId, Step, Sys};
use naru_sim::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Clients at once, and bytes of a question.
const CLIENTS_MAX: usize = 256;
const QUESTION_MAX: usize = 128 * 1024;
const READ_MAX: usize = 64 * 1024;

/// Whose words a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `mysqld`
    Mysql,
    /// `postgres`
    Postgres,
    /// `mongod`
    Mongo,
}

impl Dialect {
    /// Where it listens.
    pub fn port(self) -> u16 {
        match self {
            Dialect::Mysql => 3_306,
            Dialect::Postgres => 5_432,
            Dialect::Mongo => 27_017,
        }
    }

    fn data(self, sys: &mut dyn Sys) -> String {
        match self {
            Dialect::Mysql => "/var/lib/mysql/ibdata1".to_owned(),
            Dialect::Mongo => "/data/db/collection-0.wt".to_owned(),
            Dialect::Postgres => {
                let folder = sys.env().get("PGDATA").cloned();
                let folder = folder.unwrap_or_else(|| "/var/lib/postgresql/data".to_owned());
                format!("{folder}/base")
            }
        }
    }

    fn memory(self) -> u64 {
        match self {
            Dialect::Mysql => 420 << 20,
            Dialect::Postgres => 28 << 20,
            Dialect::Mongo => 96 << 20,
        }
    }

    /// How long a new one, and one with data, take to start.
    fn start(self, new: bool) -> Duration {
        Duration::from_millis(match (self, new) {
            (Dialect::Mysql, true) => 6_500,
            (Dialect::Mysql, false) => 1_200,
            (Dialect::Postgres, true) => 1_900,
            (Dialect::Postgres, false) => 300,
            (Dialect::Mongo, _) => 900,
        })
    }
}

/// What is on disk.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Saved {
    users: BTreeMap<String, String>,
    store: Store,
    documents: Documents,
}

/// A server.
#[derive(Clone, Debug)]
pub struct SqlServer {
    dialect: Dialect,
    ready_at: Option<Time>,
    listener: Option<SocketId>,
    clients: Vec<Client>,
    saved: Saved,
}

#[derive(Clone, Debug)]
struct Client {
    socket: SocketId,
    /// `localhost`, or its address.
    host: String,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl SqlServer {
    /// A server that has not started.
    pub fn new(dialect: Dialect) -> Self {
        SqlServer {
            dialect,
            ready_at: None,
            listener: None,
            clients: Vec::new(),
            saved: Saved::default(),
        }
    }
}

impl Program for SqlServer {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        let Some(ready_at) = self.ready_at else { return self.begin(sys) };
        if sys.take_signal().is_some() {
            self.say(
                sys,
                "Received SHUTDOWN from user <via user signal>.",
                "received fast shutdown request",
            );
            return Step::Exit(0);
        }
        if sys.now() < ready_at {
            return Step::Block { until: Some(ready_at) };
        }
        if self.listener.is_none()
            && let Err(step) = self.listen(sys)
        {
            return step;
        }
        self.serve(sys);
        Step::Block { until: None }
    }
}

impl SqlServer {
    /// Looks what is stored, and makes what the environment asks for if nothing is.
    fn begin(&mut self, sys: &mut dyn Sys) -> Step {
        for signal in [Signal::Term, Signal::Int, Signal::Quit] {
            sys.catch(signal);
        }
        let path = self.dialect.data(sys);
        let stored = sys.fs().read(&path).ok();
        let stored = stored.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let new = stored.is_none();
        self.saved = stored.unwrap_or_default();
        if new && let Err(why) = self.initialize(sys) {
            let _ = sys.write(2, why.as_bytes());
            return Step::Exit(1);
        }
        if let Err(errno) = self.save(sys) {
            let line = match self.dialect {
                Dialect::Mysql => {
                    format!("mysqld: Can't create/write to file '{path}' (Errcode: 13 - {errno})\n")
                }
                Dialect::Postgres => {
                    format!("initdb: error: could not create file \"{path}\": {errno}\n")
                }
                Dialect::Mongo => mongo_line(sys, "E", "STORAGE", &format!("{path}: {errno}")),
            };
            let _ = sys.write(2, line.as_bytes());
            return Step::Exit(1);
        }
        sys.use_memory(self.dialect.memory());
        let ready_at = sys.now() + self.dialect.start(new);
        self.ready_at = Some(ready_at);
        let version = version(sys, self.dialect);
        match self.dialect {
            Dialect::Mysql => {
                let line = format!("mysqld (mysqld {version}) starting as process {}", sys.pid());
                self.say(sys, &line, "");
            }
            Dialect::Mongo => {
                let text = mongo_line(sys, "I", "CONTROL", "MongoDB starting");
                let _ = sys.write(1, text.as_bytes());
            }
            Dialect::Postgres if new => {
                let text = "The files belonging to this database system will be owned by user \
                            \"postgres\".\nSuccess. You can now start the database server using:\n\n";
                let _ = sys.write(1, text.as_bytes());
            }
            Dialect::Postgres => {
                let text = "\nPostgreSQL Database directory appears to contain a database; Skipping \
                            initialization\n\n";
                let _ = sys.write(1, text.as_bytes());
            }
        }
        Step::Block { until: Some(ready_at) }
    }

    fn initialize(&mut self, sys: &mut dyn Sys) -> Result<(), String> {
        let env = sys.env().clone();
        let get = |name: &str| env.get(name).filter(|value| !value.is_empty()).cloned();
        match self.dialect {
            Dialect::Mysql => {
                let empty = get("MYSQL_ALLOW_EMPTY_PASSWORD").is_some();
                let password = get("MYSQL_ROOT_PASSWORD");
                if password.is_none() && !empty && get("MYSQL_RANDOM_ROOT_PASSWORD").is_none() {
                    let time = clock::format(sys.now(), clock::ISO_SECONDS);
                    return Err(format!(
                        "{time}+00:00 [ERROR] [Entrypoint]: Database is uninitialized and password \
                         option is not specified\n    You need to specify one of the following as an \
                         environment variable:\n    - MYSQL_ROOT_PASSWORD\n    - \
                         MYSQL_ALLOW_EMPTY_PASSWORD\n    - MYSQL_RANDOM_ROOT_PASSWORD\n"
                    ));
                }
                self.saved.users.insert("root".to_owned(), password.unwrap_or_default());
                if let Some(user) = get("MYSQL_USER") {
                    self.saved.users.insert(user, get("MYSQL_PASSWORD").unwrap_or_default());
                }
                for name in ["information_schema", "mysql", "performance_schema", "sys"] {
                    self.saved.store.make(name);
                }
                if let Some(database) = get("MYSQL_DATABASE") {
                    self.saved.store.make(&database);
                }
            }
            Dialect::Postgres => {
                let Some(password) = get("POSTGRES_PASSWORD") else {
                    let trusts = get("POSTGRES_HOST_AUTH_METHOD").as_deref() == Some("trust");
                    if !trusts {
                        return Err(NO_PASSWORD.to_owned());
                    }
                    self.initialize_postgres(&env, String::new());
                    return Ok(());
                };
                self.initialize_postgres(&env, password);
            }
            Dialect::Mongo => {
                if let Some(user) = get("MONGO_INITDB_ROOT_USERNAME") {
                    let password = get("MONGO_INITDB_ROOT_PASSWORD").unwrap_or_default();
                    self.saved.users.insert(user, password);
                }
            }
        }
        Ok(())
    }

    fn initialize_postgres(&mut self, env: &BTreeMap<String, String>, password: String) {
        let user = env.get("POSTGRES_USER").cloned().unwrap_or_else(|| "postgres".to_owned());
        let database = env.get("POSTGRES_DB").cloned().unwrap_or_else(|| user.clone());
        self.saved.users.insert(user, password);
        for name in ["postgres", "template0", "template1", &database] {
            self.saved.store.make(name);
        }
    }

    fn save(&self, sys: &mut dyn Sys) -> Result<(), Errno> {
        let path = self.dialect.data(sys);
        let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder).to_owned();
        let bytes = serde_json::to_vec(&self.saved).unwrap_or_default();
        sys.fs().mkdir_all(&folder)?;
        sys.fs().write(&path, &bytes)
    }

    fn listen(&mut self, sys: &mut dyn Sys) -> Result<(), Step> {
        let port = self.dialect.port();
        let at = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let listened = sys.net().ok_or(Errno::NetUnreachable).and_then(|net| net.tcp_listen(at));
        match listened {
            Ok(listener) => self.listener = Some(listener),
            Err(errno) => {
                let line = format!("could not listen on port {port}: {errno}");
                self.say(sys, &line, &line);
                return Err(Step::Exit(1));
            }
        }
        let version = version(sys, self.dialect);
        let mysql = format!(
            "mysqld: ready for connections. Version: '{version}'  socket: \
             '/var/run/mysqld/mysqld.sock'  port: 3306  MySQL Community Server - GPL."
        );
        if self.dialect == Dialect::Postgres {
            self.say(sys, "", "listening on IPv4 address \"0.0.0.0\", port 5432");
        }
        self.say(sys, &mysql, "database system is ready to accept connections");
        Ok(())
    }

    /// A line of the log, in the words of either.
    fn say(&self, sys: &mut dyn Sys, mysql: &str, postgres: &str) {
        let line = match self.dialect {
            Dialect::Mysql => {
                let time = clock::format(sys.now(), clock::ISO_MILLIS);
                let time = time.trim_end_matches('Z');
                format!("{time}000Z 0 [System] [MY-010931] [Server] /usr/sbin/{mysql}\n")
            }
            Dialect::Postgres => {
                let time = clock::format(sys.now(), clock::ISO_MILLIS).replace('T', " ");
                let time = time.trim_end_matches('Z');
                format!("{time} UTC [{}] LOG:  {postgres}\n", sys.pid())
            }
            Dialect::Mongo => mongo_line(sys, "I", "NETWORK", "Waiting for connections"),
        };
        let fd = if self.dialect == Dialect::Mongo { 1 } else { 2 };
        let _ = sys.write(fd, line.as_bytes());
    }

    fn serve(&mut self, sys: &mut dyn Sys) {
        let Some(listener) = self.listener else { return };
        while let Some(Ok((socket, peer))) = sys.net().map(|net| net.accept(listener)) {
            let host = match peer.ip().is_loopback() {
                true => "localhost".to_owned(),
                false => peer.ip().to_string(),
            };
            if self.clients.len() < CLIENTS_MAX {
                self.clients.push(Client { socket, host, input: Vec::new(), output: Vec::new() });
            } else if let Some(net) = sys.net() {
                net.close(socket);
            }
        }
        let mut clients = std::mem::take(&mut self.clients);
        clients.retain_mut(|client| self.talk(sys, client));
        self.clients = clients;
    }

    /// Goes on with a client; tells whether it is still there.
    fn talk(&mut self, sys: &mut dyn Sys, client: &mut Client) -> bool {
        loop {
            let Some(net) = sys.net() else { return false };
            match net.recv(client.socket, READ_MAX) {
                Ok(bytes) if bytes.is_empty() => {
                    net.close(client.socket);
                    return false;
                }
                Ok(bytes) => client.input.extend(bytes),
                Err(Errno::Again) => break,
                Err(_) => return false,
            }
            if client.input.len() > QUESTION_MAX {
                net.close(client.socket);
                return false;
            }
        }
        while let Some(end) = client.input.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = client.input.drain(..=end).collect();
            let Ok(question) = serde_json::from_slice::<Question>(&line) else { return false };
            sys.burn(Duration::from_micros(400));
            let outcome = self.answer(sys, &question, &client.host);
            let reply = Reply { outcome, version: version(sys, self.dialect) };
            client.output.extend(serde_json::to_vec(&reply).unwrap_or_default());
            client.output.push(b'\n');
        }
        while !client.output.is_empty() {
            match sys.net().map(|net| net.send(client.socket, &client.output)) {
                Some(Ok(taken)) if taken > 0 => drop(client.output.drain(..taken)),
                Some(Ok(_) | Err(Errno::Again)) => break,
                _ => return false,
            }
        }
        true
    }

    fn answer(
        &mut self,
        sys: &mut dyn Sys,
        question: &Question,
        host: &str,
    ) -> Result<Outcome, SqlError> {
        if self.dialect == Dialect::Mongo {
            return self.answer_mongo(sys, question, host);
        }
        let password = self.saved.users.get(&question.user);
        if password.is_none_or(|password| *password != question.password) {
            let (user, password) = (question.user.clone(), !question.password.is_empty());
            return Err(SqlError::Denied { user, password, host: host.to_owned() });
        }
        let database = &question.database;
        if !database.is_empty() && !self.saved.store.has(database) {
            return Err(SqlError::UnknownDatabase(database.clone()));
        }
        if question.sql.trim().is_empty() {
            return Ok(Outcome::Done { verb: String::new(), count: 0 });
        }
        let statement =
            parse(&question.sql).map_err(|error| SqlError::Syntax { near: error.near })?;
        let reads = matches!(
            statement,
            Statement::Select(_)
                | Statement::ShowDatabases
                | Statement::ShowTables
                | Statement::Describe(_)
        );
        let now = clock::format(sys.now(), clock::ISO_SECONDS).replace('T', " ");
        let around = Around {
            now: now.trim_end_matches('Z').to_owned(),
            hostname: sys.hostname().to_owned(),
            version: version(sys, self.dialect),
            user: question.user.clone(),
        };
        let outcome = self.saved.store.run(statement, database, &around)?;
        if !reads {
            self.save(sys).map_err(|_| SqlError::Full)?;
        }
        Ok(outcome)
    }
}

impl SqlServer {
    /// Who says nobody is let in where there are no users.
    fn answer_mongo(
        &mut self,
        sys: &mut dyn Sys,
        question: &Question,
        host: &str,
    ) -> Result<Outcome, SqlError> {
        let known = self.saved.users.get(&question.user) == Some(&question.password);
        let asks = !question.sql.is_empty();
        if !known && !self.saved.users.is_empty() {
            if question.user.is_empty() && asks {
                let why = "MongoServerError[Unauthorized]: Command requires authentication";
                return Err(SqlError::Other(why.to_owned()));
            }
            if !question.user.is_empty() {
                let (user, host) = (question.user.clone(), host.to_owned());
                return Err(SqlError::Denied { user, password: true, host });
            }
        }
        if !asks {
            return Ok(Outcome::Text(String::new()));
        }
        let seed = sys.rng().next_u64();
        let (outcome, wrote) = self.saved.documents.run(&question.sql, &question.database, seed)?;
        if wrote {
            self.save(sys).map_err(|_| SqlError::Full)?;
        }
        Ok(outcome)
    }
}

/// A line of the log of `mongod`.
fn mongo_line(sys: &mut dyn Sys, severity: &str, component: &str, message: &str) -> String {
    let time = clock::format(sys.now(), clock::ISO_MILLIS);
    let time = time.trim_end_matches('Z');
    let message = serde_json::Value::from(message);
    format!(
        "{{\"t\":{{\"$date\":\"{time}+00:00\"}},\"s\":\"{severity}\",\"c\":\"{component}\",\
         \"ctx\":\"initandlisten\",\"msg\":{message}}}\n"
    )
}

fn version(sys: &mut dyn Sys, dialect: Dialect) -> String {
    let (name, default) = match dialect {
        Dialect::Mysql => ("MYSQL_VERSION", "9.3.0"),
        Dialect::Postgres => ("PG_VERSION", "17.5"),
        Dialect::Mongo => ("MONGO_VERSION", "8.0.9"),
    };
    let text = sys.env().get(name).cloned().unwrap_or_else(|| default.to_owned());
    text.split('-').next().unwrap_or_default().to_owned()
}

const NO_PASSWORD: &str = "\
Error: Database is uninitialized and superuser password is not specified.
       You must specify POSTGRES_PASSWORD to a non-empty value for the
       superuser. For example, \"-e POSTGRES_PASSWORD=password\" on \"docker run\".

       You may also use \"POSTGRES_HOST_AUTH_METHOD=trust\" to allow all
       connections without a password. This is *not* recommended.

       See PostgreSQL documentation about \"trust\":
       https://www.postgresql.org/docs/current/auth-trust.html
";
