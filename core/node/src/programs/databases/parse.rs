//! The statements of SQL that the sandbox's databases know.

use super::store::{Column, Condition, Operator, Value};

/// Bytes of a statement.
const STATEMENT_MAX: usize = 64 * 1024;
/// Tokens of a statement.
const TOKENS_MAX: usize = 10_000;

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    CreateDatabase {
        name: String,
        if_absent: bool,
    },
    DropDatabase {
        name: String,
        if_there: bool,
    },
    CreateTable {
        name: Name,
        columns: Vec<Column>,
        if_absent: bool,
    },
    DropTable {
        name: Name,
        if_there: bool,
    },
    Insert {
        table: Name,
        columns: Vec<String>,
        rows: Vec<Vec<Value>>,
    },
    Select(Select),
    Update {
        table: Name,
        set: Vec<(String, Value)>,
        wanted: Vec<Vec<Condition>>,
    },
    Delete {
        table: Name,
        wanted: Vec<Vec<Condition>>,
    },
    Use(String),
    ShowDatabases,
    ShowTables,
    Describe(Name),
    /// What changes nothing here: `BEGIN`, `SET`, `GRANT`, …, by its first word.
    Nothing(String),
}

/// A table, with its database if that is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    pub database: String,
    pub table: String,
}

/// `SELECT`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Select {
    pub items: Vec<Item>,
    pub from: Option<Name>,
    pub wanted: Vec<Vec<Condition>>,
    pub order: Option<(String, bool)>,
    pub limit: Option<usize>,
}

/// What is selected.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    All,
    Column(String, Option<String>),
    Count(Option<String>),
    Literal(Value, String),
    /// `NOW()`, `VERSION()`, `@@hostname`: by its text.
    Call(String, Option<String>),
}

/// A statement that cannot be read: where the trouble begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The text from there on.
    pub near: String,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Text(String),
    Number(String),
    Symbol(String),
}

/// Splits what was typed into statements; what has no `;` yet is left over.
pub fn split(text: &str) -> (Vec<String>, String) {
    let mut statements = Vec::new();
    let mut current = String::new();
    let mut quote: Option<char> = None;
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if matches!(c, '\'' | '"' | '`') => quote = Some(c),
            None if c == ';' => {
                statements.push(std::mem::take(&mut current));
                continue;
            }
            _ => {}
        }
        current.push(c);
    }
    statements.retain(|statement| !statement.trim().is_empty());
    (statements, current)
}

/// Reads one statement.
pub fn parse(text: &str) -> Result<Statement, SyntaxError> {
    let near = || SyntaxError { near: text.trim().chars().take(80).collect() };
    if text.len() > STATEMENT_MAX {
        return Err(near());
    }
    let tokens = lex(text).ok_or_else(near)?;
    let mut reader = Reader { text, tokens, at: 0 };
    let statement = reader.statement()?;
    match reader.peek() {
        None => Ok(statement),
        Some(_) => Err(reader.trouble()),
    }
}

fn lex(text: &str) -> Option<Vec<(Token, usize)>> {
    let mut tokens = Vec::new();
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let mut at = 0;
    while let Some((place, c)) = chars.get(at).copied() {
        if tokens.len() > TOKENS_MAX {
            return None;
        }
        let from = |at: usize, fits: fn(char) -> bool| -> (String, usize) {
            let taken: String =
                chars.iter().skip(at).map(|(_, c)| *c).take_while(|c| fits(*c)).collect();
            let count = taken.chars().count();
            (taken, count)
        };
        let word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let number = |c: char| c.is_ascii_digit() || c == '.';
        match c {
            c if c.is_whitespace() => at += 1,
            '-' if chars.get(at + 1).map(|(_, c)| *c) == Some('-') => {
                at += from(at, |c| c != '\n').1;
            }
            c if c.is_ascii_digit() => {
                let (digits, count) = from(at, number);
                tokens.push((Token::Number(digits), place));
                at += count;
            }
            c if c.is_alphabetic() || c == '_' || c == '@' => {
                let signs = from(at, |c| c == '@').1;
                let (rest, count) = from(at + signs, word);
                tokens.push((Token::Word("@".repeat(signs) + &rest), place));
                at += signs + count;
            }
            '\'' | '"' | '`' => {
                let mut inner = String::new();
                let mut next = at + 1;
                loop {
                    let (_, one) = chars.get(next).copied()?;
                    let following = chars.get(next + 1).map(|(_, c)| *c);
                    next += 1;
                    match one {
                        '\\' if c == '\'' => {
                            inner.push(following?);
                            next += 1;
                        }
                        one if one == c && following == Some(c) => {
                            inner.push(c);
                            next += 1;
                        }
                        one if one == c => break,
                        one => inner.push(one),
                    }
                }
                let token = if c == '\'' { Token::Text(inner) } else { Token::Quoted(inner) };
                tokens.push((token, place));
                at = next;
            }
            _ => {
                let pair: String = chars.iter().skip(at).take(2).map(|(_, c)| *c).collect();
                let symbol = match pair.as_str() {
                    "<=" | ">=" | "<>" | "!=" | "::" => pair,
                    _ => c.to_string(),
                };
                at += symbol.chars().count();
                tokens.push((Token::Symbol(symbol), place));
            }
        }
    }
    Some(tokens)
}

