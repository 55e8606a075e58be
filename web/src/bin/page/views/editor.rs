//! The editor: the files of the home directory, checked by the cluster while one writes.

use super::icon::{Icon, icon};
use crate::codemirror::{self, Editor};
use crate::context::{Action, Answer, Page};
use crate::dom;
use gloo_timers::callback::Timeout;
use naru_web::manifest::{self, Verdict};
use naru_web::protocol::{Call, Reply};
use naru_web::query::Theme;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use web_sys::{Element, HtmlInputElement};
use yew::prelude::*;

/// After so many milliseconds without a letter the text is checked.
const CHECK_AFTER_MS: u32 = 500;
/// What a new file holds.
const TEMPLATE: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
      - name: web
        image: nginx
        ports:
        - containerPort: 80
";

#[derive(Clone, PartialEq, Properties)]
pub struct EditorViewProps {
    pub hidden: bool,
    pub theme: Theme,
}

/// What changes the editor.
pub enum Msg {
    /// CodeMirror is there.
    Opened(Editor),
    /// The files of the home directory are known.
    Files(Vec<String>),
    /// A file is to be opened.
    Open(String),
    /// A file was read.
    Read(String, String),
    /// The text has changed.
    Changed(String),
    /// The text is to be kept in its file.
    Save,
    /// The file is to be kept and applied.
    Apply,
    /// The file has another name.
    Rename(String),
    /// The text is to be checked, unless it has changed since.
    Check(u32),
    /// The text was checked.
    Checked(Verdict),
    /// Fields are to be explained, or not.
    Explain(bool),
    /// The cursor is elsewhere.
    Moved,
    /// What a field means is known.
    Explained(String, String),
}

/// The editor.
pub struct EditorView {
    host: NodeRef,
    editor: Option<Editor>,
    files: Vec<String>,
    path: String,
    text: String,
    saved: bool,
    verdict: Option<Verdict>,
    /// Counts the changes.
    changes: u32,
    /// Fields are explained.
    explains: bool,
    /// The field at the cursor, and what it means once that is known.
    field: (String, String),
    closures: Rc<RefCell<Vec<JsValue>>>,
}

impl Component for EditorView {
    type Message = Msg;
    type Properties = EditorViewProps;

    fn create(ctx: &Context<Self>) -> EditorView {
        let editor = EditorView {
            host: NodeRef::default(),
            editor: None,
            files: Vec::new(),
            path: "web.yml".to_owned(),
            text: TEMPLATE.to_owned(),
            saved: false,
            verdict: None,
            changes: 0,
            explains: false,
            field: Default::default(),
            closures: Rc::default(),
        };
        editor.list(ctx);
        editor
    }

    fn changed(&mut self, ctx: &Context<Self>, old: &EditorViewProps) -> bool {
        if old.hidden && !ctx.props().hidden {
            self.list(ctx);
        }
        true
    }

    fn rendered(&mut self, ctx: &Context<Self>, first: bool) {
        let Some(host) = self.host.cast::<Element>().filter(|_| first) else { return };
        let link = ctx.link().clone();
        let on_change = Closure::<dyn Fn(String)>::new(link.callback(Msg::Changed).into_fn());
        let on_save = Closure::<dyn Fn()>::new(move || link.send_message(Msg::Save));
        let link = ctx.link().clone();
        let on_move = Closure::<dyn Fn()>::new(move || link.send_message(Msg::Moved));
        let label = page(ctx).texts().editor;
        let link = ctx.link().clone();
        let closures = self.closures.clone();
        wasm_bindgen_futures::spawn_local(async move {
            match codemirror::open(&host, label, true, &on_change, &on_save, &on_move).await {
                Ok(editor) => link.send_message(Msg::Opened(editor.unchecked_into())),
                Err(error) => dom::log_error(&error),
            }
            let kept =
                [on_change.into_js_value(), on_save.into_js_value(), on_move.into_js_value()];
            closures.borrow_mut().extend(kept);
        });
    }

    fn update(&mut self, ctx: &Context<Self>, msg: Msg) -> bool {
        let page = page(ctx);
        match msg {
            Msg::Opened(editor) => {
                editor.set_text(&self.text);
                editor.focus();
                self.editor = Some(editor);
                self.check_soon(ctx);
            }
            Msg::Files(files) => self.files = files,
            Msg::Open(path) => {
                let answer = ctx.link().batch_callback({
                    let path = path.clone();
                    move |answer: Answer| match answer {
                        Ok(Reply::Bytes(bytes)) => {
                            let text = String::from_utf8_lossy(&bytes).into_owned();
                            Some(Msg::Read(path.clone(), text))
                        }
                        _ => None,
                    }
                });
                page.ask(Call::Read(path), answer);
                return false;
            }
            Msg::Read(path, text) => {
                if let Some(editor) = &self.editor {
                    editor.set_text(&text);
                    editor.focus();
                }
                (self.path, self.text, self.saved, self.verdict) = (path, text, true, None);
                self.check_soon(ctx);
            }
            Msg::Changed(text) => {
                (self.text, self.saved) = (text, false);
                self.check_soon(ctx);
            }
            Msg::Save => self.save(ctx),
            Msg::Apply => {
                self.save(ctx);
                page.act.emit(Action::Run(format!("kubectl apply -f {}", self.path)));
            }
            Msg::Rename(path) => (self.path, self.saved) = (path, false),
            Msg::Check(changes) if changes == self.changes => self.check(ctx),
            Msg::Check(_) => return false,
            Msg::Checked(verdict) => {
                if let Some(editor) = &self.editor {
                    editor.mark(verdict.line, &verdict.text);
                }
                self.verdict = Some(verdict);
            }
            Msg::Explain(explains) => {
                self.explains = explains;
                self.field = Default::default();
                self.explain(ctx);
            }
            Msg::Moved => return self.explain(ctx),
            Msg::Explained(field, text) => {
                if self.field.0 == field {
                    self.field.1 = text;
                }
            }
        }
        true
    }

