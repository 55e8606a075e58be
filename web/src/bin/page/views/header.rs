//! The top of the page: name, what can be kept and shared, language, light and dark.

use super::icon::{Icon, icon};
use super::menu::Menu;
use crate::context::{Action, Page, Setting, use_page};
use crate::dom;
use naru_web::i18n::Language;
use naru_web::protocol::Booted;
use naru_web::query::Theme;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

#[derive(Clone, PartialEq, Properties)]
pub struct HeaderProps {
    pub booted: Option<Rc<Booted>>,
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
            <div class="tools">
                <button
                    class="tool"
                    title={texts.restart_hint}
                    aria-label={texts.restart}
                    onclick={page.on(Action::Restart)}
                >
                    { icon(Icon::Restart) }
                    <span class="wide-only">{ texts.restart }</span>
                </button>
                if !props.embed {
                    if let Some(booted) = &props.booted {
                        <Menu label={texts.keep_and_share} picture={Icon::Share}>
                            { share(&page, booted) }
                        </Menu>
                    }
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

/// What can be done with a session besides living it.
fn share(page: &Page, booted: &Booted) -> Html {
    let texts = page.texts();
    let seed = booted.seed.to_string();
    let link = match &booted.lesson {
        Some(lesson) => dom::link(&[("lesson", &lesson.slug)]),
        None => dom::link(&[("profile", &booted.profile), ("seed", &seed)]),
    };
    let item = |action: Action, label: &'static str, hint: &'static str| {
        html! {
            <li>
                <button role="menuitem" onclick={page.on(action)}>
                    <b>{ label }</b>
                    <span>{ hint }</span>
                </button>
            </li>
        }
    };
    html! {
        <>
            { item(Action::Copy(link), texts.share_link, texts.share_link_hint) }
            { item(Action::Export, texts.export, texts.export_hint) }
            { item(Action::Import, texts.import, texts.import_hint) }
            { item(Action::ExportManifests, texts.export_manifests, texts.export_manifests_hint) }
        </>
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
