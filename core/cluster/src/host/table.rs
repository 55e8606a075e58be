//! Tables of host programs.

use std::time::Duration;

/// Columns that are as wide as their widest cell, with `gap` blanks between; the last is not
/// filled up.
pub fn columns<const N: usize>(rows: &[[String; N]], gap: usize) -> String {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let line = |row: &[String; N]| {
        let mut text = String::new();
        for (column, cell) in row.iter().enumerate() {
            text.push_str(cell);
            if column + 1 < N {
                let fill = width(column).unwrap_or(0) + gap - cell.chars().count();
                text.extend(std::iter::repeat_n(' ', fill));
            }
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    };
    rows.iter().map(line).collect()
}

/// How many columns of a terminal a text takes: some letters take two.
fn cells(text: &str) -> usize {
    let wide = |letter: char| {
        matches!(u32::from(letter), 0x1100..=0x115f | 0x2705 | 0x2e80..=0xa4cf | 0xac00..=0xd7a3
            | 0xf900..=0xfaff | 0xff00..=0xff60 | 0x1f300..=0x1faff)
    };
    text.chars().map(|letter| if wide(letter) { 2 } else { 1 }).sum()
}

/// A table with lines around it, as `tablewriter` draws it; headers are centred.
pub fn boxed<const N: usize>(header: [&str; N], rows: &[[String; N]], right: &[usize]) -> String {
    let width = |column: usize| {
        let widths = rows.iter().filter_map(|row| row.get(column)).map(|cell| cells(cell));
        let own = header.get(column).map_or(0, |cell| cells(cell));
        widths.chain([own]).max().unwrap_or(0)
    };
    let rule: String = (0..N).map(|column| format!("|{}", "-".repeat(width(column) + 2))).collect();
    let rule = format!("{rule}|\n");
    let mut text = rule.clone();
    let titles = header.iter().enumerate();
    text.extend(titles.map(|(column, cell)| format!("| {cell:^0$} ", width(column))));
    text.push_str("|\n");
    text.push_str(&rule);
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let fill = " ".repeat(width(column).saturating_sub(cells(cell)));
            text += &match right.contains(&column) {
                true => format!("| {fill}{cell} "),
                false => format!("| {cell}{fill} "),
            };
        }
        text.push_str("|\n");
    }
    text + &rule
}

/// A time that has passed, as Docker and `crictl` say it.
///
/// Upstream: `units.HumanDuration` of Docker.
pub fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        60..120 => "About a minute".to_owned(),
        120..3_600 => format!("{} minutes", seconds / 60),
        3_600..7_200 => "About an hour".to_owned(),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [["A", "LONG"], ["longer", "b"]].map(|row| row.map(str::to_owned));
        assert_eq!(columns(&rows, 2), "A       LONG\nlonger  b\n");
    }

    #[test]
    fn boxes_are_drawn() {
        let rows = [["default", "80"]].map(|row| row.map(str::to_owned));
        let expected = "\
|-----------|------|
| NAMESPACE | PORT |
|-----------|------|
| default   |   80 |
|-----------|------|
";
        assert_eq!(boxed(["NAMESPACE", "PORT"], &rows, &[1]), expected);
    }
}