    fn view(&self, ctx: &Context<Self>) -> Html {
        let page = page(ctx);
        let texts = page.texts();
        let rename = ctx.link().batch_callback(|event: InputEvent| {
            let input = event.target().and_then(|it| it.dyn_into::<HtmlInputElement>().ok())?;
            Some(Msg::Rename(input.value()))
        });
        let is_safe = manifest::is_plain_path(&self.path);
        html! {
            <div class={classes!("editor", ctx.props().hidden.then_some("put-away"))} data-testid="editor">
                <div class="editor-files">
                    <h3>{ texts.files }</h3>
                    <ul>
                        { for self.files.iter().map(|path| html! {
                            <li key={path.clone()}>
                                <button
                                    aria-current={(*path == self.path).then_some("true")}
                                    onclick={ctx.link().callback({
                                        let path = path.clone();
                                        move |_| Msg::Open(path.clone())
                                    })}
                                >
                                    { path }
                                </button>
                            </li>
                        }) }
                    </ul>
                </div>
                <div class="editor-body">
                    <div class="editor-tools">
                        <input
                            class="search"
                            aria-label={texts.file_name}
                            value={self.path.clone()}
                            oninput={rename}
                        />
                        <button class="tool" disabled={self.saved || !is_safe} onclick={ctx.link().callback(|_| Msg::Save)}>
                            { if self.saved { texts.saved } else { texts.save } }
                        </button>
                        <button
                            class="tool"
                            aria-pressed={self.explains.to_string()}
                            title="kubectl explain"
                            onclick={ctx.link().callback({
                                let explains = !self.explains;
                                move |_| Msg::Explain(explains)
                            })}
                        >
                            { texts.explain }
                        </button>
                        <button class="run" disabled={!is_safe} onclick={ctx.link().callback(|_| Msg::Apply)}>
                            { icon(Icon::Run) }{ texts.apply }
                        </button>
                    </div>
                    <div class="editor-middle">
                        <div class="editor-host" ref={self.host.clone()} />
                        if self.explains {
                            <section class="explained" tabindex="0" aria-label={texts.explain} data-testid="explained">
                                <p><code>{ &self.field.0 }</code></p>
                                <pre>{ &self.field.1 }</pre>
                            </section>
                        }
                    </div>
                    if let Some(verdict) = &self.verdict {
                        <p class={classes!("verdict", verdict.bad.then_some("bad"))} role="status" data-testid="verdict">
                            { &verdict.text }
                        </p>
                    }
                </div>
            </div>
        }
    }
}

fn page(ctx: &Context<EditorView>) -> Page {
    ctx.link().context::<Page>(Callback::noop()).map(|(page, _)| page).unwrap_or_else(|| Page {
        language: Default::default(),
        act: Callback::noop(),
        ask: Callback::noop(),
    })
}

impl EditorView {
    fn list(&self, ctx: &Context<Self>) {
        let answer = ctx.link().batch_callback(|answer: Answer| match answer {
            Ok(Reply::Files(files)) => Some(Msg::Files(files)),
            _ => None,
        });
        page(ctx).ask(Call::Files, answer);
    }

    fn save(&mut self, ctx: &Context<Self>) {
        if !manifest::is_plain_path(&self.path) {
            return;
        }
        let call = Call::Write { path: self.path.clone(), bytes: self.text.clone().into_bytes() };
        page(ctx).ask(call, Callback::noop());
        self.saved = true;
        self.list(ctx);
    }

    fn check_soon(&mut self, ctx: &Context<Self>) {
        self.changes = self.changes.wrapping_add(1);
        let (link, changes) = (ctx.link().clone(), self.changes);
        Timeout::new(CHECK_AFTER_MS, move || link.send_message(Msg::Check(changes))).forget();
    }

    /// Has a copy of the cluster explain the field at the cursor. Tells whether that is another one.
    fn explain(&mut self, ctx: &Context<Self>) -> bool {
        let field = self.editor.as_ref().filter(|_| self.explains).map(Editor::field);
        let Some(field) = field.filter(|field| !field.is_empty() && *field != self.field.0) else {
            return false;
        };
        self.field = (field.clone(), String::new());
        let link = ctx.link().clone();
        let command = format!("kubectl explain {field}");
        let answer = Callback::from(move |answer: Answer| {
            if let Ok(Reply::Exec { stdout, stderr, .. }) = answer {
                link.send_message(Msg::Explained(field.clone(), stdout + &stderr));
            }
        });
        page(ctx).ask(Call::Peek(command), answer);
        true
    }

    /// Has a copy of the cluster say what it would do with the text.
    fn check(&mut self, ctx: &Context<Self>) {
        if !manifest::looks_like_one(&self.text) {
            self.verdict = None;
            return;
        }
        let link = ctx.link().clone();
        let answer = Callback::from(move |answer: Answer| {
            if let Ok(Reply::Exec { stdout, stderr, code }) = answer {
                link.send_message(Msg::Checked(Verdict::of(&stdout, &stderr, code)));
            }
        });
        page(ctx).ask(Call::Peek(manifest::check_script(&self.text)), answer);
    }
}

/// A callback as a closure.
pub trait IntoFn<T> {
    /// The closure.
    fn into_fn(self) -> Box<dyn Fn(T)>;
}

impl<T: 'static> IntoFn<T> for Callback<T> {
    fn into_fn(self) -> Box<dyn Fn(T)> {
        Box::new(move |value| self.emit(value))
    }
}
