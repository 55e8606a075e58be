//! The commands: arguments to questions, answers to text.

use super::flags::Parsed;
use super::help::{self, COMMANDS, Command, ROOT};
use super::members::Cluster;
use super::print::{Format, Printer};
use super::watch::Watch;
use super::{API_VERSION, Failure, VERSION, client};
use naru_api::etcd::{Etcd, KeyValue, Keys};
use naru_shell::Sys;
use std::time::Duration;

/// What a command comes to.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// It is done, and printed this.
    Done(String),
    /// It goes on printing.
    Watch(Box<Watch>),
    /// It gives up after this time.
    GivesUp(Duration, Failure),
}

/// What `etcdctl` takes as the time that an answer took; a real one takes some milliseconds.
const TOOK: &str = "1.2ms";
const COMMAND_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the command line.
pub(super) fn run(sys: &mut dyn Sys) -> Result<Outcome, Failure> {
    let words: Vec<String> = sys.args().iter().skip(1).cloned().collect();
    let env = sys.env().clone();
    let Some((command, rest)) = find(&words)? else {
        Parsed::read(&ROOT, &words, &env)?;
        return Ok(Outcome::Done(help::text(&ROOT)));
    };
    let flags = Parsed::read(command, &rest, &env)?;
    if flags.is_on("help") {
        return Ok(Outcome::Done(help::text(command)));
    }
    if command.name == "version" {
        return Ok(Outcome::Done(format!(
            "etcdctl version: {VERSION}\nAPI version: {API_VERSION}\n"
        )));
    }
    let call = Call { command, flags: &flags };
    call.check_arguments()?;
    client::check_files(&flags, sys)?;
    let format = Format::parse(flags.text("write-out"))?;
    let cluster = Cluster::here(sys);
    for endpoint in flags.endpoints() {
        if let Err(why) = client::reach(&endpoint, &flags, cluster.as_ref()) {
            return Ok(Outcome::GivesUp(COMMAND_TIMEOUT, call.unreachable(&endpoint, &why, sys)));
        }
    }
    let (now, handle) = (sys.now(), sys.rng().below(1 << 40));
    let (Some(cluster), Some(etcd)) = (cluster, sys.api().and_then(|api| api.etcd())) else {
        return Err(Failure::new(Failure::ERROR, "context deadline exceeded"));
    };
    let printer = Printer {
        format,
        hex: flags.is_on("hex"),
        cluster: cluster.id,
        member: cluster.member(),
        term: etcd.status().raft_term,
    };
    call.answer(etcd, &cluster, printer).map_err(|error| match error {
        Refusal::Local(failure) => failure,
        Refusal::Server(why) => {
            let endpoint = flags.endpoints().first().cloned().unwrap_or_default();
            let warning = client::warning(&endpoint, "OutOfRange", &why, now, handle);
            let mut failure = Failure::new(Failure::ERROR, why);
            failure.err.insert_str(0, &warning);
            failure
        }
    })
}

/// The command that the words name, and the words without it; `None`: no command is named.
fn find(words: &[String]) -> Result<Option<(&'static Command, Vec<String>)>, Failure> {
    let mut names: Vec<usize> = Vec::new();
    let mut skip = false;
    for (place, word) in words.iter().enumerate() {
        let flag = word.starts_with('-');
        if !flag && !std::mem::take(&mut skip) {
            names.push(place);
        }
        // A global flag before the command may have its value in the next word.
        skip = flag && !word.contains('=') && takes_value(word);
    }
    let Some(first) = names.first().and_then(|place| words.get(*place)) else { return Ok(None) };
    let second = names.get(1).and_then(|place| words.get(*place)).map_or("", String::as_str);
    let two = format!("{first} {second}");
    let (found, used) = match COMMANDS.iter().find(|command| command.name == two) {
        Some(found) => (found, 2),
        None => match COMMANDS.iter().find(|command| command.name == *first) {
            Some(found) => (found, 1),
            None if first == "help" => return Ok(None),
            None => {
                let why = format!("unknown command \"{first}\" for \"etcdctl\"");
                let err = format!("Error: {why}\nRun 'etcdctl --help' for usage.\nError: {why}\n");
                return Err(Failure { code: Failure::ERROR, out: String::new(), err });
            }
        },
    };
    let used = names.get(..used).unwrap_or_default();
    let rest = words.iter().enumerate().filter(|(place, _)| !used.contains(place));
    Ok(Some((found, rest.map(|(_, word)| word.clone()).collect())))
}

