//! The page's state, and what changes it.

use crate::bridge::Bridge;
use crate::context::{Action, Details, Page, Pane, Setting};
use crate::dom;
use crate::progress::Progress;
use crate::settings::Settings;
use crate::traffic::{PULSE_MS, Traffic};
use crate::views::{
    DetailsPanel, Header, LessonPanel, Screen, Splitter, TabBar, TerminalPanel, Topology,
};
use gloo_timers::callback::Timeout;
use naru_cluster::view::{ClockView, Inspection, ViewDelta};
use naru_web::i18n::fill;
use naru_web::protocol::{LessonHead, LessonPage, ObjectRef, Report, Request, Speed};
use naru_web::query::Query;
use naru_web::store::{Store, is_only_clock};
use std::collections::BTreeSet;
use std::rc::Rc;
use yew::prelude::*;

/// How long a pod is seen to leave, in milliseconds.
const LEAVE_MS: u32 = 700;

/// What the page starts with.
#[derive(Clone, PartialEq, Properties)]
pub struct Props {
    /// The way to the worker.
    pub bridge: Rc<Bridge>,
    /// What the address says.
    pub query: Query,
}

/// What changes the page.
pub enum Msg {
    /// The worker tells something.
    Report(Box<Report>),
    /// A person does something.
    Act(Action),
    /// A pulse has been seen.
    EndPulses(Vec<u64>),
    /// A packet arrives at its next place.
    AdvanceTrip,
    /// A pod has been seen to leave.
    Forget(Vec<String>),
    /// A key that leads from part to part.
    NextRegion {
        /// To the part before.
        backwards: bool,
    },
}

/// The page.
pub struct App {
    settings: Settings,
    page: Page,
    screen: Screen,
    clock: ClockView,
    store: Rc<Store>,
    traffic: Rc<Traffic>,
    moving: bool,
    speed: Speed,
    catalogue: Rc<Vec<LessonHead>>,
    lesson: Option<Rc<LessonPage>>,
    progress: Progress,
    step: usize,
    hold: Vec<bool>,
    selected: Option<ObjectRef>,
    inspection: Option<Rc<Inspection>>,
    /// The object looked at is no longer there.
    gone: bool,
    details: Details,
    details_open: bool,
    pane: Pane,
    failure: Option<String>,
    /// What a screen reader is told.
    announcement: String,
    /// Hears keys wherever the focus is, even nowhere.
    _keys: dom::KeyListener,
}

impl Component for App {
    type Message = Msg;
    type Properties = Props;

    fn create(ctx: &Context<Self>) -> App {
        let Props { bridge, query } = ctx.props();
        let settings = Settings::load(query);
        settings.apply(false);
        let page = Page { language: settings.language, act: ctx.link().callback(Msg::Act) };
        dom::set_title(page.texts().title);
        let link = ctx.link().clone();
        bridge.listen(move |report| link.send_message(Msg::Report(Box::new(report))));
        let speed = query.speed.unwrap_or(Speed::REAL);
        bridge.send(&Request::Boot { lesson: query.lesson.clone(), speed });
        App {
            settings,
            page,
            screen: Screen::default(),
            clock: ClockView::default(),
            store: Rc::default(),
            traffic: Rc::default(),
            moving: false,
            speed,
            catalogue: Rc::default(),
            lesson: None,
            progress: Progress::load(),
            step: 0,
            hold: Vec::new(),
            selected: None,
            inspection: None,
            gone: false,
            details: Details::default(),
            details_open: false,
            pane: Pane::default(),
            failure: None,
            announcement: String::new(),
            _keys: dom::KeyListener::new(ctx.link().batch_callback(region_key)),
        }
    }

    fn update(&mut self, ctx: &Context<Self>, msg: Msg) -> bool {
        match msg {
            Msg::Report(report) => self.take(ctx, *report),
            Msg::Act(action) => self.act(ctx, action),
            Msg::EndPulses(ids) => {
                let traffic = Rc::make_mut(&mut self.traffic);
                ids.into_iter().for_each(|id| traffic.end_pulse(id));
                true
            }
            Msg::AdvanceTrip => {
                let next = Rc::make_mut(&mut self.traffic).advance(&self.store);
                self.moving = next.is_some();
                if let Some(ms) = next {
                    later(ctx, ms, Msg::AdvanceTrip);
                }
                true
            }
            Msg::Forget(uids) => {
                let store = Rc::make_mut(&mut self.store);
                uids.iter().for_each(|uid| store.forget(uid));
                true
            }
            Msg::NextRegion { backwards } => {
                dom::focus_next_region(backwards);
                false
            }
        }
    }

