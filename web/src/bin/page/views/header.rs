//! The top of the page: name, time, language, light and dark.

use super::icon::{Icon, icon};
use crate::context::{Action, Setting, use_page};
use naru_cluster::view::ClockView;
use naru_web::clock;
use naru_web::i18n::{Language, fill};
use naru_web::protocol::Speed;
use naru_web::query::Theme;
use wasm_bindgen::JsCast;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

/// The speeds offered.
const SPEEDS: [u32; 3] = [1, 10, 60];

#[derive(Clone, PartialEq, Properties)]
pub struct HeaderProps {
    pub clock: ClockView,
    pub speed: Speed,
    pub ready: bool,
    pub theme: Theme,
    pub embed: bool,
}

/// The top of the page.
#[component]
pub fn Header(props: &HeaderProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let (other_theme, theme_icon) = match props.theme {
        Theme::Light => (texts.theme_dark, Icon::Moon),
        Theme::Dark => (texts.theme_light, Icon::Sun),
    };
    html! {
        <header class="header" data-region="header" tabindex="-1">
            <div class="brand">
                { mark() }
                <h1>{ texts.title }</h1>
                <p class="tagline">{ texts.tagline }</p>
            </div>
            <TimeBar clock={props.clock} speed={props.speed} ready={props.ready} />
            <div class="tools">
                <button
                    class="tool"
                    title={texts.restart_hint}
                    onclick={page.on(Action::Restart)}
                >
                    { icon(Icon::Restart) }
                    <span class="wide-only">{ texts.restart }</span>
                </button>
                if !props.embed {
                    <LanguageChoice />
                    <button
                        class="tool"
                        title={other_theme}
                        aria-label={other_theme}
                        onclick={page.on(Action::Set(Setting::OtherTheme))}
                    >
                        { icon(theme_icon) }
                    </button>
                }
            </div>
        </header>
    }
}

/// The mark: a boat at a landing.
fn mark() -> Html {
    html! {
        <svg class="mark" viewBox="0 0 64 64" width="34" height="34" aria-hidden="true">
            <rect class="mark-ground" width="64" height="64" rx="18" />
            <path class="mark-landing" d="M12 27h40M20 27v-9M44 27v-9" />
            <path class="mark-boat" d="M13 36h38c-2 8-8 12-19 12s-17-4-19-12z" />
            <path class="mark-water" d="M10 55c5-3 9-3 14 0s10 3 15 0 10-3 15 0" />
        </svg>
    }
}

#[component]
fn LanguageChoice() -> Html {
    let page = use_page();
    let onchange = {
        let act = page.act.clone();
        Callback::from(move |event: Event| {
            let select = event.target().and_then(|it| it.dyn_into::<HtmlSelectElement>().ok());
            let language = select.and_then(|select| Language::of_tag(&select.value()));
            if let Some(language) = language {
                act.emit(Action::Set(Setting::Language(language)));
            }
        })
    };
    html! {
        <select class="tool" aria-label={page.texts().language} {onchange}>
            { for Language::ALL.into_iter().map(|language| html! {
                <option
                    value={language.tag()}
                    lang={language.tag()}
                    selected={language == page.language}
                >
                    { language.name() }
                </option>
            }) }
        </select>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct TimeBarProps {
    clock: ClockView,
    speed: Speed,
    ready: bool,
}

#[component]
fn TimeBar(props: &TimeBarProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let choice = |speed: Speed, label: Html, title: String| {
        let chosen = speed == props.speed;
        html! {
            <button
                class={classes!("speed", chosen.then_some("chosen"))}
                aria-pressed={chosen.to_string()}
                aria-label={title.clone()}
                {title}
                disabled={!props.ready}
                onclick={page.on(Action::Speed(speed))}
            >
                { label }
            </button>
        }
    };
    html! {
        <div class="time" role="group" aria-label={texts.time}>
            { choice(Speed::PAUSED, icon(Icon::Pause), texts.pause.to_owned()) }
            { for SPEEDS.into_iter().map(|factor| {
                let label = html! { { format!("{factor}×") } };
                choice(Speed::times(factor), label, fill(texts.speed, &[&factor.to_string()]))
            }) }
            <button
                class="speed"
                title={texts.step}
                aria-label={texts.step}
                disabled={!props.ready}
                onclick={page.on(Action::Step)}
            >
                { icon(Icon::Step) }
            </button>
            <div class="clock" data-testid="clock" title={texts.clock_title}>
                <span class="stopwatch">{ clock::stopwatch(props.clock.micros) }</span>
                <span class="date">
                    if props.ready { { clock::date_time(props.clock.unix_micros) }{ " UTC" } }
                </span>
            </div>
        </div>
    }
}
