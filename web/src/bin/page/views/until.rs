//! Let time go on until something has come about.

use super::icon::{Icon, icon};
use super::words::words;
use crate::context::{Action, use_page};
use naru_web::i18n::{Texts, fill};
use naru_web::store::{Look, Store};
use std::rc::Rc;
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;
use yew::prelude::*;

/// Conditions offered at most.
const OFFERED_MAX: usize = 7;
/// Virtual time after which one gives up.
const LIMIT: &str = "--timeout=3600s";

#[derive(Clone, PartialEq, Properties)]
pub struct UntilProps {
    pub store: Rc<Store>,
    /// The condition that is waited for now.
    pub waits: Option<String>,
    /// What came of the last one that was waited for.
    pub waited: Option<String>,
}

/// The button, and the conditions while it is open; or what is waited for.
#[component]
pub fn Until(props: &UntilProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let open = use_state(|| false);
    let own = use_state(|| "deployment/web --for=jsonpath='{.status.readyReplicas}'=3".to_owned());
    if let Some(waits) = &props.waits {
        return html! {
            <div class="until-running" role="status">
                <span>{ fill(texts.until_running, &[waits]) }</span>
                <button class="tool" onclick={page.on(Action::Cancel)}>{ texts.cancel }</button>
            </div>
        };
    }
    let toggle = {
        let open = open.clone();
        Callback::from(move |_: MouseEvent| open.set(!*open))
    };
    let start = {
        let (act, open) = (page.act.clone(), open.clone());
        Callback::from(move |wait: String| {
            open.set(false);
            act.emit(Action::Until(wait));
        })
    };
    let onkeydown = {
        let open = open.clone();
        Callback::from(move |event: KeyboardEvent| {
            if event.key() == "Escape" && *open {
                event.stop_propagation();
                open.set(false);
            }
        })
    };
    let oninput = {
        let own = own.clone();
        Callback::from(move |event: InputEvent| {
            let input = event.target().and_then(|it| it.dyn_into::<HtmlInputElement>().ok());
            own.set(input.map(|input| input.value()).unwrap_or_default());
        })
    };
    let onsubmit = {
        let (start, own) = (start.clone(), own.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            start.emit((*own).clone());
        })
    };
    html! {
        <div class="menu until" {onkeydown}>
            <button
                class="tool"
                aria-expanded={open.to_string()}
                aria-label={texts.until}
                title={texts.until}
                onclick={toggle.clone()}
            >
                { icon(Icon::Flag) }
            </button>
            <div role="status">
                if let Some(waited) = &props.waited {
                    <p class="until-result" data-testid="waited">{ words(waited) }</p>
                }
            </div>
            if *open {
                <div class="menu-shade" onclick={toggle} />
                <div class="menu-list until-list" role="group" aria-label={texts.until}>
                    <p class="until-title">{ texts.until }</p>
                    { for offered(&props.store, texts).into_iter().map(|(wait, label)| {
                        let chosen = wait.clone();
                        html! {
                            <button onclick={start.reform(move |_: MouseEvent| chosen.clone())}>
                                <b>{ label }</b>
                                <span><code>{ words(&format!("kubectl wait {wait}")) }</code></span>
                            </button>
                        }
                    }) }
                    <form {onsubmit}>
                        <label>
                            <span>{ texts.until_free }</span>
                            <input class="search" value={(*own).clone()} {oninput} />
                        </label>
                        <button class="run" type="submit">{ icon(Icon::Run) }{ texts.until_go }</button>
                    </form>
                </div>
            }
        </div>
    }
}

/// What can be waited for now: what is under way of a learner's own.
fn offered(store: &Store, texts: &'static Texts) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut workloads: Vec<_> = store.workloads.values().collect();
    workloads.sort_by_key(|it| std::cmp::Reverse(it.created_micros));
    for it in workloads {
        if naru_web::store::is_system(&it.namespace) || it.owner.is_some() || it.ready >= it.desired
        {
            continue;
        }
        let (condition, label) = match it.kind.as_str() {
            "Deployment" => ("condition=Available", texts.until_ready),
            "Job" => ("condition=Complete", texts.until_done),
            _ => continue,
        };
        let name = format!("{}/{}", it.kind.to_lowercase(), it.name);
        all.push((wait(&name, condition, &it.namespace), fill(label, &[&name])));
    }
    let mut pods: Vec<_> = store.own_pods().collect();
    pods.sort_by_key(|pod| std::cmp::Reverse(pod.created_micros));
    for pod in pods {
        let name = format!("pod/{}", pod.name);
        let (condition, label) = match Look::of(pod) {
            Look::Leaving => ("delete", texts.until_gone),
            Look::Waiting | Look::Starting | Look::Unready => {
                ("condition=Ready", texts.until_ready)
            }
            _ => continue,
        };
        all.push((wait(&name, condition, &pod.namespace), fill(label, &[&name])));
    }
    all.truncate(OFFERED_MAX);
    all
}

fn wait(name: &str, condition: &str, namespace: &str) -> String {
    let scope = match namespace {
        "default" => String::new(),
        namespace => format!(" -n {namespace}"),
    };
    format!("{name} --for={condition}{scope} {LIMIT}")
}
