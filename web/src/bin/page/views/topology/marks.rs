//! The marks of a pod's state: each has its own shape, so that none is told by colour alone.

use naru_web::i18n::Texts;
use naru_web::store::Look;
use yew::prelude::*;

/// The mark, drawn around the origin, 14 pixels across.
pub fn mark(look: Look) -> Html {
    match look {
        Look::Waiting => {
            html! { <circle class="mark hollow" r="5.5" stroke-dasharray="2.6 2.6" /> }
        }
        Look::Starting => html! {
            <g class="mark turning"><circle class="mark faint" r="5.5" /><path class="mark hollow" d="M0-5.5A5.5 5.5 0 0 1 5.5 0" /></g>
        },
        Look::Ready => html! { <circle class="mark solid" r="5.5" /> },
        Look::Unready => html! {
            <g><circle class="mark hollow" r="5.5" /><path class="mark solid" d="M0-5.5A5.5 5.5 0 0 0 0 5.5z" /></g>
        },
        Look::Done => html! { <path class="mark hollow" d="M-5 .5L-1.5 4 5.5-4" /> },
        Look::Broken => html! {
            <g><path class="mark solid" d="M0-6.500L6.8 5.500H-6.800z" /><path class="mark cut" d="M0-2V1.500M0 3.500V3.6" /></g>
        },
        Look::Leaving => {
            html! { <path class="mark hollow" d="M-4.5-4.500L4.5 4.500M4.5-4.500L-4.5 4.5" /> }
        }
    }
}

/// Its name for people.
pub fn name(look: Look, texts: &Texts) -> &'static str {
    match look {
        Look::Waiting => texts.look_waiting,
        Look::Starting => texts.look_starting,
        Look::Ready => texts.look_ready,
        Look::Unready => texts.look_unready,
        Look::Done => texts.look_done,
        Look::Broken => texts.look_broken,
        Look::Leaving => texts.look_leaving,
    }
}
