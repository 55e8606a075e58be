//! What a lesson must obey besides its format, as far as it shows without playing it.

use crate::{Check, Lesson, Place, Question, StepText, Text};
use naru_api::jsonpath::JsonPath;
use naru_api::labels::Selector;
use naru_api::yaml;
use naru_cluster::Profile;
use std::collections::BTreeSet;

/// Something wrong with a lesson.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where in its file.
    pub place: Place,
    /// Lines below that, within a text of several lines.
    pub lines_below: usize,
    /// What.
    pub text: String,
}

/// What lessons may name.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The folders of all lessons.
    pub lessons: BTreeSet<String>,
    /// The entries of the glossary.
    pub terms: BTreeSet<String>,
    /// The keys of `docs/course.md`, where that is there.
    pub headings: Option<BTreeSet<String>>,
}

impl Lesson {
    /// Every rule that it breaks. `slug` is the name of its folder.
    pub fn problems(&self, slug: &str, known: &Known) -> Vec<Problem> {
        let mut rules = Rules { known, problems: Vec::new() };
        let root = Place::root();
        rules.lesson(self, slug, &root);
        for (index, step) in self.steps.iter().enumerate() {
            rules.step(step, &root.field("steps").item(index));
        }
        rules.problems
    }
}

struct Rules<'a> {
    known: &'a Known,
    problems: Vec<Problem>,
}

