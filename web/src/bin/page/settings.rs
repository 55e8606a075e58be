//! How a person likes the page.

use crate::app::BESIDE_MAX;
use crate::{dom, keep};
use naru_web::i18n::Language;
use naru_web::query::{Query, Theme};
use serde::{Deserialize, Serialize};

const NAME: &str = "settings";
/// The widths of the terminals beside what lies in front at first, in pixels.
const BESIDE_WIDTHS: [f64; BESIDE_MAX] = [420.0, 300.0, 300.0];

/// How a person likes the page.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The language.
    pub language: Language,
    /// Light or dark; the system's choice when `None`.
    pub theme: Option<Theme>,
    /// The lesson's width in pixels.
    pub lesson_width: f64,
    /// The terminal's height in pixels.
    pub terminal_height: f64,
    /// The widths of the terminals beside what lies in front, in pixels.
    pub beside_widths: [f64; BESIDE_MAX],
    /// The terminal's text in pixels.
    pub terminal_text: u32,
    /// Whether the terminal speaks to screen readers.
    pub screen_reader: bool,
    /// Whether the cluster's own parts are shown.
    pub show_system: bool,
}

/// What is kept of them: plain words, so that an older or newer page can read them.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    language: Option<String>,
    theme: Option<String>,
    lesson_width: Option<f64>,
    terminal_height: Option<f64>,
    beside_widths: Option<[f64; BESIDE_MAX]>,
    terminal_text: Option<u32>,
    screen_reader: bool,
    show_system: bool,
}

impl Settings {
    /// As they were kept; what the address says goes before.
    pub fn load(query: &Query) -> Settings {
        let kept: Kept = keep::load(NAME).unwrap_or_default();
        let tag = kept.language.or_else(dom::browser_language);
        let language = query.language.or_else(|| Language::of_tag(&tag?));
        let (width, height) = if query.embed { (300.0, 170.0) } else { (380.0, 270.0) };
        Settings {
            language: language.unwrap_or_default(),
            theme: query.theme.or_else(|| Theme::named(&kept.theme?)),
            lesson_width: kept.lesson_width.filter(|_| !query.embed).unwrap_or(width),
            terminal_height: kept.terminal_height.filter(|_| !query.embed).unwrap_or(height),
            beside_widths: kept.beside_widths.unwrap_or(BESIDE_WIDTHS),
            terminal_text: kept.terminal_text.unwrap_or(13).clamp(8, 32),
            screen_reader: kept.screen_reader,
            show_system: kept.show_system,
        }
    }

    /// Keeps them for the next visit, and lets the stylesheet know.
    pub fn apply(&self, keep: bool) {
        dom::set_root_attribute("lang", Some(self.language.tag()));
        dom::set_root_attribute("data-theme", self.theme.map(Theme::name));
        if keep {
            keep::save(NAME, &self.kept());
        }
    }

    fn kept(&self) -> Kept {
        Kept {
            language: Some(self.language.tag().to_owned()),
            theme: self.theme.map(|theme| theme.name().to_owned()),
            lesson_width: Some(self.lesson_width),
            terminal_height: Some(self.terminal_height),
            beside_widths: Some(self.beside_widths),
            terminal_text: Some(self.terminal_text),
            screen_reader: self.screen_reader,
            show_system: self.show_system,
        }
    }
}
