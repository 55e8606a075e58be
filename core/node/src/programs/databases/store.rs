//! Databases, tables and rows, and what statements make of them.

use super::parse::{Item, Name, Select, Statement};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

/// Databases, tables of one, rows of one, columns of one.
const DATABASES_MAX: usize = 50;
const TABLES_MAX: usize = 100;
const ROWS_MAX: usize = 10_000;
const COLUMNS_MAX: usize = 50;

/// A value of a row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Value {
    #[default]
    Null,
    Int(i64),
    Float(f64),
    Text(String),
    /// The present moment, until it is stored.
    Now,
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("NULL"),
            Value::Int(number) => write!(f, "{number}"),
            Value::Float(number) => write!(f, "{number}"),
            Value::Text(text) => f.write_str(text),
            Value::Now => f.write_str("now"),
        }
    }
}

/// A column of a table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    pub kind: String,
    pub auto: bool,
    pub primary: bool,
    pub not_null: bool,
    pub default: Option<Value>,
}

impl Column {
    /// Whether it holds numbers.
    pub fn is_number(&self) -> bool {
        let kind = self.kind.as_str();
        [
            "int",
            "bigint",
            "smallint",
            "serial",
            "bigserial",
            "float",
            "double",
            "decimal",
            "numeric",
            "real",
        ]
        .iter()
        .any(|known| kind.starts_with(known))
    }
}

/// What a row is compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Equal,
    Other,
    Less,
    More,
    AtMost,
    AtLeast,
    Like,
    Empty,
    Filled,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    pub column: String,
    pub operator: Operator,
    pub value: Value,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
    next: i64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Database {
    tables: BTreeMap<String, Table>,
}

/// Everything that a server stores.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Store {
    databases: BTreeMap<String, Database>,
}

/// What came of a statement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// Rows, with the columns' titles and whether they hold numbers.
    Rows { titles: Vec<(String, bool)>, rows: Vec<Vec<Value>> },
    /// What was done, how many rows it was done to.
    Done { verb: String, count: usize },
    /// Another database is used now.
    Using(String),
    /// What is to be shown, as it is.
    Text(String),
}

/// Why a statement cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SqlError {
    Syntax {
        near: String,
    },
    NoDatabaseSelected,
    UnknownDatabase(String),
    DatabaseExists(String),
    NoTable {
        database: String,
        table: String,
    },
    TableExists(String),
    UnknownColumn(String),
    WrongCount,
    Duplicate {
        value: String,
        table: String,
    },
    NotNull {
        table: String,
        column: String,
    },
    Denied {
        user: String,
        password: bool,
        host: String,
    },
    Full,
    /// In the words of a server that has others.
    Other(String),
}

/// What statements may ask of their surroundings.
#[derive(Clone, Debug, Default)]
pub struct Around {
    pub now: String,
    pub hostname: String,
    pub version: String,
    pub user: String,
}

impl Store {
    /// Whether there is such a database.
    pub fn has(&self, database: &str) -> bool {
        self.databases.contains_key(database)
    }

    /// Makes a database if it is not there.
    pub fn make(&mut self, database: &str) {
        self.databases.entry(database.to_owned()).or_default();
    }

