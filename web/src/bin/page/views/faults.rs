//! The palette of faults: what is broken now and can be mended, and how something that one chooses can
//! be broken.

use super::icon::{Icon, icon};
use super::words::words as in_words;
use crate::context::{Action, use_page};
use naru_web::i18n::{Texts, fill};
use naru_web::store::Store;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

/// Nodes and pods offered at most, of each.
const OFFERED_MAX: usize = 100;
/// The programs of the control plane that can be stopped.
const PROGRAMS: [&str; 3] = ["kube-scheduler", "kube-controller-manager", "kube-apiserver"];

#[derive(Clone, PartialEq, Properties)]
pub struct FaultsProps {
    pub store: Rc<Store>,
    /// What is broken, in the words of `naru fault`, each with its cure.
    pub broken: Vec<(String, String)>,
}

/// Something that can be broken.
#[derive(Clone, PartialEq)]
enum Target {
    Node(String),
    Pod { namespace: String, name: String },
    Program(&'static str),
}

impl Target {
    /// What it is called, and known by in the list.
    fn label(&self) -> String {
        match self {
            Target::Node(name) => format!("node/{name}"),
            Target::Pod { namespace, name } if namespace == "default" => format!("pod/{name}"),
            Target::Pod { namespace, name } => format!("pod/{name} -n {namespace}"),
            Target::Program(name) => (*name).to_owned(),
        }
    }

    /// How it can be broken: in the words of `naru fault`, and in words.
    fn faults(&self, texts: &Texts) -> Vec<(String, String)> {
        match self {
            Target::Node(name) => vec![
                (format!("stop node/{name}"), fill(texts.fault_stop, &[name])),
                (format!("cut {name}"), fill(texts.fault_cut, &[name])),
                (format!("fill node/{name}"), texts.fault_fill.to_owned()),
            ],
            Target::Pod { namespace, name } => vec![
                (format!("crash pod/{name} -n {namespace}"), texts.fault_crash.to_owned()),
                (format!("fill pod/{name} -n {namespace}"), texts.fault_fill.to_owned()),
            ],
            Target::Program(name) => {
                vec![(format!("stop {name}"), fill(texts.fault_program, &[name]))]
            }
        }
    }
}

/// Everything that can be broken: nodes, those of a learner first, then pods, then programs.
fn targets(store: &Store) -> Vec<Target> {
    let mut nodes: Vec<_> = store.nodes.values().collect();
    nodes.sort_by_key(|node| (!node.roles.is_empty(), node.name.clone()));
    let nodes = nodes.into_iter().map(|node| Target::Node(node.name.clone()));
    let mut pods: Vec<_> = store.own_pods().collect();
    pods.sort_by_key(|pod| (pod.namespace.clone(), pod.name.clone()));
    let pods = pods
        .into_iter()
        .map(|pod| Target::Pod { namespace: pod.namespace.clone(), name: pod.name.clone() });
    let programs = PROGRAMS.into_iter().map(Target::Program);
    nodes.take(OFFERED_MAX).chain(pods.take(OFFERED_MAX)).chain(programs).collect()
}

/// The button, and the palette while it is open.
#[component]
pub fn Faults(props: &FaultsProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let open = use_state(|| false);
    let chosen = use_state(String::new);
    let toggle = {
        let open = open.clone();
        Callback::from(move |_: MouseEvent| open.set(!*open))
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
    let onchange = {
        let chosen = chosen.clone();
        Callback::from(move |event: Event| {
            let select = event.target().and_then(|it| it.dyn_into::<HtmlSelectElement>().ok());
            chosen.set(select.map(|select| select.value()).unwrap_or_default());
        })
    };
    let item = |words: &str, label: String, class: &'static str| {
        let (act, open) = (page.act.clone(), open.clone());
        let fault = Action::Fault(words.to_owned());
        let onclick = Callback::from(move |_: MouseEvent| {
            open.set(false);
            act.emit(fault.clone());
        });
        html! {
            <button {class} {onclick}>
                <b>{ label }</b>
                <span><code>{ in_words(&format!("naru fault {words}")) }</code></span>
            </button>
        }
    };
    let all = if *open { targets(&props.store) } else { Vec::new() };
    let target = all.iter().find(|it| it.label() == *chosen).or(all.first());
    let is_broken = |words: &str| props.broken.iter().any(|(it, _)| it == words);
    html! {
        <div class={classes!("menu", "faults", (!props.broken.is_empty()).then_some("broken"))} {onkeydown}>
            <button
                class="tool"
                aria-expanded={open.to_string()}
                aria-label={texts.faults}
                title={texts.faults}
                onclick={toggle.clone()}
            >
                { icon(Icon::Bolt) }
                if !props.broken.is_empty() {
                    <span>{ props.broken.len() }</span>
                }
            </button>
            if *open {
                <div class="menu-shade" onclick={toggle} />
                <div class="menu-list fault-list" role="group" aria-label={texts.faults}>
                    { for props.broken.iter().map(|(words, cure)| {
                        item(cure, fill(texts.fault_mend, &[words]), "mend")
                    }) }
                    <label>
                        <span>{ texts.fault_of }</span>
                        <select class="select" data-testid="fault-of" {onchange}>
                            { for all.iter().map(|it| html! {
                                <option value={it.label()} selected={Some(it) == target}>{ it.label() }</option>
                            }) }
                        </select>
                    </label>
                    { for target.iter().flat_map(|it| it.faults(texts)).filter(|(words, _)| !is_broken(words)).map(|(words, label)| {
                        item(&words, label, "break")
                    }) }
                </div>
            }
        </div>
    }
}
