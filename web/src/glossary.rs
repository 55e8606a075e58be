//! Words that are explained where a lesson first uses them.

use crate::markdown;
use yew::prelude::*;

/// A word and what it means, in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// `pod`
    pub name: String,
    /// In Markdown.
    pub meaning: String,
}

/// Where the first of some words stands in a text: from, to, and which. Of those that begin at the
/// same place the longest is meant.
pub fn find(text: &str, words: &[&Word]) -> Option<(usize, usize, usize)> {
    let found = words.iter().enumerate().filter_map(|(index, word)| {
        let (from, to) = place(text, &word.name)?;
        Some((from, to, index))
    });
    found.min_by_key(|(from, to, _)| (*from, std::cmp::Reverse(*to)))
}

/// Where a word stands by itself. In Korean a particle may follow it.
fn place(text: &str, word: &str) -> Option<(usize, usize)> {
    if word.is_empty() {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let wanted = word.to_ascii_lowercase();
    let is_letter = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    let mut after = 0;
    while let Some(at) = lower.get(after..)?.find(&wanted) {
        let (from, to) = (after + at, after + at + wanted.len());
        let before = lower.get(..from)?.chars().next_back();
        let next = lower.get(to..)?.chars().next();
        let ends = !word.is_ascii() || !is_letter(next) || is_plural(lower.get(to..)?);
        if !is_letter(before) && ends {
            return Some((from, to));
        }
        after = to;
    }
    None
}

/// `s` and then no letter.
fn is_plural(rest: &str) -> bool {
    let mut letters = rest.chars();
    letters.next() == Some('s') && !letters.next().is_some_and(char::is_alphanumeric)
}

/// Of each text, the words that no text before it has used: their places in `words`.
pub fn first_uses(texts: &[&str], words: &[Word]) -> Vec<Vec<usize>> {
    let mut left: Vec<usize> = (0..words.len()).collect();
    let mut uses = Vec::new();
    for text in texts {
        let prose = without_code(text);
        let used = |index: &usize| {
            words.get(*index).is_some_and(|word| place(&prose, &word.name).is_some())
        };
        let (first, rest): (Vec<usize>, Vec<usize>) = left.iter().copied().partition(|it| used(it));
        uses.push(first);
        left = rest;
    }
    uses
}

/// A text without what stands between backticks.
fn without_code(text: &str) -> String {
    let mut prose = String::new();
    for (index, block) in text.split("```").enumerate() {
        if index % 2 == 0 {
            prose.extend(block.split('`').step_by(2).flat_map(|part| [part, " "]));
        }
    }
    prose
}

/// What a [`Term`] is.
#[derive(Clone, PartialEq, Properties)]
pub struct TermProps {
    /// As it stands in the text.
    pub text: AttrValue,
    /// In Markdown.
    pub meaning: AttrValue,
}

/// A word that is explained while one points at it or has the focus on it.
#[component]
pub fn Term(props: &TermProps) -> Html {
    let open = use_state(|| false);
    let id = use_memo((), |()| {
        thread_local!(static LAST: std::cell::Cell<u32> = const { std::cell::Cell::new(0) });
        LAST.set(LAST.get().wrapping_add(1));
        format!("term-{}", LAST.get())
    });
    let set = |to: bool| {
        let open = open.clone();
        move || open.set(to)
    };
    let (enter, leave, focus, blur) = (set(true), set(false), set(true), set(false));
    let close = set(false);
    html! {
        <span
            class="term-place"
            onmouseenter={move |_| enter()}
            onmouseleave={move |_| leave()}
        >
            <button
                class="term"
                type="button"
                aria-describedby={open.then(|| (*id).clone())}
                onfocus={move |_| focus()}
                onblur={move |_| blur()}
                onkeydown={move |event: KeyboardEvent| if event.key() == "Escape" { close() }}
            >
                { &props.text }
            </button>
            if *open {
                <span class="term-meaning" role="tooltip" id={(*id).clone()}>
                    { markdown::render_inline(&props.meaning) }
                </span>
            }
        </span>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(name: &str) -> Word {
        Word { name: name.to_owned(), meaning: String::new() }
    }

    #[test]
    fn words_are_found() {
        for (text, name, found) in [
            ("A Pod runs", "pod", Some((2, 5))),
            ("two pods run", "pod", Some((4, 7))),
            ("a podcast", "pod", None),
            ("tripod", "pod", None),
            ("파드를 만듭니다", "파드", Some((0, 6))),
            ("", "pod", None),
        ] {
            assert_eq!(place(text, name), found, "{text}");
        }
        let (short, long) = (word("label"), word("label selector"));
        assert_eq!(find("a label selector", &[&short, &long]), Some((2, 16, 1)));
    }

    #[test]
    fn a_word_is_explained_once_and_not_in_code() {
        let words = [word("pod"), word("node")];
        let texts = ["Run `pod` on a node", "A pod on a node", "```\nnode\n```"];
        assert_eq!(first_uses(&texts, &words), [vec![1], vec![0], vec![]]);
    }
}