    /// Does a statement.
    pub fn run(
        &mut self,
        statement: Statement,
        database: &str,
        around: &Around,
    ) -> Result<Outcome, SqlError> {
        let done = |verb: &str, count: usize| Ok(Outcome::Done { verb: verb.to_owned(), count });
        match statement {
            Statement::CreateDatabase { name, if_absent } => {
                if self.has(&name) && !if_absent {
                    return Err(SqlError::DatabaseExists(name));
                }
                if self.databases.len() >= DATABASES_MAX {
                    return Err(SqlError::Full);
                }
                self.make(&name);
                done("CREATE DATABASE", 1)
            }
            Statement::DropDatabase { name, if_there } => {
                if self.databases.remove(&name).is_none() && !if_there {
                    return Err(SqlError::UnknownDatabase(name));
                }
                done("DROP DATABASE", 0)
            }
            Statement::Use(name) => match self.has(&name) {
                true => Ok(Outcome::Using(name)),
                false => Err(SqlError::UnknownDatabase(name)),
            },
            Statement::ShowDatabases => {
                let rows = self.databases.keys().map(|name| vec![Value::Text(name.clone())]);
                let titles = vec![("Database".to_owned(), false)];
                Ok(Outcome::Rows { titles, rows: rows.collect() })
            }
            Statement::ShowTables => {
                let tables = &self.database(database)?.tables;
                let rows = tables.keys().map(|name| vec![Value::Text(name.clone())]).collect();
                Ok(Outcome::Rows { titles: vec![(format!("Tables_in_{database}"), false)], rows })
            }
            Statement::Describe(name) => self.describe(&name, database),
            Statement::CreateTable { name, columns, if_absent } => {
                let full = columns.len() > COLUMNS_MAX;
                let tables = &mut self.database_mut(pick(&name, database))?.tables;
                if tables.contains_key(&name.table) {
                    return match if_absent {
                        true => done("CREATE TABLE", 0),
                        false => Err(SqlError::TableExists(name.table)),
                    };
                }
                if full || tables.len() >= TABLES_MAX {
                    return Err(SqlError::Full);
                }
                tables.insert(name.table, Table { columns, rows: Vec::new(), next: 1 });
                done("CREATE TABLE", 0)
            }
            Statement::DropTable { name, if_there } => {
                let database = pick(&name, database);
                let gone = self.database_mut(database)?.tables.remove(&name.table);
                match gone.is_some() || if_there {
                    true => done("DROP TABLE", 0),
                    false => Err(missing(database, &name)),
                }
            }
            Statement::Insert { table, columns, rows } => {
                let count = rows.len();
                let name = table.table.clone();
                self.table_mut(&table, database)?.insert(&name, &columns, rows, around)?;
                done("INSERT", count)
            }
            Statement::Select(select) => self.select(&select, database, around),
            Statement::Update { table, set, wanted } => {
                let count = self.table_mut(&table, database)?.update(&set, &wanted, around)?;
                done("UPDATE", count)
            }
            Statement::Delete { table, wanted } => {
                let table = self.table_mut(&table, database)?;
                let before = table.rows.len();
                let keep = table.unwanted(&wanted)?;
                let mut keep = keep.into_iter();
                table.rows.retain(|_| keep.next().unwrap_or(true));
                done("DELETE", before - table.rows.len())
            }
            Statement::Nothing(verb) => done(&verb.to_uppercase(), 0),
        }
    }

    fn database(&self, name: &str) -> Result<&Database, SqlError> {
        if name.is_empty() {
            return Err(SqlError::NoDatabaseSelected);
        }
        self.databases.get(name).ok_or_else(|| SqlError::UnknownDatabase(name.to_owned()))
    }

    fn database_mut(&mut self, name: &str) -> Result<&mut Database, SqlError> {
        if name.is_empty() {
            return Err(SqlError::NoDatabaseSelected);
        }
        self.databases.get_mut(name).ok_or_else(|| SqlError::UnknownDatabase(name.to_owned()))
    }

    fn table(&self, name: &Name, database: &str) -> Result<&Table, SqlError> {
        let database = pick(name, database);
        self.database(database)?.tables.get(&name.table).ok_or_else(|| missing(database, name))
    }

    fn table_mut(&mut self, name: &Name, database: &str) -> Result<&mut Table, SqlError> {
        let database = pick(name, database);
        self.database_mut(database)?
            .tables
            .get_mut(&name.table)
            .ok_or_else(|| missing(database, name))
    }

    fn describe(&self, name: &Name, database: &str) -> Result<Outcome, SqlError> {
        let titles = ["Field", "Type", "Null", "Key", "Default", "Extra"];
        let text = |text: &str| Value::Text(text.to_owned());
        let row = |column: &Column| {
            let null = if column.not_null || column.primary { "NO" } else { "YES" };
            vec![
                text(&column.name),
                text(&column.kind),
                text(null),
                text(if column.primary { "PRI" } else { "" }),
                column.default.clone().unwrap_or_default(),
                text(if column.auto { "auto_increment" } else { "" }),
            ]
        };
        let rows = self.table(name, database)?.columns.iter().map(row).collect();
        Ok(Outcome::Rows { titles: titles.map(|it| (it.to_owned(), false)).to_vec(), rows })
    }

