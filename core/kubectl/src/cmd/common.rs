//! Flags that several commands share.

use crate::flags::Flag;

/// `-o`, `--template` of commands that tell what they changed.
pub const PRINT: &[Flag] = &[
    Flag::switch_on(
        "allow-missing-template-keys",
        "A field that a template names and the object does not have is no error.",
    ),
    Flag::text(
        "output",
        "",
        "Output format. One of: (json, yaml, name, go-template, go-template-file, template, \
         templatefile, jsonpath, jsonpath-as-json, jsonpath-file).",
    )
    .short("o"),
    Flag::switch("show-managed-fields", "Print metadata.managedFields too."),
    Flag::text("template", "", "Template, or path of a template file, for -o."),
];

/// `-f`, `-k`, `-R`.
pub const FILENAME: &[Flag] = &[
    Flag::slice("filename", "Files, folders or URLs that hold the objects; - is standard input.")
        .short("f"),
    Flag::text("kustomize", "", "Folder of a kustomization.").short("k"),
    Flag::switch("recursive", "Read the folders of -f with all folders in them.").short("R"),
];

/// `--dry-run`
pub const DRY_RUN: &[Flag] = &[Flag::optional(
    "dry-run",
    "unchanged",
    "none",
    "Must be \"none\", \"server\", or \"client\": client only prints what would be sent; server \
     sends it, and nothing is stored.",
)];

/// `--validate`
pub const VALIDATE: &[Flag] = &[Flag::optional(
    "validate",
    "strict",
    "strict",
    "Must be one of: strict (or true), warn, ignore (or false): what to do about unknown and \
     doubled fields.",
)];

/// `-l`
pub const SELECTOR: &[Flag] = &[Flag::text(
    "selector",
    "",
    "Only objects whose labels match: key=value, key!=value, key in (a,b), key, !key.",
)
.short("l")];

/// `--field-selector`
pub const FIELD_SELECTOR: &[Flag] =
    &[Flag::text("field-selector", "", "Only objects whose fields match: status.phase=Running.")];

/// `-A`
pub const ALL_NAMESPACES: &[Flag] =
    &[Flag::switch("all-namespaces", "In all namespaces, whatever --namespace says.").short("A")];

/// `--save-config`
pub const SAVE_CONFIG: &[Flag] = &[Flag::switch(
    "save-config",
    "Keep the configuration in the object's annotation, for a later kubectl apply.",
)];

/// `--chunk-size`
pub const CHUNK_SIZE: &[Flag] =
    &[Flag::int("chunk-size", "500", "Read long lists in pieces of this size; 0: in one.")];

/// `--record`
pub const RECORD: &[Flag] = &[Flag::switch("record", "Record the command line in an annotation.")
    .deprecated("--record will be removed in the future")];

/// Whether `--validate` asks for validation.
///
/// Upstream: `GetValidationDirective`.
pub fn validates(flags: &crate::flags::Parsed) -> crate::failure::Result<bool> {
    let value = flags.text("validate");
    match value {
        "strict" | "warn" => return Ok(true),
        "ignore" => return Ok(false),
        _ => {}
    }
    crate::flags::parse_bool(value).map_err(|_| {
        crate::failure::Failure::message(format!(
            "invalid - validate option \"{value}\"; must be one of: strict (or true), warn, ignore \
             (or false)"
        ))
    })
}

/// What `--field-manager` is for.
pub const FIELD_MANAGER: &str = "Who is said to own the fields that are set.";

/// The subresource that `--subresource` names; "" for none.
///
/// Upstream: `resource.Builder.Subresource`, whose server refuses others.
pub fn subresource(name: &str) -> crate::failure::Result<&'static str> {
    const KNOWN: [&str; 5] = ["", "status", "scale", "resize", "ephemeralcontainers"];
    KNOWN.into_iter().find(|known| *known == name).ok_or_else(|| {
        let text = "the server could not find the requested resource";
        crate::failure::Failure::Api(naru_api::ApiError::new(404, "NotFound", text))
    })
}
