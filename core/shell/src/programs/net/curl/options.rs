//! The arguments of `curl`.

use std::time::Duration;

/// What the arguments say.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// In order.
    pub urls: Vec<String>,
    /// `-o`, for each URL in turn; "-" is standard output.
    pub outputs: Vec<String>,
    /// `-O`
    pub remote_names: bool,
    /// `-X`
    pub method: Option<String>,
    /// `-H`
    pub headers: Vec<String>,
    /// `-d` and its like, joined
    pub data: Option<Vec<u8>>,
    /// Files that `-d @file` names, with how they are read: not read yet.
    pub data_parts: Vec<DataPart>,
    /// `--json`
    pub json: bool,
    /// `-s`
    pub silent: bool,
    /// `-S`
    pub show_error: bool,
    /// `-i`
    pub include: bool,
    /// `-I`
    pub head: bool,
    /// `-v`
    pub verbose: bool,
    /// `-L`
    pub follow: bool,
    /// `-f`
    pub fail: bool,
    /// `-G`
    pub get: bool,
    /// `-m`
    pub max_time: Option<Duration>,
    /// `--connect-timeout`
    pub connect_timeout: Option<Duration>,
    /// `-w`
    pub write_out: String,
    /// `-A`
    pub agent: Option<String>,
    /// `-u`
    pub user: Option<String>,
    /// `--resolve host:port:address`
    pub resolves: Vec<String>,
    /// `--max-redirs`
    pub redirects_max: Option<usize>,
    /// `--retry`
    pub retries: usize,
    /// `--retry-delay`
    pub retry_delay: Option<Duration>,
    /// `--retry-connrefused`
    pub retry_refused: bool,
    /// `-V`
    pub version: bool,
    /// `-h`
    pub help: bool,
    /// `-4`
    pub only_v4: bool,
    /// `-6`
    pub only_v6: bool,
    /// `-b NAME=VALUE`
    pub cookies: Vec<String>,
    /// `-b FILE`
    pub cookie_files: Vec<String>,
    /// `-c`
    pub cookie_jar: Option<String>,
    /// `-k`
    pub insecure: bool,
    /// `--cacert`
    pub cacert: Option<String>,
    /// `-E`
    pub cert: Option<String>,
    /// `--key`
    pub key: Option<String>,
}

/// One `-d`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataPart {
    /// The text, or the file after `@`.
    pub text: String,
    /// It names a file.
    pub is_file: bool,
    /// Line ends are kept.
    pub binary: bool,
    /// `--data-urlencode`
    pub encode: bool,
}

/// Long names, and the short ones that they mean; short names of options that have none are
/// capital letters of other alphabets, so that one table does.
const LONG: [(&str, char); 52] = [
    ("output", 'o'),
    ("remote-name", 'O'),
    ("request", 'X'),
    ("header", 'H'),
    ("data", 'd'),
    ("data-ascii", 'd'),
    ("data-raw", 'α'),
    ("data-binary", 'β'),
    ("data-urlencode", 'γ'),
    ("json", 'δ'),
    ("silent", 's'),
    ("show-error", 'S'),
    ("include", 'i'),
    ("head", 'I'),
    ("verbose", 'v'),
    ("insecure", 'k'),
    ("location", 'L'),
    ("fail", 'f'),
    ("fail-with-body", 'f'),
    ("get", 'G'),
    ("max-time", 'm'),
    ("connect-timeout", 'ε'),
    ("write-out", 'w'),
    ("user-agent", 'A'),
    ("user", 'u'),
    ("resolve", 'ζ'),
    ("max-redirs", 'η'),
    ("retry", 'θ'),
    ("retry-delay", 'ι'),
    ("retry-connrefused", 'κ'),
    ("retry-max-time", 'λ'),
    ("cacert", 'π'),
    ("capath", 'λ'),
    ("cert", 'E'),
    ("key", 'ρ'),
    ("http2", 'ξ'),
    ("url", 'μ'),
    ("version", 'V'),
    ("help", 'h'),
    ("ipv4", '4'),
    ("ipv6", '6'),
    ("cookie", 'b'),
    ("cookie-jar", 'c'),
    ("referer", 'e'),
    ("no-progress-meter", 'ν'),
    ("progress-bar", '#'),
    ("compressed", 'ξ'),
    ("http1.1", 'ξ'),
    ("no-buffer", 'N'),
    ("globoff", 'g'),
    ("parallel", 'Z'),
    ("tlsv1.2", 'ξ'),
];

fn takes_value(flag: char) -> bool {
    "oXHdαβγδmεwAuζηθιλπρEμbce".contains(flag)
}

