//! Who may do what, and by which binding and role.

use super::icon::{Icon, icon};
use super::words::words;
use crate::context::{Action, Page, use_page};
use naru_cluster::view::{
    GrantView, RightsRow, RightsView as Rights, Study, StudyView, SubjectView,
};
use naru_web::i18n::fill;
use naru_web::protocol::{ObjectRef, StudyPage};
use std::rc::Rc;
use wasm_bindgen::JsCast;
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

#[derive(Clone, PartialEq, Properties)]
pub struct RightsViewProps {
    pub study: Option<Rc<StudyPage>>,
}

/// A cell that was chosen: the resource with its group, and the verb.
type Cell = (String, String, String);

/// The matrix: resources from top to bottom, verbs from left to right.
#[component]
pub fn RightsView(props: &RightsViewProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let wanted = use_state(String::new);
    let only = use_state(|| false);
    let chosen = use_state(|| None::<Cell>);
    let found = props.study.as_ref().and_then(|study| match &study.view {
        StudyView::Rights(rights) => Some(rights),
        _ => None,
    });
    let Some(rights) = found else {
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
        let only = only.clone();
        Callback::from(move |_: MouseEvent| only.set(!*only))
    };
    let choose = {
        let chosen = chosen.clone();
        Callback::from(move |cell: Cell| chosen.set(Some(cell)))
    };
    let fits = |row: &&RightsRow| {
        let allowed = row.cells.iter().any(Option::is_some);
        row.resource.contains(wanted.as_str()) && (allowed || !*only)
    };
    let rows: Vec<&RightsRow> = rights.rows.iter().filter(fits).collect();
    html! {
        <div class="rights" data-testid="rights">
            <div class="view-tools padded-tools">
                { who(rights, &page) }
                { place(rights, &page) }
                <input
                    type="search"
                    class="search"
                    placeholder={texts.rights_search}
                    aria-label={texts.rights_search}
                    value={(*wanted).clone()}
                    {oninput}
                />
                <button class="tool" aria-pressed={only.to_string()} onclick={toggle}>
                    { texts.rights_only }
                </button>
            </div>
            <p class="rights-groups">{ fill(texts.rights_groups, &[&rights.groups.join(", ")]) }</p>
            <div class="table-scroll" tabindex="0" role="group" aria-label={texts.stage_rights}>
                if rows.is_empty() {
                    <p class="empty padded">{ texts.none_found }</p>
                }
                <table class="rights-table">
                    <thead>
                        <tr>
                            <td></td>
                            { for rights.verbs.iter().map(|verb| html! { <th scope="col">{ verb }</th> }) }
                        </tr>
                    </thead>
                    <tbody>
                        { for rows.into_iter().map(|row| matrix_row(row, rights, &chosen, &choose, &page)) }
                    </tbody>
                </table>
            </div>
            <div class="rights-why" role="status" data-testid="rights-why">
                { why(rights, chosen.as_ref(), &page) }
            </div>
        </div>
    }
}

fn subject_text(subject: &SubjectView) -> String {
    match subject.namespace.as_str() {
        "" => subject.name.clone(),
        namespace => format!("{namespace}/{}", subject.name),
    }
}

/// Whom to ask about.
fn who(rights: &Rights, page: &Page) -> Html {
    let (act, subjects) = (page.act.clone(), rights.subjects.clone());
    let namespace = rights.namespace.clone();
    let onchange = Callback::from(move |event: Event| {
        let select = event.target().and_then(|it| it.dyn_into::<HtmlSelectElement>().ok());
        let index = select.and_then(|select| usize::try_from(select.selected_index()).ok());
        // The options stand in groups, and are counted through all of them.
        let subject = index.and_then(|index| in_groups(&subjects).get(index).cloned().cloned());
        let namespace = namespace.clone();
        act.emit(Action::Study(Study::Rights { subject, namespace }));
    });
    let kinds = ["User", "Group", "ServiceAccount"];
    html! {
        <select class="tool select" aria-label={page.texts().rights_who} data-testid="rights-who" {onchange}>
            { for kinds.into_iter().map(|kind| html! {
                <optgroup label={kind}>
                    { for rights.subjects.iter().filter(|it| it.kind == kind).map(|it| html! {
                        <option selected={rights.subject.as_ref() == Some(it)}>{ subject_text(it) }</option>
                    }) }
                </optgroup>
            }) }
        </select>
    }
}

fn in_groups(subjects: &[SubjectView]) -> Vec<&SubjectView> {
    let of = |kind: &'static str| subjects.iter().filter(move |it| it.kind == kind);
    of("User").chain(of("Group")).chain(of("ServiceAccount")).collect()
}

/// Where.
fn place(rights: &Rights, page: &Page) -> Html {
    let texts = page.texts();
    let (act, subject) = (page.act.clone(), rights.subject.clone());
    let onchange = Callback::from(move |event: Event| {
        let select = event.target().and_then(|it| it.dyn_into::<HtmlSelectElement>().ok());
        let namespace = select.map(|select| select.value()).unwrap_or_default();
        act.emit(Action::Study(Study::Rights { subject: subject.clone(), namespace }));
    });
    html! {
        <select class="tool select" aria-label={texts.rights_where} data-testid="rights-where" {onchange}>
            <option value="" selected={rights.namespace.is_empty()}>{ texts.rights_cluster }</option>
            { for rights.namespaces.iter().map(|name| html! {
                <option value={name.clone()} selected={*name == rights.namespace}>{ name }</option>
            }) }
        </select>
    }
}

