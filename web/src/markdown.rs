//! Markdown as elements of the page. Nothing is ever taken as HTML: what looks like it is text.

use crate::glossary::{self, Term, Word};
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Parser, Tag, TagEnd};
use yew::virtual_dom::{VList, VNode, VTag};
use yew::{AttrValue, html};

/// Deepest nesting drawn; deeper text is drawn flat.
const DEPTH_MAX: usize = 16;

/// The elements of a Markdown text.
pub fn render(text: &str) -> VNode {
    render_with(text, &[])
}

/// The elements of a Markdown text, with each of these words explained where it first stands.
pub fn render_with(text: &str, words: &[Word]) -> VNode {
    draw(text, words, false)
}

/// The elements of a Markdown text of one paragraph, without the paragraph.
pub fn render_inline(text: &str) -> VNode {
    draw(text, &[], true)
}

fn draw(text: &str, words: &[Word], inline: bool) -> VNode {
    let words = words.iter().collect();
    let mut tree = Tree { open: vec![None], lists: vec![VList::new()], words, quiet: 0, code: 0 };
    for event in Parser::new(text) {
        match event {
            Event::Start(Tag::Paragraph) if inline => {}
            Event::End(TagEnd::Paragraph) if inline => {}
            Event::Start(tag) => {
                tree.count(is_quiet(&tag), matches!(tag, Tag::CodeBlock(_)), true);
                tree.start(element(&tag));
            }
            Event::End(end) => {
                let quiet = matches!(end, TagEnd::Link | TagEnd::Heading(_) | TagEnd::CodeBlock);
                tree.count(quiet, matches!(end, TagEnd::CodeBlock), false);
                tree.end(&end);
            }
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => tree.text(&text),
            Event::Code(code) => tree.add(html! { <code>{ code.to_string() }</code> }),
            Event::SoftBreak => tree.text(" "),
            Event::HardBreak => tree.add(html! { <br /> }),
            Event::Rule => tree.add(html! { <hr /> }),
            _ => {}
        }
    }
    tree.finish()
}

/// Elements that are begun and not yet ended, each with its children so far.
struct Tree<'a> {
    open: Vec<Option<VTag>>,
    lists: Vec<VList>,
    /// Words that have not been explained yet.
    words: Vec<&'a Word>,
    /// Elements that are begun in which no word is explained.
    quiet: usize,
    /// Code blocks that are begun.
    code: usize,
}

impl Tree<'_> {
    fn count(&mut self, quiet: bool, code: bool, begins: bool) {
        let by = |number: usize, yes: bool| match (yes, begins) {
            (false, _) => number,
            (true, true) => number + 1,
            (true, false) => number.saturating_sub(1),
        };
        self.quiet = by(self.quiet, quiet);
        self.code = by(self.code, code);
    }

    fn start(&mut self, element: Option<VTag>) {
        let deep = self.open.len() > DEPTH_MAX;
        self.open.push(if deep { None } else { element });
        self.lists.push(VList::new());
    }

    fn end(&mut self, _: &TagEnd) {
        let (Some(element), Some(children)) = (self.open.pop(), self.lists.pop()) else { return };
        let node = match element {
            Some(mut element) => {
                element.add_children(children.iter().cloned());
                element.into()
            }
            None => children.into(),
        };
        self.add(node);
    }

    fn add(&mut self, node: VNode) {
        if let Some(list) = self.lists.last_mut() {
            list.add_child(node);
        }
    }

    fn text(&mut self, text: &str) {
        if self.code > 0 {
            // What varies in a quoted output.
            return self.add(html! { { text.replace("[..]", "…") } });
        }
        let mut rest = text;
        while self.quiet == 0 {
            let Some((from, to, index)) = glossary::find(rest, &self.words) else { break };
            let word = self.words.remove(index);
            let (before, name, after) = (rest.get(..from), rest.get(from..to), rest.get(to..));
            self.add(html! { { bound(before.unwrap_or_default()) } });
            let name = name.unwrap_or_default().to_owned();
            self.add(html! { <Term text={name} meaning={word.meaning.clone()} /> });
            rest = after.unwrap_or_default();
        }
        self.add(html! { { bound(rest) } });
    }

    fn finish(mut self) -> VNode {
        while self.lists.len() > 1 {
            self.end(&TagEnd::Paragraph);
        }
        self.lists.pop().map_or_else(VNode::default, VNode::from)
    }
}

/// A text in which a particle stays with its word where the English name is between them, as in
/// `클러스터(cluster)가`: a browser would end a line after the bracket.
fn bound(text: &str) -> String {
    const WORD_JOINER: char = '\u{2060}';
    let mut bound = String::with_capacity(text.len());
    let mut last = ' ';
    for letter in text.chars() {
        if last == ')' && ('가'..='힣').contains(&letter) {
            bound.push(WORD_JOINER);
        }
        bound.push(letter);
        last = letter;
    }
    bound
}

/// The element for a tag; `None` when its children stand for themselves.
fn element(tag: &Tag<'_>) -> Option<VTag> {
    let mut element = VTag::new(match tag {
        Tag::Paragraph => "p",
        // The page has its own headings above these.
        Tag::Heading { level: HeadingLevel::H1 | HeadingLevel::H2 | HeadingLevel::H3, .. } => "h4",
        Tag::Heading { .. } => "h5",
        Tag::BlockQuote(_) => "blockquote",
        Tag::CodeBlock(_) => "pre",
        Tag::List(Some(_)) => "ol",
        Tag::List(None) => "ul",
        Tag::Item => "li",
        Tag::Emphasis => "em",
        Tag::Strong => "strong",
        Tag::Link { dest_url, .. } if is_harmless(dest_url) => "a",
        _ => return None,
    });
    match tag {
        Tag::Link { dest_url, .. } => {
            element.add_attribute("href", AttrValue::from(dest_url.to_string()));
            element.add_attribute("target", "_blank");
            element.add_attribute("rel", "noreferrer");
        }
        Tag::List(Some(first)) if *first != 1 => {
            element.add_attribute("start", AttrValue::from(first.to_string()));
        }
        Tag::CodeBlock(CodeBlockKind::Fenced(language)) if !language.is_empty() => {
            element.add_attribute("data-language", AttrValue::from(language.to_string()));
        }
        _ => {}
    }
    Some(element)
}

/// Whether no word is explained in an element.
fn is_quiet(tag: &Tag<'_>) -> bool {
    matches!(tag, Tag::Link { .. } | Tag::Heading { .. } | Tag::CodeBlock(_))
}

/// Whether a link leads to a page, and not to a script.
fn is_harmless(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn particles_stay_with_their_words() {
        for (text, expected) in [
            ("클러스터(cluster)가 그", "클러스터(cluster)\u{2060}가 그"),
            ("(a) 나", "(a) 나"),
            ("f(x)y", "f(x)y"),
            ("", ""),
        ] {
            assert_eq!(bound(text), expected);
        }
    }

    #[test]
    fn only_pages_are_linked() {
        for (url, harmless) in [
            ("https://kubernetes.io", true),
            ("#pods", true),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("http://example.com", false),
            ("//example.com", false),
        ] {
            assert_eq!(is_harmless(url), harmless, "{url}");
        }
    }
}
