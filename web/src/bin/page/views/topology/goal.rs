//! What the cluster looks like when a step of the lesson is done, beside what it looks like now.

use super::house::{HouseNames, Houses};
use super::pod::Pods;
use super::river::{Chips, River, Wires};
use super::{PartProps, icon};
use crate::context::{Action, Answer, use_page};
use crate::views::icon::Icon;
use naru_web::i18n::fill;
use naru_web::protocol::{Call, Reply};
use naru_web::scene::{Room, Scene};
use naru_web::store::{Look, Store};
use std::cell::Cell;
use std::rc::Rc;
use yew::prelude::*;

/// The room that the goal is laid out in, before it is made smaller.
const ROOM: (f64, f64) = (520.0, 440.0);

#[derive(Clone, PartialEq, Properties)]
pub struct GoalProps {
    /// The lesson's step.
    pub step: u32,
    pub onclose: Callback<MouseEvent>,
}

/// The goal. It is found out by a cluster of its own that does what the steps ask for, up to this
/// one.
#[component]
pub fn Goal(props: &GoalProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    // Once it is known: what it looks like, or why that could not be found out.
    let store = use_state(|| None::<Result<Rc<Store>, String>>);
    {
        let (store, page) = (store.clone(), page.clone());
        use_effect_with(props.step, move |step| {
            store.set(None);
            // Another step is looked at by now: what is said of this one is for nobody.
            let left = Rc::new(Cell::new(false));
            let late = left.clone();
            let answer = Callback::from(move |answer: Answer| match answer {
                _ if late.get() => {}
                Ok(Reply::View(view)) => {
                    let mut goal = Store::default();
                    goal.apply(*view);
                    store.set(Some(Ok(Rc::new(goal))));
                }
                Ok(_) => {}
                Err(error) => store.set(Some(Err(error))),
            });
            page.ask(Call::Goal(*step), answer);
            move || {
                left.set(true);
                page.act.emit(Action::StopTrials);
            }
        });
    }
    html! {
        <aside class="goal" aria-label={texts.goal} data-testid="goal">
            <p class="goal-head">
                <b>{ texts.goal }</b>
                <button class="tool" aria-label={texts.close} title={texts.close} onclick={props.onclose.clone()}>
                    { icon(Icon::Close) }
                </button>
            </p>
            { match &*store {
                Some(Ok(store)) => html! {
                    <>
                        <p class="goal-text" role="status">{ summary(store, texts) }</p>
                        <div class="goal-scene" inert={true}>{ picture(store) }</div>
                    </>
                },
                Some(Err(error)) => html! { <p class="empty" role="status">{ error }</p> },
                None => html! { <p class="empty" role="status">{ texts.goal_loading }</p> },
            } }
        </aside>
    }
}

fn summary(store: &Store, texts: &'static naru_web::i18n::Texts) -> String {
    let ready = store.own_pods().filter(|pod| Look::of(pod) == Look::Ready).count();
    let own = |namespace: &str| !naru_web::store::is_system(namespace);
    let services = store.services.values();
    let services = services.filter(|it| own(&it.namespace) && it.name != "kubernetes").count();
    fill(texts.goal_has, &[&ready.to_string(), &services.to_string()])
}

fn picture(store: &Rc<Store>) -> Html {
    let (width, height) = ROOM;
    let room = Room { width, height, ..Room::default() };
    let scene = Rc::new(Scene::lay_out(store, &room));
    let part = PartProps {
        store: store.clone(),
        scene: scene.clone(),
        traffic: Rc::default(),
        selected: None,
        wanted: String::new(),
    };
    let top = scene.pier.y - 8.0;
    html! {
        <svg viewBox={format!("0 {top} {} {}", scene.width, scene.height - top)}>
            <River ..part.clone() />
            <Houses ..part.clone() />
            <Wires ..part.clone() />
            <Chips ..part.clone() />
            <HouseNames ..part.clone() />
            <Pods ..part />
        </svg>
    }
}
