//! Tables: what `kubectl get` prints without `-o`.
//!
//! Upstream: `k8s.io/cli-runtime/pkg/printers/tableprinter.go`.

use super::tabwriter::TabWriter;
use crate::flags::Parsed;
use naru_api::request::{Row, Table};
use naru_api::{Cell, Column, KindRef};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How tables are printed.
#[derive(Clone, Debug, Default)]
pub struct TableOptions {
    /// `-o wide`
    pub wide: bool,
    /// `--no-headers`
    pub no_headers: bool,
    /// A first column with the namespace: `-A`.
    pub with_namespace: bool,
    /// `pod/` before names: `--show-kind`, or several kinds.
    pub with_kind: bool,
    /// `-L`
    pub label_columns: Vec<String>,
    /// `--show-labels`
    pub show_labels: bool,
}

impl TableOptions {
    /// As the flags say.
    pub fn new(flags: &Parsed) -> Self {
        TableOptions {
            wide: flags.text("output") == "wide",
            no_headers: flags.is("no-headers"),
            with_namespace: false,
            with_kind: flags.is("show-kind"),
            label_columns: flags.list("label-columns").to_vec(),
            show_labels: flags.is("show-labels"),
        }
    }
}

/// Prints tables of one kind; headers only once.
#[derive(Clone, Debug)]
pub struct TablePrinter {
    options: TableOptions,
    headed: bool,
}

impl TablePrinter {
    /// A printer that has printed no headers yet.
    pub fn new(options: TableOptions) -> Self {
        TablePrinter { options, headed: false }
    }

    /// Writes a table. `event`: `ADDED` and so on, before each row.
    pub fn print(
        &mut self,
        table: &Table,
        kind: &KindRef,
        event: Option<&str>,
        out: &mut TabWriter,
    ) {
        if table.rows.is_empty() {
            return;
        }
        if !self.headed && !self.options.no_headers {
            out.line(&self.header(&table.columns, event.is_some()));
        }
        self.headed = true;
        for row in &table.rows {
            self.row(&table.columns, row, kind, event, out);
        }
    }

    fn header(&self, columns: &[Column], with_event: bool) -> String {
        let mut cells: Vec<String> = Vec::new();
        if with_event {
            cells.push("EVENT".to_owned());
        }
        if self.options.with_namespace {
            cells.push("NAMESPACE".to_owned());
        }
        let shown = columns.iter().filter(|column| self.shows(column));
        cells.extend(shown.map(|column| column.name.to_uppercase()));
        for label in &self.options.label_columns {
            cells.push(label.rsplit('/').next().unwrap_or_default().to_uppercase());
        }
        if self.options.show_labels {
            cells.push("LABELS".to_owned());
        }
        cells.join("\t")
    }

    fn shows(&self, column: &Column) -> bool {
        self.options.wide || column.priority == 0
    }

    fn row(
        &self,
        columns: &[Column],
        row: &Row,
        kind: &KindRef,
        event: Option<&str>,
        out: &mut TabWriter,
    ) {
        let mut line = Line { out, begun: false };
        if let Some(event) = event {
            line.cell(&format!("{event:8}"));
        }
        if self.options.with_namespace {
            line.cell(row.object.namespace());
        }
        for (column, cell) in columns.iter().zip(&row.cells) {
            if !self.shows(column) {
                continue;
            }
            let text = match cell {
                Cell::Text(text) => one_line(text),
                cell => Cow::Owned(cell.to_string()),
            };
            if self.options.with_kind && column.name == "Name" {
                line.cell(&format!("{}/{text}", kind.group_kind().to_lowercase()));
            } else {
                line.cell(&text);
            }
        }
        let labels = row.object.meta().labels.as_ref();
        for label in &self.options.label_columns {
            line.cell(labels.and_then(|labels| labels.get(label)).map_or("", String::as_str));
        }
        if self.options.show_labels {
            line.cell(&format_labels(labels));
        }
        line.out.write("\n");
    }
}

/// A line of a table that is being written.
struct Line<'o> {
    out: &'o mut TabWriter,
    begun: bool,
}

impl Line<'_> {
    fn cell(&mut self, text: &str) {
        if std::mem::replace(&mut self.begun, true) {
            self.out.write("\t");
        }
        self.out.write(text);
    }
}

/// The first line; `...` when there are more. Control characters are shown, so that a hostile
/// object cannot steer the terminal.
fn one_line(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'\t' | b'\n' | 0xc | b'\r' | 0x1b)) {
        return Cow::Borrowed(text);
    }
    let first = text.split(['\u{c}', '\n', '\r']).next().unwrap_or_default();
    let mut line = first.replace('\u{1b}', "^[").replace('\t', " ");
    if first.len() < text.len() {
        line.push_str("...");
    }
    Cow::Owned(line)
}

/// `app=web,tier=front`, or `<none>`.
pub fn format_labels(labels: Option<&BTreeMap<String, String>>) -> String {
    match labels {
        Some(labels) if !labels.is_empty() => {
            let pairs: Vec<String> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
            pairs.join(",")
        }
        _ => "<none>".to_owned(),
    }
}
