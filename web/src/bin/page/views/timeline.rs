//! The line of time: stop, go, step, go back, and break things.

use super::faults::Faults;
use super::icon::{Icon, icon};
use super::menu::Menu;
use super::until::Until;
use crate::context::{Action, Page, use_page};
use naru_cluster::view::ClockView;
use naru_web::clock;
use naru_web::i18n::{Texts, fill};
use naru_web::protocol::{Mark, MarkKind, Speed};
use naru_web::store::Store;
use naru_web::timeline::Timeline;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

#[derive(Clone, PartialEq, Properties)]
pub struct TimelineBarProps {
    pub clock: ClockView,
    pub speed: Speed,
    /// How fast time goes on after it stood still.
    pub resume: Speed,
    pub ready: bool,
    pub timeline: Rc<Timeline>,
    pub store: Rc<Store>,
    /// The condition that is waited for.
    pub waits: Option<String>,
    /// What came of the last one.
    pub waited: Option<String>,
}

/// The line and what lies beside it.
#[component]
pub fn TimelineBar(props: &TimelineBarProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let past = props.ready && !props.timeline.view.live;
    html! {
        <section
            class={classes!("timeline", past.then_some("past"))}
            aria-label={texts.time}
            data-testid="timeline"
        >
            { transport(props, &page) }
            { line(props, &page) }
            { clock_face(props, texts) }
            <div class="timeline-tools">
                { branches(props, &page) }
                if props.ready {
                    <Until store={props.store.clone()} waits={props.waits.clone()} waited={props.waited.clone()} />
                    <Faults store={props.store.clone()} broken={props.timeline.view.faults.clone()} />
                }
            </div>
        </section>
    }
}

/// The buttons that let time go.
fn transport(props: &TimelineBarProps, page: &Page) -> Html {
    let texts = page.texts();
    let now = props.clock.micros;
    let button = |picture: Icon, label: &'static str, action: Option<Action>| {
        let disabled = !props.ready || action.is_none();
        let onclick = action.map(|action| page.on(action));
        html! {
            <button class="speed" title={label} aria-label={label} {disabled} {onclick}>
                { icon(picture) }
            </button>
        }
    };
    let play = match props.speed.is_paused() {
        true => button(Icon::Play, texts.resume, Some(Action::Speed(props.resume))),
        false => button(Icon::Pause, texts.pause, Some(Action::Speed(Speed::PAUSED))),
    };
    let before = props.timeline.before(now).map(|mark| Action::Travel(mark.micros));
    let after = props.timeline.after(now).map(|mark| Action::Travel(mark.micros));
    html! {
        <div class="transport" role="group" aria-label={texts.time}>
            { button(Icon::Before, texts.mark_before, before) }
            { play }
            { button(Icon::Step, texts.step, Some(Action::Step)) }
            { button(Icon::After, texts.mark_after, after) }
            { speeds(props, page) }
        </div>
    }
}

fn speeds(props: &TimelineBarProps, page: &Page) -> Html {
    let texts = page.texts();
    let shown = if props.speed.is_paused() { props.resume } else { props.speed };
    let act = page.act.clone();
    let onchange = Callback::from(move |event: Event| {
        let select = event.target().and_then(|it| it.dyn_into::<HtmlSelectElement>().ok());
        if let Some(speed) = select.and_then(|select| select.value().parse().ok()) {
            act.emit(Action::Speed(Speed(speed)));
        }
    });
    let offered = Speed::OFFERED.contains(&shown);
    html! {
        <select class="speed-choice" aria-label={texts.speed_choice} disabled={!props.ready} {onchange}>
            { for Speed::OFFERED.into_iter().chain((!offered).then_some(shown)).map(|speed| html! {
                <option value={speed.0.to_string()} selected={speed == shown}>
                    { fill(texts.speed, &[&speed.factor()]) }
                </option>
            }) }
        </select>
    }
}

/// The line itself, with what is marked on it.
fn line(props: &TimelineBarProps, page: &Page) -> Html {
    let texts = page.texts();
    let now = props.clock.micros;
    let (start, end) = (props.timeline.view.start, props.timeline.end(now));
    let act = page.act.clone();
    let oninput = Callback::from(move |event: InputEvent| {
        let input = event.target().and_then(|it| it.dyn_into::<HtmlInputElement>().ok());
        if let Some(millis) = input.map(|input| input.value_as_number()) {
            act.emit(Action::Travel((millis * 1000.0) as u64));
        }
    });
    let place = 100.0 * props.timeline.place(now, now);
    html! {
        <div class="time-line" style={format!("--now: {place}%")}>
            <div class="time-track" aria-hidden="true">
                <div class="time-past" />
                { for props.timeline.marks().map(|it| mark(it, props, page)) }
            </div>
            <input
                type="range"
                aria-label={texts.time_line}
                aria-valuetext={clock::stopwatch(now)}
                min={(start / 1000).to_string()}
                max={end.div_ceil(1000).to_string()}
                step="1"
                value={(now / 1000).to_string()}
                disabled={!props.ready}
                data-testid="time-line"
                {oninput}
            />
        </div>
    }
}

fn mark(mark: &Mark, props: &TimelineBarProps, page: &Page) -> Html {
    let place = 100.0 * props.timeline.place(mark.micros, props.clock.micros);
    let kind = match mark.kind {
        MarkKind::Command => "mark-command",
        MarkKind::Failed => "mark-failed",
        MarkKind::Fault => "mark-fault",
        MarkKind::Trouble => "mark-trouble",
        MarkKind::Step => "mark-step",
    };
    html! {
        <button
            class={classes!("time-mark", kind)}
            style={format!("left: {place:.3}%")}
            title={format!("{} · {}", clock::stopwatch(mark.micros), mark.text)}
            tabindex="-1"
            data-testid="time-mark"
            onclick={page.on(Action::Travel(mark.micros))}
        />
    }
}

fn clock_face(props: &TimelineBarProps, texts: &Texts) -> Html {
    html! {
        <div class="clock" data-testid="clock" title={texts.clock_title}>
            <span class="stopwatch">{ clock::stopwatch(props.clock.micros) }</span>
            <span class="date">
                if props.ready { { clock::date_time(props.clock.unix_micros) }{ " UTC" } }
            </span>
        </div>
    }
}

/// The way back to the present, and to ways that were left.
fn branches(props: &TimelineBarProps, page: &Page) -> Html {
    let texts = page.texts();
    let view = &props.timeline.view;
    let end = props.timeline.end(props.clock.micros);
    html! {
        <>
            if props.ready && !view.live {
                <button class="tool present" onclick={page.on(Action::Travel(end))}>
                    { texts.to_present }
                </button>
            }
            if !view.branches.is_empty() {
                <Menu
                    label={texts.branches}
                    picture={Icon::Branch}
                    text={view.branches.len().to_string()}
                >
                    { for (0u32..).zip(&view.branches).map(|(index, (from, end))| html! {
                        <li>
                            <button role="menuitem" onclick={page.on(Action::TakeUp(index))}>
                                <b>{ fill(texts.branch, &[&clock::stopwatch(*from)]) }</b>
                                <span>{ fill(texts.branch_end, &[&clock::stopwatch(*end)]) }</span>
                            </button>
                        </li>
                    }) }
                </Menu>
            }
        </>
    }
}
