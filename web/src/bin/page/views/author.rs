//! A lesson that somebody writes: its file, what it looks like, what is wrong with it; tried at
//! once, played through, and taken home as a folder.

use super::editor::IntoFn;
use super::icon::{Icon, icon};
use crate::codemirror::{self, Editor};
use crate::context::{Action, Answer, Page};
use crate::{dom, files, keep};
use gloo_timers::callback::Timeout;
use naru_web::author::{TEMPLATE, line_of};
use naru_web::i18n::fill;
use naru_web::protocol::{Call, DraftPage, LessonPage, QuizPage, Reply, Start, StepPage};
use naru_web::{manifest, markdown, zip};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use web_sys::{Element, HtmlInputElement};
use yew::prelude::*;

/// After so many milliseconds without a letter the lesson is read.
const READ_AFTER_MS: u32 = 400;
/// Where the browser keeps the text.
const KEPT: &str = "draft";
/// The folder that is offered.
const SLUG: &str = "0101-my-lesson";

/// What changes it.
pub enum Msg {
    /// CodeMirror is there.
    Opened(Editor),
    /// The text has changed.
    Changed(String),
    /// The lesson is to be read, unless the text has changed since.
    Read(u32),
    /// The lesson was read.
    Known(Box<DraftPage>),
    /// The lesson is to be played through.
    Play,
    /// The lesson was played through.
    Played(Box<DraftPage>),
    /// It is not to be played any further.
    Stop,
    /// It is to be started.
    Start,
    /// Its folder is wanted.
    Download,
    /// The folder has another name.
    Rename(String),
    /// A line is to be gone to.
    GoTo(u32),
}

/// The view.
pub struct AuthorView {
    host: NodeRef,
    editor: Option<Editor>,
    text: String,
    slug: String,
    draft: DraftPage,
    /// The lesson as it could be read last: a text is broken for a while as one writes.
    shown: Option<Rc<LessonPage>>,
    plays: bool,
    played: bool,
    /// Counts the changes.
    changes: u32,
    closures: Rc<RefCell<Vec<JsValue>>>,
}

impl Component for AuthorView {
    type Message = Msg;
    type Properties = ();

    fn create(ctx: &Context<Self>) -> AuthorView {
        let text: String = keep::load(KEPT).unwrap_or_else(|| TEMPLATE.to_owned());
        let view = AuthorView {
            host: NodeRef::default(),
            editor: None,
            text,
            slug: SLUG.to_owned(),
            draft: DraftPage::default(),
            shown: None,
            plays: false,
            played: false,
            changes: 0,
            closures: Rc::default(),
        };
        view.read(ctx);
        view
    }

    fn rendered(&mut self, ctx: &Context<Self>, first: bool) {
        let Some(host) = self.host.cast::<Element>().filter(|_| first) else { return };
        let link = ctx.link().clone();
        let on_change = Closure::<dyn Fn(String)>::new(link.callback(Msg::Changed).into_fn());
        let on_save = Closure::<dyn Fn()>::new(move || link.send_message(Msg::Play));
        let on_move = Closure::<dyn Fn()>::new(|| {});
        let label = page(ctx).texts().author_text;
        let link = ctx.link().clone();
        let closures = self.closures.clone();
        wasm_bindgen_futures::spawn_local(async move {
            match codemirror::open(&host, label, false, &on_change, &on_save, &on_move).await {
                Ok(editor) => link.send_message(Msg::Opened(editor.unchecked_into())),
                Err(error) => dom::log_error(&error),
            }
            let kept =
                [on_change.into_js_value(), on_save.into_js_value(), on_move.into_js_value()];
            closures.borrow_mut().extend(kept);
        });
    }

    fn destroy(&mut self, ctx: &Context<Self>) {
        if self.plays {
            page(ctx).act.emit(Action::StopTrials);
        }
    }

