//! What every view may know and ask.

use naru_cluster::view::Study;
use naru_web::i18n::{Language, Texts};
use naru_web::protocol::{Call, ObjectRef, Reply, Speed, Start, TableRef};
use naru_web::query::Theme;
use yew::prelude::*;

/// What a person does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Look closely at an object; at none.
    Select(Option<ObjectRef>),
    /// Let time go so fast.
    Speed(Speed),
    /// Go to the next change of the store.
    Step,
    /// Bring back this moment, in microseconds.
    Travel(u64),
    /// Take up a branch.
    TakeUp(u32),
    /// Have a command typed into the terminal.
    Run(String),
    /// Have a script's line typed into the terminal, without the keyboard's being taken there.
    Type(String),
    /// Bytes typed into a terminal.
    Input(u32, Vec<u8>),
    /// A terminal has another size: columns and rows.
    Resize(u32, u16, u16),
    /// Open one more terminal.
    OpenTerminal,
    /// Show one more terminal beside what lies in front.
    SplitDesk,
    /// Put away the last one beside it.
    Unsplit,
    /// Show this terminal, or the editor.
    Desk(Desk),
    /// Break or mend something, in the words of `naru fault`.
    Fault(String),
    /// Show this view of the cluster.
    Stage(Stage),
    /// Show these objects.
    Table(TableRef),
    /// Look into this, in its view.
    Study(Study),
    /// Let time go on until `kubectl wait` with these arguments has ended.
    Until(String),
    /// Give up what is waited for.
    Cancel,
    /// Give up what is found out by clusters of their own.
    StopTrials,
    /// What was waited for is over, in words.
    Waited(String),
    /// Bring back the moment at which the step was begun.
    ResetStep,
    /// Start a cluster.
    Start(Start),
    /// Keep the session in a file.
    Export,
    /// Take a session from a file.
    Import,
    /// Keep in a file what is known of a failure.
    ExportReport,
    /// Keep the objects in a file, as manifests.
    ExportManifests,
    /// Tell a person what happened.
    Announce(String),
    /// Open a step of the lesson.
    OpenStep(usize),
    /// Note that a step without checks is done, and go on.
    Next,
    /// Start this lesson.
    Lesson(String),
    /// Write a lesson, or put it away.
    Author(bool),
    /// Start over with a new cluster.
    Restart,
    /// Forget what was done of this lesson.
    ForgetProgress,
    /// Show this part (where only one has room).
    Pane(Pane),
    /// Show these details.
    Details(Details),
    /// Show the details, or put them away.
    ToggleDetails,
    /// See a packet's way again.
    Replay(u64),
    /// Change a setting.
    Set(Setting),
    /// Copy a text.
    Copy(String),
}

/// A change of the settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Setting {
    /// The language.
    Language(Language),
    /// The other theme.
    OtherTheme,
    /// Show the cluster's own parts, or fold them.
    ShowSystem(bool),
    /// Have the terminal speak to screen readers, or not.
    ScreenReader(bool),
    /// Make the terminal's text larger by so many pixels.
    TerminalText(i32),
    /// The lesson's width in pixels.
    LessonWidth(f64),
    /// The terminal's height in pixels.
    TerminalHeight(f64),
    /// The width of one of the terminals beside what lies in front, in pixels.
    BesideWidth(usize, f64),
    /// A theme; the system's choice when `None`.
    Theme(Option<Theme>),
}

/// A part of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// The lesson.
    #[default]
    Lesson,
    /// The picture.
    Cluster,
    /// The terminal.
    Terminal,
    /// The details.
    Details,
}

impl Pane {
    /// All of them, in order.
    pub const ALL: [Pane; 4] = [Pane::Lesson, Pane::Cluster, Pane::Terminal, Pane::Details];

    /// Its name in the stylesheet.
    pub fn class(self) -> &'static str {
        match self {
            Pane::Lesson => "lesson",
            Pane::Cluster => "cluster",
            Pane::Terminal => "terminal",
            Pane::Details => "details",
        }
    }
}

/// A view of the cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Houses on a river.
    #[default]
    Picture,
    /// Tables and trees of objects.
    Objects,
    /// Who told whom what, and why.
    Flow,
    /// What goes through the network.
    Packets,
    /// What nodes have, and what of it is taken.
    Resources,
    /// The keys of etcd.
    Registry,
    /// Who may do what.
    Rights,
    /// The rules that lead packets to a service's pods.
    Rules,
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Stage; 8] = [
        Stage::Picture,
        Stage::Objects,
        Stage::Flow,
        Stage::Packets,
        Stage::Resources,
        Stage::Registry,
        Stage::Rights,
        Stage::Rules,
    ];

    /// By the name that lessons use.
    pub fn named(name: &str) -> Option<Stage> {
        match name {
            "topology" => Some(Stage::Picture),
            "objects" => Some(Stage::Objects),
            "time" => Some(Stage::Flow),
            "packets" => Some(Stage::Packets),
            "resources" => Some(Stage::Resources),
            "registry" => Some(Stage::Registry),
            "rights" => Some(Stage::Rights),
            "rules" => Some(Stage::Rules),
            _ => None,
        }
    }
}

/// What lies where the terminal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Desk {
    /// A terminal, counted from 0.
    Terminal(u32),
    /// The editor.
    Editor,
}

/// What of the object looked at is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Details {
    /// Its conditions, events, owners and causes.
    #[default]
    Overview,
    /// Its YAML.
    Yaml,
    /// How it has changed.
    History,
    /// What `kubectl describe` says.
    Describe,
    /// What `kubectl logs` says.
    Logs,
}

/// Given to every view by [`use_page`].
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The language.
    pub language: Language,
    /// Does what a person asks.
    pub act: Callback<Action>,
    /// Asks the worker something.
    pub ask: Callback<(Call, Callback<Answer>)>,
}

/// What the worker says to a call.
pub type Answer = Result<Reply, String>;

impl Page {
    /// The texts of the language.
    pub fn texts(&self) -> &'static Texts {
        self.language.texts()
    }

    /// Asks the worker something.
    pub fn ask(&self, call: Call, answer: Callback<Answer>) {
        self.ask.emit((call, answer));
    }

    /// A handler that does one thing whatever the event is.
    pub fn on<E>(&self, action: Action) -> Callback<E> {
        let act = self.act.clone();
        Callback::from(move |_| act.emit(action.clone()))
    }
}

/// The page, inside a view.
#[hook]
pub fn use_page() -> Page {
    use_context::<Page>().unwrap_or_else(|| Page {
        language: Language::default(),
        act: Callback::noop(),
        ask: Callback::noop(),
    })
}
