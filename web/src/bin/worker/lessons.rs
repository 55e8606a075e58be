//! The lessons, as the page shows them.

use naru_lesson::{Known, Lesson, Look, Problem, Question, Ran, Rehearsal, StepText, Text, View};
use naru_web::protocol::{
    DraftPage, LessonHead, LessonPage, LookPage, QuizPage, StepPage, TermPage,
};

/// The folder's name of a lesson that has none yet.
const DRAFT: &str = "draft";

/// The folder of the lesson of this name, or of the first.
pub fn folder(name: Option<&str>) -> Result<&'static str, String> {
    let lessons = naru_lesson::built_in_heads();
    let named = name.and_then(|name| lessons.iter().find(|it| it.slug == name));
    named.or_else(|| lessons.first()).map(|it| it.slug).ok_or("there is no lesson".to_owned())
}

/// Where the lesson of a folder is laid, seen from the worker's own file.
pub fn file(folder: &str) -> String {
    format!("lessons/{folder}/lesson.yaml")
}

/// Every lesson, in order.
pub fn catalogue() -> Vec<LessonHead> {
    let shown = |it: &naru_lesson::LessonHead| LessonHead {
        slug: it.slug.to_owned(),
        title: Text { ko: it.title.0.to_owned(), en: it.title.1.to_owned() },
        minutes: it.minutes,
        part: it.part,
        steps: it.steps,
    };
    naru_lesson::built_in_heads().iter().map(shown).collect()
}

/// A lesson as it is shown.
pub fn page(slug: &str, lesson: &Lesson) -> LessonPage {
    let step = |step: &StepText| StepPage {
        title: step.title.clone(),
        text: step.text.clone(),
        commands: step.commands.clone(),
        checks: step.checks.iter().map(|check| check.says.clone()).collect::<Vec<Text>>(),
        hints: step.hints.clone(),
        look: step.look.as_ref().map(look),
        solution: step.solution.clone(),
        quiz: step.quiz.iter().map(quiz).collect(),
    };
    LessonPage {
        slug: slug.to_owned(),
        title: lesson.title.clone(),
        summary: lesson.summary.clone(),
        minutes: lesson.minutes,
        part: lesson.part,
        steps: lesson.steps.iter().map(step).collect(),
        learned: lesson.learned.clone(),
    }
}

/// Every entry of the glossary.
pub fn terms() -> Vec<TermPage> {
    let glossary = naru_lesson::parse_glossary(naru_lesson::built_in_glossary());
    let known = glossary.into_iter().flatten();
    known.map(|(_, term)| TermPage { name: term.name, text: term.text }).collect()
}

/// A lesson that somebody writes.
pub fn draft(text: &str) -> Result<(String, Lesson), String> {
    let lesson = Lesson::parse(text).map_err(|error| error.to_string())?;
    Ok((DRAFT.to_owned(), lesson))
}

/// What a lesson looks like that somebody writes, and what is wrong with it.
pub fn read_draft(text: &str) -> DraftPage {
    match draft(text) {
        Ok((slug, lesson)) => DraftPage {
            problems: problems(&lesson).iter().map(|it| problem_text(it, text)).collect(),
            lesson: Some(page(&slug, &lesson)),
            played: Vec::new(),
        },
        Err(error) => DraftPage { problems: vec![error], ..DraftPage::default() },
    }
}

/// Adds what came of playing it.
pub fn add_rehearsal(page: &mut DraftPage, rehearsal: &Rehearsal, text: &str) {
    page.problems.extend(rehearsal.problems.iter().map(|it| problem_text(it, text)));
    let ran = |it: &Ran| {
        (it.command.clone(), format!("{}{}", it.result.stdout, it.result.stderr), it.result.code)
    };
    page.played = rehearsal.steps.iter().map(|step| step.iter().map(ran).collect()).collect();
}

/// Every rule that it breaks, but those that its folder's name is about: it has none yet.
fn problems(lesson: &Lesson) -> Vec<Problem> {
    let glossary = naru_lesson::parse_glossary(naru_lesson::built_in_glossary());
    let known = Known {
        lessons: naru_lesson::built_in_heads().iter().map(|it| it.slug.to_owned()).collect(),
        terms: glossary.into_iter().flatten().map(|(key, _)| key).collect(),
        headings: None,
    };
    lesson.problems(&format!("{:02}01-{DRAFT}", lesson.part), &known)
}

/// `12: steps[0].text: …`
fn problem_text(problem: &Problem, yaml: &str) -> String {
    let line = problem.place.line(yaml) + problem.lines_below;
    format!("{line}: {}: {}", problem.place, problem.text)
}

fn look(look: &Look) -> LookPage {
    let view = match look.view {
        View::Topology => "topology",
        View::Objects => "objects",
        View::Time => "time",
        View::Packets => "packets",
        View::Details => "details",
        View::Terminal => "terminal",
        View::Resources => "resources",
        View::Registry => "registry",
        View::Rights => "rights",
        View::Rules => "rules",
    };
    LookPage { view: view.to_owned(), object: look.object.clone().unwrap_or_default() }
}

fn quiz(question: &Question) -> QuizPage {
    QuizPage {
        question: question.question.clone(),
        choices: question.choices.iter().map(|it| (it.text.clone(), it.right)).collect(),
        because: question.because.clone(),
    }
}
