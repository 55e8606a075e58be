//! The page's icons: strokes on a field of 24 by 24, in the colour of the text.

use yew::prelude::*;

/// An icon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    /// Let time stand still.
    Pause,
    /// To the next event.
    Step,
    /// Run a command.
    Run,
    /// Copy.
    Copy,
    /// Start over.
    Restart,
    /// Day.
    Sun,
    /// Night.
    Moon,
    /// Close.
    Close,
    /// The lesson.
    Book,
    /// The cluster.
    Houses,
    /// The terminal.
    Prompt,
    /// Details.
    Glass,
    /// Done.
    Tick,
}

impl Icon {
    fn path(self) -> &'static str {
        match self {
            Icon::Pause => "M9 6v12M15 6v12",
            Icon::Step => "M6 6l9 6-9 6zM18.5 6v12",
            Icon::Run => "M8 5.5l10 6.5-10 6.5z",
            Icon::Copy => "M9 9h10v10H9zM5 15V5h10",
            Icon::Restart => "M5 12a7 7 0 1 1 2.2 5.1M5 18v-4.2h4.2",
            Icon::Sun => {
                "M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8M12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21\
                 M5.6 5.6l1.1 1.1M17.3 17.3l1.1 1.1M5.6 18.4l1.1-1.1M17.3 6.7l1.1-1.1"
            }
            Icon::Moon => "M19.5 14.2A8 8 0 0 1 9.8 4.5a8 8 0 1 0 9.7 9.7z",
            Icon::Close => "M6.5 6.5l11 11M17.5 6.5l-11 11",
            Icon::Book => {
                "M12 7c-2-1.6-4.5-2-8-2v13c3.5 0 6 .4 8 2 2-1.6 4.5-2 8-2V5c-3.5 0-6 .4-8 2zM12 7v13"
            }
            Icon::Houses => "M3 11l6-5 6 5M5 10v8h8v-8M14 8.500L17 6l4.5 4M16 18h4v-8.5",
            Icon::Prompt => "M4 5h16v14H4zM7.5 9.500l3 2.5-3 2.500M13 15h3.5",
            Icon::Glass => "M11 5a6 6 0 1 1 0 12 6 6 0 0 1 0-12M15.5 15.500L20 20",
            Icon::Tick => "M5.5 12.500l4.5 4.5 8.5-10",
        }
    }
}

/// Draws an icon. What it means is said by the element around it.
pub fn icon(icon: Icon) -> Html {
    html! {
        <svg class="icon" viewBox="0 0 24 24" width="18" height="18" aria-hidden="true">
            <path d={icon.path()} />
        </svg>
    }
}
