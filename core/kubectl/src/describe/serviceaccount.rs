//! `kubectl describe serviceaccount`

use super::events::Events;
use super::page::{Page, items, text};
use super::{list, tell};
use crate::context::Context;
use crate::failure::Result;
use serde_json::Value;

pub(super) fn describe(
    cx: &mut Context<'_>,
    page: &mut Page,
    account: &Value,
    events: Option<&Events>,
) -> Result<()> {
    page.head(account);
    let metadata = &account["metadata"];
    let secrets: Vec<Value> = list(cx, "secrets", text(&metadata["namespace"]), "")?
        .iter()
        .map(|secret| secret.content_json().unwrap_or_default())
        .collect();
    let names = |list: &Value| -> Vec<String> {
        items(list).iter().map(|item| text(&item["name"]).to_owned()).collect()
    };
    let is_token = |secret: &&Value| {
        let annotations = &secret["metadata"]["annotations"];
        text(&secret["type"]) == "kubernetes.io/service-account-token"
            && annotations["kubernetes.io/service-account.name"] == metadata["name"]
    };
    let tokens =
        secrets.iter().filter(is_token).map(|s| text(&s["metadata"]["name"]).to_owned()).collect();
    for (title, names) in [
        ("Image pull secrets:", names(&account["imagePullSecrets"])),
        ("Mountable secrets: ", names(&account["secrets"])),
        ("Tokens:            ", tokens),
    ] {
        if names.is_empty() {
            page.line(0, &format!("{title}\t<none>"));
        }
        for (index, name) in names.iter().enumerate() {
            let title = if index == 0 { title } else { "                   " };
            let there = secrets.iter().any(|secret| text(&secret["metadata"]["name"]) == name);
            let missing = if there { "" } else { " (not found)" };
            page.line(0, &format!("{title}\t{name}{missing}"));
        }
    }
    tell(page, events);
    Ok(())
}