fn full_name(row: &RightsRow) -> String {
    match row.group.as_str() {
        "" => row.resource.clone(),
        group => format!("{}.{group}", row.resource),
    }
}

fn matrix_row(
    row: &RightsRow,
    rights: &Rights,
    chosen: &Option<Cell>,
    choose: &Callback<Cell>,
    page: &Page,
) -> Html {
    let texts = page.texts();
    html! {
        <tr key={full_name(row)}>
            <th scope="row">
                { &row.resource }
                if !row.group.is_empty() { <span class="group">{ &row.group }</span> }
            </th>
            { for rights.verbs.iter().enumerate().map(|(column, verb)| {
                if row.has >> column & 1 == 0 {
                    return html! { <td class="none"><span class="unseen">{ texts.rights_none }</span></td> };
                }
                let grant = row.cells.get(column).copied().flatten();
                let grant = grant.and_then(|grant| rights.grants.get(grant as usize));
                let some = grant.is_some_and(|grant| !grant.names.is_empty());
                let state = if grant.is_some() { texts.rights_allowed } else { texts.rights_denied };
                let cell = (row.group.clone(), row.resource.clone(), verb.clone());
                let pressed = chosen.as_ref() == Some(&cell);
                let class = classes!("may",
                    grant.is_some().then_some("allowed"),
                    some.then_some("some"),
                );
                html! {
                    <td>
                        <button
                            {class}
                            aria-pressed={pressed.to_string()}
                            aria-label={format!("{verb} {}: {state}", row.resource)}
                            onclick={choose.reform(move |_: MouseEvent| cell.clone())}
                        >
                            if grant.is_some() { { icon(Icon::Tick) } } else { { "·" } }
                        </button>
                    </td>
                }
            }) }
        </tr>
    }
}

/// Why the chosen cell is what it is.
fn why(rights: &Rights, chosen: Option<&Cell>, page: &Page) -> Html {
    let texts = page.texts();
    let Some((group, resource, verb)) = chosen else {
        return html! { <p class="empty">{ texts.rights_choose }</p> };
    };
    let row = rights.rows.iter().find(|row| row.group == *group && row.resource == *resource);
    let column = rights.verbs.iter().position(|it| it == verb);
    let Some((row, column)) = row.zip(column) else { return Html::default() };
    let grant = row.cells.get(column).copied().flatten();
    let grant = grant.and_then(|grant| rights.grants.get(grant as usize));
    let text = if grant.is_some() { texts.rights_can } else { texts.rights_cannot };
    let command = command(rights, row, verb);
    html! {
        <>
            <p><b>{ fill(text, &[verb, &full_name(row)]) }</b></p>
            if let Some(grant) = grant { { chain(grant, page) } }
            <p class="spoken-command">
                <code>{ words(&format!("$ {command}")) }</code>
                <button
                    class="tool"
                    aria-label={texts.run_this}
                    title={texts.run_this}
                    onclick={page.on(Action::Run(command))}
                >
                    { icon(Icon::Run) }
                </button>
            </p>
        </>
    }
}

/// From the binding over the role to whom it is given.
fn chain(grant: &GrantView, page: &Page) -> Html {
    let texts = page.texts();
    let Some((kind, namespace, name)) = &grant.binding else {
        return html! { <p>{ texts.rights_super }</p> };
    };
    let object = |kind: &str, namespace: &str, name: &str| {
        let (kind, namespace, name) = (kind.to_owned(), namespace.to_owned(), name.to_owned());
        let text = match namespace.as_str() {
            "" => format!("{kind} {name}"),
            namespace => format!("{kind} {namespace}/{name}"),
        };
        let object = ObjectRef { kind, namespace, name };
        html! { <button class="link" onclick={page.on(Action::Select(Some(object)))}>{ text }</button> }
    };
    let role_namespace = if grant.role.0 == "Role" { namespace } else { "" };
    html! {
        <>
            <ol class="grant">
                <li>{ format!("{} {}", grant.subject.0, grant.subject.1) }</li>
                <li>{ object(kind, namespace, name) }</li>
                <li>{ object(&grant.role.0, role_namespace, &grant.role.1) }</li>
            </ol>
            if !grant.names.is_empty() {
                <p>{ fill(texts.rights_names, &[&grant.names.join(", ")]) }</p>
            }
        </>
    }
}

/// The command that asks the same.
fn command(rights: &Rights, row: &RightsRow, verb: &str) -> String {
    let (resource, subresource) =
        row.resource.split_once('/').map_or((row.resource.as_str(), ""), |(it, sub)| (it, sub));
    let dot = if row.group.is_empty() { String::new() } else { format!(".{}", row.group) };
    let mut command = format!("kubectl auth can-i {verb} {resource}{dot}");
    if !subresource.is_empty() {
        command.push_str(&format!(" --subresource={subresource}"));
    }
    if row.namespaced {
        match rights.namespace.as_str() {
            "" => command.push_str(" -A"),
            namespace => command.push_str(&format!(" -n {namespace}")),
        }
    }
    match &rights.subject {
        Some(it) if it.kind == "ServiceAccount" => {
            command.push_str(&format!(" --as=system:serviceaccount:{}:{}", it.namespace, it.name))
        }
        Some(it) if it.kind == "Group" => {
            command.push_str(&format!(" --as=somebody --as-group={}", it.name));
        }
        Some(it) => {
            command.push_str(&format!(" --as={}", it.name));
            for group in rights.groups.iter().filter(|it| *it != "system:authenticated") {
                command.push_str(&format!(" --as-group={group}"));
            }
        }
        None => {}
    }
    command
}
