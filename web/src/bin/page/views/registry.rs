//! The keys of etcd: below which prefix they lie, and what each key holds and has held.

use super::details::{Changes, Yaml};
use crate::context::{Action, Page, use_page};
use naru_cluster::view::{KeyView, RegistryEntry, RegistryView as Registry, Study, StudyView};
use naru_web::clock;
use naru_web::i18n::fill;
use naru_web::protocol::StudyPage;
use std::rc::Rc;
use yew::prelude::*;

/// Where all keys begin.
pub const ROOT: &str = "/registry/";

#[derive(Clone, PartialEq, Properties)]
pub struct RegistryViewProps {
    pub study: Option<Rc<StudyPage>>,
}

/// Keys on the left, one of them on the right.
#[component]
pub fn RegistryView(props: &RegistryViewProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let found = props.study.as_ref().and_then(|study| match &study.view {
        StudyView::Registry(registry) => Some(registry),
        _ => None,
    });
    let Some(registry) = found else {
        return html! { <p class="empty padded" role="status">{ texts.loading_objects }</p> };
    };
    let [revision, compacted] = [registry.revision, registry.compacted].map(|it| it.to_string());
    html! {
        <div class="registry" data-testid="registry">
            <div class="registry-keys">
                { trail(registry, &page) }
                <ul>
                    { for registry.entries.iter().map(|entry| row(entry, registry, &page)) }
                </ul>
                if registry.more > 0 {
                    <p class="empty">{ fill(texts.more_objects, &[&registry.more.to_string()]) }</p>
                }
                <p class="registry-foot">{ fill(texts.registry_revision, &[&revision, &compacted]) }</p>
            </div>
            <div class="registry-key" tabindex="0" role="group" aria-label={texts.key_value}>
                if let Some(key) = &registry.key {
                    { closely(key, &page) }
                } else {
                    <p class="empty">{ texts.choose_key }</p>
                    <p class="empty">{ texts.registry_hint }</p>
                }
            </div>
        </div>
    }
}

fn look(prefix: &str, key: &str) -> Action {
    Action::Study(Study::Registry { prefix: prefix.to_owned(), key: key.to_owned() })
}

/// The steps from the root to where one is.
fn trail(registry: &Registry, page: &Page) -> Html {
    let mut steps = Vec::new();
    let mut path = String::new();
    for step in registry.prefix.split_inclusive('/') {
        path.push_str(step);
        // The first slash alone is no place.
        if path.len() > 1 {
            steps.push((step.to_owned(), path.clone()));
        }
    }
    let last = steps.len().saturating_sub(1);
    let key = registry.key.as_ref().map(|key| key.key.clone()).unwrap_or_default();
    html! {
        <nav class="registry-trail" aria-label={page.texts().registry_path}>
            { "/" }
            { for steps.into_iter().enumerate().map(|(index, (step, path))| html! {
                if index == last {
                    <b aria-current="true">{ step }</b>
                } else {
                    <button class="link" onclick={page.on(look(&path, &key))}>{ step }</button>
                }
            }) }
        </nav>
    }
}

fn row(entry: &RegistryEntry, registry: &Registry, page: &Page) -> Html {
    let texts = page.texts();
    let name = entry.path.strip_prefix(&registry.prefix).unwrap_or(&entry.path).to_owned();
    let is_folder = entry.path.ends_with('/');
    let chosen = registry.key.as_ref().is_some_and(|key| key.key == entry.path);
    let key = registry.key.as_ref().map(|key| key.key.as_str()).unwrap_or_default();
    let action = match is_folder {
        true => look(&entry.path, key),
        false => look(&registry.prefix, &entry.path),
    };
    html! {
        <li key={entry.path.clone()}>
            <button
                class={classes!("registry-entry", is_folder.then_some("folder"))}
                aria-current={chosen.then_some("true")}
                onclick={page.on(action)}
            >
                <code>{ name }</code>
                <span class="count">
                    if is_folder {
                        { fill(texts.registry_keys, &[&entry.keys.to_string()]) }{ " · " }
                    }
                    { format!("@{}", entry.modified) }
                </span>
            </button>
        </li>
    }
}

/// One key: its revisions, its value, and how it came to that.
fn closely(key: &KeyView, page: &Page) -> Html {
    let texts = page.texts();
    let fact = |name: &'static str, value: u64, field: &'static str| {
        html! { <div><dt>{ name }</dt><dd>{ value }<code>{ field }</code></dd></div> }
    };
    html! {
        <>
            <h3><code>{ &key.key }</code></h3>
            if key.value.is_empty() {
                <p class="gone-notice" role="status">{ texts.key_gone }</p>
            } else {
                <dl class="key-facts">
                    { fact(texts.key_created, key.created, "create_revision") }
                    { fact(texts.key_modified, key.modified, "mod_revision") }
                    { fact(texts.key_version, key.version, "version") }
                </dl>
                if let Some(expires) = key.expires {
                    <p>{ fill(texts.key_expires, &[&clock::moment(expires)]) }</p>
                }
            }
            <h4>{ texts.key_changes }</h4>
            <Changes revisions={Rc::new(key.revisions.clone())} />
            if !key.value.is_empty() {
                <h4>{ texts.key_value }</h4>
                <Yaml text={key.value.clone()} />
            }
        </>
    }
}
