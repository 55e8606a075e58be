//! The object looked at: what state it is in and why, its YAML, how it changed, and what kubectl
//! says of it.

use super::charts::Charts;
use super::condition_lines::ConditionLines;
use super::icon::{Icon, icon};
use super::words::words;
use crate::context::{Action, Answer, Details, Page, use_page};
use naru_cluster::view::{
    ConditionView, DecisionView, EventView, Inspection, LineView, OwnerView, RevisionView, Study,
    WorkloadView,
};
use naru_web::chronicle::Chronicle;
use naru_web::clock;
use naru_web::i18n::fill;
use naru_web::protocol::{Call, ObjectRef, Reply};
use naru_web::store::Store;
use std::rc::Rc;
use web_sys::Element;
use yew::prelude::*;

#[derive(Clone, PartialEq, Properties)]
pub struct DetailsPanelProps {
    pub open: bool,
    pub details: Details,
    pub selected: Option<ObjectRef>,
    pub inspection: Option<Rc<Inspection>>,
    /// The object is no longer there.
    pub gone: bool,
    pub store: Rc<Store>,
    /// Grows with the cluster's time, now and then: what is told as of now is asked for anew.
    pub seconds: u64,
    /// What was seen of the object over time.
    pub chronicle: Rc<Chronicle>,
}

/// The length of [`DetailsPanelProps::seconds`], in microseconds.
pub const SECONDS: u64 = 2_000_000;

/// The panel of details.
#[component]
pub fn DetailsPanel(props: &DetailsPanelProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let content = use_node_ref();
    {
        // Something else is read from its beginning.
        let content = content.clone();
        use_effect_with((props.selected.clone(), props.details), move |_| {
            if let Some(content) = content.cast::<Element>() {
                content.set_scroll_top(0);
            }
        });
    }
    html! {
        <section
            class="details panel"
            data-region="details"
            tabindex="-1"
            aria-label={texts.details}
        >
            <div class="bar">
                { tabs(props, &page) }
                <button
                    class="tool"
                    aria-label={texts.close}
                    title={texts.close}
                    onclick={page.on(Action::ToggleDetails)}
                >
                    { icon(Icon::Close) }
                </button>
            </div>
            <div class="details-content" id="details-content" role="tabpanel" tabindex="0" aria-label={texts.details} ref={content}>
                if props.open { <ObjectDetails ..props.clone() /> }
            </div>
        </section>
    }
}

fn tabs(props: &DetailsPanelProps, page: &Page) -> Html {
    let texts = page.texts();
    let has_logs = props.selected.as_ref().is_some_and(|it| it.kind == "Pod");
    let tabs = [
        (Details::Overview, texts.overview),
        (Details::Yaml, texts.yaml),
        (Details::History, texts.history),
        (Details::Describe, "describe"),
        (Details::Logs, "logs"),
    ];
    let shown = tabs.into_iter().filter(|(it, _)| *it != Details::Logs || has_logs);
    html! {
        <div class="tabs" role="tablist" aria-label={texts.details}>
            { for shown.map(|(details, label)| html! {
                <button
                    role="tab"
                    aria-selected={(details == props.details).to_string()}
                    aria-controls="details-content"
                    onclick={page.on(Action::Details(details))}
                >
                    { label }
                </button>
            }) }
        </div>
    }
}

#[component]
fn ObjectDetails(props: &DetailsPanelProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let Some(selected) = &props.selected else {
        return html! { <p class="empty">{ texts.nothing_selected }</p> };
    };
    let body = match (&props.inspection, props.details) {
        (_, Details::Describe) => spoken("describe", selected, props.seconds),
        (_, Details::Logs) => spoken("logs", selected, props.seconds),
        (None, _) => Html::default(),
        (Some(inspection), Details::Overview) => overview(inspection, props, &page),
        (Some(inspection), Details::Yaml) => html! { <Yaml text={inspection.yaml.clone()} /> },
        (Some(inspection), Details::History) => html! {
            <Changes revisions={Rc::new(inspection.revisions.clone())} />
        },
    };
    html! {
        <>
            <div class="object-head">
                <p class="kind">{ &selected.kind }</p>
                <h3>{ &selected.name }</h3>
                if !selected.namespace.is_empty() {
                    <p class="namespace">{ &selected.namespace }</p>
                }
                if props.gone {
                    <p class="gone-notice" role="status">{ texts.object_gone }</p>
                }
                if !props.gone {
                    { object_tools(selected, &page) }
                }
            </div>
            { body }
        </>
    }
}