    fn select(
        &self,
        select: &Select,
        database: &str,
        around: &Around,
    ) -> Result<Outcome, SqlError> {
        let none = Table { columns: Vec::new(), rows: vec![Vec::new()], next: 1 };
        let table = match &select.from {
            Some(name) => self.table(name, database)?,
            None => &none,
        };
        let mut rows: Vec<&Vec<Value>> = Vec::new();
        for (row, unwanted) in table.rows.iter().zip(table.unwanted(&select.wanted)?) {
            if !unwanted {
                rows.push(row);
            }
        }
        if let Some((column, down)) = &select.order {
            let place = table.place(column)?;
            rows.sort_by(|a, b| {
                let order = compare(a.get(place), b.get(place));
                if *down { order.reverse() } else { order }
            });
        }
        if select.items.iter().any(|item| matches!(item, Item::Count(_))) {
            let title = select.items.iter().find_map(|item| match item {
                Item::Count(alias) => Some(alias.clone()),
                _ => None,
            });
            let title = title.flatten().unwrap_or_else(|| "count(*)".to_owned());
            let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
            let rows = vec![vec![Value::Int(count)]];
            return Ok(Outcome::Rows { titles: vec![(title, true)], rows });
        }
        rows.truncate(select.limit.unwrap_or(ROWS_MAX));
        let mut titles = Vec::new();
        let mut takes: Vec<Take> = Vec::new();
        for item in &select.items {
            match item {
                Item::All => {
                    for (place, column) in table.columns.iter().enumerate() {
                        titles.push((column.name.clone(), column.is_number()));
                        takes.push(Take::Column(place));
                    }
                }
                Item::Column(name, alias) => {
                    let place = table.place(name)?;
                    let number = table.columns.get(place).is_some_and(Column::is_number);
                    titles.push((alias.clone().unwrap_or_else(|| name.clone()), number));
                    takes.push(Take::Column(place));
                }
                Item::Literal(value, title) => {
                    titles.push((title.clone(), matches!(value, Value::Int(_) | Value::Float(_))));
                    takes.push(Take::Value(value.clone()));
                }
                Item::Call(call, alias) => {
                    let value = called(call, database, around)?;
                    let number = matches!(value, Value::Int(_));
                    titles.push((alias.clone().unwrap_or_else(|| call.clone()), number));
                    takes.push(Take::Value(value));
                }
                Item::Count(_) => {}
            }
        }
        let pick = |row: &Vec<Value>| {
            let value = |take: &Take| match take {
                Take::Column(place) => row.get(*place).cloned().unwrap_or_default(),
                Take::Value(value) => value.clone(),
            };
            takes.iter().map(value).collect()
        };
        Ok(Outcome::Rows { titles, rows: rows.into_iter().map(pick).collect() })
    }
}

enum Take {
    Column(usize),
    Value(Value),
}

fn called(call: &str, database: &str, around: &Around) -> Result<Value, SqlError> {
    Ok(match call.to_ascii_lowercase().as_str() {
        "now()" | "current_timestamp()" => Value::Text(around.now.clone()),
        "version()" | "@@version" => Value::Text(around.version.clone()),
        "@@hostname" => Value::Text(around.hostname.clone()),
        // A StatefulSet's members are told apart by their ordinals, as the documentation's are.
        "@@server_id" => {
            let ordinal = around.hostname.rsplit('-').next().and_then(|it| it.parse::<i64>().ok());
            Value::Int(ordinal.map_or(1, |ordinal| 100 + ordinal))
        }
        "database()" | "current_database()" | "current_database" => match database {
            "" => Value::Null,
            name => Value::Text(name.to_owned()),
        },
        "user()" | "current_user()" => Value::Text(around.user.clone()),
        other => return Err(SqlError::UnknownColumn(other.to_owned())),
    })
}

