//! The flow: who told whom what, and because of what, as a conversation.

use super::details::Changes;
use super::icon::{Icon, icon};
use super::topology::{fit, fit_code};
use super::words::words;
use crate::context::{Action, Answer, use_page};
use gloo_timers::callback::Interval;
use naru_cluster::view::RevisionView;
use naru_web::clock;
use naru_web::flow::{Diagram, Kind, Lane, Message, diagram, stories};
use naru_web::i18n::{Texts, fill};
use naru_web::protocol::{Call, ObjectRef, Reply};
use naru_web::store::Store;
use std::rc::Rc;
use yew::prelude::*;

/// Stories offered at most.
const STORIES_SHOWN: usize = 60;
/// Between two messages while they are told one after the other, in milliseconds.
const TELL_MS: u32 = 900;
/// Height of a message.
const ROW: f64 = 34.0;
/// Height of the lanes' heads.
const HEAD: f64 = 44.0;
/// Width of a lane at least.
const LANE: f64 = 138.0;

#[derive(Clone, PartialEq, Properties)]
pub struct FlowViewProps {
    pub store: Rc<Store>,
}

/// The stories, and the one that is told.
#[component]
pub fn FlowView(props: &FlowViewProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let chosen = use_state(|| None::<u64>);
    let stories = use_memo(props.store.clone(), |store| stories(store));
    let default = stories.iter().find(|it| it.root.verb == "run").or(stories.first());
    let kept = (*chosen).filter(|id| stories.iter().any(|it| it.root.id == *id));
    let Some(root) = kept.or(default.map(|it| it.root.id)) else {
        return html! { <p class="empty padded">{ texts.no_stories }</p> };
    };
    html! {
        <div class="flow">
            <ol class="stories" aria-label={texts.stories} data-testid="stories">
                { for stories.iter().take(STORIES_SHOWN).map(|story| {
                    let id = story.root.id;
                    let onclick = {
                        let chosen = chosen.clone();
                        Callback::from(move |_: MouseEvent| chosen.set(Some(id)))
                    };
                    let title = match story.root.verb.as_str() {
                        "run" => story.root.subject.clone(),
                        verb => format!("{} {verb} {}", story.root.actor, story.root.subject),
                    };
                    html! {
                        <li key={id}>
                            <button
                                class={classes!("story", (story.root.verb == "run").then_some("own"))}
                                aria-current={(id == root).then_some("true")}
                                {onclick}
                            >
                                <span class="moment">{ clock::moment(story.root.micros) }</span>
                                <code>{ words(&title) }</code>
                                <span class="count">{ fill(texts.effects, &[&story.effects.to_string()]) }</span>
                            </button>
                        </li>
                    }
                }) }
            </ol>
            <Conversation key={root} store={props.store.clone()} {root} />
        </div>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct ConversationProps {
    store: Rc<Store>,
    root: u64,
}

/// One story, told at once or message by message.
#[component]
fn Conversation(props: &ConversationProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let diagram =
        use_memo((props.store.clone(), props.root), |(store, root)| diagram(store, *root));
    // How many messages are told; all, when `None`.
    let told = use_state(|| None::<usize>);
    let playing = use_state(|| false);
    let open = use_state(|| None::<usize>);
    let count = diagram.messages.len();
    {
        let (told, playing) = (told.clone(), playing.clone());
        use_effect_with((*playing, *told), move |(is_playing, now)| {
            let now = now.unwrap_or(0);
            let interval = is_playing.then(|| {
                Interval::new(TELL_MS, move || match now + 1 {
                    next if next >= count => {
                        told.set(None);
                        playing.set(false);
                    }
                    next => told.set(Some(next)),
                })
            });
            move || drop(interval)
        });
    }
    let go = |to: Option<usize>, play: bool| {
        let (told, playing) = (told.clone(), playing.clone());
        Callback::from(move |_: MouseEvent| {
            told.set(to);
            playing.set(play);
        })
    };
    let shown = told.map_or(count, |told| told.min(count));
    let next = (shown < count).then_some(shown + 1).filter(|next| *next < count);
    // While the story is told, what is looked at closely is what was just said.
    let close = open.map(|index| if told.is_some() { shown.saturating_sub(1) } else { index });
    let choose = {
        let open = open.clone();
        Callback::from(move |index: usize| open.set((close != Some(index)).then_some(index)))
    };
    html! {
        <div class="conversation">
            <div class="flow-tools" role="group" aria-label={texts.stage_flow}>
                if *playing {
                    <button class="tool" onclick={go(Some(shown), false)}>
                        { icon(Icon::Pause) }{ texts.pause }
                    </button>
                } else {
                    <button class="tool" onclick={go(Some(told.unwrap_or(1)), true)}>
                        { icon(Icon::Play) }{ texts.tell }
                    </button>
                }
                <button
                    class="tool"
                    disabled={shown <= 1}
                    onclick={go(Some(shown.saturating_sub(1).max(1)), false)}
                >
                    { texts.message_before }
                </button>
                <button class="tool" disabled={shown >= count} onclick={go(next, false)}>
                    { texts.message_after }
                </button>
                <span class="count" role="status">
                    { fill(texts.of_messages, &[&shown.to_string(), &count.to_string()]) }
                </span>
            </div>
            <div class="flow-drawing" tabindex="0" role="group" aria-label={texts.stage_flow}>
                <Drawing
                    diagram={diagram.clone()}
                    {shown}
                    latest={told.is_some()}
                    open={close}
                    onchoose={choose}
                />
            </div>
            if let Some(message) = close.and_then(|index| diagram.messages.get(index)) {
                <MessageDetails key={message.activity.id} message={message.clone()} />
            }
        </div>
    }
}

#[derive(Clone, PartialEq, Properties)]
struct DrawingProps {
    diagram: Rc<Diagram>,
    shown: usize,
    /// The last of the messages shown stands out.
    latest: bool,
    open: Option<usize>,
    onchoose: Callback<usize>,
}

#[component]
fn Drawing(props: &DrawingProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let lanes = &props.diagram.lanes;
    let width = LANE * lanes.len() as f64;
    let height = HEAD + ROW * props.shown as f64 + 20.0;
    let x = |lane: usize| LANE * (lane as f64 + 0.5);
    html! {
        <svg width={width.to_string()} height={height.to_string()} class="sequence" data-testid="sequence">
            { for lanes.iter().enumerate().map(|(i, lane)| {
                let (name, note) = names(lane, texts);
                html! {
                    <g class="lane">
                        <line x1={x(i).to_string()} x2={x(i).to_string()} y1={HEAD.to_string()} y2={height.to_string()} />
                        <rect x={(x(i) - LANE / 2.0 + 5.0).to_string()} y="2" width={(LANE - 10.0).to_string()} height={(HEAD - 6.0).to_string()} rx="9" />
                        <text class="name" x={x(i).to_string()} y={if note.is_empty() { "26" } else { "19" }}>
                            { fit(&name, LANE - 18.0, 11.5) }
                        </text>
                        <text class="note" x={x(i).to_string()} y="33">{ note }</text>
                    </g>
                }
            }) }
            { for props.diagram.messages.iter().take(props.shown).enumerate().map(|(i, message)| {
                let y = HEAD + ROW * (i as f64 + 0.5) + 8.0;
                let latest = props.latest && i + 1 == props.shown;
                let onchoose = props.onchoose.clone();
                html! {
                    <g
                        key={i}
                        class={classes!(
                            "message", class(message.kind), latest.then_some("latest"),
                            (props.open == Some(i)).then_some("open"),
                        )}
                        role="button"
                        tabindex="0"
                        aria-label={spoken(message, lanes, texts)}
                        aria-expanded={(props.open == Some(i)).to_string()}
                        onclick={onchoose.reform(move |_: MouseEvent| i)}
                        onkeydown={on_enter(props.onchoose.clone(), i)}
                    >
                        <title>{ spoken(message, lanes, texts) }</title>
                        { arrow(message, x(message.from), x(message.to), y, width) }
                    </g>
                }
            }) }
        </svg>
    }
}

fn on_enter(choose: Callback<usize>, index: usize) -> Callback<KeyboardEvent> {
    Callback::from(move |event: KeyboardEvent| {
        if matches!(event.key().as_str(), "Enter" | " ") {
            event.prevent_default();
            choose.emit(index);
        }
    })
}

/// A message from lane to lane, or a note beside one's own.
fn arrow(message: &Message, from: f64, to: f64, y: f64, width: f64) -> Html {
    let text = label(message);
    if message.from == message.to {
        let typed = message.kind == Kind::Command;
        let most = if typed { 3.0 * LANE } else { 2.0 * LANE };
        let w =
            (LANE - 8.0).max(text.chars().count() as f64 * 6.75 + 26.0).min(most).min(width - 4.0);
        let text = if typed { fit_code(&text, w - 24.0, 11.0) } else { fit(&text, w - 18.0, 11.0) };
        let x = (from - LANE / 2.0 + 4.0).clamp(2.0, (width - w - 2.0).max(2.0));
        return html! {
            <>
                <rect class="doing" x={x.to_string()} y={(y - 13.0).to_string()} width={w.to_string()} height="24" rx="12" />
                <text x={(x + w / 2.0).to_string()} y={(y + 3.5).to_string()}>{ text }</text>
            </>
        };
    }
    let ahead = if to > from { 1.0 } else { -1.0 };
    let tip = to - 3.0 * ahead;
    let room = (to - from).abs() - 22.0;
    html! {
        <>
            <rect class="hit" x={from.min(to).to_string()} y={(y - ROW / 2.0).to_string()} width={(to - from).abs().to_string()} height={ROW.to_string()} />
            <line class="shaft" x1={from.to_string()} x2={tip.to_string()} y1={(y + 5.0).to_string()} y2={(y + 5.0).to_string()} />
            <path class="tip" d={format!("M{tip} {}l{} -5v10z", y + 5.0, -9.0 * ahead)} />
            <text x={((from + to) / 2.0).to_string()} y={y.to_string()}>{ fit(&text, room, 11.0) }</text>
        </>
    }
}

fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Command => "typed",
        Kind::Reads => "reads",
        Kind::Writes => "writes",
        Kind::Refused => "refused",
        Kind::Stored => "stored",
        Kind::Watch => "watch",
        Kind::Thinks => "thinks",
    }
}

