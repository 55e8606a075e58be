//! Collections of documents, and what statements of MongoDB's shell make of them.

use super::mongo_value::{Bson, arguments, inspect};
use super::store::{Outcome, SqlError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Documents of a collection, and collections of all databases.
const DOCUMENTS_MAX: usize = 10_000;
const COLLECTIONS_MAX: usize = 200;

/// Everything that a server stores: documents by database and collection.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Documents {
    databases: BTreeMap<String, BTreeMap<String, Vec<Bson>>>,
    made: u64,
}

/// A call on a collection, with those that follow it.
struct Chain<'a> {
    collection: &'a str,
    calls: Vec<(&'a str, &'a str)>,
}

impl Documents {
    /// Does a statement; `seed` makes the numbers of new documents. Tells too whether something
    /// was written.
    pub fn run(
        &mut self,
        text: &str,
        database: &str,
        seed: u64,
    ) -> Result<(Outcome, bool), SqlError> {
        let text = text.trim();
        let words: Vec<&str> = text.split_whitespace().collect();
        let said = |text: String| Ok((Outcome::Text(text), false));
        match words.as_slice() {
            ["use", name] => return Ok((Outcome::Using((*name).to_owned()), false)),
            ["show", "dbs" | "databases"] => return said(self.list_databases()),
            ["show", "collections" | "tables"] => {
                let names = self.databases.get(database).into_iter().flat_map(|it| it.keys());
                return said(names.map(|name| format!("{name}\n")).collect());
            }
            ["db"] => return said(format!("{database}\n")),
            _ => {}
        }
        let other = |why: String| SqlError::Other(why);
        if let Some(call) = text.strip_prefix("db.") {
            let command = |name: &str| call.starts_with(name);
            if command("adminCommand(") || command("runCommand(") {
                return self.command(call).map_err(other);
            }
            if command("dropDatabase()") {
                self.databases.remove(database);
                return Ok((Outcome::Text(format!("{{ ok: 1, dropped: '{database}' }}\n")), true));
            }
            if command("version()") {
                return said("8.0.9\n".to_owned());
            }
            let chain = chain(call).map_err(other)?;
            return self.call(&chain, database, seed).map_err(other);
        }
        match text.split(['.', '(', ' ']).next() {
            Some("rs") => Err(other("MongoServerError: not running with --replSet".to_owned())),
            Some(name) => Err(other(format!("ReferenceError: {name} is not defined"))),
            None => said(String::new()),
        }
    }

    fn command(&self, call: &str) -> Result<(Outcome, bool), String> {
        let inner = call.split_once('(').map_or("", |(_, rest)| rest).trim_end_matches(')');
        let values = arguments(inner)?;
        let name = match values.first() {
            Some(Bson::Text(name)) => name.clone(),
            Some(Bson::Doc(fields)) => {
                fields.first().map(|(name, _)| name.clone()).unwrap_or_default()
            }
            _ => String::new(),
        };
        match name.as_str() {
            "ping" | "ismaster" | "hello" => Ok((Outcome::Text("{ ok: 1 }\n".to_owned()), false)),
            name => Err(format!("MongoServerError[CommandNotFound]: no such command: '{name}'")),
        }
    }

    fn list_databases(&self) -> String {
        let own = ["admin", "config", "local"].map(str::to_owned);
        let mut names: Vec<String> = self.databases.keys().cloned().chain(own).collect();
        names.sort();
        names.dedup();
        let width = names.iter().map(String::len).max().unwrap_or(0);
        names.iter().map(|name| format!("{name:<width$}  40.00 KiB\n")).collect()
    }