fn pick<'a>(name: &'a Name, database: &'a str) -> &'a str {
    if name.database.is_empty() { database } else { &name.database }
}

fn missing(database: &str, name: &Name) -> SqlError {
    SqlError::NoTable { database: database.to_owned(), table: name.table.clone() }
}

fn compare(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    let number = |value: &Value| match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    };
    let (a, b) = (a.unwrap_or(&Value::Null), b.unwrap_or(&Value::Null));
    match (a, b) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (a, b) => match (number(a), number(b)) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => a.to_string().cmp(&b.to_string()),
        },
    }
}

/// Whether a text is like a pattern of `%` and `_`.
fn like(pattern: &[char], text: &[char]) -> bool {
    let mut reach: Vec<bool> = std::iter::once(true).chain(text.iter().map(|_| false)).collect();
    for p in pattern {
        let mut next = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            let here = reach.get(at).copied().unwrap_or(false);
            let left = at > 0 && next.get(at - 1).copied().unwrap_or(false);
            let before = at > 0 && reach.get(at - 1).copied().unwrap_or(false);
            let same =
                at > 0 && text.get(at - 1).is_some_and(|c| *p == '_' || p.eq_ignore_ascii_case(c));
            if let Some(cell) = next.get_mut(at) {
                *cell = if *p == '%' { here || left } else { before && same };
            }
        }
        reach = next;
    }
    reach.last().copied().unwrap_or(false)
}

impl Table {
    fn place(&self, name: &str) -> Result<usize, SqlError> {
        let found = self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
        found.ok_or_else(|| SqlError::UnknownColumn(name.to_owned()))
    }

    /// For each row whether no alternative fits it.
    fn unwanted(&self, wanted: &[Vec<Condition>]) -> Result<Vec<bool>, SqlError> {
        for condition in wanted.iter().flatten() {
            self.place(&condition.column)?;
        }
        let holds = |row: &Vec<Value>, condition: &Condition| {
            let value = self.place(&condition.column).ok().and_then(|place| row.get(place));
            let order = compare(value, Some(&condition.value));
            let null = matches!(value, None | Some(Value::Null));
            match condition.operator {
                Operator::Empty => null,
                Operator::Filled => !null,
                _ if null => false,
                Operator::Equal => order == Ordering::Equal,
                Operator::Other => order != Ordering::Equal,
                Operator::Less => order == Ordering::Less,
                Operator::More => order == Ordering::Greater,
                Operator::AtMost => order != Ordering::Greater,
                Operator::AtLeast => order != Ordering::Less,
                Operator::Like => {
                    let chars = |value: &Value| value.to_string().chars().collect::<Vec<char>>();
                    value.is_some_and(|value| like(&chars(&condition.value), &chars(value)))
                }
            }
        };
        let fits =
            |row: &Vec<Value>| wanted.iter().any(|all| all.iter().all(|one| holds(row, one)));
        Ok(self.rows.iter().map(|row| !fits(row)).collect())
    }

    fn insert(
        &mut self,
        name: &str,
        columns: &[String],
        rows: Vec<Vec<Value>>,
        around: &Around,
    ) -> Result<(), SqlError> {
        let places: Vec<usize> = match columns.is_empty() {
            true => (0..self.columns.len()).collect(),
            false => columns.iter().map(|it| self.place(it)).collect::<Result<_, _>>()?,
        };
        if self.rows.len() + rows.len() > ROWS_MAX {
            return Err(SqlError::Full);
        }
        let mut made = Vec::new();
        for values in rows {
            if values.len() != places.len() {
                return Err(SqlError::WrongCount);
            }
            let mut row: Vec<Value> = self
                .columns
                .iter()
                .map(|column| column.default.clone().unwrap_or_default())
                .collect();
            for (place, value) in places.iter().zip(values) {
                if let Some(cell) = row.get_mut(*place) {
                    *cell = stored(value, around);
                }
            }
            for (column, cell) in self.columns.iter().zip(&mut row) {
                if column.auto && *cell == Value::Null {
                    *cell = Value::Int(self.next);
                }
                if let (true, Value::Int(number)) = (column.auto, &*cell) {
                    self.next = self.next.max(number.saturating_add(1));
                }
                if (column.not_null || column.primary) && *cell == Value::Null {
                    let column = column.name.clone();
                    return Err(SqlError::NotNull { table: name.to_owned(), column });
                }
            }
            self.check_key(name, &row, &made)?;
            made.push(row);
        }
        self.rows.extend(made);
        Ok(())
    }

