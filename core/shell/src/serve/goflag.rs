//! Options as programs in Go read them: with one dash or two.
//!
//! Upstream: the package `flag` of Go.

/// What follows the name of an option.
enum Given<'a> {
    /// `-name`
    Bare(Option<&'a str>),
    /// `-name=value`
    Value(&'a str),
}

/// The last one counts.
fn find<'a>(args: &'a [String], name: &str) -> Option<Given<'a>> {
    args.iter().enumerate().rev().find_map(|(at, arg)| {
        let arg = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-'))?;
        match arg.strip_prefix(name)? {
            "" => Some(Given::Bare(args.get(at + 1).map(String::as_str))),
            rest => rest.strip_prefix('=').map(Given::Value),
        }
    })
}

/// The value of an option: `-name=value`, `--name value`.
pub fn value<'a>(args: &'a [String], name: &str) -> Option<&'a str> {
    match find(args, name)? {
        Given::Bare(next) => next,
        Given::Value(value) => Some(value),
    }
}

/// Whether an option is set that takes no value: `-name`, `--name=false`.
pub fn switch(args: &[String], name: &str) -> Option<bool> {
    match find(args, name)? {
        Given::Bare(_) => Some(true),
        Given::Value(value) => match value {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_as_go_reads_them() {
        let args = ["-a=1", "--b", "2", "--c=false", "-d", "--e=x=y", "-a=3"].map(str::to_owned);
        assert_eq!(value(&args, "a"), Some("3"));
        assert_eq!(value(&args, "b"), Some("2"));
        assert_eq!(value(&args, "e"), Some("x=y"));
        assert_eq!(value(&args, "f"), None);
        assert_eq!(switch(&args, "c"), Some(false));
        assert_eq!(switch(&args, "d"), Some(true));
        assert_eq!(switch(&args, "e"), None);
        assert_eq!(switch(&args, "g"), None);
    }
}
