//! The upper bank: the parts of the control plane, each with its stairs down to the pier, which is
//! the API server.

use crate::context::use_page;
use crate::traffic::Traffic;
use naru_web::i18n::Texts;
use naru_web::place::Place;
use naru_web::scene::{Rect, Scene};
use std::rc::Rc;
use yew::prelude::*;

#[derive(Clone, PartialEq, Properties)]
pub struct UpperBankProps {
    pub scene: Rc<Scene>,
    pub traffic: Rc<Traffic>,
    /// The store's.
    pub revision: u64,
}

/// The upper bank.
#[component]
pub fn UpperBank(props: &UpperBankProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let pier = props.scene.pier;
    html! {
        <g class="upper-bank">
            { for props.scene.parts.iter().map(|(place, rect)| {
                let busy = props.traffic.pulses.iter().any(|pulse| pulse.place == *place);
                let from = rect.bottom_middle();
                html! {
                    <>
                        <line
                            class="stairs"
                            x1={from.x.to_string()}
                            y1={from.y.to_string()}
                            x2={from.x.to_string()}
                            y2={pier.y.to_string()}
                        />
                        { part(place, *rect, texts, busy) }
                    </>
                }
            }) }
            { landing(pier, texts, props.revision) }
        </g>
    }
}

/// A part of the control plane.
fn part(place: &Place, rect: Rect, texts: &Texts, busy: bool) -> Html {
    let (name, short, role) = match place {
        Place::Terminal => ("kubectl", "kubectl", texts.terminal_role),
        Place::Store => ("etcd", "etcd", texts.store_role),
        Place::Scheduler => ("kube-scheduler", "scheduler", texts.scheduler_role),
        _ => ("kube-controller-manager", "controllers", texts.controllers_role),
    };
    let wide = rect.w > 150.0;
    let class = classes!("part", busy.then_some("busy"), wide.then_some("wide"));
    let middle = rect.middle();
    let shown = if wide { name } else { short };
    html! {
        <g {class}>
            <title>{ format!("{name}: {role}") }</title>
            <rect
                x={rect.x.to_string()}
                y={rect.y.to_string()}
                width={rect.w.to_string()}
                height={rect.h.to_string()}
                rx="12"
            />
            <text
                class="name"
                x={middle.x.to_string()}
                y={(if wide { middle.y - 3.0 } else { middle.y + 4.0 }).to_string()}
            >
                { shown }
            </text>
            if wide {
                <text class="role" x={middle.x.to_string()} y={(middle.y + 14.0).to_string()}>
                    { role }
                </text>
            }
        </g>
    }
}

/// The pier.
fn landing(pier: Rect, texts: &Texts, revision: u64) -> Html {
    let posts = (pier.w / 46.0).floor().max(2.0) as u32;
    let stride = (pier.w - 28.0) / f64::from(posts - 1);
    let narrow = pier.w < 520.0;
    let middle = pier.middle();
    html! {
        <g class="pier">
            { for (0..posts).map(|i| {
                let x = pier.x + 14.0 + f64::from(i) * stride;
                html! {
                    <line
                        class="post"
                        x1={x.to_string()}
                        x2={x.to_string()}
                        y1={(pier.bottom() - 2.0).to_string()}
                        y2={(pier.bottom() + 9.0).to_string()}
                    />
                }
            }) }
            <rect
                class="deck"
                x={pier.x.to_string()}
                y={pier.y.to_string()}
                width={pier.w.to_string()}
                height={pier.h.to_string()}
                rx="8"
            />
            <line
                class="plank"
                x1={(pier.x + 8.0).to_string()}
                x2={(pier.right() - 8.0).to_string()}
                y1={(pier.bottom() - 6.0).to_string()}
                y2={(pier.bottom() - 6.0).to_string()}
            />
            <text class="name" x={(pier.x + 16.0).to_string()} y={(middle.y + 4.0).to_string()}>
                { texts.api_server }
                if !narrow {
                    <tspan class="role" dx="10">{ texts.api_server_role }</tspan>
                }
            </text>
            <text
                class="revision"
                x={(pier.right() - 16.0).to_string()}
                y={(middle.y + 4.0).to_string()}
            >
                { format!("{} {revision}", texts.revision) }
            </text>
        </g>
    }
}
