//! The page's state, and what changes it.

use crate::bridge::Bridge;
use crate::context::{Action, Answer, Desk, Details, Page, Pane, Setting, Stage};
use crate::progress::Progress;
use crate::settings::Settings;
use crate::traffic::{PULSE_MS, Traffic};
use crate::views::{
    AuthorView, DeskPanel, DetailsPanel, Header, LessonPanel, REGISTRY_ROOT, SECONDS, Screens,
    Splitter, StagePanel, TabBar, TimelineBar, first_service,
};
use crate::{dom, files, keep};
use gloo_timers::callback::Timeout;
use naru_cluster::view::{ClockView, Inspection, Study, StudyView, ViewDelta};
use naru_web::chronicle::Chronicle;
use naru_web::i18n::fill;
use naru_web::protocol::{
    Boot, Booted, Call, LessonHead, Mark, MarkKind, ObjectRef, Reply, Report, Request, Speed,
    Start, StudyPage, TablePage, TableRef, TermPage,
};
use naru_web::query::{Query, Shown};
use naru_web::store::{Look, Store, is_only_clock};
use naru_web::timeline::Timeline;
use naru_web::usage::Usage;
use std::rc::Rc;
use yew::prelude::*;

/// Terminals beside what lies in front at most.
pub const BESIDE_MAX: usize = 3;

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

/// What a lesson is called that is being written, and its file where the browser keeps it. Its
/// progress begins anew each time.
const DRAFT: &str = "draft";
/// The name of a session's file.
const SESSION_FILE: &str = "naru-session.naru";
/// The command whose output is a cluster's objects as manifests.
const ALL_MANIFESTS: &str = "kubectl get deployments,statefulsets,daemonsets,jobs,cronjobs,services,\
    ingresses,configmaps,secrets,persistentvolumeclaims,serviceaccounts,roles,rolebindings -A -o yaml";

/// What changes the page.
pub enum Msg {
    /// It is known what was kept of this tab's session.
    Kept(Option<Vec<u8>>),
    /// A person has chosen a file with a session.
    Imported(Vec<u8>),
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

/// What each view that looks into something looked into last.
struct Studies {
    registry: Study,
    rights: Study,
    rules: Study,
}

impl Default for Studies {
    fn default() -> Studies {
        Studies {
            registry: Study::Registry { prefix: REGISTRY_ROOT.to_owned(), key: String::new() },
            rights: Study::Rights { subject: None, namespace: "default".to_owned() },
            rules: Study::Chains {
                namespace: String::new(),
                name: String::new(),
                node: String::new(),
            },
        }
    }
}

/// The page.
pub struct App {
    settings: Settings,
    page: Page,
    screens: Screens,
    clock: ClockView,
    store: Rc<Store>,
    traffic: Rc<Traffic>,
    moving: bool,
    speed: Speed,
    /// How fast time went before it was made to stand still.
    last_speed: Speed,
    timeline: Rc<Timeline>,
    /// A moment is on its way; when it is there, another one may be wanted.
    travel: Option<Option<u64>>,
    catalogue: Rc<Vec<LessonHead>>,
    /// What was started, once it is there.
    booted: Option<Rc<Booted>>,
    /// Something was started before: the step that the address names was opened then.
    booted_before: bool,
    /// A kept session is being lived through again: percent.
    resuming: Option<u8>,
    /// It is not known yet whether what was kept can be gone on with.
    trying_kept: bool,
    progress: Progress,
    step: usize,
    hold: Vec<bool>,
    selected: Option<ObjectRef>,
    inspection: Option<Rc<Inspection>>,
    /// The object looked at is no longer there.
    gone: bool,
    details: Details,
    details_open: bool,
    stage: Stage,
    table_of: TableRef,
    table: Option<Rc<TablePage>>,
    studies: Studies,
    study: Option<Rc<StudyPage>>,
    usage: Rc<Usage>,
    /// What was seen of the object looked at.
    chronicle: Rc<Chronicle>,
    /// The condition that is waited for.
    waits: Option<String>,
    /// What came of the last one, until time goes on.
    waited: Option<String>,
    terms: Rc<Vec<TermPage>>,
    desk: Desk,
    /// The terminals beside what lies in front, from left to right.
    beside: Vec<u32>,
    /// A lesson is being written.
    author: bool,
    pane: Pane,
    failure: Option<String>,
    /// The session as it was kept last.
    kept: Option<Rc<Vec<u8>>>,
    /// What a screen reader is told, and everybody sees for a moment.
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
        let asking = bridge.clone();
        let page = Page {
            language: settings.language,
            act: ctx.link().callback(Msg::Act),
            ask: Callback::from(move |(call, answer)| asking.ask(call, answer)),
        };
        dom::set_title(page.texts().title);
        crate::api::serve_page(page.act.clone());
        let link = ctx.link().clone();
        bridge.listen(move |report| link.send_message(Msg::Report(Box::new(report))));
        let speed = query.speed.unwrap_or(Speed::REAL);
        let app = App {
            settings,
            page,
            screens: Screens::default(),
            clock: ClockView::default(),
            store: Rc::default(),
            traffic: Rc::default(),
            moving: false,
            speed,
            last_speed: Speed::REAL,
            timeline: Rc::default(),
            travel: None,
            catalogue: Rc::default(),
            booted: None,
            booted_before: false,
            resuming: None,
            trying_kept: false,
            progress: Progress::load(),
            step: 0,
            hold: Vec::new(),
            selected: None,
            inspection: None,
            gone: false,
            details: Details::default(),
            details_open: false,
            stage: Stage::default(),
            table_of: TableRef {
                plural: "pods".to_owned(),
                group: String::new(),
                namespace: "default".to_owned(),
            },
            table: None,
            studies: Studies::default(),
            study: None,
            usage: Rc::default(),
            chronicle: Rc::default(),
            waits: None,
            waited: None,
            terms: Rc::default(),
            desk: Desk::Terminal(0),
            beside: Vec::new(),
            author: false,
            pane: Pane::default(),
            failure: None,
            kept: None,
            announcement: String::new(),
            _keys: dom::KeyListener::new(ctx.link().batch_callback(region_key)),
        };
        match asked_for(query) {
            Some(start) => app.send_boot(ctx, start),
            None => ctx.link().send_future(async { Msg::Kept(files::kept().await) }),
        }
        app
    }