    fn view(&self, ctx: &Context<Self>) -> Html {
        let embed = ctx.props().query.embed;
        let class = classes!(
            "page",
            format!("show-{}", self.pane.class()),
            embed.then_some("embed"),
            self.details_open.then_some("with-details"),
            self.speed.is_paused().then_some("paused"),
        );
        let sizes = format!(
            "--lesson-width: {}px; --terminal-height: {}px",
            self.settings.lesson_width, self.settings.terminal_height
        );
        html! {
            <ContextProvider<Page> context={self.page.clone()}>
                <div {class} style={sizes}>
                    { self.header(embed) }
                    { self.workspace() }
                    <TabBar pane={self.pane} />
                    <p class="unseen" role="status" aria-live="polite">{ &self.announcement }</p>
                    { self.failure_notice() }
                </div>
            </ContextProvider<Page>>
        }
    }
}

impl App {
    fn header(&self, embed: bool) -> Html {
        let theme = self.settings.theme.unwrap_or_else(dom::system_theme);
        html! {
            <Header
                clock={self.clock}
                speed={self.speed}
                ready={self.lesson.is_some()}
                {theme}
                {embed}
            />
        }
    }

    fn workspace(&self) -> Html {
        let texts = self.page.texts();
        let lesson_width = self.settings.lesson_width;
        let terminal_height = self.settings.terminal_height;
        let act = &self.page.act;
        let on_width = act.reform(|size| Action::Set(Setting::LessonWidth(size)));
        let on_height = act.reform(|size| Action::Set(Setting::TerminalHeight(size)));
        html! {
            <main class="workspace">
                <LessonPanel
                    lesson={self.lesson.clone()}
                    catalogue={self.catalogue.clone()}
                    done={self.done()}
                    open={self.step}
                    hold={self.hold.clone()}
                />
                <Splitter
                    class="split-lesson"
                    label={texts.split_lesson}
                    size={lesson_width}
                    least={240.0}
                    most={720.0}
                    onresize={on_width}
                />
                <Topology
                    store={self.store.clone()}
                    traffic={self.traffic.clone()}
                    selected={self.selected.clone()}
                    revision={self.clock.revision}
                    show_system={self.settings.show_system}
                    details_open={self.details_open}
                />
                <DetailsPanel
                    open={self.details_open}
                    details={self.details}
                    selected={self.selected.clone()}
                    inspection={self.inspection.clone()}
                    gone={self.gone}
                    store={self.store.clone()}
                    trip={self.traffic.trip.clone()}
                />
                <Splitter
                    class="split-terminal"
                    label={texts.split_terminal}
                    horizontal={true}
                    size={terminal_height}
                    least={120.0}
                    most={900.0}
                    onresize={on_height}
                />
                <TerminalPanel
                    screen={self.screen.clone()}
                    paused={self.speed.is_paused() && self.lesson.is_some()}
                    text={self.settings.terminal_text}
                    screen_reader={self.settings.screen_reader}
                    theme={self.settings.theme}
                />
            </main>
        }
    }

    fn failure_notice(&self) -> Html {
        let Some(failure) = &self.failure else { return Html::default() };
        let texts = self.page.texts();
        html! {
            <div class="failure" role="alertdialog" aria-labelledby="failure-title">
                <div class="failure-box">
                    <h2 id="failure-title">{ texts.failed }</h2>
                    <pre>{ failure }</pre>
                    <button class="primary" onclick={self.page.on(Action::Restart)}>
                        { texts.restart }
                    </button>
                </div>
            </div>
        }
    }

    fn done(&self) -> BTreeSet<usize> {
        self.lesson.as_ref().map(|lesson| self.progress.of(&lesson.slug)).unwrap_or_default()
    }