    fn check_key(&self, name: &str, row: &[Value], made: &[Vec<Value>]) -> Result<(), SqlError> {
        let Some(key) = self.columns.iter().position(|column| column.primary) else {
            return Ok(());
        };
        let value = row.get(key);
        match self.rows.iter().chain(made).any(|other| other.get(key) == value) {
            true => Err(SqlError::Duplicate {
                value: value.map(Value::to_string).unwrap_or_default(),
                table: name.to_owned(),
            }),
            false => Ok(()),
        }
    }

    fn update(
        &mut self,
        set: &[(String, Value)],
        wanted: &[Vec<Condition>],
        around: &Around,
    ) -> Result<usize, SqlError> {
        let places: Vec<(usize, Value)> = set
            .iter()
            .map(|(name, value)| Ok((self.place(name)?, stored(value.clone(), around))))
            .collect::<Result<_, SqlError>>()?;
        let unwanted = self.unwanted(wanted)?;
        let mut count = 0;
        for (row, _) in self.rows.iter_mut().zip(unwanted).filter(|(_, unwanted)| !unwanted) {
            count += 1;
            for (place, value) in &places {
                if let Some(cell) = row.get_mut(*place) {
                    cell.clone_from(value);
                }
            }
        }
        Ok(count)
    }
}

fn stored(value: Value, around: &Around) -> Value {
    match value {
        Value::Now => Value::Text(around.now.clone()),
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    fn run(store: &mut Store, text: &str) -> Result<Outcome, SqlError> {
        store.run(parse(text).unwrap(), "shop", &Around::default())
    }

    #[test]
    fn what_is_stored_is_read_back() {
        let mut store = Store::default();
        store.make("shop");
        run(&mut store, "create table t (id int auto_increment primary key, name varchar(9))")
            .unwrap();
        run(&mut store, "insert into t (name) values ('a'), ('b'), (null)").unwrap();
        let read = |store: &mut Store, text: &str| match run(store, text) {
            Ok(Outcome::Rows { rows, .. }) => rows
                .iter()
                .map(|row| row.iter().map(Value::to_string).collect::<Vec<_>>().join(","))
                .collect::<Vec<_>>()
                .join(";"),
            other => format!("{other:?}"),
        };
        assert_eq!(read(&mut store, "select * from t order by id desc"), "3,NULL;2,b;1,a");
        assert_eq!(read(&mut store, "select name from t where id >= 2 and name is not null"), "b");
        assert_eq!(read(&mut store, "select count(*) from t"), "3");
        assert_eq!(read(&mut store, "select id from t where name like '_' or id = 3"), "1;2;3");
        assert_eq!(
            run(&mut store, "update t set name = 'c' where id < 3"),
            Ok(Outcome::Done { verb: "UPDATE".to_owned(), count: 2 })
        );
        run(&mut store, "delete from t where id = 1").unwrap();
        assert_eq!(read(&mut store, "select * from t"), "2,c;3,NULL");
        let again = run(&mut store, "insert into t values (2, 'x')");
        assert_eq!(
            again,
            Err(SqlError::Duplicate { value: "2".to_owned(), table: "t".to_owned() })
        );
        let none = run(&mut store, "select * from nothing");
        let missing =
            SqlError::NoTable { database: "shop".to_owned(), table: "nothing".to_owned() };
        assert_eq!(none, Err(missing));
    }
}
