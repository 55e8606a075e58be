//! What is drawn: one file for each part of the page.

mod desk;
mod details;
mod editor;
mod flow;
mod header;
mod icon;
mod lesson;
mod menu;
mod objects;
mod packets;
mod playground;
mod resources;
mod splitter;
mod stage;
mod tab_bar;
mod terminal;
mod timeline;
mod topology;

pub use desk::DeskPanel;
pub use details::DetailsPanel;
pub use header::Header;
pub use lesson::LessonPanel;
pub use splitter::Splitter;
pub use stage::StagePanel;
pub use tab_bar::TabBar;
pub use terminal::Screens;
pub use timeline::TimelineBar;
