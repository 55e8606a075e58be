//! What is drawn: one file for each part of the page.

mod details;
mod header;
mod icon;
mod lesson;
mod splitter;
mod tab_bar;
mod terminal;
mod topology;

pub use details::DetailsPanel;
pub use header::Header;
pub use lesson::LessonPanel;
pub use splitter::Splitter;
pub use tab_bar::TabBar;
pub use terminal::{Screen, TerminalPanel};
pub use topology::Topology;