impl Rules<'_> {
    fn add(&mut self, place: &Place, text: String) {
        self.problems.push(Problem { place: place.clone(), lines_below: 0, text });
    }

    fn want(&mut self, holds: bool, place: &Place, text: &str) {
        if !holds {
            self.add(place, text.to_owned());
        }
    }

    fn lesson(&mut self, lesson: &Lesson, slug: &str, root: &Place) {
        let number = slug.split('-').next().unwrap_or_default();
        let digits = number.len() == 4 && number.chars().all(|c| c.is_ascii_digit());
        let part = number.get(..2).and_then(|part| part.parse().ok());
        self.want(digits, root, "the folder's name does not begin with PPNN-");
        let place = root.field("part");
        self.want(part == Some(lesson.part), &place, "the folder's name begins with another part");
        let within = (1..=Lesson::PARTS).contains(&lesson.part);
        self.want(within, &place, "there is no such part of the course");
        let minutes = (5..=15).contains(&lesson.minutes);
        self.want(minutes, &root.field("minutes"), "a lesson takes 5 to 15 minutes");
        let is_profile =
            lesson.profile.contains('\n') || Profile::by_name(&lesson.profile).is_some();
        self.want(is_profile, &root.field("profile"), "there is no such profile");
        self.want(!lesson.steps.is_empty(), &root.field("steps"), "a lesson has steps");
        self.want(!lesson.learned.is_empty(), root, "it does not say what was learned");
        self.named(&lesson.requires, &self.known.lessons, &root.field("requires"), "lesson");
        self.named(&lesson.terms, &self.known.terms, &root.field("terms"), "term of the glossary");
        if let Some(headings) = &self.known.headings {
            let what = "heading in docs/course.md";
            self.named(&lesson.material, headings, &root.field("material"), what);
        }
        self.text(&lesson.title, &root.field("title"));
        self.text(&lesson.summary, &root.field("summary"));
        self.texts(&lesson.learned, &root.field("learned"));
    }

    fn step(&mut self, step: &StepText, place: &Place) {
        self.text(&step.title, &place.field("title"));
        self.text(&step.text, &place.field("text"));
        self.texts(&step.hints, &place.field("hints"));
        for (index, check) in step.checks.iter().enumerate() {
            self.check(check, &place.field("checks").item(index));
        }
        for (index, question) in step.quiz.iter().enumerate() {
            self.question(question, &place.field("quiz").item(index));
        }
        let types = !step.commands.is_empty() || !step.solution.is_empty();
        self.want(
            types || step.checks.is_empty(),
            place,
            "it has checks, and nothing that does it",
        );
        let object = step.look.as_ref().and_then(|look| look.object.as_deref());
        let is_object = object.is_none_or(|name| (2..=3).contains(&name.split('/').count()));
        self.want(is_object, &place.field("look"), "an object is KIND/NAME or KIND/NAMESPACE/NAME");
    }

    fn check(&mut self, check: &Check, place: &Place) {
        let Check { says, object, count, absent, file, command, jsonpath, http, cause } = check;
        self.text(says, &place.field("says"));
        let given = [
            object.is_some(),
            count.is_some(),
            absent.is_some(),
            file.is_some(),
            command.is_some(),
            jsonpath.is_some(),
            http.is_some(),
            cause.is_some(),
        ];
        let given = given.iter().filter(|is| **is).count();
        self.want(given == 1, place, &format!("a check has one condition, not {given}"));
        let fields = object.iter().map(|it| &it.fields).chain(count.iter().map(|it| &it.fields));
        let mut pointers = fields.flat_map(|fields| fields.keys());
        let wrong = pointers.find(|pointer| !pointer.starts_with('/')).cloned();
        if let Some(pointer) = wrong {
            self.add(place, format!("{pointer:?} is no JSON pointer: it does not begin with /"));
        }
        if let Some(count) = count {
            let bounded = count.is.is_some() || count.at_least.is_some() || count.at_most.is_some();
            self.want(bounded, place, "a count needs is, atLeast or atMost");
            if let Err(error) = Selector::parse(&count.selector) {
                self.add(place, format!("selector: {error}"));
            }
        }
        if let Some(Err(error)) = jsonpath.as_ref().map(|it| JsonPath::parse(&it.path, true)) {
            self.add(place, format!("path: {error}"));
        }
        let times = command.as_ref().is_none_or(|it| it.times > 0);
        self.want(times, place, "a command that was typed 0 times was not typed");
        let asked = http.as_ref().is_none_or(|it| it.command().is_some());
        self.want(asked, place, "from is home, node/NAME, pod/NAME or pod/NAMESPACE/NAME");
        let of = cause.as_ref().is_none_or(|it| it.object().is_some());
        self.want(of, place, "of is KIND/NAME or KIND/NAMESPACE/NAME");
    }

    fn question(&mut self, question: &Question, place: &Place) {
        self.text(&question.question, &place.field("question"));
        self.text(&question.because, &place.field("because"));
        for (index, choice) in question.choices.iter().enumerate() {
            self.text(&choice.text, &place.field("choices").item(index).field("text"));
        }
        let right = question.choices.iter().filter(|choice| choice.right).count();
        let fair = right > 0 && right < question.choices.len();
        self.want(fair, place, "a question has answers that are right and answers that are not");
    }

    fn named(&mut self, names: &[String], known: &BTreeSet<String>, place: &Place, what: &str) {
        for (index, name) in names.iter().enumerate() {
            if !known.contains(name) {
                self.add(&place.item(index), format!("there is no {what} {name:?}"));
            }
        }
    }

    fn texts(&mut self, texts: &[Text], place: &Place) {
        for (index, text) in texts.iter().enumerate() {
            self.text(text, &place.item(index));
        }
    }

    fn text(&mut self, text: &Text, place: &Place) {
        for (language, text) in [("ko", &text.ko), ("en", &text.en)] {
            let place = place.field(language);
            self.want(!text.trim().is_empty(), &place, "the text is empty");
            for (line, problem) in self.markdown(text) {
                // A text of several lines begins on the line after its name.
                let lines_below = if text.contains('\n') { line + 1 } else { 0 };
                self.problems.push(Problem { place: place.clone(), lines_below, text: problem });
            }
        }
    }

    /// What is wrong in a text, and on which of its lines, from 0.
    fn markdown(&self, text: &str) -> Vec<(usize, String)> {
        let mut problems = Vec::new();
        let mut fence: Option<(usize, &str, String)> = None;
        for (index, line) in text.lines().enumerate() {
            let mark = line.trim_start().strip_prefix("```");
            match (fence.take(), mark) {
                (None, Some(language)) => fence = Some((index, language.trim(), String::new())),
                (None, None) => problems.extend(
                    links(line).filter_map(|to| self.link(to)).map(|problem| (index, problem)),
                ),
                (Some((start, language, code)), Some(_)) => {
                    problems.extend(block(language, &code).map(|problem| (start, problem)));
                }
                (Some((start, language, mut code)), None) => {
                    code.push_str(line);
                    code.push('\n');
                    fence = Some((start, language, code));
                }
            }
        }
        problems.extend(fence.map(|(start, ..)| (start, "the code block does not end".to_owned())));
        problems
    }

    fn link(&self, to: &str) -> Option<String> {
        match to.split_once(':') {
            Some(("lesson", name)) if self.known.lessons.contains(name) => None,
            Some(("term", name)) if self.known.terms.contains(name) => None,
            Some(("https", rest)) if rest.starts_with("//") && rest.len() > 2 => None,
            Some(("lesson", name)) => Some(format!("there is no lesson {name:?}")),
            Some(("term", name)) => Some(format!("there is no term of the glossary {name:?}")),
            _ => {
                Some(format!("a link leads to lesson:NAME, term:NAME or https://…, not to {to:?}"))
            }
        }
    }
}

