//! A cluster without a lesson: which one, and something to begin with.

use super::icon::{Icon, icon};
use crate::context::{Action, Page, use_page};
use crate::dom;
use naru_web::i18n::fill;
use naru_web::presets::PRESETS;
use naru_web::protocol::{Booted, Start};
use std::rc::Rc;
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;
use yew::prelude::*;

#[derive(Clone, PartialEq, Properties)]
pub struct PlaygroundProps {
    pub booted: Rc<Booted>,
}

/// The playground.
#[component]
pub fn Playground(props: &PlaygroundProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let seed = use_state(|| props.booted.seed);
    let oninput = {
        let seed = seed.clone();
        Callback::from(move |event: InputEvent| {
            let input = event.target().and_then(|it| it.dyn_into::<HtmlInputElement>().ok());
            if let Some(number) = input.and_then(|input| input.value().parse().ok()) {
                seed.set(number);
            }
        })
    };
    html! {
        <div class="playground" data-testid="playground">
            <div class="lesson-head">
                <h2>{ texts.playground }</h2>
                <p class="summary">{ texts.playground_hint }</p>
            </div>
            <section class="playground-part">
                <h3>{ texts.profile }</h3>
                <div class="profiles" role="group" aria-label={texts.profile}>
                    { for props.booted.profiles.iter().map(|name| profile(name, *seed, props, &page)) }
                </div>
                <label class="seed">
                    { texts.seed }
                    <input class="search" type="number" min="0" value={seed.to_string()} {oninput} />
                </label>
            </section>
            <section class="playground-part">
                <h3>{ texts.presets }</h3>
                <ul class="presets">
                    { for PRESETS.iter().map(|preset| html! {
                        <li key={preset.name}>
                            <p>{ page.language.of(&preset.says()) }</p>
                            <div class="preset-tools">
                                <button class="run" onclick={page.on(Action::Run(preset.commands.to_owned()))}>
                                    { icon(Icon::Run) }{ texts.run_this }
                                </button>
                                <button
                                    class="link"
                                    onclick={page.on(Action::Copy(link(props, *seed, preset.commands)))}
                                >
                                    { texts.share_link }
                                </button>
                            </div>
                        </li>
                    }) }
                </ul>
            </section>
        </div>
    }
}

/// A link that starts such a cluster and types such lines.
fn link(props: &PlaygroundProps, seed: u64, commands: &str) -> String {
    let seed = seed.to_string();
    dom::link(&[("profile", &props.booted.profile), ("seed", &seed), ("run", commands)])
}

fn profile(name: &str, seed: u64, props: &PlaygroundProps, page: &Page) -> Html {
    let texts = page.texts();
    let says = match name {
        "kind" => texts.profile_kind,
        "minikube" => texts.profile_minikube,
        "kubeadm" => texts.profile_kubeadm,
        "gke" => texts.profile_gke,
        "ha" => texts.profile_ha,
        _ => "",
    };
    let current = name == props.booted.profile;
    let start = Start::Playground { profile: name.to_owned(), seed, commands: Vec::new() };
    html! {
        <button
            class={classes!("profile", current.then_some("chosen"))}
            aria-pressed={current.to_string()}
            title={fill(texts.start_profile, &[name])}
            onclick={page.on(Action::Start(start))}
        >
            <b>{ name.to_owned() }</b>
            <span>{ says }</span>
        </button>
    }
}