struct Reader<'a> {
    text: &'a str,
    tokens: Vec<(Token, usize)>,
    at: usize,
}

type Read<T> = Result<T, SyntaxError>;

impl Reader<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn trouble(&self) -> SyntaxError {
        let place = self.tokens.get(self.at).map_or(self.text.len(), |(_, place)| *place);
        SyntaxError { near: self.text.get(place..).unwrap_or_default().trim_end().to_owned() }
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(text)) if text.eq_ignore_ascii_case(word))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn words(&mut self, words: &[&str]) -> Read<()> {
        for word in words {
            if !self.take_word(word) {
                return Err(self.trouble());
            }
        }
        Ok(())
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Symbol(text)) if text == symbol);
        self.at += usize::from(found);
        found
    }

    fn symbol(&mut self, symbol: &str) -> Read<()> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.trouble()) }
    }

    fn name(&mut self) -> Read<String> {
        let name = match self.peek() {
            Some(Token::Word(name) | Token::Quoted(name)) => name.clone(),
            _ => return Err(self.trouble()),
        };
        self.at += 1;
        Ok(name)
    }

    fn table(&mut self) -> Read<Name> {
        let first = self.name()?;
        if self.take_symbol(".") {
            return Ok(Name { database: first, table: self.name()? });
        }
        Ok(Name { database: String::new(), table: first })
    }

    fn if_exists(&mut self) -> Read<bool> {
        let said = self.take_word("if");
        if said {
            self.words(&["exists"])?;
        }
        Ok(said)
    }

    fn if_not_exists(&mut self) -> Read<bool> {
        let said = self.take_word("if");
        if said {
            self.words(&["not", "exists"])?;
        }
        Ok(said)
    }

    fn rest(&mut self) {
        self.at = self.tokens.len();
    }

    fn statement(&mut self) -> Read<Statement> {
        let Some(Token::Word(first)) = self.peek().cloned() else { return Err(self.trouble()) };
        let first = first.to_ascii_lowercase();
        let start = self.at;
        self.at += 1;
        Ok(match first.as_str() {
            "create" => self.create()?,
            "drop" => {
                if self.take_word("database") || self.take_word("schema") {
                    let if_there = self.if_exists()?;
                    Statement::DropDatabase { if_there, name: self.name()? }
                } else {
                    self.words(&["table"])?;
                    let if_there = self.if_exists()?;
                    Statement::DropTable { if_there, name: self.table()? }
                }
            }
            "insert" => self.insert()?,
            "select" => Statement::Select(self.select()?),
            "update" => self.update()?,
            "delete" => {
                self.words(&["from"])?;
                Statement::Delete { table: self.table()?, wanted: self.filter()? }
            }
            "use" => Statement::Use(self.name()?),
            "show" if self.take_word("databases") || self.take_word("schemas") => {
                Statement::ShowDatabases
            }
            "show" if self.take_word("tables") => Statement::ShowTables,
            "describe" | "desc" => Statement::Describe(self.table()?),
            "begin" | "commit" | "rollback" | "start" | "set" | "grant" | "flush" | "alter"
            | "revoke" | "analyze" | "vacuum" => {
                self.rest();
                Statement::Nothing(first)
            }
            _ => {
                self.at = start;
                return Err(self.trouble());
            }
        })
    }

    fn create(&mut self) -> Read<Statement> {
        if self.take_word("database") || self.take_word("schema") {
            let if_absent = self.if_not_exists()?;
            let name = self.name()?;
            self.rest();
            return Ok(Statement::CreateDatabase { name, if_absent });
        }
        if self.is_word("user") || self.is_word("role") || self.is_word("index") {
            self.rest();
            return Ok(Statement::Nothing("create".to_owned()));
        }
        self.words(&["table"])?;
        let if_absent = self.if_not_exists()?;
        let name = self.table()?;
        self.symbol("(")?;
        let mut columns: Vec<Column> = Vec::new();
        loop {
            if self.take_word("primary") {
                self.words(&["key"])?;
                self.symbol("(")?;
                let key = self.name()?;
                self.symbol(")")?;
                for column in columns.iter_mut().filter(|column| column.name == key) {
                    column.primary = true;
                }
            } else {
                columns.push(self.column()?);
            }
            if !self.take_symbol(",") {
                break;
            }
        }
        self.symbol(")")?;
        // ENGINE=InnoDB and its like.
        self.rest();
        Ok(Statement::CreateTable { name, columns, if_absent })
    }

    fn column(&mut self) -> Read<Column> {
        let name = self.name()?;
        let mut kind = self.name()?.to_lowercase();
        let mut column = Column { name, auto: kind.ends_with("serial"), ..Column::default() };
        if self.take_symbol("(") {
            let mut inner = Vec::new();
            while let Some(Token::Number(number)) = self.peek().cloned() {
                self.at += 1;
                inner.push(number);
                self.take_symbol(",");
            }
            self.symbol(")")?;
            kind = format!("{kind}({})", inner.join(","));
        }
        loop {
            match () {
                () if self.take_word("not") => {
                    self.words(&["null"])?;
                    column.not_null = true;
                }
                () if self.take_word("primary") => {
                    self.words(&["key"])?;
                    column.primary = true;
                }
                () if self.take_word("auto_increment") => column.auto = true,
                () if self.take_word("default") => {
                    column.default = Some(self.value()?);
                }
                () if self.take_word("unique")
                    || self.take_word("null")
                    || self.take_word("unsigned")
                    || self.take_word("precision")
                    || self.take_word("varying") => {}
                () => break,
            }
        }
        column.kind = kind;
        Ok(column)
    }

    fn insert(&mut self) -> Read<Statement> {
        self.words(&["into"])?;
        let table = self.table()?;
        let mut columns = Vec::new();
        if self.take_symbol("(") {
            loop {
                columns.push(self.name()?);
                if !self.take_symbol(",") {
                    break;
                }
            }
            self.symbol(")")?;
        }
        if !self.take_word("values") && !self.take_word("value") {
            return Err(self.trouble());
        }
        let mut rows = Vec::new();
        loop {
            self.symbol("(")?;
            let mut row = Vec::new();
            loop {
                row.push(self.value()?);
                if !self.take_symbol(",") {
                    break;
                }
            }
            self.symbol(")")?;
            rows.push(row);
            if !self.take_symbol(",") {
                break;
            }
        }
        Ok(Statement::Insert { table, columns, rows })
    }

    fn update(&mut self) -> Read<Statement> {
        let table = self.table()?;
        self.words(&["set"])?;
        let mut set = Vec::new();
        loop {
            let name = self.name()?;
            self.symbol("=")?;
            set.push((name, self.value()?));
            if !self.take_symbol(",") {
                break;
            }
        }
        Ok(Statement::Update { table, set, wanted: self.filter()? })
    }

    fn select(&mut self) -> Read<Select> {
        let mut select = Select::default();
        loop {
            let item = self.item()?;
            select.items.push(item);
            if !self.take_symbol(",") {
                break;
            }
        }
        if self.take_word("from") {
            select.from = Some(self.table()?);
        }
        select.wanted = self.filter()?;
        if self.take_word("order") {
            self.words(&["by"])?;
            let column = self.name()?;
            let down = self.take_word("desc");
            self.take_word("asc");
            select.order = Some((column, down));
        }
        if self.take_word("limit") {
            let Some(Token::Number(number)) = self.peek().cloned() else {
                return Err(self.trouble());
            };
            self.at += 1;
            select.limit = number.parse().ok();
        }
        Ok(select)
    }

    fn alias(&mut self) -> Read<Option<String>> {
        if self.take_word("as") { self.name().map(Some) } else { Ok(None) }
    }

    fn item(&mut self) -> Read<Item> {
        if self.take_symbol("*") {
            return Ok(Item::All);
        }
        if let Some(Token::Number(_) | Token::Text(_)) = self.peek() {
            let value = self.value()?;
            let title = self.alias()?.unwrap_or_else(|| value.to_string());
            return Ok(Item::Literal(value, title));
        }
        let name = self.name()?;
        if self.take_symbol("(") {
            let star = self.take_symbol("*");
            self.symbol(")")?;
            if name.eq_ignore_ascii_case("count") && star {
                return Ok(Item::Count(self.alias()?));
            }
            return Ok(Item::Call(format!("{name}()"), self.alias()?));
        }
        match name.starts_with('@') || name.eq_ignore_ascii_case("current_database") {
            true => Ok(Item::Call(name, self.alias()?)),
            false => Ok(Item::Column(name, self.alias()?)),
        }
    }

    /// `WHERE`: any of these, in each of which all holds.
    fn filter(&mut self) -> Read<Vec<Vec<Condition>>> {
        if !self.take_word("where") {
            return Ok(vec![Vec::new()]);
        }
        let mut any = vec![Vec::new()];
        loop {
            let condition = self.condition()?;
            if let Some(all) = any.last_mut() {
                all.push(condition);
            }
            if self.take_word("or") {
                any.push(Vec::new());
            } else if !self.take_word("and") {
                return Ok(any);
            }
        }
    }

    fn condition(&mut self) -> Read<Condition> {
        let column = self.name()?;
        if self.take_word("is") {
            let not = self.take_word("not");
            self.words(&["null"])?;
            let operator = if not { Operator::Filled } else { Operator::Empty };
            return Ok(Condition { column, operator, value: Value::Null });
        }
        if self.take_word("like") {
            return Ok(Condition { column, operator: Operator::Like, value: self.value()? });
        }
        let known = [
            ("=", Operator::Equal),
            ("<>", Operator::Other),
            ("!=", Operator::Other),
            ("<=", Operator::AtMost),
            (">=", Operator::AtLeast),
            ("<", Operator::Less),
            (">", Operator::More),
        ];
        for (symbol, operator) in known {
            if self.take_symbol(symbol) {
                return Ok(Condition { column, operator, value: self.value()? });
            }
        }
        Err(self.trouble())
    }

    fn value(&mut self) -> Read<Value> {
        let minus = self.take_symbol("-");
        let value = match self.peek().cloned() {
            Some(Token::Number(digits)) => {
                let digits = if minus { format!("-{digits}") } else { digits };
                digits
                    .parse()
                    .map(Value::Int)
                    .or_else(|_| digits.parse().map(Value::Float))
                    .map_err(|_| self.trouble())?
            }
            Some(Token::Text(text) | Token::Quoted(text)) if !minus => Value::Text(text),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("null") => Value::Null,
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("true") => Value::Int(1),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("false") => Value::Int(0),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("now") => {
                self.at += 1;
                self.symbol("(")?;
                self.symbol(")")?;
                return Ok(Value::Now);
            }
            _ => return Err(self.trouble()),
        };
        self.at += 1;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_split() {
        let (all, rest) = split("select ';'; use a ; select");
        assert_eq!(all, ["select ';'", " use a "]);
        assert_eq!(rest, " select");
    }

    #[test]
    fn statements_are_read() {
        for text in [
            "CREATE DATABASE IF NOT EXISTS shop",
            "create table t (id int auto_increment primary key, name varchar(20) not null)",
            "insert into t (name) values ('a'), ('it''s')",
            "select id, name as n from t where id > 1 and name like 'a%' or id = 3 order by id desc limit 2",
            "select count(*) from shop.t",
            "update t set name = 'b' where id = 1",
            "delete from t",
            "SELECT @@server_id,NOW()",
            "show tables",
        ] {
            assert!(parse(text).is_ok(), "{text}: {:?}", parse(text));
        }
    }

    #[test]
    fn trouble_is_told_from_where_it_begins() {
        let near = |text: &str| parse(text).unwrap_err().near;
        assert_eq!(near("selec 1"), "selec 1");
        assert_eq!(near("select * form t"), "form t");
        assert_eq!(near("insert into t"), "");
        assert_eq!(near("select 'open"), "select 'open");
    }
}