    fn call(
        &mut self,
        chain: &Chain<'_>,
        database: &str,
        seed: u64,
    ) -> Result<(Outcome, bool), String> {
        let Some(((name, inner), rest)) = chain.calls.split_first() else {
            return Ok((Outcome::Text(format!("{database}.{}\n", chain.collection)), false));
        };
        let values = arguments(inner)?;
        let first = values.first().cloned().unwrap_or(Bson::Doc(Vec::new()));
        let shown = |value: &Bson| Outcome::Text(inspect(value, 0) + "\n");
        let full = self.databases.values().map(BTreeMap::len).sum::<usize>() >= COLLECTIONS_MAX;
        match *name {
            "find" | "findOne" | "count" | "countDocuments" | "estimatedDocumentCount" => {
                let found = self.find(database, chain.collection, &first);
                Ok((read(name, found, rest)?, false))
            }
            "insert" | "insertOne" | "insertMany" => {
                let documents = match first {
                    Bson::List(all) => all,
                    one => vec![one],
                };
                if full {
                    return Err(
                        "MongoServerError: the sandbox keeps no more collections".to_owned()
                    );
                }
                let ids = self.insert(database, chain.collection, documents, seed)?;
                let acknowledged = ("acknowledged".to_owned(), Bson::Bool(true));
                let id = match (*name, ids.as_slice()) {
                    ("insertOne", [id]) => ("insertedId".to_owned(), id.clone()),
                    _ => {
                        let all = ids.into_iter().enumerate().map(|(at, id)| (at.to_string(), id));
                        ("insertedIds".to_owned(), Bson::Doc(all.collect()))
                    }
                };
                Ok((shown(&Bson::Doc(vec![acknowledged, id])), true))
            }
            "updateOne" | "updateMany" => {
                let change = values.get(1).cloned().unwrap_or(Bson::Null);
                let count =
                    self.update(database, chain.collection, &first, &change, *name == "updateOne")?;
                let count = count as f64;
                let fields = [
                    ("acknowledged", Bson::Bool(true)),
                    ("insertedId", Bson::Null),
                    ("matchedCount", Bson::Number(count)),
                    ("modifiedCount", Bson::Number(count)),
                    ("upsertedCount", Bson::Number(0.0)),
                ];
                let fields = fields.map(|(name, value)| (name.to_owned(), value)).to_vec();
                Ok((shown(&Bson::Doc(fields)), true))
            }
            "deleteOne" | "deleteMany" | "remove" => {
                let most = if *name == "deleteOne" { 1 } else { usize::MAX };
                let count = self.delete(database, chain.collection, &first, most);
                Ok((
                    Outcome::Text(format!("{{ acknowledged: true, deletedCount: {count} }}\n")),
                    true,
                ))
            }
            "drop" => {
                let collections = self.databases.entry(database.to_owned()).or_default();
                let gone = collections.remove(chain.collection).is_some();
                Ok((Outcome::Text(format!("{gone}\n")), true))
            }
            name => Err(format!("TypeError: db.{}.{name} is not a function", chain.collection)),
        }
    }

    fn find(&self, database: &str, collection: &str, filter: &Bson) -> Vec<Bson> {
        let all = self.databases.get(database).and_then(|it| it.get(collection));
        all.into_iter().flatten().filter(|document| document.fits(filter)).cloned().collect()
    }

    fn insert(
        &mut self,
        database: &str,
        collection: &str,
        documents: Vec<Bson>,
        seed: u64,
    ) -> Result<Vec<Bson>, String> {
        let made = self.made;
        let all = self.databases.entry(database.to_owned()).or_default();
        let all = all.entry(collection.to_owned()).or_default();
        if all.len() + documents.len() > DOCUMENTS_MAX {
            return Err("MongoServerError: the sandbox keeps no more documents".to_owned());
        }
        let mut ids = Vec::new();
        for (at, document) in (made..).zip(documents) {
            let Bson::Doc(mut fields) = document else {
                return Err(
                    "MongoInvalidArgumentError: Argument \"docs\" must be an array of documents"
                        .to_owned(),
                );
            };
            let own = fields.iter().find(|(name, _)| name == "_id").map(|(_, id)| id.clone());
            let id = own.unwrap_or_else(|| {
                let id = Bson::Id(format!(
                    "{:08x}{:010x}{:06x}",
                    seed >> 40,
                    seed & 0xff_ffff_ffff,
                    at & 0xff_ffff
                ));
                fields.insert(0, ("_id".to_owned(), id.clone()));
                id
            });
            if all.iter().any(|other| other.get("_id") == Some(&id)) {
                return Err(format!(
                    "MongoServerError: E11000 duplicate key error collection: {database}.{collection} \
                     index: _id_ dup key: {{ _id: {} }}",
                    inspect(&id, 0)
                ));
            }
            all.push(Bson::Doc(fields));
            ids.push(id);
        }
        self.made = made + ids.len() as u64;
        Ok(ids)
    }

    fn update(
        &mut self,
        database: &str,
        collection: &str,
        filter: &Bson,
        change: &Bson,
        one: bool,
    ) -> Result<usize, String> {
        let sets = change.get("$set").cloned();
        let adds = change.get("$inc").cloned();
        if sets.is_none() && adds.is_none() {
            return Err(
                "MongoInvalidArgumentError: Update document requires atomic operators".to_owned()
            );
        }
        let all = self.databases.get_mut(database).and_then(|it| it.get_mut(collection));
        let mut count = 0;
        for document in all.into_iter().flatten().filter(|document| document.fits(filter)) {
            if one && count == 1 {
                break;
            }
            count += 1;
            if let Some(Bson::Doc(fields)) = &sets {
                for (name, value) in fields {
                    document.set(name, value.clone());
                }
            }
            if let Some(Bson::Doc(fields)) = &adds {
                for (name, value) in fields {
                    let old = match document.get(name) {
                        Some(Bson::Number(number)) => *number,
                        _ => 0.0,
                    };
                    if let Bson::Number(number) = value {
                        document.set(name, Bson::Number(old + number));
                    }
                }
            }
        }
        Ok(count)
    }

