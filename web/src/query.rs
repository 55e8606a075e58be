//! What the page's address says: `?lesson=0101-first-pod&lang=en&theme=dark&speed=10&embed=1`, or
//! `?profile=kind&seed=7&run=kubectl%20get%20nodes` for a cluster to play with.

use crate::i18n::Language;
use crate::protocol::Speed;

/// Lines of a link that are typed at most.
const RUN_MAX: usize = 200;

/// The words of the address that the page knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// `lesson=`: the lesson's folder.
    pub lesson: Option<String>,
    /// `profile=`: a cluster of this profile to play with.
    pub profile: Option<String>,
    /// `seed=`: its seed.
    pub seed: Option<u64>,
    /// `run=`: lines that are typed at once.
    pub run: Vec<String>,
    /// `lang=`: a language that the page has.
    pub language: Option<Language>,
    /// `theme=`: `light` or `dark`.
    pub theme: Option<Theme>,
    /// `speed=`: times as fast as real time; 0 stands still.
    pub speed: Option<Speed>,
    /// `step=`: the lesson's step that is open at first, counted from 0.
    pub step: Option<usize>,
    /// `show=`: the parts of the page that are there; all, when nothing is said.
    pub show: Option<Shown>,
    /// `embed=1`: inside another page, as a widget.
    pub embed: bool,
}

/// Parts of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The lesson.
    pub lesson: bool,
    /// The picture of the cluster, and its other views.
    pub picture: bool,
    /// The terminal.
    pub terminal: bool,
    /// The line of time.
    pub time: bool,
}

impl Shown {
    /// All of them.
    pub const ALL: Shown = Shown { lesson: true, picture: true, terminal: true, time: true };

    /// The parts of these names, `terminal picture`; `None` where none of them can be looked at.
    pub fn named(names: &str) -> Option<Shown> {
        let has = |name: &str| names.split([' ', ',']).any(|it| it == name);
        let shown = Shown {
            lesson: has("lesson"),
            picture: has("picture"),
            terminal: has("terminal"),
            time: has("time"),
        };
        (shown.lesson || shown.picture || shown.terminal).then_some(shown)
    }
}

/// Light or dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// Day on the river.
    Light,
    /// Night on the river.
    Dark,
}

impl Theme {
    /// Its name in the address, in storage, and on the document's element.
    pub fn name(self) -> &'static str {
        match self {
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    /// The theme of this name.
    pub fn named(name: &str) -> Option<Theme> {
        [Theme::Light, Theme::Dark].into_iter().find(|theme| theme.name() == name)
    }

    /// The other one.
    pub fn other(self) -> Theme {
        match self {
            Theme::Light => Theme::Dark,
            Theme::Dark => Theme::Light,
        }
    }
}

impl Query {
    /// The words that are read.
    pub const WORDS: [&str; 10] =
        ["lesson", "profile", "seed", "run", "lang", "theme", "speed", "step", "show", "embed"];

    /// Reads the pairs of an address; what is not known is passed over.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Query {
        let mut query = Query::default();
        for (key, value) in pairs {
            match key.as_str() {
                "lesson" if !value.is_empty() => query.lesson = Some(value),
                "profile" if !value.is_empty() => query.profile = Some(value),
                "seed" => query.seed = value.parse().ok(),
                "run" => query.run = value.lines().take(RUN_MAX).map(str::to_owned).collect(),
                "lang" => query.language = Language::of_tag(&value),
                "theme" => query.theme = Theme::named(&value),
                "speed" => query.speed = value.parse().ok().map(Speed::times),
                "step" => query.step = value.parse().ok(),
                "show" => query.show = Shown::named(&value),
                "embed" => query.embed = value != "0",
                _ => {}
            }
        }
        query
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Query {
        Query::from_pairs(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn known_words_are_read_and_others_passed_over() {
        let query = read(&[("lesson", "01-a"), ("lang", "en-US"), ("theme", "dark"), ("x", "y")]);
        assert_eq!(
            query,
            Query {
                lesson: Some("01-a".to_owned()),
                profile: None,
                seed: None,
                run: Vec::new(),
                language: Some(Language::English),
                theme: Some(Theme::Dark),
                speed: None,
                step: None,
                show: None,
                embed: false,
            }
        );
        assert_eq!(read(&[("speed", "0")]).speed, Some(Speed::PAUSED));
        assert_eq!(read(&[("speed", "fast")]).speed, None);
        let query = read(&[("profile", "gke"), ("seed", "7"), ("run", "kubectl get nodes\nls")]);
        assert_eq!(query.profile.as_deref(), Some("gke"));
        assert_eq!((query.seed, query.run.len()), (Some(7), 2));
        let query = read(&[("step", "2"), ("show", "terminal,picture")]);
        assert_eq!(query.step, Some(2));
        let shown = Shown { lesson: false, time: false, ..Shown::ALL };
        assert_eq!(query.show, Some(shown));
        assert_eq!(read(&[("show", "time")]).show, None);
        assert!(read(&[("embed", "1")]).embed);
        assert!(!read(&[("embed", "0")]).embed);
        assert_eq!(read(&[("lang", "tlh"), ("theme", "loud"), ("lesson", "")]), Query::default());
    }
}
