//! The lesson: its steps, their commands, checks and hints; and the list of all lessons.

use super::icon::{Icon, icon};
use super::playground::Playground;
use crate::context::{Action, Page, Stage, use_page};
use crate::progress::Progress;
use naru_web::glossary::{self, Word};
use naru_web::i18n::{Texts, fill};
use naru_web::markdown;
use naru_web::protocol::{
    Booted, LessonHead, LessonPage, LookPage, ObjectRef, QuizPage, StepPage, TermPage,
};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use yew::prelude::*;

#[derive(Clone, PartialEq, Properties)]
pub struct LessonPanelProps {
    pub booted: Option<Rc<Booted>>,
    pub catalogue: Rc<Vec<LessonHead>>,
    pub progress: Progress,
    /// The step that is open.
    pub open: usize,
    /// Which of its checks hold.
    pub hold: Vec<bool>,
    /// Words that are explained where they are first used.
    pub terms: Rc<Vec<TermPage>>,
}

/// The lesson's part of the page.
#[component]
pub fn LessonPanel(props: &LessonPanelProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let listed = use_state(|| false);
    let toggle = {
        let listed = listed.clone();
        Callback::from(move |_: MouseEvent| listed.set(!*listed))
    };
    let close = {
        let listed = listed.clone();
        Callback::from(move |()| listed.set(false))
    };
    let content = match &props.booted {
        None => html! { <p class="loading" role="status">{ texts.loading }</p> },
        Some(booted) => {
            let body = match &booted.lesson {
                _ if *listed => html! {
                    <Course booted={booted.clone()} catalogue={props.catalogue.clone()} progress={props.progress.clone()} onchosen={close} />
                },
                Some(lesson) => html! {
                    <Opened lesson={Rc::new(lesson.clone())} panel={props.clone()} />
                },
                None => html! { <Playground booted={booted.clone()} /> },
            };
            html! {
                <>
                    <div class="lesson-bar">
                        <button class="tool" aria-expanded={listed.to_string()} onclick={toggle}>
                            { icon(Icon::List) }{ texts.all_lessons }
                        </button>
                    </div>
                    { body }
                </>
            }
        }
    };
    html! {
        <section
            class="lesson panel"
            data-testid="lesson"
            data-region="lesson"
            tabindex="-1"
            aria-label={texts.lesson}
        >
            { content }
        </section>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct CourseProps {
    booted: Rc<Booted>,
    catalogue: Rc<Vec<LessonHead>>,
    progress: Progress,
    onchosen: Callback<()>,
}

/// Every lesson by the part of the course that it belongs to, and the playground.
#[component]
fn Course(props: &CourseProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let mut parts: BTreeMap<u32, Vec<&LessonHead>> = BTreeMap::new();
    for lesson in props.catalogue.iter() {
        parts.entry(lesson.part).or_default().push(lesson);
    }
    html! {
        <div class="course" data-testid="course">
            <button class="course-play" onclick={choose(playground(&props.booted), props, &page)}>
                <b>{ texts.playground }</b>
                <span>{ texts.playground_hint }</span>
            </button>
            <button class="course-play" onclick={choose(Action::Author(true), props, &page)}>
                <b>{ texts.write_lesson }</b>
                <span>{ texts.write_lesson_hint }</span>
            </button>
            { for parts.into_iter().map(|(part, lessons)| html! {
                <section>
                    <h3>{ fill(texts.part, &[&part.to_string(), part_name(part, texts)]) }</h3>
                    <ol>{ for lessons.into_iter().map(|lesson| course_row(lesson, props, &page)) }</ol>
                </section>
            }) }
        </div>
    }
}

/// What a part is about; they are counted from 1.
fn part_name(part: u32, texts: &'static Texts) -> &'static str {
    let index = (part as usize).checked_sub(1);
    index.and_then(|index| texts.parts.get(index)).copied().unwrap_or_default()
}

fn playground(booted: &Booted) -> Action {
    use naru_web::protocol::Start;
    Action::Start(Start::Playground {
        profile: booted.profile.clone(),
        seed: booted.seed,
        commands: Vec::new(),
    })
}

fn choose(action: Action, props: &CourseProps, page: &Page) -> Callback<MouseEvent> {
    let (act, chosen) = (page.act.clone(), props.onchosen.clone());
    Callback::from(move |_| {
        act.emit(action.clone());
        chosen.emit(());
    })
}

fn course_row(lesson: &LessonHead, props: &CourseProps, page: &Page) -> Html {
    let texts = page.texts();
    let done = props.progress.of(&lesson.slug).len();
    let all = lesson.steps as usize;
    let current = props.booted.lesson.as_ref().is_some_and(|it| it.slug == lesson.slug);
    let class =
        classes!("course-row", (done >= all).then_some("done"), (done > 0).then_some("begun"));
    let progress = fill(texts.progress, &[&all.to_string(), &done.to_string()]);
    html! {
        <li key={lesson.slug.clone()}>
            <button
                {class}
                aria-current={current.then_some("true")}
                onclick={choose(Action::Lesson(lesson.slug.clone()), props, page)}
            >
                <span class="step-number" aria-hidden="true">
                    if done >= all { { icon(Icon::Tick) } } else { { format!("{done}/{all}") } }
                </span>
                <span class="course-title">{ page.language.of(&lesson.title) }</span>
                <span class="minutes">{ fill(texts.minutes, &[&lesson.minutes.to_string()]) }</span>
                <span class="unseen">{ progress }</span>
            </button>
        </li>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct OpenedProps {
    lesson: Rc<LessonPage>,
    panel: LessonPanelProps,
}

#[component]
fn Opened(props: &OpenedProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let OpenedProps { lesson, panel } = props;
    let finished = panel.progress.of(&lesson.slug);
    let words = use_memo(
        (lesson.clone(), panel.terms.clone(), page.language),
        |(lesson, terms, language)| {
            let said = |text| language.of(text).to_owned();
            let words: Vec<Word> = terms
                .iter()
                .map(|it| Word { name: said(&it.name), meaning: said(&it.text) })
                .collect();
            let texts: Vec<&str> = lesson.steps.iter().map(|it| language.of(&it.text)).collect();
            let of_step = |uses: Vec<usize>| -> Rc<Vec<Word>> {
                Rc::new(uses.into_iter().filter_map(|it| words.get(it).cloned()).collect())
            };
            glossary::first_uses(&texts, &words).into_iter().map(of_step).collect::<Vec<_>>()
        },
    );
    let (all, done) = (lesson.steps.len(), finished.len());
    let steps = lesson.steps.iter().enumerate().map(|(i, step)| {
        html! {
            <Step
                key={i}
                number={i}
                step={Rc::new(step.clone())}
                open={i == panel.open}
                done={finished.contains(&i)}
                last={i + 1 == all}
                hold={if i == panel.open { panel.hold.clone() } else { Vec::new() }}
                words={words.get(i).cloned().unwrap_or_default()}
            />
        }
    });
    html! {
        <>
            <div class="lesson-head">
                <h2>{ page.language.of(&lesson.title) }</h2>
                <p class="summary">{ page.language.of(&lesson.summary) }</p>
                { beads(lesson, &finished, panel.open, &page) }
            </div>
            <ol class="steps">{ for steps }</ol>
            if done == all { { ended(lesson, panel, &page) } }
            if done > 0 {
                <button class="link forget" onclick={page.on(Action::ForgetProgress)}>
                    { texts.forget_progress }
                </button>
            }
        </>
    }
}

/// A string of lanterns, one for each step.
fn beads(lesson: &LessonPage, done: &BTreeSet<usize>, open: usize, page: &Page) -> Html {
    let texts = page.texts();
    let all = lesson.steps.len();
    html! {
        <div
            class="progress"
            role="progressbar"
            aria-label={fill(texts.progress, &[&all.to_string(), &done.len().to_string()])}
            aria-valuemin="0"
            aria-valuemax={all.to_string()}
            aria-valuenow={done.len().to_string()}
        >
            { for (0..all).map(|i| {
                let class = classes!(
                    "bead",
                    done.contains(&i).then_some("done"),
                    (i == open).then_some("open"),
                );
                html! { <span {class} /> }
            }) }
            <span class="minutes">{ fill(texts.minutes, &[&lesson.minutes.to_string()]) }</span>
        </div>
    }
}

/// What is said when all steps are done.
fn ended(lesson: &LessonPage, panel: &LessonPanelProps, page: &Page) -> Html {
    let texts = page.texts();
    let next = panel.catalogue.iter().skip_while(|it| it.slug != lesson.slug).nth(1);
    html! {
        <div class="lesson-done">
            <h3>{ texts.lesson_done }</h3>
            if !lesson.learned.is_empty() {
                <h4>{ texts.learned }</h4>
                <ul class="learned">
                    { for lesson.learned.iter().map(|it| html! {
                        <li>{ markdown::render(page.language.of(it)) }</li>
                    }) }
                </ul>
            }
            <p>{ texts.lesson_done_more }</p>
            if let Some(next) = next {
                <button class="primary" onclick={page.on(Action::Lesson(next.slug.clone()))}>
                    { fill(texts.next_lesson, &[page.language.of(&next.title)]) }
                </button>
            }
        </div>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct StepProps {
    number: usize,
    step: Rc<StepPage>,
    open: bool,
    done: bool,
    last: bool,
    hold: Vec<bool>,
    words: Rc<Vec<Word>>,
}

#[component]
fn Step(props: &StepProps) -> Html {
    let page = use_page();
    let StepProps { number, step, open, done, .. } = props;
    let class = classes!("step", open.then_some("open"), done.then_some("done"));
    html! {
        <li {class} data-step={number.to_string()}>
            <h3>
                <button
                    class="step-title"
                    aria-expanded={open.to_string()}
                    onclick={page.on(Action::OpenStep(*number))}
                >
                    <span class="step-number" aria-hidden="true">
                        { if *done { icon(Icon::Tick) } else { html! { { number + 1 } } } }
                    </span>
                    { page.language.of(&step.title) }
                    if *done {
                        <span class="unseen">{ page.texts().check_holds }</span>
                    }
                </button>
            </h3>
            if *open {
                <StepBody step={step.clone()} done={*done} last={props.last} hold={props.hold.clone()} words={props.words.clone()} />
            }
        </li>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct StepBodyProps {
    step: Rc<StepPage>,
    done: bool,
    last: bool,
    hold: Vec<bool>,
    words: Rc<Vec<Word>>,
}

#[component]
fn StepBody(props: &StepBodyProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let step = &props.step;
    let can_go_on = !props.last && (props.done || step.checks.is_empty());
    html! {
        <div class="step-body">
            <div class="prose">{ markdown::render_with(page.language.of(&step.text), &props.words) }</div>
            { for step.commands.iter().map(|command| html! { <Command command={command.clone()} /> }) }
            if let Some(look) = &step.look { { look_at(look, &page) } }
            { checks(step, &props.hold, &page) }
            { for step.quiz.iter().enumerate().map(|(i, quiz)| html! {
                <Quiz key={i} quiz={Rc::new(quiz.clone())} />
            }) }
            <Hints step={step.clone()} />
            <div class="step-end">
                if can_go_on {
                    <button class="primary next" onclick={page.on(Action::Next)}>
                        { texts.next_step }
                    </button>
                }
                <button class="link reset" title={texts.reset_step_hint} onclick={page.on(Action::ResetStep)}>
                    { texts.reset_step }
                </button>
            </div>
        </div>
    }
}

/// A way to what the step speaks of.
fn look_at(look: &LookPage, page: &Page) -> Html {
    let texts = page.texts();
    let object = ObjectRef::named(&look.object);
    let stage = Stage::named(&look.view);
    if object.is_none() && stage.is_none() {
        return Html::default();
    }
    html! {
        <p class="look-at">
            { icon(Icon::Glass) }
            if let Some(stage) = stage {
                <button class="link" onclick={page.on(Action::Stage(stage))}>
                    { fill(texts.look_in, &[stage_name(stage, texts)]) }
                </button>
            }
            if let Some(object) = object {
                <button class="link" onclick={page.on(Action::Select(Some(object)))}>
                    { &look.object }
                </button>
            }
        </p>
    }
}

fn stage_name(stage: Stage, texts: &'static Texts) -> &'static str {
    match stage {
        Stage::Picture => texts.stage_picture,
        Stage::Objects => texts.stage_objects,
        Stage::Flow => texts.stage_flow,
        Stage::Packets => texts.packets,
        Stage::Resources => texts.stage_resources,
        Stage::Registry => texts.stage_registry,
        Stage::Rights => texts.stage_rights,
        Stage::Rules => texts.stage_rules,
    }
}

fn checks(step: &StepPage, hold: &[bool], page: &Page) -> Html {
    let texts = page.texts();
    if step.checks.is_empty() {
        return Html::default();
    }
    html! {
        <ul class="checks">
            { for step.checks.iter().enumerate().map(|(i, says)| {
                let holds = hold.get(i).copied().unwrap_or(false);
                let state = if holds { texts.check_holds } else { texts.check_waits };
                html! {
                    <li class={classes!("check", holds.then_some("holds"))}>
                        <span class="check-mark" role="img" aria-label={state}>
                            if holds { { icon(Icon::Tick) } }
                        </span>
                        { page.language.of(says) }
                    </li>
                }
            }) }
        </ul>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct QuizProps {
    quiz: Rc<QuizPage>,
}

/// A question. Why an answer is right is told once one was chosen.
#[component]
fn Quiz(props: &QuizProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let chosen = use_state(|| None::<usize>);
    let quiz = &props.quiz;
    let right = chosen.and_then(|i| quiz.choices.get(i)).map(|(_, right)| *right);
    html! {
        <fieldset class="quiz" data-testid="quiz">
            <legend>{ markdown::render(page.language.of(&quiz.question)) }</legend>
            { for quiz.choices.iter().enumerate().map(|(i, (text, is_right))| {
                let picked = *chosen == Some(i);
                let told = picked || (right.is_some() && *is_right);
                let class = classes!(
                    "choice",
                    picked.then_some("picked"),
                    told.then_some(if *is_right { "right" } else { "wrong" }),
                );
                let onclick = {
                    let chosen = chosen.clone();
                    Callback::from(move |_: MouseEvent| chosen.set(Some(i)))
                };
                html! {
                    <button {class} aria-pressed={picked.to_string()} {onclick}>
                        { page.language.of(text) }
                        if told {
                            <span class="choice-mark">{ if *is_right { texts.right } else { texts.wrong } }</span>
                        }
                    </button>
                }
            }) }
            <div role="status">
                if right.is_some() {
                    <div class="because">{ markdown::render(page.language.of(&quiz.because)) }</div>
                }
            </div>
        </fieldset>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct CommandProps {
    command: String,
}

/// A command with the buttons that run and copy it.
#[component]
fn Command(props: &CommandProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    html! {
        <div class="command">
            <pre tabindex="0"><code>{ &props.command }</code></pre>
            <div class="command-tools">
                <button
                    class="tool"
                    aria-label={texts.copy}
                    title={texts.copy}
                    onclick={page.on(Action::Copy(props.command.clone()))}
                >
                    { icon(Icon::Copy) }
                </button>
                <button class="run" onclick={page.on(Action::Run(props.command.clone()))}>
                    { icon(Icon::Run) }{ texts.run_this }
                </button>
            </div>
        </div>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct HintsProps {
    step: Rc<StepPage>,
}

/// The hints, uncovered one after the other.
#[component]
fn Hints(props: &HintsProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let seen = use_state(|| 0usize);
    let hints = &props.step.hints;
    let more = {
        let seen = seen.clone();
        Callback::from(move |_: MouseEvent| seen.set(*seen + 1))
    };
    html! {
        <div class="hints" aria-live="polite">
            { for hints.iter().take(*seen).map(|hint| html! {
                <div class="hint">{ markdown::render(page.language.of(hint)) }</div>
            }) }
            if *seen > hints.len() {
                <p class="solution-title">{ texts.solution }</p>
                { for props.step.solution.iter().map(|command| html! { <Command command={command.clone()} /> }) }
            }
            if *seen < hints.len() {
                <button class="link" onclick={more}>
                    { texts.hint }{ format!(" {}/{}", *seen + 1, hints.len()) }
                </button>
            } else if *seen == hints.len() && !props.step.solution.is_empty() {
                <button class="link" onclick={more}>{ texts.show_solution }</button>
            }
        </div>
    }
}
