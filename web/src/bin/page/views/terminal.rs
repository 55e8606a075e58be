//! A terminal on the screen, and the ways to all of them.

use crate::context::{Action, use_page};
use crate::dom;
use crate::xterm::{self, Terminal};
use js_sys::Uint8Array;
use naru_web::protocol::ObjectRef;
use naru_web::query::Theme;
use naru_web::store::Store;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use web_sys::Element;
use yew::prelude::*;

/// Objects whose names are links in a terminal, at most.
const NAMES_MAX: usize = 5_000;

/// The objects that are known by a name.
#[derive(Clone, Default)]
struct Names {
    inner: Rc<RefCell<KnownNames>>,
}

#[derive(Default)]
struct KnownNames {
    store: Rc<Store>,
    /// Made of the store when somebody asks: what it holds changes with every picture, and is asked
    /// for only while a pointer moves over a terminal.
    by_name: Option<BTreeMap<String, ObjectRef>>,
}

impl Names {
    fn set(&self, store: &Rc<Store>) {
        self.inner.replace(KnownNames { store: store.clone(), by_name: None });
    }

    fn get(&self, name: &str) -> Option<ObjectRef> {
        let KnownNames { store, by_name } = &mut *self.inner.borrow_mut();
        by_name.get_or_insert_with(|| names_of(store)).get(name).cloned()
    }
}

fn names_of(store: &Store) -> BTreeMap<String, ObjectRef> {
    let mut names = BTreeMap::new();
    let mut put = |kind: &str, namespace: &str, name: &str| {
        if names.len() < NAMES_MAX {
            let object = ObjectRef {
                kind: kind.to_owned(),
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            };
            names.insert(name.to_owned(), object);
        }
    };
    store.nodes.values().for_each(|it| put("Node", "", &it.name));
    store.services.values().for_each(|it| put("Service", &it.namespace, &it.name));
    store.workloads.values().for_each(|it| put(&it.kind, &it.namespace, &it.name));
    store.pods.values().for_each(|it| put("Pod", &it.namespace, &it.name));
    names
}

/// The way to every terminal.
#[derive(Clone, Default)]
pub struct Screens {
    screens: Rc<RefCell<BTreeMap<u32, Screen>>>,
    names: Names,
    count: u32,
}

impl PartialEq for Screens {
    fn eq(&self, other: &Screens) -> bool {
        Rc::ptr_eq(&self.screens, &other.screens) && self.count == other.count
    }
}

impl Screens {
    /// How many there are.
    pub fn count(&self) -> u32 {
        self.count.max(1)
    }

    /// So many are open.
    pub fn open(&mut self, count: u32) {
        self.count = count;
    }

    /// Opens one more. Returns its number.
    pub fn open_one_more(&mut self) -> u32 {
        self.count = self.count() + 1;
        self.count - 1
    }

    /// Closes all but the first, and forgets what that has shown.
    pub fn close(&mut self) {
        self.count = 1;
        self.screens.borrow_mut().retain(|number, _| *number == 0);
        self.of(0).clear();
    }

    /// The way to one.
    pub fn of(&self, number: u32) -> Screen {
        self.screens.borrow_mut().entry(number).or_default().clone()
    }

    /// The terminal in use, or the first while something else lies there.
    pub fn current(&self, desk: crate::context::Desk) -> u32 {
        match desk {
            crate::context::Desk::Terminal(number) => number,
            crate::context::Desk::Editor => 0,
        }
    }

    /// The sizes that are known: number, columns, rows.
    pub fn sizes(&self) -> Vec<(u32, u16, u16)> {
        let screens = self.screens.borrow();
        let size = |(number, screen): (&u32, &Screen)| {
            screen.inner.size.get().map(|(columns, rows)| (*number, columns, rows))
        };
        screens.iter().filter_map(size).collect()
    }

    /// Whoever is known by name can be clicked at in what a terminal shows.
    pub fn set_names(&self, store: &Rc<Store>) {
        self.names.set(store);
    }
}

/// The way to a terminal. What is written before it is there is kept for it.
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
    async fn open(self, number: u32, host: Element, act: Callback<Action>, names: Names) {
        let typed = act.clone();
        let on_data = Closure::<dyn Fn(Uint8Array)>::new(move |bytes: Uint8Array| {
            typed.emit(Action::Input(number, bytes.to_vec()));
        });
        let sized = act.clone();
        let on_resize = Closure::<dyn Fn(u16, u16)>::new(move |columns, rows| {
            sized.emit(Action::Resize(number, columns, rows));
        });
        let known = names.clone();
        let is_name =
            Closure::<dyn Fn(String) -> bool>::new(move |word: String| known.get(&word).is_some());
        let on_name = Closure::<dyn Fn(String)>::new(move |word: String| {
            act.emit(Action::Select(names.get(&word)));
        });
        match xterm::open(&host, &on_data, &on_resize, &is_name, &on_name).await {
            Ok(terminal) => self.attach(terminal.unchecked_into()),
            Err(error) => dom::log_error(&error),
        }
        // They live as long as the page.
        on_data.forget();
        on_resize.forget();
        is_name.forget();
        on_name.forget();
    }
}

#[derive(Clone, PartialEq, Properties)]
pub struct TerminalViewProps {
    pub number: u32,
    pub screens: Screens,
    /// The size of the text in pixels.
    pub text: u32,
    pub screen_reader: bool,
    pub theme: Option<Theme>,
    pub hidden: bool,
    /// It stands beside what lies in front: at which place from there, and how many pixels wide.
    pub beside: Option<(usize, f64)>,
}

/// A terminal.
#[component]
pub fn TerminalView(props: &TerminalViewProps) -> Html {
    let page = use_page();
    let host = use_node_ref();
    let opened = use_state(|| false);
    let number = props.number;
    {
        let (host, act, opened) = (host.clone(), page.act.clone(), opened.clone());
        let (screen, names) = (props.screens.of(number), props.screens.names.clone());
        use_effect_with((), move |()| {
            if let Some(host) = host.cast::<Element>() {
                wasm_bindgen_futures::spawn_local(async move {
                    screen.open(number, host, act, names).await;
                    opened.set(true);
                });
            }
        });
    }
    {
        let screen = props.screens.of(number);
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
    html! {
        <div
            class={classes!(
                "terminal-host",
                props.hidden.then_some("put-away"),
                props.beside.map(|(place, _)| format!("beside at-{place}")),
            )}
            style={props.beside.map(|(_, width)| format!("width: {width}px"))}
            ref={host}
            aria-describedby="terminal-hint"
        />
    }
}
