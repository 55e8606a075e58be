//! The lessons, as the page shows them.

use naru_lesson::{Lesson, LessonFile, Look, Question, StepText, Text, View};
use naru_web::protocol::{LessonHead, LessonPage, LookPage, QuizPage, StepPage};

/// The lesson of this name, or the first; with its name.
pub fn find(slug: Option<&str>) -> Result<(String, Lesson), String> {
    let lessons = naru_lesson::built_in();
    let named = slug.and_then(|slug| lessons.iter().find(|it| it.slug == slug));
    let file: &LessonFile = named.or_else(|| lessons.first()).ok_or("there is no lesson")?;
    let lesson = Lesson::parse(file.yaml).map_err(|error| format!("{}: {error}", file.slug))?;
    Ok((file.slug.to_owned(), lesson))
}

/// Every lesson, in order.
pub fn catalogue() -> Vec<LessonHead> {
    naru_lesson::built_in()
        .iter()
        .filter_map(|file| {
            let lesson = Lesson::parse(file.yaml).ok()?;
            let slug = file.slug.to_owned();
            Some(LessonHead {
                slug,
                title: lesson.title,
                minutes: lesson.minutes,
                part: lesson.part,
                steps: lesson.steps.len() as u32,
            })
        })
        .collect()
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

fn look(look: &Look) -> LookPage {
    let view = match look.view {
        View::Topology => "topology",
        View::Objects => "objects",
        View::Time => "time",
        View::Packets => "packets",
        View::Details => "details",
        View::Terminal => "terminal",
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
