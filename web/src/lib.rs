//! What the page and its worker share, and whatever of the page is a pure function.
//!
//! The page (`src/bin/page`) draws; the worker (`src/bin/worker`) runs the cluster. They speak by
//! [`protocol`] only. The page's binary links the types of the view and nothing of the core.

pub mod author;
pub mod chains;
pub mod chronicle;
pub mod clock;
pub mod crowd;
pub mod flow;
pub mod glossary;
pub mod i18n;
pub mod manifest;
pub mod markdown;
pub mod place;
pub mod presets;
pub mod protocol;
pub mod query;
pub mod scene;
pub mod script;
pub mod store;
pub mod timeline;
pub mod usage;
pub mod zip;
