//! Tables and moments, as Helm prints them.

use naru_api::k8s_openapi::jiff::Timestamp;

/// Cells filled up to the widest of their column, the last too, with a tab between.
///
/// Upstream: `github.com/gosuri/uitable`.
pub fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..N).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("\t") + "\n"
    };
    rows.iter().map(line).collect()
}

fn moment(nanos: i64, format: &str) -> String {
    let moment = Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or_default();
    moment.strftime(format).to_string()
}

/// `Sun Nov 29 04:31:36 2026`
pub fn ansic(nanos: i64) -> String {
    moment(nanos, "%a %b %e %H:%M:%S %Y")
}

/// `2026-11-29 04:31:36.123456 +0000 UTC`: no zeros at the end of the fraction.
pub fn full(nanos: i64) -> String {
    let fraction = format!("{:09}", nanos.rem_euclid(1_000_000_000));
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}{point}{fraction} +0000 UTC", moment(nanos, "%Y-%m-%d %H:%M:%S"))
}
