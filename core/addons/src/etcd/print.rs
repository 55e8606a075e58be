//! Answers as text: `--write-out`.
//!
//! Upstream: `printer_simple.go`, `printer_json.go`, `printer_fields.go`, `printer_table.go` in
//! `etcdctl/ctlv3/command`.

use super::members::Cluster;
use super::{Failure, VERSION};
use base64ct::{Base64, Encoding};
use naru_api::etcd::{Event, KeyValue, Status};
use naru_api::gofmt::quote;

/// How to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Simple,
    Json,
    Fields,
    Table,
}

/// The form and the cluster that answers are written with.
#[derive(Clone, Debug)]
pub(super) struct Printer {
    pub(super) format: Format,
    pub(super) hex: bool,
    pub(super) cluster: u64,
    pub(super) member: u64,
    pub(super) term: u64,
}

impl Format {
    /// The format of this name.
    pub(super) fn parse(name: &str) -> Result<Format, Failure> {
        match name {
            "" | "simple" => Ok(Format::Simple),
            "json" => Ok(Format::Json),
            "fields" => Ok(Format::Fields),
            "table" => Ok(Format::Table),
            _ => Err(Failure::new(Failure::BAD_FEATURE, "unsupported output format")),
        }
    }
}

impl Printer {
    /// The answer to a get. `more`: there are keys behind the last one; `count`: of all.
    pub(super) fn get(
        &self,
        kvs: &[KeyValue],
        (revision, more, count): (u64, bool, usize),
        value_only: bool,
    ) -> Result<String, Failure> {
        Ok(match self.format {
            Format::Simple => kvs.iter().map(|kv| self.simple(kv, value_only)).collect(),
            Format::Json => {
                let mut fields = self.header(Some(revision));
                if !kvs.is_empty() {
                    fields += &format!(",\"kvs\":[{}]", json_kvs(kvs));
                }
                if more {
                    fields += ",\"more\":true";
                }
                if count > 0 {
                    fields += &format!(",\"count\":{count}");
                }
                format!("{{{fields}}}\n")
            }
            Format::Fields => {
                let kvs: String = kvs.iter().map(|kv| fields("", kv)).collect();
                let header = self.header_fields(revision);
                format!("{header}{kvs}\"More\" : {more}\n\"Count\" : {count}\n")
            }
            Format::Table => return Err(unsupported()),
        })
    }

    /// The answer to a deletion; `before` is empty unless it was asked for.
    pub(super) fn del(
        &self,
        revision: u64,
        count: usize,
        before: &[KeyValue],
    ) -> Result<String, Failure> {
        Ok(match self.format {
            Format::Simple => {
                let before: String = before.iter().map(|kv| self.simple(kv, false)).collect();
                format!("{count}\n{before}")
            }
            Format::Json => {
                let mut fields = self.header(Some(revision));
                if count > 0 {
                    fields += &format!(",\"deleted\":{count}");
                }
                if !before.is_empty() {
                    fields += &format!(",\"prev_kvs\":[{}]", json_kvs(before));
                }
                format!("{{{fields}}}\n")
            }
            Format::Fields => {
                let before: String = before.iter().map(|kv| fields("Prev", kv)).collect();
                format!("{}\"Deleted\" : {count}\n{before}", self.header_fields(revision))
            }
            Format::Table => return Err(unsupported()),
        })
    }

    /// The answer to a put.
    pub(super) fn put(&self, revision: u64, before: Option<&KeyValue>) -> Result<String, Failure> {
        Ok(match self.format {
            Format::Simple => {
                let before = before.map(|kv| self.simple(kv, false)).unwrap_or_default();
                format!("OK\n{before}")
            }
            Format::Json => {
                let before = before.map(|kv| format!(",\"prev_kv\":{}", json_kv(kv)));
                format!("{{{}{}}}\n", self.header(Some(revision)), before.unwrap_or_default())
            }
            Format::Fields => {
                let before = before.map(|kv| fields("Prev", kv)).unwrap_or_default();
                format!("{}{before}", self.header_fields(revision))
            }
            Format::Table => return Err(unsupported()),
        })
    }