    fn update(&mut self, ctx: &Context<Self>, msg: Msg) -> bool {
        match msg {
            Msg::Report(report) => self.take(ctx, *report),
            Msg::Act(action) => self.act(ctx, action),
            Msg::Kept(kept) => {
                self.trying_kept = kept.is_some();
                self.send_boot(ctx, kept.map_or(Start::Lesson(None), Start::Kept));
                true
            }
            Msg::Imported(session) => {
                self.boot(ctx, Start::Kept(session));
                true
            }
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
                dom::focus_next_region(backwards, ctx.props().query.embed);
                false
            }
        }
    }

    fn view(&self, ctx: &Context<Self>) -> Html {
        let embed = ctx.props().query.embed;
        let shown = shown(&ctx.props().query);
        let panes = self.panes(shown);
        let pane = panes.iter().copied().find(|it| *it == self.pane).or(panes.first().copied());
        let pane = pane.unwrap_or_default();
        let class = classes!(
            "page",
            format!("show-{}", pane.class()),
            embed.then_some("embed"),
            (!shown.lesson).then_some("without-lesson"),
            (!shown.picture).then_some("without-picture"),
            (!shown.terminal).then_some("without-terminal"),
            (!shown.time).then_some("without-time"),
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
                    <TimelineBar
                        clock={self.clock}
                        speed={self.speed}
                        resume={self.last_speed}
                        ready={self.is_ready()}
                        timeline={self.timeline.clone()}
                        store={self.store.clone()}
                        waits={self.waits.clone()}
                        waited={self.waited.clone()}
                    />
                    { self.workspace() }
                    <TabBar {pane} {panes} />
                    <p class="unseen" role="status" aria-live="polite">{ &self.announcement }</p>
                    { self.failure_notice() }
                    { self.resuming_notice() }
                </div>
            </ContextProvider<Page>>
        }
    }
}

impl App {
    /// The parts of the page that can be chosen where only one has room.
    fn panes(&self, shown: Shown) -> Vec<Pane> {
        let is_there = |pane: &Pane| match pane {
            Pane::Lesson => shown.lesson,
            Pane::Cluster => shown.picture || self.author,
            Pane::Terminal => shown.terminal,
            Pane::Details => shown.picture || self.pane == Pane::Details,
        };
        Pane::ALL.into_iter().filter(is_there).collect()
    }

