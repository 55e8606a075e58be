//! The middle of the page: the cluster, in one of several views.

use super::flow::FlowView;
use super::icon::{Icon, icon};
use super::objects::ObjectsView;
use super::packets::PacketList;
use super::registry::RegistryView;
use super::resources::ResourcesView;
use super::rights::RightsView;
use super::rules::RulesView;
use super::topology::Topology;
use crate::context::{Action, Setting, Stage, use_page};
use crate::dom;
use crate::traffic::Traffic;
use naru_cluster::view::Study;
use naru_web::i18n::Texts;
use naru_web::protocol::{ObjectRef, StudyPage, TablePage, TableRef};
use naru_web::store::Store;
use naru_web::usage::Usage;
use std::rc::Rc;
use yew::prelude::*;

#[derive(Clone, PartialEq, Properties)]
pub struct StagePanelProps {
    pub stage: Stage,
    pub store: Rc<Store>,
    pub traffic: Rc<Traffic>,
    pub selected: Option<ObjectRef>,
    /// The store's.
    pub revision: u64,
    /// The clock, in microseconds.
    pub now: u64,
    pub show_system: bool,
    pub details_open: bool,
    pub table_of: TableRef,
    pub table: Option<Rc<TablePage>>,
    /// What the rules are of.
    pub rules_of: Study,
    pub study: Option<Rc<StudyPage>>,
    pub usage: Rc<Usage>,
    /// The object that the lesson speaks of.
    pub pointed: Option<ObjectRef>,
    /// The lesson's step that leads to something.
    pub step: Option<u32>,
}

/// The name and the picture of a view.
fn face(stage: Stage, texts: &'static Texts) -> (&'static str, Icon) {
    match stage {
        Stage::Picture => (texts.stage_picture, Icon::Houses),
        Stage::Objects => (texts.stage_objects, Icon::Table),
        Stage::Flow => (texts.stage_flow, Icon::Flow),
        Stage::Packets => (texts.packets, Icon::Letter),
        Stage::Resources => (texts.stage_resources, Icon::Bars),
        Stage::Registry => (texts.stage_registry, Icon::Key),
        Stage::Rights => (texts.stage_rights, Icon::Shield),
        Stage::Rules => (texts.stage_rules, Icon::Chain),
    }
}

/// The id of a view's tab.
fn id_of(stage: Stage) -> &'static str {
    match stage {
        Stage::Picture => "stage-picture",
        Stage::Objects => "stage-objects",
        Stage::Flow => "stage-flow",
        Stage::Packets => "stage-packets",
        Stage::Resources => "stage-resources",
        Stage::Registry => "stage-registry",
        Stage::Rights => "stage-rights",
        Stage::Rules => "stage-rules",
    }
}

/// The view and its bar.
#[component]
pub fn StagePanel(props: &StagePanelProps) -> Html {
    let page = use_page();
    let onkeydown = {
        let act = page.act.clone();
        let is_selected = props.selected.is_some();
        Callback::from(move |event: KeyboardEvent| {
            if event.key() == "Escape" && is_selected {
                act.emit(Action::Select(None));
            }
        })
    };
    html! {
        <section
            class="topology panel"
            data-testid="stage"
            data-region="topology"
            tabindex="-1"
            aria-label={page.texts().tab_cluster}
            {onkeydown}
        >
            <Bar
                stage={props.stage}
                show_system={props.show_system}
                details_open={props.details_open}
            />
            <div
                class="stage"
                id="stage"
                role="tabpanel"
                aria-labelledby={id_of(props.stage)}
            >
                { view(props) }
            </div>
        </section>
    }
}

fn view(props: &StagePanelProps) -> Html {
    match props.stage {
        Stage::Picture => html! {
            <Topology
                store={props.store.clone()}
                traffic={props.traffic.clone()}
                selected={props.selected.clone()}
                pointed={props.pointed.clone()}
                revision={props.revision}
                show_system={props.show_system}
                step={props.step}
            />
        },
        Stage::Objects => html! {
            <ObjectsView
                of={props.table_of.clone()}
                table={props.table.clone()}
                selected={props.selected.clone()}
            />
        },
        Stage::Flow => html! { <FlowView store={props.store.clone()} /> },
        Stage::Packets => html! {
            <PacketList store={props.store.clone()} trip={props.traffic.trip.clone()} />
        },
        Stage::Resources => html! {
            <ResourcesView
                store={props.store.clone()}
                selected={props.selected.clone()}
                usage={props.usage.clone()}
            />
        },
        Stage::Registry => html! { <RegistryView study={props.study.clone()} /> },
        Stage::Rights => html! { <RightsView study={props.study.clone()} /> },
        Stage::Rules => html! {
            <RulesView
                store={props.store.clone()}
                of={props.rules_of.clone()}
                study={props.study.clone()}
            />
        },
    }
}

#[derive(Clone, PartialEq, Properties)]
struct BarProps {
    stage: Stage,
    show_system: bool,
    details_open: bool,
}

#[component]
fn Bar(props: &BarProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let onkeydown = {
        let (act, stage) = (page.act.clone(), props.stage);
        Callback::from(move |event: KeyboardEvent| {
            let here = Stage::ALL.iter().position(|it| *it == stage).unwrap_or(0);
            let count = Stage::ALL.len();
            let next = match event.key().as_str() {
                "ArrowRight" => (here + 1) % count,
                "ArrowLeft" => (here + count - 1) % count,
                _ => return,
            };
            event.prevent_default();
            if let Some(stage) = Stage::ALL.get(next) {
                act.emit(Action::Stage(*stage));
                dom::focus(id_of(*stage));
            }
        })
    };
    html! {
        <div class="bar">
            <div class="tabs" role="tablist" aria-label={texts.tab_cluster} {onkeydown}>
                { for Stage::ALL.into_iter().map(|stage| {
                    let (label, picture) = face(stage, texts);
                    let chosen = stage == props.stage;
                    html! {
                        <button
                            id={id_of(stage)}
                            role="tab"
                            aria-selected={chosen.to_string()}
                            aria-controls="stage"
                            tabindex={if chosen { "0" } else { "-1" }}
                            onclick={page.on(Action::Stage(stage))}
                        >
                            { icon(picture) }<span>{ label }</span>
                        </button>
                    }
                }) }
            </div>
            <div class="bar-tools">
                if props.stage == Stage::Picture {
                    <button
                        class="tool"
                        aria-pressed={props.show_system.to_string()}
                        onclick={page.on(Action::Set(Setting::ShowSystem(!props.show_system)))}
                    >
                        { texts.show_system }
                    </button>
                }
                <button
                    class="tool wide-only"
                    aria-pressed={props.details_open.to_string()}
                    aria-label={texts.details}
                    title={texts.details}
                    onclick={page.on(Action::ToggleDetails)}
                >
                    { icon(Icon::Glass) }<span>{ texts.details }</span>
                </button>
            </div>
        </div>
    }
}