    /// One event of a watch.
    pub(super) fn event(&self, event: &Event, prev: bool) -> Result<String, Failure> {
        let before = event.prev_kv.as_ref().filter(|_| prev);
        let kind = if event.deleted { "DELETE" } else { "PUT" };
        let revision = event.kv.mod_revision;
        Ok(match self.format {
            Format::Simple => {
                let before = before.map(|kv| self.simple(kv, false)).unwrap_or_default();
                format!("{kind}\n{before}{}", self.simple(&event.kv, false))
            }
            Format::Json => {
                let kind = if event.deleted { "\"type\":1," } else { "" };
                let before = before.map(|kv| format!(",\"prev_kv\":{}", json_kv(kv)));
                let header = self.header(Some(revision)).replacen("header", "Header", 1);
                format!(
                    "{{{header},\"Events\":[{{{kind}\"kv\":{}{}}}],\"CompactRevision\":0,\
                     \"Canceled\":false,\"Created\":false}}\n",
                    json_kv(&event.kv),
                    before.unwrap_or_default()
                )
            }
            Format::Fields => {
                let before = before.map(|kv| fields("Prev", kv)).unwrap_or_default();
                let header = self.header_fields(revision);
                format!("{header}\"Type\" : {kind}\n{before}{}", fields("", &event.kv))
            }
            Format::Table => return Err(unsupported()),
        })
    }

    /// The answer to `member list`.
    pub(super) fn members(&self, cluster: &Cluster) -> String {
        let rows: Vec<Vec<String>> = cluster
            .members
            .iter()
            .map(|member| {
                vec![
                    format!("{:x}", member.id),
                    "started".to_owned(),
                    member.name.clone(),
                    member.peer_urls.join(","),
                    member.client_urls.join(","),
                    "false".to_owned(),
                ]
            })
            .collect();
        match self.format {
            Format::Simple => lines(&rows),
            Format::Table => {
                table(&["ID", "STATUS", "NAME", "PEER ADDRS", "CLIENT ADDRS", "IS LEARNER"], &rows)
            }
            Format::Json => {
                let (id, clients) =
                    if self.hex { ("\"ID\":\"", "clientURLS") } else { ("\"ID\":", "clientURLs") };
                let members = cluster.members.iter().map(|member| {
                    let number =
                        if self.hex { format!("{:x}\"", member.id) } else { member.id.to_string() };
                    format!(
                        "{{{id}{number},\"name\":{},\"peerURLs\":{},\"{clients}\":{}}}",
                        serde_json::json!(member.name),
                        serde_json::json!(member.peer_urls),
                        serde_json::json!(member.client_urls)
                    )
                });
                let members: Vec<String> = members.collect();
                format!("{{{},\"members\":[{}]}}\n", self.header(None), members.join(","))
            }
            Format::Fields => {
                let mut text = self.header_fields(0);
                for member in &cluster.members {
                    text +=
                        &format!("\"ID\" : {}\n\"Name\" : {}\n", member.id, quote(&member.name));
                    for url in &member.peer_urls {
                        text += &format!("\"PeerURL\" : {}\n", quote(url));
                    }
                    for url in &member.client_urls {
                        text += &format!("\"ClientURL\" : {}\n", quote(url));
                    }
                    text += "\"IsLearner\" : false\n\n";
                }
                text
            }
        }
    }