/// Reads the arguments. `Err` is the message, without `curl: `.
pub fn parse(args: &[String]) -> Result<Options, String> {
    let mut options = Options::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if let Some(name) = arg.strip_prefix("--").filter(|name| !name.is_empty()) {
            let negated = name
                .strip_prefix("no-")
                .filter(|_| name != "no-progress-meter" && name != "no-buffer");
            if negated.is_some() {
                continue;
            }
            let Some((_, flag)) = LONG.iter().find(|(long, _)| *long == name) else {
                return Err(format!("option {arg}: is unknown"));
            };
            let value = if takes_value(*flag) {
                let value = rest.next().ok_or(format!("option {arg}: requires parameter"))?;
                Some(value.clone())
            } else {
                None
            };
            apply(&mut options, *flag, value.unwrap_or_default(), arg)?;
            continue;
        }
        let Some(flags) = arg.strip_prefix('-').filter(|flags| !flags.is_empty()) else {
            options.urls.push(arg.clone());
            continue;
        };
        let mut chars = flags.chars();
        while let Some(flag) = chars.next() {
            let known = flag.is_ascii()
                && (LONG.iter().any(|(_, short)| *short == flag) || "nqJR".contains(flag));
            if !known {
                return Err(format!("option {arg}: is unknown"));
            }
            let mut value = String::new();
            if takes_value(flag) {
                value = chars.by_ref().collect();
                if value.is_empty() {
                    let next = rest.next().ok_or(format!("option -{flag}: requires parameter"))?;
                    value = next.clone();
                }
            }
            apply(&mut options, flag, value, arg)?;
        }
    }
    Ok(options)
}

fn seconds(text: &str, arg: &str) -> Result<Duration, String> {
    let seconds: f64 =
        text.parse().map_err(|_| format!("option {arg}: expected a proper numerical parameter"))?;
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| format!("option {arg}: expected a positive numerical parameter"))
}

fn apply(options: &mut Options, flag: char, value: String, arg: &str) -> Result<(), String> {
    let number = |text: &str| {
        text.parse::<usize>()
            .map_err(|_| format!("option {arg}: expected a proper numerical parameter"))
    };
    match flag {
        'o' => options.outputs.push(value),
        'O' => options.remote_names = true,
        'X' => options.method = Some(value),
        'H' => options.headers.push(value),
        'd' | 'α' | 'β' | 'γ' | 'δ' => {
            options.json |= flag == 'δ';
            let file = if flag == 'α' { None } else { value.strip_prefix('@') };
            options.data_parts.push(DataPart {
                text: file.unwrap_or(&value).to_string(),
                is_file: file.is_some(),
                binary: matches!(flag, 'β' | 'δ' | 'α'),
                encode: flag == 'γ',
            });
        }
        's' => options.silent = true,
        'S' => options.show_error = true,
        'i' => options.include = true,
        'I' => options.head = true,
        'v' => options.verbose = true,
        'L' => options.follow = true,
        'f' => options.fail = true,
        'G' => options.get = true,
        'm' => options.max_time = Some(seconds(&value, arg)?),
        'ε' => options.connect_timeout = Some(seconds(&value, arg)?),
        'w' => options.write_out = value,
        'A' => options.agent = Some(value),
        'u' => options.user = Some(value),
        'ζ' => options.resolves.push(value),
        'η' => options.redirects_max = Some(number(&value)?),
        'θ' => options.retries = number(&value)?,
        'ι' => options.retry_delay = Some(seconds(&value, arg)?),
        'κ' => options.retry_refused = true,
        'μ' => options.urls.push(value),
        'V' => options.version = true,
        'h' => options.help = true,
        '4' => options.only_v4 = true,
        '6' => options.only_v6 = true,
        'b' => match value.strip_prefix('@') {
            Some(file) => options.cookie_files.push(file.to_string()),
            None if value.contains('=') => options.cookies.push(value),
            None => options.cookie_files.push(value),
        },
        'c' => options.cookie_jar = Some(value),
        'e' => options.headers.push(format!("Referer: {value}")),
        'ν' => {
            // No progress meter, but errors are shown: `-sS`.
            options.silent = true;
            options.show_error = true;
        }
        'k' => options.insecure = true,
        'π' => options.cacert = Some(value),
        'E' => options.cert = Some(value),
        'ρ' => options.key = Some(value),
        // The others change nothing here.
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Options, String> {
        let args: Vec<String> = text.split(' ').map(str::to_string).collect();
        parse(&args)
    }

    #[test]
    fn arguments() {
        let options =
            parsed("-sSfL -m2.5 -HA:b --header C:d -o out -XPUT app --max-time 3").unwrap();
        assert!(options.silent && options.show_error && options.fail && options.follow);
        assert_eq!(options.max_time, Some(Duration::from_secs(3)));
        assert_eq!(options.headers, ["A:b", "C:d"]);
        assert_eq!(options.urls, ["app"]);
        assert_eq!(options.method.as_deref(), Some("PUT"));
        for (text, expected) in [
            ("--nope", "option --nope: is unknown"),
            ("-o", "option -o: requires parameter"),
            ("-m x", "option -m: expected a proper numerical parameter"),
        ] {
            assert_eq!(parsed(text).unwrap_err(), expected);
        }
    }
}