    fn header(&self, embed: bool) -> Html {
        let theme = self.settings.theme.unwrap_or_else(dom::system_theme);
        html! {
            <Header
                booted={self.booted.clone()}
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
                    booted={self.booted.clone()}
                    catalogue={self.catalogue.clone()}
                    progress={self.progress.clone()}
                    open={self.step}
                    hold={self.hold.clone()}
                    terms={self.terms.clone()}
                />
                <Splitter
                    class="split-lesson"
                    label={texts.split_lesson}
                    size={lesson_width}
                    least={240.0}
                    most={720.0}
                    onresize={on_width}
                />
                { self.middle() }
                <DetailsPanel
                    open={self.details_open}
                    details={self.details}
                    selected={self.selected.clone()}
                    inspection={self.inspection.clone()}
                    gone={self.gone}
                    store={self.store.clone()}
                    seconds={self.clock.micros.div_ceil(SECONDS)}
                    chronicle={self.chronicle.clone()}
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
                <DeskPanel
                    desk={self.desk}
                    beside={self.beside.clone()}
                    beside_widths={self.settings.beside_widths}
                    screens={self.screens.clone()}
                    paused={self.speed.is_paused() && self.is_ready()}
                    live={self.timeline.view.live || !self.is_ready()}
                    end={self.timeline.end(self.clock.micros)}
                    text={self.settings.terminal_text}
                    screen_reader={self.settings.screen_reader}
                    theme={self.settings.theme}
                />
            </main>
        }
    }

    /// The cluster, or the lesson that is being written.
    fn middle(&self) -> Html {
        if self.author {
            return html! { <AuthorView /> };
        }
        html! {
            <StagePanel
                stage={self.stage}
                store={self.store.clone()}
                traffic={self.traffic.clone()}
                selected={self.selected.clone()}
                revision={self.clock.revision}
                now={self.clock.micros}
                show_system={self.settings.show_system}
                details_open={self.details_open}
                table_of={self.table_of.clone()}
                table={self.table.clone()}
                rules_of={self.studies.rules.clone()}
                study={self.study.clone()}
                usage={self.usage.clone()}
                pointed={self.pointed()}
                step={self.step_with_goal()}
            />
        }
    }

    fn failure_notice(&self) -> Html {
        let Some(failure) = &self.failure else { return Html::default() };
        let texts = self.page.texts();
        html! {
            <div class="failure" role="alertdialog" aria-labelledby="failure-title">
                <div class="failure-box">
                    <h2 id="failure-title">{ texts.failed }</h2>
                    <pre tabindex="0">{ failure }</pre>
                    <div class="failure-tools">
                        if let Some(kept) = &self.kept {
                            <button
                                class="primary"
                                onclick={self.page.on(Action::Start(Start::Kept(kept.to_vec())))}
                            >
                                { texts.go_on }
                            </button>
                        }
                        <button
                            class={if self.kept.is_some() { "link" } else { "primary" }}
                            onclick={self.page.on(Action::Restart)}
                        >
                            { texts.restart }
                        </button>
                        <button class="link" onclick={self.page.on(Action::ExportReport)}>
                            { texts.report }
                        </button>
                    </div>
                </div>
            </div>
        }
    }

    fn resuming_notice(&self) -> Html {
        let Some(percent) = self.resuming else { return Html::default() };
        let texts = self.page.texts();
        html! {
            <div class="resuming" role="status">
                <p>{ texts.resuming }</p>
                <progress max="100" value={percent.to_string()} aria-label={texts.resuming} />
            </div>
        }
    }

    fn is_ready(&self) -> bool {
        self.booted.is_some() && self.resuming.is_none()
    }

    fn lesson(&self) -> Option<&naru_web::protocol::LessonPage> {
        self.booted.as_ref()?.lesson.as_ref()
    }