/// `create pods/web`, without the namespace, which has no room.
fn label(message: &Message) -> String {
    let activity = &message.activity;
    match message.kind {
        Kind::Command => activity.subject.clone(),
        Kind::Thinks => format!("{} {}", activity.verb, activity.subject),
        Kind::Watch | Kind::Stored => short(&activity.subject),
        Kind::Refused => {
            format!("{} {} {}", activity.code, activity.verb, short(&activity.subject))
        }
        Kind::Reads | Kind::Writes => format!("{} {}", activity.verb, short(&activity.subject)),
    }
}

fn short(subject: &str) -> String {
    match subject.split('/').collect::<Vec<_>>().as_slice() {
        [plural, _, name, rest @ ..] if !rest.is_empty() => {
            format!("{plural}/{name}/{}", rest.join("/"))
        }
        [plural, _, name] => format!("{plural}/{name}"),
        _ => subject.to_owned(),
    }
}

fn names(lane: &Lane, texts: &Texts) -> (String, String) {
    match lane {
        Lane::Learner => ("kubectl".to_owned(), texts.terminal_role.to_owned()),
        Lane::ApiServer => (texts.api_server.to_owned(), String::new()),
        Lane::Store => ("etcd".to_owned(), String::new()),
        Lane::Scheduler => ("kube-scheduler".to_owned(), String::new()),
        Lane::Controller(name) => (name.clone(), String::new()),
        Lane::Agent(agent, node) => (agent.clone(), node.clone()),
    }
}

