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
    /// Let time go on.
    Play,
    /// To the mark before.
    Before,
    /// To the mark after.
    After,
    /// A way that was left.
    Branch,
    /// Break something.
    Bolt,
    /// Keep and share.
    Share,
    /// One more.
    Plus,
    /// Tables.
    Table,
    /// Who tells whom.
    Flow,
    /// A packet.
    Letter,
    /// How much is taken.
    Bars,
    /// A file to write in.
    Pen,
    /// A list.
    List,
    /// Larger.
    ZoomIn,
    /// Smaller.
    ZoomOut,
    /// All of it.
    Fit,
    /// Smaller letters.
    Smaller,
    /// Larger letters.
    Larger,
    /// Until something has come about.
    Flag,
    /// Keys of the store.
    Key,
    /// Who may do what.
    Shield,
    /// Chains of rules.
    Chain,
    /// Two beside one another.
    Split,
    /// One of them goes.
    Unsplit,
    /// What it is to become.
    Target,
    /// Take it home.
    Download,
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
            Icon::Play => "M8 5.5l10 6.5-10 6.5z",
            Icon::Before => "M17 6l-8 6 8 6zM6.5 6v12",
            Icon::After => "M7 6l8 6-8 6zM17.5 6v12",
            Icon::Branch => "M7 5v14M7 13c6 0 9-2 9-6M13.5 8.500L16 5.5l2.5 3",
            Icon::Bolt => "M13 3L6 13.500h5L10 21l8-11h-5.5z",
            Icon::Share => "M12 14V4M8.5 7L12 3.5 15.5 7M6 11H5v9h14v-9h-1",
            Icon::Plus => "M12 5.5v13M5.5 12h13",
            Icon::Table => "M4 6h16v12H4zM4 10.500h16M4 14.500h16M10 6v12",
            Icon::Flow => "M6 4v16M18 4v16M6 8h12M15 5.500L18 8l-3 2.5M18 16H6M9 13.500L6 16l3 2.5",
            Icon::Letter => "M4 6.500h16v11H4zM4 7l8 6 8-6",
            Icon::Bars => "M5 19V11M12 19V5M19 19v-6",
            Icon::Pen => "M5 19l1-4L16 5l3 3L9 18zM14 7l3 3",
            Icon::List => "M9 7h10M9 12h10M9 17h10M5 7v.1M5 12v.1M5 17v.1",
            Icon::ZoomIn => {
                "M11 5a6 6 0 1 1 0 12 6 6 0 0 1 0-12M15.5 15.500L20 20M11 8.500v5M8.5 11h5"
            }
            Icon::ZoomOut => "M11 5a6 6 0 1 1 0 12 6 6 0 0 1 0-12M15.5 15.500L20 20M8.5 11h5",
            Icon::Smaller => "M7.5 17l4-9 4 9M9 14h5M18 8.500h3.5",
            Icon::Larger => "M4 19L10 5l6 14M6 14.500h8M18 8.500h4M20 6.500v4",
            Icon::Flag => "M6 21V4M6 5h11l-2.5 4L17 13H6",
            Icon::Key => {
                "M8 11a4 4 0 1 1 0 8 4 4 0 0 1 0-8M11 12.500L19 4.500M16 7.500l2.500 2.500"
            }
            Icon::Shield => {
                "M12 3.500l7 2.500v5c0 4.500-3 8-7 9.500-4-1.500-7-5-7-9.500V6zM9 11.500l2.200 2.200L15.500 9.500"
            }
            Icon::Chain => {
                "M3.500 8h7v8h-7zM14.500 4h6v5h-6zM14.500 15h6v5h-6zM10.500 11l4-4M10.500 13l4 4"
            }
            Icon::Split => "M4 5h16v14H4zM12 5v14",
            Icon::Unsplit => "M4 5h16v14H4zM12 5v14M14.500 10l4 4M18.500 10l-4 4",
            Icon::Download => "M12 4v10.500M8 11l4 4 4-4M5 18v2h14v-2",
            Icon::Target => {
                "M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8M12 12h.1"
            }
            Icon::Fit => "M5 9V5h4M15 5h4v4M19 15v4h-4M9 19H5v-4",
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
