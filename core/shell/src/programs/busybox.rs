//! How Busybox says what the core utilities of GNU say otherwise: one implementation, two tongues.
//!
//! Upstream: Busybox 1.37, `libbb/perror_msg.c`, `libbb/xfuncs_printf.c`, `libbb/fopen_or_warn.c` and
//! what the applets in `coreutils/` say by them.

/// Errors of GNU's programs, `{}` standing for a name and `{!}` for why, and Busybox's. The first that
/// fits counts. Where only the reason tells two apart, it is in the pattern.
const WORDS: &[(&str, &str)] = &[
    ("cat: {}: Is a directory", "cat: read error: Is a directory"),
    ("cat: {}: {!}", "cat: can't open '{}': {!}"),
    ("chmod: cannot access '{}': {!}", "chmod: {}: {!}"),
    ("chmod: changing permissions of '{}': {!}", "chmod: {}: {!}"),
    ("chmod: invalid mode: ‘{}’", "chmod: invalid mode '{}'"),
    ("chown: cannot access '{}': {!}", "chown: {}: {!}"),
    ("chown: changing ownership of '{}': {!}", "chown: {}: {!}"),
    ("chown: invalid user: ‘{}’", "chown: unknown user {}"),
    ("cp: -r not specified; omitting directory '{}'", "cp: omitting directory '{}'"),
    ("cp: cannot create directory '{}': {!}", "cp: can't create directory '{}': {!}"),
    ("cp: cannot create regular file '{}': {!}", "cp: can't create '{}': {!}"),
    ("cp: cannot open '{}' for reading: {!}", "cp: can't open '{}': {!}"),
    ("cp: cannot stat '{}': {!}", "cp: can't stat '{}': {!}"),
    ("date: invalid date ‘{}’", "date: invalid date '{}'"),
    ("du: cannot access '{}': {!}", "du: {}: {!}"),
    ("find: ‘{}’: {!}", "find: {}: {!}"),
    ("head: cannot open '{}' for reading: {!}", "head: {}: {!}"),
    ("kill: sending signal to {} failed: {!}", "kill: can't kill pid {}: {!}"),
    ("ln: failed to create hard link '{}': {!}", "ln: {}: {!}"),
    ("ln: failed to create symbolic link '{}': {!}", "ln: {}: {!}"),
    ("ls: cannot access '{}': {!}", "ls: {}: {!}"),
    ("ls: cannot open directory '{}': {!}", "ls: can't open '{}': {!}"),
    ("mkdir: cannot create directory ‘{}’: {!}", "mkdir: can't create directory '{}': {!}"),
    ("mv: cannot stat '{}': {!}", "mv: can't rename '{}': {!}"),
    ("rm: cannot remove '{}': Is a directory", "rm: '{}' is a directory"),
    ("rm: cannot remove '{}': {!}", "rm: can't remove '{}': {!}"),
    ("rmdir: failed to remove '{}': {!}", "rmdir: '{}': {!}"),
    ("sed: can't read {}: {!}", "sed: {}: {!}"),
    ("sort: cannot read: {}: {!}", "sort: can't open '{}': {!}"),
    ("stat: cannot statx '{}': {!}", "stat: can't stat '{}': {!}"),
    ("tail: cannot open '{}' for reading: {!}", "tail: can't open '{}': {!}"),
    ("tail: no files remaining", "tail: no files"),
    ("touch: cannot touch '{}': {!}", "touch: {}: {!}"),
    ("uniq: {}: {!}", "uniq: can't open '{}': {!}"),
];

/// A line that a program says of an error, in Busybox's words; as it is if they are the same.
pub fn reword(line: &str) -> String {
    let fitting = WORDS.iter().find_map(|(gnu, own)| Some((own, matched(gnu, line)?)));
    match fitting {
        Some((own, (name, why))) => own.replace("{!}", why).replace("{}", name),
        None => line.to_owned(),
    }
}

/// The name and the reason that a line has where the pattern leaves room for them.
fn matched<'a>(pattern: &str, line: &'a str) -> Option<(&'a str, &'a str)> {
    let Some((before, after)) = pattern.split_once("{}") else {
        return (pattern == line).then_some(("", ""));
    };
    let rest = line.strip_prefix(before)?;
    match after.split_once("{!}") {
        Some((between, _)) => {
            let at = rest.rfind(between)?;
            Some((rest.get(..at)?, rest.get(at + between.len()..)?))
        }
        None => Some((rest.strip_suffix(after)?, "")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_says_it_in_its_own_words() {
        for (gnu, own) in [
            (
                "ls: cannot access 'x': No such file or directory",
                "ls: x: No such file or directory",
            ),
            ("cat: x: No such file or directory", "cat: can't open 'x': No such file or directory"),
            ("cat: /etc: Is a directory", "cat: read error: Is a directory"),
            ("rm: cannot remove 'd': Is a directory", "rm: 'd' is a directory"),
            (
                "rm: cannot remove 'a: b': Permission denied",
                "rm: can't remove 'a: b': Permission denied",
            ),
            (
                "mkdir: cannot create directory ‘d’: File exists",
                "mkdir: can't create directory 'd': File exists",
            ),
            ("tail: no files remaining", "tail: no files"),
            ("grep: x: No such file or directory", "grep: x: No such file or directory"),
            ("chmod: invalid mode: ‘u+q’", "chmod: invalid mode 'u+q'"),
        ] {
            assert_eq!(reword(gnu), own);
        }
    }
}