    fn delete(&mut self, database: &str, collection: &str, filter: &Bson, most: usize) -> usize {
        let Some(all) = self.databases.get_mut(database).and_then(|it| it.get_mut(collection))
        else {
            return 0;
        };
        let mut count = 0;
        all.retain(|document| {
            let goes = count < most && document.fits(filter);
            count += usize::from(goes);
            !goes
        });
        count
    }
}

/// What a read shows, after `.sort(…)`, `.limit(…)`, `.pretty()` and their like.
fn read(name: &str, mut found: Vec<Bson>, rest: &[(&str, &str)]) -> Result<Outcome, String> {
    let number = |count: usize| Ok(Outcome::Text(format!("{count}\n")));
    if name != "find" && name != "findOne" {
        return number(found.len());
    }
    if name == "findOne" {
        let text = found.first().map_or_else(|| "null".to_owned(), |it| inspect(it, 0));
        return Ok(Outcome::Text(text + "\n"));
    }
    for (call, inner) in rest {
        let value = arguments(inner)?.into_iter().next();
        match (*call, value) {
            ("limit", Some(Bson::Number(most))) => found.truncate(most as usize),
            ("skip", Some(Bson::Number(first))) => {
                drop(found.drain(..(first as usize).min(found.len())))
            }
            ("sort", Some(Bson::Doc(fields))) => {
                if let Some((path, way)) = fields.first() {
                    let down = matches!(way, Bson::Number(number) if *number < 0.0);
                    found.sort_by(|a, b| {
                        let order = match (a.get(path), b.get(path)) {
                            (Some(a), Some(b)) => a.order(b),
                            _ => None,
                        };
                        let order = order.unwrap_or(std::cmp::Ordering::Equal);
                        if down { order.reverse() } else { order }
                    });
                }
            }
            ("count", _) => return number(found.len()),
            ("pretty" | "toArray", _) => {}
            (call, _) => return Err(format!("TypeError: db.find(...).{call} is not a function")),
        }
    }
    Ok(Outcome::Text(match found.is_empty() {
        true => "\n".to_owned(),
        false => inspect(&Bson::List(found), 0) + "\n",
    }))
}

/// `foo.find({…}).limit(2)`: the collection, and the calls with what is in their parentheses.
fn chain(text: &str) -> Result<Chain<'_>, String> {
    let end = text.find(['.', '(']).unwrap_or(text.len());
    let (collection, mut rest) = text.split_at(end);
    if rest.starts_with('(') {
        return Err(format!("TypeError: db.{collection} is not a function"));
    }
    let mut calls = Vec::new();
    while let Some(next) = rest.strip_prefix('.') {
        let open =
            next.find('(').ok_or_else(|| "SyntaxError: Unexpected token. (1:1)".to_owned())?;
        let (name, after) = next.split_at(open);
        let close =
            closing(after).ok_or_else(|| "SyntaxError: Unexpected token. (1:1)".to_owned())?;
        calls.push((name, after.get(1..close).unwrap_or_default()));
        rest = after.get(close + 1..).unwrap_or_default();
    }
    match rest.trim() {
        "" => Ok(Chain { collection, calls }),
        _ => Err("SyntaxError: Missing semicolon. (1:1)".to_owned()),
    }
}

/// Where the parenthesis that a text begins with is closed.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0_usize, None);
    for (at, c) in text.char_indices() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            (_, Some(_)) => {}
            ('"' | '\'' | '`', None) => quote = Some(c),
            ('(' | '[' | '{', None) => depth += 1,
            (')' | ']' | '}', None) => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_found() {
        let mut documents = Documents::default();
        let mut run = |text: &str| match documents.run(text, "mystore", 7) {
            Ok((Outcome::Text(text), _)) => text,
            other => format!("{other:?}"),
        };
        run("db.foo.insertOne({_id: 1, name: 'foo'})");
        run("db.foo.insertMany([{_id: 2, name: 'bar'}, {_id: 3, name: \"(baz\"}])");
        assert_eq!(run("db.foo.find({name: 'foo'})"), "[ { _id: 1, name: 'foo' } ]\n");
        assert_eq!(run("db.foo.find().sort({_id: -1}).limit(1)"), "[ { _id: 3, name: '(baz' } ]\n");
        assert_eq!(run("db.foo.countDocuments()"), "3\n");
        run("db.foo.updateOne({_id: 1}, {$set: {name: 'new'}, $inc: {n: 2}})");
        assert_eq!(run("db.foo.findOne({_id: 1})"), "{ _id: 1, name: 'new', n: 2 }\n");
        assert_eq!(run("db.foo.deleteMany({})"), "{ acknowledged: true, deletedCount: 3 }\n");
        assert_eq!(run("db.foo.find()"), "\n");
        assert!(run("db.foo.nothing()").contains("is not a function"));
        assert!(run("foo").contains("ReferenceError: foo is not defined"));
    }
}