    /// The answer to `endpoint status`, of endpoints that all are the same member.
    pub(super) fn status(&self, endpoints: &[String], status: &Status) -> String {
        let Status { revision, db_size, db_size_in_use, raft_term, raft_index } = *status;
        let rows: Vec<Vec<String>> = endpoints
            .iter()
            .map(|endpoint| {
                vec![
                    endpoint.clone(),
                    format!("{:x}", self.member),
                    VERSION.to_owned(),
                    human_bytes(db_size),
                    "true".to_owned(),
                    "false".to_owned(),
                    raft_term.to_string(),
                    raft_index.to_string(),
                    raft_index.to_string(),
                    String::new(),
                ]
            })
            .collect();
        let member = self.member;
        match self.format {
            Format::Simple => lines(&rows),
            Format::Table => table(
                &[
                    "ENDPOINT",
                    "ID",
                    "VERSION",
                    "DB SIZE",
                    "IS LEADER",
                    "IS LEARNER",
                    "RAFT TERM",
                    "RAFT INDEX",
                    "RAFT APPLIED INDEX",
                    "ERRORS",
                ],
                &rows,
            ),
            Format::Json => {
                let header = self.header_numbers(Some(revision));
                let all = endpoints.iter().map(|endpoint| {
                    format!(
                        "{{\"Endpoint\":{},\"Status\":{{{header},\"version\":\"{VERSION}\",\
                         \"dbSize\":{db_size},\"leader\":{member},\"raftIndex\":{raft_index},\
                         \"raftTerm\":{raft_term},\"raftAppliedIndex\":{raft_index},\
                         \"dbSizeInUse\":{db_size_in_use}}}}}",
                        serde_json::json!(endpoint)
                    )
                });
                format!("[{}]\n", all.collect::<Vec<_>>().join(","))
            }
            Format::Fields => {
                let header = self.header_fields(revision);
                let one = |endpoint: &String| {
                    format!(
                        "{header}\"Version\" : \"{VERSION}\"\n\"DBSize\" : {db_size}\n\"Leader\" : \
                         {member}\n\"IsLearner\" : false\n\"RaftIndex\" : {raft_index}\n\
                         \"RaftTerm\" : {raft_term}\n\"RaftAppliedIndex\" : {raft_index}\n\
                         \"Errors\" : []\n\"Endpoint\" : {}\n\n",
                        quote(endpoint)
                    )
                };
                endpoints.iter().map(one).collect()
            }
        }
    }

    /// The answer to `endpoint health`; `took` is as Go prints a duration.
    pub(super) fn health(&self, endpoints: &[String], took: &str) -> String {
        match self.format {
            Format::Simple => endpoints
                .iter()
                .map(|endpoint| {
                    format!(
                        "{endpoint} is healthy: successfully committed proposal: took = {took}\n"
                    )
                })
                .collect(),
            Format::Table => {
                let row = |endpoint: &String| {
                    vec![endpoint.clone(), "true".to_owned(), took.to_owned(), String::new()]
                };
                let rows: Vec<_> = endpoints.iter().map(row).collect();
                table(&["ENDPOINT", "HEALTH", "TOOK", "ERROR"], &rows)
            }
            Format::Json => {
                let one = |endpoint: &String| {
                    let endpoint = serde_json::json!(endpoint);
                    format!("{{\"endpoint\":{endpoint},\"health\":true,\"took\":\"{took}\"}}")
                };
                format!("[{}]\n", endpoints.iter().map(one).collect::<Vec<_>>().join(","))
            }
            Format::Fields => endpoints
                .iter()
                .map(|endpoint| {
                    let endpoint = quote(endpoint);
                    format!(
                        "\"Endpoint\" : {endpoint}\n\"Health\" : true\n\"Took\" : {took}\n\
                         \"Error\" : \n\n"
                    )
                })
                .collect(),
        }
    }

    fn simple(&self, kv: &KeyValue, value_only: bool) -> String {
        let text = |bytes: &[u8]| match self.hex {
            true => bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect(),
            false => String::from_utf8_lossy(bytes).into_owned(),
        };
        let (key, value) = (text(kv.key.as_bytes()), text(&kv.value));
        if value_only { format!("{value}\n") } else { format!("{key}\n{value}\n") }
    }

    fn header(&self, revision: Option<u64>) -> String {
        if !self.hex || revision.is_some() {
            return self.header_numbers(revision);
        }
        let (cluster, member, term) = (self.cluster, self.member, self.term);
        format!(
            "\"header\":{{\"cluster_id\":\"{cluster:x}\",\"member_id\":\"{member:x}\",\
             \"raft_term\":{term}}}"
        )
    }

    fn header_numbers(&self, revision: Option<u64>) -> String {
        let (cluster, member, term) = (self.cluster, self.member, self.term);
        let revision = revision.map(|number| format!("\"revision\":{number},")).unwrap_or_default();
        format!(
            "\"header\":{{\"cluster_id\":{cluster},\"member_id\":{member},{revision}\
             \"raft_term\":{term}}}"
        )
    }

    fn header_fields(&self, revision: u64) -> String {
        let (cluster, member, term) = (self.cluster, self.member, self.term);
        format!(
            "\"ClusterID\" : {cluster}\n\"MemberID\" : {member}\n\"Revision\" : {revision}\n\
             \"RaftTerm\" : {term}\n"
        )
    }
}

fn unsupported() -> Failure {
    Failure::new(Failure::BAD_FEATURE, "table not supported as output format")
}