    /// Takes in what the worker tells. Returns whether the page has to be drawn anew.
    fn take(&mut self, ctx: &Context<Self>, report: Report) -> bool {
        match report {
            Report::Output { terminal, anew, bytes } => {
                if anew {
                    self.screens.of(terminal).clear();
                }
                self.screens.of(terminal).write(&bytes);
                return false;
            }
            Report::View(delta) => self.take_view(ctx, delta),
            Report::Booted(booted) => self.take_booted(ctx, *booted),
            Report::Catalogue(catalogue) => self.catalogue = Rc::new(catalogue),
            Report::Terms(terms) => self.terms = Rc::new(terms),
            Report::Resuming(percent) => self.resuming = Some(percent),
            Report::Time(view) => Rc::make_mut(&mut self.timeline).take(view),
            Report::Mark(mark) => self.mark(mark),
            Report::Inspection(found) => {
                self.gone = found.is_none();
                if let Some(found) = &found {
                    Rc::make_mut(&mut self.chronicle).take(found, self.clock.micros);
                }
                // What was last known of it is still worth a look.
                self.inspection = found.map(|it| Rc::new(*it)).or(self.inspection.take());
            }
            Report::Table(table) => self.table = Some(Rc::new(*table)),
            Report::Study(study) => match study.view {
                StudyView::Usage(view) => return Rc::make_mut(&mut self.usage).take(view),
                _ => self.study = Some(Rc::new(*study)),
            },
            Report::Checks { step, hold } if step as usize == self.step => {
                self.hold = hold;
                if !self.hold.is_empty() && self.hold.iter().all(|holds| *holds) {
                    self.finish_step();
                }
            }
            Report::Checks { .. } | Report::Answer { .. } => return false,
            Report::Kept(session) => {
                if !ctx.props().query.embed {
                    files::keep(&session);
                }
                self.kept = Some(Rc::new(session));
                return false;
            }
            Report::Paused => self.take_pause(ctx),
            Report::Failed(error) => self.take_failure(ctx, error),
        }
        true
    }

    /// Time stands still: somebody has stepped, or travelled.
    fn take_pause(&mut self, ctx: &Context<Self>) {
        if !self.speed.is_paused() {
            self.last_speed = self.speed;
        }
        self.speed = Speed::PAUSED;
        if let Some(Some(next)) = self.travel.take() {
            self.travel(ctx, next);
        }
    }

    /// Goes to a moment as soon as the worker has come to the one before.
    fn travel(&mut self, ctx: &Context<Self>, micros: u64) {
        match &mut self.travel {
            Some(next) => *next = Some(micros),
            None => {
                self.travel = Some(None);
                ctx.props().bridge.send(&Request::Travel(micros));
            }
        }
    }

    fn take_failure(&mut self, ctx: &Context<Self>, error: String) {
        self.travel = None;
        if std::mem::take(&mut self.trying_kept) {
            // Kept by another version of the page: there is no way on from it.
            files::start_anew();
            self.announcement = self.page.texts().kept_is_old.to_owned();
            self.boot(ctx, Start::Lesson(None));
            return;
        }
        self.resuming = None;
        self.failure = Some(error);
    }

