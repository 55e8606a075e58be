//! Commands in running text.

use yew::prelude::*;

/// A command whose words stay whole where they have room: `--replicas` is no place to end a line in.
pub fn words(command: &str) -> Html {
    html! {
        <span>
            { for command.split(' ').enumerate().map(|(i, word)| html! {
                <>{ if i > 0 { " " } else { "" } }<span class="word">{ word.to_owned() }</span></>
            }) }
        </span>
    }
}
