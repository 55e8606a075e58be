//! `man`: short pages in the language of the locale, all made from one table (`pages.rs`) and from
//! kubectl's own table of commands.

mod pages;

use crate::batch::{Batch, Output, Work};
use naru_kubectl::cmd;
use naru_shell::{Program, Sys};
use pages::{KUBECTL, PROGRAMS};

/// Columns of a page.
const WIDTH: usize = 78;

/// The program.
pub fn program() -> Box<dyn Program> {
    Box::new(Batch::new(Work::at_once(|_| false, run)))
}

/// Korean is the first of both languages, English the second.
fn language(sys: &mut dyn Sys) -> usize {
    let names = ["LC_ALL", "LC_MESSAGES", "LANG"];
    let locale = names
        .iter()
        .find_map(|name| sys.env().get(*name).filter(|value| !value.is_empty()).cloned());
    usize::from(!locale.is_some_and(|locale| locale.starts_with("ko")))
}

fn run(sys: &mut dyn Sys, args: &[String], _: &[u8]) -> Output {
    let language = language(sys);
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => {
            let mut output = Output::failed("What manual page do you want?");
            output.error("For example, try 'man man'.");
            output
        }
        ["-k", word] => search(word, language),
        [section, name] if section.chars().all(|c| c.is_ascii_digit()) => show(name, language),
        ["kubectl", command] => show(&format!("kubectl-{command}"), language),
        names => {
            let mut last = Output::default();
            for name in names {
                last = show(name, language);
            }
            last
        }
    }
}

/// Every page's name and what it is about.
fn index(language: usize) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = PROGRAMS
        .iter()
        .map(|page| (page.name.to_owned(), page.says.get(language).unwrap_or(&"").to_string()))
        .collect();
    for (name, korean) in KUBECTL {
        let command = cmd::below(&cmd::KUBECTL).into_iter().find(|one| one.name() == *name);
        let english = command.map_or("", |command| command.short);
        let says = if language == 0 { korean } else { english };
        all.push((format!("kubectl-{name}"), says.to_owned()));
    }
    all.sort();
    all
}

fn search(word: &str, language: usize) -> Output {
    let mut output = Output::default();
    let small = word.to_lowercase();
    let found = index(language).into_iter();
    for (name, says) in
        found.filter(|(name, says)| name.contains(&small) || says.to_lowercase().contains(&small))
    {
        output.line(format!("{:<20} - {says}", format!("{name} (1)")));
    }
    if output == Output::default() {
        output.error(format!("{word}: nothing appropriate."));
        output.code = 16;
    }
    output
}

fn show(name: &str, language: usize) -> Output {
    let Some((_, says)) = index(language).into_iter().find(|(own, _)| own == name) else {
        let mut output = Output::exit(16);
        output.error(format!("No manual entry for {name}"));
        return output;
    };
    let mut output = Output::default();
    let title = format!("{}(1)", name.to_uppercase());
    let gap = " ".repeat(WIDTH.saturating_sub(2 * title.len()));
    output.line(format!("{title}{gap}{title}\n"));
    let headings =
        [["이름", "NAME"], ["사용법", "SYNOPSIS"], ["예", "EXAMPLES"], ["플래그", "OPTIONS"]];
    let heading = |at: usize| headings.get(at).and_then(|both| both.get(language)).unwrap_or(&"");
    output.line(format!("{}\n       {name} - {says}\n", heading(0)));
    if let Some(page) = PROGRAMS.iter().find(|page| page.name == name) {
        output.line(format!("{}\n       {}\n", heading(1), page.synopsis));
        output.line(format!("{}\n       {}", heading(2), page.example));
    } else if let Some(command) = name
        .strip_prefix("kubectl-")
        .and_then(|name| cmd::below(&cmd::KUBECTL).into_iter().find(|one| one.name() == name))
    {
        output.line(format!("{}\n       kubectl {}\n", heading(1), command.usage));
        let flags = command.flags.iter().flat_map(|group| group.iter());
        let flags: Vec<_> = flags.filter(|flag| flag.deprecated.is_empty()).collect();
        if !flags.is_empty() {
            output.line(heading(3));
        }
        for flag in flags {
            let short =
                if flag.short.is_empty() { String::new() } else { format!("-{}, ", flag.short) };
            output.line(format!("       {short}--{}\n              {}", flag.name, flag.usage));
        }
        if !command.examples.is_empty() {
            let lines =
                command.examples.lines().map(|line| format!("       {line}").trim_end().to_owned());
            output.line(format!("\n{}\n{}", heading(2), lines.collect::<Vec<_>>().join("\n")));
        }
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kubectl_command_has_a_page_in_both_languages() {
        assert!(PROGRAMS.is_sorted_by_key(|page| page.name));
        for command in cmd::below(&cmd::KUBECTL) {
            let name = command.name();
            if !["help", "alpha"].contains(&name) {
                assert!(KUBECTL.iter().any(|(own, _)| *own == name), "{name}");
            }
        }
        for language in [0, 1] {
            for (name, says) in index(language) {
                assert!(!says.is_empty(), "{name}");
                assert_eq!(show(&name, language).code, 0, "{name}");
            }
        }
        assert_eq!(show("nope", 1).code, 16);
    }
}