    fn take_view(&mut self, ctx: &Context<Self>, delta: ViewDelta) {
        self.clock = delta.clock;
        if is_only_clock(&delta) {
            return;
        }
        self.mark_trouble(&delta);
        let reset = delta.reset;
        let brings_services = !delta.services.is_empty();
        let news = Rc::make_mut(&mut self.store).apply(delta);
        if reset {
            self.traffic = Rc::default();
        }
        self.screens.set_names(&self.store);
        if brings_services && self.stage == Stage::Rules {
            self.send_looks(ctx);
        }
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

    /// Puts a mark on the line of time.
    fn mark(&mut self, mark: Mark) {
        tell_mark(&mark);
        Rc::make_mut(&mut self.timeline).mark(mark);
    }

    /// Marks pods that have got into trouble.
    fn mark_trouble(&mut self, delta: &ViewDelta) {
        if delta.reset {
            return;
        }
        let was_broken =
            |uid: &str| self.store.pods.get(uid).is_some_and(|pod| Look::of(pod) == Look::Broken);
        let broken: Vec<String> = delta
            .pods
            .iter()
            .filter(|pod| Look::of(pod) == Look::Broken && !was_broken(&pod.uid))
            .map(|pod| format!("{}: {}", pod.name, pod.status))
            .collect();
        for text in broken {
            let micros = delta.clock.micros;
            tell_mark(&Mark { micros, kind: MarkKind::Trouble, text: text.clone() });
            Rc::make_mut(&mut self.timeline).mark_trouble(micros, text);
        }
    }

    fn take_booted(&mut self, ctx: &Context<Self>, booted: Booted) {
        self.traffic = Rc::default();
        self.selected = None;
        self.inspection = None;
        self.details_open = false;
        self.failure = None;
        self.resuming = None;
        self.trying_kept = false;
        self.travel = None;
        self.screens.open(booted.terminals);
        let (done, steps) = match &booted.lesson {
            Some(lesson) => (self.progress.of(&lesson.slug), lesson.steps.len()),
            None => Default::default(),
        };
        let first = (0..steps).find(|step| !done.contains(step)).unwrap_or(0);
        let asked = ctx.props().query.step.filter(|step| *step < steps && !self.booted_before);
        self.booted_before = true;
        self.step = asked.unwrap_or(first);
        self.hold.clear();
        self.booted = Some(Rc::new(booted));
        let bridge = &ctx.props().bridge;
        bridge.send(&Request::LessonStep(self.step as u32));
        self.look_where_the_step_says();
        self.send_looks(ctx);
        for (terminal, columns, rows) in self.screens.sizes() {
            bridge.send(&Request::Resize { terminal, columns, rows });
        }
    }

    /// Asks for what is seen, as long as it is.
    fn send_looks(&mut self, ctx: &Context<Self>) {
        let bridge = &ctx.props().bridge;
        let of = (self.stage == Stage::Objects).then(|| self.table_of.clone());
        bridge.send(&Request::Table(of));
        bridge.send(&Request::Study(self.study_wanted()));
    }

    fn study_wanted(&mut self) -> Option<Study> {
        match self.stage {
            Stage::Registry => Some(self.studies.registry.clone()),
            Stage::Rights => Some(self.studies.rights.clone()),
            Stage::Rules => {
                self.choose_service();
                Some(self.studies.rules.clone())
            }
            Stage::Resources => Some(Study::Usage),
            _ => None,
        }
    }

    /// A service whose rules are shown, where none was chosen.
    fn choose_service(&mut self) {
        let Study::Chains { namespace, name, .. } = &mut self.studies.rules else { return };
        if name.is_empty() {
            (*namespace, *name) = first_service(&self.store).unwrap_or_default();
        }
    }

    /// Looks into something, in its view.
    fn look_into(&mut self, ctx: &Context<Self>, study: Study) {
        let (slot, stage) = match study {
            Study::Registry { .. } => (&mut self.studies.registry, Stage::Registry),
            Study::Rights { .. } => (&mut self.studies.rights, Stage::Rights),
            Study::Chains { .. } => (&mut self.studies.rules, Stage::Rules),
            Study::Usage => return,
        };
        *slot = study;
        self.stage = stage;
        self.pane = Pane::Cluster;
        self.send_looks(ctx);
    }

    /// Lets time go on until something has come about.
    fn run_until(&mut self, ctx: &Context<Self>, wait: String) {
        let (act, texts) = (self.page.act.clone(), self.page.texts());
        let told = wait.clone();
        let answer = Callback::from(move |answer: Answer| {
            let (stderr, code) = match answer {
                Ok(Reply::Exec { stderr, code, .. }) => (stderr, code),
                Ok(_) => return,
                Err(error) => (error, 1),
            };
            let text = match code {
                0 => fill(texts.until_met, &[&told]),
                _ => fill(texts.until_missed, &[&told, stderr.trim()]),
            };
            act.emit(Action::Waited(text));
        });
        self.waited = None;
        self.waits = Some(wait.clone());
        ctx.props().bridge.ask(Call::Until(wait), answer);
    }

    /// The object that the open step speaks of.
    fn pointed(&self) -> Option<ObjectRef> {
        let step = self.lesson()?.steps.get(self.step)?;
        ObjectRef::named(&step.look.as_ref()?.object)
    }

    /// The open step, if it has one do something.
    fn step_with_goal(&self) -> Option<u32> {
        let step = self.lesson()?.steps.get(self.step)?;
        let does = !step.commands.is_empty() || !step.solution.is_empty();
        does.then_some(self.step as u32)
    }

    /// Shows the view that the open step speaks of.
    fn look_where_the_step_says(&mut self) {
        let step = self.lesson().and_then(|lesson| lesson.steps.get(self.step));
        let stage = step.and_then(|step| Stage::named(&step.look.as_ref()?.view));
        self.stage = stage.unwrap_or(self.stage);
        if let Some(ObjectRef { kind, namespace, name }) = self.pointed()
            && (self.stage, kind.as_str()) == (Stage::Rules, "Service")
        {
            self.studies.rules = Study::Chains { namespace, name, node: String::new() };
        }
    }

    /// Notes that the open step is done, and tells so.
    fn finish_step(&mut self) {
        let Some(booted) = self.booted.clone() else { return };
        let Some(lesson) = &booted.lesson else { return };
        if !self.progress.finish(&lesson.slug, self.step) {
            return;
        }
        let texts = self.page.texts();
        let title = lesson.steps.get(self.step).map(|step| self.page.language.of(&step.title));
        self.announcement = fill(texts.step_done, &[title.unwrap_or_default()]);
        let text = self.announcement.clone();
        self.mark(Mark { micros: self.clock.micros, kind: MarkKind::Step, text });
        self.tell_step(true);
        if self.progress.of(&lesson.slug).len() == lesson.steps.len() {
            self.announcement = texts.lesson_done.to_owned();
        }
    }

    /// Tells who has embedded the page which step is open, or was done.
    fn tell_step(&self, done: bool) {
        let Some(lesson) = self.lesson() else { return };
        dom::tell(
            "naru-step",
            [
                ("lesson", lesson.slug.as_str().into()),
                ("step", (self.step as u32).into()),
                ("steps", (lesson.steps.len() as u32).into()),
                ("done", done.into()),
            ],
        );
    }

    fn open_step(&mut self, ctx: &Context<Self>, step: usize) {
        self.step = step;
        self.hold.clear();
        self.tell_step(false);
        ctx.props().bridge.send(&Request::LessonStep(step as u32));
        self.look_where_the_step_says();
        self.send_looks(ctx);
    }

    /// Does what a person asks. Returns whether the page has to be drawn anew.
    fn act(&mut self, ctx: &Context<Self>, action: Action) -> bool {
        let bridge = &ctx.props().bridge;
        match action {
            Action::Select(object) => self.select(ctx, object),
            Action::Speed(_)
            | Action::Step
            | Action::Travel(_)
            | Action::TakeUp(_)
            | Action::ResetStep => self.act_on_time(ctx, action),
            Action::Run(command) => {
                let terminal = self.type_line(ctx, &command);
                self.pane = Pane::Terminal;
                self.screens.of(terminal).focus();
            }
            Action::Type(line) => {
                self.type_line(ctx, &line);
            }
            Action::Input(terminal, bytes) => {
                bridge.send(&Request::Input { terminal, bytes });
                return false;
            }
            Action::Resize(terminal, columns, rows) => {
                self.screens.of(terminal).set_size(columns, rows);
                bridge.send(&Request::Resize { terminal, columns, rows });
                return false;
            }
            Action::OpenTerminal => {
                let terminal = self.screens.open_one_more();
                self.desk = Desk::Terminal(terminal);
                bridge.send(&Request::OpenTerminal);
            }
            Action::SplitDesk => self.split_desk(ctx),
            Action::Unsplit => {
                self.beside.pop();
            }
            Action::Desk(desk) => {
                // What stood beside comes to the front.
                self.beside.retain(|it| Desk::Terminal(*it) != desk);
                self.desk = desk;
                self.pane = Pane::Terminal;
            }
            Action::Fault(words) => self.fault(ctx, words),
            Action::Stage(stage) => {
                self.stage = stage;
                self.send_looks(ctx);
            }
            Action::Table(of) => {
                self.table_of = of;
                self.send_looks(ctx);
            }
            Action::Study(study) => self.look_into(ctx, study),
            Action::Until(wait) => self.run_until(ctx, wait),
            Action::Cancel => bridge.send(&Request::Cancel),
            Action::StopTrials => {
                bridge.send(&Request::StopTrials);
                return false;
            }
            Action::Waited(text) => {
                self.waits = None;
                self.waited = Some(text);
            }
            Action::OpenStep(step) => self.open_step(ctx, step),
            Action::Next => {
                self.finish_if_unchecked();
                self.open_step(ctx, self.step + 1);
            }
            Action::Author(writes) => {
                self.author = writes;
                self.pane = if writes { Pane::Cluster } else { Pane::Lesson };
            }
            Action::Lesson(slug) => self.boot(ctx, Start::Lesson(Some(slug))),
            Action::Start(start) => {
                if matches!(start, Start::Draft(_)) {
                    self.author = false;
                    self.pane = Pane::Lesson;
                    self.progress.forget(DRAFT);
                }
                self.boot(ctx, start);
            }
            Action::Restart => self.restart(ctx),
            Action::ForgetProgress => {
                if let Some(slug) = self.lesson().map(|lesson| lesson.slug.clone()) {
                    self.progress.forget(&slug);
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
            Action::Announce(text) => self.announcement = text,
            Action::ExportReport => self.give_report(),
            Action::Export => bridge.ask(Call::Keep, give_session()),
            Action::ExportManifests => {
                bridge.ask(Call::Peek(ALL_MANIFESTS.to_owned()), give_manifests());
            }
            Action::Import => {
                let link = ctx.link().clone();
                wasm_bindgen_futures::spawn_local(async move {
                    if let Some(session) = files::upload(".naru").await {
                        link.send_message(Msg::Imported(session));
                    }
                });
                return false;
            }
        }
        true
    }

    /// Types a line into the terminal in front. Returns which that is.
    fn type_line(&mut self, ctx: &Context<Self>, line: &str) -> u32 {
        let terminal = self.screens.current(self.desk);
        self.desk = Desk::Terminal(terminal);
        ctx.props().bridge.send(&Request::Input { terminal, bytes: typed(line) });
        terminal
    }

    /// Shows one more terminal beside what lies in front. A new one is opened where all others are
    /// to be seen already.
    fn split_desk(&mut self, ctx: &Context<Self>) {
        if self.beside.len() >= BESIDE_MAX {
            return;
        }
        let is_seen = |it: u32| Desk::Terminal(it) == self.desk || self.beside.contains(&it);
        let other = (0..self.screens.count()).find(|it| !is_seen(*it));
        self.beside.push(other.unwrap_or_else(|| {
            ctx.props().bridge.send(&Request::OpenTerminal);
            self.screens.open_one_more()
        }));
    }

    fn act_on_time(&mut self, ctx: &Context<Self>, action: Action) {
        let bridge = &ctx.props().bridge;
        match action {
            Action::Speed(speed) => {
                if speed.is_paused() && !self.speed.is_paused() {
                    self.last_speed = self.speed;
                }
                self.speed = speed;
                self.waited = None;
                bridge.send(&Request::Speed(speed));
            }
            Action::Step => bridge.send(&Request::Step),
            Action::Travel(micros) => self.travel(ctx, micros),
            Action::TakeUp(index) => bridge.send(&Request::TakeUp(index)),
            Action::ResetStep => bridge.send(&Request::ResetStep),
            _ => {}
        }
    }

    fn select(&mut self, ctx: &Context<Self>, object: Option<ObjectRef>) {
        self.details_open |= object.is_some();
        if object != self.selected {
            self.inspection = None;
            self.gone = false;
            ctx.props().bridge.send(&Request::Inspect(object.clone()));
            let has_logs = object.as_ref().is_some_and(|it| it.kind == "Pod");
            if self.details == Details::Logs && !has_logs {
                self.details = Details::Overview;
            }
        }
        if object.is_some() {
            self.pane = Pane::Details;
        }
        self.selected = object;
    }

    fn fault(&mut self, ctx: &Context<Self>, words: String) {
        let act = self.page.act.clone();
        let answer = Callback::from(move |answer: Answer| {
            if let Err(error) = answer {
                act.emit(Action::Announce(error));
            }
        });
        ctx.props().bridge.ask(Call::Fault(words), answer);
    }

    /// Hands a person what is known of a failure: what was said, and the session that led there.
    fn give_report(&self) {
        let failure = self.failure.as_deref().unwrap_or_default();
        let report = format!("naru {}\n\n{failure}\n", dom::version());
        files::download("naru-report.txt", report.as_bytes(), "text/plain");
        if let Some(kept) = &self.kept {
            files::download(SESSION_FILE, kept, "application/octet-stream");
        }
    }

    fn restart(&mut self, ctx: &Context<Self>) {
        let start = match self.booted.as_deref() {
            Some(Booted { lesson: None, profile, seed, .. }) => {
                let (profile, seed) = (profile.clone(), *seed);
                Start::Playground { profile, seed, commands: Vec::new() }
            }
            _ => match (self.lesson().map(|lesson| lesson.slug.clone()), keep::load(DRAFT)) {
                (Some(slug), Some(text)) if slug == DRAFT => Start::Draft(text),
                (slug, _) => Start::Lesson(slug),
            },
        };
        self.boot(ctx, start);
    }

    /// A step without checks is done when a person goes on.
    fn finish_if_unchecked(&mut self) {
        let step = self.lesson().and_then(|lesson| lesson.steps.get(self.step));
        if step.is_some_and(|step| step.checks.is_empty()) {
            self.finish_step();
        }
    }

    /// Starts another cluster in the place of this one.
    fn boot(&mut self, ctx: &Context<Self>, start: Start) {
        files::start_anew();
        self.booted = None;
        self.failure = None;
        self.table = None;
        self.study = None;
        self.usage = Rc::default();
        self.chronicle = Rc::default();
        self.waits = None;
        self.waited = None;
        self.timeline = Rc::default();
        self.screens.close();
        self.desk = Desk::Terminal(0);
        self.beside.clear();
        if self.speed.is_paused() {
            self.speed = Speed::REAL;
        }
        self.send_boot(ctx, start);
    }

    fn send_boot(&self, ctx: &Context<Self>, start: Start) {
        let locale = self.page.language.locale().to_owned();
        ctx.props().bridge.send(&Request::Boot(Boot { start, locale, speed: self.speed }));
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
                let locale = language.locale().to_owned();
                ctx.props().bridge.send(&Request::Locale(locale));
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
            Setting::BesideWidth(place, pixels) => {
                if let Some(width) = settings.beside_widths.get_mut(place) {
                    *width = pixels;
                }
            }
            Setting::Theme(theme) => settings.theme = theme,
        }
        settings.apply(!ctx.props().query.embed);
    }
}

/// The parts of the page that are there. A widget without a lesson has none to show.
fn shown(query: &Query) -> Shown {
    let has_lesson = query.lesson.is_some() || !(query.embed && query.profile.is_some());
    query.show.unwrap_or(Shown { lesson: has_lesson, ..Shown::ALL })
}

/// Tells who has embedded the page what happened.
fn tell_mark(mark: &Mark) {
    let kind = match mark.kind {
        MarkKind::Command => "command",
        MarkKind::Failed => "failed",
        MarkKind::Fault => "fault",
        MarkKind::Trouble => "trouble",
        MarkKind::Step => "step",
    };
    dom::tell(
        "naru-event",
        [
            ("kind", kind.into()),
            ("text", mark.text.as_str().into()),
            ("seconds", (mark.micros as f64 / 1e6).into()),
        ],
    );
}

/// What the address asks to be started, if it asks for something.
fn asked_for(query: &Query) -> Option<Start> {
    if let Some(lesson) = &query.lesson {
        return Some(Start::Lesson(Some(lesson.clone())));
    }
    if query.profile.is_some() || !query.run.is_empty() {
        return Some(Start::Playground {
            profile: query.profile.clone().unwrap_or_else(|| "kind".to_owned()),
            seed: query.seed.unwrap_or(1),
            commands: query.run.clone(),
        });
    }
    query.embed.then_some(Start::Lesson(None))
}

/// Hands a person the session as a file.
fn give_session() -> Callback<Answer> {
    Callback::from(|answer: Answer| {
        if let Ok(Reply::Bytes(session)) = answer {
            files::download(SESSION_FILE, &session, "application/octet-stream");
        }
    })
}

/// Hands a person the objects as a file.
fn give_manifests() -> Callback<Answer> {
    Callback::from(|answer: Answer| {
        if let Ok(Reply::Exec { stdout, .. }) = answer {
            files::download("manifests.yaml", stdout.as_bytes(), "application/yaml");
        }
    })
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
