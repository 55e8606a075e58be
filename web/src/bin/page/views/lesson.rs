//! The lesson: its steps, their commands, checks and hints.

use super::icon::{Icon, icon};
use crate::context::{Action, use_page};
use naru_web::i18n::fill;
use naru_web::markdown;
use naru_web::protocol::{LessonHead, LessonPage, StepPage};
use std::collections::BTreeSet;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

#[derive(Clone, PartialEq, Properties)]
pub struct LessonPanelProps {
    pub lesson: Option<Rc<LessonPage>>,
    pub catalogue: Rc<Vec<LessonHead>>,
    /// The steps that are done.
    pub done: BTreeSet<usize>,
    /// The step that is open.
    pub open: usize,
    /// Which of its checks hold.
    pub hold: Vec<bool>,
}

/// The lesson's part of the page.
#[component]
pub fn LessonPanel(props: &LessonPanelProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    html! {
        <section
            class="lesson panel"
            data-testid="lesson"
            data-region="lesson"
            tabindex="-1"
            aria-label={texts.lesson}
        >
            {
                match &props.lesson {
                    Some(lesson) => html! { <Opened lesson={lesson.clone()} panel={props.clone()} /> },
                    None => html! { <p class="loading" role="status">{ texts.loading }</p> },
                }
            }
        </section>
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
    let (all, done) = (lesson.steps.len(), panel.done.len());
    let progress = fill(texts.progress, &[&all.to_string(), &done.to_string()]);
    let steps = lesson.steps.iter().enumerate().map(|(i, step)| {
        html! {
            <Step
                key={i}
                number={i}
                step={Rc::new(step.clone())}
                open={i == panel.open}
                done={panel.done.contains(&i)}
                last={i + 1 == all}
                hold={if i == panel.open { panel.hold.clone() } else { Vec::new() }}
            />
        }
    });
    html! {
        <>
            <div class="lesson-head">
                <LessonChoice catalogue={panel.catalogue.clone()} slug={lesson.slug.clone()} />
                <h2>{ page.language.of(&lesson.title) }</h2>
                <p class="summary">{ page.language.of(&lesson.summary) }</p>
                <div
                    class="progress"
                    role="progressbar"
                    aria-label={progress}
                    aria-valuemin="0"
                    aria-valuemax={all.to_string()}
                    aria-valuenow={done.to_string()}
                >
                    { for (0..all).map(|i| {
                        let class = classes!(
                            "bead",
                            panel.done.contains(&i).then_some("done"),
                            (i == panel.open).then_some("open"),
                        );
                        html! { <span {class} /> }
                    }) }
                    <span class="minutes">
                        { fill(texts.minutes, &[&lesson.minutes.to_string()]) }
                    </span>
                </div>
            </div>
            <ol class="steps">{ for steps }</ol>
            if done == all {
                <div class="lesson-done">
                    <h3>{ texts.lesson_done }</h3>
                    <p>{ texts.lesson_done_more }</p>
                </div>
            }
            if done > 0 {
                <button class="link forget" onclick={page.on(Action::ForgetProgress)}>
                    { texts.forget_progress }
                </button>
            }
        </>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct LessonChoiceProps {
    catalogue: Rc<Vec<LessonHead>>,
    slug: String,
}

/// The choice of a lesson, where there is one.
#[component]
fn LessonChoice(props: &LessonChoiceProps) -> Html {
    let page = use_page();
    if props.catalogue.len() < 2 {
        return Html::default();
    }
    let onchange = {
        let act = page.act.clone();
        Callback::from(move |event: Event| {
            let select = event.target().and_then(|it| it.dyn_into::<HtmlSelectElement>().ok());
            if let Some(select) = select {
                act.emit(Action::Lesson(select.value()));
            }
        })
    };
    html! {
        <select class="lesson-choice" aria-label={page.texts().choose_lesson} {onchange}>
            { for props.catalogue.iter().map(|head| html! {
                <option value={head.slug.clone()} selected={head.slug == props.slug}>
                    { page.language.of(&head.title) }
                </option>
            }) }
        </select>
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
                <StepBody step={step.clone()} done={*done} last={props.last} hold={props.hold.clone()} />
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
}

#[component]
fn StepBody(props: &StepBodyProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let step = &props.step;
    let can_go_on = !props.last && (props.done || step.checks.is_empty());
    html! {
        <div class="step-body">
            <div class="prose">{ markdown::render(page.language.of(&step.text)) }</div>
            { for step.commands.iter().map(|command| html! { <Command command={command.clone()} /> }) }
            if !step.checks.is_empty() {
                <ul class="checks">
                    { for step.checks.iter().enumerate().map(|(i, says)| {
                        let holds = props.hold.get(i).copied().unwrap_or(false);
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
            <Hints step={step.clone()} />
            if can_go_on {
                <button class="primary next" onclick={page.on(Action::Next)}>
                    { texts.next_step }
                </button>
            }
        </div>
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
            if *seen < hints.len() {
                <button class="link" onclick={more}>
                    { texts.hint }{ format!(" {}/{}", *seen + 1, hints.len()) }
                </button>
            }
        </div>
    }
}
