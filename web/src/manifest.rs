//! Manifests as the editor has them checked: by the cluster itself, in kubectl's words.

/// Where a copy of the cluster lays the text that it checks.
const PATH: &str = "/tmp/.check.yml";

/// What the cluster says of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Its words.
    pub text: String,
    /// It refuses.
    pub bad: bool,
    /// The line that it names, counted from 1; 0 when it names none.
    pub line: u32,
}

impl Verdict {
    /// Of what the script of [`check_script`] printed.
    pub fn of(stdout: &str, stderr: &str, code: i32) -> Verdict {
        let bad = code != 0;
        let text = if bad && !stderr.is_empty() { stderr } else { stdout };
        let text = text.replace(PATH, "YAML").trim().to_owned();
        let line = if bad { line_named(&text) } else { 0 };
        Verdict { text, bad, line }
    }
}

/// `error converting YAML to JSON: yaml: line 7: …`
fn line_named(text: &str) -> u32 {
    let Some((_, rest)) = text.split_once("line ") else { return 0 };
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

/// A script by which a copy of the cluster tells what it would do with a text.
pub fn check_script(text: &str) -> String {
    // A delimiter that the text does not hold.
    let mut delimiter = "END_OF_TEXT".to_owned();
    while text.contains(&delimiter) {
        delimiter.push('_');
    }
    format!(
        "cat > {PATH} <<'{delimiter}'\n{}\n{delimiter}\nkubectl apply --dry-run=server -f {PATH}",
        text.trim_end()
    )
}

/// Whether a text is meant to be a manifest.
pub fn looks_like_one(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("kind:") || line.starts_with("apiVersion:"))
}

/// Whether a path can be typed as it is: letters, digits, and what file names have besides.
pub fn is_plain_path(path: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    !path.is_empty()
        && path.len() <= 200
        && !path.starts_with(['-', '/'])
        && !path.split('/').any(|part| part == ".." || part.is_empty())
        && path.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_is_wrong_is_found() {
        let error = "error: error parsing /tmp/.check.yml: error converting YAML to JSON: yaml: line 7: mapping values are not allowed in this context\n";
        let verdict = Verdict::of("", error, 1);
        assert_eq!(verdict.line, 7);
        assert!(verdict.bad && verdict.text.starts_with("error: error parsing YAML: "));
        let good = Verdict::of("deployment.apps/web created (server dry run)\n", "", 0);
        assert_eq!(good.text, "deployment.apps/web created (server dry run)");
        assert!(!good.bad && good.line == 0);
    }

    #[test]
    fn a_text_cannot_end_its_own_quotation() {
        let script = check_script("a: 1\nEND_OF_TEXT\nrm -rf /\n");
        assert!(script.starts_with("cat > /tmp/.check.yml <<'END_OF_TEXT_'\n"));
    }

    #[test]
    fn paths_that_can_be_typed() {
        for (path, plain) in [
            ("web.yml", true),
            ("a/b-1.yaml", true),
            ("", false),
            ("/etc/passwd", false),
            ("../x", false),
            ("a b", false),
            ("-f", false),
            ("x;ls", false),
        ] {
            assert_eq!(is_plain_path(path), plain, "{path}");
        }
    }
}
