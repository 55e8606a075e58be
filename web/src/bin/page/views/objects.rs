//! The objects: tables as kubectl prints them, and trees by owner.

use super::words::words;
use crate::context::{Action, Page, use_page};
use naru_cluster::view::{KindView, RowView};
use naru_web::i18n::fill;
use naru_web::protocol::{ObjectRef, TablePage, TableRef};
use std::collections::BTreeSet;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;
use yew::prelude::*;

#[derive(Clone, PartialEq, Properties)]
pub struct ObjectsViewProps {
    /// What was asked for.
    pub of: TableRef,
    pub table: Option<Rc<TablePage>>,
    pub selected: Option<ObjectRef>,
}

/// Kinds on the left, the objects of one on the right.
#[component]
pub fn ObjectsView(props: &ObjectsViewProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let wanted = use_state(String::new);
    let wide = use_state(|| false);
    let Some(table) = &props.table else {
        return html! { <p class="empty padded" role="status">{ texts.loading_objects }</p> };
    };
    let oninput = {
        let wanted = wanted.clone();
        Callback::from(move |event: InputEvent| {
            let input = event.target().and_then(|it| it.dyn_into::<HtmlInputElement>().ok());
            wanted.set(input.map(|input| input.value()).unwrap_or_default());
        })
    };
    let toggle = {
        let wide = wide.clone();
        Callback::from(move |_: MouseEvent| wide.set(!*wide))
    };
    let everywhere = props.of.namespace.is_empty();
    let namespace = if everywhere { "default" } else { "" };
    let other = TableRef { namespace: namespace.to_owned(), ..props.of.clone() };
    html! {
        <div class="objects">
            { kinds(&table.kinds, &props.of, &page) }
            <div class="object-table">
                <div class="view-tools">
                    <input
                        type="search"
                        class="search"
                        placeholder={texts.search_objects}
                        aria-label={texts.search_objects}
                        value={(*wanted).clone()}
                        {oninput}
                    />
                    if table.table.namespaced {
                        <button
                            class="tool"
                            aria-pressed={everywhere.to_string()}
                            title="-A"
                            onclick={page.on(Action::Table(other))}
                        >
                            { texts.all_namespaces }
                        </button>
                    }
                    <button class="tool" aria-pressed={wide.to_string()} title="-o wide" onclick={toggle}>
                        { texts.wide }
                    </button>
                </div>
                <p class="spoken-command"><code>{ words(&command(props, *wide)) }</code></p>
                { rows(table, props, &wanted, *wide, &page) }
            </div>
        </div>
    }
}

/// The command that prints the same.
fn command(props: &ObjectsViewProps, wide: bool) -> String {
    let TableRef { plural, group, namespace } = &props.of;
    let dot = if group.contains('.') { format!(".{group}") } else { String::new() };
    let scope = match namespace.as_str() {
        "" => " -A".to_owned(),
        "default" => String::new(),
        namespace => format!(" -n {namespace}"),
    };
    let output = if wide { " -o wide" } else { "" };
    format!("$ kubectl get {plural}{dot}{scope}{output}")
}

/// The kinds that one meets first, then the others.
fn familiar_first(kinds: &[KindView]) -> Vec<&KindView> {
    const FAMILIAR: [&str; 16] = [
        "Pod",
        "Deployment",
        "ReplicaSet",
        "StatefulSet",
        "DaemonSet",
        "Job",
        "CronJob",
        "Service",
        "Ingress",
        "ConfigMap",
        "Secret",
        "PersistentVolumeClaim",
        "PersistentVolume",
        "Node",
        "Namespace",
        "Event",
    ];
    let place = |kind: &KindView| FAMILIAR.iter().position(|it| *it == kind.kind);
    let mut sorted: Vec<&KindView> = kinds.iter().collect();
    sorted.sort_by_key(|kind| (place(kind).unwrap_or(FAMILIAR.len()), &kind.kind));
    sorted
}

fn kinds(kinds: &[KindView], of: &TableRef, page: &Page) -> Html {
    html! {
        <ul class="kinds" aria-label={page.texts().kinds}>
            { for familiar_first(kinds).into_iter().map(|kind| {
                let chosen = kind.plural == of.plural && kind.group == of.group;
                let table = TableRef {
                    plural: kind.plural.clone(),
                    group: kind.group.clone(),
                    namespace: of.namespace.clone(),
                };
                html! {
                    <li key={format!("{}.{}", kind.plural, kind.group)}>
                        <button
                            aria-current={chosen.then_some("true")}
                            title={if kind.group.is_empty() { "v1".to_owned() } else { kind.group.clone() }}
                            onclick={page.on(Action::Table(table))}
                        >
                            <span>{ &kind.kind }</span>
                            <span class="count">{ kind.count }</span>
                        </button>
                    </li>
                }
            }) }
        </ul>
    }
}

