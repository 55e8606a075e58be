//! `--record`: the command line in an annotation.
//!
//! Upstream: `k8s.io/cli-runtime/pkg/genericclioptions/record_flags.go`.

use crate::context::Context;
use serde_json::{Value, json};

/// Where the cause of a change is written.
pub const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";

/// Writes the command line into the object, if `--record` asks for it.
pub fn record(cx: &Context<'_>, object: &mut Value) {
    if !cx.flags().is("record") {
        return;
    }
    let line = cx.invocation.command_line();
    let metadata = &mut object["metadata"];
    if !metadata["annotations"].is_object() {
        metadata["annotations"] = json!({});
    }
    metadata["annotations"][CHANGE_CAUSE] = json!(line);
}