/// Where the links of a line lead: `[text](there)`, but not within code.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let outside = line.split('`').step_by(2);
    outside.flat_map(|text| {
        text.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(to, _)| to))
    })
}

/// What is wrong with a block of code.
fn block(language: &str, code: &str) -> Option<String> {
    match language {
        "yaml" => yaml::documents(code).into_iter().find_map(Result::err).map(|it| it.to_string()),
        "console" => None,
        "" => Some("a code block names its language: console, yaml, text, …".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "title: {ko: 가, en: a}\nsummary: {ko: 나, en: b}\npart: 2\nminutes: 5\n\
                        learned: [{ko: 다, en: c}]\nsteps:\n- title: {ko: 라, en: d}\n  text:\n    \
                        ko: 마\n    en: e\n  commands: [ls]\n  checks:\n  - says: {ko: 바, en: f}\n    \
                        file: {path: a}\n";

    fn known() -> Known {
        let set = |name: &str| BTreeSet::from([name.to_owned()]);
        Known { lessons: set("0201-labels"), terms: set("pod"), headings: Some(set("a/pods")) }
    }

    /// Line and text of the problems of `GOOD` with one thing replaced.
    fn problems(from: &str, to: &str) -> Vec<(usize, String)> {
        let yaml = GOOD.replacen(from, to, 1);
        let lesson = Lesson::parse(&yaml).unwrap();
        let problems = lesson.problems("0201-labels", &known());
        problems.iter().map(|it| (it.place.line(&yaml) + it.lines_below, it.text.clone())).collect()
    }

    #[test]
    fn a_good_lesson_has_no_problems() {
        assert_eq!(problems("", ""), []);
        let linked = "    ko: \"[나](lesson:0201-labels) [다](term:pod) `[x](y)`\"\n";
        assert_eq!(problems("    ko: 마\n", linked), []);
        assert_eq!(problems("minutes: 5", "minutes: 5\nmaterial: [a/pods]"), []);
    }

    #[test]
    fn each_rule_is_told_with_its_line() {
        for (from, to, line, text) in [
            ("part: 2", "part: 3", 3, "another part"),
            ("minutes: 5", "minutes: 50", 4, "5 to 15"),
            ("minutes: 5", "minutes: 5\nprofile: king", 5, "no such profile"),
            ("minutes: 5", "minutes: 5\nterms:\n- pdo", 6, "no term of the glossary \"pdo\""),
            ("minutes: 5", "minutes: 5\nmaterial: [z/pods]", 5, "no heading"),
            ("    en: e", "    en: \"\"", 10, "empty"),
            ("    en: e", "    en: |\n      a\n\n      [x](lesson:none)", 13, "no lesson \"none\""),
            ("    en: e", "    en: \"[x](page.html)\"", 10, "not to \"page.html\""),
            ("    en: e", "    en: |\n      ```yaml\n      a: [\n      ```", 11, "yaml"),
            ("    en: e", "    en: |\n      a\n      ```\n      b\n      ```", 12, "language"),
            (
                "    file: {path: a}",
                "    file: {path: a}\n    absent: {apiVersion: v1, kind: Pod, name: a}",
                13,
                "not 2",
            ),
            ("    file: {path: a}", "    count: {apiVersion: v1, kind: Pod}", 13, "atLeast"),
            (
                "    file: {path: a}",
                "    count: {apiVersion: v1, kind: Pod, is: 1, selector: \"a in\"}",
                13,
                "selector",
            ),
            ("    file: {path: a}", "    http: {url: \"http://a/\", from: moon}", 13, "home"),
            ("  commands: [ls]\n", "", 7, "nothing that does it"),
        ] {
            let found = problems(from, to);
            assert!(
                found.iter().any(|(at, it)| *at == line && it.contains(text)),
                "{to}: {found:?}"
            );
        }
    }
}
