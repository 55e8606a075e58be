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

/// The answer to a command that is not known, or not so.
pub fn unknown(name: &str, args: &[&str]) -> String {
    const KNOWN: &[&str] = &[
        "append",
        "decr",
        "decrby",
        "echo",
        "exists",
        "expire",
        "get",
        "hdel",
        "hget",
        "hgetall",
        "hset",
        "incr",
        "incrby",
        "keys",
        "llen",
        "lpop",
        "lpush",
        "lrange",
        "mget",
        "rpop",
        "rpush",
        "sadd",
        "set",
        "setnx",
        "sismember",
        "smembers",
        "srem",
        "strlen",
        "ttl",
        "type",
    ];
    if KNOWN.contains(&name) {
        return format!("-ERR wrong number of arguments for '{name}' command\r\n");
    }
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
                let text = if for_people { format!("{data:?}\n") } else { format!("{data}\n") };
                Some((text, after + length + 2))
            }
        },
        "*" => {
            let count: usize = rest.parse().ok()?;
            let mut text = String::new();
            let mut at = after;
            for number in 1..=count {
                let (item, next) = show(bytes, at, for_people, &format!("{indent}   "))?;
                let prefix = if number > 1 { indent } else { "" };
                match for_people {
                    true => text.push_str(&format!("{prefix}{number}) {item}")),
                    false => text.push_str(&item),
                }
                at = next;
            }
            if count == 0 && for_people {
                text.push_str("(empty array)\n");
            }
            Some((text, at))
        }
        _ => Some((format!("{head}\n"), after)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
