//! Conditions over time: since when each is what it is, and what it was before.

use crate::context::use_page;
use naru_cluster::view::ConditionLine;
use naru_web::clock;
use naru_web::i18n::fill;
use std::rc::Rc;
use yew::prelude::*;

#[derive(Clone, PartialEq, Properties)]
pub struct ConditionLinesProps {
    pub lines: Rc<Vec<ConditionLine>>,
    /// The first moment that is drawn, in microseconds.
    pub start: u64,
    /// The present.
    pub now: u64,
}

/// A bar for each condition.
#[component]
pub fn ConditionLines(props: &ConditionLinesProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let all = props.now.saturating_sub(props.start).max(1) as f64;
    let place = |micros: u64| 100.0 * (micros.saturating_sub(props.start) as f64 / all).min(1.0);
    html! {
        <div class="condition-lines" data-testid="condition-lines">
            { for props.lines.iter().map(|line| html! {
                <div class="condition-line">
                    <p>{ &line.kind }</p>
                    <ol aria-label={line.kind.clone()}>
                        { for line.spans.iter().enumerate().map(|(index, (since, status, reason))| {
                            let until = line.spans.get(index + 1).map_or(props.now, |next| next.0);
                            let (left, right) = (place(*since), place(until));
                            let what = if reason.is_empty() { status.clone() } else { format!("{status} ({reason})") };
                            let said = fill(texts.condition_since, &[&clock::moment(*since), &what]);
                            html! {
                                <li
                                    class={status.to_lowercase()}
                                    style={format!("left: {left:.2}%; width: {:.2}%", (right - left).max(0.8))}
                                    title={said.clone()}
                                >
                                    <span class="unseen">{ said }</span>
                                </li>
                            }
                        }) }
                    </ol>
                </div>
            }) }
            <p class="condition-moments" aria-hidden="true">
                <span>{ clock::moment(props.start) }</span>
                <span class="condition-key true">{ "True" }</span>
                <span class="condition-key false">{ "False" }</span>
                <span>{ clock::moment(props.now) }</span>
            </p>
        </div>
    }
}