    fn update(&mut self, ctx: &Context<Self>, msg: Msg) -> bool {
        match msg {
            Msg::Opened(editor) => {
                editor.set_text(&self.text);
                editor.focus();
                self.editor = Some(editor);
            }
            Msg::Changed(text) => {
                self.text = text;
                self.played = false;
                self.changes = self.changes.wrapping_add(1);
                let (link, changes) = (ctx.link().clone(), self.changes);
                Timeout::new(READ_AFTER_MS, move || link.send_message(Msg::Read(changes))).forget();
                return false;
            }
            Msg::Read(changes) if changes == self.changes => {
                keep::save(KEPT, &self.text);
                self.read(ctx);
                return false;
            }
            Msg::Read(_) => return false,
            Msg::Known(draft) => self.take(*draft),
            Msg::Play => {
                self.plays = true;
                ask(ctx, Call::Rehearse(self.text.clone()), Msg::Played);
            }
            Msg::Played(draft) => {
                (self.plays, self.played) = (false, true);
                self.take(*draft);
            }
            Msg::Stop => {
                self.plays = false;
                page(ctx).act.emit(Action::StopTrials);
            }
            Msg::Start => {
                let start = Start::Draft(self.text.clone());
                page(ctx).act.emit(Action::Start(start));
            }
            Msg::Download => {
                let path = format!("{}/lesson.yaml", self.slug);
                let archive = zip::archive(&[(&path, self.text.as_bytes())]);
                files::download(&format!("{}.zip", self.slug), &archive, "application/zip");
                return false;
            }
            Msg::Rename(slug) => self.slug = slug,
            Msg::GoTo(line) => {
                if let Some(editor) = &self.editor {
                    editor.go_to(line);
                }
                return false;
            }
        }
        true
    }

    fn view(&self, ctx: &Context<Self>) -> Html {
        let page = page(ctx);
        let texts = page.texts();
        html! {
            <section class="author panel" data-testid="author" data-region="topology" tabindex="-1" aria-label={texts.write_lesson}>
                { self.bar(ctx, &page) }
                <div class="author-body">
                    <div class="author-text">
                        <div class="editor-host" ref={self.host.clone()} />
                        { self.problems(ctx, &page) }
                    </div>
                    <div class="author-preview" tabindex="0" role="group" aria-label={texts.author_preview}>
                        if let Some(lesson) = &self.shown { { preview(lesson, &page) } }
                        { self.ran(&page) }
                    </div>
                </div>
            </section>
        }
    }
}

fn page(ctx: &Context<AuthorView>) -> Page {
    ctx.link().context::<Page>(Callback::noop()).map(|(page, _)| page).unwrap_or_else(|| Page {
        language: Default::default(),
        act: Callback::noop(),
        ask: Callback::noop(),
    })
}

fn ask(ctx: &Context<AuthorView>, call: Call, then: fn(Box<DraftPage>) -> Msg) {
    let answer = ctx.link().batch_callback(move |answer: Answer| match answer {
        Ok(Reply::Draft(draft)) => Some(then(draft)),
        _ => None,
    });
    page(ctx).ask(call, answer);
}

impl AuthorView {
    fn read(&self, ctx: &Context<Self>) {
        ask(ctx, Call::Draft(self.text.clone()), Msg::Known);
    }

    fn take(&mut self, draft: DraftPage) {
        if let Some(lesson) = &draft.lesson {
            self.shown = Some(Rc::new(lesson.clone()));
        }
        self.draft = draft;
    }

    fn bar(&self, ctx: &Context<Self>, page: &Page) -> Html {
        let texts = page.texts();
        let rename = ctx.link().batch_callback(|event: InputEvent| {
            let input = event.target().and_then(|it| it.dyn_into::<HtmlInputElement>().ok())?;
            Some(Msg::Rename(input.value()))
        });
        let named = manifest::is_plain_path(&self.slug) && !self.slug.contains('/');
        html! {
            <div class="bar">
                <h2>{ icon(Icon::Pen) }{ texts.write_lesson }</h2>
                <div class="bar-tools">
                    if self.plays {
                        <button class="tool" title={texts.author_stop} onclick={ctx.link().callback(|_| Msg::Stop)}>
                            { icon(Icon::Close) }<span>{ texts.author_stop }</span>
                        </button>
                    } else {
                        <button class="tool" title={texts.author_check} onclick={ctx.link().callback(|_| Msg::Play)}>
                            { icon(Icon::Tick) }<span>{ texts.author_check }</span>
                        </button>
                    }
                    <button class="tool" title={texts.author_try} disabled={self.draft.lesson.is_none()} onclick={ctx.link().callback(|_| Msg::Start)}>
                        { icon(Icon::Run) }<span>{ texts.author_try }</span>
                    </button>
                    <input class="search" aria-label={texts.author_slug} value={self.slug.clone()} oninput={rename} />
                    <button class="tool" title={texts.author_download} disabled={!named} onclick={ctx.link().callback(|_| Msg::Download)}>
                        { icon(Icon::Download) }<span>{ texts.author_download }</span>
                    </button>
                    <button class="tool" aria-label={texts.close} title={texts.close} onclick={page.on(Action::Author(false))}>
                        { icon(Icon::Close) }
                    </button>
                </div>
            </div>
        }
    }