fn takes_value(word: &str) -> bool {
    let name = word.trim_start_matches('-');
    let flags = COMMANDS.iter().flat_map(|command| command.flags).chain(help::GLOBAL);
    let mut fits = flags.filter(|flag| {
        if word.starts_with("--") { flag.name == name } else { flag.short.to_string() == name }
    });
    fits.next().is_some_and(|flag| flag.kind != super::flags::Kind::Bool)
}

/// Who refused.
enum Refusal {
    Local(Failure),
    Server(String),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Refusal::Local(failure)
    }
}

impl From<String> for Refusal {
    fn from(why: String) -> Self {
        Refusal::Server(why)
    }
}

/// One call of a command.
struct Call<'c> {
    command: &'static Command,
    flags: &'c Parsed,
}

impl Call<'_> {
    /// What can be refused without a server.
    fn check_arguments(&self) -> Result<(), Failure> {
        let (flags, args) = (self.flags, &self.flags.args);
        let refuse = |why: &str| Err(Failure::bad_args(why));
        let both = flags.is_on("prefix") && flags.is_on("from-key");
        match (self.command.name, args.len()) {
            ("get", 0) => refuse(
                "get command needs one argument as key and an optional argument as range_end",
            ),
            ("del", 0 | 3..) => refuse(
                "del command needs one argument as key and an optional argument as range_end",
            ),
            ("get" | "del", _) if both => {
                refuse("`--prefix` and `--from-key` cannot be set at the same time, choose one")
            }
            ("get", _) if flags.is_on("keys-only") && flags.is_on("count-only") => refuse(
                "`--keys-only` and `--count-only` cannot be set at the same time, choose one",
            ),
            ("get" | "del", 2..) if flags.is_on("prefix") || flags.is_on("from-key") => refuse(
                "too many arguments, only accept one argument when `--prefix` or `--from-key` is \
                 set",
            ),
            ("get", _) => self.check_order(),
            ("put", 0 | 1) => {
                refuse("put command needs 1 argument and input from stdin or 2 arguments")
            }
            ("compaction", count) if count != 1 => refuse("compaction command needs 1 argument"),
            ("watch", 0) => refuse("bad number of arguments"),
            ("watch", 2..) if flags.is_on("prefix") => {
                refuse("`range_end` and `--prefix` are mutually exclusive")
            }
            _ => Ok(()),
        }
    }

    fn check_order(&self) -> Result<(), Failure> {
        let refuse = |why: String| Err(Failure::new(Failure::BAD_FEATURE, why));
        let consistency = self.flags.text("consistency");
        if !matches!(consistency, "" | "l" | "s") {
            return refuse(format!("unknown consistency flag \"{consistency}\""));
        }
        let order = self.flags.text("order");
        if !matches!(order.to_uppercase().as_str(), "" | "ASCEND" | "DESCEND") {
            return refuse(format!("bad sort order {order}"));
        }
        let target = self.flags.text("sort-by");
        let known = ["", "CREATE", "KEY", "MODIFY", "VALUE", "VERSION"];
        if !known.contains(&target.to_uppercase().as_str()) {
            return refuse(format!("bad sort target {target}"));
        }
        Ok(())
    }

    /// What the command says when an endpoint does not answer.
    fn unreachable(&self, endpoint: &str, why: &str, sys: &mut dyn Sys) -> Failure {
        let handle = sys.rng().below(1 << 40);
        let ends = sys.now() + COMMAND_TIMEOUT;
        let warning = client::warning(endpoint, "DeadlineExceeded", why, ends, handle);
        let deadline = "context deadline exceeded";
        let err = match self.command.name {
            "endpoint health" => format!(
                "{}{endpoint} is unhealthy: failed to commit proposal: {deadline}\nError: \
                 unhealthy cluster\n",
                warning.replacen("\"etcd-client\"", "\"client\"", 1)
            ),
            "endpoint status" => {
                format!("{warning}Failed to get the status of endpoint {endpoint} ({deadline})\n")
            }
            _ => format!("{warning}Error: {deadline}\n"),
        };
        Failure { code: Failure::ERROR, out: String::new(), err }
    }

    fn answer(
        &self,
        etcd: &mut dyn Etcd,
        cluster: &Cluster,
        printer: Printer,
    ) -> Result<Outcome, Refusal> {
        let flags = self.flags;
        let text = match self.command.name {
            "get" => self.get(etcd, &printer)?,
            "put" => {
                let key = flags.args.first().map_or("", String::as_str);
                let value = flags.args.get(1).map_or("", String::as_str);
                let before = etcd
                    .put(key, value.as_bytes())
                    .map_err(|why| Failure::new(Failure::ERROR, why))?;
                let shown = before.as_ref().filter(|_| flags.is_on("prev-kv"));
                printer.put(etcd.status().revision, shown)?
            }
            "del" => {
                let deleted = etcd.delete(&self.keys());
                let shown = if flags.is_on("prev-kv") { deleted.as_slice() } else { &[] };
                printer.del(etcd.status().revision, deleted.len(), shown)?
            }
            "compaction" => {
                let argument = flags.args.first().map_or("", String::as_str);
                let revision = argument.parse().map_err(|_| {
                    let quoted = naru_api::gofmt::quote(argument);
                    let why = format!("strconv.ParseInt: parsing {quoted}: invalid syntax");
                    Failure::new(Failure::ERROR, why)
                })?;
                etcd.compact(revision)?;
                format!("compacted revision {revision}\n")
            }
            "defrag" => self
                .targets(cluster)
                .iter()
                .map(|endpoint| format!("Finished defragmenting etcd member[{endpoint}]\n"))
                .collect(),
            "alarm list" => String::new(),
            "member list" => printer.members(cluster),
            "endpoint status" => printer.status(&self.targets(cluster), &etcd.status()),
            "endpoint health" => printer.health(&self.targets(cluster), TOOK),
            _ => {
                let latest = etcd.status().revision;
                // A watch tells of the revision that it names, too.
                let after = flags.number("rev").checked_sub(1).unwrap_or(latest);
                let watch = Watch::new(self.keys(), after, flags.is_on("prev-kv"), printer);
                return Ok(Outcome::Watch(Box::new(watch)));
            }
        };
        Ok(Outcome::Done(text))
    }

    fn get(&self, etcd: &mut dyn Etcd, printer: &Printer) -> Result<String, Refusal> {
        let flags = self.flags;
        let found = etcd.range(&self.keys(), flags.number("rev"))?;
        if flags.is_on("count-only") && printer.format != Format::Fields {
            let why = "--count-only is only for `--write-out=fields`";
            return Err(Failure::bad_args(why).into());
        }
        if flags.is_on("print-value-only") && printer.format != Format::Simple {
            let why = "print-value-only is only for `--write-out=simple`";
            return Err(Failure::bad_args(why).into());
        }
        let mut kvs = found.kvs;
        let count = kvs.len();
        self.sort(&mut kvs);
        let limit = usize::try_from(flags.number("limit")).unwrap_or(usize::MAX);
        if limit > 0 {
            kvs.truncate(limit);
        }
        let more = kvs.len() < count && !flags.is_on("count-only");
        if flags.is_on("count-only") {
            kvs.clear();
        }
        if flags.is_on("keys-only") {
            kvs.iter_mut().for_each(|kv| kv.value.clear());
        }
        let told = (found.revision, more, count);
        Ok(printer.get(&kvs, told, flags.is_on("print-value-only"))?)
    }

    /// Upstream: a target without an order is sorted upwards.
    fn sort(&self, kvs: &mut [KeyValue]) {
        match self.flags.text("sort-by").to_uppercase().as_str() {
            "CREATE" => kvs.sort_by_key(|kv| kv.create_revision),
            "MODIFY" => kvs.sort_by_key(|kv| kv.mod_revision),
            "VERSION" => kvs.sort_by_key(|kv| kv.version),
            "VALUE" => kvs.sort_by(|a, b| a.value.cmp(&b.value)),
            _ => {}
        }
        if self.flags.text("order").eq_ignore_ascii_case("DESCEND") {
            kvs.reverse();
        }
    }

    fn keys(&self) -> Keys {
        let args = &self.flags.args;
        let key = args.first().cloned().unwrap_or_default();
        match args.get(1) {
            Some(end) => Keys::Between(key, end.clone()),
            None if self.flags.is_on("prefix") => Keys::Prefix(key),
            None if self.flags.is_on("from-key") => Keys::From(key),
            None => Keys::One(key),
        }
    }

    /// The endpoints that a command is about.
    fn targets(&self, cluster: &Cluster) -> Vec<String> {
        if self.flags.is_on("cluster") {
            return cluster.members.iter().flat_map(|member| member.client_urls.clone()).collect();
        }
        self.flags.endpoints()
    }
}