/// What one can do to an object.
fn object_tools(object: &ObjectRef, page: &Page) -> Html {
    let texts = page.texts();
    let fault = |words: String, label: String| {
        html! {
            <button class="tool" title={format!("naru fault {words}")} onclick={page.on(Action::Fault(words))}>
                { icon(Icon::Bolt) }{ label }
            </button>
        }
    };
    let ObjectRef { name, namespace, .. } = object;
    let tools = match object.kind.as_str() {
        "Pod" => {
            let shell = format!("kubectl exec -it {name} -n {namespace} -- sh");
            html! {
                <>
                    <button class="tool" title={shell.clone()} onclick={page.on(Action::Run(shell))}>
                        { icon(Icon::Prompt) }{ texts.open_shell }
                    </button>
                    { fault(format!("crash pod/{name} -n {namespace}"), texts.fault_crash.to_owned()) }
                    { fault(format!("fill pod/{name} -n {namespace}"), texts.fault_fill.to_owned()) }
                </>
            }
        }
        "Node" => html! {
            <>
                { fault(format!("stop node/{name}"), fill(texts.fault_stop, &[name])) }
                { fault(format!("cut {name}"), fill(texts.fault_cut, &[name])) }
                { fault(format!("fill node/{name}"), texts.fault_fill.to_owned()) }
            </>
        },
        "Service" => {
            let (namespace, name) = (namespace.clone(), name.clone());
            let rules = Study::Chains { namespace, name, node: String::new() };
            html! {
                <button class="tool" data-testid="to-rules" onclick={page.on(Action::Study(rules))}>
                    { icon(Icon::Chain) }{ texts.rules_of_service }
                </button>
            }
        }
        _ => return Html::default(),
    };
    html! { <div class="object-tools">{ tools }</div> }
}

fn overview(inspection: &Inspection, props: &DetailsPanelProps, page: &Page) -> Html {
    let texts = page.texts();
    let chronicle = &props.chronicle;
    let (start, now) = (chronicle.start().unwrap_or(0), props.seconds * SECONDS);
    let now = now.max(start + 1);
    html! {
        <>
            if !chronicle.charts.is_empty() {
                <Charts charts={Rc::new(chronicle.charts.clone())} {start} {now} />
            }
            if !inspection.conditions.is_empty() {
                <h4>{ texts.conditions }</h4>
                { conditions(&inspection.conditions) }
                if !chronicle.conditions.is_empty() {
                    <h4>{ texts.conditions_over_time }</h4>
                    <ConditionLines lines={Rc::new(chronicle.conditions.clone())} {start} {now} />
                }
            }
            if !inspection.owners.is_empty() {
                <h4>{ texts.owner }</h4>
                <Owners owners={inspection.owners.clone()} namespace={inspection.namespace.clone()} />
            }
            if inspection.kind == "Deployment" {
                <h4>{ texts.rollout }</h4>
                { rollout(inspection, &props.store, page) }
            }
            if let Some(found) = &inspection.decision {
                <h4>{ texts.decision }</h4>
                { decision(found, page) }
            }
            <h4>{ texts.events }</h4>
            <Events events={inspection.events.clone()} />
            if !inspection.why.is_empty() {
                <h4>{ texts.why }</h4>
                <ol class="why">
                    { for inspection.why.iter().rev().map(|cause| html! {
                        <li>
                            <b>{ &cause.actor }</b>
                            // A command says itself what it does.
                            if cause.verb != "run" {
                                <span class="verb">{ &cause.verb }</span>
                            }
                            <code>{ words(&cause.subject) }</code>
                        </li>
                    }) }
                </ol>
            }
        </>
    }
}

