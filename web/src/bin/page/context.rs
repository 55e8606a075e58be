//! What every view may know and ask.

use naru_web::i18n::{Language, Texts};
use naru_web::protocol::{ObjectRef, Speed};
use yew::prelude::*;

/// What a person does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Look closely at an object; at none.
    Select(Option<ObjectRef>),
    /// Let time go so fast.
    Speed(Speed),
    /// Go to the next event.
    Step,
    /// Have a command typed into the terminal.
    Run(String),
    /// Bytes typed into the terminal.
    Input(Vec<u8>),
    /// The terminal has another size: columns and rows.
    Resize(u16, u16),
    /// Open a step of the lesson.
    OpenStep(usize),
    /// Note that a step without checks is done, and go on.
    Next,
    /// Start this lesson.
    Lesson(String),
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

/// What the details are of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Details {
    /// The object looked at.
    #[default]
    Object,
    /// What happened.
    Activity,
    /// Packets.
    Packets,
}

/// Given to every view by [`use_page`].
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The language.
    pub language: Language,
    /// Does what a person asks.
    pub act: Callback<Action>,
}

impl Page {
    /// The texts of the language.
    pub fn texts(&self) -> &'static Texts {
        self.language.texts()
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
    use_context::<Page>()
        .unwrap_or_else(|| Page { language: Language::default(), act: Callback::noop() })
}