fn fields(prefix: &str, kv: &KeyValue) -> String {
    let value = String::from_utf8_lossy(&kv.value);
    format!(
        "\"{prefix}Key\" : {}\n\"{prefix}CreateRevision\" : {}\n\"{prefix}ModRevision\" : {}\n\
         \"{prefix}Version\" : {}\n\"{prefix}Value\" : {}\n\"{prefix}Lease\" : {}\n",
        quote(&kv.key),
        kv.create_revision,
        kv.mod_revision,
        kv.version,
        quote(&value),
        kv.lease
    )
}

fn json_kvs(kvs: &[KeyValue]) -> String {
    kvs.iter().map(json_kv).collect::<Vec<_>>().join(",")
}

/// Numbers that are 0 and values that are empty are left out.
fn json_kv(kv: &KeyValue) -> String {
    let mut fields = format!("\"key\":\"{}\"", Base64::encode_string(kv.key.as_bytes()));
    for (name, number) in [
        ("create_revision", kv.create_revision),
        ("mod_revision", kv.mod_revision),
        ("version", kv.version),
    ] {
        if number != 0 {
            fields += &format!(",\"{name}\":{number}");
        }
    }
    if !kv.value.is_empty() {
        fields += &format!(",\"value\":\"{}\"", Base64::encode_string(&kv.value));
    }
    if kv.lease != 0 {
        fields += &format!(",\"lease\":{}", kv.lease);
    }
    format!("{{{fields}}}")
}

fn lines(rows: &[Vec<String>]) -> String {
    rows.iter().map(|row| format!("{}\n", row.join(", "))).collect()
}

/// Upstream: `github.com/olekukonko/tablewriter`, headers in the middle, cells to the right.
fn table(headers: &[&str], rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = headers
        .iter()
        .enumerate()
        .map(|(column, header)| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(String::len);
            cells.chain([header.len()]).max().unwrap_or(0)
        })
        .collect();
    let rule: String = widths.iter().map(|width| format!("+{}", "-".repeat(width + 2))).collect();
    let rule = format!("{rule}+\n");
    let line = |cells: Vec<String>| format!("|{}|\n", cells.join("|"));
    let head = headers.iter().zip(&widths).map(|(text, width)| {
        let left = (width - text.len()) / 2;
        format!(" {}{text}{} ", " ".repeat(left), " ".repeat(width - text.len() - left))
    });
    let mut out = format!("{rule}{}{rule}", line(head.collect()));
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(text, width)| format!(" {text:>width$} "));
        out += &line(cells.collect());
    }
    out + &rule
}