/// Whether it is well that a condition is what it is. Some speak of trouble: well is that they are false.
fn mood(condition: &ConditionView) -> Option<&'static str> {
    const OF_TROUBLE: [&str; 8] = [
        "Pressure",
        "Unavailable",
        "Failure",
        "Failed",
        "Target",
        "Limited",
        "Remaining",
        "Suspended",
    ];
    let of_trouble = OF_TROUBLE.iter().any(|it| condition.kind.ends_with(it));
    match condition.status.as_str() {
        // A pod that has done its work is not ready any more, nor need it be.
        _ if condition.reason == "PodCompleted" => None,
        "True" => Some(if of_trouble { "bad" } else { "good" }),
        "False" => Some(if of_trouble { "good" } else { "bad" }),
        _ => None,
    }
}

fn conditions(conditions: &[ConditionView]) -> Html {
    html! {
        <ul class="conditions" data-testid="conditions">
            { for conditions.iter().map(|it| html! {
                <li class={classes!("condition", mood(it))}>
                    <p>
                        <b>{ &it.kind }</b>
                        <span class="condition-status">{ &it.status }</span>
                        <span class="moment" title={it.since.clone()}>{ time_of_day(&it.since) }</span>
                    </p>
                    if !it.reason.is_empty() {
                        <p class="condition-why"><b>{ &it.reason }</b>{ " " }{ &it.message }</p>
                    }
                </li>
            }) }
        </ul>
    }
}

/// The ReplicaSets of a Deployment, the newest first: one grows while another shrinks.
fn rollout(inspection: &Inspection, store: &Store, page: &Page) -> Html {
    let texts = page.texts();
    let is_owned = |it: &&Rc<WorkloadView>| {
        it.kind == "ReplicaSet"
            && it.namespace == inspection.namespace
            && it.owner.as_ref().is_some_and(|owner| owner.name == inspection.name)
    };
    let mut sets: Vec<&Rc<WorkloadView>> = store.workloads.values().filter(is_owned).collect();
    sets.sort_by_key(|set| (std::cmp::Reverse(set.created_micros), &set.name));
    let most = sets.iter().map(|set| set.desired.max(set.ready)).max().unwrap_or(1).max(1);
    let share = |count: u32| 100.0 * f64::from(count) / f64::from(most);
    html! {
        <ul class="rollout" data-testid="rollout">
            { for sets.into_iter().map(|set| {
                let object = ObjectRef {
                    kind: set.kind.clone(),
                    namespace: set.namespace.clone(),
                    name: set.name.clone(),
                };
                let label = fill(texts.ready_of, &[&set.ready.to_string(), &set.desired.to_string()]);
                html! {
                    <li key={set.uid.clone()}>
                        <p>
                            <button class="link" onclick={page.on(Action::Select(Some(object)))}>
                                { &set.name }
                            </button>
                            <span class="moment">{ clock::moment(set.created_micros) }</span>
                        </p>
                        <p class="rollout-image"><code>{ set.images.join(", ") }</code><span>{ label.clone() }</span></p>
                        <div class="rollout-bar" role="img" aria-label={label}>
                            <span class="wanted" style={format!("width: {:.1}%", share(set.desired))} />
                            <span class="there" style={format!("width: {:.1}%", share(set.ready))} />
                        </div>
                    </li>
                }
            }) }
        </ul>
    }
}

/// `00:01:02` of `2025-06-02T00:01:02Z`.
fn time_of_day(stamp: &str) -> &str {
    stamp.split_once('T').map_or(stamp, |(_, time)| time.trim_end_matches('Z'))
}

