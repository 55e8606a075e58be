//! What one works with: terminals and the editor, one of them in front.

use super::editor::EditorView;
use super::icon::{Icon, icon};
use super::splitter::Splitter;
use super::terminal::{Screens, TerminalView};
use crate::app::BESIDE_MAX;
use crate::context::{Action, Desk, Page, Setting, use_page};
use naru_web::i18n::fill;
use naru_web::protocol::Speed;
use naru_web::query::Theme;
use yew::prelude::*;

/// Terminals open at most.
const TERMINALS_MAX: u32 = 8;
/// The lines before the terminals beside what lies in front, by their names in the stylesheet.
const SPLITS: [&str; BESIDE_MAX] = ["split-beside at-0", "split-beside at-1", "split-beside at-2"];

#[derive(Clone, PartialEq, Properties)]
pub struct DeskPanelProps {
    pub desk: Desk,
    /// The terminals beside what lies in front, from left to right.
    pub beside: Vec<u32>,
    /// Their widths in pixels.
    pub beside_widths: [f64; BESIDE_MAX],
    pub screens: Screens,
    pub paused: bool,
    /// The present is looked at, and not the past.
    pub live: bool,
    /// The latest moment that is known, in microseconds.
    pub end: u64,
    /// The size of the text in pixels.
    pub text: u32,
    pub screen_reader: bool,
    pub theme: Option<Theme>,
}

/// The desk and its bar.
#[component]
pub fn DeskPanel(props: &DeskPanelProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    // The editor is not loaded before it is wanted, and not put down again.
    let wanted = use_mut_ref(|| false);
    *wanted.borrow_mut() |= props.desk == Desk::Editor;
    let with_editor = *wanted.borrow();
    html! {
        <section
            class="terminal panel"
            data-testid="terminal"
            data-region="terminal"
            tabindex="-1"
            aria-label={texts.terminal}
        >
            <div class="bar">
                { tabs(props, &page) }
                { notice(props, &page) }
                { tools(props, &page) }
            </div>
            <p class="unseen" id="terminal-hint">{ texts.terminal_hint }</p>
            <div class="desk-body">
                { for (0..props.screens.count()).map(|number| {
                    let beside = props.beside.iter().position(|it| *it == number);
                    html! {
                        <TerminalView
                            key={number}
                            {number}
                            screens={props.screens.clone()}
                            text={props.text}
                            screen_reader={props.screen_reader}
                            theme={props.theme}
                            hidden={props.desk != Desk::Terminal(number) && beside.is_none()}
                            beside={beside.and_then(|place| {
                                Some((place, *props.beside_widths.get(place)?))
                            })}
                        />
                    }
                }) }
                if with_editor {
                    <EditorView
                        hidden={props.desk != Desk::Editor}
                        theme={props.theme.unwrap_or_else(crate::dom::system_theme)}
                    />
                }
                { for (0..props.beside.len()).zip(props.beside_widths).map(|(place, size)| html! {
                    <Splitter
                        key={format!("split-{place}")}
                        class={SPLITS.get(place).copied().unwrap_or_default()}
                        label={texts.split_pane}
                        reversed={true}
                        {size}
                        least={160.0}
                        most={1600.0}
                        onresize={page.act.reform(move |size| Action::Set(Setting::BesideWidth(place, size)))}
                    />
                }) }
            </div>
        </section>
    }
}

fn tabs(props: &DeskPanelProps, page: &Page) -> Html {
    let texts = page.texts();
    let count = props.screens.count();
    let tab = |desk: Desk, picture: Icon, label: String| {
        html! {
            <button
                role="tab"
                aria-selected={(desk == props.desk).to_string()}
                onclick={page.on(Action::Desk(desk))}
            >
                { icon(picture) }<span>{ label }</span>
            </button>
        }
    };
    let split = |action: Action, label: &'static str, picture: Icon| {
        html! {
            <button class="tool wide-only" aria-label={label} title={label} onclick={page.on(action)}>
                { icon(picture) }
            </button>
        }
    };
    html! {
        <>
            <div class="tabs" role="tablist" aria-label={texts.terminal}>
                { for (0..count).map(|number| {
                    let label = match count {
                        1 => texts.terminal.to_owned(),
                        _ => fill(texts.terminal_number, &[&(number + 1).to_string()]),
                    };
                    tab(Desk::Terminal(number), Icon::Prompt, label)
                }) }
                { tab(Desk::Editor, Icon::Pen, texts.editor.to_owned()) }
            </div>
            if count < TERMINALS_MAX {
                <button
                    class="tool"
                    aria-label={texts.new_terminal}
                    title={texts.new_terminal}
                    onclick={page.on(Action::OpenTerminal)}
                >
                    { icon(Icon::Plus) }
                </button>
            }
            if props.beside.len() < BESIDE_MAX {
                { split(Action::SplitDesk, texts.split_beside, Icon::Split) }
            }
            if !props.beside.is_empty() {
                { split(Action::Unsplit, texts.split_close, Icon::Unsplit) }
            }
        </>
    }
}

/// That time stands still, or that this is the past.
fn notice(props: &DeskPanelProps, page: &Page) -> Html {
    let texts = page.texts();
    if !props.live {
        return html! {
            <p class="paused-notice">
                <span title={texts.past_notice}>{ texts.past_notice }</span>
                <button class="link" onclick={page.on(Action::Travel(props.end))}>
                    { texts.to_present }
                </button>
            </p>
        };
    }
    if !props.paused {
        return Html::default();
    }
    html! {
        <p class="paused-notice">
            <span title={texts.paused_notice}>{ texts.paused_notice }</span>
            <button class="link" onclick={page.on(Action::Speed(Speed::REAL))}>
                { texts.resume }
            </button>
        </p>
    }
}

fn tools(props: &DeskPanelProps, page: &Page) -> Html {
    let texts = page.texts();
    let tool = |label: &'static str, setting: Setting, picture: Icon| {
        html! {
            <button
                class="tool"
                aria-label={label}
                title={label}
                onclick={page.on(Action::Set(setting))}
            >
                { icon(picture) }
            </button>
        }
    };
    html! {
        <div class="bar-tools">
            <button
                class="tool wide-only"
                aria-pressed={props.screen_reader.to_string()}
                onclick={page.on(Action::Set(Setting::ScreenReader(!props.screen_reader)))}
            >
                { texts.screen_reader }
            </button>
            { tool(texts.text_smaller, Setting::TerminalText(-1), Icon::Smaller) }
            { tool(texts.text_larger, Setting::TerminalText(1), Icon::Larger) }
        </div>
    }
}
