//! The bar of a narrow page, where one part is seen at a time.

use super::icon::{Icon, icon};
use crate::context::{Action, Pane, use_page};
use yew::prelude::*;

#[derive(Clone, PartialEq, Properties)]
pub struct TabBarProps {
    pub pane: Pane,
    /// Those that are there.
    pub panes: Vec<Pane>,
}

/// The bar.
#[component]
pub fn TabBar(props: &TabBarProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let tab = |pane: Pane| {
        let (label, picture) = match pane {
            Pane::Lesson => (texts.tab_lesson, Icon::Book),
            Pane::Cluster => (texts.tab_cluster, Icon::Houses),
            Pane::Terminal => (texts.tab_terminal, Icon::Prompt),
            Pane::Details => (texts.tab_details, Icon::Glass),
        };
        let current = (pane == props.pane).then_some("page");
        html! {
            <button aria-current={current} onclick={page.on(Action::Pane(pane))}>
                { icon(picture) }
                <span>{ label }</span>
            </button>
        }
    };
    if props.panes.len() < 2 {
        return Html::default();
    }
    html! { <nav class="tab-bar">{ for props.panes.iter().copied().map(tab) }</nav> }
}