/// How the scheduler chose a node: what filters took out, and the points of the others.
fn decision(decision: &DecisionView, page: &Page) -> Html {
    let texts = page.texts();
    let plugins = decision.scores.first().map(|it| it.plugins.clone()).unwrap_or_default();
    let chosen = |node: &str| decision.chosen.as_deref() == Some(node);
    html! {
        <div class="decision" data-testid="decision">
            <p>
                { match &decision.chosen {
                    Some(node) => fill(texts.decided, &[node]),
                    None => fill(texts.undecided, &[&decision.message]),
                } }
                <span class="moment">{ clock::moment(decision.micros) }</span>
            </p>
            if !decision.filtered.is_empty() {
                <p class="decision-title">{ texts.filtered }</p>
                <ul class="filtered">
                    { for decision.filtered.iter().map(|(node, plugin, why)| html! {
                        <li><b>{ node }</b><span class="plugin">{ plugin }</span><p>{ why }</p></li>
                    }) }
                </ul>
            }
            if !plugins.is_empty() {
                <table class="scores">
                    <caption>{ texts.scores }</caption>
                    <thead>
                        <tr>
                            <td></td>
                            { for decision.scores.iter().map(|it| html! {
                                <th scope="col" class={classes!(chosen(&it.node).then_some("chosen"))}>{ &it.node }</th>
                            }) }
                        </tr>
                    </thead>
                    <tbody>
                        { for plugins.iter().enumerate().map(|(i, (plugin, _))| html! {
                            <tr>
                                <th scope="row">{ plugin }</th>
                                { for decision.scores.iter().map(|it| html! {
                                    <td>{ it.plugins.get(i).map(|(_, points)| *points) }</td>
                                }) }
                            </tr>
                        }) }
                        <tr class="total">
                            <th scope="row">{ texts.total }</th>
                            { for decision.scores.iter().map(|it| html! {
                                <td class={classes!(chosen(&it.node).then_some("chosen"))}>{ it.total }</td>
                            }) }
                        </tr>
                    </tbody>
                </table>
            }
        </div>
    }
}

/// What a command of kubectl prints of an object.
fn spoken(verb: &'static str, object: &ObjectRef, seconds: u64) -> Html {
    let mut command = match verb {
        "logs" => format!("kubectl logs {} --all-containers --tail=300", object.name),
        _ => format!("kubectl {verb} {} {}", object.kind.to_lowercase(), object.name),
    };
    if !object.namespace.is_empty() {
        command.push_str(&format!(" -n {}", object.namespace));
    }
    html! { <Spoken key={command.clone()} command={command.clone()} {seconds} /> }
}

#[derive(Clone, PartialEq, Properties)]
struct SpokenProps {
    command: String,
    seconds: u64,
}

#[component]
fn Spoken(props: &SpokenProps) -> Html {
    let page = use_page();
    let text = use_state(String::new);
    {
        let (text, page) = (text.clone(), page.clone());
        use_effect_with((props.command.clone(), props.seconds), move |(command, _)| {
            let answer = Callback::from(move |answer: Answer| {
                if let Ok(Reply::Exec { stdout, stderr, .. }) = answer {
                    text.set(stdout + &stderr);
                }
            });
            page.ask(Call::Peek(command.clone()), answer);
        });
    }
    html! {
        <div class="spoken">
            <p class="spoken-command">
                <code>{ words(&format!("$ {}", props.command)) }</code>
                <button
                    class="tool"
                    aria-label={page.texts().run_this}
                    title={page.texts().run_this}
                    onclick={page.on(Action::Run(props.command.clone()))}
                >
                    { icon(Icon::Run) }
                </button>
            </p>
            <pre tabindex="0" data-testid="spoken">{ (*text).clone() }</pre>
        </div>
    }
}

#[derive(Clone, PartialEq, Properties)]
pub struct ChangesProps {
    pub revisions: Rc<Vec<RevisionView>>,
    /// The newest is open at first.
    #[prop_or_default]
    pub newest: bool,
}