/// A message as one would say it.
fn spoken(message: &Message, lanes: &[Lane], texts: &Texts) -> String {
    let name = |place: usize| lanes.get(place).map(|lane| names(lane, texts).0).unwrap_or_default();
    let (from, to) = (name(message.from), name(message.to));
    let what = format!("{} {}", message.activity.verb, message.activity.subject);
    match message.kind {
        Kind::Command => message.activity.subject.clone(),
        Kind::Thinks => format!("{from}: {what}"),
        Kind::Watch => fill(texts.says_watch, &[&from, &to, &what]),
        Kind::Stored => fill(texts.says_stored, &[&what]),
        Kind::Refused => {
            fill(texts.says_refused, &[&from, &what, &message.activity.code.to_string()])
        }
        Kind::Reads | Kind::Writes => fill(texts.says_asks, &[&from, &to, &what]),
    }
}

#[derive(Clone, PartialEq, Properties)]
struct MessageDetailsProps {
    message: Message,
}

/// A message that was opened: what it means, and what it changed.
#[component]
fn MessageDetails(props: &MessageDetailsProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let changes = use_state(|| None::<Rc<Vec<RevisionView>>>);
    {
        let (changes, page) = (changes.clone(), page.clone());
        use_effect_with(props.message.activity.id, move |id| {
            let answer = Callback::from(move |answer: Answer| {
                if let Ok(Reply::Changes(found)) = answer {
                    changes.set(Some(Rc::new(found)));
                }
            });
            page.ask(Call::Changes(*id), answer);
        });
    }
    let activity = &props.message.activity;
    let meaning = match props.message.kind {
        Kind::Command => texts.means_command,
        Kind::Reads => texts.means_reads,
        Kind::Writes => texts.means_writes,
        Kind::Refused => texts.means_refused,
        Kind::Stored => texts.means_stored,
        Kind::Watch => texts.means_watch,
        Kind::Thinks => texts.means_thinks,
    };
    html! {
        <section class="message-details" data-testid="message-details" aria-live="polite">
            <p class="message-head">
                <span class="moment">{ clock::moment(activity.micros) }</span>
                <b>{ &activity.actor }</b>
                // A command says itself what it does.
                if activity.verb != "run" {
                    <span class="verb">{ &activity.verb }</span>
                }
                <code>{ words(&activity.subject) }</code>
                if activity.code > 0 {
                    <span class={classes!("code", (activity.code >= 400).then_some("bad"))}>
                        { format!("HTTP {}", activity.code) }
                    </span>
                }
                if let Some(object) = object_of(&activity.subject) {
                    <button class="link" onclick={page.on(Action::Select(Some(object)))}>
                        { texts.look_at_object }
                    </button>
                }
            </p>
            <p class="meaning">{ meaning }</p>
            if let Some(changes) = &*changes {
                <Changes revisions={changes.clone()} newest={true} />
            }
        </section>
    }
}

/// The object that a subject names, where its kind follows from the resource.
fn object_of(subject: &str) -> Option<ObjectRef> {
    let mut parts = subject.splitn(4, '/');
    let (plural, second, third) = (parts.next()?, parts.next()?, parts.next());
    let kind = match plural {
        "pods" => "Pod",
        "deployments" => "Deployment",
        "replicasets" => "ReplicaSet",
        "daemonsets" => "DaemonSet",
        "statefulsets" => "StatefulSet",
        "jobs" => "Job",
        "cronjobs" => "CronJob",
        "services" => "Service",
        "endpointslices" => "EndpointSlice",
        "configmaps" => "ConfigMap",
        "secrets" => "Secret",
        "nodes" => "Node",
        "namespaces" => "Namespace",
        "events" => "Event",
        _ => return None,
    };
    let (namespace, name) = match (kind, third) {
        ("Node" | "Namespace", _) => ("", second),
        (_, name) => (second, name?),
    };
    Some(ObjectRef {
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    })
}