fn rows(
    found: &TablePage,
    props: &ObjectsViewProps,
    wanted: &str,
    wide: bool,
    page: &Page,
) -> Html {
    let texts = page.texts();
    let fits = |row: &&RowView| {
        wanted.is_empty()
            || row.name.contains(wanted)
            || row.namespace.contains(wanted)
            || row.cells.iter().any(|cell| cell.contains(wanted))
    };
    let table = &found.table;
    let shown: Vec<&RowView> = in_order(&table.rows).into_iter().filter(fits).collect();
    if shown.is_empty() {
        return nothing(found, props, page);
    }
    let with_namespace = table.namespaced && props.of.namespace.is_empty();
    let columns: Vec<(usize, &str)> = table
        .columns
        .iter()
        .enumerate()
        .filter(|(_, (_, is_wide))| wide || !is_wide)
        .map(|(i, (name, _))| (i, name.as_str()))
        .collect();
    html! {
        <div class="table-scroll" tabindex="0" role="group" aria-label={table.kind.clone()}>
            <table class="kube-table" data-testid="object-table">
                <thead>
                    <tr>
                        if with_namespace { <th scope="col">{ "NAMESPACE" }</th> }
                        { for columns.iter().map(|(_, name)| html! {
                            <th scope="col">{ name.to_uppercase() }</th>
                        }) }
                    </tr>
                </thead>
                <tbody>
                    { for shown.into_iter().map(|row| {
                        let object = ObjectRef {
                            kind: table.kind.clone(),
                            namespace: row.namespace.clone(),
                            name: row.name.clone(),
                        };
                        let chosen = props.selected.as_ref() == Some(&object);
                        html! {
                            <tr
                                key={format!("{}/{}", row.namespace, row.name)}
                                class={classes!(chosen.then_some("chosen"))}
                            >
                                if with_namespace { <td>{ &row.namespace }</td> }
                                { for columns.iter().map(|(i, _)| cell(row, *i, &object, page)) }
                            </tr>
                        }
                    }) }
                </tbody>
            </table>
            if table.more > 0 {
                <p class="empty padded">{ fill(texts.more_objects, &[&table.more.to_string()]) }</p>
            }
        </div>
    }
}

/// Why there is no row: nothing fits what is searched for, or all objects are in other namespaces, or
/// there are none.
fn nothing(found: &TablePage, props: &ObjectsViewProps, page: &Page) -> Html {
    let texts = page.texts();
    if !found.table.rows.is_empty() {
        return html! { <p class="empty padded">{ texts.none_found }</p> };
    }
    let is_it = |kind: &&KindView| kind.plural == props.of.plural && kind.group == props.of.group;
    let elsewhere = found.kinds.iter().find(is_it).is_some_and(|kind| kind.count > 0);
    if !elsewhere || props.of.namespace.is_empty() {
        return html! { <p class="empty padded">{ texts.no_objects }</p> };
    }
    let everywhere = TableRef { namespace: String::new(), ..props.of.clone() };
    html! {
        <p class="empty padded">
            { texts.no_objects_here }{ " " }
            <button class="link" onclick={page.on(Action::Table(everywhere))}>{ texts.all_namespaces }</button>
        </p>
    }
}

/// A cell; the first names the object, and leads to it.
fn cell(row: &RowView, index: usize, object: &ObjectRef, page: &Page) -> Html {
    let text = row.cells.get(index).cloned().unwrap_or_default();
    if index > 0 {
        let broken = ["Error", "BackOff", "Err", "OOMKilled", "NotReady", "Failed", "Lost"];
        let bad = broken.iter().any(|word| text.contains(word));
        return html! { <td class={classes!(bad.then_some("bad"))}>{ text }</td> };
    }
    let owner = row.owner.as_ref().map(|(kind, name)| ObjectRef {
        kind: kind.clone(),
        namespace: row.namespace.clone(),
        name: name.clone(),
    });
    html! {
        <th scope="row">
            <button class="link" onclick={page.on(Action::Select(Some(object.clone())))}>
                { text }
            </button>
            if let Some(owner) = owner {
                <button
                    class="owner-link"
                    title={fill(page.texts().owned_by, &[&owner.kind, &owner.name])}
                    aria-label={fill(page.texts().owned_by, &[&owner.kind, &owner.name])}
                    onclick={page.on(Action::Select(Some(owner)))}
                >
                    { "↑" }
                </button>
            }
        </th>
    }
}

/// Rows with the same owner one below the other, otherwise as they come.
fn in_order(rows: &[RowView]) -> Vec<&RowView> {
    let mut placed = BTreeSet::new();
    let mut ordered = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        if !placed.insert(i) {
            continue;
        }
        ordered.push(row);
        if row.owner.is_none() {
            continue;
        }
        for (j, other) in rows.iter().enumerate().skip(i + 1) {
            let same = other.owner == row.owner && other.namespace == row.namespace;
            if same && placed.insert(j) {
                ordered.push(other);
            }
        }
    }
    ordered
}