/// How objects changed, the latest first.
#[component]
pub fn Changes(props: &ChangesProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    if props.revisions.is_empty() {
        return html! { <p class="empty">{ texts.no_changes }</p> };
    }
    html! {
        <ol class="changes" data-testid="changes">
            { for props.revisions.iter().rev().enumerate().map(|(i, revision)| html! {
                <li key={revision.revision}>
                    <details open={props.newest || i == 0}>
                        <summary>
                            <b>{ fill(texts.revision_of, &[&revision.revision.to_string()]) }</b>
                            if let Some(cause) = &revision.cause {
                                <span class="moment">{ clock::moment(cause.micros) }</span>
                                <span>{ &cause.actor }</span>
                                <span class="verb">{ &cause.verb }</span>
                                <code>{ &cause.subject }</code>
                            } else {
                                <code>{ &revision.subject }</code>
                            }
                        </summary>
                        <pre class="diff" tabindex="0">{ for revision.lines.iter().map(|it| diff_line(it, texts.lines_skipped)) }</pre>
                    </details>
                </li>
            }) }
        </ol>
    }
}

fn diff_line(line: &LineView, skipped: &str) -> Html {
    match line {
        LineView::Same(text) => html! { <span class="same">{ format!("  {text}\n") }</span> },
        LineView::Gone(text) => html! { <del>{ format!("- {text}\n") }</del> },
        LineView::New(text) => html! { <ins>{ format!("+ {text}\n") }</ins> },
        LineView::Skipped(count) => {
            html! { <span class="skipped">{ format!("{}\n", fill(skipped, &[&count.to_string()])) }</span> }
        }
    }
}

#[derive(Clone, PartialEq, Properties)]
struct OwnersProps {
    owners: Vec<OwnerView>,
    namespace: String,
}

/// From the object's controller up to the topmost.
#[component]
fn Owners(props: &OwnersProps) -> Html {
    let page = use_page();
    html! {
        <ol class="owners">
            { for props.owners.iter().map(|owner| {
                let object = ObjectRef {
                    kind: owner.kind.clone(),
                    namespace: props.namespace.clone(),
                    name: owner.name.clone(),
                };
                html! {
                    <li>
                        <button class="link" onclick={page.on(Action::Select(Some(object)))}>
                            { format!("{}/{}", owner.kind, owner.name) }
                        </button>
                    </li>
                }
            }) }
        </ol>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct EventsProps {
    events: Vec<EventView>,
}

#[component]
fn Events(props: &EventsProps) -> Html {
    let page = use_page();
    if props.events.is_empty() {
        return html! { <p class="empty">{ page.texts().no_events }</p> };
    }
    html! {
        <ol class="events">
            { for props.events.iter().map(|event| html! {
                <li class={classes!((event.kind == "Warning").then_some("warning"))}>
                    <p class="event-head">
                        <b>{ &event.reason }</b>
                        if event.count > 1 {
                            <span class="count">{ format!("×{}", event.count) }</span>
                        }
                        <span class="moment">{ clock::moment(event.micros) }</span>
                    </p>
                    <p>{ &event.message }</p>
                    <p class="from">{ &event.from }</p>
                </li>
            }) }
        </ol>
    }
}

#[derive(Clone, PartialEq, Properties)]
pub struct YamlProps {
    pub text: String,
}

/// YAML with its keys set apart.
#[component]
pub fn Yaml(props: &YamlProps) -> Html {
    let page = use_page();
    html! {
        <div class="yaml">
            <button
                class="tool"
                aria-label={page.texts().copy}
                title={page.texts().copy}
                onclick={page.on(Action::Copy(props.text.clone()))}
            >
                { icon(Icon::Copy) }
            </button>
            <pre tabindex="0" data-testid="yaml">
                <code>{ for props.text.lines().map(yaml_line) }</code>
            </pre>
        </div>
    }
}

/// A line of YAML: what is before its first `: ` is a key.
fn yaml_line(line: &str) -> Html {
    let body = line.trim_start_matches([' ', '-']);
    let (indent, body) = line.split_at(line.len() - body.len());
    let is_key = |text: &str| !text.is_empty() && !text.contains([' ', '"', '\'', '{']);
    match body.split_once(':') {
        Some((key, value)) if is_key(key) && (value.is_empty() || value.starts_with(' ')) => {
            html! {
                <>{ indent }<span class="key">{ key }</span>{ ":" }<span class="value">{ value }</span>{ "\n" }</>
            }
        }
        _ => html! { <>{ indent }<span class="value">{ body }</span>{ "\n" }</> },
    }
}