/// Upstream: `humanize.Bytes`.
fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    if bytes < 10 {
        return format!("{bytes} B");
    }
    let mut unit = 0;
    let mut value = bytes as f64;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let unit = UNITS.get(unit).copied().unwrap_or_default();
    let value = (value * 10.0 + 0.5).floor() / 10.0;
    if value < 10.0 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etcd::members::Member;

    const MEMBER: u64 = 15_605_283_837_629_904_139;

    fn printer(format: Format) -> Printer {
        let cluster = 18_356_651_462_332_683_079;
        Printer { format, hex: false, cluster, member: MEMBER, term: 2 }
    }

    fn kv() -> KeyValue {
        KeyValue {
            key: "foo".to_owned(),
            value: b"bar3".to_vec(),
            create_revision: 2,
            mod_revision: 4,
            version: 2,
            lease: 0,
        }
    }

    // The texts were printed by etcdctl v3.5.21.
    #[test]
    fn gets_are_printed_as_etcdctl_prints_them() {
        let get = |format| printer(format).get(&[kv()], (4, true, 2), false).unwrap();
        assert_eq!(get(Format::Simple), "foo\nbar3\n");
        assert_eq!(
            get(Format::Json),
            "{\"header\":{\"cluster_id\":18356651462332683079,\"member_id\":15605283837629904139,\
             \"revision\":4,\"raft_term\":2},\"kvs\":[{\"key\":\"Zm9v\",\"create_revision\":2,\
             \"mod_revision\":4,\"version\":2,\"value\":\"YmFyMw==\"}],\"more\":true,\"count\":2}\n"
        );
        assert_eq!(
            get(Format::Fields),
            "\"ClusterID\" : 18356651462332683079\n\"MemberID\" : 15605283837629904139\n\
             \"Revision\" : 4\n\"RaftTerm\" : 2\n\"Key\" : \"foo\"\n\"CreateRevision\" : 2\n\
             \"ModRevision\" : 4\n\"Version\" : 2\n\"Value\" : \"bar3\"\n\"Lease\" : 0\n\
             \"More\" : true\n\"Count\" : 2\n"
        );
        let error = printer(Format::Table).get(&[], (4, false, 0), false).unwrap_err();
        assert_eq!((error.code, &*error.err), (4, "Error: table not supported as output format\n"));
        let nothing = printer(Format::Json).get(&[], (4, false, 0), false).unwrap();
        assert!(nothing.ends_with("\"raft_term\":2}}\n"), "{nothing}");
    }

    #[test]
    fn events_are_printed_as_etcdctl_prints_them() {
        let gone = KeyValue { key: "w1".to_owned(), mod_revision: 12, ..KeyValue::default() };
        let event = Event { kv: gone, prev_kv: Some(kv()), deleted: true };
        let print = |format| printer(format).event(&event, false).unwrap();
        assert_eq!(print(Format::Simple), "DELETE\nw1\n\n");
        assert_eq!(
            print(Format::Json),
            "{\"Header\":{\"cluster_id\":18356651462332683079,\"member_id\":15605283837629904139,\
             \"revision\":12,\"raft_term\":2},\"Events\":[{\"type\":1,\"kv\":{\"key\":\"dzE=\",\
             \"mod_revision\":12}}],\"CompactRevision\":0,\"Canceled\":false,\"Created\":false}\n"
        );
        assert_eq!(
            printer(Format::Simple).event(&event, true).unwrap(),
            "DELETE\nfoo\nbar3\nw1\n\n"
        );
    }

    #[test]
    fn members_and_endpoints_are_tables() {
        let member = Member {
            id: MEMBER,
            name: "control-plane".to_owned(),
            peer_urls: vec!["https://127.0.0.1:23800".to_owned()],
            client_urls: vec!["https://127.0.0.1:23790".to_owned()],
        };
        let cluster = Cluster { id: 1, members: vec![member], listens: Vec::new() };
        let wanted = "\
+------------------+---------+---------------+-------------------------+-------------------------+------------+
|        ID        | STATUS  |     NAME      |       PEER ADDRS        |      CLIENT ADDRS       | IS LEARNER |
+------------------+---------+---------------+-------------------------+-------------------------+------------+
| d8911af85113350b | started | control-plane | https://127.0.0.1:23800 | https://127.0.0.1:23790 |      false |
+------------------+---------+---------------+-------------------------+-------------------------+------------+
";
        assert_eq!(printer(Format::Table).members(&cluster), wanted);
        let status = Status {
            revision: 4,
            db_size: 20_480,
            db_size_in_use: 16_384,
            raft_term: 2,
            raft_index: 7,
        };
        let endpoints = ["127.0.0.1:23790".to_owned()];
        let wanted = "\
+-----------------+------------------+---------+---------+-----------+------------+-----------+------------+--------------------+--------+
|    ENDPOINT     |        ID        | VERSION | DB SIZE | IS LEADER | IS LEARNER | RAFT TERM | RAFT INDEX | RAFT APPLIED INDEX | ERRORS |
+-----------------+------------------+---------+---------+-----------+------------+-----------+------------+--------------------+--------+
| 127.0.0.1:23790 | d8911af85113350b |  3.5.21 |   20 kB |      true |      false |         2 |          7 |                  7 |        |
+-----------------+------------------+---------+---------+-----------+------------+-----------+------------+--------------------+--------+
";
        assert_eq!(printer(Format::Table).status(&endpoints, &status), wanted);
        assert_eq!(
            printer(Format::Simple).status(&endpoints, &status),
            "127.0.0.1:23790, d8911af85113350b, 3.5.21, 20 kB, true, false, 2, 7, 7, \n"
        );
    }

    #[test]
    fn bytes_for_people() {
        let table = [(9, "9 B"), (20_480, "20 kB"), (1_600, "1.6 kB"), (2_400_000, "2.4 MB")];
        for (bytes, text) in table {
            assert_eq!(human_bytes(bytes), text);
        }
    }
}
