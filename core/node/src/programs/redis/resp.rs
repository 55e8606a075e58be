//! RESP 2, the language between server and client.

/// Bytes of one command.
const COMMAND_MAX: usize = 1 << 20;

/// All is well.
pub fn ok() -> String {
    "+OK\r\n".to_owned()
}

/// A whole number.
pub fn number(number: i64) -> String {
    format!(":{number}\r\n")
}

/// A text, or nothing.
pub fn bulk(text: Option<&str>) -> String {
    match text {
        Some(text) => format!("${}\r\n{text}\r\n", text.len()),
        None => "$-1\r\n".to_owned(),
    }
}

/// A list of texts.
pub fn array<'a>(items: impl Iterator<Item = &'a str>) -> String {
    let items: Vec<String> = items.map(|item| bulk(Some(item))).collect();
    format!("*{}\r\n{}", items.len(), items.concat())
}

/// The answer to a command that is not known.
pub fn unknown(name: &str, args: &[&str]) -> String {
    let args: String = args.iter().map(|arg| format!("'{arg}' ")).collect();
    format!("-ERR unknown command '{name}', with args beginning with: {args}\r\n")
}

/// The next command in what came, and how many bytes it took; an error ends the connection.
pub fn parse(bytes: &[u8]) -> Result<Option<(Vec<String>, usize)>, String> {
    if bytes.len() > COMMAND_MAX {
        return Err("-ERR Protocol error: too big mbulk count string\r\n".to_owned());
    }
    let Some((line, mut at)) = line(bytes, 0) else { return Ok(None) };
    let Some(count) = line.strip_prefix('*') else {
        let words = line.split_whitespace().map(str::to_owned).collect();
        return Ok(Some((words, at)));
    };
    let bad = || "-ERR Protocol error: invalid multibulk length\r\n".to_owned();
    let count: usize = count.parse().map_err(|_| bad())?;
    let mut words = Vec::new();
    for _ in 0..count.min(COMMAND_MAX) {
        let Some((head, after)) = self::line(bytes, at) else { return Ok(None) };
        let length = head.strip_prefix('$').and_then(|text| text.parse::<usize>().ok());
        let length = length.filter(|length| *length <= COMMAND_MAX).ok_or_else(bad)?;
        let Some(data) = bytes.get(after..after + length) else { return Ok(None) };
        if bytes.len() < after + length + 2 {
            return Ok(None);
        }
        words.push(String::from_utf8_lossy(data).into_owned());
        at = after + length + 2;
    }
    Ok(Some((words, at)))
}

/// The line that starts at `from`, and where the next one does.
pub fn line(bytes: &[u8], from: usize) -> Option<(String, usize)> {
    let rest = bytes.get(from..)?;
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let text = String::from_utf8_lossy(rest.get(..end)?).trim_end_matches('\r').to_owned();
    Some((text, from + end + 1))
}

/// An answer as redis-cli shows it: plain for pipes, with types for people.
pub fn show(bytes: &[u8], from: usize, for_people: bool, indent: &str) -> Option<(String, usize)> {
    let (head, after) = line(bytes, from)?;
    let (mark, rest) = head.split_at_checked(1)?;
    match mark {
        ":" if for_people => Some((format!("(integer) {rest}\n"), after)),
        "-" if for_people => Some((format!("(error) {rest}\n"), after)),
        "+" | "-" | ":" => Some((format!("{rest}\n"), after)),
        "$" => match rest.parse::<usize>() {
            Err(_) => Some((if for_people { "(nil)\n" } else { "\n" }.to_owned(), after)),
            Ok(length) => {
                let data = String::from_utf8_lossy(bytes.get(after..after + length)?).into_owned();
                bytes.get(after + length + 1)?;
                let text = if for_people { quoted(&data) + "\n" } else { format!("{data}\n") };
                Some((text, after + length + 2))
            }
        },
        "*" => {
            let Ok(count) = rest.parse::<usize>() else {
                return Some((if for_people { "(nil)\n" } else { "\n" }.to_owned(), after));
            };
            let width = count.to_string().len();
            let mut text = String::new();
            let mut at = after;
            for number in 1..=count {
                let inner = format!("{indent}{}", " ".repeat(width + 2));
                let (item, next) = show(bytes, at, for_people, &inner)?;
                let prefix = if number > 1 { indent } else { "" };
                match for_people {
                    true => text.push_str(&format!("{prefix}{number:>width$}) {item}")),
                    false => text.push_str(&item),
                }
                at = next;
            }
            if count == 0 {
                text.push_str(if for_people { "(empty array)\n" } else { "\n" });
            }
            Some((text, at))
        }
        _ => Some((format!("{head}\n"), after)),
    }
}

/// A text as redis-cli shows it to people. Upstream: `sdscatrepr`.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'\\' | b'"' => out.extend(['\\', char::from(byte)]),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b'\x07' => out.push_str("\\a"),
            b'\x08' => out.push_str("\\b"),
            b' '..=b'~' => out.push(char::from(byte)),
            byte => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_for_people() {
        let table = [
            ("$2\r\n\u{ac00}\r\n".replace("$2", "$3"), "\"\\xea\\xb0\\x80\""),
            ("*0\r\n".to_owned(), "(empty array)"),
            ("*-1\r\n".to_owned(), "(nil)"),
            ("*2\r\n:1\r\n*1\r\n+a\r\n".to_owned(), "1) (integer) 1\n2) 1) a"),
        ];
        for (answer, expected) in table {
            let (text, _) = show(answer.as_bytes(), 0, true, "").unwrap();
            assert_eq!(text.trim_end(), expected);
        }
    }

    #[test]
    fn commands_come_in_pieces() {
        let bytes = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\nPING\r\n";
        let table = [(5, None), (22, Some(2)), (28, Some(2))];
        for (length, words) in table {
            let parsed = parse(&bytes[..length.min(bytes.len())]).unwrap();
            assert_eq!(parsed.map(|(words, _)| words.len()), words, "{length}");
        }
        assert!(parse(b"*x\r\n").is_err());
        assert_eq!(parse(b"PING\r\n").unwrap().unwrap().0, ["PING"]);
    }
}
