//! Options of one dash, as OpenSSL's commands read them.

use crate::batch::Output;

/// What a command line says.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Names without the dash, with values, in order.
    given: Vec<(String, String)>,
    /// What follows the options.
    pub rest: Vec<String>,
}

impl Options {
    /// Reads arguments: `valued` take a value, `plain` do not.
    pub fn parse(
        command: &str,
        args: &[String],
        valued: &[&str],
        plain: &[&str],
    ) -> Result<Options, Output> {
        let mut options = Options::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let Some(name) = arg.strip_prefix('-').filter(|name| !name.is_empty()) else {
                options.rest.push(arg.clone());
                options.rest.extend(args.by_ref().cloned());
                break;
            };
            let name = name.strip_prefix('-').unwrap_or(name);
            let (name, attached) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (name, None),
            };
            if valued.contains(&name) {
                let value = attached.or_else(|| args.next().cloned());
                let Some(value) = value else {
                    return Err(usage(command, &format!("Option -{name} needs a value")));
                };
                options.given.push((name.to_owned(), value));
            } else if plain.contains(&name) {
                options.given.push((name.to_owned(), String::new()));
            } else {
                return Err(usage(command, &unknown(command, name)));
            }
        }
        Ok(options)
    }

    /// The last value of an option.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.given.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Every value of an option.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.given.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Whether an option was given.
    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// Where an option was given last, to tell which of several came first.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.given.iter().rposition(|(own, _)| own == name)
    }

    /// A number; the error is OpenSSL's.
    pub fn number(&self, command: &str, name: &str) -> Result<Option<u64>, Output> {
        let Some(text) = self.value(name) else { return Ok(None) };
        let bad = |_| Output::failed(format!("{command}: Can't parse \"{text}\" as a number"));
        text.parse().map(Some).map_err(bad)
    }
}

/// Some commands take the name of a digest for an option too.
fn unknown(command: &str, name: &str) -> String {
    match command {
        "req" | "x509" | "dgst" => format!("Unknown option or message digest: {name}"),
        _ => format!("Unknown option: -{name}"),
    }
}

/// A mistake in the options.
pub fn usage(command: &str, text: &str) -> Output {
    let mut output = Output::failed(format!("{command}: {text}"));
    output.error(format!("{command}: Use -help for summary."));
    output
}