    /// Takes in what the worker tells. Returns whether the page has to be drawn anew.
    fn take(&mut self, ctx: &Context<Self>, report: Report) -> bool {
        match report {
            Report::Output(bytes) => {
                self.screen.write(&bytes);
                false
            }
            Report::View(delta) => {
                self.take_view(ctx, delta);
                true
            }
            Report::Booted { catalogue, lesson } => {
                self.booted(ctx, catalogue, lesson);
                true
            }
            Report::Inspection(found) => {
                self.gone = found.is_none();
                // What was last known of it is still worth a look.
                self.inspection = found.map(|it| Rc::new(*it)).or(self.inspection.take());
                true
            }
            Report::Checks { step, hold } if step as usize == self.step => {
                self.hold = hold;
                if !self.hold.is_empty() && self.hold.iter().all(|holds| *holds) {
                    self.finish_step();
                }
                true
            }
            Report::Checks { .. } | Report::Answer { .. } => false,
            Report::Paused => {
                self.speed = Speed::PAUSED;
                true
            }
            Report::Failed(error) => {
                self.failure = Some(error);
                true
            }
        }
    }

    fn take_view(&mut self, ctx: &Context<Self>, delta: ViewDelta) {
        self.clock = delta.clock;
        if is_only_clock(&delta) {
            return;
        }
        let news = Rc::make_mut(&mut self.store).apply(delta);
        if !news.leaving.is_empty() {
            later(ctx, LEAVE_MS, Msg::Forget(news.leaving.clone()));
        }
        if news.activity.is_empty() && news.packets.is_empty() {
            return;
        }
        let traffic = Rc::make_mut(&mut self.traffic);
        let begun = traffic.take(&news, &self.store);
        if !begun.is_empty() {
            later(ctx, PULSE_MS, Msg::EndPulses(begun));
        }
        if traffic.can_start() && !self.moving {
            ctx.link().send_message(Msg::AdvanceTrip);
        }
    }

    fn booted(&mut self, ctx: &Context<Self>, catalogue: Vec<LessonHead>, lesson: LessonPage) {
        self.screen.clear();
        self.traffic = Rc::default();
        self.selected = None;
        self.inspection = None;
        self.failure = None;
        self.catalogue = Rc::new(catalogue);
        let done = self.progress.of(&lesson.slug);
        self.step = (0..lesson.steps.len()).find(|step| !done.contains(step)).unwrap_or(0);
        self.hold.clear();
        self.lesson = Some(Rc::new(lesson));
        let bridge = &ctx.props().bridge;
        bridge.send(&Request::LessonStep(self.step as u32));
        if let Some((columns, rows)) = self.screen.size() {
            bridge.send(&Request::Resize { columns, rows });
        }
    }

    /// Notes that the open step is done, and tells so.
    fn finish_step(&mut self) {
        let Some(lesson) = &self.lesson else { return };
        if !self.progress.finish(&lesson.slug, self.step) {
            return;
        }
        let texts = self.page.texts();
        let title = lesson.steps.get(self.step).map(|step| self.page.language.of(&step.title));
        self.announcement = fill(texts.step_done, &[title.unwrap_or_default()]);
        if self.progress.of(&lesson.slug).len() == lesson.steps.len() {
            self.announcement = texts.lesson_done.to_owned();
        }
    }

    fn open_step(&mut self, ctx: &Context<Self>, step: usize) {
        self.step = step;
        self.hold.clear();
        ctx.props().bridge.send(&Request::LessonStep(step as u32));
    }