    /// What is wrong, each with a way to its line.
    fn problems(&self, ctx: &Context<Self>, page: &Page) -> Html {
        let texts = page.texts();
        let problems = &self.draft.problems;
        html! {
            <div class="author-problems" role="status" tabindex="0" aria-label={texts.author_problems} data-testid="problems">
                if self.plays {
                    <p>{ texts.author_checking }</p>
                } else if problems.is_empty() {
                    <p class="good">{ if self.played { texts.author_played } else { texts.author_good } }</p>
                } else {
                    <ol>
                        { for problems.iter().map(|problem| {
                            let line = line_of(problem);
                            html! {
                                <li>
                                    <button onclick={ctx.link().callback(move |_| Msg::GoTo(line))}>{ problem }</button>
                                </li>
                            }
                        }) }
                    </ol>
                }
            </div>
        }
    }

    /// What the steps printed as they were played.
    fn ran(&self, page: &Page) -> Html {
        let texts = page.texts();
        html! {
            { for self.draft.played.iter().enumerate().filter(|(_, ran)| !ran.is_empty()).map(|(index, ran)| html! {
                <details class="author-ran" data-testid="ran">
                    <summary>{ fill(texts.author_ran, &[&(index + 1).to_string()]) }</summary>
                    { for ran.iter().map(|(command, printed, code)| html! {
                        <pre tabindex="0" class={classes!((*code != 0).then_some("bad"))}>
                            <b>{ format!("$ {command}\n") }</b>{ printed }
                        </pre>
                    }) }
                </details>
            }) }
        }
    }
}

/// The lesson as it will look, all of it at once.
fn preview(lesson: &LessonPage, page: &Page) -> Html {
    let texts = page.texts();
    html! {
        <article class="preview" data-testid="preview">
            <div class="lesson-head">
                <h2>{ page.language.of(&lesson.title) }</h2>
                <p class="summary">{ page.language.of(&lesson.summary) }</p>
                <p class="minutes">{ fill(texts.minutes, &[&lesson.minutes.to_string()]) }</p>
            </div>
            { for lesson.steps.iter().enumerate().map(|(index, step)| preview_step(index, step, page)) }
            if !lesson.learned.is_empty() {
                <div class="lesson-done">
                    <h3>{ texts.learned }</h3>
                    <ul class="learned">
                        { for lesson.learned.iter().map(|it| html! { <li>{ markdown::render(page.language.of(it)) }</li> }) }
                    </ul>
                </div>
            }
        </article>
    }
}

fn preview_step(index: usize, step: &StepPage, page: &Page) -> Html {
    let texts = page.texts();
    html! {
        <section class="preview-step">
            <h3><span class="step-number">{ index + 1 }</span>{ page.language.of(&step.title) }</h3>
            <div class="prose">{ markdown::render(page.language.of(&step.text)) }</div>
            { for step.commands.iter().map(|command| html! {
                <div class="command"><pre tabindex="0"><code>{ command }</code></pre></div>
            }) }
            if !step.checks.is_empty() {
                <ul class="checks">
                    { for step.checks.iter().map(|says| html! {
                        <li class="check"><span class="check-mark" aria-hidden="true" />{ page.language.of(says) }</li>
                    }) }
                </ul>
            }
            { for step.hints.iter().map(|hint| html! {
                <div class="hint"><b>{ texts.hint }</b>{ markdown::render(page.language.of(hint)) }</div>
            }) }
            { for step.quiz.iter().map(|quiz| preview_quiz(quiz, page)) }
        </section>
    }
}

fn preview_quiz(quiz: &QuizPage, page: &Page) -> Html {
    let texts = page.texts();
    html! {
        <div class="quiz">
            <div>{ markdown::render(page.language.of(&quiz.question)) }</div>
            <ul>
                { for quiz.choices.iter().map(|(text, right)| html! {
                    <li class={classes!("choice", right.then_some("right"))}>
                        { page.language.of(text) }
                        if *right { <span class="choice-mark">{ texts.right }</span> }
                    </li>
                }) }
            </ul>
            <div class="because">{ markdown::render(page.language.of(&quiz.because)) }</div>
        </div>
    }
}
