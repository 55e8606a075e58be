//! The terminal.

use super::icon::{Icon, icon};
use crate::context::{Action, Setting, use_page};
use crate::dom;
use crate::xterm::{self, Terminal};
use js_sys::Uint8Array;
use naru_web::protocol::Speed;
use naru_web::query::Theme;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use web_sys::Element;
use yew::prelude::*;

/// The way to the terminal on the screen. What is written before it is there is kept for it.
#[derive(Clone, Default)]
pub struct Screen {
    inner: Rc<Inner>,
}

#[derive(Default)]
struct Inner {
    terminal: RefCell<Option<Terminal>>,
    early: RefCell<Vec<u8>>,
    size: Cell<Option<(u16, u16)>>,
}

impl PartialEq for Screen {
    fn eq(&self, other: &Screen) -> bool {
        Rc::ptr_eq(&self.inner, &other.inner)
    }
}

impl Screen {
    /// Shows bytes.
    pub fn write(&self, bytes: &[u8]) {
        match self.inner.terminal.borrow().as_ref() {
            Some(terminal) => terminal.write(bytes.into()),
            None => self.inner.early.borrow_mut().extend(bytes),
        }
    }

    /// Forgets all that was shown.
    pub fn clear(&self) {
        self.inner.early.borrow_mut().clear();
        self.with(Terminal::clear);
    }

    /// Takes the keyboard.
    pub fn focus(&self) {
        self.with(Terminal::focus);
    }

    /// Columns and rows, once they are known.
    pub fn size(&self) -> Option<(u16, u16)> {
        self.inner.size.get()
    }

    /// Notes columns and rows.
    pub fn set_size(&self, columns: u16, rows: u16) {
        self.inner.size.set(Some((columns, rows)));
    }

    fn with(&self, act: impl FnOnce(&Terminal)) {
        if let Some(terminal) = self.inner.terminal.borrow().as_ref() {
            act(terminal);
        }
    }

    fn attach(&self, terminal: Terminal) {
        terminal.write(self.inner.early.take().as_slice().into());
        self.inner.terminal.replace(Some(terminal));
    }

    /// Opens xterm.js inside an element.
    async fn open(self, host: Element, act: Callback<Action>) {
        let typed = act.clone();
        let on_data = Closure::<dyn Fn(Uint8Array)>::new(move |bytes: Uint8Array| {
            typed.emit(Action::Input(bytes.to_vec()));
        });
        let on_resize = Closure::<dyn Fn(u16, u16)>::new(move |columns, rows| {
            act.emit(Action::Resize(columns, rows));
        });
        match xterm::open(&host, &on_data, &on_resize).await {
            Ok(terminal) => self.attach(terminal.unchecked_into()),
            Err(error) => dom::log_error(&error),
        }
        // They live as long as the page.
        on_data.forget();
        on_resize.forget();
    }
}

#[derive(Clone, PartialEq, Properties)]
pub struct TerminalPanelProps {
    pub screen: Screen,
    pub paused: bool,
    /// The size of the text in pixels.
    pub text: u32,
    pub screen_reader: bool,
    pub theme: Option<Theme>,
}

/// The terminal and its bar.
#[component]
pub fn TerminalPanel(props: &TerminalPanelProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let host = use_node_ref();
    let opened = use_state(|| false);
    {
        let (host, screen, act) = (host.clone(), props.screen.clone(), page.act.clone());
        let opened = opened.clone();
        use_effect_with((), move |()| {
            if let Some(host) = host.cast::<Element>() {
                wasm_bindgen_futures::spawn_local(async move {
                    screen.open(host, act).await;
                    opened.set(true);
                });
            }
        });
    }
    {
        let screen = props.screen.clone();
        let system = dom::system_theme();
        use_effect_with(
            (props.text, props.screen_reader, props.theme.unwrap_or(system), *opened),
            move |(text, screen_reader, ..)| {
                screen.with(|terminal| {
                    terminal.set_font_size(*text);
                    terminal.set_screen_reader(*screen_reader);
                    terminal.refresh_theme();
                });
            },
        );
    }
    let set = |setting| page.on(Action::Set(setting));
    html! {
        <section
            class="terminal panel"
            data-testid="terminal"
            data-region="terminal"
            tabindex="-1"
            aria-label={texts.terminal}
        >
            <div class="bar">
                <h2>{ icon(Icon::Prompt) }{ texts.terminal }</h2>
                if props.paused {
                    <p class="paused-notice">
                        { texts.paused_notice }
                        <button class="link" onclick={page.on(Action::Speed(Speed::REAL))}>
                            { texts.resume }
                        </button>
                    </p>
                }
                <div class="bar-tools">
                    <button
                        class="tool"
                        aria-pressed={props.screen_reader.to_string()}
                        onclick={set(Setting::ScreenReader(!props.screen_reader))}
                    >
                        { texts.screen_reader }
                    </button>
                    <button
                        class="tool"
                        aria-label={texts.text_smaller}
                        title={texts.text_smaller}
                        onclick={set(Setting::TerminalText(-1))}
                    >
                        { "A−" }
                    </button>
                    <button
                        class="tool"
                        aria-label={texts.text_larger}
                        title={texts.text_larger}
                        onclick={set(Setting::TerminalText(1))}
                    >
                        { "A+" }
                    </button>
                </div>
            </div>
            <p class="unseen" id="terminal-hint">{ texts.terminal_hint }</p>
            <div class="terminal-host" ref={host} aria-describedby="terminal-hint" />
        </section>
    }
}