    /// Does what a person asks. Returns whether the page has to be drawn anew.
    fn act(&mut self, ctx: &Context<Self>, action: Action) -> bool {
        let bridge = &ctx.props().bridge;
        match action {
            Action::Select(object) => {
                self.details_open |= object.is_some();
                self.details = Details::Object;
                if object != self.selected {
                    self.inspection = None;
                    self.gone = false;
                    bridge.send(&Request::Inspect(object.clone()));
                }
                if object.is_some() {
                    self.pane = Pane::Details;
                }
                self.selected = object;
            }
            Action::Speed(speed) => {
                self.speed = speed;
                bridge.send(&Request::Speed(speed));
            }
            Action::Step => bridge.send(&Request::Step),
            Action::Run(command) => {
                bridge.send(&Request::Input(typed(&command)));
                self.pane = Pane::Terminal;
                self.screen.focus();
            }
            Action::Input(bytes) => {
                bridge.send(&Request::Input(bytes));
                return false;
            }
            Action::Resize(columns, rows) => {
                self.screen.set_size(columns, rows);
                bridge.send(&Request::Resize { columns, rows });
                return false;
            }
            Action::OpenStep(step) => self.open_step(ctx, step),
            Action::Next => {
                self.finish_if_unchecked();
                self.open_step(ctx, self.step + 1);
            }
            Action::Lesson(slug) => self.boot(ctx, Some(slug)),
            Action::Restart => {
                let slug = self.lesson.as_ref().map(|lesson| lesson.slug.clone());
                self.boot(ctx, slug);
            }
            Action::ForgetProgress => {
                if let Some(lesson) = &self.lesson {
                    self.progress.forget(&lesson.slug);
                }
                self.open_step(ctx, 0);
            }
            Action::Pane(pane) => {
                self.pane = pane;
                self.details_open |= pane == Pane::Details;
            }
            Action::Details(details) => {
                self.details = details;
                self.details_open = true;
            }
            Action::ToggleDetails => {
                self.details_open = !self.details_open;
                if !self.details_open && self.pane == Pane::Details {
                    self.pane = Pane::Cluster;
                }
            }
            Action::Replay(packet) => self.replay(ctx, packet),
            Action::Set(setting) => self.set(ctx, setting),
            Action::Copy(text) => {
                dom::copy(&text);
                self.announcement = self.page.texts().copied.to_owned();
            }
        }
        true
    }

    /// A step without checks is done when a person goes on.
    fn finish_if_unchecked(&mut self) {
        let step = self.lesson.as_ref().and_then(|lesson| lesson.steps.get(self.step));
        if step.is_some_and(|step| step.checks.is_empty()) {
            self.finish_step();
        }
    }

    fn boot(&mut self, ctx: &Context<Self>, lesson: Option<String>) {
        self.lesson = None;
        self.failure = None;
        if self.speed.is_paused() {
            self.speed = Speed::REAL;
        }
        ctx.props().bridge.send(&Request::Boot { lesson, speed: self.speed });
    }

    fn replay(&mut self, ctx: &Context<Self>, packet: u64) {
        Rc::make_mut(&mut self.traffic).replay(packet);
        if !self.moving {
            self.moving = true;
            later(ctx, self.traffic.leg_ms(), Msg::AdvanceTrip);
        }
    }

    fn set(&mut self, ctx: &Context<Self>, setting: Setting) {
        let settings = &mut self.settings;
        match setting {
            Setting::Language(language) => {
                settings.language = language;
                self.page.language = language;
                dom::set_title(language.texts().title);
            }
            Setting::OtherTheme => {
                let theme = settings.theme.unwrap_or_else(dom::system_theme);
                settings.theme = Some(theme.other());
            }
            Setting::ShowSystem(show) => settings.show_system = show,
            Setting::ScreenReader(on) => settings.screen_reader = on,
            Setting::TerminalText(more) => {
                let pixels = settings.terminal_text.saturating_add_signed(more);
                settings.terminal_text = pixels.clamp(8, 32);
            }
            Setting::LessonWidth(pixels) => settings.lesson_width = pixels,
            Setting::TerminalHeight(pixels) => settings.terminal_height = pixels,
        }
        settings.apply(!ctx.props().query.embed);
    }
}

/// F6 leads from part to part of the page, as in many programs.
fn region_key(event: KeyboardEvent) -> Option<Msg> {
    (event.key() == "F6").then(|| {
        event.prevent_default();
        Msg::NextRegion { backwards: event.shift_key() }
    })
}

/// A command as a keyboard would type it, with Enter at its end.
fn typed(command: &str) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        command.bytes().map(|byte| if byte == b'\n' { b'\r' } else { byte }).collect();
    bytes.push(b'\r');
    bytes
}

/// Sends a message to the page after some milliseconds.
fn later(ctx: &Context<App>, ms: u32, msg: Msg) {
    let link = ctx.link().clone();
    Timeout::new(ms, move || link.send_message(msg)).forget();
}
